"""The inventory: what it says, with the rules that bind all policies, and what is wrong with these by themselves."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from failoverd.config.costs import links
from failoverd.config.diagnostics import Code, Diagnostic, Severity, in_order, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.drills import practice_of, unfit
from failoverd.config.gauges import least_of_regions
from failoverd.config.maintenance import Together, entries_of, meetings, unknown, untimely, written
from failoverd.config.schema.inventory_file import InventoryFile, RuleEntry
from failoverd.config.values import say_percent
from failoverd.core.reasons import Cause
from failoverd.core.records import WHOLE, Maintenance, Practice
from failoverd.core.rules import ELSE_AFTER, Assertion, Gate, Rule


@dataclass(frozen=True, slots=True)
class Inventory:
    """An inventory without an error. Equal is what says the same.

    Attributes:
        file: what it says.
        document: shows where each thing is written.
        rules: what binds all policies.
        maintenance: planned work on regions of all policies.
        meetings: which of that is at work together at some time.
        practice: drills of regions of all policies.
    """

    file: InventoryFile
    document: Document = field(compare=False)
    rules: tuple[Rule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    meetings: tuple[Together, ...] = field(default=(), compare=False)
    practice: Practice | None = None

    @classmethod
    def of(cls, file: InventoryFile, document: Document, now: float) -> "Inventory":
        maintenance = entries_of(file.maintenance, document)
        rules = (_rule(entry, f"{document.file}:{_line(document, index)}") for index, entry in enumerate(file.rules))
        practice = practice_of(file.practice, sorted(file.regions), document)
        return cls(file, document, tuple(rules), maintenance, meetings(written(maintenance, document), now), practice)

    def place_of(self, rule: Rule) -> tuple[str | int, ...]:
        return ("rules", self.rules.index(rule))


def _line(document: Document, index: int) -> int:
    return document.mark(("rules", index, "name")).line


def _rule(entry: RuleEntry, at: str) -> Rule:
    said, gate = entry.assert_, entry.gate
    says: Assertion | Gate
    if said is not None:
        says = Assertion(said.at_least, said.of, said.share or 1)
    elif gate is not None:
        says = Gate(gate.switch, frozenset(map(Cause, gate.on)))
    else:
        raise ValueError(f"rule {entry.name} says nothing")
    else_after = ELSE_AFTER if entry.else_after is None else entry.else_after
    return Rule(entry.name, says, entry.policies, else_after, entry.people, at)


def idle(inventory: Inventory, policies: Collection[str]) -> tuple[Diagnostic, ...]:
    """Rules that bind none of the policies that there are."""
    return tuple(
        inventory.document.diagnose(
            Code.RULE_IDLE,
            (*inventory.place_of(rule), "policies"),
            f"rule {rule.name} binds no policy: none is called {' or '.join(rule.policies)}",
            suggestion(rule.policies[0], sorted(policies)),
            severity=Severity.WARNING,
        )
        for rule in inventory.rules
        if not any(map(rule.binds, policies))
    )


def wrong_with(file: InventoryFile, document: Document, now: float) -> tuple[Diagnostic, ...]:
    """What its parts, each of the right shape, make wrong together."""
    work = written(entries_of(file.maintenance, document), document)
    clouds = {name: region.cloud for name, region in file.regions.items()}
    practice = practice_of(file.practice, sorted(file.regions), document)
    drills = unfit(practice, document, sorted(file.regions), "the inventory", now) if practice is not None else ()
    return in_order(
        (
            *_rules(file, document),
            *least_of_regions(file, document),
            *unknown(work, clouds, "the inventory"),
            *untimely(work, now),
            *drills,
            *links(file, document),
        )
    )


def _rules(file: InventoryFile, document: Document) -> Iterator[Diagnostic]:
    names: set[str] = set()
    for index, entry in enumerate(file.rules):
        if entry.name in names:
            message = f"there is another rule {shown(entry.name)}"
            yield document.diagnose(
                Code.BAD_VALUE, ("rules", index, "name"), message, "people break rules by their name"
            )
        names.add(entry.name)
        if entry.assert_ is not None:
            yield from _assertion(file, document, entry, ("rules", index, "assert"))


def _assertion(
    file: InventoryFile, document: Document, entry: RuleEntry, place: tuple[str | int, ...]
) -> Iterator[Diagnostic]:
    said = entry.assert_
    if said is None:
        return
    known = sorted(file.regions)
    for index, group in enumerate(said.of):
        if not any(fnmatchcase(name, group) for name in known):
            message = f"no region of the inventory is in {shown(group)}"
            yield document.diagnose(Code.UNKNOWN_REGION, (*place, "of", index), message, suggestion(group, known))
    if said.at_least > len(said.of):
        message = f"at least {said.at_least} of {len(said.of)} groups can never be in an answer"
        yield document.diagnose(Code.RULE_UNMET, (*place, "at_least"), message, f"write at_least: {len(said.of)}")
    elif said.share is not None and said.share * said.at_least > WHOLE:
        message = f"{said.at_least} groups cannot have {say_percent(said.share)} of the traffic each"
        hint = f"write share: {say_percent(WHOLE // said.at_least)}, or less"
        yield document.diagnose(Code.RULE_UNMET, (*place, "share"), message, hint)
