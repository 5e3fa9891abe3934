"""Which endpoints of each policy this member probes, and which it leaves to others (`core.health.assignment`)."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from failoverd.core.health.assignment import PolicyShares, ProbingMembers
from failoverd.core.health.votes import Votes
from failoverd.core.members import Membership
from failoverd.core.records import Endpoint, Policy
from failoverd.runtime.members.ballots import Ballot

STEADY: Final = 3.0
"""Leases for which a member that was gone has to be heard, before its part of the probing is left to it again."""


class ProbeSharing(Protocol):
    """Who can leave endpoints of a policy to others: the health board, and the probe timetable."""

    def leave(self, policy: str, elsewhere: frozenset[Endpoint], /) -> None: ...


class Assignment:
    """What this member leaves to others.

    Args:
        membership: who it is among them.
        lease: seconds of silence after which the others probe what a member did.
        policies: what runs here, by name.
        shared: hears of each policy that others probe than before.
        among: who has to leave it.

    Attributes:
        policies: see above.
        taken: those of them that were taken up, by name.
        alone: nobody can be heard, and nothing is left to anybody.
    """

    def __init__(
        self,
        membership: Membership,
        lease: float,
        policies: Callable[[], Mapping[str, Policy]],
        shared: Callable[[str], None],
        *among: ProbeSharing,
    ) -> None:
        self._me = membership.me.name
        self._factor = membership.probe_factor
        self._names = frozenset(each.name for each in membership.members)
        self._probing = ProbingMembers(lease, STEADY * lease, self._names)
        self._shared = shared
        self._among = among
        self.policies = policies
        self.taken: dict[str, PolicyShares] = {}
        self.alone = False

    def take_up(self) -> tuple[set[str], list[str]]:
        """Policies came, went, or have another revision: share their endpoints. Who went, and who came."""
        running = self.policies()
        gone = self.taken.keys() - running.keys()
        for name in gone:
            del self.taken[name]
        known = {name: shares.policy for name, shares in self.taken.items()}
        came = [name for name, policy in running.items() if known.get(name) is not policy]
        for name in came:
            self.taken[name] = PolicyShares(running[name])
            self._leave(self.taken[name])
        return gone, came

    def look(self, heard_at: Mapping[str, float], now: float) -> None:
        """Others may be there to probe than before, given when each member was last heard."""
        if self._probing.look(heard_at, now):
            self._share()

    def probe_alone(self, alone: bool) -> None:
        self.alone = alone
        self._share()

    def ballot(self, policy: Policy, votes: Votes) -> Ballot:
        return Ballot.of(votes, policy.source.revision, self._probing.present, self._factor)

    def votes(self, policy: str, member: str, ballot: Ballot) -> Votes:
        """What another member says of a policy that was taken up, and of which endpoints it says nothing."""
        shares = self.taken[policy]
        among = frozenset(ballot.among) & self._names
        return ballot.votes(shares.policy, shares.left_by(member, among, ballot.factor))

    def _share(self) -> None:
        for name, shares in self.taken.items():
            self._leave(shares)
            self._shared(name)

    def _leave(self, shares: PolicyShares) -> None:
        factor = None if self.alone else self._factor
        elsewhere = shares.left_by(self._me, self._probing.present, factor)
        for each in self._among:
            each.leave(shares.policy.name, elsewhere)
