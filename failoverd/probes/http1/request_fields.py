"""What a policy may say of a request: its target and its header fields."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_MAX_PATH = 2_000
_MAX_HEADERS = 32
_MAX_HEADER = 4_000

RequestTarget = Annotated[str, Field(pattern=r'^/[!"$-~]*$', max_length=_MAX_PATH)]
"""The target of a request in origin form (RFC 9112, 3.2.1): starts with a slash, may have a query, has no fragment."""


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?|")  # RFC 9110, 5.5, without what is not ASCII
_SECRET = re.compile(r"(?i)authorization|cookie|secret|token|passw|credential|api-?key")
_OURS: Final = {
    "host": "use `host`",
    "content-length": "it is counted",
    "accept-encoding": "answers are asked for as they are, and never unpacked",
    "expect": "a probe does not wait to be asked on",
}
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings"}
)

HeaderFields = tuple[tuple[str, str], ...]


def parse_headers(value: object) -> HeaderFields:
    """Fields of a request from a mapping of names to values. Raises ValueError; its words show no value."""
    items: HeaderFields | object = tuple(value.items()) if isinstance(value, dict) else value
    if not isinstance(items, tuple) or len(items) > _MAX_HEADERS:
        raise ValueError(f"write a mapping of at most {_MAX_HEADERS} names to values: {{Accept: application/json}}")
    for name, text in items:
        check_header(name, text)
        if _SECRET.search(name) is not None:
            raise ValueError(f"{name[:40]} is a secret: put it into a file, and name that in headers_file")
    if len({name.lower() for name, _ in items}) < len(items):
        raise ValueError("a header is named twice")
    return items


def is_header_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def check_header(name: object, value: object) -> None:
    """Raises ValueError, without showing the value, for a field that is none, or that is not the check's to set."""
    if not isinstance(name, str) or not is_header_name(name):
        raise ValueError(f"{str(name)[:40]!r} is not the name of a header")
    if not isinstance(value, str) or len(value) > _MAX_HEADER or _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of {name[:40]} is not a text in ASCII of at most {_MAX_HEADER} characters")
    if name.lower() in _OURS:
        raise ValueError(f"{name[:40]} is not for a check to set: {_OURS[name.lower()]}")
    if name.lower() in _HOP_BY_HOP:
        raise ValueError(f"{name[:40]} is not for a check to set: it is about the connection")


RequestHeaders = Annotated[
    HeaderFields,
    BeforeValidator(parse_headers),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MAX_HEADERS}),
]
