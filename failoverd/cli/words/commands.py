"""How the words of operators are asked for on the command line. What they do is imported when one is chosen."""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from failoverd.cli.options import DEFAULT_CONFIG, ConfigOption, Exit, Output, OutputOption

if TYPE_CHECKING:
    from failoverd.cli.words.asking import Line, Selected

app = typer.Typer(rich_markup_mode=None, context_settings={"help_option_names": ["--help", "-h"]})

Now = Annotated[bool, typer.Option("--now", help="at once: no rate makes it slower")]
Services = Annotated[
    list[str] | None, typer.Argument(metavar="[POLICY|RECORD]...", help="policies, or records by their name, or globs")
]
Addresses = Annotated[
    list[str] | None, typer.Argument(metavar="ENDPOINT...", help="region/address, or the address alone")
]
OverrideId = Annotated[str, typer.Argument(metavar="ID", help="as failoverctl overrides lists it")]

practice = typer.Typer(
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Drills: a region gets no traffic for a while, to see that the others bear it.",
)
app.add_typer(practice, name="practice")

leader = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="The one of several members that writes.",
)
app.add_typer(leader, name="leader")

_SELECTS: Final[Mapping[str, Any]] = {
    "regions": Annotated[list[str] | None, typer.Option("--region", help="of this region; several")],
    "clouds": Annotated[list[str] | None, typer.Option("--cloud", help="all regions of this cloud; several")],
    "endpoints": Annotated[
        list[str] | None, typer.Option("--endpoint", help="this endpoint, region/address or the address; several")
    ],
    "policies": Annotated[
        list[str] | None, typer.Option("--policy", "-p", help="only this policy; several, or a glob")
    ],
    "records": Annotated[
        list[str] | None, typer.Option("--record", help="only this record, by its name; several, or a glob")
    ],
}
"""Options that say what a word is about, as `Selected` calls them."""

_SAYS: Final[Mapping[str, Any]] = {
    "comment": Annotated[str | None, typer.Option("--reason", "-r", help="why; it is kept for ever")],
    "reason": Annotated[
        str | None, typer.Option("--reason", "-r", help="why, for everybody who wonders; it is kept for ever")
    ],
    "lasts": Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="for how long, such as 45m or 2h; at most 72h, see extend"),
    ],
    "rules": Annotated[
        list[str] | None,
        typer.Option("--approve-with", metavar="RULE", help="a rule that it may break, by name; several"),
    ],
    "dry_run": Annotated[
        bool, typer.Option("--dry-run", help="show what it would do at every record, and change nothing")
    ],
    "wait": Annotated[
        bool,
        typer.Option("--wait", help="until the authoritative servers answer with it; says how many clients are left"),
    ],
}
"""Options that say how it is asked for, as `Line` calls them."""


def _word(
    names: object = None, *, selects: tuple[str, ...] = (), says: tuple[str, ...] = ()
) -> Callable[[Callable[..., Exit]], Callable[..., None]]:
    """A command about what `names`, its argument, and the options `selects` say; asked for as the options `says` do.

    It is given the `Line` and, where something is selected, the `Selected`, and whatever it asks for itself by its own
    parameters.
    """
    wanted = {"names": names} if names is not None else {}
    wanted |= {name: _SELECTS[name] for name in selects}
    common = {name: _SAYS[name] for name in says} | {"config": ConfigOption, "output": OutputOption}
    defaults = {"config": DEFAULT_CONFIG, "output": Output.TEXT, "dry_run": False, "wait": False}

    def command(does: Callable[..., Exit]) -> Callable[..., None]:
        def asked(**given: Any) -> None:  # noqa: ANN401 - whatever the command line says
            from failoverd.cli.words.asking import Line, Selected

            said = {"comment": "reason"}
            line = Line(**{said.get(name, name): given.pop(name) for name in common})
            selected = Selected(**{name: tuple(given.pop(name) or ()) for name in wanted})
            raise typer.Exit(does(line, selected, **given) if wanted else does(line, **given))

        own = list(signature(does).parameters.values())[2 if wanted else 1 :]
        parameters = [
            *(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=of) for name, of in wanted.items()),
            *(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own),
            *(
                Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=of)
                for name, of in common.items()
            ),
        ]
        asked.__name__, asked.__doc__ = does.__name__, does.__doc__
        asked.__annotations__ = {each.name: each.annotation for each in parameters}
        asked.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # as typer reads it
        return asked

    return command


_GIVEN: Final = ("reason", "lasts", "dry_run", "wait")
_BREAKING: Final = ("reason", "lasts", "rules", "dry_run", "wait")


@app.command()
@_word(
    Annotated[
        list[str] | None,
        typer.Argument(metavar="[WHAT]...", help="regions, globs of them such as 'azure-*', or endpoints"),
    ],
    selects=("clouds", "endpoints", "policies", "records"),
    says=_BREAKING,
)
def drain(
    line: "Line",
    what: "Selected",
    over: Annotated[
        str | None,
        typer.Option("--over", metavar="TIME", help="in steps over this time, not by the rates alone"),
    ] = None,
    now: Now = False,
) -> Exit:
    """Keep all traffic away from regions or endpoints, which are probed on. They are no standby meanwhile.

    Nothing is asked back at 3 am: what would empty an answer or break a rule is refused, and --dry-run is one word
    away.
    Exit 11: refused, or another word stands against it. 12: no daemon is there to do it.
    """
    from failoverd.cli.words import asking

    return asking.drain(line, what, over, now=now)


@app.command()
@_word(
    Annotated[
        list[str] | None,
        typer.Argument(metavar="REGION... PERCENT", help="regions or globs, and how much less"),
    ],
    selects=("clouds", "policies", "records"),
    says=_BREAKING,
)
def shed(line: "Line", what: "Selected", now: Now = False) -> Exit:
    """Give regions less than they would get: failoverctl shed azure-eastus 25%. All of it is a drain."""
    from failoverd.cli.words import asking

    return asking.shed(line, what, now=now)


@app.command()
@_word(
    Annotated[
        list[str] | None,
        typer.Argument(metavar="POLICY|RECORD SHARES", help="and shares such as azure-eastus=60,oci-ashburn=40"),
    ],
    selects=("policies", "records"),
    says=_BREAKING,
)
def pin(line: "Line", what: "Selected", now: Now = False) -> Exit:
    """Have a policy, or a record, answer with these shares, among the regions that serve."""
    from failoverd.cli.words import asking

    return asking.pin(line, what, now=now)


@app.command()
@_word(Services, selects=("policies", "records"), says=_GIVEN)
def hold(line: "Line", what: "Selected") -> Exit:
    """Leave the answers of a policy exactly as they are, whatever fails."""
    from failoverd.cli.words import asking

    return asking.hold(line, what)


@app.command()
@_word(Services, selects=("policies", "records"), says=_GIVEN)
def pause(
    line: "Line",
    what: "Selected",
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="everything: nothing at all is written any more")] = False,
) -> Exit:
    """Move nothing of a policy but what fails out. With --all, write nothing at all."""
    from failoverd.cli.words import asking

    return asking.pause(line, what, everything=everything, key=context.obj)


@app.command()
@_word(Addresses, selects=("policies",), says=_GIVEN)
def up(line: "Line", what: "Selected") -> Exit:
    """Take an endpoint for well, whatever its probes find."""
    from failoverd.cli.words import asking

    return asking.verdict(line, "up", what)


@app.command()
@_word(Addresses, selects=("policies",), says=_GIVEN)
def down(line: "Line", what: "Selected") -> Exit:
    """Take an endpoint for down, whatever its probes find."""
    from failoverd.cli.words import asking

    return asking.verdict(line, "down", what)


@app.command()
@_word(says=("reason", "wait", "dry_run"))
def approve(
    line: "Line",
    digest: Annotated[str, typer.Argument(help="the digest of the plan that a limit holds, as it was told")],
) -> Exit:
    """Let through one plan that a limit holds, if it is still that plan; it holds for 15 minutes."""
    from failoverd.cli.words import asking

    return asking.approve(line, digest)


@app.command()
@_word(says=("reason", "lasts"))
def switch(
    line: "Line",
    name: Annotated[str, typer.Argument(help="the switch, as the rules name it")],
    off: Annotated[bool, typer.Option("--off", help="turn it off again")] = False,
) -> Exit:
    """Turn a named switch on, which the gates of the inventory's rules look at."""
    from failoverd.cli.words import asking

    return asking.switch(line, name, off=off)


@app.command()
@_word(selects=("policies", "records"), says=_GIVEN)
def undo(
    line: "Line",
    what: "Selected",
    change: Annotated[
        str | None, typer.Argument(metavar="[CHANGE]", help="the change, as history names it; the last one without it")
    ] = None,
    now: Now = False,
) -> Exit:
    """Take a change back: a pin to the shares of before, with an end."""
    from failoverd.cli.words import asking

    return asking.undo(line, change, what, now=now)


@app.command()
@_word(
    Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID|WHAT]...", help="ids, or what they are about: a region, a policy, a record"),
    ],
    selects=("regions", "clouds", "endpoints", "policies", "records"),
    says=("comment", "wait"),
)
def release(
    line: "Line",
    what: "Selected",
    verb: Annotated[str | None, typer.Option("--verb", help="only of this kind: drain, shed, pin, hold, ...")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="those that markers name and the journal does not know")] = False,
    rival: Annotated[bool, typer.Option("--rival", help="instead: who else wrote these names is gone")] = False,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    now: Annotated[bool, typer.Option("--now", help="what they kept away comes back in one step, by no ramp")] = False,
) -> Exit:
    """End overrides now. What they kept away comes back by its ramp, and by the limits of `returning`."""
    from failoverd.cli.words import asking

    return asking.release(line, what, asking.verb(verb), lost=lost, rival=rival, everything=everything, now=now)


@app.command()
@_word(says=("lasts", "comment"))
def extend(line: "Line", override: OverrideId) -> Exit:
    """Have an override hold for so long from now on, whatever its end was."""
    from failoverd.cli.words import asking

    return asking.extend(line, override)


@app.command()
@_word(says=("comment", "wait"))
def agree(line: "Line", override: OverrideId) -> Exit:
    """Agree to an override that waits for a second person."""
    from failoverd.cli.words import asking

    return asking.agree(line, override)


@app.command()
@_word()
def reload(line: "Line") -> Exit:
    """Have the daemon read every file again, now, and wait until it has. It follows changed files by itself, too.

    Exit 1: a file does not load; what ran before it was changed goes on. 12: no daemon is there to do it.
    """
    from failoverd.cli.words import asking

    return asking.reload(line)


@leader.command("resign")
@_word(says=("comment",))
def resign(
    line: "Line",
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="how long it does not stand again")] = "1m",
    anyway: Annotated[bool, typer.Option("--anyway", help="although no other member is heard of")] = False,
) -> Exit:
    """Have this machine's daemon, which leads, let another member lead, and say who does: before work on it, say.

    No traffic moves by that. Exit 1: it does not lead, or nobody else could. 12: no daemon is there.
    """
    from failoverd.cli.words import asking

    return asking.resign(line, lasts, anyway=anyway)


@practice.callback()
def practised(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Drills: which is on, when each region was last practised, how that went, what comes. Needs no daemon."""
    if context.invoked_subcommand is None:
        from failoverd.cli.views import practised

        practised.practice(config, output)


@practice.command("start")
@_word(
    Annotated[list[str] | None, typer.Argument(metavar="REGION", help="which region is to get no traffic")],
    selects=("policies",),
    says=_GIVEN,
)
def start_practice(line: "Line", what: "Selected") -> Exit:
    """Have a region get no traffic for a while. It ends at once if anything comes up, and costs no service.

    It begins on a good day alone: no incident is open, no other word is in force, every region is healthy, and the
    others can carry 1.1 times the demand of all policies.
    Exit 11: something stands against it. 12: no daemon is there to do it.
    """
    from failoverd.cli.words import asking

    return asking.practise(line, what)


@practice.command("stop")
@_word(
    Annotated[list[str] | None, typer.Argument(metavar="[REGION]", help="only the drill of this region")],
    says=("comment", "wait"),
)
def stop_practice(line: "Line", what: "Selected") -> Exit:
    """End a drill before its time. The region comes back by the limits of `returning`."""
    from failoverd.cli.words import asking

    return asking.stop_practice(line, what)


@app.command()
def overrides(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="with everything that was said of each")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """What operators said that is in force, waits for more people, or is to come. Works with the daemon dead."""
    from failoverd.cli.views import said

    said.overrides(config, output, verbose=verbose)
