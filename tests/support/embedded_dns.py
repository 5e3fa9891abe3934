"""A running embedded server, plans for it, and ways to ask it: dnspython as the client, dig and kdig as other eyes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random

import dns.asyncquery
import dns.message
import dns.rdatatype
from support import approving

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.records import Marker, Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.ports import Access
from failoverd.providers.embedded import KIND, EmbeddedSettings, EmbeddedWriter
from failoverd.providers.embedded.provider import ZoneStore

ZONE = "example.com"
NAME = "api.example.com"
OWNER = "prod"
POLICY = "inference-api"


def settings(
    listen: str = "127.0.0.1:0", *, zones: tuple[str, ...] = (ZONE,), nameserver: str | None = None
) -> EmbeddedSettings:
    return EmbeddedSettings(kind="embedded", zones=zones, listen=listen, nameserver=nameserver)


def target(kind: RecordType = RecordType.A, name: str = NAME, zone: str = ZONE) -> Target:
    return Target(POLICY, RecordKey(name, kind), "embedded-main", zone)


def records(at: Target, weights: Mapping[str, int], ttl: int = 30) -> RecordSet:
    return RecordSet.of(at.key, ttl, weights)


def marker(generation: int, *types: RecordType, owner: str = OWNER, policy: str = POLICY) -> Marker:
    return Marker(owner, policy, generation, types or (RecordType.A,))


def plan(before: Observed, after: RecordSet, new_marker: Marker | None = None) -> Plan:
    """What the core would plan, without its sums: shares say only that everything goes to one region."""
    at = before.target
    if new_marker is None:
        generation = before.marker.generation + 1 if before.marker is not None else 1
        types = {at.key.type, *(before.marker.types if before.marker is not None else ())}
        new_marker = marker(generation, *sorted(types))
    shares = {"azure-eastus": 10_000}
    decision = Decision(at, DecisionKind.FAILOVER, shares, after, (), at=0.0)
    had = shares if before.records is not None else {}
    return Plan("chg-1", PlanKind.CHANGE, at, before, after, new_marker, had, shares, decision, "r1")


def approved(wanted: Plan) -> Approved:
    return approving.approved(wanted)


async def publish(provider: EmbeddedWriter, at: Target, weights: Mapping[str, int], ttl: int = 30) -> None:
    """Read, plan and apply, as the daemon does."""
    wanted = provider.normalise(records(at, weights, ttl))
    await provider.apply(approved(plan(await provider.read(at), wanted)))


def store_of(
    weights_of: Mapping[Target, Mapping[str, int]], *, seed: int = 7, zones: tuple[str, ...] = (ZONE,)
) -> ZoneStore:
    """Zones without a server, answering from a fixed seed. Every policy is known."""
    store = ZoneStore(settings("127.0.0.1:53", zones=zones), serial=1, random=Random(seed))  # noqa: S311 - repeatable
    for at, weights in weights_of.items():
        place = store.place(at)
        types = sorted({*place.sets, at.key.type})
        store.put(at, place.having(records(at, weights), marker(1, *types).to_text()))
    store.expect(weights_of, whole=True)
    return store


@asynccontextmanager
async def serving(
    listen: str = "127.0.0.1:0", *, zones: tuple[str, ...] = (ZONE,), whole: bool = True
) -> AsyncIterator[EmbeddedWriter]:
    """A server. Unless it is `whole`, it was not told yet which names policies steer."""
    async with KIND.open("embedded-main", settings(listen, zones=zones), Access.WRITE) as provider:
        assert isinstance(provider, EmbeddedWriter)
        if whole:
            provider.expect(frozenset(), whole=True)
        yield provider


async def ask_udp(
    address: tuple[str, int], name: str, kind: str, *, payload: int = 1232, source: str | None = None
) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=payload)
    return await dns.asyncquery.udp(query, address[0], timeout=20, port=address[1], source=source)


async def ask_tcp(address: tuple[str, int], name: str, kind: str) -> dns.message.Message:
    return await dns.asyncquery.tcp(dns.message.make_query(name, kind), address[0], timeout=20, port=address[1])


async def run(*command: str) -> str:
    """What a command prints, errors included; dig and kdig are part of the machine that the tests run on."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode()


async def dig(address: tuple[str, int], *arguments: str) -> str:
    return await run("dig", f"@{address[0]}", "-p", str(address[1]), "+tries=1", "+time=20", *arguments)


async def kdig(address: tuple[str, int], *arguments: str) -> str:
    return await run("kdig", f"@{address[0]}", "-p", str(address[1]), "+retry=0", "+time=20", *arguments)


def values(message: dns.message.Message) -> list[str]:
    """The values of the answer section, names without the trailing dot, sorted."""
    return sorted(rdata.to_text().removesuffix(".") for rrset in message.answer for rdata in rrset)


def types(message: dns.message.Message) -> list[str]:
    return [dns.rdatatype.to_text(rrset.rdtype) for rrset in message.answer]
