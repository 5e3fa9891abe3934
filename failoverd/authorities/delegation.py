"""Who answers for a zone, as the world sees it: its NS records, and their addresses, by a recursive resolver.

What is found is kept for some minutes: a delegation changes seldom, and one failure of a region may ask for it a
thousand times.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.message
import dns.rcode
import dns.resolver
from dns.rdatatype import RdataType

from failoverd.authorities.dns_query import SilentError, UnreachableError, send_query
from failoverd.core.control.propagation import Nameserver
from failoverd.core.errors import Transient
from failoverd.ports import Clock
from failoverd.settings import DNS_PORT, ServerAddress

KEPT: Final = 300.0
"""Seconds for which a delegation is believed."""

FAILURE_KEPT: Final = 5.0
"""Seconds before a lookup that failed is tried again: who waits in line for it hears of the same failure."""

_REMEDY: Final = (
    "name the authoritative servers in the provider's `nameservers`, or the resolver to ask in `resolver`; "
    "`nameservers: none` asks nobody"
)


class Delegations:
    """Looks delegations up.

    Args:
        resolvers: recursive resolvers, asked in this order; those of the system when there are none.
        clock: for how long ago something was found.
        port: where authoritative servers listen.
    """

    def __init__(self, resolvers: Sequence[ServerAddress], clock: Clock, *, port: int = DNS_PORT) -> None:
        self._resolvers = tuple(resolvers)
        self._clock = clock
        self._port = port
        self._found: dict[str, tuple[float, tuple[Nameserver, ...]]] = {}
        self._failed: dict[str, tuple[float, Transient]] = {}
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, zone: str) -> tuple[Nameserver, ...]:
        """Every address of every server of the zone, in order.

        Raises:
            Transient: it cannot be told now.
        """
        async with self._looking[zone]:
            if zone in self._found and self._clock() - self._found[zone][0] <= KEPT:
                return self._found[zone][1]
            if zone in self._failed and self._clock() - self._failed[zone][0] <= FAILURE_KEPT:
                error = self._failed[zone][1]
                raise _unknown(error.detail)
            try:
                servers = await self._look_up(zone)
            except Transient as error:
                self._failed[zone] = (self._clock(), error)
                raise
            self._found[zone] = (self._clock(), servers)
            return servers

    async def _look_up(self, zone: str) -> tuple[Nameserver, ...]:
        resolvers = self._resolvers or _of_the_system()
        names = sorted(await _values(resolvers, zone, RdataType.NS))
        if not names:
            raise _unknown(f"{zone} has no NS records by the word of {_said(resolvers)}")
        wanted = [(name, kind) for name in names for kind in (RdataType.A, RdataType.AAAA)]
        found = await asyncio.gather(*(_values(resolvers, name, kind) for name, kind in wanted))
        servers = tuple(
            Nameserver(address, self._port, name)
            for (name, _), addresses in zip(wanted, found, strict=True)
            for address in sorted(addresses)
        )
        if not servers:
            raise _unknown(f"none of the servers of {zone} has an address: {', '.join(names)}")
        return servers


async def _values(resolvers: Sequence[ServerAddress], name: str, kind: RdataType) -> set[str]:
    """What stands at the name, by the first resolver that knows; empty when it knows that nothing does."""
    troubles = []
    for resolver in resolvers:
        try:
            answer = await send_query(dns.message.make_query(name, kind, use_edns=0), resolver)
        except (SilentError, UnreachableError) as error:
            troubles.append(f"{resolver}: {error}")
            continue
        if answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            return {_text(item) for rrset in answer.answer if rrset.rdtype is kind for item in rrset}
        troubles.append(f"{resolver}: {dns.rcode.to_text(answer.rcode())}")
    raise _unknown(f"{name} {kind.name} could not be looked up: {'; '.join(troubles)}")


def _text(item: dns.rdata.Rdata) -> str:
    if item.rdtype is RdataType.NS:
        return item.to_text().removesuffix(".").lower()
    return ip_address(item.to_text()).compressed


def _of_the_system() -> tuple[ServerAddress, ...]:
    try:
        found = dns.resolver.Resolver().nameservers
    except (dns.exception.DNSException, OSError) as error:
        raise _unknown(f"this system names no resolver: {error}") from error
    return tuple(ServerAddress(str(address)) for address in found)


def _said(resolvers: Sequence[ServerAddress]) -> str:
    return ", ".join(str(resolver) for resolver in resolvers)


def _unknown(detail: str) -> Transient:
    return Transient(detail, reason="delegation_unknown", remedy=_REMEDY)
