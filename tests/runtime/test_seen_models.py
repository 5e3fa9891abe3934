"""A daemon whose checks see which model each region serves: what is seen decides, and a restart forgets none of it."""

from dataclasses import replace

from support.stage import AZURE, LIVE, OCI, Stage, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied
from failoverd.core.reasons import Cause
from failoverd.core.records import Model, Policy
from failoverd.simulation.virtual_time import elapse

OLD, NEW = Model("llama", "r1"), Model("llama", "r2")


def service(azure: Model, oci: Model) -> Policy:
    """Two regions of which the inventory declares this; the old revision is wanted."""
    found = regions(azure=(70, AZURE), oci=(30, OCI))
    declared = {"azure": (azure,), "oci": (oci,)}
    return policy(regions=tuple(replace(spec, models=declared[spec.name]) for spec in found), model=OLD)


@virtually
async def test_a_region_leaves_moments_after_its_check_has_seen_another_revision_for_sure() -> None:
    api = service(OLD, OLD)
    async with playing(api) as stage:
        stage.world.serves |= {AZURE: OLD, OCI: OLD}
        await until(stage.steers(api, azure=70.0, oci=30.0))
        stage.world.serves[AZURE] = NEW
        await elapse((api.health.fall - 1) * LIVE.every)
        assert stage.shares(api) == {"azure": 70.0, "oci": 30.0}
        await until(stage.steers(api, oci=100.0))
        assert stage.told(ChangeApplied)[-1].cause is Cause.EVICTED
        stage.world.serves[AZURE] = OLD
        await until(stage.steers(api, azure=70.0, oci=30.0))


@virtually
async def test_a_restart_evicts_nobody_who_was_seen_to_serve_what_is_wanted() -> None:
    api = service(azure=NEW, oci=OLD)
    first = Stage()
    first.world.serves |= {AZURE: OLD, OCI: OLD}
    async with playing(api, stage=first):
        await until(first.steers(api, azure=70.0, oci=30.0))
    first.world.slow(AZURE, 1.0)
    second = Stage(zonefile=first.zonefile, journal=first.journal, world=first.world)
    async with playing(api, stage=second):
        await elapse(10 * LIVE.every)
        assert second.told(ChangeApplied) == []
        assert second.shares(api) == {"azure": 70.0, "oci": 30.0}
