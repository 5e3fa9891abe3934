"""A real etcd on loopback, of as many members as a test wants, each an ordinary process in a directory of its own."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import trustme
from support.servers import program

Connect = Callable[[tuple[str, int], float], socket.socket]
"""As `socket.create_connection`."""

READY_WITHIN = 20.0
"""Seconds. A cluster of three has a leader in about one."""


@dataclass
class Member:
    """One etcd process. It can be killed, frozen and started again on the same directory.

    `command` makes the command that starts a program on its host, `connect` a connection from there.
    """

    name: str
    client: str
    peer: str
    directory: Path
    arguments: Sequence[str] = ()
    context: ssl.SSLContext | None = None
    command: Callable[..., list[str]] = lambda *words: list(words)
    connect: Connect = socket.create_connection
    process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: str) -> None:
        command = [
            program("etcd"),
            *("--name", self.name, "--data-dir", str(self.directory / self.name)),
            *("--listen-client-urls", self.client, "--advertise-client-urls", self.client),
            *("--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer),
            *("--initial-cluster", cluster, "--initial-cluster-state", "new", "--initial-cluster-token", "tests"),
            *("--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap", "--log-level", "error"),
            *self.arguments,
        ]
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(*command), stdout=log, stderr=log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    @property
    def ready(self) -> bool:
        place = urlsplit(self.client)
        host, port = place.hostname or "", place.port or 0
        with suppress(OSError, HTTPException), closing(HTTPConnection(host, port)) as asked:
            asked.sock = self.connect((host, port), 2)
            if self.context is not None:
                asked.sock = self.context.wrap_socket(asked.sock, server_hostname=host)
            asked.request("GET", "/health")
            return b'"health":"true"' in asked.getresponse().read()
        return False


@dataclass
class Etcd:
    """A cluster."""

    members: tuple[Member, ...]
    cluster: str = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = ",".join(f"{each.name}={each.peer}" for each in self.members)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(each.client for each in self.members)

    def start(self) -> None:
        for each in self.members:
            each.start(self.cluster)
        self.await_ready()

    def stop(self) -> None:
        for each in self.members:
            each.kill()

    def back_up(self) -> None:
        self.stop()
        for data, backup in self._directories():
            shutil.copytree(data, backup)
        self.start()

    def put_back(self) -> None:
        """To the state of the last backup."""
        self.stop()
        for data, backup in self._directories():
            shutil.rmtree(data)
            shutil.copytree(backup, data)
        self.start()

    def make_anew(self) -> None:
        """Empty, and another cluster by its id, at the same addresses."""
        self.stop()
        for each in self.members:
            shutil.rmtree(each.directory / each.name)
            each.arguments = (*each.arguments, "--initial-cluster-token", "anew")
        self.start()

    def _directories(self) -> Iterator[tuple[Path, Path]]:
        for each in self.members:
            yield each.directory / each.name, each.directory / f"{each.name}.backup"

    def await_ready(self) -> None:
        end = time.monotonic() + READY_WITHIN
        while not all(each.ready for each in self.members if each.process is not None):
            if time.monotonic() > end:
                raise RuntimeError("etcd is not ready: " + self.members[0].directory.joinpath("e0.log").read_text())
            time.sleep(0.05)


@dataclass
class Secured:
    """What a cluster has that speaks TLS to clients alone that show a certificate: an authority, and its files."""

    folder: Path
    servers: tuple[str, ...] = ("127.0.0.1",)
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.issue("server", *self.servers)  # of both uses: the gateway shows it to the server behind it
        self.issue("client", "failoverd")

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def issue(self, name: str, *identities: str, common_name: str | None = None) -> None:
        """A certificate with its key, in place of the one before. etcd takes a common name for a user."""
        issued = self.authority.issue_cert(*identities, common_name=common_name)
        certificate, key = self.certificate(name)
        for path, content in ((certificate, issued.cert_chain_pems[0]), (key, issued.private_key_pem)):
            content.write_to_path(path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)

    @property
    def arguments(self) -> Sequence[str]:
        certificate, key = self.certificate("server")
        return (
            *("--cert-file", str(certificate), "--key-file", str(key)),
            *("--client-cert-auth", "--trusted-ca-file", str(self.ca_file)),
        )

    @property
    def context(self) -> ssl.SSLContext:
        found = ssl.create_default_context(cafile=self.ca_file)
        found.load_cert_chain(*self.certificate("client"))
        return found


@contextmanager
def etcd(size: int = 1, secured: Secured | None = None, arguments: Sequence[str] = ()) -> Iterator[Etcd]:
    with tempfile.TemporaryDirectory(prefix="etcd-") as found:
        ports = _free_ports(2 * size)
        scheme, how = (
            ("http", (arguments,))
            if secured is None
            else ("https", ((*secured.arguments, *arguments), secured.context))
        )
        members = tuple(
            Member(
                f"e{index}",
                f"{scheme}://127.0.0.1:{ports[2 * index]}",
                f"http://127.0.0.1:{ports[2 * index + 1]}",
                Path(found),
                *how,
            )
            for index in range(size)
        )
        cluster = Etcd(members)
        try:
            cluster.start()
            yield cluster
        finally:
            for each in members:
                each.kill()


def _free_ports(wanted: int) -> list[int]:
    held = [socket.socket() for _ in range(wanted)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
