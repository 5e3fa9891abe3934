"""The gates of the Resource Manager: tokens, roles, rations, locks, and how each says no."""

import copy
import http.client
import json
import ssl
from collections.abc import Iterator

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import ARecord, RecordSet
from clouds.azure import GROUP, SUBSCRIPTION, AzureCloud
from clouds.azure_access import Lock, Rations, Role
from clouds.azure_client import AzureSite, azure_serving, dns_client, traffic_client
from clouds.serving import Luck, WallClock

ZONE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/dnsZones/example.test"
SET = {"properties": {"TTL": 30, "ARecords": [{"ipv4Address": "192.0.2.1"}]}}


class Stopped:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cloud(clock: WallClock) -> AzureCloud:
    return AzureCloud(profiles={"api": {"east": ("east.example.net", 70)}}, clock=clock)


@pytest.fixture
def client(site: AzureSite) -> Iterator[DnsManagementClient]:
    with dns_client(site) as client:
        yield client


def write(client: DnsManagementClient, name: str = "api") -> None:
    body = RecordSet(ttl=30, a_records=[ARecord(ipv4_address="192.0.2.1")])
    client.record_sets.create_or_update(GROUP, "example.test", name, "A", body)


def read(client: DnsManagementClient) -> None:
    client.zones.get(GROUP, "example.test")


def retry_after(error: HttpResponseError) -> str:
    headers: dict[str, str] = getattr(error.response, "headers", {})
    return headers["retry-after"]


def raw(
    site: AzureSite, path: str, *, token: str | None = None, method: str = "GET", body: str | None = None
) -> tuple[int, dict[str, str], dict[str, dict[str, str]]]:
    """A request without the SDK: status, headers, JSON."""
    context = ssl.create_default_context(cafile=site.ca)
    host = site.arm.url.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, timeout=3, context=context)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}, json.loads(answer.read() or b"{}")
    connection.close()
    return answer.status, *found


def test_without_a_token_nothing_is_answered_and_the_header_says_where_to_log_in(site: AzureSite) -> None:
    status, headers, body = raw(site, f"{ZONE}?api-version=2018-05-01")
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")
    assert headers["www-authenticate"].startswith("Bearer authorization_uri=")
    assert 'error="invalid_token"' in headers["www-authenticate"]


def test_a_token_that_nobody_signed_is_invalid(site: AzureSite) -> None:
    status, _, body = raw(site, f"{ZONE}?api-version=2018-05-01", token="opaque")  # noqa: S106
    assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_token_for_something_else_is_refused(cloud: AzureCloud, site: AzureSite) -> None:
    foreign = cloud.directory.issue(audience="https://graph.microsoft.com")
    assert raw(site, f"{ZONE}?api-version=2018-05-01", token=foreign)[2]["error"]["code"].endswith("Audience")
    stranger = cloud.directory.issue(tenant="66666666-6666-4666-8666-666666666666")
    assert raw(site, f"{ZONE}?api-version=2018-05-01", token=stranger)[2]["error"]["code"].endswith("Tenant")


def test_an_expired_token_is_a_401_of_its_own_code(clock: WallClock, client: DnsManagementClient) -> None:
    read(client)
    clock.ahead = 3_700
    with pytest.raises(ClientAuthenticationError) as caught:
        read(client)
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (401, "ExpiredAuthenticationToken")


def test_a_revoked_token_is_a_401_and_a_new_login_helps(
    clock: WallClock, cloud: AzureCloud, site: AzureSite, client: DnsManagementClient
) -> None:
    read(client)
    clock.ahead = 10
    cloud.directory.revoke()
    with pytest.raises(ClientAuthenticationError):
        read(client)
    with dns_client(site) as again:
        read(again)


def test_a_missing_permission_names_the_action_and_the_scope(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.roles[:] = [Role(("Microsoft.Network/dnsZones/*/read", "Microsoft.Network/dnsZones/read"), ZONE)]
    read(client)
    with pytest.raises(HttpResponseError) as caught:
        write(client)
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")
    assert "Microsoft.Network/dnsZones/A/write" in str(caught.value)
    assert f"{ZONE}/a/api" in str(caught.value)


def test_a_role_counts_below_its_scope_only(cloud: AzureCloud, site: AzureSite, client: DnsManagementClient) -> None:
    cloud.roles[:] = [Role(("*",), ZONE)]
    write(client)
    with traffic_client(site) as traffic, pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        traffic.profiles.get(GROUP, "api")
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        list(client.zones.list())


def test_a_role_is_one_principals(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.roles[:] = [Role(("*",), ZONE, client_id="somebody")]
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        read(client)


def test_a_disabled_subscription_is_read_only(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.disabled = True
    read(client)
    with pytest.raises(ResourceExistsError, match="ReadOnlyDisabledSubscription") as caught:
        write(client)
    assert caught.value.status_code == 409
    assert cloud.records("api.example.test.") == []


def test_a_lock_against_deletion_stops_deletions_only(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.locks.append(Lock(ZONE))
    write(client)
    with pytest.raises(HttpResponseError, match="ScopeLocked") as caught:
        client.record_sets.delete(GROUP, "example.test", "api", "A")
    assert caught.value.status_code == 409
    assert cloud.records("api.example.test.") == ["api.example.test. 30 A 192.0.2.1"]


def test_a_read_only_lock_stops_every_write_below_it(cloud: AzureCloud, client: DnsManagementClient) -> None:
    cloud.locks.append(Lock(f"/subscriptions/{SUBSCRIPTION}", "ReadOnly"))
    read(client)
    with pytest.raises(HttpResponseError, match="ScopeLocked"):
        write(client)


def test_a_subscription_a_group_and_a_type_that_do_not_exist_are_told_apart(site: AzureSite) -> None:
    elsewhere = "77777777-7777-4777-8777-777777777777"
    with dns_client(site, subscription=elsewhere) as client, pytest.raises(ResourceNotFoundError) as caught:
        read(client)
    assert "SubscriptionNotFound" in str(caught.value)
    with dns_client(site) as client, pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
        client.zones.get("nowhere", "example.test")
    token = site.cloud.directory.issue()
    other = ZONE.replace("dnsZones", "loadBalancers")
    assert raw(site, f"{other}?api-version=2018-05-01", token=token)[2]["error"]["code"] == "InvalidResourceType"


def test_the_api_version_is_asked_for_and_checked(site: AzureSite) -> None:
    token = site.cloud.directory.issue()
    assert raw(site, ZONE, token=token)[2]["error"]["code"] == "MissingApiVersionParameter"
    status, _, body = raw(site, f"{ZONE}?api-version=2099-01-01", token=token)
    assert (status, body["error"]["code"]) == (400, "NoRegisteredProviderFound")


def test_a_body_that_is_no_json_is_refused(site: AzureSite) -> None:
    token = site.cloud.directory.issue()
    path = f"{ZONE}/A/api?api-version=2018-05-01"
    status, _, body = raw(site, path, token=token, method="PUT", body="{")
    assert (status, body["error"]["code"]) == (400, "InvalidRequestContent")


def test_writes_are_rationed_and_the_bucket_fills_again() -> None:
    clock = Stopped()
    cloud = AzureCloud(rations=Rations(writes=(10, 3), reads=(25, 5)), clock=clock)
    with azure_serving(cloud) as site, dns_client(site) as client:
        for _ in range(3):
            write(client)
        with pytest.raises(HttpResponseError) as caught:
            write(client)
        assert caught.value.error is not None
        assert (caught.value.status_code, caught.value.error.code) == (429, "SubscriptionRequestsThrottled")
        assert retry_after(caught.value) == "1"
        read(client)  # reads have a bucket of their own
        clock.now += 0.125  # one token at ten a second, and a quarter
        write(client)
        with pytest.raises(HttpResponseError, match="SubscriptionRequestsThrottled"):
            write(client)


def test_the_documented_rations_are_200_writes_and_250_reads_at_once() -> None:
    clock = Stopped()
    cloud = AzureCloud(rations=Rations(), clock=clock)
    with azure_serving(cloud) as site:
        token = cloud.directory.issue()
        _, headers, _ = raw(site, f"{ZONE}?api-version=2018-05-01", token=token)
        assert headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
        body = json.dumps(SET)
        path = f"{ZONE}/A/api?api-version=2018-05-01"
        assert raw(site, path, token=token, method="PUT", body=body)[1][
            "x-ms-ratelimit-remaining-subscription-writes"
        ] == "199"  # fmt: skip


def test_ordered_throttling_says_what_it_was_told_to(site: AzureSite, client: DnsManagementClient) -> None:
    site.arm.expect(Luck.THROTTLE, method="PUT", retry_after=12)
    with pytest.raises(HttpResponseError) as caught:
        write(client)
    assert caught.value.status_code == 429
    assert retry_after(caught.value) == "12"


def test_an_internal_error_is_said_in_azures_words(site: AzureSite, client: DnsManagementClient) -> None:
    site.arm.expect(Luck.ERROR, method="PUT")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        write(client)


def test_an_api_that_lies_answers_like_a_success_and_does_nothing(
    cloud: AzureCloud, site: AzureSite, client: DnsManagementClient
) -> None:
    site.arm.expect(Luck.LIE, method="PUT")
    write(client)
    assert cloud.records("api.example.test.") == []


def test_a_connection_that_ends_after_the_effect_leaves_the_effect(
    cloud: AzureCloud, site: AzureSite, client: DnsManagementClient
) -> None:
    site.arm.expect(Luck.DROP_AFTER, method="PUT")
    with pytest.raises(ServiceResponseError):
        write(client)
    assert cloud.records("api.example.test.") == ["api.example.test. 30 A 192.0.2.1"]
    assert site.arm.count("PUT") == 1


def test_a_copy_of_the_cloud_shares_nothing_with_it(cloud: AzureCloud) -> None:
    twin = copy.deepcopy(cloud)
    twin.edit("add api.example.test. 30 A 192.0.2.9")
    twin.edit_endpoint("api", "east", weight=9)
    assert cloud.records("api.example.test.") == []
    assert cloud.weights("api") == {"east.example.net": 70}
