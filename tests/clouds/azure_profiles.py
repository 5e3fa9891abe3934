"""What Traffic Manager takes as a valid profile and a valid endpoint, and what it fills in."""

import ipaddress
from collections.abc import Callable

from clouds.azure_records import MAX_TTL, NAME
from clouds.azure_rest import ArmError, Json, whole

MAX_ENDPOINTS = 200
METHODS = {"Performance", "Priority", "Weighted", "Geographic", "MultiValue", "Subnet"}
SWITCH = {"Enabled", "Disabled"}
KINDS = {
    "azureendpoints": "azureEndpoints",
    "externalendpoints": "externalEndpoints",
    "nestedendpoints": "nestedEndpoints",
}
ENDPOINT_FIELDS = {
    "targetResourceId", "target", "endpointStatus", "weight", "priority", "endpointLocation", "minChildEndpoints",
    "minChildEndpointsIPv4", "minChildEndpointsIPv6", "geoMapping", "subnets", "customHeaders", "alwaysServe",
}  # fmt: skip
MONITOR_FIELDS = {
    "protocol", "port", "path", "intervalInSeconds", "timeoutInSeconds", "toleratedNumberOfFailures", "customHeaders",
    "expectedStatusCodeRanges",
}  # fmt: skip

Child = Callable[[Json], str | None]
"""The name that a nested or an Azure endpoint's resource answers to; None when there is no such resource."""


def bad(message: str) -> ArmError:
    """How Traffic Manager refuses content."""
    return ArmError(400, "BadRequest", message)


def valid_endpoint(kind: str, given: Json, child: Child) -> Json:
    """The properties of an endpoint with the defaults filled in, but its priority; raises 400."""
    found = {name: value for name, value in given.items() if name in ENDPOINT_FIELDS and value is not None}
    found = {"endpointStatus": "Enabled", "weight": 1, "alwaysServe": "Disabled"} | found
    for name in ("weight", "priority"):
        if name in found and whole(found[name], 1, 1_000) is None:
            raise bad(f"The {name} of an endpoint must be between 1 and 1000, and is {found[name]!r}.")
    for name in ("endpointStatus", "alwaysServe"):
        if found[name] not in SWITCH:
            raise bad(f"The {name} of an endpoint is Enabled or Disabled, not {found[name]!r}.")
    return _external(found) if kind == "externalEndpoints" else _internal(kind, found, child)


def _external(found: Json) -> Json:
    target = found.get("target")
    if "targetResourceId" in found:
        raise bad("An external endpoint has no targetResourceId.")
    if not isinstance(target, str) or (not NAME.fullmatch(target) and address_type(target) == "DomainName"):
        raise bad(f"The target of an external endpoint is a host name or an address, not {target!r}.")
    return found


def _internal(kind: str, found: Json, child: Child) -> Json:
    if kind == "nestedEndpoints" and whole(found.get("minChildEndpoints"), 1, MAX_ENDPOINTS) is None:
        raise bad("A nested endpoint needs minChildEndpoints, at least 1.")
    target = child(found)
    if target is None:
        raise bad(f"The resource of the endpoint was not found: {found.get('targetResourceId')!r}.")
    return found | {"target": target}


def address_type(target: str) -> str:
    """Which type of record an endpoint with this target answers with."""
    try:
        return f"IPv{ipaddress.ip_address(target).version}Address"
    except ValueError:
        return "DomainName"


def valid_profile(given: Json) -> Json:
    """The properties of a profile without its endpoints, defaults filled in; raises 400."""
    method, dns = given.get("trafficRoutingMethod"), given.get("dnsConfig") or {}
    status = given.get("profileStatus", "Enabled")
    if method not in METHODS:
        raise bad(f"The trafficRoutingMethod {method!r} is not one of {sorted(METHODS)}.")
    if status not in SWITCH:
        raise bad(f"The profileStatus is Enabled or Disabled, not {status!r}.")
    if not isinstance(dns.get("relativeName"), str) or not NAME.fullmatch(dns["relativeName"]):
        raise bad("The dnsConfig of a profile needs a relativeName.")
    if whole(dns.get("ttl"), 0, MAX_TTL) is None:
        raise bad(f"The ttl of a profile must be between 0 and {MAX_TTL}, and is {dns.get('ttl')!r}.")
    if method == "MultiValue" and whole(given.get("maxReturn"), 1, 8) is None:
        raise bad("A MultiValue profile needs maxReturn, 1 to 8.")
    fqdn = f"{dns['relativeName'].lower()}.trafficmanager.net"
    return {
        "profileStatus": status,
        "trafficRoutingMethod": method,
        "dnsConfig": {"relativeName": dns["relativeName"], "fqdn": fqdn, "ttl": dns["ttl"]},
        "monitorConfig": _monitor(given.get("monitorConfig") or {}),
        "trafficViewEnrollmentStatus": given.get("trafficViewEnrollmentStatus") or "Disabled",
        "maxReturn": given.get("maxReturn"),
    }


def _monitor(given: Json) -> Json:
    found = {name: value for name, value in given.items() if name in MONITOR_FIELDS and value is not None}
    interval = found.setdefault("intervalInSeconds", 30)
    longest = 9 if interval == 10 else 10
    found.setdefault("timeoutInSeconds", longest)
    found.setdefault("toleratedNumberOfFailures", 3)
    if found.get("protocol") not in {"HTTP", "HTTPS", "TCP"} or whole(found.get("port"), 1, 65_535) is None:
        raise bad("The monitorConfig of a profile needs a protocol (HTTP, HTTPS, TCP) and a port.")
    if (found["protocol"] == "TCP") == bool(found.get("path")):
        raise bad("A path is needed to monitor by HTTP or HTTPS, and has no place with TCP.")
    if interval not in {10, 30} or whole(found["timeoutInSeconds"], 5, longest) is None:
        raise bad(f"The monitor's interval is 10 or 30 seconds, its timeout 5 to {longest} seconds.")
    if whole(found["toleratedNumberOfFailures"], 0, 9) is None:
        raise bad("The toleratedNumberOfFailures must be between 0 and 9.")
    return found


def check_together(method: str, endpoints: list[Json]) -> None:
    """Raise when these endpoints (their properties) cannot stand in one profile."""
    if len(endpoints) > MAX_ENDPOINTS:
        raise bad(f"A profile has at most {MAX_ENDPOINTS} endpoints.")
    targets = [str(each["target"]).lower().rstrip(".") for each in endpoints]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise bad(f"The endpoints of a profile must differ in their targets: {sorted(twice)} stands there twice.")
    kinds = {address_type(target) for target in targets}
    if method == "MultiValue" and "DomainName" in kinds:
        raise bad("The endpoints of a MultiValue profile are addresses.")
    if method != "MultiValue" and len(kinds) > 1:
        raise bad(f"The endpoints of a profile must be of one address type, not {sorted(kinds)}.")
    priorities = [each["priority"] for each in endpoints if "priority" in each]
    if len(set(priorities)) < len(priorities):
        raise bad("No two endpoints of a profile may share a priority.")
