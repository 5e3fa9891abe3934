"""What probes need of the unit: address families, system calls, and a group that may ping."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.servers import PLACES

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "failoverd.service"
PINGING = ROOT / "systemd" / "failoverd-ping.conf"

DYNAMIC = 61_184, 65_519
"""The users and groups that systemd gives to services with DynamicUser=yes (systemd.exec(5))."""

FOR_PINGS = {"socket", "connect", "setsockopt", "sendto", "recvfrom", "recvmsg", "epoll_ctl", "epoll_wait"}
FOR_PLUGINS = {"clone", "clone3", "vfork", "fork", "execve", "setsid", "chdir", "dup2", "close_range"} | {
    "pipe2", "pidfd_open", "waitid", "wait4", "kill", "poll", "prctl", "capget"
}  # fmt: skip


def setting(name: str) -> list[list[str]]:
    """The words of each line that sets it."""
    lines = UNIT.read_text("utf-8").splitlines()
    return [line.partition("=")[2].split() for line in lines if line.startswith(f"{name}=")]


def calls(group: str) -> set[str]:
    """The system calls of one of systemd's groups."""
    command = ["systemd-analyze", "--no-pager", "syscall-filter", group]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = set[str]()
    for line in printed.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls(word) if word.startswith("@") else {word}
    return found


@pytest.fixture(scope="module")
def allowed() -> set[str]:
    """The system calls that the unit lets through."""
    (first, *_), (away, *more) = setting("SystemCallFilter")
    taken = [away.removeprefix("~"), *more]
    return calls(first) - set[str]().union(*map(calls, taken))


@pytest.mark.parametrize("needed", [FOR_PINGS, FOR_PLUGINS], ids=["pings", "plugins"])
def test_their_system_calls_are_let_through(needed: set[str], allowed: set[str]) -> None:
    assert needed - allowed == set()
    assert "reboot" not in allowed


def test_ping_sockets_are_of_families_that_it_may_use() -> None:
    assert setting("RestrictAddressFamilies") == [["AF_INET", "AF_INET6", "AF_UNIX"]]


def test_every_group_that_systemd_may_choose_is_let_ping_and_nobody_else() -> None:
    (line,) = [line for line in PINGING.read_text("utf-8").splitlines() if not line.startswith("#")]
    name, _, value = line.partition(" = ")
    assert name == "net.ipv4.ping_group_range"
    assert tuple(map(int, value.split())) == DYNAMIC


def pinged(allowed_groups: str) -> list[str]:
    """An `icmp` look as under the unit: with a group that systemd may choose, and without any capability.

    In a network of its own, whose sysctl is set. Only root can take another group and give its capabilities up; for
    others the group is the one that stands for theirs in that network, and a user namespace takes the capabilities. The
    user stays, so that the code can be read.
    """
    root = os.geteuid() == 0
    if root:
        stripped = ["--regid", str(DYNAMIC[0]), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
        private: list[str] = []
    else:
        stripped = []
        private = ["unshare", "--user", f"--map-user={DYNAMIC[0]}", f"--map-group={DYNAMIC[0]}"]
    regrouped = ["setpriv", *stripped, "--no-new-privs"]
    setup = 'ip link set lo up && echo "$0" > /proc/sys/net/ipv4/ping_group_range && exec "$@"'
    outside = ["unshare", *([] if root else ["--user", "--map-root-user"]), "--net", "sh", "-c", setup, allowed_groups]
    done = subprocess.run(
        [*outside, *regrouped, *private, sys.executable, "-m", "support.pinging"],
        env={"PATH": PLACES, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_sysctl_is_all_that_it_takes() -> None:
    low, high = DYNAMIC if os.geteuid() == 0 else (0, 0)
    assert pinged(f"{low} {high}") == ["ok", "ok"]


def test_without_it_the_check_is_blind() -> None:
    assert pinged("1 0") == ["not_permitted", "not_permitted"]
