"""Endpoint health: what a series of probe outcomes means.

Theory of operation
-------------------
Each (endpoint, check) has one `CheckHealth`. `observe` folds one outcome into it and says what to probe next; nothing
else changes it. The table below is the whole of it: state, kind of outcome, what happens. `fall`, `rise` and the other
numbers are the policy's (`HealthRules`); docs/health.md tells the same with examples.

- A failure counts whatever came between: passes do not erase it. Only a run of `rise` passes clears the count. So a
  service that fails a third of its requests goes down instead of living forever between two passes.
- `fall` counted failures make the endpoint UNHEALTHY; `rise` passes in a row make it HEALTHY.
- A DEGRADED outcome is alive: it counts as a pass for up and down. When its share of the last `degraded_window`
  outcomes reaches `degraded_enter` the endpoint is DEGRADED, and it stays so until the share falls to `degraded_leave`.
- A BLIND outcome says nothing about the endpoint and changes nothing. While failures are being counted it is probed
  again after `recheck`, at most `fall` times, because the question is still open.
- Warm-up: an endpoint that never had a verdict may need time to start. Its failures are not counted within `warm_up` of
  being watched. Within `warm_up` of coming up, DEGRADED outcomes do not enter the window: its caches are cold.
- Flap damping uses the terms of RFC 2439 (section 4.2): each fall to UNHEALTHY adds `flap_penalty`; the penalty halves
  every `flap_half_life` seconds; above `flap_suppress` the endpoint is suppressed: it stays UNHEALTHY although it
  passes, until the penalty has decayed below `flap_reuse`. The penalty is cut to a ceiling from which it decays to
  `flap_reuse` within `flap_max_suppress`, so nothing is suppressed for longer. A fall that a dependency explains, and
  the first verdict of all, add nothing.
- While a verdict is open (UNKNOWN, or failures are being counted) the next probe comes after `recheck` instead of a
  whole interval, and the first failure also re-probes the other endpoints of the region. So detection takes the phase
  of one interval plus (fall - 1) x recheck.

An endpoint has several checks as the policy says how they combine (`HealthRules.checks`): the state of the endpoint is
the best one that as many of its checks reach as have to be well. All of them by default, so that the worst counts. A
check without a verdict could be either way; if it makes a difference which, the endpoint is UNKNOWN. Evidence that is
too old makes a check UNKNOWN: that is decided when it is read (`verdict`), because the absence of news is not an event.

Thousands of probes a second end in `observe`, nearly all of them a pass that changes nothing. So the records here are
tuples, evidence is put into words only when somebody reads it, and such a pass replaces the last result and no more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log2
from typing import Final, NamedTuple

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import WHOLE, HealthRules, ProbeResult


class Health(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


ALIVE: Final = frozenset({ProbeOutcome.PASS, ProbeOutcome.DEGRADED})

SEVERITY = (Health.HEALTHY, Health.DEGRADED, Health.UNKNOWN, Health.UNHEALTHY)
"""Mild to severe: where all checks have to be well, the most severe state is the endpoint's."""


class CheckHealth(NamedTuple):
    """What is known about one endpoint through one check.

    `failures` and `passes` count towards the next verdict; once nothing is pending the run of passes stands at `rise`.
    `between` counts the passes that came between the failures, for they are told as well: a service that fails a third
    of the time is not a dead one. It stands with the failures, and is forgotten with them; so does `failing_since`,
    when the first of them came.
    `recent` holds the last outcomes, oldest first, True for a DEGRADED one; it is empty while none of them was. `since`
    is when `state` began, and while there never was a verdict, when the endpoint was first watched; `up_at` is when it
    last came up. `blind` counts the blind probes since `last`, of which `unseen` is the latest. `last` is the last
    result in which the prober could see; it stands last so that it alone can be replaced cheaply.
    """

    state: Health = Health.UNKNOWN
    failures: int = 0
    passes: int = 0
    between: int = 0
    recent: tuple[bool, ...] = ()
    penalty: float = 0.0
    penalty_at: float = 0.0
    suppressed: bool = False
    since: float = 0.0
    up_at: float | None = None
    failing_since: float | None = None
    blind: int = 0
    unseen: ProbeResult | None = None
    last: ProbeResult | None = None

    @property
    def seen_at(self) -> float | None:
        """When the prober could last see."""
        return self.last.at if self.last is not None else None

    @property
    def reason(self) -> ProbeReason:
        telling = self._telling
        return telling.reason if telling is not None else ProbeReason.OK

    @property
    def evidence(self) -> str:
        """The result that is the best there is to tell, in words."""
        telling = self._telling
        return _evidence(telling) if telling is not None else "not probed yet"

    @property
    def gist(self) -> str:
        """The same without how long it took, which is another number each time."""
        telling = self._telling
        return f"{telling.check} {telling.reason}: {telling.detail}" if telling is not None else ""

    @property
    def _telling(self) -> ProbeResult | None:
        """Before any verdict, a prober that cannot see says why."""
        return self.unseen if self.state is Health.UNKNOWN and self.unseen is not None else self.last


class Observation(NamedTuple):
    """What one outcome did: the new health, and what is worth probing out of turn.

    `recheck` asks for another probe of this endpoint after `HealthRules.recheck`; `siblings` for an immediate probe of
    the other endpoints of its region, and at the sentinels.
    """

    health: CheckHealth
    recheck: bool = False
    siblings: bool = False


def observe(health: CheckHealth, result: ProbeResult, rules: HealthRules, *, explained: bool = False) -> Observation:
    """Fold one probe outcome into what is known. `explained`: a dependency is down, so a fall is no flapping."""
    if result.outcome is ProbeOutcome.PASS and settled(health, rules):
        return Observation(CheckHealth._make((*health[:-1], result)))
    if result.outcome is ProbeOutcome.BLIND:
        counting = health.failures > 0 and health.state is not Health.UNHEALTHY and health.blind < rules.fall
        return Observation(health._replace(blind=health.blind + 1, unseen=result), recheck=counting)
    alive = result.outcome is not ProbeOutcome.FAIL
    slow = result.outcome is ProbeOutcome.DEGRADED and not _cold(health, result.at, rules)
    recent = (*health.recent, slow)[-rules.degraded_window :]
    seen = health._replace(blind=0, unseen=None, recent=recent if any(recent) else (), last=result)
    after = TABLE[health.state, alive](seen, result.at, rules)
    if explained and not alive:
        after = after._replace(penalty=seen.penalty, penalty_at=seen.penalty_at, suppressed=seen.suppressed)
    return Observation(
        after, recheck=_open(after, alive=alive), siblings=after.failures > health.failures and health.failures == 0
    )


def lapsed(health: CheckHealth, at: float, stale_after: float) -> CheckHealth:
    """The health that a failure at `at` meets.

    After a long time without evidence a failure must not bring back that it was well: what was good is UNKNOWN, and
    counted anew. What was down still is.
    """
    fresh = health.seen_at is not None and at - health.seen_at <= stale_after
    if fresh or health.state not in {Health.HEALTHY, Health.DEGRADED}:
        return health
    return health._replace(
        state=Health.UNKNOWN, failures=0, passes=0, between=0, failing_since=None, recent=(), up_at=None
    )


def would_fall(health: CheckHealth, at: float, rules: HealthRules) -> bool:
    """Whether one more failure at `at` makes it UNHEALTHY."""
    return health.state is not Health.UNHEALTHY and health.failures + 1 >= rules.fall and not warming(health, at, rules)


def warming(health: CheckHealth, at: float, rules: HealthRules) -> bool:
    """Whether it may still be starting: it never had a verdict, and has not been watched for long."""
    return health.state is Health.UNKNOWN and at - health.since < rules.warm_up


def settled(health: CheckHealth, rules: HealthRules) -> bool:
    """Whether a pass says nothing new: it is HEALTHY and nothing is pending."""
    return (
        health.state is Health.HEALTHY
        and not health.failures
        and not health.recent
        and not health.blind
        and health.passes >= rules.rise
    )


def steady(health: CheckHealth, rules: HealthRules) -> bool:
    """Whether another outcome like the last one says nothing new: nothing is counted that it would add to.

    What is kept out because it flapped stays so only `flapping_until`.
    """
    if health.last is None or health.blind or health.recent:
        return False
    if health.last.outcome is ProbeOutcome.PASS:
        return settled(health, rules) or (health.state is Health.UNHEALTHY and kept_out(health, rules))
    return health.last.outcome is ProbeOutcome.FAIL and health.state is Health.UNHEALTHY and not health.passes


def _cold(health: CheckHealth, at: float, rules: HealthRules) -> bool:
    """Whether it came up so lately that being slow is to be expected."""
    return health.up_at is not None and health.state is not Health.UNHEALTHY and at - health.up_at < rules.warm_up


# -- the table: (state, alive) -> step ---------------------------------------------------------------------------------

Step = Callable[[CheckHealth, float, HealthRules], CheckHealth]


def _count_first_failure(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """Before any verdict: the run of passes starts over, and while it may still be starting that is all."""
    return health._replace(passes=0) if warming(health, at, rules) else _count_failure(health, at, rules)


def _count_failure(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """Count it, whatever came between; at `fall` the verdict is UNHEALTHY and the flap penalty grows."""
    since = health.failing_since if health.failing_since is not None else at
    counted = health._replace(failures=health.failures + 1, passes=0, failing_since=since)
    if counted.failures < rules.fall:
        return counted
    penalty = decayed(health, at, rules)
    if health.state is not Health.UNKNOWN:
        penalty = min(penalty + rules.flap_penalty, ceiling(rules))
    return counted._replace(
        state=Health.UNHEALTHY,
        since=at,
        penalty=penalty,
        penalty_at=at,
        suppressed=health.suppressed or penalty > rules.flap_suppress,
    )


def _stay_down(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:  # noqa: ARG001 - a step's shape
    """It was down and failed again: the run of passes starts over."""
    return health._replace(passes=0)


def _count_pass(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """A run of `rise` passes forgets the failures; the window decides between HEALTHY and DEGRADED."""
    passes = min(health.passes + 1, rules.rise)
    if passes >= rules.rise:
        return _grade(health._replace(passes=passes, failures=0, between=0, failing_since=None), at, rules)
    return _grade(_between(health)._replace(passes=passes), at, rules)


def _count_recovery(health: CheckHealth, at: float, rules: HealthRules) -> CheckHealth:
    """From UNKNOWN or UNHEALTHY only a run of `rise` passes leads up, and not while suppressed."""
    passes = min(health.passes + 1, rules.rise)  # while suppressed it may pass for an hour
    counted = (_between(health) if health.state is Health.UNKNOWN else health)._replace(passes=passes)
    if passes < rules.rise:
        return counted
    if health.suppressed and decayed(health, at, rules) >= rules.flap_reuse:
        return counted
    recent = () if rules.warm_up > 0 else health.recent
    up = counted._replace(
        state=Health.HEALTHY,
        failures=0,
        passes=rules.rise,
        between=0,
        failing_since=None,
        suppressed=False,
        since=at,
        up_at=at,
        recent=recent,
    )
    return _grade(up, at, rules)


def _between(health: CheckHealth) -> CheckHealth:
    """A pass that does not erase the failures that are being counted."""
    return health._replace(between=health.between + 1) if health.failures else health


TABLE: dict[tuple[Health, bool], Step] = {
    (Health.UNKNOWN, False): _count_first_failure,
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
        return health._replace(state=Health.DEGRADED, since=at)
    if health.state is Health.DEGRADED and share <= rules.degraded_leave:
        return health._replace(state=Health.HEALTHY, since=at)
    return health


def decayed(health: CheckHealth, at: float, rules: HealthRules) -> float:
    """The flap penalty now (RFC 2439, section 4.2: exponential decay by half-life)."""
    elapsed = max(0.0, at - health.penalty_at)
    return health.penalty * float(0.5 ** (elapsed / rules.flap_half_life))


def ceiling(rules: HealthRules) -> float:
    """The highest penalty: it decays to `flap_reuse` within `flap_max_suppress` (RFC 2439, section 4.2)."""
    halvings = min(rules.flap_max_suppress / rules.flap_half_life, _MANY_HALVINGS)
    return rules.flap_reuse * float(2.0**halvings)


def kept_out(health: CheckHealth, rules: HealthRules) -> bool:
    """Whether it passes for as long as it takes, and flap damping alone keeps it out."""
    return health.suppressed and health.passes >= rules.rise


def flapping_until(health: CheckHealth, rules: HealthRules) -> float:
    """When the flap penalty has decayed below `flap_reuse`: the next pass after that brings back what is kept out."""
    return health.penalty_at + rules.flap_half_life * log2(max(1.0, health.penalty / rules.flap_reuse))


_MANY_HALVINGS = 64
"""Beyond this the ceiling is out of reach anyway, and further on a float could not hold it."""


# -- reading it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held to be true of an endpoint now. `check` is the one that decided, `since` when its state began.

    `explained_by` names the dependencies of its region that are down while it is. `gist` is what the evidence says
    without how long it took, by which one failure is told from another. `flapping_until` is when what passes, and is
    kept out because it flapped, may be used again; None while anything else is wrong with it.
    """

    state: Health
    since: float
    check: str
    reason: ProbeReason
    evidence: str
    explained_by: tuple[str, ...] = ()
    gist: str = ""
    flapping_until: float | None = None


def verdict(checks: Iterable[tuple[str, CheckHealth, float]], now: float, rules: HealthRules) -> Verdict:
    """What an endpoint's checks come to, each given as name, health, and how old its evidence may be in seconds.

    The worst, where all have to be well. Of those that are down, one that fails counts before one that flapped, and of
    these the one that is out for longest.
    """
    verdicts = [_check_verdict(name, health, stale_after, now, rules) for name, health, stale_after in checks]
    needed = rules.needed(len(verdicts))
    return max(verdicts, key=_weight) if needed == len(verdicts) else _of_some(verdicts, needed)


def combined(states: Sequence[Health], needed: int) -> Health:
    """The state of an endpoint of whose checks so many have to be well: the best that so many of them reach.

    A check without a verdict could be either: if it makes a difference which, the endpoint has no verdict.
    """
    low, high = (
        sorted((other if state is Health.UNKNOWN else state for state in states), key=SEVERITY.index)[needed - 1]
        for other in (Health.UNHEALTHY, Health.HEALTHY)
    )
    return low if low is high else Health.UNKNOWN


def _of_some(verdicts: Sequence[Verdict], needed: int) -> Verdict:
    """The verdict where not all checks have to be well. The one that turned last decided it, and the rest is told."""
    state = combined([found.state for found in verdicts], needed)
    deciding = max((found for found in verdicts if found.state is state), key=lambda found: found.since)
    ill = sorted((found for found in verdicts if found.state is not Health.HEALTHY), key=_weight, reverse=True)
    if not ill:
        return deciding
    well = len(verdicts) - len(ill)
    words = f"{well} of {len(verdicts)} checks well, {needed} needed: "
    alive = sum(found.state in {Health.HEALTHY, Health.DEGRADED} for found in verdicts)
    return replace(
        deciding,
        since=_since(verdicts, state, needed),
        evidence=words + "; ".join(_named(found.check, found.evidence) for found in ill),
        gist=words + "; ".join(_named(found.check, found.gist) for found in ill),
        flapping_until=_back_by(ill, needed - alive) if state is Health.UNHEALTHY else None,
    )


def _named(check: str, evidence: str) -> str:
    """What a check found, with its name."""
    return evidence if evidence.startswith(f"{check} ") else f"{check}: {evidence}"


def _since(verdicts: Sequence[Verdict], state: Health, needed: int) -> float:
    """Since when so many are no worse than that, and no more than the rest are better."""
    level = SEVERITY.index(state)
    no_worse = sorted(found.since for found in verdicts if SEVERITY.index(found.state) <= level)
    no_better = sorted(found.since for found in verdicts if SEVERITY.index(found.state) >= level)
    spare = len(verdicts) - needed
    return max([*no_worse[needed - 1 : needed], *no_better[spare : spare + 1]])


def _back_by(ill: Sequence[Verdict], lack: int) -> float | None:
    """When so many checks as are lacking may count again, of those that pass and are out because they flapped."""
    ends = sorted(found.flapping_until for found in ill if found.flapping_until is not None)
    return ends[lack - 1] if lack <= len(ends) else None


def _weight(found: Verdict) -> tuple[int, bool, float]:
    return SEVERITY.index(found.state), found.flapping_until is None, found.flapping_until or 0.0


def _check_verdict(name: str, health: CheckHealth, stale_after: float, now: float, rules: HealthRules) -> Verdict:
    if health.state is Health.UNKNOWN or health.seen_at is None:
        return Verdict(Health.UNKNOWN, health.since, name, health.reason, health.evidence)
    if now - health.seen_at > stale_after:
        return _lost(name, health, health.seen_at, stale_after, now)
    said = health.state, health.since, name, health.reason
    if kept_out(health, rules):
        flapped = f"{name} passes again, and it is kept out because it flapped"
        return Verdict(*said, flapped, gist=flapped, flapping_until=flapping_until(health, rules))
    return Verdict(*said, health.evidence, gist=health.gist)


def _lost(name: str, health: CheckHealth, seen_at: float, stale_after: float, now: float) -> Verdict:
    """The evidence is too old. Why the prober could not see since then is told by the last probe that could not."""
    since, ago = seen_at + stale_after, f"since the last evidence {now - seen_at:.0f}s ago"
    if health.unseen is None:
        return Verdict(Health.UNKNOWN, since, name, health.reason, f"no probe {ago}")
    evidence = f"{health.blind} blind probes {ago}, the last: {_evidence(health.unseen)}"
    return Verdict(Health.UNKNOWN, since, name, health.unseen.reason, evidence)


def _open(health: CheckHealth, *, alive: bool) -> bool:
    """Whether a verdict is being looked for. It ends after at most fall x rise probes, so the haste does too.

    What fails uncounted, while it may still be starting, is in no haste.
    """
    if health.state is Health.UNKNOWN:
        return alive or health.failures > 0
    return health.failures > 0 and health.state is not Health.UNHEALTHY


def _evidence(result: ProbeResult) -> str:
    detail = f": {result.detail}" if result.detail else ""
    return f"{result.check} {result.reason} after {result.timings.total * 1000:.0f} ms{detail}"
