"""A test of the receivers by a person: a trigger and its end to each address, and what each of them answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from failoverd.core.errors import FailoverdError
from failoverd.core.status import Notice
from failoverd.ports import Clock
from failoverd.telemetry.notifications.outbox import Address
from failoverd.telemetry.notifications.posting import Post

KIND = "notification.test"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it at one address: the status that was answered to each, or why it was not taken."""

    receiver: str
    kind: str
    place: str
    trigger: str
    resolve: str
    error: str = ""
    remedy: str = ""

    @property
    def fine(self) -> bool:
        return not self.error


async def tried(addresses: Sequence[Address], post: Post, clock: Clock) -> list[Tried]:
    """Try all of them at the same time, once each."""
    return await asyncio.gather(*(_tried(address, post, clock) for address in addresses))


async def _tried(address: Address, post: Post, clock: Clock) -> Tried:
    now, outlet = clock(), address.outlet
    begun = Notice(
        kind=KIND,
        policy="",
        subject=f"test of {address.name}",
        severity=address.settings.level,
        summary="a test of notifications by failoverctl notify test: nothing is wrong, and its end follows at once",
        since=now,
        at=now,
    )
    trigger = resolve = ""
    try:
        trigger = await post(outlet.delivery([begun], now), address.place)
        await asyncio.sleep(outlet.pause)
        ended = clock()
        resolve = await post(outlet.delivery([replace(begun, ended=ended)], ended), address.place)
    except FailoverdError as error:
        words = f"{error.detail} ({error.reason})"
        return Tried(address.name, address.kind, outlet.place, trigger, resolve, words, error.remedy)
    return Tried(address.name, address.kind, outlet.place, trigger, resolve)
