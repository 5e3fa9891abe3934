"""Pages of a hosted zone, in the order in which Route 53 lists record sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from failoverd.core.names import marker_name
from failoverd.providers.route53.names import absolute, follows
from failoverd.providers.route53.records import RawSet


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: at the first record set that is not before this. `name` is absolute."""

    name: str
    type: str | None = None
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The record sets at a name and at the name of its marker."""

    at_name: tuple[RawSet, ...]
    at_marker: tuple[RawSet, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Record sets without a gap, by their absolute names; `following` is where the next page starts, if any does."""

    start: Start
    found: Mapping[str, tuple[RawSet, ...]]
    following: Start | None

    @classmethod
    def of(cls, start: Start, answer: Mapping[str, Any]) -> Self:
        """The page that an answer of ListResourceRecordSets is."""
        found: dict[str, tuple[RawSet, ...]] = {}
        for each in answer["ResourceRecordSets"]:
            found[each["Name"]] = (*found.get(each["Name"], ()), each)
        following = None
        if answer["IsTruncated"]:
            following = Start(
                answer["NextRecordName"], answer.get("NextRecordType"), answer.get("NextRecordIdentifier")
            )
        return cls(start, found, following)

    def and_then(self, page: "Page") -> "Page":
        """Both, when `page` starts where this one ended."""
        found = dict(self.found)
        for name, sets in page.found.items():
            found[name] = (*found.get(name, ()), *sets)
        return Page(self.start, found, page.following)

    def standing(self, name: str) -> Standing | None:
        """What stands at a name and its marker, or None when not all of that is in this page."""
        first, last = absolute(name), absolute(marker_name(name))
        begun = (self.start.name == first or follows(first, self.start.name)) and self.start.type is None
        if not begun or not self._ends_after(last):
            return None
        return Standing(self.found.get(first, ()), self.found.get(last, ()))

    def passed(self, name: str) -> bool:
        """Whether every record set of the name is in this page or before it."""
        return self._ends_after(absolute(name))

    def _ends_after(self, name: str) -> bool:
        return self.following is None or follows(self.following.name, name)
