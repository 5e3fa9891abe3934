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

from failoverd.core.errors import FailoverdError


class Exit(IntEnum):
    FINE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 10
    LIMITED = 11


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


DEFAULT_CONFIG = Path(os.environ.get("FAILOVERD_CONFIG", "/etc/failoverd/failoverd.yaml"))

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="the daemon's configuration file", envvar="FAILOVERD_CONFIG")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs")]


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def told() -> Iterator[None]:
    """Show a failure that failoverd raised on purpose in its own words, and leave with `Exit.FAILED`."""
    try:
        yield
    except FailoverdError as error:
        sys.stderr.write(f"failed: {error.detail} ({error.reason})\n")
        if error.remedy:
            sys.stderr.write(f"remedy: {error.remedy}\n")
        raise typer.Exit(Exit.FAILED) from error
