"""What real servers say, in the words of the core."""

import asyncio
import socket
from collections.abc import Iterator
from types import MappingProxyType

import dns.flags
import dns.message
import dns.rcode
import pytest
from support.proxies import without_edns
from support.servers import LOCKED_ZONE, ZONE, DnsServer, PowerDns, free_port, lua, powerdns
from support.silence import silence

from failoverd.authorities import Delegations, DnsAuthorities, Served
from failoverd.core.control.propagation import Hearing, Nameserver, Nameservers, Question, Statement
from failoverd.core.records import Capabilities, Marker, Marking, RecordKey, RecordType, Target, Weights
from failoverd.settings import NameserverChoice, ServerAddress

NAME = f"api.{ZONE}"
OURS = Marker("tests", "api", 7, (RecordType.A,))
HERE = ServerAddress("127.0.0.1", 5301)


def authorities(
    choice: NameserverChoice = "none",
    *,
    weights: Weights = Weights.NATIVE,
    marking: Marking = Marking.TXT,
) -> DnsAuthorities:
    capabilities = Capabilities(MappingProxyType({RecordType.A: weights}), 255, marking=marking)
    resolvers = (ServerAddress("127.0.0.1", 9),)
    return DnsAuthorities({"main": Served(choice, capabilities)}, Delegations(resolvers, lambda: 0.0))


def target(record_type: RecordType = RecordType.A) -> Target:
    return Target("api", RecordKey(NAME, record_type), "main", ZONE)


async def ask(
    server: DnsServer | Nameserver,
    name: str = NAME,
    record_type: RecordType = RecordType.A,
    *,
    times: int = 1,
    marked: bool = True,
) -> Statement:
    where = Nameserver(server.address, server.port) if isinstance(server, DnsServer) else server
    return await authorities().ask(where, Question(RecordKey(name, record_type), marked, times))


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("software", ["bind_server", "knot_server"])
async def test_a_server_says_every_address_and_the_marker(software: str, request: pytest.FixtureRequest) -> None:
    server: DnsServer = request.getfixturevalue(software)
    server.edit("add api 5 A 192.0.2.1", "add api 5 A 192.0.2.2", f'add _failoverd.api 60 TXT "{OURS.to_text()}"')
    said = await ask(server, times=2)
    both = frozenset({"192.0.2.1", "192.0.2.2"})
    assert (said.hearing, said.answers, said.marker) == (Hearing.ANSWERED, (both, both), OURS)
    assert said.trouble == ""


@pytest.mark.parametrize(
    ("record_type", "data", "value"),
    [
        (RecordType.AAAA, "2001:DB8:0::0A", "2001:db8::a"),
        (RecordType.CNAME, "LB.example.net.", "lb.example.net"),
        (RecordType.SRV, "0 70 8443 LB.example.net.", "lb.example.net:8443"),
    ],
)
async def test_values_are_said_as_policies_say_them(
    bind_server: DnsServer, record_type: RecordType, data: str, value: str
) -> None:
    bind_server.edit(f"add api 5 {record_type} {data}")
    said = await ask(bind_server, record_type=record_type)
    assert said.answers == (frozenset({value}),)


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
async def test_a_server_that_does_not_know_edns_is_asked_again_without_it(
    bind_server: DnsServer, rcode: dns.rcode.Rcode
) -> None:
    bind_server.edit("add api 5 A 192.0.2.1")
    async with without_edns(bind_server.port, rcode) as port:
        said = await ask(Nameserver("127.0.0.1", port))
    assert (said.hearing, said.answers, said.trouble) == (Hearing.ANSWERED, (frozenset({"192.0.2.1"}),), "")


async def test_nothing_at_the_name_is_an_answer_too(bind_server: DnsServer) -> None:
    said = await ask(bind_server)
    assert (said.hearing, said.answers, said.marker, said.trouble) == (Hearing.ANSWERED, (frozenset(),), None, "")


async def test_an_answer_that_is_too_long_for_a_datagram_is_asked_for_over_tcp(bind_server: DnsServer) -> None:
    many = [f"10.0.{number}.1" for number in range(100)]
    bind_server.edit(*(f"add api 5 A {address}" for address in many))
    said = await ask(bind_server)
    assert said.answers == (frozenset(many),)


async def test_a_marker_that_is_none_of_ours_or_not_alone_is_no_marker(bind_server: DnsServer) -> None:
    bind_server.edit('add _failoverd.api 60 TXT "heritage=other"')
    assert (await ask(bind_server)).marker is None
    bind_server.edit(f'add _failoverd.api 60 TXT "{OURS.to_text()}"')
    assert (await ask(bind_server)).marker is None


@pytest.mark.parametrize("software", ["bind_server", "knot_server"])
async def test_what_stands_at_another_name_is_no_answer_and_no_marker_though_a_wildcard_leads_there(
    software: str, request: pytest.FixtureRequest
) -> None:
    server: DnsServer = request.getfixturevalue(software)
    server.edit("add *.led 5 CNAME old", "add old 5 A 192.0.2.1", f'add old 60 TXT "{OURS.to_text()}"')
    said = await ask(server, f"new.led.{ZONE}")
    assert (said.answers, said.marker, said.trouble) == ((frozenset(),), None, "")


async def test_a_text_of_a_wildcard_is_no_marker(bind_server: DnsServer) -> None:
    bind_server.edit("add *.star 5 A 192.0.2.1", 'add *.star 5 TXT "v=spf1 -all"')
    assert (await ask(bind_server, f"new.star.{ZONE}")).marker is None


async def test_a_lua_record_is_answered_one_address_at_a_time(powerdns_server: PowerDns) -> None:
    code = "pickwrandom({{50,'192.0.2.1'},{50,'192.0.2.2'}})"
    powerdns_server.edit(f"add api 5 TYPE65402 {lua('A', code)}")
    said = await ask(powerdns_server, times=20, marked=False)
    assert {len(values) for values in said.answers} == {1}
    assert frozenset[str]().union(*said.answers) <= {"192.0.2.1", "192.0.2.2"}


@pytest.fixture(scope="module")
def powerdns_server() -> Iterator[PowerDns]:
    with powerdns() as server:
        yield server


# -- servers that are no witnesses -------------------------------------------------------------------------------------


async def test_a_server_without_the_zone_says_so_and_is_not_silent(bind_server: DnsServer) -> None:
    said = await ask(bind_server, "api.missing.test")
    assert (said.hearing, said.trouble) == (Hearing.ANSWERED, "REFUSED")


async def test_what_was_delegated_away_is_answered_without_authority(bind_server: DnsServer) -> None:
    said = await ask(bind_server, f"api.child.{ZONE}", marked=False)
    assert said.trouble == "an answer without authority over the zone"


async def test_a_frozen_server_is_silent(bind_server: DnsServer) -> None:
    with bind_server.frozen(), silence():
        said = await ask(bind_server)
    assert (said.hearing, said.trouble) == (Hearing.SILENT, "it does not answer")


async def test_a_closed_port_is_silent_at_once() -> None:
    asked = asyncio.get_running_loop().time()
    said = await ask(Nameserver("127.0.0.1", free_port()))
    assert (said.hearing, said.trouble) == (Hearing.SILENT, "Connection refused")
    assert asyncio.get_running_loop().time() - asked < 3.0


async def test_an_address_without_a_way_there_cannot_be_asked_from_here() -> None:
    said = await ask(Nameserver("255.255.255.255", 53))  # a broadcast address, to which an ordinary socket may not send
    assert said.hearing is Hearing.UNREACHABLE
    assert said.trouble


async def test_a_datagram_that_answers_another_question_is_passed_over() -> None:
    """A liar that guesses: a wrong id, no DNS at all, another question; then the real answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.bind(("127.0.0.1", 0))
        liar.setblocking(False)
        asking = asyncio.create_task(ask(Nameserver("127.0.0.1", liar.getsockname()[1]), marked=False))
        loop = asyncio.get_running_loop()
        wire, client = await loop.sock_recvfrom(liar, 65_535)
        query = dns.message.from_wire(wire)
        stray = dns.message.make_response(dns.message.make_query("other.test", "A", id=query.id))
        for noise in (bytes([wire[0] ^ 1]) + wire[1:], b"no dns", stray.to_wire()):
            liar.sendto(noise, client)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        liar.sendto(answer.to_wire(), client)
        assert (await asking).answers == (frozenset(),)


# -- whom to ask -------------------------------------------------------------------------------------------------------


async def test_configured_servers_are_asked_and_no_others() -> None:
    assert await authorities((HERE,)).of(target()) == Nameservers((Nameserver("127.0.0.1", 5301),))


async def test_with_none_nobody_is_asked() -> None:
    assert (await authorities("none").of(target())).servers == ()


@pytest.mark.parametrize(
    ("weights", "record_type", "whole"),
    [
        (Weights.NATIVE, RecordType.A, False),
        (Weights.MEMBERSHIP, RecordType.A, True),
        (Weights.NATIVE, RecordType.SRV, True),
    ],
)
async def test_what_an_answer_holds_follows_from_how_the_provider_says_weights(
    weights: Weights, record_type: RecordType, whole: bool
) -> None:
    assert (await authorities((HERE,), weights=weights).of(target(record_type))).whole is whole


async def test_a_marker_in_a_tag_is_not_looked_for_in_dns(bind_server: DnsServer) -> None:
    assert (await authorities((HERE,), marking=Marking.TAG).of(target())).marked is False
    bind_server.edit(f'add _failoverd.api 60 TXT "{OURS.to_text()}"')
    assert (await ask(bind_server, marked=False)).marker is None


async def test_a_zone_that_is_there_and_closed_to_us_is_still_a_witness(bind_server: DnsServer) -> None:
    said = await ask(bind_server, f"ns.{LOCKED_ZONE}", marked=False)
    assert said.answers == (frozenset({"127.0.0.1"}),)
