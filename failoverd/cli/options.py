"""What the verbs of both commands have in common on the command line. Imports nothing that `--help` has to wait for."""

import logging
import os
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

import failoverd
from failoverd.cli.defaults import CONFIG, CONFIG_VARIABLE


class Exit(IntEnum):
    FINE = 0
    FAILED = 1
    USAGE = 2
    MOVED = 3
    PERSON = 4
    PENDING = 10
    LIMITED = 11
    UNREACHABLE = 12
    UNCONFIGURED = 78  # EX_CONFIG of sysexits.h: the unit does not start the daemon again after it
    INTERRUPTED = 130


class Scenario(StrEnum):
    FAILOVER = "failover"  # one service loses a region
    TIERS = "tiers"  # three services share what is left of three clouds


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


class ReviewFormat(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"  # a comment of a pull request


class CheckOutput(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class FileKind(StrEnum):
    POLICY = "policy"
    REGIONS = "regions"
    CONFIG = "config"
    TESTS = "tests"
    SCENARIO = "scenario"
    API = "api"
    EVENTS = "events"


Kind = Literal["A", "AAAA", "CNAME", "SRV"]
"""The record types, without the module that defines them."""

DEFAULT_CONFIG = Path(os.environ.get(CONFIG_VARIABLE, CONFIG))

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="the daemon's configuration file", envvar=CONFIG_VARIABLE)
]


def config_at_hand(config: Path, *, named: bool) -> Path | None:
    """The configuration by which a verb goes that was told no paths; None where there is none.

    It is the one that was named, or the usual one, or `failoverd.yaml` in the working directory.
    """
    here = Path(Path(CONFIG).name)
    if named or config != Path(CONFIG):
        return config  # the environment names it, too
    return next((each for each in (config, here) if each.exists()), None)


class Asked:
    """How the answer of this command is wanted, which who tells of its failure has to know as well."""

    output = Output.TEXT


def _asked(output: Output) -> Output:
    Asked.output = output
    return output


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="text for people, json for programs", callback=_asked)
]


def _asked_of_check(output: CheckOutput) -> CheckOutput:
    Asked.output = Output.JSON if output is CheckOutput.JSON else Output.TEXT
    return output


CheckOutputOption = Annotated[
    CheckOutput,
    typer.Option(
        "--output", "-o", help="text for people, json for programs, sarif for servers of code", callback=_asked_of_check
    ),
]


def tell_version(app: typer.Typer, name: str) -> None:
    """Have a command of this name tell its version when it is asked for that and nothing else."""

    def told(on: bool) -> None:
        if on:
            from failoverd.cli.failing import print_text

            print_text(f"{name} {failoverd.__version__}\n")
            raise typer.Exit

    @app.callback(help=failoverd.__doc__)
    def root(
        version: Annotated[  # noqa: ARG001 - its callback has told it
            bool, typer.Option("--version", help="print the version and leave", is_eager=True, callback=told)
        ] = False,
    ) -> None:
        Asked.output = Output.TEXT  # until the verb says otherwise


def hush_libraries() -> None:
    """Where no log is kept, Python prints what libraries log as it is, and they quote servers, secrets and all."""
    logging.getLogger().addHandler(logging.NullHandler())
