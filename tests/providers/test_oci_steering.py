"""Steering policies: what is kept, what is refused, what a read costs, and how a name gets its first policy."""

import asyncio
import copy
import json
import shlex
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from clouds.oci import COMPARTMENT, OciCloud, load_balance
from clouds.oci_client import dns_client
from clouds.oci_rest import Json
from clouds.serving import Luck
from support import approving
from support.contract import VALUES, approved, compare, planned, publish, target, unseen, wish
from support.oci_site import LocalOci, local_oci
from support.servers import ZONE

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.ownership import adopt
from failoverd.core.control.plan import Plan, RefusalReason, Refused, Signature
from failoverd.core.errors import Fenced, Permanent, RateLimited, Transient
from failoverd.core.reasons import Cause
from failoverd.core.records import Answer, Observed, RecordSet, RecordType, Target
from failoverd.ports import Access, Provider
from failoverd.providers.oci_steering import KIND
from failoverd.providers.oci_steering.change import MAX_NAME, creation_of, normalise
from failoverd.providers.oci_steering.policies import TAG
from failoverd.runtime.manual_command import manual_command

A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
ADDRESSES = VALUES[A]
AT = target(f"api.{ZONE}")
SIX = target(f"api.{ZONE}", AAAA)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOci]:
    with local_oci(tmp_path, monkeypatch) as local:
        yield local


@pytest.fixture
async def provider(local: LocalOci) -> AsyncIterator[Provider]:
    async with local.open(KIND) as provider:
        yield provider


async def take_over(provider: Provider, at: Target) -> Plan:
    """What `failoverctl adopt` does."""
    decision = Decision(at, DecisionKind.OPERATOR, {}, None, (), 0.0)
    plan = adopt(
        await provider.read(at), decision, plan_id="c-1", signed=Signature("prod"), region_of={}, revision="r1"
    )
    assert isinstance(plan, Plan)
    await provider.apply(approved(plan))
    return plan


def attach(local: LocalOci, policy: str, name: str = AT.key.name) -> None:
    body = {"steeringPolicyId": policy, "zoneId": local.cloud.zone(ZONE).id, "domainName": name}
    dns_client(local.endpoint.url).create_steering_policy_attachment(body)


def make(local: LocalOci, body: Json, *names: str) -> str:
    policy = str(local.cloud.steering.add_policy(body, local.cloud.clock()).shown["id"])
    for name in names or [AT.key.name]:
        attach(local, policy, name)
    return policy


def weights(policy: Json) -> dict[str, int]:
    return {entry["answerCondition"]: entry["value"] for entry in policy["rules"][-2]["defaultAnswerData"]}


# -- what is written ---------------------------------------------------------------------------------------------------


async def test_a_policy_as_it_is_made(local: LocalOci, provider: Provider) -> None:
    desired = provider.normalise(RecordSet.of(AT.key, 30, dict(zip(ADDRESSES, (7_000, 3_000, 0), strict=True))))
    plan = planned(await provider.read(AT), desired)
    await provider.apply(approved(plan))
    (policy,) = local.policies(AT.key.name)
    assert (policy["template"], policy["ttl"], policy["compartmentId"]) == ("LOAD_BALANCE", 30, COMPARTMENT)
    assert [rule["ruleType"] for rule in policy["rules"]] == ["FILTER", "WEIGHTED", "LIMIT"]
    assert policy["freeformTags"] == {TAG: plan.marker.to_text()}
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[0]: 7, ADDRESSES[1]: 3}


async def test_a_change_is_one_request(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, *ADDRESSES)
    plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1], ttl=60))
    before = local.writes(), local.reads()
    await provider.apply(approved(plan))
    assert (local.writes(), local.reads()) == (before[0] + 1, before[1])
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


async def test_what_is_not_ours_in_a_policy_goes_back_as_it_came(local: LocalOci, provider: Provider) -> None:
    body = load_balance("by hand", "A", {"east": (ADDRESSES[0], 70), "west": (ADDRESSES[1], 30)})
    body["answers"] += [{"name": "six", "rtype": "AAAA", "rdata": "2001:db8::6", "pool": "p"}]
    body["answers"][0]["pool"] = "eastern"
    body["rules"][1]["defaultAnswerData"] += [{"answerCondition": "answer.name == 'six'", "value": 9}]
    body["rules"].insert(1, {"ruleType": "HEALTH", "description": "looks by itself"})
    body |= {"healthCheckMonitorId": "ocid1.httpmonitor.oc1..x", "freeformTags": {"team": "dns"}}
    ocid = make(local, body)
    before = copy.deepcopy(local.cloud.policy(ocid))
    adopted = await take_over(provider, AT)
    after = local.cloud.policy(ocid)
    assert after["freeformTags"] == {"team": "dns", TAG: adopted.marker.to_text()}
    assert {**after, "freeformTags": before["freeformTags"]} == before

    await publish(provider, AT, ADDRESSES[0], ADDRESSES[2])
    after = local.cloud.policy(ocid)
    assert [answer["name"] for answer in after["answers"]] == ["six", "east", ADDRESSES[2]]
    assert [answer.get("pool") for answer in after["answers"]] == ["p", "eastern", None]
    assert weights(after)["answer.name == 'six'"] == 9
    assert after["rules"][1] == {"ruleType": "HEALTH", "description": "looks by itself"}
    assert after["freeformTags"]["team"] == "dns"
    assert local.cloud.served(AT.key.name, "AAAA") == {"2001:db8::6": 9}


async def test_members_that_are_null_say_nothing_and_are_not_written_back(local: LocalOci, provider: Provider) -> None:
    policy = local.cloud.policy(local.cloud.steer(AT.key.name, "A", {ADDRESSES[0]: 7}))
    policy["answers"][0]["pool"] = None
    policy["rules"] = [{**rule, "cases": None, "description": None} for rule in policy["rules"]]
    await take_over(provider, AT)
    await publish(provider, AT, *ADDRESSES[:2])
    (after,) = local.policies(AT.key.name)
    assert all(None not in said.values() for said in (*after["answers"], *after["rules"]))


async def test_both_types_of_a_shared_policy_share_its_marker(local: LocalOci, provider: Provider) -> None:
    body = load_balance("by hand", "A", {"four": (ADDRESSES[0], 1), "six": ("2001:db8::6", 1)})
    body["answers"][1]["rtype"] = "AAAA"
    make(local, body)
    await take_over(provider, AT)
    plan = await take_over(provider, SIX)
    assert plan.marker.types == (A, AAAA)
    await publish(provider, SIX, VALUES[AAAA][0])
    observed = await provider.read(AT)
    assert observed.marker is not None
    assert (observed.marker.generation, observed.marker.types) == (3, (A, AAAA))
    assert observed.records == RecordSet(AT.key, 30, (Answer(ADDRESSES[0], 1),))


async def test_a_policy_of_another_type_stays_and_ours_is_attached_beside_it(
    local: LocalOci, provider: Provider
) -> None:
    await publish(provider, AT, ADDRESSES[0])
    await publish(provider, SIX, VALUES[AAAA][0])
    assert len(local.policies(AT.key.name)) == 2
    marker = (await provider.read(AT)).marker
    assert marker is not None
    assert marker.types == (A,)


async def test_what_never_serves_is_not_read_and_a_console_switch_is_seen(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, *ADDRESSES[:2])
    (policy,) = local.policies(AT.key.name)
    local.cloud.edit_answer(policy["id"], ADDRESSES[0], disabled=True)
    assert (await provider.read(AT)).records == wish(provider, AT, ADDRESSES[1])
    await publish(provider, AT, *ADDRESSES[:2])
    assert local.cloud.served(AT.key.name, "A") == dict.fromkeys(ADDRESSES[:2], 1)
    local.cloud.edit_answer(policy["id"], ADDRESSES[0], weight=0)
    assert (await provider.read(AT)).records == wish(provider, AT, ADDRESSES[1])


def test_long_host_names_are_told_apart_by_their_answers_names() -> None:
    at = target(f"api.{ZONE}", CNAME)
    hosts = [f"{'a' * 60}.{letter}.example.net" for letter in "xy"]
    desired = normalise(RecordSet.of(at.key, 30, dict.fromkeys(hosts, 1)))
    body = creation_of(planned(Observed(at, None), desired), COMPARTMENT)
    names = [answer["name"] for answer in body["answers"]]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= MAX_NAME


async def test_a_marker_that_no_tag_can_hold_is_unsayable(provider: Provider) -> None:
    plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[0]))
    long = replace(plan, marker=replace(plan.marker, owner="o" * 250))
    with pytest.raises(Permanent) as caught:
        await provider.apply(approved(long))
    assert caught.value.reason == "unsayable"


# -- what is refused ---------------------------------------------------------------------------------------------------


def _failover(body: Json) -> None:
    body["template"] = "FAILOVER"
    body["rules"][1] = {
        "ruleType": "PRIORITY",
        "defaultAnswerData": [{"answerCondition": "answer.name == 'east'", "value": 1}],
    }


def _custom(body: Json) -> None:
    body["template"] = "CUSTOM"


def _limit_two(body: Json) -> None:
    body["rules"][2]["defaultCount"] = 2


def _no_weight(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"] = body["rules"][1]["defaultAnswerData"][:1]


@pytest.mark.parametrize(
    ("spoil", "how"),
    [
        (_failover, "template FAILOVER"),
        (_custom, "template CUSTOM"),
        (_limit_two, "LIMIT 2"),
        (_no_weight, "an answer without a weight"),
    ],
)
async def test_a_policy_that_failoverd_cannot_state_is_foreign_and_never_changed(
    local: LocalOci, provider: Provider, spoil: Callable[[Json], None], how: str
) -> None:
    body = load_balance("by hand", "A", {"east": (ADDRESSES[0], 70), "west": (ADDRESSES[1], 30)})
    spoil(body)
    before = copy.deepcopy(local.cloud.policy(make(local, body)))
    observed = await provider.read(AT)
    assert (observed.records, observed.token) == (None, "")
    assert how in observed.foreign[0]
    refused = compare(observed, wish(provider, AT, ADDRESSES[0]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_TYPE
    blind = planned(replace(observed, foreign=()), wish(provider, AT, ADDRESSES[0]))
    with pytest.raises(Fenced):
        await provider.apply(approved(blind))
    assert local.policies(AT.key.name) == [before]
    assert len(local.cloud.steering.policies) == 1


def _cases(policy: Json) -> None:
    policy["rules"][1]["cases"] = [{"caseCondition": "query.client.geoKey in ('geokey:EU')", "answerData": []}]


def _by_pool(policy: Json) -> None:
    policy["rules"][1]["defaultAnswerData"][0]["answerCondition"] = "answer.pool == 'east'"


def _own_filter(policy: Json) -> None:
    policy["rules"][0]["defaultAnswerData"] = [{"answerCondition": "answer.pool == 'east'", "shouldKeep": True}]


def _other_order(policy: Json) -> None:
    policy["rules"].reverse()


@pytest.mark.parametrize(
    ("spoil", "how"),
    [
        (_cases, "rules with cases"),
        (_by_pool, "weights of other things"),
        (_own_filter, "a filter of its own"),
        (_other_order, "other rules"),
    ],
)
async def test_rules_of_ones_own_are_foreign(
    local: LocalOci, provider: Provider, spoil: Callable[[Json], None], how: str
) -> None:
    """The local OCI lets nobody write them into this template; an older policy of the real one may have them."""
    spoil(local.cloud.policy(local.cloud.steer(AT.key.name, "A", {ADDRESSES[0]: 7})))
    observed = await provider.read(AT)
    assert observed.records is None
    assert any(how in each for each in observed.foreign)


async def test_a_policy_of_several_names_is_refused(local: LocalOci, provider: Provider) -> None:
    body = load_balance("shared", "A", {"east": (ADDRESSES[0], 70)})
    make(local, body, AT.key.name, f"www.{ZONE}")
    observed = await provider.read(AT)
    assert "a steering policy of 2 names" in observed.foreign[0]
    assert "this name alone" in observed.cure
    assert f"www.{ZONE}" in observed.foreign[0]


async def test_plain_records_that_an_attachment_would_hide_are_foreign(local: LocalOci, provider: Provider) -> None:
    local.edit(f"add {AT.key.name}. 30 A 192.0.2.99")
    assert (await provider.read(AT)).foreign == ("plain A",)
    assert "remove the plain records" in (await provider.read(AT)).cure
    assert (await provider.read(SIX)).foreign == ()
    assert (await provider.read(target(AT.key.name, CNAME))).foreign == ("plain A",)
    blind = planned(Observed(AT, None), wish(provider, AT, ADDRESSES[0]))
    with pytest.raises(Fenced):
        await provider.apply(approved(blind))
    assert local.writes() == 0


async def test_plain_records_below_an_attachment_answer_nothing_and_are_left_alone(
    local: LocalOci, provider: Provider
) -> None:
    await publish(provider, AT, ADDRESSES[0])
    local.edit(f"add {AT.key.name}. 30 A 192.0.2.99")
    assert (await provider.read(AT)).foreign == ()
    await publish(provider, AT, ADDRESSES[1])
    assert local.cloud.records(AT.key.name) == [f"{AT.key.name}. 30 A 192.0.2.99"]


# -- what a read costs -------------------------------------------------------------------------------------------------


async def test_an_owned_name_costs_two_requests_and_many_share_one_of_them(local: LocalOci, provider: Provider) -> None:
    wanted = [target(f"service-{number}.{ZONE}") for number in range(30)]
    await asyncio.gather(*(publish(provider, at, ADDRESSES[0]) for at in wanted))
    before = local.reads()
    await provider.read(wanted[0])
    assert local.reads() - before == 2
    before = local.reads()
    seen = await asyncio.gather(*(provider.read(at) for at in wanted))
    assert local.reads() - before <= len(wanted) + 2  # one policy each; the first of them lines up alone
    assert all(observed.marker is not None for observed in seen)


async def test_a_name_among_many_attachments_is_found_by_its_domain(local: LocalOci, provider: Provider) -> None:
    for number in range(130):
        local.cloud.steering.max_policies = 1_000
        local.cloud.steer(f"service-{number}.{ZONE}", "A", {ADDRESSES[2]: 1})
    await publish(provider, AT, ADDRESSES[0])
    before = local.reads()
    assert (await provider.read(AT)).records == wish(provider, AT, ADDRESSES[0])
    assert local.reads() - before == 2


# -- the first policy of a name ----------------------------------------------------------------------------------------


async def test_who_loses_the_race_to_attach_leaves_nothing_behind(local: LocalOci, provider: Provider) -> None:
    async with local.open(KIND) as rival:
        for number in range(40):
            at = target(f"race-{number}.{ZONE}")
            plans = [planned(Observed(at, None), wish(rival, at, value)) for value in ADDRESSES[:2]]
            results = await asyncio.gather(
                provider.apply(approved(plans[0])), rival.apply(approved(plans[1])), return_exceptions=True
            )
            assert sorted(type(result).__name__ for result in results) == ["Fenced", "NoneType"]
            winner = plans[results.index(None)]
            observed = await provider.read(at)
            assert (observed.records, observed.marker) == (winner.after, winner.marker)
            assert len(local.policies(at.key.name)) == 1
            assert len(local.cloud.steering.policies) == number + 1


async def test_an_attachment_that_never_arrived_is_made_good_with_the_same_policy(
    local: LocalOci, provider: Provider
) -> None:
    plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[0]))
    local.endpoint.expect(Luck.DROP_BEFORE, method="POST", path="Attachments")
    with pytest.raises(Transient) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "outcome_unknown"
    (orphan,) = local.cloud.steering.policies
    await publish(provider, AT, ADDRESSES[1])
    assert list(local.cloud.steering.policies) == [orphan]
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


@pytest.mark.parametrize(("minutes", "reused"), [(1, False), (11, True)])
async def test_what_another_process_left_behind_is_used_once_it_is_old_enough(
    local: LocalOci, minutes: int, reused: bool
) -> None:
    async with local.open(KIND) as dying:
        plan = planned(await dying.read(AT), wish(dying, AT, ADDRESSES[0]))
        local.endpoint.expect(Luck.DROP_BEFORE, method="POST", path="Attachments")
        with pytest.raises(Transient):
            await dying.apply(approved(plan))
    (orphan,) = local.cloud.steering.policies
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    local.cloud.policy(orphan)["timeCreated"] = created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    async with local.open(KIND) as provider:
        await publish(provider, AT, ADDRESSES[1])
    (attached,) = local.policies(AT.key.name)
    assert (attached["id"] == orphan) is reused
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


@pytest.mark.parametrize(("cause", "removed"), [(Cause.TUNING, True), (Cause.FAILING_OUT, False)])
async def test_what_was_left_beside_a_policy_that_answers_goes_with_the_next_change_that_can_wait(
    local: LocalOci, cause: Cause, removed: bool
) -> None:
    async with local.open(KIND) as provider:
        await publish(provider, AT, ADDRESSES[0])
    (attached,) = local.policies(AT.key.name)
    body = load_balance(attached["displayName"], "A", {"east": (ADDRESSES[2], 1)})
    local.cloud.steering.add_policy(body | {"freeformTags": attached["freeformTags"]}, local.cloud.clock())
    foreign = local.cloud.steering.add_policy(body, local.cloud.clock()).shown["id"]
    async with local.open(KIND) as provider:
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        await provider.apply(approving.approved(plan, cause))
    assert len(local.cloud.steering.policies) == (2 if removed else 3)
    assert local.cloud.policy(foreign)
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


async def test_what_cannot_be_cleared_away_fails_no_change(local: LocalOci) -> None:
    async with local.open(KIND) as provider:
        await publish(provider, AT, ADDRESSES[0])
    local.endpoint.expect(Luck.ERROR, method="GET", path="steeringPolicies$", times=100)
    async with local.open(KIND) as provider:
        plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
        await provider.apply(approving.approved(plan, Cause.TUNING))
        assert (await provider.read(AT)).records == plan.after


async def test_a_policy_of_somebody_else_with_the_same_name_is_not_taken(local: LocalOci, provider: Provider) -> None:
    for tags in ({}, {TAG: "v=1 owner=staging policy=inference-api gen=1 types=A"}):
        body = load_balance(f"failoverd {AT.key}", "A", {"east": (ADDRESSES[2], 1)}) | {"freeformTags": tags}
        made = local.cloud.steering.add_policy(body, 0.0).shown
        made["timeCreated"] = "2020-01-01T00:00:00.000Z"
    await publish(provider, AT, ADDRESSES[0])
    assert len(local.cloud.steering.policies) == 3
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[0]: 1}


async def test_a_creation_that_is_refused_again_and_again_leaves_one_policy(
    local: LocalOci, provider: Provider
) -> None:
    local.cloud.user.denied.add("DNS_ZONE_UPDATE")
    for _ in range(3):
        with pytest.raises(Permanent) as caught:
            await publish(provider, AT, ADDRESSES[0])
        assert caught.value.reason == "permission_denied"
    assert len(local.cloud.steering.policies) == 1


async def test_there_are_no_more_policies_to_be_had(local: LocalOci, provider: Provider) -> None:
    local.cloud.steering.max_policies = 0
    with pytest.raises(Permanent) as caught:
        await publish(provider, AT, ADDRESSES[0])
    assert caught.value.reason == "limit_exceeded"


async def test_new_policies_go_where_the_settings_say(local: LocalOci) -> None:
    other = "ocid1.compartment.oc1..policies"
    local.cloud.steering.compartments.add(other)
    async with local.open(KIND, compartment=other) as provider:
        await publish(provider, AT, ADDRESSES[0])
    assert local.policies(AT.key.name)[0]["compartmentId"] == other


# -- the fence ---------------------------------------------------------------------------------------------------------


async def test_a_detached_policy_fences_nothing_but_is_created_anew(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, ADDRESSES[0])
    local.cloud.steering.attachments.clear()
    observed = await provider.read(AT)
    assert observed == Observed(AT, None)
    await publish(provider, AT, ADDRESSES[1])
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


async def test_a_policy_that_was_deleted_after_the_read_fences(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, ADDRESSES[0])
    plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
    local.cloud.steering.attachments.clear()
    local.cloud.steering.policies.clear()
    with pytest.raises(Fenced):
        await provider.apply(approved(plan))


async def test_a_policy_that_somebody_read_since_is_compared_with_the_plans_version(
    local: LocalOci, provider: Provider
) -> None:
    await publish(provider, AT, ADDRESSES[0])
    plan = planned(await provider.read(AT), wish(provider, AT, ADDRESSES[1]))
    (policy,) = local.policies(AT.key.name)
    local.cloud.edit_answer(policy["id"], ADDRESSES[0], weight=7)
    await provider.read(AT)
    with pytest.raises(Fenced) as caught:
        await provider.apply(approved(plan))
    assert caught.value.reason == "stale_generation"


async def test_an_undo_is_written_without_a_token(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, ADDRESSES[0])
    undo = (await publish(provider, AT, ADDRESSES[1])).undone()
    assert undo is not None
    await provider.apply(approved(undo))
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[0]: 1}
    with pytest.raises(Fenced):
        await provider.apply(approved(undo))
    with pytest.raises(Fenced):
        await provider.apply(approved(unseen(undo, AT)))


async def test_a_zone_that_was_made_anew_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_oci(tmp_path, monkeypatch) as local:
        async with local.open(KIND) as provider:
            await publish(provider, AT, ADDRESSES[0])
            old = local.cloud.dns.zones.popitem()[1]
            local.cloud.steering.attachments.clear()
            with pytest.raises(Permanent) as caught:
                await provider.read(AT)
            assert caught.value.reason == "zone_missing"
            fresh = next(iter(OciCloud([ZONE]).dns.zones.values()))
            fresh.id = f"{old.id}anew"
            local.cloud.dns.zones[fresh.id] = fresh
            await publish(provider, AT, ADDRESSES[1])
            assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[1]: 1}


# -- by hand -----------------------------------------------------------------------------------------------------------


def options(words: list[str]) -> dict[str, str]:
    return {name: value for name, value in pairwise(words) if name.startswith("--")}


async def test_the_manual_command_of_a_change(local: LocalOci, provider: Provider) -> None:
    await publish(provider, AT, ADDRESSES[0])
    seen = await provider.read(AT)
    plan = planned(seen, wish(provider, AT, ADDRESSES[1], ttl=60))
    words = shlex.split(manual_command(provider, plan), comments=True)
    said = options(words)
    at = words.index("dns")
    assert words[0] == "oci"
    assert words[at : at + 3] == ["dns", "steering-policy", "update"]
    assert said["--if-match"] == json.loads(seen.token)["etag"]
    assert said["--steering-policy-id"] == local.policies(AT.key.name)[0]["id"]
    assert "--force" in words
    body = {name: json.loads(said[f"--{name}"]) for name in ("answers", "rules", "ttl")}
    body["freeformTags"] = json.loads(said["--freeform-tags"])
    dns_client(local.endpoint.url).update_steering_policy(
        said["--steering-policy-id"], body, if_match=said["--if-match"]
    )
    after = await provider.read(AT)
    assert (after.records, after.marker) == (plan.after, plan.by_person.marker)
    undo = plan.undone()
    assert undo is not None
    assert "--if-match" not in options(shlex.split(provider.manual(undo)))


async def test_the_manual_command_of_a_creation_looks_up_what_it_does_not_know(local: LocalOci) -> None:
    async with local.open(KIND, Access.READ) as reader:
        plan = planned(Observed(AT, None), wish(reader, AT, ADDRESSES[0]))
        cold = reader.manual(plan)
        assert "steering-policy-attachment create" in cold
        assert "steering-policy create" in cold
        assert f"zone get --zone-name-or-id {ZONE}" in cold
        await reader.read(AT)
        warm = reader.manual(plan)
    assert "zone get" not in warm
    assert local.cloud.zone(ZONE).id in warm
    assert COMPARTMENT in warm


async def test_a_creation_that_was_throttled_for_long_is_made_good_later(local: LocalOci, provider: Provider) -> None:
    local.endpoint.expect(Luck.THROTTLE, method="POST", path="Attachments", times=100, retry_after=600)
    for _ in range(2):
        with pytest.raises(RateLimited):
            async with local.open(KIND) as other:
                await publish(other, AT, ADDRESSES[0])
    local.endpoint.relent()
    await publish(provider, AT, ADDRESSES[0])
    assert local.cloud.served(AT.key.name, "A") == {ADDRESSES[0]: 1}
