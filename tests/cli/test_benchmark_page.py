"""The page of a benchmark: one file that asks nobody for anything, whose plots follow what was measured."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.markup import Strict, read

from failoverd.cli.benchmarking.drawing import BOTTOM, HEIGHT, TOP, WIDTH
from failoverd.cli.benchmarking.html_page import page
from failoverd.cli.benchmarking.open_loop import Run, Sample
from failoverd.cli.benchmarking.plain import as_json
from failoverd.cli.benchmarking.schedule import BenchmarkPlan, Prices
from failoverd.cli.benchmarking.statistics import Report, report
from failoverd.cli.benchmarking.tables import text
from failoverd.cli.pictures import decade_ticks, round_ticks
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, RegionSpec, Timings

NASTY = "<script>alert('&')</script>\"\x1b[2J"
LATENCIES = st.lists(st.floats(1e-5, 60.0), max_size=40)


def measured(**latencies: list[float]) -> Report:
    """Each region's answers took so long, one a second; a latency of 0 is a failure."""
    regions = tuple(RegionSpec(name, 1, (Endpoint(name, "127.0.0.1", 80),)) for name in latencies)
    samples = [
        Sample(
            region.endpoints[0],
            float(at),
            float(at),
            at + took,
            ProbeOutcome.PASS if took else ProbeOutcome.FAIL,
            ProbeReason.OK if took else ProbeReason.CONNECT_REFUSED,
            Timings(took, connect=took / 2),
        )
        for region in regions
        for at, took in enumerate(latencies[region.name])
    ]
    seconds = float(max((len(each) for each in latencies.values()), default=1) or 1)
    plan = BenchmarkPlan(
        "api",
        Check("live", "http", 1.0, 1.0),
        regions,
        dict.fromkeys(latencies, "azure"),
        {name: Prices(0.087, 2.5) for name in latencies},
        seconds,
        1.0,
    )
    return report(plan, Run(tuple(samples), seconds, {}), {})


def shown(**latencies: list[float]) -> Strict:
    return read(page(measured(**latencies), "failoverctl benchmark api", 1_800_000_000.0))


def points(line: dict[str, str]) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in line["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def test_it_needs_nothing_besides_itself() -> None:
    html = page(measured(west=[0.1, 0.2], east=[0.3, 0.4]), "failoverctl benchmark api", 1_800_000_000.0)
    found = read(html)
    assert "//" not in html
    assert not re.search(r"url\(|@import|src=|href=|<script|<link|<iframe", html)
    assert {tag for tag, _ in found.found} & {"script", "link", "img", "iframe", "object", "use", "image"} == set()
    assert "prefers-color-scheme: dark" in html
    assert "default-src 'none'" in html


def test_it_says_what_was_asked_and_when() -> None:
    words = " ".join(shown(west=[0.1]).words)
    assert "failoverctl benchmark api" in words
    assert "2027-01-15 08:00:00 UTC" in words


def test_each_plot_has_a_title_and_a_description() -> None:
    html = page(measured(west=[0.1], east=[0.2]), "x", 0.0)
    plots = re.findall(r"<svg role=\"img\"[^>]*>(.{0,40})", html)
    assert len(plots) == 5  # two of latency, a histogram for each region, the strip
    assert all(each.startswith("<title>") for each in plots)
    assert html.count("<desc>") == len(plots)


def test_what_somebody_else_wrote_is_shown_and_never_obeyed() -> None:
    found = measured(**{NASTY: [0.1, 0.0]})
    html = page(found, NASTY, 0.0)
    assert "<script" not in html
    assert "\x1b" not in html
    assert any("<script>alert('&')</script>\"\\x1b[2J" in words for words in read(html).words)


def test_the_slower_region_is_drawn_above_the_faster_one() -> None:
    fast, slow = shown(fast=[0.01] * 20, slow=[0.2] * 20).all("polyline", "line")[2:4]
    assert max(y for _, y in points(slow)) < min(y for _, y in points(fast))


def test_the_percentile_curve_ends_at_the_slowest_answer_and_never_falls() -> None:
    (curve,) = shown(west=[each / 100 for each in range(1, 101)]).all("polyline", "line")[1:2]
    heights = [y for _, y in points(curve)]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == pytest.approx(TOP)  # the top of the picture is the slowest answer
    ground = HEIGHT - BOTTOM
    assert heights[100] == pytest.approx(ground - (ground - TOP) * 0.5)  # p50 of 1 s at most is at half the height


def test_the_strip_shows_the_worst_of_each_part_of_the_time() -> None:
    found = shown(west=[0.1, 0.0, 0.1])
    bars = [each for each in found.all("rect") if each["class"] in set(ProbeOutcome) and "x" in each]
    assert [each["class"] for each in bars] == ["pass", "fail", "pass"]
    assert float(bars[0]["height"]) < float(bars[1]["height"])  # told apart without colours as well
    assert [float(each["x"]) for each in bars] == sorted(float(each["x"]) for each in bars)


@given(LATENCIES, LATENCIES)
def test_whatever_was_measured_is_a_sound_page(west: list[float], east: list[float]) -> None:
    """Every answer is in one bar of its region's histogram, and nothing is drawn outside the picture."""
    found = shown(west=west, east=east)
    bars = [words for words in found.words if re.fullmatch(r"[\d.e+-]+ to [\d.e+-]+ ms: \d+", words)]
    assert sum(int(words.rpartition(" ")[2]) for words in bars) == len(west) + len(east)
    for line in found.all("polyline", "line"):
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points(line))
    for bar in found.all("rect", "fill"):
        assert 0 <= float(bar["y"]) <= float(bar["y"]) + float(bar["height"]) <= HEIGHT + 0.1


# -- tables and JSON ---------------------------------------------------------------------------------------------------


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    found = measured(west=[0.1], east=[0.0])
    (west, east) = as_json(found)["regions"]
    assert west["cost"] == {
        "egress": None,
        "egress_per_gb": 0.087,
        "tokens": None,
        "completions": None,
        "per_million_tokens": 2.5,
    }
    assert (east["latency_since_due"], east["availability"]["share"]) == (None, 0.0)
    cost = text(found).partition("Cost\n")[2].splitlines()[1]
    assert cost.split() == ["west", "unknown", "$0.087", "-", "-", "$2.5"]


def test_clouds_have_a_table_of_their_own_where_they_are_not_the_regions() -> None:
    assert "\nClouds\n" not in text(measured(west=[0.1], east=[0.1]))
    found = measured(west=[0.1], east=[0.1], north=[0.2])
    plan = replace(found.plan, clouds={"west": "azure", "east": "azure", "north": "oci"})
    rows = text(report(plan, found.run, {})).partition("\nClouds\n")[2].splitlines()
    assert [row.split()[:2] for row in rows[1:3]] == [["azure", "100.00%"], ["oci", "100.00%"]]


def completed(**speeds: list[float]) -> Report:
    """Each region's completions were so fast, in tokens a second; the first token took as many ms."""
    found = measured(**{name: [0.1] * len(each) for name, each in speeds.items()})
    places = {name: iter(each) for name, each in speeds.items()}

    def with_measures(sample: Sample) -> Sample:
        speed = next(places[sample.endpoint.region])
        measures = (("tokens_per_second", speed), ("time_to_first_token", speed / 1_000))
        return replace(sample, measures=measures)

    run = replace(found.run, samples=tuple(with_measures(each) for each in found.run.samples))
    return report(found.plan, run, dict.fromkeys(speeds, 20))


def test_completions_have_tables_and_plots_of_their_own() -> None:
    found = completed(west=[float(each) for each in range(10, 110)], east=[40.0, 30.0])
    lines = text(found).splitlines()
    first = lines.index("Time to first token, ms")
    assert lines[first + 2].split() == ["west", "100", "59.0", "99.0", "108", "109"]
    fast = next(place for place, each in enumerate(lines) if each.startswith("Tokens per second"))
    assert lines[fast + 1].split() == ["region", "completions", "p50", "p10", "p1", "min"]
    assert lines[fast + 2].split() == ["west", "100", "60.0", "20.0", "11.0", "10.0"]
    html = page(found, "x", 0.0)
    assert "<b>Time to first token by percentile</b>" in html
    assert "<b>Tokens per second by percentile</b>" in html
    assert "by percentile</b> of completions" not in page(measured(west=[0.1]), "x", 0.0)
    assert as_json(found)["regions"][0]["tokens_per_second"] == {
        "count": 100,
        "p50": 60.0,
        "p10": 20.0,
        "p1": 11.0,
        "min": 10.0,
    }


def test_few_requests_leave_no_gaps_that_look_like_outages() -> None:
    found = shown(west=[0.1] * 50)
    bars = [each for each in found.all("rect", "pass") if "x" in each]
    ends = [float(each["x"]) + float(each["width"]) for each in bars]
    assert len(bars) == 50
    assert [float(each["x"]) for each in bars[1:]] == pytest.approx([end + 1 for end in ends[:-1]], abs=0.02)


def test_looks_that_tell_of_the_same_completion_are_not_counted_twice() -> None:
    (west,) = as_json(completed(west=[40.0, 40.0, 30.0]))["regions"]
    assert west["time_to_first_token"]["count"] == west["tokens_per_second"]["count"] == 2


def test_a_terminal_of_80_columns_is_wide_enough() -> None:
    regions = {"azure-westeurope": [0.1, 0.0, 12.5], "oci-us-ashburn-1": [0.1, 0.2], "oci-eu-frankfurt-1": [0.3]}
    found = completed(**regions)
    assert all(len(line) <= 80 for line in text(measured(**regions)).splitlines()[2:])
    assert all(len(line) <= 80 for line in text(found).splitlines()[2:])


def test_numbers_stand_one_below_the_other() -> None:
    table = text(measured(west=[0.1], east=[1.5])).partition("Regions: ")[2].splitlines()[1:4]
    assert len({len(line) for line in table}) == 1  # the last column ends at the same place in each line
    assert '<td class="number">1500</td>' in page(measured(west=[0.1], east=[1.5]), "x", 0.0)


def test_each_way_to_end_has_a_line_and_so_has_what_was_never_sent() -> None:
    found = measured(west=[0.1, 0.0])
    unsent = report(found.plan, replace(found.run, unsent={"west": 3}), {})
    rows = text(unsent).partition("How requests ended\n")[2].splitlines()[1:4]
    assert [row.split() for row in rows] == [
        ["west", "fail", "connect_refused", "1"],
        ["west", "pass", "ok", "1"],
        ["west", "-", "never", "sent", "3"],
    ]


@given(st.floats(1e-6, 1e6))
def test_values_at_an_axis_are_few_and_fit_beside_it(high: float) -> None:
    words = [each for _, each in round_ticks(high)]
    assert 2 <= len(words) <= 7
    assert all(len(each) <= 8 for each in words)


@given(st.floats(1e-5, 1.0), st.floats(10.0, 1e6))
def test_values_at_a_logarithmic_axis_are_within_it(low: float, times: float) -> None:
    found = [value for value, _ in decade_ticks(low, low * times, 1_000.0)]
    assert found == sorted(found)
    assert 1 <= len(found) <= 13
    assert all(low <= value <= low * times for value in found)
