"""Causes beyond probes: errors that users see, and alerts. What they say lowers what probes found of a region.

Errors are told as burn: error ratio / (1 - service level), how many times faster than it allows. A region is called
ill while its burn is at least `burn` in a long window (so it was for a while) and in a short one (so it is still). In
the long one that has to be beyond doubt: of at least 100 requests, and by the lower bound of Wilson's interval for 95 %
(1 error of 5 is 3.6 % at least, 120 of 1,000 are 10.1 %). So it takes `over` x `burn` x (1 - service level) / errors
until it shows.

And it has to be the region: its burn is at least three times the median of the others. A bad deploy burns everywhere,
and to move traffic helps nobody then. Others are those that probes do not find down, and that had 100 requests. Where
none is known, nobody can tell, and nothing moves.

What is not known (no answer, an old one, not a number) is no cause: neither for leaving, nor for coming back. A region
that was called ill when its figures were lost gets no more than it has, as long as the others can carry the rest, until
somebody knows again. One that has no requests is no such case: there is nothing to be measured.

Nor does a signal take the last region away: where nobody else serves, it is degraded at most. A region that a person
calls up is left as it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import sqrt
from statistics import median
from typing import Final, TypedDict

from failoverd.core.control.readings import FigureRole, Readings, asks, fresh, known, read, window
from failoverd.core.events import Event, SignalCleared, SignalClipped, SignalFired, SignalShared
from failoverd.core.health.region import DEGRADED_WORTH, RegionHealth, RegionState
from failoverd.core.measures import REGION, WINDOW, ErrorBudget, May
from failoverd.core.overrides import Override, Verb, by
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy

LEAST_REQUESTS: Final = 100
"""Requests of which an error ratio says something."""

RELATIVE: Final = 3.0
"""How many times the burn of the others a region's has to be, to be its own."""

DOWN_BURN: Final = 100.0
"""The least burn by which a region may be called down."""

_ROUNDED: Final = 1 + 1e-9
"""1 - 0.999 is a little more than 0.001."""

_Z: Final = 1.96
"""Standard deviations of a normal distribution that hold 95 % of it."""


class BurnFinding(StrEnum):
    """What a signal says of a region."""

    UNKNOWN = "unknown"
    WELL = "well"
    NOT_COMPARED = "not_compared"  # it burns, and nobody says how the others are
    SAME = "same"  # so do the others
    DEGRADED = "degraded"
    DOWN = "down"


ACCUSED: Final = frozenset({BurnFinding.DEGRADED, BurnFinding.DOWN})


@dataclass(frozen=True, slots=True)
class Burn:
    """What the errors say of a region.

    Attributes:
        found: the verdict.
        until: when what it rests on is old.
        long: burn in the long window.
        short: in the short one.
        others: the median of the others' in the long one; None where none is known.
        requests: in the long one.
        was_down: until when it was called down last; None where it never was, or is.
        since: since when it is called ill; None where it is not.
        was_ill: until when it was called ill last; None where it never was, or is.
    """

    found: BurnFinding
    until: float = 0.0
    long: float = 0.0
    short: float = 0.0
    others: float | None = None
    requests: float = 0.0
    was_down: float | None = None
    since: float | None = None
    was_ill: float | None = None


@dataclass(frozen=True, slots=True)
class Signalled:
    """What others measured for a policy: readings by key, and what the errors say of each region."""

    readings: Readings = field(default_factory=dict)
    burns: Mapping[str, Burn] = field(default_factory=dict)


# -- errors ------------------------------------------------------------------------------------------------------------


def wilson(part: float, total: float) -> float:
    """The lower bound of the interval of 95 % for a ratio that was found to be `part` in `total` trials."""
    spread = _Z * _Z / total
    middle = part + spread / 2
    margin = _Z * sqrt(part * (1 - part) / total + spread / (4 * total))
    return max(0.0, (middle - margin) / (1 + spread))


def time_to_fire(budget: ErrorBudget, errors: float) -> float | None:
    """Seconds of such an error ratio after which the long window shows it, with many requests; None for never."""
    after = budget.over * budget.burn * (1 - budget.slo) / errors
    return after if after <= budget.over * _ROUNDED else None


def judged(policy: Policy, before: Signalled, readings: Readings, down: frozenset[str], now: float) -> Signalled:
    """What the readings say of each region. `down` are those that probes find down."""
    budget = policy.signals.errors
    if budget is None:
        return Signalled(readings)
    seen = {spec.name: _seen(budget, readings, spec.name, now) for spec in policy.regions}
    burns = {}
    for name, burn in seen.items():
        was = before.burns.get(name)
        if was is not None and was.found in ACCUSED and _lost(budget, readings, name, now):
            burns[name] = was
            continue
        others = [each.long for other, each in seen.items() if other != name and other not in down and _told(each)]
        burns[name] = _with_memory(_judged(budget, burn, others), was, now)
    return Signalled(readings, burns)


def _told(burn: Burn) -> bool:
    return burn.found is not BurnFinding.UNKNOWN


def _lost(budget: ErrorBudget, readings: Readings, region: str, now: float) -> bool:
    """Whether a figure is missing that was there. Of who is known to have few requests, nobody asks for ratios.

    A region that an answer leaves out has no requests. A figure that was never read, or by another query, is none that
    was lost.
    """
    long, short = window(budget.over), window(budget.short)
    asked = FigureRole.REQUESTS, budget.requests.replace(WINDOW, long)
    if fresh(*asked, readings, region, now):
        counted = known(*asked, readings, region, now)
        if counted is None or counted < LEAST_REQUESTS:
            return False
        ratios = (FigureRole.ERRORS, long), (FigureRole.ERRORS_NOW, short)
        found = [known(role, budget.errors.replace(WINDOW, over), readings, region, now) for role, over in ratios]
        return any(ratio is None or not 0 <= ratio <= 1 for ratio in found)
    return read(*asked, readings, region)


def _seen(budget: ErrorBudget, readings: Readings, region: str, now: float) -> Burn:
    """The numbers of one region, not judged yet."""
    long, short = window(budget.over), window(budget.short)
    errors = known(FigureRole.ERRORS, budget.errors.replace(WINDOW, long), readings, region, now)
    lately = known(FigureRole.ERRORS_NOW, budget.errors.replace(WINDOW, short), readings, region, now)
    requests = known(FigureRole.REQUESTS, budget.requests.replace(WINDOW, long), readings, region, now)
    if errors is None or lately is None or requests is None or requests < LEAST_REQUESTS:
        return Burn(BurnFinding.UNKNOWN)
    if not (0 <= errors <= 1 and 0 <= lately <= 1):
        return Burn(BurnFinding.UNKNOWN)
    roles = (FigureRole.ERRORS, FigureRole.ERRORS_NOW, FigureRole.REQUESTS)
    rests = [each for role in roles for key in (role, f"{role}/{region}") if (each := readings.get(key)) is not None]
    left = 1 - budget.slo
    return Burn(BurnFinding.WELL, min(each.old_at for each in rests), errors / left, lately / left, requests=requests)


def _judged(budget: ErrorBudget, burn: Burn, others: list[float]) -> Burn:
    if burn.found is BurnFinding.UNKNOWN:
        return burn
    middle, left = (median(others) if others else None), 1 - budget.slo
    burn = replace(burn, others=middle)
    sure = wilson(burn.long * left, burn.requests) / left
    if sure < budget.burn or burn.short < budget.burn:
        return burn
    if middle is None:
        return replace(burn, found=BurnFinding.NOT_COMPARED)
    if burn.long < RELATIVE * middle:
        return replace(burn, found=BurnFinding.SAME)
    down = budget.may is May.DOWN and budget.burn >= DOWN_BURN
    return replace(burn, found=BurnFinding.DOWN if down else BurnFinding.DEGRADED)


def _with_memory(burn: Burn, before: Burn | None, now: float) -> Burn:
    """With since when it is called ill, and until when it was: from then on it has to be well before it gets more."""
    was = before.found if before is not None else BurnFinding.UNKNOWN
    ended = min(now, before.until) if before is not None else now
    down = ended if was is BurnFinding.DOWN else before.was_down if before is not None else None
    ill = ended if was in ACCUSED else before.was_ill if before is not None else None
    if burn.found not in ACCUSED:
        return replace(burn, was_down=down, was_ill=ill)
    since = before.since if before is not None and was in ACCUSED and now < before.until else None
    return replace(
        burn, since=now if since is None else since, was_down=None if burn.found is BurnFinding.DOWN else down
    )


# -- what is told ------------------------------------------------------------------------------------------------------


def news(policy: Policy, before: Signalled, after: Signalled, now: float) -> tuple[Event, ...]:
    """What changed in what the errors say, and in how far figures are believed."""
    found: list[Event] = []
    for ask in asks(policy):
        was, reading = before.readings.get(ask.key), after.readings.get(ask.key)
        if reading is None or reading.found is None or (was is not None and was.found is not None):
            continue
        signal, believed = f"{ask.role} of {ask.region}" if ask.region else str(ask.role), reading.values[""]
        found.append(
            SignalClipped(at=now, policy=policy.name, signal=signal, measured=reading.found, believed=believed)
        )
    found += [
        event
        for name, burn in after.burns.items()
        if (event := _turned(policy, name, before.burns.get(name), burn, now)) is not None
    ]
    return tuple(found)


def _turned(policy: Policy, name: str, before: Burn | None, burn: Burn, now: float) -> Event | None:
    was = before.found if before is not None else BurnFinding.UNKNOWN
    if was is burn.found or {was, burn.found} == _ALIKE:
        return None
    if burn.found in _QUIET:
        return None if was in _QUIET else SignalCleared(at=now, policy=policy.name, region=name, verdict=burn.found)
    about = _Numbers(
        at=now,
        policy=policy.name,
        region=name,
        burn=burn.long,
        short=burn.short,
        others=burn.others,
        requests=round(burn.requests),
        rule_at=policy.source.at("signals.errors"),
    )
    return SignalFired(**about, verdict=burn.found) if burn.found in ACCUSED else SignalShared(**about)


class _Numbers(TypedDict):
    at: float
    policy: str
    region: str
    burn: float
    short: float
    others: float | None
    requests: int
    rule_at: str


_QUIET: Final = frozenset({BurnFinding.UNKNOWN, BurnFinding.WELL})
_ALIKE: Final = frozenset({BurnFinding.SAME, BurnFinding.NOT_COMPARED})


# -- what that makes of the regions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lowered:
    """The health of the regions, as signals and alerts lower it.

    Attributes:
        regions: by name.
        reasons: who lowers whom, and who would and does not.
        until: when time alone changes it.
        unmeasured: regions that were called ill when their figures were lost: they get no more than they have.
    """

    regions: Mapping[str, RegionHealth]
    reasons: tuple[Reason, ...] = ()
    until: float | None = None
    unmeasured: frozenset[str] = frozenset()


SAYING: Final = frozenset({Verb.ALERT, Verb.UP})
"""Words that say how a region is."""


def lowered(
    policy: Policy,
    regions: Mapping[str, RegionHealth],
    signalled: Signalled,
    said: Sequence[Override],
    aside: Collection[str],
    now: float,
) -> Lowered:
    """What is to be taken for the regions' health.

    Args:
        policy: with its signals.
        regions: what probes found, by name.
        signalled: what others measured.
        said: words that say how a region is and concern the record, those that are over among them.
        aside: regions that get nothing whatever they are: nobody is sent there.
        now: seconds since the epoch.
    """
    burns = signalled.burns if policy.signals.errors is not None else {}
    if not burns and not said:
        return Lowered(regions)
    above = _above(policy, [word for word in said if word.verb is Verb.UP and word.in_force(now)])
    alerts = _alerts(policy, [word for word in said if word.verb is Verb.ALERT and word.in_force(now)])
    found = dict(regions)
    wanted: dict[str, tuple[RegionState, float]] = {}
    unmeasured: set[str] = set()
    reasons: list[Reason] = []
    moments: list[float] = []
    for name, health in sorted(regions.items()):
        burn, alert = burns.get(name), alerts.get(name)
        if burn is not None and now < burn.until and (reason := _of_burn(name, burn, policy)) is not None:
            reasons.append(reason)
            moments.append(burn.until)
        if alert is not None:
            reasons.append(_of_alert(name, alert))
            moments.append(alert.ends)
        state = _wanted(burn, alert, now)
        if state is not None and health.serves and name not in above:
            began = [burn.since] if burn is not None and burn.found in ACCUSED and burn.since is not None else []
            wanted[name] = state, min([*began, *([alert.since] if alert is not None else [])], default=now)
        elif burn is not None and burn.found in ACCUSED and burn.until <= now and name not in above:
            unmeasured.add(name)
        found[name] = _since(health, *_ill_until(policy, name, burn, said, now))
    able = {name for name, health in found.items() if health.serves} - {*aside}
    left = [name for name in able if name not in wanted or wanted[name][0] is not RegionState.DOWN]
    for name, (state, since) in wanted.items():
        if state is RegionState.DOWN and not left:
            reasons.append(Reason(ReasonCode.LAST_LEFT, "signals", name))
        found[name] = _as(found[name], state if left else RegionState.DEGRADED, since)
    return Lowered(found, tuple(reasons), min(moments, default=None), frozenset(unmeasured))


def accused(
    policy: Policy, signalled: Signalled, said: Sequence[Override], aside: Collection[str], now: float
) -> Mapping[str, str]:
    """Regions that a signal or an alert calls ill now, each with what it says, whatever comes of that.

    `said` and `aside` are as `lowered` takes them.
    """
    burns = signalled.burns if policy.signals.errors is not None else {}
    if not burns and not said:
        return {}
    found = {
        name: f"{name} has {burn.long:.3g} times the errors that its service level allows"
        for name, burn in burns.items()
        if burn.found in ACCUSED and now < burn.until
    }
    alerts = _alerts(policy, [word for word in said if word.verb is Verb.ALERT and word.in_force(now)])
    found |= {name: f"an alert calls {name} {word.name}: {word.reason}" for name, word in alerts.items()}
    above = _above(policy, [word for word in said if word.verb is Verb.UP and word.in_force(now)]) if found else ()
    return {name: words for name, words in sorted(found.items()) if name not in {*above, *aside}}


def _wanted(burn: Burn | None, alert: Override | None, now: float) -> RegionState | None:
    """The worse of what both say."""
    found = {burn.found} if burn is not None and now < burn.until else set[BurnFinding]()
    found |= {BurnFinding.DOWN if _is_down(alert) else BurnFinding.DEGRADED} if alert is not None else set()
    if BurnFinding.DOWN in found:
        return RegionState.DOWN
    return RegionState.DEGRADED if BurnFinding.DEGRADED in found else None


def _as(health: RegionHealth, state: RegionState, since: float) -> RegionHealth:
    """The region in a worse state. Each of its endpoints counts half then, as one that probes find degraded."""
    if state is RegionState.DOWN:
        since = health.since if health.state is state else since
        return replace(
            health, state=state, known=state, score=0, since=since, well_since=None, serving=(), rule="signals"
        )
    if health.state is not RegionState.HEALTHY:
        return health
    score = health.score * DEGRADED_WORTH // WHOLE
    return replace(health, state=state, known=state, score=score, since=since, rule="signals")


def _since(health: RegionHealth, ill_until: float | None, down_until: float | None) -> RegionHealth:
    """It is as well as it is since nobody calls it ill any more, at the earliest; and so it serves."""
    if ill_until is not None and health.state is RegionState.HEALTHY and health.since < ill_until:
        health = replace(health, since=ill_until)
    if down_until is None or health.well_since is None or health.well_since >= down_until:
        return health
    return replace(health, well_since=down_until)


def _ill_until(
    policy: Policy, name: str, burn: Burn | None, said: Sequence[Override], now: float
) -> tuple[float | None, float | None]:
    """Until when somebody called the region ill, the last time; and down."""
    words = (word for word in said if word.verb is Verb.ALERT and word.over_by(now))
    over = [word for word in words if name in _regions_of(policy, word)]
    ill, down = [word.ends for word in over], [word.ends for word in over if _is_down(word)]
    if burn is not None:
        ill += [burn.was_ill] if burn.was_ill is not None else []
        down += [burn.was_down] if burn.was_down is not None else []
    if burn is not None and burn.found in ACCUSED and burn.until <= now:  # nobody judges any more
        ill.append(burn.until)
        down += [burn.until] if burn.found is BurnFinding.DOWN else []
    return max(ill, default=None), max(down, default=None)


def _is_down(word: Override) -> bool:
    return word.verb is Verb.ALERT and word.name == BurnFinding.DOWN


def _regions_of(policy: Policy, word: Override) -> frozenset[str]:
    return frozenset(region.name for region in policy.regions if word.scope.has_region(region))


def _alerts(policy: Policy, words: list[Override]) -> dict[str, Override]:
    """The worst alert about each region, and of these the first."""
    found: dict[str, Override] = {}
    for word in words:
        for name in _regions_of(policy, word):
            if name not in found or (_is_down(word) and not _is_down(found[name])):
                found[name] = word
    return found


def _above(policy: Policy, words: list[Override]) -> frozenset[str]:
    """Regions of which a person calls every endpoint up: that counts more than any signal."""
    return frozenset(
        region.name
        for region in policy.regions
        for word in words
        if word.scope.has_region(region) and all(map(word.scope.has_endpoint, region.endpoints))
    )


_CODES: Final = {
    BurnFinding.DEGRADED: ReasonCode.BURNING,
    BurnFinding.DOWN: ReasonCode.BURNING,
    BurnFinding.SAME: ReasonCode.SAME_EVERYWHERE,
    BurnFinding.NOT_COMPARED: ReasonCode.NOT_COMPARED,
}


def _of_burn(name: str, burn: Burn, policy: Policy) -> Reason | None:
    code, budget = _CODES.get(burn.found), policy.signals.errors
    if code is None or budget is None:
        return None
    numbers = {"burn": burn.long, "short": burn.short, "requests": burn.requests, "most": budget.burn}
    numbers |= {"others": burn.others} if burn.others is not None else {}
    numbers |= {"since": burn.since} if burn.since is not None else {}
    detail = str(burn.found) if burn.found in ACCUSED else ""
    query = budget.errors.replace(WINDOW, window(budget.over)).replace(REGION, name)
    return Reason(code, "signals.errors", name, numbers=numbers, named=(budget.source, query), detail=detail)


def _of_alert(name: str, word: Override) -> Reason:
    detail = f"{word.name}: {word.id} {by(word.actor)}: {word.reason}"
    return Reason(
        ReasonCode.ALERTED, "overrides", name, numbers={"since": word.since, "until": word.ends}, detail=detail
    )
