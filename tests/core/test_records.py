"""The nouns: shares that always sum up, markers that are never misread, endpoints that answer in their own type."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import AZURE, KEY, PAIR, TARGET, policy, records, region

from failoverd.core.records import (
    ELSEWHERE,
    WHOLE,
    AliasTarget,
    Answer,
    Endpoint,
    Marker,
    RecordKey,
    RecordSet,
    RecordType,
    Source,
    apportion,
)

# -- apportion ---------------------------------------------------------------------------------------------------------


def test_parts_are_rounded_to_the_largest_remainders_and_ties_go_by_name() -> None:
    thirds = {name: Fraction(1, 3) for name in ("c", "a", "b")}
    assert apportion(thirds, WHOLE) == {"a": 3_334, "b": 3_333, "c": 3_333}
    assert apportion({"a": Fraction(1), "b": Fraction(2)}, 100) == {"a": 33, "b": 67}


def test_the_smallest_part_keeps_one_unit_and_the_largest_pays_for_it() -> None:
    assert apportion({"giant": Fraction(10**9), "tiny": Fraction(1)}, WHOLE) == {"giant": 9_999, "tiny": 1}


def test_parts_of_zero_and_parts_that_get_nothing_are_left_out() -> None:
    assert apportion({"a": Fraction(1), "b": Fraction(0)}, WHOLE) == {"a": WHOLE}
    assert apportion({name: Fraction(1) for name in "abcde"}, 3) == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("parts", [{}, {"a": Fraction(0)}])
def test_nothing_divides_nothing(parts: dict[str, Fraction]) -> None:
    assert apportion(parts, WHOLE) == {}


def test_a_total_of_zero_gives_nothing() -> None:
    assert apportion({"a": Fraction(1)}, 0) == {}


parts_of_any_size = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3), st.fractions(0, 10**6, max_denominator=10**4), max_size=40
)


@given(parts_of_any_size, st.integers(0, 20_000))
def test_the_units_sum_up_and_no_part_is_lost(parts: dict[str, Fraction], total: int) -> None:
    given_units = apportion(parts, total)
    wanting = {name for name, part in parts.items() if part > 0}
    assert sum(given_units.values()) == (total if wanting else 0)
    assert all(units > 0 for units in given_units.values())
    if total >= len(wanting):
        assert set(given_units) == wanting
    else:
        assert set(given_units) <= wanting


@given(parts_of_any_size, st.integers(1, 20_000))
def test_more_never_gets_less(parts: dict[str, Fraction], total: int) -> None:
    units = apportion(parts, total)
    ordered = sorted((part, units.get(name, 0)) for name, part in parts.items() if part > 0)
    for (part, less), (larger, more) in pairwise(ordered):
        assert less <= more + (part == larger)


def test_what_the_smallest_cost_is_paid_by_the_lesser_of_two_large_ones() -> None:
    parts = {"a": Fraction(31), "b": Fraction(39)} | {f"tiny-{n}": Fraction(1) for n in range(5)}
    assert apportion(parts, 10) == {"a": 2, "b": 3} | {f"tiny-{n}": 1 for n in range(5)}


@given(parts_of_any_size, st.integers(1, 20_000))
def test_the_order_of_the_mapping_does_not_matter(parts: dict[str, Fraction], total: int) -> None:
    assert list(apportion(parts, total).items()) == list(apportion(dict(reversed(parts.items())), total).items())


# -- record sets -------------------------------------------------------------------------------------------------------


def test_equal_sets_compare_equal_in_whatever_order_they_were_made() -> None:
    assert records({"192.0.2.1": 1, "192.0.2.2": 2}) == records({"192.0.2.2": 2, "192.0.2.1": 1})


def test_shares_are_said_by_region_and_strangers_are_elsewhere() -> None:
    mixed = records({"192.0.2.10": 2, "198.51.100.10": 1, "203.0.113.99": 1})
    assert mixed.shares(PAIR.region_of(RecordType.A)) == {"azure": 5_000, "oci": 2_500, ELSEWHERE: 2_500}


def test_weights_of_zero_do_not_serve() -> None:
    one = records({"192.0.2.10": 0, "198.51.100.10": 5})
    assert [answer.value for answer in one.serving] == ["198.51.100.10"]
    assert one.shares(PAIR.region_of(RecordType.A)) == {"oci": WHOLE}


def test_a_set_that_serves_nothing_has_no_shares() -> None:
    assert records({}).shares({}) == {}
    assert records({"192.0.2.10": 0}).shares({}) == {}


@given(st.dictionaries(st.sampled_from([f"10.0.0.{n}" for n in range(30)]), st.integers(0, 10**9)))
def test_shares_always_sum_to_the_whole(weights: dict[str, int]) -> None:
    region_of = {f"10.0.0.{n}": f"r{n % 7}" for n in range(25)}
    shares = RecordSet.of(KEY, 30, weights).shares(region_of)
    assert sum(shares.values()) == (WHOLE if any(weights.values()) else 0)


# -- markers -----------------------------------------------------------------------------------------------------------


def test_a_marker_reads_as_one_line() -> None:
    marker = Marker("prod", "inference-api", 7, (RecordType.AAAA, RecordType.A))
    assert marker.to_text() == "v=1 owner=prod policy=inference-api gen=7 types=A,AAAA"


def test_a_marker_says_under_which_leader_it_was_written_where_there_is_one() -> None:
    marker = Marker("prod", "inference-api", 7, (RecordType.A,), "0000aaaa", epoch=12)
    assert marker.to_text() == "v=1 owner=prod policy=inference-api gen=7 epoch=12 types=A inst=0000aaaa"
    assert Marker.parse("v=1 owner=prod policy=inference-api gen=7 types=A") == Marker(
        "prod", "inference-api", 7, (RecordType.A,), epoch=0
    )


def test_the_longest_marker_without_words_fits_into_one_string() -> None:
    types = (RecordType.A, RecordType.AAAA)
    marker = Marker("o" * 63, "p" * 63, 10**18 - 1, types, "0000aaaa", by_hand=True, epoch=10**18 - 1)
    assert len(marker.to_text()) <= 255


words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=30)
numbers = st.integers(0, 10**15)


@given(words, words, numbers, st.sets(st.sampled_from(list(RecordType)), min_size=1), numbers)
def test_every_marker_is_read_back_as_it_was_written(
    owner: str, by: str, generation: int, types: set[RecordType], epoch: int
) -> None:
    marker = Marker(owner, by, generation, tuple(sorted(types)), epoch=epoch)
    assert Marker.parse(marker.to_text()) == marker


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "heritage=external-dns,external-dns/owner=me",
        "v=2 owner=a policy=b gen=1 types=A",
        "v=1 policy=b gen=1 types=A",
        "v=1 owner= policy=b gen=1 types=A",
        "v=1 owner=a gen=1 types=A",
        "v=1 owner=a policy=b types=A",
        "v=1 owner=a policy=b gen=-1 types=A",
        "v=1 owner=a policy=b gen=1.5 types=A",
        "v=1 owner=a policy=b gen=² types=A",
        "v=1 owner=a policy=b gen=1 epoch= types=A",
        "v=1 owner=a policy=b gen=1 epoch=-1 types=A",
        "v=1 owner=a policy=b gen=1 epoch=7a types=A",
        "v=1 owner=a policy=b gen=1 epoch=1000000000000000000 types=A",
        "v=1 owner=a policy=b gen=1",
        "v=1 owner=a policy=b gen=1 types=",
        "v=1 owner=a policy=b gen=1 types=A,MX",
        "v=1 owner=a policy=b gen=1 types=a",
        "v=1 owner=a policy=b gen=" + "9" * 5_000 + " types=A",
    ],
)
def test_what_is_not_a_marker_of_ours_is_not_taken_for_one(text: str) -> None:
    assert Marker.parse(text) is None


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_marker(text: str) -> None:
    found = Marker.parse(text)
    assert found is None or found.generation >= 0


def test_a_marker_stands_below_the_name() -> None:
    assert KEY.marker_name == "_failoverd.api.example.com"


# -- endpoints ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "record_type", "answer"),
    [
        (Endpoint("r", "192.0.2.1"), RecordType.A, "192.0.2.1"),
        (Endpoint("r", "192.0.2.1"), RecordType.AAAA, None),
        (Endpoint("r", "2001:db8::1"), RecordType.AAAA, "2001:db8::1"),
        (Endpoint("r", "2001:db8::1"), RecordType.A, None),
        (Endpoint("r", "192.0.2.1"), RecordType.CNAME, None),
        (Endpoint("r", "lb.example.net"), RecordType.CNAME, "lb.example.net"),
        (Endpoint("r", "lb.example.net"), RecordType.A, None),
        (Endpoint("r", "lb.example.net", 443), RecordType.SRV, "lb.example.net:443"),
        (Endpoint("r", "lb.example.net"), RecordType.SRV, None),
        (Endpoint("r", "192.0.2.1", 443), RecordType.SRV, None),
    ],
)
def test_an_endpoint_answers_only_in_its_own_type(
    endpoint: Endpoint, record_type: RecordType, answer: str | None
) -> None:
    assert endpoint.answer(record_type) == answer


def test_an_endpoint_is_named_so_that_a_person_can_paste_it() -> None:
    assert Endpoint("r", "192.0.2.1", 443).text == "192.0.2.1:443"
    assert Endpoint("r", "2001:db8::1", 443).text == "[2001:db8::1]:443"
    assert Endpoint("r", "2001:db8::1").text == "2001:db8::1"
    assert Endpoint("r", "192.0.2.1").id == "r/192.0.2.1"


def test_region_of_names_only_what_the_type_can_answer() -> None:
    both = policy(AZURE, region("six", 30, "2001:db8::1"))
    assert both.region_of(RecordType.A) == {"192.0.2.10": "azure"}
    assert both.region_of(RecordType.AAAA) == {"2001:db8::1": "six"}


# -- words -------------------------------------------------------------------------------------------------------------


def test_another_revision_names_regions_anew() -> None:
    assert PAIR.region_of(RecordType.A) == {"192.0.2.10": "azure", "198.51.100.10": "oci"}
    assert policy(AZURE, base=PAIR).region_of(RecordType.A) == {"192.0.2.10": "azure"}


def test_an_answer_reads_as_it_always_did_for_ids_are_made_of_it() -> None:
    assert repr(records({"192.0.2.10": 3}).answers) == "(Answer(value='192.0.2.10', weight=3),)"
    assert repr(Answer("it's", 0)) == """Answer(value="it's", weight=0)"""


def test_keys_and_targets_say_what_they_are() -> None:
    assert str(RecordKey("api.example.com", RecordType.SRV)) == "api.example.com SRV"
    assert str(TARGET) == "api.example.com A at dns-main"


def test_a_rule_is_found_at_its_line_or_at_that_of_its_nearest_parent() -> None:
    source = Source("policies/api.yaml", "r1", {"limits": 20, "limits.max_shift": 22, "checks": 9})
    assert source.at("limits.max_shift") == "policies/api.yaml:22"
    assert source.at("limits.max_changes") == "policies/api.yaml:20, default of limits.max_changes"
    assert source.at("on_drift") == "policies/api.yaml, default of on_drift"
    assert source.at("") == "policies/api.yaml"


# -- the same split ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ({"a": 3, "b": 1}, {"a": 7_500, "b": 2_500}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 3_333, "b": 3_333, "c": 3_334}),  # regions are sorted by other names
        ({"a": 1, "b": 1, "c": 10}, {"a": 833, "b": 834, "c": 8_333}),
        ({"a": 1, "b": 1, "c": 0}, {"a": 5_000, "b": 5_000}),
    ],
)
def test_weights_that_a_person_wrote_may_say_what_is_wanted(weights: dict[str, int], wanted: dict[str, int]) -> None:
    assert RecordSet.of(KEY, 30, weights).says(RecordSet.of(KEY, 30, wanted))


@pytest.mark.parametrize("wanted", [{"a": 3, "b": 2}, {"a": 3}, {"a": 3, "c": 1}])
def test_another_split_is_not_what_is_wanted(wanted: dict[str, int]) -> None:
    assert not RecordSet.of(KEY, 30, {"a": 3, "b": 1}).says(RecordSet.of(KEY, 30, wanted))
    assert not RecordSet.of(KEY, 30, {"a": 3, "b": 1}).says(RecordSet.of(KEY, 60, {"a": 3, "b": 1}))


@pytest.mark.parametrize(
    ("full", "rounded"),
    [
        (255, {"a": 255, "b": 109}),
        (1_000, {"a": 1_000, "b": 428}),
        (65_535, {"a": 65_535, "b": 28_086}),
    ],
)
def test_what_an_earlier_version_rounded_down_is_still_what_is_wanted(full: int, rounded: dict[str, int]) -> None:
    wanted = RecordSet.of(KEY, 30, {"a": 7_000, "b": 3_000})
    assert RecordSet.of(KEY, 30, rounded).says(wanted)
    assert RecordSet.of(KEY, 30, rounded).says(RecordSet.of(KEY, 30, {"a": 7, "b": 3}))
    assert not RecordSet.of(KEY, 30, {**rounded, "b": rounded["b"] - full // 50}).says(wanted)


def test_what_rounding_down_made_wrong_by_more_than_a_tenth_is_not_what_is_wanted() -> None:
    assert not RecordSet.of(KEY, 30, {"a": 2, "b": 255}).says(RecordSet.of(KEY, 30, {"a": 100, "b": 9_900}))


def test_weights_of_a_small_scale_were_not_rounded_but_written_by_somebody() -> None:
    assert not RecordSet.of(KEY, 30, {"a": 3, "b": 1}).says(RecordSet.of(KEY, 30, {"a": 7_400, "b": 2_600}))


# -- alias targets -----------------------------------------------------------------------------------------------------


def test_an_alias_target_is_its_text_and_back() -> None:
    target = AliasTarget("Z35SXDOTRQ7X7K", "lb-1.us-east-1.elb.amazonaws.com")
    assert AliasTarget.parse(str(target)) == target
    endpoint = Endpoint("aws-use1", target.host, alias=target.hosted_zone)
    assert endpoint.answer(RecordType.A) == endpoint.answer(RecordType.AAAA) == str(target)
    assert endpoint.answer(RecordType.CNAME) == target.host


@pytest.mark.parametrize("value", ["192.0.2.1", "2001:db8::1", "lb.example.net", "lb.example.net:443", "lua a/b", "/a"])
def test_what_is_no_alias_target_says_so(value: str) -> None:
    assert AliasTarget.parse(value) is None
