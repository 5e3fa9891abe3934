"""Asking authoritative servers for one name, often enough to see the moment in which their answer changes.

Plain UDP queries, one socket per server, all in one loop. Nothing is cached on the way.
"""

import secrets
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache

import dns.exception
import dns.message
import dns.rdatatype
import dns.rrset

Addresses = tuple[str, ...]


@dataclass
class Sighting:
    """When one server was seen to give the awaited answer. Monotonic seconds.

    The change itself lies between `last_other`, when the last query was sent that was answered otherwise, and `at`,
    when the awaited answer arrived. `others` are the answers that were seen before.
    """

    at: float = 0.0
    last_other: float | None = None
    others: set[Addresses] = field(default_factory=set)


@dataclass
class _Asked:
    """One server: its connected socket, and what it was asked and has not answered, by query id."""

    name: str
    socket: socket.socket
    sent: dict[int, float] = field(default_factory=dict)
    sighting: Sighting = field(default_factory=Sighting)


class Poller:
    """Polls every server at once. Make it with `polling`."""

    def __init__(self, record: str, sockets: Mapping[str, socket.socket]) -> None:
        self._question = dns.message.make_query(record, dns.rdatatype.A).to_wire()[2:]
        self._servers = [_Asked(name, opened) for name, opened in sockets.items()]

    def watch(self, want: str, *, every: float, within: float) -> dict[str, Sighting]:
        """Ask every server every `every` seconds until each has answered with the address `want` and nothing else.

        Raises TimeoutError, which names the servers that have not, after `within` seconds.
        """
        deadline = time.monotonic() + within
        for server in self._servers:
            server.sent.clear()
            server.sighting = Sighting()
        pending = {server.name: server for server in self._servers}
        with selectors.DefaultSelector() as selector:
            for server in self._servers:
                selector.register(server.socket, selectors.EVENT_READ, server)
            due = time.monotonic()
            while pending:
                if (now := time.monotonic()) >= deadline:
                    seen = {name: sorted(server.sighting.others) for name, server in pending.items()}
                    raise TimeoutError(f"no answer {want} within {within:g}s; answers seen instead: {seen}")
                if now >= due:
                    for server in pending.values():
                        self._ask(server)
                    due = max(due + every, now)
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    if _hear(key.data, want):
                        pending.pop(key.data.name, None)
        return {server.name: server.sighting for server in self._servers}

    def _ask(self, server: _Asked) -> None:
        number = secrets.randbits(16)
        server.sent[number] = time.monotonic()
        with suppress(ConnectionRefusedError):  # nobody listens yet; the deadline speaks if that stays so
            server.socket.send(number.to_bytes(2, "big") + self._question)


@contextmanager
def polling(record: str, servers: Mapping[str, int]) -> Iterator[Poller]:
    """A poller of `servers`, ports on 127.0.0.1 by name, for as long as the context lasts."""
    sockets = {name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for name in servers}
    try:
        for name, opened in sockets.items():
            opened.setblocking(False)
            opened.connect(("127.0.0.1", servers[name]))
        yield Poller(record, sockets)
    finally:
        for opened in sockets.values():
            opened.close()


def _hear(server: _Asked, want: str) -> bool:
    """Take one answer in. Whether it is the awaited one."""
    try:
        wire = server.socket.recv(4096)
    except (BlockingIOError, ConnectionRefusedError):
        return False
    arrived = time.monotonic()
    sent = server.sent.pop(int.from_bytes(wire[:2], "big"), None)
    if sent is None:
        return False  # the answer to a query of an earlier watch
    addresses = _addresses(wire[2:])
    if addresses == (want,):
        server.sighting.at = arrived
        return True
    server.sighting.others.add(addresses)
    server.sighting.last_other = max(sent, server.sighting.last_other or sent)
    return False


@lru_cache(maxsize=64)
def _addresses(wire: bytes) -> Addresses:
    """The addresses in an answer, without its id. Cached: between changes every answer is the same."""
    try:
        answer = dns.message.from_wire(b"\0\0" + wire)
    except dns.exception.DNSException as error:
        return (f"unreadable: {error}",)
    return tuple(sorted(data.to_text() for found in answer.answer for data in found))
