"""Who may ask, and how OCI says no."""

import http.client
from collections.abc import Iterator

import oci  # type: ignore[import-untyped, unused-ignore]
import pytest
from clouds.oci import COMPARTMENT, OciCloud
from clouds.oci_client import config, dns_client, fingerprint, oci_serving
from clouds.serving import Endpoint, Luck, WallClock

ZONES = "/20180115/zones?compartmentId=" + COMPARTMENT


@pytest.fixture
def cloud(clock: WallClock) -> OciCloud:
    return OciCloud(clock=clock)


@pytest.fixture
def endpoint(cloud: OciCloud) -> Iterator[Endpoint]:
    with oci_serving(cloud) as endpoint:
        yield endpoint


def refusal(endpoint: Endpoint, **instead: str) -> oci.exceptions.ServiceError:
    with pytest.raises(oci.exceptions.ServiceError) as caught:
        dns_client(endpoint.url, **instead).get_zone("example.test")
    return caught.value


def signed(endpoint: Endpoint, method: str, path: str, body: str | None = None) -> oci._vendor.requests.PreparedRequest:
    """A request as the SDK signs it, not yet sent."""
    client = dns_client(endpoint.url)
    requests = oci._vendor.requests
    return requests.Request(method, endpoint.url + path, data=body, auth=client.base_client.signer).prepare()


def status(endpoint: Endpoint, request: oci._vendor.requests.PreparedRequest, body: str | None = None) -> int:
    connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=3)
    connection.request(request.method, request.path_url, body or request.body, dict(request.headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_a_signed_request_is_answered_with_a_request_id_that_begins_with_the_clients(endpoint: Endpoint) -> None:
    answer = dns_client(endpoint.url).get_zone("example.test", opc_request_id="mine")
    assert answer.data.name == "example.test"
    assert answer.headers["opc-request-id"].startswith("mine/")


@pytest.mark.parametrize(
    "instead",
    [
        {"fingerprint": ":".join(["00"] * 16)},
        {"user": "ocid1.user.oc1..somebody"},
        {"tenancy": "ocid1.tenancy.oc1..elsewhere"},
    ],
)
def test_an_unknown_key_user_or_tenancy_is_not_authenticated(endpoint: Endpoint, instead: dict[str, str]) -> None:
    error = refusal(endpoint, **instead)
    assert (error.status, error.code) == (401, "NotAuthenticated")
    assert error.request_id


def test_a_revoked_key_is_not_authenticated(cloud: OciCloud, endpoint: Endpoint) -> None:
    del cloud.user.keys[fingerprint()]
    assert refusal(endpoint).status == 401


def test_a_deactivated_user_is_not_authenticated(cloud: OciCloud, endpoint: Endpoint) -> None:
    cloud.user.active = False
    assert refusal(endpoint).code == "NotAuthenticated"


def test_a_suspended_tenancy_finds_nothing(cloud: OciCloud, endpoint: Endpoint) -> None:
    cloud.tenancy.active = False
    error = refusal(endpoint)
    assert (error.status, error.code) == (404, "NotAuthorizedOrNotFound")


@pytest.mark.parametrize("ahead", [310, -310])
def test_more_than_five_minutes_of_skew_are_refused_by_name(clock: WallClock, endpoint: Endpoint, ahead: int) -> None:
    clock.ahead = ahead
    error = refusal(endpoint)
    assert error.code == "NotAuthenticated"
    assert "clock skew" in error.message


def test_less_than_five_minutes_of_skew_are_fine(clock: WallClock, endpoint: Endpoint) -> None:
    clock.ahead = 290
    assert dns_client(endpoint.url).get_zone("example.test").status == 200


def test_a_changed_body_breaks_the_signature(endpoint: Endpoint) -> None:
    request = signed(endpoint, "PATCH", "/20180115/zones/example.test/records", '{"items": []}')
    assert status(endpoint, request) == 200
    assert status(endpoint, request, '{"items":[ ]}') == 401


def test_a_changed_path_breaks_the_signature(endpoint: Endpoint) -> None:
    request = signed(endpoint, "GET", ZONES)
    assert status(endpoint, request) == 200
    request.url = request.url.replace(COMPARTMENT, COMPARTMENT + "x")
    assert status(endpoint, request) == 401


def test_a_body_that_the_signature_does_not_cover_is_refused(endpoint: Endpoint) -> None:
    request = signed(endpoint, "GET", ZONES)
    request.method = "PUT"
    assert status(endpoint, request, "{}") == 401


def test_no_signature_at_all_is_refused(endpoint: Endpoint) -> None:
    request = signed(endpoint, "GET", ZONES)
    del request.headers["authorization"]
    assert status(endpoint, request) == 401


def test_a_missing_permission_looks_like_a_missing_zone(cloud: OciCloud, endpoint: Endpoint) -> None:
    with pytest.raises(oci.exceptions.ServiceError) as absent:
        dns_client(endpoint.url).get_zone("absent.test")
    cloud.user.denied.add("DNS_ZONE_READ")
    error = refusal(endpoint)
    assert (error.status, error.code) == (404, "NotAuthorizedOrNotFound")
    assert error.message == absent.value.message


def test_requests_above_the_rate_are_refused_without_a_retry_after() -> None:
    with oci_serving(OciCloud(rate=0.001, burst=2)) as endpoint:
        client = dns_client(endpoint.url)
        assert [client.get_zone("example.test").status for _ in range(2)] == [200, 200]
        error = refusal(endpoint)
        assert (error.status, error.code) == (429, "TooManyRequests")
        assert "retry-after" not in error.headers


def test_throttling_can_say_how_long(endpoint: Endpoint) -> None:
    endpoint.expect(Luck.THROTTLE, retry_after=7)
    assert refusal(endpoint).headers["retry-after"] == "7"


def test_an_internal_error_has_a_request_id(endpoint: Endpoint) -> None:
    endpoint.expect(Luck.ERROR)
    error = refusal(endpoint)
    assert (error.status, error.code) == (500, "InternalServerError")
    assert error.request_id


def test_a_lie_changes_nothing(cloud: OciCloud, endpoint: Endpoint) -> None:
    endpoint.expect(Luck.LIE, method="PATCH")
    item = {"operation": "ADD", "domain": "a.example.test", "rtype": "A", "ttl": 30, "rdata": "192.0.2.1"}
    answer = dns_client(endpoint.url).patch_zone_records("example.test", {"items": [item]})
    assert answer.status == 200
    assert cloud.records("a.example.test") == []


def test_a_lost_answer_has_its_effect(cloud: OciCloud, endpoint: Endpoint) -> None:
    endpoint.expect(Luck.DROP_AFTER, method="PATCH")
    item = {"operation": "ADD", "domain": "a.example.test", "rtype": "A", "ttl": 30, "rdata": "192.0.2.1"}
    with pytest.raises(oci.exceptions.RequestException):
        dns_client(endpoint.url).patch_zone_records("example.test", {"items": [item]})
    assert cloud.records("a.example.test") == ["a.example.test. 30 A 192.0.2.1"]


def test_paths_and_methods_that_do_not_exist(endpoint: Endpoint) -> None:
    assert status(endpoint, signed(endpoint, "GET", "/20180115/nothing")) == 404
    assert status(endpoint, signed(endpoint, "DELETE", "/20180115/zones")) == 405


def test_twelve_failures_open_no_circuit(endpoint: Endpoint) -> None:
    client = dns_client(endpoint.url)
    endpoint.expect(Luck.ERROR, times=12)
    for _ in range(12):
        with pytest.raises(oci.exceptions.ServiceError):
            client.get_zone("example.test")
    assert client.get_zone("example.test").status == 200


def test_the_configuration_is_one_that_the_sdk_accepts() -> None:
    oci.config.validate_config(config())
