"""DNS messages to and from one server, read off the loopback device: nothing is in the way of what is measured.

Needs a network namespace of one's own, in which one may listen to everything.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dns.opcode

_ETH_P_ALL = 3  # linux/if_ether.h
_OUTGOING = 4  # linux/if_packet.h: on loopback every packet is seen twice, going out and coming in
_BUFFER = 64 * 1024 * 1024
_MOST = 65_535
_DNS_HEADER = 12
_UDP, _TCP = 17, 6

OURSELVES = "127.86.0.9"
"""The address from which the benchmark itself asks: not listened to."""

_SILENCED = socket.inet_aton(OURSELVES)


@dataclass(frozen=True)
class Heard:
    """One message. `asked` tells questions and updates from the answers to them; `at` is in monotonic seconds."""

    at: float
    asked: bool
    update: bool
    rcode: int


class Listener:
    """What passes a port. `heard` grows."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: list[Heard] = []
        self._updates: set[bytes] = set()  # ids of those that were not answered yet

    def take(self, packet: bytes) -> None:
        """One IP packet."""
        payload = _payload(packet, self.port)
        if payload is None or len(payload[1]) < _DNS_HEADER:
            return
        asked, message = payload
        update = (message[2] >> 3) & 0xF == dns.opcode.UPDATE
        if update and asked:
            self._updates.add(message[:2])
        elif update and message[:2] not in self._updates:
            return  # the middle of a transfer, which looks like anything
        elif update:
            self._updates.discard(message[:2])
        self.heard.append(Heard(time.monotonic(), asked, update, message[3] & 0xF))


@contextmanager
def listening(port: int) -> Iterator[Listener]:
    """A listener at a DNS server's port, for as long as the context lasts."""
    listener, ended = Listener(port), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        tap.bind(("lo", _ETH_P_ALL))
        tap.settimeout(0.2)
        thread = threading.Thread(target=_listen, args=(tap, listener, ended), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            ended.set()
            thread.join()


def _listen(tap: socket.socket, listener: Listener, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            packet, where = tap.recvfrom(_MOST)
        except TimeoutError:
            continue
        if where[2] == _OUTGOING:
            listener.take(packet)


def _payload(packet: bytes, port: int) -> tuple[bool, bytes] | None:
    """Whether it goes to the port, and the DNS message in it; None when it has none, or does not concern the port.

    Every message fits into one segment: the loopback device takes 65,536 octets at once.
    """
    if packet[0] >> 4 != 4 or _SILENCED in (packet[12:16], packet[16:20]):  # noqa: PLR2004 - IP version 4, which the benchmark speaks
        return None
    start = (packet[0] & 0xF) * 4
    source, target = (
        int.from_bytes(packet[start : start + 2], "big"),
        int.from_bytes(packet[start + 2 : start + 4], "big"),
    )
    if port not in {source, target}:
        return None
    if packet[9] == _UDP:
        return target == port, packet[start + 8 :]
    if packet[9] != _TCP:
        return None
    body = packet[start + (packet[start + 12] >> 4) * 4 : int.from_bytes(packet[2:4], "big")]
    return target == port, body[2:]
