"""The command that `failoverctl why` prints, pasted into a shell as a person at night does, with the daemon at work."""

import asyncio
import subprocess
import sys
from pathlib import Path

from support.daemons import EAST, NAME, WEST, RunningDaemon, Site, provider_block, site
from support.servers import DnsServer

from failoverd.core.overrides import HAND

MARKER = f"_failoverd.{NAME}"
KEPT = "6"
"""Seconds for which this daemon keeps what was done by hand."""


async def paste(command: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, ""), done


async def failed_and_came_back(here: Site, daemon: RunningDaemon) -> None:
    await daemon.event("change.verified")
    await here.break_region("west")
    await daemon.event("change.verified")
    await here.heal_region("west")
    await daemon.each("change.verified", "incident.closed")


async def test_the_undo_that_why_prints_is_kept_told_as_by_hand_and_goes_back_at_its_end(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    hurried = (sys.executable, "-m", "support.hurried", KEPT)
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon(*hurried) as daemon:
        await failed_and_came_back(here, daemon)
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        why = await here.tells(lambda told: "generation 3" in told and "to undo it by hand" in told, "why")
        undo = why.partition("to undo it by hand:\n")[2]
        assert undo.startswith("# failoverd keeps what this writes for 30 minutes")

        await paste(undo)
        assert bind_server.dig(NAME, "A") == [EAST]
        given = await daemon.event("override.given")
        found = await daemon.event("change.applied", kind="by_hand")
        assert (given["actor"], given["verb"], found["actor"]) == (HAND, "pin", HAND)
        assert (found["shares_from"], found["shares_to"]) == ({"east": 5_000, "west": 5_000}, {"east": 10_000})
        assert found["undo"] == f"failoverctl release {given['override']}"
        assert given["override"] in undo, "the id was said before"

        marked = await daemon.event("change.applied", kind="mark")
        (marker,) = bind_server.dig(MARKER, "TXT")
        assert f"ovr={given['override']} until=" in marker
        assert "by=hand" not in marker
        assert marked["shares_to"] == {"east": 10_000}
        assert bind_server.dig(NAME, "A") == [EAST]
        history = await here.tells(lambda told: "mark, generation 5" in told, "history")
        assert "by hand, generation 4 applied" in history
        why = (await here.control("why"))[1]
        assert ", by hand; normally " in why.splitlines()[0]
        assert "a person wrote generation 4 by hand" in why
        _, planned = await here.control("plan")
        assert "pinned to east 100%" in planned
        assert f"({given['override']} by hand: generation 4 was written with a command" in planned

        ended = await daemon.event("override.ended")
        assert ended["override"] == given["override"]
        back = await daemon.event("change.applied")
        assert (back["cause"], back["shares_to"]) == ("returning", {"east": 5_000, "west": 5_000})
        await daemon.event("change.verified", generation=6)
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        kinds = [event["kind"] for event in daemon.named("change.applied")]
        assert kinds == ["create", "change", "change", "by_hand", "mark", "change"]
        assert daemon.named("drift.detected") == []


async def test_what_was_done_by_hand_while_the_daemon_was_down_is_kept_as_well(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with here.daemon() as daemon:
            await failed_and_came_back(here, daemon)
            undo = daemon.named("change.applied")[-1]["undo"]
            assert await daemon.stop() == 0
        await paste(undo)
        async with here.daemon() as daemon:
            await daemon.event("override.given", actor=HAND)
            await daemon.event("change.verified", generation=4)
            assert await daemon.stop() == 0
        (tmp_path / "journal.db").unlink()
        async with here.daemon() as daemon:
            await daemon.event("override.given", actor=HAND)
            await daemon.event("change.verified", generation=4)
            assert await daemon.stop() == 0
            assert [event["kind"] for event in daemon.named("change.applied")] == ["by_hand"]
        assert bind_server.dig(NAME, "A") == [EAST]
