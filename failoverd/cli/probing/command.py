"""The verb itself: choose, look, show."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from failoverd.app import read_config
from failoverd.cli.failing import print_json, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.probing import showing
from failoverd.cli.probing.choosing import looks_of
from failoverd.cli.probing.looks import Look, Seen, completing, look_at_all, most_spent, open_probers
from failoverd.cli.probing.urls import is_url, look_of, without_secrets
from failoverd.cli.screen import say
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
        looks = _looks(config, asked)
        _say_costs(looks, asked)
        rounds = asyncio.run(_rounds(looks, asked, None if output is Output.JSON else console))
    if output is Output.JSON:
        print_json(showing.as_json(without_secrets(asked.target), rounds))
    elif sum(map(len, rounds)) > 1:
        say(console, showing.summary(rounds))
    return Exit.FINE if showing.all_well(rounds) else Exit.FAILED


def seconds(text: str) -> float:
    """Raises typer.BadParameter."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(str(error)) from error


def _looks(config: Path, asked: Asked) -> list[Look]:
    if not is_url(asked.target):
        return looks_of(read_config(config), asked.target, asked.policy, asked.check)
    if asked.policy is not None or asked.check is not None:
        raise usage("a URL is looked at without any policy: leave --policy and --check out")
    return [look_of(asked.target)]


def _say_costs(looks: list[Look], asked: Asked) -> None:
    """On standard error, so that the JSON alone is on standard output."""
    if not completing(looks):
        return
    if asked.spend:
        say(notes, f"this may spend at most {most_spent(looks, asked.count)} tokens")
    else:
        say(notes, "no model is asked for a completion, which costs tokens: add --spend to ask")


async def _rounds(looks: list[Look], asked: Asked, screen: Console | None) -> list[list[Seen]]:
    """Every round with the same probers, as the daemon has them; on the screen as soon as it is over."""
    probers = open_probers(looks, spend=asked.spend)
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
    if title:
        say(screen, (title, "bold"))
    for each in seen:
        showing.show(screen, each)
