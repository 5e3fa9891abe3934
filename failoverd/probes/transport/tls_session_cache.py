"""TLS sessions that may be taken up again (RFC 8446, 2.2; RFC 5077).

A resumed handshake skips the certificate. So that one which expired or was replaced is noticed all the same, a session
is used only for so long after the full handshake that it comes from. It is used again and again until then, or until
the server does not take it any more: the newer one that each connection leaves behind is not worth having, because
taking it out of OpenSSL costs a quarter of a millisecond.
"""

import ssl
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from weakref import WeakKeyDictionary

from failoverd.probes.transport.protocol import TlsOptions

SocketAddress = tuple[str, int]
"""Address and port: servers of one name need not know each other's sessions."""


@dataclass(frozen=True, slots=True)
class KeptSession:
    """What a full handshake left behind.

    Attributes:
        session: may be taken up again.
        chain: the certificates that were verified then (DER): a resumed handshake verifies none.
        proved_at: when that was, by the monotonic clock.
    """

    session: ssl.SSLSession
    chain: tuple[bytes, ...]
    proved_at: float


class TlsSessionCache:
    """One session of each address, for as long as somebody holds the context that it belongs to."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[ssl.SSLContext, dict[tuple[str, SocketAddress], KeptSession]] = (
            WeakKeyDictionary()
        )

    def find(self, security: TlsOptions, remote: SocketAddress) -> KeptSession | None:
        kept = self._kept.get(security.context, {}).get((security.name, remote))
        if kept is None or monotonic() - kept.proved_at > security.resume:
            return None
        return kept

    def keep(
        self, security: TlsOptions, remote: SocketAddress, connection: ssl.SSLObject, chain: tuple[bytes, ...]
    ) -> None:
        """Remember what a full handshake led to, once nothing more is said over the connection."""
        if connection.session_reused:
            return
        with suppress(ssl.SSLError):  # it wants the peer's farewell, which nobody waits for
            connection.unwrap()  # a connection without our own farewell would spoil its session (OpenSSL)
        session = connection.session
        if session is None or not session.has_ticket:
            return
        self._kept.setdefault(security.context, {})[security.name, remote] = KeptSession(session, chain, monotonic())


session_cache = TlsSessionCache()
