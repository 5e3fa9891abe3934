"""docs/handbook.md shows what was printed: its incident happens here, to the daemon, with a real BIND.

The page is read from top to bottom. Before a chapter is read, what it tells of is done (`happens`). Then its commands
are run, and what they print is held against the block that follows; blocks marked `log` are what the daemon told
meanwhile. What differs each time (times, ids, ports) is no difference, nor is a word in a sentence. To have the page
show what is printed now:

    FAILOVERD_WRITE_DOCS=1 .venv/bin/pytest -n 0 tests/docs/test_handbook.py
"""

import os
import re
import shlex
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from support.daemons import CONFIG, RunningDaemon, Site, provider_block
from support.servers import ZONE, DnsServer

from failoverd.cli.demo.surroundings import DemoRegion
from failoverd.core.clients import still_old

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "handbook.md"
README = ROOT / "README.md"
WRITES = "FAILOVERD_WRITE_DOCS" in os.environ
AZURE, OCI = "127.87.11.10", "127.87.12.10"

BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DIFFERS = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b(inc|dec|chg)-\w+-\w+|\b(drain|hold|pin|pause)-[0-9a-f]{8}", "ID"),
    (r"\b[0-9a-f]{12}\b|\binst(ance|=)? ?[0-9a-f]{8}\b|\bpid \d+", "ID"),
    (r"\b\d+(\.\d+)? ?(ms|s|min|h)\b|\b\d+\.\d/s", "SOME"),
    (r" +", " "),
)


@dataclass
class Incident:
    """The site of the page, its daemon, and how much of its log was shown."""

    here: Site
    daemon: RunningDaemon
    server: DnsServer
    told: int = 0

    def shown(self, printed: str) -> str:
        """What was printed here, with the names, addresses and files of the page."""
        for local, said in (
            (str(self.here.folder), "/etc/failoverd"),
            (str(self.server.key.bind_file), "/etc/failoverd/secrets/tsig.key"),
            (f"server 127.0.0.1 {self.server.port}", "server 192.0.2.53 53"),
            (f":{self.here.port}", ":8080"),
            (AZURE, "192.0.2.10"),
            (OCI, "198.51.100.10"),
            (ZONE, "example.com"),
        ):
            printed = printed.replace(local, said)
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())

    def log(self) -> str:
        """The lines of the incident that were not shown yet, as the command of logs.md prints them."""
        new, self.told = self.daemon.events[self.told :], len(self.daemon.events)
        lines = (f"{found['at']} {found['event']} {found['message']}\n" for found in new if "incident_id" in found)
        return self.shown("".join(lines))

    async def happens(self, chapter: str) -> None:
        """What a chapter tells of."""
        match chapter:
            case "A region fails":
                await self.here.break_region("azure-eastus")
                await self.daemon.event("change.verified", generation=2)
                await self.here.tells(lambda printed: " moved: " in printed.partition("\n")[0], "status")
            case "It is well again, and waits":
                await self.here.heal_region("azure-eastus")
                await self.daemon.each("region.recovered", "decision.made")
                await self.here.tells(lambda printed: "has been well for" in printed, "status")
            case "It is back":
                await self.daemon.each("incident.closed", "change.verified")
                await self.here.tells(lambda printed: printed.startswith("all well"), "status")

    async def printed(self, command: str) -> str:
        _, *words = shlex.split(command)
        code, printed = await self.here.control(*words)
        assert code in {0, 3}, (command, printed)
        return self.shown(printed)


@asynccontextmanager
async def incident(folder: Path, server: DnsServer, policy: str) -> AsyncIterator[Incident]:
    """The page's policy on loopback, published and at rest."""
    with socket.create_server((AZURE, 0)) as trial:
        port: int = trial.getsockname()[1]
    regions = {"azure-eastus": DemoRegion("azure-eastus", AZURE, port), "oci-ashburn": DemoRegion("oci", OCI, port)}
    here = Site(folder, port, regions)
    for said, local in (("192.0.2.10", AZURE), ("198.51.100.10", OCI), (":8080", f":{port}"), ("example.com", ZONE)):
        policy = policy.replace(said, local)
    (folder / "policies").mkdir()
    (folder / "policies" / "inference-api.yaml").write_text(policy)
    inventory = "version: 1\nregions: {azure-eastus: {cloud: azure}, oci-ashburn: {cloud: oci}}\n"
    (folder / "policies" / "regions.yaml").write_text(inventory)
    config = (CONFIG % {"providers": provider_block("bind-main", server)}).replace("owner: tests", "owner: prod")
    here.config.write_text(config)
    for region in regions.values():
        await region.start()
    try:
        async with here.daemon() as daemon:
            await daemon.event("change.verified", generation=1)
            await here.tells(lambda printed: "generation 1" in printed or "50%" in printed, "status")
            yield Incident(here, daemon, server)
    finally:
        for region in regions.values():
            region.stop()


def chapters(page: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each chapter with its blocks: language, mark, text."""
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE):
        yield title, BLOCK.findall(text)


def alike(line: str) -> str:
    for pattern, word in DIFFERS:
        line = re.sub(pattern, word, line)
    return line.strip()


def differs(said: str, printed: str) -> bool:
    """Whether the headline is another, or more than some words of the rest."""
    old, new = ([alike(line) for line in text.splitlines()] for text in (said, printed))
    return old[:1] != new[:1] or SequenceMatcher(None, "\n".join(old), "\n".join(new)).ratio() < 0.6


def events(text: str) -> list[str]:
    """The events of a log. Whether the servers agree or the incident ends is told first is a matter of chance."""
    return sorted(line.split()[1] for line in text.splitlines())


async def test_the_incident_of_the_page_is_what_happens(bind_server: DnsServer, tmp_path: Path) -> None:
    page = PAGE.read_text()
    (policy,) = (text for _, blocks in chapters(page) for language, _, text in blocks if language == "yaml")
    shown: list[str] = []
    wrong: list[str] = []
    async with incident(tmp_path, bind_server, policy) as now:
        for title, blocks in chapters(page):
            await now.happens(title)
            for language, mark, text in blocks:
                if language == "sh":
                    commands = [line for line in text.splitlines() if line.startswith("failoverctl ")]
                    printed = "".join([await now.printed(command) for command in commands])
                if language == "text":
                    shown.append(now.log() if mark == "log" else printed)
                    stale = events(text) != events(shown[-1]) if mark == "log" else differs(text, shown[-1])
                    wrong += [f"{title}:\n{shown[-1]}"] * stale
    if WRITES:
        ahead = iter(shown)
        PAGE.write_text(BLOCK.sub(lambda found: renewed(found, next(ahead)) if found[1] == "text" else found[0], page))
    assert WRITES or not wrong, "FAILOVERD_WRITE_DOCS=1 writes what is printed now:\n" + "\n".join(wrong)


def renewed(block: re.Match[str], text: str) -> str:
    return block[0].replace(f"\n{block[3]}```", f"\n{text}```")


def test_the_readme_shows_the_screen_of_the_handbook() -> None:
    handbook = dict(chapters(PAGE.read_text()))
    first = next(text for language, mark, text in handbook["A region fails"] if (language, mark) == ("text", ""))
    readme = README.read_text()
    (screen,) = (found for found in BLOCK.finditer(readme) if found[1] == "text")
    if WRITES:
        README.write_text(readme.replace(screen[0], renewed(screen, first)))
    assert WRITES or screen[3] == first


@pytest.mark.parametrize(("after", "words"), [(0, "0 s"), (10, "10 s"), (30, "30 s"), (60, "1 min"), (900, "15 min")])
def test_the_clients_that_are_left_are_those_of_the_page(after: int, words: str) -> None:
    rows = dict(re.findall(r"^\| ([\w ]+) after \| (\d+)% \|$", PAGE.read_text(), re.MULTILINE))
    assert rows[words] == f"{still_old(after, 30) * 100:.0f}"
