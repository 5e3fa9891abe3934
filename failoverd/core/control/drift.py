"""Somebody else changed a record. What it was, and what is done about it.

A record that answers nothing is loss, whoever made it so: it is put back at once, for nobody is served by it. Anything
else is an edit, and `on_drift` says what becomes of it. While an incident is open, an edit is read as intent: somebody
is at work on the same trouble. It is told, and left alone for a while before it is put back.

All of it holds only while failoverd itself still wants what it had published. When health wants something new, that is
no drift any more, and traffic moves. Nor is an edit waited for that answers with what is down while what failoverd
wants serves; and one that answers with what may not answer is put back at once, whatever `on_drift` says (`evaluate`).
So is what failoverd itself had sent earlier, and what arrived late: that is nobody's edit.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from failoverd.core.control.plan import LastGood, Plan, PlanKind, late
from failoverd.core.records import OnDrift

INTENT: Final = 300.0
"""Seconds that an edit made during an incident stands before it is put back."""


class DriftKind(StrEnum):
    LOST = "lost"  # the record is gone, or nothing in it serves
    EDITED = "edited"
    INTENDED = "intended"  # edited while an incident is open
    LATE = "late"  # failoverd sent it before what it verified there, and it arrived after that


class DriftAction(StrEnum):
    RESTORE = "restore"
    REPORT = "report"
    WAIT = "wait"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class DriftResponse:
    """`until` is when an edit that is waited for will be put back, in seconds since the epoch."""

    kind: DriftKind
    action: DriftAction
    until: float | None = None


def respond(
    plan: Plan, last_good: LastGood, on_drift: OnDrift, *, in_incident: bool, since: float, now: float
) -> DriftResponse:
    """What to do about a drifted record.

    Args:
        plan: what failoverd would write instead.
        last_good: what it had verified there.
        on_drift: what the policy says.
        in_incident: whether an incident of the policy is open.
        since: when this edit was first seen.
        now: seconds since the epoch, as `since`.
    """
    lost = plan.before.records is None or not plan.before.records.serving
    if lost or late(plan.before, last_good):
        return DriftResponse(DriftKind.LOST if lost else DriftKind.LATE, DriftAction.RESTORE)
    kind = DriftKind.INTENDED if in_incident else DriftKind.EDITED
    if not (last_good.overruled or last_good.records).says(plan.after):
        return DriftResponse(kind, DriftAction.RESTORE)
    if on_drift is OnDrift.REPORT:
        return DriftResponse(kind, DriftAction.REPORT)
    if on_drift is OnDrift.ADOPT:
        return DriftResponse(kind, DriftAction.ADOPT)
    if in_incident and now < since + INTENT:
        return DriftResponse(kind, DriftAction.WAIT, since + INTENT)
    return DriftResponse(kind, DriftAction.RESTORE)


def accepting(plan: Plan) -> Plan:
    """The plan that leaves the edit as it stands and makes it failoverd's own answer: only the marker is written.

    It remembers what failoverd would have written, so that the edit stays for as long as that is what is wanted.
    """
    records = plan.before.records
    if records is None:
        raise ValueError("there is no edit to accept")
    return replace(
        plan,
        kind=PlanKind.ADOPT,
        after=records,
        shares_after=plan.shares_before,
        baseline=None,
        overruled=plan.after,
    )
