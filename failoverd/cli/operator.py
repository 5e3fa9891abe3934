"""`failoverctl`: what the operator can ask and do. Reading verbs need no daemon; writing ones are safe beside it."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

import failoverd
from failoverd.app import read_config
from failoverd.cli import importing, operations, planning, telling
from failoverd.cli.checking import FileKind, check_files, json_schema
from failoverd.cli.options import DEFAULT_CONFIG, ConfigOption, Exit, Output, OutputOption, print_json, told
from failoverd.cli.screen import say, shown
from failoverd.codec import dump, load, plain
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.core.guard import Held
from failoverd.core.plan import Plan
from failoverd.core.records import Policy, RecordType
from failoverd.ports import Access
from failoverd.settings import parse_duration, parse_name
from failoverd.store.reading import Reading

app = typer.Typer(no_args_is_help=True, add_completion=False, help=failoverd.__doc__)
console = Console(highlight=False)

PolicyOption = Annotated[str | None, typer.Option("--policy", "-p", help="only this policy")]
PLAN_VERSION = 1


def main() -> None:
    app()


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Print every error in every file at once; exit 1 if there is one."""
    raise typer.Exit(check_files(config, output))


@app.command()
def schema(kind: Annotated[FileKind, typer.Argument(help="which kind of file")] = FileKind.POLICY) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    print_json(json_schema(kind))


@app.command()
def plan(
    policies: Annotated[list[str] | None, typer.Argument(help="policies; all of them when none is named")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="write what is pending to this file, for apply")] = None,
    returning: Annotated[
        list[str] | None, typer.Option("--return", help="a region to bring back now, whatever failback says")
    ] = None,
) -> None:
    """Probe now and show what would be changed, writing nothing. Exit 10: changes pending, 11: a limit blocks."""
    with told():
        findings = asyncio.run(_plan(config, policies or [], frozenset(returning or [])))
        if output is Output.JSON:
            print_json([planning.as_json(finding) for finding in findings])
        else:
            planning.show(console, findings)
        if out is not None:
            _write_plans(out, tuple(each.result for each in findings if isinstance(each.result, Plan)))
    results = [each.approval if isinstance(each.approval, Held) else each.result for each in findings]
    raise typer.Exit(planning.exit_code(results))


def _write_plans(out: Path, pending: tuple[Plan, ...]) -> None:
    file = operations.PlanFile(PLAN_VERSION, time.time(), operations.actor(), pending)
    try:
        out.write_text(dump(file, indent=2) + "\n")
    except OSError as error:
        raise FailoverdError(
            f"the plan cannot be written to {out}: {error.strerror}",
            reason="plan_unwritable",
            remedy="name a file in a directory that you may write",
        ) from error


async def _plan(config: Path, names: list[str], returning: frozenset[str]) -> list[operations.Finding]:
    async with operations.workshop(config, Access.READ) as shop:
        chosen = [shop.policy(name) for name in names] or list(shop.policies.values())
        unknown = returning - {region.name for policy in chosen for region in policy.regions}
        if unknown:
            raise ConfigError(f"no policy has a region {', '.join(sorted(unknown))}", reason="region_unknown")
        planned = await asyncio.gather(*(operations.make_plan(shop, policy, returning) for policy in chosen))
        return [finding for findings in planned for finding in findings]


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="what plan --out wrote")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Apply a plan exactly as it was reviewed; refuse if anything changed since. Exit 11: a limit blocks."""
    with told():
        attempts = asyncio.run(_apply(config, _read_plans(file)))
    if output is Output.JSON:
        print_json([{"target": plain(each.plan.target), "outcome": planning.outcome(each)} for each in attempts])
    else:
        for each in attempts:
            say(console, f"{each.plan.target}: {planning.outcome(each)}")
    raise typer.Exit(planning.exit_code([each.result for each in attempts]))


def _read_plans(file: Path) -> tuple[Plan, ...]:
    try:
        found = load(operations.PlanFile, file.read_bytes())
    except (OSError, ValidationError) as error:
        words = f"{error.error_count()} errors in it" if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"{file} is not a plan: {words}", reason="plan_unreadable", remedy="make it again") from error
    if found.version != PLAN_VERSION:
        raise ConfigError(f"{file} is a plan of version {found.version}", reason="plan_version", remedy="make it again")
    return found.plans


async def _apply(config: Path, plans: tuple[Plan, ...]) -> list[operations.Attempt]:
    """Each plan on its own: one that is refused does not keep the others from being applied."""
    async with operations.workshop(config, Access.WRITE) as shop:
        return [await operations.apply_plan(shop, each) for each in plans]


@app.command()
def adopt(
    policy: Annotated[str, typer.Argument(help="the policy that is to own the name")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take over a record that exists without a marker. Its answers stay as they are until the next decision."""
    _own(config, policy, name, operations.adopt_record)


@app.command()
def disown(
    policy: Annotated[str, typer.Argument(help="the policy that owns the name")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give a record back: its marker is removed, its answers stay as they are, and failoverd touches it no more."""
    _own(config, policy, name, operations.disown_record)


_Owning = Callable[[operations.Workshop, Policy, str], Awaitable[list[operations.Adoption]]]


def _own(config: Path, policy: str, name: str, work: _Owning) -> None:
    async def run() -> list[operations.Adoption]:
        async with operations.workshop(config, Access.WRITE) as shop:
            return await work(shop, shop.policy(policy), name)

    with told():
        adoptions = asyncio.run(run())
    for each in adoptions:
        say(console, f"{each.target}: {planning.adopted(each)}")
    raise typer.Exit(Exit.FAILED if any(isinstance(each.result, FailoverdError) for each in adoptions) else Exit.FINE)


@app.command("import")
def import_(  # noqa: PLR0913, PLR0917 - each is something to say on the command line
    provider: Annotated[str, typer.Argument(help="the provider's name in the configuration")],
    zone: Annotated[str, typer.Argument(help="one of its zones")],
    name: Annotated[str, typer.Argument(help="the record's name")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    record_type: Annotated[
        RecordType | None, typer.Option("--type", help="the record's type, if the name has several")
    ] = None,
    policy: Annotated[str, typer.Option("--policy", "-p", help="what to call the policy")] = "",
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="which region an answer belongs to: 192.0.2.10=azure-eastus")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="where its check knocks")] = 443,
    out: Annotated[Path | None, typer.Option("--out", help="write the policy to this new file")] = None,
) -> None:
    """Read what stands at a name and write a policy file that would leave it exactly as it is. Touches no DNS."""
    with told():
        answers = _regions_by_answer(regions or [])
        wanted = importing.Wanted(provider, _name(zone), _name(name), record_type, policy, answers, port)
        imported = asyncio.run(_import(config, wanted))
        if out is not None:
            _write_new(out, imported.text)
        if output is Output.JSON:
            print_json({"policy": imported.policy, "unlisted": list(imported.unlisted), "text": imported.text})
            return
        if out is None:
            sys.stdout.write(shown(imported.text, lines=True))
        _say_next(config, imported, out)


async def _import(config: Path, wanted: importing.Wanted) -> importing.Imported:
    async with operations.workshop(config, Access.READ) as shop:
        return await importing.import_record(shop, wanted)


def _name(text: str) -> str:
    try:
        return parse_name(text)
    except ValueError as error:
        raise ConfigError(str(error), reason="name_invalid") from error


def _regions_by_answer(pairs: list[str]) -> dict[str, str]:
    found = dict(pair.rpartition("=")[::2] for pair in pairs)
    if "" in found or "" in found.values():
        raise typer.BadParameter("write --region ANSWER=REGION, such as 192.0.2.10=azure-eastus")
    return found


def _write_new(out: Path, text: str) -> None:
    try:
        with out.open("x") as file:
            file.write(text)
    except OSError as error:
        raise FailoverdError(
            f"the policy cannot be written to {out}: {error.strerror}",
            reason="policy_unwritable",
            remedy="name a file that does not exist yet, in a directory that you may write",
        ) from error


def _say_next(config: Path, imported: importing.Imported, out: Path | None) -> None:
    """What is left for a person to do, on standard error, so that the file alone is on standard output."""
    notes = Console(stderr=True, highlight=False)
    if out is not None:
        say(notes, f"written: {out}")
    if imported.unlisted:
        say(notes, "name these regions in the inventory, or give them their names with --region:")
        for region in imported.unlisted:
            say(notes, f"  {region}: {{cloud: ...}}")
    if imported.owner:
        say(notes, f"the name is owned already: its marker says {imported.observed.marker_text}")
    name = imported.observed.target.key.name
    say(notes, f"then: failoverctl check -c {config}; failoverctl adopt {imported.policy} {name} -c {config}")


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Where everything stands: health, what is published, what waits and for what. Works with the daemon dead."""
    with told(), Reading(read_config(config).journal) as reading:
        if output is Output.JSON:
            print_json(telling.status(reading, time.time()))
        else:
            telling.show_status(console, reading, time.time())


@app.command()
def why(
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
    """Why traffic is where it is: the last change, its reasons, and what led to it."""
    until = _moment(at)
    with told(), Reading(read_config(config).journal) as reading:
        found = telling.why(reading, policy=policy, at=until, incident=incident)
        if found is None:
            raise ConfigError("no change is known", reason="no_change", remedy="failoverctl status says what waits")
        if output is Output.JSON:
            print_json(found)
        else:
            telling.show_why(console, found)


@app.command()
def history(
    policy: PolicyOption = None,
    since: Annotated[str, typer.Option("--since", help="how far back, such as 24h")] = "7d",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Every change, with how it ended."""
    begin = time.time() - _duration(since)
    with told(), Reading(read_config(config).journal) as reading:
        rows = reading.changes(policy=policy, since=begin, limit=limit)
        if output is Output.JSON:
            print_json(telling.history(rows))
        else:
            telling.show_history(console, rows)


def _moment(text: str | None) -> float | None:
    try:
        return telling.moment(text, time.time()) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time: write 03:12 or 2026-11-22T03:12") from error


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    main()
