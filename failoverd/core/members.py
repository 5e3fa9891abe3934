"""The members of an installation: daemons in several places that watch together, of which one writes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

QUORUM: Final = 2
"""Members that have to see the same, where there are three or more, before it is acted on."""


class MemberRole(StrEnum):
    """What a member does besides probing and voting."""

    MEMBER = "member"  # it may lead, and then it writes
    VANTAGE = "vantage"  # nothing: it never writes


class Uncoordinated(StrEnum):
    """What members do while the coordinator does not answer and nobody can lead."""

    HOLD = "hold"  # nobody writes
    FAILING_OUT = "failing_out"  # each takes traffic off what it sees down itself, where the provider has a fence


@dataclass(frozen=True, slots=True)
class Member:
    """One daemon of an installation.

    Attributes:
        name: which one, as people and the others call it.
        network: what it shares with others that fail with it: a cloud, a carrier. Votes are counted by it.
        role: whether it may ever lead.
    """

    name: str
    network: str
    role: MemberRole = MemberRole.MEMBER

    @property
    def may_lead(self) -> bool:
        return self.role is MemberRole.MEMBER


@dataclass(frozen=True, slots=True)
class Membership:
    """One member among the others.

    Attributes:
        me: this one.
        members: all of them.
        uncoordinated: what they do while the coordinator does not answer.
        probe_factor: how many members probe each endpoint; None: all of them.
    """

    me: Member
    members: tuple[Member, ...]
    uncoordinated: Uncoordinated = Uncoordinated.HOLD
    probe_factor: int | None = None


def too_few(voting: int, members: int) -> bool:
    """Whether so few of so many vote that they decide nothing; of one or two members any decides."""
    return voting < QUORUM < members
