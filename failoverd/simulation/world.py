"""The endpoints on paper, and what they do when somebody probes them."""

import asyncio
from collections import deque
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

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


class ProberSight(StrEnum):
    """What the prober sees of the world. Clients see all of it in any case."""

    WELL = "well"
    CUT_OFF = "cut-off"  # no probe is answered
    BLIND = "blind"  # this host has no route
    MISTAKEN = "mistaken"  # every answer is another one than the check wants


class Impaired(Protocol):
    """What is wrong with an endpoint beyond what `Does` can say.

    `varies`: it may answer a probe otherwise than the last one, though nothing was said of it since.
    """

    @property
    def varies(self) -> bool: ...

    def answer(self, endpoint: Endpoint, check: Check, at: float) -> "PaperAnswer | None":
        """What comes of a probe that begins now; None: an answer as it should be."""

    def serves(self, patience: float) -> float:
        """The part of the requests that it serves, to clients that wait for so many seconds."""


_SERVE_NOBODY: Final = frozenset({Does.REFUSE, Does.DROP, Does.STUBBORN, Does.ERROR})


@dataclass(frozen=True)
class Look:
    """One probe: who was looked at, when it began, and how many were under way there then, itself included."""

    endpoint: Endpoint
    check: str
    at: float
    abreast: int


Looks = MutableSequence[Look]
Turned = Callable[[], None]


class World:
    """All endpoints, and what they do; by address. Everything answers after `latency` unless it is told otherwise.

    `serves` has the models that probes see there, where they see one; `connects` how long a connection takes, in
    seconds, where that is measured. `looks` are the last ones, as many as it `remembers` (all without). `turned` is
    told when something there is not as it was. `under_way` are the timers of the probes that are under way.
    """

    def __init__(self, clock: Clock, *, latency: float = 0.001, remembers: int | None = None) -> None:
        self.latency = latency
        self.serves: dict[str, Model] = {}
        self.connects: dict[str, float] = {}
        self.looks: Looks = [] if remembers is None else deque(maxlen=remembers)
        self.sight = ProberSight.WELL
        self.turned: Turned = lambda: None
        self._impaired: dict[str, Impaired] = {}
        self.under_way: set[asyncio.TimerHandle] = set()
        self._clock = clock
        self._does: dict[str, Does] = {}
        self._slow: dict[str, float] = {}
        self._abreast: dict[tuple[Endpoint, str], int] = {}

    def let(self, does: Does, *addresses: str) -> None:
        """From now on these endpoints do that. What is under way ends as it began."""
        self._does.update(dict.fromkeys(addresses, does))
        self.turned()

    def impair(self, how: Impaired, *addresses: str) -> None:
        """From now on this is wrong with them, whatever else they do."""
        self._impaired.update(dict.fromkeys(addresses, how))
        self.turned()

    def mend(self, how: Impaired, *addresses: str) -> tuple[str, ...]:
        """It is over, at those where nothing else is wrong by now. Returns these."""
        mended = tuple(address for address in addresses if self._impaired.get(address) is how)
        for address in mended:
            del self._impaired[address]
        self.turned()
        return mended

    def is_impaired(self, address: str) -> bool:
        return address in self._impaired

    def see(self, sight: ProberSight) -> None:
        """What the prober sees from now on."""
        self.sight = sight

    def served(self, endpoint: Endpoint, patience: float) -> float:
        """The part of the requests that clients have answered there, if they wait for so many seconds."""
        impaired = self._impaired.get(endpoint.address)
        if impaired is not None:
            return impaired.serves(patience)
        return 0.0 if self.does(endpoint) in _SERVE_NOBODY else 1.0

    def does(self, endpoint: Endpoint) -> Does:
        return self._does.get(endpoint.address, Does.ANSWER)

    def does_at(self, address: str) -> Does:
        return self._does.get(address, Does.ANSWER)

    def varies(self, endpoint: Endpoint) -> bool:
        """Whether it may answer a probe otherwise than the last one, though nothing was said of it since."""
        impaired = self._impaired.get(endpoint.address)
        return self.does(endpoint) is Does.CRASH or (impaired is not None and impaired.varies)

    def model_at(self, endpoint: Endpoint) -> Model | None:
        """The model that a probe sees there, if it passes."""
        return self.serves.get(endpoint.address)

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
        if self.sight is not ProberSight.WELL:
            return _unseen(self.sight, check, self.latency)
        impaired = self._impaired.get(endpoint.address)
        if impaired is None:
            return self._as_it_does(endpoint, check)
        said = impaired.answer(endpoint, check, self._clock())
        return said or PaperAnswer(self.latency, ProbeOutcome.PASS, ProbeReason.OK)

    def _as_it_does(self, endpoint: Endpoint, check: Check) -> "PaperAnswer":
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


def _unseen(sight: ProberSight, check: Check, latency: float) -> PaperAnswer:
    match sight:
        case ProberSight.CUT_OFF:
            return PaperAnswer(check.timeout, ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
        case ProberSight.BLIND:
            return PaperAnswer(0.0, ProbeOutcome.BLIND, ProbeReason.NO_ROUTE)
        case _:
            return PaperAnswer(latency, ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)


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
            world.under_way.discard(timer)
            return world.end(endpoint, check)

        def report() -> None:
            now = end()
            served = world.model_at(endpoint) if answer.outcome is ProbeOutcome.PASS else None
            timings = Timings(now - began, connect=world.connects.get(endpoint.address))
            tell(ProbeResult(endpoint, check.name, answer.outcome, answer.reason, timings, now, served=served))

        timer = asyncio.get_running_loop().call_later(answer.after, report)
        world.under_way.add(timer)

        def abandon() -> None:
            if not over:
                timer.cancel()
                end()

        return abandon
