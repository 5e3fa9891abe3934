"""What is particular to Traffic Manager: profiles that have to exist, endpoints of several kinds, single requests."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
from clouds.serving import Luck, Request, Response
from support.azure_site import LocalAzure
from support.contract import approved, compare, planned, publish, target, wish

from failoverd.core.control.plan import Refused
from failoverd.core.errors import Fenced, Permanent, Transient
from failoverd.core.records import RecordSet, RecordType, Target
from failoverd.ports import Access, Provider
from failoverd.providers.azure_traffic_manager import DOMAIN, KIND
from failoverd.providers.azure_traffic_manager.profile import Profile, ProfileEndpoint, observe
from failoverd.providers.azure_traffic_manager.steering import steps
from failoverd.providers.shared.bucket import Rate
from failoverd.runtime.manual_command import manual_command

CNAME = RecordType.CNAME
EAST, WEST, NORTH = "east.example.net", "west.example.net", "north.example.net"
GATEWAY = "/subscriptions/s/resourceGroups/dns/providers/Microsoft.Network/publicIPAddresses/gateway"
OURS = {"failoverd": "v=1 owner=prod policy=inference-api gen=7 types=CNAME", "team": "web"}


@pytest.fixture
async def provider(azure: LocalAzure) -> AsyncIterator[Provider]:
    async with azure.open(KIND) as provider:
        yield provider


@pytest.fixture
def at(azure: LocalAzure) -> Target:
    """A profile that failoverd owns: one endpoint in the east, and a standby that is disabled."""
    fqdn = azure.make_profile("web", east=(EAST, 100), standby=(WEST, 1))
    azure.cloud.edit_endpoint("web", "standby", status="Disabled")
    azure.profile(fqdn).tags = dict(OURS)
    return target(fqdn, CNAME, DOMAIN)


def weighted(at: Target, ttl: int = 30, **weights: int) -> RecordSet:
    return RecordSet.of(at.key, ttl, {f"{place}.example.net": weight for place, weight in weights.items()})


def requests(azure: LocalAzure) -> list[str]:
    """What was written, in order: the method and the last part of the path."""
    return [f"{call.method} {call.path.rpartition('/')[2]}" for call in azure.site.arm.calls if call.method != "GET"]


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_enabled_endpoints_are_the_answers(provider: Provider, at: Target) -> None:
    observed = await provider.read(at)
    assert observed.records == weighted(at, east=100)
    assert observed.marker is not None
    assert observed.marker.generation == 7


async def test_a_missing_profile_is_told_apart_from_an_empty_one(azure: LocalAzure, provider: Provider) -> None:
    with pytest.raises(Permanent) as caught:
        await provider.read(target(f"missing.{DOMAIN}", CNAME, DOMAIN))
    assert caught.value.reason == "profile_missing"
    assert f"missing.{DOMAIN}" in caught.value.detail
    assert "create the profile" in caught.value.remedy

    empty = azure.make_profile("empty")
    assert (await provider.read(target(empty, CNAME, DOMAIN))).records is None


async def test_the_profile_is_found_by_the_name_that_it_answers_for(azure: LocalAzure, provider: Provider) -> None:
    profile = azure.cloud.add_profile("answers", {"east": (EAST, 5)})
    group = azure.cloud.groups[0]
    profile.name = "resource"
    azure.cloud.traffic.profiles[group, "resource"] = azure.cloud.traffic.profiles.pop((group, "answers"))
    at = target(f"answers.{DOMAIN}", CNAME, DOMAIN)
    for _ in range(2):
        assert (await provider.read(at)).records == weighted(at, east=5)
    assert azure.site.arm.count("GET", "trafficmanagerprofiles$") == 1
    assert azure.site.arm.count("GET", "trafficmanagerprofiles/resource$") == 1


async def test_many_profiles_are_read_with_one_request(azure: LocalAzure, provider: Provider) -> None:
    names = [azure.make_profile(f"web{number}", east=(EAST, 5)) for number in range(50)]
    await asyncio.gather(*(provider.read(target(name, CNAME, DOMAIN)) for name in names))
    assert azure.site.arm.count("GET") <= 2  # the first read had nobody to share with


@pytest.mark.parametrize("method", ["Priority", "Performance", "Geographic", "Subnet"])
async def test_what_another_routing_method_answers_is_no_share_of_ours(
    azure: LocalAzure, provider: Provider, at: Target, method: str
) -> None:
    await publish(provider, at, EAST)
    seen = await provider.read(at)
    azure.profile(at.key.name).properties["trafficRoutingMethod"] = method
    with pytest.raises(Fenced):
        await provider.apply(approved(planned(seen, wish(provider, at, WEST))))
    found = await provider.read(at)
    assert (found.records, found.foreign) == (None, (f"{at.key.type} (routed by {method})",))
    refused = compare(found, wish(provider, at, WEST))
    assert isinstance(refused, Refused)
    assert f"answers with {at.key.type} (routed by {method})" in refused.detail
    assert "Weighted" in refused.remedy


async def test_a_profile_that_somebody_switched_off_is_left_alone(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    azure.profile(at.key.name).properties["profileStatus"] = "Disabled"
    with pytest.raises(Permanent) as caught:
        await provider.read(at)
    assert caught.value.reason == "profile_disabled"


async def test_an_enabled_nested_profile_is_somebody_elses_and_a_disabled_one_is_nothing(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    azure.make_profile("child", north=(NORTH, 1))
    profile = azure.profile(at.key.name)
    child = {"name": "inner", "type": "nestedEndpoints",
             "properties": {"targetResourceId": azure.cloud.profile("child").id, "minChildEndpoints": 1}}  # fmt: skip
    azure.cloud.traffic._fill(profile, [child])
    assert (await provider.read(at)).foreign == ("the nested profile inner",)
    assert "disable the nested endpoint" in (await provider.read(at)).cure

    azure.cloud.edit_endpoint("web", "inner", status="Disabled")
    plan = await publish(provider, at, EAST)
    assert (await provider.read(at)).records == plan.after
    nested = profile.member("inner") or azure.profile(at.key.name).member("inner")
    assert nested is not None
    assert not nested.enabled


# -- writing -----------------------------------------------------------------------------------------------------------


async def test_what_gains_is_written_before_what_loses(azure: LocalAzure, provider: Provider, at: Target) -> None:
    plan = planned(await provider.read(at), weighted(at, west=60, north=40))
    await provider.apply(approved(plan))
    assert requests(azure) == ["PATCH web", "PUT failoverd-north.example.net", "PATCH standby", "PATCH east"]
    assert azure.cloud.weights("web") == {WEST: 60, NORTH: 40}
    assert (await provider.read(at)).records == plan.after


async def test_no_endpoint_is_deleted_and_what_loses_keeps_its_weight(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    await publish(provider, at, NORTH)
    members = {each.name: (each.enabled, each.weight) for each in azure.profile(at.key.name).members}
    assert members == {"east": (False, 100), "standby": (False, 1), "failoverd-north.example.net": (True, 1_000)}


async def test_weights_are_raised_before_others_are_lowered(azure: LocalAzure, provider: Provider, at: Target) -> None:
    await provider.apply(approved(planned(await provider.read(at), weighted(at, east=50, west=50))))
    assert requests(azure) == ["PATCH web", "PATCH standby", "PATCH east"]
    assert azure.cloud.weights("web") == {EAST: 50, WEST: 50}


async def test_the_ttl_is_the_profiles_and_is_said_with_all_of_its_dns_settings(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    before = dict(azure.profile(at.key.name).properties["dnsConfig"])
    await provider.apply(approved(planned(await provider.read(at), weighted(at, ttl=10, east=100))))
    assert requests(azure) == ["PATCH web", "PATCH web"]
    assert azure.profile(at.key.name).properties["dnsConfig"] == before | {"ttl": 10}


async def test_a_ttl_that_cannot_be_set_blocks_no_move(
    azure: LocalAzure, provider: Provider, at: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the API's document says what a PATCH of the DNS settings may be refused for."""
    answer = azure.cloud.answer

    def answered(request: Request) -> Response:
        if request.method == "PATCH" and b"dnsConfig" in request.body:
            return Response(400, b'{"error": {"code": "BadRequest", "message": "no"}}')
        return answer(request)

    monkeypatch.setattr(azure.cloud, "answer", answered)
    plan = planned(await provider.read(at), weighted(at, ttl=10, west=100))
    with pytest.raises(Permanent) as caught:
        await provider.apply(approved(plan))
    assert "the TTL of the profile web" in caught.value.detail
    assert requests(azure) == ["PATCH web", "PATCH standby", "PATCH east", "PATCH web"]
    assert azure.cloud.weights("web") == {WEST: 100}
    observed = await provider.read(at)
    assert (observed.marker, observed.records) == (plan.marker, weighted(at, west=100))


async def test_other_tags_of_the_profile_stay(azure: LocalAzure, provider: Provider, at: Target) -> None:
    plan = await publish(provider, at, WEST)
    tags = azure.profile(at.key.name).tags
    assert tags["team"] == "web"
    assert tags["failoverd"] == plan.marker.to_text()
    assert set(tags) == {"team", "failoverd", "failoverd-writer"}


async def test_an_endpoint_that_is_a_resource_of_azure_is_matched_by_what_it_answers_with(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    azure.cloud.traffic.resources[GATEWAY.lower()] = EAST
    there = {"name": "gateway", "type": "azureEndpoints", "properties": {"targetResourceId": GATEWAY, "weight": 3}}
    azure.cloud.traffic._fill(azure.profile(at.key.name), [there])
    assert (await provider.read(at)).records == weighted(at, east=3)
    await publish(provider, at, WEST)
    assert requests(azure) == ["PATCH web", f"PUT failoverd-{WEST}", "PATCH gateway"]


def test_an_endpoint_whose_resource_is_gone_is_left_alone() -> None:
    at = target(f"web.{DOMAIN}", CNAME, DOMAIN)
    east = ProfileEndpoint("east", "externalEndpoints", EAST, enabled=True, weight=100)
    orphan = ProfileEndpoint("orphan", "azureEndpoints", "", enabled=True, weight=5)
    profile = Profile(
        "web", at.key.name, "web", enabled=True, routing="Weighted", ttl=30, tags={}, endpoints=(east, orphan)
    )
    assert observe(at, profile).records == weighted(at, east=100)
    assert steps(profile, weighted(at, east=50)) == [replace(east, weight=50)]


async def test_a_new_endpoint_takes_nobody_elses_name(azure: LocalAzure, provider: Provider, at: Target) -> None:
    there = azure.profile(at.key.name).members[0]
    there.name = f"failoverd-{NORTH}"
    await publish(provider, at, NORTH)
    assert azure.cloud.weights("web") == {NORTH: 1_000}
    assert there.properties["target"] == EAST


async def test_addresses_are_answered_by_external_endpoints(azure: LocalAzure, provider: Provider) -> None:
    at = target(azure.make_profile("six"), RecordType.AAAA, DOMAIN)
    await publish(provider, at, "2001:db8::1")
    assert azure.profile(at.key.name).members[0].name == "failoverd-2001-db8--1"
    assert azure.cloud.weights("six") == {"2001:db8::1": 1_000}


# -- the weaker fence --------------------------------------------------------------------------------------------------


async def test_an_edit_after_the_read_fences_the_write_before_anything_is_sent(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    plan = planned(await provider.read(at), weighted(at, west=100))
    azure.cloud.edit_endpoint("web", "east", weight=7)
    with pytest.raises(Fenced) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "stale_generation"
    assert requests(azure) == []


@pytest.mark.parametrize("lost", range(4))
@pytest.mark.parametrize("luck", [Luck.DROP_BEFORE, Luck.DROP_AFTER])
async def test_whichever_request_is_lost_there_is_an_answer_and_the_next_round_heals(
    azure: LocalAzure, provider: Provider, at: Target, lost: int, luck: Luck
) -> None:
    path = ["/web$", f"/failoverd-{NORTH}$", "/standby$", "/east$"][lost]
    plan = planned(await provider.read(at), weighted(at, west=60, north=40))
    azure.site.arm.expect(luck, method="PUT|PATCH", path=path)
    with pytest.raises(Transient) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "outcome_unknown"
    assert azure.cloud.weights("web")

    observed = await provider.read(at)
    if observed.records != plan.after:
        await provider.apply(approved(planned(observed, plan.after)))
    assert azure.cloud.weights("web") == {WEST: 60, NORTH: 40}


async def test_a_writer_that_was_overtaken_stops(
    azure: LocalAzure, provider: Provider, at: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival claims the profile right after we did."""
    plan = planned(await provider.read(at), weighted(at, west=60, north=40))
    answer = azure.cloud.answer

    def answered(request: Request) -> Response:
        response = answer(request)
        if request.method == "PATCH":
            azure.profile(at.key.name).tags["failoverd-writer"] = "rival"
        return response

    monkeypatch.setattr(azure.cloud, "answer", answered)
    with pytest.raises(Fenced) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "overtaken"
    assert requests(azure) == ["PATCH web"]


@pytest.mark.parametrize("path", ["/web$", "/standby$"])
async def test_a_write_without_effect_is_given_up(azure: LocalAzure, provider: Provider, at: Target, path: str) -> None:
    plan = planned(await provider.read(at), weighted(at, west=60))
    azure.site.arm.expect(Luck.LIE, method="PATCH", path=path, times=10)
    with pytest.raises(Permanent) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "no_effect"
    assert requests(azure) == (["PATCH web"] if path == "/web$" else ["PATCH web", "PATCH standby", "PATCH standby"])
    assert azure.cloud.weights("web") == {EAST: 100}


async def test_a_dry_run_sends_no_write(azure: LocalAzure, at: Target) -> None:
    async with azure.open(KIND, Access.READ) as reader:
        plan = planned(await reader.read(at), wish(reader, at, WEST))
        with pytest.raises(Permanent) as caught:
            await reader.apply(approved(plan))
        assert reader.manual(plan)
    assert caught.value.reason == "read_only"
    assert azure.writes() == 0


async def test_what_was_read_after_the_last_write_proves_it(provider: Provider, at: Target) -> None:
    plan = planned(await provider.read(at), weighted(at, west=100))
    found = await provider.apply(approved(plan))
    assert found == await provider.read(at)
    assert found is not None
    assert plan.stands_in(found)


async def test_the_reads_between_the_writes_of_many_profiles_are_shared(
    azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty of them, more than may be written at once; each takes three writes, with a read before each and after."""
    monkeypatch.setattr("failoverd.providers.azure_traffic_manager.provider.WRITES", Rate(100, 50))
    wanted = [target(azure.make_profile(f"web{number}"), CNAME, DOMAIN) for number in range(50)]
    async with azure.open(KIND) as provider:
        await asyncio.gather(*(publish(provider, at, EAST) for at in wanted))
        before = azure.site.arm.count("GET"), azure.writes()
        plans = await asyncio.gather(*(publish(provider, at, WEST) for at in wanted))
        found = await asyncio.gather(*(provider.read(at) for at in wanted))
    assert all(plan.stands_in(observed) for observed, plan in zip(found, plans, strict=True))
    assert azure.writes() - before[1] == 3 * len(wanted)
    assert azure.site.arm.count("GET") - before[0] <= len(wanted)


# -- for a person ------------------------------------------------------------------------------------------------------


async def test_the_manual_commands_are_the_requests_in_their_order(provider: Provider, at: Target) -> None:
    plan = planned(await provider.read(at), weighted(at, ttl=10, west=60, north=40))
    lines = [line for line in manual_command(provider, plan).splitlines() if not line.startswith("#")]
    commands = [shlex.split(line.removesuffix(" &&")) for line in lines]
    assert [words[3:5] for words in commands] == [
        ["profile", "update"], ["endpoint", "create"], ["endpoint", "update"], ["endpoint", "update"],
        ["profile", "update"],
    ]  # fmt: skip
    claim, create, enable, disable, last = (dict(pairwise(words)) for words in commands)
    assert "--ttl" not in claim
    assert last["--ttl"] == "10"
    assert claim["--set"] == f"tags.failoverd={plan.by_person.marker.to_text()}"
    assert (create["--target"], create["--type"], create["--weight"]) == (NORTH, "externalEndpoints", "40")
    assert (enable["--name"], enable["--weight"], enable["--endpoint-status"]) == ("standby", "60", "Enabled")
    assert (disable["--name"], disable["--endpoint-status"]) == ("east", "Disabled")


async def test_the_manual_commands_of_a_profile_that_was_never_read_use_the_names_that_failoverd_gives(
    azure: LocalAzure, provider: Provider, at: Target
) -> None:
    plan = planned(await provider.read(at), weighted(at, west=60))
    async with azure.open(KIND) as fresh:
        commands = fresh.manual(plan)
    assert f"--name failoverd-{WEST} --target {WEST} --weight 60" in commands
    assert f"--name failoverd-{EAST} --weight 100 --endpoint-status Disabled" in commands
