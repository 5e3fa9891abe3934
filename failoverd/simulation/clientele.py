"""Which answers the clients of one record use, after however many changes: `core.clients`, one change upon the other.

An answer that was published from one moment to another is used by those whose own is from before its end, and not from
before its beginning. How many have one from before a moment is what `still_old` says of a change in that moment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from failoverd.core.clients import lost, still_old
from failoverd.core.records import WHOLE

_NOBODY = 1e-4
"""A part of the clients that is not worth to be remembered: reached about an hour after a change."""


@dataclass(frozen=True, slots=True)
class _Old:
    """An answer of before: what it was by region, when it ended, and its TTL. Times and TTL are in seconds."""

    shares: Mapping[str, int]
    until: float
    ttl: float


@dataclass(slots=True)
class Clientele:
    """All clients of a record. `shares` is what is published now, in basis points by region; nothing is no answer."""

    shares: Mapping[str, int]
    ttl: float
    _old: list[_Old] = field(default_factory=list)

    def publish(self, shares: Mapping[str, int], at: float) -> None:
        """From now on this is answered."""
        self._old = [each for each in self._old if still_old(at - each.until, each.ttl) > _NOBODY]
        self._old.append(_Old(self.shares, at, self.ttl))
        self.shares = shares

    @property
    def changed_at(self) -> float | None:
        """When it was published, if it is known."""
        return self._old[-1].until if self._old else None

    def parts(self, at: float) -> dict[str, float]:
        """The part of the clients that each region has, from 0 to 1; what is left of 1 has no answer at all."""
        before = (still_old(at - each.until, each.ttl) for each in self._old)
        return self._summed(list(before), 1.0)

    def spent(self, since: float, until: float) -> dict[str, float]:
        """Seconds that all clients together were with each region; nothing was published in between."""
        before = (lost(until - each.until, each.ttl) - lost(since - each.until, each.ttl) for each in self._old)
        return self._summed(list(before), until - since)

    def _summed(self, before: list[float], whole: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for shares, part in self._weighed(before, whole):
            for name, share in shares.items():
                if share:
                    found[name] = found.get(name, 0.0) + part * share / WHOLE
        return found

    def _weighed(self, before: list[float], whole: float) -> Iterator[tuple[Mapping[str, int], float]]:
        """Each answer with how much of the whole it has: those before its end, without those before its beginning."""
        earlier = 0.0
        for each, part in zip(self._old, before, strict=True):
            yield each.shares, max(0.0, part - earlier)
            earlier = max(earlier, part)
        yield self.shares, max(0.0, whole - earlier)
