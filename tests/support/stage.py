"""A simulated daemon, its usual policy, and what a test asks about both."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from support import virtual
from support.approving import limits

from failoverd.core.events import Event
from failoverd.core.records import (
    Check,
    Endpoint,
    HealthRules,
    Policy,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Source,
    Target,
)
from failoverd.core.status import TargetStatus
from failoverd.ports import Urgency
from failoverd.simulation.simulated_daemon import TICK, SimulatedDaemon
from failoverd.simulation.world import Does

ZONE = "example.com"

E = TypeVar("E", bound=Event)

AZURE, OCI, AWS = "192.0.2.10", "198.51.100.10", "203.0.113.10"
"""One endpoint in each region of the usual policy."""

RULES = HealthRules(fall=3, rise=2, recheck=0.5)
LIVE = Check("live", "https", every=10.0, timeout=2.0)


def endpoints(region: str, *addresses: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(region, address) for address in addresses)


def regions(**shares: tuple[float, str]) -> tuple[RegionSpec, ...]:
    """`azure=(70, "192.0.2.10")`: share in percent, and addresses separated by blanks."""
    return tuple(
        RegionSpec(name, round(share * 100), endpoints(name, *addresses.split()))
        for name, (share, addresses) in shares.items()
    )


def record(
    policy: str, name: str, *providers: str, record_type: RecordType = RecordType.A, zone: str = ZONE
) -> RecordSpec:
    key = RecordKey(name, record_type)
    return RecordSpec(key, 30, tuple(Target(policy, key, provider, zone) for provider in providers or ("dns-main",)))


def policy(name: str = "api", *, provider: str = "dns-main", zone: str = ZONE, **changes: object) -> Policy:
    """Two regions, 70 to 30, one record; anything can be said otherwise."""
    settings: dict[str, object] = {
        "records": (record(name, f"{name}.{zone}", provider, zone=zone),),
        "regions": regions(azure=(70, AZURE), oci=(30, OCI)),
        "checks": (LIVE,),
        "health": RULES,
        "failback_after": 60.0,
        "limits": limits(max_changes=50),
        "source": Source(f"policies/{name}.yaml", "r1", {"limits.max_changes": 24, "health.down_below": 18}),
    }
    return Policy(name, **(settings | changes))  # type: ignore[arg-type]


def target(of: Policy, number: int = 0) -> Target:
    """One of the policy's targets, in the order of the file."""
    return [found for spec in of.records for found in spec.targets][number]


class Stage(SimulatedDaemon):
    """One daemon at work, and what a test asks about it."""

    def emit(self, event: Event) -> None:
        self.engine.emit(event)

    def told(self, kind: type[E]) -> list[E]:
        """Every event of that kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def shares(self, of: Policy, number: int = 0) -> dict[str, float]:
        """What the record answers now, in percent by region."""
        at = target(of, number)
        found = self.zonefile.shares(at, of.region_of(at.key.type))
        return {name: share / 100 for name, share in found.items()}

    def generation(self, of: Policy, number: int = 0) -> int:
        return self.zonefile.generation(target(of, number))

    def wake(self, name: str, urgency: Urgency = Urgency.FAIL_OUT) -> None:
        self.reconcilers[name].wake(urgency)

    def steers(self, of: Policy, **shares: float) -> Callable[[], bool]:
        """A condition to wait for: the record answers that, and the round which made it so is over."""
        return lambda: self.shares(of) == shares and not self.reconcilers[of.name].busy

    def fails(self, *addresses: str) -> None:
        self.world.let(Does.REFUSE, *addresses)

    def heals(self, *addresses: str) -> None:
        self.world.let(Does.ANSWER, *addresses)


@asynccontextmanager
async def playing(*policies: Policy, stage: Stage | None = None) -> AsyncIterator[Stage]:
    """A daemon that runs the policies until the scenario ends."""
    stage = stage or Stage()
    stage.start(*policies)
    try:
        await stage.booted()
        yield stage
    finally:
        await stage.kill()


# -- the usual scene ---------------------------------------------------------------------------------------------------

API = policy()
AT = target(API)
NORMAL = {"azure": 70.0, "oci": 30.0}
SECOND = "192.0.2.11"


def status(stage: Stage, number: int = 0, name: str = "api") -> TargetStatus:
    """Where the target stood after its last round."""
    return stage.reconcilers[name].statuses()[number]


async def normal(stage: Stage) -> None:
    """Everything is published as the file says, and the first excitement is over."""
    await virtual.until(lambda: all(len(found.statuses()) for found in stage.reconcilers.values()))
    await virtual.until(stage.steers(API, **NORMAL))
    await asyncio.sleep(2 * TICK)
