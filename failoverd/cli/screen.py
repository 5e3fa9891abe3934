"""What reaches the operator's terminal. Much of it was said by servers and files: it is shown, and never obeyed."""

import json

from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from failoverd.core.names import both_ways
from failoverd.foreign import shown

__all__ = ["Page", "Part", "joined", "say", "say_block", "shown", "shown_json", "worded"]

Part = str | tuple[str, str]
"""Text, or text with a style."""


def say(console: Console, *parts: Part) -> None:
    """One line, however long, whatever is in it."""
    console.print(joined(*parts), soft_wrap=True)


def say_block(console: Console, text: str) -> None:
    """Several lines just as they are, for a person to copy."""
    console.print(Text(shown(text, lines=True)), soft_wrap=True)


class Page:
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

    def say_block(self, text: str) -> None:
        """Several lines just as they are, for a person to copy."""
        self._plain.append(shown(text, lines=True) + "\n")

    def show(self, console: Console) -> None:
        console.print(self.drawn(), end="", soft_wrap=True)

    def drawn(self) -> Segments:
        """All of it, for a screen that is drawn again and again."""
        self._flush()
        return Segments(self._segments)

    def _flush(self) -> None:
        self._segments.append(Segment("".join(self._plain)))
        self._plain.clear()


def joined(*parts: Part) -> Text:
    """The parts as one text for rich: nothing in them is markup."""
    return Text.assemble(*(worded(part) if isinstance(part, str) else (worded(part[0]), part[1]) for part in parts))


def worded(text: str) -> str:
    """What is said to a person, who reads a name in its own letters. Commands and files keep what DNS holds."""
    return shown(both_ways(text))


def shown_json(text: str) -> str:
    """The same for JSON, which keeps its meaning: JSON itself escapes C0 only, and terminals obey C1 as well."""
    return "\n".join(line if line.isprintable() else _escaped_json(line) for line in text.split("\n"))


def _escaped_json(line: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
