"""Three clouds, and what is between them: in each a member of one installation, an etcd and a region; elsewhere, BIND.

async with three_clouds(tmp_path) as world:
    first, others = await world.begun()
    world.regions["aws"].stop()
    await world.answer("azure", "oci")
    await world.kill(first)
    await world.led(*others, within=TAKEOVER)

Each member is a host of its own, and so is what else stands in a cloud, so that a member is cut off the etcd and the
region beside it as from all others (`support.networks`). Everything is a real process, but for the regions, which the
test answers for. From beginning to end somebody asks BIND what it answers: that is never nothing, and neither the
generation in the marker nor the epoch there ever falls.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

import dns.exception
import dns.message
import pytest
from support.daemons import first_of, followed
from support.etcd import Etcd, Secured
from support.etcd import Member as EtcdMember
from support.forked import TESTS, Forked, forked
from support.machine_clocks import MachineClock
from support.networks import Host, Network, network, unmakeable
from support.relays import Relay
from support.seats import Seat, last_words, require_written_once
from support.servers import READY_WITHIN, ZONE, Key, program, unconfined

CLOUDS: Final = ("azure", "oci", "aws")
OWNER: Final = "tests"
NAME: Final = f"api.{ZONE}"
LEASE: Final = 5.0
"""Seconds: the shortest that a configuration may say."""
TAKEOVER: Final = LEASE + 2.0
"""Seconds from the last sign of a leader to the first one of the next."""
WITH_ETCD: Final = TAKEOVER + 3.0
"""The same where the leader of etcd may go with it: the next one is elected first, and begins each lease anew."""
ACTS: Final = 8.0
"""Seconds from a region's fall to another answer: 4.5 at most until three probes had no answer, and a busy machine."""

_HTTP: Final = 8080
_PASSWORD: Final = "etcd.password"  # noqa: S105 - the name of its file
_CLIENT, _PEER = 2379, 2380
_BIND: Final = "198.18.0.53"
_EVERY: Final = 0.02
"""Seconds between two questions: more often would take the time of those that it watches."""
_PATIENCE: Final = 30.0
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"

_ETCD: Final = ("--heartbeat-interval", "100", "--election-timeout", "1000")
"""Milliseconds: those of one machine are too short for three of them on one that is busy."""

CONFIG: Final = """\
version: 1
owner: %(owner)s
policies: policies
journal: journal.db
tick: 500ms
resolver: ["127.0.0.1:9"]  # nobody is there: no test may ask the system's resolver who serves a zone
log: {format: json}
coordination:
  etcd: {endpoints: [%(endpoints)s]%(etcd)s}
  members:
%(members)s
  lease: %(lease)gs
providers:
  main:
    kind: rfc2136
    server: "%(server)s:53"
    zones: [%(zone)s]
    timeout: 2s
    nameservers: ["%(server)s:53"]
    key: {name: %(key)s, algorithm: hmac-sha256, secret_file: %(secret)s}
"""

REGIONS: Final = """\
version: 1
regions:
  azure: {cloud: azure}
  oci: {cloud: oci}
  aws: {cloud: aws}
"""

POLICY: Final = """\
version: 1
policy: api
records:
  - {name: %(name)s, type: A, ttl: 5s, providers: [main]}
weights: membership
regions:
%(regions)s
checks:
  live: {http: /health, every: 500ms, timeout: 1s}
health: {fall: 3, rise: 2, recheck: 200ms}
failback: {after: 500ms}
limits: {min_regions: 1, max_shift: 100%% per 1s, max_changes: 1000 per 1h}
on_drift: restore
"""


@dataclass
class Region:
    """A region that answers `200 ok` at each of its addresses, until it is broken."""

    host: Host
    addresses: tuple[str, ...]
    _listening: list[socket.socket] = field(default_factory=list)
    _works: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def endpoints(self) -> list[str]:
        return [f"{address}:{_HTTP}" for address in self.addresses]

    async def start(self) -> None:
        for address in self.addresses:
            opened = self.host.opened()
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address, _HTTP))
            opened.listen()
            self._listening.append(opened)
            self._go_on(self._listen(opened))

    def stop(self) -> None:
        """Break it: connections are refused from now on."""
        while self._listening:
            self._listening.pop().shutdown(socket.SHUT_RDWR)

    async def end(self) -> None:
        """Whoever asked is gone: no connection is left over."""
        self.stop()
        while self._works:
            await asyncio.gather(*self._works)

    async def _listen(self, opened: socket.socket) -> None:
        """A server of asyncio loses a connection, open, that comes in the moment in which it is closed."""
        with closing(opened), suppress(OSError):  # it was shut down
            while True:
                asked, _ = await asyncio.get_running_loop().sock_accept(opened)
                self._go_on(_answer(asked))

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)


async def _answer(asked: socket.socket) -> None:
    loop, said = asyncio.get_running_loop(), b""
    with closing(asked), suppress(OSError):  # a time-out is one
        async with asyncio.timeout(5):
            while not said.endswith(b"\r\n\r\n"):
                heard = await loop.sock_recv(asked, 1 << 16)
                if not heard:
                    return
                said += heard
            await loop.sock_sendall(asked, _OK)


@dataclass(frozen=True)
class Seen:
    """What BIND answered, from `at` on (`time.monotonic`)."""

    at: float
    answer: frozenset[str] = frozenset()
    marker: str = ""

    @property
    def generation(self) -> int:
        return self._number("gen")

    @property
    def epoch(self) -> int:
        return self._number("epoch")

    def _number(self, name: str) -> int:
        found = re.search(rf"\b{name}=(\d+)", self.marker)
        return int(found[1]) if found is not None else 0


@dataclass
class Watch:
    """Asks BIND, and remembers each answer that was another one."""

    asked: socket.socket
    name: str
    seen: list[Seen] = field(default_factory=lambda: [Seen(time.monotonic())])
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _wrong: str = ""

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    async def until(self, fits: Callable[[Seen], bool], within: float, words: str) -> Seen:
        """The first answer that fits, the one of now included, if it comes within so many seconds."""
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: self._wrong or fits(self.last))
        except TimeoutError:
            raise AssertionError(f"not within {within:g}s: {words}; it is {self.last}") from None
        self.sound()
        return self.last

    async def pass_by(self, seconds: float) -> None:
        """Watch for so long, whatever is answered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._wrong)
        self.sound()

    async def stays(self, seconds: float, words: str) -> None:
        """Nothing else is answered for so long."""
        number = len(self.seen)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: len(self.seen) > number)
                raise AssertionError(f"it changed, though {words}: {self.last}")
        self.sound()

    def sound(self) -> None:
        """Nothing was seen that must never be."""
        assert not self._wrong, f"{self._wrong}\n" + "\n".join(map(str, self.seen))

    async def keep_asking(self) -> None:
        """Endless."""
        while not self._wrong:
            # the answer first: who waits for one sees its marker, too, and none of both a moment later
            answer, marker = await self._ask(self.name, "A"), await self._ask(f"_failoverd.{self.name}", "TXT")
            found = Seen(time.monotonic(), answer, "".join(sorted(marker)))
            if (found.answer, found.marker) != (self.last.answer, self.last.marker):
                self._wrong = _wrong(self.last, found)
                self.seen.append(found)
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(_EVERY)

    async def _ask(self, name: str, kind: str) -> frozenset[str]:
        query = dns.message.make_query(name, kind)
        async with asyncio.timeout(_PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.asked, query.to_wire())
            while True:
                said = dns.message.from_wire(await asyncio.get_running_loop().sock_recv(self.asked, 65_535))
                if query.is_response(said):
                    return frozenset(item.to_text() for found in said.answer for item in found)


def _wrong(before: Seen, found: Seen) -> str:
    if before.answer and not found.answer:
        return f"an empty answer after {before}"
    if found.generation < before.generation:
        return f"an older generation: {found.marker} after {before.marker}"
    if found.epoch < before.epoch:
        return f"a lower epoch: {found.marker} after {before.marker}"
    return ""


@dataclass
class CloudSeat(Seat):
    """A seat with a folder of its own, and perhaps a clock."""

    folder: Path
    clock: MachineClock | None = None
    relay: Relay | None = None

    @property
    def config(self) -> Path:
        return self.folder / "failoverd.yaml"

    def say_password(self, password: str) -> None:
        """The one by which it signs in at etcd."""
        (self.folder / _PASSWORD).write_text(f"{password}\n")

    async def started(self) -> asyncio.subprocess.Process | Forked:
        """A new process. One with a clock of its own is executed: a library is loaded before it."""
        words, environment = ("failoverd", "run", "--config", str(self.config)), {"FAILOVERD_MEMBER": self.name}
        how: Any = {"stderr": asyncio.subprocess.PIPE, "limit": 1 << 20}
        if self.clock is None:
            return await forked(*words, **how, env={**os.environ, **environment}, keeper=self.host.pid)
        command = self.host.command(sys.executable, "-m", *words)
        environment |= {"PYTHONPATH": str(TESTS), **self.clock.environment}
        return await asyncio.create_subprocess_exec(*command, **how, env={**os.environ, **environment})

    @property
    def written(self) -> list[int]:
        """The generations that it has written, before each restart too."""
        return [each["generation"] for daemon in self.daemons for each in daemon.named("change.applied")]


@dataclass
class Guard:
    """An etcd as the manual has it: it speaks TLS to who shows a certificate, and users sign in.

    Attributes:
        secured: its certificates.
        password: of the user `failoverd`, who may read and write below the prefix of the installation.
        root: the password of who manages users; none, until users have to sign in.
        token: of `root`. Each takes etcd a tenth of a second of a processor.
    """

    secured: Secured
    password: str = field(default_factory=partial(token_urlsafe, 18))
    root: str = ""
    token: str = ""

    @property
    def etcdctl(self) -> Sequence[str]:
        certificate, key = self.secured.certificate("client")
        tls = ("--cacert", str(self.secured.ca_file), "--cert", str(certificate), "--key", str(key))
        return (*tls, *(("--user", f"root:{self.root}") if self.root else ()))

    @property
    def settings(self) -> str:
        """What stands with the endpoints in a configuration. The password's file is that of each member."""
        certificate, key = self.secured.certificate("client")
        shown = f"ca_file: {self.secured.ca_file}, cert_file: {certificate}, key_file: {key}"
        return f", {shown}, user: failoverd, password_file: {_PASSWORD}"

    def let_in(self, etcdctl: Callable[..., None]) -> None:
        """From now on users sign in."""
        root = token_urlsafe(18)
        etcdctl(0, "user", "add", f"root:{root}")
        etcdctl(0, "user", "add", f"failoverd:{self.password}")
        etcdctl(0, "role", "add", "failoverd")
        etcdctl(0, "role", "grant-permission", "failoverd", "readwrite", "--prefix=true", f"/failoverd/{OWNER}/")
        etcdctl(0, "user", "grant-role", "failoverd", "failoverd")
        etcdctl(0, "user", "grant-role", "root", "root")
        etcdctl(0, "auth", "enable")
        self.root = root


@dataclass
class ThreeClouds:
    """All of it."""

    net: Network
    etcd: Etcd
    watch: Watch
    regions: Mapping[str, Region]
    seats: Mapping[str, CloudSeat]
    _running: AsyncExitStack
    guard: "Guard | None" = None

    # -- places --------------------------------------------------------------------------------------------------------

    def member(self, name: str) -> Host:
        return self.seats[name].host

    def cloud(self, *names: str) -> list[Host]:
        """Everything that stands in these clouds."""
        return [self.net[host] for name in names for host in (f"{name}-member", f"{name}-site")]

    @property
    def etcds(self) -> list[str]:
        return [_etcd(name) for name in CLOUDS]

    @property
    def endpoints(self) -> list[str]:
        return [address for each in self.regions.values() for address in each.addresses]

    @property
    def provider(self) -> Host:
        return self.net["dns"]

    def others(self, *names: str) -> list[str]:
        return [each for each in CLOUDS if each not in names]

    # -- members -------------------------------------------------------------------------------------------------------

    async def start(self, *names: str) -> None:
        """These members, or all of them. Each is killed at the end if it still runs."""
        for name in names or CLOUDS:
            seat = self.seats[name]
            process = await seat.started()
            seat.daemons.append(await self._running.enter_async_context(followed(process)))

    async def begun(self) -> tuple[str, list[str]]:
        """All members run, and one of them has published all regions; which, and the others."""
        await self.start()
        await self.tells("change.verified")
        await self.answer(within=_PATIENCE)
        first = await self.led()
        return first, self.others(first)

    async def kill(self, name: str) -> None:
        self.seats[name].running.signal(signal.SIGKILL)
        await self.seats[name].running.ended()

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stopped, as a virtual machine that is moved to another host."""
        daemon = self.seats[name].running
        daemon.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            daemon.signal(signal.SIGCONT)

    async def leader(self) -> tuple[str, int]:
        """Who holds the key of the leader, and its epoch there; by the etcd of any cloud. Nobody: empty, and 0."""
        try:
            found = await self.key("leader")
        except ConnectionError:
            return "", 0
        return (b64decode(found["value"]).decode(), int(found["create_revision"])) if found else ("", 0)

    async def follows(self, name: str, leader: str) -> None:
        """Until this member has told that it follows that one."""
        await self.seats[name].running.event("leader.elected", leader=leader, mine=False)

    async def led(self, *by: str, after: int = 0, within: float = _PATIENCE) -> str:
        """Until one of these leads, with a higher epoch than that; gives its name."""
        wanted = by or CLOUDS
        try:
            async with asyncio.timeout(within):
                while True:
                    found, epoch = await self.leader()
                    if found in wanted and epoch > after:
                        return found
                    await asyncio.sleep(_EVERY)  # etcd is asked again
        except TimeoutError:
            raise AssertionError(f"not within {within:g}s: led by {wanted} after {after}; {self.told()}") from None

    async def tells(self, event: str) -> None:
        """Until one of the members tells that."""
        await first_of({name: seat.running.event(event) for name, seat in self.seats.items() if seat.runs})

    def told(self) -> str:
        """The last words of each member."""
        return last_words(self.seats.values())

    def written_by(self, name: str) -> list[int]:
        return self.seats[name].written

    def sound(self) -> None:
        require_written_once(self.seats.values())

    # -- etcd ----------------------------------------------------------------------------------------------------------

    async def key(self, key: str) -> Mapping[str, Any] | None:
        """A key of the installation, as a majority of etcd has it."""
        whole = b64encode(f"/failoverd/{OWNER}/{key}".encode()).decode()
        found: Sequence[Mapping[str, Any]] = (await self.asked("kv/range", {"key": whole})).get("kvs", ())
        return found[0] if found else None

    async def asked(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What etcd answers to that, by the member of any cloud that is asked beside it."""
        for number, name in enumerate(CLOUDS):
            if self.etcd.members[number].process is not None:
                with suppress(OSError, HTTPException, ValueError):
                    return await asyncio.to_thread(self._asked, name, call, body)
        raise ConnectionError("no etcd answers")

    def _asked(self, name: str, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        there, guard = (self.net[f"{name}-site"], _etcd(name)), self.guard
        if guard is None:
            return _posted(*there, call, body)
        with suppress(ConnectionError):  # tokens end
            return _posted(*there, call, body, guard, guard.token)
        root = {"name": "root", "password": guard.root}
        guard.token = _posted(*there, "auth/authenticate", root, guard)["token"]
        return _posted(*there, call, body, guard, guard.token)

    async def etcd_leader(self) -> EtcdMember:
        """The member of etcd that the others follow."""
        for number, name in enumerate(CLOUDS):
            host = self.net[f"{name}-site"]
            said = await asyncio.to_thread(_posted, host, _etcd(name), "maintenance/status", {})
            if said["header"]["member_id"] == said["leader"]:
                return self.etcd.members[number]
        raise AssertionError("etcd has no leader")

    async def etcd_ready(self) -> None:
        """Until each member of etcd that runs says so."""
        await asyncio.to_thread(self.etcd.await_ready)

    def etcd_backup(self, path: Path) -> Path:
        """A snapshot, as etcd's manual says."""
        self.etcdctl(0, "snapshot", "save", str(path))
        return path

    async def etcd_restored(self, backup: Path) -> None:
        """The whole cluster is gone, and is made anew of a backup, in which everything is as it was then."""
        for each in self.etcd.members:
            each.kill()
        for number, each in enumerate(self.etcd.members):
            data = each.directory / each.name
            shutil.rmtree(data)
            told = ("--name", each.name, "--initial-advertise-peer-urls", each.peer, "--data-dir", str(data))
            cluster = ("--initial-cluster", self.etcd.cluster, "--initial-cluster-token", "tests")
            self.etcdctl(number, "snapshot", "restore", str(backup), *told, *cluster)
        await asyncio.to_thread(self.etcd.start)

    def etcdctl(self, number: int, *words: str, said: str = "") -> None:
        """It asks the member of that number, where it asks any, and as `root` where users sign in."""
        each = self.etcd.members[number]
        how = self.guard.etcdctl if self.guard is not None else ()
        command = self.net[f"{each.name}-site"].command(program("etcdctl"), "--endpoints", each.client, *how, *words)
        run: Any = {"env": {**os.environ, "ETCDCTL_API": "3"}, "capture_output": True, "text": True, "timeout": 30}
        done = subprocess.run(command, **run, input=said, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    # -- what is answered ----------------------------------------------------------------------------------------------

    async def answer(self, *regions: str, within: float = ACTS) -> Seen:
        """Until it is that of exactly these regions, or of all."""
        wanted = regions or CLOUDS
        try:
            return await self.watch.until(self.answers(*wanted), within, f"the answer is {', '.join(wanted)}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None

    def answers(self, *regions: str) -> Callable[[Seen], bool]:
        """Whether the answer is that of exactly these regions."""
        wanted = {address for name in regions for address in self.regions[name].addresses}
        return lambda seen: seen.answer == wanted


def _posted(
    host: Host, address: str, call: str, body: Mapping[str, Any], guard: "Guard | None" = None, token: str = ""
) -> dict[str, Any]:
    with closing(HTTPConnection(address, _CLIENT)) as asked:
        asked.sock = host.connect((address, _CLIENT), 1)
        if guard is not None:
            asked.sock = guard.secured.context.wrap_socket(asked.sock, server_hostname=address)
        asked.request("POST", f"/v3/{call}", json.dumps(body), {"Authorization": token} if token else {})
        answer = asked.getresponse()
        found = json.loads(answer.read())
    if answer.status != 200 or not isinstance(found, dict):
        raise ConnectionError(f"{call}: {found}")
    return found


# -- how it is made ----------------------------------------------------------------------------------------------------


def _etcd(cloud: str) -> str:
    return f"198.18.{1 + CLOUDS.index(cloud)}.2"


def _hosts() -> dict[str, list[str]]:
    hosts = {"dns": [_BIND]}
    for number, cloud in enumerate(CLOUDS, 1):
        hosts[f"{cloud}-member"] = [f"198.18.{number}.1"]
        hosts[f"{cloud}-site"] = [_etcd(cloud), f"198.18.{number}.11", f"198.18.{number}.12"]
    return hosts


@asynccontextmanager
async def three_clouds(
    folder: Path,
    *,
    clocks: bool = False,
    relays: bool = False,
    guarded: bool = False,
    lease: float = LEASE,
    etcd: Sequence[str] = (),
) -> AsyncIterator[ThreeClouds]:
    """All of it but the members, which a test starts when it wants.

    Args:
        folder: for files.
        clocks: each member has a clock of its own, which a test sets.
        relays: each asks its name server and etcd through a relay of its own.
        guarded: etcd speaks TLS, and users sign in. Not with `relays`.
        lease: of the members, in seconds.
        etcd: more arguments of each etcd.
    """
    if reason := unmakeable():
        pytest.skip(reason)
    with ExitStack() as stack:
        net = stack.enter_context(network(_hosts()))
        guard = Guard(Secured(folder, tuple(map(_etcd, CLOUDS)))) if guarded else None
        cluster = stack.enter_context(_etcds(net, folder, guard, etcd))
        key = stack.enter_context(zone_served(net["dns"], folder, ZONE))
        regions = {name: Region(net[f"{name}-site"], net[f"{name}-site"].addresses[1:]) for name in CLOUDS}
        seats = {name: CloudSeat(name, net[f"{name}-member"], folder / name) for name in CLOUDS}
        for seat in seats.values():
            ways = _relayed(lease) if relays else _Ways(_BIND, cluster.endpoints, lease)
            _write(seat, regions, ways, key, guard)
            seat.clock = MachineClock(seat.folder / "clock") if clocks else None
        for region in regions.values():
            await region.start()
            stack.callback(region.stop)
        async with watched(net["dns"], NAME) as watch, AsyncExitStack() as running:
            for region in regions.values():
                running.push_async_callback(region.end)
            for seat in seats.values() if relays else ():
                seat.relay = await running.enter_async_context(_relay(seat.host))
            world = ThreeClouds(net, cluster, watch, regions, seats, running, guard)
            if guard is not None:
                guard.let_in(world.etcdctl)
            yield world
        world.sound()


@contextmanager
def _etcds(net: Network, folder: Path, guard: Guard | None, more: Sequence[str]) -> Iterator[Etcd]:
    data = folder / "etcd"
    data.mkdir()
    members = []
    for cloud in CLOUDS:
        host, address = net[f"{cloud}-site"], _etcd(cloud)
        places = (f"http{'s' if guard else ''}://{address}:{_CLIENT}", f"http://{address}:{_PEER}")
        how = (*_ETCD, *(guard.secured.arguments if guard else ()), *more)
        context = guard.secured.context if guard else None
        members.append(EtcdMember(cloud, *places, data, how, context, host.command, host.connect))
    cluster = Etcd(tuple(members))
    try:
        cluster.start()
        yield cluster
    finally:
        for each in members:
            each.kill()


@contextmanager
def zone_served(host: Host, folder: Path, zone: str, key_name: str = "failoverd") -> Iterator[Key]:
    """A BIND with a zone, at each address of the host. Gives the key by which it may be changed."""
    home = folder / "bind"
    home.mkdir()
    key = Key.make(home, key_name)
    begun = f"$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A {host.addresses[0]}\n"
    (home / f"{zone}.zone").write_text(begun)
    (home / "named.conf").write_text(
        f"""\
{key.clause()}
options {{
    directory "{home}";
    pid-file none;
    session-keyfile none;
    listen-on port 53 {{ {"; ".join(host.addresses)}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-transfer {{ none; }};
}};
controls {{ }};
zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ key "{key.name}"; }}; }};
"""
    )
    with (home / "log").open("wb") as log:
        command = host.command(unconfined(program("named"), home), "-g", "-n", "1", "-c", str(home / "named.conf"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_answer(host, zone, home / "log")
        yield key
    finally:
        process.kill()
        process.wait()


def _await_answer(host: Host, zone: str, log: Path) -> None:
    query = dns.message.make_query(zone, "SOA")
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        with host.opened(socket.SOCK_DGRAM) as asked, suppress(OSError, dns.exception.DNSException):
            asked.settimeout(0.1)
            asked.sendto(query.to_wire(), (host.addresses[0], 53))
            if dns.message.from_wire(asked.recv(65_535)).answer:
                return
        time.sleep(0.02)
    raise RuntimeError(f"BIND did not start:\n{log.read_text()}")


@asynccontextmanager
async def watched(host: Host, name: str) -> AsyncIterator[Watch]:
    """Somebody asks the server there meanwhile, and it ends well only if nothing was wrong."""
    with host.opened(socket.SOCK_DGRAM) as asked:
        asked.setblocking(False)
        asked.connect((host.addresses[0], 53))
        watch = Watch(asked, name)
        asking = asyncio.create_task(watch.keep_asking())
        try:
            yield watch
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        watch.sound()


@dataclass(frozen=True)
class _Ways:
    """Where a member asks, and for how long it holds what it is given there."""

    server: str
    endpoints: Sequence[str]
    lease: float


def _relayed(lease: float) -> _Ways:
    return _Ways("127.0.0.1", [f"http://127.0.0.1:{_CLIENT + number}" for number in range(len(CLOUDS))], lease)


@asynccontextmanager
async def _relay(host: Host) -> AsyncIterator[Relay]:
    async with Relay(host) as relay:
        await relay.name_server(53, (_BIND, 53))
        for number, cloud in enumerate(CLOUDS):
            await relay.etcd(_CLIENT + number, (_etcd(cloud), _CLIENT))
        yield relay


def _write(seat: CloudSeat, regions: Mapping[str, Region], ways: _Ways, key: Key, guard: Guard | None) -> None:
    """The files of one member: the same for each of them."""
    (seat.folder / "policies").mkdir(parents=True)
    (seat.folder / "policies" / "regions.yaml").write_text(REGIONS)
    shares = _lines(
        f"  {name}: {{share: {share}, endpoints: [{', '.join(_quoted(region.endpoints))}]}}"
        for (name, region), share in zip(regions.items(), (40, 30, 30), strict=True)
    )
    (seat.folder / "policies" / "api.yaml").write_text(POLICY % {"name": NAME, "regions": shares})
    secret = shutil.copy(key.bind_file, seat.folder / "tsig.key")
    if guard is not None:
        seat.say_password(guard.password)
    seat.config.write_text(
        CONFIG
        % {
            "owner": OWNER,
            "endpoints": ", ".join(_quoted(ways.endpoints)),
            "etcd": guard.settings if guard is not None else "",
            "members": _lines(f"    {name}: {{network: {name}}}" for name in CLOUDS),
            "lease": ways.lease,
            "server": ways.server,
            "zone": ZONE,
            "key": key.name,
            "secret": secret,
        }
    )


def _quoted(words: Iterable[str]) -> list[str]:
    return [json.dumps(each) for each in words]


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
