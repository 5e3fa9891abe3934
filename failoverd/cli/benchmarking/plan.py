"""What a benchmark sends: fixed before it begins, bounded, and said in full before anything is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from failoverd.config.schema import Region
from failoverd.core.errors import ConfigError
from failoverd.core.records import Check, Endpoint, Policy, RegionSpec
from failoverd.probes.inference.settings import InferenceSettings, most_tokens

MOST_PER_ENDPOINT: Final = 50.0
"""Requests a second that one endpoint gets at most."""

MOST_IN_ALL: Final = 1_000.0
"""Requests a second that leave this machine at most."""

MOST_SECONDS: Final = 3_600.0

_DAY: Final = 86_400.0
_ALMOST: Final = 1e-9
"""So that 0.3s at 10/s are three requests, whatever floats make of it."""


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices in USD, from the inventory; None where it states none."""

    egress_per_gb: float | None = None
    per_million_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A benchmark before it begins.

    Attributes:
        check: how each endpoint is looked at.
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
    def total(self) -> int:
        return self.each * len(self.endpoints)

    def schedule(self) -> Iterator[tuple[float, Endpoint]]:
        """When each request is due, in seconds after the start. Endpoints take turns within each interval."""
        endpoints = self.endpoints
        for turn in range(self.each):
            for place, endpoint in enumerate(endpoints):
                yield (turn + place / len(endpoints)) / self.rate, endpoint


def make_plan(
    policy: Policy,
    inventory: Mapping[str, Region],
    *,
    regions: Sequence[str],
    check: str | None,
    seconds: float,
    rate: float,
    spend_at: float | None = None,
) -> Plan:
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
        ConfigError: nobody is there by that name, or a bound would be passed.
    """
    chosen = _regions(policy, regions)
    count = sum(len(region.endpoints) for region in chosen)
    _keep_bounds(seconds, rate, count)
    looked = _check(policy, check)
    known = {region.name: inventory.get(region.name) for region in chosen}
    return Plan(
        policy=policy.name,
        check=looked,
        regions=chosen,
        clouds={name: entry.cloud if entry is not None else "" for name, entry in known.items()},
        prices={name: _prices(entry) for name, entry in known.items()},
        seconds=seconds,
        rate=rate,
        tokens=_tokens(looked, count, seconds, spend_at) if spend_at is not None else 0,
    )


def _regions(policy: Policy, names: Sequence[str]) -> tuple[RegionSpec, ...]:
    unknown = set(names) - {region.name for region in policy.regions}
    if unknown:
        known = ", ".join(region.name for region in policy.regions)
        raise _refused(f"{policy.name} has no region {', '.join(sorted(unknown))}; it has: {known}", "region_unknown")
    return tuple(region for region in policy.regions if not names or region.name in names)


def _check(policy: Policy, name: str | None) -> Check:
    known = ", ".join(check.name for check in policy.checks)
    if name is None and len(policy.checks) > 1:
        raise _refused(f"{policy.name} has several checks: choose one with --check: {known}", "check_needed")
    for check in policy.checks:
        if name in {None, check.name}:
            return check
    raise _refused(f"{policy.name} has no check {name}; it has: {known}", "check_unknown")


def _keep_bounds(seconds: float, rate: float, endpoints: int) -> None:
    if not 0 < seconds <= MOST_SECONDS:
        raise _refused(f"a benchmark takes more than 0s and {MOST_SECONDS / 3_600:g}h at most", "benchmark_bounds")
    if not 0 < rate <= MOST_PER_ENDPOINT:
        raise _refused(f"the rate is above 0 and {MOST_PER_ENDPOINT:g}/s per endpoint at most", "benchmark_bounds")
    if rate * endpoints > MOST_IN_ALL:
        most = MOST_IN_ALL / endpoints
        raise _refused(
            f"{rate:g}/s to {endpoints} endpoints are more than {MOST_IN_ALL:g}/s in all",
            "benchmark_bounds",
            f"write --rate {floor(most * 100) / 100:g}/s, or name fewer regions",
        )


def _refused(words: str, reason: str, remedy: str = "nothing was sent; ask again with what there is") -> ConfigError:
    return ConfigError(words, reason=reason, remedy=remedy)


def _prices(entry: Region | None) -> Prices:
    return Prices() if entry is None else Prices(entry.egress_cost_per_gb, entry.price_per_million_tokens)


def _tokens(check: Check, endpoints: int, seconds: float, now: float) -> int:
    """Each endpoint is asked for a completion when it is its turn, and all within the check's daily limit."""
    settings = check.settings
    if not isinstance(settings, InferenceSettings) or settings.completion_every is None:
        return 0
    span = seconds + check.timeout
    turns = ceil(span / settings.completion_every) + 1
    days = 1 + floor((now % _DAY + span) / _DAY)
    return min(endpoints * turns * most_tokens(settings.prompt, settings.max_tokens), days * settings.tokens_per_day)


# -- in words ----------------------------------------------------------------------------------------------------------


def announce(plan: Plan) -> list[str]:
    """What is about to be sent, line by line."""
    per = ", ".join(f"{region.name} {len(region.endpoints)}" for region in plan.regions)
    check, endpoints, rate = plan.check, len(plan.endpoints), plan.rate
    lines = [
        f"{plan.policy}: {plan.total} requests of check {check.name} ({check.kind}) within {plan.seconds:g}s",
        f"{plan.each} to each of {endpoints} endpoints ({per}), {rate:g}/s each, {rate * endpoints:g}/s in all",
    ]
    lines += [f"  {region.name}: {', '.join(each.text for each in region.endpoints)}" for region in plan.regions]
    if isinstance(plan.check.settings, InferenceSettings):
        lines.append(_about_tokens(plan))
    return lines


def _about_tokens(plan: Plan) -> str:
    if plan.tokens:
        return f"completions are asked for at the check's own pace (completion_every): {plan.tokens} tokens at most"
    return "no completion is asked for: that takes --spend, and completion_every in the check"
