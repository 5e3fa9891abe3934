"""What every event about a target says first."""

from typing import TypedDict

from failoverd.core.records import Target


class Names(TypedDict):
    at: float
    policy: str
    incident_id: str
    record: str
    provider: str
    zone: str


def names(target: Target, incident_id: str, at: float) -> Names:
    """The fields that tell which record, where, in which incident and when; for `**` into a `TargetEvent`."""
    return {
        "at": at,
        "policy": target.policy,
        "incident_id": incident_id,
        "record": str(target.key),
        "provider": target.provider,
        "zone": target.zone,
    }
