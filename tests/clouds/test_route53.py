"""Batches and the rules for record sets, as the real SDK meets them; one scenario for each rule."""

from collections.abc import Iterator
from typing import Any

import pytest
from clouds.route53 import Route53
from clouds.route53_batch import Quotas
from clouds.route53_clients import Client, boto3_client, record, refused, submit, weighted
from clouds.serving import Luck, serving
from clouds.sigv4 import AccessKey

KEY = AccessKey("AKIALOCALEXAMPLE", "a secret for tests")
API = "api.example.test."


@pytest.fixture
def cloud() -> Route53:
    return Route53({"Z1": "example.test"}, [KEY])


@pytest.fixture
def client(cloud: Route53) -> Iterator[Client]:
    with serving(cloud) as endpoint, boto3_client(endpoint, KEY) as client:
        yield client


def test_delete_and_create_in_one_batch_replace_a_weighted_set(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1 weight=70 id=azure")
    submit(
        client,
        ("DELETE", weighted(API, "azure", 70, "192.0.2.1")),
        ("CREATE", weighted(API, "azure", 0, "192.0.2.1")),
    )
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1 weight=0 id=azure"]


@pytest.mark.parametrize(
    "stale",
    [
        weighted(API, "azure", 71, "192.0.2.1"),
        weighted(API, "azure", 70, "192.0.2.2"),
        weighted(API, "azure", 70, "192.0.2.1", ttl=31),
    ],
    ids=["weight", "value", "ttl"],
)
def test_delete_of_something_else_changes_nothing(cloud: Route53, client: Client, stale: dict[str, Any]) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1 weight=70 id=azure")
    with refused("InvalidChangeBatch", "but the values provided do not match the current values"):
        submit(client, ("CREATE", record("new.example.test", "A", "192.0.2.9")), ("DELETE", stale))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1 weight=70 id=azure"]


@pytest.mark.parametrize(
    "absent",
    [
        weighted(API, "oci", 70, "192.0.2.1"),
        weighted("other.example.test.", "azure", 70, "192.0.2.1"),
        record(API, "AAAA", "2001:db8::1", SetIdentifier="azure", Weight=70),
    ],
    ids=["identifier", "name", "type"],
)
def test_delete_of_what_is_not_there_fails(cloud: Route53, client: Client, absent: dict[str, Any]) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1 weight=70 id=azure")
    with refused("InvalidChangeBatch", "but it was not found"):
        submit(client, ("DELETE", absent))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1 weight=70 id=azure"]


def test_values_match_in_any_order(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1, 192.0.2.2")
    submit(client, ("DELETE", record(API, "A", "192.0.2.2", "192.0.2.1")))
    assert cloud.lines() == []


def test_delete_has_to_name_the_alias_target(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} ALIAS A Z35SXDOTRQ7X7K lb-1.us-east-1.elb.amazonaws.com. evaluate=yes")
    target = {
        "HostedZoneId": "Z35SXDOTRQ7X7K",
        "DNSName": "lb-2.us-east-1.elb.amazonaws.com",
        "EvaluateTargetHealth": True,
    }
    with refused("InvalidChangeBatch", "do not match"):
        submit(client, ("DELETE", record(API, "A", AliasTarget=target)))
    submit(client, ("DELETE", record(API, "A", AliasTarget={**target, "DNSName": "LB-1.us-east-1.elb.amazonaws.com"})))
    assert cloud.lines() == []


def test_create_of_what_exists_fails(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1")
    with refused("InvalidChangeBatch", f"Tried to create resource record set [name='{API}', type='A'] but it already"):
        submit(client, ("CREATE", record("API.example.test", "A", "192.0.2.2")))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1"]


def test_upsert_creates_and_replaces(cloud: Route53, client: Client) -> None:
    submit(client, ("UPSERT", record(API, "A", "192.0.2.1")))
    submit(client, ("UPSERT", record(API, "A", "192.0.2.2", ttl=60)))
    assert cloud.lines() == [f"{API} 60 A 192.0.2.2"]


def test_every_error_of_a_batch_is_listed(client: Client) -> None:
    with refused("InvalidChangeBatch", "name='a.example.test.'", "name='b.example.test.'", "not a valid IPv4"):
        submit(
            client,
            ("DELETE", record("a.example.test", "A", "192.0.2.1")),
            ("DELETE", record("b.example.test", "A", "192.0.2.1")),
            ("CREATE", record("c.example.test", "A", "192.0.2.256")),
        )


def test_the_same_set_twice_in_a_batch_is_refused(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1")
    there = record(API, "A", "192.0.2.1")
    for changes in ([("DELETE", there)] * 2, [("UPSERT", there)] * 2, [("CREATE", there), ("DELETE", there)]):
        with refused("InvalidChangeBatch", "invalid set of changes"):
            submit(client, *changes)
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1"]


def test_a_thousand_elements_and_no_more(cloud: Route53, client: Client) -> None:
    def changes(action: str, count: int) -> list[tuple[str, dict[str, Any]]]:
        return [(action, record(f"h{number}.example.test", "A", "192.0.2.1")) for number in range(count)]

    with refused("InvalidChangeBatch", "Number of records limit of 1000 exceeded."):
        submit(client, *changes("CREATE", 1001))
    with refused("InvalidChangeBatch", "Number of records limit of 1000 exceeded."):
        submit(client, *changes("UPSERT", 501))
    assert cloud.lines() == []
    submit(client, *changes("CREATE", 1000))
    submit(client, *changes("UPSERT", 500))
    assert len(cloud.lines()) == 1000


def test_an_alias_counts_as_an_element() -> None:
    cloud = Route53({"Z1": "example.test"}, [KEY], quotas=Quotas(elements=1))
    target = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net", "EvaluateTargetHealth": False}
    with serving(cloud) as endpoint, boto3_client(endpoint, KEY) as client:
        with refused("InvalidChangeBatch", "limit of 1 exceeded"):
            submit(client, ("UPSERT", record(API, "A", AliasTarget=target)))
        submit(client, ("CREATE", record(API, "A", AliasTarget=target)))


def test_thirty_two_thousand_characters_and_no_more(client: Client) -> None:
    text = '"' + "x" * 158 + '"'

    def changes(action: str, count: int) -> list[tuple[str, dict[str, Any]]]:
        return [(action, record(f"t{number}.example.test", "TXT", text)) for number in range(count)]

    for action, most in (("UPSERT", 100), ("CREATE", 200)):
        with refused("InvalidChangeBatch", "RDATA character limit of 32000 exceeded."):
            submit(client, *changes(action, most + 1))
        submit(client, *((each, dict(what, Name=f"{action}.{what['Name']}")) for each, what in changes(action, most)))


def test_a_weight_is_at_most_255(cloud: Route53, client: Client) -> None:
    submit(
        client, ("CREATE", weighted(API, "low", 0, "192.0.2.1")), ("CREATE", weighted(API, "high", 255, "192.0.2.2"))
    )
    with refused("InvalidInput", "256"):
        submit(client, ("CREATE", weighted(API, "wrong", 256, "192.0.2.3")))
    assert len(cloud.lookup(API, "A")) == 2


def test_a_hundred_weighted_sets_of_a_name_and_type(cloud: Route53, client: Client) -> None:
    submit(client, *(("CREATE", weighted(API, f"s{n}", 1, f"192.0.2.{n}")) for n in range(100)))
    with refused("InvalidChangeBatch", "more than 100"):
        submit(client, ("CREATE", weighted(API, "s100", 1, "192.0.2.100")))
    assert len(cloud.lookup(API, "A")) == 100


def test_a_weighted_set_has_one_value(client: Client) -> None:
    with refused("InvalidChangeBatch", "more than 1 records"):
        submit(client, ("CREATE", record(API, "A", "192.0.2.1", "192.0.2.2", SetIdentifier="azure", Weight=1)))


def test_weighted_sets_share_one_ttl_and_change_it_together(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1 weight=1 id=azure")
    cloud.edit(f"add {API} 30 A 192.0.2.2 weight=1 id=oci")
    with refused("InvalidChangeBatch", "weighted sets must contain the same TTL"):
        submit(client, ("UPSERT", weighted(API, "azure", 1, "192.0.2.1", ttl=60)))
    submit(
        client,
        ("UPSERT", weighted(API, "azure", 1, "192.0.2.1", ttl=60)),
        ("UPSERT", weighted(API, "oci", 1, "192.0.2.2", ttl=60)),
    )
    assert [each.ttl for each in cloud.lookup(API, "A")] == [60, 60]


def test_simple_and_weighted_do_not_stand_together(cloud: Route53, client: Client) -> None:
    cloud.edit("add simple.example.test 30 A 192.0.2.1")
    cloud.edit("add weighted.example.test 30 A 192.0.2.1 weight=1 id=azure")
    cloud.edit("add latency.example.test 30 A 192.0.2.1 region=eu-west-1 id=azure")
    with refused("InvalidChangeBatch", "as a non-weighted set exists with the same name and type"):
        submit(client, ("CREATE", weighted("simple.example.test", "oci", 1, "192.0.2.2")))
    with refused("InvalidChangeBatch", "as other RRSets exist with the same name and type"):
        submit(client, ("CREATE", record("weighted.example.test", "A", "192.0.2.2")))
    with refused("InvalidChangeBatch", "as a non-weighted set exists with the same name and type"):
        submit(client, ("CREATE", weighted("latency.example.test", "oci", 1, "192.0.2.2")))


def test_a_simple_record_becomes_weighted_in_one_batch(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1")
    submit(client, ("DELETE", record(API, "A", "192.0.2.1")), ("CREATE", weighted(API, "azure", 1, "192.0.2.1")))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1 weight=1 id=azure"]


def test_a_cname_stands_alone(cloud: Route53, client: Client) -> None:
    cloud.edit("add a.example.test 30 A 192.0.2.1")
    cloud.edit("add c.example.test 30 CNAME a.example.test.")
    with refused("InvalidChangeBatch", "conflicts with other records"):
        submit(client, ("CREATE", record("a.example.test", "CNAME", "c.example.test.")))
    with refused("InvalidChangeBatch", "a conflicting RRSet of type  CNAME"):
        submit(client, ("CREATE", record("c.example.test", "TXT", '"text"')))
    with refused("InvalidChangeBatch", "not permitted at apex"):
        submit(client, ("CREATE", record("example.test", "CNAME", "c.example.test.")))
    with refused("InvalidChangeBatch", "more than 1 records"):
        submit(client, ("CREATE", record("d.example.test", "CNAME", "a.example.test.", "c.example.test.")))


def test_an_alias_has_neither_ttl_nor_values(client: Client) -> None:
    target = {
        "HostedZoneId": "Z35SXDOTRQ7X7K",
        "DNSName": "lb.us-east-1.elb.amazonaws.com",
        "EvaluateTargetHealth": True,
    }
    with refused(
        "InvalidInput", "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]", "more than"
    ):
        submit(client, ("CREATE", record(API, "A", "192.0.2.1", AliasTarget=target)))
    with refused("InvalidInput", "but found none"):
        submit(client, ("CREATE", {"Name": API, "Type": "A", "TTL": 30}))
    with refused("InvalidInput", "Missing field 'SetIdentifier'"):
        submit(client, ("CREATE", record(API, "A", AliasTarget=target, Weight=1)))
    with refused("InvalidInput", "but found none"):
        submit(client, ("CREATE", record(API, "A", "192.0.2.1", SetIdentifier="azure")))


def test_an_alias_points_into_the_zone_that_it_names(cloud: Route53, client: Client) -> None:
    def alias(zone: str, name: str) -> dict[str, Any]:
        target = {"HostedZoneId": zone, "DNSName": name, "EvaluateTargetHealth": False}
        return record("alias.example.test", "A", SetIdentifier="aws", Weight=1, AliasTarget=target)

    for zone, name in (("Z35SXDOTRQ7X7K", "lb.example.net"), ("ZUNKNOWN", "lb.us-east-1.elb.amazonaws.com")):
        with refused("InvalidChangeBatch", "does not lie within the target zone"):
            submit(client, ("CREATE", alias(zone, name)))
    with refused("InvalidChangeBatch", "that target was not found"):
        submit(client, ("CREATE", alias("Z1", API)))
    cloud.edit(f"add {API} 30 A 192.0.2.1")
    submit(client, ("CREATE", alias("Z1", API)))
    assert cloud.lines("alias.example.test") == [f"alias.example.test. ALIAS A Z1 {API} weight=1 id=aws"]


@pytest.mark.parametrize(
    ("rtype", "value", "problem"),
    [
        ("A", "192.0.2.256", "ARRDATAIllegalIPv4Address"),
        ("AAAA", "192.0.2.1", "AAAARRDATAIllegalIPv6Address"),
        ("CNAME", "two..dots.example.test", "DomainLabelEmpty"),
        ("TXT", "no quotes", "InvalidCharacterString"),
        ("TXT", '"one" two', "InvalidCharacterString"),
        ("TXT", '"unescaped " quote"', "InvalidCharacterString"),
        ("TXT", '"' + "x" * 256 + '"', "CharacterStringTooLong"),
        ("MX", "mail.example.test.", "MXRRDATAIllegal"),
        ("SRV", "1 2 mail.example.test.", "SRVRRDATAIllegal"),
    ],
)
def test_a_value_is_one_of_its_type(client: Client, rtype: str, value: str, problem: str) -> None:
    with refused("InvalidChangeBatch", problem):
        submit(client, ("CREATE", record("v.example.test", rtype, value)))


@pytest.mark.parametrize("value", ['"' + "x" * 255 + '"', '"a" "b"', r'"a \"quoted\" word"', '""'])
def test_text_comes_back_as_it_was_written(client: Client, value: str) -> None:
    submit(client, ("CREATE", record("v.example.test", "TXT", value)))
    listed = client.list_resource_record_sets(HostedZoneId="Z1", StartRecordName="v.example.test")["ResourceRecordSets"]
    assert listed[0]["ResourceRecords"] == [{"Value": value}]


def test_a_value_stands_once(client: Client) -> None:
    with refused("InvalidChangeBatch", "Duplicate Resource Record: '192.0.2.1'"):
        submit(client, ("CREATE", record(API, "A", "192.0.2.1", "192.0.2.1")))


def test_a_name_outside_of_the_zone_is_refused(client: Client) -> None:
    with refused("InvalidChangeBatch", "RRSet with DNS name notexample.test. is not permitted in zone example.test."):
        submit(client, ("CREATE", record("notexample.test", "A", "192.0.2.1")))


def test_the_apex_keeps_its_name_servers(cloud: Route53, client: Client) -> None:
    (apex,) = cloud.lookup("example.test", "NS")
    with refused("InvalidChangeBatch", "must contain at least one NS record"):
        submit(client, ("DELETE", record("example.test", "NS", *apex.values, ttl=172_800)))
    assert cloud.lookup("example.test", "NS") == [apex]


def test_a_protected_name_is_left_alone(cloud: Route53, client: Client) -> None:
    cloud.edit(f"add {API} 30 A 192.0.2.1")
    cloud.protect(API, "A", "owned by the network team")
    with refused("InvalidChangeBatch", "protected", "owned by the network team"):
        submit(client, ("UPSERT", record(API, "A", "192.0.2.2")))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1"]


def test_when_the_api_lies_getchange_confirms_it_and_nothing_changed(cloud: Route53) -> None:
    with serving(cloud) as endpoint, boto3_client(endpoint, KEY) as client:
        endpoint.expect(Luck.LIE, method="POST")
        change = submit(client, ("CREATE", record(API, "A", "192.0.2.1")))
        assert client.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC"
        assert cloud.lines() == []
        submit(client, ("CREATE", record(API, "A", "192.0.2.1")))
    assert cloud.lines() == [f"{API} 30 A 192.0.2.1"]


def test_a_person_edits_the_zone_past_the_rules(cloud: Route53) -> None:
    lines = [
        '\\052.example.test. 60 TXT "a, b id=c"',
        f"{API} 30 A 192.0.2.1, 192.0.2.2 weight=70 id=azure",
        f"{API} ALIAS A Z35SXDOTRQ7X7K lb.us-east-1.elb.amazonaws.com. weight=30 evaluate=yes id=aws",
    ]
    for line in lines:
        cloud.edit(f"add {line}")
    assert sorted(cloud.lines()) == sorted(lines)
    cloud.edit(f"delete {API} A id=aws")
    assert cloud.lines(API) == [lines[1]]
    cloud.edit(f"delete {API} A")
    assert cloud.lines() == [lines[0]]
    with pytest.raises(ValueError, match="no such record set"):
        cloud.edit(f"delete {API} A")
