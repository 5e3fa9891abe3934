"""Who is compared: failoverd, publishing at its embedded server and at BIND, and gdnsd. All watch the same targets."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers import ZONE, DnsServer, program

from bench.processes import failoverd_program, running, version
from bench.targets import Target

RECORD = f"api.{ZONE}"
_TTL = 5


@dataclass(frozen=True)
class Setting:
    """What both monitors are told: seconds and counts. gdnsd knows neither `recheck` nor `failback`."""

    interval: int = 2
    timeout: int = 1
    fall: int = 3
    rise: int = 2
    recheck: float = 0.5
    failback: int = 1


@contextmanager
def failoverd(
    directory: Path, setting: Setting, targets: tuple[Target, Target], port: int, bind: DnsServer
) -> Iterator[None]:
    """The daemon, its embedded server on `port`, publishing one policy there and at `bind`."""
    home = directory / "failoverd"
    policies = home / "policies"
    policies.mkdir(parents=True)
    (policies / "regions.yaml").write_text(_INVENTORY)
    (policies / "api.yaml").write_text(_policy(setting, *targets))
    config = home / "failoverd.yaml"
    config.write_text(_daemon(port, bind))
    with running([failoverd_program(), "run", "--config", str(config)], home):
        yield


@contextmanager
def gdnsd(directory: Path, setting: Setting, targets: tuple[Target, Target], port: int) -> Iterator[None]:
    """The other monitor, with its simplefo and http_status plugins, answering on `port`."""
    home = directory / "gdnsd"
    (home / "zones").mkdir(parents=True)
    (home / "config").write_text(_gdnsd(home, setting, port, *targets))
    (home / "zones" / ZONE).write_text(_GDNSD_ZONE)
    with running([program("gdnsd"), "-c", str(home), "start"], home):
        yield


def versions() -> dict[str, str]:
    """Which software was measured: name to version."""
    return {
        "failoverd": version([failoverd_program(), "--version"]),
        "BIND": version([program("named"), "-v"]),
        "gdnsd": version([program("gdnsd"), "-V"]),
        "Python": platform.python_version(),
    }


# -- configuration -----------------------------------------------------------------------------------------------------

_INVENTORY = """\
version: 1
regions:
  first: {cloud: loopback}
  second: {cloud: loopback}
"""


def _policy(setting: Setting, first: Target, second: Target) -> str:
    """Failover by priority. What slows repeated changes down on purpose is opened wide: they are the measurement."""
    return f"""\
version: 1
policy: api
records:
  - {{name: {RECORD}, type: A, ttl: {_TTL}s, providers: [embedded, bind]}}
weights: membership
steering: failover
regions:
  first: {{priority: 1, endpoints: ["{first.address}:{first.port}"]}}
  second: {{priority: 2, endpoints: ["{second.address}:{second.port}"]}}
checks:
  live: {{http: /health, host: {RECORD}, status: 200, every: {setting.interval}s, timeout: {setting.timeout}s}}
health:
  fall: {setting.fall}
  rise: {setting.rise}
  recheck: {setting.recheck * 1000:.0f}ms
  flap: {{penalty: 0}}
failback: {{after: {setting.failback}s}}
limits: {{min_regions: 1, max_shift: 100% per 1s, max_changes: 1000 per 1h}}
"""


def _daemon(port: int, bind: DnsServer) -> str:
    return f"""\
version: 1
owner: bench
policies: policies
journal: journal.db
tick: 1s
log: {{format: json}}
probing: {{jitter: 0ms}}
providers:
  embedded: {{kind: embedded, listen: "127.0.0.1:{port}", zones: [{ZONE}], responses_per_second: 0}}
  bind:
    kind: rfc2136
    server: {bind.address}:{bind.port}
    nameservers: ["{bind.address}:{bind.port}"]
    zones: [{ZONE}]
    key: {{name: {bind.key.name}, algorithm: {bind.key.algorithm}, secret_file: "{bind.key.plain_file}"}}
"""


_GDNSD_ZONE = f"""\
@ SOA ns.{ZONE}. hostmaster.{ZONE}. ( 1 3600 600 86400 60 )
@ NS ns.{ZONE}.
ns A 127.0.0.1
api {_TTL} DYNA simplefo!api
"""


def _gdnsd(home: Path, setting: Setting, port: int, first: Target, second: Target) -> str:
    return f"""\
options => {{
  listen => [ 127.0.0.1:{port} ]
  run_dir => {home}/run
  state_dir => {home}/state
}}
service_types => {{
  live => {{
    plugin => http_status
    port => {first.port}
    url_path => /health
    vhost => {RECORD}
    ok_codes => [ 200 ]
    interval => {setting.interval}
    timeout => {setting.timeout}
    down_thresh => {setting.fall}
    ok_thresh => {setting.rise}
    up_thresh => {setting.rise}
  }}
}}
plugins => {{
  simplefo => {{
    service_types => [ live ]
    api => {{ primary => {first.address}, secondary => {second.address} }}
  }}
}}
"""
