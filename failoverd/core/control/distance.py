"""Who is too far away: of the regions of one tier, only those that are as near as the nearest get traffic.

    near = {r: p50[r] <= min(p50) + slack}

`p50` is the median of the connection times of probes (`core/health/latency.py`). Balancing by it instead would swing:
who wins gets the traffic, becomes slow by that, and loses it again. So it is a filter with a band: a region that has
traffic keeps it until it is more than `leave` slower, and one that was left out comes back within `slack`.

It moves nothing on a bad day. While an incident is open, or a region is lost from sight, nobody is left out who was not
before; and as soon as any region is DEGRADED or DOWN, nobody is left out at all. Afterwards everybody has to be well
for a whole window, before it begins again.

Where nothing is measured, nobody is left out, but for the first window after a start: a restart is no reason to send
people far away for ten minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from failoverd.core.control.allocation import tiers
from failoverd.core.control.decision import View
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import LatencyBand, Policy, RegionSpec


@dataclass(frozen=True, slots=True)
class Leaving:
    """A region that serves, and had better be left out.

    Attributes:
        name: which.
        reason: why.
        kept: the same, said where it stays because something speaks against that.
        in_tier: whether the others have to be those that get traffic anyway: no standby joins in for it.
        measured: whether it has to be known what the others can carry; otherwise it is enough that they are HEALTHY.
        until: when time alone brings it back.
    """

    name: str
    reason: Reason
    kept: Reason
    in_tier: bool = False
    measured: bool = False
    until: float | None = None


_ILL = frozenset({RegionState.DEGRADED, RegionState.DOWN})


@dataclass(frozen=True, slots=True)
class Far:
    """Who is too far away, the farthest first, and when time alone adds to them."""

    leaving: tuple[Leaving, ...] = ()
    until: float | None = None


def too_far(policy: Policy, specs: Sequence[RegionSpec], view: View, published: Mapping[str, int], now: float) -> Far:
    """The regions of `specs` that are too far away."""
    healths, band = list(view.regions.values()), policy.latency
    if band is None or not healths or any(health.state in _ILL for health in healths):
        return Far()
    seen = all(health.state is RegionState.HEALTHY for health in healths)
    settled_at = max(health.since for health in healths) + band.window if seen and not view.incident else None
    found = [each for tier in tiers(policy, specs) for each in _of_tier(tier, band, view, published, now)]
    known = (each for each in found if view.aside.get(each.name) is ReasonCode.TOO_FAR)
    leaving = found if settled_at is not None and settled_at <= now else list(known)
    ordered = sorted(leaving, key=lambda each: (-each.reason.numbers.get("latency", 0.0), each.name))
    more = len(leaving) < len(found) and settled_at is not None
    return Far(tuple(ordered), settled_at if more else None)


def _of_tier(
    tier: Sequence[RegionSpec],
    band: LatencyBand,
    view: View,
    published: Mapping[str, int],
    now: float,
) -> Iterator[Leaving]:
    """Those that are too far away by the numbers."""
    known = {spec.name: view.regions[spec.name].latency for spec in tier}
    measured = {name: latency for name, latency in known.items() if latency is not None}
    for name, latency in known.items():
        out = view.aside.get(name) is ReasonCode.TOO_FAR
        if latency is None:
            until = view.regions[name].since + band.window
            if out and now < until:
                yield _leaving(name, {"until": until}, "latency.window", until)
            continue
        stays = bool(published.get(name)) and not out
        bound, rule = (band.leave, "latency.leave") if stays else (band.slack, "latency.slack")
        nearest = min(measured.values())
        if latency > nearest + bound:
            yield _leaving(name, {"latency": latency, "nearest": nearest, "bound": bound}, rule)


def _leaving(name: str, numbers: Mapping[str, float], rule: str, until: float | None = None) -> Leaving:
    reason = Reason(ReasonCode.TOO_FAR, rule, name, numbers=numbers)
    kept = Reason(ReasonCode.FAR_KEPT, rule, name, numbers=numbers)
    return Leaving(name, reason, kept, in_tier=True, measured=True, until=until)
