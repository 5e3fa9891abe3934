"""Where members run, each by one process after the other, and what all of them told."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from support.daemons import RunningDaemon
from support.networks import Host


@dataclass
class Seat:
    """Where one member runs: its host, and its processes, of which the last may be at work."""

    name: str
    host: Host
    daemons: list[RunningDaemon] = field(default_factory=list, init=False)

    @property
    def running(self) -> RunningDaemon:
        assert self.daemons, f"{self.name} was never started"
        return self.daemons[-1]

    @property
    def runs(self) -> bool:
        return bool(self.daemons) and self.running.process.returncode is None


def last_words(seats: Iterable[Seat]) -> str:
    """Of the last process of each member."""
    return "\n".join(
        f"{seat.name}: {event.get('at')} {event.get('event')}: {event.get('message')}"
        for seat in seats
        for event in (seat.running.events[-15:] if seat.daemons else ())
    )


def require_written_once(seats: Iterable[Seat]) -> None:
    """No generation was written twice. Who finds what another one wrote a moment ago tells of the same change."""
    written: dict[int, dict[str, str]] = {}
    for seat in seats:
        for each in (event for daemon in seat.daemons for event in daemon.named("change.applied")):
            words = f"{seat.name}: {each['at']} {each['message']}"
            written.setdefault(each["generation"], {}).setdefault(each["change_id"], words)
    twice = [told for changes in written.values() if len(changes) > 1 for told in changes.values()]
    assert not twice, "\n".join(["generations were written twice:", *twice])
