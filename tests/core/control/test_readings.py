"""What others measure: a figure moves what is decided, and never by being gone or absurd."""

from dataclasses import replace

import pytest
from support.scenes import NOW, policy, region
from support.stories import Story

from failoverd.core.control.readings import (
    FigureQuestion,
    FigureReading,
    FigureRole,
    asks,
    believed,
    factor,
    measured,
    taken,
)
from failoverd.core.control.signals import Signalled
from failoverd.core.measures import Load, Measure
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy

EVERY = 15.0
DEMAND = Measure('sum(rate(http_requests_total{service="api"}[5m]))', "main", declared=800)
FLOORED = replace(DEMAND, least=50)
CAPACITY = Measure('sum(slots{region="$region"})', "main", declared=900)
SERVICE = replace(policy(region("azure", 70, capacity=900), region("oci", 30, capacity=600)), demand=800)
COUNTED = replace(SERVICE, measure=DEMAND)
WHAT = FigureQuestion(FigureRole.DEMAND, "main", DEMAND.query, measure=DEMAND)


def reading(value: float, at: float = NOW, found: float | None = None) -> dict[str, FigureReading]:
    return {"demand": FigureReading(DEMAND.query, {"": value}, at, EVERY, found)}


def codes(reasons: tuple[Reason, ...]) -> list[ReasonCode]:
    return [reason.code for reason in reasons]


def test_a_policy_that_measures_nothing_is_as_it_is() -> None:
    assert measured(SERVICE, {}, NOW).policy is SERVICE


def test_until_anything_is_measured_the_declared_figure_counts() -> None:
    found = measured(COUNTED, {}, NOW)
    assert (found.policy.demand, codes(found.reasons), found.until) == (800, [ReasonCode.DECLARED], None)


@pytest.mark.parametrize(
    ("age", "demand", "code"),
    [
        (0, 500, ReasonCode.MEASURED),
        (44, 500, ReasonCode.MEASURED),
        (45, 500, ReasonCode.LAST_VALUE),
        (644, 500, ReasonCode.LAST_VALUE),
        (645, 800, ReasonCode.DECLARED),
        (1e9, 800, ReasonCode.DECLARED),
    ],
)
def test_a_figure_counts_for_three_scrapes_then_for_ten_minutes_and_then_the_declared_one_does(
    age: float, demand: float, code: ReasonCode
) -> None:
    found = measured(COUNTED, reading(500), NOW + age)
    assert (found.policy.demand, codes(found.reasons)) == (demand, [code])


def test_it_says_when_time_alone_changes_what_counts() -> None:
    assert measured(COUNTED, reading(500), NOW).until == NOW + 45
    assert measured(COUNTED, reading(500), NOW + 45).until == NOW + 645
    assert measured(COUNTED, reading(500), NOW + 645).until is None


def test_the_answer_to_another_query_says_nothing() -> None:
    edited = replace(COUNTED, measure=replace(DEMAND, query="sum(rate(others[5m]))"))
    assert measured(edited, reading(500), NOW).policy.demand == 800


def test_the_capacity_of_each_region_is_asked_for_by_its_name() -> None:
    service = replace(SERVICE, regions=tuple(replace(spec, measure=CAPACITY) for spec in SERVICE.regions))
    azure, oci = asks(service)
    assert (azure.query, oci.query) == ('sum(slots{region="azure"})', 'sum(slots{region="oci"})')
    now = {oci.key: FigureReading(oci.query, {"": 400.0}, NOW, EVERY)}
    assert [spec.capacity for spec in measured(service, now, NOW).policy.regions] == [900, 400]


@pytest.mark.parametrize(
    ("measure", "before", "found", "counts"),
    [
        (DEMAND, 800, 900, 900),
        (DEMAND, 800, 8_000, 1_600),  # a jump x10
        (DEMAND, 1_600, 8_000, 3_200),
        (DEMAND, 800, 80, 400),
        (DEMAND, 800, 0, None),  # never believed without a declared minimum
        (DEMAND, 800, -5, None),
        (FLOORED, 800, 0, 400),
        (FLOORED, 60, 0, 50),
        (FLOORED, 60, 20, 50),
        (FLOORED, 60, -5, None),
    ],
)
def test_a_jump_is_clipped_and_nothing_is_not_believed(
    measure: Measure, before: float, found: float, counts: float | None
) -> None:
    assert believed(measure, before, found) == counts


def test_what_is_clipped_is_told_with_what_was_measured() -> None:
    first = taken(WHAT, {}, {"": 8_000.0}, EVERY, NOW)
    assert first is not None
    assert (first.values[""], first.found) == (1_600, 8_000)
    (reason,) = measured(COUNTED, {WHAT.key: first}, NOW).reasons
    assert (reason.numbers["value"], reason.numbers["found"]) == (1_600, 8_000)
    second = taken(WHAT, {WHAT.key: first}, {"": 8_000.0}, EVERY, NOW + EVERY)
    assert second is not None
    assert second.values[""] == 3_200


# -- how full a region is ----------------------------------------------------------------------------------------------

QUEUE = Load("avg by (region) (queue_length)", "main", low=10, high=50)


@pytest.mark.parametrize(("load", "left"), [(0, 10_000), (10, 10_000), (30, 5_000), (50, 0), (500, 0)])
def test_room_shrinks_between_low_and_high(load: float, left: int) -> None:
    assert factor(QUEUE, load) == left


# -- in a decision -----------------------------------------------------------------------------------------------------


def story(service: Policy = COUNTED) -> Story:
    told = Story(service)
    told.look()
    return told


def test_the_decision_is_made_with_the_demand_that_is_measured() -> None:
    told = story()
    assert told.published == {"azure": 70, "oci": 30}
    told.state = replace(told.state, signalled=Signalled(reading(1_500)))  # 70 % of it is 1,050, and azure carries 900
    outcome = told.look(40)
    assert told.published == {"azure": 60, "oci": 40}
    assert codes(outcome.reasons)[0] is ReasonCode.MEASURED
    (full,) = [each for each in outcome.reasons if each.code is ReasonCode.CAPACITY]
    assert full.numbers["demand"] == 1_500


def test_a_figure_that_grows_old_moves_nothing_for_ten_minutes_and_the_round_is_called_for_by_then() -> None:
    told = story()
    told.state = replace(told.state, signalled=Signalled(reading(1_500)))
    assert told.look(40).until == NOW + 45
    assert told.look(10).until == NOW + 645
    told.look(594)
    assert told.published == {"azure": 60, "oci": 40}
    told.look(1)
    assert told.published == {"azure": 70, "oci": 30}  # by the declared one
