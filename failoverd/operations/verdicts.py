"""How endpoints are now, for who has no daemon to ask: probed from here, with the daemon's own machinery."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from failoverd.core.control.state import Verdicts
from failoverd.core.errors import FailoverdError, classified
from failoverd.core.events import Event
from failoverd.core.health.endpoint import Health
from failoverd.core.health.isolation import SENTINEL_RULES, SENTINELS
from failoverd.core.health.region import RegionHealth
from failoverd.core.health.table import HealthTable
from failoverd.core.records import Policy
from failoverd.operations.waiting import Stage, Waiting
from failoverd.runtime.health_board import HealthBoard
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.probing import Probing
from failoverd.runtime.scheduling import ApTimetable
from failoverd.runtime.states import States

if TYPE_CHECKING:
    from failoverd.operations.session import Session


def _with_past(now: Verdicts, before: Verdicts, *, believed: bool) -> Verdicts:
    """Since when a region has been well is not seen in one probe: a daemon that is alive knows it."""
    if not believed:
        return now

    def past(health: RegionHealth, earlier: RegionHealth | None) -> RegionHealth:
        if earlier is None or earlier.well_since is None or not (health.serves and earlier.serves):
            return health
        return replace(health, well_since=earlier.well_since)

    return {
        kind: {name: past(health, before.get(kind, {}).get(name)) for name, health in regions.items()}
        for kind, regions in now.items()
    }


async def probed(
    session: "Session", policies: Sequence[Policy], failed: tuple[str, ...]
) -> Mapping[str, Verdicts | FailoverdError]:
    """Probe every endpoint of the policies until each has a verdict, or as long as that can take.

    As in the daemon, what the sentinels and the other clouds show decides whether failures are believed. What the
    journal holds is read again at the end. `failed` is what went wrong before, to be told meanwhile.
    """
    news, told = asyncio.Event(), list[Event]()
    config, clock = session.config, session.clock

    def wake(_: str, *, more: bool) -> None:  # noqa: ARG001 - every verdict is news to who waits for the last one
        news.set()

    # transitions on the way to a first verdict are nobody's news, and nobody's incident
    states = States(session.journal, told.append, session.states.overrides)
    sentinels = tuple((sentinel.endpoint, sentinel.check) for sentinel in config.sentinels)
    table = HealthTable(clock(), config.isolation, sentinels)
    board = HealthBoard(told.append, clock, Incidents(states, clock), wake, table)
    unequipped: dict[str, FailoverdError] = {}
    with ApTimetable(told.append, clock) as timetable:
        probing = Probing(timetable, board, clock)
        try:
            if sentinels:
                equipped = session.equip(SENTINELS, [check for _, check in sentinels])
                probing.watch(SENTINELS, sentinels, SENTINEL_RULES, equipped)
            for policy in policies:
                try:
                    equipped = session.equip(policy.name, [check for _, check in policy.probes()])
                except Exception as error:  # noqa: BLE001 - classified, and told for this policy alone
                    unequipped[policy.name] = classified(error)
                    continue
                board.watch(policy)
                probing.watch(policy.name, policy.probes(), policy.health, equipped)
            watched = [policy for policy in policies if policy.name not in unequipped]
            await _until_decided(session, board, watched, news, failed)
        finally:
            await probing.close()
    await session.remember()  # probing took its time, and a daemon went on
    believed = session.alive()
    health = {
        policy.name: _with_past(verdicts_of(policy, board), session.states.of(policy.name).verdicts, believed=believed)
        for policy in watched
    }
    return {**health, **unequipped}


async def _until_decided(
    session: "Session", board: HealthBoard, policies: Sequence[Policy], news: asyncio.Event, failed: tuple[str, ...]
) -> None:
    """What has no verdict by the end of patience is told by the decision, which holds."""
    patience = max((_patience(policy) for policy in policies), default=0.0)
    try:
        async with asyncio.timeout(patience):
            while any(board.undecided(policy.name) for policy in policies):
                verdicts = [each for policy in policies for each in board.table.verdicts(policy.name).values()]
                seen = sum(verdict.state is not Health.UNKNOWN for verdict in verdicts)
                session.waits(Waiting(Stage.PROBING, seen, len(verdicts), patience, failed))
                await news.wait()
                news.clear()
    except TimeoutError:
        return


def _patience(policy: Policy) -> float:
    slowest = max(check.timeout for check in policy.checks)
    return (policy.health.rise + policy.health.fall) * (policy.health.recheck + slowest) + 1.0


def verdicts_of(policy: Policy, board: HealthBoard) -> Verdicts:
    """What a board knows of the regions of a policy."""
    types = sorted({record.key.type for record in policy.records})
    return {record_type: board.regions(policy.name, record_type) for record_type in types}
