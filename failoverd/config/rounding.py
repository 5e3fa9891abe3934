"""Whether a provider's whole numbers can say the shares of a policy when all is well.

What is off by more than a tenth of a share is told, for nothing is approximated in silence.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document
from failoverd.config.drafts import ProviderEntry
from failoverd.config.losses import when_all_is_well
from failoverd.config.values import say_percent
from failoverd.core.control.decision import Decision
from failoverd.core.records import WHOLE, Policy, RecordSpec, Weights
from failoverd.core.weights import fitted

TOLERATED: Final = Fraction(1, 10)
"""How far off an answer may be, as a part of its own share."""


class _Off(NamedTuple):
    """An answer that gets another part of the traffic than it is to get, both from 0 to 1. The worst sorts last."""

    by: Fraction
    value: str
    wanted: Fraction
    said: Fraction


def rounding(policy: Policy, providers: Mapping[str, ProviderEntry], document: Document) -> Iterator[Diagnostic]:
    """For each region the answer that is furthest off, at the first provider that cannot say its share."""
    told: set[str] = set()
    for record in policy.records if policy.weights is Weights.NATIVE else ():
        named = (providers[target.provider] for target in record.targets)
        native = [each for each in named if each.capabilities.weights.get(record.key.type) is Weights.NATIVE]
        if record.single or not native:
            continue
        decision, values = when_all_is_well(policy, record).decision, _values(policy, record)
        for provider in native:
            for region, worst in _regions_off(decision, values, provider.capabilities.max_weight).items():
                if region not in told:
                    told.add(region)
                    least = _least(decision, values, region, provider.capabilities.max_weight)
                    yield _told(policy, record, provider, document, region, worst, values[region], least)


def _regions_off(decision: Decision, values: Mapping[str, Mapping[str, int]], most: int) -> Mapping[str, _Off]:
    """The worst answer of each region that is off by more than is tolerated."""
    wanted = decision.records.serving if decision.records is not None else ()
    weights = fitted(tuple(answer.weight for answer in wanted), most)
    said = {answer.value: Fraction(weight, sum(weights)) for answer, weight in zip(wanted, weights, strict=True)}
    found: dict[str, _Off] = {}
    for region, share in decision.shares.items():
        if region not in values:
            continue  # a named place, which has one value of each type
        whole = WHOLE * sum(values[region].values())
        dues = {value: Fraction(share * weight, whole) for value, weight in values[region].items()}
        gets = {value: said.get(value, Fraction(0)) for value in dues}
        worst = max(_Off(abs(gets[value] - due) / due, value, due, gets[value]) for value, due in dues.items())
        if worst.by > TOLERATED:
            found[region] = worst
    return found


def _told(
    policy: Policy,
    record: RecordSpec,
    provider: ProviderEntry,
    document: Document,
    region: str,
    off: _Off,
    values: Mapping[str, int],
    least: int,
) -> Diagnostic:
    who = region if len(values) == 1 else f"{off.value} of {region}"
    most = provider.capabilities.max_weight
    message = (
        f"{who} is to get {float(off.wanted):.2%} of {record.key} and would get {float(off.said):.2%}: "
        f"the weights of provider {provider.name} ({provider.kind.name}) are whole numbers up to {most}"
    )
    share = next(spec.share for spec in policy.regions if spec.name == region)
    apart = max(values.values()) > most * min(values.values())
    hint = (
        f"write a share of {say_percent(least).rstrip('%')} or more, or 0 for a standby; or choose another provider"
        if least > share and not apart
        else f"give it fewer endpoints: its share is split among {len(values)}; or write a larger share"
    )
    if len(set(values.values())) > 1 and (apart or least <= share):
        hint = "give its endpoints weights that are nearer to each other, or write a larger share"
    place = ("regions", region, "share")
    return document.diagnose(Code.SHARE_ROUNDED, place, message, hint, key=True, severity=Severity.WARNING)


def _least(decision: Decision, values: Mapping[str, Mapping[str, int]], region: str, most: int) -> int:
    """The smallest share, in basis points, that leaves each endpoint of the region a weight of 1 beside the others."""
    parts = {
        name: Fraction(sum(weights.values()), max(weights.values())) for name, weights in values.items() if weights
    }
    others = {name: share for name, share in decision.shares.items() if name != region}
    if not others:
        return 0
    heaviest = max(share / parts[name] for name, share in others.items())
    beside = Fraction(most) * sum(others.values()) / heaviest
    mine = Fraction(sum(values[region].values()), min(values[region].values()))
    return ceil(WHOLE * mine / (mine + beside))


def _values(policy: Policy, record: RecordSpec) -> dict[str, dict[str, int]]:
    """The answers of each region, each with its weight."""
    return {spec.name: dict(sorted(spec.answers(record.key.type).items())) for spec in policy.regions}
