"""The `http` and `https` checks: one request over a new HTTP/1.1 connection, judged by status and body.

Only as much of the answer is read as the verdict needs: without anything to look for in the body, the headers. Most
checks ask one address for a status or a text; they take the fast path, without a task. All others take several steps.
"""

from collections.abc import Callable
from functools import cache, partial

from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import settings_of, start_exchange, start_steps
from failoverd.probes.http1.http1_exchange import Http1Exchange, request
from failoverd.probes.http1.http_url import PORTS, HttpUrl
from failoverd.probes.http1.request_credentials import RequestCredentials
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.body_expectations import BodyExpectations
from failoverd.probes.http_check.http_settings import HttpSettings, HttpsSettings, WebSettings
from failoverd.probes.http_check.http_steps import HttpCheck, HttpSteps
from failoverd.probes.http_check.response_judges import StatusJudge, TextJudge
from failoverd.probes.http_check.status_fast_path import KnownStatusLines, StatusExchange
from failoverd.probes.tls.certificate_validity import Validity, WithValidity
from failoverd.probes.tls.trust_store import TrustStore
from failoverd.probes.transport.protocol import ClientProtocol, Destination, TlsOptions
from failoverd.probes.transport.trip_wire import keep_trip_wire


class HttpProber:
    """One `http` or `https` check.

    Args:
        check: name and time-out.
        path: the request target.
        http_check: what to ask and what to expect.
        scheme: `http` or `https`.
    """

    def __init__(self, check: Check, path: str, http_check: HttpCheck, scheme: str) -> None:
        self._check = check
        self._path = path
        self._http_check = http_check
        self._settings = settings = http_check.settings
        self._scheme = scheme
        self._method = settings.method
        self._slow = settings.slow
        self._clock = http_check.clock
        self._statuses = StatusRules(settings.status)
        self._status_judge = StatusJudge(self._statuses)
        self._contains = settings.wanted.contains
        self._is_plain = _is_plain(settings, http_check.credentials)
        self._known: KnownStatusLines = {}
        self._prepared: dict[Endpoint, tuple[Destination, bytes]] = {}

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        if not self._is_plain:
            start, port = self._start(endpoint)
            steps = HttpSteps(self._http_check, endpoint, start, port)
            return start_steps(self._check, endpoint, self._clock, self._slow, steps, tell)
        prepared = self._prepared.get(endpoint)
        if prepared is None or not self._is_current(prepared[0]):
            prepared = self._prepared[endpoint] = self._prepare(endpoint)
        destination, asked = prepared
        protocol: ClientProtocol
        if self._contains is None:
            protocol = StatusExchange(asked, self._status_judge, self._method, self._known)
        else:
            protocol = Http1Exchange(asked, TextJudge(self._statuses, self._contains), method=self._method)
        if destination.security is not None:
            protocol = WithValidity(protocol, Validity(self._clock(), self._http_check.expires_within))
        return start_exchange(self._check, endpoint, self._clock, self._slow, destination, protocol, tell)

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        """See `ports.Tripping`."""
        return keep_trip_wire(endpoint.address, self._start(endpoint)[1], tripped) if self._settings.trip_wire else None

    def _is_current(self, destination: Destination) -> bool:
        """Whether it trusts whom the check trusts now."""
        return destination.security is None or destination.security.context is self._http_check.trusted().context()

    def _prepare(self, endpoint: Endpoint) -> tuple[Destination, bytes]:
        """Where to ask and what to send; kept, for making it costs more than sending it."""
        start, port = self._start(endpoint)
        security = None
        if self._scheme == "https":
            security = TlsOptions(self._http_check.trusted().context(), start.host, self._http_check.resume)
        body = (self._settings.body or "").encode()
        asked = request(self._method, self._path, start.authority, dict(self._settings.headers), body)
        return Destination(endpoint.address, port, security, speaks_first=True), asked

    def _start(self, endpoint: Endpoint) -> tuple[HttpUrl, int]:
        """What the request is for, and the port that it goes to.

        A `host` is taken exactly as the policy says it, whatever the port: that is what clients of the service ask for.
        """
        usual = PORTS[self._scheme]
        port = endpoint.port or self._settings.port or usual
        if self._settings.host is not None:
            return HttpUrl(self._scheme, self._settings.host, usual, self._path), port
        return HttpUrl(self._scheme, endpoint.address, port, self._path), port


def _is_plain(settings: WebSettings, credentials: RequestCredentials) -> bool:
    """Whether a probe is one request, judged while the answer arrives, from files that do not change."""
    only_text = settings.wanted == BodyExpectations(contains=settings.wanted.contains)
    identity = settings.identity if isinstance(settings, HttpsSettings) else None
    return only_text and not settings.redirects and not credentials and identity is None


# -- kinds -------------------------------------------------------------------------------------------------------------


def open_http(check: Check, context: ProbeContext) -> HttpProber:
    """Raises ConfigError when a file that the check names cannot be used."""
    settings = settings_of(check, HttpSettings)
    trusted = cache(partial(TrustStore, None))  # read when a redirect leads to https, which most never do
    http_check = HttpCheck(settings, _credentials(settings), trusted, 0.0, None, context.clock)
    return HttpProber(check, settings.http, http_check, "http")


def open_https(check: Check, context: ProbeContext) -> HttpProber:
    """Raises ConfigError when there is no authority to trust, or a file that the check names cannot be used."""
    settings = settings_of(check, HttpsSettings)
    trusted = TrustStore(settings.ca_file, settings.identity)
    within = settings.certificate_expires_within
    http_check = HttpCheck(
        settings, _credentials(settings), lambda: trusted, settings.resume or 0.0, within, context.clock
    )
    return HttpProber(check, settings.https, http_check, "https")


def _credentials(settings: WebSettings) -> RequestCredentials:
    return RequestCredentials(settings.authorization_file, settings.headers_file)


KINDS: tuple[ProbeKind, ...] = (
    ProbeKind("http", HttpSettings, open_http),
    ProbeKind("https", HttpsSettings, open_https),
)
