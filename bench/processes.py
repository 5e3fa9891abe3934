"""The processes of a benchmark: each on the CPUs that it is given, measured from outside, ended with the experiment."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_STOP_WITHIN = 10.0
_CPUCLOCK_SCHED = 2
"""The clock of a process that the scheduler keeps, in nanoseconds (linux/posix-timers.h)."""


@dataclass(frozen=True)
class Cpus:
    """Who runs where: what is measured, and everything else. As taskset(1) wants it."""

    measured: str
    rest: str

    @classmethod
    def shared_out(cls) -> Self:
        """One CPU for what is measured, the others for the rest.

        Raises:
            RuntimeError: there is only one.
        """
        first, *others = sorted(os.sched_getaffinity(0))
        if not others:
            raise RuntimeError("it takes two CPUs: one for what is measured, one for what is probed")
        return cls(str(first), ",".join(map(str, others)))


@contextmanager
def running(command: Sequence[str], home: Path, *, cpus: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to `home`/log. When something fails meanwhile, the end of that log is shown.

    `cpus` binds it to these (taskset's list); by default it runs anywhere.
    """
    log = home / "log"
    bound = ["taskset", "--cpu-list", cpus, *command] if cpus else list(command)
    with log.open("wb") as output:
        process = subprocess.Popen(bound, stdout=output, stderr=output, cwd=home)
    try:
        yield process
    except Exception:
        state = "ran" if process.poll() is None else f"had ended with status {process.returncode}"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.stderr.write(f"-- {Path(command[0]).name} {state}; its last words:\n{tail}\n")
        raise
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def allow_many_files() -> None:
    """Let this process and those that it starts have as many open files as the system lets them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a process has used so far, user and system, all threads, to the nanosecond.

    Raises:
        RuntimeError: it has ended.
    """
    try:
        return time.clock_gettime(~process.pid << 3 | _CPUCLOCK_SCHED)  # what clock_getcpuclockid(3) gives
    except OSError as error:
        raise RuntimeError(f"{process.args!r} has ended with status {process.poll()}") from error


def resident(process: subprocess.Popen[bytes]) -> int:
    """Bytes that a process has in memory now (VmRSS of proc(5))."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc tells nothing of the memory of process {process.pid}")


def version(command: Sequence[str]) -> str:
    """What a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"\d+(\.\d+)+[^\s,;]*", done.stdout + done.stderr)
    return found.group() if found else "unknown"


def failoverd_program() -> str:
    """The daemon of the same environment."""
    return str(Path(sys.executable).with_name("failoverd"))
