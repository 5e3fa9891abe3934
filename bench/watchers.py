"""Who probes: failoverd, HAProxy, gdnsd and blackbox_exporter, each told to look at the same endpoints equally often.

Each is one process on one CPU. What they cannot be told alike is said in their `remark`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from support.servers import ZONE, program

from bench.endpoints import addresses, configure
from bench.nginx import HOST, PATH, Identity
from bench.processes import Cpus, failoverd_program, running

_TIMEOUT = 2
_EXPORTER_PORT, _HAPROXY_PORT, _GDNSD_PORT = 9115, 8098, 5302
_GDNSD_INTERVAL = 2
"""Seconds: its smallest."""

_GDNSD_GROUP = 50


class Kind(StrEnum):
    """What a probe is."""

    HTTP = "HTTP"
    HTTPS = "HTTPS, full handshakes"
    RESUMED = "HTTPS, resumed sessions"


@dataclass(frozen=True)
class Scene:
    """What is to be probed: `endpoints` on `port` of loopback addresses, each every `every` seconds."""

    folder: Path
    kind: Kind
    endpoints: int
    every: float
    port: int
    cpus: Cpus
    identity: Identity

    @property
    def rate(self) -> float:
        """Probes a second."""
        return self.endpoints / self.every


@dataclass(frozen=True)
class Watcher:
    """One contender. `kinds` are those that it can do; `remark` says where it differs."""

    name: str
    kinds: frozenset[Kind]
    run: Callable[[Scene], AbstractContextManager[subprocess.Popen[bytes]]]
    remark: str = ""


def _home(scene: Scene) -> Path:
    home = scene.folder / "watcher"
    home.mkdir()
    return home


# -- failoverd ---------------------------------------------------------------------------------------------------------


@contextmanager
def _failoverd(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    home = _home(scene)
    endpoints = [f"{address}:{scene.port}" for address in addresses(scene.endpoints)]
    config = configure(home, endpoints, _check(scene))
    with running([failoverd_program(), "run", "--config", str(config)], home, cpus=scene.cpus.measured) as process:
        yield process


def _check(scene: Scene) -> Mapping[str, object]:
    common = {"host": HOST, "status": 200, "every": f"{scene.every * 1000:.0f}ms", "timeout": f"{_TIMEOUT}s"}
    if scene.kind is Kind.HTTP:
        return {"http": PATH, **common}
    resume = {"resume": "10m"} if scene.kind is Kind.RESUMED else {}
    return {"https": PATH, "ca_file": str(scene.identity.authority), **common, **resume}


# -- HAProxy -----------------------------------------------------------------------------------------------------------


@contextmanager
def _haproxy(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    home = _home(scene)
    configuration = home / "haproxy.cfg"
    configuration.write_text(_haproxy_configuration(scene))
    with running([program("haproxy"), "-db", "-f", str(configuration)], home, cpus=scene.cpus.measured) as process:
        yield process


def _haproxy_configuration(scene: Scene) -> str:
    servers = "\n".join(
        f"    server s{number} {address}:{scene.port} check {_haproxy_tls(scene)}"
        for number, address in enumerate(addresses(scene.endpoints))
    )
    return f"""\
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect {_TIMEOUT}s
    timeout client {_TIMEOUT}s
    timeout server {_TIMEOUT}s
    timeout check {_TIMEOUT}s
frontend unused
    bind 127.0.0.1:{_HAPROXY_PORT}
    default_backend watched
backend watched
    option httpchk
    http-check send meth GET uri {PATH} ver HTTP/1.1 hdr Host {HOST}
    http-check expect status 200
    default-server inter {scene.every * 1000:.0f}ms fall 3 rise 5
{servers}
"""


def _haproxy_tls(scene: Scene) -> str:
    if scene.kind is Kind.HTTP:
        return ""
    verified = f"check-ssl verify required ca-file {scene.identity.authority} check-sni {HOST} verifyhost {HOST}"
    return verified if scene.kind is Kind.RESUMED else f"{verified} no-ssl-reuse"


# -- gdnsd -------------------------------------------------------------------------------------------------------------


@contextmanager
def _gdnsd_alike(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """As many probes a second as the others make: at its interval, that takes more endpoints."""
    with _gdnsd(scene, round(scene.rate * _GDNSD_INTERVAL)) as process:
        yield process


@contextmanager
def _gdnsd_slower(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """As many endpoints as the others have: at its interval, that makes fewer probes a second."""
    with _gdnsd(scene, scene.endpoints) as process:
        yield process


@contextmanager
def _gdnsd(scene: Scene, endpoints: int) -> Iterator[subprocess.Popen[bytes]]:
    home = _home(scene)
    (home / "zones").mkdir()
    (home / "config").write_text(_gdnsd_configuration(home, scene.port, addresses(endpoints)))
    groups = range(-(-endpoints // _GDNSD_GROUP))
    names = "".join(f"g{number} 30 DYNA multifo!g{number}\n" for number in groups)
    (home / "zones" / ZONE).write_text(_GDNSD_ZONE + names)
    with running([program("gdnsd"), "-c", str(home), "start"], home, cpus=scene.cpus.measured) as process:
        yield process


_GDNSD_ZONE = f"""\
@ SOA ns.{ZONE}. hostmaster.{ZONE}. ( 1 3600 600 86400 60 )
@ NS ns.{ZONE}.
ns A 127.0.0.1
"""


def _gdnsd_configuration(home: Path, port: int, watched: list[str]) -> str:
    parts = [watched[start : start + _GDNSD_GROUP] for start in range(0, len(watched), _GDNSD_GROUP)]
    groups = "\n".join(f"    g{number} => {{ addrs_v4 => [ {', '.join(part)} ] }}" for number, part in enumerate(parts))
    return f"""\
options => {{
  listen => [ 127.0.0.1:{_GDNSD_PORT} ]
  run_dir => {home}/run
  state_dir => {home}/state
}}
service_types => {{
  live => {{
    plugin => http_status
    port => {port}
    url_path => {PATH}
    vhost => {HOST}
    ok_codes => [ 200 ]
    interval => {_GDNSD_INTERVAL}
    timeout => {_TIMEOUT // 2}
  }}
}}
plugins => {{
  multifo => {{
    service_types => [ live ]
{groups}
  }}
}}
"""


# -- blackbox_exporter -------------------------------------------------------------------------------------------------


@contextmanager
def _blackbox(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    home = _home(scene)
    module = {
        "prober": "http",
        "timeout": f"{_TIMEOUT}s",
        "http": {
            "method": "GET",
            "valid_status_codes": [200],
            "preferred_ip_protocol": "ip4",
            "follow_redirects": False,
            "headers": {"Host": HOST},
            "tls_config": {"ca_file": str(scene.identity.authority), "server_name": HOST},
        },
    }
    configuration = home / "blackbox.yml"
    configuration.write_text(json.dumps({"modules": {"probe": module}}))
    command = [
        program("prometheus-blackbox-exporter"),
        f"--config.file={configuration}",
        f"--web.listen-address=127.0.0.1:{_EXPORTER_PORT}",
        "--log.level=error",
    ]
    with running(command, home, cpus=scene.cpus.measured) as process, _scraper(scene):
        yield process


@contextmanager
def _scraper(scene: Scene) -> Iterator[None]:
    home = scene.folder / "scraper"
    home.mkdir()
    scheme = "http" if scene.kind is Kind.HTTP else "https"
    numbers = [scheme, str(scene.port), str(scene.endpoints), str(scene.every)]
    command = [sys.executable, "-m", "bench.scraper", str(_EXPORTER_PORT), *numbers]
    with running(command, home, cpus=scene.cpus.rest):
        yield


# -- all of them -------------------------------------------------------------------------------------------------------

FAILOVERD, HAPROXY, GDNSD, GDNSD_SLOWER, BLACKBOX = (
    "failoverd",
    "HAProxy",
    "gdnsd",
    "gdnsd, half the rate",
    "blackbox_exporter",
)

WATCHERS = (
    Watcher(FAILOVERD, frozenset(Kind), _failoverd),
    Watcher(HAPROXY, frozenset(Kind), _haproxy),
    Watcher(GDNSD, frozenset({Kind.HTTP}), _gdnsd_alike, "twice the endpoints, for its smallest interval is 2 s"),
    Watcher(GDNSD_SLOWER, frozenset({Kind.HTTP}), _gdnsd_slower, "as many endpoints as the others, every 2 s"),
    Watcher(BLACKBOX, frozenset({Kind.HTTP, Kind.HTTPS}), _blackbox, "asked by a scraper, whose work does not count"),
)
