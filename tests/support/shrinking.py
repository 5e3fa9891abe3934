"""Of a list that makes something fail, the part that it takes: delta debugging (Zeller and Hildebrandt, 2002)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrunk(items: Sequence[T], fails: Callable[[Sequence[T]], bool], most: int = 300) -> tuple[Sequence[T], int]:
    """The items of which none can be spared, and how often was tried; what is left after `most` tries.

    Half of them are taken away, then a quarter, and so on down to each by itself, for as long as it fails without.
    """
    tries, parts = 0, 2
    while items:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            if tries == most:
                return items, tries
            tries += 1
            rest = (*items[:start], *items[start + size :])
            if fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(items))
    return items, tries
