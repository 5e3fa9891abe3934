"""What a policy wants at a target, and what it looks at to want it: data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from failoverd.core.control.cost import Saving
from failoverd.core.control.ramp import Ramps
from failoverd.core.health.region import RegionHealth
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import RecordSet, Target


class DecisionKind(StrEnum):
    """The named reason of a decision: what kind of answer it is."""

    NORMAL = "normal"  # the shares of the file, all regions well
    FAILOVER = "failover"  # shares moved away from what the file says
    ALL_DOWN_NORMAL = "all_down_normal"
    HOLD_NO_VERDICT = "hold_no_verdict"
    HOLD_ALL_DOWN = "hold_all_down"
    HOLD_COMMON_FALL = "hold_common_fall"  # who would get more may be falling as well
    RESTORE_LAST_GOOD = "restore_last_good"  # a hold, but the record is empty: put back what was
    HOLD_OPERATOR = "hold_operator"  # a person said so
    HOLD_OVERRIDES_LOST = "hold_overrides_lost"  # a person said something, and the journal does not know what
    OPERATOR = "operator"  # a person decided: drain, shed, pin, adoption, manual return
    ALL_DOWN_ANSWER = "all_down_answer"  # a named place answers
    EVICTED = "evicted"  # a hold, but what stands may not be answered: the last answer, of who may
    HOLD_NOBODY_ALLOWED = "hold_nobody_allowed"  # residency or the model leaves nobody


ALL_DOWN: Final = frozenset({DecisionKind.HOLD_ALL_DOWN, DecisionKind.ALL_DOWN_NORMAL, DecisionKind.ALL_DOWN_ANSWER})
"""Kinds of answer where no region is up, whatever the policy has done then."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy wants at a target.

    Attributes:
        target: where.
        kind: what kind of answer it is.
        shares: basis points by region; they sum to `WHOLE`, or are empty when nothing is to be published.
        records: what to publish, before the provider's own terms; None means "leave it exactly as it is".
        reasons: the sum.
        at: when.
        until: the first moment at which time alone would change it.
        values: the answers of each region, of which `records` is made.
        normal: the shares when all is well, in basis points, if the decision looked at them.
        id: chains the decision to its change in logs and history.
        ramps: how far the regions that come back are to have come; None if the decision did not look at them.
    """

    target: Target
    kind: DecisionKind
    shares: Mapping[str, int]
    records: RecordSet | None
    reasons: tuple[Reason, ...]
    at: float
    until: float | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    normal: Mapping[str, int] = field(default_factory=dict)
    id: str = ""
    ramps: Ramps | None = None

    @property
    def holds(self) -> bool:
        return self.records is None


@dataclass(frozen=True)  # without slots: what is reckoned from it is reckoned once
class View:
    """Everything that a decision may look at, besides the policy and the time.

    Attributes:
        regions: health of each region that the record type can answer with.
        current: what the target answers with now; None when the record does not exist.
        owned: whether our marker stands beside it. Owned and without an answer means that somebody emptied it.
        last_good: what failoverd last verified there, to put back when the record was emptied during a hold.
        returning: regions that a person brings back now, whatever `failback` says.
        drifted: whether somebody else changed the record since it was verified.
        last_shares: the shares by region that `last_good` was published for, in basis points.
        overruled: what failoverd wanted where `last_good` is somebody's edit that was accepted.
        common_fall: regions of a fall of all regions that is not over.
        taken_out: regions that a word took out, or an accepted edit that is over, and that are not back.
        ramps: how far regions that come back have come.
        incident: whether one is open.
        aside: regions that serve and were left out, with the reason, and that are not back.
        practised: regions that a drill took out, and that are not back: they never failed.
        unmeasured: regions that were called ill when their figures were lost: they get no more than they have.
        cut_short: those of them whose drill failoverd itself ended, for trouble here or elsewhere.
        saving: shares that were chosen for their price.
        counted: from which share on, in basis points, a region by itself counts for the rules that bind the policy.
    """

    regions: Mapping[str, RegionHealth]
    current: RecordSet | None = None
    owned: bool = False
    last_good: RecordSet | None = None
    returning: frozenset[str] = frozenset()
    drifted: bool = False
    last_shares: Mapping[str, int] = field(default_factory=dict)
    overruled: RecordSet | None = None
    common_fall: frozenset[str] = frozenset()
    taken_out: frozenset[str] = frozenset()
    ramps: Ramps = field(default_factory=dict)
    incident: bool = False
    aside: Mapping[str, ReasonCode] = field(default_factory=dict)
    practised: frozenset[str] = frozenset()
    cut_short: frozenset[str] = frozenset()
    unmeasured: frozenset[str] = frozenset()
    saving: Saving = field(default_factory=Saving)
    counted: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def emptied(self) -> bool:
        """Whether nothing is answered where failoverd answered before."""
        answers = self.current is not None and bool(self.current.serving)
        return not answers and (self.owned or self.last_good is not None)

    @cached_property
    def standing(self) -> RecordSet | None:
        """Where a decision starts from: what is published, or what was, if somebody else emptied or edited it.

        Where an edit was accepted it is what failoverd wanted instead. Started from the edit, each region that it took
        out would be on its way back: in time that alone would be something else to want, and end the edit.
        """
        if self.last_good is None or not (self.emptied or self.drifted or self.current == self.last_good):
            return self.current
        return self.overruled or self.last_good

    def shares(self, region_of: Mapping[str, str]) -> Mapping[str, int]:
        """The shares by region that `standing` answers with; for our own answer, those that it was published for."""
        if self.standing is None:
            return {}
        ours = self.standing == self.last_good and self.last_shares
        return self.last_shares if ours else self.standing.shares(region_of)

    @cached_property
    def published(self) -> frozenset[str]:
        """The values that `standing` answers with."""
        return frozenset(answer.value for answer in self.standing.serving) if self.standing is not None else frozenset()

    def kept(self, mine: Mapping[str, str]) -> RecordSet | None:
        """What was last verified, without values that the policy gave up since: they may be somebody else's by now.

        Where nothing is left of an edit that was accepted, it is what failoverd wanted instead.
        """
        for good in filter(None, (self.last_good, self.overruled)):
            if answers := tuple(answer for answer in good.serving if answer.value in mine):
                return replace(good, answers=answers)
        return None


def soonest(*moments: float | None) -> float | None:
    """The first of some moments at which something changes; None is a moment that never comes."""
    return min((moment for moment in moments if moment is not None), default=None)
