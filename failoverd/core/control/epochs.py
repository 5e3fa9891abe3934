"""Who leads, as markers tell: one that says a higher epoch than ours was written by a newer leader.

Several members of an installation watch together, and one of them writes, the leader. Each leader has a higher epoch
than those before it, which stands in the markers of what it writes. A leader that was frozen, or cut off from the
others, and does not know yet that it is none any more, reads it there:

    ours 7, theirs 7 or 6      written as usual, and then the marker says 7
    ours 7, theirs 8           nothing is written to that name, whatever the news: the leader of 8 sees to it

One member alone is epoch 0, and any other is higher. Then it lacks what the other members have, or is what is left of
them: a person says so (`settled`), for time tells nothing. A leader who came after that is a newer one again.

The types of a name share its marker, and what was said about one of them counts for all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from failoverd.core.names import failoverctl
from failoverd.core.records import Marker, Observed


@dataclass(frozen=True, slots=True)
class Precedence:
    """What is known of other leaders of a name.

    Attributes:
        newer: the epoch of the newer leader who wrote what stands there; 0 while there is none.
        instance: who wrote that, as far as the marker says.
        settled: the epoch up to which a person said that the leaders are gone.
    """

    newer: int = 0
    instance: str = ""
    settled: int = 0

    def released(self) -> "Precedence":
        """The same after a person said that the newer leader is gone."""
        return Precedence(settled=max(self.settled, self.newer))


def seen(known: Precedence, of_other_types: Iterable[Precedence], observed: Observed, ours: Marker) -> Precedence:
    """What is known after a look at the name.

    Args:
        known: from before, at this type of it.
        of_other_types: the same at the others.
        observed: what stands there.
        ours: a marker as this instance would write it.
    """
    settled = max((known.settled, *(each.settled for each in of_other_types)))
    marker = observed.marker
    same = marker is not None and (marker.owner, marker.policy) == (ours.owner, ours.policy)
    if marker is None or not same or marker.epoch <= max(ours.epoch, settled):
        return replace(known, newer=0, instance="", settled=settled)
    instance = marker.instance or (known.instance if known.newer == marker.epoch else "")
    return Precedence(marker.epoch, instance, settled)


def remedy(name: str, ours: int) -> tuple[str, str]:
    """What a person does about a name that a newer leader wrote, and the command in it."""
    command = failoverctl("release", "--rival", name)
    if not ours:
        unknown = "this daemon knows of no leader: if it is one of several members, let it reach the coordinator"
        apart = "if it has no `coordination:` and others do, give it theirs, or stop it"
        return f"{unknown}; {apart}; if it is the only one that is left: {command}", command
    led = "nothing, if another member leads by now; if two installations have one `owner`, give one of them another"
    return f"{led} and names of its own; if that leader is gone for good: {command}", command
