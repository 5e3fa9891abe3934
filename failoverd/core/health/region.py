"""Region health: the roll-up of its endpoints.

The score of a region is the share of its endpoints that serve, in basis points, each counted by its weight; a DEGRADED
endpoint counts half: it is alive and wants less. Below `degraded_below` the region is DEGRADED, below `down_below` it
is DOWN. Getting better takes `recover_margin` more than the threshold (never more than all), so that a score on the
edge does not flutter.

An endpoint without a verdict could be anything. So the score is taken twice, once with every unknown endpoint down and
once with every one up: if both give the same state, that is the verdict; if not, the region is UNKNOWN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from failoverd.core.health.endpoint import Health, Verdict
from failoverd.core.records import WHOLE, HealthRules, Model

SERVING = frozenset({Health.HEALTHY, Health.DEGRADED})

FIRST_SIGHT = 60.0
"""Seconds that decisions wait for the first verdict on a region. After that it is like one that was lost from sight."""

_SHOWN = 4
"""How many endpoints a line of evidence names before it only counts them."""

DEGRADED_WORTH = WHOLE // 2
"""What a DEGRADED endpoint adds to the score of its region, where a HEALTHY one adds `WHOLE`."""


_WORTH: Final = {Health.HEALTHY: WHOLE, Health.DEGRADED: DEGRADED_WORTH}


class RegionState(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """What is held to be true of a region, for one record type.

    Attributes:
        state: the verdict.
        score: in basis points, counting unknown endpoints as down.
        since: when `state` began.
        well_since: since when it serves without a break (HEALTHY or DEGRADED); None while it does not.
        serving: answer values that may be published (HEALTHY and DEGRADED endpoints).
        unknown: answer values without a verdict: one that is published stays, one that is not stays out.
        known: the last verdict before it was lost from sight; UNKNOWN while there never was one.
        rule: the threshold that made the state, as a dotted policy key.
        evidence: the endpoints that do not serve, in words.
        flapped: answer values that pass, and are kept out because they flapped.
        flapping_until: when the region gets better by that alone: so many of them may be used again by then. None where
            that is not what keeps it so.

    These change without a change of the verdict, and are told by whoever reads it (`HealthTable.regions`):
        failing_since: when the failures began that are being counted, or that led to its being DOWN.
        passed_at: when a probe began that an endpoint passed; the latest of them.
        open_until: while its verdict is open, when that is settled at the latest. Open means that endpoints fail whose
            own verdicts are open, and if all of these went down, so would the region.
        latency: the median of the connection times of its probes, in seconds; None where too few are known, or nobody
            asked for it.
        served: the models that its endpoints were seen to serve; none where nobody looked, or wants a model.
    """

    name: str
    state: RegionState
    score: int
    since: float
    well_since: float | None
    serving: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    rule: str = "health"
    evidence: str = ""
    known: RegionState = RegionState.UNKNOWN
    flapped: tuple[str, ...] = ()
    flapping_until: float | None = None
    failing_since: float | None = None
    passed_at: float | None = None
    open_until: float | None = None
    latency: float | None = None
    served: tuple[Model, ...] = ()

    def lost(self, now: float) -> "RegionHealth":
        """The same region once all its endpoints fail, as it is played; one that is down is so already.

        When the failures began is not said: who is well has passed its probes since.
        """
        down = self.state is RegionState.DOWN
        if down and not self.serving and not self.unknown:
            return self
        return replace(
            self,
            state=RegionState.DOWN,
            score=0,
            since=self.since if down else now,
            well_since=None,
            serving=(),
            unknown=(),
            evidence="",
            flapped=(),
            flapping_until=None,
            failing_since=None,
            open_until=None,
        )

    def fails(self, value: str) -> bool:
        """Whether an answer of the region is known not to serve."""
        return value not in self.serving and value not in self.unknown

    @property
    def seen(self) -> bool:
        """Whether there ever was a verdict: a region that was never seen is not the same as one lost from sight."""
        return self.last_verdict is not RegionState.UNKNOWN

    def given_up(self, now: float) -> bool:
        """Whether nobody waits for the first verdict any more: the prober cannot see this region."""
        return not self.seen and now >= self.given_up_at

    @property
    def given_up_at(self) -> float:
        return self.since + FIRST_SIGHT

    @property
    def last_verdict(self) -> RegionState:
        return self.known if self.state is RegionState.UNKNOWN else self.state

    @property
    def serves(self) -> bool:
        return self.state in {RegionState.HEALTHY, RegionState.DEGRADED}


def roll_up(
    name: str,
    endpoints: Sequence[tuple[str, Verdict]],
    before: RegionHealth | None,
    rules: HealthRules,
    now: float,
    weights: Sequence[int] = (),
) -> RegionHealth:
    """The health of a region from the verdicts on its endpoints.

    Args:
        name: the region.
        endpoints: answer value and verdict of each endpoint that the record type can answer with; at least one.
        before: the last roll-up, for hysteresis and for `since`.
        rules: thresholds.
        now: seconds since the epoch.
        weights: of the endpoints; all alike without any.
    """
    was = before.last_verdict if before is not None else RegionState.UNKNOWN
    low, high = _scores([found.state for _, found in endpoints], weights)
    pessimist, optimist = _state(low, was, rules), _state(high, was, rules)
    state = pessimist if pessimist is optimist else RegionState.UNKNOWN
    serves = state in {RegionState.HEALTHY, RegionState.DEGRADED}
    well_since = None
    if serves:
        well_since = before.well_since if before is not None and before.well_since is not None else now
    elif state is RegionState.UNKNOWN and before is not None:
        well_since = before.well_since  # not knowing is no proof of having been away
    return RegionHealth(
        name=name,
        state=state,
        score=low,
        since=before.since if before is not None and state is before.state else now,
        well_since=well_since,
        serving=tuple(sorted(value for value, found in endpoints if found.state in SERVING)),
        unknown=tuple(sorted(value for value, found in endpoints if found.state is Health.UNKNOWN)),
        rule=_rule(state),
        evidence=_evidence(endpoints),
        known=was if state is RegionState.UNKNOWN else state,
        flapped=tuple(value for value, found in endpoints if found.flapping_until is not None),
        flapping_until=_flapping_until([found for _, found in endpoints], state, rules, weights),
    )


def _flapping_until(
    endpoints: Sequence[Verdict], state: RegionState, rules: HealthRules, weights: Sequence[int]
) -> float | None:
    """The first moment by which the region is no longer as bad as `state`, if those that flapped come back in time."""
    weighed = list(zip(endpoints, weights or (1,) * len(endpoints), strict=True))
    ends = sorted((found.flapping_until, weight) for found, weight in weighed if found.flapping_until is not None)
    if not ends or state not in {RegionState.DOWN, RegionState.DEGRADED}:
        return None
    worth = sum(_WORTH.get(found.state, 0) * weight for found, weight in weighed)
    total = sum(weight for _, weight in weighed)
    for end, weight in ends:
        worth += WHOLE * weight
        if _state(worth // total, state, rules) is not state:
            return end
    return None


def by_word(
    health: RegionHealth,
    said: Mapping[str, bool | None],
    weights: Mapping[str, int],
    rules: HealthRules,
    *,
    since: float,
) -> RegionHealth:
    """The health of a region whose endpoints are partly up, down or out because a person says so.

    What an endpoint adds to the score is not known one by one here: those that serve add the same for each part of
    their weight. One that is out is no sign of illness: the state is that of the others. But the region can carry less
    without it, as its score says.

    Args:
        health: what probes found.
        said: answer values that are up (True), down (False) or out (None) by word, whatever was found.
        weights: of all the answers that the record type can give for the region.
        rules: thresholds.
        since: when that was said.
    """
    if not said:
        return health
    up = {value for value, is_up in said.items() if is_up}

    def weigh(values: Iterable[str]) -> int:
        return sum(weights.get(value, 1) for value in values)

    total = max(1, sum(weights.values()))
    left = max(1, total - weigh(value for value, is_up in said.items() if is_up is None))
    kept = [value for value in health.serving if value not in said]
    unknown = tuple(value for value in health.unknown if value not in said)
    worth = health.score * total // weigh(health.serving) if health.serving else 0
    known = worth * weigh(kept) + WHOLE * weigh(up)
    low, high = known // left, (known + WHOLE * weigh(unknown)) // left
    before = RegionState.HEALTHY if up else health.last_verdict
    pessimist, optimist = _state(low, before, rules), _state(high, before, rules)
    state = pessimist if pessimist is optimist else RegionState.UNKNOWN
    serves = state in {RegionState.HEALTHY, RegionState.DEGRADED}
    well_since = health.well_since if health.well_since is not None or not serves else since
    flapped = tuple(value for value in health.flapped if value not in said)
    return replace(
        health,
        flapped=flapped,
        flapping_until=health.flapping_until if flapped and state is health.state else None,
        state=state,
        score=known // total,
        since=health.since if state is health.state else since,
        well_since=well_since if serves or state is RegionState.UNKNOWN else None,
        serving=tuple(sorted({*kept, *up})),
        unknown=unknown,
        rule=_rule(state),
        known=health.last_verdict if state is RegionState.UNKNOWN else state,
    )


def would_be_down(
    endpoints: Sequence[Health], health: RegionHealth, rules: HealthRules, weights: Sequence[int] = ()
) -> bool:
    """Whether a region that is not DOWN would be, if its endpoints were like this, and those without a verdict down."""
    if health.state is RegionState.DOWN:
        return False
    return _state(_scores(endpoints, weights)[0], health.last_verdict, rules) is RegionState.DOWN


def _scores(endpoints: Sequence[Health], weights: Sequence[int]) -> tuple[int, int]:
    """In basis points, with unknown endpoints down and up."""
    if not weights:
        weights = (1,) * len(endpoints)
    known = sum(_WORTH.get(state, 0) * weight for state, weight in zip(endpoints, weights, strict=True))
    unknown = WHOLE * sum(weight for state, weight in zip(endpoints, weights, strict=True) if state is Health.UNKNOWN)
    total = sum(weights)
    return known // total, (known + unknown) // total


def _state(score: int, was: RegionState, rules: HealthRules) -> RegionState:
    down, degraded = rules.down_below, rules.degraded_below
    if was is RegionState.DOWN:
        down = min(WHOLE, down + rules.recover_margin)
    if was in {RegionState.DOWN, RegionState.DEGRADED}:
        degraded = min(WHOLE, degraded + rules.recover_margin)
    if score < down or score == 0:
        return RegionState.DOWN
    return RegionState.DEGRADED if score < degraded else RegionState.HEALTHY


def _rule(state: RegionState) -> str:
    rules = {RegionState.DOWN: "health.down_below", RegionState.DEGRADED: "health.degraded_below"}
    return rules.get(state, "health")


def _evidence(endpoints: Sequence[tuple[str, Verdict]]) -> str:
    lacking = [
        f"{value} {found.state} ({found.evidence}{_explained(found)})"
        for value, found in endpoints
        if found.state is not Health.HEALTHY
    ]
    more = len(lacking) - _SHOWN
    return "; ".join(lacking[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _explained(found: Verdict) -> str:
    return f"; explained by {', '.join(found.explained_by)}" if found.explained_by else ""
