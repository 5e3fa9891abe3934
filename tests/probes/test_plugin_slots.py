"""Plugins whose start hangs: on a disk that does not answer, or because this process gets no more threads."""

import asyncio
import threading
from pathlib import Path

import pytest
from support.alarms import until
from support.plugins import ENDPOINT, Disk, children, hanging, outcome
from support.probers import AwaitedProber, prober

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import ProbeResult
from failoverd.probes.exec_check.plugin_slots import MOST_AT_ONCE

SLEEPS = "#!/bin/sh\nexec sleep 60\n"


pytestmark = pytest.mark.usefixtures("nothing_runs_on")


def starters() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "plugin"]


def check(disk: Disk, timeout: str) -> AwaitedProber:
    return prober("exec", [str(disk.program)], timeout=timeout)


async def test_a_start_that_hangs_is_blind_and_what_comes_of_it_is_killed(plugins: Path) -> None:
    with hanging(plugins / "check", SLEEPS) as disk:
        result = await check(disk, "500ms").probe(ENDPOINT)
        assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNUSABLE)
        assert result.detail.startswith("its start hangs")
        assert children()
        disk.back()
        await until(lambda: not children())


async def test_other_plugins_run_while_a_start_hangs(plugins: Path) -> None:
    told = list[ProbeResult]()
    with hanging(plugins / "check", SLEEPS) as disk:
        abandon = check(disk, "60s").prober.start(ENDPOINT, told.append)
        await until(children)
        assert [(await outcome("exit 0")).reason for _ in range(3)] == [ProbeReason.OK] * 3
        abandon()
        disk.back()
        await until(lambda: not children())
    assert told == []


async def test_of_one_program_one_start_hangs_at_a_time(plugins: Path) -> None:
    with hanging(plugins / "check", "#!/bin/sh\n") as disk:
        awaited = check(disk, "1s")
        probes = [asyncio.create_task(awaited.probe(ENDPOINT)) for _ in range(2 * MOST_AT_ONCE)]
        await until(children)
        assert (await outcome("exit 0", timeout="10s")).reason is ProbeReason.OK
        assert {each.reason for each in await asyncio.gather(*probes)} == {ProbeReason.PLUGIN_UNUSABLE}
        assert len(children()) == len(starters()) == 1
        disk.back()
        await until(lambda: not children())
        assert (await check(disk, "10s").probe(ENDPOINT)).reason is ProbeReason.OK


async def test_a_start_that_fails_too_late_gives_its_slot_back(plugins: Path) -> None:
    for number in range(MOST_AT_ONCE + 1):
        with hanging(plugins / f"check{number}", "\x7fELF nonsense") as disk:
            abandon = check(disk, "60s").prober.start(ENDPOINT, lambda _: None)
            await until(children)
            abandon()
    assert (await outcome("exit 0", timeout="10s")).reason is ProbeReason.OK
    await until(lambda: not children() and not starters())


async def test_a_start_that_outlives_the_event_loop_leaves_nothing(plugins: Path) -> None:
    with hanging(plugins / "check", SLEEPS) as disk:

        async def begin() -> None:
            check(disk, "60s").prober.start(ENDPOINT, lambda _: None)
            await until(children)

        def live() -> None:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(begin())

        loop = type(asyncio.get_running_loop())
        await asyncio.to_thread(live)
        assert children()
        (starter,) = starters()
        disk.back()
        await asyncio.to_thread(starter.join, 10)
        assert children() == set()


async def test_a_process_without_threads_is_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        results = [await outcome("exit 0") for _ in range(MOST_AT_ONCE + 1)]
    assert {each.reason for each in results} == {ProbeReason.PLUGIN_UNUSABLE}
    assert results[0].detail == "it cannot be started: Resource temporarily unavailable"
    assert (await outcome("exit 0")).reason is ProbeReason.OK
