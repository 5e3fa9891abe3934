"""The experiment: one region fails under every record of a zone, and the daemon moves them all to the other one.

The daemon is `failoverd run`, a process of its own, with real probes of two loopback regions. First it creates every
record; then it looks once at everything, in a tick; then the first region's server is killed. Counted is what the other
side saw, from the fault until each change is read back; proofs until the last change is called verified.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.least import Content, Least
from bench.stands import Made, Purpose, Stand, Zoneful
from bench.targets import Fault, Target, serving
from failoverd.core.records import RecordType, Weights
from failoverd.providers import kinds

FIRST, SECOND = "127.86.0.1", "127.86.0.2"
HTTP_PORT = 8086
INTERVAL, TIMEOUT, FALL, RECHECK = 2, 1, 3, 0.5
"""Seconds, and failures, as in `bench/failover.py`."""

TICK = 30.0
"""Seconds between routine looks at everything: the default."""

_PROVIDER = "dns"
_QUIET = 2.0
"""Seconds without a call after which a stand is called quiet. Longer than providers wait for their turn."""

_POLL = 0.02
_TTL = 30
_TROUBLES = frozenset({"target.delayed", "change.fenced", "task.crashed", "journal.failed", "change.disputed"})
_OWNER = "bench"
_PATIENCE = 900.0
_STOP_WITHIN = 15.0


@dataclass(frozen=True)
class Outage:
    """What one provider's run came to. Times in seconds from the fault; sizes in bytes."""

    kind: str
    remark: str
    records: int
    reads: int
    writes: int
    proofs: int
    refused: int
    changed: float
    read_back: float
    verified: float
    least: Least
    tick_reads: int
    memory: int
    cpu: float  # that the daemon used until everything was read back
    troubles: Mapping[str, int]
    timeline: Sequence[tuple[float, str, bool]]  # of every call until read back: seconds, purpose, refused

    @property
    def ratio(self) -> float:
        """Of reads and writes to the least of them."""
        return (self.reads + self.writes) / self.least.total

    def in_words(self) -> str:
        calls = f"{self.reads} reads and {self.writes} writes, {self.ratio:.2f} times the least of {self.least.total}"
        return f"{self.records} records changed in {self.changed:.1f} s by {calls}"


class Daemon:
    """The running daemon and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._read = 0
        self.events: list[Mapping[str, object]] = []

    def hear(self) -> None:
        """Take in what it logged since."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            for line in log.readlines():
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._take(line)
        if self._process.poll() is not None:
            raise RuntimeError(f"failoverd ended with status {self._process.returncode}")

    def targets(self, event: str, since: int) -> int:
        """How many different records an event told of, after so many events."""
        return len({each.get("record") for each in self.events[since:] if each.get("event") == event})

    def troubles(self, since: int) -> dict[str, int]:
        """What was told as a warning or worse about records: event and reason, and how often."""
        found: dict[str, int] = {}
        for each in self.events[since:]:
            if each.get("event") in _TROUBLES:
                words = f"{each['event']} {each.get('reason', '')}".strip()
                found[words] = found.get(words, 0) + 1
        return found

    def memory(self) -> int:
        return peak_memory(self._process.pid)

    def cpu(self) -> float:
        """Seconds of processor time so far (proc(5), utime and stime)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _take(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            return
        if isinstance(found, dict):
            self.events.append(found)


def peak_memory(pid: int) -> int:
    """The most that a process ever had resident, in bytes (VmHWM of proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc tells nothing of the daemon's memory")


def measure(stand: Stand, records: int, folder: Path, tell: Callable[[str], None]) -> Outage:
    """One run at one provider.

    Raises:
        TimeoutError: the daemon did not do what is measured.
    """
    zoneful = Zoneful(records, stand.zone)
    stand.prepare(zoneful)
    with ExitStack() as stack:
        first, second = (Target(address, HTTP_PORT, folder / address) for address in (FIRST, SECOND))
        for target in (first, second):
            stack.enter_context(serving(target))
        daemon = stack.enter_context(_daemon(stand, zoneful, folder))
        tell(f"{stand.kind}: creating {records} records")
        _until(daemon, lambda: stand.holding(zoneful, FIRST) == records, "created every record")
        _until(daemon, lambda: daemon.targets("change.verified", 0) >= records, "verified every record")
        tick_reads = _tick(daemon, stand)
        tell(f"{stand.kind}: the first region fails")
        return _strike(daemon, stand, zoneful, first, tick_reads)


def _tick(daemon: Daemon, stand: Stand) -> int:
    """Wait until a whole routine look at everything has begun and ended; how many reads that took."""
    _quiet(daemon, stand)
    before = len(stand.calls())
    _until(daemon, lambda: len(stand.calls()) > before, "looked at everything in a tick", within=TICK * 3)
    _quiet(daemon, stand)
    return len(stand.calls()) - before


def _quiet(daemon: Daemon, stand: Stand) -> None:
    def quiet() -> bool:
        calls = stand.calls()
        return not calls or time.monotonic() - calls[-1].at > _QUIET

    _until(daemon, quiet, "was quiet", within=TICK * 10)


def _strike(daemon: Daemon, stand: Stand, zoneful: Zoneful, victim: Target, tick_reads: int) -> Outage:
    daemon.hear()
    since, before, records = len(daemon.events), len(stand.calls()), zoneful.records
    cpu = daemon.cpu()
    struck_at = victim.strike(Fault.KILLED)
    changed = _until(daemon, lambda: _holds(stand, zoneful, before), "changed every record") - struck_at
    applied = _until(daemon, lambda: daemon.targets("change.applied", since) >= records, "read every record back")
    cpu = daemon.cpu() - cpu
    verified = _until(daemon, lambda: daemon.targets("change.verified", since) >= records, "verified every change")
    calls = stand.calls()[before:]
    until_applied = [call for call in calls if call.at <= applied]

    def count(purpose: Purpose, among: Sequence[Made]) -> int:
        return sum(1 for call in among if call.purpose is purpose)

    return Outage(
        kind=stand.kind,
        remark=stand.remark,
        records=records,
        reads=count(Purpose.READ, until_applied),
        writes=count(Purpose.WRITE, until_applied),
        proofs=count(Purpose.PROOF, calls),
        refused=sum(call.refused for call in until_applied),
        changed=changed,
        read_back=applied - struck_at,
        verified=verified - struck_at,
        least=stand.least(records, _content()),
        tick_reads=tick_reads,
        memory=daemon.memory(),
        cpu=cpu,
        troubles=daemon.troubles(since),
        timeline=[(round(call.at - struck_at, 3), call.purpose.value, call.refused) for call in until_applied],
    )


def _holds(stand: Stand, zoneful: Zoneful, before: int) -> bool:
    """Looked at only once something was written: looking costs time, too."""
    written = any(call.purpose is Purpose.WRITE and not call.refused for call in stand.calls()[before:])
    return written and stand.holding(zoneful, SECOND) == zoneful.records


def _until(daemon: Daemon, done: Callable[[], bool], what: str, within: float = _PATIENCE) -> float:
    """When it was so, in monotonic seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if done():
            return time.monotonic()
        time.sleep(_POLL)
        daemon.hear()
    raise TimeoutError(f"the daemon never {what} within {within:g}s; its troubles: {daemon.troubles(0)}")


# -- the daemon --------------------------------------------------------------------------------------------------------


@contextmanager
def _daemon(stand: Stand, zoneful: Zoneful, folder: Path) -> Iterator[Daemon]:
    home = folder / "failoverd"
    configure(home, stand.block(), zoneful)
    command = [str(Path(sys.executable).with_name("failoverd")), "run", "--config", str(home / "failoverd.yaml")]
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **stand.environment()})
    daemon = Daemon(process, log)
    try:
        yield daemon
    except Exception:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.stderr.write(f"-- the daemon's last words:\n{tail}\n")
        raise
    finally:
        process.terminate()
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def configure(home: Path, block: Mapping[str, object], zoneful: Zoneful) -> None:
    """Write every file of the daemon. JSON is YAML, too."""
    policies = home / "policies"
    policies.mkdir(parents=True)
    regions = {"version": 1, "regions": {"first": {"cloud": "loopback"}, "second": {"cloud": "loopback"}}}
    (policies / "regions.yaml").write_text(json.dumps(regions))
    weights = kinds()[str(block["kind"])].capabilities.weights.get(RecordType.A, Weights.MEMBERSHIP)
    for name, records in zoneful.policies.items():
        (policies / f"{name}.yaml").write_text(json.dumps(_policy(name, records, weights)))
    config = {
        "version": 1,
        "owner": _OWNER,
        "policies": "policies",
        "journal": "journal.db",
        "tick": f"{TICK:g}s",
        "log": {"format": "json"},
        "providers": {_PROVIDER: block},
    }
    (home / "failoverd.yaml").write_text(json.dumps(config))


def _policy(name: str, records: Sequence[str], weights: Weights) -> Mapping[str, object]:
    """Failover by priority. What slows repeated changes down on purpose is opened wide."""
    return {
        "version": 1,
        "policy": name,
        "records": [{"name": record, "type": "A", "ttl": f"{_TTL}s", "providers": [_PROVIDER]} for record in records],
        "weights": weights.value,
        "steering": "failover",
        "regions": {
            "first": {"priority": 1, "endpoints": [f"{FIRST}:{HTTP_PORT}"]},
            "second": {"priority": 2, "endpoints": [f"{SECOND}:{HTTP_PORT}"]},
        },
        "checks": {"live": {"http": "/health", "every": f"{INTERVAL}s", "timeout": f"{TIMEOUT}s"}},
        "health": {"fall": FALL, "recheck": f"{RECHECK * 1000:.0f}ms"},
        "limits": {"min_regions": 1, "max_shift": "100% per 1s", "max_changes": "1000 per 1h"},
    }


def _content() -> Content:
    return Content(len(FIRST), len(f'"v=1 owner={_OWNER} policy=p00 gen=2 types=A"'))
