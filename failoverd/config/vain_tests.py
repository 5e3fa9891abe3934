"""What a test says in vain: it cannot fail, or a part of it cannot. Each with its place in the test, and the remedy."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Final

from failoverd.config.schema.test_file import GivenEntry, Letters, NeverEntry, TestEntry
from failoverd.config.tree import Place
from failoverd.core.records import Policy

Vain = tuple[Place, str, str]
"""Where, what, and what to do instead."""

_MOST_SHARE: Final = 100.0


def in_vain(entry: TestEntry, policies: Mapping[str, Policy]) -> Iterator[Vain]:
    """What of a test of one of these policies can never be otherwise than it says."""
    never = entry.never or NeverEntry()
    impossible = list(_never(never, entry, policies))
    yield from impossible
    said = sum((len(never.share), never.empty, never.leaves_residency, never.over_capacity, never.changes is not None))
    if said > len(impossible):
        return
    if entry.expects:
        yield from _too_early(entry)
    elif not said:
        yield ("name",), "it cannot fail: it expects nothing", "say what must be so: at, or never"


def _never(never: NeverEntry, entry: TestEntry, policies: Mapping[str, Policy]) -> Iterator[Vain]:
    for name, comparison in never.share.items():
        if not _possible(comparison, _MOST_SHARE):
            yield ("never", "share", name), f"no share is {comparison}, so this cannot fail", "say less: '> 40'"
    if never.changes is not None and not _possible(never.changes, inf):
        yield ("never", "changes"), f"no number is {never.changes}, so this cannot fail", "say more: '> 4'"
    if never.leaves_residency and not any(policy.residency for policy in policies.values()):
        words = "no policy here has a residency that it could leave, so this cannot fail"
        yield ("never", "leaves_residency"), words, "say residency: {allow: [...]} in the file of the policy"
    if never.over_capacity and not _counted(entry, policies):
        words = "nobody says what policies need and regions can carry, so this cannot fail"
        yield ("never", "over_capacity"), words, "say given: {demand: ..., capacity: {...}}"


def _possible(comparison: str, most: float) -> bool:
    """Whether a number from 0 to `most` may be so."""
    sign = comparison.rstrip("0123456789. ")
    number = float(comparison[len(sign) :])
    return {">": number < most, ">=": number <= most, "<": number > 0, "<=": True}[sign]


def _counted(entry: TestEntry, policies: Mapping[str, Policy]) -> bool:
    """Whether a region can have too much: some demand is known, and what some region can carry."""
    demand = entry.given.demand or any(each.demand is not None for each in entry.happens.values())
    needed = demand or any(policy.demand is not None for policy in policies.values())
    specs = (spec for policy in policies.values() for spec in policy.regions)
    return bool(needed) and bool(entry.given.capacity or any(spec.capacity is not None for spec in specs))


def _too_early(entry: TestEntry) -> Iterator[Vain]:
    """Expectations of nothing but the time before anything happens."""
    begins, last = _begins(entry), max(entry.at)
    if begins == inf:
        words = "nothing happens in it, so it shows no more than a good day"
        yield ("name",), words, "say what happens: series, happens, measured, or how it begins: given"
    elif last < begins:
        words = f"all that it expects is of the time before anything happens, {begins:g}s after it began"
        yield ("at",), words, "look at a later moment"


def _begins(entry: TestEntry) -> float:
    """Seconds after which something happens first; infinite if nothing does."""
    if entry.given.model_copy(update={"demand": None}) != GivenEntry():
        return 0.0
    moments = [*entry.happens, *(_first_ill(letters) * entry.interval for letters in entry.series.values())]
    curves = [*entry.demand_curves, *entry.measured.every]
    moments += [(curve[0][1] if len(curve) > 1 else 0.0) * entry.interval for curve in curves]
    return min(moments, default=inf)


def _first_ill(letters: Letters) -> float:
    """For how many moments an endpoint does nothing but pass."""
    passed = 0
    for letter, moments in letters:
        if letter != "P":
            return passed
        passed += moments
    return inf
