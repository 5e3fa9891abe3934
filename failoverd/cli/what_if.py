"""`plan` of what is not so: regions that were down or drained, or a policy file that is not at work."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, Self

from failoverd.api.planned import finding_told
from failoverd.api.shapes import FindingTold
from failoverd.assembly import session
from failoverd.cli import plan_views
from failoverd.cli.daemon_first import DaemonQuestion, tell_differences, tell_unsound
from failoverd.cli.failing import OutputConsole, note, print_json, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import say
from failoverd.config.loader import Config, PolicySet, load_instead
from failoverd.core.errors import ConfigError
from failoverd.operations.planning import PlanFinding, chosen
from failoverd.operations.supposing import Supposition, plans_if
from failoverd.ports import Access, Kinds
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

MOST_LINES: Final = 12
"""That a policy takes, unless all is asked for."""


@dataclass(frozen=True, slots=True)
class IfSo:
    """What is supposed. `file`: by which file its policy would be decided."""

    said: Supposition
    file: Path | None

    @classmethod
    def of(
        cls,
        down: Sequence[str] | None,
        clouds: Sequence[str] | None,
        drained: Sequence[str] | None,
        file: Path | None,
    ) -> Self | None:
        """What the options say; None where they say nothing. Raises typer.BadParameter."""
        said = Supposition(_names(down), _names(clouds), _names(drained))
        return cls(said, file) if file is not None or said != Supposition() else None

    def text(self) -> str:
        """`if azure-eastus were down, by new.yaml`, for a headline."""
        by_file = f"by {self.file}" if self.file is not None else ""
        return ", ".join(filter(None, (f"if {self.said.text()}" if self.said != Supposition() else "", by_file)))


def _names(said: Sequence[str] | None) -> frozenset[str]:
    names = [name.strip() for text in said or () for name in text.split(",")]
    if not all(names):
        raise usage("write names with commas between them, such as azure-eastus,oci-ashburn")
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is asked: of which policies, by which configuration. `returning`: regions that a person brings back."""

    config: Path
    names: tuple[str, ...]
    returning: tuple[str, ...]
    so: IfSo
    without_daemon: bool = False


def show(wanted: WhatIf, output: Output, out: Path | None, *, verbose: bool = False) -> Exit:
    """Show it. A daemon is asked, unless a file that it has not loaded is to be played."""
    with told():
        if out is not None:
            raise usage("what is only supposed cannot be applied: leave --out away")
        findings, unsound = _asked(wanted, output)
        if output is Output.JSON:
            print_json([_as_json(each) for each in findings])
        else:
            for line in tell(wanted.so.text(), findings, every=verbose):
                say(console, line)
    return Exit.FAILED if unsound else plan_views.exit_code_of(findings)


def _asked(wanted: WhatIf, output: Output) -> tuple[tuple[FindingTold, ...], bool]:
    """What was found; and whether a file does not load that it was asked for."""
    so = wanted.so
    here = wanted.without_daemon or so.file is not None
    asked = DaemonQuestion(wanted.config, output, without_daemon=here)
    parts = {"if_down": so.said.down, "if_cloud_down": so.said.clouds, "if_drained": so.said.drained}
    supposed = {key: sorted(names) for key, names in parts.items() if names}
    answer = asked.put(lambda daemon: daemon.plan(wanted.names, wanted.returning, **supposed))
    if answer is not None:
        return answer.findings, tell_differences(wanted.config, answer.policies, every=not wanted.names)
    if so.file is not None and output is Output.TEXT:
        note(f"probed and read from here: no daemon has loaded {so.file}")
    found, errors = asyncio.run(_found(wanted))
    tell_unsound(errors)
    return tuple(map(finding_told, found)), bool(errors)


async def _found(wanted: WhatIf) -> tuple[list[PlanFinding], tuple[str, ...]]:
    so, names = wanted.so, list(wanted.names)

    def instead(file: Path, config: Config, known: Kinds) -> PolicySet:
        found, name = load_instead(config, known, file)
        if not name:
            raise _unsound(file, found)
        names[:] = names or [name]
        return found

    with progress() as waits:
        files = {"files": partial(instead, so.file)} if so.file is not None else {}
        async with session(wanted.config, Access.READ, waits, **files) as at:
            policies = chosen(at, at.policies, names, wanted.returning)
            supposed = so.file is not None
            found = await plans_if(at, so.said, policies, frozenset(wanted.returning), supposed=supposed)
            return found, () if names else at.unsound


def _unsound(file: Path, found: PolicySet) -> ConfigError:
    wrong = next((str(each.errors[0]) for each in found.rejected.values() if each.errors), "it does not load")
    return ConfigError(
        f"nothing can be planned by {file}: {wrong}",
        reason="policy_unsound",
        remedy="failoverctl check FILE says all that is wrong with it",
    )


def _as_json(finding: FindingTold) -> dict[str, object]:
    following = finding.following
    then = following.model_dump(mode="json", by_alias=True) if following is not None else None
    return {**plan_views.as_json(finding), "following": then}


# -- for people --------------------------------------------------------------------------------------------------------


def tell(so: str, findings: Sequence[FindingTold], *, every: bool) -> list[str]:
    """Each policy in a few lines; of those of which nothing would change only how many they are."""
    quiet, said = 0, list[str]()
    for policy, group in groupby(findings, key=lambda each: each.target.policy):
        found = list(group)
        if not every and all(each.result == "in_sync" and not each.unseen for each in found):
            quiet += 1
            continue
        lines = list(_lines(found))
        most = len(lines) if every or len(lines) < MOST_LINES else MOST_LINES - 2
        said += [f"{policy} {so}", *(f"  {line}" for line in lines[:most])]
        said += [f"  and {phrases.counted(len(lines) - most, 'line')} more: --verbose"] if lines[most:] else []
    counted = phrases.counted(quiet, "policy", "policies")
    return [*said, f"{counted} {so}: nothing would change"] if quiet else said


def _lines(findings: Sequence[FindingTold]) -> Iterator[str]:
    """What would be done comes first, at every record; then why. What is alike at several is told once."""
    for summary, at in _alike((each.summary.partition(" (generation")[0], _record(each)) for each in findings):
        yield f"{at}: {summary}"
    steps = _alike((_then(each), _record(each)) for each in findings if each.result not in {"failed", "refused"})
    yield from (f"then   {words}" if len(steps) == 1 else f"then   {at}: {words}" for words, at in steps)
    for finding in findings[:1]:
        if finding.bill is not None:
            bill = finding.bill
            yield f"cost   {phrases.costs(bill.hour_usd, bill.normal_hour_usd, bill.month_usd)}"
        if finding.clients:
            yield f"clients  {finding.clients}"
    limits = [words for words, _ in _alike((words, "") for each in findings for words in each.limits)]
    yield from (f"limit  {words}" for words in limits if _EXCEEDED in words)
    if within := [words.partition(":")[0] for words in limits if _EXCEEDED not in words]:
        yield f"within {', '.join(dict.fromkeys(within))}"
    for words, _ in _alike((words, "") for each in findings for words in each.reasons if not _costs(words)):
        yield f"why    {words}"


_EXCEEDED: Final = ", not within "
"""How a limit is told that holds a step, or makes it smaller: these come with their numbers."""


def _costs(words: str) -> bool:
    return words.startswith("these shares cost")


def _alike(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is said, once, and of which records."""
    found: dict[str, dict[str, None]] = {}
    for words, at in pairs:
        found.setdefault(words, {})[at] = None
    return [(words, ", ".join(records)) for words, records in found.items()]


def _record(finding: FindingTold) -> str:
    return str(plan_views.target_of(finding.target))


def _then(finding: FindingTold) -> str:
    """The next step that comes by itself."""
    following = finding.following
    if following is None:
        return "nothing more moves by itself"
    return f"{phrases.moment(following.at)}: {following.summary}"
