"""Response rate limiting: one network that asks too much over UDP does not cost the others their answers.

Addresses over UDP can be forged, so what is limited is not only a greedy resolver but also a reflection: somebody has
us answer to his victim. Each network of clients, a /24 of IPv4 or a /56 of IPv6, has a bucket of tokens, and each
answer takes one. Where none is left, every other query is answered with nothing but the TC bit ("slip"): whoever really
is there asks again over TCP, where an address cannot be forged, and the rest is silence, which costs next to nothing.
"""

import socket
from collections.abc import Callable
from enum import Enum
from typing import Final

BURST: Final = 2.0
"""Seconds of its rate that a network which was silent may use at once."""

MOST_NETWORKS: Final = 16_384
"""Networks that are remembered, about 2 MB; beyond them the one that was met first is forgotten."""

_V6_NETWORK: Final = 7
"""Bytes of an IPv6 network, /56: what one customer of a provider has."""


class RateVerdict(Enum):
    ANSWER = "answer"
    SLIP = "slip"  # tell it to come over TCP
    DROP = "drop"


class ResponseRateLimit:
    """How many answers each network of clients gets over UDP.

    Args:
        rate: answers a second and network; 0 limits nobody.
        clock: seconds; steady.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._most = rate * BURST
        self._networks: dict[str | bytes, tuple[float, float]] = {}  # tokens, and when there were so many
        self._slip = False

    def verdict(self, address: str) -> RateVerdict:
        """What a query from this address gets."""
        if not self._rate:
            return RateVerdict.ANSWER
        network, now = network_of(address), self._clock()
        tokens, at = self._networks.get(network) or self._welcome(now)
        tokens = min(self._most, tokens + (now - at) * self._rate)
        if tokens >= 1.0:
            self._networks[network] = (tokens - 1.0, now)
            return RateVerdict.ANSWER
        self._networks[network] = (tokens, now)
        self._slip = not self._slip
        return RateVerdict.SLIP if self._slip else RateVerdict.DROP

    def _welcome(self, now: float) -> tuple[float, float]:
        if len(self._networks) >= MOST_NETWORKS:
            del self._networks[next(iter(self._networks))]
        return self._most, now


def network_of(address: str) -> str | bytes:
    """The network that an address counts with."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:_V6_NETWORK]
    return address.rpartition(".")[0]
