"""Votes: what several vantages make of one endpoint together.

Theory of operation
-------------------
One vantage that is cut off 0.5 % of the time is wrong 0.5 % of the time. Three that have to agree by majority are wrong
0.0075 % of the time, five 0.00012 %. So each member that probes says what it sees, and who decides counts.

1. A vote counts while it is live: fresh, of a vantage that is not isolated, and of one that has a verdict. A vantage
   that has just started has none.
2. UNHEALTHY takes more than half of the live votes, and at least two of them, from at least two networks. Serving again
   takes the same majority. Where there is neither, what held before holds.
3. Of three or more vantages that are to vote, fewer than two live ones decide nothing: what held before holds, and that
   is said.
4. What one or two vantages cannot give is not asked of them: of two of which one is left, that one speaks; where all
   that are to vote share one network, one network is enough. What that is worth is for the installation to know.
5. Serving splits into HEALTHY and DEGRADED by the majority of those who are served: who is served well says how well.

When a network as a whole sees an endpoint fail and another one sees it serve, neither is wrong: it is reachable in
part. That changes no verdict by itself, and it is told.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from failoverd.core.health.endpoint import Health
from failoverd.core.members import QUORUM, too_few


@dataclass(frozen=True, slots=True)
class Voter:
    """A vantage that is to vote, and what is heard of it.

    Attributes:
        name: of the member.
        network: what it shares with others that fail with it: a cloud, a carrier.
        heard_at: when it last said anything, on the clock of who counts.
        isolated: it does not trust what it sees.
    """

    name: str
    network: str
    heard_at: float
    isolated: bool = False


class CountOutcome(StrEnum):
    """What a count came to."""

    AGREED = "agreed"
    SPLIT = "split"  # no majority for either: what held before holds
    TOO_FEW = "too_few_vantages"  # the same, as almost nobody can see


@dataclass(frozen=True, slots=True)
class Count:
    """What the vantages make of one endpoint.

    Attributes:
        health: what holds.
        outcome: how that came.
        live: whose votes counted.
        against: those of them that see it fail.
        reachable_from: the networks that see it serve, while another one as a whole sees it fail; empty otherwise.
        unreachable_from: those others.
    """

    health: Health
    outcome: CountOutcome
    live: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    reachable_from: tuple[str, ...] = ()
    unreachable_from: tuple[str, ...] = ()


def count(
    votes: Mapping[str, Health],
    voters: Sequence[Voter],
    before: Health,
    now: float,
    *,
    fresh: float,
) -> Count:
    """What holds of one endpoint.

    Args:
        votes: what each vantage sees, by its name.
        voters: every vantage that is to vote on it, whether it is heard of or not.
        before: what held.
        now: seconds since the epoch.
        fresh: seconds for which a vote counts.
    """
    seen = {each: votes.get(each.name, Health.UNKNOWN) for each in voters if speaks(each, now, fresh)}
    live = {each: health for each, health in seen.items() if health is not Health.UNKNOWN}
    names = tuple(sorted(each.name for each in live))
    if not live or too_few(len(live), len(voters)):
        return Count(before, CountOutcome.TOO_FEW, names)
    failing = [each for each, health in live.items() if health is Health.UNHEALTHY]
    serving = [each for each in live if each not in failing]
    against = tuple(sorted(each.name for each in failing))
    parted = _parted(failing, serving)
    for camp, health in ((failing, Health.UNHEALTHY), (serving, _how_well(live[each] for each in serving))):
        if _decides(camp, live, voters):
            return Count(health, CountOutcome.AGREED, names, against, *parted)
    return Count(before, CountOutcome.SPLIT, names, against, *parted)


def speaks(vantage: Voter, now: float, fresh: float) -> bool:
    """Whether its votes count."""
    return now - vantage.heard_at <= fresh and not vantage.isolated


def _decides(camp: Sequence[Voter], live: Collection[Voter], voters: Sequence[Voter]) -> bool:
    """Whether it is the majority, and not all of one kind where there are more."""
    asked = voters if len(voters) > QUORUM else live  # what two cannot give is not asked of them
    people, networks = min(QUORUM, len(asked)), min(QUORUM, len({each.network for each in asked}))
    return len(camp) * 2 > len(live) and len(camp) >= people and len({each.network for each in camp}) >= networks


def _how_well(seen: Iterable[Health]) -> Health:
    found = list(seen)
    return Health.HEALTHY if found.count(Health.HEALTHY) * 2 >= len(found) else Health.DEGRADED


def _parted(failing: Sequence[Voter], serving: Sequence[Voter]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The networks that are served, if another one is not at all; and those that are not."""
    cut, well = {each.network for each in failing}, {each.network for each in serving}
    apart = cut - well
    return (tuple(sorted(well - cut)), tuple(sorted(apart))) if apart and well - cut else ((), ())
