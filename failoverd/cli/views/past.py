"""`failoverctl why` and `history`: what happened, and for which reasons."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console

from failoverd.cli.failing import Screen, print_json, seconds, told, unknown, usage
from failoverd.cli.options import Output
from failoverd.cli.screen import say, say_block
from failoverd.cli.views.reading import opened
from failoverd.cli.views.times import clock
from failoverd.config.locating import journal_of
from failoverd.core.control.plan import PlanKind
from failoverd.core.errors import ConfigError
from failoverd.core.overrides import by
from failoverd.core.records import percentages
from failoverd.operations import history as histories
from failoverd.operations import why as explanations
from failoverd.operations.history import PastMove
from failoverd.operations.moments import moment
from failoverd.operations.why import Explanation
from failoverd.store.reading import Reading

console = Screen(highlight=False)


def why(config: Path, output: Output, policy: str | None, at: str | None, incident: str | None) -> None:
    until = _moment(at)
    with told(), opened(Reading(journal_of(config))) as reading:
        _require(reading, policy, incident)
        found = explanations.why(reading, policy=policy, at=until, incident=incident)
        if found is None:
            raise ConfigError("no change is known", reason="no_change", remedy="failoverctl status says what waits")
        if output is Output.JSON:
            print_json(explanations.as_json(found))
        else:
            show_why(console, found)


def history(config: Path, output: Output, policy: str | None, since: str, limit: int) -> None:
    begin = time.time() - seconds(since)
    with told(), opened(Reading(journal_of(config))) as reading:
        _require(reading, policy, None)
        moves = histories.history(reading.changes(policy=policy, since=begin, limit=limit))
        if output is Output.JSON:
            print_json(histories.as_json(moves))
        else:
            show_history(console, moves)


def _require(reading: Reading, policy: str | None, incident: str | None) -> None:
    """A name that the journal does not know is a slip, and no reason to say that nothing happened."""
    if policy is not None and policy not in (known := reading.policy_names()):
        raise unknown("policy", policy, known, "the journal knows no other")
    if incident is not None and reading.incident(incident) is None:
        ids = [row.incident_id for row in reversed(reading.incidents(limit=_RECENT))]
        raise unknown("incident", incident, ids, "failoverctl history --output json names them all")


_RECENT: Final = 20
"""Incidents among which one that was meant is looked for."""


def _moment(text: str | None) -> float | None:
    try:
        return moment(text, time.time()) if text is not None else None
    except ValueError as error:
        raise usage(f"{text!r} is not a time: write 03:12 or 2026-11-22T03:12") from error


def show_why(console: Console, found: Explanation) -> None:
    move = found.move
    where = f"{move.record} at {move.provider}"
    say(console, (where, "bold"), f", {clock(move.at)}, {by(found.actor)}")
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
            say(console, f"  {clock(told.at)} {told.event:<18} {told.message}")
    if found.undo:
        say(console, "to undo it by hand:")
        say_block(console, found.undo)


def show_history(console: Console, moves: Iterable[PastMove]) -> None:
    for move in moves:
        where = f"{move.record} at {move.provider}"
        shares = f"{percentages(move.before) or 'no answer'} -> {percentages(move.after)}"
        ended = move.outcome + (f" after {move.attempts} attempts" if move.attempts > 1 else "")
        kind = "" if move.kind == PlanKind.CHANGE else f"{move.kind.replace('_', ' ')}, "
        line = f"{clock(move.at)}  {where}  {kind}generation {move.generation} {ended}{_proof(move)}: {shares}"
        say(console, line, f"  ({move.detail})" if move.detail else "")


def _proof(move: PastMove) -> str:
    """Whether all authoritative servers answered with it, and how long after the decision."""
    if move.verified_after is not None:
        return f", verified after {move.verified_after:.1f}s"
    return ", disputed by its servers" if move.disputed else ""
