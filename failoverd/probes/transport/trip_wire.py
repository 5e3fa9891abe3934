"""A trip wire: one idle connection to an endpoint, whose end is a reason to probe at once.

Nothing is ever sent over it, and its end proves nothing by itself. It is worth having because the kernel of a host
tells its peers when a process dies, which no probe has to wait for.

The rules:

- A reset, a refusal, a keepalive that nobody answers and a close trip the wire.
- One event trips it once: it trips again only after a connection has stood for `_STEADY` seconds. So a server that is
  down, or that closes each connection at once, costs one probe and not a storm of them.
- Many servers close a connection that is idle for some time. The first such close trips the wire and teaches it how
  long that is; a connection that is closed in order at about the same age (80 % to 125 %) does not trip it.
- Between two connections it waits, each time twice as long, up to `_LONGEST` seconds, and never exactly so long.
- What says nothing about the endpoint (no descriptors, no route, no resolver) trips nothing; the wire waits.
"""

import asyncio
import errno
import random
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.ports import Cancel
from failoverd.probes.findings import Phase
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.host_resolver import addresses_of
from failoverd.probes.transport.protocol import is_address
from failoverd.probes.transport.reactor import reactor

_STEADY: Final = 1.0
_FIRST: Final = 0.5
_LONGEST: Final = 60.0
_SAME_AGE: Final = (0.8, 1.25)
_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS})
_READ: Final = 16_384
_MOST_HEARD: Final = 65_536
"""Bytes of greetings that are read and forgotten. Whoever says more is left alone for a while."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """When a connection over which nothing comes is doubted (tcp(7)): whole seconds, and probes without an answer.

    By default a packet each 15 seconds, and 24 seconds until a host that vanished in silence is noticed.
    """

    idle: int = 15
    interval: int = 3
    count: int = 3

    def arm(self, opened: socket.socket) -> None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.idle)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, self.interval)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, self.count)
        patience = self.idle + self.interval * self.count  # also for the connection request
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1_000 * patience)


_DEFAULT: Final = Keepalive()


def keep_trip_wire(host: str, port: int, tripped: Callable[[], None], keepalive: Keepalive = _DEFAULT) -> Cancel:
    """Keep an idle connection until it is cancelled.

    `tripped` is called from the event loop, never from within `keep_trip_wire`, and not any more once it is cancelled.
    """
    wire = _TripWire(host, port, tripped, keepalive)
    wire.wait(0.0)
    return wire.cancel


class _TripWire:
    """One wire: waiting for its time, resolving, connecting, or standing. `SocketListener` for the reactor."""

    def __init__(self, host: str, port: int, tripped: Callable[[], None], keepalive: Keepalive) -> None:
        self._host = host
        self._port = port
        self._tripped = tripped
        self._keepalive = keepalive
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._address = host
        self._stands_since: float | None = None
        self._heard = 0
        self._idle_life: float | None = None
        self._armed = True
        self._failures = 0

    # -- its life ------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._begin)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._resolving is not None:
            self._resolving.cancel()
        self._close()

    def _begin(self) -> None:
        if is_address(self._host):
            self._dial(self._host)
        else:
            self._resolving = self._loop.create_task(self._resolve(), name=f"trip wire to {self._host}")

    async def _resolve(self) -> None:
        try:
            addresses = await addresses_of(self._host)
        except Exception:  # noqa: BLE001 - whatever the resolver says, the probe of the endpoint says it better
            self._again()
        else:
            self._dial(addresses[0])

    def _dial(self, address: str) -> None:
        self._address, self._stands_since, self._heard = address, None, 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._keepalive.arm(opened)
            code = opened.connect_ex((address, self._port))
            if code in _UNDER_WAY:
                reactor(self._loop).watch(opened.fileno(), self)
                return
            failure = OSError(code, "connect")
        except OSError as error:
            failure = error
        self._broken(failure)

    def _again(self) -> None:
        """Try once more, later each time."""
        longest = min(_LONGEST, _FIRST * 2.0 ** min(self._failures, 16))
        self._failures += 1
        self.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - so that wires do not act in step; no secret

    def _close(self) -> None:
        if self._socket is not None:
            reactor(self._loop).forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    # -- what happens to it --------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        opened = self._socket
        if opened is None:
            return
        try:
            if self._stands_since is None:
                self._stand(opened, events)
            while data := opened.recv(_READ):
                self._heard += len(data)
                if self._heard > _MOST_HEARD:
                    self._leave_alone()
                    return
        except BlockingIOError:
            return  # it still stands, and says nothing
        except OSError as error:
            self._broken(error)
        else:
            self._closed_in_order()

    def _stand(self, opened: socket.socket, events: int) -> None:
        code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        if not events & select.EPOLLOUT:
            raise BlockingIOError
        self._stands_since = self._loop.time()

    def _age(self) -> float:
        """Seconds for which the connection has stood."""
        return 0.0 if self._stands_since is None else self._loop.time() - self._stands_since

    def _leave_alone(self) -> None:
        self._close()
        self.wait(_LONGEST * random.uniform(0.5, 1.0))  # noqa: S311 - as above

    def _broken(self, error: OSError) -> None:
        age = self._age()
        self._close()
        about_us = explain(error, Phase.CONNECT, self._address).reason.outcome is ProbeOutcome.BLIND
        self._over(age, trips=not about_us)

    def _closed_in_order(self) -> None:
        age, before = self._age(), self._idle_life
        self._close()
        self._idle_life = age
        shortest, longest = _SAME_AGE
        self._over(age, trips=before is None or not shortest * before <= age <= longest * before)

    def _over(self, age: float, *, trips: bool) -> None:
        """The connection is gone, or never stood. Go on, and say so if that is news."""
        if age >= _STEADY:
            self._armed, self._failures = True, 0
        self._again()
        if trips and self._armed:
            self._armed = False
            self._tripped()
