"""OCI steering policies: weighted answers that a policy gives in the place of a name's plain records.

`policies.py` says which policies failoverd can speak for, `change.py` what it writes behind which fence, `standing.py`
what stands at a name, `creating.py` how a name gets its first policy.

A policy that is attached to several names is refused when failoverd first sees it. Who attaches a policy that failoverd
owns already to another name makes both follow it.
"""

from types import MappingProxyType

from failoverd.core.records import Capabilities, Fence, Marking, RecordType, Weights
from failoverd.ports import ProviderKind
from failoverd.providers.oci_steering.policies import MAX_WEIGHT
from failoverd.providers.oci_steering.settings import NEEDS, OciSteeringSettings
from failoverd.providers.shared.lazy_import import lazily

__all__ = ["KIND", "OciSteeringSettings"]

KIND = ProviderKind(
    name="oci_steering",
    settings=OciSteeringSettings,
    capabilities=Capabilities(
        weights=MappingProxyType(dict.fromkeys((RecordType.A, RecordType.AAAA, RecordType.CNAME), Weights.NATIVE)),
        max_weight=MAX_WEIGHT,
        fence=Fence.PER_OBJECT,
        marking=Marking.TAG,
        wildcards=False,
    ),
    open=lazily("failoverd.providers.oci_steering.provider"),
    needs=NEEDS,
    sdk=("oci",),
    extra="oci",
)
