"""The leader lets another member lead, because a person wants it: before its machine is worked on, say."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from failoverd.core.errors import FailoverdError
from failoverd.core.names import failoverctl
from failoverd.core.status import MembersStatus
from failoverd.operations.membership import others_to_lead
from failoverd.ports import Clock


@dataclass(frozen=True, slots=True)
class Resigned:
    """A member leads no more.

    Attributes:
        epoch: in which it led.
        stands_again_at: before that it does not lead again, unless nobody else leads for a whole lease.
        told: the coordinator knows, so that another one can lead at once; otherwise when the lease is over.
    """

    member: str
    epoch: int
    stands_again_at: float
    told: bool


HandOver = Callable[[float, str, str, bool], Awaitable[Resigned]]
"""`hand_over`, for this daemon: for how many seconds, who wants it, why, and whether nobody else matters."""


class Resigning(Protocol):
    """Who leads, and can let another one."""

    async def step_down(self, seconds: float, cause: str) -> bool: ...


async def hand_over(
    leading: Resigning,
    told: MembersStatus,
    clock: Clock,
    seconds: float,
    actor: str,
    reason: str,
    *,
    anyway: bool,
) -> Resigned:
    """Let another member lead, and do not stand again for so many seconds, unless nobody leads for a whole lease.

    Raises:
        FailoverdError: `no_members`, `not_leader`, or `nobody_else` that could lead, unless that is wanted `anyway`.
            Nothing was changed.
    """
    if not told.member:
        words = "this daemon is alone: its configuration names no other members, so nobody could lead instead of it"
        raise FailoverdError(
            words, reason="no_members", remedy="to stop it, which moves no traffic: systemctl stop failoverd"
        )
    if not told.leads:
        words = f"{told.member} does not lead: {told.leader or 'nobody'} does"
        raise FailoverdError(words, reason="not_leader", remedy="say it to the daemon of the member that leads")
    if not anyway and not others_to_lead(told):
        words = f"no other member is heard of that could lead instead of {told.member}: nobody would write"
        remedy = f"{failoverctl('members')} says why; --anyway has it step down all the same, for a lease at least"
        raise FailoverdError(words, reason="nobody_else", remedy=remedy)
    epoch = told.epoch
    known = await leading.step_down(seconds, f"{actor} asked it to resign: {reason}")
    return Resigned(told.member, epoch, clock() + seconds, known)
