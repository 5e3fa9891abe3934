"""Azure DNS: an address is in the answer or not; SRV records have weights of their own.

Azure has no write that covers two record sets, so the marker does not stand in a TXT record beside the name: it stands
in the metadata of the record set itself, under the key `failoverd`. Answers and generation so change in one write, on
the condition of one ETag (`If-Match`), or that there is no such record set yet (`If-None-Match: *`). A and AAAA of a
name are two record sets, each with a marker of its own. See `records.py`.

A record set that follows an Azure resource (an alias) is somebody else's: reported, never written.
"""

from failoverd.core.records import Capabilities, Fence, Marking, RecordType
from failoverd.ports import ProviderKind
from failoverd.providers.azure.settings import NEEDS
from failoverd.providers.azure_dns.records import MAX_ANSWERS
from failoverd.providers.azure_dns.settings import AzureDnsSettings
from failoverd.providers.dnsupdate.rdata import MAX_WEIGHT
from failoverd.providers.shared import sets
from failoverd.providers.shared.lazy_import import lazily

__all__ = ["KIND", "AzureDnsSettings"]


KIND = ProviderKind(
    name="azure_dns",
    settings=AzureDnsSettings,
    capabilities=Capabilities(
        weights=sets.WEIGHTS,
        max_weight=MAX_WEIGHT,
        single=frozenset({RecordType.CNAME}),
        max_answers=MAX_ANSWERS,
        fence=Fence.PER_OBJECT,
        marking=Marking.TAG,
    ),
    open=lazily("failoverd.providers.azure_dns.provider"),
    needs=NEEDS,
    sdk=("azure.identity", "azure.mgmt.dns"),
    extra="azure",
)
