"""A drill: a region gets no traffic for a while, on a good day, to see that the others bear it.

It gives way to every other override, and costs no service. So it is no drain, which takes a region out whatever becomes
of the others, but a hold like that of a region that waits for its failback (`failback`):

    practised region: out, as long as what the others can carry is enough; else let in at once
    anything else that is said, an open incident, a region that is DOWN or DEGRADED: the drill yields, in that round
    a region of a drill that yields, or is cut short: it never failed, so it comes back first: no hold, no rate
    a drill that ends by its time, or by a person: the usual way back

What is UNKNOWN ends none by itself, as after a restart; that something was lost from sight opens an incident, and this
does. Whether one may begin, and whether it goes on while others of the estate are in trouble, is said by `clearance`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import fsum
from typing import Final

from failoverd.core.control.incident import Incident
from failoverd.core.control.overriding import Heeded, by_operator, named
from failoverd.core.control.sharing import Claim, share_out
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import ITSELF, Override, Verb
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy, RegionSpec

MARGIN: Final = 1.1
"""What the others have to be able to carry before a drill begins, as a multiple of the demand."""

ILL: Final = frozenset({RegionState.DOWN, RegionState.DEGRADED})


# -- within one policy -------------------------------------------------------------------------------------------------


def heard(
    heeded: Heeded, regions: Mapping[str, RegionHealth], incident: Incident | None, over: frozenset[str]
) -> Heeded:
    """The same, where the drills yield if anything else is going on at the target. Those that are `over` did so."""
    if not heeded.practised:
        return heeded
    done = {name: word for name, word in heeded.practised.items() if word.id in over}
    rest = {name: word for name, word in heeded.practised.items() if name not in done}
    heeded = replace(heeded, practised=rest, yielded=done)
    others = any(word.verb is not Verb.PRACTICE and named(word) for word in heeded.words)
    ill = any(health.state in ILL for health in regions.values())
    if not (others or heeded.lost or incident is not None or ill):
        return heeded
    return replace(heeded, practised={}, yielded={**done, **rest})


def held(heeded: Heeded, serving: Iterable[RegionSpec]) -> Mapping[str, tuple[Reason, float]]:
    """Who of those that serve is left out for a drill, why, and until when."""
    words = ((spec.name, heeded.practised.get(spec.name)) for spec in serving)
    return {
        name: (by_operator(ReasonCode.PRACTISED, word, name), word.ends) for name, word in words if word is not None
    }


def out(reasons: Iterable[Reason]) -> frozenset[str]:
    """The regions that a drill keeps out, as the sum says."""
    return frozenset(reason.region for reason in reasons if reason.code is ReasonCode.PRACTISED)


def cut_short(policy: Policy, practised: frozenset[str], words: Iterable[Override]) -> frozenset[str]:
    """Regions that a drill took out which failoverd itself ended: something else needs attention, wherever that is.

    `practised` are those that drills took out and that are not back, `words` what operators said.
    """
    drills = [word for word in words if word.verb is Verb.PRACTICE]

    def ended(spec: RegionSpec) -> bool:
        last = max((word for word in drills if word.scope.has_region(spec)), key=lambda each: each.since, default=None)
        return last is not None and last.ended_by == ITSELF

    return frozenset(spec.name for spec in policy.regions if spec.name in practised and ended(spec))


def recalled(
    practised: frozenset[str], short: frozenset[str], heeded: Heeded, wanted: Mapping[str, int]
) -> frozenset[str]:
    """Regions that a drill took out and that come back at once: it yielded, was cut short, or the others need them.

    `practised` are those that drills took out and that are not back, `short` those of them that were `cut_short`,
    `wanted` the shares that are decided on.
    """
    needed = {name for name in heeded.practised if wanted.get(name)}
    return frozenset((short.difference(heeded.practised) | needed | set(heeded.yielded)) & practised)


# -- in the estate -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Survival:
    """What becomes of the estate without some regions, in the units of the demands.

    Attributes:
        demand: of all policies that may be concerned.
        asked: what has to be carried: the demand with `MARGIN`.
        carried: what is.
        short: who is short, and of how much, once the margin is asked for.
    """

    demand: float = 0.0
    asked: float = 0.0
    carried: float = 0.0
    short: Mapping[str, float] | None = None

    @property
    def enough(self) -> bool:
        return not self.short

    @property
    def told(self) -> str:
        """Why it is not."""
        short = ", ".join(f"{name} {missing:g}" for name, missing in (self.short or {}).items())
        return (
            f"the others carry {self.carried:g} of {self.asked:g}, which is {MARGIN:g} times the demand; short: {short}"
        )


def survival(claims: Iterable[Claim], without: Mapping[str, frozenset[str]]) -> Survival:
    """Whether the others can carry everybody, with something to spare, once policies lose regions.

    `without` says for each policy which ones. All claims are shared out anew, so a region that a policy falls back on
    counts once, whoever else falls back on it as well.
    """
    less = [_lessened(claim, without.get(claim.policy, frozenset())) for claim in claims]
    grants = share_out(less)
    short = {name: grant.short for name, grant in sorted(grants.items()) if grant.short > 0}
    asked = fsum(claim.demand for claim in less)
    return Survival(asked / MARGIN, asked, asked - fsum(short.values()), short)


def _lessened(claim: Claim, without: frozenset[str]) -> Claim:
    """Nobody may have more of a region than all of its demand, so that bound grows with the demand."""
    levels = tuple(
        tuple(replace(draw, most=draw.most * MARGIN) for draw in level if draw.region not in without)
        for level in claim.levels
    )
    stands = {name: load * MARGIN for name, load in claim.stands.items() if name not in without}
    return replace(claim, demand=claim.demand * MARGIN, levels=levels, stands=stands)
