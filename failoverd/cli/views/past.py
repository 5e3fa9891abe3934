"""`failoverctl why` and `history`: what happened, and for which reasons."""

import time
from pathlib import Path
from typing import Final

from rich.console import Console

from failoverd.api.shapes import ChangeTold, HistoryQuery, HistoryTold, SaidTold, WhyQuery, WhyTold
from failoverd.cli.failing import Screen, print_json, seconds, told, usage
from failoverd.cli.options import Output
from failoverd.cli.screen import say, say_block
from failoverd.cli.views.reading import found
from failoverd.cli.views.times import clock
from failoverd.core.control.plan import PlanKind
from failoverd.core.overrides import UNSAID, by
from failoverd.core.records import percentages
from failoverd.operations.moments import moment

console = Screen(highlight=False)


def why(config: Path, output: Output, policy: str | None, at: str | None, incident: str | None) -> None:
    until = _moment(at)

    def read(_: object) -> tuple[WhyTold, float | None]:
        from failoverd.cli.views.journal import why_read

        return why_read(config, time.time(), policy=policy, at=until, incident=incident)

    with told():
        query = WhyQuery(policy=_name(policy), at=until, incident=_name(incident))
        answer = found(config, output, lambda client: client.why(query), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            show_why(console, answer.told)


def history(config: Path, output: Output, policy: str | None, since: str, limit: int) -> None:
    now = time.time()
    begin = max(0.0, now - seconds(since))

    def read(_: object) -> tuple[HistoryTold, float | None]:
        from failoverd.cli.views.journal import history_read

        return history_read(config, now, policy=policy, since=begin, limit=limit)

    with told():
        query = HistoryQuery(policy=_name(policy), since=begin, limit=limit)
        answer = found(config, output, lambda client: client.history(query), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            show_history(console, answer.told)


_LONGEST: Final = 128
"""Characters of a name."""


def _name(text: str | None) -> str | None:
    """A name that there may be: what cannot be one is not asked about."""
    if text is not None and not (0 < len(text) <= _LONGEST and text.isprintable() and not set(text) & {" ", "\x00"}):
        raise usage(f"{text[:40]!r} is no name of anything")
    return text


def _moment(text: str | None) -> float | None:
    try:
        return moment(text, time.time()) if text is not None else None
    except ValueError as error:
        raise usage(f"{text!r} is not a time: write 03:12 or 2026-11-22T03:12") from error


def show_why(console: Console, told: WhyTold) -> None:
    change = told.change
    where = f"{change.record} at {change.provider}"
    say(console, (where, "bold"), f", {clock(change.at)}, {by(told.actor)}")
    for word in told.overrides:
        say(console, "  ", ("override", "bold"), f"  {word}")
    ended = f"generation {change.generation}, {change.outcome}{_proof(change)}"
    say(console, f"  {percentages(change.from_bp) or 'no answer'} -> {percentages(change.to_bp)} ({ended})")
    for reason in told.reasons:
        say(console, f"  why    {reason}")
    say(console, f"  rule   {told.rule_at}")
    for limit in told.limits:
        say(console, f"  limit  {limit}")
    if told.events:
        say(console, f"what happened in incident {change.incident_id}:")
        for event in told.events:
            say(console, f"  {clock(event.at)} {event.event:<18} {event.message}")
    if told.undo_with:
        say(console, f"to undo it: {told.undo_with}")
    if told.undo:
        say(console, "to undo it by hand:")
        say_block(console, told.undo)


def show_history(console: Console, told: HistoryTold) -> None:
    """Both together, by their time."""
    both: list[ChangeTold | SaidTold] = [*told.overrides, *told.changes]
    for each in sorted(both, key=lambda each: each.at):
        say(console, *(_said(each) if isinstance(each, SaidTold) else _changed(each)))


def _changed(change: ChangeTold) -> tuple[str, str]:
    where = f"{change.record} at {change.provider}"
    shares = f"{percentages(change.from_bp) or 'no answer'} -> {percentages(change.to_bp)}"
    ended = change.outcome + (f" after {change.attempts} attempts" if change.attempts > 1 else "")
    kind = "" if change.kind == PlanKind.CHANGE else f"{change.kind.replace('_', ' ')}, "
    line = f"{clock(change.at)}  {where}  {kind}generation {change.generation} {ended}{_proof(change)}: {shares}"
    return line, f"  ({change.detail})" if change.detail else ""


def _said(said: SaidTold) -> tuple[str]:
    who = f" {by(said.by)}" if said.by else ""
    end = f", until {clock(said.until)}" if said.what in {"given", "extended"} else ""
    why = f": {said.text}" if said.text != UNSAID else ""
    return (f"{clock(said.at)}  {said.verb} of {said.about} {said.what}{who}{end}{why}  ({said.override})",)


def _proof(change: ChangeTold) -> str:
    """Whether all authoritative servers answered with it, and how long after the decision."""
    if change.verified_after_seconds is not None:
        return f", verified after {change.verified_after_seconds:.1f}s"
    return ", disputed by its servers" if change.disputed else ""
