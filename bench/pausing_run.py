"""Operators' words beside one daemon with many policies, of which some move traffic all the time."""

import os
import selectors
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from support.servers import ZONE

from bench.endpoints import addresses, daemon, write
from bench.exposition import Histogram, histogram, scrape
from bench.nginx import HOST, PATH, nginx
from bench.processes import Cpus, failoverd_program, running
from bench.scale_run import LAG
from failoverd.store.reading import HistoryReading

MOVING = 20
"""Policies whose first region fails and comes back, again and again."""

PERIOD = 2.0
"""Seconds for which it is down, and for which it is up."""

_REGIONS = ("azure-eastus", "oci-ashburn")
_STEADY_PORT, _MOVING_PORT = 8080, 8081
_WATCHED = 2 * PERIOD
"""Seconds after a word in which nothing may be written."""

_START_WITHIN = 120.0
_HEARD_WITHIN = 60.0
_POLL = 0.001
_SCRAPES = 5
_PATIENCE = 0.1


@dataclass(frozen=True)
class Verb:
    """A word as it is given: what follows `failoverctl`. `silent`: nothing at all may be written after it."""

    name: str
    words: tuple[str, ...]
    silent: bool = False


PAUSE = Verb("pause --all", ("pause", "--all"), silent=True)
VERBS = {
    "pause": PAUSE,
    "hold": Verb("hold, one policy", ("hold", "p00000")),
    "drain": Verb("drain, one policy", ("drain", _REGIONS[0], "--policy", "p00001")),
    "drain-all": Verb("drain, all policies", ("drain", _REGIONS[0])),
}
"""By how `--only` calls them."""

_WHY = ("--reason", "a bad night", "--for", "1h")


@dataclass(frozen=True)
class Said:
    """One word. Seconds from starting `failoverctl`: until the daemon heeded it, until it was said, until the end.

    `late` are writes that were begun after it was heeded, of those that it forbids.
    """

    heeded: float
    shown: float
    ended: float
    late: int


@dataclass(frozen=True)
class Found:
    """All rounds of one word.

    Attributes:
        asked: seconds from starting `failoverctl` until its first question has reached a socket.
        lag: the longest that a probe was late in these rounds, in seconds: the upper end of its bucket.
    """

    verb: Verb
    rounds: Sequence[Said]
    asked: Sequence[float]
    lag: float

    def median(self, part: str) -> float:
        values: list[float] = [getattr(each, part) for each in self.rounds]
        return statistics.median(values)


@dataclass(frozen=True)
class Estate:
    """What was measured: each word, and how long Python takes to begin and to end. `moves`: changes in one second."""

    policies: int
    bare: Sequence[float]
    moves: float
    words: Sequence[Found]


def measure(policies: int, verbs: Sequence[Verb], rounds: int, tell: Callable[[str], None]) -> Estate:
    """Start a daemon with so many policies, and give each word so many times."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed failoverctl is compiled
    cpus = Cpus.shared_out()
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
        home = Path(path) / "failoverd"
        config = _configure(home, policies)
        command = [failoverd_program(), "run", "--config", str(config)]
        with (
            nginx(Path(path) / "nginx", _STEADY_PORT, cpus=cpus.rest),
            _restless(),
            running(command, home, cpus=cpus.measured),
        ):
            desk = _Desk(config, home / "log", cpus)
            moves = desk.wait_for_moves(_START_WITHIN)
            tell(f"{policies} policies: {moves:.1f} changes a second")
            bare = [_timed([*_bound(cpus), _program("python"), "-c", "pass"]) for _ in range(rounds)]
            desk.give(PAUSE)  # whatever is done for the first time
            words = [_rounds(desk, verb, rounds, Path(path), tell) for verb in verbs]
            return Estate(policies, bare, moves, words)


def _rounds(desk: "_Desk", verb: Verb, rounds: int, path: Path, tell: Callable[[str], None]) -> Found:
    before = _lag()
    deaf = _configure(path / f"deaf-{verb.words[0]}-{len(verb.words)}", 1)
    said, asked = [], []
    for _ in range(rounds):
        desk.wait_for_moves(_HEARD_WITHIN)
        asked.append(_reached(deaf, verb, desk.cpus))
        said.append(desk.give(verb))
    lag = _lag().since(before).percentile(100)
    found = Found(verb, said, asked, lag)
    tell(
        f"{verb.name}: asked after {statistics.median(asked):.3f} s, heeded after {found.median('heeded'):.3f} s, "
        f"shown after {found.median('shown'):.3f} s, ended after {found.median('ended'):.3f} s"
    )
    return found


def _lag() -> Histogram:
    """Asked again where the daemon is too busy for who scrapes."""
    for _ in range(_SCRAPES):
        with suppress(OSError):
            return histogram(scrape(), LAG)
        time.sleep(1)
    return histogram(scrape(), LAG)


# -- one word ----------------------------------------------------------------------------------------------------------


class _Desk:
    """The daemon as an operator and its journal see it."""

    def __init__(self, config: Path, log: Path, cpus: Cpus) -> None:
        self._config = config
        self._log = log
        self._journal = config.with_name("journal.db")
        self.cpus = cpus

    def give(self, verb: Verb) -> Said:
        """Give a word, see what is written after it, and take it back."""
        with self._log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            began, wall = time.monotonic(), time.time()
            command = self._command(*verb.words, *_WHY)
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                heeded, shown, ended, text = _followed(process, log)
            if process.returncode:
                raise RuntimeError(f"{verb.name} failed: {text}")
        time.sleep(_WATCHED if verb.silent else 0)
        late = self._begun_since(wall + heeded - began) if verb.silent else 0
        done = subprocess.run(
            self._command("release", "--all", "--reason", "over"), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the word was not released: {done.stdout}{done.stderr}")
        return Said(heeded - began, shown - began, ended - began, late)

    def wait_for_moves(self, within: float) -> float:
        """Until no records are changed but those that move, and these are; says how many in a second."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            since = time.time()
            time.sleep(2 * PERIOD)
            if 0 < (count := self._begun_since(since)) <= 4 * MOVING and self._config.with_name("api.sock").exists():
                return count / (2 * PERIOD)
        raise RuntimeError("what is changed is not what moves")

    def _begun_since(self, at: float) -> int:
        if not self._journal.exists():
            return 0
        with HistoryReading(self._journal) as reading:
            return sum(1 for row in reading.changes(since=at, limit=None) if row.intended_at > at)

    def _command(self, *words: str) -> list[str]:
        return [*_bound(self.cpus), _program("failoverctl"), *words, "--config", str(self._config)]


def _followed(process: subprocess.Popen[bytes], log: Iterator[bytes]) -> tuple[float, float, float, str]:
    """When the daemon told that it heeds the word, when the first of the answer was shown, when all of it was."""
    if process.stdout is None:
        raise RuntimeError("the output is read")
    heeded = shown = ended = 0.0
    text = bytearray()
    deadline = time.monotonic() + _HEARD_WITHIN
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not ended or not heeded:
            if selector.get_map() and selector.select(_POLL):
                if part := os.read(process.stdout.fileno(), 65536):
                    shown = shown or time.monotonic()
                    text += part
                else:
                    ended = time.monotonic()
                    selector.unregister(process.stdout)
            elif ended:
                time.sleep(_POLL)
            if not heeded and any(b'"override.given"' in line for line in log):
                heeded = time.monotonic()
            if time.monotonic() > deadline or (ended and process.wait() and not heeded):
                raise RuntimeError(f"the daemon heeded nothing; failoverctl said: {text.decode(errors='replace')}")
    return heeded, shown, ended, text.decode(errors="replace")


def _reached(config: Path, verb: Verb, cpus: Cpus) -> float:
    """Seconds until a question has come to the socket of a daemon that does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        place = config.with_name("api.sock")
        listener.bind(str(place))
        try:
            listener.listen()
            listener.settimeout(_HEARD_WITHIN)
            began = time.monotonic()
            command = [*_bound(cpus), _program("failoverctl"), *verb.words, *_WHY, "--config", str(config)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                caller, _ = listener.accept()
                with caller:
                    caller.recv(65536)
                    taken = time.monotonic() - began
                process.kill()
            return taken
        finally:
            place.unlink()


def _timed(command: Sequence[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


def _bound(cpus: Cpus) -> list[str]:
    return ["taskset", "--cpu-list", cpus.rest]


def _program(name: str) -> str:
    return str(Path(failoverd_program()).with_name(name))


# -- what moves, and files ---------------------------------------------------------------------------------------------


@contextmanager
def _restless() -> Iterator[None]:
    """A port of every address that answers well for a while, with errors for a while, and so on."""
    over = Event()

    def answer(listener: socket.socket) -> None:
        while not over.is_set():
            try:
                caller, _ = listener.accept()
                with caller:
                    caller.settimeout(_PATIENCE)
                    caller.recv(4096)
                    status = "200 OK" if time.monotonic() // PERIOD % 2 else "503 Service Unavailable"
                    caller.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            except OSError:  # nobody came, or somebody left
                continue

    with socket.create_server(("", _MOVING_PORT), backlog=1024) as listener:
        listener.settimeout(_PATIENCE)
        thread = Thread(target=answer, args=(listener,), name="restless")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _configure(home: Path, policies: int) -> Path:
    """Write the files: two regions of one endpoint each. Returns the daemon's."""
    folder = home / "policies"
    folder.mkdir(parents=True)
    write(folder / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in _REGIONS}})
    places = addresses(2 * policies)
    for number in range(policies):
        name = f"p{number:05d}"
        write(folder / f"{name}.yaml", _policy(name, places[2 * number : 2 * number + 2], moving=number < MOVING))
    config = home / "failoverd.yaml"
    write(config, daemon())
    return config


def _policy(name: str, places: Sequence[str], *, moving: bool) -> dict[str, object]:
    """One that moves has its first region where the port answers well or not; all else is steady."""
    every, patience = ("500ms", "400ms") if moving else ("10s", "2s")
    first, second = places
    port = _MOVING_PORT if moving else _STEADY_PORT
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
        "checks": {"live": {"http": PATH, "host": HOST, "status": 200, "every": every, "timeout": patience}},
        "health": {"fall": 1, "rise": 1, "flap": {"penalty": 0}},
        "failback": {"after": "1s"},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }
