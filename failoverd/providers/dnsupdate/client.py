"""Signed questions and updates over the wire.

Questions go over UDP, and over TCP when the answer is truncated, lost or refused there. They are signed like updates:
it proves that the answer comes from the server that will be written to (in BIND, keys also select the view), and a
wrong key or clock is found by the first dry run instead of during the first failover.

Updates go over TCP from the start. A lost datagram would make the outcome of an update unknown, and then it may not be
sent again; TCP resends what is lost, and says whether the request ever left.

What can write is a class of its own: a dry run holds a `Reader`, which has no way to send an update that changes
anything.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import dns.flags
import dns.message
import dns.name
import dns.rrset
import dns.tsig
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from failoverd.providers.dnsupdate.change import Change
from failoverd.providers.dnsupdate.errors import (
    Call,
    edge,
    not_authoritative,
    refusal,
    refuses_edns,
    verified,
)
from failoverd.providers.dnsupdate.transfer import transfer
from failoverd.providers.shared.refusals import another_zone
from failoverd.settings import ServerAddress

UDP_PAYLOAD = 1232
"""Octets that pass without fragmentation nearly everywhere."""

ABREAST = 64
"""Conversations with one server at the same time, and as many updates. The deadline of each begins with its turn.

All records are looked at in the same moment: a thousand at once would use up the sockets of the process, and wait for
each other past their deadlines.
"""

_MAX_DATAGRAM = 65_535
_FLAGS, _TRUNCATED = 2, 0x02
"""The octet of a DNS header with TC in it, and its bit (RFC 1035, 4.1.1)."""

_UDP_PATIENCE = 0.25
"""The part of the deadline after which a silent UDP exchange is given up for TCP."""


class Conversation:
    """Questions to one server within one deadline. Over TCP from the first one on that UDP could not answer."""

    def __init__(self, server: ServerAddress, key: dns.tsig.Key, call: Call, udp_patience: float) -> None:
        self._server = server
        self._key = key
        self._call = call
        self._udp_patience = udp_patience
        self._udp = True

    async def ask(self, name: dns.name.Name, record_type: RdataType, *, whole: bool = False) -> list[dns.rrset.RRset]:
        """The record sets that stand at the name itself, by the word of a server with authority over it.

        Below a DNAME it is that alone: nothing that stands there is ever answered (RFC 6672, 2.4). `whole` asks over
        TCP at once, for what servers shorten over UDP (RFC 8482).
        """
        request = dns.message.make_query(name, record_type, use_edns=0, payload=UDP_PAYLOAD, flags=0)
        received = await self._exchange(request, whole=whole)
        if refuses_edns(received):
            request = dns.message.make_query(name, record_type, flags=0)
            received = await self._exchange(request, whole=whole)
        answer = verified(received, request, self._call)
        refused = refusal(answer, self._call)
        if refused is not None:
            raise refused
        if not answer.flags & dns.flags.AA:
            raise not_authoritative(self._call)
        zone = _zone_of(answer)
        if zone is not None and zone != dns.name.from_text(self._call.zone):
            asked, found = (each.to_text(omit_final_dot=True) for each in (name, zone))
            raise another_zone(self._call, asked, found, f", and let the key {self._call.key} update it")
        above = [rrset for rrset in answer.answer if rrset.rdtype is RdataType.DNAME and hides(rrset.name, name)]
        return above or [rrset for rrset in answer.answer if rrset.name == name]

    async def is_unused(self, name: dns.name.Name) -> bool:
        """Whether no record stands at the name, whatever is answered for it: what a prerequisite finds there.

        An update with that prerequisite (RFC 2136, 2.4.5) and nothing to do. So it needs the right to update the zone.
        """
        call = replace(self._call, update=True, sent=False, about=name.to_text(omit_final_dot=True))
        request = Change(call.zone, ((name, RdataType.ANY),), (), (), ()).message(self._key)
        answer = verified(await over_tcp(self._server, request.to_wire(), self._call), request, call)
        if answer.rcode() == Rcode.YXDOMAIN:
            return False
        refused = refusal(answer, call)
        if refused is not None:
            raise refused
        return True

    async def _exchange(self, request: dns.message.Message, *, whole: bool) -> bytes:
        """The bytes that come back for a request, which is signed for it."""
        request.use_tsig(self._key)
        wire = request.to_wire()
        received = await self._over_udp(wire) if self._udp and not whole else None
        return await over_tcp(self._server, wire, self._call) if received is None else received

    async def transfer(self) -> list[dns.rrset.RRset]:
        """Every record of the zone at one moment, each in a set of its own."""
        return await transfer(self._server, self._key, self._call)

    async def _over_udp(self, wire: bytes) -> bytes | None:
        """The answer, or None when TCP has to be asked: truncated, silent, or refused on the way."""
        try:
            async with asyncio.timeout(self._udp_patience):
                received = await self._datagram(wire)
        except OSError:  # a time-out is one
            self._udp = False
            return None
        truncated = len(received) > _FLAGS and received[_FLAGS] & _TRUNCATED
        return None if truncated else received

    async def _datagram(self, wire: bytes) -> bytes:
        """The first datagram from the server that carries this request's id."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._server.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect((self._server.address, self._server.port))
            sock.send(wire)
            while True:
                received = await loop.sock_recv(sock, _MAX_DATAGRAM)
                if received[:2] == wire[:2]:
                    return received


class Reader:
    """Asks one server, signed. Every failure is one of the four kinds of provider error."""

    def __init__(self, server: ServerAddress, key: Callable[[], dns.tsig.Key], timeout: float) -> None:
        self._server = server
        self._key = key
        self._timeout = timeout
        self._turns = asyncio.Semaphore(ABREAST)

    @asynccontextmanager
    async def conversation(self, zone: str) -> AsyncIterator[Conversation]:
        """For as long as the context lasts, but never longer than the deadline."""
        key = self._key()
        call = Call(str(self._server), zone, _text(key))
        with edge(call):
            async with self._turns, asyncio.timeout(self._timeout):
                yield Conversation(self._server, key, call, self._timeout * _UDP_PATIENCE)


class Writer(Reader):
    """Also sends updates."""

    def __init__(self, server: ServerAddress, key: Callable[[], dns.tsig.Key], timeout: float) -> None:
        super().__init__(server, key, timeout)
        self._update_turns = asyncio.Semaphore(ABREAST)

    async def update(self, change: Change) -> None:
        """Send it once. Returning means that the server acknowledged it, signed."""
        key = self._key()
        call = Call(str(self._server), change.zone, _text(key), update=True)
        request = change.message(key)
        with edge(call):
            async with self._update_turns, asyncio.timeout(self._timeout):
                answer = verified(await over_tcp(self._server, request.to_wire(), call), request, call)
        refused = refusal(answer, call)
        if refused is not None:
            raise refused


async def over_tcp(server: ServerAddress, wire: bytes, call: Call) -> bytes:
    """One exchange on a connection of its own (RFC 7766)."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        call.sent = True
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()


def hides(dname: dns.name.Name, name: dns.name.Name) -> bool:
    """Whether a DNAME there answers for the name: for all below it, and not for its own (RFC 6672, 2.3)."""
    return name != dname and name.is_subdomain(dname)


def _zone_of(answer: dns.message.Message) -> dns.name.Name | None:
    """The zone that the server answers from, where that can be seen: the SOA beside "there is nothing" (RFC 2308, 3).

    A server looks for the closest zone that it has. So where it has `sub.example.com` as a zone of its own, that
    answers for the names below, with the same authority, and not the one that is updated.
    """
    said = answer.answer or answer.authority
    return next((rrset.name for rrset in said if rrset.rdtype is RdataType.SOA), None)


def _text(key: dns.tsig.Key) -> str:
    return key.name.to_text(omit_final_dot=True)
