"""Whose a name is: taking a record over, and giving it back. Only the marker is written; no answer changes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.epochs import remedy
from failoverd.core.control.identity import identity
from failoverd.core.control.limits import marker_only
from failoverd.core.control.outcome import WRITE_ORDER, Outcome, OutcomeKind
from failoverd.core.control.plan import InSync, LastGood, Plan, PlanKind, RefusalReason, Refused, Signature, refusal
from failoverd.core.control.state import PolicyState
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Marker, Observed, Policy, RecordType


def adopt(observed: Observed, decision: Decision, *, plan_id: str, signed: Signature, region_of: Mapping[str, str],
          revision: str, last_good: LastGood | None = None) -> Plan | InSync | Refused:  # fmt: skip
    """Take over a record that exists without a marker of ours, leaving its answers exactly as they are.

    A record of another owner is still refused; one of another policy of the same owner is taken over (a rename). One
    whose marker is older than what was verified (a zone restored on purpose) is taken over above that generation. One
    that a newer leader wrote is refused, whatever policy has it.
    """
    refused = _outranked(observed, signed) or refusal(observed, signed.owner)
    if refused is not None and refused.reason not in {RefusalReason.NO_MARKER, RefusalReason.OTHER_POLICY}:
        return refused
    target, marker = observed.target, observed.marker
    if observed.records is None:
        return Refused(
            target,
            RefusalReason.NO_MARKER,
            f"{target.key} does not exist, so there is nothing to adopt",
            "the daemon creates missing records by itself once its regions have verdicts",
        )
    stale = marker is not None and last_good is not None and marker.generation < last_good.generation
    if refused is None and marker is not None and not stale:
        return InSync(target, marker.generation)
    floor = max(marker.generation if marker else 0, last_good.generation if last_good else 0)
    types = {target.key.type, *(marker.types if marker else ())}
    shares = observed.records.shares(region_of)
    return Plan(
        id=plan_id,
        kind=PlanKind.ADOPT,
        target=target,
        before=observed,
        after=observed.records,
        marker=_taken(marker or Marker(signed.owner, target.policy, floor, ()), target.policy, floor, types, signed),
        shares_before=shares,
        shares_after=shares,
        decision=decision,
        revision=revision,
    )


def disown(observed: Observed, decision: Decision, *, plan_id: str, signed: Signature, region_of: Mapping[str, str],
           revision: str) -> Plan | InSync | Refused:  # fmt: skip
    """Give a record back: its marker goes, or says this type no more, and its answers stay exactly as they are.

    A record that no marker of ours speaks of is nobody's already.
    """
    refused = _outranked(observed, signed) or refusal(observed, signed.owner)
    target, marker = observed.target, observed.marker
    if refused is not None and refused.reason is RefusalReason.NO_MARKER:
        return InSync(target, 0)
    if refused is not None:
        return refused
    if observed.records is None or marker is None:
        return Refused(
            target,
            RefusalReason.NO_MARKER,
            f"{target.key} does not exist, so there is nothing to give back",
            "remove the record from the policy",
        )
    kept = tuple(kind for kind in marker.types if kind is not target.key.type)
    shares = observed.records.shares(region_of)
    return Plan(
        id=plan_id,
        kind=PlanKind.DISOWN,
        target=target,
        before=observed,
        after=observed.records,
        marker=_taken(marker, marker.policy, marker.generation, kept, signed),
        shares_before=shares,
        shares_after=shares,
        decision=decision,
        revision=revision,
    )


def _taken(marker: Marker, policy: str, floor: int, types: Iterable[RecordType], signed: Signature) -> Marker:
    """What is to stand there above a generation: whose the name is, and what operators' words said of it before."""
    return signed.under(replace(marker, policy=policy, generation=floor + 1, types=tuple(sorted(types))))


def _outranked(observed: Observed, signed: Signature) -> Refused | None:
    """The name is ours, and a newer leader wrote it: whoever writes for an older one would undo what that one does."""
    marker = observed.marker
    if marker is None or not signed.outranked_by(marker):
        return None
    return Refused(
        observed.target,
        RefusalReason.NEWER_LEADER,
        f"{observed.target.key.name} was written by the leader of epoch {marker.epoch}, and this is {signed.epoch}",
        *remedy(observed.target.key.name, signed.epoch),
    )


# -- as outcomes -------------------------------------------------------------------------------------------------------


def adopted(
    policy: Policy, state: PolicyState, observed: Observed, signed: Signature, actor: str, now: float
) -> Outcome | InSync:
    """What it takes to take a record over on behalf of `actor`; InSync when it is ours already."""
    decision = _by_hand(observed, ReasonCode.ADOPT, f"{actor} adopts {observed.target.key}; its answers stay", now)
    make = partial(adopt, last_good=state.of(observed.target).last_good)
    return _outcome(make, policy, state, observed, signed, decision)


def disowned(
    policy: Policy, state: PolicyState, observed: Observed, signed: Signature, actor: str, now: float
) -> Outcome | InSync:
    """What it takes to give a record back on behalf of `actor`."""
    words = f"{actor} gives {observed.target.key} back; its answers stay"
    return _outcome(disown, policy, state, observed, signed, _by_hand(observed, ReasonCode.DISOWN, words, now))


def _by_hand(observed: Observed, code: ReasonCode, words: str, now: float) -> Decision:
    target, reasons = observed.target, (Reason(code, detail=words),)
    decided = identity("dec", now, target, words)
    return Decision(target, DecisionKind.OPERATOR, {}, observed.records, reasons, now, id=decided)


def _epoch(state: PolicyState, observed: Observed) -> int:
    """The epoch under which it is written: our own, or one of which a person said that its leader is gone."""
    known = (state.of(observed.target), *state.other_types(observed.target))
    return max(state.epoch, *(each.precedence.settled for each in known))


def _outcome(
    make: Callable[..., Plan | InSync | Refused],
    policy: Policy,
    state: PolicyState,
    observed: Observed,
    signed: Signature,
    decision: Decision,
) -> Outcome | InSync:
    signed = replace(signed, epoch=_epoch(state, observed))
    found = make(
        observed,
        decision,
        plan_id=identity("chg", decision.at, decision),
        signed=signed,
        region_of=policy.region_of(observed.target.key.type),
        revision=policy.source.revision,
    )
    if isinstance(found, InSync):
        return found
    if isinstance(found, Refused):
        return Outcome(OutcomeKind.REFUSE, decision, state, refused=found)
    approved = marker_only(found, policy.limits)
    return Outcome(OutcomeKind.WRITE, decision, state, plan=found, approved=approved, order=WRITE_ORDER)
