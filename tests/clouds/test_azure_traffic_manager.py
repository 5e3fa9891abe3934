"""The rules of Traffic Manager, each tried with the real azure-mgmt-trafficmanager over TLS."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from azure.mgmt.trafficmanager.models import Endpoint, Profile
from clouds.azure import GROUP, SUBSCRIPTION, AzureCloud
from clouds.azure_client import AzureSite, traffic_client
from clouds.azure_rest import Json

EXTERNAL = "ExternalEndpoints"
EAST, WEST = "east.example.net", "west.example.net"


@pytest.fixture
def cloud() -> AzureCloud:
    return AzureCloud(profiles={"api": {"east": (EAST, 70), "west": (WEST, 30)}})


@pytest.fixture
def client(site: AzureSite) -> Iterator[TrafficManagerManagementClient]:
    with traffic_client(site) as client:
        yield client


def update(client: TrafficManagerManagementClient, endpoint: str = "east", **properties: object) -> Json:
    """A PATCH of an endpoint; what it answers, as JSON."""
    body: Json = {"properties": properties}
    return client.endpoints.update(GROUP, "api", EXTERNAL, endpoint, Endpoint(body)).as_dict()


def create(client: TrafficManagerManagementClient, name: str, profile: str = "api", **properties: object) -> Json:
    body: Json = {"properties": properties}
    return client.endpoints.create_or_update(GROUP, profile, EXTERNAL, name, Endpoint(body)).as_dict()


def body_of(name: str, *endpoints: Json, **properties: object) -> Json:
    """A profile to PUT."""
    return {
        "location": "global",
        "tags": {"team": "dns"},
        "properties": {
            "trafficRoutingMethod": "Weighted",
            "dnsConfig": {"relativeName": name, "ttl": 30},
            "monitorConfig": {"protocol": "HTTPS", "port": 443, "path": "/health"},
            "endpoints": list(endpoints),
            **properties,
        },
    }


def external(name: str, target: str, **properties: object) -> Json:
    return {"name": name, "type": "externalEndpoints", "properties": {"target": target, **properties}}


def refuses_profile(client: TrafficManagerManagementClient, body: Json, name: str = "new") -> str:
    with pytest.raises(HttpResponseError) as caught:
        client.profiles.create_or_update(GROUP, name, Profile(body))
    assert caught.value.error is not None
    return f"{caught.value.status_code} {caught.value.error.code}"


# -- endpoints ---------------------------------------------------------------------------------------------------------


def test_a_weight_is_changed_alone(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    answered = update(client, weight=5)
    assert answered["properties"]["weight"] == 5
    assert answered["properties"]["target"] == EAST
    assert cloud.weights("api") == {EAST: 5, WEST: 30}


@pytest.mark.parametrize("weight", [0, -1, 1_001, 1.5, "ten"])
def test_a_weight_that_does_not_exist_is_refused(
    cloud: AzureCloud, client: TrafficManagerManagementClient, weight: object
) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest") as caught:
        update(client, weight=weight)
    assert caught.value.status_code == 400
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_the_ends_of_the_weight_range_are_fine(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    update(client, weight=1)
    update(client, "west", weight=1_000)
    assert cloud.weights("api") == {EAST: 1, WEST: 1_000}


def test_a_disabled_endpoint_is_drained_and_keeps_its_weight(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    answered = update(client, endpointStatus="Disabled")
    assert answered["properties"]["endpointMonitorStatus"] == "Disabled"
    assert cloud.weights("api") == {WEST: 30}
    update(client, endpointStatus="Enabled")
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_a_status_is_enabled_or_disabled(client: TrafficManagerManagementClient) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest"):
        update(client, endpointStatus="Draining")


def test_a_new_endpoint_is_201_an_old_one_200_and_deleting_is_200_then_204(
    site: AzureSite, cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    made = create(client, "north", target="north.example.net")
    assert (made["properties"]["weight"], made["properties"]["priority"]) == (1, 3)
    assert made["type"] == "Microsoft.Network/trafficManagerProfiles/externalEndpoints"
    create(client, "north", target="north.example.net", weight=9)
    client.endpoints.delete(GROUP, "api", EXTERNAL, "north")
    client.endpoints.delete(GROUP, "api", EXTERNAL, "north")
    assert [call.status for call in site.arm.calls] == [201, 200, 200, 204]
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_a_put_of_an_endpoint_says_all_of_it(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    create(client, "east", target=EAST)
    assert cloud.weights("api") == {EAST: 1, WEST: 30}


def test_two_endpoints_with_one_target_are_refused(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest"):
        create(client, "again", target=EAST.upper())
    with pytest.raises(HttpResponseError, match="BadRequest"):
        update(client, target=WEST)
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_addresses_and_names_do_not_mix(client: TrafficManagerManagementClient) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest"):
        create(client, "north", target="192.0.2.1")


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"target": "no name"},
        {"target": "north.example.net", "targetResourceId": "/subscriptions/s"},
        {"target": "north.example.net", "priority": 1},
        {"target": "north.example.net", "priority": 1_001},
        {"target": "north.example.net", "alwaysServe": "Perhaps"},
    ],
)
def test_an_endpoint_that_is_not_valid_is_refused(client: TrafficManagerManagementClient, properties: Json) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest"):
        create(client, "north", **properties)


def test_the_type_of_body_and_path_must_agree(client: TrafficManagerManagementClient) -> None:
    body: Json = {"type": "Microsoft.Network/trafficManagerProfiles/azureEndpoints", "properties": {"weight": 2}}
    with pytest.raises(HttpResponseError, match="BadRequest"):
        client.endpoints.update(GROUP, "api", EXTERNAL, "east", Endpoint(body))


def test_a_missing_endpoint_and_a_missing_profile_are_told_apart(client: TrafficManagerManagementClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        update(client, "absent", weight=2)
    with pytest.raises(ResourceNotFoundError, match="ParentResourceNotFound"):
        client.endpoints.update(GROUP, "absent", EXTERNAL, "east", Endpoint({"properties": {"weight": 2}}))
    with pytest.raises(ResourceNotFoundError) as caught:
        client.profiles.get(GROUP, "absent")
    assert caught.value.error is not None
    assert caught.value.error.code == "ResourceNotFound"


def test_an_azure_endpoint_points_to_a_resource_that_exists(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    resource = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dns/providers/Microsoft.Network/publicIPAddresses/ip"
    body: Json = {"properties": {"targetResourceId": resource, "weight": 10}}
    with pytest.raises(HttpResponseError, match="BadRequest"):
        client.endpoints.create_or_update(GROUP, "api", "AzureEndpoints", "north", Endpoint(body))
    cloud.traffic.resources[resource.lower()] = "ip.eastus.cloudapp.azure.com"
    made = client.endpoints.create_or_update(GROUP, "api", "AzureEndpoints", "north", Endpoint(body))
    assert made.properties is not None
    assert made.properties.target == "ip.eastus.cloudapp.azure.com"


def test_a_nested_endpoint_points_to_another_profile(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    child = cloud.add_profile("child", {"one": ("one.example.net", 1)})
    properties: Json = {"targetResourceId": child.id, "minChildEndpoints": 1}
    made = client.endpoints.create_or_update(
        GROUP, "api", "NestedEndpoints", "child", Endpoint({"properties": properties})
    )
    assert made.properties is not None
    assert made.properties.target == "child.trafficmanager.net"
    own = cloud.profile("api").id
    for wrong in ({"targetResourceId": child.id}, {"targetResourceId": own, "minChildEndpoints": 1}):
        with pytest.raises(HttpResponseError, match="BadRequest"):
            client.endpoints.create_or_update(GROUP, "api", "NestedEndpoints", "other", Endpoint({"properties": wrong}))


# -- profiles ----------------------------------------------------------------------------------------------------------


def test_a_new_profile_is_201_and_answers_with_its_full_name(
    site: AzureSite, client: TrafficManagerManagementClient
) -> None:
    made = client.profiles.create_or_update(GROUP, "new", Profile(body_of("new", external("east", EAST, weight=3))))
    client.profiles.create_or_update(GROUP, "new", Profile(body_of("new", external("east", EAST, weight=4))))
    assert [call.status for call in site.arm.calls] == [201, 200]
    assert made.properties is not None
    assert made.properties.dns_config is not None
    assert made.properties.dns_config.fqdn == "new.trafficmanager.net"
    assert made.tags == {"team": "dns"}


def test_there_is_no_etag_anywhere(client: TrafficManagerManagementClient) -> None:
    seen: list[str] = []
    profile = client.profiles.get(
        GROUP, "api", raw_response_hook=lambda answer: seen.extend(answer.http_response.headers)
    )
    assert "etag" not in [name.lower() for name in seen]
    assert "etag" not in profile.as_dict()


def test_a_put_of_a_profile_removes_the_endpoints_that_it_leaves_out(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    client.profiles.create_or_update(GROUP, "api", Profile(body_of("api", external("east", EAST, weight=3))))
    assert cloud.weights("api") == {EAST: 3}


def test_a_patch_replaces_tags_as_a_whole_and_leaves_the_endpoints(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    client.profiles.update(GROUP, "api", Profile({"tags": {"generation": "1", "owner": "prod"}}))
    client.profiles.update(GROUP, "api", Profile({"tags": {"generation": "2"}}))
    assert cloud.profile("api").tags == {"generation": "2"}
    client.profiles.update(GROUP, "api", Profile({"properties": {"dnsConfig": {"relativeName": "api", "ttl": 60}}}))
    profile = cloud.profile("api")
    assert profile.tags == {"generation": "2"}
    assert profile.properties["dnsConfig"]["ttl"] == 60
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


@pytest.mark.parametrize(
    "properties", [{"dnsConfig": {"ttl": 60}}, {"endpoints": [external("east", EAST, weight=1)]}], ids=str
)
def test_a_patch_says_its_dns_settings_as_a_whole_and_no_endpoints(
    cloud: AzureCloud, client: TrafficManagerManagementClient, properties: Json
) -> None:
    with pytest.raises(HttpResponseError, match="BadRequest"):
        client.profiles.update(GROUP, "api", Profile({"properties": properties}))
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_a_patch_that_is_refused_changes_nothing(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    properties = {"dnsConfig": {"relativeName": "api", "ttl": -1}}
    with pytest.raises(HttpResponseError, match="BadRequest"):
        client.profiles.update(GROUP, "api", Profile({"tags": {"generation": "9"}, "properties": properties}))
    assert cloud.profile("api").tags == {}
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_a_domain_name_is_taken_once_and_for_good(client: TrafficManagerManagementClient) -> None:
    assert refuses_profile(client, body_of("api")) == "409 Conflict"
    with pytest.raises(HttpResponseError, match="BadRequest"):
        client.profiles.update(
            GROUP, "api", Profile({"properties": {"dnsConfig": {"relativeName": "other", "ttl": 30}}})
        )


@pytest.mark.parametrize(
    "properties",
    [
        {"trafficRoutingMethod": "RoundRobin"},
        {"trafficRoutingMethod": "MultiValue"},
        {"profileStatus": "Paused"},
        {"dnsConfig": {"relativeName": "new", "ttl": -1}},
        {"dnsConfig": {"ttl": 30}},
        {"monitorConfig": {"protocol": "HTTPS", "port": 443}},
        {"monitorConfig": {"protocol": "TCP", "port": 443, "path": "/"}},
        {"monitorConfig": {"protocol": "TCP", "port": 443, "intervalInSeconds": 20}},
        {"monitorConfig": {"protocol": "TCP", "port": 443, "intervalInSeconds": 10, "timeoutInSeconds": 10}},
        {"monitorConfig": {"protocol": "TCP", "port": 443, "toleratedNumberOfFailures": 10}},
        {"endpoints": [external("one", EAST), external("two", EAST)]},
        {"endpoints": [external("one", EAST), external("one", WEST)]},
        {"endpoints": [external("one", EAST, priority=1), external("two", WEST)]},
        {"endpoints": [external("one", EAST, priority=1), external("two", WEST, priority=1)]},
        {"endpoints": [external("one", EAST), external("two", "192.0.2.1")]},
        {"endpoints": [external("one", "192.0.2.1"), external("two", "2001:db8::1")]},
        {"endpoints": [external(f"e{number}", f"e{number}.example.net") for number in range(201)]},
    ],
)
def test_a_profile_that_is_not_valid_is_refused(
    cloud: AzureCloud, client: TrafficManagerManagementClient, properties: Json
) -> None:
    assert refuses_profile(client, body_of("new", **properties)) == "400 BadRequest"
    assert ("dns", "new") not in cloud.traffic.profiles


def test_a_multi_value_profile_answers_with_addresses_of_both_families(client: TrafficManagerManagementClient) -> None:
    endpoints = [external("four", "192.0.2.1"), external("six", "2001:db8::1")]
    body = body_of("new", *endpoints, trafficRoutingMethod="MultiValue", maxReturn=2)
    client.profiles.create_or_update(GROUP, "new", Profile(body))
    assert refuses_profile(client, body_of("b", external("n", EAST), trafficRoutingMethod="MultiValue", maxReturn=2))


def test_profiles_are_listed_by_group_and_subscription_and_deleted(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    cloud.add_profile("web", {"one": ("one.example.net", 1)})
    assert [each.name for each in client.profiles.list_by_resource_group(GROUP)] == ["api", "web"]
    client.profiles.delete(GROUP, "web")
    client.profiles.delete(GROUP, "web")
    assert [each.name for each in client.profiles.list_by_subscription()] == ["api"]


@pytest.mark.parametrize("version", ["2022-04-01", "2026-09-01"])
def test_both_versions_of_the_api_are_served(site: AzureSite, version: str) -> None:
    with traffic_client(site, api_version=version) as client:
        assert update(client, weight=7)["properties"]["weight"] == 7


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_somebody_in_the_portal_changes_an_endpoint(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    cloud.edit_endpoint("api", "east", weight=1, status="Disabled")
    found = client.endpoints.get(GROUP, "api", EXTERNAL, "east")
    assert found.properties is not None
    assert (found.properties.weight, found.properties.endpoint_status) == (1, "Disabled")
    with pytest.raises(KeyError):
        cloud.edit_endpoint("api", "absent", weight=1)


def test_health_checks_take_endpoints_out_until_none_is_left(
    cloud: AzureCloud, client: TrafficManagerManagementClient
) -> None:
    cloud.edit_endpoint("api", "east", monitored="Degraded")
    assert cloud.weights("api") == {WEST: 30}
    update(client, weight=60)  # a write says nothing about health
    assert cloud.weights("api") == {WEST: 30}
    client.profiles.update(GROUP, "api", Profile({"tags": {"a": "b"}}))
    assert cloud.weights("api") == {WEST: 30}
    cloud.edit_endpoint("api", "west", monitored="Degraded")
    assert cloud.weights("api") == {EAST: 60, WEST: 30}  # all dead: all are answered


def test_always_serve_ignores_the_health_checks(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    cloud.edit_endpoint("api", "east", monitored="Degraded")
    assert update(client, alwaysServe="Enabled")["properties"]["endpointMonitorStatus"] == "Unmonitored"
    assert cloud.weights("api") == {EAST: 70, WEST: 30}


def test_a_disabled_profile_answers_nothing(cloud: AzureCloud, client: TrafficManagerManagementClient) -> None:
    client.profiles.update(GROUP, "api", Profile({"properties": {"profileStatus": "Disabled"}}))
    assert cloud.weights("api") == {}
