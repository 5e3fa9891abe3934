"""Azure on loopback: the front of the Resource Manager, with Azure DNS and Traffic Manager behind it.

`AzureCloud` knows who asks and what they may, finds the resource type, and says errors as Azure says them; `azure_dns`
and `azure_traffic_manager` keep their own rules. One subscription, one resource group (more with `groups`), everything
plain data. The gates stand in this order: token, subscription, role, ration, disabled subscription, lock, group.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote, urlsplit

from clouds.azure_access import SPELLED, Lock, Meter, Rations, Role, action_of, scope_of, throttled
from clouds.azure_dns import API_VERSION, Dns, Zone, spoken
from clouds.azure_rest import NAMESPACE, ArmError, Ask, Json, Reply
from clouds.azure_tokens import BadToken, Directory, Token
from clouds.azure_traffic_manager import API_VERSIONS, Profile, TrafficManager
from clouds.serving import Request, Response

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
GROUP = "dns"
VERSIONS = {"dnszones": (API_VERSION,), "trafficmanagerprofiles": API_VERSIONS}
Endpoints = Mapping[str, tuple[str, int]]
"""Target and weight by name."""


class AzureCloud:
    """A subscription with its zones and profiles. `rations`: the documented limits are `Rations()`, and none is None.

    Change `roles`, `locks`, `disabled` and `directory` to make it refuse.
    """

    def __init__(
        self,
        zones: Iterable[str] = ("example.test",),
        profiles: Mapping[str, Endpoints] | None = None,
        *,
        groups: Iterable[str] = (GROUP,),
        rations: Rations | None = None,
        directory: Directory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory if directory is not None else Directory(clock=clock)
        self.groups = list(groups)
        self.roles = [Role(("*",), f"/subscriptions/{SUBSCRIPTION}")]
        self.locks: list[Lock] = []
        self.disabled = False
        self.dns = Dns()
        self.traffic = TrafficManager()
        self._meter = Meter(rations, clock)
        for name in zones:
            self.dns.add(Zone(name, SUBSCRIPTION, self.groups[0]))
        for name, endpoints in (profiles or {}).items():
            self.add_profile(name, endpoints)

    # The protocols `Cloud` and `Failing`

    def answer(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except ArmError as error:
            return _refused(error)

    def throttled(self, retry_after: float | None) -> Response:
        return _refused(throttled(retry_after))

    def failed(self) -> Response:
        return _refused(ArmError(500, "InternalServerError", "The request failed inside the service."))

    # What tests look at and change behind the API's back

    def zone(self, name: str) -> Zone:
        """The zone that holds this name, the longest of them."""
        holding = [zone for zone in self.dns.zones.values() if zone.holds(name)]
        return max(holding, key=lambda zone: len(zone.name))

    def records(self, name: str, rtype: str | None = None) -> list[str]:
        """The records of a name: "api.example.test. 30 A 192.0.2.1"."""
        zone = self.zone(name)
        here = [each for key, each in zone.sets.items() if key[0] == zone.relative(name) and rtype in {None, key[1]}]
        return spoken(zone, here)

    def metadata(self, name: str, rtype: str) -> dict[str, str]:
        """The metadata of a record set; raises KeyError when there is none."""
        zone = self.zone(name)
        return zone.sets[zone.relative(name), rtype].metadata

    def edit(self, *changes: str) -> None:
        """Change zones by hand: "add NAME TTL TYPE RDATA" or "delete NAME [TYPE [RDATA]]", one change a line."""
        for line in filter(None, (line.strip() for change in changes for line in change.splitlines())):
            self.zone(line.split()[1]).edit(line)

    def profile(self, name: str) -> Profile:
        """A profile, in whichever group it is."""
        return next(each for key, each in self.traffic.profiles.items() if key[1] == name.lower())

    def weights(self, profile: str) -> dict[str, int]:
        """What resolvers get of a profile: weight by target, of the endpoints that are enabled and alive."""
        return self.profile(profile).served()

    def add_profile(
        self, name: str, endpoints: Endpoints, *, method: str = "Weighted", ttl: int = 30, tags: Json | None = None
    ) -> Profile:
        """Make a profile of external endpoints, monitored by HTTPS."""
        members = [
            {"name": key, "type": "externalEndpoints", "properties": {"target": target, "weight": weight}}
            for key, (target, weight) in endpoints.items()
        ]
        properties = {
            "trafficRoutingMethod": method,
            "dnsConfig": {"relativeName": name, "ttl": ttl},
            "monitorConfig": {"protocol": "HTTPS", "port": 443, "path": "/"},
            "endpoints": members,
            "maxReturn": 8 if method == "MultiValue" else None,
        }
        return self.traffic.add(name, (SUBSCRIPTION, self.groups[0]), {"properties": properties, "tags": tags})

    def edit_endpoint(
        self,
        profile: str,
        endpoint: str,
        *,
        weight: int | None = None,
        status: str | None = None,
        target: str | None = None,
        monitored: str | None = None,
    ) -> None:
        """Change an endpoint as somebody in the portal does; `monitored`: what the health checks say of it."""
        there = self.profile(profile).member(endpoint)
        if there is None:
            raise KeyError(endpoint)
        given = {"weight": weight, "endpointStatus": status, "target": target}
        there.properties |= {name: value for name, value in given.items() if value is not None}
        there.monitored = monitored or there.monitored

    def _answer(self, request: Request) -> Response:
        token = self._token(request)
        ask = _ask(request)
        if ask.subscription.lower() != SUBSCRIPTION:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{ask.subscription}' could not be found.")
        self._check_role(ask, token)
        headers = self._meter.take(ask.method, token)
        self._check_writable(ask)
        _check_version(ask)
        known = {group.lower() for group in self.groups}
        if ask.group is not None and ask.group.lower() not in known:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{ask.group}' could not be found.")
        reply = self.dns.answer(ask) if ask.types[0] == "dnszones" else self.traffic.answer(ask)
        return _response(reply, headers)

    def _token(self, request: Request) -> Token:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "The header Authorization is missing or not of the scheme Bearer."
            raise self._challenge("AuthenticationFailed", message)
        try:
            return self.directory.check(token.strip())
        except BadToken as error:
            raise self._challenge(error.code, str(error)) from error

    def _challenge(self, code: str, message: str) -> ArmError:
        issuer = f"https://login.windows.net/{self.directory.tenant}"
        challenge = f'Bearer authorization_uri="{issuer}", error="invalid_token", error_description="{message}"'
        return ArmError(401, code, message, {"www-authenticate": challenge})

    def _check_role(self, ask: Ask, token: Token) -> None:
        action, scope = action_of(ask), scope_of(ask)
        if not any(role.allows(action, scope, token) for role in self.roles):
            message = (
                f"No role lets the client '{token.client_id}' (object id '{token.object_id}') "
                f"do '{action}' at the scope '{scope}'."
            )
            raise ArmError(403, "AuthorizationFailed", message)

    def _check_writable(self, ask: Ask) -> None:
        if self.disabled and ask.method != "GET":
            message = f"The subscription '{ask.subscription}' is disabled and therefore read only."
            raise ArmError(409, "ReadOnlyDisabledSubscription", message)
        scope = scope_of(ask)
        lock = next((lock for lock in self.locks if lock.stops(ask.method, scope)), None)
        if lock is not None:
            message = (
                f"The scope '{scope}' cannot perform this operation: a {lock.level} lock stands at '{lock.scope}'."
            )
            raise ArmError(409, "ScopeLocked", message)


def _ask(request: Request) -> Ask:
    path = urlsplit(request.target).path
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group = None
    if parts[2:3] and parts[2].lower() == "resourcegroups":
        group = parts[3] if len(parts) > 3 else None
        parts = [*parts[:2], *parts[4:]]
    match parts:
        case [subscriptions, subscription, providers, namespace, *rest] if (
            [subscriptions.lower(), providers.lower(), namespace.lower()]
            == ["subscriptions", "providers", NAMESPACE.lower()]
            and rest
            and rest[0].lower() in SPELLED
        ):
            types = tuple(part.lower() for part in rest[0::2])
            base = f"https://{request.headers['host']}"
            return Ask(request.method, subscription, group, types, tuple(rest[1::2]), request.query, request.headers,
                       request.body, base, unquote(path))  # fmt: skip
    raise ArmError(404, "InvalidResourceType", f"No resource type was found at '{path}'.")


def _check_version(ask: Ask) -> None:
    version = ask.query.get("api-version")
    if version is None:
        raise ArmError(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
    if version not in VERSIONS[ask.types[0]]:
        known = ", ".join(VERSIONS[ask.types[0]])
        message = f"No registered resource provider for API version '{version}'; the supported ones are '{known}'."
        raise ArmError(400, "NoRegisteredProviderFound", message)


def _response(reply: Reply, headers: Mapping[str, str]) -> Response:
    body = b"" if reply.body is None else json.dumps(reply.body).encode()
    return Response(reply.status, body, {**_common(), **headers, **reply.headers})


def _refused(error: ArmError) -> Response:
    headers = {"x-ms-failure-cause": "service" if error.bare else "gateway"}
    return Response(error.status, error.body, {**_common(), **headers, **error.headers})


def _common() -> dict[str, str]:
    return {"content-type": "application/json; charset=utf-8", "x-ms-request-id": str(uuid.uuid4())}
