"""Which files there are, and whether any of them changed."""

import os
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Final

from failoverd.config.diagnostics import Code, Diagnostic, about_file

_SUFFIXES = (".yaml", ".yml")


def policy_files(directory: Path, inventory: str) -> list[Path] | Diagnostic:
    """The policy files of a directory, by name; or why there are none.

    Hidden entries are passed over: Kubernetes keeps the versions of a ConfigMap in them, and links to the current one.
    """
    try:
        files = sorted(path for path in directory.iterdir() if _named_yaml(path.name) and path.name != inventory)
    except OSError as error:
        message = f"the directory of the policies cannot be read: {error.strerror or error}"
        return about_file(Code.UNREADABLE, str(directory), message)
    if not files:
        hint = "policy files end in .yaml or .yml"
        return about_file(Code.NO_POLICIES, str(directory), "there is no policy file in this directory", hint)
    return files


def _named_yaml(name: str) -> bool:
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def fingerprint(paths: Iterable[Path]) -> Hashable:
    """A value that changes when a file, or the YAML files of a directory, change. Cheap: no content is read.

    Who may read a file counts, too: one that could not be read is worth another look after a chmod.

    Symlinks are followed, so a ConfigMap whose `..data` link was swapped has changed. A directory counts by its YAML
    files alone: its own time of change also moves with the hidden files of editors.
    """
    return tuple(_stamps(path) for path in paths)


def stamp(path: Path) -> Hashable:
    """The same for one file."""
    try:
        found = path.stat()
    except OSError as error:
        return (str(path), error.errno)
    return _of(str(path), found)


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


def _stamps(path: Path) -> Hashable:
    try:
        with os.scandir(path) as entries:
            inside = sorted((entry.name, _entry(entry)) for entry in entries if _named_yaml(entry.name))
    except NotADirectoryError:
        return stamp(path)
    except OSError as error:
        return (str(path), error.errno)
    return (str(path), tuple(inside))


def _entry(entry: os.DirEntry[str]) -> Hashable:
    try:
        return _of(entry.name, entry.stat())
    except OSError as error:
        return (entry.name, error.errno)


def _of(name: str, found: os.stat_result) -> Hashable:
    return (name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
