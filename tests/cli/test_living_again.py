"""`failoverctl replay --policy FILE`: what another file would have done in a time that is over."""

import json
import time
from pathlib import Path

import pytest
from support.commands import Ended, answered
from support.replaying import API_FILE, one_evening, remembered

from failoverd.cli.options import Exit
from failoverd.core.control.inputs import Decided
from failoverd.simulation.virtual_time import run


@pytest.fixture(scope="module")
def evening() -> list[Decided]:
    return run(one_evening(), time.time() - 3_600.0)


async def asked(folder: Path, decisions: list[Decided], policy: str, *words: str) -> Ended:
    """The command, with a new file beside the one of then."""
    config = await remembered(folder, decisions)
    (folder / "new.yaml").write_text(policy)
    return await answered("replay", "--policy", str(folder / "new.yaml"), "--config", str(config), *words)


async def test_the_same_file_would_have_done_the_same(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API_FILE)
    assert ended.code == Exit.FINE, ended.said
    assert ended.said.startswith(f"the same by {tmp_path}/new.yaml\nfrom ")


async def test_what_would_have_been_otherwise_is_shown_beside_what_was(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API_FILE.replace("after: 1m", "after: 5m"))
    assert ended.code == Exit.PENDING, ended.said
    lines = ended.said.splitlines()
    assert lines[0] == f"otherwise by {tmp_path}/new.yaml: 1 of 1 record"
    assert ["changes", "3", "3"] in [line.split() for line in lines]
    assert "    then         azure 70%, oci 30%  (write, normal: azure 70%, oci 30%)" in lines
    assert any(line.startswith("    by the file  oci 100%  (") for line in lines)
    assert any(line.endswith("the same again: azure 70%, oci 30%") for line in lines)
    assert any(line.startswith("From ") for line in lines)


async def test_a_program_gets_all_of_it(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API_FILE.replace("after: 1m", "after: 5m"), "--output", "json")
    told = json.loads(ended.out)
    (record,) = told["records"]
    assert (told["same"], record["record"], record["decisions"]) == (False, "api.example.com A", len(evening))
    assert [turn["instead_bp"] for turn in record["turns"]] == [{"oci": 10_000}, {"azure": 7_000, "oci": 3_000}]
    assert record["then"]["changes"] == record["instead"]["changes"] == 3


async def test_a_file_that_does_not_load_is_told(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API_FILE.replace("azure:", "azuer:", 1))
    assert (ended.code, "nothing can be decided by" in ended.said) == (Exit.FAILED, True), ended.said


async def test_a_record_of_which_nothing_is_kept_is_named(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API_FILE.replace("api.example.com", "new.example.com"))
    assert ended.code == Exit.FAILED, "nothing was looked at, which is no proof that all would have been the same"
    assert "no decision is kept of new.example.com A at dns-main" in ended.said


async def test_no_other_policy_can_be_named_beside_a_file(tmp_path: Path, evening: list[Decided]) -> None:
    assert (await asked(tmp_path, evening, API_FILE, "api")).code == Exit.USAGE
