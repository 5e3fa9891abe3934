"""docs/simulating.md: its commands print what it says, its scenario is played, and its tables are those of the code."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel
from support.commands import failoverctl
from support.manual import POLICIES, blocks, scenarios

from failoverd.cli.course_page.course_tables import MOST_ROWS
from failoverd.cli.telling_courses import (
    CourseMomentTold,
    CourseTold,
    LoadCourseTold,
    PolicyCourseTold,
    RegionCourseTold,
    SimulationTold,
    TotalsTold,
)
from failoverd.config.documents import read
from failoverd.config.scenario_files import MOST_PROBES
from failoverd.config.schema.scenario_file import LONGEST, OverloadEntry, ScenarioFile
from failoverd.config.schema.test_file import FAULTS, FaultEntry
from failoverd.simulation.course import MOST_POINTS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "simulating.md").read_text()
COMMANDS = re.findall(r"^```console\n\$ failoverctl (.*?)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
TOLD = (SimulationTold, CourseTold, PolicyCourseTold, RegionCourseTold, LoadCourseTold, CourseMomentTold, TotalsTold)


@pytest.mark.parametrize(("command", "printed"), COMMANDS)
def test_a_command_prints_what_the_page_says(command: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = failoverctl(*shlex.split(command))
    assert told.out.decode() == printed
    assert told.code == 0


def test_the_scenario_of_the_page_is_played(tmp_path: Path) -> None:
    (said,) = blocks("scenario", TEXT)
    for path in POLICIES.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "it.scenario.yaml").write_text(said)
    told = failoverctl("simulate", str(tmp_path / "it.scenario.yaml"), "--policy", "inference-api")
    assert told.code == 0, told.said
    assert "drain azure-eastus for 20m" in told.out.decode()


def table(head: str) -> list[list[str]]:
    """The rows of the first table with that head."""
    rows = TEXT.partition(f"| {head} |\n")[2].split("\n\n")[0].splitlines()[1:]
    return [re.split(r" \| ", row.removeprefix("| ").removesuffix(" |")) for row in rows]


def keys(model: type[BaseModel]) -> list[list[str]]:
    return [[f"`{field.alias or name}`", field.description or ""] for name, field in model.model_fields.items()]


@pytest.mark.parametrize("model", [ScenarioFile, FaultEntry, OverloadEntry])
def test_the_keys_are_those_of_the_code(model: type[BaseModel]) -> None:
    assert "".join(f"| {key} | {meaning} |\n" for key, meaning in keys(model)) in TEXT


def test_the_faults_are_those_of_the_code() -> None:
    assert table("fault | what the endpoint does") == [[f"`{fault}`", does] for fault, does in FAULTS.items()]


def test_the_totals_are_those_of_the_code() -> None:
    assert [key.strip("`") for key, _ in table("total | meaning")] == list(TotalsTold.model_fields)


def test_those_that_ship_are_listed() -> None:
    documents = {path.name.partition(".")[0]: read(path).document for path in scenarios()}
    said = {name: document.data for name, document in documents.items() if document is not None}
    assert table("file | what happens | what it shows") == [
        [f"`{name}`", data["name"], data["shows"]] for name, data in sorted(said.items())
    ]


def test_the_limits_are_those_of_the_code() -> None:
    limits = dict(table("what | limit"))
    assert limits["`for`"] == LONGEST
    assert limits["probes of a scenario, over all policies"].startswith(f"{MOST_PROBES:,} ")
    assert limits["points of a track, moments of a course"].startswith(f"{MOST_POINTS:,} each")


def test_the_json_has_the_keys_that_the_page_names() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT.partition("`--output json` prints one object")[2]))
    words = {"happened", "seen", "moved", "held", "told", "failoverctl"}
    assert named - words == {name for model in TOLD for name in model.model_fields} - {"moved"}


def test_the_page_is_written_by_the_command_that_the_page_of_docs_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(POLICIES, tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"^```sh\nfailoverctl (simulate .*--html .*)\n```$", TEXT, re.MULTILINE)
    told = failoverctl(*shlex.split(command))
    assert told.code == 0, told.said
    made = (tmp_path / "outage.html").read_text()
    (table,) = re.findall(r"^\| part \| what it shows \|\n\|---\|---\|\n(.*?)\n\n", TEXT, re.MULTILINE | re.DOTALL)
    parts = [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()]
    assert [part for part in parts if part not in made] == ["Cost"]  # nobody says what a request of it weighs
    assert f"the first {MOST_ROWS} moments" in table


def test_its_picture_is_there_and_not_too_large() -> None:
    """`make screenshots` makes it again: build/screenshots/simulation.png."""
    assert 20_000 < (ROOT / "docs" / "simulation.png").stat().st_size < 200_000
