"""What a run was made with: the command, when, on what machine, under which load, and with which software."""

import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from support.servers import program

from bench.figures import machine
from bench.processes import failoverd_program, version

_ASKED = {
    "BIND": ["named", "-v"],
    "etcd": ["etcd", "--version"],
    "nginx": ["nginx", "-v"],
    "HAProxy": ["haproxy", "-v"],
    "gdnsd": ["gdnsd", "-V"],
    "blackbox_exporter": ["prometheus-blackbox-exporter", "--version"],
}


@dataclass(frozen=True)
class Circumstances:
    """`load` is the one-minute average, before and after."""

    command: str
    date: str
    machine: str
    versions: Mapping[str, str]
    load: tuple[float, float]

    @classmethod
    def of(cls, command: Iterable[str], programs: Iterable[str], *, began: float, load: float) -> Self:
        """After the run. `programs` are the names of the other software that took part."""
        others = {name: version([program(_ASKED[name][0]), *_ASKED[name][1:]]) for name in programs}
        ours = {"failoverd": version([failoverd_program(), "--version"]), "Python": platform.python_version()}
        return cls(
            command=" ".join(command),
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(began)),
            machine=machine(),
            versions={**ours, **others},
            load=(load, os.getloadavg()[0]),
        )

    def in_words(self) -> str:
        software = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"`{self.command}`, on {self.date}.\n{self.machine}. {software}.\n"
            f"Load average {self.load[0]:.2f} before, {self.load[1]:.2f} after."
        )
