"""The journal of a member is full, deleted or unwritable: traffic is steered all the same, and that is told.

`make test-members` runs these; what holds in each of them besides is said by `support.three_clouds`.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.asking import awaited, told
from support.commands import Ended, answered
from support.small_disks import SmallDisk
from support.three_clouds import ACTS, TAKEOVER, ThreeClouds, three_clouds

pytestmark = [pytest.mark.server, pytest.mark.members]


def small_disks(world: ThreeClouds) -> dict[str, SmallDisk]:
    """Each member keeps its journal, and nothing else, on a small disk of its own."""
    for seat in world.seats.values():
        own = "journal: disk/journal.db\napi: {socket: api.sock}"
        seat.config.write_text(seat.config.read_text().replace("journal: journal.db", own))
    return {name: SmallDisk.mounted(seat.host, seat.folder / "disk") for name, seat in world.seats.items()}


def unlink_journal(disk: SmallDisk) -> None:
    for each in disk.seen.glob("journal.db*"):
        each.unlink()


async def said(world: ThreeClouds, name: str, *words: str) -> Ended:
    """By that member, which the command finds where it runs."""
    seat = world.seats[name]
    done = await answered(*words, "--config", seat.host.seen(seat.config))
    assert done.code in (0, 3, 4), done.said
    return done


async def drained(world: ThreeClouds, by: str, region: str) -> str:
    return (await said(world, by, "drain", region, "--reason", "work", "--for", "1h")).said


async def overrides(world: ThreeClouds, name: str) -> list[Any]:
    found: list[Any] = (await told(world, name, "overrides"))["overrides"]
    return found


async def changed(world: ThreeClouds, name: str, by: str) -> set[int]:
    """What that member wrote, as another one knows it: the generations."""
    return {each["generation"] for each in (await told(world, name, "history", "--member", by))["changes"]}


async def steers(world: ThreeClouds, region: str) -> None:
    """That region dies, leaves, and comes back when it is well."""
    world.regions[region].stop()
    await world.answer(*world.others(region), within=TAKEOVER + ACTS)
    await world.regions[region].start()
    await world.answer(within=TAKEOVER + ACTS)


async def test_a_leader_whose_disk_is_full_steers_and_what_was_said_to_it_outlives_it(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        disks = small_disks(world)
        first, others = await world.begun()
        disks[first].fill()
        await steers(world, others[0])
        await world.seats[first].running.event("journal.failed", reason="journal_full")
        assert "the journal cannot be written" in (await said(world, first, "status")).said
        assert "does not work: a restart of the daemon would not know of it, unless other members do" in (
            await drained(world, first, others[0])
        )
        await world.answer(first, others[1])
        for other in others:  # who is killed may lose what it was about to tell
            await awaited(partial(changed, world, other, first), set(world.written_by(first)).issubset)
        await world.kill(first)
        second = await world.led(*others, within=TAKEOVER)
        await world.start(first)
        await world.follows(first, second)
        for name in world.seats:  # the disk of the one that was killed is full still
            (word,) = await awaited(partial(overrides, world, name), len)
            assert (word["verb"], word["scope"]["regions"]) == ("drain", [others[0]])
        await world.watch.stays(1.0, "what was said to it holds")
        assert await changed(world, second, first) >= set(world.written_by(first))
        disks[first].free()
        status = partial(said, world, first, "status")
        await awaited(status, lambda answer: "the journal cannot be written" not in answer.said)


async def test_a_follower_whose_disk_is_full_votes_and_leads(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        disks = small_disks(world)
        first, others = await world.begun()
        full = others[0]
        disks[full].fill()
        assert "unless other members do" in await drained(world, full, others[1])
        await world.answer(first, full)
        await said(world, full, "release", "--all", "--reason", "done")
        await world.answer()
        world.net.cut(world.member(others[1]), world.endpoints)  # so its vote is needed
        await steers(world, first)
        world.net.heal()
        await said(world, others[1], "members")
        await world.kill(others[1])
        await world.kill(first)
        await world.led(full, within=TAKEOVER)
        await world.start(first)
        await steers(world, first)


async def test_a_journal_that_is_deleted_while_its_leader_runs_or_is_away_takes_no_word_along(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        disks = small_disks(world)
        first, others = await world.begun()
        await drained(world, first, others[1])
        await world.answer(first, others[0])
        unlink_journal(disks[first])
        world.regions[others[0]].stop()
        await world.answer(first)
        await world.seats[first].running.event("journal.failed", reason="journal_missing")
        assert len(await overrides(world, first)) == 1
        await world.seats[first].running.stop()
        second = await world.led(*others)
        unlink_journal(disks[first])
        await world.start(first)
        await world.follows(first, second)
        await awaited(partial(overrides, world, first), len)
        await world.watch.stays(1.0, "the word holds")
        await world.regions[others[0]].start()
        await world.answer(first, others[0])
        await said(world, first, "release", "--all", "--reason", "done")
        await world.answer()


async def test_a_member_whose_journal_is_read_only_follows_and_leads(tmp_path: Path) -> None:
    async with three_clouds(tmp_path) as world:
        disks = small_disks(world)
        first, others = await world.begun()
        await drained(world, first, others[1])
        await world.answer(first, others[0])
        await world.seats[first].running.stop()
        second = await world.led(*others)
        disks[first].writable(really=False)
        await world.start(first)
        await world.seats[first].running.event("journal.failed", reason="journal_unwritable")
        await world.follows(first, second)
        assert len(await awaited(partial(overrides, world, first), len)) == 1
        for each in others:
            await world.kill(each)
        await world.led(first, within=TAKEOVER)
        await world.start(*others)
        await world.tells("region.recovered")
        await world.watch.stays(1.0, "the word holds")
        await said(world, first, "release", "--all", "--reason", "done")
        await world.answer(within=TAKEOVER + ACTS)
        await steers(world, others[0])
        disks[first].writable(really=True)
        status = partial(said, world, first, "status")
        await awaited(status, lambda answer: "the journal cannot be written" not in answer.said)
