"""How a verb ends: its failure in its own words, its result as JSON."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from failoverd.cli.options import Exit
from failoverd.cli.screen import shown, shown_json
from failoverd.core.errors import FailoverdError
from failoverd.runtime.supervising import describe


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    sys.stdout.write(shown_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def usage(words: str) -> typer.BadParameter:
    """What was asked for cannot be understood."""
    return typer.BadParameter(words)


@contextmanager
def told() -> Iterator[None]:
    """Show a failure in its own words, and leave with `Exit.FAILED`; Ctrl-C leaves quietly."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        known = classified(error)
        sys.stderr.write(shown(f"failed: {known.detail} ({known.reason})\n", lines=True))
        if known.remedy:
            sys.stderr.write(shown(f"remedy: {known.remedy}\n", lines=True))
        raise typer.Exit(Exit.FAILED) from error


def classified(error: Exception) -> FailoverdError:
    """What failoverd did not foresee, said like everything else: what happened, where, and what to do."""
    if isinstance(error, FailoverdError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        words = f"{error.filename}: {error.strerror}"
        return FailoverdError(words, reason="system_error", remedy="look at that file, and at who may read or write it")
    return FailoverdError(describe(error), reason="internal_error", remedy="please report it with this line")
