"""Everything that a decision rests on besides the policy and what stands in DNS: one value, to JSON and back.

The journal keeps it, a restart and `failoverctl plan` take it up. What is in it is told by `evaluate` and `progress`
alone; the health of regions comes from `core.health`, and is put in before each decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from failoverd.core.control.cost import Saving
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.epochs import Precedence
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.ramp import Ramp
from failoverd.core.control.relieving import Reliefs
from failoverd.core.control.rivals import Rivalry
from failoverd.core.control.signals import Signalled
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override
from failoverd.core.practices import PastPractice
from failoverd.core.reasons import Cause, Limit, ReasonCode
from failoverd.core.records import Model, RecordSet, RecordType, Target
from failoverd.core.status import TargetState

STATE_VERSION = 1
"""Grows with each change of `PolicyState` that an older version could not read."""

MOST_CHANGES = 1_000
"""Changes of one target that are remembered, for limits of any window."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Somebody's edit that stands, and since when it was seen."""

    records: RecordSet | None
    since: float


@dataclass(frozen=True, slots=True)
class Essence:
    """What makes a decision news: another kind, other shares or answers, or another reason for standing still."""

    kind: DecisionKind
    shares: Mapping[str, int]
    records: RecordSet | None
    waits: frozenset[ReasonCode]


@dataclass(frozen=True, slots=True)
class HoldTold:
    """What was told of a plan that a limit holds: it is news when any of it changes."""

    wanted: Mapping[str, int]
    worst: RegionState
    cause: Cause
    limits: tuple[Limit, ...]
    rules: tuple[str, ...] = ()

    @property
    def keeps_dead(self) -> bool:
        """Whether no plan is held, but what is down stays: by an operator's word, or for a newer leader to take off."""
        return self.limits in {(Limit.HELD,), (Limit.LEADER,)}


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last of a target, so that the same thing is not told twice.

    Attributes:
        decision_id: chains what follows to the last decision that was news.
        decision: what made it news.
        drift: the edit that was told, and what was said to become of it.
        hold: the plan that a limit holds.
        refused: why the name is not touched.
        lost: ids of operators' words that the marker names and nobody knows.
        delay: why it waits, and for what.
        failures: tries in a row that did not get through.
    """

    decision_id: str = ""
    decision: Essence | None = None
    drift: tuple[str, str] = ("", "")
    hold: HoldTold | None = None
    refused: str = ""
    lost: tuple[str, ...] = ()
    delay: tuple[str, Mapping[str, int]] | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class TargetMemory:
    """What is known of one target from before.

    Attributes:
        target: which.
        last_good: what failoverd last verified there.
        changes: those that limits may still count, oldest first.
        doubts: plans that were begun, and of which nobody knows how they went.
        edit: somebody's edit that stands.
        edit_over: since when what stands there is no edit any more: it was put back, or it is what is wanted.
        common_fall: regions of a fall of all regions that is not over, and whether each was back since.
        revision: the policy revision whose wish was last published in full.
        generation: the highest generation of the name that was seen here.
        state: where it stood after its last round; None before the first one.
        kind: what kind of answer was last decided on.
        taken_out: regions that an operator's word, or an accepted edit that is over, took out, and that are not back.
        practised: those of them that a drill took out.
        yielded: ids of drills that gave way to something: they do not begin again once that is over.
        by_hand: the generation of the last change of the name by hand that was heard of.
        by_hand_at: when it was heard of.
        left_by: id of the word by which an answer that a person left stands in a form that failoverd would not choose.
        rivalry: who else writes the name.
        precedence: whether a newer leader wrote the name.
        withheld: since when an assertion of the installation keeps what is down in the answer, by its name.
        lost: operators' words that the marker names and nobody knows, and when each of them ends.
        told: what was told last.
        ramps: how far the regions have come that are on their way back.
        aside: regions that serve and were left out, with the reason, and that are not back.
        saving: shares that were chosen for their price.
        reliefs: what was found out about regions that were full.
    """

    target: Target
    last_good: LastGood | None = None
    changes: tuple[PastChange, ...] = ()
    doubts: tuple[Plan, ...] = ()
    edit: Edit | None = None
    edit_over: float = 0.0
    common_fall: Mapping[str, bool] = field(default_factory=dict)
    revision: str = ""
    generation: int = 0
    state: TargetState | None = None
    kind: DecisionKind | None = None
    taken_out: frozenset[str] = frozenset()
    by_hand: int = 0
    by_hand_at: float = 0.0
    left_by: str = ""
    rivalry: Rivalry = field(default_factory=Rivalry)
    withheld: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    told: Told = Told()
    ramps: Mapping[str, Ramp] = field(default_factory=dict)
    aside: Mapping[str, ReasonCode] = field(default_factory=dict)
    practised: frozenset[str] = frozenset()
    yielded: frozenset[str] = frozenset()
    saving: Saving = field(default_factory=Saving)
    reliefs: Reliefs = field(default_factory=dict)
    precedence: Precedence = field(default_factory=Precedence)

    @property
    def far(self) -> frozenset[str]:
        """The regions that are left out on a normal day, because they are too far away."""
        return frozenset(name for name, code in self.aside.items() if code is ReasonCode.TOO_FAR)

    @property
    def changed_at(self) -> float | None:
        """When traffic was last split otherwise than before; None where failoverd never published anything."""
        moves = (change.at for change in reversed(self.changes) if change.shares_before != change.shares_after)
        moved = next(moves, self.last_good.at if self.last_good is not None else None)
        return max(moved, self.edit_over) if moved is not None else None

    def without_edit(self, records: RecordSet | None, now: float) -> "TargetMemory":
        """The same where no edit stands any more, but `records`: those of the edit itself were there all the while."""
        if self.edit is None:
            return self
        return replace(self, edit=None, edit_over=self.edit.since if self.edit.records == records else now)

    @property
    def normal(self) -> bool:
        """Whether it holds what the file says for a day on which nothing is wrong, or an operator for such a day."""
        return self.state is TargetState.IN_SYNC and self.kind in {DecisionKind.NORMAL, DecisionKind.OPERATOR}


Verdicts = Mapping[RecordType, Mapping[str, RegionHealth]]
"""The health of each region that a record of that type can answer with."""

Fallen = Mapping[RecordType, Mapping[str, float]]
"""Since when each region is down that is, by record type."""


@dataclass(frozen=True, slots=True)
class PolicyState:
    """One policy.

    Attributes:
        policy: its name.
        version: of this shape.
        epoch: of the leader who wrote it; one member alone is epoch 0.
        incident: the open one.
        verdicts: the health of its regions, by record type.
        down_since: since when those that are down are, as far as this process or an earlier one saw.
        served: the models that regions were seen to serve, as far as this process or an earlier one saw.
        calm: whether every endpoint is HEALTHY.
        returning: regions that a person brings back now, whatever `failback` says.
        targets: what is known of each target from before, by `key_of`.
        overrides: operators' words that concern it, those included that ended before their time. Kept by themselves.
        signalled: what others measured for it.
        practices: how drills of its regions went, the oldest first.
    """

    policy: str
    version: int = STATE_VERSION
    epoch: int = 0
    incident: Incident | None = None
    verdicts: Verdicts = field(default_factory=dict)
    down_since: Fallen = field(default_factory=dict)
    calm: bool = True
    returning: frozenset[str] = frozenset()
    targets: Mapping[str, TargetMemory] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    signalled: Signalled = field(default_factory=Signalled)
    practices: tuple[PastPractice, ...] = ()
    served: Mapping[str, tuple[Model, ...]] = field(default_factory=dict)

    def with_verdicts(self, verdicts: Verdicts, *, calm: bool) -> "PolicyState":
        """The same, with the health of its regions as it is seen now.

        A region that nobody knows anything of stays down if it was: after a restart none has a verdict yet. Nor is
        what it was seen to serve forgotten.
        """

        def since(known: Mapping[str, float], health: RegionHealth) -> float | None:
            if health.state is RegionState.DOWN:
                return min(health.since, known.get(health.name, health.since))
            return known.get(health.name) if health.state is RegionState.UNKNOWN else None

        fallen = {
            record_type: {
                name: at
                for name, health in regions.items()
                if (at := since(self.down_since.get(record_type, {}), health)) is not None
            }
            for record_type, regions in verdicts.items()
        }
        served: dict[str, tuple[Model, ...]] = {}
        for health in (each for regions in verdicts.values() for each in regions.values()):
            known = self.served.get(health.name, ()) if health.state is RegionState.UNKNOWN else ()
            if models := health.served or known:
                served[health.name] = tuple(dict.fromkeys((*served.get(health.name, ()), *models)))
        return replace(self, verdicts=verdicts, calm=calm, down_since=fallen, served=served)

    def of(self, target: Target) -> TargetMemory:
        """What is known of a target: nothing yet, if it is new."""
        return self.targets.get(key_of(target)) or TargetMemory(target)

    def with_target(self, memory: TargetMemory) -> "PolicyState":
        """The same, with this memory of its target."""
        return replace(self, targets={**self.targets, key_of(memory.target): memory})

    def regions(self, record_type: RecordType) -> Mapping[str, RegionHealth]:
        return self.verdicts.get(record_type, {})

    def other_types(self, target: Target) -> tuple[TargetMemory, ...]:
        """What is known of the other types of a target's name, which share its marker."""
        name, key = target.key.name, key_of(target)
        same = [(other, each) for other, each in self.targets.items() if each.target.key.name == name]
        return tuple(each for other, each in same if other != key and _name(each.target) == _name(target))


def key_of(target: Target) -> str:
    """What tells a target from the others of its policy."""
    return f"{target.provider} {target.zone} {target.key}"


def _name(target: Target) -> tuple[str, str, str]:
    return target.provider, target.zone, target.key.name
