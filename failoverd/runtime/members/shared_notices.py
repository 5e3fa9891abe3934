"""What people were told of, as the members remember it together: whoever speaks next goes on where the last one was.

The leader keeps it under one key. Another member, which told people of something while nobody could know who leads,
hands that over under a key of its own; the leader takes it up, and empties that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from failoverd import codec
from failoverd.core.events import Level
from failoverd.core.status import Notice
from failoverd.runtime.members.leading import Leading
from failoverd.runtime.members.memory import PATIENCE, SharedMemory, Unread

NOTICES: Final = "notices"

MOST_BYTES: Final = 256 * 1024
"""Of one value: a fraction of what any coordinator takes. Several hundred troubles; what more there are is told of
errors first, and without what is only good to know."""

MOST: Final = 64
"""Members that hand something over: more than an installation has, and fewer than somebody can make up."""

_LEADERS: Final = "leader"
HANDED: Final = "handed"
_HANDED: Final = f"{HANDED}/"


class SharedNotices:
    """The other members, for `Notifications`; and a part of the common memory.

    Attributes:
        told: what the leader told people of, and did not tell the end of; None while that is not known.
        handed: the same of members that spoke while nobody could know who leads, by name.
    """

    def __init__(self, leading: Leading, memory: SharedMemory) -> None:
        self.told: tuple[Notice, ...] | None = None
        self.handed: Mapping[str, tuple[Notice, ...]] = {}
        self._leading = leading
        self._memory = memory
        memory.parts[NOTICES] = self.take

    @property
    def member(self) -> str:
        return self._leading.member

    @property
    def speaks(self) -> bool:
        return self._leading.speaks

    @property
    def leads(self) -> bool:
        return self._leading.leads

    async def take(self, found: Mapping[str, codec.Json]) -> Unread:
        """What stands in the common memory; what of it cannot be read."""
        unread: dict[str, ValueError] = {}
        for name, body in found.items():
            try:
                notices = codec.shaped(tuple[Notice, ...], body)
            except ValueError as error:
                unread[name] = error
                continue
            if name == _LEADERS:
                self.told = notices
            elif name.startswith(_HANDED) and (name.removeprefix(_HANDED) in self.handed or len(self.handed) < MOST):
                self.handed = {**self.handed, name.removeprefix(_HANDED): notices}
        return unread

    async def keep(self, notices: tuple[Notice, ...]) -> bool:
        """Let the others know what this member, which leads, told of. Whether they do."""
        return await self._put(_LEADERS, notices, self._leading.epoch_in_coordinator)

    async def hand_over(self, notices: tuple[Notice, ...]) -> bool:
        """Leave to the leader what this member told of. Whether it is kept for it."""
        return await self._put(f"{_HANDED}{self.member}", notices)

    async def took(self, member: str) -> bool:
        """What a member handed over is taken up. Whether nobody takes it up again."""
        self.handed = {**self.handed, member: ()}
        return await self._put(f"{_HANDED}{member}", (), self._leading.epoch_in_coordinator)

    async def _put(self, name: str, notices: tuple[Notice, ...], epoch: int | None = None) -> bool:
        return await self._memory.put(f"{NOTICES}/{name}", fitting(notices), epoch, within=PATIENCE)


def fitting(notices: Iterable[Notice]) -> str:
    """JSON of as many as one value may hold, errors first; where not all fit, none has more than its sentence."""
    urgent = sorted(notices, key=lambda each: each.severity != Level.ERROR)
    bodies = [codec.dump(each) for each in urgent]
    if sum(map(len, bodies)) > MOST_BYTES:
        bodies = [codec.dump(replace(each, facts={})) for each in urgent]
    room, kept = MOST_BYTES, list[str]()
    for body in bodies:
        room -= len(body.encode()) + 1
        if room < 0:
            break
        kept.append(body)
    return f"[{','.join(kept)}]"
