"""Names that a real server takes a write for, and that nobody is ever answered: below a DNAME, in another zone."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support import servers
from support.contract import (
    OWNER,
    VALUES,
    approved,
    compare,
    open_rfc2136,
    planned,
    publish,
    rfc2136_settings,
    target,
    wish,
)
from support.powerdns import by_both, dns_update, http_api, open_powerdns
from support.proxies import counting
from support.servers import ZONE, DnsServer, Key, PowerDns

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.ownership import adopt
from failoverd.core.control.plan import RefusalReason, Refused, Signature
from failoverd.core.errors import Fenced, Permanent
from failoverd.core.records import RecordType
from failoverd.ports import Provider
from failoverd.providers.powerdns import PowerdnsSettings

EAST, WEST, _ = VALUES[RecordType.A]
CHILD = f"sub.{ZONE}"


# -- below a DNAME -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["bind_server", "knot_server"], ids=["BIND", "Knot"])
def server(request: pytest.FixtureRequest) -> DnsServer:
    """One that answers for what is below a DNAME (RFC 6672)."""
    running: DnsServer = request.getfixturevalue(request.param)
    return running


@pytest.fixture
async def provider(server: DnsServer) -> AsyncIterator[Provider]:
    async with open_rfc2136(rfc2136_settings(server)) as opened:
        yield opened


@pytest.mark.parametrize("label", ["", "new.", "a.new."])
async def test_at_a_dname_and_below_it_nothing_is_published_for_no_marker_would_be_seen(
    server: DnsServer, provider: Provider, name: str, label: str
) -> None:
    server.edit(f"add {name}. 60 DNAME example.net.")
    at = target(f"{label}{name}")
    observed = await provider.read(at)
    assert (observed.foreign, observed.records, observed.marker_text) == ((f"DNAME at {name}",), None, None)
    refused = compare(observed, wish(provider, at, EAST))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_TYPE
    assert f"DNAME at {name} hides {at.key.name} or its marker" in refused.detail


async def test_a_dname_that_came_after_the_read_fences_the_write(
    server: DnsServer, provider: Provider, name: str
) -> None:
    at = target(name)
    plan = planned(await provider.read(at), wish(provider, at, EAST))
    server.edit(f"add {name}. 60 DNAME example.net.")
    with pytest.raises(Fenced):
        await provider.apply(approved(plan))
    assert server.dig(name, "A") == []


async def test_what_stands_at_a_dname_cannot_be_adopted(server: DnsServer, provider: Provider, name: str) -> None:
    server.edit(f"add {name}. 60 A {EAST}", f"add {name}. 60 DNAME example.net.")
    at = target(name)
    decision = Decision(at, DecisionKind.OPERATOR, {}, None, (), 0.0)
    found = adopt(
        await provider.read(at), decision, plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1"
    )
    assert isinstance(found, Refused)
    assert "DNAME" in found.detail
    assert "another name" in found.remedy


# -- in another zone of the same server --------------------------------------------------------------------------------


@contextmanager
def with_child(software: str) -> Iterator[DnsServer]:
    """A server that also has `CHILD` as a zone of its own, which takes updates, too."""

    def configured(directory: Path, port: int, key: Key) -> list[str]:
        (directory / f"{CHILD}.zone").write_text(servers._ZONE_FILE)
        if software == "BIND":
            command = servers._bind_configuration(directory, port, key)
            said = f'zone "{CHILD}" {{ type primary; file "{CHILD}.zone"; allow-update {{ key "{key.name}"; }}; }};\n'
        else:
            command = servers._knot_configuration(directory, port, key)
            said = f"  - domain: {CHILD}\n    file: {CHILD}.zone\n    acl: update\n"
        with Path(command[-1]).open("a") as file:
            file.write(said)
        return command

    with servers._running(software, {"BIND": "named", "Knot": "knotd"}[software], configured) as running:
        yield running


@pytest.mark.parametrize("software", ["BIND", "Knot"])
async def test_a_name_that_another_zone_of_the_server_answers_for_is_not_written_into_the_parent(
    software: str,
) -> None:
    with with_child(software) as server:
        in_child, in_parent = target(f"www.{CHILD}", zone=CHILD), target(f"www.{CHILD}")
        async with open_rfc2136(rfc2136_settings(server)) as provider:
            for standing in ("nothing", "a record", "a record and its marker"):
                if standing == "a record":
                    server.edit(f"add {in_child.key.name}. 60 A {WEST}", zone=CHILD)
                if standing == "a record and its marker":
                    server.edit(f"delete {in_child.key.name}. A", zone=CHILD)
                    await publish(provider, in_child, WEST)
                with pytest.raises(Permanent) as caught:
                    await provider.read(in_parent)
                assert caught.value.reason == "not_authoritative", standing
                assert f"is answered there from the zone {CHILD}" in caught.value.detail
                assert f"name {CHILD} in `zones`" in caught.value.remedy
        assert server.dig(in_child.key.name, "A") == [WEST]


async def test_which_zone_answers_is_asked_once_and_not_in_every_round(bind_server: DnsServer, name: str) -> None:
    at = target(name)
    async with counting(bind_server.port) as count:
        settings = rfc2136_settings(bind_server, port=count.port)
        async with open_rfc2136(settings) as before:
            await publish(before, at, EAST)
        async with open_rfc2136(settings) as provider:
            count.clear()
            for questions in (4, 2, 2):
                assert (await provider.read(at)).marker is not None
                assert count.questions == questions
                count.clear()


async def test_powerdns_is_asked_which_zone_answers_before_it_is_transferred(powerdns_server: PowerDns) -> None:
    powerdns_server.edit(f"add child.{ZONE}. 60 NS ns.elsewhere.example.net.")
    async with open_powerdns(dns_update(powerdns_server)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(target(f"child.{ZONE}"))
    assert caught.value.reason == "not_authoritative"


@contextmanager
def child_zone(server: PowerDns, name: str) -> Iterator[None]:
    """The server has that zone as well, for as long as the context lasts."""
    zones = f"{server.api_url}/api/v1/servers/localhost/zones"
    key = {"X-API-Key": server.api_key, "Content-Type": "application/json"}
    made = json.dumps({"name": f"{name}.", "kind": "Native", "nameservers": [f"ns.{ZONE}."]}).encode()
    urlopen(Request(zones, made, key), timeout=5).close()  # noqa: S310 - the address is ours
    try:
        yield
    finally:
        gone = Request(f"{zones}/{name}.", None, key, method="DELETE")  # noqa: S310 - the same
        urlopen(gone, timeout=5).close()  # noqa: S310 - the same


@pytest.mark.parametrize("settings", [http_api, by_both])
@pytest.mark.parametrize("label", ["www.", "", "a.b."])
async def test_the_api_of_powerdns_writes_nothing_below_a_closer_zone(
    powerdns_server: PowerDns, name: str, label: str, settings: Callable[[PowerDns], PowerdnsSettings]
) -> None:
    at = target(f"{label}{name}")
    with child_zone(powerdns_server, name):
        async with open_powerdns(settings(powerdns_server)) as provider:
            with pytest.raises(Permanent) as caught:
                await provider.read(at)
    assert caught.value.reason == "not_authoritative"
    assert f"is answered there from the zone {name}" in caught.value.detail
    assert f"name {name} in `zones`" in caught.value.remedy


async def test_the_api_of_powerdns_writes_nothing_below_a_delegation(powerdns_server: PowerDns, name: str) -> None:
    powerdns_server.edit(f"add {name}. 60 NS ns.elsewhere.example.net.")
    async with open_powerdns(http_api(powerdns_server)) as provider:
        for label in ("", "www."):
            with pytest.raises(Permanent) as caught:
                await provider.read(target(f"{label}{name}"))
            assert caught.value.reason == "not_authoritative"
            assert f"{name} is delegated" in caught.value.detail


async def test_a_zone_that_came_after_the_read_keeps_the_api_from_writing(powerdns_server: PowerDns, name: str) -> None:
    at = target(f"www.{name}")
    async with open_powerdns(http_api(powerdns_server)) as provider:
        await publish(provider, at, EAST)
        seen = await provider.read(at)
        with child_zone(powerdns_server, name):
            assert await provider.read(at) == seen, "what stands there is not asked about in every round"
            with pytest.raises(Permanent) as caught:
                await provider.apply(approved(planned(seen, wish(provider, at, WEST))))
        assert caught.value.reason == "not_authoritative"
        assert await provider.read(at) == seen
