"""A leader gives way to others where it cannot do what is urgent, and not for ever."""

import pytest
from support.stage import AT

from failoverd.runtime.members.yielding import LONGEST, Yielding

LEASE, OTHERS = 20.0, 2


@pytest.fixture
def leader() -> Yielding:
    return Yielding(LEASE, OTHERS)


def test_it_gives_way_after_half_a_lease_and_abstains_while_each_of_the_others_tries(leader: Yielding) -> None:
    leader.hindered(AT, 100.0)
    leader.hindered(AT, 105.0)
    assert leader.due(109.9) is None
    assert leader.due(110.0) == AT
    assert leader.give_way(110.0) == LEASE / 2
    assert leader.due(200.0) is None
    assert leader.abstains(129.9)
    assert not leader.abstains(130.0)


def test_what_it_reaches_again_is_no_reason(leader: Yielding) -> None:
    leader.hindered(AT, 100.0)
    leader.reached(AT)
    assert leader.due(200.0) is None


def test_what_it_did_not_reach_the_last_time_it_led_is_no_reason(leader: Yielding) -> None:
    leader.hindered(AT, 100.0)
    leader.begin()
    assert leader.due(200.0) is None


def test_it_waits_twice_as_long_each_time_up_to_a_bound_until_it_reached_what_it_gave_way_for(leader: Yielding) -> None:
    tried = []
    for turn in range(7):
        leader.hindered(AT, 1_000.0 * turn)
        assert leader.due(1_000.0 * turn + LONGEST) == AT
        tried.append(leader.give_way(1_000.0 * turn + LONGEST))
    assert tried == [10.0, 20.0, 40.0, 80.0, 160.0, LONGEST, LONGEST]
    leader.reached(AT)
    leader.hindered(AT, 10_000.0)
    assert leader.due(10_000.0 + LEASE / 2) == AT


def test_where_nobody_else_may_lead_it_goes_on() -> None:
    alone = Yielding(LEASE, 0)
    alone.hindered(AT, 100.0)
    assert alone.due(1_000.0) is None
