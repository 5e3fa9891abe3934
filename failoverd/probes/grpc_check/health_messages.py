"""What a health call says and hears above HTTP/2: messages, statuses, and what they mean.

A message has a flag and its length before it; the fields of the two messages of `grpc.health.v1` are few enough to be
written and read by hand: `HealthCheckRequest { string service = 1; }`, `HealthCheckResponse { Status status = 1; }`.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Final
from urllib.parse import unquote

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, printable
from failoverd.probes.http1.status_rules import StatusRules

MOST_MESSAGE: Final = 64 * 1024

_PREFIX: Final = 5
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_MORE: Final = 0x80
_MOST_VARINT: Final = 10
_STATUS_FIELD: Final = 1
_MOST_CODE: Final = 3
_MOST_WORDS: Final = 120
_OK: Final = 200
_STATUS: Final = re.compile(r"[0-9]{3}", re.ASCII)
_GRPC: Final = re.compile(r"application/grpc(?:[+; \t]|$)", re.IGNORECASE)
"""With or without the encoding of its messages; `application/grpc-web` is another protocol."""


class ServingStatus(IntEnum):
    """`HealthCheckResponse.ServingStatus`."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


class GrpcCode(IntEnum):
    """How a call ended."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# -- messages ----------------------------------------------------------------------------------------------------------


def health_request(service: str) -> bytes:
    """The request for the health of a service, ready to be sent."""
    name = service.encode()
    message = b"\x0a" + _as_varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def read_status(message: bytes) -> int:
    """The status that a response says; a field that is not there is 0. Raises ValueError when it is no message."""
    at, status = 0, 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if field == 0:
            raise ValueError("a field without a number")
        if wire == _VARINT:
            value, at = _varint(message, at)
            status = value if field == _STATUS_FIELD else status
        else:
            at = _skip(message, at, wire)
    return status


def _skip(message: bytes, at: int, wire: int) -> int:
    """Past a field that nobody wants to know."""
    if wire == _BYTES:
        length, at = _varint(message, at)
    elif wire in _FIXED:
        length = _FIXED[wire]
    else:
        raise ValueError(f"a field of type {wire}")
    if at + length > len(message):
        raise ValueError("a field that is cut")
    return at + length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[at : at + _MOST_VARINT]):
        value |= (byte & ~_MORE) << (7 * count)
        if not byte & _MORE:
            return value, at + count + 1
    raise ValueError("a number that does not end")


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= _MORE:
        out.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    return bytes((*out, value))


# -- the answer --------------------------------------------------------------------------------------------------------


class HealthAnswer:
    """What the server has said so far. `authorized`: the call said who we are, so a refusal is about that."""

    def __init__(self, *, authorized: bool) -> None:
        self._authorized = authorized
        self._statuses = StatusRules(frozenset({_OK}), secret=authorized)
        self._heard = b""
        self._ending: Mapping[str, str] = {}
        self.status: int | None = None
        """What the first message says; None before that."""
        self._goes_on = False  # there is more after that

    def head(self, fields: Mapping[str, str]) -> Finding | None:
        """The head of the answer. One that is without content has the status of the call in it."""
        self._ending = fields
        if "grpc-status" in fields:
            return None
        status = fields.get(":status", "")
        if _STATUS.fullmatch(status) is None:
            return Finding(ProbeReason.RESPONSE_INVALID, "not HTTP/2: an answer without a status")
        if int(status) != _OK:  # of a gateway before the server, which speaks HTTP alone
            wrong = self._statuses.wrong(int(status), "", fields)
            return wrong._replace(detail=f"no answer of gRPC, but HTTP status {wrong.detail}")
        kind = fields.get("content-type", "")
        if _GRPC.match(kind) is None:
            return Finding(ProbeReason.RESPONSE_INVALID, f"the server answers with {kind or 'no type'}, not with gRPC")
        return None

    def data(self, data: bytes) -> Finding | None:
        """A part of the messages. Only the first one is read."""
        if self.status is not None:
            self._goes_on = self._goes_on or bool(data)
            return None
        self._heard += data
        if len(self._heard) < _PREFIX:
            return None
        flag, length = self._heard[0], int.from_bytes(self._heard[1:_PREFIX], "big")
        if flag:
            return Finding(ProbeReason.RESPONSE_ENCODED, "a compressed message, though none was asked for")
        if length > MOST_MESSAGE:
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"a message of {length} bytes")
        if len(self._heard) >= _PREFIX + length:
            self._goes_on = len(self._heard) > _PREFIX + length
            return self._read(self._heard[_PREFIX : _PREFIX + length])
        return None

    def _read(self, message: bytes) -> Finding | None:
        try:
            self.status = read_status(message)
        except ValueError as error:
            return Finding(ProbeReason.RESPONSE_INVALID, f"not a HealthCheckResponse: {error}")
        return None

    def trailers(self, fields: Mapping[str, str]) -> None:
        self._ending = fields

    def end(self) -> Finding:
        """The call is over: its status counts, and then what the message says."""
        text = self._ending.get("grpc-status", "")
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_CODE):
            return Finding(ProbeReason.RESPONSE_INVALID, "the call ended without a grpc-status")
        code = int(text)
        if code != GrpcCode.OK:
            return self._refused(code, unquote(self._ending.get("grpc-message", "")))
        if self.status is None:
            return Finding(ProbeReason.RESPONSE_INVALID, "the call ended with OK and without a message")
        if self._goes_on:
            return Finding(ProbeReason.RESPONSE_INVALID, "the call ended with more than the one message")
        return self.weigh()

    def weigh(self) -> Finding:
        """What the message means."""
        match self.status:
            case ServingStatus.SERVING:
                return Finding(ProbeReason.OK, "SERVING")
            case ServingStatus.NOT_SERVING | ServingStatus.UNKNOWN:
                return Finding(ProbeReason.NOT_SERVING, ServingStatus(self.status).name)
            case ServingStatus.SERVICE_UNKNOWN:
                return Finding(ProbeReason.SERVICE_UNKNOWN, "the server does not know the service")
            case _:
                return Finding(ProbeReason.NOT_SERVING, f"status {self.status}, which has no meaning")

    def _refused(self, code: int, words: str) -> Finding:
        name = GrpcCode(code).name if code <= max(GrpcCode) else f"status {code}"
        said = f"{name}: {printable(words, _MOST_WORDS)}" if words else name
        match code:
            case GrpcCode.NOT_FOUND:
                return Finding(ProbeReason.SERVICE_UNKNOWN, said)
            case GrpcCode.RESOURCE_EXHAUSTED:
                return Finding(ProbeReason.OVERLOADED, said)
            case GrpcCode.UNIMPLEMENTED:
                remedy = "the server has no health service: add grpc.health.v1.Health to it, or use a tcp check"
                return Finding(ProbeReason.GRPC_STATUS, f"{remedy}; {said}")
            case GrpcCode.UNAUTHENTICATED | GrpcCode.PERMISSION_DENIED if self._authorized:
                return Finding(ProbeReason.CREDENTIAL_REFUSED, said)
            case _:
                return Finding(ProbeReason.GRPC_STATUS, said)
