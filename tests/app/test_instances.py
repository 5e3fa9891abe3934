"""Which daemon wrote: one for each journal, the same after a restart, and two of one owner that find each other."""

from pathlib import Path

from support.daemons import EAST, EMBEDDED, NAME, Site, provider_block, site
from support.servers import DnsServer

from failoverd.core.records import Marker


def marker(server: DnsServer) -> Marker:
    (text,) = server.dig(f"_failoverd.{NAME}", "TXT")
    found = Marker.parse(text.strip('"'))
    assert found is not None
    return found


def elsewhere(here: Site, folder: Path) -> Site:
    """Another machine with the same owner, a journal of its own, and a file in which the east has no share."""
    (folder / "policies").mkdir(parents=True)
    (folder / "failoverd.yaml").write_text(here.config.read_text())
    (folder / "policies" / "regions.yaml").write_text((here.folder / "policies" / "regions.yaml").read_text())
    other = Site(folder, here.port, here.regions)
    other.policy.write_text(here.policy.read_text())
    other.edit_policy("east: {share: 50", "east: {share: 0")
    other.edit_policy("west: {share: 50", "west: {share: 100")
    return other


async def test_a_second_daemon_on_a_journal_ends_and_says_whose_it_is(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here, here.daemon() as first:
        started = await first.event("daemon.started")
        async with here.daemon() as second:
            assert await second.ended() == 1
        said = second.log.decode()
        assert f"another failoverd (process {started['pid']}) works with this journal" in said
        assert "(journal_in_use)" in said
        assert "remedy: stop that one first" in said
        assert "Traceback" not in said
        assert not second.named("daemon.started")
        assert first.process.returncode is None


async def test_a_journal_that_cannot_be_locked_is_told_and_traffic_is_steered(tmp_path: Path) -> None:
    """A directory stands where its lock should be: whatever it is, no record waits for it."""
    async with site(tmp_path, EMBEDDED) as here:
        (tmp_path / ".journal.db.lock").mkdir()
        async with here.daemon() as daemon:
            failed = await daemon.event("journal.failed")
            assert failed["reason"] == "journal_unlocked"
            await daemon.event("change.applied")
            assert len(daemon.named("journal.failed")) == 1
            (tmp_path / "journal.db").unlink()
            (tmp_path / "journal.db").mkdir()
            told = await here.tells(lambda told: "journal: cannot be written for" in told, "status", "-v")
            assert "the journal cannot be written" in told.splitlines()[0]


async def test_two_of_one_owner_come_to_rest_a_dead_region_is_left_and_a_restart_is_the_same(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    async with site(tmp_path / "one", {"main": provider_block("main", bind_server)}) as here:
        there = elsewhere(here, tmp_path / "other")
        async with here.daemon() as one:
            mine = (await one.event("daemon.started"))["instance"]
            await one.event("change.verified")
            assert marker(bind_server).instance == mine
            async with there.daemon() as other:
                theirs = (await other.event("daemon.started"))["instance"]
                found, again = await one.event("rival.detected"), await other.event("rival.detected")
                assert (found["level"], found["rivals"], again["rivals"]) == ("error", [theirs], [mine])
                at_rest = marker(bind_server).generation
                assert at_rest <= 6
                await here.break_region("west")
                await one.event("region.failed", region="west")
                await here.tells(lambda _: bind_server.dig(NAME, "A") == [EAST], "status")
                await here.heal_region("west")
                await one.event("region.recovered", region="west")
                await here.tells(lambda said: "is written by another instance as well" in said, "status")
                assert marker(bind_server).generation <= at_rest + 2
                await here.tells(lambda said: f"instance {mine}" in said and theirs in said, "status", "-v")
                assert await other.stop() == 0
            assert await one.stop() == 0
        async with here.daemon() as one:
            assert (await one.event("daemon.started"))["instance"] == mine
            assert not one.named("rival.detected")
