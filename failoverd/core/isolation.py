"""Isolation: when everything seems to fail at once, doubt the prober.

Theory of operation
-------------------
A vantage that lost its own network sees what a great outage would look like. So before failures become verdicts, two
witnesses are heard. Everything is judged for each address family by itself (IPv4, IPv6, host names), so that a vantage
without IPv6 still judges IPv4. A failure that is an answer (`ANSWERED`: a status, a wrong certificate) needs no
witness: it shows by itself that the network is there.

Sentinels are targets that should always be reachable. An IPv4 sentinel speaks for IPv4 and for host names, an IPv6 one
for IPv6 and host names, a host name for IPv4 and host names. A sentinel whose last look was BLIND has no voice.

1. When at least `sentinels` of the voices of a family are down, the vantage is isolated.
2. No endpoint turns UNHEALTHY before more than the rest of the voices (all but `sentinels`) answered since
   the failures began that are counted. The first failure has the sentinels looked at at once, so while they answer this
   costs no time.
3. While all voices are well the prober is cleared, and rule 5 does not apply.

Without a voice for a family, the other clouds are the witnesses.

4. No endpoint turns UNHEALTHY before some endpoint answered, of its own cloud or of another, since the failures began
   that are counted; as long as there is another cloud that is not lost. The first failure has one endpoint of each
   other cloud looked at at once, so in an outage of one cloud this costs no time.

Rules 2 and 4 hold a verdict for no longer than 2 x (timeout + recheck) after the run of failures was complete.

Common cause needs no sentinel. A cloud is lost while more than half of its endpoints that this vantage watches, over
all policies, failed in their last look without an answer. An outage in one cloud is believed at once, and so is one
that comes later.

5. When two or more clouds, and at least half of those watched, were lost within `window` of each other, the prober is
   doubted. With a single cloud this rule can say nothing.
6. The doubt ends when endpoints answer again. While some other cloud is well seen, it also ends after `doubt`: then the
   evidence is believed, for as long as those clouds stay lost. While every cloud is lost it does not end by time: with
   nothing left to send traffic to, a verdict could only do harm.

An isolated or doubted vantage abstains: a FAIL is taken as BLIND (`vantage_isolated`), counts nothing and turns nothing
UNHEALTHY; a PASS counts as ever, because it proves what it says. The rules look at endpoints that fail, not at those
that are UNHEALTHY, so the doubt comes before the verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from failoverd.core.records import WHOLE, HealthRules, Outcome, ProbeReason, ProbeResult, RecordType

SENTINELS: Final = "(sentinels)"
"""What the sentinels are watched under. No policy can have this name."""

SENTINEL_RULES: Final = HealthRules(fall=2, rise=2, flap_penalty=0.0)
"""How a sentinel goes down and comes up."""

_TWO: Final = 2

ANSWERED: Final = frozenset(
    {
        ProbeReason.TLS_CERTIFICATE,
        ProbeReason.RESPONSE_INVALID,
        ProbeReason.RESPONSE_TOO_LARGE,
        ProbeReason.RESPONSE_ENCODED,
        ProbeReason.STATUS_UNEXPECTED,
        ProbeReason.BODY_MISMATCH,
        ProbeReason.REDIRECT_REFUSED,
        ProbeReason.REDIRECT_LOOP,
        ProbeReason.ANSWER_MISMATCH,
        ProbeReason.RCODE_UNEXPECTED,
        ProbeReason.GRPC_STATUS,
        ProbeReason.NOT_SERVING,
        ProbeReason.SERVICE_UNKNOWN,
        ProbeReason.THRESHOLD_CRITICAL,
        ProbeReason.METRIC_MISSING,
        ProbeReason.MODEL_MISSING,
        ProbeReason.REVISION_MISMATCH,
        ProbeReason.STREAM_INVALID,
        ProbeReason.CREDENTIAL_REFUSED,
    }
)
"""Reasons that only somebody who was reached can give, whatever the outcome.

Refused and reset connections are not among them: a packet filter next to the prober answers like that as well.
"""


class Family(StrEnum):
    """What a way to an endpoint depends on. A host name may lead to either kind of address."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    NAME = "host names"


def family_of(record_type: RecordType | None) -> Family:
    """The family of an address, by the record type that it fits into (`Endpoint.family`)."""
    return {RecordType.A: Family.IPV4, RecordType.AAAA: Family.IPV6}.get(record_type or RecordType.CNAME, Family.NAME)


def speaks_for(sentinel: Family, family: Family) -> bool:
    """Whether that a sentinel answers says something about endpoints of a family."""
    return family is Family.NAME or (sentinel is Family.IPV6) == (family is Family.IPV6)


@dataclass(frozen=True, slots=True)
class IsolationRules:
    """The numbers of isolation: `sentinels` in basis points, `window` and `doubt` in seconds."""

    sentinels: int = 5_000
    window: float = 10.0
    doubt: float = 60.0


@dataclass(frozen=True, slots=True)
class Voice:
    """One sentinel: what kind of address it has, whether it is down, blind, and when it last answered."""

    name: str
    family: Family
    down: bool = False
    blind: bool = False
    answered_at: float | None = None
    well: bool = False


@dataclass(frozen=True, slots=True)
class CloudSight:
    """What is seen of one cloud, in one family. `lost_at` is when most of its endpoints had begun to fail."""

    cloud: str
    watched: int
    failing: int
    lost_at: float | None = None

    @property
    def lost(self) -> bool:
        return self.failing * 2 > self.watched


class Cause(StrEnum):
    SENTINELS = "sentinels"
    CLOUDS = "clouds"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the vantage does not trust itself in one family, or did not until it was `believed`.

    `until` is when the evidence is believed; None while that is not to be.
    """

    family: Family
    cause: Cause
    since: float
    evidence: str
    clouds: frozenset[str] = frozenset()
    until: float | None = None
    believed: bool = False

    @property
    def abstains(self) -> bool:
        return not self.believed


def assess(
    family: Family,
    clouds: Sequence[CloudSight],
    sentinels: Sequence[Voice],
    before: Doubt | None,
    rules: IsolationRules,
    now: float,
) -> Doubt | None:
    """Whether the vantage can be trusted in a family; None when it can.

    Args:
        family: what is asked about.
        clouds: every cloud of which this vantage watches endpoints of the family.
        sentinels: every sentinel, of any family.
        before: what this said last.
        rules: the numbers.
        now: seconds since the epoch.
    """
    voices = voices_for(family, sentinels)
    down = [voice for voice in voices if voice.down]
    if down and len(down) * WHOLE >= rules.sentinels * len(voices):
        evidence = f"{len(down)} of {len(voices)} sentinels do not answer: {', '.join(voice.name for voice in down)}"
        since = before.since if before is not None and before.cause is Cause.SENTINELS else now
        return Doubt(family, Cause.SENTINELS, since, evidence)
    if voices and all(voice.well for voice in voices):
        return None
    return _common_cause(family, clouds, before, rules, now)


def _common_cause(
    family: Family, clouds: Sequence[CloudSight], before: Doubt | None, rules: IsolationRules, now: float
) -> Doubt | None:
    lost = [sight for sight in clouds if sight.lost]
    earlier = before if before is not None and before.cause is Cause.CLOUDS else None
    if earlier is not None and earlier.believed and {sight.cloud for sight in lost} & earlier.clouds:
        return earlier  # one of them is still lost: what was believed stays believed
    together = _together(lost, rules.window)
    doubted = earlier.clouds if earlier is not None and not earlier.believed else frozenset[str]()
    still = {sight.cloud for sight in lost} & doubted
    group = still if _enough(len(still), len(clouds)) else together
    if not _enough(len(group), len(clouds)):
        return None
    since = earlier.since if earlier is not None and not earlier.believed else now
    bounded = len(lost) < len(clouds)
    until = None
    if bounded:  # counted from when another cloud is seen: a network that comes back does so piece by piece
        until = earlier.until if earlier is not None and earlier.until is not None else now + rules.doubt
    watched = sum(sight.watched for sight in clouds)
    failing = sum(sight.failing for sight in clouds)
    evidence = f"{failing} of {watched} endpoints fail, {', '.join(sorted(group))} began together"
    believed = until is not None and now >= until
    return Doubt(family, Cause.CLOUDS, since, evidence, frozenset(group), until, believed=believed)


def _together(lost: Sequence[CloudSight], window: float) -> set[str]:
    """The largest group of clouds that were lost within `window` of each other; the latest of equals."""
    times = {sight.cloud: sight.lost_at for sight in lost if sight.lost_at is not None}
    groups = [
        {cloud for cloud, at in times.items() if begin <= at <= begin + window} for begin in sorted(times.values())
    ]
    return max(reversed(groups), key=len, default=set())


def _enough(lost: int, watched: int) -> bool:
    return lost >= _TWO and lost * 2 >= watched


# -- the witness -------------------------------------------------------------------------------------------------------


def voices_for(family: Family, sentinels: Sequence[Voice]) -> list[Voice]:
    """The sentinels that can say something about a family now."""
    return [voice for voice in sentinels if speaks_for(voice.family, family) and not voice.blind]


def witnessed(family: Family, sentinels: Sequence[Voice], since: float, rules: IsolationRules) -> bool:
    """Whether enough sentinels answered after `since` to believe a failure; True when none could."""
    voices = voices_for(family, sentinels)
    silent = sum(voice.answered_at is None or voice.answered_at < since for voice in voices)
    return not silent or silent * WHOLE < rules.sentinels * len(voices)


def seen_elsewhere(others: Sequence[tuple[CloudSight, float]], since: float) -> bool:
    """Whether a failure can be believed by what other clouds show; True when none of them could show anything.

    Args:
        others: every other cloud of the family, and when one of its endpoints last answered.
        since: when the failures began.
    """
    visible = [answered_at for sight, answered_at in others if not sight.lost]
    return not visible or any(answered_at >= since for answered_at in visible)


def run_length(rules: HealthRules, timeout: float) -> float:
    """Seconds that a run of failures takes at most, from the first to the verdict, when nothing passes between."""
    return rules.fall * (rules.recheck + timeout)


def grace(rules: HealthRules, timeout: float) -> float:
    """Seconds beyond that run after which a failure is believed although nobody bore it out.

    By then whoever was asked has answered or failed, and so have its siblings: a vantage that lost its network is
    doubted for that reason (rule 5), and needs no gate any more.
    """
    return 2 * (timeout + rules.recheck)


def doubted(result: ProbeResult, why: str) -> ProbeResult:
    """A failure as a vantage sees it that does not trust itself: it says nothing about the endpoint."""
    detail = f"{result.reason}{f' ({result.detail})' if result.detail else ''}, not counted: {why}"
    return result._replace(outcome=Outcome.BLIND, reason=ProbeReason.VANTAGE_ISOLATED, detail=detail)


def told(doubts: Mapping[Family, Doubt]) -> str:
    """What an abstaining vantage says of itself; "" when it trusts itself."""
    return "; ".join(f"{doubt.family}: {doubt.evidence}" for doubt in doubts.values() if doubt.abstains)
