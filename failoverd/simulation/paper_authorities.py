"""The authoritative servers of what stands in DNS on paper."""

import asyncio
from collections.abc import Mapping

from failoverd.core.control.propagation import Hearing, Nameserver, Nameservers, Question, Statement
from failoverd.core.errors import FailoverdError
from failoverd.core.records import Target
from failoverd.simulation.zonefile import Zonefile

NS1, NS2 = Nameserver("192.0.2.53", 53, "ns1.example.com"), Nameserver("198.51.100.53", 53, "ns2.example.com")


class PaperAuthorities:
    """`ports.Authorities` that read out what stands in DNS, drawing one answer at a time.

    Attributes:
        servers: who answers; nobody is to be asked when it is empty.
        marked, whole: as in `Nameservers`.
        behind: servers that still have an older zone file.
        silent, unreachable: servers that do not answer, which takes four seconds, or to which there is no way.
        unknown: raised instead of saying who answers.
        asked: who was asked, and when.
        most_abreast: the most servers that were ever being asked at once.
    """

    unknown: FailoverdError | None = None

    def __init__(self, zonefile: Zonefile, others: Mapping[str, Zonefile] | None = None) -> None:
        self.zonefile = zonefile
        self.servers: tuple[Nameserver, ...] = (NS1, NS2)
        self.marked = True
        self.whole = False
        self.behind: dict[Nameserver, Zonefile] = {}
        self.silent: set[Nameserver] = set()
        self.unreachable: set[Nameserver] = set()
        self.asked: list[tuple[float, Nameserver]] = []
        self.most_abreast = 0
        self._others = dict(others or {})
        self._abreast = 0

    async def of(self, target: Target) -> Nameservers:
        if self.unknown is not None:
            raise self.unknown
        other = self._others.get(target.provider, self.zonefile)
        if other is self.zonefile:
            return Nameservers(self.servers, self.marked, self.whole)
        server = Nameserver("203.0.113.53", 53, f"ns.{target.provider}")
        self.behind[server] = other
        return Nameservers((server,), self.marked, self.whole)

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        self.asked.append((asyncio.get_running_loop().time(), server))
        self._abreast += 1
        self.most_abreast = max(self.most_abreast, self._abreast)
        try:
            await asyncio.sleep(0.001)
        finally:
            self._abreast -= 1
        if server in self.silent:
            await asyncio.sleep(4.0)
            return Statement(server, Hearing.SILENT, trouble="it does not answer")
        if server in self.unreachable:
            return Statement(server, Hearing.UNREACHABLE, trouble="Network is unreachable")
        return self._read_out(server, question)

    def _read_out(self, server: Nameserver, question: Question) -> Statement:
        zonefile = self.behind.get(server, self.zonefile)
        zone = next((zone for zone, key in zonefile.records if key == question.key), "")
        found = zonefile.observe(Target("", question.key, "", zone))
        values = [answer.value for answer in found.records.serving] if found.records is not None else []
        draws = [{values[number % len(values)]} if values else set[str]() for number in range(question.times)]
        answers = [set(values)] * question.times if self.whole else draws
        marker = found.marker if question.marked else None
        return Statement(server, Hearing.ANSWERED, tuple(map(frozenset, answers)), marker)
