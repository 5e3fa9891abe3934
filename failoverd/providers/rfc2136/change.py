"""A plan as one UPDATE of ordinary records. How it is fenced stands in `dnsupdate/change.py`."""

from dns.rdatatype import RdataType

from failoverd.core.control.plan import Plan
from failoverd.core.records import RecordType
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.change import Change, fenced


def change_of(plan: Plan) -> Change:
    """Raises Permanent when the plan would publish nothing, or something that DNS cannot say."""
    published, record_type = rdata.encode(plan.after), plan.target.key.type
    if plan.before.records is None:
        return fenced(plan, RdataType[record_type], (), published, _nothing_at(record_type))
    return fenced(plan, RdataType[record_type], rdata.encode(plan.before.records), published, ())


def _nothing_at(record_type: RecordType) -> tuple[RdataType, ...]:
    """What has to be absent before a record is created: a CNAME tolerates nothing beside it (RFC 1034, 3.6.2)."""
    if record_type is RecordType.CNAME:
        return (RdataType.ANY,)
    return RdataType[record_type], RdataType.CNAME
