"""Hosts with a network of their own, joined by a bridge on which packets between any two of them can be dropped.

with network({"azure": ["198.18.1.1"], "oci": ["198.18.2.1"]}) as there:
    there.cut(there["azure"], there["oci"])
    there.heal()

Each host is a network namespace (network_namespaces(7)), and so is the bridge: none of it is seen from outside, and two
runs do not meet. A namespace has no name. It lives as long as the process in it that keeps it, which ends with the test
however that ends; who is not root has all of them in a user namespace.

A host's sockets are made in it and used by the test: what belongs to a network is the socket, not who holds it.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from support.servers import PLACES, program

_TESTS: Final = Path(__file__).parents[1]
_PATIENCE: Final = 20.0
"""Seconds for a command, and for a process to begin. Both take milliseconds on an idle machine."""

_PREFIX: Final = 15
"""All hosts are on one link, of the addresses that are for such networks (RFC 2544)."""


@dataclass(frozen=True)
class Host:
    """One host. From the first of its addresses it connects to others."""

    name: str
    addresses: tuple[str, ...]
    _keeper: "_Keeper" = field(repr=False)

    @property
    def pid(self) -> int:
        """Of the process that keeps its network."""
        return self._keeper.pid

    def seen(self, path: Path) -> Path:
        """Where the test finds what a process of the host has at that path, whatever is mounted there."""
        return Path(f"/proc/{self.pid}/root{path}")

    def opened(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A new one, of its network."""
        self._keeper.door.send(json.dumps(kind).encode())
        _, (descriptor,), _, _ = socket.recv_fds(self._keeper.door, 1, 1)
        return socket.socket(fileno=descriptor)

    def connect(self, address: tuple[str, int], patience: float) -> socket.socket:
        """A connection from it. Blocks."""
        made = self.opened()
        try:
            made.settimeout(patience)
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made

    def command(self, *words: str) -> list[str]:
        """What starts a program there, as the process that is started; it is killed when whoever started it dies."""
        return [*entering(self.pid), program("setpriv"), "--pdeathsig", "KILL", *words]


Places = Host | str | Iterable[Host | str]
"""Hosts, or single addresses of them."""


@dataclass
class Network:
    """All of them, and what is wrong between them."""

    hosts: Mapping[str, Host]
    bridge: int
    _faults: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def cut(self, some: Places, others: Places) -> None:
        """Nothing passes between them any more, in either direction. Connections stand, and are silent."""
        self.lose(some, others, 100)

    def cut_one_way(self, senders: Places, receivers: Places) -> None:
        """What the first send does not reach the others, which are heard by the first."""
        self._faults[addresses(senders), addresses(receivers)] = 100
        self._apply()

    def lose(self, some: Places, others: Places, percent: int) -> None:
        """Of the packets between them, each is lost with that probability."""
        self._faults[addresses(some), addresses(others)] = percent
        self._faults[addresses(others), addresses(some)] = percent
        self._apply()

    def heal(self) -> None:
        self._faults.clear()
        self._apply()

    def _apply(self) -> None:
        """All rules at once, in place of those before."""
        rules = [
            f"ip saddr {{ {', '.join(senders)} }} ip daddr {{ {', '.join(receivers)} }} {_share(percent)}drop"
            for (senders, receivers), percent in self._faults.items()
        ]
        _run([*entering(self.bridge), program("nft"), "-f", "-"], _TABLE % "\n    ".join(rules))


_TABLE: Final = """\
add table bridge faults
delete table bridge faults
table bridge faults {
  chain forward {
    type filter hook forward priority 0;
    %s
  }
}
"""


def _share(percent: int) -> str:
    return "" if percent == 100 else f"numgen random mod 100 < {percent} "


def addresses(places: Places) -> tuple[str, ...]:
    if isinstance(places, str):
        return (places,)
    if isinstance(places, Host):
        return places.addresses
    return tuple(address for each in places for address in addresses(each))


@contextmanager
def network(hosts: Mapping[str, Sequence[str]]) -> Iterator[Network]:
    """Hosts with these addresses, for as long as the context lasts."""
    with ExitStack() as stack:
        bridge = stack.enter_context(_kept(_BEGINNING))
        bridge.wait()
        kept = {name: stack.enter_context(_kept(entering(bridge.pid, net=False))) for name in hosts}
        links = ["link add name bridge type bridge", "link set bridge up"]
        for number, keeper in enumerate(kept.values()):
            keeper.wait()
            links.append(f"link add name port{number} type veth peer name eth0 netns {keeper.pid}")
            links.append(f"link set port{number} master bridge up")
        _run([*entering(bridge.pid), program("ip"), "-batch", "-"], "\n".join(links))
        for name, keeper in kept.items():
            lines = ["link set lo up", "link set eth0 up"]
            lines += [f"address add {address}/{_PREFIX} dev eth0" for address in hosts[name]]
            _run([*entering(keeper.pid), program("ip"), "-batch", "-"], "\n".join(lines))
        yield Network({name: Host(name, tuple(hosts[name]), each) for name, each in kept.items()}, bridge.pid)


@cache
def unmakeable() -> str:
    """Why no such network can be made here; empty where one can."""
    try:
        with network({"here": ["198.18.0.1"], "there": ["198.18.0.2"]}) as found:
            found.cut(found["here"], found["there"])
    except (OSError, RuntimeError) as error:
        return f"no network of its own can be made here, so nothing is cut: {error}"
    return ""


_BEGINNING: Final = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]


def entering(pid: int, *, net: bool = True, mount: bool = False) -> list[str]:
    """The beginning of a command in a keeper's namespaces; without `net`, of one that says its network itself.

    With `mount` it sees what is mounted there.
    """
    user = [] if os.geteuid() == 0 else [f"--user=/proc/{pid}/ns/user", "--preserve-credentials"]
    if net:
        mounted = [f"--mount=/proc/{pid}/ns/mnt"] if mount else []
        return [program("nsenter"), *user, f"--net=/proc/{pid}/ns/net", *mounted]
    return [program("nsenter"), *user, "unshare"] if user else ["unshare"]


@dataclass(frozen=True)
class _Keeper:
    """The process that keeps a namespace, and where it is asked for sockets."""

    process: subprocess.Popen[bytes]
    door: socket.socket

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self) -> None:
        """Until it is there."""
        if not self.door.recv(1):
            assert self.process.stderr is not None
            raise RuntimeError(self.process.stderr.read().decode(errors="replace").strip())


@contextmanager
def _kept(begins: Sequence[str]) -> Iterator[_Keeper]:
    """A new namespace, a moment later."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_PATIENCE)
    with ours:
        with theirs:
            process = subprocess.Popen(
                [*begins, "--net", "--mount", sys.executable, "-S", "-m", "support.namespaces", str(theirs.fileno())],
                env={"PATH": PLACES, "PYTHONPATH": str(_TESTS)},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        with process:
            try:
                yield _Keeper(process, ours)
            finally:
                process.kill()


def _run(command: Sequence[str], said: str) -> None:
    done = subprocess.run(
        command, input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_PATIENCE
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}\n{said}")
