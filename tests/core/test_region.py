"""The roll-up: thresholds, hysteresis, what unknown endpoints leave open, and since when."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import HEALTHS, NOW, finding, rolled

from failoverd.core.health.endpoint import Health
from failoverd.core.health.region import RegionHealth, RegionState, by_word, roll_up
from failoverd.core.records import WHOLE, HealthRules

UNKNOWN, HEALTHY, DEGRADED, DOWN = RegionState.UNKNOWN, RegionState.HEALTHY, RegionState.DEGRADED, RegionState.DOWN

RULES = HealthRules(degraded_below=7_500, down_below=5_000, recover_margin=1_000)


def was(state: RegionState) -> RegionHealth:
    """A region that has been in `state` for an hour."""
    well = NOW - 3_600 if state in {HEALTHY, DEGRADED} else None
    return RegionHealth("azure", state, 0, NOW - 3_600, well, ())


# -- thresholds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoints", "score", "state"),
    [
        ("H", 10_000, HEALTHY),
        ("U", 0, DOWN),
        ("D", 5_000, DEGRADED),
        ("HHHH", 10_000, HEALTHY),
        ("HHHU", 7_500, HEALTHY),  # at the threshold is not below it
        ("HHDU", 6_250, DEGRADED),
        ("HHUU", 5_000, DEGRADED),
        ("HDUU", 3_750, DOWN),
        ("DDDD", 5_000, DEGRADED),
        ("HHU", 6_666, DEGRADED),
        ("UUUU", 0, DOWN),
    ],
)
def test_the_score_is_the_share_of_serving_endpoints(endpoints: str, score: int, state: RegionState) -> None:
    found = rolled(endpoints, rules=RULES)
    assert (found.score, found.state) == (score, state)


def test_getting_better_takes_the_margin_more_than_the_threshold() -> None:
    assert rolled("HHHU", was(HEALTHY), RULES).state is HEALTHY
    assert rolled("HHHU", was(DEGRADED), RULES).state is DEGRADED
    assert rolled("HHUU", was(DEGRADED), RULES).state is DEGRADED
    assert rolled("HHUU", was(DOWN), RULES).state is DOWN
    assert rolled("HHDU", was(DOWN), RULES).state is DEGRADED


def test_a_margin_never_asks_for_more_than_everything() -> None:
    strict = replace(RULES, degraded_below=WHOLE, down_below=9_500)
    assert rolled("HHHH", was(DOWN), strict).state is HEALTHY


def test_a_threshold_of_zero_still_calls_nothing_down() -> None:
    lax = replace(RULES, degraded_below=0, down_below=0)
    assert rolled("U", rules=lax).state is DOWN
    assert rolled("UUUD", rules=lax).state is HEALTHY
    assert rolled("UUUUUD", was(DOWN), lax).state is DOWN  # 833 is less than the margin


def test_a_hundred_thousandth_of_a_region_is_down_rather_than_divided_by_zero() -> None:
    crowd = {f"host-{number}": Health.UNHEALTHY for number in range(12_000)} | {"host-0": Health.HEALTHY}
    assert rolled(crowd, rules=replace(RULES, down_below=0)).state is DOWN


# -- unknown endpoints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoints", "state"),
    [
        ("?", UNKNOWN),
        ("HHH?", HEALTHY),  # 7500 at worst, 10000 at best
        ("HH?U", UNKNOWN),  # 5000 or 7500: DEGRADED or HEALTHY
        ("HHD?", UNKNOWN),
        ("UUU?", DOWN),  # 0 or 2500
        ("UU??", UNKNOWN),  # 0 or 5000
        ("HD?UUU", DOWN),
    ],
)
def test_an_unknown_endpoint_matters_only_where_it_could_change_the_verdict(endpoints: str, state: RegionState) -> None:
    assert rolled(endpoints, rules=RULES).state is state


def test_the_score_counts_unknown_endpoints_as_down() -> None:
    assert rolled("HH??", rules=RULES).score == 5_000


def test_serving_and_unknown_answers_are_told_apart() -> None:
    found = rolled("HDU?", rules=RULES)
    assert found.serving == ("192.0.2.1", "192.0.2.2")
    assert found.unknown == ("192.0.2.4",)


def test_hysteresis_survives_a_loss_of_sight() -> None:
    down = rolled("UUUU", was(HEALTHY), RULES)
    lost = rolled("????", down, RULES)
    assert rolled("HHUU", lost, RULES).state is DOWN
    assert rolled("HHDU", lost, RULES).state is DEGRADED


def test_a_region_that_was_lost_from_sight_is_told_from_one_that_was_never_seen() -> None:
    never = rolled("?", None, RULES)
    lost_while_down = rolled("?", rolled("U", never, RULES), RULES)
    assert (never.state, lost_while_down.state) == (UNKNOWN, UNKNOWN)
    assert never.seen is False
    assert lost_while_down.seen is True
    assert rolled("?", lost_while_down, RULES).seen is True


# -- since when --------------------------------------------------------------------------------------------------------


def test_since_is_kept_while_the_state_is_and_starts_over_when_it_changes() -> None:
    first = rolled("H", None, RULES, NOW)
    assert rolled("H", first, RULES, NOW + 10).since == NOW
    assert rolled("U", first, RULES, NOW + 10).since == NOW + 10


def test_a_region_is_well_since_it_serves_degraded_or_not() -> None:
    first = rolled("HHHH", None, RULES, NOW)
    degraded = rolled("HHUU", first, RULES, NOW + 10)
    assert (degraded.since, degraded.well_since) == (NOW + 10, NOW)
    assert rolled("HHHH", degraded, RULES, NOW + 20).well_since == NOW


def test_going_down_ends_being_well() -> None:
    first = rolled("H", None, RULES, NOW)
    down = rolled("U", first, RULES, NOW + 10)
    assert down.well_since is None
    assert rolled("H", down, RULES, NOW + 20).well_since == NOW + 20


def test_losing_sight_neither_ends_nor_starts_being_well() -> None:
    first = rolled("H", None, RULES, NOW)
    lost = rolled("?", first, RULES, NOW + 10)
    assert lost.well_since == NOW
    assert rolled("H", lost, RULES, NOW + 20).well_since == NOW
    down = rolled("U", lost, RULES, NOW + 20)
    assert rolled("?", down, RULES, NOW + 30).well_since is None


# -- words -------------------------------------------------------------------------------------------------------------


def test_evidence_names_what_does_not_serve_and_is_bounded() -> None:
    assert rolled("HHHH", rules=RULES).evidence == ""
    assert rolled("HU", rules=RULES).evidence == "192.0.2.2 unhealthy (said to be unhealthy)"
    crowd = rolled("U" * 50, rules=RULES).evidence
    assert crowd.endswith("; and 46 more")
    assert crowd.count("unhealthy (") == 4


@pytest.mark.parametrize(
    ("endpoints", "rule"),
    [("U", "health.down_below"), ("D", "health.degraded_below"), ("H", "health"), ("?", "health")],
)
def test_the_rule_that_made_the_state_is_named(endpoints: str, rule: str) -> None:
    assert rolled(endpoints, rules=RULES).rule == rule


# -- any region --------------------------------------------------------------------------------------------------------

BADNESS = [Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY]
RANK = {HEALTHY: 0, DEGRADED: 1, DOWN: 2}
known = st.lists(st.sampled_from("HDU"), min_size=1, max_size=8).map("".join)
anything = st.lists(st.sampled_from("HDU?"), min_size=1, max_size=8).map("".join)
thresholds = st.builds(
    lambda low, high, margin: HealthRules(
        down_below=min(low, high), degraded_below=max(low, high), recover_margin=margin
    ),
    st.integers(0, WHOLE),
    st.integers(0, WHOLE),
    st.integers(0, 3_000),
)
befores = st.sampled_from([None, *(was(state) for state in RegionState)])


@given(known, st.data(), befores, thresholds)
def test_improving_an_endpoint_never_worsens_the_region(
    endpoints: str, data: st.DataObject, before: RegionHealth | None, rules: HealthRules
) -> None:
    index = data.draw(st.integers(0, len(endpoints) - 1))
    better = endpoints[:index] + "H" + endpoints[index + 1 :]
    one, other = rolled(endpoints, before, rules), rolled(better, before, rules)
    assert other.score >= one.score
    assert RANK[other.state] <= RANK[one.state]


@given(anything, befores, thresholds, st.permutations(range(8)))
def test_every_region_is_sound(
    endpoints: str, before: RegionHealth | None, rules: HealthRules, order: list[int]
) -> None:
    found = rolled(endpoints, before, rules)
    assert 0 <= found.score <= WHOLE
    assert not (found.serves and not found.serving)
    assert (found.well_since is not None) or not found.serves
    states = {f"192.0.2.{number}": HEALTHS[letter] for number, letter in enumerate(endpoints, start=1)}
    shuffled = {value: states[value] for value in (f"192.0.2.{n + 1}" for n in order) if value in states}
    again = rolled(shuffled, before, rules)
    assert replace(again, evidence="") == replace(found, evidence="")


@given(anything, befores, thresholds)
def test_whatever_an_unknown_endpoint_turns_out_to_be_the_verdict_was_not_wrong(
    endpoints: str, before: RegionHealth | None, rules: HealthRules
) -> None:
    found = rolled(endpoints, before, rules)
    if found.state is UNKNOWN:
        return
    for letter in "HDU":
        assert rolled(endpoints.replace("?", letter), before, rules).state is found.state


# -- kept out although it passes ---------------------------------------------------------------------------------------


def flapping(*ends: float | None) -> RegionHealth:
    """Of endpoints that are down: those with an end pass, and are kept out until then."""
    down = finding(Health.UNHEALTHY)
    endpoints = [(f"192.0.2.{number}", replace(down, flapping_until=end)) for number, end in enumerate(ends, start=1)]
    return roll_up("azure", endpoints, None, RULES, NOW)


def test_a_region_is_back_when_so_many_of_those_that_flapped_are() -> None:
    assert (flapping(NOW + 60).flapped, flapping(NOW + 60).flapping_until) == (("192.0.2.1",), NOW + 60)
    assert flapping(NOW + 90, NOW + 60, NOW + 30).flapping_until == NOW + 60
    assert flapping(NOW + 60, None, None).flapping_until is None
    assert flapping(None).flapping_until is None


def test_who_is_put_up_by_word_is_kept_out_no_longer() -> None:
    found = by_word(flapping(NOW + 60), {"192.0.2.1": True}, {"192.0.2.1": 1}, RULES, since=NOW)
    assert (found.state, found.flapped, found.flapping_until) == (HEALTHY, (), None)


# -- weights of endpoints ----------------------------------------------------------------------------------------------

WEIGHTS = {"192.0.2.1": 1, "192.0.2.2": 3}


def weighing(letters: str) -> RegionHealth:
    endpoints = [(f"192.0.2.{place}", finding(HEALTHS[letter])) for place, letter in enumerate(letters, start=1)]
    return roll_up("azure", endpoints, None, RULES, NOW, [WEIGHTS[value] for value, _ in endpoints])


@pytest.mark.parametrize(
    ("letters", "score", "state"),
    [
        ("HH", 10_000, HEALTHY),
        ("UH", 7_500, HEALTHY),
        ("HU", 2_500, DOWN),
        ("HD", 6_250, DEGRADED),
        ("DH", 8_750, HEALTHY),
        ("?H", 7_500, HEALTHY),
        ("H?", 2_500, UNKNOWN),
    ],
)
def test_an_endpoint_counts_by_its_weight(letters: str, score: int, state: RegionState) -> None:
    found = weighing(letters)
    assert (found.score, found.state) == (score, state)


def test_a_word_about_an_endpoint_counts_by_its_weight() -> None:
    found = by_word(weighing("HH"), {"192.0.2.2": False}, WEIGHTS, RULES, since=NOW)
    assert (found.score, found.state, found.serving) == (2_500, DOWN, ("192.0.2.1",))
    out = by_word(weighing("HH"), {"192.0.2.2": None}, WEIGHTS, RULES, since=NOW)
    assert (out.score, out.state) == (2_500, HEALTHY)
    up = by_word(weighing("HU"), {"192.0.2.2": True}, WEIGHTS, RULES, since=NOW)
    assert (up.score, up.state) == (10_000, HEALTHY)


@given(st.text("HDU?", min_size=1, max_size=6), st.integers(min_value=1, max_value=1_000))
def test_equal_weights_are_none(letters: str, weight: int) -> None:
    endpoints = [(f"192.0.2.{place}", finding(HEALTHS[letter])) for place, letter in enumerate(letters, start=1)]
    alike = roll_up("azure", endpoints, None, RULES, NOW, [weight] * len(letters))
    assert alike == roll_up("azure", endpoints, None, RULES, NOW)


# -- as it is played ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoints", ["HHHH", "HHDU", "U", "HU", "HUUU"])
def test_a_region_that_is_lost_serves_nothing_and_nothing_of_it_is_open(endpoints: str) -> None:
    found = rolled(endpoints, rules=RULES)
    lost = found.lost(NOW)
    assert (lost.state, lost.score, lost.serving, lost.unknown, lost.well_since) == (DOWN, 0, (), (), None)
    assert (lost is found) is (found.state is DOWN and not found.serving)
    assert lost.lost(NOW + 60.0) is lost, "it has been down since then"
