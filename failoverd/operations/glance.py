"""The state at a glance: who is needed, where each record points against normal, why, and what happens next.

Made of where everything stands, for whoever tells it: the terminal, the page, the service manager, programs. What is
said of the whole (the headline, the level) needs no health of regions, so that it can be told every second.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from failoverd.core.health.region import RegionState
from failoverd.core.loads import NO_LOAD, loads
from failoverd.core.overrides import OF_NO_RECORD, Override, Verb
from failoverd.core.practices import NEVER_BEGAN
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import WHOLE, few
from failoverd.core.status import MembersStatus, Overview, PlannedWork, TargetStatus, VantageStatus
from failoverd.operations import membership, words
from failoverd.operations.concerns import SEVERITY, Concern, Condition, concerns_of, nobody_at_work, unseen
from failoverd.operations.overview import RUNNING, daemon_state
from failoverd.operations.record_lines import RecordLine, moved_so, record_lines
from failoverd.operations.slips import unknown
from failoverd.telemetry import phrases, reasoning


@dataclass(frozen=True, slots=True)
class RegionLine:
    """The health of a region of a policy, for the record types that see it so. `seen`: when its evidence came in.

    `practised` is how the last drill went that was held, "" while there was none, and `practised_at` when it began.
    `state` is what probes find; `taken_for` what is decided on instead, where a signal or an alert says worse, and
    `taken_why` its cause. `load` is what all policies have published there, `target` what they want there, `demand`
    what they would have there on a normal day, `capacity` how much of it is planned with, and `room` so much of that as
    its score leaves, None where that is not known; `short` says who is short and is sent there all the same. `latency`
    is the median of the connection times, in seconds, where somebody asked for it.
    """

    policy: str
    region: str
    cloud: str
    types: tuple[str, ...]
    state: str
    score: int
    since: float
    why: str
    seen: float | None
    practised: str = ""
    practised_at: float | None = None
    taken_for: str = ""
    taken_why: str = ""
    load: float | None = None
    target: float | None = None
    demand: float | None = None
    room: float | None = None
    capacity: float | None = None
    short: tuple[str, ...] = ()
    latency: float | None = None

    @property
    def effective(self) -> str:
        """The state that is decided on."""
        return self.taken_for or self.state


@dataclass(frozen=True, slots=True)
class WordLine:
    """An operator's word that is not over: what it does to what, by whom and why, until when, at how many records.

    `records` is None where it is about none by its nature: a switch, the approval of a plan.
    """

    id: str
    text: str
    state: words.WordStanding
    by: str
    reason: str
    since: float
    until: float
    records: int | None
    planned: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """All of it, or a part; what is said of the whole stays so. `policies` is how many there are.

    `stale`: no daemon is at work, so that all of this is what it saw last, at `seen`. `prober` says what it
    thinks of its own network, `speaker` who of several members writes. `well` counts the records that are well, of
    those asked about, told or not.
    """

    at: float
    level: Condition
    headline: str
    stale: bool
    seen: float | None
    policies: int
    well: int
    prober: str
    concerns: tuple[Concern, ...]
    records: tuple[RecordLine, ...]
    regions: tuple[RegionLine, ...]
    overrides: tuple[WordLine, ...] = ()
    planned: tuple[PlannedWork, ...] = ()
    speaker: str = ""


def glance(found: Overview, now: float, *, by_daemon: bool = False) -> Glance:
    """Where everything stands. `by_daemon`: it says so itself, so that all of it is of now."""
    beat = found.heartbeat
    stale = not by_daemon and daemon_state(beat, now) != RUNNING
    seen = now if by_daemon else beat.at if beat is not None else None
    concerns = tuple(concerns_of(found, now))
    records = tuple(record_lines(found, concerns, now, seen, stale=stale))
    prober = _prober(found.vantage)
    return Glance(
        at=now,
        level=Condition.UNKNOWN if stale else level(found, concerns, now),
        headline=headline(found, now, by_daemon=by_daemon, concerns=concerns),
        stale=stale,
        seen=seen,
        policies=len(found.policies),
        well=sum(each.level is Condition.WELL for each in records),
        prober=f"{prober} (as it was seen last)" if prober and stale else prober,
        concerns=(nobody_at_work(seen), *concerns) if stale else concerns,
        records=records,
        regions=tuple(_regions(found, now)),
        overrides=tuple(
            _word(word, found, now) for word in found.overrides if not (word.over_by(now) or words.to_come(word, now))
        ),
        planned=words.near(found.planned, now),
        speaker=_speaker(found.members, stale=stale),
    )


def unheard_of(found: Overview, policies: Iterable[str]) -> str | None:
    """The first of these names, or globs, that no policy has."""
    known = {each.policy for each in found.policies} | {each.target.policy for each in found.targets}
    return next((each for each in policies if not any(fnmatchcase(name, each) for name in known)), None)


def asked_for(
    found: Overview, now: float, policies: Sequence[str], *, problems: bool, by_daemon: bool = False
) -> Glance:
    """What is said of these policies, or all, by globs. Raises ConfigError where one of them is no policy's name."""
    if (wrong := unheard_of(found, policies)) is not None:
        raise unknown("policy", wrong, [each.policy for each in found.policies], "policy_unknown")
    return part(glance(found, now, by_daemon=by_daemon), policies or ["*"], problems=problems)


def part(whole: Glance, policies: Sequence[str], *, problems: bool = False) -> Glance:
    """What is said of these policies, by globs, and of the installation; `problems`: without what is well."""

    def asked(policy: str) -> bool:
        return any(fnmatchcase(policy, each) for each in policies)

    records = [each for each in whole.records if asked(each.policy)]
    about = {word for each in records for word in each.overrides}
    return replace(
        whole,
        well=sum(each.level is Condition.WELL for each in records),
        concerns=tuple(each for each in whole.concerns if not each.policy or asked(each.policy)),
        records=tuple(each for each in records if not (problems and each.level is Condition.WELL)),
        regions=tuple(
            each
            for each in whole.regions
            if asked(each.policy) and not (problems and each.effective == RegionState.HEALTHY)
        ),
        overrides=tuple(
            each
            for each in whole.overrides
            if each.id in about or not (each.records and each.state is words.WordStanding.IN_FORCE)
        ),
        planned=tuple(each for each in whole.planned if not each.policies or any(map(asked, each.policies))),
    )


def level(found: Overview, concerns: Iterable[Concern], now: float) -> Condition:
    """The worst of everything, but that nobody knows counts for less than what is known to be wrong."""
    levels = [each.level for each in concerns]
    levels += [Condition.MOVED for each in found.targets if each.moved]
    levels += [Condition.MOVED for word in found.overrides if word.in_force(now)]
    levels += [Condition.UNKNOWN for _ in unseen(found)]
    return max(levels, key=SEVERITY.index, default=Condition.WELL)


# -- in one line -------------------------------------------------------------------------------------------------------


def headline(found: Overview, now: float, *, by_daemon: bool = False, concerns: Sequence[Concern] | None = None) -> str:
    """In one line, for `status`, the page and `systemctl status` alike: who is needed, what moved, what is not known.

    Unless the daemon says it itself, also whether one looks after it (by the wall clock): all else is only what it saw
    last. What is planned is told on a quiet day. On that of a drill, what it moved is no news beside it.
    """
    said_below = {word.id for word in found.overrides}
    all_concerns = concerns_of(found, now) if concerns is None else concerns
    concerns = [each for each in all_concerns if each.subject not in said_below]
    all_of_them = len(found.policies)
    needed = [each for each in concerns if each.level is Condition.PERSON]
    in_need = list(dict.fromkeys(each.policy for each in needed if each.policy))
    moved = [each for each in found.targets if each.moved and each.target.policy not in in_need]
    if any(word.verb is Verb.PRACTICE and word.in_force(now) for word in found.overrides):
        moved = [each for each in moved if not each.only_practised]
    at_large = [each for each in concerns if each.level is Condition.MOVED and each.policy]
    busy = {*in_need, *(each.target.policy for each in moved)}
    degraded = [each for each in at_large if each.policy not in busy]
    said = [
        "" if by_daemon else _not_at_work(found, now),
        _of(in_need, all_of_them, "need", "needs", " a person", [each.text for each in needed if each.policy]),
        "; ".join(each.text for each in needed if not each.policy),
        _of([each.target.policy for each in moved], all_of_them, "moved", "moved", "", [_left(moved, now)]),
        _of([each.policy for each in degraded], all_of_them, "are degraded", "is degraded", "", _texts(degraded)),
        "; ".join(each.text for each in concerns if each.level is Condition.MOVED and not each.policy),
        _listed("without a verdict", unseen(found)),
        words.brief(found.overrides, now),
    ]
    told = "; ".join(filter(None, said))
    if not all_of_them:
        return f"{told}; no policies: nothing is steered" if told else "no policies: nothing is steered"
    well = f"all well: {phrases.counted(all_of_them, 'policy', 'policies')}"
    return told or "; ".join(filter(None, (well, words.coming(found, now))))


def _of(names: Iterable[str], whole: int, many: str, one: str, more: str, texts: Sequence[str]) -> str:
    """`2 of 12 need a person: <the first one's trouble>; also shop`."""
    policies = list(dict.fromkeys(names))
    if not policies:
        return ""
    others = f"; also {few(policies[1:], _NAMED)}" if len(policies) > 1 else ""
    verb = one if len(policies) == 1 else many
    return f"{len(policies)} of {whole} {verb}{more}: {next(filter(None, texts), policies[0])}{others}"


def _texts(concerns: Iterable[Concern]) -> list[str]:
    return [each.text for each in concerns]


def _left(moved: Sequence[TargetStatus], now: float) -> str:
    """What the first of them did: `inference-api left azure-eastus 4 min ago`."""
    if not moved:
        return ""
    first = moved[0]
    return f"{first.target.policy} {moved_so(first)}{_since(first.answered_since, now)}"


def _since(at: float | None, now: float) -> str:
    return f" {phrases.ago(now - at)} ago" if at is not None else ""


def _not_at_work(found: Overview, now: float) -> str:
    beat = found.heartbeat
    state = daemon_state(beat, now)
    if state == RUNNING:
        return ""
    if beat is None:
        return f"not known: the daemon {state}"
    return f"not known: the daemon is {state}, last seen {phrases.ago(now - beat.at)} ago"


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {few(sorted(names), _NAMED)}" if names else ""


_NAMED: Final = 3
"""Names that a headline has room for, of each kind."""


# -- operators' words, and who sees all this --------------------------------------------------------------------------


def _word(word: Override, found: Overview, now: float) -> WordLine:
    of_records = word.verb not in OF_NO_RECORD
    return WordLine(
        id=word.id,
        text=words.title(word),
        state=words.standing(word, now),
        by=word.actor,
        reason=word.reason,
        since=word.since,
        until=word.ends,
        records=len(words.concerned(word, found)) if of_records else None,
        planned=word.planned,
    )


def _speaker(members: MembersStatus | None, *, stale: bool) -> str:
    if members is None:
        return ""
    return f"{membership.speaker(members)}{' (as it was last)' if stale else ''}"


def _prober(vantage: VantageStatus | None) -> str:
    if vantage is None:
        return ""
    if vantage.isolated:
        return f"abstains on {' and '.join(vantage.isolated)}: {vantage.evidence}"
    if not vantage.sentinels:
        return "trusts its network, without sentinels to check that by"
    answering = vantage.sentinels - len(vantage.silent)
    return f"trusts its network: {answering} of {vantage.sentinels} sentinels answer"


# -- a line for each region --------------------------------------------------------------------------------------------


def _regions(found: Overview, now: float) -> Iterator[RegionLine]:
    """Record types that see a region alike share its line."""
    drills = {
        (policy.policy, each.region): each
        for policy in found.policies
        for each in policy.practices
        if each.outcome not in NEVER_BEGAN
    }
    taken, room = _taken(found.targets), loads(found.targets)
    lines: dict[tuple[object, ...], RegionLine] = {}
    for each in found.regions:
        again = each.flapping_until
        flaps = f"; it may be used again from {words.until(again, now)} on" if again is not None else ""
        taken_for, taken_why = taken.get((each.policy, each.record_type, each.region), ("", ""))
        taken_for = taken_for if taken_for != each.state else ""
        key = each.policy, each.region, each.state, each.score, each.evidence, taken_for, taken_why
        known = lines.get(key)
        if known is None:
            drill, on_it = drills.get((each.policy, each.region)), room.get(each.region, NO_LOAD)
            lines[key] = RegionLine(
                policy=each.policy,
                region=each.region,
                cloud=each.cloud,
                types=(each.record_type,),
                state=each.state,
                score=each.score,
                since=each.since,
                why=f"{each.evidence}{flaps}",
                seen=each.seen,
                practised=drill.outcome if drill is not None else "",
                practised_at=drill.began if drill is not None else None,
                taken_for=taken_for,
                taken_why=taken_why if taken_for else "",
                load=on_it.load,
                target=on_it.target,
                demand=on_it.demand,
                room=on_it.capacity * each.score / WHOLE if on_it.capacity is not None else None,
                capacity=on_it.capacity,
                short=tuple(f"{name} is short of {phrases.amount(much)}" for name, much in on_it.short.items()),
                latency=each.latency,
            )
            continue
        seen = min(known.seen, each.seen) if known.seen is not None and each.seen is not None else None
        types = (*known.types, each.record_type)
        lines[key] = replace(known, types=types, since=min(known.since, each.since), seen=seen)
    yield from lines.values()


def _taken(targets: Iterable[TargetStatus]) -> dict[tuple[str, str, str], tuple[str, str]]:
    """By policy, record type and region: the state that signals and alerts have it taken for, and their words."""
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for status in targets:
        why: dict[str, list[str]] = {}
        for reason in status.reasons:
            if reason.code in _LOWERING:
                why.setdefault(reason.region, []).append(reasoning.words(reason))
        for reason in status.reasons:
            if reason.rule == "signals" and reason.code.traits.health is not None:
                key = status.target.policy, status.target.key.type, reason.region
                found[key] = reason.code.traits.health, "; ".join(why.get(reason.region, ()))
    return found


_LOWERING: Final = frozenset({ReasonCode.BURNING, ReasonCode.ALERTED, ReasonCode.LAST_LEFT})
