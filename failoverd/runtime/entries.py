"""What the health board holds: policies, what each of them watches, and each of those under each of its checks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from failoverd.core.health import CheckHealth, Health, Verdict, verdict
from failoverd.core.isolation import family_of
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint, Policy, RecordType
from failoverd.core.region import RegionHealth
from failoverd.core.status import EndpointStatus
from failoverd.runtime.vantage import Sight

STALE_AFTER: Final = 3.0
"""Evidence older than this many intervals (plus the time-out) says nothing any more."""

RegionKey = tuple[RecordType, str]

_NEVER: Final = Verdict(Health.UNKNOWN, 0.0, "", ProbeReason.OK, "not probed yet")


@dataclass(slots=True, eq=False)
class Checked:
    """One endpoint under one check."""

    check: Check
    watched: "Watched"
    health: CheckHealth
    suppressed: bool = False  # said to be kept out
    stretched: int = 1  # the interval is so many times as long, as the prober sheds load

    @property
    def stale_after(self) -> float:
        return STALE_AFTER * self.check.every * self.stretched + self.check.timeout


@dataclass(slots=True, eq=False)
class Watched:
    """One endpoint, or one dependency, of a policy.

    `met`: had a verdict once, so a first HEALTHY is no news; of a dependency: was said to be down.
    """

    endpoint: Endpoint
    sight: Sight
    needs: tuple[str, ...] = ()
    dependency: str = ""
    checks: list[Checked] = field(default_factory=list)
    verdict: Verdict = _NEVER
    met: bool = False
    _told: tuple[Verdict, EndpointStatus] | None = None

    def status(self, policy: str, now: float) -> EndpointStatus:
        """Where it stands: made once for each verdict, for there are many, and they are asked for often."""
        if self._told is None or self._told[0] is not self.verdict:
            verdict, endpoint = self.verdict, self.endpoint
            words = (policy, endpoint.region, endpoint.text)
            self._told = verdict, EndpointStatus(*words, now, verdict.state, verdict.since, verdict.evidence)
        return self._told[1]

    def judged(self, now: float) -> Verdict:
        return verdict(((each.check.name, each.health, each.stale_after) for each in self.checks), now)


@dataclass(slots=True)
class Entry:
    """One policy on the board.

    `down` are its dependencies that are UNHEALTHY; `rolled_up` the record types whose `regions` are up to date; `open`
    the verdicts that are being looked for out of turn, and `awaited` whether somebody was told to wait for them.
    """

    policy: Policy
    since: float
    watched: dict[Endpoint, Watched]
    checked: dict[tuple[Endpoint, str], Checked] = field(default_factory=dict)
    regions: dict[RegionKey, RegionHealth] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    rolled_up: set[RecordType] = field(default_factory=set)
    open: set[Checked] = field(default_factory=set)
    awaited: bool = False

    @classmethod
    def of(cls, policy: Policy, now: float, stretched: int, old: Self | None) -> Self:
        """A policy as it comes onto the board.

        What an earlier revision knew of an endpoint stays, under each check that did not change. An endpoint with a new
        check has yet to show itself under that one.
        """
        entry = cls(policy, now, {watched.endpoint: watched for watched in _watched(policy)})
        for endpoint, check in policy.looks():
            if (endpoint, check.name) not in entry.checked:
                watched = entry.watched[endpoint]
                checked = Checked(check, watched, CheckHealth(since=now), stretched=stretched)
                watched.checks.append(checked)
                entry.checked[endpoint, check.name] = checked
                _inherit(checked, old)
        for watched in entry.watched.values():
            watched.verdict = watched.judged(now)
        entry.down = {
            each.name for each in policy.dependencies if entry.watched[each.endpoint].verdict.state is Health.UNHEALTHY
        }
        if old is not None:
            for endpoint, watched in entry.watched.items():
                earlier = old.watched.get(endpoint)
                same = watched.dependency or old.policy.checks == policy.checks
                watched.met = bool(same) and earlier is not None and earlier.met
            familiar = _familiar(policy, old)
            entry.regions = {key: health for key, health in old.regions.items() if key in familiar}
        return entry

    @property
    def endpoints(self) -> Iterator[Watched]:
        """Those that records can answer with."""
        return (watched for watched in self.watched.values() if not watched.dependency)

    @property
    def sights(self) -> list[Sight]:
        """What the vantage counts."""
        return [watched.sight for watched in self.watched.values()]

    def explaining(self, watched: Watched) -> tuple[str, ...]:
        """The dependencies of its region that are down."""
        return tuple(name for name in watched.needs if name in self.down) if self.down else ()


def record_types(policy: Policy) -> list[RecordType]:
    """Those that its records have."""
    return sorted({record.key.type for record in policy.records})


def _watched(policy: Policy) -> Iterator[Watched]:
    timeouts = [check.timeout for check in policy.checks] or [0.0]
    patience = max(timeouts) + policy.health.recheck
    for spec in policy.regions:
        for endpoint in spec.endpoints:
            sight = Sight(
                family_of(endpoint.family), spec.cloud, (policy.name, spec.name), patience, quickest=min(timeouts)
            )
            yield Watched(endpoint, sight, spec.depends_on)
    for each in policy.dependencies:
        patience = each.check.timeout + policy.health.recheck
        yield Watched(
            each.endpoint, Sight(family_of(each.endpoint.family), "", patience=patience), dependency=each.name
        )


def _inherit(checked: Checked, old: Entry | None) -> None:
    """Take over what an earlier revision knew of the same endpoint under the same check."""
    earlier = old.checked.get((checked.watched.endpoint, checked.check.name)) if old is not None else None
    if earlier is None:
        return
    same = earlier.check == checked.check
    checked.watched.sight.take_over(earlier.watched.sight, checked.check.name, same=same)
    if same:
        checked.health = earlier.health
        checked.suppressed = earlier.suppressed


def _familiar(policy: Policy, old: Entry) -> set[RegionKey]:
    """Regions of which some endpoint was known before. One with new addresses only was never seen."""
    known = {watched.endpoint for watched in old.endpoints}
    return {
        (record_type, spec.name)
        for record_type in record_types(policy)
        for spec in policy.regions
        for endpoint in spec.endpoints
        if endpoint in known and endpoint.answer(record_type) is not None
    }
