"""The silence that a cloud asks for, and how a fail-out gets through it: a circuit breaker with a half-open state.

Routine waits for the whole silence. It was asked of routine, mostly, and must not be a sentence for a fail-out. So an
urgent request may try: one at a time, `FIRST_TRIAL` seconds after the cloud asked, then twice as long after each trial,
at most `LONGEST_TRIAL`. A trial that is throttled renews the silence. One that is taken is the cloud's newest word:
what changes something goes at the account's rate from then on, and routine still waits until the silence is over.

Pure: time comes in as an argument.
"""

from dataclasses import dataclass
from typing import Final

from failoverd.ports import Urgency

THROTTLED: Final = "throttled"
"""The reason of a RateLimited that concerns the whole account. Others concern one zone, and only their call waits."""

LONGEST_PAUSE: Final = 30.0
"""Seconds that a round waits for a throttled account; asked for more, it ends, and comes back that much later."""

URGENT_PAUSE: Final = 1.0
"""The same for a fail-out: it is told at once when the next trial may be made, so that its wait is no secret."""

FIRST_TRIAL: Final = 2.0
LONGEST_TRIAL: Final = 8.0
"""Seconds between the trials of a long silence: a fortieth of the requests that the strictest of the clouds allows."""

LONGEST_SILENCE: Final = 3_600.0
"""Seconds for which an account is left alone, whatever it asks for: a broken header does not park it for days."""


def patience(urgency: Urgency) -> float:
    """Seconds that a request waits in line for a silence to end. Who would wait longer is told when to come back."""
    return URGENT_PAUSE if urgency.fails_out else LONGEST_PAUSE


@dataclass(slots=True)
class Throttle:
    """One silence after the other. `trying`: a trial is under way, and what it comes to is not known yet.

    `refused` is how many requests in a row were throttled: a cloud that names no time is left alone longer each time.
    """

    trying: bool = False
    refused: int = 0
    _asked_at: float = float("-inf")
    _until: float = float("-inf")
    _trial_at: float = float("-inf")
    _pace: float = FIRST_TRIAL
    _taken: bool = False

    def ask(self, seconds: float, now: float) -> None:
        """The cloud asks for so much silence from now on."""
        if now >= self._until:
            self._pace = FIRST_TRIAL
        self._asked_at, self._until = now, max(self._until, now + min(seconds, LONGEST_SILENCE))
        self._trial_at = now + self._pace
        self.trying = self._taken = False
        self.refused += 1

    def wait(self, urgency: Urgency, now: float) -> float:
        """Seconds until a request of this urgency may be sent."""
        if self._taken and not urgency.is_routine:
            return 0.0
        end = min(self._until, self._trial_at) if urgency.fails_out else self._until
        return max(0.0, end - now)

    def send(self, now: float) -> None:
        """A request is sent. In the middle of a silence it is a trial."""
        if now < self._until and not self._taken:
            self._pace, self._trial_at = (
                min(2.0 * self._pace, LONGEST_TRIAL),
                now + min(2.0 * self._pace, LONGEST_TRIAL),
            )
            self.trying = True

    def take(self, sent_at: float) -> None:
        """The cloud took a request that was sent then. One that was sent before the silence says nothing about it."""
        if sent_at > self._asked_at:
            self.trying, self._taken, self._pace = False, True, FIRST_TRIAL
            self.refused = 0

    def lose(self) -> None:
        """What became of a request is not known: the next trial may be made in its time."""
        self.trying = False
