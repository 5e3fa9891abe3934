"""A daemon as a process, whose files plan work and bind it by a rule."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commands import REGIONS
from support.daemons import EMBEDDED, site

pytestmark = pytest.mark.server

RULE = "rules:\n  - {name: both, assert: {at_least: 2, of: [west, east]}, else_after: 2s}\n"


async def test_a_window_opens_by_the_clock_and_closes_when_it_is_taken_out_of_the_file(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        text = here.policy.read_text()
        line = text.count("\n") + 2
        async with here.daemon() as daemon:
            await daemon.event("change.applied")
            begins = datetime.now(UTC) + timedelta(seconds=6)
            entry = f"  - {{region: west, from: '{begins:%Y-%m-%dT%H:%M:%SZ}', for: 4h, reason: new switches}}\n"
            here.policy.write_text(text + "maintenance:\n" + entry)
            await here.tells(lambda printed: "planned: region west of policy api" in printed, "status")
            given = await daemon.event("override.given", verb="drain")
            assert given["actor"] == f"{here.policy}:{line}"
            moved = await daemon.event("change.applied", cause="operator")
            assert moved["shares_to"] == {"east": 10_000}
            here.policy.write_text(text)
            ended = await daemon.event("override.ended", override=given["override"])
            assert "the file does not say it any more" in ended["message"]
            back = await daemon.event("change.applied")
            assert set(back["shares_to"]) == {"west", "east"}


async def test_a_rule_keeps_what_is_down_for_as_long_as_it_says(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        (here.folder / "policies" / "regions.yaml").write_text(REGIONS + RULE)
        async with here.daemon() as daemon:
            await daemon.event("change.applied")
            await here.break_region("west")
            held = await daemon.event("failover.held")
            assert "assertion both: 1 of its groups, not within at least 2" in str(held["limits"])
            moved = await daemon.event("change.applied", cause="failing_out")
            assert "what is down was kept for as long as the rule says" in str(moved["limits"])
