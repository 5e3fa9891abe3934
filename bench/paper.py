"""Targets on paper: what they answer to a probe, and how soon, on whatever clock the running loop has."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from bench.troubles import ERRORS, Trouble
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, ProbeResult, Timings
from failoverd.ports import Cancel, Tell

_LATENCY = 0.02
"""Seconds of an answer when all is well, and of a refusal: there and back across a continent."""

_LOST = 0.01
_SYN_RETRIES = (0.0, 1.0, 3.0)
"""Seconds after which a connection request goes out (RFC 6298, 2.1: one second, doubled each time)."""

_DATA_RETRIES = (0.0, 0.2, 0.6, 1.4, 3.0)
"""The same for data on a connection with a short way: Linux waits 200 ms at least."""


class Loss(StrEnum):
    """What is lost at random, one time in a hundred."""

    PACKETS = "1 % of the packets"  # TCP sends them again
    PROBES = "1 % of the probes"  # nothing helps: the probe times out


@dataclass
class Paper:
    """What all targets do, by policy, and how often they were looked at."""

    chance: random.Random
    looks: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self._struck: dict[str, Trouble] = {}
        self._loss: Loss | None = None
        self._wires: dict[str, set[Callable[[], None]]] = {}

    def strike(self, policy: str, trouble: Trouble) -> None:
        """The policy's first region is in trouble from now on. A crash resets the connections that were idle."""
        self._struck[policy] = trouble
        if trouble is Trouble.CRASHED:
            for tripped in self._wires.get(policy, set()):
                asyncio.get_running_loop().call_later(_LATENCY / 2, tripped)

    def lose(self, loss: Loss) -> None:
        """From now on things are lost. Counting starts anew."""
        self._loss = loss
        self.looks = self.failed = 0

    def wire(self, policy: str, tripped: Callable[[], None]) -> Cancel:
        wires = self._wires.setdefault(policy, set())
        wires.add(tripped)
        return lambda: wires.discard(tripped)

    def answer(self, policy: str, endpoint: Endpoint, timeout: float) -> tuple[ProbeOutcome, ProbeReason, float]:
        """What a look that begins now comes to, and after how many seconds."""
        self.looks += 1
        found = self._trouble(policy, endpoint, timeout) or self._lossy(timeout)
        self.failed += found[0] is ProbeOutcome.FAIL
        return found

    def _trouble(
        self, policy: str, endpoint: Endpoint, timeout: float
    ) -> tuple[ProbeOutcome, ProbeReason, float] | None:
        if endpoint.region != "struck":
            return None
        match self._struck.get(policy):
            case Trouble.CRASHED:
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, _LATENCY
            case Trouble.DROPPED:
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT, timeout
            case Trouble.SLOW:
                return ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT, timeout
            case Trouble.ERRORS if self.chance.randrange(100) < ERRORS:
                return ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED, _LATENCY
            case _:
                return None

    def _lossy(self, timeout: float) -> tuple[ProbeOutcome, ProbeReason, float]:
        match self._loss:
            case Loss.PROBES:
                took = timeout + 1 if self.chance.random() < _LOST else _LATENCY
            case Loss.PACKETS:
                there_and_back = 1 - (1 - _LOST) ** 2
                took = _LATENCY + self._sent(_SYN_RETRIES, there_and_back)
                took += self._sent(_DATA_RETRIES, _LOST) + self._sent(_DATA_RETRIES, _LOST)
            case _:
                took = _LATENCY
        if took >= timeout:
            return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT, timeout
        return ProbeOutcome.PASS, ProbeReason.OK, took

    def _sent(self, retries: tuple[float, ...], lost: float) -> float:
        """Seconds until something that is sent again and again arrives."""
        return next((after for after in retries if self.chance.random() >= lost), float("inf"))


@dataclass(frozen=True)
class PaperProber:
    """`ports.Prober` and `ports.Tripping` for one policy's targets on paper."""

    paper: Paper
    policy: str
    check: Check
    wired: bool

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        outcome, reason, took = self.paper.answer(self.policy, endpoint, self.check.timeout)
        loop = asyncio.get_running_loop()
        return loop.call_later(took, partial(self._tell, endpoint, outcome, reason, took, tell)).cancel

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        return self.paper.wire(self.policy, tripped) if self.wired and endpoint.region == "struck" else None

    def _tell(self, endpoint: Endpoint, outcome: ProbeOutcome, reason: ProbeReason, took: float, tell: Tell) -> None:
        at = asyncio.get_running_loop().time()
        tell(ProbeResult(endpoint, self.check.name, outcome, reason, Timings(took), at))
