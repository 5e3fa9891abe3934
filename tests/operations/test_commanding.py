"""An operator speaks to a daemon at work: what is accepted, what is refused and why, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, normal, playing, policy, regions, target
from support.virtual import until, virtually

from failoverd.core.control.clearance import Objection
from failoverd.core.control.outcome import Outcome
from failoverd.core.errors import JournalError
from failoverd.core.events import (
    ChangeApplied,
    ChangeVerified,
    Event,
    FailoverHeld,
    OverrideChanged,
    OverrideEnded,
    OverrideEnding,
    OverrideEvent,
    OverrideGiven,
    PlanHeld,
    RivalDetected,
)
from failoverd.core.overrides import LONGEST, Override, Scope, Verb
from failoverd.core.reasons import Cause
from failoverd.core.records import Limits, Policy, Target, Weights
from failoverd.core.rules import Assertion, Gate, Rule
from failoverd.operations.commanding import MOST_TOLD, Desk, Undoable, WordRequest
from failoverd.operations.judging import OverrideError, people_for
from failoverd.runtime.loop_turns import AT_ONCE
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import elapse, now

ALICE, BOB = "alice@bastion", "bob@laptop"
HOUR = 3_600.0
THREE = policy(regions=regions(azure=(70, AZURE), oci=(30, OCI), aws=(0, "203.0.113.10")))
AZURE_OUT = Scope(regions=("azure",))


def ask(verb: Verb = Verb.DRAIN, scope: Scope = AZURE_OUT, seconds: float = HOUR, **said: object) -> WordRequest:
    return WordRequest(verb, scope, "rack maintenance", seconds, **said)  # type: ignore[arg-type]


def desk(stage: Stage, change: Undoable | None = None) -> Desk:
    return Desk(stage.engine, now, lambda _scope, _id: change)


@asynccontextmanager
async def open_desk(*policies: object, stage: Stage | None = None) -> AsyncIterator[tuple[Stage, Desk]]:
    """A daemon that steers as its policies say, and the desk where it is spoken to."""
    async with playing(*(policies or (API,)), stage=stage) as at_work:  # type: ignore[arg-type]
        await normal(at_work)
        yield at_work, desk(at_work)


async def refused(asking: object) -> OverrideError:
    with pytest.raises(OverrideError) as caught:
        await asking  # type: ignore[misc]
    return caught.value


# -- give, keep, release -----------------------------------------------------------------------------------------------


@virtually
async def test_a_drain_is_heeded_at_once_and_ends_when_it_is_released() -> None:
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(), ALICE)
        assert (given.kept, given.notes) == (True, ())
        (effect,) = given.effects
        assert (effect.before, effect.after) == ({"azure": 7_000, "oci": 3_000}, {"oci": 10_000})
        await until(stage.steers(API, oci=100))
        assert stage.told(ChangeApplied)[-1].cause == "operator"
        assert [event.actor for event in stage.told(OverrideGiven)] == [ALICE]
        over = await spoken.release(given.word.id, "done", BOB)
        assert over.word.ended_by == BOB
        await until(stage.steers(API, **NORMAL))
        assert [(event.by, event.comment) for event in stage.told(OverrideEnded)] == [(BOB, "done")]
        assert spoken.words() == ()


@virtually
async def test_the_effect_says_when_it_is_done_and_proved() -> None:
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(), ALICE)
        assert not given.effects[0].settled
        await until(stage.steers(API, oci=100))
        await until(lambda: stage.told(ChangeVerified)[-1].generation == stage.generation(API))
        (effect,) = await spoken.effects(given.word.id)
        assert effect.verified
        assert effect.settled
        assert effect.changed_at is not None
        assert given.word.since <= effect.changed_at <= now()
        assert stage.shares(API) == {"oci": 100}


@virtually
async def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(), ALICE, dry_run=True)
        assert given.effects[0].after == {"oci": 10_000}
        await asyncio.sleep(60.0)
        assert stage.shares(API) == NORMAL
        assert spoken.words() == ()
        assert not stage.told(OverrideGiven)


@virtually
async def test_a_word_warns_before_its_end_and_ends_by_itself() -> None:
    async with open_desk() as (stage, spoken):
        await spoken.give(ask(), ALICE)
        await asyncio.sleep(HOUR - 899.0)
        (warning,) = stage.told(OverrideEnding)
        assert warning.left == pytest.approx(900.0, abs=1.0)
        await asyncio.sleep(900.0)
        assert [event.by for event in stage.told(OverrideEnded)] == [""]
        await until(stage.steers(API, **NORMAL))


@virtually
async def test_a_word_that_is_extended_holds_on_and_keeps_every_comment() -> None:
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(seconds=600.0), ALICE)
        await asyncio.sleep(500.0)
        longer = await spoken.extend(given.word.id, HOUR, "the part is late", BOB)
        assert [comment.text for comment in longer.word.comments] == ["rack maintenance", "the part is late"]
        await asyncio.sleep(3_000.0)
        assert stage.shares(API) == {"oci": 100}
        assert [event.by for event in stage.told(OverrideChanged)] == [BOB]


# -- it survives -------------------------------------------------------------------------------------------------------


@virtually
async def test_a_word_holds_through_a_kill_and_is_told_once() -> None:
    stage = Stage()
    async with open_desk(stage=stage) as (_, spoken):
        await spoken.give(ask(), ALICE)
        await until(stage.steers(API, oci=100))
    again = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)
    async with playing(API, stage=again):
        await asyncio.sleep(120.0)
        assert again.shares(API) == {"oci": 100}
        assert not again.told(OverrideGiven)
        await asyncio.sleep(HOUR)
        assert len(again.told(OverrideEnded)) == 1
        await until(again.steers(API, **NORMAL))


@virtually
async def test_a_word_whose_time_is_over_while_the_daemon_is_dead_ends_at_the_next_start() -> None:
    stage = Stage()
    async with open_desk(stage=stage) as (_, spoken):
        await spoken.give(ask(seconds=600.0), ALICE)
        await until(stage.steers(API, oci=100))
    await elapse(HOUR)
    again = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)
    async with playing(API, stage=again):
        await until(again.steers(API, **NORMAL))
        assert len(again.told(OverrideEnded)) == 1


@virtually
async def test_a_daemon_that_lost_its_journal_keeps_the_region_out_until_somebody_releases_what_is_lost() -> None:
    stage = Stage()
    async with open_desk(stage=stage) as (_, spoken):
        given = await spoken.give(ask(), ALICE)
        await until(stage.steers(API, oci=100))
    again = Stage(zonefile=stage.zonefile, journal=PaperJournal(), world=stage.world)
    async with playing(API, stage=again):
        await asyncio.sleep(120.0)
        assert again.shares(API) == {"oci": 100}
        assert again.names().count("overrides.lost") == 1
        lost = await desk(again).release_lost(Scope(), "all is well there", BOB)
        assert lost == (given.word.id,)
        await until(again.steers(API, **NORMAL))


@virtually
async def test_a_word_is_released_by_what_it_said_though_no_file_names_its_region_any_more() -> None:
    renamed = replace(API, regions=regions(azure2=(70, AZURE), oci=(30, OCI)))
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(scope=Scope(policies=("api",), regions=("azure",))), ALICE)
        await until(stage.steers(API, oci=100))
        await stage.take_up(renamed)
        await until(stage.steers(renamed, azure2=70, oci=30))
        assert "overrides.lost" not in stage.names()
        (over,) = await spoken.release_matching(None, AZURE_OUT, "renamed", BOB)
        assert over.word.id == given.word.id


@virtually
async def test_who_stopped_the_other_daemon_says_so_and_the_name_is_written_as_before() -> None:
    even = policy(regions=regions(azure=(50, AZURE), oci=(50, OCI)))
    async with open_desk(stage=Stage(instance="0000aaaa")) as (stage, spoken):
        other = Stage(zonefile=stage.zonefile, world=stage.world, instance="1111bbbb")
        async with playing(even, stage=other):
            await until(lambda: stage.told(RivalDetected) and other.told(RivalDetected))
            await elapse(60.0)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100))
        stage.heals(AZURE)
        await elapse(HOUR)
        assert stage.shares(API) == {"oci": 100}
        assert await spoken.release_rivals(Scope(policies=("api",)), "stopped it", ALICE) == ("api.example.com",)
        await until(stage.steers(API, **NORMAL))
        error = await refused(spoken.release_rivals(Scope(), "again", ALICE))
        assert (error.reason, "everything" in error.detail) == ("override_unknown", True)
        assert (await refused(spoken.release_rivals(Scope(), "", ALICE))).reason == "override_invalid"


@virtually
async def test_a_broken_journal_keeps_nobody_from_speaking() -> None:
    async with open_desk() as (stage, spoken):
        stage.journal.full = JournalError("no space left", reason="journal_full")
        given = await spoken.give(ask(), ALICE)
        assert not given.kept
        await until(stage.steers(API, oci=100))
        stage.journal.full = None
        await stage.engine.remind()
        assert [word.id for word in stage.journal.spoken()] == [given.word.id]


# -- emergencies among many records ------------------------------------------------------------------------------------


class Many:
    """The engine, as if its record were many. `steps` is what happened: a record was looked at, a word was said."""

    def __init__(self, stage: Stage, records: int) -> None:
        self._engine = stage.engine
        self._records = records
        self.steps: list[str] = []

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self._engine.policies

    @property
    def rules(self) -> tuple[Rule, ...]:
        return ()

    @property
    def sending(self) -> int:
        return self._engine.sending

    @property
    def unshared(self) -> frozenset[str]:
        return self._engine.unshared

    def words(self) -> tuple[Override, ...]:
        return self._engine.words()

    def proof_heard(self, target: Target) -> tuple[int, bool]:
        return self._engine.proof_heard(target)

    async def settle_rivals(self, scope: Scope, by: str, comment: str) -> tuple[str, ...]:
        return await self._engine.settle_rivals(scope, by, comment)

    def previews(self, policy: str) -> list[tuple[Target, partial[Outcome]]]:
        return [(at, partial(self._looked, preview)) for at, preview in self._engine.previews(policy)] * self._records

    def _looked(self, preview: Callable[[tuple[Override, ...]], Outcome], overrides: tuple[Override, ...]) -> Outcome:
        self.steps.append("looked")
        return preview(overrides)

    def objection(self, word: Override) -> Objection | None:
        return self._engine.objection(word)

    async def say(self, word: Override, event: OverrideEvent | None) -> bool:
        self.steps.append(f"said {word.verb}")
        return await self._engine.say(word, event)

    def emit(self, event: Event) -> None:
        self._engine.emit(event)


@asynccontextmanager
async def among(records: int) -> AsyncIterator[tuple[Many, Desk]]:
    async with playing(API) as stage:
        await normal(stage)
        many = Many(stage, records)
        yield many, Desk(many, now, lambda _scope, _id: None)


@pytest.mark.parametrize(
    "stop",
    [ask(Verb.PAUSE, Scope()), ask(Verb.PAUSE, Scope(policies=("api",))), ask(Verb.HOLD, Scope(policies=("*",)))],
)
@virtually
async def test_a_word_that_stops_is_heeded_before_any_record_is_looked_at(stop: WordRequest) -> None:
    async with among(5) as (many, spoken):
        given = await spoken.give(stop, ALICE)
        assert many.steps == [f"said {stop.verb}", *["looked"] * 5]
        assert len(given.effects) == 5


@virtually
async def test_a_word_that_moves_traffic_is_said_once_every_record_was_judged() -> None:
    async with among(5) as (many, spoken):
        await spoken.give(ask(), ALICE)
        assert (many.steps[-1], many.steps.count("looked")) == ("said drain", 10)


@virtually
async def test_a_word_that_stops_waits_for_none_that_is_being_judged() -> None:
    async with among(1_000) as (many, spoken):
        drain = asyncio.create_task(spoken.give(ask(), ALICE))
        await asyncio.sleep(0)
        await spoken.give(ask(Verb.PAUSE, Scope()), BOB)
        assert (many.steps[0], drain.done()) == ("looked", False)
        assert any(BOB in note for note in (await drain).notes)
        assert many.steps.index("said pause") < many.steps.index("said drain")


@virtually
async def test_while_many_records_are_judged_everything_else_goes_on() -> None:
    async with among(200) as (_, spoken):
        drain, turns = asyncio.create_task(spoken.give(ask(), ALICE)), 0
        while not drain.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns >= 200


@virtually
async def test_policies_that_an_override_concerns_are_woken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"policy-{number:02}" for number in range(AT_ONCE + 2)]
    async with playing(*(policy(name) for name in names)) as stage:
        woken: list[str] = []
        for name in names:
            worker = stage.engine.runner.reconcilers[name]
            monkeypatch.setattr(worker, "wake", lambda _, name=name: woken.append(name))
        stage.engine.runner.heed(Override("pause-00000001", Verb.PAUSE, Scope(), ALICE, now(), now() + HOUR))
        await asyncio.sleep(0)
        assert woken == names[:AT_ONCE]
        await asyncio.sleep(0)
        assert woken == names


@virtually
async def test_of_very_many_records_that_stay_as_they_are_the_number_is_told() -> None:
    async with among(MOST_TOLD + 30) as (many, spoken):
        given = await spoken.give(ask(Verb.PAUSE, Scope()), ALICE)
        assert (len(given.effects), many.steps.count("looked")) == (MOST_TOLD, MOST_TOLD)
        assert given.notes == ("it is about 30 records more, which are not listed",)


# -- hold, pause, pin, undo --------------------------------------------------------------------------------------------


@virtually
async def test_pausing_everything_stops_all_writing() -> None:
    async with open_desk() as (stage, spoken):
        await spoken.give(ask(Verb.PAUSE, Scope()), ALICE)
        before = stage.generation(API)
        stage.fails(AZURE)
        await asyncio.sleep(300.0)
        assert stage.shares(API) == NORMAL
        assert stage.generation(API) == before
        (word,) = spoken.words()
        await spoken.release(word.id, "all clear", ALICE)
        await until(stage.steers(API, oci=100))


@virtually
async def test_an_undo_pins_the_record_to_what_it_was_before_the_change() -> None:
    async with open_desk() as (stage, _):
        change = Undoable("chg-7", AT, {"azure": 2_000, "oci": 8_000}, {"azure": 7_000, "oci": 3_000})
        given = await desk(stage, change).undo("chg-7", Scope(), "worse than before", HOUR, ALICE)
        assert (given.word.verb, given.word.undoes) == (Verb.PIN, "chg-7")
        await until(stage.steers(API, azure=20, oci=80))
        await asyncio.sleep(HOUR)
        await until(stage.steers(API, **NORMAL))


@virtually
async def test_a_shed_says_where_answers_know_no_shares() -> None:
    async with open_desk(policy(weights=Weights.MEMBERSHIP)) as (_, spoken):
        given = await spoken.give(ask(Verb.SHED, part=2_500), ALICE, dry_run=True)
        assert [note.partition(",")[0] for note in given.notes] == ["it moves nothing of api"]
        assert (await spoken.give(ask(), ALICE, dry_run=True)).notes == ()


@virtually
async def test_a_drain_that_a_hold_keeps_from_moving_anything_is_not_done() -> None:
    async with open_desk() as (_, spoken):
        hold = await spoken.give(ask(Verb.HOLD, Scope(policies=("api",))), ALICE)
        given = await spoken.give(ask(), BOB)
        (effect,) = await spoken.effects(given.word.id)
        assert (effect.settled, hold.word.id in effect.limits[0]) == (False, True)
        (still,) = await spoken.effects(hold.word.id)
        assert (still.settled, still.limits) == (True, ())


@virtually
async def test_an_undo_of_what_a_drain_did_names_the_drain_that_is_to_be_released() -> None:
    """It would be given, change nothing, and be called done."""
    async with open_desk() as (stage, spoken):
        given = await spoken.give(ask(), ALICE)
        await until(stage.steers(API, oci=100))
        change = Undoable("chg-7", AT, {"azure": 7_000, "oci": 3_000}, {"oci": 10_000})
        error = await refused(desk(stage, change).undo("chg-7", Scope(), "worse than before", HOUR, BOB))
        assert error.reason == "override_conflict"
        assert error.detail == f"{given.word.id} keeps traffic away from azure, by {ALICE}: rack maintenance"
        assert error.remedy.startswith(f"failoverctl release {given.word.id} brings it back")
        without = ask(Verb.PIN, Scope(policies=("api",)), shares={"azure": 0, "oci": 10_000})
        assert (await spoken.give(without, BOB)).word.shares["oci"] == 10_000


@virtually
async def test_an_undo_while_what_left_is_down_is_refused_for_nothing_would_come_back() -> None:
    """A pin of it would stay, and steer for its hour once the region is back."""
    async with open_desk(THREE) as (stage, spoken):
        stage.fails(AZURE)
        await until(stage.steers(THREE, oci=100))
        change = Undoable("chg-7", AT, {"azure": 7_000, "oci": 3_000}, {"oci": 10_000})
        error = await refused(desk(stage, change).undo("chg-7", Scope(), "false alarm", HOUR, BOB))
        assert error.reason == "override_refused"
        assert "chg-7" in error.detail
        assert "azure is down" in error.detail
        assert "failoverctl up REGION/ADDRESS" in error.remedy
        pinned = ask(Verb.PIN, Scope(policies=("api",)), shares={"azure": 4_000, "oci": 3_000, "aws": 3_000})
        (effect,) = (await spoken.give(pinned, BOB)).effects
        assert effect.after == {"oci": 5_000, "aws": 5_000}
        assert effect.limits[0].startswith("azure is down"), "what the pin gives it waits for that"


@virtually
async def test_a_change_from_what_no_region_names_any_more_is_not_taken_back() -> None:
    async with open_desk() as (stage, _):
        change = Undoable("chg-7", AT, {"elsewhere": 10_000}, {"azure": 7_000, "oci": 3_000})
        error = await refused(desk(stage, change).undo("chg-7", Scope(), "no", HOUR, ALICE))
        assert error.reason == "override_refused"
        unknown = await refused(desk(stage).undo("chg-8", Scope(), "no", HOUR, ALICE))
        assert unknown.reason == "change_unknown"


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (ask(scope=Scope()), "needs a region"),
        (ask(scope=Scope(regions=("nowhere",))), "nothing that runs here"),
        (ask(seconds=LONGEST + 1), "holds for 1s to 72h"),
        (ask(seconds=0), "holds for 1s to 72h"),
        (ask(over=2 * HOUR), "the drain would take"),
        (WordRequest(Verb.DRAIN, AZURE_OUT, " ", HOUR), "say why"),
        (WordRequest(Verb.DRAIN, AZURE_OUT, "a\x00b", HOUR), "say why"),
        (ask(Verb.PIN, Scope(policies=("api",)), shares={"azure": 9_000}), "100%"),
        (ask(Verb.PIN, Scope(policies=("api",)), shares={"mars": 10_000}), "no region mars"),
        (ask(Verb.PIN, AZURE_OUT, shares={"azure": 10_000}), "needs a policy or a record"),
        (ask(Verb.SHED, AZURE_OUT, part=10_000), "less than 100%"),
        (ask(Verb.UP, AZURE_OUT), "name it"),
        (ask(Verb.HOLD, Scope()), "pause --all"),
        (ask(Verb.SWITCH, Scope()), "name the switch"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@virtually
async def test_a_word_that_cannot_be_meant_is_refused_with_what_is_wrong(asked: WordRequest, words: str) -> None:
    async with open_desk() as (stage, spoken):
        error = await refused(spoken.give(asked, ALICE))
        assert error.reason == "override_invalid"
        assert words in str(error)
        assert not stage.told(OverrideGiven)


@virtually
async def test_a_second_operator_is_told_of_the_first() -> None:
    async with open_desk(THREE) as (_, spoken):
        await spoken.give(ask(), ALICE)
        error = await refused(spoken.give(ask(), BOB))
        assert error.reason == "override_conflict"
        assert ALICE in str(error)
        assert "rack maintenance" in str(error)


@virtually
async def test_two_pins_on_one_record_are_one_too_many() -> None:
    async with open_desk() as (_, spoken):
        await spoken.give(ask(Verb.PIN, Scope(policies=("api",)), shares={"oci": 10_000}), ALICE)
        where = Scope(records=("api.example.com",))
        error = await refused(spoken.give(ask(Verb.PIN, where, shares={"azure": 10_000}), BOB))
        assert error.reason == "override_conflict"


@virtually
async def test_a_drain_of_every_region_is_refused() -> None:
    async with open_desk() as (_, spoken):
        await spoken.give(ask(), ALICE)
        error = await refused(spoken.give(ask(scope=Scope(regions=("oci",))), BOB))
        assert error.reason == "override_refused"
        assert "nobody left" in str(error)


@virtually
async def test_a_drain_of_the_only_region_that_serves_is_refused() -> None:
    async with open_desk() as (stage, spoken):
        stage.fails(OCI)
        await until(stage.steers(API, azure=100))
        error = await refused(spoken.give(ask(), ALICE))
        assert error.reason == "override_refused"
        assert "only one" in str(error)


@virtually
async def test_a_drain_that_leaves_fewer_regions_than_the_policy_demands_is_refused_with_the_number() -> None:
    two = replace(API, limits=replace(API.limits, min_regions=2))
    async with open_desk(two) as (_, spoken):
        error = await refused(spoken.give(ask(), ALICE))
        assert error.reason == "rule_broken"
        assert "min_regions" in str(error)


@virtually
async def test_a_pin_of_whom_nobody_serves_is_refused() -> None:
    async with open_desk(THREE) as (stage, spoken):
        stage.fails(OCI)
        await until(stage.steers(THREE, azure=100))
        error = await refused(spoken.give(ask(Verb.PIN, Scope(policies=("api",)), shares={"oci": 10_000}), ALICE))
        assert "no region of the pin serves" in str(error)


@virtually
async def test_a_plan_that_is_held_is_approved_by_its_digest_and_no_other() -> None:
    two = replace(API, limits=Limits(min_regions=2))
    async with open_desk(two) as (stage, spoken):
        stage.fails(AZURE)
        await until(lambda: "failover.held" in stage.names())
        (held,) = [event for event in stage.events if event.name == "failover.held"]
        nobody = await refused(spoken.give(ask(Verb.APPROVE, Scope(), digest="0123"), ALICE))
        assert held.digest in str(nobody)  # type: ignore[attr-defined]
        await spoken.give(ask(Verb.APPROVE, Scope(), digest=held.digest), ALICE)  # type: ignore[attr-defined]
        await until(stage.steers(two, oci=100))


@virtually
async def test_a_word_that_takes_two_people_waits_for_the_second() -> None:
    async with playing(API) as stage:
        await normal(stage)
        spoken = Desk(stage.engine, now, lambda _scope, _id: None, people=lambda _: 2)
        given = await spoken.give(ask(breaks=("two-clouds",)), ALICE)
        assert any("somebody else" in note for note in given.notes)
        await asyncio.sleep(60.0)
        assert stage.shares(API) == NORMAL
        error = await refused(spoken.agree(given.word.id, "I am sure", "alice@laptop"))
        assert error.reason == "override_refused"
        await spoken.agree(given.word.id, "so am I", BOB)
        await until(stage.steers(API, oci=100))


@virtually
async def test_a_drain_over_some_time_takes_all_of_it_from_when_the_second_person_agrees() -> None:
    """Counted from when it was said, half of the traffic would leave in one step."""
    async with playing(API) as stage:
        await normal(stage)
        spoken = Desk(stage.engine, now, lambda _scope, _id: None, people=lambda _: 2)
        said = now()
        given = await spoken.give(ask(breaks=("two-clouds",), over=1_200.0), ALICE)
        await asyncio.sleep(600.0)
        agreed = await spoken.agree(given.word.id, "so am I", BOB)
        assert (agreed.word.since, agreed.word.given_at) == (said + 600.0, said)
        await until(stage.steers(API, azure=63, oci=37))
        await asyncio.sleep(600.0)
        await until(stage.steers(API, azure=28, oci=72))
        await until(stage.steers(API, oci=100))


@virtually
async def test_what_is_over_or_was_never_said_cannot_be_released() -> None:
    async with open_desk() as (_, spoken):
        given = await spoken.give(ask(), ALICE)
        await spoken.release(given.word.id, "done", ALICE)
        assert (await refused(spoken.release(given.word.id, "again", BOB))).reason == "override_over"
        assert (await refused(spoken.release("drain-ffffffff", "what", BOB))).reason == "override_unknown"
        assert (await refused(spoken.release_matching(Verb.DRAIN, Scope(), "all", BOB))).reason == "override_unknown"


@virtually
async def test_a_drain_under_a_pause_is_accepted_and_says_what_it_waits_for() -> None:
    async with open_desk() as (stage, spoken):
        await spoken.give(ask(Verb.PAUSE, Scope(policies=("api",))), BOB)
        given = await spoken.give(ask(), ALICE)
        assert any(BOB in note for note in given.notes)
        await asyncio.sleep(60.0)
        assert stage.shares(API) == NORMAL


@virtually
async def test_two_operators_at_the_same_moment_are_heard_one_after_the_other() -> None:
    async with open_desk(THREE) as (_, spoken):
        found = await asyncio.gather(spoken.give(ask(), ALICE), spoken.give(ask(), BOB), return_exceptions=True)
        assert [type(each).__name__ for each in found] == ["Given", "OverrideError"]


@virtually
async def test_one_word_speaks_to_every_policy_of_a_cloud() -> None:
    web = policy("web", regions=regions(azure=(50, "192.0.2.20"), oci=(50, "198.51.100.20")))
    clouds = tuple(replace(each, cloud=each.name) for each in API.regions)
    api = replace(API, regions=clouds)
    web = replace(web, regions=tuple(replace(each, cloud=each.name) for each in web.regions))
    async with open_desk(api, web) as (stage, spoken):
        given = await spoken.give(ask(scope=Scope(clouds=("azure",))), ALICE)
        assert {effect.target for effect in given.effects} == {AT, target(web)}
        await until(lambda: stage.shares(api) == {"oci": 100} == stage.shares(web))
        assert isinstance(given.word, Override)


# -- rules of the installation -----------------------------------------------------------------------------------------

BOTH = Rule("both", Assertion(2, ("azure", "oci")), people=2, at="regions.yaml:9")


@asynccontextmanager
async def bound(*rules: Rule) -> AsyncIterator[tuple[Stage, Desk]]:
    async with open_desk() as (stage, _):
        stage.runner.obey(rules)
        book = stage.engine.tools.rulebook
        yield stage, Desk(stage.engine, now, lambda _scope, _id: None, lambda names: people_for(book.rules, names))


@virtually
async def test_a_drain_that_breaks_a_rule_is_refused_by_its_name_and_heeded_once_two_people_name_it() -> None:
    async with bound(BOTH) as (stage, spoken):
        found = await refused(spoken.give(ask(), ALICE))
        assert (found.reason, "assertion both: 1 of its groups, not within at least 2" in found.detail) == (
            "rule_broken",
            True,
        )
        assert found.remedy == "to do it in spite of the rule at regions.yaml:9: --approve-with both"
        given = await spoken.give(ask(breaks=("both",)), ALICE)
        await asyncio.sleep(60.0)
        assert (given.word.needed, stage.shares(API)) == (2, NORMAL)
        await spoken.agree(given.word.id, "it has to be", BOB)
        await until(stage.steers(API, oci=100))


@virtually
async def test_a_rule_that_is_not_there_cannot_be_named() -> None:
    async with bound(BOTH) as (_, spoken):
        found = await refused(spoken.give(ask(breaks=("never_empty",)), ALICE))
        assert (found.reason, found.detail) == (
            "override_invalid",
            "there is no rule 'never_empty' in the inventory; there are: both",
        )


@virtually
async def test_what_a_rule_keeps_in_the_answer_leaves_once_as_many_people_approve_as_the_rule_asks_for() -> None:
    async with bound(BOTH) as (stage, spoken):
        stage.fails(AZURE)
        await until(lambda: stage.told(FailoverHeld))
        digest = stage.told(FailoverHeld)[-1].digest
        given = await spoken.give(ask(Verb.APPROVE, Scope(), digest=digest), ALICE)
        assert given.word.pending
        await asyncio.sleep(30.0)
        assert stage.shares(API) == NORMAL
        await spoken.agree(given.word.id, "I see it as well", BOB)
        await until(stage.steers(API, oci=100))


@virtually
async def test_without_anybody_what_is_down_leaves_when_the_rule_says_so_also_after_a_restart() -> None:
    stage = Stage()
    stage.runner.obey((BOTH,))
    async with playing(API, stage=stage):
        await normal(stage)
        stage.fails(AZURE)
        await until(lambda: stage.told(FailoverHeld))
        since = now()
        await asyncio.sleep(300.0)
    again = Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)
    again.runner.obey((BOTH,))
    async with playing(API, stage=again):
        await until(again.steers(API, oci=100))
        assert now() - since == pytest.approx(BOTH.else_after, abs=10.0)


@virtually
async def test_a_switch_holds_a_failback_until_it_is_released() -> None:
    async with bound(Rule("freeze", Gate("release-freeze", frozenset({Cause.RETURNING})))) as (stage, spoken):
        switch = await spoken.give(ask(Verb.SWITCH, Scope(), 4 * HOUR, name="release-freeze"), ALICE)
        assert switch.notes == ()
        mistyped = await spoken.give(ask(Verb.SWITCH, Scope(), 4 * HOUR, name="realease-freeze"), ALICE)
        assert "holds nothing" in mistyped.notes[0]
        assert "release-freeze" in mistyped.notes[0].rpartition(":")[2]
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100))
        stage.heals(AZURE)
        await asyncio.sleep(HOUR)
        assert stage.shares(API) == {"oci": 100}
        assert [check.rule for event in stage.told(PlanHeld) for check in event.limits if not check.passed] == [
            "freeze"
        ]
        await spoken.release(switch.word.id, "the release is out", BOB)
        await until(stage.steers(API, **NORMAL))
