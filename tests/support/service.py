"""failoverd.service on a machine that systemd booted: files in /etc/failoverd, its regions and DNS in that network.

async with service(booted, bind_server) as here:
    await here.run("systemctl", "start", "failoverd")
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from support.booted import CONTROL, UNITS, Machine
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import DnsServer

UNIT: Final = "failoverd.service"
CONFIG: Final = "/etc/failoverd"
JOURNAL: Final = "/var/lib/failoverd/journal.db"
SECRET: Final = f"{CONFIG}/secrets/tsig.key"
CREDENTIAL: Final = f"/run/credentials/{UNIT}/tsig.key"
BOTH: Final = sorted([WEST, EAST])
WELL: Final = "all well: 1 policy"

SYSTEM: Final = "/etc/systemd/system"
DROP_INS: Final = f"{SYSTEM}/{UNIT}.d"


@dataclass(frozen=True)
class Service:
    """The service, its site, and the DNS server that it publishes at. Commands leave the loop to the regions."""

    machine: Machine
    here: Site
    dns: DnsServer
    since: str
    """Where in its journald this one begins."""

    async def run(self, *words: str, ok: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(self.machine.run, *words, ok=ok, **env)

    async def start(self) -> None:
        """Until systemd heard that it is ready, and its record answers."""
        await self.run("systemctl", "start", UNIT)
        await self.until(lambda: self.answer() == BOTH, "both regions are published")

    async def control(self, *words: str, ok: bool = True) -> str:
        """failoverctl, by root: what it printed."""
        return (await self.run(CONTROL, *words, ok=ok)).stdout

    async def policy(self) -> dict[str, Any]:
        """What `status` has of the one that there is."""
        (found,) = json.loads(await self.control("status", "--output", "json", ok=False))["policies"]
        return dict(found)

    async def until(self, fits: Callable[[], object], words: str) -> None:
        await asyncio.to_thread(self.machine.until, fits, words)

    async def says(self, begin: str) -> None:
        """Until what systemd shows as its status begins so."""
        await self.until(lambda: self.machine.shown(UNIT, "StatusText")["StatusText"].startswith(begin), begin)

    async def restarted(self, times: int) -> None:
        """Until systemd started it anew so often (or more, where time is short), by itself, and it is well."""

        def again() -> bool:
            found = self.machine.shown(UNIT, "NRestarts", "ActiveState")
            return int(found["NRestarts"]) >= times and found["ActiveState"] == "active"

        await self.until(again, "started again")
        await self.says(WELL)

    async def shown(self, *names: str) -> dict[str, str]:
        return await asyncio.to_thread(self.machine.shown, UNIT, *names)

    async def told(self, *words: str) -> str:
        """What it logged, and systemd about it."""
        own = (f"--unit={UNIT}", f"--after-cursor={self.since}")
        return await asyncio.to_thread(self.machine.journal, *own, *words)

    def answer(self) -> list[str]:
        return self.dns.dig(NAME, "A")

    def marker(self) -> list[str]:
        """What stands beside the record, its generation included."""
        return self.dns.dig(f"_failoverd.{NAME}", "TXT")

    async def drop_in(self, name: str, *lines: str) -> None:
        """Settings of the service beside its unit file."""
        self.machine.write(f"{DROP_INS}/{name}.conf", "[Service]\n" + "".join(f"{line}\n" for line in lines))
        await self.run("systemctl", "daemon-reload")


def credential_block(dns: DnsServer) -> str:
    """The DNS server, with its key as systemd hands it over."""
    key = f"{{name: {dns.key.name}, algorithm: {dns.key.algorithm}, secret_file: {CREDENTIAL}}}"
    return provider_block("main", dns, key=key)


@asynccontextmanager
async def service(
    machine: Machine, dns: DnsServer, *, providers: Mapping[str, str] | None = None, unit: bool = True
) -> AsyncIterator[Service]:
    """Configured and, with `unit`, installed; not started; gone from the machine afterwards."""
    folder = machine.file(CONFIG)
    machine.write(SECRET, dns.key.bind_file.read_text(), 0o600)
    folder.joinpath("secrets").chmod(0o700)
    if unit:
        machine.write(f"{SYSTEM}/{UNIT}", (UNITS / UNIT).read_text())
        machine.write(f"{DROP_INS}/secrets.conf", f"[Service]\nLoadCredential=tsig.key:{SECRET}\n")
    shutil.copy2(UNITS / "failoverctl-offline", machine.file("/opt/failoverd/bin"))
    machine.run("systemctl", "daemon-reload")
    async with site(folder, {"main": credential_block(dns)} if providers is None else providers) as here:
        _place_journal(here)
        since = machine.journal("--lines=0", "--show-cursor").partition("-- cursor: ")[2].strip()
        try:
            yield Service(machine, here, dns, since)
        finally:
            await asyncio.to_thread(_remove, machine)


def _place_journal(here: Site) -> None:
    """Where the service may write, and where failoverctl looks without being told."""
    text = here.config.read_text()
    here.config.write_text(text.replace("journal: journal.db", f"journal: {JOURNAL}"))


def _remove(machine: Machine) -> None:
    machine.run("systemctl", "kill", "--signal=SIGKILL", UNIT, ok=False)
    machine.run("systemctl", "stop", UNIT, ok=False)
    machine.run("systemctl", "reset-failed", UNIT, ok=False)
    for path in (CONFIG, f"{SYSTEM}/{UNIT}", DROP_INS, "/var/lib/failoverd", "/var/lib/private/failoverd"):
        machine.run("rm", "-rf", path)
    machine.run("systemctl", "daemon-reload")
