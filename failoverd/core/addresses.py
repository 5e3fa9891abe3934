"""What an IP address stands for, and whether anybody can be reached there.

IPv6 has several ways to write an IPv4 address inside: mapped and compatible (RFC 4291, 2.5.5), translated (NAT64, RFC
6052), tunnelled (6to4, RFC 3056; Teredo, RFC 4380). Whoever judges an address has to look at what is inside, too.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291, 2.5.5.1: not used any more, and yet understood
_NOBODY: Final = IPv4Network("0.0.0.0/8")  # RFC 1122, 3.2.1.3
_BROADCAST: Final = IPv4Address("255.255.255.255")
_LOW: Final = 0xFFFF_FFFF


def inside(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to; empty when it is one of its own."""
    if isinstance(address, IPv4Address):
        return ()
    if address.teredo is not None:
        return address.teredo  # a server, and the client behind it
    found = address.ipv4_mapped or address.sixtofour
    compatible = address in _COMPATIBLE and int(address) > 1
    if found is None and (compatible or address in _TRANSLATED):
        found = IPv4Address(int(address) & _LOW)
    return (found,) if found is not None else ()


def unreachable(address: Address) -> str:
    """Why nobody can be reached at an address, in words that follow "it is"; empty when somebody may.

    Loopback, private networks and documentation are somebody's: it depends on who asks.
    """
    for each in inside(address):
        why = "an address of this host alone" if each.is_loopback else unreachable(each)
        if why:
            return f"a way to write {each}, which is {why}"
    for why, applies in _reasons(address):
        if applies:
            return why
    return ""


def _reasons(address: Address) -> Iterator[tuple[str, bool]]:
    yield "no address of anybody", address.is_unspecified or address in _NOBODY
    yield "a multicast address", address.is_multicast
    yield "the broadcast address", address == _BROADCAST
    if isinstance(address, IPv4Address):
        yield "a reserved address", address.is_reserved  # 240.0.0.0/4 (RFC 1112, 4)
        return
    zoned = address.scope_id is not None
    yield "a link-local address, which needs the zone of an interface", address.is_link_local and not zoned
    for each in inside(address):
        plain = address.ipv4_mapped is not None or address in _COMPATIBLE
        yield f"another way to write {each}, which no packet carries (RFC 6890): write {each}", plain
