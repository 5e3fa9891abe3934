"""The demo as a newcomer, and a program, runs it."""

import asyncio
import json
import signal
import sys
import time
from typing import Any

from support.servers import program


async def demo(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "failoverd",
        "demo",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_demo_prints_one_json_object_and_nothing_else() -> None:
    started = time.monotonic()
    process = await demo("--output", "json")
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complaints) == (0, b"")
    assert time.monotonic() - started < 60
    told: dict[str, Any] = json.loads(printed)
    assert set(told) == {"policy", "record", "fault_at", "answer_changed_after_s", "shares", "changes", "dns"}
    assert told["dns"]["address"] == "127.0.0.1"
    assert told["shares"]["before"]["azure-eastus"] > 0.3
    assert told["shares"]["during"]["azure-eastus"] == 0
    assert told["shares"]["after"]["azure-eastus"] > 0.3
    assert [change["event"] for change in told["changes"]] == ["change.applied"] * 3
    assert [change["generation"] for change in told["changes"]] == [1, 2, 3]
    assert 0 < told["answer_changed_after_s"] < 20


async def test_the_demo_tells_its_story_to_a_pipe_and_stays_up_for_dig() -> None:
    process = await demo("--keep-running")
    assert process.stdout is not None
    told: list[str] = []
    async with asyncio.timeout(90):
        while not (told and "still running" in told[-1]):
            line = await process.stdout.readline()
            assert line, "\n".join(told)
            told.append(line.decode())
    story = "".join(told)
    assert "region azure-eastus is down" in story
    assert "incident" in story
    port = told[-1].split("-p ")[1].split()[0]
    dig = await asyncio.create_subprocess_exec(
        program("dig"), "+short", "@127.0.0.1", "-p", port, "api.demo.test", "A", stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await asyncio.wait_for(dig.communicate(), 10)
    assert answer.startswith(b"127.86.0.")
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 0
