"""How long certificates are still valid, read from their DER form (RFC 5280, 4.1; X.690).

By the time that it is asked, OpenSSL has verified the chain and the name. The first certificate of the chain that
expires ends it, whichever that is: clients refuse a good one below an intermediate that expired. Python hands out the
parts of a verified certificate only as a whole dictionary, at a cost of tens of microseconds; the one date takes a
short walk.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.transport.protocol import ClientProtocol, ClientTransport

_DAY: Final = 86_400.0

_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_LONG: Final = 0x80
_MOST_LENGTH_BYTES: Final = 3
_SLIDING: Final = 50
"""Years written with two digits are of this century below this, of the last one from it on (RFC 5280, 4.1.2.5.1)."""


@lru_cache(maxsize=4_096)
def not_after(der: bytes) -> float:
    """The last second that a certificate is valid, since the epoch. Raises ValueError when this is no certificate."""
    certificate, _ = _enter(der, 0, _SEQUENCE)
    start, _ = _enter(der, certificate, _SEQUENCE)
    if der[start : start + 1] == bytes([_VERSION]):
        start = _skip(der, start)
    for _ in range(3):  # serial number, signature algorithm, issuer
        start = _skip(der, start)
    validity, _ = _enter(der, start, _SEQUENCE)
    return _time(der, _skip(der, validity))


def _header(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag at a place, where its content begins, and where that ends."""
    if at + 2 > len(der):
        raise ValueError("it ends too early")
    tag, length, start = der[at], der[at + 1], at + 2
    if length & _LONG:
        count = length & ~_LONG
        if not 1 <= count <= _MOST_LENGTH_BYTES:
            raise ValueError("it has a length that no certificate has")
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    if start + length > len(der):
        raise ValueError("it ends too early")
    return tag, start, start + length


def _enter(der: bytes, at: int, wanted: int) -> tuple[int, int]:
    tag, start, end = _header(der, at)
    if tag != wanted:
        raise ValueError(f"tag {tag} stands where {wanted} belongs")
    return start, end


def _skip(der: bytes, at: int) -> int:
    return _header(der, at)[2]


def _time(der: bytes, at: int) -> float:
    tag, start, end = _header(der, at)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        text = f"{19 if int(text[:2]) >= _SLIDING else 20}{text}"
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"tag {tag} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Validity:
    """How long a chain of certificates has to be valid still.

    Attributes:
        now: seconds since the epoch.
        at_least: seconds; None when any time will do.
    """

    now: float
    at_least: float | None = None

    def judge(self, chain: Sequence[bytes], finding: Finding) -> Finding:
        """A finding with the days that are left until the first of the chain expires; too few of them spoil it."""
        first = min(_ends(chain), default=None)
        if first is None:
            return finding  # verified and yet unreadable to us: what was found stands
        end, place = first
        left = end - self.now
        measures = (*finding.measures, ("certificate_days", round(left / _DAY, 3)))
        if finding.reason is ProbeReason.OK and self.at_least is not None and left < self.at_least:
            which = "the certificate" if place == 0 else f"certificate {place + 1} of the {len(chain)} in its chain"
            words = f"{finding.detail}, but {which} expires in {max(0.0, left) / _DAY:.3g} days"
            return Finding(ProbeReason.CERTIFICATE_EXPIRING, words, measures)
        return finding._replace(measures=measures)


def _ends(chain: Sequence[bytes]) -> Iterator[tuple[float, int]]:
    """When each certificate that we can read expires, and its place."""
    for place, certificate in enumerate(chain):
        with suppress(ValueError):
            yield not_after(certificate), place


class WithValidity:
    """A protocol whose findings also say how long the peer's chain of certificates is valid still."""

    __slots__ = ("_chain", "_protocol", "_validity")

    def __init__(self, protocol: ClientProtocol, validity: Validity) -> None:
        self._protocol = protocol
        self._validity = validity
        self._chain: tuple[bytes, ...] = ()

    def opened(self, transport: ClientTransport) -> Finding | None:
        self._chain = transport.certificates()
        return self._attest(self._protocol.opened(transport))

    def received(self, data: bytes) -> Finding | None:
        return self._attest(self._protocol.received(data))

    def ended(self) -> Finding:
        finding = self._protocol.ended()
        return self._attest(finding) or finding

    def _attest(self, finding: Finding | None) -> Finding | None:
        return finding if finding is None else self._validity.judge(self._chain, finding)
