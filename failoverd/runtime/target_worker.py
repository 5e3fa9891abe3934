"""One target at work: read, evaluate, do what the outcome says. One task per target, one writer per name.

It is woken by a change of verdict, by the moment that the last outcome named, and by a regular tick. The tick makes it
level-triggered: a failed write, a hand edit and a lost wake-up all heal the same way, by reading again.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd import __version__, codec
from failoverd.core.control import news, progress, standing
from failoverd.core.control.cost import Saving, bill
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.inputs import Decided, DecisionInputs, Overheard, concluded, sayable, taken_down
from failoverd.core.control.limits import worst
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import Plan, shares_now
from failoverd.core.control.readings import measured
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.errors import FailoverdError, Fenced, Permanent, ProviderError, RateLimited, Transient, describe
from failoverd.core.events import DecisionCrashed, Event, JournalFailed, PlanHeld
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Override
from failoverd.core.records import Marker, Observed, Policy, Target
from failoverd.core.rules import Rule
from failoverd.core.status import Status, TargetState, TargetStatus
from failoverd.ports import ChangeOutcome, Clock, Emit, Provider, Urgency
from failoverd.runtime.agenda import Agenda
from failoverd.runtime.applying import Applier
from failoverd.runtime.estate import Shared
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.loop_turns import LoopTurns
from failoverd.runtime.manual_command import manual_command
from failoverd.runtime.states import States, Verdicts
from failoverd.runtime.supervising import backoff

DEADLINE: Final = 300.0
"""Seconds that one round at one target may take before it is given up for now.

A backstop against a defect: providers bound each of their calls, but a call may have to wait long for its turn where an
account allows few a second and a region failed under a thousand records.
"""

LONGEST_RETRY_AFTER: Final = 3_600.0
"""Seconds. Throttling is obeyed, but a broken header does not park a zone for days."""

LONGEST_URGENT_PAUSE: Final = 2.0
"""Seconds between two tries while traffic goes to what is down, at a provider that fails and asks for no patience."""

LEAST_URGENT_PAUSE: Final = 0.2
"""Seconds between two urgent tries at a provider that is throttled, and asks for no pause at all (`Retry-After: 0`)."""

READ_KEPT: Final = 300.0
"""Seconds for which what was read is good enough to write on where the write was throttled: its fence knows better."""

SHADOW_READ: Final = 300.0
"""Seconds for which a member that does not write is content with what it read: it is only to be ready."""

FENCED_TRIES: Final = 3
"""How often a fenced plan is read and decided again at once, before it waits like any other failure."""


def lasting(error: Fenced) -> Fenced:
    """The same after so many tries: what is read anew each time, and is never what the provider finds, passes not."""
    if error.reason != "stale_generation":
        return error
    return Fenced(
        f"{error.detail}; so it was {FENCED_TRIES + 1} times in a row, each time right after it had been read",
        reason=error.reason,
        remedy="see who else writes the name all the time; if nobody does, the server finds something else there than "
        "it answers (another view, another zone): look into its log",
    )


class NameLocks:
    """One writer per name: who reads in order to write holds the name's lock, for its record types share a marker.

    Whether the names of one zone can be written at the same time is known to their provider, which puts them into one
    batch, or one after the other.
    """

    def __init__(self) -> None:
        self._locks: defaultdict[tuple[str, str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, target: Target) -> asyncio.Lock:
        return self._locks[target.provider, target.zone, target.key.name]


@dataclass(slots=True)
class Rulebook:
    """The rules of the inventory as they are now: a file that changes is heeded without a restart."""

    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """What every worker works with.

    `owner` is the name under which this installation marks what it owns, `instance` which process of it this is.
    """

    verdicts: Verdicts
    incidents: Incidents
    states: States
    journal: JournalWriter
    applier: Applier
    names: NameLocks
    emit: Emit
    clock: Clock
    owner: str
    chance: random.Random
    shared: Shared
    rulebook: Rulebook = field(default_factory=Rulebook)
    turns: LoopTurns = field(default_factory=LoopTurns)

    @property
    def instance(self) -> str:
        return self.states.lead.instance

    def estate(
        self, policy: Policy, target: Target, provider: Provider, state: PolicyState, shared: Shared | None = None
    ) -> Estate:
        """What a decision about one of the policy's targets looks at besides it, as it is now, `state` included.

        `shared` is how regions would be shared if operators said something else.
        """
        shared = shared or self.shared
        grant, usual = shared.grants(policy, state, self.clock())
        spare = shared.spare(policy)
        lone, fenced = self.states.lead.lone, self.applier.fences(target)
        rules = self.rulebook.rules
        return Estate(self.owner, provider.normalise, self.instance, rules, grant, usual, spare, lone, fenced)


class Rounds:
    """The rounds of one policy that are under way, so that one can wait for the last of them.

    `statuses` says where it and its regions stand.
    """

    def __init__(self, statuses: Callable[[], Sequence[Status]]) -> None:
        self.statuses = statuses
        self.stopping = False
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        return self._busy > 0

    def __enter__(self) -> None:
        self._busy += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    async def finish(self, patience: float) -> None:
        """Begin nothing more, and wait up to `patience` seconds for what is under way."""
        self.stopping = True
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            return  # the fence makes it safe to leave in the middle


class TargetWorker:
    """Keeps one target as its policy wants it. `run` is endless.

    Args:
        policy: the file.
        target: one of its targets.
        provider: who holds it.
        tools: what all workers share.
        rounds: those of the policy that are under way.
    """

    def __init__(self, policy: Policy, target: Target, provider: Provider, tools: Tools, rounds: Rounds) -> None:
        self.target = target
        self.agenda = Agenda(tools.turns, policy.tier)
        self.status: TargetStatus | None = None
        self._usual: tuple[tuple[frozenset[str], Saving], Mapping[str, int]] | None = None
        self._policy = policy
        self._provider = provider
        self._tools = tools
        self._rounds = rounds
        self._urgency = Urgency.ROUTINE  # of this round
        self._fenced = 0
        self._seen: Observed | None = None  # what the last read found
        self._seen_at = 0.0
        self._unsent: Observed | None = None  # what a write rested on that was throttled
        self._outcome: Outcome | None = None  # what this round came to
        self._far: frozenset[str] = frozenset()  # regions that are left out on a normal day
        self._crashed = ""
        self._unkept = ""
        self._decided: Decided | None = None  # the last decision that the journal was to keep

    async def run(self) -> None:
        # a start, or a restart after a crash or in place of another that may have swallowed a wake-up call
        self.agenda.call(self._pressing)
        while True:
            self._urgency = await self.agenda.next()
            if self._rounds.stopping:
                continue
            with self._rounds:
                await self._round()

    def wake(self, urgency: Urgency, *, more: bool = False) -> None:
        """Something may have changed. `more`: other news is about to come, and worth a moment.

        A member that does not write only looks: once at all that comes within such a moment.
        """
        self.agenda.call(urgency, more=more or not self._tools.states.lead.acts)

    async def _round(self) -> None:
        """One round at the target, whatever goes wrong."""
        self._outcome = None
        deadline = asyncio.timeout(DEADLINE)
        try:
            async with self._tools.names.lock(self.target), deadline:
                await self._reconcile()
        except Fenced as error:
            self._fenced += 1
            if self._fenced > FENCED_TRIES:
                await self._wait_after(lasting(error))
            else:
                self.agenda.call(min(self._urgency, Urgency.CHANGE))
        except FailoverdError as error:
            await self._wait_after(error)
        except Exception as error:  # noqa: BLE001 - an unclassified error isolates this target, never the daemon
            if deadline.expired():
                await self._wait_after(await self._give_up())
                return
            defect = FailoverdError(describe(error), reason="internal_error", remedy="please report it with this line")
            await self._wait_after(defect)
        else:
            self._fenced = 0

    async def _reconcile(self) -> None:
        """The whole path from what is observed to what is proved."""
        tools, policy, target = self._tools, self._policy, self.target
        tools.incidents.look(policy, tools.verdicts)
        observed = self._seen = await self._observe()
        await tools.states.recall(target, tools.clock() - policy.limits.longest_window)
        now = tools.clock()
        if not tools.states.lead.acts:
            await self._shadow(observed, now)
            return
        outcome = self._evaluate(tools.states.seen(policy, tools.verdicts), observed, now, keep=True)
        self._look_at_rank(observed)
        await tools.applier.take_up(self._provider, outcome, policy)
        tools.states.put(outcome.state)
        for event in outcome.events:
            tools.emit(self._with_command(event, outcome))
        if outcome.found is not None:
            await tools.applier.found(self._provider, outcome.found, policy, observed)
        if outcome.verified is not None:
            await tools.journal.confirm(target, outcome.verified)
        if outcome.kind is OutcomeKind.WRITE:
            await self._write(outcome)
        else:
            tools.applier.prove_again(self._provider, observed)
            by_hand = manual_command(self._provider, outcome.plan) if outcome.plan is not None else ""
            await self._settle(standing.after_outcome(policy, outcome, observed, by_hand, now))
        tools.states.lead.reached(target)
        self.agenda.revisit(outcome.until - tools.clock() if outcome.until is not None else None, self._pressing)

    async def _shadow(self, observed: Observed, now: float) -> None:
        """What the leader sees, and what this member would do in its place: shown, and neither done nor remembered.

        What is due already is for the leader to do, so this member waits for news of it.
        """
        outcome = self._evaluate(self._tools.states.seen(self._policy, self._tools.verdicts), observed, now)
        await self._settle(standing.after_outcome(self._policy, outcome, observed, "", now))
        wait = outcome.until - now if outcome.until is not None else 0.0
        self.agenda.revisit(wait if wait > 0.0 else None, Urgency.ROUTINE)

    def _look_at_rank(self, observed: Observed) -> None:
        """Epochs go on above each that a marker of ours says, also where a person released it: see `epochs`."""
        marker = observed.marker
        if marker is not None and marker.owner == self._tools.owner:
            self._tools.states.lead.outranked(marker, self._seen_at)

    def preview(self, overrides: tuple[Override, ...]) -> Outcome:
        """What would be done if operators said this and nothing else, by what was seen last. Nothing is done.

        Raises:
            FailoverdError: it was never seen, or its provider cannot say what is wanted.
        """
        tools = self._tools
        if self._seen is None:
            raise Transient(f"{self.target} was not read yet", reason="not_read", remedy="try again in a moment")
        state = tools.states.seen(self._policy, tools.verdicts)
        shared, state = tools.shared.supposing(state.overrides, overrides), replace(state, overrides=overrides)
        estate = tools.estate(self._policy, self.target, self._provider, state, shared)
        return evaluate(self._policy, state, self._seen, estate, tools.clock())

    async def _observe(self) -> Observed:
        """What stands there. An account that lets few calls through is not asked again what it has just said.

        Nor does a member that is not to write ask often: what it saw is near enough, until the leader wrote since.
        """
        unsent, self._unsent = self._unsent, None
        fresh = self._tools.clock() - self._seen_at <= SHADOW_READ
        if not self._tools.states.lead.acts and self._seen is not None and fresh and not self._is_behind(self._seen):
            return self._seen
        if unsent is not None and self._tools.clock() - self._seen_at <= READ_KEPT:
            return unsent
        found, self._seen_at = await self._read(), self._tools.clock()
        return found

    def _is_behind(self, seen: Observed) -> bool:
        """Whether the leader is known to have written something newer."""
        known = self._tools.states.of(self._policy.name).of(self.target).generation
        return known > (seen.marker.generation if seen.marker is not None else 0)

    async def _read(self) -> Observed:
        """A routine read may have to wait for its turn; urgent news does not wait with it."""
        if self._urgency.is_routine:
            try:
                async with asyncio.timeout(None) as cut:
                    self.agenda.interrupt(cut)
                    return await self._provider.read(self.target, urgency=self._urgency.of_tier(self._policy.tier))
            except TimeoutError:
                if not cut.expired():
                    raise
            finally:
                self.agenda.interrupt(None)
            self._urgency = self.agenda.take()
        return await self._provider.read(self.target, urgency=self._urgency.of_tier(self._policy.tier))

    @property
    def _normal(self) -> Mapping[str, int]:
        """The shares of a day on which nothing is wrong; reckoned again when others are too far, or chosen by price."""
        saving = self._tools.states.of(self._policy.name).of(self.target).saving
        known = self._far, saving
        if self._usual is None or self._usual[0] != known:
            said = self._provider.normalise
            try:
                found = standing.normal_answer(self._policy, self.target, said, self._far, saving)
            except ProviderError:
                found = {}  # it cannot say that, which every round tells
            self._usual = known, found
        return self._usual[1]

    def _evaluate(self, state: PolicyState, observed: Observed, now: float, *, keep: bool = False) -> Outcome:
        """A defect in a stage is told once, with what was decided on. `keep` what a replay needs."""
        heard = Overheard(self._provider.normalise, sayable(self._policy))
        estate = Estate(self._tools.owner, heard)
        try:
            found = self._tools.estate(self._policy, self.target, self._provider, state)
            estate = replace(found, normalise=heard)
            outcome = evaluate(self._policy, state, observed, estate, now)
        except FailoverdError:
            raise
        except Exception as error:
            self._tell_crash(describe(error), taken_down(self._policy, state, observed, estate, heard, now))
            raise
        self._crashed = ""
        self._outcome, self._far = outcome, outcome.state.of(self.target).far
        if keep:
            self._keep(lambda: taken_down(self._policy, state, observed, estate, heard, now), outcome)
        return outcome

    def _keep(self, looked_at: Callable[[], DecisionInputs], outcome: Outcome) -> None:
        """Have the journal keep it, where it is not what it was the last time. A defect there is no decision's."""
        try:
            decided = Decided(self._policy, looked_at(), concluded(outcome), __version__)
            if decided.differs(self._decided):
                self._decided = decided
                self._tools.journal.decided(decided)
        except Exception as error:  # noqa: BLE001 - whatever it is, what was decided is done
            self._tell_unkept(describe(error))

    def _tell_unkept(self, error: str) -> None:
        if error == self._unkept:
            return
        self._unkept = error
        words = f"a decision of {self.target} is not kept for `failoverctl replay`: {error}; please report it"
        self._tools.emit(JournalFailed(at=self._tools.clock(), reason="journal_decision_unwritable", error=words))

    @property
    def _wanted(self) -> Plan | None:
        """What this round would write."""
        return self._outcome.plan if self._outcome is not None else None

    def turned(self) -> None:
        """This member writes from now on, or does no more: what it saw is looked at anew, at once."""
        self.agenda.call(min(self._pressing, Urgency.CHANGE))

    @property
    def _pressing(self) -> Urgency:
        """How urgent it is to look again: traffic may go to what is down, as far as is known."""
        tools, policy, target = self._tools, self._policy.name, self.target
        good = tools.states.of(policy).of(target).last_good
        if good is None:
            return Urgency.ROUTINE
        found = worst(tools.verdicts.regions(policy, target.key.type), good.shares)
        return Urgency.FAIL_OUT if found is RegionState.DOWN else Urgency.ROUTINE

    async def _write(self, outcome: Outcome) -> None:
        if self._rounds.stopping or outcome.plan is None:
            return
        tools = self._tools
        await tools.applier.apply(self._provider, outcome, self._policy)
        plan = outcome.approved.plan if outcome.approved is not None else outcome.plan
        if self._seen is not None:  # what was read back, but for the provider's own version of it
            self._seen = replace(self._seen, records=plan.after, marker=plan.marker, marker_text=plan.marker_text)
        state = tools.states.of(self._policy.name).of(self.target).state or TargetState.IN_SYNC
        await self._settle(standing.after_write(outcome, outcome.plan, state, tools.clock()))

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    async def _give_up(self) -> Transient:
        """The round took too long. A write that it had begun is in doubt until the next round."""
        late = Transient(f"{self.target} took longer than {DEADLINE:g}s", reason="deadline")
        tools, plan = self._tools, self._wanted
        if plan is not None and progress.doubts(tools.states.of(self._policy.name), plan):
            await tools.journal.settle(plan, ChangeOutcome.FAILED, str(late), tools.clock())
        return late

    async def _wait_after(self, error: FailoverdError) -> None:
        """This target has to wait, alone. Obeys a provider that says for how long, and comes back out of step."""
        tools, now = self._tools, self._tools.clock()
        if self._wanted is not None and isinstance(error, RateLimited):
            self._unsent = self._seen
        if self._wanted is None and isinstance(error, ProviderError):
            self._foresee(now)
        state = tools.states.of(self._policy.name)  # since when regions are down is kept with it
        if self._wanted is not None and self._wanted.cause.urgent:
            self._urgency = Urgency.FAIL_OUT  # whatever woke it
            if isinstance(error, Transient | Permanent):  # another member has a way, and credentials, of its own
                tools.states.lead.hindered(self.target)
        delay = self._pause(error, state.of(self.target).told.failures + 1)
        self.agenda.again(delay, self._urgency)
        by_hand = manual_command(self._provider, self._wanted) if self._wanted is not None else ""
        after, events = progress.delayed(state, self.target, error, self._wanted, delay, now)
        tools.states.put(after)
        for event in events:
            tools.emit(replace(event, manual=by_hand))
        before = self.status or TargetStatus(self.target, now, TargetState.DELAYED)
        if self._seen is not None:  # what was written may stand there, though not as it was meant
            good, region_of = state.of(self.target).last_good, self._policy.region_of(self.target.key.type)
            before = replace(before, published=shares_now(self._seen, good, region_of))
        await self._settle(standing.after_failure(before, error, self._outcome, by_hand, now + delay, now))

    def _pause(self, error: FailoverdError, attempt: int) -> float:
        """Seconds until the next try. An account that is throttled says itself when the urgent may try again."""
        urgent = self._urgency.fails_out
        delay = backoff(attempt, chance=self._tools.chance)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            asked = min(error.retry_after, LONGEST_RETRY_AFTER)
            return max(asked, LEAST_URGENT_PAUSE) if urgent else asked + delay
        passing = isinstance(error, Transient | RateLimited)
        return min(delay, LONGEST_URGENT_PAUSE) if urgent and passing else delay

    def _foresee(self, now: float) -> None:
        """What would be written if the target could be read, told from what may stand there, for a person to do.

        A leader for which that is urgent gives way (`Yielding`). So it is urgent if it is by anything that may be so.
        """
        tools = self._tools
        state = tools.states.seen(self._policy, tools.verdicts)
        for assumed in self._assumed(state.of(self.target)):
            with suppress(ProviderError):  # it cannot even say what it would write
                self._evaluate(state, assumed, now)
            if self._wanted is not None and self._wanted.cause.urgent:
                return

    def _assumed(self, memory: TargetMemory) -> Iterator[Observed]:
        """What may stand there: what each change in doubt would have made of it, at last what is known."""
        target, tools, good, seen = self.target, self._tools, memory.last_good, self._seen
        if good is None:
            return
        for plan in reversed(memory.doubts):
            yield Observed(target, plan.after, plan.marker, plan.marker_text)
        if seen is not None and not self._is_behind(seen):
            yield seen
            return
        kind = (target.key.type,)
        marker = Marker(tools.owner, target.policy, good.generation, kind, tools.instance, epoch=good.epoch)
        yield Observed(target, good.records, marker, marker.to_text())

    def _tell_crash(self, error: str, inputs: DecisionInputs) -> None:
        if error == self._crashed:
            return
        self._crashed = error
        names = news.names(self.target, news.id_of(inputs.state.incident), inputs.now)
        self._tools.emit(DecisionCrashed(**names, error=error, inputs=codec.dump(inputs)))

    # -- what is told --------------------------------------------------------------------------------------------------

    def _with_command(self, event: Event, outcome: Outcome) -> Event:
        """With the command that does the same without failoverd."""
        if isinstance(event, PlanHeld) and outcome.plan is not None:
            return replace(event, manual=manual_command(self._provider, outcome.plan))
        return event

    async def _settle(self, status: TargetStatus) -> None:
        """Remember where things stand; the journal hears of it when it is any different from before."""
        before = self.status
        same = before is not None and before.state is status.state
        since = before.since if before is not None and same else status.at
        normal = self._normal
        readings = self._tools.states.signalled(self._policy.name).readings
        believed = measured(self._policy, readings, status.at).policy
        cost = bill(believed, status.published, normal)
        status = replace(status, since=since, normal=normal, bill=cost)
        rooms = {spec.name: spec.planned_with for spec in believed.regions}
        capacities = {name: room for name, room in rooms.items() if room is not None}
        self.status = status = replace(status, demand=believed.demand, capacities=capacities)
        if before is None or replace(before, at=status.at, seen=status.seen) != status:
            await self._tools.journal.update_status([status, *self._rounds.statuses()])
        await self._tools.states.keep(self._policy.name)
