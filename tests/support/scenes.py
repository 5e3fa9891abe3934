"""Small builders, so that a scenario of the core reads as a script: who serves, what happened, what was decided.

Everything here is plain data with sensible defaults; a test names only what it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import TypedDict, Unpack
from zlib import crc32

from failoverd.core.control.decide import decide
from failoverd.core.control.decision import Decision, DecisionKind, View
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import InSync, LastGood, Plan, Refused, Signature, diff
from failoverd.core.health.endpoint import CheckHealth, Health, Observation, Verdict, observe
from failoverd.core.health.region import RegionHealth, roll_up
from failoverd.core.health.table import HealthTable
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.reasons import Cause
from failoverd.core.records import (
    WHOLE,
    Check,
    Endpoint,
    HealthRules,
    Marker,
    Observed,
    Policy,
    ProbeResult,
    RecordKey,
    RecordSet,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
    Timings,
)

NOW = 1_800_000_000.0
"""The moment at which most scenes play, in seconds since the epoch."""

OWNER = "prod"
KEY = RecordKey("api.example.com", RecordType.A)
TARGET = Target("inference-api", KEY, "dns-main", "example.com")
TTL = 30
RECORD = RecordSpec(KEY, TTL, (TARGET,))
LIVE = Check("live", "https", every=10.0, timeout=2.0)
GATED = frozenset(cause for cause in Cause if not cause.urgent)
"""Causes that may wait at a gate. What is down, and what answers nothing, waits at none."""


# -- policies ----------------------------------------------------------------------------------------------------------


def region(
    name: str, share: float = 0, *addresses: str, priority: int = 1, capacity: float | None = None
) -> RegionSpec:
    """A region whose `share` is written in percent, as in a policy file; it gets an address if none is given."""
    endpoints = tuple(Endpoint(name, address) for address in addresses or (address_of(name),))
    return RegionSpec(name, round(share * 100), endpoints, priority, capacity)


def address_of(name: str) -> str:
    """An address that is the same whenever it is asked for, and another one for another name."""
    return str(ip_address("10.0.0.0") + crc32(name.encode()) % 2**24)


def policy(*regions: RegionSpec, base: Policy | None = None) -> Policy:
    """A policy over `regions`; pass `base` to start from other settings than the defaults."""
    base = base or Policy(TARGET.policy, (RECORD,), (), (LIVE,))
    return replace(base, regions=regions)


AZURE = region("azure", 70, "192.0.2.10")
OCI = region("oci", 30, "198.51.100.10")
AWS = region("aws", 0, "203.0.113.10")
"""The standby: it has no share of its own."""

PAIR = policy(AZURE, OCI)
TRIO = policy(AZURE, OCI, AWS)


# -- probes and health -------------------------------------------------------------------------------------------------

_OUTCOMES = {"P": ProbeOutcome.PASS, "F": ProbeOutcome.FAIL, "D": ProbeOutcome.DEGRADED, "B": ProbeOutcome.BLIND}
_REASONS = {
    ProbeOutcome.PASS: ProbeReason.OK,
    ProbeOutcome.FAIL: ProbeReason.CONNECT_REFUSED,
    ProbeOutcome.DEGRADED: ProbeReason.OVERLOADED,
    ProbeOutcome.BLIND: ProbeReason.NO_ROUTE,
}


def result(letter: str, at: float = NOW) -> ProbeResult:
    """One probe result: P(ass), F(ail), D(egraded) or B(lind)."""
    outcome = _OUTCOMES[letter]
    return ProbeResult(AZURE.endpoints[0], LIVE.name, outcome, _REASONS[outcome], Timings(0.012), at)


def probed(script: str, rules: HealthRules, health: CheckHealth | None = None, *, every: float = 1.0) -> CheckHealth:
    """The health after a series of outcomes such as `PPF`, one each `every` seconds."""
    return observations(script, rules, health, every=every)[-1].health


def observations(
    script: str, rules: HealthRules, health: CheckHealth | None = None, *, every: float = 1.0
) -> list[Observation]:
    """What each outcome of the script did. The series goes on after the last outcome of `health`."""
    health = health or CheckHealth()
    start = health.seen_at + every if health.seen_at is not None else NOW
    seen = []
    for index, letter in enumerate(script):
        observation = observe(health, result(letter, start + index * every), rules)
        health = observation.health
        seen.append(observation)
    return seen


def finding(state: Health, evidence: str = "") -> Verdict:
    """A verdict on an endpoint."""
    return Verdict(state, NOW, LIVE.name, ProbeReason.OK, evidence or f"said to be {state}")


def rolled(
    states: Mapping[str, Health] | str,
    before: RegionHealth | None = None,
    rules: HealthRules | None = None,
    now: float = NOW,
    *,
    name: str = "azure",
    weights: Sequence[int] = (),
) -> RegionHealth:
    """A region from the states of its endpoints: a mapping, or letters (H, D, U for unhealthy, `?` for unknown)."""
    if isinstance(states, str):
        states = {f"192.0.2.{number}": HEALTHS[letter] for number, letter in enumerate(states, start=1)}
    endpoints = [(value, finding(state)) for value, state in states.items()]
    return roll_up(name, endpoints, before, rules or HealthRules(), now, weights)


HEALTHS = {"H": Health.HEALTHY, "D": Health.DEGRADED, "U": Health.UNHEALTHY, "?": Health.UNKNOWN}


def healths(
    of: Policy,
    states: Mapping[str, str] | None = None,
    *,
    before: Mapping[str, RegionHealth] | None = None,
    now: float = NOW,
    well_for: float = 86_400.0,
) -> dict[str, RegionHealth]:
    """The health of each region from letters per region, one an endpoint; a region left out is all HEALTHY.

    A region has been as it is for `well_for` seconds, unless `before` tells its history.
    """
    states = states or {}
    found = {}
    for spec in of.regions:
        letters = states.get(spec.name, "H" * len(spec.endpoints))
        by_value = {
            str(end.answer(KEY.type)): HEALTHS[letter] for end, letter in zip(spec.endpoints, letters, strict=True)
        }
        past = (before or {}).get(spec.name)
        if past is None and "?" in letters:
            well = dict.fromkeys(by_value, Health.HEALTHY)
            past = rolled(well, None, of.health, now - well_for, name=spec.name, weights=spec.weights)
        moment = now if past is not None else now - well_for
        found[spec.name] = rolled(by_value, past, of.health, moment, name=spec.name, weights=spec.weights)
    return found


# -- records -----------------------------------------------------------------------------------------------------------


def records(weights: Mapping[str, int], *, ttl: int = TTL) -> RecordSet:
    """A record set from weights by answer value."""
    return RecordSet.of(KEY, ttl, weights)


def published(of: Policy, shares: Mapping[str, float]) -> RecordSet:
    """A record set from percent by region, split evenly among all endpoints of the region."""
    weights: dict[str, int] = {}
    for spec in of.regions:
        values = [str(endpoint.answer(KEY.type)) for endpoint in spec.endpoints]
        share = round(shares.get(spec.name, 0) * 100)
        weights |= {value: share // len(values) for value in values if share}
    return records(weights)


def observed(
    found: RecordSet | None,
    *,
    generation: int | None = 7,
    owner: str = OWNER,
    by: str = TARGET.policy,
    types: Iterable[RecordType] = (RecordType.A,),
    text: str | None = None,
    foreign: tuple[str, ...] = (),
    epoch: int = 0,
) -> Observed:
    """What stands at the target; `generation=None` means that no marker stands beside it."""
    marker = None if generation is None else Marker(owner, by, generation, tuple(sorted(types)), epoch=epoch)
    if marker is not None:
        text = marker.to_text()
    return Observed(TARGET, found, marker, text, foreign)


def wanted(
    of: Policy,
    states: Mapping[str, str] | None = None,
    shares: Mapping[str, float] | None = None,
    *,
    now: float = NOW,
    returning: Iterable[str] = (),
    well_for: float = 86_400.0,
) -> Decision:
    """Decide with regions as the letters say, and the record as the percentages say (None: it does not exist)."""
    view = View(
        healths(of, states, now=now, well_for=well_for),
        published(of, shares) if shares is not None else None,
        owned=shares is not None,
        returning=frozenset(returning),
    )
    return decide(of, of.records[0], of.records[0].targets[0], view, now)


def decision(shares: Mapping[str, int], found: RecordSet | None) -> Decision:
    """A decision for tests that only need one to stand behind a plan."""
    return Decision(TARGET, DecisionKind.NORMAL, shares, found, (), NOW)


class DiffExtras(TypedDict, total=False):
    last_good: LastGood | None
    owner: str
    epoch: int


def compared(of: Policy, seen: Observed, desired: RecordSet, **extras: Unpack[DiffExtras]) -> Plan | InSync | Refused:
    """`diff` with the defaults of these scenes."""
    region_of = of.region_of(KEY.type)
    return diff(
        seen,
        desired,
        decision(desired.shares(region_of), desired),
        signed=Signature(extras.get("owner", OWNER), epoch=extras.get("epoch", 0)),
        region_of=region_of,
        revision="r1",
        last_good=extras.get("last_good"),
    )


def plan_between(of: Policy, before: Mapping[str, float] | None, after: Mapping[str, float]) -> Plan:
    """The plan that moves the record from one distribution (percent by region) to another."""
    stands = observed(published(of, before)) if before is not None else observed(None, generation=None)
    plan = compared(of, stands, published(of, after))
    assert isinstance(plan, Plan)
    return plan


def past(at: float, before: Mapping[str, float], after: Mapping[str, float]) -> PastChange:
    """A change of the past, in percent by region."""
    return PastChange(f"chg-{at:g}", at, basis_points(before), basis_points(after))


def basis_points(shares: Mapping[str, float]) -> dict[str, int]:
    """Percent to basis points."""
    return {name: round(share * WHOLE / 100) for name, share in shares.items()}


def through_check(table: HealthTable, policy: str, endpoint: Endpoint, check: str = "live") -> CheckHealth:
    """What is known of an endpoint through one check."""
    state = table._policies[policy].state(endpoint, check)
    assert state is not None
    return state.health
