"""Decide, diff and review together, over random policies, healths, histories, edits and accidents.

A machine plays a small world: endpoints come and go, time passes, people edit and empty the record, the daemon
restarts. After each look at the record everything that failoverd promises is checked against the world itself.
FAILOVERD_SOAK=n looks n times as hard.
"""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.scenes import (
    HEALTHS,
    KEY,
    LIVE,
    NOW,
    RECORD,
    TARGET,
    compared,
    records,
    rolled,
)
from support.sums import redone, told

from failoverd.core.decide import Decision, View, Wish, decide
from failoverd.core.guard import Approved, Held, Limit, PastChange, review, shift
from failoverd.core.health.region import RegionHealth  # noqa: TC001 - Hypothesis evaluates the annotations of the machine
from failoverd.core.plan import InSync, LastGood, Plan, drifted
from failoverd.core.records import (
    ELSEWHERE,
    WHOLE,
    AllDown,
    Endpoint,
    HealthRules,
    Limits,
    Observed,
    Policy,
    RecordSet,
    RegionSpec,
    Steering,
    Weights,
)

STRANGERS = ["203.0.113.1", "203.0.113.2"]

often = st.sampled_from([True, True, True, False])


# -- random policies ---------------------------------------------------------------------------------------------------


@st.composite
def region_specs(draw: st.DrawFn, number: int) -> RegionSpec:
    name = f"r{number}"
    endpoints = tuple(Endpoint(name, f"10.0.{number}.{n}") for n in range(draw(st.integers(1, 3))))
    return RegionSpec(
        name,
        share=draw(st.sampled_from([0, 1, 100, 3_000, 5_000, 7_000, WHOLE])),
        endpoints=endpoints,
        priority=draw(st.integers(1, 3)),
        capacity=draw(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 40.0, 100.0, 333.3, 1e6]))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    regions = tuple(draw(region_specs(number)) for number in range(draw(st.integers(1, 5))))
    limits = Limits(
        min_regions=draw(st.sampled_from([0, 1, 1, 1, 2, 3])),
        max_shift=draw(st.sampled_from([0, 2_500, 7_000, WHOLE, WHOLE, WHOLE])),
        max_changes=draw(st.sampled_from([0, 2, 6, 1_000, 1_000, 1_000])),
    )
    return Policy(
        TARGET.policy,
        (RECORD,),
        regions,
        (LIVE,),
        health=draw(st.sampled_from([HealthRules(), HealthRules(degraded_below=WHOLE, down_below=0)])),
        steering=draw(st.sampled_from(Steering)),
        weights=draw(st.sampled_from(Weights)),
        failback_after=draw(st.sampled_from([None, 0.0, 300.0])),
        limits=limits,
        when_all_down=draw(st.sampled_from(AllDown)),
        demand=draw(st.sampled_from([None, 100.0, 1_000.0])),
    )


# -- the world ---------------------------------------------------------------------------------------------------------


class World(RuleBasedStateMachine):
    """One record, its regions, and everything that may happen to them."""

    @initialize(policy=policies())
    def begin(self, policy: Policy) -> None:
        self.policy = policy
        self.region_of = policy.region_of(KEY.type)
        self.letters = dict.fromkeys(self.region_of, "H")
        self.regions: dict[str, RegionHealth] = {}
        self.now = NOW
        self.observed = Observed(TARGET, None)
        self.last_good: LastGood | None = None
        self.history: list[PastChange] = []
        self.look_around()
        self.reconcile()

    def look_around(self, *, reconcile: bool = False) -> None:
        """Roll the regions up, as every change of an endpoint does, and mostly look at the record then."""
        for spec in self.policy.regions:
            states = {end.address: HEALTHS[self.letters[end.address]] for end in spec.endpoints}
            before = self.regions.get(spec.name)
            self.regions[spec.name] = rolled(states, before, self.policy.health, self.now, name=spec.name)
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

    @rule(seconds=st.sampled_from([0.5, 10.0, 299.0, 300.0, 3_600.0, -20.0]), looks=often)
    def time_passes(self, seconds: float, looks: bool) -> None:
        self.now += seconds
        self.look_around(reconcile=looks)

    @rule(data=st.data(), looks=often)
    def somebody_edits_the_record(self, data: st.DataObject, looks: bool) -> None:
        values = st.sampled_from([*sorted(self.region_of), *STRANGERS])
        weights = data.draw(st.dictionaries(values, st.sampled_from([0, 1, 255, WHOLE]), max_size=4))
        self.observed = replace(self.observed, records=records(weights))
        self.look_around(reconcile=looks)

    @rule(marker_too=st.booleans(), looks=often)
    def somebody_deletes_the_record(self, marker_too: bool, looks: bool) -> None:
        self.observed = Observed(TARGET, None) if marker_too else replace(self.observed, records=None)
        self.look_around(reconcile=looks)

    @rule(journal_too=st.booleans())
    def the_daemon_restarts(self, journal_too: bool) -> None:
        known, self.regions = self.letters, {}
        if journal_too:
            self.last_good, self.history = None, []
        self.letters = dict.fromkeys(known, "?")
        self.look_around(reconcile=True)
        self.letters = known
        self.look_around(reconcile=True)

    @rule()
    def a_person_brings_everything_back(self) -> None:
        self.reconcile(returning=True)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def reconcile(self, *, returning: bool = False) -> None:
        view = View(
            regions=self.regions,
            current=self.observed.records,
            owned=self.observed.marker is not None,
            last_good=self.last_good.records if self.last_good is not None else None,
            returning=frozenset(self.regions) if returning else frozenset(),
            drifted=drifted(self.observed, self.last_good),
        )
        decision = decide(self.policy, RECORD, TARGET, view, self.now)
        shuffled = replace(view, regions=dict(reversed(self.regions.items())))
        assert decision == decide(self.policy, RECORD, TARGET, shuffled, self.now)
        self.check_decision(decision, view)
        if decision.records is None:
            return
        plan = compared(self.policy, self.observed, self.normalised(decision.records), last_good=self.last_good)
        if not isinstance(plan, Plan):
            return
        assert review(plan, self.policy.limits, self.history, self.now).checks == (
            review(plan, self.policy.limits, self.history[::-1], self.now).checks
        )
        verdict = review(plan, self.policy.limits, self.history, self.now)
        if isinstance(verdict, Held):
            self.check_held(verdict)
            return
        self.check_approved(verdict)
        self.apply(verdict.plan)
        self.check_settled(decision, view)

    def normalised(self, desired: RecordSet) -> RecordSet:
        """As a provider says it that knows only in or out, where the policy asks for that."""
        if self.policy.weights is Weights.NATIVE:
            return desired
        return records({answer.value: 1 for answer in desired.serving})

    def apply(self, plan: Plan) -> None:
        self.observed = Observed(TARGET, plan.after, plan.marker, plan.marker.to_text())
        self.last_good = LastGood(plan.after, plan.generation, plan.shares_after, self.now)
        self.history.append(PastChange(plan.id, self.now, plan.shares_before, plan.shares_after))

    # -- what has to hold ----------------------------------------------------------------------------------------------

    def check_decision(self, decision: Decision, view: View) -> None:
        if decision.records is None:
            assert decision.shares == {}
            assert decision.wish in {Wish.HOLD_ALL_DOWN, Wish.HOLD_NO_VERDICT}
            assert not (view.emptied and set(view.published) & set(self.region_of)), "a hold left it empty"
            return
        weights = {answer.value: answer.weight for answer in decision.records.answers}
        assert weights
        assert min(weights.values()) > 0
        assert sum(decision.shares.values()) == WHOLE
        assert min(decision.shares.values()) > 0
        assert set(weights) <= set(self.region_of)
        if decision.wish is Wish.RESTORE_LAST_GOOD:
            return
        by_region: dict[str, int] = {}
        for value, weight in weights.items():
            by_region[self.region_of[value]] = by_region.get(self.region_of[value], 0) + weight
        assert by_region == decision.shares
        if decision.wish is Wish.ALL_DOWN_NORMAL:
            assert not any(region.serves for region in self.regions.values())
            return
        for value in weights:
            letter = self.letters[value]
            assert letter in {"H", "D"} or (letter == "?" and value in view.published)
        self.check_capacity(decision)
        assert redone(decision) == pytest.approx(
            {name: share / 100 for name, share in decision.shares.items()}, abs=0.1
        )

    def check_capacity(self, decision: Decision) -> None:
        if told(decision, "overload"):
            return
        frozen = {text.split()[0] for text in told(decision, "frozen")}
        for spec in self.policy.regions:
            if spec.capacity is None or not self.policy.demand or spec.name in frozen:
                continue
            score = self.regions[spec.name].score
            room = Fraction(score) * Fraction(spec.capacity) / Fraction(self.policy.demand)
            assert decision.shares.get(spec.name, 0) < room + 1

    def check_approved(self, approved: Approved) -> None:
        plan, limits, before = approved.plan, self.policy.limits, self.observed.records
        assert plan.after.serving
        shares = plan.after.shares(self.region_of)
        assert sum(shares.values()) == WHOLE
        assert plan.generation > (self.observed.marker.generation if self.observed.marker else 0)
        assert plan.generation > (self.last_good.generation if self.last_good else 0)
        if before is None or not before.serving:
            return
        standing = before.shares(self.region_of)
        regions = len(shares)
        assert regions >= limits.min_regions or regions >= len(set(standing) - {ELSEWHERE})
        edited = self.last_good is not None and drifted(self.observed, self.last_good)
        started = self.last_good.shares if edited and self.last_good is not None else standing
        recent = [past for past in self.history if past.at > self.now - limits.shift_window and past.shares_before]
        assert all(shift(past.shares_before, shares) <= limits.max_shift for past in recent)
        assert shift(started, shares) <= limits.max_shift
        done = [past for past in self.history if past.at > self.now - limits.changes_window]
        assert len(done) < limits.max_changes

    def check_held(self, held: Held) -> None:
        assert held.blocking
        assert Limit.NEVER_EMPTY not in {check.limit for check in held.blocking}
        assert self.observed.records is not None
        assert self.observed.records.serving, "a limit kept a record empty"
        if held.until is not None:
            assert held.until > self.now
            assert isinstance(review(held.plan, self.policy.limits, self.history, held.until), Approved)

    def check_settled(self, decision: Decision, view: View) -> None:
        """What was applied is what is wanted: looking again changes nothing, and nothing oscillates."""
        assert decision.records is not None
        desired = self.normalised(decision.records)
        assert isinstance(compared(self.policy, self.observed, desired, last_good=self.last_good), InSync)
        if self.policy.weights is Weights.MEMBERSHIP or view.returning:
            return
        after = replace(view, current=self.observed.records, owned=True, last_good=desired, drifted=False)
        again = decide(self.policy, RECORD, TARGET, after, self.now)
        assert again.records is None or again.records == decision.records


World.TestCase.settings = settings(
    settings.get_profile("failoverd"),
    max_examples=settings.get_profile("failoverd").max_examples // 2,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)

TestAnyHistory = World.TestCase
