"""What is particular to Azure DNS: metadata, aliases, empty record sets, and how few requests it takes."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator

import pytest
from support.azure_site import LocalAzure, zone_of
from support.contract import VALUES, approved, planned, publish, target, wish
from support.servers import ZONE

from failoverd.core.control.plan import LastGood, Plan, PlanKind, RefusalReason, Refused, Signature, diff
from failoverd.core.errors import Fenced, Permanent
from failoverd.core.records import RecordType, Target
from failoverd.ports import Access, Provider, Urgency
from failoverd.providers.azure_dns import KIND
from failoverd.providers.shared.bucket import Rate
from failoverd.runtime.manual_command import manual_command

A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
EAST, WEST, NORTH = VALUES[A]


@pytest.fixture
async def provider(azure: LocalAzure) -> AsyncIterator[Provider]:
    async with azure.open(KIND) as provider:
        yield provider


async def all_read(provider: Provider, targets: list[Target]) -> None:
    await asyncio.gather(*(provider.read(at) for at in targets))


# -- the marker --------------------------------------------------------------------------------------------------------


async def test_answers_and_marker_are_one_write_of_one_record_set(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    before = azure.writes()
    plan = await publish(provider, target(name), EAST, WEST)
    assert azure.writes() == before + 1
    assert azure.cloud.records(name) == [f"{name}. 30 A {EAST}", f"{name}. 30 A {WEST}"]
    assert azure.cloud.metadata(name, "A") == {"failoverd": plan.marker.to_text()}


async def test_what_others_keep_in_the_metadata_stays(azure: LocalAzure, provider: Provider, name: str) -> None:
    await publish(provider, target(name), EAST)
    azure.put_metadata(name, "A", team="web", cost="42")
    plan = await publish(provider, target(name), WEST)
    assert azure.cloud.metadata(name, "A") == {"team": "web", "cost": "42", "failoverd": plan.marker.to_text()}


async def test_metadata_that_came_after_the_read_fences_the_write(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    await publish(provider, target(name), EAST)
    plan = planned(await provider.read(target(name)), wish(provider, target(name), WEST))
    azure.put_metadata(name, "A", team="web")
    with pytest.raises(Fenced) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "stale_generation"
    assert azure.cloud.metadata(name, "A")["team"] == "web"


async def test_each_type_of_a_name_has_a_marker_of_its_own(azure: LocalAzure, provider: Provider, name: str) -> None:
    four, six = target(name, A), target(name, AAAA)
    await publish(provider, four, EAST)
    await publish(provider, six, VALUES[AAAA][0])
    await publish(provider, four, WEST)
    first, second = (await provider.read(four)).marker, (await provider.read(six)).marker
    assert first is not None
    assert second is not None
    assert (first.generation, first.types) == (2, (A,))
    assert (second.generation, second.types) == (1, (AAAA,))
    assert "gen=1" in azure.cloud.metadata(name, "AAAA")["failoverd"]


async def test_a_marker_removed_by_hand_is_refused_until_somebody_adopts(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    at = target(name)
    plan = await publish(provider, at, EAST)
    azure.edit_zone(f"delete _failoverd.{name} TXT")
    observed = await provider.read(at)
    refused = diff(
        observed, wish(provider, at, WEST), plan.decision, signed=Signature("prod"), region_of={}, revision="r1",
        last_good=plan.verified(0.0),
    )  # fmt: skip
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.MARKER_LOST
    assert azure.cloud.records(name) == [f"{name}. 30 A {EAST}"]


async def test_a_record_set_deleted_by_hand_comes_back_with_a_higher_generation(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    at = target(name)
    first = await publish(provider, at, EAST)
    azure.cloud.edit(f"delete {name} A")
    observed = await provider.read(at)
    assert (observed.records, observed.marker_text, observed.token) == (None, None, "")
    known = LastGood(first.after, first.generation, {}, 0.0)
    plan = diff(observed, first.after, first.decision, signed=Signature("prod"), region_of={}, revision="r1",
                last_good=known)  # fmt: skip
    assert isinstance(plan, Plan)
    assert (plan.kind, plan.generation) == (PlanKind.RESTORE, 2)
    await provider.apply(approved(plan))
    assert (await provider.read(at)).marker == plan.marker


# -- what stands in the way --------------------------------------------------------------------------------------------


async def test_an_alias_of_a_resource_is_somebody_elses(azure: LocalAzure, provider: Provider, name: str) -> None:
    azure.edit_zone(f"add {name} 60 A {EAST}")
    zone = zone_of(azure)
    there = zone.sets[zone.relative(name), "A"]
    there.properties = {"TTL": 60, "targetResource": {"id": "/subscriptions/s/publicIPAddresses/front"}}
    observed = await provider.read(target(name))
    assert observed.foreign == ("A (an alias of /subscriptions/s/publicIPAddresses/front)",)
    assert "in place of the alias" in observed.cure
    assert observed.records is None


async def test_a_cname_is_excluded_by_records_that_failoverd_does_not_manage(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    azure.edit_zone(f'add {name} 60 TXT "v=spf1 -all"', f"add {name} 60 MX 10 mail.example.net.")
    assert (await provider.read(target(name, CNAME))).foreign == ("MX", "TXT")
    assert (await provider.read(target(name, A))).foreign == ()


async def test_a_cname_that_came_after_the_read_fences_the_write(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    plan = planned(await provider.read(target(name)), wish(provider, target(name), EAST))
    azure.edit_zone(f"add {name} 60 CNAME elsewhere.example.net.")
    with pytest.raises(Fenced) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "record_changed"
    assert azure.cloud.records(name) == [f"{name}. 60 CNAME elsewhere.example.net."]


async def test_the_name_of_the_zone_itself_can_be_steered(azure: LocalAzure, provider: Provider) -> None:
    plan = await publish(provider, target(ZONE), EAST)
    assert f"{ZONE}. 30 A {EAST}" in azure.cloud.records(ZONE)
    assert (await provider.read(target(ZONE))).marker == plan.marker


async def test_more_than_twenty_values_are_refused(azure: LocalAzure, provider: Provider) -> None:
    at = target("many.example.test")
    with pytest.raises(Permanent) as caught:
        wish(provider, at, *(f"192.0.2.{number}" for number in range(1, 22)))
    assert caught.value.reason == "too_many_answers"
    assert "20" in caught.value.detail
    assert azure.site.arm.count() == 0


# -- how many requests -------------------------------------------------------------------------------------------------


async def test_a_record_that_stands_is_read_with_one_request(azure: LocalAzure, provider: Provider, name: str) -> None:
    await publish(provider, target(name), EAST)
    before = azure.site.arm.count("GET")
    await provider.read(target(name))
    assert azure.site.arm.count("GET") == before + 1


async def test_a_thousand_records_are_read_by_the_pages_of_their_zone(azure: LocalAzure, provider: Provider) -> None:
    names = [f"r{number}.{ZONE}" for number in range(1_000)]
    azure.edit_zone(*(f"add {name} 30 A {EAST}" for name in names))
    await all_read(provider, [target(name) for name in names])
    pages, size = azure.site.arm.count("GET", "/recordsets"), azure.site.arm.count("GET", f"/{ZONE}$")
    assert (pages, size) == (11, 1)  # 1,002 record sets with SOA and NS, a hundred in a page
    assert azure.site.arm.count("GET") <= pages + size + 1  # the first read had nobody to share with

    await all_read(provider, [target(name) for name in names])
    assert azure.site.arm.count("GET", f"/{ZONE}$") == 1


async def test_a_few_records_of_a_large_zone_are_read_one_by_one(azure: LocalAzure, provider: Provider) -> None:
    names = [f"r{number}.{ZONE}" for number in range(1_000)]
    azure.edit_zone(*(f"add {name} 30 A {EAST}" for name in names))
    await all_read(provider, [target(name) for name in names[:8]])
    assert azure.site.arm.count("GET", "/recordsets") == 0
    assert azure.site.arm.count("GET") <= 8 + 1


async def test_a_dry_run_sends_no_write(azure: LocalAzure, name: str) -> None:
    async with azure.open(KIND, Access.READ) as reader:
        plan = planned(await reader.read(target(name)), wish(reader, target(name), EAST))
        with pytest.raises(Permanent) as caught:
            await reader.apply(approved(plan))
        assert reader.manual(plan)
    assert caught.value.reason == "read_only"
    assert azure.writes() == 0


# -- for a person ------------------------------------------------------------------------------------------------------


async def test_the_manual_command_is_the_request_that_failoverd_sends(
    azure: LocalAzure, provider: Provider, name: str
) -> None:
    at = target(name)
    created = planned(await provider.read(at), wish(provider, at, EAST))
    words = shlex.split(manual_command(provider, created), comments=True)
    assert words[:4] == ["az", "rest", "--method", "put"]
    assert words[words.index("--url") + 1].endswith(
        f"/dnsZones/{ZONE}/A/{name.split('.', maxsplit=1)[0]}?api-version=2018-05-01"
    )
    assert json.loads(words[words.index("--headers") + 1])["If-None-Match"] == "*"
    await provider.apply(approved(created))

    changed = planned(await provider.read(at), wish(provider, at, WEST))
    words = shlex.split(manual_command(provider, changed), comments=True)
    zone = zone_of(azure)
    headers = json.loads(words[words.index("--headers") + 1])
    assert headers["If-Match"] == zone.sets[zone.relative(name), "A"].etag
    body = json.loads(words[words.index("--body") + 1])
    marker = changed.by_person.marker.to_text()
    assert body["properties"] == {"TTL": 30, "metadata": {"failoverd": marker}, "ARecords": [{"ipv4Address": WEST}]}


async def test_the_undo_command_replaces_whatever_stands_there_by_then(provider: Provider, name: str) -> None:
    at = target(name)
    await publish(provider, at, EAST)
    undo = (await publish(provider, at, WEST)).undone()
    assert undo is not None
    words = shlex.split(provider.manual(undo), comments=True)
    assert words[:4] == ["az", "rest", "--method", "patch"]
    assert EAST in words[words.index("--body") + 1]
    assert "If-Match" not in words[words.index("--headers") + 1]


# -- what many changes cost --------------------------------------------------------------------------------------------


async def test_a_region_that_fails_in_many_records_costs_few_reads(
    azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than may be written at once, in a zone of four pages."""
    azure.cloud.edit("\n".join(f"add other-{number}.{ZONE} 60 A {EAST}" for number in range(300)))
    wanted = [target(f"service-{number}.{ZONE}") for number in range(80)]
    async with azure.open(KIND) as provider:
        await asyncio.gather(*(publish(provider, at, EAST) for at in wanted))
    monkeypatch.setattr("failoverd.providers.azure_dns.provider.WRITES", Rate(20, 40))
    async with azure.open(KIND) as provider:

        async def move(at: Target) -> None:
            plan = await publish(provider, at, WEST)
            assert plan.stands_in(await provider.read(at, urgency=Urgency.FAIL_OUT))

        before = azure.site.arm.count("GET"), azure.writes()
        await asyncio.gather(*(move(at) for at in wanted))
    assert azure.writes() - before[1] == len(wanted)
    assert azure.site.arm.count("GET") - before[0] <= 4 * len(wanted) // 10
