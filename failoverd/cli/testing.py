"""`failoverctl test`: play the tests of policies, and say what came out otherwise than they say."""

import fnmatch
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from failoverd.cli.failing import note, print_json, print_text, told
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress import progress
from failoverd.cli.screen import shown
from failoverd.codec import plain
from failoverd.config.loader import load_config
from failoverd.config.test_files import PolicyTest, TestSet, load_tests
from failoverd.config.values import say_duration
from failoverd.installed import kinds
from failoverd.operations.waiting import Stage, Waiting
from failoverd.simulation.coverage import Coverage, coverage
from failoverd.simulation.expectations import Difference, say_shares
from failoverd.simulation.trial import Verdict, play, site_of
from failoverd.telemetry.prose import counted


@dataclass(frozen=True, slots=True)
class Played:
    """A test, what came of it, and how long that took, in seconds."""

    verdict: Verdict
    took: float


def play_tests(
    paths: Sequence[Path],
    config: Path | None,
    output: Output,
    *,
    run: str = "",
    junit: Path | None = None,
    fail_under: float = 0.0,
) -> Exit:
    """Play what these files and folders say; `run` picks tests by their names."""
    with told():
        loaded = load_config(config, kinds()) if config is not None else None
        found = load_tests(paths or [Path()], kinds(), loaded.config if loaded is not None else None)
        wrong = [each for each in found.diagnostics if each.is_error]
        wrong += [each for each in (loaded.diagnostics if loaded is not None else ()) if each.is_error]
        for each in found.diagnostics:
            if each in wrong or each.file in {test.file for test in found.tests}:
                sys.stderr.write(shown(each.render(), lines=True) + "\n")
        if wrong:
            return Exit.FAILED
        chosen = [each for each in found.tests if not run or fnmatch.fnmatchcase(each.entry.name, f"*{run}*")]
        if not chosen:
            return _nothing(found, run, output)
        played = _play(chosen, found)
        covered = _covered(found, played) if not run else []
        if junit is not None:
            junit.write_bytes(as_junit(played))
        if output is Output.JSON:
            print_json(_as_json(played, covered))
        else:
            print_text(shown(_as_text(played, covered), lines=True))
        failed = any(not each.verdict.passed for each in played)
        under = [each for each in covered if each.percent < fail_under]
        for each in under:
            note(f"{each.policy}: {each.percent:.0f}% of its parts are shown by tests, less than {fail_under:g}%")
        return Exit.FAILED if failed or under else Exit.FINE


def _nothing(found: TestSet, run: str, output: Output) -> Exit:
    if output is Output.JSON:
        print_json(_as_json([], []))
    where = (
        f"none of {counted(len(found.tests), 'test')} is called {run!r}" if run else "there is no test in these files"
    )
    note(f"{where}; write some under tests: in a policy file, or in a file *.test.yaml beside it")
    return Exit.FAILED


def _play(chosen: Sequence[PolicyTest], found: TestSet) -> list[Played]:
    site, played = site_of(found.found), list[Played]()
    with progress() as tell:
        for number, each in enumerate(chosen):
            tell(Waiting(Stage.PLAYING, number, len(chosen)))
            began = time.monotonic()
            played.append(Played(play(each, site), time.monotonic() - began))
    return played


def _covered(found: TestSet, played: Sequence[Played]) -> list[Coverage]:
    """Of each policy that a test is about."""
    names: dict[str, set[str]] = {}
    for each in played:
        for policy, parts in each.verdict.shown:
            names.setdefault(policy, set()).update(parts)
    about = sorted({each.verdict.test.policy for each in played})
    rules = found.found.rules or ()
    return [coverage(found.found.policies[name], rules, frozenset(names.get(name, ()))) for name in about]


# -- what is told ------------------------------------------------------------------------------------------------------


def _as_text(played: Sequence[Played], covered: Sequence[Coverage]) -> str:
    lines: list[str] = []
    for each in played:
        lines += _one(each)
    failed = sum(not each.verdict.passed for each in played)
    took = sum(each.took for each in played)
    verdict = (
        f"{counted(failed, 'test')} of {len(played)} failed" if failed else f"{counted(len(played), 'test')} passed"
    )
    lines.append(f"{verdict} in {took:.1f}s")
    for found in covered:
        whole = len(found.shown) + len(found.missing)
        lines.append(f"{found.policy}: {len(found.shown)} of {counted(whole, 'part')} shown at work")
        lines += [f"  never: {part.name} ({part.place})" for part in found.missing]
    return "\n".join(lines) + "\n"


def _one(played: Played) -> list[str]:
    verdict, test = played.verdict, played.verdict.test
    if verdict.passed:
        return [f"ok    {test.policy}: {test.entry.name}"]
    lines = [f"FAIL  {test.policy}: {test.entry.name} ({test.place})"]
    if verdict.error:
        return [*lines, f"      {verdict.error}"]
    for each in verdict.differences:
        lines.append(f"      {_when(each)}{_whose(each, test)}{each.key}")
        lines += [f"        expected: {each.expected}", f"        found:    {each.found}"]
    lines += [f"      what moved{'' if verdict.changes else ': nothing'}"]
    for at, change in verdict.changes:
        moved = f"{say_shares(change.shares_from)} -> {say_shares(change.shares_to)}"
        lines.append(f"        {say_duration(at)}: {moved} ({change.cause})")
    return lines


def _when(found: Difference) -> str:
    return f"at {say_duration(found.at)}: " if found.at is not None else ""


def _whose(found: Difference, test: PolicyTest) -> str:
    return f"{found.policy}: " if found.policy != test.policy else ""


def _as_json(played: Sequence[Played], covered: Sequence[Coverage]) -> object:
    return {
        "passed": all(each.verdict.passed for each in played) and bool(played),
        "tests": [
            {
                "name": each.verdict.test.entry.name,
                "policy": each.verdict.test.policy,
                "place": each.verdict.test.place,
                "passed": each.verdict.passed,
                "error": each.verdict.error,
                "differences": [plain(found) for found in each.verdict.differences],
                "changes": [
                    {"at": at, "from": dict(change.shares_from), "to": dict(change.shares_to), "cause": change.cause}
                    for at, change in each.verdict.changes
                ],
                "took": round(each.took, 3),
            }
            for each in played
        ],
        "coverage": [
            {
                "policy": found.policy,
                "percent": round(found.percent, 1),
                "shown": [plain(part) for part in found.shown],
                "missing": [plain(part) for part in found.missing],
            }
            for found in covered
        ],
    }


def as_junit(played: Sequence[Played]) -> bytes:
    """The same as a report that CI servers read: one suite for each file."""
    suites = Element("testsuites")
    for file in dict.fromkeys(each.verdict.test.file for each in played):
        mine = [each for each in played if each.verdict.test.file == file]
        failures = sum(bool(each.verdict.differences) for each in mine)
        errors = sum(bool(each.verdict.error) for each in mine)
        suite = SubElement(
            suites, "testsuite", name=file, tests=str(len(mine)), failures=str(failures), errors=str(errors),
            time=f"{sum(each.took for each in mine):.3f}",
        )  # fmt: skip
        for each in mine:
            test = each.verdict.test
            case = SubElement(
                suite, "testcase", classname=test.policy, name=test.entry.name, file=test.file, line=str(test.line),
                time=f"{each.took:.3f}",
            )  # fmt: skip
            said = "\n".join(_one(each)[1:])
            if each.verdict.error:
                SubElement(case, "error", message=each.verdict.error).text = said
            elif each.verdict.differences:
                first = each.verdict.differences[0]
                SubElement(case, "failure", message=f"{first.key}: {first.expected}, found {first.found}").text = said
    indent(suites)
    return tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"
