"""What each rung of the ladder said last at one endpoint, when it is asked again, and what all of that comes to.

A rung that passed is asked again after its interval. One that failed is asked again by the next probes, which come
soon: so that a verdict rests on several answers. From the third failure on, and after every DEGRADED or BLIND, the
probes that pass until it is asked again double, up to the rung's interval: trouble that lasts must not eat up a day's
tokens.

What a rung said counts until it is asked again, and for one more interval, when it could not be asked for some reason.
"""

from typing import Final

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.findings import Finding

SURE: Final = 3
"""Failures in a row that are asked for at once."""

_MOST_DOUBLINGS: Final = 16
_BY_WEIGHT: Final = (ProbeOutcome.PASS, ProbeOutcome.BLIND, ProbeOutcome.DEGRADED, ProbeOutcome.FAIL)

Said = tuple[str, Finding, float]
"""The name of a rung, what it said, and how many seconds ago; 0 when it is new."""


class Rung:
    """One rung at one endpoint.

    Args:
        name: for people.
        every: its interval, in seconds.
        soonest: seconds between two probes.
    """

    __slots__ = ("_at", "_due_at", "_expires_at", "_finding", "_in_a_row", "every", "is_busy", "name", "soonest")

    def __init__(self, name: str, every: float, soonest: float) -> None:
        self.name = name
        self.every = every
        self.soonest = min(soonest, every)
        self.is_busy = False
        self._finding: Finding | None = None
        self._at = self._due_at = self._expires_at = 0.0
        self._in_a_row = 0

    def is_due(self, now: float) -> bool:
        """Probes may overlap: a rung that is being asked is not asked by another probe."""
        return not self.is_busy and now >= self._due_at

    def say(self, finding: Finding, now: float, wait: float = 0.0) -> None:
        """Take down what it said; it is not asked again for at least `wait` seconds."""
        outcome = finding.reason.outcome
        passed = outcome is ProbeOutcome.PASS
        self._in_a_row = 0 if passed else self._in_a_row + 1
        self._finding, self._at = finding, now
        self._due_at = now + max(wait, self.every if passed else self._pause(outcome))
        self._expires_at = self._due_at + self.every

    def postpone(self, until: float) -> None:
        """Do not ask before then. What it said last lives no longer for that."""
        self._due_at = max(self._due_at, until)

    def said(self, now: float, since: float = 0.0) -> Said | None:
        """What it said last, for as long as that counts. What was said since then is new."""
        if self._finding is None or now >= self._expires_at:
            return None
        return self.name, self._finding, 0.0 if self._at >= since else max(0.0, now - self._at)

    def _pause(self, outcome: ProbeOutcome) -> float:
        doublings = self._in_a_row - (SURE if outcome is ProbeOutcome.FAIL else 1)
        if doublings < 0:
            return 0.0
        return min(self.every, self.soonest * 2.0 ** min(doublings, _MOST_DOUBLINGS))


def combine(said: list[Said]) -> Finding:
    """The worst of what the rungs said; of equals the lowest rung's, which is the newest. `said` is not empty."""
    name, worst, ago = max(said, key=lambda each: _BY_WEIGHT.index(each[1].reason.outcome))
    measures = tuple({measure: None for _, finding, age in said if not age for measure in finding.measures})
    served = next((finding.served for _, finding, age in said if not age and finding.served is not None), None)
    if worst.reason.outcome is ProbeOutcome.PASS:
        return Finding(ProbeReason.OK, "; ".join(finding.detail for _, finding, _ in said), measures, served)
    when = f", {ago:.0f}s ago" if ago else ""
    return Finding(worst.reason, f"{name}{when}: {worst.detail}", measures, served)
