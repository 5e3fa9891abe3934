"""Scenarios: files whose names end in `.scenario.yaml`, beside the policies that they are about, or a folder below."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failoverd.config.diagnostics import Code, Diagnostic
from failoverd.config.documents import Document, read
from failoverd.config.listing import SCENARIOS, in_folders, leads_out, named_yaml
from failoverd.config.loader import Config, PolicySet, load_paths
from failoverd.config.schema.scenario_file import ScenarioFile
from failoverd.config.test_files import Judged
from failoverd.config.validation import validate
from failoverd.config.values import say_duration
from failoverd.ports import Kinds

MOST_PROBES: Final = 20_000_000
"""Of one scenario: a day of 2,000 endpoints, each probed every ten seconds, takes some minutes."""


@dataclass(frozen=True, slots=True)
class PolicyScenario:
    """A scenario, and the policies that it is about. `policy` is the one that is meant where it names none."""

    entry: ScenarioFile
    policy: str
    file: str
    found: PolicySet


@dataclass(frozen=True, slots=True)
class ScenarioRead:
    """`scenario` is None when something is wrong with its file, or with the policies."""

    scenario: PolicyScenario | None
    diagnostics: tuple[Diagnostic, ...]


def is_scenario_file(path: Path) -> bool:
    return path.name.endswith(SCENARIOS)


def holds_scenarios(path: Path) -> bool:
    """Whether it is a scenario, or a folder of scenarios in which no policy is."""
    if not path.is_dir():
        return is_scenario_file(path)
    names = [each.name for each in path.iterdir()]
    return any(name.endswith(SCENARIOS) for name in names) and not any(map(named_yaml, names))


def home_of(path: Path) -> Path:
    """The folder of the policies that a scenario is about: its own, or, where that holds none, the one above it."""
    folder = path.parent
    try:
        own = any(named_yaml(each.name) for each in folder.iterdir())
    except OSError:
        own = True  # whoever reads it says what is wrong
    if own:
        return folder
    return folder.parent if folder.name not in {"", ".."} else folder / ".."


def load_scenario(
    path: Path, kinds: Kinds, config: Config | None = None, instead: Mapping[Path, bytes] | None = None
) -> ScenarioRead:
    """Read a scenario and its policies. `instead` is what is taken to stand in some of their files."""
    found = load_paths([home_of(path)], kinds, config, instead)
    parsed = read(path)
    if parsed.document is None:
        return ScenarioRead(None, in_folders((*found.diagnostics, *parsed.diagnostics)))
    judged = validate(ScenarioFile, parsed.document)
    wrong = [*parsed.diagnostics, *judged.diagnostics]
    if judged.model is None or wrong:
        return ScenarioRead(None, in_folders((*found.diagnostics, *wrong)))
    only = next(iter(found.policies)) if len(found.policies) == 1 else ""
    scenario = PolicyScenario(judged.model, judged.model.policy or only, str(path), found)
    wrong += Judged(parsed.document, (), scenario.entry, scenario.policy, found).wrong()
    wrong += _too_large(scenario, parsed.document)
    everything = in_folders((*found.diagnostics, *wrong))
    unsound = any(each.is_error for each in everything)
    return ScenarioRead(None if unsound else scenario, everything)


def wrong_scenarios(paths: Iterable[Path], kinds: Kinds, config: Config | None = None) -> tuple[Diagnostic, ...]:
    """What is wrong with the scenarios alone, of these files and folders."""
    files = [each for path in paths for each in (sorted(path.iterdir()) if path.is_dir() else [path])]
    read = [(file, load_scenario(file, kinds, config)) for file in files if is_scenario_file(file)]
    return in_folders(each for file, found in read for each in found.diagnostics if each.file == str(file))


def _too_large(scenario: PolicyScenario, document: Document) -> Iterator[Diagnostic]:
    policies, lasts = scenario.found.policies.values(), scenario.entry.for_
    every_second = sum(1 / check.every for policy in policies for _, check in policy.probes())
    if every_second * lasts <= MOST_PROBES:
        return
    message = (
        f"{say_duration(lasts)} of these policies are {every_second * lasts:,.0f} probes, more than {MOST_PROBES:,}"
    )
    hint = f"write for: {say_duration(int(MOST_PROBES / every_second))} at most, or take fewer policies into the folder"
    yield document.diagnose(Code.SCENARIO_TOO_LARGE, ("for",), message, hint)


def scenarios_in(folder: Path) -> list[tuple[Path, str]]:
    """The scenarios of a folder, each with what is to be seen in it. Nothing is said of those that are wrong."""
    try:
        files = sorted(each for each in folder.iterdir() if is_scenario_file(each))
    except OSError:
        return []
    return [(file, _shows(file)) for file in files]


def _shows(file: Path) -> str:
    document = None if leads_out(file) else read(file).document
    said = document.find(("shows",)) if document is not None else None
    return said if isinstance(said, str) else ""
