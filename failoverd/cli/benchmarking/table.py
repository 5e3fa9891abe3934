"""A benchmark's numbers as text for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Any, Final

from failoverd.cli.benchmarking.statistics import PHASES, Report, Share, Spread, Summary

UNKNOWN: Final = "unknown"
_NONE: Final = "-"
_PERCENTILES: Final = ("p50", "p90", "p99", "max")

Rows = list[tuple[str, ...]]
"""The first row is the heading."""


# -- numbers in words --------------------------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    """Three digits that mean something, in ms."""
    value = seconds * 1_000
    digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004 - powers of ten
    return f"{value:.{digits}f}"


def percent(share: Share) -> str:
    """The share and its interval: `98.33% (91.14 to 99.71)`."""
    if share.value is None:
        return UNKNOWN
    return f"{share.value:.2%} ({share.low * 100:.2f} to {share.high * 100:.2f})"


def money(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"${amount:.6f}".rstrip("0").rstrip(".")


def _times(found: Spread | None) -> tuple[str, ...]:
    if found is None:
        return (_NONE,) * len(_PERCENTILES)
    return tuple(milliseconds(getattr(found, each)) for each in _PERCENTILES)


def _outcomes(summary: Summary) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in summary.outcomes.items()) or "none"


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(report: Report) -> list[tuple[str, Rows]]:
    """Every table with its title; those that have nothing to say are left out."""
    found = [
        ("Regions: answers, and latency in ms from when a request was due", _latency_rows(report.regions)),
        ("Phases: latency in ms from when a request was sent", _phase_rows(report.regions)),
        ("How requests ended", _ending_rows(report.regions)),
        ("Completions", _completion_rows(report.regions)),
        ("Cost", _cost_rows(report.regions)),
    ]
    if 1 < len(report.clouds) < len(report.regions):
        found.insert(1, ("Clouds", _latency_rows(report.clouds)))
    if len(report.endpoints) > len(report.regions):
        found.insert(1, ("Endpoints", _latency_rows(report.endpoints)))
    return [(title, rows) for title, rows in found if len(rows) > 1]


def _latency_rows(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("name", "cloud", "requests", "availability, 95% interval", "answers/s", *_PERCENTILES)]
    for each in summaries:
        requests = str(sum(each.outcomes.values()))
        head = (each.name, each.cloud or _NONE, requests, percent(each.availability), f"{each.throughput:.2f}")
        rows.append((*head, *_times(each.since_due)))
    return rows


def _phase_rows(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "phase", *_PERCENTILES)]
    for each in summaries:
        rows += [(each.name, phase, *_times(each.phases[phase])) for phase in PHASES if phase in each.phases]
        rows.append((each.name, "whole", *_times(each.latency)))
    return rows


def _ending_rows(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "outcomes", "reasons", "never sent")]
    for each in summaries:
        reasons = ", ".join(f"{count} {reason}" for reason, count in each.reasons.items())
        rows.append((each.name, _outcomes(each), reasons or "none", str(each.unsent)))
    return rows


def _completion_rows(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "what", "seen", *_PERCENTILES)]
    for each in summaries:
        if each.first_token is not None:
            rows.append((each.name, "first token, ms", str(each.first_token.count), *_times(each.first_token)))
        if each.speed is not None:
            speeds = (f"{getattr(each.speed, name):.1f}" for name in _PERCENTILES)
            rows.append((each.name, "tokens/s", str(each.speed.count), *speeds))
    return rows


def _cost_rows(summaries: Sequence[Summary]) -> Rows:
    rows: Rows = [("region", "egress", "per GB of egress", "tokens", "completions", "per million tokens")]
    for each in summaries:
        tokens, cost = (_NONE, _NONE) if each.tokens is None else (str(each.tokens), money(each.cost))
        prices = each.prices
        egress, per_million = money(prices.egress_per_gb), money(prices.per_million_tokens)
        rows.append((each.name, UNKNOWN, egress, tokens, cost, per_million))
    return rows


# -- text --------------------------------------------------------------------------------------------------------------


def text(report: Report) -> str:
    """Everything, for a terminal."""
    parts = [notes(report)]
    parts += [[title, *_aligned(rows)] for title, rows in tables(report)]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _aligned(rows: Rows) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def notes(report: Report) -> list[str]:
    """What was done, and how the numbers are to be read."""
    run, plan = report.run, report.plan
    what = f"{plan.policy}, check {plan.check.name} ({plan.check.kind})"
    took = f"{run.seconds:.1f}s{', ended early by a person' if run.interrupted else ''}"
    lines = [
        f"{what}: {len(run.samples)} of {plan.total} requests in {took}",
        f"{plan.rate:g}/s to each of {len(plan.endpoints)} endpoints",
        "Latency is of answers (pass and degraded) only. From when a request was due, it holds the wait for its turn.",
        "Availability is the share of answers among requests that could be judged; blind ones say nothing of a target.",
        "Egress has no cost here: looks do not count their bytes.",
    ]
    if run.abandoned:
        lines.append(f"{run.abandoned} requests were under way when it was ended; they are not counted.")
    return lines


# -- JSON --------------------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """Times in seconds, shares from 0 to 1, money in USD; null is what is not known."""
    run, plan = report.run, report.plan
    return {
        "policy": plan.policy,
        "check": plan.check.name,
        "kind": plan.check.kind,
        "planned": {
            "requests": plan.total,
            "seconds": plan.seconds,
            "rate_per_endpoint": plan.rate,
            "tokens_at_most": plan.tokens,
        },
        "seconds": run.seconds,
        "interrupted": run.interrupted,
        "abandoned": run.abandoned,
        "regions": [{**_summary(each), **_costs(each)} for each in report.regions],
        "endpoints": [_summary(each) for each in report.endpoints],
        "clouds": [_summary(each) for each in report.clouds],
    }


def _summary(each: Summary) -> dict[str, Any]:
    share = each.availability
    return {
        "name": each.name,
        "cloud": each.cloud or None,
        "requests": sum(each.outcomes.values()),
        "outcomes": dict(each.outcomes),
        "reasons": dict(each.reasons),
        "availability": {"share": share.value, "low": share.low, "high": share.high, "of": share.total},
        "answers_per_second": each.throughput,
        "latency_since_due": _spread(each.since_due),
        "latency_since_sent": _spread(each.latency),
        "phases": {phase: _spread(found) for phase, found in each.phases.items()},
        "time_to_first_token": _spread(each.first_token),
        "tokens_per_second": _spread(each.speed),
    }


def _costs(each: Summary) -> dict[str, Any]:
    return {
        "unsent": each.unsent,
        "cost": {
            "egress": None,
            "egress_per_gb": each.prices.egress_per_gb,
            "tokens": each.tokens,
            "completions": each.cost,
            "per_million_tokens": each.prices.per_million_tokens,
        },
    }


def _spread(found: Spread | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"count": found.count, **{each: getattr(found, each) for each in _PERCENTILES}}
