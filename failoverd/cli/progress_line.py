"""How far a verb is, while a person waits for it: one line on standard error that is gone when the answer is there.

Only on a terminal. What reads the output of a command in a pipe or a file waits for the answer alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from failoverd.cli.screen import joined, say
from failoverd.operations.waiting import Stage, Waiting


@contextmanager
def progress(notes: Console | None = None) -> Iterator[Callable[[Waiting], None]]:
    """Takes what an operation says of how far it is. What failed already is told at once, and once."""
    notes = notes or Console(stderr=True, highlight=False)
    if not notes.is_terminal:
        yield lambda _: None
        return
    told: set[str] = set()
    with notes.status("") as line:

        def show(waiting: Waiting) -> None:
            for words in waiting.failed:
                if words not in told:
                    told.add(words)
                    say(notes, words)
            line.update(joined(words_of(waiting)))

        yield show


def words_of(waiting: Waiting) -> str:
    """One line for people."""
    at_most = f", up to {waiting.at_most:.0f}s" if waiting.at_most is not None else ""
    return f"{_DOES[waiting.stage].format(done=waiting.done, of=waiting.of)}{at_most}"


_DOES: Final = {
    Stage.READING: "reading records: {done} of {of}",
    Stage.PROBING: "probing: {done} of {of} endpoints judged",
    Stage.PROVING: "asking the authoritative servers whether it arrived",
    Stage.PLAYING: "playing tests: {done} of {of}",
    Stage.WEIGHING: "looking at situations: {done} of {of}",
    Stage.SIMULATING: "simulating: minute {done} of {of}",
    Stage.REPLAYING: "deciding again: {done} of {of}",
    Stage.ASKING: "the daemon reads the records and judges them",
}
