"""Probers as a policy file would make them: settings go through the same models, the clock is the test's."""

from itertools import count

from failoverd.core.records import Check
from failoverd.ports import Clock, Prober
from failoverd.probes import kinds


def prober(kind: str, value: object, clock: Clock | None = None, /, **settings: object) -> Prober:
    """A prober of `{kind: value, **settings}`: `prober("http", "/health", timeout="100ms")`."""
    checked = kinds()[kind].settings.model_validate({kind: value, **settings})
    check = Check("live", kind, checked.every, checked.timeout, checked)
    return kinds()[kind].open(check, clock or counting_clock())


def counting_clock(start: int = 1_000) -> Clock:
    """A clock that moves one second each time it is read."""
    ticks = count(start)
    return lambda: float(next(ticks))
