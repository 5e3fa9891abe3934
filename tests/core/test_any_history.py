"""`evaluate` and what becomes of it, over random policies, healths, histories, edits and accidents.

A machine plays a small world: endpoints come and go, time passes, people edit the record and the policy, operators say
what they want, other members write, answers of the provider get lost, the daemon restarts. After each look at the
record everything that failoverd promises is checked against the world itself. FAILOVERD_SOAK=n looks n times as hard.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypedDict

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.approving import limits
from support.scenes import GATED, HEALTHS, KEY, LIVE, NOW, OWNER, RECORD, TARGET, records, region, rolled
from support.scenes import policy as of_regions
from support.stories import as_it_is, in_or_out, same
from support.sums import found, redone

from failoverd.codec import dump, load
from failoverd.core.control import progress
from failoverd.core.control.allocation import normal_shares
from failoverd.core.control.decision import ALL_DOWN, Decision, DecisionKind, View
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.limits import Approved, Held, shift
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.overriding import heed, seen_by_word, stepped
from failoverd.core.control.plan import Plan, PlanKind, drifted
from failoverd.core.control.signals import SAYING, lowered
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Comment, Override, Scope, Verb, begins, verb_of
from failoverd.core.reasons import Cause, Limit, LimitNote, ReasonCode
from failoverd.core.records import (
    ELSEWHERE,
    WHOLE,
    AllDown,
    Answer,
    Endpoint,
    HealthRules,
    LatencyBand,
    Limits,
    Observed,
    OnDrift,
    Policy,
    RampRules,
    RegionSpec,
    Source,
    Steering,
    Weights,
    WhenDegraded,
    apportion,
)
from failoverd.core.rules import Assertion, Gate, Rule

STRANGERS = ["203.0.113.1", "203.0.113.2"]

ONE_POINT = WHOLE // 100
"""What a provider's own weights may differ from what was asked for."""

RAMPS = [RampRules(judge=60.0), RampRules((WHOLE,)), RampRules((100, WHOLE), step=1.0, judge=0.0, retries=1)]

often = st.sampled_from([True, True, True, False])


# -- random policies ---------------------------------------------------------------------------------------------------

bounds = st.builds(
    limits,
    min_regions=st.sampled_from([0, 1, 1, 1, 2, 3]),
    max_shift=st.sampled_from([0, 2_500, 7_000, WHOLE, WHOLE, WHOLE]),
    max_changes=st.sampled_from([0, 2, 6, 1_000, 1_000, 1_000]),
    min_step=st.sampled_from([0, 500]),
)
shares = st.sampled_from([0, 1, 100, 3_000, 5_000, 7_000, WHOLE])


@st.composite
def either(draw: st.DrawFn) -> Limits:
    """Limits whose rations differ by cause."""
    one, other = draw(bounds), draw(bounds)
    return replace(one, returning=other.returning)


@st.composite
def region_specs(draw: st.DrawFn, number: int) -> RegionSpec:
    name = f"r{number}"
    endpoints = tuple(Endpoint(name, f"10.0.{number}.{n}") for n in range(draw(st.integers(1, 3))))
    weights = draw(st.sampled_from([(), (), (1, 3, 7)]))
    return RegionSpec(
        name,
        share=draw(shares),
        endpoints=endpoints,
        priority=draw(st.integers(1, 3)),
        capacity=draw(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 40.0, 100.0, 333.3, 1e6]))),
        weights=weights[: len(endpoints)],
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    regions = tuple(draw(region_specs(number)) for number in range(draw(st.integers(1, 5))))
    return Policy(
        TARGET.policy,
        (RECORD,),
        regions,
        (LIVE,),
        health=draw(st.sampled_from([HealthRules(), HealthRules(degraded_below=WHOLE, down_below=0)])),
        steering=draw(st.sampled_from(Steering)),
        weights=draw(st.sampled_from(Weights)),
        failback_after=draw(st.sampled_from([None, 0.0, 300.0])),
        limits=draw(either()),
        when_all_down=draw(st.sampled_from(AllDown)),
        on_drift=draw(st.sampled_from(OnDrift)),
        demand=draw(st.sampled_from([None, 100.0, 1_000.0])),
        source=Source("api.yaml", "r1"),
        ramp=draw(st.sampled_from([None, *RAMPS])),
        trickle=draw(st.sampled_from([0, 0, 100])),
        degraded=draw(st.sampled_from(WhenDegraded)),
        latency=draw(st.sampled_from([None, LatencyBand(window=300.0)])),
    )


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Mostly none."""
    groups = draw(st.sampled_from([(), (), ("r0", "r1", "r2"), ("r*",), ("r[02]", "r[13]")]))
    gate = (Rule("freeze", Gate("release", GATED)),)
    if not groups:
        return draw(st.sampled_from([(), gate]))
    says = Assertion(draw(st.integers(1, len(groups))), groups, draw(st.sampled_from([1, 1_000, 3_000])))
    return (Rule("some", says, else_after=draw(st.sampled_from([0.0, 60.0, 600.0]))),)


@st.composite
def words(draw: st.DrawFn, of: Policy, number: int, now: float) -> Override:
    """A word of any verb about the record, or about some of its regions or endpoints."""
    verb = draw(st.sampled_from([each for each in Verb if each is not Verb.APPROVE]))
    names = draw(st.lists(st.sampled_from([spec.name for spec in of.regions]), min_size=1, max_size=2, unique=True))
    endpoints = draw(st.lists(st.sampled_from([end.id for spec in of.regions for end in spec.endpoints]), min_size=1))
    about = {
        Verb.DRAIN: [Scope(regions=tuple(names)), Scope(regions=tuple(names)), Scope(endpoints=tuple(endpoints))],
        Verb.SHED: [Scope(regions=tuple(names))],
        Verb.PRACTICE: [Scope(regions=tuple(names[:1]))],
        Verb.UP: [Scope(endpoints=tuple(endpoints))],
        Verb.DOWN: [Scope(endpoints=tuple(endpoints))],
        Verb.PAUSE: [Scope(), Scope(policies=(of.name,))],
        Verb.ALERT: [Scope(regions=tuple(names))],
    }
    scope = draw(st.sampled_from(about.get(verb, [Scope(policies=(of.name,))])))
    since = now + draw(st.sampled_from([0.0, 0.0, 0.0, 30.0]))
    parts = [draw(st.integers(0, 3)) for _ in names]
    return Override(
        f"{begins(verb, scope)}{number:04x}",
        verb,
        scope,
        "alice@host",
        since,
        since + draw(st.sampled_from([20.0, 299.5, 900.25, 7_200.0])),
        (Comment(now, "alice@host", "because"),),
        shares=apportion(dict(zip(names, parts, strict=True)), WHOLE) if any(parts) else {names[0]: WHOLE},
        part=draw(st.sampled_from([100, 5_000, 9_999])),
        over=draw(st.sampled_from([0.0, 0.0, 15.0])) if not scope.endpoints else 0.0,
        now=draw(st.booleans()),
        needed=draw(st.sampled_from([1, 1, 1, 2])),
        name=draw(st.sampled_from(["degraded", "down"])) if verb is Verb.ALERT else "",
    )


# -- the world ---------------------------------------------------------------------------------------------------------


class Marks(TypedDict):
    """What the probes of a region say besides its state."""

    failing_since: float | None
    passed_at: float | None
    open_until: float | None


UNMARKED: Marks = {"failing_since": None, "passed_at": None, "open_until": None}

FAR = (None, 0.01, 0.035, 0.12)
"""How long connections may take, in seconds."""


class World(RuleBasedStateMachine):
    """One record, its regions, and everything that may happen to them."""

    @initialize(policy=policies(), rules=rules())
    def begin(self, policy: Policy, rules: tuple[Rule, ...]) -> None:
        self.policy = policy
        self.region_of = policy.region_of(KEY.type)
        self.letters = dict.fromkeys(self.region_of, "H")
        self.regions: dict[str, RegionHealth] = {}
        self.marks: dict[str, Marks] = {}
        self.latencies: dict[str, float | None] = {}
        self.now = NOW
        self.observed = Observed(TARGET, None)
        self.state = PolicyState(policy.name)
        self.estate = Estate(OWNER, as_it_is if policy.weights is Weights.NATIVE else in_or_out, rules=rules)
        self.unanswered: bool | None = None
        self.switch: tuple[Override, ...] = ()
        self.words: tuple[Override, ...] = ()
        self.given = 0
        self.look_around(reconcile=True)

    def look_around(self, *, reconcile: bool = False) -> None:
        """Roll the regions up, as every change of an endpoint does, and mostly look at the record then."""
        for spec in self.policy.regions:
            states = {end.address: HEALTHS[self.letters[end.address]] for end in spec.endpoints}
            before = self.regions.get(spec.name)
            health = rolled(states, before, self.policy.health, self.now, name=spec.name, weights=spec.weights)
            marks, latency = self.marks.get(spec.name, UNMARKED), self.latencies.get(spec.name)
            self.regions[spec.name] = replace(health, **marks, latency=latency)
        if reconcile:
            self.reconcile()

    # -- what happens: mostly the daemon looks at once, sometimes more happens before it does --------------------------

    @rule(data=st.data(), letters=st.text("HHHDUUU??", min_size=1, max_size=4), looks=often)
    def endpoints_change(self, data: st.DataObject, letters: str, looks: bool) -> None:
        for letter in letters:
            self.letters[data.draw(st.sampled_from(sorted(self.letters)))] = letter
        self.look_around(reconcile=looks)

    @rule(data=st.data(), letter=st.sampled_from("HDUU??"), looks=often)
    def a_region_changes(self, data: st.DataObject, letter: str, looks: bool) -> None:
        spec = data.draw(st.sampled_from(self.policy.regions))
        self.letters |= dict.fromkeys((end.address for end in spec.endpoints), letter)
        self.look_around(reconcile=looks)

    @rule(letter=st.sampled_from("HHU?"), looks=often)
    def everything_changes(self, letter: str, looks: bool) -> None:
        self.letters = dict.fromkeys(self.letters, letter)
        self.look_around(reconcile=looks)

    @rule(data=st.data(), failing=st.sampled_from([None, -1.0]), passed=st.sampled_from([None, -5.0, 0.0]),
          opened=st.sampled_from([None, None, 1.5, 3.5]), looks=often)  # fmt: skip
    def probes_are_under_way(
        self, data: st.DataObject, failing: float | None, passed: float | None, opened: float | None, looks: bool
    ) -> None:
        spec = data.draw(st.sampled_from(self.policy.regions))
        failing, passed, opened = (self.now + age if age is not None else None for age in (failing, passed, opened))
        self.marks[spec.name] = {"failing_since": failing, "passed_at": passed, "open_until": opened}
        self.look_around(reconcile=looks)

    @rule(data=st.data(), looks=often)
    def connections_take_another_time(self, data: st.DataObject, looks: bool) -> None:
        names = [spec.name for spec in self.policy.regions]
        self.latencies |= data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(FAR), max_size=3))
        self.look_around(reconcile=looks)

    @rule(seconds=st.sampled_from([0.5, 10.0, 60.0, 299.0, 300.0, 3_600.0, -20.0]), looks=often)
    def time_passes(self, seconds: float, looks: bool) -> None:
        self.now += seconds
        self.look_around(reconcile=looks)

    @rule(data=st.data(), looks=often)
    def somebody_edits_the_record(self, data: st.DataObject, looks: bool) -> None:
        self.observed = replace(self.observed, records=records(self.some_weights(data)))
        self.look_around(reconcile=looks)

    @rule(marker_too=st.booleans(), looks=often)
    def somebody_deletes_the_record(self, marker_too: bool, looks: bool) -> None:
        self.observed = Observed(TARGET, None) if marker_too else replace(self.observed, records=None)
        self.look_around(reconcile=looks)

    @rule(data=st.data(), generations=st.integers(1, 3), looks=often)
    def another_member_writes(self, data: st.DataObject, generations: int, looks: bool) -> None:
        if self.observed.marker is None:
            return
        marker = replace(self.observed.marker, generation=self.observed.marker.generation + generations)
        values = st.sampled_from(sorted(self.region_of))
        weights = data.draw(st.dictionaries(values, st.sampled_from([1, 255, WHOLE]), min_size=1, max_size=4))
        said = self.estate.normalise(records(weights))  # it has no other words than the provider has
        self.observed = Observed(TARGET, said, marker, marker.to_text())
        self.look_around(reconcile=looks)

    @rule(lands=st.booleans())
    def the_next_write_is_not_answered(self, lands: bool) -> None:
        self.unanswered = lands

    @rule(data=st.data(), said=either(), looks=often)
    def a_person_edits_the_policy(self, data: st.DataObject, said: Limits, looks: bool) -> None:
        regions = tuple(replace(spec, share=data.draw(shares)) for spec in self.policy.regions)
        source = replace(self.policy.source, revision=f"{self.policy.source.revision}+")
        self.policy = replace(self.policy, regions=regions, limits=said, source=source)
        self.look_around(reconcile=looks)

    @rule(on=st.booleans(), lasts=st.sampled_from([60.0, 4_000.0]), looks=often)
    def a_switch_is_turned(self, on: bool, lasts: float, looks: bool) -> None:
        word = Override("switch-0", Verb.SWITCH, Scope(), "alice", self.now, self.now + lasts, name="release")
        self.switch = (word,) if on else ()
        self.look_around(reconcile=looks)

    @rule(data=st.data(), looks=often)
    def an_operator_gives_a_word(self, data: st.DataObject, looks: bool) -> None:
        word = data.draw(words(self.policy, self.given, self.now))
        if word.verb is Verb.PIN and any(each.verb is Verb.PIN and not each.over_by(self.now) for each in self.words):
            return  # it would be refused
        self.given += 1
        self.words = (*self.words, word)
        self.look_around(reconcile=looks)

    @precondition(lambda self: self.words)
    @rule(data=st.data(), what=st.sampled_from(["release", "extend", "agree"]), looks=often)
    def an_operator_changes_a_word(self, data: st.DataObject, what: str, looks: bool) -> None:
        number = data.draw(st.integers(0, len(self.words) - 1))
        word = self.words[number]
        if word.over_by(self.now):
            return
        if what == "release":
            word = word.released("bob@host", "enough", self.now)
        elif what == "extend":
            word = replace(word, until=self.now + data.draw(st.sampled_from([1.5, 600.0])))
        else:
            word = replace(word, agreed=("bob@host",))
        self.words = (*self.words[:number], word, *self.words[number + 1 :])
        self.look_around(reconcile=looks)

    @rule(journal_too=st.booleans())
    def the_daemon_restarts(self, journal_too: bool) -> None:
        known, self.regions, self.marks = self.letters, {}, {}
        if journal_too:
            self.state = PolicyState(self.policy.name)
            self.words = ()
        self.letters = dict.fromkeys(known, "?")
        self.look_around(reconcile=True)
        self.letters = known
        self.look_around(reconcile=True)

    @rule()
    def a_person_brings_everything_back(self) -> None:
        self.reconcile(returning=True)

    def some_weights(self, data: st.DataObject) -> dict[str, int]:
        values = st.sampled_from([*sorted(self.region_of), *STRANGERS])
        return data.draw(st.dictionaries(values, st.sampled_from([0, 1, 255, WHOLE]), max_size=4))

    # -- the loop ------------------------------------------------------------------------------------------------------

    @property
    def memory(self) -> TargetMemory:
        return self.state.of(TARGET)

    def known(self, *, returning: bool = False) -> PolicyState:
        """What the daemon knows before it decides."""
        calm = set(self.letters.values()) == {"H"}
        back = frozenset(self.regions) if returning else frozenset[str]()
        verdicts, words = {KEY.type: dict(self.regions)}, (*self.words, *self.switch)
        state = replace(self.state, verdicts=verdicts, calm=calm, returning=back, overrides=words)
        return state if calm else progress.opened(self.policy, state, "test", self.now)[0]

    def evaluated(self, state: PolicyState, at: float | None = None) -> Outcome:
        return evaluate(self.policy, state, self.observed, self.estate, self.now if at is None else at)

    def reconcile(self, *, returning: bool = False) -> Outcome:
        state = self.known(returning=returning)
        outcome = self.evaluated(state)
        self.check_pure(state, outcome)
        view = self.seen(outcome, returning=returning)
        self.check_decision(outcome.decision, view)
        if not returning:  # a person's word is good for one round: what the next one finds is not for time alone
            self.check_until(outcome)
        self.check_words(outcome)
        self.check_practice(outcome)
        self.state = replace(outcome.state, returning=frozenset())
        if outcome.held is not None:
            self.check_held(outcome.held, outcome)
        if outcome.approved is not None:
            self.check_approved(outcome.approved, outcome)
            self.write(outcome.approved.plan)
            self.check_settled(outcome, view)
        self.check_no_dead_region_is_kept(outcome)
        assert load(PolicyState, dump(self.state)) == self.state
        return outcome

    def write(self, plan: Plan) -> None:
        self.state = progress.began(self.state, plan)
        lands, self.unanswered = self.unanswered, None
        if lands is not False:
            self.observed = Observed(TARGET, plan.after, plan.marker, plan.marker_text)
        if lands is None:
            self.state, _ = progress.applied(self.policy, self.state, plan, self.now)
            assert not self.memory.doubts
        else:
            assert progress.doubts(self.state, plan)

    def seen(self, outcome: Outcome, *, returning: bool) -> View:
        """What the decision was made from."""
        good = outcome.state.of(TARGET).last_good if outcome.found is not None else self.memory.last_good
        return View(
            regions=self.regions,
            current=self.observed.records,
            owned=self.observed.marker is not None,
            last_good=good.records if good is not None else None,
            returning=frozenset(self.regions) if returning else frozenset(),
            drifted=drifted(self.observed, good),
            last_shares=good.shares if good is not None else {},
            overruled=good.overruled if good is not None else None,
        )

    # -- what operators said -------------------------------------------------------------------------------------------

    def said(self, *verbs: Verb) -> list[Override]:
        """The words that are in force."""
        return [word for word in self.words if word.verb in verbs and word.in_force(self.now)]

    @property
    def lost(self) -> list[str]:
        """What the marker names, and nobody knows. A drill that was lost is over."""
        marker = self.observed.marker
        if marker is None or marker.until <= self.now:
            return []
        known = {word.id for word in self.words}
        again = tuple(begins(word.verb, word.scope) for word in self.said(*Verb))
        ends = self.memory.lost
        named = [name for name in marker.overrides if ends.get(name, float(marker.until)) > self.now]
        unknown = [name for name in named if name not in known and not name.startswith(again)]
        return [name for name in unknown if verb_of(name) is not Verb.PRACTICE]

    @property
    def lost_out(self) -> bool:
        """Whether a word that was lost may be why a region has no traffic: then it gets none."""
        return any(verb_of(name) not in {Verb.PAUSE, Verb.ALERT} for name in self.lost)

    @property
    def stopped(self) -> bool:
        return any(word.scope.everything for word in self.said(Verb.PAUSE))

    @property
    def drained(self) -> frozenset[str]:
        said = self.said(Verb.DRAIN)
        whole = [word for word in said if self.now >= word.since + word.over or stepped(word, self.now)[0] >= WHOLE]
        return frozenset(
            spec.name
            for spec in self.policy.regions
            for word in whole
            if word.scope.has_region(spec) and all(map(word.scope.has_endpoint, spec.endpoints))
        )

    @property
    def heard(self) -> dict[str, str]:
        """The letters of the endpoints, as words have them."""
        return self._by_words(Verb.UP, Verb.DOWN, Verb.DRAIN)

    def _by_words(self, *verbs: Verb) -> dict[str, str]:
        letters = dict(self.letters)
        about = [word for word in self.said(*verbs) if word.scope.endpoints]
        for word in reversed(about):
            named = {name.partition("/")[2] for name in word.scope.endpoints}
            letters |= dict.fromkeys(named, "H" if word.verb is Verb.UP else "U")
        return letters

    @property
    def seen_regions(self) -> Mapping[str, RegionHealth]:
        """The health of the regions, as words have it."""
        heeded = heed(self.policy, TARGET, self.words, self.observed.marker, OWNER, self.now, self.memory.lost)
        seen = seen_by_word(self.policy, KEY.type, self.regions, heeded)
        said = [word for word in self.words if word.verb in SAYING]
        return dict(lowered(self.policy, seen, self.state.signalled, said, heeded.drained, self.now).regions)

    @property
    def eligible(self) -> dict[str, RegionHealth]:
        """Those that may get traffic."""
        return {name: health for name, health in self.seen_regions.items() if name not in self.drained}

    def check_words(self, outcome: Outcome) -> None:
        """No word that is in force is acted against."""
        assert {word.id for word in outcome.state.overrides} <= {word.id for word in (*self.words, *self.switch)}
        if outcome.approved is None:
            return
        plan, before = outcome.approved.plan, self.observed.records
        assert not self.stopped, "something is written although everything is paused"
        empty = before is None or not before.serving
        if self.said(Verb.HOLD):
            assert empty or plan.after == before, "a hold changes an answer"
        more = {name for name, share in plan.shares_after.items() if share > plan.start.get(name, 0)}
        if self.policy.weights is Weights.MEMBERSHIP:  # where one value less of another region is more for the rest
            region_of = self.policy.region_of(KEY.type)
            was = {answer.value for answer in before.serving} if before is not None else set[str]()
            more = {region_of[answer.value] for answer in plan.after.serving if answer.value not in was}
        if not empty:
            assert not self.drained & more, "a drained region gets traffic"
        if (self.said(Verb.PAUSE) or self.lost) and not empty and plan.kind is not PlanKind.RESTORE:
            assert not sum(plan.shifts.values()), "something that is rationed moves in a pause"
            less = {name for name, share in plan.start.items() if share > plan.shares_after.get(name, 0)}
            all_down = outcome.decision.kind is DecisionKind.ALL_DOWN_NORMAL
            assert all_down or plan.kind is PlanKind.ADOPT or not self.well & less, "who is well loses in a pause"

    def check_practice(self, outcome: Outcome) -> None:
        """A drill costs no service: it yields to anything else, and to others that cannot carry the traffic."""
        codes = {reason.code for reason in outcome.decision.reasons}
        if ReasonCode.PRACTISED not in codes:
            return
        assert self.said(Verb.PRACTICE)
        assert not self.said(*(set(Verb) - {Verb.PRACTICE, Verb.SWITCH, Verb.APPROVE})), (
            "a word counts less than a drill"
        )
        assert not self.lost
        assert self.state.incident is None, "a drill goes on in an incident"
        assert not {each.state for each in self.seen_regions.values()} & {RegionState.DOWN, RegionState.DEGRADED}
        assert not codes & {ReasonCode.OVERLOAD, ReasonCode.EXCESS, ReasonCode.ALL_DOWN, ReasonCode.NOBODY_LEFT}
        assert sum(outcome.decision.shares.values()) == WHOLE

    @property
    def well(self) -> frozenset[str]:
        heard = self.heard
        alerted = {name for name, health in self.seen_regions.items() if health.state is RegionState.DOWN}
        return frozenset(
            spec.name
            for spec in self.policy.regions
            if {heard[end.address] for end in spec.endpoints} == {"H"} and spec.name not in alerted
        )

    # -- what has to hold ----------------------------------------------------------------------------------------------

    def check_pure(self, state: PolicyState, outcome: Outcome) -> None:
        """Equal inputs give equal outcomes, ids included, also after the way through a file, and stay as they are."""
        text = dump(state)
        assert same(outcome, self.evaluated(load(PolicyState, text)))
        shuffled = {KEY.type: dict(reversed(self.regions.items()))}
        assert same(outcome, self.evaluated(replace(state, verdicts=shuffled)))
        assert dump(state) == text

    def check_until(self, outcome: Outcome) -> None:
        """Time alone changes nothing before `until`, and then something, if only how long it is waited."""
        if outcome.until is None:
            day = self.evaluated(outcome.state, self.now + 7 * 86_400.0)
            assert outcome.kind in {day.kind, OutcomeKind.WRITE}
            return
        if outcome.plan is not None and outcome.plan.kind is PlanKind.MARK:
            return  # it is looked at again at once
        was, good = self.memory.last_good, outcome.state.of(TARGET).last_good
        over = was is not None and was.overruled is not None and good is not None and good.overruled is None
        over |= self.state.incident is not None and outcome.state.incident is None
        if over and outcome.until == self.now:
            return  # so it is where what this was made from is over: an incident, or an accepted edit
        assert outcome.until > self.now
        before = outcome.until - min(1e-3, (outcome.until - self.now) / 2)
        assert self.evaluated(outcome.state, before).kind is outcome.kind, (
            outcome.until - self.now,
            outcome,
            self.evaluated(outcome.state, before),
        )
        then = self.evaluated(outcome.state, outcome.until)
        if outcome.kind is not OutcomeKind.WRITE:
            assert _gist(then) != _gist(outcome)

    def check_decision(self, decision: Decision, view: View) -> None:
        if decision.records is None:
            assert decision.shares == {}
            assert decision.kind in {
                DecisionKind.HOLD_ALL_DOWN,
                DecisionKind.HOLD_NO_VERDICT,
                DecisionKind.HOLD_COMMON_FALL,
                DecisionKind.HOLD_OPERATOR,
                DecisionKind.HOLD_OVERRIDES_LOST,
            }
            emptied = view.emptied and set(view.published) & set(self.region_of)
            assert self.stopped or not emptied, "a hold left it empty"
            return
        weights = {answer.value: answer.weight for answer in decision.records.answers}
        assert weights
        assert min(weights.values()) > 0
        assert sum(decision.shares.values()) == WHOLE
        assert min(decision.shares.values()) > 0
        assert set(weights) <= set(self.region_of)
        if decision.kind is DecisionKind.RESTORE_LAST_GOOD:
            return
        by_region: dict[str, int] = {}
        for value, weight in weights.items():
            by_region[self.region_of[value]] = by_region.get(self.region_of[value], 0) + weight
        assert by_region == decision.shares
        if decision.kind is DecisionKind.ALL_DOWN_NORMAL:
            may = {name for name in self.eligible if view.shares(self.region_of).get(name) or not self.lost_out}
            assert not any(self.eligible[name].serves for name in may)
            return
        assert not self.drained & decision.shares.keys()
        for value in weights:
            letter = self.heard[value]
            assert letter in {"H", "D"} or (letter == "?" and value in view.published)
        if found(decision, ReasonCode.PINNED):
            self.check_pin(decision)
            return
        self.check_capacity(decision)
        self.check_ramps(decision, view)
        by_hand = redone(decision)  # where a share of a hundredth of a basis point may stand that was rounded away
        for name in {*by_hand, *decision.shares}:
            assert by_hand.get(name, 0.0) == pytest.approx(decision.shares.get(name, 0) / 100, abs=0.1)

    def check_ramps(self, decision: Decision, view: View) -> None:
        """Nobody on its way gets more than its step says, or than it has; and nobody is overloaded for that.

        A step is as large as a rule counts, where one binds the region; and what it has is what failoverd published,
        for an edit ends no hold and begins none.
        """
        for reason in found(decision, ReasonCode.RAMP):
            numbers, share = reason.numbers, decision.shares.get(reason.region, 0)
            has = view.shares(self.region_of).get(reason.region, 0)
            step = max(numbers["part"] * numbers["of"] / WHOLE, min(numbers.get("counts", 0.0), numbers["of"]))
            assert share <= max(1, has, step) + 1
            assert not found(decision, ReasonCode.OVERLOAD), "a step is waited for while somebody is overloaded"

    def check_pin(self, decision: Decision) -> None:
        """The pin says who gets how much, as far as they serve; if none of them does, it says nothing."""
        (pin,) = self.said(Verb.PIN)
        may_answer = decision.values.keys() & self.eligible.keys()
        wanted = {name: share for name, share in pin.shares.items() if share and name in may_answer}
        if wanted:
            assert decision.shares == apportion(wanted, WHOLE)

    def check_capacity(self, decision: Decision) -> None:
        if found(decision, ReasonCode.OVERLOAD):
            return
        frozen = {reason.region for reason in found(decision, ReasonCode.FROZEN)}
        for spec in self.policy.regions:
            if spec.capacity is None or not self.policy.demand or spec.name in frozen:
                continue
            score = self.eligible[spec.name].score if spec.name in self.eligible else 0
            room = Fraction(score) * Fraction(spec.capacity) / Fraction(self.policy.demand)
            assert decision.shares.get(spec.name, 0) < room + 1

    def check_approved(self, approved: Approved, outcome: Outcome) -> None:
        plan, before = approved.plan, self.observed.records
        assert plan.after.serving
        assert all(check.passed for check in approved.checks)
        published = plan.after.shares(self.region_of)
        assert sum(published.values()) == WHOLE
        assert plan.generation > (self.observed.marker.generation if self.observed.marker else 0)
        good = self.memory.last_good
        assert plan.generation > (good.generation if good else 0)
        if before is None or not before.serving or plan.kind is PlanKind.ADOPT:
            assert plan.shifts == {}
            return
        if plan.kind is PlanKind.MARK:
            assert plan.after == before
            return
        standing = before.shares(self.region_of)
        regions = len(published)
        assert regions >= self.policy.limits.min_regions or regions >= len(set(standing) - {ELSEWHERE})
        shut = any(word.in_force(self.now) for word in self.switch)
        for each in self.estate.rules:
            if isinstance(each.says, Gate):
                assert not shut or plan.cause is Cause.FAILING_OUT
                continue
            met, before_it = each.says.met(plan.shares_after), each.says.met(plan.shares_before)
            waited = LimitNote.WAITED in {check.note for check in approved.checks}
            assert met >= min(each.says.at_least, before_it) or waited
        self.check_rations(approved, outcome)

    def check_rations(self, approved: Approved, outcome: Outcome) -> None:
        """What moves beyond what fails out was taken from a ration that had it."""
        plan = approved.plan
        if outcome.decision.kind is DecisionKind.ALL_DOWN_NORMAL:
            return
        notes = {check.note for check in approved.checks}
        if LimitNote.RECALLED in notes:
            assert self.memory.practised or self.said(Verb.PRACTICE), "nobody practised, and no rate counts"
            return
        if LimitNote.AT_ONCE in notes:
            assert any(word.now for word in self.said(*Verb)), "nobody said that no rate counts"
            return
        dead = {value for value, letter in self.heard.items() if letter == "U"}
        found_there = self.observed.records.serving if self.observed.records is not None else ()
        leaves = dead & {answer.value for answer in found_there}
        freed = sum(
            share for name, share in plan.start.items() if name in self.regions and self.fails(name, found_there)
        )
        came = {answer.value for answer in plan.after.serving} - {answer.value for answer in found_there}
        whole = self.policy.weights is Weights.MEMBERSHIP and came  # what comes in takes as much as each that stays
        moved = shift(plan.start, plan.shares_after)
        assert leaves or whole or moved <= freed + sum(plan.shifts.values()) + ONE_POINT
        for cause, moved in plan.shifts.items():
            both = {Cause.RETURNING} if cause is Cause.RETURNING else {Cause.TUNING, Cause.OPERATOR}
            if cause is Cause.OPERATOR and self.said(*Verb):  # a word has its ration to itself
                both = {Cause.OPERATOR}
            ration = self.policy.limits.returning if cause is Cause.RETURNING else self.policy.limits.tuning
            done = [past for past in self.memory.changes if both & past.rationed.keys()]
            recent = [past for past in done if past.at > self.now - ration.shift_window]
            spent = sum(past.rationed.get(each, 0) for past in recent for each in both)
            assert LimitNote.INDIVISIBLE in notes or moved == 0 or spent + moved <= ration.max_shift + ONE_POINT
            assert sum(1 for past in done if past.at > self.now - ration.changes_window) < ration.max_changes

    def fails(self, name: str, found_there: Iterable[Answer]) -> bool:
        """Whether the region is down, or lost from sight with everything down that it answers with."""
        health, heard = self.seen_regions[name], self.heard
        mine = {heard[answer.value] for answer in found_there if self.region_of.get(answer.value) == name}
        return health.state is RegionState.DOWN or (health.state is RegionState.UNKNOWN and mine <= {"U"})

    @staticmethod
    def fell_after(region: RegionHealth, moment: float) -> bool:
        return region.state is RegionState.DOWN and region.since > moment

    def check_held(self, held: Held, outcome: Outcome) -> None:
        assert held.blocking
        assert Limit.NEVER_EMPTY not in {check.limit for check in held.blocking}
        assert self.observed.records is not None
        assert self.observed.records.serving, "a limit kept a record empty"
        assert outcome.kind is OutcomeKind.WRITE or held.keeps_dead == (outcome.cause is Cause.FAILING_OUT)
        if held.keeps_dead:
            blocking = {check.limit for check in held.blocking}
            assert blocking <= {Limit.MIN_REGIONS, Limit.ASSERTION}
            if blocking == {Limit.ASSERTION}:
                assert outcome.until is not None
                assert outcome.until <= self.now + max(each.else_after for each in self.estate.rules)

    def check_no_dead_region_is_kept(self, outcome: Outcome) -> None:
        """Only an end state, a doubt, an edit by consent, or there being nowhere to go keeps what is down.

        What is drained and well may wait, in full or in part, for a word meets the rates.
        """
        good = outcome.state.of(TARGET).last_good
        if good is not None and good.overruled and not self.memory.left_by and outcome.decision.kind not in ALL_DOWN:
            fell = {name for name, each in self.seen_regions.items() if self.fell_after(each, good.at)}
            assert not fell & good.records.shares(self.region_of).keys(), "an edit outlives whom it answers with"
        edited = outcome.kind in {OutcomeKind.DRIFT, OutcomeKind.REFUSE} or (good is not None and good.overruled)
        adopted = outcome.plan is not None and outcome.plan.kind in {PlanKind.ADOPT, PlanKind.MARK}
        narrow = outcome.held is not None and outcome.held.keeps_dead
        sent = outcome.approved is None or self.observed.records == outcome.approved.plan.after
        restored = outcome.decision.kind in {DecisionKind.RESTORE_LAST_GOOD, DecisionKind.ALL_DOWN_NORMAL}
        if outcome.decision.records is None or edited or adopted or narrow or restored or not sent:
            serving = [region for region in self.eligible.values() if region.serves]
            assert self.lost or outcome.decision.kind is not DecisionKind.HOLD_ALL_DOWN or not serving
            return
        assert self.observed.records is not None
        kept = {answer.value for answer in self.observed.records.serving}
        waits = outcome.held is not None or (outcome.approved is not None and outcome.approved.plan.whole is not None)
        dead = self._by_words(Verb.UP, Verb.DOWN) if waits else self.heard
        assert not {value for value in kept if dead.get(value) == "U"}
        down = {name for name, region in self.seen_regions.items() if region.state is RegionState.DOWN}
        assert not down & self.observed.records.shares(self.region_of).keys()

    def check_settled(self, outcome: Outcome, view: View) -> None:
        """What was applied is what is wanted: looking again changes nothing, and nothing oscillates."""
        wanted, stands = outcome.decision.records, self.observed.records
        if wanted is None:  # a hold that the marker is to name
            assert outcome.plan is not None
            assert outcome.plan.kind is PlanKind.MARK
            return
        if self.memory.doubts or stands != self.estate.normalise(wanted):
            return
        if self.policy.weights is Weights.MEMBERSHIP or view.returning:
            return
        if outcome.decision.kind is DecisionKind.RESTORE_LAST_GOOD:
            return  # what answered nothing answers again, as it did last: what else is wanted comes next
        again = self.evaluated(self.known())
        assert again.kind in {OutcomeKind.IN_SYNC, OutcomeKind.HOLD}
        assert again.decision.records is None or again.decision.records == wanted

    # -- in the end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """When all is well for long enough and no word holds, the record is what the file says: no incident is left."""
        if not hasattr(self, "policy"):
            return
        marker = self.observed.marker
        ends = [word.ends for word in self.words if not word.pending and word.verb is not Verb.SWITCH]
        self.now = max([self.now, *ends, float(marker.until) if marker is not None else 0.0])
        self.letters = dict.fromkeys(self.letters, "H")
        self.marks, self.unanswered, self.switch = {}, None, ()
        specs = self.policy.regions
        normal = normal_shares(self.policy, RECORD, specs)
        bounds = self.policy.limits
        rations = (bounds.tuning, bounds.returning)
        nothing_moves = any(ration.max_shift == 0 or ration.max_changes == 0 for ration in rations)
        if (
            nothing_moves
            or len(normal) < bounds.min_regions
            or any(isinstance(each.says, Assertion) for each in self.estate.rules)
        ):
            return
        for _ in range(80):
            self.look_around()
            given_up = bool(found(self.evaluated(self.known()).decision, ReasonCode.FAILBACK_GIVEN_UP))
            outcome = self.reconcile(returning=self.policy.failback_after is None or given_up)
            for_good = outcome.kind is OutcomeKind.DRIFT and outcome.until is None
            if outcome.kind is OutcomeKind.REFUSE or for_good:
                return
            if outcome.kind is OutcomeKind.IN_SYNC and outcome.decision.kind is DecisionKind.NORMAL:
                assert self.state.incident is None
                return
            self.now = outcome.until if outcome.until is not None else self.now + 10.0
        pytest.fail(f"not normal after {self.now - NOW:g}s: {outcome}")


def _gist(outcome: Outcome) -> object:
    plan = outcome.plan
    return outcome.kind, outcome.decision.kind, outcome.shares, plan.after if plan is not None else None, outcome.until


World.TestCase.settings = settings(
    settings.get_profile("failoverd"),
    max_examples=settings.get_profile("failoverd").max_examples // 2,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow],
)

TestAnyHistory = World.TestCase


# -- histories that were found, in which the property was wrong --------------------------------------------------------


def _began(base: Policy, *regions: RegionSpec) -> World:
    world = World()
    world.begin(of_regions(*regions, base=base), ())
    return world


def _says(world: World, scope: Scope, verb: Verb = Verb.DRAIN) -> None:
    said = Comment(world.now, "alice@host", "because")
    word = Override(f"{begins(verb, scope)}0000", verb, scope, said.actor, world.now, world.now + 60.0, (said,))
    world.words = (*world.words, word)


def test_endpoints_that_are_drained_and_well_leave_in_steps_where_their_whole_region_goes() -> None:
    base = Policy(
        TARGET.policy, (RECORD,), (), (LIVE,), source=Source("api.yaml", "r1"), limits=limits(max_shift=7_000)
    )
    world = _began(base, region("r0", 100, "10.0.0.0", "10.0.0.1"), region("r1", 0, "10.0.1.0", priority=2))
    _says(world, Scope(endpoints=("r0/10.0.0.0", "r0/10.0.0.1")))
    world.look_around(reconcile=True)
    assert world.observed.records is not None
    assert world.observed.records.shares(world.region_of) == {"r0": 3_000, "r1": 7_000}


def test_who_serves_gets_nothing_where_all_others_are_down_and_the_word_that_may_have_drained_it_is_lost() -> None:
    base = Policy(TARGET.policy, (RECORD,), (), (LIVE,), source=Source("api.yaml", "r1"), when_all_down=AllDown.NORMAL)
    world = _began(base, region("r0", 50, "10.0.0.0"), region("r1", 50, "10.0.1.0"))
    _says(world, Scope(regions=("r0",)))
    world.look_around(reconcile=True)
    world.letters["10.0.1.0"] = "U"
    world.look_around(reconcile=True)
    world.the_daemon_restarts(journal_too=True)
    assert world.observed.records is not None
    assert world.observed.records.shares(world.region_of) == {"r1": WHOLE}


def test_a_drill_that_was_lost_is_over_and_who_was_out_for_it_comes_back() -> None:
    base = Policy(TARGET.policy, (RECORD,), (), (LIVE,), source=Source("api.yaml", "r1"), failback_after=0.0)
    world = _began(base, region("r0", 50, "10.0.0.0"), region("r1", 50, "10.0.1.0"))
    _says(world, Scope(regions=("r0",)), Verb.PRACTICE)
    world.look_around(reconcile=True)
    assert world.observed.records is not None
    assert world.observed.records.shares(world.region_of) == {"r1": WHOLE}
    world.the_daemon_restarts(journal_too=True)
    assert world.observed.records.shares(world.region_of) == {"r0": 5_000, "r1": 5_000}
