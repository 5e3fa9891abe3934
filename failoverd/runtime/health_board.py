"""The health board: what the check table says, as events, incidents, and calls to the policies that it is about."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Final, Protocol

from failoverd.core.events import (
    DependencyFailed,
    DependencyRecovered,
    EndpointDegraded,
    EndpointEvent,
    EndpointFailed,
    EndpointLost,
    EndpointRecovered,
    EndpointSuppressed,
    QuorumLost,
    QuorumRegained,
    ReachabilityRestored,
    ReachabilitySplit,
    RegionDegraded,
    RegionEvent,
    RegionFailed,
    RegionLost,
    RegionRecovered,
    VantageIsolated,
    VantageRejoined,
)
from failoverd.core.health.electorate import Electorate
from failoverd.core.health.endpoint import Health
from failoverd.core.health.isolation import Family
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.health.table import HealthTable
from failoverd.core.health.transitions import (
    DependencyTurned,
    EndpointTurned,
    KeptOut,
    News,
    NextProbe,
    ProbeDue,
    QuorumTurned,
    ReachabilityTurned,
    RegionTurned,
    Transition,
    VantageTurned,
    Voted,
)
from failoverd.core.health.votes import Votes
from failoverd.core.records import Endpoint, Policy, ProbeResult, RecordType
from failoverd.core.status import EndpointStatus, RegionStatus, VantageStatus
from failoverd.ports import Clock, Emit
from failoverd.runtime.incidents import Incidents

_ENDPOINT_EVENTS: Final[Mapping[Health, type[EndpointEvent]]] = {
    Health.UNHEALTHY: EndpointFailed,
    Health.DEGRADED: EndpointDegraded,
    Health.HEALTHY: EndpointRecovered,
    Health.UNKNOWN: EndpointLost,
}
_REGION_EVENTS: Final[Mapping[RegionState, type[RegionEvent]]] = {
    RegionState.DOWN: RegionFailed,
    RegionState.DEGRADED: RegionDegraded,
    RegionState.HEALTHY: RegionRecovered,
    RegionState.UNKNOWN: RegionLost,
}


class Wake(Protocol):
    """Calls a policy whose verdicts changed.

    `more`: others are about to. While endpoints are being probed again, and no region turned or one that did may yet
    turn further, what is known is half of the news. The call comes again when that is over.
    """

    def __call__(self, policy: str, /, *, more: bool) -> None: ...


class HealthBoard:
    """Drives the check table: gives it the time, and tells what it says.

    Args:
        emit: is told of every change.
        clock: the time.
        incidents: what is wrong with each policy, opened here.
        wake: calls a policy whose verdicts changed.
        table: by default one without sentinels.
    """

    def __init__(
        self, emit: Emit, clock: Clock, incidents: Incidents, wake: Wake, table: HealthTable | None = None
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._incidents = incidents
        self._wake = wake
        self.table = table or HealthTable(clock())
        self._to_say: Callable[[str], None] = _to_nobody

    def watch(self, policy: Policy) -> None:
        """Put a policy on the board, or a newer revision of it; what is known of unchanged endpoints stays."""
        now = self._clock()
        self._say(self.table.watch(policy, now), now)

    def forget(self, policy: str) -> None:
        now = self._clock()
        self._say(self.table.forget(policy, now), now)

    def observe(self, name: str, result: ProbeResult) -> NextProbe:
        """Fold one probe result in, of a policy or of a sentinel; returns which probes are due out of turn."""
        now = self._clock()
        transitions, next_probe = self.table.feed(name, result, now)
        if transitions:
            self._say(transitions, now)
        return next_probe

    def late(self, name: str, endpoint: Endpoint, check: str) -> tuple[ProbeDue, ...]:
        """A probe takes much longer than usual: whose probes are due because of that."""
        return self.table.late(name, endpoint, check, self._clock())

    def settle(self, name: str | None = None) -> None:
        """Let evidence that grew too old become UNKNOWN, of one policy or of all.

        Called regularly, for the absence of news is no event.
        """
        now = self._clock()
        self._say(self.table.settle(now, name), now)

    def stretch(self, factor: int) -> None:
        """Intervals are so many times as long from now on, so evidence may be so much older before it is stale."""
        self.table.stretch(factor)

    # -- other vantages ------------------------------------------------------------------------------------------------

    def report(self, to_say: Callable[[str], None]) -> None:
        """Have somebody called who tells the others: with a policy of which this vantage sees something else now.

        Or with "", when it begins or ends to doubt itself.
        """
        self._to_say = to_say

    def convene(self, electorate: Electorate | None) -> None:
        """Who votes, and what is heard of them; None: what this vantage sees holds. Called regularly."""
        now = self._clock()
        self._say(self.table.convene(electorate, now), now)

    def hear(self, voter: str, policy: str, votes: Votes | None) -> tuple[ProbeDue, ...]:
        """What another vantage sees of a policy; None: nothing that counts. Returns which probes that makes due."""
        now = self._clock()
        transitions, next_probe = self.table.hear(voter, policy, votes, now)
        self._say(transitions, now)
        return next_probe.others

    def votes(self, policy: str) -> Votes:
        """What this vantage sees of a policy."""
        return self.table.votes(policy)

    def leave(self, policy: str, elsewhere: frozenset[Endpoint]) -> None:
        """Leave endpoints of a policy to other vantages, as long as there is no reason to look."""
        self._say(self.table.leave(policy, elsewhere), self._clock())

    def idle(self, policy: str, endpoint: Endpoint) -> bool:
        """Whether an endpoint is left to others, and there is no reason to look."""
        return self.table.idle(policy, endpoint)

    def isolated(self) -> frozenset[Family]:
        """The address families in which this vantage does not trust itself."""
        return self.table.isolated()

    # -- asked about it ------------------------------------------------------------------------------------------------

    def regions(self, policy: str, record_type: RecordType) -> dict[str, RegionHealth]:
        """The health of each region that a record of this type can answer with."""
        return self.table.regions(policy, record_type, self._clock())

    def down(self, name: str, endpoint: Endpoint, check: str) -> bool:
        """Whether an endpoint is UNHEALTHY through one check."""
        return self.table.down(name, endpoint, check)

    def undecided(self, policy: str) -> bool:
        """Whether some endpoint of the policy has no verdict yet."""
        return self.table.undecided(policy)

    def calm(self, policy: str, aside: Collection[str] = ()) -> bool:
        """Whether every endpoint of the policy is HEALTHY, those of some regions left `aside`."""
        return self.table.calm(policy, aside)

    def statuses(self, policy: str) -> list[RegionStatus | EndpointStatus]:
        return self.table.statuses(policy, self._clock())

    def vantage(self) -> VantageStatus:
        return self.table.vantage_status(self._clock())

    # -- what it says --------------------------------------------------------------------------------------------------

    def _say(self, transitions: Iterable[Transition], now: float) -> None:
        for each in transitions:
            match each:
                case EndpointTurned():
                    self._endpoint(each, now)
                case RegionTurned():
                    self._region(each, now)
                case DependencyTurned():
                    self._dependency(each, now)
                case KeptOut():
                    self._kept_out(each, now)
                case VantageTurned():
                    self._vantage(each, now)
                case News():
                    self._wake(each.policy, more=each.more)
                case Voted() | QuorumTurned() | ReachabilityTurned():
                    self._votes(each, now)

    def _endpoint(self, turned: EndpointTurned, now: float) -> None:
        policy, endpoint, after = turned.policy, turned.endpoint, turned.after
        words = f"{endpoint.address} in {endpoint.region} is {after.state}: {after.evidence}"
        self._emit(
            _ENDPOINT_EVENTS[after.state](
                at=now,
                policy=policy.name,
                incident_id=self._incident(
                    policy, words, now, endpoint.region, trouble=after.state is not Health.HEALTHY
                ),
                region=endpoint.region,
                endpoint=endpoint.text,
                check=after.check,
                was=turned.before.state,
                reason=after.reason,
                evidence=after.evidence,
                failures=turned.failures,
                passes=turned.passes,
                explained_by=turned.explained_by,
                failing_since=turned.failing_since,
            )
        )

    def _region(self, turned: RegionTurned, now: float) -> None:
        policy, before, after = turned.policy, turned.before, turned.after
        words = f"region {after.name} is {after.state}: {after.evidence}"
        self._emit(
            _REGION_EVENTS[after.state](
                at=now,
                policy=policy.name,
                incident_id=self._incident(
                    policy, words, now, after.name, trouble=after.state is not RegionState.HEALTHY
                ),
                region=after.name,
                record_type=turned.record_type,
                was=before.state if before is not None else RegionState.UNKNOWN,
                score=after.score,
                evidence=after.evidence,
                rule_at=policy.source.at(after.rule),
            )
        )

    def _dependency(self, turned: DependencyTurned, now: float) -> None:
        policy, after = turned.policy, turned.after
        event = DependencyFailed if after.state is Health.UNHEALTHY else DependencyRecovered
        self._emit(
            event(
                at=now,
                policy=policy.name,
                incident_id=self._incidents.id_of(policy.name),
                dependency=turned.dependency,
                endpoint=turned.endpoint.text,
                reason=after.reason,
                evidence=after.evidence,
                regions=tuple(spec.name for spec in policy.regions if turned.dependency in spec.depends_on),
            )
        )

    def _kept_out(self, kept: KeptOut, now: float) -> None:
        policy, health = kept.policy, kept.health
        self._emit(
            EndpointSuppressed(
                at=now,
                policy=policy.name,
                incident_id=self._incidents.id_of(policy.name),
                region=kept.endpoint.region,
                endpoint=kept.endpoint.text,
                check=kept.check,
                was=health.state,
                reason="flapping",
                evidence=f"flap penalty {health.penalty:.0f}, reused below {policy.health.flap_reuse:g}",
                passes=health.passes,
            )
        )

    def _votes(self, turned: Voted | QuorumTurned | ReachabilityTurned, now: float) -> None:
        match turned:
            case Voted():
                self._to_say(turned.policy)
            case ReachabilityTurned():
                self._reachability(turned, now)
            case QuorumTurned(lost=True):
                self._emit(QuorumLost(at=now, live=turned.live, unheard=turned.silent, isolated=turned.isolated))
            case QuorumTurned():
                self._emit(QuorumRegained(at=now, live=turned.live))

    def _reachability(self, turned: ReachabilityTurned, now: float) -> None:
        split = partial(
            ReachabilitySplit, reachable_from=turned.reachable_from, unreachable_from=turned.unreachable_from
        )
        event = split if turned.reachable_from else ReachabilityRestored
        self._emit(
            event(
                at=now,
                policy=turned.policy.name,
                incident_id=self._incidents.id_of(turned.policy.name),
                region=turned.endpoint.region,
                endpoint=turned.endpoint.text,
                evidence=turned.evidence,
            )
        )

    def _vantage(self, turned: VantageTurned, now: float) -> None:
        self._to_say("")
        after = turned.after
        if after is not None and after.abstains:
            self._emit(VantageIsolated(at=now, family=after.family, cause=after.cause, evidence=after.evidence))
            return
        cause = "other clouds stayed in sight, so the evidence is believed" if after is not None else "it sees again"
        self._emit(VantageRejoined(at=now, family=turned.family, lasted=turned.lasted, evidence=cause))

    def _incident(self, policy: Policy, words: str, at: float, region: str = "", *, trouble: bool) -> str:
        return self._incidents.open(policy, words, at, region) if trouble else self._incidents.id_of(policy.name)


def _to_nobody(_: str) -> None:
    """One vantage alone has nobody to tell what it sees."""
