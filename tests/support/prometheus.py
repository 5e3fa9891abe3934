"""A real Prometheus on loopback that scrapes what it is told and evaluates our rules, and its tool for checks.

with prometheus(port_of_the_daemon) as running:
    running.query("up")
"""

import json
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.ready import ready
from support.servers import free_port, program

_CONFIGURATION = """\
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [%s]
scrape_configs:
  - job_name: failoverd
    static_configs: [{targets: [%s]}]
"""


def promtool(*words: str, given: bytes = b"", folder: Path | None = None) -> str:
    """What Prometheus' own tool says, on both streams.

    Raises:
        AssertionError: it ended with a failure.
    """
    command = [program("promtool"), *words]
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60, cwd=folder
    )
    said = done.stdout.decode()
    assert done.returncode == 0, said
    return said


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression asks for, as pages name them: a histogram without the suffix of its series."""
    names = re.findall(r"\b(?:up|(?:failoverd|process)_\w+)\b", re.sub(r'"[^"]*"', "", expression))
    return {name.removesuffix("_bucket") for name in names}


def documented(manual: str) -> dict[str, set[str]]:
    """The labels of each metric that docs/metrics.md lists, and of what Prometheus itself says of a target.

    That it lists what a real daemon shows, and no more, is shown in tests/telemetry/test_metrics.py.
    """
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \|", manual, re.MULTILINE)
    of_prometheus = {"job", "instance"}
    found = {name: {*re.findall(r"`(\w+)`", labels), *of_prometheus} for name, labels in rows}
    return {**found, "up": of_prometheus}


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    port: int
    process: subprocess.Popen[bytes]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now. An expression that cannot be parsed is an error."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing."""
        found: list[dict[str, Any]] = self._get("alerts")["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with how its last evaluation went."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, what: str, **asked: str) -> Any:  # noqa: ANN401 - as its API has it
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{what} {asked}: {error.read().decode()}") from error


@contextmanager
def prometheus(scraped: int | Sequence[int], rules: Path | None = None) -> Iterator[Prometheus]:
    """Prometheus (`prometheus`), for as long as the context lasts. It scrapes ports of this host often."""
    ports = [scraped] if isinstance(scraped, int) else scraped
    targets, files = ", ".join(f'"127.0.0.1:{port}"' for port in ports), f'"{rules}"' if rules is not None else ""
    with tempfile.TemporaryDirectory(prefix="failoverd-") as path:
        folder = Path(path)
        (folder / "prometheus.yml").write_text(_CONFIGURATION % (files, targets))
        port = free_port()
        command: Sequence[str] = [
            program("prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with ready(command, port, folder) as process:
            yield Prometheus(port, process)
