"""Host names to addresses, by this host's own resolver (RFC 6724 decides their order).

The system's resolver blocks, and when its servers are gone it hangs. So each lookup has a thread of its own; a name
that is being looked up already is not looked up again, and no more than `MOST_LOOKUPS` hang at a time.
"""

import asyncio
import socket
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Concluded, Finding
from failoverd.probes.transport.daemon_thread import in_daemon_thread
from failoverd.probes.transport.protocol import is_address

MOST_LOOKUPS: Final = 64
MOST_ADDRESSES: Final = 8
"""Of a name with hundreds of addresses, so many are tried: each of them gets its part of the time-out."""

_Pending = dict[str, "asyncio.Future[tuple[str, ...]]"]

_under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pending] = WeakKeyDictionary()


async def addresses_of(host: str) -> tuple[str, ...]:
    """The addresses of a host name, best first, at most `MOST_ADDRESSES`; an address stands for itself.

    Raises:
        Concluded: the name has no address, or so many lookups hang that another one is not begun.
        OSError: what the system's resolver says.
        UnicodeError: this cannot be a host name.
    """
    if is_address(host):
        return (host,)
    pending = _under_way.setdefault(asyncio.get_running_loop(), {})
    found = pending.get(host)
    if found is None:
        if len(pending) >= MOST_LOOKUPS:
            raise Concluded(Finding(ProbeReason.RESOLVER_FAILED, f"{MOST_LOOKUPS} lookups hang already"))
        found = pending[host] = in_daemon_thread("resolver", partial(_look_up, host))
        found.add_done_callback(lambda _: pending.pop(host))
    addresses = await asyncio.shield(found)
    if not addresses:
        raise Concluded(Finding(ProbeReason.RESOLVE_FAILED, "the name has no address"))
    return addresses[:MOST_ADDRESSES]


def _look_up(host: str) -> tuple[str, ...]:
    """Blocks, for as long as the system's resolver likes."""
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))
