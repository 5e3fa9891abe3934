"""Probers as a policy file would make them: settings go through the same models, the clock is the test's."""

from dataclasses import dataclass, field
from itertools import count
from typing import cast

from failoverd.core.records import Check, Endpoint, ProbeResult
from failoverd.ports import Clock, Ledger, ProbeContext, Prober
from failoverd.probes import kinds, probe_once


@dataclass
class PaperLedger:
    """`ports.Ledger` in memory: what was spent, by account and day."""

    spent: dict[tuple[str, str], int] = field(default_factory=dict)

    async def reserve(self, account: str, day: str, amount: int, limit: int) -> bool:
        spent = self.spent.get((account, day), 0)
        if spent + amount > limit:
            return False
        self.spent[account, day] = spent + amount
        return True

    async def refund(self, account: str, day: str, amount: int) -> None:
        self.spent[account, day] -= amount


@dataclass(frozen=True)
class AwaitedProber:
    """A prober whose probes can be awaited."""

    prober: Prober

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        return await probe_once(self.prober, endpoint)


def prober(
    kind: str, value: object, clock: Clock | None = None, /, *, ledger: object = None, **settings: object
) -> AwaitedProber:
    """A prober of `{kind: value, **settings}`: `prober("http", "/health", timeout="100ms")`.

    It has time enough for a machine that is busy, unless it is told otherwise.
    """
    checked = kinds()[kind].settings.model_validate({kind: value, "timeout": "10s", **settings})
    check = Check("live", kind, checked.every, checked.timeout, checked)
    spent = cast("Ledger", ledger or PaperLedger())
    context = ProbeContext("inference-api", clock or counting_clock(), spent)
    return AwaitedProber(kinds()[kind].open(check, context))


def counting_clock(start: int = 1_000) -> Clock:
    """A clock that moves one second each time it is read."""
    ticks = count(start)
    return lambda: float(next(ticks))
