"""What a configuration file says about zones of Azure DNS."""

from failoverd.providers.azure.settings import AzureSettings


class AzureDnsSettings(AzureSettings):
    """Public zones of Azure DNS in one resource group."""
