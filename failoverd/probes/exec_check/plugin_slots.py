"""How many plugins run at a time, each begun beside the event loop, so that a start that hangs stops nothing."""

import asyncio
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from failoverd.probes.exec_check.plugin_launch import PluginProgram, launch
from failoverd.probes.exec_check.plugin_process import PluginProcess
from failoverd.probes.transport.daemon_thread import in_daemon_thread

MOST_AT_ONCE: Final = 32
"""Plugins that one event loop runs at a time; the others wait."""


class PluginSlots:
    """The slots in which the plugins of one event loop run. One is taken until its plugin is dead and reaped.

    A start may hang, as on a file server that is gone, and nothing can end it. It keeps its slot meanwhile; but of one
    program only one start is under way at a time, so that it is one slot, and the plugins elsewhere go on.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MOST_AT_ONCE)
        self._start_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self, argv: list[str]) -> PluginProcess:
        """Run a program when its turn has come. Raises OSError when it cannot be started.

        One that has started when whoever wanted it was cancelled is killed, whenever that is.
        """
        start_lock = self._start_locks.setdefault(argv[0], asyncio.Lock())
        await start_lock.acquire()
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            start_lock.release()
            raise
        starting = in_daemon_thread("plugin", partial(launch, argv), PluginProgram.put_away)
        starting.add_done_callback(lambda _: start_lock.release())
        try:
            return PluginProcess(await asyncio.shield(starting), self._free.release)
        except asyncio.CancelledError:
            starting.add_done_callback(self._refuse)
            raise
        except Exception:
            self._free.release()
            raise

    def why_not(self) -> str:
        """What keeps a program from running that waits for it."""
        if self._free.locked():
            return f"{MOST_AT_ONCE} plugins are running already"
        return "its start hangs, or an earlier one of the same program does: is the disk that it is on there?"

    def _refuse(self, starting: "asyncio.Future[PluginProgram]") -> None:
        """It was started too late."""
        if starting.exception() is None:
            PluginProcess(starting.result(), self._free.release).kill()
        else:
            self._free.release()


_places_of: WeakKeyDictionary[asyncio.AbstractEventLoop, PluginSlots] = WeakKeyDictionary()


def plugin_slots() -> PluginSlots:
    """Those of the event loop that runs."""
    return _places_of.setdefault(asyncio.get_running_loop(), PluginSlots())
