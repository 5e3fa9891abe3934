"""A name stands for one thing, so that who searches for it finds that one."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent / "failoverd"
PROVIDERS: Final = ROOT / "providers"


def test_no_two_classes_have_one_name() -> None:
    """But those of several providers: what each of them has, a reader, a writer, is called the same in all."""
    homes: defaultdict[str, list[Path]] = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), re.MULTILINE):
            homes[name].append(path)

    doubles = {name: paths for name, paths in homes.items() if len(paths) > 1 and not _of_several_providers(paths)}
    assert doubles == {}


def test_no_two_modules_have_one_name() -> None:
    """But those of providers, whose parts are called by what each of them does in its own."""
    homes: defaultdict[str, list[Path]] = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        if not path.is_relative_to(PROVIDERS) and not path.stem.startswith("__"):
            homes[path.stem].append(path)

    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def _of_several_providers(paths: list[Path]) -> bool:
    packages = {path.relative_to(PROVIDERS).parts[0] for path in paths if path.is_relative_to(PROVIDERS)}
    return len(packages) == len(paths)
