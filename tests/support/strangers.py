"""Processes of a user whom nobody knows: no name in passwd, no home, no environment but what is given to them.

So is the service with DynamicUser= where libnss-systemd is missing, and most containers. For the process all of it is
true, in a user namespace of its own, for which nobody has to be root; the files of whoever runs the tests are its own.
Where the kernel makes none, as below a chroot(2), root becomes that user for good.

    python -m support.strangers plugin|read < JSON
"""

import asyncio
import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

from support.plugins import ENDPOINT, script

from failoverd.core.errors import ProviderError
from failoverd.core.records import RecordKey, RecordType, Target
from failoverd.ports import Access
from failoverd.providers import kinds

UNLISTED = 2_000_000_001

_ROOT = Path(__file__).parents[2]


@cache
def _has_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0


def stranger(*, capable: bool = False) -> tuple[str, ...]:
    """The beginning of a command, of which whatever follows is started as that user; `capable`, with capabilities."""
    if _has_namespaces():
        user = ("unshare", "--user", f"--map-user={UNLISTED}", f"--map-group={UNLISTED}")
        return (*user, "--keep-caps") if capable else user
    user = ("setpriv", f"--reuid={UNLISTED}", f"--regid={UNLISTED}", "--clear-groups")
    return (*user, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search") if capable else user


def reader() -> tuple[str, ...]:
    """The same, who may read the files of whoever runs the tests."""
    return stranger(capable=not _has_namespaces())


def root_in_name_alone() -> tuple[str, ...]:
    """The same for root of a container that drops all capabilities."""
    user = ("unshare", "--user", "--map-root-user") if _has_namespaces() else ()
    return (*user, "setpriv", "--bounding-set=-all", "--inh-caps=-all")


def run_as(user: Sequence[str], program: Sequence[str], said: object = None, **environ: str) -> str:
    """What a program of Python's prints that `user`, the beginning of a command, starts; `said` is its input."""
    done = subprocess.run(
        [which(user[0]) or user[0], *user[1:], sys.executable, *program],
        input=json.dumps(said),
        env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_SYSCALLS = {"x86_64": (117, 119), "aarch64": (147, 149)}
"""setresuid(2) and setresgid(2), which change the calling thread alone; the C library would change all of them."""


def can_be_others() -> bool:
    return os.geteuid() == 0 and platform.machine() in _SYSCALLS


def connected_as(uid: int, gid: int, path: Path) -> socket.socket:
    """A connection to a unix socket by another user, as the system sees it. For root alone."""

    def connect() -> socket.socket:
        call = ctypes.CDLL(None, use_errno=True).syscall
        setresuid, setresgid = _SYSCALLS[platform.machine()]
        os_error = (call(setresgid, -1, gid, -1) or call(setresuid, -1, uid, -1)) and ctypes.get_errno()
        try:
            assert not os_error
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
            except OSError:
                connection.close()
                raise
            return connection
        finally:
            call(setresuid, -1, 0, -1)
            call(setresgid, -1, 0, -1)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(connect).result()


def plugin_of(user: Sequence[str], text: str, **environ: str) -> str:
    """What a plugin, a shell script, says that a daemon of this user runs."""
    detail: str = json.loads(run_as(user, ["-m", "support.strangers", "plugin"], text, **environ))
    return detail


def reads_of(user: Sequence[str], providers: Mapping[str, Mapping[str, object]], **environ: str) -> dict[str, str]:
    """How it ends when a daemon of this user reads from these providers: `read`, or the reason of the failure."""
    found: dict[str, str] = json.loads(run_as(user, ["-m", "support.strangers", "read"], providers, **environ))
    return found


async def _plugin(text: str) -> str:
    return (await script(text, timeout="50s").probe(ENDPOINT)).detail


async def _reads(providers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: await _read(settings) for name, settings in providers.items()}


async def _read(said: Mapping[str, Any]) -> str:
    kind = kinds()[said["kind"]]
    settings = kind.settings.model_validate(said)
    try:
        async with kind.open("dns-main", settings, Access.READ) as provider:
            zone = settings.zones[0]
            await provider.read(Target("inference-api", RecordKey(f"api.{zone}", RecordType.A), "dns-main", zone))
    except ProviderError as error:
        return error.reason
    return "read"


if __name__ == "__main__":
    doing: Mapping[str, Callable[[Any], Coroutine[None, None, object]]] = {"plugin": _plugin, "read": _reads}
    print(json.dumps(asyncio.run(doing[sys.argv[1]](json.load(sys.stdin)))))  # noqa: T201 - the way back to the test
