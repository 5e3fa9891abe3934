"""Tests of policies: those of a policy's own file, and those of files beside it whose names end in `.test.yaml`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from failoverd.config.diagnostics import Code, Diagnostic, Severity, in_order, shown, suggestion
from failoverd.config.documents import Document, bytes_of, read
from failoverd.config.listing import TESTS, in_folders, named_yaml
from failoverd.config.loader import Config, PolicySet, load_paths
from failoverd.config.schema.test_file import ExpectedEntry, HappeningEntry, PlayedEntry, TestEntry, TestFile, WordEntry
from failoverd.config.tree import Place
from failoverd.config.vain_tests import in_vain
from failoverd.config.validation import validate
from failoverd.core.names import starred
from failoverd.core.records import Endpoint, Policy
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
class TestedEstate:
    """The policies of one folder, which share its inventory, and those of their tests that were asked for.

    `untested` names the policies that were asked for, too, and that none of these tests is about.
    """

    __test__ = False  # for whoever collects classes by their names

    found: PolicySet
    tests: tuple[PolicyTest, ...]
    untested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestSet:
    """Folders of policies with their tests.

    `diagnostics` is all that was found wrong, the policies' own included. `config` is the daemon's that was named.
    """

    __test__ = False

    estates: tuple[TestedEstate, ...]
    diagnostics: tuple[Diagnostic, ...]
    config: Config | None = None

    @property
    def tests(self) -> tuple[PolicyTest, ...]:
        return tuple(test for estate in self.estates for test in estate.tests)


def is_test_file(path: Path) -> bool:
    return path.name.endswith(TESTS)


def load_tests(paths: Iterable[Path], kinds: Kinds, config: Config | None = None) -> TestSet:
    """Read the tests of these files and folders, each with all policies of its folder: these are at work together."""
    estates: list[TestedEstate] = []
    diagnostics: list[Diagnostic] = []
    for folder, mine in _by_folder(paths).items():
        found = load_paths([folder], kinds, config)
        tests, wrong = tests_of(mine, found)
        estates.append(TestedEstate(found, tests, tuple(_untested(found, tests, mine))))
        diagnostics += [*found.diagnostics, *wrong]
    return TestSet(tuple(estates), in_order(diagnostics), config)


def _untested(found: PolicySet, tests: Iterable[PolicyTest], paths: Collection[Path]) -> Iterator[str]:
    about = {test.policy for test in tests}
    for policy in found.policies.values():
        file = Path(policy.source.file)
        if policy.name not in about and (file in paths or file.parent in paths):
            yield policy.name


def wrong_tests(paths: Iterable[Path], kinds: Kinds, config: Config | None = None) -> tuple[Diagnostic, ...]:
    """What is wrong with the tests alone. Where there are none, nothing is read of the other policies of a folder."""
    found: list[Diagnostic] = []
    for folder, mine in _by_folder(paths).items():
        files = [file for path in mine for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        if any(_may_hold_tests(file) for file in files):
            found += tests_of(mine, load_paths([folder], kinds, config))[1]
    return tuple(found)


def _by_folder(paths: Iterable[Path]) -> Mapping[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for path in paths:
        found.setdefault(path if path.is_dir() else path.parent, []).append(path)
    return found


def _may_hold_tests(file: Path) -> bool:
    """Without understanding it: most files hold none, and there may be a thousand of them."""
    if is_test_file(file):
        return True
    raw = bytes_of(file) if file.is_file() and named_yaml(file.name) else None
    return isinstance(raw, bytes) and b"tests" in raw


def tests_of(paths: Iterable[Path], found: PolicySet) -> tuple[tuple[PolicyTest, ...], tuple[Diagnostic, ...]]:
    """The tests that these files and folders say of policies that were found, and what is wrong with them."""
    policies = {Path(policy.source.file): policy.name for policy in found.policies.values()}
    tests: list[PolicyTest] = []
    diagnostics: list[Diagnostic] = []
    for file in dict.fromkeys(each for path in paths for each in _files(path, policies)):
        of_file, wrong = _read(file, policies.get(file, ""), found)
        tests += of_file
        diagnostics += wrong
    return tuple(tests), in_folders((*diagnostics, *_twice(tests)))


def _files(path: Path, policies: Iterable[Path]) -> Iterator[Path]:
    """A file that may hold tests, or those of a folder."""
    if not path.is_dir():
        yield path
        return
    yield from (file for file in policies if file.parent == path and _may_hold_tests(file))
    yield from sorted(file for file in path.iterdir() if is_test_file(file))


def _read(file: Path, own: str, found: PolicySet) -> tuple[list[PolicyTest], list[Diagnostic]]:
    """Tests of one file. `own` is the policy that it is of, "" if it holds nothing but tests."""
    parsed = read(file)
    document = parsed.document
    if own or not is_test_file(file):
        if document is None or not own or not document.knows(("tests",)):
            return [], []  # what is wrong with a policy is said of it as a policy
        document = replace(document, data={"version": 1, "tests": document.data["tests"]})
        diagnostics = list[Diagnostic]()
    else:
        diagnostics = list(parsed.diagnostics)
    if document is None:
        return [], diagnostics
    judged = validate(TestFile, document)
    diagnostics += judged.diagnostics
    if judged.model is None or judged.diagnostics:
        return [], diagnostics
    tests = [
        PolicyTest(entry, entry.policy or own, document.file, document.mark(("tests", index, "name")).line)
        for index, entry in enumerate(judged.model.tests)
    ]
    for index, test in enumerate(tests):
        diagnostics += _JudgedTest(document, ("tests", index), test.entry, test.policy, found).wrong()
    return tests, diagnostics


def means(pattern: str, region: str, end: Endpoint) -> bool:
    """Whether `region/address`, either with `*` for any letters, is this endpoint; a region alone is all of its own."""
    of, _, address = pattern.partition("/")
    return starred(region, of) and any(starred(each, address or "*") for each in (end.address, end.text))


def probed(policy: Policy) -> list[tuple[str, Endpoint]]:
    """Everything that is probed, with the region, or the dependency, that it is."""
    ends = [(spec.name, end) for spec in policy.regions for end in spec.endpoints]
    return [*ends, *((each.name, each.endpoint) for each in policy.dependencies)]


def _twice(tests: Sequence[PolicyTest]) -> Iterator[Diagnostic]:
    first: dict[tuple[str, str], PolicyTest] = {}
    for test in tests:
        before = first.setdefault((test.policy, test.entry.name), test)
        if before is not test:
            message = f"policy {shown(test.policy)} has another test {shown(test.entry.name)}, at {before.place}"
            hint = "give it a name of its own, by which a report and --run tell it apart"
            yield Diagnostic(Code.TEST_TWICE, Severity.ERROR, test.file, test.line, 1, message, hint=hint)


# -- whether it can be played ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """Something that is named, and where; `known` is what there is."""

    at: Place
    what: str
    name: str
    known: Collection[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be played, held against the policies that it is about. What it names and is not there shows nothing.

    `policy` is the one that it is about, "" where it does not say.
    """

    document: Document
    place: Place
    entry: PlayedEntry
    policy: str
    found: PolicySet

    def wrong(self) -> Iterator[Diagnostic]:
        if self.policy not in self.found.policies:
            if self.policy not in {each.named for each in self.found.rejected.values()}:
                yield self._of_nobody()
            return
        yield from self.told()

    def told(self) -> Iterator[Diagnostic]:
        """What would show nothing."""
        for named in self.names():
            if named.name not in named.known:
                message = f"there is no {named.what} {shown(named.name)}"
                hint = suggestion(named.name, sorted(named.known))
                yield self.document.diagnose(Code.TEST_OF_NOBODY, (*self.place, *named.at), message, hint, key=True)
        yield from self._unmeasured()

    def _of_nobody(self) -> Diagnostic:
        name, place = self.policy, self.place
        if not name:
            message, hint = "it does not say which policy it is about", "give it policy: NAME"
            return self.document.diagnose(Code.TEST_OF_NOBODY, place, message, hint)
        message, hint = (
            f"there is no policy {shown(name)} in this folder",
            suggestion(name, sorted(self.found.policies)),
        )
        return self.document.diagnose(Code.TEST_OF_NOBODY, (*place, "policy"), message, hint)

    # -- what it names -------------------------------------------------------------------------------------------------

    def names(self) -> Iterator[Named]:
        yield from self._given()
        for key, at in self._moments("happens"):
            yield from self._happening(("happens", key), self.entry.happens[at])
        yield from (self._endpoint(("series", pattern), pattern) for pattern in self.entry.series)

    def _given(self) -> Iterator[Named]:
        given = self.entry.given
        yield from self._demanding(("given", "demand"), given.demand)
        every = {spec.name for policy in self.found.policies.values() for spec in policy.regions}
        for name in given.capacity:
            yield Named(("given", "capacity", name), "region", name, every)
        measured = self.entry.measured
        yield from self._demanding(("measured", "demand"), measured.demand)
        for key in ("capacity", "errors", "requests", "load", "latency"):
            for name in getattr(measured, key):
                yield Named(("measured", key, name), "region", name, every)
        for name in given.published or ():
            yield Named(("given", "published", name), "region", name, self._regions(self.policy))

    def _happening(self, at: Place, said: HappeningEntry) -> Iterator[Named]:
        yield from self._demanding((*at, "demand"), said.demand)
        for name in said.edit or ():
            yield Named((*at, "edit", name), "region", name, self._regions(self.policy))
        for pattern in said.endpoints:
            yield self._endpoint((*at, "endpoints", pattern), pattern)
        providers = {target.provider for policy in self.found.policies.values() for target in policy.targets}
        for name in said.providers:
            yield Named((*at, "providers", name), "provider", name, providers)
        for name in said.alert:
            yield Named((*at, "alert", name), "region", name, self._regions(self.policy))
        for where in _spoken_of(said.operator) if said.operator is not None else ():
            yield self._spoken((*at, "operator"), where)

    def _spoken(self, at: Place, where: str) -> Named:
        """What an operator's word is about: a region, or endpoints of one."""
        if "/" not in where:
            return Named(at, "region", where, self._regions(self.policy))
        specs = self.found.policies[self.policy].regions
        ends = [(spec.name, end) for spec in specs for end in spec.endpoints]
        there = any(means(where, name, end) for name, end in ends)
        return Named(at, "endpoint", where, {where} if there else {f"{name}/{end.text}" for name, end in ends})

    def _demanding(self, at: Place, demand: object) -> Iterator[Named]:
        for name in demand if isinstance(demand, dict) else ():
            yield Named((*at, name), "policy", name, self.found.policies)

    def _regions(self, policy: str) -> set[str]:
        return {spec.name for spec in self.found.policies[policy].regions}

    def _places(self, policy: str) -> set[str]:
        """Everything that may have a share."""
        found = self.found.policies[policy]
        named = {place.name for place in (found.shed_to, found.when_all_down_place) if place is not None}
        return {*self._regions(policy), *named}

    def _endpoint(self, at: Place, pattern: str) -> Named:
        """Endpoints of any policy, or a dependency."""
        ends = [each for policy in self.found.policies.values() for each in probed(policy)]
        there = any(means(pattern, name, end) for name, end in ends)
        return Named(at, "endpoint", pattern, {pattern} if there else {name for name, _ in ends})

    def _unmeasured(self) -> Iterator[Diagnostic]:
        """What a test lets somebody measure, and no file asks for."""
        policies, measured = self.found.policies, self.entry.measured
        policy = policies[self.policy]
        for name in measured.demands(policy.name):
            if name in policies and policies[name].measure is None:
                yield self._nobody_asks("demand", f"the demand of {name} is", "given: {demand: ...}")
        specs = [spec for each in policies.values() for spec in each.regions]
        for name in measured.capacity:
            if name in {spec.name for spec in specs if spec.measure is None}:
                yield self._nobody_asks("capacity", f"the capacity of {name} is", "given: {capacity: ...}")
        signals = policy.signals
        asked = {
            "errors": signals.errors is not None,
            "requests": signals.errors is not None,
            "load": signals.room is not None,
            "latency": policy.latency is not None,
        }
        for key, wanted in asked.items():
            if getattr(measured, key) and not wanted:
                rule = {"load": "signals.room", "latency": "latency"}.get(key, "signals.errors")
                yield self._nobody_asks(key, f"{key} of its regions is", f"{rule} in the file of {policy.name}")

    def _nobody_asks(self, key: str, what: str, remedy: str) -> Diagnostic:
        message = f"{what} measured by nobody, so this would show nothing"
        at = (*self.place, "measured", key)
        return self.document.diagnose(Code.TEST_OF_NOBODY, at, message, f"say {remedy}", key=True)

    def _moments(self, key: str) -> list[tuple[str, float]]:
        """Moments as they are written, each with what it means."""
        written = self.document.find((*self.place, key))
        return [(text, parse_duration(text)) for text in written] if isinstance(written, dict) else []


@dataclass(frozen=True, slots=True)
class _JudgedTest(Judged):
    """A test says besides what must come of it."""

    entry: TestEntry

    def told(self) -> Iterator[Diagnostic]:
        found = list(Judged.told(self))
        yield from found
        for at, message, hint in in_vain(self.entry, self.found.policies) if not found else ():
            words, place = f"{shown(self.entry.name)}: {message}", (*self.place, *at)
            yield self.document.diagnose(Code.TEST_CANNOT_FAIL, place, words, hint, severity=Severity.WARNING)

    def names(self) -> Iterator[Named]:
        yield from Judged.names(self)
        for key, at in self._moments("at"):
            said = self.entry.at[at]
            yield from self._expected(("at", key), said, self.policy)
            for other, expected in said.policies.items():
                place = ("at", key, "policies", other)
                yield Named(place, "policy", other, self.found.policies)
                if other in self.found.policies:
                    yield from self._expected(place, expected, other)
        never = self.entry.never
        for name in never.share if never is not None else ():
            yield Named(("never", "share", name), "region", name, self._places(self.policy))

    def _expected(self, at: Place, said: ExpectedEntry, policy: str) -> Iterator[Named]:
        for name in said.shares or ():
            yield Named((*at, "shares", name), "region", name, self._places(policy))
        for name in said.regions:
            yield Named((*at, "regions", name), "region", name, self._regions(policy))


def _spoken_of(word: WordEntry) -> Iterator[str]:
    yield from (name for name in (word.drain, word.shed, word.up, word.down, word.drill) if name is not None)
    yield from word.pin or ()
