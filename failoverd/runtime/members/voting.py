"""What this member tells the others of what it sees, and what it hears of them.

Each member keeps two kinds of values with the coordinator, bound to its lease: a heartbeat, a tenth of the lease apart,
and a ballot for each policy, whenever something changed. A heartbeat is only sent when all ballots are out that had
changed until then, so who hears a fresh one has what that member saw a moment ago. What is heard is dated by this
member's own clock, when it came and was another than before: no two clocks are ever compared.

Who is not heard for a lease has no vote, and after that the others probe what it did (`core.health.assignment`). Votes
on another revision of a policy are not counted: they may be about other checks. And nothing that a member says can hurt
this one: it is bounded, read with suspicion, and counts once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, Protocol

from failoverd.core.errors import CoordinationError
from failoverd.core.health.isolation import Family
from failoverd.core.health.transitions import ProbeDue
from failoverd.core.health.votes import Votes
from failoverd.core.members import Member, Membership
from failoverd.core.records import Policy
from failoverd.ports import Coordinator, Emit, time_to_answer
from failoverd.runtime.members.assigning import Assignment, ProbeSharing
from failoverd.runtime.members.ballots import Ballot, Introduction, MemberBeat
from failoverd.runtime.members.doubles import Doubles
from failoverd.runtime.members.peers import HeardMember, Peers, Polls
from failoverd.runtime.members.publishing import BALLOTS, MEMBERS, VANTAGES, Publisher
from failoverd.runtime.supervising import CHANCE, backoff

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries where the coordinator does not answer, at first and at most; no longer than a beat."""


class VotingBoard(Polls, ProbeSharing, Protocol):
    """The health board, as far as votes are about it."""

    def report(self, to_say: Callable[[str], None], /) -> None: ...
    def votes(self, policy: str, /) -> Votes: ...
    def isolated(self) -> frozenset[Family]: ...


class VotingTimetable(ProbeSharing, Protocol):
    """The probe timetable, as far as other vantages make probes due, or take some over."""

    def obey(self, due: Iterable[ProbeDue], /) -> None: ...


class Candidate(Protocol):
    """Who stands for this member."""

    def look(self) -> None: ...
    def abstain(self, seconds: float, /) -> None: ...
    async def resign(self, abstain: float = 0.0, cause: str = ..., /) -> bool: ...


class Voting:
    """One of several vantages. Everything in `works` is endless.

    Args:
        coordinator: where they tell each other.
        membership: who this is among them.
        board: what this member sees, and where votes are counted.
        timetable: probes what others have doubts about.
        policies: what runs here, by name.
        emit: is told of members that go and come, and of what is not counted.
        introduction: what it says of itself.
        candidate: stands for this member; looks when another one left, or its lease is over, for that may have led.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        membership: Membership,
        board: VotingBoard,
        timetable: VotingTimetable,
        policies: Callable[[], Mapping[str, Policy]],
        emit: Emit,
        introduction: Introduction,
        candidate: Candidate,
    ) -> None:
        clock, lease, me = introduction.clock, coordinator.lease, membership.me.name
        settings = _digest([lease, *_settings(membership)])
        self._coordinator = coordinator
        self._membership = membership
        self._board = board
        self._introduction = introduction
        self._candidate = candidate
        self._me = me
        self._failing: dict[str, tuple[float, str]] = {}  # what does not come about, since when, and why
        self._back = False  # it steps back for another daemon of its name, and has taken away what it said
        self.chance = CHANCE
        self._doubles = Doubles(me, introduction.run, lease, emit, clock)
        self._publisher = Publisher(
            coordinator,
            me,
            introduction,
            settings,
            board.isolated,
            policies,
            self._ballot,
            lambda: self._peers.patience,
        )
        self._assignment = Assignment(membership, lease, policies, self._publisher.to_say, board, timetable)
        board.report(self._publisher.to_say)
        self._peers = Peers(membership, lease, settings, board, timetable.obey, self._assignment, emit, introduction)

    @property
    def works(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on, each by itself."""
        return {"votes": self.speak, "votes of others": self._follow, "vantages": self.watch}

    def vote_alone(self, alone: bool) -> None:
        """Whether what this vantage sees holds, whatever the others said."""
        self._peers.vote_alone(alone)

    def heard(self) -> tuple[HeardMember, ...]:
        """Every member as it is heard, this one included."""
        return tuple(self._heard(each) for each in self._membership.members)

    def policies_of_others(self) -> frozenset[str]:
        """Which policies the other members say that they have."""
        return self._peers.policies()

    def _heard(self, member: Member) -> HeardMember:
        if member.name == self._me:
            about, isolated = self._introduction, tuple(sorted(self._board.isolated()))
            twin = self._doubles.elsewhere
            votes = not isolated and not twin
            said, trouble = about.version, self._trouble
            return HeardMember(member, about.clock(), votes, isolated, said, 0.0, twin=twin, trouble=trouble)
        return self._peers.heard(member)

    @property
    def _trouble(self) -> str:
        """What did not come about for a lease: a user may campaign, say, and write or read no votes."""
        long_ago = self._introduction.clock() - self._coordinator.lease
        return next((why for since, why in self._failing.values() if since < long_ago), "")

    def _failed(self, what: str, error: Exception) -> None:
        since, _ = self._failing.get(what, (self._introduction.clock(), ""))
        self._failing[what] = since, f"votes are not {what}: {error or 'the coordinator did not answer in time'}"

    # -- saying --------------------------------------------------------------------------------------------------------

    async def speak(self) -> None:
        """Tell the others what this vantage sees, for ever."""
        attempt = 0
        while True:
            await self._publisher.wait()
            self._take_up()
            if self._doubles.elsewhere:
                self._publisher.skip()  # it looks again in a moment
                continue
            try:
                await self._publisher.say()
                attempt = 0
                self._failing.pop("told", None)
            except (CoordinationError, TimeoutError) as error:  # that it does not answer is told by who campaigns
                attempt += 1
                self._failed("told", error)
                await asyncio.sleep(self._pause(attempt))

    def _take_up(self) -> None:
        """Policies came, went, or have another revision."""
        gone, came = self._assignment.take_up()
        for name in gone:
            self._publisher.forget(name)
        self._peers.hear_anew(came)

    def _ballot(self, policy: Policy) -> Ballot:
        return self._assignment.ballot(policy, self._board.votes(policy.name))

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Hear everything that the others say, for ever: what stands there, then each change."""
        attempt, known, newest = 0, set[str](), 0
        while True:
            try:
                async with asyncio.timeout(time_to_answer(self._coordinator)):
                    entries, version = await self._coordinator.entries(VANTAGES)
                self._failing.pop("heard", None)
                older, newest = version < newest, version
                if older:  # it came back from a backup, and what stands there is what was so then
                    self._publisher.say_all_again()
                    await asyncio.sleep(self._publisher.beat)  # the others do so as well
                    continue
                for key in known - entries.keys():
                    self._take(key, None)
                known = set(entries)
                for key in self._publisher.keys - known:
                    self._publisher.say_again(key)
                for key in sorted(entries, key=lambda key: key.startswith(MEMBERS)):  # ballots first, as they were said
                    self._take(key, entries[key].value)
                async for key, shared in self._coordinator.changes(VANTAGES, version):
                    attempt, newest = 0, shared.version
                    (known.discard if shared.value is None else known.add)(key)
                    self._take(key, shared.value)
            except (CoordinationError, TimeoutError) as error:
                attempt += 1
                self._failed("heard", error)
                await asyncio.sleep(self._pause(attempt))

    def _pause(self, attempt: int) -> float:
        return backoff(attempt, first=FIRST_PAUSE, longest=min(LONGEST_PAUSE, self._publisher.beat), chance=self.chance)

    def _take(self, key: str, value: bytes | None) -> None:
        if key.startswith(MEMBERS):
            self._take_heartbeat(key, value)
        elif key.startswith(BALLOTS):
            self._take_ballot(key, value)

    def _take_heartbeat(self, key: str, value: bytes | None) -> None:
        name = key.removeprefix(MEMBERS)
        if name == self._me:
            self._take_own_heartbeat(key, value)
            return
        patience = self._peers.patience
        if self._peers.take_heartbeat(name, value):
            self._candidate.look()
        if self._peers.patience < patience:  # who was told a shorter lease misses this one sooner than it speaks
            self._publisher.to_say("")

    def _take_own_heartbeat(self, key: str, value: bytes | None) -> None:
        """What stands there of this member: it says so itself, or another daemon says that it is the same."""
        if value is None:
            self._publisher.say_again(key)
            return
        with suppress(ValueError):
            self._doubles.heard(MemberBeat.parsed(value))

    def _take_ballot(self, key: str, value: bytes | None) -> None:
        name, _, policy = key.removeprefix(BALLOTS).partition("/")
        if name == self._me:
            self._publisher.stood(key, policy, value)
        else:
            self._peers.take_ballot(name, policy, value)

    # -- who is there --------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notice who falls silent, for ever."""
        while True:
            self._peers.look()
            self._peers.tell_differing()
            await self._make_way()
            await asyncio.sleep(self._publisher.beat)

    async def _make_way(self) -> None:
        """Leave the name to another daemon that has it, or take it again once that is gone."""
        self._doubles.look()
        elsewhere = self._doubles.elsewhere
        if elsewhere:
            self._candidate.abstain(self._coordinator.lease)
        if elsewhere and not self._back:
            with suppress(CoordinationError, TimeoutError):  # the other one is to hear of it as well
                await self._publisher.introduce()
            cause = f"another daemon, on {elsewhere}, is {self._me} as well, and was there before"
            self._back = await self._candidate.resign(self._coordinator.lease, cause)
        elif self._back and not elsewhere:
            self._back = False
            self._publisher.begin_again(self._assignment.taken)


def _settings(membership: Membership) -> Iterable[object]:
    """What all members have to be told alike, but for who each of them is."""
    yield from (membership.uncoordinated, membership.probe_factor)
    for each in sorted(membership.members, key=lambda member: member.name):
        yield from (each.name, each.network, each.role)


def _digest(said: Iterable[object]) -> str:
    return blake2b("\n".join(map(str, said)).encode(), digest_size=8).hexdigest()
