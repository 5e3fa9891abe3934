"""Tokens: who may ask from elsewhere. The file holds digests, so whoever reads it can ask nothing.

One token a line: its name, `read` or `operate`, the SHA-256 of the token in hexadecimal, when it expires (RFC 3339):

    ci-pipeline  read     2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae  2027-06-30T00:00:00Z

A token is compared with every line, each in constant time, so that nothing is learned from how long it takes.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from failoverd.api.actors import Actor, RefusedError, Role
from failoverd.core.errors import ConfigError
from failoverd.files import read_regular

_MOST: Final = 256 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LEAST: Final = 16
"""Characters of a token. What is shorter is guessed, however long comparing takes."""


@dataclass(frozen=True, slots=True)
class AdminToken:
    name: str
    role: Role
    digest: str
    expires: float


class AdminTokens:
    """Those of one file, as it was read last."""

    def __init__(self, known: tuple[AdminToken, ...]) -> None:
        self._known = known

    @classmethod
    def read(cls, path: Path) -> "AdminTokens":
        """Raises ConfigError, naming the line."""
        try:
            text = read_regular(path, _MOST).decode()
        except (OSError, UnicodeDecodeError) as error:
            words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            words = f"it cannot be read: {words}"
            raise ConfigError(words, reason="tokens_unreadable", remedy=_REMEDY, place=str(path)) from error
        lines = ((number, line.partition("#")[0].split()) for number, line in enumerate(text.splitlines(), 1))
        known = tuple(_token(f"{path}:{number}", words) for number, words in lines if words)
        twice = {token.name for token in known if sum(other.name == token.name for other in known) > 1}
        if twice:
            words = f"{' and '.join(sorted(twice))} is there twice: nobody could tell who asked"
            raise ConfigError(words, reason="tokens_invalid", remedy=_REMEDY, place=str(path))
        return cls(known)

    def actor(self, said: str, origin: str, now: float) -> Actor:
        """Whose token it is. Raises RefusedError when it is nobody's, or has expired."""
        digest = sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
        found: AdminToken | None = None
        for token in self._known:
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None:
            raise RefusedError(401, "token_unknown", "nobody has that token", "see the tokens_file of the daemon")
        if len(said) < _LEAST:
            words = f"the token {found.name} has fewer than {_LEAST} characters, and could be guessed"
            raise RefusedError(401, "token_short", words, "make a longer one: openssl rand -hex 32")
        if now >= found.expires:
            words = f"the token {found.name} has expired"
            raise RefusedError(401, "token_expired", words, "make a new one, and send SIGHUP to the daemon")
        return Actor(found.name, found.role, origin, f"the token {found.name} may {found.role}")


_REMEDY: Final = "one token a line: name, read or operate, SHA-256 of the token in hexadecimal, expiry (RFC 3339)"


def _token(place: str, words: list[str]) -> AdminToken:
    """One line. What is wrong is told without repeating it: somebody may have written the token itself."""
    wrong = "it needs a name, a role, a digest and an expiry"
    if len(words) == 4:  # noqa: PLR2004 - as many as it says
        name, role, digest, expiry = words
        try:
            expires = datetime.fromisoformat(expiry)
        except ValueError:
            expires = None
        if not _NAME.fullmatch(name):
            wrong = "the name has other characters than letters, digits, dots, hyphens and underscores"
        elif role not in {Role.READ, Role.OPERATE}:
            wrong = f"the role of {name} is neither read nor operate"
        elif not _DIGEST.fullmatch(digest):
            wrong = f"the digest of {name} is no SHA-256 in lower-case hexadecimal"
        elif expires is None or expires.tzinfo is None:
            wrong = f"the expiry of {name} is no time with its zone, such as 2027-06-30T00:00:00Z"
        else:
            return AdminToken(name, Role(role), digest, expires.timestamp())
    raise ConfigError(wrong, reason="tokens_invalid", remedy=_REMEDY, place=place)
