"""What stands at a name of PowerDNS, however it was read: from a transfer, or from the HTTP API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.rdata
from dns.rdatatype import RdataType

from failoverd.core.errors import Permanent
from failoverd.core.records import Marker, Observed, RecordSet, RecordType, Target, standing_at
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.powerdns.content import ALIAS, LUA, SAID_IN_LUA, Lua, decode, encode

_DNSSEC = frozenset({"RRSIG", "NSEC", "NSEC3"})
"""What a signed zone has beside any record, a CNAME included (RFC 4035, 2.5)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One resource record, as far as its name is known from elsewhere."""

    ttl: int
    record: dns.rdata.Rdata


Rows = Sequence[Row]
"""Everything that stands at one name."""


def observe(target: Target, at_name: Rows, at_marker: Rows) -> Observed:
    """What the rows at the name and at its marker's name mean for the target."""
    text, plain = rdata.marker_text([row.record for row in at_marker if row.record.rdtype is RdataType.TXT])
    marker = Marker.parse(text) if text is not None and plain else None
    lua = lua_at(at_name)
    records = _in_lua(target, at_name, lua) if target.key.type in SAID_IN_LUA else _plain(target, at_name)
    foreign = (*_foreign(target, at_name, lua), *_instead(target, at_marker))
    twin = _spelled(target.key.type)
    cure = f"remove the {twin} beside it: PowerDNS answers with both" if foreign == (twin,) else ""
    return Observed(target, records, marker, text, foreign, _token(target, lua, records), cure)


def lua_at(rows: Rows) -> tuple[Lua, ...]:
    """The LUA records of a name, of all types."""
    return tuple(sorted(Lua.from_rdata(row.record) for row in rows if row.record.rdtype == LUA))


def lua_before(observed: Observed) -> tuple[Lua, ...]:
    """The LUA records that stood at the name when it was observed, of all types: what a write is conditional on.

    Raises Permanent when one of them excludes ours. PowerDNS itself would take an A beside a CNAME in Lua.
    """
    lua: tuple[Lua, ...] = ()
    if observed.token:
        lua = tuple(Lua.from_content(content) for content in observed.token.splitlines())
    elif observed.records is not None and observed.target.key.type in SAID_IN_LUA:
        lua = encode(observed.records)
    for one in lua:
        if one.type != observed.target.key.type and "CNAME" in {one.type, observed.target.key.type}:
            raise Permanent(
                f"{observed.target.key} cannot stand beside {observed.target.key.name} LUA {one.content[:120]}",
                reason="foreign_type",
                remedy="remove the other record, or change the record type in the policy",
            )
    return lua


def lua_after(before: Observed, after: RecordSet) -> tuple[Lua, ...]:
    """The LUA records of the name once `after` is among them. Those of other types stay as they are."""
    others = [lua for lua in lua_before(before) if lua.type != after.key.type]
    return tuple(sorted((*others, *encode(after))))


def _in_lua(target: Target, rows: Rows, lua: Iterable[Lua]) -> RecordSet | None:
    ours = [one for one in lua if one.type == target.key.type]
    ttl = next((row.ttl for row in rows if row.record.rdtype == LUA), 0)
    return decode(target.key, ttl, ours) if ours else None


def _plain(target: Target, rows: Rows) -> RecordSet | None:
    ours = [row for row in rows if row.record.rdtype is RdataType[target.key.type]]
    return rdata.decode(target.key, ours[0].ttl, [row.record for row in ours]) if ours else None


def _token(target: Target, lua: tuple[Lua, ...], records: RecordSet | None) -> str:
    """The LUA records of the name, where `records` alone does not tell them: other types, other spelling."""
    ours = target.key.type in SAID_IN_LUA and records is not None and records.serving
    told = encode(records) if ours and records is not None else ()
    return "" if lua == told else "\n".join(one.content for one in lua)


def _foreign(target: Target, rows: Rows, lua: Iterable[Lua]) -> tuple[str, ...]:
    """The other records at the name that exclude ours, or would be answered beside it."""
    record_type = target.key.type
    types = {row.record.rdtype for row in rows} - {LUA}
    plain = {"ALIAS" if each == ALIAS else each.name for each in types} - _DNSSEC
    in_lua = {one.type for one in lua}
    twin = plain if record_type in SAID_IN_LUA else in_lua
    doubled = {_spelled(record_type)} if record_type.value in twin else set()
    others = (plain | in_lua) - {record_type.value}
    if record_type is not RecordType.CNAME:
        others &= {"CNAME", "ALIAS"}
    return tuple(sorted(others | doubled))


def _instead(target: Target, rows: Rows) -> tuple[str, ...]:
    """What keeps a marker from standing at its name: an update beside it is ignored in silence (RFC 2136, 3.4.2.2)."""
    stands = any(row.record.rdtype is RdataType.CNAME for row in rows)
    return (standing_at("CNAME", target.key.marker_name),) if stands else ()


def _spelled(record_type: RecordType) -> str:
    """A record of our own type, said in the way that is not ours; PowerDNS answers with both."""
    return f"plain {record_type}" if record_type in SAID_IN_LUA else f"LUA {record_type}"
