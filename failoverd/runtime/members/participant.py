"""One of several members, as the engine asks it: whether it leads, and what they remember, tell and see together.

Who is alone is `runtime.lead.Alone`, which answers the same.
"""

import random
from collections.abc import Awaitable, Callable, Mapping

from failoverd.core.control.state import key_of
from failoverd.core.errors import CoordinationError
from failoverd.core.events import Event
from failoverd.core.members import Membership
from failoverd.core.overrides import Override
from failoverd.core.records import Policy
from failoverd.core.status import MembersStatus
from failoverd.ports import Clock, Coordinator, Emit, Telling
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.members.ballots import Introduction
from failoverd.runtime.members.leading import Leading
from failoverd.runtime.members.memory import SharedMemory
from failoverd.runtime.members.roster import roster
from failoverd.runtime.members.shared_history import SharedHistory
from failoverd.runtime.members.shared_notices import SharedNotices
from failoverd.runtime.members.tidying import Needs, Tidying
from failoverd.runtime.members.voting import Voting, VotingBoard, VotingTimetable
from failoverd.runtime.orphans import Claims
from failoverd.runtime.states import States
from failoverd.state_parts import HEAD


class Participant:
    """One of several members. `remember` and `vote` are called once each, before `works` begin.

    Args:
        coordinator: where they agree.
        membership: who this is among them.
        instance: the installation's name in markers, as this member's journal knows it.
        introduction: what it says of itself; its clock is the time, steady.
        emit: is told of what happens among them.
        lease_clock: the time for what is held by a lease.
        chance: where jitter comes from.
        turned: called when this member begins or ends to lead, or the coordinator is lost or back.

    Attributes:
        name: of this member.
        lead: whether it may write.
        notices: what people were told, for `Notifications`.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        membership: Membership,
        instance: str,
        introduction: Introduction,
        emit: Emit,
        lease_clock: Clock,
        chance: random.Random,
        turned: Callable[[], None],
    ) -> None:
        self.name = membership.me.name
        self.lead = Leading(
            coordinator, membership, instance, emit, lease_clock, catch_up=self._catch_up, turned=self._turned
        )
        self.notices: SharedNotices
        self._coordinator = coordinator
        self._membership = membership
        self._introduction = introduction
        self._emit = emit
        self._clock = introduction.clock
        self._listens_since = self._clock()
        self._chance = chance
        self._turn = turned
        self._memory: SharedMemory
        self._history: SharedHistory
        self._voting: Voting
        self._tidying: Tidying
        self._claims: Callable[[], Claims] = Claims  # until files were read, what they name

    def remember(
        self,
        states: States,
        journal: JournalWriter,
        heed: Callable[[Override], None],
        moved: Callable[[str], None],
        hear: Callable[[Telling], None],
    ) -> None:
        """Have in common with the others what is known of policies, what people said, and what was done.

        Args:
            states: what this member knows of each policy, and operators' words.
            journal: where it keeps what the others did.
            heed: has the policies worked on that a word of another member concerns.
            moved: hears of policies for which the leader has written something.
            hear: is called with each thing that another member did.
        """
        memory = SharedMemory(self._coordinator, self.lead, states, states.overrides, heed, self._emit, self._clock)
        memory.chance, memory.moved = self._chance, moved
        states.share(memory)
        states.overrides.share(memory.say)
        self.notices = SharedNotices(self.lead, memory, self._membership)
        self._history = SharedHistory(self.lead, memory, journal, hear, self._emit, self._clock)
        journal.share(self._history.settled)
        self._memory = memory

    def vote(
        self, board: VotingBoard, timetable: VotingTimetable, policies: Callable[[], Mapping[str, Policy]]
    ) -> None:
        """Have in common with the others what is seen; see `Voting`."""
        about, members = self._introduction, self._membership
        self._voting = Voting(self._coordinator, members, board, timetable, policies, self._emit, about, self.lead)
        self._voting.chance = self._chance
        self._memory.needs = lambda policy, target: _writes(policies().get(policy), target)
        stands, needs = lambda: self._memory.versions, lambda: self._needs(policies())
        self._tidying = Tidying(self._coordinator, self.lead, stands, needs, self._clock)

    def follow_files(self, claims: Callable[[], Claims]) -> None:
        """Know what the policy files name: what the members remember of it is kept, though it does not load."""
        self._claims = claims

    def _needs(self, running: Mapping[str, Policy]) -> Needs:
        """What members need of what they remember. Nobody knows of policies where a file does not say whose it is."""
        claims, members = self._claims(), frozenset(each.name for each in self._membership.members)
        had = frozenset({*running, *claims.unsure, *self._voting.policies_of_others()}) if claims.whole else None
        return Needs(had, members, {name: _targets(policy) for name, policy in running.items()})

    @property
    def works(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on, each by itself, for ever."""
        return {
            "leading": self.lead.run,
            **self._memory.works,
            "shared history": self._history.run,
            "history of others": self._history.run_hearing,
            **self._voting.works,
            "tidying": self._tidying.run,
        }

    async def _catch_up(self) -> None:
        await self._memory.catch_up()

    def _turned(self) -> None:
        if not self.lead.led_last:
            self._memory.again()
        self._voting.vote_alone(self.lead.lone)
        self._turn()

    def tell(self, event: Event) -> None:
        """An `Emit` sink: the others hear of it."""
        self._history.tell(event)

    async def tell_leader(self, word: Override) -> None:
        """A word that only this member heard moves nothing: whoever gives it has to know.

        Raises:
            CoordinationError: the leader does not hear of it.
        """
        if not await self._memory.say(word):
            raise self._not_leading("cannot let the leader know, for the coordinator does not answer it")

    def require_lead(self) -> None:
        """Raises CoordinationError: this is for the member that leads, and this one does not."""
        if not self.lead.leads:
            raise self._not_leading("what writes is for the leader")

    def _not_leading(self, why: str) -> CoordinationError:
        remedy = (
            f"say it to {self.lead.standing.leader or 'the member that leads'} itself; failoverctl members names it"
        )
        if not self.lead.coordinated:
            remedy = (
                "say it to a member that the coordinator answers; if it answers none, failoverctl plan and apply move "
                "what has to, with --without-daemon"
            )
        return CoordinationError(
            f"this member does not lead, and {why}: nothing was changed", reason="not_leader", remedy=remedy
        )

    async def leave(self) -> None:
        """Lead no more, and tell the others what they do not know: nobody who leads next waits for it."""
        await self.lead.resign(abstain=float("inf"))
        await self._history.flush()

    def status(self, now: float) -> MembersStatus:
        """Who of them writes, and what is heard of each."""
        return roster(self.lead, self._membership.me, self._voting.heard(), now, self._listens_since)


def _targets(policy: Policy) -> frozenset[str]:
    """The keys of what a policy has written."""
    return frozenset(map(key_of, policy.targets))


def _writes(policy: Policy | None, target: str) -> bool:
    """Whether a policy runs here, and that target is one of its own, or any."""
    return policy is not None and (target == HEAD or target in _targets(policy))
