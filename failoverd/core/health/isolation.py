"""Isolation: when everything seems to fail at once, doubt the prober.

Theory of operation
-------------------
A vantage that lost its own network sees what a great outage would look like. So before failures become verdicts, two
witnesses are heard. Everything is judged for each address family by itself (IPv4, IPv6, host names), so that a vantage
without IPv6 still judges IPv4. A failure that is an answer (`ProbeReason.is_answer`: a status, a wrong certificate)
needs no witness: it shows by itself that the network is there.

Sentinels are targets that should always be reachable. An IPv4 sentinel speaks for IPv4 and for host names, an IPv6 one
for IPv6 and host names, a host name for IPv4 and host names. A sentinel whose last probe was BLIND has no vote. For
host names the two ways are heard one by one: one way that is well is enough.

1. When at least `sentinels` of the votes of a family are down, the vantage is isolated.
2. No endpoint turns UNHEALTHY before more than the rest of the votes (all but `sentinels`) answered since
   the failures began that are counted, and are well. The first failure has the sentinels probed at once, so while
   they answer this costs no time.
3. While fewer than `sentinels` of the votes are not well, the prober is cleared, and rule 5 does not apply.

Without a vote for a family, the other clouds are the witnesses.

4. No endpoint turns UNHEALTHY before some endpoint answered, of its own cloud or of another, since the failures began
   that are counted; as long as there is another cloud that was not lost long before (by `window`). The first failure
   has one endpoint of each other cloud probed at once, so in an outage of one cloud this costs no time.

The probe whose failure completes the run must have begun after that answer: a network that was away for some seconds
leaves probes behind that time out when it is back. Rules 2 and 4 hold a verdict for no longer than `grace` after the
run of failures was complete.

Common cause needs no sentinel. A cloud is lost while more than half of its endpoints that this vantage watches, over
all policies, failed without an answer in their last probe that could see. An outage in one cloud is believed at once,
and so is one that comes later.

5. When two or more clouds, and at least half of those watched, were lost within `window` of each other, the prober is
   doubted. With a single cloud this rule can say nothing.
6. The doubt ends when endpoints of these clouds answer again. It also ends `doubt` after anybody answered since it
   began, and still does: a prober that hears somebody has a network. Then the evidence is believed, for each of these
   clouds as long as it stays lost. While nobody answers it does not end by time: with nothing left to send traffic
   to, a verdict could only do harm.

An isolated or doubted vantage abstains: a FAIL is taken as BLIND (`vantage_isolated`), counts nothing and turns nothing
UNHEALTHY; a PASS counts as ever, because it proves what it says. The rules look at endpoints that fail, not at those
that are UNHEALTHY, so the doubt comes before the verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import WHOLE, HealthRules, ProbeResult, RecordType

SENTINELS: Final = "(sentinels)"
"""What the sentinels are watched under. No policy can have this name."""

SENTINEL_RULES: Final = HealthRules(fall=2, rise=5, flap_penalty=0.0)
"""How a sentinel goes down and comes up. One that answers now and then, as through a network that loses packets, is
down."""

NEVER: Final = float("-inf")

_TWO: Final = 2


class Family(StrEnum):
    """What a way to an endpoint depends on. A host name may lead to either kind of address."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    NAME = "host names"


def family_of(record_type: RecordType | None) -> Family:
    """The family of an address, by the record type that it fits into (`Endpoint.family`)."""
    return {RecordType.A: Family.IPV4, RecordType.AAAA: Family.IPV6}.get(record_type or RecordType.CNAME, Family.NAME)


@dataclass(frozen=True, slots=True)
class IsolationRules:
    """The numbers of isolation: `sentinels` in basis points, `window` and `doubt` in seconds."""

    sentinels: int = 5_000
    window: float = 10.0
    doubt: float = 60.0


@dataclass(frozen=True, slots=True)
class SentinelState:
    """One sentinel: its kind of address, and whether it is down, blind, or well, which takes a run of passes."""

    name: str
    family: Family
    down: bool = False
    blind: bool = False
    well: bool = False


@dataclass(frozen=True, slots=True)
class CloudState:
    """What is seen of one cloud, in one family. `lost_at` is when most of its endpoints had begun to fail."""

    cloud: str
    watched: int
    failing: int
    lost_at: float | None = None

    @property
    def lost(self) -> bool:
        return self.failing * 2 > self.watched


class DoubtCause(StrEnum):
    SENTINELS = "sentinels"
    CLOUDS = "clouds"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the vantage does not trust itself in one family.

    Attributes:
        since: when it began.
        clouds: those that were lost together and are doubted.
        until: when they are believed to be lost; None while that is not to be.
        believed: clouds that were doubted, and are believed to be lost for as long as they are.
    """

    family: Family
    cause: DoubtCause
    since: float
    evidence: str
    clouds: frozenset[str] = frozenset()
    until: float | None = None
    believed: frozenset[str] = frozenset()

    @property
    def abstains(self) -> bool:
        return self.cause is DoubtCause.SENTINELS or bool(self.clouds)


def assess(
    family: Family,
    clouds: Sequence[CloudState],
    sentinels: Sequence[SentinelState],
    before: Doubt | None,
    rules: IsolationRules,
    now: float,
    *,
    answered_at: float = NEVER,
) -> Doubt | None:
    """Whether the vantage can be trusted in a family; None when it can.

    Args:
        family: what is asked about.
        clouds: every cloud of which this vantage watches endpoints of the family.
        sentinels: every sentinel, of any family.
        before: what this said last.
        rules: the numbers.
        now: seconds since the epoch.
        answered_at: when an endpoint in any of the clouds last answered.
    """
    groups = sentinel_groups(family, sentinels)
    if groups and all(_many([each.down for each in group], rules) for group in groups):
        heard = [each for group in groups for each in group]
        down = [each.name for each in heard if each.down]
        evidence = f"{len(down)} of {len(heard)} sentinels do not answer: {', '.join(down)}"
        since = before.since if before is not None and before.cause is DoubtCause.SENTINELS else now
        return Doubt(family, DoubtCause.SENTINELS, since, evidence)
    if any(not _many([not each.well for each in group], rules) for group in groups):
        return None
    return _common_cause(family, clouds, before, rules, now, answered_at)


def _many(silent: Sequence[bool], rules: IsolationRules) -> bool:
    """Whether at least `sentinels` of them are."""
    return any(silent) and sum(silent) * WHOLE >= rules.sentinels * len(silent)


def _common_cause(
    family: Family,
    clouds: Sequence[CloudState],
    before: Doubt | None,
    rules: IsolationRules,
    now: float,
    answered_at: float,
) -> Doubt | None:
    lost = {each.cloud: each for each in clouds if each.lost}
    earlier = before if before is not None and before.cause is DoubtCause.CLOUDS else None
    believed = earlier.believed & lost.keys() if earlier is not None else frozenset[str]()
    doubted = earlier.clouds & lost.keys() if earlier is not None else frozenset[str]()
    together = _together([each for name, each in lost.items() if name not in believed], rules.window)
    group = doubted if _enough(len(doubted), len(clouds)) else together
    if not _enough(len(group), len(clouds)):
        return replace(earlier, clouds=frozenset(), until=None, believed=believed) if earlier and believed else None
    since = earlier.since if earlier is not None and doubted else now
    until = _bound(earlier if doubted else None, since, rules, now, answered_at)
    if until is not None and now >= until and now - answered_at <= rules.window:
        believed, group = believed | group, frozenset()
    watched = sum(cloud.watched for cloud in clouds)
    failing = sum(cloud.failing for cloud in clouds)
    names = ", ".join(sorted(group or believed))
    evidence = f"{failing} of {watched} endpoints fail, {names} began together"
    return Doubt(family, DoubtCause.CLOUDS, since, evidence, group, until, believed)


def _bound(earlier: Doubt | None, since: float, rules: IsolationRules, now: float, answered_at: float) -> float | None:
    """When the doubt ends by time: `doubt` after the first answer since it began, unless none followed for as long."""
    if answered_at < since or now - answered_at > rules.doubt:
        return None
    return earlier.until if earlier is not None and earlier.until is not None else now + rules.doubt


def _together(lost: Sequence[CloudState], window: float) -> frozenset[str]:
    """The largest group of clouds that were lost within `window` of each other; the latest of equals."""
    times = {cloud.cloud: cloud.lost_at for cloud in lost if cloud.lost_at is not None}
    groups = [
        frozenset(cloud for cloud, at in times.items() if begin <= at <= begin + window)
        for begin in sorted(times.values())
    ]
    return max(reversed(groups), key=len, default=frozenset())


def _enough(lost: int, watched: int) -> bool:
    return lost >= _TWO and lost * 2 >= watched


# -- the witness -------------------------------------------------------------------------------------------------------


def sentinel_groups(family: Family, sentinels: Sequence[SentinelState]) -> list[list[SentinelState]]:
    """The sentinels that can say something about a family now, together where they speak for the same way to it."""
    heard = [each for each in sentinels if not each.blind]
    four = [each for each in heard if each.family is not Family.IPV6]
    six = [each for each in heard if each.family is Family.IPV6]
    ways = {Family.IPV4: [four], Family.IPV6: [six], Family.NAME: [four, six]}[family]
    return [way for way in ways if way]


def witnessed(answered: Sequence[bool], rules: IsolationRules) -> bool:
    """Whether enough sentinels answered to believe a failure, given of each whether it did."""
    return not _many([not each for each in answered], rules)


def seen_elsewhere(others: Sequence[tuple[CloudState, bool]], since: float, window: float) -> bool:
    """Whether a failure can be believed by what other clouds show; True when none of them could show anything.

    One that was lost long before could not. One that was lost about when this began is suspicious, like one in sight.

    Args:
        others: every other cloud of the family, and whether one of its endpoints answered in time.
        since: when the failures began.
        window: seconds within which clouds are lost together.
    """
    visible = [answered for cloud, answered in others if cloud.lost_at is None or cloud.lost_at >= since - window]
    return not visible or any(visible)


def grace(rules: HealthRules, timeout: float) -> float:
    """Seconds after which a complete run of failures is believed although nobody bore it out.

    By then whoever was asked, with this time-out, has answered or failed, and so have its siblings: a vantage that lost
    its network is doubted for that reason (rule 5), and needs no gate any more.
    """
    return 2 * (timeout + rules.recheck)


def doubted(result: ProbeResult, why: str) -> ProbeResult:
    """A failure as a vantage sees it that does not trust itself: it says nothing about the endpoint."""
    detail = f"{result.reason}{f' ({result.detail})' if result.detail else ''}, not counted: {why}"
    return result._replace(outcome=ProbeOutcome.BLIND, reason=ProbeReason.VANTAGE_ISOLATED, detail=detail)


def told(doubts: Mapping[Family, Doubt]) -> str:
    """What an abstaining vantage says of itself; "" when it trusts itself."""
    return "; ".join(f"{doubt.family}: {doubt.evidence}" for doubt in doubts.values() if doubt.abstains)
