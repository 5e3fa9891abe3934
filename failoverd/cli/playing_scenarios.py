"""`failoverctl simulate`: play a scenario against policies, as they are and as they might be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failoverd.cli.course_page.whole_page import page
from failoverd.cli.failing import note, print_json, print_text, told, unknown
from failoverd.cli.options import Exit, Output
from failoverd.cli.output_file import save, try_place
from failoverd.cli.progress_line import progress
from failoverd.cli.telling_courses import as_json, as_text
from failoverd.cli.testing import say_of_files
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import Config, load_config
from failoverd.config.scenario_files import PolicyScenario, is_scenario_file, load_scenario, scenarios_in
from failoverd.config.variants import KeyEdit, edited
from failoverd.core.errors import ConfigError
from failoverd.foreign import shown
from failoverd.installed import kinds
from failoverd.operations.waiting import Stage, Waiting
from failoverd.simulation.course import Course
from failoverd.simulation.simulating import simulate
from failoverd.simulation.trial import site_of

_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class ScenarioWanted:
    """What is to be played. `edits` are those of the other variant; `policy` is the only one that is told of.

    `html` is where it is written as a page, too.
    """

    path: Path
    config: Path | None = None
    edits: tuple[str, ...] = ()
    policy: str = ""
    html: Path | None = None


def play_scenario(wanted: ScenarioWanted, output: Output) -> Exit:
    """Play it, and show what came of it; with edits twice, side by side."""
    with told():
        config = _config(wanted.config)
        edits = [KeyEdit.of(text) for text in wanted.edits]
        scenario, about = _read(wanted.path, config)
        variant = None
        if scenario is not None and edits:
            texts = edited(edits, scenario.found.policies, scenario.policy)
            variant, more = _read(wanted.path, config, texts)
            about = [*about, *(each for each in more if each not in about)]
        say_of_files(about)
        if scenario is not None and edits and variant is None:
            note(f"this is said of the files as --what-if changes them: {', '.join(edit.text for edit in edits)}")
        if scenario is None or (edits and variant is None):
            if output is Output.JSON:
                print_json(as_json([], about).model_dump())
            return Exit.FAILED
        if wanted.policy and wanted.policy not in scenario.found.policies:
            raise unknown("policy", wanted.policy, scenario.found.policies)
        if wanted.html is not None:
            try_place(wanted.html, "page")
        courses = _play([scenario, *([variant] if variant is not None else [])], config)
        said = ", ".join(edit.text for edit in edits)
        try:
            if wanted.html is not None:
                save(wanted.html, page(courses, said, wanted.policy), "page")
                note(f"the page is in {wanted.html}")
        finally:  # one of the two may fail: the other is what came of it all the same
            _show(courses, about, said, wanted.policy, output)
        return Exit.FINE


def _show(courses: Sequence[Course], about: Sequence[Diagnostic], said: str, policy: str, output: Output) -> None:
    if output is Output.JSON:
        print_json(as_json(courses, about, said).model_dump())
    else:
        print_text(as_text(courses, said, policy))


def _config(path: Path | None) -> Config | None:
    if path is None:
        return None
    loaded = load_config(path, kinds())
    say_of_files(loaded.diagnostics)
    if loaded.config is None:
        raise ConfigError(f"{path} does not load", reason="config_unsound", remedy=f"failoverctl check -c {path}")
    return loaded.config


def _read(
    path: Path, config: Config | None, instead: dict[Path, bytes] | None = None
) -> tuple[PolicyScenario | None, list[Diagnostic]]:
    """The scenario, and what is to be said of files: every error, and warnings of its own file alone."""
    named = shown(str(path))
    if path.is_dir():
        raise ConfigError(f"{named} is a folder, of scenarios", reason="no_scenario", remedy=_listed(path))
    if not path.exists():
        raise ConfigError(f"{named} is not there", reason="no_such_file", remedy=_listed(path.parent))
    if not is_scenario_file(path):
        words = f"{named} is no scenario: the name of one ends in .scenario.yaml"
        raise ConfigError(words, reason="no_scenario", remedy=_listed(path.parent))
    read = load_scenario(path, kinds(), config, instead)
    return read.scenario, [each for each in read.diagnostics if each.is_error or each.file == str(path)]


def _listed(folder: Path) -> str:
    """Which scenarios there are."""
    found = scenarios_in(folder)
    lines = [f"{shown(str(file))}{f': {shown(shows)}' if shows else ''}" for file, shows in found]
    return "\n  ".join(("name one of these:", *lines)) if lines else "name a file that ends in .scenario.yaml"


def _play(scenarios: Sequence[PolicyScenario], config: Config | None) -> list[Course]:
    played = list[Course]()
    whole = sum(each.entry.for_ for each in scenarios)
    with progress() as tell:
        for each in scenarios:
            before = sum(course.lasted for course in played)

            def far(done: float, before: float = before) -> None:
                tell(Waiting(Stage.SIMULATING, int(before + done) // _MINUTE, int(whole) // _MINUTE))

            far(0.0)
            played.append(simulate(each, site_of(each.found, config), far))
    return played
