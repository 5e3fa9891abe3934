"""What a configuration file says about a resource group of one Azure subscription, and how to sign in to it."""

from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, model_validator

from failoverd.settings import Duration, FilePath, Needed, ProviderSettings, Settings

Url = Annotated[str, Field(pattern=r"^https://[^\s/?#@]+$")]
"""Without a path. Always TLS: a bearer token goes along with every request."""

Guid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
Tenant = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")]
ResourceGroup = Annotated[str, Field(pattern=r"^[\w().-]{0,89}[\w()-]$")]

PUBLIC_ENDPOINT: Final = "https://management.azure.com"
_SECRETS = frozenset({"client_secret", "certificate", "password", "token", "secret"})


class CredentialSettings(Settings):
    """One way to sign in, named by its file, or `managed_identity`. Files are read anew when they change."""

    model_config = ConfigDict(hide_input_in_errors=True)

    tenant_id: Tenant | None = Field(default=None, description="tenant of the application: its id, or a domain of it")
    client_id: Guid | None = Field(
        default=None, description="application (client) id; with `managed_identity`, of the user-assigned one"
    )
    client_secret_file: FilePath | None = Field(default=None, description="file with a client secret alone")
    certificate_file: FilePath | None = Field(
        default=None, description="PEM file with the application's certificate and its private key, not encrypted"
    )
    token_file: FilePath | None = Field(
        default=None, description="file with a federated token (workload identity), which somebody else keeps fresh"
    )
    managed_identity: bool = Field(default=False, description="the identity that Azure gives to this machine")

    @model_validator(mode="before")
    @classmethod
    def _no_inline_secret(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file said
        if isinstance(data, dict) and _SECRETS & data.keys():
            raise ValueError(
                "a secret does not belong in this file, which is read, reviewed and committed: put it in a file of its "
                "own that only the service can read, name that file with `client_secret_file`, `certificate_file` or "
                "`token_file`, and make a new secret, for this one may have been seen"
            )
        return data

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        files = [file for file in (self.client_secret_file, self.certificate_file, self.token_file) if file is not None]
        if len(files) + self.managed_identity != 1:
            raise ValueError(
                "say one way to sign in: `client_secret_file`, `certificate_file`, `token_file` or `managed_identity`; "
                "without `credential`, the standard chain of the Azure SDK finds one"
            )
        if files and (self.tenant_id is None or self.client_id is None):
            raise ValueError("an application signs in with `tenant_id` and `client_id` beside its file")
        if self.managed_identity and self.tenant_id is not None:
            raise ValueError("a managed identity belongs to one tenant already: remove `tenant_id`")
        return self


class AzureSettings(ProviderSettings):
    """One resource group of one subscription."""

    model_config = ConfigDict(hide_input_in_errors=True)

    subscription: Guid = Field(description="id of the subscription")
    resource_group: ResourceGroup = Field(description="resource group that holds what is written")
    credential: CredentialSettings | None = Field(
        default=None, description="how to sign in; otherwise the standard chain of the Azure SDK"
    )
    endpoint: Url | None = Field(
        default=None, description="URL of Azure Resource Manager, where it is not https://management.azure.com"
    )
    authority: Url | None = Field(
        default=None, description="URL that issues tokens, where it is not https://login.microsoftonline.com"
    )
    ca_file: FilePath | None = Field(default=None, description="certificates (PEM) that may sign for both URLs")
    timeout: Duration = Field(default=5.0, gt=0, description="how long one request may go unanswered")

    @property
    def base_url(self) -> str:
        return self.endpoint or PUBLIC_ENDPOINT


NEEDS: Final = (
    Needed("subscription", "the id of the subscription"),
    Needed("resource_group", "the resource group that holds what is written"),
    Needed(
        "credential.client_secret_file",
        "a file with the client secret of an application; nothing: what the Azure SDK finds by itself, as this "
        "machine's managed identity",
        optional=True,
        make="install -m 600 /dev/stdin {file}  # paste the client secret, then Ctrl-D",
    ),
    Needed("credential.tenant_id", "the application's tenant", only_with="credential.client_secret_file"),
    Needed("credential.client_id", "the application's (client) id", only_with="credential.client_secret_file"),
)
