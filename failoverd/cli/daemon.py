"""`failoverd`: the daemon, and the demo."""

import sys
from functools import partial
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

import failoverd
from failoverd.app import Daemon, read_config
from failoverd.cli.checking import check_everything
from failoverd.cli.demo import scenario, view
from failoverd.cli.failing import not_printed, print_json, print_text, told
from failoverd.cli.options import ConfigOption, Exit, Output, OutputOption, hush_libraries
from failoverd.cli.streams import ready
from failoverd.core.events import Level
from failoverd.telemetry.logs import LogFormat, configure_logs

app = typer.Typer(no_args_is_help=True, add_completion=False, help=failoverd.__doc__)


def main() -> None:
    ready()
    hush_libraries()
    try:
        app()
    except OSError as error:  # commands tell theirs: what is left is that --help or --version cannot be printed
        sys.exit(not_printed(error))


def _version(on: bool) -> None:
    if on:
        print_text(f"failoverd {failoverd.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and leave", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Moves weighted DNS away from a failing region by reviewed policy, and back when it is safe."""


@app.command()
def run(
    config: ConfigOption,
    check_only: Annotated[
        bool, typer.Option("--check-config", help="check every file and this machine, run nothing")
    ] = False,
) -> None:
    """Probe, decide, and keep the records as the policies want them, until SIGTERM. SIGHUP reads the files again."""
    if check_only:
        raise typer.Exit(check_everything(config, Output.TEXT, on_site=True))
    with told():
        settings = read_config(config)
        logs = configure_logs(LogFormat(settings.log.format), Level(settings.log.level), sys.stderr)
        try:
            uvloop.run(Daemon(config, [logs.render]).run())
        finally:
            logs.close()


@app.command()
def demo(
    output: OutputOption = Output.TEXT,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="leave everything up afterwards, for dig")
    ] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="port of the DNS server")] = None,
) -> None:
    """Break one of three regions on this machine and watch the traffic leave, and return when it is safe."""
    console = Console()
    if output is Output.JSON:
        play = scenario.play(view.Silence(), print_json, dns_port=port, keep_running=keep_running)
    else:
        show = partial(_summarise, console, keep_running=keep_running)
        play = scenario.play(view.Screen(console), show, dns_port=port, keep_running=keep_running)
    with told():
        finished = uvloop.run(play)
    if not finished:
        raise typer.Exit(Exit.INTERRUPTED)


def _summarise(console: Console, result: dict[str, Any], *, keep_running: bool) -> None:
    view.summarise(console, result)
    if keep_running:
        name, _, kind = result["record"].partition(" ")
        console.print(f"still running: try  dig @127.0.0.1 -p {result['dns']['port']} {name} {kind}   (Ctrl-C ends it)")
