"""Loading without a search for garbage. Imports nothing that `--help` has to wait for.

While modules are loaded, nearly everything that is made stays. Python's collector cannot know that: it looks through
all of it again and again, for a fifth of the time that a start takes.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SELDOM: Final = 50_000
"""New objects between two searches, in a command that loads what it needs as it goes. Python's own number is 700."""


@contextmanager
def loading() -> Iterator[None]:
    """What is made inside is never looked through: not now, and not by any search while the process runs."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def seldom_search() -> None:
    """For a command that is soon over: it hardly looks for garbage, and not at all when it ends."""
    gc.set_threshold(_SELDOM)
    atexit.register(gc.freeze)
