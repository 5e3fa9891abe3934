"""Errors and alerts as a cause: the numbers of a burn, what moves, and what never does."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.scenes import NOW, policy, region
from support.stories import Story
from support.sums import redone

from failoverd import codec
from failoverd.core.control import progress
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.readings import FigureReading, window
from failoverd.core.control.signals import Burn, BurnFinding, Signalled, accused, judged, news, time_to_fire, wilson
from failoverd.core.health.region import RegionState
from failoverd.core.measures import ErrorBudget, May, Signals
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import Policy, WhenDegraded
from failoverd.telemetry.phrases import moment
from failoverd.telemetry.reasoning import words

EVERY = 5.0
ERRORS = "sum by (region) (rate(errors[$window])) / sum by (region) (rate(requests[$window]))"
REQUESTS = "sum by (region) (increase(requests[$window]))"
BUDGET = ErrorBudget(ERRORS, REQUESTS, "main")
MANY = 1e9
"""Requests of which a ratio is certain."""

THREE = policy(region("azure", 50), region("oci", 30), region("aws", 20))
SERVICE = replace(THREE, signals=Signals(errors=BUDGET))


def service(**said: object) -> Policy:
    return replace(SERVICE, signals=Signals(errors=replace(BUDGET, **said)))  # type: ignore[arg-type]  # a test says


def readings(
    errors: Mapping[str, float],
    requests: Mapping[str, float] | float = MANY,
    lately: Mapping[str, float] | None = None,
    at: float = NOW,
    budget: ErrorBudget = BUDGET,
) -> dict[str, FigureReading]:
    """What Prometheus says of each region: the same part of errors in both windows, unless it is said otherwise."""
    counts = requests if isinstance(requests, Mapping) else dict.fromkeys(errors, requests)
    long, short = (text.replace("$window", window(budget.over)) for text in (ERRORS, REQUESTS))
    now = ERRORS.replace("$window", window(budget.short))
    return {
        "errors": FigureReading(long, dict(errors), at, EVERY),
        "errors_now": FigureReading(now, dict(lately if lately is not None else errors), at, EVERY),
        "requests": FigureReading(short, counts, at, EVERY),
    }


def found(of: Policy = SERVICE, down: frozenset[str] = frozenset(), at: float = NOW, **errors: float) -> list[str]:
    """What is found of each region with so many percent of errors."""
    parts = {name: percent / 100 for name, percent in errors.items()}
    burns = judged(of, Signalled(), readings(parts), down, at).burns
    return [str(burns[spec.name].found) for spec in of.regions]


# -- the numbers -------------------------------------------------------------------------------------------------------


def test_few_requests_prove_little() -> None:
    assert wilson(1 / 5, 5) == pytest.approx(0.036, abs=5e-4)
    assert wilson(120 / 1_000, 1_000) == pytest.approx(0.101, abs=5e-4)


@pytest.mark.parametrize(
    ("burn", "over", "errors", "minutes"),
    [(100, 300, 1.0, 0.5), (100, 300, 0.3, 1.7), (100, 300, 0.1, 5.0), (30, 600, 0.05, 6.0)],
)
def test_the_time_until_it_shows(burn: float, over: float, errors: float, minutes: float) -> None:
    needed = time_to_fire(replace(BUDGET, burn=burn, over=over), errors)
    assert needed is not None
    assert needed / 60 == pytest.approx(minutes, abs=0.05)


def test_fewer_errors_than_the_budget_allows_never_show() -> None:
    assert time_to_fire(BUDGET, 0.09) is None


@pytest.mark.parametrize(("burn", "over", "errors"), [(100, 300, 1.0), (100, 300, 0.3), (30, 600, 0.05)])
def test_it_shows_at_that_time(burn: float, over: float, errors: float) -> None:
    """The long window fills with errors second by second; before, there was none."""
    budget = replace(BUDGET, burn=burn, over=over)
    of, expected = service(burn=burn, over=over), time_to_fire(budget, errors)
    assert expected is not None

    def at(second: float) -> BurnFinding:
        parts = {"azure": errors * min(second, over) / over, "oci": 0.0, "aws": 0.0}
        lately = {"azure": errors * min(second, budget.short) / budget.short, "oci": 0.0, "aws": 0.0}
        burns = judged(of, Signalled(), readings(parts, lately=lately, budget=budget), frozenset(), NOW).burns
        return burns["azure"].found

    assert [at(expected - 1), at(expected + 1)] == [BurnFinding.WELL, BurnFinding.DEGRADED]


# -- which region ------------------------------------------------------------------------------------------------------


def test_a_region_that_makes_errors_alone_is_degraded() -> None:
    assert found(azure=15, oci=0.1, aws=0.2) == ["degraded", "well", "well"]


def test_it_is_down_where_the_policy_allows_that() -> None:
    assert found(service(may=May.DOWN), azure=15, oci=0.1, aws=0.2) == ["down", "well", "well"]
    assert found(service(may=May.DOWN, burn=30), azure=15, oci=0.1, aws=0.2) == ["degraded", "well", "well"]


def test_a_bad_deploy_is_the_same_everywhere() -> None:
    assert found(azure=12, oci=11, aws=13) == ["same", "same", "same"]


def test_three_times_the_median_of_the_others_is_its_own() -> None:
    assert found(azure=33, oci=11, aws=11) == ["degraded", "same", "same"]
    assert found(azure=32.9, oci=11, aws=11) == ["same", "same", "same"]


def test_who_is_down_is_no_measure_for_the_others() -> None:
    assert found(azure=40, oci=100, aws=0)[0] == "same"
    assert found(down=frozenset({"oci"}), azure=40, oci=100, aws=0)[0] == "degraded"


def test_alone_nobody_can_tell_whose_fault_it_is() -> None:
    assert found(azure=100)[0] == "not_compared"


def test_what_is_over_is_no_cause() -> None:
    over = readings({"azure": 0.5, "oci": 0.0, "aws": 0.0}, lately={"azure": 0.0, "oci": 0.0, "aws": 0.0})
    assert judged(SERVICE, Signalled(), over, frozenset(), NOW).burns["azure"].found is BurnFinding.WELL


@pytest.mark.parametrize(("requests", "finding"), [(99, "unknown"), (100, "well"), (1_000, "degraded")])
def test_at_least_a_hundred_requests_and_what_they_prove(requests: float, finding: str) -> None:
    """12 of 100 are 7 % at least, 120 of 1,000 are 10.1 %."""
    few = readings({"azure": 0.12, "oci": 0.0, "aws": 0.0}, {"azure": requests, "oci": MANY, "aws": MANY})
    assert judged(SERVICE, Signalled(), few, frozenset(), NOW).burns["azure"].found == finding


@pytest.mark.parametrize("at", [NOW + 15, NOW + 1e6])
def test_what_is_old_is_not_known(at: float) -> None:
    assert found(at=at, azure=100, oci=0, aws=0) == ["unknown"] * 3


def test_what_is_no_ratio_is_not_known() -> None:
    assert found(azure=10_000, oci=0, aws=0)[0] == "unknown"


@pytest.mark.parametrize("missing", ["errors", "errors_now", "requests"])
def test_where_one_answer_is_missing_nothing_is_known(missing: str) -> None:
    some = readings({"azure": 1.0, "oci": 0.0, "aws": 0.0})
    del some[missing]
    assert {burn.found for burn in judged(SERVICE, Signalled(), some, frozenset(), NOW).burns.values()} == {"unknown"}


def test_a_query_for_each_region_is_the_same() -> None:
    ratio = ERRORS.replace("sum by (region)", "sum").replace("[$window]", '{region="$region"}[$window]')
    of = service(errors=ratio)
    some = readings({"azure": 0.0, "oci": 0.0, "aws": 0.0})
    for role, seconds in (("errors", 300), ("errors_now", 25)):
        del some[role]
        for name, part in (("azure", 0.4), ("oci", 0.0), ("aws", 0.0)):
            asked = ratio.replace("$region", name).replace("$window", f"{seconds}s")
            some[f"{role}/{name}"] = FigureReading(asked, {"": part}, NOW, EVERY)
    assert judged(of, Signalled(), some, frozenset(), NOW).burns["azure"].found is BurnFinding.DEGRADED


# -- what moves --------------------------------------------------------------------------------------------------------


class Watched(Story):
    """A story in which somebody measures, too."""

    def measured(self, after: float = 0.0, **errors: float) -> None:
        """So many percent of errors in each region."""
        self.now += after
        parts = {name: percent / 100 for name, percent in errors.items()}
        self.take(readings(parts, at=self.now))

    def unanswered(self, after: float) -> None:
        """Nobody answers: what was read last is all that there is."""
        self.now += after
        self.take(self.state.signalled.readings)

    def take(self, found: Mapping[str, FigureReading]) -> None:
        down = frozenset(name for name, health in self.regions.items() if health.state is RegionState.DOWN)
        before = self.state.signalled
        after_it = judged(self.policy, before, found, down, self.now)
        self.events += news(self.policy, before, after_it, self.now)
        self.state = replace(self.state, signalled=after_it)

    def said(self, *words: Override) -> None:
        self.state = replace(self.state, overrides=words)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events if event.name.startswith("signal.")]


def watched(of: Policy = SERVICE) -> Watched:
    told = Watched(of)
    told.look()
    told.measured(60, azure=0, oci=0, aws=0)
    told.look()
    return told


def test_a_degraded_region_pulls_half_and_the_move_is_tuning() -> None:
    told = watched()
    told.measured(5, azure=15, oci=0, aws=0)
    outcome = told.look()
    assert outcome.cause is Cause.TUNING
    assert told.published == {"azure": 33.33, "oci": 40, "aws": 26.67}  # 25 : 30 : 20
    assert outcome.reasons[0].code is ReasonCode.BURNING
    assert told.names == ["signal.fired"]


def test_a_region_that_is_down_by_its_errors_is_left_at_once_and_comes_back_by_failback() -> None:
    told = watched(service(may=May.DOWN))
    told.measured(5, azure=15, oci=0, aws=0)
    assert told.look().cause is Cause.FAILING_OUT
    assert told.published == {"oci": 60, "aws": 40}
    told.measured(5, oci=0, aws=0)  # no traffic, no errors, and nothing is known
    told.look()
    told.measured(290, oci=0, aws=0)
    told.look()
    assert told.published == {"oci": 60, "aws": 40}
    told.measured(10, oci=0, aws=0)
    told.look()
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}
    assert told.names == ["signal.fired", "signal.cleared"]


def test_a_bad_deploy_moves_nothing_and_is_told() -> None:
    told = watched()
    shares = told.published
    told.measured(5, azure=12, oci=11, aws=13)
    outcome = told.look()
    assert (outcome.kind, told.published) == (OutcomeKind.IN_SYNC, shares)
    assert [each.code for each in outcome.reasons[:3]] == [ReasonCode.SAME_EVERYWHERE] * 3
    assert told.names == ["signal.shared"] * 3


def test_blind_data_never_moves() -> None:
    """Prometheus is killed while a region burns: what it said last is no cause any more."""
    told = watched(service(may=May.DOWN))
    told.measured(5, azure=100, oci=0, aws=0)
    told.now += 15  # nobody looked in time, and nothing came since
    assert told.look().kind is OutcomeKind.IN_SYNC


@pytest.mark.parametrize("may", [May.DEGRADED, May.DOWN])
def test_blind_data_brings_nothing_back(may: May) -> None:
    """Prometheus is killed after a region left because it burnt: nobody knows whether it still does."""
    told = watched(service(may=may))
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    shares = told.published
    assert shares.get("azure", 0) < 50
    for _ in range(60):
        told.unanswered(60)
        outcome = told.look()
        assert told.published == shares
    assert ReasonCode.UNMEASURED in {each.code for each in outcome.reasons}
    assert redone(outcome.decision) == pytest.approx(shares, abs=0.01)
    assert told.names == ["signal.fired"]
    told.measured(60, azure=0, oci=0, aws=0)
    told.look()
    told.look(300)
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


def test_what_burns_and_is_lost_from_sight_keeps_what_it_has_until_the_others_cannot_carry_the_rest() -> None:
    capable = (region(name, share, capacity=100) for name, share in (("azure", 50), ("oci", 30), ("aws", 20)))
    told = watched(replace(policy(*capable), demand=150.0, signals=SERVICE.signals))
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    assert told.published["azure"] == 33.33
    told.unanswered(60)
    assert told.look().kind is OutcomeKind.IN_SYNC
    told.look(1, aws="U")
    assert told.published == {"azure": 50, "oci": 50} or told.published["azure"] > 33.33
    told.unanswered(60)
    assert told.look(1).kind is OutcomeKind.IN_SYNC


def test_one_that_is_down_by_its_errors_is_let_in_when_nobody_else_serves_though_nobody_measures() -> None:
    told = watched(service(may=May.DOWN))
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    told.unanswered(60)
    told.look()
    told.look(60, oci="U", aws="U")
    assert told.published == {"azure": 100}


def test_a_person_brings_back_what_nobody_measures_any_more() -> None:
    told = watched(service(may=May.DOWN))
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    told.unanswered(600)
    told.look()
    assert "azure" not in told.published
    told.said(word(Verb.UP, Scope(endpoints=("azure/*",)), told.now))
    told.look(1)
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


@pytest.mark.parametrize("lost", ["errors", "errors_now"])
def test_a_region_that_has_requests_and_whose_ratio_is_gone_is_lost_from_sight(lost: str) -> None:
    told = watched()
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    shares = told.published
    told.now += 5
    some = readings({"azure": 0.15, "oci": 0.0, "aws": 0.0}, at=told.now)
    some[lost] = replace(some[lost], values={"oci": 0.0, "aws": 0.0})
    told.take(some)
    told.look()
    assert told.state.signalled.burns["azure"].found is BurnFinding.DEGRADED
    told.now += 60
    some = {key: replace(reading, at=told.now) for key, reading in some.items()}
    told.take(some)
    told.look()
    assert told.published == shares


def test_a_region_that_is_out_for_its_errors_waits_for_its_hold_before_it_is_tried_again() -> None:
    """Without traffic it makes no errors, and nobody calls it ill: it was ill until now all the same."""
    told = watched(replace(SERVICE, degraded=WhenDegraded.OUT))
    told.measured(5, azure=15, oci=0, aws=0)
    told.look()
    assert told.published == {"oci": 60, "aws": 40}
    told.measured(5, oci=0, aws=0)
    told.look()
    told.measured(290, oci=0, aws=0)
    told.look()
    assert told.published == {"oci": 60, "aws": 40}
    told.measured(10, oci=0, aws=0)
    told.look()
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


def test_the_last_region_that_serves_is_never_taken_away() -> None:
    told = watched(service(may=May.DOWN))
    told.look(10, oci="U", aws="U")
    told.measured(5, azure=100, oci=0, aws=0)
    outcome = told.look()
    assert told.published == {"azure": 100}
    assert told.state.signalled.burns["azure"].found in {BurnFinding.NOT_COMPARED, BurnFinding.SAME}
    assert outcome.kind is OutcomeKind.IN_SYNC


def test_a_person_who_calls_it_up_counts_more() -> None:
    told = watched(service(may=May.DOWN))
    told.said(word(Verb.UP, Scope(endpoints=("azure/*",)), told.now))
    told.measured(5, azure=100, oci=0, aws=0)
    told.look()
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


def test_whom_it_calls_ill_is_an_incident_while_that_is_known_and_nobody_knows_better() -> None:
    told = watched()
    told.measured(5, azure=15, oci=0, aws=0)
    signalled, now = told.state.signalled, told.now
    assert accused(SERVICE, signalled, (), (), now) == {
        "azure": "azure has 150 times the errors that its service level allows"
    }
    up = word(Verb.UP, Scope(endpoints=("azure/*",)), now)
    assert accused(SERVICE, signalled, (up,), (), now) == {}
    assert accused(SERVICE, signalled, (), ("azure",), now) == {}, "it is drained"
    assert accused(SERVICE, signalled, (), (), now + 60) == {}, "blind"
    assert accused(THREE, signalled, (), (), now) == {}, "the file asks for no errors any more"
    shared = judged(SERVICE, signalled, readings({"azure": 0.12, "oci": 0.11, "aws": 0.13}, at=now), frozenset(), now)
    assert accused(SERVICE, shared, (), (), now) == {}, "it is the same everywhere"


def test_an_incident_lasts_for_as_long_as_a_signal_calls_a_region_ill_though_nothing_moves() -> None:
    told = watched(replace(SERVICE, regions=tuple(replace(each, capacity=1e3) for each in THREE.regions), demand=900.0))
    told.measured(5, azure=15, oci=0, aws=0)
    told.state, _ = progress.opened(told.policy, told.state, "errors", told.now)
    assert told.look().kind is OutcomeKind.IN_SYNC
    assert told.state.incident is not None
    told.measured(5, azure=0, oci=0, aws=0)
    told.look()
    assert told.state.incident is None


def test_it_tells_what_turns_and_nothing_twice() -> None:
    told = watched()
    for percent in (15, 16, 15, 0, 0):
        told.measured(5, azure=percent, oci=0, aws=0)
    assert told.names == ["signal.fired", "signal.cleared"]


def since(told: Watched) -> float | None:
    return told.state.signalled.burns["azure"].since


def test_it_says_since_when_a_region_burns_and_from_which_query() -> None:
    told = watched()
    assert since(told) is None
    told.measured(5, azure=15, oci=0, aws=0)
    began = told.now
    for percent in (16, 30, 15):
        told.measured(5, azure=percent, oci=0, aws=0)
        assert since(told) == began
    reason = told.look().reasons[0]
    assert (reason.numbers["since"], reason.named) == (began, ("main", ERRORS.replace("$window", "300s")))
    said = words(reason)
    assert f"it is taken to be degraded since {moment(began)} (signals.errors, which asks main: sum by (region)" in said


def test_it_burns_anew_after_it_was_well_or_nobody_looked() -> None:
    told = watched()
    told.measured(5, azure=15, oci=0, aws=0)
    told.measured(5, azure=0, oci=0, aws=0)
    assert since(told) is None
    told.measured(5, azure=15, oci=0, aws=0)
    assert since(told) == told.now
    told.measured(600, azure=15, oci=0, aws=0)
    assert since(told) == told.now, "for ten minutes nobody said so"


# -- alerts ------------------------------------------------------------------------------------------------------------


def word(verb: Verb, scope: Scope, now: float, name: str = "", lasts: float = 1_800.0) -> Override:
    said = (Comment(now, "alertmanager", "GpuFailing"),)
    return Override(f"{verb}-00000000", verb, scope, "alertmanager", now, now + lasts, said, name=name)


def test_an_alert_degrades_a_region_until_it_ends() -> None:
    told = watched(THREE)
    told.said(word(Verb.ALERT, Scope(regions=("azure",)), told.now, "degraded"))
    outcome = told.look()
    assert told.published == {"azure": 33.33, "oci": 40, "aws": 26.67}
    assert outcome.until == told.now + 1_800
    assert "alert-00000000 by alertmanager: GpuFailing" in outcome.reasons[0].detail
    assert f"; since {moment(told.now)} until " in words(outcome.reasons[0])
    told.look(1_800)
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


def test_an_alert_that_calls_it_down_is_left_at_once_and_waits_for_failback_after_it() -> None:
    told = watched(THREE)
    told.said(word(Verb.ALERT, Scope(regions=("azure",)), told.now, "down"))
    assert told.look().cause is Cause.FAILING_OUT
    told.look(1_800)
    assert told.published == {"oci": 60, "aws": 40}
    told.look(300)
    assert told.published == {"azure": 50, "oci": 30, "aws": 20}


def test_alerts_about_every_region_take_none_away() -> None:
    told = watched(THREE)
    told.said(word(Verb.ALERT, Scope(regions=("*",)), told.now, "down"))
    outcome = told.look()
    assert (outcome.kind, told.published) == (OutcomeKind.IN_SYNC, {"azure": 50, "oci": 30, "aws": 20})
    assert ReasonCode.LAST_LEFT in {each.code for each in outcome.reasons}


def test_no_marker_names_an_alert() -> None:
    told = watched(THREE)
    told.said(word(Verb.ALERT, Scope(regions=("azure",)), told.now, "down"))
    told.look()
    assert told.observed.marker is not None
    assert told.observed.marker.overrides == ()


def test_who_is_drained_is_no_other_who_serves() -> None:
    told = watched(policy(region("azure", 50), region("oci", 50)))
    drain = word(Verb.DRAIN, Scope(regions=("oci",)), told.now)
    told.said(replace(drain, now=True))
    told.look()
    assert told.published == {"azure": 100}
    told.said(drain, word(Verb.ALERT, Scope(regions=("azure",)), told.now, "down"))
    outcome = told.look(1)
    assert ReasonCode.LAST_LEFT in {each.code for each in outcome.reasons}
    assert told.published == {"azure": 100}


def test_burns_are_kept_and_said_again_in_json() -> None:
    burnt = Signalled(readings({"azure": 0.5}), {"azure": Burn(BurnFinding.DOWN, NOW, 1.0, 2.0, None, 3.0, NOW)})
    assert codec.load(Signalled, codec.dump(burnt)) == burnt
