"""What a change of files does: to what policies say, to a good day, to each loss of a region, and to who is harmed.

Policies that say the same, beside neighbours and under rules that do, are not played: they come to the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from failoverd.core.records import Policy, Target
from failoverd.operations.policy_changes import (
    Alarm,
    AlarmKind,
    PolicyFiles,
    SettingChange,
    alarming,
    alike,
    rules_alike,
    settings_changed,
)
from failoverd.simulation.outlook import GOOD_DAY, Outlook, Stands, number_of_plays, outlook
from failoverd.simulation.promises import SAYS
from failoverd.simulation.situations import together
from failoverd.telemetry.phrases import amount, percent

_MORE: Final = 0.01
"""Of a region's room: less than that is no other overload."""


@dataclass(frozen=True, slots=True)
class ShareChange:
    """What stands otherwise. `lost`: what is down, `GOOD_DAY` for nothing; `records`: where, of one policy.

    None where one side has no such record.
    """

    lost: str
    policy: str
    records: tuple[str, ...]
    before: Stands | None
    after: Stands | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change of files does.

    Attributes:
        added: policies that are new, by name.
        removed: and those that are gone.
        changed: those that say something else.
        same: how many say the same.
        alarms: what a reviewer has to see, the worst first.
        settings: what is said otherwise.
        shares: what stands otherwise, good days first.
        alike: losses, each for one policy, that were played and come to the same, or to what a good day does.
        broken: promises that the new files do not keep and the old ones did, in words.
        cost: USD an hour on a good day, before and after, over policies that both have; None where that is not known.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: int = 0
    alarms: tuple[Alarm, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    shares: tuple[ShareChange, ...] = ()
    alike: int = 0
    broken: tuple[str, ...] = ()
    cost: tuple[float, float] | None = None

    @property
    def differs(self) -> bool:
        return bool(self.added or self.removed or self.settings or self.shares)


def compare_files(
    old: PolicyFiles, new: PolicyFiles, tell: Callable[[int, int], None] = lambda _done, _of: None
) -> Comparison:
    """Hold the new files against the old ones. `tell` is called with how many losses are played, of how many.

    Raises:
        Endless: policies answer each other without end on a good day.
    """
    settings = settings_changed(old, new)
    everyone = old.policies.keys() | new.policies.keys()
    touched = _touched(old.policies, new.policies) if rules_alike(old, new) else everyone
    of, done = sum(number_of_plays(each.policies, touched) for each in (old, new)), 0

    def played() -> None:
        nonlocal done
        done += 1
        tell(done, of)

    before, after = (outlook(each.policies, each.rules, touched, played) for each in (old, new))
    shares, same = _shares(before, after)
    worst = list(AlarmKind)
    both = old.policies.keys() & new.policies.keys()
    said_of = {each.policy for each in settings}
    return Comparison(
        added=tuple(sorted(new.policies.keys() - old.policies.keys())),
        removed=tuple(sorted(old.policies.keys() - new.policies.keys())),
        changed=tuple(sorted(both & said_of)),
        same=len(both - said_of),
        alarms=tuple(sorted((*alarming(old, new), *_harm(before, after)), key=lambda each: worst.index(each.kind))),
        settings=tuple(settings),
        shares=tuple(shares),
        alike=same,
        broken=tuple(_broken(before, after)),
        cost=_cost(before, after),
    )


def _touched(old: Mapping[str, Policy], new: Mapping[str, Policy]) -> frozenset[str]:
    """Whoever is decided together with others than before, or with one that says something else."""
    said = {name for name in old.keys() & new.keys() if alike(old[name], new[name])}
    beside = [{name: group.keys() for group in together(side) for name in group} for side in (old, new)]
    calm = {
        name for name in said if beside[0][name] == beside[1][name] and all(other in said for other in beside[0][name])
    }
    return frozenset(old.keys() | new.keys()) - calm


# -- what stands otherwise ---------------------------------------------------------------------------------------------


def _shares(before: Outlook, after: Outlook) -> tuple[list[ShareChange], int]:
    """Each loss that comes to something else, by policy; and how many do not, or not more than a good day."""
    found, quiet = list[ShareChange](), 0
    usual = _pairs(before, after, GOOD_DAY)
    for lost in sorted({*before.stands, *after.stands}, key=lambda each: (each != GOOD_DAY, each)):
        rows: dict[str, dict[object, ShareChange]] = {}
        for target, pair in sorted(_pairs(before, after, lost).items()):
            mine = rows.setdefault(target.policy, {})
            key = tuple(map(_gist, pair))
            said_already = lost != GOOD_DAY and (pair[1] is None or key == tuple(map(_gist, usual[target])))
            if key[0] != key[1] and not said_already:
                records = mine[key].records if key in mine else ()
                mine[key] = ShareChange(lost, target.policy, (*records, str(target)), *pair)
        quiet += sum(not mine for mine in rows.values())
        found += [each for mine in rows.values() for each in mine.values()]
    return found, quiet


def _pairs(before: Outlook, after: Outlook, lost: str) -> Mapping[Target, tuple[Stands | None, Stands | None]]:
    """What stands on both sides wherever this loss was played on one of them; None where there is no such record."""
    old, new = _at(before, lost), _at(after, lost)
    played = {*before.stands.get(lost, {}), *after.stands.get(lost, {})}
    return {target: (old.get(target), new.get(target)) for target in played}


def _at(side: Outlook, lost: str) -> Mapping[Target, Stands]:
    """What stands after a loss; of whom it does not concern, as on a good day."""
    return {**side.stands.get(GOOD_DAY, {}), **side.stands.get(lost, {})}


def _gist(stands: Stands | None) -> object:
    return (tuple(sorted(stands.shares.items())), stands.dead, stands.cost) if stands is not None else None


def _cost(before: Outlook, after: Outlook) -> tuple[float, float] | None:
    """Of one record of each policy that both know, where all of it is priced."""
    old, new = ({target.policy: each.cost for target, each in _at(side, GOOD_DAY).items()} for side in (before, after))
    both = sorted(old.keys() & new.keys())
    known = [(old[name], new[name]) for name in both]
    priced = [(was, now) for was, now in known if was is not None and now is not None]
    if not priced:
        return None
    return round(sum(was for was, _ in priced), 2), round(sum(now for _, now in priced), 2)


# -- who is harmed -----------------------------------------------------------------------------------------------------


def _harm(before: Outlook, after: Outlook) -> Iterator[Alarm]:
    """Losses that harm somebody whom they did not, or harm more."""
    yield from (Alarm(AlarmKind.PROMISE_BROKEN, "", said) for said in _broken(before, after))
    for lost in sorted(after.stands):
        old, new = _at(before, lost), _at(after, lost)
        yield from _dead(lost, old, new)
        yield from _overloaded(lost, before, after)


def _dead(lost: str, old: Mapping[Target, Stands], new: Mapping[Target, Stands]) -> Iterator[Alarm]:
    told = set[tuple[str, int]]()
    for target, stands in sorted(new.items()):
        was = old[target].dead if target in old else 0
        if stands.dead <= was or (target.policy, stands.dead) in told:
            continue
        told.add((target.policy, stands.dead))
        if stands.dead == sum(stands.shares.values()):
            yield Alarm(AlarmKind.NOBODY_SERVES, target.policy, f"without {lost}, nobody is left who serves")
        else:
            said = f"without {lost}, {percent(stands.dead)} still goes there, and {percent(was)} before"
            yield Alarm(AlarmKind.SENT_TO_LOST, target.policy, said)


def _overloaded(lost: str, before: Outlook, after: Outlook) -> Iterator[Alarm]:
    had = {**before.overloads.get(GOOD_DAY, {}), **before.overloads.get(lost, {})}
    for name, each in sorted(after.overloads.get(lost, {}).items()):
        usual = after.overloads.get(GOOD_DAY, {}) if lost else {}
        was = max((found[name].load - found[name].room for found in (had, usual) if name in found), default=0.0)
        if each.load - each.room <= was + _MORE * each.room:
            continue
        when = f"without {lost}" if lost else "on a good day"
        said = f"{when}, {name} is sent {amount(each.load)} and can carry {amount(each.room)}"
        yield Alarm(AlarmKind.OVERLOADS, "", f"{said}; it was {amount(had[name].load)} before" if name in had else said)


def _broken(before: Outlook, after: Outlook) -> list[str]:
    """Each promise of each policy once, with the first loss in which it is not kept. `prove` tells those of before."""
    had = {(each.promise, each.target.policy) for broken in before.broken.values() for each in broken}
    found: dict[object, str] = {}
    for lost, broken in sorted(after.broken.items()):
        for each in broken:
            when = f"without {lost}" if lost else "on a good day"
            words = f"{each.target.policy} does not keep that {SAYS[each.promise]}: {when}, {each.said}"
            found.setdefault((each.promise, each.target.policy), words)
    return [words for key, words in found.items() if key not in had]
