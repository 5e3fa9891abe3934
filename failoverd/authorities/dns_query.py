"""One DNS question to one server: over UDP, and over TCP when the answer is truncated, lost or refused there.

The time-outs are our own, around everything: one of dnspython's can swallow a cancellation on Python 3.11.
"""

import asyncio
import os
import socket
from typing import Final

import dns.exception
import dns.flags
import dns.message

from failoverd.edns import EDNS_REFUSALS
from failoverd.settings import ServerAddress

UDP_TRIES: Final = 2
UDP_PATIENCE: Final = 1.0
"""Seconds that each datagram is waited for."""

TCP_PATIENCE: Final = 2.0
"""Seconds that a connection and the answer on it may take."""

UDP_PAYLOAD: Final = 1232
"""Bytes that pass without fragmentation nearly everywhere (DNS flag day 2020)."""

_MOST_DATAGRAM: Final = 65_535


class SilentError(Exception):
    """Nothing came back that could be an answer. Its text says what happened instead."""


class UnreachableError(Exception):
    """This host has no way to the server: no address of that family, no route, no socket left."""


async def send_query(query: dns.message.QueryMessage, server: ServerAddress) -> dns.message.Message:
    """The server's answer, whatever its response code is. One that does not know EDNS is asked again without it.

    Raises:
        SilentError: there is none.
        UnreachableError: the question could not even be sent.
    """
    answer = await _answer(query, server)
    if query.edns < 0 or answer.rcode() not in EDNS_REFUSALS:
        return answer
    (question,) = query.question
    plain = dns.message.make_query(question.name, question.rdtype, question.rdclass, flags=query.flags)
    return await _answer(plain, server)


async def _answer(query: dns.message.Message, server: ServerAddress) -> dns.message.Message:
    wire = query.to_wire()
    for _ in range(UDP_TRIES):
        try:
            async with asyncio.timeout(UDP_PATIENCE):
                answer = await _over_udp(query, wire, server)
        except TimeoutError:
            continue
        except OSError:
            break  # refused: TCP may be open all the same
        if not answer.flags & dns.flags.TC:
            return answer
        break
    return await _over_tcp(query, wire, server)


async def _over_udp(query: dns.message.Message, wire: bytes, server: ServerAddress) -> dns.message.Message:
    """The first datagram from the server that answers this question. Anything else that comes is passed over."""
    loop = asyncio.get_running_loop()
    with _connected(server) as sock:
        sock.send(wire)
        while True:
            answer = _parsed(query, await loop.sock_recv(sock, _MOST_DATAGRAM))
            if answer is not None:
                return answer


def _connected(server: ServerAddress) -> socket.socket:
    """A UDP socket that hears this server alone. Connecting it sends nothing, so what fails here fails on this host."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise UnreachableError(_reason(error)) from None
    try:
        sock.connect((server.address, server.port))
    except OSError as error:
        sock.close()
        raise UnreachableError(_reason(error)) from None
    return sock


async def _over_tcp(query: dns.message.Message, wire: bytes, server: ServerAddress) -> dns.message.Message:
    try:
        async with asyncio.timeout(TCP_PATIENCE):
            received = await _stream(wire, server)
    except TimeoutError:
        raise SilentError("it does not answer") from None
    except EOFError:
        raise SilentError("it closes the connection") from None
    except OSError as error:
        raise SilentError(_reason(error)) from None
    answer = _parsed(query, received)
    if answer is None:
        raise SilentError("what it sends is no answer in DNS")
    return answer


async def _stream(wire: bytes, server: ServerAddress) -> bytes:
    """One exchange on a connection of its own (RFC 7766)."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.transport.abort()


def _parsed(query: dns.message.Message, wire: bytes) -> dns.message.Message | None:
    """The message, if it is one and answers this very question."""
    try:
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    return answer if query.is_response(answer) else None


def _reason(error: OSError) -> str:
    """The system's own words: those of asyncio repeat the address."""
    return os.strerror(error.errno) if error.errno else str(error)
