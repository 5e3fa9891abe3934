"""`plan` and `apply` are asked of a daemon where one is, done here where none is, and never in silence between."""

import asyncio
import json
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
from support.api import ME, heard
from support.commands import POLICY, answered, deaf, written
from support.journals import plan

from failoverd.api.client import Client
from failoverd.api.shapes import StatusTold
from failoverd.cli.daemon_first import DaemonQuestion
from failoverd.cli.options import Output
from failoverd.codec import dump
from failoverd.operations.planning import PLAN_VERSION, PlanFile, PlannedChange

FINE, FAILED, UNREACHABLE = 0, 1, 12
PLAN = dump(PlanFile(PLAN_VERSION, 0.0, "alice", (PlannedChange(plan()),)))


async def test_the_daemon_is_asked_and_the_answer_says_so_to_people_alone(tmp_path: Path) -> None:
    config = written(tmp_path)
    async with heard(tmp_path) as here:
        told = await answered("plan", "inference-api", "--return", "oci", "--config", config)
        plain = await answered("plan", "--output", "json", "--config", config)
    assert here.plans.asked == [(("inference-api",), ("oci",)), ((), ())]
    assert (told.code, "FAILED (unreachable): no route" in told.said) == (FAILED, True)
    assert f"note: by the daemon at {tmp_path}/api.sock" in told.err
    assert (json.loads(plain.out)[1]["reason"], "by the daemon" in plain.err) == ("unreachable", False)


async def test_what_the_daemon_has_loaded_is_told_where_the_files_say_something_else(tmp_path: Path) -> None:
    """The paper daemon has loaded policy inference-api, and the folder holds shop alone."""
    config = written(tmp_path)
    (tmp_path / "policies" / "half.yaml").write_text("version: 1\npolicy: inference-api\n")
    async with heard(tmp_path):
        told = await answered("plan", "--config", config)
    assert "policy inference-api is taken as the daemon has loaded it, revision 1: its file does not load" in told.err
    assert f"policy shop is not planned for: the daemon has not loaded {tmp_path}/policies/shop.yaml" in told.err
    assert "nothing is planned for what does not load" not in told.err


async def test_an_edit_that_the_daemon_has_not_taken_up_is_told_with_both_revisions(tmp_path: Path) -> None:
    config = written(tmp_path, {"api.yaml": POLICY.replace("policy: shop", "policy: inference-api")})
    async with heard(tmp_path):
        told = await answered("plan", "inference-api", "--config", config)
    assert re.search(r"revision 1: \S+/policies/api.yaml is at revision \w{12} by now, which it has not", told.err), (
        told.err
    )


async def test_a_plan_is_applied_by_the_daemon_and_its_file_is_what_it_takes(tmp_path: Path) -> None:
    config, file = written(tmp_path), tmp_path / "change.plan"
    file.write_text(PLAN)
    async with heard(tmp_path) as here:
        told = await answered("apply", file, "--config", config)
    ((changes, actor),) = here.plans.applied
    assert (told.code, actor, list(changes)) == (FINE, ME, json.loads(PLAN)["changes"]), told.said


async def test_with_the_daemon_left_aside_it_is_done_here(tmp_path: Path) -> None:
    config = written(tmp_path)
    async with heard(tmp_path) as here:
        told = await answered("plan", "nosuch", "--without-daemon", "--config", config)
    assert (told.code, here.plans.asked) == (FAILED, [])
    assert "there is no sound policy 'nosuch'" in told.said


@pytest.mark.parametrize("place", [None, "dead"])
async def test_where_no_daemon_is_it_is_done_here(tmp_path: Path, place: str | None) -> None:
    config = written(tmp_path)
    if place is not None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "api.sock"))  # and its daemon dies
    told = await answered("plan", "nosuch", "--config", config)
    assert (told.code, "there is no sound policy 'nosuch'" in told.said) == (FAILED, True), told.said


async def test_a_daemon_that_does_not_answer_is_said_to_be_there_with_the_way_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.cli.daemon_first.KNOCKING", 0.1)
    config, file = written(tmp_path), tmp_path / "change.plan"
    file.write_text(PLAN)
    with deaf(tmp_path / "api.sock"):
        for words in (("plan",), ("apply", str(file))):
            told = await answered(*words, "--config", config)
            assert (told.code, "does not answer" in told.said) == (UNREACHABLE, True), told.said
            assert "--without-daemon does it in this process" in told.err
        told = await answered("plan", "nosuch", "--without-daemon", "--config", config)
        assert (told.code, "policy_unknown" in told.said) == (FAILED, True), told.said


async def test_a_daemon_that_falls_silent_while_it_is_asked_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.cli.daemon_first.KNOCKING", 0.2)
    config = written(tmp_path)
    async with heard(tmp_path) as here:
        here.plans.stuck = asyncio.Event()
        asking = asyncio.create_task(answered("plan", "--config", config))
        await here.plans.begun.wait()
        (tmp_path / "api.sock").rename(tmp_path / "moved.sock")
        with deaf(tmp_path / "api.sock"):
            told = await asking
    assert (told.code, "does not answer" in told.said) == (UNREACHABLE, True), told.said


async def test_who_may_not_use_the_socket_is_told_who_may_and_the_way_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut(_: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    config = written(tmp_path)
    async with heard(tmp_path):
        monkeypatch.setattr("failoverd.api.client.connected", shut)
        told = await answered("plan", "--config", config)
    assert (told.code, "socket_forbidden" in told.err, "--without-daemon" in told.err) == (FAILED, True, True)


async def test_a_daemon_that_has_too_many_to_plan_for_says_so(tmp_path: Path) -> None:
    config = written(tmp_path)
    async with heard(tmp_path) as here:
        here.plans.crowded = True
        told = await answered("plan", "--config", config)
    assert (told.code, "too_many_plans" in told.err, "--without-daemon" in told.err) == (FAILED, True, True)


async def test_who_interrupts_what_the_daemon_applies_is_told_that_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path)

    async def ctrl_c(_: Client) -> StatusTold:
        raise KeyboardInterrupt

    def interrupted(*, goes_on: bool) -> str:
        with suppress(KeyboardInterrupt):
            DaemonQuestion(config, Output.TEXT, goes_on=goes_on).put(ctrl_c)
        return capsys.readouterr().err

    async with heard(tmp_path):
        assert "the daemon goes on with it" in await asyncio.to_thread(interrupted, goes_on=True)
        assert await asyncio.to_thread(interrupted, goes_on=False) == ""
