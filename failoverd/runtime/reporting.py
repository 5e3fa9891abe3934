"""What is said about one target: events on transitions only, and where things stand for `failoverctl status`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.decide import Decision, Wish
from failoverd.core.drift import DriftAction, DriftResponse
from failoverd.core.errors import FailoverdError
from failoverd.core.events import DecisionMade, DriftDetected, PlanHeld, PlanRefused, TargetDelayed, TargetResumed
from failoverd.core.guard import Held
from failoverd.core.plan import LastGood, Plan, Refused
from failoverd.core.records import Observed, Policy, RecordSet, Target
from failoverd.core.status import TargetState, TargetStatus
from failoverd.ports import Clock, Emit, Provider
from failoverd.runtime.by_hand import manual
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.naming import Names, names

WAITS: Final = frozenset({"failback_hold", "failback_manual", "frozen", "released", "overload", "no_verdict"})
"""Codes of reasons that somebody at night would wonder about: why a region that serves gets nothing, and the like."""


_WILL: Final = {
    DriftAction.RESTORE: "puts its own answer back",
    DriftAction.REPORT: "only reports it (on_drift: report)",
    DriftAction.WAIT: "takes it as meant, for an incident is open, and puts its own answer back later",
    DriftAction.ADOPT: "keeps it until health wants something else (on_drift: adopt)",
}

_REMEDIES: Final = {
    DriftAction.REPORT: "on_drift is report: put it back by hand, or run failoverctl plan and apply",
    DriftAction.WAIT: "to keep it, say on_drift: adopt in the policy; to end it now, put the answer back by hand",
}


@dataclass(slots=True)
class Reporter:
    """Remembers what was said last about its target, so that the same thing is not said twice."""

    policy: Policy
    target: Target
    provider: Provider
    incidents: Incidents
    emit: Emit
    clock: Clock
    new_id: Callable[[str], str]
    said: TargetStatus | None = None
    failures: int = 0
    _decision: Decision | None = field(default=None)
    _drift: tuple[str, str] = field(default=("", ""))  # the edit that was told and still stands
    _delay: tuple[str, dict[str, int]] | None = field(default=None)  # why it waits, and for what, as it was told

    @property
    def normal(self) -> bool:
        """Whether the target holds what the file says for a day on which nothing is wrong."""
        return self.said is not None and self.said.state is TargetState.IN_SYNC and self.said.wish == Wish.NORMAL

    # -- the outcomes of a round ---------------------------------------------------------------------------------------

    def decided(self, decision: Decision) -> Decision:
        """The decision with its id. It is news when it wants something else than the last one, or why is named anew."""
        last = self._decision
        if last is not None and _essence(last) == _essence(decision):
            self._decision = replace(decision, id=last.id)
            return self._decision
        self._decision = replace(decision, id=self.new_id("dec"))
        self.emit(
            DecisionMade(
                **self._names(),
                decision_id=self._decision.id,
                verdict=decision.wish,
                shares=decision.shares,
                reasons=tuple(reason.text for reason in decision.reasons),
            )
        )
        return self._decision

    def holding(self, observed: Observed) -> TargetStatus:
        return self._status(TargetState.HOLDING, observed)

    def in_sync(self, observed: Observed, generation: int) -> TargetStatus:
        self._drift = ("", "")
        return replace(self._status(TargetState.IN_SYNC, observed), generation=generation)

    def applied(self, plan: Plan) -> TargetStatus:
        self._drift = ("", "")
        status = self._status(TargetState.IN_SYNC, None)
        return replace(status, generation=plan.generation, published=plan.shares_after)

    def refused(self, observed: Observed, refused: Refused) -> TargetStatus:
        if self._news(TargetState.REFUSED, refused.detail):
            self.emit(
                PlanRefused(
                    **self._names(),
                    decision_id=self._decision_id,
                    reason=refused.reason,
                    detail=refused.detail,
                    remedy=refused.remedy,
                )
            )
        status = self._status(TargetState.REFUSED, observed)
        return replace(status, detail=refused.detail, remedy=refused.remedy)

    def limited(self, observed: Observed, held: Held) -> TargetStatus:
        limits = tuple(str(check) for check in held.blocking)
        rule_at = self.policy.source.at(f"limits.{held.blocking[0].limit}")
        command, detail = manual(self.provider, held.plan), "; ".join(limits)
        if self._news(TargetState.LIMITED, detail):
            self.emit(
                PlanHeld(
                    **self._names(),
                    decision_id=self._decision_id,
                    wanted=held.plan.shares_after,
                    limits=limits,
                    rule_at=rule_at,
                    until=held.until,
                    manual=command,
                )
            )
        status = self._status(TargetState.LIMITED, observed)
        return replace(
            status, detail=detail, remedy=f"raise the limit at {rule_at}, or wait", manual=command, until=held.until
        )

    def drifted(self, plan: Plan, last_good: LastGood, response: DriftResponse) -> TargetStatus:
        """Somebody else changed the record. Said once while that edit stands, and when something is done to it."""
        found = _values(plan.before.records)
        will = _WILL[response.action]
        if (found, will) != self._drift:
            self._drift = found, will
            self.emit(
                DriftDetected(
                    **self._names(),
                    decision_id=self._decision_id,
                    found=found,
                    expected=_values(last_good.records),
                    will=will,
                    kind=response.kind,
                    until=response.until,
                )
            )
        return replace(
            self._status(TargetState.DRIFTED, plan.before),
            detail=found,
            remedy=_REMEDIES.get(response.action, ""),
            manual=manual(self.provider, plan),
            until=response.until,
        )

    def delayed(self, error: FailoverdError, plan: Plan | None, delay: float) -> TargetStatus:
        """The target cannot be read or written. Said when it begins, and when the reason or what is wanted changes."""
        self.failures += 1
        detail = f"{error.detail} ({error.reason})"
        command = manual(self.provider, plan) if plan is not None else ""
        wanted = dict(plan.shares_after) if plan is not None else {}
        if self._delay != (error.reason, wanted):
            self._delay = (error.reason, wanted)
            self.emit(
                TargetDelayed(
                    **self._names(),
                    decision_id=self._decision_id,
                    reason=error.reason,
                    detail=error.detail,
                    remedy=error.remedy,
                    retry_in=delay,
                    attempts=self.failures,
                    wanted=wanted,
                    manual=command,
                )
            )
        status = self._status(TargetState.DELAYED, None)
        until = self.clock() + delay
        return replace(status, wanted=wanted, detail=detail, remedy=error.remedy, manual=command, until=until)

    def settled(self, status: TargetStatus) -> bool:
        """The round ended here. Whether that is any different from the round before."""
        if status.state is not TargetState.DELAYED and self.failures:
            self.emit(TargetResumed(**self._names(), decision_id=self._decision_id, attempts=self.failures + 1))
            self.failures = 0
        if status.state is not TargetState.DELAYED:
            self._delay = None
        before, self.said = self.said, status
        return before is None or replace(before, at=status.at) != status

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def _decision_id(self) -> str:
        return self._decision.id if self._decision is not None else ""

    def _news(self, state: TargetState, detail: str) -> bool:
        return self.said is None or (self.said.state, self.said.detail) != (state, detail)

    def _names(self) -> Names:
        return names(self.target, self.incidents.id_of(self.target.policy), self.clock())

    def _status(self, state: TargetState, observed: Observed | None) -> TargetStatus:
        """Where things stand now; without a fresh look, what was published when there was one."""
        decision = self._decision
        records = observed.records if observed is not None else None
        published: Mapping[str, int] = {}
        if records is not None:
            published = records.shares(self.policy.region_of(self.target.key.type))
        elif observed is None and self.said is not None:
            published = self.said.published
        generation = observed.marker.generation if observed is not None and observed.marker is not None else 0
        if observed is None and self.said is not None:
            generation = self.said.generation
        return TargetStatus(
            target=self.target,
            at=self.clock(),
            state=state,
            wish=decision.wish if decision is not None else "",
            generation=generation,
            wanted=decision.shares if decision is not None else {},
            published=published,
            reasons=tuple(reason.text for reason in decision.reasons) if decision is not None else (),
        )


def _essence(decision: Decision) -> tuple[Wish, Mapping[str, int], RecordSet | None, frozenset[str]]:
    """What makes a decision news: another wish, other shares or answers, or another reason for standing still."""
    waits = frozenset(reason.code for reason in decision.reasons if reason.code in WAITS)
    return decision.wish, decision.shares, decision.records, waits


def _values(records: RecordSet | None) -> str:
    if records is None or not records.answers:
        return "no answer"
    return ", ".join(f"{answer.value} (weight {answer.weight}, ttl {records.ttl})" for answer in records.answers)
