"""The TSIG key in its file. Nothing here ever puts the secret in a message."""

import base64
import binascii
import re
from itertools import pairwise
from pathlib import Path

import dns.name
import dns.tsig

from failoverd.core.errors import Permanent
from failoverd.files import FileVersion, read_regular, remedy_for
from failoverd.foreign import keep_secret
from failoverd.providers.dnsupdate.settings import TsigSettings

_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|(?P<comment>/\*.*?\*/|(?://|#)[^\n]*)|(?P<word>[{};]|[^\s{};"]+)', re.DOTALL)
"""A quoted string, a comment, or a word of a BIND file. Inside a word `//` is no comment: base64 may hold it."""

_MAX_SIZE = 64 * 1024


class KeyFile:
    """The key of one provider, read again whenever its file changes, so that a rotation needs no restart."""

    def __init__(self, settings: TsigSettings) -> None:
        self._settings = settings
        self._version: FileVersion | None = None
        self._key: dns.tsig.Key | None = None

    @property
    def path(self) -> Path:
        return self._settings.secret_file

    def load(self) -> dns.tsig.Key:
        """The key as the file holds it now. Raises Permanent when it holds none."""
        try:
            version = FileVersion.of(self.path)
            if self._key is None or version != self._version:
                self._key = self._parse(self._read())
                self._version = version
        except OSError as error:
            raise Permanent(
                f"the TSIG secret file {self.path} cannot be read: {error.strerror}",
                reason="secret_unreadable",
                remedy=remedy_for(self.path, "create it, or let the user that failoverd runs as read it"),
            ) from None
        return self._key

    def is_bind_clause(self) -> bool:
        """Whether the file is one that nsupdate takes as it is. False when it cannot be read."""
        try:
            return _is_clause(_tokens(self._read()))
        except OSError:
            return False

    def _read(self) -> str:
        return read_regular(self.path, _MAX_SIZE).decode("ascii", "replace")

    def _parse(self, text: str) -> dns.tsig.Key:
        tokens = _tokens(text)
        secret = self._from_clause(tokens) if _is_clause(tokens) else "".join(text.split())
        try:
            decoded = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            raise self._invalid("holds a secret that is not base64") from None
        if not decoded:
            raise self._invalid("is empty")
        keep_secret(secret)
        return dns.tsig.Key(dns.name.from_text(self._settings.name), decoded, self._settings.algorithm)

    def _from_clause(self, tokens: list[str]) -> str:
        """The secret of `key NAME { algorithm NAME; secret BASE64; };`, once name and algorithm are the right ones."""
        wanted, name = self._settings, tokens[1]
        said = dict(pairwise(tokens))
        if tokens.count("key") > 1:
            raise self._invalid("holds several keys: it has to hold one alone")
        if _plain(name) != wanted.name:
            raise self._invalid(f"holds the key {name}, but the configuration says {wanted.name}")
        if _plain(said.get("algorithm", wanted.algorithm)) != wanted.algorithm:
            raise self._invalid(f"says algorithm {said['algorithm']}, but the configuration says {wanted.algorithm}")
        if "secret" not in said:
            raise self._invalid("has no secret in its key clause")
        return said["secret"]

    def _invalid(self, what: str) -> Permanent:
        return Permanent(
            f"the TSIG secret file {self.path} {what}",
            reason="secret_invalid",
            remedy='write the base64 secret into it, or the whole `key "name" { algorithm ...; secret ...; };` clause',
        )


def _tokens(text: str) -> list[str]:
    return [match["quoted"] or match["word"] or "" for match in _TOKEN.finditer(text) if match["comment"] is None]


def _is_clause(tokens: list[str]) -> bool:
    return len(tokens) > 2 and tokens[0] == "key" and tokens[2] == "{"  # noqa: PLR2004 - key, its name, its clause


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")
