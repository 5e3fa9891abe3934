"""Who of the members does what, as one of them tells people."""

from collections.abc import Collection

from failoverd.core.members import Member
from failoverd.core.status import MembersStatus, MemberStanding, MemberStatus
from failoverd.runtime.members.leading import Leading
from failoverd.runtime.members.peers import HeardMember


def roster(
    leading: Leading, me: Member, heard: Collection[HeardMember], now: float, listens_since: float
) -> MembersStatus:
    """Where the members stand.

    Args:
        leading: whether this one leads, and who does else.
        me: this one.
        heard: each of them as this one hears of it, itself included.
        now: the time.
        listens_since: when this one began to listen to the others.
    """
    standing, own = leading.standing, next(each for each in heard if each.member == me)
    told = (_told(each, leading, now) for each in heard)
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
        trouble=standing.trouble or (own.trouble if leading.coordinated else ""),
        lease=leading.lease,
        listens_since=listens_since,
        twin=own.twin,
        members=tuple(sorted(told, key=lambda each: each.name)),
    )


def _told(heard: HeardMember, leading: Leading, now: float) -> MemberStatus:
    who = heard.member
    standing = _standing(heard, leading, now)
    return MemberStatus(
        name=who.name,
        network=who.network,
        role=who.role,
        standing=standing,
        heard_at=heard.heard_at,
        version=heard.version,
        uncounted=_uncounted(heard, standing),
        isolated=heard.isolated,
        differing=heard.differing,
        offset=heard.clock_offset,
        otherwise=heard.otherwise,
    )


def _standing(heard: HeardMember, leading: Leading, now: float) -> MemberStanding:
    """The coordinator knows better who leads than a member that was heard of a moment ago."""
    if heard.member.name == leading.standing.leader and leading.coordinated:
        return MemberStanding.LEADS
    if heard.heard_at is None:
        return MemberStanding.UNHEARD
    if now - heard.heard_at > leading.lease:
        return MemberStanding.SILENT
    return MemberStanding.FOLLOWS if heard.member.may_lead else MemberStanding.WATCHES


def _uncounted(heard: HeardMember, standing: MemberStanding) -> str:
    if heard.votes:
        return ""
    if heard.twin:
        return "a twin"
    if heard.isolated:
        return f"isolated ({', '.join(heard.isolated)})"
    if heard.heard_at is None:
        return "not heard of"
    return "silent" if standing is MemberStanding.SILENT else "no verdicts yet"
