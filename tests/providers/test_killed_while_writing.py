"""A daemon that is killed in the middle of a write, at each gap between its requests: what the next one makes of it.

The local cloud lets so many writes through and then nothing, so what the dying provider knew is lost with it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from clouds.serving import Endpoint
from support.azure_site import local_azure
from support.contract import VALUES, approved, compare, publish, target, wish
from support.oci_site import local_oci
from support.route53_site import local_route53
from support.servers import ZONE

from failoverd.core.control.plan import InSync, Plan
from failoverd.core.errors import ProviderError
from failoverd.core.records import RecordType, Target
from failoverd.ports import Provider, ProviderKind
from failoverd.providers import azure_dns, azure_traffic_manager, oci_dns, oci_steering, route53

FIRST, SECOND, THIRD = VALUES[RecordType.A]
MOST_WRITES = 4
"""More than any kind needs for one change."""

KINDS = (route53.KIND, azure_dns.KIND, azure_traffic_manager.KIND, oci_dns.KIND, oci_steering.KIND)


@dataclass(frozen=True)
class Place:
    """One record at one cloud. `holds` is all that the cloud keeps for it, whether it is answered or not."""

    at: Target
    endpoint: Endpoint
    open: Callable[[], AbstractAsyncContextManager[Provider]]
    holds: Callable[[], int]


@contextmanager
def _at_azure(kind: ProviderKind, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with local_azure(folder, monkeypatch) as local:
        steered = kind is azure_traffic_manager.KIND
        at = target(local.make_profile("api"), zone=azure_traffic_manager.DOMAIN) if steered else target(f"api.{ZONE}")

        def holds() -> int:
            if steered:
                return sum(member.enabled for member in local.profile(at.key.name).members)
            return sum(1 for name, _ in local.cloud.zone(ZONE).sets if name != "@")

        yield Place(at, local.site.arm, lambda: local.open(kind), holds)


@contextmanager
def _at_oci(kind: ProviderKind, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with local_oci(folder, monkeypatch) as local:

        def holds() -> int:
            if kind is oci_steering.KIND:
                return len(local.cloud.steering.policies)
            return len(local.cloud.records(f"api.{ZONE}"))

        yield Place(target(f"api.{ZONE}"), local.endpoint, lambda: local.open(kind), holds)


@contextmanager
def _at_route53(_: ProviderKind, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with local_route53(folder, monkeypatch) as local:

        def holds() -> int:
            return sum(f"api.{ZONE}" in line and " A " in line for line in local.cloud.lines())

        yield Place(target(f"api.{ZONE}"), local.endpoint, local.open, holds)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    kind: ProviderKind = request.param
    at_cloud = {"azure": _at_azure, "oci": _at_oci, "route53": _at_route53}[kind.name.partition("_")[0]]
    with at_cloud(kind, tmp_path, monkeypatch) as place:
        yield place


async def die(place: Place, value: str, *, after: int, effect: bool) -> None:
    """A daemon that is killed at the write after so many, which takes effect all the same or does not."""
    async with place.open() as dying:
        before = await dying.read(place.at)
        plan = compare(before, wish(dying, place.at, value))
        place.endpoint.die_after(after, effect=effect)
        if isinstance(plan, Plan):
            with suppress(ProviderError):  # it may have been through before
                await dying.apply(approved(plan))
    place.endpoint.relent()


async def settle(place: Place, value: str) -> None:
    """What the next daemon does, round by round, until nothing is to be done."""
    async with place.open() as fresh:
        desired = wish(fresh, place.at, value)
        for _ in range(3):
            found = compare(await fresh.read(place.at), desired)
            if isinstance(found, InSync):
                return
            assert isinstance(found, Plan), found
            await fresh.apply(approved(found))
        assert isinstance(compare(await fresh.read(place.at), desired), InSync)


each_gap = pytest.mark.parametrize(
    ("after", "effect"),
    [
        pytest.param(after, effect, id=f"{after} writes{' and one unheard of' if effect else ''}")
        for after in range(MOST_WRITES)
        for effect in (False, True)
    ],
)


@each_gap
async def test_a_creation_that_was_killed_is_made_good_and_leaves_nothing_behind(
    place: Place, after: int, effect: bool
) -> None:
    await die(place, FIRST, after=after, effect=effect)
    await settle(place, SECOND)
    assert place.holds() == 1


async def test_creations_that_are_killed_again_and_again_leave_nothing_behind(place: Place) -> None:
    for _ in range(3):
        await die(place, FIRST, after=0, effect=True)
    await settle(place, SECOND)
    assert place.holds() == 1


@each_gap
async def test_a_change_that_was_killed_is_made_good_and_leaves_nothing_behind(
    place: Place, after: int, effect: bool
) -> None:
    async with place.open() as provider:
        await publish(provider, place.at, FIRST)
    await die(place, SECOND, after=after, effect=effect)
    await settle(place, THIRD)
    assert place.holds() == 1
