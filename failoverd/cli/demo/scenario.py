"""The demo's script: watch, break a region, watch the traffic leave, heal it, watch it return, tell what happened."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from failoverd.app import Daemon
from failoverd.cli.demo.surroundings import POLICY, RECORD, REGIONS, DemoRegion, DnsClient, free_ports, write_files
from failoverd.core.errors import FailoverdError
from failoverd.core.events import ChangeApplied, Event, IncidentClosed
from failoverd.telemetry import prose

E = TypeVar("E", bound=Event)

VICTIM: Final = "127.86.0.1"
ASK_EVERY: Final = 0.01
MEASURE: Final = 4.0
"""Seconds that the shares of one phase are measured for: some 300 queries."""

LONGEST_STEP: Final = 20.0
"""Seconds after which a step that does not come is a failure of the demo."""


LAST_EVENTS: Final = 8
"""How many events are shown of a demo that failed."""


class DemoStage(Protocol):
    """Who shows the demo: a live terminal view, or nobody."""

    def say(self, text: str) -> None: ...

    def take(self, event: Event) -> None: ...

    def begin(self, world: "DemoWorld") -> None: ...

    def end(self) -> None: ...


@dataclass(slots=True)
class DemoWorld:
    """Everything that runs during the demo."""

    daemon: Daemon
    life: asyncio.Task[None]
    dns: DnsClient
    regions: dict[str, DemoRegion]
    events: list[Event] = field(default_factory=list)

    @property
    def changes(self) -> list[ChangeApplied]:
        return self.told(ChangeApplied)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


async def play(
    stage: DemoStage, show: Callable[[dict[str, Any]], None], *, dns_port: int | None, keep_running: bool
) -> bool:
    """Play the demo and hand what it measured to `show`; then leave, or keep everything up until the daemon is stopped.

    False when the daemon was told to stop (Ctrl-C) before the end of the script.

    Raises:
        FailoverdError: a port is taken, a step did not come in time, or the daemon ended by itself.
    """
    with tempfile.TemporaryDirectory(prefix="failoverd-demo-") as folder:
        async with _world(Path(folder), stage, dns_port) as world:
            script = asyncio.create_task(_script(world, stage))
            await asyncio.wait({script, world.life}, return_when=asyncio.FIRST_COMPLETED)
            if not script.done():
                await _end(script)
                await world.life  # whatever it died of is raised here
                return False
            result = await script
            stage.end()
            show(result)
            if keep_running:
                await world.life
            return True


@asynccontextmanager
async def _world(folder: Path, stage: DemoStage, dns_port: int | None) -> AsyncIterator[DemoWorld]:
    dns_port, http_port = free_ports(dns_port)
    regions = {address: DemoRegion(name, address, http_port) for address, name in REGIONS.items()}
    async with AsyncExitStack() as stack:
        for region in regions.values():
            await region.start()
            stack.callback(region.stop)
        events: list[Event] = []
        daemon = Daemon(write_files(folder, dns_port, http_port), [events.append, stage.take])
        world = DemoWorld(daemon, asyncio.create_task(daemon.run()), DnsClient(dns_port), regions, events)
        asking = asyncio.create_task(world.dns.ask_on(ASK_EVERY))
        try:
            stage.begin(world)
            yield world
        finally:
            await _end(asking)
            stage.end()
            daemon.stop("the demo is over")
            await asyncio.gather(world.life, return_exceptions=True)


async def _end(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _script(world: DemoWorld, stage: DemoStage) -> dict[str, Any]:
    victim = world.regions[VICTIM]
    stage.say("three regions start; nothing is published before their health is known")
    await _until(world, "the first answer", lambda: _true(world.changes))
    stage.say("all regions are healthy: this is how the traffic is shared on a good day")
    before = await _measure(world)

    stage.say(f"now {victim.name} breaks: its load balancer refuses every connection")
    generation = await world.dns.generation()
    fault_at, fault_clock = time.time(), time.perf_counter()
    victim.stop()
    await _until(world, f"an answer without {victim.name}", lambda: _newer(world.dns, generation))
    took = time.perf_counter() - fault_clock
    stage.say(f"{took:.2f}s later the authoritative answer has changed: {victim.name} is out")
    during = await _measure(world)

    stage.say(f"{victim.name} heals; it has to stay well for 5s before it gets traffic")
    generation = await world.dns.generation()
    await victim.start()
    await _until(world, f"an answer with {victim.name} again", lambda: _newer(world.dns, generation))
    await _until(world, "the end of the incident", lambda: _true(world.told(IncidentClosed)))
    stage.say(f"{victim.name} is back; the incident is closed")
    after = await _measure(world)
    return {
        "policy": POLICY,
        "record": f"{RECORD} A",
        "fault_at": fault_at,
        "answer_changed_after_s": round(took, 3),
        "shares": {"before": before, "during": during, "after": after},
        "changes": [{"event": change.name, **prose.facts(change)} for change in world.changes],
        "dns": {"address": "127.0.0.1", "port": world.dns.port},
    }


async def _measure(world: DemoWorld) -> dict[str, float]:
    """The shares that real queries get from now on, over `MEASURE` seconds."""
    world.dns.tally.clear()
    await asyncio.sleep(MEASURE)
    return world.dns.shares()


async def _until(world: DemoWorld, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so. It is seen from outside, by DNS queries, so there is no event to be told by."""
    try:
        async with asyncio.timeout(LONGEST_STEP):
            while not await condition():  # noqa: ASYNC110 - the server under observation has no event to wait for
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError:
        said = "".join(f"\n  {event.name}: {prose.say(event)}" for event in world.events[-LAST_EVENTS:]) or " nothing"
        raise FailoverdError(
            f"{what} did not come within {LONGEST_STEP:g}s; the last that the daemon said:{said}",
            reason="demo_stuck",
            remedy="try again when this machine is less busy; if it stays, please report it with these lines",
        ) from None


async def _newer(client: DnsClient, generation: int) -> bool:
    return await client.generation() > generation


async def _true(value: object) -> bool:
    return bool(value)
