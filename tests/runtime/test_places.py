"""How many looks are under way at once, and who goes next."""

from support.fakes import World

from failoverd.core.records import Check, Endpoint, HealthRules
from failoverd.core.tallies import ProbeTally
from failoverd.runtime.lookouts import Lookout
from failoverd.runtime.places import Places

CHECK = Check("live", "tcp", 10.0, 2.0)


def lookout(address: str, number: int = 0) -> Lookout:
    endpoint = Endpoint("azure", address)
    prober = World(lambda: 0.0).prober(CHECK)
    tally = ProbeTally("api", "live", "tcp")
    return Lookout("api", endpoint, CHECK, HealthRules(), prober, tally, number, endpoint.address)


class Door:
    """Places, and who was let in after waiting, in order."""

    def __init__(self, limit: int, per_target: int) -> None:
        self.let_in: list[Lookout] = []
        self.places = Places(limit, per_target, self.let_in.append)

    def take(self, *lookouts: Lookout, urgent: bool = False) -> list[bool]:
        return [self.places.take(each, urgent=urgent) for each in lookouts]


def test_what_finds_no_place_goes_next_in_order_and_looks_out_of_turn_first() -> None:
    door = Door(limit=3, per_target=9)
    busy = [lookout(f"192.0.2.{number}") for number in range(3)]
    late = [lookout(f"192.0.2.{number}") for number in range(10, 12)]
    recheck = lookout("192.0.2.20")
    assert door.take(*busy) == [True, True, True]
    assert door.take(*late) == [False, False]
    assert door.take(recheck, urgent=True) == [False]
    for each in busy:
        door.places.give_back(each)
        assert door.places.in_flight == 3
    assert door.let_in == [recheck, *late]
    assert not any(each.waiting for each in (recheck, *late))
    assert door.places.waiting == 0


def test_one_target_is_not_hit_by_more_than_its_share_and_holds_up_nobody_else() -> None:
    door = Door(limit=10, per_target=2)
    same = [lookout("192.0.2.1", number) for number in range(5)]
    other = lookout("192.0.2.2")
    assert door.take(*same) == [True, True, False, False, False]
    assert door.take(other) == [True]
    door.places.give_back(other)
    assert door.let_in == []
    for begun, waited in zip(same[:3], same[2:], strict=True):
        door.places.give_back(begun)
        assert door.let_in[-1] is waited
        assert door.places.in_flight == 2
    door.places.give_back(same[3])
    door.places.give_back(same[4])
    assert (door.places.in_flight, door.places._busy, door.places._held_up) == (0, {}, {})


def test_only_so_many_wait_and_the_rest_is_dropped_and_counted() -> None:
    door = Door(limit=2, per_target=9)
    assert door.take(*(lookout(f"192.0.2.{number}") for number in range(7))) == [True, True, *[False] * 5]
    assert (door.places.waiting, door.places.dropped, door.places.full) == (2, 3, True)


def test_who_is_withdrawn_is_passed_over() -> None:
    door = Door(limit=1, per_target=1)
    first, gone, last = lookout("192.0.2.1"), lookout("192.0.2.1"), lookout("192.0.2.1")
    assert door.take(first, gone) == [True, False]
    door.places.withdraw(gone)
    assert door.take(last) == [False]
    door.places.give_back(first)
    assert door.let_in == [last]
    door.places.give_back(last)
    assert (door.places.in_flight, door.places.waiting) == (0, 0)
