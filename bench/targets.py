"""A region as every contender sees it: an HTTP server in a process of its own, which can be broken and healed."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from support.servers import program

_SERVER = Path(__file__).with_name("webserver.py")
_PATIENCE = 10.0
CHAIN = ("inet", "bench", "input")
"""The nftables family, table and chain of the drop rule. They exist in the benchmark's own network namespace only."""


class Fault(StrEnum):
    """How a region breaks."""

    KILLED = "process killed"  # SIGKILL: the kernel refuses connections from then on
    DROPPED = "port silently dropped"  # the process is well, and its packets vanish


@dataclass
class Target:
    """One region's server, and the file in which it notes its visitors."""

    address: str
    port: int
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _dropping: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start the server; returns when it listens."""
        command = [sys.executable, "-I", str(_SERVER), self.address, str(self.port), str(self.log)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        if self._process.stdout is None or not self._process.stdout.readline():
            raise RuntimeError(f"the server on {self.address} port {self.port} did not start: see above")

    def kill(self) -> None:
        """Kill the server, as a fault or because the benchmark is over."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def strike(self, fault: Fault) -> float:
        """Break it. Returns when that was, in seconds of the monotonic clock."""
        if fault is Fault.KILLED:
            struck_at = time.monotonic()
            self.kill()
            return struck_at
        self._dropping = True
        nft("add", "rule", *CHAIN, "ip", "daddr", self.address, "tcp", "dport", str(self.port), "drop")
        return time.monotonic()

    def heal(self) -> None:
        """Undo whatever `strike` did."""
        if self._dropping:
            nft("flush", "chain", *CHAIN)
            self._dropping = False
        if self._process is None:
            self.start()

    def probes(self, agent: str, since: float) -> list[float]:
        """When a prober connected, by how its User-Agent begins: monotonic seconds, oldest first."""
        visits = (line.split(" ", 1) for line in self.log.read_text().splitlines())
        return [float(at) for at, who in visits if who.startswith(agent) and float(at) >= since]


@contextmanager
def serving(target: Target) -> Iterator[Target]:
    """The target's server, for as long as the context lasts."""
    target.log.touch()
    try:
        target.start()
        yield target
    finally:
        target.kill()


def prepare_drops() -> None:
    """Make the chain that drop rules go into. Needs a network namespace of its own."""
    nft("add", "table", *CHAIN[:2])
    nft("add", "chain", *CHAIN, "{ type filter hook input priority 0; }")


def nft(*arguments: str) -> None:
    """Change the packet filter."""
    subprocess.run([program("nft"), *arguments], check=True, timeout=_PATIENCE)
