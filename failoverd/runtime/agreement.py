"""Whether a server says what a plan wrote. Pure: what was heard goes in, a verdict comes out.

A server agrees when its marker says the plan's generation and everything that it answers is among the plan's answers. A
server that answers with the whole record has to answer with exactly those; one that draws a value by weight is asked
several times. A marker that says a later generation counts as well while the answers agree, for the types of a name
share it; with other answers, another writer was here, and the plan is a thing of the past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from failoverd.core.control.plan import Plan
from failoverd.core.records import AliasTarget
from failoverd.ports import Hearing, Nameserver, Nameservers, Question, Statement

MARKED_DRAWS: Final = 3
"""How often a server that draws its answer is asked, where the marker tells the generation."""

UNMARKED_DRAWS: Final = 8
"""The same, where the answers are all that can be seen."""

_MOST_SAID: Final = 8


class Verdict(StrEnum):
    AGREES = "agrees"
    DISAGREES = "disagrees"
    OVERTAKEN = "overtaken"  # it has a newer generation than the plan
    SILENT = "silent"
    UNASKED = "unasked"  # this host cannot reach it


def question(plan: Plan, who: Nameservers) -> Question:
    """What each of them is asked."""
    draws = MARKED_DRAWS if who.marked else UNMARKED_DRAWS
    return Question(plan.target.key, who.marked, 1 if who.whole else draws)


def judge(said: Statement, plan: Plan, who: Nameservers) -> Verdict:
    if said.hearing is Hearing.SILENT:
        return Verdict.SILENT
    if said.hearing is Hearing.UNREACHABLE:
        return Verdict.UNASKED
    newer = said.marker is not None and said.marker.generation > plan.generation
    if not said.trouble and (newer or not who.marked or _carries(said, plan)) and _answers(said, plan, who):
        return Verdict.AGREES
    return Verdict.OVERTAKEN if newer else Verdict.DISAGREES


def _carries(said: Statement, plan: Plan) -> bool:
    """Whether the marker is the plan's, or gone where the plan gives the name back."""
    return said.marker == (plan.marker if plan.marker_text is not None else None)


def _answers(said: Statement, plan: Plan, who: Nameservers) -> bool:
    wanted = frozenset(answer.value for answer in plan.after.serving)
    if not all(said.answers):
        return False
    if any(AliasTarget.parse(value) is not None for value in wanted):
        return True  # which addresses the load balancer has is the cloud's to know
    return all(values == wanted if who.whole else values <= wanted for values in said.answers)


@dataclass(frozen=True, slots=True)
class Standing:
    """What every server last said of one plan. `detail` tells why none was asked."""

    agreeing: frozenset[Nameserver] = frozenset()
    unasked: tuple[Nameserver, ...] = ()
    disagreeing: tuple[str, ...] = ()
    silent: tuple[Nameserver, ...] = ()
    overtaken: bool = False
    detail: str = ""

    def after(self, heard: Sequence[tuple[Statement, Verdict]]) -> "Standing":
        """What is known once everybody who had not agreed before was asked."""

        def told(wanted: Verdict) -> list[Statement]:
            return [said for said, verdict in heard if verdict is wanted]

        return Standing(
            agreeing=self.agreeing | {said.server for said in told(Verdict.AGREES)},
            unasked=tuple(said.server for said in told(Verdict.UNASKED)),
            disagreeing=tuple(f"{said.server} says {words(said)}" for said in told(Verdict.DISAGREES)),
            silent=tuple(said.server for said in told(Verdict.SILENT)),
            overtaken=bool(told(Verdict.OVERTAKEN)),
        )

    @property
    def proved(self) -> bool:
        """Whether every server that can be asked agrees, and one at least."""
        return bool(self.agreeing) and not self.disagreeing and not self.silent and not self.overtaken

    def __str__(self) -> str:
        silent = tuple(f"{server} is silent" for server in self.silent)
        unasked = tuple(f"{server} cannot be asked from here" for server in self.unasked)
        told = (*self.disagreeing, *silent, *unasked, *([self.detail] if self.detail else []))
        return "; ".join(told) or "nobody was heard yet"


def words(said: Statement) -> str:
    """What a server said, for people."""
    if said.trouble:
        return said.trouble
    values = sorted(frozenset[str]().union(*said.answers))
    shown = ", ".join(values[:_MOST_SAID]) + (f" and {len(values) - _MOST_SAID} more" if values[_MOST_SAID:] else "")
    generation = f", generation {said.marker.generation}" if said.marker is not None else ""
    return (shown or "no answer") + generation
