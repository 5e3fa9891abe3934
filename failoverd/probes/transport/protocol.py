"""What is said over a connection, apart from how it is carried.

A protocol is handed what arrives and says when it has heard enough. It opens no socket, knows no event loop and
never waits, so it can be tested with bytes alone; `stream_transport` carries it.
"""

import socket
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from failoverd.probes.findings import Finding, Phase


class ClientTransport(Protocol):
    """What a protocol can do with the connection that carries it."""

    def send(self, data: bytes) -> None:
        """Send this after everything that was sent before. Never blocks; what does not fit waits."""

    def enter(self, phase: Phase) -> None:
        """Begin a phase: the one before it was completed."""

    def peer_spoke_first(self) -> bool:
        """Whether the peer has said something already, before the first word of a protocol that speaks first."""

    def certificates(self) -> tuple[bytes, ...]:
        """The chain that proved the peer (DER), from its own certificate to the authority; empty without TLS."""

    def alpn(self) -> str | None:
        """The application protocol that TLS agreed on (RFC 7301); None when there is none."""


class ClientProtocol(Protocol):
    """One exchange with a peer. Each method may return a finding, which ends it."""

    def opened(self, transport: ClientTransport) -> Finding | None:
        """The connection stands, and with TLS the peer has proved itself. Send the first words, if they are ours."""

    def received(self, data: bytes) -> Finding | None:
        """Some bytes arrived, never none. The phase FIRST_BYTE has ended already when the first ones do."""

    def ended(self) -> Finding:
        """The peer closed its side in order; nothing more will arrive."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a connection is secured: whom to trust, the name to ask for and to verify (RFC 6066, 3; RFC 9525).

    `resume` is for how many seconds a TLS session may be taken up again before a full handshake proves the peer anew.
    `introduces`: the context shows a certificate of ours to who asks, so a refusal of certificates is about that.
    """

    context: ssl.SSLContext
    name: str
    resume: float = 0.0
    introduces: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an exchange takes place. `host` is an address, or a name that is resolved first.

    `speaks_first`: the protocol sends something at its opening, which saves a packet. TLS always does.
    """

    host: str
    port: int
    security: TlsOptions | None = None
    speaks_first: bool = False
    numeric: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numeric", is_address(self.host))


def is_address(host: str) -> bool:
    """Whether this is an address already, in text form."""
    if ":" in host:
        return True
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True
