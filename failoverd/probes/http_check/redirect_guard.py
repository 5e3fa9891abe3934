"""Where a redirect may lead: nowhere nearer to us than the endpoint that sent it.

A prober stands inside a network, often in a cloud, and goes where a redirect sends it. So an endpoint that somebody
else controls could have it ask the cloud's metadata service, or a neighbour, and read in the verdict what they said.
Hence a redirect never leads to a link-local address, a metadata service by address or by name, a multicast group or
nobody in particular; to this host only from this host; into private networks only from within them. From this host a
private network is away, not near: what listens here on loopback may have been meant for this host alone.
"""

from collections.abc import Collection
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from failoverd.core.addresses import inside
from failoverd.probes.http_check.redirects import RedirectRefused

_METADATA: Final = (
    ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ip_network("168.63.129.16/32"),  # Azure: the host's own agent
    ip_network("192.0.0.192/32"),  # Oracle Cloud Classic
    ip_network("fd00:ec2::/32"),  # AWS: metadata, time, names, credentials
    ip_network("fd20:ce::254/128"),  # Google Cloud
)
"""Services of a cloud for its machines that are not at link-local addresses, where all the others are."""

_METADATA_LABELS: Final = frozenset({"metadata", "instance-data", "rancher-metadata"})
_METADATA_PARENTS: Final = frozenset({"", "internal", "google", "goog"})
"""Below which of these a label stands for the service: AWS, Google Cloud, Azure. Alone, a resolver completes it."""

_METADATA_NAMES: Final = frozenset({"metadata.tencentyun.com", "metadata.packet.net", "metadata.platformequinix.com"})


class Network(Enum):
    """The networks that an address may be in. What is never a place to go to is in none."""

    PUBLIC = "in the public Internet"
    PRIVATE = "in a private network"
    OURS = "this host itself"


def network(address: str) -> Network:
    """Where an address is. Raises RedirectRefused for one that a redirect never leads to."""
    found = _meant(address)
    what = _forbidden(found)
    if what:
        raise RedirectRefused(f"{address} is {what}")
    if found.is_loopback:
        return Network.OURS
    return Network.PUBLIC if found.is_global else Network.PRIVATE


def refuse_nearer(address: str, homes: Collection[str]) -> None:
    """Raises RedirectRefused for an address in a network of its own that none of the endpoint's addresses is in."""
    reached = network(address)
    if reached is not Network.PUBLIC and reached not in set(map(_network_of_home, homes)):
        raise RedirectRefused(f"{address} is {reached.value}, and the endpoint is not")


def _network_of_home(address: str) -> Network:
    """An endpoint is where the policy says, wherever that is. From nowhere in particular only the public is near."""
    try:
        return network(address)
    except RedirectRefused:
        return Network.PUBLIC


def refuse_metadata_name(host: str) -> None:
    """Raises RedirectRefused for the name of a metadata service, which is not even looked up.

    Whoever sees that question learns in which cloud the prober is, and may be the one who answers it.
    """
    name = host.rstrip(".").lower()
    label, _, parents = name.partition(".")
    if name in _METADATA_NAMES or (label in _METADATA_LABELS and parents.rpartition(".")[2] in _METADATA_PARENTS):
        raise RedirectRefused(f"{host} is the name of a metadata service")


def _meant(address: str) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    found = ip_address(address.partition("%")[0])
    return next(reversed(inside(found)), found)


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
