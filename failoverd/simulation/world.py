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

    `serves` has the models that probes see there, where they see one; `connects` how long a connection takes, in
    seconds, where that is measured.
    """

    def __init__(self, clock: Clock, *, latency: float = 0.001) -> None:
        self.latency = latency
        self.serves: dict[str, Model] = {}
        self.connects: dict[str, float] = {}
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

    def connect_in(self, seconds: float | None, *addresses: str) -> None:
        """From now on connections to these take so long; None: that is not measured."""
        for address in addresses:
            if seconds is None:
                self.connects.pop(address, None)
            else:
                self.connects[address] = seconds

    def prober(self, check: Check) -> "PaperProber":
        return PaperProber(self, check)

    def at(self, address: str) -> list[float]:
        """When this endpoint was looked at."""
        return [look.at for look in self.looks if look.endpoint.address == address]

    def begin(self, endpoint: Endpoint, check: Check) -> float:
        """A probe begins now."""
        began, key = self._clock(), (endpoint, check.name)
        self._abreast[key] = self._abreast.get(key, 0) + 1
        self.looks.append(Look(endpoint, check.name, began, self._abreast[key]))
        return began

    def end(self, endpoint: Endpoint, check: Check) -> float:
        """It is over, or abandoned, now."""
        self._abreast[endpoint, check.name] -= 1
        return self._clock()

    def answer(self, endpoint: Endpoint, check: Check) -> "PaperAnswer":
        """What comes of a probe that begins now."""
        match self.does(endpoint):
            case Does.REFUSE:
                return PaperAnswer(0.0, ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)
            case Does.DROP | Does.STUBBORN:
                return PaperAnswer(check.timeout, ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
            case Does.BLIND:
                return PaperAnswer(0.0, ProbeOutcome.BLIND, ProbeReason.NO_ROUTE)
            case Does.OVERLOAD:
                return PaperAnswer(self.latency, ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED)
            case Does.ERROR:
                return PaperAnswer(self.latency, ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
            case _:
                after = self._slow.get(endpoint.address, self.latency)
                after = max(after, self.connects.get(endpoint.address, 0.0))
                return PaperAnswer(after, ProbeOutcome.PASS, ProbeReason.OK)


@dataclass(frozen=True, slots=True)
class PaperAnswer:
    """What comes of a probe, after so many seconds."""

    after: float
    outcome: ProbeOutcome
    reason: ProbeReason


@dataclass(frozen=True)
class PaperProber:
    """`ports.Prober` that looks into the world on paper. A probe is one timer: there are many of them."""

    world: World
    check: Check

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        world, check = self.world, self.check
        does, answer = world.does(endpoint), world.answer(endpoint, check)
        if does is Does.CRASH:
            raise RuntimeError("a defect in the prober")
        began = world.begin(endpoint, check)
        over = False

        def end() -> float:
            nonlocal over
            over = True
            return world.end(endpoint, check)

        def report() -> None:
            now = end()
            served = world.serves.get(endpoint.address) if answer.outcome is ProbeOutcome.PASS else None
            timings = Timings(now - began, connect=world.connects.get(endpoint.address))
            tell(ProbeResult(endpoint, check.name, answer.outcome, answer.reason, timings, now, served=served))

        timer = asyncio.get_running_loop().call_later(answer.after, report)

        def abandon() -> None:
            if not over:
                timer.cancel()
                end()

        return abandon
