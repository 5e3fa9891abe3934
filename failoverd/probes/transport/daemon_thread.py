"""Calls that may hang, beside the event loop: each in a daemon thread of its own, which nothing ever waits for.

A thread pool would not do. Those of the standard library are waited for at the end of the process, and what hangs in
one keeps its thread from those that would not. Whoever begins calls here bounds how many of them may hang.
"""

import asyncio
import errno
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def _drop(_: object) -> None:
    """What nobody waits for any more needs no cleaning up."""


def in_daemon_thread(name: str, work: Callable[[], T], lost: Callable[[T], None] = _drop) -> "asyncio.Future[T]":
    """Begin `work` in a thread; what it returns or raises is told in the event loop that runs now.

    It cannot be cancelled, only not be waited for: await it within `asyncio.shield`. OSError (EAGAIN) when this process
    gets no more threads.

    Args:
        name: of the thread.
        work: may block.
        lost: puts away, in the thread, what came after the event loop was closed.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    done.add_done_callback(_note)
    thread = threading.Thread(target=_work, args=(work, loop, done, lost), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        loop.call_soon(_fail, done, OSError(errno.EAGAIN, "no thread can be started"))
    return done


def _work(
    work: Callable[[], T], loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]", lost: Callable[[T], None]
) -> None:
    """In the thread."""
    try:
        found = work()
    except Exception as error:  # noqa: BLE001 - whoever waits classifies it
        with suppress(RuntimeError):  # the event loop is closed: nobody is there to be told
            loop.call_soon_threadsafe(_fail, done, error)
        return
    try:
        loop.call_soon_threadsafe(_give, done, found)
    except RuntimeError:
        lost(found)


def _give(done: "asyncio.Future[T]", found: T) -> None:
    if not done.done():
        done.set_result(found)


def _fail(done: "asyncio.Future[T]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _note(done: "asyncio.Future[T]") -> None:
    """Perhaps nobody waits for it any more; that is no mistake which asyncio has to tell."""
    if not done.cancelled():
        done.exception()
