"""How a verb ends: its failure in its own words, its result as JSON."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

import typer
from rich.console import Console

from failoverd.cli.options import Asked, Exit, Output
from failoverd.cli.screen import shown, shown_json
from failoverd.config.diagnostics import suggestion
from failoverd.core.errors import FailoverdError, classified
from failoverd.core.names import both_ways
from failoverd.settings import parse_duration

UNSOUND: Final = "some files do not load; failoverctl check says why"


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Whatever standard output cannot say is escaped, so that it means the same in every encoding."""
    wide = (sys.stdout.encoding or "").lower().startswith("utf")
    print_text(shown_json(json.dumps(value, indent=2, ensure_ascii=not wide)) + "\n")
    Asked.output = Output.TEXT  # what fails after an answer is no second one: a program reads one document


def print_text(text: str) -> None:
    """All of it at once on standard output, as it is. See `printing` for what can go wrong."""
    with printing():
        sys.stdout.write(text)


@contextmanager
def printing() -> Iterator[None]:
    """What is written to standard output within arrives, or the command ends here, saying why it did not.

    A reader that has gone (`| head`) is none of that: see `streams`.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        raise typer.Exit(not_printed(error)) from error


class OutputConsole(Console):
    """Standard output for people. What is printed arrives, or ends the command: see `printing`."""

    def print(self, *objects: Any, **how: Any) -> None:  # noqa: ANN401 - as rich has it
        with printing():
            super().print(*objects, **how)


def not_printed(error: OSError) -> Exit:
    """Say why standard output cannot be written, and let go of it."""
    where = "standard output" if error.errno == errno.EBADF else f"standard output{_named(sys.stdout.fileno())}"
    let_go(sys.stdout)
    _tell(
        FailoverdError(
            f"{where} cannot be written: {error.strerror}",
            reason="output_unwritable",
            remedy="free space there, or send the output elsewhere; what the command did until now stays done",
        )
    )
    return Exit.FAILED


def _named(descriptor: int) -> str:
    """` (/the/file)`, where there is one to name."""
    with suppress(OSError):
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        return f" ({place})" if place.is_absolute() else ""
    return ""


def let_go(stream: TextIO) -> None:
    """What is still to be written there goes nowhere: the interpreter neither fails over it at its end, nor waits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def usage(words: str) -> typer.BadParameter:
    """What was asked for cannot be understood."""
    return typer.BadParameter(words)


def seconds(text: str) -> float:
    """A duration from the command line. Raises typer.BadParameter."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(str(error)) from error


def unknown(what: str, wrong: str, known: Iterable[str], *notes: str) -> typer.BadParameter:
    """Nothing has that name: what was probably meant, or what there is, and what else helps."""
    hint = suggestion(wrong, list(dict.fromkeys(known)))
    return usage(shown("; ".join(part for part in (f"there is no {what} {wrong!r}", hint, *notes) if part)))


@contextmanager
def told() -> Iterator[None]:
    """Show a failure in its own words, and leave with the exit code that it has; Ctrl-C leaves quietly."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        known = classified(error)
        _tell(known)
        raise typer.Exit(_EXITS.get(known.reason, Exit.FAILED)) from error


_EXITS: Final = {
    "override_invalid": Exit.USAGE,
    "override_unknown": Exit.USAGE,
    "change_unknown": Exit.USAGE,
    "override_conflict": Exit.LIMITED,
    "override_refused": Exit.LIMITED,
    "rule_broken": Exit.LIMITED,
    "config_missing": Exit.UNCONFIGURED,
    "daemon_unreachable": Exit.UNREACHABLE,
    "daemon_slow": Exit.UNREACHABLE,
}
"""By the reason of what was refused; whatever else fails is `Exit.FAILED`."""


def note(words: str) -> None:
    """What belongs to an answer and is no part of it: on standard error, so that JSON stays what it is."""
    sys.stderr.write(shown(f"note: {words}") + "\n")


def _tell(known: FailoverdError) -> None:
    """For people on standard error; a program that asked for JSON gets JSON, too."""
    if Asked.output is Output.JSON:
        error = {"reason": known.reason, "detail": known.detail, "remedy": known.remedy}
        with suppress(OSError):
            sys.stdout.write(json.dumps({"error": error}, indent=2) + "\n")
            sys.stdout.flush()
    sys.stderr.write(shown(both_ways(f"failed: {known.detail} ({known.reason})\n"), lines=True))
    if known.remedy:
        sys.stderr.write(shown(f"remedy: {known.remedy}\n", lines=True))
