"""Browsers: how one gets in, and what keeps other pages that it has open from using that.

A browser shows its token once, and keeps it in a cookie that no script reads and that no other site's request carries.
Only a token that may do no more than read is taken so, and a cookie may never do more: a browser that is stolen, or
fooled, cannot move traffic. Nothing but GET is for browsers at all.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from failoverd.api.actors import Actor, RefusedError, Role

_THIS_HOST: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_LONGEST: Final = 2_048

_SITE: Final = "Sec-Fetch-Site"
_OWN: Final = frozenset({"same-origin", "none"})
"""Of a page of ours, or typed by the person (Fetch Metadata, 2.4)."""


def require_own_page(method: str, scheme: str, headers: Mapping[str, str], *, shell: bool = False) -> None:
    """Refuse what other sites' pages have a browser ask, and whatever else a browser has no business with.

    `shell`: it is the page itself that is asked for, which says nothing to anybody: links to it may stand anywhere.

    Raises:
        RefusedError: it is not of our page.
    """
    site = headers.get(_SITE)
    origin = headers.get("Origin")
    if (site is not None or origin is not None) and method != "GET":
        raise RefusedError(403, "cross_site", "browsers only read here", "failoverctl changes something")
    if shell:
        return
    foreign = origin is not None and origin.lower() != f"{scheme}://{headers.get('Host', '')}".lower()
    if foreign or (site is not None and site not in _OWN):
        raise RefusedError(403, "cross_site", "a page of another site asks", "open the page of this daemon itself")


def require_this_host(headers: Mapping[str, str]) -> None:
    """Without TLS no certificate says whose name it is: a site that renames itself to 127.0.0.1 is told by its name.

    Raises:
        RefusedError: it is asked by a name that is not of this host.
    """
    try:
        name = urlsplit(f"//{headers.get('Host', '')}").hostname
    except ValueError:
        name = None
    if name not in _THIS_HOST:
        raise RefusedError(403, "host_unknown", "that is no name of this host", "ask at 127.0.0.1, or localhost")


def cookie_name(headers: Mapping[str, str], *, tls: bool) -> str:
    """With the prefix, browsers take it from this host alone, over TLS alone (RFC 6265bis, 4.1.3.2).

    Cookies know no ports, and two daemons may be seen at two ports of one host: the port that a browser sees is in it.
    """
    _, _, port = headers.get("Host", "").rpartition(":")
    at = f"-{int(port)}" if re.fullmatch("[0-9]{1,5}", port, re.ASCII) else ""
    return f"__Host-failoverd{at}" if tls else f"failoverd{at}"


def cookie(token: str, headers: Mapping[str, str], *, tls: bool) -> str:
    """The field that has a browser keep a token until it is closed; `headers` are those of its request."""
    kept = urlsafe_b64encode(token.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    return f"{cookie_name(headers, tls=tls)}={kept}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if tls else ''}"


def token_in(kept: str) -> str:
    """What a browser kept; "" if it is none of ours."""
    if len(kept) > _LONGEST:
        return ""
    try:
        return urlsafe_b64decode(kept + "=" * (-len(kept) % 4)).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""


def reader(actor: Actor) -> Actor:
    """What a cookie may: read, whatever else its token may."""
    role = Role.READ if actor.role is not Role.NONE else Role.NONE
    return Actor(actor.name, role, actor.origin, "a browser only reads: failoverctl changes something")


def require_reader(actor: Actor) -> None:
    """Raises RefusedError for a token that a browser is not to have."""
    if actor.role is Role.OPERATE:
        words = f"the token {actor.name} may change something: that is nothing for a browser"
        raise RefusedError(403, "token_too_strong", words, "give it a token of its own, with the role read")


HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing of it is to be kept, guessed at, or shown in another site."""
