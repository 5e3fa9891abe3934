"""Counting: what several vantages make of one endpoint together, and in which words that becomes a verdict.

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

from failoverd.core.health.electorate import Voter
from failoverd.core.health.endpoint import Health, Verdict
from failoverd.core.health.votes import Vote
from failoverd.core.members import QUORUM, too_few
from failoverd.core.probe_reasons import ProbeReason


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
    seen = {each: votes.get(each.name, Health.UNKNOWN) for each in voters if each.speaks(now, fresh)}
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


# -- in words ----------------------------------------------------------------------------------------------------------


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
