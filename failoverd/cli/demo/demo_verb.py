"""`failoverd demo`: the script, shown on a terminal or told as JSON."""

from functools import partial
from typing import Any

import typer
import uvloop
from rich.console import Console

from failoverd.cli.demo import scenario, tiers, view
from failoverd.cli.failing import print_json, told
from failoverd.cli.options import Exit, Output


def share(output: Output, port: int | None) -> None:
    """Several services share three clouds, and one of these is lost."""
    console = Console()
    say, picture = (lambda _: None, lambda *_: None) if output is Output.JSON else tiers.screen(console)
    with told():
        found = uvloop.run(tiers.play(say, picture, dns_port=port))
    if found is None:
        raise typer.Exit(Exit.INTERRUPTED)
    if output is Output.JSON:
        print_json(found)
    else:
        view.tell_what_is_next(console, "policies/tiers")


def demo(output: Output, port: int | None, *, keep_running: bool) -> None:
    console = Console()
    if output is Output.JSON:
        play = scenario.play(view.Silence(), print_json, dns_port=port, keep_running=keep_running)
    else:
        show = partial(_summarise, console, keep_running=keep_running)
        play = scenario.play(view.DemoScreen(console), show, dns_port=port, keep_running=keep_running)
    with told():
        finished = uvloop.run(play)
    if not finished:
        raise typer.Exit(Exit.INTERRUPTED)


def _summarise(console: Console, result: dict[str, Any], *, keep_running: bool) -> None:
    view.summarise(console, result)
    if keep_running:
        name, _, kind = result["record"].partition(" ")
        console.print(f"still running: try  dig @127.0.0.1 -p {result['dns']['port']} {name} {kind}   (Ctrl-C ends it)")
