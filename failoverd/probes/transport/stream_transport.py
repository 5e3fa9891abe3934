"""One TCP connection, with TLS if need be, that carries one exchange.

It connects, with TLS it shakes hands, and then the protocol has it; it moves on whenever its socket may have become
ready. This is the path that every probe takes, so it is short and makes little.
"""

import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, Phase
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.protocol import ClientProtocol, Destination, TlsOptions
from failoverd.probes.transport.reactor import Reactor
from failoverd.probes.transport.tls_session_cache import SocketAddress, session_cache
from failoverd.probes.transport.verified_chain import verified_chain

_READ: Final = 16_384
_STREAM: Final = int(socket.SOCK_STREAM) | int(socket.SOCK_NONBLOCK)
_MOST_HANDSHAKE: Final = 256 * 1024
"""Bytes that a peer may send before its handshake is done: certificates are long, but not that long."""

_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS})

_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
_CLOSING: Final = _BROKEN | select.EPOLLRDHUP
_HEARD: Final = _CLOSING | select.EPOLLIN


class TransportOwner(Protocol):
    """Whom a transport tells how it gets on."""

    @property
    def phase(self) -> Phase: ...

    def enter(self, phase: Phase) -> None: ...

    def conclude(self, finding: Finding) -> None:
        """The exchange is over, or never began; called once, and the transport is closed already."""


def new_transport(
    owner: TransportOwner,
    reactor: Reactor,
    protocol: ClientProtocol,
    destination: Destination,
    connected: Callable[[], None] | None = None,
) -> "TcpTransport":
    """A transport to a destination, not connected yet. `connected` is called when the TCP connection stands."""
    if destination.security is None:
        return TcpTransport(owner, reactor, protocol, connected, speaks_first=destination.speaks_first)
    return TlsTransport(owner, reactor, protocol, destination.security, connected)


class TcpTransport:
    """A TCP connection on its way, or standing. `ClientTransport` for its protocol, `SocketListener` for the reactor.

    Where the protocol speaks first, its first words go out together with the last acknowledgement of the TCP
    handshake, which spares both ends a packet. The connection is closed in order, not reset, which would be cheaper:
    servers would log errors about their prober.
    """

    __slots__ = (
        "_address",
        "_connected",
        "_introduces",
        "_outbox",
        "_owner",
        "_protocol",
        "_reactor",
        "_socket",
        "_speaks_first",
        "_spoken_to",
        "_stands",
    )

    def __init__(
        self,
        owner: TransportOwner,
        reactor: Reactor,
        protocol: ClientProtocol,
        connected: Callable[[], None] | None = None,
        *,
        speaks_first: bool = False,
    ) -> None:
        self._owner: TransportOwner | None = owner
        self._reactor = reactor
        self._protocol = protocol
        self._connected = connected
        self._socket: socket.socket | None = None
        self._speaks_first = speaks_first
        self._stands = False
        self._spoken_to = False
        self._outbox = b""
        self._address = ""
        self._introduces = False

    # -- its life ------------------------------------------------------------------------------------------------------

    def connect(self, address: str, port: int) -> None:
        """Begin to connect. Raises OSError when this fails at once; then the owner is not told."""
        self._address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = opened = socket.socket(family, _STREAM)
        if self._speaks_first:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        code = opened.connect_ex((address, port))
        if code not in _UNDER_WAY:
            self.close()
            raise OSError(code, "connect")
        self._reactor.watch(opened.fileno(), self)

    def close(self) -> None:
        """Give up the socket and forget everybody. What is still under way in either direction is not waited for."""
        opened = self._socket
        if opened is not None:
            self._socket = self._owner = self._connected = None
            self._reactor.forget(opened.fileno())
            opened.close()

    def look(self) -> None:
        """Go on with what the socket has by now, without waiting to be told of it."""
        if self._socket is not None:
            self._reactor.look(self._socket.fileno())

    def ready(self, events: int) -> None:
        """Go on as far as the socket lets us."""
        opened, owner = self._socket, self._owner
        if opened is None or owner is None:
            return
        finding = None
        try:
            if not self._stands:
                finding = self._stand(opened, owner, events)
            elif self._outbox:
                self._push(opened)
            if finding is None and events & _HEARD:
                finding = self._listen(opened, owner, events)
        except BlockingIOError:
            return  # there is nothing more for now
        except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
            finding = explain(error, owner.phase, self._address, introduced=self._introduces)
        if finding is not None:
            self.close()
            owner.conclude(finding)

    def _stand(self, opened: socket.socket, owner: TransportOwner, events: int) -> Finding | None:
        """The connection stands, or failed. Whoever begins to talk over it does so now."""
        if events & _BROKEN:
            code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "connect")
        self._stands = True
        self._spoken_to = bool(events & select.EPOLLIN) and _is_spoken_to(opened)
        if self._connected is not None:
            self._connected()
        return self._begin(opened, owner)

    def _begin(self, opened: socket.socket, owner: TransportOwner) -> Finding | None:  # noqa: ARG002 - what the TLS one needs
        owner.enter(Phase.FIRST_BYTE)
        return self._protocol.opened(self)

    # -- receiving -----------------------------------------------------------------------------------------------------

    def _listen(self, opened: socket.socket, owner: TransportOwner, events: int) -> Finding | None:
        """Take in what is there."""
        while True:
            data = opened.recv(_READ)
            finding = self._take(data, owner)
            if finding is not None:
                return finding
            if len(data) < _READ and not events & _CLOSING:
                return None  # that was all of it: what comes later is an event of its own

    def _take(self, data: bytes, owner: TransportOwner) -> Finding | None:
        if not data:
            return self._protocol.ended()
        if owner.phase is Phase.FIRST_BYTE:
            owner.enter(Phase.ANSWER)
        return self._protocol.received(data)

    # -- sending: what a protocol may do (`ClientTransport`) -----------------------------------------------------------

    def send(self, data: bytes) -> None:
        waiting = bool(self._outbox)
        self._outbox += data
        if not waiting and self._socket is not None:
            self._push(self._socket)

    def enter(self, phase: Phase) -> None:
        if self._owner is not None:
            self._owner.enter(phase)

    def peer_spoke_first(self) -> bool:
        return self._spoken_to

    def certificates(self) -> tuple[bytes, ...]:
        return ()

    def alpn(self) -> str | None:
        return None

    def _push(self, opened: socket.socket) -> None:
        """Send as much as the socket takes; the rest goes when it says that it is ready."""
        try:
            sent = opened.send(self._outbox)
        except BlockingIOError:
            return
        self._outbox = self._outbox[sent:]


def _is_spoken_to(opened: socket.socket) -> bool:
    """Whether there is something to read, and not the end."""
    try:
        return bool(opened.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


class TlsTransport(TcpTransport):
    """A connection with TLS over two buffers in memory: what came in from the socket, and what has to go out to it.

    One read of the socket takes in a whole flight of records, and a peer that sends handshake messages without end
    costs no more than any other that talks too much.
    """

    __slots__ = ("_chain", "_early", "_heard", "_incoming", "_kept_chain", "_outgoing", "_remote", "_security", "_tls")

    def __init__(
        self,
        owner: TransportOwner,
        reactor: Reactor,
        protocol: ClientProtocol,
        security: TlsOptions,
        connected: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(owner, reactor, protocol, connected, speaks_first=True)
        self._security = security
        self._introduces = security.introduces
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._early: bytes | None = None  # plain text that came together with the end of the handshake
        self._chain: tuple[bytes, ...] = ()
        self._kept_chain: tuple[bytes, ...] = ()  # of the handshake whose session may be taken up again
        self._remote: SocketAddress = ("", 0)
        self._heard = 0

    def connect(self, address: str, port: int) -> None:
        self._remote = (address, port)
        super().connect(address, port)

    def close(self) -> None:
        if self._socket is not None and self._tls is not None and self._security.resume:
            session_cache.keep(self._security, self._remote, self._tls, self._chain)
        super().close()

    def _begin(self, opened: socket.socket, owner: TransportOwner) -> Finding | None:
        owner.enter(Phase.TLS)
        security = self._security
        kept = session_cache.find(security, self._remote) if security.resume else None
        self._tls = security.context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=security.name, session=kept.session if kept else None
        )
        self._kept_chain = kept.chain if kept else ()
        return self._shake_hands(self._tls, opened, owner)

    def _shake_hands(self, tls: ssl.SSLObject, opened: socket.socket, owner: TransportOwner) -> Finding | None:
        """One step of the handshake; when that was the last one, the protocol is opened."""
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush(opened)
            return None if self._heard <= _MOST_HANDSHAKE else Finding(ProbeReason.TLS_FAILED, "it has no end")
        self._chain = self._kept_chain if tls.session_reused else verified_chain(tls)
        self._early = _read(tls) if self._incoming.pending else None
        self._spoken_to = bool(self._early)
        self._flush(opened)
        return super()._begin(opened, owner)

    def _take(self, data: bytes, owner: TransportOwner) -> Finding | None:
        opened, tls = self._socket, self._tls
        if opened is None or tls is None:
            return None
        if data:
            self._heard += len(data)
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if owner.phase is Phase.TLS:
            if not data:
                return Finding(ProbeReason.TLS_FAILED, "the connection was closed during the handshake")
            finding = self._shake_hands(tls, opened, owner)
            if finding is not None or owner.phase is Phase.TLS:
                return finding
        plain, self._early = self._early or _read(tls), None
        while plain is not None:
            finding = super()._take(plain, owner)
            if finding is not None or not plain:
                return finding
            plain = _read(tls)
        self._flush(opened)  # what TLS itself has to say
        return None

    def send(self, data: bytes) -> None:
        if self._tls is not None and self._socket is not None:
            self._tls.write(data)
            self._flush(self._socket)

    def _flush(self, opened: socket.socket) -> None:
        """What TLS has put ready goes out."""
        if self._outgoing.pending:
            self._outbox += self._outgoing.read()
            self._push(opened)

    def certificates(self) -> tuple[bytes, ...]:
        return self._chain

    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol() if self._tls is not None else None


def _read(tls: ssl.SSLObject) -> bytes | None:
    """Some plain text, nothing when the peer closed its side, None when more has to arrive first."""
    try:
        return tls.read(_READ)
    except ssl.SSLWantReadError:
        return None
    except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
        return b""
