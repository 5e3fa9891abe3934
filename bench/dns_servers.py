"""Real DNS servers that take updates (RFC 2136), and what passes on the wire to them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.update
from support.servers import ZONE, DnsServer, bind, powerdns

from bench import least
from bench.least import Content, Least
from bench.stands import Made, Purpose, Stand, Zoneful
from bench.wire import OURSELVES, Heard, Listener, listening

_FEWER = 100


class UpdateStand(Stand):
    """One server behind a provider that writes by RFC 2136."""

    def __init__(
        self, kind: str, server: DnsServer, listener: Listener, most: int = sys.maxsize, why: str = ""
    ) -> None:
        self.kind = kind
        self.most = most
        self.remark = why
        self._server = server
        self._listener = listener
        self._settled = 0  # updates before the records last were as they should be

    def block(self) -> Mapping[str, object]:
        server = self._server
        key = {"name": server.key.name, "algorithm": server.key.algorithm, "secret_file": str(server.key.plain_file)}
        where = f"{server.address}:{server.port}"
        return {"kind": self.kind, "server": where, "zones": [ZONE], "key": key, "nameservers": "none"}

    def calls(self) -> Sequence[Made]:
        """Questions when they are asked; updates when they are answered, for then they have their effect."""
        return [
            Made(Purpose.WRITE if heard.update else Purpose.READ, heard.at, heard.update and heard.rcode != 0)
            for heard in list(self._listener.heard)
            if _counts(heard)
        ]

    def holding(self, zoneful: Zoneful, address: str) -> int:
        """Asks for every record, once there were as many updates: to ask all the time would slow the server down."""
        done = sum(1 for heard in list(self._listener.heard) if heard.update and not heard.asked and heard.rcode == 0)
        if done - self._settled < zoneful.records:
            return 0
        held = sum(1 for name in zoneful.names if self._answer(name) == [address])
        if held == zoneful.records:
            self._settled = done
        return held

    def least(self, records: int, content: Content) -> Least:
        del content
        return least.dns_update(records, _octets())

    def _answer(self, name: str) -> list[str]:
        question = dns.message.make_query(name, dns.rdatatype.A)
        answer = dns.query.udp(question, self._server.address, port=self._server.port, timeout=5, source=OURSELVES)
        return [data.to_text() for rrset in answer.answer for data in rrset]


@contextmanager
def on_bind(_: Path) -> Iterator[Stand]:
    """BIND 9."""
    with bind() as server, listening(server.port) as listener:
        yield UpdateStand("rfc2136", server, listener)


@contextmanager
def on_powerdns(_: Path) -> Iterator[Stand]:
    """PowerDNS with LUA records."""
    with powerdns() as server, listening(server.port) as listener:
        yield UpdateStand(
            "powerdns", server, listener, _FEWER, f"{_FEWER} records, for each is read by a zone transfer"
        )


def _counts(heard: Heard) -> bool:
    return heard.asked != heard.update


def _octets() -> int:
    """What one record takes in an UPDATE: prerequisites on its address and marker, and both replaced."""
    update = dns.update.UpdateMessage(ZONE)
    empty = len(update.to_wire())
    marker = '"v=1 owner=bench policy=p00 gen=2 types=A"'
    for name, kind, data in (("r0000", "A", "127.86.0.1"), ("_failoverd.r0000", "TXT", marker)):
        update.present(name, kind, data)
        update.delete(name, kind)
        update.add(name, 30, kind, data)
    return len(update.to_wire()) - empty
