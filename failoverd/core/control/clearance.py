"""Whether a drill may begin, and whether one that began goes on: by what is going on in the whole estate.

It begins on a good day alone: no incident is open, nobody said anything else, every region of its policies was seen and
is HEALTHY, no other drill is on, and the others can carry everybody with something to spare. It ends as soon as any
of that ends, but for the room to spare: what is asked then is that nobody is short.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from failoverd.core.control.overriding import named
from failoverd.core.control.practice import ILL, Survival, survival
from failoverd.core.control.sharing import Claim, Grant
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import Override, Verb, by
from failoverd.core.practices import PracticeOutcome
from failoverd.core.records import Policy

_NOTHING = 1e-9
"""A load that is none, in proportion to the demand: what rounding leaves."""

Known = tuple[Policy, PolicyState]
"""A policy, and what is known of it now, with the health of its regions and what operators say."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a drill does not begin, or does not go on. `survival` has the numbers where it is for want of room."""

    outcome: PracticeOutcome
    why: str
    survival: Survival | None = None


def practised_in(policy: Policy, word: Override) -> frozenset[str]:
    """The regions of a policy that a drill is about."""
    if not word.scope.has_policy(policy):
        return frozenset()
    return frozenset(spec.name for spec in policy.regions if word.scope.has_region(spec))


def may_begin(
    word: Override, known: Iterable[Known], claims: Iterable[Claim], words: Iterable[Override], now: float
) -> Objection | None:
    """What stands against a drill that is about to begin; None if nothing does.

    `claims` are those of all policies, `words` all that operators said.
    """
    all_known = tuple(known)
    about = [(policy, state, regions) for policy, state in all_known if (regions := practised_in(policy, word))]
    if not about:
        return Objection(PracticeOutcome.BLOCKED, f"no policy at work has {word.scope.text()}")
    why = (
        _other_word(word, words, now)
        or _incident(all_known)
        or _ill(all_known, frozenset({*ILL, RegionState.UNKNOWN}))
        or _unseen(about)
        or _alone(about)
    )
    if why:
        return Objection(PracticeOutcome.BLOCKED, why)
    found = survival(claims, {policy.name: regions for policy, _, regions in about})
    if found.enough:
        return None
    return Objection(PracticeOutcome.CAPACITY_CHECK_FAILED, found.told, found)


def goes_on(
    word: Override,
    known: Iterable[Known],
    grants: Mapping[str, Grant],
    words: Iterable[Override],
    now: float,
    failing: frozenset[str] = frozenset(),
) -> Objection | None:
    """What ends a drill that began; None if nothing does.

    It failed if those who serve its policies meanwhile are ill, by one of its checks where it names some, or cannot
    carry all of it, so that they draw upon the region. `grants` are as of now, and `failing` has the checks by which
    an endpoint of the others is down.
    """
    all_known = tuple(known)
    for policy, state in all_known:
        regions = practised_in(policy, word)
        if not regions:
            continue
        for health in _healths(state):
            if health.state in ILL and health.name not in regions:
                counts = not word.succeed or not failing.isdisjoint(word.succeed)
                outcome = PracticeOutcome.FAILED if counts else PracticeOutcome.INTERRUPTED
                return Objection(outcome, _told(policy, health))
        grant = grants.get(policy.name)
        back = sum(grant.loads.get(name, 0.0) for name in regions) if grant is not None else 0.0
        if grant is not None and back > grant.demand * _NOTHING:
            short = f"the others cannot carry {back:g} of the {grant.demand:g} that policy {policy.name} needs"
            return Objection(PracticeOutcome.FAILED, short)
    why = _ill(all_known, ILL) or _incident(all_known) or _other_word(word, words, now)
    return Objection(PracticeOutcome.INTERRUPTED, why) if why else None


def _other_word(word: Override, words: Iterable[Override], now: float) -> str:
    """A word that is in force. One that approves a plan, or waits for more people, stands against nothing."""
    for other in words:
        if other.id != word.id and other.in_force(now) and other.verb is not Verb.APPROVE:
            what = other.scope.text() if named(other) else other.name
            return f"{other.id} is in force: {other.verb} of {what}, {by(other.actor)}"
    return ""


def _incident(known: Iterable[Known]) -> str:
    found = next(((policy, state.incident) for policy, state in known if state.incident is not None), None)
    return f"incident {found[1].id} of policy {found[0].name} is open" if found is not None else ""


def _healths(state: PolicyState) -> Iterable[RegionHealth]:
    return (health for regions in state.verdicts.values() for health in regions.values())


def _ill(known: Iterable[Known], states: frozenset[RegionState]) -> str:
    found = (_told(policy, each) for policy, state in known for each in _healths(state) if each.state in states)
    return next(found, "")


def _told(policy: Policy, health: RegionHealth) -> str:
    evidence = f": {health.evidence}" if health.evidence else ""
    return f"region {health.name} of policy {policy.name} is {health.state}{evidence}"


def _unseen(about: Iterable[tuple[Policy, PolicyState, frozenset[str]]]) -> str:
    """A policy whose regions nobody has looked at."""
    found = (policy.name for policy, state, _ in about if not any(True for _ in _healths(state)))
    return next((f"nobody has looked at the regions of policy {name} yet" for name in found), "")


def _alone(about: Iterable[tuple[Policy, PolicyState, frozenset[str]]]) -> str:
    found = (policy.name for policy, _, regions in about if regions >= {spec.name for spec in policy.regions})
    return next((f"policy {name} has no other region" for name in found), "")
