"""Real authoritative DNS servers on loopback, as ordinary processes in a directory of their own: BIND, Knot, PowerDNS.

    with bind() as server:
        server.dig("api.example.test", "A")

Each listens on 127.0.0.1 and ::1 at one port that was free, and serves two zones: `ZONE`, which takes updates signed
with `server.key` and delegates `child`, and `LOCKED_ZONE`, which takes none. Any other zone is missing.
"""

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

ZONE = "example.test"
LOCKED_ZONE = "locked.test"
PLACES = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where packages put programs. `tests/install-servers` looks there, too, and it is the PATH of the tests."""
READY_WITHIN = 20.0
"""Seconds. All are ready in well under one on an idle machine."""

_PORTS = range(20_000, 32_000)
_STARTS = 5
_ZONE_FILE = """\
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
child NS ns.child
ns.child A 127.0.0.1
"""


@dataclass(frozen=True)
class Key:
    """A TSIG key, and the two forms of secret file that an operator may keep it in."""

    name: str
    secret: str = field(repr=False)
    bind_file: Path
    plain_file: Path
    algorithm: str = "hmac-sha256"

    @classmethod
    def make(cls, directory: Path, name: str = "failoverd") -> "Key":
        key = cls(name, b64encode(secrets.token_bytes(32)).decode(), directory / "tsig.key", directory / "tsig.secret")
        key.bind_file.write_text(key.clause())
        key.plain_file.write_text(f"{key.secret}\n")
        return key

    def clause(self) -> str:
        return f'key "{self.name}" {{\n\talgorithm {self.algorithm};\n\tsecret "{self.secret}";\n}};\n'

    def tsig(self) -> dns.tsig.Key:
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


@dataclass(frozen=True)
class DnsServer:
    """A running server."""

    software: str
    port: int
    key: Key
    directory: Path
    process: subprocess.Popen[bytes]
    address: str = "127.0.0.1"

    @property
    def pid(self) -> int:
        return self.process.pid

    def dig(self, name: str, record_type: str, *, program: str = "dig") -> list[str]:
        """What an independent client is answered: the data of the answer section, sorted."""
        flags = ["+norec", "+short", "+time=5", "+retry=2", f"@{self.address}", "-p", str(self.port)]
        command = [program, *flags, name, record_type]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return sorted(line for line in done.stdout.splitlines() if line and not line.startswith(";"))

    def edit(self, *changes: str, zone: str = ZONE) -> None:
        """Change the zone as a person would, past failoverd: lines such as `delete api A` or `add api 30 A 192.0.2.1`.

        Names are relative to the zone.
        """
        update = dns.update.UpdateMessage(zone, keyring=self.key.tsig())
        for change in changes:
            verb, name, *rest = change.split(maxsplit=2 if change.startswith("delete") else 4)
            if verb == "delete":
                update.delete(name, *rest)
            else:
                ttl, record_type, data = rest
                update.add(name, int(ttl), record_type, data)
        answer = dns.query.tcp(update, self.address, port=self.port, timeout=20)
        if answer.rcode() != dns.rcode.NOERROR:
            raise RuntimeError(f"{self.software} refused the edit {changes}: {dns.rcode.to_text(answer.rcode())}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The process is stopped, as on a host that swaps itself to death: sockets accept, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)  # its threads on other cores may answer until then
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


def bind() -> AbstractContextManager[DnsServer]:
    """BIND 9 (`named`), for as long as the context lasts."""
    return _running("BIND", "named", _bind_configuration)


def knot() -> AbstractContextManager[DnsServer]:
    """Knot DNS (`knotd`), for as long as the context lasts."""
    return _running("Knot", "knotd", _knot_configuration)


@dataclass(frozen=True)
class PowerDns(DnsServer):
    """A running PowerDNS with an sqlite database, which also has an HTTP API."""

    api_port: int = 0
    api_key: str = field(default="", repr=False)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def api_key_file(self) -> Path:
        return self.directory / "api.key"

    def clear(self) -> None:
        """Empty the zone of all that it did not have at first: whoever reads its LUA records reads all of it."""
        with closing(sqlite3.connect(self.directory / "pdns.sqlite3", timeout=READY_WITHIN)) as database, database:
            first = [ZONE, *(f"{name}.{ZONE}" for name in ("ns", "child", "ns.child"))]
            database.execute(
                f"DELETE FROM records WHERE name LIKE ? AND name NOT IN ({', '.join('?' * len(first))})",  # noqa: S608 - marks
                (f"%.{ZONE}", *first),
            )

    def edit_lua(self, *changes: str) -> None:
        """Like `edit`, but A, AAAA and CNAME are LUA records, as a person at PowerDNS would write them."""
        self.edit(*(_as_lua(change) for change in changes))


LUA = "TYPE65402"


def lua(record_type: str, code: str) -> str:
    """A LUA record as any DNS software can say it (RFC 3597): the type that it answers for, then its code."""
    data = dns.rdatatype.from_text(record_type).to_bytes(2, "big")
    for start in range(0, len(code), 255):
        part = code[start : start + 255].encode()
        data += bytes([len(part)]) + part
    return f"\\# {len(data)} {data.hex()}"


def _as_lua(change: str) -> str:
    words = change.split(maxsplit=4)
    if words[0] == "delete" and words[2] in _IN_LUA:
        return f"delete {words[1]} {LUA}"
    if words[0] == "add" and words[3] in _IN_LUA:
        code = f"pickwrandom({{{{10000,'{words[4]}'}}}})"
        return f"add {words[1]} {words[2]} {LUA} {lua(words[3], code)}"
    return change


_IN_LUA = {"A", "AAAA", "CNAME"}


@contextmanager
def powerdns() -> Iterator[PowerDns]:
    """PowerDNS (`pdns_server`), for as long as the context lasts."""
    api_key, api_ports = secrets.token_urlsafe(24), [0]

    def configure(directory: Path, port: int, key: Key) -> list[str]:
        api_ports[0] = free_port()
        (directory / "api.key").write_text(f"{api_key}\n")
        return _powerdns_configuration(directory, (port, api_ports[0]), key, api_key)

    with _running("PowerDNS", "pdns_server", configure) as server:
        common = (server.software, server.port, server.key, server.directory, server.process)
        yield PowerDns(*common, api_port=api_ports[0], api_key=api_key)


def program(name: str) -> str:
    """The path of a program that a package of the system brought."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: run tests/install-servers")
    return found


def loopback() -> tuple[str, ...]:
    """The loopback addresses of this machine: some containers have no ::1, and then only tests of IPv6 may fail."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return ("127.0.0.1",)
    return ("127.0.0.1", "::1")


def free_port() -> int:
    """A port that nobody has, for UDP and TCP, on all loopback addresses.

    None that the kernel gives to clients or to those who ask for any (ip(7), ip_local_port_range): it stays free until
    it is used, and another process of the same run is hardly told the same.
    """
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with suppress(OSError), ExitStack() as held:
            for host in loopback():
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    probe = held.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind))
                    probe.bind((host, port))
            return port
    raise RuntimeError("no free port on loopback")


@contextmanager
def _running(software: str, command: str, configure: Callable[[Path, int, Key], list[str]]) -> Iterator[DnsServer]:
    with tempfile.TemporaryDirectory(prefix="failoverd-") as path:  # short: unix sockets have 108 octets
        directory = Path(path)
        key = Key.make(directory)
        server = _start(software, unconfined(program(command), directory), configure, directory, key)
        try:
            yield server
        finally:
            _stop(server.process)


def unconfined(path: str, directory: Path) -> str:
    """The program, or a copy of it where AppArmor would keep the installed one from reading files in `directory`.

    The profiles of Debian and Ubuntu are bound to the path of the system's own server, which this is not.
    """
    enabled, profiles = Path("/sys/module/apparmor/parameters/enabled"), Path("/etc/apparmor.d")
    profile = profiles / path.strip("/").replace("/", ".")
    if not (enabled.exists() and enabled.read_text().startswith("Y") and profile.exists()):
        return path
    return shutil.copy(path, str(directory))


def _start(
    software: str, path: str, configure: Callable[[Path, int, Key], list[str]], directory: Path, key: Key
) -> DnsServer:
    """Start it on a free port, and again on another one if somebody took that port in between."""
    log = directory / "log"
    for _ in range(_STARTS):
        for zone in (ZONE, LOCKED_ZONE):
            (directory / f"{zone}.zone").write_text(_ZONE_FILE)
        port = free_port()
        with log.open("wb") as output:
            arguments = configure(directory, port, key)
            process = subprocess.Popen([path, *arguments], stdout=output, stderr=output, cwd=directory)
        if ready(process, port):
            return DnsServer(software, port, key, directory, process)
        _stop(process)
    raise RuntimeError(f"{software} did not start:\n{log.read_text()}")


def ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers for the zone on both transports and both families, before it ends or time is up."""
    query = dns.message.make_query(ZONE, "SOA")
    for _ in range(int(READY_WITHIN / 0.05)):
        with suppress(OSError, EOFError, dns.exception.DNSException):
            answers = [
                ask(query, host, port=port, timeout=0.5)
                for ask in (dns.query.udp, dns.query.tcp)
                for host in loopback()
            ]
            if all(answer.answer for answer in answers):
                return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            return False
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bind_configuration(directory: Path, port: int, key: Key) -> list[str]:
    file = directory / "named.conf"
    file.write_text(
        f"""\
{key.clause()}
options {{
    directory "{directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 port {port} {{ ::1; }};
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-transfer {{ none; }};
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{ZONE}.zone"; allow-update {{ key "{key.name}"; }}; }};
zone "{LOCKED_ZONE}" {{ type primary; file "{LOCKED_ZONE}.zone"; }};
"""
    )
    return ["-g", "-n", "1", "-c", str(file)]


def _knot_configuration(directory: Path, port: int, key: Key) -> list[str]:
    file = directory / "knot.conf"
    listen = ", ".join(f"{host}@{port}" for host in loopback())
    file.write_text(
        f"""\
server:
    rundir: {directory}
    listen: [{listen}]
log:
  - target: stderr
    any: info
database:
    storage: {directory}
key:
  - id: {key.name}
    algorithm: {key.algorithm}
    secret: {key.secret}
acl:
  - id: update
    key: {key.name}
    action: update
template:
  - id: default
    storage: {directory}
    zonefile-sync: -1
    journal-max-usage: 16M
zone:
  - domain: {ZONE}
    file: {ZONE}.zone
    acl: update
  - domain: {LOCKED_ZONE}
    file: {LOCKED_ZONE}.zone
"""
    )
    return ["-c", str(file)]


def _powerdns_configuration(directory: Path, ports: tuple[int, int], key: Key, api_key: str) -> list[str]:
    """Everything stays in the directory. Caches have their defaults, for what is written must be seen all the same."""
    (directory / "pdns.conf").write_text(
        f"""\
launch=gsqlite3
gsqlite3-database={directory}/pdns.sqlite3
gsqlite3-pragma-synchronous=0
local-address={",".join(loopback())}
local-port={ports[0]}
socket-dir={directory}
write-pid=no
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8,::1
enable-lua-records=yes
webserver=yes
webserver-address=127.0.0.1
webserver-port={ports[1]}
api=yes
api-key={api_key}
"""
    )
    (directory / "pdns.sqlite3").unlink(missing_ok=True)
    with closing(sqlite3.connect(directory / "pdns.sqlite3")) as database:
        database.executescript(_powerdns_schema())
    tool = [program("pdnsutil"), f"--config-dir={directory}"]
    commands = [["import-tsig-key", key.name, key.algorithm, key.secret]]
    commands += [["load-zone", zone, str(directory / f"{zone}.zone")] for zone in (ZONE, LOCKED_ZONE)]
    commands += [["set-meta", ZONE, allowed, key.name] for allowed in ("TSIG-ALLOW-AXFR", "TSIG-ALLOW-DNSUPDATE")]
    commands.append(["set-meta", LOCKED_ZONE, "TSIG-ALLOW-DNSUPDATE", "nobody"])  # none at all would let everybody
    for command in commands:
        subprocess.run([*tool, *command], check=True, capture_output=True, timeout=30)
    return [f"--config-dir={directory}", "--daemon=no", "--guardian=no"]


def _powerdns_schema() -> str:
    """The tables of its sqlite backend, as its package has them."""
    schema = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
    if not schema.exists():
        raise FileNotFoundError("pdns-backend-sqlite3 is not installed: run tests/install-servers")
    return schema.read_text()
