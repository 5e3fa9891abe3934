"""Planned work as files say it: the windows of an entry, the words that they are, and whether they can be borne.

A window is a drain by a file. Its id is made of what is worked on and when the window begins: so it is the same in
every process and after every restart, and a release of it is of this window and not of the next.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2s
from itertools import islice, pairwise
from math import ceil, inf
from typing import Final

from failoverd.config.cron import begins, by_clock, clock_set
from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.losses import drained, leaving
from failoverd.config.schema.planned_work import MaintenanceEntry
from failoverd.config.tree import Place
from failoverd.config.values import say_duration, say_percent
from failoverd.core.overrides import AHEAD, Comment, Override, Scope, Verb
from failoverd.core.reasons import LimitCheck
from failoverd.core.records import Maintenance, Policy
from failoverd.core.rules import Rule

_DAY: Final = 86_400.0
_PLAYED: Final = 366 * _DAY
"""Seconds ahead for which `check` looks at windows."""

_MOST: Final = 400
"""Windows of one entry that `check` looks at."""

Planned = tuple[str, Maintenance]
"""The policy whose file says it, "" for the inventory, which concerns all of them; and what it says."""


def entries_of(said: Sequence[MaintenanceEntry], document: Document) -> tuple[Maintenance, ...]:
    return tuple(
        Maintenance(
            reason=entry.reason,
            lasts=entry.for_,
            region=entry.region or "",
            cloud=entry.cloud or "",
            begins=entry.from_,
            cron=entry.cron or "",
            timezone=entry.timezone,
            at=f"{document.file}:{document.mark(('maintenance', index)).line}",
        )
        for index, entry in enumerate(said)
    )


# -- what is planned ---------------------------------------------------------------------------------------------------


def windows(entry: Maintenance, since: float, until: float) -> Iterator[float]:
    """When its windows begin: those that are not over at `since`, and begin before `until`."""
    if entry.begins is None:
        starts = begins(entry.cron, entry.timezone, since - entry.lasts, until)
    else:
        starts = iter([entry.begins] if entry.begins < until else [])
    return (start for start in starts if start + entry.lasts > since)


def planned(entries: Iterable[Planned], now: float) -> tuple[Override, ...]:
    """The words of the windows that are open, or soon will be."""
    return tuple(
        window(policy, entry, start) for policy, entry in entries for start in windows(entry, now, now + AHEAD)
    )


def window(policy: str, entry: Maintenance, start: float) -> Override:
    """One window as the drain that it is."""
    named = f"{policy}\n{entry.region}\n{entry.cloud}\n{start:.0f}"
    return Override(
        id=f"{Verb.DRAIN}-{blake2s(named.encode(), digest_size=4).hexdigest()}",
        verb=Verb.DRAIN,
        scope=Scope(
            policies=(policy,) if policy else (),
            regions=(entry.region,) if entry.region else (),
            clouds=(entry.cloud,) if entry.cloud else (),
        ),
        actor=entry.at,
        since=start,
        until=start + entry.lasts,
        comments=(Comment(start, entry.at, entry.reason),),
        planned=True,
    )


def planner(policies: Mapping[str, Policy], of_all: Sequence[Maintenance]) -> Callable[[float], tuple[Override, ...]]:
    """What these policies, and the inventory, plan."""
    own = ((name, entry) for name, policy in sorted(policies.items()) for entry in policy.maintenance)
    return partial(planned, (*own, *(("", entry) for entry in of_all)))


# -- whether it can be met ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """An entry, and where it stands."""

    entry: Maintenance
    document: Document
    place: Place

    def say(self, code: Code, message: str, hint: str = "", *, severity: Severity = Severity.ERROR) -> Diagnostic:
        return self.document.diagnose(code, self.place, message, hint, severity=severity)


def written(entries: Iterable[Maintenance], document: Document) -> tuple[WrittenEntry, ...]:
    return tuple(WrittenEntry(entry, document, ("maintenance", index)) for index, entry in enumerate(entries))


def untimely(all_written: Iterable[WrittenEntry], now: float) -> Iterator[Diagnostic]:
    """Entries whose windows are over, never come, or follow each other without a pause.

    That time passes makes no file wrong: what is over is a warning.
    """
    for each in all_written:
        entry, found = each.entry, _coming(each.entry, now)
        if not found:
            ago = say_duration(round(now - entry.begins - entry.lasts)) if entry.begins is not None else ""
            message = f"this work was over {ago} ago" if ago else f"cron {shown(entry.cron)} begins on no day of a year"
            yield each.say(Code.WORK_OVER, message, "remove it", severity=Severity.WARNING)
        elif any(start + entry.lasts >= following for start, following in pairwise(found)):
            message = f"a window of {say_duration(entry.lasts)} is not over when the next begins: it would never end"
            yield each.say(Code.WORK_ENDLESS, message, "write a shorter for, or fewer times into cron")
        elif (start := set_within(entry, found)) is not None:
            clock = by_clock(entry.timezone, start, entry.lasts)
            message = f"the clock of {entry.timezone} is set during this work, or on its way to it: {clock}"
            hint = f"it lasts {say_duration(entry.lasts)} all the same: write timezone: UTC, or another hour"
            yield each.say(Code.WORK_CLOCK, message, hint, severity=Severity.WARNING)


def set_within(entry: Maintenance, starts: Iterable[float]) -> float | None:
    """The first window during which the clock is set; None of those that last a day, of which nobody knows the hour."""
    if entry.begins is not None or entry.lasts >= _DAY:
        return None
    return next((start for start in starts if clock_set(entry.timezone, start, entry.lasts)), None)


def _coming(entry: Maintenance, now: float) -> list[float]:
    """When its windows begin, of the next year; one that is said by its moment, whenever it is."""
    horizon = now + _PLAYED if entry.begins is None else max(now, entry.begins) + 1
    return list(islice(windows(entry, now, horizon), _MOST))


def unknown(all_written: Iterable[WrittenEntry], clouds: Mapping[str, str], where: str) -> Iterator[Diagnostic]:
    """Entries about what is not there. `clouds` has the cloud of each region that there is."""
    for each in all_written:
        region, cloud = each.entry.region, each.entry.cloud
        if region and region not in clouds:
            message, known = f"region {shown(region)} is not in {where}", sorted(clouds)
            yield each.document.diagnose(
                Code.UNKNOWN_REGION, (*each.place, "region"), message, suggestion(region, known)
            )
        elif cloud and cloud not in clouds.values():
            message, known = f"no region in {where} is of cloud {shown(cloud)}", sorted({*clouds.values()})
            yield each.document.diagnose(Code.UNKNOWN_REGION, (*each.place, "cloud"), message, suggestion(cloud, known))


Together = tuple[WrittenEntry, ...]
"""Entries that are at work in one moment: the one that begins then is the first."""


def meetings(all_written: Iterable[WrittenEntry], now: float) -> tuple[Together, ...]:
    """Which entries are at work together at some time, each set of them once."""
    openings = [(start, index, each) for index, each in enumerate(all_written) for start in _coming(each.entry, now)]
    found: dict[frozenset[int], Together] = {}
    open_now: dict[int, tuple[float, WrittenEntry]] = {}
    for start, index, each in sorted(openings, key=lambda opening: opening[:2]):
        open_now = {other: said for other, said in open_now.items() if said[0] > start}
        found.setdefault(
            frozenset({index, *open_now}),
            (each, *(other for number, (_, other) in open_now.items() if number != index)),
        )
        open_now[index] = (start + each.entry.lasts, each)
    return tuple(found.values())


def unbearable(policy: Policy, together: Iterable[Together], rules: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    """Windows, alone or together, without whose regions a policy cannot do on a normal day; each entry once.

    And those that begin while a rate still has traffic leave in steps.
    """
    seen: set[frozenset[str]] = set()
    told: list[WrittenEntry] = []
    slow: list[WrittenEntry] = []
    for some in together:
        mine = [each for each in some if any(map(each.entry.concerns, policy.regions))]
        out = frozenset(spec.name for spec in policy.regions for each in mine if each.entry.concerns(spec))
        if not mine or out in seen or mine[0] in told:
            continue
        seen.add(out)
        why = drained(policy, out, rules)
        if why:
            told.append(mine[0])
            beside = f" together with that at {' and '.join(other.entry.at for other in mine[1:])}" if mine[1:] else ""
            message = f"policy {policy.name} cannot bear this work{beside}: {why}"
            yield mine[0].say(Code.WORK_UNBEARABLE, message, "plan it for another time, or for fewer regions at once")
        elif mine[0] not in slow and (rate := leaving(policy, out, rules)) is not None:
            slow.append(mine[0])
            yield _in_steps(policy, mine[0], rate)


def _in_steps(policy: Policy, said: WrittenEntry, rate: LimitCheck) -> Diagnostic:
    """How long after its beginning a window's regions still get traffic."""
    takes = (ceil(rate.found / rate.allowed) - 1) * rate.window if rate.allowed else inf
    over = takes >= said.entry.lasts
    until = "not before its end" if over else f"only {say_duration(takes)} after its beginning"
    pace = f"max_shift lets {say_percent(round(rate.allowed))} move per {say_duration(rate.window)}"
    leaves = say_percent(round(rate.found))
    message = f"policy {policy.name} leaves what is worked on {until}: {leaves} has to, and {pace}"
    earlier = "" if over else f"begin it {say_duration(takes)} before the work, or "
    at_once = f"failoverctl drain REGION --now --reason TEXT --for {say_duration(said.entry.lasts)}"
    hint = f"{earlier}raise max_shift; no rate slows {at_once}"
    return said.say(Code.WORK_SLOW, message, hint, severity=Severity.WARNING)
