"""A plan file is reviewed by people and may be edited by anybody: what is written is built again from trusted parts.

From the file come the answers that were reviewed, the reasons and the id. Whose name it is, the generation, the owner
and the shares that limits are counted from are told from what stands there, the policy and the journal, by the same
`diff` that makes every plan. A file that says anything else is refused.
"""

from dataclasses import fields, replace
from typing import Final

from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.plan import InSync, LastGood, Plan, Refused, diff
from failoverd.core.records import Marker, Observed, Policy, RecordSpec, Target
from failoverd.ports import Provider

_AGAIN: Final = (
    "make the plan again with failoverctl plan --out; a plan file is applied as it was written, or not at all"
)


def record_of(policy: Policy, target: Target) -> RecordSpec:
    """The record of the policy that the target belongs to.

    Raises:
        FailoverdError: the policy has no such target, so it is not the policy's to touch.
    """
    for record in policy.records:
        if target in record.targets:
            return record
    targets = ", ".join(sorted(f"{each} in {each.zone}" for record in policy.records for each in record.targets))
    raise _refused(
        f"the plan names {target} in {target.zone}, which policy {policy.name} does not publish; it has: {targets}",
        "target_unknown",
    )


def rebuild(
    plan: Plan, observed: Observed, policy: Policy, provider: Provider, last_good: LastGood | None, owner: str
) -> Plan:
    """The plan as failoverd itself makes it from what stands there, which is exactly what the file says.

    Raises:
        FailoverdError: the name is not ours, or the file says anything that failoverd would not have planned.
    """
    _check_answers(plan, policy, provider, last_good)
    found = diff(
        observed,
        provider.normalise(plan.after),
        plan.decision,
        plan_id=plan.id,
        owner=owner,
        region_of=policy.region_of(plan.target.key.type),
        revision=policy.source.revision,
        last_good=last_good,
    )
    if isinstance(found, Refused):
        raise Fenced(found.detail, reason=found.reason, remedy=found.remedy)
    if isinstance(found, InSync):
        raise Fenced(f"{plan.target} holds what the plan wants already", reason="in_sync", remedy="nothing to do")
    other = [spec.name for spec in fields(Plan) if getattr(found, spec.name) != getattr(plan, spec.name)]
    if other:
        words = "; ".join(f"{name} is {_say(plan, name)} and has to be {_say(found, name)}" for name in other)
        raise _refused(f"the plan of {plan.target} is not what failoverd plans: {words}", "plan_altered")
    return found


def _check_answers(plan: Plan, policy: Policy, provider: Provider, last_good: LastGood | None) -> None:
    """What would be answered is the policy's own, and is what the reasons in the file speak of."""
    record, target, after = record_of(policy, plan.target), plan.target, plan.after
    if after.key != record.key:
        raise _refused(f"the plan of {target} would write {after.key}", "plan_altered")
    known = policy.region_of(record.key.type)
    strange = [answer.value for answer in after.answers if answer.value not in known]
    if strange:
        words = f"the plan would answer {record.key} with {', '.join(strange)}, which no region of {policy.name} has"
        raise _refused(words, "answer_unknown")
    decided = plan.decision.records
    if plan.decision.target != target or decided is None or provider.normalise(decided) != after:
        raise _refused(f"the plan of {target} is not what its own decision says", "plan_altered")
    normal = provider.normalise(replace(after, ttl=record.ttl)).ttl
    verified = last_good.records.ttl if last_good is not None else normal
    if after.ttl not in {normal, verified}:
        raise _refused(f"the plan of {target} has a TTL of {after.ttl}s, the policy says {record.ttl}s", "plan_altered")


def _say(plan: Plan, name: str) -> str:
    value = getattr(plan, name)
    return str(value.to_text() if isinstance(value, Marker) else value)[:200]


def _refused(detail: str, reason: str) -> FailoverdError:
    return FailoverdError(detail, reason=reason, remedy=_AGAIN)
