"""Whether the daemon lives and is ready, for whoever starts and stops it: `/livez` and `/readyz`, as Kubernetes asks.

What is asked here is about the daemon alone. Neither the endpoints that it probes nor a provider nor the journal count:
in an incident they fail, and a daemon that was stopped for it, or taken out of sight, would be missing just then.

- `/livez`: the event loop answers, and the daemon's own timetable runs. Whoever fails here for a while has to be killed
  and started again, which moves no traffic.
- `/readyz`: it lives, has started (opened the journal, read the files), is not stopping, and did not come up without a
  single policy because none of its files loads.

Both answer in plain text, and at the cost of nothing: no thread, no file, no state that is not in memory.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from failoverd.foreign import shown
from failoverd.ports import Clock

LATE: Final = 30.0
"""Seconds without a heartbeat after which the timetable does not live, as long as systemd's watchdog waits for it."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at. `fault` says what is wrong, and is empty where nothing is.

    One that does not count is told to people, and changes no answer.
    """

    name: str
    fault: str = ""
    counts: bool = True


class VitalSigns:
    """What the daemon says of itself.

    Args:
        clock: seconds that nobody can set, such as `time.monotonic`.
        beside: what is looked at once it has started; what of it counts, counts for being ready.
    """

    def __init__(self, clock: Clock, beside: Callable[[], Iterable[Sign]]) -> None:
        self._clock = clock
        self._beside = beside
        self._beat_at: float | None = None
        self._stands = "it is starting"
        self.headline = ""
        """Where everything stands, in one line."""

    def beat(self) -> None:
        """The timetable is at work. From the first call on, it has to be called again and again."""
        self._beat_at = self._clock()

    def start(self) -> None:
        self._stands = ""

    def stop(self) -> None:
        self._stands = "it is stopping"

    def live(self) -> "SignReport":
        """What `/livez` answers."""
        return self._answer("livez", self._living())

    def ready(self) -> "SignReport":
        """What `/readyz` answers."""
        beside = () if self._stands else self._beside()
        return self._answer("readyz", [*self._living(), Sign("started", self._stands), *beside])

    def _living(self) -> list[Sign]:
        return [Sign("loop"), Sign("timetable", self._lateness())]

    def _lateness(self) -> str:
        since = self._clock() - self._beat_at if self._beat_at is not None else 0.0
        return f"no heartbeat for {since:.0f}s" if since > LATE else ""

    def _answer(self, name: str, signs: Iterable[Sign]) -> "SignReport":
        told = tuple(signs)
        sound = not any(sign.fault and sign.counts for sign in told)
        lines = [*map(_line, told), f"{name} check {'passed' if sound else 'failed'}"]
        if self.headline:
            lines.append(f"where things stand, which does not count: {self.headline}")
        return SignReport(sound, "\n".join(map(shown, lines)))


@dataclass(frozen=True, slots=True)
class SignReport:
    """`told` says it sign by sign, in the words of Kubernetes."""

    sound: bool
    told: str


def _line(sign: Sign) -> str:
    if not sign.fault:
        return f"[+]{sign.name} ok"
    if not sign.counts:
        return f"[!]{sign.name} failed, which does not count: {sign.fault}"
    return f"[-]{sign.name} failed: {sign.fault}"
