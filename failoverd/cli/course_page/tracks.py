"""Tracks as they are drawn: laid together, laid upon each other, and no more points than can be seen."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from failoverd.core.records import WHOLE
from failoverd.simulation.course import DEAD, PolicyCourse, States, Track

Run = tuple[float, float, str]
"""From when until when something was in which state."""

_WORST: Final = ("down", "dead", "degraded", "partly", "unknown", "healthy", "well")
"""States, those that are shown first where there is no room for all."""


def value_at(track: Track, at: float) -> float:
    """What it says of a moment; 0 before its first point."""
    return next((value for since, value in reversed(track) if since <= at), 0.0)


def together(tracks: Sequence[Track]) -> Iterator[tuple[float, tuple[float, ...]]]:
    """The values of all of them, whenever one becomes another."""
    points = sorted((at, number, value) for number, track in enumerate(tracks) for at, value in track)
    values = [0.0] * len(tracks)
    for at, changes in groupby(points, key=lambda each: each[0]):
        for _, number, value in changes:
            values[number] = value
        yield at, tuple(values)


def stacked(tracks: Sequence[Track]) -> list[Track]:
    """Each upon those before it."""
    joined = list(together(tracks))
    return [_changes((at, sum(values[: upto + 1])) for at, values in joined) for upto in range(len(tracks))]


def at_dead(policy: PolicyCourse) -> Track:
    """Clients at regions that are dead, or without any answer, in basis points of all."""
    return _of_dead(policy, [each.clients for each in policy.regions], policy.nowhere)


def published_dead(policy: PolicyCourse) -> Track:
    """The part of the answer that is of such regions."""
    return _of_dead(policy, [each.shares for each in policy.regions], ())


def _of_dead(policy: PolicyCourse, parts: Sequence[Track], besides: Track) -> Track:
    served = [each.served for each in policy.regions]
    count = len(parts)

    def sums() -> Iterator[tuple[float, float]]:
        for at, values in together([*parts, *served, besides]):
            pairs = zip(values[:count], values[count : 2 * count], strict=True)
            yield at, values[-1] + sum(part for part, well in pairs if well < DEAD * WHOLE)

    return _changes(sums())


def _changes(points: Iterable[tuple[float, float]]) -> Track:
    """Those at which the value becomes another one."""
    found = list[tuple[float, float]]()
    for at, value in points:
        if not found or found[-1][1] != value:
            found.append((at, value))
    return tuple(found)


def thinned(track: Track, lasted: float, most: int) -> Track:
    """At most so many points: of each part of the time the first, the least, the largest and the last."""
    if len(track) <= most:
        return track
    parts = max(1, most // 4)
    found = list[tuple[float, float]]()
    for _, part in groupby(track, key=lambda each: int(each[0] / lasted * parts)):
        points = list(part)
        kept = {points[0], points[-1], min(points, key=_value), max(points, key=_value)}
        found += sorted(kept)
    return tuple(found)


def _value(point: tuple[float, float]) -> float:
    return point[1]


def runs(states: States, lasted: float, most: int) -> list[Run]:
    """How long each state lasted. More than `most` of them are laid together; the worst of a part is what is shown."""
    ends = [*states, (lasted, "")]
    found = [(since, until, state) for (since, state), (until, _) in pairwise(ends)]
    if len(found) <= most:
        return found
    part = lasted / most
    worst = dict[int, str]()
    for since, until, state in found:
        for number in range(int(since / part), min(most - 1, int(until / part)) + 1):
            worst[number] = min(state, worst.get(number, state), key=_WORST.index)
    laid = ((list(numbers), state) for state, numbers in groupby(sorted(worst), key=lambda number: worst[number]))
    return [(numbers[0] * part, (numbers[-1] + 1) * part, state) for numbers, state in laid]


def not_served(served: Track) -> States:
    """Where a region really does not answer, which the daemon cannot know."""
    states = ((at, "dead" if value < DEAD * WHOLE else "partly" if value < WHOLE else "well") for at, value in served)
    return tuple(next(each) for _, each in groupby(states, key=lambda point: point[1]))
