"""What a policy that steers a hosted zone meets, on the local Route 53 and with the real SDK."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clouds.route53 import Route53
from clouds.route53_batch import Quotas
from clouds.route53_clients import aws_cli
from clouds.serving import WallClock
from support.alarms import until
from support.contract import OWNER, VALUES, approved, compare, planned, publish, target, wish
from support.route53_site import KEY, ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.ownership import adopt
from failoverd.core.control.plan import InSync, Plan, Signature
from failoverd.core.errors import Permanent
from failoverd.core.records import RecordSet, RecordType
from failoverd.ports import Access, Propagating, Provider
from failoverd.runtime.manual_command import manual_command

A, AAAA, CNAME, SRV = RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.SRV
ADDRESSES = VALUES[A]
AT = target(f"api.{ZONE}")
NAME = f"{AT.key.name}."
BALANCER = "Z35SXDOTRQ7X7K/lb-1.us-east-1.elb.amazonaws.com"


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: WallClock) -> Iterator[LocalRoute53]:
    cloud = Route53({ZONE_ID: ZONE}, [KEY], clock=clock, insync_after=30.0)
    with local_route53(tmp_path, monkeypatch, cloud) as local:
        yield local


async def write(provider: Provider, desired: RecordSet) -> Plan:
    """One round, with weights."""
    plan = planned(await provider.read(replace(AT, key=desired.key)), desired)
    await provider.apply(approved(plan))
    return plan


# -- what is written ---------------------------------------------------------------------------------------------------


async def test_each_answer_is_a_weighted_set_named_after_it(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plan = await write(
            provider, provider.normalise(RecordSet.of(AT.key, 30, {"192.0.2.1": 7_000, "192.0.2.2": 3_000}))
        )
    assert local.cloud.lines() == [
        f"{NAME} 30 A 192.0.2.1 weight=7 id=192.0.2.1",
        f"{NAME} 30 A 192.0.2.2 weight=3 id=192.0.2.2",
        f'_failoverd.{NAME} 60 TXT "{plan.marker.to_text()}"',
    ]


async def test_host_names_are_weighted_too(local: LocalRoute53) -> None:
    at = target(f"www.{ZONE}", CNAME)
    async with local.open() as provider:
        desired = provider.normalise(RecordSet.of(at.key, 30, {"east.example.net": 8_000, "west.example.net": 2_000}))
        await provider.apply(approved(planned(await provider.read(at), desired)))
        assert (await provider.read(at)).records == desired
    assert local.cloud.lines(f"www.{ZONE}.") == [
        f"www.{ZONE}. 30 CNAME east.example.net. weight=4 id=east.example.net",
        f"www.{ZONE}. 30 CNAME west.example.net. weight=1 id=west.example.net",
    ]


async def test_srv_records_carry_their_weights_in_one_simple_set(local: LocalRoute53) -> None:
    at = target(f"_grpc._tcp.{ZONE}", SRV)
    async with local.open() as provider:
        desired = provider.normalise(
            RecordSet.of(at.key, 30, {"east.example.net:443": 7_000, "west.example.net:443": 1})
        )
        await provider.apply(approved(planned(await provider.read(at), desired)))
        assert (await provider.read(at)).records == desired
    assert local.cloud.lines(f"_grpc._tcp.{ZONE}.") == [
        f"_grpc._tcp.{ZONE}. 30 SRV 0 255 443 east.example.net., 0 1 443 west.example.net."
    ]


async def test_load_balancers_answer_by_alias_beside_addresses(local: LocalRoute53) -> None:
    async with local.open() as provider:
        desired = provider.normalise(RecordSet.of(AT.key, 30, {BALANCER: 5_000, "192.0.2.1": 5_000}))
        await write(provider, desired)
        assert (await provider.read(AT)).records == desired
        only = provider.normalise(RecordSet.of(AT.key, 30, {BALANCER: 10_000}))
        assert only.ttl == 60, "an alias has the TTL of its target"
        await write(provider, only)
        observed = await provider.read(AT)
        assert isinstance(compare(observed, only), InSync)
    assert local.cloud.lines(NAME) == [
        f"{NAME} ALIAS A Z35SXDOTRQ7X7K lb-1.us-east-1.elb.amazonaws.com. weight=1 id={BALANCER}"
    ]


async def test_the_aws_command_line_reads_what_was_written(local: LocalRoute53) -> None:
    async with local.open() as provider:
        await write(provider, provider.normalise(RecordSet.of(AT.key, 30, {BALANCER: 100, "192.0.2.1": 50})))
    listed = await asyncio.to_thread(
        aws_cli,
        local.endpoint,
        KEY,
        "list-resource-record-sets",
        "--hosted-zone-id",
        ZONE_ID,
        "--start-record-name",
        NAME,
    )
    own = [each for each in listed["ResourceRecordSets"] if each["Name"] == NAME]
    assert own == [
        {
            "Name": NAME,
            "Type": "A",
            "SetIdentifier": "192.0.2.1",
            "Weight": 50,
            "TTL": 30,
            "ResourceRecords": [{"Value": "192.0.2.1"}],
        },
        {
            "Name": NAME,
            "Type": "A",
            "SetIdentifier": BALANCER,
            "Weight": 100,
            "AliasTarget": {
                "HostedZoneId": "Z35SXDOTRQ7X7K",
                "DNSName": "lb-1.us-east-1.elb.amazonaws.com.",
                "EvaluateTargetHealth": False,
            },
        },
    ]


async def test_the_manual_command_does_the_same_behind_the_same_fence(local: LocalRoute53) -> None:
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(local.credentials_file),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
        "PATH": os.defpath,
    }

    def paste(command: str) -> str:
        """What it complained about."""
        return subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False
        ).stderr

    async with local.open() as provider, local.open(Access.READ) as other:
        await publish(provider, AT, ADDRESSES[0])
        plan = planned(await provider.read(AT), wish(provider, AT, *ADDRESSES))
        knowing, looking_up = manual_command(provider, plan), manual_command(other, plan)
        assert ZONE_ID in knowing
        assert "list-hosted-zones-by-name" in looking_up
        assert await asyncio.to_thread(paste, looking_up) == ""
        after = await provider.read(AT)
        assert (after.records, after.marker) == (plan.after, plan.by_person.marker)
        assert "InvalidChangeBatch" in await asyncio.to_thread(paste, knowing)
        assert await provider.read(AT) == after

        undo = plan.by_person.undone()
        assert undo is not None
        assert await asyncio.to_thread(paste, manual_command(provider, undo)) == ""
        assert (await provider.read(AT)).records == plan.before.records


# -- what others made --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "weights"),
    [
        ([f"{NAME} 77 A 192.0.2.1, 192.0.2.2"], {"192.0.2.1": 255, "192.0.2.2": 255}),
        (
            [f"{NAME} 77 A 192.0.2.1 weight=70 id=blue", f"{NAME} 77 A 192.0.2.2 weight=0 id=green"],
            {"192.0.2.1": 70, "192.0.2.2": 0},
        ),
        (
            [f"{NAME} 77 A 192.0.2.1 weight=0 id=blue", f"{NAME} 77 A 192.0.2.2 weight=0 id=green"],
            {"192.0.2.1": 255, "192.0.2.2": 255},
        ),
        (
            [f"{NAME} 77 A 192.0.2.1, 192.0.2.2 weight=70 id=blue", f"{NAME} 77 A 192.0.2.3 weight=30 id=green"],
            {"192.0.2.1": 70, "192.0.2.2": 70, "192.0.2.3": 60},
        ),
    ],
    ids=["simple", "a weight of zero", "all zero", "several values in a weighted set"],
)
async def test_what_was_made_by_hand_is_adopted_as_it_is_and_steered_from_there(
    local: LocalRoute53, lines: list[str], weights: dict[str, int]
) -> None:
    local.cloud.quotas = Quotas(weighted_values=400)
    local.fill(*lines)
    async with local.open() as provider:
        found = await provider.read(AT)
        assert found.records == RecordSet.of(AT.key, 77, weights)
        decision = Decision(AT, DecisionKind.OPERATOR, {}, None, (), 0.0)
        plan = adopt(found, decision, plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1")
        assert isinstance(plan, Plan)
        await provider.apply(approved(plan))
        assert local.cloud.lines(NAME) == lines
        assert isinstance(compare(await provider.read(AT), found.records), InSync)
        await publish(provider, AT, ADDRESSES[1])
    assert local.cloud.lines(NAME) == [f"{NAME} 30 A {ADDRESSES[1]} weight=1 id={ADDRESSES[1]}"]


async def test_an_adoption_fences_like_any_change(local: LocalRoute53) -> None:
    local.fill(f"{NAME} 77 A 192.0.2.1, 192.0.2.2")
    async with local.open() as provider:
        found = await provider.read(AT)
        decision = Decision(AT, DecisionKind.OPERATOR, {}, None, (), 0.0)
        plan = adopt(found, decision, plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1")
        assert isinstance(plan, Plan)
        local.edit(f"add {NAME} 77 A 192.0.2.3")
        with pytest.raises(Exception, match="record_changed"):
            await provider.apply(approved(plan))
    assert local.cloud.lines() == [f"{NAME} 77 A 192.0.2.1, 192.0.2.2, 192.0.2.3"]


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_one_name_costs_one_call(local: LocalRoute53) -> None:
    local.fill(*(f"other-{number}.{ZONE}. 30 A 192.0.2.1" for number in range(500)))
    async with local.open() as provider:
        await publish(provider, AT, *ADDRESSES)
        before = local.reads()
        await provider.read(AT)
        assert local.reads() == before + 1


async def test_a_marker_that_stands_beyond_the_page_is_read_with_another_call(local: LocalRoute53) -> None:
    local.fill(*(f"{number}.{NAME} 30 A 192.0.2.1" for number in range(650)))
    async with local.open() as provider:
        plan = await publish(provider, AT, *ADDRESSES)
        before = local.reads()
        observed = await provider.read(AT)
        assert (observed.records, observed.marker) == (plan.after, plan.marker)
        assert local.reads() == before + 2


async def test_more_record_sets_at_one_name_than_a_page_holds_are_all_read(local: LocalRoute53) -> None:
    both = [RecordSet.of(target(AT.key.name, kind).key, 30, _many(kind)) for kind in (A, AAAA)]
    local.fill(*(f'{NAME} 30 TXT "{number}" weight=1 id={number}' for number in range(400)))
    async with local.open() as provider:
        for desired in both:
            await write(provider, provider.normalise(desired))
        observed = await provider.read(AT)
        assert observed.records == provider.normalise(both[0])
        assert observed.marker is not None
        assert set(observed.marker.types) == {A, AAAA}


def _many(kind: RecordType) -> dict[str, int]:
    return {f"192.0.2.{n}" if kind is A else f"2001:db8::{n:x}": 1 for n in range(1, 101)}


async def test_a_dry_run_has_no_way_to_write(local: LocalRoute53) -> None:
    async with local.open(Access.READ) as provider:
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[0]))
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        assert caught.value.reason == "read_only"
        assert not hasattr(provider._client, "change")  # type: ignore[attr-defined]
    assert local.writes() == 0


# -- hosted zones ------------------------------------------------------------------------------------------------------


async def test_the_hosted_zone_is_looked_up_once(local: LocalRoute53) -> None:
    async with local.open() as provider:
        await asyncio.gather(*(provider.read(target(f"n{number}.{ZONE}")) for number in range(50)))
        await publish(provider, AT, ADDRESSES[0])
    assert local.endpoint.count("GET", "hostedzonesbyname") == 1


async def test_a_hosted_zone_of_the_settings_is_not_looked_up(local: LocalRoute53) -> None:
    async with local.open(hosted_zones={ZONE: ZONE_ID}) as provider:
        await publish(provider, AT, ADDRESSES[0])
    assert local.endpoint.count("GET", "hostedzonesbyname") == 0


async def test_private_zones_of_the_name_do_not_count(local: LocalRoute53) -> None:
    _another_zone(local, "Z0PRIVATE", private=True)
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
    assert local.cloud.zones[ZONE_ID].records
    assert len(local.cloud.zones["Z0PRIVATE"].records) == 2


async def test_two_public_zones_of_one_name_are_ambiguous(local: LocalRoute53) -> None:
    _another_zone(local, "Z0SECOND", private=False)
    async with local.open() as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
    assert caught.value.reason == "zone_ambiguous"
    assert "Z0SECOND" in caught.value.detail
    assert ZONE_ID in caught.value.detail
    assert "hosted_zones" in caught.value.remedy


async def test_a_zone_that_was_made_anew_is_found_under_its_new_id(local: LocalRoute53) -> None:
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        _another_zone(local, "Z0RENEWED", private=False)
        del local.cloud.zones[ZONE_ID]
        with pytest.raises(Permanent):
            await provider.read(AT)
        assert (await provider.read(AT)).records is None


def _another_zone(local: LocalRoute53, zone_id: str, *, private: bool) -> None:
    zone = Route53({zone_id: ZONE}, []).zones[zone_id]
    zone.private = private
    local.cloud.zones[zone_id] = zone


# -- spreading ---------------------------------------------------------------------------------------------------------


async def test_a_batch_is_awaited_once_until_all_servers_have_it(
    local: LocalRoute53, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.route53.spreading.FIRST_PAUSE", 0.01)
    wanted = [target(f"n{number}.{ZONE}") for number in range(100)]
    async with local.open() as provider:
        assert isinstance(provider, Propagating)
        plans = [planned(await provider.read(at), wish(provider, at, ADDRESSES[0])) for at in wanted]
        await asyncio.gather(*(provider.apply(approved(plan)) for plan in plans))
        waiting = asyncio.gather(*(provider.propagated(at) for at in wanted))
        await until(lambda: local.endpoint.count("GET", "/change/") >= 3)
        assert not waiting.done()
        clock.ahead = 30.0
        assert all(await waiting)
        assert local.endpoint.count("GET", "/change/") < 20


async def test_what_this_process_did_not_change_is_not_awaited_and_not_known(local: LocalRoute53) -> None:
    async with local.open() as provider:
        assert isinstance(provider, Propagating)
        assert not await provider.propagated(AT)
    assert not local.endpoint.calls


def test_knowing_the_kind_imports_no_sdk() -> None:
    code = "import sys; from failoverd import providers; providers.kinds(); sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
