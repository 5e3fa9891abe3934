"""Rules of an installation: what has to hold of an answer whatever the cause, and which causes wait at a gate. Data.

They stand in the inventory, for they span policies. Limits of a policy say how fast traffic may move; a rule says where
it may not arrive (an assertion), or that for now it does not move for some causes at all (a gate).

An assertion is judged on each answer by itself: on what one record answers at one provider once the change is made.
So it holds of every answer of the batch, in whatever order they are written, and whoever writes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from failoverd.core.reasons import Cause
from failoverd.core.records import ELSEWHERE

ELSE_AFTER: Final = 600.0
"""Seconds after which what is down leaves although an assertion breaks: by then a person was asked, and did not say."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """So many of some groups of regions are in the answer.

    Attributes:
        at_least: how many of the groups.
        of: the groups, each a glob of names of regions.
        share: what a group has to have, all its regions together, to be in the answer, in basis points.
    """

    at_least: int
    of: tuple[str, ...]
    share: int = 1

    def met(self, shares: Mapping[str, int]) -> int:
        """How many of the groups are in an answer with these shares by region."""
        return sum(self._has(shares, group) >= max(self.share, 1) for group in self.of)

    def groups(self, regions: Iterable[str]) -> int:
        """How many of the groups these regions could fill."""
        names = tuple(regions)
        return sum(any(fnmatchcase(name, group) for name in names) for group in self.of)

    def counts(self, region: str) -> int:
        """The share from which a region by itself has its group in the answer; 0 if it is in none."""
        return max(self.share, 1) if any(fnmatchcase(region, group) for group in self.of) else 0

    @staticmethod
    def _has(shares: Mapping[str, int], group: str) -> int:
        return sum(share for name, share in shares.items() if name != ELSEWHERE and fnmatchcase(name, group))


@dataclass(frozen=True, slots=True)
class Gate:
    """While a switch is on, nothing moves for some causes.

    Attributes:
        switch: its name, which operators turn on for a while.
        on: the causes.
    """

    switch: str
    on: frozenset[Cause] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: by which a person may break it.
        says: what it is.
        policies: globs of names of policies that it binds; all of them without any.
        else_after: seconds that an assertion keeps what is down in the answer, while a person is asked.
        people: how many have to agree to break it.
        at: where it is written, `file:line`.
    """

    name: str
    says: Assertion | Gate
    policies: tuple[str, ...] = ()
    else_after: float = ELSE_AFTER
    people: int = 1
    at: str = ""

    def binds(self, policy: str) -> bool:
        return not self.policies or any(fnmatchcase(policy, each) for each in self.policies)
