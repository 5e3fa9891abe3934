"""Sentences for people: of reasons, limits and events. Everything else holds codes and numbers."""

from collections.abc import Callable, Iterable, Mapping
from functools import singledispatch
from typing import Final

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
    IncidentClosed,
    IncidentOpened,
    JournalFailed,
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
    RecordOrphaned,
    RegionDegraded,
    RegionEvent,
    RegionFailed,
    RegionLost,
    RegionRecovered,
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
    VantageIsolated,
    VantageRejoined,
)
from failoverd.core.names import failoverctl
from failoverd.core.overrides import UNSAID, by
from failoverd.core.practices import PracticeOutcome
from failoverd.core.reasons import Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.core.records import WHOLE, percentages
from failoverd.telemetry.phrases import by_plan, clients, costs, counted, detail, moment, percent

__all__ = [
    "clients",
    "counted",
    "detail",
    "facts",
    "limit",
    "moment",
    "percent",
    "say",
    "told",
    "unproved",
    "witnesses",
    "words",
]


def words(reason: Reason) -> str:
    """One step of the sum, as a sentence with its numbers."""
    sentence = _WORDS[reason.code]
    try:
        return reason.text or sentence(reason)
    except KeyError:  # a number is missing: a damaged journal, or a version that had other ones
        numbers = ", ".join(f"{name} {number:g}" for name, number in reason.numbers.items())
        return f"{reason.region} {reason.code}: {numbers}".strip()


def first_to_know(reasons: Iterable[Reason]) -> Reason | None:
    """The reason by which a decision is an unusual one: why nothing moves, or moves although nobody serves."""
    return next((reason for reason in reasons if reason.code.traits.unusual), None)


def limit(check: LimitCheck) -> str:
    """One limit with its numbers: what was found, and what is allowed."""
    excused = check.note and check.note is not LimitNote.BEFORE_EDIT
    verdict = "within" if check.passed and not excused else "not within"
    found, allowed = _LIMITS[check.limit](check)
    whose = f" of {check.cause}" if check.cause is not None else ""
    note = f" ({_NOTES[check.note]})" if check.note else ""
    named = f" {check.rule}" if check.rule else ""
    return f"{check.limit}{named}{whose}: {found}, {verdict} {allowed}{note}"


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


# -- reasons -----------------------------------------------------------------------------------------------------------


def _health(state: str) -> Callable[[Reason], str]:
    def told(reason: Reason) -> str:
        evidence = f": {reason.detail}" if reason.detail else ""
        return f"{reason.region} is {state} (score {percent(reason.numbers['score'])}){evidence}"

    return told


def _capacity(reason: Reason) -> str:
    numbers = reason.numbers
    stated = f" x capacity {numbers['capacity']:.12g} / demand {numbers['demand']:.12g}" if "demand" in numbers else ""
    headroom = f" x headroom {percent(numbers['headroom'])}" if "headroom" in numbers else ""
    headroom += f" x {percent(numbers['left'])} of its room" if "left" in numbers else ""
    taken = f", of which other policies need {numbers['taken']:.12g} first" if "taken" in numbers else ""
    score = f" (score {percent(numbers['score'])}{stated}{headroom}{taken})"
    return f"{reason.region} would get {percent(numbers['wanted'])} but can carry {percent(numbers['room'])}{score}"


def _excess(reason: Reason) -> str:
    numbers, rest = reason.numbers, percent(reason.numbers["rest"])
    load = f"{numbers['rest'] * numbers['demand'] / WHOLE:.6g} of {numbers['demand']:.12g}"
    return (
        f"{rest} ({load}) fits nowhere: it goes to {reason.region}, where policies of higher tiers are overloaded the "
        "least by it; name a place for it with shed_to, or lower the demand"
    )


def _pull(reason: Reason) -> str:
    numbers = reason.numbers
    factors = f"share {percent(numbers['share'])}" if numbers["share"] else "no shares here"
    factors += f" x score {percent(numbers['score'])}" if numbers["score"] < WHOLE else ""
    return f"{reason.region} pulls {percent(numbers['pull'])} ({factors})"


def _overload(reason: Reason) -> str:
    carries = ", ".join(f"{name} {percent(load)}" for name, load in reason.shares.items())
    rest = percent(reason.numbers["rest"])
    return f"{rest} fits nowhere: it is split by what each region can carry ({carries}); overloaded beats shut"


def _shed_to(reason: Reason) -> str:
    short, demand = reason.numbers["short"], reason.numbers["demand"]
    return (
        f"{short:.12g} of {demand:.12g} fits nowhere, and goes to {reason.detail} ({percent(short / demand * WHOLE)})"
    )


def _ramp(reason: Reason) -> str:
    numbers = reason.numbers
    upcoming = (
        f"; next at {moment(numbers['next'])}"
        if "next" in numbers
        else "; the next waits until this one stands and it is well"
    )
    return (
        f"{reason.region} is returning: step {numbers['step']:g} of {numbers['steps']:g}, "
        f"{percent(numbers['part'])} of {percent(numbers['of'])}{upcoming}; "
        f"it would get {percent(numbers['wanted'])} here and gets {percent(numbers['room'])}"
    )


def _left_out(reason: Reason) -> str:
    score = percent(reason.numbers["score"])
    return f"{reason.region} is left out while it is degraded (score {score}): the others have room for what it has"


def _how_far(reason: Reason) -> str:
    numbers = reason.numbers
    if "until" in numbers:
        return f"{reason.region} was too far away, and is measured anew {_until(reason)}"
    took, nearest, bound = (1000 * numbers[name] for name in ("latency", "nearest", "bound"))
    return (
        f"{reason.region} is too far away: connecting takes {took:.4g} ms, the nearest {nearest:.4g} ms + {bound:g} ms"
    )


def _kept(reason: Reason) -> str:
    return _AGAINST.get(reason.rule, reason.rule)


_AGAINST: Final = {
    "regions": "nobody else could answer",
    "limits.min_regions": "too few regions would be left",
    "demand": "the others have too little room",
    "capacity": "it is not known what the others can carry",
}
"""What speaks against leaving a region out, by the key that says it."""


def _link(reason: Reason) -> str:
    numbers = reason.numbers
    width = f"{numbers['bandwidth'] / 1e9:.12g} Gbps x {percent(numbers['headroom'])}"
    sum_of = f"{width} / {numbers['per_request']:.12g} bytes / demand {numbers['demand']:.12g}"
    return (
        f"{reason.region} would get {percent(numbers['wanted'])}, and the link to its data carries "
        f"{percent(numbers['room'])} ({sum_of})"
    )


def _cheaper(reason: Reason) -> str:
    numbers = reason.numbers
    return (
        f"shares follow the price since {moment(numbers['since'])} ({_shares(reason)}): ${numbers['after']:,.0f} a "
        f"month instead of ${numbers['before']:,.0f}, by list prices; worth it from {percent(numbers['save'])} and "
        f"${numbers['at_least']:,.0f} a month on"
    )


def _cost(reason: Reason) -> str:
    numbers = reason.numbers
    return f"these shares cost {costs(numbers['hour'], numbers['normal'], numbers['month'])}"


def _until(reason: Reason) -> str:
    return f"until {moment(reason.numbers['until'])}"


def _shares(reason: Reason) -> str:
    return ", ".join(f"{name} {percent(share)}" for name, share in reason.shares.items())


def _figure(reason: Reason) -> str:
    return f"{reason.region} carries" if reason.region else "the demand is"


def _measured(reason: Reason) -> str:
    numbers = reason.numbers
    found = f" (measured {numbers['found']:.6g}: less of a jump is believed)" if "found" in numbers else ""
    return f"{_figure(reason)} {numbers['value']:.6g}, as measured {moment(numbers['at'])}{found}"


def _burn(reason: Reason) -> str:
    numbers = reason.numbers
    return (
        f"{reason.region} makes errors {numbers['burn']:.3g} times as fast as its service level allows, "
        f"{numbers['short']:.3g} lately ({numbers['requests']:.0f} requests; {numbers['most']:.3g} are too many)"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


_WORDS: Final[Mapping[ReasonCode, Callable[[Reason], str]]] = {
    ReasonCode.REGION_UNKNOWN: _health("unknown"),
    ReasonCode.REGION_HEALTHY: _health("healthy"),
    ReasonCode.REGION_DEGRADED: _health("degraded"),
    ReasonCode.REGION_DOWN: _health("down"),
    ReasonCode.FLAPPED: lambda r: f"{r.region} passes again, and is kept out {_until(r)}, because it flapped",
    ReasonCode.REGION: _health("as an earlier version told"),
    ReasonCode.NO_VERDICT: lambda r: f"no verdict yet on {_listed(r.regions)}: nothing is written before it is known",
    ReasonCode.PROBER_DOUBTED: lambda _: (
        "no region is known to serve, and not all are known to be down: the prober is doubted, nothing moves"
    ),
    ReasonCode.ALL_DOWN: lambda _: "every region is down: nothing moves",
    ReasonCode.ALL_DOWN_NORMAL: lambda _: (
        "every region is down and when_all_down is normal: the normal shares are published"
    ),
    ReasonCode.ALL_DOWN_EMPTY: lambda _: (
        "every region is down and the record is empty: the normal shares are published"
    ),
    ReasonCode.COMMON_FALL: lambda r: (
        f"{_listed(r.regions)} may be falling for the same cause: known within {r.numbers['wait']:.1f}s, "
        "nothing moves before"
    ),
    ReasonCode.COMMON_RISE: lambda r: (
        f"{_listed(r.regions)} fell together with those that are back, and is waited for: at most "
        f"{r.numbers['wait']:.1f}s, nothing moves before"
    ),
    ReasonCode.COMMON_RETURN: lambda r: (
        f"{_listed(r.regions)} fell together with all the others, so no hold keeps it out"
    ),
    ReasonCode.RESTORE: lambda _: "the record is empty: its last verified answer is put back",
    ReasonCode.FROZEN: lambda r: f"{r.region} is lost from sight and keeps its {percent(r.numbers['share'])}",
    ReasonCode.RELEASED: lambda r: (
        f"{r.region} is lost from sight, and what it answers with is down: "
        f"its {percent(r.numbers['share'])} goes to others"
    ),
    ReasonCode.FAILBACK_HOLD: lambda r: (
        f"{r.region} has been well for {r.numbers['well']:.0f}s of the {r.numbers['hold']:g}s before it gets traffic"
    ),
    ReasonCode.FAILBACK_MANUAL: lambda r: (
        f"{r.region} serves again and waits for a person: {by_plan('--return', r.region)[0]}"
    ),
    ReasonCode.FAILBACK_WAIVED: lambda r: (
        f"{_listed(r.regions)} is let in before its failback is due: no other region can carry the traffic"
    ),
    ReasonCode.PULL: _pull,
    ReasonCode.CAPACITY: _capacity,
    ReasonCode.SHARED_CAPACITY: _capacity,
    ReasonCode.EXCESS: _excess,
    ReasonCode.UNMEASURED: lambda r: (
        f"{r.region} was called ill when its figures were lost, and "
        + (f"keeps {percent(r.numbers['room'])} of {percent(r.numbers['wanted'])}" if r.numbers else "stays out")
        + " until somebody measures it again"
    ),
    ReasonCode.OPEN_VERDICT: lambda r: (
        f"{r.region} would get {percent(r.numbers['wanted'])} and keeps {percent(r.numbers['room'])} "
        "until it is known whether it is falling as well"
    ),
    ReasonCode.SPILL: lambda r: (
        f"{_listed(r.regions)} can carry {percent(r.numbers['carried'])}: {percent(r.numbers['rest'])} spills over"
    ),
    ReasonCode.OVERLOAD: _overload,
    ReasonCode.LINK: _link,
    ReasonCode.CHEAPER: _cheaper,
    ReasonCode.COST: _cost,
    ReasonCode.SHARE: lambda r: f"{r.region} gets {percent(r.numbers['share'])}",
    ReasonCode.SINGLE: lambda r: (
        f"{r.region} gets {percent(r.numbers['share'])}: it is the first that serves, "
        "and the record holds one value at a time"
    ),
    ReasonCode.RAMP: _ramp,
    ReasonCode.FAILBACK_GIVEN_UP: lambda r: (
        f"{r.region} serves again, and fell {r.numbers['aborts']:g} times on its way back: it waits for a person: "
        f"{by_plan('--return', r.region)[0]}"
    ),
    ReasonCode.TRICKLE: lambda r: (
        f"{r.region} is a standby that nobody needs now, and is kept tested: {percent(r.numbers['share'])}, "
        f"its part of {percent(r.numbers['part'])} for {r.numbers['standbys']:g}"
    ),
    ReasonCode.DEGRADED_OUT: _left_out,
    ReasonCode.DEGRADED_KEPT: lambda r: (
        f"{r.region} stays although it is degraded (score {percent(r.numbers['score'])}): {_kept(r)}"
    ),
    ReasonCode.TOO_FAR: _how_far,
    ReasonCode.FAR_KEPT: lambda r: f"{_how_far(r)}; it stays: {_kept(r)}",
    ReasonCode.DEADBAND: lambda r: (
        f"the largest step would be {percent(r.numbers['step'])}, and less than {percent(r.numbers['min_step'])} "
        "is not worth a change"
    ),
    ReasonCode.DWELL: lambda r: f"it was tuned less than {r.numbers['dwell']:g}s ago",
    ReasonCode.DRAINED: lambda r: f"{r.region} is drained {_until(r)} ({r.detail})",
    ReasonCode.SHED: lambda r: (
        f"{r.region} is shed by {percent(r.numbers['part'])} {_until(r)}: it would get {percent(r.numbers['wanted'])} "
        f"and gets {percent(r.numbers['room'])} ({r.detail})"
    ),
    ReasonCode.PINNED: lambda r: f"pinned to {_shares(r)} {_until(r)}, among those that serve ({r.detail})",
    ReasonCode.PIN_IDLE: lambda r: (
        f"nobody serves of whom it is pinned to ({_shares(r)}), so the pin {_until(r)} says nothing ({r.detail})"
    ),
    ReasonCode.OVERRULED: lambda r: (
        f"{f'{r.region} is not drained' if r.region else 'a pin does not count'} {_until(r)}, for what was said later "
        f"is in force ({r.detail})"
    ),
    ReasonCode.SAID: lambda r: f"endpoints are up, down or drained by override {_until(r)} ({r.detail})",
    ReasonCode.PAUSED: lambda r: f"paused {_until(r)}: nothing moves but what fails out ({r.detail})",
    ReasonCode.HELD: lambda r: f"held {_until(r)}: nothing is written ({r.detail})",
    ReasonCode.OVERRIDES_LOST: lambda r: (
        f"the marker names overrides that this journal does not know ({r.detail}), {_until(r)}: nobody gets "
        "traffic who has none, and nothing moves but what fails out"
    ),
    ReasonCode.PRACTISED: lambda r: f"{r.region} gets nothing {_until(r)}, for practice ({r.detail})",
    ReasonCode.PRACTICE_YIELDS: lambda r: (
        f"{', '.join(r.regions)} is not left out for practice: it would cost service, or something else is going on"
    ),
    ReasonCode.NOBODY_LEFT: lambda _: "every region is drained: the answer stays as it is",
    ReasonCode.MEASURED: _measured,
    ReasonCode.LAST_VALUE: lambda r: (
        f"{_figure(r)} {r.numbers['value']:.6g}, as measured last, {moment(r.numbers['at'])}: nothing newer is known, "
        f"and it counts {_until(r)}"
    ),
    ReasonCode.DECLARED: lambda r: (
        f"{_figure(r)} {r.numbers['value']:.6g}, as declared: nothing is measured that counts"
    ),
    ReasonCode.LOADED: lambda r: (
        f"{r.region} has {percent(r.numbers['room'])} of its room, "
        + (f"at a load of {r.numbers['load']:.6g}" if "load" in r.numbers else "and its load is not known now")
        + f" (full above {r.numbers['low']:g}, nothing left at {r.numbers['high']:g})"
    ),
    ReasonCode.LOADED_ALIKE: lambda r: (
        f"{_listed(r.regions)} would shed, and no region is known to have room for it: all keep theirs"
    ),
    ReasonCode.BURNING: lambda r: f"{_burn(r)}, and the others {r.numbers['others']:.3g}: it is taken to be {r.detail}",
    ReasonCode.SAME_EVERYWHERE: lambda r: (
        f"{_burn(r)}, and it is the same everywhere (the others {r.numbers['others']:.3g}): nothing moves for it"
    ),
    ReasonCode.NOT_COMPARED: lambda r: f"{_burn(r)}, and nobody says how the others are: nothing moves for it",
    ReasonCode.ALERTED: lambda r: f"an alert calls {r.region} {r.detail}; {_until(r)}",
    ReasonCode.LAST_LEFT: lambda r: f"{r.region} is called down, and nobody else serves: it stays, as degraded",
    ReasonCode.RIVAL: lambda r: (
        f"another instance of this owner ({r.detail}) writes it as well, found so {moment(r.numbers['since'])}: "
        "only what is down is taken off, until a person ends that"
    ),
    ReasonCode.ADOPT: lambda r: r.detail,
    ReasonCode.DISOWN: lambda r: r.detail,
    ReasonCode.BY_HAND: lambda r: (
        f"a person wrote generation {r.numbers['generation']:.0f} by hand, with a command that failoverd printed"
    ),
    ReasonCode.SHED_TO: _shed_to,
    ReasonCode.ALL_DOWN_ANSWER: lambda r: f"every region is down: {r.detail} answers, as when_all_down says",
    ReasonCode.RESIDENCY: lambda r: (
        f"{r.region} ({r.detail or 'no jurisdiction in the inventory'}) is outside of the residency of the policy, and "
        "gets nothing"
    ),
    ReasonCode.MODEL: lambda r: f"{r.region} gets nothing, for it serves {r.detail}",
    ReasonCode.GUEST: lambda r: (
        f"{r.region} is outside of the residency, and a guest {_until(r)}: then it leaves at once ({r.detail})"
    ),
    ReasonCode.EVICTED: lambda r: (
        f"nothing is decided, but {_listed(r.regions)} may not answer: the answer is made of those who may"
    ),
    ReasonCode.NOBODY_ALLOWED: lambda r: f"the {r.rule} of the policy leaves nobody who may answer: nothing moves",
}


# -- limits ------------------------------------------------------------------------------------------------------------

_LIMITS: Final[Mapping[Limit, Callable[[LimitCheck], tuple[str, str]]]] = {
    Limit.NEVER_EMPTY: lambda c: (f"{c.found:g} answers", f"at least {c.allowed:g}"),
    Limit.MIN_REGIONS: lambda c: (f"{c.found:g} regions", f"at least {c.allowed:g} regions"),
    Limit.MAX_SHIFT: lambda c: (percent(c.found), f"{percent(c.allowed)} per {c.window:g}s"),
    Limit.MAX_CHANGES: lambda c: (f"change {c.found:g}", f"{c.allowed:g} per {c.window:g}s"),
    Limit.PAUSED: lambda c: (percent(c.found), f"{percent(c.allowed)}: an operator paused it"),
    Limit.LOST: lambda c: (percent(c.found), f"{percent(c.allowed)}: overrides were lost with a journal"),
    Limit.RIVAL: lambda c: (percent(c.found), f"{percent(c.allowed)}: another instance writes it as well"),
    Limit.ASSERTION: lambda c: (f"{c.found:g} of its groups", f"at least {c.allowed:g}"),
    Limit.GATE: lambda c: (percent(c.found), f"{percent(c.allowed)}: its switch is on"),
    Limit.HELD: lambda c: (percent(c.found), f"{percent(c.allowed)}: an override keeps it as it is"),
}

_NOTES: Final[Mapping[LimitNote, str]] = {
    LimitNote.ANSWERS_STAY: "answers stay as they are",
    LimitNote.NOTHING_ANSWERED: "nothing is answered now",
    LimitNote.NO_NARROWER: "it gets no narrower",
    LimitNote.FAILING_OUT: "what is down leaves all the same",
    LimitNote.INDIVISIBLE: "no smaller step can be said, or is allowed",
    LimitNote.BEFORE_EDIT: "counted from before somebody else's edit",
    LimitNote.SMALLER: "so the step is made smaller",
    LimitNote.APPROVED: "a person approved it",
    LimitNote.AT_ONCE: "a person said at once",
    LimitNote.RECALLED: "it was out for practice, which is cut short",
    LimitNote.AGREEMENT: "a person approved it, and more have to agree",
    LimitNote.NO_WORSE: "it is broken already, and gets no worse",
    LimitNote.BROKEN: "a person named the rule that may be broken",
    LimitNote.WAITED: "what is down was kept for as long as the rule says",
    LimitNote.EVICTED: "who may not answer leaves all the same",
    LimitNote.NOBODY_SERVES: "every region is down, and a named place answers",
}


# -- the daemon --------------------------------------------------------------------------------------------------------


@say.register
def _(event: DaemonStarted) -> str:
    many = counted(len(event.policies), "policy", "policies")
    return f"failoverd {event.version} started with {many}: {', '.join(event.policies)}"


@say.register
def _(event: DaemonStopped) -> str:
    return f"stopped ({event.cause}); records stay exactly as they are"


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
    seen = f"{counted(event.failures, 'failure')}{probes} of {event.check}{since}"
    return f"{event.endpoint} in {event.region} is down after {seen}: {_why(event)}"


@say.register
def _(event: EndpointDegraded) -> str:
    return f"{event.endpoint} in {event.region} is degraded by {event.check}: {_why(event)}"


@say.register
def _(event: EndpointRecovered) -> str:
    passes = counted(event.passes, "pass", "passes")
    return f"{event.endpoint} in {event.region} is up after {passes} of {event.check} in a row"


@say.register
def _(event: EndpointSuppressed) -> str:
    return f"{event.endpoint} in {event.region} flaps and stays out although it passes: {event.evidence}"


@say.register
def _(event: EndpointLost) -> str:
    return f"no fresh verdict on {event.endpoint} in {event.region}: {event.evidence}; its share stays as it is"


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
def _(event: RivalSettled) -> str:
    why = _because(event.comment)
    return f"{_where(event)} is written as before, says {event.by}{why}; its rivals were {', '.join(event.rivals)}"


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
    return f"somebody changed {_where(event)}: {event.found}; failoverd had published {event.expected}; it {event.will}"


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
