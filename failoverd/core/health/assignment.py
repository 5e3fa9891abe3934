"""Who probes what, where each endpoint is probed by some of the members only: rendezvous hashing.

Each member gets a score for each endpoint, a hash of both names, and the highest scores probe it (Thaler and
Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). Everybody who knows the same members comes to the
same, without a word between them. When a member goes, only what it probed is probed by somebody else, and when it
comes back, it takes that again: of `n` members each change moves about 1 of `n` assignments, and never more.

A member that comes and goes would move its part each time. So who was silent is counted again only after it has been
heard for a while (`ProbingMembers`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from failoverd.core.records import Endpoint, Policy

_MOST_ROSTERS: Final = 8


def assigned(what: str, members: Collection[str], factor: int | None) -> frozenset[str]:
    """Who of the members probes it: `factor` of them, or all."""
    if factor is None or factor >= len(members):
        return frozenset(members)
    return frozenset(sorted(members, key=lambda member: _score(what, member), reverse=True)[:factor])


def _score(what: str, member: str) -> tuple[bytes, str]:
    """The same on every machine, in every version: members of different ones have to agree."""
    return blake2b(f"{member}\0{what}".encode(), digest_size=8).digest(), member


@dataclass(slots=True)
class ProbingMembers:
    """Who is there to probe, as one member sees it.

    Attributes:
        silent_after: seconds of silence after which somebody else probes what a member did.
        steady_after: seconds for which one that was silent has to be heard without a break, to be counted again.
        present: who is counted now.
    """

    silent_after: float
    steady_after: float
    present: frozenset[str]
    _back: dict[str, float] = field(default_factory=dict)  # since when who was gone is heard again

    def look(self, heard_at: Mapping[str, float], now: float) -> bool:
        """Given when each member was last heard, whether others are counted than before."""
        heard = {member for member, at in heard_at.items() if now - at <= self.silent_after}
        for member in heard - self.present:
            self._back.setdefault(member, now)
        self._back = {member: since for member, since in self._back.items() if member in heard}
        steady = {member for member, since in self._back.items() if now - since >= self.steady_after}
        found = frozenset((self.present & heard) | steady)
        for member in steady:
            del self._back[member]
        changed, self.present = found != self.present, found
        return changed


class PolicyShares:
    """Who leaves which endpoints of one policy to others, as each member counts on others.

    Made for all of them at once, and kept: members notice at different moments that one is gone.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._known: dict[tuple[frozenset[str], int], dict[str, frozenset[Endpoint]]] = {}

    def left_by(self, member: str, among: frozenset[str], factor: int | None) -> frozenset[Endpoint]:
        if factor is None or factor >= len(among):
            return frozenset()
        if (among, factor) not in self._known:
            if len(self._known) >= _MOST_ROSTERS:
                self._known.clear()
            endpoints = [each for spec in self.policy.regions for each in spec.endpoints]
            probing = {each: assigned(each.id, among, factor) for each in endpoints}
            self._known[among, factor] = {
                name: frozenset(each for each in endpoints if name not in probing[each]) for name in among
            }
        return self._known[among, factor].get(member, frozenset())
