"""Amazon Route 53: weighted record sets of addresses, host names and aliases of load balancers; SRV records.

`change.py` is the fence, `records.py` what is written and how it is read, `reading.py` and `writing.py` make few
requests of many. The AWS SDK is imported when the first provider of this kind is opened.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from failoverd.core.records import Capabilities, Fence, RecordType, Weights
from failoverd.ports import Access, Provider, ProviderKind
from failoverd.providers.route53 import records
from failoverd.providers.route53.settings import NEEDS, Route53Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

__all__ = ["KIND", "Route53Settings"]


@asynccontextmanager
async def _open(name: str, settings: Route53Settings, access: Access) -> AsyncIterator[Provider]:
    """The import takes a fraction of a second, which the rest of the daemon does not wait for."""
    module = await asyncio.to_thread(import_module, "failoverd.providers.route53.provider")
    opened = cast("Callable[[str, Route53Settings, Access], AbstractAsyncContextManager[Provider]]", module.opened)
    async with opened(name, settings, access) as provider:
        yield provider


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
    open=_open,
    needs=NEEDS,
    sdk=("boto3", "botocore"),
    extra="aws",
)
