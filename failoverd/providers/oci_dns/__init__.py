"""OCI DNS: records of zones that Oracle serves, changed by one conditional PATCH.

OCI DNS has no weights for A and AAAA: an address is in the answer or not, and resolvers spread evenly over the set. SRV
has weights of its own (RFC 2782). A name has one CNAME at a time, so it can fail over and not split. Real weights are
what `oci_steering` is for; where a steering policy is attached to a name, what stands here is not what is answered.

OCI itself is the fence: see `change.py`.
"""

from failoverd.core.records import Capabilities, Fence, RecordType
from failoverd.ports import ProviderKind
from failoverd.providers.dnsupdate.rdata import MAX_WEIGHT
from failoverd.providers.oci_cloud.settings import NEEDS
from failoverd.providers.oci_dns.records import MAX_ANSWERS
from failoverd.providers.oci_dns.settings import OciDnsSettings
from failoverd.providers.shared import sets
from failoverd.providers.shared.lazy_import import lazily

__all__ = ["KIND", "OciDnsSettings"]


KIND = ProviderKind(
    name="oci_dns",
    settings=OciDnsSettings,
    capabilities=Capabilities(
        weights=sets.WEIGHTS,
        max_weight=MAX_WEIGHT,
        single=frozenset({RecordType.CNAME}),
        max_answers=MAX_ANSWERS,
        fence=Fence.ATOMIC,
    ),
    open=lazily("failoverd.providers.oci_dns.provider"),
    needs=NEEDS,
    sdk=("oci",),
    extra="oci",
)
