"""What is probed: one nginx worker that answers on every loopback address, and counts what it was asked."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from support.servers import program

from bench.processes import running

HOST = "api.example.test"
"""The name that probes ask for; the certificate is for it."""

PATH = "/health"
_STATUS_PORT = 8099
_START_WITHIN = 10.0
_SAMPLED = 2
"""Percent of the handshakes whose kind is written down."""


@dataclass(frozen=True)
class Identity:
    """A certificate (ECDSA P-256) with its key, and the authority that vouches for it. Files."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Identity":
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert(HOST, key_type=trustme.KeyType.ECDSA)
        made = cls(folder / "authority.pem", folder / "chain.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(str(made.authority))
        leaf.private_key_pem.write_to_path(str(made.key))
        for number, part in enumerate(leaf.cert_chain_pems):
            part.write_to_path(str(made.chain), append=number > 0)
        return made


@dataclass(frozen=True)
class Counts:
    """Since the server started: connections that it accepted, requests that it answered."""

    accepted: int
    answered: int

    def since(self, before: "Counts") -> "Counts":
        return Counts(self.accepted - before.accepted, self.answered - before.answered)


class Nginx:
    """A running nginx."""

    def __init__(self, sample: Path, met: Path) -> None:
        self._sample = sample
        self._met = met
        self._asked = 0

    def counts(self) -> Counts:
        """Without the connections that this made itself in order to ask."""
        with urllib.request.urlopen(f"http://127.0.0.1:{_STATUS_PORT}/", timeout=5) as answer:
            numbers = answer.read().decode().splitlines()[2].split()
        self._asked += 1
        return Counts(int(numbers[0]) - self._asked, int(numbers[2]) - self._asked)

    def met(self) -> int:
        """How many addresses were asked. Only counted when `nginx` was told so; some tenths of a second old."""
        return len(set(self._met.read_text().split())) if self._met.exists() else 0

    def handshakes(self) -> tuple[int, int]:
        """Of the handshakes that were looked at so far: how many resumed a session, and how many were full ones."""
        lines = self._sample.read_text().split() if self._sample.exists() else []
        resumed = lines.count("r")
        return resumed, len(lines) - resumed


@contextmanager
def nginx(
    folder: Path, port: int, *, cpus: str, identity: Identity | None = None, met: bool = False
) -> Iterator[Nginx]:
    """One worker on `cpus`, answering 200 on `port` of every address; with TLS, if it is given who it is.

    `met`: it writes down which of its addresses were asked.
    """
    folder.mkdir()
    found = Nginx(folder / "handshakes", folder / "met")
    configuration = folder / "nginx.conf"
    configuration.write_text(_configuration(folder, port, identity, _MEETING.format(folder=folder) if met else ""))
    with running(
        [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)], folder, cpus=cpus
    ) as process:
        _wait_for(found, process)
        yield found


def _wait_for(server: Nginx, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while True:
        try:
            server.counts()
        except urllib.error.URLError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("nginx does not answer") from None
            time.sleep(0.05)
        else:
            return


def _configuration(folder: Path, port: int, identity: Identity | None, meeting: str) -> str:
    secure = "ssl" if identity is not None else ""
    return f"""\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 10000; }}
http {{
    default_type text/plain;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    access_log off;
{_SAMPLING if identity is not None else ""}
    log_format address $server_addr;
    server {{
        listen 0.0.0.0:{port} {secure} backlog=8192;
        {_tls(folder, identity) if identity is not None else ""}
        {meeting}
        location / {{ return 200 "ok\\n"; }}
    }}
    server {{
        listen 127.0.0.1:{_STATUS_PORT};
        location / {{ stub_status; }}
    }}
}}
"""


def _tls(folder: Path, identity: Identity) -> str:
    return f"""\
ssl_certificate {identity.chain};
        ssl_certificate_key {identity.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:sessions:20m;
        ssl_session_timeout 1h;
        access_log {folder}/handshakes kind if=$sampled;
"""


_MEETING = "access_log {folder}/met address buffer=32k flush=200ms;"

_SAMPLING = f"""\
    log_format kind $ssl_session_reused;
    split_clients $request_id $sampled {{ {_SAMPLED}% 1; * 0; }}
"""
