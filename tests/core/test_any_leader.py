"""Members that lead in turn, at one name: nobody writes over what a newer leader wrote, and no epoch ever falls.

Three members share a name and a coordinator. Any of them is given the lease, with a higher epoch than those before; one
that held it may sleep through that and wake up, with all that it wanted. The coordinator may be restored from a backup,
and give out epochs that were there before; a member may lose what it knew, or be left without a coordinator. Health,
edits, losses and people go on meanwhile. FAILOVERD_SOAK=n looks n times as hard.
"""

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.scenes import PAIR, TARGET, TRIO, published
from support.stories import Story, same

from failoverd.codec import dump, load
from failoverd.core.control import progress
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.events import LeaderOutranked, RivalDetected
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import Marker, Observed, OnDrift, Policy

MEMBERS = 3

members = st.integers(0, MEMBERS - 1)
letters = st.sampled_from("HHHDU")


class Members(RuleBasedStateMachine):
    stories: tuple[Story, ...]
    observed: Observed
    granted: int

    @initialize(of=st.sampled_from([PAIR, TRIO]), on_drift=st.sampled_from(OnDrift))
    def begin(self, of: Policy, on_drift: OnDrift) -> None:
        self.stories = tuple(Story(replace(of, on_drift=on_drift)) for _ in range(MEMBERS))
        for story in self.stories:
            story.estate = replace(story.estate, instance="0000aaaa")  # that of the installation
        self.observed = Observed(TARGET, None)
        self.granted = 0

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(who=members, by=members, takes=st.booleans())
    def leads(self, who: int, by: int, takes: bool) -> None:
        """It is given the lease, and takes over what another one knew."""
        self.granted += 1
        state = self.stories[by].state if takes else self.stories[who].state
        self.stories[who].state = replace(state, epoch=self.granted)
        self.look(who)

    @rule(who=members, seconds=st.sampled_from([1.0, 60.0, 3_600.0]))
    def wakes_up(self, who: int, seconds: float) -> None:
        """Whether it leads or not: it does not know."""
        for story in self.stories:
            story.now += seconds
        self.look(who)

    @rule(who=members)
    def leads_and_reads_that_others_did(self, who: int) -> None:
        """The coordinator was restored: the leader has it give out epochs above the one that stands there."""
        newer = self.look(who)
        if newer is not None:
            self.granted = max(self.granted, newer) + 1
            self.stories[who].state = replace(self.stories[who].state, epoch=self.granted)
            assert self.look(who) is None

    @rule(back=st.integers(0, 10))
    def the_coordinator_is_restored(self, back: int) -> None:
        self.granted = back

    @rule(who=members)
    def a_member_is_left_alone(self, who: int) -> None:
        self.stories[who].state = replace(self.stories[who].state, epoch=0)

    @rule(who=members)
    def a_member_forgets(self, who: int) -> None:
        self.stories[who].state = PolicyState(self.stories[who].policy.name)

    @rule(who=members)
    def a_person_says_that_the_other_leader_is_gone(self, who: int) -> None:
        story = self.stories[who]
        story.state = story.state.with_target(replace(story.memory, precedence=story.memory.precedence.released()))

    @rule(who=members, azure=letters, oci=letters)
    def endpoints_change(self, who: int, azure: str, oci: str) -> None:
        """As one of them sees it."""
        self.stories[who].seen(azure=azure, oci=oci)
        self.look(who)

    @rule(shares=st.sampled_from([{"azure": 100}, {"oci": 100}, {"azure": 50, "oci": 50}]))
    def somebody_edits_the_record(self, shares: dict[str, float]) -> None:
        self.observed = replace(self.observed, records=published(self.stories[0].policy, shares))

    @rule(marker_too=st.booleans())
    def somebody_deletes_the_record(self, marker_too: bool) -> None:
        self.observed = Observed(TARGET, None) if marker_too else replace(self.observed, records=None)

    @rule(who=members)
    def an_answer_is_lost(self, who: int) -> None:
        """What was sent came about, and the member does not hear of it."""
        story = self.stories[who]
        story.observed = self.observed
        approved = story.asked().approved
        if approved is not None:
            story.state = progress.began(story.state, approved.plan)
            self.written(approved.plan)

    # -- one round -----------------------------------------------------------------------------------------------------

    def look(self, who: int) -> int | None:
        """One look of a member at the name, and what has to hold. The newer leader that it found."""
        story, before = self.stories[who], self.observed
        story.observed, state = before, story.seen()
        outcome = story.asked(state)
        assert same(outcome, story.asked(load(PolicyState, dump(state))))
        stands = before.marker.epoch if before.marker is not None else 0
        ours = max(state.epoch, state.of(TARGET).precedence.settled)
        assert outcome.outranked == (stands if stands > ours else None)
        codes = {reason.code for reason in outcome.reasons}
        assert (ReasonCode.NEWER_LEADER in codes) == (outcome.outranked is not None)
        told = [event for event in outcome.events if isinstance(event, LeaderOutranked)]
        again = outcome.outranked in {None, state.of(TARGET).precedence.newer}
        assert [each.epoch for each in told] == ([] if again else [outcome.outranked])
        assert not any(isinstance(event, RivalDetected) for event in outcome.events)
        story.state = outcome.state
        if outcome.outranked is not None:
            assert (outcome.kind, outcome.approved) == (OutcomeKind.HOLD, None), "a newer leader is written over"
            assert not outcome.state.of(TARGET).doubts or outcome.state.of(TARGET).doubts[0].marker.epoch >= stands
        if outcome.approved is not None:
            story.write(outcome.approved.plan)
            self.written(outcome.approved.plan)
        return outcome.outranked

    def written(self, plan: Plan) -> None:
        before = self.observed.marker or Marker("", "", 0, ())
        assert plan.marker.epoch >= before.epoch, "an epoch falls"
        assert plan.generation > before.generation
        self.observed = Observed(TARGET, plan.after, plan.marker, plan.marker_text)


Members.TestCase.settings = settings(
    settings.get_profile("failoverd"),
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)

TestAnyLeader = Members.TestCase
