"""The policy files of a revision of their git repository, for who compares: `git:main`.

Git is run for what is in the repository of this machine, and fetches nothing: no filter of the repository is applied,
and nothing of it is checked out. It may take `PATIENCE` for each answer, and say so much.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from failoverd.config.listing import named_yaml
from failoverd.core.errors import ConfigError
from failoverd.foreign import quoted

PREFIX: Final = "git:"

PATIENCE: Final = 30.0
"""Seconds for each answer of git."""

MOST_BYTES: Final = 64 << 20
"""Of all files together: some thousands of policies."""

_LONGEST: Final = 200
"""Characters of the name of a revision."""

_FILE_MODES: Final = frozenset({"100644", "100755"})


@contextmanager
def checked_out(folder: Path, said: str, *, may_be_empty: bool = False) -> Iterator[Path]:
    """A place with the YAML files that `folder` had at a revision, for as long as the context lasts.

    `may_be_empty`: it need not have had any, nor to have been there.

    Raises:
        ConfigError: it is no revision of a repository that the folder is in, or git cannot tell (`revision_unknown`).
    """
    revision = said.removeprefix(PREFIX)
    if not said.startswith(PREFIX) or not _sane(revision):
        raise _unknown(f"{said[:_LONGEST]!r} is no revision", "write git:REVISION, such as git:main or git:HEAD~1")
    found = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is None:
        raise _not_there(folder, revision)
    commit = found.decode().strip()
    blobs = dict(_blobs(folder, commit, said))
    if not blobs and not may_be_empty:
        raise _unknown(f"{folder} holds no policy file at {said}", "name a revision in which it does")
    with TemporaryDirectory(prefix="failoverd-") as place:
        for name, blob in blobs.items():
            (Path(place) / name).write_bytes(_answer(folder, "cat-file", "blob", blob))
        yield Path(place)


def _sane(revision: str) -> bool:
    """Whether git takes it for a revision, and for no option."""
    return (
        0 < len(revision) <= _LONGEST
        and revision.isprintable()
        and not revision.startswith("-")
        and " " not in revision
    )


def _blobs(folder: Path, commit: str, said: str) -> Iterator[tuple[str, str]]:
    """The files of the folder, each with what holds its text."""
    total = 0
    for line in _answer(folder, "ls-tree", "-z", "-l", commit, ".").decode(errors="replace").split("\0"):
        head, _, path = line.partition("\t")
        if not path or "/" in path or not named_yaml(path):
            continue
        mode, _, blob, size = head.split()
        if mode not in _FILE_MODES:
            raise _unknown(f"{path} is no plain file at {said}", "a link cannot be compared: name a file in its place")
        total += int(size)
        if total > MOST_BYTES:
            raise _unknown(f"the files at {said} have more than {MOST_BYTES >> 20} MiB", "compare a smaller folder")
        yield path, blob


def _answer(folder: Path, *words: str) -> bytes:
    found = _git(folder, *words)
    if found is None:
        raise _unknown(f"git {words[0]} failed in {folder}", "run it by hand: it says why")
    return found


def _not_there(folder: Path, revision: str) -> ConfigError:
    """Why git knows no such revision: its own words where it refuses the whole repository, as one of somebody else."""
    asked = _run(folder, "rev-parse", "--is-shallow-repository")
    if asked.returncode:
        why = quoted(asked.stderr.decode(errors="replace").partition("\n")[0])
        return _unknown(f"git refuses {folder}: {why}", f"git -C {folder} status says what to do about it")
    if asked.stdout.strip() == b"true":
        words = f"the repository of {folder} has no {revision!r}, for its clone is shallow"
        return _unknown(
            words, "git fetch --deepen=50 brings more of its history; in CI let the checkout fetch all of it"
        )
    return _unknown(f"{folder} is in no git repository that has {revision!r}", "git log --oneline lists what there is")


def _git(folder: Path, *words: str) -> bytes | None:
    """What git answers in that folder; None where it refuses."""
    done = _run(folder, *words)
    return done.stdout if done.returncode == 0 else None


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}  # a hook's are of its own
    quiet = {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(  # noqa: S603 - no shell, and no word that could be an option
            ["git", "-C", str(folder), "--no-pager", *words],  # noqa: S607 - whichever git the person uses
            env=kept | quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unknown(f"git does not answer within {PATIENCE:g}s in {folder}", "try git status there") from error
    except OSError as error:
        raise _unknown(f"git cannot be run: {error.strerror or error}", "install git") from error


def _unknown(words: str, remedy: str) -> ConfigError:
    return ConfigError(f"nothing can be compared: {words}", reason="revision_unknown", remedy=remedy)
