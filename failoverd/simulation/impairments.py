"""What is wrong with endpoints in a scenario, in the words of its file: to probes, and to clients.

Chance is drawn of the seed, the endpoint and the moment alone: so two variants of a policy have the same luck.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from failoverd.config.schema.scenario_file import OverloadEntry
from failoverd.config.schema.test_file import Fault, FaultEntry
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import WHOLE, Check, Endpoint
from failoverd.settings import CheckSettings
from failoverd.simulation.world import PaperAnswer, World

_PARTS: Final[dict[Fault, int]] = {"packet-loss": 100, "brown-out": 3_300}
"""In basis points, where nobody says how much."""

_RESENT: Final = (1.0, 1.0, 0.2, 0.2, 0.2, 0.2)
"""Packets that have to arrive in a probe: two of the connection, and of TLS, the request and the answer. Each with the
seconds after which it is sent again, and twice that after each further loss: the first 1 s of RFC 6298, and the least
that Linux waits once it knows how long an answer takes."""

_ENOUGH: Final = 6
"""Losses of one packet after which no client waits any more: 63 s."""

_SPOILT: Final[dict[Fault, tuple[ProbeOutcome, ProbeReason]]] = {
    "refuse": (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED),
    503: (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED),
    429: (ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED),
}

_LOST: Final[frozenset[Fault]] = frozenset({"refuse", "drop", 503})


@dataclass(frozen=True, slots=True, eq=False)
class Impairment:
    """`world.Impaired` as a scenario says it. `latency` is what an answer takes where nothing is slow, in seconds."""

    said: FaultEntry
    seed: int = 1
    latency: float = 0.001

    @property
    def part(self) -> float:
        """Of packets or requests, from 0 to 1."""
        return (self.said.part if self.said.part is not None else _PARTS.get(self.said.does, 0)) / WHOLE

    @property
    def varies(self) -> bool:
        """By chance."""
        return self.said.does in _PARTS

    def answer(self, endpoint: Endpoint, check: Check, at: float) -> PaperAnswer | None:
        match self.said.does:
            case "drop":
                return PaperAnswer(check.timeout, ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
            case "slow":
                return _late(check, self.said.by)
            case "packet-loss":
                return _late(check, self.latency + self._resent(self._chance(endpoint, check, at)))
            case "brown-out":
                fails = self._chance(endpoint, check, at).random() < self.part
                return PaperAnswer(self.latency, *_SPOILT[503]) if fails else None
            case fault:
                return PaperAnswer(self.latency, *_SPOILT[fault]) if fault in _SPOILT else None

    def serves(self, patience: float) -> float:
        fault = self.said.does
        if fault in _LOST or (fault == "slow" and self.said.by >= patience):
            return 0.0
        return 1.0 - self.part if fault == "brown-out" else 1.0

    def _chance(self, endpoint: Endpoint, check: Check, at: float) -> Random:
        return Random(f"{self.seed} {endpoint.address} {check.name} {at:.3f}")  # noqa: S311 - a script, no secret

    def _resent(self, chance: Random) -> float:
        """Seconds that are lost because packets are."""
        waited = 0.0
        for pause in _RESENT:
            losses = 0
            while losses < _ENOUGH and chance.random() < self.part:
                waited += pause * 2**losses
                losses += 1
        return waited


def _late(check: Check, after: float) -> PaperAnswer:
    """An answer that is right, after so many seconds."""
    if after >= check.timeout:
        return PaperAnswer(check.timeout, ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)
    slow = check.settings.slow if isinstance(check.settings, CheckSettings) else None
    if slow is not None and after > slow:
        return PaperAnswer(after, ProbeOutcome.DEGRADED, ProbeReason.SLOW)
    return PaperAnswer(after, ProbeOutcome.PASS, ProbeReason.OK)


class Overloading:
    """Regions that clients send more than they can carry: what becomes of them, until that is over.

    Endpoints at which something else is wrong by then are left alone.
    """

    def __init__(self, world: World, endpoints: Callable[[str], Sequence[str]], said: OverloadEntry, seed: int) -> None:
        self._world = world
        self._endpoints = endpoints
        self._above = said.above
        self._how = Impairment(FaultEntry(does=said.does), seed, world.latency)
        self._hit = dict[str, tuple[str, ...]]()

    def weigh(self, loads: Mapping[str, tuple[float, float]]) -> None:
        """Regions with what they are sent, and their capacity."""
        for region, (sent, capacity) in loads.items():
            if sent > capacity * self._above and region not in self._hit:
                well = tuple(each for each in self._endpoints(region) if not self._world.is_impaired(each))
                self._hit[region] = well
                self._world.impair(self._how, *well)
            elif sent <= capacity * self._above and region in self._hit:
                self._world.mend(self._how, *self._hit.pop(region))
