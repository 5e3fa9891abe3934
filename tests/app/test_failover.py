"""The whole of it, as an operator has it: the real daemon, real DNS servers, read by dig and kdig."""

import json
import re
import signal
from pathlib import Path

import pytest
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import ZONE, DnsServer

from failoverd.cli.demo.surroundings import DemoRegion

MARKER = f"_failoverd.{NAME}"


def generation(server: DnsServer) -> int:
    (text,) = server.dig(MARKER, "TXT")
    return int(dict(word.split("=") for word in text.strip('"').split())["gen"])


async def test_a_region_fails_and_returns_and_dig_sees_it_on_bind(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]

        await here.break_region("west")
        failed = await daemon.event("region.failed", region="west")
        moved = await daemon.event("change.applied")
        await daemon.event("change.verified")
        assert bind_server.dig(NAME, "A") == [EAST]
        assert moved["shares_to"] == {"east": 10_000}
        assert moved["incident_id"] == failed["incident_id"]
        assert "nsupdate" in moved["undo"]
        assert moved["rule_at"].startswith(str(here.policy))

        await here.heal_region("west")
        await daemon.each("change.verified", "incident.closed")
        assert [found["incident_id"] for found in daemon.named("incident.closed")] == [failed["incident_id"]]
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        assert generation(bind_server) == 3
        assert await daemon.stop() == 0


async def test_a_region_fails_and_kdig_sees_it_on_knot(knot_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", knot_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        assert knot_server.dig(NAME, "A", program="kdig") == [WEST, EAST]
        await here.break_region("east")
        await daemon.event("change.verified")
        assert knot_server.dig(NAME, "A", program="kdig") == [WEST]


async def test_nothing_is_written_before_every_region_has_a_verdict(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("rise: 2", "rise: 20")
        async with here.daemon() as daemon:
            await daemon.event("decision.made", verdict="hold_no_verdict")
            assert bind_server.dig(NAME, "A") == []
            await daemon.event("change.applied")
            first = next(found for found in daemon.events if found["event"] == "change.applied")
            verdicts = [found for found in daemon.named("region.recovered") if found["at"] <= first["at"]]
            assert {found["region"] for found in verdicts} == {"west", "east"}


async def test_clouds_that_fail_together_are_doubted_and_keep_the_answer(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        await here.break_region("west")
        await here.break_region("east")
        await daemon.event("vantage.isolated", cause="clouds")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        await here.heal_region("west")
        await here.heal_region("east")
        await daemon.event("vantage.rejoined")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_every_endpoint_failing_at_once_in_one_cloud_keeps_the_answer(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        inventory = tmp_path / "policies" / "regions.yaml"
        inventory.write_text(re.sub(r"cloud: \w+", "cloud: own", inventory.read_text()))
        await the_answer_is_kept_while_all_is_down(here, bind_server)


async def the_answer_is_kept_while_all_is_down(here: Site, bind_server: DnsServer) -> None:
    async with here.daemon() as daemon:
        await daemon.event("change.verified")
        await here.break_region("west")
        await here.break_region("east")
        await daemon.event("decision.made", verdict="hold_all_down")
        assert bind_server.dig(NAME, "A") != []
        await here.heal_region("west")
        await here.heal_region("east")
        await daemon.event("incident.closed")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_a_hand_edit_and_an_emptied_record_are_put_back(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        bind_server.edit("delete api A", "add api 5 A 192.0.2.66")
        await daemon.event("drift.detected")
        await daemon.event("change.verified")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]

        bind_server.edit("delete api A")
        restored = await daemon.event("change.applied", kind="restore")
        await daemon.event("change.verified", change_id=restored["change_id"])
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_a_hand_edit_is_only_reported_when_the_policy_says_so(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("on_drift: restore", "on_drift: report")
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            bind_server.edit("delete api A", "add api 5 A 192.0.2.66")
            await daemon.event("drift.detected")
            assert bind_server.dig(NAME, "A") == ["192.0.2.66"]
            await here.break_region("west")
            await daemon.event("change.verified")  # health wants something new: that is no drift any more
            assert bind_server.dig(NAME, "A") == [EAST]
            assert len(daemon.named("drift.detected")) == 2


async def test_a_record_without_a_marker_is_refused_until_it_is_adopted(bind_server: DnsServer, tmp_path: Path) -> None:
    bind_server.edit("add api 60 A 192.0.2.66")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        refused = await daemon.event("plan.refused", reason="no_marker")
        assert "failoverctl adopt api" in refused["remedy"]
        assert bind_server.dig(NAME, "A") == ["192.0.2.66"]

        code, printed = await here.control("adopt", "api", NAME)
        assert (code, "adopted, generation 1" in printed) == (0, True), printed
        await daemon.event("change.verified")
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        assert len(daemon.named("plan.refused")) == 1


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ("v=1 owner=somebody policy=api gen=4 types=A", "other_owner"),
        ("v=1 owner=tests policy=shop gen=4 types=A", "other_policy"),
        ("heritage=external-dns,external-dns/owner=k8s", "foreign_marker"),
    ],
)
async def test_another_owners_name_is_refused_and_left_alone(
    bind_server: DnsServer, tmp_path: Path, marker: str, reason: str
) -> None:
    bind_server.edit("add api 60 A 192.0.2.66", f'add _failoverd.api 60 TXT "{marker}"')
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("plan.refused", reason=reason)
        assert bind_server.dig(NAME, "A") == ["192.0.2.66"]
        if reason != "other_policy":
            code, printed = await here.control("adopt", "api", NAME)
            assert code == 1, printed
        assert bind_server.dig(MARKER, "TXT") == [f'"{marker}"']


async def test_a_dead_provider_waits_alone_and_says_what_to_do_by_hand(bind_server: DnsServer, tmp_path: Path) -> None:
    dead = provider_block("dead", bind_server, server="127.0.0.1:9")
    providers = {"dead": dead, "main": provider_block("main", bind_server)}
    async with site(tmp_path, providers) as here, here.daemon() as daemon:
        await daemon.event("target.delayed", provider="dead", reason="connect_refused")
        await daemon.event("change.verified", provider="main")
        await here.break_region("west")
        await daemon.event("change.verified", provider="main")
        assert bind_server.dig(NAME, "A") == [EAST]
        assert len(daemon.named("target.delayed")) == 1


async def test_a_frozen_server_delays_its_change_and_gets_it_when_it_wakes(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    hasty = provider_block("main", bind_server, timeout="1s")
    async with site(tmp_path, {"main": hasty}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        with bind_server.frozen():
            await here.break_region("west")
            await daemon.event("target.delayed")
        await daemon.event("target.resumed")
        assert bind_server.dig(NAME, "A") == [EAST]
        assert generation(bind_server) == 2


async def test_sigterm_moves_no_traffic_and_the_next_start_changes_nothing(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            assert await daemon.stop() == 0
            assert daemon.events[-1]["event"] == "daemon.stopped"
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        async with here.daemon() as daemon:
            await daemon.event("daemon.started")
            await here.tells(_in_sync_by_daemon, "status", "--output", "json")  # it decides what was told before
            assert await daemon.stop() == 0
            assert daemon.named("change.applied") == []
        assert generation(bind_server) == 1


def _in_sync_by_daemon(status: str) -> bool:
    """Whether a daemon has looked, and says that nothing is to be done."""
    told = json.loads(status) if status.startswith("{") else {"source": {}}
    return told["source"].get("from") == "daemon" and [each["state"] for each in told["targets"]] == ["in_sync"]


async def test_losing_the_journal_loses_history_and_no_traffic(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await daemon.stop()
        (tmp_path / "journal.db").write_bytes(b"this is no database")
        async with here.daemon() as daemon:
            await daemon.event("journal.failed")
            await daemon.event("decision.made", verdict="normal")
            await here.break_region("west")
            await daemon.event("change.verified")
            await daemon.stop()
        assert bind_server.dig(NAME, "A") == [EAST]
        assert generation(bind_server) == 2


# -- files that change -------------------------------------------------------------------------------------------------


async def test_a_file_that_does_not_load_keeps_its_running_version(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        loaded = await daemon.event("policy.loaded")
        await daemon.event("change.verified")
        here.edit_policy("share: 50", "shaer: 50")
        rejected = await daemon.event("config.rejected")
        assert loaded["revision"] in rejected["keeps"]
        assert f"{here.policy}:" in rejected["errors"][0]
        await here.break_region("west")
        await daemon.event("change.verified")
        assert bind_server.dig(NAME, "A") == [EAST]


async def test_a_policy_file_is_taken_up_by_sighup_and_by_change(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        here.edit_policy("ttl: 5s", "ttl: 7s")
        daemon.signal(signal.SIGHUP)
        await daemon.event("policy.loaded")
        moved = await daemon.event("change.applied")
        assert moved["ttl"] == 7
        here.edit_policy("ttl: 7s", "ttl: 9s")
        moved = await daemon.event("change.applied")
        assert moved["ttl"] == 9


async def test_a_configmap_is_taken_up_when_its_symlink_is_swapped(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        folder = here.folder / "policies"
        old, new = folder / "..2026_01", folder / "..2026_02"
        old.mkdir()
        for name in ("api.yaml", "regions.yaml"):
            (folder / name).rename(old / name)
        (folder / "..data").symlink_to(old.name)
        for name in ("api.yaml", "regions.yaml"):
            (folder / name).symlink_to(f"..data/{name}")
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            new.mkdir()
            (new / "api.yaml").write_text((old / "api.yaml").read_text().replace("ttl: 5s", "ttl: 8s"))
            (new / "regions.yaml").write_text((old / "regions.yaml").read_text())
            (folder / "..new").symlink_to(new.name)
            (folder / "..new").replace(folder / "..data")
            moved = await daemon.event("change.applied")
            assert moved["ttl"] == 8


async def test_a_first_start_runs_what_is_sound_and_names_what_is_not(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (here.folder / "policies" / "broken.yaml").write_text("version: 1\npolicy: broken\nrecords: 7\n")
        async with here.daemon() as daemon:
            rejected = await daemon.event("config.rejected")
            assert "broken.yaml" in rejected["file"]
            await daemon.event("change.verified", policy="api")


async def test_a_policy_whose_file_is_gone_leaves_its_records(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        rest = here.policy.read_text().replace("policy: api", "policy: rest").replace(NAME, f"rest.{ZONE}")
        (here.folder / "policies" / "rest.yaml").write_text(rest)
        await daemon.event("policy.loaded", policy="rest")
        here.policy.unlink()
        assert (await daemon.event("policy.removed", policy="api"))["level"] == "warning"
        orphaned = await daemon.event("record.orphaned", policy="api")
        assert (orphaned["record"], orphaned["generation"]) == (f"{NAME} A", 1)
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_an_orphan_is_listed_after_a_restart_and_until_it_is_given_back(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async def orphans(here: Site) -> tuple[str, list[str]]:
        _, printed = await here.control("status", "--output", "json")
        told = json.loads(printed)
        return told["headline"], [each["target"]["record"] for each in told["orphans"]]

    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        rest = here.policy.read_text().replace("policy: api", "policy: rest").replace(NAME, f"rest.{ZONE}")
        (here.folder / "policies" / "rest.yaml").write_text(rest)
        async with here.daemon() as daemon:
            await daemon.event("change.verified", policy="api")
            assert await daemon.stop() == 0  # killed, it might not have noted that the write took effect
        here.policy.unlink()
        async with here.daemon() as daemon:
            await daemon.event("record.orphaned", policy="api")
            await here.tells(lambda printed: f"no file names {NAME}" in printed, "status")
            headline, names = await orphans(here)
            assert ("no file names " in headline, names) == (True, [NAME])
            code, printed = await here.control("disown", "api", NAME)
            assert (code, "given back" in printed) == (0, True), printed
            assert bind_server.dig(f"_failoverd.{NAME}", "TXT") == []
            assert bind_server.dig(NAME, "A") == [WEST, EAST]
            await here.tells(lambda printed: '"orphans": []' in printed, "status", "--output", "json")
        async with here.daemon() as daemon:
            await daemon.event("daemon.started")
            assert daemon.named("record.orphaned") == []
        code, printed = await here.control("disown", "api", NAME)
        assert (code, "policy_unknown" in printed) == (1, True), printed


async def test_an_address_that_is_replaced_in_the_file_takes_over_at_once(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("failback: {after: 500ms}", "failback: manual")
        new = DemoRegion("west", "127.87.0.3", here.port)
        await new.start()
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            here.edit_policy(f"{WEST}:", "127.87.0.3:")
            daemon.signal(signal.SIGHUP)
            moved = await daemon.event("change.applied")
            assert moved["shares_from"] == moved["shares_to"] == {"east": 5_000, "west": 5_000}
            assert bind_server.dig(NAME, "A") == [EAST, "127.87.0.3"]
            assert len(daemon.named("change.applied")) == 2
        new.stop()
