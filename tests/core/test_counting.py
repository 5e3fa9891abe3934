"""What several vantages make of one endpoint together."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.health.counting import Count, CountOutcome, count
from failoverd.core.health.electorate import Voter
from failoverd.core.health.endpoint import Health

NOW, FRESH = 1_000.0, 15.0
WELL, ILL, SLOW, NEW = Health.HEALTHY, Health.UNHEALTHY, Health.DEGRADED, Health.UNKNOWN


def voter(name: str, network: str = "", *, age: float = 1.0, isolated: bool = False) -> Voter:
    return Voter(name, network or name, NOW - age, isolated)


def counted(*votes: Health, before: Health = WELL, voters: tuple[Voter, ...] | None = None) -> Count:
    """What members a, b, c … make of it, each in a network of its own unless `voters` says otherwise."""
    voters = voters or tuple(voter(name) for name in "abcdefg"[: len(votes)])
    return count(dict(zip((each.name for each in voters), votes, strict=False)), voters, before, NOW, fresh=FRESH)


@pytest.mark.parametrize(
    ("votes", "health", "outcome"),
    [
        ((ILL,), ILL, CountOutcome.AGREED),
        ((ILL, ILL), ILL, CountOutcome.AGREED),
        ((ILL, WELL), WELL, CountOutcome.SPLIT),
        ((ILL, ILL, WELL), ILL, CountOutcome.AGREED),
        ((ILL, WELL, WELL), WELL, CountOutcome.AGREED),
        ((ILL, ILL, WELL, WELL), WELL, CountOutcome.SPLIT),
        ((ILL, ILL, NEW), ILL, CountOutcome.AGREED),
        ((ILL, WELL, NEW), WELL, CountOutcome.SPLIT),
        ((ILL, NEW, NEW), WELL, CountOutcome.TOO_FEW),
        ((NEW,), WELL, CountOutcome.TOO_FEW),
        ((SLOW, SLOW, WELL), SLOW, CountOutcome.AGREED),
        ((SLOW, WELL, ILL), WELL, CountOutcome.AGREED),
    ],
)
def test_the_majority_of_those_who_see_decides(
    votes: tuple[Health, ...], health: Health, outcome: CountOutcome
) -> None:
    found = counted(*votes)
    assert (found.health, found.outcome) == (health, outcome)


def test_one_network_alone_takes_nothing_down() -> None:
    voters = voter("a", "azure"), voter("b", "azure"), voter("c", "oci")
    found = counted(ILL, ILL, WELL, voters=voters)
    assert (found.health, found.outcome) == (WELL, CountOutcome.SPLIT)
    assert (found.against, found.reachable_from) == (("a", "b"), ("oci",))


def test_where_all_share_one_network_one_is_enough() -> None:
    assert counted(ILL, ILL, WELL, voters=tuple(voter(name, "dc") for name in "abc")).health is ILL


def test_who_is_isolated_or_silent_has_no_vote() -> None:
    cut_off = voter("a"), voter("b"), voter("c", isolated=True)
    assert counted(WELL, WELL, ILL, voters=cut_off).live == ("a", "b")
    silent = voter("a"), voter("b", age=FRESH + 1), voter("c", age=FRESH + 1)
    found = counted(ILL, ILL, ILL, voters=silent)
    assert (found.health, found.outcome, found.live) == (WELL, CountOutcome.TOO_FEW, ("a",))


def test_of_two_the_one_that_is_left_speaks() -> None:
    assert counted(ILL, WELL, voters=(voter("a"), voter("b", age=FRESH + 1))).health is ILL


def test_what_held_before_holds_while_they_are_split() -> None:
    assert counted(ILL, WELL, before=ILL).health is ILL
    assert counted(ILL, NEW, NEW, before=ILL).health is ILL


def test_coming_back_takes_the_same_majority() -> None:
    assert counted(WELL, WELL, ILL, before=ILL).health is WELL
    assert counted(WELL, ILL, ILL, before=ILL).health is ILL


def test_a_part_of_the_world_that_cannot_reach_it_is_told() -> None:
    voters = voter("a", "azure"), voter("b", "oci"), voter("c", "aws")
    found = counted(ILL, WELL, WELL, voters=voters)
    assert (found.health, found.reachable_from) == (WELL, ("aws", "oci"))
    assert counted(WELL, WELL, WELL, voters=voters).reachable_from == ()
    assert counted(ILL, ILL, ILL, voters=voters).reachable_from == ()


@given(st.integers(3, 7), st.integers(0, 6))
def test_one_liar_among_three_or_more_takes_nothing_down(members: int, liar: int) -> None:
    votes = [WELL] * members
    votes[liar % members] = ILL
    assert counted(*votes).health is WELL


@given(st.lists(st.sampled_from(Health), min_size=1, max_size=7), st.sampled_from(Health))
def test_what_holds_was_seen_by_somebody_or_held_before(votes: list[Health], before: Health) -> None:
    assert counted(*votes, before=before).health in {before, *votes}


def test_the_order_of_votes_says_nothing() -> None:
    for votes in product((WELL, ILL, NEW), repeat=3):
        assert counted(*votes).health is counted(*reversed(votes)).health
