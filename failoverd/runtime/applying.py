"""One approved plan, from intent to what is read back, in the order that the outcome says.

What the provider answered proves nothing; what is read back does. An answer that was lost on the way (a time-out after
the request left) is resolved the same way: by reading, never by sending again. What the provider itself holds is then
proved at the authoritative servers, in the background (`proving.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.control import news, progress
from failoverd.core.control.by_hand import word_id
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import Action, Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.errors import NO_EFFECT, Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.events import ChangeFenced
from failoverd.core.overrides import HAND, by
from failoverd.core.reasons import LimitCheck
from failoverd.core.records import Observed, Policy, RecordSet, Target
from failoverd.ports import ChangeOutcome, Clock, Emit, Provider, Urgency
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lead import within_lease
from failoverd.runtime.manual_command import manual_command
from failoverd.runtime.override_book import changed, given
from failoverd.runtime.proofs import Proofs
from failoverd.runtime.proving import Prover
from failoverd.runtime.states import States

VAIN_TRIES: Final = 2
"""How often a write without effect is sent before it is left to a person: the first may have met an edit by hand."""

VAIN_PAUSE: Final = 300.0
"""Seconds until it is sent once more, and twice as long after each further time."""

LONGEST_VAIN_PAUSE: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class _Vain:
    """A write that the provider took, and that did not stand there as written: what was wanted, and found instead."""

    wanted: RecordSet
    found: RecordSet | None
    times: int
    again_at: float
    error: ProviderError


@dataclass(slots=True)
class Applier:
    """Applies approved plans on behalf of `actor`.

    `unfenced` are the providers that have no fence of their own. `sending` counts those that are at their provider now.
    `proofs` are what is known of those that others applied.
    """

    states: States
    journal: JournalWriter
    prover: Prover
    emit: Emit
    clock: Clock
    actor: str
    unfenced: frozenset[str] = frozenset()
    sending: int = 0
    proofs: Proofs = field(default_factory=Proofs)
    _vain: "dict[Target, _Vain]" = field(default_factory=dict)

    def fences(self, target: Target) -> bool:
        """Whether the provider of that target refuses by itself a write that is older than what stands there."""
        return target.provider not in self.unfenced

    async def apply(self, provider: Provider, outcome: Outcome, policy: Policy, *, actor: str = "") -> None:
        """Carry a write out; `actor` is who asked for it, if somebody else than usual did.

        Raises:
            ProviderError: as the provider said, after the outcome was journalled. Fenced means that nothing changed, or
                (`overtaken`) that it changed and another writer has replaced it since: read and decide again.
        """
        if outcome.approved is None:
            raise ValueError(f"nothing was approved: {outcome.kind}")
        write = _Write(self, provider, outcome.approved, policy, self.clock(), actor or self.actor)
        self._refuse_in_vain(write.plan)
        try:
            await write.carry_out(outcome.order)
        except Fenced as error:
            await self._settle_fenced(write.plan, error)
            raise
        except ProviderError as error:
            unverified = error.reason == NO_EFFECT
            result = ChangeOutcome.UNVERIFIED if unverified else ChangeOutcome.FAILED
            await self.journal.settle(write.plan, result, str(error), self.clock())
            if unverified:
                self._failed_in_vain(write, error)
            raise
        self._vain.pop(write.plan.target, None)
        if write.overtaken is not None:
            raise write.overtaken

    def _failed_in_vain(self, write: "_Write", error: ProviderError) -> None:
        plan, known = write.plan, self._vain.get(write.plan.target)
        times = known.times + 1 if known is not None and (known.wanted, known.found) == (plan.after, write.found) else 1
        pause = min(LONGEST_VAIN_PAUSE, VAIN_PAUSE * 2.0 ** (times - VAIN_TRIES)) if times >= VAIN_TRIES else 0.0
        self._vain[plan.target] = _Vain(plan.after, write.found, times, self.clock() + pause, error)

    def _refuse_in_vain(self, plan: Plan) -> None:
        """What came to the same twice is left to a person. What else is wanted, or stands there since, is written.

        Raises:
            Permanent: it was written without effect, and is not to be written again yet.
        """
        vain = self._vain.get(plan.target)
        if vain is None or (vain.wanted, vain.found) != (plan.after, plan.before.records):
            return
        left = vain.again_at - self.clock()
        if left > 0:
            again = f"{vain.error.detail}. It was written {vain.times} times, and will be again in {left:.0f}s"
            raise Permanent(again, reason=vain.error.reason, remedy=vain.error.remedy)

    async def take_up(self, provider: Provider, outcome: Outcome, policy: Policy) -> None:
        """Keep what a change by hand comes to, and tell it: before anything is written, so that nothing undoes it."""
        change, words, now = outcome.by_hand, self.states.overrides, self.clock()
        for word in outcome.words:
            known = words.get(word.id)
            if known is None:
                await words.put(word, given(word, now))
            else:  # it may have been ended since: that stays as it is
                await words.put(replace(known, shares=word.shares), changed(word, HAND, "more of it was written", now))
        if change is None:
            return
        event = news.applied(policy, change, (), self.states.of(policy.name).incident, actor=HAND, took=0.0, at=now)
        back = word_id(change.target, change.generation, change.shares_after)
        self.emit(replace(event, overrides=(back,), undo=news.taken_back_by([back])))
        await self.journal.settle(change, ChangeOutcome.APPLIED, "", now)
        self.prove(provider, change)

    async def found(self, provider: Provider, plan: Plan, policy: Policy, observed: Observed) -> None:
        """Say that a plan whose outcome was not known was applied after all. What was edited since is not proved."""
        stands, now = plan.stands_in(observed), self.clock()
        detail = "found in place later" if stands else "it was applied, as its marker says, and edited since"
        await self.journal.settle(plan, ChangeOutcome.APPLIED, detail, now)
        self.tell(provider, plan, policy, (), self.actor, took=now - plan.decision.at)
        if stands:
            self.prove(provider, plan)

    def tell(
        self,
        provider: Provider,
        plan: Plan,
        policy: Policy,
        checks: tuple[LimitCheck, ...],
        actor: str,
        *,
        took: float,
    ) -> None:
        incident, words = self.states.of(policy.name).incident, self.states.overrides.of(policy)
        event = news.applied(policy, plan, checks, incident, words=words, actor=actor, took=took, at=self.clock())
        undone = plan.undone()
        if undone is not None:
            undo = news.taken_back_by(event.overrides) or manual_command(provider, undone)
            event = replace(event, undo=undo)
        self.emit(event)

    def prove_again(self, provider: Provider, observed: Observed) -> None:
        """Take up the proof that ended with an earlier process, where what that wrote stands still."""
        plan = self.proofs.open.pop(observed.target, None)
        if plan is not None and plan.stands_in(observed):
            self.prove(provider, plan)

    def prove(self, provider: Provider, plan: Plan) -> None:
        self.proofs.open.pop(plan.target, None)
        self.prover.prove(provider, plan, news.id_of(self.states.of(plan.target.policy).incident))

    async def _settle_fenced(self, plan: Plan, error: Fenced) -> None:
        now, state = self.clock(), self.states.of(plan.target.policy)
        self.states.put(progress.fenced(state, plan))
        await self.journal.settle(plan, ChangeOutcome.FENCED, str(error), now)
        self.emit(
            ChangeFenced(
                **news.names(plan.target, news.id_of(state.incident), now),
                decision_id=plan.decision.id,
                change_id=plan.id,
                generation=plan.generation,
                detail=error.detail,
            )
        )


@dataclass(slots=True)
class _Write:
    """One write under way.

    `seen` is what the provider read after it by itself, `found` the records that stood there last. `overtaken` is set
    when it came about and another writer has replaced it since.
    """

    applier: Applier
    provider: Provider
    approved: Approved
    policy: Policy
    started: float
    actor: str
    seen: Observed | None = None
    found: RecordSet | None = field(init=False)
    overtaken: Fenced | None = None
    actions: Mapping[Action, Callable[[], Awaitable[None]]] = field(init=False)

    def __post_init__(self) -> None:
        self.found = self.plan.before.records
        self.actions = {
            Action.JOURNAL_INTENT: self._journal_intent,
            Action.SEND: self._send,
            Action.READ_BACK: self._read_back,
            Action.TELL: self._tell,
            Action.PROVE: self._prove,
            Action.JOURNAL_OUTCOME: self._journal_outcome,
        }

    @property
    def plan(self) -> Plan:
        return self.approved.plan

    async def carry_out(self, order: tuple[Action, ...]) -> None:
        for action in order:
            await self.actions[action]()

    async def _journal_intent(self) -> None:
        states = self.applier.states
        states.put(progress.began(states.of(self.policy.name), self.plan))
        await states.keep_shared(self.policy.name)
        await self.applier.journal.intend(self.plan, self.started)

    async def _send(self) -> None:
        """An operator's word counts until the last moment: what was decided before it is not sent after it.

        So does who leads: of several members one writes.
        """
        word = self.applier.states.overrides.forbids(self.policy, self.plan)
        if word is not None:
            raise Fenced(f"{word.id} {by(word.actor)} keeps {self.plan.target} as it is", reason="held_by_operator")
        fenced = self.applier.fences(self.plan.target)
        other = self.applier.states.lead.refuses(self.plan, fenced=fenced)
        if other:
            raise Fenced(f"{self.plan.target} is not written by this member: {other}", reason="not_leader")
        self.applier.sending += 1
        try:
            self.seen = await (self._apply() if fenced else self._apply_within_lease())
        except Transient as error:
            if not await self._took_effect():
                raise error from None
        finally:
            self.applier.sending -= 1

    async def _apply(self) -> Observed | None:
        return await self.provider.apply(self.approved)

    async def _apply_within_lease(self) -> Observed | None:
        """Nobody compares what is sent: so nothing more of it is, once another member may lead.

        One request may be on its way in that moment. If it comes after what the next leader wrote, that one finds a
        difference and writes anew.
        """
        try:
            async with within_lease(lambda: self.applier.states.lead.left):
                return await self._apply()
        except TimeoutError:
            raise Transient(
                f"{self.plan.target} was being written when the lease of this member was over; the rest was not sent",
                reason="lease_over",
                remedy="nothing to do: whoever leads now reads what stands there, and writes what is missing",
            ) from None

    async def _took_effect(self) -> bool:
        """Whether a write whose answer was lost is there all the same."""
        try:
            return self.plan.stands_in(await self.provider.read(self.plan.target, urgency=Urgency.of(self.plan)))
        except ProviderError:
            return False  # cannot be known now: the next round reads again and decides again

    async def _read_back(self) -> None:
        """The provider said yes: if a newer generation stands there, or a newer leader's, it was written after ours."""
        plan, observed = self.plan, self.seen
        try:
            if observed is None:
                observed = await self.provider.read(plan.target, urgency=Urgency.of(plan))
        except ProviderError as error:
            raise _not_read_back(plan, error) from error
        outranked = observed.marker is not None and plan.outranked_by(observed.marker)
        if plan.stands_in(observed) and not outranked:
            return
        if observed.marker is not None and plan.overtaken_by(observed.marker):
            newer = f"generation {observed.marker.generation} of {observed.marker.owner}/{observed.marker.policy}"
            newer += f" under the leader of epoch {observed.marker.epoch}" if outranked else ""
            self.overtaken = Fenced(
                f"generation {plan.generation} of {plan.target} was written, and {newer} had replaced it when it was "
                f"read back",
                reason="overtaken",
                remedy="nothing to do: it is read and decided again",
            )
            return
        self.found = observed.records
        raise Permanent(
            f"{plan.target} was written and the provider said yes, but read back, {plan.missed_in(observed)}",
            reason=NO_EFFECT,
            remedy=_remedy(plan, observed),
        )

    async def _tell(self) -> None:
        took = self.applier.clock() - self.started
        self.applier.tell(self.provider, self.plan, self.policy, self.approved.checks, self.actor, took=took)

    async def _prove(self) -> None:
        if self.overtaken is None:
            self.applier.prove(self.provider, self.plan)

    async def _journal_outcome(self) -> None:
        applier, now = self.applier, self.applier.clock()
        applier.states.take(progress.applied(self.policy, applier.states.of(self.policy.name), self.plan, now))
        detail = self.overtaken.detail if self.overtaken is not None else ""
        await applier.journal.settle(self.plan, ChangeOutcome.APPLIED, detail, now)


def _remedy(plan: Plan, observed: Observed) -> str:
    found = observed.records
    if found is not None and found.ttl != plan.after.ttl and found.answers == plan.after.answers:
        server = f"let the server take {plan.after.ttl}s (max-zone-ttl in BIND)"
        return f"let the record have ttl: {found.ttl}s in the policy, or {server}"
    return "look at the provider's own log; some servers answer success, and ignore an update or change what it says"


def _not_read_back(plan: Plan, error: ProviderError) -> ProviderError:
    """The same failure, without hiding that the write before it was accepted."""
    words = f"{plan.target} was written and the provider said yes, but it could not be read back: {error.detail}"
    told = type(error)(words, reason="not_read_back", remedy=error.remedy)
    if isinstance(told, RateLimited) and isinstance(error, RateLimited):
        told.retry_after = error.retry_after
    return told
