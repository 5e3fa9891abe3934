"""One package per provider kind. It imports its SDK when a provider of that kind is opened, never before."""

from collections.abc import Mapping
from types import ModuleType

from failoverd.ports import ProviderKind
from failoverd.registry import Registry

_MODULES = {
    "embedded": "failoverd.providers.embedded",
    "rfc2136": "failoverd.providers.rfc2136",
    "powerdns": "failoverd.providers.powerdns",
    "route53": "failoverd.providers.route53",
    "azure_dns": "failoverd.providers.azure_dns",
    "azure_traffic_manager": "failoverd.providers.azure_traffic_manager",
    "oci_dns": "failoverd.providers.oci_dns",
    "oci_steering": "failoverd.providers.oci_steering",
}
"""Kind to the package that exports its `KIND`. What else a new one needs is in CONTRIBUTING.md: "Adding a provider"."""


def kinds() -> Mapping[str, ProviderKind]:
    """Every provider kind by name. A module is imported when its kind is asked for."""
    return Registry(_MODULES, _kind)


def _kind(module: ModuleType, _: str) -> ProviderKind:
    found: ProviderKind = module.KIND
    return found
