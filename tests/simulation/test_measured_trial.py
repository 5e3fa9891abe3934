"""Tests of a policy in which somebody measures: figures, errors, load, latency, alerts; and what else is given."""

from pathlib import Path

import pytest
from support.playing import POLICY, REGIONS, apart, folder, loaded, played

from failoverd.config.schema.test_file import MeasuredEntry, TestEntry
from failoverd.simulation.paper_source import Readout

DEMAND = POLICY.replace("demand: 800", "demand: {query: sum(rps), from: main, declared: 800}")
ERRORS = (
    POLICY
    + """\
signals:
  errors:
    errors: sum by (region) (ratio[$window])
    requests: sum by (region) (number[$window])
    from: main
"""
)
ASKED_EACH = ERRORS.replace("sum by (region) (", 'sum({region="$region"}')
FULL = POLICY + "signals: {room: {query: avg by (region) (queue), from: main, low: 10, high: 50}}\n"
NEAR = POLICY.replace("share: 70", "share: 30") + "latency: {slack: 20ms, leave: 30ms, window: 2m}\n"
CAPACITY = REGIONS.replace("capacity: 600", "capacity: {query: sum(ready), from: main, declared: 600}")


# -- figures -----------------------------------------------------------------------------------------------------------


def test_demand_that_is_measured_is_what_counts(tmp_path: Path) -> None:
    said = """
measured: {demand: "800 x10 1400"}
at:
  5s: {shares: {azure-weu: 70, oci-fra: 30}, reasons: [measured]}
  2m: {shares: {azure-weu: 64.29, oci-fra: 35.71}, reasons: [measured, capacity], changes: 1}
never: {over_capacity: false, empty: true}
"""
    assert apart(played(tmp_path, said, policy=DEMAND)) == []


def test_a_test_begins_on_a_day_on_which_it_was_measured_for_long(tmp_path: Path) -> None:
    """However far from what is declared: it is no jump."""
    said = """
measured: {demand: {shop: 1400}}
at: {0s: {shares: {azure-weu: 64.29, oci-fra: 35.71}, changes: 0}, 10m: {changes: 0}}
"""
    assert apart(played(tmp_path, said, policy=DEMAND)) == []


def test_a_figure_that_is_lost_counts_on_and_then_what_is_declared(tmp_path: Path) -> None:
    said = """
interval: 1m
measured: {demand: "1400 x2 _"}
at:
  4m: {shares: {azure-weu: 64.29, oci-fra: 35.71}, reasons: [last_value], changes: 0}
  20m: {shares: {azure-weu: 70, oci-fra: 30}, reasons: [declared]}
"""
    assert apart(played(tmp_path, said, policy=DEMAND)) == []


def test_capacity_that_is_measured_is_what_counts(tmp_path: Path) -> None:
    said = """
interval: 1m
measured: {capacity: {oci-fra: "600 x2 150"}}
at:
  1m: {shares: {azure-weu: 70, oci-fra: 30}}
  8m: {shares: {azure-weu: 81.25, oci-fra: 18.75}, reasons: [measured, capacity]}
"""
    assert apart(played(tmp_path, said, regions=CAPACITY)) == []


def test_what_nobody_says_is_measured_is_declared(tmp_path: Path) -> None:
    assert apart(played(tmp_path, "at: {1m: {changes: 0, reasons: [declared]}}", policy=DEMAND)) == []


def test_a_daemon_that_is_killed_goes_on_with_its_readings(tmp_path: Path) -> None:
    said = """
interval: 1m
measured: {demand: "1400 x2 _"}
happens: {3m: {restart: true}}
at: {5m: {shares: {azure-weu: 64.29, oci-fra: 35.71}, reasons: [last_value]}}
"""
    assert apart(played(tmp_path, said, policy=DEMAND)) == []


# -- signals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [ERRORS, ASKED_EACH], ids=["asked for all", "asked for each"])
def test_a_region_that_burns_is_degraded_once_its_windows_show_it(tmp_path: Path, policy: str) -> None:
    """30 % of errors take 100 seconds to burn 100 times too fast in five minutes."""
    said = """
measured: {errors: {azure-weu: "0% x10 30% x300 0%"}}
at:
  90s: {changes: 0, shares: {azure-weu: 70, oci-fra: 30}}
  3m: {reasons: [burning], cause: tuning}
  1h: {shares: {azure-weu: 70, oci-fra: 30}}
"""
    assert apart(played(tmp_path, said, policy=policy)) == []


def test_a_bad_deploy_burns_everywhere_and_moves_nothing(tmp_path: Path) -> None:
    said = """
measured: {errors: {azure-weu: 12%, oci-fra: 11%, aws-use1: 13%}}
at: {10m: {changes: 0, reasons: [same_everywhere]}}
"""
    assert apart(played(tmp_path, said, policy=ERRORS)) == []


def test_a_few_requests_are_no_cause(tmp_path: Path) -> None:
    said = """
measured: {errors: {azure-weu: 100%}, requests: {azure-weu: 0.1}}
at: {10m: {changes: 0}}
"""
    assert apart(played(tmp_path, said, policy=ERRORS)) == []


def test_a_region_that_is_full_gets_less(tmp_path: Path) -> None:
    said = """
interval: 1m
measured: {load: {azure-weu: "0 x1 45 x10 0"}}
at: {5m: {reasons: [loaded], cause: tuning}}
never: {share: {azure-weu: "> 70"}}
"""
    assert apart(played(tmp_path, said, policy=FULL)) == []


def test_a_region_that_is_far_is_left_out_for_as_long_as_it_is(tmp_path: Path) -> None:
    said = """
interval: 1m
measured: {latency: {azure-weu: "10ms", oci-fra: "12ms x5 80ms x30 12ms"}}
at:
  4m: {shares: {azure-weu: 50, oci-fra: 50}, changes: 0}
  20m: {shares: {azure-weu: 100}, reasons: [too_far], cause: tuning}
  2h: {shares: {azure-weu: 50, oci-fra: 50}}
"""
    assert apart(played(tmp_path, said, policy=NEAR)) == []


def test_an_alert_calls_a_region_down_until_it_is_resolved(tmp_path: Path) -> None:
    said = """
happens: {10s: {alert: {azure-weu: down}}, 2h: {alert: {azure-weu: resolved}}}
at:
  30s: {shares: {oci-fra: 75, aws-use1: 25}, reasons: [alerted], cause: failing_out}
  1h59m: {shares: {oci-fra: 75, aws-use1: 25}}
  2h10m: {shares: {azure-weu: 70, oci-fra: 30}}
"""
    assert apart(played(tmp_path, said)) == []


# -- what else is given ------------------------------------------------------------------------------------------------


def test_budgets_that_are_spent_keep_tuning_and_not_what_is_down(tmp_path: Path) -> None:
    strict = POLICY + "limits: {max_shift: 20% per 5m, max_changes: 2 per 1h}\n"
    said = """
given: {spent: true}
happens: {10s: {demand: 1400}}
series: {aws-use1/*: "P x120 F", oci-fra/*: "P x120 F"}
at:
  1m: {shares: {azure-weu: 70, oci-fra: 30}, holds: [max_changes], changes: 0}
  4m: {shares: {azure-weu: 100}, cause: failing_out}
"""
    assert apart(played(tmp_path, said, policy=strict)) == []


def test_they_are_spent_for_a_daemon_that_is_killed_as_well(tmp_path: Path) -> None:
    strict = POLICY + "limits: {max_shift: 20% per 5m, max_changes: 2 per 1h}\n"
    said = """
given: {spent: true}
happens: {5s: {restart: true}, 10s: {demand: 1400}}
at: {1m: {holds: [max_changes], changes: 0}}
"""
    assert apart(played(tmp_path, said, policy=strict)) == []


def test_a_drill_may_begin_by_hand(tmp_path: Path) -> None:
    said = """
happens: {10s: {operator: {drill: oci-fra, for: 10m}}}
at:
  1m: {shares: {azure-weu: 100}, reasons: [practised]}
  20m: {shares: {azure-weu: 70, oci-fra: 30}}
"""
    assert apart(played(tmp_path, said)) == []


def test_a_dependency_fails_by_its_name(tmp_path: Path) -> None:
    needing = POLICY.replace("oci-fra: {", "oci-fra: {depends_on: [db], ") + (
        "dependencies:\n  db: {tcp: 5432, address: 192.0.2.200, every: 5s}\n"
    )
    said = """
series: {db: "P x10 F", oci-fra: "P x30 F"}
at: {20s: {changes: 0}, 1m: {shares: {azure-weu: 100}}}
"""
    assert apart(played(tmp_path, said, policy=needing)) == []


# -- what nobody asks for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ('{demand: "800"}', "the demand of shop is measured by nobody"),
        ('{capacity: {oci-fra: "600"}}', "the capacity of oci-fra is measured by nobody"),
        ('{errors: {oci-fra: "10%"}}', "errors of its regions is measured by nobody"),
        ("{load: {oci-fra: 10}}", "load of its regions is measured by nobody"),
        ("{latency: {oci-fra: 10ms}}", "latency of its regions is measured by nobody"),
        ("{errors: {oci-frankfurt: 10%}}", 'there is no region "oci-frankfurt"'),
    ],
)
def test_what_no_file_asks_for_would_show_nothing(tmp_path: Path, measured: str, words: str) -> None:
    tests = f"version: 1\ntests:\n  - {{name: it, policy: shop, measured: {measured}, at: {{1m: {{changes: 0}}}}}}\n"
    found = [each for each in loaded(folder(tmp_path, tests)).diagnostics if each.is_error]
    assert found[0].code.name == "TEST_OF_NOBODY"
    assert words in "\n".join(each.message for each in found)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"errors": {"oci-fra": "30"}}, 'a percentage is written like "75%"'),
        ({"errors": {"oci-fra": "130%"}}, "at most 100%"),
        ({"latency": {"oci-fra": "10"}}, "a duration needs a unit|is not a duration"),
        ({"load": {"oci-fra": "10%"}}, "'10%' is no number"),
        ({"load": {"oci-fra": "10 y5"}}, "'y5' is no number with x"),
        ({"demand": "800 x100001"}, "1 to 100000 moments"),
        ({"demand": True}, "write what is measured"),
    ],
)
def test_what_is_measured_is_read_strictly(measured: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TestEntry.model_validate({"name": "it", "measured": measured})


def test_an_error_ratio_of_a_window_is_its_mean() -> None:
    (readings,) = MeasuredEntry.model_validate({"errors": {"a": "0% x10 30% x20 _ x5 10%"}}).every
    readout = Readout(readings, 1.0)
    assert (readout.at(-5.0), readout.at(9.9), readout.at(10.0), readout.at(32.0), readout.at(99.0)) == (
        0.0, 0.0, 0.3, None, 0.1,
    )  # fmt: skip
    assert readout.mean(10.0, 300.0) == 0.0
    assert readout.mean(20.0, 100.0) == pytest.approx(0.03)
    assert readout.mean(20.0, 5.0) == pytest.approx(0.3)
    assert readout.mean(31.0, 5.0) is None
    assert readout.mean(40.0, 10.0) == pytest.approx(0.1), "of what is known"
