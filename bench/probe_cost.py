"""The experiment: contenders take turns; each probes for a while, and its CPU time is divided by what nginx counted."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.nginx import Identity, Nginx, nginx
from bench.processes import Cpus, cpu_seconds
from bench.watchers import WATCHERS, Kind, Scene, Watcher

_PLAIN_PORT, _SECURE_PORT = 8080, 8443
_START_WITHIN = 60.0


@dataclass(frozen=True)
class Setting:
    """How it is measured. Seconds, and counts."""

    endpoints: int
    every: int
    seconds: int
    settle: int
    windows: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Window:
    """What one contender did in one window: seconds, probes that were answered, connections that were made."""

    seconds: float
    cpu: float
    probes: int
    connections: int
    resumed: float | None  # the part of the handshakes that resumed a session; None without TLS

    @property
    def each(self) -> float:
        """CPU seconds of one probe."""
        return self.cpu / self.probes

    @property
    def rate(self) -> float:
        return self.probes / self.seconds


@dataclass(frozen=True)
class Cost:
    """A contender at one kind of probe: all of its windows."""

    kind: Kind
    watcher: str
    windows: tuple[Window, ...]

    @property
    def each(self) -> float:
        """CPU seconds of one probe, the median of the windows."""
        return median(window.each for window in self.windows)

    @property
    def rate(self) -> float:
        return median(window.rate for window in self.windows)

    @property
    def connections_each(self) -> float:
        """Connections of one probe."""
        return median(window.connections / window.probes for window in self.windows)

    @property
    def resumed(self) -> float | None:
        parts = [window.resumed for window in self.windows if window.resumed is not None]
        return median(parts) if parts else None


def measure(setting: Setting, tell: Callable[[str], None]) -> list[Cost]:
    """Measure every contender at every kind of probe that it can do.

    Raises:
        RuntimeError: one did not probe.
    """
    cpus = Cpus.shared_out()
    turns = [(kind, watcher) for kind in setting.kinds for watcher in WATCHERS if kind in watcher.kinds]
    found: dict[tuple[Kind, str], list[Window]] = {(kind, watcher.name): [] for kind, watcher in turns}
    for number in range(setting.windows):
        for kind, watcher in turns:
            window = _window(setting, kind, watcher, cpus)
            found[kind, watcher.name].append(window)
            tell(f"{number + 1}/{setting.windows} {kind}: {watcher.name}: {_in_words(window)}")
    return [Cost(kind, name, tuple(windows)) for (kind, name), windows in found.items()]


def _window(setting: Setting, kind: Kind, watcher: Watcher, cpus: Cpus) -> Window:
    with _scene(setting, kind, cpus) as (scene, server), watcher.run(scene) as process:
        _wait_for_probes(server, watcher)
        time.sleep(setting.settle)
        counts, cpu, began = server.counts(), cpu_seconds(process), time.monotonic()
        resumed_before, full_before = server.handshakes()
        time.sleep(setting.seconds)
        made, used, took = server.counts().since(counts), cpu_seconds(process) - cpu, time.monotonic() - began
        resumed, full = server.handshakes()
    if not made.answered:
        raise RuntimeError(f"{watcher.name} did not probe")
    resumed, full = resumed - resumed_before, full - full_before
    part = resumed / (resumed + full) if resumed + full else None
    return Window(took, used, made.answered, made.accepted, part)


@contextmanager
def _scene(setting: Setting, kind: Kind, cpus: Cpus) -> Iterator[tuple[Scene, Nginx]]:
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
        folder = Path(path)
        identity = Identity.make(folder)
        secure = kind is not Kind.HTTP
        port = _SECURE_PORT if secure else _PLAIN_PORT
        scene = Scene(folder, kind, setting.endpoints, setting.every, port, cpus, identity)
        with nginx(folder / "nginx", port, cpus=cpus.rest, identity=identity if secure else None) as server:
            yield scene, server


def _wait_for_probes(server: Nginx, watcher: Watcher) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while not server.counts().answered:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{watcher.name} never probed")
        time.sleep(0.1)


def _in_words(window: Window) -> str:
    return f"{window.each * 1e6:.0f} us of CPU a probe, at {window.rate:.0f} a second"


def cost_of(costs: Sequence[Cost], kind: Kind, *names: str) -> Cost | None:
    """The cheapest of these contenders at this kind of probe; None when none of them was measured."""
    found = [cost for cost in costs if cost.kind is kind and cost.watcher in names]
    return min(found, key=lambda cost: cost.each) if found else None
