"""Which files there are, and whether any of them changed."""

from collections.abc import Hashable, Iterable
from pathlib import Path

from failoverd.config.diagnostics import Code, Diagnostic, about_file

_SUFFIXES = (".yaml", ".yml")


def policy_files(directory: Path, inventory: str) -> list[Path] | Diagnostic:
    """The policy files of a directory, by name; or why there are none.

    Hidden entries are passed over: Kubernetes keeps the versions of a ConfigMap in them, and links to the current one.
    """
    try:
        files = sorted(path for path in directory.iterdir() if _is_yaml(path) and path.name != inventory)
    except OSError as error:
        message = f"the directory of the policies cannot be read: {error.strerror or error}"
        return about_file(Code.UNREADABLE, str(directory), message)
    if not files:
        hint = "policy files end in .yaml or .yml"
        return about_file(Code.NO_POLICIES, str(directory), "there is no policy file in this directory", hint)
    return files


def _is_yaml(path: Path) -> bool:
    return path.name.endswith(_SUFFIXES) and not path.name.startswith(".")


def fingerprint(paths: Iterable[Path]) -> Hashable:
    """A value that changes when a file, or the YAML files of a directory, change. Cheap: no content is read.

    Who may read a file counts, too: one that could not be read is worth another look after a chmod.

    Symlinks are followed, so a ConfigMap whose `..data` link was swapped has changed. A directory counts by its YAML
    files alone: its own time of change also moves with the hidden files of editors.
    """
    return tuple(_stamps(path) for path in paths)


def _stamps(path: Path) -> Hashable:
    try:
        inside = sorted(entry for entry in path.iterdir() if _is_yaml(entry)) if path.is_dir() else None
    except OSError as error:
        return (str(path), error.errno)
    return _stamp(path) if inside is None else (str(path), tuple(_stamp(entry) for entry in inside))


def _stamp(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError as error:
        return (str(path), error.errno)
    return (str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
