"""What a test says that must be so, held against what is seen: each difference with what was expected and found."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.config.schema.test_file import ExpectedEntry, MomentEntry, NeverEntry
from failoverd.config.values import say_duration, say_percent
from failoverd.core.records import Policy, RecordSet
from failoverd.simulation.rehearsal import Rehearsal, Sight
from failoverd.simulation.zonefile import Write

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was said.

    Attributes:
        at: seconds since the test began; None for what must never be so and has no one moment.
        policy: of which.
        key: the key of the test that says so, such as `shares`.
        expected: in words.
        found: in words.
    """

    at: float | None
    policy: str
    key: str
    expected: str
    found: str


def compare(moment: MomentEntry, rehearsal: Rehearsal, policy: str) -> Iterator[Difference]:
    """What is not as the test says it is at this moment."""
    yield from _compare(moment, rehearsal.look(policy))
    for name, said in moment.policies.items():
        yield from _compare(said, rehearsal.look(name))


def _compare(said: ExpectedEntry, seen: Sight) -> Iterator[Difference]:
    def differs(key: str, expected: str, found: str) -> Difference:
        return Difference(round(seen.at, 3), seen.policy.name, key, expected, found)

    status = seen.status
    if said.shares is not None and not _alike(said.shares, seen.shares):
        yield differs("shares", say_shares(said.shares), say_shares(seen.shares))
    if said.reasons:
        codes = {reason.code for reason in status.reasons} if status is not None else set()
        missing = [code.value for code in said.reasons if code not in codes]
        if missing:
            there = ", ".join(sorted(code.value for code in codes)) or "none"
            yield differs("reasons", ", ".join(missing), there)
    if said.cause is not None:
        last = seen.changes[-1].cause.value if seen.changes else "nothing moved"
        if last != said.cause.value:
            yield differs("cause", said.cause.value, last)
    if said.changes is not None and said.changes != len(seen.changes):
        yield differs("changes", str(said.changes), str(len(seen.changes)))
    if said.holds is not None:
        held = {check.limit.value for check in status.checks if check.holds_back} if status is not None else set[str]()
        wanted = {limit.value for limit in said.holds}
        if (wanted and not wanted <= held) or (not wanted and held):
            yield differs("holds", ", ".join(sorted(wanted)) or "none", ", ".join(sorted(held)) or "none")
    if said.state is not None and (status is None or status.state is not said.state):
        yield differs("state", said.state.value, status.state.value if status is not None else "not read yet")
    for name, state in said.regions.items():
        found = seen.regions.get(name)
        if found is not state:
            yield differs(f"regions.{name}", state.value, found.value if found is not None else "no such region")
    if said.until is not None and (seen.until is None or abs(seen.until - said.until) >= 1.0):
        at = say_duration(round(seen.until)) if seen.until is not None else "never by itself"
        yield differs("until", say_duration(round(said.until)), at)


def _alike(said: Mapping[str, int], found: Mapping[str, int]) -> bool:
    """Whether these shares are the same, as exactly as they are said: 33 is 33.33, and 33.3 is not 33.38."""
    return all(abs(said.get(name, 0) - found.get(name, 0)) <= _precision(said.get(name, 0)) for name in {*said, *found})


def _precision(points: int) -> float:
    return 50 if points % 100 == 0 and points else 5 if points % 10 == 0 and points else 0.5


def say_shares(shares: Mapping[str, int]) -> str:
    """`azure-weu 70, oci-fra 30`, the greatest first; what gets nothing is left out."""
    given = sorted(((name, share) for name, share in shares.items() if share), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {share / 100:g}" for name, share in given) or "nothing"


# -- what is never so --------------------------------------------------------------------------------------------------


def never_so(never: NeverEntry, rehearsal: Rehearsal, policy: str) -> Iterator[Difference]:
    """What was so after some change, and must not be: each thing once, where it was first."""
    told = set[str]()
    for write in rehearsal.writes:
        for found in _wrong_with(never, write, rehearsal, policy):
            if found.key not in told:
                told.add(found.key)
                yield found
    if never.changes is not None:
        changes = len(rehearsal.changes(policy))
        if holds(never.changes, changes):
            yield Difference(None, policy, "never.changes", f"never {never.changes}", str(changes))


def _wrong_with(never: NeverEntry, write: Write, rehearsal: Rehearsal, policy: str) -> Iterator[Difference]:
    found = rehearsal.site.policies[write.target.policy]
    shares = write.records.shares(found.region_of(write.target.key.type))
    at = round(write.at - rehearsal.began, 3)

    def wrong(key: str, expected: str, what: str) -> Difference:
        return Difference(at, found.name, f"never.{key}", expected, what)

    if never.empty and not write.records.serving:
        yield wrong("empty", "an answer", "none")
    if found.name == policy:
        for name, comparison in never.share.items():
            if holds(comparison, shares.get(name, 0) / 100):
                yield wrong(f"share.{name}", f"never {comparison}", say_percent(shares.get(name, 0)))
    if never.leaves_residency and (outside := sorted(_outside(found, write.records))):
        yield wrong("leaves_residency", f"within {', '.join(found.residency)}", ", ".join(outside))
    if never.over_capacity:
        for name, load, room in overloaded(rehearsal):
            yield wrong("over_capacity", f"{name}: at most {room:g}", f"{load:g}")


def _outside(policy: Policy, records: RecordSet) -> set[str]:
    if not policy.residency:
        return set()
    inside = {
        value
        for spec in policy.regions
        if spec.jurisdiction in policy.residency
        for end in spec.endpoints
        if (value := end.answer(records.key.type)) is not None
    }
    return {answer.value for answer in records.serving} - inside


def overloaded(rehearsal: Rehearsal) -> Iterator[tuple[str, float, float]]:
    """Each region that is sent more than it can carry now: its name, its load over all policies, its capacity."""
    loads: dict[str, float] = {}
    rooms: dict[str, float] = {}
    for name, policy in rehearsal.site.policies.items():
        for region, share in rehearsal.shares(name).items():
            loads[region] = loads.get(region, 0.0) + (policy.demand or 0.0) * share / 10_000
        rooms |= {spec.name: spec.capacity for spec in policy.regions if spec.capacity is not None}
    for region in sorted(rooms):
        if loads.get(region, 0.0) > rooms[region] * 1.001:  # shares are whole basis points
            yield region, loads[region], rooms[region]


def holds(comparison: str, number: float) -> bool:
    """Whether `> 40` is so of a number."""
    sign = comparison.rstrip("0123456789. ")
    return _COMPARE[sign](number, float(comparison[len(sign) :]))
