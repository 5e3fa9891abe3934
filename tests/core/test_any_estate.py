"""Several policies over shared regions, whatever is measured, lost, said and priced: what each may take, and takes.

A machine plays a small installation: regions are lost for one policy or for all, Prometheus answers ten times as much,
nothing, or not at all, files change, people pin, drain and shed. After each round the answers are held against the
world itself. FAILOVERD_SOAK=n looks n times as hard.
"""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.approving import limits
from support.estates import Neighbour, Neighbourhood
from support.residency import break_glass, homes, inside
from support.scenes import LIVE, OWNER
from support.stories import same
from support.sums import found, redone

from failoverd.codec import dump, load
from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.readings import GROWTH, FigureRole, asks, measured
from failoverd.core.control.sharing import share_out
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionState
from failoverd.core.measures import ErrorBudget, Load, May, Measure, Signals
from failoverd.core.overrides import GUEST, Comment, Override, Scope, Verb, begins, residency_rule
from failoverd.core.reasons import Limit, ReasonCode
from failoverd.core.records import (
    WHOLE,
    AllDown,
    CostRules,
    DataIn,
    Endpoint,
    LatencyBand,
    Link,
    ListPrices,
    Marker,
    Model,
    NamedPlace,
    Observed,
    OnDrift,
    Policy,
    RampRules,
    RecordKey,
    RecordSet,
    RecordSpec,
    RecordType,
    RegionSpec,
    Source,
    Steering,
    Target,
    Traffic,
    Weights,
    WhenDegraded,
    apportion,
)

ALLOW = ("EU", "CH")
MODELS = (Model("m", "1"), Model("m", "2"))
PLACES = (
    NamedPlace.of("192.0.2.99", [Endpoint("192.0.2.99", "192.0.2.99")], "EU"),
    NamedPlace.of("192.0.2.66", [Endpoint("192.0.2.66", "192.0.2.66")], "US"),
)
STRANGER = "203.0.113.1"
FACTORS = (0.0, 0.1, 0.9, 1.0, 1.0, 1.1, 3.0, 10.0, 1e9, -5.0)
"""What is measured, as a multiple of what is so."""

COMPUTED = frozenset({DecisionKind.NORMAL, DecisionKind.FAILOVER, DecisionKind.OPERATOR})
"""Decisions by a sum."""

BEYOND = frozenset({ReasonCode.OVERLOAD, ReasonCode.EXCESS})
"""Why regions are sent more than they can carry: it fits nowhere."""

laws = st.sampled_from(["EU", "CH", "US", ""])
often = st.sampled_from([True, True, True, False])


# -- a random installation ---------------------------------------------------------------------------------------------


@st.composite
def inventories(draw: st.DrawFn) -> tuple[RegionSpec, ...]:
    """Regions, as the inventory tells of them; policies put in their own part."""
    counted = st.sampled_from([1.0, 100.0, 600.0, 600.0, 900.0])
    found = []
    for number in range(draw(st.integers(2, 4))):
        capacity = draw(st.one_of(counted, counted, st.none()))
        gauge = Measure(f"slots-r{number}", "main", declared=capacity or 0.0, least=draw(st.sampled_from([None, 10.0])))
        found.append(
            RegionSpec(
                f"r{number}",
                0,
                (),
                capacity=capacity,
                cloud=f"c{number % 2}",
                headroom=draw(st.sampled_from([WHOLE, 9_000])),
                jurisdiction="EU" if number == 0 else draw(laws),  # a policy that nobody may answer is not loaded
                models=draw(st.sampled_from([MODELS, MODELS[:1], ()])),
                measure=draw(st.sampled_from([None, gauge])) if capacity else None,
                prices=ListPrices(draw(st.sampled_from([0.01, 0.09]))),
                link=draw(st.sampled_from([None, Link(1e6), Link(1e9, 0.02)])),
            )
        )
    return tuple(found)


@st.composite
def policies(draw: st.DrawFn, number: int, inventory: tuple[RegionSpec, ...]) -> Policy:
    name = f"p{number}"
    key = RecordKey(f"{name}.example.com", RecordType.A)
    record = RecordSpec(key, 30, (Target(name, key, "dns-main", "example.com"),))
    used = inventory if draw(often) else (inventory[0], inventory[-1])
    regions = tuple(
        replace(
            spec,
            share=draw(st.sampled_from([0, 1, 3_000, WHOLE])),
            priority=draw(st.integers(1, 2)),
            endpoints=tuple(
                Endpoint(spec.name, f"10.{number}.{place}.{each}") for each in range(draw(st.integers(1, 2)))
            ),
        )
        for place, spec in enumerate(used)
    )
    own = [NamedPlace.of(each.name, each.endpoints, each.jurisdiction) for each in regions]
    demand = draw(st.sampled_from([None, 50.0, 400.0, 800.0, 800.0]))
    rate = Measure(f"rate-{name}", "main", declared=demand or 0.0, least=draw(st.sampled_from([None, None, 20.0])))
    errors = ErrorBudget(f"errors-{name}[$window]", f"requests-{name}[$window]", "main", may=draw(st.sampled_from(May)))
    queue = Load(f"queue-{name}", "main", low=5.0, high=20.0)
    return Policy(
        name,
        (record,),
        regions,
        (LIVE,),
        steering=draw(st.sampled_from(Steering)),
        weights=draw(st.sampled_from([Weights.NATIVE, Weights.NATIVE, Weights.MEMBERSHIP])),
        failback_after=draw(st.sampled_from([None, 0.0, 300.0])),
        limits=limits(
            min_regions=draw(st.sampled_from([1, 1, 2])),
            max_shift=draw(st.sampled_from([0, 2_500, WHOLE, WHOLE])),
            max_changes=draw(st.sampled_from([0, 1_000, 1_000])),
        ),
        when_all_down=draw(st.sampled_from(AllDown)),
        when_all_down_place=draw(st.sampled_from([None, *PLACES])),
        shed_to=draw(st.sampled_from([None, *PLACES, *own])),
        on_drift=draw(st.sampled_from(OnDrift)),
        demand=demand,
        measure=rate if demand is not None and draw(st.booleans()) else None,
        signals=draw(st.sampled_from([Signals(errors), Signals(errors, queue), Signals(room=queue)])),
        tier=draw(st.sampled_from([100, 200, 200, 300])),
        model=draw(st.sampled_from([None, None, MODELS[0]])),
        canary=draw(st.sampled_from([(), ("r1",)])),
        residency=draw(st.sampled_from([(), ALLOW, ALLOW])),
        ramp=draw(st.sampled_from([None, RampRules(judge=60.0)])),
        trickle=draw(st.sampled_from([0, 0, 100])),
        degraded=draw(st.sampled_from(WhenDegraded)),
        latency=draw(st.sampled_from([None, LatencyBand(window=300.0)])),
        traffic=Traffic(50_000.0) if demand is not None else None,
        data_in=draw(st.sampled_from([None, DataIn("r0", 2_000.0)])),
        cost=CostRules(at_least=1.0, every=3_600.0) if demand is not None and draw(st.booleans()) else None,
        source=Source(f"{name}.yaml", "r1"),
    )


@st.composite
def installations(draw: st.DrawFn) -> list[Policy]:
    inventory = draw(inventories())
    return [draw(policies(number, inventory)) for number in range(draw(st.integers(1, 3)))]


# -- the world ---------------------------------------------------------------------------------------------------------


class World(RuleBasedStateMachine):
    """A few policies, and everything that might have one take what is another's."""

    @initialize(files=installations())
    def begin(self, files: list[Policy]) -> None:
        self.world = Neighbourhood(*files, checked=self.check)
        self.given = 0
        self.seen: set[str] = set()
        self.look()

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(data=st.data(), letters=st.text("HHDUU?", min_size=2, max_size=2), looks=often)
    def a_region_changes_for_one(self, data: st.DataObject, letters: str, looks: bool) -> None:
        each = self.one(data)
        spec = data.draw(st.sampled_from(each.policy.regions))
        each.letters[spec.name] = letters[: len(spec.endpoints)]
        self.look(looks=looks)

    @rule(data=st.data(), letter=st.sampled_from("HDDDUU?"), looks=often)
    def a_region_changes_for_all(self, data: st.DataObject, letter: str, looks: bool) -> None:
        name = data.draw(st.sampled_from(["r0", "r1", "r2"]))
        for each in self.neighbours:
            each.letters |= {name: letter * len(each.letters[name])} if name in each.letters else {}
        self.look(looks=looks)

    @rule(letter=st.sampled_from("HHUU?"), looks=often)
    def everything_changes(self, letter: str, looks: bool) -> None:
        for each in self.neighbours:
            each.letters = {name: letter * len(letters) for name, letters in each.letters.items()}
        self.look(looks=looks)

    @rule(seconds=st.sampled_from([0.5, 15.0, 60.0, 300.0, 700.0, GUEST]), looks=often)
    def time_passes(self, seconds: float, looks: bool) -> None:
        self.world.now += seconds
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def figures_are_measured(self, data: st.DataObject, looks: bool) -> None:
        """Each as it is, or not at all, or as a joke: nothing, less than nothing, ten times as much."""
        factors = st.dictionaries(st.sampled_from(self.figures), st.sampled_from(FACTORS)) if self.figures else None
        jokes = data.draw(factors) if factors is not None else {}
        self.measure({query: {"": declared * jokes.get(query, 1.0)} for query, declared in self.declared.items()})
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def signals_are_measured(self, data: st.DataObject, looks: bool) -> None:
        """Errors and queues by region; some regions are missing, some say what cannot be."""
        each = self.one(data)
        names = st.sampled_from([spec.name for spec in each.policy.regions])
        errors = data.draw(st.dictionaries(names, st.sampled_from([0.0, 0.001, 0.3, 1.0, 2.0])))
        requests = dict.fromkeys(errors, data.draw(st.sampled_from([10.0, 5_000.0])))
        queues = data.draw(st.dictionaries(names, st.sampled_from([-1.0, 4.9, 12.0, 19.0, 1e6]), min_size=1))
        if data.draw(often):
            queues = {spec.name: 0.0 for spec in each.policy.regions} | queues
        said = {FigureRole.ERRORS: errors, FigureRole.ERRORS_NOW: errors, FigureRole.REQUESTS: requests}
        said |= {FigureRole.LOAD: queues}
        self.measure({ask.query: said[ask.role] for ask in asks(each.policy) if ask.role in said})
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def connections_take_another_time(self, data: st.DataObject, looks: bool) -> None:
        each = self.one(data)
        names = st.sampled_from([spec.name for spec in each.policy.regions])
        each.latencies |= data.draw(st.dictionaries(names, st.sampled_from([None, 0.01, 0.12])))
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def somebody_edits_a_record(self, data: st.DataObject, looks: bool) -> None:
        each = self.one(data)
        each.observed = replace(each.observed, records=self.some_records(data, each))
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def a_name_is_adopted(self, data: st.DataObject, looks: bool) -> None:
        """What stands there from before is answered by failoverd from now on; nothing is known of earlier."""
        each = self.one(data)
        marker = Marker(OWNER, each.policy.name, 1, (each.kind,))
        each.observed = Observed(each.target, self.some_records(data, each), marker, marker.to_text())
        each.state, each.words = PolicyState(each.policy.name), ()
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def a_file_changes(self, data: st.DataObject, looks: bool) -> None:
        policy = self.one(data).policy
        regions = tuple(
            replace(
                spec,
                jurisdiction="EU" if spec.name == "r0" else data.draw(laws),
                share=data.draw(st.sampled_from([0, 5, WHOLE])),
            )
            for spec in policy.regions
        )
        demand = data.draw(st.sampled_from([None, 100.0, 900.0])) if policy.measure is None else policy.demand
        tier = data.draw(st.sampled_from([100, 300]))
        self.world.edited(replace(policy, regions=regions, demand=demand, tier=tier, cost=None))
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def an_operator_gives_a_word(self, data: st.DataObject, looks: bool) -> None:
        each = self.one(data)
        self.given += 1
        each.words = (*each.words, self.some_word(data, each.policy))
        self.look(looks=looks)

    @rule(data=st.data(), agreed=st.booleans())
    def the_glass_is_broken(self, data: st.DataObject, agreed: bool) -> None:
        """Somebody lets a region in that may not answer; alone, or with another one."""
        each = self.one(data)
        outside = [spec.name for spec in each.policy.regions if spec.jurisdiction not in ALLOW]
        if each.policy.residency and outside:
            self.given += 1
            name = data.draw(st.sampled_from(outside))
            word = break_glass(each.policy, name, self.given, self.world.now, agreed=agreed)
            each.words = (*each.words, word)
        self.look()

    @rule()
    def all_words_end(self) -> None:
        for each in self.neighbours:
            each.words = tuple(word.released("bob@host", "enough", self.world.now) for word in each.words)
        self.look()

    @rule(journal_too=st.booleans())
    def the_daemon_restarts(self, journal_too: bool) -> None:
        known = {each.policy.name: each.letters for each in self.neighbours}
        self.seen.clear()
        for each in self.neighbours:
            each.regions = {}
            each.letters = {name: "?" * len(letters) for name, letters in each.letters.items()}
            if journal_too:
                each.state, each.words = PolicyState(each.policy.name), ()
        self.look()
        for each in self.neighbours:
            each.letters = known[each.policy.name]
        self.look()

    # -- what is drawn -------------------------------------------------------------------------------------------------

    @property
    def neighbours(self) -> list[Neighbour]:
        return list(self.world.neighbours.values())

    @property
    def declared(self) -> dict[str, float]:
        """By query: what is so."""
        asked = (ask for each in self.neighbours for ask in asks(each.policy))
        return {ask.query: ask.measure.declared for ask in asked if ask.measure is not None}

    @property
    def figures(self) -> list[str]:
        return sorted(self.declared)

    def one(self, data: st.DataObject) -> Neighbour:
        return data.draw(st.sampled_from(self.neighbours))

    def some_records(self, data: st.DataObject, each: Neighbour) -> RecordSet | None:
        values = st.sampled_from([*sorted(each.region_of), STRANGER])
        weights = data.draw(st.dictionaries(values, st.sampled_from([0, 1, WHOLE]), max_size=3))
        return RecordSet.of(each.key, 30, weights) if weights else None

    def some_word(self, data: st.DataObject, of: Policy) -> Override:
        draw, now = data.draw, self.world.now
        verb = draw(st.sampled_from([Verb.DRAIN, Verb.SHED, Verb.PIN, Verb.PIN, Verb.HOLD, Verb.PAUSE, Verb.PRACTICE]))
        names = draw(st.lists(st.sampled_from([each.name for each in of.regions]), min_size=1, max_size=2, unique=True))
        some = verb in {Verb.DRAIN, Verb.SHED, Verb.PRACTICE}
        scope = Scope(regions=tuple(names), policies=(of.name,)) if some else Scope(policies=(of.name,))
        return Override(
            f"{begins(verb, scope)}{self.given:04x}",
            verb,
            scope,
            "alice@host",
            now,
            now + draw(st.sampled_from([60.0, 8 * 3_600.0, 8 * 3_600.0])),
            (Comment(now, "alice@host", "because"),),
            shares=apportion(dict.fromkeys(names, 1), WHOLE) if verb is Verb.PIN else {},
            part=5_000,
            now=draw(st.booleans()),
            breaks=(residency_rule(of.name),) if verb is Verb.PIN and draw(often) else (),
            agreed=draw(st.sampled_from([(), ("bob@host",)])),
        )

    # -- what has to hold ----------------------------------------------------------------------------------------------

    def measure(self, answers: dict[str, dict[str, float]]) -> None:
        """Take readings in, and see that no figure jumps or vanishes by it."""
        before = {each.policy.name: self.counting(each) for each in self.neighbours}
        self.world.measure(answers)
        for each in self.neighbours:
            for key, value in self.counting(each).items():
                was = before[each.policy.name][key]
                assert value > 0 or was == 0, f"{key} of {each.policy.name} is gone: {was} to {value}"
                assert was / GROWTH <= value <= was * GROWTH, f"{key} of {each.policy.name} jumps: {was} to {value}"

    def counting(self, each: Neighbour) -> dict[str, float]:
        """The figures as they count now."""
        policy = measured(each.policy, each.signalled.readings, self.world.now).policy
        found = {spec.name: spec.capacity for spec in policy.regions} | {"demand": policy.demand}
        return {name: value for name, value in found.items() if value is not None}

    def look(self, *, looks: bool = True) -> None:
        if not looks:
            for each in self.neighbours:
                each.roll(self.world.now)
            return
        self.world.settle()
        for each in self.neighbours:
            self.check_stands(each)
        self.check_grants()
        self.check_rooms()

    def check(self, each: Neighbour, state: PolicyState, estate: Estate, outcome: Outcome) -> None:
        """One outcome, before it is written."""
        again = load(PolicyState, dump(state))
        assert same(outcome, evaluate(each.policy, again, each.observed, estate, self.world.now))
        self.check_until(each, estate, outcome)
        if outcome.approved is not None:
            after = outcome.approved.plan.after
            assert after.serving, "an empty answer"
            values = {answer.value for answer in after.serving}
            assert not each.policy.residency or values <= self.inside(each), f"written outside: {outcome}"
        if outcome.held is not None and outcome.held.keeps_dead:
            assert {check.limit for check in outcome.held.blocking} == {Limit.MIN_REGIONS}, (
                "a budget keeps what is down"
            )
        self.check_sum(outcome.decision)

    def check_until(self, each: Neighbour, estate: Estate, outcome: Outcome) -> None:
        """While what the others leave stays as it is, time alone changes nothing before `until`."""
        if outcome.until is None or (outcome.plan is not None and outcome.plan.kind is PlanKind.MARK):
            return
        assert outcome.until > self.world.now
        before = outcome.until - min(1e-3, (outcome.until - self.world.now) / 2)
        then = evaluate(each.policy, outcome.state, each.observed, estate, before)
        assert then.kind is outcome.kind, f"{outcome}, and before {outcome.until:f} {then}"

    def check_sum(self, decision: Decision) -> None:
        """The reasons alone let anybody redo it."""
        if decision.kind not in COMPUTED or found(decision, ReasonCode.PINNED):
            return
        by_hand = redone(decision)
        for name in {*by_hand, *decision.shares}:
            assert by_hand.get(name, 0.0) == pytest.approx(decision.shares.get(name, 0) / 100, abs=0.1), (
                decision.reasons
            )

    def check_stands(self, each: Neighbour) -> None:
        """What is answered once nobody has anything to write any more."""
        outcome, stands = each.outcome, each.observed.records
        assert outcome is not None
        may = homes(each.policy, each.words, self.world.now)
        if any(health.seen for name, health in each.regions.items() if name in may):
            self.seen.add(each.policy.name)
        rivalry = each.memory.rivalry
        if outcome.kind is OutcomeKind.REFUSE or (rivalry.since is not None and rivalry.contested):
            return
        values = {answer.value for answer in stands.serving} if stands is not None else set[str]()
        if each.policy.residency and each.policy.name in self.seen:
            assert values <= self.inside(each), f"left outside: {outcome}"
        self.check_nobody_dead(each, outcome, values)

    def check_nobody_dead(self, each: Neighbour, outcome: Outcome, values: set[str]) -> None:
        """Only an end state, a doubt, an edit by consent, or there being nowhere to go keeps what is down."""
        good = each.memory.last_good
        edited = outcome.kind is OutcomeKind.DRIFT or (good is not None and good.overruled is not None)
        narrow = outcome.held is not None and outcome.held.keeps_dead
        if edited or narrow or outcome.decision.kind not in COMPUTED:
            return
        dead = {value for value, letter in each.letter_of.items() if letter == "U"}
        assert not values & dead, f"{each.policy.name} answers with what is down: {outcome}"

    def inside(self, each: Neighbour) -> frozenset[str]:
        return inside(each.policy, each.kind, each.words, self.world.now)

    # -- the estate ----------------------------------------------------------------------------------------------------

    def check_grants(self) -> None:
        """What is kept from one change to the next is what sharing anew gives, and the higher tiers come first."""
        standing = self.world.shared.standing
        anew = share_out(claim for claim, _ in standing.values())
        for name, (claim, grant) in standing.items():
            assert grant.short == pytest.approx(anew[name].short, abs=1e-3)
            for region in {*grant.loads, *anew[name].loads}:
                assert grant.loads.get(region, 0.0) == pytest.approx(anew[name].loads.get(region, 0.0), abs=1e-3)
            if grant.short <= claim.demand * 1e-6:
                continue
            for draw in (draw for level in claim.levels for draw in level if draw.pull > 0):
                if grant.loads.get(draw.region, 0.0) >= min(draw.room, draw.most) - 1e-3:
                    continue
                lower = [low for low in standing if self.tier(low) > self.tier(claim.policy)]
                drawn = {low: self.drawn(low, draw.region) for low in lower}
                assert all(load <= 1e-3 for load in drawn.values()), f"{name} is short beside {drawn} on {draw.region}"

    def tier(self, name: str) -> int:
        return self.world.neighbours[name].policy.tier

    def drawn(self, name: str, region: str) -> float:
        """What a policy is granted of a region, without what nothing moves."""
        claim, grant = self.world.shared.standing[name]
        return grant.loads.get(region, 0.0) - claim.stands.get(region, 0.0)

    def check_rooms(self) -> None:
        """No region is to get more than it can carry, unless that fits nowhere, or nothing can move it."""
        counted = [each for each in self.neighbours if each.policy.demand]
        for region in sorted({spec.name for each in counted for spec in each.policy.regions}):
            there = [each for each in counted if region in each.letters]
            if any(self.beyond(each) for each in there):
                continue
            rooms = [room for each in there if (room := self.room(each, region)) is not None]
            if not rooms:
                continue
            for each in there:
                (mine, _), room = self.sums([each], region), self.room(each, region)
                assert room is None or mine <= room + self.demand(each) / WHOLE + 1e-6, (
                    f"{region} is to get {mine:g}, and has room for {room:g}: {self.told([each])}"
                )
            moved, stands = self.sums(there, region)
            left = max(0.0, max(rooms) - stands)
            rounding = sum(self.demand(each) for each in there) / WHOLE + 1e-6
            assert moved <= left + rounding, (
                f"{region} is to get {moved:g} + {stands:g} of {max(rooms):g}: {self.told(there)}"
            )

    def told(self, there: Iterable[Neighbour]) -> str:
        """What is wanted, and why, in a line for each."""
        lines = []
        for each in there:
            assert each.outcome is not None
            steps = " ".join(f"{reason.code}:{reason.region}" for reason in each.outcome.reasons)
            wants, grant = dict(each.outcome.decision.shares), self.world.shared.standing.get(each.policy.name)
            lines.append(f"{each.policy.name} {self.demand(each):g} {each.outcome.kind} {wants} {steps} {grant}")
        return "\n".join(["", *lines])

    @staticmethod
    def beyond(each: Neighbour) -> bool:
        """Whether some of it fits nowhere, and goes to its regions all the same; or a step of a ramp is waited for."""
        assert each.outcome is not None
        placed = any(reason.region in each.letters for reason in found(each.outcome.decision, ReasonCode.SHED_TO))
        limited = each.outcome.kind is OutcomeKind.LIMITED and found(each.outcome.decision, ReasonCode.RAMP)
        return bool(placed or limited) or any(reason.code in BEYOND for reason in each.outcome.reasons)

    def sums(self, there: Iterable[Neighbour], region: str) -> tuple[float, float]:
        """What a region is to get by the sums of decisions, and of what nothing moves."""
        moved = stands = 0.0
        for each in there:
            assert each.outcome is not None
            decision = each.outcome.decision
            pinned = decision.kind not in COMPUTED or found(decision, ReasonCode.PINNED)
            frozen = any(reason.region == region for reason in found(decision, ReasonCode.FROZEN))
            good = each.memory.last_good  # what nobody verified yet, after a start, is not counted
            shares = decision.shares or (good.shares if good is not None else {})
            load = self.demand(each) * shares.get(region, 0) / WHOLE
            if pinned or frozen:
                stands += load
            else:
                moved += load
        return moved, stands

    def demand(self, each: Neighbour) -> float:
        return measured(each.policy, each.signalled.readings, self.world.now).policy.demand or 0.0

    def room(self, each: Neighbour, region: str) -> float | None:
        """Told anew: score x capacity x headroom, of that the part that is not full; None where nobody said."""
        policy = measured(each.policy, each.signalled.readings, self.world.now).policy
        (spec,) = (spec for spec in policy.regions if spec.name == region)
        if spec.capacity is None:
            return None
        score = each.regions[region].score if each.regions[region].state is not RegionState.DOWN else 0
        return spec.capacity * score / WHOLE * spec.headroom / WHOLE * spec.room / WHOLE


World.TestCase.settings = settings(
    settings.get_profile("failoverd"),
    max_examples=settings.get_profile("failoverd").max_examples // 2,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow],
)

TestAnyEstate = World.TestCase
