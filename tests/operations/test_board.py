"""What one screen has room for: the worst first, all of it counted, whatever burns."""

from dataclasses import replace

from support import evenings

from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.operations.board import MOST_RECORDS, MOST_WORDS, board, regions_at_large
from failoverd.operations.glance import RegionLine

NOW = 1_764_558_720.0


def line(region: str, state: str, *, policy: str = "api", cloud: str = "azure", seen: float | None = NOW) -> RegionLine:
    return RegionLine(policy, region, cloud, ("A",), state, 0, NOW - 60, f"{state} it is", seen)


def test_what_needs_a_person_stands_before_what_moved_and_that_before_what_is_well() -> None:
    levels = [each.level for each in board(evenings.bad(NOW), NOW).glance.records]
    assert levels == sorted(levels, key=["person", "moved", "unknown", "well"].index)


def test_a_thousand_records_are_cut_and_what_is_left_out_is_counted() -> None:
    found = board(evenings.crowd(NOW), NOW)
    assert len(found.glance.records) == MOST_RECORDS
    assert {each.level for each in found.glance.records} == {"moved"}
    assert found.left == {"records_moved": 43, "records_well": 857}
    assert found.glance.policies == 1_000


def test_by_name_those_are_found_that_were_left_out() -> None:
    found = board(evenings.crowd(NOW), NOW, "shop-099*")
    assert found.left == {}
    assert {each.policy[:8] for each in found.glance.records} == {"shop-099"}
    assert found.glance.headline == board(evenings.crowd(NOW), NOW).glance.headline, "of the whole it says the same"


def test_a_record_is_found_by_its_own_name_as_well() -> None:
    (found,) = board(evenings.bad(NOW), NOW, "xn--*").glance.records
    assert found.policy == "embeddings"


def test_regions_are_told_once_for_all_policies_by_their_worst() -> None:
    lines = (
        line("eastus", "healthy"),
        line("eastus", "down", policy="chat"),
        line("eastus", "degraded", policy="shop"),
        line("ashburn", "healthy", cloud="oci"),
        line("westus", "unknown", seen=None),
    )
    east, west, ashburn = regions_at_large(lines)
    assert (east.cloud, east.region, east.state, east.why) == ("azure", "eastus", "down", "down it is")
    assert east.states == {"healthy": 1, "down": 1, "degraded": 1}
    assert (west.state, west.seen) == ("unknown", None)
    assert (ashburn.cloud, ashburn.state) == ("oci", "healthy")


def test_at_large_counts_what_is_decided_on_and_has_the_longest_latency() -> None:
    calm = replace(line("eastus", "healthy"), latency=0.012)
    ill = replace(line("eastus", "healthy", policy="chat"), taken_for="degraded", taken_why="it burns", latency=0.02)
    (found,) = regions_at_large((calm, ill))
    assert (found.state, found.why, found.states) == ("degraded", "it burns", {"healthy": 1, "degraded": 1})
    assert found.latency == 0.02


def test_a_policy_that_sees_a_region_in_two_ways_counts_once() -> None:
    one, two = line("eastus", "healthy"), replace(line("eastus", "down"), types=("AAAA",))
    (found,) = regions_at_large((one, two))
    assert (found.state, found.states) == ("down", {"down": 1})


def test_a_region_is_as_old_as_what_is_known_of_it_longest() -> None:
    (found,) = regions_at_large((line("eastus", "healthy", seen=NOW), line("eastus", "healthy", seen=NOW - 9)))
    assert found.seen == NOW - 9


def test_words_name_who_said_them_and_what_ends_them_or_lets_them_begin() -> None:
    scope, why = Scope(policies=("chat",)), (Comment(NOW, "alice@ops", "it burns"),)
    holds = Override("hold-1", Verb.HOLD, scope, "alice@ops", NOW - 9, NOW + 60, why)
    waits = replace(holds, id="drain-2", verb=Verb.DRAIN, needed=2)
    over = replace(holds, id="hold-3", until=NOW - 1)
    found = board(replace(evenings.quiet(NOW), overrides=(holds, waits, over)), NOW)
    assert found.stops == {"hold-1": "failoverctl release hold-1", "drain-2": "failoverctl agree drain-2"}
    said = {each.id: (each.by, each.reason, each.until) for each in found.glance.overrides}
    assert said["hold-1"] == ("alice@ops", "it burns", NOW + 60)


def test_however_many_words_there_are_so_many_are_told() -> None:
    word = Override("hold-1", Verb.HOLD, Scope(), "alice@ops", NOW - 9, NOW + 60)
    found = board(replace(evenings.quiet(NOW), overrides=(word,) * (MOST_WORDS + 7)), NOW)
    assert (len(found.glance.overrides), found.left["overrides"]) == (MOST_WORDS, 7)


def test_names_are_told_in_their_own_letters() -> None:
    names = board(evenings.bad(NOW), NOW).names
    assert names == {"xn--bcher-kva.example.com": "bücher.example.com (xn--bcher-kva.example.com)"}
