"""docs/replaying.md: its commands print what it says of such an evening, and its JSON has the keys that it names."""

import re
import shlex
import time
from pathlib import Path
from typing import Final

import pytest
from support.commands import answered
from support.replaying import API_FILE, one_evening, remembered

from failoverd.cli.living_again import BalanceTold, HindsightsTold, HindsightTold, TurnTold
from failoverd.cli.replaying_decisions import ConclusionTold, DiscrepancyTold, LostTold, ReplayTold
from failoverd.operations.self_check import AT
from failoverd.simulation.hindsight import WELL_WITHIN
from failoverd.simulation.virtual_time import run
from failoverd.store.decisions import LONGEST, MOST_BYTES

TEXT: Final = (Path(__file__).parents[2] / "docs" / "replaying.md").read_text()
COMMANDS: Final = re.findall(r"^```console\n\$ failoverctl (.*?)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def timeless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME", text)


@pytest.mark.parametrize(("command", "printed"), COMMANDS)
async def test_a_command_prints_what_the_page_says(
    command: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = await remembered(tmp_path, EVENING)
    (tmp_path / "new.yaml").write_text(API_FILE.replace("after: 1m", "after: 5m"))
    monkeypatch.chdir(tmp_path)
    told = await answered(*shlex.split(command), "--config", str(config))
    assert timeless(told.out.decode()) == timeless(printed)
    assert told.code == (10 if "--policy" in command else 0)


EVENING: Final = run(one_evening(), time.time() // 3_600.0 * 3_600.0 - 3_600.0)


def test_the_json_has_the_keys_that_the_page_names() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT.partition("## As JSON")[2]))
    models = (
        ReplayTold,
        DiscrepancyTold,
        ConclusionTold,
        LostTold,
        HindsightsTold,
        HindsightTold,
        BalanceTold,
        TurnTold,
    )
    assert named == {name for model in models for name in model.model_fields}


def test_its_numbers_are_those_of_the_code() -> None:
    assert AT == 3.5 * 3_600
    assert WELL_WITHIN == 5 * 60
    assert MOST_BYTES == 50_000_000
    assert LONGEST == 100
