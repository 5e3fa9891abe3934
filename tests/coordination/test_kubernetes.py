"""What is of Kubernetes alone: its Lease, its versions and sessions, and what its API answers on a bad day.

What all engines have in common is in the contract. Most of it is shown to a real kube-apiserver as well, where there is
one: `make test-kubernetes`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.engines import KUBE_APISERVER, KUBERNETES, LEASE, OWNER, InKubernetes
from support.kube_api import KubeApi, Rule
from support.kube_apiserver import real

from failoverd.assembly import coordinator_of
from failoverd.config.loader import load_config
from failoverd.coordination.kubernetes import api_server, kubernetes_coordinator
from failoverd.coordination.kubernetes.api_server import ApiRefusal
from failoverd.coordination.kubernetes.kubernetes_coordinator import KubernetesCoordinator
from failoverd.coordination.kubernetes.service_account import ServiceAccount
from failoverd.core.errors import Compacted, ConfigError, CoordinationError
from failoverd.installed import kinds
from failoverd.ports import Leadership, SharedValue

NAME = f"failoverd-{OWNER}"
SOON = 10.0


@dataclass
class HandClock:
    """A steady clock that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """A cluster, and the time that its members know of."""

    cluster: InKubernetes
    clock: HandClock

    def member(self, name: str, **said: Any) -> KubernetesCoordinator:  # noqa: ANN401 - as the cluster takes it
        return self.cluster.member(name, **said)

    @property
    def strict(self) -> KubeApi:
        """The one that can be told what to do in the middle of a request."""
        if not isinstance(self.cluster.api, KubeApi):
            pytest.skip("a real API server cannot be told when to do that")
        return self.cluster.api

    @property
    def lease(self) -> dict[str, Any]:
        found = self.cluster.api.found("leases", NAME)
        assert found is not None
        spec: dict[str, Any] = found["spec"]
        return spec

    def edit_lease(self, **fields: object) -> None:
        self.cluster.api.edit("leases", NAME, lambda lease: lease["spec"].update(fields))

    def delete_lease(self) -> None:
        self.cluster.api.delete("leases", NAME)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


@pytest.fixture(params=[pytest.param(KUBERNETES, id="strict"), *real(KUBE_APISERVER)])
async def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(kubernetes_coordinator, "TENDED", SOON / LEASE)  # so a test sees what comes of it
    async with request.param.started() as cluster:
        cluster.clock = HandClock()
        yield Scene(cluster, cluster.clock)


async def first_change(member: KubernetesCoordinator, below_key: str, after: int) -> tuple[str, SharedValue]:
    async with asyncio.timeout(SOON), aclosing(member.changes(below_key, after)) as changes:  # type: ignore[type-var]
        return await anext(changes)


# -- the Lease ---------------------------------------------------------------------------------------------------------


async def test_the_lease_says_who_leads_and_since_when_as_kubectl_shows_it(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    first = scene.lease
    assert first["holderIdentity"].startswith("azure_")
    assert (first["leaseDurationSeconds"], first["leaseTransitions"]) == (2, 0)
    assert first["acquireTime"] == first["renewTime"] == "2027-01-15T08:00:00.000000Z"
    scene.pass_time(1.5)
    await azure.campaign()
    assert scene.lease == {**first, "renewTime": "2027-01-15T08:00:01.500000Z"}
    await azure.resign()
    assert (scene.lease["holderIdentity"], scene.lease["leaseDurationSeconds"]) == ("", 1)
    assert await oci.campaign() == Leadership("oci", 2, mine=True)


@pytest.mark.parametrize("said", ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"])
async def test_what_time_the_holder_wrote_is_compared_with_nothing(scene: Scene, said: str) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    scene.edit_lease(renewTime=said)
    assert not (await oci.campaign()).mine
    scene.pass_time(LEASE - 0.01)
    assert not (await oci.campaign()).mine
    scene.pass_time(0.01)
    assert (await oci.campaign()).mine


async def test_a_lease_is_free_once_it_did_not_change_for_as_long_as_it_says(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    scene.edit_lease(leaseDurationSeconds=60)
    await oci.campaign()
    scene.pass_time(59.0)
    assert not (await oci.campaign()).mine
    scene.pass_time(1.0)
    assert await oci.campaign() == Leadership("oci", 2, mine=True)


async def test_each_renewal_that_is_seen_starts_the_wait_anew(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    for _ in range(5):
        assert (await azure.campaign()).mine
        assert not (await oci.campaign()).mine
        scene.pass_time(LEASE - 0.1)
    assert not (await oci.campaign()).mine
    scene.pass_time(0.1)
    assert (await oci.campaign()).mine


async def test_a_candidate_that_slept_waits_for_the_whole_time_again(scene: Scene) -> None:
    """What it saw before it slept is old, and the holder may have renewed since."""
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    await oci.campaign()
    scene.pass_time(3 * LEASE)
    await azure.campaign()
    assert not (await oci.campaign()).mine


async def test_a_deleted_lease_is_made_anew_by_who_held_it_with_the_same_epoch(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await oci.campaign()
    await oci.resign()
    led = await azure.campaign()
    assert led.epoch == 2
    scene.delete_lease()
    assert await azure.campaign() == led
    assert scene.lease["leaseTransitions"] == 1


async def test_a_deleted_lease_is_no_free_one_for_who_knows_that_it_was_held(scene: Scene) -> None:
    """Its holder has not heard of it, and writes until its own time is over."""
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    assert not (await oci.campaign()).mine
    scene.delete_lease()
    assert await oci.campaign() == Leadership("", 0, mine=False)
    scene.pass_time(LEASE - 0.01)
    assert not (await oci.campaign()).mine
    scene.pass_time(0.01)
    assert await oci.campaign() == Leadership("oci", 2, mine=True)
    assert await azure.campaign() == Leadership("oci", 2, mine=False)


async def test_a_deleted_lease_begins_with_the_first_epoch_where_nobody_remembers_it(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.campaign()
    await azure.resign()
    assert (await azure.campaign()).epoch == 2
    scene.delete_lease()
    assert await oci.campaign() == Leadership("oci", 1, mine=True)
    assert await azure.campaign() == Leadership("oci", 1, mine=False)


async def test_what_others_wrote_beside_the_lease_stays(scene: Scene) -> None:
    azure = scene.member("azure")
    await azure.campaign()
    scene.cluster.api.edit("leases", NAME, lambda lease: lease["metadata"].update(annotations={"team": "dns"}))
    scene.pass_time(1.0)
    assert (await azure.campaign()).mine
    found = scene.cluster.api.found("leases", NAME)
    assert found is not None
    assert found["metadata"]["annotations"] == {"team": "dns"}


async def test_a_lease_that_somebody_else_uses_is_left_to_them(scene: Scene) -> None:
    azure = scene.member("azure")
    await azure.campaign()
    await azure.resign()
    scene.edit_lease(holderIdentity="another-controller", leaseDurationSeconds=15)
    assert await azure.campaign() == Leadership("another-controller", 1, mine=False)


async def test_a_lease_into_which_somebody_wrote_the_largest_number_is_led_all_the_same(scene: Scene) -> None:
    """The next one fits into no Lease: nobody led until a person had found that out."""
    azure = scene.member("azure")
    await azure.campaign()
    await azure.resign()
    scene.edit_lease(leaseTransitions=2**31 - 1)
    assert await azure.campaign() == Leadership("azure", 1, mine=True)


# -- 409 ---------------------------------------------------------------------------------------------------------------


async def test_of_two_that_take_a_lease_in_one_moment_the_second_hears_of_the_first(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    await azure.campaign()
    await azure.resign()
    api.before("update", lambda: scene.edit_lease(holderIdentity="oci_1", leaseDurationSeconds=2, leaseTransitions=1))
    assert await azure.campaign() == Leadership("oci", 2, mine=False)


async def test_who_loses_the_race_to_make_the_lease_hears_who_won_it(scene: Scene) -> None:
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.strict
    await oci.campaign()
    spec = scene.lease
    scene.delete_lease()
    body = {"metadata": {"name": NAME}, "spec": spec}
    api.before("create", lambda: api.create("leases", body))
    assert await azure.campaign() == Leadership("oci", 1, mine=False)


async def test_a_renewal_that_met_another_write_is_tried_again(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    led = await azure.campaign()
    scene.pass_time(1.0)
    api.before("update", lambda: api.edit("leases", NAME, lambda lease: lease["metadata"].update(labels={"a": "b"})))
    assert await azure.campaign() == led
    assert [each.status for each in api.asked if each.verb == "update"] == [409, 200]


async def test_a_lease_that_is_taken_away_between_reading_and_renewing_is_made_anew(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    led = await azure.campaign()
    scene.pass_time(1.0)
    api.before("update", scene.delete_lease)
    assert await azure.campaign() == led


async def test_between_its_look_at_the_lease_and_its_write_a_leader_may_be_followed(scene: Scene) -> None:
    """Kubernetes has no transaction over two objects: then the new one, which read what stood before, is refused."""
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.strict
    led = await azure.campaign()
    made = await azure.replace("states/web", b"1", after=0, epoch=led.epoch)
    assert made is not None
    api.before("update", lambda: scene.edit_lease(holderIdentity=oci.election.identity, leaseTransitions=1))
    late = await azure.replace("states/web", b"late", after=made, epoch=led.epoch)
    assert late is not None
    assert (await oci.campaign()).epoch == 2
    assert await oci.replace("states/web", b"2", after=made, epoch=2) is None
    assert await oci.replace("states/web", b"2", after=late, epoch=2) is not None
    assert await azure.replace("states/web", b"later", after=late, epoch=led.epoch) is None


# -- 410 ---------------------------------------------------------------------------------------------------------------


async def test_a_list_whose_moment_is_forgotten_before_its_last_page_is_begun_anew(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    azure.server.page = 2
    for number in range(5):
        await azure.replace(f"words/{number}", b"said", after=0)

    def forget_the_first_pages() -> None:
        api.before("list", api.compact)

    api.before("list", forget_the_first_pages)
    found, known = await azure.entries("words/")
    assert len(found) == 5
    assert known == api.revision
    assert 410 in [each.status for each in api.asked]


async def test_what_fits_into_no_answer_is_listed_in_pieces(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ConfigMap may be of 1 MiB, and 200 of them were asked for: nobody knew the common memory, and nobody led."""
    azure = scene.member("azure", patience=SOON)
    monkeypatch.setattr(api_server, "MOST_BYTES", 5_000_000)
    for number in range(7):
        assert await azure.replace(f"words/{number}", b"x" * 1_000_000, after=0)
    found, _ = await azure.entries("words/")
    assert [len(each.value or b"") for each in found.values()] == [1_000_000] * 7
    monkeypatch.setattr(api_server, "MOST_BYTES", 1_000_000)
    with pytest.raises(CoordinationError) as told:
        await azure.entries("words/")
    assert told.value.reason == "too_large"


async def test_what_a_stranger_fills_the_namespace_with_is_not_all_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure = scene.member("azure", patience=SOON)
    azure.server.page = 1
    monkeypatch.setattr(api_server, "MOST_LISTED_BYTES", 3_000_000)
    for number in range(4):
        assert await azure.replace(f"words/{number}", b"x" * 1_000_000, after=0)
    with pytest.raises(CoordinationError) as told:
        await azure.entries("words/")
    assert told.value.reason == "too_many"
    assert "3,000,000 bytes" in str(told.value)


async def test_a_list_of_many_pages_is_of_one_moment(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    azure.server.page = 2
    for number in range(3):
        await azure.replace(f"words/{number}", b"said", after=0)
    before = api.revision

    def say_more_between_the_pages() -> None:
        api.before("list", lambda: api.delete("configmaps", azure.installation.value_name("words/0")))

    api.before("list", say_more_between_the_pages)
    found, known = await azure.entries("words/")
    assert (len(found), known) == (3, before)
    assert await first_change(azure, "words/", known) == ("words/0", SharedValue(None, before + 1))


async def test_a_watch_is_told_how_far_it_has_come_and_survives_what_is_forgotten_meanwhile(scene: Scene) -> None:
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.strict
    api.longest_watch, api.window = 0.4, 0.2
    _, known = await azure.entries("words/")
    hearing = asyncio.create_task(first_change(azure, "words/", known))
    async with asyncio.timeout(SOON):
        while sum(each.verb == "watch" for each in api.asked) < 3:  # two ended by themselves
            await oci.replace(f"states/{api.revision}", b"1", after=0)
            await asyncio.sleep(0.05)
            if api.asked[-1].verb == "watch":
                api.compact()
    made = await oci.replace("words/1", b"said", after=0)
    assert made is not None
    assert await hearing == ("words/1", SharedValue(b"said", made))


async def test_a_watch_from_before_what_is_known_is_told_so(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.cluster.api
    _, known = await azure.entries("words/")
    await azure.replace("words/1", b"said", after=0)
    api.compact()
    with pytest.raises(Compacted) as told:
        await first_change(azure, "words/", known)
    assert told.value.reason == "http_410"


# -- 403, and 401 ------------------------------------------------------------------------------------------------------

Action = Callable[[KubernetesCoordinator], Awaitable[object]]


async def listen(member: KubernetesCoordinator) -> None:
    _, known = await member.entries("words/")
    await first_change(member, "words/", known)


FORBIDDEN: list[tuple[str, str, Action]] = [
    ("get", "leases", lambda member: member.campaign()),
    ("create", "leases", lambda member: member.campaign()),
    ("list", "configmaps", lambda member: member.entries("words/")),
    ("watch", "configmaps", listen),
    ("create", "configmaps", lambda member: member.replace("words/1", b"1", after=0)),
    ("update", "configmaps", lambda member: member.publish({"votes/azure": b"1"})),
]


@pytest.mark.parametrize(("verb", "resource", "action"), FORBIDDEN, ids=[f"{each[0]} {each[1]}" for each in FORBIDDEN])
async def test_what_the_role_forbids_is_named(scene: Scene, verb: str, resource: str, action: Action) -> None:
    scene.cluster.api.forbid(verb, resource)
    with pytest.raises(CoordinationError) as told:
        await action(scene.member("azure"))
    assert told.value.reason == "http_403"
    assert f"let the pod's service account {verb} {resource} in the namespace failoverd" in told.value.remedy


async def test_who_may_not_delete_leads_and_is_heard_all_the_same(scene: Scene) -> None:
    """It was silent as soon as there was the session of somebody else to be ended: no heartbeat came through."""
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.publish({"votes/azure": b"well"})
    scene.cluster.api.forbid("delete", "configmaps")
    await oci.campaign()
    scene.pass_time(LEASE)
    assert (await oci.campaign()).mine
    await oci.publish({"votes/oci": b"well"})
    assert "votes/oci" in (await azure.entries("votes/"))[0]
    with pytest.raises(ApiRefusal, match="delete configmaps"):
        await oci.resign()
    assert (await scene.member("aws").campaign()).mine  # the Lease was given up first


async def test_a_token_that_is_renewed_is_used_from_the_next_request_on(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    led = await azure.campaign()
    api.rotate()
    assert await azure.campaign() == led
    assert {each.status for each in api.asked} == {200, 201, 404}  # not one 401


async def test_a_token_that_is_renewed_while_it_is_on_its_way_costs_nothing(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    led = await azure.campaign()
    scene.pass_time(1.0)
    api.before("update", lambda: scene.edit_lease(renewTime="2027-01-15T09:00:00.000000Z"))
    api.before("get", api.rotate)
    assert await azure.campaign() == led
    assert 401 in [each.status for each in api.asked]


async def test_a_token_that_is_refused_is_told_until_the_kubelet_brings_another(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.cluster.api
    api.revoke_tokens()
    with pytest.raises(CoordinationError) as told:
        await azure.campaign()
    assert told.value.reason == "http_401"
    assert str(api.folder) in told.value.remedy
    api.rotate()
    assert (await azure.campaign()).mine


async def test_a_token_is_repeated_by_no_error(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    api.rules, api.repeats = frozenset[Rule](), True
    with pytest.raises(CoordinationError) as told:
        await azure.campaign()
    token = (api.folder / "token").read_text()
    assert token not in str(told.value)
    assert token[-12:] not in str(told.value)


# -- 429 ---------------------------------------------------------------------------------------------------------------


async def test_while_it_wants_to_be_left_alone_nobody_asks_anything(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    await azure.campaign()
    api.throttle(1, retry_after=30)
    asked = len(api.asked)
    for action in (azure.campaign(), azure.publish({"votes/azure": b"1"}), azure.entries(""), azure.campaign()):
        with pytest.raises(CoordinationError) as told:
            await action
        assert told.value.reason == "http_429"
    assert [each.status for each in api.asked[asked:]] == [429]


async def test_a_wait_of_minutes_is_obeyed_for_one_and_it_goes_on_by_itself(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure, api = scene.member("azure"), scene.strict
    led = await azure.campaign()
    passed = [0.0]
    monkeypatch.setattr(api_server, "_now", lambda: asyncio.get_running_loop().time() + passed[0])
    api.throttle(2, retry_after=600)
    for seconds, asked in ((0.0, 1), (30.0, 0), (29.0, 0), (2.0, 1), (58.0, 0)):
        passed[0] += seconds
        before = len(api.asked)
        with pytest.raises(CoordinationError) as told:
            await azure.campaign()
        assert (told.value.reason, len(api.asked) - before) == ("http_429", asked)
    passed[0] += 3.0
    assert await azure.campaign() == led


async def test_who_may_read_and_not_write_is_never_told_that_it_leads(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    led = await azure.campaign()
    scene.cluster.api.forbid("update", "leases")
    scene.pass_time(1.0)
    for _ in range(2):
        with pytest.raises(CoordinationError) as told:
            await azure.campaign()
        assert told.value.reason == "http_403"
    assert await oci.campaign() == Leadership("azure", led.epoch, mine=False)
    scene.pass_time(LEASE)
    with pytest.raises(CoordinationError) as told:
        await oci.campaign()
    assert "update leases" in told.value.remedy


async def test_a_short_wait_is_waited_for(scene: Scene) -> None:
    azure, api = scene.member("azure", patience=4.0), scene.strict
    api.throttle(1, retry_after=1)
    assert (await azure.campaign()).mine
    assert [each.status for each in api.asked][:2] == [429, 404]


async def test_who_is_left_alone_twice_waits_no_longer(scene: Scene) -> None:
    azure, api = scene.member("azure", patience=4.0), scene.strict
    api.throttle(5, retry_after=None)
    with pytest.raises(CoordinationError) as told:
        await azure.campaign()
    assert told.value.reason == "http_429"
    assert len(api.asked) == 2


# -- when it does not answer -------------------------------------------------------------------------------------------


async def test_what_was_asked_of_a_frozen_server_may_be_done_when_it_thaws(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    made = await azure.replace("states/web", b"1", after=0)
    assert made is not None
    with api.frozen(), pytest.raises(CoordinationError) as told:
        await azure.replace("states/web", b"2", after=made)
    assert told.value.reason == "timeout"
    async with asyncio.timeout(SOON):
        while (await azure.entries("states/"))[0]["states/web"].value != b"2":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    assert await azure.replace("states/web", b"3", after=made) is None


async def test_a_renewal_that_was_held_up_renews_nothing_that_somebody_else_has(scene: Scene) -> None:
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.strict
    await azure.campaign()
    await oci.campaign()
    scene.pass_time(LEASE)
    api.before("update", lambda: scene.edit_lease(holderIdentity=oci.election.identity, leaseTransitions=1))
    assert await azure.campaign() == Leadership("oci", 2, mine=False)
    assert (await oci.campaign()).mine


async def test_an_answer_that_is_lost_leaves_nobody_with_two_epochs(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    api.lose_answer("create")
    with pytest.raises(CoordinationError):
        await azure.campaign()
    assert await azure.campaign() == Leadership("azure", 1, mine=True)


async def test_a_value_whose_answer_is_lost_is_there_once(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    api.lose_answer("create")
    with pytest.raises(CoordinationError):
        await azure.replace("words/1", b"said", after=0)
    assert await azure.replace("words/1", b"said", after=0) is None
    assert (await azure.entries("words/"))[0]["words/1"].value == b"said"


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"[]", b"{", b'{"metadata": 1}', b"[" * 100_000])
async def test_what_is_no_answer_of_kubernetes_is_told(scene: Scene, garbage: bytes) -> None:
    azure = scene.member("azure")
    scene.strict.garbage = garbage
    for action in (azure.campaign(), azure.entries(""), azure.replace("words/1", b"", after=0), listen(azure)):
        with pytest.raises(CoordinationError) as told:
            await action
        assert told.value.reason == "not_kubernetes"


@pytest.mark.parametrize(
    "garbage",
    [
        b'{"spec": {"leaseDurationSeconds": 1e999}, "metadata": {"resourceVersion": 1e999}, "items": []}\n',
        b'{"spec": {"leaseDurationSeconds": "soon", "holderIdentity": []}}',
        b'{"spec": [1], "items": [{}], "type": "ADDED", "object": {}}\n',
        b'{"spec": 1, "items": [1], "type": "ADDED", "object": {"metadata": {"resourceVersion": "x"}}}\n',
        b'{"spec": {"leaseTransitions": {"a": 1}}, "items": {"a": 1}, "object": {"metadata": {"labels": [1]}}}\n',
    ],
)
async def test_an_object_without_what_every_object_has_is_told(scene: Scene, garbage: bytes) -> None:
    azure = scene.member("azure")
    scene.strict.garbage = garbage
    for action in (azure.campaign(), azure.entries(""), azure.replace("words/1", b"", after=0), listen(azure)):
        with pytest.raises(CoordinationError) as told:
            await action
        assert told.value.reason == "not_kubernetes"


@pytest.mark.parametrize("following", ['"and so on"', '{"a": 1}', "[1e999]"])
async def test_a_list_that_goes_on_without_end_is_told(scene: Scene, following: str) -> None:
    azure = scene.member("azure")
    scene.strict.garbage = f'{{"metadata": {{"resourceVersion": "1", "continue": {following}}}, "items": []}}'.encode()
    async with asyncio.timeout(SOON):
        with pytest.raises(CoordinationError) as told:
            await azure.entries("")
    assert told.value.reason == "not_kubernetes"


@pytest.mark.parametrize("broken", [{"labels": [1]}, {"annotations": 1}, {"resourceVersion": "x"}, {"name": None}])
async def test_a_value_without_what_every_value_has_is_told(scene: Scene, broken: dict[str, object]) -> None:
    azure = scene.member("azure")
    found = azure.installation.value("words/1", b"said", "azure", after=1)
    for each in ({**found, "metadata": {**found["metadata"], **broken}}, {**found, "binaryData": {"value": "x"}}):
        page = {"metadata": {"resourceVersion": "1"}, "items": [each]}
        told_of = {"type": "ADDED", "object": each, **page}
        scene.strict.garbage = json.dumps(told_of).encode() + b"\n"
        for action in (azure.entries(""), first_change(azure, "words/", 1)):
            with pytest.raises(CoordinationError) as told:
                await action
            assert told.value.reason == "not_kubernetes"


async def test_a_server_that_somebody_else_signed_for_is_sent_no_token(scene: Scene) -> None:
    api = scene.strict
    (api.folder / "ca.crt").write_bytes(trustme.CA().cert_pem.bytes())
    with pytest.raises(CoordinationError) as told:
        await scene.member("azure").campaign()
    assert told.value.reason == "certificate"
    assert api.asked == []


@pytest.mark.parametrize(("file", "reason"), [("token", "secret_unreadable"), ("ca.crt", "ca_unreadable")])
async def test_a_file_that_is_not_there_is_told(scene: Scene, file: str, reason: str) -> None:
    (scene.cluster.api.folder / file).unlink()
    with pytest.raises(CoordinationError) as told:
        await scene.member("azure").campaign()
    assert told.value.reason == reason


async def test_a_namespace_that_is_not_there_is_told(scene: Scene) -> None:
    azure = scene.member("azure")
    scene.strict.namespaces.clear()
    for action in (azure.campaign(), azure.replace("words/1", b"", after=0), azure.publish({"votes/azure": b""})):
        with pytest.raises(CoordinationError) as told:
            await action
        assert told.value.reason == "http_404"
        assert "make the namespace failoverd" in told.value.remedy


async def test_a_value_that_fits_into_no_configmap_is_told(scene: Scene) -> None:
    azure = scene.member("azure")
    with pytest.raises(CoordinationError) as told:
        await azure.replace("states/web", b"x" * 1_100_000, after=0)
    assert told.value.reason == "http_422"
    assert "1 MiB" in told.value.remedy


# -- a slow one --------------------------------------------------------------------------------------------------------


async def test_who_renews_the_lease_asks_once_and_waits_for_nothing_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At two seconds a call, it read the Lease, wrote it and asked for sessions: until nobody believed that it led."""
    azure, api = scene.member("azure"), scene.strict
    await azure.publish({"votes/azure": b"well"})
    led = await azure.campaign()
    scene.pass_time(1.0)
    asked = len(api.asked)
    monkeypatch.setattr(kubernetes_coordinator, "TENDED", 0.01)
    with api.slow("configmaps"):
        async with asyncio.timeout(SOON):
            assert await azure.campaign() == led
            assert await azure.campaign() == led
        assert [(each.verb, each.status) for each in api.asked[asked:]] == [("update", 200)] * 2
        assert api.waiting == 1, "the second look after its session waits for the first"


async def test_who_says_something_waits_for_no_session_but_its_own(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    await azure.publish({"votes/azure": b"well"})
    asked = len(api.asked)
    await azure.publish({"votes/azure": b"ill"})
    assert [each.verb for each in api.asked[asked:]] == ["update"]


async def test_ballots_that_are_given_up_half_told_are_told_in_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a thousand at once, each call was given up before it was done, and begun anew; the Lease had no connection."""
    monkeypatch.setattr(kubernetes_coordinator, "TENDED", 0.01)
    azure, api = scene.member("azure", patience=SOON), scene.strict
    led = await azure.campaign()
    parts = [{f"votes/azure/{first + number}": b"well" for number in range(50)} for first in range(0, 200, 50)]
    for _ in range(12):
        calls = [asyncio.create_task(azure.publish(part)) for part in parts]
        with api.slow("configmaps", after=80):
            async with asyncio.timeout(SOON):
                while not api.waiting and not all(call.done() for call in calls):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            assert api.waiting <= 9, "connections are left for the Lease"
            scene.pass_time(LEASE / 4)
            assert await azure.campaign() == led
            for call in calls:
                call.cancel()
            ended = await asyncio.gather(*calls, return_exceptions=True)
            parts = [part for part, error in zip(parts, ended, strict=True) if error is not None]
    assert parts == []
    assert len((await azure.entries("votes/"))[0]) == 200


async def test_what_was_told_is_told_again_to_who_lost_it(scene: Scene) -> None:
    azure = scene.member("azure")
    values = {f"votes/azure/{number}": b"well" for number in range(3)}
    for _ in range(2):
        await azure.publish(values)
        assert (await azure.entries("votes/"))[0].keys() == values.keys()
        for key in values:
            scene.cluster.api.delete("configmaps", azure.installation.value_name(key))


# -- sessions ----------------------------------------------------------------------------------------------------------


async def test_who_wakes_in_the_moment_in_which_its_session_is_ended_keeps_it(scene: Scene) -> None:
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.strict
    await azure.publish({"votes/azure": b"well"})
    await oci.campaign()
    scene.pass_time(LEASE)
    name = azure.installation.session_name(azure.sessions.own)
    api.before("delete", lambda: api.edit("configmaps", name, lambda found: found["metadata"].update(annotations={})))
    await oci.campaign()
    assert [each.status for each in api.asked if each.verb == "delete"] == [409]
    await azure.campaign()
    assert "votes/azure" in (await oci.entries("votes/"))[0]


async def test_who_wakes_after_its_session_was_ended_says_everything_again(scene: Scene) -> None:
    azure, oci = scene.member("azure"), scene.member("oci")
    await azure.publish({"votes/azure": b"well"})
    await oci.campaign()
    scene.pass_time(LEASE)
    await oci.campaign()
    assert (await oci.entries("votes/"))[0] == {}
    await azure.publish({"votes/azure": b"well"})
    scene.pass_time(LEASE / 2)
    await azure.campaign()
    await oci.campaign()
    assert "votes/azure" in (await oci.entries("votes/"))[0]


async def test_what_a_member_left_behind_is_gone_a_lease_after_anybody_looks(scene: Scene) -> None:
    await scene.member("azure").publish({"votes/azure": b"well"})
    oci = scene.member("oci")
    scene.pass_time(1000.0)
    await oci.campaign()
    assert "votes/azure" in (await oci.entries("votes/"))[0]
    scene.pass_time(LEASE)
    await oci.campaign()
    assert (await oci.entries("votes/"))[0] == {}
    assert scene.cluster.api.all("configmaps") == []


async def test_a_value_without_its_session_is_taken_away_by_whoever_starts(scene: Scene) -> None:
    """Who ended that session died in the middle of it."""
    azure, api = scene.member("azure"), scene.cluster.api
    await azure.publish({"votes/azure": b"well"})
    api.delete("configmaps", azure.installation.session_name(azure.sessions.own))
    oci = scene.member("oci")
    await oci.campaign()
    assert (await oci.entries("votes/"))[0] == {}


async def test_a_value_that_came_after_its_session_was_ended_is_found_in_the_end(scene: Scene) -> None:
    """Its member was held up in the middle of saying it."""
    azure, oci, api = scene.member("azure"), scene.member("oci"), scene.cluster.api
    await oci.campaign()
    api.create("configmaps", azure.installation.value("votes/azure", b"late", "azure", session="ended"))
    await oci.campaign()
    assert "votes/azure" in (await oci.entries("votes/"))[0]
    scene.pass_time(10 * LEASE)
    await oci.campaign()
    assert (await oci.entries("votes/"))[0] == {}


async def test_a_session_that_is_taken_away_before_anybody_looked_is_missed_by_its_member(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.cluster.api
    await azure.campaign()
    await azure.publish({"votes/azure": b"well"})
    api.delete("configmaps", azure.installation.session_name(azure.sessions.own))
    scene.pass_time(LEASE / 10)
    await azure.sessions.sweep()
    assert (await azure.entries("votes/"))[0] == {}
    await azure.publish({"votes/azure": b"well"})
    await azure.sessions.sweep()
    assert (await azure.entries("votes/"))[0].keys() == {"votes/azure"}


async def test_a_session_is_renewed_no_oftener_than_is_of_use(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    await azure.publish({"votes/azure": b"well"})
    asked = len(api.asked)
    for number in range(20):
        await azure.publish({f"votes/azure/{number}": b"well"})
    assert len(api.asked) - asked == 40  # each is sought, and made
    scene.pass_time(LEASE / 10)
    await azure.publish({"votes/azure": b"well"})
    assert [each.verb for each in api.asked[-2:]] == ["create", "update"]
    scene.pass_time(LEASE / 2)
    await azure.publish({"votes/azure": b"well"})
    assert [each.verb for each in api.asked[-3:]] == ["update", "update", "update"]


# -- what stands beside it ---------------------------------------------------------------------------------------------


async def test_installations_of_one_namespace_do_not_see_each_other(scene: Scene) -> None:
    api = scene.strict
    api.rules |= {Rule("get", "leases"), Rule("update", "leases")}
    prod, test = scene.member("azure"), scene.member("azure", owner="test")
    for each in (prod, test):
        assert (await each.campaign()).mine
        assert await each.replace("words/1", b"said", after=0)
        await each.publish({"votes/azure": b"well"})
    await prod.resign()
    assert (await prod.entries("votes/"))[0] == {}
    assert (await test.entries("votes/"))[0].keys() == {"votes/azure"}
    assert (await test.campaign()).mine


async def test_a_configmap_that_a_person_copied_is_no_value(scene: Scene) -> None:
    azure, api = scene.member("azure"), scene.strict
    await azure.replace("words/1", b"said", after=0)
    (found,) = api.all("configmaps")
    copied = {**found, "metadata": {**found["metadata"], "name": "copied"}}
    del copied["metadata"]["resourceVersion"]
    api.create("configmaps", copied)
    assert (await azure.entries("words/"))[0].keys() == {"words/1"}


@pytest.mark.parametrize("data", [None, {}, {"other": "eA=="}])
async def test_a_value_that_a_person_emptied_is_empty(scene: Scene, data: dict[str, str] | None) -> None:
    azure, api = scene.member("azure"), scene.cluster.api
    await azure.replace("words/1", b"said", after=0)
    api.edit("configmaps", azure.installation.value_name("words/1"), lambda each: each.update(binaryData=data))
    assert (await azure.entries("words/"))[0]["words/1"].value == b""


# -- who a pod is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [("10.96.0.1", "443", "https://10.96.0.1:443"), ("fd00::1", "6443", "https://[fd00::1]:6443")],
)
def test_a_pod_knows_where_the_api_server_is(host: str, port: str, address: str) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    assert ServiceAccount.of_pod(environment).address == address


async def test_outside_of_a_pod_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(CoordinationError) as told:
        ServiceAccount.of_pod({})
    assert told.value.reason == "not_in_cluster"
    with pytest.raises(CoordinationError) as told:
        await ServiceAccount("https://127.0.0.1", tmp_path).namespace()
    assert told.value.reason == "no_namespace"
    assert "automountServiceAccountToken" in told.value.remedy


MEMBERS = Path(__file__).parents[2] / "kubernetes" / "overlays" / "members" / "failoverd.yaml"


async def test_a_pod_of_the_manifests_is_the_member_that_its_name_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILOVERD_MEMBER", "failoverd-1")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")
    config = load_config(MEMBERS, kinds()).config
    assert config is not None
    async with AsyncExitStack() as stack:
        member = await coordinator_of(config, stack)
        assert isinstance(member, KubernetesCoordinator)
        assert (member.member, member.lease, member.server.namespace) == ("failoverd-1", 20.0, "failoverd-members")
        assert member.server.account == ServiceAccount("https://127.0.0.1:9")


async def test_outside_of_a_pod_the_daemon_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILOVERD_MEMBER", "failoverd-1")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    config = load_config(MEMBERS, kinds()).config
    assert config is not None
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as told:
            await coordinator_of(config, stack)
    assert told.value.reason == "not_in_cluster"
