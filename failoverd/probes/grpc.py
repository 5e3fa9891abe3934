"""The `grpc` check: a server is asked for its health, by Check or by Watch of gRPC's health checking protocol."""

from typing import Final, Self

from pydantic import Field, model_validator

from failoverd.core.errors import ConfigError
from failoverd.core.records import Check, Endpoint, ProbeReason
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.certificates import Attested, Validity
from failoverd.probes.conversation import Conversation, Destination, Security
from failoverd.probes.credentials import Credentials, hush
from failoverd.probes.grpc_call import HealthCall, Method
from failoverd.probes.look import Look, settings_of, start_call, start_visit
from failoverd.probes.reasons import Finding
from failoverd.probes.trust import Identity, Trusted
from failoverd.probes.web_settings import Fields, File, Headers, Host, SecuredSettings
from failoverd.settings import Port

_PORT: Final = 50_051
_SECURED_PORT: Final = 443
_RESERVED: Final = ("grpc-", "content-type", "user-agent")
_ALPN: Final = ("h2",)


class GrpcSettings(SecuredSettings):
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
    tls: bool = Field(default=False, description="speak TLS, and verify the certificate")
    host: Host | None = Field(
        default=None,
        description="name to ask for (:authority), with tls the SNI and the name in the certificate too; without it, "
        "the endpoint's own address",
    )
    metadata: Headers = Field(default=(), description="more metadata of the call; secrets come from files")
    authorization_file: File | None = Field(
        default=None,
        description="absolute path of a file with a bearer token, or a whole authorization value; read when it changes",
    )

    @model_validator(mode="after")
    def _metadata_is_the_callers(self) -> Self:
        for name, _ in self.metadata:
            if name.lower().startswith(_RESERVED) or name.lower().endswith("-bin"):
                raise ValueError(f"{name[:40]} is not for a check to set: it belongs to gRPC, or is not text")
        return self

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        for key in ("ca_file", "client_certificate", "certificate_expires_within"):
            if not self.tls and getattr(self, key) is not None:
                raise ValueError(f"{key} has no effect without tls: add tls: true")
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
        self._credentials = Credentials(settings.authorization_file, None)
        self._trusted = _trusted(settings) if settings.tls else None

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """See `ports.Prober`."""
        try:
            secrets = self._credentials.fields()
            destination = self._destination(endpoint)
        except ConfigError as error:
            return self._blind(endpoint, str(error), tell)
        call = self._call(destination, secrets)
        if not secrets:
            return start_call(self._check, endpoint, self._clock, self._settings.slow, destination, call, tell)

        async def visit(look: Look) -> Finding:
            return hush(await look.call(destination, call), secrets)

        return start_visit(self._check, endpoint, self._clock, self._settings.slow, visit, tell)

    def _destination(self, endpoint: Endpoint) -> Destination:
        """Raises ConfigError when our own files cannot be used any more."""
        settings, security = self._settings, None
        if self._trusted is not None:
            security = Security(self._trusted.context(), settings.host or endpoint.address)
        port = endpoint.port or settings.port or (_PORT if security is None else _SECURED_PORT)
        return Destination(endpoint.address, port, security, speaks_first=True)

    def _call(self, destination: Destination, secrets: Fields) -> Conversation:
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
        return Attested(call, Validity(self._clock(), settings.certificate_expires_within)) if secured else call

    def _blind(self, endpoint: Endpoint, words: str, tell: Tell) -> Cancel:
        async def visit(_: Look) -> Finding:
            return Finding(ProbeReason.CREDENTIAL_MISSING, words)

        return start_visit(self._check, endpoint, self._clock, None, visit, tell)


def _trusted(settings: GrpcSettings) -> Trusted:
    shown = settings.client_certificate
    identity = None if shown is None else Identity(shown.certificate_file, shown.key_file)
    return Trusted(settings.ca_file, identity, alpn=_ALPN)


def _authority(destination: Destination) -> str:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return f"{host}:{destination.port}"


def open_grpc(check: Check, context: ProbeContext) -> GrpcProber:
    """Raises ConfigError when there is no authority to trust, or a file that the check names cannot be used."""
    return GrpcProber(check, settings_of(check, GrpcSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("grpc", GrpcSettings, open_grpc),)
