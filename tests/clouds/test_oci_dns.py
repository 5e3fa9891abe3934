"""OCI DNS keeps its rules: what a PATCH means, what an ETag protects, what a record may be."""

from collections.abc import Iterator
from email.utils import formatdate

import oci  # type: ignore[import-untyped, unused-ignore]
import pytest
from clouds.oci import COMPARTMENT, OciCloud
from clouds.oci_client import dns_client, oci_serving

API = "api.example.test"
MARKER = "_failoverd.api.example.test"


@pytest.fixture
def cloud() -> OciCloud:
    cloud = OciCloud(["example.test", "other.test"], private_zones=["inside.test"])
    cloud.edit(f"add {API}. 30 A 192.0.2.1")
    cloud.edit(f"add {API}. 30 A 192.0.2.2")
    cloud.edit(f'add {MARKER}. 30 TXT "v=1 gen=7"')
    return cloud


@pytest.fixture
def client(cloud: OciCloud) -> Iterator[oci.dns.DnsClient]:
    with oci_serving(cloud) as endpoint:
        yield dns_client(endpoint.url)


def op(verb: str, **fields: object) -> oci.dns.models.RecordOperation:
    return oci.dns.models.RecordOperation(operation=verb, **fields)


def patch(client: oci.dns.DnsClient, *operations: object, **more: str) -> oci.response.Response:
    details = oci.dns.models.PatchZoneRecordsDetails(items=list(operations))
    return client.patch_zone_records("example.test", details, **more)


def refused(client: oci.dns.DnsClient, *operations: object, **more: str) -> tuple[int, str]:
    with pytest.raises(oci.exceptions.ServiceError) as caught:
        patch(client, *operations, **more)
    return caught.value.status, caught.value.code


def a(rdata: str, **more: object) -> dict[str, object]:
    return {"domain": API, "rtype": "A", "rdata": rdata, **more}


INVALID = (400, "InvalidParameter")
MISSING = (400, "MissingParameter")
UNMET = (412, "PreconditionFailed")
STALE = (412, "NoEtagMatch")


class TestOperations:
    def test_a_fenced_change_happens_at_once(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        patch(
            client,
            op("REQUIRE", domain=MARKER, rtype="TXT", rdata='"v=1 gen=7"'),
            op("REMOVE", domain=MARKER, rtype="TXT", rdata='"v=1 gen=7"'),
            op("ADD", domain=MARKER, rtype="TXT", rdata='"v=1 gen=8"', ttl=30),
            op("REMOVE", **a("192.0.2.1")),
        )
        assert cloud.records(API) == [f"{API}. 30 A 192.0.2.2"]
        assert cloud.records(MARKER) == [f'{MARKER}. 30 TXT "v=1 gen=8"']

    def test_a_stale_requirement_changes_nothing(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        version = cloud.zone(API).version
        stale = op("REQUIRE", domain=MARKER, rtype="TXT", rdata='"v=1 gen=6"')
        assert refused(client, op("REMOVE", **a("192.0.2.1")), stale) == UNMET
        assert (cloud.zone(API).version, len(cloud.records(API))) == (version, 2)

    def test_the_status_of_an_unmet_requirement_can_be_another(self) -> None:
        with oci_serving(OciCloud(unmet=(409, "Conflict"))) as endpoint:
            assert refused(dns_client(endpoint.url), op("REQUIRE", domain=API, rtype="A")) == (409, "Conflict")

    @pytest.mark.parametrize(
        "fields",
        [
            a("192.0.2.3"),
            a("192.0.2.1", ttl=31),
            a("192.0.2.1", rrset_version="1"),
            a("192.0.2.1", is_protected=True),
            a("192.0.2.1", record_hash="0"),
            {"domain": API, "rtype": "AAAA"},
            {"domain": "www.example.test"},
        ],
    )
    def test_a_requirement_checks_every_field(self, client: oci.dns.DnsClient, fields: dict[str, object]) -> None:
        assert refused(client, op("REQUIRE", **fields)) == UNMET

    def test_a_requirement_may_name_some_fields_and_read_only_ones(self, client: oci.dns.DnsClient) -> None:
        record = client.get_rr_set("example.test", API, "A").data.items[0]
        some = patch(client, op("REQUIRE", domain=API), op("REQUIRE", domain="API.Example.TEST.", rtype="a"))
        known = op("REQUIRE", record_hash=record.record_hash, rrset_version=record.rrset_version)
        assert (some.status, patch(client, known).status) == (200, 200)

    def test_a_prohibition_is_the_opposite(self, client: oci.dns.DnsClient) -> None:
        assert refused(client, op("PROHIBIT", domain=API, rtype="A")) == UNMET
        assert patch(client, op("PROHIBIT", domain=API, rtype="AAAA")).status == 200

    def test_preconditions_look_at_the_zone_before_the_changes(self, client: oci.dns.DnsClient) -> None:
        gone = op("REMOVE", **a("192.0.2.1"))
        assert patch(client, gone, op("REQUIRE", **a("192.0.2.1"))).status == 200

    def test_adding_what_is_there_and_removing_what_is_not_succeeds(
        self, cloud: OciCloud, client: oci.dns.DnsClient
    ) -> None:
        version = cloud.zone(API).version
        patch(client, op("ADD", **a("192.0.2.1", ttl=30)), op("REMOVE", **a("192.0.2.9")))
        assert cloud.zone(API).version == version

    def test_a_removal_with_another_ttl_removes_nothing_and_says_yes(
        self, cloud: OciCloud, client: oci.dns.DnsClient
    ) -> None:
        patch(client, op("REMOVE", **a("192.0.2.1", ttl=60)))
        assert len(cloud.records(API)) == 2

    def test_a_removal_without_rdata_takes_the_whole_set(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        patch(client, op("REMOVE", domain=API, rtype="A"))
        assert cloud.records(API) == []

    def test_a_removal_by_hash(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        record = client.get_rr_set("example.test", API, "A").data.items[0]
        patch(client, op("REMOVE", record_hash=record.record_hash))
        assert cloud.records(API) == [f"{API}. 30 A 192.0.2.2"]

    def test_an_addition_without_rdata_changes_the_ttl_of_the_set(
        self, cloud: OciCloud, client: oci.dns.DnsClient
    ) -> None:
        patch(client, op("ADD", domain=API, rtype="A", ttl=60))
        assert cloud.records(API) == [f"{API}. 60 A 192.0.2.1", f"{API}. 60 A 192.0.2.2"]

    def test_removing_and_adding_the_same_contradicts_itself(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        assert refused(client, op("REMOVE", domain=API, rtype="A"), op("ADD", **a("192.0.2.1", ttl=30))) == INVALID
        assert len(cloud.records(API)) == 2

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            (a("192.0.2.9"), MISSING),  # no TTL
            ({"domain": API, "rtype": "AAAA", "ttl": 30}, MISSING),  # no rdata, and no set whose TTL it could be
            (a("192.0.2.9", ttl=60), INVALID),  # the set has 30
            (a("192.0.2.9", ttl=0), INVALID),
            (a("192.0.2.999", ttl=30), INVALID),
            (a("192.0.2.9", ttl=30, record_hash="0"), INVALID),
            ({"domain": "api.example.com", "rtype": "A", "rdata": "192.0.2.9", "ttl": 30}, INVALID),
            ({"domain": API, "rtype": "WKS", "rdata": "192.0.2.9", "ttl": 30}, INVALID),
            ({"rtype": "A", "rdata": "192.0.2.9", "ttl": 30}, MISSING),
        ],
    )
    def test_an_addition_that_makes_no_record(
        self, client: oci.dns.DnsClient, fields: dict[str, object], error: object
    ) -> None:
        assert refused(client, op("ADD", **fields)) == error

    def test_an_unknown_operation_is_refused(self, client: oci.dns.DnsClient) -> None:
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.patch_zone_records("example.test", {"items": [{"operation": "REPLACE", "domain": API}]})
        assert caught.value.code == "InvalidParameter"

    def test_an_unknown_field_is_refused(self, client: oci.dns.DnsClient) -> None:
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.patch_zone_records("example.test", {"items": [{"operation": "ADD", "weight": 3}]})
        assert caught.value.code == "CannotParseRequest"

    def test_a_domain_and_a_set_lend_their_names_to_the_items(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        client.patch_rr_set("example.test", API, "A", {"items": [{"operation": "REMOVE", "rdata": "192.0.2.1"}]})
        assert cloud.records(API) == [f"{API}. 30 A 192.0.2.2"]
        with pytest.raises(oci.exceptions.ServiceError):
            client.patch_domain_records("example.test", API, {"items": [{"operation": "REMOVE", "domain": MARKER}]})
        client.patch_domain_records("example.test", API, {"items": [{"operation": "REMOVE"}]})
        assert cloud.records(API) == []


class TestRecords:
    def test_txt_comes_back_quoted_and_bare_words_are_strings(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        added = {"domain": "t.example.test", "rtype": "TXT", "ttl": 30}
        patch(client, op("ADD", **added, rdata="one two"), op("ADD", **added, rdata='"one two"'))
        assert set(cloud.served("t.example.test", "TXT")) == {'"one" "two"', '"one two"'}
        patch(client, op("REQUIRE", domain="t.example.test", rtype="TXT", rdata='one   "two"'))

    def test_names_and_addresses_come_back_in_normal_form(self, client: oci.dns.DnsClient) -> None:
        patch(client, op("ADD", domain="C.Example.test.", rtype="CNAME", rdata="Target.Example.test", ttl=30))
        patch(client, op("ADD", domain="six.example.test", rtype="AAAA", rdata="2001:DB8:0:0::1", ttl=30))
        records = {record.domain: record.rdata for record in client.get_zone_records("example.test").data.items}
        assert records["c.example.test"] == "target.example.test."
        assert records["six.example.test"] == "2001:db8::1"

    def test_a_cname_stands_alone(self, client: oci.dns.DnsClient) -> None:
        cname = {"domain": API, "rtype": "CNAME", "ttl": 30}
        assert refused(client, op("ADD", **cname, rdata="x.test.")) == (409, "Conflict")
        patch(client, op("REMOVE", domain=API, rtype="A"), op("ADD", **cname, rdata="x.test."))
        assert refused(client, op("ADD", **cname, rdata="y.test.")) == INVALID
        assert refused(client, op("ADD", **a("192.0.2.1", ttl=30))) == (409, "Conflict")

    def test_hash_version_and_protection(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        before = client.get_rr_set("example.test", API, "A").data.items
        marker = client.get_rr_set("example.test", MARKER, "TXT").data.items[0]
        patch(client, op("ADD", domain=API, rtype="A", ttl=60))
        after = client.get_rr_set("example.test", API, "A").data.items
        assert [record.record_hash for record in after] == [record.record_hash for record in before]
        assert {record.rrset_version for record in after} == {str(cloud.zone(API).version)}
        assert client.get_rr_set("example.test", MARKER, "TXT").data.items[0].rrset_version == marker.rrset_version
        apex = client.get_domain_records("example.test", "example.test").data.items
        assert {(record.rtype, record.is_protected) for record in apex} == {("NS", True), ("SOA", True)}

    def test_protected_records_cannot_be_removed(self, client: oci.dns.DnsClient) -> None:
        assert refused(client, op("REMOVE", domain="example.test", rtype="NS")) == INVALID
        with pytest.raises(oci.exceptions.ServiceError):
            client.delete_domain_records("example.test", "example.test")

    def test_a_set_is_replaced_and_an_empty_one_goes(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        client.update_rr_set("example.test", API, "A", {"items": [a("192.0.2.7", ttl=45)]})
        assert cloud.records(API) == [f"{API}. 45 A 192.0.2.7"]
        client.update_rr_set("example.test", API, "A", {"items": []})
        assert cloud.records(API) == []
        assert client.get_rr_set("example.test", API, "A").data.items == []

    def test_a_replacement_describes_records_in_full(self, client: oci.dns.DnsClient) -> None:
        for bad in (a("192.0.2.7"), {"domain": MARKER, "rtype": "A", "rdata": "192.0.2.7", "ttl": 30}):
            with pytest.raises(oci.exceptions.ServiceError) as caught:
                client.update_rr_set("example.test", API, "A", {"items": [bad]})
            assert caught.value.status == 400

    def test_a_zone_is_replaced_but_for_what_is_protected(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        client.update_zone_records("example.test", {"items": [a("192.0.2.7", ttl=45)]})
        zone = cloud.zone(API)
        assert {record.rtype for record in zone.records if record.protected} == {"NS", "SOA"}
        assert [str(record) for record in zone.records if not record.protected] == [f"{API}. 45 A 192.0.2.7"]

    def test_a_domain_is_replaced_and_a_set_deleted(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        client.update_domain_records("example.test", API, {"items": [a("192.0.2.7", ttl=45)]})
        assert client.delete_rr_set("example.test", API, "A").status == 204
        assert cloud.records(API) == []
        assert cloud.records(MARKER)

    def test_a_full_zone_takes_no_more(self) -> None:
        with oci_serving(OciCloud(record_limit=6)) as endpoint:
            client = dns_client(endpoint.url)
            patch(client, op("ADD", **a("192.0.2.1", ttl=30)))
            assert refused(client, op("ADD", **a("192.0.2.2", ttl=30))) == (400, "LimitExceeded")

    def test_a_request_may_be_too_long(self) -> None:
        with oci_serving(OciCloud(max_items=1)) as endpoint:
            assert refused(dns_client(endpoint.url), op("PROHIBIT", domain=API), op("PROHIBIT", domain=API)) == INVALID


class TestConditions:
    def test_if_match_holds_until_the_set_changes(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        etag = client.get_rr_set("example.test", API, "A").headers["etag"]
        cloud.edit("add www.example.test. 30 A 192.0.2.9")
        body = {"items": [a("192.0.2.7", ttl=30)]}
        assert client.update_rr_set("example.test", API, "A", body, if_match=etag).status == 200
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.update_rr_set("example.test", API, "A", body, if_match=etag)
        assert (caught.value.status, caught.value.code) == STALE

    def test_a_zones_etag_covers_all_of_it(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        etag = client.get_zone_records("example.test").headers["etag"]
        answer = patch(client, op("REMOVE", **a("192.0.2.1")), if_match=etag)
        assert answer.headers["etag"] != etag
        cloud.edit("delete www.example.test. A")
        assert patch(client, if_match=answer.headers["etag"]).status == 200
        cloud.edit("add www.example.test. 30 A 192.0.2.9")
        assert refused(client, if_match=answer.headers["etag"]) == STALE

    def test_the_etag_of_a_set_is_not_the_zones(self, client: oci.dns.DnsClient) -> None:
        etag = client.get_rr_set("example.test", API, "A").headers["etag"]
        assert refused(client, if_match=etag) == STALE

    def test_a_star_matches_what_exists(self, client: oci.dns.DnsClient) -> None:
        assert patch(client, if_match="*").status == 200
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.update_rr_set("example.test", "new.example.test", "A", {"items": []}, if_match="*")
        assert caught.value.status == 412

    def test_what_does_not_exist_has_no_etag(self, client: oci.dns.DnsClient) -> None:
        assert "etag" not in client.get_rr_set("example.test", "new.example.test", "A").headers

    def test_if_unmodified_since(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        now = cloud.clock()
        assert patch(client, if_unmodified_since=formatdate(now + 1, usegmt=True)).status == 200
        assert refused(client, if_unmodified_since=formatdate(now - 60, usegmt=True)) == STALE

    def test_a_known_version_is_not_sent_again(self, client: oci.dns.DnsClient) -> None:
        etag = client.get_zone_records("example.test").headers["etag"]
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.get_zone_records("example.test", if_none_match=etag)
        assert caught.value.status == 304


class TestZones:
    def test_a_zone_by_name_and_by_ocid(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        zone = client.get_zone("Example.TEST.").data
        assert client.get_zone_records(zone.id).data == client.get_zone_records("example.test").data
        assert (zone.serial, zone.version) == (cloud.zone(API).version, str(cloud.zone(API).version))
        assert (zone.scope, zone.lifecycle_state) == ("GLOBAL", "ACTIVE")

    def test_an_absent_zone(self, client: oci.dns.DnsClient) -> None:
        for name in ("absent.test", "ocid1.dns-zone.oc1..absent"):
            with pytest.raises(oci.exceptions.ServiceError) as caught:
                client.get_zone(name)
            assert (caught.value.status, caught.value.code) == (404, "NotAuthorizedOrNotFound")

    def test_a_private_zone_by_name_needs_its_view(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        zone = cloud.zone("inside.test")
        for more, status in (({}, 404), ({"scope": "PRIVATE"}, 400)):
            with pytest.raises(oci.exceptions.ServiceError) as caught:
                client.get_zone("inside.test", **more)
            assert caught.value.status == status
        assert client.get_zone("inside.test", scope="PRIVATE", view_id=zone.view).data.id == zone.id
        assert client.get_zone(zone.id).data.scope == "PRIVATE"
        with pytest.raises(oci.exceptions.ServiceError):
            client.get_zone(zone.id, scope="GLOBAL")

    def test_zones_are_listed_by_compartment(self, client: oci.dns.DnsClient) -> None:
        assert [zone.name for zone in client.list_zones(COMPARTMENT).data] == ["example.test", "other.test"]
        assert [zone.name for zone in client.list_zones(COMPARTMENT, name="other.test").data] == ["other.test"]
        assert client.list_zones("ocid1.compartment.oc1..other").data == []

    def test_records_come_in_pages(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        for number in range(1, 131):
            cloud.edit(f"add n{number}.example.test. 30 A 192.0.2.1")
        first = client.get_zone_records("example.test")
        assert (len(first.data.items), first.headers["opc-total-items"]) == (50, "138")
        sizes: list[int] = []
        page = None
        while page is not None or not sizes:
            answer = client.get_zone_records("example.test", limit=1_000, **({"page": page} if page else {}))
            sizes.append(len(answer.data.items))
            page = answer.headers.get("opc-next-page")
        assert sizes == [100, 38]
        with pytest.raises(oci.exceptions.ServiceError):
            client.get_zone_records("example.test", page="nonsense")

    def test_records_are_filtered_and_sorted(self, client: oci.dns.DnsClient) -> None:
        found = client.get_zone_records("example.test", domain=API, rtype="a", sort_by="ttl", sort_order="DESC")
        assert [record.rdata for record in found.data.items] == ["192.0.2.2", "192.0.2.1"]

    def test_a_name_outside_the_zone_is_refused(self, client: oci.dns.DnsClient) -> None:
        with pytest.raises(oci.exceptions.ServiceError) as caught:
            client.get_rr_set("example.test", "api.example.com", "A")
        assert caught.value.status == 400

    def test_an_edit_by_hand_can_delete_one_record_or_all_of_a_name(self, cloud: OciCloud) -> None:
        cloud.edit(f"delete {API}. A 192.0.2.1")
        assert cloud.records(API) == [f"{API}. 30 A 192.0.2.2"]
        cloud.edit(f"delete {API}.")
        assert cloud.records(API) == []

    def test_an_edit_of_many_lines_is_one_version(self, cloud: OciCloud) -> None:
        version = cloud.zone(API).version
        cloud.edit("""
            add new.example.test. 30 A 192.0.2.1
            add new.example.test. 60 A 192.0.2.2
            delete api.example.test.
        """)
        assert cloud.zone(API).version == version + 1
        assert cloud.records("new.example.test") == [
            "new.example.test. 60 A 192.0.2.1",
            "new.example.test. 60 A 192.0.2.2",
        ]


def test_a_thousand_names_change_in_one_request(cloud: OciCloud, client: oci.dns.DnsClient) -> None:
    cloud.edit("\n".join(f"add n{number}.example.test. 30 A 192.0.2.1" for number in range(1_000)))
    operations = []
    for number in range(1_000):
        name = {"domain": f"n{number}.example.test", "rtype": "A", "ttl": 30}
        operations += [
            op("REQUIRE", **name, rdata="192.0.2.1"),
            op("REMOVE", **name, rdata="192.0.2.1"),
            op("ADD", **name, rdata="192.0.2.2"),
        ]
    patch(client, *operations)
    assert cloud.served("n999.example.test", "A") == {"192.0.2.2": 1}
