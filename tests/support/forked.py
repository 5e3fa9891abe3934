"""Programs of failoverd as processes of their own, without the second of processor time that each takes to load itself.

A server loads what they are made of, once in each process that runs tests. To start a program it forks, and the child
gets words, environment, folder and streams as if it had been executed: it ends, dies and is killed in the same way.
What only a process shows that was executed is not for this: what it reads before it runs a line of ours (an
environment that Python itself heeds, its arguments in /proc), and what happens while it loads.
"""

import asyncio
import atexit
import gc
import io
import json
import os
import resource
import runpy
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from support.namespaces import enter

TESTS: Final = Path(__file__).parents[1]

_LOADED: Final = (
    "failoverd.cli.benchmarking.benchmark",
    "failoverd.cli.command_line",
    "failoverd.cli.daemon",
    "failoverd.cli.demo.demo_verb",
    "failoverd.cli.running",
    "failoverd.probes.http_check",
    "failoverd.providers.embedded",
    "failoverd.providers.rfc2136",
)
"""Loaded by a program when it is told to, or when a file names it: what most tests want."""

_NUMBER: Final = struct.Struct("=i")
"""What is told of a child: first its process id, at last how it ended, as `subprocess` says it."""

_STREAMS: Final = 3
_LARGEST: Final = 1 << 17
"""Bytes of a request: words and environment."""


class Forked:
    """As much as tests use of `asyncio.subprocess.Process`."""

    def __init__(
        self, pid: int, told: socket.socket, stdout: asyncio.StreamReader | None, stderr: asyncio.StreamReader | None
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ending = asyncio.create_task(self._end(told))

    async def wait(self) -> int:
        return await asyncio.shield(self._ending)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Nothing of a stream that is no pipe."""
        out, err, _ = await asyncio.gather(_all(self.stdout), _all(self.stderr), self.wait())
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def _end(self, told: socket.socket) -> int:
        with closing(told):
            self.returncode = await _number(told)
        return self.returncode


async def forked(  # noqa: PLR0913 - what a process has
    module: str,
    *words: str,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    limit: int = 1 << 16,
    largest_file: int = resource.RLIM_INFINITY,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keeper: int | None = None,
) -> Forked:
    """`python -m MODULE WORDS`, with streams, environment and folder as `asyncio.create_subprocess_exec` takes them.

    `limit` is that of a line that is read, `largest_file` that of a file which the process may write, in bytes. The
    process is in the network that `keeper` keeps (`support.networks`), with what is mounted there.
    """
    asked = {
        "module": module,
        "words": words,
        "environment": dict(os.environ if env is None else env),
        "folder": str(cwd or Path.cwd()),
        "largest_file": largest_file,
        "keeper": keeper,
    }
    told, theirs = socket.socketpair()
    told.setblocking(False)
    with ExitStack() as passed:
        passed.callback(theirs.close)
        given = [_given(place, stream, passed) for place, stream in enumerate((stdin, stdout))]
        given.append((given[1][0], None) if stderr == asyncio.subprocess.STDOUT else _given(2, stderr, passed))
        socket.send_fds(_server(), [json.dumps(asked).encode()], [theirs.fileno(), *(there for there, _ in given)])
    readers = [None if ours is None else await _reader(ours, limit) for _, ours in given]
    return Forked(await _number(told), told, *readers[1:])


def _given(place: int, stream: int | None, passed: ExitStack) -> tuple[int, int | None]:
    """The descriptor that the child gets, and the one from which what it writes there is read."""
    match stream:
        case None:
            return place, None
        case asyncio.subprocess.PIPE:
            ours, theirs = os.pipe()
            passed.callback(os.close, theirs)
            return theirs, ours
        case asyncio.subprocess.DEVNULL:
            theirs = os.open(os.devnull, os.O_RDWR)
            passed.callback(os.close, theirs)
            return theirs, None
        case _:
            return stream, None


async def _reader(descriptor: int, limit: int) -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit, loop)
    pipe = os.fdopen(descriptor, "rb", 0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
    return reader


async def _all(reader: asyncio.StreamReader | None) -> bytes:
    return b"" if reader is None else await reader.read()


async def _number(told: socket.socket) -> int:
    said = await asyncio.get_running_loop().sock_recv(told, _NUMBER.size)
    assert said, "the server that forks is gone: what it said last is among the errors of this run"
    (number,) = _NUMBER.unpack(said)
    return int(number)


def server() -> frozenset[int]:
    """Its process id, where there is one: a child of this process that no test has started."""
    return frozenset(_pids)


_pids: Final[set[int]] = set()


@cache
def _server() -> socket.socket:
    """Where it is asked. It ends with this process, or when this one closes its end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.forked", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    _pids.add(process.pid)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# -- in the server, and in its children --------------------------------------------------------------------------------


def _serve(requests: socket.socket) -> Mapping[str, Any]:
    """Returns in each child, with what it is to be."""
    for each in _LOADED:
        import_module(each)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread would be missing in every child"
    gc.collect()
    gc.freeze()
    while True:
        message, passed, _, _ = socket.recv_fds(requests, _LARGEST, 1 + _STREAMS)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _watched(json.loads(message), *passed)
        for descriptor in passed:
            os.close(descriptor)


def _watched(asked: Mapping[str, Any], told: int, *streams: int) -> Mapping[str, Any]:
    """A process for each child tells of it; returns in the child."""
    child = os.fork()
    if child == 0:
        os.close(told)
        _become(asked, streams)
        return asked
    for each in streams:
        os.close(each)
    with suppress(BrokenPipeError):
        os.write(told, _NUMBER.pack(child))
        _, status = os.waitpid(child, 0)
        os.write(told, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    for place, each in enumerate(streams):
        os.dup2(each, place)
        os.close(each)
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        server = getattr(sys, name)  # what it stands on may not be what the new one does: a pipe, a terminal, a file
        raw = os.fdopen(place, "wb" if place else "rb", closefd=False)
        line_buffering = name == "stderr" or raw.isatty()
        stream = io.TextIOWrapper(raw, server.encoding, server.errors, line_buffering=line_buffering)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    if asked["keeper"] is not None:
        enter(asked["keeper"])
    os.chdir(asked["folder"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest_file"], asked["largest_file"]))


if __name__ == "__main__":
    wanted = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1:] = wanted["words"]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
