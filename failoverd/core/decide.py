"""What a policy wants now, and why.

`decide` is a chain of small steps. It returns early with a named verdict where nothing should move; otherwise every
step that shapes the sum leaves a reason with its numbers. Equal inputs give equal outputs, and the reasons alone are
enough to redo the sum by hand.

1. Regions without a verdict. Before a region had its first one, nothing is written at all. Later, a region that is lost
   from sight keeps the share that it has, and the others are decided among themselves. It lets go of it only when every
   endpoint that it answers with is known to be down.
2. Everything down. `when_all_down: keep` moves nothing; `normal` publishes the shares as if all were well.
3. Failback. A region that was withdrawn comes back after it has been well for `failback.after`, or when a person brings
   it back. This never costs service: if the other regions cannot carry the traffic, it is let in at once.
4. Allocation. A record that holds one value at a time (a CNAME in plain DNS) gives everything to the first region that
   serves. Otherwise: tiers by `priority`, low numbers first. Inside a tier the traffic is split by pull: the share, or
   while a region is DEGRADED share x score. No region gets more than it can carry (score x capacity / demand); what
   does not fit goes to the others of the tier, then spills to the next. If nothing fits any more, the rest is split by
   what each region can carry: overloaded beats shut.
5. Answers. A region's share is split evenly among its serving endpoints.

Everything is computed in exact fractions and rounded once, at the end. The start is what is published now; of a record
that was emptied or edited by somebody else it is what was last verified there, so that an edit ends no hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.records import (
    WHOLE,
    AllDown,
    Policy,
    RecordSet,
    RecordSpec,
    RegionSpec,
    Steering,
    Target,
    apportion,
)


class Wish(StrEnum):
    """The named reason of a decision: what kind of answer it is."""

    NORMAL = "normal"  # the shares of the file, all regions well
    FAILOVER = "failover"  # shares moved away from what the file says
    ALL_DOWN_NORMAL = "all_down_normal"
    HOLD_NO_VERDICT = "hold_no_verdict"
    HOLD_ALL_DOWN = "hold_all_down"
    RESTORE_LAST_GOOD = "restore_last_good"  # a hold, but the record is empty: put back what was
    OPERATOR = "operator"  # a person decided: adoption, manual return


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the sum, in words with its numbers; `rule` is the dotted policy key that it obeys.

    `region` is set where the step tells the health of one region.
    """

    code: str
    text: str
    rule: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy wants at a target.

    `records` is what to publish, before the provider's normalisation; None means "leave it exactly as it is".
    `shares` are basis points by region and sum to `WHOLE`, or are empty when nothing is to be published. `id` is given
    by the shell; it chains the decision to its change in logs and history.
    """

    target: Target
    wish: Wish
    shares: Mapping[str, int]
    records: RecordSet | None
    reasons: tuple[Reason, ...]
    at: float
    id: str = ""

    @property
    def holds(self) -> bool:
        return self.records is None


@dataclass(frozen=True, slots=True)
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
    """

    regions: Mapping[str, RegionHealth]
    current: RecordSet | None = None
    owned: bool = False
    last_good: RecordSet | None = None
    returning: frozenset[str] = frozenset()
    drifted: bool = False
    last_shares: Mapping[str, int] = field(default_factory=dict)

    @property
    def emptied(self) -> bool:
        """Whether nothing is answered where failoverd answered before."""
        answers = self.current is not None and bool(self.current.serving)
        return not answers and (self.owned or self.last_good is not None)

    @property
    def standing(self) -> RecordSet | None:
        """Where a decision starts from: what is published, or what was, if somebody else emptied or edited it."""
        return self.last_good if self.last_good is not None and (self.emptied or self.drifted) else self.current

    def shares(self, region_of: Mapping[str, str]) -> Mapping[str, int]:
        """The shares by region that `standing` answers with; for our own answer, those that it was published for."""
        if self.standing is None:
            return {}
        ours = self.standing == self.last_good and self.last_shares
        return self.last_shares if ours else self.standing.shares(region_of)

    @property
    def published(self) -> frozenset[str]:
        """The values that `standing` answers with."""
        return frozenset(answer.value for answer in self.standing.serving) if self.standing is not None else frozenset()


def decide(policy: Policy, record: RecordSpec, target: Target, view: View, now: float) -> Decision:
    """What `policy` wants `record` to answer at `target`.

    Args:
        policy: the file.
        record: one of the policy's records.
        target: one of the record's targets.
        view: health and what is published.
        now: seconds since the epoch.
    """
    specs = [spec for spec in policy.regions if spec.name in view.regions]
    unknown = [spec for spec in specs if view.regions[spec.name].state is RegionState.UNKNOWN]
    published = view.shares(policy.region_of(record.key.type))
    awaited = (spec for spec in unknown if not view.regions[spec.name].seen)
    unseen = [spec for spec in awaited if not (published and view.regions[spec.name].given_up(now))]
    reasons = [_seen(view.regions[spec.name]) for spec in specs]

    if unseen:
        text = f"no verdict yet on {_names(unseen)}: nothing is written before it is known"
        reasons.append(Reason("no_verdict", text, "checks"))
        return _hold(Wish.HOLD_NO_VERDICT, policy, record, target, view, reasons, now)

    frozen = _frozen(unknown, view, published, reasons)
    serving = [spec for spec in specs if view.regions[spec.name].serves]
    if not serving and (frozen or len(unknown) == len(specs)):
        text = "no region is known to serve, and not all are known to be down: the prober is doubted, nothing moves"
        reasons.append(Reason("no_verdict", text, "checks"))
        return _hold(Wish.HOLD_NO_VERDICT, policy, record, target, view, reasons, now)
    if not serving:
        return _all_down(policy, record, target, view, specs, reasons, now)

    shares = _with_failback(policy, record, view, published, serving, WHOLE - sum(frozen.values()), reasons, now)
    whole = dict(sorted({**frozen, **shares}.items()))
    wish = Wish.NORMAL if whole == _normal_shares(policy, record, specs) and not unknown else Wish.FAILOVER
    values = {name: _answers(view.regions[name], view) for name in whole}
    return _decision(wish, target, record, whole, values, reasons, now)


# -- 1 and 2: reasons not to move --------------------------------------------------------------------------------------


def _hold(
    wish: Wish, policy: Policy, record: RecordSpec, target: Target, view: View, reasons: list[Reason], now: float
) -> Decision:
    """Leave the record as it is; but an emptied record gets its last good answer back, for holding is no outage."""
    good = _last_good(policy, record, view)
    if view.emptied and good is not None:
        reasons.append(Reason("restore", "the record is empty: its last verified answer is put back"))
        shares = good.shares(policy.region_of(record.key.type))
        return Decision(target, Wish.RESTORE_LAST_GOOD, shares, good, tuple(reasons), now)
    return Decision(target, wish, {}, None, tuple(reasons), now)


def _last_good(policy: Policy, record: RecordSpec, view: View) -> RecordSet | None:
    """What was last verified, without the values that the policy gave up since: they may be somebody else's by now."""
    if view.last_good is None:
        return None
    mine = policy.region_of(record.key.type)
    kept = tuple(answer for answer in view.last_good.serving if answer.value in mine)
    return replace(view.last_good, answers=kept) if kept else None


def _all_down(
    policy: Policy,
    record: RecordSpec,
    target: Target,
    view: View,
    specs: list[RegionSpec],
    reasons: list[Reason],
    now: float,
) -> Decision:
    lost = view.emptied and _last_good(policy, record, view) is None
    if policy.when_all_down is AllDown.KEEP and not lost:
        reasons.append(Reason("all_down", "every region is down: the answer is kept as it is", "when_all_down"))
        return _hold(Wish.HOLD_ALL_DOWN, policy, record, target, view, reasons, now)
    why = "and the record is empty" if lost else "and when_all_down is normal"
    reasons.append(Reason("all_down", f"every region is down {why}: the normal shares are published", "when_all_down"))
    shares = _normal_shares(policy, record, specs)
    values = {spec.name: _all_values(spec, record) for spec in specs}
    return _decision(Wish.ALL_DOWN_NORMAL, target, record, shares, values, reasons, now)


def _frozen(
    unknown: list[RegionSpec], view: View, published: Mapping[str, int], reasons: list[Reason]
) -> dict[str, int]:
    """The share that regions lost from sight keep, as long as they have anything to answer with."""
    frozen = {}
    for spec in unknown:
        share = published.get(spec.name, 0)
        if share == 0:
            continue
        lost = f"{spec.name} is lost from sight"
        if _answers(view.regions[spec.name], view):
            reasons.append(Reason("frozen", f"{lost} and keeps its {_percent(share)}", "checks"))
            frozen[spec.name] = share
        else:
            text = f"{lost}, and what it answers with is down: its {_percent(share)} goes to others"
            reasons.append(Reason("released", text, "checks"))
    return frozen


# -- 3: failback -------------------------------------------------------------------------------------------------------


def _with_failback(
    policy: Policy,
    record: RecordSpec,
    view: View,
    published: Mapping[str, int],
    serving: list[RegionSpec],
    budget: int,
    reasons: list[Reason],
    now: float,
) -> dict[str, int]:
    """Allocate `budget`, keeping withdrawn regions out while their hold lasts and the others can carry the traffic."""
    held = _held_back(policy, view, published, serving, now)
    others = [spec for spec in serving if spec.name not in held]
    if held and others:
        trial: list[Reason] = []
        shares, fits = _allocate(policy, record, view, others, budget, trial)
        if fits:
            without_hold, _ = _allocate(policy, record, view, serving, budget, [])
            # a standby that would get nothing anyway is not worth a word
            reasons.extend(reason for name, reason in held.items() if without_hold.get(name, 0) > 0)
            reasons.extend(trial)
            return shares
    if held:
        names = ", ".join(held)
        text = f"{names} is let in before its failback is due: no other region can carry the traffic"
        reasons.append(Reason("failback_waived", text, "failback"))
    return _allocate(policy, record, view, serving, budget, reasons)[0]


def _held_back(
    policy: Policy, view: View, published: Mapping[str, int], serving: list[RegionSpec], now: float
) -> dict[str, Reason]:
    if not published:
        return {}  # a record that answers nothing has nobody to hold back
    held = {}
    for spec in serving:
        health = view.regions[spec.name]
        if published.get(spec.name, 0) > 0 or spec.name in view.returning:
            continue
        if policy.failback_after is None:
            text = f"{spec.name} serves again and waits for a person: failoverctl plan --return {spec.name}"
            held[spec.name] = Reason("failback_manual", text, "failback")
            continue
        well = max(0.0, now - health.well_since) if health.well_since is not None else 0.0
        if well < policy.failback_after:
            text = f"{spec.name} has been well for {well:.0f}s of the {policy.failback_after:g}s before it gets traffic"
            held[spec.name] = Reason("failback_hold", text, "failback.after")
    return held


# -- 4: allocation -----------------------------------------------------------------------------------------------------


def _allocate(
    policy: Policy, record: RecordSpec, view: View, specs: list[RegionSpec], budget: int, reasons: list[Reason]
) -> tuple[dict[str, int], bool]:
    """Shares in basis points summing to `budget`, and whether they fit into what the regions can carry."""
    if record.single:
        return _all_to_first(policy, specs, budget, reasons), True
    rest = Fraction(budget)
    given: dict[str, Fraction] = {}
    rooms = {spec.name: _room(policy, spec, view.regions[spec.name]) for spec in specs}
    for tier in _tiers(policy, specs):
        if rest <= 0:
            break
        filled = _fill(policy, tier, rooms, view, rest, reasons)
        given |= filled
        rest -= sum(filled.values())
        if filled and rest > 0:
            text = f"{_names(tier)} can carry {_percent(sum(filled.values()))}: {_percent(rest)} spills over"
            reasons.append(Reason("spill", text, "steering"))
    if rest > 0:
        given = _overload(given, rooms, rest, reasons)
    shares = apportion(given, budget)
    reasons.extend(
        Reason("share", f"{name} gets {_percent(share)}", f"regions.{name}") for name, share in shares.items()
    )
    return shares, rest <= 0


def _all_to_first(policy: Policy, specs: list[RegionSpec], budget: int, reasons: list[Reason]) -> dict[str, int]:
    """One value at a time: it cannot be split, so nothing spills, however degraded or small the region is."""
    if budget == 0:
        return {}
    first = min(_tiers(policy, specs)[0], key=lambda spec: spec.name)
    text = (
        f"{first.name} gets {_percent(budget)}: it is the first that serves, and the record holds one value at a time"
    )
    reasons.append(Reason("share", text, f"regions.{first.name}"))
    return {first.name: budget}


def _overload(
    given: Mapping[str, Fraction], rooms: Mapping[str, Fraction], rest: Fraction, reasons: list[Reason]
) -> dict[str, Fraction]:
    """Split what fits nowhere by what each region can carry; evenly, when none of them can carry anything."""
    loads = rooms if any(rooms.values()) else dict.fromkeys(rooms, Fraction(WHOLE))
    total = sum(loads.values())
    carries = ", ".join(f"{name} {_percent(load)}" for name, load in loads.items())
    text = (
        f"{_percent(rest)} fits nowhere: it is split by what each region can carry ({carries}); overloaded beats shut"
    )
    reasons.append(Reason("overload", text, "demand"))
    return {name: given.get(name, Fraction(0)) + rest * load / total for name, load in loads.items()}


def _tiers(policy: Policy, specs: list[RegionSpec]) -> list[list[RegionSpec]]:
    """Regions by priority. A share of zero means standby.

    Under weighted steering a standby comes after everything that has a share; under failover, where the priority is the
    first word, after what has a share at the same priority.
    """

    def rank(spec: RegionSpec) -> tuple[int, int]:
        standby = int(spec.share == 0)
        return (standby, spec.priority) if policy.steering is Steering.WEIGHTED else (spec.priority, standby)

    return [[spec for spec in specs if rank(spec) == level] for level in sorted({rank(spec) for spec in specs})]


def _room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> Fraction:
    """What a region can carry, in basis points of the whole service: score x capacity / demand.

    A region whose capacity, or a policy whose demand, is not stated is taken to carry everything while it is HEALTHY,
    and its score of it while it is DEGRADED.
    """
    if spec.capacity is None or not policy.demand:
        return Fraction(health.score if health.state is RegionState.DEGRADED else WHOLE)
    return Fraction(health.score) * Fraction(spec.capacity) / Fraction(policy.demand)


def _fill(
    policy: Policy,
    tier: list[RegionSpec],
    rooms: Mapping[str, Fraction],
    view: View,
    amount: Fraction,
    reasons: list[Reason],
) -> dict[str, Fraction]:
    """Split `amount` by pull; a region that would overflow is filled to its room and the rest is split again."""
    open_pulls = {spec.name: _pull(spec, view.regions[spec.name], reasons) for spec in tier}
    specs = {spec.name: spec for spec in tier}
    filled: dict[str, Fraction] = {}
    rest = amount
    while open_pulls and rest > 0:
        total = sum(open_pulls.values())
        wants = {name: rest * pull / total for name, pull in open_pulls.items()}
        full = [name for name, want in wants.items() if want > rooms[name]]
        if not full:
            return filled | wants
        for name in full:
            sum_of_room = _sum_of_room(policy, specs[name], view.regions[name])
            text = f"{name} would get {_percent(wants[name])} but can carry {_percent(rooms[name])}{sum_of_room}"
            reasons.append(Reason("capacity", text, f"regions.{name}"))
            filled[name] = rooms[name]
            rest -= rooms[name]
            del open_pulls[name]
    return filled


def _pull(spec: RegionSpec, health: RegionHealth, reasons: list[Reason]) -> Fraction:
    """What draws traffic to a region inside its tier: its share, lowered by its score while it is DEGRADED.

    A tier of standbys, where no region has a share, is split as if they all had the same.
    """
    share = spec.share or WHOLE
    score = health.score if health.state is RegionState.DEGRADED else WHOLE
    pull = Fraction(share * score, WHOLE)
    factors = f"share {_percent(spec.share)}" if spec.share else "no shares here"
    factors += f" x score {_percent(score)}" if score < WHOLE else ""
    reasons.append(Reason("pull", f"{spec.name} pulls {_percent(pull)} ({factors})", f"regions.{spec.name}.share"))
    return pull


def _sum_of_room(policy: Policy, spec: RegionSpec, health: RegionHealth) -> str:
    if spec.capacity is None or not policy.demand:
        return f" (score {_percent(health.score)})"
    return f" (score {_percent(health.score)} x capacity {spec.capacity:.12g} / demand {policy.demand:.12g})"


# -- 5: answers --------------------------------------------------------------------------------------------------------


def _decision(
    wish: Wish,
    target: Target,
    record: RecordSpec,
    shares: Mapping[str, int],
    values: Mapping[str, Iterable[str]],
    reasons: list[Reason],
    now: float,
) -> Decision:
    weights: dict[str, int] = {}
    for name, share in shares.items():
        weights |= apportion({value: Fraction(1) for value in values[name]}, share)
    return Decision(target, wish, dict(shares), RecordSet.of(record.key, record.ttl, weights), tuple(reasons), now)


def _answers(health: RegionHealth, view: View) -> tuple[str, ...]:
    """What to publish for a region: what serves, and of what is lost from sight whatever is published already."""
    return (*health.serving, *(value for value in health.unknown if value in view.published))


def _normal_shares(policy: Policy, record: RecordSpec, specs: list[RegionSpec]) -> dict[str, int]:
    """What the file says when all is well: the first tier by share, within the stated capacities."""
    well = {
        spec.name: RegionHealth(spec.name, RegionState.HEALTHY, WHOLE, since=0.0, well_since=0.0, serving=())
        for spec in specs
    }
    return _allocate(policy, record, View(well), specs, WHOLE, [])[0]


def _all_values(spec: RegionSpec, record: RecordSpec) -> tuple[str, ...]:
    answers = (endpoint.answer(record.key.type) for endpoint in spec.endpoints)
    return tuple(sorted({answer for answer in answers if answer is not None}))


def _seen(health: RegionHealth) -> Reason:
    words = f"{health.name} is {health.state} (score {_percent(health.score)})"
    return Reason("region", words + (f": {health.evidence}" if health.evidence else ""), health.rule, health.name)


def _names(specs: Iterable[RegionSpec]) -> str:
    return ", ".join(spec.name for spec in specs)


def _percent(basis_points: Fraction | int) -> str:
    return f"{float(basis_points) * 100 / WHOLE:.4g}%"
