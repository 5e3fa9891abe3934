"""What the admin API answers over its socket, and what it keeps of it."""

import asyncio
import json
import os
import socket
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from support.api import DEFECT, ILL, ME, NOW, NOWHERE, House, PaperDesk, exchanged, heard
from support.journals import apply, incident

from failoverd.api.service import _described
from failoverd.api.telling import audit_told
from failoverd.core.errors import JournalError
from failoverd.core.events import JournalFailed, RequestRefused
from failoverd.ports import AuditEntry
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading

DRAIN = {"verb": "drain", "scope": {"regions": ["oci-*"]}, "reason": "it burns", "for_seconds": 3600}
root = pytest.mark.skipif(os.getuid() != 0, reason="only root may say who is behind it")
ALL = {"verb": "pause", "scope": {}, "reason": "it burns", "for_seconds": 600}


async def give(here: House, body: object = None, key: str = "k-1", **headers: str) -> tuple[int, dict[str, object]]:
    return await here.ask("POST", "/v1/overrides", DRAIN if body is None else body, Idempotency_Key=key, **headers)


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_the_status_has_times_of_rfc_3339_and_shares_that_name_their_unit(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, told = await here.ask("GET", "/v1/status")
    assert status == 200
    assert (told["schema"], told["at"]) == (1, "2025-12-01T03:12:00.000Z")
    assert told["headline"] == told["glance"]["headline"] != ""
    assert told["daemon"]["pid"] == 42
    assert told["regions"][0]["score_bp"] == 2_500
    (target,) = told["targets"]
    assert (target["published_bp"], target["until"]) == ({"oci-ashburn": 10_000}, "2025-12-01T03:12:09.000Z")
    assert target["target"]["record"] == "api.example.com"
    assert [each["endpoint"] for each in told["endpoints"]] == ["192.0.2.11:443", "192.0.2.10:443"]


async def test_a_status_is_made_once_for_a_crowd_and_anew_after_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.api.service._FRESH", 60.0)
    async with heard(tmp_path) as here:
        answers = await asyncio.gather(*(here.ask("GET", "/v1/status") for _ in range(8)))
        assert len(here.looks) == 1
        assert all(answer == answers[0] for answer in answers)
        await give(here)
        _, told = await here.ask("GET", "/v1/status")
    assert [word["id"] for word in told["overrides"]] == ["drain-00000000"]


async def test_who_looks_at_words_gets_a_part_of_the_time_that_decisions_are_made_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        await give(here, ALL, "k-2")
        slept, sleep = list[float](), asyncio.sleep

        async def counted(seconds: float) -> None:
            slept.append(seconds)
            await sleep(0)

        monkeypatch.setattr("failoverd.api.service._REST", 1e9)
        monkeypatch.setattr("failoverd.api.service.asyncio.sleep", counted)
        for name in ("drain-00000000", "drain-00000000", "pause-00000001"):
            assert (await here.ask("GET", f"/v1/overrides/{name}"))[1]["override"]["id"] == name
    assert [seconds > 0 for seconds in slept if seconds] == [False, True], "the second one was told what was seen"


async def test_the_document_is_made_when_somebody_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[str]()

    def make() -> dict[str, str]:
        made.append("once")
        return {"openapi": "3.1.0"}

    monkeypatch.setattr("failoverd.api.service.document", make)
    monkeypatch.setattr("failoverd.api.service._described", cache(_described.__wrapped__))
    async with heard(tmp_path) as here:
        assert made == []  # it would take as long as all else that a start waits for, loading left out
        for _ in range(2):
            assert await here.ask("GET", "/v1/openapi.json") == (200, {"openapi": "3.1.0"})
    assert made == ["once"]


async def test_healthy_endpoints_may_be_left_out(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        _, told = await here.ask("GET", "/v1/status?healthy=false")
        assert (await here.ask("GET", "/v1/status?healthy=perhaps"))[0] == 422
    assert [each["endpoint"] for each in told["endpoints"]] == [ILL.endpoint]


async def test_history_and_why_are_those_of_the_journal(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        assert (await here.ask("GET", "/v1/why"))[1]["reason"] == "no_change"
        await apply(here.journal, 1)
        await here.journal.record(incident(1.0))
        _, past = await here.ask("GET", "/v1/history?policy=inference-api&limit=5")
        _, found = await here.ask("GET", "/v1/why?incident=inc-1")
        _, early = await here.ask("GET", "/v1/why?at=1970-01-01T00:00:10Z")
        refused = await here.ask("GET", "/v1/history?policy=inference-apo")
        lost = await here.ask("GET", "/v1/why?incident=inc-2")
        slip = await here.ask("GET", "/v1/why?record=api.exmaple.com")
        before = await here.ask("GET", "/v1/why?at=1970-01-01T00:00:00Z")
    (change,) = past["changes"]
    assert (change["change_id"], change["to_bp"]) == ("chg-1", {"oci-ashburn": 10_000})
    assert change["at"] == "1970-01-01T00:00:01.500Z"
    assert found["change"]["change_id"] == early["change"]["change_id"] == "chg-1"
    assert found["events"][0]["at"] == "1970-01-01T00:00:01.000Z"
    assert (refused[0], refused[1]["reason"]) == (404, "policy_unknown")
    assert "inference-api" in refused[1]["detail"]
    assert (lost[0], lost[1]["reason"]) == (404, "incident_unknown")
    assert (slip[0], slip[1]["reason"], "api.example.com" in slip[1]["detail"]) == (404, "record_unknown", True)
    assert (before[0], before[1]["reason"], "that moment" in before[1]["detail"]) == (404, "no_change", True)


@pytest.mark.parametrize(
    "query", ["?nothing=1", "?limit=0", "?limit=10001", "?limit=x", "?since=yesterday", "?since=2026-12-01T00:00:00"]
)
async def test_a_query_that_nobody_can_mean_is_refused(tmp_path: Path, query: str) -> None:
    async with heard(tmp_path) as here:
        status, told = await here.ask("GET", f"/v1/history{query}")
        twice = await here.ask("GET", "/v1/history?limit=1&limit=2")
    assert (status, told["reason"]) == (422, "query_invalid")
    assert twice[0] == 422


async def test_what_is_not_there_says_what_is(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        missing = await here.ask("GET", "/v2/status")
        status, headers, _ = await here.answer("DELETE", "/v1/overrides")
        trailing = await here.ask("GET", "/v1/status/")
    assert (missing[0], missing[1]["reason"]) == (404, "path_unknown")
    assert (status, headers["Allow"], headers["Content-Type"]) == (405, "GET, POST", "application/problem+json")
    assert trailing[0] == 404


async def test_a_journal_that_cannot_be_read_keeps_nobody_from_the_status(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        here.path.unlink()
        assert (await here.ask("GET", "/v1/status"))[0] == 200
        status, told = await here.ask("GET", "/v1/history")
    assert (status, told["reason"]) == (503, "journal_missing")


# -- words -------------------------------------------------------------------------------------------------------------


async def test_a_word_is_given_in_the_name_of_the_peer_and_shown_with_what_it_does(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, told = await give(here)
        name = told["override"]["id"]  # type: ignore[index]
        _, one = await here.ask("GET", f"/v1/overrides/{name}")
        _, several = await here.ask("GET", "/v1/overrides")
    assert status == 200
    assert told["override"]["actor"] == ME  # type: ignore[index]
    assert (told["kept"], told["dry_run"], told["notes"]) == (True, False, ["1 write was on its way"])
    assert one["override"] == told["override"]
    assert several["overrides"] == [{**told["override"], "records": 0}], "this daemon has none"  # type: ignore[dict-item]
    assert one["override"]["state"] == "in_force"
    assert one["override"]["about"] == "region oci-*"
    assert one["effects"][0]["after_bp"] == {"oci-ashburn": 10_000}
    assert one["effects"][1]["kind"] is None


@root
async def test_root_may_say_who_is_behind_sudo(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        _, told = await give(here, Failoverd_User="alice")
        _, forged = await give(here, key="k-2", Failoverd_User="alice@elsewhere")
    assert told["override"]["actor"] == f"alice@{socket.gethostname()}"  # type: ignore[index]
    assert forged["override"]["actor"] == ME  # type: ignore[index]


async def test_a_dry_run_gives_nothing(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        _, told = await give(here, {**DRAIN, "dry_run": True})
        assert (told["dry_run"], here.desk.given) == (True, 0)


async def test_a_word_is_extended_agreed_to_and_released(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        where = "/v1/overrides/drain-00000000"
        longer = {"for_seconds": 7200, "comment": "it still burns"}
        _, extended = await here.ask("POST", f"{where}/extend", longer, Idempotency_Key="a")
        _, agreed = await here.ask("POST", f"{where}/agree", {"comment": "yes"}, Idempotency_Key="b")
        _, released = await here.ask("POST", f"{where}/release", {"comment": "it is out"}, Idempotency_Key="c")
        over = await here.ask("POST", f"{where}/release", {"comment": "again"}, Idempotency_Key="d")
        unknown = await here.ask("POST", "/v1/overrides/pin-0/release", {"comment": "x"}, Idempotency_Key="e")
    assert extended["override"]["until"] == "2025-12-01T05:12:00.000Z"
    assert extended["override"]["comments"][1]["text"] == "it still burns"
    assert agreed["override"]["agreed"] == [ME]
    assert (released["override"]["state"], released["override"]["ended_by"]) == ("over", ME)
    assert (over[0], over[1]["reason"], over[1]["remedy"]) == (409, "override_over", "give it again")
    assert (unknown[0], unknown[1]["reason"]) == (404, "override_unknown")


async def test_words_of_a_scope_and_lost_ones_are_released_together(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        await give(here, ALL, "k-2")
        body = {"scope": {}, "comment": "all well"}
        _, drains = await here.ask("POST", "/v1/release", {**body, "verb": "drain"}, Idempotency_Key="a")
        _, rest = await here.ask("POST", "/v1/release", body, Idempotency_Key="b")
        _, lost = await here.ask("POST", "/v1/release", {**body, "lost": True}, Idempotency_Key="c")
    assert [word["id"] for word in drains["released"]] == ["drain-00000000"]
    assert [word["id"] for word in rest["released"]] == ["pause-00000001"]
    assert (lost["released"], lost["lost"]) == ([], ["drain-0badcafe"])


async def test_what_was_given_up_before_it_was_begun_is_not_done_late(tmp_path: Path) -> None:
    """A daemon that stood still for minutes finds a pause, its release and an undo at once, and nobody waits."""
    async with heard(tmp_path) as here:
        await here.ask("GET", "/v1/overrides")  # who asks is known from now on, so what comes next is begun at once
        body = json.dumps(ALL).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        head = f"POST /v1/overrides HTTP/1.1\r\nHost: here\r\n{kind}"
        for number in range(10):  # these block, so the daemon stands still meanwhile
            with socket.socket(socket.AF_UNIX) as gone:
                gone.connect(str(here.socket))
                gone.sendall(f"{head}\r\nIdempotency-Key: late-{number}\r\n\r\n".encode() + body)
        _, told = await here.ask("GET", "/v1/overrides")
        assert told["overrides"] == []
        status, _ = await here.ask("POST", "/v1/overrides", ALL, Idempotency_Key="late-0")
        assert status == 200


async def test_a_change_is_taken_back(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        body = {"change_id": "chg-1", "reason": "too early", "for_seconds": 600}
        _, told = await here.ask("POST", "/v1/undo", body, Idempotency_Key="a")
        unknown = await here.ask("POST", "/v1/undo", {**body, "change_id": "chg-2"}, Idempotency_Key="b")
    assert (told["override"]["undoes"], told["override"]["shares_bp"]) == ("chg-1", {"oci-ashburn": 10_000})
    assert (unknown[0], unknown[1]["reason"]) == (404, "change_unknown")


async def test_files_are_read_again_and_what_was_refused_is_told(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, told = await here.ask("POST", "/v1/reload", {}, Idempotency_Key="a")
    assert (status, told["refused_files"], len(here.reloads)) == (
        200,
        [{"file": "new.yaml", "error": "FD201", "place": ""}],
        1,
    )


async def test_what_stands_against_a_word_is_told_as_the_desk_says_it(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, headers, told = await here.answer(
            "POST", "/v1/overrides", {**DRAIN, "scope": {"regions": [NOWHERE]}}, Idempotency_Key="a"
        )
    assert (status, told["reason"], told["remedy"]) == (422, "override_refused", "drain another one")
    assert (told["title"], told["status"], told["type"]) == ("Unprocessable Content", 422, "about:blank")
    assert headers["Content-Type"] == "application/problem+json"


async def test_a_defect_costs_one_answer_and_is_told(tmp_path: Path) -> None:
    told = list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with heard(tmp_path) as here:
        status, answer = await give(here, {**DRAIN, "scope": {"policies": [DEFECT]}})
        assert (status, answer["reason"]) == (500, "internal_error")
        assert [str(each["exception"]) for each in told] == ["a defect of ours"]
        assert (await give(here))[0] == 200, "the key of what failed may be used again"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 10_000, 400),
        (b"[]", 422),
        (b"", 400),
        ({**DRAIN, "verb": "explode"}, 422),
        ({**DRAIN, "for_seconds": 1e9}, 422),
        ({**DRAIN, "for_seconds": "1h"}, 422),
        ({**DRAIN, "reason": ""}, 422),
        ({**DRAIN, "reason": "two\nlines"}, 422),
        ({**DRAIN, "scope": {"region": ["oci"]}}, 422),
        ({**DRAIN, "more": 1}, 422),
        (json.dumps(DRAIN).replace("3600", "NaN").encode(), 422),
        (json.dumps(DRAIN).replace("{", '{"verb": "pause", ', 1).encode(), 422),
    ],
)
async def test_a_body_that_cannot_be_understood_changes_nothing_and_is_not_repeated(
    tmp_path: Path, body: object, status: int
) -> None:
    async with heard(tmp_path) as here:
        found, told = await give(here, body)
        with HistoryReading(here.path) as reading:
            (row,) = reading.audit()
    assert (found, told["reason"], here.desk.given) == (status, "body_invalid", 0)
    assert "explode" not in str(told["detail"])
    assert (row.status, row.actor, row.key) == (status, ME, "")


async def test_a_command_says_what_it_is_and_has_a_key(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        unnamed = await here.ask("POST", "/v1/overrides", DRAIN)
        strange = await give(here, key="two words")
        text = await give(here, Content_Type="text/plain")
    assert (unnamed[0], unnamed[1]["reason"]) == (400, "key_missing")
    assert strange[0] == 400
    assert text[0] == 415


# -- once --------------------------------------------------------------------------------------------------------------


async def test_a_command_that_is_repeated_is_done_once_also_after_a_restart(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        first = await give(here)
        assert await give(here) == first
        assert here.desk.given == 1
    async with heard(tmp_path) as here:
        assert await give(here) == first
        assert here.desk.given == 0


async def test_a_refusal_is_repeated_as_it_was(tmp_path: Path) -> None:
    body = {**DRAIN, "scope": {"regions": [NOWHERE]}}
    async with heard(tmp_path) as here:
        assert await give(here, body) == await give(here, body)


async def test_a_key_that_named_another_command_is_refused_and_told(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        other = await give(here, ALL)
        elsewhere = await here.ask("POST", "/v1/reload", {}, Idempotency_Key="k-1")
        (told, _) = [event for event in here.events if isinstance(event, RequestRefused)]
    async with heard(tmp_path) as here:
        late = await give(here, ALL)
    assert (other[0], other[1]["reason"]) == (422, "key_reused")
    assert elsewhere[1]["reason"] == late[1]["reason"] == "key_reused"
    assert (told.actor, told.request, told.status) == (ME, "POST /v1/overrides", 422)


@root
async def test_keys_of_different_people_are_different_keys(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here, Failoverd_User="alice")
        status, told = await give(here, ALL, Failoverd_User="bob")
    assert (status, told["override"]["verb"]) == (200, "pause")  # type: ignore[index]


async def test_who_asks_again_while_it_is_done_gets_the_same_answer(tmp_path: Path) -> None:
    desk = PaperDesk(stuck=asyncio.Event())
    async with heard(tmp_path, desk=desk) as here:
        several = [asyncio.create_task(give(here)) for _ in range(4)]
        await desk.asked.wait()
        other = await give(here, ALL)  # with the key of what is under way
        assert desk.stuck is not None
        desk.stuck.set()
        answers = await asyncio.gather(*several)
    assert other[1]["reason"] == "key_reused"
    assert answers == [answers[0]] * 4
    assert (answers[0][0], desk.given) == (200, 1)


async def test_what_takes_too_long_goes_on_and_is_answered_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = PaperDesk(stuck=asyncio.Event())
    async with heard(tmp_path, desk=desk) as here:
        with monkeypatch.context() as hurried:
            hurried.setattr("failoverd.api.service.ANSWERING", 0.05)
            status, told = await give(here)
        assert (status, told["reason"]) == (503, "still_working")
        assert desk.stuck is not None
        desk.stuck.set()
        assert (await give(here))[0] == 200
        assert desk.given == 1


# -- two operators -----------------------------------------------------------------------------------------------------


@root
async def test_the_second_operator_is_told_of_the_first(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        _, headers, nothing = await here.answer("GET", "/v1/overrides")
        assert headers["ETag"] == f'"{nothing["version"]}"'
        assert (await give(here, Failoverd_User="alice", If_Match=headers["ETag"]))[0] == 200
        status, told = await give(here, ALL, "k-2", If_Match=headers["ETag"])
        _, headers, _ = await here.answer("GET", "/v1/overrides")
        assert (await give(here, ALL, "k-3", If_Match=headers["ETag"]))[0] == 200
        stale = await give(here, ALL, "k-4", If_Match=headers["ETag"])
    assert (status, told["reason"]) == (409, "override_conflict")
    assert f"drain-00000000 of region oci-*, by alice@{socket.gethostname()}: it burns" in str(told["detail"])
    assert stale[0] == 409


async def test_of_two_at_once_who_rest_on_the_same_words_one_is_heard(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        _, headers, _ = await here.answer("GET", "/v1/overrides")
        two = (give(here, ALL, f"k-{number}", If_Match=headers["ETag"]) for number in range(2))
        assert sorted(status for status, _ in await asyncio.gather(*two)) == [200, 409]


# -- the audit trail ---------------------------------------------------------------------------------------------------


@root
async def test_every_command_is_kept_with_who_what_and_how_it_ended(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here, Failoverd_User="alice")
        await give(here, {**DRAIN, "scope": {"regions": [NOWHERE]}}, "k-2")
        await here.ask("GET", "/v1/status")
        _, told = await here.ask("GET", "/v1/audit")
        _, alices = await here.ask("GET", f"/v1/audit?actor=alice@{socket.gethostname()}")
        _, older = await here.ask("GET", "/v1/audit?before=2&limit=1")
    first, second = told["requests"]
    assert (first["actor"], first["status"], first["detail"]) == (
        f"alice@{socket.gethostname()}",
        200,
        "drain-00000000",
    )
    assert (first["request"], first["key"], first["origin"]) == ("POST /v1/overrides", "k-1", f"pid {os.getpid()}")
    assert json.loads(first["body"])["reason"] == "it burns"
    assert (second["status"], second["reason"]) == (422, "override_refused")
    assert alices["requests"] == older["requests"] == [first]


async def test_a_journal_that_does_not_work_keeps_nobody_from_acting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with heard(tmp_path) as here:

        async def broken(*_: object) -> None:
            raise JournalError("no space left", reason="journal_full")

        monkeypatch.setattr(here.journal, "audit", broken)
        monkeypatch.setattr(here.journal, "asked", broken)
        status, told = await give(here)
        assert (status, told["kept"], here.desk.given) == (200, False, 1)
        assert (await give(here))[1] == told
        assert here.desk.given == 1
    assert [event.reason for event in here.events if isinstance(event, JournalFailed)] == ["journal_full"]


async def test_a_disk_that_stalls_makes_nobody_wait_for_what_was_asked_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with heard(tmp_path) as here:
        stalled = asyncio.Event()
        monkeypatch.setattr(here.journal, "asked", lambda *_: stalled.wait())
        monkeypatch.setattr("failoverd.api.trail._LOOKING", 0.01)
        assert (await give(here))[0] == 200


async def test_the_trail_is_append_only(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        async with open_journal(here.path) as other:
            for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
                with pytest.raises(JournalError, match="append-only"):
                    await other._write(lambda connection, said=statement: connection.execute(said))  # type: ignore[misc]
        with HistoryReading(here.path) as reading:
            assert len(reading.audit()) == 1


async def test_what_is_no_text_is_kept_as_well(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        raw = b"POST /v1/\xff\xfe HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
        await exchanged(here.socket, raw)
        await give(here, b"\xff\xfe\x00")
        await here.journal.audit(AuditEntry(NOW, "a\udcff", "", "", "", "", 200, ""))
        with HistoryReading(here.path) as reading:
            kept = reading.audit()
    assert [row.actor for row in kept] == [ME, "a\\udcff"]
    assert not [event for event in here.events if isinstance(event, JournalFailed)]


async def test_a_row_that_lost_bits_is_shown_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await give(here)
        with HistoryReading(here.path) as reading:
            (row,) = reading.audit()
        (told,) = audit_told([replace(row, answer='{"override": [')]).requests
    assert (told.status, told.reason, told.detail, told.at) == (200, "", "", NOW)
