"""What an installation brings along is what failoverd imports: nothing is declared for later."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0]


def declared() -> list[str]:
    alone = (requirements for extra, requirements in EXTRAS.items() if extra != "all")
    return sorted({name_of(each) for each in (*PROJECT["dependencies"], *(each for some in alone for each in some))})


def imported() -> Iterator[str]:
    """Every module that the code imports, wherever in it: SDKs are imported late."""
    for path in (ROOT / "failoverd").rglob("*.py"):
        yield from re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(), re.MULTILINE)


MODULES = sorted(set(imported()))

BY_OTHERS = ["tzdata"] if "zoneinfo" in MODULES else []
"""What a module of Python's own imports: `zoneinfo`, where the system has no time zones."""


@pytest.mark.parametrize("distribution", declared())
def test_every_dependency_is_imported(distribution: str) -> None:
    try:
        brought = {str(file) for file in files(distribution) or ()}
    except PackageNotFoundError:
        brought = set()  # the tests are installed with every extra
    places = {module: module.replace(".", "/") for module in (*MODULES, *BY_OTHERS)}
    used = [
        module
        for module, place in places.items()
        if any(file in brought for file in (f"{place}/__init__.py", f"{place}.py"))
        or any(file.startswith(f"{place}.") and file.endswith(".so") for file in brought)
    ]
    assert used, f"nothing imports {distribution}"


def test_all_is_every_extra() -> None:
    (everything,) = EXTRAS["all"]
    assert everything == f"failoverd[{','.join(extra for extra in EXTRAS if extra != 'all')}]"
