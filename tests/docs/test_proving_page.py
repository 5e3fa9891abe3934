"""docs/proving.md: its commands print what it says, and its table is that of the code."""

import re
import shlex
from pathlib import Path

import pytest
from support.commands import failoverctl

from failoverd.cli.proving_policies import BrokenTold, GroupTold, ProofTold
from failoverd.core.control import limits
from failoverd.simulation.promises import SAYS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "proving.md").read_text()
COMMANDS = re.findall(r"^```console(?: \w+)?\n\$ failoverctl (.*?)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), COMMANDS)
def test_a_command_prints_what_the_page_says(command: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if "NOT KEPT" in printed:  # rates keep a dead region where it is, as the page supposes
        monkeypatch.setattr(limits, "_failing_out", lambda _step: frozenset())
        monkeypatch.setattr(limits, "_dead_values", lambda _step: False)
    told = failoverctl(*shlex.split(command))
    assert told.out.decode() == printed
    assert told.code == ("NOT KEPT" in printed)


def test_the_promises_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", TEXT, re.MULTILINE)
    assert rows == [(promise.value, says) for promise, says in SAYS.items()]


def test_the_json_has_the_keys_that_the_page_names() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT.partition("`--output json` prints one object:")[2]))
    assert named == {name for model in (ProofTold, GroupTold, BrokenTold) for name in model.model_fields}
