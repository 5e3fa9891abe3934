"""The whole daemon tells people: a region falls and is back, a restart in between, a receiver that hangs meanwhile."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clouds.hook import TOKEN, Hook
from clouds.serving import Luck, serving
from support.alertmanager import alertmanager
from support.daemons import EMBEDDED, NAME, site
from support.living import living

from failoverd.core.events import ChangeApplied, Event
from failoverd.store.statuses import StatusReading

RUNBOOK = "https://runbooks.example.com/api"


def published(events: list[Event]) -> bool:
    return any(
        isinstance(event, ChangeApplied) and event.shares_to == {"west": 5_000, "east": 5_000} for event in events
    )


def failed_over(events: list[Event]) -> bool:
    return any(isinstance(event, ChangeApplied) and event.shares_to == {"east": 10_000} for event in events)


def told(status: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda got: [each for each in got if (each["kind"], each["status"]) == ("region.left", status)]


def alerted(status: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The same as Alertmanager tells its own receiver."""

    def fitting(got: list[dict[str, Any]]) -> list[dict[str, Any]]:
        alerts = [alert for message in got for alert in message["alerts"]]
        return [each for each in alerts if (each["labels"]["kind"], each["status"]) == ("region.left", status)]

    return fitting


async def test_a_region_that_falls_is_told_through_a_restart_until_it_is_back(tmp_path: Path) -> None:
    hook, deaf, behind = Hook(TOKEN), Hook(), Hook()
    (tmp_path / "token").write_text(TOKEN)
    with serving(hook) as desk, serving(deaf) as hangs, serving(behind) as on_call, alertmanager(on_call.url) as alerts:
        hangs.expect(Luck.HANG_BEFORE, times=1_000)
        async with site(tmp_path, EMBEDDED) as here:
            here.edit_policy("version: 1\n", f"version: 1\nrunbook: {RUNBOOK}\n")
            here.config.write_text(
                f"{here.config.read_text()}notify:\n"
                f"  desk: {{webhook: '{desk.url}', token_file: {tmp_path}/token}}\n"
                f"  alerts: {{alertmanager: ['{hangs.url}', '{alerts.url}']}}\n"
            )
            async with living(here) as first:
                await first.until(published)
                await here.break_region("west")
                await first.until(failed_over)
                await asyncio.to_thread(hook.wait, told("firing"))
                await asyncio.to_thread(behind.wait, alerted("firing"))
                (begun,) = told("firing")(hook.got)
            assert (begun["subject"], begun["policy"], begun["runbook"]) == ("west", "api", RUNBOOK)
            assert f"{NAME} A at main moved from" in begun["summary"]
            assert "min_regions" in begun["facts"]["limits"]
            with StatusReading(tmp_path / "journal.db") as reading:
                kept = reading.notifications()
            assert kept is not None
            assert [each.subject for each in kept.notices if each.kind == "region.left"] == ["west"]
            assert hangs.url[7:] in {each.place for each in kept.receivers if each.waiting}

            async with living(here):
                await asyncio.to_thread(hook.wait, lambda got: len(told("firing")(got)) == 2)
                await here.heal_region("west")
                await asyncio.to_thread(hook.wait, told("resolved"))
                await asyncio.to_thread(behind.wait, alerted("resolved"))
                assert len(alerted("firing")(behind.got)) == 1, "though the second process told it again"
            assert {each["key"] for each in hook.got if each["kind"] == "region.left"} == {"tests/region.left/api/west"}
