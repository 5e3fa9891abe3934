"""One module per provider kind. A module imports its SDK when a provider of that kind is opened, never before."""

from importlib import import_module
from typing import cast

from failoverd.ports import ProviderKind

_MODULES = {
    "embedded": "failoverd.providers.embedded",
    "rfc2136": "failoverd.providers.rfc2136",
}
"""Kind to module. Adding a provider is one module that exports `KIND`, and one line here."""


def kinds() -> dict[str, ProviderKind]:
    """Every provider kind by name."""
    return {name: cast("ProviderKind", import_module(module).KIND) for name, module in _MODULES.items()}
