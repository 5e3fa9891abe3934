"""Servers of the Prometheus family: each says at `/-/ready` when it is."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from support.servers import READY_WITHIN


@contextmanager
def ready(command: Sequence[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server, once it listens on that port and is ready, for as long as the context lasts."""
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        if not _is_ready(process, port):
            raise RuntimeError(f"{command[0]} did not start:\n{(folder / 'log').read_text()}")
        yield process
    finally:
        process.kill()
        process.wait()


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(int(READY_WITHIN / 0.05)):
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
            return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            return False
    return False
