"""The last look before a write: limits that no decision, however reasoned, may pass.

`review` is the only maker of `Approved`, and providers accept nothing else, so the type checker proves that every write
went through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from failoverd.core.plan import Plan, PlanKind
from failoverd.core.records import ELSEWHERE, WHOLE, Limits


class Limit(StrEnum):
    NEVER_EMPTY = "never_empty"
    MIN_REGIONS = "min_regions"
    MAX_SHIFT = "max_shift"
    MAX_CHANGES = "max_changes"


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit with its numbers, for the log line and the operator: `found` against `allowed`."""

    limit: Limit
    passed: bool
    found: str
    allowed: str
    note: str = ""

    def __str__(self) -> str:
        verdict = "within" if self.passed else "over"
        return f"{self.limit}: {self.found}, {verdict} {self.allowed}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was applied to the same target earlier: what the limits per window are counted from."""

    change_id: str
    at: float
    shares_before: Mapping[str, int]
    shares_after: Mapping[str, int]


_SEAL = object()


class Approved:
    """A plan that passed every limit. Only `review` can make one."""

    __slots__ = ("_checks", "_plan")

    def __init__(self, plan: Plan, checks: tuple[LimitCheck, ...], *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only guard.review() approves a plan")
        self._plan = plan
        self._checks = checks

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def checks(self) -> tuple[LimitCheck, ...]:
        return self._checks

    def __repr__(self) -> str:
        return f"Approved({self._plan.id})"


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that a limit blocks. `until` is when the window lets it pass, or None when only a person can."""

    plan: Plan
    checks: tuple[LimitCheck, ...]
    until: float | None

    @property
    def blocking(self) -> tuple[LimitCheck, ...]:
        return tuple(check for check in self.checks if not check.passed)


def review(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> Approved | Held:
    """Hold the plan against the limits of its policy.

    Args:
        plan: what would be written.
        limits: from the policy.
        history: changes applied to the same target, in any order; older ones than the windows are ignored.
        now: seconds since the epoch.
    """
    checks = (
        _never_empty(plan),
        _min_regions(plan, limits),
        _max_shift(plan, limits, history, now),
        _max_changes(plan, limits, history, now),
    )
    if all(check.passed for check in checks):
        return Approved(plan, checks, seal=_SEAL)
    return Held(plan, checks, _until(plan, limits, history, now))


def shift(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """How much of the traffic is somewhere else in `other` than in `one`, in basis points."""
    regions = {*one, *other}
    return sum(abs(one.get(region, 0) - other.get(region, 0)) for region in regions) // 2


def _never_empty(plan: Plan) -> LimitCheck:
    serving = len(plan.after.serving)
    return LimitCheck(Limit.NEVER_EMPTY, serving > 0, f"{serving} answers", "at least 1")


def _min_regions(plan: Plan, limits: Limits) -> LimitCheck:
    allowed = f"at least {limits.min_regions} regions"
    regions = sum(1 for region, share in plan.shares_after.items() if share > 0 and region != ELSEWHERE)
    if plan.kind is PlanKind.ADOPT:
        return LimitCheck(Limit.MIN_REGIONS, True, f"{regions} regions", allowed, "answers stay as they are")
    if regions < limits.min_regions and not plan.shares_before:
        return LimitCheck(Limit.MIN_REGIONS, True, f"{regions} regions", allowed, "nothing is answered now")
    return LimitCheck(Limit.MIN_REGIONS, regions >= limits.min_regions, f"{regions} regions", allowed)


def _max_shift(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> LimitCheck:
    allowed = f"{_percent(limits.max_shift)} per {limits.shift_window:g}s"
    if not plan.shares_before:
        return LimitCheck(Limit.MAX_SHIFT, True, "0%", allowed, "nothing is answered now: no traffic to move")
    largest = _largest_shift(plan, limits.shift_window, history, now)
    return LimitCheck(Limit.MAX_SHIFT, largest <= limits.max_shift, _percent(largest), allowed)


def _largest_shift(plan: Plan, window: float, history: Sequence[PastChange], now: float) -> int:
    """The largest distance between the new shares and any that stood within the window.

    Going out and coming back does not add up; a slow walk in small steps does.
    """
    stood = [change.shares_before for change in history if change.at > now - window and change.shares_before]
    return max(shift(shares, plan.shares_after) for shares in [*stood, plan.shares_before])


def _max_changes(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> LimitCheck:
    done = sum(1 for change in history if change.at > now - limits.changes_window)
    found, allowed = f"change {done + 1}", f"{limits.max_changes} per {limits.changes_window:g}s"
    if not plan.shares_before:
        return LimitCheck(Limit.MAX_CHANGES, True, found, allowed, "rebuilding an empty record is not rationed")
    return LimitCheck(Limit.MAX_CHANGES, done < limits.max_changes, found, allowed)


def _until(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> float | None:
    """The first moment at which the windows have forgotten enough, if time alone can help."""
    ages = {change.at + window for change in history for window in (limits.shift_window, limits.changes_window)}
    for moment in sorted(moment for moment in ages if moment > now):
        later = (
            _never_empty(plan),
            _min_regions(plan, limits),
            _max_shift(plan, limits, history, moment),
            _max_changes(plan, limits, history, moment),
        )
        if all(check.passed for check in later):
            return moment
    return None


def _percent(basis_points: int) -> str:
    return f"{basis_points * 100 / WHOLE:g}%"
