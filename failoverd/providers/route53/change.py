"""A plan as changes of one batch (ChangeResourceRecordSets).

The fence is the DELETE. Route 53 deletes a record set only if name, type, identifier, weight, TTL and values are what
the request says, exactly; it creates one only if there is none of its identity; and it does all of a batch or nothing.
So each plan deletes the marker and every record set of the record as they were read, and creates what follows, also
where both are the same: an edit of any of them since then fails the batch. Leaving unchanged sets out would save
requests, and would not see such an edit.

What the API cannot refuse is one more weighted set, with an identifier that nobody knew of, made by hand between the
read and the write. Reading back shows it, and the next round removes it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Marker, Observed, Target, standing_at
from failoverd.providers.route53 import records
from failoverd.providers.route53.names import absolute
from failoverd.providers.route53.records import RawSet
from failoverd.providers.shared import sets

MAX_ELEMENTS: Final = 1_000
"""ResourceRecord elements that one batch may hold; an alias counts as one ("ChangeResourceRecordSets")."""

MAX_CHARACTERS: Final = 32_000
"""Characters that the Value elements of one batch may hold."""


@dataclass(frozen=True)
class Change:
    """One plan's part of a batch, as the API takes it. `marker_name` is absolute."""

    target: Target
    marker_name: str
    actions: tuple[Mapping[str, Any], ...]

    @property
    def elements(self) -> int:
        return sum(max(1, len(records.values(action["ResourceRecordSet"]))) for action in self.actions)

    @property
    def characters(self) -> int:
        return sum(len(value) for action in self.actions for value in records.values(action["ResourceRecordSet"]))


def change_of(plan: Plan) -> Change:
    """Raises Permanent when the plan would publish nothing, or something that Route 53 cannot say."""
    key = plan.target.key
    if plan.before.foreign:
        raise _foreign(plan)
    old, old_markers = _standing(plan.before)
    sets.serving(plan.after)
    published = old if plan.before.records == plan.after else records.encode(plan.after)  # as it is, whatever its form
    gone = [*old_markers, *old]
    made = [*published]
    if plan.marker_text is not None:  # else the record is given back, and its marker goes
        made.append(records.marker(key.marker_name, plan.marker_text))
    actions = [("DELETE", each) for each in gone] + [("CREATE", each) for each in made]
    changes = tuple({"Action": verb, "ResourceRecordSet": dict(each)} for verb, each in actions)
    return Change(plan.target, absolute(key.marker_name), changes)


def fitting(changes: Sequence[Change]) -> int:
    """How many, from the front, fit into one batch. A name is in it once: its marker can be replaced only once."""
    elements = characters = 0
    names: set[str] = set()
    for count, change in enumerate(changes):
        elements += change.elements
        characters += change.characters
        if elements > MAX_ELEMENTS or characters > MAX_CHARACTERS or change.marker_name in names:
            return count
        names.add(change.marker_name)
    return len(changes)


def observed(target: Target, at_name: Sequence[RawSet], at_marker: Sequence[RawSet]) -> Observed:
    """What the record sets at a name and at its marker's name mean to a target.

    What failoverd could write goes into the token, exactly as it was read. What it could not is foreign, and is in no
    token, so that no plan can delete it.
    """
    kind = target.key.type
    own = [each for each in at_name if each["Type"] == kind]
    odd = {what for each in own if (what := records.foreign(kind, each)) is not None}
    beside = {str(each["Type"]) for each in at_name} - {kind.value}
    excluding = beside if kind == "CNAME" else beside & {"CNAME"}
    instead = {standing_at("CNAME", target.key.marker_name) for each in at_marker if each["Type"] == "CNAME"}
    markers = [each for each in at_marker if each["Type"] == "TXT"]
    text, plain = records.marker_text(markers)
    return Observed(
        target,
        None if odd else records.decode(target.key, own),
        Marker.parse(text) if text is not None and plain else None,
        text,
        tuple(sorted(odd | excluding | instead)),
        _token([] if odd else own, markers if plain else []),
        records.cure(kind, own) if odd else "",
    )


def _foreign(plan: Plan) -> Permanent:
    return Permanent(
        f"{plan.target.key.name} also holds {', '.join(plan.before.foreign)}, which failoverd neither says nor deletes",
        reason="foreign_type",
        remedy="remove that record set, or take the record out of the policy",
    )


def _token(own: Sequence[RawSet], markers: Sequence[RawSet]) -> str:
    if not own and not markers:
        return ""
    return json.dumps({"records": own, "markers": markers}, sort_keys=True, separators=(",", ":"))


def _standing(before: Observed) -> tuple[tuple[RawSet, ...], tuple[RawSet, ...]]:
    """The record sets and the marker that have to be there still.

    Without a token they are as failoverd writes them: a plan that undoes another is made before that was even read.
    """
    if before.token:
        read = json.loads(before.token)
        return tuple(read["records"]), tuple(read["markers"])
    markers = () if before.marker_text is None else (records.marker(before.target.key.marker_name, before.marker_text),)
    return () if before.records is None else records.encode(before.records), markers
