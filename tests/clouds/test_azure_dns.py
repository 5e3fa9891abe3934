"""The rules of Azure DNS, each tried with the real azure-mgmt-dns over TLS."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import ARecord, RecordSet, Zone, ZoneUpdate
from clouds.azure import GROUP, AzureCloud
from clouds.azure_client import AzureSite, dns_client
from clouds.azure_rest import Json

ZONE = "example.test"


@pytest.fixture
def cloud() -> AzureCloud:
    return AzureCloud(zones=(ZONE, "sub.example.test"))


@pytest.fixture
def client(site: AzureSite) -> Iterator[DnsManagementClient]:
    with dns_client(site) as client:
        yield client


def addresses(*values: str, ttl: int = 30, metadata: dict[str, str] | None = None) -> Json:
    records = [{"ipv4Address": value} for value in values]
    return {"properties": {"TTL": ttl, "ARecords": records, "metadata": metadata}}


def put(client: DnsManagementClient, body: Json, name: str = "api", rtype: str = "A", **conditions: str) -> RecordSet:
    """As bytes: the SDK's models would turn 7 into "7" and refuse what the server is to refuse."""
    content = io.BytesIO(json.dumps(body).encode())
    return client.record_sets.create_or_update(GROUP, ZONE, name, rtype, content, **conditions)


def refused(client: DnsManagementClient, body: Json, name: str = "api", rtype: str = "A", **conditions: str) -> str:
    """The status and code of a refused PUT: "400 BadRequest"."""
    with pytest.raises(HttpResponseError) as caught:
        put(client, body, name, rtype, **conditions)
    assert caught.value.error is not None
    return f"{caught.value.status_code} {caught.value.error.code}"


# -- reading and writing -----------------------------------------------------------------------------------------------


def test_a_new_set_is_201_an_old_one_200(site: AzureSite, client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1"))
    put(client, addresses("192.0.2.2"))
    assert [call.status for call in site.arm.calls] == [201, 200]


def test_what_was_written_is_read_with_its_full_name(cloud: AzureCloud, client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1", "192.0.2.2"))
    found = client.record_sets.get(GROUP, ZONE, "api", "A")
    assert (found.name, found.type) == ("api", "Microsoft.Network/dnszones/A")
    assert (found.fqdn, found.ttl) == ("api.example.test.", 30)
    assert [each.ipv4_address for each in found.a_records or []] == ["192.0.2.1", "192.0.2.2"]
    assert cloud.records("api.example.test.") == [
        "api.example.test. 30 A 192.0.2.1",
        "api.example.test. 30 A 192.0.2.2",
    ]


def test_names_and_types_are_the_same_in_either_case(cloud: AzureCloud, client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1"), name="Api")
    put(client, addresses("192.0.2.2"), name="api")
    assert client.record_sets.get("DNS", "EXAMPLE.test", "API", "a").name == "Api"
    assert len(cloud.records("api.example.test.")) == 1


def test_a_set_may_be_empty_and_answers_nothing(cloud: AzureCloud, client: DnsManagementClient) -> None:
    put(client, addresses())
    assert client.record_sets.get(GROUP, ZONE, "api", "A").etag
    assert cloud.records("api.example.test.") == []


@pytest.mark.parametrize(
    ("rtype", "properties", "words"),
    [
        ("AAAA", {"AAAARecords": [{"ipv6Address": "2001:DB8:0::1"}]}, "2001:db8::1"),
        ("CNAME", {"CNAMERecord": {"cname": "east.example.net"}}, "east.example.net"),
        (
            "SRV",
            {"SRVRecords": [{"priority": 1, "weight": 2, "port": 443, "target": "a.example"}]},
            "1 2 443 a.example",
        ),
        ("TXT", {"TXTRecords": [{"value": ["v=1 owner=prod", "gen=2"]}]}, '"v=1 owner=prod" "gen=2"'),
        ("MX", {"MXRecords": [{"preference": 10, "exchange": "mx.example.net"}]}, "10 mx.example.net"),
        ("PTR", {"PTRRecords": [{"ptrdname": "a.example.net"}]}, "a.example.net"),
        ("CAA", {"caaRecords": [{"flags": 0, "tag": "issue", "value": "ca.example"}]}, "0 issue ca.example"),
        ("NS", {"NSRecords": [{"nsdname": "ns.example.net"}]}, "ns.example.net"),
    ],
)
def test_each_type_has_its_own_words(
    cloud: AzureCloud, client: DnsManagementClient, rtype: str, properties: Json, words: str
) -> None:
    put(client, {"properties": {"TTL": 60, **properties}}, rtype=rtype)
    assert cloud.records("api.example.test.") == [f"api.example.test. 60 {rtype} {words}"]


def test_metadata_is_kept_returned_and_replaced_as_a_whole(cloud: AzureCloud, client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1", metadata={"owner": "prod", "generation": "7"}))
    found = client.record_sets.get(GROUP, ZONE, "api", "A")
    assert found.metadata == {"owner": "prod", "generation": "7"}
    put(client, addresses("192.0.2.1", metadata={"owner": "test"}))
    assert cloud.metadata("api.example.test.", "A") == {"owner": "test"}
    put(client, addresses("192.0.2.1"))
    assert cloud.metadata("api.example.test.", "A") == {}


def test_a_patch_changes_only_what_it_names(cloud: AzureCloud, client: DnsManagementClient) -> None:
    before = put(client, addresses("192.0.2.1", metadata={"owner": "prod"}))
    body = RecordSet(metadata={"owner": "test"})
    after = client.record_sets.update(GROUP, ZONE, "api", "A", body, if_match=before.etag)
    assert after.etag != before.etag
    assert cloud.records("api.example.test.") == ["api.example.test. 30 A 192.0.2.1"]
    assert cloud.metadata("api.example.test.", "A") == {"owner": "test"}
    with pytest.raises(ResourceNotFoundError):
        client.record_sets.update(GROUP, ZONE, "absent", "A", body)


def test_an_alias_points_to_a_resource_and_has_no_records(client: DnsManagementClient) -> None:
    target = {"id": "/subscriptions/s/resourceGroups/dns/providers/x/y/z"}
    found = put(client, {"properties": {"TTL": 30, "targetResource": target}})
    assert found.target_resource is not None
    assert found.target_resource.id == target["id"]
    mixed = addresses("192.0.2.1")
    mixed["properties"]["targetResource"] = target
    assert refused(client, mixed) == "400 BadRequest"


# -- conditions --------------------------------------------------------------------------------------------------------


def test_the_etag_stands_in_body_and_header_and_changes_with_every_write(client: DnsManagementClient) -> None:
    headers: list[str] = []
    for _ in range(2):
        client.record_sets.create_or_update(
            GROUP, ZONE, "api", "A", RecordSet(ttl=30, a_records=[ARecord(ipv4_address="192.0.2.1")]),
            raw_response_hook=lambda answer: headers.append(answer.http_response.headers["etag"]),
        )  # fmt: skip
    assert headers[0] != headers[1]
    assert client.record_sets.get(GROUP, ZONE, "api", "A").etag == headers[1]


def test_the_current_etag_is_a_condition_that_only_one_writer_meets(
    cloud: AzureCloud, client: DnsManagementClient
) -> None:
    etag = put(client, addresses("192.0.2.1")).etag
    assert etag is not None
    put(client, addresses("192.0.2.2"), if_match=etag)
    assert refused(client, addresses("192.0.2.3"), if_match=etag) == "412 PreconditionFailed"
    assert cloud.records("api.example.test.") == ["api.example.test. 30 A 192.0.2.2"]


def test_if_none_match_creates_and_never_replaces(cloud: AzureCloud, client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1"), if_none_match="*")
    assert refused(client, addresses("192.0.2.2"), if_none_match="*") == "412 PreconditionFailed"
    assert cloud.records("api.example.test.") == ["api.example.test. 30 A 192.0.2.1"]


def test_if_match_with_a_star_replaces_and_never_creates(client: DnsManagementClient) -> None:
    assert refused(client, addresses("192.0.2.1"), if_match="*") == "412 PreconditionFailed"
    put(client, addresses("192.0.2.1"))
    put(client, addresses("192.0.2.2"), if_match="*")


def test_of_eight_rivals_with_the_same_etag_one_wins(cloud: AzureCloud, client: DnsManagementClient) -> None:
    etag = put(client, addresses("192.0.2.100")).etag
    assert etag is not None

    def attempt(number: int) -> int:
        """The status that this rival got."""
        try:
            put(client, addresses(f"192.0.2.{number}"), if_match=etag)
        except HttpResponseError as error:
            return error.status_code or 0
        return 200

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(1, 9)))
    assert sorted(statuses) == [200, *[412] * 7]
    assert cloud.records("api.example.test.") == [f"api.example.test. 30 A 192.0.2.{statuses.index(200) + 1}"]


def test_an_edit_by_hand_breaks_the_condition(cloud: AzureCloud, client: DnsManagementClient) -> None:
    etag = put(client, addresses("192.0.2.1")).etag
    assert etag is not None
    cloud.edit("add api.example.test. 30 A 192.0.2.1")  # the same again: a write all the same
    assert refused(client, addresses("192.0.2.2"), if_match=etag) == "412 PreconditionFailed"


def test_deleting_keeps_its_condition_too(site: AzureSite, cloud: AzureCloud, client: DnsManagementClient) -> None:
    etag = put(client, addresses("192.0.2.1")).etag
    with pytest.raises(HttpResponseError) as caught:
        client.record_sets.delete(GROUP, ZONE, "api", "A", if_match="00000000-0000-0000-0000-000000000000")
    assert caught.value.status_code == 412
    client.record_sets.delete(GROUP, ZONE, "api", "A", if_match=etag)
    client.record_sets.delete(GROUP, ZONE, "api", "A")
    assert [call.status for call in site.arm.calls][-2:] == [200, 204]
    assert cloud.records("api.example.test.") == []


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [0, -1, 2_147_483_648])
def test_a_ttl_out_of_range_is_refused(client: DnsManagementClient, ttl: int) -> None:
    assert refused(client, addresses("192.0.2.1", ttl=ttl)) == "400 BadRequest"


def test_the_ends_of_the_ttl_range_are_fine(client: DnsManagementClient) -> None:
    put(client, addresses("192.0.2.1", ttl=1))
    put(client, addresses("192.0.2.1", ttl=2_147_483_647))


def test_a_set_without_a_ttl_is_refused(client: DnsManagementClient) -> None:
    assert refused(client, {"properties": {"ARecords": [{"ipv4Address": "192.0.2.1"}]}}) == "400 BadRequest"


def test_twenty_values_are_taken_and_one_more_is_not(client: DnsManagementClient) -> None:
    put(client, addresses(*(f"192.0.2.{number}" for number in range(1, 21))))
    assert refused(client, addresses(*(f"192.0.2.{number}" for number in range(1, 22)))) == "400 BadRequest"


@pytest.mark.parametrize(
    ("rtype", "properties"),
    [
        ("A", {"ARecords": [{"ipv4Address": "192.0.2.256"}]}),
        ("A", {"ARecords": [{"ipv4Address": "192.0.2.1"}, {"ipv4Address": "192.0.2.1"}]}),
        ("A", {"AAAARecords": [{"ipv6Address": "2001:db8::1"}]}),
        ("A", {"ARecords": [{"ipv4Address": "192.0.2.1"}], "metadata": {"generation": 7}}),
        ("AAAA", {"AAAARecords": [{"ipv6Address": "192.0.2.1"}]}),
        ("CNAME", {"CNAMERecord": {"cname": '"quoted.example.net"'}}),
        ("SRV", {"SRVRecords": [{"priority": 1, "weight": 65_536, "port": 443, "target": "a.example"}]}),
        ("TXT", {"TXTRecords": [{"value": ["x" * 256]}]}),
        ("TXT", {"TXTRecords": [{"value": "not a list"}]}),
        ("TXT", {"TXTRecords": "not a list"}),
        ("LUA", {"ARecords": []}),
    ],
)
def test_what_is_not_valid_is_refused_and_changes_nothing(
    cloud: AzureCloud, client: DnsManagementClient, rtype: str, properties: Json
) -> None:
    assert refused(client, {"properties": {"TTL": 30, **properties}}, rtype=rtype) == "400 BadRequest"
    assert cloud.records("api.example.test.") == []


CNAME: Json = {"properties": {"TTL": 30, "CNAMERecord": {"cname": "east.example.net"}}}
TXT: Json = {"properties": {"TTL": 30, "TXTRecords": [{"value": ["v=1"]}]}}


def test_a_cname_stands_alone_at_its_name(client: DnsManagementClient) -> None:
    put(client, CNAME, name="www", rtype="CNAME")
    assert refused(client, TXT, name="www", rtype="TXT") == "409 Conflict"
    put(client, TXT, rtype="TXT")
    with pytest.raises(ResourceExistsError):
        put(client, CNAME, rtype="CNAME")


def test_a_cname_cannot_stand_at_the_zones_own_name(client: DnsManagementClient) -> None:
    assert refused(client, CNAME, name="@", rtype="CNAME") == "400 BadRequest"


def test_the_zones_own_soa_and_ns_stay(cloud: AzureCloud, client: DnsManagementClient) -> None:
    for rtype in ("SOA", "NS"):
        with pytest.raises(HttpResponseError):
            client.record_sets.delete(GROUP, ZONE, "@", rtype)
    cloud.edit("delete example.test.")
    assert {each.type for each in client.record_sets.list_by_dns_zone(GROUP, ZONE)} == {
        "Microsoft.Network/dnszones/SOA",
        "Microsoft.Network/dnszones/NS",
    }


def test_a_missing_set_and_a_missing_zone_are_told_apart(client: DnsManagementClient) -> None:
    for zone, code in ((ZONE, "NotFound"), ("absent.test", "ParentResourceNotFound")):
        with pytest.raises(ResourceNotFoundError) as caught:
            client.record_sets.get(GROUP, zone, "api", "A")
        assert caught.value.error is not None
        assert caught.value.error.code == code
    with pytest.raises(ResourceNotFoundError, match="ParentResourceNotFound"):
        client.record_sets.create_or_update(GROUP, "absent.test", "api", "A", RecordSet(ttl=30))
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        client.zones.get(GROUP, "absent.test")


# -- lists, zones and edits by hand ------------------------------------------------------------------------------------


def test_lists_come_in_pages_that_link_to_the_next(
    site: AzureSite, cloud: AzureCloud, client: DnsManagementClient
) -> None:
    cloud.edit(*(f"add n{number:03}.example.test. 30 A 192.0.2.1" for number in range(250)))
    found = [each.name for each in client.record_sets.list_by_type(GROUP, ZONE, "A")]
    assert found == [f"n{number:03}" for number in range(250)]
    assert site.arm.count("GET") == 3  # a hundred on a page
    assert len(list(client.record_sets.list_by_type(GROUP, ZONE, "A", top=30))) == 250
    assert site.arm.count("GET") == 3 + 9


def test_lists_can_be_of_every_type_and_of_one_suffix(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.edit("add a.eu.example.test. 30 A 192.0.2.1", "add b.us.example.test. 30 TXT v=1")
    assert len(list(client.record_sets.list_by_dns_zone(GROUP, ZONE))) == 4
    assert len(list(client.record_sets.list_all_by_dns_zone(GROUP, ZONE))) == 4
    found = client.record_sets.list_all_by_dns_zone(GROUP, ZONE, record_set_name_suffix="eu")
    assert [each.name for each in found] == ["a.eu"]
    only = client.record_sets.list_by_type(GROUP, ZONE, "TXT")
    assert [each.name for each in only] == ["b.us"]


def test_zones_are_listed_made_tagged_and_deleted(client: DnsManagementClient) -> None:
    assert [zone.name for zone in client.zones.list()] == [ZONE, "sub.example.test"]
    made = client.zones.create_or_update(GROUP, "new.test", Zone(location="global"), if_none_match="*")
    assert len(made.name_servers or []) == 4
    with pytest.raises(HttpResponseError) as caught:
        client.zones.create_or_update(GROUP, "new.test", Zone(location="global"), if_none_match="*")
    assert caught.value.status_code == 412
    assert client.zones.update(GROUP, "new.test", ZoneUpdate(tags={"team": "dns"})).tags == {"team": "dns"}
    client.zones.begin_delete(GROUP, "new.test").result()
    assert [zone.name for zone in client.zones.list_by_resource_group(GROUP)] == [ZONE, "sub.example.test"]


def test_edits_by_hand_read_like_a_zone_file(cloud: AzureCloud) -> None:
    cloud.edit(
        """
        add api.example.test. 30 A 192.0.2.1
        add api.example.test. 60 A 192.0.2.2
        add _failoverd.api.example.test. 30 TXT "v=1 gen=4"
        """
    )
    assert cloud.records("api.example.test.", "A") == [
        "api.example.test. 60 A 192.0.2.1",
        "api.example.test. 60 A 192.0.2.2",
    ]
    assert cloud.records("_failoverd.api.example.test.") == ['_failoverd.api.example.test. 30 TXT "v=1 gen=4"']
    cloud.edit("delete api.example.test. A 192.0.2.1", "delete _failoverd.api.example.test. TXT")
    assert cloud.records("api.example.test.") == ["api.example.test. 60 A 192.0.2.2"]
    cloud.edit("delete api.example.test. A 192.0.2.2")
    assert cloud.records("api.example.test.") == []
    with pytest.raises(ValueError, match="no edit"):
        cloud.edit("change api.example.test.")


def test_a_name_belongs_to_the_zone_nearest_to_it(cloud: AzureCloud) -> None:
    cloud.edit("add api.sub.example.test. 30 A 192.0.2.1")
    assert ("api", "A") in cloud.zone("sub.example.test.").sets
    assert cloud.records("api.sub.example.test.") == ["api.sub.example.test. 30 A 192.0.2.1"]
