"""What a policy may say in an `http` or an `https` check."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from failoverd.probes.expectations import Expectation, Wanted, compiled, parse_expectations, say_expectations
from failoverd.settings import CheckSettings, Duration, Port, Settings, parse_address, parse_name

MOST_REDIRECTS: Final = 5

_LOWEST, _HIGHEST = 200, 599
_MAX_PATH = 2_000
_MAX_TEXT = 1_000
_MAX_BODY = 64 * 1024
_MAX_HEADERS = 32
_MAX_HEADER = 4_000


# -- names and statuses ------------------------------------------------------------------------------------------------


def parse_host(value: str) -> str:
    """A host name or an address, in canonical form."""
    try:
        return parse_address(value)
    except ValueError:
        return parse_name(value)


def parse_statuses(value: object) -> frozenset[int]:
    """The set that `200`, `"200-299"` or `[200, "300-308"]` stands for (RFC 9110, 15)."""
    items = value if isinstance(value, list | tuple | frozenset) else (value,)
    if not items:
        raise ValueError("name at least one status")
    return frozenset(status for item in items for status in _status_range(item))


def _status_range(item: object) -> range:
    wrong = ValueError(f'{str(item)[:40]!r} is not a status: write 200, "200-299", or a list of those')
    if isinstance(item, bool) or not isinstance(item, int | str):
        raise wrong
    first, dash, last = str(item).partition("-")
    if not all(part.isascii() and part.isdigit() for part in ((first, last) if dash else (first,))):
        raise wrong
    low, high = int(first), int(last or first)
    if not _LOWEST <= low <= high <= _HIGHEST:
        raise ValueError(f"{str(item)[:40]!r} is not within {_LOWEST} to {_HIGHEST}, or is upside down")
    return range(low, high + 1)


_STATUS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": _LOWEST, "maximum": _HIGHEST},
        {"type": "string", "pattern": r"^[2-5]\d\d(-[2-5]\d\d)?$"},
    ]
}

Statuses = Annotated[
    frozenset[int],
    BeforeValidator(parse_statuses),
    WithJsonSchema(
        {
            "anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "items": _STATUS_SCHEMA, "minItems": 1}],
            "examples": [200, "200-299", [200, "300-308"]],
        }
    ),
]
"""HTTP statuses, written as one, a range, or a list of those."""

Path = Annotated[str, Field(pattern=r'^/[!"$-~]*$', max_length=_MAX_PATH)]
"""The target of a request in origin form (RFC 9112, 3.2.1): starts with a slash, may have a query, has no fragment."""

Host = Annotated[str, AfterValidator(parse_host)]
File = Annotated[str, Field(pattern="^/.")]


# -- headers -----------------------------------------------------------------------------------------------------------

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

Fields = tuple[tuple[str, str], ...]


def parse_headers(value: object) -> Fields:
    """Fields of a request from a mapping of names to values. Raises ValueError; its words show no value."""
    items: Fields | object = tuple(value.items()) if isinstance(value, dict) else value
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


Headers = Annotated[
    Fields,
    BeforeValidator(parse_headers),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MAX_HEADERS}),
]


# -- the answer --------------------------------------------------------------------------------------------------------


def parse_redirects(value: object) -> int:
    """How many redirects are followed: `false` is none, `true` is as many as there may be."""
    if isinstance(value, bool):
        return MOST_REDIRECTS if value else 0
    if isinstance(value, int) and 0 <= value <= MOST_REDIRECTS:
        return value
    raise ValueError(f"write false, true, or how many redirects are followed, at most {MOST_REDIRECTS}")


def parse_pattern(value: str) -> str:
    """A pattern that RE2 understands and that is cheap enough."""
    compiled(value)
    return value


Redirects = Annotated[
    int,
    BeforeValidator(parse_redirects),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": MOST_REDIRECTS}]}),
]
Pattern = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT), AfterValidator(parse_pattern)]
Values = Annotated[
    tuple[Expectation, ...],
    BeforeValidator(parse_expectations),
    PlainSerializer(say_expectations),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "propertyNames": {"pattern": r"^\$"},
            "examples": [{"$.status": "ok", "$.queue.depth": "< 5"}],
        }
    ),
]


# -- checks ------------------------------------------------------------------------------------------------------------

_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT"})


class WebSettings(CheckSettings):
    """What `http` and `https` have in common."""

    host: Host | None = Field(
        default=None,
        description="name to ask for: the Host header, and with https the SNI and the name in the certificate too; "
        "without it, the endpoint's own address",
    )
    port: Port | None = Field(
        default=None,
        description="port to connect to, if not 80 (http) or 443 (https); the port of an endpoint comes first",
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] = Field(default="GET", description="method of the request")
    headers: Headers = Field(default=(), description="more headers of the request; secrets come from files")
    headers_file: File | None = Field(
        default=None,
        description="absolute path of a file with secret headers, a line each: `X-Key: value`; read when it changes",
    )
    authorization_file: File | None = Field(
        default=None,
        description="absolute path of a file with a bearer token, or a whole Authorization value; read when it changes",
    )
    body: str | None = Field(
        default=None, max_length=_MAX_BODY, description="body of a POST or PUT; its type is a header"
    )
    redirects: Redirects = Field(
        default=0, description="how many redirects are followed within the time-out; true is 5, false is none"
    )
    status: Statuses = Field(
        default=frozenset({200}), description='statuses that pass: 200, "200-299", or a list of those'
    )
    contains: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MAX_TEXT,
        description="text that must be in the first 256 KiB of the body",
    )
    not_contains: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MAX_TEXT,
        description="text that must not be in the first 256 KiB of the body",
    )
    matches: Pattern | None = Field(
        default=None, description="pattern (RE2 syntax) that must be found in the first 256 KiB of the body"
    )
    json_path: Values = Field(
        default=(),
        description='what a JSON body must say: path to a value, or to a comparison: {"$.queue.depth": "< 5"}',
    )
    trip_wire: bool = Field(
        default=False, description="keep an idle connection to each endpoint, whose end is a reason to look at once"
    )

    @property
    def wanted(self) -> Wanted:
        """What the body has to hold."""
        contains = None if self.contains is None else self.contains.encode()
        lacks = None if self.not_contains is None else self.not_contains.encode()
        return Wanted(contains, lacks, self.matches, self.json_path)

    @model_validator(mode="after")
    def _head_has_no_body(self) -> Self:
        if self.method == "HEAD" and self.wanted != Wanted():
            raise ValueError("the answer to HEAD has no body that could be judged: use method GET")
        return self

    @model_validator(mode="after")
    def _a_body_is_posted(self) -> Self:
        if self.body is not None and self.method not in _METHODS_WITH_BODY:
            raise ValueError(f"a request with method {self.method} has no body: use method POST or PUT")
        return self


class HttpSettings(WebSettings):
    """Whether an HTTP server gives the right answer."""

    http: Path = Field(description="path to ask for, with a query if need be: /health?deep=1")


class ClientCertificate(Settings):
    """Who we are, for servers that ask: two PEM files, read again when they change."""

    certificate_file: File = Field(description="absolute path of a PEM file: our certificate, and its chain")
    key_file: File = Field(description="absolute path of a PEM file: its private key, without a pass phrase")


class SecuredSettings(CheckSettings):
    """What every check says that verifies a certificate."""

    ca_file: File | None = Field(
        default=None,
        description="absolute path of a PEM file with the authorities to trust, instead of the system's",
    )
    client_certificate: ClientCertificate | None = Field(
        default=None, description="our own certificate, for servers that ask for one"
    )
    certificate_expires_within: Duration | None = Field(
        default=None, description="a certificate that is valid for less than this is DEGRADED, such as 7d"
    )


class HttpsSettings(SecuredSettings, WebSettings):
    """Whether an HTTPS server gives the right answer and proves who it is. There is no switch that turns this off."""

    https: Path = Field(description="path to ask for, with a query if need be: /health?deep=1")
    resume: Duration | None = Field(
        default=None,
        le=86_400.0,
        description="take up TLS sessions for so long before the next full handshake, such as 10m; without it, never",
    )
