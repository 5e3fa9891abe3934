"""A benchmark's numbers as tables for people, none wider than a terminal where names are of usual length."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.cli.benchmarking.schedule import pace
from failoverd.cli.benchmarking.statistics import PHASES, Report, Share, Speeds, Spread, Summary
from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.inference_check.inference_settings import InferenceSettings

UNKNOWN: Final = "unknown"
WORDS: Final = frozenset({"region", "cloud", "endpoint", "part", "outcome", "reason"})
"""Headings of columns that are to be read; all others hold numbers, which stand one below the other."""

_NONE: Final = "-"
_WIDTH: Final = 79
_MANY: Final = 100.0
_PERCENTILES: Final = ("p50", "p90", "p99", "max")
_SLOWEST: Final = ("p50", "p10", "p1", "min")

Rows = list[tuple[str, ...]]
"""The first row is the heading."""


@dataclass(frozen=True, slots=True)
class Table:
    """`about` is the part of the whole that it belongs to."""

    title: str
    rows: Rows
    about: str = ""


# -- numbers in words --------------------------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    """Three digits that mean something, in ms."""
    value = seconds * 1_000
    digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004 - powers of ten
    return f"{value:.{digits}f}"


def available(share: Share) -> tuple[str, str]:
    """The share and where it is with 95 % confidence: `98.33%` and `91.1 to 99.7%`."""
    if share.value is None:
        return UNKNOWN, _NONE
    return f"{share.value:.2%}", f"{share.low * 100:.1f} to {share.high * 100:.1f}%"


def money(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"${amount:.6f}".rstrip("0").rstrip(".")


def _times(found: Spread | None, names: Sequence[str] = _PERCENTILES) -> tuple[str, ...]:
    if found is None:
        return (_NONE,) * len(names)
    return tuple(milliseconds(getattr(found, each)) for each in names)


def _speeds(found: Speeds) -> tuple[str, ...]:
    values = (getattr(found, each) for each in _SLOWEST)
    return tuple(f"{value:.0f}" if value >= _MANY else f"{value:.1f}" for value in values)


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(report: Report) -> list[Table]:
    """Those that have something to say; how the regions are, at a glance, is the first."""
    found = [
        Table("Regions: availability, and ms from when a request was due to its answer", _regions(report), "regions"),
        Table("Clouds", _clouds(report)),
        Table("Endpoints", _endpoints(report)),
        Table("Time to first token, ms", _first_tokens(report.regions), "completions"),
        Table("Tokens per second: half, nine in ten and so on were as fast, or faster", _fast(report), "completions"),
        Table("Cost", _costs(report.regions), "cost"),
        Table("Latency of answers by part, ms", _parts(report.regions)),
        Table("How requests ended", _endings(report.regions)),
    ]
    return [table for table in found if len(table.rows) > 1]


def _overall(each: Summary) -> tuple[str, ...]:
    return (*available(each.availability), f"{each.throughput:.2f}", *_times(each.since_due, ("p50", "p99")))


_OVERALL: Final = ("available", "95% interval", "answers/s", "p50", "p99")


def _regions(report: Report) -> Rows:
    rows = [(each.name, each.cloud or _NONE, *_overall(each)) for each in report.regions]
    return [("region", "cloud", *_OVERALL), *rows]


def _clouds(report: Report) -> Rows:
    """Nothing where they are the regions, or one."""
    if not 1 < len(report.clouds) < len(report.regions):
        return []
    return [("cloud", *_OVERALL), *((each.name, *_overall(each)) for each in report.clouds)]


def _endpoints(report: Report) -> Rows:
    if len(report.endpoints) <= len(report.regions):
        return []
    return [("endpoint", *_OVERALL), *((each.name, *_overall(each)) for each in report.endpoints)]


def _parts(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "part", *_PERCENTILES)]
    for each in summaries:
        phases = ((phase.replace("_", " "), each.phases.get(phase)) for phase in PHASES)
        rows += [(each.name, phase, *_times(found)) for phase, found in phases if found is not None]
        rows.append((each.name, "sent to answer", *_times(each.latency)))
        rows.append((each.name, "due to answer", *_times(each.since_due)))
    return rows


def _endings(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "outcome", "reason", "requests")]
    for each in summaries:
        reasons = ((ProbeReason(reason).outcome.value, reason, count) for reason, count in each.reasons.items())
        rows += [(each.name, outcome, reason, str(count)) for outcome, reason, count in reasons]
        if each.unsent:
            rows.append((each.name, _NONE, "never sent", str(each.unsent)))
    return rows


def _first_tokens(summaries: Sequence[Summary]) -> Rows:
    seen = [(each.name, each.first_token) for each in summaries if each.first_token is not None]
    rows = [(name, str(found.count), *_times(found)) for name, found in seen]
    return [("region", "completions", *_PERCENTILES), *rows]


def _fast(report: Report) -> Rows:
    seen = [(each.name, each.speed) for each in report.regions if each.speed is not None]
    rows = [(name, str(found.count), *_speeds(found)) for name, found in seen]
    return [("region", "completions", *_SLOWEST), *rows]


def _costs(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "egress", "per GB", "tokens", "completions", "per M tokens")]
    for each in summaries:
        tokens, cost = (_NONE, _NONE) if each.tokens is None else (str(each.tokens), money(each.cost))
        prices = each.prices
        egress, per_million = money(prices.egress_per_gb), money(prices.per_million_tokens)
        rows.append((each.name, UNKNOWN, egress, tokens, cost, per_million))
    return rows


# -- text --------------------------------------------------------------------------------------------------------------


def text(report: Report) -> str:
    """Everything, for a terminal."""
    parts = [summary(report)]
    parts += [[table.title, *_aligned(table.rows)] for table in tables(report)]
    parts.append([wrapped for note in notes(report) for wrapped in textwrap.wrap(note, _WIDTH)])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _aligned(rows: Rows) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    reading = [heading in WORDS for heading in rows[0]]
    return [
        "  ".join(
            cell.ljust(width) if words else cell.rjust(width)
            for cell, width, words in zip(row, widths, reading, strict=True)
        ).rstrip()
        for row in rows
    ]


def summary(report: Report) -> list[str]:
    """What was done."""
    run, plan = report.run, report.plan
    took = f"{run.seconds:.1f}s{', ended early by a person' if run.interrupted else ''}"
    what = f"{plan.policy}, check {plan.check.name} ({plan.check.kind})"
    lines = [f"{what}: {len(run.samples)} of {plan.total} requests in {took}", pace(plan)]
    if run.abandoned:
        lines.append(f"{run.abandoned} requests were under way when it was ended; they are not counted.")
    return lines


def notes(report: Report) -> list[str]:
    """How the numbers are to be read."""
    return [
        *_completions_left_out(report),
        "Latency is of answers (pass and degraded) only; from when a request was due, it holds the wait for its turn.",
        "A p99 of fewer than 100 answers is the slowest of them.",
        "Availability is the share of answers among requests that could be judged; blind ones say nothing of a target.",
        "The true share is within the interval with 95% confidence: regions whose intervals overlap may be alike.",
        "Egress has no cost here: probes do not count their bytes. Prices are the inventory's.",
    ]


def _completions_left_out(report: Report) -> list[str]:
    settings = report.plan.check.settings
    if not isinstance(settings, InferenceSettings) or settings.completion_every is None:
        return []
    if not report.plan.tokens:
        return ["No completion was asked for: that takes --spend."]
    if any(value for each in report.run.samples for name, value in each.measures if name == "completion_left_out"):
        return ["Some completions were left out: no tokens of the day's allowance were left, or its journal failed."]
    return []
