"""Where a redirect points to (RFC 9110, 10.2.2 and 15.4), read as strictly as what it may be used for demands."""

import re
import socket
from contextlib import suppress
from typing import Final, NoReturn
from urllib.parse import quote, urljoin, urlsplit

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Concluded, Finding, printable
from failoverd.probes.http1.http_url import PORTS, HttpUrl
from failoverd.settings import parse_address, parse_name

FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that say where to go; 300 leaves the choice to us, 304 goes nowhere."""

_MOST: Final = 2_000
_MAX_PORT: Final = 65_535
_URI = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+")  # RFC 3986, 2: all that may stand in a reference
_RAW = re.compile(r"[ \x80-\xff]+")  # what servers write as it is, and clients encode
_HOSTLESS = re.compile(r"(?i)https?:(?!//[^/?#])")
"""A URL with a scheme of the web and no host (RFC 9110, 4.2.1), which parsers take for a reference to the same host."""

_SEE_OTHER: Final = 303
_MOVED: Final = frozenset({301, 302})


class RedirectRefused(Concluded):
    """A redirect leads to where probes do not go, or it cannot be told where it leads."""

    def __init__(self, why: str) -> None:
        super().__init__(Finding(ProbeReason.REDIRECT_REFUSED, f"the redirect is not followed: {why}"))


def redirect_target(url: HttpUrl, location: str) -> HttpUrl:
    """Where a Location header leads from a URL, whose bytes beyond ASCII and spaces are encoded as clients do it.

    Raises Refused for what is no reference, leaves https, carries a user's name or password, or spells an address in a
    way that programs read differently.
    """
    location = _RAW.sub(lambda raw: quote(raw[0].encode("latin-1")), location[: _MOST + 1])
    if len(location) > _MOST or _URI.fullmatch(location) is None or _HOSTLESS.match(location) is not None:
        raise RedirectRefused(f"{printable(repr(location), 60)} is no URL")
    try:
        parts = urlsplit(urljoin(str(url), location))
        port = parts.port
    except ValueError as error:
        raise RedirectRefused(f"{printable(repr(location), 60)} is no URL: {printable(str(error), 60)}") from None
    if parts.scheme not in PORTS:
        raise RedirectRefused(f"{printable(parts.scheme, 20)} is neither http nor https")
    if url.scheme == "https" and parts.scheme != "https":
        raise RedirectRefused("it leaves https for http")
    if "@" in parts.netloc:
        raise RedirectRefused("it carries the name of a user")
    if port is not None and not 1 <= port <= _MAX_PORT:
        raise RedirectRefused(f"there is no port {port}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HttpUrl(parts.scheme, _host(parts.hostname or ""), port or PORTS[parts.scheme], target)


def _host(written: str) -> str:
    """A name, or an address in its one usual spelling.

    The system's resolver reads `2130706433`, `0x7f.1` and `0177.0.0.1` as addresses too; a name never ends in a number.
    """
    with suppress(ValueError):
        return parse_address(written) if "%" not in written else _no_host(written)
    try:
        name = parse_name(written)
    except ValueError:
        return _no_host(written)
    if _is_number(name.rpartition(".")[2]) or _is_read_as_address(name):
        raise RedirectRefused(f"{printable(repr(written), 60)} is an unusual spelling of an address")
    return name


def _no_host(written: str) -> NoReturn:
    raise RedirectRefused(f"{printable(repr(written), 60)} is no host")


def _is_number(label: str) -> bool:
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _is_read_as_address(name: str) -> bool:
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True


def method_after(status: int, method: str) -> str:
    """The method to go on with: 303 asks for a GET, and after 301 and 302 a POST becomes one (RFC 9110, 15.4)."""
    becomes_get = (status == _SEE_OTHER and method != "HEAD") or (status in _MOVED and method == "POST")
    return "GET" if becomes_get else method
