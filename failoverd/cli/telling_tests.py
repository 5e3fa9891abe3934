"""What is told of tests that were played: for a person, as JSON, and as JUnit's XML for a CI server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pydantic import BaseModel

from failoverd.cli.screen import shown
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.test_files import PolicyTest
from failoverd.core.events import ChangeApplied
from failoverd.core.records import few
from failoverd.simulation.coverage import Coverage
from failoverd.simulation.expectations import Difference, say_moment, say_shares
from failoverd.simulation.trial import TrialResult
from failoverd.telemetry.phrases import counted

_NAMED = 5
"""Parts of a policy that no test shows and that are named, where nobody asked for them."""

_UNTESTED: Final = 20
"""Policies without a test that are named."""

_XML: Final = '<?xml version="1.0" encoding="utf-8"?>'


@dataclass(frozen=True, slots=True)
class Played:
    """A test, what came of it, and how long that took, in seconds."""

    verdict: TrialResult
    took: float


# -- for a person ------------------------------------------------------------------------------------------------------


def as_text(played: Sequence[Played], covered: Sequence[Coverage], untested: Sequence[str] = (), *, every: bool) -> str:
    """The headline, then what failed, then the others. `every`: each part that no test shows is named."""
    failed = [each for each in played if not each.verdict.passed]
    took = f"in {sum(each.took for each in played):.1f}s"
    headline = f"{len(failed)} of {counted(len(played), 'test')} failed {took}"
    lines = [headline if failed else f"{counted(len(played), 'test')} passed {took}"]
    for each in failed:
        lines += ["", *_failed(each.verdict)]
    passed = [each.verdict.test for each in played if each.verdict.passed]
    lines += ["", *(f"ok    {test.policy}: {test.entry.name}" for test in passed)] if passed else []
    for found in covered:
        lines += ["", *_covered(found, every=every)]
    lines += ["", f"without a test: {few(list(untested), _UNTESTED)}"] if untested else []
    return "".join(f"{shown(line)}\n" for line in lines)


def _failed(verdict: TrialResult) -> Iterator[str]:
    test = verdict.test
    yield f"FAIL  {test.policy}: {test.entry.name} ({test.place})"
    yield from (f"      {line}" for line in _apart(verdict))


def _apart(verdict: TrialResult) -> Iterator[str]:
    if verdict.error:
        yield from verdict.error.splitlines()
        return
    for each in verdict.differences:
        yield f"{_where(each, verdict.test)}{each.key}"
        yield f"  expected  {each.expected}"
        yield f"  found     {each.found}"
    yield f"what moved{'' if verdict.changes else ': nothing'}"
    for at, change in verdict.changes:
        yield f"  {say_moment(at)}: {_moved(change)}"


def _where(found: Difference, test: PolicyTest) -> str:
    when = f"at {say_moment(found.at)}: " if found.at is not None else ""
    return f"{when}{found.policy}: " if found.policy != test.policy else when


def _moved(change: ChangeApplied) -> str:
    """From and to, with the regions in one order, so that the eye finds what is different."""
    order = [
        name for name, _ in sorted(change.shares_from.items(), key=lambda item: -item[1]) if change.shares_from[name]
    ]
    return f"{say_shares(change.shares_from, order)} -> {say_shares(change.shares_to, order)} ({change.cause})"


def _covered(found: Coverage, *, every: bool) -> Iterator[str]:
    whole = len(found.shown) + len(found.missing)
    yield f"{found.policy}: {len(found.shown)} of {counted(whole, 'part')} shown at work ({found.percent:.0f}%)"
    named = found.missing if every else found.missing[:_NAMED]
    yield from (f"  not yet: {part.name} ({part.place})" for part in named)
    if len(named) < len(found.missing):
        yield f"  and {len(found.missing) - len(named)} more; --fail-under names all of them"


# -- for programs ------------------------------------------------------------------------------------------------------


class DifferenceTold(BaseModel):
    """`at_seconds` since the test began; null for what has no one moment."""

    at_seconds: float | None
    policy: str
    key: str
    expected: str
    found: str


class MoveTold(BaseModel):
    """What moved, in basis points by region."""

    at_seconds: float
    from_bp: dict[str, int]
    to_bp: dict[str, int]
    cause: str


class TrialTold(BaseModel):
    """One test. `error` says why it could not be played; "" when it was."""

    name: str
    policy: str
    file: str
    line: int
    passed: bool
    error: str
    differences: list[DifferenceTold]
    changes: list[MoveTold]
    took_seconds: float


class PartTold(BaseModel):
    """A part of a policy, and its place, `file:line`."""

    name: str
    place: str


class CoverageTold(BaseModel):
    """How much of a policy was shown at work, in percent of its parts."""

    policy: str
    percent: float
    shown: list[PartTold]
    missing: list[PartTold]


class WrongTold(BaseModel):
    """What is wrong with a file, as `failoverctl check` prints it."""

    code: str
    meaning: str
    severity: str
    file: str
    line: int
    column: int
    message: str
    excerpt: str
    hint: str


class TrialsTold(BaseModel):
    """What `failoverctl test --output json` prints. `passed`: there was a test, and none failed."""

    passed: bool
    tests: list[TrialTold]
    coverage: list[CoverageTold]
    untested: list[str]
    diagnostics: list[WrongTold]


def as_json(
    played: Sequence[Played],
    covered: Sequence[Coverage],
    about: Sequence[Diagnostic],
    untested: Sequence[str] = (),
) -> TrialsTold:
    """The same in one value, whose shape docs/testing.md tells of."""
    return TrialsTold(
        passed=bool(played) and all(each.verdict.passed for each in played),
        tests=[_test(each) for each in played],
        coverage=[
            CoverageTold(
                policy=found.policy,
                percent=round(found.percent, 1),
                shown=[PartTold(name=part.name, place=part.place) for part in found.shown],
                missing=[PartTold(name=part.name, place=part.place) for part in found.missing],
            )
            for found in covered
        ],
        untested=list(untested),
        diagnostics=[WrongTold.model_validate(each.plain()) for each in about],
    )


def _test(played: Played) -> TrialTold:
    verdict, test = played.verdict, played.verdict.test
    return TrialTold(
        name=test.entry.name,
        policy=test.policy,
        file=test.file,
        line=test.line,
        passed=verdict.passed,
        error=verdict.error,
        differences=[_difference(each) for each in verdict.differences],
        changes=[
            MoveTold(
                at_seconds=round(at, 3),
                from_bp=dict(change.shares_from),
                to_bp=dict(change.shares_to),
                cause=change.cause,
            )
            for at, change in verdict.changes
        ],
        took_seconds=round(played.took, 3),
    )


def _difference(found: Difference) -> DifferenceTold:
    return DifferenceTold(
        at_seconds=round(found.at, 3) if found.at is not None else None,
        policy=found.policy,
        key=found.key,
        expected=found.expected,
        found=found.found,
    )


def as_junit(played: Sequence[Played], wrong: Sequence[Diagnostic] = ()) -> str:
    """The same as a report that CI servers read: one suite for each file. What is `wrong` with one is a case, too."""
    suites = Element("testsuites")
    for file in dict.fromkeys(each.file for each in wrong):
        of_file = [each for each in wrong if each.file == file]
        _suite(suites, file, cases=len(of_file), errors=len(of_file))
        for found in of_file:
            _wrong_case(suites[-1], found)
    for file in dict.fromkeys(each.verdict.test.file for each in played):
        mine = [each for each in played if each.verdict.test.file == file]
        failures = sum(bool(each.verdict.differences) for each in mine)
        errors = sum(bool(each.verdict.error) for each in mine)
        _suite(suites, file, len(mine), errors, failures, sum(each.took for each in mine))
        for each in mine:
            _case(suites[-1], each)
    indent(suites)
    return f"{_XML}\n{tostring(suites, encoding='unicode')}\n"


def _suite(suites: Element, file: str, cases: int, errors: int, failures: int = 0, took: float = 0.0) -> None:
    numbers = {"tests": str(cases), "failures": str(failures), "errors": str(errors), "skipped": "0"}
    SubElement(suites, "testsuite", {"name": _in_xml(file), **numbers, "time": f"{took:.3f}"})


def _wrong_case(suite: Element, found: Diagnostic) -> None:
    said = {"classname": found.file, "name": f"{found.code}: {found.message}", "file": found.file}
    said = {key: _in_xml(text) for key, text in said.items()}
    case = SubElement(suite, "testcase", {**said, "line": str(found.line), "time": "0.000"})
    error = SubElement(case, "error", {"message": _in_xml(str(found)), "type": "error"})
    error.text = _in_xml(found.render())


def _case(suite: Element, played: Played) -> None:
    verdict, test = played.verdict, played.verdict.test
    said = {"classname": test.policy, "name": test.entry.name, "file": test.file, "line": str(test.line)}
    case = SubElement(
        suite, "testcase", {**{key: _in_xml(text) for key, text in said.items()}, "time": f"{played.took:.3f}"}
    )
    if verdict.passed:
        return
    first = next(iter(verdict.differences), None)
    message = f"{first.key}: expected {first.expected}, found {first.found}" if first is not None else verdict.error
    kind = {"message": _in_xml(message), "type": "failure" if first is not None else "error"}
    SubElement(case, kind["type"], kind).text = _in_xml("\n".join(_apart(verdict)))


def _in_xml(text: str) -> str:
    """Without what XML 1.0 cannot say."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
