"""How words, and what they do, are shown to people."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from failoverd.api.shapes import EffectTold, TargetTold, WordsTold, WordTold
from failoverd.cli.screen import Printout, aligned, say
from failoverd.core.overrides import Comment, Override, Scope, Verb, by
from failoverd.core.records import percentages
from failoverd.operations import words
from failoverd.telemetry import phrases

_NOTHING: Final = "-"
_COLUMNS: Final = ("record", "from", "to", "in the way")


def word_of(told: WordTold) -> Override:
    """The word as it was said."""
    return Override(
        id=told.id,
        verb=Verb(told.verb),
        scope=Scope(**told.scope.model_dump()),
        actor=told.actor,
        since=told.since,
        until=told.until,
        comments=tuple(Comment(each.at, each.actor, each.text) for each in told.comments),
        shares=told.shares_bp,
        part=told.part_bp,
        over=told.over_seconds,
        now=told.now,
        digest=told.digest,
        name=told.name,
        undoes=told.undoes,
        breaks=told.breaks,
        needed=told.needed,
        agreed=told.agreed,
        ended_at=told.ended_at,
        ended_by=told.ended_by,
        planned=told.planned,
    )


def title(told: WordTold) -> str:
    return words.title(word_of(told))


def when(told: WordTold, now: float) -> str:
    return words.when(word_of(told), now)


def record(target: TargetTold) -> str:
    return f"{target.record} {target.type} at {target.provider}"


def show_effects(console: Console, effects: Sequence[EffectTold]) -> None:
    """One table: each record, what it answers, what it will, and what is in the way of that."""
    if not effects:
        say(console, "  no record is concerned")
        return
    rows = [(record(each.target), *_shares(each), _in_the_way(each)) for each in effects]
    page = Printout()
    for line in aligned((_COLUMNS, *rows)):
        page.say_worded(line)
    page.show(console)


def _shares(effect: EffectTold) -> tuple[str, str]:
    if effect.kind is None:
        return "not known", "not known"
    before, after = (percentages(shares) or "no answer" for shares in (effect.before_bp, effect.after_bp))
    return before, "stays" if effect.after_bp == effect.before_bp else after


def _in_the_way(effect: EffectTold) -> str:
    return "; ".join(filter(None, (effect.error, *effect.limits))) or _NOTHING


def show_words(console: Console, told: WordsTold, now: float, *, verbose: bool) -> None:
    """What people said, one after the other, and with `verbose` everything that was said of it."""
    page = Printout()
    if not (told.overrides or told.lost):
        page.say("no overrides: failoverd does what its policies say")
    for name in told.lost:
        page.say((name, "bold"), "  was lost with the journal, and the marker beside a record still names it")
        page.say(
            "  only what fails out moves there; give the same override again, or end it: failoverctl release --lost"
        )
    for each in told.overrides:
        word = word_of(each)
        page.say((word.id, "bold"), f"  {words.title(word)}")
        page.say(f"  {words.standing(word, now).replace('_', ' ')} {words.when(word, now)}")
        page.say(f"  {by(word.actor)} at {phrases.moment(word.given_at)}: {word.reason}")
        if each.records == 0:
            page.say("  it is about nothing now: no file names that any more")
        for comment in word.comments if verbose else ():
            page.say(f"    {phrases.moment(comment.at)} {comment.actor}: {comment.text}")
    page.show(console)
