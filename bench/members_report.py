"""The tables of several members, and their part of `docs/performance.md`, as Markdown."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.circumstances import Circumstances
from bench.figures import STRIVEN, Goal, Spread
from bench.member_cost import CHANGE_WITHIN, Cost, Load, Period
from bench.member_faults import LEASE, SETTING, Moved
from bench.report import goals_table, table
from bench.takeovers import Fate, Takeover

_MOST_RATIO = 1.1
"""Of one member's time to the changed answer, at the median."""

_MOST_HANDED_OVER = 1.0
_BEYOND_LEASE = 2.0
"""Seconds."""

_MOST_PUTS = 2.0
"""In a second in which nothing happens: three members say every two seconds that they are there."""

_MOST_CPU = 1.5
"""Of one member's processor time, for each of three, while nothing happens."""

_MOST_MOVING = 2.0
"""Of the time that one alone needs until all answers had changed, for three on the same machine."""

_PATRONI = "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html"
_KUBERNETES = "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/"
_DOCUMENTED = (
    (
        "Patroni, killed",
        "`ttl` 30 s, `loop_wait` 10 s",
        "up to 30 until the lock is free",
        f"[Dynamic configuration settings]({_PATRONI})",
    ),
    (
        "Kubernetes, killed",
        "lease 15 s, renew deadline 10 s, retry period 2 s",
        "15, and up to a retry period",
        f"[kube-controller-manager]({_KUBERNETES}), `--leader-elect-*`",
    ),
)
"""What others say of themselves: who, its defaults, seconds until another one may lead, where that is said."""


@dataclass(frozen=True)
class MembersRun:
    """One run: what was measured, and on what. A part that was not measured is empty."""

    moved: Sequence[Moved]
    takeovers: Sequence[Takeover]
    load: Load
    costs: Sequence[Cost]
    at: Circumstances

    def delays(self, members: int) -> list[float]:
        """Seconds to the changed answer, nobody being lost."""
        return [each.after for each in self.moved if each.members == members]

    def of(self, fate: Fate, lease: int) -> list[Takeover]:
        return [each for each in self.takeovers if each.fate is fate and each.lease == lease]

    @property
    def leases(self) -> list[int]:
        return list(dict.fromkeys(each.lease for each in self.takeovers))

    def cost(self, members: int) -> Cost | None:
        return next((each for each in self.costs if each.members == members), None)


# -- goals -------------------------------------------------------------------------------------------------------------


def goals(run: MembersRun) -> list[Goal]:
    """What was aimed at, for whatever was measured."""
    return [*_beside_goals(run), *_takeover_goals(run), *_cost_goals(run)]


def _beside_goals(run: MembersRun) -> Iterator[Goal]:
    alone, three = run.delays(1), run.delays(3)
    if alone and three:
        ratio = statistics.median(three) / statistics.median(alone)
        yield Goal(
            f"three members: region killed to changed answer, median at most {_MOST_RATIO:g} times that of one alone",
            f"{ratio:.2f} times ({statistics.median(three):.2f} of {statistics.median(alone):.2f} s)",
            ratio <= _MOST_RATIO,
        )


def _takeover_goals(run: MembersRun) -> Iterator[Goal]:
    for lease in run.leases:
        for fate in Fate:
            found = [each.after for each in run.of(fate, lease)]
            if found and fate is not Fate.WITH_REGION:
                most = lease + _BEYOND_LEASE if fate.silent else _MOST_HANDED_OVER
                binding = fate is not Fate.RESIGNED  # a process of Python begins and asks first
                text = f"lease {lease} s, leader {fate}: another one leads within {most:g} s{STRIVEN * (not binding)}"
                yield Goal(text, f"{max(found):.2f} s at most", max(found) <= most, binding)
        changed = [each.changed for each in run.of(Fate.WITH_REGION, lease) if each.changed is not None]
        if changed:
            most = lease + _BEYOND_LEASE + _detection()
            yield Goal(
                f"lease {lease} s, leader and region killed: another answer within {most:g} s",
                f"{max(changed):.2f} s at most",
                max(changed) <= most,
            )


def _detection() -> float:
    """Seconds that it takes at most to see that a region was killed."""
    return SETTING.interval + (SETTING.fall - 1) * SETTING.recheck


def _cost_goals(run: MembersRun) -> Iterator[Goal]:
    alone, three = run.cost(1), run.cost(3)
    if three is None:
        return
    what, steady = f"{run.load.endpoints:,} endpoints, nothing happens", three.steady
    puts = steady.puts / steady.seconds
    yield Goal(f"{what}: at most {_MOST_PUTS:g} writes a second in etcd", f"{puts:.1f}", puts <= _MOST_PUTS)
    if alone is not None:
        ratio = max(_shares(steady)) / _shares(alone.steady)[0]
        text = f"{what}: no member of three takes more than {_MOST_CPU:g} times the CPU of one alone"
        yield Goal(text, f"{ratio:.2f} times", ratio <= _MOST_CPU)
        yield _storm_goal(run, alone, three)
    if three.handed_over is not None:
        yield Goal(
            f"{run.load.endpoints:,} endpoints, leader {Fate.TOLD}: another one leads within {_MOST_HANDED_OVER:g} s",
            f"{three.handed_over:.2f} s",
            three.handed_over <= _MOST_HANDED_OVER,
        )


def _storm_goal(run: MembersRun, alone: Cost, three: Cost) -> Goal:
    what = f"{run.load.endpoints:,} endpoints, a region fails: all answers changed within"
    if alone.all_moved is None or three.all_moved is None:
        moved = ", ".join(f"{each.moved:,} of {run.load.policies:,} with {each.members}" for each in (alone, three))
        return Goal(f"{what} {CHANGE_WITHIN:g} s", moved, reached=False)
    ratio = three.all_moved / alone.all_moved
    # striven for, as all of it runs on the processors of one machine
    text = f"{what} {_MOST_MOVING:g} times what one alone needs{STRIVEN}"
    return Goal(text, f"{ratio:.2f} times", ratio <= _MOST_MOVING, binding=False)


def _shares(period: Period) -> list[float]:
    """Of a core, for each member."""
    return [each / period.seconds for each in period.members]


def as_json(run: MembersRun) -> dict[str, Any]:
    """Everything raw, and the goals. Seconds and bytes."""
    return {
        "at": asdict(run.at),
        "beside": [asdict(each) for each in run.moved],
        "takeover": [asdict(each) for each in run.takeovers],
        "load": asdict(run.load),
        "cost": [asdict(each) for each in run.costs],
        "goals": [asdict(goal) for goal in goals(run)],
    }


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(run: MembersRun) -> str:
    """All of them, as Markdown; those alone of which something was measured."""
    return "\n\n".join([*_measured(run), goals_table(goals(run))])


def _measured(run: MembersRun) -> Iterator[str]:
    if run.moved or run.takeovers:
        yield _answers(run)
    if run.takeovers:
        yield _leaders(run)
    if run.costs:
        yield _periods(run)
        yield _storms(run)


def _answers(run: MembersRun) -> str:
    alone = run.delays(1)
    rows = [("one alone", alone), ("three", run.delays(3))]
    rows += [
        (
            f"three, the leader killed with the region, lease {lease} s",
            [each.changed for each in run.of(Fate.WITH_REGION, lease) if each.changed is not None],
        )
        for lease in run.leases
    ]
    head = ["members", "n", "median, s", "p95, s", "slowest, s", "median, of one alone's", "p95"]
    return table(head, [_answer(name, found, alone) for name, found in rows if found])


def _answer(name: str, found: Sequence[float], alone: Sequence[float]) -> list[str]:
    spread = Spread.of(found)
    cells = [name, str(len(found)), *(f"{each:.2f}" for each in (spread.median, spread.p95, max(found)))]
    if not alone or found is alone:
        return [*cells, "", ""]
    ratio = spread.over(Spread.of(alone))
    return [*cells, f"{ratio.median:.2f}", f"{ratio.p95:.2f}"]


def _leaders(run: MembersRun) -> str:
    head = ["the leader is", "setting", "n", "another one leads after, s: median", "fastest", "slowest"]
    rows = []
    for lease in run.leases:
        for fate in Fate:
            found = [each.after for each in run.of(fate, lease)]
            if found:
                times = (statistics.median(found), min(found), max(found))
                rows.append([str(fate), f"lease {lease} s", str(len(found)), *(f"{each:.2f}" for each in times)])
    return table(head, rows)


def _documented() -> str:
    return table(["who", "its defaults", "another one may lead after, s", "by"], _DOCUMENTED)


def _periods(run: MembersRun) -> str:
    head = ["members", "meanwhile", "watched, s", "probes a second", "CPU of the leader", "of each other"]
    etcd = ["of each etcd", "writes a second in etcd", "at most", "agreed on a second"]
    rows = [
        _period(cost, meanwhile, period)
        for cost in run.costs
        for meanwhile, period in (("nothing happens", cost.steady), ("a region fails", cost.failing))
    ]
    return table([*head, *etcd], rows)


def _period(cost: Cost, meanwhile: str, period: Period) -> list[str]:
    leader, *others = (f"{share:.1%}" for share in _shares(period))
    who = [str(cost.members), meanwhile, f"{period.seconds:.0f}", f"{period.probes / period.seconds:.0f}", leader]
    if not period.etcd:
        return [*who, "", "", "", "", ""]
    etcd = ", ".join(f"{each / period.seconds:.1%}" for each in period.etcd)
    puts, applied = (each / period.seconds for each in (period.puts, period.applied))
    return [*who, ", ".join(others), etcd, f"{puts:.1f}", f"{period.busiest:.0f}", f"{applied:.1f}"]


def _storms(run: MembersRun) -> str:
    head = ["members", "half of the records moved after, s", "all", "writes in etcd", "for each record"]
    rest = ["CPU of all members, s", "of all etcds, s", "resident, MB", "handed over (SIGTERM) in, s"]
    rows = [
        [
            str(cost.members),
            _after(cost, cost.half_moved),
            _after(cost, cost.all_moved),
            f"{cost.failing.puts:,}" if cost.failing.etcd else "",
            f"{cost.failing.puts / run.load.policies:.1f}" if cost.failing.etcd else "",
            f"{sum(cost.failing.members):.1f}",
            f"{sum(cost.failing.etcd):.1f}" if cost.failing.etcd else "",
            ", ".join(f"{each / 1e6:.0f}" for each in cost.memory),
            f"{cost.handed_over:.2f}" if cost.handed_over is not None else "",
        ]
        for cost in run.costs
    ]
    return table([*head, *rest], rows)


def _after(cost: Cost, seconds: float | None) -> str:
    return f"{seconds:.1f}" if seconds is not None else f"not within {CHANGE_WITHIN:g} s ({cost.moved:,} did)"


# -- the part of the page ----------------------------------------------------------------------------------------------


def part(run: MembersRun) -> str:
    """Its part of docs/performance.md."""
    measured = "\n\n".join(_measured(run))
    return f"""\
# What it takes to be three

Three members and an etcd of three beside one member alone, all of them processes on this one machine: there is no
distance between them, and all of them share its cores.

## What happens

- **A region is killed** (SIGKILL), under one alone and under three by turns, at random moments. Timed is from there
  until BIND, asked every 2 ms, gives another answer. Probes come every {SETTING.interval} s, {SETTING.fall} failures
  make an endpoint go down, and it is re-checked after {SETTING.recheck:g} s. The lease is {LEASE} s.
- **The leader goes**: timed is until another member tells in its log that it leads; it knows by then what the others
  knew, and may write. `failoverctl` is timed from its start. Who is frozen goes on afterwards, and follows.
- **Both at once**: the leader is killed in the moment in which the region is.
- **Cost**: {run.load.policies:,} policies of ten endpoints, in two regions, each endpoint probed every
  {run.load.every} s by each member: two cores do not carry three members, three etcds and who answers them at a shorter
  interval without being what is measured. First nothing happens; then the first region refuses every connection, and
  one record of each policy moves, at BIND, until 10 s after the last one. CPU is of one core. Writes are the keys that
  etcd counts; agreed on is what its log takes, renewed leases included.
- **Percentiles** are by nearest rank.

What two others say of themselves, with their defaults; this is quoted, not measured:

{_documented()}

## The run of the members

{run.at.in_words()}

{measured}

{goals_table(goals(run))}

`bench/members.py --help` says how to measure one part alone.
"""
