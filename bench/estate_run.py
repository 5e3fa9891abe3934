"""One daemon with many policies: started, watched while files are edited, and asked where everything stands."""

import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.servers import ZONE

from bench.endpoints import addresses, daemon, write
from bench.exposition import Histogram, histogram, scrape
from bench.nginx import HOST, PATH, Nginx, nginx
from bench.processes import Cpus, cpu_seconds, failoverd_program, resident, running
from bench.scale_run import LAG

PER_POLICY = 10
_PORT = 8080
_REGIONS = ("azure-eastus", "oci-ashburn")
_START_WITHIN = 600.0
_TAKEN_UP_WITHIN = 60.0
_WINDOW = 4.0
"""Seconds for which the processor time of an edit is counted, and of the same time without one."""

_ASKED = 5
"""How often `failoverctl status` is asked."""


@dataclass(frozen=True)
class Estate:
    """How much there is: policies of ten endpoints each, probed every so many seconds."""

    policies: int
    every: float

    @property
    def endpoints(self) -> int:
        return self.policies * PER_POLICY


@dataclass(frozen=True)
class Edit:
    """One edited file. Seconds: until its revision ran, and of processor time beyond what is used without an edit."""

    taken_up: float
    cpu: float


@dataclass(frozen=True)
class Asked:
    """`failoverctl status`, as text and as JSON: seconds, the median. `cpu` is what the text takes of a processor."""

    text: float
    plain: float
    cpu: float


@dataclass(frozen=True)
class Found:
    """One size. Seconds and bytes; `met` until each endpoint was probed, `start_cpu` of processor time until then."""

    estate: Estate
    met: float
    start_cpu: float
    edits: tuple[Edit, ...]
    lag: Histogram
    asked: Asked
    memory: int

    @property
    def taken_up(self) -> float:
        return statistics.median(edit.taken_up for edit in self.edits)

    @property
    def edit_cpu(self) -> float:
        return statistics.median(edit.cpu for edit in self.edits)


def measure(estate: Estate, settle: float, edits: int, tell: Callable[[str], None]) -> Found:
    """Start a daemon with so many policies, edit some of them, and ask for its status."""
    cpus = Cpus.shared_out()
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
        home = Path(path) / "failoverd"
        config = _configure(home, estate)
        command = [failoverd_program(), "run", "--config", str(config)]
        with nginx(Path(path) / "nginx", _PORT, cpus=cpus.rest, met=True) as server:
            began = time.monotonic()
            with running(command, home, cpus=cpus.measured) as process:
                _wait_for_all(server, estate, process)
                met, start_cpu = time.monotonic() - began, cpu_seconds(process)
                tell(f"{estate.policies} policies: all probed after {met:.1f} s, {start_cpu:.1f} s CPU")
                time.sleep(settle)
                before = histogram(scrape(), LAG)
                time.sleep(1)  # the page of the metrics costs, too
                done = tuple(_edit(home, number, process, tell) for number in range(edits))
                lag = histogram(scrape(), LAG).since(before)
                before_asking = _cpu_of_children()
                text = _ask(config, cpus)
                cpu = (_cpu_of_children() - before_asking) / _ASKED
                asked = Asked(text, _ask(config, cpus, "--output", "json"), cpu)
                tell(f"{estate.policies} policies: status in {text:.2f} s ({cpu:.2f} s CPU), JSON {asked.plain:.2f} s")
                return Found(estate, met, start_cpu, done, lag, asked, resident(process))


def _wait_for_all(server: Nginx, estate: Estate, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while server.met() < estate.endpoints:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"failoverd probed {server.met()} of {estate.endpoints} endpoints")
        time.sleep(0.1)


def _cpu_of_children() -> float:
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ask(config: Path, cpus: Cpus, *arguments: str) -> float:
    program = Path(failoverd_program()).with_name("failoverctl")
    command = ["taskset", "--cpu-list", cpus.rest, str(program), "status", "--config", str(config), *arguments]
    taken = []
    for _ in range(_ASKED):
        began = time.monotonic()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, timeout=60)  # its status is where things stand
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


# -- one edited file ---------------------------------------------------------------------------------------------------


def _edit(home: Path, number: int, process: subprocess.Popen[bytes], tell: Callable[[str], None]) -> Edit:
    name = _name(number)
    file = home / "policies" / f"{name}.yaml"
    idle = _cpu_of_window(process)
    log = (home / "log").open("rb")
    log.seek(0, 2)
    began = time.monotonic()
    before = cpu_seconds(process)
    file.write_text(file.read_text().replace("fall: 3", "fall: 4"))
    taken_up = next(at for at in _arrivals(log, name, began) if at) - began
    time.sleep(max(0.0, began + _WINDOW - time.monotonic()))
    spent = (cpu_seconds(process) - before) - idle * (time.monotonic() - began) / _WINDOW
    tell(f"{name} edited: taken up after {taken_up:.2f} s, {spent * 1000:.0f} ms CPU")
    return Edit(taken_up, spent)


def _cpu_of_window(process: subprocess.Popen[bytes]) -> float:
    before = cpu_seconds(process)
    time.sleep(_WINDOW)
    return cpu_seconds(process) - before


def _arrivals(log: Iterator[bytes], name: str, began: float) -> Iterator[float]:
    """When the daemon said that it took the policy up; 0 while it did not."""
    while True:
        for line in log:
            if b'"policy.loaded"' in line and json.loads(line).get("policy") == name:
                yield time.monotonic()
        if time.monotonic() > began + _TAKEN_UP_WITHIN:
            raise RuntimeError(f"the edited policy {name} was not taken up")
        time.sleep(0.005)
        yield 0.0


# -- files -------------------------------------------------------------------------------------------------------------


def _name(number: int) -> str:
    return f"p{number:05d}"


def _configure(home: Path, estate: Estate) -> Path:
    """Write the files as people do: block style, comments, one service each. Returns the daemon's."""
    policies = home / "policies"
    policies.mkdir(parents=True)
    write(policies / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in _REGIONS}})
    every = addresses(estate.endpoints)
    for number in range(estate.policies):
        endpoints = [f"{address}:{_PORT}" for address in every[number * PER_POLICY : (number + 1) * PER_POLICY]]
        (policies / f"{_name(number)}.yaml").write_text(_policy(_name(number), endpoints, estate.every))
    config = home / "failoverd.yaml"
    write(config, daemon())
    return config


def _policy(name: str, endpoints: list[str], every: float) -> str:
    half = len(endpoints) // 2
    return f"""\
# yaml-language-server: $schema=policy.schema.json
version: 1
policy: {name}
owner: team-{name}
runbook: https://runbooks.example.com/{name}
tier: prod

records:
  - {{name: {name}.{ZONE}, type: A, ttl: 30s, providers: [embedded]}}

regions:
  {_REGIONS[0]}: {{priority: 1, endpoints: [{", ".join(endpoints[:half])}]}}
  {_REGIONS[1]}: {{priority: 2, endpoints: [{", ".join(endpoints[half:])}]}}   # standby

checks:
  live: {{http: {PATH}, host: {HOST}, status: 200, every: {every:g}s, timeout: 2s}}

health: {{fall: 3, rise: 5, recheck: 500ms, degraded_below: 75%, down_below: 50%}}
steering: failover
weights: membership
failback: {{after: 5m}}            # or manual
limits: {{min_regions: 1, max_shift: 100% per 5m, max_changes: 4 per 1h}}
when_all_down: keep              # or normal
on_drift: restore                # or report
"""
