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
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Protocol

from failoverd.core.errors import CoordinationError
from failoverd.core.events import MemberFound, MemberLost
from failoverd.core.health.assignment import PolicyShares, ProbingMembers
from failoverd.core.health.electorate import Electorate, Votes
from failoverd.core.health.isolation import NEVER, Family
from failoverd.core.health.transitions import ProbeDue
from failoverd.core.health.votes import Voter
from failoverd.core.members import Member, Membership
from failoverd.core.records import Endpoint, Policy
from failoverd.ports import Clock, Coordinator, Emit, WallClock
from failoverd.runtime.members.ballots import Ballot, MemberBeat, MemberRun
from failoverd.runtime.members.doubles import Doubles
from failoverd.runtime.members.refusals import Refusals
from failoverd.runtime.naps import Nap
from failoverd.runtime.supervising import CHANCE, backoff

VANTAGES: Final = "vantages/"
"""What every key begins with: one watch hears in order, so no heartbeat is heard before the ballots that it follows."""

MEMBERS: Final = f"{VANTAGES}members/"
BALLOTS: Final = f"{VANTAGES}votes/"

GATHER: Final = 0.02
"""Seconds for which changes are gathered before they are told, and as much again for each `PIECE` of what is told."""

PIECE: Final = 10_000
"""Bytes."""

TOGETHER: Final = 100
"""Ballots that are told in one call."""

AT_ONCE: Final = 4
"""Such calls that are under way together."""

FIRST_PAUSE: Final = 0.1
"""Seconds after which it is tried again first, where the coordinator does not answer."""

LONGEST_PAUSE: Final = 5.0

STEADY: Final = 3.0
"""Leases for which a member that was gone has to be heard, before its part of the probing is left to it again."""

MOST_POLICIES: Final = 10_000
"""Of one other member that are kept in mind, besides as many as run here."""


class VotingBoard(Protocol):
    """The health board, as far as votes are about it."""

    def report(self, to_say: Callable[[str], None], /) -> None: ...
    def convene(self, electorate: Electorate | None, /) -> None: ...
    def hear(self, voter: str, policy: str, votes: Votes | None, /) -> tuple[ProbeDue, ...]: ...
    def votes(self, policy: str, /) -> Votes: ...
    def leave(self, policy: str, elsewhere: frozenset[Endpoint], /) -> None: ...
    def isolated(self) -> frozenset[Family]: ...


class VotingTimetable(Protocol):
    """The probe timetable, as far as other vantages make probes due, or take some over."""

    def obey(self, due: Iterable[ProbeDue], /) -> None: ...
    def leave(self, name: str, elsewhere: frozenset[Endpoint], /) -> None: ...


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a member says of itself: its wall clock, its version, its process."""

    wall: WallClock
    version: str = ""
    run: MemberRun | None = None


class Candidate(Protocol):
    """Who stands for this member."""

    def look(self) -> None: ...
    def abstain(self, seconds: float, /) -> None: ...
    async def resign(self, abstain: float = 0.0, cause: str = ..., /) -> bool: ...


class NeverStands:
    """A member that never stands."""

    def look(self) -> None:
        """Whoever leads, it is not this one."""

    def abstain(self, seconds: float, /) -> None:
        """It does so anyway."""

    async def resign(self, abstain: float = 0.0, cause: str = "", /) -> bool:  # noqa: ARG002 - there is nothing to end
        return True


@dataclass(frozen=True, slots=True)
class HeardMember:
    """A member as this one hears of it.

    Attributes:
        member: who.
        heard_at: when it last said something; None while it never did.
        votes: whether its votes count.
        isolated: the address families in which it does not trust itself.
        version: of its failoverd.
        clock_offset: seconds by which its clock is ahead of this one's, at most: that of its machine, or the one that
            it goes by, whichever is further off. None while nothing is known.
        differing: the policies of which it runs another revision, or none.
        otherwise: whether its configuration says something else of the members.
        twin: where another daemon is that says that it is this member, while this one steps back for it.
    """

    member: Member
    heard_at: float | None
    votes: bool
    isolated: tuple[str, ...] = ()
    version: str = ""
    clock_offset: float | None = None
    differing: tuple[str, ...] = ()
    otherwise: bool = False
    twin: str = ""


@dataclass(slots=True)
class _Other:
    """What is known of another member.

    `heard_at` is when it last spoke, as long as it holds its lease; `spoke_at`, whatever became of it. `told_lost` is
    since when it is not heard, once that was said.
    """

    member: Member
    heard_at: float = NEVER
    spoke_at: float | None = None
    last: MemberBeat | None = None
    clock_offset: float | None = None
    told_lost: float | None = None
    ballots: dict[str, Ballot] = field(default_factory=dict)
    differing: dict[str, float] = field(default_factory=dict)  # policies, and since when


class Voting:
    """One of several vantages. Everything in `works` is endless.

    Args:
        coordinator: where they tell each other.
        membership: who this is among them.
        board: what this member sees, and where votes are counted.
        timetable: probes what others have doubts about.
        policies: what runs here, by name.
        emit: is told of members that go and come, and of what is not counted.
        clock: the time; steady.
        introduction: what it says of itself.

    Attributes:
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
        clock: Clock,
        introduction: Introduction | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._membership = membership
        self._board = board
        self._timetable = timetable
        self._policies = policies
        self._emit = emit
        self._clock = clock
        self._introduction = introduction or Introduction(clock)
        self._me = membership.me.name
        self._others = {each.name: _Other(each) for each in membership.members if each.name != self._me}
        self._began = clock()
        lease = coordinator.lease
        self._names = frozenset(each.name for each in membership.members)
        self._probing = ProbingMembers(lease, STEADY * lease, self._names)
        self._alone = False
        self._taken: dict[str, PolicyShares] = {}
        self._unsaid: set[str] = set()
        self._said: dict[str, bytes] = {}
        self._stands: dict[str, bytes] = {}  # in this member's name, as the coordinator tells
        self._nap = Nap(clock)
        self._number = 0
        self._beat_at = NEVER
        self._told_isolated: frozenset[Family] = frozenset()
        self._refusals = Refusals(emit, clock)
        self.candidate: Candidate = NeverStands()
        self.chance = CHANCE
        self._doubles = Doubles(self._me, self._introduction.run, lease, emit, clock)
        self._settings = _digest([lease, *_settings(membership)])
        self._back = False  # it steps back for another daemon of its name, and has taken away what it said
        board.report(self._to_say)
        board.convene(self._electorate())

    @property
    def works(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on, each by itself."""
        return {
            "votes": self.speak,
            "votes of others": self._follow,
            "vantages": self.watch,
        }

    @property
    def beat(self) -> float:
        """Seconds between two heartbeats."""
        return self._coordinator.lease / 10

    def vote_alone(self, alone: bool) -> None:
        """Whether what this vantage sees holds, whatever the others said: nobody can be heard, and it has to act."""
        if alone is not self._alone:
            self._alone = alone
            self._share()
            self._board.convene(self._electorate())
            for other in self._others.values():  # what they said meanwhile was for nobody
                for name in self._taken:
                    self._hear(other, name)

    def heard(self) -> tuple[HeardMember, ...]:
        """Every member as it is heard, this one included."""
        return tuple(self._heard(each) for each in self._membership.members)

    def _heard(self, member: Member) -> HeardMember:
        if member.name == self._me:
            about, isolated = self._introduction, tuple(sorted(self._board.isolated()))
            twin = self._doubles.elsewhere
            votes = not isolated and not twin
            return HeardMember(member, self._clock(), votes, isolated, about.version, 0.0, twin=twin)
        other = self._others[member.name]
        last = other.last
        if last is None:
            return HeardMember(member, None, votes=False)
        return HeardMember(
            member,
            other.spoke_at,
            self._is_heard(other) and not last.isolated,
            tuple(sorted(last.isolated)),
            last.version,
            other.clock_offset,
            tuple(sorted(name for name in self._policies() if self._differs(other, name))),
            self._is_heard(other) and last.settings not in {"", self._settings},
        )

    # -- saying --------------------------------------------------------------------------------------------------------

    async def speak(self) -> None:
        """Tell the others what this vantage sees, for ever."""
        attempt = 0
        while True:
            await self._wait_for_news()
            self._take_up()
            if self._doubles.elsewhere:
                self._beat_at = self._clock()  # it says nothing, and looks again in a moment
                continue
            try:
                await self._say()
                attempt = 0
            except (CoordinationError, TimeoutError):  # that it does not answer is told by who campaigns
                attempt += 1
                await asyncio.sleep(self._pause(attempt))

    def _to_say(self, policy: str) -> None:
        """This vantage sees something else of a policy, or ("") of itself."""
        if policy:
            self._unsaid.add(policy)
        self._nap.wake()

    async def _wait_for_news(self) -> None:
        await self._nap.until(self._beat_at + self.beat)
        if self._unsaid:
            size = sum(len(self._said.get(name, b"")) for name in self._unsaid)
            await asyncio.sleep(min(GATHER * (1 + size / PIECE), self.beat))
        self._nap.begin()

    async def _say(self) -> None:
        if self._clock() >= self._beat_at + self.beat:
            self._look_at_own_words()
        policies, unsaid = self._policies(), sorted(self._unsaid)
        self._unsaid.clear()
        ballots = {name: self._ballot(policies.get(name)).dumped() for name in unsaid}
        changed = [(name, said) for name, said in ballots.items() if self._said.get(name) != said]
        parts = [dict(changed[start : start + TOGETHER]) for start in range(0, len(changed), TOGETHER)]
        gate = asyncio.Semaphore(AT_ONCE)
        if not all(await asyncio.gather(*(self._publish_ballots(part, gate) for part in parts))):
            raise CoordinationError("not every ballot could be told", reason="untold")
        isolated, now = self._board.isolated(), self._clock()  # what changed meanwhile is told in a moment
        due = now >= self._beat_at + self.beat - GATHER  # a timer may go off a little early
        if due or isolated != self._told_isolated:
            await self._publish_heartbeat(isolated, now)

    async def _publish_ballots(self, ballots: Mapping[str, bytes], gate: asyncio.Semaphore) -> bool:
        async with gate:
            try:
                await self._publish({f"{BALLOTS}{self._me}/{name}": said for name, said in ballots.items()})
            except (CoordinationError, TimeoutError):
                self._unsaid |= ballots.keys()
                return False
        running = self._policies()
        self._said |= {name: said for name, said in ballots.items() if name in running}
        return True

    def _ballot(self, policy: Policy | None) -> Ballot:
        """What this member says of a policy; of one that does not run here, that it has nothing to say."""
        if policy is None:
            return Ballot("")
        votes = self._board.votes(policy.name)
        return Ballot.of(votes, policy.source.revision, self._probing.present, self._membership.probe_factor)

    async def _publish_heartbeat(self, isolated: frozenset[Family], now: float) -> None:
        self._number += 1
        about = self._introduction
        said = MemberBeat(self._number, about.wall(), about.version, isolated, about.run, self._settings, self._clock())
        await self._publish({f"{MEMBERS}{self._me}": said.dumped()})
        self._beat_at, self._told_isolated = now, isolated

    async def _publish(self, values: Mapping[str, bytes]) -> None:
        async with asyncio.timeout(self._coordinator.lease / 4):
            await self._coordinator.publish(values)

    def _say_again(self, key: str) -> None:
        """The coordinator has lost what this member said: a lease ended, or an older state came back."""
        name = key.removeprefix(f"{BALLOTS}{self._me}/")
        if key == f"{MEMBERS}{self._me}":
            self._beat_at = NEVER
        elif self._said.pop(name, None) is not None:
            self._unsaid.add(name)
        self._nap.wake()

    def _look_at_own_words(self) -> None:
        """Say again what was said last where something else stands: an older state came back, or an older ballot late.

        As often as the heart beats: another process by this name, which must not be, would contradict without end.
        """
        for name, stands in self._stands.items():
            if self._said.get(name, stands) != stands:
                del self._said[name]
                self._unsaid.add(name)

    def _say_all_again(self) -> None:
        self._unsaid |= self._said.keys()
        self._said.clear()
        self._nap.wake()

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Hear everything that the others say, for ever: what stands there, then each change."""
        attempt, known, newest = 0, set[str](), 0
        while True:
            try:
                async with asyncio.timeout(self._coordinator.lease / 4):
                    entries, version = await self._coordinator.entries(VANTAGES)
                older, newest = version < newest, version
                if older:  # it came back from a backup, and what stands there is what was so then
                    self._say_all_again()
                    await asyncio.sleep(self.beat)  # the others do so as well
                    continue
                for key in known - entries.keys():
                    self._take(key, None)
                known = set(entries)
                for key in self._mine - known:
                    self._say_again(key)
                for key in sorted(entries, key=lambda key: key.startswith(MEMBERS)):  # ballots first, as they were said
                    self._take(key, entries[key].value)
                async for key, shared in self._coordinator.changes(VANTAGES, version):
                    attempt, newest = 0, shared.version
                    (known.discard if shared.value is None else known.add)(key)
                    self._take(key, shared.value)
            except (CoordinationError, TimeoutError):
                attempt += 1
                await asyncio.sleep(self._pause(attempt))

    def _pause(self, attempt: int) -> float:
        return backoff(attempt, first=FIRST_PAUSE, longest=min(LONGEST_PAUSE, self.beat), chance=self.chance)

    @property
    def _mine(self) -> set[str]:
        """The keys of what this member said."""
        heartbeat = {f"{MEMBERS}{self._me}"} if self._beat_at > NEVER else set()
        return heartbeat | {f"{BALLOTS}{self._me}/{name}" for name in self._said}

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
        other = self._others.get(name)
        if other is None:
            self._take_stranger(name, value)
            return
        if value is None:
            other.heard_at = NEVER  # its lease is over, or it left
            self._look()
            self.candidate.look()
            return
        try:
            said = MemberBeat.parsed(value)
        except ValueError as error:
            self._refusals.unread(name, "", error)
            return
        self._refusals.over(name)
        self._note(other, said)

    def _take_own_heartbeat(self, key: str, value: bytes | None) -> None:
        """What stands there of this member: it says so itself, or another daemon says that it is the same."""
        if value is None:
            self._say_again(key)
            return
        with suppress(ValueError):
            self._doubles.heard(MemberBeat.parsed(value))

    def _take_stranger(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._refusals.over(name)
        else:
            self._refusals.stranger(name)

    def _note(self, other: _Other, said: MemberBeat) -> None:
        before, other.last = other.last, said
        if before is None or (before.number, before.at) == (said.number, said.at):
            return  # it may have been said long ago
        was = self._is_heard(other) and before.isolated == said.isolated
        other.heard_at = other.spoke_at = self._clock()
        other.clock_offset = self._clock_offset(said)
        if not was:
            self._look()

    def _clock_offset(self, said: MemberBeat) -> float:
        """Seconds by which it is ahead. Whoever sets a clock mends the machine, and not what a daemon began with."""
        machines = said.at - self._introduction.wall()
        daemons = machines if said.steady is None else said.steady - self._clock()
        return max(machines, daemons, key=abs)

    def _take_ballot(self, key: str, value: bytes | None) -> None:
        name, _, policy = key.removeprefix(BALLOTS).partition("/")
        if name == self._me:
            self._take_own_ballot(key, policy, value)
            return
        other = self._others.get(name)
        if other is None:
            self._take_stranger(name, value)
            return
        other.ballots.pop(policy, None)
        if value is not None and len(other.ballots) < MOST_POLICIES + len(self._policies()):
            try:
                other.ballots[policy] = Ballot.parsed(value)
            except ValueError as error:
                self._refusals.unread(name, policy, error)
        self._hear(other, policy)

    def _take_own_ballot(self, key: str, policy: str, value: bytes | None) -> None:
        if value is not None:
            self._stands[policy] = value
            return
        self._stands.pop(policy, None)
        self._say_again(key)

    def _hear(self, other: _Other, name: str) -> None:
        """Have the votes of a member on a policy counted, if they are on the same revision."""
        shares, ballot = self._taken.get(name), other.ballots.get(name)
        if shares is None:
            return
        votes = None
        if self._differs(other, name):
            other.differing.setdefault(name, self._clock())
        else:
            other.differing.pop(name, None)
        if ballot is not None and name not in other.differing:
            self._refusals.over(other.member.name, name)
            among = frozenset(ballot.among) & self._names
            votes = ballot.votes(shares.policy, shares.left_by(other.member.name, among, ballot.factor))
        self._timetable.obey(self._board.hear(other.member.name, name, votes))

    def _differs(self, other: _Other, name: str) -> bool:
        """Whether it runs another revision of a policy than this member does."""
        policy, ballot = self._policies().get(name), other.ballots.get(name)
        return policy is not None and ballot is not None and ballot.revision != policy.source.revision

    # -- who is there --------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notice who falls silent, for ever."""
        while True:
            self._look()
            self._tell_differing()
            await self._make_way()
            await asyncio.sleep(self.beat)

    async def _make_way(self) -> None:
        """Leave the name to another daemon that has it, or take it again once that is gone."""
        self._doubles.look()
        elsewhere = self._doubles.elsewhere
        if elsewhere:
            self.candidate.abstain(self._coordinator.lease)
        if elsewhere and not self._back:
            if not self._number:  # the other one is to hear of it as well
                with suppress(CoordinationError, TimeoutError):
                    await self._publish_heartbeat(self._board.isolated(), self._clock())
            cause = f"another daemon, on {elsewhere}, is {self._me} as well, and was there before"
            self._back = await self.candidate.resign(self._coordinator.lease, cause)
        elif self._back and not elsewhere:
            self._back, self._beat_at = False, NEVER
            self._said.clear()
            self._unsaid |= self._taken.keys()
            self._nap.wake()

    def _look(self) -> None:
        now = self._clock()
        heard_at = {name: max(other.heard_at, self._began) for name, other in self._others.items()}
        if self._probing.look({**heard_at, self._me: now}, now):
            self._share()
        for other in self._others.values():
            self._tell_lost(other, now)
        self._board.convene(self._electorate())

    def _tell_lost(self, other: _Other, now: float) -> None:
        who, heard = other.member, self._is_heard(other)
        if heard and other.told_lost is not None:
            self._emit(MemberFound(at=now, member=who.name, network=who.network, lasted=now - other.told_lost))
            other.told_lost = None
        silent_for = now - (self._began if other.spoke_at is None else other.spoke_at)  # who left spoke just before
        if not heard and other.told_lost is None and silent_for > self._coordinator.lease:
            other.told_lost = now - silent_for
            self._emit(MemberLost(at=now, member=who.name, network=who.network, silent_for=silent_for))

    def _tell_differing(self) -> None:
        """Say of whom another revision is not counted, once it had the time to read the files as well."""
        now = self._clock()
        for other in self._others.values():
            for policy, since in other.differing.items():
                ballot = other.ballots.get(policy)
                if ballot is None or policy not in self._taken or now - since <= self._coordinator.lease:
                    continue
                ours = self._taken[policy].policy.source.revision
                self._refusals.other_revision(other.member.name, policy, ballot.revision, ours)

    def _is_heard(self, other: _Other) -> bool:
        return self._clock() - other.heard_at <= self._coordinator.lease

    def _electorate(self) -> Electorate | None:
        if self._alone:
            return None
        voters = tuple(
            Voter(each.name, each.network, self._others[each.name].heard_at if each.name != self._me else self._clock())
            for each in self._membership.members
        )
        isolated = {name: each.last.isolated for name, each in self._others.items() if each.last is not None}
        return Electorate(self._me, voters, self._coordinator.lease, isolated)

    # -- who probes what -----------------------------------------------------------------------------------------------

    def _take_up(self) -> None:
        """Policies came, went, or have another revision: share their endpoints, hear again what was said."""
        running = self._policies()
        for name in self._taken.keys() - running.keys():
            del self._taken[name]
            self._said.pop(name, None)
        for name, policy in running.items():
            known = self._taken.get(name)
            if known is not None and known.policy is policy:
                continue
            shares = self._taken[name] = PolicyShares(policy)
            self._leave(shares)
            for other in self._others.values():
                other.differing.pop(name, None)
                self._hear(other, name)

    def _share(self) -> None:
        """Others are there to probe than before."""
        for name, shares in self._taken.items():
            self._leave(shares)
            self._to_say(name)

    def _leave(self, shares: PolicyShares) -> None:
        factor = None if self._alone else self._membership.probe_factor
        elsewhere = shares.left_by(self._me, self._probing.present, factor)
        self._board.leave(shares.policy.name, elsewhere)
        self._timetable.leave(shares.policy.name, elsewhere)


def _settings(membership: Membership) -> Iterable[object]:
    """What all members have to be told alike, but for who each of them is."""
    yield from (membership.uncoordinated, membership.probe_factor)
    for each in sorted(membership.members, key=lambda member: member.name):
        yield from (each.name, each.network, each.role)


def _digest(said: Iterable[object]) -> str:
    return blake2b("\n".join(map(str, said)).encode(), digest_size=8).hexdigest()
