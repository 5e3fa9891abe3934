"""What `failoverctl` understands. Reading verbs need no daemon; writing ones are safe beside it.

Only how to ask stands here. What a verb does is imported when it is chosen, so that `--help` is there at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from failoverd.cli.options import (
    DEFAULT_CONFIG,
    CheckOutput,
    CheckOutputOption,
    ConfigOption,
    FileKind,
    Kind,
    Output,
    OutputOption,
    ReviewFormat,
    tell_version,
)
from failoverd.cli.words.commands import app as words

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Moves weighted DNS away from a failing region by reviewed policy, and back when it is safe.",
)


tell_version(app, "failoverctl")

notify = typer.Typer(no_args_is_help=True, help="Who is told of what needs a person.")
app.add_typer(notify, name="notify")

WithoutDaemon = Annotated[
    bool, typer.Option("--without-daemon", help="in this process, whether a daemon is there or not")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="write a page with plots to this file, too")]
PolicyOption = Annotated[str | None, typer.Option("--policy", "-p", help="only this policy")]


@app.command()
def init(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder that it is written to")] = Path(),
    provider: Annotated[str, typer.Option("--provider", metavar="KIND", help="who holds the zone")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="a setting of the provider, such as key.secret_file=/etc/failoverd/tsig.key",
        ),
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="the zone that the record is in")] = "",
    record: Annotated[str, typer.Option("--record", metavar="NAME", help="the name that clients ask for")] = "",
    regions: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="NAME=ADDRESS[,ADDRESS]", help="a region, and endpoints with or without port"),
    ] = None,
    clouds: Annotated[
        list[str] | None,
        typer.Option("--cloud", metavar="REGION=CLOUD", help="whose cloud a region is in, unless its name begins so"),
    ] = None,
    check: Annotated[
        str,
        typer.Option(
            "--check", metavar="URL", help="how to see that an endpoint is well: /path, http://host/path, tcp://any:443"
        ),
    ] = "",
    policy: Annotated[str, typer.Option("--policy", "-p", help="what to call the policy, if not by the record")] = "",
    owner: Annotated[str, typer.Option("--owner", help="the name by which it marks the records that it owns")] = "",
    journal: Annotated[str, typer.Option("--journal", metavar="FILE", help="where history is kept")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing: what is not said has its default")] = False,
) -> None:
    """Write a first configuration: of flags, and of answers to what they leave open, if this is a terminal.

    Nothing is overwritten, no secret is asked for, and no server is spoken to. It ends with what to do next.
    """
    from failoverd.cli.starting import gathering, init

    places = (regions or [], clouds or [])
    said = gathering.Flags(
        folder, provider, settings or [], zone, record, policy, *places, check, owner, journal, yes=yes
    )
    raise typer.Exit(init.init(said))


def _names_config(context: typer.Context) -> bool:
    """Whether the configuration was named on the command line."""
    source = context.get_parameter_source("config")
    return source is not None and source.name == "COMMANDLINE"


@app.command()
def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="policy files, and folders of them, which are judged by themselves, without a daemon, its machine or "
            "(unless --config is written, too) its configuration; without any, all that the configuration names is, or "
            "what is here if there is none"
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: CheckOutputOption = CheckOutput.TEXT,
    docs: Annotated[
        str,
        typer.Option(
            "--docs", metavar="URL", envvar="FAILOVERD_DOCS", help="where your copy of docs/ is, for the links of sarif"
        ),
    ] = "",
) -> None:
    """Print every error in every file at once; exit 1 if there is one."""
    from failoverd.cli import checking

    form = checking.AnswerForm(output, docs)
    raise typer.Exit(checking.check_files(paths or [], config, form, named=_names_config(context)))


@app.command("test")
def play_tests(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="policy files, files *.test.yaml, and folders of them, played with the configuration if --config is "
            "written, too; without any, all that the configuration names is, or what is here if there is none"
        ),
    ] = None,
    run: Annotated[
        str, typer.Option("--run", metavar="PATTERN", help="only tests whose name has it; * for any letters")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="write a report for a CI server, in JUnit's XML")
    ] = None,
    fail_under: Annotated[
        float,
        typer.Option(
            "--fail-under", metavar="PERCENT", help="fail if less of a policy is shown at work", min=0, max=100
        ),
    ] = 0.0,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Play the tests of policies on a virtual clock, without a daemon or a network; exit 1 if one fails."""
    from failoverd.cli import testing

    wanted = testing.TestsWanted(run, junit, fail_under)
    raise typer.Exit(testing.play_tests(paths or [], config, output, wanted, named=_names_config(context)))


@app.command()
def prove(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="policy files, and folders of them; without any, those that the configuration names, or those here "
            "if there is none"
        ),
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            "--most", metavar="N", help="situations to look at; of more, the rest is sampled", min=1, max=10_000_000
        ),
    ] = 3_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="which sample it is: the same for the same number")
    ] = 1,
    within: Annotated[
        str | None, typer.Option("--within", metavar="DURATION", help="stop after so long, and say how far it got")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Hold policies to what they promise in every combination of lost regions; exit 1 where one is not kept.

    Budgets spent and unspent, each kind of override and each edit by hand: never empty, residency, nothing that is down
    held back, tiers, room, min_regions, rules, and a way back. It needs no daemon and no network.
    """
    from failoverd.cli import proving_policies
    from failoverd.cli.failing import seconds

    reach = proving_policies.Reach(most, seed, seconds(within) if within is not None else None)
    raise typer.Exit(proving_policies.prove_policies(paths or [], config, output, reach, named=_names_config(context)))


@app.command()
def simulate(
    context: typer.Context,
    scenario: Annotated[
        Path,
        typer.Argument(
            help="a file *.scenario.yaml, played against the policies beside it, or in the folder above, and with the "
            "configuration if --config is written, too"
        ),
    ],
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="[POLICY:]KEY=VALUE",
            help="play it again with this key of a policy changed, such as failback.after=10m, and compare; may be "
            "said several times",
        ),
    ] = None,
    policy: PolicyOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    html: HtmlOption = None,
) -> None:
    """Play an outage against policies on a virtual clock: what happened, what moved and why, and what it came to.

    It needs no daemon and no network. With --what-if, two variants stand side by side.
    """
    from failoverd.cli import playing_scenarios

    named = config if _names_config(context) else None
    wanted = playing_scenarios.ScenarioWanted(scenario, named, tuple(what_if or ()), policy or "", html)
    raise typer.Exit(playing_scenarios.play_scenario(wanted, output))


@app.command()
def review(
    context: typer.Context,
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="a git revision (main, git:HEAD~1), or a folder or file of policies")
    ],
    new: Annotated[
        str, typer.Argument(metavar="[NEW]", help="the same of what is proposed; without it, the files as they are")
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="where the policies are, now and in a revision; without it: what is named besides a revision, what "
            "the configuration names, or the working directory",
        ),
    ] = None,
    form: Annotated[
        ReviewFormat, typer.Option("--format", help="text for a terminal, markdown for a comment of a pull request")
    ] = ReviewFormat.TEXT,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what a change of policy files does: to shares on a good day and after each loss, to limits, rules and cost.

    What a reviewer has to see comes first. It needs no daemon, no network and no checkout. Exit 0: nothing changes. 10:
    something does. 1: a new file does not load, or a promise is no longer kept (see prove).
    """
    from failoverd.cli import comparing

    wanted = comparing.ReviewWanted(old, new, folder)
    raise typer.Exit(comparing.review(wanted, config, output, form, named=_names_config(context)))


@app.command()
def schema(
    kind: Annotated[
        FileKind, typer.Argument(help="which kind of file; api: the OpenAPI document; events: lines of the log")
    ] = FileKind.POLICY,
) -> None:
    """Print the JSON Schema of a kind of file, for editors, or of what is logged, or what the admin API is."""
    from failoverd.cli import checking

    checking.print_schema(kind)


@app.command()
def probe(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="a policy, a region, an endpoint (its address, or region/address), or a URL without any policy: "
            "https://host/path, http://..., tcp://host:port, tls://host:port, icmp://host, grpc://host:port/service, "
            "dns://server/name",
        ),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    policy: PolicyOption = None,
    check: Annotated[str | None, typer.Option("--check", help="only this check")] = None,
    output: OutputOption = Output.TEXT,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1_000, help="how many rounds of probes")] = 1,
    every: Annotated[str, typer.Option("--every", help="time between rounds, such as 500ms")] = "1s",
    spend: Annotated[
        bool, typer.Option("--spend", help="let inference checks ask for completions, which cost tokens")
    ] = False,
) -> None:
    """Probe now, phase by phase, exactly as the daemon would. Exit 1: something fails, or cannot be seen from here."""
    from failoverd.cli.failing import seconds
    from failoverd.cli.probing import probe_verb

    asked = probe_verb.ProbeOptions(target, policy, check, count, seconds(every), spend)
    raise typer.Exit(probe_verb.probe(config, output, asked))


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    policies: Annotated[list[str] | None, typer.Argument(help="policies; all of them when none is named")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="write what is pending to this file, for apply")] = None,
    returning: Annotated[
        list[str] | None, typer.Option("--return", help="a region to bring back now, whatever failback says")
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="each record with its reasons, and what it needs and has in each region"),
    ] = False,
    without_daemon: WithoutDaemon = False,
    if_down: Annotated[
        list[str] | None,
        typer.Option("--if-down", metavar="REGION[,REGION]", help="what would be done if these regions were down"),
    ] = None,
    if_cloud_down: Annotated[
        list[str] | None, typer.Option("--if-cloud-down", metavar="CLOUD[,CLOUD]", help="the same of whole clouds")
    ] = None,
    drain: Annotated[
        list[str] | None,
        typer.Option("--drain", metavar="REGION[,REGION]", help="what would be done if these regions were drained"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="by this file, in place of the one that holds the same policy"),
    ] = None,
    against: Annotated[
        str,
        typer.Option("--against", metavar="git:REVISION", help="compare with what the files of this revision would do"),
    ] = "",
) -> None:
    """Show what would be changed now, writing nothing: by the daemon's verdicts, or probed from here without one.

    With --if-down, --if-cloud-down, --drain or --policy: what would be done if that were so, in 12 lines a policy at
    most, with the next step that comes by itself. With --against: what the files would do, and those of a revision of
    their git repository; 0: the same.

    Exit 0: nothing is to be done, and everything was seen. 10: changes pending. 11: a limit or a rule keeps what stands
    there. 1: a record is refused or cannot be read, or endpoints cannot be judged from here. 12: a daemon is there, and
    does not answer.
    """
    from failoverd.cli import verbs, what_if

    names, regions = policies or [], returning or []
    asked = what_if.IfSo.of(if_down, if_cloud_down, drain, file, against)
    if asked is not None:
        wanted = what_if.WhatIf(config, tuple(names), tuple(regions), asked, without_daemon=without_daemon)
        raise typer.Exit(what_if.show(wanted, output, out, verbose=verbose))
    raise typer.Exit(verbs.plan(config, output, names, out, regions, without_daemon=without_daemon, verbose=verbose))


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="what plan --out wrote")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    without_daemon: WithoutDaemon = False,
) -> None:
    """Look again, and apply a plan if it is exactly what would be done now. The daemon does it, if one is there.

    Exit 0: it stands there, whoever wrote it. 1: refused, for something else would be done now, or failed. 11: a limit
    blocks. 12: a daemon is there, and does not answer.
    """
    from failoverd.cli import verbs

    raise typer.Exit(verbs.apply(config, output, file, without_daemon=without_daemon))


@app.command()
def adopt(
    policy: Annotated[str, typer.Argument(help="the policy that is to own the name")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take over a record that exists without a marker. Its answers stay as they are until the next decision."""
    from failoverd.cli import verbs

    raise typer.Exit(verbs.adopt(config, policy, name))


@app.command()
def disown(
    policy: Annotated[str, typer.Argument(help="the policy that owns the name")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give a record back: its marker is removed, its answers stay as they are, and failoverd touches it no more."""
    from failoverd.cli import verbs

    raise typer.Exit(verbs.disown(config, policy, name))


@app.command("import")
def import_(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    provider: Annotated[str, typer.Argument(help="the provider's name in the configuration")],
    zone: Annotated[str, typer.Argument(help="one of its zones")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    record_type: Annotated[
        Kind | None, typer.Option("--type", help="the record's type, if the name has several")
    ] = None,
    policy: Annotated[str, typer.Option("--policy", "-p", help="what to call the policy")] = "",
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="which region an answer belongs to: 192.0.2.10=azure-eastus")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="where its check knocks")] = 443,
    out: Annotated[Path | None, typer.Option("--out", help="write the policy to this new file")] = None,
) -> None:
    """Read what stands at a name and write a policy file that would leave it exactly as it is. Touches no DNS."""
    from failoverd.cli import verbs

    place = (provider, zone, name)
    raise typer.Exit(verbs.import_record(config, output, place, record_type, policy, regions or [], port, out))


@app.command()
def status(
    policies: Annotated[
        list[str] | None, typer.Argument(metavar="[POLICY]...", help="only these, by name or glob; all without any")
    ] = None,
    again: Annotated[bool, typer.Option("--watch", "-w", help="look every 2 s, until Ctrl-C")] = False,
    problems: Annotated[bool, typer.Option("--problems", help="only what is not well")] = False,
    dns: Annotated[
        bool, typer.Option("--dns", help="ask the authoritative servers now whether they answer what is said here")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="all that is known, with the sums, and the commands that do it by hand"),
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Where everything stands: who is needed, each record against normal, what comes next. Works with the daemon dead.

    Exit 0: all is well. 3: something moved or is degraded, and failoverd takes care of it. 4: a person is needed.
    12: not known, for no daemon is heard, say.
    """
    from failoverd.cli.views import now

    asked = now.StatusWanted(config, tuple(policies or ()), problems=problems, dns=dns, verbose=verbose)
    if again and output is not Output.TEXT:
        raise typer.BadParameter("--watch is for people: a program asks again by itself")
    raise typer.Exit(now.watch(asked) if again else now.status(asked, output))


@app.command()
def inventory(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """What each region carries, and who would be short without it: the page of a capacity review."""
    from failoverd.cli.views import capacity_review

    capacity_review.inventory(config, output)


@app.command()
def members(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Who of several members leads, who is there, and whose votes count. Works with the daemon dead.

    Exit 0: all is well. 3: a member is missing, say. 4: a person is needed. 12: not known, for no daemon is heard.
    """
    from failoverd.cli.views import who_leads

    raise typer.Exit(who_leads.members(config, output))


@app.command()
def page(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="of 127.0.0.1; 0: any that is free")] = 8653,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show everything at a glance in a browser, live: prints the link, and serves the page until Ctrl-C."""
    from failoverd.cli.views import page as view

    view.page(config, port)


@app.command()
def why(
    what: Annotated[
        str | None, typer.Argument(metavar="[RECORD|POLICY]", help="a record by its name in DNS, or a policy")
    ] = None,
    policy: PolicyOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="at that time: 03:12, or 2026-11-22T03:12; UTC, as everything that is printed, unless it has an offset"
            " such as +01:00",
        ),
    ] = None,
    incident: Annotated[str | None, typer.Option("--incident", help="in this incident")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Why traffic is where it is: how it stands, then the last change, the sum, and what led to it."""
    from failoverd.cli.views import past

    past.why(config, output, what, policy, at, incident)


@app.command()
def history(
    about: Annotated[str | None, typer.Argument(metavar="[POLICY]", help="the same as --policy")] = None,
    policy: PolicyOption = None,
    since: Annotated[str, typer.Option("--since", help="how far back, such as 24h")] = "7d",
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, max=10_000, help="the last so many of each: changes, overrides, holds, edits"),
    ] = 50,
    member: Annotated[
        str | None, typer.Option("--member", metavar="NAME", help="only what this one of several members did or found")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Every change and how it ended, what was held, which policies were edited, and what operators said."""
    from failoverd.cli.views import past

    past.history(config, output, policy or about, since, limit, member)


@app.command()
def replay(
    policies: Annotated[list[str] | None, typer.Argument(help="policies; all of them when none is named")] = None,
    last: Annotated[str, typer.Option("--last", metavar="TIME", help="how far back, such as 24h")] = "7d",
    file: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="what this file would have done with its policy")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Decide again what was decided, by what the journal kept: every decision has to come to what it came to then.

    With --policy: what another file would have done: changes, false moves, minutes on dead regions, cost. Works with
    the daemon dead, and writes nothing.

    Exit 0: all of it came to the same. 1: something did not, which is a defect. 10: the other file would have answered
    something else.
    """
    from failoverd.cli import replaying_decisions
    from failoverd.cli.failing import seconds

    wanted = replaying_decisions.ReplayWanted(config, seconds(last), tuple(policies or ()))
    if file is None:
        raise typer.Exit(replaying_decisions.replay(wanted, output))
    from failoverd.cli import living_again

    raise typer.Exit(living_again.live_again(wanted, file, output))


@notify.command("test")
def try_receivers(
    name: Annotated[str | None, typer.Argument(help="a receiver of the configuration; all of them without it")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Send a test and its end to each receiver, and say what each answered; exit 1 if one did not take it."""
    from failoverd.cli import notifying

    raise typer.Exit(notifying.try_receivers(config, output, name))


@app.command()
def benchmark(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    policy: Annotated[str, typer.Argument(help="the policy whose regions are compared")],
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="only this region; may be said several times")
    ] = None,
    check: Annotated[str | None, typer.Option("--check", help="the check, if the policy has several")] = None,
    seconds: Annotated[str, typer.Option("--for", metavar="TIME", help="how long, up to 1h")] = "30s",
    rate: Annotated[str, typer.Option("--rate", help="requests to each endpoint, up to 50/s")] = "1/s",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    html: HtmlOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before sending")] = False,
    spend: Annotated[bool, typer.Option("--spend", help="inference checks may ask for completions")] = False,
) -> None:
    """Ask the endpoints of a policy steadily for a time, and compare latency, availability and cost by region."""
    from failoverd.cli.benchmarking import benchmark

    wish = benchmark.Wish(policy, regions or [], check, seconds, rate, yes=yes, spend=spend)
    raise typer.Exit(benchmark.benchmark(config, output, wish, html))


@app.command()
def files(
    name: Annotated[str | None, typer.Argument(help="print this one, by the end of its name")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the files that come with failoverd, or print one: the unit, examples, completion, manual pages.

    A configuration to start from: failoverctl files systemd/failoverd.yaml
    """
    from failoverd.cli import shipped

    raise typer.Exit(shipped.files(name, output))


app.add_typer(words)
