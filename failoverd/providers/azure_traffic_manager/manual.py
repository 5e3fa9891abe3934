"""A change as Azure CLI commands for a person: the writes that failoverd would send, in their order.

They are as little conditional as the API is. Names of the profile and its endpoints are those that were last read; who
never read them says the names that failoverd itself would give.
"""

import shlex

from failoverd.core.control.plan import Plan
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure_traffic_manager.profile import (
    EXTERNAL,
    MARKER_TAG,
    WEIGHTED,
    WRITER_TAG,
    Profile,
    ProfileEndpoint,
)
from failoverd.providers.azure_traffic_manager.steering import plain_name, steps


def az(scope: GroupScope, plan: Plan, known: Profile | None) -> str:
    """Shell commands that end at the first failure."""
    profile = known or _supposed(plan)
    where = ["--subscription", scope.subscription, "--resource-group", scope.resource_group]
    endpoints = (_endpoint(profile, endpoint, where) for endpoint in steps(profile, plan.after))
    commands = [_claim(plan, profile, where), *endpoints]
    if plan.after.ttl != profile.ttl:
        commands.append([*_update(profile, where), "--ttl", str(plan.after.ttl)])
    lines = " &&\n".join(shlex.join(["az", "network", "traffic-manager", *command]) for command in commands)
    return f"# {plan.target.key}\n{lines}"


def _claim(plan: Plan, profile: Profile, where: list[str]) -> list[str]:
    command = _update(profile, where)
    if plan.marker_text is None:
        return [*command, "--remove", f"tags.{MARKER_TAG}", "--remove", f"tags.{WRITER_TAG}"]
    return [*command, "--set", f"tags.{MARKER_TAG}={plan.marker_text}", f"tags.{WRITER_TAG}=by-hand"]


def _update(profile: Profile, where: list[str]) -> list[str]:
    return ["profile", "update", *where, "--name", profile.name]


def _endpoint(profile: Profile, endpoint: ProfileEndpoint, where: list[str]) -> list[str]:
    new = endpoint.name not in profile.endpoint_names
    status = "Enabled" if endpoint.enabled else "Disabled"
    command = ["endpoint", "create" if new else "update", *where, "--profile-name", profile.name]
    command += ["--type", endpoint.kind, "--name", endpoint.name, *(["--target", endpoint.target] if new else [])]
    return [*command, "--weight", str(endpoint.weight), "--endpoint-status", status]


def _supposed(plan: Plan) -> Profile:
    """A profile as failoverd would have made its endpoints."""
    before, fqdn = plan.before.records, plan.target.key.name
    name = fqdn.partition(".")[0]
    endpoints = tuple(
        ProfileEndpoint(plain_name(answer.value), EXTERNAL, answer.value, enabled=True, weight=answer.weight)
        for answer in (before.answers if before is not None else ())
    )
    ttl = before.ttl if before is not None else 0
    return Profile(name, fqdn, name, enabled=True, routing=WEIGHTED, ttl=ttl, tags={}, endpoints=endpoints)
