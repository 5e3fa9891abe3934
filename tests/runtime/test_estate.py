"""Several services share the regions of several clouds, and one region is lost."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.stage import Stage, playing, policy, regions
from support.virtual import until, virtually

from failoverd.codec import plain
from failoverd.core.control.claiming import claim
from failoverd.core.events import ChangeApplied
from failoverd.core.overrides import Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import TIERS, Policy
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.plan_desk import PlanDesk
from failoverd.simulation.virtual_time import elapse, now

CAPACITY = {"az": 900.0, "oci": 600.0, "aws": 900.0}


def service(name: str, demand: float, last: int) -> Policy:
    spread = regions(az=(50, f"192.0.2.{last}"), oci=(30, f"198.51.100.{last}"), aws=(20, f"203.0.113.{last}"))
    able = tuple(replace(spec, capacity=CAPACITY[spec.name]) for spec in spread)
    return policy(name, regions=able, demand=demand, tier=TIERS[name])


PROD, PILOT, DEV = service("prod", 800, 10), service("pilot", 500, 11), service("dev", 400, 12)
ALL = (DEV, PILOT, PROD)
USUAL = {"az": 50.0, "oci": 30.0, "aws": 20.0}


async def calm(stage: Stage) -> None:
    for each in ALL:
        await until(stage.steers(each, **USUAL))
    await elapse(30.0)


def lose_azure(stage: Stage) -> None:
    stage.fails("192.0.2.10", "192.0.2.11", "192.0.2.12")


def load(stage: Stage, region: str) -> float:
    return sum((each.demand or 0) * stage.shares(each).get(region, 0.0) / 100 for each in ALL)


@virtually
async def test_on_a_normal_day_everybody_has_the_shares_of_the_file() -> None:
    async with playing(*ALL) as stage:
        await calm(stage)
        assert len(stage.told(ChangeApplied)) == 3


@virtually
async def test_prod_is_served_first_when_a_region_is_lost_and_nobody_else_is_in_its_way_but_where_it_hurts_least() -> (
    None
):
    async with playing(*ALL) as stage:
        await calm(stage)
        lose_azure(stage)
        await until(stage.steers(PROD, oci=60.0, aws=40.0))
        await until(stage.steers(PILOT, oci=24.0, aws=76.0))
        await until(stage.steers(DEV, aws=100.0))
        await elapse(60.0)
        assert (load(stage, "oci"), load(stage, "aws")) == (600, 1_100)
        for each in (PROD, DEV):  # it is too full for prod as well, who does not send too much there
            grant, _ = stage.engine.shared.grants(each, stage.states.looked_at(each, stage.board), now())
            assert grant is not None
            assert grant.crowded == pytest.approx({"aws": 200})
        status = stage.reconcilers["dev"].statuses()[0]
        assert (status.demand, status.capacities) == (400, {"az": 900, "oci": 600, "aws": 900}), "for the glance"
        said = status.reasons
        excess = next(reason for reason in said if reason.code is ReasonCode.EXCESS)
        assert (excess.region, excess.numbers["rest"] * excess.numbers["demand"] / 10_000) == ("aws", 200)


@virtually
async def test_the_lower_tiers_make_room_at_once_although_nothing_of_their_own_has_failed() -> None:
    """What is lost is prod's alone: its endpoints in azure. The others have theirs, and leave what prod needs."""
    async with playing(*ALL) as stage:
        await calm(stage)
        stage.fails("192.0.2.10")
        await until(stage.steers(PROD, oci=60.0, aws=40.0))
        await elapse(5.0)
        assert load(stage, "oci") <= 600
        made = [each for each in stage.told(ChangeApplied) if each.policy != "prod" and each.cause is Cause.MAKING_ROOM]
        assert {each.policy for each in made} == {"pilot", "dev"}
        await elapse(300.0)
        assert load(stage, "oci") <= 600


@virtually
async def test_what_was_left_comes_back_when_the_region_does() -> None:
    async with playing(*ALL) as stage:
        await calm(stage)
        lose_azure(stage)
        await until(stage.steers(DEV, aws=100.0))
        stage.heals("192.0.2.10", "192.0.2.11", "192.0.2.12")
        for each in ALL:
            await until(stage.steers(each, **USUAL))
        before = len(stage.told(ChangeApplied))
        await elapse(900.0)
        assert len(stage.told(ChangeApplied)) == before


@virtually
async def test_a_policy_that_is_gone_leaves_its_room_to_the_others() -> None:
    async with playing(*ALL) as stage:
        await calm(stage)
        lose_azure(stage)
        await until(stage.steers(DEV, aws=100.0))
        await stage.runner.remove("prod")
        await until(lambda: stage.shares(DEV).get("oci", 0.0) > 0)


@virtually
async def test_a_policy_without_a_demand_is_in_nobodys_sum() -> None:
    free = replace(DEV, demand=None)
    async with playing(PROD, free) as stage:
        await until(stage.steers(free, **USUAL))
        assert set(stage.engine.shared.standing) == {"prod"}


@virtually
async def test_what_one_policy_brings_to_light_keeps_no_other_from_leaving_what_is_down_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    async with playing(*ALL) as stage:
        await calm(stage)
        whole = claim

        def stumbling(of: Policy, *more: object) -> object:
            if of.name == "dev":
                raise OverflowError("a defect of ours")
            return whole(of, *more)  # type: ignore[arg-type]  # handed on as it came

        monkeypatch.setattr("failoverd.runtime.estate.claim", stumbling)
        lose_azure(stage)
        await until(stage.steers(PROD, oci=60.0, aws=40.0))
        await elapse(300.0)
        assert [message.partition(":")[0] for message in told] == ["what policy dev needs cannot be told"]


@virtually
async def test_a_revision_that_cannot_be_counted_leaves_the_running_one_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with playing(PROD) as stage:
        await until(stage.steers(PROD, **USUAL))
        monkeypatch.setattr("failoverd.runtime.estate.usual_claim", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await stage.take_up(replace(PROD, demand=700.0))
        stage.fails("192.0.2.10")
        await until(stage.steers(PROD, oci=60.0, aws=40.0))


# -- what a word would do ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [Verb.DRAIN, Verb.PRACTICE])
@virtually
async def test_a_word_that_is_only_tried_shows_what_all_that_it_concerns_leave_each_other_then(verb: Verb) -> None:
    """Oci has room for all of prod and pilot then, and for 60 of dev's 300: nobody is in azure, where they are now."""
    demands = {"prod": 500.0, "pilot": 400.0, "dev": 300.0}
    small = [replace(each, demand=demands[each.name]) for each in ALL]
    async with playing(*small) as stage:
        for each in small:
            await until(stage.steers(each, **USUAL))
        await elapse(30.0)
        ask = WordRequest(verb, Scope(regions=("az",)), "a drill", 3_600, now=verb is Verb.DRAIN)
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        tried = await desk.give(ask, "alice@bastion", dry_run=True)
        await elapse(60.0)
        assert [stage.shares(each) for each in small] == [USUAL] * 3, "nothing was done"
        given = await desk.give(ask, "alice@bastion")
        await elapse(120.0)
        done = {each.name: stage.shares(each) for each in small}
        assert done["dev"] == {"oci": 20.0, "aws": 80.0}
        for told in (tried, given):
            assert {each.target.policy: percent(each.after) for each in told.effects} == done


@virtually
async def test_regions_that_a_person_brings_back_in_several_policies_are_shared_by_them_in_the_plan() -> None:
    """Azure can carry 550, of which prod takes 490: each policy alone would plan with all of it."""
    rooms = {"az": 550.0, "oci": 1_400.0}

    def manual(name: str, demand: float, last: int, share: int) -> Policy:
        spread = regions(az=(share, f"192.0.2.{last}"), oci=(100 - share, f"198.51.100.{last}"))
        able = tuple(replace(spec, capacity=rooms[spec.name]) for spec in spread)
        return policy(name, regions=able, demand=demand, tier=TIERS[name], failback_after=None)

    both = manual("prod", 700, 10, 70), manual("dev", 600, 12, 50)
    async with playing(*both) as stage:
        await until(stage.steers(both[0], az=70.0, oci=30.0))
        await elapse(30.0)
        stage.fails("192.0.2.10", "192.0.2.12")
        for each in both:
            await until(stage.steers(each, oci=100.0))
        stage.heals("192.0.2.10", "192.0.2.12")
        await elapse(60.0)
        desk = PlanDesk(stage.engine, now)
        planned = await desk.plan((), ["az"])
        changes = [plain(each.change) for each in planned.findings if each.change is not None]
        applied = await desk.apply(changes, "alice@bastion")
        assert [each.result for each in applied.attempts] == [None, None]
        assert stage.shares(both[0]) == {"az": 70.0, "oci": 30.0}
        assert stage.shares(both[1])["az"] == pytest.approx(10.0, abs=0.1)


def percent(shares: Mapping[str, int]) -> dict[str, float]:
    return {name: share / 100 for name, share in shares.items() if share}
