"""Each row of the table in core/health/endpoint.py, the scenarios behind it, and what no series of outcomes may do."""

from dataclasses import replace
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import NOW, observations, probed, result

from failoverd.core.health.endpoint import (
    SEVERITY,
    CheckHealth,
    Health,
    Verdict,
    decayed,
    flapping_until,
    observe,
    steady,
    verdict,
)
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import HealthRules

RULES = HealthRules(fall=3, rise=4, degraded_window=4, degraded_enter=5_000, degraded_leave=2_500)

UNKNOWN, HEALTHY, DEGRADED, UNHEALTHY = Health.UNKNOWN, Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY

# state, failures, passes, outcome -> state, failures, passes
TABLE = [
    # UNKNOWN, FAIL: count it; at `fall` it is down
    (UNKNOWN, 0, 0, "F", UNKNOWN, 1, 0),
    (UNKNOWN, 1, 2, "F", UNKNOWN, 2, 0),
    (UNKNOWN, 2, 0, "F", UNHEALTHY, 3, 0),
    # UNKNOWN, alive: count the run; only at `rise` it is up, and the failures are forgotten
    (UNKNOWN, 0, 0, "P", UNKNOWN, 0, 1),
    (UNKNOWN, 2, 1, "P", UNKNOWN, 2, 2),
    (UNKNOWN, 2, 3, "P", HEALTHY, 0, 4),
    (UNKNOWN, 0, 3, "D", HEALTHY, 0, 4),
    # HEALTHY, FAIL
    (HEALTHY, 0, 4, "F", HEALTHY, 1, 0),
    (HEALTHY, 1, 3, "F", HEALTHY, 2, 0),
    (HEALTHY, 2, 0, "F", UNHEALTHY, 3, 0),
    # HEALTHY, alive: passes do not erase failures, a run of `rise` does
    (HEALTHY, 2, 0, "P", HEALTHY, 2, 1),
    (HEALTHY, 2, 2, "D", HEALTHY, 2, 3),
    (HEALTHY, 2, 3, "P", HEALTHY, 0, 4),
    (HEALTHY, 0, 4, "P", HEALTHY, 0, 4),  # the run stands at `rise`
    # DEGRADED fails and counts like HEALTHY; its window keeps it DEGRADED here
    (DEGRADED, 0, 1, "F", DEGRADED, 1, 0),
    (DEGRADED, 2, 0, "F", UNHEALTHY, 3, 0),
    (DEGRADED, 1, 1, "D", DEGRADED, 1, 2),
    (DEGRADED, 1, 3, "D", DEGRADED, 0, 4),
    # UNHEALTHY, FAIL: the run of passes starts over, nothing else moves
    (UNHEALTHY, 3, 3, "F", UNHEALTHY, 3, 0),
    # UNHEALTHY, alive: only a run of `rise` leads up
    (UNHEALTHY, 3, 0, "P", UNHEALTHY, 3, 1),
    (UNHEALTHY, 3, 2, "D", UNHEALTHY, 3, 3),
    (UNHEALTHY, 3, 3, "P", HEALTHY, 0, 4),
    # BLIND changes nothing, whatever was known
    *((state, 2, 1, "B", state, 2, 1) for state in Health),
]


@pytest.mark.parametrize(("state", "failures", "passes", "outcome", "then", "then_failures", "then_passes"), TABLE)
def test_each_row_of_the_table(
    state: Health, failures: int, passes: int, outcome: str, then: Health, then_failures: int, then_passes: int
) -> None:
    recent = (True, True, True, True) if state is DEGRADED else ()
    before = CheckHealth(state=state, failures=failures, passes=passes, recent=recent, since=1.0)
    after = observe(before, result(outcome), RULES).health
    assert (after.state, after.failures, after.passes) == (then, then_failures, then_passes)
    assert after.since == (NOW if then is not state else 1.0)


# -- down and up -------------------------------------------------------------------------------------------------------


def test_a_service_that_fails_a_third_of_its_requests_goes_down() -> None:
    up = probed("PPPP", RULES)
    assert probed("FPPFPPF", RULES, up).state is UNHEALTHY


def test_what_passes_between_the_failures_is_counted_beside_them() -> None:
    up = probed("PPPP", RULES)
    for script, failures, between in (
        ("FFF", 3, 0),
        ("FPPFPPF", 3, 4),
        ("FPDFF", 3, 2),
        ("FPBPF", 2, 2),
        ("FPPPP", 0, 0),
        ("FPPPPFPF", 2, 1),
        ("FPFPFPPP", 3, 2),  # those after the verdict lead up, and are no evidence of the fall
        ("FPFPFPPPP", 0, 0),
    ):
        health = probed(script, RULES, up)
        assert (script, health.failures, health.between) == (script, failures, between)
        assert (health.failing_since is None) == (failures == 0), script
    first = probed("PFPFPPF", RULES)
    assert (first.state, first.failures, first.between) == (UNHEALTHY, 3, 3)


def test_a_service_that_fails_less_than_once_in_a_run_of_rise_stays_up() -> None:
    up = probed("PPPP", RULES)
    assert probed("FPPPP" * 10, RULES, up).state is HEALTHY


def test_passes_do_not_erase_failures_until_there_is_a_run_of_rise() -> None:
    up = probed("PPPP", RULES)
    assert probed("FPPP", RULES, up).failures == 1
    assert probed("FPPPP", RULES, up).failures == 0


def test_one_failure_during_recovery_starts_the_run_over() -> None:
    down = probed("FFF", RULES)
    assert probed("PPPFPPP", RULES, down).state is UNHEALTHY
    assert probed("PPPFPPPP", RULES, down).state is HEALTHY


def test_a_start_needs_proof_in_either_direction() -> None:
    assert probed("PPP", RULES).state is UNKNOWN
    assert probed("PPPP", RULES).state is HEALTHY
    assert probed("FF", RULES).state is UNKNOWN
    assert probed("FFF", RULES).state is UNHEALTHY


def test_with_fall_and_rise_of_one_each_probe_is_a_verdict() -> None:
    rules = replace(RULES, fall=1, rise=1)
    states = [seen.health.state for seen in observations("PFPF", rules)]
    assert states == [HEALTHY, UNHEALTHY, HEALTHY, UNHEALTHY]


def test_evidence_says_check_reason_and_time() -> None:
    assert probed("F", RULES).evidence == "live connect_refused after 12 ms"
    said = observe(CheckHealth(), result("F")._replace(detail="503 Service Unavailable"), RULES)
    assert said.health.evidence.endswith("after 12 ms: 503 Service Unavailable")


# -- blind -------------------------------------------------------------------------------------------------------------


def test_blind_probes_change_neither_state_nor_counts_nor_the_age_of_the_evidence() -> None:
    failing = probed("PPPPFF", RULES)
    blinded = probed("B" * 20, RULES, failing)
    assert blinded._replace(blind=0, unseen=None) == failing
    assert blinded.blind == 20
    assert probed("F", RULES, blinded).state is UNHEALTHY


def test_a_blind_probe_asks_for_another_look_only_while_failures_are_counted_and_not_for_ever() -> None:
    failing = probed("PPPPF", RULES)
    seen = observations("B" * (RULES.fall + 2), RULES, failing)
    assert [each.recheck for each in seen] == [True] * RULES.fall + [False] * 2
    assert not any(each.siblings for each in seen)
    for calm in (probed("P", RULES), probed("PPPPP", RULES), probed("F" * RULES.fall, RULES)):
        (seen_once,) = observations("B", RULES, calm)
        assert not seen_once.recheck


def test_before_any_verdict_a_blind_prober_says_why_it_cannot_see() -> None:
    assert probed("BB", RULES).evidence == "live no_route after 12 ms"


def test_evidence_grows_stale_while_the_prober_is_blind() -> None:
    up = probed("PPPP", RULES)
    assert up.seen_at is not None
    blind = probed("BBB", RULES, up)
    fresh = verdict([("live", blind, 30.0)], up.seen_at + 30.0, RULES)
    stale = verdict([("live", blind, 30.0)], up.seen_at + 31.0, RULES)
    assert fresh.state is HEALTHY
    assert stale.state is UNKNOWN
    assert stale.since == up.seen_at + 30.0
    said = "3 blind probes since the last evidence 31s ago, the last: live no_route after 12 ms"
    assert (stale.reason, stale.evidence) == (ProbeReason.NO_ROUTE, said)


def test_silence_grows_stale_too_and_down_is_no_exception() -> None:
    down = probed("FFF", RULES)
    assert verdict([("live", down, 30.0)], NOW + 100, RULES).state is UNKNOWN
    assert verdict([("live", down, 30.0)], NOW + 100, RULES).evidence.startswith("no probe since")


def test_a_clock_that_steps_back_makes_nothing_stale() -> None:
    up = probed("PPPP", RULES)
    assert verdict([("live", up, 30.0)], NOW - 1_000, RULES).state is HEALTHY


# -- degraded ----------------------------------------------------------------------------------------------------------


def test_degraded_is_entered_and_left_at_different_shares_of_the_window() -> None:
    up = probed("PPPP", RULES)
    states = [seen.health.state for seen in observations("DDPPP", RULES, up)]
    assert states == [HEALTHY, DEGRADED, DEGRADED, DEGRADED, HEALTHY]


def test_an_unfilled_window_counts_as_good() -> None:
    rules = replace(RULES, rise=1)
    states = [seen.health.state for seen in observations("DD", rules)]
    assert states == [HEALTHY, DEGRADED]


def test_an_overloaded_service_recovers_into_degraded() -> None:
    down = probed("FFF", RULES)
    assert probed("DDDD", RULES, down).state is DEGRADED


def test_a_shorter_window_after_a_reload_forgets_the_oldest() -> None:
    up = probed("PPPPDDPP", replace(RULES, degraded_window=8))
    assert any(up.recent)
    shorter = probed("P", replace(RULES, degraded_window=2), up)
    assert shorter.recent == ()


# -- flap damping ------------------------------------------------------------------------------------------------------

FLAPPY = replace(RULES, flap_penalty=1_000.0, flap_half_life=600.0, flap_suppress=2_500.0, flap_reuse=1_000.0)


def test_the_penalty_halves_every_half_life() -> None:
    health = CheckHealth(penalty=4_000.0, penalty_at=NOW)
    assert decayed(health, NOW, FLAPPY) == 4_000.0
    assert isclose(decayed(health, NOW + 600, FLAPPY), 2_000.0)
    assert isclose(decayed(health, NOW + 1_200, FLAPPY), 1_000.0)
    assert isclose(decayed(health, NOW + 300, FLAPPY), 4_000.0 / 2**0.5)


def test_the_penalty_never_grows_when_the_clock_steps_back() -> None:
    assert decayed(CheckHealth(penalty=4_000.0, penalty_at=NOW), NOW - 600, FLAPPY) == 4_000.0


def test_the_first_verdict_is_no_flap() -> None:
    assert probed("FFF", FLAPPY).penalty == 0.0


def test_the_third_quick_fall_suppresses_and_passes_do_not_help_until_it_decayed() -> None:
    health = probed("PPPP", FLAPPY)
    health = probed("FFFPPPP", FLAPPY, health)
    assert (health.state, health.suppressed) == (HEALTHY, False)
    health = probed("FFFPPPP", FLAPPY, health)
    assert (health.state, health.suppressed) == (HEALTHY, False)
    health = probed("FFF", FLAPPY, health)
    assert (health.state, health.suppressed) == (UNHEALTHY, True)
    assert 2_900 < health.penalty < 3_000
    health = probed("P" * 100, FLAPPY, health)
    assert (health.state, health.suppressed) == (UNHEALTHY, True)


def test_a_suppressed_endpoint_is_used_again_once_its_penalty_fell_below_reuse() -> None:
    health = probed("PPPPFFFPPPPFFFPPPPFFF", FLAPPY)
    assert health.suppressed
    held = observations("P" * 200, FLAPPY, health, every=10.0)
    reused = next(seen.health for seen in held if seen.health.state is HEALTHY)
    assert not reused.suppressed
    assert decayed(health, reused.since, FLAPPY) < FLAPPY.flap_reuse
    assert decayed(health, reused.since - 10.0, FLAPPY) >= FLAPPY.flap_reuse


def test_who_is_kept_out_although_it_passes_says_so_and_until_when() -> None:
    health = probed("PPPPFFFPPPPFFFPPPPFFF", FLAPPY)
    failing = verdict([("live", health, 30.0)], health.since, FLAPPY)
    assert (failing.state, failing.flapping_until) == (UNHEALTHY, None)
    passing = probed("PPPP", FLAPPY, health)
    held = verdict([("live", passing, 30.0)], health.since + 4, FLAPPY)
    assert (held.state, held.evidence) == (UNHEALTHY, "live passes again, and it is kept out because it flapped")
    assert held.flapping_until is not None
    assert isclose(decayed(passing, held.flapping_until, FLAPPY), FLAPPY.flap_reuse)


def test_who_fails_under_another_check_is_not_kept_out_by_its_flapping_alone() -> None:
    flapped = probed("PPPPFFFPPPPFFFPPPPFFFPPPP", FLAPPY)
    checks = [("live", flapped, 90.0), ("model", probed("FFF", FLAPPY), 90.0)]
    found = verdict(checks, NOW + 25, FLAPPY)
    assert (found.check, found.flapping_until) == ("model", None)


def test_failures_while_suppressed_add_no_penalty() -> None:
    health = probed("PPPPFFFPPPPFFFPPPPFFF", FLAPPY)
    assert probed("FFFF" * 20, FLAPPY, health).penalty == health.penalty


def test_slow_flapping_is_never_suppressed() -> None:
    health = probed("PPPP", FLAPPY)
    for _ in range(20):
        health = probed("FFFPPPP", FLAPPY, health, every=120.0)
        assert not health.suppressed


# -- what to probe next ------------------------------------------------------------------------------------------------


def test_while_unknown_each_outcome_asks_for_another_look() -> None:
    assert [seen.recheck for seen in observations("PFPPP", RULES)] == [True] * 5


def test_the_probe_that_completes_a_verdict_asks_for_none() -> None:
    assert not observations("PPPP", RULES)[-1].recheck
    assert not observations("FFF", RULES)[-1].recheck


def test_while_failures_are_counted_each_outcome_asks_for_another_look() -> None:
    up = probed("PPPP", RULES)
    looks = [seen.recheck for seen in observations("FPPFPPPP", RULES, up)]
    assert looks == [True, True, True, True, True, True, True, False]


def test_a_healthy_endpoint_that_passes_and_an_unhealthy_one_wait_for_their_turn() -> None:
    up = probed("PPPP", RULES)
    assert [seen.recheck for seen in observations("PPD", RULES, up)] == [False] * 3
    down = probed("FFF", RULES, up)
    assert [seen.recheck for seen in observations("FPFPP", RULES, down)] == [False] * 5


def test_only_the_first_failure_asks_for_the_siblings() -> None:
    up = probed("PPPP", RULES)
    assert [seen.siblings for seen in observations("FPFPF", RULES, up)] == [True, False, False, False, False]


def test_an_unhealthy_endpoint_never_asks_for_its_siblings() -> None:
    down = probed("FFF", RULES)
    assert not any(seen.siblings for seen in observations("FPFFPF", RULES, down))


def test_the_first_failure_after_a_cleared_count_asks_again() -> None:
    up = probed("PPPPFPPPP", RULES)
    assert observations("F", RULES, up)[-1].siblings


# -- several checks ----------------------------------------------------------------------------------------------------


def test_an_endpoint_is_as_healthy_as_the_worst_of_its_checks() -> None:
    healths = {state: CheckHealth(state=state, last=result("P"), since=1.0) for state in Health}
    for index, worst in enumerate(SEVERITY):
        checks = [(state.value, healths[state], 30.0) for state in SEVERITY[: index + 1]]
        assert verdict(checks, NOW, RULES).state is worst
        assert verdict(reversed(checks), NOW, RULES).check == worst.value


def test_the_check_that_decided_gives_its_reason() -> None:
    live, model = probed("PPPP", RULES), probed("FFF", RULES)
    found = verdict([("live", live, 30.0), ("model", model, 30.0)], NOW + 5, RULES)
    assert (found.check, found.reason, found.since) == ("model", ProbeReason.CONNECT_REFUSED, NOW + 2)


def combining(script: str, needed: int) -> Verdict:
    """The verdict on an endpoint whose checks are in these states (H, D, U, `?`), each a second later than the last."""
    letters = {"H": HEALTHY, "D": DEGRADED, "U": UNHEALTHY, "?": UNKNOWN}
    checks = [
        (f"c{place}", CheckHealth(state=letters[letter], last=result("P"), since=NOW - 100 + place), 30.0)
        for place, letter in enumerate(script, start=1)
    ]
    return verdict(checks, NOW, replace(RULES, checks=needed))


@pytest.mark.parametrize(
    ("script", "every", "two", "one"),
    [
        ("HHH", HEALTHY, HEALTHY, HEALTHY),
        ("HHU", UNHEALTHY, HEALTHY, HEALTHY),
        ("HUU", UNHEALTHY, UNHEALTHY, HEALTHY),
        ("HDU", UNHEALTHY, DEGRADED, HEALTHY),
        ("DDU", UNHEALTHY, DEGRADED, DEGRADED),
        ("UUU", UNHEALTHY, UNHEALTHY, UNHEALTHY),
        ("HH?", UNKNOWN, HEALTHY, HEALTHY),
        ("H?U", UNHEALTHY, UNKNOWN, HEALTHY),
        ("D?U", UNHEALTHY, UNKNOWN, UNKNOWN),
        ("?UU", UNHEALTHY, UNHEALTHY, UNKNOWN),
        ("??H", UNKNOWN, UNKNOWN, HEALTHY),
    ],
)
def test_an_endpoint_is_as_well_as_so_many_of_its_checks(script: str, every: Health, two: Health, one: Health) -> None:
    assert [combining(script, needed).state for needed in (0, 2, 1)] == [every, two, one]
    assert combining(script, 3).state is every
    assert combining(script, 9).state is every  # a dependency has one check, whatever the policy asks for


def test_the_evidence_names_the_checks_that_are_not_well_and_how_many_are_needed() -> None:
    found = combining("HUU", 2)
    assert found.evidence.startswith("1 of 3 checks well, 2 needed: c2: ")
    assert "; c3: " in found.evidence
    assert combining("HHU", 2).evidence.startswith("2 of 3 checks well, 2 needed: c3: ")
    assert "needed" not in combining("HHH", 2).evidence


def test_the_check_that_turned_last_decided() -> None:
    found = combining("HUU", 2)
    assert (found.check, found.since) == ("c3", NOW - 97)
    assert combining("UHU", 2).since == NOW - 97  # c1 was down before, and one was allowed to be


@given(st.text("HDU?", min_size=1, max_size=6), st.integers(min_value=1, max_value=6))
def test_a_check_that_gets_better_makes_no_endpoint_worse(script: str, needed: int) -> None:
    order = (HEALTHY, DEGRADED, UNHEALTHY)
    before = combining(script, needed).state
    for place, letter in enumerate(script):
        for better in "HDU"[: "HDU".find(letter)] if letter in "DU" else "":
            after = combining(script[:place] + better + script[place + 1 :], needed).state
            assert UNKNOWN in {before, after} or order.index(after) <= order.index(before)


def test_what_flapped_is_back_as_soon_as_enough_of_it_is() -> None:
    def kept_out(name: str, penalty: float) -> tuple[str, CheckHealth, float]:
        health = CheckHealth(
            state=UNHEALTHY, passes=RULES.rise, suppressed=True, penalty=penalty, penalty_at=NOW, last=result("P")
        )
        return name, health, 30.0

    first, later = kept_out("live", 2_000.0), kept_out("model", 4_000.0)
    one = verdict([first, later], NOW, replace(RULES, checks=1))
    both = verdict([first, later], NOW, RULES)
    assert one.flapping_until == NOW + RULES.flap_half_life
    assert both.flapping_until == NOW + 2 * RULES.flap_half_life
    failing = ("api", CheckHealth(state=UNHEALTHY, last=result("F")), 30.0)
    assert verdict([first, failing], NOW, replace(RULES, checks=1)).flapping_until == NOW + RULES.flap_half_life
    assert verdict([first, failing], NOW, RULES).flapping_until is None


# -- any series of outcomes --------------------------------------------------------------------------------------------

scripts = st.lists(st.sampled_from("PFDB"), max_size=80).map("".join)
rule_sets = st.builds(
    HealthRules,
    fall=st.integers(1, 5),
    rise=st.integers(1, 6),
    degraded_window=st.integers(1, 8),
    degraded_enter=st.integers(1, 10_000),
    degraded_leave=st.integers(0, 5_000),
    flap_suppress=st.floats(1_001, 5_000),
    flap_half_life=st.floats(1, 3_600),
)


@given(scripts, rule_sets)
def test_no_series_skips_the_proof(script: str, rules: HealthRules) -> None:
    health, since_clear, run = CheckHealth(), 0, 0
    for observation in observations(script, rules) if script else []:
        before, health = health, observation.health
        if health.blind:
            assert health._replace(blind=0, unseen=None) == before._replace(blind=0, unseen=None)
            continue
        failed = health.passes == 0
        run = 0 if failed else run + 1
        since_clear = 0 if run >= rules.rise else since_clear + failed
        if health.state is UNHEALTHY and before.state is not UNHEALTHY:
            assert since_clear >= rules.fall
        if before.state in {UNKNOWN, UNHEALTHY} and health.state in {HEALTHY, DEGRADED}:
            assert run >= rules.rise
            since_clear = 0


@given(scripts, rule_sets)
def test_counts_are_bounded_and_advice_is_consistent(script: str, rules: HealthRules) -> None:
    for observation in observations(script, rules) if script else []:
        health = observation.health
        assert 0 <= health.failures <= rules.fall
        assert health.passes <= rules.rise
        assert len(health.recent) <= rules.degraded_window
        assert 0 <= health.penalty <= rules.flap_suppress + rules.flap_penalty
        assert not (health.suppressed and health.state is not UNHEALTHY)
        assert not (observation.recheck and health.state is UNHEALTHY)
        assert not health.failures or health.state is not HEALTHY or observation.recheck or health.blind


@given(scripts.filter(bool), rule_sets)
def test_equal_series_give_equal_health(script: str, rules: HealthRules) -> None:
    assert observations(script, rules) == observations(script, rules)


@given(scripts.filter(bool), rule_sets)
def test_no_series_suppresses_for_ever(script: str, rules: HealthRules) -> None:
    health = probed(script, rules)
    much_later = (health.seen_at or NOW) + 60 * rules.flap_half_life
    for index in range(rules.rise):
        health = observe(health, result("P", much_later + index), rules).health
    assert health.state in {HEALTHY, DEGRADED}


# -- warm-up -----------------------------------------------------------------------------------------------------------

SLOW_START = replace(RULES, warm_up=60.0)


def test_failures_of_what_still_starts_are_not_counted_and_ask_for_nothing() -> None:
    seen = observations("FFFFF", SLOW_START, CheckHealth(since=NOW))
    assert {(each.health.state, each.health.failures, each.recheck, each.siblings) for each in seen} == {
        (UNKNOWN, 0, False, False)
    }


def test_after_the_grace_failures_count_from_the_first() -> None:
    fresh = CheckHealth(since=NOW - 60.0)
    assert probed("FF", SLOW_START, fresh).state is UNKNOWN
    assert probed("FFF", SLOW_START, fresh).state is UNHEALTHY


def test_what_is_up_has_no_grace_for_failures() -> None:
    up = probed("PPPP", SLOW_START, CheckHealth(since=NOW))
    assert probed("FFF", SLOW_START, up).state is UNHEALTHY


def test_cold_caches_do_not_degrade_what_just_came_up() -> None:
    down = probed("PPPPFFF", SLOW_START, CheckHealth(since=NOW))
    up = probed("DDDD", SLOW_START, down)
    assert up.state is HEALTHY
    assert probed("D" * 50, SLOW_START, up).state is HEALTHY
    assert probed("D" * 70, SLOW_START, up).state is DEGRADED


# -- suppression has an end, and dependencies explain ------------------------------------------------------------------


def test_nothing_is_suppressed_for_longer_than_the_longest() -> None:
    rules = replace(FLAPPY, flap_penalty=100_000.0, flap_max_suppress=900.0)
    health = probed("PPPPFFF", rules)
    assert health.suppressed
    assert isclose(decayed(health, health.since + 900.0, rules), rules.flap_reuse)


def test_a_fall_that_a_dependency_explains_adds_no_penalty_and_cannot_suppress() -> None:
    rules = replace(FLAPPY, fall=1, flap_suppress=500.0, flap_reuse=100.0)
    up = probed("PPPP", rules)
    fallen = observe(up, result("F"), rules, explained=True).health
    assert (fallen.state, fallen.penalty, fallen.suppressed) == (UNHEALTHY, 0.0, False)
    assert observe(up, result("F"), rules).health.suppressed


@given(scripts.filter(bool), rule_sets)
def test_a_run_shorter_than_fall_moves_nothing_that_is_up(script: str, rules: HealthRules) -> None:
    up = probed("P" * rules.rise, rules)
    failures = 0
    for observation in observations(script, rules, up):
        failures += (
            observation.health.last is not None and observation.health.last.reason is ProbeReason.CONNECT_REFUSED
        )
        if failures < rules.fall:
            assert observation.health.state is not UNHEALTHY


@given(scripts, rule_sets, st.integers(1, 40))
def test_what_is_steady_stays_so_however_often_the_same_comes(script: str, rules: HealthRules, more: int) -> None:
    for letter, observation in zip(script, observations(script, rules) if script else [], strict=True):
        health = observation.health
        if not steady(health, rules):
            continue
        for again in observations(letter * more, rules, health):
            if health.suppressed and letter == "P" and (again.health.seen_at or 0.0) >= flapping_until(health, rules):
                break  # it may be used again from then on
            assert again == (again.health, False, False)
            assert again.health._replace(last=None) == health._replace(last=None)
            assert steady(again.health, rules)
