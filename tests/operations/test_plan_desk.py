"""A daemon at work is asked what it would do, and to do it: by its own hands, in turns with its own workers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.sessions import AZURE6, both_types
from support.stage import API, AT, AZURE, NORMAL, OCI, RULES, Stage, normal, playing, policy
from support.virtual import until, virtually

from failoverd.codec import plain
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.plan import InSync
from failoverd.core.errors import FailoverdError
from failoverd.core.events import ChangeApplied, ChangeFenced, ChangeVerified, OverrideGiven
from failoverd.core.overrides import Scope, Verb
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.plan_desk import IN_TURN, LONGEST, WRITING, PlanDesk
from failoverd.operations.planning import Planned
from failoverd.simulation.faults import Fault, Moment, hang
from failoverd.simulation.virtual_time import elapse, now

ALICE = "alice@bastion"
BACK = policy(failback_after=None)
"""A person brings regions back."""

Change = Mapping[str, Any]


@asynccontextmanager
async def open_desk(*policies: object, stage: Stage | None = None) -> AsyncIterator[tuple[Stage, PlanDesk]]:
    """A daemon that steers as its policies say, and where it is asked for plans."""
    async with playing(*(policies or (API,)), stage=stage) as at_work:  # type: ignore[arg-type]
        await normal(at_work)
        yield at_work, PlanDesk(at_work.engine, now)


async def left(stage: Stage) -> None:
    """Azure failed, was left, and is well again: only a person brings it back."""
    stage.fails(AZURE)
    await until(stage.steers(BACK, oci=100.0))
    stage.heals(AZURE)
    await elapse(60.0)


def changes(found: Planned) -> list[Change]:
    """As `plan` tells them."""
    return [plain(each.change) for each in found.findings if each.change is not None]


@virtually
async def test_a_plan_is_made_of_what_the_daemon_knows_and_probes_nothing_twice() -> None:
    async with open_desk() as (stage, desk):
        probed, read = len(stage.world.looks), len(stage.dns.reads)
        found = await desk.plan((), ())
        (finding,) = found.findings
        assert finding.outcome is not None
        assert (finding.outcome.kind, len(stage.world.looks) - probed) == (OutcomeKind.IN_SYNC, 0)
        assert len(stage.dns.reads) - read == 1
        assert [(each.policy, each.revision) for each in found.policies] == [("api", "r1")]


@virtually
async def test_what_is_applied_is_the_daemons_own_change_in_the_name_of_who_asked() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan(["api"], ["azure"]))
        done = await desk.apply(planned, ALICE)
        (attempt,) = done.attempts
        assert (attempt.result, stage.shares(BACK)) == (None, NORMAL)
        assert "2 of 2" in attempt.proof or "agree" in attempt.proof
        assert [change.actor for change in stage.told(ChangeApplied)] == ["failoverd", "failoverd", ALICE]
        assert stage.told(ChangeVerified)[-1].change_id == attempt.plan.id
        await elapse(30.0)
        assert (stage.shares(BACK), len(stage.dns.applies)) == (NORMAL, 3), "and the daemon leaves it so"


@virtually
async def test_applied_once_more_it_stands_there_already() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        await desk.apply(planned, ALICE)
        (again,) = (await desk.apply(planned, ALICE)).attempts
        assert (again.result, len(stage.dns.applies)) == (InSync(AT, 3), 3)


@virtually
async def test_what_the_daemon_is_about_to_write_is_written_once_and_is_a_success() -> None:
    """The daemon's worker is at the name when the same is to be applied."""
    async with open_desk() as (stage, desk):
        stage.dns.on_apply.append(Fault(hold=(held := asyncio.Event())))
        stage.fails(AZURE)
        await until(lambda: not stage.dns.on_apply)
        planned = changes(await desk.plan((), ()))
        assert planned, "both want the same"
        applying = asyncio.create_task(desk.apply(planned, ALICE))
        await elapse(1.0)
        assert not applying.done()
        held.set()
        (attempt,) = (await applying).attempts
        assert isinstance(attempt.result, InSync)
        assert (stage.shares(API), len(stage.dns.applies)) == ({"oci": 100.0}, 2)
        assert stage.told(ChangeFenced) == []


@virtually
async def test_while_one_is_written_the_daemon_waits_for_its_turn_at_that_name() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        stage.dns.on_apply.append(Fault(hold=(held := asyncio.Event())))
        applying = asyncio.create_task(desk.apply(planned, ALICE))
        await until(lambda: not stage.dns.on_apply)
        stage.fails(OCI)
        await elapse(30.0)
        assert len(stage.dns.applies) == 3, "the daemon wants to leave oci, and waits"
        held.set()
        await applying
        await until(stage.steers(BACK, azure=100.0))
        assert stage.told(ChangeFenced) == []


@virtually
async def test_both_types_of_a_name_are_applied_though_the_daemon_has_its_turns_between() -> None:
    both = both_types(failback_after=None, health=RULES)
    async with playing(both) as stage:
        await until(lambda: stage.shares(both, 0) == stage.shares(both, 1) == NORMAL)
        stage.fails(AZURE, AZURE6)
        await until(lambda: stage.shares(both, 0) == stage.shares(both, 1) == {"oci": 100.0})
        stage.heals(AZURE, AZURE6)
        await elapse(60.0)
        desk = PlanDesk(stage.engine, now)
        planned = changes(await desk.plan((), ["azure"]))
        stage.dns.on_apply.append(Fault(hold=(held := asyncio.Event())))
        applying = asyncio.create_task(desk.apply(planned, ALICE))
        await elapse(30.0)  # ticks: the workers of both types wait for their turn
        held.set()
        assert [each.result for each in (await applying).attempts] == [None, None]
        await elapse(30.0)
        assert stage.shares(both, 0) == stage.shares(both, 1) == NORMAL
        assert (stage.told(ChangeFenced), len(stage.dns.applies)) == ([], 6)


@virtually
async def test_what_would_not_be_done_now_is_refused() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        stage.fails(AZURE)
        await elapse(30.0)
        (attempt,) = (await desk.apply(planned, ALICE)).attempts
        assert isinstance(attempt.result, FailoverdError)
        assert (attempt.result.reason, attempt.sent, len(stage.dns.applies)) == ("plan_outdated", False, 2)


@virtually
async def test_a_word_that_was_said_since_is_heeded() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        words = Desk(stage.engine, now, lambda _scope, _id: None)
        await words.give(WordRequest(Verb.HOLD, Scope(policies=("api",)), "I look into it", 600.0), ALICE)
        assert stage.told(OverrideGiven)
        (attempt,) = (await desk.apply(planned, ALICE)).attempts
        assert isinstance(attempt.result, FailoverdError)
        assert stage.shares(BACK) == {"oci": 100.0}
        assert ALICE not in [change.actor for change in stage.told(ChangeApplied)]


@virtually
async def test_a_record_that_cannot_be_read_in_its_turn_keeps_the_daemon_from_it_for_seconds_only() -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        began = now()
        stage.dns.on_read += [Fault(), Fault(hold=asyncio.Event())]
        (attempt,) = (await desk.apply(planned, ALICE)).attempts
        assert isinstance(attempt.result, FailoverdError)
        assert (attempt.result.reason, attempt.sent) == ("deadline", False)
        assert now() - began < IN_TURN + 1.0


@virtually
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
async def test_a_write_that_hangs_is_in_doubt_and_keeps_nobody_from_leaving_what_fails_meanwhile(
    moment: Moment,
) -> None:
    async with open_desk(BACK) as (stage, desk):
        await left(stage)
        planned = changes(await desk.plan((), ["azure"]))
        began = now()
        stage.dns.on_apply.append(hang(moment))
        (attempt,) = (await desk.apply(planned, ALICE)).attempts
        assert isinstance(attempt.result, FailoverdError)
        assert (attempt.result.reason, attempt.sent) == ("outcome_unknown", True)
        assert now() - began < WRITING + 5.0
        stage.fails(OCI)
        await until(stage.steers(BACK, azure=100.0))
        assert stage.engine.sending == 0


@virtually
async def test_a_plan_of_what_cannot_be_read_ends_and_says_so() -> None:
    async with open_desk() as (stage, desk):
        began = now()
        stage.dns.on_read.append(Fault(hold=asyncio.Event()))
        (finding,) = (await desk.plan((), ())).findings
        assert finding.error is not None
        assert (finding.error.reason, now() - began) == ("deadline", LONGEST)


@virtually
async def test_a_daemon_that_has_just_begun_waits_for_its_first_verdicts() -> None:
    async with playing(API) as stage:
        (finding,) = (await PlanDesk(stage.engine, now).plan((), ())).findings
        assert finding.unseen == ()


@virtually
async def test_what_nobody_has_is_refused_with_what_there_is() -> None:
    async with open_desk() as (_, desk):
        for names, returning, reason in ((["apj"], [], "policy_unknown"), ([], ["mars"], "region_unknown")):
            with pytest.raises(FailoverdError) as refused:
                await desk.plan(names, returning)
            assert refused.value.reason == reason


@pytest.mark.parametrize("said", [{}, {"plan": 1}, {"plan": {"id": "x" * 5_000}}, {"plan": {"a": [["b"]]}}])
def test_what_is_no_plan_is_refused(said: Change) -> None:
    @virtually
    async def refused() -> None:
        async with open_desk() as (stage, desk):
            with pytest.raises(FailoverdError, match="this is no plan"):
                await desk.apply([said], ALICE)
            assert len(stage.dns.applies) == 1

    refused()


@virtually
async def test_so_many_ask_at_once_and_not_more() -> None:
    async with open_desk() as (stage, desk):
        held = asyncio.Event()
        stage.dns.on_read += [Fault(hold=held) for _ in range(4)]
        asked = [asyncio.create_task(desk.plan((), ())) for _ in range(4)]
        await elapse(0.0)
        with pytest.raises(FailoverdError) as refused:
            await desk.plan((), ())
        assert refused.value.reason == "too_many_plans"
        asked.pop().cancel()
        await elapse(0.0)
        asked.append(asyncio.create_task(desk.plan((), ())))
        held.set()
        assert len(await asyncio.gather(*asked)) == 4
