"""failoverctl beside the daemon and without it, against a real BIND."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import DnsServer, program

FINE, FAILED, USAGE, PENDING, LIMITED, NOT_KNOWN = 0, 1, 2, 10, 11, 12
MOVED = 3


def serial(server: DnsServer) -> str:
    """The zone's serial: BIND raises it with every write, so it counts them."""
    (soa,) = server.dig("example.test", "SOA")
    return soa.split()[2]


async def plan(here: Site, *words: str) -> tuple[int, list[dict[str, Any]]]:
    code, printed = await here.control("plan", *words, "--output", "json")
    return code, json.loads(printed)


async def test_plan_shows_what_it_would_do_and_writes_nothing(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        before = serial(bind_server)
        code, (found,) = await plan(here)
        assert (code, found["result"], found["held"]) == (PENDING, "plan", False)
        assert found["plan"]["shares_after"] == {"west": 5_000, "east": 5_000}
        assert any("west gets 50%" in reason for reason in found["reasons"])
        code, printed = await here.control("plan")
        assert code == PENDING
        assert "create (rebuilding): no answer -> east 50%, west 50% (generation 1)" in printed
        assert serial(bind_server) == before
        assert bind_server.dig(NAME, "A") == []


async def test_a_reviewed_plan_is_applied_once_and_then_there_is_nothing_to_do(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        code, printed = await here.control("apply", str(file))
        assert (code, "applied, generation 1" in printed) == (FINE, True), printed
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        code, (found,) = await plan(here)
        assert (code, found["result"], found["generation"]) == (FINE, "in_sync", 1)

        code, printed = await here.control("apply", str(file))
        assert (code, "stands there already, generation 1" in printed) == (FINE, True), printed


async def test_apply_refuses_when_the_record_or_the_policy_changed_since(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        here.edit_policy("ttl: 5s", "ttl: 6s")
        code, printed = await here.control("apply", str(file))
        assert (code, "policy_changed" in printed) == (FAILED, True), printed
        here.edit_policy("ttl: 6s", "ttl: 5s")
        bind_server.edit("add api 60 A 192.0.2.66")
        code, printed = await here.control("apply", str(file))
        assert (code, "record_changed" in printed) == (FAILED, True), printed
        assert bind_server.dig(NAME, "A") == ["192.0.2.66"]


async def test_a_limit_blocks_plan_and_apply_alike(bind_server: DnsServer, tmp_path: Path) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("max_changes: 100 per 1h", "max_changes: 1 per 1h")
        for ttl in ("6s", "7s"):  # the record is made, and its TTL changed once
            await here.control("plan", "--out", str(file))
            code, printed = await here.control("apply", str(file))
            assert code == FINE, printed
            here.edit_policy("ttl: " + {"6s": "5s", "7s": "6s"}[ttl], f"ttl: {ttl}")
        before = serial(bind_server)
        code, (found,) = await plan(here, "--out", str(file))
        assert (code, found["held"]) == (LIMITED, True)
        code, printed = await here.control("apply", str(file))
        held = "max_changes of operator: change 2, not within 1 per 3600s"
        assert (code, held in printed) == (LIMITED, True), printed
        assert serial(bind_server) == before


async def test_no_budget_keeps_a_dead_region_in_the_answer(bind_server: DnsServer, tmp_path: Path) -> None:
    """Whatever was spent before: by an edited file, or by tuning."""
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy(
            "max_shift: 100% per 5m, max_changes: 100 per 1h", "max_shift: 1% per 1d, max_changes: 1 per 1d"
        )
        for old, new in (("5s", "6s"), ("6s", "7s")):
            await here.control("plan", "--out", str(file))
            await here.control("apply", str(file))
            here.edit_policy(f"ttl: {old}", f"ttl: {new}")
        here.edit_policy("ttl: 7s", "ttl: 6s")
        await here.break_region("west")
        code, (found,) = await plan(here, "--out", str(file))
        assert (code, found["held"], found["cause"]) == (PENDING, False, "failing_out")
        code, printed = await here.control("apply", str(file))
        assert code == FINE, printed
        assert bind_server.dig(NAME, "A") == [EAST]


async def test_apply_beside_a_running_daemon_is_safe(bind_server: DnsServer, tmp_path: Path) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        async with here.daemon() as daemon:
            await daemon.event("change.verified")  # the daemon was first
            code, printed = await here.control("apply", str(file))
            assert (code, "stands there already, generation 1" in printed) == (FINE, True), printed
            assert len(daemon.named("change.applied")) == 1
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_a_region_that_a_person_brings_back(bind_server: DnsServer, tmp_path: Path) -> None:
    file = tmp_path / "return.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("failback: {after: 500ms}", "failback: manual")
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await here.break_region("west")
            await daemon.event("change.verified")
            await here.heal_region("west")
            await daemon.event("region.recovered", region="west")
            code, (found,) = await plan(here)
            assert (code, found["result"]) == (LIMITED, "in_sync")
            assert any("failoverctl plan --return west" in reason for reason in found["reasons"])
            await here.control("plan", "--return", "west", "--out", str(file))
            code, printed = await here.control("apply", str(file))
            assert code == FINE, printed
            await daemon.event("incident.closed")
            assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_status_why_and_history_are_told_with_the_daemon_dead(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await here.break_region("west")
            moved = await daemon.event("change.applied")
            await daemon.event("change.verified")
            await daemon.stop()

        code, printed = await here.control("status", "--output", "json")
        told = json.loads(printed)
        assert (code, told["daemon"]["state"]) == (NOT_KNOWN, "stopped")
        assert {each["region"]: each["state"] for each in told["regions"]} == {"west": "down", "east": "healthy"}
        (target,) = told["targets"]
        assert (target["state"], target["published_bp"]) == ("in_sync", {"east": 10_000})
        assert told["policies"][0]["incident_id"] == moved["incident_id"]
        code, printed = await here.control("status")
        assert (code, printed.startswith("not known: the daemon is stopped, last seen ")) == (NOT_KNOWN, True), printed
        _, printed = await here.control("status", "--verbose")
        assert "daemon: stopped" in printed
        assert "in_sync generation 2: east 100%" in printed

        code, printed = await here.control("why", "--output", "json")
        told = json.loads(printed)
        assert code == FINE
        assert (told["change"]["change_id"], told["change"]["incident_id"]) == (
            moved["change_id"],
            moved["incident_id"],
        )
        assert told["rule_at"] == moved["rule_at"]
        assert "nsupdate" in told["undo"]
        assert [row["event"] for row in told["events"]][:2] == ["incident.opened", "endpoint.failed"]
        for words in (["--incident", moved["incident_id"]], ["--at", moved["at"][:19]], ["--policy", "api"]):
            code, printed = await here.control("why", *words)
            assert code == FINE, (words, printed)

        code, printed = await here.control("history", "--output", "json")
        changes = json.loads(printed)["changes"]
        assert [(row["generation"], row["outcome"]) for row in changes] == [(1, "applied"), (2, "applied")]
        _, printed = await here.control("history")
        assert printed.count("applied") == 2


async def test_status_shows_what_waits_and_the_command_that_does_it_by_hand(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        here.edit_policy("max_changes: 100 per 1h", "max_changes: 1 per 1h")
        here.edit_policy("ttl: 5s", "ttl: 6s")
        await daemon.event("change.verified")
        here.edit_policy("ttl: 6s", "ttl: 7s")
        held = await daemon.event("plan.held")
        assert held["limits"] == ["max_changes of operator: change 2, not within 1 per 3600s"]
        printed = await here.tells(lambda printed: '"state": "limited"' in printed, "status", "--output", "json")
        (target,) = json.loads(printed)["targets"]
        assert f"\n{program('nsupdate').rpartition('/')[2]} " in target["manual"]
        code, printed = await here.control("status", "--dns")
        assert (code, f"{NAME} A at main: the only server answers with it" in printed) == (MOVED, True), printed
        _, printed = await here.control("status", "--dns", "--output", "json")
        (heard,) = json.loads(printed)["dns"]
        assert (heard["record"], heard["agree"], heard["agreeing"]) == (
            f"{NAME} A at main",
            True,
            [f"{bind_server.address}:{bind_server.port}"],
        )
        assert "limits.max_changes" not in target["remedy"]
        assert f"{here.policy}:" in target["remedy"]


async def test_a_wrong_key_is_named_with_its_remedy(bind_server: DnsServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_text(bind_server.key.clause().replace(bind_server.key.secret, "A" * 43 + "="))
    key = f"{{name: failoverd, algorithm: hmac-sha256, secret_file: {wrong}}}"
    async with site(tmp_path, {"main": provider_block("main", bind_server, key=key)}) as here:
        code, (found,) = await plan(here)
        assert (code, found["result"]) == (FAILED, "failed")
        assert found["remedy"]
        assert "A" * 43 not in json.dumps(found)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["plan", "nosuch"], FAILED, "policy_unknown"),
        (["plan", "--return", "mars"], FAILED, "region_unknown"),
        (["apply", "/dev/null"], FAILED, "plan_unreadable"),
        (["adopt", "api", "other.example.test"], FAILED, "record_unknown"),
        (["adopt", "api", NAME], FAILED, "does not exist"),
        (["status"], FAILED, "journal"),
        (["why", "--at", "noon"], USAGE, "is not a time"),
        (["history", "--since", "yesterday"], USAGE, "is not a duration"),
        (["frobnicate"], USAGE, "No such command"),
    ],
)
async def test_what_cannot_be_done_is_said_with_a_reason(
    bind_server: DnsServer, tmp_path: Path, words: list[str], code: int, says: str
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        found, printed = await here.control(*words)
        assert (found, says in printed, "Traceback" in printed) == (code, True, False), printed


async def test_check_lists_every_error_of_every_file(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        assert (await here.control("check"))[0] == FINE
        here.edit_policy("share: 50", "shaer: 50")
        here.edit_policy("every: 300ms", "every: 300")
        code, printed = await here.control("check", "--output", "json")
        told = json.loads(printed)
        assert (code, told["ok"], told["policies"]) == (FAILED, False, [])
        assert len(told["diagnostics"]) >= 3
        code, printed = await here.control("check")
        assert 'did you mean "share"' in printed
        assert f"{here.policy}:" in printed


async def test_a_daemon_without_a_configuration_says_so(tmp_path: Path) -> None:
    (tmp_path / "failoverd.yaml").write_text("version: 1\n")
    here = Site(tmp_path, 1, {})
    async with here.daemon() as daemon:
        assert await daemon.ended() == FAILED


async def test_a_record_that_was_given_back_is_left_alone_until_it_is_adopted_again(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(tmp_path / "change.plan"))
        await here.control("apply", str(tmp_path / "change.plan"))
        code, printed = await here.control("disown", "api", NAME)
        assert (code, "given back" in printed) == (FINE, True), printed
        assert bind_server.dig(NAME, "A") == [WEST, EAST]
        assert bind_server.dig(f"_failoverd.{NAME}", "TXT") == []
        code, (found,) = await plan(here)
        assert (code, found["result"], found["reason"]) == (FAILED, "refused", "marker_lost")
        code, printed = await here.control("disown", "api", NAME)
        assert (code, "was given back already" in printed) == (FINE, True), printed
        code, printed = await here.control("adopt", "api", NAME)
        assert (code, "adopted, generation 3" in printed) == (FINE, True), printed
