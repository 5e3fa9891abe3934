"""`failoverctl` within the test's own process, and the files of a small configuration that needs no server.

A process of its own takes most of a second to begin: it is for tests of signals, of real streams, of two at once.
"""

import asyncio
import io
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final
from unittest.mock import patch

from failoverd.cli import operator

PATIENCE: Final = 60.0
_streams = Lock()
"""The standard streams are the process's: one command at a time has them."""

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
resolver: ["127.0.0.1:9"]
providers:
  local: {kind: embedded, zones: [example.test], listen: "127.0.0.1:9"}
"""

REGIONS = """\
version: 1
regions:
  west: {cloud: azure}
  east: {cloud: oci}
"""

POLICY = """\
version: 1
policy: shop
records:
  - {name: shop.example.test, type: A, ttl: 5s, providers: [local]}
regions:
  west: {share: 50, endpoints: [127.0.0.2]}
  east: {share: 50, endpoints: [127.0.0.3]}
checks:
  live: {tcp: 9, timeout: 1s}
"""


@dataclass(frozen=True)
class Ended:
    """`out` as the bytes that arrived, for a test of encodings; `said` is both streams as text."""

    code: int
    out: bytes
    err: str

    @property
    def said(self) -> str:
        return self.out.decode("utf-8", "backslashreplace") + self.err


def written(folder: Path, policies: Mapping[str, str] | None = None, config: str = CONFIG) -> Path:
    """A configuration with an inventory and these policy files (by name); says where it is."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "regions.yaml").write_text(REGIONS)
    for name, text in ({"shop.yaml": POLICY} if policies is None else policies).items():
        (folder / "policies" / name).write_text(text)
    path = folder / "failoverd.yaml"
    path.write_text(config)
    return path


@contextmanager
def deaf(place: Path) -> Iterator[None]:
    """A daemon that was stopped: the system takes connections for it, and nobody answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        yield


def failoverctl(*words: str | os.PathLike[str], encoding: str = "utf-8", columns: int = 80) -> Ended:
    """Run a command, on a screen of so many columns that nobody sits at."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    argv = ["failoverctl", *(os.fspath(word) for word in words)]
    with (
        _streams,
        patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO()), stdout=out, stderr=err, argv=argv),
        patch.dict(os.environ, {"COLUMNS": str(columns)}),
    ):
        try:
            operator.answer()
            code: int | str | None = 0
        except SystemExit as ending:
            code = ending.code
        out.flush()
    assert isinstance(code, int)
    err.seek(0)
    return Ended(code, raw.getvalue(), err.read())


async def answered(*words: str | os.PathLike[str], columns: int = 80) -> Ended:
    """The same in a thread, so that servers of this event loop answer the command meanwhile."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.to_thread(failoverctl, *words, columns=columns)
