"""A real Alertmanager on loopback, alone (no cluster), which tells a webhook of the test's own what it is told.

with alertmanager(hook_url) as running:
    running.alerts()
"""

import json
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.servers import READY_WITHIN, free_port, program

_CONFIGURATION = """\
global: {resolve_timeout: 5m}
route: {receiver: test, group_by: [alertname, subject], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: test
    webhook_configs: [{url: "%s", send_resolved: true}]
"""


@dataclass(frozen=True)
class Alertmanager:
    """A running one. `alerts` are those that are firing, as its own API has them."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def alerts(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found


@contextmanager
def alertmanager(hook_url: str) -> Iterator[Alertmanager]:
    """Alertmanager (`prometheus-alertmanager`), for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="failoverd-") as path:
        folder = Path(path)
        (folder / "alertmanager.yml").write_text(_CONFIGURATION % hook_url)
        port = free_port()
        command = [
            program("prometheus-alertmanager"),
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with (folder / "log").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            if not _ready(process, port):
                raise RuntimeError(f"Alertmanager did not start:\n{(folder / 'log').read_text()}")
            yield Alertmanager(port, process)
        finally:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(int(READY_WITHIN / 0.05)):
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
            return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            return False
    return False
