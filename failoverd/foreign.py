"""Words of others: what servers, libraries and files say, made fit to be shown.

Two things may be in them that must not get any further: what a terminal obeys, and a secret that a server sent back
with the request that it repeats, or a library with the error that it raises.
"""

import re
from typing import Final

_MOST_SECRETS: Final = 256
_WINDOW: Final = 8
"""Characters of a secret that must not be shown in a row; fewer than these could be anything."""

_LEAST: Final = 4
"""Characters: what is shorter is no secret, and stands in every text."""

MOST_NAME: Final = 253
"""Characters: as many as the name of a host, or of an object in Kubernetes, has at most."""

_REPEATS_A_REQUEST: Final = re.compile(
    r"(?:authorization|signature|password|cookie)\W{0,4}[:=]|\bbearer\s+\S{8}|\beyJ[\w-]{10}|x-api-key|security-token"
    r"|client_secret|client_assertion|access_token|refresh_token|canonical string|private key",
    re.IGNORECASE,
)
"""Names of fields that carry a credential, and the beginning of a JSON Web Token (RFC 7519)."""

_HIDDEN: Final = "its words are not shown, for they may repeat a secret of the request"

_secrets: Final[dict[str, None]] = {}


def keep_secret(secret: str) -> None:
    """From now on, `quoted` shows no text that repeats a part of it. The newest few hundred are kept."""
    if len(secret) < _LEAST:
        return
    _secrets.pop(secret, None)
    _secrets[secret] = None
    while len(_secrets) > _MOST_SECRETS:
        del _secrets[next(iter(_secrets))]


def quoted(text: str, most: int = 400) -> str:
    """The text on one line, at most so many characters of it, or that it is not shown."""
    text = text[: 4 * most]
    if _REPEATS_A_REQUEST.search(text) or any(_repeats(text, secret) for secret in tuple(_secrets)):
        return _HIDDEN
    return shown(" ".join(text.split()))[:most]


def error_code(text: str) -> str:
    """An error code of an API, such as `ScopeLocked`: what does not look like one is none."""
    return text if re.fullmatch(r"[A-Za-z][\w.-]{0,80}", text, re.ASCII) and quoted(text) == text else ""


def shown(text: str, *, lines: bool = False) -> str:
    r"""The text with everything that a terminal acts upon, or hides, written as an escape: `\x1b` for ESC.

    That is all that Unicode calls other than printable: control characters (C0, DEL, C1), marks that turn the direction
    of writing, separators that are no plain space. With `lines`, line breaks stay.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or (lines and char == "\n") else _escaped(char) for char in text)


def shown_name(text: str) -> str:
    """A name as somebody else gives it: on one line, and no longer than names are. It stays comparable with ours."""
    return shown(text[:MOST_NAME])[:MOST_NAME]


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _repeats(text: str, secret: str) -> bool:
    if len(secret) <= _WINDOW:
        return secret in text
    return any(text[at : at + _WINDOW] in secret for at in range(len(text) - _WINDOW + 1))
