"""Who else writes a name under our own owner: another instance, turn by turn with this one.

Each marker names the instance that wrote it, so each look at a name, and each write of our own, is somebody's turn.
Writes of one instance in a row are one turn:

    theirs, ours                    a hand-over: a predecessor that fell silent
    ours, theirs, ours, theirs      a rival: each writes over what the other wrote

From then on the name is only written to take off what is down (`limits`), for two daemons that both do so come to rest.
Both fall silent then, so silence says nothing, and no time ends it: a person does, who stopped one of them. What the
rival puts back although it is down is taken off once more and then left, for else the two would go on about that.

The types of a name share its marker, and what each of them saw is put together.

Members of one installation are one instance. While nobody can lead, each takes off what it sees down itself, and what
another one puts back (`put_back_alone`) is left the same way: either somebody leads after all, or that one sees the
other regions down, and the two would go on about that as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Final

from failoverd.core.records import Marker, Observed, RecordSet

INTERLEAVED: Final = 4
"""Turns of one and the other that make a rival."""

LEAST_MEMORY: Final = 3_600.0
"""Seconds for which a turn is remembered, at least. Limits may space writes out: then for as many of their windows."""

MOST_UNDONE: Final = 2
"""How often what is down may be put back by a rival, before it is left there."""

UNNAMED: Final = "unnamed"
"""A rival of an earlier version, which named no instance."""

_MOST_TURNS: Final = 2 * INTERLEAVED


@dataclass(frozen=True, slots=True)
class Turn:
    """Writes in a row by one instance: the generation of the last one, and when it was seen."""

    instance: str
    generation: int
    at: float


@dataclass(frozen=True, slots=True)
class Rivalry:
    """What is known of who writes a name.

    Attributes:
        turns: the last ones, oldest first.
        since: when a rival was detected; None without one.
        rivals: who that is.
        undone: how often, since then, they put something back into the answer that we had taken off; without a rival,
            how often other members did, since nobody can lead.
    """

    turns: tuple[Turn, ...] = ()
    since: float | None = None
    rivals: tuple[str, ...] = ()
    undone: int = 0

    @property
    def contested(self) -> bool:
        """Whether even what is down is left to a person: they put it back each time."""
        return self.undone >= MOST_UNDONE


def wrote(known: Rivalry, marker: Marker, at: float) -> Rivalry:
    """A write of ours was read back. An installation that has no instances has no turns either."""
    return _taken(known, Turn(marker.instance, marker.generation, at)) if marker.instance else known


def seen(
    known: Rivalry,
    of_other_types: Iterable[Rivalry],
    observed: Observed,
    ours: Marker,
    last: RecordSet | None,
    span: float,
    now: float,
) -> Rivalry:
    """What is known after a look at the name.

    Args:
        known: from before, at this type of it.
        of_other_types: the same at the others.
        observed: what stands there.
        ours: a marker as this instance would write it.
        last: the answer that this instance last knew to be right.
        span: seconds for which the limits count changes.
        now: seconds since the epoch.
    """
    if not ours.instance:
        return known
    known = _together(known, of_other_types)
    if any(turn.at > now for turn in known.turns):  # the clock was wrong once: as if it were now
        known = replace(known, turns=tuple(replace(turn, at=min(turn.at, now)) for turn in known.turns))
    marker = observed.marker
    if marker is None or marker.by_hand or (marker.owner, marker.policy) != (ours.owner, ours.policy):
        return known
    after = _taken(known, Turn(marker.instance, marker.generation, now))
    if known.since is None:
        return _judged(after, ours.instance, max(LEAST_MEMORY, INTERLEAVED * span), now)
    over_ours = after.turns != known.turns and known.turns[-1:] and known.turns[-1].instance == ours.instance
    if over_ours and marker.instance != ours.instance and _put_back(observed.records, last):
        return replace(after, undone=known.undone + 1)
    return after


def put_back_alone(
    known: Rivalry, of_other_types: Iterable[Rivalry], observed: Observed, last: RecordSet | None, own: int
) -> Rivalry:
    """What is known after a look at the name while nobody can lead, before what `seen` makes of it.

    Args:
        known: from before, at this type of it.
        of_other_types: the same at the others.
        observed: what stands there.
        last: the answer that this member last knew to be right.
        own: the generation of that, at whichever type of the name it is newest.
    """
    known, marker = _together(known, of_other_types), observed.marker
    if marker is None or marker.by_hand or not known.turns or not known.turns[-1].generation == own < marker.generation:
        return known
    return replace(known, undone=known.undone + 1) if _put_back(observed.records, last) else known


def _taken(known: Rivalry, turn: Turn) -> Rivalry:
    return replace(known, turns=_after(known.turns, turn))


def _after(turns: tuple[Turn, ...], turn: Turn) -> tuple[Turn, ...]:
    if turns and turn.generation <= turns[-1].generation:
        return turns
    before = turns[:-1] if turns and turns[-1].instance == turn.instance else turns
    return (*before, turn)[-_MOST_TURNS:]


def _together(known: Rivalry, others: Iterable[Rivalry]) -> Rivalry:
    """The same, with what was seen at the other types of the name."""
    for other in others:
        turns: tuple[Turn, ...] = ()
        for turn in sorted({*known.turns, *other.turns}, key=attrgetter("generation")):
            turns = _after(turns, turn)
        first = min((each for each in (known, other) if each.since is not None), key=attrgetter("since"), default=known)
        known = Rivalry(turns, first.since, first.rivals, max(known.undone, other.undone))
    return known


def _judged(known: Rivalry, instance: str, memory: float, now: float) -> Rivalry:
    recent = [turn for turn in known.turns if turn.at > now - memory]
    if sum(1 for _ in groupby(recent, key=lambda turn: turn.instance == instance)) < INTERLEAVED:
        return known
    found = {turn.instance or UNNAMED for turn in recent} - {instance}
    return replace(known, since=now, rivals=tuple(sorted(found)))


def _put_back(found: RecordSet | None, last: RecordSet | None) -> bool:
    if found is None or last is None:
        return False
    ours = {answer.value for answer in last.serving}
    return any(answer.value not in ours for answer in found.serving)
