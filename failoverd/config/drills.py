"""Drills as files plan them: when they begin and of which region, the words that they are, and what is wrong with them.

A drill is a window of planned work of another verb (`maintenance`): its id is the same in every process. Regions take
turns by counting: so many drills began before this one since `_FIRST`, whether they were held or not. So which region
it is follows from the file and the time alone, and each has its turn, whatever the rhythm.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from heapq import nsmallest
from itertools import islice, pairwise
from operator import itemgetter
from typing import Final

from failoverd.config.cron import ROTATE, begins, by_clock, clock_set, schedule_of, zone_of
from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.losses import drained
from failoverd.config.maintenance import planner, set_within, window, windows
from failoverd.config.schema.planned_work import PracticeEntry
from failoverd.config.tree import Place
from failoverd.config.values import say_duration
from failoverd.core.overrides import AHEAD, Override, Verb
from failoverd.core.records import Maintenance, Policy, Practice
from failoverd.core.rules import Rule

_FIRST: Final = 2026
"""The year from whose beginning drills are counted."""

_DAY: Final = 86_400.0
_PLAYED: Final = 366 * _DAY
"""Seconds ahead for which `check` looks at drills, and the next one is looked for."""

_LEAP: Final = 8 * 366 * _DAY
"""Seconds ahead in which everything comes that comes at all, such as 29 February."""

_MOST: Final = 400
"""Drills that `check` looks at."""

WHY: Final = "practice: the other regions have to bear it"

_HERE: Final[Place] = ("practice",)


def practice_of(said: PracticeEntry | None, regions: Sequence[str], document: Document) -> Practice | None:
    """What an entry says. `regions` are those that take turns."""
    if said is None:
        return None
    cron, timezone = schedule_of(said.at)
    at = f"{document.file}:{document.mark(_HERE).line}"
    block = tuple(
        Maintenance("", entry.for_, begins=entry.from_, cron=entry.cron or "", timezone=timezone, at=at)
        for entry in said.block
    )
    turns = tuple(regions) if said.away == ROTATE else (said.away,)
    return Practice(cron, timezone, said.for_, turns, said.succeed, block, frozenset(said.skip), at)


# -- what is planned ---------------------------------------------------------------------------------------------------


def drills(practice: Practice, since: float, until: float) -> Iterator[tuple[float, str]]:
    """When they begin, and of which region: those that are not over at `since`, and begin before `until`."""
    return ((start, _turn(practice, start)) for start in _starts(practice, since, until))


def _starts(practice: Practice, since: float, until: float) -> Iterator[float]:
    starts = begins(practice.cron, practice.timezone, since - practice.lasts, until) if practice.regions else ()
    return (start for start in starts if start + practice.lasts > since and not _left_out(practice, start))


def _turn(practice: Practice, start: float) -> str:
    """Whose it is."""
    return practice.regions[_number(practice, start) % len(practice.regions)]


def _left_out(practice: Practice, start: float) -> bool:
    """Whether it is not wanted at that time."""
    if _day(practice, start) in practice.skip:
        return True
    return any(next(windows(block, start, start + practice.lasts), None) is not None for block in practice.block)


def _day(practice: Practice, moment: float) -> str:
    return datetime.fromtimestamp(moment, zone_of(practice.timezone)).date().isoformat()


def _number(practice: Practice, start: float) -> int:
    """How many began before it, those included that were left out."""
    return _counted(practice.cron, practice.timezone, start)


@lru_cache(maxsize=4_096)
def _counted(cron: str, timezone: str, start: float) -> int:
    """Everybody asks again each minute for the drills of each policy."""
    year = datetime.fromtimestamp(start, UTC).year
    whole = sum(_count(cron, timezone, each) for each in range(_FIRST, year))
    return whole + sum(1 for _ in begins(cron, timezone, _new_year(year), start))


@lru_cache(maxsize=1_024)
def _count(cron: str, timezone: str, year: int) -> int:
    return sum(1 for _ in begins(cron, timezone, _new_year(year), _new_year(year + 1)))


def _new_year(year: int) -> float:
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


Practised = tuple[str, Practice]
"""The policy whose file says it, "" for the inventory, which concerns all of them; and what it says."""


def planned_drills(entries: Iterable[Practised], now: float) -> tuple[Override, ...]:
    """The words of the drills that are on, or soon will be, and of the next one of each file after these.

    Of those that are further away than that, so many as somebody would read. None of them is cleared: that is for who
    looks then.
    """
    found = [(start, policy, practice) for policy, practice in entries for start in _coming(practice, now)]
    near = [each for each in found if each[0] < now + AHEAD]
    later = nsmallest(_LATER, (each for each in found if each[0] >= now + AHEAD), key=itemgetter(0))
    return tuple(_word(policy, practice, start, _turn(practice, start)) for start, policy, practice in (*near, *later))


_LATER: Final = 100
"""Drills that are more than a day away, and are told."""


def _coming(practice: Practice, now: float) -> Iterator[float]:
    for start in _starts(practice, now, now + _PLAYED):
        yield start
        if start >= now + AHEAD:
            return


def _word(policy: str, practice: Practice, start: float, region: str) -> Override:
    work = Maintenance(WHY, practice.lasts, region=region, at=practice.at)
    drain = window(policy, work, start)
    return replace(
        drain,
        id=drain.id.replace(Verb.DRAIN, Verb.PRACTICE),
        verb=Verb.PRACTICE,
        cleared=False,
        succeed=practice.succeed,
    )


def planner_of_all(
    policies: Mapping[str, Policy], of_all: Sequence[Maintenance], practices: Sequence[Practice] = ()
) -> Callable[[float], tuple[Override, ...]]:
    """All that these policies, and the inventory, plan: work, and drills."""
    own = [(name, policy.practice) for name, policy in sorted(policies.items()) if policy.practice is not None]
    return partial(_both, planner(policies, of_all), (*own, *(("", practice) for practice in practices)))


def _both(
    work: Callable[[float], tuple[Override, ...]], practised: Sequence[Practised], now: float
) -> tuple[Override, ...]:
    return (*work(now), *planned_drills(practised, now))


# -- what is wrong with it ---------------------------------------------------------------------------------------------


def unfit(practice: Practice, document: Document, known: Sequence[str], where: str, now: float) -> Iterator[Diagnostic]:
    """What is wrong with drills wherever they are written. `known` are the regions that there are."""
    unknown = [region for region in practice.regions if region not in known]
    if unknown:
        message = f"region {shown(unknown[0])} is not in {where}"
        hint = suggestion(unknown[0], (*sorted(known), ROTATE))
        yield document.diagnose(Code.PRACTICE_REGION, (*_HERE, "away"), message, hint)
    if len(known) == 1:
        message = f"{where} has one region alone: nobody else could bear its traffic"
        yield document.diagnose(Code.PRACTICE_REGION, _HERE, message, "remove it, or add another region", key=True)
    yield from _times(practice, document, now)
    yield from _blocked_by_clock(practice, document, now)
    yield from _skipped(practice, document, now)


def _times(practice: Practice, document: Document, now: float) -> Iterator[Diagnostic]:
    starts = list(islice(begins(practice.cron, practice.timezone, now, now + _PLAYED), _MOST))
    place = (*_HERE, "at")
    if not starts and next(begins(practice.cron, practice.timezone, now, now + _LEAP), None) is None:
        message = f"{shown(practice.cron)} is no time of any day: no drill ever begins"
        yield document.diagnose(Code.PRACTICE_NEVER, place, message, "write days that come, such as TUE 10:00 UTC")
    elif any(one + practice.lasts >= other for one, other in pairwise(starts)):
        message = f"a drill of {say_duration(practice.lasts)} is not over when the next begins"
        hint = "write a shorter for, or fewer days into at"
        yield document.diagnose(Code.PRACTICE_ENDLESS, (*_HERE, "for"), message, hint)
    elif starts and all(_left_out(practice, start) for start in starts):
        message = "block and skip leave no drill of the next year"
        yield document.diagnose(Code.PRACTICE_NEVER, place, message, "block less, or practise at another time")
    elif (start := next((each for each in starts if _clock_set(practice, each)), None)) is not None:
        day = _day(practice, start)
        message = f"the clock of {practice.timezone} is set during the drill of {day}, or on its way to it"
        hint = f"practise at another hour, write UTC, or leave that day out: skip: [{day}]"
        yield document.diagnose(Code.PRACTICE_CLOCK, place, message, hint, severity=Severity.WARNING)


def _clock_set(practice: Practice, start: float) -> bool:
    """Whether the clock is set during a drill that is held."""
    return _day(practice, start) not in practice.skip and clock_set(practice.timezone, start, practice.lasts)


def _blocked_by_clock(practice: Practice, document: Document, now: float) -> Iterator[Diagnostic]:
    """Windows without drills that the clock makes longer or shorter than they look."""
    for index, block in enumerate(practice.block):
        if (start := set_within(block, windows(block, now, now + _PLAYED))) is not None:
            clock = by_clock(block.timezone, start, block.lasts)
            message = f"the clock of {block.timezone} is set while this blocks, or on its way to it: {clock}"
            hint = "write UTC into at, or another hour"
            place = (*_HERE, "block", index)
            yield document.diagnose(Code.PRACTICE_CLOCK, place, message, hint, severity=Severity.WARNING)


def _skipped(practice: Practice, document: Document, now: float) -> Iterator[Diagnostic]:
    """Days that are over, or on which no drill would begin anyhow."""
    today = _day(practice, now)
    days = document.find((*_HERE, "skip"))
    for index, said in enumerate(days if isinstance(days, Sequence) and not isinstance(days, str) else ()):
        day = str(said)
        if day not in practice.skip:
            continue
        if day < today:
            message = f"{day} is over"
        elif not _begins_on(practice, day):
            message = f"no drill begins on {day} ({date.fromisoformat(day):%A})"
        else:
            continue
        yield document.diagnose(
            Code.PRACTICE_SKIPPED, (*_HERE, "skip", index), message, "remove it", severity=Severity.WARNING
        )


def _begins_on(practice: Practice, day: str) -> bool:
    zone, said = zone_of(practice.timezone), date.fromisoformat(day)
    since, until = (
        datetime(each.year, each.month, each.day, tzinfo=zone).timestamp() for each in (said, said + timedelta(days=1))
    )
    return next(begins(practice.cron, practice.timezone, since, until), None) is not None


def unpractised(policy: Policy, document: Document, rules: tuple[Rule, ...], now: float) -> Iterator[Diagnostic]:
    """What is wrong with the drills that a policy plans."""
    practice = policy.practice
    if practice is None:
        return
    yield from unfit(practice, document, [region.name for region in policy.regions], f"policy {policy.name}", now)
    checks = sorted({check.name for check in policy.checks})
    for index, check in enumerate(practice.succeed):
        if check not in checks:
            message = f"policy {policy.name} has no check {shown(check)}"
            yield document.diagnose(Code.PRACTICE_CHECK, (*_HERE, "succeed", index), message, suggestion(check, checks))
    yield from unborne(policy, practice, document, rules)


def unborne(policy: Policy, practice: Practice, document: Document, rules: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    """Regions that a policy cannot do without on a normal day: their drills would not begin."""
    names = {region.name for region in policy.regions}
    if len(names) == 1:
        return
    for region in practice.regions:
        why = drained(policy, frozenset({region}), rules) if region in names else ""
        if why:
            message = f"policy {policy.name} cannot bear a drill: {why}"
            hint = "it would not begin: give the others more capacity, or practise another region"
            yield document.diagnose(
                Code.PRACTICE_UNBEARABLE, (*_HERE, "away"), message, hint, severity=Severity.WARNING
            )
            return


def unused(practice: Practice, document: Document, used: Collection[str]) -> Iterator[Diagnostic]:
    """Regions of the inventory's drills that no policy has."""
    idle = [region for region in practice.regions if region not in used]
    if idle and used:
        message = f"no policy has region {', '.join(map(shown, idle))}: nothing would be practised in its turn"
        hint = "name a region that policies have as away, or remove what nobody uses from the inventory"
        yield document.diagnose(Code.PRACTICE_IDLE, _HERE, message, hint, key=True, severity=Severity.WARNING)
