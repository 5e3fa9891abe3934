"""Changes are proved at real servers: a BIND that is written to, and its secondary on another port."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.daemons import EAST, NAME, WEST, provider_block, site
from support.servers import ZONE, DnsServer, bind, free_port

DELAYED = "dispute_after: 1s\n"


@pytest.fixture
def other_server() -> Iterator[DnsServer]:
    """A second server of the zone, which nobody writes to: a secondary that has lost its primary."""
    with ExitStack() as stack:
        yield stack.enter_context(bind())


def nameservers(*servers: DnsServer) -> str:
    return "[" + ", ".join(f'"{server.address}:{server.port}"' for server in servers) + "]"


async def test_a_change_is_verified_when_the_server_that_stayed_behind_has_it(
    bind_server: DnsServer, other_server: DnsServer, tmp_path: Path
) -> None:
    block = provider_block("main", bind_server, nameservers=nameservers(bind_server, other_server))
    async with site(tmp_path, {"main": block}) as here:
        here.config.write_text(DELAYED + here.config.read_text())
        async with here.daemon() as daemon:
            disputed = await daemon.event("change.disputed")
            assert disputed["agreeing"] == [f"127.0.0.1:{bind_server.port}"]
            assert disputed["disagreeing"] == [f"127.0.0.1:{other_server.port} says no answer"]
            assert daemon.named("change.verified") == []

            (marker,) = bind_server.dig(f"_failoverd.{NAME}", "TXT")
            other_server.edit(
                f"add api 5 A {WEST}", f"add api 5 A {EAST}", f"add _failoverd.api 60 TXT {marker}"
            )  # fmt: skip
            verified = await daemon.event("change.verified", change_id=disputed["change_id"])
            assert verified["servers"] == 2
            assert "aged_out_at" not in verified, "nothing was answered before"

            await here.break_region("west")
            await daemon.event("change.disputed", generation=2)
            await here.tells(lambda printed: "generation 2 applied, disputed by its servers" in printed, "history")
            other_server.edit("delete api A", f"delete _failoverd.api.{ZONE}. TXT")
            await daemon.stop()
        _, printed = await here.control("history", "--output", "json")
        first, second = json.loads(printed)["changes"]
        assert (first["disputed"], second["disputed"], second["verified_after_seconds"]) == (True, True, None)
        assert first["verified_after_seconds"] == pytest.approx(verified["took"])


async def test_a_server_that_hangs_is_silent_and_holds_nothing_up(
    bind_server: DnsServer, other_server: DnsServer, tmp_path: Path
) -> None:
    block = provider_block("main", bind_server, nameservers=nameservers(bind_server, other_server))
    async with site(tmp_path, {"main": block}) as here:
        here.config.write_text(DELAYED + here.config.read_text())
        with other_server.frozen():
            async with here.daemon() as daemon:
                disputed = await daemon.event("change.disputed")
                assert disputed["silent"] == [f"127.0.0.1:{other_server.port}"]
                assert "disagreeing" not in disputed
                await here.break_region("west")
                await daemon.event("change.applied", generation=2)
                await here.heal_region("west")
                await daemon.event("incident.closed")
                assert daemon.named("change.verified") == []
                assert await daemon.stop() == 0


async def test_a_zone_without_a_delegation_is_said_with_what_to_do(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server, nameservers="delegation")}) as here:
        here.config.write_text(DELAYED + here.config.read_text())
        async with here.daemon() as daemon:
            disputed = await daemon.event("change.disputed")
            assert "127.0.0.1:9: Connection refused" in disputed["detail"]
            assert "`nameservers`" in disputed["detail"]


async def test_the_servers_of_a_delegation_are_found_at_the_resolver(bind_server: DnsServer, tmp_path: Path) -> None:
    """The zone's server listens on port 53 as the world knows it, where no test server may: so it is found, and silent.

    That its answers are heard once it is there is shown with configured servers.
    """
    async with site(tmp_path, {"main": provider_block("main", bind_server, nameservers="delegation")}) as here:
        text = here.config.read_text().replace('"127.0.0.1:9"', f'"127.0.0.1:{bind_server.port}"')
        here.config.write_text(DELAYED + text)
        async with here.daemon() as daemon:
            disputed = await daemon.event("change.disputed")
            named = [*disputed.get("silent", []), *disputed.get("disagreeing", [])]
            assert [each.partition(" says")[0] for each in named] == [f"ns.{ZONE} (127.0.0.1:53)"]


async def test_an_operator_hears_whether_the_servers_agree(
    bind_server: DnsServer, other_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        code, printed = await here.control("apply", str(file))
        assert (code, "the authoritative server agrees" in printed) == (0, True), printed

        lagging = nameservers(bind_server, other_server)
        here.config.write_text(here.config.read_text().replace(nameservers(bind_server), lagging))
        await here.break_region("west")
        await here.control("plan", "--out", str(file))
        code, printed = await here.control("apply", str(file))
        assert code == 0, "the change stands, whoever has not heard of it yet"
        assert f"not proved within 5s: 127.0.0.1:{other_server.port} says no answer" in printed
        assert bind_server.dig(NAME, "A") == [EAST]


async def test_the_embedded_server_is_its_own_witness(tmp_path: Path) -> None:
    block = f"  main: {{kind: embedded, zones: [{ZONE}], listen: '127.0.0.1:{free_port()}'}}"
    async with site(tmp_path, {"main": block}) as here, here.daemon() as daemon:
        assert (await daemon.event("change.verified"))["servers"] == 1
        await here.break_region("west")
        verified = await daemon.event("change.verified")
        assert verified["aged_out_at"] > 0
