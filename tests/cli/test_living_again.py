"""`failoverctl replay --policy FILE`: what another file would have done in a time that is over."""

import json
import time
from pathlib import Path

import pytest
from support.commands import CONFIG, Ended, answered, written
from support.replaying import one_evening

from failoverd.cli.options import Exit
from failoverd.config.locating import journal_of
from failoverd.core.control.inputs import Decided
from failoverd.simulation.virtual_time import run
from failoverd.store.journal import open_journal

API = """\
version: 1
policy: api
records:
  - {name: api.example.com, type: A, ttl: 30s, providers: [dns-main]}
regions:
  azure: {share: 70, endpoints: [192.0.2.10]}
  oci: {share: 30, endpoints: [198.51.100.10]}
checks:
  live: {https: /, every: 10s, timeout: 2s}
health: {fall: 3, rise: 2, recheck: 500ms}
failback: {after: 1m}
limits: {max_changes: 50 per 1h, max_shift: 100% per 5m}
"""

REGIONS = "version: 1\nregions:\n  azure: {cloud: azure}\n  oci: {cloud: oci}\n"


@pytest.fixture(scope="module")
def evening() -> list[Decided]:
    return run(one_evening(), time.time() - 3_600.0)


async def asked(folder: Path, decisions: list[Decided], policy: str, *words: str) -> Ended:
    """The command, with a new file beside the one of then."""
    config = written(folder, {"api.yaml": API, "regions.yaml": REGIONS}, CONFIG.replace("local", "dns-main").replace(
        "example.test", "example.com"
    ))  # fmt: skip
    async with open_journal(journal_of(config)) as journal:
        await journal.decided(decisions)
    (folder / "new.yaml").write_text(policy)
    return await answered("replay", "--policy", str(folder / "new.yaml"), "--config", str(config), *words)


async def test_the_same_file_would_have_done_the_same(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API)
    assert ended.code == Exit.FINE, ended.said
    assert ended.said.startswith(f"the same by {tmp_path}/new.yaml, from ")


async def test_what_would_have_been_otherwise_is_shown_beside_what_was(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API.replace("after: 1m", "after: 5m"))
    assert ended.code == Exit.PENDING, ended.said
    lines = ended.said.splitlines()
    assert lines[0].startswith(f"otherwise by {tmp_path}/new.yaml: 1 of 1 record, from ")
    assert ["changes", "3", "3"] in [line.split() for line in lines]
    assert "    then         azure 70%, oci 30%  (write, normal: azure 70%, oci 30%)" in lines
    assert any(line.startswith("    by the file  oci 100%  (") for line in lines)
    assert any(line.endswith("the same again: azure 70%, oci 30%") for line in lines)
    assert any(line.startswith("From ") for line in lines)


async def test_a_program_gets_all_of_it(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API.replace("after: 1m", "after: 5m"), "--output", "json")
    told = json.loads(ended.out)
    (record,) = told["records"]
    assert (told["same"], record["record"], record["decisions"]) == (False, "api.example.com A", len(evening))
    assert [turn["instead_bp"] for turn in record["turns"]] == [{"oci": 10_000}, {"azure": 7_000, "oci": 3_000}]
    assert record["then"]["changes"] == record["instead"]["changes"] == 3


async def test_a_file_that_does_not_load_is_told(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API.replace("azure:", "azuer:", 1))
    assert (ended.code, "nothing can be decided by" in ended.said) == (Exit.FAILED, True), ended.said


async def test_a_record_of_which_nothing_is_kept_is_named(tmp_path: Path, evening: list[Decided]) -> None:
    ended = await asked(tmp_path, evening, API.replace("api.example.com", "new.example.com"))
    assert ended.code == Exit.FINE, ended.said
    assert "no decision is kept of new.example.com A at dns-main" in ended.said


async def test_no_other_policy_can_be_named_beside_a_file(tmp_path: Path, evening: list[Decided]) -> None:
    assert (await asked(tmp_path, evening, API, "api")).code == Exit.USAGE
