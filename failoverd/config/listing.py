"""Which files there are, and whether any of them changed."""

import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Final

from failoverd.config.diagnostics import Code, Diagnostic, about_file, in_order

_SUFFIXES = (".yaml", ".yml")

TESTS: Final = (".test.yaml", ".test.yml")
"""How the name of a file ends that holds tests of policies, and no policy."""

SCENARIOS: Final = (".scenario.yaml", ".scenario.yml")
"""How the name of a file ends that holds a scenario, and no policy."""

_NO_POLICY: Final = (*TESTS, *SCENARIOS)


def policy_files(directory: Path, inventory: str) -> list[Path] | Diagnostic:
    """The policy files of a directory, by name; or why there are none.

    Hidden entries are passed over: Kubernetes keeps the versions of a ConfigMap in them, and links to the current one.
    """
    try:
        files = sorted(path for path in directory.iterdir() if named_yaml(path.name) and path.name != inventory)
    except OSError as error:
        message = f"the directory of the policies cannot be read: {error.strerror or error}"
        return about_file(Code.UNREADABLE, str(directory), message)
    if not files:
        hint = "policy files end in .yaml or .yml"
        return about_file(Code.NO_POLICIES, str(directory), "there is no policy file in this directory", hint)
    return files


def leads_out(path: Path) -> bool:
    """Whether a link leads from the folder that a file was found in to somewhere else.

    Whoever writes the files of a folder may be somebody else than who may read what such a link leads to. The links of
    a ConfigMap stay in its folder. A folder that is a link itself may lead to what is beside it.
    """
    folder = Path(os.path.abspath(path.parent))  # noqa: PTH100 - resolve() would follow the links in question
    home = Path(os.path.realpath(folder))
    beside = not folder.is_symlink() or home.is_relative_to(os.path.realpath(folder.parent))
    return not (beside and Path(os.path.realpath(path)).is_relative_to(home))


def in_folders(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In order, and without a word of a file outside its folder, to which a link in that leads.

    What is wrong with files that were found in a folder is told by this alone: terminals, logs and the API show it.
    """
    found = tuple(diagnostics)
    outside = {file for file in {each.file for each in found if each.line} if leads_out(Path(file))}
    return in_order(each.withheld() if each.line and each.file in outside else each for each in found)


def named_yaml(name: str) -> bool:
    """Whether a file of this name in the folder of the policies is one of them, or their inventory."""
    return name.endswith(_SUFFIXES) and not name.endswith(_NO_POLICY) and not name.startswith(".")


def stamps(paths: Iterable[Path]) -> dict[Path, Hashable]:
    """The stamp of each file that is there, and of the YAML files of each directory. Cheap: no content is read.

    A directory counts by its YAML files, and by whether it can be read: its own time of change also moves with the
    hidden files of editors.
    """
    found: dict[Path, Hashable] = {}
    for path in paths:
        try:
            with os.scandir(path) as entries:
                found[path] = "directory"
                found |= {path / entry.name: _stamp(entry.stat) for entry in entries if named_yaml(entry.name)}
        except NotADirectoryError:
            found[path] = stamp(path)
        except OSError as error:
            found[path] = error.errno
    return {path: each for path, each in found.items() if each is not None}


def stamp(path: Path) -> Hashable | None:
    """What changes when the file does; None where there is none.

    Who may read a file counts, too: one that could not be read is worth another look after a chmod. Symlinks are
    followed, so a ConfigMap whose `..data` link was swapped has changed.
    """
    return _stamp(path.stat)


def settled(path: Path, now: float) -> bool:
    """Whether a further edit of the file is sure to show in its stamp: file systems count time in steps.

    `now` is in seconds since the epoch.
    """
    try:
        return now - path.stat().st_mtime > _STEP
    except OSError:
        return False


_STEP: Final = 2.0
"""Seconds. FAT has the longest step."""


def _stamp(look: Callable[[], os.stat_result]) -> Hashable | None:
    try:
        found = look()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
