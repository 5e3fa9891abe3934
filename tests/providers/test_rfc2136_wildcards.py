"""Names below a wildcard, on each real server: what it answers for them is no record of theirs (RFC 4592)."""

from collections.abc import AsyncIterator

import pytest
from support.contract import (
    OWNER,
    POLICY,
    VALUES,
    approved,
    compare,
    open_rfc2136,
    publish,
    rfc2136_settings,
    target,
    wish,
)
from support.proxies import counting
from support.servers import ZONE, DnsServer

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.ownership import adopt, disown
from failoverd.core.control.plan import InSync, Plan, RefusalReason, Refused, Signature
from failoverd.core.records import Observed, RecordType, Target
from failoverd.ports import Access, Provider

A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
EAST, WEST, _ = VALUES[A]


@pytest.fixture(params=["bind_server", "knot_server", "powerdns_server"], ids=["BIND", "Knot", "PowerDNS"])
def server(request: pytest.FixtureRequest) -> DnsServer:
    running: DnsServer = request.getfixturevalue(request.param)
    return running


@pytest.fixture
async def provider(server: DnsServer) -> AsyncIterator[Provider]:
    async with open_rfc2136(rfc2136_settings(server)) as opened:
        yield opened


def by_hand(at: Target) -> Decision:
    return Decision(at, DecisionKind.OPERATOR, {}, None, (), 0.0)


# -- what does not stand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wildcard", "kind"),
    [
        ("A 192.0.2.99", A),
        ("A 192.0.2.99", CNAME),
        ("CNAME elsewhere.example.net.", A),
        ("CNAME elsewhere.example.net.", CNAME),
        ('TXT "v=spf1 -all"', A),
        ('TXT "v=1 owner=other policy=other gen=3 types=A"', A),
        (f'TXT "v=1 owner={OWNER} policy={POLICY} gen=3 types=A"', A),
        ("AAAA 2001:db8::99", A),
    ],
)
@pytest.mark.parametrize("label", ["new", "a.new"])
async def test_whatever_type_the_wildcard_has_a_name_below_it_is_read_as_nothing_and_created(
    server: DnsServer, provider: Provider, name: str, label: str, wildcard: str, kind: RecordType
) -> None:
    server.edit(f"add *.{name}. 60 {wildcard}")
    at = target(f"{label}.{name}", kind)
    assert await provider.read(at) == Observed(at, None)
    plan = await publish(provider, at, VALUES[kind][0])
    assert await provider.read(at) == Observed(at, plan.after, plan.marker, plan.marker_text)


async def test_there_is_nothing_to_adopt_below_a_wildcard(server: DnsServer, provider: Provider, name: str) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99")
    at = target(f"new.{name}")
    refused = adopt(
        await provider.read(at), by_hand(at), plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1"
    )
    assert isinstance(refused, Refused)
    assert "does not exist" in refused.detail


async def test_a_name_with_names_below_it_exists_without_records(
    server: DnsServer, provider: Provider, name: str
) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99", f"add below.new.{name}. 60 A 192.0.2.1")
    at = target(f"new.{name}")
    assert await provider.read(at) == Observed(at, None)
    await publish(provider, at, EAST)
    assert (await provider.read(at)).records == wish(provider, at, EAST)


async def test_a_wildcard_below_the_name_is_no_marker_of_it(server: DnsServer, provider: Provider, name: str) -> None:
    server.edit(f'add *.{name}. 60 TXT "v=spf1 -all"')
    at = target(name)
    await publish(provider, at, EAST)
    back = disown(
        await provider.read(at), by_hand(at), plan_id="c-2", signed=Signature(OWNER), region_of={}, revision="r1"
    )
    assert isinstance(back, Plan)
    await provider.apply(approved(back))
    left = await provider.read(at)
    assert (left.records, left.marker_text) == (back.after, None)


async def test_an_answer_of_the_wildcard_that_is_what_is_wanted_is_still_no_record(
    server: DnsServer, provider: Provider, name: str
) -> None:
    server.edit(f"add *.{name}. 30 A {EAST}")
    at = target(f"new.{name}")
    plan = await publish(provider, at, EAST)
    server.edit(f"delete *.{name}. A")
    assert await provider.read(at) == Observed(at, plan.after, plan.marker, plan.marker_text)


# -- what does stand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [EAST, "192.0.2.99"], ids=["other than the wildcard", "the same as the wildcard"])
async def test_a_record_without_a_marker_is_seen_beside_a_wildcard_and_adopted(
    server: DnsServer, provider: Provider, name: str, data: str
) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99", f"add *.old.{name}. 60 A 192.0.2.99", f"add old.{name}. 60 A {data}")
    at = target(f"old.{name}")
    found = await provider.read(at)
    refused = compare(found, wish(provider, at, WEST))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NO_MARKER

    plan = adopt(found, by_hand(at), plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1")
    assert isinstance(plan, Plan)
    await provider.apply(approved(plan))
    assert isinstance(compare(await provider.read(at), plan.after), InSync)


async def test_a_text_at_the_place_of_the_marker_is_seen_though_a_wildcard_says_the_same(
    server: DnsServer, provider: Provider, name: str
) -> None:
    at = target(f"old.{name}")
    server.edit(f'add *.{name}. 60 TXT "v=spf1 -all"', f'add {at.key.marker_name}. 60 TXT "v=spf1 -all"')
    assert (await provider.read(at)).marker_text == "v=spf1 -all"


async def test_what_a_cname_may_not_stand_beside_is_seen_below_a_wildcard(
    server: DnsServer, provider: Provider, name: str
) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99", f"add old.{name}. 60 A 192.0.2.99")
    assert (await provider.read(target(f"old.{name}", CNAME))).foreign == ("A",)


async def test_the_top_of_the_zone_has_no_wildcard_above_it(server: DnsServer, provider: Provider) -> None:
    server.edit(f"add {ZONE}. 60 AAAA 2001:db8::7")
    at = target(ZONE, AAAA)
    try:
        assert (await provider.read(at)).records == wish(provider, at, "2001:db8::7", ttl=60)
    finally:
        server.edit(f"delete {ZONE}. AAAA")


# -- what it costs -----------------------------------------------------------------------------------------------------


async def test_an_owned_name_below_a_wildcard_costs_no_more_than_any_other(server: DnsServer, name: str) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99", f'add *.{name}. 60 TXT "v=spf1 -all"')
    at = target(f"new.{name}")
    async with counting(server.port) as count, open_rfc2136(rfc2136_settings(server, port=count.port)) as provider:
        await publish(provider, at, EAST)
        count.clear()
        for _ in range(2):
            assert (await provider.read(at)).records == wish(provider, at, EAST)
        assert (count.questions, count.updates) == (4, 0)


async def test_who_may_not_update_is_told_of_what_cannot_be_a_wildcard_by_questions_alone(
    server: DnsServer, name: str
) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99", f"add old.{name}. 60 A {EAST}")
    at = target(f"old.{name}")
    async with (
        counting(server.port) as count,
        open_rfc2136(rfc2136_settings(server, port=count.port), Access.READ) as reader,
    ):
        assert (await reader.read(at)).records == wish(reader, at, EAST, ttl=60)
        assert count.updates == 0


async def test_what_a_dry_run_asks_of_the_zone_changes_nothing(server: DnsServer, name: str) -> None:
    server.edit(f"add *.{name}. 60 A 192.0.2.99")
    before = server.dig(ZONE, "SOA")
    async with (
        counting(server.port) as count,
        open_rfc2136(rfc2136_settings(server, port=count.port), Access.READ) as reader,
    ):
        at = target(f"new.{name}")
        assert await reader.read(at) == Observed(at, None)
        assert count.updates == 1
    assert server.dig(ZONE, "SOA") == before
