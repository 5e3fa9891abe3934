"""What a command prints arrives, whatever the terminal's encoding is, or the command says that it did not."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.commands import POLICY, failoverctl, written
from support.journals import TARGET, incident, plan

from failoverd.cli.options import hush_libraries
from failoverd.core.status import PolicyStatus, RegionStatus, TargetState, TargetStatus
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.telemetry import prose

NARROW = ("ascii", "latin-1")
WORDS = "Zürich → 東京 says 503"

VERBS = (["check"], ["status"], ["why"], ["history"], ["probe", "west"], ["schema"], ["--help"])


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A configuration with a journal and a policy in which there is more than ASCII everywhere that it can be."""
    strange = POLICY.replace("share: 50", "shäre東: 50", 1)
    path = written(tmp_path / "Zürich", {"shop.yaml": POLICY, "other.yaml": strange.replace("shop", "other")})
    async with open_journal(path.parent / "journal.db", words=prose.told) as journal:
        made = plan()
        await journal.settle(made, ChangeOutcome.FAILED, WORDS, 90.0)
        await journal.settle(plan("chg-2", generation=9), ChangeOutcome.APPLIED, WORDS, 100.0)
        await journal.record(incident(100.0, change_id="chg-2"))
        await journal.update_status(
            [
                PolicyStatus(TARGET.policy, 100.0, "Zürich.yaml", "1", rejected=WORDS),
                RegionStatus(TARGET.policy, "A", "azure-eastus", 100.0, "down", 0, 100.0, None, WORDS),
                TargetStatus(TARGET, 100.0, TargetState.DELAYED, detail=WORDS, manual=WORDS),
            ]
        )
    return path


def asked(config: Path, verb: list[str]) -> list[str]:
    if verb[0] in {"schema", "--help"}:
        return verb
    return [*verb, *(["--since", "99999d"] if verb[0] == "history" else []), "--config", str(config)]


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_what_the_encoding_cannot_say_is_escaped(config: Path, verb: list[str], encoding: str) -> None:
    wide, narrow = (failoverctl(*asked(config, verb), encoding=each) for each in ("utf-8", encoding))
    assert narrow.code == wide.code
    assert not {"Traceback", "internal_error"} & set(narrow.err.split())
    if verb[0] != "probe":  # its figures differ from one time to the next
        assert narrow.out == wide.out.decode().encode(encoding, "backslashreplace")


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize("verb", ["check", "status", "why", "history", "schema"])
def test_json_means_the_same_in_every_encoding(config: Path, verb: str, encoding: str) -> None:
    words = asked(config, [verb, *([] if verb == "schema" else ["--output", "json"])])
    wide, narrow = (failoverctl(*words, encoding=each).out.decode(each) for each in ("utf-8", encoding))
    same, other = (json.loads(printed) for printed in (narrow, wide))
    for told in (same, other):
        for each in (told, told.get("glance", {})):
            each.pop("at", None)  # when it was asked
    assert same == other


def test_a_key_that_ascii_cannot_say_is_told_with_its_escape(config: Path) -> None:
    told = failoverctl("check", "--config", config, encoding="ascii").out.decode("ascii")
    assert 'unknown key "sh\\xe4re\\u6771"' in told


MODULE = "python -m failoverd.cli.operator"
COMMANDS = ["check", "status --output json", "--help"]
FULL = "standard output (/dev/full) cannot be written: No space left on device (output_unwritable)"
CLOSED = "standard output cannot be written: Bad file descriptor (output_unwritable)"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("where", "says"), [("> /dev/full", FULL), (">&-", CLOSED)], ids=["full", "closed"])
def test_an_output_that_takes_nothing_is_told(config: Path, command: str, where: str, says: str) -> None:
    told = in_shell(f"{command} {where}", config)
    assert (told.returncode, says in told.stderr) == (1, True), told.stderr
    assert "Traceback" not in told.stderr
    assert "Exception ignored" not in told.stderr


def test_with_every_stream_closed_no_file_takes_its_place(config: Path) -> None:
    """A file that is opened later would get the number of standard error, and what is told would be written into it."""
    before = (config.parent / "journal.db").read_bytes()
    told = in_shell("status <&- >&- 2>&-", config)
    assert (told.returncode, told.stderr) == (1, "")
    assert (config.parent / "journal.db").read_bytes() == before


@pytest.mark.parametrize("command", ["why", "history", "check", "status --watch", "--help", "bogus"])
def test_a_reader_that_has_gone_changes_nothing(config: Path, command: str) -> None:
    """As in `failoverctl why | head -1`: the exit code says what the command found, whoever read how much of it."""
    reading, writing = os.pipe()
    os.close(reading)
    told = in_shell(f"{command} >&{writing}", config, pass_fds=[writing])
    nothing = in_shell(f"{command} >&{writing} 2>&{writing}", config, pass_fds=[writing])
    os.close(writing)
    read = failoverctl(*asked(config, command.removesuffix(" --watch").split()))
    assert (told.returncode, nothing.returncode) == (read.code, read.code)
    said = told.stderr.replace(MODULE, "failoverctl")
    assert re.sub(r"[0-9]+ ", "", said) == re.sub(r"[0-9]+ ", "", read.err)


@pytest.mark.parametrize("verb", ["status", "why", "history", "overrides", "plan", "reload"])
def test_who_asks_for_json_gets_a_failure_as_json(tmp_path: Path, verb: str) -> None:
    told = failoverctl(verb, "--output", "json", "--config", tmp_path / "none.yaml")
    error = json.loads(told.out)["error"]
    assert told.code not in {0, 3}
    assert error["reason"] == "config_invalid"
    assert "none.yaml" in error["detail"]
    assert error["remedy"] == "name it with --config, or write one: failoverctl init"
    (tmp_path / "none.yaml").write_text("version: [\n")
    error = json.loads(failoverctl(verb, "--output", "json", "--config", tmp_path / "none.yaml").out)["error"]
    assert "correct the file" in error["remedy"]
    assert told.err.startswith("failed: ")


def test_without_a_log_no_library_speaks_for_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logging.getLogger("msal").error("a client_secret")
    assert "a client_secret" in capsys.readouterr().err
    hush_libraries()
    logging.getLogger("msal").error("a client_secret")
    assert capsys.readouterr().err == ""


def in_shell(command: str, config: Path, pass_fds: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{Path(sys.executable).parent}/{MODULE} {command}"],
        env={"FAILOVERD_CONFIG": str(config), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        pass_fds=pass_fds,
    )
