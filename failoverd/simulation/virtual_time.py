"""An event loop on which time is only a number: waiting costs nothing, and every run is the same as the last.

Where the loop would block until the next timer, it sets its clock to that timer instead. Nothing here needs a thread or
a socket, so a loop with nothing ready and no timer can never go on: that is a deadlock, and it is said at once.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from failoverd.ports import Cancel

T = TypeVar("T")

START: Final = 1_000.0
"""What the clock says when a run begins."""

HORIZON: Final = 40 * 86_400.0
"""How long a run may take on its own clock: more means that it waits for something that never comes."""


class Deadlock(RuntimeError):  # noqa: N818 - the word of the field
    """Somebody waits for something that cannot happen any more."""


class LeftOver(RuntimeError):  # noqa: N818 - the same
    """Something is still under way at the end, or went wrong and nobody was told."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use it through `run`."""

    def __init__(self, start: float = START) -> None:
        self._now = start
        self.horizon = start + HORIZON
        self.complaints: list[str] = []
        self._expected: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        super().__init__(_Skipping(self))
        self._clock_resolution = 1e-6  # of seconds since the epoch; with less, a timer that is due would not be
        self.set_default_executor(_AtOnce())
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._now

    def skip(self, horizon: float) -> None:
        """Go to the next timer, instead of waiting for it. The loop has taken cancelled ones from the top."""
        if not self._heap:
            raise Deadlock(f"nothing is ready and nothing is scheduled, but these still wait: {self._waiting()}")
        due = self._heap[0].when()
        if due > horizon:
            raise Deadlock(f"nothing happened for {HORIZON:g}s of virtual time that these wait for: {self._waiting()}")
        self._now = max(self._now, due)

    def expect(self, condition: Callable[[], object]) -> "asyncio.Future[None]":
        """A future that is done as soon as the condition holds. It is looked at whenever the loop turns."""
        future = self.create_future()
        self._expected.append((condition, future))
        return future

    def look(self) -> bool:
        """Whether an expectation came true just now."""
        came = [future for condition, future in self._expected if not future.done() and condition()]
        for future in came:
            future.set_result(None)
        self._expected = [(condition, future) for condition, future in self._expected if not future.done()]
        return bool(came)

    def timers(self) -> list[asyncio.TimerHandle]:
        """What is still scheduled, the next one first."""
        return [handle for handle in self._heap if not handle.cancelled()]

    @property
    def _heap(self) -> list[asyncio.TimerHandle]:
        heap: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return heap

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


class _Skipping(selectors.SelectSelector):
    """A selector that never blocks."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        came_true = self._loop.look()
        if not ready and not came_true and timeout != 0:
            self._loop.skip(self._loop.horizon)
        return ready


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

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[None]], *, phase: float = 0.0) -> Cancel:
        loop = asyncio.get_running_loop()
        token = object()
        if name in self.jobs:
            self.jobs[name].cancel()
        self._tokens[name] = token

        def fire(due: float) -> None:
            self.jobs[name] = loop.call_at(due + seconds, fire, due + seconds)
            if name not in self._running:
                task = loop.create_task(_finish(work), name=name)
                self._running[name] = task
                task.add_done_callback(lambda _: self._running.pop(name, None))

        def cancel() -> None:
            if self._tokens.get(name) is token:
                self.jobs.pop(name).cancel()
                del self._tokens[name]

        first = loop.time() + phase
        self.jobs[name] = loop.call_at(first, fire, first)
        return cancel

    async def close(self) -> None:
        for handle in self.jobs.values():
            handle.cancel()
        self.jobs.clear()
        self._tokens.clear()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _finish(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def elapse(seconds: float) -> None:
    """Let virtual time pass: whatever is due meanwhile happens, and nobody waits for real."""
    await asyncio.sleep(seconds)
