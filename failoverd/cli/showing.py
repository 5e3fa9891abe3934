"""`failoverctl status`, `why` and `history` for people: how their views look on a terminal."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from rich.console import Console

from failoverd.cli.screen import Page, say, say_block
from failoverd.core.decide import Wish
from failoverd.core.events import percentages
from failoverd.core.health import Health
from failoverd.core.records import WHOLE
from failoverd.core.status import (
    EndpointStatus,
    Heartbeat,
    Overview,
    PolicyStatus,
    ProbingStatus,
    RegionStatus,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.history import PastMove
from failoverd.operations.overview import daemon_state
from failoverd.operations.why import Explanation

# -- status ------------------------------------------------------------------------------------------------------------


def show_status(console: Console, found: Overview, now: float) -> None:
    """One screen: is the daemon alive, what is wrong, what is published, what waits and for what."""
    page, beat = Page(), found.heartbeat
    page.say("daemon: ", (daemon_state(beat, now), "bold"), _beat_words(beat, now) if beat else "")
    _show_vantage(page, found.vantage, now)
    _show_probing(page, found.probing)
    regions, endpoints = _by_policy(found.regions), _by_policy(found.endpoints)
    targets: dict[str, list[TargetStatus]] = {}
    for target in found.targets:
        targets.setdefault(target.target.policy, []).append(target)
    for policy in found.policies:
        _show_policy(page, policy, now)
        _show_regions(page, regions.get(policy.policy, []), now)
        _show_endpoints(page, endpoints.get(policy.policy, []), now)
        for target in targets.get(policy.policy, ()):
            _show_target(page, target)
    page.show(console)


P = TypeVar("P", RegionStatus, EndpointStatus)


def _by_policy(statuses: Iterable[P]) -> dict[str, list[P]]:
    found: dict[str, list[P]] = {}
    for status in statuses:
        found.setdefault(status.policy, []).append(status)
    return found


def _beat_words(beat: Heartbeat, now: float) -> str:
    return f" (pid {beat.pid}, version {beat.version}, last seen {_ago(now - beat.at)} ago); records stay as they are"


def _show_vantage(page: Page, vantage: VantageStatus | None, now: float) -> None:
    """Whether the prober trusts its own network; nothing where there is nothing to say."""
    if vantage is None:
        return
    if vantage.isolated:
        families, since = " and ".join(vantage.isolated), _ago(now - vantage.since)
        page.say((f"prober: abstains on {families}", "red"), f" for {since}: {vantage.evidence}")
        page.say("  failures are not counted and move nothing until it sees its sentinels or the clouds again")
    elif vantage.silent:
        many = f"{len(vantage.silent)} of {vantage.sentinels} sentinels do not answer"
        page.say(f"prober: trusts its network; {many}: {', '.join(vantage.silent)}")


def _show_probing(page: Page, probing: ProbingStatus | None) -> None:
    """Whether the schedule is kept."""
    if probing is None:
        return
    pace = f"{probing.rate:,.0f}/s" if probing.rate >= _MANY else f"{probing.rate:.1f}/s"
    lag = f"lag p99 {probing.lag * 1000:,.0f} ms, at most {probing.lag_max * 1000:,.0f} ms"
    page.say(f"probing: {pace}, {lag}, {probing.skipped:,} skipped, {probing.waiting:,} waiting")
    if probing.stretched > 1:
        words = f"  shedding load: intervals are {probing.stretched} times as long as written"
        page.say((words, "red"), "; re-checks keep their pace")


_MANY: Final = 10
"""From so many a second on, tenths say nothing."""


def _show_policy(page: Page, policy: PolicyStatus, now: float) -> None:
    page.say()
    page.say((policy.policy, "bold"), f"  revision {policy.revision} of {policy.file}")
    if policy.rejected:
        page.say(("  a newer file does not load:", "red"), f" {policy.rejected}")
    if policy.incident_id:
        since = f" for {_ago(now - policy.incident_since)}" if policy.incident_since is not None else ""
        runbook = f"; runbook {policy.runbook}" if policy.runbook else ""
        page.say((f"  incident {policy.incident_id}", "red"), since, runbook)


_COLUMNS: Final = ("region", "type", "health", "score", "for", "evidence")


def _show_regions(page: Page, regions: Sequence[RegionStatus], now: float) -> None:
    rows = [
        (each.region, each.record_type, each.state, f"{each.score * 100 / WHOLE:g}%", _ago(now - each.since))
        for each in regions
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS[:-1], *rows, strict=True)]
    evidence = [_COLUMNS[-1], *(each.evidence for each in regions)]
    for cells, last in zip((_COLUMNS[:-1], *rows), evidence, strict=True):
        page.say("  ", *(f"{cell:<{width + 2}}" for cell, width in zip(cells, widths, strict=True)), last)


def _show_endpoints(page: Page, endpoints: Iterable[EndpointStatus], now: float) -> None:
    """Those that are not well: of the others, the table of the regions says enough."""
    for each in endpoints:
        if each.state != Health.HEALTHY:
            words = f" for {_ago(now - each.since)}: {each.evidence}"
            page.say(f"    {each.region} {each.endpoint}: ", (each.state, "red"), words)


def _show_target(page: Page, target: TargetStatus) -> None:
    colour = "green" if target.state is TargetState.IN_SYNC else "red"
    unread = target.state is TargetState.DELAYED and not target.generation and not target.published
    published = percentages(target.published) or "no answer"
    stands = ": what is answered is not known" if unread else f" generation {target.generation}: {published}"
    page.say(f"  {target.target}: ", (target.state, colour), stands)
    for reason in target.reasons if target.wish != Wish.NORMAL else ():
        page.say(f"    why: {reason}")
    if target.detail:
        page.say(f"    {target.detail}")
    if target.remedy:
        page.say(f"    remedy: {target.remedy}")
    if target.until is not None:
        page.say(f"    next look at {_clock(target.until)}")
    if target.manual:
        page.say("    the same by hand:")
        page.say_block(target.manual)


# -- why ---------------------------------------------------------------------------------------------------------------


def show_why(console: Console, found: Explanation) -> None:
    move = found.move
    where = f"{move.record} at {move.provider}"
    say(console, (where, "bold"), f", {_clock(move.at)}, by {found.actor}")
    ended = f"generation {move.generation}, {move.outcome}{_proof(move)}"
    say(console, f"  {percentages(move.before) or 'no answer'} -> {percentages(move.after)} ({ended})")
    for reason in found.reasons:
        say(console, f"  why    {reason}")
    say(console, f"  rule   {found.rule_at}")
    for limit in found.limits:
        say(console, f"  limit  {limit}")
    if found.events:
        say(console, f"what happened in incident {move.incident_id}:")
        for told in found.events:
            say(console, f"  {_clock(told.at)} {told.event:<18} {told.message}")
    if found.undo:
        say(console, "to undo it by hand (a running daemon would decide again):")
        say_block(console, found.undo)


# -- history -----------------------------------------------------------------------------------------------------------


def show_history(console: Console, moves: Iterable[PastMove]) -> None:
    for move in moves:
        where = f"{move.record} at {move.provider}"
        shares = f"{percentages(move.before) or 'no answer'} -> {percentages(move.after)}"
        ended = move.outcome + (f" after {move.attempts} attempts" if move.attempts > 1 else "")
        line = f"{_clock(move.at)}  {where}  generation {move.generation} {ended}{_proof(move)}: {shares}"
        say(console, line, f"  ({move.detail})" if move.detail else "")


def _proof(move: PastMove) -> str:
    """Whether all authoritative servers answered with it, and how long after the decision."""
    if move.verified_after is not None:
        return f", verified after {move.verified_after:.1f}s"
    return ", disputed by its servers" if move.disputed else ""


# -- time --------------------------------------------------------------------------------------------------------------


def _clock(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "-"


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
