"""What an error means: from what sockets, resolvers and TLS raise to the reason that a probe gives.

The line that matters most runs between FAIL and BLIND. An error that this host raises about itself (no descriptors, no
route, no resolver) says nothing about the endpoint. An error that came over the network does.
"""

import errno
import os
import socket
import ssl
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Concluded, Finding, Phase, printable

# -- time-outs ---------------------------------------------------------------------------------------------------------

_TIMED_OUT = {
    Phase.RESOLVE: (ProbeReason.RESOLVER_FAILED, "our resolver has not answered"),
    Phase.CONNECT: (ProbeReason.CONNECT_TIMEOUT, "no answer to the connection request"),
    Phase.TLS: (ProbeReason.TLS_TIMEOUT, "the TLS handshake is not finished"),
    Phase.FIRST_BYTE: (ProbeReason.RESPONSE_TIMEOUT, "not a byte of an answer"),
    Phase.ANSWER: (ProbeReason.RESPONSE_TIMEOUT, "the answer began and is not finished"),
}


def timed_out(phase: Phase, after: float) -> Finding:
    """The deadline passed in this phase, `after` seconds from the start of the probe."""
    reason, words = _TIMED_OUT[phase]
    return Finding(reason, f"{words} after {after:.3g}s")


# -- errors ------------------------------------------------------------------------------------------------------------

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})
_OURS = {
    errno.EMFILE: ProbeReason.NO_DESCRIPTORS,
    errno.ENFILE: ProbeReason.NO_DESCRIPTORS,
    errno.EADDRNOTAVAIL: ProbeReason.NO_ROUTE,
    errno.EAFNOSUPPORT: ProbeReason.NO_ROUTE,
    errno.ENETDOWN: ProbeReason.NO_ROUTE,
    errno.EPERM: ProbeReason.NO_ROUTE,  # a packet filter on this host
}
_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EHOSTDOWN, errno.ENONET, errno.ENOPROTOOPT}
)
"""What Linux makes of ICMP and ICMPv6 "destination unreachable", whatever its code; see `_has_route`."""


_CERTIFICATE_REFUSED: Final = frozenset(
    {
        "BAD_CERTIFICATE",
        "UNSUPPORTED_CERTIFICATE",
        "CERTIFICATE_REVOKED",
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_UNKNOWN",
        "CERTIFICATE_REQUIRED",
        "UNKNOWN_CA",
        "ACCESS_DENIED",
    }
)
"""Alerts by which a peer refuses a certificate (RFC 8446, 6.2), as OpenSSL names them behind a version."""


def explain(error: BaseException, phase: Phase, address: str = "", *, introduced: bool = False) -> Finding:
    """The finding that an error stands for.

    Args:
        error: what was raised, or handed to a protocol as the reason of a lost connection.
        phase: where the probe stood.
        address: the numeric address, when a connection to one was tried: the routing table is asked about it.
        introduced: whether TLS showed a certificate of ours, so that its refusal says nothing about the endpoint.
    """
    match error:
        case Concluded():
            return error.finding
        case socket.gaierror() | UnicodeError() if phase is Phase.RESOLVE:
            return _resolving(error)
        case ssl.SSLCertVerificationError():
            return Finding(ProbeReason.TLS_CERTIFICATE, printable(error.verify_message))
        case ssl.SSLError():
            return _tls(error, introduced=introduced)
        case OSError():
            return _system(error, phase, address)
        case _:
            return Finding(ProbeReason.PROBER_ERROR, printable(f"{type(error).__name__}: {error}"))


def _resolving(error: socket.gaierror | UnicodeError) -> Finding:
    if not _descriptors_left():
        return Finding(ProbeReason.NO_DESCRIPTORS, "no file descriptor left to ask the resolver with")
    if isinstance(error, UnicodeError):
        return Finding(ProbeReason.RESOLVE_FAILED, printable(f"not a host name: {error}"))
    words = printable(error.strerror or "")
    if error.errno in _NO_SUCH_NAME:
        return Finding(ProbeReason.RESOLVE_FAILED, words)
    return Finding(ProbeReason.RESOLVER_FAILED, words)


def _system(error: OSError, phase: Phase, address: str) -> Finding:
    words = os.strerror(error.errno) if error.errno else printable(str(error)) or "connection lost"
    if error.errno in _OURS:
        return Finding(_OURS[error.errno], words)
    if phase is Phase.RESOLVE:
        lacking = not _descriptors_left()  # modules of the C library's resolver make "busy" of it
        return Finding(ProbeReason.NO_DESCRIPTORS if lacking else ProbeReason.RESOLVER_FAILED, words)
    if error.errno in _UNREACHABLE:
        local = address and not _has_route(address)
        return Finding(ProbeReason.NO_ROUTE if local else ProbeReason.CONNECT_UNREACHABLE, words)
    if error.errno == errno.ETIMEDOUT:
        return Finding(_TIMED_OUT[phase][0], words)
    return _broken(error, phase, words)


def _broken(error: OSError, phase: Phase, words: str) -> Finding:
    """A reset before the first byte of an answer means that nobody was there to give one; later it cost the answer."""
    match error:
        case ConnectionError() if phase is Phase.TLS:
            return Finding(ProbeReason.TLS_FAILED, f"{words} during the handshake")
        case ConnectionRefusedError():
            return Finding(ProbeReason.CONNECT_REFUSED, words)
        case BrokenPipeError():
            return Finding(ProbeReason.SEND_FAILED, words)
        case ConnectionError() if phase is Phase.ANSWER:
            return Finding(ProbeReason.RESPONSE_CLOSED, f"{words} in the midst of the answer")
        case ConnectionError():
            return Finding(ProbeReason.CONNECT_RESET, words)
        case _:
            return Finding(ProbeReason.PROBER_ERROR, printable(f"{type(error).__name__}: {error}"))


def _tls(error: ssl.SSLError, *, introduced: bool) -> Finding:
    _, _, alert = (getattr(error, "reason", None) or "").partition("_ALERT_")
    if introduced and alert in _CERTIFICATE_REFUSED:
        return Finding(ProbeReason.CREDENTIAL_REFUSED, f"{_tls_words(error)}: it does not accept our certificate")
    return Finding(ProbeReason.TLS_FAILED, _tls_words(error))


def _tls_words(error: ssl.SSLError) -> str:
    reason = getattr(error, "reason", None)  # set by OpenSSL's own errors only
    words = printable((reason or str(error)).lower().replace("_", " "))
    return f"{words}: the port may not speak TLS" if reason == "WRONG_VERSION_NUMBER" else words


# -- is it us? ---------------------------------------------------------------------------------------------------------


def _descriptors_left() -> bool:
    """Whether a socket can be opened. Without one, the C library's resolver says that no name exists."""
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno not in _NO_DESCRIPTORS
    return True


def _has_route(address: str) -> bool:
    """Whether this host itself would know where to send a packet for `address`.

    `connect` reports "unreachable" with one and the same number for a missing local route and for an ICMP message from
    a router far away (RFC 1122, 4.2.3.9). Connecting a datagram socket looks the route up and sends nothing.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
