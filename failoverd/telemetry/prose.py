"""Sentences for people: of reasons, limits and events. Everything else holds codes and numbers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from failoverd.core.events import ChangeApplied, Event, PlanHeld
from failoverd.core.reasons import Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.core.records import WHOLE, percentages


def words(reason: Reason) -> str:
    """One step of the sum, as a sentence with its numbers."""
    return reason.text or _WORDS[reason.code](reason)


def limit(check: LimitCheck) -> str:
    """One limit with its numbers: what was found, and what is allowed."""
    verdict = "within" if check.passed else "not within"
    found, allowed = _LIMITS[check.limit](check)
    whose = f" of {check.cause}" if check.cause is not None else ""
    note = f" ({_NOTES[check.note]})" if check.note else ""
    return f"{check.limit}{whose}: {found}, {verdict} {allowed}{note}"


def say(event: Event) -> str:
    """One plain sentence for the person who reads this at night."""
    match event:
        case PlanHeld():
            held = "; ".join(limit(check) for check in event.limits)
            where = f"{event.record} at {event.provider}"
            return f"{where} should be {percentages(event.wanted)} but a limit holds it ({event.rule_at}): {held}"
        case ChangeApplied():
            return _applied(event)
        case _:
            return event.say()


def facts(event: Event) -> dict[str, object]:
    """The fields of an event as people read them, empty ones left out: reasons and limits in words."""
    return {name: _told(value) for name, value in event.facts()}


def told(event: Event) -> tuple[str, Mapping[str, object]]:
    """An event as people read it (`ports.Words`)."""
    return say(event), facts(event)


def percent(basis_points: float) -> str:
    return f"{basis_points * 100 / WHOLE:.4g}%"


def _told(value: object) -> object:
    if not isinstance(value, tuple):
        return value
    return tuple(
        words(item) if isinstance(item, Reason) else limit(item) if isinstance(item, LimitCheck) else item
        for item in value
    )


def _applied(event: ChangeApplied) -> str:
    where = f"{event.record} at {event.provider}"
    before, after = percentages(event.shares_from) or "no answer", percentages(event.shares_to)
    why = f" Why: {words(event.evidence[0])}" if event.evidence else ""
    if event.shares_from == event.shares_to:
        what = f"{event.kind}: {', '.join(event.answers_to)} with ttl {event.ttl}s"
        return f"{where} keeps {before} and changes what it answers ({what}, generation {event.generation}).{why}"
    return f"{where} moved from {before} to {after} (generation {event.generation}).{why}"


# -- reasons -----------------------------------------------------------------------------------------------------------


def _health(state: str) -> Callable[[Reason], str]:
    def told(reason: Reason) -> str:
        evidence = f": {reason.detail}" if reason.detail else ""
        return f"{reason.region} is {state} (score {percent(reason.numbers['score'])}){evidence}"

    return told


def _capacity(reason: Reason) -> str:
    numbers = reason.numbers
    stated = f" x capacity {numbers['capacity']:.12g} / demand {numbers['demand']:.12g}" if "demand" in numbers else ""
    score = f" (score {percent(numbers['score'])}{stated})"
    return f"{reason.region} would get {percent(numbers['wanted'])} but can carry {percent(numbers['room'])}{score}"


def _pull(reason: Reason) -> str:
    numbers = reason.numbers
    factors = f"share {percent(numbers['share'])}" if numbers["share"] else "no shares here"
    factors += f" x score {percent(numbers['score'])}" if numbers["score"] < WHOLE else ""
    return f"{reason.region} pulls {percent(numbers['pull'])} ({factors})"


def _overload(reason: Reason) -> str:
    carries = ", ".join(f"{name} {percent(load)}" for name, load in reason.shares.items())
    rest = percent(reason.numbers["rest"])
    return f"{rest} fits nowhere: it is split by what each region can carry ({carries}); overloaded beats shut"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


_WORDS: Final[Mapping[ReasonCode, Callable[[Reason], str]]] = {
    ReasonCode.REGION_UNKNOWN: _health("unknown"),
    ReasonCode.REGION_HEALTHY: _health("healthy"),
    ReasonCode.REGION_DEGRADED: _health("degraded"),
    ReasonCode.REGION_DOWN: _health("down"),
    ReasonCode.REGION: _health("as an earlier version told"),
    ReasonCode.NO_VERDICT: lambda r: f"no verdict yet on {_listed(r.regions)}: nothing is written before it is known",
    ReasonCode.PROBER_DOUBTED: lambda _: (
        "no region is known to serve, and not all are known to be down: the prober is doubted, nothing moves"
    ),
    ReasonCode.ALL_DOWN: lambda _: "every region is down: the answer is kept as it is",
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
        f"{r.region} serves again and waits for a person: failoverctl plan --return {r.region}"
    ),
    ReasonCode.FAILBACK_WAIVED: lambda r: (
        f"{_listed(r.regions)} is let in before its failback is due: no other region can carry the traffic"
    ),
    ReasonCode.PULL: _pull,
    ReasonCode.CAPACITY: _capacity,
    ReasonCode.OPEN_VERDICT: lambda r: (
        f"{r.region} would get {percent(r.numbers['wanted'])} and keeps {percent(r.numbers['room'])} "
        "until it is known whether it is falling as well"
    ),
    ReasonCode.SPILL: lambda r: (
        f"{_listed(r.regions)} can carry {percent(r.numbers['carried'])}: {percent(r.numbers['rest'])} spills over"
    ),
    ReasonCode.OVERLOAD: _overload,
    ReasonCode.SHARE: lambda r: f"{r.region} gets {percent(r.numbers['share'])}",
    ReasonCode.SINGLE: lambda r: (
        f"{r.region} gets {percent(r.numbers['share'])}: it is the first that serves, "
        "and the record holds one value at a time"
    ),
    ReasonCode.DEADBAND: lambda r: (
        f"the largest step would be {percent(r.numbers['step'])}, and less than {percent(r.numbers['min_step'])} "
        "is not worth a change"
    ),
    ReasonCode.DWELL: lambda r: f"it was tuned less than {r.numbers['dwell']:g}s ago",
    ReasonCode.ADOPT: lambda r: r.detail,
    ReasonCode.DISOWN: lambda r: r.detail,
}


# -- limits ------------------------------------------------------------------------------------------------------------

_LIMITS: Final[Mapping[Limit, Callable[[LimitCheck], tuple[str, str]]]] = {
    Limit.NEVER_EMPTY: lambda c: (f"{c.found:g} answers", f"at least {c.allowed:g}"),
    Limit.MIN_REGIONS: lambda c: (f"{c.found:g} regions", f"at least {c.allowed:g} regions"),
    Limit.MAX_SHIFT: lambda c: (percent(c.found), f"{percent(c.allowed)} per {c.window:g}s"),
    Limit.MAX_CHANGES: lambda c: (f"change {c.found:g}", f"{c.allowed:g} per {c.window:g}s"),
}

_NOTES: Final[Mapping[LimitNote, str]] = {
    LimitNote.ANSWERS_STAY: "answers stay as they are",
    LimitNote.NOTHING_ANSWERED: "nothing is answered now",
    LimitNote.NO_NARROWER: "it gets no narrower",
    LimitNote.FAILING_OUT: "what is down leaves all the same",
    LimitNote.INDIVISIBLE: "the provider cannot say a smaller step",
    LimitNote.BEFORE_EDIT: "counted from before somebody else's edit",
    LimitNote.SMALLER: "so the step is made smaller",
}
