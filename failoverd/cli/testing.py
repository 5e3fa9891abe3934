"""`failoverctl test`: play the tests of policies, and say what came out otherwise than they say."""

import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from failoverd.cli.failing import note, print_json, print_text, told
from failoverd.cli.options import Exit, Output, config_at_hand
from failoverd.cli.output_file import save, try_place
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import shown
from failoverd.cli.telling_tests import Played, as_json, as_junit, as_text
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import load_config
from failoverd.config.test_files import PolicyTest, TestSet, load_tests
from failoverd.core.errors import ConfigError
from failoverd.core.names import starred
from failoverd.installed import kinds
from failoverd.operations.waiting import Stage, Waiting
from failoverd.simulation.coverage import Coverage, coverage
from failoverd.simulation.trial import play, site_of
from failoverd.telemetry.phrases import counted


@dataclass(frozen=True, slots=True)
class TestsWanted:
    """What of the tests is wanted.

    Attributes:
        run: a part of the name of those to play, * for any letters; "" for all.
        junit: where a report for a CI server goes.
        fail_under: percent of each policy's parts that tests have to show at work.
    """

    run: str = ""
    junit: Path | None = None
    fail_under: float = 0.0


def play_tests(paths: Sequence[Path], config: Path, output: Output, wanted: TestsWanted, *, named: bool) -> Exit:
    """Play what these files and folders say; without any, what the configuration names, or the working directory.

    `named`: the configuration was named on the command line. Paths are judged by nothing that nobody named.
    """
    with told():
        found, about = read_asked(paths, config, named=named)
        if wanted.junit is not None:
            try_place(wanted.junit, "report")
        say_of_files(about)
        if any(each.is_error for each in about):
            return _wrong(about, wanted, output)
        chosen = [each for each in found.tests if starred(each.entry.name, f"*{wanted.run}*")]
        if not chosen:
            return _nothing(found, about, wanted, output)
        played = _play(found, chosen)
        covered = [] if wanted.run else list(_covered(found, played))
        untested = [] if wanted.run else [name for estate in found.estates for name in estate.untested]
        if wanted.junit is not None:
            save(wanted.junit, as_junit(played), "report")
        if output is Output.JSON:
            print_json(as_json(played, covered, about, untested).model_dump())
        else:
            print_text(as_text(played, covered, untested, every=wanted.fail_under > 0))
        under = list(_under(wanted, covered, untested))
        for words in under:
            note(words)
        failed = any(not each.verdict.passed for each in played)
        return Exit.FAILED if failed or under else Exit.FINE


def _under(wanted: TestsWanted, covered: Iterable[Coverage], untested: Iterable[str]) -> Iterator[str]:
    """Policies of which tests show less than is asked for: that which no test is about shows nothing."""
    if wanted.fail_under and wanted.run:
        note("with --run nothing is said of how much is tested, so --fail-under is not heeded")
        return
    asked = f"less than {wanted.fail_under:g}%"
    for each in covered:
        if each.percent < wanted.fail_under:
            yield f"{each.policy}: {each.percent:.0f}% of its parts are shown by tests, {asked}"
    for name in untested if wanted.fail_under else ():
        yield f"{name}: no test is about it, so 0% of its parts are shown by tests, {asked}"


FilesRead = tuple[TestSet, Sequence[Diagnostic]]
"""The tests, and what is to be said of their files: every error, and warnings of those that hold tests."""


def read_asked(paths: Sequence[Path], config: Path, *, named: bool) -> FilesRead:
    """Policies and tests of these files and folders; without any, of all that the configuration names."""
    return _read(paths, config if named else None) if paths else _read_everything(config, named=named)


def _read_everything(config: Path, *, named: bool) -> FilesRead:
    """What a configuration names, be it the one that lies here; without one, the files here."""
    file = config_at_hand(config, named=named)
    if file is None:
        return _read([Path()], None)
    loaded = load_config(file, kinds())
    if loaded.config is None:
        return TestSet((), loaded.diagnostics), loaded.diagnostics
    return _read([loaded.config.policies], loaded.config.file)


def _read(paths: Sequence[Path], config: Path | None) -> FilesRead:
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path} is not there", reason="no_such_file", remedy="name a policy file, or its folder")
    loaded = load_config(config, kinds()) if config is not None else None
    found = load_tests(paths, kinds(), loaded.config if loaded is not None else None)
    about = [*(loaded.diagnostics if loaded is not None else ()), *found.diagnostics]
    with_tests = {test.file for test in found.tests}
    return found, [each for each in about if each.is_error or each.file in with_tests]


def say_of_files(diagnostics: Iterable[Diagnostic]) -> None:
    for each in diagnostics:
        sys.stderr.write(shown(each.render(), lines=True) + "\n")


def _wrong(about: Sequence[Diagnostic], wanted: TestsWanted, output: Output) -> Exit:
    """Nothing is played of files that are wrong: whoever reads a report, or JSON, learns which and where."""
    if wanted.junit is not None:
        save(wanted.junit, as_junit([], [each for each in about if each.is_error]), "report")
    if output is Output.JSON:
        print_json(as_json([], [], about).model_dump())
    return Exit.FAILED


def _nothing(found: TestSet, about: Sequence[Diagnostic], wanted: TestsWanted, output: Output) -> Exit:
    if wanted.junit is not None:
        save(wanted.junit, as_junit([]), "report")
    if output is Output.JSON:
        print_json(as_json([], [], about).model_dump())
    if found.tests:
        note(f"none of {counted(len(found.tests), 'test')} has {wanted.run!r} in its name")
    else:
        note("no test is in these files: write some under tests: in a policy file, or in a file *.test.yaml beside it")
    return Exit.FAILED


def _play(found: TestSet, chosen: Collection[PolicyTest]) -> list[Played]:
    played, picked = list[Played](), {id(each) for each in chosen}
    with progress() as tell:
        for estate in found.estates:
            site = site_of(estate.found, found.config)
            for each in estate.tests:
                if id(each) in picked:
                    tell(Waiting(Stage.PLAYING, len(played), len(chosen)))
                    began = time.monotonic()
                    played.append(Played(play(each, site), time.monotonic() - began))
    return played


def _covered(found: TestSet, played: Sequence[Played]) -> Iterator[Coverage]:
    """Of each policy that a test is about, whichever test showed it."""
    for estate in found.estates:
        own = {id(each) for each in estate.tests}
        mine = [each.verdict for each in played if id(each.verdict.test) in own]
        names: dict[str, set[str]] = {}
        for verdict in mine:
            for policy, parts in verdict.shown:
                names.setdefault(policy, set()).update(parts)
        for name in sorted({verdict.test.policy for verdict in mine}):
            rules = estate.found.rules or ()
            yield coverage(estate.found.policies[name], rules, frozenset(names.get(name, ())))
