"""`ports.Authorities` over DNS: which servers to ask about a target, and what they say, in the core's own terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from failoverd.authorities.delegation import Delegations
from failoverd.authorities.dns_query import UDP_PAYLOAD, SilentError, UnreachableError, send_query
from failoverd.core.control.propagation import Hearing, Nameserver, Nameservers, Question, Statement
from failoverd.core.records import Capabilities, Marker, Marking, RecordType, Target, Weights
from failoverd.settings import NameserverChoice, ServerAddress


@dataclass(frozen=True, slots=True)
class Served:
    """How the zones of one configured provider are served: by whom, and what can be seen of a record there."""

    choice: NameserverChoice
    capabilities: Capabilities


class DnsAuthorities:
    """Asks servers directly, without a resolver in between.

    Args:
        served: every configured provider, by name.
        delegations: for those whose servers were not named.
    """

    def __init__(self, served: Mapping[str, Served], delegations: Delegations) -> None:
        self._served = served
        self._delegations = delegations

    async def of(self, target: Target) -> Nameservers:
        served = self._served[target.provider]
        marked = served.capabilities.marking is Marking.TXT
        return Nameservers(await self._servers(served.choice, target.zone), marked, _whole(served, target))

    async def _servers(self, choice: NameserverChoice, zone: str) -> tuple[Nameserver, ...]:
        if choice == "none":
            return ()
        if choice == "delegation":
            return await self._delegations.of(zone)
        return tuple(Nameserver(server.address, server.port) for server in choice)

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        try:
            return await _hear(server, question)
        except _TroubleError as error:
            return Statement(server, Hearing.ANSWERED, trouble=str(error))
        except UnreachableError as error:
            return Statement(server, Hearing.UNREACHABLE, trouble=str(error))
        except SilentError as error:
            return Statement(server, Hearing.SILENT, trouble=str(error))


class _TroubleError(Exception):
    """The server answers, but not as one that serves the zone."""


def _whole(served: Served, target: Target) -> bool:
    """SRV records carry their weights with them, so every provider answers with all of them."""
    return target.key.type is RecordType.SRV or served.capabilities.weights.get(target.key.type) is Weights.MEMBERSHIP


async def _hear(server: Nameserver, question: Question) -> Statement:
    """The marker first: if the record was written again in between, the newer answers belong to no older marker."""
    marker = await _marker(server, question.key.marker_name) if question.marked else None
    wanted = RdataType[question.key.type]
    answers = []
    for _ in range(question.times):
        found = await _ask(server, question.key.name, wanted)
        answers.append(frozenset(_VALUES[question.key.type](item) for item in found))
    return Statement(server, Hearing.ANSWERED, tuple(answers), marker)


async def _marker(server: Nameserver, name: str) -> Marker | None:
    """The marker, if exactly one text stands there and is one. Its strings are put together (RFC 1035, 3.3.14)."""
    found = await _ask(server, name, RdataType.TXT)
    texts = [b"".join(item.strings) for item in found if isinstance(item, TXT)]
    return Marker.parse(texts[0].decode("utf-8", "replace")) if len(texts) == 1 else None


async def _ask(server: Nameserver, name: str, kind: RdataType) -> list[dns.rdata.Rdata]:
    """What a server with authority says of that name; empty when it says that there is nothing.

    Where a CNAME stands, or a wildcard leads with one, what follows in the answer is of another name.
    """
    at = dns.name.from_text(name)
    query = dns.message.make_query(at, kind, use_edns=0, payload=UDP_PAYLOAD, flags=0)
    answer = await send_query(query, ServerAddress(server.address, server.port))
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise _TroubleError(dns.rcode.to_text(answer.rcode()))
    if not answer.flags & dns.flags.AA:
        raise _TroubleError("an answer without authority over the zone")
    return [item for rrset in answer.answer if rrset.name == at and rrset.rdtype is kind for item in rrset]


def _address(item: dns.rdata.Rdata) -> str:
    return ip_address(item.to_text()).compressed


def _host(item: dns.rdata.Rdata) -> str:
    return item.to_text().removesuffix(".").lower()


def _service(item: dns.rdata.Rdata) -> str:
    _, _, port, host = item.to_text().split()
    return f"{host.removesuffix('.').lower()}:{port}"


_VALUES: Final = {
    RecordType.A: _address,
    RecordType.AAAA: _address,
    RecordType.CNAME: _host,
    RecordType.SRV: _service,
}
"""The value of an answer, as `core.records.Answer` has it."""
