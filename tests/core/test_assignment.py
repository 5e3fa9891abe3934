"""Who probes what, where each endpoint is probed by some only."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from support.stage import AWS, AZURE, OCI, policy, regions

from failoverd.core.health.assignment import PolicyShares, ProbingMembers, assigned

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=9)
API = policy(regions=regions(azure=(40, AZURE), oci=(30, OCI), aws=(30, AWS)))
ENDPOINTS = [f"oci/198.51.100.{number}" for number in range(250)]


@given(NAMES, st.integers(1, 9))
def test_each_is_probed_by_so_many_whatever_order_the_members_are_known_in(members: set[str], factor: int) -> None:
    for what in ENDPOINTS[:10]:
        found = assigned(what, members, factor)
        assert len(found) == min(factor, len(members))
        assert found == assigned(what, sorted(members, reverse=True), factor)


@given(NAMES, st.integers(1, 9))
def test_when_one_goes_only_what_it_probed_is_probed_by_somebody_else(members: set[str], factor: int) -> None:
    gone = min(members)
    for what in ENDPOINTS[:30]:
        before, after = assigned(what, members, factor), assigned(what, members - {gone}, factor)
        if gone not in before:
            assert after == before
        else:
            assert before - {gone} <= after
            assert len(after - before) <= 1


def test_everybody_gets_about_the_same() -> None:
    members = [f"member-{number}" for number in range(5)]
    counts = Counter(each for what in ENDPOINTS for each in assigned(what, members, 2))
    assert all(70 <= counts[member] <= 130 for member in members)  # 100 each, were it even


def test_the_same_on_every_machine_and_in_every_version() -> None:
    found = [
        "".join(assigned(what, ["azure-1", "oci-1", "aws-1"], 1)) for what in ("one", "two", "three", "four", "five")
    ]
    assert found == ["azure-1", "oci-1", "azure-1", "oci-1", "aws-1"]


def test_without_a_factor_or_with_too_few_members_nothing_is_left_to_others() -> None:
    shares, members = PolicyShares(API), frozenset({"a", "b", "c"})
    assert shares.left_by("a", members, None) == frozenset()
    assert shares.left_by("a", members, 3) == frozenset()
    every = [each for spec in API.regions for each in spec.endpoints]
    assert shares.left_by("a", members, 1) == {each for each in every if assigned(each.id, members, 1) != {"a"}}


# -- who is there ------------------------------------------------------------------------------------------------------


def probing() -> ProbingMembers:
    return ProbingMembers(20.0, 60.0, frozenset({"a", "b", "c"}))


def test_who_is_silent_for_longer_than_the_lease_is_not_counted_on() -> None:
    found = probing()
    assert not found.look({"a": 100.0, "b": 100.0, "c": 80.0}, 100.0)
    assert found.look({"a": 101.0, "b": 101.0, "c": 80.0}, 101.0)
    assert found.present == {"a", "b"}


def test_who_is_back_is_counted_on_when_it_stayed_for_a_while() -> None:
    found = probing()
    found.look({"a": 100.0, "b": 100.0}, 100.0)
    assert found.present == {"a", "b"}
    assert not found.look({"a": 110.0, "b": 110.0, "c": 110.0}, 110.0)
    assert not found.look({"a": 160.0, "b": 160.0, "c": 160.0}, 160.0)
    assert found.look({"a": 170.0, "b": 170.0, "c": 170.0}, 170.0)
    assert found.present == {"a", "b", "c"}


def test_a_member_that_comes_and_goes_moves_nothing() -> None:
    found = probing()
    found.look({"a": 100.0, "b": 100.0}, 100.0)
    changes = 0
    for number in range(200):
        now = 100.0 + 10.0 * number
        heard = {"a": now, "b": now} | ({"c": now} if number % 5 else {})
        changes += found.look(heard | ({} if number % 5 else {"c": now - 30.0}), now)
    assert changes == 0
