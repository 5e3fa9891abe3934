"""Who answers for a zone, by a resolver: a local BIND that knows the zone stands in for one."""

import asyncio
from pathlib import Path

import dns.resolver
import pytest
from support.servers import ZONE, DnsServer, bind, free_port
from support.silence import silence

from failoverd.authorities import Delegations, DnsAuthorities, Served
from failoverd.authorities.delegation import FAILURE_KEPT, KEPT
from failoverd.core.control.propagation import Nameserver, Question
from failoverd.core.errors import Transient
from failoverd.core.records import Capabilities, RecordKey, RecordType, Target, Weights
from failoverd.settings import ServerAddress

READ = dns.resolver.Resolver.read_resolv_conf  # before a fixture forbids it


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def delegations(*servers: DnsServer | ServerAddress, clock: Watch | None = None, port: int = 53) -> Delegations:
    where = [each if isinstance(each, ServerAddress) else ServerAddress(each.address, each.port) for each in servers]
    return Delegations(where, clock or Watch(), port=port)


async def test_the_servers_of_a_zone_are_those_that_its_ns_records_name(bind_server: DnsServer) -> None:
    assert await delegations(bind_server).of(ZONE) == (Nameserver("127.0.0.1", 53, f"ns.{ZONE}"),)


async def test_every_address_of_every_server_is_found_in_order() -> None:
    with bind() as server:
        server.edit("add a.hosts 60 A 127.0.0.3", "add a.hosts 60 A 127.0.0.2", "add a.hosts 60 AAAA ::1")
        server.edit("add b.hosts 60 A 127.0.0.4", "add @ 60 NS b.hosts", "add @ 60 NS a.hosts")
        found = await delegations(server, port=5300).of(ZONE)
    assert [str(each) for each in found] == [
        f"a.hosts.{ZONE} (127.0.0.2:5300)",
        f"a.hosts.{ZONE} (127.0.0.3:5300)",
        f"a.hosts.{ZONE} ([::1]:5300)",
        f"b.hosts.{ZONE} (127.0.0.4:5300)",
        f"ns.{ZONE} (127.0.0.1:5300)",
    ]


async def test_a_delegation_is_remembered_for_some_minutes_and_looked_up_once_for_many(bind_server: DnsServer) -> None:
    clock = Watch()
    known = delegations(bind_server, clock=clock)
    found = await asyncio.gather(*(known.of(ZONE) for _ in range(50)))
    assert len(set(found)) == 1
    with bind_server.frozen(), silence():
        clock.now += KEPT
        assert await known.of(ZONE) == found[0]
        clock.now += 1.0
        with pytest.raises(Transient, match="it does not answer"):
            await known.of(ZONE)


async def test_a_failure_is_told_to_all_who_wait_for_it_and_tried_again_soon(bind_server: DnsServer) -> None:
    clock = Watch()
    known = delegations(bind_server, clock=clock)
    with bind_server.frozen(), silence():
        began = asyncio.get_running_loop().time()
        failures = await asyncio.gather(*(known.of(ZONE) for _ in range(50)), return_exceptions=True)
        assert {type(failure) for failure in failures} == {Transient}
        assert asyncio.get_running_loop().time() - began < 10.0
    clock.now += FAILURE_KEPT + 1.0
    assert await known.of(ZONE)


async def test_a_server_that_was_found_is_asked(bind_server: DnsServer) -> None:
    bind_server.edit("add api 5 A 192.0.2.1")
    served = Served("delegation", Capabilities({RecordType.A: Weights.MEMBERSHIP}, 1))
    authorities = DnsAuthorities({"main": served}, delegations(bind_server, port=bind_server.port))
    key = RecordKey(f"api.{ZONE}", RecordType.A)
    (server,) = (await authorities.of(Target("api", key, "main", ZONE))).servers
    said = await authorities.ask(server, Question(key, marked=False, times=1))
    assert said.answers == (frozenset({"192.0.2.1"}),)
    assert str(server) == f"ns.{ZONE} (127.0.0.1:{bind_server.port})"


async def test_a_resolver_that_does_not_answer_is_passed_over(bind_server: DnsServer) -> None:
    dead = ServerAddress("127.0.0.1", free_port())
    assert await delegations(dead, bind_server).of(ZONE)


@pytest.mark.parametrize(
    ("zone", "words"),
    [("missing.test", "REFUSED"), (f"nothing.{ZONE}", "has no NS records")],
)
async def test_a_zone_that_cannot_be_found_is_said_with_the_way_out(
    bind_server: DnsServer, zone: str, words: str
) -> None:
    with pytest.raises(Transient, match=words) as caught:
        await delegations(bind_server).of(zone)
    assert caught.value.reason == "delegation_unknown"
    assert "`nameservers`" in caught.value.remedy


async def test_without_a_resolver_of_its_own_the_systems_is_read(
    bind_server: DnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its addresses alone are read; what asks them is the same code."""
    file = tmp_path / "resolv.conf"
    file.write_text("# nobody\n")
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", lambda self, _: READ(self, str(file)))
    with pytest.raises(Transient, match="this system names no resolver"):
        await delegations().of(ZONE)
    file.write_text("nameserver 127.255.255.254\n")
    with pytest.raises(Transient, match=r"127\.255\.255\.254:53: "):
        await delegations().of(ZONE)
    assert bind_server.pid
