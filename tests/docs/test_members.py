"""docs/members.md keeps its word: its certificates, its etcd, its user, its section; and daemons that live by them."""

import re
import shlex
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.commands import answered
from support.daemons import NAME, RunningDaemon, Site, followed, provider_block, site
from support.forked import forked
from support.servers import PLACES, DnsServer, program

from failoverd.telemetry.catalogue import _EVENTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "members.md").read_text()
BLOCKS: Mapping[str, str] = dict(re.findall(r"^```\w+ ([\w-]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
CLOUDS = {"azure": "etcd-az.example.com", "oci": "etcd-oci.example.com", "aws": "etcd-aws.example.com"}
MEMBERS = tuple(f"{cloud}-1" for cloud in CLOUDS)
LEASE = "8s"
"""Less than that of the page, so that nobody waits for long."""


def shell(folder: Path, script: str) -> str:
    """Run a block of the page in a folder."""
    done = subprocess.run(
        [program("bash"), "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": PLACES, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (script, done.stdout)
    return done.stdout


def free_ports(wanted: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(wanted)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@dataclass
class PagesEtcd:
    """Three members of etcd as the page sets them up, but for the addresses: each host is a port of this machine."""

    folder: Path
    places: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def here(self, text: str) -> str:
        for place, local in self.places.items():
            text = text.replace(place, local)
        return text

    def start(self, cloud: str) -> None:
        said = BLOCKS["etcd"].replace("etcd-az.example.com.", f"{CLOUDS[cloud]}.")  # the files
        own = dict(line.split("=", 1) for line in said.splitlines())
        own["ETCD_NAME"] = cloud
        for each, port in (("CLIENT", 2379), ("PEER", 2380)):
            own[f"ETCD_LISTEN_{each}_URLS"] = f"https://{CLOUDS[cloud]}:{port}"
        own["ETCD_ADVERTISE_CLIENT_URLS"] = own["ETCD_LISTEN_CLIENT_URLS"]
        own["ETCD_INITIAL_ADVERTISE_PEER_URLS"] = own["ETCD_LISTEN_PEER_URLS"]
        own["ETCD_DATA_DIR"] = f"{self.folder}/data-{cloud}"
        environment = {key: self.here(value).replace("/etc/etcd", str(self.folder)) for key, value in own.items()}
        environment |= {"ETCD_LOGGER": "zap", "ETCD_LOG_LEVEL": "error"}
        with (self.folder / f"{cloud}.log").open("ab") as log:
            self.processes[cloud] = subprocess.Popen([program("etcd")], env=environment, stdout=log, stderr=log)

    def kill(self, cloud: str) -> None:
        process = self.processes.pop(cloud)
        process.kill()
        process.wait()

    def emptied(self) -> None:
        """Nobody was here before."""
        said = [line for line in BLOCKS["users"].splitlines() if line.startswith("export")]
        root = '--user "root:$(cat etcd-root.password)"'
        shell(self.folder, self.here("\n".join([*said, f"etcdctl {root} del --prefix /failoverd/"])))

    def made(self) -> None:
        shell(self.folder, BLOCKS["certificates"].replace("DNS:$host", "DNS:$host,IP:127.0.0.1"))
        for cloud in CLOUDS:
            self.start(cloud)
        users = self.here(BLOCKS["users"])
        waits = "until etcdctl endpoint health 2>/dev/null; do sleep 0.1; done"
        shell(self.folder, users.replace("etcdctl endpoint health", waits))


@pytest.fixture(scope="module")
def pages_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesEtcd]:
    ports = free_ports(6)
    pairs = zip(CLOUDS.values(), ports[::2], ports[1::2], strict=True)
    places: dict[str, str] = {}
    for host, client, peer in pairs:
        places |= {f"{host}:2379": f"127.0.0.1:{client}", f"{host}:2380": f"127.0.0.1:{peer}"}
    made = PagesEtcd(tmp_path_factory.mktemp("pages-etcd"), places)
    try:
        made.made()
        yield made
    finally:
        for cloud in list(made.processes):
            made.kill(cloud)


@dataclass
class Three:
    """The members of the page on one machine, which differ by their folders and by who they are."""

    site: Site
    etcd: PagesEtcd
    owner: str
    running: AsyncExitStack
    daemons: dict[str, RunningDaemon] = field(default_factory=dict)

    def config(self, member: str) -> Path:
        return self.site.folder / member / "failoverd.yaml"

    def write(self, member: str, *, alone: bool = False, folder: str = "", network: str = "") -> Path:
        section = self.etcd.here(BLOCKS["coordination"]).replace("lease: 20s", f"lease: {LEASE}")
        files = {"/etc/failoverd/etcd-ca.pem": "ca.pem", "/etc/failoverd/etcd-client.pem": "etcd-client.pem"}
        files |= {f"/run/credentials/failoverd.service/{name}": name for name in ("etcd-client.key", "etcd.password")}
        for place, name in files.items():
            section = section.replace(place, str(self.etcd.folder / name))
        section += f"  member: {member}\n"
        if network:
            section = re.sub(rf"{member}: {{network: \w+}}", f"{member}: {{network: {network}}}", section)
        whole = self.site.config.read_text().replace("owner: tests", f"owner: {self.owner}")
        whole = whole.replace("policies: policies", "policies: ../policies")
        path = self.config(folder or member)
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole if alone else whole + section)
        return path

    async def start(self, member: str) -> RunningDaemon:
        process = await forked("failoverd", "run", "--config", str(self.config(member)), stderr=-1, limit=1 << 20)
        self.daemons[member] = await self.running.enter_async_context(followed(process))
        return self.daemons[member]

    async def begun(self) -> str:
        """All of them vote; who leads."""
        for member in MEMBERS:
            self.write(member)
            await self.start(member)
        for member in MEMBERS:
            await self.tells(member, "3 of 3 members vote", "members")
            await self.tells(member, "all well", "status")
        return await self.led()

    async def led(self, *, but: str = "") -> str:
        """Who leads, once that is known to somebody else than `but`, and is not that one."""
        asked = next(each for each in MEMBERS if each != but)
        told = await self.until(asked, lambda said: _leader(said) not in {"", but}, "members")
        return _leader(told)

    async def control(self, member: str, *words: str) -> tuple[int, str]:
        done = await answered(*words, "--config", self.config(member))
        return done.code, done.said

    async def tells(self, member: str, words: str, *command: str) -> str:
        return await self.until(member, lambda said: words in " ".join(said.split()), *command)

    async def until(self, member: str, fits: Callable[[str], bool], *command: str) -> str:
        return await Site(self.config(member).parent, self.site.port, self.site.regions).tells(fits, *command)


def _leader(told: str) -> str:
    found = re.search(r"^(\S+) leads in epoch|^\S+ follows (\S+), which", told)
    return (found[1] or found[2]) if found is not None else ""


@asynccontextmanager
async def three(folder: Path, etcd: PagesEtcd, bind: DnsServer, owner: str = "prod") -> AsyncIterator[Three]:
    etcd.emptied()
    async with site(folder, {"main": provider_block("main", bind, timeout="2s")}) as here, AsyncExitStack() as running:
        yield Three(here, etcd, owner, running)


NAMES = re.compile(r"\b(azure|oci|aws)-1( \(\w+\))? |^1 of 3 members votes: | than .*| from .*|\d.*")
"""What is another one each time, and where a sentence goes on with it."""


def rows() -> list[list[str]]:
    """What each failure looks like."""
    chapter = PAGE.partition("\n## What each failure looks like\n")[2].partition("\n## ")[0]
    table = [line.strip("|").split(" | ") for line in chapter.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in table[1:]]


# -- what is said ------------------------------------------------------------------------------------------------------


def test_each_failure_has_what_is_seen_what_moves_and_what_to_do() -> None:
    assert len(rows()) > 20
    assert [row for row in rows() if len(row) != 5 or not all(row)] == []


def test_every_event_of_the_table_is_one() -> None:
    events = {name for row in rows() for name in re.findall(r"`([a-z_]+\.[a-z]+)`", row[2])}
    assert len(events) > 12
    assert events - set(_EVENTS) == set()


def test_every_word_that_members_is_said_to_show_is_in_the_source() -> None:
    """But for names of members, and what etcd says."""
    sources = "".join(
        (ROOT / "failoverd" / path).read_text()
        for path in ("operations/membership.py", "operations/concerns.py", "coordination/etcd/gateway.py")
    )
    for row in rows():
        for words in re.findall(r"`([^`]+)`", row[1]):
            bare = NAMES.sub("", words).removeprefix("is ").strip()
            assert bare in sources or bare in {"version", "epoch", "coordinator heard"}, (words, bare)


def test_every_alert_that_is_named_has_its_runbook() -> None:
    books = (ROOT / "docs" / "runbooks.md").read_text()
    named = set(re.findall(r"\bFailoverd[A-Z]\w+", PAGE))
    assert {name for name in named if f"\n## {name}\n" not in books} == set()


# -- what is done ------------------------------------------------------------------------------------------------------


def lines(block: str) -> Iterator[Sequence[str]]:
    """The commands of failoverctl in a block."""
    for line in BLOCKS[block].splitlines():
        words = shlex.split(line)
        if words[0] == "failoverctl":
            yield words[1:]


async def test_three_members_start_as_the_page_says_and_a_leader_resigns(
    pages_etcd: PagesEtcd, bind_server: DnsServer, tmp_path: Path
) -> None:
    async with three(tmp_path, pages_etcd, bind_server) as here:
        first = await here.begun()
        other = next(each for each in MEMBERS if each != first)
        for words in lines("start"):
            code, printed = await here.control(other, *words)
            assert code == 0, printed
        shown = re.search(r"^\$ failoverctl members\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        assert shown is not None
        assert _shape(printed) == _shape(shown[1])
        answers = sorted(bind_server.dig(NAME, "A"))
        leads = await here.led()
        for words in lines("leader"):
            code, printed = await here.control(leads, *[leads if word in MEMBERS else word for word in words])
            assert code == 0, printed
        assert sorted(bind_server.dig(NAME, "A")) == answers


def _shape(printed: str) -> list[str]:
    """The same of what two of them print: names, numbers and ages are other ones each time."""
    masked = re.sub(r"\b(azure|oci|aws)-1( \(this\))?", "NAME", printed)
    masked = re.sub(r"\b(azure|oci|aws)\b", "CLOUD", masked)
    masked = re.sub(r"\b\d+(\.\d+)*( min| s)?\b", "N", masked).replace("lease Ns", "lease N")
    masked = re.sub(r"lease \S+", "lease N", masked)
    return sorted(" ".join(line.split()) for line in masked.splitlines())


async def test_a_leader_that_is_killed_and_an_etcd_beside_it_cost_no_traffic(
    pages_etcd: PagesEtcd, bind_server: DnsServer, tmp_path: Path
) -> None:
    async with three(tmp_path, pages_etcd, bind_server) as here:
        first = await here.begun()
        others = [each for each in MEMBERS if each != first]
        answers = sorted(bind_server.dig(NAME, "A"))
        began = time.monotonic()
        here.daemons[first].process.kill()
        pages_etcd.kill("azure")
        await here.tells(others[0], f"{first} ({first.partition('-')[0]}) is silent", "members")
        await here.tells(others[0], "2 of 3 members vote", "members")
        assert await here.led(but=first) in others
        assert time.monotonic() - began < 20.0
        assert sorted(bind_server.dig(NAME, "A")) == answers
        await here.start(first)
        await here.tells(first, "3 of 3 members vote", "members")
        pages_etcd.start("azure")


async def test_a_second_daemon_of_one_name_and_another_section_are_told(
    pages_etcd: PagesEtcd, bind_server: DnsServer, tmp_path: Path
) -> None:
    async with three(tmp_path, pages_etcd, bind_server) as here:
        await here.begun()
        here.write("azure-1", folder="copy")
        await here.start("copy")
        await here.tells("copy", "is azure-1 as well: this one neither votes nor leads", "members")
        await here.tells("azure-1", "3 of 3 members vote", "members")
        await here.daemons["azure-1"].event("twin.detected", steps_back=False)
        await here.daemons["copy"].stop()
        await here.daemons["aws-1"].stop()
        here.write("aws-1", network="azure")
        await here.start("aws-1")
        await here.tells("oci-1", "aws-1 was told something else of the members than oci-1", "members")


async def test_one_becomes_three_and_then_one_again_with_what_people_said(
    pages_etcd: PagesEtcd, bind_server: DnsServer, tmp_path: Path
) -> None:
    async with three(tmp_path, pages_etcd, bind_server) as here:
        here.write("azure-1", alone=True)
        alone = await here.start("azure-1")
        await alone.event("change.verified")
        code, printed = await here.control("azure-1", "drain", "east", "--reason", "a disk", "--for", "2h")
        assert code == 0, printed
        await alone.event("change.verified")
        await alone.stop()
        here.write("azure-1")
        await here.start("azure-1")
        await here.tells("azure-1", "azure-1 leads in epoch", "members")
        for member in MEMBERS[1:]:
            here.write(member)
            await here.start(member)
        await here.tells("oci-1", "3 of 3 members vote", "members")
        await here.tells("oci-1", "drain of region east", "overrides")
        code, printed = await here.control("oci-1", "release", "--verb", "drain", "--reason", "done")
        assert code == 0, printed
        await here.daemons["azure-1"].event("change.verified")
        code, printed = await here.control("oci-1", "hold", "api", "--reason", "we look at it", "--for", "2h")
        assert code == 0, printed
        await here.tells("azure-1", "hold of policy api", "overrides")
        for member in reversed(MEMBERS):
            await here.daemons[member].stop()
        here.write("azure-1", alone=True)
        await here.start("azure-1")
        await here.tells("azure-1", "a newer leader wrote it", "status")
        await here.tells("azure-1", "hold of policy api", "overrides")
        for words in lines("back"):
            code, printed = await here.control("azure-1", *words)
            assert code in {0, 3}, printed
        assert "newer leader" not in await here.tells("azure-1", "1 override", "status")
