"""A zone as an immutable value, compiled for answering.

`Zone.nodes` holds every name that exists, empty non-terminals included (RFC 8020), so that one look-up tells an answer,
"no such data" and "no such name" apart. A change makes a new zone with a greater serial; whoever holds the old one goes
on seeing all of it, so a query meets a change entirely or not at all. Places are never removed, only replaced: a name
that was published once keeps existing.

That a name or type does not exist is for resolvers to believe and to keep (RFC 2308). So it is said of what nobody
steers, and of nothing that is merely not published yet: a choice without options stands for the latter, and a zone that
is not `whole` may have names that it does not know.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from itertools import chain
from random import Random
from typing import Self

import dns.name
import dns.rdata
import dns.rdataset
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.ANY.TXT import TXT

from failoverd.core.names import marker_name
from failoverd.core.records import RecordSet, RecordType
from failoverd.providers.embedded.place import Place, absolute, rdata, weights_name

APEX_TTL = 300
"""Seconds for the zone's own SOA, NS and name server address."""

NEGATIVE_TTL = 5
"""Seconds that a resolver may remember "no such name" (RFC 2308): a name that is created late is missed briefly."""

META_TTL = 0
"""Markers and weights are for looking at the present, so nobody may keep them."""

_SERIALS = 2**32
_MAX_STRING = 255


@dataclass(frozen=True, slots=True)
class Choice:
    """What a name answers for one type: one of `options` for each query, drawn by weight. Mostly there is only one.

    Without options, it is not known yet what the name answers.
    """

    options: tuple[dns.rdataset.Rdataset, ...]
    cumulative: tuple[int, ...] = ()

    def pick(self, random: Random) -> dns.rdataset.Rdataset:
        if len(self.options) == 1:
            return self.options[0]
        return random.choices(self.options, cum_weights=self.cumulative)[0]


_NOT_KNOWN = Choice(())

Node = Mapping[RdataType, Choice]
"""What stands at one name. Empty for a name that exists only because something stands below it."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its own data (SOA, NS, the name server's address) and the places published in it.

    `whole` says whether every name that is steered is known, so that any other one does not exist.
    """

    origin: dns.name.Name
    serial: int
    own: Mapping[dns.name.Name, Node]
    nodes: Mapping[dns.name.Name, Node]
    places: Mapping[str, Place]
    whole: bool = False

    @classmethod
    def new(cls, name: str, serial: int, nameserver: str | None) -> Self:
        """A zone without places.

        Args:
            name: the zone.
            serial: of its SOA record; it has to be greater than the one before a restart.
            nameserver: the address of `ns.<zone>`, or None when it is not known.
        """
        origin = absolute(name)
        host = absolute(f"ns.{name}")
        own: dict[dns.name.Name, Node] = {origin: {RdataType.NS: _fixed(APEX_TTL, _ns(host))}}
        if nameserver is not None:
            own[host] = _address(nameserver)
        nodes = {**own, origin: {**own[origin], RdataType.SOA: _soa(origin, serial)}}
        return cls(origin, serial % _SERIALS, own, nodes, {})

    def with_place(self, place: Place) -> Self:
        """This zone with one place replaced and the serial advanced. Raises Permanent when it cannot be said in DNS."""
        place.check()
        return self._compiled(self.nodes, [place], {**self.places, place.name: place})

    def steering(self, types: Mapping[str, frozenset[RecordType]], *, whole: bool) -> Self:
        """This zone when policies steer these types of these names, and as far as it is known no others.

        What was published stays, whether or not anybody names it still.
        """
        names = {*self.places, *types}
        said = (replace(self.place(name), steered=types.get(name, frozenset())) for name in sorted(names))
        places = {place.name: place for place in said if not place.idle}
        if places == self.places:
            return replace(self, whole=whole)
        if self.places.keys() - places.keys():  # what is below a name that is gone may be gone, too
            return replace(self._compiled(self.own, list(places.values()), places), whole=whole)
        other = [place for name, place in places.items() if place != self.places.get(name)]
        return replace(self._compiled(self.nodes, other, places), whole=whole)

    def _compiled(self, nodes: Mapping[dns.name.Name, Node], more: list[Place], places: Mapping[str, Place]) -> Self:
        """The places `more` compiled into `nodes`, which make `places` of it, with the next serial."""
        serial = (self.serial + 1) % _SERIALS
        compiled = dict(nodes)
        for name, node in chain.from_iterable(map(_nodes, more)):
            compiled[name] = {**self.own.get(name, {}), **node}
            for parent in self._above(name):
                compiled.setdefault(parent, {})
        soa = _soa(self.origin, serial)
        compiled[self.origin] = {**compiled[self.origin], RdataType.SOA: soa}
        return replace(self, serial=serial, nodes=compiled, places=places)

    def place(self, name: str) -> Place:
        return self.places.get(name, Place(name))

    def find(self, name: dns.name.Name) -> Node | None:
        """What a name answers: what stands at it, or else at the wildcard below its closest parent that exists.

        None when there is neither (RFC 4592, 3.3.1). A name that exists, if only for what is below it, has no wildcard.
        """
        if name in self.nodes:
            return self.nodes[name]
        encloser = name.parent()
        while encloser not in self.nodes:
            encloser = encloser.parent()
        return self.nodes.get(dns.name.Name((b"*", *encloser.labels)))

    def _above(self, name: dns.name.Name) -> Iterator[dns.name.Name]:
        while name != self.origin:
            yield name
            name = name.parent()


Zones = Mapping[dns.name.Name, Zone]
"""Zones by origin."""


def enclosing(zones: Zones, name: dns.name.Name) -> Zone | None:
    """The zone that has authority over the name: the longest origin that it ends in."""
    found = [zone for zone in zones.values() if name.is_subdomain(zone.origin)]
    return max(found, key=lambda zone: len(zone.origin.labels), default=None)


# -- compiling ---------------------------------------------------------------------------------------------------------


def _nodes(place: Place) -> Iterator[tuple[dns.name.Name, Node]]:
    published = {kind: _choice(records) for kind, records in place.sets.items()}
    barred = {RecordType.CNAME} if published else set()  # it stands alone, so what is published keeps it away
    answers = {**dict.fromkeys(place.steered - barred, _NOT_KNOWN), **published}
    yield absolute(place.name), {RdataType.make(kind.value): choice for kind, choice in answers.items()}
    marker = () if place.marker_text is None else (place.marker_text,)
    yield absolute(marker_name(place.name)), _texts(marker)
    yield absolute(weights_name(place.name)), _texts(place.texts())


def _choice(records: RecordSet) -> Choice:
    data = [(rdata(records.key, answer), answer.weight) for answer in records.serving]
    if records.key.type is RecordType.SRV:
        return _fixed(records.ttl, *(srv for srv, _ in data))  # the client weighs them (RFC 2782)
    options = tuple(_rdataset(records.ttl, one) for one, _ in data)
    cumulative, total = [], 0
    for _, weight in data:
        total += weight
        cumulative.append(total)
    return Choice(options, tuple(cumulative))


def _texts(texts: tuple[str, ...]) -> Node:
    if not texts:
        return {}
    return {RdataType.TXT: _fixed(META_TTL, *(TXT(IN, RdataType.TXT, _strings(text)) for text in texts))}


def _strings(text: str) -> list[bytes]:
    """A text as character strings of at most 255 bytes (RFC 1035, section 3.3)."""
    encoded = text.encode()
    return [encoded[start : start + _MAX_STRING] for start in range(0, len(encoded), _MAX_STRING)]


def _ns(host: dns.name.Name) -> dns.rdata.Rdata:
    return dns.rdata.from_text(IN, RdataType.NS, host.to_text())


def _soa(zone: dns.name.Name, serial: int) -> Choice:
    """Refresh, retry and expire are the usual numbers; nothing transfers the zone, so nothing reads them."""
    server, person = _below("ns", zone), _below("hostmaster", zone)
    soa = SOA(IN, RdataType.SOA, server, person, serial, 3600, 600, 604800, NEGATIVE_TTL)  # type: ignore[no-untyped-call]
    return _fixed(APEX_TTL, soa)


@lru_cache(maxsize=256)
def _below(label: str, zone: dns.name.Name) -> dns.name.Name:
    return absolute(f"{label}.{zone.to_text(omit_final_dot=True)}")


def _address(address: str) -> Node:
    kind = RdataType.A if ip_address(address).version == 4 else RdataType.AAAA  # noqa: PLR2004 - IP versions
    return {kind: _fixed(APEX_TTL, dns.rdata.from_text(IN, kind, address))}


def _fixed(ttl: int, *data: dns.rdata.Rdata) -> Choice:
    return Choice((_rdataset(ttl, *data),))


def _rdataset(ttl: int, *data: dns.rdata.Rdata) -> dns.rdataset.Rdataset:
    return dns.rdataset.ImmutableRdataset(dns.rdataset.from_rdata_list(ttl, data))
