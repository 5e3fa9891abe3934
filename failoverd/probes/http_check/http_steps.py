"""A probe of a web server in several steps: redirects are followed, and bodies judged as a whole.

A redirect to the name that the check asks for is asked of the same endpoint, not of whatever DNS answers for that name:
that may be another region, whose health is not the question here. Every other name is looked up, and where it leads is
judged before anything is sent there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Endpoint
from failoverd.ports import Clock
from failoverd.probes.execution import Probe
from failoverd.probes.findings import Concluded, Finding
from failoverd.probes.http1.http1_exchange import Http1Exchange, request
from failoverd.probes.http1.http_url import HttpUrl
from failoverd.probes.http1.request_credentials import RequestCredentials, redact
from failoverd.probes.http1.request_fields import HeaderFields
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.body_expectations import BodyExpectations
from failoverd.probes.http_check.http_settings import WebSettings
from failoverd.probes.http_check.redirect_guard import refuse_metadata_name, refuse_nearer
from failoverd.probes.http_check.redirects import RedirectRefused, method_after, redirect_target
from failoverd.probes.http_check.response_judges import Collector
from failoverd.probes.tls.certificate_validity import Validity, WithValidity
from failoverd.probes.tls.trust_store import TrustStore
from failoverd.probes.transport.protocol import ClientProtocol, Destination, TlsOptions, is_address

_PATIENCE: Final = 0.9
"""The part of the time that is left which judging a body may take, so that it is not the endpoint that was late."""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """What a check asks and how, the same for all of its probes.

    Attributes:
        settings: what the policy says.
        credentials: the secret fields of requests.
        trusted: gives how to trust; for `http`, it is asked only where a redirect leads to https. Raises ConfigError.
        resume: seconds for which a TLS session may be taken up again.
        expires_within: seconds that a certificate has to be valid still.
        clock: seconds since the epoch.
    """

    settings: WebSettings
    credentials: RequestCredentials
    trusted: Callable[[], TrustStore]
    resume: float
    expires_within: float | None
    clock: Clock


class HttpSteps:
    """One probe.

    Args:
        http_check: what to ask.
        endpoint: whom to ask.
        start: what the first request is for.
        port: where the endpoint listens.
    """

    def __init__(self, http_check: HttpCheck, endpoint: Endpoint, start: HttpUrl, port: int) -> None:
        self._http_check = http_check
        self._endpoint = endpoint
        self._start = start
        self._port = port
        self._homes: list[str] = []
        self._fields: HeaderFields = ()
        self._spoilt: Finding | None = None

    async def __call__(self, probe: Probe) -> Finding:
        """Raises what a connection raises; a conclusion is returned, so that nothing that a server said escapes."""
        try:
            self._fields = self._http_check.credentials.fields()
        except ConfigError as error:
            return Finding(ProbeReason.CREDENTIAL_MISSING, str(error))
        try:
            found = await self._go(probe)
        except Concluded as concluded:
            found = concluded.finding
        if found.reason is ProbeReason.OK and self._spoilt is not None:
            found = self._spoilt
        return redact(found, self._fields)

    async def _go(self, probe: Probe) -> Finding:
        settings, wanted = self._http_check.settings, self._http_check.settings.wanted
        url, method = self._start, str(settings.method)
        seen: set[tuple[str, HttpUrl]] = set()
        while True:
            if (method, url) in seen:
                return Finding(ProbeReason.REDIRECT_LOOP, f"the redirects lead back to {url}")
            seen.add((method, url))
            follow = settings.redirects > 0
            statuses = StatusRules(settings.status, secret=bool(self._secrets(url)))
            answer = Collector(statuses, whole=wanted != BodyExpectations(), follow=follow)
            found = await self._ask(probe, url, method, answer)
            if answer.location is None:
                return await self._weigh(probe, wanted, answer, found) if answer.is_complete else found
            if len(seen) > settings.redirects:
                return Finding(ProbeReason.REDIRECT_LOOP, f"more than {settings.redirects} redirects")
            if found.reason is not ProbeReason.OK:
                self._spoilt = found
            method = method_after(answer.status, method)
            url = redirect_target(url, answer.location)

    # -- asking --------------------------------------------------------------------------------------------------------

    async def _ask(self, probe: Probe, url: HttpUrl, method: str, answer: Collector) -> Finding:
        asked = request(method, url.target, url.authority, dict(self._headers(url, method)), self._body(method))
        protocol: ClientProtocol = Http1Exchange(asked, answer, method=method)
        security = self._security(url)
        if security is not None:
            http_check = self._http_check
            protocol = WithValidity(protocol, Validity(http_check.clock(), http_check.expires_within))
        if url.host == self._start.host:
            port = self._port if url.origin == self._start.origin else url.port
            destination = Destination(self._endpoint.address, port, security, speaks_first=True)
            return await probe.exchange(destination, protocol, allow=self._note_home)
        if is_address(url.host):
            refuse_nearer(url.host, self._homes)
        else:
            refuse_metadata_name(url.host)
        return await probe.exchange(
            Destination(url.host, url.port, security, speaks_first=True), protocol, allow=self._may_go
        )

    def _note_home(self, address: str) -> bool:
        self._homes.append(address)
        return True

    def _may_go(self, address: str) -> bool:
        try:
            refuse_nearer(address, self._homes)
        except RedirectRefused:
            return False
        return True

    def _secrets(self, url: HttpUrl) -> HeaderFields:
        """What is secret goes to the origin that it was made for, and nowhere else."""
        return self._fields if url.origin == self._start.origin else ()

    def _headers(self, url: HttpUrl, method: str) -> HeaderFields:
        asked = self._http_check.settings
        fields = (*asked.headers, *self._secrets(url))
        if method == asked.method:
            return fields
        return tuple((name, value) for name, value in fields if not name.lower().startswith("content-"))

    def _body(self, method: str) -> bytes:
        asked = self._http_check.settings
        return asked.body.encode() if asked.body is not None and method == asked.method else b""

    def _security(self, url: HttpUrl) -> TlsOptions | None:
        """Raises Concluded when our own files cannot be used."""
        if url.scheme != "https":
            return None
        try:
            trusted = self._http_check.trusted()
            own = url.origin == self._start.origin
            context = trusted.context() if own else trusted.anonymous()
        except ConfigError as error:
            raise Concluded(Finding(ProbeReason.CREDENTIAL_MISSING, str(error))) from None
        return TlsOptions(context, url.host, self._http_check.resume, introduces=own and trusted.introduces)

    # -- judging -------------------------------------------------------------------------------------------------------

    async def _weigh(self, probe: Probe, wanted: BodyExpectations, answer: Collector, found: Finding) -> Finding:
        content = answer.content
        if wanted.is_cheap(len(content)):
            weighed = wanted.weigh(content, cut=answer.is_cut)
        else:
            weighed = await self._weigh_aside(probe, wanted, content, cut=answer.is_cut)
        if weighed.reason is ProbeReason.OK:
            return found._replace(detail=f"{found.detail}; {weighed.detail}")
        return weighed._replace(measures=found.measures)

    async def _weigh_aside(self, probe: Probe, wanted: BodyExpectations, content: bytes, *, cut: bool) -> Finding:
        """In a thread: the endpoint has answered, and no other probe waits until its answer is judged."""
        try:
            async with asyncio.timeout(probe.left() * _PATIENCE):
                return await asyncio.to_thread(wanted.weigh, content, cut=cut)
        except TimeoutError:
            return Finding(ProbeReason.PROBER_ERROR, "the answer came, and there was no time left to judge its body")
