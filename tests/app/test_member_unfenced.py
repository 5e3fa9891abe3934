"""Members at a provider without a fence, a real PowerDNS by its API: what a frozen leader had sent arrives late.

What stands there in the end is what the next leader wants, within a bound, whoever wrote last. No answer is ever empty.
`make test-members` runs these.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import dns.asyncquery
import dns.exception
import dns.message
import pytest
from support.accepting import accepting
from support.daemons import EAST, NAME, WEST, RunningDaemon, Site, first_of, followed, site
from support.etcd import Etcd, etcd
from support.forked import forked
from support.powerdns import forward_http, http_request
from support.servers import ZONE, PowerDns, powerdns
from support.three_clouds import ACTS, TAKEOVER

from failoverd.core.records import Marker

pytestmark = [pytest.mark.server, pytest.mark.members]

MEMBERS: Final = ("azure", "oci", "aws")
PATIENCE: Final = 30.0
HEALS: Final = 3.0
"""Seconds until what arrived late is found and written over: a `tick`, and some for a busy machine."""

CONFIG: Final = """\
version: 1
owner: tests
policies: ../policies
journal: journal.db
tick: 500ms
resolver: ["127.0.0.1:9"]
log: {format: json}
coordination:
  etcd: {endpoints: [%(etcd)s]}
  members: {azure: {network: azure}, oci: {network: oci}, aws: {network: aws}}
  member: %(member)s
  lease: 5s
providers:
  main:
    kind: powerdns
    zones: [%(zone)s]
    timeout: 2s
    nameservers: ["127.0.0.1:%(port)d"]
    api: {url: "http://127.0.0.1:%(api)d", key_file: %(key)s}
"""


@dataclass
class Way:
    """That of one member to the API. When `strike` is set, it holds the next PATCH, and strikes in that moment."""

    strike: Callable[[], None] | None = None
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[int]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await http_request(reader)
            strike = self.strike if request.startswith(b"PATCH") else None
            if strike is not None:
                self.strike = None
                strike()
                self.struck.set()
                await self.released.wait()
            answer = await forward_http(request, port)
            if strike is not None:
                self.arrived.set()
            writer.write(answer)
            await writer.drain()

        async with accepting(handle) as own:
            yield own


@dataclass
class Members:
    """Three of them, at one PowerDNS."""

    here: Site
    server: PowerDns
    ways: dict[str, Way]
    daemons: dict[str, RunningDaemon] = field(default_factory=dict)

    async def until(self, *regions: str, within: float, after: int = 0) -> Marker:
        """Until the record in the server answers with these, in a generation beyond that one."""
        seen: Any = None
        try:
            async with asyncio.timeout(within):
                while True:
                    seen = found, marker = await asyncio.to_thread(self._standing)
                    if found == set(regions) and marker is not None and marker.generation > after:
                        return marker
                    await asyncio.sleep(0.05)  # the server is asked again
        except TimeoutError:
            raise AssertionError(f"not within {within:g}s: {regions}; {seen}\n{self._told()}") from None

    def _standing(self) -> tuple[set[str], Marker | None]:
        answers, marker = self._records(NAME), self._records(f"_failoverd.{NAME}")
        return {each for each in (WEST, EAST) if each in answers}, Marker.parse(marker.strip('"'))

    def _records(self, name: str) -> str:
        url = f"{self.server.api_url}/api/v1/servers/localhost/zones/{ZONE}.?rrset_name={name}."
        with urlopen(Request(url, headers={"X-API-Key": self.server.api_key}), timeout=5) as answer:  # noqa: S310 - on loopback
            found = json.load(answer)["rrsets"]
        return " ".join(each["content"] for row in found for each in row["records"])

    def _told(self) -> str:
        return "\n".join(
            f"{name}: {event.get('at')} {event.get('event')}: {event.get('message')}"
            for name, daemon in self.daemons.items()
            for event in daemon.events[-14:]
        )

    async def led(self, *, after: int = 0) -> tuple[str, int]:
        """Who says that it leads, in an epoch beyond that one, and which one that is."""

        def leads(told: Mapping[str, Any]) -> bool:
            return told.get("event") == "leader.elected" and told["mine"] and told["epoch"] > after

        async with asyncio.timeout(PATIENCE):
            waiting = {name: daemon.until(leads, "it leads") for name, daemon in self.daemons.items()}
            name, told = await first_of(waiting)
        return name, told["epoch"]

    async def frozen_writing(self, name: str) -> None:
        """Until that member is stopped in the moment in which its PATCH goes out."""
        way = self.ways[name]
        way.strike = lambda: self.daemons[name].signal(signal.SIGSTOP)
        await self.here.break_region("west")
        await asyncio.wait_for(way.struck.wait(), ACTS)

    async def arrives(self, name: str) -> None:
        """What that member had sent is let through, and then it wakes up."""
        way = self.ways[name]
        way.released.set()
        await asyncio.wait_for(way.arrived.wait(), PATIENCE)
        self.daemons[name].signal(signal.SIGCONT)


async def keep_asking(server: PowerDns) -> None:
    """Whoever asks is answered with something, once there was anything. Endless."""
    query, answered = dns.message.make_query(NAME, "A"), False
    while True:
        with suppress(dns.exception.Timeout):
            said = await dns.asyncquery.udp(query, "127.0.0.1", port=server.port, timeout=2.0)
            assert said.answer or not answered, "an empty answer"
            answered = bool(said.answer)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def asked(server: PowerDns) -> AsyncIterator[None]:
    asking = asyncio.create_task(keep_asking(server))
    try:
        yield
        assert not asking.done(), asking.exception()
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError, AssertionError):
            await asking


@asynccontextmanager
async def members(folder: Path, server: PowerDns, cluster: Etcd, on_drift: str) -> AsyncIterator[Members]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(site(folder, {"main": ""}))
        here.edit_policy("on_drift: restore", f"on_drift: {on_drift}")
        there = Members(here, server, {name: Way() for name in MEMBERS})
        await stack.enter_async_context(asked(server))
        for name, way in there.ways.items():
            api = await stack.enter_async_context(way.to(server.api_port))
            (folder / name).mkdir()
            config = folder / name / "failoverd.yaml"
            places = {"etcd": json.dumps(cluster.endpoints[0]), "port": server.port, "api": api}
            config.write_text(CONFIG % {**places, "member": name, "zone": ZONE, "key": server.api_key_file})
            process = await forked("failoverd", "run", "--config", str(config), stderr=asyncio.subprocess.PIPE)
            there.daemons[name] = await stack.enter_async_context(followed(process))
        yield there


@asynccontextmanager
async def frozen_in_the_midst(folder: Path, on_drift: str) -> AsyncIterator[tuple[Members, str, int]]:
    """Three members whose leader, of that name and in that epoch, was stopped as it took the west off."""
    with etcd() as cluster, powerdns() as server:
        async with members(folder, server, cluster, on_drift) as there:
            first, epoch = await there.led()
            await there.until(WEST, EAST, within=PATIENCE)
            await there.frozen_writing(first)
            yield there, first, epoch


async def test_what_arrives_after_several_writes_of_the_next_leader_is_written_over_and_told(tmp_path: Path) -> None:
    async with frozen_in_the_midst(tmp_path, "restore") as (there, first, epoch):
        second, newer = await there.led(after=epoch)
        await there.until(EAST, within=TAKEOVER + ACTS)
        await there.here.heal_region("west")
        standing = await there.until(WEST, EAST, within=ACTS)
        await there.daemons[second].event("change.verified", generation=standing.generation)
        await there.arrives(first)
        await there.daemons[second].event("drift.detected", kind="late")
        marker = await there.until(WEST, EAST, within=HEALS, after=standing.generation)
        assert (standing.epoch, marker.epoch) == (newer, newer)


async def test_what_arrives_with_the_generation_of_the_next_leader_is_nobodys_edit(tmp_path: Path) -> None:
    """Each of the two was the next generation, with another answer; and `on_drift: report` leaves edits as they are."""
    async with frozen_in_the_midst(tmp_path, "report") as (there, first, epoch):
        await there.here.heal_region("west")
        await there.here.break_region("east")
        second, newer = await there.led(after=epoch)
        standing = await there.until(WEST, within=TAKEOVER + ACTS)
        await there.daemons[second].event("change.verified", generation=standing.generation)
        await there.arrives(first)
        await there.daemons[second].event("drift.detected", kind="late")
        marker = await there.until(WEST, within=HEALS, after=standing.generation)
        assert (standing.epoch, marker.epoch) == (newer, newer)
