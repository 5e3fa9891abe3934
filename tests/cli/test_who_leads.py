"""`failoverctl members` and `leader resign`: who of several members writes, and letting another one."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

from support.commands import written
from support.consoles import Console, console
from support.leaders import PaperLeader, but, members

from failoverd.core.events import LeaderElected
from failoverd.core.status import Heartbeat, MembersStatus, MemberStanding
from failoverd.operations.roll_call import ALONE
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose


def led(here: Console, told: MembersStatus | None = None) -> PaperLeader:
    here.crew.leader = PaperLeader(time.time, told or members(time.time()))
    return here.crew.leader


async def test_the_answer_is_who_leads_then_a_line_for_each_member(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here)
        told = await here.failoverctl("members")
    assert told.code == 0, told.said
    first, as_of, blank, head, *rows = told.out.decode().splitlines()
    assert first == "azure-1 leads in epoch 7; 3 of 3 members vote"
    assert re.fullmatch(r"as azure-1 knows it: for 2 h, coordinator heard \d+ s ago, lease 20s", as_of)
    assert (blank, head.split()) == ("", ["member", "network", "does", "votes", "heard", "version", "clock"])
    assert [row.split()[0] for row in rows] == ["aws-1", "azure-1", "oci-1"]
    assert "azure-1 (this)" in rows[1]
    assert rows[0].split()[1:4] == ["aws", "watches", "yes"]
    assert max(map(len, told.out.decode().splitlines())) <= 80


async def test_a_daemon_that_is_alone_says_so_and_that_is_well(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl("members")
        whole = await here.failoverctl("status")
    assert (told.code, told.out.decode()) == (0, f"{ALONE}\n")
    assert "leads" not in whole.out.decode()


async def test_a_member_that_is_silent_is_told_and_the_exit_code_says_that_it_is_taken_care_of(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        now = time.time()
        gone = {"standing": MemberStanding.SILENT, "heard_at": now - 240, "uncounted": "silent"}
        led(here, but(members(now), "oci-1", **gone))
        told = await here.failoverctl("members")
        whole = await here.failoverctl("status")
    assert told.code == whole.code == 3
    assert "azure-1 leads in epoch 7; 2 of 3 members vote" in told.out.decode()
    assert "oci-1 (oci) is silent (4 min)" in told.out.decode()
    assert "no: silent" in told.out.decode()
    assert "oci-1 (oci) is silent" in whole.out.decode()


async def test_when_almost_nobody_votes_a_person_is_needed(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = members(time.time())
        for name in ("oci-1", "aws-1"):
            told = but(told, name, standing=MemberStanding.UNHEARD, heard_at=None, uncounted="not heard of")
        led(here, told)
        answer = await here.failoverctl("members")
    assert answer.code == 4
    assert "1 of 3 members votes: no verdict on an endpoint changes" in " ".join(answer.out.decode().split())


async def test_members_with_other_policies_are_named_with_what_to_do(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here, but(members(time.time()), "oci-1", differing=("shop", "web")))
        told = await here.failoverctl("members")
        whole = await here.failoverctl("status")
    assert told.code == whole.code == 4
    assert "members have other policies than azure-1: oci-1 (shop, web); these votes do not count" in " ".join(
        told.out.decode().split()
    )
    assert "but of shop, web" in told.out.decode()
    assert "failoverctl reload" in told.out.decode()


async def test_without_a_coordinator_it_is_said_what_that_means_for_writes(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        now = time.time()
        lost = {
            "leads": False,
            "coordinated": False,
            "heard_at": now - 600,
            "trouble": "etcd at e:2379 does not answer",
        }
        led(here, members(now, **lost))
        held = await here.failoverctl("members")
    async with console(tmp_path / "lone") as here:
        led(here, members(now, **lost, lone=True))
        lone = await here.failoverctl("members")
        whole = await here.failoverctl("status")
    assert held.code == lone.code == whole.code == 4
    assert "azure-1 writes nothing: the coordinator does not answer" in held.out.decode()
    assert "etcd at e:2379 does not answer; it is asked again all the time" in " ".join(held.out.decode().split())
    assert "takes off what is down, and writes nothing else" in " ".join(lone.out.decode().split())
    assert "azure-1 takes off what is down" in whole.out.decode()


async def test_while_nobody_leads_that_is_a_persons_matter_once_it_lasts(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        now = time.time()
        nobody = but(members(now, leads=False, leader=""), "azure-1", standing=MemberStanding.FOLLOWS)
        led(here, replace(nobody, since=now - 10))
        young = await here.failoverctl("members")
    async with console(tmp_path / "later") as here:
        led(here, replace(nobody, since=now - 41))
        lasting = await here.failoverctl("members")
    assert (young.code, lasting.code) == (3, 4)
    assert "azure-1 writes nothing: nobody leads" in lasting.out.decode()


async def test_isolation_and_clocks_are_told(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        ill = but(members(time.time()), "oci-1", isolated=("IPv4",), uncounted="isolated", offset=40.0)
        led(here, ill)
        told = await here.failoverctl("members")
    said = " ".join(told.out.decode().split())
    assert told.code == 3
    assert "oci-1 (oci) does not trust its own network, and does not vote" in said
    assert "clocks differ from that of azure-1: that of oci-1 is 40s ahead" in said
    assert "+40.0s" in said


async def test_a_second_daemon_of_one_name_says_that_it_steps_back_and_for_whom(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here, but(members(time.time(), leads=False, twin="vm-7"), "azure-1", uncounted="a twin"))
        told = await here.failoverctl("members")
        whole = await here.failoverctl("status")
    said = " ".join(told.out.decode().split())
    assert told.code == whole.code == 4
    assert "azure-1 is another daemon already: this one writes nothing; 2 of 3 members vote" in said
    assert "another daemon, on vm-7, is azure-1 as well: this one neither votes nor leads" in said
    assert "stop one of the two, or give it a name of its own" in said
    assert max(map(len, told.out.decode().splitlines())) <= 80


async def test_members_that_were_told_something_else_of_the_members_are_named(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here, but(members(time.time()), "oci-1", otherwise=True))
        told = await here.failoverctl("members")
    said = " ".join(told.out.decode().split())
    assert told.code == 4
    assert "oci-1 was told something else of the members than azure-1" in said
    assert "have the same `coordination:` in each file" in said


async def test_who_does_not_hear_the_coordinator_calls_nobody_else_silent(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        now = time.time()
        told = members(now, leads=False, coordinated=False, heard_at=now - 600, trouble="etcd does not answer")
        for name in ("oci-1", "aws-1"):
            told = but(told, name, standing=MemberStanding.SILENT, heard_at=now - 600, uncounted="silent")
        led(here, told)
        answer = await here.failoverctl("members")
    said = " ".join(answer.out.decode().split())
    assert "the coordinator does not answer azure-1" in said
    assert "look at its machine" not in said


async def test_as_json_it_is_all_there_with_where_it_comes_from(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here)
        told = json.loads((await here.failoverctl("members", "--output", "json")).out)
    assert (told["level"], told["roster"]["leader"], told["roster"]["epoch"]) == ("well", "azure-1", 7)
    assert told["source"]["from"] == "daemon"
    assert [each["standing"] for each in told["roster"]["members"]] == ["watches", "leads", "follows"]
    assert told["roster"]["members"][2]["offset_seconds"] == -0.02


async def test_with_the_daemon_dead_and_nothing_told_of_members_nobody_is_said_to_be_alone(tmp_path: Path) -> None:
    config = written(tmp_path)
    async with open_journal(tmp_path / "journal.db", words=prose.told) as journal:
        await journal.update_status([Heartbeat(time.time() - 300, 42, time.time() - 900, "1.2.3", "running")])
    told = await Console(config, None, []).failoverctl("members")  # type: ignore[arg-type]  # nobody works
    assert told.code == 12
    assert "not known, for no daemon is at work; it told of no members" in " ".join(told.out.decode().split())
    assert ALONE not in told.out.decode()


async def test_with_the_daemon_dead_its_journal_says_who_led_last(tmp_path: Path) -> None:
    config = written(tmp_path)
    now = time.time()
    async with open_journal(tmp_path / "journal.db", words=prose.told) as journal:
        await journal.update_status([Heartbeat(now - 300, 42, now - 900, "1.2.3", "running"), members(now - 300)])
    here = Console(config, None, [])  # type: ignore[arg-type]  # nobody works
    told = await here.failoverctl("members")
    assert told.code == 12
    assert "it was so last: azure-1 leads in epoch 7" in " ".join(told.out.decode().split())


async def test_history_of_a_name_that_no_member_has_or_had_says_which_ones_there_are(tmp_path: Path) -> None:
    config, now = written(tmp_path), time.time()
    async with open_journal(tmp_path / "journal.db", words=prose.told) as journal:
        await journal.update_status([Heartbeat(now, 42, now - 900, "1.2.3", "running"), members(now)])
        await journal.record([LeaderElected(at=now - 60, leader="azure-0", epoch=1, mine=True, told_by="azure-0")])
    here = Console(config, None, [])  # type: ignore[arg-type]  # nobody works
    slip = await here.failoverctl("history", "--member", "azure-2")
    for known in ("azure-1", "azure-0"):  # one that is there, and one that told something once
        told = await here.failoverctl("history", "--member", known)
        assert "there is no member" not in told.said, told.said
    assert slip.code == 2
    assert "there is no member 'azure-2'; did you mean \"azure-1\"?; failoverctl members names them" in " ".join(
        slip.err.split()
    )


async def test_a_daemon_answers_for_a_name_that_no_member_has_that_there_is_none(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl("history", "--member", "azure-2")
    assert told.code == 2
    assert "there is no member 'azure-2'" in told.err


async def test_a_follower_says_whom_it_follows(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        led(here, members(time.time(), member="oci-1", leads=False))
        told = await here.failoverctl("status", "--verbose")
    assert "oci-1 follows azure-1, which leads in epoch 7; 3 of 3 members vote" in told.out.decode()


# -- letting another one lead ------------------------------------------------------------------------------------------


async def test_the_leader_resigns_for_a_reason_and_who_leads_then_is_told(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        leader = led(here)
        told = await here.failoverctl("leader", "resign", "--reason", "a new disk", "--for", "5m")
    assert told.code == 0, told.said
    assert "azure-1 leads no more; until " in told.out.decode()
    assert "oci-1 leads in epoch 8" in told.out.decode()
    assert leader.abstained == 300.0
    assert leader.causes[0].endswith("asked it to resign: a new disk")
    with HistoryReading(tmp_path / "journal.db") as reading:
        (asked,) = reading.audit(actor=None, before=None, limit=10)
    assert (asked.request, asked.status) == ("POST /v1/leader/resign", 200)
    assert "a new disk" in asked.body


async def test_who_does_not_lead_cannot_resign_and_says_who_does(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        leader = led(here, members(time.time(), member="oci-1", leads=False))
        told = await here.failoverctl("leader", "resign", "--reason", "a new disk")
        alone = led(here, MembersStatus(time.time()))
        lonely = await here.failoverctl("leader", "resign", "--reason", "a new disk")
    assert (told.code, lonely.code) == (1, 1)
    assert "oci-1 does not lead: azure-1 does" in told.err
    assert "its configuration names no other members" in lonely.err
    assert leader.causes == alone.causes == []


async def test_nobody_resigns_where_nobody_else_could_lead_unless_that_is_wanted(tmp_path: Path) -> None:
    """A vantage does not count."""
    async with console(tmp_path) as here:
        silent = but(members(time.time()), "oci-1", standing=MemberStanding.SILENT)
        leader = led(here, silent)
        refused = await here.failoverctl("leader", "resign", "--reason", "a new disk")
        done = await here.failoverctl("leader", "resign", "--reason", "a new disk", "--anyway")
    assert (refused.code, done.code) == (1, 0)
    assert "no other member is heard of that could lead instead of azure-1" in refused.err
    assert len(leader.causes) == 1


async def test_a_reason_is_asked_for(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        leader = led(here)
        told = await here.failoverctl("leader", "resign")
    assert told.code == 2
    assert "say why" in told.err
    assert leader.causes == []
