"""LUA records by signed DNS: read from a transfer of the zone, written by an UPDATE whose prerequisites are the fence.

PowerDNS does not tell the content of a LUA record to anybody who asks for it, so the zone is transferred (AXFR). A
transfer is one moment of the zone, so that the records and the marker in it belong together.
"""

from collections.abc import Iterator, Sequence

import dns.rdata
from dns.rdatatype import RdataType

from failoverd.core.control.plan import Plan
from failoverd.core.records import Observed, RecordType, Target
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.change import Change, fenced
from failoverd.providers.dnsupdate.client import Reader
from failoverd.providers.powerdns.content import LUA, SAID_IN_LUA
from failoverd.providers.powerdns.standing import Row, lua_after, lua_before, observe


class Transfers:
    """Reads a target from a transfer of its zone."""

    def __init__(self, client: Reader) -> None:
        self._client = client

    async def read(self, target: Target) -> Observed:
        name, marker = rdata.absolute(target.key.name), rdata.absolute(target.key.marker_name)
        async with self._client.conversation(target.zone) as talk:
            await talk.ask(marker, RdataType.SOA)  # a wrong key, zone or delegation is told apart here, and not below
            found = await talk.transfer()
            rows = {
                at: [Row(rrset.ttl, record) for rrset in found if rrset.name == at for record in rrset]
                for at in (name, marker)
            }
            return observe(target, rows[name], rows[marker])


def change_of(plan: Plan) -> Change:
    """Raises Permanent when the plan would publish nothing, or something that DNS cannot say."""
    lua = [one.rdata() for one in lua_before(plan.before)]
    if plan.target.key.type in SAID_IN_LUA:
        published = [one.rdata() for one in lua_after(plan.before, plan.after)]
        return fenced(plan, LUA, lua, published, _excluded(plan, lua))
    standing = () if plan.before.records is None else rdata.encode(plan.before.records)
    absent = [*_excluded(plan, standing), *([] if lua else [LUA])]
    return fenced(plan, RdataType[plan.target.key.type], standing, rdata.encode(plan.after), absent, lua)


def explained(plan: Plan) -> str:
    """The LUA records of a change as comments, for its script has them as octets."""
    if plan.target.key.type not in SAID_IN_LUA:
        return ""
    return "".join(f"; {plan.target.key.name} LUA {lua.content}\n" for lua in lua_after(plan.before, plan.after))


def _excluded(plan: Plan, standing: Sequence[dns.rdata.Rdata]) -> Iterator[RdataType]:
    """What must not stand at the name: what PowerDNS would answer beside ours, or refuse to have beside it."""
    record_type = plan.target.key.type
    if record_type is RecordType.CNAME:
        yield RdataType.CNAME if standing else RdataType.ANY
        return
    yield RdataType.CNAME
    if record_type in SAID_IN_LUA:
        yield RdataType[record_type]
    if not standing:
        yield LUA if record_type in SAID_IN_LUA else RdataType[record_type]
