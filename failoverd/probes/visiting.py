"""A look at a web server in several steps: redirects are followed, and bodies judged as a whole.

A redirect to the name that the check asks for is asked of the same endpoint, not of whatever DNS answers for that name:
that may be another region, whose health is not the question here. Every other name is looked up, and where it leads is
judged before anything is sent there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.core.errors import ConfigError
from failoverd.core.records import Endpoint, ProbeReason
from failoverd.ports import Clock
from failoverd.probes.certificates import Attested, Validity
from failoverd.probes.conversation import Conversation, Destination, Security, is_address
from failoverd.probes.credentials import Credentials, hush
from failoverd.probes.exchange import Exchange, request
from failoverd.probes.expectations import Wanted
from failoverd.probes.judging import Collector, Statuses
from failoverd.probes.look import Look
from failoverd.probes.reach import refuse_nearer
from failoverd.probes.reasons import Concluded, Finding
from failoverd.probes.redirects import Place, Refused, lead, method_after
from failoverd.probes.trust import Trusted
from failoverd.probes.web_settings import Fields, WebSettings

_PATIENCE: Final = 0.9
"""The part of the time that is left which judging a body may take, so that it is not the endpoint that was late."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a check asks and how, the same for all of its looks.

    Attributes:
        settings: what the policy says.
        credentials: the secret fields of requests.
        trusted: gives how to trust; for `http`, it is asked only where a redirect leads to https. Raises ConfigError.
        resume: seconds for which a TLS session may be taken up again.
        expires_within: seconds that a certificate has to be valid still.
        clock: seconds since the epoch.
    """

    settings: WebSettings
    credentials: Credentials
    trusted: Callable[[], Trusted]
    resume: float
    expires_within: float | None
    clock: Clock


class Visit:
    """One look.

    Args:
        errand: what to ask.
        endpoint: whom to ask.
        start: what the first request is for.
        port: where the endpoint listens.
    """

    def __init__(self, errand: Errand, endpoint: Endpoint, start: Place, port: int) -> None:
        self._errand = errand
        self._endpoint = endpoint
        self._start = start
        self._port = port
        self._homes: list[str] = []
        self._fields: Fields = ()
        self._spoilt: Finding | None = None

    async def __call__(self, look: Look) -> Finding:
        """Raises what a connection raises; a conclusion is returned, so that nothing that a server said escapes."""
        try:
            self._fields = self._errand.credentials.fields()
        except ConfigError as error:
            return Finding(ProbeReason.CREDENTIAL_MISSING, str(error))
        try:
            found = await self._go(look)
        except Concluded as concluded:
            found = concluded.finding
        if found.reason is ProbeReason.OK and self._spoilt is not None:
            found = self._spoilt
        return hush(found, self._fields)

    async def _go(self, look: Look) -> Finding:
        settings, wanted = self._errand.settings, self._errand.settings.wanted
        place, method = self._start, str(settings.method)
        seen: set[tuple[str, Place]] = set()
        while True:
            if (method, place) in seen:
                return Finding(ProbeReason.REDIRECT_LOOP, f"the redirects lead back to {place}")
            seen.add((method, place))
            follow = settings.redirects > 0
            statuses = Statuses(settings.status, secret=bool(self._secrets(place)))
            answer = Collector(statuses, whole=wanted != Wanted(), follow=follow)
            found = await self._ask(look, place, method, answer)
            if answer.location is None:
                return await self._weigh(look, wanted, answer, found) if answer.is_complete else found
            if len(seen) > settings.redirects:
                return Finding(ProbeReason.REDIRECT_LOOP, f"more than {settings.redirects} redirects")
            if found.reason is not ProbeReason.OK:
                self._spoilt = found
            method = method_after(answer.status, method)
            place = lead(place, answer.location)

    # -- asking --------------------------------------------------------------------------------------------------------

    async def _ask(self, look: Look, place: Place, method: str, answer: Collector) -> Finding:
        asked = request(method, place.target, place.authority, dict(self._headers(place, method)), self._body(method))
        conversation: Conversation = Exchange(asked, answer, method=method)
        security = self._security(place)
        if security is not None:
            errand = self._errand
            conversation = Attested(conversation, Validity(errand.clock(), errand.expires_within))
        if place.host == self._start.host:
            port = self._port if place.origin == self._start.origin else place.port
            destination = Destination(self._endpoint.address, port, security, speaks_first=True)
            return await look.call(destination, conversation, allow=self._note_home)
        if is_address(place.host):
            refuse_nearer(place.host, self._homes)
        return await look.call(
            Destination(place.host, place.port, security, speaks_first=True), conversation, allow=self._may_go
        )

    def _note_home(self, address: str) -> bool:
        self._homes.append(address)
        return True

    def _may_go(self, address: str) -> bool:
        try:
            refuse_nearer(address, self._homes)
        except Refused:
            return False
        return True

    def _secrets(self, place: Place) -> Fields:
        """What is secret goes to the origin that it was made for, and nowhere else."""
        return self._fields if place.origin == self._start.origin else ()

    def _headers(self, place: Place, method: str) -> Fields:
        asked = self._errand.settings
        fields = (*asked.headers, *self._secrets(place))
        if method == asked.method:
            return fields
        return tuple((name, value) for name, value in fields if not name.lower().startswith("content-"))

    def _body(self, method: str) -> bytes:
        asked = self._errand.settings
        return asked.body.encode() if asked.body is not None and method == asked.method else b""

    def _security(self, place: Place) -> Security | None:
        """Raises Concluded when our own files cannot be used."""
        if place.scheme != "https":
            return None
        try:
            trusted = self._errand.trusted()
            own = place.origin == self._start.origin
            context = trusted.context() if own else trusted.anonymous()
        except ConfigError as error:
            raise Concluded(Finding(ProbeReason.CREDENTIAL_MISSING, str(error))) from None
        return Security(context, place.host, self._errand.resume)

    # -- judging -------------------------------------------------------------------------------------------------------

    async def _weigh(self, look: Look, wanted: Wanted, answer: Collector, found: Finding) -> Finding:
        content = answer.content
        if wanted.is_cheap(len(content)):
            weighed = wanted.weigh(content, cut=answer.is_cut)
        else:
            weighed = await self._weigh_aside(look, wanted, content, cut=answer.is_cut)
        if weighed.reason is ProbeReason.OK:
            return found._replace(detail=f"{found.detail}; {weighed.detail}")
        return weighed._replace(measures=found.measures)

    async def _weigh_aside(self, look: Look, wanted: Wanted, content: bytes, *, cut: bool) -> Finding:
        """In a thread: the endpoint has answered, and no other look waits until its answer is judged."""
        try:
            async with asyncio.timeout(look.left() * _PATIENCE):
                return await asyncio.to_thread(wanted.weigh, content, cut=cut)
        except TimeoutError:
            return Finding(ProbeReason.PROBER_ERROR, "the answer came, and there was no time left to judge its body")
