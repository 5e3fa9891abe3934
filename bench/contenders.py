"""Who is compared: failoverd, publishing at its embedded server and at BIND, and gdnsd. All watch the same targets."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers import ZONE, DnsServer, program

from bench.targets import Target

RECORD = f"api.{ZONE}"
_TTL = 5
_STOP_WITHIN = 10.0


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
    with _running([str(Path(sys.executable).with_name("failoverd")), "run", "--config", str(config)], home):
        yield


@contextmanager
def gdnsd(directory: Path, setting: Setting, targets: tuple[Target, Target], port: int) -> Iterator[None]:
    """The other monitor, with its simplefo and http_status plugins, answering on `port`."""
    home = directory / "gdnsd"
    (home / "zones").mkdir(parents=True)
    (home / "config").write_text(_gdnsd(home, setting, port, *targets))
    (home / "zones" / ZONE).write_text(_GDNSD_ZONE)
    with _running([program("gdnsd"), "-c", str(home), "start"], home):
        yield


def versions() -> dict[str, str]:
    """Which software was measured: name to version."""
    return {
        "failoverd": _version([str(Path(sys.executable).with_name("failoverd")), "--version"]),
        "BIND": _version([program("named"), "-v"]),
        "gdnsd": _version([program("gdnsd"), "-V"]),
        "Python": ".".join(map(str, sys.version_info[:3])),
    }


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"\d+(\.\d+)+\S*", done.stdout + done.stderr)
    return found.group() if found else "unknown"


@contextmanager
def _running(command: list[str], home: Path) -> Iterator[None]:
    """A process whose output goes to `home`/log. When something fails meanwhile, the end of that log is shown."""
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=home)
    try:
        yield
    except Exception:
        state = "ran" if process.poll() is None else f"had ended with status {process.returncode}"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.stderr.write(f"-- {Path(command[0]).name} {state}; its last words:\n{tail}\n")
        raise
    finally:
        process.terminate()
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
providers:
  embedded: {{kind: embedded, listen: "127.0.0.1:{port}", zones: [{ZONE}]}}
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
