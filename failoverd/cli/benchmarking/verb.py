"""The verb: say what will be sent, ask, send it, and show what it came to."""

import asyncio
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from failoverd.app import kinds, opened, read_config, steady_clock
from failoverd.cli.benchmarking import page, table
from failoverd.cli.benchmarking.plan import Plan, announce, make_plan
from failoverd.cli.benchmarking.purse import Counting, ledger_of
from failoverd.cli.benchmarking.running import MOST_IN_FLIGHT, Run, Runner
from failoverd.cli.benchmarking.statistics import Report, report
from failoverd.cli.failing import print_json, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import shown
from failoverd.config.loader import load_inventory, load_policies
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.ports import ProbeContext
from failoverd.probes.inference.settings import InferenceSettings
from failoverd.runtime.descriptors import budget, raise_limit
from failoverd.settings import parse_duration

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|m))")
_EVERY: Final = 1.0
"""Seconds between two words about how far it is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    policy: str
    regions: Sequence[str]
    check: str | None
    seconds: str
    rate: str
    yes: bool
    spend: bool


def benchmark(config: Path, output: Output, wish: Wish, html: Path | None) -> Exit:
    with told():
        plan = _plan(config, wish)
        _say(announce(plan))
        if not _allowed(yes=wish.yes):
            return Exit.USAGE
        began = time.time()
        found = asyncio.run(_measure(plan, spend=wish.spend))
        if output is Output.JSON:
            print_json(table.as_json(found))
        else:
            sys.stdout.write(shown(table.text(found), lines=True))
        if html is not None:
            _write(html, page.page(found, _command(), began))
    return Exit.INTERRUPTED if found.run.interrupted else Exit.FINE


# -- before ------------------------------------------------------------------------------------------------------------


def parse_rate(text: str) -> float:
    """Requests a second, of `10/s` or `30/m`.

    Raises:
        ValueError: it is neither.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a rate: write 10/s or 30/m")
    return float(found[1]) / (60.0 if found[2] == "m" else 1.0)


def _plan(config: Path, wish: Wish) -> Plan:
    try:
        seconds, rate = parse_duration(wish.seconds), parse_rate(wish.rate)
    except ValueError as error:
        raise usage(str(error)) from error
    read = read_config(config)
    policies = load_policies(read, kinds(), running={}).policies
    if wish.policy not in policies:
        raise ConfigError(
            f"there is no sound policy {wish.policy!r}; there are: {', '.join(sorted(policies)) or 'none'}",
            reason="policy_unknown",
            remedy="failoverctl check lists what is wrong with the files",
        )
    inventory, _ = load_inventory(read.inventory)
    return make_plan(
        policies[wish.policy],
        inventory.regions if inventory is not None else {},
        regions=wish.regions,
        check=wish.check,
        seconds=seconds,
        rate=rate,
        spend_at=time.time() if wish.spend else None,
    )


def _allowed(*, yes: bool) -> bool:
    """A person says yes, on a terminal or beforehand.

    Raises:
        typer.Abort: a person says no.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        _say(["refused: nobody is there to be asked; nothing was sent. Say --yes if this is what you want."])
        return False
    return typer.confirm("Send it?", err=True, abort=True)


def _say(lines: Sequence[str]) -> None:
    sys.stderr.write("".join(f"{shown(line)}\n" for line in lines))
    sys.stderr.flush()


# -- meanwhile ---------------------------------------------------------------------------------------------------------


async def _measure(plan: Plan, *, spend: bool) -> Report:
    ledger = ledger_of(spend=spend)
    counting = {region.name: Counting(ledger) for region in plan.regions}
    clock = steady_clock()
    probers = {
        name: opened([plan.check], kinds(), ProbeContext(plan.policy, clock, counted))[plan.check.name]
        for name, counted in counting.items()
    }
    runner = Runner(plan, probers, min(MOST_IN_FLIGHT, budget(raise_limit())))
    run = await _run(plan, runner)
    tokens = {name: counted.tokens for name, counted in counting.items()}
    return report(plan, run, tokens if isinstance(plan.check.settings, InferenceSettings) else {})


async def _run(plan: Plan, runner: Runner) -> Run:
    stop = asyncio.Event()
    telling = asyncio.create_task(_tell(plan, runner))
    try:
        with _interrupt(stop):
            return await runner.run(stop)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        _say([f"{runner.answers} of {plan.total} requests are over" + (", ended early" if stop.is_set() else "")])


@contextmanager
def _interrupt(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C ends the sending, not the command; a second one ends the command."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, end)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _tell(plan: Plan, runner: Runner) -> None:
    """How far it is: one line that changes on a terminal, a line now and then elsewhere."""
    live = sys.stderr.isatty()
    every = _EVERY if live else _EVERY * 10
    while True:
        await asyncio.sleep(every)
        words = f"{runner.answers} of {plan.total} requests are over, {runner.under_way} under way"
        sys.stderr.write(f"{words:<70}\r" if live else f"{words}\n")
        sys.stderr.flush()


# -- after -------------------------------------------------------------------------------------------------------------


def _command() -> str:
    return shlex.join(["failoverctl", *sys.argv[1:]])


def _write(html: Path, text: str) -> None:
    try:
        html.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FailoverdError(
            f"the page cannot be written to {html}: {error.strerror}",
            reason="page_unwritable",
            remedy="name a file in a directory that you may write",
        ) from error
