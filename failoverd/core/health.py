"""Endpoint health: what a series of probe outcomes means.

Theory of operation
-------------------
Each (endpoint, check) has one `CheckHealth`. `observe` folds one outcome into it and says what to probe next; nothing
else changes it. The table below is the whole of it: state, kind of outcome, what happens. `fall`, `rise` and the other
numbers are the policy's (`HealthRules`).

- A failure counts whatever came between: passes do not erase it. Only a run of `rise` passes clears the count. So a
  service that fails a third of its requests goes down instead of living forever between two passes.
- `fall` counted failures make the endpoint UNHEALTHY; `rise` passes in a row make it HEALTHY.
- A DEGRADED outcome is alive: it counts as a pass for up and down. When its share of the last `degraded_window`
  outcomes reaches `degraded_enter` the endpoint is DEGRADED, and it stays so until the share falls to `degraded_leave`.
- A BLIND outcome says nothing about the endpoint and changes nothing. While failures are being counted it is looked
  again after `recheck`, at most `fall` times, because the question is still open.
- Flap damping uses the terms of RFC 2439 (section 4.2): each fall to UNHEALTHY adds `flap_penalty`; the penalty halves
  every `flap_half_life` seconds; above `flap_suppress` the endpoint is suppressed: it stays UNHEALTHY although it
  passes, until the penalty has decayed below `flap_reuse`.
- While a verdict is open (UNKNOWN, or failures are being counted) the next probe comes after `recheck` instead of a
  whole interval, and the first failure also re-probes the other endpoints of the region. So detection takes the phase
  of one interval plus (fall - 1) x recheck.

An endpoint with several checks is as healthy as the worst of them. Evidence that is too old makes it UNKNOWN: that is
decided when it is looked at (`verdict`), because the absence of news is not an event.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from failoverd.core.records import WHOLE, HealthRules, Outcome, ProbeReason, ProbeResult


class Health(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


SEVERITY = (Health.HEALTHY, Health.DEGRADED, Health.UNKNOWN, Health.UNHEALTHY)
"""Mild to severe: with several checks the most severe state is the endpoint's."""


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """What is known about one endpoint through one check.

    `failures` and `passes` count towards the next verdict; once nothing is pending the run of passes stands at `rise`.
    `recent` holds the last outcomes, oldest first, True for a DEGRADED one. `seen_at` is when the prober could last
    see, `since` when `state` began.
    """

    state: Health = Health.UNKNOWN
    failures: int = 0
    passes: int = 0
    recent: tuple[bool, ...] = ()
    penalty: float = 0.0
    penalty_at: float = 0.0
    suppressed: bool = False
    since: float = 0.0
    seen_at: float | None = None
    blind: int = 0
    reason: ProbeReason = ProbeReason.OK
    evidence: str = "not probed yet"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one outcome did: the new health, and what is worth probing out of turn.

    `recheck` asks for another look at this endpoint after `HealthRules.recheck`; `siblings` for an immediate look at
    the other endpoints of its region.
    """

    health: CheckHealth
    recheck: bool = False
    siblings: bool = False


def observe(health: CheckHealth, result: ProbeResult, rules: HealthRules) -> Observation:
    """Fold one probe outcome into what is known."""
    if result.outcome is Outcome.BLIND:
        told = _evidence(result) if health.state is Health.UNKNOWN else health.evidence
        counting = health.failures > 0 and health.state is not Health.UNHEALTHY and health.blind < rules.fall
        return Observation(replace(health, blind=health.blind + 1, evidence=told), recheck=counting)
    alive = result.outcome is not Outcome.FAIL
    seen = replace(
        health,
        seen_at=result.at,
        blind=0,
        recent=(*health.recent, result.outcome is Outcome.DEGRADED)[-rules.degraded_window :],
        reason=result.reason,
        evidence=_evidence(result),
    )
    step = _TABLE[health.state, alive]
    after = step(seen, result.at, rules)
    return Observation(
        after,
        recheck=_open(after),
        siblings=not alive and health.failures == 0 and health.state is not Health.UNHEALTHY,
    )


# -- the table: (state, alive) -> step ---------------------------------------------------------------------------------

Step = Callable[[CheckHealth, float, HealthRules], CheckHealth]


def _count_failure(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """Count it, whatever came between; at `fall` the verdict is UNHEALTHY and the flap penalty grows."""
    counted = replace(health, failures=health.failures + 1, passes=0)
    if counted.failures < rules.fall:
        return counted
    penalty = decayed(health, at, rules)
    if health.state is not Health.UNKNOWN:
        penalty += rules.flap_penalty
    return replace(
        counted,
        state=Health.UNHEALTHY,
        since=at,
        penalty=penalty,
        penalty_at=at,
        suppressed=health.suppressed or penalty > rules.flap_suppress,
    )


def _stay_down(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:  # noqa: ARG001 - a step's shape
    """It was down and failed again: the run of passes starts over."""
    return replace(health, passes=0)


def _count_pass(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """A run of `rise` passes forgets the failures; the window decides between HEALTHY and DEGRADED."""
    passes = min(health.passes + 1, rules.rise)
    failures = 0 if passes >= rules.rise else health.failures
    return _grade(replace(health, passes=passes, failures=failures), at, rules)


def _count_recovery(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """From UNKNOWN or UNHEALTHY only a run of `rise` passes leads up, and not while suppressed."""
    passes = health.passes + 1
    counted = replace(health, passes=passes)
    if passes < rules.rise:
        return counted
    if health.suppressed and decayed(health, at, rules) >= rules.flap_reuse:
        return counted
    up = replace(counted, state=Health.HEALTHY, failures=0, suppressed=False, since=at)
    return _grade(up, at, rules)


_TABLE: dict[tuple[Health, bool], Step] = {
    (Health.UNKNOWN, False): _count_failure,
    (Health.UNKNOWN, True): _count_recovery,
    (Health.HEALTHY, False): _count_failure,
    (Health.HEALTHY, True): _count_pass,
    (Health.DEGRADED, False): _count_failure,
    (Health.DEGRADED, True): _count_pass,
    (Health.UNHEALTHY, False): _stay_down,
    (Health.UNHEALTHY, True): _count_recovery,
}


def _grade(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """HEALTHY or DEGRADED by the share of degraded outcomes in the window; an unfilled window counts as good."""
    share = sum(health.recent) * WHOLE // rules.degraded_window
    if health.state is Health.HEALTHY and share >= rules.degraded_enter:
        return replace(health, state=Health.DEGRADED, since=at)
    if health.state is Health.DEGRADED and share <= rules.degraded_leave:
        return replace(health, state=Health.HEALTHY, since=at)
    return health


def decayed(health: CheckHealth, at: float, rules: HealthRules) -> float:
    """The flap penalty now (RFC 2439, section 4.2: exponential decay by half-life)."""
    elapsed = max(0.0, at - health.penalty_at)
    return health.penalty * float(0.5 ** (elapsed / rules.flap_half_life))


# -- looking at it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held to be true of an endpoint now. `check` is the one that decided, `since` when its state began."""

    state: Health
    since: float
    check: str
    reason: ProbeReason
    evidence: str


def verdict(checks: Iterable[tuple[str, CheckHealth, float]], now: float) -> Verdict:
    """The worst of an endpoint's checks, each given as name, health, and how old its evidence may be in seconds."""
    verdicts = [_check_verdict(name, health, stale_after, now) for name, health, stale_after in checks]
    return max(verdicts, key=lambda found: SEVERITY.index(found.state))


def _check_verdict(name: str, health: CheckHealth, stale_after: float, now: float) -> Verdict:
    if health.state is Health.UNKNOWN or health.seen_at is None:
        return Verdict(Health.UNKNOWN, health.since, name, health.reason, health.evidence)
    age = now - health.seen_at
    if age > stale_after:
        blind = f"{health.blind} blind probes" if health.blind else "no probe"
        evidence = f"{blind} since the last evidence {age:.0f}s ago"
        return Verdict(Health.UNKNOWN, health.seen_at + stale_after, name, health.reason, evidence)
    return Verdict(health.state, health.since, name, health.reason, health.evidence)


def _open(health: CheckHealth) -> bool:
    """Whether a verdict is being looked for. It ends after at most fall x rise probes, so the haste does too."""
    return health.state is Health.UNKNOWN or (health.failures > 0 and health.state is not Health.UNHEALTHY)


def _evidence(result: ProbeResult) -> str:
    detail = f": {result.detail}" if result.detail else ""
    return f"{result.check} {result.reason} after {result.timings.total * 1000:.0f} ms{detail}"
