"""PowerDNS with weighted answers: LUA records, written by RFC 2136 or through its HTTP API.

A, AAAA and CNAME are said as LUA records, which answer each question with one value, as often as its weight says: see
`content.py`. SRV stays plain, for it has weights of its own. Plain A, AAAA or CNAME records at a name are somebody
else's: PowerDNS would answer with them as well, so the name is refused until they are removed. Who wants addresses in
or out, and plain records, uses the kind `rfc2136`, which PowerDNS speaks too.

With `server` and `key` the server itself is the fence, as everywhere with RFC 2136. With `api` alone there is none: the
API has no condition, so what stands there is compared just before the write, and one writer at a time is the operator's
duty. The A and AAAA of one name are one record set to PowerDNS, so they share one TTL: give them the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import MappingProxyType

from failoverd.core.records import Capabilities, Fence, RecordType, Weights
from failoverd.ports import Access, ProviderKind
from failoverd.providers.powerdns.content import MAX_WEIGHT, SAID_IN_LUA
from failoverd.providers.powerdns.provider import PowerDns, provider
from failoverd.providers.powerdns.settings import NEEDS, PowerdnsSettings

__all__ = ["KIND", "PowerDns", "PowerdnsSettings"]


@asynccontextmanager
async def _open(_: str, settings: PowerdnsSettings, access: Access) -> AsyncIterator[PowerDns]:
    yield provider(settings, access)


KIND = ProviderKind(
    name="powerdns",
    settings=PowerdnsSettings,
    capabilities=Capabilities(
        weights=MappingProxyType(dict.fromkeys(RecordType, Weights.NATIVE)),
        max_weight=MAX_WEIGHT,
        max_answers=100,
        one_ttl=SAID_IN_LUA,
        fence=Fence.ATOMIC,
    ),
    open=_open,
    needs=NEEDS,
)
