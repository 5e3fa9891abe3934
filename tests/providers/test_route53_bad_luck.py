"""What goes wrong between failoverd and Route 53: each with its own reason, and the record as it was or as intended."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from clouds.route53 import Route53
from clouds.serving import NOT_THE_CLOUD, Luck, Request, Response, WallClock, serving
from clouds.sigv4 import AccessKey
from support.alarms import until
from support.contract import VALUES, approved, compare, failing, planned, publish, target, wish
from support.proxies import closed_port
from support.route53_site import KEY, ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE

from failoverd.core.control.plan import Plan, RefusalReason, Refused
from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.records import RecordSet, RecordType
from failoverd.ports import Access, Provider

A = RecordType.A
ADDRESSES = VALUES[A]
AT = target(f"api.{ZONE}")
OTHER = "another secret for tests"
DENIES_WRITES = {
    "Statement": [
        {"Effect": "Allow", "Action": ["route53:List*", "route53:Get*"], "Resource": "*"},
    ]
}


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: WallClock) -> Iterator[LocalRoute53]:
    cloud = Route53({ZONE_ID: ZONE}, [KEY], clock=clock)
    with local_route53(tmp_path, monkeypatch, cloud) as local:
        yield local


async def change(provider: Provider) -> Plan:
    """A record that stands, and a plan to change it."""
    await publish(provider, AT, ADDRESSES[0])
    return planned(await provider.read(AT), wish(provider, AT, *ADDRESSES))


# -- refused by the account --------------------------------------------------------------------------------------------


def _revoke(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.keys.clear()


def _rotate(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.keys[KEY.key_id] = replace(KEY, secret=OTHER)


def _expire(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.keys[KEY.key_id] = replace(KEY, expires_at=time.time() - 1)


def _deny(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.keys[KEY.key_id] = replace(KEY, policy=DENIES_WRITES)


def _suspend(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.subscribed = False


def _run_ahead(_local: LocalRoute53, clock: WallClock) -> None:
    clock.ahead = 900.0


def _run_behind(_local: LocalRoute53, clock: WallClock) -> None:
    clock.ahead = -900.0


def _delete_zone(local: LocalRoute53, _clock: WallClock) -> None:
    del local.cloud.zones[ZONE_ID]


def _protect(local: LocalRoute53, _clock: WallClock) -> None:
    local.cloud.protect(f"{AT.key.name}.", "A", "belongs to the platform team")


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        (_revoke, "credentials_invalid"),
        (_rotate, "credentials_invalid"),
        (_expire, "token_expired"),
        (_deny, "permission_denied"),
        (_suspend, "account_disabled"),
        (_run_ahead, "clock_skewed"),
        (_run_behind, "clock_skewed"),
        (_delete_zone, "zone_missing"),
        (_protect, "record_protected"),
    ],
)
async def test_a_refused_write_says_why_and_leaves_the_record(
    local: LocalRoute53, clock: WallClock, mishap: Callable[[LocalRoute53, WallClock], None], reason: str
) -> None:
    async with local.open() as provider:
        plan = await change(provider)
        before = local.cloud.lines()
        mishap(local, clock)
        error = await failing(provider, plan)
        assert isinstance(error, Permanent)
        assert error.reason == reason
        assert KEY.secret not in str(error)
        if local.cloud.zones:
            assert local.cloud.lines() == before


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [(_revoke, "credentials_invalid"), (_expire, "token_expired"), (_run_ahead, "clock_skewed")],
)
async def test_a_refused_read_says_why(
    local: LocalRoute53, clock: WallClock, mishap: Callable[[LocalRoute53, WallClock], None], reason: str
) -> None:
    async with local.open() as provider:
        mishap(local, clock)
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == reason


async def test_a_wrong_zone_id_is_told_as_a_missing_zone(local: LocalRoute53) -> None:
    async with local.open(hosted_zones={ZONE: "ZWRONG"}) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "zone_missing"
        assert "ZWRONG" in caught.value.detail


async def test_no_credentials_at_all(local: LocalRoute53) -> None:
    local.credentials_file.write_text("[other]\n")
    async with local.open() as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "credentials_missing"


# -- the network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("luck", "applied"),
    [(Luck.HANG_BEFORE, False), (Luck.HANG_AFTER, True), (Luck.DROP_BEFORE, False), (Luck.DROP_AFTER, True)],
)
async def test_a_write_without_an_answer_is_never_repeated(local: LocalRoute53, luck: Luck, applied: bool) -> None:
    async with local.open() as provider, local.open(timeout=luck.timeout("300ms")) as hasty:
        plan = await change(provider)
        before = local.writes()
        local.endpoint.expect(luck, method="POST")
        error = await failing(hasty, plan)
        assert isinstance(error, Transient)
        assert error.reason == "outcome_unknown"
        await until(lambda: local.writes() > before)
        assert local.writes() == before + 1
        after = await provider.read(AT)
        assert after.records == (plan.after if applied else plan.before.records)


@pytest.mark.parametrize(
    ("luck", "reason"),
    [(Luck.HANG_BEFORE, "timed_out"), (Luck.DROP_BEFORE, "connection_lost"), (Luck.ERROR, "server_error")],
)
async def test_a_read_that_fails_in_passing_is_tried_again_and_at_last_says_why(
    local: LocalRoute53, luck: Luck, reason: str
) -> None:
    async with local.open() as provider, local.open(timeout=luck.timeout("200ms")) as hasty:
        plan = await change(provider)
        local.endpoint.expect(luck, method="GET", path="rrset")
        assert (await hasty.read(AT)).records == plan.before.records
        local.endpoint.expect(luck, method="GET", path="rrset", times=100)
        with pytest.raises(Transient) as caught:
            await hasty.read(AT)
        assert caught.value.reason == reason


async def test_a_server_error_leaves_the_outcome_open(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.ERROR, method="POST")
        error = await failing(provider, plan)
        assert isinstance(error, Transient)
        assert error.reason == "server_error"


BARE = """<?xml version="1.0"?>
<InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/">{body}</InvalidChangeBatch>"""
"""The error as the reference of ChangeResourceRecordSets shows it: its code is the root, and there is no <Error>."""

STALE = "Tried to delete resource record set [name=&#39;_failoverd.a.&#39;] but it was not found"
TAKEN = "Tried to create resource record set [name='a.', type='A'] but it already exists"
WRONG = "Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address"


@pytest.mark.parametrize(
    ("messages", "kind", "reason"),
    [
        ((TAKEN,), Fenced, "record_changed"),
        ((TAKEN, STALE), Fenced, "stale_generation"),
        ((WRONG,), Permanent, "unsayable"),
        ((), Fenced, "record_changed"),
    ],
    ids=["one message", "two messages", "what Route 53 does not take", "no message"],
)
async def test_a_rejected_batch_whose_root_is_its_code_is_told_by_its_messages(
    local: LocalRoute53,
    monkeypatch: pytest.MonkeyPatch,
    messages: tuple[str, ...],
    kind: type[ProviderError],
    reason: str,
) -> None:
    said = "".join(f"<Message>{message}</Message>" for message in messages)
    answered = Response(400, BARE.format(body=f"<Messages>{said}</Messages>").encode(), {"content-type": "text/xml"})
    async with local.open() as provider:
        plan = await change(provider)
        monkeypatch.setattr(local.cloud, "answer", lambda _: answered)
        error = await failing(provider, plan)
    assert (type(error), error.reason) == (kind, reason)
    assert all(message.replace("&#39;", "'") in error.detail for message in messages)


@pytest.mark.parametrize(
    ("root", "status", "kind", "reason"),
    [
        ("NoSuchHostedZone", 404, Permanent, "zone_missing"),
        ("AccessDenied", 403, Permanent, "permission_denied"),
        ("PriorRequestNotComplete", 400, RateLimited, "prior_request_not_complete"),
    ],
)
async def test_every_error_whose_root_is_its_code_means_the_same(
    local: LocalRoute53,
    monkeypatch: pytest.MonkeyPatch,
    root: str,
    status: int,
    kind: type[ProviderError],
    reason: str,
) -> None:
    monkeypatch.setattr("failoverd.providers.shared.throttling.LONGEST_PAUSE", 0.0)
    answered = Response(status, f"<{root}><Message>it says why</Message></{root}>".encode())
    async with local.open() as provider:
        plan = await change(provider)
        monkeypatch.setattr(local.cloud, "answer", lambda _: answered)
        error = await failing(provider, plan)
    assert (type(error), error.reason) == (kind, reason)


@pytest.mark.parametrize("what", NOT_THE_CLOUD)
async def test_what_is_no_answer_of_the_cloud_leaves_a_write_open(
    local: LocalRoute53, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    answered = NOT_THE_CLOUD[what]
    async with local.open() as provider:
        plan = await change(provider)
        monkeypatch.setattr(local.cloud, "answer", lambda _: answered)
        error = await failing(provider, plan)
        assert (type(error), error.reason) == (Transient, "outcome_unknown")
        with pytest.raises(Transient) as caught:
            await provider.read(AT)
        assert caught.value.reason == "answer_invalid"
        assert "proxy" in caught.value.remedy


async def test_nobody_listens(local: LocalRoute53) -> None:
    with closed_port() as port:
        async with local.open(endpoint=f"http://127.0.0.1:{port}") as provider:
            with pytest.raises(Transient) as caught:
                await provider.read(AT)
            assert caught.value.reason == "connect_failed"


async def test_an_api_that_lies_is_found_out_by_reading(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plan = await change(provider)
        local.endpoint.expect(Luck.LIE, method="POST")
        await provider.apply(approved(plan))
        assert (await provider.read(AT)).records == plan.before.records


async def test_only_a_certificate_that_is_trusted_is_spoken_to(local: LocalRoute53) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = local.folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with serving(local.cloud, tls=context) as private:
        async with local.open(endpoint=private.url, ca_file=str(bundle)) as provider:
            await publish(provider, AT, ADDRESSES[0])
        assert await _refusal(local, endpoint=private.url) == "certificate_untrusted"
        missing = str(local.folder / "nothing.pem")
        assert await _refusal(local, endpoint=private.url, ca_file=missing) == "ca_file_missing"


async def _refusal(local: LocalRoute53, **settings: object) -> str:
    async with local.open(Access.READ, **settings) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        return caught.value.reason


# -- what else may stand at the name -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("30 A 192.0.2.1 region=eu-west-1 id=eu", "latency"),
        ("30 A 192.0.2.1 failover=PRIMARY id=first", "failover"),
        ("30 A 192.0.2.1 multivalue=yes id=one", "multivalue"),
        ("30 A 192.0.2.1 weight=10 health=abcdef id=one", "with a health check"),
        ("ALIAS A Z35SXDOTRQ7X7K lb.us-east-1.elb.amazonaws.com. evaluate=yes", "evaluates the health"),
    ],
)
async def test_what_route53_decides_by_itself_is_foreign_and_never_deleted(
    local: LocalRoute53, line: str, how: str
) -> None:
    local.cloud.edit(f"add {AT.key.name}. {line}")
    before = local.cloud.lines()
    async with local.open() as provider:
        observed = await provider.read(AT)
        assert observed.records is None
        assert how in observed.foreign[0]
        refused = compare(observed, wish(provider, AT, ADDRESSES[0]))
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.FOREIGN_TYPE
        blind = planned(replace(observed, foreign=()), wish(provider, AT, ADDRESSES[0]))
        error = await failing(provider, replace(blind, before=observed))
        assert error.reason == "foreign_type"
        assert local.cloud.lines() == before
        with suppress(ProviderError):
            await provider.apply(approved(blind))
        assert set(before) <= set(local.cloud.lines())


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("30 A 192.0.2.1 weight=10 health=abcdef id=one", "take the health check off the record set one"),
        (
            "ALIAS A Z35SXDOTRQ7X7K lb.us-east-1.elb.amazonaws.com. evaluate=yes",
            "set Evaluate Target Health to No at the record set",
        ),
        (
            "30 A 192.0.2.1 multivalue=yes id=two",
            "have the record set two answer by weight alone, or take the record out of the policy",
        ),
    ],
)
async def test_what_is_foreign_comes_with_the_least_that_ends_it(local: LocalRoute53, line: str, cure: str) -> None:
    local.cloud.edit(f"add {AT.key.name}. {line}")
    async with local.open() as provider:
        refused = compare(await provider.read(AT), wish(provider, AT, ADDRESSES[0]))
        assert isinstance(refused, Refused)
        assert refused.remedy == cure


async def test_other_types_that_may_stand_beside_an_address_are_left_alone(local: LocalRoute53) -> None:
    local.cloud.edit(f'add {AT.key.name}. 300 TXT "v=spf1 -all"')
    local.cloud.edit(f"add {AT.key.name}. 300 MX 10 mail.example.test.")
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        assert (await provider.read(AT)).foreign == ()
        assert f'{AT.key.name}. 300 TXT "v=spf1 -all"' in local.cloud.lines()


async def test_a_marker_deleted_by_hand_is_refused_on_the_next_round(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plan = await change(provider)
        local.edit(f"delete {AT.key.marker_name}. TXT")
        error = await failing(provider, plan)
        assert isinstance(error, Fenced)
        assert error.reason == "stale_generation"
        refused = compare(await provider.read(AT), plan.after)
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.NO_MARKER


async def test_an_edited_weight_fences_with_a_reason_of_its_own(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plan = await change(provider)
        local.cloud.edit(f"add {AT.key.name}. 30 A {ADDRESSES[0]} weight=7 id={ADDRESSES[0]}")
        error = await failing(provider, plan)
        assert isinstance(error, Fenced)
        assert error.reason == "record_changed"


async def test_an_edited_set_that_the_plan_would_not_change_fences_as_well(local: LocalRoute53) -> None:
    async with local.open() as provider:
        await publish(provider, AT, *ADDRESSES[:2])
        plan = planned(await provider.read(AT), wish(provider, AT, *ADDRESSES))
        assert set(plan.before.records.answers if plan.before.records else ()) < set(plan.after.answers)
        local.cloud.edit(f"add {AT.key.name}. 30 A {ADDRESSES[0]} weight=0 id={ADDRESSES[0]}")
        assert isinstance(await failing(provider, plan), Fenced)


async def test_a_set_that_was_added_by_hand_is_beyond_the_fence_and_seen_by_reading_back(local: LocalRoute53) -> None:
    """The API cannot refuse it: nothing that was read has changed. So it is found afterwards, and removed."""
    async with local.open() as provider:
        plan = await change(provider)
        local.cloud.edit(f"add {AT.key.name}. 30 A 192.0.2.66 weight=9 id=by-hand")
        await provider.apply(approved(plan))
        after = await provider.read(AT)
        assert after.marker == plan.marker
        assert after.records != plan.after
        await publish(provider, AT, *ADDRESSES)
        assert (await provider.read(AT)).records == plan.after


# -- what cannot be said -----------------------------------------------------------------------------------------------


async def test_more_answers_than_one_name_holds(local: LocalRoute53) -> None:
    async with local.open() as provider:
        desired = RecordSet.of(AT.key, 30, {f"192.0.2.{number}": 1 for number in range(1, 102)})
        with pytest.raises(Permanent) as caught:
            provider.normalise(desired)
        assert caught.value.reason == "too_many_answers"
        fewer = provider.normalise(replace(desired, answers=desired.answers[:100]))
        await provider.apply(approved(planned(await provider.read(AT), fewer)))
        assert (await provider.read(AT)).records == fewer


async def test_a_weight_that_route53_does_not_know(local: LocalRoute53) -> None:
    async with local.open() as provider:
        seen = await provider.read(AT)
        error = await failing(provider, planned(seen, RecordSet.of(AT.key, 30, {ADDRESSES[0]: 256})))
        assert error.reason == "unsayable"
        assert local.writes() == 0


async def test_an_alias_to_nowhere_is_unsayable(local: LocalRoute53) -> None:
    async with local.open() as provider:
        desired = provider.normalise(RecordSet.of(AT.key, 30, {"Z35SXDOTRQ7X7K/lb.example.com": 1}))
        error = await failing(provider, planned(await provider.read(AT), desired))
        assert isinstance(error, Permanent)
        assert error.reason == "unsayable"


# -- rotation ----------------------------------------------------------------------------------------------------------


async def test_a_key_is_rotated_without_a_restart(local: LocalRoute53) -> None:
    newer = AccessKey("AKIANEWEREXAMPLE", OTHER)
    async with local.open() as provider:
        plan = await change(provider)
        local.cloud.keys = {newer.key_id: newer}
        assert (await failing(provider, plan)).reason == "credentials_invalid"
        local.hand_out(newer)
        await provider.apply(approved(plan))
        assert (await provider.read(AT)).records == plan.after


async def test_a_session_token_is_renewed_from_its_file(local: LocalRoute53) -> None:
    session = AccessKey("ASIAEXAMPLE", OTHER, f"{OTHER}, first", expires_at=time.time() + 3_600)
    local.cloud.keys = {session.key_id: session}
    local.hand_out(session)
    async with local.open() as provider:
        await publish(provider, AT, ADDRESSES[0])
        renewed = replace(session, session_token=f"{OTHER}, second")
        local.cloud.keys = {session.key_id: renewed}
        local.hand_out(renewed)
        await publish(provider, AT, ADDRESSES[1])


async def test_a_profile_of_the_settings_is_used(local: LocalRoute53) -> None:
    text = local.credentials_file.read_text().replace("[default]", "[steering]")
    local.credentials_file.write_text(text)
    async with local.open(profile="steering") as provider:
        assert (await provider.read(AT)).records is None
    async with local.open(profile="missing") as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "credentials_missing"
        assert "missing" in caught.value.detail


async def test_a_role_of_the_profile_is_assumed(local: LocalRoute53, monkeypatch: pytest.MonkeyPatch) -> None:
    session = AccessKey("ASIAEXAMPLE", OTHER, f"{OTHER}, of a session")
    local.cloud.keys = {session.key_id: session}
    (local.folder / "config").write_text(
        "[profile steering]\nrole_arn = arn:aws:iam::123456789012:role/failoverd\nsource_profile = default\n"
    )
    with serving(Sts(session)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        async with local.open(profile="steering") as provider:
            await publish(provider, AT, ADDRESSES[0])
        assert sts.count("POST") == 1


class Sts:
    """As much of the Security Token Service as hands out one session."""

    def __init__(self, session: AccessKey) -> None:
        self.session = session

    def answer(self, request: Request) -> Response:
        assert b"Action=AssumeRole" in request.body
        key, expires = self.session, datetime.fromtimestamp(time.time() + 3_600, UTC).isoformat()
        body = (
            "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>{key.key_id}</AccessKeyId><SecretAccessKey>{key.secret}</SecretAccessKey>"
            f"<SessionToken>{key.session_token}</SessionToken><Expiration>{expires}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
        return Response(200, body.encode(), {"content-type": "text/xml"})

    def throttled(self, retry_after: float | None) -> Response:
        raise NotImplementedError(retry_after)


def test_the_secret_of_the_tests_is_where_it_belongs(local: LocalRoute53) -> None:
    assert KEY.secret not in json.dumps(local.settings().model_dump(mode="json"))
