"""What a benchmark sends: fixed before it begins, bounded, and said in full before anything is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from failoverd.cli.failing import unknown, usage
from failoverd.cli.spending import SHARED, days_touched
from failoverd.config.schema.inventory_file import Region
from failoverd.core.records import Check, Endpoint, Policy, RegionSpec
from failoverd.probes.inference_check.inference_settings import InferenceSettings, most_tokens

MOST_PER_ENDPOINT: Final = 50.0
"""Requests a second that one endpoint gets at most."""

MOST_IN_ALL: Final = 1_000.0
"""Requests a second that leave this machine at most."""

MOST_SECONDS: Final = 3_600.0

_ALMOST: Final = 1e-9
"""So that 0.3s at 10/s are three requests, whatever floats make of it."""


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices in USD, from the inventory; None where it states none."""

    egress_per_gb: float | None = None
    per_million_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """A benchmark before it begins.

    Attributes:
        check: how each endpoint is probed.
        regions: who is compared, in the order of the policy.
        clouds, prices: of each region, by its name.
        seconds: how long requests fall due.
        rate: requests a second to each endpoint.
        tokens: what completions may cost at most, all together; 0 when none are asked for.
    """

    policy: str
    check: Check
    regions: tuple[RegionSpec, ...]
    clouds: Mapping[str, str]
    prices: Mapping[str, Prices]
    seconds: float
    rate: float
    tokens: int = 0

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for region in self.regions for endpoint in region.endpoints)

    @property
    def each(self) -> int:
        """Requests to one endpoint."""
        return max(1, floor(self.seconds * self.rate + _ALMOST))

    @property
    def pause(self) -> float:
        """Seconds between two requests to one endpoint; the whole time, if that has no room for two."""
        return min(1.0 / self.rate, self.seconds)

    @property
    def in_all(self) -> float:
        """Requests a second to all endpoints together."""
        return len(self.endpoints) / self.pause

    @property
    def total(self) -> int:
        return self.each * len(self.endpoints)

    def schedule(self) -> Iterator[tuple[float, Endpoint]]:
        """When each request is due, in seconds after the start. Endpoints take turns within each pause."""
        endpoints = self.endpoints
        for turn in range(self.each):
            for place, endpoint in enumerate(endpoints):
                yield (turn + place / len(endpoints)) * self.pause, endpoint


def make_plan(
    policy: Policy,
    inventory: Mapping[str, Region],
    *,
    regions: Sequence[str],
    check: str | None,
    seconds: float,
    rate: float,
    spend_at: float | None = None,
) -> BenchmarkPlan:
    """Choose what is asked, and keep to the bounds.

    Args:
        policy: where regions and checks stand.
        inventory: where clouds and prices stand, by region.
        regions: only these; all of them when none is named.
        check: which check; the only one when none is named.
        seconds: for how long.
        rate: requests a second to each endpoint.
        spend_at: the time (seconds since the epoch) when completions may cost tokens; None when they may not.

    Raises:
        typer.BadParameter: nobody is there by that name, or a bound would be passed.
    """
    chosen = _regions(policy, regions)
    count = sum(len(region.endpoints) for region in chosen)
    _keep_bounds(seconds, rate)
    probed = _check(policy, check)
    known = {region.name: inventory.get(region.name) for region in chosen}
    plan = BenchmarkPlan(
        policy=policy.name,
        check=probed,
        regions=chosen,
        clouds={name: entry.cloud if entry is not None else "" for name, entry in known.items()},
        prices={name: _prices(entry) for name, entry in known.items()},
        seconds=seconds,
        rate=rate,
        tokens=_tokens(probed, count, seconds, spend_at) if spend_at is not None else 0,
    )
    _keep_pace(plan)
    return plan


def _regions(policy: Policy, names: Sequence[str]) -> tuple[RegionSpec, ...]:
    known = [region.name for region in policy.regions]
    for name in names:
        if name not in known:
            raise unknown("region", name, known)
    return tuple(region for region in policy.regions if not names or region.name in names)


def _check(policy: Policy, name: str | None) -> Check:
    known = [check.name for check in policy.checks]
    if name is None and len(known) > 1:
        raise usage(f"{policy.name} has several checks: choose one with --check: {', '.join(known)}")
    for check in policy.checks:
        if name in {None, check.name}:
            return check
    raise unknown("check", name or "", known)


def _keep_bounds(seconds: float, rate: float) -> None:
    if not 0 < seconds <= MOST_SECONDS:
        raise usage(f"a benchmark takes more than 0s and {MOST_SECONDS / 3_600:g}h at most")
    if not 0 < rate <= MOST_PER_ENDPOINT:
        raise usage(f"the rate is above 0 and {MOST_PER_ENDPOINT:g}/s per endpoint at most")


def _keep_pace(plan: BenchmarkPlan) -> None:
    count = len(plan.endpoints)
    if plan.in_all <= MOST_IN_ALL * (1 + _ALMOST):
        return
    if plan.seconds < 1 / plan.rate:
        what, instead = f"{count} endpoints within {plan.seconds:g}s", f"--for {ceil(count / MOST_IN_ALL * 1_000)}ms"
    else:
        what = f"{plan.rate:g}/s to {count} endpoints"
        instead = f"--rate {floor(MOST_IN_ALL / count * 100) / 100:g}/s"
    raise usage(f"{what} are more than {MOST_IN_ALL:g}/s in all: write {instead}, or name fewer regions")


def _prices(entry: Region | None) -> Prices:
    return Prices() if entry is None else Prices(entry.egress_cost_per_gb, entry.price_per_million_tokens)


def _tokens(check: Check, endpoints: int, seconds: float, now: float) -> int:
    """Each endpoint is asked for a completion when it is its turn, and all within the check's daily limit."""
    settings = check.settings
    if not isinstance(settings, InferenceSettings) or settings.completion_every is None:
        return 0
    span = seconds + check.timeout
    turns = ceil(span / settings.completion_every) + 1
    most = endpoints * turns * most_tokens(settings.prompt, settings.max_tokens)
    return min(most, days_touched(now, span) * settings.tokens_per_day)


# -- in words ----------------------------------------------------------------------------------------------------------


def announce(plan: BenchmarkPlan) -> list[str]:
    """What is about to be sent, line by line."""
    check = plan.check
    lines = [
        f"{plan.policy}: {plan.total} requests of check {check.name} ({check.kind}) within {plan.seconds:g}s",
        pace(plan),
        *(f"  {region.name}: {', '.join(each.text for each in region.endpoints)}" for region in plan.regions),
        f"the last answers are waited for up to {check.timeout:g}s more",
    ]
    if isinstance(check.settings, InferenceSettings):
        lines.append(_about_tokens(plan))
    return lines


def pace(plan: BenchmarkPlan) -> str:
    """How many requests to whom, and how fast."""
    per = ", ".join(f"{region.name} {len(region.endpoints)}" for region in plan.regions)
    each = f"{plan.rate:.4g}/s each, " if plan.each > 1 else ""
    return f"{plan.each} to each of {len(plan.endpoints)} endpoints ({per}), {each}{plan.in_all:.4g}/s in all"


def _about_tokens(plan: BenchmarkPlan) -> str:
    if plan.tokens:
        when = "completions are asked for at the check's own pace (completion_every)"
        return f"{when}: {plan.tokens} tokens at most, {SHARED}"
    return "no completion is asked for: that takes --spend, and completion_every in the check"
