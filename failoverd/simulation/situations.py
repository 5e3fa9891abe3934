"""What policies are proved in: how each of their regions is, and what besides has happened.

Policies that share regions are decided together, so they are proved together; each of the others by itself. Regions
that nothing in the files tells apart are one class: only how many of them are in which state counts.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import combinations, combinations_with_replacement, permutations, product
from math import comb, prod
from typing import Final

from failoverd.config.schema.test_file import MeasuredEntry, WordEntry
from failoverd.core.control.readings import GROWTH, FigureRole, asks
from failoverd.core.health.region import RegionState
from failoverd.core.records import WHOLE, Policy, RegionSpec
from failoverd.core.rules import Assertion, Rule

STATES: Final = (RegionState.HEALTHY, RegionState.DEGRADED, RegionState.DOWN)
"""Of a region that is looked at. One that is lost from sight keeps what it has."""


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What has happened besides regions that are ill.

    Attributes:
        said: in words; "" for nothing.
        policy: the one to which it happens, where it does not happen to all.
        spent: every policy has used up what its limits allow in their windows.
        words: operators' overrides.
        practised: the region that a drill takes out.
        edit: shares that somebody answers by hand, in basis points; {} deletes the record.
        before: the edit is made before regions fall ill, and not after.
        started: the daemon starts in the moment in which they do, and has seen none of them yet.
        unseen: the region that is lost from sight then.
        measured: figures that are measured at first, and then not any more.
        names: regions that it names, and so tells apart from others like them.
        states: how regions may be.
    """

    said: str = ""
    policy: str = ""
    spent: bool = False
    words: tuple[WordEntry, ...] = ()
    practised: str = ""
    edit: Mapping[str, int] | None = None
    before: bool = False
    started: bool = False
    unseen: str = ""
    measured: MeasuredEntry | None = None
    names: frozenset[str] = frozenset()
    states: tuple[RegionState, ...] = STATES


NOTHING: Final = Circumstance()
SPENT: Final = Circumstance("budgets spent", spent=True)
STARTED: Final = Circumstance("just started", started=True)

_PLAIN: Final = (RegionState.HEALTHY, RegionState.DOWN)
"""How regions may be where several things happen at once: there are many such."""


@dataclass(frozen=True, slots=True)
class Situation:
    """How each region is, and what has happened besides. Regions that are not named are well."""

    circumstance: Circumstance
    states: Mapping[str, RegionState]

    @property
    def ill(self) -> Mapping[str, RegionState]:
        return {name: state for name, state in self.states.items() if state is not RegionState.HEALTHY}

    def but(self, region: str, state: RegionState) -> "Situation":
        """The same with one region in another state."""
        return replace(self, states={**self.states, region: state})

    def __str__(self) -> str:
        said = [f"{name} {state}" for name, state in sorted(self.ill.items())]
        return ", ".join([*said, *filter(None, [self.circumstance.said])]) or "all is well"


# -- who is proved together --------------------------------------------------------------------------------------------


def together(policies: Mapping[str, Policy]) -> list[Mapping[str, Policy]]:
    """The policies in groups, of which none takes anything from another."""
    groups: list[dict[str, Policy]] = []
    for name, policy in sorted(policies.items()):
        mine = _drawn_on(policy)
        linked = [each for each in groups if any(mine & _drawn_on(other) for other in each.values())]
        groups = [each for each in groups if each not in linked]
        groups.append({key: value for each in linked for key, value in each.items()} | {name: policy})
    return [dict(sorted(each.items())) for each in groups]


def _drawn_on(policy: Policy) -> frozenset[tuple[str, str]]:
    """The regions that it takes something of: none where nobody knows how much."""
    return frozenset((spec.name, policy.unit) for spec in policy.regions) if policy.demand else frozenset()


def alike(policies: Mapping[str, Policy], rules: Sequence[Rule] = ()) -> list[tuple[str, ...]]:
    """The regions in classes: those of one class are told apart by nothing but their names."""
    classes: defaultdict[object, list[str]] = defaultdict(list)
    for name in sorted({spec.name for policy in policies.values() for spec in policy.regions}):
        parts = tuple(_part(policy, name) for policy in policies.values())
        classes[parts, _ruled(name, rules)].append(name)
    return [tuple(names) for names in classes.values()]


def _part(policy: Policy, region: str) -> object:
    spec = next((each for each in policy.regions if each.name == region), None)
    if spec is None:
        return None
    types = tuple(tuple(spec.answers(record.key.type).values()) for record in policy.records)
    return repr(_nameless(spec)), types, region in policy.canary


def _nameless(spec: RegionSpec) -> RegionSpec:
    return replace(spec, name="", endpoints=())


def _ruled(region: str, rules: Sequence[Rule]) -> frozenset[str]:
    says = (rule.says for rule in rules if isinstance(rule.says, Assertion))
    return frozenset(group for each in says for group in each.of if fnmatchcase(region, group))


# -- what happens ------------------------------------------------------------------------------------------------------


def circumstances(policies: Mapping[str, Policy], classes: Sequence[tuple[str, ...]]) -> Iterator[Circumstance]:
    """Each that is looked at: nothing, budgets spent, a start, each kind of override and edit, and several at once."""
    yield NOTHING
    yield SPENT
    yield STARTED
    if (figures := _gone(policies)) is not None:
        yield Circumstance("measured figures gone stale", measured=figures)
    for names in classes:
        yield Circumstance(f"{names[0]} lost from sight", unseen=names[0], names=frozenset({names[0]}))
    for name, policy in policies.items():
        for first in (names[0] for names in _mine(policy, classes)):
            yield from _about(name, first)
        yield _by_words(name, ("hold", ""))
        yield Circumstance(f"record of {name} deleted by hand", name, edit={})
    yield _by_words(next(iter(policies)), ("pause", ""))
    for name, policy in policies.items():
        yield from _at_once(name, _mine(policy, classes))


def _gone(policies: Mapping[str, Policy]) -> MeasuredEntry | None:
    """Figures as unlike what is declared as one reading may be, and then none; None where nothing is measured."""
    found: dict[FigureRole, dict[str, str]] = {FigureRole.DEMAND: {}, FigureRole.CAPACITY: {}}
    for name, policy in policies.items():
        for ask in asks(policy):
            if ask.measure is not None:
                value = ask.measure.declared * (GROWTH if ask.role is FigureRole.DEMAND else 1 / GROWTH)
                found[ask.role][ask.region or name] = f"{value:.6f}".rstrip("0").rstrip(".") + " x10 _"
    said = {str(role): values for role, values in found.items() if values}
    return MeasuredEntry.model_validate(said) if said else None


def _mine(policy: Policy, classes: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    regions = {spec.name for spec in policy.regions}
    return [names for names in classes if regions.intersection(names)]


def _about(policy: str, region: str) -> Iterator[Circumstance]:
    named = frozenset({region})
    for verb in ("drain", "up", "down", "shed", "pin"):
        yield _by_words(policy, (verb, region))
    yield Circumstance(f"drill of {region} in {policy}", policy, practised=region, names=named)
    yield Circumstance(f"{policy} edited by hand to {region} alone", policy, edit={region: WHOLE}, names=named)


def _at_once(policy: str, classes: Sequence[tuple[str, ...]]) -> Iterator[Circumstance]:
    """Two things at once in a policy: of two regions, like each other or not, and of one with a hold, say."""
    for first in (names[0] for names in classes):
        drained = _by_words(policy, ("drain", first), states=_PLAIN)
        yield replace(drained, said=f"{drained.said}, budgets spent", spent=True)
        for verb in ("hold", "pause"):
            yield _by_words(policy, (verb, ""), ("drain", first), states=_PLAIN)
        edited = f"{policy} edited by hand to {first} alone before"
        named = frozenset({first})
        yield Circumstance(edited, policy, edit={first: WHOLE}, before=True, names=named, states=_PLAIN)
    some = [name for names in classes for name in names[:2]]
    for one, other in permutations(some, 2):
        for verb in ("shed", "down", "pin"):
            yield _by_words(policy, (verb, one), ("drain", other), states=_PLAIN)
    for one, other in combinations(some, 2) if len(some) > 2 else ():  # noqa: PLR2004 - somebody has to be left
        yield _by_words(policy, ("drain", one), ("drain", other), states=_PLAIN)


def _by_words(policy: str, *said: tuple[str, str], states: tuple[RegionState, ...] = STATES) -> Circumstance:
    """Overrides, each by its verb and its region."""
    about = "" if said[-1][0] == "pause" else f" in {policy}"
    text = " and ".join(f"{verb} {region}".strip() for verb, region in said)
    names = frozenset(region for _, region in said if region)
    words = tuple(_word(verb, region) for verb, region in said)
    return Circumstance(f"{text}{about}", policy, words=words, names=names, states=states)


def _word(verb: str, region: str) -> WordEntry:
    match verb:
        case "shed":
            return WordEntry.model_validate({"shed": region, "to": "50%"})
        case "pin":
            return WordEntry.model_validate({"pin": {region: 100}})
        case _:
            return WordEntry.model_validate({verb: region or True})


# -- all of them, or some ----------------------------------------------------------------------------------------------


def how_many(circumstance: Circumstance, classes: Sequence[tuple[str, ...]]) -> int:
    """Situations in which this has happened."""
    number = len(circumstance.states)
    return prod(comb(len(names) + number - 1, len(names)) for names in _apart(classes, circumstance))


def every(circumstance: Circumstance, classes: Sequence[tuple[str, ...]]) -> Iterator[Situation]:
    """All of these, from all well to all down."""
    apart = _apart(classes, circumstance)
    for states in product(*(combinations_with_replacement(circumstance.states, len(names)) for names in apart)):
        yield _situation(circumstance, apart, states)


def some(
    asked: Sequence[Circumstance], classes: Sequence[tuple[str, ...]], number: int, seed: int
) -> Iterator[Situation]:
    """So many of those in which any of these has happened, chosen at random: the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - a sample, and no secret
    for _ in range(number):
        circumstance = dice.choice(asked)
        apart = _apart(classes, circumstance)
        yield _situation(circumstance, apart, [dice.choices(circumstance.states, k=len(names)) for names in apart])


def _apart(classes: Sequence[tuple[str, ...]], circumstance: Circumstance) -> list[tuple[str, ...]]:
    """The classes without those that something names, and each of these by itself, unless it is lost from sight."""
    named = circumstance.names
    rest = (tuple(name for name in names if name not in named) for names in classes)
    return [*((name,) for name in sorted(named - {circumstance.unseen})), *filter(None, rest)]


def _situation(
    circumstance: Circumstance, apart: Sequence[tuple[str, ...]], states: Sequence[Sequence[RegionState]]
) -> Situation:
    found = {
        name: state
        for names, chosen in zip(apart, states, strict=True)
        for name, state in zip(names, chosen, strict=True)
    }
    return Situation(circumstance, found)
