"""A relay between one member and whom it asks, its name server and etcd, which strikes at one request of many.

    relay.strike("update", When.BEFORE, process.kill)
    await relay.struck(within=5.0)
    relay.release()

It stands in the member's own network, and names each request as a step of the member's work: `update`, `ask A`,
`kv/txn leader shared/states/api/`.

A request at which it strikes is either done and answered in that moment, and nobody hears the answer; or it is on its
way still, and comes when it is released, however late that is. What was sent before passes.
"""

import asyncio
import json
import socket
from base64 import b64decode
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

import dns.message
import dns.opcode
import dns.rdatatype
from support.accepting import accepted
from support.networks import Host
from support.proxies import message

_LARGEST: Final = 1 << 16
_PATIENCE: Final = 5.0
"""Seconds for what somebody else has to do on this machine."""

Address = tuple[str, int]
ReadRequest = Callable[[asyncio.StreamReader], Awaitable[bytes]]
NameStep = Callable[[bytes], str]


class When(StrEnum):
    BEFORE = "before it arrives"
    AFTER = "after it was answered"


@dataclass
class _Blow:
    """`at`: the number of a step, or its name."""

    at: int | str
    when: When
    strike: Callable[[], None]
    struck: asyncio.Future[str]
    released: asyncio.Event


@dataclass
class Relay:
    """In the network of one member. `steps` are those that it did since it was told to strike."""

    host: Host
    steps: list[str] = field(default_factory=list)
    _blow: _Blow | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _passing: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        await accepted()
        for each in self._passing:
            each.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    # -- where it is asked ---------------------------------------------------------------------------------------------

    async def name_server(self, port: int, to: Address) -> None:
        """A name server at that port of the member's loopback."""
        await self._streams(port, to, message, _framed_dns_step)
        door = self._door(socket.SOCK_DGRAM, port)
        self._goes_on(self._datagrams(door, to))

    async def etcd(self, port: int, to: Address) -> None:
        """An etcd at that port of the member's loopback."""
        await self._streams(port, to, _http_request, _etcd_step)

    def _door(self, kind: socket.SocketKind, port: int) -> socket.socket:
        door = self.host.opened(kind)
        door.setblocking(False)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        self._open.callback(door.close)
        return door

    # -- what is done to it --------------------------------------------------------------------------------------------

    def strike(self, at: int | str, when: When, strike: Callable[[], None]) -> None:
        """At the step of that number, the first one from now being 0, or at the first one of that name."""
        self.steps.clear()
        self._blow = _Blow(at, when, strike, asyncio.get_running_loop().create_future(), asyncio.Event())

    async def struck(self, within: float) -> str:
        """At which step it was."""
        assert self._blow is not None
        return await asyncio.wait_for(self._blow.struck, within)

    def release(self) -> None:
        """What was held arrives."""
        if self._blow is not None:
            self._blow.released.set()
            self._blow = None

    async def _pass(
        self, step: str, forward: Callable[[], Awaitable[None]], answered: Callable[[], Awaitable[None]]
    ) -> None:
        blow = self._due(step)
        if blow is None:
            await forward()
            return
        if blow.when is When.AFTER:
            await forward()
            async with asyncio.timeout(_PATIENCE):
                await answered()
        blow.strike()
        blow.struck.set_result(step)
        await blow.released.wait()
        if blow.when is When.BEFORE:
            await forward()

    def _due(self, step: str) -> _Blow | None:
        self.steps.append(step)
        blow = self._blow
        if blow is None or blow.struck.done():
            return None
        return blow if blow.at in {step, len(self.steps) - 1} else None

    # -- connections ---------------------------------------------------------------------------------------------------

    def _goes_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _streams(self, port: int, to: Address, read: ReadRequest, name: NameStep) -> None:
        async def relayed(asked: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError), closing(answers):
                await self._stream(asked, answers, to, read, name)

        def accept(asked: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
            self._goes_on(relayed(asked, answers))

        server = await asyncio.start_server(accept, sock=self._door(socket.SOCK_STREAM, port), limit=_LARGEST)
        self._open.callback(server.close)

    async def _stream(
        self, asked: asyncio.StreamReader, answers: asyncio.StreamWriter, to: Address, read: ReadRequest, name: NameStep
    ) -> None:
        request = await read(asked)
        there = self.host.opened()
        there.setblocking(False)
        with closing(there):
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(there, to), _PATIENCE)
            answered, sent = await asyncio.open_connection(sock=there, limit=_LARGEST)
            heard = asyncio.Event()
            back = asyncio.create_task(_copied(answered, answers, heard))
            try:
                while True:
                    heard.clear()

                    async def forward(said: bytes = request) -> None:
                        sent.write(said)
                        await sent.drain()

                    async def was_heard() -> None:
                        await heard.wait()

                    await self._pass(name(request), forward, was_heard)
                    request = await read(asked)
            finally:
                back.cancel()
                sent.close()

    async def _datagrams(self, door: socket.socket, to: Address) -> None:
        loop = asyncio.get_running_loop()
        while True:
            request, who = await loop.sock_recvfrom(door, _LARGEST)
            self._goes_on(self._datagram(door, request, who, to))

    async def _datagram(self, door: socket.socket, request: bytes, who: Any, to: Address) -> None:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        there = self.host.opened(socket.SOCK_DGRAM)
        there.setblocking(False)
        with closing(there), suppress(OSError, TimeoutError):
            there.connect(to)

            async def forward() -> None:
                await loop.sock_sendall(there, request)
                answer = await asyncio.wait_for(loop.sock_recv(there, _LARGEST), _PATIENCE)
                await loop.sock_sendto(door, answer, who)

            async def was_heard() -> None:
                """It was, when it was forwarded."""

            await self._pass(_dns_step(request), forward, was_heard)


async def _copied(answered: asyncio.StreamReader, answers: asyncio.StreamWriter, heard: asyncio.Event) -> None:
    with suppress(OSError), closing(answers):
        while said := await answered.read(_LARGEST):
            heard.set()
            answers.write(said)
            await answers.drain()


# -- what is asked -----------------------------------------------------------------------------------------------------


def _dns_step(request: bytes) -> str:
    asked = dns.message.from_wire(request, keyring=False)
    if asked.opcode() == dns.opcode.UPDATE:
        return "update"
    return f"ask {dns.rdatatype.to_text(asked.question[0].rdtype)}"


def _framed_dns_step(request: bytes) -> str:
    return _dns_step(request[2:])


async def _http_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readline()
        return head + body
    return head + await reader.readexactly(int(fields.get(b"content-length", 0)))


def _etcd_step(request: bytes) -> str:
    head, _, body = request.partition(b"\r\n\r\n")
    call = head.split(b" ", 2)[1].decode().removeprefix("/v3/")
    keys = sorted(
        {b64decode(each).decode() for each in _keys(json.loads(body[body.index(b"{") : body.rindex(b"}") + 1]))}
    )
    return " ".join([call, *(each.split("/", 3)[-1] for each in keys)])


def _keys(said: object) -> Iterator[str]:
    if isinstance(said, dict):
        for name, value in said.items():
            if name == "key":
                yield value
            else:
                yield from _keys(value)
    elif isinstance(said, list):
        for each in said:
            yield from _keys(each)
