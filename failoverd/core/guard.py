"""The last look before a write: limits that no decision, however reasoned, may pass.

`review` is the only maker of `Approved`, and providers accept nothing else, so the type checker proves that every write
went through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, final

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
        verdict = "within" if self.passed else "not within"
        return f"{self.limit}: {self.found}, {verdict} {self.allowed}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was applied to the same target earlier: what the limits per window are counted from."""

    change_id: str
    at: float
    shares_before: Mapping[str, int]
    shares_after: Mapping[str, int]


_SEAL = object()


@final
class Approved:
    """A plan that passed every limit. Only `review` can make one; it cannot be changed, copied, stored or inherited."""

    __slots__ = ("_checks", "_plan")
    _plan: Plan
    _checks: tuple[LimitCheck, ...]

    def __init__(self, plan: Plan, checks: tuple[LimitCheck, ...], *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only guard.review() approves a plan")
        object.__setattr__(self, "_plan", plan)
        object.__setattr__(self, "_checks", checks)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def checks(self) -> tuple[LimitCheck, ...]:
        return self._checks

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError(f"an approval is not changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError(f"an approval is not changed: {name}")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("an approval has no other kinds")

    def __reduce__(self) -> NoReturn:
        raise TypeError("an approval is neither copied nor stored: it holds for this moment; review the plan again")

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


def _answers_nothing(plan: Plan) -> bool:
    """Whether the plan rebuilds an empty record: told from what the fence will compare, not from what is claimed."""
    return plan.before.records is None or not plan.before.records.serving


def _leaves_answers(plan: Plan) -> bool:
    """Whether only the marker is written: told from what the fence will compare."""
    return plan.kind in {PlanKind.ADOPT, PlanKind.DISOWN} and plan.after == plan.before.records


def _regions(shares: Mapping[str, int]) -> int:
    return sum(1 for region, share in shares.items() if share > 0 and region != ELSEWHERE)


def _min_regions(plan: Plan, limits: Limits) -> LimitCheck:
    """A record that is narrower than the limit already may move, but not become narrower still."""
    before, after = _regions(plan.shares_before), _regions(plan.shares_after)
    found, allowed = f"{after} regions", f"at least {limits.min_regions} regions"
    if after >= limits.min_regions:
        return LimitCheck(Limit.MIN_REGIONS, True, found, allowed)
    if _leaves_answers(plan):
        return LimitCheck(Limit.MIN_REGIONS, True, found, allowed, "answers stay as they are")
    if _answers_nothing(plan):
        return LimitCheck(Limit.MIN_REGIONS, True, found, allowed, "nothing is answered now")
    if plan.shares_before and after >= before:
        return LimitCheck(Limit.MIN_REGIONS, True, found, allowed, f"{before} answer now: it gets no narrower")
    return LimitCheck(Limit.MIN_REGIONS, False, found, allowed)


def _max_shift(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> LimitCheck:
    allowed = f"{_percent(limits.max_shift)} per {limits.shift_window:g}s"
    if _answers_nothing(plan):
        return LimitCheck(Limit.MAX_SHIFT, True, "0%", allowed, "nothing is answered now: no traffic to move")
    if _leaves_answers(plan):
        return LimitCheck(Limit.MAX_SHIFT, True, "0%", allowed, "answers stay as they are")
    largest = _largest_shift(plan, limits.shift_window, history, now)
    note = "counted from before somebody else's edit" if plan.baseline is not None else ""
    return LimitCheck(Limit.MAX_SHIFT, largest <= limits.max_shift, _percent(largest), allowed, note)


def _largest_shift(plan: Plan, window: float, history: Sequence[PastChange], now: float) -> int:
    """The largest distance between the new shares and any that failoverd had published within the window.

    Going out and coming back does not add up; a slow walk in small steps does. Somebody else's edit is no step of ours:
    putting it back is not rationed, and it opens no door to a larger shift.
    """
    stood = [change.shares_before for change in _within(window, history, now) if change.shares_before]
    return max(shift(shares, plan.shares_after) for shares in [*stood, plan.start])


def _max_changes(plan: Plan, limits: Limits, history: Sequence[PastChange], now: float) -> LimitCheck:
    done = len(_within(limits.changes_window, history, now))
    found, allowed = f"change {done + 1}", f"{limits.max_changes} per {limits.changes_window:g}s"
    if _answers_nothing(plan):
        return LimitCheck(Limit.MAX_CHANGES, True, found, allowed, "rebuilding an empty record is not rationed")
    return LimitCheck(Limit.MAX_CHANGES, done < limits.max_changes, found, allowed)


def _within(window: float, history: Sequence[PastChange], now: float) -> list[PastChange]:
    """Changes that the window has not forgotten; it forgets one at the very moment that `_until` names."""
    return [change for change in history if change.at + window > now]


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
