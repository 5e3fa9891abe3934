"""The difference between what is published and what is wanted: inert, serialisable, and nothing but data.

`diff` answers with one of three: `InSync` (nothing to do), `Refused` (the name is not ours to touch) or a `Plan`. A
plan cannot be applied: only `limits.pace` turns it into the `Approved` that a provider accepts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2s
from typing import Final

from failoverd.core.control.decision import Decision
from failoverd.core.control.identity import identity
from failoverd.core.control.ramp import Ramps, reached
from failoverd.core.names import failoverctl
from failoverd.core.reasons import Cause
from failoverd.core.records import LOWEST_TIER, Marker, Observed, RecordSet, Target


class PlanKind(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    RESTORE = "restore"
    ADOPT = "adopt"
    DISOWN = "disown"
    MARK = "mark"  # the marker says which operators' words apply; no answer changes
    BY_HAND = "by_hand"  # a person wrote it, with a command that failoverd printed; never planned, only found


@dataclass(frozen=True, slots=True)
class Plan:
    """One conditional write: replace `before` by `after` and the marker, if `before` is still what stands there.

    `shares_before` and `shares_after` are in basis points by region; the first is empty when nothing was answered.
    `revision` is the policy revision that the plan was made from. `baseline` is set when somebody else edited the
    record: the shares that failoverd had published before that, which is where the limits count from. `overruled` is
    set when somebody's edit is accepted: what failoverd would have written instead. A `marker` that owns no type is
    not written: the one that stands there is removed (`marker_text` is None). `cause` is the most pressing of what it
    does, and `shifts` what it takes of the ration of each cause, in basis points. `whole` is set when a limit made the
    plan smaller: the shares that are wanted. `tier` is the policy's: who waits for a rate is served by it.
    """

    id: str
    kind: PlanKind
    target: Target
    before: Observed
    after: RecordSet
    marker: Marker
    shares_before: Mapping[str, int]
    shares_after: Mapping[str, int]
    decision: Decision
    revision: str
    baseline: Mapping[str, int] | None = None
    overruled: RecordSet | None = None
    cause: Cause = Cause.OPERATOR
    shifts: Mapping[Cause, int] = field(default_factory=dict)
    whole: Mapping[str, int] | None = None
    tier: int = LOWEST_TIER

    @property
    def generation(self) -> int:
        return self.marker.generation

    @property
    def marker_text(self) -> str | None:
        """What is to stand at the marker's place; None when the marker is to go."""
        return self.marker.to_text() if self.marker.types else None

    @property
    def digest(self) -> str:
        """What an approval is bound to: the same for as long as the same change would be made to the same answer.

        By the same revision of the file, and while the name is the same one's. What else the marker says (which words
        apply and until when, which generation it is) changes while an approval is on its way, and is not what anybody
        looked at. So an approval is held to one use where it is heeded.
        """
        marker = self.before.marker
        whose = (marker.owner, marker.policy) if marker is not None else self.before.marker_text
        named = (self.target, self.before.records, whose, self.after, self.revision)
        return blake2s(repr(named).encode(), digest_size=6).hexdigest()

    @property
    def wanted_shares(self) -> Mapping[str, int]:
        """What the decision wants in full, in the provider's own terms; a limit may have made the plan smaller."""
        return self.shares_after if self.whole is None else self.whole

    @property
    def start(self) -> Mapping[str, int]:
        """The shares that failoverd itself had published before: what limits are counted from."""
        return self.shares_before if self.baseline is None else self.baseline

    def stands_in(self, observed: Observed) -> bool:
        """Whether what the plan writes is what stands there, also where another type of the name was written since.

        The types of a name share a marker, so its generation grows with the writes of each.
        """
        if observed.records != self.after:
            return False
        if observed.marker_text == self.marker_text:
            return True
        mine, theirs, kind = self.marker, observed.marker, self.target.key.type
        if theirs is None or not mine.types or (theirs.owner, theirs.policy) != (mine.owner, mine.policy):
            return False
        return theirs.generation > mine.generation and (kind in theirs.types) == (kind in mine.types)

    def outranked_by(self, marker: Marker) -> bool:
        """Whether a newer leader of ours wrote the name than the one who made the plan."""
        mine = self.marker
        return (marker.owner, marker.policy) == (mine.owner, mine.policy) and marker.epoch > mine.epoch

    def overtaken_by(self, marker: Marker) -> bool:
        """Whether that was written after the plan, or by a newer leader."""
        return marker.generation > self.generation or self.outranked_by(marker)

    def missed_in(self, observed: Observed) -> str:
        """In which of its parts what is read differs from what the plan writes, and what that means for traffic."""
        found, before = observed.records, self.before
        if (found, observed.marker_text) == (before.records, before.marker_text) and found != self.after:
            return f"nothing changed: it answers {_said(found)}"
        answers, ttl = (found.answers, found.ttl_text) if found is not None else ((), self.after.ttl_text)
        parts = []
        if answers != self.after.answers:
            parts.append(f"it answers {_said(found)} instead of {_said(self.after)}")
        if ttl != self.after.ttl_text:
            parts.append(f"its TTL is {ttl}s instead of {self.after.ttl_text}s")
        if observed.marker_text != self.marker_text:
            parts.append(_marker_missed(observed.marker_text, self.marker_text))
        told = "; ".join(parts)
        return told if answers != self.after.answers else f"{told}; its answers are those that were written"

    @property
    def by_person(self) -> "Plan":
        """The same plan for a person who carries it out: the marker says so, and that no instance wrote it.

        A person is no leader: the epoch that stands there stays.
        """
        stands = self.before.marker
        epoch = stands.epoch if stands is not None else 0
        return replace(self, marker=fitting(replace(self.marker, instance="", by_hand=True, epoch=epoch)))

    def undone(self) -> "Plan | None":
        """The plan that would put the earlier answers back, or None when there were none, or they still stand.

        Nor is there one that would bring back who may not answer.
        """
        before = self.before.records
        if self.cause is Cause.EVICTED:
            return None
        if before is None or not before.serving or before == self.after or self.marker_text is None:
            return None
        now = replace(self.before, records=self.after, marker=self.marker, marker_text=self.marker.to_text(), token="")
        return replace(
            self,
            id=f"undo-{self.id}",
            kind=PlanKind.CHANGE,
            before=now,
            after=replace(before, ttls=()),  # no provider writes several TTLs
            marker=replace(self.marker, generation=self.generation + 1),
            shares_before=self.shares_after,
            shares_after=self.shares_before,
            baseline=None,
            overruled=None,
        )

    def verified(self, at: float) -> "LastGood":
        """What is known once the plan was applied."""
        wanted = {name: each for name, each in (self.decision.ramps or {}).items() if self.shares_after.get(name)}
        stands = reached(wanted, at) if self.shares_after == self.wanted_shares else wanted
        shares, epoch = dict(self.shares_after), self.marker.epoch
        return LastGood(self.after, self.generation, shares, at, self.overruled, stands, epoch)


def _said(records: RecordSet | None) -> str:
    if records is None or not records.answers:
        return "nothing"
    more = len(records.answers) - _SHOWN
    shown = ", ".join(f"{answer.value} (weight {answer.weight})" for answer in records.answers[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


_SHOWN: Final = 8


def _marker_missed(found: str | None, wanted: str | None) -> str:
    if found is None:
        return f"its marker {wanted!r} is not seen"
    return f"its marker still says {found[:_TXT]!r}" + (f" instead of {wanted!r}" if wanted is not None else "")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a marker says besides the policy whose the name is, and the generation.

    Attributes:
        owner: the name under which this installation marks what it owns.
        instance: who writes it.
        overrides: ids of the operators' words that apply.
        until: when the last of them ends, in whole seconds since the epoch; 0 without any.
        epoch: of the leader who writes it; 0 for one member alone.
    """

    owner: str
    instance: str = ""
    overrides: tuple[str, ...] = ()
    until: int = 0
    epoch: int = 0

    def on(self, marker: Marker) -> Marker:
        """The marker with it, as far as it has room."""
        said = replace(marker, overrides=self.overrides, until=self.until)
        return fitting(self.under(said))

    def under(self, marker: Marker) -> Marker:
        """The marker as written by this instance under this leader. An epoch that stands there never falls."""
        return replace(marker, instance=self.instance, by_hand=False, epoch=max(self.epoch, marker.epoch))

    def outranked_by(self, marker: Marker | None) -> bool:
        """Whether a newer leader of the same owner wrote that."""
        return marker is not None and marker.owner == self.owner and marker.epoch > self.epoch

    def stands_in(self, marker: Marker) -> bool:
        """Whether the marker names the same words. Who wrote it before is no reason to write it again."""
        said = self.on(marker)
        return (marker.overrides, marker.until, marker.by_hand) == (said.overrides, said.until, False)


def fitting(marker: Marker) -> Marker:
    """The marker, which is one TXT string of at most 255 octets (RFC 1035, 3.3.14): the last words are left out."""
    while marker.overrides and len(marker.to_text()) > _TXT:
        marker = replace(marker, overrides=marker.overrides[:-1])
    return marker if marker.overrides else replace(marker, until=0)


_TXT: Final = 255


class RefusalReason(StrEnum):
    NO_MARKER = "no_marker"
    MARKER_LOST = "marker_lost"
    OTHER_OWNER = "other_owner"
    OTHER_POLICY = "other_policy"
    FOREIGN_MARKER = "foreign_marker"
    FOREIGN_TYPE = "foreign_type"
    STALE_MARKER = "stale_marker"
    NEWER_LEADER = "newer_leader"


@dataclass(frozen=True, slots=True)
class Refused:
    """The name is not ours to touch. Nothing is written until a person acts on `remedy`, in which `command` stands."""

    target: Target
    reason: RefusalReason
    detail: str
    remedy: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class InSync:
    """There is nothing to do. `overruled`: an edit stands there by consent, and failoverd would have written that."""

    target: Target
    generation: int
    overruled: RecordSet | None = None


@dataclass(frozen=True, slots=True)
class LastGood:
    """The answer that failoverd last verified at a target: what to put back, and the generation it belongs to.

    `overruled`: this is somebody's edit that was accepted, and failoverd wanted that instead. It stays until failoverd
    wants something else. `ramps`: how far regions have come by it that are on their way back, for who did not write it.
    `epoch` is that of the leader who wrote it.
    """

    records: RecordSet
    generation: int
    shares: Mapping[str, int]
    at: float
    overruled: RecordSet | None = None
    ramps: Ramps = field(default_factory=dict)
    epoch: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """The higher, the later it was sent: two leaders may have given out the same generation."""
        return self.generation, self.epoch


def refusal(observed: Observed, owner: str) -> Refused | None:
    """Why this name may not be written by this policy of this owner, or None when it may."""
    target, marker, text = observed.target, observed.marker, observed.marker_text
    adopting = _adopting(target)
    if observed.foreign:
        return _foreign(observed)
    if text is not None and marker is None:
        return Refused(
            target,
            RefusalReason.FOREIGN_MARKER,
            f"{target.key.marker_name} holds a TXT record that is no marker of this version: {text[:120]!r}",
            f"find out who wrote it; if it is a leftover, remove it, then run: {adopting}",
            adopting,
        )
    if marker is not None and marker.owner != owner:
        return Refused(
            target,
            RefusalReason.OTHER_OWNER,
            f"{target.key.name} belongs to owner {marker.owner!r} (policy {marker.policy!r}), not to {owner!r}",
            "let that owner give the name up first, or correct `owner` in the configuration",
        )
    if marker is not None and marker.policy != target.policy:
        return Refused(
            target,
            RefusalReason.OTHER_POLICY,
            f"{target.key.name} belongs to policy {marker.policy!r}, not to {target.policy!r}",
            f"let one policy own the name; if the policy was renamed, run: {adopting}",
            adopting,
        )
    if observed.records is not None and (marker is None or target.key.type not in marker.types):
        return Refused(
            target,
            RefusalReason.NO_MARKER,
            f"{target.key} exists and carries no marker of failoverd",
            f"check that nothing else manages it, then run: {adopting}",
            adopting,
        )
    return None


_OTHER_RECORD: Final = "remove the other record, or change the record type in the policy"


def _foreign(observed: Observed) -> Refused:
    """What stands there besides failoverd's, or instead: its own type may be answered in a way that it does not say."""
    key, hiding = observed.target.key, ", ".join(observed.hidden_by)
    if hiding:
        detail = (
            f"{hiding} hides {key.name} or its marker {key.marker_name}: what is published there could not be told "
            f"from somebody else's, nor be moved again"
        )
        remedy = "remove that record, or let the policy own another name"
        return Refused(observed.target, RefusalReason.FOREIGN_TYPE, detail, remedy)
    own = [each for each in observed.foreign if each.startswith(f"{key.type} (")]
    others = [each for each in observed.foreign if each not in own]
    said = [f"answers with {', '.join(own)}, which failoverd neither states as shares nor changes"] if own else []
    said += [f"also holds {', '.join(others)}, which cannot stand beside {key.type}"] if others else []
    detail = f"{key.name} {' and '.join(said)}; it goes on answering as it stands, also with what is down"
    return Refused(observed.target, RefusalReason.FOREIGN_TYPE, detail, observed.cure or _OTHER_RECORD)


def diff(  # noqa: PLR0913 - all that a plan is made of
    observed: Observed,
    desired: RecordSet,
    decision: Decision,
    *,
    signed: Signature,
    region_of: Mapping[str, str],
    revision: str,
    last_good: LastGood | None = None,
    seen: int = 0,
    fenced: bool = True,
) -> Plan | InSync | Refused:
    """Compare what is published with what is wanted.

    What arrived late is written over by what had stood there: that may be an edit that was accepted.

    Args:
        observed: what the provider holds.
        desired: what it should hold, already normalised by that provider, so that it equals what will be read back.
        decision: where `desired` came from; it travels with the plan as its explanation.
        signed: what the marker is to say, besides its generation.
        region_of: answer value to region, to say shares by region.
        revision: the policy revision.
        last_good: the last verified answer; its generation is a floor, so that a deleted marker cannot turn time back.
        seen: the highest generation that was ever seen there, or may be yet: a floor as well.
        fenced: whether the provider refuses what is older than what stands there.
    """
    refused = refusal(observed, signed.owner)
    if refused is not None:
        return _marker_lost(refused, observed, last_good) or refused
    target, marker, is_late = observed.target, observed.marker, late(observed, last_good)
    if (fenced or not is_late) and (stale := _stale(observed, last_good)) is not None:
        return stale
    edit = last_good.records if last_good is not None and _accepts(last_good, desired) else None
    wanted = replace(edit, ttls=()) if edit is not None and is_late else desired  # no provider writes several TTLs
    stands = observed.records == wanted or (edit is not None and observed.records == edit)
    said = marker is not None and target.key.type in marker.types and stands
    overruled = desired if (observed.records if said else wanted) != desired else None
    if said and marker is not None and signed.stands_in(marker) and not is_late:
        return InSync(target, marker.generation, overruled)
    floor = max(seen, marker.generation if marker else 0, last_good.generation if last_good else 0)
    types, epoch = {target.key.type, *(marker.types if marker else ())}, marker.epoch if marker else 0
    shares_before = shares_now(observed, last_good, region_of)
    shares_wanted = last_good.shares if last_good is not None and wanted is not desired else desired.shares(region_of)
    return Plan(
        id=identity("chg", decision.at, target, observed.marker_text, wanted),
        kind=PlanKind.MARK if said else _kind(observed, last_good),
        target=target,
        before=observed,
        after=observed.records if said and observed.records is not None else wanted,
        marker=signed.on(Marker(signed.owner, target.policy, floor + 1, tuple(sorted(types)), epoch=epoch)),
        shares_before=shares_before,
        shares_after=shares_before if said else shares_wanted,
        decision=decision,
        revision=revision,
        baseline=last_good.shares if last_good is not None and drifted(observed, last_good) and not said else None,
        overruled=overruled,
    )


def _accepts(good: LastGood, desired: RecordSet) -> bool:
    """Whether what was verified is somebody's edit that was accepted, for as long as just this is wanted instead."""
    return good.overruled is not None and good.overruled.says(desired)


def shares_now(observed: Observed, last_good: LastGood | None, region_of: Mapping[str, str]) -> Mapping[str, int]:
    """The shares by region that a target answers with, in basis points.

    For the answer that failoverd itself verified these are the regions that it was published for. The policy file may
    have moved on since: an address that a region gave up still carries that region's traffic.
    """
    if observed.records is None:
        return {}
    if last_good is not None and observed.records == last_good.records:
        return last_good.shares
    return observed.records.shares(region_of)


def drifted(observed: Observed, last_good: LastGood | None) -> bool:
    """Whether somebody else changed the record since failoverd last verified it.

    A newer generation means that another writer of ours was here, which is no drift; but none of ours takes a record
    away, so one that is gone is, whether its marker went with it or not. An older one is drift: see `late`.
    """
    if last_good is None:
        return False
    if observed.records is None:
        return True
    if observed.marker is None or observed.marker.generation > last_good.generation:
        return False
    return observed.records != last_good.records


def late(observed: Observed, last_good: LastGood | None) -> bool:
    """Whether a write of ours stands there that was sent before the one that was verified, and arrived after it.

    A leader that was frozen, or cut off, in the midst of it may have given out the same generation as the next one, but
    has a lower epoch. Under the same leader an earlier try may arrive after another one, which has a higher generation.
    A zone that was put back to an earlier copy, marker and all, cannot be told from either. A provider with a fence
    lets neither in: there an older generation means that what was read is old. What a person wrote by a command is
    that person's.
    """
    marker = observed.marker
    if marker is None or last_good is None or marker.by_hand:
        return False
    return (marker.generation, marker.epoch) < last_good.rank


def _marker_lost(refused: Refused, observed: Observed, last_good: LastGood | None) -> Refused | None:
    """A name that was ours, with our answers and without our marker: somebody gave it up, or removed a stray TXT."""
    if refused.reason is not RefusalReason.NO_MARKER or last_good is None or observed.records != last_good.records:
        return None
    target, command = observed.target, _adopting(observed.target)
    return Refused(
        target,
        RefusalReason.MARKER_LOST,
        f"the marker of {target.key.name} is gone; the answers are those that failoverd left there",
        f"if nobody gave the name up on purpose, run: {command}; otherwise remove the record from the policy",
        command,
    )


def _adopting(target: Target) -> str:
    return failoverctl("adopt", target.policy, target.key.name)


def _stale(observed: Observed, last_good: LastGood | None) -> Refused | None:
    target, marker = observed.target, observed.marker
    if marker is None or last_good is None or marker.generation >= last_good.generation:
        return None
    adopting = _adopting(target)
    return Refused(
        target,
        RefusalReason.STALE_MARKER,
        f"the marker of {target.key.name} says generation {marker.generation}, but generation {last_good.generation} "
        f"was verified before: this server lags behind, or a zone backup was restored",
        f"point the provider at the primary server; if the zone was restored on purpose, run: {adopting}",
        adopting,
    )


def _kind(observed: Observed, last_good: LastGood | None) -> PlanKind:
    owned = observed.marker is not None and observed.target.key.type in observed.marker.types
    if observed.records is None and not owned and last_good is None:
        return PlanKind.CREATE
    if observed.records is None or drifted(observed, last_good):
        return PlanKind.RESTORE
    return PlanKind.CHANGE
