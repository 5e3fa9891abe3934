import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from failoverd.telemetry.systemd import Notifier


class Manager:
    """What systemd does with $NOTIFY_SOCKET: a datagram socket, each datagram a list of assignments."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(5)
        self.environ = {"NOTIFY_SOCKET": address}

    def hears(self) -> list[str]:
        return self._socket.recv(4096).decode().splitlines()

    def is_flooded(self) -> int:
        """Fill its queue; how many datagrams that took."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.connect(self._socket.getsockname())
            for count in range(100_000):
                try:
                    sender.send(b"X=1")
                except BlockingIOError:
                    return count
        raise AssertionError("its queue has no end")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = f"{tmp_path}/notify" if request.param == "path" else f"@failoverd-{uuid4()}"
    made = Manager(address)
    yield made
    made.close()


def test_the_life_of_a_daemon_as_the_manager_hears_it(manager: Manager) -> None:
    notifier = Notifier(manager.environ)
    assert notifier.enabled
    assert notifier.ready("3 policies, all in sync")
    assert notifier.watchdog()
    assert notifier.status("azure-eastus is down")
    assert notifier.stopping()
    assert [manager.hears() for _ in range(4)] == [
        ["READY=1", "STATUS=3 policies, all in sync"],
        ["WATCHDOG=1"],
        ["STATUS=azure-eastus is down"],
        ["STOPPING=1"],
    ]


def test_a_reload_carries_the_monotonic_time_at_which_it_began(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    assert Notifier(manager.environ).reloading()
    reloading, moment = manager.hears()
    assert reloading == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= before + 5_000_000


def test_a_status_cannot_smuggle_in_another_assignment(manager: Manager) -> None:
    Notifier(manager.environ).status("bad policy:\nSTOPPING=1\r\nMAINPID=1" + "x" * 500)
    (line,) = manager.hears()
    assert line.startswith("STATUS=bad policy: STOPPING=1 MAINPID=1xxx")
    assert len(line) < 250


def test_a_status_commands_no_terminal(manager: Manager) -> None:
    Notifier(manager.environ).status("incidents: \x1b[2J\x9b1m")
    assert manager.hears() == [r"STATUS=incidents: \x1b[2J\x9b1m"]


def test_an_empty_status_clears_the_one_before(manager: Manager) -> None:
    Notifier(manager.environ).status("")
    assert manager.hears() == ["STATUS="]


@pytest.mark.parametrize("address", ["", "relative/path", "vsock:2:9999", "/nowhere/notify", "/" + "x" * 200, "@"])
def test_without_a_manager_that_listens_nothing_is_sent_and_nothing_raised(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    assert not notifier.ready()
    assert not notifier.watchdog()


def test_a_manager_that_went_away_is_no_error(manager: Manager) -> None:
    notifier = Notifier(manager.environ)
    manager.close()
    assert not notifier.watchdog()


def test_a_manager_that_is_busy_is_not_waited_for_and_hears_what_matters_later(manager: Manager) -> None:
    notifier = Notifier(manager.environ)
    sent = manager.is_flooded()
    began = time.monotonic()
    told = [notifier.reloading(), notifier.watchdog(), notifier.status("busy"), notifier.ready("3 policies")]
    assert not any(told)
    assert time.monotonic() - began < 0.5
    assert [manager.hears() for _ in range(sent)] == [["X=1"]] * sent

    assert notifier.watchdog()
    heard = [manager.hears() for _ in range(3)]
    assert heard[0][0] == "RELOADING=1"
    assert heard[1:] == [["READY=1", "STATUS=3 policies"], ["WATCHDOG=1"]]


def test_what_is_owed_to_a_manager_does_not_pile_up(manager: Manager) -> None:
    notifier = Notifier(manager.environ)
    sent = manager.is_flooded()
    for number in range(1_000):
        notifier.ready(f"{number} policies")
    for _ in range(sent):
        manager.hears()
    assert notifier.watchdog()
    heard = [manager.hears()]
    while heard[-1] != ["WATCHDOG=1"]:
        heard.append(manager.hears())
    assert len(heard) < 10
    assert heard[-2] == ["READY=1", "STATUS=999 policies"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_the_watchdog_interval_is_in_seconds_and_only_for_the_process_it_is_meant_for(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Notifier(environ).watchdog_interval == seconds


def test_the_environment_of_the_process_is_the_default(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.environ["NOTIFY_SOCKET"])
    assert Notifier().ready()
    assert manager.hears() == ["READY=1"]
