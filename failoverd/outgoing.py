"""What goes out over HTTP: the addresses that files may say, and the secrets that are sent along."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema

from failoverd.core.errors import FailoverdError
from failoverd.files import read_regular, remedy_for
from failoverd.foreign import keep_secret

_MAX_SECRET: Final = 4_096


def parse_url(value: str) -> str:
    """The address of an HTTP API, without a slash at its end."""
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("a URL with a password in it does not belong in this file: name a file with `token_file`")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or not value.isprintable():
        raise ValueError(f"{value[:80]!r} is no address: write it like https://alerts.example.com")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"{value[:80]!r} has no valid port: write it like https://alerts.example.com:9093") from None
    return value.rstrip("/")


Url = Annotated[
    str,
    AfterValidator(parse_url),
    WithJsonSchema({"type": "string", "pattern": "^https?://", "examples": ["https://alerts.example.com"]}),
]


def require_tls(url: str) -> str:
    """An address that a secret may be sent to: over TLS, or on this machine. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "https" or is_here(parts.hostname or ""):
        return url
    raise ValueError("a secret would go over the network for all to read: write https://")


def is_here(host: str) -> bool:
    """Whether that is this machine, so that what goes there is on no network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def place_of(url: str) -> str:
    """Where it is, without a path that may be secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def read_secret(path: Path) -> str:
    """What the file holds now: a rotation needs no restart. Raises FailoverdError when that is no secret."""
    try:
        text = read_regular(path, _MAX_SECRET).decode("ascii", "replace").strip()
    except OSError as error:
        raise FailoverdError(
            f"the secret file {path} cannot be read: {error.strerror}",
            reason="secret_unreadable",
            remedy=remedy_for(path, _REMEDY),
        ) from None
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise FailoverdError(f"the secret file {path} holds no secret", reason="secret_invalid", remedy=_REMEDY)
    keep_secret(text)
    return text


_REMEDY: Final = "write the secret alone into it, and let the user that failoverd runs as read it; no restart is needed"


def bearer(path: Path | None) -> dict[str, str]:
    """The field that carries a token (RFC 6750), if there is one."""
    return {"Authorization": f"Bearer {read_secret(path)}"} if path is not None else {}
