"""Azure Traffic Manager: profiles and their endpoints. It has no ETag: the last writer wins, and nothing tells.

A PUT of a profile says all of it, so endpoints that it leaves out are gone. A PATCH changes what it names: tags as a
whole, the monitor's settings and those of DNS as a whole, for no document says that they are merged; endpoints it does
not take. A PATCH of an endpoint changes single properties.
"""

from dataclasses import dataclass, field

from clouds.azure_profiles import KINDS, bad, check_together, valid_endpoint, valid_profile
from clouds.azure_rest import NAMESPACE, ArmError, Ask, Json, Reply, page, strings

API_VERSIONS = ("2018-08-01", "2022-04-01", "2026-09-01")
PAGE = 1_000
SETTINGS = ("profileStatus", "trafficRoutingMethod", "monitorConfig", "trafficViewEnrollmentStatus", "maxReturn")


@dataclass
class Member:
    """An endpoint of a profile. `monitored`: what the health checks of Traffic Manager say of it."""

    name: str
    kind: str
    properties: Json
    monitored: str = "Online"

    @property
    def enabled(self) -> bool:
        return bool(self.properties["endpointStatus"] == "Enabled")

    @property
    def weight(self) -> int:
        return int(self.properties["weight"])

    @property
    def served(self) -> bool:
        """Whether it may be answered: enabled, and not found dead (if it is checked at all)."""
        checked = self.properties["alwaysServe"] == "Disabled"
        return self.enabled and not (checked and self.monitored in {"Degraded", "Stopped", "Inactive"})


@dataclass
class Profile:
    """`properties`: without the endpoints."""

    name: str
    subscription: str
    group: str
    properties: Json
    tags: dict[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)

    @property
    def id(self) -> str:
        base = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{NAMESPACE}"
        return f"{base}/trafficManagerProfiles/{self.name}"

    @property
    def fqdn(self) -> str:
        return str(self.properties["dnsConfig"]["fqdn"])

    def member(self, name: str, kind: str | None = None) -> Member | None:
        fitting = (each for each in self.members if each.name.lower() == name.lower() and kind in {None, each.kind})
        return next(fitting, None)

    def served(self) -> dict[str, int]:
        """Weight by target, as resolvers get it; when none is alive, all that are enabled are answered."""
        if self.properties["profileStatus"] == "Disabled":
            return {}
        enabled = [each for each in self.members if each.enabled]
        alive = [each for each in enabled if each.served] or enabled
        return {str(each.properties["target"]): each.weight for each in alive}


class TrafficManager:
    """The profiles of a subscription, by resource group and name in lower case.

    `resources`: the host names of resources that Azure endpoints may point to, by resource id in lower case.
    """

    def __init__(self) -> None:
        self.profiles: dict[tuple[str, str], Profile] = {}
        self.resources: dict[str, str] = {}

    def answer(self, ask: Ask) -> Reply:
        match ask.kind:
            case "GET", 1, 0:
                return self._list(ask)
            case "GET", 1, 1:
                return Reply(200, shown(self._profile(ask)))
            case "PUT", 1, 1:
                return self._put(ask)
            case "PATCH", 1, 1:
                return self._patch(ask)
            case "DELETE", 1, 1:
                gone = self.profiles.pop(_key(ask), None)
                return Reply(204) if gone is None else Reply(200, {})
            case "GET" | "PUT" | "PATCH" | "DELETE", 2, 2:
                return self._endpoint(ask)
        raise ArmError(405, "MethodNotAllowed", f"{ask.method} is not supported here.")

    def add(self, name: str, place: tuple[str, str], content: Json) -> Profile:
        """Create a profile in a subscription and resource group, from the body of a PUT; raises like the API."""
        given = content.get("properties") or {}
        profile = Profile(name, *place, valid_profile(given), _tags(content))
        key = (place[1].lower(), name.lower())
        taken = {each.fqdn for other, each in self.profiles.items() if other != key}
        if profile.fqdn in taken:
            raise ArmError(409, "Conflict", f"The domain name {profile.fqdn} is already in use.")
        self._fill(profile, given.get("endpoints") or [])
        before = self.profiles.get(key)
        for each in profile.members:
            known = None if before is None else before.member(each.name, each.kind)
            each.monitored = each.monitored if known is None else known.monitored
        self.profiles[key] = profile
        return profile

    def _list(self, ask: Ask) -> Reply:
        group = None if ask.group is None else ask.group.lower()
        found = [shown(each) for key, each in sorted(self.profiles.items()) if group in {None, key[0]}]
        return page(ask, found, PAGE)

    def _profile(self, ask: Ask) -> Profile:
        profile = self.profiles.get(_key(ask))
        if profile is not None:
            return profile
        resource = f"{NAMESPACE}/trafficManagerProfiles/{ask.names[0]}"
        if len(ask.types) == 1:
            message = f"The Resource '{resource}' under resource group '{ask.group}' was not found."
            raise ArmError(404, "ResourceNotFound", message)
        raise ArmError(404, "ParentResourceNotFound", f"The parent resource '{resource}' could not be found.")

    def _put(self, ask: Ask) -> Reply:
        if str(ask.content.get("location", "")).lower() != "global":
            raise ArmError(400, "LocationNotAvailableForResourceType", "The location of a profile is 'global'.")
        there = self.profiles.get(_key(ask))
        if there is not None:
            _check_name(there, ask.content.get("properties") or {})
        profile = self.add(ask.names[0], (ask.subscription, ask.group or ""), ask.content)
        return Reply(201 if there is None else 200, shown(profile))

    def _patch(self, ask: Ask) -> Reply:
        there = self._profile(ask)
        given = ask.content.get("properties") or {}
        _check_name(there, given)
        changed = {name: given[name] for name in SETTINGS if given.get(name) is not None}
        if "endpoints" in given:
            raise bad("The endpoints of a profile cannot be changed by a PATCH of the profile.")
        dns = {"dnsConfig": given.get("dnsConfig") or there.properties["dnsConfig"]}
        endpoints = [_shown_member(there, each) for each in there.members]
        tags = ask.content["tags"] if ask.content.get("tags") is not None else there.tags
        properties = {**there.properties, **changed, **dns, "endpoints": endpoints}
        place = (there.subscription, there.group)
        return Reply(200, shown(self.add(there.name, place, {"tags": tags, "properties": properties})))

    def _fill(self, profile: Profile, given: list[Json]) -> None:
        """Put these endpoints into the profile instead of those there."""
        prioritised = sum("priority" in (each.get("properties") or {}) for each in given)
        if prioritised not in {0, len(given)}:
            raise bad("A priority is given to all endpoints of a profile or to none.")
        members: list[Member] = []
        for each in given:
            kind = KINDS.get(str(each.get("type", "")).rpartition("/")[2].lower())
            if kind is None or not each.get("name"):
                raise bad("An endpoint needs a name and one of the types azure-, external- and nestedEndpoints.")
            members.append(Member(each["name"], kind, self._valid(profile, kind, each.get("properties") or {})))
        self._settle(profile, members)

    def _settle(self, profile: Profile, members: list[Member]) -> None:
        """Take these members, if they go together; who has no priority gets the next."""
        names = [each.name.lower() for each in members]
        if len(set(names)) < len(names):
            raise bad("The endpoints of a profile must differ in their names.")
        check_together(profile.properties["trafficRoutingMethod"], [each.properties for each in members])
        for each in members:
            highest = max((other.properties.get("priority", 0) for other in members), default=0)
            each.properties.setdefault("priority", highest + 1)
        profile.members = members

    def _valid(self, profile: Profile, kind: str, given: Json) -> Json:
        def child(found: Json) -> str | None:
            resource = str(found.get("targetResourceId", "")).lower()
            if kind == "azureEndpoints":
                return self.resources.get(resource)
            nested = [each for each in self.profiles.values() if resource == each.id.lower() != profile.id.lower()]
            return nested[0].fqdn if nested else None

        return valid_endpoint(kind, given, child)

    def _endpoint(self, ask: Ask) -> Reply:
        profile, kind = self._profile(ask), KINDS.get(ask.types[1])
        if kind is None:
            raise bad(f"The endpoint type '{ask.types[1]}' is not valid.")
        there = profile.member(ask.names[1], kind)
        if ask.method == "DELETE":
            profile.members = [each for each in profile.members if each is not there]
            return Reply(204) if there is None else Reply(200, {})
        if there is None and ask.method != "PUT":
            resource = f"{NAMESPACE}/trafficManagerProfiles/{profile.name}/{kind}/{ask.names[1]}"
            raise ArmError(404, "ResourceNotFound", f"The Resource '{resource}' was not found.")
        if ask.method == "GET" and there is not None:
            return Reply(200, _shown_member(profile, there))
        return self._write_endpoint(ask, profile, kind, there)

    def _write_endpoint(self, ask: Ask, profile: Profile, kind: str, there: Member | None) -> Reply:
        body_kind = str(ask.content.get("type") or kind).rpartition("/")[2].lower()
        if KINDS.get(body_kind) != kind:
            raise bad(f"The type in the body, {ask.content.get('type')!r}, is not that of the path, {kind}.")
        given = {name: value for name, value in (ask.content.get("properties") or {}).items() if value is not None}
        if there is not None and ask.method == "PATCH":
            given = there.properties | given
        name = ask.names[1] if there is None else there.name
        new = Member(name, kind, self._valid(profile, kind, given), "Online" if there is None else there.monitored)
        others = [new if each is there else each for each in profile.members]
        self._settle(profile, [*others, new] if there is None else others)
        return Reply(201 if there is None else 200, _shown_member(profile, new))


def shown(profile: Profile) -> Json:
    """A profile as the API shows it."""
    monitor = profile.properties["monitorConfig"] | {"profileMonitorStatus": _status(profile)}
    endpoints = [_shown_member(profile, each) for each in profile.members]
    return {
        "id": profile.id,
        "name": profile.name,
        "type": f"{NAMESPACE}/trafficManagerProfiles",
        "location": "global",
        "tags": dict(profile.tags),
        "properties": {**profile.properties, "monitorConfig": monitor, "endpoints": endpoints},
    }


def _shown_member(profile: Profile, each: Member) -> Json:
    return {
        "id": f"{profile.id}/{each.kind}/{each.name}",
        "name": each.name,
        "type": f"{NAMESPACE}/trafficManagerProfiles/{each.kind}",
        "properties": {**each.properties, "endpointMonitorStatus": _monitored(each)},
    }


def _monitored(each: Member) -> str:
    if not each.enabled:
        return "Disabled"
    return each.monitored if each.properties["alwaysServe"] == "Disabled" else "Unmonitored"


def _status(profile: Profile) -> str:
    if profile.properties["profileStatus"] == "Disabled":
        return "Disabled"
    enabled = [each for each in profile.members if each.enabled]
    if not enabled:
        return "Inactive"
    return "Online" if all(each.served for each in enabled) else "Degraded"


def _check_name(there: Profile, given: Json) -> None:
    name = (given.get("dnsConfig") or {}).get("relativeName")
    if name is not None and name.lower() != there.properties["dnsConfig"]["relativeName"].lower():
        raise bad("The relativeName of a profile cannot be changed.")


def _tags(content: Json) -> dict[str, str]:
    tags = strings(content.get("tags") or {})
    if tags is None:
        raise ArmError(400, "InvalidRequestContent", "Tags must be strings.")
    return tags


def _key(ask: Ask) -> tuple[str, str]:
    return (ask.group or "").lower(), ask.names[0].lower()
