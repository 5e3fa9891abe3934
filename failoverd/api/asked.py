"""What may be asked of the API: models that bound every part of it. Nothing is guessed."""

import json
from hashlib import blake2s
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from failoverd.api.shapes import Moment, Points
from failoverd.core.overrides import LONGEST, Scope, Verb

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"

Words = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_PRINTABLE)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=260, pattern=_PRINTABLE)]
Named = Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=_PRINTABLE)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=64)]
LONGEST_MARK: Final = 128
MARK: Final = rf"^[A-Za-z0-9._:-]{{1,{LONGEST_MARK}}}$"
Mark = Annotated[str, StringConstraints(pattern=MARK)]
"""An id, a digest, a name of a switch or of a rule."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]


class AskedModel(BaseModel):
    """Whatever somebody asks for: nothing is guessed, and what is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    def gist(self) -> str:
        """What is kept of it in the audit trail, and tells it from every other."""
        return self.model_dump_json()


class ScopeAsked(AskedModel):
    """What a word is about: each part is a list of globs, of which one has to match. Without any part: everything."""

    policies: Globs = Field(default=(), description="names of policies")
    records: Globs = Field(default=(), description="names of records, with or without their type")
    providers: Globs = Field(default=(), description="names of providers, as the daemon's file calls them")
    regions: Globs = Field(default=(), description="names of regions")
    clouds: Globs = Field(default=(), description="clouds, as the inventory names them")
    endpoints: Globs = Field(default=(), description="region/address, or the address alone")

    def scope(self) -> Scope:
        return Scope(**self.model_dump())


class WordAsked(AskedModel):
    """An operator's word that is to be heeded."""

    verb: Verb = Field(strict=False)
    scope: ScopeAsked
    reason: Words
    for_seconds: Seconds = Field(description="how long it holds; an approval has its own time")
    shares_bp: dict[Mark, Points] = Field(
        default={},
        max_length=64,
        description="of a pin, by region",
        json_schema_extra={"additionalProperties": False},
    )
    part_bp: Points = Field(default=0, description="of a shed: how much less")
    over_seconds: Annotated[float, Field(ge=0, le=LONGEST)] = Field(default=0.0, description="of a drain: in how long")
    now: bool = Field(default=False, description="heeds no rates")
    digest: Mark | None = Field(default=None, description="of an approval: which plan")
    name: Mark | None = Field(default=None, description="of a switch")
    breaks: Annotated[tuple[Mark, ...], Field(max_length=16)] = Field(default=(), description="rules that it may break")
    dry_run: bool = Field(default=False, description="only say what it would do")


class UndoAsked(AskedModel):
    """A change that is to be taken back: a pin to the shares of before."""

    scope: ScopeAsked = Field(default=ScopeAsked(), description="without a change: where the last one is meant")
    change_id: Mark | None = Field(default=None, description="the last change of the scope, without it")
    reason: Words
    for_seconds: Seconds
    now: bool = Field(default=False, description="heeds no rates")
    dry_run: bool = Field(default=False, description="only say what it would do")


class CommentAsked(AskedModel):
    """A word is released, or agreed to."""

    comment: Words
    now: bool = Field(default=False, description="of a release: what it kept away comes back in one step, by no ramp")


class ExtendAsked(AskedModel):
    """A word is to hold for so long from now on."""

    for_seconds: Seconds
    comment: Words


class ResignAsked(AskedModel):
    """The leader is to let another member lead."""

    comment: Words
    for_seconds: Annotated[float, Field(gt=0, le=LONGEST)] = Field(
        default=60.0, description="how long it does not stand again, unless nobody leads for a lease"
    )
    anyway: bool = Field(default=False, description="although no other member is heard of that could lead")


class _Foreign(AskedModel):
    """What others define: the parts that are for us are checked, and the rest is passed over."""

    model_config = ConfigDict(extra="ignore")


class AlertAsked(_Foreign):
    """An alert, as Alertmanager's webhook sends it."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(
        max_length=100,
        description="failoverd_region, and where it is not about all policies failoverd_policy; failoverd_verdict: "
        "down, or degraded without it",
    )
    annotations: dict[str, str] = Field(default={}, max_length=100, description="summary is told")
    endsAt: Moment | None = Field(  # noqa: N815 - as Alertmanager spells it
        default=None, description="when it ends; half an hour after its last notification where that is not to come"
    )
    fingerprint: Mark


class AlertsAsked(_Foreign):
    """A notification of Alertmanager (webhook, version 4): alerts that name a region are a cause to move traffic."""

    version: Literal["4"]
    alerts: Annotated[tuple[AlertAsked, ...], Field(max_length=250)]

    def gist(self) -> str:
        """Annotations may be long, and are no part of what was done but for the reason that is kept with the word."""
        return self.model_dump_json(exclude={"alerts": {"__all__": {"annotations"}}})


class ReleaseAsked(AskedModel):
    """All words of a scope are to end."""

    scope: ScopeAsked
    verb: Verb | None = Field(default=None, strict=False, description="only overrides of this kind")
    lost: bool = Field(default=False, description="those that markers name and the journal does not know, instead")
    rival: bool = Field(default=False, description="instead: whoever else wrote the names of the scope is gone")
    comment: Words
    now: bool = Field(default=False, description="what they kept away comes back in one step, by no ramp")


class ReloadAsked(AskedModel):
    """Every file is to be read again."""


class PlanAsked(AskedModel):
    """What would be changed now is to be found out; nothing is."""

    policies: Annotated[tuple[Glob, ...], Field(max_length=1_000)] = Field(
        default=(), description="names of policies; all that run, without any"
    )
    returning: Annotated[tuple[Glob, ...], Field(max_length=64)] = Field(
        default=(), description="regions to bring back now, whatever failback says"
    )
    if_down: Globs = Field(default=(), description="names of regions: tell what would be done if these were down")
    if_cloud_down: Globs = Field(default=(), description="the same of clouds, with all of their regions")
    if_drained: Globs = Field(default=(), description="the same of regions from which an operator takes the traffic")


class ApplyAsked(AskedModel):
    """Changes that were planned are to be made, each if it is exactly what would be done now."""

    changes: Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1, max_length=10_000)] = Field(
        description="each as /v1/plan tells it under `change`, whole and unchanged"
    )

    def gist(self) -> str:
        """Of many kilobytes what was agreed to, and their digest."""
        digest = blake2s(self.model_dump_json().encode(), digest_size=16).hexdigest()
        return json.dumps({"digest": digest, "changes": [_gist(each) for each in self.changes]})


_AGREED: Final = {"id": 128, "kind": 40, "target": 600, "shares_before": 600, "shares_after": 600}
"""Parts of a plan that the audit trail shows, and how many characters of each."""


def _gist(change: dict[str, JsonValue]) -> dict[str, str]:
    """Whatever it is: it was not judged yet."""
    plan = change.get("plan")
    said = plan if isinstance(plan, dict) else {}
    return {name: json.dumps(said[name])[:most] for name, most in _AGREED.items() if name in said}


class Query(BaseModel):
    """What stands behind the question mark of an address."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class NoQuery(Query):
    pass


class StatusQuery(Query):
    healthy: Literal["true", "false"] = Field(default="true", description="false: without healthy endpoints")


class GlanceQuery(Query):
    policy: Named | None = Field(
        default=None, description="only this policy; globs and several, with commas between them, are understood"
    )
    problems: Literal["true", "false", "auto"] = Field(
        default="false", description="true: without what is well; auto: so where there are more than 12 policies"
    )

    @property
    def policies(self) -> list[str]:
        return self.policy.split(",") if self.policy is not None else []


class InventoryQuery(Query):
    pass


class MembersQuery(Query):
    pass


class PageQuery(Query):
    policy: Glob | None = Field(default=None, description="only records whose policy or name are like this glob")


class TimelineQuery(Query):
    policy: Glob = Field(description="of this policy")
    since: Moment | None = Field(default=None, description="since then; six hours without it")


Limit = Annotated[int, Field(ge=1, le=10_000)]


class HistoryQuery(Query):
    policy: Glob | None = Field(default=None, description="only changes of this policy")
    since: Moment | None = Field(default=None, description="only changes since then")
    limit: Limit = Field(default=50, description="the newest of them")
    member: Mark | None = Field(default=None, description="only what this one of several members did or found")


class WhyQuery(Query):
    policy: Glob | None = Field(default=None, description="the last change of this policy")
    record: Glob | None = Field(default=None, description="the last change of this record, by its name in DNS")
    at: Moment | None = Field(default=None, description="the last change until then")
    incident: Mark | None = Field(default=None, description="the last change in this incident")


class AuditQuery(Query):
    actor: Words | None = Field(default=None, description="only requests of this one")
    before: Annotated[int, Field(ge=1, le=2**53)] | None = Field(default=None, description="only those before this seq")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(default=50, description="the newest of them")
