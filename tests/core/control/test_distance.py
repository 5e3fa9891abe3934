"""Only regions that are as near as the nearest get traffic: a filter with a band, which moves nothing on a bad day."""

from dataclasses import replace
from random import Random

import pytest
from support.scenes import PAIR, policy, region
from support.stories import Story
from support.sums import told

from failoverd.codec import dump, load
from failoverd.core.clients import still_old
from failoverd.core.control.claiming import claim, usual_claim
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.health.latency import LEAST_SAMPLES, Latencies
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import LatencyBand, Policy

HOUR = 3_600.0
BAND = LatencyBand(slack=0.02, leave=0.03, window=600.0)


def sized(demand: float, *regions: tuple[str, float, float]) -> Policy:
    base = replace(PAIR, demand=demand, latency=BAND)
    return policy(*(region(name, share, capacity=capacity) for name, share, capacity in regions), base=base)


FAR = "oci is too far away: connecting takes 120 ms, the nearest 10 ms + 30 ms"
ROOMY = sized(400, ("az", 50, 600), ("oci", 50, 600))


def begun(of: Policy, **latencies: float | None) -> Story:
    """A target that holds what its policy says, long since."""
    story = Story(of)
    story.latencies = dict(latencies)
    assert story.look().kind is OutcomeKind.WRITE
    return story


def codes(story: Story) -> set[ReasonCode]:
    return {reason.code for reason in story.asked().reasons}


# -- the band ----------------------------------------------------------------------------------------------------------


def test_a_region_that_becomes_too_far_away_leaves_and_comes_back_within_the_slack() -> None:
    story = begun(ROOMY, az=10, oci=12)
    shares = []
    for oci in (29, 39, 40, 41, 35, 31, 30, 25):
        story.latencies["oci"] = oci
        story.look(HOUR)
        shares.append(story.published.get("oci", 0))
    assert shares == [50, 50, 50, 0, 0, 0, 50, 50]


def test_it_leaves_as_tuning_and_says_so_with_its_numbers() -> None:
    story = begun(ROOMY, az=10, oci=120)
    outcome = story.look(HOUR)
    assert outcome.approved is not None
    assert outcome.approved.plan.cause is Cause.TUNING
    assert told(outcome.decision, ReasonCode.TOO_FAR) == [FAR]


def test_who_is_left_out_so_is_missing_on_a_normal_day() -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR)
    outcome = story.look(60.0)
    assert (outcome.kind, outcome.decision.kind) == (OutcomeKind.IN_SYNC, DecisionKind.NORMAL)


def test_only_regions_of_one_tier_are_compared() -> None:
    tiers = sized(400, ("az", 100, 600), ("oci", 0, 600))
    story = begun(tiers, az=120, oci=10)
    assert story.look(HOUR).kind is OutcomeKind.IN_SYNC
    assert ReasonCode.TOO_FAR not in codes(story)


# -- room --------------------------------------------------------------------------------------------------------------


def test_nobody_is_left_out_where_the_rest_would_have_too_little_room() -> None:
    story = begun(sized(800, ("az", 50, 600), ("oci", 50, 600)), az=10, oci=120)
    outcome = story.look(HOUR)
    assert story.published == {"az": 50, "oci": 50}
    assert told(outcome.decision, ReasonCode.FAR_KEPT) == [f"{FAR}; it stays: the others have too little room"]


def test_no_standby_joins_in_for_it() -> None:
    story = begun(sized(800, ("az", 50, 600), ("oci", 50, 600), ("aws", 0, 900)), az=10, oci=120, aws=10)
    story.look(HOUR)
    assert story.published == {"az": 50, "oci": 50}


def test_the_farthest_leaves_first_and_the_others_as_far_as_there_is_room() -> None:
    three = sized(800, ("az", 40, 600), ("oci", 30, 600), ("aws", 30, 600))
    story = begun(three, az=10, oci=120, aws=90)
    story.look(HOUR)
    assert story.published == pytest.approx({"az": 57.14, "aws": 42.86}, abs=0.01)
    assert {ReasonCode.TOO_FAR, ReasonCode.FAR_KEPT} <= codes(story)


@pytest.mark.parametrize(
    "of",
    [replace(ROOMY, demand=None), policy(region("az", 50), region("oci", 50), base=ROOMY)],
    ids=["no demand", "no capacity"],
)
def test_nobody_is_left_out_where_it_is_not_known_what_the_others_can_carry(of: Policy) -> None:
    story = begun(of, az=10, oci=120)
    story.look(HOUR)
    assert story.published == {"az": 50, "oci": 50}
    assert ReasonCode.FAR_KEPT in codes(story)


def test_the_least_number_of_regions_stays() -> None:
    story = begun(replace(ROOMY, limits=replace(ROOMY.limits, min_regions=2)), az=10, oci=120)
    outcome = story.look(HOUR)
    assert story.published == {"az": 50, "oci": 50}
    assert [reason.rule for reason in outcome.reasons if reason.code is ReasonCode.FAR_KEPT] == ["limits.min_regions"]


def test_who_is_left_out_is_in_again_as_soon_as_its_room_is_needed() -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR)
    assert story.published == {"az": 100}
    story.edited(replace(story.policy, demand=800.0))
    story.look(60.0)
    assert story.published == {"az": 50, "oci": 50}


def test_the_estate_knows_who_is_left_out_and_may_be_drawn_upon_all_the_same() -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR)
    found = claim(ROOMY, story.seen(), story.now)
    assert found is not None
    assert [[draw.region for draw in level] for level in found.levels] == [["az"], ["oci"]]


def test_so_it_is_on_a_day_on_which_nothing_is_wrong() -> None:
    story = begun(ROOMY, az=10, oci=120)
    near = usual_claim(ROOMY, story.state)
    story.look(HOUR)
    far = usual_claim(ROOMY, story.state)
    assert near is not None
    assert far is not None
    assert [{draw.region for draw in level} for level in near.levels] == [{"az", "oci"}]
    assert [{draw.region for draw in level} for level in far.levels] == [{"az"}, {"oci"}]


# -- bad days ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", [{"az": "U"}, {"az": "D"}, {"oci": "D"}])
def test_while_a_region_is_ill_nobody_is_left_out(letters: dict[str, str]) -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR)
    assert story.published == {"az": 100}
    story.look(60.0, **letters)
    assert story.published.get("oci", 0) > 0
    assert ReasonCode.TOO_FAR not in codes(story)


def test_afterwards_everybody_has_to_be_well_for_a_window_first() -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR, az="D")
    story.look(60.0, az="H")
    story.look(590.0)
    assert story.published == {"az": 50, "oci": 50}
    story.look(20.0)
    assert story.published == {"az": 100}


def test_in_an_incident_nobody_is_left_out_who_was_not_before() -> None:
    pairs = policy(
        region("az", 50, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", capacity=900),
        region("oci", 50, "198.51.100.1", capacity=600),
        base=ROOMY,
    )
    story = begun(pairs, az=10, oci=12)
    story.look(HOUR, az="HHHU")
    story.latencies["oci"] = 120
    story.look(HOUR)
    assert story.state.incident is not None
    assert story.published == {"az": 50, "oci": 50}
    before = begun(pairs, az=10, oci=120)
    before.look(HOUR)
    before.look(60.0, az="HHHU")
    assert before.published == {"az": 100}  # one endpoint of four is no reason to send people far away


@pytest.mark.parametrize("after", [0.0, 2 * BAND.window])
def test_the_round_that_ends_an_incident_says_when_who_is_too_far_away_leaves(after: float) -> None:
    """At once, if everybody was well for a window by then."""
    story = begun(ROOMY, az=10, oci=12)
    story.look(HOUR, az="?")
    story.latencies["oci"] = 120
    story.now += 1.0
    story.seen(az="H")
    outcome = story.look(after)
    assert story.state.incident is None
    assert outcome.kind is OutcomeKind.IN_SYNC
    assert story.published == {"az": 50, "oci": 50}
    assert outcome.until == max(story.now, story.now - after + BAND.window)
    story.look(outcome.until - story.now)
    assert story.published == {"az": 100}


def test_a_region_that_is_lost_from_sight_brings_nobody_back() -> None:
    three = sized(300, ("az", 40, 600), ("oci", 30, 600), ("aws", 30, 600))
    story = begun(three, az=10, oci=120, aws=10)
    story.look(HOUR)
    before = story.published
    assert "oci" not in before
    story.look(60.0, aws="?")
    assert story.published == before


# -- what is not measured ----------------------------------------------------------------------------------------------


def test_where_nothing_is_measured_nobody_is_left_out() -> None:
    story = begun(ROOMY, az=10, oci=None)
    assert story.look(HOUR).kind is OutcomeKind.IN_SYNC


def test_a_restart_brings_nobody_back_before_it_could_be_measured_anew() -> None:
    story = begun(ROOMY, az=10, oci=120)
    story.look(HOUR)
    story.state = load(PolicyState, dump(story.state))
    story.regions, story.latencies = {}, {}
    outcome = story.look(60.0)
    assert story.published == {"az": 100}
    assert "oci was too far away, and is measured anew until " in told(outcome.decision, ReasonCode.TOO_FAR)[0]
    assert outcome.until == story.now + BAND.window
    story.look(BAND.window)
    assert story.published == {"az": 50, "oci": 50}


def test_a_region_that_comes_back_so_waits_for_no_person() -> None:
    story = begun(replace(ROOMY, failback_after=None), az=10, oci=120)
    story.look(HOUR)
    story.latencies["oci"] = 15
    story.look(HOUR)
    assert story.published == {"az": 50, "oci": 50}


def test_one_that_falls_while_it_is_left_out_comes_back_like_any_other() -> None:
    story = begun(replace(ROOMY, failback_after=None), az=10, oci=120)
    story.look(HOUR)
    story.look(60.0, oci="U")
    story.latencies["oci"] = 15
    story.look(60.0, oci="H")
    story.look(HOUR)
    assert story.published == {"az": 100}
    assert ReasonCode.FAILBACK_MANUAL in codes(story)


# -- no oscillation ----------------------------------------------------------------------------------------------------


class _Loop:
    """Two regions that become slower with their load (M/M/1), clients that follow the answer with a lag, and probes.

    The probes here measure what users would see, queues and all: worse than what is measured really, which is a
    connection alone.
    """

    RATE = 600.0

    def __init__(self, demand: float, bases: tuple[float, float], noise: float = 0.0) -> None:
        self.story = begun(sized(demand, ("az", 50, self.RATE), ("oci", 50, self.RATE)))
        self.demand, self.noise, self.random = demand, noise, Random(7)  # noqa: S311 - the same dice each time
        self.bases = dict(zip(("az", "oci"), bases, strict=True))
        self.loads = dict.fromkeys(self.bases, demand / 2)
        self.measured = {name: Latencies(BAND.window) for name in self.bases}
        self.was, self.answer, self.moved_at = self.loads, self.loads, self.story.now
        self.changes, self.worst = 0, 0.0

    def run(self, seconds: float, step: float = 30.0) -> None:
        for _ in range(int(seconds / step)):
            now = self.story.now + step
            left = still_old(now - self.moved_at, 30)
            self.loads = {name: left * self.was[name] + (1 - left) * self.answer[name] for name in self.bases}
            for name, load_now in self.loads.items():
                queue = 1 / max(self.RATE - load_now, 0.5)
                self.worst = max(self.worst, queue)
                for _ in range(6):  # two endpoints, every 10 s
                    took = self.bases[name] + queue * self.random.expovariate(1.0)
                    self.measured[name].note(took + self.random.uniform(0, self.noise), now)
                median = self.measured[name].median(now)
                self.story.latencies[name] = median * 1_000 if median is not None else None
            self.story.look(step)
            wanted = {name: self.story.published.get(name, 0) / 100 * self.demand for name in self.bases}
            if wanted != pytest.approx(self.answer):
                self.changes, self.moved_at = self.changes + 1, now
                self.was, self.answer = dict(self.loads), wanted


@pytest.mark.parametrize(
    ("demand", "bases", "most"),
    [
        (800, (0.010, 0.045), 0),  # it would not fit into the nearer one: nobody wins
        (400, (0.010, 0.020), 0),  # within the slack
        (400, (0.010, 0.038), 0),  # inside of the band
        (400, (0.010, 0.045), 1),  # too far: it leaves, and stays away
        (520, (0.010, 0.045), 1),
    ],
)
def test_a_closed_loop_does_not_swing(demand: float, bases: tuple[float, float], most: int) -> None:
    loop = _Loop(demand, bases, noise=0.004)
    loop.run(2 * HOUR)
    assert loop.changes <= most
    assert loop.worst <= 0.18


def test_a_latency_that_wanders_across_the_bounds_moves_traffic_once_an_hour_at_most() -> None:
    loop = _Loop(400, (0.010, 0.045))
    for hour in range(4):
        loop.bases["oci"] = 0.045 if hour % 2 == 0 else 0.020
        loop.run(HOUR)
    assert loop.changes <= 4


# -- the median --------------------------------------------------------------------------------------------------------


def test_a_median_is_right_to_within_a_hundredth_and_forgets_after_the_window() -> None:
    random, measured = Random(3), Latencies(600.0)  # noqa: S311 - the same dice each time
    times = [random.lognormvariate(-4, 0.5) for _ in range(2_001)]
    for place, took in enumerate(times):
        measured.note(took, place * 0.25)
    assert measured.median(500.0) == pytest.approx(sorted(times)[1_000], rel=0.011)
    assert measured.median(1_200.0) is None


def test_a_few_times_are_no_median() -> None:
    measured = Latencies(600.0)
    for place in range(LEAST_SAMPLES - 1):
        measured.note(0.01, float(place))
    assert measured.median(20.0) is None
    measured.note(0.01, 20.0)
    assert measured.median(20.0) == pytest.approx(0.01, rel=0.011)


def test_what_is_kept_is_bounded_whatever_is_measured() -> None:
    random, measured = Random(5), Latencies(600.0)  # noqa: S311 - the same dice each time
    for place in range(20_000):
        measured.note(10 ** random.uniform(-9, 9), place * 0.01)
    assert len(measured._all) < 800
