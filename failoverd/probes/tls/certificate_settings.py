"""What a policy may say about certificates: whom to trust, who we are, how long they have to be valid."""

from typing import Self

from pydantic import Field, model_validator

from failoverd.probes.field_types import AbsolutePath
from failoverd.probes.tls.trust_store import ClientIdentity
from failoverd.settings import CheckSettings, Duration, Settings


class ClientCertificate(Settings):
    """Who we are, for servers that ask: two PEM files, read again when they change."""

    certificate_file: AbsolutePath = Field(description="absolute path of a PEM file: our certificate, and its chain")
    key_file: AbsolutePath = Field(description="absolute path of a PEM file: its private key, without a pass phrase")


class SecuredSettings(CheckSettings):
    """What every check says that verifies a certificate."""

    ca_file: AbsolutePath | None = Field(
        default=None,
        description="absolute path of a PEM file with the authorities to trust, instead of the system's",
    )
    client_certificate: ClientCertificate | None = Field(
        default=None, description="our own certificate, for servers that ask for one"
    )
    certificate_expires_within: Duration | None = Field(
        default=None,
        description="a certificate, or one of those that vouch for it, that is valid for less than this is DEGRADED, "
        "such as 7d",
    )

    @property
    def identity(self) -> ClientIdentity | None:
        """As whom we introduce ourselves."""
        shown = self.client_certificate
        return None if shown is None else ClientIdentity(shown.certificate_file, shown.key_file)


class TlsOptionalSettings(SecuredSettings):
    """What every check says that verifies a certificate if it speaks TLS."""

    tls: bool = Field(default=False, description="speak TLS, and verify the certificate")

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        for key in ("ca_file", "client_certificate", "certificate_expires_within"):
            if not self.tls and getattr(self, key) is not None:
                raise ValueError(f"{key} has no effect without tls: add tls: true")
        return self
