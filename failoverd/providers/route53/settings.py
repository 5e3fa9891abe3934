"""What a configuration file says about one AWS account whose hosted zones are steered."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from failoverd.settings import DnsName, Duration, FilePath, Needed, ProviderSettings

HostedZoneId = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,32}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")]


class Route53Settings(ProviderSettings):
    """Amazon Route 53, reached with the credentials that the AWS SDK finds by itself, or with those named here."""

    hosted_zones: dict[DnsName, HostedZoneId] = Field(
        default_factory=dict, description="id of the hosted zone, by zone; otherwise the public zone of that name"
    )
    profile: str | None = Field(
        default=None, min_length=1, description="profile of the AWS configuration; it may name a role to assume"
    )
    credentials_file: FilePath | None = Field(
        default=None, description="AWS credentials file, read anew when it changes, in place of ~/.aws/credentials"
    )
    region: str = Field(default="us-east-1", min_length=1, description="region to sign for; it selects the partition")
    endpoint: Url | None = Field(default=None, description="URL of the API, where it is not the public one")
    ca_file: FilePath | None = Field(default=None, description="certificates (PEM) that may sign for the API")
    timeout: Duration = Field(default=5.0, gt=0, description="how long one request may go unanswered")
    requests_per_second: float = Field(
        default=5.0, gt=0, strict=False, description="how much of the account's five requests a second may be used"
    )

    @model_validator(mode="after")
    def _ids_of_own_zones(self) -> Self:
        unknown = sorted(set(self.hosted_zones) - set(self.zones))
        if unknown:
            raise ValueError(f"`hosted_zones` names {', '.join(unknown)}, which `zones` does not")
        return self


NEEDS: Final = (
    Needed(
        "credentials_file",
        "a file with AWS credentials; nothing: those that the AWS SDK finds by itself, as those of this machine's role",
        optional=True,
        make="install -m 600 ~/.aws/credentials {file}",
    ),
)
