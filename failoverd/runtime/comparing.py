"""From what is observed at a target to the difference that is wanted: the same for the daemon and for the operator."""

from collections.abc import Mapping

from failoverd.core.decide import Decision, View, decide
from failoverd.core.health.region import RegionHealth
from failoverd.core.plan import InSync, LastGood, Plan, Refused, diff, drifted
from failoverd.core.records import Observed, Policy, RecordSpec
from failoverd.ports import Provider


def decide_on(
    observed: Observed,
    policy: Policy,
    record: RecordSpec,
    regions: Mapping[str, RegionHealth],
    last_good: LastGood | None,
    now: float,
    *,
    returning: frozenset[str] = frozenset(),
) -> Decision:
    """What the policy wants, given what stands there. `returning` are regions that a person brings back now."""
    view = View(
        regions=regions,
        current=observed.records,
        owned=observed.marker is not None and record.key.type in observed.marker.types,
        last_good=last_good.records if last_good is not None else None,
        returning=returning,
        drifted=drifted(observed, last_good),
        last_shares=last_good.shares if last_good is not None else {},
    )
    return decide(policy, record, observed.target, view, now)


def compare(
    observed: Observed,
    decision: Decision,
    policy: Policy,
    provider: Provider,
    last_good: LastGood | None,
    *,
    plan_id: str,
    owner: str,
) -> Plan | InSync | Refused | None:
    """The difference, in the provider's own terms. None when the decision is to leave the record exactly as it is.

    Raises:
        Permanent: the provider cannot say what is wanted.
    """
    if decision.records is None:
        return None
    says_so = observed.records is not None and observed.records.says(decision.records)
    return diff(
        observed,
        observed.records if observed.records is not None and says_so else provider.normalise(decision.records),
        decision,
        plan_id=plan_id,
        owner=owner,
        region_of=policy.region_of(observed.target.key.type),
        revision=policy.source.revision,
        last_good=last_good,
    )
