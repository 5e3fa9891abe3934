"""The experiment: break the first region, time every server's changed answer, heal it, wait until all is calm, again.

The bound
---------
Probes come at a fixed beat. The first one after a fault is the first to fail; `fall - 1` more follow, and a port that
drops silently costs the last of them its time-out. So the answer cannot change sooner after the fault than

    phase of the interval + (fall - 1) x gap, plus the time-out for silent drops

where the gap is failoverd's `recheck`, and gdnsd's whole interval. What comes on top is the overhead: to judge, decide,
write and prove. The phase is read off the times at which the probes reached the target.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from support.servers import bind

from bench.contenders import RECORD, Setting, failoverd, gdnsd
from bench.polling import Poller, Sighting, polling
from bench.targets import Fault, Target, prepare_drops, serving

FIRST, SECOND = "127.86.0.1", "127.86.0.2"
HTTP_PORT, EMBEDDED_PORT, GDNSD_PORT = 8086, 5301, 5302
"""Free by construction: the benchmark has its network to itself."""

EMBEDDED, BIND, GDNSD = "failoverd (embedded)", "failoverd (BIND)", "gdnsd"
OURS = (EMBEDDED, BIND)
SYSTEMS = (*OURS, GDNSD)

_AGENTS = {EMBEDDED: "failoverd/", BIND: "failoverd/", GDNSD: "gdnsd"}
"""How the User-Agent of each system's probes begins."""

POLL = 0.002
"""Seconds between queries to each server while a change is awaited."""

_IDLE_POLL = 0.05
_MARGIN = 0.02
"""Seconds around a probe in which no fault is made: it might strike in the middle of the probe."""

_STEADY = 0.1
"""Seconds by which probes of a calm daemon may miss their beat on a busy machine."""

_BEATS = 3
_START_WITHIN, _CHANGE_WITHIN, _RETURN_WITHIN = 60.0, 30.0, 60.0


@dataclass(frozen=True)
class Sample:
    """One fault. Seconds, by system.

    `totals` are from the fault to the changed answer, `bounds` the least that they could be; `resolution` is how long
    before the changed answer the last unchanged one was asked for.
    """

    number: int
    fault: Fault
    totals: dict[str, float]
    bounds: dict[str, float]
    resolution: dict[str, float]

    @property
    def overheads(self) -> dict[str, float]:
        """What each system took on top of its bound."""
        return {system: total - self.bounds[system] for system, total in self.totals.items()}


@dataclass(frozen=True)
class Bench:
    """Everything that runs during the experiment."""

    setting: Setting
    victim: Target
    poller: Poller


def measure(faults: int, seed: int, tell: Callable[[str], None]) -> list[Sample]:
    """Run the experiment with as many faults, half of each kind, in an order and at moments that `seed` decides.

    `tell` hears of the progress, a line at a time.
    """
    setting = Setting()
    plan = _schedule(faults, setting.interval, random.Random(seed))  # noqa: S311 - a repeatable experiment, no secret
    samples: list[Sample] = []
    with _bench(setting) as bench:
        tell(f"starting {', '.join(SYSTEMS)}")
        calm_since = _settle(bench, _START_WITHIN)
        began = time.monotonic()
        for number, (fault, offset) in enumerate(plan, start=1):
            sample = _strike(bench, number, fault, offset, calm_since)
            samples.append(sample)
            bench.victim.heal()
            calm_since = _settle(bench, _RETURN_WITHIN)
            tell(_progress(sample, faults, time.monotonic() - began))
    return samples


def _schedule(faults: int, interval: float, chance: random.Random) -> list[tuple[Fault, float]]:
    """What happens in which order, and how long after a probe of failoverd.

    The moments of each kind are random and spread over the whole interval: one in each of as many equal parts.
    """
    plan = []
    for index, fault in enumerate(Fault):
        count = (faults + index) // len(Fault)
        width = (interval - 2 * _MARGIN) / max(count, 1)
        plan += [(fault, _MARGIN + (part + chance.random()) * width) for part in range(count)]
    chance.shuffle(plan)
    return plan


@contextmanager
def _bench(setting: Setting) -> Iterator[Bench]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="failoverd-bench-")))
        prepare_drops()
        first, second = (Target(address, HTTP_PORT, directory / address) for address in (FIRST, SECOND))
        for target in (first, second):
            stack.enter_context(serving(target))
        zone = stack.enter_context(bind())
        stack.enter_context(gdnsd(directory, setting, (first, second), GDNSD_PORT))
        stack.enter_context(failoverd(directory, setting, (first, second), EMBEDDED_PORT, zone))
        ports = {EMBEDDED: EMBEDDED_PORT, BIND: zone.port, GDNSD: GDNSD_PORT}
        yield Bench(setting, first, stack.enter_context(polling(RECORD, ports)))


def _settle(bench: Bench, within: float) -> float:
    """Wait until every server answers with the first region and every monitor is calm. Returns since when they are.

    Calm means that a whole interval has passed since the last return, and that failoverd's last probes kept their beat.
    """
    healed_at = time.monotonic()
    bench.poller.watch(FIRST, every=_IDLE_POLL, within=within)
    deadline = healed_at + within
    _sleep(bench.setting.interval)
    while not _on_beat(probes := bench.victim.probes(_AGENTS[EMBEDDED], healed_at), bench.setting.interval):
        if time.monotonic() > deadline:
            raise TimeoutError(f"failoverd's probes do not keep their interval; they came at {probes[-10:]}")
        _sleep(bench.setting.interval / 2)
    return healed_at


def _on_beat(probes: list[float], interval: float) -> bool:
    last = probes[-_BEATS:]
    return len(last) == _BEATS and all(abs(after - before - interval) < _STEADY for before, after in pairwise(last))


def _strike(bench: Bench, number: int, fault: Fault, offset: float, calm_since: float) -> Sample:
    """Break the victim `offset` seconds after a probe and wait until every server has changed its answer."""
    victim, interval = bench.victim, bench.setting.interval
    _sleep(_next_probe(victim, EMBEDDED, calm_since, interval) + offset - time.monotonic())
    struck_at = victim.strike(fault)
    sightings = bench.poller.watch(SECOND, every=POLL, within=_CHANGE_WITHIN)
    _check_answers(sightings)
    phases = {system: _next_probe(victim, system, calm_since, interval) - struck_at for system in SYSTEMS}
    return Sample(
        number,
        fault,
        totals={system: seen.at - struck_at for system, seen in sightings.items()},
        bounds={system: phase + _inevitable(bench.setting, system, fault) for system, phase in phases.items()},
        resolution={system: seen.at - max(struck_at, seen.last_other or 0.0) for system, seen in sightings.items()},
    )


def _next_probe(victim: Target, system: str, calm_since: float, interval: float) -> float:
    """When a system's beat comes round after its last probe that reached the victim.

    The earliest of the last few probes says it best: a probe may be late, hardly ever early.
    """
    probes = victim.probes(_AGENTS[system], calm_since)[-_BEATS:]
    beats = [at + round((probes[-1] - at) / interval) * interval for at in probes]
    return min(beats) + interval


def _inevitable(setting: Setting, system: str, fault: Fault) -> float:
    """Seconds from the first failing probe to the moment in which the last one that it takes has failed."""
    gap = setting.recheck if system in OURS else setting.interval
    return (setting.fall - 1) * gap + (setting.timeout if fault is Fault.DROPPED else 0)


def _check_answers(sightings: dict[str, Sighting]) -> None:
    for system, seen in sightings.items():
        if strange := seen.others - {(FIRST,)}:
            raise RuntimeError(f"{system} answered with neither region during a fault: {sorted(strange)}")


def _sleep(seconds: float) -> None:
    time.sleep(max(0.0, seconds))


def _progress(sample: Sample, faults: int, elapsed: float) -> str:
    totals = ", ".join(f"{system} {seconds:.3f} s" for system, seconds in sample.totals.items())
    left = elapsed / sample.number * (faults - sample.number)
    return f"{sample.number}/{faults} {sample.fault}: {totals}; about {left / 60:.1f} min left"
