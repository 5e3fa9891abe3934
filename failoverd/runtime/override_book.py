"""The operators' words of this installation, as the daemon keeps them: in memory, in the journal, and by their time.

A word is heeded as soon as it is put here, whether the disk works or not; the marker beside each record that it
concerns says it as well. Each policy gets those that concern it with its state, so that `evaluate` sees them.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypedDict

from failoverd.core.control.overriding import drained_regions, named
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.events import OverrideChanged, OverrideEnded, OverrideEnding, OverrideEvent, OverrideGiven
from failoverd.core.overrides import AHEAD, WARNING, Announced, Override, Verb, about, as_planned, in_force
from failoverd.core.reasons import Cause
from failoverd.core.records import Policy
from failoverd.core.status import PlannedStatus, PlannedWork
from failoverd.ports import Clock, Emit
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lead import Alone, Lead
from failoverd.runtime.naps import LONGEST, Nap

Plans = Callable[[float], tuple[Override, ...]]
"""The words that files plan: of windows that are open at a moment, or soon will be, and of some of later. Pure."""

Share = Callable[[Override], Awaitable[bool]]
"""Lets the other members know a word. Whether they will."""

_NAMED: Final = 20
"""Policies that an event names, of those that a word concerns."""


class Overrides:
    """All words that are known. Spoken ones change by `put` only, planned ones by what files say.

    A planned word is kept in the journal from its beginning on, like a spoken one: so it is told once, and what a
    person said of it (released it, extended it) holds. Before, it is known from the file alone.
    """

    def __init__(self, journal: JournalWriter, emit: Emit, clock: Clock, lead: Lead | None = None) -> None:
        self._lead: Lead = lead or Alone()
        self._share: Share | None = None
        self._unshared: set[str] = set()
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._words: dict[str, Override] = {}
        self._unkept: set[str] = set()
        self._put_at: dict[str, float] = {}
        self.nap = Nap(clock)
        self._plans: Plans | None = None
        self._policies: Callable[[], Iterable[Policy]] = tuple
        self._near: dict[str, Override] = {}
        self._later: tuple[Override, ...] = ()
        self._looked = 0.0
        self._known: _Known | None = None

    # -- what is known -------------------------------------------------------------------------------------------------

    def of(self, policy: Policy) -> tuple[Override, ...]:
        """Those that concern a policy, or will, the oldest first, those that are over among them."""
        return about(self.known(policy), policy)

    def known(self, policy: Policy) -> tuple[Override, ...]:
        """Those that a marker of the policy may name, the oldest first: `evaluate` must not take them for lost.

        So those that are over are among them, and those whose region no file names any more.
        """
        known = self._all()
        mine, common = known.own.get(policy.name, ()), known.common
        if not mine and not common:
            return ()
        now, words = self._clock(), sorted((*common, *mine), key=_age) if mine and common else (*common, *mine)
        return tuple(word for word in words if word.known_by(now) and word.scope.may_have_had(policy))

    def drained(self, policy: Policy) -> frozenset[str]:
        """Regions that get none of the policy's traffic, because a person says so."""
        return drained_regions(policy, self.of(policy), self._clock())

    def forbids(self, policy: Policy, plan: Plan) -> Override | None:
        """The word by which a plan is not to be sent, though it was decided on before it was given."""
        words = in_force(self.of(policy), plan.target, self._clock())
        empty = plan.before.records is None or not plan.before.records.serving
        for word in words:
            if plan.cause is Cause.EVICTED and not (word.verb is Verb.PAUSE and word.scope.everything):
                continue  # who may not answer leaves, whatever else is said
            stops = word.verb is Verb.PAUSE and word.scope.everything
            holds = word.verb is Verb.HOLD and plan.kind is not PlanKind.MARK and not empty
            news = self._put_at.get(word.id, 0.0) >= plan.decision.at and word.id not in plan.marker.overrides
            if stops or holds or (news and named(word) and not empty):
                return word
        return None

    def all(self) -> tuple[Override, ...]:
        """Planned ones that are still to come included."""
        return tuple(self._all().words.values())

    def get(self, override_id: str) -> Override | None:
        """As `all` has it, without making all of it: who hears a thousand new words asks for each."""
        self._look_at_plans()
        kept, near = self._words.get(override_id), self._near.get(override_id)
        if kept is None or not kept.planned or self._plans is None:
            return kept or near
        return as_planned(kept, near, self._looked)

    def in_force(self) -> tuple[Override, ...]:
        now = self._clock()
        return tuple(word for word in self.all() if word.in_force(now))

    def planned(self) -> PlannedStatus:
        """The windows of files that are open or soon will be, the next one first, and what files say comes later.

        What comes later is told only: it is no word yet that anybody heeds, or could take back.
        """
        now = self._clock()
        words = [word for word in self.all() if word.planned and not word.over_by(now)]
        return PlannedStatus(
            now,
            tuple(
                PlannedWork(
                    override=word.id,
                    about=word.scope.text(),
                    actor=word.actor,
                    reason=word.reason,
                    since=word.since,
                    until=word.ends,
                    policies=self._concerned(word) if word.since < now + AHEAD else word.scope.policies,
                )
                for word in (*words, *self._later)
            ),
        )

    def _all(self) -> "_Known":
        """The words that are kept, as files say those now that they planned, and what they plan besides."""
        self._look_at_plans()
        if self._known is None:
            words = dict(self._words)
            if self._plans is not None:
                # what is not planned any more is over since that was seen: by the time of a later question, it would
                # still hold for whoever had looked at the clock before he asked
                begun = {
                    name: as_planned(word, self._near.get(name), self._looked)
                    for name, word in words.items()
                    if word.planned
                }
                words |= {**self._near, **begun}
            self._known = _Known.of(words)
        return self._known

    def _look_at_plans(self) -> None:
        """Know what files plan now."""
        now = self._clock()
        if self._plans is not None and not self._looked <= now < self._looked + LONGEST:
            self._look(self._plans, now)

    def _look(self, plans: Plans, now: float) -> None:
        found = plans(now)
        self._near = {word.id: word for word in found if word.since < now + AHEAD}
        self._later = tuple(sorted((word for word in found if word.id not in self._near), key=_age))
        self._looked, self._known = now, None

    def follow(self, plans: Plans, policies: Callable[[], Iterable[Policy]] = tuple) -> bool:
        """Heed what files plan from now on. Whether that is anything else than before."""
        before = self._near if self._plans is not None else None
        self._plans, self._policies = plans, policies
        self._look(plans, self._clock())
        self.nap.wake()
        return self._near != (before or {})

    # -- what changes --------------------------------------------------------------------------------------------------

    def load(self, words: Iterable[Override]) -> None:
        """Take up what an earlier process, or another one, left in the journal. What is known here counts more."""
        found = {word.id: word for word in words} | {name: self._words[name] for name in self._unkept}
        self._words, self._known = dict(sorted(found.items(), key=lambda item: _age(item[1]))), None
        self.nap.wake()

    async def put(self, word: Override, event: OverrideEvent | None) -> bool:
        """Heed a word from now on, or as it was changed. Whether the journal has it: it is heeded either way.

        Without an event there is nothing to tell of it: an alert that lasts is prolonged again and again.
        """
        self.heed(word)
        if event is not None:
            self._emit(event)
        return await self.keep(word)

    def heed(self, word: Override) -> None:
        """The same in this moment, for who cannot wait. It is to be kept afterwards."""
        self._set(word)
        self._put_at[word.id] = self._clock()
        self._unkept.add(word.id)
        self.nap.wake()

    def _set(self, word: Override) -> None:
        self._words[word.id], self._known = word, None

    def share(self, share: Share) -> None:
        """Let the other members know every word as well."""
        self._share = share

    @property
    def unshared(self) -> frozenset[str]:
        """The ids of those that the others do not know as they are here."""
        return frozenset(self._unshared & self._words.keys())

    def heard_by_all(self, word: Override, *, as_it_is: bool) -> None:
        """The others know a word `as_it_is` here, or as it was before."""
        (self._unshared.discard if as_it_is else self._unshared.add)(word.id)

    async def keep(self, word: Override) -> bool:
        """Have the journal keep it, and let the others know it. Whether the journal does."""
        if self._share is not None:
            self._unshared.add(word.id)
            if await self._share(word):
                self._unshared.discard(word.id)
        return await self.keep_here(self._words.get(word.id, word))  # more may have been heard of it meanwhile

    async def keep_here(self, word: Override) -> bool:
        """Have the journal keep it. Whether it does."""
        kept = await self._journal.say(word)
        if kept:
            self._unkept.discard(word.id)
        else:
            self._unkept.add(word.id)
        return kept

    async def keep_all(self) -> None:
        """Have the journal keep every word once more: it may have lost what it was given."""
        for word in list(self._words.values()):
            await self.keep_here(word)

    # -- their time ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what is about to end, and what is over, each once."""
        while True:
            self.nap.begin()
            await self.nap.until(await self.tell())

    async def tell(self) -> float | None:
        """Tell what is due; says when there is something to tell next. Of several members the leader does."""
        now = self._clock()
        for name in [name for name, word in self._words.items() if not word.known_by(now)]:
            del self._words[name]
            self._known = None
        if not self._lead.leads:
            return None
        due = await self._follow_plans(self._plans, now) if self._plans is not None else []
        for name in list(self._words):
            word = self._words[name]  # as it is by now: telling of another one took its time
            if word.told is Announced.ENDED:
                continue
            if now >= word.ends:
                await self._told(word, Announced.ENDED, ended(word, now))
            elif word.told is Announced.UPCOMING and now < word.since:
                due.append(min(word.since, word.ends))
            elif word.told is Announced.UPCOMING:
                await self._told(word, Announced.GIVEN, self._begun(word, now))
                due.append(now)
            elif word.told in _EARLY and word.warned_of and now >= word.ends - WARNING:
                await self._told(word, Announced.ENDING, _ending(word, now))
                due.append(word.ends)
            elif word.told is Announced.GIVEN and now >= _half_time(word):
                await self._told(word, Announced.HALF_TIME, _ending(word, now))
                due.append(max(word.ends - WARNING, now))
            else:
                early = word.told in _EARLY and word.warned_of
                half = _half_time(word) if word.told is Announced.GIVEN else word.ends
                due.append(min(half, word.ends - WARNING if early else word.ends))
        return min(due, default=None)

    async def _told(self, word: Override, what: Announced, event: OverrideEvent) -> None:
        word = replace(word, told=what)
        self._set(word)
        self._emit(event)
        await self.keep(word)

    async def _follow_plans(self, plans: Plans, now: float) -> list[float]:
        """Keep and tell what of the plans begins, and what files say otherwise by now; when the next ones begin."""
        self._look(plans, now)
        near, due = dict(self._near), list[float]()
        for written in near.values():
            kept = self._words.get(written.id)
            if kept is not None and kept.taken_over:
                continue
            if kept is None or kept.told is Announced.ENDED:
                if written.in_force(now):
                    await self._told(written, Announced.GIVEN, self._begun(written, now))
                elif written.since > now:
                    due.append(written.since)
            elif (said := as_planned(kept, written, now)) != kept:
                await self._say_otherwise(kept, said, now)
        for kept in list(self._words.values()):
            gone = kept.planned and kept.id not in near and kept.told is not Announced.ENDED
            # where a policy does not run, its file may not load: it takes nothing back
            if gone and self._concerned(kept):
                self._set(as_planned(kept, None, now))
        return due

    async def _say_otherwise(self, kept: Override, said: Override, now: float) -> None:
        """The file was edited while its window was open."""
        warned = said.told is Announced.ENDING and now >= said.ends - WARNING
        said = replace(said, told=Announced.ENDING if warned else Announced.GIVEN)
        self._set(said)
        if (said.until, said.reason) != (kept.until, kept.reason):
            self._emit(replace(changed(said, said.actor, said.reason, now), policies=self._concerned(said)))
        await self.keep(said)

    def _begun(self, word: Override, now: float) -> OverrideGiven:
        return replace(given(word, now), policies=self._concerned(word))

    def _concerned(self, word: Override) -> tuple[str, ...]:
        return tuple(sorted(policy.name for policy in self._policies() if word.scope.has_policy(policy)))[:_NAMED]


@dataclass(frozen=True, slots=True)
class _Known:
    """All words, the oldest first. A thousand policies may plan work, and each asks for its own words in each round.

    Attributes:
        words: by id.
        own: those that are about one policy, by its name.
        common: the others.
    """

    words: Mapping[str, Override]
    own: Mapping[str, tuple[Override, ...]]
    common: tuple[Override, ...]

    @classmethod
    def of(cls, words: Mapping[str, Override]) -> "_Known":
        own: defaultdict[str, list[Override]] = defaultdict(list)
        common: list[Override] = []
        in_order = dict(sorted(words.items(), key=lambda item: _age(item[1])))
        for word in in_order.values():
            (own[word.scope.policies[0]] if word.planned and word.scope.policies else common).append(word)
        return cls(in_order, {name: tuple(mine) for name, mine in own.items()}, tuple(common))


def _age(word: Override) -> tuple[float, str]:
    return word.since, word.id


class WordNames(TypedDict):
    at: float
    override: str
    verb: str
    about: str
    actor: str
    reason: str
    until: float


def names(word: Override, at: float) -> WordNames:
    """What every event about a word says first: which, about what, who gave it and why, until when."""
    return {
        "at": at,
        "override": word.id,
        "verb": word.verb,
        "about": word.scope.text(),
        "actor": word.actor,
        "reason": word.reason,
        "until": word.until,
    }


def given(word: Override, at: float) -> OverrideGiven:
    """That it is heeded from now on."""
    return OverrideGiven(
        **names(word, at),
        policies=word.scope.policies,
        needed=word.needed,
    )


def changed(word: Override, by: str, comment: str, at: float) -> OverrideChanged:
    """That it holds in another way, or for longer."""
    return OverrideChanged(
        **names(word, at),
        policies=word.scope.policies,
        by=by,
        comment=comment,
    )


def ended(word: Override, at: float) -> OverrideEnded:
    """That nobody has to heed it any more."""
    comment = word.comments[-1].text if word.ended_at is not None and word.comments else ""
    return OverrideEnded(
        **names(word, at),
        by=word.ended_by,
        comment=comment,
    )


_EARLY: Final = frozenset({Announced.GIVEN, Announced.HALF_TIME})
"""What was told of a word that is not about to end."""


def _half_time(word: Override) -> float:
    """When half of its time is over, for one that breaks a residency: people are told of that as well."""
    return (word.since + word.ends) / 2 if word.of_residency and not word.pending else word.ends


def _ending(word: Override, at: float) -> OverrideEnding:
    return OverrideEnding(
        **names(word, at),
        left=word.ends - at,
    )
