"""What policies are proved in: how each of their regions is, and what besides has happened.

Policies that share regions are decided together, so they are proved together; each of the others by itself. Regions
that nothing in the files tells apart are one class: only how many of them are in which state counts.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import combinations_with_replacement, product
from math import comb, prod
from typing import Final

from failoverd.config.schema.test_file import WordEntry
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
        word: an operator's override.
        practised: the region that a drill takes out.
        edit: shares that somebody answers by hand, in basis points; {} deletes the record.
        names: regions that it names, and so tells apart from others like them.
    """

    said: str = ""
    policy: str = ""
    spent: bool = False
    word: WordEntry | None = None
    practised: str = ""
    edit: Mapping[str, int] | None = None
    names: frozenset[str] = frozenset()


NOTHING: Final = Circumstance()
SPENT: Final = Circumstance("budgets spent", spent=True)


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
    """Each that is looked at: nothing, budgets spent, each kind of override, each edit by hand of one record."""
    yield NOTHING
    yield SPENT
    for name, policy in policies.items():
        mine = {spec.name for spec in policy.regions}
        for first in (names[0] for names in classes if mine.intersection(names)):
            yield from _about(name, first)
        yield _by_word(name, "hold", WordEntry.model_validate({"hold": True}))
        yield Circumstance(f"record of {name} deleted by hand", name, edit={})
    yield _by_word(next(iter(policies)), "pause", WordEntry.model_validate({"pause": True}))


def _about(policy: str, region: str) -> Iterator[Circumstance]:
    named = frozenset({region})
    for verb in ("drain", "up", "down"):
        yield _by_word(policy, f"{verb} {region}", WordEntry.model_validate({verb: region}), named)
    shed = WordEntry.model_validate({"shed": region, "to": "50%"})
    yield _by_word(policy, f"shed {region}", shed, named)
    pin = WordEntry.model_validate({"pin": {region: 100}})
    yield _by_word(policy, f"pin {region}", pin, named)
    yield Circumstance(f"drill of {region} in {policy}", policy, practised=region, names=named)
    yield Circumstance(f"{policy} edited by hand to {region} alone", policy, edit={region: WHOLE}, names=named)


def _by_word(policy: str, said: str, word: WordEntry, names: frozenset[str] = frozenset()) -> Circumstance:
    about = "" if word.pause else f" in {policy}"
    return Circumstance(f"{said}{about}", policy, word=word, names=names)


# -- all of them, or some ----------------------------------------------------------------------------------------------


def how_many(circumstance: Circumstance, classes: Sequence[tuple[str, ...]]) -> int:
    """Situations in which this has happened."""
    return prod(comb(len(names) + len(STATES) - 1, len(names)) for names in _apart(classes, circumstance.names))


def every(circumstance: Circumstance, classes: Sequence[tuple[str, ...]]) -> Iterator[Situation]:
    """All of these, from all well to all down."""
    apart = _apart(classes, circumstance.names)
    for states in product(*(combinations_with_replacement(STATES, len(names)) for names in apart)):
        yield _situation(circumstance, apart, states)


def some(
    asked: Sequence[Circumstance], classes: Sequence[tuple[str, ...]], number: int, seed: int
) -> Iterator[Situation]:
    """So many of those in which any of these has happened, chosen at random: the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - a sample, and no secret
    for _ in range(number):
        circumstance = dice.choice(asked)
        apart = _apart(classes, circumstance.names)
        yield _situation(circumstance, apart, [dice.choices(STATES, k=len(names)) for names in apart])


def _apart(classes: Sequence[tuple[str, ...]], named: Collection[str]) -> list[tuple[str, ...]]:
    """The classes without those that something names, and each of these by itself."""
    rest = (tuple(name for name in names if name not in named) for names in classes)
    return [*((name,) for name in sorted(named)), *filter(None, rest)]


def _situation(
    circumstance: Circumstance, apart: Sequence[tuple[str, ...]], states: Sequence[Sequence[RegionState]]
) -> Situation:
    found = {
        name: state
        for names, chosen in zip(apart, states, strict=True)
        for name, state in zip(names, chosen, strict=True)
    }
    return Situation(circumstance, found)
