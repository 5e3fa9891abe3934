"""What every provider does with record sets, whatever its API: weights in its range, and never an empty answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, RecordSet, RecordType, Weights
from failoverd.core.weights import filled, fitted

WEIGHTS: Final[Mapping[RecordType, Weights]] = MappingProxyType(
    dict.fromkeys((RecordType.A, RecordType.AAAA, RecordType.CNAME), Weights.MEMBERSHIP)
    | {RecordType.SRV: Weights.NATIVE}
)
"""What DNS itself can say: shares in SRV alone."""


def scaled(answers: Sequence[Answer], max_weight: int, *, fill: bool = False) -> tuple[Answer, ...]:
    """Weights of at most `max_weight` that say the same split as exactly as they can; small ones stay as they are.

    `fill`: in numbers as great as the range allows, for where answers are written one after the other. What stands
    there half-way compares old weights with new ones, which therefore have to be of one scale.
    """
    weights = tuple(answer.weight for answer in answers)
    if max(weights, default=0) <= max_weight:
        return tuple(answers)
    said = fitted(weights, max_weight)
    said = filled(said, max_weight) if fill else said
    return tuple(replace(answer, weight=weight) for answer, weight in zip(answers, said, strict=True))


def members(desired: RecordSet) -> RecordSet:
    """The set as a provider without weights says it: whoever serves is in, with a weight of 1."""
    return replace(desired, answers=tuple(Answer(answer.value, 1) for answer in serving(desired)))


def weighted(desired: RecordSet, max_weight: int, *, fill: bool = False) -> RecordSet:
    """The set as a provider with weights from 1 to `max_weight` says it (`scaled`); what never serves is left out."""
    return replace(desired, answers=scaled(serving(desired), max_weight, fill=fill))


def serving(records: RecordSet) -> tuple[Answer, ...]:
    """The answers that get traffic. Raises Permanent when there are none: an empty answer is never published."""
    if not records.serving:
        raise Permanent(
            f"{records.key} would have no answer at all, and an empty answer is never published",
            reason="empty_answer",
            remedy="give at least one endpoint a weight above 0; if a policy led to this, please report it",
        )
    return records.serving


def refuse_several(desired: RecordSet) -> None:
    """Raises Permanent when a type that holds one value at a time (a CNAME in plain DNS) would hold several."""
    if len(desired.serving) > 1:
        values = ", ".join(answer.value for answer in desired.serving)
        raise Permanent(
            f"{desired.key} cannot answer with {len(desired.serving)} values at once ({values}): a name has one CNAME",
            reason="unsayable",
            remedy="use `steering: failover` with one region in front, or A and AAAA records",
        )


def refuse_more_than(desired: RecordSet, most: int) -> None:
    """Raises Permanent when the set has more values than the provider's record set holds."""
    if len(desired.answers) > most:
        raise Permanent(
            f"{desired.key} would have {len(desired.answers)} values, and one record set holds {most} at this provider",
            reason="too_many_answers",
            remedy="give the policy fewer endpoints, or spread them over several names",
        )


def read_only(plan: Plan) -> Permanent:
    """What a client that was opened for reading answers to a write."""
    return Permanent(
        f"provider {plan.target.provider} was opened for reading only, and a write of {plan.target.key} was asked",
        reason="read_only",
        remedy="nothing was sent; run without dry run to write",
    )


def is_in(name: str, zone: str) -> bool:
    """Whether a name stands in a zone."""
    return name == zone or name.endswith(f".{zone}")
