"""Where in Azure something stands: what messages and commands for a person call it."""

from dataclasses import dataclass
from urllib.parse import quote

from failoverd.providers.azure.settings import AzureSettings


@dataclass(frozen=True, slots=True)
class GroupScope:
    """One resource group."""

    base_url: str
    subscription: str
    resource_group: str

    @classmethod
    def of(cls, settings: AzureSettings) -> "GroupScope":
        return cls(settings.base_url, settings.subscription, settings.resource_group)

    def url(self, resource: str, api_version: str) -> str:
        """The URL of a resource of Microsoft.Network in the group, such as `dnsZones/example.com/A/api`."""
        return (
            f"{self.base_url}/subscriptions/{self.subscription}/resourceGroups/{quote(self.resource_group)}"
            f"/providers/Microsoft.Network/{quote(resource)}?api-version={api_version}"
        )

    def __str__(self) -> str:
        return f"resource group {self.resource_group}"
