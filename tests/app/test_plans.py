"""failoverctl plan and apply while a daemon lives: it does both, by its own hands, as it has loaded its files."""

import json
import os
import signal
from pathlib import Path

import pytest
from support.api import ME
from support.daemons import EAST, NAME, WEST, RunningDaemon, Site, provider_block, site
from support.servers import DnsServer

FINE, FAILED, PENDING, UNREACHABLE = 0, 1, 10, 12


async def left(here: Site, daemon: RunningDaemon) -> None:
    """West failed, was left, and is well again: only a person brings it back."""
    await daemon.event("change.verified")
    await here.break_region("west")
    await daemon.event("change.verified")
    await here.heal_region("west")
    await daemon.event("region.recovered", region="west")


async def test_plan_and_apply_are_done_by_the_daemon_that_lives(
    bind_server: DnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.cli.daemon_first.KNOCKING", 1.0)
    file = tmp_path / "return.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("failback: {after: 500ms}", "failback: manual")
        async with here.daemon() as daemon:
            await left(here, daemon)
            code, printed = await here.control("plan", "--return", "west", "--out", str(file), "--output", "json")
            (found,) = json.loads(printed)
            assert (code, found["plan"]["shares_after"]) == (PENDING, {"west": 5_000, "east": 5_000}), printed

            code, printed = await here.control("apply", str(file))
            assert (code, "applied, generation 3" in printed, "by the daemon at" in printed) == (FINE, True, True), (
                printed
            )
            applied = await daemon.event("change.applied", generation=3)
            assert (applied["actor"], bind_server.dig(NAME, "A")) == (ME, [WEST, EAST])
            await daemon.event("incident.closed")
            code, printed = await here.control("apply", str(file))
            assert (code, "stands there already, generation 3" in printed) == (FINE, True), printed
            assert len(daemon.named("change.applied")) == 3

            await _what_the_files_say_by_now(here, daemon)
            daemon.signal(signal.SIGSTOP)
            code, printed = await here.control("plan")
            assert (code, "does not answer" in printed, "--without-daemon" in printed) == (UNREACHABLE, True, True), (
                printed
            )
            code, printed = await here.control("plan", "--without-daemon")
            assert (code, "nothing to do" in printed) == (FINE, True), printed
            daemon.signal(signal.SIGCONT)
            await daemon.stop()
        code, printed = await here.control("plan")
        assert (code, "nothing to do" in printed, "by the daemon" in printed) == (FINE, True, False), printed


async def _what_the_files_say_by_now(here: Site, daemon: RunningDaemon) -> None:
    """A file that does not load, or was not read yet: what is planned is what the daemon has loaded, and said so."""
    good = here.policy.read_text()
    here.edit_policy("share: 50", "shaer: 50")
    await daemon.event("config.rejected")
    code, printed = await here.control("plan")
    assert (code, "nothing to do" in printed) == (FAILED, True), printed
    assert "policy api is taken as the daemon has loaded it, revision " in printed
    assert "its file does not load by now: " in printed
    assert f"{os.fspath(here.policy)}:" in printed
    here.policy.write_text(good)
    code, printed = await here.control("plan")
    assert (code, "is taken as the daemon has loaded it" in printed) == (FINE, False), printed
