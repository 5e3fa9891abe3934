"""What `failoverctl plan` shows is what the daemon does, and `apply` does it or nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import ZONE, DnsServer

from failoverd.assembly import session
from failoverd.codec import load
from failoverd.core.control.limits import Held
from failoverd.core.names import marker_name
from failoverd.core.records import WHOLE
from failoverd.core.status import MembersStatus
from failoverd.operations.planning import Attempt, PlanFile, PlannedChange, apply_plans
from failoverd.ports import Access
from failoverd.store.journal import open_journal

FINE, FAILED, PENDING = 0, 1, 10


async def planned(here: Site, *words: str) -> dict[str, Any]:
    _, printed = await here.control("plan", *words, "--output", "json")
    (found,) = json.loads(printed)
    assert isinstance(found, dict)
    return found


async def published(here: Site, file: Path) -> None:
    """Plan and apply: the record stands as the policy wants it now."""
    await here.control("plan", "--out", str(file))
    code, printed = await here.control("apply", str(file))
    assert code == FINE, printed


async def change_of(here: Site, file: Path) -> PlannedChange:
    await here.control("plan", "--out", str(file))
    (change,) = changes(file)
    return change


def changes(file: Path) -> tuple[PlannedChange, ...]:
    return load(PlanFile, file.read_bytes()).changes


async def applied(here: Site, change: PlannedChange) -> Attempt:
    async with session(here.config, Access.WRITE) as at_work:
        (attempt,) = await apply_plans(at_work, [change])
        return attempt


# -- an edit by hand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_drift", "kind", "answers"),
    [("adopt", "adopt", [WEST]), ("restore", "restore", [WEST, EAST])],
)
async def test_an_edit_by_hand_is_kept_or_put_back_as_plan_shows(
    bind_server: DnsServer, tmp_path: Path, on_drift: str, kind: str, answers: list[str]
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("on_drift: restore", f"on_drift: {on_drift}")
        await published(here, tmp_path / "first.plan")
        bind_server.edit("delete api A", f"add api 5 A {WEST}")
        found = await planned(here)
        assert (found["result"], found["held"], found["plan"]["kind"]) == ("plan", False, kind)
        async with here.daemon() as daemon:
            change = await daemon.event("change.applied")
        assert (change["kind"], change["cause"]) == (kind, found["cause"])
        assert change["shares_to"] == found["plan"]["shares_after"]
        assert bind_server.dig(NAME, "A") == answers


async def test_an_edit_that_is_only_reported_is_no_pending_change(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("on_drift: restore", "on_drift: report")
        await published(here, tmp_path / "first.plan")
        bind_server.edit("delete api A", f"add api 5 A {WEST}")
        code, printed = await here.control("plan")
        assert (code, "only reported (on_drift: report)" in printed) == (FINE, True), printed
        found = await planned(here, "--out", str(tmp_path / "none.plan"))
        assert (found["result"], found["plan"]["shares_before"]) == ("drift", {"west": WHOLE})
        assert changes(tmp_path / "none.plan") == ()
        async with here.daemon() as daemon:
            await daemon.event("drift.detected")
        assert bind_server.dig(NAME, "A") == [WEST]


async def test_an_edit_during_an_incident_of_the_daemon_is_taken_as_meant(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await here.break_region("west")
            await daemon.event("change.verified")
            await daemon.stop()
        bind_server.edit("add api 5 A 192.0.2.66")  # somebody's own: what is known to be down is waited for by nobody
        found = await planned(here)
        assert (found["result"], found["until"] is not None) == ("drift", True)
        assert "taken as meant for now, for an incident is open" in found["summary"]


# -- a prober that is cut off ------------------------------------------------------------------------------------------

SENTINELS = """\
sentinels:
  a: {http: /health, address: "%(address)s", every: 10s, timeout: 1s}
  b: {http: /health, address: "%(address)s", every: 10s, timeout: 1s}
"""


@pytest.mark.parametrize(
    ("address", "result", "code"),
    [("127.0.0.1:9", "hold", FAILED), (EAST, "plan", PENDING)],
    ids=["cut off", "in sight of its sentinels"],
)
async def test_what_the_sentinels_show_decides_whether_failures_are_believed(
    bind_server: DnsServer, tmp_path: Path, address: str, result: str, code: int
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await published(here, tmp_path / "first.plan")
        seen_at = f"{address}:{here.port}" if address == EAST else address
        here.config.write_text(here.config.read_text() + SENTINELS % {"address": seen_at})
        await here.break_region("west")
        exited, printed = await here.control("plan", "--output", "json")
        (found,) = json.loads(printed)
        assert (found["result"], exited) == (result, code), found


# -- plan files --------------------------------------------------------------------------------------------------------


async def test_a_plan_of_the_version_before_is_refused_before_anything_else_in_it_is_read(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "old.plan"
    file.write_text(json.dumps({"version": 2, "made_at": 0.0, "made_by": "alice", "changes": [{"verdicts": {}}]}))
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        code, printed = await here.control("apply", str(file))
        assert (code, "(plan_version)" in printed, "make the plan again" in printed) == (FAILED, True, True), printed


async def test_a_plan_that_a_limit_holds_is_said_to_be_held_by_apply_as_well(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("max_changes: 100 per 1h", "max_changes: 1 per 1h")
        await published(here, tmp_path / "first.plan")
        here.edit_policy("ttl: 5s", "ttl: 6s")
        fits = await change_of(here, tmp_path / "fits.plan")
        assert (await applied(here, fits)).result is None
        here.edit_policy("ttl: 6s", "ttl: 7s")
        held = await change_of(here, tmp_path / "held.plan")
        attempt = await applied(here, held)
        assert isinstance(attempt.result, Held), attempt.result
        assert not attempt.sent


# -- of several members, while nobody can lead -------------------------------------------------------------------------


def _led(server: DnsServer, epoch: int) -> None:
    """The last leader wrote the record."""
    name = marker_name(NAME)
    (text,) = server.dig(name, "TXT")
    short = name.removesuffix(f".{ZONE}")
    server.edit(f"delete {short} TXT", f"add {short} 5 TXT {text.replace(' types=', f' epoch={epoch} types=')}")


COORDINATION = """\
coordination:
  etcd: {endpoints: ["http://127.0.0.1:9"]}
  member: azure-1
  lease: 60s
  members: {azure-1: {network: azure}, oci-1: {network: oci}, aws-1: {network: aws}}
"""


@pytest.mark.parametrize(("known", "answers"), [(7, [EAST]), (6, [WEST, EAST])])
async def test_a_person_takes_out_what_is_down_at_a_member_that_knew_the_last_leader(
    bind_server: DnsServer, tmp_path: Path, known: int, answers: list[str]
) -> None:
    file = tmp_path / "out.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await published(here, tmp_path / "first.plan")
        _led(bind_server, epoch=7)
        async with open_journal(here.folder / "journal.db") as journal:
            await journal.update_status([MembersStatus(1_000.0, "azure-1", leader="oci-1", epoch=known)])
        here.config.write_text(here.config.read_text() + COORDINATION)
        await here.break_region("west")
        code, printed = await here.control("plan", "--out", str(file))
        assert code == (FINE if known < 7 else PENDING), printed
        _, printed = await here.control("apply", str(file))
        assert bind_server.dig(NAME, "A") == answers, printed
