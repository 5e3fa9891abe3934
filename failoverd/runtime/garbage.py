"""The collector of cycles (`gc`), kept from holding everything up.

It looks through all that is old at once, with nothing else having a turn: a second and more with a thousand policies,
all of which last. So what a full look took long to go through, and left alone, is put aside and not looked through
again. What is aside is freed like everything else, unless it is in a cycle; replaced policies are, so once many were,
all of it is looked through once.
"""

import gc
from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from failoverd.core.events import Event, PolicyLoaded, PolicyRemoved

LONG: Final = 0.02
"""Seconds of one look from which on what it left alone is put aside."""

MANY: Final = 200
"""Policies that were replaced or removed since all of it was looked through: so many may be left behind in memory."""

_ALL: Final = 2
"""The generation that has everything old."""


class Garbage:
    """For one process, that of the daemon: a context manager, and a sink that counts which policies came and went."""

    def __init__(self) -> None:
        self._began = 0.0
        self._known: set[str] = set()
        self._left = 0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._looked)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.callbacks.remove(self._looked)
        gc.unfreeze()

    def take(self, event: Event) -> None:
        """Whoever replaces a policy leaves the one before behind."""
        if isinstance(event, PolicyLoaded):
            self._left += event.policy in self._known
            self._known.add(event.policy)
        elif isinstance(event, PolicyRemoved):
            self._left += 1
            self._known.discard(event.policy)
        if self._left >= MANY:
            self._left = 0
            gc.unfreeze()  # the next full look goes through all of it, and puts it aside again

    def _looked(self, phase: str, info: Mapping[str, int]) -> None:
        if info["generation"] != _ALL:
            return
        if phase == "start":
            self._began = perf_counter()
        elif perf_counter() - self._began > LONG:
            gc.freeze()
