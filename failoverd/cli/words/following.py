"""Following a word until what it asks for is what the authoritative servers answer."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console

from failoverd.api.shapes import EffectTold, WordAnswer, WordTold
from failoverd.cli.screen import joined
from failoverd.cli.words.showing import record
from failoverd.core.errors import FailoverdError
from failoverd.core.records import few
from failoverd.telemetry import phrases

POLL: Final = 0.5
"""Seconds between two looks."""

PATIENCE: Final = 30.0
"""Seconds for which a daemon may be away, as one is that is started again."""

UNREACHABLE: Final = "daemon_unreachable"


class Asks(Protocol):
    """Who can be asked how far a word is."""

    async def word(self, override_id: str, /) -> WordAnswer: ...


Tell = Callable[[Sequence[EffectTold], int], None]
"""Is told which records are not there yet, and how many there are."""


async def followed(admin: Asks, word: WordTold, tell: Tell, pause: Callable[[float], Awaitable[None]]) -> WordAnswer:
    """Where everything stands once all of it is there: what a word asks for, or what its end brings back.

    A word that is over before that ends it as well.

    Raises:
        FailoverdError: nobody answers any more.
    """
    away = 0.0
    while True:
        try:
            found = await admin.word(word.id)
        except FailoverdError as error:
            away += POLL
            if error.reason != UNREACHABLE or away > PATIENCE:
                raise
        else:
            away = 0.0
            left = [each for each in found.effects if not arrived(each, begun(word))]
            pending = found.override.state == "pending"  # nobody heeds it yet, so what stands is as nobody wanted it
            if not (left or pending) or (found.override.state == "over" and word.ended_at is None):
                return found
            if left:
                tell(left, len(found.effects))
        await pause(POLL)


def begun(word: WordTold) -> float:
    """Since when there is something to wait for."""
    return word.since if word.ended_at is None else word.ended_at


def arrived(effect: EffectTold, since: float) -> bool:
    """Whether nothing is left to be done, and the authoritative servers answer with what was changed for it.

    Where nobody is to be asked, or could say so, there is nothing more to wait for.

    What was changed last before the word was given needs no proof: the word did not move it.
    """
    return effect.settled and not effect.error and (effect.verified or effect.unconfirmed or not moved(effect, since))


def moved(effect: EffectTold, since: float) -> bool:
    return effect.changed_at is not None and effect.changed_at >= since


@contextmanager
def progress(notes: Console) -> Iterator[Tell]:
    """One line on standard error for a person who waits; nothing for who reads the output elsewhere."""
    if not notes.is_terminal:
        yield lambda *_: None
        return
    with notes.status("") as line:
        yield lambda left, of: line.update(joined(_words(left, of)))


def _words(left: Sequence[EffectTold], of: int) -> str:
    first = left[0]
    why = "; ".join(filter(None, (first.error, *first.limits)))
    what = f"{record(first.target)} {'is not verified yet' if first.settled else 'is not changed yet'}"
    return f"{of - len(left)} of {phrases.counted(of, 'record')} there; {what}{f': {why}' if why else ''}"


def clients(effects: Sequence[EffectTold], since: float, now: float) -> list[str]:
    """How many clients still use the old answer, of the records that moved: a line for each TTL."""
    by_ttl: dict[int, list[EffectTold]] = {}
    for each in effects:
        if moved(each, since):
            by_ttl.setdefault(each.ttl_seconds, []).append(each)
    return [
        f"{few([record(each.target) for each in those], _NAMED)}: "
        f"{phrases.clients(ttl, now - max(each.changed_at or now for each in those))}"
        for ttl, those in sorted(by_ttl.items())
    ]


_NAMED: Final = 3
"""Records that a line names."""
