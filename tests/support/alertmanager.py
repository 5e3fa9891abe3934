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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.ready import ready
from support.servers import free_port, program

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
        with ready(command, port, folder) as process:
            yield Alertmanager(port, process)
