"""Amazon Route 53: weighted record sets of addresses, host names and aliases of load balancers; SRV records.

`change.py` is the fence, `records.py` what is written and how it is read, `reading.py` and `writing.py` make few
requests of many. The AWS SDK is imported when the first provider of this kind is opened.
"""

from types import MappingProxyType

from failoverd.core.records import Capabilities, Fence, RecordType, Weights
from failoverd.ports import ProviderKind
from failoverd.providers.route53 import records
from failoverd.providers.route53.settings import NEEDS, Route53Settings
from failoverd.providers.shared.lazy_import import lazily

__all__ = ["KIND", "Route53Settings"]


KIND = ProviderKind(
    name="route53",
    settings=Route53Settings,
    capabilities=Capabilities(
        weights=MappingProxyType(dict.fromkeys(RecordType, Weights.NATIVE)),
        max_weight=records.MAX_WEIGHT,
        max_answers=records.MAX_ANSWERS,
        fence=Fence.ATOMIC,
        aliases=True,
    ),
    open=lazily("failoverd.providers.route53.provider"),
    needs=NEEDS,
    sdk=("boto3", "botocore"),
    extra="aws",
)
