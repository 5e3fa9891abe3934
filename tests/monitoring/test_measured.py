"""A real Prometheus scrapes three inference servers under load: what it says moves weights; killed, it moves nothing.

Everything between Prometheus and the answer is real: the queries, what is believed, and the decision. What runs on a
clock of its own is only Prometheus.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web
from support.prometheus import Prometheus, prometheus
from support.scenes import policy, region
from support.servers import free_port
from support.stories import Story

from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.signals import BurnFinding
from failoverd.core.events import Event, SignalLost
from failoverd.core.health.region import RegionHealth
from failoverd.core.measures import ErrorBudget, Load, Measure, Signals
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import RecordType
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.measuring import Measuring
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States
from failoverd.signals.prometheus import PrometheusSource, asking
from failoverd.simulation.paper_journal import PaperJournal

EVERY = 0.25
PATIENCE = 40.0
DEMAND = Measure("sum(rate(requests_total[2s]))", "main", declared=1_000)
CAPACITY = Measure('sum(slots{region="$region"})', "main", declared=900)
RATIO = 'sum by (region) (rate(requests_total{code="500"}[$window])) / sum by (region) (rate(requests_total[$window]))'
ERRORS = ErrorBudget(RATIO, "sum by (region) (increase(requests_total[$window]))", "main", over=3.0, short=1.0)
QUEUE = Load("avg by (region) (queue)", "main", low=10, high=50)
SERVICE = policy(
    *(
        replace(region(name, share, capacity=900), measure=CAPACITY)
        for name, share in (("azure", 50), ("oci", 30), ("aws", 20))
    )
)
SERVICE = replace(SERVICE, demand=1_000.0, measure=DEMAND, signals=Signals(errors=ERRORS, room=QUEUE))


@dataclass
class Inference:
    """A server under load: so many requests a second come, of which a part fails."""

    region: str
    rate: float
    slots: float
    queue: float = 0.0
    errors: float = 0.0
    port: int = field(default_factory=free_port)
    counted: dict[str, float] = field(default_factory=lambda: {"200": 0.0, "500": 0.0})
    at: float = field(default_factory=time.monotonic)

    async def metrics(self, _: web.Request) -> web.Response:
        now = time.monotonic()
        came, self.at = self.rate * (now - self.at), now
        self.counted["500"] += came * self.errors
        self.counted["200"] += came * (1 - self.errors)
        lines = [f'requests_total{{region="{self.region}",code="{code}"}} {n}' for code, n in self.counted.items()]
        lines += [f'{name}{{region="{self.region}"}} {getattr(self, name)}' for name in ("slots", "queue")]
        return web.Response(text="\n".join([*lines, ""]))


class Well:
    """Probes find every region well."""

    def regions(self, _policy: str, _record_type: RecordType) -> Mapping[str, RegionHealth]:
        return {}

    def calm(self, _policy: str, _aside: object = ()) -> bool:
        return True


class Steered:
    """A policy whose figures and errors come from Prometheus."""

    def __init__(self, source: PrometheusSource) -> None:
        self.events: list[Event] = []
        self.story = Story(SERVICE, now=time.time())
        writer = JournalWriter(PaperJournal(), self.events.append, time.time)
        self.states = States(writer, self.events.append, Overrides(writer, self.events.append, time.time))
        policies = {SERVICE.name: self.story.policy}
        self.measuring = Measuring(
            {"main": source},
            self.states,
            Well(),
            lambda: policies,
            Incidents(self.states, time.time),
            lambda _name, _urgency: None,
            self.events.append,
            time.time,
        )
        self.story.look()

    async def wanted(self) -> dict[str, int]:
        """Percent by region that is decided on, by what is measured now."""
        await self.measuring.look("main")
        story = self.story
        story.state = replace(story.state, signalled=self.states.signalled(SERVICE.name))
        story.now = time.time()
        return {name: round(share / 100) for name, share in story.asked().decision.shares.items()}

    def publish(self) -> None:
        """What is wanted is answered."""
        assert self.story.look().kind is OutcomeKind.WRITE

    async def until(self, fits: Callable[[dict[str, int]], object]) -> dict[str, int]:
        """What is wanted once that is so."""
        async with asyncio.timeout(PATIENCE):
            while not fits(found := await self.wanted()):  # noqa: ASYNC110 - Prometheus scrapes in its own time
                await asyncio.sleep(EVERY)
            return found

    @property
    def codes(self) -> list[ReasonCode]:
        return [reason.code for reason in self.story.asked().reasons]

    def demand(self) -> float:
        reading = self.states.signalled(SERVICE.name).readings.get("demand")
        return reading.values[""] if reading is not None else 0.0

    def burn(self, name: str) -> BurnFinding:
        found = self.states.signalled(SERVICE.name).burns.get(name)
        return found.found if found is not None else BurnFinding.UNKNOWN


def about(percent: int) -> Callable[[int], bool]:
    return lambda found: abs(found - percent) <= 2


async def test_capacity_demand_and_errors_move_weights_and_a_killed_prometheus_moves_nothing() -> None:
    servers = [Inference("azure", 400, 900), Inference("oci", 240, 600), Inference("aws", 160, 900)]
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(served(server))
        running = stack.enter_context(prometheus([server.port for server in servers]))
        session = await stack.enter_async_context(asking())
        source = PrometheusSource(session, f"http://127.0.0.1:{running.port}", EVERY, timeout=2.0)
        await _told_by(Steered(source), servers, running)


async def _told_by(at_work: Steered, servers: list[Inference], running: Prometheus) -> None:
    azure, oci, aws = servers

    # a good day: 800 requests a second, which fit
    found = await at_work.until(lambda _: 700 < at_work.demand() < 900 and at_work.burn("azure") is BurnFinding.WELL)
    assert found == {"azure": 50, "oci": 30, "aws": 20}

    # capacity: of 800, oci carries 80; the rest is 50 to 20
    oci.slots = 80
    found = await at_work.until(lambda wanted: wanted["oci"] <= 12)
    assert all(about(percent)(found[name]) for name, percent in (("azure", 64), ("oci", 10), ("aws", 26)))
    oci.slots = 600

    # demand: 2,000 are more than azure's 900 are half of
    azure.rate, oci.rate, aws.rate = 1_000, 600, 400
    found = await at_work.until(lambda _: at_work.demand() > 1_900)
    assert about(45)(found["azure"])
    azure.rate, oci.rate, aws.rate = 400, 240, 160
    await at_work.until(lambda _: at_work.demand() < 900)

    # load: a queue halfway between low and high leaves half of the room, 450 of 800; a bit less than its half wants
    azure.queue = 35
    found = await at_work.until(lambda wanted: wanted["azure"] < 50)
    assert about(42)(found["azure"])
    azure.queue = 0
    await at_work.until(lambda wanted: wanted["azure"] == 50)

    # a bad deploy is the same everywhere, and moves nothing
    azure.errors, oci.errors, aws.errors = 0.3, 0.28, 0.32
    found = await at_work.until(lambda _: at_work.burn("aws") is BurnFinding.SAME)
    assert found == {"azure": 50, "oci": 30, "aws": 20}
    assert ReasonCode.SAME_EVERYWHERE in at_work.codes

    # the deploy is taken back, but in azure, which has 600 now: it carries half of that, 300 of 800
    azure.slots = 600
    oci.errors = aws.errors = 0.0
    found = await at_work.until(lambda wanted: wanted["azure"] < 42)
    assert at_work.burn("azure") is BurnFinding.DEGRADED
    assert about(37)(found["azure"])

    # Prometheus is killed: the figures stay as they were, and so does what is answered
    at_work.publish()
    before, answered = at_work.demand(), at_work.story.published
    running.process.kill()
    await at_work.until(lambda _: ReasonCode.UNMEASURED in at_work.codes)
    assert at_work.story.asked().kind is OutcomeKind.IN_SYNC
    assert at_work.story.published == answered
    assert at_work.demand() == before
    assert at_work.codes.count(ReasonCode.LAST_VALUE) == 4
    await at_work.until(lambda _: any(isinstance(event, SignalLost) for event in at_work.events))
    *_, lost = [event for event in at_work.events if isinstance(event, SignalLost)]
    assert (lost.reason, lost.count) == ("unreachable", 8)


@asynccontextmanager
async def served(server: Inference) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/metrics", server.metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", server.port).start()
    try:
        yield
    finally:
        await runner.cleanup()
