"""What the verbs of both commands have in common: options, exit codes, and how an error is shown."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from failoverd.cli.screen import shown, shown_json
from failoverd.core.errors import FailoverdError
from failoverd.runtime.supervising import describe


class Exit(IntEnum):
    FINE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 10
    LIMITED = 11
    INTERRUPTED = 130


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


DEFAULT_CONFIG = Path(os.environ.get("FAILOVERD_CONFIG", "/etc/failoverd/failoverd.yaml"))

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="the daemon's configuration file", envvar="FAILOVERD_CONFIG")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs")]


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    sys.stdout.write(shown_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


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
