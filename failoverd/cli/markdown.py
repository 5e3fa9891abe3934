"""A review as Markdown, for a comment of a pull request: GitHub, GitLab and Azure DevOps show it alike.

Whatever the files say stands in code spans, where nothing of it is a link, a mention, an image or HTML. It is bounded:
such a comment has 65,536 characters at GitHub, 150,000 at Azure DevOps, a million at GitLab.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from failoverd.cli.telling_comparisons import Reviewed, ReviewPart, footnotes, headline, parts_of
from failoverd.foreign import shown
from failoverd.telemetry.phrases import counted

MOST_BYTES: Final = 60_000
"""Of a comment, in UTF-8."""

_MOST_ROWS: Final = 50
"""Of one table: who wants more reads the text."""

_LONGEST: Final = 240
"""Characters of a cell."""

_TAIL: Final = 200
"""Bytes that are kept for what a table leaves out, and for the notes at the end."""


def as_markdown(said: Reviewed) -> str:
    """All of it, or as much as fits; what is left out is counted."""
    parts, notes = list(parts_of(said)), [*footnotes(said)]
    lines = [f"### failoverctl review: {headline(said)}", "", f"{_code(said.old)} → {_code(said.new)}"]
    left = MOST_BYTES - _size(lines) - _size(notes) - _TAIL * (len(parts) + 1)
    for part in parts:
        table = list(_table(part, left))
        lines += table
        left -= _size(table)
    lines += ["", *notes] if notes else []
    return "\n".join(lines) + "\n"


def _table(part: ReviewPart, room: int) -> Iterator[str]:
    """A heading, and rows for as long as there is room: those that come first matter most."""
    head = ["", f"#### {part.title}", "", _row(part.columns), _row("---" for _ in part.columns)]
    yield from head
    room, shown_rows = room - _size(head), 0
    for row in part.rows[:_MOST_ROWS]:
        line = _row(map(_code, row))
        room -= _size([line])
        if room < 0:
            break
        shown_rows += 1
        yield line
    if more := len(part.rows) - shown_rows:
        yield from ("", f"and {counted(more, 'row')} more: `failoverctl review` prints all of them")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Words of the files, as they are: a backtick would end the span, and a bar the cell."""
    plain = shown(text).replace("`", "'").replace("|", "¦")
    clipped = plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
    return f"`{clipped}`" if clipped.strip() else ""


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode(errors="replace")) + 1 for line in lines)
