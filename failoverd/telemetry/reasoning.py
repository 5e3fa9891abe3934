"""Sentences of reasons and limits: the sum of a decision, step by step, with its numbers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from failoverd.core.reasons import Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.core.records import WHOLE
from failoverd.foreign import quoted
from failoverd.telemetry.phrases import by_plan, costs, moment, percent


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
    whole = f"; {numbers['whole']:.12g} as other policies find it" if "whole" in numbers else ""
    needed = f", of which {'they' if whole else 'other policies'} need {numbers.get('taken', 0.0):.12g} first"
    taken = whole + (needed if "taken" in numbers else "")
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
    least = f", and a rule counts it from {percent(numbers['counts'])} on" if "counts" in numbers else ""
    return (
        f"{reason.region} is returning: step {numbers['step']:g} of {numbers['steps']:g}, "
        f"{percent(numbers['part'])} of {percent(numbers['of'])}{least}{upcoming}; "
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
    if "taken" in numbers:
        sum_of = f"{sum_of}, less the {numbers['taken']:.6g} that others need of it"
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


def _during(reason: Reason) -> str:
    """Since when and until when; what an older version wrote down does not say the first."""
    return f"{_since(reason)} {_until(reason)}".strip()


def _since(reason: Reason) -> str:
    return f"since {moment(reason.numbers['since'])}" if "since" in reason.numbers else ""


def _asked(reason: Reason) -> str:
    """From which query it is known: ` (signals.errors, which asks main: rate(...))`."""
    if len(reason.named) < len(("source", "query")):
        return ""
    source, query, *_ = reason.named
    return f" ({reason.rule}, which asks {quoted(source)}: {quoted(query, _QUERY)})"


_QUERY: Final = 160
"""Characters of a query that a sentence has room for."""


def _full(reason: Reason) -> str:
    return f", {_since(reason)}{_asked(reason)}" if "since" in reason.numbers else _asked(reason)


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
    ReasonCode.DRAINED: lambda r: f"{r.region} is drained {_during(r)} ({r.detail})",
    ReasonCode.SHED: lambda r: (
        f"{r.region} is shed by {percent(r.numbers['part'])} {_during(r)}: it would get {percent(r.numbers['wanted'])} "
        f"and gets {percent(r.numbers['room'])} ({r.detail})"
    ),
    ReasonCode.PINNED: lambda r: f"pinned to {_shares(r)} {_during(r)}, among those that serve ({r.detail})",
    ReasonCode.PIN_IDLE: lambda r: (
        f"nobody serves of whom it is pinned to ({_shares(r)}), so the pin {_until(r)} says nothing ({r.detail})"
    ),
    ReasonCode.OVERRULED: lambda r: (
        f"{f'{r.region} is not drained' if r.region else 'a pin does not count'} {_until(r)}, for what was said later "
        f"is in force ({r.detail})"
    ),
    ReasonCode.SAID: lambda r: f"endpoints are up, down or drained by override {_until(r)} ({r.detail})",
    ReasonCode.PAUSED: lambda r: f"paused {_during(r)}: nothing moves but what fails out ({r.detail})",
    ReasonCode.HELD: lambda r: f"held {_during(r)}: nothing is written ({r.detail})",
    ReasonCode.OVERRIDES_LOST: lambda r: (
        f"the marker names overrides that this journal does not know ({r.detail}), {_until(r)}: nobody gets "
        "traffic who has none, and nothing moves but what fails out"
    ),
    ReasonCode.PRACTISED: lambda r: f"{r.region} gets nothing {_during(r)}, for practice ({r.detail})",
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
        + f" (full above {r.numbers['low']:g}, nothing left at {r.numbers['high']:g}){_full(r)}"
    ),
    ReasonCode.LOADED_ALIKE: lambda r: (
        f"{_listed(r.regions)} would shed, and no region is known to have room for it: all keep theirs"
    ),
    ReasonCode.BURNING: lambda r: (
        f"{_burn(r)}, and the others {r.numbers['others']:.3g}: it is taken to be "
        f"{' '.join(filter(None, (r.detail, _since(r))))}{_asked(r)}"
    ),
    ReasonCode.SAME_EVERYWHERE: lambda r: (
        f"{_burn(r)}, and it is the same everywhere (the others {r.numbers['others']:.3g}): nothing moves for it"
    ),
    ReasonCode.NOT_COMPARED: lambda r: f"{_burn(r)}, and nobody says how the others are: nothing moves for it",
    ReasonCode.ALERTED: lambda r: f"an alert calls {r.region} {r.detail}; {_during(r)}",
    ReasonCode.LAST_LEFT: lambda r: f"{r.region} is called down, and nobody else serves: it stays, as degraded",
    ReasonCode.NEWER_LEADER: lambda r: (
        f"the leader of epoch {r.numbers['epoch']:.0f} ({r.detail}) wrote it, and this is epoch "
        f"{r.numbers['ours']:.0f}: nothing is written"
    ),
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
    ReasonCode.MODEL_SEEN: lambda r: f"{r.region} is seen to serve {r.detail}",
    ReasonCode.MODEL_DOUBTED: lambda r: (
        f"no region is seen to serve {r.detail}, which is wanted: what the inventory says counts"
    ),
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
    Limit.UNCOORDINATED: lambda c: (percent(c.found), f"{percent(c.allowed)}: nobody can lead"),
    Limit.ASSERTION: lambda c: (f"{c.found:g} of its groups", f"at least {c.allowed:g}"),
    Limit.GATE: lambda c: (percent(c.found), f"{percent(c.allowed)}: its switch is on"),
    Limit.HELD: lambda c: (percent(c.found), f"{percent(c.allowed)}: an override keeps it as it is"),
    Limit.LEADER: lambda c: (percent(c.found), f"{percent(c.allowed)}: a newer leader wrote it"),
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
