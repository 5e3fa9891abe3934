"""The verb itself: choose, probe, show."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from failoverd.cli.failing import OutputConsole, print_json, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.probing import probe_output
from failoverd.cli.probing.probe_rounds import (
    FinishedProbe,
    PlannedProbe,
    Probers,
    completing,
    most_spent,
    open_probers,
    probe_all,
)
from failoverd.cli.probing.probe_targets import planned_probes
from failoverd.cli.probing.url_target import is_url, url_probe, without_secrets
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import say
from failoverd.cli.spending import SHARED, allowance, days_touched
from failoverd.core.errors import ConfigError
from failoverd.installed import read_config
from failoverd.operations.waiting import Stage, Waiting

console = OutputConsole(highlight=False)
notes = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What stands on the command line. `every` is seconds between the beginnings of two rounds."""

    target: str
    policy: str | None
    check: str | None
    count: int
    every: float
    spend: bool


def probe(config: Path, output: Output, asked: ProbeOptions) -> Exit:
    with told():
        probes, journal = _planned(config, asked)
        _say_costs(probes, asked)
        rounds = asyncio.run(_rounds(probes, asked, journal, None if output is Output.JSON else console))
        if output is Output.JSON:
            print_json(probe_output.as_json(without_secrets(asked.target), rounds))
        elif sum(map(len, rounds)) > 1:
            say(console, probe_output.summary(rounds))
    return Exit.FINE if probe_output.all_well(rounds) else Exit.FAILED


def _planned(config: Path, asked: ProbeOptions) -> tuple[list[PlannedProbe], Path | None]:
    """What is to be probed, and the journal in which it stands what that may spend, if it may."""
    if not asked.target.strip():
        raise usage("TARGET is empty: name a policy, a region or an endpoint, or write a URL such as https://host/path")
    if not is_url(asked.target):
        with _pointing_at_urls():
            read = read_config(config)
        probes = planned_probes(read, asked.target, asked.policy, asked.check)
        return probes, read.journal if asked.spend and completing(probes) else None
    if asked.policy is not None or asked.check is not None:
        raise usage("a URL is probed without any policy: leave --policy and --check out")
    return [url_probe(asked.target)], None


@contextmanager
def _pointing_at_urls() -> Iterator[None]:
    """Whoever has no configuration, and only wants to probe a host, learns how."""
    try:
        yield
    except ConfigError as error:
        remedy = f"{error.remedy}; a URL such as https://host/path needs no configuration"
        raise ConfigError(error.detail, reason=error.reason, remedy=remedy) from error


def _say_costs(probes: list[PlannedProbe], asked: ProbeOptions) -> None:
    """On standard error, so that the JSON alone is on standard output."""
    if not completing(probes):
        return
    if asked.spend:
        days = days_touched(time.time(), asked.count * (asked.every + max(probe.check.timeout for probe in probes)))
        say(notes, f"this may spend at most {most_spent(probes, asked.count, days)} tokens, {SHARED}")
    else:
        say(notes, "no model is asked for a completion, which costs tokens: add --spend to ask")


async def _rounds(
    probes: list[PlannedProbe], asked: ProbeOptions, journal: Path | None, screen: Console | None
) -> list[list[FinishedProbe]]:
    """Every round with the same probers, as the daemon has them; on the screen as soon as it is over."""
    async with allowance(journal) as ledger:
        return await _take(probes, open_probers(probes, ledger), asked, screen)


async def _take(
    probes: list[PlannedProbe], probers: Probers, asked: ProbeOptions, screen: Console | None
) -> list[list[FinishedProbe]]:
    clock = asyncio.get_running_loop().time
    rounds: list[list[FinishedProbe]] = []
    due = clock()
    while len(rounds) < asked.count:
        await asyncio.sleep(max(0.0, due - clock()))
        due = max(due, clock()) + asked.every
        with progress(notes) as waits:
            waits(Waiting(Stage.PROBING, 0, len(probes), max(probe.check.timeout for probe in probes)))
            rounds.append(await probe_all(probes, probers))
        if screen is not None:
            _show(screen, rounds[-1], f"round {len(rounds)} of {asked.count}" if asked.count > 1 else "")
    return rounds


def _show(screen: Console, finished: list[FinishedProbe], title: str) -> None:
    if title:
        say(screen, (title, "bold"))
    for each in finished:
        probe_output.show(screen, each)
