"""`failoverd demo --scenario tiers`: prod, pilot and research of one service share three clouds, and one is lost.

What is shown is published shares times demand, in requests per second: who is served, who makes room, who is short.
Prod and pilot fetch data from the cloud of the region that is lost, over interconnects of which one is narrow.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from failoverd.app import Daemon
from failoverd.cli.demo.scenario import ASK_EVERY, LONGEST_STEP
from failoverd.cli.demo.surroundings import DemoRegion, free_ports, write_files
from failoverd.core.errors import FailoverdError
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import WHOLE
from failoverd.core.status import TargetState, TargetStatus
from failoverd.telemetry import reasoning

FILES: Final = Path(__file__).parent / "tiers_files"
REGIONS: Final = {"127.86.0.1": "azure-weu", "127.86.0.2": "oci-fra", "127.86.0.3": "aws-euc1"}
CAPACITY: Final = {"azure-weu": 900, "oci-fra": 600, "aws-euc1": 900}
DEMAND: Final = {"llm-prod": 800, "llm-pilot": 500, "llm-dev": 400}
HIGHEST: Final = "llm-prod"
LOWEST: Final = "llm-dev"
VICTIM: Final = "127.86.0.1"
FETCHING: Final = ("llm-prod", "llm-pilot")
NARROW: Final = "oci-fra"
PASSES: Final = 437.5
"""Requests per second that the interconnect lets pass: 70 % of 1 Gbps, at 200 kB each."""

Loads = Mapping[str, Mapping[str, int]]
"""Requests per second by region, by policy."""

Statuses = Mapping[str, TargetStatus]
"""By policy."""


async def play(
    say: Callable[[str], None],
    picture: Callable[[str, Loads], None],
    *,
    dns_port: int | None,
) -> dict[str, Any] | None:
    """Play it. None when the daemon was told to stop (Ctrl-C) before the end.

    Raises:
        FailoverdError: a port is taken, a step did not come in time, or the daemon ended by itself.
    """
    with tempfile.TemporaryDirectory(prefix="failoverd-demo-") as folder:
        async with AsyncExitStack() as stack:
            dns_port, http_port = free_ports(dns_port)
            regions = {address: DemoRegion(name, address, http_port) for address, name in REGIONS.items()}
            for region in regions.values():
                await region.start()
                stack.callback(region.stop)
            daemon = Daemon(write_files(Path(folder), dns_port, http_port, FILES), [])
            life = asyncio.create_task(daemon.run())
            script = asyncio.create_task(_script(daemon, regions[VICTIM], say, picture))
            try:
                await asyncio.wait({script, life}, return_when=asyncio.FIRST_COMPLETED)
                if not script.done():
                    script.cancel()
                    await asyncio.gather(script, return_exceptions=True)
                    await life  # whatever it died of is raised here
                    return None
                return await script
            finally:
                daemon.stop("the demo is over")
                await asyncio.gather(life, return_exceptions=True)


async def _script(
    daemon: Daemon, victim: DemoRegion, say: Callable[[str], None], picture: Callable[[str, Loads], None]
) -> dict[str, Any]:
    async def step(what: str, condition: Callable[[Statuses], bool]) -> Loads:
        await _until(what, lambda: condition(_statuses(daemon)), lambda: _said(daemon))
        found = loads(_statuses(daemon))
        picture(what, found)
        return found

    say("prod, pilot and dev of one service share three clouds: 1,700 requests per second, and room for 2,400")
    before = await step("a good day", _is_normal)
    say(f"now {victim.name} is lost: 1,500 are left")
    began = time.perf_counter()
    victim.stop()
    during = await step(f"{victim.name} is lost", partial(_has_left, victim.name))
    took = time.perf_counter() - began
    over = {name: sum(each.values()) - CAPACITY[name] for name, each in during.items()}
    excess = {name: more for name, more in over.items() if more > 0}
    for name, more in excess.items():
        say(f"prod is served, pilot took what prod leaves; dev is short of {more}, all of it on top of {name}")
        say(f"DNS cannot favour prod inside one region: {name} has {more} too many, whoever sends them")
    say(
        f"prod and pilot fetch data over the interconnect with {NARROW}: {_fetched(during)} requests per second of "
        f"{PASSES:g} that it lets pass (before: {_fetched(before)})"
    )
    say(f"{victim.name} heals; it has to stay well for 5s before it gets traffic")
    await victim.start()
    after = await step(f"{victim.name} is back", _is_back)
    say("prod is as it was; pilot and dev follow, each a minute after its last change at the earliest")
    return {
        "scenario": "tiers",
        "lost": victim.name,
        "settled_after_s": round(took, 3),
        "demand": DEMAND,
        "capacity": CAPACITY,
        "loads": {"before": before, "during": during, "after": after},
        "interconnect": {
            "region": NARROW,
            "passes": PASSES,
            "fetched": {"before": _fetched(before), "during": _fetched(during), "after": _fetched(after)},
        },
        "excess": excess,
    }


def loads(statuses: Statuses) -> dict[str, dict[str, int]]:
    """What is published now, in requests per second."""
    found: dict[str, dict[str, int]] = {name: {} for name in CAPACITY}
    for name, status in statuses.items():
        for region, share in status.published.items():
            found[region][name] = round(DEMAND[name] * share / WHOLE)
    return found


def _fetched(found: Loads) -> int:
    """Requests per second whose data comes over the narrow interconnect."""
    return sum(found[NARROW].get(name, 0) for name in FETCHING)


def _statuses(daemon: Daemon) -> Statuses:
    found = {each.target.policy: each for each in daemon.snapshot() if isinstance(each, TargetStatus)}
    return found if len(found) == len(DEMAND) and all(each.published for each in found.values()) else {}


def _is_normal(found: Statuses) -> bool:
    return bool(found) and not any(each.moved for each in found.values())


def _has_left(lost: str, found: Statuses) -> bool:
    """Whether each record answers without the region that is lost, and nobody is in the way of those who come first."""
    out = all(each.state is TargetState.IN_SYNC and not each.published.get(lost) for each in found.values())
    return bool(found) and out and _adds_up(found)


def _is_back(found: Statuses) -> bool:
    """Whether prod answers as normally, and the others do, or wait to take back what they left."""
    if not found or found[HIGHEST].moved:
        return False
    return all(not each.moved or _dwells(each) for each in found.values())


def _dwells(status: TargetStatus) -> bool:
    return any(reason.code is ReasonCode.DWELL for reason in status.reasons)


def _adds_up(found: Statuses) -> bool:
    """Whether those who come first are below the room of each region, and nobody is in their way."""
    first = [name for name in DEMAND if name != LOWEST]
    of_them = {region: sum(each.get(name, 0) for name in first) for region, each in loads(found).items()}
    return all(load <= CAPACITY[region] for region, load in of_them.items())


def _said(daemon: Daemon) -> list[str]:
    return [
        f"{status.target.policy}: {status.state}, {'; '.join(map(reasoning.words, status.reasons))}"
        for status in daemon.snapshot()
        if isinstance(status, TargetStatus)
    ]


async def _until(what: str, condition: Callable[[], bool], stuck: Callable[[], list[str]]) -> None:
    try:
        async with asyncio.timeout(LONGEST_STEP):
            while not condition():  # noqa: ASYNC110 - what stands is looked at from outside, as an operator does
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError:
        said = "".join(f"\n  {each}" for each in stuck())
        raise FailoverdError(
            f"{what}: it did not come to that within {LONGEST_STEP:g}s; where it stands:{said}",
            reason="demo_stuck",
            remedy="try again when this machine is less busy; if it stays, please report it",
        ) from None


def table(title: str, found: Loads) -> Table:
    made = Table(title=title)
    for column in ("region", *DEMAND, "load", "capacity"):
        made.add_column(column, justify="left" if column == "region" else "right")
    for name, each in found.items():
        total = sum(each.values())
        over = total > CAPACITY[name]
        load = f"{total} (over)" if over else str(total)  # in a pipe, and for whoever sees no red
        cells = (str(each.get(policy, 0)) for policy in DEMAND)
        made.add_row(name, *cells, load, str(CAPACITY[name]), style="bold red" if over else "")
    return made


def screen(console: Console) -> tuple[Callable[[str], None], Callable[[str, Loads], None]]:
    """What is said, and the pictures, on a terminal or in a pipe."""
    return (
        lambda text: console.print(f"» {text}", markup=False, highlight=False, soft_wrap=True),
        lambda title, found: console.print(table(title, found)),
    )
