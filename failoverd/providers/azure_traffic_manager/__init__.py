"""Azure Traffic Manager: weighted profiles. A record is the profile's own name, such as `api-prod.trafficmanager.net`.

A policy's endpoint is the profile's endpoint with that target. One that is missing is created (external); one that gets
nothing is disabled, and none is ever deleted. A profile holds endpoints of one kind, so the record's type is theirs:
A, AAAA, or CNAME for host names. The profile itself has to exist, with the routing method Weighted, and the
probing that it does is its own: Azure leaves an endpoint that it finds ill out of the answers, whatever its weight.

Weaker than the others: the API has no ETag, so Azure does not refuse a stale writer. What is done instead, and what can
still happen, stands in `steering.py`.
"""

from types import MappingProxyType

from failoverd.core.records import Capabilities, Fence, Marking, RecordType, Weights
from failoverd.ports import ProviderKind
from failoverd.providers.azure.settings import NEEDS
from failoverd.providers.azure_traffic_manager.profile import MAX_ANSWERS, MAX_WEIGHT
from failoverd.providers.azure_traffic_manager.settings import DOMAIN, AzureTrafficManagerSettings
from failoverd.providers.shared.lazy_import import lazily

__all__ = ["DOMAIN", "KIND", "AzureTrafficManagerSettings"]


KIND = ProviderKind(
    name="azure_traffic_manager",
    settings=AzureTrafficManagerSettings,
    capabilities=Capabilities(
        weights=MappingProxyType(dict.fromkeys((RecordType.A, RecordType.AAAA, RecordType.CNAME), Weights.NATIVE)),
        max_weight=MAX_WEIGHT,
        max_answers=MAX_ANSWERS,
        fence=Fence.CHECKED_BEFORE,
        marking=Marking.TAG,
        wildcards=False,
        creates=False,
    ),
    open=lazily("failoverd.providers.azure_traffic_manager.provider"),
    needs=NEEDS,
    sdk=("azure.identity", "azure.mgmt.trafficmanager"),
    extra="azure",
)
