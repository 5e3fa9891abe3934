"""Drills: begun when their time comes and nothing stands against it, ended in the moment in which anything does.

What may begin and what goes on is said by `core/control/clearance.py`; here is when that is asked. A drill that a file
plans is a word that is not cleared: it is heeded once it is. One that a person gives is asked about before it is given.

Whatever may end a drill is heard in the moment in which it is told, before any policy is worked on because of it: so
nobody decides with a drill that is over. Looking takes time only while one is on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from failoverd.core.control.claiming import claim
from failoverd.core.control.clearance import Known, Objection, goes_on, may_begin, practised_in
from failoverd.core.control.sharing import Grant
from failoverd.core.control.state import PolicyState
from failoverd.core.events import (
    EndpointEvent,
    Event,
    IncidentOpened,
    OverrideChanged,
    OverrideEnded,
    OverrideGiven,
    PracticeEnded,
    PracticeStarted,
    RegionEvent,
)
from failoverd.core.overrides import ITSELF, Announced, Override, Verb
from failoverd.core.practices import PastPractice, PracticeOutcome, remembered
from failoverd.core.records import Endpoint, Policy
from failoverd.ports import Clock, Emit
from failoverd.runtime.estate import Shared
from failoverd.runtime.naps import LONGEST, Nap
from failoverd.runtime.override_book import ended, given
from failoverd.runtime.states import States, Verdicts

GRACE: Final = 300.0
"""Seconds after its time within which a planned drill begins: one that was missed by more is left out."""

_NAMED: Final = 20
"""Policies that an event names."""

_WORDS: Final = (OverrideGiven, OverrideChanged, OverrideEnded)
_TROUBLE: Final = (IncidentOpened, RegionEvent, EndpointEvent)


class Working(Protocol):
    """The policies at work."""

    @property
    def policies(self) -> Mapping[str, Policy]: ...

    def heed(self, word: Override) -> None:
        """They are worked on now because of a word."""


class DrillBoard(Verdicts, Protocol):
    """Who knows besides by which checks endpoints are down."""

    def down(self, name: str, endpoint: Endpoint, check: str) -> bool: ...


class Practising:
    """All drills of this installation: at most one at a time.

    Args:
        states: what is known of each policy, and what operators say.
        verdicts: how regions are.
        shared: what policies may take of shared regions.
        working: the policies at work; asked for when it is needed, for it is made later.
        emit: is told of each drill.
        clock: the time.
    """

    def __init__(
        self,
        states: States,
        verdicts: DrillBoard,
        shared: Shared,
        working: Callable[[], Working],
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._states = states
        self._words = states.overrides
        self._verdicts = verdicts
        self._shared = shared
        self._working = working
        self._emit = emit
        self._clock = clock
        self._began = clock()
        self._unkept: list[Override] = []
        self.nap = Nap(clock)

    # -- asked ---------------------------------------------------------------------------------------------------------

    def objection(self, word: Override) -> Objection | None:
        """What stands against a drill that would begin now."""
        now, known = self._clock(), self._known(self._working().policies.values())
        claims = [found for policy, state in known if (found := claim(policy, state, now)) is not None]
        return may_begin(word, known, claims, self._words.all(), now)

    # -- their time ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin and end what is due, and look regularly whether what is on may go on."""
        while True:
            self.nap.begin()
            await self.nap.until(await self.look())

    async def look(self) -> float | None:
        """Do what is due; says when something is due again. What is on may have to end whenever it is looked at.

        Of several members the leader does.
        """
        if not self._states.lead.leads:
            return None
        now = self._clock()
        for word in self._drills():
            if word.outcome:
                continue
            if word.over_by(now):
                await self._over(word, now)
            elif not word.cleared and word.since <= now:
                await self._begin(word, now)
            elif word.in_force(now):
                self._judge(word, self._working().policies.values(), now, self._grants(word, now))
        await self._keep()
        left = [word for word in self._drills() if not word.outcome]
        moments = [at for word in left for at in (word.since, word.ends) if at > now]
        moments += [now + LONGEST for word in left if word.in_force(now)]
        return min(moments, default=None)

    def take(self, event: Event) -> None:
        """Something happened: a drill that is on may be over by it, now."""
        if isinstance(event, OverrideGiven) and event.verb == Verb.PRACTICE and not event.needed > 1:
            self._tell_begun(event)
        if isinstance(event, _WORDS):
            self.nap.wake()
        elif not isinstance(event, _TROUBLE):
            return
        if not self._states.lead.leads:
            return
        now = self._clock()
        on = [word for word in self._drills() if not word.outcome and word.in_force(now)]
        if not on:
            return
        policies = self._working().policies
        about = [policies[event.policy]] if event.policy in policies else []
        for word in on:
            self._judge(word, about, now, {})

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _drills(self) -> list[Override]:
        return [word for word in self._words.all() if word.verb is Verb.PRACTICE]

    def _known(self, policies: Iterable[Policy]) -> list[Known]:
        return [(policy, self._look_at(policy)) for policy in policies]

    def _look_at(self, policy: Policy) -> PolicyState:
        return self._states.looked_at(policy, self._verdicts)

    def _grants(self, word: Override, now: float) -> Mapping[str, Grant]:
        found = {
            policy.name: self._shared.grants(policy, self._look_at(policy), now)[0]
            for policy in self._working().policies.values()
            if policy.demand and practised_in(policy, word)
        }
        return {name: grant for name, grant in found.items() if grant is not None}

    async def _begin(self, word: Override, now: float) -> None:
        if now > word.since + GRACE:
            objection: Objection | None = Objection(PracticeOutcome.BLOCKED, "nobody was there when it should begin")
        else:
            objection = self.objection(word)
        if objection is not None:
            self._end(word, objection, now)
            return
        word = replace(word, cleared=True, told=Announced.GIVEN)
        await self._words.put(word, replace(given(word, now), policies=self._about(word)))
        self._working().heed(word)

    def _judge(self, word: Override, policies: Iterable[Policy], now: float, grants: Mapping[str, Grant]) -> None:
        looked_at = tuple(policies)
        failing = frozenset(
            check.name
            for policy in looked_at
            if word.succeed and (out := practised_in(policy, word))
            for endpoint, check in policy.probes()
            if endpoint.region not in out and self._verdicts.down(policy.name, endpoint, check.name)
        )
        objection = goes_on(word, self._known(looked_at), grants, self._words.all(), now, failing)
        if objection is not None:
            self._end(word, objection, now)

    def _end(self, word: Override, objection: Objection, now: float) -> None:
        """It is over in this moment; the journal hears of it as soon as it can."""
        began = word.cleared
        over = word.released(ITSELF, objection.why, now)
        over = replace(over, outcome=objection.outcome, told=Announced.ENDED)
        self._words.heed(over)
        if began:
            self._emit(ended(over, now))
        self._conclude(over, objection, now)
        self._working().heed(over)
        self._unkept.append(over)
        self.nap.wake()

    async def _over(self, word: Override, now: float) -> None:
        """Its time has passed, or a person, or the file, took it back."""
        if not word.cleared:  # it was called off
            return
        if word.ended_by:
            comment = word.comments[-1].text if word.comments else ""
            objection = Objection(PracticeOutcome.INTERRUPTED, f"{word.ended_by} ended it: {comment}")
        elif self._began > word.ends:
            objection = Objection(PracticeOutcome.INTERRUPTED, "nobody was there when it ended")
        else:
            objection = Objection(PracticeOutcome.SUCCEEDED, "")
        over = replace(word, outcome=objection.outcome, told=Announced.ENDED)
        self._words.heed(over)
        if word.told is not Announced.ENDED:
            self._emit(ended(over, now))
        self._conclude(over, objection, word.ends)
        self._unkept.append(over)

    def _conclude(self, word: Override, objection: Objection, at: float) -> None:
        """Remember how it went, and tell it."""
        regions: set[str] = set()
        for policy in self._working().policies.values():
            mine = practised_in(policy, word)
            regions |= mine
            if mine:
                past = tuple(
                    PastPractice(region, objection.outcome, word.since, at, word.id, word.actor, objection.why)
                    for region in sorted(mine)
                )
                state = self._states.of(policy.name)
                self._states.put(replace(state, practices=remembered((*state.practices, *past))))
        survival = objection.survival
        numbers = (survival.demand, survival.asked, survival.carried) if survival is not None else (None, None, None)
        self._emit(
            PracticeEnded(
                at=self._clock(),
                override=word.id,
                regions=tuple(sorted(regions or word.scope.regions)),
                actor=word.actor,
                reason=word.reason,
                outcome=objection.outcome,
                lasted=max(0.0, at - word.since) if word.cleared else 0.0,
                why=objection.why,
                demand=numbers[0],
                asked=numbers[1],
                carried=numbers[2],
                policies=self._about(word),
            )
        )

    def _tell_begun(self, event: OverrideGiven) -> None:
        word = self._words.get(event.override)
        if word is None or not word.in_force(self._clock()):
            return
        regions = {name for policy in self._working().policies.values() for name in practised_in(policy, word)}
        self._emit(
            PracticeStarted(
                at=event.at,
                override=word.id,
                regions=tuple(sorted(regions)),
                actor=word.actor,
                reason=word.reason,
                until=word.until,
                policies=self._about(word),
            )
        )

    def _about(self, word: Override) -> tuple[str, ...]:
        return tuple(sorted(name for name, each in self._working().policies.items() if practised_in(each, word)))[
            :_NAMED
        ]

    async def _keep(self) -> None:
        """Have the journal keep what ended since the last look."""
        over, self._unkept = self._unkept, []
        for word in over:
            await self._words.keep(word)
            for policy in tuple(self._working().policies.values()):
                if practised_in(policy, word):
                    await self._states.keep(policy.name)
