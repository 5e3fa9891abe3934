"""A scenario, played against policies: what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import singledispatch
from typing import Final

from failoverd.config.cron import zone_of
from failoverd.config.scenario_files import PolicyScenario
from failoverd.config.schema.test_file import FAULTS, LETTERS, FaultEntry, HappeningEntry, WordEntry
from failoverd.config.values import say_duration, say_percent
from failoverd.core import events
from failoverd.core.control.plan import PlanKind
from failoverd.core.errors import FailoverdError
from failoverd.core.events import Event
from failoverd.core.records import percentages
from failoverd.simulation.course import MOST_POINTS, Course, CourseMoment, MomentKind
from failoverd.simulation.expectations import say_moment
from failoverd.simulation.impairments import Overloading
from failoverd.simulation.paper_source import Gauged
from failoverd.simulation.recording import Recorder
from failoverd.simulation.rehearsal import NOON, Rehearsal, Site, before, rehearsing
from failoverd.simulation.virtual_time import elapse, now, run
from failoverd.telemetry import prose, reasoning

Far = Callable[[float], None]
"""Told how many seconds of a scenario are over."""

_STEPS: Final = 24
"""Parts of a scenario after each of which somebody who waits for it is told how far it is."""

_HOUR: Final = 3_600.0


def simulate(scenario: PolicyScenario, site: Site, far: Far = lambda _: None) -> Course:
    """Play it, on a clock of its own.

    Raises:
        FailoverdError: something cannot be done that it says, such as a word of an operator; it says when, and why.
    """
    entry = scenario.entry
    site = replace(site, gauged=Gauged(scenario.policy, entry.measured, entry.interval))
    return run(_simulate(scenario, site, far), before(site, began(scenario)))


def began(scenario: PolicyScenario) -> float:
    """When it begins, in seconds since the epoch."""
    return scenario.entry.given.at or NOON


async def _simulate(scenario: PolicyScenario, site: Site, far: Far) -> Course:
    entry, policy = scenario.entry, scenario.policy
    async with rehearsing(site, entry.given, policy, began(scenario)) as rehearsal:
        rehearsal.seed = entry.seed
        recorder = Recorder(rehearsal)
        if entry.overload is not None:
            world = rehearsal.daemon.world
            recorder.weighed = Overloading(world, rehearsal.addresses, entry.overload, entry.seed).weigh
        demands = entry.demands(policy)
        rehearsal.play(entry.series, entry.interval)
        for at in sorted({*demands, *entry.happens, entry.for_}):
            if at > entry.for_:
                break
            await _until(at, max(_HOUR, entry.for_ / _STEPS), rehearsal, far)
            if at in demands and at > 0:
                await rehearsal.demand(demands[at])
            if at in entry.happens:
                await _happen(rehearsal, scenario, at)
            recorder.look()
        recorder.end()
        told = [*_said(scenario), *_clocks(scenario, site), *_told(rehearsal)]
        moments = sorted((each for each in told if each.at <= entry.for_), key=lambda each: each.at)
        return Course(
            name=entry.name,
            shows=entry.shows or "",
            file=scenario.file,
            began=rehearsal.began,
            lasted=entry.for_,
            policies=recorder.policies(),
            loads=recorder.loads(),
            moments=tuple(moments[:MOST_POINTS]),
            left_out=max(0, len(moments) - MOST_POINTS),
        )


async def _happen(rehearsal: Rehearsal, scenario: PolicyScenario, at: float) -> None:
    try:
        await rehearsal.happen(scenario.entry.happens[at], scenario.policy)
    except FailoverdError as error:
        words = f"{scenario.file}, at {say_moment(at)}: {error.detail} ({error.reason})"
        raise FailoverdError(words, reason="scenario_refused", remedy=error.remedy) from error


async def _until(at: float, step: float, rehearsal: Rehearsal, far: Far) -> None:
    while (left := rehearsal.began + at - now()) > 0:
        await elapse(min(left, step))
        far(rehearsal.elapsed)


# -- what the scenario says --------------------------------------------------------------------------------------------


def _said(scenario: PolicyScenario) -> Iterator[CourseMoment]:
    """What happens, in the words of a person who watches."""
    entry, policy = scenario.entry, scenario.policy
    for at, happening in entry.happens.items():
        yield from (CourseMoment(at, MomentKind.HAPPENED, policy, "", words) for words in _happening(happening, policy))
        for pattern, fault in happening.endpoints.items():
            over = at + (fault.for_ or 0.0)
            again = any(at < later <= over and pattern in each.endpoints for later, each in entry.happens.items())
            if fault.for_ is not None and fault.does != "well" and not again:
                yield CourseMoment(over, MomentKind.HAPPENED, "", "", f"{pattern} is well again")
    for at, demand in entry.demands(policy).items():
        if at > 0:
            yield CourseMoment(at, MomentKind.HAPPENED, "", "", _demand(demand))
    for pattern, letters in entry.series.items():
        at = 0.0
        for letter, moments in letters:
            if at > 0 or letter != "P":
                yield CourseMoment(at, MomentKind.HAPPENED, "", "", f"{pattern} {LETTERS[letter]}")
            at += moments * entry.interval


def _demand(demand: Mapping[str, float]) -> str:
    return f"demand becomes {', '.join(f'{number:g} of {name}' for name, number in demand.items())}"


def _happening(said: HappeningEntry, policy: str) -> Iterator[str]:
    for pattern, fault in said.endpoints.items():
        yield f"{pattern} {_fault(fault)}"
    yield from _around(said)
    if said.empty:
        yield f"another writer deletes the record of {policy}"
    if said.edit is not None:
        yield f"another writer sets {policy} to {percentages(said.edit)}"
    if said.demand is not None:
        yield _demand(said.demand if isinstance(said.demand, dict) else {policy: said.demand})
    if said.operator is not None:
        yield f"an operator says {_word(said.operator)}"
    if said.release:
        yield "operators take back their overrides"
    if said.restart:
        yield "failoverd is killed, and starts again"


def _around(said: HappeningEntry) -> Iterator[str]:
    """What the daemon looks through, and whom it asks."""
    if said.prober is not None:
        yield _SIGHTS[said.prober]
    for name, verdict in said.alert.items():
        yield (
            f"a monitoring system says that {name} is {verdict}"
            if verdict != "resolved"
            else f"the alert about {name} is over"
        )
    for name, state in said.providers.items():
        yield f"DNS provider {name} {_PROVIDERS[state]}"


def _fault(fault: FaultEntry) -> str:
    match fault.does:
        case "slow":
            return f"answers after {say_duration(fault.by)}"
        case "packet-loss":
            return f"loses {say_percent(fault.part if fault.part is not None else 100)} of its packets"
        case "brown-out":
            return (
                f"answers {say_percent(fault.part if fault.part is not None else 3_300)} of the requests with an error"
            )
        case "flap":
            return f"flaps, once in {say_duration(fault.every)}"
        case said:
            return FAULTS[said] if said != "well" else "is well again"


_SIGHTS: Final = {
    "cut-off": "the prober is cut off: nothing that it asks is answered, while clients are served",
    "blind": "the prober has no route, while clients are served",
    "mistaken": "the checks ask for what nobody answers, while clients are served",
    "well": "the prober sees again",
}

_PROVIDERS: Final = {
    "down": "cannot be reached",
    "read-only": "lets nobody write",
    "throttled": "throttles: it answers 4 calls a minute",
    "up": "is well again",
}


def _word(word: WordEntry) -> str:
    verbs = {"drain": word.drain, "shed": word.shed, "up": word.up, "down": word.down}
    said = [f"{verb} {where}" for verb, where in verbs.items() if where is not None]
    said += [f"pin {percentages(word.pin)}"] if word.pin is not None else []
    said += [verb for verb in ("hold", "pause") if getattr(word, verb)]
    to = f" to {say_percent(word.to)}" if word.to is not None else ""
    return f"{' '.join(said)}{to} for {say_duration(word.for_)}"


def _clocks(scenario: PolicyScenario, site: Site) -> Iterator[CourseMoment]:
    """Clocks by which work or drills are planned, and that are set meanwhile."""
    policies = site.policies.values()
    works = [*site.maintenance, *(each for policy in policies for each in policy.maintenance)]
    drills = [*site.practices, *(policy.practice for policy in policies if policy.practice is not None)]
    zones = {each.timezone for each in works if each.cron} | {each.timezone for each in drills}
    start = began(scenario)
    for name in sorted(zones):
        zone = zone_of(name)
        for hour in range(int(scenario.entry.for_ / _HOUR)):
            at = start - start % _HOUR + (hour + 1) * _HOUR
            was, becomes = (datetime.fromtimestamp(each, UTC).astimezone(zone) for each in (at - _HOUR, at))
            if was.utcoffset() != becomes.utcoffset():
                words = (
                    f"the clocks of {name} are set, from {was:%z} to {becomes:%z}; what is planned by them moves along"
                )
                yield CourseMoment(at - start, MomentKind.HAPPENED, "", "", words)


# -- what the daemon tells ---------------------------------------------------------------------------------------------

_KINDS: Final[Mapping[type[Event], MomentKind]] = {
    events.RegionFailed: MomentKind.SEEN,
    events.RegionDegraded: MomentKind.SEEN,
    events.RegionRecovered: MomentKind.SEEN,
    events.RegionLost: MomentKind.SEEN,
    events.EndpointSuppressed: MomentKind.SEEN,
    events.DependencyFailed: MomentKind.SEEN,
    events.DependencyRecovered: MomentKind.SEEN,
    events.VantageIsolated: MomentKind.SEEN,
    events.VantageRejoined: MomentKind.SEEN,
    events.SignalFired: MomentKind.SEEN,
    events.SignalCleared: MomentKind.SEEN,
    events.SignalShared: MomentKind.SEEN,
    events.DriftDetected: MomentKind.SEEN,
    events.ChangeApplied: MomentKind.MOVED,
    events.PlanHeld: MomentKind.HELD,
    events.FailoverHeld: MomentKind.HELD,
    events.PlanRefused: MomentKind.HELD,
    events.TargetDelayed: MomentKind.HELD,
    events.ChangeFenced: MomentKind.HELD,
    events.TargetResumed: MomentKind.TOLD,
    events.FailbackAborted: MomentKind.TOLD,
    events.FailbackAbandoned: MomentKind.TOLD,
    events.OverrideGiven: MomentKind.TOLD,
    events.OverrideEnding: MomentKind.TOLD,
    events.OverrideEnded: MomentKind.TOLD,
    events.OverridesLost: MomentKind.TOLD,
    events.PracticeStarted: MomentKind.TOLD,
    events.PracticeEnded: MomentKind.TOLD,
    events.RivalDetected: MomentKind.TOLD,
    events.DecisionCrashed: MomentKind.TOLD,
    events.TaskCrashed: MomentKind.TOLD,
}
"""What a course tells of; all else is in the log of a daemon."""


def _told(rehearsal: Rehearsal) -> Iterator[CourseMoment]:
    for event in _news(rehearsal.events):
        what, moved, why = _words(event)
        at = round(event.at - rehearsal.began, 3)
        yield CourseMoment(at, _KINDS[type(event)], event.policy, event.name, what, moved, why)


def _news(told: Iterable[Event]) -> Iterator[Event]:
    """What is worth to be told to somebody who watches traffic."""
    kept_out, waits = set[tuple[str, str]](), set[tuple[str, str]]()
    for event in told:
        match event:
            case events.ChangeApplied(kind=PlanKind.MARK):
                continue  # a marker alone
            case events.EndpointSuppressed():
                key = event.policy, event.endpoint
                if key in kept_out:
                    continue  # it is told with each run of passes
                kept_out.add(key)
            case events.TargetDelayed():
                if event.retry_in < _SHORT:
                    continue
                waits.add((event.record, event.provider))
            case events.TargetResumed():
                key = event.record, event.provider
                if key not in waits:
                    continue
                waits.discard(key)
            case _:
                pass
        if type(event) in _KINDS:
            yield event


_SHORT: Final = 5.0
"""Seconds: who waits for a provider for less than that is not told of."""


@singledispatch
def _words(event: Event) -> tuple[str, str, str]:
    """What it is, what moved by it, and why."""
    return prose.say(event), "", ""


@_words.register
def _(
    event: events.RegionFailed | events.RegionDegraded | events.RegionRecovered | events.RegionLost,
) -> tuple[str, str, str]:
    return f"{event.region} is {_STATES[event.name]}", "", event.evidence


_STATES: Final = {
    events.RegionFailed.name: "down",
    events.RegionDegraded.name: "degraded",
    events.RegionRecovered.name: "healthy",
    events.RegionLost.name: "out of sight",
}


@_words.register
def _(event: events.ChangeApplied) -> tuple[str, str, str]:
    names = [*event.shares_from, *(name for name in event.shares_to if name not in event.shares_from)]
    pairs = ((name, event.shares_from.get(name, 0), event.shares_to.get(name, 0)) for name in names)
    moved = ", ".join(f"{name} {was / 100:g} -> {becomes / 100:g}" for name, was, becomes in pairs if was != becomes)
    first = reasoning.words(replace(event.evidence[0], detail="")) if event.evidence else ""
    return (
        f"{event.record} is changed",
        moved or "nothing but what it answers with",
        ": ".join(filter(None, (event.cause.value, first))),
    )
