"""A real systemd-journald, in a mount namespace of its own, and a program whose standard error it reads.

    python -m support.real_journald

Run by `told_to_journald` in that namespace, where /run is its own; tells what `journalctl` found as JSON, and what the
commands of `docs/logs.md` print.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.journals import closed, incident
from support.servers import PLACES

from failoverd.core.events import DaemonStarted, Level
from failoverd.telemetry.logs import LogFormat, configure_logs

_ROOT = Path(__file__).parents[2]
_JOURNALD = "/lib/systemd/systemd-journald"
_CATALOGS = Path("/usr/lib/systemd/catalog")
_SOCKET = Path("/run/systemd/journal/socket")
_PATIENCE = 30.0

_CONFIG = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n"
"""The machine's kernel is neither read nor told to audit."""


def told_to_journald(at: float) -> dict[str, Any]:
    """What was found."""
    needs = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    child = ["unshare", *needs, "--propagation", "private", sys.executable, "-m", "support.real_journald", str(at)]
    path = f"{_ROOT}:{_ROOT / 'tests'}"
    done = subprocess.run(child, env={"PATH": PLACES, "PYTHONPATH": path}, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(at: float) -> None:
    for place in ("/run", "/var/lib/systemd", str(_CATALOGS)):
        _run("mount", "-t", "tmpfs", "none", place)
    _run("mount", "--bind", "/dev/null", "/dev/kmsg")
    for folder in ("/run/systemd/journald.conf.d", "/var/lib/systemd/catalog"):
        Path(folder).mkdir(parents=True)
    Path("/run/systemd/journald.conf.d/tests.conf").write_text(_CONFIG)
    Path("/run/machine-id").write_text("f" * 31 + "0\n")
    _run("mount", "--bind", "/run/machine-id", "/etc/machine-id")
    shutil.copy(_ROOT / "systemd" / "failoverd.catalog", _CATALOGS)
    _run("journalctl", "--update-catalog")
    journald = _journald()
    reading, writing = os.pipe()
    program = [sys.executable, "-m", "support.real_journald", str(at), str(writing)]
    speaker = subprocess.Popen(
        ["systemd-cat", "--identifier=service", *program], stdin=subprocess.PIPE, text=True, pass_fds=[writing]
    )

    def say(what: str) -> None:
        assert speaker.stdin is not None
        print(what, file=speaker.stdin, flush=True)
        assert os.read(reading, 1)

    try:
        say("incident")
        _until_found("FAILOVERD_EVENT=change.verified")
        found: dict[str, Any] = {
            "by_fields": _found("FAILOVERD_POLICY=inference-api", "FAILOVERD_EVENT=change.applied"),
            "warnings": _found("SYSLOG_IDENTIFIER=failoverd", "--priority=warning"),
        }
        found["documented"] = {command: _run("bash", "-c", command) for command in _documented()}
        found["explained"] = _run("journalctl", "-x", "FAILOVERD_EVENT=region.failed")
        journald.kill()
        journald.wait()
        say("lost")
        journald = _journald()
        say("told")
        found["lost"] = _until_found("FAILOVERD_EVENT=log.lost")
    finally:
        speaker.kill()
        journald.kill()
        journald.wait()
    sys.stdout.write(json.dumps(found))


def speak(at: float, done: int) -> None:
    """Tell an incident, or its end, to whoever reads standard error, and write a byte to `done` for each.

    Of one that is `lost`, once it is.
    """
    found = os.fstat(sys.stderr.fileno())
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"  # as systemd does for a service
    logs = configure_logs(LogFormat.AUTO, Level.INFO, sys.stderr)
    started = DaemonStarted(at=at - 90, version="1", policies=(), providers=(), pid=1, instance="4ab7b819")
    for line in sys.stdin:
        for event in [started, *incident(at)] if line == "incident\n" else [closed(at)]:
            logs.render(event)
        if line == "lost\n":
            _until(lambda: logs._writer.lost > 0)
        os.write(done, b".")


def _documented() -> list[str]:
    """The commands of the manual, for what the speaker tells."""
    text = (_ROOT / "docs" / "logs.md").read_text().replace("=INCIDENT", "=inc-1").replace("=shop", "=inference-api")
    return re.findall(r"^journalctl .*$", text, re.MULTILINE)


def _journald() -> "subprocess.Popen[bytes]":
    _SOCKET.unlink(missing_ok=True)
    started = subprocess.Popen([_JOURNALD])
    _until(_SOCKET.exists)
    return started


def _found(*matches: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _run("journalctl", "-o", "json", *matches).splitlines()]


def _until_found(match: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = _found(match)
        return bool(found)

    _until(look)
    return found


def _until(fits: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not fits():
        assert time.monotonic() < end, f"it never came to that; the end of the journal:\n{_run('journalctl', '-n20')}"
        time.sleep(0.02)


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) > 2:
        speak(float(sys.argv[1]), int(sys.argv[2]))
    else:
        main(float(sys.argv[1]))
