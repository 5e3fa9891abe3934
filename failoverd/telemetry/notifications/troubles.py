"""What people are told of: one row for each kind of trouble, which event begins it, and how it is known to be over.

A trouble is known by its kind, its policy and its subject: a region, a record at a provider, a file. These stay the
same for as long as it lasts, in every receiver and over restarts. Its severity is that of its kind and does not change,
for receivers sort by it: a plan that a limit holds is one kind, one that keeps what is down in the answer another.

That it is over is told by an event where there is one, and else seen in what `failoverctl status` shows. The latter
finds, too, what ended or began while nobody listened.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any, Final

from failoverd.core.control.decision import ALL_DOWN, DecisionKind
from failoverd.core.events import (
    ChangeApplied,
    ChangeDisputed,
    ChangeVerified,
    ConfigRejected,
    CoordinatorLost,
    CoordinatorRegained,
    CoordinatorRestored,
    DecisionCrashed,
    DecisionMade,
    DriftDetected,
    Event,
    FailbackAbandoned,
    FailoverHeld,
    IncidentClosed,
    JournalFailed,
    LeaderElected,
    LeaderLost,
    LeaderOutranked,
    Level,
    MemberEvent,
    MemberFound,
    MemberLost,
    MemoryRead,
    MemoryUnread,
    NotificationDelivered,
    NotificationEvent,
    NotificationFailed,
    OverrideChanged,
    OverrideEnded,
    OverrideEnding,
    OverrideEvent,
    OverridesLost,
    PlanHeld,
    PlanRefused,
    PracticeEnded,
    QuorumEvent,
    QuorumLost,
    QuorumRegained,
    ReachabilityEvent,
    ReachabilityRestored,
    ReachabilitySplit,
    RecordOrphaned,
    ReplayDiffered,
    RivalDetected,
    SignalFound,
    SignalLost,
    TargetDelayed,
    TargetEvent,
    TargetResumed,
    TwinDetected,
    TwinGone,
    VantageEvent,
    VantageIsolated,
    VantageRejoined,
)
from failoverd.core.members import too_few
from failoverd.core.overrides import WARNING, Announced, Override
from failoverd.core.practices import PracticeOutcome
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import ELSEWHERE, percentages
from failoverd.core.status import PATIENCE, Notice, Overview, TargetState, TargetStatus
from failoverd.foreign import shown
from failoverd.telemetry import prose, reasoning
from failoverd.telemetry.pasting import COMMANDS, whole
from failoverd.telemetry.phrases import ALL_DOWN_REMEDY
from failoverd.telemetry.times import rfc3339

MOST_WORDS: Final = 1_000
"""Characters of a summary."""

MOST_FACT: Final = 4_000
"""Characters of one fact: a command that does a change by hand is the longest."""

NEWS: Final = 120.0
"""Seconds that a trouble lasts at least which may be over at once, and that somebody should hear of all the same: a
receiver that gathers for half a minute would never tell of it."""

EVERYTHING: Final = ("*",)
"""All subjects of the policy, in `Trouble.ended_by`."""

LEADER: Final = "leader"
"""The subject of what is wrong with all members together."""

Subjects = Callable[[Any], Sequence[str]]


class Whose(Enum):
    """Which of several members knows of a trouble."""

    LEADER = auto()  # who writes; one that begins to, finds it or takes it over
    EACH = auto()  # each sees it by itself, and the one that speaks for all tells of it
    MEMBER = auto()  # it is a member's own, and told by that one, whoever leads
    FINDER = auto()  # it is of all, and told by who found it, whoever leads


@dataclass(frozen=True)
class Sight:
    """What is seen when somebody looks: where policies and targets stand, and whether the journal can be written.

    `leads`: who looks is the one that writes.
    """

    overview: Overview
    journal_works: bool = True
    leads: bool = True

    @cached_property
    def targets(self) -> Mapping[tuple[str, str], TargetStatus]:
        return {(each.target.policy, str(each.target)): each for each in self.overview.targets}

    @cached_property
    def incidents(self) -> Mapping[str, str]:
        """The open incident of each policy that runs, or an empty text."""
        return {each.policy: each.incident_id for each in self.overview.policies}

    def gone(self, policy: str) -> bool:
        """Whether nobody looks after it any more. A file that does not load may be its."""
        return policy not in self.incidents and not self.overview.refused_files


def _at_once(_: Sight, __: Notice) -> bool:
    """It is told, and then it is over."""
    return True


def _never(_: Sight, __: Notice) -> bool:
    return False


def _nothing(_: Sight) -> Iterator[TargetStatus]:
    return iter(())


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble. To tell of another one, add a row to `TROUBLES`.

    Attributes:
        begins: the event that it begins with.
        subjects: what the event is about; none: it is no trouble.
        ended_by: by event, which subjects are well again.
        over: whether what is seen says that it is over.
        standing: the targets at which it is seen to stand, whoever heard the event.
        lasts: seconds that it is told for at least.
        patience: seconds that it may last before anybody is told, where nothing waits for it to end.
        kind: its name; that of the event by default.
        severity: that of the event by default.
        remedy: what to do, where neither the event nor the status says it.
        outlives: whether the next process can tell that it is over; if not, it ends with the process that saw it.
        whose: which of several members knows of it.
    """

    begins: type[Event]
    subjects: Subjects
    ended_by: Mapping[type[Event], Subjects] = field(default_factory=dict)
    over: Callable[[Sight, Notice], bool] = _never
    standing: Callable[[Sight], Iterator[TargetStatus]] = _nothing
    lasts: float = 0.0
    patience: float = 0.0
    kind: str = ""
    severity: Level | None = None
    remedy: str = ""
    outlives: bool = True
    whose: Whose = Whose.LEADER

    @property
    def name(self) -> str:
        return self.kind or self.begins.name

    def of(self, member: str) -> str:
        """Which member it is told of, where `member` has it: none, where it is the installation's."""
        return member if self.whose is Whose.MEMBER else ""

    def notices(self, event: Event, runbook: str, member: str = "") -> Iterator[Notice]:
        """What there is to be told of this event, which `member` heard."""
        mine = self.of(member)
        summary = f"{mine}: {prose.say(event)}" if mine else prose.say(event)
        for subject in self.subjects(event):
            yield Notice(
                kind=self.name,
                policy=event.policy,
                subject=subject,
                severity=self.severity or event.level,
                summary=_cut(summary, MOST_WORDS),
                since=event.at,
                at=event.at,
                incident_id=event.incident_id,
                runbook=runbook,
                facts=self._with_remedy(dict(_facts(event))),
                member=mine,
            )

    def seen(self, sight: Sight, runbook_of: Callable[[str], str], at: float) -> Iterator[Notice]:
        """The same of what is seen to stand."""
        for status in self.standing(sight):
            policy, subject = status.target.policy, str(status.target)
            limits = "; ".join(reasoning.limit(check) for check in status.checks)
            named = reasoning.first_to_know(status.reasons)
            reasons = [reasoning.words(reason) for reason in status.reasons]
            why = status.detail or limits or (reasoning.words(named) if named is not None else "; ".join(reasons))
            share = percentages(status.wanted)
            wanted = f", and should be {share}" if share else ""
            said = {
                "why": "\n".join(reasons),
                "wanted": share,
                "limits": limits,
                "manual": status.manual,
                "remedy": status.remedy,
            }
            yield Notice(
                kind=self.name,
                policy=policy,
                subject=subject,
                severity=self.severity or self.begins.level,
                summary=_cut(f"{subject} is {status.state}{wanted}: {why}", MOST_WORDS),
                since=at,
                at=at,
                incident_id=sight.incidents.get(policy, ""),
                runbook=runbook_of(policy),
                facts=self._with_remedy({name: _fact(name, text) for name, text in said.items() if text}),
            )

    def _with_remedy(self, facts: Mapping[str, str]) -> Mapping[str, str]:
        return {"remedy": self.remedy, **facts} if self.remedy else facts


# -- what it is about --------------------------------------------------------------------------------------------------


def _target(event: TargetEvent | RecordOrphaned) -> Sequence[str]:
    return (f"{event.record} at {event.provider}",)


def _left(event: ChangeApplied) -> Sequence[str]:
    """The regions that traffic was taken off, because they are down."""
    if event.cause is not Cause.FAILING_OUT:
        return ()
    before, after = event.shares_from, event.shares_to
    return [name for name, share in before.items() if after.get(name, 0) < share and name != ELSEWHERE]


def _kept_down(event: DecisionMade) -> Sequence[str]:
    return _target(event) if event.verdict in ALL_DOWN else ()


def _family(event: VantageEvent) -> Sequence[str]:
    return (event.family,)


def _file(event: ConfigRejected) -> Sequence[str]:
    return (event.file,)


def _source(event: SignalLost | SignalFound) -> Sequence[str]:
    return (f"source {event.source}",)


def _vantages(_: QuorumEvent) -> Sequence[str]:
    return ("vantages",)


def _member(event: MemberEvent | TwinDetected | TwinGone) -> Sequence[str]:
    return (event.member,)


def _endpoint(event: ReachabilityEvent) -> Sequence[str]:
    return (f"{event.region}/{event.endpoint}",)


def _all_found(event: SignalFound) -> Sequence[str]:
    return _source(event) if not event.still_lost else ()


def _policy(event: ReplayDiffered) -> Sequence[str]:
    return (event.policy,)


def _journal(_: JournalFailed) -> Sequence[str]:
    return ("journal",)


def _receiver(event: NotificationEvent) -> Sequence[str]:
    return (receiver(event.receiver, event.place),)


def receiver(name: str, place: str) -> str:
    """One address of a receiver, as the subject of a trouble."""
    return f"{name} at {place}"


def _word(event: OverrideEvent) -> Sequence[str]:
    return (f"{event.verb} {event.about} ({event.override})",)


def _as_subject(word: Override) -> str:
    return f"{word.verb} {word.scope.text()} ({word.id})"


def _failed_drill(event: PracticeEnded) -> Sequence[str]:
    return event.regions if event.outcome == PracticeOutcome.FAILED else ()


def _prolonged(event: OverrideChanged) -> Sequence[str]:
    return _word(event) if event.until - event.at > WARNING else ()


def _nobody_leads(event: LeaderLost) -> Sequence[str]:
    return _leader(event) if event.uncoordinated else ()


def _leader(_: Event) -> Sequence[str]:
    return (LEADER,)


def _coordinator(_: Event) -> Sequence[str]:
    return ("coordinator",)


def _memory(_: Event) -> Sequence[str]:
    return ("common memory",)


def _everything(_: Event) -> Sequence[str]:
    return EVERYTHING


# -- whether it is over ------------------------------------------------------------------------------------------------

Stands = Callable[[TargetStatus], bool]


def _no_more(stands: Stands) -> Callable[[Sight, Notice], bool]:
    """Over once the target is seen, and it is not so. One that cannot be read now says nothing."""

    def over(sight: Sight, notice: Notice) -> bool:
        found = sight.targets.get((notice.policy, notice.subject))
        if found is None:
            return sight.gone(notice.policy)
        return not stands(found) and found.state is not TargetState.DELAYED

    return over


def _where(stands: Stands) -> Callable[[Sight], Iterator[TargetStatus]]:
    def standing(sight: Sight) -> Iterator[TargetStatus]:
        return (each for each in sight.overview.targets if stands(each))

    return standing


def _is(*states: TargetState) -> Stands:
    return lambda target: target.state in states


def _held(target: TargetStatus) -> bool:
    """A step that was made smaller is none: its checks passed."""
    blocked = any(not check.passed for check in target.checks)
    return target.state is TargetState.LIMITED and not target.keeps_dead and blocked


def _keeps_dead(target: TargetStatus) -> bool:
    return target.keeps_dead


def _is_delayed(target: TargetStatus) -> bool:
    return target.state is TargetState.DELAYED


def _is_all_down(target: TargetStatus) -> bool:
    return target.kind in {*ALL_DOWN, DecisionKind.RESTORE_LAST_GOOD}


def _is_moved(target: TargetStatus) -> bool:
    """While a region that was given up is down, only that is said of it: so it is over once nothing is moved."""
    return target.kind not in {DecisionKind.NORMAL, DecisionKind.OPERATOR}


def _waits_for_return(target: TargetStatus) -> bool:
    return any(reason.code is ReasonCode.FAILBACK_GIVEN_UP for reason in target.reasons)


def _lost_words(target: TargetStatus) -> bool:
    return bool(target.lost_words)


def _has_rival(target: TargetStatus) -> bool:
    return target.has_rival


def _is_outranked(target: TargetStatus) -> bool:
    return target.outranked


def _works_again(sight: Sight, notice: Notice) -> bool:
    found = sight.targets.get((notice.policy, notice.subject))
    return found.state is not TargetState.DELAYED if found is not None else sight.gone(notice.policy)


def _no_incident(sight: Sight, notice: Notice) -> bool:
    found = sight.incidents.get(notice.policy)
    return not found if found is not None else sight.gone(notice.policy)


def _trusts(sight: Sight, notice: Notice) -> bool:
    vantage = sight.overview.vantage
    return vantage is not None and notice.subject not in vantage.isolated


def _taken_up(sight: Sight, notice: Notice) -> bool:
    """Of a folder, too: whatever stands in it is rejected with it."""
    refused = (each.file for each in sight.overview.refused_files)
    rejected = (each.file for each in sight.overview.policies if each.rejected)
    return not any(file.startswith(notice.subject) for file in (*refused, *rejected))


def _said_otherwise(sight: Sight, notice: Notice) -> bool:
    """The word ended, or holds for longer: another member, or another process, may have heard that."""
    words = (word for word in sight.overview.overrides if notice.subject == _as_subject(word))
    return any(word.ended_at is not None or word.told not in _WARNED for word in words)


def _enough_vote(sight: Sight, _: Notice) -> bool:
    members = sight.overview.members
    return members is None or not too_few(len(members.voting), len(members.members))


def _is_heard(sight: Sight, notice: Notice) -> bool:
    """Or it is none of the members any more."""
    members = sight.overview.members
    return members is None or all(each.standing.is_heard for each in members.members if each.name == notice.subject)


def _leads(sight: Sight, _: Notice) -> bool:
    members = sight.overview.members
    return sight.leads or (members is not None and members.coordinated and bool(members.leader))


def _written(sight: Sight, _: Notice) -> bool:
    return sight.journal_works


def _given_up(sight: Sight, notice: Notice) -> bool:
    return all(str(each.target) != notice.subject for each in sight.overview.orphans)


_WARNED: Final = frozenset({Announced.HALF_TIME, Announced.ENDING})
"""What was told last of a word whose end people were warned of."""

COORDINATOR_REMEDY: Final = (
    "see whether another member leads: failoverctl members, at each of them; then look at the coordinator, and at this "
    "host's way to it"
)


# -- the table ---------------------------------------------------------------------------------------------------------

TROUBLES: Final = (
    Trouble(
        ChangeApplied,
        _left,
        {IncidentClosed: _everything},
        over=_no_incident,
        kind="region.left",
        severity=Level.WARNING,
    ),
    Trouble(
        DecisionMade,
        _kept_down,
        over=_no_more(_is_all_down),
        standing=_where(lambda target: target.kind in ALL_DOWN),
        kind="regions.down",
        severity=Level.ERROR,
        remedy=ALL_DOWN_REMEDY,
    ),
    Trouble(FailoverHeld, _target, over=_no_more(_keeps_dead), standing=_where(_keeps_dead)),
    Trouble(PlanHeld, _target, over=_no_more(_held), standing=_where(_held)),
    Trouble(
        PlanRefused,
        _target,
        over=_no_more(_is(TargetState.REFUSED)),
        standing=_where(_is(TargetState.REFUSED)),
    ),
    Trouble(
        TargetDelayed,
        _target,
        {TargetResumed: _target},
        over=_works_again,
        standing=_where(_is_delayed),
        patience=PATIENCE,
    ),
    Trouble(ChangeDisputed, _target, {ChangeVerified: _target, DriftDetected: _target}, outlives=False),
    Trouble(DriftDetected, _target, over=_no_more(_is(TargetState.DRIFTED)), lasts=NEWS),
    Trouble(DecisionCrashed, _target, over=_works_again, lasts=NEWS, whose=Whose.EACH),
    Trouble(OverridesLost, _target, over=_no_more(_lost_words), standing=_where(_lost_words)),
    Trouble(RivalDetected, _target, over=_no_more(_has_rival), standing=_where(_has_rival)),
    Trouble(
        LeaderOutranked,
        _target,
        over=_no_more(_is_outranked),
        standing=_where(_is_outranked),
        patience=PATIENCE,
    ),
    Trouble(FailbackAbandoned, _target, over=_no_more(_is_moved), standing=_where(_waits_for_return)),
    Trouble(OverrideEnding, _word, {OverrideEnded: _word, OverrideChanged: _prolonged}, over=_said_otherwise),
    Trouble(
        PracticeEnded,
        _failed_drill,
        over=_at_once,
        lasts=NEWS,
        kind="practice.failed",
        severity=Level.WARNING,
        remedy="find out what the other regions lacked, before a night on which it is no drill",
    ),
    Trouble(ConfigRejected, _file, over=_taken_up, lasts=NEWS, whose=Whose.MEMBER),
    Trouble(RecordOrphaned, _target, over=_given_up, whose=Whose.EACH),
    Trouble(VantageIsolated, _family, {VantageRejoined: _family}, over=_trusts, whose=Whose.MEMBER),
    Trouble(SignalLost, _source, {SignalFound: _all_found}, outlives=False, whose=Whose.EACH),
    Trouble(ReplayDiffered, _policy, over=_at_once, lasts=NEWS, remedy="report it, with what the command prints"),
    Trouble(JournalFailed, _journal, over=_written, lasts=NEWS, whose=Whose.MEMBER),
    Trouble(NotificationFailed, _receiver, {NotificationDelivered: _receiver}, outlives=False, whose=Whose.MEMBER),
    Trouble(
        CoordinatorLost,
        _coordinator,
        {CoordinatorRegained: _coordinator},
        patience=PATIENCE,
        remedy=COORDINATOR_REMEDY,
        outlives=False,
        whose=Whose.MEMBER,
    ),
    Trouble(
        LeaderLost,
        _nobody_leads,
        {LeaderElected: _leader},
        over=_leads,
        severity=Level.ERROR,
        remedy=COORDINATOR_REMEDY,
        whose=Whose.FINDER,
    ),
    Trouble(
        CoordinatorRestored,
        _coordinator,
        over=_at_once,
        lasts=NEWS,
        remedy="see whether failoverctl list and failoverctl status show what people said since the backup",
    ),
    Trouble(
        MemoryUnread,
        _memory,
        {MemoryRead: _memory},
        remedy="let all members run the same version of failoverd",
        outlives=False,
        whose=Whose.MEMBER,
    ),
    Trouble(
        TwinDetected,
        _member,
        {TwinGone: _member},
        remedy="stop one of the two daemons, or give it a name of its own among the members",
        outlives=False,
        whose=Whose.MEMBER,
    ),
    Trouble(
        QuorumLost,
        _vantages,
        {QuorumRegained: _vantages},
        over=_enough_vote,
        remedy="failoverctl members says whose votes do not count, and why; let one more of them be heard",
        whose=Whose.EACH,
    ),
    Trouble(MemberLost, _member, {MemberFound: _member}, over=_is_heard, patience=PATIENCE, whose=Whose.EACH),
    Trouble(
        ReachabilitySplit,
        _endpoint,
        {ReachabilityRestored: _endpoint},
        patience=PATIENCE,
        remedy="look at the way between the networks that cannot reach it and the endpoint: it serves the others",
        outlives=False,
        whose=Whose.EACH,
    ),
)


BY_KIND: Final[Mapping[str, Trouble]] = {trouble.name: trouble for trouble in TROUBLES}


# -- words -------------------------------------------------------------------------------------------------------------

_FACTS: Final = {
    "reasons": "why",
    "evidence": "why",
    "error": "why",
    "reason": "reason",
    "wanted": "wanted",
    "limits": "limits",
    "undo": "undo",
    "manual": "manual",
    "remedy": "remedy",
    "rule_at": "rule_at",
    "until": "until",
    "change_id": "change_id",
    "actor": "actor",
}
"""Facts of events, and what they are called in a notice. Of two that are called the same, the later one is told."""


def _facts(event: Event) -> Iterator[tuple[str, str]]:
    said = prose.facts(event)
    for name, called in _FACTS.items():
        if value := said.get(name):
            yield called, _fact(name, _text(name, value))


def _text(name: str, value: object) -> str:
    if name == "until" and isinstance(value, float):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return percentages(value)
    return "\n".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _fact(name: str, text: str) -> str:
    return shown(whole(text, MOST_FACT), lines=True) if name in COMMANDS else _cut(text, MOST_FACT)


def _cut(text: str, most: int) -> str:
    text = shown(text, lines=True)
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def named(event: Event) -> Iterable[Trouble]:
    """The rows that an event begins."""
    return _BEGUN.get(type(event), ())


_BEGUN: Final[Mapping[type[Event], Sequence[Trouble]]] = {
    begins: [trouble for trouble in TROUBLES if trouble.begins is begins]
    for begins in {trouble.begins for trouble in TROUBLES}
}


def ended_by(event: Event) -> Iterable[tuple[Trouble, Sequence[str]]]:
    """The rows that an event ends, and for which subjects."""
    for trouble in _ENDED.get(type(event), ()):
        yield trouble, trouble.ended_by[type(event)](event)


_ENDED: Final[Mapping[type[Event], Sequence[Trouble]]] = {
    ends: [trouble for trouble in TROUBLES if ends in trouble.ended_by]
    for ends in {ends for trouble in TROUBLES for ends in trouble.ended_by}
}
