"""One daemon with many policies, a region that breaks again and again, and browsers that listen, or do not."""

import asyncio
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from support.servers import ZONE

from bench.endpoints import addresses, daemon, write
from bench.nginx import HOST, PATH, nginx
from bench.processes import Cpus, cpu_seconds, failoverd_program, running

_REGIONS = ("azure-eastus", "oci-ashburn")
_STEADY_PORT, _BREAKING_PORT, _DNS_PORT = 8080, 8081, 5301
_EVERY = 0.5
_START_WITHIN, _STEP_WITHIN = 180.0, 30.0
_SETTLE = 3.0
"""Seconds before a fault: whatever the last one brought about is over."""

_BLOCK = 5
"""Faults alone, and then as many while they listen: it takes them half a minute to come, for a user asks so often."""

_POLL = 0.002
_PATIENCE = 0.1
_WINDOW = 10.0
"""Seconds for which the processor time is counted of a daemon that nothing happens to."""


@dataclass(frozen=True)
class Found:
    """Seconds from a fault to the changed answer, of each round; and processor time in each second between faults.

    `told` counts what the listeners received meanwhile, in bytes.
    """

    policies: int
    listeners: int
    alone: Sequence[float]
    watched: Sequence[float]
    cpu_alone: float
    cpu_watched: float
    told: int

    @property
    def slower(self) -> float:
        """By which part the median is higher while they listen."""
        return statistics.median(self.watched) / statistics.median(self.alone) - 1.0


def measure(policies: int, listeners: int, rounds: int, tell: Callable[[str], None]) -> Found:
    """Break the region so many times alone, and so many times while they listen, by turns."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed failoverd is compiled
    cpus = Cpus.shared_out()
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
        home = Path(path) / "failoverd"
        config, places = _configure(home, policies)
        command = [failoverd_program(), "run", "--config", str(config)]
        with (
            nginx(Path(path) / "nginx", _STEADY_PORT, cpus=cpus.rest),
            _breaking() as region,
            running(command, home, cpus=cpus.measured) as process,
        ):
            client = _Client(places)
            client.wait_for(places[0], _START_WITHIN)
            _wait_for(config.with_name("api.sock"))
            time.sleep(_WINDOW)
            cpu_watched = 0.0
            alone: list[float] = []
            watched: list[float] = []
            told = 0
            while len(watched) < rounds:
                block = min(_BLOCK, rounds - len(watched))
                alone += [_fault(region, client, places) for _ in range(block)]
                with _listening(config.with_name("api.sock"), listeners) as heard:
                    watched += [_fault(region, client, places) for _ in range(block)]
                    cpu_watched = _idle(process)
                told += heard.received
                tell(f"{len(watched)} rounds: {_middle(alone)} s alone, {_middle(watched)} s while they listen")
            cpu_alone = _idle(process)
            tell(f"at rest: {cpu_alone:.0%} of a CPU alone, {cpu_watched:.0%} while {listeners} listen")
    return Found(policies, listeners, alone, watched, cpu_alone, cpu_watched, told)


def _wait_for(place: Path) -> None:
    """Operators are heard once there is something that they can speak about."""
    deadline = time.monotonic() + _START_WITHIN
    while not place.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"nobody is heard at {place}")
        time.sleep(_PATIENCE)


def _middle(rounds: Sequence[float]) -> str:
    return f"{statistics.median(rounds):.3f}"


def _idle(process: subprocess.Popen[bytes]) -> float:
    before = cpu_seconds(process)
    time.sleep(_WINDOW)
    return (cpu_seconds(process) - before) / _WINDOW


def _fault(region: "_Region", client: "_Client", places: Sequence[str]) -> float:
    """In the moment after a probe that passed, so that its phase is the same each time."""
    time.sleep(_SETTLE)
    began = region.fail()
    client.wait_for(places[1], _STEP_WITHIN)
    took = time.monotonic() - began
    region.heal()
    client.wait_for(places[0], _STEP_WITHIN)
    return took


class _Client:
    """Asks the embedded server."""

    def __init__(self, places: Sequence[str]) -> None:
        self._asked = dns.message.make_query(f"p00000.{ZONE}", dns.rdatatype.A)
        self._places = places

    def wait_for(self, place: str, within: float) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                answer = dns.query.udp(self._asked, "127.0.0.1", timeout=1.0, port=_DNS_PORT)
            except (OSError, dns.exception.DNSException):
                answer = None
            if answer is not None and any(place == str(item) for each in answer.answer for item in each):
                return
            time.sleep(_POLL)
        raise RuntimeError(f"{place} did not become the answer within {within:g}s")


# -- who listens -------------------------------------------------------------------------------------------------------


@dataclass
class _Heard:
    received: int = 0
    here: int = 0
    over: Event = field(default_factory=Event)


@contextmanager
def _listening(place: Path, many: int) -> Iterator[_Heard]:
    """So many connections that take whatever they are told."""
    heard = _Heard()
    thread = Thread(target=lambda: asyncio.run(_listen(place, many, heard)), name="listeners")
    thread.start()
    try:
        deadline = time.monotonic() + _STEP_WITHIN * 3
        while heard.here < many:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{heard.here} of {many} could listen")
            time.sleep(_POLL)
        yield heard
    finally:
        heard.over.set()
        thread.join()


async def _listen(place: Path, many: int, heard: _Heard) -> None:
    tasks = []
    for _ in range(many):
        tasks.append(asyncio.create_task(_one(place, heard)))
        await asyncio.sleep(_PACE)
    await asyncio.to_thread(heard.over.wait)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


_PACE = 0.01
_AGAIN = 1.0


async def _one(place: Path, heard: _Heard) -> None:
    """One that is refused, for too many of one user come at once, comes again."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(str(place))
            try:
                writer.write(b"GET /v1/events HTTP/1.0\r\nHost: bench\r\n\r\n")
                status = await reader.readline()
                if b" 200 " in status:
                    heard.here += 1
                    while part := await reader.read(1 << 20):
                        heard.received += len(part)
                    heard.here -= 1
            finally:
                writer.transport.abort()
        except OSError:  # the line before the door is full, or it was hung up on
            await asyncio.sleep(_AGAIN)
        await asyncio.sleep(_AGAIN)


# -- what breaks, and files --------------------------------------------------------------------------------------------


class _Region:
    """A port that answers well, or with an error."""

    def __init__(self) -> None:
        self.well = True
        self.answered = Event()

    def fail(self) -> float:
        """In the moment after it answered well; gives the time."""
        self.answered.clear()
        if not self.answered.wait(_STEP_WITHIN):
            raise RuntimeError("nobody probes the region that is to break")
        self.well = False
        return time.monotonic()

    def heal(self) -> None:
        self.well = True


@contextmanager
def _breaking() -> Iterator[_Region]:
    region, over = _Region(), Event()

    def answer(listener: socket.socket) -> None:
        while not over.is_set():
            try:
                caller, _ = listener.accept()
                with caller:
                    caller.settimeout(_PATIENCE)
                    caller.recv(4096)
                    status = "200 OK" if region.well else "503 Service Unavailable"
                    caller.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                region.answered.set()
            except OSError:  # nobody came, or somebody left
                continue

    with socket.create_server(("", _BREAKING_PORT), backlog=64) as listener:
        listener.settimeout(_PATIENCE)
        thread = Thread(target=answer, args=(listener,), name="region")
        thread.start()
        try:
            yield region
        finally:
            over.set()
            thread.join()


def _configure(home: Path, policies: int) -> tuple[Path, Sequence[str]]:
    """Write the files. Gives the daemon's, and the two addresses of the policy whose first region breaks."""
    folder = home / "policies"
    folder.mkdir(parents=True)
    write(folder / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in _REGIONS}})
    places = addresses(2 * policies)
    for number in range(policies):
        name = f"p{number:05d}"
        write(folder / f"{name}.yaml", _policy(name, places[2 * number : 2 * number + 2], breaking=number == 0))
    config = home / "failoverd.yaml"
    write(config, daemon())
    return config, places[:2]


def _policy(name: str, places: Sequence[str], *, breaking: bool) -> dict[str, object]:
    port = _BREAKING_PORT if breaking else _STEADY_PORT
    every = f"{_EVERY * 1000:g}ms" if breaking else "5s"
    first, second = places
    return {
        "version": 1,
        "policy": name,
        "records": [{"name": f"{name}.{ZONE}", "type": "A", "ttl": "30s", "providers": ["embedded"]}],
        "weights": "membership",
        "steering": "failover",
        "regions": {
            _REGIONS[0]: {"priority": 1, "endpoints": [f"{first}:{port}"]},
            _REGIONS[1]: {"priority": 2, "endpoints": [f"{second}:{_STEADY_PORT}"]},
        },
        "checks": {"live": {"http": PATH, "host": HOST, "status": 200, "every": every, "timeout": "400ms"}},
        "health": {"fall": 3, "rise": 1, "recheck": "200ms", "flap": {"penalty": 0}},
        "failback": {"after": "1s"},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }
