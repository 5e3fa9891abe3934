"""Secrets that requests carry: read from files, again whenever those change, and shown to nobody.

A file that has gone, or holds what cannot be sent, is our trouble and not the endpoint's: the check cannot be set up,
and one that runs is BLIND until the file is back.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from failoverd.core.errors import ConfigError
from failoverd.files import FileVersion, read_regular
from failoverd.probes.field_types import SecretFile
from failoverd.probes.findings import Finding
from failoverd.probes.http1.request_fields import HeaderFields, check_header, is_header_name

_MOST: Final = 64 * 1024
_REMEDY: Final = "Put it there, or let the daemon's user read it; no restart is needed"
_SHORTEST: Final = 8
"""Characters of a secret that must not appear in a row; fewer than these could be anything."""

_TINY: Final = 3
"""Characters: what is shorter is no secret, and stands in every text."""


class RequestCredentials:
    """The secret fields of a check's requests.

    Args:
        authorization_file: holds a bearer token (RFC 6750), or a whole value such as `Basic bmFtZTpwdw==`.
        headers_file: holds a field in each line, `Name: value`.

    Raises:
        ConfigError: a file cannot be used.
    """

    def __init__(self, authorization_file: SecretFile | None, headers_file: SecretFile | None) -> None:
        files = ((authorization_file, _authorization), (headers_file, _fields))
        self._files = tuple(_CredentialFile(file, read) for file, read in files if file is not None)
        self._fields: HeaderFields = ()
        self.fields()

    def __bool__(self) -> bool:
        return bool(self._files)

    def fields(self) -> HeaderFields:
        """What to send now; the same object as before for as long as no file changes. Raises ConfigError."""
        changed = [file.refresh() for file in self._files]
        if any(changed):
            self._fields = tuple(field for file in self._files for field in file.fields)
        return self._fields


class _CredentialFile:
    """One file, as it was when it was read last."""

    def __init__(self, file: SecretFile, read: Callable[[str], HeaderFields]) -> None:
        self._file = file
        self._path = Path(file.path)
        self._read = read
        self._version: FileVersion | None = None
        self.fields: HeaderFields = ()

    def refresh(self) -> bool:
        """Whether the file was read anew. Raises ConfigError."""
        version = FileVersion.if_there(self._path)
        if version is not None and version == self._version:
            return False
        self._version = None  # until it was read as a whole
        self.fields = self._parsed()
        self._version = version
        return True

    def _parsed(self) -> HeaderFields:
        try:
            return self._read(read_regular(self._file.real(), _MOST).decode("ascii").strip())
        except OSError as error:
            words = error.strerror or "it cannot be read"
        except UnicodeDecodeError:
            words = "it holds what is not ASCII"
        except ValueError as error:
            words = str(error)
        raise ConfigError(
            f"the credential file {self._path} cannot be used: {words}", reason="credential_missing", remedy=_REMEDY
        )


def _authorization(text: str) -> HeaderFields:
    """A text of one word is a bearer token."""
    if not text:
        raise ValueError("it is empty")
    value = text if " " in text else f"Bearer {text}"
    check_header("Authorization", value)
    return (("Authorization", value),)


def _fields(text: str) -> HeaderFields:
    if not text:
        raise ValueError("it is empty")
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"line {number} is not of the form Name: value")
        if not is_header_name(name):  # it may be a part of the secret, and is not shown
            raise ValueError(f"line {number} does not begin with the name of a header")
        check_header(name, value.strip())
        found.append((name, value.strip()))
    return tuple(found)


def redact(finding: Finding, fields: HeaderFields) -> Finding:
    """A finding that repeats nothing of the secrets, which a server may have sent back."""
    if any(_repeats(finding.detail, secret) for _, value in fields for secret in _secrets(value)):
        return finding._replace(detail="its words are not shown: they repeat a secret of the request", served=None)
    return finding


def _secrets(value: str) -> Iterator[str]:
    """What of a field must not be shown: all of it, its parts, and what Basic hides no better (RFC 7617)."""
    yield value
    scheme, _, token = value.partition(" ")
    if len(token) >= _TINY:
        yield token
    if scheme.lower() == "basic":
        with suppress(ValueError):
            yield from filter(lambda part: len(part) >= _TINY, b64decode(token).decode("latin-1").split(":", 1))


def _repeats(text: str, secret: str) -> bool:
    """Whether a part of a secret stands in a text."""
    if len(secret) <= _SHORTEST:
        return secret in text
    return any(secret[at : at + _SHORTEST] in text for at in range(len(secret) - _SHORTEST + 1))
