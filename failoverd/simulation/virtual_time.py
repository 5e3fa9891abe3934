"""An event loop on which time is only a number: waiting costs nothing, and every run is the same as the last.

Where the loop would block until the next timer, it sets its clock to that timer instead. Nothing here needs a thread or
a socket, so a loop with nothing ready and no timer can never go on: that is a deadlock, and it is said at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from math import floor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from failoverd.ports import Cancel

if TYPE_CHECKING:
    import selectors
    from collections import deque

T = TypeVar("T")

START: Final = 1_000.0
"""What the clock says when a run begins."""

_RESOLUTION: Final = 1e-6
"""Seconds: with less, a timer that is due at a time since the epoch would not be."""

HORIZON: Final = 40 * 86_400.0
"""How long a run may take on its own clock: more means that it waits for something that never comes."""


class Deadlock(RuntimeError):  # noqa: N818 - the word of the field
    """Somebody waits for something that cannot happen any more."""


class LeftOver(RuntimeError):  # noqa: N818 - the same
    """Something is still under way at the end, or went wrong and nobody was told."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use it through `run`.

    Timers that are due at the same moment go off in the order in which they were set: with the heap of asyncio that is
    left to chance, and depends on whatever else was set.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self.horizon = start + HORIZON
        self.complaints: list[str] = []
        self._expected: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        self._heap: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._set = count()
        super().__init__()
        self.set_default_executor(_AtOnce())
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._now

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._heap, (when, next(self._set), timer))
        return timer

    def _run_once(self) -> None:
        """One turn of the loop, as asyncio has it, but for what it waits for: nothing."""
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        self._poll()
        if not self.look() and not ready and not self._stopping:  # type: ignore[attr-defined]
            self._skip()
        heap, due = self._heap, self._now + _RESOLUTION
        while heap and heap[0][0] < due:
            ready.append(heappop(heap)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - it is the loop that runs it

    def _poll(self) -> None:
        """Hear the sockets, if there are any besides the loop's own, which is idle."""
        selector: selectors.BaseSelector = self._selector  # type: ignore[attr-defined]
        if len(selector.get_map()) > 1:
            self._process_events(selector.select(0))  # type: ignore[attr-defined]

    def _skip(self) -> None:
        """Go to the next timer, instead of waiting for it."""
        heap = self._heap
        while heap and heap[0][2].cancelled():
            heappop(heap)
        if not heap:
            raise Deadlock(f"nothing is ready and nothing is scheduled, but these still wait: {self._waiting()}")
        due = heap[0][0]
        if due > self.horizon:
            raise Deadlock(f"nothing happened for {HORIZON:g}s of virtual time that these wait for: {self._waiting()}")
        self._now = max(self._now, due)

    def leap(self, moment: float) -> None:
        """The clock is set forward. What was due before then comes late: it is for who leaps that nothing was."""
        self._now = max(self._now, moment)

    def expect(self, condition: Callable[[], object]) -> "asyncio.Future[None]":
        """A future that is done as soon as the condition holds. It is looked at whenever the loop turns."""
        future = self.create_future()
        self._expected.append((condition, future))
        return future

    @property
    def expects(self) -> bool:
        """Whether anybody waits for an expectation, which may come true with any turn of the loop."""
        return bool(self._expected)

    def look(self) -> bool:
        """Whether an expectation came true just now."""
        if not self._expected:
            return False
        came = [future for condition, future in self._expected if not future.done() and condition()]
        for future in came:
            future.set_result(None)
        self._expected = [(condition, future) for condition, future in self._expected if not future.done()]
        return bool(came)

    def timers(self) -> list[asyncio.TimerHandle]:
        """What is still scheduled, the next one first."""
        return [timer for _, _, timer in sorted(self._heap) if not timer.cancelled()]

    def _waiting(self) -> list[str]:
        return sorted(describe(task) for task in asyncio.all_tasks(self))

    def _complain(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")


class _AtOnce(ThreadPoolExecutor):
    """What is given to a thread is done at once: no run may depend on how fast a thread is."""

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> "Future[T]":
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is whoever waits for the future that is told
            future.set_exception(error)
        return future


def run(scenario: Coroutine[Any, Any, T], start: float = START) -> T:
    """Play a scenario on a loop of its own, whose clock begins at `start`.

    Raises:
        LeftOver: it did not clean up behind itself, or a task of it failed unheard.
    """
    loop = VirtualLoop(start)
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(scenario)
        left = [describe(task) for task in asyncio.all_tasks(loop)]
        if left or loop.complaints:
            raise LeftOver(f"tasks are left over: {left}" if left else str(loop.complaints))
        return result
    finally:
        _end(loop)


def _end(loop: VirtualLoop) -> None:
    leftover = asyncio.all_tasks(loop)
    for task in leftover:
        task.cancel()
    if leftover:
        loop.run_until_complete(asyncio.wait(leftover, timeout=1.0))
    asyncio.set_event_loop(None)
    loop.close()


def describe(task: asyncio.Task[Any]) -> str:
    """Its name, and where it waits."""
    frames = task.get_stack()
    place = f"{frames[-1].f_code.co_qualname}:{frames[-1].f_lineno}" if frames else "unknown"
    return f"{task.get_name()} at {place}"


def now() -> float:
    """A `Clock`: what the running loop says."""
    return asyncio.get_running_loop().time()


class VirtualTimetable:
    """`ports.Timetable` on the loop's own timers, with one run of a job at a time, as the real one has it."""

    def __init__(self) -> None:
        self.jobs: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tokens: dict[str, object] = {}
        self._laid_out: dict[str, tuple[float, float, Callable[[float], None]]] = {}

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[None]], *, phase: float = 0.0) -> Cancel:
        loop = asyncio.get_running_loop()
        token = object()
        if name in self.jobs:
            self.jobs[name].cancel()
        self._tokens[name] = token

        def fire(due: float) -> None:
            self._lay_out(name, due + seconds, seconds, fire)
            if name not in self._running:
                task = loop.create_task(_finish(work), name=name)
                self._running[name] = task
                task.add_done_callback(lambda _: self._running.pop(name, None))

        def cancel() -> None:
            if self._tokens.get(name) is token:
                self.jobs.pop(name).cancel()
                del self._tokens[name], self._laid_out[name]

        self._lay_out(name, loop.time() + phase, seconds, fire)
        return cancel

    def leap(self) -> None:
        """The clock was set forward: each job goes on in its rhythm, without the runs that it missed."""
        now = asyncio.get_running_loop().time()
        for name, (due, seconds, fire) in list(self._laid_out.items()):
            if due <= now:
                self.jobs[name].cancel()
                self._lay_out(name, due + (floor((now - due) / seconds) + 1) * seconds, seconds, fire)

    def _lay_out(self, name: str, due: float, seconds: float, fire: Callable[[float], None]) -> None:
        self.jobs[name] = asyncio.get_running_loop().call_at(due, fire, due)
        self._laid_out[name] = due, seconds, fire

    async def close(self) -> None:
        for handle in self.jobs.values():
            handle.cancel()
        self.jobs.clear()
        self._tokens.clear()
        self._laid_out.clear()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _finish(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def elapse(seconds: float) -> None:
    """Let virtual time pass: whatever is due meanwhile happens, and nobody waits for real."""
    await asyncio.sleep(seconds)
