"""Who is let in, how often, and how fast: signatures, permissions, throttling, one change at a time, PENDING."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from clouds.route53 import REQUESTS_PER_SECOND, Route53
from clouds.route53_clients import boto3_client, record, refused, submit
from clouds.serving import Endpoint, Luck, Request, WallClock, serving
from clouds.sigv4 import AccessKey, Refused, signature, verify

KEY = AccessKey("AKIALOCALEXAMPLE", "a secret for tests")
ZONES = {"Z1": "example.test", "Z2": "example.net"}


def read(endpoint: Endpoint, key: AccessKey, *, region: str = "us-east-1", zone: str = "Z1") -> list[Any]:
    with boto3_client(endpoint, key, region=region) as client:
        return list(client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"])


def policy(effect: str, action: str | list[str], resource: str = "*") -> Mapping[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


def test_a_key_that_nobody_knows() -> None:
    with serving(Route53(ZONES, [])) as endpoint, refused("InvalidClientTokenId"):
        read(endpoint, KEY)


def test_a_revoked_key_is_unknown_from_then_on() -> None:
    cloud = Route53(ZONES, [KEY])
    with serving(cloud) as endpoint:
        assert read(endpoint, KEY)
        del cloud.keys[KEY.key_id]
        with refused("InvalidClientTokenId"):
            read(endpoint, KEY)


def test_a_wrong_secret() -> None:
    with serving(Route53(ZONES, [KEY])) as endpoint, refused("SignatureDoesNotMatch", "does not match the signature"):
        read(endpoint, replace(KEY, secret="another secret"))  # noqa: S106 - made up


def test_a_signature_for_another_region() -> None:
    with serving(Route53(ZONES, [KEY])) as endpoint, refused("SignatureDoesNotMatch", "not 'eu-west-1'"):
        read(endpoint, KEY, region="eu-west-1")


@pytest.mark.parametrize(("ahead", "words"), [(301, "Signature expired"), (-310, "Signature not yet current")])
def test_five_minutes_of_skew_and_no_more(ahead: float, words: str) -> None:
    clock = WallClock(ahead)
    with serving(Route53(ZONES, [KEY], clock=clock)) as endpoint:
        with refused("SignatureDoesNotMatch", words):
            read(endpoint, KEY)
        clock.ahead = 280 if ahead > 0 else -280
        assert read(endpoint, KEY)


def test_a_session_needs_its_token_until_it_expires() -> None:
    clock = WallClock()
    session = AccessKey("ASIALOCALEXAMPLE", "a secret for tests", "a token for tests", expires_at=time.time() + 120)
    with serving(Route53(ZONES, [session], clock=clock)) as endpoint:
        assert read(endpoint, session)
        for token in (None, "another token"):
            with refused("InvalidClientTokenId"):
                read(endpoint, replace(session, session_token=token))
        clock.ahead = 200
        with refused("ExpiredToken"):
            read(endpoint, session)


def test_an_account_without_the_service() -> None:
    with serving(Route53(ZONES, [KEY], subscribed=False)) as endpoint, refused("OptInRequired"):
        read(endpoint, KEY)


def test_a_key_that_may_only_read() -> None:
    reader = replace(KEY, policy=policy("Allow", ["route53:List*", "route53:Get*"]))
    cloud = Route53(ZONES, [reader])
    with serving(cloud) as endpoint, boto3_client(endpoint, reader) as client:
        assert client.list_hosted_zones()["HostedZones"]
        with refused("AccessDenied", "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1"):
            submit(client, ("CREATE", record("a.example.test", "A", "192.0.2.1")))
    assert cloud.lines() == []


def test_a_key_for_one_zone_of_two() -> None:
    narrow = replace(KEY, policy=policy("Allow", "route53:*", "arn:aws:route53:::hostedzone/Z1"))
    with serving(Route53(ZONES, [narrow])) as endpoint:
        assert read(endpoint, narrow)
        with refused("AccessDenied"):
            read(endpoint, narrow, zone="Z2")


def test_a_denial_outweighs_what_allows() -> None:
    both = [*policy("Allow", "*")["Statement"], *policy("Deny", "route53:ListResourceRecordSets")["Statement"]]
    denied = replace(KEY, policy={"Statement": both})
    with serving(Route53(ZONES, [denied])) as endpoint, refused("AccessDenied"):
        read(endpoint, denied)


def test_a_condition_is_not_overlooked() -> None:
    conditional = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": True}},
    }
    with pytest.raises(ValueError, match="Condition"):
        replace(KEY, policy={"Statement": conditional}).allows("route53:GetChange", "*")


def test_five_requests_a_second_for_the_account() -> None:
    clock = WallClock()
    frozen = clock()
    cloud = Route53(ZONES, [KEY], clock=lambda: frozen + clock.ahead, rate=REQUESTS_PER_SECOND)
    with serving(cloud) as endpoint, boto3_client(endpoint, KEY) as client:
        for _ in range(5):
            client.get_hosted_zone(Id="Z1")
        with refused("Throttling", "Rate exceeded"):
            client.get_hosted_zone(Id="Z2")
        clock.ahead = 0.2
        client.get_hosted_zone(Id="Z1")
        with refused("Throttling"):
            client.get_hosted_zone(Id="Z1")
        assert [call.status for call in endpoint.calls] == [200, 200, 200, 200, 200, 400, 200, 400]


def test_throttling_to_order_has_the_same_words() -> None:
    with serving(Route53(ZONES, [KEY])) as endpoint:
        endpoint.expect(Luck.THROTTLE)
        with refused("Throttling", "Rate exceeded"):
            read(endpoint, KEY)
        assert read(endpoint, KEY)


def test_an_internal_error_is_said_in_its_own_words() -> None:
    with serving(Route53(ZONES, [KEY])) as endpoint:
        endpoint.expect(Luck.ERROR)
        with refused("InternalFailure"):
            read(endpoint, KEY)


def test_a_zone_takes_one_change_at_a_time_and_other_zones_go_on() -> None:
    clock = WallClock()
    cloud = Route53(ZONES, [KEY], clock=clock, processing=60)
    with serving(cloud) as endpoint, boto3_client(endpoint, KEY) as client:
        submit(client, ("CREATE", record("a.example.test", "A", "192.0.2.1")))
        with refused("PriorRequestNotComplete"):
            submit(client, ("CREATE", record("b.example.test", "A", "192.0.2.1")))
        submit(client, ("CREATE", record("a.example.net", "A", "192.0.2.1")), zone="Z2")
        clock.ahead = 61
        submit(client, ("CREATE", record("c.example.test", "A", "192.0.2.1")))
    assert {line.split()[0] for line in cloud.lines()} == {"a.example.test.", "c.example.test.", "a.example.net."}


def test_a_change_is_pending_then_in_sync() -> None:
    clock = WallClock()
    with (
        serving(Route53(ZONES, [KEY], clock=clock, insync_after=60)) as endpoint,
        boto3_client(endpoint, KEY) as client,
    ):
        change = submit(client, ("CREATE", record("a.example.test", "A", "192.0.2.1")))
        assert change["Status"] == "PENDING"
        assert client.get_change(Id=change["Id"])["ChangeInfo"] == change
        clock.ahead = 61
        assert client.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC"
        with refused("NoSuchChange"):
            client.get_change(Id="C0NOSUCHCHANGE")


def test_the_published_example_of_a_signature() -> None:
    """The example request of the signing documentation (ListUsers of IAM), with its published signature."""
    key = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
    }
    request = Request("GET", "/?Action=ListUsers&Version=2010-05-08", headers)
    signed = ("content-type", "host", "x-amz-date")
    scope = "20150830/us-east-1/iam/aws4_request"
    assert signature(request, signed, scope, key.secret) == (
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingAuthenticationToken"),
        ({"authorization": "Bearer token"}, "IncompleteSignature"),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request"}, "IncompleteSignature"),
        (
            {
                "host": "localhost",
                "authorization": "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/route53/aws4_request, "
                "SignedHeaders=host, Signature=00",
            },
            "IncompleteSignature",
        ),
    ],
    ids=["none", "another scheme", "no signature", "no date"],
)
def test_a_request_without_a_whole_signature(headers: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as caught:
        verify(Request("GET", "/", headers), {}, service="route53", region="us-east-1", now=0.0)
    assert caught.value.code == code
