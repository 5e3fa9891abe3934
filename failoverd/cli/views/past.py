"""`failoverctl why` and `history`: what happened, and for which reasons."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from failoverd.api.asked import MARK, HistoryQuery, WhyQuery
from failoverd.api.client import ApiError
from failoverd.api.shapes import (
    ChangeTold,
    CostTold,
    EditTold,
    HistoryTold,
    RecordLineTold,
    RegionSumTold,
    SaidTold,
    WhyTold,
)
from failoverd.cli.failing import OutputConsole, print_json, seconds, told, usage
from failoverd.cli.options import Output
from failoverd.cli.screen import aligned, folded, say, say_block, say_worded, shown
from failoverd.cli.views.glancing import countdown
from failoverd.cli.views.origin import found, gone
from failoverd.cli.views.spoken_times import clock
from failoverd.core.control.plan import PlanKind
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import ITSELF, UNSAID, by
from failoverd.core.records import WHOLE, percentages
from failoverd.core.status import TargetState
from failoverd.operations.moments import moment
from failoverd.settings import parse_record_name
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)


def why(
    config: Path, output: Output, what: str | None, policy: str | None, at: str | None, incident: str | None
) -> None:
    """`what` is a policy, or a record by its name, which has a dot, as no policy has."""
    query = _asked(what, policy, _moment(at), incident)

    def read(unheard: ApiError) -> tuple[WhyTold, float | None]:
        from failoverd.cli.views.from_journal import why_read

        return why_read(config, time.time(), query, silent=gone(unheard))

    with told():
        try:
            answer = found(config, output, lambda client: client.why(query), read)
        except FailoverdError as error:
            if error.reason == "no_change" and output is Output.TEXT and query.at is None:
                _show_present(config, query)
            raise
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            show_why(console, answer.told, time.time())


def _asked(what: str | None, policy: str | None, at: float | None, incident: str | None) -> WhyQuery:
    record: str | None = None
    if what is not None and "." in what:
        try:
            record = parse_record_name(what)
        except ValueError as error:
            raise usage(shown(str(error))) from error
    elif what is not None:
        if policy not in {None, what}:
            raise usage("name one policy")
        policy = what
    return WhyQuery(policy=_name(policy), record=record, at=at, incident=_name(incident))


def _show_present(config: Path, query: WhyQuery) -> None:
    """How it stands, where nothing was ever changed."""
    from failoverd.cli.views.now import StatusWanted, look

    now = time.time()
    policies = (query.policy,) if query.policy is not None else ()
    seen = look(StatusWanted(config, policies, verbose=True), now, again=True)
    for each in seen.records:
        if query.record in {None, each.record} and (each.level != "well" or query.policy or query.record):
            _show_standing(console, each, now)


def history(
    config: Path, output: Output, policy: str | None, since: str, limit: int, member: str | None = None
) -> None:
    now = time.time()
    begin = max(0.0, now - seconds(since))

    def read(_: object) -> tuple[HistoryTold, float | None]:
        from failoverd.cli.views.from_journal import history_read

        return history_read(config, now, policy=policy, since=begin, limit=limit, member=member)

    with told():
        query = HistoryQuery(policy=_name(policy), since=begin, limit=limit, member=_member(member))
        answer = found(config, output, lambda client: client.history(query), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            show_history(console, answer.told)


def _member(name: str | None) -> str | None:
    if name is not None and re.fullmatch(MARK, name) is None:
        raise usage(shown(f"{name[:40]!r} is no name of a member"))
    return name


_LONGEST: Final = 128
"""Characters of a name."""


def _name(text: str | None) -> str | None:
    """A name that there may be: what cannot be one is not asked about."""
    if text is not None and not (0 < len(text) <= _LONGEST and text.isprintable() and not set(text) & {" ", "\x00"}):
        raise usage(f"{text[:40]!r} is no name of anything")
    return text


def _moment(text: str | None) -> float | None:
    now = time.time()
    try:
        found = moment(text, now) if text is not None else None
    except ValueError as error:
        raise usage(f"{text!r} is not a time: write 03:12 or 2026-11-22T03:12") from error
    if found is not None and found >= now + _MINUTE:
        raise usage(f"{text!r} is still to come: nobody knows what is answered then")
    return found


_MINUTE: Final = 60.0
"""The minute that is running has a beginning in the past, and its end is meant."""


def show_why(console: Console, told: WhyTold, now: float) -> None:
    """How it stands, then the change that brought it there, the sum, all that led to it, and how to undo it."""
    if told.records:
        _show_present_first(console, told, now)
    _show_change(console, told)
    if told.events:
        say(console, f"what happened in incident {told.change.incident_id}:")
        for event in told.events:
            say(console, f"  {clock(event.at)} {event.event:<18} {event.message}")
    if told.undo_with:
        say(console, f"to undo it: {told.undo_with}")
    if told.undo:
        say(console, "to undo it by hand:")
        say_block(console, told.undo)


def _show_present_first(console: Console, told: WhyTold, now: float) -> None:
    first, *others = told.records
    _show_standing(console, first, now, told)
    for each in others:
        if each.level != "well":
            say(console, (f"also {_place(each)}: ", _COLOURS.get(each.level, "")), each.why or each.state)
    say(console, ("the last change:", "bold"))


def _show_change(console: Console, told: WhyTold) -> None:
    change = told.change
    where = f"{change.record} at {change.provider}"
    if told.then:
        say(console, (f"{where} was held up: ", "bold yellow"), told.then)
    say(console, (where, "bold"), f", {clock(change.at)}, {by(told.actor)}")
    if told.edited and not told.records:
        say(console, ("  edited", "bold"), f"  an edit of the policy's file moved it: revision {told.edited}")
    if told.cost is not None and not told.records:
        say(console, f"  cost   {_cost(told.cost)}")
    for word in told.overrides:
        say(console, "  ", ("override", "bold"), f"  {word}")
    ended = f"generation {change.generation}, {change.outcome}{_proof(change)}"
    say(console, f"  {percentages(change.from_bp) or 'no answer'} -> {percentages(change.to_bp)} ({ended})")
    _show_sums(console, told.sums)
    for reason in told.reasons:
        say(console, f"  why    {reason}")
    say(console, f"  rule   {told.rule_at}")
    for limit in told.limits:
        say(console, f"  limit  {limit}")


_COLOURS: Final = {"moved": "yellow", "unknown": "magenta", "person": "bold red"}

_STATES: Final = {
    "in_sync": "answers",
    "holding": "is held, and answers",
    "limited": "is held by a limit, and answers",
    "refused": "is not touched, and answered",
    "drifted": "was edited by somebody else, and answers",
    "delayed": "cannot be read or written now, and answered",
}
"""How it is said, by the state of a record."""

_OLD: Final = 30.0
"""Seconds after which a look is no look at the present."""


def _place(each: RecordLineTold) -> str:
    return f"{each.record} {each.type} at {each.provider}"


def _show_standing(console: Console, each: RecordLineTold, now: float, told: WhyTold | None = None) -> None:
    """Five lines for who has no time for more: where, why, what next, how to stop it, what it cost."""
    answer = percentages(each.now_bp) or "nothing that is known"
    since = f" since {clock(each.since)} ({phrases.ago(now - each.since)} ago)" if each.since is not None else ""
    brought = told if told is not None and _brought(told.change, each) else None
    who = f", {_who(brought)}" if brought is not None and since else ""
    normal = f"; normally {percentages(each.normal_bp)}" if each.moved else ""
    unseen = now - each.seen if each.seen is not None else 0.0
    old = f" (as it was seen {phrases.ago(unseen)} ago)" if unseen > _OLD else ""
    words = f" {_STATES.get(each.state, 'answers')} {answer}{since}{who}{normal}{old}"
    say(console, (_place(each), f"bold {_COLOURS.get(each.level, 'green')}"), words)
    why = [each.why, _of_edits(brought) if brought is not None else ""]
    say(console, f"  why    {'; '.join(filter(None, why)) or 'all is as on any day'}")
    ahead = f" {countdown(each.next_at, now)}" if each.next and each.next_at is not None else ""
    say(console, f"  next   {each.next or 'nothing, until something changes'}{ahead}")
    if each.stop:
        say(console, f"  stop   {each.stop}")
    if each.costs:
        say(console, f"  price  {each.costs}")
    if brought is not None and brought.cost is not None:
        say(console, f"  cost   {_cost(brought.cost)}")


def _brought(change: ChangeTold, each: RecordLineTold) -> bool:
    """Whether what is answered there now is what that change made it, and nobody else did since."""
    here = (change.record, change.provider) == (f"{each.record} {each.type}", each.provider)
    return here and each.state != TargetState.DRIFTED and change.to_bp == each.now_bp


def _who(told: WhyTold) -> str:
    return "by somebody else" if _accepted(told) else by(told.actor)


def _accepted(told: WhyTold) -> bool:
    """Whether the policy took over somebody's edit; a person who does, by a command, has a name."""
    return told.change.kind == PlanKind.ADOPT and told.actor == ITSELF


def _of_edits(told: WhyTold) -> str:
    """What somebody's edit, of the record or of the policy's file, has to do with the change."""
    if _accepted(told):
        return "somebody else edited it, which on_drift accepted"
    if told.change.kind == PlanKind.RESTORE:
        return "somebody else edited it, and it was put back"
    return f"an edit of the policy's file moved it: revision {told.edited}" if told.edited else ""


def _cost(told: CostTold) -> str:
    proof = f" and {told.proof_seconds:.1f}s to the proof" if told.proof_seconds is not None else ", not proved yet"
    part = f"{phrases.percent(told.moved_bp)} of the traffic was there"
    old = f"about {told.still_old_bp * 100 / WHOLE:.0f}% of clients still use the old answer"
    lost = f"at most {told.lost_seconds:.0f}s of all traffic lost"
    return f"{told.seconds:.1f}s from the first failing probe to the change{proof}; {part}; {old}; {lost}"


_SUM: Final = ("region", "health", "score", "pulls", "may take", "had", "gets")


def _show_sums(console: Console, sums: Sequence[RegionSumTold]) -> None:
    """The sum as a table: who pulls how much, what they may take of it, and what they get."""
    if not sums:
        return
    rows = [
        (each.region, each.health or "-", *map(_percent, (each.score_bp, each.pull_bp, each.room_bp)),
         _percent(each.before_bp), _percent(each.after_bp))
        for each in sums
    ]  # fmt: skip
    for line in aligned((_SUM, *rows)):
        say_worded(console, line)
    for each in sums:
        if words := _carried(each):
            say(console, f"{each.region}: {words}")


def _carried(told: RegionSumTold) -> str:
    """In requests, or whatever its capacity is counted in: what it carries, whose that is, and who pays."""
    said = []
    if told.capacity is not None:
        said.append(f"it can carry {told.capacity:.6g}")
    if told.load is not None:
        said.append(f"this policy puts {told.load:.6g} there")
    if told.taken:
        said.append(f"others need {told.taken:.6g} of it first")
    if told.excess:
        said.append(f"{told.excess:.6g} fits nowhere, and is sent there all the same")
    return ", ".join(said)


def _percent(basis_points: int | None) -> str:
    return "-" if basis_points is None else phrases.percent(basis_points)


def show_history(console: Console, told: HistoryTold) -> None:
    """All of it by its time, the newest last: a line for each, which goes on further in on a narrow screen."""
    lines = [(each.at, _said(each)) for each in told.overrides]
    lines += [(each.at, _changed(each)) for each in told.changes]
    lines += [(each.at, f"{clock(each.at)}  {each.text}{_by_member(each.member)}") for each in told.holds]
    lines += [(each.at, _edited(each)) for each in told.edits]
    for _, line in sorted(lines, key=lambda each: each[0]):
        if not console.is_terminal:
            say(console, line)
            continue
        for part in folded(line, console.width, indent=_INDENT):
            say_worded(console, part)


_INDENT: Final = " " * 4


def _by_member(name: str) -> str:
    """Which of several members did it."""
    return f"  [{name}]" if name else ""


def _edited(edit: EditTold) -> str:
    revisions = f"{edit.from_revision} -> {edit.to_revision}"
    return f"{clock(edit.at)}  {edit.policy} edited: revision {revisions} of {edit.file}{_by_member(edit.member)}"


def _changed(change: ChangeTold) -> str:
    where = f"{change.record} at {change.provider}"
    shares = f"{percentages(change.from_bp) or 'no answer'} -> {percentages(change.to_bp)}"
    ended = change.outcome + (f" after {change.attempts} attempts" if change.attempts > 1 else "")
    kind = "" if change.kind == PlanKind.CHANGE else f"{change.kind.replace('_', ' ')}, "
    line = f"{clock(change.at)}  {where}  {kind}generation {change.generation} {ended}{_proof(change)}: {shares}"
    return line + (f"  ({change.detail})" if change.detail else "") + _by_member(change.member)


def _said(said: SaidTold) -> str:
    who = f" {by(said.by)}" if said.by else ""
    end = f", until {clock(said.until)}" if said.what in {"given", "extended"} else ""
    why = f": {said.text}" if said.text != UNSAID else ""
    return f"{clock(said.at)}  {said.verb} of {said.about} {said.what}{who}{end}{why}  ({said.override})"


def _proof(change: ChangeTold) -> str:
    """Whether all authoritative servers answered with it, and how long after the decision."""
    if change.verified_after_seconds is not None:
        return f", verified after {change.verified_after_seconds:.1f}s"
    if change.unconfirmed:
        return ", read back and confirmed by nobody else"
    return ", disputed by its servers" if change.disputed else ""
