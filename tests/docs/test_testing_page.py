"""docs/testing.md: its tests are played, its commands run, and its tables are those of the code."""

import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML
from support.commands import failoverctl
from support.manual import POLICIES, blocks

from failoverd.cli.telling_tests import (
    CoverageTold,
    DifferenceTold,
    MoveTold,
    PartTold,
    TrialsTold,
    TrialTold,
    WrongTold,
)
from failoverd.config.schema.test_file import (
    LETTERS,
    MOST_MOMENTS,
    MOST_TESTS,
    GivenEntry,
    HappeningEntry,
    MeasuredEntry,
    MomentEntry,
    NeverEntry,
    TestEntry,
    WordEntry,
)
from failoverd.settings import parse_duration
from failoverd.simulation.rehearsal import NOON

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
TEXT = PAGE.read_text()
TABLES: dict[str, type[BaseModel]] = {
    "A test": TestEntry,
    "`given`": GivenEntry,
    "`measured`": MeasuredEntry,
    "`happens`": HappeningEntry,
    "`operator`": WordEntry,
    "`at`": MomentEntry,
    "`never`": NeverEntry,
}
TOLD = (TrialsTold, TrialTold, DifferenceTold, MoveTold, CoverageTold, PartTold, WrongTold)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the example policies, without their own tests."""
    (tmp_path / "policies").mkdir()
    for path in POLICIES.glob("*.yaml"):
        if not path.name.endswith(".test.yaml"):
            shutil.copy(path, tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAILOVERD_CONFIG", raising=False)
    return tmp_path / "policies" / "first.test.yaml"


def rows(title: str) -> list[list[str]]:
    """The table below a heading."""
    section = TEXT.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    found = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)
    return [re.split(r" \| ", row) for row in found[1:]]


def timeless(text: str) -> str:
    return re.sub(r" in \d+\.\ds$", " in some time", text, flags=re.MULTILINE)


@pytest.mark.parametrize("number", range(len(blocks("test", TEXT))))
def test_every_test_of_the_page_passes(repository: Path, number: int) -> None:
    repository.write_text(blocks("test", TEXT)[number])
    told = failoverctl("test", "policies")
    assert told.code == 0, told.said


def test_the_test_in_the_page_of_policies_passes(repository: Path) -> None:
    (block,) = blocks("tests")
    policy = repository.parent / "inference-api.yaml"
    policy.write_text(f"{policy.read_text()}{block}")
    told = failoverctl("test", "policies")
    assert told.code == 0, told.said
    assert told.out.startswith(b"1 test passed")


def test_and_so_does_that_of_a_policy_that_is_measured(repository: Path) -> None:
    (measured,), (signals,) = blocks("measured", TEXT), blocks("signals")
    policy = repository.parent / "inference-api.yaml"
    text = policy.read_text()
    policy.write_text(re.sub(r"^demand:.*$", "", text, flags=re.MULTILINE) + signals.replace("unit: rps\n", ""))
    repository.write_text(measured)
    told = failoverctl("test", "policies")
    assert told.code == 0, told.said


def console(kind: str) -> tuple[list[str], str]:
    """A command of the page, and what it prints."""
    (block,) = re.findall(rf"^```{kind}\n\$ (.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    command, _, printed = block.partition("\n")
    return shlex.split(command)[1:], printed


def test_what_it_prints_when_all_is_well_is_what_the_page_says(repository: Path) -> None:
    repository.write_text(blocks("test", TEXT)[0])
    command, printed = console("console")
    assert timeless(failoverctl(*command).out.decode()) == timeless(printed)


def test_and_so_is_what_it_prints_when_one_fails(repository: Path) -> None:
    right = "{oci-ashburn: 75, aws-use1: 25}"
    text = blocks("test", TEXT)[0]
    assert right in text
    repository.write_text(text.replace(right, "{oci-ashburn: 100}"))
    command, printed = console("console failing")
    told = failoverctl(*command)
    assert told.code == 1
    assert timeless(told.out.decode()) == timeless(printed)


def test_what_a_repository_runs_passes_while_its_tests_do(repository: Path) -> None:
    (workflow,) = blocks("workflow", TEXT)
    steps = YAML(typ="safe").load(workflow)["jobs"]["policies"]["steps"]
    commands = [shlex.split(step["run"])[1:] for step in steps if step.get("run", "").startswith("failoverctl ")]
    assert [command[0] for command in commands] == ["check", "test"]
    text = blocks("test", TEXT)[0]
    repository.write_text(text)
    assert [failoverctl(*command).code for command in commands] == [0, 0]
    assert Path("report.xml").exists()
    repository.write_text(text.replace("changes: 1", "changes: 2"))
    assert [failoverctl(*command).code for command in commands] == [0, 1]


@pytest.mark.parametrize("title", TABLES)
def test_the_notation_is_that_of_the_code(title: str) -> None:
    fields = TABLES[title].model_fields
    assert rows(title) == [[f"`{field.alias or name}`", field.description] for name, field in fields.items()]


def test_the_limits_are_those_of_the_code() -> None:
    limits = dict(rows("Limits"))
    assert limits["tests of a file"] == f"{MOST_TESTS}"
    assert limits["`series` of a test"].endswith(f" patterns, each of {MOST_MOMENTS:,} moments")
    longest = {"interval": limits["`interval`"].partition(" to ")[2], "for": limits["how long a test goes on"]}
    for key, said in longest.items():
        most = parse_duration(said.replace(" ", "").replace("days", "d"))
        assert TestEntry.model_validate({"name": "it", key: f"{most:.0f}s"})
        with pytest.raises(ValueError, match="is not within"):
            TestEntry.model_validate({"name": "it", key: f"{most + 1:.0f}s"})
    assert f"{datetime.fromtimestamp(NOON, UTC):%A, %-d %B %Y, at %H:%M UTC}" in TEXT


def test_the_letters_are_those_of_the_code() -> None:
    assert rows("`series`") == [[f"`{letter}`", meaning] for letter, meaning in LETTERS.items()]


def test_the_json_has_the_keys_that_the_page_names() -> None:
    section = TEXT.partition("`--output json` prints one object:")[2]
    named = set(re.findall(r"`(\w+)`", section))
    assert named == {name for model in TOLD for name in model.model_fields}


def test_the_examples_that_come_with_it_pass() -> None:
    for folder in (POLICIES, POLICIES / "tiers"):
        told = failoverctl("test", str(folder))
        assert told.code == 0, told.said
