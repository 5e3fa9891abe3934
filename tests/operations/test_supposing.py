"""What would be done if a region were lost or drained is what is done when it is; and asking changes nothing."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.sessions import QUICK, Desk
from support.stage import API, AWS, AZURE, NORMAL, OCI, Stage, normal, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import ConfigError
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Scope, Verb
from failoverd.core.reasons import Cause
from failoverd.core.records import WHOLE, Policy, RecordType
from failoverd.operations.commanding import Desk as WordDesk
from failoverd.operations.commanding import WordRequest
from failoverd.operations.plan_desk import PlanDesk
from failoverd.operations.planning import PlanFinding
from failoverd.operations.supposing import Supposition, plans_if
from failoverd.runtime.estate import Shared
from failoverd.simulation.virtual_time import elapse, now


def down(*names: str) -> Supposition:
    return Supposition(down=frozenset(names))


def drained(*names: str) -> Supposition:
    return Supposition(drained=frozenset(names))


async def asked(stage: Stage, said: Supposition, *names: str) -> dict[str, PlanFinding]:
    found = await PlanDesk(stage.engine, now).plan(names, (), said)
    assert found.supposed == said.text()
    return {each.target.policy: each for each in found.findings}


def words_of(stage: Stage) -> WordDesk:
    return WordDesk(stage.engine, now, lambda _, __: None)


DRAIN = WordRequest(Verb.DRAIN, Scope(regions=("azure",)), "planned work", 3_600.0)


def after(finding: PlanFinding) -> dict[str, float]:
    """What would be answered, in percent by region."""
    assert finding.outcome is not None, finding.error
    assert finding.outcome.plan is not None, finding.outcome
    return {name: share / 100 for name, share in finding.outcome.plan.shares_after.items()}


# -- a daemon is asked -------------------------------------------------------------------------------------------------


@virtually
async def test_what_would_be_done_on_a_loss_is_what_is_done_on_it_and_asking_does_nothing() -> None:
    async with playing(API) as stage:
        await normal(stage)
        writes, told, probes = len(stage.dns.applies), len(stage.events), len(stage.world.looks)
        found = (await asked(stage, down("azure")))["api"]
        assert found.outcome is not None
        assert (found.outcome.kind, found.outcome.cause) == (OutcomeKind.WRITE, Cause.FAILING_OUT)
        assert (found.supposed, found.change, found.manual) == (True, None, "")
        assert (len(stage.dns.applies), len(stage.events), len(stage.world.looks)) == (writes, told, probes)
        stage.fails(AZURE)
        await until(stage.steers(API, **after(found)))
        again = (await asked(stage, down("azure")))["api"]
        assert again.outcome is not None
        assert again.outcome.kind is OutcomeKind.IN_SYNC, "what is down is down already"


@virtually
async def test_asking_leaves_nothing_behind() -> None:
    async with playing(API) as stage:
        await normal(stage)
        before = stage.engine.states.of("api")
        await asked(stage, replace(down("azure"), drained=frozenset({"oci"})))
        after_it = stage.engine.states.of("api")
        assert (after_it.overrides, after_it.incident, after_it.down_since) == ((), None, before.down_since)
        await elapse(60.0)
        assert (stage.shares(API), stage.engine.words()) == (NORMAL, ())


@virtually
async def test_a_cloud_is_lost_with_all_of_its_regions() -> None:
    three = regions(azure=(50, AZURE), azure2=(20, "192.0.2.20"), oci=(30, OCI))
    clouds = {"azure": "azure", "azure2": "azure", "oci": "oci"}
    api = policy(regions=tuple(replace(spec, cloud=clouds[spec.name]) for spec in three))
    async with playing(api) as stage:
        await until(stage.steers(api, azure=50.0, azure2=20.0, oci=30.0))
        found = (await asked(stage, Supposition(clouds=frozenset({"azure"}))))["api"]
        assert after(found) == {"oci": 100.0}


@virtually
async def test_a_policy_without_the_region_is_left_as_it_is() -> None:
    other = policy("shop", regions=regions(aws=(100, AWS)))
    async with playing(API, other) as stage:
        await normal(stage)
        await until(stage.steers(other, aws=100.0))
        found = await asked(stage, down("azure"))
        assert found["shop"].outcome is not None
        assert (found["shop"].outcome.kind, after(found["api"])) == (OutcomeKind.IN_SYNC, {"oci": 100.0})


@virtually
async def test_a_drain_is_what_the_word_would_do() -> None:
    async with playing(API) as stage:
        await normal(stage)
        found = (await asked(stage, drained("azure")))["api"]
        given = await words_of(stage).give(DRAIN, "alice@bastion", dry_run=True)
        (effect,) = given.effects
        assert found.outcome is not None
        assert found.outcome.cause is Cause.OPERATOR
        assert {name: share / 100 for name, share in effect.after.items()} == after(found)


@virtually
async def test_the_next_step_is_told_with_its_time_and_comes_then() -> None:
    slow = policy(limits=limits(max_shift=4_000, shift_window=60.0, max_changes=50))
    async with playing(slow) as stage:
        await normal(stage)
        await elapse(120.0)
        found = (await asked(stage, drained("azure")))["api"]
        first, then = after(found), found.following
        assert first == {"azure": 30.0, "oci": 70.0}, "40 points in a minute"
        assert then is not None
        assert dict(then.plan.shares_before) == {"azure": 3_000, "oci": 7_000}
        assert dict(then.plan.shares_after) == {"oci": WHOLE}
        asked_at = now()
        await words_of(stage).give(DRAIN, "alice@bastion")
        await until(stage.steers(slow, oci=100.0))
        assert now() - asked_at == pytest.approx(then.at - asked_at, abs=3.0)


@virtually
async def test_who_shares_a_region_loses_it_too_and_what_is_left_is_shared_out_anew() -> None:
    """Alone, dev would fit into what is left; prod needs that first."""
    carries = {"azure": 200.0, "oci": 100.0}
    able = tuple(replace(spec, capacity=carries[spec.name]) for spec in regions(azure=(100, AZURE), oci=(0, OCI)))

    def service(name: str, tier: int) -> Policy:
        at = tuple(replace(spec, endpoints=spec.endpoints) for spec in able)
        return policy(name, regions=at, demand=90.0, tier=tier)

    prod, dev = service("prod", 0), service("dev", 2)
    async with playing(prod, dev) as stage:
        await until(stage.steers(prod, azure=100.0))
        await until(stage.steers(dev, azure=100.0))
        both = await asked(stage, down("azure"))
        (alone,) = (await asked(stage, down("azure"), "dev")).values()
        assert after(both["prod"]) == {"oci": 100.0}
        assert alone.outcome is not None
        assert both["dev"].outcome is not None
        assert alone.outcome.reasons == both["dev"].outcome.reasons, "whoever is asked about"
        assert any(reason.numbers.get("rest", 0) > 0 for reason in alone.outcome.reasons), alone.outcome.reasons


@virtually
async def test_a_region_or_cloud_that_nobody_has_is_refused_with_what_was_meant() -> None:
    async with playing(API) as stage:
        await normal(stage)
        for said, reason in ((down("azur"), "region_unknown"), (drained("x"), "region_unknown")):
            with pytest.raises(ConfigError) as caught:
                await asked(stage, said)
            assert caught.value.reason == reason
        with pytest.raises(ConfigError) as caught:
            await asked(stage, Supposition(clouds=frozenset({"moon"})))
        assert caught.value.reason == "cloud_unknown"


# -- without a daemon --------------------------------------------------------------------------------------------------


@virtually
async def test_without_a_daemon_it_is_probed_from_here_and_supposed_on_that() -> None:
    api = policy(health=QUICK)
    desk = Desk(api)
    await desk.settled()
    at = desk.session()
    (found,) = await plans_if(at, down("azure"), [api], frozenset())
    assert (after(found), found.change) == ({"oci": 100.0}, None)
    (as_it_is,) = await desk.plan()
    assert as_it_is.outcome is not None
    assert as_it_is.outcome.kind is OutcomeKind.IN_SYNC


@virtually
async def test_without_a_daemon_neighbours_that_lose_the_same_are_looked_at_as_well() -> None:
    able = tuple(replace(spec, capacity=100.0) for spec in regions(azure=(100, AZURE), oci=(0, OCI)))
    prod = policy("prod", regions=able, demand=90.0, tier=0, health=QUICK)
    dev = policy("dev", regions=able, demand=10.0, tier=2, health=QUICK)
    desk = Desk(prod, dev)
    await desk.settled()
    (found,) = await plans_if(desk.session(), down("azure"), [dev], frozenset())
    assert (found.target.policy, after(found)) == ("dev", {"oci": 100.0})


# -- what could be mistaken --------------------------------------------------------------------------------------------


@virtually
async def test_when_every_region_is_supposed_to_be_down_the_answer_is_never_empty() -> None:
    async with playing(API) as stage:
        await normal(stage)
        found = (await asked(stage, down("azure", "oci")))["api"]
        assert found.outcome is not None
        assert found.outcome.kind is not OutcomeKind.WRITE
        assert found.following is None


@virtually
async def test_a_region_that_is_down_already_is_as_it_is() -> None:
    async with playing(API) as stage:
        await normal(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        real = stage.engine.board.regions("api", RecordType.A)["azure"]
        found = (await asked(stage, down("azure")))["api"]
        assert found.outcome is not None
        assert found.outcome.state.regions(RecordType.A)["azure"] == real


def test_policies_that_are_counted_one_by_one_get_what_they_get_together() -> None:
    able = tuple(replace(spec, capacity=100.0) for spec in regions(azure=(70, AZURE), oci=(30, OCI)))
    three = [policy(f"p{number}", regions=able, demand=60.0, tier=number) for number in range(3)]
    healths = {
        spec.name: RegionHealth(spec.name, RegionState.HEALTHY, WHOLE, 0.0, 0.0, (spec.endpoints[0].address,))
        for spec in able
    }
    verdicts = {RecordType.A: healths | {"azure": healths["azure"].lost(100.0)}}

    def granted(*, one_by_one: bool) -> list[object]:
        shared = Shared(lambda each: PolicyState(each.name, verdicts=verdicts), lambda _: None)
        for each in three:
            shared.put(each)
            if one_by_one:
                shared.count(each.name, 100.0)
        return [shared.grants(each, PolicyState(each.name, verdicts=verdicts), 100.0) for each in three]

    assert granted(one_by_one=True) == granted(one_by_one=False)
