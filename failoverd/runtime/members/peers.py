"""What this member hears of the others: who is there, and what each of them sees."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from failoverd.core.events import MemberFound, MemberLost
from failoverd.core.health.electorate import Electorate, Voter
from failoverd.core.health.isolation import NEVER
from failoverd.core.health.transitions import ProbeDue
from failoverd.core.health.votes import Votes
from failoverd.core.members import Member, Membership
from failoverd.ports import Emit
from failoverd.runtime.members.assigning import Assignment
from failoverd.runtime.members.ballots import Ballot, Introduction, MemberBeat
from failoverd.runtime.members.refusals import Refusals

MOST_POLICIES: Final = 10_000
"""Of one other member that are kept in mind, besides as many as run here."""


class Polls(Protocol):
    """Where votes are counted."""

    def convene(self, electorate: Electorate | None, /) -> None: ...
    def hear(self, voter: str, policy: str, votes: Votes | None, /) -> tuple[ProbeDue, ...]: ...


SHORTEST_LEASE: Final = 5.0
"""Seconds that a configuration may say: nobody has this member talk faster than for that."""


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
        trouble: of this member, why it is not heard by the others, or does not hear them, though somebody answers.
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
    trouble: str = ""


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


class Peers:
    """The other members.

    Args:
        membership: who this is among them.
        lease: seconds for which a member counts that says nothing.
        settings: a digest of what all members have to be told alike.
        board: where votes are counted.
        obey: is called with the probes that others make due.
        assignment: who probes what.
        emit: is told of members that go and come, and of what is not counted.
        introduction: what this one says of itself; the time is the same.
    """

    def __init__(
        self,
        membership: Membership,
        lease: float,
        settings: str,
        board: Polls,
        obey: Callable[[Iterable[ProbeDue]], None],
        assignment: Assignment,
        emit: Emit,
        introduction: Introduction,
    ) -> None:
        clock = introduction.clock
        self._me = membership.me.name
        self._membership = membership
        self._lease = lease
        self._settings = settings
        self._board = board
        self._obey = obey
        self._assignment = assignment
        self._emit = emit
        self._clock = clock
        self._wall = introduction.wall
        self._others = {each.name: _Other(each) for each in membership.members if each.name != self._me}
        self._began = clock()
        self._refusals = Refusals(emit, clock)
        board.convene(self._electorate())

    def heard(self, member: Member) -> HeardMember:
        """Another member as this one hears of it."""
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
            tuple(sorted(name for name in self._assignment.policies() if self._differs(other, name))),
            self._is_heard(other) and last.settings not in {"", self._settings},
        )

    # -- what they say -------------------------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """The shortest lease of all that are heard, this one's included: some may have been told another one."""
        others = (each.last.lease for each in self._others.values() if each.last is not None and self._is_heard(each))
        return min((self._lease, *(max(SHORTEST_LEASE, lease) for lease in others if lease)))

    def policies(self) -> frozenset[str]:
        """Which policies they say that they have."""
        return frozenset(
            name for other in self._others.values() for name, ballot in other.ballots.items() if ballot.revision
        )

    def take_heartbeat(self, name: str, value: bytes | None) -> bool:
        """What stands there of another member; None: nothing any more. Whether it has gone."""
        other = self._others.get(name)
        if other is None:
            self._take_stranger(name, value)
            return False
        if value is None:
            other.heard_at = NEVER  # its lease is over, or it left
            self.look()
            return True
        try:
            said = MemberBeat.parsed(value)
        except ValueError as error:
            self._refusals.unread(name, "", error)
            return False
        self._refusals.over(name)
        self._note(other, said)
        return False

    def take_ballot(self, name: str, policy: str, value: bytes | None) -> None:
        """The same of what it sees of a policy."""
        other = self._others.get(name)
        if other is None:
            self._take_stranger(name, value)
            return
        other.ballots.pop(policy, None)
        if value is not None and len(other.ballots) < MOST_POLICIES + len(self._assignment.policies()):
            try:
                other.ballots[policy] = Ballot.parsed(value)
            except ValueError as error:
                self._refusals.unread(name, policy, error)
        self._hear(other, policy)

    def hear_anew(self, policies: Iterable[str]) -> None:
        """They were taken up: what was said of them counts from now on."""
        for name in policies:
            for other in self._others.values():
                other.differing.pop(name, None)
                self._hear(other, name)

    def vote_alone(self, alone: bool) -> None:
        """Whether what this vantage sees holds, whatever the others said: nobody can be heard, and it has to act."""
        if alone is self._assignment.alone:
            return
        self._assignment.probe_alone(alone)
        self._board.convene(self._electorate())
        for other in self._others.values():  # what they said meanwhile was for nobody
            for name in self._assignment.taken:
                self._hear(other, name)

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
        if not was:  # it may have been started just now, and tells its ballots one after the other
            other.differing |= dict.fromkeys(other.differing.keys() - other.ballots.keys(), self._clock())
            self.look()

    def _clock_offset(self, said: MemberBeat) -> float:
        """Seconds by which it is ahead. Whoever sets a clock mends the machine, and not what a daemon began with."""
        machines = said.at - self._wall()
        daemons = machines if said.steady is None else said.steady - self._clock()
        return max(machines, daemons, key=abs)

    def _hear(self, other: _Other, name: str) -> None:
        """Have the votes of a member on a policy counted, if they are on the same revision."""
        if name not in self._assignment.taken:
            return
        ballot, ours = other.ballots.get(name), self._assignment.taken[name].policy.source.revision
        votes = None
        if ballot is None or ballot.revision != ours:
            other.differing.setdefault(name, self._clock())
        else:
            other.differing.pop(name, None)
        if ballot is not None and name not in other.differing:
            self._refusals.over(other.member.name, name)
            votes = self._assignment.votes(name, other.member.name, ballot)
        self._obey(self._board.hear(other.member.name, name, votes))

    def _differs(self, other: _Other, name: str) -> bool:
        """Whether it runs another revision of a policy than this member does, or none, as far as can be said.

        Who says nothing of a policy has read its files within a lease, or was given none of that name.
        """
        since = other.differing.get(name)
        return since is not None and (name in other.ballots or (self._is_heard(other) and self._lasts(since)))

    def _lasts(self, since: float) -> bool:
        """Whether it is so for longer than it may take everybody to read the files."""
        return self._clock() - since > self._lease

    # -- who is there --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Notice who falls silent, and have the votes of the others counted."""
        now = self._clock()
        heard_at = {name: max(other.heard_at, self._began) for name, other in self._others.items()}
        self._assignment.look({**heard_at, self._me: now}, now)
        for other in self._others.values():
            self._tell_lost(other, now)
        self._board.convene(self._electorate())

    def _tell_lost(self, other: _Other, now: float) -> None:
        who, heard = other.member, self._is_heard(other)
        if heard and other.told_lost is not None:
            self._emit(MemberFound(at=now, member=who.name, network=who.network, lasted=now - other.told_lost))
            other.told_lost = None
        silent_for = now - (self._began if other.spoke_at is None else other.spoke_at)  # who left spoke just before
        if not heard and other.told_lost is None and silent_for > self._lease:
            other.told_lost = now - silent_for
            self._emit(MemberLost(at=now, member=who.name, network=who.network, silent_for=silent_for))

    def tell_differing(self) -> None:
        """Say of whom another revision is not counted, once it had the time to read the files as well."""
        for other in self._others.values():
            for policy, since in other.differing.items():
                taken = self._assignment.taken.get(policy)
                if taken is None or not self._lasts(since) or not self._differs(other, policy):
                    continue
                ballot = other.ballots.get(policy)
                theirs = ballot.revision if ballot is not None else ""
                self._refusals.other_revision(other.member.name, policy, theirs, taken.policy.source.revision)

    def _is_heard(self, other: _Other) -> bool:
        return self._clock() - other.heard_at <= self._lease

    def _electorate(self) -> Electorate | None:
        if self._assignment.alone:
            return None
        voters = tuple(
            Voter(each.name, each.network, self._others[each.name].heard_at if each.name != self._me else self._clock())
            for each in self._membership.members
        )
        isolated = {name: each.last.isolated for name, each in self._others.items() if each.last is not None}
        return Electorate(self._me, voters, self._lease, isolated)
