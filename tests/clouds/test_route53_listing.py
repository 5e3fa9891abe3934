"""What a reader of the zone sees: order, pages, names, and the AWS command line as a second pair of eyes."""

import subprocess
from collections.abc import Iterator

import pytest
from clouds.route53 import Route53
from clouds.route53_clients import Client, aws_cli, boto3_client, record, refused, submit
from clouds.serving import Endpoint, serving
from clouds.sigv4 import AccessKey

KEY = AccessKey("AKIALOCALEXAMPLE", "a secret for tests")
ZONES = {"Z1": "example.test", "Z2": "a.example.net", "Z3": "example.net", "Z4": "example.net"}


@pytest.fixture
def cloud() -> Route53:
    return Route53(ZONES, [KEY])


@pytest.fixture
def endpoint(cloud: Route53) -> Iterator[Endpoint]:
    with serving(cloud) as endpoint:
        yield endpoint


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Client]:
    with boto3_client(endpoint, KEY) as client:
        yield client


def keys(client: Client, **start: object) -> list[tuple[str, str, str | None]]:
    found = client.list_resource_record_sets(HostedZoneId="Z1", **start)["ResourceRecordSets"]
    return [(each["Name"], each["Type"], each.get("SetIdentifier")) for each in found]


def test_records_are_sorted_by_reversed_labels_then_type_then_identifier(cloud: Route53, client: Client) -> None:
    for line in (
        "b.example.test 30 A 192.0.2.1",
        "x.a.example.test 30 A 192.0.2.1",
        'a.example.test 30 TXT "text"',
        "a.example.test 30 A 192.0.2.1 weight=1 id=oci",
        "a.example.test 30 A 192.0.2.1 weight=1 id=azure",
        "a-b.example.test 30 A 192.0.2.1",
        "*.example.test 30 A 192.0.2.1",
    ):
        cloud.edit(f"add {line}")
    assert keys(client) == [
        ("example.test.", "NS", None),
        ("example.test.", "SOA", None),
        ("\\052.example.test.", "A", None),  # sorted as it is written: a backslash is before every letter
        ("a-b.example.test.", "A", None),  # a hyphen is before the dot that ends a label
        ("a.example.test.", "A", "azure"),
        ("a.example.test.", "A", "oci"),
        ("a.example.test.", "TXT", None),
        ("x.a.example.test.", "A", None),
        ("b.example.test.", "A", None),
    ]


def test_pages_break_in_the_middle_of_a_name(cloud: Route53, client: Client) -> None:
    for number in range(7):
        cloud.edit(f"add api.example.test 30 A 192.0.2.{number} weight=1 id=s{number}")
    seen, start = [], dict[str, object]()
    for _ in range(3):
        page = client.list_resource_record_sets(HostedZoneId="Z1", MaxItems="3", **start)
        seen += [each.get("SetIdentifier", each["Type"]) for each in page["ResourceRecordSets"]]
        start = {
            f"Start{field}": page[f"Next{field}"]
            for field in ("RecordName", "RecordType", "RecordIdentifier")
            if f"Next{field}" in page
        }
        assert page["IsTruncated"] is bool(start)
    assert seen == ["NS", "SOA", "s0", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert start == {}


def test_a_page_has_at_most_300_records(cloud: Route53, client: Client) -> None:
    for number in range(299):
        cloud.edit(f"add h{number:03d}.example.test 30 A 192.0.2.1")
    for asked in ({}, {"MaxItems": "1000"}):
        page = client.list_resource_record_sets(HostedZoneId="Z1", **asked)
        assert (len(page["ResourceRecordSets"]), page["MaxItems"]) == (300, "300")
        assert page["NextRecordName"] == "h298.example.test."


def test_a_listing_starts_where_it_is_asked_to(cloud: Route53, client: Client) -> None:
    cloud.edit("add b.example.test 30 A 192.0.2.1")
    cloud.edit('add b.example.test 30 TXT "text"')
    assert keys(client, StartRecordName="B.example.test")[0] == ("b.example.test.", "A", None)
    assert keys(client, StartRecordName="b.example.test", StartRecordType="AAAA")[0][1] == "TXT"
    assert keys(client, StartRecordName="c.example.test") == []
    with refused("InvalidInput"):
        keys(client, StartRecordType="A")
    with refused("InvalidInput"):
        keys(client, StartRecordName="b.example.test", StartRecordIdentifier="azure")
    with refused("InvalidInput"):
        keys(client, MaxItems="0")


def test_names_come_back_in_lower_case_and_escaped(cloud: Route53, client: Client) -> None:
    submit(client, ("CREATE", record("*.A_b.Example.Test", "A", "192.0.2.1")))
    assert keys(client, StartRecordName="\\052.a_b.example.test.") == [("\\052.a_b.example.test.", "A", None)]
    submit(client, ("DELETE", record("\\052.a_b.example.test.", "A", "192.0.2.1")))
    assert cloud.lines() == []


def test_zones_are_found_by_name(client: Client) -> None:
    found = client.list_hosted_zones_by_name(DNSName="example.net", MaxItems="2")
    assert [zone["Id"] for zone in found["HostedZones"]] == ["/hostedzone/Z3", "/hostedzone/Z4"]
    assert (found["NextDNSName"], found["NextHostedZoneId"]) == ("a.example.net.", "Z2")
    rest = client.list_hosted_zones_by_name(DNSName="a.example.net.", HostedZoneId="Z2")
    assert [zone["Name"] for zone in rest["HostedZones"]] == ["a.example.net.", "example.test."]
    with refused("InvalidDomainName"):
        client.list_hosted_zones_by_name(DNSName="a..example.net")


def test_zones_are_listed_in_pages(client: Client) -> None:
    first = client.list_hosted_zones(MaxItems="3")
    second = client.list_hosted_zones(Marker=first["NextMarker"], MaxItems="3")
    found = [zone["Id"] for page in (first, second) for zone in page["HostedZones"]]
    assert found == [f"/hostedzone/{zone_id}" for zone_id in ZONES]
    assert "NextMarker" not in second


def test_one_zone_with_its_name_servers(client: Client) -> None:
    found = client.get_hosted_zone(Id="/hostedzone/Z1")
    assert found["HostedZone"]["Name"] == "example.test."
    assert found["HostedZone"]["ResourceRecordSetCount"] == 2
    assert len(found["DelegationSet"]["NameServers"]) == 4


def test_a_zone_that_is_not_there(client: Client) -> None:
    with refused("NoSuchHostedZone", "No hosted zone found with ID: ZNONE"):
        client.list_resource_record_sets(HostedZoneId="ZNONE")
    with refused("NoSuchHostedZone"):
        submit(client, ("CREATE", record("a.example.test", "A", "192.0.2.1")), zone="ZNONE")
    with refused("InvalidInput"):
        client.get_hosted_zone(Id="Z" * 33)


def test_the_command_line_reads_what_the_sdk_wrote(cloud: Route53, endpoint: Endpoint, client: Client) -> None:
    target = {
        "HostedZoneId": "Z35SXDOTRQ7X7K",
        "DNSName": "lb.us-east-1.elb.amazonaws.com.",
        "EvaluateTargetHealth": True,
    }
    plain = record("api.example.test.", "A", "192.0.2.1", SetIdentifier="azure", Weight=70)
    alias = record("api.example.test.", "A", SetIdentifier="aws", Weight=30, AliasTarget=target)
    marker = record("_failoverd.api.example.test.", "TXT", '"v=1 gen=1"', ttl=0)
    submit(client, *(("CREATE", each) for each in (plain, alias, marker)))
    read = aws_cli(endpoint, KEY, "list-resource-record-sets", "--hosted-zone-id", "Z1", "--page-size", "2")
    assert read["ResourceRecordSets"][2:] == [alias, plain, marker]
    assert len(cloud.lines()) == 3


def test_the_command_line_writes_and_waits(cloud: Route53, endpoint: Endpoint) -> None:
    batch = (
        '{"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": "cli.example.test", "Type": "A", "TTL": 5, '
        '"ResourceRecords": [{"Value": "192.0.2.1"}]}}]}'
    )
    words = ("change-resource-record-sets", "--hosted-zone-id", "/hostedzone/Z1", "--change-batch", batch)
    change = aws_cli(endpoint, KEY, *words)["ChangeInfo"]
    assert change["Status"] == "PENDING"
    assert aws_cli(endpoint, KEY, "get-change", "--id", change["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert cloud.lines() == ["cli.example.test. 5 A 192.0.2.1"]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        aws_cli(endpoint, KEY, *(word.replace("UPSERT", "CREATE") for word in words))
    assert "(InvalidChangeBatch)" in str(failed.value.stderr)
