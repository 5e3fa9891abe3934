"""What vantages say of the endpoints of a policy, and in which words that becomes a verdict (`votes` counts)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from failoverd.core.health.endpoint import Health, Verdict
from failoverd.core.health.isolation import Family
from failoverd.core.health.votes import Count, CountOutcome, Voter
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Endpoint

_NOBODY: Mapping[str, frozenset[Family]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who votes.

    Attributes:
        me: this vantage, by its name among the voters.
        voters: every vantage that is to vote, this one included, whether it is heard of or not.
        fresh: seconds for which the votes of one that says nothing count.
        isolated: the address families in which another one does not trust itself.
    """

    me: str
    voters: tuple[Voter, ...]
    fresh: float
    isolated: Mapping[str, frozenset[Family]] = field(default_factory=lambda: _NOBODY)

    def asked(self, family: Family, *, doubts_itself: bool) -> tuple[Voter, ...]:
        """All voters as they count for a family of addresses. Of itself a vantage always hears."""
        return tuple(
            replace(each, heard_at=float("inf"), isolated=doubts_itself)
            if each.name == self.me
            else replace(each, isolated=each.isolated or family in self.isolated.get(each.name, frozenset()))
            for each in self.voters
        )


class Vote(NamedTuple):
    """What one vantage sees of one endpoint.

    `suspect`: failures are being counted, and they are not enough yet. The rest is for people: through which check, the
    reason of the probe, and what it found, in words that stay the same while it does.
    """

    health: Health
    suspect: bool = False
    check: str = ""
    reason: ProbeReason = ProbeReason.OK
    evidence: str = ""

    @property
    def adverse(self) -> bool:
        """Whether it sees it fail, or begins to."""
        return self.suspect or self.health is Health.UNHEALTHY

    def contradicts(self, held: Health) -> bool:
        """Whether it is a reason to look: it would have something else hold."""
        return self.health in {Health.HEALTHY, Health.DEGRADED} if held is Health.UNHEALTHY else self.adverse


UNSEEN = Vote(Health.UNKNOWN)
_PLAIN = {health: Vote(health) for health in Health}


@dataclass(frozen=True, slots=True)
class Votes:
    """What one vantage sees of a policy.

    Attributes:
        rest: of all that are not listed: HEALTHY, or UNKNOWN.
        listed: what is different from the rest, or has something to be told of it.
        elsewhere: what it leaves to others to probe. It has no vote there, but for those that are listed.
    """

    rest: Health = Health.HEALTHY
    listed: Mapping[Endpoint, Vote] = field(default_factory=dict)
    elsewhere: frozenset[Endpoint] = frozenset()

    def of(self, endpoint: Endpoint) -> Vote:
        found = self.listed.get(endpoint)
        if found is not None:
            return found
        return UNSEEN if endpoint in self.elsewhere else _PLAIN[self.rest]


def agreed(own: Verdict, me: str, votes: Mapping[str, Vote], before: Verdict, found: Count, now: float) -> Verdict:
    """What is held to be true of an endpoint, and who says so.

    Args:
        own: what this vantage, `me`, sees.
        me: its name.
        votes: of all vantages, its own included.
        before: what held.
        found: what came of the count.
        now: the time.
    """
    state = found.health
    if found.outcome is CountOutcome.AGREED and state is Health.HEALTHY is own.state and not found.against:
        return own
    serving = tuple(name for name in found.live if name not in found.against)
    camp = found.against if state is Health.UNHEALTHY else serving
    check, reason, *_ = _told(camp, own, me, votes)
    *_, evidence, gist = _told(found.against or serving, own, me, votes)
    words = _words(found, serving, len(votes))
    flapping_until = own.flapping_until if state is Health.UNHEALTHY is own.state else None
    if before.state is state and before.gist == f"{words}: {gist}" and before.flapping_until == flapping_until:
        return before
    return Verdict(
        state,
        before.since if before.state is state else now,
        check,
        reason,
        f"{words}: {evidence}" if evidence else words,
        gist=f"{words}: {gist}",
        flapping_until=flapping_until,
    )


def _told(camp: Sequence[str], own: Verdict, me: str, votes: Mapping[str, Vote]) -> tuple[str, ProbeReason, str, str]:
    """Check, reason, evidence and its gist, of one for all who see the same: its own, if it is among them."""
    if me in camp or not camp:
        return own.check, own.reason, own.evidence, own.gist
    said = votes[camp[0]]
    return said.check, said.reason, said.evidence, said.evidence


def _words(found: Count, serving: Sequence[str], voters: int) -> str:
    if found.outcome is CountOutcome.TOO_FEW:
        who = f" ({', '.join(found.live)})" if found.live else ""
        return f"only {len(found.live)} of {voters} vantages can tell{who}, so what held before holds"
    fails, live = found.against, len(found.live)
    if found.outcome is CountOutcome.SPLIT:
        return f"{_see(fails, live, 'fail')}, which decides nothing, so what held before holds"
    if found.health is Health.UNHEALTHY:
        return _see(fails, live, "fail")
    cut = f", and {', '.join(fails)} {'sees' if len(fails) == 1 else 'see'} it fail" if fails else ""
    return _see(serving, live, "serve") + cut


def _see(names: Iterable[str], live: int, what: str) -> str:
    """`2 of 3 vantages see it fail (azure-1, oci-1)`."""
    listed = tuple(names)
    verb = "sees" if len(listed) == 1 else "see"
    return f"{len(listed)} of {live} vantages {verb} it {what} ({', '.join(listed)})"
