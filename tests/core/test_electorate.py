"""What vantages make of endpoints together: how soon they agree, what one of them can do alone, and what is said."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stage import AWS, AZURE, OCI, policy, regions
from support.vantages import FRESH, TOOK, Vantages

from failoverd.core.health.ballot_box import SELDOM
from failoverd.core.health.electorate import Electorate, Voter
from failoverd.core.health.endpoint import Health
from failoverd.core.health.isolation import Family
from failoverd.core.health.region import RegionState
from failoverd.core.health.transitions import (
    EndpointTurned,
    News,
    QuorumTurned,
    ReachabilityTurned,
    RegionTurned,
    Transition,
)
from failoverd.core.health.votes import Vote, Votes
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import HealthRules, ProbeResult, Timings

RULES = HealthRules(fall=3, rise=2, recheck=0.5)
THREE = policy(regions=regions(azure=(40, AZURE), oci=(30, OCI), aws=(30, AWS)), health=RULES)
NAMES = "azure-1", "oci-1", "aws-1"
ILL = Vote(Health.UNHEALTHY, check="live", evidence="live status_unexpected: 503")


def settled(*names: str, factor: int | None = None) -> Vantages:
    found = Vantages(THREE, *(names or NAMES), factor=factor)
    found.settle()
    return found


def turned(address: str, state: Health) -> Callable[[Transition], bool]:
    def matches(each: Transition) -> bool:
        return isinstance(each, EndpointTurned) and each.endpoint.address == address and each.after.state is state

    return matches


def first_failure(found: Vantages, address: str, since: float) -> float:
    """When the first vantage probed it in vain."""
    return min(
        at
        for place in found.places.values()
        for at, endpoint in place.probes
        if at >= since and endpoint.address == address
    )


# -- a majority acts ---------------------------------------------------------------------------------------------------


def test_a_majority_knows_within_fall_rechecks_of_the_first_that_sees_it() -> None:
    found = settled()
    found.down.add(AZURE)
    began = found.now
    found.play(12.0)
    seen = first_failure(found, AZURE, began)
    for place in found.places.values():
        assert place.when(turned(AZURE, Health.UNHEALTHY)) - seen <= RULES.fall * RULES.recheck


def test_its_evidence_names_the_vantages() -> None:
    found = settled()
    found.places["azure-1"].cut.add(AZURE)
    found.places["oci-1"].cut.add(AZURE)
    found.play(15.0)
    verdict = found.verdict("aws-1", AZURE)
    assert verdict.state is Health.UNHEALTHY
    assert verdict.evidence == "2 of 3 vantages see it fail (azure-1, oci-1): live status_unexpected: 503"
    assert found.region("aws-1", "azure").evidence.startswith(f"{AZURE} unhealthy (2 of 3 vantages see it fail")


def test_coming_back_takes_the_majority_too() -> None:
    found = settled()
    found.down.add(AZURE)
    found.play(15.0)
    found.down.clear()
    found.places["azure-1"].cut.add(AZURE)
    found.play(40.0)
    assert found.held(AZURE) == {Health.HEALTHY}
    assert found.verdict("azure-1", AZURE).evidence.startswith(
        "2 of 3 vantages see it serve (aws-1, oci-1), and azure-1 sees it fail: live status_unexpected"
    )


def test_who_decides_holds_the_region_open_until_the_votes_are_there() -> None:
    found = settled()
    found.down.add(AZURE)
    while found.region("azure-1", "azure").failing_since is None:
        found.play(0.01)
    states = set()
    while (health := found.region("azure-1", "azure")).state is RegionState.HEALTHY:
        states.add(health.open_until is not None)
        found.play(0.01)
    assert (health.state, states) == (RegionState.DOWN, {True})
    assert health.failing_since is not None


def test_regions_that_fall_together_are_found_together() -> None:
    found = settled()
    found.down |= {AZURE, OCI}
    found.play(15.0)
    for place in found.places.values():
        azure, oci = (place.when(turned(address, Health.UNHEALTHY)) for address in (AZURE, OCI))
        assert abs(azure - oci) <= RULES.fall * RULES.recheck
        assert found.region(place.name, "aws").passed_at >= first_failure(found, AZURE, 0.0)  # type: ignore[operator]


# -- one alone ---------------------------------------------------------------------------------------------------------


def test_one_blind_vantage_takes_nothing_down_and_holds_nobody_up_for_long() -> None:
    found = settled()
    found.places["azure-1"].cut.add(AZURE)
    found.play(60.0)
    assert found.held(AZURE) == {Health.HEALTHY}
    for name in NAMES:
        assert found.places[name].told(RegionTurned) == []
        assert found.region(name, "azure").open_until is None


def test_one_liar_that_turns_all_the_time_does_not_keep_a_verdict_open() -> None:
    found = settled()
    place = found.places["oci-1"]
    endpoint = next(iter(found.verdicts("oci-1")))
    waits = 0
    for number in range(1_200):  # a minute
        said = Votes(Health.HEALTHY, {endpoint: ILL} if number % 2 else {})
        place.table.hear("azure-1", THREE.name, said, found.now)
        waits += found.region("oci-1", endpoint.region).open_until is not None
        found.play(0.05)
    assert found.verdict("oci-1", endpoint.address).state is Health.HEALTHY
    assert waits / 1_200 < 1.5 / SELDOM
    probes = sum(each == endpoint for _, each in place.probes)
    assert probes <= 60 / (RULES.recheck / 2) + 10


def test_a_stranger_and_a_policy_that_nobody_watches_are_not_heard() -> None:
    found = settled()
    table, endpoint = found.places["oci-1"].table, next(iter(found.verdicts("oci-1")))
    for voter, name in (("mallory", THREE.name), ("oci-1", THREE.name), ("azure-1", "other")):
        assert table.hear(voter, name, Votes(Health.HEALTHY, {endpoint: ILL}), found.now).transitions == ()
    assert found.held(endpoint.address) == {Health.HEALTHY}


def test_votes_that_do_not_count_any_more_are_as_none() -> None:
    found = settled()
    found.down.add(AZURE)
    for name in ("oci-1", "aws-1"):
        found.places["azure-1"].table.hear(name, THREE.name, None, found.now)
        found.places[name].silent = True
    found.play(12.0)
    assert found.verdict("azure-1", AZURE).state is Health.HEALTHY
    assert found.verdict("azure-1", AZURE).evidence.startswith(
        "only 1 of 3 vantages can tell (azure-1), so what held before holds: live status_unexpected"
    )


# -- too few -----------------------------------------------------------------------------------------------------------


def test_with_too_few_that_vote_what_held_before_holds_and_that_is_said_once() -> None:
    found = settled()
    found.places["oci-1"].silent = found.places["aws-1"].silent = True
    found.play(FRESH + 5.0)
    found.down.add(AZURE)
    found.play(60.0)
    assert found.verdict("azure-1", AZURE).state is Health.HEALTHY
    (lost,) = found.places["azure-1"].told(QuorumTurned)
    assert (lost.lost, lost.live, lost.silent) == (True, ("azure-1",), ("aws-1", "oci-1"))
    found.places["oci-1"].silent = False
    found.play(30.0)
    assert [each.lost for each in found.places["azure-1"].told(QuorumTurned)] == [True, False]
    assert found.verdict("azure-1", AZURE).state is Health.UNHEALTHY


def test_nobody_is_missed_before_they_had_the_time_to_be_heard() -> None:
    found = Vantages(THREE, *NAMES)
    found.play(60.0)
    assert not any(place.told(QuorumTurned) for place in found.places.values())


def test_who_waits_for_a_first_verdict_is_told_that_too_few_can_vote_and_not_that_it_is_up() -> None:
    found = Vantages(THREE, *NAMES)
    found.places["oci-1"].silent = found.places["aws-1"].silent = True
    found.play(100.0)
    assert found.verdict("azure-1", AZURE).state is Health.UNKNOWN
    told = [each for each in found.places["azure-1"].told(EndpointTurned) if each.endpoint.address == AZURE]
    assert [each.after.state for each in told] == [Health.UNKNOWN]
    assert told[0].after.evidence.startswith(
        "only 1 of 3 vantages can tell (azure-1), so what held before holds: live ok"
    )


def test_what_this_vantage_sees_holds_again_when_the_others_are_left_out() -> None:
    found = settled()
    place = found.places["azure-1"]
    place.cut.add(AZURE)
    found.play(15.0)
    assert found.verdict("azure-1", AZURE).state is Health.HEALTHY
    told = place.table.convene(None, found.now)
    assert found.verdict("azure-1", AZURE).state is Health.UNHEALTHY
    assert News(THREE.name) in told


def test_a_new_revision_holds_what_was_agreed_on_until_votes_on_it_are_there() -> None:
    found = settled()
    found.down.add(AZURE)
    found.play(15.0)
    place = found.places["azure-1"]
    before = place.table.verdicts(THREE.name)
    place.table.watch(replace(THREE, failback_after=120.0), found.now)
    assert place.table.verdicts(THREE.name) == before
    assert found.region("azure-1", "azure").state is RegionState.DOWN


def test_what_nobody_sees_any_more_is_not_known() -> None:
    found = settled()
    for place in found.places.values():
        place.table.settle(found.now + 100.0)
    for place in found.places.values():
        for other in found.places.values():
            if other is not place:
                place.table.hear(other.name, THREE.name, other.table.votes(THREE.name), found.now + 100.0)
    assert {found.state for found in found.verdicts("azure-1").values()} == {Health.UNKNOWN}


def test_time_that_passes_for_one_policy_has_the_votes_on_no_other_counted() -> None:
    """A tick lets it pass for one after the other. When all were in dispute, each of a thousand counted a thousand."""
    found, other = settled(), replace(THREE, name="other")
    place, named = found.places["azure-1"], (THREE.name, other.name)
    place.table.watch(other, found.now)
    for endpoint, check in other.probes() * RULES.rise:
        passed = ProbeResult(endpoint, check.name, ProbeOutcome.PASS, ProbeReason.OK, Timings(TOOK), found.now)
        place.table.feed(other.name, passed, found.now)
    suspected = {endpoint: ILL for endpoint, _ in other.probes()[:1]}
    for name in named:
        for voter, listed in (("aws-1", {}), ("oci-1", suspected)):
            place.table.hear(voter, name, Votes(Health.HEALTHY, listed), found.now)
    later = found.now + FRESH / 2
    told = [place.table.settle(later, name) for name in named]
    assert [[each.policy for each in some if isinstance(each, News)] for some in told] == [[name] for name in named]


# -- reachable in part -------------------------------------------------------------------------------------------------


def test_an_endpoint_that_a_network_cannot_reach_is_told_once_with_its_networks_and_when_it_is_over() -> None:
    found = settled()
    found.places["azure-1"].cut.add(AZURE)
    found.play(120.0)
    for name in NAMES:
        (told,) = found.places[name].told(ReachabilityTurned)
        assert (told.reachable_from, told.unreachable_from) == (("aws", "oci"), ("azure",))
        assert told.evidence == "live status_unexpected: 503"
    found.places["azure-1"].cut.clear()
    found.play(60.0)
    assert [bool(each.reachable_from) for each in found.places["oci-1"].told(ReachabilityTurned)] == [True, False]


def test_a_plain_failure_is_reachable_in_part_for_no_longer_than_it_takes_to_agree() -> None:
    found = settled()
    found.down.add(AZURE)
    found.play(60.0)
    found.down.clear()
    found.play(60.0)
    assert not any(place.told(ReachabilityTurned) for place in found.places.values())


# -- what is said ------------------------------------------------------------------------------------------------------


def test_votes_list_what_is_not_plainly_well() -> None:
    found = settled()
    assert found.places["oci-1"].table.votes(THREE.name) == Votes(Health.HEALTHY, {})
    found.places["oci-1"].cut.add(AZURE)
    found.play(15.0)
    votes = found.places["oci-1"].table.votes(THREE.name)
    assert {endpoint.address: vote.health for endpoint, vote in votes.listed.items()} == {AZURE: Health.UNHEALTHY}


def test_before_any_verdict_the_rest_is_unknown() -> None:
    votes = Vantages(THREE, *NAMES).places["oci-1"].table.votes(THREE.name)
    assert votes == Votes(Health.UNKNOWN, {})


@pytest.mark.parametrize("names", [("azure-1", "oci-1"), (*NAMES, "gcp-1", "do-1")])
def test_it_works_with_other_numbers_of_vantages(names: tuple[str, ...]) -> None:
    found = settled(*names)
    found.down.add(AZURE)
    found.play(15.0)
    assert found.held(AZURE) == {Health.UNHEALTHY}
    found.down.clear()
    found.play(60.0)
    assert found.held(AZURE) == {Health.HEALTHY}


# -- who does not trust itself -----------------------------------------------------------------------------------------


def test_a_vantage_that_does_not_trust_itself_has_no_vote_in_that_family() -> None:
    found = settled()
    table, now = found.places["oci-1"].table, found.now
    endpoint = next(iter(found.verdicts("oci-1")))
    voters = tuple(Voter(name, name, now) for name in NAMES)
    for name in ("azure-1", "aws-1"):
        table.hear(name, THREE.name, Votes(Health.HEALTHY, {endpoint: ILL}), now)
    assert table.verdicts(THREE.name)[endpoint].state is Health.UNHEALTHY
    alone = {name: frozenset({Family.IPV4}) for name in ("azure-1", "aws-1")}
    table.hear("azure-1", THREE.name, Votes(Health.HEALTHY), now)
    table.hear("aws-1", THREE.name, Votes(Health.HEALTHY), now)
    assert table.verdicts(THREE.name)[endpoint].state is Health.HEALTHY
    table.convene(Electorate("oci-1", voters, FRESH, alone), now + FRESH + 1.0)
    for name in ("azure-1", "aws-1"):
        table.hear(name, THREE.name, Votes(Health.HEALTHY, {endpoint: ILL}), now + FRESH + 1.0)
    assert table.verdicts(THREE.name)[endpoint].state is Health.HEALTHY
    six = {name: frozenset({Family.IPV6}) for name in ("azure-1", "aws-1")}
    table.convene(Electorate("oci-1", tuple(Voter(name, name, now + 22.0) for name in NAMES), FRESH, six), now + 22.0)
    assert table.verdicts(THREE.name)[endpoint].state is Health.UNHEALTHY


# -- endpoints that some probe for all ---------------------------------------------------------------------------------

FIVE = "azure-1", "oci-1", "aws-1", "gcp-1", "do-1"


def shared(factor: int = 2) -> Vantages:
    return settled(*FIVE, factor=factor)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_on_a_good_day_each_endpoint_is_probed_by_so_many(factor: int) -> None:
    found = shared(factor)
    found.play(100.0)
    probing = {
        address: sum(any(each.address == address for _, each in place.probes) for place in found.places.values())
        for address in (AZURE, OCI, AWS)
    }
    assert set(probing.values()) == {factor}
    assert all(place.table.votes(THREE.name).listed == {} for place in found.places.values())
    for address in (AZURE, OCI, AWS):
        assert found.held(address) == {Health.HEALTHY}


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_when_one_of_them_sees_it_fail_all_look_and_the_majority_knows_as_soon(factor: int) -> None:
    found = shared(factor)
    found.play(100.0)
    found.down.add(AZURE)
    began = found.now
    found.play(12.0)
    seen = first_failure(found, AZURE, began)
    for place in found.places.values():
        assert place.when(turned(AZURE, Health.UNHEALTHY)) - seen <= RULES.fall * RULES.recheck
    found.down.clear()
    found.play(40.0)
    assert found.held(AZURE) == {Health.HEALTHY}
    found.play(60.0)
    for place in found.places.values():
        place.probes.clear()
    found.play(40.0)
    assert sum(any(each.address == AZURE for _, each in place.probes) for place in found.places.values()) == factor


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_one_of_them_that_is_blind_is_outvoted_by_those_who_look_because_of_it(factor: int) -> None:
    found = shared(factor)
    found.play(100.0)
    prober = next(place for place in found.places.values() if any(each.address == AZURE for _, each in place.probes))
    prober.cut.add(AZURE)
    found.play(60.0)
    assert found.held(AZURE) == {Health.HEALTHY}
    assert not any(place.told(EndpointTurned) for place in found.places.values())


# -- whatever happens --------------------------------------------------------------------------------------------------

STROKES = st.lists(
    st.tuples(st.sampled_from(["cut", "join", "silence", "speak"]), st.integers(0, 4), st.floats(0.1, 25.0)),
    max_size=6,
)


@given(STROKES, st.sampled_from([None, 2, 3]))
def test_no_single_vantage_takes_anything_down_and_all_come_to_the_same_when_it_is_quiet(
    strokes: list[tuple[str, int, float]], factor: int | None
) -> None:
    found = settled(*FIVE, factor=factor)
    blind = found.places[FIVE[0]]  # one of them may be blind, and any may fall silent
    for what, number, pause in strokes:
        place = found.places[FIVE[number]]
        if what == "cut":
            blind.cut.add((AZURE, OCI, AWS)[number % 3])
        elif what == "join":
            blind.cut.clear()
        else:
            place.silent = what == "silence"
        found.play(pause)
        assert not any(
            each.after.state is Health.UNHEALTHY
            for place in found.places.values()
            for each in place.told(EndpointTurned)
        )
    blind.cut.clear()
    found.down.add(OCI)
    for place in found.places.values():
        place.silent = False
    found.play(60.0)
    assert found.held(AZURE) == {Health.HEALTHY}
    assert found.held(OCI) == {Health.UNHEALTHY}
