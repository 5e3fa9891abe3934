"""`failoverctl notify test`: whether people would be told."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from failoverd.cli.failing import OutputConsole, print_json, told, unknown
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import Printout
from failoverd.core.errors import ConfigError
from failoverd.installed import read_config, steady_clock
from failoverd.telemetry.notifications.notifier import addresses
from failoverd.telemetry.notifications.outbox import Address
from failoverd.telemetry.notifications.posting import posting
from failoverd.telemetry.notifications.trying import Tried, tried
from failoverd.telemetry.phrases import counted

console = OutputConsole(highlight=False)


def try_receivers(config: Path, output: Output, name: str | None) -> Exit:
    """Send a test trigger and its end to each receiver, or to the one of that name."""
    with told():
        settings = read_config(config)
        known = [entry.name for entry in settings.notify]
        if not known:
            raise ConfigError(
                f"{config} names nobody who is told of troubles",
                reason="no_receivers",
                remedy="write `notify` into it: docs/notifications.md has an example of each kind",
            )
        if name is not None and name not in known:
            raise unknown("receiver", name, known)
        asked = [entry for entry in settings.notify if name in {None, entry.name}]
        found = asyncio.run(_try(addresses(asked, settings.owner)))
        if output is Output.JSON:
            print_json([{**asdict(each), "fine": each.fine} for each in found])
        else:
            _show(console, found)
        return Exit.FINE if all(each.fine for each in found) else Exit.FAILED


async def _try(whom: Sequence[Address]) -> list[Tried]:
    async with posting() as post:
        return await tried(whom, post, steady_clock())


def _show(console: Console, found: Sequence[Tried]) -> None:
    page, wrong = Printout(), sum(not each.fine for each in found)
    verdict = "all of them took a test and its end" if not wrong else f"{wrong} did not take a test"
    page.say((f"{counted(len(found), 'address', 'addresses')}: {verdict}", "bold"))
    for each in found:
        where = f"{each.receiver} ({each.kind}, {each.place}): "
        if each.fine:
            page.say(where, ("taken", "green"), f", trigger {each.trigger}, resolve {each.resolve}")
        else:
            page.say(where, ("not taken", "red"), f": {each.error}")
            if each.remedy:
                page.say(f"  remedy: {each.remedy}")
    page.show(console)
