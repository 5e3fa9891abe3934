"""The demo's live screen: health, weights, what real queries get, and the daemon's own words."""

import asyncio
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from failoverd.cli.demo.surroundings import REGIONS
from failoverd.core.events import Event, Level
from failoverd.core.records import WHOLE
from failoverd.core.status import RegionStatus, TargetStatus
from failoverd.telemetry import prose

if TYPE_CHECKING:
    from failoverd.cli.demo.scenario import DemoWorld

REDRAW_EVERY: Final = 0.2
BAR: Final = 24
LINES: Final = 9

_COLOURS: Final = {"healthy": "green", "degraded": "yellow", "down": "red", "unknown": "dim"}
_LEVELS: Final = {Level.INFO: "", Level.WARNING: "yellow", Level.ERROR: "red"}


class DemoScreen:
    """A stage on a terminal. Without one (a pipe) it prints the same lines, one after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._phase = ""
        self._lines: deque[Text] = deque(maxlen=LINES)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """A new phase begins. It has a picture of its own, however busy this machine is."""
        self._phase = text
        self._tell(f"{self._elapsed()} » {text}", "bold cyan")
        if self._live is not None:
            self._live.refresh()

    def take(self, event: Event) -> None:
        self._tell(f"{self._elapsed()} {event.name:<18} {prose.say(event)}", _LEVELS[event.level])

    def begin(self, world: "DemoWorld") -> None:
        if self._console.is_terminal:
            # Drawn by the event loop: a thread of rich's own would read what the daemon is just changing.
            self._live = Live(get_renderable=partial(self._frame, world), console=self._console, auto_refresh=False)
            self._live.start()
            self._redraw()

    def end(self) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.refresh()
            asyncio.get_running_loop().call_later(REDRAW_EVERY, self._redraw)

    def _tell(self, words: str, style: str) -> None:
        self._lines.append(Text(words, style=style, no_wrap=True, overflow="ellipsis"))
        if not self._console.is_terminal:
            self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._started:5.1f}s"

    def _frame(self, world: "DemoWorld") -> Group:
        title = Text(f" {self._phase}", style="bold")
        return Group(
            title, self._table(world), Panel(Group(*self._lines), title="what failoverd says", height=LINES + 2)
        )

    def _table(self, world: "DemoWorld") -> Table:
        health, published = _standing(world)
        measured = world.dns.shares()
        table = Table(expand=True, title=None)
        for column in ("region", "health", "published weight", "measured by DNS queries"):
            table.add_column(column)
        for name in REGIONS.values():
            state = health.get(name, "unknown")
            table.add_row(
                name,
                Text(state, style=_COLOURS[state]),
                _bar(published.get(name, 0) / WHOLE),
                _bar(measured[name]),
            )
        return table


class Silence:
    """A stage for `--output json`: shows nothing."""

    def say(self, text: str) -> None:
        """Nothing but the result belongs on standard output."""

    def take(self, event: Event) -> None:
        """The same."""

    def begin(self, world: "DemoWorld") -> None:
        """The same."""

    def end(self) -> None:
        """The same."""


def summarise(console: Console, result: dict[str, Any]) -> None:
    """What the demo showed, in a few lines."""
    shares, changes = result["shares"], result["changes"]
    table = Table(title="share of real DNS answers")
    for column in ("region", *shares):
        table.add_column(column)
    for name in REGIONS.values():
        table.add_row(name, *(f"{phase[name]:.0%}" for phase in shares.values()))
    console.print(table)
    console.print(f"{result['answer_changed_after_s']}s from the fault to the changed authoritative answer.")
    console.print(f"{len(changes)} changes, each with its reasons; this is why the second one was made:")
    for reason in changes[1]["reasons"] if len(changes) > 1 else ():
        console.print(Text(f"  - {reason}"), soft_wrap=True)
    tell_what_is_next(console)


SCENARIO: Final = "policies/scenarios/region-dies.scenario.yaml"


def tell_what_is_next(console: Console, policies: str = "policies/") -> None:
    """The same for policies of one's own, without waiting for it."""
    console.print(f"next:  failoverctl test {policies}  plays such a night against policies")
    console.print(f"       failoverctl simulate {SCENARIO}  shows an outage from its first minute to its last")


def _standing(world: "DemoWorld") -> tuple[dict[str, str], dict[str, int]]:
    health: dict[str, str] = {}
    published: dict[str, int] = {}
    for status in world.daemon.snapshot():
        if isinstance(status, RegionStatus):
            health[status.region] = status.state
        elif isinstance(status, TargetStatus):
            published |= status.published
    return health, published


def _bar(share: float) -> Text:
    filled = round(share * BAR)
    return Text.assemble(("█" * filled, "cyan"), ("░" * (BAR - filled), "dim"), f" {share:4.0%}")
