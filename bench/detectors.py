"""Who has to notice: failoverd in four variants, HAProxy with `fastinter`, and gdnsd. All watch the same regions.

Each tells of its verdicts on its output, and the time is taken when a line arrives. HAProxy and gdnsd know servers and
no regions: for them a region is down when fewer than half of its servers are up, which is failoverd's own rule.
"""

import json
import re
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.servers import ZONE, program

from bench.endpoints import write
from bench.processes import failoverd_program, stop
from bench.troubles import FALL, INTERVAL, PORT, RECHECK, RISE, SIZE, STEADY_PORT, TIMEOUT, Field, Region

PATH = "/health"
_DNS_PORT, _HAPROXY_PORT, _GDNSD_PORT = 5310, 8098, 5320


@dataclass(frozen=True)
class Variant:
    """A way to run failoverd."""

    siblings: bool
    trip_wire: bool

    @property
    def name(self) -> str:
        parts = ["failoverd", *(["trip wire"] if self.trip_wire else []), *([] if self.siblings else ["no siblings"])]
        return ", ".join(parts)


VARIANTS = tuple(Variant(siblings, wire) for wire in (False, True) for siblings in (True, False))
PLAIN, WIRED = (Variant(siblings=True, trip_wire=wire) for wire in (False, True))
HAPROXY, GDNSD = "HAProxy, fastinter", "gdnsd"
DETECTORS = (*(variant.name for variant in VARIANTS), HAPROXY, GDNSD)


class Listener(ABC):
    """Reads a detector's output and notes when it first said that a region is down: monotonic seconds, by region."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.verdicts: dict[str, float] = {}
        self.tail: list[str] = []

    def read(self, process: subprocess.Popen[bytes]) -> None:
        """Until its output ends."""
        if process.stdout is None:
            return
        for raw in process.stdout:
            at, line = time.monotonic(), raw.decode(errors="replace").rstrip()
            self.tail = [*self.tail[-10:], line]
            for region in self.down(line):
                self.verdicts.setdefault(region, at)

    @abstractmethod
    def down(self, line: str) -> Sequence[str]:
        """The regions that are down from this line on."""


@dataclass
class _Tally:
    """Servers of each region that are down."""

    regions: Mapping[str, str]  # server to region
    lost: dict[str, set[str]] = field(default_factory=dict)

    def take(self, server: str, *, up: bool) -> Sequence[str]:
        region = self.regions.get(server)
        if region is None:
            return ()
        lost = self.lost.setdefault(region, set())
        (lost.discard if up else lost.add)(server)
        return (region,) if (SIZE - len(lost)) * 2 < SIZE else ()


# -- failoverd ---------------------------------------------------------------------------------------------------------


class _Daemon(Listener):
    def down(self, line: str) -> Sequence[str]:
        if '"region.failed"' not in line:
            return ()
        event = json.loads(line)
        return (str(event["policy"]),) if event["region"] == "struck" else (f"{event['policy']}/{event['region']}",)


@contextmanager
def _failoverd(folder: Path, field: Field, variant: Variant, number: int) -> Iterator[Listener]:
    home = folder / f"failoverd-{number}"
    policies = home / "policies"
    policies.mkdir(parents=True)
    write(
        policies / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in ("struck", "steady")}}
    )
    for region in field.regions:
        write(policies / f"{region.name}.yaml", _policy(region, variant))
    config = home / "failoverd.yaml"
    write(config, _configuration(_DNS_PORT + number))
    command = [failoverd_program()] if variant.siblings else [sys.executable, "-m", "bench.lone_daemon"]
    with _listening([*command, "run", "--config", str(config)], home, _Daemon(variant.name)) as listener:
        yield listener


def _policy(region: Region, variant: Variant) -> Mapping[str, object]:
    """Failover by priority, and limits that never hold anything: the verdict is what is waited for."""
    wire = {"trip_wire": True} if variant.trip_wire else {}
    return {
        "version": 1,
        "policy": region.name,
        "records": [{"name": f"{region.name}.{ZONE}", "type": "A", "ttl": "30s", "providers": ["embedded"]}],
        "weights": "membership",
        "steering": "failover",
        "regions": {
            "struck": {"priority": 1, "endpoints": [f"{address}:{PORT}" for address in region.addresses]},
            "steady": {"priority": 2, "endpoints": [f"{region.steady}:{STEADY_PORT}"]},
        },
        "checks": {"live": {"http": PATH, "every": f"{INTERVAL:g}s", "timeout": f"{TIMEOUT:g}s", **wire}},
        "health": {"fall": FALL, "rise": RISE, "recheck": f"{RECHECK * 1000:.0f}ms"},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }


def _configuration(port: int) -> Mapping[str, object]:
    return {
        "version": 1,
        "owner": "bench",
        "policies": "policies",
        "journal": "journal.db",
        "log": {"format": "json"},
        "providers": {"embedded": {"kind": "embedded", "listen": f"127.0.0.1:{port}", "zones": [ZONE]}},
    }


# -- HAProxy -----------------------------------------------------------------------------------------------------------


class _HaProxy(Listener):
    _TURN = re.compile(r"Server (?P<server>\S+) is (?P<state>UP|DOWN)\b")

    def __init__(self, field: Field) -> None:
        super().__init__(HAPROXY)
        named = {f"{each.name}/s{number}": each.name for each in field.regions for number in range(SIZE)}
        self._tally = _Tally(named)

    def down(self, line: str) -> Sequence[str]:
        found = self._TURN.search(line)
        return self._tally.take(found["server"], up=found["state"] == "UP") if found else ()


@contextmanager
def _haproxy(folder: Path, field: Field) -> Iterator[Listener]:
    home = folder / "haproxy"
    home.mkdir()
    configuration = home / "haproxy.cfg"
    configuration.write_text(_haproxy_configuration(field))
    with _listening([program("haproxy"), "-db", "-f", str(configuration)], home, _HaProxy(field)) as listener:
        yield listener


def _haproxy_configuration(field: Field) -> str:
    backends = "\n".join(
        f"backend {region.name}\n    option httpchk GET {PATH}\n    http-check expect status 200\n"
        + "\n".join(f"    server s{number} {address}:{PORT} check" for number, address in enumerate(region.addresses))
        for region in field.regions
    )
    return f"""\
global
    nbthread 1
defaults
    mode http
    timeout connect {TIMEOUT:g}s
    timeout client {TIMEOUT:g}s
    timeout server {TIMEOUT:g}s
    timeout check {TIMEOUT:g}s
    default-server inter {INTERVAL:g}s fastinter {RECHECK * 1000:.0f}ms fall {FALL} rise {RISE}
frontend unused
    bind 127.0.0.1:{_HAPROXY_PORT}
    default_backend {field.regions[0].name}
{backends}
"""


# -- gdnsd -------------------------------------------------------------------------------------------------------------


class _Gdnsd(Listener):
    _TURN = re.compile(r"state of '(?P<server>[0-9.]+)/\S+' changed from \S+ to (?P<state>\w+)", re.IGNORECASE)

    def __init__(self, field: Field) -> None:
        super().__init__(GDNSD)
        self._tally = _Tally({address: region.name for address, region in field.by_address().items()})

    def down(self, line: str) -> Sequence[str]:
        found = self._TURN.search(line)
        return self._tally.take(found["server"], up=found["state"].upper() == "UP") if found else ()


@contextmanager
def _gdnsd(folder: Path, field: Field) -> Iterator[Listener]:
    home = folder / "gdnsd"
    (home / "zones").mkdir(parents=True)
    (home / "config").write_text(_gdnsd_configuration(home, field))
    names = "".join(f"{region.name} 30 DYNA multifo!{region.name}\n" for region in field.regions)
    (home / "zones" / ZONE).write_text(_GDNSD_ZONE + names)
    with _listening([program("gdnsd"), "-c", str(home), "start"], home, _Gdnsd(field)) as listener:
        yield listener


_GDNSD_ZONE = f"""\
@ SOA ns.{ZONE}. hostmaster.{ZONE}. ( 1 3600 600 86400 60 )
@ NS ns.{ZONE}.
ns A 127.0.0.1
"""


def _gdnsd_configuration(home: Path, field: Field) -> str:
    groups = "\n".join(
        f"    {region.name} => {{ addrs_v4 => [ {', '.join(region.addresses)} ] }}" for region in field.regions
    )
    return f"""\
options => {{
  listen => [ 127.0.0.1:{_GDNSD_PORT} ]
  run_dir => {home}/run
  state_dir => {home}/state
}}
service_types => {{
  live => {{
    plugin => http_status
    port => {PORT}
    url_path => {PATH}
    ok_codes => [ 200 ]
    interval => {INTERVAL:g}
    timeout => {TIMEOUT:g}
    down_thresh => {FALL}
    ok_thresh => {RISE}
    up_thresh => {RISE}
  }}
}}
plugins => {{
  multifo => {{
    service_types => [ live ]
{groups}
  }}
}}
"""


# -- all of them -------------------------------------------------------------------------------------------------------


@contextmanager
def detecting(folder: Path, field: Field) -> Iterator[list[Listener]]:
    """Every detector at work, and who listens to it."""
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(_failoverd(folder, field, variant, number)) for number, variant in enumerate(VARIANTS)
        ]
        listeners += [stack.enter_context(start(folder, field)) for start in (_haproxy, _gdnsd)]
        yield listeners


@contextmanager
def _listening(command: Sequence[str], home: Path, listener: Listener) -> Iterator[Listener]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=home)
    thread = threading.Thread(target=listener.read, args=(process,), daemon=True)
    thread.start()
    try:
        yield listener
        if process.poll() is not None:
            raise RuntimeError(f"{listener.name} ended with status {process.returncode}: {listener.tail}")
    finally:
        stop(process)
        thread.join()
        if process.stdout is not None:
            process.stdout.close()
