"""The `http` and `https` checks: one request over a new HTTP/1.1 connection, judged by status and body.

Only as much of the answer is read as the verdict needs: without anything to look for in the body, the headers. Most
checks ask one address for a status or a text; they take the quick way, without a task. All others are visits.
"""

from collections.abc import Callable
from functools import cache, partial

from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, ProbeContext, ProbeKind, Tell
from failoverd.probes.certificates import Attested, Validity
from failoverd.probes.conversation import Conversation, Destination, Security
from failoverd.probes.credentials import Credentials
from failoverd.probes.exchange import Exchange, request
from failoverd.probes.expectations import Wanted
from failoverd.probes.glance import Glance, Known
from failoverd.probes.judging import Statuses, StatusJudge, TextJudge
from failoverd.probes.look import settings_of, start_call, start_visit
from failoverd.probes.redirects import PORTS, Place
from failoverd.probes.tripwire import keep
from failoverd.probes.trust import Identity, Trusted
from failoverd.probes.visiting import Errand, Visit
from failoverd.probes.web_settings import ClientCertificate, HttpSettings, HttpsSettings, WebSettings


class HttpProber:
    """One `http` or `https` check.

    Args:
        check: name and time-out.
        path: the request target.
        errand: what to ask and what to expect.
        scheme: `http` or `https`.
    """

    def __init__(self, check: Check, path: str, errand: Errand, scheme: str) -> None:
        self._check = check
        self._path = path
        self._errand = errand
        self._settings = settings = errand.settings
        self._scheme = scheme
        self._method = settings.method
        self._slow = settings.slow
        self._clock = errand.clock
        self._statuses = Statuses(settings.status)
        self._status_judge = StatusJudge(self._statuses)
        self._contains = settings.wanted.contains
        self._is_plain = _is_plain(settings, errand.credentials)
        self._known: Known = {}
        self._prepared: dict[Endpoint, tuple[Destination, bytes]] = {}

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        if not self._is_plain:
            start, port = self._start(endpoint)
            visit = Visit(self._errand, endpoint, start, port)
            return start_visit(self._check, endpoint, self._clock, self._slow, visit, tell)
        prepared = self._prepared.get(endpoint)
        if prepared is None or not self._is_current(prepared[0]):
            prepared = self._prepared[endpoint] = self._prepare(endpoint)
        destination, asked = prepared
        conversation: Conversation
        if self._contains is None:
            conversation = Glance(asked, self._status_judge, self._method, self._known)
        else:
            conversation = Exchange(asked, TextJudge(self._statuses, self._contains), method=self._method)
        if destination.security is not None:
            conversation = Attested(conversation, Validity(self._clock(), self._errand.expires_within))
        return start_call(self._check, endpoint, self._clock, self._slow, destination, conversation, tell)

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        """See `ports.Tripping`."""
        return keep(endpoint.address, self._start(endpoint)[1], tripped) if self._settings.trip_wire else None

    def _is_current(self, destination: Destination) -> bool:
        """Whether it trusts whom the check trusts now."""
        return destination.security is None or destination.security.context is self._errand.trusted().context()

    def _prepare(self, endpoint: Endpoint) -> tuple[Destination, bytes]:
        """Where to ask and what to send; kept, for making it costs more than sending it."""
        start, port = self._start(endpoint)
        security = None
        if self._scheme == "https":
            security = Security(self._errand.trusted().context(), start.host, self._errand.resume)
        body = (self._settings.body or "").encode()
        asked = request(self._method, self._path, start.authority, dict(self._settings.headers), body)
        return Destination(endpoint.address, port, security, speaks_first=True), asked

    def _start(self, endpoint: Endpoint) -> tuple[Place, int]:
        """What the request is for, and the port that it goes to.

        A `host` is taken exactly as the policy says it, whatever the port: that is what clients of the service ask for.
        """
        usual = PORTS[self._scheme]
        port = endpoint.port or self._settings.port or usual
        if self._settings.host is not None:
            return Place(self._scheme, self._settings.host, usual, self._path), port
        return Place(self._scheme, endpoint.address, port, self._path), port


def _is_plain(settings: WebSettings, credentials: Credentials) -> bool:
    """Whether a look is one request, judged while the answer arrives, from files that do not change."""
    only_text = settings.wanted == Wanted(contains=settings.wanted.contains)
    return only_text and not settings.redirects and not credentials and _identity(settings) is None


def _identity(settings: WebSettings) -> Identity | None:
    shown: ClientCertificate | None = getattr(settings, "client_certificate", None)  # http has none
    return None if shown is None else Identity(shown.certificate_file, shown.key_file)


# -- kinds -------------------------------------------------------------------------------------------------------------


def open_http(check: Check, context: ProbeContext) -> HttpProber:
    """Raises ConfigError when a file that the check names cannot be used."""
    settings = settings_of(check, HttpSettings)
    trusted = cache(partial(Trusted, None))  # read when a redirect leads to https, which most never do
    errand = Errand(settings, _credentials(settings), trusted, 0.0, None, context.clock)
    return HttpProber(check, settings.http, errand, "http")


def open_https(check: Check, context: ProbeContext) -> HttpProber:
    """Raises ConfigError when there is no authority to trust, or a file that the check names cannot be used."""
    settings = settings_of(check, HttpsSettings)
    trusted = Trusted(settings.ca_file, _identity(settings))
    within = settings.certificate_expires_within
    errand = Errand(settings, _credentials(settings), lambda: trusted, settings.resume or 0.0, within, context.clock)
    return HttpProber(check, settings.https, errand, "https")


def _credentials(settings: WebSettings) -> Credentials:
    return Credentials(settings.authorization_file, settings.headers_file)


KINDS: tuple[ProbeKind, ...] = (
    ProbeKind("http", HttpSettings, open_http),
    ProbeKind("https", HttpsSettings, open_https),
)
