"""Many sockets behind one wake-up.

An event loop that is told of a thousand sockets, one by one, spends more on being told than the sockets cost. So the
sockets of probes are watched by an epoll of their own, each registered once for its whole life (edge-triggered), and
the event loop watches that epoll as a single descriptor: one wake-up hands out everything that became ready.

What epoll says is a hint: a descriptor may be an older one's namesake. Whoever is called looks for himself what the
socket has, and finds nothing at worst.
"""

import asyncio
import select
from typing import Final, Protocol
from weakref import WeakKeyDictionary

_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_WHATEVER: Final = select.POLLIN | select.POLLOUT | select.POLLRDHUP
AT_ONCE: Final = 128
"""Sockets that are handed out in one turn of the event loop: some milliseconds. When a region fails under a thousand
policies all are ready at once, and decisions, heartbeats and DNS answers want their turn as well."""


class SocketListener(Protocol):
    def ready(self, events: int) -> None:
        """Something may have happened on the socket (`epoll_ctl(2)`). Never raises."""


class Reactor:
    """The sockets of one event loop's probes. `reactor()` has the one of the running loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._listeners: dict[int, SocketListener] = {}
        loop.add_reader(self._epoll.fileno(), self.dispatch)

    def watch(self, descriptor: int, listener: SocketListener) -> None:
        """Call `watched.ready` whenever the socket may have become readable or writable, until it is forgotten."""
        self._epoll.register(descriptor, _EVENTS)
        self._listeners[descriptor] = listener

    def forget(self, descriptor: int) -> None:
        """To be called before the socket is closed; closing it takes it out of the epoll."""
        self._listeners.pop(descriptor, None)

    def dispatch(self) -> None:
        """Hand out what is ready now, and what is left in the next turn."""
        for descriptor, events in self._epoll.poll(0, AT_ONCE):
            listener = self._listeners.get(descriptor)
            if listener is not None:
                listener.ready(events)

    def look(self, descriptor: int) -> None:
        """Hand out at once what one socket has. Before its deadline is believed: the answer may have arrived."""
        listener = self._listeners.get(descriptor)
        if listener is None:
            return
        poll = select.poll()
        poll.register(descriptor, _WHATEVER)
        for _, events in poll.poll(0):  # the bits are those of epoll
            listener.ready(events)


_reactors: WeakKeyDictionary[asyncio.AbstractEventLoop, Reactor] = WeakKeyDictionary()


def reactor(loop: asyncio.AbstractEventLoop) -> Reactor:
    """The loop's reactor; made when it is first asked for, and gone with the loop."""
    found = _reactors.get(loop)
    if found is None:
        found = _reactors[loop] = Reactor(loop)
    return found
