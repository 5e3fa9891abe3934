"""The only place that calls the SDK of Traffic Manager. Its calls block, so they run in the account's threads."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from azure.mgmt.trafficmanager.models import Endpoint as SdkEndpoint
from azure.mgmt.trafficmanager.models import Profile as SdkProfile

from failoverd.providers.azure.errors import Call, code_of
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure.session import SdkSession
from failoverd.providers.azure.settings import AzureSettings
from failoverd.providers.azure_traffic_manager.profile import Profile, ProfileEndpoint

API_VERSION: Final = "2022-04-01"

_ENABLED, _DISABLED = "Enabled", "Disabled"
_PERMISSIONS = "azure_traffic_manager"

Json = dict[str, Any]
Connection = SdkSession[TrafficManagerManagementClient]


def connection(settings: AzureSettings) -> Connection:
    return SdkSession(settings, _connect)


class Reader:
    """Reads profiles with their endpoints."""

    def __init__(self, connection: Connection, scope: GroupScope) -> None:
        self._connection = connection
        self._scope = scope

    def profiles(self) -> Sequence[Profile]:
        """All profiles of the resource group."""
        with self._connection.calling(self._call("read the Traffic Manager profiles")) as client:
            listing = client.profiles.list_by_resource_group(self._scope.resource_group)
            return [_profile(each.as_dict()) for each in listing]

    def profile(self, name: str) -> Profile | None:
        """One profile, or None when it is not there any more."""
        with self._connection.calling(self.reading(name)) as client:
            try:
                return _profile(client.profiles.get(self._scope.resource_group, name).as_dict())
            except ResourceNotFoundError as error:
                if not code_of(error):  # it was not Azure that answered
                    raise
                return None

    def reading(self, name: str) -> Call:
        """What a failure to read the profile tells of."""
        return self._call(f"read the Traffic Manager profile {name}")

    def _call(self, what: str, *, writes: bool = False) -> Call:
        return Call(f"{what} in {self._scope}", _PERMISSIONS, writes)


class Writer(Reader):
    """Also writes, one small request at a time. A dry run holds a `Reader`, which has no way to."""

    def claim(self, profile: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of the profile."""
        with self._connection.calling(self._call(f"change the profile {profile}", writes=True)) as client:
            client.profiles.update(self._scope.resource_group, profile, SdkProfile({"tags": dict(tags)}))

    def set_ttl(self, profile: Profile, ttl: int) -> None:
        """Replace the TTL of the profile.

        No document says that a PATCH merges what is in `dnsConfig`, so all of it is said that may be written.
        """
        body = {"properties": {"dnsConfig": {"relativeName": profile.relative_name, "ttl": ttl}}}
        what = f"set the TTL of the profile {profile.name}, whose endpoints answer as they are to,"
        with self._connection.calling(self._call(what, writes=True)) as client:
            client.profiles.update(self._scope.resource_group, profile.name, SdkProfile(body))

    def update(self, profile: str, endpoint: ProfileEndpoint) -> None:
        """Give an endpoint its weight and status."""
        with self._connection.calling(self._endpoint(profile, endpoint)) as client:
            client.endpoints.update(*self._place(profile, endpoint), SdkEndpoint({"properties": _steered(endpoint)}))

    def create(self, profile: str, endpoint: ProfileEndpoint) -> None:
        """Create an endpoint."""
        body = {"properties": _steered(endpoint) | {"target": endpoint.target}}
        with self._connection.calling(self._endpoint(profile, endpoint)) as client:
            client.endpoints.create_or_update(*self._place(profile, endpoint), SdkEndpoint(body))

    def _place(self, profile: str, endpoint: ProfileEndpoint) -> tuple[str, str, str, str]:
        return self._scope.resource_group, profile, endpoint.kind, endpoint.name

    def _endpoint(self, profile: str, endpoint: ProfileEndpoint) -> Call:
        return self._call(f"change endpoint {endpoint.name} of the profile {profile}", writes=True)


def _connect(options: dict[str, Any]) -> TrafficManagerManagementClient:
    return TrafficManagerManagementClient(api_version=API_VERSION, **options)


def _steered(endpoint: ProfileEndpoint) -> dict[str, Any]:
    return {"weight": endpoint.weight, "endpointStatus": _ENABLED if endpoint.enabled else _DISABLED}


def _profile(found: Json) -> Profile:
    """Raises KeyError or the like when the answer lacks what every profile has."""
    said = found["properties"]
    return Profile(
        name=str(found["name"]),
        fqdn=str(said["dnsConfig"]["fqdn"]).lower().removesuffix("."),
        relative_name=str(said["dnsConfig"]["relativeName"]),
        enabled=said.get("profileStatus") != _DISABLED,
        routing=str(said["trafficRoutingMethod"]),
        ttl=int(said["dnsConfig"]["ttl"]),
        tags=dict(found.get("tags") or {}),
        endpoints=tuple(_endpoint(each) for each in said.get("endpoints") or ()),
    )


def _endpoint(found: Json) -> ProfileEndpoint:
    said = found["properties"]
    return ProfileEndpoint(
        name=str(found["name"]),
        kind=str(found["type"]).rpartition("/")[2],
        target=str(said.get("target") or ""),
        enabled=said.get("endpointStatus") != _DISABLED,
        weight=int(said.get("weight") or 1),
    )
