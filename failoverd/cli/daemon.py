"""`failoverd`: the daemon, and the demo.

Only how to ask stands here. What a command does is imported when it is chosen: the daemon does without the demo.
"""

import signal
import sys
from typing import Annotated

import typer

import failoverd
from failoverd.cli.loading import loading
from failoverd.cli.options import ConfigOption, Output, OutputOption, Scenario, hush_libraries, tell_version
from failoverd.cli.streams import ready

app = typer.Typer(no_args_is_help=True, add_completion=False, help=failoverd.__doc__)


def main() -> None:
    ready()
    hush_libraries()
    try:
        app()
    except OSError as error:  # commands tell theirs: what is left is that --help or --version cannot be printed
        from failoverd.cli.failing import not_printed

        sys.exit(not_printed(error))


tell_version(app, "failoverd")


@app.command()
def run(
    config: ConfigOption,
    check_only: Annotated[
        bool, typer.Option("--check-config", help="check every file and this machine, run nothing")
    ] = False,
) -> None:
    """Probe, decide, and keep the records as the policies want them, until SIGTERM. SIGHUP reads the files again."""
    if check_only:
        from failoverd.cli.checking import AnswerForm, check_everything

        raise typer.Exit(check_everything(config, AnswerForm(), on_site=True))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would kill a start, which is about to read the files anyway
    with loading():
        from failoverd.cli.running import run_daemon

    run_daemon(config)


@app.command()
def demo(
    output: OutputOption = Output.TEXT,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="leave everything up afterwards, for dig")
    ] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="port of the DNS server")] = None,
    scenario: Annotated[
        Scenario, typer.Option("--scenario", help="tiers: prod, pilot and dev of one service share the regions")
    ] = Scenario.FAILOVER,
) -> None:
    """Break one of three regions on this machine and watch the traffic leave, and return when it is safe."""
    from failoverd.cli.demo import demo_verb

    if scenario is Scenario.TIERS:
        if keep_running:
            raise typer.BadParameter("--keep-running is for the usual scenario")
        demo_verb.share(output, port)
        return
    demo_verb.demo(output, port, keep_running=keep_running)
