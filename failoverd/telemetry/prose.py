"""Sentences for people: of events; those of reasons and limits are in `reasoning`. All else holds codes and numbers."""

from collections.abc import Mapping
from functools import singledispatch
from typing import Final

from failoverd.core.control.drift import DriftKind
from failoverd.core.control.plan import PlanKind
from failoverd.core.control.propagation import Propagation
from failoverd.core.events import (
    AlertIgnored,
    ApiFailed,
    ChangeApplied,
    ChangeDisputed,
    ChangeFenced,
    ChangeVerified,
    ClockJumped,
    ConfigDeferred,
    ConfigRejected,
    CoordinatorLost,
    CoordinatorRegained,
    CoordinatorRestored,
    DaemonStarted,
    DaemonStopped,
    DecisionCrashed,
    DecisionMade,
    DependencyFailed,
    DependencyRecovered,
    DriftDetected,
    EndpointDegraded,
    EndpointEvent,
    EndpointFailed,
    EndpointLost,
    EndpointRecovered,
    EndpointSuppressed,
    Event,
    FailbackAbandoned,
    FailbackAborted,
    FailbackStepped,
    HistoryUntold,
    IncidentClosed,
    IncidentOpened,
    JournalFailed,
    LeaderElected,
    LeaderLost,
    LeaderOutranked,
    MemberFound,
    MemberLost,
    MemoryRead,
    MemoryUnread,
    MetricsFailed,
    NotificationDelivered,
    NotificationFailed,
    OverrideChanged,
    OverrideEnded,
    OverrideEnding,
    OverrideEvent,
    OverrideGiven,
    OverridesLost,
    PlanHeld,
    PlanRefused,
    PolicyLoaded,
    PolicyRemoved,
    PracticeEnded,
    PracticeStarted,
    ProbingRestored,
    ProbingShed,
    QuorumLost,
    QuorumRegained,
    ReachabilityRestored,
    ReachabilitySplit,
    RecordOrphaned,
    RegionDegraded,
    RegionEvent,
    RegionFailed,
    RegionLost,
    RegionRecovered,
    ReplayDiffered,
    RequestRefused,
    RivalDetected,
    RivalSettled,
    SignalCleared,
    SignalClipped,
    SignalEvent,
    SignalFired,
    SignalFound,
    SignalLost,
    SignalShared,
    TargetDelayed,
    TargetEvent,
    TargetResumed,
    TaskCrashed,
    TwinDetected,
    TwinGone,
    VantageIsolated,
    VantageRejoined,
    VoteRefused,
)
from failoverd.core.names import failoverctl
from failoverd.core.overrides import UNSAID, by
from failoverd.core.practices import PracticeOutcome
from failoverd.core.reasons import Limit, LimitCheck, Reason
from failoverd.core.records import WHOLE, percentages
from failoverd.telemetry.phrases import counted, moment, percent
from failoverd.telemetry.reasoning import first_to_know, limit, words


@singledispatch
def say(event: Event) -> str:
    """One plain sentence for the person who reads this at night."""
    raise NotImplementedError(f"{type(event).__name__} has no sentence")


def facts(event: Event) -> dict[str, object]:
    """The fields of an event as people read them, empty ones left out: reasons and limits in words."""
    return {name: _told(value) for name, value in event.facts()}


def told(event: Event) -> tuple[str, Mapping[str, object]]:
    """An event as people read it (`ports.Words`)."""
    return say(event), facts(event)


def _told(value: object) -> object:
    if not isinstance(value, tuple):
        return value
    return tuple(
        words(item) if isinstance(item, Reason) else limit(item) if isinstance(item, LimitCheck) else item
        for item in value
    )


# -- the daemon --------------------------------------------------------------------------------------------------------


@say.register
def _(event: DaemonStarted) -> str:
    many = counted(len(event.policies), "policy", "policies")
    return f"failoverd {event.version} started with {many}: {', '.join(event.policies)}"


@say.register
def _(event: DaemonStopped) -> str:
    return f"stopped ({event.cause}); records stay exactly as they are"


@say.register
def _(event: LeaderElected) -> str:
    after = f", after {event.was}" if event.was and event.was != event.leader else ""
    who = f"this member, {event.leader}, leads" if event.mine else f"{event.leader} leads"
    whole = f"{who} since now, in epoch {event.epoch}{after}: it alone writes"
    if not event.resigned_until:
        return whole
    until = moment(event.resigned_until)
    return f"{whole}; it had resigned until {until}, but nobody else had led for a whole lease"


@say.register
def _(event: LeaderLost) -> str:
    if event.missed:
        led = f"{event.leader} led then, and its lease is over" if event.leader else "nobody led then"
        return f"{event.told_by} knows of nobody who leads, so it writes nothing: {event.cause}; {led} by its clock"
    whole = f"{event.leader} leads no more and writes nothing: {event.cause}"
    return f"{whole}; until that answers, it cannot know whether another member leads" if event.uncoordinated else whole


@say.register
def _(event: CoordinatorLost) -> str:
    if event.lone:
        then = "only what is down is taken off"
    elif event.leads:
        then = "this member leads, and stops writing before its lease can end"
    else:
        then = "this member writes nothing"
    return f"the coordinator does not answer; {then} until it does: {event.error}"


@say.register
def _(event: CoordinatorRegained) -> str:
    return f"the coordinator answers again, after {event.lasted:.0f}s"


@say.register
def _(event: CoordinatorRestored) -> str:
    return (
        f"the coordinator was restored to an older state: markers show epoch {event.seen}, and it gave {event.was}; "
        f"epochs go on at {event.epoch}"
    )


@say.register
def _(event: HistoryUntold) -> str:
    return (
        f"{event.count} events of this member were not told to the others, for the coordinator did not take them: the "
        "history of this member has them"
    )


@say.register
def _(event: MemoryRead) -> str:
    return f"what the members remember together can be read here again, after {event.lasted:.0f}s"


@say.register
def _(event: MemoryUnread) -> str:
    return f"{event.key} in the members' common memory cannot be read here, and is left as it is: {event.error}"


@say.register
def _(event: MemberLost) -> str:
    return (
        f"{event.member} in {event.network} is not heard for {event.silent_for:.0f}s: it has no vote, and others probe "
        "what it did"
    )


@say.register
def _(event: MemberFound) -> str:
    return f"{event.member} in {event.network} is heard again, after {event.lasted:.0f}s"


@say.register
def _(event: TwinDetected) -> str:
    where = f"on {event.host}" if event.host else "elsewhere"
    told = f"another daemon, {where}, is {event.member} as well"
    if event.steps_back:
        return f"{told}, and was there before: this one neither votes nor leads while it hears it"
    return f"{told}, and began later: it steps back, and this one goes on"


@say.register
def _(event: TwinGone) -> str:
    return f"no other daemon is {event.member} any more, after {event.lasted:.0f}s"


@say.register
def _(event: VoteRefused) -> str:
    about = f" on {event.policy}" if event.policy else ""
    return f"what {event.member} says{about} is not counted: {event.detail}"


@say.register
def _(event: QuorumLost) -> str:
    who = "nobody" if not event.live else f"only {', '.join(event.live)}"
    missing = [f"{', '.join(names)} {why}" for names, why in _missing(event) if names]
    return (
        f"too few vantages can vote, {who}: what they agreed on before holds, and no failure is acted on "
        f"({'; '.join(missing)})"
    )


def _missing(event: QuorumLost) -> tuple[tuple[tuple[str, ...], str], ...]:
    several = len(event.unheard) > 1, len(event.isolated) > 1
    return (
        (event.unheard, "are not heard" if several[0] else "is not heard"),
        (event.isolated, "do not trust what they see" if several[1] else "does not trust what it sees"),
    )


@say.register
def _(event: QuorumRegained) -> str:
    return f"enough vantages can vote again: {', '.join(event.live)}"


@say.register
def _(event: PolicyLoaded) -> str:
    return f"policy {event.policy} runs revision {event.revision} of {event.file}"


@say.register
def _(event: PolicyRemoved) -> str:
    return f"the file of policy {event.policy} is gone: it is no longer managed, its records stay as they are"


@say.register
def _(event: RecordOrphaned) -> str:
    name = event.record.partition(" ")[0]
    return (
        f"{event.record} at {event.provider} is orphaned: no policy file names it any more, so it stays as it is, "
        f"whatever fails; put policy {event.policy} back, or give it up: {failoverctl('disown', event.policy, name)}"
    )


@say.register
def _(event: ConfigRejected) -> str:
    goes_on = f"{event.keeps} goes on" if event.keeps else "it does not run"
    return f"{event.file} has {counted(len(event.errors), 'error')}; {goes_on}. First: {event.errors[0]}"


@say.register
def _(event: ConfigDeferred) -> str:
    return f"{event.file} changed {', '.join(event.settings)}: this takes effect at the next restart"


@say.register
def _(event: TaskCrashed) -> str:
    return f"{event.task} crashed and restarts in {event.restart_in:.1f}s; everything else goes on: {event.error}"


@say.register
def _(event: ReplayDiffered) -> str:
    part = f"{event.differing} of {counted(event.decisions, 'decision')}"
    first = f"first that about {event.record} at {moment(event.decided_at)}, in its {' and '.join(event.differs_in)}"
    return f"{part} of the last day came to something else when made again, {first}: a defect; see {event.command}"


@say.register
def _(event: MetricsFailed) -> str:
    return (
        f"no metrics at {event.listen}: {event.error}. Probing and steering go on; free the port and restart, or say "
        "another one in metrics.listen"
    )


@say.register
def _(event: NotificationFailed) -> str:
    remedy = f". {event.remedy}" if event.remedy else ""
    return (
        f"{event.receiver} is not told: {event.detail} ({event.reason}); {event.waiting} wait, and it is tried on"
        f"{remedy}"
    )


@say.register
def _(event: NotificationDelivered) -> str:
    return f"{event.receiver} at {event.place} takes what it is told again, after {event.lasted:.0f}s"


@say.register
def _(event: ApiFailed) -> str:
    remedy = f". {event.remedy}" if event.remedy else ""
    return f"no admin API at {event.listen}: {event.error}. Probing and steering go on{remedy}"


@say.register
def _(event: RequestRefused) -> str:
    more = f"; {counted(event.untold, 'other request')} before it" if event.untold else ""
    return f"refused {event.request} of {event.actor or 'somebody'} from {event.origin}: {event.reason}{more}"


@say.register
def _(event: JournalFailed) -> str:
    return f"the journal does not work: history may be lost, traffic is steered all the same: {event.error}"


@say.register
def _(event: ClockJumped) -> str:
    return (
        f"the system clock jumped by {event.seconds:+.1f}s; schedules were laid out again, verdicts are unaffected; "
        f"times that are told go on by the clock as it was at the start, until a restart"
    )


# -- health ------------------------------------------------------------------------------------------------------------


def _why(event: EndpointEvent) -> str:
    return f"{event.evidence}; explained by {', '.join(event.explained_by)}" if event.explained_by else event.evidence


@say.register
def _(event: EndpointFailed) -> str:
    probes = f" of {event.failures + event.passes} probes" if event.passes else ""
    since = f" since {moment(event.failing_since)}" if event.failing_since is not None else ""
    seen = f" after {counted(event.failures, 'failure')}{probes} of {event.check}{since}" if event.failures else ""
    return f"{event.endpoint} in {event.region} is down{seen}: {_why(event)}"


@say.register
def _(event: EndpointDegraded) -> str:
    return f"{event.endpoint} in {event.region} is degraded by {event.check}: {_why(event)}"


@say.register
def _(event: EndpointRecovered) -> str:
    if not event.passes:  # others saw it
        return f"{event.endpoint} in {event.region} is up: {event.evidence}"
    passes = counted(event.passes, "pass", "passes")
    return f"{event.endpoint} in {event.region} is up after {passes} of {event.check} in a row"


@say.register
def _(event: EndpointSuppressed) -> str:
    return f"{event.endpoint} in {event.region} flaps and stays out although it passes: {event.evidence}"


@say.register
def _(event: EndpointLost) -> str:
    return f"no fresh verdict on {event.endpoint} in {event.region}: {event.evidence}; its share stays as it is"


@say.register
def _(event: ReachabilitySplit) -> str:
    here, not_here = ", ".join(event.reachable_from), ", ".join(event.unreachable_from)
    why = f": {event.evidence}" if event.evidence else ""
    return f"{event.endpoint} in {event.region} can be reached from {here}, and not from {not_here}{why}"


@say.register
def _(event: ReachabilityRestored) -> str:
    return f"{event.endpoint} in {event.region} is the same from all networks again"


@say.register
def _(event: DependencyFailed) -> str:
    needed = ", ".join(event.regions) or "no region"
    return f"dependency {event.dependency} ({event.endpoint}) of {needed} is down: {event.evidence}"


@say.register
def _(event: DependencyRecovered) -> str:
    return f"dependency {event.dependency} ({event.endpoint}) is up"


def _score(event: RegionEvent) -> str:
    return f"its {event.record_type} endpoints score {event.score * 100 / WHOLE:g}%"


@say.register
def _(event: RegionFailed) -> str:
    return f"region {event.region} is down: {_score(event)} ({event.rule_at}). {event.evidence}"


@say.register
def _(event: RegionDegraded) -> str:
    return f"region {event.region} is degraded: {_score(event)} ({event.rule_at}). {event.evidence}"


@say.register
def _(event: RegionRecovered) -> str:
    return f"region {event.region} is healthy: {_score(event)}"


@say.register
def _(event: RegionLost) -> str:
    return f"no verdict on region {event.region}: {event.evidence}; its share stays as it is"


# -- the vantage -------------------------------------------------------------------------------------------------------


@say.register
def _(event: VantageIsolated) -> str:
    return f"the prober doubts its own network ({event.family}): {event.evidence}; failures move nothing until it ends"


@say.register
def _(event: VantageRejoined) -> str:
    return f"the prober trusts its network again ({event.family}) after {event.lasted:.0f}s: {event.evidence}"


# -- probing -----------------------------------------------------------------------------------------------------------


@say.register
def _(event: ProbingShed) -> str:
    return (
        f"{event.cause} (99% within {event.lag:g}s, {event.waiting} waiting): probing {event.factor} times less often, "
        f"so a fault is noticed up to {event.factor} intervals after it begins; what fails or is down keeps its pace. "
        "Longer intervals, fewer checks or a faster host help"
    )


@say.register
def _(event: ProbingRestored) -> str:
    pace = "as often as the policies say" if event.factor == 1 else f"{event.factor} times less often, no more"
    return f"it has been calm: probing {pace}"


# -- operators' words --------------------------------------------------------------------------------------------------


def _word(event: OverrideEvent) -> str:
    return f"{event.verb} of {event.about}"


def _because(comment: str) -> str:
    return f": {comment}" if comment not in {"", UNSAID} else ""


@say.register
def _(event: OverrideGiven) -> str:
    what = f"{_word(event)}{f' ({event.detail})' if event.detail else ''} until {moment(event.until)}"
    whose = f"{by(event.actor)}: {event.reason}. Take it back: {failoverctl('release', event.override)}"
    if event.needed > 1:
        return f"{what} waits for {event.needed} people to agree, {whose}"
    return f"{what}, {whose}"


@say.register
def _(event: OverrideChanged) -> str:
    return f"{_word(event)} holds until {moment(event.until)}, as changed {by(event.by)}{_because(event.comment)}"


@say.register
def _(event: OverrideEnding) -> str:
    return (
        f"{_word(event)} {by(event.actor)} ends in {event.left / 60:.0f} min, and what it keeps away comes back; "
        f"longer: failoverctl extend {event.override} --for 1h"
    )


@say.register
def _(event: OverrideEnded) -> str:
    how = f"was released by {event.by}{_because(event.comment)}" if event.by else "is over: its time has passed"
    return f"{_word(event)} {by(event.actor)} {how}"


@say.register
def _(event: PracticeStarted) -> str:
    stop = failoverctl("practice", "stop")
    return (
        f"practice: {', '.join(event.regions)} gets nothing until {moment(event.until)}, {by(event.actor)}: "
        f"{event.reason}. It ends at once if anything comes up; or by {stop}"
    )


@say.register
def _(event: PracticeEnded) -> str:
    how = _PRACTICE_ENDS.get(event.outcome, event.outcome)
    why = f": {event.why}" if event.why else ""
    return f"practice of {', '.join(event.regions)} {by(event.actor)} {how} ({event.lasted / 60:.0f} min){why}"


_PRACTICE_ENDS: Final[Mapping[str, str]] = {
    PracticeOutcome.SUCCEEDED: "succeeded",
    PracticeOutcome.FAILED: "failed: the others did not bear it",
    PracticeOutcome.INTERRUPTED: "was interrupted",
    PracticeOutcome.CAPACITY_CHECK_FAILED: "did not begin, for the others have too little room",
    PracticeOutcome.BLOCKED: "did not begin",
}


@say.register
def _(event: OverridesLost) -> str:
    return (
        f"{_where(event)} is under overrides that this journal does not know ({', '.join(event.overrides)}), "
        f"until {moment(event.until)}: only what fails out moves. Give the same override again, or end it: "
        f"failoverctl release --lost"
    )


@say.register
def _(event: RivalDetected) -> str:
    name = event.record.partition(" ")[0]
    return (
        f"{_where(event)} is written by another failoverd of owner {event.owner} as well ({', '.join(event.rivals)}; "
        f"this one is {event.instance}), and each undoes what the other does. From now on only what is down is taken "
        f"off it. Stop the other one, or give it names of its own (failoverctl status there says its instance); then: "
        f"{failoverctl('release', '--rival', name)}"
    )


@say.register
def _(event: LeaderOutranked) -> str:
    who = f"the leader of epoch {event.epoch} ({event.writer or 'unnamed'}), and this is epoch {event.ours}"
    return (
        f"{_where(event)} was written by {who} of owner {event.owner}: nothing is written there from now on, whatever "
        f"fails, for it is that one's to move. To do: {event.remedy}"
    )


@say.register
def _(event: RivalSettled) -> str:
    why = _because(event.comment)
    over = f", over what leaders up to epoch {event.epoch} wrote" if event.epoch else ""
    return (
        f"{_where(event)} is written as before{over}, says {event.by}{why}; its rivals were {', '.join(event.rivals)}"
    )


# -- regions that come back --------------------------------------------------------------------------------------------


@say.register
def _(event: FailbackStepped) -> str:
    upcoming = f"; the next is due at {moment(event.until)}" if event.until is not None else ": it has its whole share"
    return (
        f"{_where(event)}: {event.region} is at step {event.step} of {event.steps} of its way back, "
        f"with {percent(event.share)}{upcoming}"
    )


@say.register
def _(event: FailbackAborted) -> str:
    again = f"; it is tried again once it was well for {event.hold:g}s" if event.hold is not None else ""
    return (
        f"{_where(event)}: {event.region} failed at step {event.step} of {event.steps} of its way back and is out"
        f"{again} (fall {event.aborts})"
    )


@say.register
def _(event: FailbackAbandoned) -> str:
    return (
        f"{_where(event)}: {event.region} failed {event.aborts} times on its way back and is not tried again by itself "
        f"({event.rule_at}). Find out what it cannot bear; then: {event.remedy}"
    )


# -- incidents ---------------------------------------------------------------------------------------------------------


@say.register
def _(event: IncidentOpened) -> str:
    return f"incident {event.incident_id} opened: {event.cause}" + (
        f". Runbook: {event.runbook}" if event.runbook else ""
    )


@say.register
def _(event: IncidentClosed) -> str:
    return f"incident {event.incident_id} closed after {event.lasted:.0f}s and {counted(event.changes, 'change')}"


# -- decisions, plans, changes -----------------------------------------------------------------------------------------


def _where(event: TargetEvent) -> str:
    return f"{event.record} at {event.provider}"


@say.register
def _(event: DecisionMade) -> str:
    named = first_to_know(event.reasons)
    why = f": {words(named)}" if named is not None else ""
    return f"{_where(event)} wants {percentages(event.shares) or 'to stay as it is'} ({event.verdict}){why}"


@say.register
def _(event: DecisionCrashed) -> str:
    return f"{_where(event)} stays as it is, for the decision failed; please report it with this line: {event.error}"


@say.register
def _(event: PlanHeld) -> str:
    held = "; ".join(limit(check) for check in event.limits)
    at = f" ({event.rule_at})" if event.rule_at else ""
    words = f"{_where(event)} should be {percentages(event.wanted)} but a limit holds it{at}: {held}"
    if not any(check.limit is Limit.ASSERTION for check in event.limits):
        return words
    else_at = f", or it goes at {moment(event.until)}" if event.until is not None else ""
    return f"{words}. To let it through: failoverctl approve {event.digest} --reason TEXT{else_at}"


@say.register
def _(event: PlanRefused) -> str:
    return f"{_where(event)} is not touched: {event.detail} ({event.reason}). {event.remedy}"


@say.register
def _(event: DriftDetected) -> str:
    who = "what failoverd had sent before arrived late at" if event.kind == DriftKind.LATE else "somebody changed"
    return f"{who} {_where(event)}: {event.found}; failoverd had published {event.expected}; it {event.will}"


@say.register
def _(event: ChangeApplied) -> str:
    where = _where(event)
    before, after = percentages(event.shares_from) or "no answer", percentages(event.shares_to)
    why = f" Why: {words(event.evidence[0])}" if event.evidence else ""
    by = f" By {event.actor}." if event.overrides else ""
    why += by
    if event.kind == PlanKind.MARK:
        marked = f"its marker says which overrides apply (generation {event.generation}).{by}"
        return f"{where} keeps its answer; {marked}"
    if event.kind == PlanKind.BY_HAND:
        return f"{where} was moved by hand from {before} to {after} (generation {event.generation})"
    if event.shares_from == event.shares_to:
        what = f"{event.kind}: {', '.join(event.answers_to)} with ttl {event.ttl}s"
        return f"{where} keeps {before} and changes what it answers ({what}, generation {event.generation}).{why}"
    return f"{where} moved from {before} to {after} (generation {event.generation}).{why}"


def witnesses(event: ChangeVerified) -> str:
    """Who says so, in words."""
    if event.unconfirmed:
        return "whether the provider's servers answer it is not known, and none of them was asked"
    if not event.servers:
        return "no authoritative server was asked"
    who = (
        "the authoritative server agrees" if event.servers == 1 else f"all {event.servers} authoritative servers agree"
    )
    return f"{who}; not asked, for there is no way to them: {', '.join(event.unasked)}" if event.unasked else who


@say.register
def _(event: ChangeVerified) -> str:
    after = f"{event.took * 1000:.0f} ms after the decision"
    ages = f"; the old answer ages out in {event.aged_out_at - event.at:.0f}s" if event.aged_out_at is not None else ""
    if event.unconfirmed:
        stands, ages = "was written and read back", ages and f"{ages} at the earliest"
    else:
        stands = "is in place"
    return f"{_where(event)} {stands} {after}: {witnesses(event)}{ages}"


def unproved(found: Propagation | ChangeDisputed) -> str:
    """Who does not say what was written, in words."""
    silent = tuple(f"{server} is silent" for server in found.silent)
    unasked = tuple(f"{server} cannot be asked from here" for server in found.unasked)
    told = (*found.disagreeing, *silent, *unasked, *([found.detail] if found.detail else []))
    return "; ".join(told) or "nobody was heard yet"


@say.register
def _(event: ChangeDisputed) -> str:
    where, waited = _where(event), f"{event.waited:.0f}s"
    return f"generation {event.generation} of {where} is not proved {waited} after the write: {unproved(event)}"


@say.register
def _(event: ChangeFenced) -> str:
    return f"generation {event.generation} of {_where(event)} was refused by the provider: {event.detail}"


@say.register
def _(event: TargetDelayed) -> str:
    wait = f"waits {event.retry_in:.0f}s" if event.retry_in >= _AT_ONCE else "is tried again at once"
    return f"{_where(event)} {wait}: {event.detail} ({event.reason})" + (f". {event.remedy}" if event.remedy else "")


_AT_ONCE: Final = 0.5
"""Seconds of a wait that are not worth a number: rounded, they are none."""


@say.register
def _(event: TargetResumed) -> str:
    return f"{_where(event)} works again after {counted(event.attempts, 'attempt')}"


# -- what others measure -----------------------------------------------------------------------------------------------


def _named(signals: tuple[str, ...], count: int) -> str:
    more = count - len(signals)
    return ", ".join(signals) + (f" and {more} more" if more > 0 else "")


@say.register
def _(event: AlertIgnored) -> str:
    name = f"the alert {event.alert}" if event.alert else "an alert"
    return f"{event.by} sends {name}, and nothing moves for it: {event.why}"


@say.register
def _(event: SignalLost) -> str:
    remedy = f". {event.remedy}" if event.remedy else ""
    return (
        f"source {event.source} gives nothing to believe for {_named(event.signals, event.count)} ({event.reason}): "
        f"{event.detail}. No traffic moves for it: last values count for 10 min, then declared ones, and a region that "
        f"a signal called ill or full gets no more than it has{remedy}"
    )


@say.register
def _(event: SignalFound) -> str:
    more = f"; {event.still_lost} more are lost still" if event.still_lost else ""
    if not event.count:
        return f"source {event.source} is asked no more for what it did not answer{more}"
    return f"source {event.source} answers again for {_named(event.signals, event.count)}{more}"


@say.register
def _(event: SignalClipped) -> str:
    return f"{event.signal} was measured as {event.measured:.6g}, and {event.believed:.6g} is believed for now"


def _burns(event: SignalEvent) -> str:
    others = f"the others {event.others:.3g}" if event.others is not None else "nobody says how the others are"
    return (
        f"region {event.region} makes errors {event.burn:.3g} times as fast as its service level allows "
        f"({event.short:.3g} lately, {event.requests} requests); {others}"
    )


@say.register
def _(event: SignalFired) -> str:
    return f"{_burns(event)}: it is taken to be {event.verdict} ({event.rule_at})"


@say.register
def _(event: SignalShared) -> str:
    why = "" if event.others is None else ", the same everywhere: to move traffic would help nobody"
    return f"{_burns(event)}{why}. Nothing moves for it; look at what changed everywhere, such as a deploy"


@say.register
def _(event: SignalCleared) -> str:
    why = "is not known any more" if event.verdict == "unknown" else "is over"
    return f"that region {event.region} makes too many errors {why}"
