"""What this vantage thinks of itself: whether failures are to be believed, told once when it changes.

`core.isolation` has the rules. Here is what they look at, kept up to date by what changes: how many endpoints of each
cloud failed in their last look, and how the sentinels are. A probe that passes where the last one passed costs nothing.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from failoverd.core.events import VantageIsolated, VantageRejoined
from failoverd.core.health import CheckHealth, Health, Observation, observe, would_fall
from failoverd.core.isolation import (
    NEVER,
    SENTINEL_RULES,
    CloudSight,
    Doubt,
    Family,
    IsolationRules,
    Voice,
    assess,
    choirs_for,
    family_of,
    grace,
    seen_elsewhere,
    told,
    witnessed,
)
from failoverd.core.probe_reasons import Outcome
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult
from failoverd.core.status import VantageStatus
from failoverd.ports import Clock, Emit

_Key = tuple[Family, str]
"""A cloud, as one address family sees it."""

_GRAIN: Final = 0.05
"""Seconds: of answers that come closer together, one is remembered."""

_REMEMBERED: Final = 4_096
"""Answers: those of more than three minutes, longer than most runs of failures."""

ALIVE: Final = frozenset({Outcome.PASS, Outcome.DEGRADED})


class Answers:
    """When the endpoints of a cloud answered lately, or a sentinel; and when each of these looks had begun."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def heard(self, result: ProbeResult) -> None:
        at = result.at
        if not self._times or at - self._times[-1][0] >= _GRAIN:
            self._times.append((at, at - result.timings.total))

    def between(self, since: float, until: float) -> bool:
        """Whether a look that began after `since` was answered until then."""
        began = next((began for at, began in reversed(self._times) if at <= until), NEVER)
        return began >= since

    @property
    def last(self) -> float:
        return self._times[-1][0] if self._times else NEVER


@dataclass(slots=True, eq=False)
class Sight:
    """One endpoint of one policy as the vantage counts it.

    Attributes:
        group: its policy and region.
        patience: seconds from one failing look to the next, at most.
        quickest: the time-out of the check under which it would be asked to bear a failure out.
        began: for each failing check, when that began.
        counting: for each check, when the failures began that are being counted, passes in between or not.
        complete: for each check, since when they would be enough for a verdict, if somebody bore them out.
        answers: its cloud's.
    """

    family: Family
    cloud: str
    group: tuple[str, str] = ("", "")
    patience: float = 0.0
    quickest: float = 0.0
    began: dict[str, float] = field(default_factory=dict)
    counting: dict[str, float] = field(default_factory=dict)
    complete: dict[str, float] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    def take_over(self, earlier: "Sight", check: str, *, same: bool = True) -> None:
        """What an earlier revision of the policy saw of the same endpoint under this check.

        Under one that is not the `same` any more its failures count no longer, but that it failed is still so: to edit
        a check is no sign that the network is back.
        """
        if check in earlier.began:
            self.began[check] = earlier.began[check]
        if same and check in earlier.counting:
            self.counting[check] = earlier.counting[check]
        if same and check in earlier.complete:
            self.complete[check] = earlier.complete[check]

    def count_from(self, check: str, at: float) -> None:
        """The failures that count begin here."""
        self.counting[check] = at
        self.complete.pop(check, None)


@dataclass(slots=True)
class _Sentinel:
    voice: Voice
    health: CheckHealth
    answers: Answers = field(default_factory=Answers)


class Objection(NamedTuple):
    """Why a failure is not counted.

    `open`: it would count if it were borne out. So it is looked at again soon, and so are those who could do that.
    """

    why: str
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
        self._quickest: dict[_Key, Counter[float]] = {}
        self._turn = 0
        self._patience: Counter[float] = Counter()  # of the endpoints that fail
        self._slowest_sentinel = max((check.timeout for _, check in sentinels), default=0.0)
        self._doubts: dict[Family, Doubt] = {}
        self._back: dict[Family, float] = {}  # when it last began to trust itself again
        self._watched: Counter[Family] = Counter()  # about a family that nobody watches there is nothing to say
        self._since = clock()

    # -- what is seen --------------------------------------------------------------------------------------------------

    def recount(self, come: Iterable[Sight] = (), gone: Iterable[Sight] = ()) -> None:
        """Policies came or went. Endpoints in a cloud that is not known say nothing."""
        watched: Counter[_Key] = Counter()
        failing: Counter[_Key] = Counter()
        for sights, sign in ((gone, -1), (come, 1)):
            for sight in sights:
                key = (sight.family, sight.cloud)
                self._watched[sight.family] += sign
                self._patience[sight.patience] += sign * bool(sight.began)
                if not sight.cloud:
                    continue
                watched[key] += sign
                failing[key] += sign * bool(sight.began)
                self._groups.setdefault(key, Counter())[sight.group] += sign
                self._quickest.setdefault(key, Counter())[sight.quickest] += sign
                sight.answers = self._answers.setdefault(key, Answers())
        now = self._clock()
        for key, more in watched.items():
            self._groups[key], self._quickest[key] = +self._groups[key], +self._quickest[key]
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
        if result.reason.is_answer:
            if check.uses_network:
                sight.answers.heard(result)
            self._answered(sight, result)
            return None
        if result.outcome is not Outcome.FAIL:
            return None
        began = result.at - result.timings.total
        counting = sight.counting.get(check.name)
        if counting is None or not health.failures or counting < self._back.get(sight.family, NEVER):
            sight.count_from(check.name, began)
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
        self._patience[sight.patience] += change
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
        if doubt is not None and doubt.abstains:
            self._assess(sight.family, result.at)  # somebody may have answered, or the time be over
            doubt = self._doubts.get(sight.family)
        if doubt is not None and doubt.abstains:
            return Objection(doubt.evidence)
        if doubt is not None and sight.cloud in doubt.believed:
            return None
        began = result.at - result.timings.total
        if began < self._back.get(sight.family, NEVER):
            return Objection("it began while the prober doubted itself", open=True)
        if not would_fall(health, result.at, rules):
            return None
        why = self._unheard(sight, sight.counting[check.name], began)
        complete = sight.complete.setdefault(check.name, result.at)
        if not why or result.at - complete > grace(rules, max(check.timeout, self._slowest_witness(sight))):
            return None  # borne out, or who could have done so had the time to
        return Objection(why, open=True)

    def _unheard(self, sight: Sight, since: float, until: float) -> str:
        """Who should have answered between these times, before a failure is believed; "" when enough have."""
        choirs = self._choirs(sight.family)
        if choirs:
            heard = any(
                witnessed([each.voice.well and each.answers.between(since, until) for each in choir], self._rules)
                for choir in choirs
            )
            return "" if heard else "not enough sentinels answered since it began to fail"
        if sight.answers.between(since, until):
            return ""  # somebody in its own cloud answered, perhaps itself
        others = [(found, self._answers[key].between(since, until)) for key, found in self._others(sight)]
        return (
            "" if seen_elsewhere(others, since, self._window) else "nobody in any cloud answered since it began to fail"
        )

    def _slowest_witness(self, sight: Sight) -> float:
        """The longest time-out of those who are asked to bear its failure out."""
        if self._choirs(sight.family):
            return self._slowest_sentinel
        return max((max(self._quickest[key]) for key, found in self._others(sight) if not found.lost), default=0.0)

    def _choirs(self, family: Family) -> list[list[_Sentinel]]:
        choirs = choirs_for(family, [each.voice for each in self._sentinels.values()])
        return [[self._sentinels[voice.name] for voice in choir] for choir in choirs]

    def _others(self, sight: Sight) -> list[tuple[_Key, CloudSight]]:
        """The other clouds of which endpoints of the same family are watched; all of them for what is in no cloud."""
        return [item for item in self._clouds.items() if item[0][0] is sight.family and item[0][1] != sight.cloud]

    def witnesses(self, sight: Sight) -> list[tuple[str, str]]:
        """Whose answer would bear a failure out, besides sentinels: policy and region, one for each other cloud."""
        if self._choirs(sight.family):
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
        alive = result.outcome in ALIVE
        if alive:
            sentinel.answers.heard(result)
        down = sentinel.health.state is Health.UNHEALTHY
        after = replace(
            voice,
            down=down,
            blind=result.outcome is Outcome.BLIND,
            well=alive and sentinel.health.passes >= SENTINEL_RULES.rise,
        )
        sentinel.voice = after
        if after != voice:
            for family in Family:
                self._assess(family, result.at)
        coming_back = alive and down  # nothing can be believed before it is well
        return observation._replace(recheck=observation.recheck or coming_back)

    # -- what it thinks of itself --------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let the time pass that bounds a doubt."""
        for family in tuple(self._doubts):
            self._assess(family, self._clock())

    def status(self) -> VantageStatus:
        voices = [sentinel.voice for sentinel in self._sentinels.values()]
        abstaining = [doubt for doubt in self._doubts.values() if doubt.abstains]
        return VantageStatus(
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
        rules = replace(self._rules, window=self._window)
        answered_at = max((each.last for (kind, _), each in self._answers.items() if kind is family), default=NEVER)
        after = assess(family, clouds, voices, before, rules, now, answered_at=answered_at)
        if after is None:
            self._doubts.pop(family, None)
        else:
            self._doubts[family] = after
        was, abstains = before is not None and before.abstains, after is not None and after.abstains
        if after is not None and abstains and not was:
            told_at = self._clock()
            self._emit(VantageIsolated(at=told_at, family=family, cause=after.cause, evidence=after.evidence))
        elif before is not None and was and not abstains:
            self._back[family] = now
            self._rejoined(before, after, now)

    @property
    def _window(self) -> float:
        """Never shorter than what the failures of one cause may lie apart."""
        slowest = max((patience for patience, failing in self._patience.items() if failing), default=0.0)
        return max(self._rules.window, 2 * slowest)

    def _rejoined(self, before: Doubt, after: Doubt | None, now: float) -> None:
        cause = "other clouds stayed in sight, so the evidence is believed" if after is not None else "it sees again"
        lasted = max(0.0, now - before.since)
        self._emit(VantageRejoined(at=self._clock(), family=before.family, lasted=lasted, evidence=cause))
