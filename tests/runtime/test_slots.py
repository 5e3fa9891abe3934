"""Where in its interval each endpoint is probed: evenly within a region, evenly over all slots, never in step."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from failoverd.runtime.slots import Slots

LENGTH = 0.02
Member = tuple[str, int]


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def steady() -> Slots[Member]:
    """Without jitter: slots begin when they are due."""
    return Slots(LENGTH, 0.0, seeded(7))


def group(name: str, size: int) -> list[Member]:
    return [(name, number) for number in range(size)]


def seats(slots: Slots[Member], period: int) -> dict[Member, int]:
    """In which slot of the interval everybody sits."""
    return {member: slot for slot in range(period) for _, members in slots.due(slot) for member in members}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 50, 249, 250, 500])
@pytest.mark.parametrize("regions", [1, 2, 3, 9])
def test_a_region_is_spread_evenly_and_shares_no_slot_while_there_is_room(size: int, regions: int) -> None:
    slots, period = steady(), 500
    for region in range(regions):
        slots.place(region, 10.0, group(str(region), size))
    found = seats(slots, period)
    assert len(found) == regions * size
    for region in range(regions):
        taken = sorted(found[member] for member in group(str(region), size))
        assert len(set(taken)) == size
        gaps = [after - before for before, after in pairwise([*taken, taken[0] + period])]
        assert max(gaps) - min(gaps) <= 1


def test_regions_of_many_sizes_load_all_slots_alike() -> None:
    slots, chance = steady(), seeded(1)
    sizes = [chance.randrange(1, 120) for _ in range(200)]
    for number, size in enumerate(sizes):
        slots.place(number, 5.0, group(str(number), size))
    load = Counter(seats(slots, 250).values())
    mean = sum(sizes) / 250
    assert len(load) == 250
    assert max(load.values()) <= 1.2 * mean
    assert min(load.values()) >= 0.8 * mean


def test_regions_that_come_and_go_leave_an_even_load_and_nothing_behind() -> None:
    slots, chance = steady(), seeded(2)
    for number in range(600):
        slots.place(number, 5.0, group(str(number), 8))
    for number in chance.sample(range(600), 300):
        slots.remove(number)
    for number in range(600, 900):
        slots.place(number, 5.0, group(str(number), 8))
    load = Counter(seats(slots, 250).values())
    assert sum(load.values()) == 600 * 8
    assert max(load.values()) <= 1.2 * 600 * 8 / 250
    for number in range(900):
        slots.remove(number)
    assert seats(slots, 250) == {}
    assert slots._rings == {}


def test_a_group_that_stays_as_it_is_keeps_its_slots() -> None:
    slots = steady()
    slots.place("a", 10.0, group("a", 8))
    slots.place("b", 10.0, group("b", 8))
    before = seats(slots, 500)
    slots.place("a", 10.0, group("a", 8))
    assert seats(slots, 500) == before


def test_who_is_due_in_a_slot_knows_the_number_of_its_round() -> None:
    slots = steady()
    slots.place("a", 1.0, group("a", 1))
    ((slot, _),) = [(slot, due) for slot in range(50) for due in slots.due(slot)]
    assert [turn for number in (slot, slot + 50, slot + 100) for turn, _ in slots.due(number)] == [0, 1, 2]


@pytest.mark.parametrize("jitter", [0.02, 0.1, 0.5])
def test_jitter_keeps_the_order_and_makes_nobody_wait_longer_than_interval_and_jitter(jitter: float) -> None:
    slots: Slots[Member] = Slots(LENGTH, jitter, seeded(3))
    begins = [slots.begins(slot) for slot in range(50 * 120)]
    assert all(before < after for before, after in pairwise(begins))
    assert all(0 <= begin - slot * LENGTH <= jitter for slot, begin in enumerate(begins))
    waits = [after - before for before, after in zip(begins, begins[500:], strict=False)]
    assert max(waits) <= 10.0 + jitter
    assert min(waits) >= 10.0 - jitter
    assert max(waits) - min(waits) > jitter / 2


def test_two_daemons_are_not_in_step() -> None:
    here: Slots[Member] = Slots(LENGTH, 0.1, seeded(4))
    there: Slots[Member] = Slots(LENGTH, 0.1, seeded(5))
    for slots in (here, there):
        slots.place("a", 10.0, group("a", 1))
    assert seats(here, 500) != seats(there, 500)


def test_the_past_is_forgotten() -> None:
    slots: Slots[Member] = Slots(LENGTH, 0.1, seeded(6))
    for slot in range(50 * 600):
        slots.begins(slot)
        slots.past(slot * LENGTH)
    assert len(slots._knots) <= 4
