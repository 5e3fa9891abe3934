"""OCI DNS: how many requests reads and writes cost, what the fence compares, and what becomes of a bad record."""

import asyncio
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from clouds.oci import OciCloud
from support.contract import VALUES, apply_all, approved, plan_all, planned, publish, target, wish
from support.oci_site import LocalOci, local_oci
from support.servers import ZONE

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, ProviderError, Transient
from failoverd.core.records import Marker, Observed, RecordSet, RecordType, Target
from failoverd.providers.oci_dns.change import change_of, fitting
from failoverd.runtime.manual_command import manual_command

ADDRESSES = VALUES[RecordType.A]
AT = target(f"api.{ZONE}")
INSIDE = "inside.test"


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOci]:
    cloud = OciCloud([ZONE], private_zones=[INSIDE])
    with local_oci(tmp_path, monkeypatch, cloud) as local:
        yield local


def targets(count: int) -> list[Target]:
    return [target(f"service-{number}.{ZONE}") for number in range(count)]


def populate(local: LocalOci, wanted: Sequence[Target]) -> None:
    local.edit(*(f"add {at.key.name}. 30 A {ADDRESSES[2]}" for at in wanted))


# -- what a read costs -------------------------------------------------------------------------------------------------


async def test_one_name_and_its_marker_are_one_request(local: LocalOci) -> None:
    async with local.open() as provider:
        await publish(provider, AT, *ADDRESSES)
        before = local.reads()
        assert (await provider.read(AT)).marker is not None
        assert local.reads() - before == 1


async def test_many_names_cost_as_many_requests_as_the_zone_has_pages(local: LocalOci) -> None:
    wanted = targets(250)
    async with local.open() as provider:
        assert set(await apply_all(provider, await plan_all(provider, wanted, ADDRESSES[0]))) == {None}
        before = local.reads()
        seen = await asyncio.gather(*(provider.read(at) for at in wanted))
        records = 2 * len(wanted) + 5  # each with its marker, and what OCI puts into a zone
        assert local.reads() - before <= -(-records // 100) + 1  # the first of them lines up alone
        assert {observed.records.answers[0].value for observed in seen if observed.records} == {ADDRESSES[0]}


async def test_a_zone_that_is_still_what_it_was_is_not_read_whole_again(local: LocalOci) -> None:
    wanted = targets(250)
    populate(local, wanted)
    async with local.open() as provider:
        await asyncio.gather(*(provider.read(at) for at in wanted))
        before = local.reads()
        seen = await asyncio.gather(*(provider.read(at) for at in wanted))
        assert local.reads() - before <= 2  # the first of them lines up alone
        local.edit(f"add {wanted[7].key.name}. 30 A {ADDRESSES[1]}")
        after = await asyncio.gather(*(provider.read(at) for at in wanted))
        assert [old.target for old, new in zip(seen, after, strict=True) if old.records != new.records] == [wanted[7]]
        assert all(old.token == new.token for old, new in zip(seen, after, strict=True) if old.target != wanted[7])


async def test_a_few_names_of_a_large_zone_are_read_by_themselves(local: LocalOci) -> None:
    populate(local, targets(1_000))
    wanted = [target(f"service-{number}.{ZONE}") for number in (500, 501, 502)]
    async with local.open() as provider:
        await asyncio.gather(*(provider.read(at) for at in wanted))
        before = local.reads()
        seen = await asyncio.gather(*(provider.read(at) for at in wanted))
        assert local.reads() - before == len(wanted)
        assert all(observed.records is not None for observed in seen)


async def test_the_top_of_a_large_zone_is_read_without_the_rest_of_it(local: LocalOci) -> None:
    populate(local, targets(300))
    at = target(ZONE)
    async with local.open() as provider:
        await publish(provider, at, ADDRESSES[0])
        before = local.reads()
        assert (await provider.read(at)).records == wish(provider, at, ADDRESSES[0])
        assert local.reads() - before == 2


async def test_a_name_that_many_others_contain_is_read_whole(local: LocalOci) -> None:
    at = target(f"a.{ZONE}")
    local.edit(*(f"add data-{number}a.{ZONE}. 30 A {ADDRESSES[2]}" for number in range(150)))
    async with local.open() as provider:
        await publish(provider, at, ADDRESSES[0])
        assert (await provider.read(at)).records == wish(provider, at, ADDRESSES[0])


async def test_names_that_are_read_while_the_zone_changes_are_of_one_version(local: LocalOci) -> None:
    wanted = targets(120)
    async with local.open() as writer, local.open() as reader:
        assert set(await apply_all(writer, await plan_all(writer, wanted, ADDRESSES[0]))) == {None}
        for value in (ADDRESSES[1], ADDRESSES[2], ADDRESSES[0]):
            plans = await plan_all(writer, wanted, value)
            writing = asyncio.create_task(apply_all(writer, plans))
            seen = await asyncio.gather(*(reader.read(at) for at in wanted))
            assert set(await writing) == {None}
            for observed, plan in zip(seen, plans, strict=True):
                old, new = (plan.before.records, plan.before.marker), (plan.after, plan.marker)
                assert (observed.records, observed.marker) in (old, new)


async def test_a_private_zone_is_named_by_its_ocid(local: LocalOci) -> None:
    at = target(f"api.{INSIDE}", zone=INSIDE)
    async with local.open(zones=[INSIDE]) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(at)
        assert caught.value.reason == "zone_missing"
    async with local.open(zones=[INSIDE], zone_ids={INSIDE: local.cloud.zone(INSIDE).id}) as provider:
        await publish(provider, at, ADDRESSES[0])
        assert local.cloud.records(at.key.name) == [f"{at.key.name}. 30 A {ADDRESSES[0]}"]


# -- many changes in one request ---------------------------------------------------------------------------------------


async def test_two_hundred_names_are_one_request(local: LocalOci) -> None:
    async with local.open() as provider:
        for values in ([ADDRESSES[0]], [ADDRESSES[1]]):
            plans = await plan_all(provider, targets(200), *values)
            before = local.writes()
            assert set(await apply_all(provider, plans)) == {None}
            assert local.writes() - before == 1


async def test_a_region_that_fails_in_hundreds_of_records_costs_few_requests(local: LocalOci) -> None:
    wanted = targets(300)
    async with local.open() as provider:
        assert set(await apply_all(provider, await plan_all(provider, wanted, *ADDRESSES))) == {None}
        written, read = local.writes(), local.reads()
        failovers = await plan_all(provider, wanted, *ADDRESSES[1:])
        records = len(wanted) * (len(ADDRESSES) + 1) + 5
        assert local.reads() - read <= -(-records // 100) + 1
        operations = sum(len(change_of(plan).operations) for plan in failovers)
        assert set(await apply_all(provider, failovers)) == {None}
        assert local.writes() - written <= -(-operations // 2_000) + 1
        after = await asyncio.gather(*(provider.read(at) for at in wanted))
        assert [observed.records for observed in after] == [plan.after for plan in failovers]


async def test_a_bad_record_among_two_hundred_fails_alone(local: LocalOci) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(200), ADDRESSES[0])
        stale = plans[137]
        local.edit(f"add {stale.target.key.name}. 30 A 192.0.2.99")
        results = await apply_all(provider, plans)
        refused = {plans[index].target: result for index, result in enumerate(results) if result is not None}
        assert set(refused) == {stale.target}
        assert isinstance(refused[stale.target], Fenced)
        assert local.cloud.records(stale.target.key.name) == [f"{stale.target.key.name}. 30 A 192.0.2.99"]
        good = await asyncio.gather(*(provider.read(plan.target) for plan in plans if plan is not stale))
        assert {observed.marker.generation for observed in good if observed.marker} == {1}
        assert local.writes() <= 2 * 8 + 1  # a batch and its halves, down to one


async def test_a_request_that_oci_finds_too_long_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_oci(tmp_path, monkeypatch, OciCloud([ZONE], max_items=50)) as local:
        async with local.open() as provider:
            assert set(await apply_all(provider, await plan_all(provider, targets(40), ADDRESSES[0]))) == {None}


async def test_no_more_operations_than_the_settings_allow_are_in_one_request(local: LocalOci) -> None:
    async with local.open(operations_per_request=20) as provider:
        plans = await plan_all(provider, targets(12), ADDRESSES[0])
        changes = [change_of(plan) for plan in plans]
        assert {len(change.operations) for change in changes} == {5}
        assert fitting(changes, 20) == 4
        assert set(await apply_all(provider, plans)) == {None}
        assert local.writes() == 3


async def test_two_types_of_one_name_never_share_a_request(local: LocalOci) -> None:
    four, six = AT, target(AT.key.name, RecordType.AAAA)
    async with local.open() as provider:
        plans = [planned(await provider.read(at), wish(provider, at, VALUES[at.key.type][0])) for at in (four, six)]
        results = await apply_all(provider, plans)
        assert sorted(type(result).__name__ for result in results) == ["Fenced", "NoneType"]
        assert len(local.cloud.records(AT.key.marker_name)) == 1


async def test_a_wrong_key_does_not_split_a_batch(local: LocalOci) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(50), ADDRESSES[0])
        local.cloud.user.keys.clear()
        results = await apply_all(provider, plans)
        assert {result.reason for result in results if isinstance(result, ProviderError)} == {"credentials_invalid"}
        assert local.writes() == 1


# -- the fence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unmet", [(412, "PreconditionFailed"), (409, "Conflict"), (400, "InvalidParameter")])
async def test_an_unmet_precondition_fences_whatever_its_status_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unmet: tuple[int, str]
) -> None:
    with local_oci(tmp_path, monkeypatch, OciCloud([ZONE], unmet=unmet)) as local:
        async with local.open() as provider:
            first = await publish(provider, AT, ADDRESSES[0])
            stale = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
            await publish(provider, AT, ADDRESSES[2])
            for plan in (first, stale):
                with pytest.raises(Fenced) as caught:
                    await provider.apply(approved(plan))
                assert caught.value.reason == "stale_generation"
            assert local.cloud.records(AT.key.name) == [f"{AT.key.name}. 30 A {ADDRESSES[2]}"]


async def test_a_record_that_comes_and_goes_between_read_and_write_fences_as_well(local: LocalOci) -> None:
    """The records are what they were, but their set is not the version that was read: somebody is at work."""
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        local.edit(f"add {AT.key.name}. 30 A 192.0.2.99")
        local.edit(f"delete {AT.key.name}. A 192.0.2.99")
        with pytest.raises(Fenced):
            await provider.apply(approved(plan))


async def test_a_ttl_and_some_values_change_together(local: LocalOci) -> None:
    async with local.open() as provider:
        await publish(provider, AT, *ADDRESSES[:2])
        plan = planned(await provider.read(AT), wish(provider, AT, *ADDRESSES[1:], ttl=300))
        await provider.apply(approved(plan))
        assert local.cloud.records(AT.key.name) == sorted(f"{AT.key.name}. 300 A {each}" for each in ADDRESSES[1:])


async def test_an_undo_is_written_without_a_token(local: LocalOci) -> None:
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        undo = (await publish(provider, AT, ADDRESSES[1])).undone()
        assert undo is not None
        assert undo.before.token == ""
        await provider.apply(approved(undo))
        assert (await provider.read(AT)).records == undo.after


async def test_other_types_that_may_stand_beside_an_address_are_left_alone(local: LocalOci) -> None:
    local.edit(f'add {AT.key.name}. 300 TXT "v=spf1 -all"', f"add {AT.key.name}. 300 MX 10 mail.{ZONE}.")
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        assert (await provider.read(AT)).foreign == ()
        assert len(local.cloud.records(AT.key.name)) == 3


async def test_an_alias_of_oci_is_foreign(local: LocalOci) -> None:
    local.edit(f"add {ZONE}. 30 ALIAS lb.example.net.")
    async with local.open() as provider:
        assert (await provider.read(target(ZONE))).foreign == ("ALIAS",)


async def test_protected_records_are_refused_before_anything_is_sent(local: LocalOci) -> None:
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        zone = local.cloud.zone(ZONE)
        zone.records = [
            replace(record, protected=True) if record.domain == AT.key.name else record for record in zone.records
        ]
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        before = local.writes()
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        assert caught.value.reason == "record_protected"
        assert local.writes() == before


async def test_a_record_that_becomes_protected_says_so_as_well(local: LocalOci) -> None:
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        zone = local.cloud.zone(ZONE)
        zone.records = [
            replace(record, protected=True) if record.domain == AT.key.name else record for record in zone.records
        ]
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        assert caught.value.reason == "record_protected"


async def test_a_full_zone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_oci(tmp_path, monkeypatch, OciCloud([ZONE], record_limit=6)) as local:
        async with local.open() as provider:
            with pytest.raises(Permanent) as caught:
                await publish(provider, AT, *ADDRESSES)
            assert caught.value.reason == "limit_exceeded"
            assert local.cloud.records(AT.key.name) == []


async def test_an_answer_that_makes_no_sense_is_a_failure_in_passing(local: LocalOci) -> None:
    local.edit(f"add {AT.key.name}. 30 A {ADDRESSES[0]}")
    zone = local.cloud.zone(ZONE)
    zone.records = [
        replace(record, rdata="nonsense") if record.domain == AT.key.name else record for record in zone.records
    ]
    async with local.open() as provider:
        with pytest.raises(Transient) as caught:
            await provider.read(AT)
        assert caught.value.reason == "answer_invalid"


# -- by hand -----------------------------------------------------------------------------------------------------------


async def test_the_manual_command_carries_the_same_request(local: LocalOci) -> None:
    async with local.open(profile="DEFAULT", region="eu-frankfurt-1") as provider:
        await publish(provider, AT, ADDRESSES[0])
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        words = shlex.split(manual_command(provider, plan), comments=True)
        undo = plan.undone()
        assert undo is not None
        undoing = json.loads(shlex.split(manual_command(provider, undo), comments=True)[-1])
    assert words[0] == "oci"
    options = dict(pairwise(words))
    assert options["--region"] == "eu-frankfurt-1"
    assert options["--config-file"] == str(local.config_file)
    at = words.index("dns")
    assert words[at : at + 6] == ["dns", "record", "zone", "patch", "--zone-name-or-id", ZONE]
    items = json.loads(options["--items"])
    assert items == list(change_of(plan.by_person).operations)
    assert {item["operation"] for item in items} == {"REQUIRE", "REMOVE", "ADD"}
    assert {item["operation"] for item in undoing} == {"REQUIRE", "REMOVE", "ADD"}


def test_a_set_that_stays_is_neither_removed_nor_added() -> None:
    seen = RecordSet.of(AT.key, 30, dict.fromkeys(ADDRESSES[:2], 1))
    wanted = RecordSet.of(AT.key, 30, dict.fromkeys(ADDRESSES[1:], 1))
    blank = planned_from(seen, wanted)
    verbs = [(item["operation"], item.get("rdata")) for item in change_of(blank).operations if item["rtype"] == "A"]
    assert verbs == [
        ("REQUIRE", ADDRESSES[0]),
        ("REQUIRE", ADDRESSES[1]),
        ("REMOVE", ADDRESSES[0]),
        ("ADD", ADDRESSES[2]),
    ]


def planned_from(before: RecordSet, after: RecordSet) -> Plan:
    marker = Marker("prod", AT.policy, 1, (RecordType.A,))
    return planned(Observed(AT, before, marker, marker.to_text()), after)
