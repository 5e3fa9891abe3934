"""Shares that follow the price: when they are chosen, how they move, and that no incident knows of them."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.approving import limits
from support.scenes import NOW, TARGET, policy, region
from support.stories import Story, as_it_is, same
from support.sums import found, redone, said_shares, told

from failoverd.codec import dump, load
from failoverd.core.control.claiming import claim, usual_claim
from failoverd.core.control.cost import Saving
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.eligible import shown_within
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import Estate, OutcomeKind
from failoverd.core.control.saving import STOOD, merit_order
from failoverd.core.control.state import PolicyState
from failoverd.core.events import IncidentClosed
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import WHOLE, CostRules, DataIn, Link, ListPrices, Policy, RegionSpec, Traffic

A_DAY = 86_400.0
RULES = CostRules()


def place(name: str, share: float, per_gb: float, capacity: float, link: Link | None = None) -> RegionSpec:
    return replace(region(name, share, capacity=capacity), prices=ListPrices(per_gb), link=link)


LINK = Link(1e9, 0.0)
AZURE = place("azure", 70, 0.087, 900)
OCI = place("oci", 30, 0.0085, 600, LINK)
AWS = place("aws", 0, 0.09, 900)
PRICED = replace(
    policy(AZURE, OCI),
    demand=800.0,
    traffic=Traffic(50e3),
    data_in=DataIn("azure", 200e3, 0.087),
    cost=RULES,
)
MERIT = {"azure": 45.31, "oci": 54.69}


def begun(of: Policy = PRICED) -> Story:
    """A target that holds the shares of the file, before price is looked at."""
    story = Story(of)
    assert story.look().kind is OutcomeKind.WRITE
    assert story.published == {"azure": 70, "oci": 30}
    return story


def moved(of: Policy = PRICED) -> Story:
    """And after it was."""
    story = begun(of)
    story.look(600.0)
    assert story.published == MERIT
    assert story.look(600.0).kind is OutcomeKind.IN_SYNC
    return story


# -- merit order -------------------------------------------------------------------------------------------------------


def test_the_cheapest_is_filled_to_its_link_and_the_next_gets_the_rest() -> None:
    assert merit_order(PRICED, PRICED.records[0]) == {"azure": 4_531, "oci": 5_469}


def test_the_cheapest_is_filled_to_its_room() -> None:
    wide = replace(PRICED, data_in=None)
    assert merit_order(wide, wide.records[0]) == {"azure": 2_500, "oci": 7_500}


def test_nobody_is_emptied_for_its_price() -> None:
    small = replace(PRICED, data_in=None, demand=400.0)
    assert merit_order(small, small.records[0]) == {"azure": 100, "oci": 9_900}


def test_equal_prices_are_split_as_the_file_says() -> None:
    of = replace(PRICED, data_in=None, regions=(AZURE, replace(OCI, prices=AZURE.prices)))
    assert merit_order(of, of.records[0]) == {"azure": 7_000, "oci": 3_000}


def test_a_standby_stays_one_however_cheap_it_is() -> None:
    of = replace(PRICED, regions=(AZURE, OCI, replace(AWS, prices=ListPrices(0.0))))
    assert merit_order(of, of.records[0]) == {"azure": 4_531, "oci": 5_469}


def test_what_other_policies_take_is_no_room() -> None:
    of = replace(PRICED, data_in=None)
    assert merit_order(of, of.records[0], {"oci": 300.0}) == {"azure": 6_250, "oci": 3_750}


@pytest.mark.parametrize(
    "of",
    [
        replace(PRICED, regions=(AZURE, replace(OCI, prices=ListPrices()))),
        replace(PRICED, demand=5_000.0),
        replace(PRICED, demand=None),
        replace(PRICED, records=(replace(PRICED.records[0], single=True),)),
    ],
    ids=["a price is missing", "it does not fit", "no demand", "one value at a time"],
)
def test_where_nothing_can_be_reckoned_nothing_is_chosen(of: Policy) -> None:
    assert merit_order(of, of.records[0]) == {}


# -- a calm day --------------------------------------------------------------------------------------------------------


def test_on_a_calm_day_shares_follow_the_price_as_tuning() -> None:
    story = begun()
    outcome = story.look(600.0)
    assert outcome.cause is Cause.TUNING
    assert story.published == MERIT
    assert said_shares(outcome.decision) == pytest.approx(redone(outcome.decision), abs=0.02)
    [reason] = found(outcome.decision, ReasonCode.CHEAPER)
    assert (round(reason.numbers["before"]), round(reason.numbers["after"])) == (6_578, 4_569)
    assert story.look(30.0).kind is OutcomeKind.IN_SYNC
    assert story.memory.normal
    assert story.state.incident is None


def test_the_reason_stays_for_as_long_as_the_shares_are_not_those_of_the_file() -> None:
    story = moved()
    assert told(story.look(A_DAY / 2).decision, ReasonCode.CHEAPER) == [
        (
            "shares follow the price since 2027-01-15 08:10:00Z (azure 45.31%, oci 54.69%): $4,569 a month instead of "
            "$6,578, by list prices; worth it from 10% and $100 a month on"
        )
    ]


def test_without_the_word_of_the_file_no_price_moves_anything() -> None:
    story = begun(replace(PRICED, cost=None))
    assert story.look(A_DAY).kind is OutcomeKind.IN_SYNC
    assert story.memory.saving == Saving()


@pytest.mark.parametrize("rules", [CostRules(save=3_100), CostRules(at_least=2_010)])
def test_what_is_not_worth_it_moves_nothing(rules: CostRules) -> None:
    story = begun(replace(PRICED, cost=rules))  # it would save 30.5 % and $2,009 a month
    assert story.look(600.0).kind is OutcomeKind.IN_SYNC


@pytest.mark.parametrize("rules", [CostRules(save=3_000), CostRules(at_least=2_000)])
def test_what_is_just_worth_it_does(rules: CostRules) -> None:
    story = begun(replace(PRICED, cost=rules))
    assert story.look(600.0).kind is OutcomeKind.WRITE


def test_it_is_looked_at_once_a_day() -> None:
    story = moved()
    chosen = story.memory.saving
    dearer = replace(PRICED.regions[1], prices=ListPrices(1.0))
    story.edited(replace(story.policy, regions=(AZURE, dearer)))
    story.look(600.0)
    outcome = story.look(600.0)
    assert story.published == MERIT
    assert outcome.until == chosen.at + A_DAY
    story.look(A_DAY)
    assert story.published == {"azure": 99, "oci": 1}
    assert story.look(30.0).kind is OutcomeKind.IN_SYNC


def test_it_moves_within_the_rates_of_tuning() -> None:
    story = begun(replace(PRICED, limits=limits(max_shift=1_000, shift_window=300.0, max_changes=100)))
    story.look(600.0)
    assert story.published == {"azure": 60, "oci": 40}
    story.look(100.0)
    assert story.published == {"azure": 60, "oci": 40}
    story.look(200.0)
    assert story.published == {"azure": 50, "oci": 50}
    story.look(300.0)
    assert story.published == MERIT


def test_a_file_with_other_shares_is_a_new_beginning() -> None:
    story = moved()
    story.edited(replace(story.policy, regions=(replace(AZURE, share=6_000), replace(OCI, share=4_000))))
    outcome = story.look(600.0)
    assert outcome.cause is Cause.OPERATOR
    assert story.published == {"azure": 60, "oci": 40}
    story.look(600.0)
    assert story.published == {"azure": 60, "oci": 40}  # once a day
    story.look(A_DAY)
    assert story.published == MERIT


def test_a_file_that_no_longer_says_so_brings_its_own_shares_back() -> None:
    story = moved()
    story.edited(replace(story.policy, cost=None))
    story.look(600.0)
    assert story.published == {"azure": 70, "oci": 30}
    assert story.memory.saving == Saving()


def test_it_survives_a_restart() -> None:
    story = moved()
    story.state = load(PolicyState, dump(story.state))
    assert story.look(600.0).kind is OutcomeKind.IN_SYNC
    assert story.published == MERIT


def test_the_estate_is_told_of_the_shares_that_were_chosen() -> None:
    story = moved()
    now = claim(story.policy, story.seen(), story.now)
    usual = usual_claim(story.policy, story.state)
    assert now is not None
    assert usual is not None
    for each in (now, usual):
        assert {draw.region: draw.pull for draw in each.levels[0]} == {"azure": 4_531, "oci": 5_469}


# -- no incident knows of it -------------------------------------------------------------------------------------------

TRIO = replace(PRICED, regions=(AZURE, OCI, AWS))


def test_while_a_region_is_ill_price_is_not_looked_at() -> None:
    story = begun(TRIO)
    assert story.look(600.0, aws="U").kind is not OutcomeKind.WRITE
    assert story.published == {"azure": 70, "oci": 30}
    story.look(600.0, aws="H")
    story.look(600.0)
    assert story.published == MERIT


def test_what_was_chosen_stays_when_a_region_falls_that_it_does_not_count_on() -> None:
    story = moved(TRIO)
    story.look(600.0, aws="U")
    assert story.published == MERIT


def test_who_fails_out_ignores_the_price_and_who_returns_finds_it_as_it_was() -> None:
    even = replace(PRICED, regions=(place("azure", 50, 0.087, 900), OCI, replace(AWS, share=2_000)))
    story = Story(even)
    story.look()
    story.look(600.0)
    assert story.published == pytest.approx({"aws": 1, "azure": 44.31, "oci": 54.69}, abs=0.01)
    story.look(600.0)
    outcome = story.look(600.0, azure="U")
    assert outcome.cause is Cause.FAILING_OUT
    assert found(outcome.decision, ReasonCode.CHEAPER) == []
    assert story.published["aws"] > 40  # 30 to 20 in the file, as far as the link lets it
    story.look(60.0, azure="H")
    held = dict(story.published)
    story.look(60.0)
    assert story.published == held  # it waits for its failback, and meanwhile nothing moves for a price
    outcome = story.look(600.0)
    assert outcome.cause is Cause.RETURNING
    assert story.published == pytest.approx({"aws": 1, "azure": 44.31, "oci": 54.69}, abs=0.01)


def test_a_drill_splits_what_it_takes_as_a_fall_would() -> None:
    """Not by the shares that the price chose among all: of those, hardly any are left for one of the two."""
    three = (place("azure", 50, 0.087, 900), place("oci", 30, 0.0085, 600), place("aws", 20, 0.05, 900))
    free = limits(max_shift=WHOLE, max_changes=100)
    of = replace(policy(*three), demand=800.0, traffic=Traffic(50e3), cost=RULES, limits=free)

    def without_oci(*words: Override, **letters: str) -> dict[str, float]:
        story = Story(of)
        story.look()
        story.look(600.0)
        assert story.published == {"azure": 1, "oci": 75, "aws": 24}
        story.say(*words)
        for _ in range(3):
            story.look(10.0, **letters)
        return story.published

    word = Override("practice-00000001", Verb.PRACTICE, Scope(regions=("oci",)), "file", NOW, NOW + A_DAY)
    fallen = without_oci(oci="U")
    assert fallen == {"azure": 71.43, "aws": 28.57}
    assert without_oci(word) == fallen


def test_a_move_that_is_under_way_stops_where_it_is() -> None:
    story = begun(replace(TRIO, limits=limits(max_shift=1_000, shift_window=300.0, max_changes=100)))
    story.look(600.0)
    assert story.published == {"azure": 60, "oci": 40}
    story.look(300.0, aws="U")
    story.look(300.0)
    assert story.published == {"azure": 60, "oci": 40}
    assert dict(story.memory.saving.shares) == {"azure": 6_000, "oci": 4_000}
    story.look(600.0, aws="H")
    story.look(300.0)
    assert story.published == {"azure": 60, "oci": 40}
    story.look(A_DAY)
    assert story.published == {"azure": 50, "oci": 50}


def test_the_round_that_ends_an_incident_says_when_the_price_is_looked_at() -> None:
    story = begun()
    story.look(10.0, oci="?")
    outcome = story.look(10.0, oci="H")
    assert story.told(IncidentClosed)
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert outcome.until is not None
    story.look(outcome.until - story.now)
    assert story.published == MERIT


def test_while_a_word_is_in_force_price_is_not_looked_at() -> None:
    story = begun(TRIO)
    word = Override("drain-00000001", Verb.DRAIN, Scope(regions=("aws",)), "alice@bastion", NOW, NOW + 3_600)
    story.state = replace(story.state, overrides=(word,))
    story.look(600.0)
    story.look(600.0)
    assert story.published == {"azure": 70, "oci": 30}


def test_equal_inputs_give_equal_outputs() -> None:
    story = begun()
    story.now += 600.0
    assert same(story.asked(), story.asked())
    assert isinstance(story.asked().approved, Approved)


def test_who_would_not_remember_it_chooses_nothing() -> None:
    story = begun()
    story.estate = replace(story.estate, spare=None)
    assert story.look(A_DAY).kind is OutcomeKind.IN_SYNC
    assert story.memory.saving == Saving()


def test_one_that_fits_only_beside_others_is_bounded_by_what_they_leave() -> None:
    story = begun(replace(PRICED, data_in=None, cost=CostRules(save=500)))
    story.estate = Estate(story.estate.owner, as_it_is, spare={"azure": 900.0, "oci": 300.0})
    outcome = story.look(600.0)
    assert story.published == {"azure": 62.5, "oci": 37.5}
    assert outcome.cause is Cause.TUNING
    assert outcome.decision.target == TARGET
    assert sum(outcome.decision.shares.values()) == WHOLE


def test_price_is_looked_at_when_the_answer_has_stood_for_a_while() -> None:
    story = begun()
    outcome = story.look(60.0)
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert outcome.until == NOW + STOOD
    story.look(600.0, oci="U")
    story.look(60.0, oci="H")
    story.look(300.0)
    back = story.look(60.0)
    assert story.published == {"azure": 70, "oci": 30}
    assert back.cause is not Cause.TUNING
    story.look(STOOD)
    assert story.published == MERIT


# -- whatever happens --------------------------------------------------------------------------------------------------

EVENINGS = st.lists(
    st.tuples(st.sampled_from([1.0, 60.0, 700.0, A_DAY]), st.sampled_from(["azure", "oci", "aws"]), st.booleans()),
    max_size=8,
)


@given(EVENINGS)
@example([(1.0, "azure", False), (1.0, "oci", False), (1.0, "aws", False), (1.0, "azure", True)])
def test_no_price_moves_anything_on_a_day_that_is_not_calm(evening: list[tuple[float, str, bool]]) -> None:
    story = begun(replace(TRIO, limits=limits(max_shift=1_000, shift_window=300.0, max_changes=1_000)))
    for after, name, up in evening:
        saving = story.memory.saving
        outcome = story.look(after, **{name: "H" if up else "U"})
        ill = {each for each, letters in story.letters.items() if "U" in letters}
        if ill or story.state.incident is not None:
            assert story.memory.saving.at == saving.at
            assert not story.memory.saving.moving
        if outcome.decision.kind is DecisionKind.HOLD_COMMON_FALL:  # all fell together, and are back together, or soon
            assert outcome.until is not None
            assert outcome.until <= story.now + shown_within(story.policy)
        elif len(ill) < len(story.letters):
            assert not any(story.published.get(each) for each in ill)
    for each in story.letters:
        story.look(1.0, **{each: "H"})
    for _ in range(15):
        story.look(700.0)
    assert story.state.incident is None
    assert story.look(700.0).kind is OutcomeKind.IN_SYNC
