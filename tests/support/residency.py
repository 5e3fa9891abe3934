"""Who may answer by law, told anew from what the files and operators say: what everything written is held against."""

from collections.abc import Iterable

from failoverd.core.overrides import GUEST, Comment, Override, Scope, Verb, begins, residency_rule
from failoverd.core.records import WHOLE, Policy, RecordType


def homes(policy: Policy, words: Iterable[Override], now: float) -> frozenset[str]:
    """The regions that may answer: those inside, and those that a word lets in by breaking the residency."""
    resident = {each.name for each in policy.regions if not policy.residency or each.jurisdiction in policy.residency}
    return frozenset(resident | guests(words, now))


def guests(words: Iterable[Override], now: float) -> frozenset[str]:
    """Whom two people let in, for four hours at most."""
    return frozenset(
        name
        for word in words
        if word.verb is Verb.PIN and word.breaks and word.agreed and word.in_force(now) and now < word.since + GUEST
        for name in word.shares
    )


def inside(policy: Policy, kind: RecordType, words: Iterable[Override], now: float) -> frozenset[str]:
    """The values that may be answered. Whose they are decides, whatever a place that has the same says of itself."""
    regions = {each.name for each in policy.regions}
    places = {
        place.name
        for place in (policy.shed_to, policy.when_all_down_place)
        if place is not None and place.name not in regions
        if not policy.residency or place.jurisdiction in policy.residency
    }
    may = homes(policy, words, now) | places
    return frozenset(value for value, name in policy.region_of(kind).items() if name in may)


def break_glass(policy: Policy, region: str, number: int, now: float, *, agreed: bool) -> Override:
    """A word that lets a region in, for longer than it may; without `agreed`, one person alone says so."""
    scope = Scope(policies=(policy.name,))
    return Override(
        f"{begins(Verb.PIN, scope)}{number:04x}",
        Verb.PIN,
        scope,
        "alice@host",
        now,
        now + 2 * GUEST,
        (Comment(now, "alice@host", "because"),),
        shares={region: WHOLE},
        breaks=(residency_rule(policy.name),),
        agreed=("bob@host",) if agreed else (),
    )
