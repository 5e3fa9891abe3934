"""Kinds that are imported when they are asked for, and not before."""

import sys
from types import ModuleType

import pytest

from failoverd import probes, providers
from failoverd.registry import Registry


def picked(module: ModuleType, name: str) -> str:
    return f"{name} of {module.__name__}"


def test_a_module_is_imported_by_who_asks_for_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    registry = Registry({"zen": "this", "text": "string"}, picked)
    assert (len(registry), list(registry)) == (2, ["zen", "text"])
    assert ("zen" in registry, "nothing" in registry) == (True, False)
    assert registry["text"] == "text of string"
    assert "this" not in sys.modules


def test_what_is_not_installed_is_a_missing_key() -> None:
    with pytest.raises(KeyError):
        Registry({}, picked)["zen"]


@pytest.mark.parametrize("name", sorted(probes.kinds()))
def test_each_check_kind_is_found_under_its_own_name(name: str) -> None:
    assert probes.kinds()[name].name == name


@pytest.mark.parametrize("name", sorted(providers.kinds()))
def test_each_provider_kind_is_found_under_its_own_name(name: str) -> None:
    assert providers.kinds()[name].name == name
