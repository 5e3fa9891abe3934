"""What operators' words make of a policy at a target: read once, before the other stages, which heed what it says.

Who is drained may not get traffic (`eligible`, which never sees it); who is shed gets a part of what it would get
(`allocation`); a pin says the shares among those that serve (`decide`); a hold leaves everything as it is (`decide`);
a pause lets nothing move but what fails out (`limits`). A verdict by word replaces what probes found.

Of two pins the later one counts. What a person did by hand counts more than the drains that were given before it.

Words that are lost. The marker beside a record names the words that applied when it was written. One that nobody here
knows was given to a daemon that lost its journal since: what it said is not known any more, but the kind of word it
was, and its end. A lost hold holds. With any other, nothing moves but what fails out; and unless it was a pause, nobody
gets traffic who has none, for that may be the region that was drained.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.control.decision import soonest
from failoverd.core.control.signals import SAYING, Lowered, Signalled, lowered
from failoverd.core.health.region import RegionHealth, by_word
from failoverd.core.overrides import UNMARKED, Override, Verb, about, begins, by, in_force, next_turn, verb_of
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import WHOLE, Marker, Policy, RecordType, Target

STEPS: Final = 10
"""In how many steps a drain over some time takes the traffic away."""

_KEEPING_OUT: Final = frozenset({None, *Verb}) - {Verb.PAUSE, Verb.ALERT}
"""Words after which a region may be without traffic on purpose; None is one of a later version."""


def named(word: Override) -> bool:
    """Whether markers name it."""
    return word.verb not in UNMARKED


@dataclass(frozen=True, slots=True)
class Heeded:
    """What words say about a target now.

    Attributes:
        words: all that concern it.
        drained: regions that get no traffic, by the word that says so.
        shed: regions that get a part less, in basis points, by the word that says so.
        pin: the shares that are wanted.
        practised: regions that get no traffic for a drill, by the word that says so, unless anything else is going on.
        yielded: those whose drill yields, because something is.
        overruled: words that would say otherwise if the pin did not count more; with the region, where it is a drain.
        hold: why nothing is written.
        pause: why nothing moves but what fails out.
        stopped: whether nothing is written at all, not even a marker.
        lost: ids of words that nobody here knows.
        lost_until: when the last of them ends.
        until: when time alone changes any of this.
    """

    words: tuple[Override, ...] = ()
    drained: Mapping[str, Override] = field(default_factory=dict)
    shed: Mapping[str, tuple[int, Override]] = field(default_factory=dict)
    pin: Override | None = None
    practised: Mapping[str, Override] = field(default_factory=dict)
    yielded: Mapping[str, Override] = field(default_factory=dict)
    overruled: tuple[tuple[str, Override], ...] = ()
    hold: Override | None = None
    pause: Override | None = None
    stopped: bool = False
    lost: tuple[str, ...] = ()
    lost_until: float = 0.0
    until: float | None = None

    @property
    def said(self) -> tuple[Override, ...]:
        """Those that the marker names."""
        return tuple(each for each in self.words if named(each))

    @property
    def shaping(self) -> bool:
        """Whether what is wanted differs from what the file says because of a word."""
        return bool(self.drained or self.shed or self.pin)

    @property
    def lost_hold(self) -> bool:
        """Whether a lost word may have been one by which nothing at all is written."""
        return any(verb_of(each) in {None, Verb.HOLD} for each in self.lost)

    @property
    def lost_out(self) -> bool:
        """Whether a lost word may have been one that keeps a region out of the answer."""
        return any(verb_of(each) in _KEEPING_OUT for each in self.lost)

    @property
    def now(self) -> bool:
        """Whether what moves because of a word meets no rates."""
        moving = (*self.drained.values(), *(word for _, word in self.shed.values()), self.pin)
        return any(word is not None and word.now for word in moving)

    def reasons(self) -> tuple[Reason, ...]:
        """Each word that shapes the answer, with who gave it."""
        found = [by_operator(ReasonCode.DRAINED, word, name) for name, word in sorted(self.drained.items())]
        if self.pin is not None:
            found += [_overruled(name, word, self.pin) for name, word in self.overruled]
        found += [by_operator(ReasonCode.SAID, word) for word in self.words if of_endpoints(word)]
        if self.yielded:
            found.append(Reason(ReasonCode.PRACTICE_YIELDS, "overrides", regions=tuple(sorted(self.yielded))))
        if self.pause is not None:
            found.append(by_operator(ReasonCode.PAUSED, self.pause))
        if self.hold is not None:
            found.append(by_operator(ReasonCode.HELD, self.hold))
        if self.lost:
            numbers = {"until": self.lost_until}
            lost = ", ".join(self.lost)
            found.append(Reason(ReasonCode.OVERRIDES_LOST, "overrides", numbers=numbers, named=self.lost, detail=lost))
        return tuple(found)


def by_operator(code: ReasonCode, word: Override, region: str = "", **numbers: float) -> Reason:
    """A step of the sum that a word makes: which, who gave it and why, since when and until when it holds."""
    return Reason(
        code,
        "overrides",
        region,
        numbers={**numbers, "since": word.since, "until": word.ends},
        shares={name: float(share) for name, share in word.shares.items()},
        named=(word.id,),
        detail=f"{word.id} {by(word.actor)}: {word.reason}",
    )


def _overruled(region: str, word: Override, pin: Override) -> Reason:
    found = by_operator(ReasonCode.OVERRULED, word, region)
    return replace(found, numbers={"until": pin.ends}, detail=f"{found.detail}; later: {pin.id} {by(pin.actor)}")


def heed(
    policy: Policy,
    target: Target,
    overrides: Iterable[Override],
    marker: Marker | None,
    owner: str,
    now: float,
    ends: Mapping[str, float] | None = None,
) -> Heeded:
    """What the words say about `target` now.

    `overrides` may hold words that are about nothing of the policy any more: a marker that names these names none that
    is lost. `marker` is the one that stands there, of whichever owner. `ends` is when words end that were found to be
    lost before: a marker says the end of the last word only, and one that was given since may hold for longer.
    """
    known = tuple(overrides)
    ours = about(known, policy)
    words = in_force(ours, target, now)
    mine = marker if marker is not None and marker.owner == owner else None
    lost = _lost(known, words, mine, now, ends or {}) if mine is not None else {}
    if not ours and not lost:
        return Heeded()
    drained, shed, turn = _by_region(policy, words, now)
    pins = [word for word in words if word.verb is Verb.PIN]
    pin = max(pins, key=lambda word: word.since, default=None)
    overruled = [("", word) for word in pins if word is not pin]
    if pin is not None and pin.by_hand:
        later = _by_region(policy, [word for word in words if word.since > pin.since], now)[0]
        counting = {name: word for name, word in drained.items() if not pin.shares.get(name)} | later
        overruled += [(name, word) for name, word in sorted(drained.items()) if name not in counting]
        drained = counting
    stopped = any(word.verb is Verb.PAUSE and word.scope.everything for word in words)
    holding = [word for word in words if word.verb is Verb.HOLD or (stopped and word.verb is Verb.PAUSE)]
    return Heeded(
        words=words,
        drained=drained,
        shed=shed,
        pin=pin,
        practised=_practised(policy, words),
        overruled=tuple(overruled),
        hold=next(iter(holding), None),
        pause=next((word for word in words if word.verb is Verb.PAUSE), None),
        stopped=stopped,
        lost=tuple(lost),
        lost_until=max(lost.values(), default=0.0),
        until=soonest(turn, next_turn(ours, now), *lost.values()),
    )


def _lost(
    known: Iterable[Override], words: Iterable[Override], marker: Marker, now: float, ends: Mapping[str, float]
) -> dict[str, float]:
    """The words that are lost, and when each ends, as far as is known.

    The same word given again, of the same verb about the same, stands in for one that was lost. One about another
    region does not: what was lost may keep out the first one still. A practice that is lost is over: whatever else is
    known counts more than it.
    """
    ids = {each.id for each in known}
    lost = [each for each in marker.overrides if each not in ids and verb_of(each) is not Verb.PRACTICE]
    if lost:
        again = tuple(begins(each.verb, each.scope) for each in words)
        lost = [each for each in lost if not each.startswith(again)]
    until = {each: min(float(marker.until), ends.get(each, float(marker.until))) for each in lost}
    return {each: end for each, end in until.items() if end > now}


def _by_region(
    policy: Policy, words: Iterable[Override], now: float
) -> tuple[dict[str, Override], dict[str, tuple[int, Override]], float | None]:
    """Regions that are drained, and shed, and when the next step of a drain is due."""
    drained: dict[str, Override] = {}
    shed: dict[str, tuple[int, Override]] = {}
    turn: float | None = None
    for word in words:
        if word.verb not in {Verb.DRAIN, Verb.SHED}:
            continue
        part, due = (word.part, None) if word.verb is Verb.SHED else stepped(word, now)
        turn = soonest(turn, due)
        for region in policy.regions:
            if not (word.scope.has_region(region) and all(map(word.scope.has_endpoint, region.endpoints))):
                continue
            if part >= WHOLE:
                drained.setdefault(region.name, word)
            elif part > shed.get(region.name, (0, word))[0]:
                shed[region.name] = (part, word)
    return drained, {name: each for name, each in shed.items() if name not in drained}, turn


def _practised(policy: Policy, words: Iterable[Override]) -> dict[str, Override]:
    """Regions that a drill is about, those of a word that names some of their endpoints left out."""
    found: dict[str, Override] = {}
    for word in words:
        for region in policy.regions if word.verb is Verb.PRACTICE and not word.scope.endpoints else ():
            if word.scope.has_region(region):
                found.setdefault(region.name, word)
    return found


def stepped(drain: Override, now: float) -> tuple[int, float | None]:
    """How much of the traffic has to be gone by now, in basis points, and when the next step is due."""
    if drain.over <= 0 or now >= drain.since + drain.over:
        return WHOLE, None
    step = int(max(0.0, now - drain.since) / drain.over * STEPS) + 1
    return step * WHOLE // STEPS, drain.since + drain.over * step / STEPS


def drained_regions(policy: Policy, overrides: Iterable[Override], now: float) -> frozenset[str]:
    """Regions of which nobody is to be called because they are ill: a word keeps all of the policy's traffic away."""
    whole = [
        each
        for each in overrides
        if each.verb is Verb.DRAIN and not each.scope.endpoints and not each.scope.records and each.in_force(now)
    ]
    return frozenset(region.name for region in policy.regions for each in whole if each.scope.has_region(region))


def of_endpoints(word: Override) -> bool:
    """Whether it says how endpoints are, or that they get nothing; a drain of whole regions is none of these."""
    return word.verb in {Verb.UP, Verb.DOWN, Verb.DRAIN} and bool(word.scope.endpoints)


def seen_by_word(
    policy: Policy, record_type: RecordType, regions: Mapping[str, RegionHealth], heeded: Heeded
) -> Mapping[str, RegionHealth]:
    """The health of the regions, with the endpoints that are up, down or drained by word as that says.

    Who leaves because the whole region is drained is as well as he was; but he may be called up or down besides.
    """
    words = list(filter(of_endpoints, heeded.words))
    if not words:
        return regions
    found = dict(regions)
    for spec in policy.regions:
        health = regions.get(spec.name)
        about = [word for word in words if word.scope.has_region(spec)]
        if spec.name in heeded.drained:
            about = [word for word in about if word.verb is not Verb.DRAIN]
        if health is None or not about:
            continue
        said: dict[str, bool | None] = {}
        for word in about:
            for endpoint in spec.endpoints:
                answer = endpoint.answer(record_type)
                if answer is not None and word.scope.has_endpoint(endpoint):
                    said.setdefault(answer, None if word.verb is Verb.DRAIN else word.verb is Verb.UP)
        weights, since = spec.answers(record_type), max(word.since for word in about)
        found[spec.name] = by_word(health, said, weights, policy.health, since=since)
    return found


def seen(
    policy: Policy,
    target: Target,
    regions: Mapping[str, RegionHealth],
    signalled: Signalled,
    overrides: Iterable[Override],
    heeded: Heeded,
    now: float,
) -> Lowered:
    """What probes found of the regions, as operators' words say it, and then as signals and alerts lower it."""
    found = seen_by_word(policy, target.key.type, regions, heeded)
    words = [word for word in overrides if word.verb in SAYING and word.scope.has_target(target)]
    return lowered(policy, found, signalled, words, heeded.drained, now)


def out_by_word(policy: Policy, record_type: RecordType, heeded: Heeded) -> frozenset[str]:
    """Answer values of endpoints that are drained one by one: that they leave is no sign of illness."""
    words = [word for word in heeded.words if word.verb is Verb.DRAIN and word.scope.endpoints]
    return frozenset(
        value
        for spec in policy.regions
        for word in words
        if word.scope.has_region(spec)
        for endpoint in spec.endpoints
        if word.scope.has_endpoint(endpoint) and (value := endpoint.answer(record_type)) is not None
    )
