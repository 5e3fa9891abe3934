"""An operator's word: what a person told failoverd to do or to leave, until when, and why. Data, and what it concerns.

A word is given once and holds until its end, whatever restarts meanwhile. It is desired state like a policy file: the
stages of `evaluate` heed it, and what no word concerns any more goes back to what the file says.

The id begins with the verb (`drain-9f3a1c07`), for the id alone stands in the marker beside a record: a daemon that
lost everything else still reads there what kind of word it is. The first half of its digits is made of what it is
about, so that the same word, given again, is known to be the same.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from glob import escape
from hashlib import blake2s
from typing import Final

from failoverd.core.records import Endpoint, Policy, RegionSpec, Target

LONGEST: Final = 72 * 3600.0
"""Seconds that a word may hold. It can be extended, each time for as long."""

KNOWN: Final = LONGEST + 86_400.0
"""Seconds after its end for which a word is known: markers name it until they are written again."""

WARNING: Final = 900.0
"""Seconds before its end at which that is told."""

APPROVAL: Final = 900.0
"""Seconds for which an approval lets its plan through."""

GUEST: Final = 4 * 3600.0
"""Seconds for which a word may break the residency of a policy; it cannot be extended beyond that."""

GUEST_PEOPLE: Final = 2
"""People who have to agree to that."""

WITHDRAWN: Final = "the file does not say it any more"

UNSAID: Final = "no reason was given"
"""The comment of who ended or changed a word without one, which is nothing to be said of it."""

AHEAD: Final = 86_400.0
"""Seconds before planned work begins from which on it is a word that everybody knows."""

BY_HAND: Final = 1_800.0
"""Seconds that a change by hand is kept for, when the command that failoverd printed made it."""

ITSELF: Final = "failoverd"
"""Who changes what nobody gave a word about."""

HAND: Final = "by hand"
"""The actor of such a change: nobody knows who pasted the command."""

LOST: Final = "lost"
"""The actor of a word that only a marker knows: who gave it went with the journal."""


class Verb(StrEnum):
    DRAIN = "drain"  # gets no traffic; is probed on
    SHED = "shed"  # gets less than it would
    PIN = "pin"  # these shares among those that serve
    HOLD = "hold"  # nothing is written
    PAUSE = "pause"  # nothing moves but what fails out; for everything: nothing at all
    UP = "up"  # an endpoint's verdict
    DOWN = "down"
    APPROVE = "approve"  # one held plan is let through
    SWITCH = "switch"  # a named gate is on
    ALERT = "alert"  # a region is degraded, or down, as a monitoring system says
    PRACTICE = "practice"  # a region gets no traffic, to see that the others bear it; whatever else is said counts more


class About(StrEnum):
    """What a word of a verb has to name."""

    REGIONS = "regions"  # or endpoints: a part of a policy, and never all of it
    ENDPOINTS = "endpoints"
    RECORDS = "records"  # or policies, each as a whole
    NO_RECORD = "no_record"  # a plan, or a gate: no marker names it


@dataclass(frozen=True, slots=True)
class Meaning:
    """What follows from a verb wherever words are told apart by their kind.

    Attributes:
        about: what it is about.
        stops: whether it has nothing done, and so is in nobody's way.
        takes_away: whether less may go to what it is about.
        marked: whether markers name it: a person's word must not be lost with the journal, and an alert comes again.
    """

    about: About
    stops: bool = False
    takes_away: bool = False
    marked: bool = True


MEANINGS: Final[Mapping[Verb, Meaning]] = {
    Verb.PAUSE: Meaning(About.RECORDS, stops=True),
    Verb.HOLD: Meaning(About.RECORDS, stops=True),
    Verb.DRAIN: Meaning(About.REGIONS, takes_away=True),
    Verb.PIN: Meaning(About.RECORDS, takes_away=True),
    Verb.SHED: Meaning(About.REGIONS, takes_away=True),
    Verb.DOWN: Meaning(About.ENDPOINTS, takes_away=True),
    Verb.UP: Meaning(About.ENDPOINTS),
    Verb.PRACTICE: Meaning(About.REGIONS, takes_away=True),
    Verb.ALERT: Meaning(About.REGIONS, marked=False),
    Verb.SWITCH: Meaning(About.NO_RECORD, marked=False),
    Verb.APPROVE: Meaning(About.NO_RECORD, marked=False),
}
"""By verb, in the order in which a headline names words: what stops most comes first."""

OF_NO_RECORD: Final = frozenset(verb for verb, means in MEANINGS.items() if means.about is About.NO_RECORD)
UNMARKED: Final = frozenset(verb for verb, means in MEANINGS.items() if not means.marked)
STOPPING: Final = frozenset(verb for verb, means in MEANINGS.items() if means.stops)
TAKING_AWAY: Final = frozenset(verb for verb, means in MEANINGS.items() if means.takes_away)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a word is about. Each part is a list of globs, of which one has to match; an empty part matches all.

    Attributes:
        policies: names of policies.
        records: names of records, such as `api.example.com`, or with the type of one: `api.example.com AAAA`.
        regions: names of regions.
        clouds: clouds of regions, as the inventory names them.
        endpoints: `region/address`, or the address alone; each with its port, where it has one of its own, or without.
        providers: names of providers.
    """

    policies: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()

    @classmethod
    def of(cls, target: Target) -> "Scope":
        """One record at one provider, and nothing else: the star of a wildcard is a letter of its name."""
        return cls((target.policy,), (escape(str(target.key)),), providers=(target.provider,))

    @property
    def everything(self) -> bool:
        return self == Scope()

    @property
    def of_some_regions(self) -> bool:
        """Whether it picks regions or endpoints of a policy, and not the policy as a whole."""
        return bool(self.regions or self.clouds or self.endpoints)

    def has_policy(self, policy: Policy) -> bool:
        """Whether it is about the policy, or a part of it."""
        if not self.may_have_had(policy):
            return False
        if not self.of_some_regions:
            return True
        return any(
            self.has_region(region) and any(map(self.has_endpoint, region.endpoints)) for region in policy.regions
        )

    def may_have_had(self, policy: Policy) -> bool:
        """Whether it is about the policy, or was: a region that files renamed is still named by a marker's word."""
        if not _matches(policy.name, self.policies):
            return False
        return not (self.records or self.providers) or any(map(self.has_target, policy.targets))

    def has_target(self, target: Target) -> bool:
        """Whether it is about the record, as far as policies, records and providers are named."""
        key = target.key
        return (
            _matches(target.policy, self.policies)
            and (_matches(key.name, self.records) or _matches(str(key), self.records))
            and _matches(target.provider, self.providers)
        )

    def has_region(self, region: RegionSpec) -> bool:
        return _matches(region.name, self.regions) and _matches(region.cloud, self.clouds)

    def has_endpoint(self, endpoint: Endpoint) -> bool:
        names = (endpoint.id, endpoint.text, endpoint.address, f"{endpoint.region}/{endpoint.address}")
        return any(_matches(text, self.endpoints) for text in names)

    def text(self) -> str:
        """As people say it: `region azure-eastus of policy inference-api`."""
        parts = [
            *_said("endpoint", self.endpoints),
            *_said("region", self.regions),
            *_said("cloud", self.clouds),
            *_said("record", tuple(each.replace("[*]", "*") for each in self.records)),
            *_said("provider", self.providers),
            *_said("policy", self.policies),
        ]
        return " of ".join(parts) or "everything"


def _matches(text: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(text == each or fnmatchcase(text, each) for each in globs)


def _said(what: str, globs: tuple[str, ...]) -> list[str]:
    return [f"{what} {' or '.join(globs)}"] if globs else []


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said about a word: why it was given, extended, or ended. All of them are kept."""

    at: float
    actor: str
    text: str


class Announced(StrEnum):
    UPCOMING = "upcoming"  # nothing yet: a person spoke of planned work before it began
    GIVEN = "given"
    HALF_TIME = "half_time"  # of a word that breaks a residency
    ENDING = "ending"
    ENDED = "ended"


_TOLD_IN_ORDER: Final = tuple(Announced)


@dataclass(frozen=True, slots=True)
class Override:
    """One word of an operator.

    Attributes:
        id: begins with the verb.
        verb: what is to be done.
        scope: about what.
        actor: who gave it: `alice@host`, or `file:line` of a file that says so.
        since: when it begins: when it was given, or everybody had agreed who has to. `given_at` is when it was said.
        until: when it ends, at the latest.
        comments: what was said about it; the first is the reason.
        shares: of a pin, by region, in basis points; and of a hold by hand, some of whose answers are of no region.
        part: of a shed: how much less, in basis points.
        over: of a drain: seconds in which the traffic leaves, in steps.
        now: it meets no rates.
        digest: of an approval: of which plan; and of an alert: of which one.
        name: of a switch; and of an alert, how ill the region is.
        undoes: the change that a pin takes back.
        breaks: rules that it may break, by name.
        needed: people that have to agree before it is in force.
        agreed: who agreed, besides the actor.
        ended_at: when it was released; None while it was not.
        ended_by: who released it.
        told: what was told of it last, so that a restart tells nothing twice.
        planned: whether a file says it: planned work. Then it is heeded for as long as the file does.
        back_at_once: who released it said that what it kept away comes back in one step, by no ramp.
        cleared: whether it may begin. A practice that a file plans may once the estate was looked at.
        outcome: of a practice that is over: how it went.
        succeed: of a practice: the checks that say how it goes; none: all of them.
    """

    id: str
    verb: Verb
    scope: Scope
    actor: str
    since: float
    until: float
    comments: tuple[Comment, ...] = ()
    shares: Mapping[str, int] = field(default_factory=dict)
    part: int = 0
    over: float = 0.0
    now: bool = False
    digest: str = ""
    name: str = ""
    undoes: str = ""
    breaks: tuple[str, ...] = ()
    needed: int = 1
    agreed: tuple[str, ...] = ()
    ended_at: float | None = None
    ended_by: str = ""
    told: Announced = Announced.GIVEN
    planned: bool = False
    back_at_once: bool = False
    cleared: bool = True
    outcome: str = ""
    succeed: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it was given. That of a lost word is not known: what was said of it since is about something else."""
        return self.comments[0].text if self.comments and self.actor != LOST else ""

    @property
    def given_at(self) -> float:
        return self.comments[0].at if self.comments else self.since

    @property
    def by_hand(self) -> bool:
        """Whether it is what a person did with a command that failoverd printed, and not what somebody said."""
        return self.actor == HAND

    @property
    def pending(self) -> bool:
        """Whether more people have to agree."""
        return self.people < self.needed

    @property
    def people(self) -> int:
        """How many stand behind it; the same one twice is one."""
        return len({self.actor, *self.agreed})

    @property
    def of_residency(self) -> tuple[str, ...]:
        """The policies whose residency it may break."""
        return tuple(rule.removeprefix(_RESIDENCY) for rule in self.breaks if rule.startswith(_RESIDENCY))

    @property
    def ends(self) -> float:
        """When it is over, as is known now."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def in_force(self, now: float) -> bool:
        return self.since <= now < self.ends and not self.pending and self.cleared

    def over_by(self, now: float) -> bool:
        return now >= self.ends

    def known_by(self, now: float) -> bool:
        """Whether anybody has to know of it still: it is in force, or to come, or a marker may name it."""
        return self.until > now - KNOWN

    @property
    def warned_of(self) -> bool:
        """Whether its end is told before: not of a short one, nor of a drill, nor of an alert, which is prolonged."""
        return self.until - self.since > WARNING and self.verb not in {Verb.ALERT, Verb.PRACTICE}

    @property
    def taken_over(self) -> bool:
        """Whether a person said something of what a file planned: that counts more than the file from then on."""
        return any(comment.actor != self.actor for comment in self.comments)

    def said_after(self, other: "Override") -> bool:
        """Whether this is the same word as it became later: it ended, more was said of it, or more was told of it.

        Who hears of one word from several sides goes by that. What a file plans is as the file says now, so nobody
        knows of it which came later, until a person said something of it.
        """
        return (not self.planned or self.taken_over) and self._course > other._course  # noqa: SLF001 - of the same kind

    @property
    def _course(self) -> tuple[bool, int, int, bool]:
        """Grows with whatever becomes of it. What is over stays so, and so does how a drill went."""
        return self.ended_at is not None, len(self.comments), _TOLD_IN_ORDER.index(self.told), bool(self.outcome)

    def withdrawn(self, at: float) -> "Override":
        """Ended because the file that planned it does not say it any more."""
        return self.released(self.actor, WITHDRAWN, at)

    def released(self, actor: str, comment: str, at: float) -> "Override":
        return replace(self, ended_at=at, ended_by=actor, comments=(*self.comments, Comment(at, actor, comment)))


def residency_rule(policy: str) -> str:
    """The name by which the residency of a policy is broken. No rule of the inventory can have it."""
    return f"{_RESIDENCY}{policy}"


_RESIDENCY: Final = "residency:"


def by(actor: str) -> str:
    """Who did something, in words: `by alice@host`, or `by hand`."""
    return {HAND: HAND, LOST: "by whom the journal lost"}.get(actor, f"by {actor}")


def as_planned(kept: Override, written: Override | None, now: float) -> Override:
    """A planned word that began, as the file says it now: `written` is None where it does not any more.

    What a person said of it since (released it, extended it) holds whatever becomes of the file.
    """
    if kept.taken_over or kept.outcome or (written is None and kept.over_by(now)):
        return kept
    return replace(written, told=kept.told, cleared=kept.cleared) if written is not None else kept.withdrawn(now)


def in_force(overrides: Iterable[Override], target: Target, now: float) -> tuple[Override, ...]:
    """Those that concern a record now."""
    return tuple(each for each in overrides if each.in_force(now) and each.scope.has_target(target))


def about(overrides: Iterable[Override], policy: Policy) -> tuple[Override, ...]:
    """Those that are about a policy, or a part of it. Drills are many about few things: each is looked at once."""
    looked_at: dict[Scope, bool] = {}

    def concerns(scope: Scope) -> bool:
        if scope not in looked_at:
            looked_at[scope] = scope.has_policy(policy)
        return looked_at[scope]

    return tuple(each for each in overrides if concerns(each.scope))


def next_turn(overrides: Iterable[Override], now: float) -> float | None:
    """The first moment after `now` at which one of them begins or ends."""
    moments = (moment for each in overrides if not each.pending for moment in (each.since, each.ends))
    return min((moment for moment in moments if moment > now), default=None)


def begins(verb: Verb, scope: Scope) -> str:
    """What the id of a word of this kind about this begins with, whoever gave it and when."""
    parts = (scope.policies, scope.records, scope.regions, scope.clouds, scope.endpoints, scope.providers)
    said = blake2s(repr([sorted(part) for part in parts]).encode(), digest_size=2)
    return f"{verb}-{said.hexdigest()}"


def verb_of(override_id: str) -> Verb | None:
    """The verb that an id in a marker begins with; None where a later version knows more of them."""
    found = _ID.match(override_id)
    return Verb(found[0]) if found is not None and found[0] in set(Verb) else None


_ID: Final = re.compile(r"[a-z]+")
