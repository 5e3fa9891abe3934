"""The endpoints on paper, and what they do when somebody probes them."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, Model, ProbeResult, Timings
from failoverd.ports import Cancel, Clock, Tell


class Does(StrEnum):
    """What an endpoint does when somebody probes it."""

    ANSWER = "answer"
    REFUSE = "refuse"  # fails at once
    DROP = "drop"  # fails after the whole time-out
    OVERLOAD = "overload"
    BLIND = "blind"  # the prober cannot look
    CRASH = "crash"  # the prober has a defect
    ERROR = "error"  # an answer that is none of the good ones
    STUBBORN = "stubborn"  # the prober does not let itself be cancelled


@dataclass(frozen=True)
class Look:
    """One probe: who was looked at, when it began, and how many were under way there then, itself included."""

    endpoint: Endpoint
    check: str
    at: float
    abreast: int


class World:
    """All endpoints, and what they do; by address. Everything answers after `latency` unless it is told otherwise.

    `serves` has the models that probes see there, where they see one.
    """

    def __init__(self, clock: Clock, *, latency: float = 0.001) -> None:
        self.latency = latency
        self.serves: dict[str, Model] = {}
        self.looks: list[Look] = []
        self._clock = clock
        self._does: dict[str, Does] = {}
        self._slow: dict[str, float] = {}
        self._abreast: dict[tuple[Endpoint, str], int] = {}

    def let(self, does: Does, *addresses: str) -> None:
        """From now on these endpoints do that. What is under way ends as it began."""
        self._does.update(dict.fromkeys(addresses, does))

    def does(self, endpoint: Endpoint) -> Does:
        return self._does.get(endpoint.address, Does.ANSWER)

    def does_at(self, address: str) -> Does:
        return self._does.get(address, Does.ANSWER)

    def slow(self, address: str, latency: float) -> None:
        self._slow[address] = latency

    def prober(self, check: Check) -> "PaperProber":
        return PaperProber(self, check)

    def at(self, address: str) -> list[float]:
        """When this endpoint was looked at."""
        return [look.at for look in self.looks if look.endpoint.address == address]

    async def look(self, endpoint: Endpoint, check: Check) -> ProbeResult:
        began, key = self._clock(), (endpoint, check.name)
        self._abreast[key] = self._abreast.get(key, 0) + 1
        self.looks.append(Look(endpoint, check.name, began, self._abreast[key]))
        try:
            outcome, reason = await self._answer(endpoint, check)
        finally:
            self._abreast[key] -= 1
        now = self._clock()
        served = self.serves.get(endpoint.address) if outcome is ProbeOutcome.PASS else None
        return ProbeResult(endpoint, check.name, outcome, reason, Timings(now - began), now, served=served)

    async def _answer(self, endpoint: Endpoint, check: Check) -> tuple[ProbeOutcome, ProbeReason]:
        match self.does(endpoint):
            case Does.REFUSE:
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED
            case Does.DROP:
                await asyncio.sleep(check.timeout)
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT
            case Does.BLIND:
                return ProbeOutcome.BLIND, ProbeReason.NO_ROUTE
            case Does.OVERLOAD | Does.ERROR as does:
                await asyncio.sleep(self.latency)
                overload = ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED
                return overload if does is Does.OVERLOAD else (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
            case Does.STUBBORN:
                return await self._hold_out(check)
            case _:
                await asyncio.sleep(self._slow.get(endpoint.address, self.latency))
                return ProbeOutcome.PASS, ProbeReason.OK

    async def _hold_out(self, check: Check) -> tuple[ProbeOutcome, ProbeReason]:
        try:
            await asyncio.sleep(check.timeout)
        except asyncio.CancelledError:
            return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT
        return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT


@dataclass(frozen=True)
class PaperProber:
    """`ports.Prober` that looks into the world on paper."""

    world: World
    check: Check

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        if self.world.does(endpoint) is Does.CRASH:
            raise RuntimeError("a defect in the prober")
        task = asyncio.get_running_loop().create_task(self.world.look(endpoint, self.check))

        def report(done: asyncio.Task[ProbeResult]) -> None:
            if not done.cancelled():
                tell(done.result())

        def abandon() -> None:
            task.remove_done_callback(report)
            task.cancel()

        task.add_done_callback(report)
        return abandon
