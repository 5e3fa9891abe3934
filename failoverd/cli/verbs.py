"""What the verbs of `failoverctl` do. `operator.py` says how they are asked, and imports this when one is chosen."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from failoverd.app import session
from failoverd.cli import importing, planning
from failoverd.cli.checking import check_everything, check_paths, json_schema
from failoverd.cli.failing import Screen, print_json, print_text, told, usage
from failoverd.cli.options import Exit, FileKind, Output
from failoverd.cli.screen import say, shown
from failoverd.codec import dump, load, plain
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.core.names import quoted
from failoverd.core.records import RecordType
from failoverd.operations.owning import Owned, adopt_record, disown_record
from failoverd.operations.planning import (
    PLAN_VERSION,
    Attempt,
    PlanFile,
    PlanFinding,
    PlannedChange,
    apply_plan,
    make_plans,
)
from failoverd.operations.session import Session, actor, unknown
from failoverd.ports import Access
from failoverd.settings import parse_name, parse_record_name

console = Screen(highlight=False)


def check(paths: Sequence[Path], config: Path, output: Output, *, named: bool) -> Exit:
    """`named`: the configuration was named on the command line. Paths are judged by nothing that nobody named."""
    if not paths:
        return check_everything(config, output)
    return check_paths(paths, config if named else None, output)


def schema(kind: FileKind) -> None:
    print_json(json_schema(kind))


# -- plan and apply ----------------------------------------------------------------------------------------------------


def plan(config: Path, output: Output, names: Sequence[str], out: Path | None, returning: Sequence[str]) -> Exit:
    with told():
        findings = asyncio.run(_plan(config, names, frozenset(returning)))
        if output is Output.JSON:
            print_json([planning.as_json(finding) for finding in findings])
        else:
            planning.show(console, findings)
        if out is not None:
            _write_plans(out, tuple(each.change for each in findings if each.change is not None))
    return planning.exit_code_of(findings)


def _write_plans(out: Path, pending: tuple[PlannedChange, ...]) -> None:
    file = PlanFile(PLAN_VERSION, time.time(), actor(), pending)
    try:
        out.write_text(dump(file, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise FailoverdError(
            f"the plan cannot be written to {out}: {error.strerror}",
            reason="plan_unwritable",
            remedy="name a file in a directory that you may write",
        ) from error


async def _plan(config: Path, names: Sequence[str], returning: frozenset[str]) -> list[PlanFinding]:
    async with session(config, Access.READ) as at_work:
        chosen = [at_work.policy(name) for name in names] or list(at_work.policies.values())
        regions = sorted({region.name for policy in chosen for region in policy.regions})
        for name in sorted(returning.difference(regions)):
            raise unknown("region in these policies", name, regions, "region_unknown")
        return await make_plans(at_work, chosen, returning)


def apply(config: Path, output: Output, file: Path) -> Exit:
    with told():
        attempts = asyncio.run(_apply(config, _read_plans(file)))
    if output is Output.JSON:
        print_json([{"target": plain(each.plan.target), "outcome": planning.outcome(each)} for each in attempts])
    else:
        for each in attempts:
            say(console, f"{each.plan.target}: {planning.outcome(each)}")
    return planning.exit_code(attempts)


def _read_plans(file: Path) -> tuple[PlannedChange, ...]:
    """The version is looked at first: what another one means by the rest is not ours to guess."""
    try:
        text = file.read_bytes()
        version = load(dict[str, Any], text).get("version")
        if version != PLAN_VERSION:
            words = f"{file} is a plan of version {version}, and this is failoverd with version {PLAN_VERSION}"
            raise ConfigError(words, reason="plan_version", remedy="make the plan again")
        return load(PlanFile, text).changes
    except (OSError, ValidationError) as error:
        words = f"{error.error_count()} errors in it" if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"{file} is not a plan: {words}", reason="plan_unreadable", remedy="make the plan again"
        ) from error


async def _apply(config: Path, changes: tuple[PlannedChange, ...]) -> list[Attempt]:
    """Each plan on its own: one that is refused does not keep the others from being applied."""
    async with session(config, Access.WRITE) as at_work:
        return [await apply_plan(at_work, each) for each in changes]


# -- whose a name is ---------------------------------------------------------------------------------------------------


def adopt(config: Path, policy: str, name: str) -> Exit:
    return _own(config, lambda at_work: adopt_record(at_work, at_work.policy(policy), name))


def disown(config: Path, policy: str, name: str) -> Exit:
    return _own(config, lambda at_work: disown_record(at_work, policy, name))


def _own(config: Path, work: Callable[[Session], Awaitable[list[Owned]]]) -> Exit:
    async def run() -> list[Owned]:
        async with session(config, Access.WRITE) as at_work:
            return await work(at_work)

    with told():
        adoptions = asyncio.run(run())
    for each in adoptions:
        say(console, f"{each.target}: {planning.adopted(each)}")
    return Exit.FAILED if any(isinstance(each.result, FailoverdError) for each in adoptions) else Exit.FINE


def import_record(
    config: Path,
    output: Output,
    place: tuple[str, str, str],
    record_type: str | None,
    policy: str,
    regions: Sequence[str],
    port: int,
    out: Path | None,
) -> Exit:
    """`place` is provider, zone and name."""
    with told():
        provider, zone, name = place
        kind = RecordType(record_type) if record_type is not None else None
        answers = _regions_by_answer(regions)
        wanted = importing.Wanted(provider, _name(zone), _record_name(name), kind, policy, answers, port)
        imported = asyncio.run(_import(config, wanted))
        if out is not None:
            _write_new(out, imported.text)
        if output is Output.JSON:
            print_json({"policy": imported.policy, "unlisted": list(imported.unlisted), "text": imported.text})
            return Exit.FINE
        if out is None:
            print_text(shown(imported.text, lines=True))
        _say_next(config, imported, out)
    return Exit.FINE


async def _import(config: Path, wanted: importing.Wanted) -> importing.Imported:
    async with session(config, Access.READ) as at_work:
        return await importing.import_record(at_work, wanted)


def _name(text: str, parse: Callable[[str], str] = parse_name) -> str:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(str(error), reason="name_invalid") from error


def _record_name(text: str) -> str:
    return _name(text, parse_record_name)


def _regions_by_answer(pairs: Sequence[str]) -> dict[str, str]:
    found = dict(pair.rpartition("=")[::2] for pair in pairs)
    if "" in found or "" in found.values():
        raise usage("write --region ANSWER=REGION, such as 192.0.2.10=azure-eastus")
    return found


def _write_new(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as file:
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
    name = quoted(imported.observed.target.key.name)
    say(notes, f"then: failoverctl check -c {config}; failoverctl adopt {imported.policy} {name} -c {config}")
