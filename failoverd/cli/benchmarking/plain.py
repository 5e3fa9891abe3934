"""A benchmark's numbers as JSON for programs."""

from dataclasses import asdict
from typing import Any

from failoverd.cli.benchmarking.statistics import Report, Speeds, Spread, Summary


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


def _spread(found: Spread | Speeds | None) -> dict[str, float] | None:
    return asdict(found) if found is not None else None
