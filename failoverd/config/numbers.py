"""Whether the numbers of a policy make sense together: shares, limits, thresholds, times, capacity."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from math import ceil, log2

from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document
from failoverd.config.drafts import Draft
from failoverd.config.eligibility import may_answer
from failoverd.config.gauges import declared
from failoverd.config.schema.inventory_file import InventoryFile
from failoverd.config.values import say_duration, say_percent
from failoverd.core.records import WHOLE, Check, Steering, few
from failoverd.settings import CheckSettings

_SHORTEST_EVERY, _LONGEST_EVERY = 0.1, 86_400.0
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.01, 60.0
_NAMED = 3
_ROUNDING = 50
"""Shares that miss 100 by less than this many basis points were rounded, not mistyped."""


def numbers(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    yield from _shares(draft)
    yield from _min_regions(draft)
    yield from _thresholds(draft)
    yield from _capacity(draft, inventory)
    yield from _suppression(draft)
    for check in draft.checks:
        yield from times(draft.document, ("checks", check.name), check)
    for dependency in draft.dependencies:
        yield from times(draft.document, ("dependencies", dependency.name), dependency.check)


# -- shares ------------------------------------------------------------------------------------------------------------


def _shares(draft: Draft) -> Iterator[Diagnostic]:
    regions = draft.policy.regions
    stated = {name: entry.share for name, entry in regions.items() if entry.share is not None}
    weighted = draft.policy.steering is Steering.WEIGHTED
    for name in regions:
        if stated and name not in stated:
            message = f"{name} has no share, and other regions have one"
            hint = "give it one; share: 0 makes it a standby"
            yield draft.document.diagnose(Code.SHARES, ("regions", name), message, hint, key=True)
    if weighted and stated and not any(stated.values()):
        message = "every region has a share of 0, so nobody would get traffic"
        yield draft.document.diagnose(Code.SHARES, ("regions",), message, "give a region a share", key=True)
        return
    if len(stated) == len(regions):
        yield from _whole(draft, stated)
    yield from _priorities(draft)


def _whole(draft: Draft, stated: dict[str, int]) -> Iterator[Diagnostic]:
    """Within a tier shares are proportions; a sum far from 100 is more often a slip than an intention."""
    tiers: dict[int, list[str]] = defaultdict(list)
    for name, share in stated.items():
        if share > 0:
            tiers[draft.policy.regions[name].priority].append(name)
    for priority, names in sorted(tiers.items()):
        total = sum(stated[name] for name in names)
        if len(names) > 1 and abs(total - WHOLE) >= _ROUNDING:
            tier = f" of priority {priority}" if len(tiers) > 1 else ""
            gets = ", ".join(f"{name} {stated[name] / total:.1%}" for name in names)
            message = f"the shares{tier} add up to {total / 100:g}, not 100; as proportions they mean {gets}"
            place = ("regions", names[-1], "share")
            yield draft.document.diagnose(Code.SHARES_NOT_WHOLE, place, message, severity=Severity.WARNING)


def _priorities(draft: Draft) -> Iterator[Diagnostic]:
    """What is read from the top says who comes first: tiers that nobody is in, or that get nothing, are slips."""
    regions = draft.policy.regions
    tiers: dict[int, list[str]] = defaultdict(list)
    for name, entry in regions.items():
        tiers[entry.priority].append(name)
    first, *others = sorted(tiers)
    place = ("regions", tiers[first][0])
    served = draft.tier()
    if served[0] not in tiers[first]:
        idle, gets = tiers[first], "gets" if len(served) == 1 else "get"
        message = f"{_names(idle)} of priority {first} {_have(idle)} no share: {_names(served)} {gets} all"
        behind = regions[served[0]].priority
        hint = f"give a region of priority {first} a share, or the standbys a priority behind {behind}"
        yield draft.document.diagnose(Code.TIER_IDLE, place, message, hint, key=True, severity=Severity.WARNING)
    for after, number in pairwise((0, first, *others)):
        if number > after + 1:
            nobody = f"{after + 1}" if number == after + 2 else f"{after + 1} to {number - 1}"
            message = f"no region has priority {nobody}, and {_names(tiers[number])} {_have(tiers[number])} {number}"
            at = ("regions", tiers[number][0], "priority")
            hint = f"write priority: {after + 1}, or name who comes before"
            yield draft.document.diagnose(Code.PRIORITY_IDLE, at, message, hint, severity=Severity.WARNING)


def _names(names: list[str]) -> str:
    return few(names, _NAMED)


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


# -- limits ------------------------------------------------------------------------------------------------------------


def _min_regions(draft: Draft) -> Iterator[Diagnostic]:
    wanted = draft.policy.limits.min_regions
    place = ("limits", "min_regions")
    for record in draft.policy.records:
        answering = draft.answering(record.type)
        normal = [name for name in draft.tier() if name in answering]
        available = len(answering) if draft.policy.demand is not None else len(normal)
        if answering and wanted > max(available, 1):
            what = f"{record.name} {record.type}"
            message = f"{what} is answered by {available} of the regions when all is well, fewer than min_regions"
            yield draft.document.diagnose(Code.TOO_FEW_REGIONS, place, message, f"write min_regions: {available}")
            return


# -- health ------------------------------------------------------------------------------------------------------------


def _thresholds(draft: Draft) -> Iterator[Diagnostic]:
    health = draft.policy.health
    wrong = {
        ("down_below",): health.down_below == 0 and "down_below is 0%: a region could never be down",
        ("degraded_below",): health.down_below > health.degraded_below
        and f"down_below ({say_percent(health.down_below)}) is above degraded_below "
        f"({say_percent(health.degraded_below)})",
        ("degraded", "leave"): health.degraded.leave >= health.degraded.enter
        and f"degraded.leave ({say_percent(health.degraded.leave)}) is not below degraded.enter "
        f"({say_percent(health.degraded.enter)})",
        ("flap", "reuse"): health.flap.reuse >= health.flap.suppress
        and f"flap.reuse ({health.flap.reuse:g}) is not below flap.suppress ({health.flap.suppress:g})",
    }
    for place, message in wrong.items():
        if message:
            yield draft.document.diagnose(Code.THRESHOLDS, ("health", *place), message)


def _suppression(draft: Draft) -> Iterator[Diagnostic]:
    """The longest suppression sets the highest penalty; if that is not above `suppress`, nothing ever is."""
    flap = draft.policy.health.flap
    if flap.reuse >= flap.suppress or flap.penalty == 0:
        return
    shortest = flap.half_life * log2(flap.suppress / flap.reuse)
    if flap.max_suppress <= shortest:
        message = (
            f"flap.max_suppress ({say_duration(flap.max_suppress)}) is not longer than a penalty takes to fall from "
            f"flap.suppress to flap.reuse ({say_duration(ceil(shortest))}): nothing would ever be suppressed"
        )
        hint = f"write max_suppress: {say_duration(2 * ceil(shortest))}, or a shorter half_life"
        yield draft.document.diagnose(Code.THRESHOLDS, ("health", "flap", "max_suppress"), message, hint)


def times(document: Document, place: tuple[str, str], check: Check) -> Iterator[Diagnostic]:
    """Whether the times of a check that stands at `place` can be kept."""
    if not _SHORTEST_EVERY <= check.every <= _LONGEST_EVERY:
        message = f"every {say_duration(check.every)} is not within 100ms and 1d"
        yield document.diagnose(Code.CHECK_TIMES, (*place, "every"), message)
    if not _SHORTEST_TIMEOUT <= check.timeout <= _LONGEST_TIMEOUT:
        message = f"a timeout of {say_duration(check.timeout)} is not within 10ms and 1m"
        yield document.diagnose(Code.CHECK_TIMES, (*place, "timeout"), message)
    slow = check.settings.slow if isinstance(check.settings, CheckSettings) else None
    if slow is not None and not 0 < slow < check.timeout:
        message = f"slow ({say_duration(slow)}) is not between 0s and the timeout ({say_duration(check.timeout)})"
        hint = "an answer after the timeout is a failure, so it can never be slow"
        yield document.diagnose(Code.CHECK_TIMES, (*place, "slow"), message, hint)
    if check.timeout > check.every:
        message = (
            f"a probe may take {say_duration(check.timeout)}, longer than the {say_duration(check.every)} to the next"
        )
        hint = "an endpoint that hangs is then probed less often than `every` says"
        where = (*place, "timeout")
        yield document.diagnose(Code.SLOW_CHECK, where, message, hint, severity=Severity.WARNING)


# -- capacity ----------------------------------------------------------------------------------------------------------


def _capacity(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    demand = declared(draft.policy.demand)
    known = {
        name: declared(inventory.regions[name].capacity) for name in draft.policy.regions if name in inventory.regions
    }
    if demand is None or len(known) < len(draft.policy.regions):
        return
    known = {name: capacity for name, capacity in known.items() if may_answer(draft, inventory, name)}
    for name, capacity in known.items():
        if capacity is None:
            message = f"{name} has no capacity in the inventory, so it is taken to carry the whole demand"
            hint = "state its capacity in the inventory"
            place = ("regions", name)
            yield draft.document.diagnose(Code.NO_CAPACITY, place, message, hint, key=True, severity=Severity.WARNING)
    total = sum(capacity for capacity in known.values() if capacity is not None)
    if known and None not in known.values() and total < demand:
        message = f"the regions together carry {total:.12g}, less than the demand of {demand:.12g}"
        hint = "some regions will get more than they can carry even when all is well"
        if draft.policy.shed_to is not None:
            hint = "some of it will go to shed_to even when all is well"
        yield draft.document.diagnose(Code.TOO_LITTLE_CAPACITY, ("demand",), message, hint, severity=Severity.WARNING)
