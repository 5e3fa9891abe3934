"""The demo as a newcomer, and a program, runs it."""

import asyncio
import fcntl
import io
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import termios
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from support.embedded_dns import serving
from support.forked import Forked, forked
from support.servers import free_port, program

from failoverd.cli.demo import demo_verb, scenario, surroundings, tiers
from failoverd.cli.demo.surroundings import DnsClient, free_ports
from failoverd.cli.demo.view import Silence
from failoverd.cli.options import Output
from failoverd.core.errors import FailoverdError
from failoverd.core.events import DaemonStopped

pytestmark = pytest.mark.server

INTERRUPTED = 130
ROWS, COLUMNS = 40, 120
SIZES = ("COLUMNS", "LINES")
REGIONS = ("azure-eastus", "oci-frankfurt", "aws-use1")


PATIENCE = 300.0
"""Seconds. The demo has a patience of its own, 20 s for each step, and says what did not come."""


async def demo(*words: str, output: int = asyncio.subprocess.PIPE) -> Forked:
    """On a port of its own unless `words` name one: other tests may play it at the same moment."""
    port = () if "--port" in words else ("--port", str(free_port()))
    return await forked(
        *("failoverd", "demo", *words, *port),
        stdin=asyncio.subprocess.DEVNULL,  # as wide as its output is, not as the terminal of who runs the tests
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
        env={**{name: value for name, value in os.environ.items() if name not in SIZES}, "TERM": "xterm-256color"},
    )


class Terminal:
    """What a person sees: the bytes that a program wrote to a terminal of 120 columns and 40 rows."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._bytes = bytearray()
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    @property
    def text(self) -> str:
        """Everything that was drawn, one picture after the other, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._bytes.decode(errors="replace"))

    async def shows(self, words: str, process: Forked) -> None:
        """Wait until the program has drawn these words."""
        gone = asyncio.create_task(process.wait())
        gone.add_done_callback(lambda _: self._news.set())
        try:
            async with asyncio.timeout(PATIENCE):
                while words not in self.text:
                    assert not gone.done(), f"it ended before it showed {words!r}:\n{self.text[-5_000:]}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"never saw {words!r}:\n{self.text[-5_000:]}") from None
        finally:
            gone.cancel()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self.theirs)

    def _read(self) -> None:
        self._bytes += os.read(self._ours, 65_536)
        self._news.set()


@asynccontextmanager
async def on_a_terminal(*words: str) -> AsyncIterator[tuple[Terminal, Forked]]:
    terminal = Terminal()
    process = await demo(*words, output=terminal.theirs)
    try:
        yield terminal, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()


async def test_the_demo_prints_one_json_object_and_nothing_else() -> None:
    process = await demo("--output", "json")
    printed, complaints = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, complaints) == (0, b"")
    told: dict[str, Any] = json.loads(printed)
    assert set(told) == {"policy", "record", "fault_at", "answer_changed_after_s", "shares", "changes", "dns"}
    assert told["dns"]["address"] == "127.0.0.1"
    assert told["shares"]["before"]["azure-eastus"] > 0.3
    assert told["shares"]["during"]["azure-eastus"] == 0
    assert told["shares"]["after"]["azure-eastus"] > 0.3
    assert [change["event"] for change in told["changes"]] == ["change.applied"] * 3
    assert [change["generation"] for change in told["changes"]] == [1, 2, 3]
    assert 0 < told["answer_changed_after_s"] < 20


async def test_tiers_prod_and_pilot_are_served_by_what_is_left_and_dev_is_short() -> None:
    said, shown = list[str](), list[str]()
    told = await tiers.play(said.append, lambda title, _: shown.append(title), dns_port=None)
    assert told is not None
    assert shown == ["a good day", "azure-weu is lost", "azure-weu is back"]
    before, during, after = (told["loads"][when] for when in ("before", "during", "after"))
    assert all(sum(each.values()) <= tiers.CAPACITY[name] for name, each in before.items())
    assert not any(during["azure-weu"].values())
    served = {policy: sum(each.get(policy, 0) for each in during.values()) for policy in tiers.DEMAND}
    assert served == pytest.approx(tiers.DEMAND, abs=2), "rounded by region"
    assert sum(told["excess"].values()) == pytest.approx(200, abs=3), "1,700 are wanted, and 1,500 are left"
    (over,) = told["excess"]
    assert f"dev is short of {told['excess'][over]}, all of it on top of {over}" in "\n".join(said)
    assert f"DNS cannot favour prod inside one region: {over} has {told['excess'][over]} too many" in "\n".join(said)
    assert {name: each["llm-prod"] for name, each in after.items()} == {
        name: each["llm-prod"] for name, each in before.items()
    }
    assert "pilot and dev follow" in said[-1]
    fetched = told["interconnect"]["fetched"]
    assert fetched["before"] == 240 + 150
    assert fetched["during"] == pytest.approx(tiers.PASSES, abs=2), "it is full, and no more goes over it"
    assert f"{fetched['during']} requests per second of 437.5" in "\n".join(said)


def test_in_the_table_of_tiers_a_region_above_its_capacity_is_marked_without_colours() -> None:
    console = Console(file=io.StringIO(), width=COLUMNS)
    _, picture = tiers.screen(console)
    picture("a night", {name: {"llm-prod": load} for name, load in zip(tiers.CAPACITY, (900, 600, 1100), strict=True)})
    assert isinstance(console.file, io.StringIO)
    assert re.findall(r"(\S+) +│[^\n]*\(over\)", console.file.getvalue()) == ["aws-euc1"]


def test_what_is_next_are_the_policies_of_the_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def played(*_: object, **__: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr(tiers, "play", played)
    demo_verb.share(Output.TEXT, None)
    assert "failoverctl test policies/tiers " in capsys.readouterr().out


async def test_on_a_terminal_a_live_table_is_drawn_and_everything_stays_up_for_dig() -> None:
    async with on_a_terminal("--keep-running") as (terminal, process):
        await terminal.shows("(Ctrl-C ends it)", process)
        drawn = terminal.text
        for title in ("region", "health", "published weight", "measured by DNS queries", "what failoverd says"):
            assert title in drawn, title
        for name in REGIONS:
            assert re.search(rf"{name}[ │]+healthy[ │]+█+░+ +\d+%[ │]+█+░+ +\d+%", drawn), f"{name} was never well"
        assert re.search(r"azure-eastus[ │]+down[ │]+░{24} +0%[ │]+░{24} +0%", drawn), "it was never seen to be empty"
        assert max(len(line) for line in drawn.splitlines()) <= COLUMNS
        _, _, summary = drawn.rpartition("share of real DNS answers")
        for name in REGIONS:
            assert re.search(rf"{name}( *│ *\d+%){{3}}", summary), summary
        assert "from the fault to the changed authoritative answer" in summary
        assert "azure-eastus is down" in summary
        assert "failoverctl test policies/" in summary

        port = summary.split("-p ")[1].split()[0]
        dig = await asyncio.create_subprocess_exec(
            program("dig"), "+short", "@127.0.0.1", "-p", port, "api.demo.test", "A", stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await asyncio.wait_for(dig.communicate(), 10)
        assert answer.startswith(b"127.86.0.")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_ctrl_c_in_the_middle_ends_the_demo_at_once_and_quietly() -> None:
    process = await demo()
    assert process.stdout is not None
    assert process.stderr is not None
    told = ""
    async with asyncio.timeout(PATIENCE):
        while "region azure-eastus is down" not in told:  # the story, told to a pipe line by line
            line = await process.stdout.readline()
            assert line, told
            told += line.decode()
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, complaints) == (INTERRUPTED, b"")
    assert time.monotonic() - asked < 5


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_port_that_is_taken_is_said_at_once(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a DNS server may have it
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FailoverdError, match=f"port {port} of 127.0.0.1") as caught:
            free_ports(port)
        assert (caught.value.reason, "--port" in caught.value.remedy) == ("port_taken", True)
        if kind is socket.SOCK_DGRAM:
            process = await demo("--port", str(port))
            printed, complaints = await asyncio.wait_for(process.communicate(), 60)
            assert (process.returncode, printed) == (1, b"")
            assert b"(port_taken)" in complaints
            assert b"Traceback" not in complaints


async def play() -> bool:
    return await scenario.play(Silence(), lambda _: None, dns_port=None, keep_running=False)


async def test_a_step_that_does_not_come_is_told_with_what_the_daemon_said_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a daemon: how much one has said after a moment hangs on how busy the machine is."""
    monkeypatch.setattr(scenario, "LONGEST_STEP", 0.01)
    said = [DaemonStopped(at=0.0, cause=f"word {number}") for number in range(scenario.LAST_EVENTS + 1)]
    stuck = scenario.DemoWorld(cast("Any", None), cast("Any", None), DnsClient(1), {}, [*said])
    with pytest.raises(FailoverdError, match=r"the first answer did not come within 0\.01s") as caught:
        await scenario._until(stuck, "the first answer", never)
    assert caught.value.reason == "demo_stuck"
    told = caught.value.detail.split("\n")[1:]
    assert [line.split(":")[0].strip() for line in told] == ["daemon.stopped"] * scenario.LAST_EVENTS
    assert [f"word {number}" in line for number, line in enumerate(told, 1)] == [True] * scenario.LAST_EVENTS


async def never() -> bool:
    return False


async def test_a_daemon_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_files(tmp_path, monkeypatch, "failoverd.yaml", "tick: 1s", "tick: soon")
    with pytest.raises(FailoverdError, match="is not a duration") as caught:
        await play()
    assert caught.value.reason == "config_invalid"


async def test_asking_ends_when_it_is_told_to_whatever_answer_comes_at_that_moment() -> None:
    """A time-out of dnspython's own (`asyncio.wait_for`) swallows a cancellation that meets an answer (Python 3.11)."""
    async with serving() as writer:
        for steps in range(1, 200):
            asking = asyncio.create_task(DnsClient(writer.address[1]).ask_on(every=0.0))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            done, _ = await asyncio.wait({asking}, timeout=5)
            assert done, f"it goes on after a cancellation at step {steps}"


def with_files(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Play with the demo's files, one of them changed."""
    shutil.copytree(surroundings.FILES, folder, dirs_exist_ok=True)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    monkeypatch.setattr(surroundings, "FILES", folder)
