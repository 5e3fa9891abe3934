"""What OCI says no to, in words. Nothing of its SDK is in here.

Some codes never leave a provider: what they mean is found out by one further look. OCI says the same of what is missing
and of what may not be seen (`NOT_FOUND`). And its reference does not say which status a precondition of a PATCH that
failed has, so any refusal of a write may be one (`DOUBTFUL`): reading again tells whether something had changed.
"""

from typing import Final

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, ProviderError, Transient
from failoverd.core.records import Observed
from failoverd.providers.shared.refusals import stale

NOT_FOUND: Final = "not_found"
REJECTED: Final = "rejected"
CONFLICT: Final = "conflict"
DOUBTFUL: Final = frozenset({REJECTED, CONFLICT})


def protected(said: str) -> Permanent:
    """A record or a resource that OCI, or somebody there, protects from changes."""
    return Permanent(
        said,
        reason="record_protected",
        remedy="let whoever protected or locked it remove that, or take the name out of the policy",
    )


def zone_missing(zone: str, provider: str) -> Permanent:
    """Said when not even the zone itself is to be seen, which OCI explains no further."""
    return Permanent(
        f"provider {provider} finds no zone {zone} at OCI, or may not see it: both are answered alike (404), and so "
        "is everything in a tenancy that was suspended",
        reason="zone_missing",
        remedy="correct `zones`, `zone_ids` and the tenancy, and grant what docs/permissions lists for this kind",
    )


def permission_denied(said: str) -> Permanent:
    """The zone is there and can be seen, so it is the request that is not allowed."""
    return Permanent(
        said,
        reason="permission_denied",
        remedy="grant what docs/permissions lists for this kind, for this zone and its compartment",
    )


def unsayable(detail: str) -> Permanent:
    """Nothing had changed, and OCI refused the write all the same."""
    return Permanent(
        detail,
        reason="unsayable",
        remedy="correct the endpoints or the TTL in the policy so that they are what OCI takes",
    )


def refuse_foreign(plan: Plan) -> None:
    """Raises Permanent when the plan was made although something at the name excludes what it would write."""
    if plan.before.foreign:
        raise Permanent(
            f"{plan.target} also holds {', '.join(plan.before.foreign)}, which failoverd neither changes nor hides",
            reason="foreign_type",
            remedy="remove it, or let the policy leave the name alone",
        )


def moved(before: Observed, found: Observed, said: str) -> Fenced | None:
    """Whether something else stands there than a plan was made from, or None when it is the same."""
    if found.marker_text != before.marker_text:
        return stale(said)
    if (found.records, found.foreign) != (before.records, before.foreign):
        return stale(said, "record_changed")
    return None


def explained(before: Observed, found: Observed, error: Permanent) -> ProviderError:
    """Why a write was refused, once it is known what stands there.

    Args:
        before: what the plan was made from.
        found: what was read after the refusal.
        error: the refusal: a doubtful one, or one that something which vanished would cause as well.
    """
    return moved(before, found, error.detail) or _unmoved(error)


def _unmoved(error: Permanent) -> ProviderError:
    """What a refusal means when what the plan was made from stands there still."""
    if error.reason == REJECTED:
        return unsayable(error.detail)
    if error.reason != CONFLICT:
        return error
    return Transient(
        error.detail,
        reason=CONFLICT,
        remedy="nothing to do: it is tried again; if it stays, see in the OCI console who else changes the zone",
    )
