"""What checks have in common that ask an HTTP service for documents: where it listens, and what a request carries."""

from dataclasses import dataclass

from pydantic import Field

from failoverd.core.records import Endpoint
from failoverd.ports import Clock
from failoverd.probes.field_types import Host
from failoverd.probes.http1.http1_exchange import request
from failoverd.probes.http1.http_url import PORTS, HttpUrl
from failoverd.probes.http1.request_fields import HeaderFields, RequestHeaders
from failoverd.probes.tls.certificate_settings import TlsOptionalSettings
from failoverd.probes.tls.certificate_validity import Validity, WithValidity
from failoverd.probes.tls.trust_store import TrustStore
from failoverd.probes.transport.protocol import ClientProtocol, Destination, TlsOptions
from failoverd.settings import Port


class ServiceSettings(TlsOptionalSettings):
    """Where a service is asked, and how."""

    port: Port | None = Field(
        default=None, description="port to connect to, if not 80, or 443 with tls; the port of an endpoint comes first"
    )
    host: Host | None = Field(
        default=None,
        description="name to ask for: the Host header, with tls the SNI and the name in the certificate too; "
        "without it, the endpoint's own address",
    )
    headers: RequestHeaders = Field(default=(), description="more headers of each request; secrets come from files")


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request as it is sent, and where to. `validity` is what its certificate is held against; None without TLS."""

    destination: Destination
    request: bytes
    validity: Validity | None

    def over(self, protocol: ClientProtocol) -> ClientProtocol:
        """The protocol, with TLS one that also says how long the certificate is valid."""
        return protocol if self.validity is None else WithValidity(protocol, self.validity)


class HttpService:
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
        self._trusted = TrustStore(settings.ca_file, settings.identity) if settings.tls else None

    def ask(
        self, endpoint: Endpoint, target: str, *, method: str = "GET", fields: HeaderFields = (), body: bytes = b""
    ) -> ServiceRequest:
        """One request. `fields` come over the check's own headers. Raises ConfigError when our files are gone."""
        settings = self._settings
        scheme = "http" if self._trusted is None else "https"
        port = endpoint.port or settings.port or PORTS[scheme]
        url = HttpUrl(scheme, settings.host or endpoint.address, PORTS[scheme] if settings.host else port, target)
        security, validity = None, None
        if self._trusted is not None:
            security = TlsOptions(self._trusted.context(), url.host, introduces=self._trusted.introduces)
            validity = Validity(self._clock(), settings.certificate_expires_within)
        asked = request(method, target, url.authority, dict((*settings.headers, *fields)), body)
        return ServiceRequest(Destination(endpoint.address, port, security, speaks_first=True), asked, validity)
