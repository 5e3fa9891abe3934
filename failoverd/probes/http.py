"""The `http` and `https` checks: one GET or HEAD over a new HTTP/1.1 connection, judged by status and body.

Only as much of the answer is read as the verdict needs: without `contains`, the headers. Redirects are not followed: a
redirect is an answer of its own, and says nothing about the place that it points to.
"""

import ssl
from typing import Annotated, Literal, Self

import h11
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from failoverd import __version__
from failoverd.core.records import Check, Endpoint, ProbeResult
from failoverd.ports import Clock, ProbeKind
from failoverd.probes.connection import Look, look, settings_of
from failoverd.probes.exchange import Exchange, Expected
from failoverd.probes.reasons import Finding
from failoverd.probes.trust import trust
from failoverd.settings import CheckSettings, Port, parse_address, parse_name

_AGENT = f"failoverd/{__version__}"
_LOWEST, _HIGHEST = 200, 599
_HTTP_PORT, _HTTPS_PORT = 80, 443
_MAX_PATH = 2_000
_MAX_CONTAINS = 1_000


# -- settings ----------------------------------------------------------------------------------------------------------


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
CaFile = Annotated[str, Field(pattern="^/.")]


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
    method: Literal["GET", "HEAD"] = Field(default="GET", description="method of the request")
    status: Statuses = Field(
        default=frozenset({200}), description='statuses that pass: 200, "200-299", or a list of those'
    )
    contains: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MAX_CONTAINS,
        description="text that must be in the first 256 KiB of the body",
    )

    @model_validator(mode="after")
    def _head_has_no_body(self) -> Self:
        if self.method == "HEAD" and self.contains is not None:
            raise ValueError("the answer to HEAD has no body that could contain anything: use method GET")
        return self


class HttpSettings(WebSettings):
    """Whether an HTTP server gives the right answer."""

    http: Path = Field(description="path to ask for, with a query if need be: /health?deep=1")


class HttpsSettings(WebSettings):
    """Whether an HTTPS server gives the right answer and proves who it is. There is no switch that turns this off."""

    https: Path = Field(description="path to ask for, with a query if need be: /health?deep=1")
    ca_file: CaFile | None = Field(
        default=None,
        description="absolute path of a PEM file with the authorities to trust, instead of the system's",
    )


# -- prober ------------------------------------------------------------------------------------------------------------


class HttpProber:
    """One `http` or `https` check.

    Args:
        check: name and time-out.
        settings: what to ask and what to expect.
        path: the request target.
        context: how to trust, for `https`; None for `http`.
        clock: gives the time of a result.
    """

    def __init__(
        self, check: Check, settings: WebSettings, path: str, context: ssl.SSLContext | None, clock: Clock
    ) -> None:
        self._check = check
        self._settings = settings
        self._path = path
        self._context = context
        self._clock = clock
        self._default_port = _HTTP_PORT if context is None else _HTTPS_PORT
        wanted = None if settings.contains is None else settings.contains.encode()
        self._expected = Expected(settings.status, wanted)
        self._requests: dict[Endpoint, h11.Request] = {}

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        port = endpoint.port or self._settings.port or self._default_port

        async def visit(looking: Look) -> Finding:
            transport, exchange = await looking.connect(
                endpoint.address, port, lambda: Exchange(looking, self._expected)
            )
            if self._context is not None:
                name = self._settings.host or endpoint.address
                transport = await looking.secure(transport, exchange, self._context, name)
            return await exchange.ask(transport, self._request(endpoint, port))

        return await look(self._check, endpoint, self._clock, self._settings.slow, visit)

    def _request(self, endpoint: Endpoint, port: int) -> h11.Request:
        """The request to an endpoint; kept, for building one costs more than sending it."""
        request = self._requests.get(endpoint)
        if request is None:
            request = self._requests[endpoint] = h11.Request(
                method=self._settings.method,
                target=self._path,
                headers=[
                    ("Host", self._host_header(endpoint, port)),
                    ("User-Agent", _AGENT),
                    ("Accept", "*/*"),
                    ("Accept-Encoding", "identity"),
                    ("Connection", "close"),
                ],
            )
        return request

    def _host_header(self, endpoint: Endpoint, port: int) -> str:
        """`host` exactly as the policy says it, or the endpoint's address with a port that is not the usual one."""
        host = self._settings.host or endpoint.address
        shown = f"[{host}]" if ":" in host else host
        if self._settings.host is not None or port == self._default_port:
            return shown
        return f"{shown}:{port}"


# -- kinds -------------------------------------------------------------------------------------------------------------


def open_http(check: Check, clock: Clock) -> HttpProber:
    settings = settings_of(check, HttpSettings)
    return HttpProber(check, settings, settings.http, None, clock)


def open_https(check: Check, clock: Clock) -> HttpProber:
    """Raises ConfigError when there is no authority to trust."""
    settings = settings_of(check, HttpsSettings)
    return HttpProber(check, settings, settings.https, trust(settings.ca_file), clock)


KINDS: tuple[ProbeKind, ...] = (
    ProbeKind("http", HttpSettings, open_http),
    ProbeKind("https", HttpsSettings, open_https),
)
