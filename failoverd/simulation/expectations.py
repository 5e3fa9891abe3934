"""What a test says that must be so, held against what is seen: each difference with what was expected and found."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.config.schema.test_file import ExpectedEntry, MomentEntry, NeverEntry, SaidShare
from failoverd.config.values import say_duration, say_percent
from failoverd.core.records import Policy, RecordSet
from failoverd.simulation.crowding import Crowded
from failoverd.simulation.rehearsal import Picture, Rehearsal
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


def compare(at: float, moment: MomentEntry, rehearsal: Rehearsal, policy: str) -> Iterator[Difference]:
    """What is not as the test says it is at this moment, seconds since the test began."""
    for name, said in {policy: moment, **moment.policies}.items():
        seen = rehearsal.look(name)
        for look in _LOOKS:
            for key, expected, found in look(said, seen):
                yield Difference(at, name, key, expected, found)


Apart = tuple[str, str, str]
"""A key, what was expected of it, and what was found."""


def _shares(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    if said.shares is None:
        return
    nothing = SaidShare(0, 0.0)
    if not all(said.shares.get(name, nothing).is_so(seen.shares.get(name, 0)) for name in {*said.shares, *seen.shares}):
        order = sorted(said.shares, key=lambda name: -said.shares[name].points if said.shares else 0)
        expected = ", ".join(f"{name} {said.shares[name]}" for name in order) or "nothing"
        yield "shares", expected, say_shares(seen.shares, order)


def _reasons(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    codes = {reason.code for reason in seen.status.reasons} if seen.status is not None else set()
    missing = [code.value for code in said.reasons if code not in codes]
    if missing:
        yield "reasons", ", ".join(missing), _listed(code.value for code in codes)


def _changes(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    last = seen.changes[-1].cause.value if seen.changes else "nothing moved"
    if said.cause is not None and last != said.cause.value:
        yield "cause", said.cause.value, last
    if said.changes is not None and said.changes != len(seen.changes):
        yield "changes", str(said.changes), str(len(seen.changes))


def _holds(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    if said.holds is None:
        return
    held = {check.limit.value for check in seen.status.checks if check.holds_back} if seen.status is not None else set()
    wanted = {limit.value for limit in said.holds}
    if not wanted <= held or (held and not wanted):
        yield "holds", _listed(wanted), _listed(held)


def _state(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    found = seen.status.state.value if seen.status is not None else "not read yet"
    if said.state is not None and found != said.state.value:
        yield "state", said.state.value, found


def _regions(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    for name, state in said.regions.items():
        found = seen.regions.get(name)
        if found is not state:
            yield f"regions.{name}", state.value, found.value if found is not None else "not probed"


def _until(said: ExpectedEntry, seen: Picture) -> Iterator[Apart]:
    if said.until is not None and (seen.until is None or abs(seen.until - said.until) >= 1.0):
        yield "until", say_moment(said.until), say_moment(seen.until) if seen.until is not None else "never by itself"


_LOOKS: Final = (_shares, _reasons, _changes, _holds, _state, _regions, _until)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def say_shares(shares: Mapping[str, int], order: Iterable[str] = ()) -> str:
    """`azure-weu 70, oci-fra 30`: those of the `order`, then the greatest; others that get nothing are left out."""
    named = list(order)
    others = sorted((name for name in shares if shares[name] and name not in named), key=lambda name: -shares[name])
    return ", ".join(f"{name} {shares.get(name, 0) / 100:g}" for name in (*named, *others)) or "nothing"


def say_moment(seconds: float) -> str:
    """As people say it: 14.6s, 5m53.6s, 25s."""
    tenths = round(seconds * 10)
    whole, rest = divmod(tenths, 10)
    if not rest:
        return say_duration(whole)
    minutes, left = divmod(whole, 60)
    return f"{say_duration(minutes * 60) if minutes else ''}{left}.{rest}s"


# -- what is never so --------------------------------------------------------------------------------------------------


def never_so(
    never: NeverEntry, rehearsal: Rehearsal, policy: str, overloads: Iterable[Crowded]
) -> Iterator[Difference]:
    """What was so after some change, and must not be: each thing once, where it was first.

    `overloads` are what `crowding.crowded` found meanwhile.
    """
    found = [each for write in rehearsal.writes for each in _wrong_with(never, write, rehearsal, policy)]
    if never.over_capacity:
        found += [_too_much(each) for each in overloads]
    first: dict[tuple[str, str], Difference] = {}
    for each in found:
        first.setdefault((each.policy, each.key), each)
    yield from first.values()
    changes = len(rehearsal.changes(policy))
    if never.changes is not None and holds(never.changes, changes):
        yield Difference(None, policy, "never.changes", f"never {never.changes}", str(changes))


def _too_much(found: Crowded) -> Difference:
    room = f"{found.region} is sent at most {found.room:g} while {found.elsewhere} has room for {found.left:g} more"
    return Difference(found.at, found.policy, f"never.over_capacity.{found.region}", room, f"{found.load:g}")


def _wrong_with(never: NeverEntry, write: Write, rehearsal: Rehearsal, policy: str) -> Iterator[Difference]:
    found = rehearsal.site.policies[write.target.policy]
    shares = write.records.shares(found.region_of(write.target.key.type))
    at = write.at - rehearsal.began

    def wrong(key: str, expected: str, what: str) -> Difference:
        return Difference(at, found.name, f"never.{key}", expected, what)

    if never.empty and not write.records.serving:
        yield wrong("empty", "an answer", "none")
    for name, comparison in never.share.items() if found.name == policy else ():
        if holds(comparison, shares.get(name, 0) / 100):
            yield wrong(f"share.{name}", f"never {comparison}", say_percent(shares.get(name, 0)))
    if never.leaves_residency and (outside := sorted(_outside(found, write.records))):
        yield wrong("leaves_residency", f"within {', '.join(found.residency)}", ", ".join(outside))


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


def holds(comparison: str, number: float) -> bool:
    """Whether `> 40` is so of a number."""
    sign = comparison.rstrip("0123456789. ")
    return _COMPARE[sign](number, float(comparison[len(sign) :]))
