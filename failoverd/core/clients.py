"""How many clients still use the answer from before a change, for as long as caches keep it.

Most resolvers keep an answer for its TTL, and asked for it at any moment of that: what they still have goes down in a
straight line. The rest keeps it far longer (resolvers that stretch a TTL, processes that ask once and never again), and
goes down like a decay. Fitted to two measurements that were published for a TTL of 20 s: 90 % had moved after 60 s, and
2 % had not after 15 min.

The second part does not know the TTL: a lower one brings most clients over sooner, and does not shorten the tail.
"""

from math import exp
from typing import Final

OBEDIENT: Final = 0.888
"""The part of the clients whose resolvers keep to the TTL."""

TAIL: Final = 522.0
"""Seconds in which what is left of the others goes down to 1/e."""


def lost(after: float, ttl: float) -> float:
    """How long all clients together would have used it, in seconds: `still_old` summed up from the change on."""
    elapsed = max(0.0, after)
    within = min(elapsed, ttl)
    obedient = within - within * within / (2 * ttl) if ttl > 0 else 0.0
    return OBEDIENT * obedient + (1.0 - OBEDIENT) * TAIL * (1.0 - exp(-elapsed / TAIL))


def still_old(after: float, ttl: float) -> float:
    """The part of the clients, from 0 to 1, that use the old answer so many seconds `after` a change.

    `ttl` is that of the old answer, in seconds.
    """
    elapsed = max(0.0, after)
    obedient = max(0.0, 1.0 - elapsed / ttl) if ttl > 0 else 0.0
    return OBEDIENT * obedient + (1.0 - OBEDIENT) * exp(-elapsed / TAIL)
