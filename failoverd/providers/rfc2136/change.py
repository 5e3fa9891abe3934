"""A plan as one UPDATE (RFC 2136): what must still hold, what goes, what comes.

The message on the wire and the nsupdate script for a person are both rendered from here, so they cannot differ.

The fence is the prerequisite section. The server compares the marker and the replaced record set with the values that
the plan was made from (section 2.4.2, which ignores the TTL), or that they do not exist (2.4.3), and does all or
nothing (3.7). What the server finds is what counts, not what we read: between the two another writer may have come.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dns.name
import dns.rdata
import dns.rdatatype
import dns.tsig
import dns.update
from dns.rdatatype import RdataType

from failoverd.core.plan import Plan
from failoverd.core.records import RecordType
from failoverd.providers.rfc2136 import rdata

MARKER_TTL = 60
"""Seconds. Only the authoritative server is ever asked for a marker, so nothing depends on it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One UPDATE. `absent` with type ANY means that the name holds no record at all (RFC 2136, 2.4.5)."""

    zone: str
    absent: tuple[tuple[dns.name.Name, RdataType], ...]
    present: tuple[tuple[dns.name.Name, dns.rdata.Rdata], ...]
    delete: tuple[tuple[dns.name.Name, RdataType], ...]
    add: tuple[tuple[dns.name.Name, int, dns.rdata.Rdata], ...]

    def message(self, key: dns.tsig.Key) -> dns.update.UpdateMessage:
        """Ready to be signed and sent."""
        update = dns.update.UpdateMessage(rdata.absolute(self.zone), keyring=key)
        for name, kind in self.absent:
            update.absent(name, None if kind is RdataType.ANY else kind)
        for name, record in self.present:
            update.present(name, record)
        for name, kind in self.delete:
            update.delete(name, kind)
        for name, ttl, record in self.add:
            update.add(name, ttl, record)
        return update

    def script(self) -> str:
        """The same in the language of nsupdate(1)."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"zone {self.zone}."
        for name, kind in self.absent:
            yield f"prereq nxdomain {name}" if kind is RdataType.ANY else f"prereq nxrrset {name} IN {kind.name}"
        for name, record in self.present:
            yield f"prereq yxrrset {name} IN {record.rdtype.name} {record}"
        for name, kind in self.delete:
            yield f"update delete {name} IN {kind.name}"
        for name, ttl, record in self.add:
            yield f"update add {name} {ttl} IN {record.rdtype.name} {record}"
        yield "send"


def change_of(plan: Plan) -> Change:
    """Raises Permanent when the plan would publish nothing, or something that DNS cannot say."""
    key, before, after = plan.target.key, plan.before, plan.after
    name, marker, kind = rdata.absolute(key.name), rdata.absolute(key.marker_name), RdataType[key.type]
    absent: list[tuple[dns.name.Name, RdataType]] = []
    present: list[tuple[dns.name.Name, dns.rdata.Rdata]] = []
    delete: list[tuple[dns.name.Name, RdataType]] = []
    add: list[tuple[dns.name.Name, int, dns.rdata.Rdata]] = []

    published = rdata.encode(after)
    if before.records is None:
        absent += _nothing_at(name, key.type)
    else:
        present += [(name, record) for record in rdata.encode(before.records)]
    if before.records != after:
        delete += [(name, kind)] if before.records is not None else []
        add += [(name, after.ttl, record) for record in published]

    if before.marker_text is None:
        absent.append((marker, RdataType.TXT))
    else:
        present.append((marker, rdata.marker_rdata(before.marker_text)))
        delete.append((marker, RdataType.TXT))
    add.append((marker, MARKER_TTL, rdata.marker_rdata(plan.marker.to_text())))
    return Change(plan.target.zone, tuple(absent), tuple(present), tuple(delete), tuple(add))


def _nothing_at(name: dns.name.Name, record_type: RecordType) -> list[tuple[dns.name.Name, RdataType]]:
    """What has to be absent before a record is created: a CNAME tolerates nothing beside it (RFC 1034, 3.6.2)."""
    if record_type is RecordType.CNAME:
        return [(name, RdataType.ANY)]
    return [(name, RdataType[record_type]), (name, RdataType.CNAME)]
