"""What members cost: their processor time, etcd's, and what is written there, at many endpoints.

One installation after the other, of one member alone and of three, watches the same policies on the same addresses.
First nothing happens for a while. Then the first region of all policies refuses every connection, and all records move.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
from support.servers import ZONE, bind

from bench.endpoints import addresses
from bench.exposition import scrape, total
from bench.installation import Installation, Seat, installation, policies
from bench.nginx import HOST, PATH, Nginx, nginx
from bench.processes import cpu_seconds, resident
from bench.targets import CHAIN, nft, prepare_drops

PER_POLICY = 10
LEASE = 20
_REGIONS = ("azure-eastus", "oci-ashburn")
_PORT = 8080
CHANGE_WITHIN = 300.0
"""Seconds: what has not moved by then is told as not moved."""
_START_WITHIN = 420.0
_TOLD_EACH = 20.0
_SECOND, _POLL = 1.0, 0.1
_IN_TIME = 0.97
_AFTER = 10.0
"""Seconds after the last change: what has to be told is told then."""

_PUTS, _APPLIED = "etcd_mvcc_put_total", "etcd_server_proposals_applied_total"
_PUTS_OF_OLD = "etcd_debugging_mvcc_put_total"
"""As etcd called it before 3.5."""


@dataclass(frozen=True)
class Load:
    """How much there is: policies of ten endpoints, seconds between two probes of one, and how long it is watched."""

    policies: int
    every: int
    seconds: int

    @property
    def endpoints(self) -> int:
        return self.policies * PER_POLICY


@dataclass(frozen=True)
class Period:
    """What some time cost.

    Attributes:
        seconds: how long it was.
        members: processor seconds of each member, the leader first.
        etcd: of each member of etcd.
        puts: keys that were written in etcd.
        busiest: the most of them in one second.
        applied: what etcd agreed on, renewed leases included.
        probes: that were answered.
    """

    seconds: float
    members: tuple[float, ...]
    etcd: tuple[float, ...] = ()
    puts: int = 0
    busiest: float = 0.0
    applied: int = 0
    probes: int = 0


@dataclass(frozen=True)
class Cost:
    """Of one installation. Seconds from the region's failure until half of the records had moved, and all.

    None where they did not within `CHANGE_WITHIN`.

    Attributes:
        moved: records that did.
        memory: resident bytes of each member at last, the leader first.
        handed_over: seconds from SIGTERM to the leader until another member led; None for one alone, and where not all
            records moved.
    """

    members: int
    steady: Period
    failing: Period
    moved: int
    half_moved: float | None
    all_moved: float | None
    memory: tuple[int, ...]
    handed_over: float | None = None


def measure(load: Load, tell: Callable[[str], None]) -> list[Cost]:
    """Of one member alone, then of three."""
    prepare_drops()
    return [_measured(load, members, tell) for members in (1, 3)]


def _measured(load: Load, members: int, tell: Callable[[str], None]) -> Cost:
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path, bind() as zone:
        folder = Path(path)
        places = _write(folder, load)
        with (
            nginx(folder / "nginx", _PORT, cpus="") as server,
            installation(folder, zone, members=members, lease=LEASE) as estate,
        ):
            estate.start()
            leader = estate.await_leader()
            watch = _Watch(estate, leader, server, _now_and_then(tell, f"{members} member(s): {{}} records moved"))
            estate.until(lambda: watch.moved() >= load.policies, "every record is there", _START_WITHIN, _SECOND)
            tell(f"{members} member(s): {load.policies} records are there")
            estate.until(lambda: _quiet(watch, load, members, tell), "every endpoint is probed in time", _START_WITHIN)
            steady = watch.period(lambda: False, load.seconds)
            tell(f"{members} member(s), steady: {_in_words(steady)}")
            cost = _fail(watch, load, places, steady)
            moved = f"moved in {cost.all_moved:.1f} s" if cost.all_moved is not None else f"only {cost.moved} moved"
            tell(f"{members} member(s), a region fails: {_in_words(cost.failing)}; {moved}")
            if cost.all_moved is None:
                tell(estate.last_words())
            return cost


def _now_and_then(tell: Callable[[str], None], words: str) -> Callable[[int], None]:
    """Tells a number in these words, and is silent for a while then."""
    told_at = time.monotonic()

    def say(number: int) -> None:
        nonlocal told_at
        if time.monotonic() >= told_at + _TOLD_EACH:
            told_at = time.monotonic()
            tell(words.format(number))

    return say


def _quiet(watch: "_Watch", load: Load, members: int, tell: Callable[[str], None]) -> bool:
    """Whether probes come as often as they should. Takes an interval."""
    found = watch.period(lambda: False, load.every)
    share = found.probes / (members * load.endpoints * found.seconds / load.every)
    if share < _IN_TIME:
        tell(f"{members} member(s): {share:.0%} of the probes come in time")
    return share >= _IN_TIME


def _in_words(period: Period) -> str:
    cpu = ", ".join(f"{each / period.seconds:.1%}" for each in (*period.members, *period.etcd))
    return f"CPU {cpu}; {period.puts / period.seconds:.1f} puts/s; {period.probes / period.seconds:.0f} probes/s"


def _fail(watch: "_Watch", load: Load, places: Sequence[str], steady: Period) -> Cost:
    half: list[float] = []
    everything: list[float] = []
    estate = watch.estate
    watch.moved()
    watch.forget()
    first = f"{places[0]}-{places[len(places) // 2 - 1]}"
    nft("add", "rule", *CHAIN, "ip", "daddr", first, "tcp", "dport", str(_PORT), "reject", "with", "tcp", "reset")
    began = time.monotonic()

    def over() -> bool:
        moved, now = watch.moved(), time.monotonic()
        if moved >= load.policies / 2 and not half:
            half.append(now - began)
        if moved >= load.policies and not everything:
            everything.append(now - began)
        return bool(everything) and now - began > everything[0] + _AFTER

    try:
        failing = watch.period(over, CHANGE_WITHIN)
        moved = watch.moved()
        if everything:
            _check(estate, load, set(places[len(places) // 2 :]))
        memory = tuple(resident(seat.running) for seat in watch.seats)
        handed = _handed_over(estate) if estate.etcd is not None and everything else None
    finally:
        nft("flush", "chain", *CHAIN)
    half_moved, all_moved = half[0] if half else None, everything[0] if everything else None
    return Cost(len(estate.seats), steady, failing, moved, half_moved, all_moved, memory, handed)


def _handed_over(estate: Installation) -> float:
    leader, marks = estate.leader_now(), estate.marks()
    began = time.monotonic()
    leader.signal(signal.SIGTERM)
    return estate.await_turn(estate.others(leader), marks, LEASE + _AFTER)[1] - began


def _check(estate: Installation, load: Load, second: set[str]) -> None:
    """Every record has addresses, all of the second region."""
    for number in range(load.policies):
        question = dns.message.make_query(f"{_name(number)}.{ZONE}", dns.rdatatype.A)
        answer = dns.query.udp(question, estate.zone.address, port=estate.zone.port, timeout=5)
        found = {data.to_text() for rrset in answer.answer for data in rrset}
        if not found or not found <= second:
            raise RuntimeError(f"{_name(number)} answers with {sorted(found)} though its first region is down")


# -- what is looked at -------------------------------------------------------------------------------------------------


class _Watch:
    """One installation, and who answers its probes."""

    def __init__(self, estate: Installation, leader: Seat, server: Nginx, say: Callable[[int], None]) -> None:
        self.estate = estate
        self._say = say
        self.seats = [leader, *estate.others(leader)]
        self._server = server
        self._since = {seat.name: 0 for seat in estate.seats}
        self._read = dict(self._since)
        self._moved: set[object] = set()

    def moved(self) -> int:
        """How many records were changed since this was last forgotten, by whatever member."""
        for seat in self.seats:
            events = seat.events
            begin, self._read[seat.name] = self._read[seat.name], len(events)
            self._moved |= {each.get("record") for each in events[begin:] if each.get("event") == "change.applied"}
        if self._moved:
            self._say(len(self._moved))
        return len(self._moved)

    def forget(self) -> None:
        self._moved.clear()

    def period(self, over: Callable[[], bool], most: float) -> Period:
        """What it costs until it is over. What is written in etcd is looked at each second."""
        before, began = self._look(), time.monotonic()
        puts, at, busiest = before.puts, began, 0.0
        while (now := time.monotonic()) < began + most and not over():
            time.sleep(max(0.0, min(_POLL, began + most - now)))
            if self.estate.etcd is not None and now >= at + _SECOND:
                found = self._puts()
                busiest = max(busiest, (found - puts) / (now - at))
                puts, at = found, now
        after, seconds = self._look(), time.monotonic() - began
        return Period(
            seconds,
            tuple(late - early for early, late in zip(before.members, after.members, strict=True)),
            tuple(late - early for early, late in zip(before.etcd, after.etcd, strict=True)),
            after.puts - before.puts,
            busiest,
            after.applied - before.applied,
            after.probes - before.probes,
        )

    def _look(self) -> "_Look":
        members = tuple(cpu_seconds(seat.running) for seat in self.seats)
        probes = self._server.counts().answered
        if self.estate.etcd is None:
            return _Look(members, (), 0, 0, probes)
        processes = [each.process for each in self.estate.etcd.members]
        etcd = tuple(cpu_seconds(process) for process in processes if process is not None)
        page = scrape(self.estate.etcd.endpoints[0])
        return _Look(members, etcd, self._puts(page), round(total(page, _APPLIED)), probes)

    def _puts(self, page: str = "") -> int:
        """Every member of etcd writes the same keys: one of them is asked."""
        cluster = self.estate.etcd
        page = page or (scrape(cluster.endpoints[0]) if cluster is not None else "")
        return round(total(page, _PUTS) or total(page, _PUTS_OF_OLD))


@dataclass(frozen=True)
class _Look:
    members: tuple[float, ...]
    etcd: tuple[float, ...]
    puts: int
    applied: int
    probes: int


# -- files -------------------------------------------------------------------------------------------------------------


def _name(number: int) -> str:
    return f"p{number:05d}"


def _write(folder: Path, load: Load) -> Sequence[str]:
    """The policies. Gives all addresses: the first half is of the first region."""
    places = addresses(load.endpoints)
    half, each = load.endpoints // 2, PER_POLICY // 2
    parts = places[:half], places[half:]
    policies(
        folder,
        _REGIONS,
        {
            _name(number): _policy(number, [part[number * each : (number + 1) * each] for part in parts], load.every)
            for number in range(load.policies)
        },
    )
    return places


def _policy(number: int, parts: Sequence[Sequence[str]], every: int) -> dict[str, object]:
    return {
        "records": [{"name": f"{_name(number)}.{ZONE}", "type": "A", "ttl": "30s", "providers": ["bind"]}],
        "weights": "membership",
        "steering": "failover",
        "regions": {
            region: {"priority": priority, "endpoints": [f"{address}:{_PORT}" for address in part]}
            for priority, (region, part) in enumerate(zip(_REGIONS, parts, strict=True), start=1)
        },
        "checks": {"live": {"http": PATH, "host": HOST, "status": 200, "every": f"{every}s", "timeout": "2s"}},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }
