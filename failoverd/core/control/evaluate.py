"""The only place that turns what is known into what is done.

The daemon, `failoverctl plan` and `apply`, and the simulation all call `evaluate`, so what is shown is what would be
done. It is pure: equal inputs give equal outcomes. Inside, one stage per file:

    by hand → words (overriding) → residency → drills (practice) → price (saving) → eligible → failback → allocation
        → aside (of latency and degraded) → answers (decide) → plan → drift → limits

What others measure stands before all of them: figures count as they do now (readings), regions serve the models that
were seen there (sighted), who is full has less room (relieving), and what signals and alerts say lowers what probes
found (signals).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Final

from failoverd.core.control import aside, epochs, news, practice, progress, ramp, rivals
from failoverd.core.control.allocation import normal_shares
from failoverd.core.control.by_hand import Heard, accepted, generation_by_hand, hear, settles
from failoverd.core.control.cost import Saving
from failoverd.core.control.decide import answer_with, decide
from failoverd.core.control.decision import ALL_DOWN, Decision, DecisionKind, View, soonest
from failoverd.core.control.drift import DriftAction, accepting, respond
from failoverd.core.control.eligible import shown_within
from failoverd.core.control.identity import identity
from failoverd.core.control.limits import (
    Approved,
    Held,
    PastChange,
    Skipped,
    Step,
    let_through,
    marker_only,
    pace,
    worst,
)
from failoverd.core.control.outcome import WRITE_ORDER, Estate, Outcome, OutcomeKind
from failoverd.core.control.overriding import Heeded, heed, out_by_word, seen
from failoverd.core.control.plan import InSync, LastGood, Plan, PlanKind, Refused, Signature, diff, drifted, shares_now
from failoverd.core.control.ramp import Ramp
from failoverd.core.control.readings import measured
from failoverd.core.control.relieving import Relieved, relieved
from failoverd.core.control.residency import Allowed, allowed
from failoverd.core.control.rule_checks import counted, people, ruled, withheld
from failoverd.core.control.saving import considered
from failoverd.core.control.sharing import Grant
from failoverd.core.control.sighted import as_seen
from failoverd.core.control.signals import Lowered
from failoverd.core.control.state import Edit, PolicyState, TargetMemory
from failoverd.core.control.viewing import remembered
from failoverd.core.errors import Permanent
from failoverd.core.events import Event
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import TAKING_AWAY, Verb
from failoverd.core.reasons import Limit, Reason, ReasonCode
from failoverd.core.records import WHOLE, Answer, Marker, Observed, OnDrift, Policy, RecordSet, RecordSpec
from failoverd.core.status import TargetState

MOST_OVERTAKEN: Final = 100
"""Changes of other writers that one look at a record can bring to light."""


@dataclass(frozen=True)  # without slots: what is reckoned from it is reckoned once
class _Case:
    """What is evaluated: everything that stays the same from stage to stage."""

    policy: Policy
    record: RecordSpec
    state: PolicyState
    observed: Observed
    estate: Estate
    now: float
    heeded: Heeded
    may: Allowed

    @property
    def leaving(self) -> frozenset[str]:
        """Who stands in the answer and may not."""
        return frozenset() if self.heeded.stopped else self.may.leaving(self.observed.records)

    @property
    def regions(self) -> Mapping[str, RegionHealth]:
        return self.seen.regions

    @cached_property
    def seen(self) -> Lowered:
        """What probes found, as operators' words say it, and then as signals lower it."""
        return _seen(self, self.heeded)

    def signature(self, memory: TargetMemory) -> Signature:
        """What a marker written now says of operators' words, and of who leads."""
        said, lost = self.heeded.said, self.heeded.lost
        until = ceil(max((self.heeded.lost_until, *(word.ends for word in said))))
        words, epoch = (*lost, *(word.id for word in said)), max(self.state.epoch, memory.precedence.settled)
        return Signature(self.estate.owner, self.estate.instance, words, until, epoch)

    @property
    def ours(self) -> Marker:
        """A marker as this instance would write it, as far as it says who that is."""
        owner, policy, epoch = self.estate.owner, self.observed.target.policy, self.state.epoch
        return Marker(owner, policy, 0, (), self.estate.instance, epoch=epoch)

    @cached_property
    def region_of(self) -> Mapping[str, str]:
        return self.policy.region_of(self.record.key.type)


def _seen(case: _Case, heeded: Heeded) -> Lowered:
    state, target = case.state, case.observed.target
    regions = state.regions(case.record.key.type)
    return seen(case.policy, target, regions, state.signalled, state.overrides, heeded, case.now)


def evaluate(policy: Policy, state: PolicyState, observed: Observed, estate: Estate, now: float) -> Outcome:
    """What is to be done about one target of a policy.

    Args:
        policy: the file.
        state: what is known from before, with the health of the regions as it is now.
        observed: what stands at the target.
        estate: what the policy shares with others.
        now: seconds since the epoch.

    Raises:
        Permanent: the provider cannot say what is wanted.
    """
    outcome = _evaluated(policy, state, observed, estate, now)
    if outcome.kind is OutcomeKind.WRITE or not _begins_anew(state, outcome):
        return outcome
    again = _evaluated(policy, outcome.state, observed, estate, now)
    return replace(outcome, until=again.until if again.kind is outcome.kind else now)


def _begins_anew(before: PolicyState, outcome: Outcome) -> bool:
    """Whether the next round starts from something else, though nothing happens: what this one was made from is over.

    An incident, for whose end something may wait; or an edit that was accepted, instead of which something else was
    wanted, and which stands there.
    """
    target, after = outcome.decision.target, outcome.state
    was, good = before.of(target).last_good, after.of(target).last_good
    edited = was is not None and was.overruled is not None and good is not None and good.overruled is None
    return edited or (before.incident is not None and after.incident is None)


def _evaluated(policy: Policy, state: PolicyState, observed: Observed, estate: Estate, now: float) -> Outcome:
    figures = measured(policy, state.signalled.readings, now)
    models = as_seen(figures.policy, state.served)
    record, nothing_said = models.policy.record_of(observed.target), Heeded()
    relief = _relieved(models.policy, record, state, observed, now)
    policy = relief.policy
    may = allowed(policy, record.key.type, nothing_said, now)
    case = _Case(policy, record, state, observed, estate, now, nothing_said, may)
    memory, found, generation = _remembered(case)
    if relief.reliefs != memory.reliefs:
        memory = replace(memory, reliefs=relief.reliefs)
    memory, heard = _by_hand(case, memory, generation)
    for _ in filter(None, (found, heard)):
        case = replace(case, state=progress.counted(case.state))
    words = (heard.word,) if heard is not None and heard.word is not None else ()
    known = (*(each for each in state.overrides if each.id not in {word.id for word in words}), *words)
    heeded = heed(policy, observed.target, known, observed.marker, estate.owner, now, memory.lost)
    if heeded.pin is not None:  # no other word says who may answer at all
        may = allowed(policy, record.key.type, heeded, now)
    case = replace(case, heeded=heeded, may=may)
    case = replace(case, heeded=practice.heard(heeded, case.regions, state.incident, memory.yielded))
    memory, leader_told = _with_leaders(case, memory)
    memory, rivals_told = _with_rivals(case, memory)
    memory = _hastened(case, _still_fallen(case, memory))
    memory, priced_at = _with_saving(case, memory)
    view = _view(case, memory)
    shared = estate.grant, estate.usual
    decision = decide(policy, case.record, observed.target, view, now, case.heeded, case.may, *shared)
    said = case.seen
    until = soonest(decision.until, figures.until, relief.until, said.until, priced_at)
    first = (*figures.reasons, *models.reasons, *relief.reasons, *said.reasons)
    decision = replace(decision, reasons=(*first, *decision.reasons), until=until)
    decision = _identified(_outranked(case, _rivalled(decision, memory), memory), memory)
    memory = _accepted(case, memory, decision, heard)
    lost, told = news.lost(memory.told, case.heeded, observed, decision, state.incident, now)
    events, told = news.decided(told, decision, state.incident)
    taken_out = _taken_out(case, memory, view, decision)
    memory = replace(
        memory,
        kind=decision.kind,
        told=told,
        lost=_found_lost(memory, heeded, observed),
        common_fall=_fallen(case, memory, decision, view),
        taken_out=taken_out,
        aside=aside.remembered(memory.aside, decision.reasons, view, view.shares(case.region_of)),
        practised=memory.practised.union(case.heeded.practised) & taken_out,
        yielded=_yielded(case, decision),
    )
    memory, fell = _on_ramps(case, memory, decision, view)
    outcome = (_left_to_leader if memory.precedence.newer else _concluded)(case, memory, decision)
    change = heard.change if heard is not None else None
    told_of = (*leader_told, *rivals_told, *lost, *events, *fell, *outcome.events)
    newer = memory.precedence.newer or None
    return replace(outcome, events=told_of, found=found, by_hand=change, words=words, outranked=newer)


def _relieved(policy: Policy, record: RecordSpec, state: PolicyState, observed: Observed, now: float) -> Relieved:
    memory = state.of(observed.target)
    shares = memory.last_good.shares if memory.last_good is not None else {}
    regions = state.regions(record.key.type)
    return relieved(policy, record, state.signalled.readings, regions, shares, memory.reliefs, now)


# -- what is known -----------------------------------------------------------------------------------------------------


def _remembered(case: _Case) -> tuple[TargetMemory, Plan | None, int]:
    """What is known of the target, brought up to date by what stands there.

    And a plan that turned out to be in place, and the generation of a change by hand that is news (0 without one).
    A change or an edit that is dated in the future (the clock was wrong once) counts as made now, once.
    """
    memory = case.state.of(case.observed.target)
    if any(change.at > case.now for change in memory.changes):
        changes = tuple(replace(change, at=min(change.at, case.now)) for change in memory.changes)
        memory = replace(memory, changes=changes)
    if any(since > case.now for since in memory.withheld.values()):
        memory = replace(memory, withheld={name: min(since, case.now) for name, since in memory.withheld.items()})
    if memory.ramps:
        memory = replace(memory, ramps=ramp.not_later(memory.ramps, case.now))
    if memory.edit is not None and memory.edit.since > case.now:
        memory = replace(memory, edit=replace(memory.edit, since=case.now))
    if max(memory.by_hand_at, memory.edit_over) > case.now:
        by_hand_at, edit_over = min(memory.by_hand_at, case.now), min(memory.edit_over, case.now)
        memory = replace(memory, by_hand_at=by_hand_at, edit_over=edit_over)
    generation = generation_by_hand(case.state, memory, case.observed, case.estate.owner, case.now)
    others = case.state.other_types(memory.target)
    memory, found = progress.found_in_place(memory, case.observed, case.now, others)
    return _with_others(case, memory), found, generation


def _by_hand(case: _Case, memory: TargetMemory, generation: int) -> tuple[TargetMemory, Heard | None]:
    """What a person did to the target with a command of ours. It is known from now on like a change of our own."""
    if not generation:
        return memory, None
    heard = hear(case.policy, case.state, memory, case.observed, generation, case.now)
    if heard is not None:
        told = replace(memory.told, drift=("", ""), hold=None)
        memory = replace(progress.settled_as_applied(memory, heard.change, case.now), edit=None, told=told)
    at = case.now if generation > memory.by_hand else memory.by_hand_at
    return replace(memory, by_hand=generation, by_hand_at=at), heard


def _accepted(case: _Case, memory: TargetMemory, decision: Decision, heard: Heard | None) -> TargetMemory:
    """An answer that a person left by hand stays as it is while it says what the word says, in whatever form."""
    pin, good = case.heeded.pin, memory.last_good
    if good is None:
        return memory
    if good.overruled is not None and case.may.leaving(good.records):
        return replace(memory, last_good=replace(good, overruled=None), left_by="")
    if heard is not None and pin is not None and decision.records is not None:
        overruled = accepted(heard.change, decision, case.estate.normalise(decision.records))
        return replace(memory, last_good=replace(good, overruled=overruled), left_by=pin.id if overruled else "")
    if memory.left_by and memory.left_by not in {word.id for word in case.heeded.words}:
        return replace(memory, last_good=replace(good, overruled=None), left_by="")
    over = _spoken_of(case, good) or (decision.kind not in ALL_DOWN and _failed_since(case, good))
    over |= case.policy.on_drift is OnDrift.RESTORE  # the file said otherwise when it was accepted
    if good.overruled is not None and not memory.left_by and over:
        out = good.overruled.shares(case.region_of).keys() - good.records.shares(case.region_of).keys()
        return replace(memory, last_good=replace(good, overruled=None), taken_out=memory.taken_out | out)
    return memory


def _spoken_of(case: _Case, edit: LastGood) -> bool:
    """Whether somebody, since an edit was accepted, gave a word about what it answers.

    What failoverd wants may be the same with that word as without it, and is not what stands there.
    """
    values, kind = {answer.value for answer in edit.records.serving}, case.record.key.type
    return any(
        word.verb is Verb.PIN
        or any(
            end.answer(kind) in values
            for spec in case.policy.regions
            if word.scope.has_region(spec)
            for end in spec.endpoints
            if word.scope.has_endpoint(end)
        )
        for word in case.heeded.words
        if word.since > edit.at and word.verb in TAKING_AWAY
    )


def _failed_since(case: _Case, edit: LastGood) -> bool:
    """Whether a region that an accepted edit answers with fell after that: whoever made the edit did not know of it.

    What failoverd wants may be the same as before where it had left the region out already, to come back later.
    """
    answering = (case.regions.get(name) for name in edit.records.shares(case.region_of))
    return any(each is not None and each.state is RegionState.DOWN and each.since > edit.at for each in answering)


def _with_others(case: _Case, memory: TargetMemory) -> TargetMemory:
    """Changes that other writers of ours made count like our own: the limits are the record's, not the writer's.

    The types of a name share a marker. A change of another type that is in doubt is that type's to count: as its own
    when it finds it in place, and otherwise as somebody else's, as it is done here with the doubts of this one. One of
    this type whose marker stands came out otherwise than it was written (the server lowered its TTL, say): it counts if
    it changed an answer, and writing it again without effect spends nothing.
    """
    marker = case.observed.marker
    if marker is None or marker.owner != case.estate.owner or marker.generation <= memory.generation:
        return memory
    others = case.state.other_types(memory.target)
    known = max((memory.generation, *(other.generation for other in others)))
    lapsed = {plan.generation for plan in case.state.of(memory.target).doubts if plan.generation > memory.generation}
    settled = {change.generation for each in (memory, *others) for change in each.changes}
    settled |= {plan.generation for other in others for plan in other.doubts}
    altered = next((plan for plan in case.state.of(memory.target).doubts if plan.marker == marker), None)
    settled |= {marker.generation} if marker.by_hand or altered is not None else set[int]()
    unknown = {*range(max(known, marker.generation - MOST_OVERTAKEN) + 1, marker.generation + 1), *lapsed} - settled
    counted = sorted(generation for generation in unknown if known and generation <= marker.generation)
    changes = tuple(PastChange.of_others(generation, case.now) for generation in counted)
    if altered is not None and _answers(case.observed) != _answers(altered.before):
        changes += (progress.change(altered, shares_now(case.observed, None, case.region_of), case.now),)
    return replace(memory, changes=(*memory.changes, *changes), generation=max(known, marker.generation))


def _answers(observed: Observed) -> tuple[Answer, ...]:
    return observed.records.answers if observed.records is not None else ()


def _with_leaders(case: _Case, memory: TargetMemory) -> tuple[TargetMemory, tuple[Event, ...]]:
    """Whether a newer leader wrote the name, after this look at it; and what is to be told of that."""
    others, ours = case.state.other_types(memory.target), case.ours
    precedence = epochs.seen(memory.precedence, (each.precedence for each in others), case.observed, ours)
    after = replace(memory, precedence=precedence) if precedence != memory.precedence else memory
    return after, news.outranked(memory, after, others, ours, case.state.incident, case.now)


def _outranked(case: _Case, decision: Decision, memory: TargetMemory) -> Decision:
    """The decision with the newer leader, for whom it is left."""
    known = memory.precedence
    if not known.newer:
        return decision
    numbers = {"epoch": float(known.newer), "ours": float(case.state.epoch)}
    reason = Reason(ReasonCode.NEWER_LEADER, numbers=numbers, detail=known.instance or rivals.UNNAMED)
    return replace(decision, reasons=(reason, *decision.reasons))


def _with_rivals(case: _Case, memory: TargetMemory) -> tuple[TargetMemory, tuple[Event, ...]]:
    """Who else writes the name, after this look at it; and what is to be told of that."""
    others, good, ours = case.state.other_types(memory.target), memory.last_good, case.ours
    last, rivalries = good.records if good is not None else None, tuple(each.rivalry for each in others)
    known = memory.rivalry
    if case.estate.lone:
        own = max((each.last_good.generation for each in (memory, *others) if each.last_good is not None), default=0)
        known = rivals.put_back_alone(known, rivalries, case.observed, last, own)
    rivalry = rivals.seen(known, rivalries, case.observed, ours, last, case.policy.limits.longest_window, case.now)
    if rivalry.since is None and rivalry.undone and not case.estate.lone:
        rivalry = replace(rivalry, undone=0)  # somebody can lead again: what members did alone is over
    after = replace(memory, rivalry=rivalry) if rivalry != memory.rivalry else memory
    return after, news.rivalled(memory, after, others, ours, case.state.incident)


def _with_saving(case: _Case, memory: TargetMemory) -> tuple[TargetMemory, float | None]:
    """The shares that are chosen for their price, and when that is looked at again."""
    policy = case.policy
    if policy.cost is None and memory.saving == Saving():
        return memory, None
    good = memory.last_good
    settled = memory.kind is DecisionKind.NORMAL and memory.state is TargetState.IN_SYNC
    saving = replace(memory.saving, moving=memory.saving.moving and not settled)
    calm = _calm(case, memory)
    if calm and (not settled or case.estate.spare is None):  # traffic is on its way, or the first answer is
        return replace(memory, saving=saving), None
    saving, at = considered(
        policy,
        case.record,
        saving,
        good.shares if good is not None else {},
        case.now,
        calm=calm,
        since=_well_since(case, memory),
        spare=case.estate.spare,
    )
    return replace(memory, saving=saving), at


def _well_since(case: _Case, memory: TargetMemory) -> float:
    """When the last of the regions became well, or what stands there did."""
    regions = [health for kind in case.state.verdicts.values() for health in kind.values()]
    return max((memory.changed_at or 0.0, *(each.well_since or 0.0 for each in regions)))


def _calm(case: _Case, memory: TargetMemory) -> bool:
    """Whether nothing is wrong with the policy, nobody said anything, and what stands there was verified."""
    state, good = case.state, memory.last_good
    regions = [health for kind in state.verdicts.values() for health in kind.values()]
    healthy = state.calm and bool(regions) and all(each.state is RegionState.HEALTHY for each in regions)
    untouched = not (case.heeded.words or case.heeded.lost or memory.doubts or memory.rivalry.since is not None)
    stands = good is not None and case.observed.records == good.records
    stands &= memory.revision == case.policy.source.revision  # what an edit wants is done first
    return healthy and untouched and stands and state.incident is None


def _rivalled(decision: Decision, memory: TargetMemory) -> Decision:
    """The decision with who stands in its way, whatever it is."""
    known = memory.rivalry
    if known.since is None:
        return decision
    reason = Reason(ReasonCode.RIVAL, numbers={"since": known.since}, detail=", ".join(known.rivals))
    return replace(decision, reasons=(reason, *decision.reasons))


def _view(case: _Case, memory: TargetMemory) -> View:
    observed, kind = case.observed, case.record.key.type
    return replace(
        remembered(case.policy, case.state, memory, case.heeded, case.regions),
        current=observed.records,
        unmeasured=case.seen.unmeasured,
        owned=observed.marker is not None and kind in observed.marker.types,
        drifted=drifted(observed, memory.last_good),
        counted=counted(case.estate.rules, case.policy),
    )


def _identified(decision: Decision, memory: TargetMemory) -> Decision:
    """The decision with its id: that of the last one, if it says the same."""
    essence = news.essence(decision)
    if memory.told.decision == essence:
        return replace(decision, id=memory.told.decision_id)
    named = (essence.kind, sorted(essence.shares.items()), essence.records, sorted(essence.waits))
    return replace(decision, id=identity("dec", decision.at, decision.target, *named))


def _still_fallen(case: _Case, memory: TargetMemory) -> TargetMemory:
    """What is left of a fall of all regions. Who was back and fell again did so by itself."""
    if not memory.common_fall:
        return memory

    def back(name: str, *, was: bool) -> bool | None:
        health = case.regions.get(name)
        if health is None or (was and health.state is RegionState.DOWN):
            return None
        return was or health.serves

    found = {name: back(name, was=was) for name, was in memory.common_fall.items()}
    return replace(memory, common_fall={name: is_back for name, is_back in found.items() if is_back is not None})


def _fallen(case: _Case, memory: TargetMemory, decision: Decision, view: View) -> Mapping[str, bool]:
    """The regions of a fall of all, until all of them are published and serve; and who of them was back since.

    They fell within the time in which one cause shows everywhere: an interval, and what a verdict takes. The last one
    that falls alone, long after the others, adds nothing: else one that flaps would have them waited for without end.
    Nor is who is down from an earlier fall waited for any more once others fall together again.
    """
    down = {name: health.since for name, health in case.regions.items() if health.state is RegionState.DOWN}
    fell = dict(memory.common_fall)
    if decision.kind in ALL_DOWN and down:
        last = max(down.values())
        together = {name: False for name, since in down.items() if last - since <= shown_within(case.policy)}
        if len(together) > 1:
            fell = {name: was for name, was in fell.items() if was} | together
    if not fell:
        return {}
    published = view.shares(case.region_of)
    over = all(published.get(name) and name not in down for name in fell)
    return {} if over else fell


def _found_lost(memory: TargetMemory, heeded: Heeded, observed: Observed) -> Mapping[str, float]:
    """When each word ends that is lost, as the marker said when that was found, for as long as a marker names it."""
    named = observed.marker.overrides if observed.marker is not None else ()
    found = dict.fromkeys(heeded.lost, heeded.lost_until) | dict(memory.lost)
    return {name: end for name, end in found.items() if name in named}


def _yielded(case: _Case, decision: Decision) -> frozenset[str]:
    """Drills that are in force and gave way: to something else, or because the others need the region."""
    back = (word for name, word in case.heeded.practised.items() if decision.shares.get(name))
    return frozenset(word.id for word in (*case.heeded.yielded.values(), *back))


def _taken_out(case: _Case, memory: TargetMemory, view: View, decision: Decision) -> frozenset[str]:
    """The regions that a word keeps out, or kept out: until they are back, or fall by themselves.

    A pin of which nobody serves keeps nobody out, nor does a drill from whose beginning the others need the region. An
    edit that was accepted, and is over, counts like a word: who was out by it never failed, however long limits hold
    what is wanted instead.
    """
    edited = memory.last_good.overruled if memory.last_good is not None else None
    published, drained = replace(view, overruled=edited).shares(case.region_of), case.heeded.drained
    idle = any(reason.code is ReasonCode.PIN_IDLE for reason in decision.reasons)
    said = (case.heeded.pin if not idle else None, case.heeded.hold)
    kept = [word.shares for word in said if word is not None and word.shares]
    out = {
        *drained,
        *(name for name in case.heeded.practised if name in memory.practised or not decision.shares.get(name)),
        *(name for name in case.regions if kept and not any(shares.get(name) for shares in kept)),
    }

    def stays(name: str) -> bool:
        health = case.regions.get(name)
        return name in out or (health is not None and health.serves and not published.get(name))

    return frozenset(name for name in {*memory.taken_out, *out} if stays(name))


def _on_ramps(
    case: _Case, memory: TargetMemory, decision: Decision, view: View
) -> tuple[TargetMemory, tuple[Event, ...]]:
    """How far the regions have come that are on their way back, after this decision; and who fell on it."""
    rules = ramp.rules_of(case.policy, case.record)
    if rules is None:
        return (replace(memory, ramps={}) if memory.ramps else memory), ()
    published, ttl = view.shares(case.region_of), case.record.ttl
    ramps = dict(decision.ramps if decision.ramps is not None else memory.ramps)
    ramps = _kept_low(case, ramps, decision, published)
    fell: list[str] = []
    for name, each in list(ramps.items()):
        health = case.regions.get(name)
        if health is None or ramp.over(case.policy, rules, each, health, ttl, case.now):
            del ramps[name]
        elif not each.step or decision.kind not in _DECIDED or decision.shares.get(name):
            continue
        elif name in case.heeded.drained or case.heeded.pin is not None:
            ramps[name] = each.foot(case.now)
        elif published.get(name) and (not health.serves or ramp.hurts(each, health)):
            ramps[name] = each.fallen(case.now)
            fell.append(name)
        else:
            ramps[name] = each.foot(case.now)
    events = tuple(
        event
        for name in fell
        for event in news.fallen(case.policy, rules, memory, decision, name, ramps[name], case.state.incident, case.now)
    )
    return replace(memory, ramps=ramps), events


_DECIDED: Final = frozenset({DecisionKind.NORMAL, DecisionKind.FAILOVER, DecisionKind.OPERATOR})


def _hastened(case: _Case, memory: TargetMemory) -> TargetMemory:
    """Who is let back in full: whoever ended the word that kept it away said that no step is waited for."""
    rules = ramp.rules_of(case.policy, case.record)
    ended = [word for word in case.state.overrides if word.back_at_once and word.over_by(case.now)]
    if rules is None or not ended or not memory.ramps:
        return memory
    target = case.observed.target
    at_once = {
        spec.name: word.ends
        for word in ended
        if word.scope.has_target(target)
        for spec in case.policy.regions
        if word.scope.has_region(spec)
    }
    ramps = {
        name: ramp.arrived(rules, each) if each.at <= at_once.get(name, -1.0) else each
        for name, each in memory.ramps.items()
    }
    return replace(memory, ramps=ramps)


def _kept_low(
    case: _Case, ramps: Mapping[str, Ramp], decision: Decision, published: Mapping[str, int]
) -> dict[str, Ramp]:
    """With those at the foot that a word lets have less than they would get: its end gives it back by the ramp."""
    heeded, found = case.heeded, dict(ramps)
    if not heeded.shaping or not published:
        return found
    specs = [spec for spec in case.policy.regions if spec.name in case.regions]
    gets = decision.shares if decision.records is not None else published
    for name, share in normal_shares(case.policy, case.record, specs).items():
        less = gets.get(name, 0) + _ROUNDED < share
        if less and (heeded.pin is not None or name in heeded.shed or name in heeded.drained):
            found.setdefault(name, Ramp(case.now))
    return found


_ROUNDED: Final = WHOLE // 100
"""Basis points by which a provider's own weights may differ from what was asked for."""


# -- what is done ------------------------------------------------------------------------------------------------------


def _left_to_leader(case: _Case, memory: TargetMemory, decision: Decision) -> Outcome:
    """A newer leader wrote the name: nothing is, whatever is wanted. What is down is that one's to take off.

    That it stands there is told: that leader may be gone.
    """
    kept, memory = _told_dead(case, memory, decision, decision, Limit.LEADER)
    return _ended(case, memory, decision, OutcomeKind.HOLD, TargetState.HOLDING, kept)


def _concluded(case: _Case, memory: TargetMemory, decision: Decision) -> Outcome:
    if decision.records is None:
        kept, memory = _kept_dead(case, memory, decision)
        marked = _marked(case, memory, decision) if decision.kind in _MARKED_TOO else None
        if marked is not None:
            return replace(marked, events=kept)
        until = settles(memory, case.observed, case.now)
        return _ended(case, memory, decision, OutcomeKind.HOLD, TargetState.HOLDING, kept, until)
    found = _compared(case, memory, decision, decision.records)
    if isinstance(found, Refused):
        events, told = news.refused(memory.told, found, case.state.incident, case.now)
        memory = replace(memory, told=told)
        outcome = _ended(case, memory, decision, OutcomeKind.REFUSE, TargetState.REFUSED, events)
        return replace(outcome, refused=found)
    marker, left = case.observed.marker, _leaves_marker(case, memory)
    if left and isinstance(found, Plan) and found.kind is PlanKind.MARK and marker is not None:
        found = InSync(found.target, marker.generation, found.overruled)
    if isinstance(found, InSync):
        return _in_sync(case, memory, decision, found)
    until = settles(memory, case.observed, case.now)
    if found.kind is PlanKind.MARK and until is not None:
        there = InSync(found.target, memory.by_hand, found.overruled)
        outcome = _in_sync(case, memory, decision, there)
        return replace(outcome, until=soonest(outcome.until, until))
    return _changed(case, memory, decision, found)


_MARKED_TOO: Final = frozenset({DecisionKind.HOLD_OPERATOR, DecisionKind.HOLD_ALL_DOWN, DecisionKind.HOLD_COMMON_FALL})
"""Holds during which the marker is brought up to date: the daemon may lose its journal in any of them."""


def _kept_dead(case: _Case, memory: TargetMemory, decision: Decision) -> tuple[tuple[Event, ...], TargetMemory]:
    """Told, if it is an operator's word that keeps what is down in the answer: no such hold is silent.

    What counts is where the traffic goes, whoever sent it there. What would be done without the word is told by what
    is known of the endpoints, and that somebody calls one up or down is.
    """
    would = None
    if _stays_down(decision) and (case.heeded.words or case.heeded.lost) and _dead(case, memory):
        view = replace(_view(case, memory), regions=_undrained(case))
        shared = case.estate.grant, case.estate.usual
        would = decide(case.policy, case.record, case.observed.target, view, case.now, None, None, *shared)
    return _told_dead(case, memory, decision, would, Limit.HELD)


def _stays_down(decision: Decision) -> bool:
    """Whether a decision moves nothing from what is down to who serves: it holds, or spreads as if all were well."""
    return decision.records is None or decision.kind is DecisionKind.ALL_DOWN_NORMAL


def _dead(case: _Case, memory: TargetMemory) -> frozenset[str]:
    """Regions that are down and answer."""
    stands = shares_now(case.observed, memory.last_good, case.region_of)
    down = {name for name, health in case.regions.items() if health.state is RegionState.DOWN}
    return frozenset(name for name in down if stands.get(name))


def _told_dead(
    case: _Case, memory: TargetMemory, decision: Decision, would: Decision | None, limit: Limit
) -> tuple[tuple[Event, ...], TargetMemory]:
    """Told, if what `would` be done takes off something that is down, and something else than limits keeps it.

    To go from one that is down to another one takes nothing off.
    """
    told = memory.told
    if would is not None and not _stays_down(would) and _dead(case, memory) - would.shares.keys():
        stands = shares_now(case.observed, memory.last_good, case.region_of)
        policy, incident = case.policy, case.state.incident
        events, told = news.kept_dead(told, decision, would, stands, policy, incident, case.now, limit)
        return events, replace(memory, told=told)
    if told.hold is not None and told.hold.keeps_dead:
        memory = replace(memory, told=replace(told, hold=None))
    return (), memory


def _marked(case: _Case, memory: TargetMemory, decision: Decision) -> Outcome | None:
    """The write that has the marker say which words apply, where it does not yet; the answer stays as it is."""
    records, marker = case.observed.records, case.observed.marker
    if case.heeded.stopped or case.heeded.lost or records is None or marker is None:
        return None
    if settles(memory, case.observed, case.now) is not None or _leaves_marker(case, memory):
        return None
    if memory.last_good is None or memory.last_good.records != records or case.signature(memory).stands_in(marker):
        return None
    found = _diff(case, memory, replace(decision, records=records), records)
    if not isinstance(found, Plan) or found.kind is not PlanKind.MARK:
        return None
    found = replace(found, overruled=memory.last_good.overruled)
    return _write(case, memory, decision, marker_only(found, case.policy.limits), (), case.now)


def _leaves_marker(case: _Case, memory: TargetMemory) -> bool:
    """Whether a marker is not written by itself: others write the name as well, and would go on about what it says."""
    return memory.rivalry.since is not None or case.estate.lone


def _compared(case: _Case, memory: TargetMemory, decision: Decision, desired: RecordSet) -> Plan | InSync | Refused:
    """The difference, in the provider's own terms."""
    observed = case.observed
    says_so = observed.records is not None and observed.records.says(desired)
    normal = observed.records if observed.records is not None and says_so else case.estate.normalise(desired)
    return _diff(case, memory, decision, normal)


def _diff(case: _Case, memory: TargetMemory, decision: Decision, desired: RecordSet) -> Plan | InSync | Refused:
    found = diff(
        case.observed,
        desired,
        decision,
        region_of=case.region_of,
        revision=case.policy.source.revision,
        last_good=memory.last_good,
        seen=_newest(case, memory, desired),
        signed=case.signature(memory),
        fenced=case.estate.fenced,
    )
    return replace(found, tier=case.policy.tier) if isinstance(found, Plan) else found


def _newest(case: _Case, memory: TargetMemory, desired: RecordSet) -> int:
    """The highest generation that was ever seen at the name, or that something else which was sent may have.

    Where the provider compares nothing, that may arrive after what is written now. Its generation tells the two apart.
    """
    sent = () if case.estate.fenced else memory.doubts
    return max((memory.generation, *(plan.generation for plan in sent if plan.after != desired)))


def _in_sync(case: _Case, memory: TargetMemory, decision: Decision, found: InSync) -> Outcome:
    """What stands there is right, whoever wrote it: another process, or a person whose edit is wanted by now.

    It is remembered as verified. Without this, what is wanted next would be taken for the end of an edit, and would
    wait like one; and the generation may have grown with another type of the name.
    """
    records, good = case.observed.records, memory.last_good
    epoch = case.observed.marker.epoch if case.observed.marker is not None else 0
    verified = None
    if records is not None:
        if good is not None and records == good.records:
            verified = replace(good, generation=found.generation, overruled=found.overruled, epoch=epoch)
        else:
            shares = records.shares(case.region_of)
            verified = LastGood(records, found.generation, shares, case.now, found.overruled, epoch=epoch)
    news_of_it = verified if verified != good else None
    kept, memory = _kept_dead(case, memory, decision)
    hold = memory.told.hold if memory.told.hold is not None and memory.told.hold.keeps_dead else None
    told = replace(memory.told, drift=("", ""), hold=hold, refused="")
    memory = replace(
        memory.without_edit(records, case.now),
        withheld={},
        told=told,
        last_good=verified or good,
        revision=case.policy.source.revision,
        generation=max(memory.generation, found.generation),
    )
    until = _next_step(case, memory)
    memory, stepped = progress.stepped(case.policy, memory, case.state.incident, decision.shares, case.now)
    state = TargetState.IN_SYNC if hold is None else TargetState.HOLDING
    outcome = _ended(case, memory, decision, OutcomeKind.IN_SYNC, state, (*kept, *stepped), until)
    return replace(outcome, verified=news_of_it)


def _changed(case: _Case, memory: TargetMemory, decision: Decision, plan: Plan) -> Outcome:
    """There is a difference: what somebody else's edit has to do with it, and what the limits make of it."""
    good = memory.last_good
    events: tuple[Event, ...] = ()
    drift = None
    if good is not None and drifted(case.observed, good):
        if memory.edit is None or memory.edit.records != plan.before.records:
            memory = replace(memory, edit=Edit(plan.before.records, case.now))
        since = memory.edit.since if memory.edit is not None else case.now
        in_incident = case.state.incident is not None
        on_drift = OnDrift.RESTORE if case.leaving else case.policy.on_drift
        in_incident = in_incident and not (case.leaving or _to_ill(case, plan))
        drift = respond(plan, good, on_drift, in_incident=in_incident, since=since, now=case.now)
        events, told = news.drifted(memory.told, plan, good, drift, case.state.incident, case.now)
        memory = replace(memory, told=told)
        if drift.action in {DriftAction.REPORT, DriftAction.WAIT}:
            outcome = _ended(case, memory, decision, OutcomeKind.DRIFT, TargetState.DRIFTED, events, drift.until)
            return replace(outcome, plan=plan, drift=drift)
        if drift.action is DriftAction.ADOPT:
            plan = accepting(plan)
    outcome = _limited(case, memory, decision, plan, events)
    return replace(outcome, drift=drift) if drift is not None else outcome


def _limited(case: _Case, memory: TargetMemory, decision: Decision, plan: Plan, events: tuple[Event, ...]) -> Outcome:
    paced = pace(_step(case, memory, plan), lambda shares, values: _replanned(case, memory, decision, shares, values))
    result = paced.result
    if not isinstance(result, Approved):  # a write may fail, and then nobody is to wait once more
        kept = result.checks if isinstance(result, Held) and result.keeps_dead else ()
        memory = replace(memory, withheld=withheld(memory.withheld, kept, case.now))
    if isinstance(result, Skipped):
        decision = replace(decision, reasons=(*decision.reasons, result.reason))
        memory = replace(memory, told=replace(memory.told, hold=None))
        outcome = _ended(case, memory, decision, OutcomeKind.HOLD, TargetState.HOLDING, events, result.until)
        return replace(outcome, plan=plan)
    if isinstance(result, Held) and (agreed := _agreed(case, memory, result)):
        result = let_through(result, agreed, {rule.name: rule.people for rule in case.estate.rules})
    if isinstance(result, Held):
        state = worst(case.regions, plan.start)
        held, told = news.held(memory.told, result, state, case.policy, case.state.incident, case.now)
        later = not memory.told.failures  # the marker changes first, and with it the digest that is told
        memory = replace(memory, state=TargetState.LIMITED)
        after, both = replace(memory, told=told), (*events, *held)
        if (marked := _marked(case, memory if later else after, decision)) is not None:
            return replace(marked, events=events if later else both, held=result)
        outcome = _ended(case, after, decision, OutcomeKind.LIMITED, TargetState.LIMITED, both, result.until)
        return replace(outcome, plan=result.plan, held=result)
    return _write(case, memory, decision, result, events, paced.until)


def _next_step(case: _Case, memory: TargetMemory) -> float | None:
    """When the step after one that stands from now on is due, if there is one."""
    rules = ramp.rules_of(case.policy, case.record)
    if rules is None or not any(ramp.stepping(each) and each.step < len(rules.steps) for each in memory.ramps.values()):
        return None
    return case.now + rules.pause(case.record.ttl)


def _agreed(case: _Case, memory: TargetMemory, held: Held) -> int:
    """How many people approved a held plan. An approval lets it through once, and not whenever it is wanted again."""
    wanted, digest = held.plan.shares_after, held.plan.digest
    moved = (change for change in memory.changes if change.shares_before != change.shares_after == wanted)
    done = max((change.at for change in moved), default=float("-inf"))
    words = (word for word in case.heeded.words if word.verb is Verb.APPROVE and word.digest == digest)
    return max((people(word) for word in words if word.since > done), default=0)


def _write(
    case: _Case,
    memory: TargetMemory,
    decision: Decision,
    approved: Approved,
    events: tuple[Event, ...],
    until: float | None,
) -> Outcome:
    plan = approved.plan
    if plan.whole is None:
        until = soonest(until, _next_step(case, memory))
    return Outcome(
        kind=OutcomeKind.WRITE,
        decision=decision,
        state=case.state.with_target(memory),
        events=events,
        plan=plan,
        approved=approved,
        until=soonest(decision.until, until),
        order=WRITE_ORDER,
    )


def _step(case: _Case, memory: TargetMemory, plan: Plan) -> Step:
    out = out_by_word(case.policy, case.record.key.type, case.heeded)
    return Step(
        plan=plan,
        regions=case.regions,
        region_of=case.region_of,
        limits=case.policy.limits,
        history=memory.changes,
        edited=bool(memory.revision) and memory.revision != case.policy.source.revision,
        ttl=case.record.ttl,
        normal=plan.decision.normal,
        now=case.now,
        by_word=_by_word(case, plan, out),
        at_once=case.heeded.now,
        out=out - _ill(case, out),
        still=_still(case.heeded, lone=case.estate.lone),
        rival=memory.rivalry.since is not None,
        contested=(memory.rivalry.since is not None or case.estate.lone) and memory.rivalry.contested,
        ruled=ruled(case.estate.rules, case.policy.name, case.heeded.words, memory.withheld),
        evicted=_evicted(case, plan),
        sorry=place.name if (place := case.policy.when_all_down_place) is not None else "",
        recalled=_recalled(case, memory, plan),
        hurt=_hurt(case, memory),
        saving=memory.saving.moving,
        crowded=_crowded(case.estate.grant),
    )


def _hurt(case: _Case, memory: TargetMemory) -> frozenset[str]:
    """Regions that a step of their ramp makes ill."""
    if not ramp.by_steps(ramp.rules_of(case.policy, case.record)):
        return frozenset()
    known = ((name, each, case.regions.get(name)) for name, each in memory.ramps.items())
    return frozenset(name for name, each, health in known if health is not None and ramp.hurts(each, health))


def _evicted(case: _Case, plan: Plan) -> frozenset[str]:
    """Who stands in the answer and may not; with who stood in that before an edit, from which the limits count."""
    leaving = case.leaving
    return leaving | (case.may.evicted & plan.start.keys()) if leaving else leaving


def _crowded(grant: Grant | None) -> Mapping[str, float]:
    """How much is too much for each region, in basis points of the policy's demand."""
    if grant is None or not grant.demand:
        return {}
    return {name: too_much * WHOLE / grant.demand for name, too_much in grant.crowded.items()}


def _recalled(case: _Case, memory: TargetMemory, plan: Plan) -> bool:
    """Whether a region comes back that a drill took out, because the drill was cut short."""
    wanted, practised = plan.shares_after, memory.practised
    short = practice.cut_short(case.policy, practised, case.state.overrides)
    back = practice.recalled(practised, short, case.heeded, plan.decision.shares)
    return any(wanted.get(name, 0) > plan.start.get(name, 0) for name in back)


def _ill(case: _Case, values: frozenset[str]) -> frozenset[str]:
    """Those of the values that do not serve, as is known or said: that they are drained as well keeps none of them."""
    regions = _undrained(case) if values else {}
    healths = ((value, regions.get(case.region_of.get(value, ""))) for value in values)
    return frozenset(value for value, health in healths if health is not None and health.fails(value))


def _to_ill(case: _Case, plan: Plan) -> bool:
    """Whether an edit answers with what does not serve, where all of what is wanted instead does."""
    found = plan.before.records.serving if plan.before.records is not None else ()
    stands, wanted = (frozenset(answer.value for answer in each) for each in (found, plan.after.serving))
    return bool(_ill(case, stands - wanted)) and not _ill(case, wanted)


def _undrained(case: _Case) -> Mapping[str, RegionHealth]:
    """The regions as they are known, with what people call up or down, and without what they keep out."""
    words = tuple(word for word in case.heeded.words if word.verb in {Verb.UP, Verb.DOWN})
    return _seen(case, Heeded(words=words)).regions


def _by_word(case: _Case, plan: Plan, out: frozenset[str]) -> bool:
    """Whether an operator's word moves traffic now. Once that is done, what else moves is its own business."""
    heeded, before, wanted = case.heeded, plan.start, plan.shares_after
    leaving = any(before.get(name) and not wanted.get(name) for name in (*heeded.drained, *heeded.practised))
    less = any(before.get(name, 0) > wanted.get(name, 0) for name in heeded.shed)
    records = plan.before.records
    one = bool(out) and records is not None and any(answer.value in out for answer in records.serving)
    return leaving or less or one or heeded.pin is not None


def _still(heeded: Heeded, *, lone: bool) -> Mapping[Limit, float]:
    """Why nothing may move but what fails out, and until when; no time ends that nobody can lead."""
    found = {Limit.LOST: heeded.lost_until} if heeded.lost else {}
    found |= {Limit.UNCOORDINATED: inf} if lone else {}
    return found | ({Limit.PAUSED: heeded.pause.ends} if heeded.pause is not None else {})


def _replanned(
    case: _Case,
    memory: TargetMemory,
    decision: Decision,
    shares: Mapping[str, int],
    values: Mapping[str, tuple[str, ...]],
) -> Plan | None:
    try:
        weights = case.policy.weights_of(case.record.key.type)
        found = _compared(case, memory, decision, answer_with(case.record, shares, values, weights))
    except Permanent:
        return None  # such as two values of a CNAME: what is wanted in full can be said, and half of the way cannot
    return found if isinstance(found, Plan) else None


def _ended(
    case: _Case,
    memory: TargetMemory,
    decision: Decision,
    kind: OutcomeKind,
    state: TargetState,
    events: tuple[Event, ...] = (),
    until: float | None = None,
) -> Outcome:
    """Nothing is written: the round ends here."""
    memory = replace(memory, state=state) if memory.state is not state else memory
    memory, resumed = progress.through(memory, case.state.incident, case.now)
    after, closing = progress.closed(case.policy, case.state.with_target(memory), case.now)
    told = (*events, *resumed, *closing)
    return Outcome(kind, decision, after, told, until=soonest(decision.until, until))
