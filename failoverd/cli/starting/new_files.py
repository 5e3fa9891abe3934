"""Several new files at once: all of them, or none; and never over one that is there."""

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from failoverd.core.errors import FailoverdError


def require_room(folder: Path) -> None:
    """Raises FailoverdError if a configuration is there already, or a policy, which would be steered at once."""
    policies = folder / "policies"
    named = sorted(path for suffix in ("yaml", "yml") for path in policies.glob(f"*.{suffix}"))
    found = [str(path) for path in (folder / "failoverd.yaml", *named) if os.path.lexists(path)]
    if found:
        raise FailoverdError(
            f"there is a configuration already: {', '.join(found[:5])}",
            reason="init_exists",
            remedy="nothing is overwritten: name another folder, or move away what is there",
        )


def save_new(folder: Path, texts: Mapping[str, str], prove: Callable[[Path], None]) -> None:
    """Write files by their place in the folder, in that order.

    They are written whole beside their place, `prove` sees them there, and then they get their names, none of which may
    be taken. Whatever goes wrong: nothing is left of them.

    Raises:
        FailoverdError: what `prove` says, or why they cannot be written.
    """
    try:
        with ExitStack() as undo:
            _make(folder, undo)
            beside = folder / f".failoverd-init-{secrets.token_hex(4)}"
            undo.callback(shutil.rmtree, beside, ignore_errors=True)
            for name, text in texts.items():
                _write(beside / name, text)
            prove(beside)
            with ExitStack() as named:
                for name in texts:
                    place = folder / name
                    _make(place.parent, named)
                    os.link(beside / name, place)
                    named.callback(place.unlink, missing_ok=True)
                named.pop_all()
            shutil.rmtree(beside, ignore_errors=True)
            undo.pop_all()
    except OSError as error:
        raise FailoverdError(
            f"nothing was written to {folder}: {error.filename2 or error.filename or folder}: {error.strerror}",
            reason="init_unwritable",
            remedy="name a folder that you may write, and in which nothing of it is there yet",
        ) from error


def _make(folder: Path, undo: ExitStack) -> None:
    """The folder and those above it; those that were not there are undone."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(new):
        each.mkdir()
        undo.callback(_remove_empty, each)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
