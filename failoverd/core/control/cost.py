"""What traffic costs, and how much of it a link to the data carries: sums over list prices, for an estimate.

    GB a month = requests a second x bytes x 2,592,000 s / 1e9            30 days; a GB has 1e9 bytes
    a request  = response x egress + tokens x price of tokens + data x price of the link
    a link     = bandwidth x headroom / (bytes of a request x 8)          requests a second

Data is moved only where another region serves than the one in which it is. Without a link it leaves that region at its
egress price, and nothing is known that would bound it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.core.control.sharing import Grant, Passage
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Link, Policy, RegionSpec
from failoverd.core.status import Bill

HOUR: Final = 3_600.0
MONTH: Final = 2_592_000.0
"""Thirty days, in seconds."""

_GB: Final = 1e9
_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Saving:
    """Shares that are wanted instead of the file's, for they cost less; without any, the file's are.

    Attributes:
        shares: of the regions among which the file splits a normal day, in basis points.
        instead_of: their shares in the file when that was reckoned: another file ends it.
        at: when they were chosen, or chosen last.
        before: what the shares that stood then cost a month, in USD.
        after: what these do.
        moving: whether traffic is on its way there.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    instead_of: Mapping[str, int] = field(default_factory=dict)
    at: float = 0.0
    before: float = 0.0
    after: float = 0.0
    moving: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """What shares cost if the demand stays as it is, at list prices, in USD: an estimate.

    Attributes:
        per_hour: and
        per_month: of thirty days.
        egress_gb: what leaves for clients in a month.
        data_gb: what is moved between regions in a month.
        unpriced: regions that get traffic and of which a price is not known: their part is missing in the sums.
    """

    per_hour: float
    per_month: float
    egress_gb: float
    data_gb: float = 0.0
    unpriced: tuple[str, ...] = ()


def monthly_gb(rate: float, size: float) -> float:
    """GB a month of `rate` requests a second of `size` bytes each."""
    return rate * size * MONTH / _GB


def price(policy: Policy, spec: RegionSpec) -> float | None:
    """What one request costs in USD where a region serves it; None where a price is missing."""
    parts = [_data_price(policy, spec)]
    if policy.traffic is not None and policy.traffic.response:
        egress = spec.prices.egress_per_gb
        parts.append(egress * policy.traffic.response / _GB if egress is not None else None)
    if policy.traffic is not None and policy.traffic.tokens:
        million = spec.prices.per_million_tokens
        parts.append(million * policy.traffic.tokens / 1e6 if million is not None else None)
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def forecast(policy: Policy, shares: Mapping[str, int]) -> Forecast | None:
    """What `shares` cost; None where the policy does not say what a request is, or how many there are."""
    if not policy.demand or (policy.traffic is None and policy.data_in is None) or not shares:
        return None
    specs = {spec.name: spec for spec in policy.regions}
    rates = {name: policy.demand * share / WHOLE for name, share in shares.items() if share}
    prices = {name: price(policy, specs[name]) if name in specs else None for name in rates}
    second = sum(rate * (prices[name] or 0.0) for name, rate in rates.items())
    response = policy.traffic.response if policy.traffic is not None else 0.0
    data = policy.data_in
    moved = sum(rate for name, rate in rates.items() if data is not None and name != data.region)
    return Forecast(
        per_hour=second * HOUR,
        per_month=second * MONTH,
        egress_gb=monthly_gb(sum(rates.values()), response),
        data_gb=monthly_gb(moved, data.per_request) if data is not None else 0.0,
        unpriced=tuple(sorted(name for name, of in prices.items() if of is None)),
    )


def bill(policy: Policy, shares: Mapping[str, int], normal: Mapping[str, int]) -> Bill | None:
    """What `shares` cost beside those of a normal day, to the cent; None where not all of it is known."""
    found, usual = forecast(policy, shares), forecast(policy, normal)
    if found is None or usual is None or found.unpriced or usual.unpriced:
        return None
    return Bill(round(found.per_hour, 2), round(usual.per_hour, 2), round(found.per_month, 2))


def billed(reasons: Iterable[Reason]) -> Bill | None:
    """What the shares of a decision cost, as its reasons say it."""
    told = (reason.numbers for reason in reasons if reason.code is ReasonCode.COST)
    found = next((numbers for numbers in told if numbers.keys() >= _BILLED), None)
    return Bill(found["hour"], found["normal"], found["month"]) if found is not None else None


_BILLED: Final = frozenset({"hour", "normal", "month"})


def through_link(policy: Policy, spec: RegionSpec) -> float | None:
    """Requests a second for which the link to the data is wide enough; None where nothing is known to bound them."""
    data = policy.data_in
    if data is None or spec.name == data.region or spec.link is None:
        return None
    return link_rate(spec.link, data.per_request)


def passages(policy: Policy) -> dict[str, Passage]:
    """What a claim on the estate passes in regions to which its data is fetched over a link."""
    data = policy.data_in
    if data is None:
        return {}
    linked = ((spec.name, spec.link) for spec in policy.regions if spec.name != data.region)
    bits = data.per_request * _BITS
    return {
        name: Passage(link.name or name, bits, link.bandwidth * link.headroom / WHOLE)
        for name, link in linked
        if link is not None
    }


def link_rate(link: Link, per_request: float) -> float:
    """Requests a second of which a link carries the data, so many bytes of each."""
    return link.bandwidth * link.headroom / WHOLE / (per_request * _BITS)


def link_sum(policy: Policy, spec: RegionSpec, grant: Grant | None = None) -> dict[str, float]:
    """The numbers of that sum; with what else passes the link, where that leaves too little."""
    whole = through_link(policy, spec)
    if policy.data_in is None or spec.link is None or whole is None:
        return {}
    left = grant.linked.get(spec.name, whole) if grant is not None else whole
    others = {"taken": whole - left} if left < whole else {}
    return others | {
        "bandwidth": spec.link.bandwidth,
        "headroom": float(spec.link.headroom),
        "per_request": policy.data_in.per_request,
        "demand": policy.demand or 0.0,
    }


def _data_price(policy: Policy, spec: RegionSpec) -> float | None:
    data = policy.data_in
    if data is None or spec.name == data.region:
        return 0.0
    per_gb = spec.link.price_per_gb if spec.link is not None else data.egress_per_gb
    return per_gb * data.per_request / _GB if per_gb is not None else None
