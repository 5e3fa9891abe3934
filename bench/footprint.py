"""What failoverd costs while nothing happens: memory, imports, and how long an operator waits for `--help`."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.outage import configure, peak_memory
from bench.stands import Zoneful

RUNS = 10
MOST_HELP = 0.2
"""Seconds."""

_SDKS = frozenset({"boto3", "botocore", "azure", "msal", "oci"})
_IMPORTED = re.compile(r"^import time:[^|]*\|[^|]*\| *(?P<module>\S+)$", re.MULTILINE)
_START_WITHIN = 60.0


@dataclass(frozen=True)
class Footprint:
    """Seconds and bytes. `sdks` are the cloud SDKs that a daemon without clouds had imported; `modules`, how many."""

    help_median: float
    help_slowest: float
    sdks: tuple[str, ...]
    modules: int
    memory: int


def footprint(folder: Path) -> Footprint:
    """Measure it, in a folder for the files of one daemon without clouds."""
    times = [_help() for _ in range(RUNS)]
    imported, memory = _without_clouds(folder)
    sdks = sorted({module.split(".")[0] for module in imported} & _SDKS)
    return Footprint(statistics.median(times), max(times), tuple(sdks), len(imported), memory)


def _help() -> float:
    """One whole process."""
    began = time.perf_counter()
    subprocess.run([_program("failoverctl"), "--help"], check=True, capture_output=True, timeout=30)
    return time.perf_counter() - began


def _without_clouds(folder: Path) -> tuple[set[str], int]:
    """Every module that a daemon imports until it has started and looked at its one record, and its peak memory."""
    home = folder / "without-clouds"
    configure(home, {"kind": "embedded", "listen": "127.0.0.1:0", "zones": ["example.test"]}, Zoneful(1))
    command = [
        sys.executable,
        "-X",
        "importtime",
        _program("failoverd"),
        "run",
        "--config",
        str(home / "failoverd.yaml"),
    ]
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
    try:
        _wait_for(log, '"decision.made"')
        memory = peak_memory(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return set(_IMPORTED.findall(log.read_text())), memory


def _wait_for(log: Path, words: str) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while words not in log.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the daemon never logged {words}:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
