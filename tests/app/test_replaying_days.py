"""The real daemon on a day with a failure and an edit, killed once: what it decided comes to the same afterwards."""

import json
import signal
from pathlib import Path

from support.daemons import EMBEDDED, site

FEW = 3
"""Decisions of a first answer, and of a region that falls."""


async def test_what_a_daemon_decided_comes_to_the_same_after_it_was_killed(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await here.break_region("west")
            await daemon.event("change.applied", shares_to={"east": 10_000})
            words = ("replay", "--last", "1h", "--output", "json")
            await here.tells(
                lambda said: bool(said) and json.loads(said)["decisions"] >= FEW, *words
            )  # beside the daemon
            daemon.signal(signal.SIGKILL)
            await daemon.ended()
        await here.heal_region("west")
        here.edit_policy("ttl: 5s", "ttl: 6s")
        async with here.daemon() as daemon:
            await daemon.each("region.recovered", "change.verified")
            await daemon.stop()
        code, printed = await here.control(*words)
        told = json.loads(printed)
        assert (code, told["reproduced"], told["lost"]) == (0, True, [])
        assert told["decisions"] > FEW
        code, printed = await here.control("replay", "--last", "1h", "--policy", str(here.policy))
        assert code in {0, 10}, printed
