"""What this vantage thinks of itself: whether failures are to be believed, told once when it changes.

`isolation` has the rules. Here is what they look at, kept up to date by what changes: how many endpoints of each cloud
failed in their last probe, and how the sentinels are. A probe that passes where the last one passed costs nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from failoverd.core.health.endpoint import ALIVE, CheckHealth, Health, Observation, observe, would_fall
from failoverd.core.health.isolation import (
    NEVER,
    SENTINEL_RULES,
    CloudState,
    Doubt,
    Family,
    IsolationRules,
    SentinelState,
    assess,
    family_of,
    grace,
    seen_elsewhere,
    sentinel_groups,
    told,
    witnessed,
)
from failoverd.core.health.transitions import VantageTurned
from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult
from failoverd.core.status import VantageStatus

_C = TypeVar("_C")

_Key = tuple[Family, str]
"""A cloud, as one address family sees it."""

_GRAIN: Final = 0.05
"""Seconds: of answers that come closer together, one is remembered."""

_REMEMBERED: Final = 4_096
"""Answers: those of more than three minutes, longer than most runs of failures."""


class Answers:
    """When the endpoints of a cloud answered lately, or a sentinel; and when each of these probes had begun."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def heard(self, result: ProbeResult) -> None:
        """One of many answers: of those that come close together, one is enough."""
        if not self._times or result.at - self._times[-1][0] >= _GRAIN:
            self.note(result)

    def note(self, result: ProbeResult) -> None:
        """An answer that somebody may have asked for."""
        self._times.append((result.at, result.at - result.timings.total))

    def between(self, since: float, until: float) -> bool:
        """Whether a probe that began after `since` was answered until then."""
        began = next((began for at, began in reversed(self._times) if at <= until), NEVER)
        return began >= since

    @property
    def last(self) -> float:
        return self._times[-1][0] if self._times else NEVER


@dataclass(slots=True, eq=False)
class FailureTrack:
    """One endpoint of one policy as the vantage counts it.

    Attributes:
        group: its policy and region.
        patience: seconds from one failing probe to the next, at most.
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

    def take_over(self, earlier: "FailureTrack", check: str, *, same: bool = True) -> None:
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
class Sentinel:
    endpoint: Endpoint
    check: Check
    state: SentinelState
    health: CheckHealth
    answers: Answers = field(default_factory=Answers)


class Veto(NamedTuple):
    """Why a failure is not counted.

    `open`: it would count if it were borne out. So it is probed again soon, and so are those who could do that.
    """

    why: str
    open: bool = False


class Vantage:
    """Hears every failure before it counts.

    Args:
        told: takes it when the vantage begins and ends to doubt itself.
        now: the time.
        rules: the numbers.
        sentinels: what should always be reachable, each with its check, by whose name it is known.
    """

    def __init__(
        self,
        told: Callable[[VantageTurned], None],
        now: float,
        rules: IsolationRules | None = None,
        sentinels: Sequence[tuple[Endpoint, Check]] = (),
    ) -> None:
        self._told = told
        self._rules = rules or IsolationRules()
        self.sentinels = {
            check.name: Sentinel(
                endpoint, check, SentinelState(check.name, family_of(endpoint.family)), CheckHealth(since=now)
            )
            for endpoint, check in sentinels
        }
        self._clouds: dict[_Key, CloudState] = {}
        self._answers: dict[_Key, Answers] = {}
        self._groups: dict[_Key, Counter[tuple[str, str]]] = {}
        self._quickest: dict[_Key, Counter[float]] = {}
        self._turn = 0
        self._patience: Counter[float] = Counter()  # of the endpoints that fail
        self._slowest_sentinel = max((check.timeout for _, check in sentinels), default=0.0)
        self._doubts: dict[Family, Doubt] = {}
        self._back: dict[Family, float] = {}  # when it last began to trust itself again
        self._watched: Counter[Family] = Counter()  # about a family that nobody watches there is nothing to say
        self._since = now

    # -- what is seen --------------------------------------------------------------------------------------------------

    def recount(self, now: float, come: Iterable[FailureTrack] = (), gone: Iterable[FailureTrack] = ()) -> None:
        """Policies came or went. Endpoints in a cloud that is not known say nothing."""
        watched: Counter[_Key] = Counter()
        failing: Counter[_Key] = Counter()
        for tracks, sign in ((gone, -1), (come, 1)):
            for track in tracks:
                key = (track.family, track.cloud)
                self._watched[track.family] += sign
                self._patience[track.patience] += sign * bool(track.began)
                if not track.cloud:
                    continue
                watched[key] += sign
                failing[key] += sign * bool(track.began)
                _count(self._groups.setdefault(key, Counter()), track.group, sign)
                _count(self._quickest.setdefault(key, Counter()), track.quickest, sign)
                track.answers = self._answers.setdefault(key, Answers())
        for key, more in watched.items():
            before = self._clouds.pop(key, CloudState(key[1], 0, 0))
            after = replace(before, watched=before.watched + more, failing=before.failing + failing[key])
            lost_at = (now if before.lost_at is None else before.lost_at) if after.lost else None
            if after.watched:
                self._clouds[key] = replace(after, lost_at=lost_at)
        for family in Family:
            self._assess(family, now)

    def judge(
        self, track: FailureTrack, check: Check, result: ProbeResult, health: CheckHealth, rules: HealthRules
    ) -> Veto | None:
        """Take notice of an outcome; returns why a failure is not to be counted, or None when it is."""
        if result.reason.is_answer:
            if check.uses_network:
                track.answers.heard(result)
            self._answered(track, result)
            return None
        if result.outcome is not ProbeOutcome.FAIL:
            return None
        began = result.at - result.timings.total
        counting = track.counting.get(check.name)
        if counting is None or not health.failures or counting < self._back.get(track.family, NEVER):
            track.count_from(check.name, began)
        self._failed(track, result)
        return self._veto(track, check, result, health, rules)

    def _failed(self, track: FailureTrack, result: ProbeResult) -> None:
        first = not track.began
        track.began.setdefault(result.check, result.at)
        if first:
            self._tally(track, 1, result.at, result.at - result.timings.total)

    def _answered(self, track: FailureTrack, result: ProbeResult) -> None:
        if track.began.pop(result.check, None) is not None and not track.began:
            self._tally(track, -1, result.at, result.at)

    def _tally(self, track: FailureTrack, change: int, now: float, began: float) -> None:
        self._patience[track.patience] += change
        before = self._clouds.get((track.family, track.cloud))
        if before is None:
            return
        after = replace(before, failing=before.failing + change)
        if after.lost != before.lost:
            after = replace(after, lost_at=began if after.lost else None)
        self._clouds[track.family, track.cloud] = after
        if after.lost != before.lost:
            self._assess(track.family, now)

    def _veto(
        self, track: FailureTrack, check: Check, result: ProbeResult, health: CheckHealth, rules: HealthRules
    ) -> Veto | None:
        doubt = self._doubts.get(track.family)
        if doubt is not None and doubt.abstains:
            self._assess(track.family, result.at)  # somebody may have answered, or the time be over
            doubt = self._doubts.get(track.family)
        if doubt is not None and doubt.abstains:
            return Veto(doubt.evidence)
        if doubt is not None and track.cloud in doubt.believed:
            return None
        began = result.at - result.timings.total
        if began < self._back.get(track.family, NEVER):
            return Veto("it began while the prober doubted itself", open=True)
        if not would_fall(health, result.at, rules):
            return None
        why = self._unheard(track, track.counting[check.name], began)
        complete = track.complete.setdefault(check.name, result.at)
        if not why or result.at - complete > grace(rules, max(check.timeout, self._slowest_witness(track))):
            return None  # borne out, or who could have done so had the time to
        return Veto(why, open=True)

    def _unheard(self, track: FailureTrack, since: float, until: float) -> str:
        """Who should have answered between these times, before a failure is believed; "" when enough have."""
        groups = self._sentinel_groups(track.family)
        if groups:
            heard = any(
                witnessed([each.state.well and each.answers.between(since, until) for each in group], self._rules)
                for group in groups
            )
            return "" if heard else "not enough sentinels answered since it began to fail"
        if track.answers.between(since, until):
            return ""  # somebody in its own cloud answered, perhaps itself
        others = [(found, self._answers[key].between(since, until)) for key, found in self._others(track)]
        return (
            "" if seen_elsewhere(others, since, self._window) else "nobody in any cloud answered since it began to fail"
        )

    def _slowest_witness(self, track: FailureTrack) -> float:
        """The longest time-out of those who are asked to bear its failure out."""
        if self._sentinel_groups(track.family):
            return self._slowest_sentinel
        return max((max(self._quickest[key]) for key, found in self._others(track) if not found.lost), default=0.0)

    def _sentinel_groups(self, family: Family) -> list[list[Sentinel]]:
        groups = sentinel_groups(family, [each.state for each in self.sentinels.values()])
        return [[self.sentinels[state.name] for state in group] for group in groups]

    def _others(self, track: FailureTrack) -> list[tuple[_Key, CloudState]]:
        """The other clouds of which endpoints of the same family are watched; all of them for what is in no cloud."""
        return [item for item in self._clouds.items() if item[0][0] is track.family and item[0][1] != track.cloud]

    def witnesses(self, track: FailureTrack) -> list[tuple[str, str]]:
        """Whose answer would bear a failure out, besides sentinels: policy and region, one for each other cloud."""
        if self._sentinel_groups(track.family):
            return []
        self._turn += 1
        groups = (list(self._groups[key]) for key, found in self._others(track) if not found.lost)
        return [group[self._turn % len(group)] for group in groups]

    # -- sentinels -----------------------------------------------------------------------------------------------------

    def observe(self, result: ProbeResult) -> Observation | None:
        """Fold in one probe of a sentinel. None when there is no such sentinel."""
        sentinel = self.sentinels.get(result.check)
        if sentinel is None:
            return None
        observation = observe(sentinel.health, result, SENTINEL_RULES)
        sentinel.health, state = observation.health, sentinel.state
        alive = result.outcome in ALIVE
        if alive:
            sentinel.answers.note(result)
        down = sentinel.health.state is Health.UNHEALTHY
        after = replace(
            state,
            down=down,
            blind=result.outcome is ProbeOutcome.BLIND,
            well=alive and sentinel.health.passes >= SENTINEL_RULES.rise,
        )
        sentinel.state = after
        if after != state:
            for family in Family:
                self._assess(family, result.at)
        coming_back = alive and down  # nothing can be believed before it is well
        return observation._replace(recheck=observation.recheck or coming_back)

    # -- what it thinks of itself --------------------------------------------------------------------------------------

    @property
    def steady(self) -> bool:
        """Whether it has no doubts, and every sentinel is well: nothing that comes as it came last changes that."""
        return not self._doubts and all(each.state.well for each in self.sentinels.values())

    @property
    def isolated(self) -> frozenset[Family]:
        """In which families it does not trust itself, and abstains."""
        return frozenset(family for family, doubt in self._doubts.items() if doubt.abstains)

    @property
    def families(self) -> frozenset[Family]:
        """Those of which anything is watched."""
        return frozenset(family for family, watched in self._watched.items() if watched)

    def settle(self, now: float) -> None:
        """Let the time pass that bounds a doubt."""
        for family in tuple(self._doubts):
            self._assess(family, now)

    def status(self, now: float) -> VantageStatus:
        states = [sentinel.state for sentinel in self.sentinels.values()]
        abstaining = [doubt for doubt in self._doubts.values() if doubt.abstains]
        return VantageStatus(
            at=now,
            isolated=tuple(doubt.family.value for doubt in abstaining),
            since=min((doubt.since for doubt in abstaining), default=self._since),
            evidence=told(self._doubts),
            sentinels=len(states),
            silent=tuple(sorted(state.name for state in states if state.down or state.blind)),
        )

    def _assess(self, family: Family, now: float) -> None:
        if not self._watched[family]:
            self._doubts.pop(family, None)
            return
        before = self._doubts.get(family)
        clouds = [found for (kind, _), found in sorted(self._clouds.items()) if kind is family]
        states = [sentinel.state for sentinel in self.sentinels.values()]
        rules = replace(self._rules, window=self._window)
        answered_at = max((each.last for (kind, _), each in self._answers.items() if kind is family), default=NEVER)
        after = assess(family, clouds, states, before, rules, now, answered_at=answered_at)
        if after is None:
            self._doubts.pop(family, None)
        else:
            self._doubts[family] = after
        was, abstains = before is not None and before.abstains, after is not None and after.abstains
        if abstains and not was:
            self._told(VantageTurned(family, before, after))
        elif before is not None and was and not abstains:
            self._back[family] = now
            self._told(VantageTurned(family, before, after, lasted=max(0.0, now - before.since)))

    @property
    def _window(self) -> float:
        """Never shorter than what the failures of one cause may lie apart."""
        slowest = max((patience for patience, failing in self._patience.items() if failing), default=0.0)
        return max(self._rules.window, 2 * slowest)


def _count(counts: Counter[_C], what: _C, sign: int) -> None:
    """Who is not there any more is not in it: a copy without what is 0 would cost the whole for each policy."""
    counts[what] += sign
    if not counts[what]:
        del counts[what]
