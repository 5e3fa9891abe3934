"""Tests of a policy, played: the endpoints, people and providers do what is said, and the daemon does what it does."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.playing import POLICY, REGIONS, apart, loaded, played

from failoverd.simulation import rehearsal
from failoverd.simulation.trial import TrialResult, play, site_of

REPORTING = POLICY + "on_drift: report\n"


def moved(verdict: TrialResult) -> list[tuple[float, str]]:
    """When traffic moved, and why."""
    return [(round(at, 1), change.cause.value) for at, change in verdict.changes]


# -- endpoints ---------------------------------------------------------------------------------------------------------


def test_a_lost_region_leaves_for_where_there_is_room(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
at:
  10s: {shares: {azure-weu: 70, oci-fra: 30}, changes: 0}
  30s:
    shares: {oci-fra: 75, aws-use1: 25}
    reasons: [capacity, spill]
    cause: failing_out
    changes: 1
    state: in_sync
    regions: {azure-weu: down, oci-fra: healthy}
    holds: []
never: {empty: true, over_capacity: true}
"""
    verdict = played(tmp_path, said)
    assert apart(verdict) == []
    assert verdict.passed


def test_it_comes_back_when_its_time_has_come(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F x30 P"}
at:
  2m: {regions: {azure-weu: healthy}, reasons: [failback_hold], shares: {azure-weu: 0, oci-fra: 75, aws-use1: 25}}
  10m: {shares: {azure-weu: 70, oci-fra: 30}, cause: returning, changes: 2}
"""
    assert apart(played(tmp_path, said)) == []


@pytest.mark.parametrize("letter", ["F", "T", "E"])
def test_each_way_to_fail_is_one(tmp_path: Path, letter: str) -> None:
    said = f"""
series: {{azure-weu/192.0.2.10: "P x10 {letter}"}}
at: {{1m: {{regions: {{azure-weu: down}}, cause: failing_out}}}}
"""
    assert apart(played(tmp_path, said)) == []


def test_an_overloaded_region_is_degraded_and_gets_less(tmp_path: Path) -> None:
    said = """
series: {azure-weu: "P x10 D"}
at: {3m: {regions: {azure-weu: degraded}, cause: tuning}}
"""
    assert apart(played(tmp_path, said)) == []


@pytest.mark.parametrize("letter", ["B", "_"])
def test_a_prober_that_sees_nothing_moves_nothing(tmp_path: Path, letter: str) -> None:
    said = f"""
series: {{"*": "P x10 {letter}"}}
at: {{3m: {{shares: {{azure-weu: 70, oci-fra: 30}}, changes: 0, reasons: [prober_doubted]}}}}
"""
    assert apart(played(tmp_path, said)) == []


@pytest.mark.parametrize("order", [("*", "azure-weu/*"), ("azure-weu/*", "*")])
def test_of_two_patterns_of_a_series_the_later_one_is_the_endpoints_whole_series(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    """However many moments the letters of the other have."""
    letters = {"*": "P", "azure-weu/*": "F x5 P x20 F"}
    series = ", ".join(f'"{pattern}": "{letters[pattern]}"' for pattern in order)
    verdict = played(tmp_path, f"series: {{{series}}}\nat: {{40s: {{changes: 0}}}}")
    assert verdict.passed == (order[-1] == "*"), moved(verdict)


def test_one_moment_of_a_series_lasts_as_long_as_the_interval_says(tmp_path: Path) -> None:
    said = """
interval: 1m
series: {azure-weu/*: "P x5 F x1 P"}
at:
  4m59s: {regions: {azure-weu: healthy}}
  5m30s: {regions: {azure-weu: down}}
  8m: {regions: {azure-weu: healthy}}
"""
    assert apart(played(tmp_path, said)) == []


# -- demand ------------------------------------------------------------------------------------------------------------


def test_demand_goes_as_the_curve_says(tmp_path: Path) -> None:
    said = """
given: {demand: "800 x10 1400 x600 800"}
at:
  5s: {shares: {azure-weu: 70, oci-fra: 30}}
  1m: {shares: {azure-weu: 64.29, oci-fra: 35.71}}
  20m: {shares: {azure-weu: 70, oci-fra: 30}, changes: 2}
never: {over_capacity: true}
"""
    assert apart(played(tmp_path, said)) == []


def test_demand_and_capacity_are_those_that_are_given(tmp_path: Path) -> None:
    said = """
given: {demand: {shop: 1000}, capacity: {azure-weu: 500}}
at: {0s: {shares: {azure-weu: 50, oci-fra: 50}}}
"""
    assert apart(played(tmp_path, said)) == []


def test_demand_may_change_by_itself(tmp_path: Path) -> None:
    said = """
happens: {10s: {demand: 1400}}
at: {1m: {shares: {azure-weu: 64.29, oci-fra: 35.71}}}
"""
    assert apart(played(tmp_path, said)) == []


# -- people ------------------------------------------------------------------------------------------------------------


def test_an_edit_by_hand_is_put_back(tmp_path: Path) -> None:
    said = """
happens: {10s: {edit: {azure-weu: 100}}}
at:
  11s: {shares: {azure-weu: 100}}
  50s: {shares: {azure-weu: 70, oci-fra: 30}, state: in_sync}
"""
    assert apart(played(tmp_path, said)) == []


def test_or_stays_where_the_policy_only_reports_it(tmp_path: Path) -> None:
    said = """
happens: {10s: {edit: {azure-weu: 100}}}
at: {2m: {shares: {azure-weu: 100}, state: drifted}}
"""
    assert apart(played(tmp_path, said, policy=REPORTING)) == []


def test_a_record_that_was_deleted_is_put_back(tmp_path: Path) -> None:
    said = """
happens: {10s: {empty: true}}
at: {11s: {shares: {}}, 50s: {shares: {azure-weu: 70, oci-fra: 30}}}
"""
    assert apart(played(tmp_path, said)) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("{drain: azure-weu}", "{shares: {oci-fra: 75, aws-use1: 25}, reasons: [drained], cause: operator}"),
        ("{drain: azure-weu/192.0.2.10}", "{shares: {oci-fra: 75, aws-use1: 25}}"),
        ("{shed: azure-weu, to: 50%}", "{shares: {azure-weu: 35, oci-fra: 65}, reasons: [shed]}"),
        ("{pin: {azure-weu: 40, oci-fra: 60}}", "{shares: {azure-weu: 40, oci-fra: 60}, reasons: [pinned]}"),
        ("{down: azure-weu}", "{shares: {oci-fra: 75, aws-use1: 25}, regions: {azure-weu: healthy}, reasons: [said]}"),
    ],
)
def test_an_operator_says_something(tmp_path: Path, word: str, expected: str) -> None:
    said = f"""
happens: {{10s: {{operator: {word}}}, 2m: {{release: true}}}}
at:
  1m: {expected}
  12m: {{shares: {{azure-weu: 70, oci-fra: 30}}}}
"""
    assert apart(played(tmp_path, said)) == []


@pytest.mark.parametrize("word", ["hold", "pause"])
def test_while_an_operator_holds_it_a_dead_region_stays_and_then_leaves(tmp_path: Path, word: str) -> None:
    said = f"""
series: {{azure-weu/*: "P x10 F"}}
happens: {{5s: {{operator: {{{word}: true, for: 1m}}}}}}
at:
  40s: {{shares: {{azure-weu: 70, oci-fra: 30}}, changes: 0}}
  2m: {{shares: {{oci-fra: 75, aws-use1: 25}}, changes: 1}}
"""
    assert apart(played(tmp_path, said)) == []


def test_a_word_that_is_refused_is_told_with_its_remedy(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "F", aws-use1/*: "F"}
happens: {1m: {operator: {drain: oci-fra}}}
at: {2m: {changes: 1}}
"""
    verdict = played(tmp_path, said)
    assert not verdict.passed
    assert "override_refused" in verdict.error
    assert "wait until another region serves" in verdict.error


# -- what the daemon stands on -----------------------------------------------------------------------------------------


def test_a_provider_that_is_away_is_written_when_it_is_back(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
happens: {5s: {providers: {dns: down}}, 2m: {providers: {dns: up}}}
at:
  1m: {shares: {azure-weu: 70, oci-fra: 30}, state: delayed}
  3m: {shares: {oci-fra: 75, aws-use1: 25}}
"""
    assert apart(played(tmp_path, said)) == []


def test_one_that_cannot_be_written_stays_so_through_a_restart(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
happens: {5s: {providers: {dns: read-only}}, 20s: {restart: true}, 2m: {providers: {dns: up}}}
at:
  1m: {shares: {azure-weu: 70, oci-fra: 30}, state: delayed}
  6m: {shares: {oci-fra: 75, aws-use1: 25}}
"""
    assert apart(played(tmp_path, said)) == []


def test_a_daemon_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
happens: {11s: {restart: true}}
at: {40s: {shares: {oci-fra: 75, aws-use1: 25}, changes: 1}}
never: {empty: true}
"""
    assert apart(played(tmp_path, said)) == []


def test_what_is_published_is_what_the_daemon_finds_when_it_starts(tmp_path: Path) -> None:
    said = """
given: {published: {azure-weu: 100}}
at:
  0s: {shares: {azure-weu: 100}, changes: 0}
  1m: {shares: {azure-weu: 100}, reasons: [failback_hold], until: 5m2s}
  6m: {shares: {azure-weu: 70, oci-fra: 30}, changes: 1}
"""
    assert apart(played(tmp_path, said)) == []


# -- the calendar ------------------------------------------------------------------------------------------------------

PATCHES = """\
maintenance:
  - {region: oci-fra, cron: "0 22 * * TUE", timezone: Europe/Berlin, for: 2h, reason: patches}
"""


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("2027-06-01T21:50+02:00", id="in summer"),
        pytest.param("2027-12-07T21:50+01:00", id="in winter"),
        pytest.param("2027-12-07T20:50Z", id="in winter, by UTC"),
    ],
)
def test_work_begins_by_the_clock_of_its_place(tmp_path: Path, at: str) -> None:
    said = f"""
given: {{at: "{at}"}}
at:
  9m59s: {{shares: {{azure-weu: 70, oci-fra: 30}}, changes: 0}}
  11m: {{shares: {{azure-weu: 100}}, cause: operator, changes: 1}}
  3h: {{shares: {{azure-weu: 70, oci-fra: 30}}}}
"""
    assert apart(played(tmp_path, said, policy=POLICY + PATCHES)) == []


def test_a_clock_that_is_changed_does_not_make_work_longer(tmp_path: Path) -> None:
    """In the night of 28 March 2027 the clocks of Berlin go from 2:00 to 3:00."""
    work = PATCHES.replace("0 22 * * TUE", "30 1 * * SUN")
    said = """
given: {at: "2027-03-28T01:20+01:00"}
at:
  9m: {shares: {azure-weu: 70, oci-fra: 30}}
  2h9m: {shares: {azure-weu: 100}}
  2h20m: {shares: {azure-weu: 70, oci-fra: 30}}
"""
    assert apart(played(tmp_path, said, policy=POLICY + work)) == []


def test_a_drill_begins_and_ends_by_the_clock_of_its_place(tmp_path: Path) -> None:
    drill = "practice: {at: TUE 10:00 Europe/Berlin, for: 30m, away: oci-fra}\n"
    said = """
given: {at: "2027-06-01T09:59+02:00"}
at:
  50s: {shares: {azure-weu: 70, oci-fra: 30}}
  90s: {shares: {azure-weu: 100}, reasons: [practised]}
  40m: {shares: {azure-weu: 70, oci-fra: 30}}
"""
    assert apart(played(tmp_path, said, policy=POLICY + drill)) == []


def test_work_of_the_inventory_concerns_every_policy(tmp_path: Path) -> None:
    said = """
given: {at: "2027-06-01T21:59+02:00"}
at: {2m: {shares: {azure-weu: 100}}}
"""
    assert apart(played(tmp_path, said, regions=REGIONS + PATCHES)) == []


# -- what is never so --------------------------------------------------------------------------------------------------


def test_what_must_never_be_is_told_where_it_was_first(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
for: 30s
never: {share: {aws-use1: "> 20", oci-fra: ">= 80"}, changes: "> 0", empty: true, leaves_residency: true}
"""
    verdict = played(tmp_path, said)
    assert apart(verdict) == ["never.share.aws-use1: never > 20 / 25%", "never.changes: never > 0 / 1"]
    assert [round(each.at, 1) if each.at else None for each in verdict.differences] == [14.1, None]


def test_a_region_is_over_capacity_while_another_has_room(tmp_path: Path) -> None:
    slowly = POLICY + "limits: {max_shift: 2% per 5m}\n"
    said = """
given: {demand: "800 x10 1400"}
for: 1m
never: {over_capacity: true}
"""
    found = apart(played(tmp_path, said, policy=slowly))
    assert found == [
        "never.over_capacity.azure-weu: azure-weu is sent at most 900 while oci-fra has room for 152 more / 952"
    ]


def test_and_is_not_where_nobody_has_any(tmp_path: Path) -> None:
    said = """
given: {demand: 2000}
series: {azure-weu/*: "P x10 F"}
at: {1m: {shares: {oci-fra: 40, aws-use1: 60}, reasons: [overload]}}
never: {over_capacity: true}
"""
    assert apart(played(tmp_path, said)) == []


def test_what_several_policies_send_is_added_up(tmp_path: Path) -> None:
    """Each policy alone would fit: 560 and 400 of azure's 900 do not, and one of them makes room."""
    other = POLICY.replace("shop", "desk").replace("tier: prod", "tier: dev").replace("0.2.10", "0.2.11")
    other = other.replace("100.10", "100.11").replace("113.10", "113.11").replace("demand: 800", "demand: 400")
    said = """
happens: {10s: {demand: {desk: 600}}}
at: {1m: {shares: {azure-weu: 70, oci-fra: 30}, changes: 0, policies: {desk: {shares: {azure-weu: 57, oci-fra: 43}}}}}
never: {over_capacity: true}
"""
    assert apart(played(tmp_path, said, desk=other)) == []


def test_a_fenced_policy_never_leaves_its_residency(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F"}
at: {30s: {shares: {oci-fra: 100}, reasons: [residency]}}
never: {leaves_residency: true, over_capacity: true}
"""
    assert apart(played(tmp_path, said, policy=POLICY + "residency: {allow: [EU]}\n")) == []


# -- how it is played --------------------------------------------------------------------------------------------------


def test_a_test_is_the_same_each_time(tmp_path: Path) -> None:
    said = """
series: {azure-weu/*: "P x10 F x30 P"}
at: {10m: {changes: 2}}
"""
    first, second = (played(tmp_path, said) for _ in range(2))
    assert moved(first) == moved(second)
    assert first.passed


def test_ten_minutes_of_calm_are_no_different_from_what_the_health_rules_look_back_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = """
series: {azure-weu/*: "P x10 F x30 P x20 D"}
at: {10m: {changes: 0}}
"""
    short = played(tmp_path, said)
    monkeypatch.setattr(rehearsal, "warm", lambda _: 600.0)
    assert moved(played(tmp_path, said)) == moved(short)


def test_a_defect_stays_with_its_test(tmp_path: Path) -> None:
    said = "at: {5s: {changes: 0}}"
    assert played(tmp_path, said).passed
    (estate,) = loaded(tmp_path).estates
    verdict = play(estate.tests[0], replace(site_of(estate.found), policies={}))
    assert "failoverd stumbled over it" in verdict.error
    assert not verdict.passed


# -- faults by name ----------------------------------------------------------------------------------------------------


def test_endpoints_do_what_is_said_by_name_until_it_is_over(tmp_path: Path) -> None:
    said = """
series: {oci-fra/*: "P x300 F"}
happens:
  10s: {endpoints: {azure-weu: {does: 503, for: 1m}, oci-fra: well}}
at:
  40s: {shares: {oci-fra: 75, aws-use1: 25}, regions: {azure-weu: down, oci-fra: healthy}}
  4m: {regions: {azure-weu: healthy}}
  6m: {regions: {oci-fra: healthy}}
"""
    assert apart(played(tmp_path, said)) == []


def test_a_prober_that_is_mistaken_or_cut_off_moves_nothing(tmp_path: Path) -> None:
    for sight in ("cut-off", "mistaken", "blind"):
        said = (
            f"happens: {{10s: {{prober: {sight}}}}}\nat: {{5m: {{shares: {{azure-weu: 70, oci-fra: 30}}, changes: 0}}}}"
        )
        assert apart(played(tmp_path, said)) == [], sight
