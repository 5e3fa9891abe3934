"""Where in its interval each endpoint is probed.

Time is cut into slots (20 ms by default), so that a thousand endpoints cost some wake-ups and not a thousand. The
endpoints of one region under one check of one policy are a group: n of them lie 1/n of the interval apart, so no two of
them share a slot as long as there are as many slots as endpoints. The groups are set off against each other by
multiples of the golden ratio, which fill the gaps of each other, however many there are; of the next few of them, each
group takes the one where the fewest are yet. So the load is even as well, whatever comes and goes.

Jitter bends the time of all slots together: at each full second they are late by another random part of `jitter`, and
between the seconds by something in between. So slots keep their order and their distances (but for a few per cent),
nothing stays in step with another failoverd or with what a target does by its own clock, and no endpoint ever waits
longer than its interval and `jitter`. Where the first group begins is random, too, unless there is no jitter.
"""

import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

M = TypeVar("M")

_CHOICE: Final = 16

GOLDEN: Final = 0.6180339887498949
"""Multiples of it, modulo one, stay evenly apart however many there are."""


@dataclass(slots=True)
class _Ring(Generic[M]):
    """All members of one interval, by slot. `period` is the interval in slots."""

    period: int
    slots: dict[int, list[M]] = field(default_factory=dict)


@dataclass(slots=True)
class _Group(Generic[M]):
    shift: float
    ring: _Ring[M]
    members: dict[int, list[M]]


class Slots(Generic[M]):
    """Who is due when. Slots are numbered; slot n begins n times `length` seconds after the clock's zero.

    Args:
        length: seconds of a slot.
        jitter: seconds by which a slot may be late, below one second.
        chance: where the jitter comes from.
    """

    def __init__(self, length: float, jitter: float, chance: random.Random) -> None:
        self.length = length
        self._jitter = jitter
        self._chance = chance
        self._rings: dict[int, _Ring[M]] = {}
        self._groups: dict[Hashable, _Group[M]] = {}
        self._shift = chance.random() if jitter else 0.0
        self._knots: dict[int, float] = {}

    def place(self, key: Hashable, every: float, members: Sequence[M]) -> None:
        """Give the members of a group their slots, in place of those that it had. A group keeps where it begins."""
        known = self._groups.get(key)
        self.remove(key)
        period = max(1, round(every / self.length))
        ring = self._rings.setdefault(period, _Ring(period))
        shift = known.shift if known is not None else self._take_shift(ring, len(members))
        placed: dict[int, list[M]] = {}
        for member, number in zip(members, _seats(period, len(members), shift), strict=True):
            placed.setdefault(number, []).append(member)
            ring.slots.setdefault(number, []).append(member)
        self._groups[key] = _Group(shift, ring, placed)

    def remove(self, key: Hashable) -> None:
        group = self._groups.pop(key, None)
        if group is None:
            return
        ring = group.ring
        for number, members in group.members.items():
            gone = set(map(id, members))
            left = [member for member in ring.slots[number] if id(member) not in gone]
            if left:
                ring.slots[number] = left
            else:
                del ring.slots[number]
        if not ring.slots:
            self._rings.pop(ring.period, None)

    def due(self, slot: int) -> Iterator[tuple[int, list[M]]]:
        """Who is due in a slot, each list with the number of its round."""
        for ring in self._rings.values():
            turn, number = divmod(slot, ring.period)
            members = ring.slots.get(number)
            if members is not None:
                yield turn, members

    def taken(self, slot: int) -> bool:
        """Whether anybody is due in a slot."""
        return any(slot % ring.period in ring.slots for ring in self._rings.values())

    def at(self, moment: float) -> int:
        """The slot of a moment, but for its jitter."""
        return int(moment / self.length)

    def begins(self, slot: int) -> float:
        """When a slot begins."""
        plain = slot * self.length
        if not self._jitter:
            return plain
        second = int(plain)
        before, after = self._knot(second), self._knot(second + 1)
        return plain + before + (after - before) * (plain - second)

    def past(self, moment: float) -> None:
        """Nobody will ask about slots before this moment."""
        last = int(moment) - 1
        self._knots = {second: late for second, late in self._knots.items() if second >= last}

    def _take_shift(self, ring: _Ring[M], size: int) -> float:
        """Where a new group begins: of the next few places, the one where the fewest members are yet."""
        shifts = [(self._shift + number * GOLDEN) % 1.0 for number in range(1, _CHOICE + 1)]
        self._shift = shifts[0]

        def load(shift: float) -> int:
            return sum(len(ring.slots.get(seat, ())) for seat in _seats(ring.period, size, shift))

        return min(shifts, key=load)

    def _knot(self, second: int) -> float:
        late = self._knots.get(second)
        if late is None:
            late = self._knots[second] = self._chance.random() * self._jitter
        return late


def _seats(period: int, size: int, shift: float) -> list[int]:
    """The slots of a group, evenly apart; `shift` is a part of the distance between two of them."""
    return [int((index + shift) / size * period) for index in range(size)]
