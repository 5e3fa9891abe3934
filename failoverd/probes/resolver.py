"""Host names to addresses, by this host's own resolver (RFC 6724 decides their order).

The system's resolver blocks, and when its servers are gone it hangs. So each lookup has a thread of its own, which
nobody waits for at the end of the process; a name that is being looked up already is not looked up again, and no more
than `MOST_LOOKUPS` hang at a time.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from failoverd.core.records import ProbeReason
from failoverd.probes.conversation import is_address
from failoverd.probes.reasons import Concluded, Finding

MOST_LOOKUPS: Final = 64
MOST_ADDRESSES: Final = 8
"""Of a name with hundreds of addresses, so many are tried: each of them gets its part of the time-out."""

Lookup = Callable[[str], tuple[str, ...]]
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
    loop = asyncio.get_running_loop()
    pending = _under_way.setdefault(loop, {})
    found = pending.get(host)
    if found is None:
        if len(pending) >= MOST_LOOKUPS:
            raise Concluded(Finding(ProbeReason.RESOLVER_FAILED, f"{MOST_LOOKUPS} lookups hang already"))
        found = pending[host] = loop.create_future()
        found.add_done_callback(lambda done: _forget(pending, host, done))
        threading.Thread(target=_look_up, args=(host, loop, found), name="resolver", daemon=True).start()
    addresses = await asyncio.shield(found)
    if not addresses:
        raise Concluded(Finding(ProbeReason.RESOLVE_FAILED, "the name has no address"))
    return addresses[:MOST_ADDRESSES]


def _forget(pending: _Pending, host: str, done: "asyncio.Future[tuple[str, ...]]") -> None:
    del pending[host]
    if not done.cancelled():
        done.exception()  # perhaps nobody waits for it any more; that is no mistake


def _look_up(host: str, loop: asyncio.AbstractEventLoop, found: "asyncio.Future[tuple[str, ...]]") -> None:
    """In a thread of its own."""
    settle: Callable[[], None]
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001 - whoever waits classifies it
        failure = error
        settle = lambda: _fail(found, failure)  # noqa: E731 - a name for the error outlives its clause
    else:
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))
        settle = lambda: _give(found, addresses)  # noqa: E731 - the same shape as above
    with suppress(RuntimeError):  # the loop is closed: the answer came too late for everybody
        loop.call_soon_threadsafe(settle)


def _fail(found: "asyncio.Future[tuple[str, ...]]", failure: Exception) -> None:
    if not found.done():
        found.set_exception(failure)


def _give(found: "asyncio.Future[tuple[str, ...]]", addresses: tuple[str, ...]) -> None:
    if not found.done():
        found.set_result(addresses)
