"""How the words of operators are asked for on the command line. What they do is imported when one is chosen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from failoverd.cli.options import DEFAULT_CONFIG, ConfigOption, Output, OutputOption

if TYPE_CHECKING:
    from failoverd.cli.words.asking import Selected

app = typer.Typer(rich_markup_mode=None, context_settings={"help_option_names": ["--help", "-h"]})

Comment = Annotated[str | None, typer.Option("--reason", "-r", help="why; it is kept for ever")]
Reason = Annotated[
    str | None, typer.Option("--reason", "-r", help="why, for everybody who wonders; it is kept for ever")
]
For = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="for how long, such as 45m or 2h; at most 72h, see extend")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what it would do at every record, and change nothing")]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="until the authoritative servers answer with it; says how many clients are left"),
]
Rules = Annotated[
    list[str] | None, typer.Option("--approve-with", metavar="RULE", help="a rule that it may break, by name; several")
]
Now = Annotated[bool, typer.Option("--now", help="at once: no rate makes it slower")]
Policies = Annotated[list[str] | None, typer.Option("--policy", "-p", help="only this policy; several, or a glob")]
Records = Annotated[
    list[str] | None, typer.Option("--record", help="only this record, by its name; several, or a glob")
]
Clouds = Annotated[list[str] | None, typer.Option("--cloud", help="all regions of this cloud; several")]
Endpoints = Annotated[
    list[str] | None, typer.Option("--endpoint", help="this endpoint, region/address or the address; several")
]
Services = Annotated[
    list[str] | None, typer.Argument(metavar="[POLICY|RECORD]...", help="policies, or records by their name, or globs")
]


def _named(
    what: list[str] | None,
    policies: list[str] | None = None,
    records: list[str] | None = None,
    regions: list[str] | None = None,
    clouds: list[str] | None = None,
    endpoints: list[str] | None = None,
) -> "Selected":
    from failoverd.cli.words.asking import Selected

    return Selected(*(tuple(part or ()) for part in (what, policies, records, regions, clouds, endpoints)))


@app.command()
def drain(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WHAT]...", help="regions, globs of them such as 'azure-*', or endpoints"),
    ] = None,
    clouds: Clouds = None,
    endpoints: Endpoints = None,
    policies: Policies = None,
    records: Records = None,
    over: Annotated[
        str | None,
        typer.Option("--over", metavar="TIME", help="in steps over this time, not by the rates alone"),
    ] = None,
    now: Now = False,
    reason: Reason = None,
    lasts: For = None,
    rules: Rules = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Keep all traffic away from regions or endpoints, which are probed on. They are no standby meanwhile.

    Nothing is asked back at 3 am: what would empty an answer or break a rule is refused, and --dry-run is one word
    away.
    Exit 11: refused, or another word stands against it. 12: no daemon is there to do it.
    """
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, tuple(rules or ()), dry_run, wait)
    named = _named(what, policies, records, clouds=clouds, endpoints=endpoints)
    raise typer.Exit(asking.drain(line, named, over, now=now))


@app.command()
def shed(  # noqa: PLR0913, PLR0917 - as above
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="REGION... PERCENT", help="regions or globs, and how much less"),
    ] = None,
    clouds: Clouds = None,
    policies: Policies = None,
    records: Records = None,
    now: Now = False,
    reason: Reason = None,
    lasts: For = None,
    rules: Rules = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Give regions less than they would get: failoverctl shed azure-eastus 25%. All of it is a drain."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, tuple(rules or ()), dry_run, wait)
    named = _named(what, policies, records, clouds=clouds)
    raise typer.Exit(asking.shed(line, named, now=now))


@app.command()
def pin(  # noqa: PLR0913, PLR0917 - as above
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="POLICY|RECORD SHARES", help="and shares such as azure-eastus=60,oci-ashburn=40"),
    ] = None,
    policies: Policies = None,
    records: Records = None,
    now: Now = False,
    reason: Reason = None,
    lasts: For = None,
    rules: Rules = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have a policy, or a record, answer with these shares, among the regions that serve."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, tuple(rules or ()), dry_run, wait)
    named = _named(what, policies, records)
    raise typer.Exit(asking.pin(line, named, now=now))


@app.command()
def hold(  # noqa: PLR0913, PLR0917 - as above
    what: Services = None,
    policies: Policies = None,
    records: Records = None,
    reason: Reason = None,
    lasts: For = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Leave the answers of a policy exactly as they are, whatever fails."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, (), dry_run, wait)
    named = _named(what, policies, records)
    raise typer.Exit(asking.hold(line, named))


@app.command()
def pause(  # noqa: PLR0913, PLR0917 - as above
    context: typer.Context,
    what: Services = None,
    everything: Annotated[bool, typer.Option("--all", help="everything: nothing at all is written any more")] = False,
    policies: Policies = None,
    records: Records = None,
    reason: Reason = None,
    lasts: For = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Move nothing of a policy but what fails out. With --all, write nothing at all."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, (), dry_run, wait)
    named = _named(what, policies, records)
    raise typer.Exit(asking.pause(line, named, everything=everything, key=context.obj))


Addresses = Annotated[
    list[str] | None, typer.Argument(metavar="ENDPOINT...", help="region/address, or the address alone")
]


@app.command()
def up(
    what: Addresses = None,
    policies: Policies = None,
    reason: Reason = None,
    lasts: For = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Take an endpoint for well, whatever its probes find."""
    _verdict("up", what, policies, reason, lasts, dry_run, wait, config, output)


@app.command()
def down(
    what: Addresses = None,
    policies: Policies = None,
    reason: Reason = None,
    lasts: For = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Take an endpoint for down, whatever its probes find."""
    _verdict("down", what, policies, reason, lasts, dry_run, wait, config, output)


def _verdict(  # noqa: PLR0913, PLR0917 - as above
    verb: str,
    what: list[str] | None,
    policies: list[str] | None,
    reason: str | None,
    lasts: str | None,
    dry_run: bool,
    wait: bool,
    config: Path,
    output: Output,
) -> None:
    from failoverd.cli.words import asking
    from failoverd.core.overrides import Verb

    line = asking.Line(config, output, reason, lasts, (), dry_run, wait)
    raise typer.Exit(asking.verdict(line, Verb(verb), _named(what, policies)))


@app.command()
def approve(
    digest: Annotated[str, typer.Argument(help="the digest of the plan that a limit holds, as it was told")],
    reason: Reason = None,
    wait: Wait = False,
    dry_run: DryRun = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let through one plan that a limit holds, if it is still that plan; it holds for 15 minutes."""
    from failoverd.cli.words import asking

    raise typer.Exit(asking.approve(asking.Line(config, output, reason, None, (), dry_run, wait), digest))


@app.command()
def switch(
    name: Annotated[str, typer.Argument(help="the switch, as the rules name it")],
    off: Annotated[bool, typer.Option("--off", help="turn it off again")] = False,
    reason: Reason = None,
    lasts: For = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Turn a named switch on, which the gates of the inventory's rules look at."""
    from failoverd.cli.words import asking

    raise typer.Exit(asking.switch(asking.Line(config, output, reason, lasts), name, off=off))


@app.command()
def undo(  # noqa: PLR0913, PLR0917 - as above
    change: Annotated[
        str | None, typer.Argument(metavar="[CHANGE]", help="the change, as history names it; the last one without it")
    ] = None,
    policies: Policies = None,
    records: Records = None,
    now: Now = False,
    reason: Reason = None,
    lasts: For = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Take a change back: a pin to the shares of before, with an end."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, lasts, (), dry_run, wait)
    named = _named(None, policies, records)
    raise typer.Exit(asking.undo(line, change, named, now=now))


@app.command()
def release(  # noqa: PLR0913, PLR0917 - as above
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID|WHAT]...", help="ids, or what they are about: a region, a policy, a record"),
    ] = None,
    verb: Annotated[str | None, typer.Option("--verb", help="only of this kind: drain, shed, pin, hold, ...")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="those that markers name and the journal does not know")] = False,
    rival: Annotated[bool, typer.Option("--rival", help="instead: who else wrote these names is gone")] = False,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    regions: Annotated[list[str] | None, typer.Option("--region", help="of this region; several")] = None,
    clouds: Clouds = None,
    endpoints: Endpoints = None,
    policies: Policies = None,
    records: Records = None,
    reason: Comment = None,
    now: Annotated[bool, typer.Option("--now", help="what they kept away comes back in one step, by no ramp")] = False,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """End overrides now. What they kept away comes back by its ramp, and by the limits of `returning`."""
    from failoverd.cli.words import asking

    line = asking.Line(config, output, reason, wait=wait)
    named = _named(what, policies, records, regions, clouds, endpoints)
    raise typer.Exit(
        asking.release(line, named, asking.verb(verb), lost=lost, rival=rival, everything=everything, now=now)
    )


OverrideId = Annotated[str, typer.Argument(metavar="ID", help="as failoverctl overrides lists it")]


@app.command()
def extend(
    override: OverrideId,
    lasts: For = None,
    reason: Comment = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have an override hold for so long from now on, whatever its end was."""
    from failoverd.cli.words import asking

    raise typer.Exit(asking.extend(asking.Line(config, output, reason, lasts), override))


@app.command()
def agree(
    override: OverrideId,
    reason: Comment = None,
    wait: Wait = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Agree to an override that waits for a second person."""
    from failoverd.cli.words import asking

    raise typer.Exit(asking.agree(asking.Line(config, output, reason, wait=wait), override))


@app.command()
def reload(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Have the daemon read every file again, now, and wait until it has. It follows changed files by itself, too.

    Exit 1: a file does not load; what ran before it was changed goes on. 12: no daemon is there to do it.
    """
    from failoverd.cli.words import asking

    raise typer.Exit(asking.reload(asking.Line(config, output)))


@app.command()
def overrides(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="with everything that was said of each")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """What operators said that is in force, waits for more people, or is to come. Works with the daemon dead."""
    from failoverd.cli.views import said

    said.overrides(config, output, verbose=verbose)
