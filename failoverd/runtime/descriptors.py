"""File descriptors: as many as the system lets us have, and how many of them probing may use."""

import resource
from typing import Final

RESERVE: Final = 256
"""Descriptors for everything that is no probe: the journal, DNS providers, the event loop, what a probe opens besides
its connection. Where the limit is small, half of it."""

_PLENTY: Final = 1 << 20


def raise_limit() -> int:
    """Raise the limit of open files of this process to the highest allowed (getrlimit(2)); returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = _PLENTY if hard == resource.RLIM_INFINITY else hard
    if soft in {resource.RLIM_INFINITY, highest}:
        return highest if soft == highest else _PLENTY
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    except (OSError, ValueError):
        return soft  # a sandbox may refuse it; then probing makes do with what there is
    return highest


def budget(limit: int) -> int:
    """How many descriptors probing may use."""
    return limit - min(RESERVE, limit // 2)
