"""The verb itself: choose, look, show."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from failoverd.app import read_config
from failoverd.cli.failing import print_json, printing, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.probing import showing
from failoverd.cli.probing.choosing import looks_of
from failoverd.cli.probing.looks import Look, Probers, Seen, completing, look_at_all, most_spent, open_probers
from failoverd.cli.probing.urls import is_url, look_of, without_secrets
from failoverd.cli.screen import say
from failoverd.cli.spending import SHARED, allowance, days_touched
from failoverd.core.errors import ConfigError
from failoverd.settings import parse_duration

console = Console(highlight=False)
notes = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands on the command line. `every` is seconds between the beginnings of two rounds."""

    target: str
    policy: str | None
    check: str | None
    count: int
    every: float
    spend: bool


def probe(config: Path, output: Output, asked: Asked) -> Exit:
    with told():
        looks, journal = _looks(config, asked)
        _say_costs(looks, asked)
        rounds = asyncio.run(_rounds(looks, asked, journal, None if output is Output.JSON else console))
        if output is Output.JSON:
            print_json(showing.as_json(without_secrets(asked.target), rounds))
        elif sum(map(len, rounds)) > 1:
            with printing():
                say(console, showing.summary(rounds))
    return Exit.FINE if showing.all_well(rounds) else Exit.FAILED


def seconds(text: str) -> float:
    """Raises typer.BadParameter."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(str(error)) from error


def _looks(config: Path, asked: Asked) -> tuple[list[Look], Path | None]:
    """What is to be looked at, and the journal in which it stands what that may spend, if it may."""
    if not asked.target.strip():
        raise usage("TARGET is empty: name a policy, a region or an endpoint, or write a URL such as https://host/path")
    if not is_url(asked.target):
        with _pointing_at_urls():
            read = read_config(config)
        looks = looks_of(read, asked.target, asked.policy, asked.check)
        return looks, read.journal if asked.spend and completing(looks) else None
    if asked.policy is not None or asked.check is not None:
        raise usage("a URL is looked at without any policy: leave --policy and --check out")
    return [look_of(asked.target)], None


@contextmanager
def _pointing_at_urls() -> Iterator[None]:
    """Whoever has no configuration, and only wants to look at a host, learns how."""
    try:
        yield
    except ConfigError as error:
        remedy = f"{error.remedy}; a URL such as https://host/path needs no configuration"
        raise ConfigError(error.detail, reason=error.reason, remedy=remedy) from error


def _say_costs(looks: list[Look], asked: Asked) -> None:
    """On standard error, so that the JSON alone is on standard output."""
    if not completing(looks):
        return
    if asked.spend:
        days = days_touched(time.time(), asked.count * (asked.every + max(look.check.timeout for look in looks)))
        say(notes, f"this may spend at most {most_spent(looks, asked.count, days)} tokens, {SHARED}")
    else:
        say(notes, "no model is asked for a completion, which costs tokens: add --spend to ask")


async def _rounds(looks: list[Look], asked: Asked, journal: Path | None, screen: Console | None) -> list[list[Seen]]:
    """Every round with the same probers, as the daemon has them; on the screen as soon as it is over."""
    async with allowance(journal) as ledger:
        return await _take(looks, open_probers(looks, ledger), asked, screen)


async def _take(looks: list[Look], probers: Probers, asked: Asked, screen: Console | None) -> list[list[Seen]]:
    clock = asyncio.get_running_loop().time
    rounds: list[list[Seen]] = []
    due = clock()
    while len(rounds) < asked.count:
        await asyncio.sleep(max(0.0, due - clock()))
        due = max(due, clock()) + asked.every
        rounds.append(await look_at_all(looks, probers))
        if screen is not None:
            _show(screen, rounds[-1], f"round {len(rounds)} of {asked.count}" if asked.count > 1 else "")
    return rounds


def _show(screen: Console, seen: list[Seen], title: str) -> None:
    with printing():
        if title:
            say(screen, (title, "bold"))
        for each in seen:
            showing.show(screen, each)
