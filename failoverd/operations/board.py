"""What one screen has room for: the state at a glance, cut to what has to be seen first.

Everything is bounded, whatever burns: a screen that gets a thousand lines shows none of them. What is left out is
counted, and found by its name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from failoverd.core.health.region import RegionState
from failoverd.core.names import both_ways, failoverctl
from failoverd.core.status import Overview
from failoverd.operations import words
from failoverd.operations.concerns import SEVERITY, Concern, Condition
from failoverd.operations.glance import Glance, RegionLine, WordLine, glance
from failoverd.operations.record_lines import RecordLine

MOST_RECORDS: Final = 100
MOST_CONCERNS: Final = 50
MOST_WORDS: Final = 50
MOST_REGIONS: Final = 200


@dataclass(frozen=True, slots=True)
class RegionAtLarge:
    """A region of a cloud, over all policies and record types that use it.

    `state` is its worst, held since `since` for `why`; `states` counts policies by state; `seen` is as old as the
    oldest evidence, None while an endpoint of it never was seen. `practised` is how its last drill went. States are
    those that are decided on: what signals and alerts say is among them. `load`, `target`, `demand`, `room`,
    `capacity`, `short` and `latency` are as in `RegionLine`; of latencies the longest.
    """

    cloud: str
    region: str
    state: str
    states: Mapping[str, int]
    since: float
    why: str
    seen: float | None
    practised: str = ""
    practised_at: float | None = None
    load: float | None = None
    target: float | None = None
    demand: float | None = None
    room: float | None = None
    capacity: float | None = None
    short: tuple[str, ...] = ()
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """The glance, cut. `left` counts what is left out: records by level, and whatever else there is too much of.

    `stops` has the command that ends each override, or agrees to it, by id. `names`
    has those of records that are written in letters of their own, by how DNS writes them.
    """

    glance: Glance
    regions: tuple[RegionAtLarge, ...]
    stops: Mapping[str, str]
    left: Mapping[str, int]
    names: Mapping[str, str]


def board(found: Overview, now: float, name: str = "*") -> Board:
    """As the daemon sees it now. `name`: only records whose policy or name are like this glob, and their concerns."""
    whole = glance(found, now, by_daemon=True)
    records = [each for each in whole.records if fnmatchcase(each.policy, name) or fnmatchcase(each.record, name)]
    policies = {each.policy for each in records}
    concerns = [each for each in whole.concerns if not each.policy or name == "*" or each.policy in policies]
    said = whole.overrides
    shown, left_records = _records(records)
    left = Counter({f"records_{level}": many for level, many in left_records.items()})
    for what, there, most in (
        ("concerns", len(concerns), MOST_CONCERNS),
        ("overrides", len(said), MOST_WORDS),
    ):
        left[what] = max(0, there - most)
    regions = regions_at_large(each for each in whole.regions if name == "*" or each.policy in policies)
    left["regions"] = max(0, len(regions) - MOST_REGIONS)
    return Board(
        glance=replace(whole, records=shown, concerns=_concerns(concerns), regions=(), overrides=said[:MOST_WORDS]),
        regions=regions[:MOST_REGIONS],
        stops={word.id: _stop(word) for word in said[:MOST_WORDS]},
        left={what: many for what, many in left.items() if many},
        names={each.record: told for each in shown if (told := both_ways(each.record)) != each.record},
    )


def _concerns(found: Sequence[Concern]) -> tuple[Concern, ...]:
    """They come the worst first."""
    return tuple(found[:MOST_CONCERNS])


def _records(found: Iterable[RecordLine]) -> tuple[tuple[RecordLine, ...], Mapping[Condition, int]]:
    """The worst first; and how many are left out of each level."""
    ordered = sorted(found, key=lambda each: (-SEVERITY.index(each.level), each.policy, each.record, each.type))
    return tuple(ordered[:MOST_RECORDS]), Counter(each.level for each in ordered[MOST_RECORDS:])


def _stop(word: WordLine) -> str:
    return failoverctl("agree" if word.state is words.WordStanding.PENDING else "release", word.id)


_BADNESS: Final = (RegionState.HEALTHY, RegionState.UNKNOWN, RegionState.DEGRADED, RegionState.DOWN)


def regions_at_large(lines: Iterable[RegionLine]) -> tuple[RegionAtLarge, ...]:
    """By cloud and name; within a cloud the worst first."""
    found: dict[tuple[str, str], list[RegionLine]] = {}
    for each in lines:
        found.setdefault((each.cloud, each.region), []).append(each)
    made = [_at_large(cloud, region, of_it) for (cloud, region), of_it in found.items()]
    return tuple(sorted(made, key=lambda each: (each.cloud, -_bad(each.state), each.region)))


def _bad(state: str) -> int:
    return _BADNESS.index(RegionState(state))


def _at_large(cloud: str, region: str, lines: Sequence[RegionLine]) -> RegionAtLarge:
    worst = max(lines, key=lambda each: (_bad(each.effective), each.since))
    of_policy: dict[str, str] = {}
    for each in lines:
        of_policy[each.policy] = max(of_policy.get(each.policy, each.effective), each.effective, key=_bad)
    seen = [each.seen for each in lines]
    drill = max((each for each in lines if each.practised), key=lambda each: each.practised_at or 0.0, default=None)
    return RegionAtLarge(
        cloud=cloud,
        region=region,
        state=worst.effective,
        states=Counter(of_policy.values()),
        since=worst.since,
        why=worst.taken_why or worst.why,
        seen=min((at for at in seen if at is not None), default=None) if None not in seen else None,
        practised=drill.practised if drill is not None else "",
        practised_at=drill.practised_at if drill is not None else None,
        load=worst.load,
        target=worst.target,
        demand=worst.demand,
        room=worst.room,
        capacity=worst.capacity,
        short=worst.short,
        latency=max((each.latency for each in lines if each.latency is not None), default=None),
    )
