"""What a configuration file says about one OCI tenancy, whichever of its services steers the traffic."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from failoverd.settings import DnsName, Duration, FilePath, Needed, ProviderSettings

Ocid = Annotated[str, Field(pattern=r"^ocid1\.[A-Za-z0-9_.-]+$", max_length=255)]
Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9._-]+(:\d{1,5})?$")]


class Auth(StrEnum):
    """Who failoverd is for OCI."""

    CONFIG = "config"  # a profile of the OCI configuration file: a user's key, or a session token
    INSTANCE_PRINCIPAL = "instance_principal"  # the compute instance that it runs on
    RESOURCE_PRINCIPAL = "resource_principal"  # the function or container instance that it runs as
    WORKLOAD_IDENTITY = "workload_identity"  # its service account in a Kubernetes cluster of OCI (OKE)


class OciSettings(ProviderSettings):
    """Oracle Cloud Infrastructure, reached as a user, an instance or a workload."""

    zone_ids: dict[DnsName, Ocid] = Field(
        default_factory=dict, description="OCID of the zone, by zone; otherwise the public zone of that name"
    )
    auth: Annotated[Auth, Field(strict=False)] = Field(
        default=Auth.CONFIG, description="how OCI knows failoverd: by a configuration file, or by where it runs"
    )
    config_file: FilePath | None = Field(
        default=None, description="OCI configuration file in place of ~/.oci/config; read anew when it changes"
    )
    profile: str = Field(default="DEFAULT", min_length=1, description="profile of the OCI configuration file")
    region: str | None = Field(
        default=None, min_length=1, description="region whose API is called, where the credentials do not say it"
    )
    endpoint: Url | None = Field(default=None, description="URL of the DNS API, where it is not the public one")
    ca_file: FilePath | None = Field(default=None, description="certificates (PEM) that may sign for the API")
    timeout: Duration = Field(default=5.0, gt=0, description="how long one request may go unanswered")
    requests_per_second: float = Field(
        default=10.0, gt=0, strict=False, description="how many requests a second may be sent; OCI names no number"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        unknown = sorted(set(self.zone_ids) - set(self.zones))
        if unknown:
            raise ValueError(f"`zone_ids` names {', '.join(unknown)}, which `zones` does not")
        if self.auth is not Auth.CONFIG and self.config_file is not None:
            raise ValueError(f"`auth: {self.auth}` reads no `config_file`: leave one of them out")
        return self


NEEDS: Final = (
    Needed(
        "auth",
        "how OCI knows failoverd: config (a file with a user's key), instance_principal, resource_principal or "
        "workload_identity",
        "config",
    ),
    Needed(
        "config_file",
        "the OCI configuration file; nothing: ~/.oci/config of the user that the daemon runs as, or none",
        optional=True,
        make="install -m 600 ~/.oci/config {file}  # and the key file that it names",
    ),
)
