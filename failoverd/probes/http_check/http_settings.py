"""What a policy may say in an `http` or an `https` check."""

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from failoverd.probes.field_types import Host, SecretPath
from failoverd.probes.http1.request_fields import RequestHeaders, RequestTarget
from failoverd.probes.http_check.body_expectations import (
    BodyExpectations,
    JsonExpectation,
    parse_expectations,
    say_expectations,
)
from failoverd.probes.patterns import Pattern
from failoverd.probes.tls.certificate_settings import SecuredSettings
from failoverd.settings import CheckSettings, Duration, Port

MOST_REDIRECTS: Final = 5

_LOWEST, _HIGHEST = 200, 599
_MAX_TEXT = 1_000
_MAX_BODY = 64 * 1024


# -- names and statuses ------------------------------------------------------------------------------------------------


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

# -- the answer --------------------------------------------------------------------------------------------------------


def parse_redirects(value: object) -> int:
    """How many redirects are followed: `false` is none, `true` is as many as there may be."""
    if isinstance(value, bool):
        return MOST_REDIRECTS if value else 0
    if isinstance(value, int) and 0 <= value <= MOST_REDIRECTS:
        return value
    raise ValueError(f"write false, true, or how many redirects are followed, at most {MOST_REDIRECTS}")


Redirects = Annotated[
    int,
    BeforeValidator(parse_redirects),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": MOST_REDIRECTS}]}),
]
Values = Annotated[
    tuple[JsonExpectation, ...],
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
    headers: RequestHeaders = Field(default=(), description="more headers of the request; secrets come from files")
    headers_file: SecretPath | None = Field(
        default=None,
        description="absolute path of a file with secret headers, a line each: `X-Key: value`; read when it changes",
    )
    authorization_file: SecretPath | None = Field(
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
        default=False, description="keep an idle connection to each endpoint, whose end is a reason to probe at once"
    )

    @property
    def wanted(self) -> BodyExpectations:
        """What the body has to hold."""
        contains = None if self.contains is None else self.contains.encode()
        lacks = None if self.not_contains is None else self.not_contains.encode()
        return BodyExpectations(contains, lacks, self.matches, self.json_path)

    @model_validator(mode="after")
    def _head_has_no_body(self) -> Self:
        if self.method == "HEAD" and self.wanted != BodyExpectations():
            raise ValueError("the answer to HEAD has no body that could be judged: use method GET")
        return self

    @model_validator(mode="after")
    def _a_body_is_posted(self) -> Self:
        if self.body is not None and self.method not in _METHODS_WITH_BODY:
            raise ValueError(f"a request with method {self.method} has no body: use method POST or PUT")
        return self


class HttpSettings(WebSettings):
    """Whether an HTTP server gives the right answer."""

    http: RequestTarget = Field(description="path to ask for, with a query if need be: /health?deep=1")


class HttpsSettings(SecuredSettings, WebSettings):
    """Whether an HTTPS server gives the right answer and proves who it is. There is no switch that turns this off."""

    https: RequestTarget = Field(description="path to ask for, with a query if need be: /health?deep=1")
    resume: Duration | None = Field(
        default=None,
        le=86_400.0,
        description="take up TLS sessions for so long before the next full handshake, such as 10m; without it, never",
    )
