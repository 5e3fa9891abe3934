"""failoverd with a kill -9 built in: `python -m support.dying STEP GENERATION run --config FILE`.

The process kills itself at one step of applying the plan of that generation, the way that an out-of-memory killer or a
power cut would: no handler runs, nothing is flushed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from failoverd.cli.daemon import main
from failoverd.core.records import Observed
from failoverd.runtime import applying
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lazy_provider import LazyProvider

STEPS = (
    "before the intent",
    "after the intent",
    "after the request left",
    "after the answer came",
    "after the read-back",
    "after the outcome",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, *, at: Callable[[tuple[Any, ...]], bool], before: bool = False) -> None:  # noqa: ANN401
    """Let the method of `owner` die before or after its work when `at` says so of its arguments."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(original)
    async def dying(*arguments: Any) -> Any:  # noqa: ANN401
        if before and at(arguments):
            die()
        result = await original(*arguments)
        if not before and at(arguments):
            die()
        return result

    setattr(owner, name, dying)


def arm(step: str, generation: int) -> None:
    def planned(arguments: tuple[Any, ...]) -> bool:
        plan = next((found for found in arguments if hasattr(found, "marker")), None)
        plan = plan or next(found.plan for found in arguments if hasattr(found, "plan"))
        return bool(plan.generation == generation)

    match step:
        case "before the intent":
            around(JournalWriter, "intend", at=planned, before=True)
        case "after the intent":
            around(JournalWriter, "intend", at=planned)
        case "after the request left":
            die_when_sent(planned)
        case "after the answer came":
            around(LazyProvider, "apply", at=planned)
        case "after the read-back":
            around(applying._Write, "_read_back", at=planned)
        case "after the outcome":
            around(JournalWriter, "settle", at=planned)
        case _:
            raise SystemExit(f"no such step: {step}")


def die_when_sent(planned: Callable[[tuple[Any, ...]], bool]) -> None:
    """Die between the request and its answer: the server does the work, and nobody is there to hear of it."""
    apply, drain = LazyProvider.apply, asyncio.StreamWriter.drain
    writing = False

    async def applying(self: LazyProvider, approved: Any) -> Observed | None:  # noqa: ANN401
        nonlocal writing
        writing = planned((approved,))
        return await apply(self, approved)

    async def draining(self: asyncio.StreamWriter) -> None:
        await drain(self)
        if writing:
            die()

    LazyProvider.apply = applying  # type: ignore[method-assign]
    asyncio.StreamWriter.drain = draining  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
