"""The votes of all vantages, counted for one endpoint after the other.

Where several vantages vote, what one of them sees is a reason for the others to look, and no more. From the moment that
one sees an endpoint fail, or begins to, until all have had the time to look, that endpoint is disputed: who decides
waits, and takes it for the worst where it asks whether a region may fall. That never takes longer than
`PolicyHealth.telling`, and nobody can have it begin again and again: a vantage that sees it fail and serve in turn
opens a dispute in at most one of `SELDOM` such times.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from failoverd.core.health.counting import Count, CountOutcome, agreed, count
from failoverd.core.health.electorate import Electorate, Voter
from failoverd.core.health.endpoint import Health, Verdict
from failoverd.core.health.isolation import NEVER, Family
from failoverd.core.health.policy_health import Dispute, EndpointHealth, PolicyHealth
from failoverd.core.health.transitions import QuorumTurned, ReachabilityTurned
from failoverd.core.health.votes import UNSEEN, Vote, Votes
from failoverd.core.members import too_few

SELDOM: Final = 4
"""How much longer than a dispute can last it takes until the same vantage can open the next one about an endpoint."""


class BallotBox:
    """Knows who votes, and what that makes of an endpoint. Without an electorate, what this vantage sees holds.

    Args:
        told: takes it when too few can vote, and when an endpoint is reachable in part.
        isolated: the families in which this vantage does not trust itself.
        families: those of which anything is watched.
    """

    def __init__(
        self,
        told: Callable[[QuorumTurned | ReachabilityTurned], None],
        isolated: Callable[[], frozenset[Family]],
        families: Callable[[], frozenset[Family]],
    ) -> None:
        self._told = told
        self._isolated = isolated
        self._families = families
        self._electorate: Electorate | None = None
        self._since = NEVER
        self._voters: dict[Family, tuple[Voter, ...]] = {}
        self._speaking: dict[Family, frozenset[str]] = {}
        self._counted: dict[tuple[Family, Health, tuple[Health, ...]], Count] = {}  # since it was last looked at
        self._lost = False

    @property
    def convened(self) -> bool:
        """Whether others vote as well."""
        return self._electorate is not None

    def convene(self, electorate: Electorate | None, now: float) -> None:
        """Who votes from now on, and what is heard of them."""
        if electorate is None or self._electorate is None:
            self._since, self._speaking = now, {}
        self._electorate = electorate

    def knows(self, voter: str) -> bool:
        """Whether that is another one who is to vote."""
        found = self._electorate
        return found is not None and voter != found.me and any(each.name == voter for each in found.voters)

    def look(self, now: float) -> bool:
        """Let the time pass after which a silent vantage has no vote. Whether others have one than before."""
        found = self._electorate
        if found is None:
            return False
        mine, before = self._isolated(), self._speaking
        self._voters = {family: found.asked(family, doubts_itself=family in mine) for family in Family}
        self._speaking = {
            family: frozenset(each.name for each in voters if each.speaks(now, found.fresh))
            for family, voters in self._voters.items()
        }
        self._counted.clear()
        self._tell_quorum(found, now)
        return before != self._speaking

    def _tell_quorum(self, found: Electorate, now: float) -> None:
        """Say once that too few can vote, but not before they had the time to be heard."""
        fewest = min((self._speaking[family] for family in self._families()), key=len, default=None)
        lost = fewest is not None and too_few(len(fewest), len(found.voters))
        if lost is self._lost or fewest is None or (lost and now - self._since <= found.fresh):
            return
        self._lost = lost
        missing = [each for each in found.voters if each.name not in fewest]
        silent = {each.name for each in missing if each.name != found.me and now - each.heard_at > found.fresh}
        isolated = (each.name for each in missing if each.name not in silent)
        self._told(QuorumTurned(lost, tuple(sorted(fewest)), tuple(sorted(silent)), tuple(sorted(isolated))))

    def weigh(self, policy: PolicyHealth, of: EndpointHealth, now: float) -> Verdict:
        """What holds of an endpoint from now on; `of.dispute` says afterwards whether others are waited for."""
        found = self._electorate
        if found is None or of.dependency:
            self._settle(policy, of, None)
            return of.own
        votes = self._votes(found, policy, of)
        counted = self._count(of.track.family, votes, of.verdict.state, found.fresh, now)
        if not counted.live and of.own.state is Health.UNKNOWN and of.endpoint not in policy.elsewhere:
            after = of.own  # nobody sees it, and this one was to
        elif counted.outcome is CountOutcome.TOO_FEW and _unchanged(of, votes):
            after = of.verdict
        else:
            after = agreed(of.own, found.me, votes, of.verdict, counted, now)
        self._dispute(policy, of, self._doubters(votes, of, after), counted, now)
        return after

    def _count(self, family: Family, votes: dict[str, Vote], before: Health, fresh: float, now: float) -> Count:
        """The same for all endpoints of which the same is said: nearly all of them, and many may turn by one word."""
        key = family, before, tuple(vote.health for vote in votes.values())
        counted = self._counted.get(key)
        if counted is None:
            seen = {name: vote.health for name, vote in votes.items()}
            counted = self._counted[key] = count(seen, self._voters[family], before, now, fresh=fresh)
        return counted

    def _votes(self, found: Electorate, policy: PolicyHealth, of: EndpointHealth) -> dict[str, Vote]:
        heard = policy.heard
        return {
            each.name: of.cast
            if each.name == found.me
            else heard[each.name].of(of.endpoint)
            if each.name in heard
            else UNSEEN
            for each in found.voters
        }

    def _doubters(self, votes: dict[str, Vote], of: EndpointHealth, after: Verdict) -> frozenset[str]:
        """Who sees it fail that is held to serve, or not known, as far as their votes count."""
        if after.state is Health.UNHEALTHY:
            return frozenset()
        speaking = self._speaking[of.track.family]
        return frozenset(name for name, vote in votes.items() if vote.adverse and name in speaking)

    # -- disputes ------------------------------------------------------------------------------------------------------

    def _dispute(
        self, policy: PolicyHealth, of: EndpointHealth, doubters: frozenset[str], counted: Count, now: float
    ) -> None:
        if of.dispute is None and not doubters and not counted.reachable_from:
            return
        dispute, bound = of.dispute or Dispute(), policy.telling
        for name in doubters - dispute.doubters:
            if now - dispute.opened.get(name, NEVER) >= SELDOM * bound:
                dispute.opened[name], dispute.until = now, now + bound
        dispute.doubters = doubters
        dispute.open = bool(doubters) and now < dispute.until
        self._part(policy, of, dispute, counted, now)
        forgotten = dispute.over and all(now - at >= SELDOM * bound for at in dispute.opened.values())
        self._settle(policy, of, None if forgotten and not doubters else dispute)

    def _part(self, policy: PolicyHealth, of: EndpointHealth, dispute: Dispute, counted: Count, now: float) -> None:
        """Say once that it is reachable in part, when that lasts longer than it takes to agree, and that it is over."""
        parted = (counted.reachable_from, counted.unreachable_from) if counted.reachable_from else None
        if parted is not None and dispute.parted is None:
            dispute.parted_at = now
        dispute.parted = parted
        lasts = parted is not None and now - dispute.parted_at >= policy.telling
        if parted is None and dispute.told:
            dispute.told = False
            self._told(ReachabilityTurned(policy.policy, of.endpoint, (), (), of.own.evidence))
        elif parted is not None and lasts and not dispute.told:
            dispute.told = True
            seen = (said.of(of.endpoint).evidence for said in policy.heard.values())
            evidence = of.own.gist if of.own.state is Health.UNHEALTHY else next(filter(None, seen), "")
            self._told(ReachabilityTurned(policy.policy, of.endpoint, *parted, evidence))

    @staticmethod
    def _settle(policy: PolicyHealth, of: EndpointHealth, dispute: Dispute | None) -> None:
        """Keep account of it where it is looked for."""
        of.dispute = dispute
        (policy.disputes.discard if dispute is None or dispute.over else policy.disputes.add)(of)
        failures = policy.failures.get(of.endpoint.region)
        if failures is not None:
            (failures.disputed.add if of.disputed else failures.disputed.discard)(of)


def _unchanged(of: EndpointHealth, votes: dict[str, Vote]) -> bool:
    """Whether nobody would have anything else hold than what does: then who is silent makes no difference."""
    held = of.verdict.state
    return all(vote.health in {held, Health.UNKNOWN} and not vote.adverse for vote in votes.values())


def contested(policy: PolicyHealth) -> Iterator[EndpointHealth]:
    """Those of which a count may come to something else when others have a vote: nearly none on a good day."""
    for of in policy.answering:
        seen = of.own.state is Health.HEALTHY or (of.own.state is Health.UNKNOWN and of.endpoint in policy.elsewhere)
        plain = seen and of.verdict.state is Health.HEALTHY and of.dispute is None
        if not plain or any(of.endpoint in said.listed for said in policy.heard.values()):
            yield of


def votes_of(policy: PolicyHealth) -> Votes:
    """What this vantage sees of a policy, in as few words as can be."""
    said = {of.endpoint: of.cast for of in policy.answering}
    elsewhere = policy.elsewhere
    if _mostly_seen(said[endpoint] for endpoint in elsewhere if endpoint in said):
        elsewhere = frozenset()  # as after a start: it is shorter to say what is not seen
    rest = Health.HEALTHY if _mostly_seen(said[each] for each in said if each not in elsewhere) else Health.UNKNOWN
    plain = Votes(rest, elsewhere=elsewhere)
    listed = {endpoint: vote for endpoint, vote in said.items() if vote != plain.of(endpoint)}
    return replace(plain, listed=listed)


def _mostly_seen(votes: Iterable[Vote]) -> bool:
    """Whether most of them say something."""
    seen = [vote.health is not Health.UNKNOWN for vote in votes]
    return sum(seen) * 2 > len(seen)


def differing(policy: PolicyHealth, before: Votes, after: Votes) -> Iterator[EndpointHealth]:
    """The endpoints on which a vantage says something else than before."""
    whole = before.rest is not after.rest or before.elsewhere != after.elsewhere
    for endpoint in tuple(policy.endpoints) if whole else tuple({**before.listed, **after.listed}):
        of = policy.endpoints.get(endpoint)
        if of is not None and not of.dependency and before.of(endpoint) != after.of(endpoint):
            yield of


def looked_into(policy: PolicyHealth, of: EndpointHealth) -> bool:
    """Whether there is a reason for every vantage to look at it: it is not well, or somebody says so."""
    if of.verdict.state is not Health.HEALTHY or of.cast.adverse:
        return True
    return any(said.of(of.endpoint).adverse for said in policy.heard.values())
