"""A plan as one UPDATE (RFC 2136): what must still hold, what goes, what comes.

The message on the wire and the nsupdate script for a person are both rendered from here, so they cannot differ.

The fence is the prerequisite section. The server compares the marker and the replaced record set with the values that
the plan was made from (section 2.4.2, which ignores the TTL), or that they do not exist (2.4.3), and does all or
nothing (3.7). What the server finds is what counts, not what we read: between the two another writer may have come.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import dns.name
import dns.rdata
import dns.tsig
import dns.update
from dns.rdatatype import RdataType

from failoverd.core.control.plan import Plan
from failoverd.providers.dnsupdate import rdata


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


def fenced(
    plan: Plan,
    kind: RdataType,
    standing: Sequence[dns.rdata.Rdata],
    published: Sequence[dns.rdata.Rdata],
    absent: Iterable[RdataType],
    beside: Iterable[dns.rdata.Rdata] = (),
) -> Change:
    """The update that replaces one record set and its marker, if both are still what the plan was made from.

    Args:
        plan: says the name, the TTL and the marker before and after.
        kind: the type of the record set.
        standing: the records of that type that have to stand at the name now; none when it must not exist.
        published: what takes their place. They stay as they are when the plan changes the marker alone.
        absent: types that must not stand at the name; ANY for no record at all.
        beside: the whole record sets of other types that have to stand at the name now.
    """
    before, key = plan.before, plan.target.key
    name, marker = rdata.absolute(key.name), rdata.absolute(key.marker_name)
    missing = [(name, other) for other in absent]
    present = [(name, record) for record in (*standing, *beside)]
    delete: list[tuple[dns.name.Name, RdataType]] = []
    add: list[tuple[dns.name.Name, int, dns.rdata.Rdata]] = []

    if before.records != plan.after:
        delete += [(name, kind)] if standing else []
        add += [(name, plan.after.ttl, record) for record in published]

    if before.marker_text is None:  # beside a CNAME the marker alone would be ignored, in silence (3.4.2.2)
        missing += [(marker, RdataType.TXT), (marker, RdataType.CNAME), (name, RdataType.DNAME)]
    else:
        present.append((marker, rdata.marker_rdata(before.marker_text)))
        delete.append((marker, RdataType.TXT))
    if plan.marker_text is not None:
        add.append((marker, rdata.MARKER_TTL, rdata.marker_rdata(plan.marker_text)))
    return Change(plan.target.zone, tuple(missing), tuple(present), tuple(delete), tuple(add))
