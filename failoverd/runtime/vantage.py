"""What this vantage thinks of itself: whether failures are to be believed, told once when it changes.

`core.isolation` has the rules. Here is what they look at, kept up to date by what changes: how many endpoints of each
cloud failed in their last look, and how the sentinels are. A probe that passes where the last one passed costs nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, NamedTuple

from failoverd.core.events import VantageIsolated, VantageRejoined
from failoverd.core.health import CheckHealth, Health, Observation, observe, would_fall
from failoverd.core.isolation import (
    ANSWERED,
    SENTINEL_RULES,
    CloudSight,
    Doubt,
    Family,
    IsolationRules,
    Voice,
    assess,
    family_of,
    grace,
    run_length,
    seen_elsewhere,
    told,
    voices_for,
    witnessed,
)
from failoverd.core.records import Check, Endpoint, HealthRules, Outcome, ProbeResult
from failoverd.core.situations import VantageSituation
from failoverd.ports import Clock, Emit

_Key = tuple[Family, str]
"""A cloud, as one address family sees it."""

ALIVE: Final = frozenset({Outcome.PASS, Outcome.DEGRADED})


@dataclass(slots=True, eq=False)
class Answers:
    """When an endpoint of a cloud last answered."""

    at: float = float("-inf")


@dataclass(slots=True, eq=False)
class Sight:
    """One endpoint of one policy as the vantage counts it.

    `group` is its policy and region; `began` has, for each failing check, when that began; `counting`, for each
    check, when the failures began that are being counted, passes in between or not; `answers` are its cloud's.
    """

    family: Family
    cloud: str
    group: tuple[str, str] = ("", "")
    began: dict[str, float] = field(default_factory=dict)
    counting: dict[str, float] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    def take_over(self, earlier: "Sight", check: str) -> None:
        """What an earlier revision of the policy saw of the same endpoint under this check."""
        if check in earlier.began:
            self.began[check] = earlier.began[check]
        if check in earlier.counting:
            self.counting[check] = earlier.counting[check]


@dataclass(slots=True)
class _Sentinel:
    voice: Voice
    health: CheckHealth


class Objection(NamedTuple):
    """Why a failure is not counted; `ask` when those who could bear it out should be looked at now.

    `open` when the failure is to be looked at again soon: it would count as soon as it is borne out.
    """

    why: str
    ask: bool = False
    open: bool = False


class Vantage:
    """Hears every failure before it counts.

    Args:
        emit: is told when the vantage begins and ends to doubt itself.
        clock: the time.
        rules: the numbers.
        sentinels: what should always be reachable, each with its check, by whose name it is known.
    """

    def __init__(
        self,
        emit: Emit,
        clock: Clock,
        rules: IsolationRules | None = None,
        sentinels: Sequence[tuple[Endpoint, Check]] = (),
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._rules = rules or IsolationRules()
        self._sentinels = {
            check.name: _Sentinel(Voice(check.name, family_of(endpoint.family)), CheckHealth(since=clock()))
            for endpoint, check in sentinels
        }
        self._clouds: dict[_Key, CloudSight] = {}
        self._answers: dict[_Key, Answers] = {}
        self._groups: dict[_Key, Counter[tuple[str, str]]] = {}
        self._turn = 0
        self._slowest = 0.0  # what a look that failed may have taken, and the pause before the next one
        self._doubts: dict[Family, Doubt] = {}
        self._watched: Counter[Family] = Counter()  # about a family that nobody watches there is nothing to say
        self._since = clock()
        self._asked_at = -inf

    # -- what is seen --------------------------------------------------------------------------------------------------

    def recount(self, come: Iterable[Sight] = (), gone: Iterable[Sight] = ()) -> None:
        """Policies came or went. Endpoints in a cloud that is not known say nothing."""
        watched: Counter[_Key] = Counter()
        failing: Counter[_Key] = Counter()
        for sights, sign in ((gone, -1), (come, 1)):
            for sight in sights:
                key = (sight.family, sight.cloud)
                self._watched[sight.family] += sign
                if not sight.cloud:
                    continue
                watched[key] += sign
                failing[key] += sign * bool(sight.began)
                self._groups.setdefault(key, Counter())[sight.group] += sign
                sight.answers = self._answers.setdefault(key, Answers())
        now = self._clock()
        for key, more in watched.items():
            self._groups[key] = +self._groups[key]
            before = self._clouds.pop(key, CloudSight(key[1], 0, 0))
            after = replace(before, watched=before.watched + more, failing=before.failing + failing[key])
            lost_at = (now if before.lost_at is None else before.lost_at) if after.lost else None
            if after.watched:
                self._clouds[key] = replace(after, lost_at=lost_at)
        for family in Family:
            self._assess(family, now)

    def judge(
        self, sight: Sight, check: Check, result: ProbeResult, health: CheckHealth, rules: HealthRules
    ) -> Objection | None:
        """Take notice of an outcome; returns why a failure is not to be counted, or None when it is."""
        if result.reason in ANSWERED or result.outcome in ALIVE:
            sight.answers.at = result.at
            self._answered(sight, result)
            return None
        if result.outcome is not Outcome.FAIL:
            return None
        if not health.failures:
            sight.counting.pop(check.name, None)
        sight.counting.setdefault(check.name, result.at - result.timings.total)
        self._slowest = max(self._slowest, check.timeout + rules.recheck)
        self._failed(sight, result)
        return self._objection(sight, check, result, health, rules)

    def _failed(self, sight: Sight, result: ProbeResult) -> None:
        first = not sight.began
        sight.began.setdefault(result.check, result.at)
        if first:
            self._tally(sight, 1, result.at, result.at - result.timings.total)

    def _answered(self, sight: Sight, result: ProbeResult) -> None:
        if sight.began.pop(result.check, None) is not None and not sight.began:
            self._tally(sight, -1, result.at, result.at)

    def _tally(self, sight: Sight, change: int, now: float, began: float) -> None:
        before = self._clouds.get((sight.family, sight.cloud))
        if before is None:
            return
        after = replace(before, failing=before.failing + change)
        if after.lost != before.lost:
            after = replace(after, lost_at=began if after.lost else None)
        self._clouds[sight.family, sight.cloud] = after
        if after.lost != before.lost:
            self._assess(sight.family, now)

    def _objection(
        self, sight: Sight, check: Check, result: ProbeResult, health: CheckHealth, rules: HealthRules
    ) -> Objection | None:
        doubt = self._doubts.get(sight.family)
        if doubt is not None and doubt.until is not None and result.at >= doubt.until and doubt.abstains:
            self._assess(sight.family, result.at)
            doubt = self._doubts.get(sight.family)
        if doubt is not None and doubt.abstains:
            return Objection(doubt.evidence)
        if doubt is not None and sight.cloud in doubt.clouds:
            return None  # believed already
        if not would_fall(health, result.at, rules):
            return None
        since = sight.counting[check.name]
        if result.at - since > run_length(rules, check.timeout) + grace(rules, check.timeout):
            return None  # who could have borne it out had the time to
        why = self._unheard(sight, since)
        if not why:
            return None
        ask = result.at - self._asked_at >= rules.recheck  # many endpoints may wait for the same answer
        self._asked_at = result.at if ask else self._asked_at
        return Objection(why, ask, open=True)

    def _unheard(self, sight: Sight, since: float) -> str:
        """Who should have answered since then, before a failure is believed; "" when enough have."""
        voices = voices_for(sight.family, [each.voice for each in self._sentinels.values()])
        if voices:
            heard = witnessed(sight.family, voices, since, self._rules)
            return "" if heard else "not enough sentinels answered since it began to fail"
        if sight.answers.at >= since:
            return ""  # somebody in its own cloud answered, perhaps itself
        others = [(found, self._answers[key].at) for key, found in self._others(sight)]
        return "" if seen_elsewhere(others, since) else "nobody in any cloud answered since it began to fail"

    def _others(self, sight: Sight) -> list[tuple[_Key, CloudSight]]:
        """The other clouds of which endpoints of the same family are watched; none for what is in no cloud."""
        if not sight.cloud:
            return []
        return [item for item in self._clouds.items() if item[0][0] is sight.family and item[0][1] != sight.cloud]

    def witnesses(self, sight: Sight) -> list[tuple[str, str]]:
        """Whose answer would bear a failure out, besides sentinels: policy and region, one for each other cloud."""
        if voices_for(sight.family, [each.voice for each in self._sentinels.values()]):
            return []
        self._turn += 1
        groups = (list(self._groups[key]) for key, found in self._others(sight) if not found.lost)
        return [group[self._turn % len(group)] for group in groups]

    # -- sentinels -----------------------------------------------------------------------------------------------------

    def observe(self, result: ProbeResult) -> Observation | None:
        """Fold in one look at a sentinel. None when there is no such sentinel."""
        sentinel = self._sentinels.get(result.check)
        if sentinel is None:
            return None
        observation = observe(sentinel.health, result, SENTINEL_RULES)
        sentinel.health, voice = observation.health, sentinel.voice
        alive = result.outcome in {Outcome.PASS, Outcome.DEGRADED}
        after = replace(
            voice,
            down=observation.health.state is Health.UNHEALTHY,
            blind=result.outcome is Outcome.BLIND,
            answered_at=result.at if alive else voice.answered_at,
            well=alive and observation.health.state in {Health.HEALTHY, Health.DEGRADED},
        )
        sentinel.voice = after
        if (after.down, after.blind, after.well) != (voice.down, voice.blind, voice.well):
            for family in Family:
                self._assess(family, result.at)
        return observation

    # -- what it thinks of itself --------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let the time pass that bounds a doubt."""
        for family in tuple(self._doubts):
            self._assess(family, self._clock())

    def situation(self) -> VantageSituation:
        voices = [sentinel.voice for sentinel in self._sentinels.values()]
        abstaining = [doubt for doubt in self._doubts.values() if doubt.abstains]
        return VantageSituation(
            at=self._clock(),
            isolated=tuple(doubt.family.value for doubt in abstaining),
            since=min((doubt.since for doubt in abstaining), default=self._since),
            evidence=told(self._doubts),
            sentinels=len(voices),
            silent=tuple(sorted(voice.name for voice in voices if voice.down or voice.blind)),
        )

    def _assess(self, family: Family, now: float) -> None:
        if not self._watched[family]:
            self._doubts.pop(family, None)
            return
        before = self._doubts.get(family)
        clouds = [found for (kind, _), found in sorted(self._clouds.items()) if kind is family]
        voices = [sentinel.voice for sentinel in self._sentinels.values()]
        rules = replace(self._rules, window=max(self._rules.window, 2 * self._slowest))
        after = assess(family, clouds, voices, before, rules, now)
        if after is None:
            self._doubts.pop(family, None)
        else:
            self._doubts[family] = after
        was, abstains = before is not None and before.abstains, after is not None and after.abstains
        if after is not None and abstains and not was:
            told_at = self._clock()
            self._emit(VantageIsolated(at=told_at, family=family, cause=after.cause, evidence=after.evidence))
        elif before is not None and was and not abstains:
            self._rejoined(before, after, now)

    def _rejoined(self, before: Doubt, after: Doubt | None, now: float) -> None:
        cause = "other clouds stayed in sight, so the evidence is believed" if after is not None else "it sees again"
        lasted = max(0.0, now - before.since)
        self._emit(VantageRejoined(at=self._clock(), family=before.family, lasted=lasted, evidence=cause))
