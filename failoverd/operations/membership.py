"""Several members in words: who speaks, whose votes count, and what of it is not as it should be."""

from typing import Final

from failoverd.core.records import few
from failoverd.core.status import MembersStatus, MemberStanding, MemberStatus
from failoverd.telemetry import phrases

CLOCKS_APART: Final = 5.0
"""Seconds that a member's clock may differ: people are told times, and overrides end, by the clock of who leads."""

_NAMED: Final = 3
_TWO: Final = 2


def speaker(told: MembersStatus) -> str:
    """Whether the member that tells this writes, or who does: `azure-1 leads in epoch 7; 3 of 3 members vote`."""
    who = f"{told.member} is another daemon already: this one writes nothing" if told.twin else _who(told)
    return f"{who}; {voting(told)}"


def voting(told: MembersStatus) -> str:
    """`2 of 3 members vote`."""
    verb = "votes" if len(told.voting) == 1 else "vote"
    return f"{len(told.voting)} of {phrases.counted(len(told.members), 'member')} {verb}"


def _who(told: MembersStatus) -> str:
    me = told.member
    if told.leads:
        return f"{me} leads in epoch {told.epoch}"
    if told.lone:
        return f"{me} takes off what is down, and writes nothing else: the coordinator does not answer"
    if not told.coordinated:
        return f"{me} writes nothing: the coordinator does not answer"
    if not told.leader:
        return f"{me} writes nothing: nobody leads"
    if told.leader == me:
        return f"{me} holds the lease of epoch {told.epoch}, and does not write now"
    return f"{me} follows {told.leader}, which leads in epoch {told.epoch}"


def too_few(told: MembersStatus) -> bool:
    """Whether so few votes count that no verdict changes."""
    return told.has_listened and len(told.voting) < _TWO < len(told.members)


def silent(told: MembersStatus) -> list[MemberStatus]:
    """Whom it does not hear, though it has listened for long enough."""
    return [each for each in told.members if not each.standing.is_heard and told.has_listened]


def why_silent(each: MemberStatus) -> str:
    """Without for how long: what changes each second would be sent to everybody who looks each second."""
    known = each.heard_at is not None
    return f"{each.name} ({each.network}) {'is silent' if known else 'was not heard of yet'}"


def others_to_lead(told: MembersStatus) -> list[MemberStatus]:
    """Who could take over."""
    return [each for each in told.members if each.name != told.member and each.standing is MemberStanding.FOLLOWS]


def differing(told: MembersStatus) -> list[str]:
    """Who has other policies than the member that tells this, in words."""
    return [f"{each.name} ({few(list(each.differing), _NAMED)})" for each in told.members if each.differing]


def clocks_apart(told: MembersStatus) -> list[str]:
    return [
        f"that of {each.name} is {abs(each.offset):.0f}s {'ahead' if each.offset > 0 else 'behind'}"
        for each in told.members
        if each.offset is not None and abs(each.offset) > CLOCKS_APART
    ]
