"""Three members as the overlay describes them, from its pod template: who leads, and what befalls them.

Those of the strict API server are here for every run; what takes minutes is asked of a real one.
"""

import asyncio
import os
from pathlib import Path

import pytest
from support.kube_apiserver import VARIABLE
from support.kube_cluster import OfKubernetes, of_kubernetes, used
from support.three_pods import AGREE_IN, HANDOVER, LEASE, PODS, TAKEOVER, ThreePods, allowed, of_tests, three_pods

pytestmark = pytest.mark.server


async def begun(world: ThreePods) -> str:
    """All of them run, and one has published both regions; its name."""
    await world.start_all()
    first = await world.led()
    await world.answer(within=30.0)
    await world.all_vote(first)
    return first


def others(*names: str) -> list[str]:
    return [each for each in PODS if each not in names]


async def test_three_pods_of_the_overlay_lead_fail_over_and_hand_over(tmp_path: Path) -> None:
    async with three_pods(tmp_path, of_tests) as world:
        first = await begun(world)

        world.regions["oci-ashburn"].stop()
        await world.answer("azure-eastus")

        _, epoch = world.leader()
        world.cluster.delete_lease()
        world.bring(first)  # a new token, and the old one is refused
        assert await world.led() == first
        assert world.leader() == (first, epoch)

        world.end(first)
        await world.led(*others(first), after=epoch, within=HANDOVER)
        await world.regions["oci-ashburn"].start()
        await world.answer()


@pytest.mark.kubernetes_api
@pytest.mark.skipif(VARIABLE not in os.environ, reason="`make test-kubernetes` has a kube-apiserver built")
async def test_three_pods_at_a_real_api_server_bear_a_bad_day_and_ask_for_what_their_role_allows(
    tmp_path: Path,
) -> None:
    async with three_pods(tmp_path, of_kubernetes) as world:
        cluster = world.cluster
        assert isinstance(cluster, OfKubernetes)
        first = await begun(world)

        world.regions["oci-ashburn"].stop()
        await world.answer("azure-eastus")

        second = await killed(world, first)
        await world.regions["oci-ashburn"].start()
        await world.answer()

        await deleted_lease(world, second)
        await rotated_tokens(world, cluster)
        last = await rolled_out(world)
        await frozen_api_server(world, last)

        asked = cluster.audited()
        assert [each for each in asked if each.status == 403] == []
        assert {each.namespace for each in asked} == {AGREE_IN}
        rules = allowed(world.manifests)
        assert used(asked, rules) == rules, "the Role allows more than is asked for"


async def killed(world: ThreePods, first: str) -> str:
    """Who follows the leader when it is killed; it is started again."""
    _, epoch = world.leader()
    await world.kill(first)
    second = await world.led(*others(first), after=epoch, within=TAKEOVER)
    await world.restart(first)
    await world.all_vote(second)
    return second


async def deleted_lease(world: ThreePods, leads: str) -> None:
    """By hand: its holder makes it anew as it was."""
    before = world.leader()
    world.cluster.delete_lease()
    assert await world.led(within=LEASE) == leads
    assert world.leader() == before


async def rotated_tokens(world: ThreePods, cluster: OfKubernetes) -> None:
    """New ones for all, from which on the old ones are refused, for the pods that they were for are others."""
    before = world.leader()
    for name in PODS:
        cluster.forget_pod(name)
        world.replicas[name].uid = cluster.admit(world.made(name)).uid
        world.bring(name)
    await world.all_vote(before[0])
    assert world.leader() == before
    uids = {each.uid for each in world.replicas.values()}
    async with asyncio.timeout(LEASE):
        while not uids <= {each.pod_uid for each in cluster.audited() if each.status == 200}:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.1)  # the log is read again


async def rolled_out(world: ThreePods) -> str:
    """An update replaces one after the other, the highest number first; who leads in the end."""
    for name in reversed(PODS):
        leads, epoch = world.leader()
        world.end(name)
        if name == leads:
            await world.led(*others(name), after=epoch, within=HANDOVER)
        await world.replace(name)
        await world.all_vote(name)
    last, _ = world.leader()
    return last


async def frozen_api_server(world: ThreePods, leads: str) -> None:
    """For longer than the lease: nothing moves, and when it is back it goes on without a restart."""
    ran = [replica.running.process.pid for replica in world.replicas.values()]
    _, epoch = world.leader()
    with world.cluster.frozen():
        await world.replicas[leads].running.event("leader.lost", uncoordinated=True)
        world.regions["azure-eastus"].stop()
        await world.watch.stays(LEASE + 2.0, "nobody may lead")
    await world.led(after=epoch - 1)
    await world.answer("oci-ashburn")
    assert [replica.running.process.pid for replica in world.replicas.values()] == ran
