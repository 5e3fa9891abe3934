"""Plugins are shell scripts here, good ones and hostile ones."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.alarms import until
from support.plugins import ENDPOINT, children, outcome, script
from support.probers import prober

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes.exec_check import exec_prober
from failoverd.probes.exec_check.exec_prober import ExecSettings
from failoverd.probes.exec_check.plugin_process import MOST_OUTPUT
from failoverd.probes.exec_check.plugin_slots import MOST_AT_ONCE, plugin_slots

pytestmark = pytest.mark.usefixtures("nothing_runs_on")


# -- verdicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected", "reason", "detail"),
    [
        ("echo 'OK - fine'", ProbeOutcome.PASS, ProbeReason.OK, "OK - fine"),
        ("echo 'HTTP WARNING'; exit 1", ProbeOutcome.DEGRADED, ProbeReason.PLUGIN_WARNING, "HTTP WARNING"),
        ("echo 'down | a=1'; echo more; exit 2", ProbeOutcome.FAIL, ProbeReason.PLUGIN_CRITICAL, "down"),
        ("echo 'no idea'; exit 3", ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNKNOWN, "no idea"),
        ("exit 4", ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNKNOWN, "exit code 4 means nothing"),
        ("echo text; exit 255", ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNKNOWN, "exit code 255 means nothing: text"),
        ("kill -SEGV $$", ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNKNOWN, "it was ended by SIGSEGV"),
        ("kill -40 $$", ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNKNOWN, "it was ended by signal 40"),
        ("exit 0", ProbeOutcome.PASS, ProbeReason.OK, "exit code 0, and not a word"),
        ("echo oops >&2; exit 2", ProbeOutcome.FAIL, ProbeReason.PLUGIN_CRITICAL, "oops"),
        (r"printf '\033[31m\377\n'", ProbeOutcome.PASS, ProbeReason.OK, r"\x1b[31m\xff"),
    ],
)
async def test_the_exit_code_is_the_verdict(
    text: str, expected: ProbeOutcome, reason: ProbeReason, detail: str
) -> None:
    result = await outcome(text)
    assert (result.outcome, result.reason, result.detail) == (expected, reason, detail)


async def test_performance_data_becomes_measures() -> None:
    result = await outcome("echo 'OK | time=20ms;;; used=5%'; echo 'below | jobs=3'")
    assert dict(result.measures) == pytest.approx({"time_seconds": 0.02, "used_percent": 5.0, "jobs": 3.0})


async def test_a_good_verdict_that_comes_late_is_degraded() -> None:
    assert (await outcome("exit 0", slow="0.001ms")).reason is ProbeReason.SLOW


async def test_placeholders_are_filled_in_and_no_shell_reads_them() -> None:
    argv = ["/usr/bin/printf", "%s ", "{address}:{port}", "{region}", "{timeout}", "{{x}}", "$HOME;`id`"]
    result = await prober("exec", argv, port=80, timeout="1500ms").probe(Endpoint("oci-ashburn", "::1"))
    assert result.detail == "::1:80 oci-ashburn 2 {x} $HOME;`id`"


async def test_the_port_of_the_endpoint_comes_first() -> None:
    result = await prober("exec", ["/bin/echo", "{port}"], port=80).probe(Endpoint("oci-ashburn", "::1", 8080))
    assert result.detail == "8080"


# -- surroundings ------------------------------------------------------------------------------------------------------


async def test_a_plugin_hears_nothing_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert (await prober("exec", ["/usr/bin/env", "-0"]).probe(ENDPOINT)).detail.count("=") == 2
    inside = await outcome("echo $(pwd) $(readlink /proc/self/fd/0) $(env | cut -d= -f1 | sort) $(ls /proc/self/fd)")
    assert inside.detail == "/ /dev/null LANG PATH PWD 0 1 2 3"


@pytest.mark.parametrize("path", ["/nonexistent", "/etc/passwd", "/etc", "/proc/self/environ"])
async def test_a_plugin_that_cannot_be_started_is_blind(path: str) -> None:
    result = await prober("exec", [path]).probe(ENDPOINT)
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNUSABLE)
    assert result.detail.startswith("it cannot be started: ")


async def test_a_file_that_is_no_program_is_blind(plugins: Path) -> None:
    path = plugins / "check_nothing"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    assert (await prober("exec", [str(path)]).probe(ENDPOINT)).reason is ProbeReason.PLUGIN_UNUSABLE


@contextmanager
def no_descriptor_left(but: int = 0) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open("/dev/null", os.O_RDONLY)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + but, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("left", range(6))
async def test_without_descriptors_it_is_blind(left: int) -> None:
    await outcome("exit 0")
    with no_descriptor_left(left):
        result = await outcome("exit 0")
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.NO_DESCRIPTORS)


# -- plugins that do not end, and worse --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "sleep 60",
        "trap '' TERM INT HUP; while :; do sleep 60; done",
        "exec >&- 2>&-; sleep 60",
        "while :; do sleep 60 & wait; done",
        "yes",
        "yes >&2",
        "sleep 60 & sleep 60 & (sleep 60 & sleep 60)",
        "kill -STOP $$",
    ],
)
async def test_a_plugin_that_does_not_end_is_killed_with_all_its_children(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_prober, "_FAIR", 0.0)  # however long this machine takes to start a program
    result = await outcome(text, timeout="1s")
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.PLUGIN_TIMEOUT)
    assert result.detail == "it did not end within 1s and was killed"
    assert result.timings.total < 5.0


async def test_the_verdict_does_not_wait_for_children_that_keep_the_pipes_open(plugins: Path) -> None:
    pid = plugins / "pid"
    result = await outcome(f"echo done; sleep 60 & echo $! > {pid}; exit 1", timeout="10s")
    assert (result.reason, result.detail) == (ProbeReason.PLUGIN_WARNING, "done")
    assert result.timings.total < 5.0
    await gone(int(pid.read_text()))


async def test_a_child_that_leaves_the_group_is_not_waited_for(plugins: Path) -> None:
    pid = plugins / "pid"
    result = await outcome(f"setsid sh -c 'echo $$ > {pid}; exec sleep 60' & while ! test -s {pid}; do :; done; exit 2")
    escaped = int(pid.read_text())
    assert result.reason is ProbeReason.PLUGIN_CRITICAL
    os.kill(escaped, 9)
    await gone(escaped)


async def gone(pid: int) -> None:
    """Wait until no living process has this number."""
    await until(lambda: not _is_alive(pid))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_output_without_end_is_bounded() -> None:
    result = await outcome(f"head -c {50 * MOST_OUTPUT} /dev/zero | tr '\\0' 'x'; head -c 9999999 /dev/zero >&2")
    assert result.reason is ProbeReason.OK
    assert len(result.detail) == 200


async def test_a_probe_that_is_abandoned_kills_its_plugin(plugins: Path) -> None:
    started, told = plugins / "started", list[ProbeResult]()
    abandon = script(f"echo $$ > {started}; exec sleep 60", timeout="50s").prober.start(ENDPOINT, told.append)
    await until(lambda: started.exists() and started.read_text())
    abandon()
    abandon()
    await until(lambda: not children() and len(asyncio.all_tasks()) == 1)
    assert told == []


@asynccontextmanager
async def all_slots_taken(plugins: Path) -> AsyncIterator[Path]:
    """By plugins that end, content, when the file is there."""
    done = plugins / "done"
    waiting = f"while [ ! -e {done} ]; do sleep 0.05; done"
    busy = [asyncio.create_task(outcome(waiting, timeout="60s")) for _ in range(MOST_AT_ONCE)]
    await until(plugin_slots()._free.locked)
    yield done
    done.touch()
    assert {each.outcome for each in await asyncio.gather(*busy)} == {ProbeOutcome.PASS}


async def test_a_plugin_that_got_its_slot_late_is_not_blamed_for_the_time_it_waited(plugins: Path) -> None:
    async with all_slots_taken(plugins) as done:
        late = asyncio.create_task(outcome("sleep 60", timeout="2s"))
        asyncio.get_running_loop().call_later(1.0, done.touch)
        found = await late
    assert (found.outcome, found.reason) == (ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNUSABLE)


async def test_plugins_that_wait_too_long_for_a_slot_are_blind(plugins: Path) -> None:
    async with all_slots_taken(plugins):
        late = await asyncio.gather(*(outcome("exit 0", timeout="500ms") for _ in range(3)))
    assert {(each.outcome, each.reason) for each in late} == {(ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNUSABLE)}
    assert late[-1].detail == f"{MOST_AT_ONCE} plugins are running already"
    assert (await outcome("exit 0")).reason is ProbeReason.OK


async def test_more_plugins_than_slots_take_turns_and_leave_nothing() -> None:
    results = await asyncio.gather(*(outcome("sleep 0 & exit 0", timeout="60s") for _ in range(150)))
    assert {each.reason for each in results} == {ProbeReason.OK}


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "check_http",
        ["check_http"],
        ["bin/check"],
        ["/bin/{address}"],
        ["/bin/x", "{host}"],
        ["/bin/x", "{address!r}"],
        ["/bin/x", "{address:>80}"],
        ["/bin/x", "{address.__class__}"],
        ["/bin/x", "{}"],
        ["/bin/x", "{"],
        ["/bin/x", "}"],
        ["/bin/x", "{port}"],
        ["/bin/x", "a\0b"],
        ["/bin/x", 80],
        ["/bin/x"] * 65,
    ],
)
def test_arguments_that_cannot_be_right_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        ExecSettings.model_validate({"exec": wrong})
