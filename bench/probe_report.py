"""The tables of what probes cost, and their part of `docs/performance.md`, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.figures import STRIVEN, Goal
from bench.probe_cost import Cost, Setting, cost_of
from bench.report import goals_table, table
from bench.watchers import FAILOVERD, GDNSD, GDNSD_SLOWER, HAPROXY, WATCHERS, Kind

_MOST_OF_HAPROXY = 1.1
"""Of HAProxy's CPU for a probe with TLS."""


@dataclass(frozen=True)
class ProbeRun:
    """One run: what was measured, how, and on what."""

    setting: Setting
    costs: Sequence[Cost]
    at: Circumstances


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(run: ProbeRun) -> list[Goal]:
    """What was aimed at, for whatever was measured."""
    return [
        *_goal(run, Kind.HTTP, "gdnsd's", 1.0, GDNSD, GDNSD_SLOWER),
        *_goal(run, Kind.HTTP, "HAProxy's", 1.0, HAPROXY, binding=False),
        *_goal(run, Kind.HTTPS, "HAProxy's with `no-ssl-reuse`", _MOST_OF_HAPROXY, HAPROXY),
        *_goal(run, Kind.RESUMED, "HAProxy's", _MOST_OF_HAPROXY, HAPROXY),
    ]


def _goal(run: ProbeRun, kind: Kind, whose: str, most: float, *peers: str, binding: bool = True) -> Iterator[Goal]:
    ours, theirs = cost_of(run.costs, kind, FAILOVERD), cost_of(run.costs, kind, *peers)
    if ours is None or theirs is None:
        return
    ratio = ours.each / theirs.each
    limit = "at most" if most == 1.0 else f"at most {most:g} times"
    words = "" if binding else STRIVEN
    found = f"{ratio:.2f} times ({_micros(ours.each)} of {_micros(theirs.each)} µs)"
    yield Goal(f"{kind}: CPU of a probe {limit} {whose}{words}", found, ratio <= most, binding)


def as_json(run: ProbeRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds."""
    return {
        **asdict(run),
        "costs": [{**asdict(cost), "each": cost.each, "rate": cost.rate} for cost in run.costs],
        "goals": [asdict(goal) for goal in goals(run)],
    }


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: ProbeRun) -> str:
    """Costs and goals, as Markdown."""
    return f"{_costs(run)}\n\n{goals_table(goals(run))}"


def _costs(run: ProbeRun) -> str:
    head = [
        "probe",
        "prober",
        "CPU, µs",
        "of each window",
        "probes a second",
        "connections a probe",
        "resumed",
        "of HAProxy's",
    ]
    rows = [
        [
            cost.kind.value,
            cost.watcher,
            _micros(cost.each),
            ", ".join(_micros(window.each) for window in cost.windows),
            f"{cost.rate:.0f}",
            f"{cost.connections_each:.2f}",
            f"{cost.resumed:.0%}" if cost.resumed is not None else "",
            _ratio(run, cost),
        ]
        for cost in run.costs
    ]
    return table(head, rows)


def _ratio(run: ProbeRun, cost: Cost) -> str:
    peer = cost_of(run.costs, cost.kind, HAPROXY)
    return f"{cost.each / peer.each:.2f}" if peer is not None else ""


def _micros(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}"


# -- the part of the page ----------------------------------------------------------------------------------------------


def part(run: ProbeRun) -> str:
    """Its part of docs/performance.md."""
    setting = run.setting
    remarks: Mapping[str, str] = {watcher.name: watcher.remark for watcher in WATCHERS if watcher.remark}
    said = "\n".join(f"  - {name}: {remark}." for name, remark in remarks.items())
    return f"""\
# What a probe costs

The processor time, user and system, that one probe takes: the whole process divided by the probes that it made.

## How it is weighed

- **The endpoints**: {setting.endpoints:,} loopback addresses, all served by one nginx worker on a CPU of its own, which
  counts what it answers. Each is probed every {setting.every} s over a new connection.
- **failoverd** is `failoverd run` with everything on: slots, probes, health, metrics, journal. Its policies publish at
  the embedded server, and nothing fails, so that probing is what it does.
- **The others** probe the same endpoints in the same way, each as one process on one CPU, and make no more of it
  than they do:
{said}
- **TLS**: ECDSA P-256; every one checks the chain and the name. Full handshakes: nobody offers a session. Resumed:
  whoever can keep sessions does; nginx says of which part of its handshakes that became true. gdnsd has no TLS, and
  blackbox_exporter keeps no sessions.
- **Windows** of {setting.seconds} s, {setting.windows} for each, after {setting.settle} s to settle. The contenders
  take turns: each round starts every one anew and ends it. The figure is the median of the windows.

## The run of the probes

{run.at.in_words()}

{_costs(run)}

{goals_table(goals(run))}

`bench/probes.py --help` says how to measure less.
"""
