"""kill -9 at every step of an apply: what is published stays, and the next start converges, a generation further."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.message
import pytest
from support.daemons import EAST, NAME, WEST, provider_block, site
from support.dying import STEPS
from support.servers import DnsServer


@asynccontextmanager
async def never_empty(server: DnsServer) -> AsyncIterator[list[frozenset[str]]]:
    """Ask a hundred times a second; after the first answer there must never be none."""
    seen: list[frozenset[str]] = []

    over = False

    async def ask() -> None:
        query, last = dns.message.make_query(NAME, "A"), b""
        wire = query.to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.setblocking(False)
            asked.connect((server.address, server.port))
            while not over:
                asked.send(wire)
                async with asyncio.timeout(5):
                    said = await asyncio.get_running_loop().sock_recv(asked, 65_535)
                if said != last:  # most say what the last one said
                    last, answer = said, dns.message.from_wire(said)
                    assert query.is_response(answer)
                    found = frozenset(item.to_text() for rrset in answer.answer for item in rrset)
                    assert found or not seen, f"an empty answer after {seen[-1]}"
                    if found and (not seen or seen[-1] != found):
                        seen.append(found)
                await asyncio.sleep(0.01)  # as fast as it can, it would take the time of the daemon that it watches

    asking = asyncio.create_task(ask())
    try:
        yield seen
    finally:
        over = True
        await asking


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_heals_at_the_next_start(bind_server: DnsServer, tmp_path: Path, step: str) -> None:
    providers = {"main": provider_block("main", bind_server)}
    async with site(tmp_path, providers) as here, never_empty(bind_server) as seen:
        async with here.daemon(sys.executable, "-m", "support.dying", step, "1") as daemon:
            assert await daemon.ended() == -signal.SIGKILL
        async with here.daemon(sys.executable, "-m", "support.dying", step, "2") as daemon:
            await daemon.event("decision.made", verdict="normal")
            await here.break_region("west")
            assert await daemon.ended() == -signal.SIGKILL
        async with here.daemon() as daemon:
            await daemon.event("decision.made", verdict="failover")
            await here.heal_region("west")
            last = await daemon.event("change.verified", generation=3)
            assert last["generation"] == 3
            assert await daemon.stop() == 0
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
    both = frozenset({WEST, EAST})
    assert seen == [both, frozenset({EAST}), both]
