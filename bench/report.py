"""The tables, and the page `docs/performance.md`, as Markdown."""

from collections.abc import Callable, Iterable, Sequence

from bench.contenders import Setting
from bench.figures import Goal, Run, Spread, goals, overheads, totals
from bench.trial import GDNSD, OURS, POLL, SYSTEMS

_DURATION = 8
"""Minutes that 30 faults take, about."""


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: Run) -> str:
    """The three tables, as Markdown."""
    return "\n\n".join((_totals_table(run), _overheads_table(run), goals_table(goals(run))))


def _totals_table(run: Run) -> str:
    rows = []
    for kind, samples in run.kinds.items():
        theirs = totals(samples, GDNSD)
        for system in SYSTEMS:
            found = totals(samples, system)
            parts = _cells(found.over(theirs), lambda part: f"{part:.1%}") if system in OURS else [""] * 3
            rows.append([kind, str(len(samples)), system, *_cells(found, lambda total: f"{total:.3f}"), *parts])
    head = ["fault", "n", "server", "median, s", "p95, s", "p99, s", "median, of gdnsd's", "p95", "p99"]
    return table(head, rows)


def _overheads_table(run: Run) -> str:
    rows = [
        [kind, str(len(samples)), system, *_cells(overheads(samples, system), _tenths)]
        for kind, samples in run.kinds.items()
        for system in SYSTEMS
    ]
    return table(["fault", "n", "server", "median, ms", "p95, ms", "p99, ms"], rows)


def goals_table(found: Iterable[Goal]) -> str:
    """What was aimed at, what was measured, and whether that is enough."""
    rows = [[goal.text, goal.found, "reached" if goal.reached else "**missed**"] for goal in found]
    return table(["goal", "measured", "goal reached?"], rows)


def _cells(spread: Spread, say: Callable[[float], str]) -> list[str]:
    return [say(value) for value in (spread.median, spread.p95, spread.p99)]


def _tenths(seconds: float) -> str:
    """Milliseconds, to a tenth."""
    return f"{seconds * 1000:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# -- the page ----------------------------------------------------------------------------------------------------------


def page(run: Run) -> str:
    """The whole of docs/performance.md."""
    setting = Setting()
    software = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    ours = setting.interval + (setting.fall - 1) * setting.recheck + setting.timeout
    theirs = setting.interval * setting.fall + setting.timeout + overheads(run.samples, GDNSD).median
    return f"""\
# How fast traffic leaves

This page is written by `make bench`, this part by `bench/failover.py`. A region breaks, and the time runs until the
authoritative server gives another answer. One failoverd publishes to its embedded server and to a real BIND (RFC 2136)
at once; gdnsd watches the same two HTTP servers beside it, in the same run.

## What is measured

- **Faults.** {len(run.samples)}, in random order. Either the region's server is killed (SIGKILL), so that connections
  are refused; or its port drops packets silently (nftables). They strike at random moments, spread over the whole probe
  interval, when every server has returned to the first region and nothing is being re-checked.
- **Setting.** Both monitors: interval {setting.interval} s (gdnsd's smallest), time-out {setting.timeout} s,
  {setting.fall} failures to go down, {setting.rise} passes to come up. failoverd re-checks after {setting.recheck:g} s,
  its default. Its flap damping is off and its limits are wide open: they exist to stop what this experiment does. So is
  its jitter, by which a probe comes up to 100 ms later than the phase that is read off.
- **Total.** From the fault to the arrival of the first changed answer. Each server is asked every {POLL * 1000:.0f} ms.
  Its answer had changed at most {_tenths(_resolution(run))} ms before: in this run, the longest time from asking for
  the last unchanged answer to the arrival of the first changed one.
- **Overhead.** The total without what the setting makes inevitable: the phase of the interval, (fall - 1) times the gap
  to the next probe, and for a silent drop one time-out. The gap is failoverd's re-check and gdnsd's whole interval. The
  phase is read off the probes as they arrive; no fault strikes while a probe is under way.
- **Percentiles** are by nearest rank: of fewer than 100 samples p99 is the slowest one, of fewer than 20 p95 is, too.

## The run

`{run.command}`, on {run.date}.
{run.machine}. {software}.
Load average {run.load[0]:.2f} before, {run.load[1]:.2f} after.

Total, from the fault to the changed answer:

{_totals_table(run)}

Overhead, over what is inevitable:

{_overheads_table(run)}

## Goals

{goals_table(goals(run))}

Judged over all faults together; a ratio compares the same percentile of both. In the worst case, a silent drop right
after a probe, failoverd's total is {ours:.2f} s without any overhead, and gdnsd's is {theirs:.2f} s with its usual one.
That is {ours / theirs:.1%}: with this setting the highest percentiles of the totals cannot be far from it.

## Do it again

`make bench` installs BIND, gdnsd and nftables where it may, runs for about {_DURATION} minutes in a network namespace
of its own, and writes this part of the page. It exits with status 1 when a goal is missed. `bench/failover.py --help`
has more.
"""


def _resolution(run: Run) -> float:
    return max(max(sample.resolution.values()) for sample in run.samples)
