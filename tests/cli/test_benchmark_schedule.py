"""When a benchmark sends: at times that were fixed before, whatever the answers do."""

import asyncio
from collections.abc import Sequence

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from support.probers import PaperLedger
from support.virtual import until, virtually

from failoverd.cli.benchmarking.open_loop import Run, Runner
from failoverd.cli.benchmarking.schedule import BenchmarkPlan, Prices, announce, make_plan
from failoverd.cli.spending import Counting
from failoverd.config.schema.inventory_file import Region
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, Policy, ProbeResult, RegionSpec, Timings
from failoverd.ports import Cancel, Tell
from failoverd.probes.inference_check.inference_settings import InferenceSettings
from failoverd.simulation.virtual_time import now

HTTP = Check("live", "http", 10.0, 2.0)


class Answering:
    """A prober whose looks take a time of their own, one after the other from a list; the last goes on."""

    def __init__(self, *takes: float) -> None:
        self._takes = takes
        self.began: list[float] = []
        self.under_way = self.most = 0
        self.abandoned = 0

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        takes = self._takes[min(len(self.began), len(self._takes) - 1)]
        self.began.append(now())
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def end() -> None:
            self.under_way -= 1
            tell(ProbeResult(endpoint, "live", ProbeOutcome.PASS, ProbeReason.OK, Timings(takes), now()))

        timer = asyncio.get_running_loop().call_later(takes, end)

        def cancel() -> None:
            timer.cancel()
            self.abandoned += 1

        return cancel


def region(name: str, endpoints: int = 1) -> RegionSpec:
    return RegionSpec(name, 5_000, tuple(Endpoint(name, f"127.0.0.{place + 1}", 80) for place in range(endpoints)))


def plan(*regions: RegionSpec, seconds: float, rate: float, check: Check = HTTP) -> BenchmarkPlan:
    clouds = {each.name: "azure" for each in regions}
    return BenchmarkPlan("api", check, regions, clouds, {each.name: Prices() for each in regions}, seconds, rate)


async def played(asked: BenchmarkPlan, room: int = 1_000, **probers: Answering) -> Run:
    return await Runner(asked, probers, room).run(asyncio.Event())


# -- due times ---------------------------------------------------------------------------------------------------------


@virtually
async def test_requests_fall_due_evenly_and_endpoints_take_turns() -> None:
    west, east, began = Answering(0.01), Answering(0.01), now()
    run = await played(plan(region("west"), region("east"), seconds=2.0, rate=2.0), west=west, east=east)
    assert [at - began for at in west.began] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert [at - began for at in east.began] == pytest.approx([0.25, 0.75, 1.25, 1.75])
    assert run.seconds == pytest.approx(2.0)
    assert (len(run.samples), run.interrupted) == (8, False)


@virtually
async def test_a_time_shorter_than_a_pause_is_kept_by_asking_each_endpoint_once_within_it() -> None:
    west, east, began = Answering(0.01), Answering(0.01), now()
    asked = plan(region("west"), region("east"), seconds=0.5, rate=0.5)
    run = await played(asked, west=west, east=east)
    assert [at - began for at in (*west.began, *east.began)] == pytest.approx([0.0, 0.25])
    assert run.seconds == pytest.approx(0.5)
    assert announce(asked)[:2] == [
        "api: 2 requests of check live (http) within 0.5s",
        "1 to each of 2 endpoints (west 1, east 1), 4/s in all",
    ]
    assert announce(asked)[-1] == "the last answers are waited for up to 2s more"


@given(st.floats(0.01, 20.0), st.floats(0.05, 50.0), st.integers(1, 10))
def test_all_that_is_announced_falls_due_within_the_time(seconds: float, rate: float, endpoints: int) -> None:
    asked = plan(region("west", endpoints), seconds=seconds, rate=rate)
    due = [at for at, _ in asked.schedule()]
    assert len(due) == asked.total
    assert due == sorted(due)
    assert 0.0 == due[0] <= due[-1] < seconds * (1 + 1e-9)


@virtually
async def test_the_schedule_does_not_wait_for_answers() -> None:
    slow, began = Answering(30.0), now()
    run = await played(plan(region("west"), seconds=3.0, rate=10.0), west=slow)
    assert [at - began for at in slow.began] == pytest.approx([each / 10 for each in range(30)])
    assert run.seconds == pytest.approx(32.9)


@virtually
async def test_what_waits_for_its_turn_is_counted_from_when_it_was_due() -> None:
    """One hangs for 2 s, and only one at a time may be under way: those behind it have waited."""
    stuck = Answering(2.0, 0.1)
    run = await played(plan(region("west"), seconds=4.0, rate=2.0), room=1, west=stuck)
    waited = [sample.since_due for sample in run.samples]
    assert waited[:4] == pytest.approx([2.0, 1.6, 1.2, 0.8])
    assert [sample.timings.total for sample in run.samples[:2]] == [2.0, 0.1]
    assert waited[-1] == pytest.approx(0.1)
    assert stuck.most == 1


@virtually
async def test_a_region_that_hangs_holds_up_no_other() -> None:
    hanging, quick = Answering(1_000.0), Answering(0.01)
    asked = plan(region("west"), region("east"), seconds=10.0, rate=10.0)
    run = await played(asked, room=20, west=hanging, east=quick)
    assert len(quick.began) == 100
    assert hanging.most == len(hanging.began) == 10
    assert run.unsent == {"west": 90}
    assert max(sample.since_due for sample in run.samples if sample.endpoint.region == "east") < 0.02


@virtually
async def test_ended_early_it_has_what_is_known_and_abandons_what_is_under_way() -> None:
    prober, stop = Answering(1.5), asyncio.Event()
    runner = Runner(plan(region("west"), seconds=600.0, rate=1.0), {"west": prober})
    running = asyncio.create_task(runner.run(stop))
    await until(lambda: runner.answers == 3)
    stop.set()
    run = await running
    assert (len(run.samples), run.interrupted) == (3, True)
    assert run.abandoned == prober.abandoned == 1
    assert run.seconds == pytest.approx(3.5)


# -- bounds ------------------------------------------------------------------------------------------------------------

POLICY = Policy("api", (), (region("west", 2), region("east", 30)), (HTTP,))
INVENTORY = {"west": Region(cloud="azure", egress_cost_per_gb=0.087, price_per_million_tokens=2.5)}


def made(
    *, regions: Sequence[str] = (), check: str | None = None, seconds: float = 10.0, rate: float = 1.0
) -> BenchmarkPlan:
    return make_plan(POLICY, INVENTORY, regions=regions, check=check, seconds=seconds, rate=rate)


def test_it_says_what_it_will_send() -> None:
    found = made(regions=["west"], seconds=6.0, rate=0.5)
    assert (found.each, found.total, len(list(found.schedule()))) == (3, 6, 6)
    assert announce(found)[:2] == [
        "api: 6 requests of check live (http) within 6s",
        "3 to each of 2 endpoints (west 2), 0.5/s each, 1/s in all",
    ]
    assert announce(found)[2] == "  west: 127.0.0.1:80, 127.0.0.2:80"


def test_prices_are_the_inventorys_and_unknown_where_it_has_none() -> None:
    found = made()
    assert found.prices == {"west": Prices(0.087, 2.5), "east": Prices()}
    assert found.clouds == {"west": "azure", "east": ""}


@pytest.mark.parametrize(
    ("seconds", "rate", "why"),
    [
        (0.0, 1.0, "1h at most"),
        (3_601.0, 1.0, "1h at most"),
        (1.0, 0.0, "50/s per endpoint"),
        (1.0, 50.1, "50/s per endpoint"),
        (1.0, 32.0, "32/s to 32 endpoints are more than 1000/s in all: write --rate 31.25/s"),
        (0.01, 1.0, "32 endpoints within 0.01s are more than 1000/s in all: write --for 32ms"),
    ],
)
def test_bounds(seconds: float, rate: float, why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        made(seconds=seconds, rate=rate)


def test_the_largest_that_is_allowed() -> None:
    assert made(seconds=3_600.0, rate=31.25).total == 3_600_000
    assert made(regions=["west"], seconds=3_600.0, rate=50.0).total == 360_000


@pytest.mark.parametrize(("seconds", "rate", "each"), [(0.3, 10.0, 3), (0.1, 1.0, 1), (2.9, 1.0, 2)])
def test_requests_to_each_endpoint(seconds: float, rate: float, each: int) -> None:
    assert made(seconds=seconds, rate=rate).each == each


def test_one_of_several_checks_has_to_be_chosen() -> None:
    policy = Policy("api", (), POLICY.regions, (HTTP, Check("deep", "tcp", 1.0, 1.0)))
    with pytest.raises(typer.BadParameter, match="choose one with --check: live, deep"):
        make_plan(policy, {}, regions=[], check=None, seconds=1.0, rate=1.0)
    assert make_plan(policy, {}, regions=[], check="deep", seconds=1.0, rate=1.0).check.kind == "tcp"


# -- tokens ------------------------------------------------------------------------------------------------------------

NOON = 1_000 * 86_400.0 + 43_200.0


def tokens(seconds: float, spend_at: float | None, *, per_day: int = 1_000_000) -> int:
    said = {"inference": "/v1", "model": "m", "completion_every": "10s", "tokens_per_day": per_day, "timeout": "2s"}
    check = Check("model", "inference", 10.0, 2.0, InferenceSettings.model_validate(said))
    policy = Policy("api", (), (region("west", 2),), (check,))
    found = make_plan(policy, {}, regions=[], check=None, seconds=seconds, rate=1.0, spend_at=spend_at)
    assert any("completion" in line for line in announce(found))
    return found.tokens


def test_tokens_are_bounded_by_the_turns_and_by_the_day() -> None:
    one = 4 + 128 + 1
    assert tokens(18.0, None) == 0
    assert tokens(18.0, NOON) == 2 * 3 * one
    assert tokens(18.0, NOON, per_day=200) == 200
    assert tokens(18.0, NOON + 43_190.0, per_day=200) == 400  # midnight is within it


async def test_regions_spend_from_one_purse_and_each_knows_what_it_took() -> None:
    purse = PaperLedger()
    west, east = Counting(purse), Counting(purse)
    assert await west.reserve("key", "2026-11-22", 60, 100)
    assert not await east.reserve("key", "2026-11-22", 60, 100)
    await west.refund("key", "2026-11-22", 50)
    assert await east.reserve("key", "2026-11-22", 60, 100)
    assert (west.tokens, east.tokens) == (10, 60)
    assert await east.reserve("key", "2026-11-23", 100, 100)
