"""Who votes: the vantages, and what is heard of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from failoverd.core.health.isolation import Family

_NOBODY: Mapping[str, frozenset[Family]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Voter:
    """A vantage that is to vote, and what is heard of it.

    Attributes:
        name: of the member.
        network: what it shares with others that fail with it: a cloud, a carrier.
        heard_at: when it last said anything, on the clock of who counts.
        isolated: it does not trust what it sees.
    """

    name: str
    network: str
    heard_at: float
    isolated: bool = False

    def speaks(self, now: float, fresh: float) -> bool:
        """Whether its votes count, which do for `fresh` seconds."""
        return now - self.heard_at <= fresh and not self.isolated


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who votes.

    Attributes:
        me: this vantage, by its name among the voters.
        voters: every vantage that is to vote, this one included, whether it is heard of or not.
        fresh: seconds for which the votes of one that says nothing count.
        isolated: the address families in which another one does not trust itself.
    """

    me: str
    voters: tuple[Voter, ...]
    fresh: float
    isolated: Mapping[str, frozenset[Family]] = field(default_factory=lambda: _NOBODY)

    def asked(self, family: Family, *, doubts_itself: bool) -> tuple[Voter, ...]:
        """All voters as they count for a family of addresses. Of itself a vantage always hears."""
        return tuple(
            replace(each, heard_at=float("inf"), isolated=doubts_itself)
            if each.name == self.me
            else replace(each, isolated=each.isolated or family in self.isolated.get(each.name, frozenset()))
            for each in self.voters
        )
