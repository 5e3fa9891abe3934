"""The numbers of a benchmark: what holds for them whatever was seen."""

from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.cli.benchmarking.benchmark import parse_rate
from failoverd.cli.benchmarking.open_loop import Sample
from failoverd.cli.benchmarking.plots import binned
from failoverd.cli.benchmarking.statistics import counts, percentile, speeds, spread, summarise, wilson
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, Timings

SECONDS = st.floats(0.0, 60.0)
VALUES = st.lists(SECONDS, min_size=1, max_size=200)
TOTALS = st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
WEST = Endpoint("west", "127.0.0.1", 80)


@given(VALUES, st.floats(0.0, 100.0))
def test_a_percentile_was_seen_and_has_its_part_of_the_values_below_it(values: list[float], percent: float) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= ceil(len(values) * percent / 100)
    assert sum(value < found for value in values) < max(1, ceil(len(values) * percent / 100))


@given(VALUES)
def test_percentiles_ascend(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert min(values) <= found.p50 <= found.p90 <= found.p99 <= found.max == max(values)
    assert found.count == len(values)


@given(VALUES)
def test_what_is_better_the_more_it_is_has_its_percentiles_from_below(values: list[float]) -> None:
    found = speeds(values)
    assert found is not None
    assert max(values) >= found.p50 >= found.p10 >= found.p1 >= found.min == min(values)
    assert sum(value >= found.p10 for value in values) >= 0.9 * len(values)


def test_nothing_seen_is_no_latency() -> None:
    assert spread([]) is None
    assert speeds([]) is None


@given(TOTALS)
def test_the_interval_holds_the_share_and_stays_within_a_whole(found: tuple[int, int]) -> None:
    hits, total = found
    share = wilson(hits, total)
    assert 0 <= share.low <= hits / total <= share.high <= 1
    assert share.low < share.high


@given(TOTALS)
def test_the_interval_is_mirrored_between_hits_and_misses(found: tuple[int, int]) -> None:
    hits, total = found
    share, other = wilson(hits, total), wilson(total - hits, total)
    assert share.low == pytest.approx(1 - other.high, abs=1e-9)
    assert share.high == pytest.approx(1 - other.low, abs=1e-9)


@given(TOTALS)
def test_more_of_the_same_narrows_the_interval(found: tuple[int, int]) -> None:
    hits, total = found
    few, many = wilson(hits, total), wilson(hits * 10, total * 10)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662)]
)
def test_intervals_that_are_known(hits: int, total: int, low: float, high: float) -> None:
    """The last is Newcombe's example of 1998, method 3."""
    share = wilson(hits, total)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_nothing_judged_is_no_share() -> None:
    share = wilson(0, 0)
    assert (share.value, share.low, share.high) == (None, 0.0, 1.0)


@given(VALUES, st.lists(SECONDS, min_size=2, max_size=30, unique=True).map(sorted))
def test_every_value_is_in_one_bin(values: list[float], edges: list[float]) -> None:
    found = binned(values, edges)
    assert sum(found) == len(values)
    inside = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    assert all(count >= least for count, least in zip(found, inside, strict=True))


def sample(
    outcome: ProbeOutcome, reason: ProbeReason = ProbeReason.OK, *, wait: float = 0.0, took: float = 0.1
) -> Sample:
    timings = Timings(took, connect=took / 2)
    return Sample(WEST, 1.0, 1.0 + wait, 1.0 + wait + took, outcome, reason, timings)


def test_blind_requests_are_not_held_against_the_target_and_failures_have_no_latency() -> None:
    samples = [
        sample(ProbeOutcome.PASS),
        sample(ProbeOutcome.DEGRADED, ProbeReason.SLOW, wait=0.4),
        sample(ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, took=0.001),
        sample(ProbeOutcome.BLIND, ProbeReason.NO_ROUTE, took=0.001),
    ]
    found = summarise("west", "azure", samples, 4.0)
    assert (found.availability.hits, found.availability.total) == (2, 3)
    assert found.throughput == 0.5
    assert found.outcomes == {"blind": 1, "degraded": 1, "fail": 1, "pass": 1}
    assert found.latency is not None
    assert found.since_due is not None
    assert (found.latency.count, found.latency.max) == (2, 0.1)
    assert found.since_due.max == pytest.approx(0.5)
    assert found.phases.keys() == {"connect"}


def test_the_most_frequent_is_counted_first() -> None:
    assert list(counts(["a", "b", "c", "b"]).items()) == [("b", 2), ("a", 1), ("c", 1)]


@pytest.mark.parametrize(("text", "rate"), [("10/s", 10.0), ("0.5/s", 0.5), ("30/m", 0.5)])
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "10", "/s", "-1/s", "1/h", "1e3/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)
