"""Where a redirect may lead: nowhere nearer to us than the endpoint that sent it.

A prober stands inside a network, often in a cloud, and goes where a redirect sends it. So an endpoint that somebody
else controls could have it ask the cloud's metadata service, or a neighbour, and read in the verdict what they said.
Hence a redirect never leads to a link-local address, a metadata service, a multicast group or nobody in particular; to
this host only from this host; into private networks only from within them.
"""

from collections.abc import Collection
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from failoverd.probes.http_check.redirects import RedirectRefused

_METADATA: Final = (
    ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ip_network("168.63.129.16/32"),  # Azure: the host's own agent
    ip_network("192.0.0.192/32"),  # Oracle Cloud Classic
    ip_network("fd00:ec2::/32"),  # AWS: metadata, time, names, credentials
    ip_network("fd20:ce::254/128"),  # Google Cloud
)
"""Services of a cloud for its machines that are not at link-local addresses, where all the others are."""

_TRANSLATED: Final = ip_network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE: Final = ip_network("::/96")  # RFC 4291, 2.5.5.1: not used any more, and yet understood


class Distance(IntEnum):
    """How near an address is; what is never a place to go to has no distance."""

    FAR = 0
    PRIVATE = 1
    OURS = 2


def distance(address: str) -> Distance:
    """How near an address is. Raises Refused for one that a redirect never leads to."""
    found = _meant(address)
    what = _forbidden(found)
    if what:
        raise RedirectRefused(f"{address} is {what}")
    if found.is_loopback:
        return Distance.OURS
    return Distance.FAR if found.is_global else Distance.PRIVATE


def refuse_nearer(address: str, homes: Collection[str]) -> None:
    """Raises Refused for an address that is nearer to us than those of the endpoint are."""
    nearest = max((_distance_of_home(home) for home in homes), default=Distance.FAR)
    reached = distance(address)
    if reached is Distance.OURS and nearest < reached:
        raise RedirectRefused(f"{address} is this host itself, and the endpoint is not")
    if reached is Distance.PRIVATE and nearest < reached:
        raise RedirectRefused(f"{address} is in a private network, and the endpoint is not")


def _distance_of_home(address: str) -> Distance:
    """An endpoint is where the policy says, wherever that is."""
    try:
        return distance(address)
    except RedirectRefused:
        return Distance.PRIVATE


def _meant(address: str) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found
    inside = found.ipv4_mapped or found.sixtofour
    if inside is None and found in _TRANSLATED:
        inside = IPv4Address(int(found) & 0xFFFF_FFFF)
    if inside is None and found in _COMPATIBLE and int(found) > 1:
        inside = IPv4Address(int(found))
    return inside or found


def _forbidden(address: IPv4Address | IPv6Address) -> str:
    """What an address is, if probes never go there."""
    if any(address.version == network.version and address in network for network in _METADATA):
        return "a metadata service"
    if address.is_link_local:
        return "a link-local address, where clouds have their metadata services"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (address.version == 4 and int(address) >> 24 == 0):  # noqa: PLR2004 - RFC 1122, 3.2.1.3
        return "no address of anybody"
    if address.version == 4 and address.is_reserved:  # noqa: PLR2004 - 240.0.0.0/4, RFC 1112, 4
        return "a reserved address"
    return ""
