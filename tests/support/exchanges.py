"""Protocols without a network: what arrives is bytes in a list.

assert heard(Http1Exchange(b"asked", judge), [b"HTTP/1.1 200 OK\\r\\n\\r\\n"]).reason is ProbeReason.OK
"""

from collections.abc import Iterable
from itertools import pairwise

from failoverd.probes.findings import Finding, Phase
from failoverd.probes.transport.protocol import ClientProtocol


class Silence:
    """A connection over which nothing has come yet, and on which nobody looks at what is sent.

    Attributes:
        phases: those that the protocol began.
        sent: what it said.
    """

    def __init__(self, *, spoken_to: bool = False, alpn: str | None = None) -> None:
        self._spoken_to = spoken_to
        self._alpn = alpn
        self.phases: list[Phase] = []
        self.sent = b""

    def send(self, data: bytes) -> None:
        self.sent += data

    def enter(self, phase: Phase) -> None:
        self.phases.append(phase)

    def peer_spoke_first(self) -> bool:
        return self._spoken_to

    def certificates(self) -> tuple[bytes, ...]:
        return ()

    def alpn(self) -> str | None:
        return self._alpn


def heard(protocol: ClientProtocol, parts: Iterable[bytes], transport: Silence | None = None) -> Finding:
    """What a protocol comes to when an answer arrives in these parts, and then the connection ends."""
    found = protocol.opened(transport or Silence())
    if found is not None:
        return found
    for part in filter(None, parts):
        found = protocol.received(part)
        if found is not None:
            return found
    return protocol.ended()


def in_pieces(sent: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The bytes, cut at these places, each taken modulo their number."""
    places = [0, *sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]
    return [sent[start:end] for start, end in pairwise(places)]
