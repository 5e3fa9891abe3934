"""Why a decision came out as it did, and what it was measured against: codes and numbers.

A reason has all the numbers that its sentence needs, so that a person can redo the sum and a test can compare numbers.
The sentences are made in `telemetry/reasoning.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    """What is told. In brackets the numbers, by name: shares and scores in basis points, times in seconds."""

    # the health of one region, [score]; `detail` is the evidence
    REGION_UNKNOWN = "region_unknown"
    REGION_HEALTHY = "region_healthy"
    REGION_DEGRADED = "region_degraded"
    REGION_DOWN = "region_down"
    FLAPPED = "flapped"  # [until]: it passes, and is kept out until its flap penalty has decayed; `named` has endpoints

    # why nothing moves
    NO_VERDICT = "no_verdict"  # `regions` were never seen
    PROBER_DOUBTED = "prober_doubted"  # nobody is known to serve, and not all are known to be down
    ALL_DOWN = "all_down"  # the answer is kept
    COMMON_FALL = "common_fall"  # [wait]: `regions` would get more, and their own verdicts are open
    COMMON_RISE = "common_rise"  # [wait]: `regions` fell together with those that are back, and are expected
    DEADBAND = "deadband"  # [step, min_step]: too little to be worth a change
    DWELL = "dwell"  # [dwell]: tuned a moment ago; resolvers still use the answer before

    # what else shapes the answer
    RESTORE = "restore"  # the record is empty: its last verified answer is put back
    ALL_DOWN_NORMAL = "all_down_normal"  # every region is down, and the policy says to publish the normal shares
    ALL_DOWN_EMPTY = "all_down_empty"  # every region is down, and nothing is answered: the normal shares
    FROZEN = "frozen"  # [share]: lost from sight, and keeps it
    RELEASED = "released"  # [share]: lost from sight, and what it answers with is down
    FAILBACK_HOLD = "failback_hold"  # [well, hold]
    FAILBACK_MANUAL = "failback_manual"  # a person brings it back
    FAILBACK_WAIVED = "failback_waived"  # `regions` are let in early: nobody else can carry the traffic
    COMMON_RETURN = "common_return"  # `regions` fell together with all others: they come back without a hold
    PULL = "pull"  # [pull, share, score]
    CAPACITY = "capacity"  # [wanted, room, score], [capacity, demand] where stated, [left] of a full one's room
    UNMEASURED = "unmeasured"  # [wanted, room]: it was called ill when its figures were lost; or none, and it stays out
    OPEN_VERDICT = "open_verdict"  # [wanted, room]: it may be falling as well, and gets no more than it has
    SPILL = "spill"  # [carried, rest]: `regions` are full
    SHARED_CAPACITY = (
        "shared_capacity"  # as `capacity`, [taken]: others need that of it first, or of [whole], as they see it
    )
    EXCESS = "excess"  # [rest, demand, taken]: it fits nowhere, and goes to `region`, where higher tiers suffer least
    OVERLOAD = "overload"  # [rest]: it fits nowhere, and is split by `shares`, what each region can carry
    SHARE = "share"  # [share]
    LINK = (
        "link"  # [wanted, room, bandwidth, headroom, per_request, demand], and [taken]: the link to its data is so wide
    )
    CHEAPER = "cheaper"  # [before, after, since, save, at_least]: `shares` follow the price, USD a month
    COST = "cost"  # [hour, normal, month]: what the shares cost in USD, and what those of a normal day do in an hour
    SINGLE = "single"  # [share]: the first that serves, of a record that holds one value at a time
    RAMP = "ramp"  # [step, steps, part, of, wanted, room], [next] once it is known, [counts] by a rule: it comes back
    FAILBACK_GIVEN_UP = "failback_given_up"  # [aborts]: it fell on the ramp each time; a person brings it back
    TRICKLE = "trickle"  # [share, part, standbys]: a standby that nobody needs is kept tested by so much

    SHED_TO = "shed_to"  # [short, demand]: it fits nowhere, and goes to the place that `detail` names
    ALL_DOWN_ANSWER = "all_down_answer"  # every region is down, and the place that `detail` names answers

    # who may answer at all
    RESIDENCY = "residency"  # the region is outside of it; `detail` is its jurisdiction, "" where none is stated
    MODEL = "model"  # the region does not serve the wanted model; `detail` has both
    MODEL_SEEN = "model_seen"  # the region is seen to serve another model than is declared; `detail` has both
    MODEL_DOUBTED = "model_doubted"  # no region is seen to serve `detail`, the wanted model: what is declared counts
    GUEST = "guest"  # [until]: outside of the residency, and let in by a word that breaks it, which `detail` names
    EVICTED = "evicted"  # `regions` may not answer: the answer that is held is made of who may
    NOBODY_ALLOWED = "nobody_allowed"  # no region may answer: the answer is left as it is

    # who serves and is left out all the same, or would be
    DEGRADED_OUT = "degraded_out"  # [score]: the others have room for what it has
    DEGRADED_KEPT = "degraded_kept"  # [score]: it would be left out, and `rule` speaks against it
    TOO_FAR = "too_far"  # [latency, nearest, bound], medians in seconds; or [until]: it was, and is not measured yet
    FAR_KEPT = "far_kept"  # as `too_far`, and `rule` speaks against it

    # what an operator's word says; `named` has its id, `detail` who gave it and why as well; [since] and [until]
    DRAINED = "drained"  # gets no traffic
    SHED = "shed"  # [part]: gets so much less than it would; with [wanted, room] where that bounds it
    PINNED = "pinned"  # `shares`, among those that serve
    PIN_IDLE = "pin_idle"  # `shares`: nobody of them serves
    OVERRULED = "overruled"  # a drain (of `region`) or a pin does not count, for a later word does: `detail` has both
    SAID = "said"  # endpoints are up, down or drained by word
    PAUSED = "paused"  # nothing moves but what fails out
    HELD = "held"  # nothing is written
    OVERRIDES_LOST = "overrides_lost"  # the marker names words that the journal does not know
    PRACTISED = "practised"  # gets no traffic, to see that the others bear it
    NOBODY_LEFT = "nobody_left"  # `regions` are drained, and nobody else is there

    # what somebody else measures; `rule` says which figure, [at] is when
    MEASURED = "measured"  # [value, at], and [found] where it is clipped, or raised to the least that was declared
    LAST_VALUE = "last_value"  # [value, at, until]: nothing newer is known, and it counts until then
    DECLARED = "declared"  # [value]: nothing is known, or nothing that counts any more
    # of the following, `named` has the source and its query, and [since] is when it began
    LOADED = "loaded"  # [load, low, high, room]: it is full, and has a part of its room
    LOADED_ALIKE = "loaded_alike"  # `regions` are full, and none has room for what they would shed
    BURNING = "burning"  # [burn, short, others, requests, most]: far more errors than the others; `detail`: how ill
    SAME_EVERYWHERE = "same_everywhere"  # [burn, short, others, requests, most]: others have as many: nothing moves
    NOT_COMPARED = "not_compared"  # [burn, short, requests, most]: nobody says how the others are: nothing moves
    ALERTED = "alerted"  # [since, until]: an alert says so; `detail` names it and who sent it
    LAST_LEFT = "last_left"  # a signal or an alert calls it down, and nobody else serves: it stays, as degraded
    PRACTICE_YIELDS = "practice_yields"  # a drill of `regions` would cost service, or something else is going on

    # who else writes the name under our owner, [since]; `detail` names the instances
    RIVAL = "rival"
    # a newer leader wrote the name, [epoch, ours]; `detail` names its instance
    NEWER_LEADER = "newer_leader"

    # what a person did; `detail` says who
    ADOPT = "adopt"
    DISOWN = "disown"
    BY_HAND = "by_hand"  # [generation]: with a command that failoverd printed

    REGION = "region"  # as versions before this told the health of a region

    @property
    def traits(self) -> "ReasonTraits":
        return TRAITS[self]


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the sum.

    Attributes:
        code: which.
        rule: the dotted policy key that it obeys.
        region: the region that it is about.
        regions: the regions that it is about, where there may be several.
        numbers: by name, as the code says.
        shares: by region, in basis points.
        named: ids of what else it is about: endpoints, operators' words.
        detail: words that come from elsewhere, to be shown: evidence, who did it.
        text: the sentence, where an earlier version told it; empty in what this one makes.
    """

    code: ReasonCode
    rule: str = ""
    region: str = ""
    regions: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    detail: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReasonTraits:
    """What follows from a code wherever reasons are told apart by their kind.

    Attributes:
        health: of a region, which it tells; "" where an earlier version told it in words; None: it tells none.
        unusual: whether a decision is an unusual one by it: nothing moves, or moves although nobody serves.
        news: whether it is told when it comes or goes, though the shares stay: somebody at night would wonder, as why a
            region that serves gets nothing. What is added after the decision (DEADBAND, DWELL) cannot be.
        of_region: whether it matters only where its region answers, or would.
        keeps_out: whether it is why a region gets nothing, or not yet.
        waits: whether something is let pass before what is wanted is done.
        bounds: whether it bounds what a region gets.
        rated: whether it is a word by which traffic moves within rates.
        explains: whether it explains an answer in a few words; the others are steps of the sum alone.
    """

    health: str | None = None
    unusual: bool = False
    news: bool = False
    of_region: bool = False
    keeps_out: bool = False
    waits: bool = False
    bounds: bool = False
    rated: bool = False
    explains: bool = True


TRAITS: Final[Mapping[ReasonCode, ReasonTraits]] = {
    ReasonCode.OVERRIDES_LOST: ReasonTraits(unusual=True),
    ReasonCode.NEWER_LEADER: ReasonTraits(unusual=True, news=True),
    ReasonCode.RIVAL: ReasonTraits(news=True),
    ReasonCode.HELD: ReasonTraits(unusual=True),
    ReasonCode.NOBODY_LEFT: ReasonTraits(unusual=True),
    ReasonCode.NOBODY_ALLOWED: ReasonTraits(unusual=True),
    ReasonCode.EVICTED: ReasonTraits(unusual=True),
    ReasonCode.GUEST: ReasonTraits(news=True),
    ReasonCode.MODEL_DOUBTED: ReasonTraits(unusual=True, news=True),
    ReasonCode.PINNED: ReasonTraits(rated=True),
    ReasonCode.DRAINED: ReasonTraits(news=True, of_region=True, keeps_out=True, rated=True),
    ReasonCode.SHED: ReasonTraits(news=True, of_region=True, bounds=True, rated=True),
    ReasonCode.SAID: ReasonTraits(news=True),
    ReasonCode.PRACTISED: ReasonTraits(news=True, of_region=True, keeps_out=True, rated=True),
    ReasonCode.PRACTICE_YIELDS: ReasonTraits(news=True),
    ReasonCode.RESTORE: ReasonTraits(unusual=True),
    ReasonCode.ALL_DOWN: ReasonTraits(unusual=True),
    ReasonCode.ALL_DOWN_NORMAL: ReasonTraits(unusual=True),
    ReasonCode.ALL_DOWN_EMPTY: ReasonTraits(unusual=True),
    ReasonCode.ALL_DOWN_ANSWER: ReasonTraits(unusual=True),
    ReasonCode.COMMON_FALL: ReasonTraits(unusual=True, news=True),
    ReasonCode.COMMON_RISE: ReasonTraits(unusual=True, news=True, keeps_out=True, waits=True),
    ReasonCode.PROBER_DOUBTED: ReasonTraits(unusual=True, news=True),
    ReasonCode.NO_VERDICT: ReasonTraits(unusual=True, news=True),
    ReasonCode.FLAPPED: ReasonTraits(of_region=True, keeps_out=True),
    ReasonCode.REGION_DOWN: ReasonTraits(health="down", of_region=True, keeps_out=True),
    ReasonCode.RELEASED: ReasonTraits(news=True),
    ReasonCode.FAILBACK_GIVEN_UP: ReasonTraits(news=True, keeps_out=True, waits=True),
    ReasonCode.FAILBACK_MANUAL: ReasonTraits(news=True, keeps_out=True, waits=True),
    ReasonCode.FAILBACK_HOLD: ReasonTraits(news=True, keeps_out=True, waits=True),
    ReasonCode.RAMP: ReasonTraits(keeps_out=True, waits=True, bounds=True),
    ReasonCode.FROZEN: ReasonTraits(news=True),
    ReasonCode.DEGRADED_OUT: ReasonTraits(news=True, of_region=True, keeps_out=True),
    ReasonCode.TOO_FAR: ReasonTraits(news=True, keeps_out=True),
    ReasonCode.EXCESS: ReasonTraits(news=True),
    ReasonCode.SHED_TO: ReasonTraits(news=True),
    ReasonCode.OVERLOAD: ReasonTraits(news=True),
    ReasonCode.LAST_LEFT: ReasonTraits(unusual=True),
    ReasonCode.ALERTED: ReasonTraits(news=True, of_region=True, keeps_out=True),
    ReasonCode.BURNING: ReasonTraits(news=True, of_region=True, keeps_out=True),
    ReasonCode.SAME_EVERYWHERE: ReasonTraits(news=True),
    ReasonCode.NOT_COMPARED: ReasonTraits(news=True),
    ReasonCode.REGION_DEGRADED: ReasonTraits(health="degraded", of_region=True),
    ReasonCode.CHEAPER: ReasonTraits(),
    ReasonCode.LOADED: ReasonTraits(of_region=True),
    ReasonCode.SHARED_CAPACITY: ReasonTraits(bounds=True),
    ReasonCode.CAPACITY: ReasonTraits(bounds=True),
    ReasonCode.LOADED_ALIKE: ReasonTraits(),
    ReasonCode.LAST_VALUE: ReasonTraits(),
    ReasonCode.DECLARED: ReasonTraits(),
    ReasonCode.LINK: ReasonTraits(bounds=True),
    ReasonCode.UNMEASURED: ReasonTraits(news=True, of_region=True, keeps_out=True, bounds=True),
    ReasonCode.OPEN_VERDICT: ReasonTraits(bounds=True),
    ReasonCode.DEGRADED_KEPT: ReasonTraits(of_region=True),
    ReasonCode.FAR_KEPT: ReasonTraits(explains=False),
    ReasonCode.SPILL: ReasonTraits(),
    ReasonCode.PAUSED: ReasonTraits(news=True),
    ReasonCode.DEADBAND: ReasonTraits(),
    ReasonCode.DWELL: ReasonTraits(waits=True),
    ReasonCode.FAILBACK_WAIVED: ReasonTraits(),
    ReasonCode.BY_HAND: ReasonTraits(),
    ReasonCode.ADOPT: ReasonTraits(),
    ReasonCode.REGION_UNKNOWN: ReasonTraits(health="unknown", of_region=True, keeps_out=True, explains=False),
    ReasonCode.REGION_HEALTHY: ReasonTraits(health="healthy", explains=False),
    ReasonCode.REGION: ReasonTraits(health="", explains=False),
    ReasonCode.COMMON_RETURN: ReasonTraits(news=True, explains=False),
    ReasonCode.RESIDENCY: ReasonTraits(explains=False),
    ReasonCode.MODEL: ReasonTraits(keeps_out=True, explains=False),
    ReasonCode.MODEL_SEEN: ReasonTraits(news=True),
    ReasonCode.MEASURED: ReasonTraits(explains=False),
    ReasonCode.PULL: ReasonTraits(explains=False),
    ReasonCode.TRICKLE: ReasonTraits(explains=False),
    ReasonCode.SHARE: ReasonTraits(explains=False),
    ReasonCode.COST: ReasonTraits(explains=False),
    ReasonCode.SINGLE: ReasonTraits(explains=False),
    ReasonCode.PIN_IDLE: ReasonTraits(explains=False),
    ReasonCode.OVERRULED: ReasonTraits(explains=False),
    ReasonCode.DISOWN: ReasonTraits(explains=False),
}
"""By code, in the order in which a person wants to know them."""


# -- what a change is measured against ---------------------------------------------------------------------------------


class Cause(StrEnum):
    """Why traffic leaves or enters a region."""

    FAILING_OUT = "failing_out"  # it is down, or what it answers with is
    REBUILDING = "rebuilding"  # nothing is answered, so there is no traffic to move
    OPERATOR = "operator"  # a person said so: an edited policy, adoption
    TUNING = "tuning"  # DEGRADED, capacity, demand, or latency
    MAKING_ROOM = "making_room"  # a policy of a higher tier needs what it has
    RETURNING = "returning"  # failback
    EVICTED = "evicted"  # residency or model equivalence does not allow it any more

    @property
    def urgent(self) -> bool:
        """Whether traffic is lost, or is where it may not be, for as long as it waits."""
        return self in {Cause.FAILING_OUT, Cause.REBUILDING, Cause.EVICTED}


class Limit(StrEnum):
    NEVER_EMPTY = "never_empty"
    MIN_REGIONS = "min_regions"
    MAX_SHIFT = "max_shift"
    MAX_CHANGES = "max_changes"
    PAUSED = "paused"  # an operator's word: no traffic may move but what fails out
    LOST = "lost"  # operators' words that the journal lost: no traffic may move but what fails out
    RIVAL = "rival"  # another instance writes the name as well: no traffic may move but what fails out
    UNCOORDINATED = "uncoordinated"  # none of several members can lead: no traffic may move but what fails out
    ASSERTION = "assertion"  # a rule of the installation: what has to be in the answer
    GATE = "gate"  # a rule of the installation: a switch is on
    HELD = "held"  # an operator's word: the answer stays as it is, whatever fails
    LEADER = "leader"  # a newer leader wrote the name: it is that one's to move

    @property
    def kind(self) -> "LimitKind":
        return LIMIT_KINDS[self]


class LimitKind(StrEnum):
    """What sort of a limit it is: what lets more pass, and who says it, follow from that."""

    FLOOR = "floor"  # a policy says it: so much there has to be, and a lower number lets more pass
    CEILING = "ceiling"  # a policy says it: so much there may be, and a higher number lets more pass
    RATE = "rate"  # a policy says it: so much within a window, and so time lets more pass, too
    RULE = "rule"  # the inventory says it
    STATE = "state"  # no file says it, and none can lift it


LIMIT_KINDS: Final[Mapping[Limit, LimitKind]] = {
    Limit.NEVER_EMPTY: LimitKind.STATE,
    Limit.MIN_REGIONS: LimitKind.FLOOR,
    Limit.MAX_SHIFT: LimitKind.RATE,
    Limit.MAX_CHANGES: LimitKind.RATE,
    Limit.PAUSED: LimitKind.STATE,
    Limit.LOST: LimitKind.STATE,
    Limit.RIVAL: LimitKind.STATE,
    Limit.UNCOORDINATED: LimitKind.STATE,
    Limit.ASSERTION: LimitKind.RULE,
    Limit.GATE: LimitKind.RULE,
    Limit.HELD: LimitKind.STATE,
    Limit.LEADER: LimitKind.STATE,
}


class LimitNote(StrEnum):
    """Why a limit lets a change pass that its numbers alone would not."""

    NONE = ""
    ANSWERS_STAY = "answers_stay"  # only the marker is written
    NOTHING_ANSWERED = "nothing_answered"
    NO_NARROWER = "no_narrower"  # it was narrower than the limit before
    FAILING_OUT = "failing_out"  # what is down leaves at once
    INDIVISIBLE = "indivisible"  # no smaller step can be said, or is allowed; and nothing else moved in the window
    BEFORE_EDIT = "before_edit"  # counted from before somebody else's edit
    SMALLER = "smaller"  # the step was made smaller
    APPROVED = "approved"  # a person let this plan through
    AGREEMENT = "agreement"  # a person let this plan through, and more have to agree
    NO_WORSE = "no_worse"  # it broke the assertion before
    BROKEN = "broken"  # a person named the rule that is broken
    WAITED = "waited"  # what is down was kept for as long as the rule says
    AT_ONCE = "at_once"  # a person said that no rate counts
    EVICTED = "evicted"  # what may not answer leaves, whatever is left
    NOBODY_SERVES = "nobody_serves"  # every region is down, and a named place answers
    RECALLED = "recalled"  # a drill took the region out, and was cut short: it never failed


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit with its numbers: `found` against `allowed`, within `window` seconds where it is a rate.

    Shifts are in basis points. `cause` is whose ration it is. `rule` names a rule of the installation, which is written
    at `rule_at`.
    """

    limit: Limit
    passed: bool
    found: float
    allowed: float
    window: float = 0.0
    cause: Cause | None = None
    note: LimitNote = LimitNote.NONE
    rule: str = ""
    rule_at: str = ""

    @property
    def holds_back(self) -> bool:
        """Whether it keeps from being done what is wanted: all of it, or what a smaller step leaves for later."""
        return not self.passed or self.note in {LimitNote.SMALLER, LimitNote.FAILING_OUT}
