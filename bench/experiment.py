"""Real faults: regions are struck at random moments, and every detector's verdict is waited for."""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.detectors import Listener, detecting
from bench.troubles import INTERVAL, Field, Region, Trouble, field_of, plan

_SETTLE = 3 * INTERVAL
"""Seconds until everybody has seen everything and is calm."""

_POLL = 0.25


@dataclass(frozen=True)
class Fault:
    """One region that was struck. Seconds until each detector's verdict; a detector that gave none is missing."""

    region: str
    trouble: Trouble
    delays: dict[str, float]


@dataclass(frozen=True)
class Experiment:
    """All faults, and who called a region down that was well: detector to how often."""

    faults: Sequence[Fault]
    false: dict[str, int]
    patience: float

    def delays(self, trouble: Trouble, detector: str) -> list[float]:
        """Of all faults of a kind; endless for one that was never noticed."""
        return [fault.delays.get(detector, float("inf")) for fault in self.faults if fault.trouble is trouble]


def conduct(each: int, span: float, patience: float, seed: int, tell: Callable[[str], None]) -> Experiment:
    """Strike so many regions of each kind within `span` seconds, and wait `patience` seconds after the last."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable experiment, no secret
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path, field_of(each) as field:
        tell(f"{len(field.regions)} regions are up; starting the detectors")
        with detecting(Path(path), field) as listeners:
            time.sleep(_SETTLE)
            struck = _strike(field, span, chance, tell)
            _wait(struck, listeners, patience, tell)
            return _judge(field, struck, listeners, patience)


def _strike(field: Field, span: float, chance: random.Random, tell: Callable[[str], None]) -> dict[str, float]:
    """When each region was struck, in monotonic seconds."""
    struck: dict[str, float] = {}
    began = time.monotonic()
    for offset, region in plan(field, span, chance):
        time.sleep(max(0.0, began + offset - time.monotonic()))
        struck[region.name] = time.monotonic()
        region.strike()
    tell(f"struck {len(struck)} regions within {span:g} s")
    return struck


def _wait(
    struck: dict[str, float], listeners: Sequence[Listener], patience: float, tell: Callable[[str], None]
) -> None:
    deadline = max(struck.values()) + patience
    while time.monotonic() < deadline and any(struck.keys() - listener.verdicts.keys() for listener in listeners):
        time.sleep(_POLL)
    for listener in listeners:
        tell(f"{listener.name}: {len(struck.keys() & listener.verdicts.keys())} of {len(struck)} regions noticed")


def _judge(field: Field, struck: dict[str, float], listeners: Sequence[Listener], patience: float) -> Experiment:
    faults = [
        Fault(region.name, region.trouble, _delays(region, struck, listeners, patience)) for region in field.regions
    ]
    false = {
        listener.name: sum(1 for name, at in listener.verdicts.items() if at < struck.get(name, float("inf")))
        for listener in listeners
    }
    return Experiment(faults, false, patience)


def _delays(
    region: Region, struck: dict[str, float], listeners: Sequence[Listener], patience: float
) -> dict[str, float]:
    """Everybody gets the same time, whether its region was struck early or late."""
    at = struck[region.name]
    found = {listener.name: listener.verdicts.get(region.name, float("inf")) - at for listener in listeners}
    return {name: delay for name, delay in found.items() if 0 <= delay <= patience}
