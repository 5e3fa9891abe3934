"""One test of a policy, played: what was different from what it says, and what was at work meanwhile."""

import asyncio
from dataclasses import dataclass, replace

from failoverd.config.loader import Config, PolicySet
from failoverd.config.schema.test_file import NeverEntry
from failoverd.config.test_files import PolicyTest
from failoverd.core.errors import FailoverdError, describe
from failoverd.core.events import ChangeApplied
from failoverd.simulation.coverage import shown
from failoverd.simulation.crowding import Crowded, crowded
from failoverd.simulation.expectations import Difference, compare, never_so
from failoverd.simulation.paper_source import Gauged
from failoverd.simulation.rehearsal import NOON, SETTLING, Rehearsal, Site, before, rehearsing
from failoverd.simulation.virtual_time import elapse, now, run
from failoverd.simulation.zonefile import Write


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a test.

    Attributes:
        test: which.
        differences: what was not as it says.
        changes: what moved, in the order of time, seconds since the test began.
        shown: parts of the policies that were at work, by policy (`simulation.coverage`).
        error: why it could not be played; "" when it was.
    """

    test: PolicyTest
    differences: tuple[Difference, ...] = ()
    changes: tuple[tuple[float, ChangeApplied], ...] = ()
    shown: tuple[tuple[str, frozenset[str]], ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.differences and not self.error


def site_of(found: PolicySet, config: Config | None = None) -> Site:
    """What these files say; with a daemon's configuration, as that one would heed them."""
    site = Site(found.policies, found.rules or (), found.maintenance or (), found.practices or ())
    if config is None:
        return site
    sentinels = tuple((sentinel.endpoint, sentinel.check) for sentinel in config.sentinels)
    sources = {name: said.every for name, said in config.prometheus.items()}
    return replace(site, isolation=config.isolation, sentinels=sentinels, tick=config.tick, sources=sources)


def play(test: PolicyTest, site: Site) -> TrialResult:
    """Play it, on a clock of its own."""
    site = replace(site, gauged=Gauged(test.policy, test.entry.measured, test.entry.interval))
    try:
        starts = before(site, _begins(test))
        return run(_play(test, site), starts)
    except FailoverdError as error:
        return TrialResult(
            test, error=f"{error.detail} ({error.reason})" + (f": {error.remedy}" if error.remedy else "")
        )
    except Exception as error:  # noqa: BLE001 - a defect of one test, or of ours, stays with it
        return TrialResult(
            test, error=f"failoverd stumbled over it: {describe(error)}; please report it with the files"
        )


def _begins(test: PolicyTest) -> float:
    return test.entry.given.at or NOON


async def _play(test: PolicyTest, site: Site) -> TrialResult:
    entry, policy = test.entry, test.policy
    differences: list[Difference] = []
    async with rehearsing(site, entry.given, policy, _begins(test)) as rehearsal:
        watched = _Watched(rehearsal)
        demands = entry.demands(policy)
        rehearsal.play(entry.series, entry.interval)
        for at in sorted({*demands, *entry.happens, *entry.at, entry.lasts}):
            if at > entry.lasts:
                break
            await elapse(max(0.0, rehearsal.began + at - now()))
            if at in demands and at > 0:
                await rehearsal.demand(demands[at])
            if at in entry.happens:
                await rehearsal.happen(entry.happens[at], policy)
            if at in entry.at:
                await rehearsal.settle()
                differences += compare(at, entry.at[at], rehearsal, policy)
        await rehearsal.settle()
        watched.look()
        differences += never_so(entry.never or NeverEntry(), rehearsal, policy, watched.overloads)
        changes = tuple((round(each.at - rehearsal.began, 3), each) for each in rehearsal.changes(policy))
        seen = tuple((name, shown(found, rehearsal.events)) for name, found in rehearsal.site.policies.items())
    return TrialResult(test, tuple(differences), changes, seen)


class _Watched:
    """Whether a region has too much, looked at after each write: once the others of the same moment are done, too."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.overloads: list[Crowded] = []
        self._rehearsal = rehearsal
        self._waits = False
        for zonefile in rehearsal.zonefiles.values():
            zonefile.heard = self._hear

    def _hear(self, _: Write) -> None:
        if not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_later(SETTLING, self.look)

    def look(self) -> None:
        self._waits = False
        rehearsal = self._rehearsal
        claims = [claim for claim, _ in rehearsal.daemon.engine.shared.standing.values()]
        tiers = {name: policy.tier for name, policy in rehearsal.site.policies.items()}
        self.overloads += crowded(claims, rehearsal.shares, tiers, rehearsal.elapsed)
