"""How many probes are under way at once, and who goes next."""

from failoverd.core.records import Check, Endpoint, HealthRules
from failoverd.core.tallies import ProbeTally
from failoverd.runtime.in_flight import InFlightLimiter
from failoverd.runtime.scheduled_probe import ScheduledProbe
from failoverd.simulation.world import World

CHECK = Check("live", "tcp", 10.0, 2.0)


def probe(address: str, number: int = 0) -> ScheduledProbe:
    endpoint = Endpoint("azure", address)
    prober = World(lambda: 0.0).prober(CHECK)
    tally = ProbeTally("api", "live", "tcp")
    return ScheduledProbe("api", endpoint, CHECK, HealthRules(), prober, tally, number, endpoint.address)


class Door:
    """InFlightLimiter, and who was let in after waiting, in order."""

    def __init__(self, limit: int, per_target: int) -> None:
        self.let_in: list[ScheduledProbe] = []
        self.limiter = InFlightLimiter(limit, per_target, self.let_in.append)

    def admit(self, *probes: ScheduledProbe, urgent: bool = False) -> list[bool]:
        return [self.limiter.admit(each, urgent=urgent) for each in probes]


def test_what_finds_no_room_goes_next_in_order_and_probes_out_of_turn_first() -> None:
    door = Door(limit=3, per_target=9)
    busy = [probe(f"192.0.2.{number}") for number in range(3)]
    late = [probe(f"192.0.2.{number}") for number in range(10, 12)]
    recheck = probe("192.0.2.20")
    assert door.admit(*busy) == [True, True, True]
    assert door.admit(*late) == [False, False]
    assert door.admit(recheck, urgent=True) == [False]
    for each in busy:
        door.limiter.release(each)
        assert door.limiter.in_flight == 3
    assert door.let_in == [recheck, *late]
    assert not any(each.waiting for each in (recheck, *late))
    assert door.limiter.waiting == 0


def test_one_target_is_not_hit_by_more_than_its_share_and_holds_up_nobody_else() -> None:
    door = Door(limit=10, per_target=2)
    same = [probe("192.0.2.1", number) for number in range(5)]
    other = probe("192.0.2.2")
    assert door.admit(*same) == [True, True, False, False, False]
    assert door.admit(other) == [True]
    door.limiter.release(other)
    assert door.let_in == []
    for begun, waited in zip(same[:3], same[2:], strict=True):
        door.limiter.release(begun)
        assert door.let_in[-1] is waited
        assert door.limiter.in_flight == 2
    door.limiter.release(same[3])
    door.limiter.release(same[4])
    assert (door.limiter.in_flight, door.limiter._busy, door.limiter._held_up) == (0, {}, {})


def test_only_so_many_wait_and_the_rest_is_dropped_and_counted() -> None:
    door = Door(limit=2, per_target=9)
    assert door.admit(*(probe(f"192.0.2.{number}") for number in range(7))) == [True, True, *[False] * 5]
    assert (door.limiter.waiting, door.limiter.dropped, door.limiter.full) == (2, 3, True)


def test_who_is_withdrawn_is_passed_over() -> None:
    door = Door(limit=1, per_target=1)
    first, gone, last = probe("192.0.2.1"), probe("192.0.2.1"), probe("192.0.2.1")
    assert door.admit(first, gone) == [True, False]
    door.limiter.withdraw(gone)
    assert door.admit(last) == [False]
    door.limiter.release(first)
    assert door.let_in == [last]
    door.limiter.release(last)
    assert (door.limiter.in_flight, door.limiter.waiting) == (0, 0)
