"""Work that files plan, as a daemon heeds it: begun and ended by the clock, told once, released, edited meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.stage import API, AT, AZURE, LIVE, NORMAL, Stage, normal, playing, policy
from support.virtual import until, virtually

from failoverd.config.maintenance import planner, window
from failoverd.core.events import (
    ChangeApplied,
    Event,
    IncidentOpened,
    OverrideChanged,
    OverrideEnded,
    OverrideEnding,
    OverrideGiven,
    OverridesLost,
)
from failoverd.core.overrides import AHEAD, WITHDRAWN, Scope, Verb
from failoverd.core.records import Maintenance, Policy
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.judging import OverrideError
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.override_book import Overrides
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import now

TURN = 500.0
"""Seconds: a window lasts almost two of them unless said otherwise, too short to be warned of its end."""
ALICE = "alice@bastion"
LINE = "policies/api.yaml:12"
QUIET = policy(checks=(replace(LIVE, every=60.0),))
"""Probed rarely, so that hours pass quickly."""


def work(after: float = TURN, lasts: float = 1.75 * TURN, **said: object) -> Maintenance:
    """On the first region, `after` seconds from when the scenario begins."""
    entry = Maintenance("new switches", lasts, region="azure", begins=1_000.0 + after, at=LINE)
    return replace(entry, **said)  # type: ignore[arg-type]


def planning(*entries: Maintenance) -> Policy:
    return replace(QUIET, maintenance=entries)


@asynccontextmanager
async def at_work(of: Policy, *of_all: Maintenance, stage: Stage | None = None) -> AsyncIterator[Stage]:
    """A daemon that read these files at its start."""
    stage = stage or Stage()
    stage.runner.expect(planner({of.name: of}, of_all))
    async with playing(of, stage=stage):
        stage.runner.expect(planner(stage.runner.policies, of_all))
        yield stage


async def edited(stage: Stage, of: Policy, *of_all: Maintenance) -> None:
    """The files say this from now on."""
    await stage.take_up(of)
    stage.runner.expect(planner(stage.runner.policies, of_all))


async def at(moment: float) -> None:
    await asyncio.sleep(1_000.0 + moment - now())


def desk(stage: Stage) -> Desk:
    return Desk(stage.engine, now, lambda _scope, _id: None)


def after(stage: Stage) -> Stage:
    """Who goes on where another process ended."""
    return Stage(zonefile=stage.zonefile, journal=stage.journal, world=stage.world)


def _unheard(event: Event) -> None:
    raise AssertionError(f"nobody asked for {event}")


def heard(stage: Stage) -> list[str]:
    return [name for name in stage.names() if name.startswith("override")]


@virtually
async def test_a_window_drains_its_region_from_its_beginning_to_its_end() -> None:
    async with at_work(planning(work(lasts=2 * TURN))) as stage:
        await normal(stage)
        await at(TURN - 1)
        assert stage.shares(API) == NORMAL
        await at(TURN + 5)
        assert stage.shares(API) == {"oci": 100}
        (given,) = stage.told(OverrideGiven)
        assert given.at == pytest.approx(1_000 + TURN, abs=1)
        assert (given.actor, given.reason) == (LINE, "new switches")
        assert (given.about, given.policies) == ("region azure of policy api", ("api",))
        change = stage.told(ChangeApplied)[-1]
        assert (change.cause, any(LINE in reason.detail for reason in change.reasons)) == ("operator", True)
        await at(3 * TURN + 5)
        await until(stage.steers(API, **NORMAL))
        assert heard(stage) == ["override.given", "override.ending", "override.ended"]
        assert stage.told(OverrideEnding)[0].left == pytest.approx(900, abs=1)
        assert not stage.told(IncidentOpened)


@virtually
async def test_work_of_the_inventory_concerns_every_policy_that_has_the_region() -> None:
    async with at_work(QUIET, work(after=-60.0, at="policies/regions.yaml:9")) as stage:
        await until(stage.steers(API, oci=100))
        assert stage.told(OverrideGiven)[0].about == "region azure"


@virtually
async def test_what_is_ill_meanwhile_is_no_trouble_and_comes_back_well() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
        stage.fails(AZURE)
        await at(2 * TURN)
        stage.heals(AZURE)
        await at(3 * TURN + 60)
        await until(stage.steers(API, **NORMAL))
        assert not stage.told(IncidentOpened)


def test_a_window_is_known_a_day_before_and_not_earlier() -> None:
    clock = [1_000.0]
    overrides = Overrides(JournalWriter(PaperJournal(), _unheard, lambda: clock[0]), _unheard, lambda: clock[0])
    overrides.follow(planner({}, (work(after=2 * AHEAD),)))
    assert overrides.of(API) == ()
    clock[0] += AHEAD + 120
    (word,) = overrides.of(API)
    assert (word.since, word.in_force(clock[0])) == (1_000 + 2 * AHEAD, False)
    (planned,) = overrides.planned().work
    assert (planned.override, planned.since, planned.actor) == (word.id, word.since, LINE)


def test_what_a_file_does_not_say_any_more_holds_for_nobody_who_had_looked_at_the_clock_before_he_asked() -> None:
    clock = [1_600.0]
    overrides = Overrides(JournalWriter(PaperJournal(), _unheard, lambda: clock[0]), _unheard, lambda: clock[0])
    begun = window("api", work(), 1_000 + TURN)
    overrides.follow(lambda _now: (begun,))
    overrides.load([begun])
    overrides.follow(lambda _now: ())
    asked_at = clock[0]
    clock[0] += 0.01
    assert overrides.get(begun.id).in_force(asked_at) is False  # type: ignore[union-attr]
    assert [word.in_force(asked_at) for word in overrides.of(API)] == [False]


def test_what_files_plan_for_next_week_is_told_and_is_no_word_yet() -> None:
    clock = [1_000.0]
    overrides = Overrides(JournalWriter(PaperJournal(), _unheard, lambda: clock[0]), _unheard, lambda: clock[0])
    later = replace(window("api", work(), 1_000 + 7 * AHEAD), id="practice-1")
    overrides.follow(lambda _now: (later,))
    assert (overrides.all(), overrides.of(API), overrides.get("practice-1")) == ((), (), None)
    (told,) = overrides.planned().work
    assert (told.override, told.since, told.policies) == ("practice-1", 1_000 + 7 * AHEAD, ("api",))
    clock[0] += 6 * AHEAD + 120
    assert [word.id for word in overrides.of(API)] == ["practice-1"]
    assert [each.override for each in overrides.planned().work] == ["practice-1"]


def test_each_policy_is_asked_for_its_own_work_alone() -> None:
    clock = [1_000.0]
    overrides = Overrides(JournalWriter(PaperJournal(), _unheard, lambda: clock[0]), _unheard, lambda: clock[0])
    other = policy("other", maintenance=(work(after=10),))
    overrides.follow(planner({"api": planning(work(after=30)), "other": other}, (work(after=20, region="oci"),)))
    assert [word.since - 1_000 for word in overrides.of(API)] == [20, 30]
    assert [word.since - 1_000 for word in overrides.of(other)] == [10, 20]


@virtually
async def test_a_restart_tells_nothing_twice_and_misses_nothing() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
    async with at_work(planning(work()), stage=after(stage)) as again:
        await at(2 * TURN)
        assert (again.shares(API), heard(again)) == ({"oci": 100}, [])
    async with at_work(planning(work()), stage=after(again)) as third:
        await at(3 * TURN + 60)
        await until(third.steers(API, **NORMAL))
        assert heard(third) == ["override.ended"]


@virtually
async def test_a_window_that_ended_while_nobody_was_there_is_told_at_the_next_start() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
    await at(4 * TURN)
    async with at_work(planning(work()), stage=after(stage)) as again:
        await until(again.steers(API, **NORMAL))
        assert heard(again) == ["override.ended"]


@virtually
async def test_without_its_journal_the_daemon_knows_the_window_from_the_file() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
    emptied = Stage(zonefile=stage.zonefile, journal=PaperJournal(), world=stage.world)
    async with at_work(planning(work()), stage=emptied) as again:
        await at(2 * TURN)
        assert again.shares(API) == {"oci": 100}
        assert not again.told(OverridesLost)


# -- a person has the last word ----------------------------------------------------------------------------------------


@virtually
async def test_a_window_is_released_and_stays_so_and_the_next_one_comes() -> None:
    twice = planning(work(), work(after=4 * TURN))
    async with at_work(twice) as stage:
        await normal(stage)
        await at(TURN + 60)
        (word,) = stage.engine.overrides.in_force()
        await desk(stage).release(word.id, "they are done early", ALICE)
        await until(stage.steers(API, **NORMAL))
    async with at_work(twice, stage=after(stage)) as again:
        await at(2 * TURN)
        assert (again.shares(API), heard(again)) == (NORMAL, [])
        await at(4 * TURN + 60)
        assert again.shares(API) == {"oci": 100}


@virtually
async def test_to_release_a_region_ends_the_window_that_is_open_and_not_the_next_one() -> None:
    async with at_work(planning(work(), work(after=4 * TURN))) as stage:
        await normal(stage)
        await at(TURN + 60)
        released = await desk(stage).release_matching(Verb.DRAIN, Scope(regions=("azure",)), "done", ALICE)
        assert [given.word.since for given in released] == [1_000 + TURN]
        assert [word.since for word in desk(stage).words()] == [1_000 + 4 * TURN]


@virtually
async def test_a_window_can_be_released_before_it_begins() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        (word,) = desk(stage).words()
        await desk(stage).release(word.id, "put off", ALICE)
    async with at_work(planning(work()), stage=after(stage)) as again:
        await at(2 * TURN)
        assert (again.shares(API), heard(again)) == (NORMAL, [])


@virtually
async def test_a_window_that_is_extended_outlasts_the_file_and_a_restart() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(2 * TURN)
        (word,) = stage.engine.overrides.in_force()
        await desk(stage).extend(word.id, 4 * TURN, "a part is missing", ALICE)
    async with at_work(planning(work()), stage=after(stage)) as again:
        await at(5 * TURN)
        assert again.shares(API) == {"oci": 100}
        await edited(again, QUIET)  # the file was tidied up
        await at(5 * TURN + 60)
        assert again.shares(API) == {"oci": 100}
        await at(6 * TURN + 60)
        await until(again.steers(API, **NORMAL))


@virtually
async def test_a_window_that_is_extended_before_it_begins_is_told_when_it_does() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        (word,) = desk(stage).words()
        await desk(stage).extend(word.id, 3 * TURN, "it takes longer", ALICE)
        assert heard(stage) == ["override.changed"]
    async with at_work(planning(work()), stage=after(stage)) as again:
        await at(TURN - 10)
        assert heard(again) == []
        await at(TURN + 60)
        assert (again.shares(API), heard(again)) == ({"oci": 100}, ["override.given"])
        assert again.told(OverrideGiven)[0].policies == ("api",)
        await at(4 * TURN)
        assert heard(again) == ["override.given", "override.ending", "override.ended"]


@virtually
async def test_nobody_calls_a_window_off_by_extending_it() -> None:
    async with at_work(planning(work(after=6 * TURN))) as stage:
        await normal(stage)
        (word,) = desk(stage).words()
        with pytest.raises(OverrideError, match="would be over before that") as refused:
            await desk(stage).extend(word.id, TURN, "it takes longer", ALICE)
        assert refused.value.reason == "override_invalid"


@virtually
async def test_planned_work_keeps_nobody_from_draining_the_region_now() -> None:
    async with at_work(QUIET, work(after=6 * TURN)) as stage:
        await normal(stage)
        await desk(stage).give(WordRequest(Verb.DRAIN, Scope(regions=("azure",)), "smoke", TURN), ALICE)
        await until(stage.steers(API, oci=100))


# -- the file is edited ------------------------------------------------------------------------------------------------


@virtually
async def test_an_entry_that_is_removed_ends_its_window() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
        await edited(stage, QUIET)
        await until(stage.steers(API, **NORMAL))
        (told,) = stage.told(OverrideEnded)
        assert (told.by, told.comment) == (LINE, WITHDRAWN)


@virtually
async def test_an_entry_that_is_put_back_begins_its_window_again() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
        await edited(stage, QUIET)
        await until(stage.steers(API, **NORMAL))
        await edited(stage, planning(work()))
        await until(stage.steers(API, oci=100))
        assert heard(stage) == ["override.given", "override.ended", "override.given"]


@virtually
async def test_an_entry_that_was_removed_while_nobody_was_there_is_heeded_no_more() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
    async with at_work(QUIET, stage=after(stage)) as again:
        await until(again.steers(API, **NORMAL))
        assert heard(again) == ["override.ended"]


@virtually
async def test_a_file_that_does_not_load_at_a_restart_takes_nothing_back() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
    broken = after(stage)
    broken.runner.expect(planner({}, ()))
    async with playing(stage=broken):
        await at(TURN + 120)
        assert heard(broken) == []
        await edited(broken, planning(work()))  # it was mended
        await at(2 * TURN)
        assert (broken.shares(API), heard(broken)) == ({"oci": 100}, [])


@virtually
async def test_an_open_window_is_as_long_as_the_file_says_now() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
        await edited(stage, planning(work(lasts=4 * TURN, at="policies/api.yaml:14")))
        await at(4 * TURN)
        assert stage.shares(API) == {"oci": 100}
        (told,) = stage.told(OverrideChanged)
        assert (told.until, told.by) == (1_000 + 5 * TURN, "policies/api.yaml:14")
        await edited(stage, planning(work(lasts=TURN)))
        await until(stage.steers(API, **NORMAL))


@virtually
async def test_a_file_that_only_grew_above_the_entry_is_no_news() -> None:
    async with at_work(planning(work())) as stage:
        await normal(stage)
        await at(TURN + 60)
        await edited(stage, planning(work(at="policies/api.yaml:30")))
        await at(2 * TURN)
        assert heard(stage) == ["override.given"]
        assert stage.zonefile.generation(AT) == 2
