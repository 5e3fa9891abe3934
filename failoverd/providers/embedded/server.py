"""The transport of the embedded server: UDP and TCP on one address (RFC 7766), for as long as a context lasts.

UDP costs no task: a datagram is answered where it arrives, and when the kernel takes no more, answers are dropped
instead of kept. Each network of clients gets so many answers a second (`rate_limit`). TCP costs one task per connection
and never more than `ServerLimits.connections`: when they are all taken, the one that has been silent longest makes
room, so that idlers cannot lock anybody out. Each query has `ServerLimits.patience` to arrive and its answer to leave,
whatever the pace of the bytes; and a client that sends many queries at once gets one answer per turn of the event loop,
so that the rest of the process goes on.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from dns.rcode import Rcode

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.providers.embedded.answering import MAX_QUERY, Transport, bare, truncated
from failoverd.providers.embedded.rate_limit import RateVerdict, ResponseRateLimit

Answer = Callable[[bytes, Transport], bytes | None]
"""The answer to one message, or None for silence."""

_PORT_TRIES = 16
_BACKLOG = 128
_HEADER_SIZE = 12
_RECEIVE_BUFFER = 1 << 20
"""Bytes of queries that the kernel keeps while the loop is busy, or as many as it allows: a flood lasts no longer."""

_SEND_BUFFER = 65_536
"""Bytes that the kernel keeps for a client that does not read: one message of any size, not megabytes."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What clients may take.

    Attributes:
        connections: at the same time.
        patience: seconds that one query may take from the last answer to its own, over TCP.
        responses: answers a second over UDP, for each network of clients; 0 is as many as they ask for.
    """

    connections: int = 128
    patience: float = 10.0
    responses: float = 0


@asynccontextmanager
async def serve(
    host: str, port: int, answer: Answer, limits: ServerLimits | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Answer DNS messages on `host` until the context ends; gives the address bound, with the port if `port` is 0.

    Raises Transient when the address is taken, and Permanent when this process may not have it.
    """
    tcp, udp = _bind(host, port)
    address = (host, tcp.getsockname()[1])
    loop = asyncio.get_running_loop()
    guarded, limits = _guarded(answer, loop), limits or ServerLimits()
    conversations = _Conversations(guarded, limits)
    rate_limit = ResponseRateLimit(limits.responses, loop.time)
    transport, datagrams = await loop.create_datagram_endpoint(lambda: _Datagrams(guarded, rate_limit), sock=udp)
    server = await asyncio.start_server(conversations.hold, sock=tcp, limit=MAX_QUERY, backlog=_BACKLOG)
    try:
        yield address
    finally:
        server.close()
        transport.close()
        await conversations.end()
        await server.wait_closed()
        await datagrams.closed.wait()


def _guarded(answer: Answer, loop: asyncio.AbstractEventLoop) -> Answer:
    """A defect of ours costs the one query that found it, which gets SERVFAIL, and is told to the loop's handler."""

    def guarded(wire: bytes, transport: Transport) -> bytes | None:
        try:
            return answer(wire, transport)
        except Exception as defect:  # noqa: BLE001 - whatever it is, it is a defect: inputs are answered, not raised
            loop.call_exception_handler({"message": "a DNS query could not be answered", "exception": defect})
            return bare(wire, Rcode.SERVFAIL) if len(wire) >= _HEADER_SIZE else None

    return guarded


# -- UDP ---------------------------------------------------------------------------------------------------------------


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer, rate_limit: ResponseRateLimit) -> None:
        self.closed = asyncio.Event()
        self._answer = answer
        self._rate_limit = rate_limit
        self._transport: asyncio.DatagramTransport | None = None
        self._congested = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        nowhere = addr[1] == 0  # a forged source that cannot be answered
        if self._transport is None or self._congested or nowhere:
            return
        verdict = self._rate_limit.verdict(addr[0])
        if verdict is RateVerdict.DROP:
            return
        reply = self._answer(data, Transport.UDP) if verdict is RateVerdict.ANSWER else truncated(data)
        if reply is not None:
            self._transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        """A client that went away, or cannot be reached: it will ask again if it still wants to know."""

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the transport is gone either way
        self._transport = None
        self.closed.set()


# -- TCP ---------------------------------------------------------------------------------------------------------------


class _Conversations:
    """The open TCP connections, in the order in which they last asked something."""

    def __init__(self, answer: Answer, limits: ServerLimits) -> None:
        self._answer = answer
        self._limits = limits
        self._open: dict[asyncio.Task[None], None] = {}
        self._ended = False

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's queries in order until it ends, idles, or sends what deserves no answer."""
        task = asyncio.current_task()
        if task is None or self._ended:  # accepted in the moment in which the server closed
            writer.transport.abort()
            return
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() waits until the kernel has taken everything
        self._make_room()
        try:
            going = True
            while going:
                self._open[task] = self._open.pop(task, None)
                async with asyncio.timeout(self._limits.patience):
                    going = await self._exchange(reader, writer)
                await asyncio.sleep(0)
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return  # the client idled, left, or reads too slowly: nothing is owed to it
        except asyncio.CancelledError:
            return  # made room for another one, or the server ends: this task is all that there is to cancel
        finally:
            self._open.pop(task, None)
            writer.transport.abort()

    async def end(self) -> None:
        """Close every connection, and return when all are gone."""
        self._ended = True
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_room(self) -> None:
        if len(self._open) < self._limits.connections:
            return
        longest_silent = next(iter(self._open))
        del self._open[longest_silent]
        longest_silent.cancel()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one query and answer it; whether the connection may go on."""
        length = int.from_bytes(await reader.readexactly(2), "big")
        reply = self._answer(await reader.readexactly(length), Transport.TCP)
        if reply is None:
            return False
        writer.write(len(reply).to_bytes(2, "big") + reply)
        await writer.drain()
        return True


# -- binding -----------------------------------------------------------------------------------------------------------


def _bind(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on the same port; port 0 looks for one that is free for both."""
    tries = _PORT_TRIES if port == 0 else 1
    while True:
        tries -= 1
        try:
            return _bind_both(host, port)
        except OSError as error:
            if tries == 0 or error.errno != errno.EADDRINUSE:
                raise _bind_error(error, host, port) from error


def _bind_both(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    tcp = _socket(host, port, socket.SOCK_STREAM)
    try:
        return tcp, _socket(host, tcp.getsockname()[1], socket.SOCK_DGRAM)
    except OSError:
        tcp.close()
        raise


def _socket(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if kind is socket.SOCK_DGRAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        if kind is socket.SOCK_STREAM:
            bound.listen(_BACKLOG)  # here, because only now is it known that nobody else has the address
    except OSError:
        bound.close()
        raise
    return bound


def _bind_error(error: OSError, host: str, port: int) -> ProviderError:
    detail = f"the embedded DNS server cannot listen on {host} port {port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        remedy = "stop what listens there (ss -lunp shows it), or change `listen`"
        return Transient(detail, reason="address_in_use", remedy=remedy)
    if error.errno in {errno.EACCES, errno.EPERM}:
        remedy = "use a port above 1023, or give the process CAP_NET_BIND_SERVICE"
        return Permanent(detail, reason="address_forbidden", remedy=remedy)
    return Permanent(detail, reason="address_unavailable", remedy="use an address of this machine in `listen`")
