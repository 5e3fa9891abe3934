"""Kinds by name, whose modules are imported when somebody asks for them and not before.

A file names a few kinds of many, and each command of `failoverctl` is a process that waits for its imports.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import TypeVar

Kind = TypeVar("Kind")


class Registry(Mapping[str, Kind]):
    """What is installed, without importing it: names and their number cost nothing, a value costs its module.

    Args:
        modules: the module of each kind, by the kind's name.
        pick: the kind of that name, out of its module.
    """

    def __init__(self, modules: Mapping[str, str], pick: Callable[[ModuleType, str], Kind]) -> None:
        self._modules = dict(modules)
        self._pick = pick

    def __getitem__(self, name: str) -> Kind:
        return self._pick(import_module(self._modules[name]), name)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)
