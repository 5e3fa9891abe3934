"""The experiment: one daemon on one CPU, many endpoints, and a look at it every minute."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.endpoints import addresses, configure
from bench.exposition import Histogram, histogram, scrape
from bench.nginx import HOST, PATH, Counts, Nginx, nginx
from bench.processes import Cpus, cpu_seconds, failoverd_program, resident, running

LAG = "failoverd_schedule_lag_seconds"
"""The daemon's own metric: how long after its time each probe was started."""

_PORT = 8080
_START_WITHIN = 300.0
_MINUTE = 60.0
_NEWCOMERS = 500
"""Endpoints a second that the daemon looks at for the first time, after its start."""


@dataclass(frozen=True)
class Size:
    """How much there is to do: `name` as in `bench.scale.SIZES`."""

    name: str
    endpoints: int
    every: float
    seconds: int

    @property
    def rate(self) -> float:
        """Probes a second."""
        return self.endpoints / self.every


@dataclass(frozen=True)
class Reading:
    """What was seen at one moment. Seconds of the monotonic clock, CPU seconds, bytes."""

    at: float
    cpu: float
    memory: int
    counts: Counts
    lag: Histogram


@dataclass(frozen=True)
class Scaled:
    """One run. `started` is how many seconds it took until the first probe."""

    size: Size
    started: float
    readings: tuple[Reading, ...]

    @property
    def seconds(self) -> float:
        return self.readings[-1].at - self.readings[0].at

    @property
    def probes(self) -> int:
        """As nginx counted them."""
        return self.readings[-1].counts.since(self.readings[0].counts).answered

    @property
    def rate(self) -> float:
        return self.probes / self.seconds

    @property
    def cpu(self) -> float:
        return self.readings[-1].cpu - self.readings[0].cpu

    @property
    def share(self) -> float:
        """The part of its core that it used."""
        return self.cpu / self.seconds

    @property
    def each(self) -> float:
        """CPU seconds of one probe."""
        return self.cpu / self.probes

    @property
    def lag(self) -> Histogram:
        """While it was watched."""
        return self.readings[-1].lag.since(self.readings[0].lag)

    @property
    def memories(self) -> tuple[int, ...]:
        """Bytes: at the start, every minute, at the end."""
        return tuple(reading.memory for reading in self.readings)

    @property
    def growth(self) -> float:
        """How much more memory it had at the end than at the start, as a part of that."""
        return self.memories[-1] / self.memories[0] - 1


def measure(size: Size, settle: float, tell: Callable[[str], None]) -> Scaled:
    """Watch so many endpoints for so long, `settle` seconds after all of them were met."""
    cpus = Cpus.shared_out()
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
        folder = Path(path)
        with nginx(folder / "nginx", _PORT, cpus=cpus.rest) as server:
            began = time.monotonic()
            with _daemon(folder / "failoverd", size, cpus) as process:
                _wait_for_probes(server, process)
                started = time.monotonic() - began
                tell(f"{size.name}: it probes, {started:.1f} s after its start")
                time.sleep(size.endpoints / _NEWCOMERS + settle)
                return Scaled(size, started, tuple(_readings(size, process, server, tell)))


@contextmanager
def _daemon(home: Path, size: Size, cpus: Cpus) -> Iterator[subprocess.Popen[bytes]]:
    check = {"http": PATH, "host": HOST, "status": 200, "every": f"{size.every * 1000:.0f}ms", "timeout": "2s"}
    config = configure(home, [f"{address}:{_PORT}" for address in addresses(size.endpoints)], check)
    with running([failoverd_program(), "run", "--config", str(config)], home, cpus=cpus.measured) as process:
        yield process


def _wait_for_probes(server: Nginx, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while not server.counts().answered:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("failoverd never probed")
        time.sleep(0.1)


def _readings(
    size: Size, process: subprocess.Popen[bytes], server: Nginx, tell: Callable[[str], None]
) -> Iterator[Reading]:
    """At the start, at every full minute, and at the end."""
    first = _read(process, server)
    yield first
    end, due = first.at + size.seconds, first.at
    while due < end:
        due = min(due + _MINUTE, end)
        time.sleep(max(0.0, due - time.monotonic()))
        found = _read(process, server)
        share = (found.cpu - first.cpu) / (found.at - first.at)
        tell(f"{size.name}: {found.at - first.at:.0f} s: {share:.1%} of its core, {found.memory / 1e6:.1f} MB")
        yield found


def _read(process: subprocess.Popen[bytes], server: Nginx) -> Reading:
    """The page of the metrics first: making it costs the daemon time, which belongs to what follows."""
    lag = histogram(scrape(), LAG)
    return Reading(time.monotonic(), cpu_seconds(process), resident(process), server.counts(), lag)
