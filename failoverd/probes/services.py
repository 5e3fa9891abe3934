"""What checks have in common that ask an HTTP service for documents: where it listens, and what a request carries."""

from dataclasses import dataclass
from typing import Final, Self

from pydantic import Field, model_validator

from failoverd.core.records import Endpoint
from failoverd.ports import Clock
from failoverd.probes.certificates import Attested, Validity
from failoverd.probes.conversation import Conversation, Destination, Security
from failoverd.probes.exchange import request
from failoverd.probes.redirects import PORTS, Place
from failoverd.probes.trust import Identity, Trusted
from failoverd.probes.web_settings import Fields, Headers, Host, SecuredSettings
from failoverd.settings import Port

_ONLY_WITH_TLS: Final = ("ca_file", "client_certificate", "certificate_expires_within")


class ServiceSettings(SecuredSettings):
    """Where a service is asked, and how."""

    port: Port | None = Field(
        default=None, description="port to connect to, if not 80, or 443 with tls; the port of an endpoint comes first"
    )
    tls: bool = Field(default=False, description="speak HTTPS, and verify the certificate")
    host: Host | None = Field(
        default=None,
        description="name to ask for: the Host header, with tls the SNI and the name in the certificate too; "
        "without it, the endpoint's own address",
    )
    headers: Headers = Field(default=(), description="more headers of each request; secrets come from files")

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        for key in _ONLY_WITH_TLS:
            if not self.tls and getattr(self, key) is not None:
                raise ValueError(f"{key} has no effect without tls: add tls: true")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is sent, and where to. `validity` is what its certificate is held against; None without TLS."""

    destination: Destination
    request: bytes
    validity: Validity | None

    def over(self, conversation: Conversation) -> Conversation:
        """The conversation, with TLS one that also says how long the certificate is valid."""
        return conversation if self.validity is None else Attested(conversation, self.validity)


class Service:
    """How one check asks.

    Args:
        settings: what the policy says.
        clock: seconds since the epoch.

    Raises:
        ConfigError: a file that the check names cannot be used.
    """

    def __init__(self, settings: ServiceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._trusted = _trusted(settings) if settings.tls else None

    def ask(
        self, endpoint: Endpoint, target: str, *, method: str = "GET", fields: Fields = (), body: bytes = b""
    ) -> Asked:
        """One request. `fields` come over the check's own headers. Raises ConfigError when our files are gone."""
        settings = self._settings
        scheme = "http" if self._trusted is None else "https"
        port = endpoint.port or settings.port or PORTS[scheme]
        place = Place(scheme, settings.host or endpoint.address, PORTS[scheme] if settings.host else port, target)
        security, validity = None, None
        if self._trusted is not None:
            security = Security(self._trusted.context(), place.host)
            validity = Validity(self._clock(), settings.certificate_expires_within)
        asked = request(method, target, place.authority, dict((*settings.headers, *fields)), body)
        return Asked(Destination(endpoint.address, port, security, speaks_first=True), asked, validity)


def _trusted(settings: ServiceSettings) -> Trusted:
    shown = settings.client_certificate
    identity = None if shown is None else Identity(shown.certificate_file, shown.key_file)
    return Trusted(settings.ca_file, identity)
