"""The `tls` check: a handshake, and nothing after it. Chain, name and time of the certificate have to be right."""

import ssl
from typing import Final, Literal

from pydantic import Field

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import settings_of, start_exchange, start_known
from failoverd.probes.field_types import Host
from failoverd.probes.findings import Finding, Phase
from failoverd.probes.tls.certificate_settings import SecuredSettings
from failoverd.probes.tls.certificate_validity import Validity, WithValidity
from failoverd.probes.tls.trust_store import TrustStore
from failoverd.probes.transport.protocol import ClientTransport, Destination, TlsOptions
from failoverd.settings import Port

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsSettings(SecuredSettings):
    """Whether a server can prove who it is."""

    tls: Port = Field(description="port to connect to; the port of an endpoint, where it has one, comes first")
    host: Host | None = Field(
        default=None,
        description="name to ask for (SNI), which the certificate has to be for; without it, the endpoint's address",
    )
    minimum_version: Literal["1.2", "1.3"] = Field(default="1.2", description="oldest version of TLS that passes")
    protocol: str | None = Field(
        default=None,
        pattern=r"^[!-~]{1,255}$",
        description="application protocol (ALPN) that the server has to agree on, such as h2",
    )


class HandshakeOnly:
    """A `ClientProtocol` that says nothing: that the peer has proved itself is all."""

    def __init__(self, name: str, protocol: str | None) -> None:
        self._name = name
        self._protocol = protocol

    def opened(self, transport: ClientTransport) -> Finding:
        transport.enter(Phase.ANSWER)
        agreed = transport.alpn()
        if self._protocol is not None and agreed != self._protocol:
            words = f"it does not agree on {self._protocol}" + (f", but on {agreed}" if agreed else "")
            return Finding(ProbeReason.TLS_FAILED, words)
        return Finding(ProbeReason.OK, f"the certificate is right for {self._name}")

    def received(self, data: bytes) -> Finding | None:
        raise NotImplementedError

    def ended(self) -> Finding:
        raise NotImplementedError


class TlsProber:
    """One `tls` check. PASS when the handshake is done.

    Raises ConfigError when a file that the check names cannot be used.
    """

    def __init__(self, check: Check, settings: TlsSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock
        alpn = () if settings.protocol is None else (settings.protocol,)
        self._trusted = TrustStore(
            settings.ca_file, settings.identity, alpn=alpn, minimum=_VERSIONS[settings.minimum_version]
        )

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        settings = self._settings
        name = settings.host or endpoint.address
        try:
            security = TlsOptions(self._trusted.context(), name, introduces=self._trusted.introduces)
        except ConfigError as error:
            finding = Finding(ProbeReason.CREDENTIAL_MISSING, str(error))
            return start_known(self._check, endpoint, self._clock, finding, tell)
        destination = Destination(endpoint.address, endpoint.port or settings.tls, security)
        validity = Validity(self._clock(), settings.certificate_expires_within)
        protocol = WithValidity(HandshakeOnly(name, settings.protocol), validity)
        return start_exchange(self._check, endpoint, self._clock, settings.slow, destination, protocol, tell)


def open_tls(check: Check, context: ProbeContext) -> TlsProber:
    return TlsProber(check, settings_of(check, TlsSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("tls", TlsSettings, open_tls),)
