"""Residency is never left, by any path: all down, undo, pin, drift, adoption, restore, a place, and whatever history.

A machine plays a small world against a policy with a residency: regions come and go, operators speak, people edit the
record with whatever value, files change, journals are lost. After each look everything that was written, and everything
that stands, is held against the jurisdictions. FAILOVERD_SOAK=n looks n times as hard.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.approving import limits
from support.residency import break_glass, homes, inside
from support.scenes import KEY, LIVE, OWNER, RECORD, TARGET, records
from support.stories import Story, as_it_is, in_or_out
from support.sums import found, redone

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.overrides import GUEST, Comment, Override, Scope, Verb, begins, residency_rule
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import (
    WHOLE,
    AllDown,
    Answer,
    Endpoint,
    Marker,
    Model,
    NamedPlace,
    Observed,
    OnDrift,
    Policy,
    RegionSpec,
    Source,
    Steering,
    Weights,
    apportion,
)

ALLOW = ("EU", "CH")
STRANGERS = ("203.0.113.1", "203.0.113.2")
PLACES = {
    "inside": NamedPlace.of("192.0.2.99", [Endpoint("192.0.2.99", "192.0.2.99")], "EU"),
    "outside": NamedPlace.of("192.0.2.66", [Endpoint("192.0.2.66", "192.0.2.66")], "US"),
    "nobody knows": NamedPlace.of("192.0.2.67", [Endpoint("192.0.2.67", "192.0.2.67")]),
}
MODELS = (Model("m", "1"), Model("m", "2"))

laws = st.sampled_from(["EU", "CH", "US", ""])
places = st.sampled_from([None, *PLACES.values()])
often = st.sampled_from([True, True, True, False])


@st.composite
def region_specs(draw: st.DrawFn, number: int) -> RegionSpec:
    name = f"r{number}"
    return RegionSpec(
        name,
        share=draw(st.sampled_from([0, 1, 3_000, WHOLE])),
        endpoints=tuple(Endpoint(name, f"10.0.{number}.{each}") for each in range(draw(st.integers(1, 2)))),
        priority=draw(st.integers(1, 2)),
        capacity=draw(st.sampled_from([None, 40.0, 1e6])),
        jurisdiction="EU" if number == 0 else draw(laws),  # a policy that nobody may answer is not loaded
        models=draw(st.sampled_from([MODELS, MODELS[:1], ()])),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    regions = tuple(draw(region_specs(number)) for number in range(draw(st.integers(2, 4))))
    region = st.sampled_from([None, *(NamedPlace.of(each.name, each.endpoints, each.jurisdiction) for each in regions)])
    return Policy(
        TARGET.policy,
        (RECORD,),
        regions,
        (LIVE,),
        steering=draw(st.sampled_from(Steering)),
        weights=draw(st.sampled_from(Weights)),
        failback_after=draw(st.sampled_from([None, 0.0, 300.0])),
        limits=limits(
            min_regions=draw(st.sampled_from([1, 1, 3])),
            max_shift=draw(st.sampled_from([0, 2_500, WHOLE])),
            max_changes=draw(st.sampled_from([0, 1_000])),
        ),
        when_all_down=draw(st.sampled_from(AllDown)),
        when_all_down_place=draw(places),
        shed_to=draw(st.one_of(places, region)),
        on_drift=draw(st.sampled_from(OnDrift)),
        demand=draw(st.sampled_from([None, 100.0])),
        model=draw(st.sampled_from([None, None, *MODELS])),
        canary=draw(st.sampled_from([(), ("r1",)])),
        residency=ALLOW,
        source=Source("api.yaml", "r1"),
    )


class World(RuleBasedStateMachine):
    """One record, and everything that might take it out of its residency."""

    @initialize(policy=policies())
    def begin(self, policy: Policy) -> None:
        self.story = Story(policy, normalise=as_it_is if policy.weights is Weights.NATIVE else in_or_out)
        self.given = 0
        self.words: tuple[Override, ...] = ()
        self.seen = False
        self.look()

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(data=st.data(), letters=st.text("HHDUU?", min_size=2, max_size=2), looks=often)
    def a_region_changes(self, data: st.DataObject, letters: str, looks: bool) -> None:
        spec = data.draw(st.sampled_from(self.story.policy.regions))
        self.story.letters[spec.name] = letters[: len(spec.endpoints)]
        self.look(looks=looks)

    @rule(letter=st.sampled_from("HUU?"), looks=often)
    def everything_changes(self, letter: str, looks: bool) -> None:
        self.story.letters = {each.name: letter * len(each.endpoints) for each in self.story.policy.regions}
        self.look(looks=looks)

    @rule(seconds=st.sampled_from([0.5, 60.0, 300.0, 3_600.0]), looks=often)
    def time_passes(self, seconds: float, looks: bool) -> None:
        self.story.now += seconds
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def somebody_edits_the_record(self, data: st.DataObject, looks: bool) -> None:
        self.story.observed = replace(self.story.observed, records=records(self.some_weights(data)))
        self.look(looks=looks)

    @rule(looks=often)
    def somebody_empties_the_record(self, looks: bool) -> None:
        self.story.observed = replace(self.story.observed, records=None)
        self.look(looks=looks)

    @rule(data=st.data(), by_hand=st.booleans(), looks=often)
    def it_is_written_by_hand_or_by_another_member(self, data: st.DataObject, by_hand: bool, looks: bool) -> None:
        marker, weights = self.story.observed.marker, self.some_weights(data)
        if marker is None or not any(weights.values()):
            return
        marker = replace(marker, generation=marker.generation + 1, by_hand=by_hand)
        said = self.story.estate.normalise(records(weights))
        self.story.observed = Observed(TARGET, said, marker, marker.to_text())
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def a_name_is_adopted(self, data: st.DataObject, looks: bool) -> None:
        """What stands there from before is answered by failoverd from now on; nothing is known of earlier."""
        weights = self.some_weights(data)
        marker = Marker(OWNER, TARGET.policy, 1, (KEY.type,))
        self.story.observed = Observed(TARGET, records(weights) if weights else None, marker, marker.to_text())
        self.story.state, self.words = PolicyState(TARGET.policy), ()
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def a_file_changes(self, data: st.DataObject, looks: bool) -> None:
        """Regions move under another law, or serve another model; one stays inside."""
        regions = tuple(
            replace(
                spec, jurisdiction="EU" if number == 0 else data.draw(laws), share=data.draw(st.sampled_from([0, 5]))
            )
            for number, spec in enumerate(self.story.policy.regions)
        )
        self.story.edited(
            replace(self.story.policy, regions=regions, model=data.draw(st.sampled_from([None, *MODELS])))
        )
        self.look(looks=looks)

    @rule(data=st.data(), looks=often)
    def an_operator_gives_a_word(self, data: st.DataObject, looks: bool) -> None:
        self.given += 1
        self.words = (*self.words, self.some_word(data))
        self.look(looks=looks)

    @rule(data=st.data(), agreed=st.booleans(), later=st.sampled_from([0.0, GUEST]))
    def the_glass_is_broken(self, data: st.DataObject, agreed: bool, later: float) -> None:
        """Somebody lets a region in that may not answer; alone, or with another one, and for longer than he may."""
        outside = [spec.name for spec in self.story.policy.regions if spec.jurisdiction not in ALLOW]
        if outside:
            self.given += 1
            name = data.draw(st.sampled_from(outside))
            word = break_glass(self.story.policy, name, self.given, self.story.now, agreed=agreed)
            self.words = (*self.words, word)
        self.look()
        self.story.now += later
        self.look()

    @rule()
    def all_words_end(self) -> None:
        self.words = tuple(each.released("bob@host", "enough", self.story.now) for each in self.words)
        self.look()

    @rule()
    def the_journal_is_lost(self) -> None:
        self.story.state, self.words = PolicyState(TARGET.policy), ()
        self.look()

    @rule()
    def the_daemon_restarts(self) -> None:
        known, self.story.regions, self.seen = self.story.letters, {}, False
        self.story.letters = {name: "?" * len(letters) for name, letters in known.items()}
        self.look()
        self.story.letters = known
        self.look()

    def some_weights(self, data: st.DataObject) -> dict[str, int]:
        known = sorted(self.story.policy.region_of(KEY.type))
        values = st.sampled_from([*known, *STRANGERS])
        return data.draw(st.dictionaries(values, st.sampled_from([0, 1, WHOLE]), max_size=3))

    def some_word(self, data: st.DataObject) -> Override:
        draw, now, of = data.draw, self.story.now, self.story.policy
        verb = draw(
            st.sampled_from([Verb.DRAIN, Verb.SHED, Verb.PIN, Verb.PIN, Verb.HOLD, Verb.PAUSE, Verb.UP, Verb.DOWN])
        )
        names = draw(st.lists(st.sampled_from([each.name for each in of.regions]), min_size=1, max_size=2, unique=True))
        scope = {
            Verb.DRAIN: Scope(regions=tuple(names)),
            Verb.SHED: Scope(regions=tuple(names)),
            Verb.UP: Scope(endpoints=(f"{names[0]}/*",)),
            Verb.DOWN: Scope(endpoints=(f"{names[0]}/*",)),
        }.get(verb, Scope(policies=(of.name,)))
        breaks = (residency_rule(of.name),) if verb is Verb.PIN and draw(st.booleans()) else ()
        return Override(
            f"{begins(verb, scope)}{self.given:04x}",
            verb,
            scope,
            "alice@host",
            now,
            now + draw(st.sampled_from([60.0, 7_200.0, 8 * 3_600.0])),
            (Comment(now, "alice@host", "because"),),
            shares=apportion(dict.fromkeys(names, 1), WHOLE) if verb is Verb.PIN else {},
            part=5_000,
            now=draw(st.booleans()),
            breaks=breaks,
            agreed=draw(st.sampled_from([(), ("bob@host",), ("bob@host",)])),
        )

    # -- what has to hold ----------------------------------------------------------------------------------------------

    def look(self, *, looks: bool = True) -> None:
        """One round; then what was written, and what stands, is held against the jurisdictions."""
        story = self.story
        story.state = replace(story.state, overrides=self.words)
        if not looks:
            story.seen()
            return
        outcome = story.look()
        inside = self.inside
        if outcome.approved is not None:
            after = outcome.approved.plan.after
            assert after.serving, "an empty answer"
            assert _values(after.serving) <= inside, f"written outside: {outcome}"
        self.check_sum(outcome.decision)
        self.seen = self.seen or any(health.seen for name, health in story.regions.items() if name in self.homes)
        if self.may_stand_outside(outcome):
            return
        stands = story.observed.records
        assert stands is None or _values(stands.serving) <= inside, f"left outside: {outcome}"

    def check_sum(self, decision: Decision) -> None:
        """The reasons alone let anybody redo it, what goes to a place included."""
        shared = decision.records is not None and decision.kind in _SHARED
        if not shared or found(decision, ReasonCode.PINNED):
            return
        by_hand = redone(decision)
        for name in {*by_hand, *decision.shares}:
            assert by_hand.get(name, 0.0) == pytest.approx(decision.shares.get(name, 0) / 100, abs=0.1)

    def may_stand_outside(self, outcome: Outcome) -> bool:
        """Where nothing may be written at all: a name that is not ours, a stop of everything, a writer who fights back.

        And before anybody was seen of those who may answer.
        """
        rivalry = outcome.state.of(TARGET).rivalry
        return outcome.kind is OutcomeKind.REFUSE or (rivalry.since is not None and rivalry.contested) or not self.seen

    @property
    def homes(self) -> frozenset[str]:
        return homes(self.story.policy, self.words, self.story.now)

    @property
    def inside(self) -> frozenset[str]:
        return inside(self.story.policy, KEY.type, self.words, self.story.now)


_SHARED = {DecisionKind.NORMAL, DecisionKind.FAILOVER, DecisionKind.OPERATOR}


def _values(answers: tuple[Answer, ...]) -> frozenset[str]:
    return frozenset(answer.value for answer in answers)


World.TestCase.settings = settings(
    settings.get_profile("failoverd"),
    max_examples=settings.get_profile("failoverd").max_examples // 2,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow],
)

TestAnyResidency = World.TestCase
