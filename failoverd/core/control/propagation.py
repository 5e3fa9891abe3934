"""Whether the authoritative servers say what a plan wrote: what was heard goes in, who agrees comes out.

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
from failoverd.core.records import AliasTarget, Marker, RecordKey, RecordSet, few

MARKED_DRAWS: Final = 3
"""How often a server that draws its answer is asked, where the marker tells the generation."""

UNMARKED_DRAWS: Final = 8
"""The same, where the answers are all that can be seen."""

_MOST_SAID: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class Nameserver:
    """One address of an authoritative server. `name` is its name in the delegation; empty where it was configured."""

    address: str
    port: int
    name: str = ""

    def __str__(self) -> str:
        where = f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
        return f"{self.name} ({where})" if self.name else where


@dataclass(frozen=True, slots=True)
class Nameservers:
    """Who answers for a target, and how their answers are to be read.

    `servers` is empty where nobody is to be asked. `marked`: the marker stands beside the name as TXT. `whole`: an
    answer holds every value of the record, not one that is drawn by weight.
    """

    servers: tuple[Nameserver, ...]
    marked: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What one server is asked: the record, `times` times, and before it the marker if it is `marked`."""

    key: RecordKey
    marked: bool
    times: int


class Hearing(StrEnum):
    ANSWERED = "answered"
    SILENT = "silent"  # nothing came back that could be an answer
    UNREACHABLE = "unreachable"  # this host has no way there (no IPv6, say), which tells nothing about the server


@dataclass(frozen=True, slots=True)
class Statement:
    """What one server said. `answers` are the values that each answer held; `trouble`, what was wrong, in words."""

    server: Nameserver
    hearing: Hearing
    answers: tuple[frozenset[str], ...] = ()
    marker: Marker | None = None
    trouble: str = ""

    def __str__(self) -> str:
        if self.trouble:
            return self.trouble
        values = sorted(frozenset[str]().union(*self.answers))
        generation = f", generation {self.marker.generation}" if self.marker is not None else ""
        return (few(values, _MOST_SAID) or "no answer") + generation


class Agreement(StrEnum):
    AGREES = "agrees"
    DISAGREES = "disagrees"
    OVERTAKEN = "overtaken"  # it has a newer generation than the plan, or that of a newer leader
    SILENT = "silent"
    UNASKED = "unasked"  # this host cannot reach it


def question(plan: Plan, who: Nameservers) -> Question:
    """What each of them is asked."""
    draws = MARKED_DRAWS if who.marked else UNMARKED_DRAWS
    return Question(plan.target.key, who.marked, 1 if who.whole else draws)


def judge(said: Statement, plan: Plan, who: Nameservers) -> Agreement:
    if said.hearing is Hearing.SILENT:
        return Agreement.SILENT
    if said.hearing is Hearing.UNREACHABLE:
        return Agreement.UNASKED
    newer = said.marker is not None and plan.overtaken_by(said.marker)
    if not said.trouble and (newer or not who.marked or _carries(said, plan)) and answers(said, plan.after, who):
        return Agreement.AGREES
    return Agreement.OVERTAKEN if newer else Agreement.DISAGREES


def _carries(said: Statement, plan: Plan) -> bool:
    """Whether the marker is the plan's, or gone where the plan gives the name back."""
    return said.marker == (plan.marker if plan.marker_text is not None else None)


def answers(said: Statement, published: RecordSet, who: Nameservers) -> bool:
    """Whether everything that a server answered is of what was published; of a whole answer, all of it."""
    wanted = frozenset(answer.value for answer in published.serving)
    if not all(said.answers):
        return False
    if any(AliasTarget.parse(value) is not None for value in wanted):
        return True  # which addresses the load balancer has is the cloud's to know
    return all(values == wanted if who.whole else values <= wanted for values in said.answers)


@dataclass(frozen=True, slots=True)
class Propagation:
    """What every server last said of one plan. `detail` tells why none was asked."""

    agreeing: frozenset[Nameserver] = frozenset()
    unasked: tuple[Nameserver, ...] = ()
    disagreeing: tuple[str, ...] = ()
    silent: tuple[Nameserver, ...] = ()
    overtaken: bool = False
    detail: str = ""

    def after(self, heard: Sequence[tuple[Statement, Agreement]]) -> "Propagation":
        """What is known once everybody who had not agreed before was asked."""

        def told(wanted: Agreement) -> list[Statement]:
            return [said for said, agreement in heard if agreement is wanted]

        return Propagation(
            agreeing=self.agreeing | {said.server for said in told(Agreement.AGREES)},
            unasked=tuple(said.server for said in told(Agreement.UNASKED)),
            disagreeing=tuple(f"{said.server} says {said}" for said in told(Agreement.DISAGREES)),
            silent=tuple(said.server for said in told(Agreement.SILENT)),
            overtaken=bool(told(Agreement.OVERTAKEN)),
        )

    @property
    def proved(self) -> bool:
        """Whether every server that can be asked agrees, and one at least."""
        return bool(self.agreeing) and not self.disagreeing and not self.silent and not self.overtaken
