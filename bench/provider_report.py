"""The tables of the providers, and their part of `docs/performance.md`, as Markdown."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from bench.figures import Goal, machine
from bench.footprint import MOST_HELP, RUNS, Footprint
from bench.oci import OPERATIONS, RATE
from bench.outage import FALL, INTERVAL, RECHECK, TICK, Outage
from bench.report import goals_table, table
from bench.route53 import INSYNC_AFTER, PROCESSING
from bench.stands import PER_POLICY

_MOST_OF_LEAST = {
    "route53": 1.2,
    "azure_dns": 1.3,
    "azure_traffic_manager": 4.0,
    "oci_dns": 1.3,
    "rfc2136": 1.3,
}
"""Reads and writes, of the least of them."""

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ProviderRun:
    """One run: what was measured, what could not be, and on what."""

    outages: Sequence[Outage]
    failed: Mapping[str, str]
    footprint: Footprint
    command: str
    date: str
    machine: str
    load: tuple[float, float]  # one-minute averages, before and after

    @classmethod
    def of(
        cls,
        outages: Iterable[Outage],
        failed: Mapping[str, str],
        footprint: Footprint,
        *,
        command: Iterable[str],
        began: float,
        load: float,
    ) -> Self:
        return cls(
            tuple(outages),
            failed,
            footprint,
            " ".join(command),
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(began)),
            machine(),
            (load, os.getloadavg()[0]),
        )


def goals(run: ProviderRun) -> list[Goal]:
    """What was aimed at, for whatever was measured."""
    found = run.footprint
    ratios = [
        Goal(
            f"{each.kind}: reads and writes at most {_MOST_OF_LEAST[each.kind]:g} times the least",
            f"{each.ratio:.2f} ({each.reads + each.writes} of {each.least.total})",
            each.ratio <= _MOST_OF_LEAST[each.kind],
        )
        for each in run.outages
        if each.kind in _MOST_OF_LEAST
    ]
    return [
        *ratios,
        Goal(
            f"`failoverctl --help` in at most {MOST_HELP * 1000:.0f} ms (median of {RUNS})",
            f"{found.help_median * 1000:.0f} ms",
            found.help_median <= MOST_HELP,
        ),
        Goal("no cloud's SDK is imported unless configured", ", ".join(found.sdks) or "none", not found.sdks),
    ]


def as_json(run: ProviderRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds and bytes."""
    outages = [{**asdict(each), "ratio": each.ratio} for each in run.outages]
    return {**asdict(run), "outages": outages, "goals": [asdict(goal) for goal in goals(run)]}


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: ProviderRun) -> str:
    """Calls, times and goals, as Markdown."""
    return "\n\n".join(part for part in (_calls(run), _times(run), _failures(run), goals_table(goals(run))) if part)


def _calls(run: ProviderRun) -> str:
    counted = ["reads", "writes", "least reads", "least writes", "ratio", "refused", "proofs", "reads of a tick"]
    rows = [
        [
            each.kind,
            str(each.records),
            str(each.reads),
            str(each.writes),
            str(each.least.reads),
            str(each.least.writes),
            f"{each.ratio:.2f}",
            str(each.refused),
            str(each.proofs),
            str(each.tick_reads),
        ]
        for each in run.outages
    ]
    return table(["provider", "records", *counted], rows)


def _times(run: ProviderRun) -> str:
    head = [
        "provider",
        "all changed, s",
        "all read back, s",
        "all verified, s",
        "its CPU, s",
        "peak memory, MB",
        "troubles",
    ]
    rows = [
        [
            each.kind,
            f"{each.changed:.1f}",
            f"{each.read_back:.1f}",
            f"{each.verified:.1f}",
            f"{each.cpu:.1f}",
            f"{each.memory / _MEGABYTE:.0f}",
            ", ".join(f"{count} {what}" for what, count in each.troubles.items()) or "none",
        ]
        for each in run.outages
    ]
    return table(head, rows)


def _failures(run: ProviderRun) -> str:
    return "\n".join(f"- {kind} could not be measured: {why}" for kind, why in run.failed.items())


# -- the part of the page ----------------------------------------------------------------------------------------------


def part(run: ProviderRun) -> str:
    """Its part of docs/performance.md."""
    found = run.footprint
    remarks = "".join(f"\n- `{each.kind}`: {each.remark}." for each in run.outages if each.remark)
    failures = f"{_failures(run)}\n\n" if run.failed else ""
    return f"""\
# A region that fails under a thousand records

One zone at one provider, its records in policies of at most {PER_POLICY}. The server of the first region is killed, and
the daemon, which had everything in order and had just looked at all of it, moves every record to the second one.

## How it is measured

- **The daemon** is `failoverd run`, a process of its own, with real probes every {INTERVAL} s, {FALL} failures to go
  down, re-checks after {RECHECK:g} s and a tick of {TICK:g} s. Each policy probes for itself, so that they see the
  failure one after the other, within one interval. No authoritative server is asked (`nameservers: none`).
- **The clouds** are the local ones of the tests, at the documented rates. Route 53: 5 requests a second for the
  account, a change is INSYNC after {INSYNC_AFTER:g} s, a zone that took one turns the next down for {PROCESSING:g} s.
  Azure: 250 reads and 25 a second, 200 writes and 10 a second. OCI documents no rate: {RATE:g} a second, as the
  provider keeps by itself, with {OPERATIONS:,} operations in one request. BIND and PowerDNS are real, and nothing
  rations them.
- **Calls** are counted by the other side, refused ones too, from the fault until every change was read back; proofs
  (whether all servers have it) until the last change is verified. `bench/least.py` derives the least from the
  documents.
- **Times** are from the fault. Seeing it takes the first 1 to 3 s of them.{remarks}

## The run of the providers

`{run.command}`, on {run.date}.
{run.machine}.
Load average {run.load[0]:.2f} before, {run.load[1]:.2f} after.

{_calls(run)}

{_times(run)}

{failures}A daemon without clouds imported {found.modules} modules and had {found.memory / _MEGABYTE:.0f} MB resident at
most. `failoverctl --help` took {found.help_median * 1000:.0f} ms (median), {found.help_slowest * 1000:.0f} ms at most.

{goals_table(goals(run))}

`bench/providers.py --help` says how to measure one provider alone.
"""
