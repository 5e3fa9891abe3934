"""Regions that say that they are full: what they get then, when they are tried with more, and what moves nothing."""

from dataclasses import replace

import pytest
from support.scenes import NOW, policy, region
from support.stories import Story
from support.sums import found, redone

from failoverd import codec
from failoverd.core.control.claiming import claim
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.readings import FigureReading, asks, taken
from failoverd.core.control.relieving import FORGOTTEN, SETTLED
from failoverd.core.control.signals import Signalled
from failoverd.core.control.state import PolicyState
from failoverd.core.measures import Load, Signals
from failoverd.core.reasons import Cause, Reason, ReasonCode
from failoverd.core.records import WHOLE, Policy
from failoverd.telemetry.phrases import moment
from failoverd.telemetry.reasoning import words

EVERY = 15.0
QUEUE = Load("avg by (region) (queue_length)", "main", low=10, high=50)
SERVICE = replace(
    policy(region("azure", 70, capacity=900), region("oci", 30, capacity=900)),
    demand=800,
    signals=Signals(room=QUEUE),
)


class Queues(Story):
    """A story in which somebody measures how long the queues are."""

    def measured(self, after: float = 0.0, **loads: float) -> Outcome:
        self.now += after
        reading = FigureReading(QUEUE.query, loads, self.now, EVERY)
        self.state = replace(self.state, signalled=Signalled({"load": reading}))
        return self.look()

    def azure(self, after: float, load: float) -> float:
        """What azure has, once its queue was so long for so many seconds, and that of the other short."""
        then = self.now + after
        while self.now + EVERY <= then:
            self.measured(EVERY, azure=load, oci=1)
        return round(self.published["azure"], 1)


def begun_with(of: Policy) -> Queues:
    story = Queues(of)
    story.look()
    story.measured(60, azure=1, oci=1)
    return story


def begun() -> Queues:
    story = begun_with(SERVICE)
    assert story.published == {"azure": 70, "oci": 30}
    return story


# -- it gets less ------------------------------------------------------------------------------------------------------


def test_a_full_region_gets_what_the_signal_leaves_it() -> None:
    """Halfway between low and high: 450 of 900, and 800 are asked for."""
    story = begun()
    outcome = story.measured(15, azure=30, oci=1)
    assert story.published == {"azure": 56.25, "oci": 43.75}
    assert outcome.cause is Cause.TUNING
    assert redone(outcome.decision) == pytest.approx(story.published)
    (reason,) = found(outcome.decision, ReasonCode.LOADED)
    assert reason.numbers == {"load": 30, "low": 10, "high": 50, "room": 5_000}


def test_it_gets_half_of_what_it_has_at_least() -> None:
    """A queue says that more comes than leaves, and nothing of how much could come."""
    story = begun()
    story.measured(15, azure=500, oci=1)
    assert story.published == {"azure": 35, "oci": 65}


def test_one_that_is_overloaded_many_times_has_no_more_than_all_of_its_room() -> None:
    tiny = policy(region("azure", 100, capacity=10), region("oci", 0, capacity=10))
    story = begun_with(replace(tiny, demand=800, signals=Signals(room=QUEUE)))
    outcome = story.measured(15, azure=500, oci=1)
    assert story.memory.reliefs["azure"].room == WHOLE
    assert redone(outcome.decision) == pytest.approx(story.published, abs=0.02)


def test_what_fits_into_what_is_left_takes_nothing_away() -> None:
    story = begun()
    assert story.measured(15, azure=14, oci=1).kind is OutcomeKind.IN_SYNC  # nine tenths of 900 are 810


@pytest.mark.parametrize("loads", [{"azure": 40, "oci": 30}, {"azure": 40}])
def test_where_nobody_else_is_known_to_have_room_nothing_is_shed(loads: dict[str, float]) -> None:
    outcome = begun().measured(15, **loads)
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert found(outcome.decision, ReasonCode.LOADED_ALIKE)


def test_it_is_not_taken_from_again_before_that_shows_and_not_while_its_queue_becomes_shorter() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    assert story.azure(45, 200) == 35  # the queue still grows while the traffic leaves
    for load in (190, 150, 120, 90):
        story.measured(15, azure=load, oci=1)
        assert story.published["azure"] == 35


def test_it_is_where_the_queue_is_as_long_as_before() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    assert story.azure(60, 60) == 17.5


def test_one_whose_queue_never_ends_becoming_shorter_is_taken_from_again_after_five_minutes() -> None:
    story = begun()
    story.measured(15, azure=900, oci=1)
    for second in range(1, 21):
        story.measured(15, azure=900 - second, oci=1)
    assert story.published["azure"] == pytest.approx(17.5, abs=0.02)


@pytest.mark.parametrize("query", [QUEUE.query, 'queue{region="$region"}'])
def test_it_says_since_when_it_is_full_and_from_which_query(query: str) -> None:
    signal = replace(QUEUE, query=query)
    story = Queues(replace(SERVICE, signals=Signals(room=signal)))
    story.look()

    def look(after: float, **loads: float) -> list[Reason]:
        story.now += after
        known = dict(story.state.signalled.readings)
        for ask in asks(story.policy):
            values = {"": loads[ask.region]} if ask.region else loads
            reading = taken(ask, known, values, EVERY, story.now)
            assert reading is not None
            known[ask.key] = reading
        story.state = replace(story.state, signalled=Signalled(known))
        return found(story.look().decision, ReasonCode.LOADED)

    assert look(15, azure=10, oci=5) == []
    assert look(15, azure=11, oci=5) == []  # what fits into what is left takes nothing away
    began = story.now
    (full,) = look(15, azure=30, oci=5)
    asked = query.replace("$region", "azure")
    assert (full.numbers["since"], full.named) == (began, ("main", asked))
    assert words(full).endswith(f"nothing left at 50), since {moment(began)} (signals.room, which asks main: {asked})")
    (full,) = look(900, azure=30, oci=5)
    assert full.numbers["since"] == story.now, "for a quarter of an hour nobody said so"


# -- and more ----------------------------------------------------------------------------------------------------------


def test_it_is_tried_with_half_of_the_way_every_five_minutes_and_with_all_of_it_after_an_hour() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    assert story.azure(SETTLED, 1) == 35
    assert story.azure(15, 1) == 52.5
    assert story.azure(SETTLED, 1) == 61.2
    assert story.azure(SETTLED * 3, 1) == 61.2  # half of the rest is not worth a change
    assert story.azure(FORGOTTEN, 1) == 70
    assert story.azure(FORGOTTEN, 1) == 70
    assert story.memory.reliefs == {}


def test_one_that_is_full_again_has_what_it_was_well_with() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    assert story.azure(SETTLED + 15, 1) == 52.5
    assert story.azure(SETTLED + 15, 1) == 61.2
    assert story.azure(60, 60) == 52.5
    assert story.azure(3_000, 1) == 52.5


def test_what_it_was_well_with_counts_no_more_once_it_is_full_with_that() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    assert story.azure(SETTLED + 15, 1) == 52.5
    assert story.azure(SETTLED + 15, 1) == 61.2
    assert story.azure(60, 60) == 52.5
    assert story.azure(60, 60) == 26.2


# -- what moves nothing ------------------------------------------------------------------------------------------------


def test_a_load_that_is_lost_leaves_everything_as_it_is() -> None:
    """Prometheus is killed while a region is full: nobody knows whether it still is."""
    story = begun()
    story.measured(15, azure=60, oci=1)
    shares = story.published
    for _ in range(240):
        outcome = story.look(60)
        assert (outcome.kind, story.published) == (OutcomeKind.IN_SYNC, shares)
    assert outcome.until is None
    (reason,) = found(outcome.decision, ReasonCode.LOADED)
    assert "load" not in reason.numbers
    assert story.azure(SETTLED + 30, 1) == 52.5


def test_a_load_that_was_never_known_takes_nothing_away() -> None:
    story = Queues(SERVICE)
    story.look()
    story.state = replace(story.state, signalled=Signalled({"load": FigureReading("other", {"azure": 60}, NOW, EVERY)}))
    assert story.look(60).kind is OutcomeKind.IN_SYNC


def test_when_all_are_full_nobody_gets_back_what_he_gave_away() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    story.measured(15, azure=60, oci=60)
    assert story.published == {"azure": 35, "oci": 65}


def test_it_takes_over_all_the_same_when_the_others_fail() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    story.look(15, oci="U")
    assert story.published == {"azure": 100}


def test_the_estate_knows_what_it_gets_and_a_restart_goes_on_with_it() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    found_of = claim(story.policy, story.seen(), story.now)
    assert found_of is not None
    assert {draw.region: round(draw.most) for level in found_of.levels for draw in level} == {"azure": 280, "oci": 800}
    story.state = codec.load(PolicyState, codec.dump(story.state))
    assert story.measured(15, azure=1, oci=1).kind is OutcomeKind.IN_SYNC


def test_a_policy_that_asks_no_more_forgets_it() -> None:
    story = begun()
    story.measured(15, azure=60, oci=1)
    story.edited(replace(SERVICE, signals=Signals()))
    story.look(60)
    assert story.published == {"azure": 70, "oci": 30}
    assert story.memory.reliefs == {}
