"""What stands in DNS on paper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from failoverd.core.records import Marker, Observed, RecordKey, RecordSet, Target

_parsed = lru_cache(maxsize=256)(Marker.parse)


@dataclass(frozen=True)
class Write:
    """One write that took effect."""

    at: float
    target: Target
    records: RecordSet
    marker: Marker
    before: Observed


@dataclass
class Zonefile:
    """What stands in DNS: shared by every provider that serves it, and by people who edit it.

    `heard` is told of each write that took effect.
    """

    records: dict[tuple[str, RecordKey], RecordSet] = field(default_factory=dict)
    markers: dict[tuple[str, str], str] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    heard: Callable[[Write], None] = lambda write: None  # noqa: ARG005 - what it is called with

    def observe(self, target: Target) -> Observed:
        text = self.markers.get((target.zone, target.key.name))
        marker = _parsed(text) if text is not None else None
        return Observed(target, self.records.get((target.zone, target.key)), marker, text)

    def wrote(self, write: Write) -> None:
        self.writes.append(write)
        self.heard(write)

    def put(self, target: Target, weights: Mapping[str, int] | None, *, ttl: int = 30) -> None:
        """A person edits the record, past failoverd. None removes it."""
        self.records.pop((target.zone, target.key), None)
        if weights is not None:
            self.records[target.zone, target.key] = RecordSet.of(target.key, ttl, weights)

    def mark(self, target: Target, text: str | None) -> None:
        """A person edits the marker. None removes it."""
        self.markers.pop((target.zone, target.key.name), None)
        if text is not None:
            self.markers[target.zone, target.key.name] = text

    def shares(self, target: Target, region_of: Mapping[str, str]) -> dict[str, int]:
        found = self.records.get((target.zone, target.key))
        return found.shares(region_of) if found is not None else {}

    def generation(self, target: Target) -> int:
        marker = self.observe(target).marker
        return marker.generation if marker is not None else 0
