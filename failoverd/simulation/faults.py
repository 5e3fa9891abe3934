"""What goes wrong at a provider or in a process, once, at a moment that the script says."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from failoverd.core.errors import Transient


class Script:
    """Counts the await points, and kills whoever comes to number `kill_at` (the first one is 1)."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.steps = 0
        self.kill_at = kill_at
        self.killed = asyncio.Event()

    async def step(self) -> None:
        """An await point. The killed one never gets beyond it: the scenario ends the tasks of that process."""
        self.steps += 1
        if self.steps == self.kill_at:
            self.killed.set()
        if self.kill_at is not None and self.steps >= self.kill_at:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


class Moment(StrEnum):
    """When a fault strikes, seen from the effect of the call."""

    BEFORE = "before"
    AFTER = "after"
    INSTEAD = "instead"
    LATE = "late"  # the caller hears nothing, and it takes effect when nobody waits for it any more


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong once. Without an error, INSTEAD is a lie: yes without any effect.

    `hold` makes the call wait for that event first; one that is never set hangs it. `late` is after how many seconds a
    call takes effect that hangs (LATE): packets are overtaken by others.
    """

    moment: Moment = Moment.BEFORE
    error: BaseException | None = None
    hold: asyncio.Event | None = None
    late: float = 0.0


def lie() -> Fault:
    return Fault(Moment.INSTEAD)


def hang(moment: Moment = Moment.BEFORE) -> Fault:
    return Fault(moment, hold=asyncio.Event())


def overtaken(seconds: float) -> Fault:
    return Fault(Moment.LATE, hold=asyncio.Event(), late=seconds)


def lost_answer() -> Fault:
    return Fault(Moment.AFTER, refused("the answer was lost", reason="timeout"))


def refused(detail: str = "connection refused", *, reason: str = "connect_refused") -> Transient:
    return Transient(detail, reason=reason, remedy="start the server")


async def _strike(fault: Fault) -> None:
    if fault.hold is not None:
        await fault.hold.wait()
    if fault.error is not None:
        raise fault.error
