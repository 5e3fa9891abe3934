"""What goes wrong between failoverd and OCI: each with its own reason, and the record as it was or as intended."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clouds.oci import OciCloud
from clouds.oci_client import fingerprint
from clouds.oci_signing import SKEW
from clouds.serving import NOT_THE_CLOUD, Luck, Request, Response, WallClock
from support.alarms import until
from support.contract import VALUES, approved, compare, failing, planned, publish, smuggled, target, wish
from support.oci_site import LocalOci, local_oci
from support.proxies import closed_port
from support.servers import ZONE

from failoverd.core.control.plan import Plan, RefusalReason, Refused
from failoverd.core.errors import Fenced, Permanent, RateLimited, Transient
from failoverd.core.records import Observed, RecordSet, RecordType
from failoverd.ports import Access, Provider, ProviderKind, Urgency
from failoverd.providers import oci_dns, oci_steering
from failoverd.providers.shared.throttling import FIRST_TRIAL

ADDRESSES = VALUES[RecordType.A]
AT = target(f"api.{ZONE}")
KINDS = (oci_dns.KIND, oci_steering.KIND)

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: WallClock) -> Iterator[LocalOci]:
    with local_oci(tmp_path, monkeypatch, OciCloud([ZONE], clock=clock)) as local:
        yield local


def standing(local: LocalOci) -> tuple[object, ...]:
    """All that OCI would answer and show at the name."""
    steered = [(policy["answers"], policy["rules"], policy["freeformTags"]) for policy in local.policies(AT.key.name)]
    return local.cloud.records(AT.key.name), local.cloud.records(AT.key.marker_name), steered


async def change(provider: Provider) -> Plan:
    """A record that stands, and a plan to change it."""
    await publish(provider, AT, ADDRESSES[0])
    return planned(await provider.read(AT), wish(provider, AT, *ADDRESSES))


# -- refused by the tenancy --------------------------------------------------------------------------------------------


def _revoke(local: LocalOci, _clock: WallClock) -> None:
    local.cloud.user.keys.clear()


def _deactivate(local: LocalOci, _clock: WallClock) -> None:
    local.cloud.user.active = False


def _deny_writes(local: LocalOci, _clock: WallClock) -> None:
    local.cloud.user.denied |= {"DNS_RECORD_UPDATE", "DNS_STEERING_POLICY_UPDATE"}


def _suspend(local: LocalOci, _clock: WallClock) -> None:
    local.cloud.tenancy.active = False


def _run_ahead(_local: LocalOci, clock: WallClock) -> None:
    clock.ahead = SKEW + 60.0


def _run_behind(_local: LocalOci, clock: WallClock) -> None:
    clock.ahead = -SKEW - 60.0


@each_kind
@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        (_revoke, "credentials_invalid"),
        (_deactivate, "credentials_invalid"),
        (_deny_writes, "permission_denied"),
        (_suspend, "zone_missing"),
        (_run_ahead, "clock_skewed"),
        (_run_behind, "clock_skewed"),
    ],
)
async def test_a_refused_write_says_why_and_leaves_the_record(
    local: LocalOci, clock: WallClock, kind: ProviderKind, mishap: Callable[[LocalOci, WallClock], None], reason: str
) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        before = standing(local)
        mishap(local, clock)
        error = await failing(provider, plan)
        assert isinstance(error, Permanent)
        assert error.reason == reason
        assert standing(local) == before


@each_kind
@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        (_revoke, "credentials_invalid"),
        (_suspend, "zone_missing"),
        (_run_behind, "clock_skewed"),
    ],
)
async def test_a_refused_read_says_why(
    local: LocalOci, clock: WallClock, kind: ProviderKind, mishap: Callable[[LocalOci, WallClock], None], reason: str
) -> None:
    async with local.open(kind) as provider:
        mishap(local, clock)
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == reason


@each_kind
async def test_a_missing_zone_and_one_that_may_not_be_seen_are_told_as_what_they_may_be(
    local: LocalOci, kind: ProviderKind
) -> None:
    async with local.open(kind, zone_ids={ZONE: "ocid1.dns-zone.oc1..wrong"}) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
    assert caught.value.reason == "zone_missing"
    assert "may not see it" in caught.value.detail

    local.cloud.user.denied |= {"DNS_RECORD_READ", "DNS_STEERING_ATTACHMENT_INSPECT"}
    async with local.open(kind) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
    assert caught.value.reason == "permission_denied"
    assert "docs/permissions" in caught.value.remedy


# -- the network -------------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize(
    ("luck", "applied"),
    [(Luck.HANG_BEFORE, False), (Luck.HANG_AFTER, True), (Luck.DROP_BEFORE, False), (Luck.DROP_AFTER, True)],
)
async def test_a_write_without_an_answer_is_never_repeated(
    local: LocalOci, kind: ProviderKind, luck: Luck, applied: bool
) -> None:
    async with local.open(kind) as provider, local.open(kind, timeout=luck.timeout("300ms")) as hasty:
        await publish(provider, AT, ADDRESSES[0])
        plan = planned(await hasty.read(AT), wish(hasty, AT, *ADDRESSES))  # who is slow to answer a read is asked again
        before = local.writes()
        local.endpoint.expect(luck, method="PATCH|PUT")
        error = await failing(hasty, plan)
        assert isinstance(error, Transient)
        assert error.reason == "outcome_unknown"
        await until(lambda: local.writes() > before)
        assert local.writes() == before + 1
        after = await provider.read(AT)
        assert after.records == (plan.after if applied else plan.before.records)


@each_kind
@pytest.mark.parametrize(
    ("luck", "reason"),
    [(Luck.HANG_BEFORE, "timed_out"), (Luck.DROP_BEFORE, "connection_lost"), (Luck.ERROR, "server_error")],
)
async def test_a_read_that_fails_in_passing_is_tried_again_and_at_last_says_why(
    local: LocalOci, kind: ProviderKind, luck: Luck, reason: str
) -> None:
    async with local.open(kind) as provider, local.open(kind, timeout=luck.timeout("200ms")) as hasty:
        plan = await change(provider)
        local.endpoint.expect(luck, method="GET")
        assert (await hasty.read(AT)).records == plan.before.records
        local.endpoint.expect(luck, method="GET", times=100)
        with pytest.raises(Transient) as caught:
            await hasty.read(AT)
        assert caught.value.reason == reason


@each_kind
async def test_a_server_error_leaves_the_outcome_open(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.ERROR, method="PATCH|PUT")
        error = await failing(provider, plan)
        assert isinstance(error, Transient)
        assert error.reason == "server_error"


@each_kind
@pytest.mark.parametrize("what", NOT_THE_CLOUD)
async def test_what_is_no_answer_of_oci_leaves_a_write_open(
    local: LocalOci, monkeypatch: pytest.MonkeyPatch, kind: ProviderKind, what: str
) -> None:
    answer, blocked = local.cloud.answer, {"PATCH", "PUT"}

    def answered(request: Request) -> Response:
        return NOT_THE_CLOUD[what] if request.method in blocked else answer(request)

    async with local.open(kind) as provider:
        plan = await change(provider)
        monkeypatch.setattr(local.cloud, "answer", answered)
        error = await failing(provider, plan)
        assert (type(error), error.reason) == (Transient, "outcome_unknown")
        blocked.add("GET")
        with pytest.raises(Transient) as caught:
            await provider.read(AT)
        assert caught.value.reason == "answer_invalid"
        assert "proxy" in caught.value.remedy


@each_kind
async def test_nobody_listens(local: LocalOci, kind: ProviderKind) -> None:
    with closed_port() as port:
        async with local.open(kind, endpoint=f"http://127.0.0.1:{port}") as provider:
            with pytest.raises(Transient) as caught:
                await provider.read(AT)
            assert caught.value.reason == "connect_failed"


@each_kind
async def test_an_api_that_lies_is_found_out_by_reading(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.LIE, method="PATCH|PUT")
        await provider.apply(approved(plan))
        observed = await provider.read(AT)
        assert not plan.stands_in(observed)
        assert observed.records == plan.before.records


@each_kind
async def test_a_throttled_write_waits_as_long_as_it_is_asked_and_is_sent_again(
    local: LocalOci, kind: ProviderKind
) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.THROTTLE, method="PATCH|PUT", retry_after=0)
        await provider.apply(approved(plan))
        assert (await provider.read(AT)).records == plan.after


@each_kind
async def test_endless_throttling_ends_the_round_and_says_for_how_long(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.THROTTLE, method="PATCH|PUT", times=100, retry_after=600)
        error = await failing(provider, plan)
        assert isinstance(error, RateLimited)
        assert error.reason == "throttled"
        assert error.retry_after == pytest.approx(FIRST_TRIAL, abs=0.5)  # it fails out, so it may try before the 600s


@each_kind
async def test_a_fail_out_gets_through_the_silence_of_a_routine_read(
    local: LocalOci, kind: ProviderKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.shared.throttling.FIRST_TRIAL", 0.2)
    async with local.open(kind) as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.THROTTLE, method="GET", retry_after=600)
        with pytest.raises(RateLimited):
            await provider.read(AT)
        assert (await provider.read(AT, urgency=Urgency.FAIL_OUT)).records == plan.before.records
        await provider.apply(approved(plan))
        assert (await provider.read(AT, urgency=Urgency.CHANGE)).records == plan.after
        with pytest.raises(RateLimited):
            await provider.read(AT)


# -- somebody else -----------------------------------------------------------------------------------------------------


@each_kind
async def test_a_marker_deleted_by_hand_is_refused_on_the_next_round(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        (local.edit if kind is oci_dns.KIND else local.steer)(f"delete {AT.key.marker_name}. TXT")
        error = await failing(provider, plan)
        assert isinstance(error, Fenced)
        assert error.reason == "stale_generation"
        refused = compare(await provider.read(AT), plan.after)
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.NO_MARKER


@each_kind
async def test_a_name_of_another_owner_is_refused(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        refused = compare(plan.before, plan.after, owner="staging")
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.OTHER_OWNER


@each_kind
async def test_a_dry_run_never_sends_a_write(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
    written, before = local.writes(), standing(local)
    async with local.open(kind, Access.READ) as reader:
        assert not {"patch", "update", "create", "attach", "delete"} & set(dir(reader._client))  # type: ignore[attr-defined]
        error = await failing(reader, plan)
    assert error.reason == "read_only"
    assert (local.writes(), standing(local)) == (written, before)


# -- what cannot be said -----------------------------------------------------------------------------------------------


async def test_more_answers_than_one_name_holds(local: LocalOci) -> None:
    async with local.open() as provider:
        desired = RecordSet.of(AT.key, 30, {f"192.0.2.{number}": 1 for number in range(1, 102)})
        with pytest.raises(Permanent) as caught:
            provider.normalise(desired)
        assert caught.value.reason == "too_many_answers"


async def test_a_weight_that_oci_does_not_know(local: LocalOci) -> None:
    async with local.open(oci_steering.KIND) as provider:
        plan = planned(await provider.read(AT), RecordSet.of(AT.key, 30, {ADDRESSES[0]: 256}))
        assert (await failing(provider, plan)).reason == "unsayable"
        assert local.writes() == 0


@each_kind
async def test_a_ttl_that_oci_refuses_is_unsayable_and_changes_nothing(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        before = standing(local)
        plan = planned(plan.before, wish(provider, AT, ADDRESSES[0], ttl=10_000_000))
        error = await failing(provider, plan)
        assert isinstance(error, Permanent)
        assert error.reason == "unsayable"
        assert standing(local) == before


@each_kind
async def test_a_plan_made_in_spite_of_what_is_foreign_is_refused(local: LocalOci, kind: ProviderKind) -> None:
    local.edit(f"add {AT.key.name}. 30 CNAME old.example.net.")
    async with local.open(kind) as provider:
        observed = await provider.read(AT)
        assert observed.foreign
        blind = planned(Observed(AT, None), wish(provider, AT, ADDRESSES[0]))
        with pytest.raises(Permanent) as caught:
            await provider.apply(smuggled(replace(blind, before=observed)))
        assert caught.value.reason == "foreign_type"
        assert local.writes() == 0


@each_kind
async def test_a_key_that_works_again_is_used_again(local: LocalOci, kind: ProviderKind) -> None:
    async with local.open(kind) as provider:
        plan = await change(provider)
        public = local.cloud.user.keys.pop(fingerprint())
        assert (await failing(provider, plan)).reason == "credentials_invalid"
        local.cloud.user.keys[fingerprint()] = public
        await provider.apply(approved(plan))
        assert (await provider.read(AT)).records == plan.after
