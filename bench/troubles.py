"""Regions of eight endpoints that can be struck by four kinds of trouble, each region in a process of its own."""

import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.targets import CHAIN, nft, prepare_drops

PORT, STEADY_PORT = 8086, 8087
SIZE = 8
"""Endpoints of a region."""

INTERVAL, TIMEOUT, FALL, RISE, RECHECK = 10.0, 2.0, 3, 5, 0.5
"""Seconds and counts: what every detector is told."""

ERRORS = 30
"""Percent of the answers."""

_LATE = 2 * TIMEOUT
_SERVER = Path(__file__).with_name("region_server.py")
_SILENT = "silent"


class Trouble(StrEnum):
    """What happens to all endpoints of a region at once."""

    CRASHED = "process killed"  # connections are reset, new ones refused
    DROPPED = "packets silently dropped"
    ERRORS = f"{ERRORS} % of the answers are errors"
    SLOW = "answers later than the time-out"


@dataclass
class Region:
    """Eight addresses and the process behind them. `steady` is the address beside it that stays well."""

    name: str
    trouble: Trouble
    addresses: Sequence[str]
    steady: str = ""
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self) -> None:
        self._process = _serve(PORT, self.addresses)

    def strike(self) -> None:
        """Let its trouble begin."""
        if self._process is None or self._process.stdin is None:
            raise RuntimeError(f"region {self.name} does not run")
        match self.trouble:
            case Trouble.CRASHED:
                self._process.kill()
            case Trouble.DROPPED:
                nft("add", "element", *CHAIN[:2], _SILENT, f"{{ {', '.join(self.addresses)} }}")
            case Trouble.ERRORS:
                _say(self._process, f"errors {ERRORS}")
            case Trouble.SLOW:
                _say(self._process, f"slow {_LATE:g}")

    def end(self) -> None:
        if self._process is not None:
            _end(self._process)


@dataclass(frozen=True)
class Field:
    """All regions, each to be struck once."""

    regions: Sequence[Region]

    def by_address(self) -> dict[str, Region]:
        return {address: region for region in self.regions for address in region.addresses}


@contextmanager
def field_of(each: int) -> Iterator[Field]:
    """So many regions for each kind of trouble, up and well for as long as the context lasts."""
    prepare_drops()
    nft("add", "set", *CHAIN[:2], _SILENT, "{ type ipv4_addr; }")
    nft("add", "rule", *CHAIN, "ip", "daddr", f"@{_SILENT}", "drop")
    regions = [
        Region(f"{trouble.name.lower()}-{number}", trouble, *_addresses(index * each + number))
        for index, trouble in enumerate(Trouble)
        for number in range(each)
    ]
    with ExitStack() as stack:
        steady = _serve(STEADY_PORT, ["0.0.0.0"])  # noqa: S104 - in a network that has loopback only
        stack.callback(_end, steady)
        for region in regions:
            stack.callback(region.end)
            region.start()
        yield Field(regions)


def _addresses(number: int) -> tuple[list[str], str]:
    return [f"127.90.{number}.{host}" for host in range(1, SIZE + 1)], f"127.91.{number}.1"


def plan(field: Field, span: float, chance: random.Random) -> list[tuple[float, Region]]:
    """Who is struck when, in seconds from the start: each at a random moment of the span, in random order."""
    return sorted(((chance.uniform(0, span), region) for region in field.regions), key=lambda each: each[0])


def _serve(port: int, addresses: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-I", str(_SERVER), str(port), *addresses]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or not process.stdout.readline():
        raise RuntimeError(f"the servers on {addresses[0]} and the next ones did not start: see above")
    return process


def _say(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
