"""Who of the members does what, as one of them tells people."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from failoverd import __version__
from failoverd.core.members import Member, Membership
from failoverd.core.status import MembersStatus, MemberStanding, MemberStatus
from failoverd.runtime.members.leading import Standing


class Led(Protocol):
    """Whether this member leads, and who does else: `Leading`."""

    @property
    def standing(self) -> Standing: ...
    @property
    def leads(self) -> bool: ...
    @property
    def lone(self) -> bool: ...
    @property
    def coordinated(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @property
    def lease(self) -> float: ...


def roster(
    leading: Led, membership: Membership, heard: Iterable[MemberStatus], now: float, listens_since: float
) -> MembersStatus:
    """Where the members stand.

    Args:
        leading: whether this one leads, and who does else.
        membership: all of them.
        heard: what this one hears of each of them. Whoever is not among them was not heard of, but for this one.
        now: the time.
        listens_since: when this one began to listen to the others.
    """
    standing, me = leading.standing, membership.me
    known = {me.name: _itself(me, now)} | {each.name: each for each in heard}
    told = (_told(each, known.get(each.name), standing.leader) for each in membership.members)
    return MembersStatus(
        at=now,
        member=me.name,
        leads=leading.leads,
        lone=leading.lone,
        leader=standing.leader,
        epoch=leading.epoch,
        since=standing.since,
        coordinated=leading.coordinated,
        heard_at=standing.heard_at,
        trouble=standing.trouble,
        lease=leading.lease,
        listens_since=listens_since,
        members=tuple(sorted(told, key=lambda each: each.name)),
    )


def _itself(me: Member, now: float) -> MemberStatus:
    standing = MemberStanding.FOLLOWS if me.may_lead else MemberStanding.WATCHES
    return MemberStatus(me.name, me.network, me.role, standing, heard_at=now, version=__version__, offset=0.0)


def _told(member: Member, heard: MemberStatus | None, leader: str) -> MemberStatus:
    """The coordinator knows better who leads than a member that was heard of a moment ago."""
    if heard is None:
        unheard = MemberStanding.LEADS if member.name == leader else MemberStanding.UNHEARD
        return MemberStatus(member.name, member.network, member.role, unheard, uncounted="not heard of")
    return replace(heard, standing=MemberStanding.LEADS) if member.name == leader else heard
