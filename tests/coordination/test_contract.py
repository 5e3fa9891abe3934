"""What every engine of `Coordinator` does: the one in memory, which simulations rest on, and the real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from functools import wraps
from typing import Any

import pytest
from support.engines import ETCD, KUBE_APISERVER_AND_ETCD, KUBERNETES, LEASE, MEMORY, Engine, Servers
from support.kube_apiserver import real

from failoverd.core.errors import Compacted, CoordinationError
from failoverd.ports import Coordinator, Leadership, Replacement, SharedValue

ENGINES = [
    pytest.param(MEMORY, id=MEMORY.name),
    pytest.param(ETCD, id=ETCD.name, marks=pytest.mark.server),
    pytest.param(KUBERNETES, id=KUBERNETES.name),
    *real(KUBE_APISERVER_AND_ETCD),
]

SOON = 20.0
"""Seconds, far more than anything here takes."""

Scenario = Callable[[Servers], Coroutine[Any, Any, None]]


def of_each_engine(scenario: Scenario) -> Callable[[Engine], None]:
    """A test of the contract: the scenario on the servers of each engine, which know nothing when it begins."""

    @pytest.mark.parametrize("engine", ENGINES)
    @wraps(scenario)
    def play(engine: Engine) -> None:
        async def played() -> None:
            async with engine.started() as servers:
                await scenario(servers)

        engine.run(played())

    del play.__wrapped__  # pytest asks for its arguments otherwise
    return play


async def leads(member: Coordinator) -> Leadership:
    """What it finds once it leads."""
    async with asyncio.timeout(SOON):
        while True:
            with suppress(CoordinationError):
                if (found := await member.campaign()).mine:
                    return found
            await asyncio.sleep(0.05)


async def stays(member: Coordinator, seconds: float, *, stands: bool = True) -> None:
    """It campaigns as often as it should, for so long."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        await member.campaign(stands=stands)
        await asyncio.sleep(LEASE / 10)


async def heard(changes: AsyncIterator[tuple[str, SharedValue]], number: int) -> list[tuple[str, SharedValue]]:
    """So many changes, as they come."""
    found: list[tuple[str, SharedValue]] = []
    async with asyncio.timeout(SOON), aclosing(changes):  # type: ignore[type-var]
        async for each in changes:
            found.append(each)
            if len(found) == number:
                break
    return found


async def written(member: Coordinator, key: str, *values: str) -> int:
    """The version of the last of these, one after the other."""
    version = 0
    for value in values:
        found = await member.replace(key, value.encode(), after=version)
        assert found is not None
        assert found > version
        version = found
    return version


# -- who leads ---------------------------------------------------------------------------------------------------------


@of_each_engine
async def test_one_leads_and_the_others_know_who(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    assert (first.leader, first.mine) == ("azure", True)
    assert first.epoch > 0
    assert await oci.campaign() == Leadership("azure", first.epoch, mine=False)


@of_each_engine
async def test_who_campaigns_again_stays_with_the_same_epoch(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    await stays(azure, 1.5 * LEASE)
    assert await azure.campaign() == first
    assert not (await oci.campaign()).mine


@of_each_engine
async def test_of_many_that_campaign_at_once_one_leads(servers: Servers) -> None:
    members = [servers.member(name) for name in ("azure", "oci", "aws")]
    found = await asyncio.gather(*(each.campaign() for each in members))
    assert sum(each.mine for each in found) == 1
    assert len({(each.leader, each.epoch) for each in found if each.leader}) == 1


@of_each_engine
async def test_resigning_hands_over_at_once_with_a_higher_epoch(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    await azure.resign()
    second = await oci.campaign()
    assert second.mine
    assert second.epoch > first.epoch
    assert await azure.campaign() == Leadership("oci", second.epoch, mine=False)


@of_each_engine
async def test_who_does_not_lead_may_resign_and_takes_nothing_from_who_does(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    await oci.resign()
    await oci.campaign()
    await oci.resign()
    assert await azure.campaign() == first


@of_each_engine
async def test_who_falls_silent_is_followed_after_the_lease_and_is_fenced_when_it_wakes(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    second = await leads(oci)
    assert second.epoch > first.epoch
    assert await azure.replace("states/web", b"stale", after=0, epoch=first.epoch) is None
    assert await oci.replace("states/web", b"fresh", after=0, epoch=second.epoch)
    assert await azure.campaign() == Leadership("oci", second.epoch, mine=False)


@of_each_engine
async def test_who_was_followed_leads_again_with_an_epoch_of_its_own(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    await azure.resign()
    second = await oci.campaign()
    await oci.resign()
    third = await azure.campaign()
    assert third.mine
    assert first.epoch < second.epoch < third.epoch
    assert await azure.replace("states/web", b"old", after=0, epoch=first.epoch) is None


@of_each_engine
async def test_a_process_that_is_started_again_is_another_one_of_the_same_name(servers: Servers) -> None:
    before, after = servers.member("azure"), servers.member("azure")
    first = await before.campaign()
    assert not (await after.campaign()).mine
    second = await leads(after)
    assert second.leader == "azure"
    assert second.epoch > first.epoch
    assert not (await before.campaign()).mine


@of_each_engine
async def test_a_lease_that_a_person_takes_away_is_led_by_who_asks_first(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    first = await azure.campaign()
    await servers.revoke(azure)
    second = await oci.campaign()
    assert second.mine
    assert second.epoch > first.epoch
    assert await azure.campaign() == Leadership("oci", second.epoch, mine=False)


# -- what all know -----------------------------------------------------------------------------------------------------


@of_each_engine
async def test_a_value_is_replaced_only_where_it_is_the_one_that_was_read(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    made = await written(azure, "states/api", "1")
    assert await oci.replace("states/api", b"2", after=0) is None
    replaced = await oci.replace("states/api", b"2", after=made)
    assert replaced is not None
    assert replaced > made
    assert await azure.replace("states/api", b"3", after=made) is None
    found, known = await azure.entries("states/")
    assert found == {"states/api": SharedValue(b"2", replaced)}
    assert known >= replaced


@of_each_engine
async def test_what_does_not_stand_is_not_replaced_by_who_read_it(servers: Servers) -> None:
    azure = servers.member("azure")
    made = await written(azure, "states/api", "1")
    assert await azure.replace("states/web", b"2", after=made) is None
    assert (await azure.entries("states/web"))[0] == {}


@of_each_engine
async def test_of_two_that_replace_the_same_at_once_one_is_told_that_it_did(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    made = await written(azure, "words/1", "said")
    done = await asyncio.gather(
        azure.replace("words/1", b"azure", after=made), oci.replace("words/1", b"oci", after=made)
    )
    assert sum(each is not None for each in done) == 1
    stands = (await azure.entries("words/"))[0]["words/1"]
    assert stands.version == next(each for each in done if each is not None)


@of_each_engine
async def test_who_leads_replaces_by_its_epoch_and_nobody_does_by_another(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    led = await azure.campaign()
    made = await azure.replace("states/api", b"1", after=0, epoch=led.epoch)
    assert made is not None
    assert await azure.replace("states/api", b"2", after=0, epoch=led.epoch) is None
    assert await oci.replace("states/api", b"2", after=made, epoch=led.epoch + 1) is None
    await azure.resign()
    assert await azure.replace("states/api", b"2", after=made, epoch=led.epoch) is None
    assert (await oci.entries("states/"))[0]["states/api"] == SharedValue(b"1", made)


@of_each_engine
async def test_of_many_that_are_replaced_together_those_are_where_nothing_else_stands_by_now(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    keys = [f"states/p{number:03}" for number in range(150)]
    made = await azure.replace_all({key: Replacement(b"1", 0) for key in keys})
    assert made.keys() == set(keys)
    other = await oci.replace(keys[7], b"2", after=made[keys[7]])
    assert other is not None
    gone, never = Replacement(b"3", 10**6), Replacement(b"3", 0)
    wanted = {key: Replacement(b"3", made[key]) for key in keys} | {"states/gone": gone, "states/new": never}
    done = await azure.replace_all(wanted)
    assert done.keys() == {*keys, "states/new"} - {keys[7]}
    assert all(version > other for version in done.values())
    found, known = await oci.entries("states/")
    assert found == {key: SharedValue(b"3", done[key]) for key in done} | {keys[7]: SharedValue(b"2", other)}
    assert known >= max(done.values())


@of_each_engine
async def test_many_are_replaced_by_who_leads_and_none_of_them_by_another(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    led = await azure.campaign()
    values = {f"states/p{number}": Replacement(b"1", 0) for number in range(20)}
    assert await oci.replace_all(values, epoch=led.epoch + 1) == {}
    assert (await azure.replace_all(values, epoch=led.epoch)).keys() == values.keys()
    await azure.resign()
    assert await azure.replace_all({"states/new": Replacement(b"1", 0)}, epoch=led.epoch) == {}
    assert (await oci.entries("states/"))[0].keys() == values.keys()


@of_each_engine
async def test_a_value_is_taken_away_only_where_it_is_the_one_that_was_read(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    made = await written(azure, "words/1", "said", "said again")
    assert not await oci.remove("words/1", after=made - 1)
    _, known = await oci.entries("words/")
    assert await oci.remove("words/1", after=made)
    ((key, entry),) = await heard(azure.changes("words/", known), 1)
    assert (key, entry.value) == ("words/1", None)
    assert entry.version > known
    assert (await azure.entries("words/"))[0] == {}
    assert not await azure.remove("words/1", after=made)
    assert await azure.replace("words/1", b"late", after=made) is None
    anew = await azure.replace("words/1", b"anew", after=0)
    assert anew is not None
    assert not await oci.remove("words/1", after=made)
    assert (await azure.entries("words/"))[0] == {"words/1": SharedValue(b"anew", anew)}


@of_each_engine
async def test_who_leads_takes_away_by_its_epoch_and_nobody_does_by_another(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    led = await azure.campaign()
    made = await azure.replace("states/api", b"1", after=0, epoch=led.epoch)
    assert made is not None
    assert not await oci.remove("states/api", after=made, epoch=led.epoch + 1)
    await azure.resign()
    assert not await azure.remove("states/api", after=made, epoch=led.epoch)
    assert (await oci.entries("states/"))[0] == {"states/api": SharedValue(b"1", made)}
    led = await oci.campaign()
    assert await oci.remove("states/api", after=made, epoch=led.epoch)
    assert (await oci.entries("states/"))[0] == {}


@of_each_engine
async def test_what_was_replaced_stays_when_who_did_it_goes(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    led = await azure.campaign()
    made = await azure.replace("states/api", b"1", after=0, epoch=led.epoch)
    await azure.resign()
    assert made is not None
    assert (await oci.entries("states/"))[0] == {"states/api": SharedValue(b"1", made)}


@of_each_engine
async def test_entries_are_those_whose_key_begins_so(servers: Servers) -> None:
    azure = servers.member("azure")
    for key in ("states/api/", "states/api/x", "states/apis", "statesx", "words/states/"):
        await written(azure, key, "1")
    assert (await azure.entries("states/api/"))[0].keys() == {"states/api/", "states/api/x"}
    assert (await azure.entries("states/"))[0].keys() == {"states/api/", "states/api/x", "states/apis"}


@of_each_engine
async def test_values_are_bytes_of_any_kind_and_length(servers: Servers) -> None:
    azure = servers.member("azure")
    _, known = await azure.entries("states/")
    values = [b"", bytes(range(256)), b"x" * 900_000]
    for number, value in enumerate(values):
        await azure.replace(f"states/{number}", value, after=0)
    told = await heard(azure.changes("states/", known), len(values))
    assert [entry.value for _, entry in told] == values
    assert [entry.value for entry in (await azure.entries("states/"))[0].values()] == values


# -- what is said for as long as one lives -----------------------------------------------------------------------------


@of_each_engine
async def test_what_is_published_goes_with_who_said_it(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    await azure.campaign()
    await azure.publish({"votes/azure": b"well"})
    found, known = await oci.entries("votes/")
    assert found["votes/azure"].value == b"well"
    await azure.resign()
    ((key, entry),) = await heard(oci.changes("votes/", known), 1)
    assert (key, entry.value) == ("votes/azure", None)
    assert entry.version > known
    assert (await oci.entries("votes/"))[0] == {}


@of_each_engine
async def test_many_values_are_published_together_and_go_together(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    await azure.campaign()
    said = {f"votes/azure/{number:03d}": b"well" for number in range(250)}
    await azure.publish(said)
    found, known = await oci.entries("votes/")
    assert {key: entry.value for key, entry in found.items()} == said
    await azure.publish(dict.fromkeys(said, b"ill"))
    told = await heard(oci.changes("votes/", known), len(said))
    assert {key: entry.value for key, entry in told} == dict.fromkeys(said, b"ill")
    await azure.resign()
    assert (await oci.entries("votes/"))[0] == {}


@of_each_engine
async def test_what_is_published_goes_a_lease_after_who_fell_silent(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    await azure.campaign(stands=False)
    await azure.publish({"votes/azure": b"well"})
    _, known = await oci.entries("votes/")
    ((key, entry),) = await heard(oci.changes("votes/", known), 1)
    assert (key, entry.value) == ("votes/azure", None)


@of_each_engine
async def test_who_does_not_stand_publishes_and_hears_who_leads(servers: Servers) -> None:
    """A member that only watches."""
    aws, oci = servers.member("aws"), servers.member("oci")
    assert await aws.campaign(stands=False) == Leadership("", 0, mine=False)
    await aws.publish({"votes/aws": b"ill"})
    await stays(aws, 1.5 * LEASE, stands=False)
    assert (await oci.entries("votes/"))[0]["votes/aws"].value == b"ill"
    led = await oci.campaign()
    assert led.mine
    assert await aws.campaign(stands=False) == Leadership("oci", led.epoch, mine=False)


@of_each_engine
async def test_who_leads_and_stands_no_more_leads_until_it_resigns(servers: Servers) -> None:
    azure = servers.member("azure")
    led = await azure.campaign()
    assert await azure.campaign(stands=False) == led
    await azure.resign()
    assert await azure.campaign(stands=False) == Leadership("", 0, mine=False)


@of_each_engine
async def test_who_campaigns_keeps_what_it_published(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    await oci.campaign()
    await azure.campaign()
    await azure.publish({"votes/azure": b"well"})
    await stays(azure, 1.5 * LEASE)
    assert (await oci.entries("votes/"))[0]["votes/azure"].value == b"well"


@of_each_engine
async def test_who_publishes_and_campaigns_at_once_holds_a_single_lease(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    led, _ = await asyncio.gather(azure.campaign(), azure.publish({"votes/azure": b"well"}))
    assert led.mine
    await stays(azure, 1.5 * LEASE)
    assert await azure.campaign() == led
    await azure.resign()
    assert (await oci.entries("votes/"))[0] == {}


@of_each_engine
async def test_who_lost_its_lease_hears_that_its_words_are_gone_and_says_them_again(servers: Servers) -> None:
    azure = servers.member("azure")
    await azure.campaign()
    await azure.publish({"votes/azure": b"well"})
    _, known = await azure.entries("votes/")
    await servers.revoke(azure)
    ((_, gone),) = await heard(azure.changes("votes/", known), 1)
    assert gone.value is None
    await azure.campaign()
    await azure.publish({"votes/azure": b"well"})
    assert (await azure.entries("votes/"))[0]["votes/azure"].value == b"well"


# -- what changes ------------------------------------------------------------------------------------------------------


@of_each_engine
async def test_changes_are_heard_in_order_from_where_they_were_known(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    await written(azure, "words/before", "1")
    _, known = await oci.entries("words/")
    for number in range(20):
        await written(azure, f"words/{number:02d}", "1", "2")
        await written(azure, "states/other", "1") if not number else None
    told = await heard(oci.changes("words/", known), 40)
    assert [(key, entry.value) for key, entry in told] == [
        (f"words/{number:02d}", value) for number in range(20) for value in (b"1", b"2")
    ]
    versions = [entry.version for _, entry in told]
    assert versions == sorted(set(versions))
    assert versions[0] > known


@of_each_engine
async def test_a_change_is_heard_as_it_happens(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    _, known = await oci.entries("words/")
    hearing = asyncio.create_task(heard(oci.changes("words/", known), 1))
    await asyncio.sleep(0.2)
    made = await written(azure, "words/1", "said")
    assert await hearing == [("words/1", SharedValue(b"said", made))]


@of_each_engine
async def test_everything_that_goes_with_a_lease_is_heard(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    keys = {f"votes/azure/{number}" for number in range(5)}
    for key in sorted(keys):
        await azure.publish({key: b"well"})
    _, known = await oci.entries("votes/")
    await azure.resign()
    told = await heard(oci.changes("votes/", known), len(keys))
    assert {key for key, _ in told} == keys
    assert {entry.value for _, entry in told} == {None}


@of_each_engine
async def test_a_watch_that_breaks_is_begun_again_and_nothing_is_lost(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    _, known = await oci.entries("words/")
    told: list[bytes | None] = []

    async def follow() -> None:
        after = known
        while True:
            with suppress(CoordinationError):
                async for _, entry in oci.changes("words/", after):
                    after = entry.version
                    told.append(entry.value)
            await asyncio.sleep(0.05)

    following = asyncio.create_task(follow())
    version = await written(azure, "words/1", "1", "2")
    servers.restart()
    for value in (b"3", b"4"):
        async with asyncio.timeout(SOON):
            version = await _in_the_end(azure, "words/1", value, version)
    async with asyncio.timeout(SOON):
        while len(told) < 4:  # noqa: ASYNC110 - what is waited for is what another task heard
            await asyncio.sleep(0.02)
    following.cancel()
    assert told == [b"1", b"2", b"3", b"4"]


async def _in_the_end(member: Coordinator, key: str, value: bytes, after: int) -> int:
    """Replace it, and look whether it was where nobody says so."""
    while True:
        with suppress(CoordinationError):
            if version := await member.replace(key, value, after=after):
                return version
        with suppress(CoordinationError):
            stands = (await member.entries(key))[0][key]
            if stands.value == value:
                return stands.version
        await asyncio.sleep(0.05)


@of_each_engine
async def test_a_watch_goes_on_while_what_it_has_heard_is_forgotten(servers: Servers) -> None:
    azure, oci = servers.member("azure"), servers.member("oci")
    version = await written(azure, "words/1", "1")
    _, known = await oci.entries("words/")
    hearing = asyncio.create_task(heard(oci.changes("words/", known), 1))
    await asyncio.sleep(0.2)
    await servers.compact()
    made = await azure.replace("words/1", b"2", after=version)
    assert made is not None
    assert await hearing == [("words/1", SharedValue(b"2", made))]


@of_each_engine
async def test_who_asks_for_what_is_forgotten_is_told_to_read_anew(servers: Servers) -> None:
    azure = servers.member("azure")
    _, known = await azure.entries("words/")
    await written(azure, "words/1", "1", "2")
    await servers.compact()
    with pytest.raises(Compacted):
        await heard(azure.changes("words/", known), 1)
    _, known = await azure.entries("words/")
    made = await written(azure, "words/2", "1")
    assert await heard(azure.changes("words/", known), 1) == [("words/2", SharedValue(b"1", made))]


@of_each_engine
async def test_who_knows_more_than_a_coordinator_that_was_put_back_is_told_to_read_anew(servers: Servers) -> None:
    azure = servers.member("azure")
    await written(azure, "words/1", "1")
    servers.back_up()
    stands = (await _entries(azure, "words/"))["words/1"]
    await azure.replace("words/1", b"2", after=stands.version)
    _, known = await azure.entries("words/")
    servers.put_back()
    assert await _entries(azure, "words/") == {"words/1": stands}
    with pytest.raises(Compacted):
        await heard(azure.changes("words/", known), 1)


# -- when nobody answers -----------------------------------------------------------------------------------------------


@of_each_engine
async def test_whatever_is_asked_of_who_does_not_answer_is_a_coordination_error(servers: Servers) -> None:
    azure = servers.member("azure")
    led = await azure.campaign()
    _, known = await azure.entries("")
    with servers.silent():
        said = await asyncio.gather(
            azure.campaign(),
            azure.replace("states/api", b"1", after=0, epoch=led.epoch),
            azure.remove("states/api", after=1, epoch=led.epoch),
            azure.remove("states/api", after=1),
            azure.publish({"votes/azure": b"well"}),
            azure.entries("states/"),
            servers.member("oci").campaign(),
            return_exceptions=True,
        )
        assert [type(each) for each in said if not isinstance(each, CoordinationError)] == []
        with pytest.raises(CoordinationError):
            await azure.resign()
    assert (await leads(servers.member("oci"))).epoch > led.epoch
    assert known


@of_each_engine
async def test_a_coordinator_that_is_back_knows_what_it_knew(servers: Servers) -> None:
    azure = servers.member("azure")
    version = await written(azure, "states/api", "1")
    servers.restart()
    assert (await _entries(azure, "states/")) == {"states/api": SharedValue(b"1", version)}


async def _entries(member: Coordinator, below_key: str) -> dict[str, SharedValue]:
    async with asyncio.timeout(SOON):
        while True:
            with suppress(CoordinationError):
                return dict((await member.entries(below_key))[0])
            await asyncio.sleep(0.05)


@of_each_engine
async def test_who_does_not_stand_hears_who_leads_and_never_does(servers: Servers) -> None:
    azure, aws = servers.member("azure"), servers.member("aws")
    assert await aws.campaign(stands=False) == Leadership("", 0, mine=False)
    first = await leads(azure)
    assert await aws.campaign(stands=False) == Leadership("azure", first.epoch, mine=False)
    await azure.resign()
    assert not (await aws.campaign(stands=False)).mine
