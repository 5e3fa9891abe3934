"""Operators of a simulated daemon: they give words of every verb at random, and remember what they said.

What they remember, and what files plan, is held against every write: no word that is in force may be acted against
(`support.watching` says what that means).
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from support.stage import Stage
from support.watching import Scene, Sight, against

from failoverd.core.control.overriding import STEPS
from failoverd.core.events import OverrideEnded, OverrideEnding, OverrideGiven, OverridesLost, PlanHeld
from failoverd.core.health.region import RegionHealth
from failoverd.core.overrides import LOST, WARNING, Override, Scope, Verb, begins
from failoverd.core.records import WHOLE, Maintenance, Policy, Target, apportion
from failoverd.core.rules import Rule
from failoverd.operations.commanding import Desk, Given, Undoable, WordRequest
from failoverd.operations.judging import OverrideError, people_for
from failoverd.ports import ChangeOutcome
from failoverd.simulation.faults import Script
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.virtual_time import now

NIGHT_SHIFT = ("alice@host", "bob@host")
LASTS = {15.0: 8, 40.0: 8, 120.0: 6, 300.0: 3, 1_000.0: 1}
"""Seconds for which words are given, and how often: for as long as the longest one the calm has to be waited for."""

CRON, OF_DAY = "20,30 0 * * *", (1_200.0, 1_800.0)
"""Planned work that comes again and again: at twenty and at thirty minutes past midnight."""

DAY = 86_400.0

UNSPOKEN = frozenset({Verb.SWITCH, Verb.APPROVE})
"""Words that stop no write which was decided on before."""


@dataclass
class Files:
    """What files plan, and since when they say so. The windows are counted here, without the daemon's own calendar."""

    of_all: tuple[Maintenance, ...] = ()
    since: dict[tuple[str, Maintenance], float] = field(default_factory=dict)

    def follow(self, policies: Iterable[Policy]) -> None:
        """The files say this from now on."""
        said = {("", entry) for entry in self.of_all}
        said |= {(found.name, entry) for found in policies for entry in found.maintenance}
        self.since = {each: self.since.get(each, now()) for each in sorted(said, key=repr)}

    def windows(self, at: float) -> list[Override]:
        """The drains that they mean at a moment."""
        found = []
        for (policy, entry), since in self.since.items():
            of_day = (at // DAY * DAY + each for each in OF_DAY)
            starts = of_day if entry.begins is None else (entry.begins,)
            for start in (each for each in starts if each <= at < each + entry.lasts):
                scope = Scope(
                    policies=(policy,) if policy else (),
                    regions=(entry.region,) if entry.region else (),
                    clouds=(entry.cloud,) if entry.cloud else (),
                )
                end, name = start + entry.lasts, f"work of {entry.at}"
                found.append(Override(name, Verb.DRAIN, scope, entry.at, max(start, since), end, planned=True))
        return found

    def last_end(self) -> float:
        """When the last window that comes only once is over."""
        once = (entry.begins + entry.lasts for _, entry in self.since if entry.begins is not None)
        return max(once, default=0.0)


@dataclass(frozen=True)
class Decided:
    """What was known when a write was decided on: the policy, the health of its regions as probes say, the rules."""

    at: float
    policy: Policy
    health: Mapping[str, RegionHealth]
    rules: tuple[Rule, ...]


@dataclass
class Operators:
    """Who sits at the desk of a daemon, whichever process of it lives.

    Attributes:
        random: what they think of.
        policies: what they work on.
        tell: is told what they do.
        said: the words that the daemon accepted and that its journal keeps, as they were said last, by id.
        since: when each of them was said so: it is heeded from then on, though whoever said it is answered later.
        lost: words that were in force when the journal was lost.
        taking_back: those that are being released: nobody relies on them any more, and nobody was answered yet.
        defects: what the desk may not do.
        absences: from when to when no daemon was at work.
        files: what is planned.
    """

    random: random.Random
    policies: Sequence[Policy]
    tell: Callable[[str], None]
    said: dict[str, Override] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    lost: dict[str, Override] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    absences: list[tuple[float, float]] = field(default_factory=list)
    files: Files = field(default_factory=Files)
    taking_back: tuple[Override, ...] = ()

    # -- what they do --------------------------------------------------------------------------------------------------

    async def speak(self, stage: Stage) -> None:
        """Do one thing at the desk of this process, which may be killed meanwhile."""
        desk = Desk(stage.engine, now, undoable_of(stage.journal), lambda names: people_for(stage.engine.rules, names))
        act = self.random.choices(
            [self._give, self._undo, self._extend, self._agree, self._release, self._release_all],
            weights=[12, 2, 2, 2, 4, 1],
        )[0]
        try:
            await act(desk, stage)
        except OverrideError as error:
            self.tell(f"an operator is refused: {error.reason}: {error}")
        finally:
            self.taking_back = ()

    async def _give(self, desk: Desk, stage: Stage) -> None:
        ask = self._ask(stage)
        dry = await desk.give(ask, self._actor(), dry_run=True)
        if dry.word.id in {word.id for word in desk.words()}:
            self.defects.append(f"a dry run gives {dry.word.id}")
        self.heard(await desk.give(ask, self._actor()), "gives")

    async def _undo(self, desk: Desk, _: Stage) -> None:
        scope = Scope(policies=(self.random.choice(self.policies).name,))
        self.heard(await desk.undo("", scope, "it was better before", self._lasts(), self._actor()), "undoes by")

    async def _extend(self, desk: Desk, _: Stage) -> None:
        self.heard(await desk.extend(self._some(desk), self._lasts(), "longer", self._actor()), "extends")

    async def _agree(self, desk: Desk, _: Stage) -> None:
        waiting = [word.id for word in desk.words() if word.pending]
        name = self.random.choice(waiting) if waiting else self._some(desk)
        self.heard(await desk.agree(name, "so be it", NIGHT_SHIFT[1]), "agrees to")

    async def _release(self, desk: Desk, _: Stage) -> None:
        name = self._some(desk)
        self.taking_back = tuple(word for word in desk.words() if word.id == name)
        self.heard(await desk.release(name, "enough", self._actor()), "releases")

    async def _release_all(self, desk: Desk, _: Stage) -> None:
        """Both what is known and what is lost."""
        self.taking_back = desk.words()
        try:
            for name in await desk.release_lost(Scope(), "nobody needs it", self._actor()):
                self.lost.pop(name, None)
                self.tell(f"an operator releases {name}, which is lost")
        finally:
            for given in await desk.release_matching(None, Scope(), "enough", self._actor()):
                self.heard(given, "releases")

    def _ask(self, stage: Stage) -> WordRequest:
        found = self.random.choice(self.policies)
        spec = self.random.choice(found.regions)
        end = self.random.choice(spec.endpoints)
        mine, everywhere = (found.name,), self.random.random() < 0.3
        policies = () if everywhere else mine
        verb = self.random.choice([*Verb, Verb.DRAIN, Verb.DRAIN, Verb.PIN, Verb.HOLD])
        about = {
            Verb.DRAIN: [Scope(policies, regions=(spec.name,)), Scope(policies, clouds=(f"{spec.name[:2]}*",)),
                         Scope(policies, endpoints=(end.id,))],
            Verb.SHED: [Scope(policies, regions=(spec.name,))],
            Verb.PRACTICE: [Scope(policies, regions=(spec.name,))],
            Verb.UP: [Scope(policies, endpoints=(end.id,))],
            Verb.DOWN: [Scope(policies, endpoints=(end.id,))],
            Verb.PAUSE: [Scope(), Scope(mine)],
            Verb.PIN: [Scope(mine)],
            Verb.HOLD: [Scope(mine), Scope(records=(found.records[0].key.name,))],
        }  # fmt: skip
        parts = {each.name: self.random.randint(0, 3) for each in found.regions}
        return WordRequest(
            verb,
            self.random.choice(about.get(verb, [Scope(mine)])),
            "it is night",
            self._lasts(),
            shares=apportion(parts, WHOLE) if verb is Verb.PIN and any(parts.values()) else {},
            part=self.random.choice([2_000, 9_000]) if verb is Verb.SHED else 0,
            over=self.random.choice([0.0, 0.0, 30.0]) if verb is Verb.DRAIN else 0.0,
            now=self.random.random() < 0.3,
            digest=next((held.digest for held in reversed(stage.told(PlanHeld)) if held.digest), "none"),
            name="freeze" if verb is Verb.SWITCH else "",
            breaks=("two-clouds",) if self.random.random() < 0.1 else (),
        )

    def _some(self, desk: Desk) -> str:
        return self.random.choice([word.id for word in desk.words()] or ["drain-00000000"])

    def _lasts(self) -> float:
        return self.random.choices(list(LASTS), list(LASTS.values()))[0] + self.random.random()

    def _actor(self) -> str:
        return self.random.choice(NIGHT_SHIFT)

    async def go_home(self, stage: Stage) -> None:
        """They take back whatever they said."""
        desk = Desk(stage.engine, now, undoable_of(stage.journal))
        if any(word.since <= now() for word in desk.words()):  # what is planned for later is called off by its name
            self.taking_back = desk.words()
            for given in await desk.release_matching(None, Scope(), "enough", self._actor()):
                self.heard(given, "releases")
            self.taking_back = ()

    # -- what they may rely on -----------------------------------------------------------------------------------------

    def heard(self, given: Given, what: str) -> None:
        """A word was accepted."""
        word = given.word
        self.tell(f"an operator {what} {word.id} of {word.scope.text()} for {word.ends - now():.0f}s: {given.kept=}")
        self.said[word.id], self.since[word.id] = word, word.comments[-1].at

    def restarted(self, journal: PaperJournal) -> None:
        """The process died. What it could not write down in time is gone with it.

        And what it wrote down is said, also where it died before whoever said it was answered.
        """
        kept = {word.id: word for word in journal.words_kept(0.0)}
        for name in [name for name in self.said if kept.get(name) is None]:
            del self.said[name]
        spoken = {name: word for name, word in kept.items() if word.actor != LOST}
        spoken = {name: word for name, word in spoken.items() if word.taken_over or not word.planned}
        self.since |= {name: now() for name in spoken.keys() - self.said.keys()}
        self.said |= {name: kept[name] for name in self.said} | spoken

    def store_lost(self) -> None:
        """The journal is gone, and what the markers and the files say is left."""
        spoken = {name: word for name, word in self.said.items() if not word.planned}
        self.lost |= {name: word for name, word in spoken.items() if word.in_force(now())}
        self.said.clear()

    def words(self, target: Target, at: float) -> list[Override]:
        """Those that concern a record at a moment, of whoever was heard before it; planned ones as files say them."""
        heard = [word for name, word in self.said.items() if self.since[name] < at]
        heard = [word for word in heard if word.taken_over or not word.planned]
        taken_over = {(word.scope, word.until) for word in heard if word.planned}
        taken_over |= {(word.scope, word.since) for word in heard if word.planned}
        planned = [
            word
            for word in self.files.windows(at)
            if not taken_over & {(word.scope, word.until), (word.scope, word.since)}
        ]
        return [word for word in (*heard, *planned) if word.in_force(at) and word.scope.has_target(target)]

    def scene(self, target: Target, decided: Decided, at: float) -> Scene:
        """A record as those see it who were heard, from when it was decided on until now."""
        then, later = self.words(target, decided.at), self.words(target, at)
        names = {word.id for word in later}
        both = tuple(word for word in then if word.id in names)
        return Scene(decided.policy, target, both, decided.health, decided.at, decided.rules, tuple(then))

    def against(self, stages: Sequence[Stage], sight: Sight, sent: float) -> Iterable[str]:
        """What a write does that somebody who was heard before it was sent does not want.

        `stages` are all processes that there were, the one that writes included.
        """
        scene, plan = sight.scene, sight.plan
        later = self.words(plan.target, sent)
        known = {word.id for word in scene.allowing}
        given = [word for word in later if word.id not in known and not word.planned and word.verb not in UNSPOKEN]
        if sight.answers:
            yield from (f"{plan.target} is written after {word.id} was given" for word in given)
        over = known - {word.id for word in later if not self._taken_back(word)}
        if not over and not given:
            yield from against(sight)
        yield from self._against_lost(stages, sight, later)

    def _taken_back(self, word: Override) -> bool:
        """Whether somebody is releasing it just now; of a window that a file plans only the file's words are known."""
        mine = (each for each in self.taking_back if each.planned or not word.planned)
        return any(each.id == word.id or (word.planned and each.scope == word.scope) for each in mine)

    def _against_lost(self, stages: Sequence[Stage], sight: Sight, words: Iterable[Override]) -> Iterable[str]:
        marker, plan = sight.found.marker, sight.plan
        if marker is None or marker.until <= now():
            return
        again = {begins(word.verb, word.scope) for word in words}
        named = [self.lost[name] for name in marker.overrides if name in self.lost]
        named = [word for word in named if not word.over_by(now())]
        for word in (word for word in named if begins(word.verb, word.scope) not in again):
            told = (event for stage in stages for event in stage.told(OverridesLost))
            if not any(event.record == str(plan.target.key) for event in told):
                yield f"nobody was told that {word.id} is lost at {plan.target}"
            if word.verb is Verb.HOLD and sight.changes:
                yield f"{plan.target} changes though {word.id} held it, which is lost"
            if word.verb is Verb.DRAIN and sight.changes and not word.scope.endpoints and not word.over:
                drained = {spec.name for spec in sight.scene.policy.regions if word.scope.has_region(spec)}
                new = {name for name in drained & plan.shares_after.keys() if not plan.start.get(name)}
                if new:
                    yield f"{new} gets traffic of {plan.target} though {word.id} drained it, which is lost"

    def told_wrong(self, stages: Sequence[Stage], *, journal_worked: bool) -> Iterable[str]:
        """Words that were not told as they should be: given once, ended once and in time.

        `stages` are all processes with the journal that there is: one that knows nothing tells anew what files plan.
        Of drills that files plan it is told how they went, and nothing else.
        """
        drills = {name for name, word in self.said.items() if word.planned and word.verb is Verb.PRACTICE}
        for name, word in ((name, word) for name, word in self.said.items() if name not in drills):
            given = [event for stage in stages for event in stage.told(OverrideGiven) if event.override == name]
            ended = [event for stage in stages for event in stage.told(OverrideEnded) if event.override == name]
            ending = [event for stage in stages for event in stage.told(OverrideEnding) if event.override == name]
            told_anew = word.planned and not journal_worked
            missed = any(went <= word.since and word.ends <= came for went, came in self.absences)
            # planned work may be called off before it begins, or be over before anybody is back who could heed it
            if not given and word.ends > word.since and not missed:
                yield f"{name} is never told as given"
            if len(given) > 1 and not told_anew:
                yield f"{name} is told {len(given)} times as given"
            if not ended and word.over_by(now() - 1.0):
                yield f"{name} is over, and nobody was told"
            if len(ended) > 1 and journal_worked:
                yield f"{name} is told {len(ended)} times as ended"
            drill = word.verb is Verb.PRACTICE  # it ends when anything comes up
            if any(event.at < word.ends for event in ended) and journal_worked and not drill:
                yield f"{name} is told as ended before its time"
            if len(ending) > STEPS:
                yield f"{name} is told {len(ending)} times as about to end"
            lasted = word.until - max(word.since, self.since[name])
            if not ending and word.ended_at is None and not drill and lasted > WARNING and word.over_by(now()):
                yield f"{name} is over, and nobody was told 15 minutes before"

    def last_end(self) -> float:
        return max((word.ends for word in self.said.values() if not word.pending), default=0.0)


async def killed_at(work: Callable[[], Coroutine[None, None, None]], journal: PaperJournal, steps: int) -> None:
    """Begin something, and leave it after so many turns of the loop, wherever it is then."""
    journal.script = Script()
    task = asyncio.create_task(work())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal.script = None


def undoable_of(journal: PaperJournal) -> Callable[[Scope, str], Undoable | None]:
    def found(scope: Scope, _: str) -> Undoable | None:
        plans = [entry.plan for entry in journal.changes.values() if entry.outcome is ChangeOutcome.APPLIED]
        moved = [plan for plan in plans if plan.shares_before and plan.shares_before != plan.shares_after]
        mine = [plan for plan in moved if scope.has_target(plan.target)]
        plan = mine[-1] if mine else None
        return Undoable(plan.id, plan.target, plan.shares_before, plan.shares_after) if plan is not None else None

    return found
