"""`/livez` and `/readyz`: about the daemon's own life, and about nothing that fails in an incident."""

import asyncio
from dataclasses import dataclass, field

import pytest

from failoverd.core.tallies import ProbingFigures
from failoverd.telemetry.exposing import exposed
from failoverd.telemetry.metrics import Metrics
from failoverd.telemetry.vital_signs import LATE, Sign, VitalSigns

PATIENCE = 20.0
METRICS = Metrics(ProbingFigures, list, "1.2.3", 0.0)


@dataclass
class Daemon:
    """What a daemon says of itself, at a time of the test's own."""

    now: float = 1_000.0
    beside: list[Sign] = field(default_factory=lambda: [Sign("policies"), Sign("journal", counts=False)])

    def __post_init__(self) -> None:
        self.signs = VitalSigns(lambda: self.now, lambda: self.beside)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


def started(daemon: Daemon) -> VitalSigns:
    daemon.signs.beat()
    daemon.signs.start()
    return daemon.signs


def test_a_start_that_takes_long_is_life_and_not_readiness(daemon: Daemon) -> None:
    daemon.now += 600
    assert daemon.signs.live().sound
    assert not daemon.signs.ready().sound
    assert "[-]started failed: it is starting" in daemon.signs.ready().told


def test_once_it_has_started_it_is_ready_until_it_stops(daemon: Daemon) -> None:
    signs = started(daemon)
    assert signs.ready().told.splitlines() == [
        "[+]loop ok", "[+]timetable ok", "[+]started ok", "[+]policies ok", "[+]journal ok", "readyz check passed",
    ]  # fmt: skip
    signs.stop()
    assert signs.live().sound
    assert not signs.ready().sound
    assert "[-]started failed: it is stopping" in signs.ready().told


def test_a_timetable_that_stands_still_is_no_life_until_it_goes_on(daemon: Daemon) -> None:
    signs = started(daemon)
    daemon.now += LATE
    assert signs.live().sound
    daemon.now += 1
    assert not signs.live().sound
    assert not signs.ready().sound
    assert signs.live().told.splitlines() == [
        "[+]loop ok", "[-]timetable failed: no heartbeat for 31s", "livez check failed",
    ]  # fmt: skip
    signs.beat()
    assert signs.live().sound


def test_a_journal_that_fails_is_told_and_does_not_count(daemon: Daemon) -> None:
    signs = started(daemon)
    daemon.beside = [Sign("journal", "the disk is full", counts=False)]
    assert signs.live().sound
    assert signs.ready().sound
    assert "[!]journal failed, which does not count: the disk is full" in signs.ready().told


def test_a_daemon_that_came_up_without_any_policy_is_not_ready_and_lives(daemon: Daemon) -> None:
    signs = started(daemon)
    daemon.beside = [Sign("policies", "none runs")]
    assert signs.live().sound
    assert not signs.ready().sound


def test_what_files_say_commands_no_terminal(daemon: Daemon) -> None:
    signs = started(daemon)
    signs.headline = "1 policy, incident: \x1b[2J"
    assert "incident: " in signs.live().told
    assert "\x1b" not in signs.live().told


# -- over HTTP ---------------------------------------------------------------------------------------------------------


async def ask(port: int, path: str, method: str = "GET") -> tuple[bytes, bytes]:
    """The head and the body of the answer."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    return head, body


async def test_a_kubelet_is_answered_shortly_and_a_person_sign_by_sign(daemon: Daemon) -> None:
    signs = started(daemon)
    async with exposed("127.0.0.1", 0, METRICS, signs) as port:
        for path in ("/livez", "/readyz"):
            head, body = await ask(port, path)
            assert (head.split()[1], body) == (b"200", b"ok\n")
            assert b"Cache-Control: no-cache, no-store" in head
            assert b"[+]loop ok\n" in (await ask(port, f"{path}?verbose"))[1]
            assert (await ask(port, path, "HEAD"))[1] == b""
            assert (await ask(port, path, "POST"))[0].split()[1] == b"405"
        signs.stop()
        head, body = await ask(port, "/readyz")
        assert (head.split()[1], body.splitlines()[-1]) == (b"503", b"readyz check failed")
        assert (await ask(port, "/livez"))[0].split()[1] == b"200"


async def test_without_them_there_is_nothing_there() -> None:
    async with exposed("127.0.0.1", 0, METRICS) as port:
        assert (await ask(port, "/livez"))[0].split()[1] == b"404"
