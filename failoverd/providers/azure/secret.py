"""Secrets in files of their own: read when they are needed, and whatever they hold then."""

from pathlib import Path

from failoverd.core.errors import Permanent
from failoverd.files import FileVersion, read_regular, remedy_for
from failoverd.foreign import keep_secret

_MAX_SIZE = 256 * 1024


def version_of(path: Path) -> FileVersion:
    """Which content it has. Raises Permanent when there is no such file."""
    try:
        return FileVersion.of(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def read_secret(path: Path) -> bytes:
    """What the file holds, without the white space around it. Raises Permanent when that is nothing."""
    try:
        content = read_regular(path, _MAX_SIZE).strip()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not content:
        raise Permanent(f"the credential file {path} is empty", reason="credentials_missing", remedy=_REMEDY)
    keep_secret(content.decode("utf-8", "replace"))
    return content


_REMEDY = "put the secret there, or let the user that failoverd runs as read it; no restart is needed"


def _unreadable(path: Path, error: OSError) -> Permanent:
    return Permanent(
        f"the credential file {path} cannot be read: {error.strerror}",
        reason="credentials_missing",
        remedy=remedy_for(path, _REMEDY),
    )
