"""What the verbs of `failoverctl` do. How they are asked says `command_line.py`, which imports this for one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console

from failoverd.api.planned import attempt_told, finding_told
from failoverd.assembly import session
from failoverd.cli import importing, output_file, plan_views
from failoverd.cli.daemon_first import DaemonQuestion, tell_differences, tell_unsound
from failoverd.cli.failing import OutputConsole, note, print_json, print_text, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import say, shown
from failoverd.codec import dump, load, plain
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.core.names import quoted
from failoverd.core.records import RecordType
from failoverd.files import read_regular
from failoverd.operations.owning import Owned, adopt_record, disown_record
from failoverd.operations.planning import (
    AGAIN,
    MOST_CHARACTERS,
    PLAN_VERSION,
    Attempt,
    PlanFile,
    PlanFinding,
    PlannedChange,
    apply_plans,
    chosen,
    longest,
    make_plans,
)
from failoverd.operations.session import Session, actor
from failoverd.ports import Access
from failoverd.settings import parse_name, parse_record_name

console = OutputConsole(highlight=False)

MOST_BYTES: Final = 32 << 20
"""Of a plan file: some thousands of changes. One of a policy with many endpoints takes 10 KiB."""


# -- plan and apply ----------------------------------------------------------------------------------------------------


def plan(
    config: Path,
    output: Output,
    names: Sequence[str],
    out: Path | None,
    returning: Sequence[str],
    *,
    without_daemon: bool = False,
    verbose: bool = False,
) -> Exit:
    with told():
        if out is not None:
            output_file.try_place(out, "plan")
        asked = DaemonQuestion(config, output, without_daemon=without_daemon)
        answer = asked.put(lambda daemon: daemon.plan(names, returning))
        if answer is not None:
            findings, errors = answer.findings, tuple[str, ...]()
        else:
            found, errors = asyncio.run(_plan(config, names, frozenset(returning)))
            findings = tuple(map(finding_told, found))
        if output is Output.JSON:
            print_json([plan_views.as_json(finding) for finding in findings])
        else:
            plan_views.show(console, findings, every=verbose or bool(names), verbose=verbose)
        if out is not None:
            _write_plans(out, tuple(load(PlannedChange, dump(each.change)) for each in findings if each.change))
        tell_unsound(errors)
        unsound = bool(errors) or (answer is not None and tell_differences(config, answer.policies, every=not names))
    return Exit.FAILED if unsound else plan_views.exit_code_of(findings)


def _write_plans(out: Path, pending: tuple[PlannedChange, ...]) -> None:
    text = dump(PlanFile(PLAN_VERSION, time.time(), actor(), pending), indent=2) + "\n"
    if len(text.encode()) > MOST_BYTES:
        words = f"the plan has {len(text) >> 20} MiB, and apply takes {MOST_BYTES >> 20} MiB"
        raise FailoverdError(words, reason="plan_unwritable", remedy="name fewer policies at a time")
    output_file.save(out, text, "plan")


async def _plan(
    config: Path, names: Sequence[str], returning: frozenset[str]
) -> tuple[list[PlanFinding], tuple[str, ...]]:
    """What was found, and the first error of each file that should have been planned for and does not load."""
    with progress() as waits:
        async with session(config, Access.READ, waits) as at_work:
            policies = chosen(at_work, at_work.policies, names, returning)
            return await make_plans(at_work, policies, returning), () if names else at_work.unsound


def apply(config: Path, output: Output, file: Path, *, without_daemon: bool = False) -> Exit:
    with told():
        changes = _read_plans(file)
        asked = DaemonQuestion(config, output, without_daemon=without_daemon, goes_on=True)
        answer = asked.put(lambda daemon: daemon.apply(map(plain, changes))) if changes else None
        if answer is not None:
            attempts = answer.attempts
            tell_differences(config, answer.policies)
        else:
            attempts = tuple(map(attempt_told, asyncio.run(_apply(config, changes)) if changes else ()))
        if not changes:
            note(f"there is no change in {file}, so nothing was done: nothing was pending when it was made")
    if output is Output.JSON:
        print_json([plan_views.attempt_as_json(each) for each in attempts])
    else:
        plan_views.show_attempts(console, attempts)
    return plan_views.exit_code(attempts)


def _read_plans(file: Path) -> tuple[PlannedChange, ...]:
    """The version is looked at first: what another one means by the rest is not ours to guess."""
    try:
        text = read_regular(file, MOST_BYTES)
        said = load(dict[str, Any], text)
        version = said.get("version")
        if version != PLAN_VERSION:
            if version is None:
                raise _unreadable(file, "it names no version")
            words = f"{file} is a plan of version {str(version)[:20]}, and this failoverd reads version {PLAN_VERSION}"
            raise ConfigError(f"{words}; {_UNTOUCHED}", reason="plan_version", remedy=AGAIN)
        if longest(said) > MOST_CHARACTERS:
            raise _unreadable(file, f"a text in it is longer than {MOST_CHARACTERS} characters")
        return load(PlanFile, text).changes
    except OSError as error:
        words = f"the plan {file} cannot be read: {error.strerror or error}; {_UNTOUCHED}"
        raise ConfigError(words, reason="plan_unreadable", remedy=f"name a file that plan wrote, or {AGAIN}") from error
    except ValidationError as error:
        raise _unreadable(file, "it is empty, cut off, edited, or something else") from error


def _unreadable(file: Path, words: str) -> ConfigError:
    return ConfigError(f"{file} is not a plan: {words}; {_UNTOUCHED}", reason="plan_unreadable", remedy=AGAIN)


_UNTOUCHED: Final = "nothing was changed"


async def _apply(config: Path, changes: tuple[PlannedChange, ...]) -> list[Attempt]:
    with progress() as waits:
        async with session(config, Access.WRITE, waits) as at_work:
            return await apply_plans(at_work, changes)


# -- whose a name is ---------------------------------------------------------------------------------------------------


def adopt(config: Path, policy: str, name: str) -> Exit:
    return _own(config, lambda at_work: adopt_record(at_work, at_work.policy(policy), name))


def disown(config: Path, policy: str, name: str) -> Exit:
    return _own(config, lambda at_work: disown_record(at_work, policy, name))


def _own(config: Path, work: Callable[[Session], Awaitable[list[Owned]]]) -> Exit:
    async def run() -> list[Owned]:
        with progress() as waits:
            async with session(config, Access.WRITE, waits) as at_work:
                return await work(at_work)

    with told():
        adoptions = asyncio.run(run())
    for each in adoptions:
        say(console, f"{each.target}: {plan_views.owned(each)}")
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
    with progress() as waits:
        async with session(config, Access.READ, waits) as at_work:
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
    """Nothing is replaced; a file that says the same already is what was wanted."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if isinstance(error, FileExistsError) and _holds(out, text):
            return
        raise FailoverdError(
            f"the policy cannot be written to {out}: {error.strerror}",
            reason="policy_unwritable",
            remedy="name a file that does not exist yet, in a directory that you may write",
        ) from error


def _holds(out: Path, text: str) -> bool:
    try:
        return read_regular(out, len(text.encode())) == text.encode()
    except OSError:
        return False


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
