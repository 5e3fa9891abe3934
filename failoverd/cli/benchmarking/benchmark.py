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

from failoverd.cli import output_file
from failoverd.cli.benchmarking import html_page, plain, tables
from failoverd.cli.benchmarking.open_loop import MOST_IN_FLIGHT, Run, Runner
from failoverd.cli.benchmarking.schedule import BenchmarkPlan, announce, make_plan
from failoverd.cli.benchmarking.statistics import Report, report
from failoverd.cli.failing import UNSOUND, print_json, print_text, told, unknown, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import shown
from failoverd.cli.spending import Counting, allowance
from failoverd.config.loader import Config, load_inventory, load_policies
from failoverd.installed import kinds, opened, read_config, steady_clock
from failoverd.ports import ProbeContext
from failoverd.probes.inference_check.inference_settings import InferenceSettings
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
        read = read_config(config)
        plan = _plan(read, wish)
        if html is not None:
            output_file.try_place(html, "page")
        _say(announce(plan))
        if not _allowed(yes=wish.yes):
            return Exit.USAGE
        began = time.time()
        found = asyncio.run(_measure(plan, read.journal if plan.tokens else None))
        try:
            if html is not None:
                output_file.save(html, html_page.page(found, _command(), began), "page")
        finally:  # one of the two may fail: the other is what is left of a benchmark that cost an hour, or tokens
            _show(found, output)
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


def _plan(read: Config, wish: Wish) -> BenchmarkPlan:
    try:
        seconds, rate = parse_duration(wish.seconds), parse_rate(wish.rate)
    except ValueError as error:
        raise usage(str(error)) from error
    found = load_policies(read, kinds(), running={})
    if wish.policy not in found.policies:
        raise unknown("policy", wish.policy, found.policies, UNSOUND if found.rejected else "")
    inventory, _ = load_inventory(read.inventory)
    return make_plan(
        found.policies[wish.policy],
        inventory.file.regions if inventory is not None else {},
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


async def _measure(plan: BenchmarkPlan, journal: Path | None) -> Report:
    """`journal`: where it stands what completions may cost; without it there are none."""
    async with allowance(journal) as ledger:
        paying = {region.name: Counting(ledger) if ledger is not None else None for region in plan.regions}
        clock = steady_clock()
        probers = {
            name: opened([plan.check], kinds(), ProbeContext(plan.policy, clock, counting))[plan.check.name]
            for name, counting in paying.items()
        }
        runner = Runner(plan, probers, min(MOST_IN_FLIGHT, budget(raise_limit())))
        run = await _run(plan, runner)
        tokens = {name: counting.tokens if counting is not None else 0 for name, counting in paying.items()}
    return report(plan, run, tokens if isinstance(plan.check.settings, InferenceSettings) else {})


async def _run(plan: BenchmarkPlan, runner: Runner) -> Run:
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


async def _tell(plan: BenchmarkPlan, runner: Runner) -> None:
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


def _show(found: Report, output: Output) -> None:
    if output is Output.JSON:
        print_json(plain.as_json(found))
    else:
        print_text(shown(tables.text(found), lines=True))
