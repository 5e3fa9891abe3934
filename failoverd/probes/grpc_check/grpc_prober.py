"""The `grpc` check: a server is asked for its health, by Check or by Watch of gRPC's health checking protocol."""

from typing import Final, Self

from pydantic import Field, model_validator

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import Probe, settings_of, start_exchange, start_known, start_steps
from failoverd.probes.field_types import Host, SecretPath
from failoverd.probes.findings import Finding
from failoverd.probes.grpc_check.health_call import HealthCall, Method
from failoverd.probes.http1.request_credentials import RequestCredentials, redact
from failoverd.probes.http1.request_fields import HeaderFields, RequestHeaders
from failoverd.probes.tls.certificate_settings import TlsOptionalSettings
from failoverd.probes.tls.certificate_validity import Validity, WithValidity
from failoverd.probes.tls.trust_store import TrustStore
from failoverd.probes.transport.protocol import ClientProtocol, Destination, TlsOptions
from failoverd.settings import Port

_PORT: Final = 50_051
_SECURED_PORT: Final = 443
_RESERVED: Final = ("grpc-", "content-type", "user-agent")
_ALPN: Final = ("h2",)


class GrpcSettings(TlsOptionalSettings):
    """Whether a gRPC server says of itself, or of one of its services, that it serves."""

    grpc: str = Field(
        max_length=1_000,
        pattern=r"^[!-~]*$",
        description='service to ask about, such as inference.v1.Models; "" asks about the server as a whole',
    )
    watch: bool = Field(
        default=False, description="ask by Watch, of which the first message counts, instead of by Check"
    )
    port: Port | None = Field(
        default=None,
        description="port to connect to, if not 50051, or 443 with tls; the port of an endpoint comes first",
    )
    host: Host | None = Field(
        default=None,
        description="name to ask for (:authority), with tls the SNI and the name in the certificate too; without it, "
        "the endpoint's own address",
    )
    metadata: RequestHeaders = Field(default=(), description="more metadata of the call; secrets come from files")
    authorization_file: SecretPath | None = Field(
        default=None,
        description="absolute path of a file with a bearer token, or a whole authorization value; read when it changes",
    )

    @model_validator(mode="after")
    def _metadata_is_the_callers(self) -> Self:
        for name, _ in self.metadata:
            if name.lower().startswith(_RESERVED) or name.lower().endswith("-bin"):
                raise ValueError(f"{name[:40]} is not for a check to set: it belongs to gRPC, or is not text")
        return self


class GrpcProber:
    """One `grpc` check.

    Raises ConfigError when a file that the check names cannot be used.
    """

    def __init__(self, check: Check, settings: GrpcSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock
        self._method = Method.WATCH if settings.watch else Method.CHECK
        self._credentials = RequestCredentials(settings.authorization_file, None)
        self._trusted = TrustStore(settings.ca_file, settings.identity, alpn=_ALPN) if settings.tls else None

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """See `ports.Prober`."""
        try:
            secrets = self._credentials.fields()
            destination = self._destination(endpoint)
        except ConfigError as error:
            finding = Finding(ProbeReason.CREDENTIAL_MISSING, str(error))
            return start_known(self._check, endpoint, self._clock, finding, tell)
        call = self._call(destination, secrets)
        if not secrets:
            return start_exchange(self._check, endpoint, self._clock, self._settings.slow, destination, call, tell)

        async def steps(probe: Probe) -> Finding:
            return redact(await probe.exchange(destination, call), secrets)

        return start_steps(self._check, endpoint, self._clock, self._settings.slow, steps, tell)

    def _destination(self, endpoint: Endpoint) -> Destination:
        """Raises ConfigError when our own files cannot be used any more."""
        settings, security = self._settings, None
        if self._trusted is not None:
            name = settings.host or endpoint.address
            security = TlsOptions(self._trusted.context(), name, introduces=self._trusted.introduces)
        port = endpoint.port or settings.port or (_PORT if security is None else _SECURED_PORT)
        return Destination(endpoint.address, port, security, speaks_first=True)

    def _call(self, destination: Destination, secrets: HeaderFields) -> ClientProtocol:
        settings = self._settings
        secured = destination.security is not None
        call = HealthCall(
            settings.grpc,
            self._method,
            authority=settings.host or _authority(destination),
            secured=secured,
            timeout=self._check.timeout,
            metadata=(*settings.metadata, *secrets),
            authorized=bool(secrets),
        )
        return WithValidity(call, Validity(self._clock(), settings.certificate_expires_within)) if secured else call


def _authority(destination: Destination) -> str:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return f"{host}:{destination.port}"


def open_grpc(check: Check, context: ProbeContext) -> GrpcProber:
    """Raises ConfigError when there is no authority to trust, or a file that the check names cannot be used."""
    return GrpcProber(check, settings_of(check, GrpcSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("grpc", GrpcSettings, open_grpc),)
