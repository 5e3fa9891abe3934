"""`plan` of what is not so: regions that were down or drained, or a policy file that is not at work."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final, Self

from failoverd.api.planned import finding_told
from failoverd.api.shapes import FindingTold, TargetTold
from failoverd.assembly import session
from failoverd.cli import plan_views
from failoverd.cli.daemon_first import DaemonQuestion, tell_differences, tell_unsound
from failoverd.cli.failing import OutputConsole, note, print_json, told, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.revisions import checked_out
from failoverd.cli.screen import say
from failoverd.config.loader import Config, PolicySet, load_instead, load_policies
from failoverd.core.errors import ConfigError
from failoverd.core.records import Policy
from failoverd.installed import read_config
from failoverd.operations.planning import PlanFinding, chosen
from failoverd.operations.supposing import NOTHING, Supposition, plans_if, regions_of
from failoverd.ports import Access, Kinds
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

MOST_LINES: Final = 12
"""That a policy takes, unless all is asked for."""


@dataclass(frozen=True, slots=True)
class IfSo:
    """What is supposed. `file`: by which file its policy would be decided; `against`: which revision it is held to."""

    said: Supposition
    file: Path | None = None
    against: str = ""

    @classmethod
    def of(
        cls,
        down: Sequence[str] | None,
        clouds: Sequence[str] | None,
        drained: Sequence[str] | None,
        file: Path | None,
        against: str,
    ) -> Self | None:
        """What the options say; None where they say nothing. Raises typer.BadParameter."""
        said = Supposition(_names(down), _names(clouds), _names(drained))
        return cls(said, file, against) if file is not None or against or said != NOTHING else None

    def text(self) -> str:
        """`if azure-eastus were down, by new.yaml`, for a headline."""
        by_file = f"by {self.file}" if self.file is not None else ""
        return ", ".join(filter(None, (f"if {self.said.text()}" if self.said != NOTHING else "", by_file)))


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
        if wanted.so.against:
            return _compare(wanted, output, every=verbose)
        findings, unsound = _asked(wanted, output)
        if output is Output.JSON:
            print_json([_as_json(each) for each in findings])
        else:
            _say(tell(wanted.so.text(), findings, every=verbose))
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
    found, errors = asyncio.run(_found(wanted, _Files(so.file)))
    tell_unsound(errors)
    return tuple(map(finding_told, found)), bool(errors)


@dataclass(frozen=True, slots=True)
class _Files:
    """The policies to play: those of the configuration, with `file` among them, or those of another `folder`."""

    file: Path | None = None
    folder: Path | None = None

    @property
    def supposed(self) -> bool:
        return self.file is not None or self.folder is not None

    def load(self, config: Config, known: Kinds) -> PolicySet:
        if self.file is not None:
            return loaded_with(self.file, config, known)
        if self.folder is not None:
            beside = config.inventory.parent == config.policies
            inventory = self.folder / config.inventory.name if beside else config.inventory
            config = replace(config, policies=self.folder, inventory=inventory)
        return load_policies(config, known, running={})

    def named(self, policies: Mapping[str, Policy]) -> list[str]:
        """Whom a question is about that names nobody: the policy of the file, or everybody."""
        return [name for name, policy in policies.items() if policy.source.file == str(self.file)]


def loaded_with(file: Path, config: Config, known: Kinds) -> PolicySet:
    """All that the configuration names, with `file` in place of the one that holds the same policy.

    Raises:
        ConfigError: `file` does not load, or wants what another policy has.
    """
    found = load_instead(config, known, file)
    if found.rejected:
        raise _unsound(file, found)
    return found


async def _found(
    wanted: WhatIf, files: _Files, *, supposed: bool = False, leniently: bool = False
) -> tuple[list[PlanFinding], tuple[str, ...]]:
    """What would be done by these files. `leniently`: names that they do not know are passed over."""
    with progress() as waits:
        async with session(wanted.config, Access.READ, waits, files.load) as at:
            so, names, returning = wanted.so.said, list(wanted.names), wanted.returning
            if leniently:
                so, names = so.within(at.policies), [name for name in names if name in at.policies]
                returning = tuple(name for name in returning if name in regions_of(at.policies))
                if wanted.names and not names:
                    return [], ()
            policies = chosen(at, at.policies, names or files.named(at.policies), returning)
            found = await plans_if(at, so, policies, frozenset(returning), supposed=supposed or files.supposed)
            return found, () if names or files.file is not None else at.unsound


# -- two revisions -----------------------------------------------------------------------------------------------------


def _compare(wanted: WhatIf, output: Output, *, every: bool) -> Exit:
    """What these files would do now, and what those of the other revision would."""
    against, file = wanted.so.against, wanted.so.file
    new, wrong = asyncio.run(_found(wanted, _Files(file), supposed=True))
    about = wanted if file is None else replace(wanted, names=tuple({each.target.policy for each in new}))
    with checked_out(read_config(wanted.config).policies, against) as folder:
        old, amiss = asyncio.run(_found(about, _Files(folder=folder), leniently=True))
    tell_unsound((*wrong, *(words.replace(f"{folder}/", f"{against}:") for words in amiss)))
    pairs = paired(map(finding_told, old), map(finding_told, new))
    differing = [pair for pair in pairs if not pair.alike]
    if output is Output.JSON:
        print_json([each.as_json() for each in pairs])
    else:
        _say(tell_pairs(wanted.so.text(), against, pairs, every=every))
    failed = any(each.result in {"failed", "refused"} for pair in pairs for each in (pair.old, pair.new) if each)
    if wrong or amiss or failed:
        return Exit.FAILED
    return Exit.PENDING if differing else Exit.FINE


@dataclass(frozen=True, slots=True)
class Pair:
    """What two revisions would do about one record; None where a revision has no such record."""

    old: FindingTold | None
    new: FindingTold | None

    @property
    def target(self) -> TargetTold:
        found = self.new or self.old
        if found is None:
            raise ValueError("a pair of nobody")
        return found.target

    @property
    def alike(self) -> bool:
        return self.old is not None and self.new is not None and _gist(self.old) == _gist(self.new)

    def as_json(self) -> dict[str, object]:
        sides = {"old": self.old, "new": self.new}
        told_of = {name: _as_json(each) if each is not None else None for name, each in sides.items()}
        return {"target": self.target.model_dump(mode="json"), "alike": self.alike, **told_of}


def paired(old: Iterable[FindingTold], new: Iterable[FindingTold]) -> list[Pair]:
    before, after = ({str(each.target): each for each in side} for side in (old, new))
    return [Pair(before.get(key), after.get(key)) for key in {**after, **before}]


def _gist(finding: FindingTold) -> object:
    """What is done, by which limits, and what comes next; not when, nor by which generation."""
    following = finding.following.summary if finding.following is not None else ""
    return finding.result, _summary(finding), finding.limits, finding.held, following, finding.bill


def tell_pairs(so: str, against: str, pairs: Sequence[Pair], *, every: bool) -> list[str]:
    """Each policy that is decided otherwise, by the old revision and by the new one."""
    said, quiet = list[str](), 0
    for policy, group in groupby(
        sorted(pairs, key=lambda each: each.target.policy), key=lambda each: each.target.policy
    ):
        found = [pair for pair in group if every or not pair.alike]
        if not found:
            quiet += 1
            continue
        said.append(" ".join(filter(None, (policy, so))))
        room = (MOST_LINES - 3) // 2
        for whose, side in ((against, [pair.old for pair in found]), ("now", [pair.new for pair in found])):
            lines = list(_lines([each for each in side if each is not None])) or ["no such record"]
            said += [f"  {whose}:", *(f"    {line}" for line in (lines if every else lines[:room]))]
    counted = phrases.counted(quiet, "policy", "policies")
    return [*said, f"{counted}: the same as by {against}"] if quiet else said


def _unsound(file: Path, found: PolicySet) -> ConfigError:
    wrong = next((str(each.errors[0]) for each in found.rejected.values() if each.errors), "it does not load")
    return ConfigError(
        f"nothing can be decided by {file}: {wrong}",
        reason="policy_unsound",
        remedy="failoverctl check FILE says all that is wrong with it",
    )


def _as_json(finding: FindingTold) -> dict[str, object]:
    following = finding.following
    then = following.model_dump(mode="json", by_alias=True) if following is not None else None
    return {**plan_views.as_json(finding), "following": then}


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        say(console, line)


# -- for people --------------------------------------------------------------------------------------------------------


def tell(so: str, findings: Sequence[FindingTold], *, every: bool) -> list[str]:
    """Each policy in `MOST_LINES` at most; of those of which nothing would change only how many they are."""
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
    for summary, at in _alike((_summary(each), _record(each)) for each in findings):
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
    reasons = [words for words, _ in _alike((words, "") for each in findings for words in each.reasons)]
    those = (words for words in sorted(reasons, key=_is_well) if not words.startswith(_COSTS))
    yield from (f"why    {words}" for words in those)


_EXCEEDED: Final = ", not within "
"""How a limit is told that holds a step, or makes it smaller: these come with their numbers."""


_COSTS: Final = "these shares cost"
"""How the reason begins that is told as the cost."""


def _is_well(words: str) -> bool:
    """Whether a reason says that all is well with a region: what is not comes first."""
    return " is healthy (" in words


def _alike(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is said, once, and of which records."""
    found: dict[str, dict[str, None]] = {}
    for words, at in pairs:
        found.setdefault(words, {})[at] = None
    return [(words, ", ".join(records)) for words, records in found.items()]


def _summary(finding: FindingTold) -> str:
    return finding.summary.partition(" (generation")[0]


def _record(finding: FindingTold) -> str:
    return str(plan_views.target_of(finding.target))


def _then(finding: FindingTold) -> str:
    """The next step that comes by itself."""
    following = finding.following
    if following is None:
        return "nothing more moves by itself"
    return f"{phrases.moment(following.at)}: {following.summary}"
