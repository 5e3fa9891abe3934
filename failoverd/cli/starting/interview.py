"""A person at a terminal is asked: one thing at a time, with its default, until the answer is right."""

import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import Final, TypeVar

from failoverd.cli.screen import shown
from failoverd.core.errors import FailoverdError

T = TypeVar("T")

_WIDEST: Final = 100
_NARROWEST: Final = 20


class Person:
    """Somebody who reads standard error and writes on standard input."""

    def ask(self, words: str, judge: Callable[[str], T], default: str = "") -> T:
        """What `judge` makes of the first answer that it takes; it raises ValueError with the reason for any other.

        Raises:
            FailoverdError: the answers ended.
            KeyboardInterrupt: they want no more of it.
        """
        self.tell(f"{words} [{default}]" if default else words)
        while True:
            sys.stderr.write("> ")
            sys.stderr.flush()
            try:
                return judge(_printable(_line()) or default)
            except ValueError as error:
                self.tell(f"not taken: {error}")

    def agrees(self, words: str) -> bool:
        return self.ask(words, _yes_or_no, "yes")

    def tell(self, words: str, *, indent: str = "") -> None:
        """In lines that fit onto the screen."""
        width = max(min(shutil.get_terminal_size().columns, _WIDEST), _NARROWEST)
        lines = textwrap.wrap(
            shown(words), width, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
        )
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()


def _line() -> str:
    """One line, in UTF-8 whatever the locale is. Raises ValueError for what is not."""
    line = sys.stdin.buffer.readline()
    if not line:
        sys.stderr.write("\n")
        raise FailoverdError(
            "the answers ended before the last question",
            reason="init_ended",
            remedy="nothing was written; what is said by flags is not asked: failoverctl init --help",
        )
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{shown(text)!r} holds what cannot be printed, such as a key that moves the cursor")
    return text


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"y", "yes", "n", "no"}:
        raise ValueError("write yes or no")
    return text.lower() in {"y", "yes"}
