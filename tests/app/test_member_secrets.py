"""Secrets of members stay in their files: looked for in all that a run of three of them says, and leaves behind.

Each is used, and each is wrong once: the password of etcd, the key of the certificate that is shown to it, the key that
signs updates, and the token of who asks from another machine. `make test-members` runs this.
"""

import asyncio
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from support.canaries import Canaries
from support.daemons import NAME, RunningDaemon, Site, first_of, followed, site
from support.etcd import Etcd, Secured, etcd
from support.forked import forked
from support.servers import ZONE, DnsServer, bind, free_port, program
from support.sweeping import Sweep

from failoverd.api.actors import Role
from failoverd.api.routes import ROUTES

pytestmark = [pytest.mark.server, pytest.mark.members]

MEMBERS: Final = ("azure", "oci", "aws")
CONFIG: Final = """\
version: 1
owner: tests
policies: ../policies
journal: journal.db
tick: 500ms
resolver: ["127.0.0.1:9"]
log: {format: json}
metrics: {listen: "127.0.0.1:%(metrics)d"}
api: {tcp: {listen: "127.0.0.1:%(api)d", tokens_file: tokens}}
coordination:
  etcd:
    endpoints: ["%(etcd)s"]
    ca_file: ../ca.pem
    cert_file: client.pem
    key_file: client.key
    user: failoverd
    password_file: etcd.password
  members: {azure: {network: azure}, oci: {network: oci}, aws: {network: aws}}
  member: %(member)s
  lease: 5s
providers:
  main:
    kind: rfc2136
    server: "127.0.0.1:%(dns)d"
    zones: [%(zone)s]
    timeout: 2s
    nameservers: ["127.0.0.1:%(dns)d"]
    key: {name: %(key)s, algorithm: hmac-sha256, secret_file: tsig.key}
"""

READING: Final = ("members", "check", "status", "why", "history", "overrides", "plan")
WRITING: Final = (
    ("leader", "resign", "--reason", "work"),
    ("pause", "--all", "--reason", "work", "--for", "1h"),
    ("release", "--all", "--reason", "done"),
)


@dataclass
class Members:
    """Three of them, at one BIND and one etcd, which asks for a certificate and a password."""

    here: Site
    secured: Secured
    cluster: Etcd
    canaries: Canaries
    sweep: Sweep
    running: AsyncExitStack
    ports: dict[str, dict[str, int]] = field(default_factory=dict)
    daemons: dict[str, RunningDaemon] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        words = ("failoverd", "run", "--config", str(self.config(name)))
        process = await forked(*words, stderr=asyncio.subprocess.PIPE, limit=1 << 20)
        self.daemons[name] = await self.running.enter_async_context(followed(process))

    def show_as_stranger(self, name: str) -> None:
        """A member shows etcd a certificate that somebody else signed."""
        strangers = self.here.folder / "strangers"
        strangers.mkdir()
        certificate, key = Secured(strangers).certificate("client")
        self.canaries.keep_pem("key of a stranger", key.read_text())
        for file in (certificate, key):
            shutil.copy(file, self.config(name).with_name(file.name))

    def config(self, name: str) -> Path:
        return self.here.folder / name / "failoverd.yaml"

    def write(self, file: str, text: str) -> None:
        """A file of each member."""
        for name in MEMBERS:
            self.config(name).with_name(file).write_text(text)

    def etcdctl(self, *words: str, said: str = "", root: bool = True) -> bytes:
        certificate, key = self.secured.certificate("client")
        shown = ("--cacert", str(self.secured.ca_file), "--cert", str(certificate), "--key", str(key))
        who = ("--user", f"root:{self.canaries.secrets['root password']}") if root else ()
        command = [program("etcdctl"), "--endpoints", self.cluster.endpoints[0], *shown, *who, *words]
        how: Any = {"env": {"ETCDCTL_API": "3"}, "capture_output": True, "timeout": 30}
        done = subprocess.run(command, **how, input=said.encode(), check=False)
        assert done.returncode == 0, f"{command}: {done.stdout!r}{done.stderr!r}"
        return bytes(done.stdout)

    async def tell(self, event: str, *names: str, words: str = "") -> None:
        """Until each of them has told that, in such words."""
        fits = [
            self.daemons[name].until(
                lambda found: found.get("event") == event and words in str(found), f"{name}: {event} {words}"
            )
            for name in names or MEMBERS
        ]
        await asyncio.gather(*fits)

    async def look(self) -> None:
        """At all that each of them says now, at what it left in files, and at what stands in etcd."""
        for name, daemon in self.daemons.items():
            for verb in READING:
                await self.sweep.control(self.config(name), verb)
                await self.sweep.control(self.config(name), verb, "--output", "json")
            if daemon.process.returncode is None:
                await self._ask(name)
            self.sweep.collect(daemon, self.config(name).parent)
        kept = await asyncio.to_thread(self.etcdctl, "get", "", "--prefix")
        assert b"/failoverd/tests/" in kept
        self.sweep.said[f"etcd ({len(self.sweep.said)})"] = kept

    async def _ask(self, name: str) -> None:
        """Every page, by somebody who may read it, by nobody, and by one who shows a wrong token."""
        api, metrics = (f"http://127.0.0.1:{self.ports[name][each]}" for each in ("api", "metrics"))
        for path in ("/", *(route.path for route in ROUTES if route.method == "GET")):
            await self.sweep.ask(api + path.replace("{id}", "pause-1"), self.canaries.secrets["token"])
        for token in ("", self.canaries.secrets["wrong token"]):
            await self.sweep.ask(f"{api}/v1/members", token)
        await self.sweep.ask(f"{metrics}/metrics")


def let_in(there: Members) -> None:
    """From now on users sign in at etcd."""
    password, root = (there.canaries.hatch(name) for name in ("password", "root password"))
    for said in (("user", "add", f"root:{root}"), ("user", "add", f"failoverd:{password}"), ("role", "add", "members")):
        there.etcdctl(*said, root=False)
    there.etcdctl("role", "grant-permission", "members", "readwrite", "--prefix=true", "/failoverd/tests/", root=False)
    there.etcdctl("user", "grant-role", "failoverd", "members", root=False)
    there.etcdctl("user", "grant-role", "root", "root", root=False)
    there.etcdctl("auth", "enable", root=False)
    there.write("etcd.password", f"{password}\n")


def at_its_place(there: Members, name: str, server: DnsServer) -> None:
    """The files of one member, with secrets of its own."""
    folder = there.config(name).parent
    folder.mkdir()
    certificate, key = there.secured.certificate("client")
    for file in (certificate, key):
        shutil.copy(file, folder / file.name)
    shutil.copy(server.key.bind_file, folder / "tsig.key")
    digest = sha256(there.canaries.secrets["token"].encode()).hexdigest()
    (folder / "tokens").write_text(f"deploy {Role.OPERATE} {digest} 2099-01-01T00:00:00Z\n")
    there.ports[name] = {"api": free_port(), "metrics": free_port()}
    places = {"member": name, "etcd": there.cluster.endpoints[0], "dns": server.port, "zone": ZONE}
    there.config(name).write_text(CONFIG % {**places, **there.ports[name], "key": server.key.name})


@asynccontextmanager
async def members(folder: Path, server: DnsServer) -> AsyncIterator[Members]:
    async with AsyncExitStack() as stack:
        secured = Secured(folder)
        cluster = stack.enter_context(etcd(secured=secured))
        here = await stack.enter_async_context(site(folder, {"main": ""}))
        there = Members(here, secured, cluster, Canaries(), Sweep(secured.ca_file), stack)
        there.canaries.keep("tsig", server.key.secret)
        there.canaries.keep_pem("client key", secured.certificate("client")[1].read_text())
        for name in ("token", "wrong token"):
            there.canaries.hatch(name)
        for name in MEMBERS:
            at_its_place(there, name, server)
        let_in(there)
        for name in MEMBERS:
            await there.start(name)
        yield there


async def led(there: Members) -> str:
    """Who wrote first."""
    name, _ = await first_of({name: each.event("change.verified") for name, each in there.daemons.items()})
    return name


async def test_no_secret_of_a_member_is_anywhere_but_in_its_file(tmp_path: Path) -> None:
    with bind() as server:
        async with members(tmp_path, server) as there:
            canaries, leader = there.canaries, await led(there)
            await there.look()

            another = canaries.hatch("another password")
            there.etcdctl("user", "passwd", "failoverd", "--interactive=false", said=f"{another}\n")
            await there.tell("coordinator.lost", words="authentication failed")
            await there.look()
            there.write("etcd.password", f"{another}\n")
            await there.tell("coordinator.regained")

            wrong = canaries.keep("wrong tsig", b64encode(b"another secret, of another server").decode())
            there.write("tsig.key", replace(server.key, secret=wrong).clause())
            await there.here.break_region("west")
            await there.tell("region.failed")
            await tsig_refused(there)
            await there.look()
            there.write("tsig.key", f"not-base64:{server.key.secret}")
            await there.look()
            there.write("tsig.key", server.key.clause())
            await there.here.heal_region("west")

            for words in WRITING:
                await there.sweep.control(there.config(leader), *words)
            one, other = (name for name in MEMBERS if name != leader)
            there.show_as_stranger(one)
            await there.tell("coordinator.lost", one)
            await there.daemons[other].stop()
            await there.look()
            (there.config(other).with_name("client.key")).write_text(f"no key: {canaries.hatch('no key')}")
            await there.start(other)
            await there.tell("coordinator.lost", other, words="cannot be used with the key")
            await there.look()
            for daemon in there.daemons.values():
                await daemon.stop()
            await there.look()

    assert canaries.escaped(there.sweep.said) == []
    raw = b64decode(server.key.secret)
    assert not [place for place, said in there.sweep.said.items() if raw in said or raw.hex().encode() in said]
    said = b"".join(there.sweep.said.values())
    for told in (b"authentication failed", b"tsig_bad_signature", b"secret_invalid", b"token_unknown", NAME.encode()):
        assert told in said, told


async def tsig_refused(there: Members) -> None:
    """Until whoever leads was refused."""
    refused = {name: each.event("target.delayed", reason="tsig_bad_signature") for name, each in there.daemons.items()}
    await first_of(refused)
