"""One installation at one BIND: a member alone, or three with an etcd of three, each a process of its own.

with installation(folder, zone, members=3, lease=20) as estate:
    estate.start()
    estate.await_leader()
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.etcd import Etcd
from support.etcd import Member as EtcdMember
from support.servers import ZONE, DnsServer

from bench.endpoints import write
from bench.outage import Daemon
from bench.processes import failoverd_program, stop

NETWORKS = ("azure", "oci", "aws")
"""Where the members are said to be; also what they are called."""

_CLIENT, _PEER = 2379, 2380
_ETCD = ("--heartbeat-interval", "100", "--election-timeout", "1000")
"""Milliseconds: etcd's own defaults."""

_POLL = 0.002
_START_WITHIN = 300.0


@dataclass
class Seat:
    """One member: its files, and its process while there is one."""

    name: str
    home: Path
    process: subprocess.Popen[bytes] | None = None
    daemon: Daemon | None = None
    _starts: int = 0

    def start(self) -> None:
        self._starts += 1
        log = self.home / f"log{self._starts}"
        command = [failoverd_program(), "run", "--config", str(self.config)]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self.home)
        self.daemon = Daemon(self.process, log)

    @property
    def config(self) -> Path:
        return self.home / "failoverd.yaml"

    @property
    def running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError(f"member {self.name} does not run")
        return self.process

    @property
    def events(self) -> Sequence[Mapping[str, object]]:
        """Everything that it told since its last start."""
        if self.daemon is None:
            return ()
        self.daemon.hear()
        return self.daemon.events

    def told(self, event: str, since: int = 0, **facts: object) -> bool:
        """Whether it told of that, after so many events."""
        return any(
            each.get("event") == event and all(each.get(key) == value for key, value in facts.items())
            for each in self.events[since:]
        )

    @property
    def led_since(self) -> str:
        """When it told last that it leads, as logs write times; empty if it never did."""
        turns = (each["at"] for each in self.events if each.get("event") == "leader.elected" and each.get("mine"))
        return max(map(str, turns), default="")

    def signal(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    def ended(self) -> None:
        """Its process is at its end, or will be soon: forget it."""
        self.running.wait(30)
        self.process = self.daemon = None

    def end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            stop(self.process)
            self.process = self.daemon = None


@dataclass
class Installation:
    """All members that there are, and their etcd, if they have one."""

    seats: Sequence[Seat]
    etcd: Etcd | None
    zone: DnsServer

    def start(self) -> None:
        for seat in self.seats:
            seat.start()

    @property
    def alive(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.process is not None]

    def others(self, *seats: Seat) -> list[Seat]:
        return [seat for seat in self.alive if seat not in seats]

    def await_leader(self) -> Seat:
        """Until one of them has told that it leads. One alone does at once."""
        if self.etcd is None:
            return self.seats[0]
        return self.await_turn(self.seats, dict.fromkeys(NETWORKS, 0), _START_WITHIN)[0]

    def leader_now(self) -> Seat:
        """Who told last that it leads; who was left alone does."""
        return max(self.alive, key=lambda seat: seat.led_since)

    def await_turn(self, among: Sequence[Seat], since: Mapping[str, int], within: float) -> tuple[Seat, float]:
        """Who of these tells first that it leads, after so many events of each, and when that was heard."""
        deadline = time.monotonic() + within
        while (now := time.monotonic()) < deadline:
            for seat in among:
                if seat.told("leader.elected", since[seat.name], mine=True):
                    return seat, now
            time.sleep(_POLL)
        raise TimeoutError(f"nobody took over within {within:g}s; {self.last_words()}")

    def marks(self) -> dict[str, int]:
        """How many events each has told so far."""
        return {seat.name: len(seat.events) for seat in self.alive}

    def until(self, done: Callable[[], bool], what: str, within: float, every: float = 0.05) -> None:
        deadline = time.monotonic() + within
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within:g}s: {what}; {self.last_words()}")
            time.sleep(every)

    def last_words(self) -> str:
        lines = [
            f"{seat.name}: {event.get('event')}: {event.get('message')}"
            for seat in self.alive
            for event in (seat.daemon.events[-8:] if seat.daemon is not None else ())
        ]
        return "\n".join(["their last words:", *lines])


@contextmanager
def installation(
    folder: Path, zone: DnsServer, *, members: int, lease: float, tick: float = 30
) -> Iterator[Installation]:
    """Its files and its etcd. The policies are those in `folder`/policies; `lease` and `tick` are in seconds."""
    with ExitStack() as stack:
        cluster = stack.enter_context(_etcd(folder / "etcd", members)) if members > 1 else None
        seats = []
        for name in NETWORKS[:members]:
            seat = Seat(name, folder / name)
            seat.home.mkdir()
            shared = _coordination(name, cluster, lease) if cluster is not None else {}
            write(seat.config, {**_daemon(folder / "policies", zone, tick), **shared})
            seats.append(seat)
            stack.callback(seat.end)
        yield Installation(seats, cluster, zone)


@contextmanager
def _etcd(folder: Path, members: int) -> Iterator[Etcd]:
    folder.mkdir()
    cluster = Etcd(
        tuple(
            EtcdMember(
                f"e{number}",
                f"http://127.0.0.1:{_CLIENT + 10 * number}",
                f"http://127.0.0.1:{_PEER + 10 * number}",
                folder,
                _ETCD,
            )
            for number in range(members)
        )
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _coordination(name: str, cluster: Etcd, lease: float) -> Mapping[str, object]:
    return {
        "coordination": {
            "etcd": {"endpoints": list(cluster.endpoints)},
            "member": name,
            "members": {network: {"network": network} for network in NETWORKS},
            "lease": f"{lease:g}s",
        }
    }


def _daemon(policies: Path, zone: DnsServer, tick: float) -> Mapping[str, object]:
    server = f"{zone.address}:{zone.port}"
    key = {"name": zone.key.name, "algorithm": zone.key.algorithm, "secret_file": str(zone.key.plain_file)}
    return {
        "version": 1,
        "owner": "bench",
        "policies": str(policies),
        "journal": "journal.db",
        "tick": f"{tick:g}s",
        "log": {"format": "json"},
        "providers": {
            "bind": {"kind": "rfc2136", "server": server, "nameservers": [server], "zones": [ZONE], "key": key}
        },
    }


def policies(folder: Path, regions: Sequence[str], contents: Mapping[str, Mapping[str, object]]) -> None:
    """Write the files that all members share: JSON is YAML, too."""
    place = folder / "policies"
    place.mkdir(parents=True)
    write(place / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in regions}})
    for name, content in contents.items():
        (place / f"{name}.yaml").write_text(json.dumps({"version": 1, "policy": name, **content}))
