"""Tests of policies: those of a policy's own file, and those of files beside it whose names end in `.test.yaml`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from failoverd.config.diagnostics import Code, Diagnostic, Severity, in_order, shown, suggestion
from failoverd.config.documents import Document, read
from failoverd.config.files import TESTS
from failoverd.config.loader import Config, PolicySet, load_paths
from failoverd.config.schema.policy_file import PolicyFile
from failoverd.config.schema.test_file import ExpectedEntry, TestEntry, TestFile
from failoverd.config.tree import Place
from failoverd.config.validation import validate
from failoverd.core.records import Policy
from failoverd.ports import Kinds
from failoverd.settings import parse_duration


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test: what it says, of which policy, and where it is written."""

    entry: TestEntry
    policy: str
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class TestSet:
    """Policies with their tests. `diagnostics` is everything that was found wrong, the policies' own included."""

    __test__ = False  # for whoever collects classes by their names

    found: PolicySet
    tests: tuple[PolicyTest, ...]
    diagnostics: tuple[Diagnostic, ...]


def is_test_file(path: Path) -> bool:
    return path.name.endswith(TESTS)


def load_tests(paths: Sequence[Path], kinds: Kinds, config: Config | None = None) -> TestSet:
    """Read policies and tests of these files and folders.

    A file of policies brings its own tests; a folder those of all its files. A file of tests alone brings the policies
    of its folder.
    """
    test_files = dict.fromkeys(
        each for path in paths for each in (sorted(path.iterdir()) if path.is_dir() else [path]) if is_test_file(each)
    )
    alone = [path.parent for path in paths if is_test_file(path)]
    found = load_paths(
        list(dict.fromkeys([*(path for path in paths if not is_test_file(path)), *alone])), kinds, config
    )
    tests: list[PolicyTest] = []
    diagnostics: list[Diagnostic] = []
    own = {Path(policy.source.file): policy for policy in found.policies.values()}
    for file, policy in own.items():
        if any(file == path or (path.is_dir() and file.parent == path) for path in paths):
            document = read(file).document
            if document is not None and document.knows(("tests",)):
                said = validate(PolicyFile, document).model
                tests += _of(document, said.tests if said is not None else (), policy.name)
                diagnostics += _wrong(document, said.tests if said is not None else (), found.policies, policy.name)
    for path in test_files:
        parsed = read(path)
        diagnostics += parsed.diagnostics
        if parsed.document is not None:
            judged = validate(TestFile, parsed.document)
            diagnostics += judged.diagnostics
            if judged.model is not None and not judged.diagnostics:
                tests += _of(parsed.document, judged.model.tests, "")
                diagnostics += _wrong(parsed.document, judged.model.tests, found.policies, "")
    return TestSet(found, tuple(tests), in_order((*found.diagnostics, *diagnostics)))


def _of(document: Document, entries: Iterable[TestEntry], policy: str) -> Iterator[PolicyTest]:
    for index, entry in enumerate(entries):
        line = document.mark(("tests", index, "name")).line
        yield PolicyTest(entry, entry.policy or policy, document.file, line)


# -- whether it can be played ------------------------------------------------------------------------------------------


def _wrong(
    document: Document, entries: Iterable[TestEntry], policies: Mapping[str, Policy], own: str
) -> Iterator[Diagnostic]:
    for index, entry in enumerate(entries):
        place: Place = ("tests", index)
        name = entry.policy or own
        if name not in policies:
            message = f"there is no policy {shown(name)}" if name else "it does not say which policy it is about"
            hint = suggestion(name, sorted(policies)) if name else "give it policy: NAME"
            yield document.diagnose(Code.TEST_OF_NOBODY, (*place, "policy") if entry.policy else place, message, hint)
            continue
        yield from _names(document, place, entry, policies[name], policies)
        if not entry.can_fail:
            message, hint = f"{shown(entry.name)} cannot fail: it expects nothing", "say what must be so: at, or never"
            yield document.diagnose(Code.TEST_CANNOT_FAIL, (*place, "name"), message, hint, severity=Severity.WARNING)


def _names(
    document: Document, place: Place, entry: TestEntry, policy: Policy, policies: Mapping[str, Policy]
) -> Iterator[Diagnostic]:
    """What it names that is not there: then it would show nothing."""
    regions = [spec.name for spec in policy.regions]
    everywhere = [
        (spec.name, end.address) for each in policies.values() for spec in each.regions for end in spec.endpoints
    ]

    def unknown(at: Place, what: str, name: str, known: Sequence[str]) -> Diagnostic:
        hint = suggestion(name, sorted(known))
        return document.diagnose(
            Code.TEST_OF_NOBODY, (*place, *at), f"there is no {what} {shown(name)}", hint, key=True
        )

    for pattern in entry.series:
        region, _, address = pattern.partition("/")
        if not any(fnmatchcase(a, region) and fnmatchcase(b, address or "*") for a, b in everywhere):
            yield unknown(("series", pattern), "endpoint", pattern, sorted({a for a, _ in everywhere}))
    places = {place.name for place in (policy.shed_to, policy.when_all_down_place) if place is not None}
    for key, _ in _written(document, (*place, "at")):
        said = entry.at[parse_duration(key)]
        for name in _regions_named(said):
            if name not in {*regions, *places}:
                yield unknown(("at", key), "region", name, regions)
        for other, expected in said.policies.items():
            if other not in policies:
                yield unknown(("at", key, "policies", other), "policy", other, list(policies))
                continue
            theirs = {spec.name for spec in policies[other].regions}
            for name in _regions_named(expected):
                if name not in theirs:
                    yield unknown(("at", key, "policies", other), "region", name, sorted(theirs))
    providers = sorted({target.provider for each in policies.values() for target in each.targets})
    for key, _ in _written(document, (*place, "happens")):
        for name in entry.happens[parse_duration(key)].providers:
            if name not in providers:
                yield unknown(("happens", key, "providers", name), "provider", name, providers)
    for name in entry.never.share if entry.never is not None else ():
        if name not in {*regions, *places}:
            yield unknown(("never", "share", name), "region", name, regions)


def _regions_named(said: ExpectedEntry) -> set[str]:
    return {*(said.shares or {}), *said.regions}


def _written(document: Document, place: Place) -> list[tuple[str, object]]:
    found = document.find(place) if document.knows(place) else None
    return list(found.items()) if isinstance(found, dict) else []
