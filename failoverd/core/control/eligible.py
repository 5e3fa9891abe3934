"""Who may get traffic: the first stage.

1. Regions without a verdict. Before a region had its first one, nothing is written at all. Later, a region that is lost
   from sight keeps the share that it has, and the others are decided among themselves. It lets go of it only when every
   endpoint that it answers with is known to be down.
2. Everything down. `when_all_down: keep` moves nothing; `normal` publishes the shares as if all were well.
3. A common fall. A failure may have a cause that regions share (a database, an expired certificate, a bad release), and
   then they fall within moments. So a region gets more only if it has passed a probe since the falling one began to
   fail, and not while its own verdict is open. That costs a well region the round trip of a probe, and a doubtful one
   no longer than its verdict can take.
4. The way back from it. When the first region of such a fall is back, the others are waited for as long as one cause
   takes to show everywhere; so the answer of before stands, and nobody is sent what all of them carried.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.control.decision import DecisionKind, View, soonest
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy, RecordType, RegionSpec

_TOLD = {
    RegionState.UNKNOWN: ReasonCode.REGION_UNKNOWN,
    RegionState.HEALTHY: ReasonCode.REGION_HEALTHY,
    RegionState.DEGRADED: ReasonCode.REGION_DEGRADED,
    RegionState.DOWN: ReasonCode.REGION_DOWN,
}


@dataclass(frozen=True, slots=True)
class Eligible:
    """Who may get traffic.

    Attributes:
        hold: why nothing is decided at all; None when there is something to decide.
        serving: regions that may answer.
        frozen: the share that regions keep which are lost from sight.
        capped: of `serving`, those that get no more than they have, and until when that may last.
        unknown: whether some region has no verdict.
        reasons: the steps.
        until: when a region that was never seen is waited for no longer, or one that flapped may be used again.
    """

    hold: DecisionKind | None
    serving: tuple[RegionSpec, ...] = ()
    frozen: Mapping[str, int] = field(default_factory=dict)
    capped: Mapping[str, float] = field(default_factory=dict)
    unknown: bool = False
    reasons: tuple[Reason, ...] = ()
    until: float | None = None

    @property
    def all_down(self) -> bool:
        return self.hold is None and not self.serving


def eligible(policy: Policy, specs: list[RegionSpec], view: View, published: Mapping[str, int], now: float) -> Eligible:
    """Who of `specs` may get traffic. `published` are shares by region, in basis points."""
    unknown = [spec for spec in specs if view.regions[spec.name].state is RegionState.UNKNOWN]
    awaited = [spec for spec in unknown if not view.regions[spec.name].seen]
    unseen = [spec for spec in awaited if not (published and view.regions[spec.name].given_up(now))]
    reasons = [_seen(view.regions[spec.name]) for spec in specs]
    flapped = [spec for spec in specs if (view.regions[spec.name].flapping_until or 0.0) > now]
    reasons += [_flapped(spec, view.regions[spec.name]) for spec in flapped]
    if unseen:
        reasons.append(Reason(ReasonCode.NO_VERDICT, "checks", regions=names(unseen)))
        given_up = max(view.regions[spec.name].given_up_at for spec in unseen) if published else None
        return Eligible(DecisionKind.HOLD_NO_VERDICT, unknown=True, reasons=tuple(reasons), until=given_up)
    frozen = _frozen(unknown, view, published, reasons)
    serving = tuple(spec for spec in specs if view.regions[spec.name].serves)
    if not serving and (frozen or len(unknown) == len(specs)):
        reasons.append(Reason(ReasonCode.PROBER_DOUBTED, "checks"))
        return Eligible(DecisionKind.HOLD_NO_VERDICT, unknown=True, reasons=tuple(reasons))
    rising = _rising(policy, serving, view, published)
    if rising is not None and now < rising[1]:
        reasons.append(Reason(ReasonCode.COMMON_RISE, "health", regions=rising[0], numbers={"wait": rising[1] - now}))
        return Eligible(DecisionKind.HOLD_COMMON_FALL, reasons=tuple(reasons), until=rising[1])
    capped = _capped(policy, serving, view, published, now)
    back = soonest(*(view.regions[spec.name].flapping_until for spec in flapped))
    return Eligible(None, serving, frozen, capped, bool(unknown), tuple(reasons), back)


def _frozen(
    unknown: list[RegionSpec], view: View, published: Mapping[str, int], reasons: list[Reason]
) -> dict[str, int]:
    """The share that regions lost from sight keep, as long as they have anything to answer with."""
    frozen = {}
    for spec in unknown:
        share = published.get(spec.name, 0)
        if share == 0:
            continue
        kept = bool(answers(view.regions[spec.name], view))
        code = ReasonCode.FROZEN if kept else ReasonCode.RELEASED
        reasons.append(Reason(code, "checks", spec.name, numbers={"share": share}))
        if kept:
            frozen[spec.name] = share
    return frozen


def _capped(
    policy: Policy, serving: Iterable[RegionSpec], view: View, published: Mapping[str, int], now: float
) -> dict[str, float]:
    """Regions that may be falling as well, each with the moment by which that is known."""
    falling = [
        health.failing_since
        for name, share in published.items()
        if share > 0
        and (health := view.regions.get(name)) is not None
        and health.state is RegionState.DOWN
        and health.failing_since is not None
    ]
    began = min(falling, default=None)
    capped = {}
    for spec in serving:
        health = view.regions[spec.name]
        if health.open_until is not None and health.open_until > now:
            capped[spec.name] = health.open_until
        elif began is not None and health.passed_at is not None and health.passed_at < began:
            known_at = began + settled_within(policy)
            if known_at > now:
                capped[spec.name] = known_at
    return capped


def _rising(
    policy: Policy, serving: Iterable[RegionSpec], view: View, published: Mapping[str, int]
) -> tuple[tuple[str, ...], float] | None:
    """Regions of a common fall that are down still while others are back, and until when they are waited for.

    What made them fall ends for all of them at about the same time, and whoever is back first cannot carry everything.
    """
    place = policy.when_all_down_place
    away = place is not None and bool(published.get(place.name)) and place.name not in view.regions
    fallen = (name for name in sorted(view.common_fall) if (published.get(name) or away) and name in view.regions)
    awaited = tuple(name for name in fallen if view.regions[name].state is RegionState.DOWN)
    back = [view.regions[spec.name].well_since for spec in serving if spec.name in view.common_fall]
    first = soonest(*back)
    return (awaited, first + shown_within(policy)) if awaited and first is not None else None


def shown_within(policy: Policy) -> float:
    """Seconds within which one cause shows in all regions: an interval, and what a verdict takes, down or up."""
    slowest = max((check.every + check.timeout for check in policy.checks), default=0.0)
    return slowest + max(policy.health.fall, policy.health.rise) * policy.health.recheck


def settled_within(policy: Policy) -> float:
    """Seconds within which an open verdict is settled, at the latest: `fall` re-checks and one time-out."""
    slowest = max((check.timeout for check in policy.checks), default=0.0)
    return policy.health.fall * policy.health.recheck + slowest


def answers(health: RegionHealth, view: View) -> tuple[str, ...]:
    """What to publish for a region: what serves, and of what is lost from sight whatever is published already."""
    return (*health.serving, *(value for value in health.unknown if value in view.published))


def names(specs: Iterable[RegionSpec]) -> tuple[str, ...]:
    return tuple(spec.name for spec in specs)


def _seen(health: RegionHealth) -> Reason:
    numbers = {"score": float(health.score)}
    return Reason(_TOLD[health.state], health.rule, health.name, numbers=numbers, detail=health.evidence)


def _flapped(spec: RegionSpec, health: RegionHealth) -> Reason:
    """Why a region is out that passes, until when, and which of its endpoints that is about."""
    out = {
        endpoint.id for endpoint in spec.endpoints if {endpoint.answer(kind) for kind in RecordType} & {*health.flapped}
    }
    return Reason(
        ReasonCode.FLAPPED,
        "health.flap",
        spec.name,
        numbers={"until": health.flapping_until or 0.0},
        named=tuple(sorted(out)[:_NAMED]),
    )


_NAMED: Final = 4
"""Endpoints that a reason names: so many fit into a command that a person reads."""
