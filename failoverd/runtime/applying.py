"""One approved plan, from intent to what is read back.

Journal the intent, apply behind the fence, read back, journal the outcome. What the provider answered proves nothing;
what is read back does. An answer that was lost on the way (a time-out after the request left) is resolved the same way:
by reading, never by sending again. What the provider itself holds is then proved at the authoritative servers, in the
background (`proving.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from failoverd.core.decide import Reason
from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.events import ChangeApplied, ChangeFenced
from failoverd.core.guard import Approved
from failoverd.core.plan import Plan, PlanKind
from failoverd.core.records import Observed, Policy, RecordSet
from failoverd.ports import ChangeOutcome, Clock, Emit, Provider, Urgency
from failoverd.runtime.by_hand import manual
from failoverd.runtime.memory import Memory
from failoverd.runtime.naming import names
from failoverd.runtime.proving import Prover


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies approved plans on behalf of `actor`."""

    memory: Memory
    prover: Prover
    emit: Emit
    clock: Clock
    actor: str

    async def apply(self, provider: Provider, approved: Approved, policy: Policy, incident_id: str) -> None:
        """Write the plan, read it back, and begin to prove it.

        Raises:
            ProviderError: as the provider said, after the outcome was journalled. Fenced means that nothing changed, or
                (`overtaken`) that it changed and another writer has replaced it since: read and decide again.
        """
        plan = approved.plan
        started = self.clock()
        await self.memory.intend(plan, started)
        try:
            await self._write(provider, approved)
            overtaken = await self._read_back(provider, plan)
        except Fenced as error:
            await self.memory.settle(plan, ChangeOutcome.FENCED, str(error), self.clock())
            self._tell_fenced(plan, error, incident_id)
            raise
        except ProviderError as error:
            unverified = error.reason == "no_effect"
            outcome = ChangeOutcome.UNVERIFIED if unverified else ChangeOutcome.FAILED
            await self.memory.settle(plan, outcome, str(error), self.clock())
            raise
        now = self.clock()
        limits = tuple(str(check) for check in approved.checks)
        # told before it is settled: a process that dies here tells it twice, and not never
        self._tell_applied(provider, plan, policy, incident_id, took=now - started, limits=limits)
        if overtaken is None:
            self.prover.prove(provider, plan, incident_id)
        await self.memory.settle(plan, ChangeOutcome.APPLIED, overtaken.detail if overtaken is not None else "", now)
        if overtaken is not None:
            raise overtaken

    def found(self, provider: Provider, plan: Plan, policy: Policy, incident_id: str) -> None:
        """Say that a plan whose outcome was not known turned out to be in place."""
        self._tell_applied(provider, plan, policy, incident_id, took=self.clock() - plan.decision.at, limits=())
        self.prover.prove(provider, plan, incident_id)

    async def _write(self, provider: Provider, approved: Approved) -> None:
        try:
            await provider.apply(approved)
        except Transient as error:
            if not await self._took_effect(provider, approved.plan):
                raise error from None

    async def _took_effect(self, provider: Provider, plan: Plan) -> bool:
        """Whether a write whose answer was lost is there all the same."""
        try:
            return holds(await provider.read(plan.target, urgency=Urgency.CHANGE), plan)
        except ProviderError:
            return False  # cannot be known now: the next round reads again and decides again

    async def _read_back(self, provider: Provider, plan: Plan) -> Fenced | None:
        """None when it stands there as written. The provider said yes: a newer generation was written after ours."""
        try:
            observed = await provider.read(plan.target, urgency=Urgency.CHANGE)
        except ProviderError as error:
            raise _not_read_back(plan, error) from error
        if holds(observed, plan):
            return None
        if observed.marker is not None and observed.marker.generation > plan.generation:
            newer = f"generation {observed.marker.generation} of {observed.marker.owner}/{observed.marker.policy}"
            return Fenced(
                f"generation {plan.generation} of {plan.target} was written, and {newer} had replaced it when it was "
                f"read back",
                reason="overtaken",
                remedy="nothing to do: it is read and decided again",
            )
        raise Permanent(
            f"{plan.target} was written and the provider said yes, but reading it back shows {_say(observed.records)}",
            reason="no_effect",
            remedy="look at the provider's own log; some servers answer success and ignore an update",
        )

    def _tell_fenced(self, plan: Plan, error: Fenced, incident_id: str) -> None:
        self.emit(
            ChangeFenced(
                **names(plan.target, incident_id, self.clock()),
                decision_id=plan.decision.id,
                change_id=plan.id,
                generation=plan.generation,
                detail=error.detail,
            )
        )

    def _tell_applied(
        self,
        provider: Provider,
        plan: Plan,
        policy: Policy,
        incident_id: str,
        *,
        took: float,
        limits: tuple[str, ...],
    ) -> None:
        now = self.clock()
        undone = plan.undone()
        evidence = evidence_of(plan, policy)
        self.emit(
            ChangeApplied(
                **names(plan.target, incident_id, now),
                decision_id=plan.decision.id,
                change_id=plan.id,
                kind=plan.kind,
                generation=plan.generation,
                shares_from=plan.shares_before,
                shares_to=plan.shares_after,
                answers_from=_weights(plan.before.records),
                answers_to=_weights(plan.after),
                ttl=plan.after.ttl,
                reasons=tuple(reason.text for reason in plan.decision.reasons),
                evidence=tuple(reason.text for reason in evidence),
                limits=limits,
                rule_at=policy.source.at(rule_of(plan, evidence)),
                revision=plan.revision,
                actor=self.actor,
                undo=manual(provider, undone) if undone is not None else "",
                took=took,
            )
        )


def _not_read_back(plan: Plan, error: ProviderError) -> ProviderError:
    """The same failure, without hiding that the write before it was accepted."""
    words = f"{plan.target} was written and the provider said yes, but it could not be read back: {error.detail}"
    told = type(error)(words, reason="not_read_back", remedy=error.remedy)
    if isinstance(told, RateLimited) and isinstance(error, RateLimited):
        told.retry_after = error.retry_after
    return told


def holds(observed: Observed, plan: Plan) -> bool:
    """Whether what is read is exactly what the plan wrote."""
    return observed.records == plan.after and observed.marker_text == plan.marker_text


def evidence_of(plan: Plan, policy: Policy) -> list[Reason]:
    """What is wrong with the regions that the plan touches. A region that is merely ill as well explains nothing."""
    region_of = policy.region_of(plan.target.key.type)
    before, after = _weights(plan.before.records), _weights(plan.after)
    touched = {region_of.get(value) for value in {*before, *after} if (value in before) != (value in after)}
    shares = plan.shares_before, plan.shares_after
    touched |= {region for region in {*shares[0], *shares[1]} if shares[0].get(region) != shares[1].get(region)}
    return [reason for reason in plan.decision.reasons if reason.region in touched and reason.rule != "health"]


def rule_of(plan: Plan, evidence: Sequence[Reason]) -> str:
    """The policy key that the plan rests on most: of what went wrong, else of its last step."""
    if plan.kind is PlanKind.RESTORE:
        return "on_drift"
    rules = [reason.rule for reason in evidence] or [reason.rule for reason in plan.decision.reasons[-1:]]
    return next(iter(rules), "")


def _weights(records: RecordSet | None) -> Mapping[str, int]:
    return {answer.value: answer.weight for answer in records.answers} if records is not None else {}


def _say(records: RecordSet | None) -> str:
    if records is None or not records.answers:
        return "no answer"
    return ", ".join(f"{answer.value} (weight {answer.weight})" for answer in records.answers[:8])
