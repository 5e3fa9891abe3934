"""What the demo is made of: three "regions" that answer HTTP, configuration files, and a client that asks DNS."""

import asyncio
import errno
import shutil
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from failoverd.core.errors import FailoverdError

FILES: Final = Path(__file__).parent / "files"

DNS_PORT: Final = 5533
HTTP_PORT: Final = 8086
RECORD: Final = "api.demo.test"
POLICY: Final = "inference-api"
REGIONS: Final[Mapping[str, str]] = {
    "127.86.0.1": "azure-eastus",
    "127.86.0.2": "oci-frankfurt",
    "127.86.0.3": "aws-use1",
}

_Places = tuple[tuple[str, socket.SocketKind], ...]
_DNS: Final[_Places] = (("127.0.0.1", socket.SOCK_DGRAM), ("127.0.0.1", socket.SOCK_STREAM))

_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_MOST_REQUEST: Final = 8_192
_PATIENCE: Final = 1.0
"""Seconds that one DNS query may take."""


class DemoRegion:
    """A load balancer in small: answers `200 ok` to everything, until it is broken."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        self.address = address
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.address, self._port, limit=_MOST_REQUEST)

    def stop(self) -> None:
        """Break it: connections are refused from now on. Those that stand end by themselves, within two seconds."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            closing(writer),
            suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError),
        ):
            async with asyncio.timeout(2):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_OK)
                await writer.drain()


class DnsClient:
    """Asks the demo's server as any resolver would: one UDP query each time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.tally: Counter[str] = Counter()

    async def ask_on(self, every: float) -> None:
        """Keep asking. Endless."""
        while True:
            await self.region()
            await asyncio.sleep(every)

    async def region(self) -> str | None:
        """The region that one query is sent to, counted; None when nothing is answered."""
        texts = await self._ask(RECORD, dns.rdatatype.A)
        if not texts:
            return None
        found = REGIONS.get(texts[0], texts[0])
        self.tally[found] += 1
        return found

    async def generation(self) -> int:
        """The generation on the record's marker; 0 before the first write."""
        texts = await self._ask(f"_failoverd.{RECORD}", dns.rdatatype.TXT)
        words = dict(word.split("=", 1) for word in texts[0].strip('"').split()) if texts else {}
        return int(words.get("gen", 0))

    def shares(self) -> dict[str, float]:
        """What part of the queries since the last reset went where."""
        total = sum(self.tally.values())
        return {name: round(self.tally[name] / total, 3) if total else 0.0 for name in REGIONS.values()}

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[str]:
        query = dns.message.make_query(name, kind)
        try:
            async with asyncio.timeout(_PATIENCE):  # a time-out of dnspython's own can swallow a cancellation
                answer = await dns.asyncquery.udp(query, "127.0.0.1", port=self.port)
        except (dns.exception.DNSException, OSError):
            return []
        return [item.to_text() for rrset in answer.answer for item in rrset]


def free_ports(wanted_dns: int | None) -> tuple[int, int]:
    """A port for DNS (UDP and TCP) and one for HTTP on all three addresses; the usual ones where they are free.

    Raises:
        FailoverdError: a DNS port was asked for and cannot be had.
    """
    if wanted_dns is None:
        dns_port = _free(DNS_PORT, _DNS)
    else:
        dns_port = wanted_dns
        _require(wanted_dns)
    return dns_port, _free(HTTP_PORT, tuple((address, socket.SOCK_STREAM) for address in REGIONS))


def _require(port: int) -> None:
    try:
        _try(port, _DNS)
    except OSError as error:
        raise FailoverdError(
            f"port {port} of 127.0.0.1 cannot be used for DNS: {error.strerror}",
            reason="port_taken" if error.errno == errno.EADDRINUSE else "port_unusable",
            remedy="choose another one with --port; without it, the demo finds a free one by itself",
        ) from None


def _free(usual: int, places: _Places) -> int:
    for port in (usual, *(_any_port() for _ in range(20))):
        with suppress(OSError):
            _try(port, places)
            return port
    raise FailoverdError(
        "no port of loopback is free", reason="port_taken", remedy="see what holds them: ss --listening --numeric"
    )


def _try(port: int, places: _Places) -> None:
    """Raises OSError when the port cannot be bound at one of the places."""
    for address, kind in places:
        with socket.socket(socket.AF_INET, kind) as trial:
            if kind is socket.SOCK_STREAM:  # of connections that ended a moment ago; two UDP servers would share it
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))


def _any_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def write_files(folder: Path, dns_port: int, http_port: int, files: Path | None = None) -> Path:
    """The demo's configuration in `folder`, with the ports that are free here. Returns the daemon's file."""
    shutil.copytree(files or FILES, folder, dirs_exist_ok=True)
    for path in folder.rglob("*.yaml"):
        text = path.read_text()
        path.write_text(text.replace(f":{DNS_PORT}", f":{dns_port}").replace(f":{HTTP_PORT}", f":{http_port}"))
    return folder / "failoverd.yaml"
