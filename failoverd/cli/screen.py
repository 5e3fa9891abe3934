"""What reaches the operator's terminal. Much of it was said by servers and files: it is shown, and never obeyed."""

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from failoverd.core.names import both_ways
from failoverd.foreign import shown

__all__ = [
    "Part",
    "Printout",
    "aligned",
    "folded",
    "joined",
    "say",
    "say_block",
    "say_worded",
    "shown",
    "shown_json",
    "worded",
]

Part = str | tuple[str, str]
"""Text, or text with a style."""


def say(console: Console, *parts: Part) -> None:
    """One line, however long, whatever is in it."""
    console.print(joined(*parts), soft_wrap=True)


def say_worded(console: Console, line: str) -> None:
    """A line that `folded` or `aligned` made: it is worded, and once is enough."""
    console.print(Text(line), soft_wrap=True)


def say_block(console: Console, text: str) -> None:
    """Several lines just as they are, for a person to copy."""
    console.print(Text(shown(text, lines=True)), soft_wrap=True)


class Printout:
    """Many lines, shown together: to print thousands one by one takes seconds. Lines as long as they are."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._plain: list[str] = []

    def say(self, *parts: Part) -> None:
        for part in parts:
            if isinstance(part, str):
                self._plain.append(worded(part))
            else:
                self._flush()
                self._segments.append(Segment(worded(part[0]), Style.parse(part[1])))
        self._plain.append("\n")

    def say_worded(self, line: str, style: str = "") -> None:
        """A line that `folded` or `aligned` made: it is worded, and once is enough."""
        if style:
            self._flush()
            self._segments.append(Segment(line, Style.parse(style)))
            line = ""
        self._plain.append(line + "\n")

    def say_block(self, text: str) -> None:
        """Several lines just as they are, for a person to copy."""
        self._plain.append(shown(text, lines=True) + "\n")

    def show(self, console: Console) -> None:
        self._flush()
        console.print(Segments(self._segments), end="", soft_wrap=True)

    def drawn(self, console: Console) -> Segments:
        """As much as the screen holds, for one that is drawn again and again: it says how much it leaves out."""
        self._flush()
        lines, rest = list[list[Segment]](), deque(Segment.split_lines(self._segments))
        while rest and len(lines) < console.height:
            lines += _turned(rest.popleft(), console)
        if rest or len(lines) > console.height:
            left = len(rest) + len(lines) - console.height + 1
            words = f"{left} more lines: without --watch all of it is printed"
            lines[console.height - 1 :] = [[Segment(words[: console.width], Style.parse("bold"))]]
        return Segments([segment for line in lines for segment in (*line, Segment.line())])

    def _flush(self) -> None:
        self._segments.append(Segment("".join(self._plain)))
        self._plain.clear()


def _turned(line: list[Segment], console: Console) -> list[list[Segment]]:
    """A line that is wider than the screen goes on in the next one, as it would on a terminal that turns it itself."""
    if sum(segment.cell_length for segment in line) <= console.width:
        return [line]
    text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
    turned = text.wrap(console, console.width, overflow="fold")
    return [[segment for segment in part.render(console) if segment.text] for part in turned]


def joined(*parts: Part) -> Text:
    """The parts as one text for rich: nothing in them is markup."""
    return Text.assemble(*(worded(part) if isinstance(part, str) else (worded(part[0]), part[1]) for part in parts))


def worded(text: str) -> str:
    """What is said to a person, who reads a name in its own letters. Commands and files keep what DNS holds."""
    return shown(both_ways(text))


def folded(text: str, width: int, begin: str = "", indent: str = "") -> list[str]:
    """In lines of at most `width` columns, broken between words and never within one: a name is there to be copied.

    A word that is longer has a line to itself. Names have their own letters beside what DNS holds where there is room.
    """
    plain, said = shown(text), worded(text)
    if said != plain and max(map(cell_len, said.split())) > max(width - cell_len(indent), _LEAST):
        said = plain
    lines, line, empty = list[str](), begin, True
    for gap, word in _WORDS.findall(said):
        if not empty and cell_len(line) + len(gap) + cell_len(word) > max(width, _LEAST):
            lines.append(line)
            line, empty = indent, True
        line += word if empty else gap + word
        empty = False
    return [*lines, line]


_LEAST: Final = 8
"""Columns that there are at least."""

_WORDS: Final = re.compile(r"( *)([^ ]+)")


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as the lines of a table: each column as wide as its widest cell, the last one as it is."""
    worded_rows = [[worded(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*worded_rows, strict=True)]
    for row in worded_rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def shown_json(text: str) -> str:
    """The same for JSON, which keeps its meaning: JSON itself escapes C0 only, and terminals obey C1 as well."""
    return "\n".join(line if line.isprintable() else _escaped_json(line) for line in text.split("\n"))


def _escaped_json(line: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
