"""A change as commands for a person, who has the OCI CLI, and no failoverd.

What the provider has not read yet, the command looks up by itself.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from failoverd.core.control.plan import Plan
from failoverd.providers.oci_cloud.client import Zone
from failoverd.providers.oci_cloud.commands import oci
from failoverd.providers.oci_steering.change import creation_of, update_of
from failoverd.providers.oci_steering.policies import SteeringPolicy
from failoverd.providers.oci_steering.settings import OciSteeringSettings

_OPTIONS = {"ttl": "--ttl", "answers": "--answers", "rules": "--rules", "freeformTags": "--freeform-tags",
            "displayName": "--display-name", "template": "--template"}  # fmt: skip


def updating(settings: OciSteeringSettings, plan: Plan, policy: SteeringPolicy, etag: str) -> str:
    """Change a policy, while it is still this version. Without one the command is not conditional."""
    condition = ["--if-match", etag] if etag else []
    command = ["dns", "steering-policy", "update", "--steering-policy-id", policy.id, *condition, "--force"]
    return shlex.join([*oci(settings), *command, *_words(update_of(plan, policy))])


def creating(settings: OciSteeringSettings, plan: Plan, zone: Zone | None) -> str:
    """Make a policy and attach it, which OCI refuses when another one is attached already."""
    name = settings.zone_ids.get(plan.target.zone, plan.target.zone)
    zone_id = shlex.quote(zone.id) if zone is not None else _looked_up(settings, name, "id")
    compartment = settings.compartment or (zone.compartment if zone is not None else None)
    where = shlex.quote(compartment) if compartment is not None else _looked_up(settings, name, '"compartment-id"')
    body = creation_of(plan, "")
    made = ["dns", "steering-policy", "create", *_words(body), "--query", "data.id", "--raw-output"]
    create = f"{shlex.join([*oci(settings), *made])} --compartment-id {where}"
    attach = ["dns", "steering-policy-attachment", "create", "--domain-name", plan.target.key.name]
    return f'{shlex.join([*oci(settings), *attach])} --zone-id {zone_id} --steering-policy-id "$({create})"'


def _looked_up(settings: OciSteeringSettings, zone: str, member: str) -> str:
    words = ["dns", "zone", "get", "--zone-name-or-id", zone, "--query", f"data.{member}", "--raw-output"]
    return f'"$({shlex.join([*oci(settings), *words])})"'


def _words(body: Mapping[str, Any]) -> Sequence[str]:
    """The members of a body as options of the CLI, which takes JSON for what is not plain."""
    found: list[str] = []
    for member, value in body.items():
        if member in _OPTIONS:
            said = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            found += [_OPTIONS[member], said]
    return found
