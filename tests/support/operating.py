"""Operators of a simulated daemon: they give words of every verb at random, and remember what they said.

What they remember is held against every write: no word that is in force may be acted against.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field

from support.fakes import PaperJournal, Script
from support.stage import Stage
from support.virtual import now

from failoverd.core.control.overriding import STEPS, stepped
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.events import OverrideEnded, OverrideEnding, OverrideGiven, OverridesLost, PlanHeld
from failoverd.core.overrides import Override, Scope, Verb, begins
from failoverd.core.records import WHOLE, Observed, Policy, Target, apportion
from failoverd.operations.commanding import Ask, Desk, Given, Undoable
from failoverd.operations.judging import OverrideError
from failoverd.ports import ChangeOutcome

NIGHT_SHIFT = ("alice@host", "bob@host")
LASTS = (15.0, 40.0, 120.0, 300.0, 1_000.0)


@dataclass
class Operators:
    """Who sits at the desk of a daemon, whichever process of it lives.

    Attributes:
        random: what they think of.
        policies: what they work on.
        tell: is told what they do.
        said: the words that the daemon accepted and that its journal keeps, as they were said last, by id.
        since: when each of them was said so.
        lost: words that were in force when the journal was lost.
        defects: what the desk may not do.
    """

    random: random.Random
    policies: Sequence[Policy]
    tell: Callable[[str], None]
    said: dict[str, Override] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    lost: dict[str, Override] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)

    # -- what they do --------------------------------------------------------------------------------------------------

    async def speak(self, stage: Stage) -> None:
        """Do one thing at the desk of this process, which may be killed meanwhile."""
        desk = Desk(stage.engine, now, _past(stage.journal), lambda rules: 2 if list(rules) else 1)
        act = self.random.choices(
            [self._give, self._undo, self._extend, self._agree, self._release, self._release_all],
            weights=[12, 2, 2, 2, 4, 1],
        )[0]
        try:
            await act(desk, stage)
        except OverrideError as error:
            self.tell(f"an operator is refused: {error.reason}: {error}")

    async def _give(self, desk: Desk, stage: Stage) -> None:
        ask = self._ask(stage)
        dry = await desk.give(ask, self._actor(), dry_run=True)
        if dry.word.id in {word.id for word in desk.words()}:
            self.defects.append(f"a dry run gives {dry.word.id}")
        self._heard(await desk.give(ask, self._actor()), "gives")

    async def _undo(self, desk: Desk, _: Stage) -> None:
        scope = Scope(policies=(self.random.choice(self.policies).name,))
        self._heard(await desk.undo("", scope, "it was better before", self._lasts(), self._actor()), "undoes by")

    async def _extend(self, desk: Desk, _: Stage) -> None:
        self._heard(await desk.extend(self._some(desk), self._lasts(), "longer", self._actor()), "extends")

    async def _agree(self, desk: Desk, _: Stage) -> None:
        waiting = [word.id for word in desk.words() if word.pending]
        name = self.random.choice(waiting) if waiting else self._some(desk)
        self._heard(await desk.agree(name, "so be it", NIGHT_SHIFT[1]), "agrees to")

    async def _release(self, desk: Desk, _: Stage) -> None:
        self._heard(await desk.release(self._some(desk), "enough", self._actor()), "releases")

    async def _release_all(self, desk: Desk, _: Stage) -> None:
        """Both what is known and what is lost."""
        try:
            for name in await desk.release_lost(Scope(), "nobody needs it", self._actor()):
                self.lost.pop(name, None)
                self.tell(f"an operator releases {name}, which is lost")
        finally:
            for given in await desk.release_matching(None, Scope(), "enough", self._actor()):
                self._heard(given, "releases")

    def _heard(self, given: Given, what: str) -> None:
        word = given.word
        self.tell(f"an operator {what} {word.id} of {word.scope.text()} for {word.ends - now():.0f}s: {given.kept=}")
        self.said[word.id], self.since[word.id] = word, now()

    def _ask(self, stage: Stage) -> Ask:
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
            Verb.UP: [Scope(policies, endpoints=(end.id,))],
            Verb.DOWN: [Scope(policies, endpoints=(end.id,))],
            Verb.PAUSE: [Scope(), Scope(mine)],
            Verb.PIN: [Scope(mine)],
            Verb.HOLD: [Scope(mine), Scope(records=(found.records[0].key.name,))],
        }  # fmt: skip
        parts = {each.name: self.random.randint(0, 3) for each in found.regions}
        return Ask(
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
        return self.random.choice(LASTS) + self.random.random()

    def _actor(self) -> str:
        return self.random.choice(NIGHT_SHIFT)

    async def go_home(self, stage: Stage) -> None:
        """They take back whatever they said."""
        desk = Desk(stage.engine, now, _past(stage.journal))
        if desk.words():
            for given in await desk.release_matching(None, Scope(), "enough", self._actor()):
                self._heard(given, "releases")

    # -- what they may rely on -----------------------------------------------------------------------------------------

    def restarted(self, journal: PaperJournal) -> None:
        """The process died. What it could not write down in time is gone with it."""
        kept = {word.id: word for word in journal.words_kept(0.0)}
        for name in [name for name in self.said if kept.get(name) is None]:
            del self.said[name]
        self.said |= {name: kept[name] for name in self.said}

    def store_lost(self) -> None:
        """The journal is gone, and what the markers say is left."""
        self.lost |= {name: word for name, word in self.said.items() if word.in_force(now())}
        self.said.clear()

    def against(self, stages: Sequence[Stage], plan: Plan, found: Observed, sent: float) -> Iterable[str]:
        """What a write does that somebody who was heard before it was sent does not want.

        `stages` are all processes that there were, the one that writes included.
        """
        words = [word for word in self.said.values() if self.since[word.id] < sent and word.in_force(sent)]
        words = [word for word in words if word.scope.has_target(plan.target)]
        answers = found.records is not None and bool(found.records.serving)
        changes = answers and plan.after != found.records
        let_through = any(word.verb is Verb.APPROVE for word in words)
        gain = {name for name, share in plan.shares_after.items() if share > plan.start.get(name, 0)}
        for word in words:
            match word.verb:
                case Verb.PAUSE if word.scope.everything:
                    yield f"{plan.target} is written though everything is paused by {word.id}"
                case Verb.PAUSE if changes and not let_through and plan.kind is not PlanKind.RESTORE:
                    if sum(plan.shifts.values()):
                        yield f"{plan.target} moves {dict(plan.shifts)} though it is paused by {word.id}"
                case Verb.HOLD if changes:
                    yield f"{plan.target} changes though {word.id} holds it"
                case Verb.DRAIN if answers and stepped(word, sent)[0] >= WHOLE and not word.scope.endpoints:
                    drained = {spec.name for spec in self._of(plan.target).regions if word.scope.has_region(spec)}
                    if gain & drained:
                        yield f"{gain & drained} gets traffic of {plan.target} though {word.id} drains it"
                case _:
                    pass
        yield from self._against_lost(stages, plan, found, words, changes=changes)

    def _against_lost(
        self, stages: Sequence[Stage], plan: Plan, found: Observed, words: Iterable[Override], *, changes: bool
    ) -> Iterable[str]:
        marker = found.marker
        if marker is None or marker.until <= now():
            return
        again = {begins(word.verb, word.scope) for word in words}
        named = [self.lost[name] for name in marker.overrides if name in self.lost]
        named = [word for word in named if not word.over_by(now())]
        for word in (word for word in named if begins(word.verb, word.scope) not in again):
            told = (event for stage in stages for event in stage.told(OverridesLost))
            if not any(event.record == str(plan.target.key) for event in told):
                yield f"nobody was told that {word.id} is lost at {plan.target}"
            if word.verb is Verb.HOLD and changes:
                yield f"{plan.target} changes though {word.id} held it, which is lost"
            if word.verb is Verb.DRAIN and changes and not word.scope.endpoints and not word.over:
                drained = {spec.name for spec in self._of(plan.target).regions if word.scope.has_region(spec)}
                new = {name for name in drained & plan.shares_after.keys() if not plan.start.get(name)}
                if new:
                    yield f"{new} gets traffic of {plan.target} though {word.id} drained it, which is lost"

    def told_wrong(self, stages: Sequence[Stage], *, journal_worked: bool) -> Iterable[str]:
        """Words that were not told as they should be: given once, ended once and in time."""
        for name, word in self.said.items():
            given = [event for stage in stages for event in stage.told(OverrideGiven) if event.override == name]
            ended = [event for stage in stages for event in stage.told(OverrideEnded) if event.override == name]
            ending = [event for stage in stages for event in stage.told(OverrideEnding) if event.override == name]
            if len(given) != 1:
                yield f"{name} is told {len(given)} times as given"
            if not ended and word.over_by(now() - 1.0):
                yield f"{name} is over, and nobody was told"
            if len(ended) > 1 and journal_worked:
                yield f"{name} is told {len(ended)} times as ended"
            if any(event.at < word.ends for event in ended) and journal_worked:
                yield f"{name} is told as ended before its time"
            if len(ending) > STEPS:
                yield f"{name} is told {len(ending)} times as about to end"

    def last_end(self) -> float:
        return max((word.ends for word in self.said.values() if not word.pending), default=0.0)

    def _of(self, target: Target) -> Policy:
        return next(found for found in self.policies if found.name == target.policy)


async def killed_at(work: Callable[[], Coroutine[None, None, None]], journal: PaperJournal, steps: int) -> None:
    """Begin something, and leave it after so many turns of the loop, wherever it is then."""
    journal.script = Script()
    task = asyncio.create_task(work())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal.script = None


def _past(journal: PaperJournal) -> Callable[[Scope, str], Undoable | None]:
    def found(scope: Scope, _: str) -> Undoable | None:
        plans = [entry.plan for entry in journal.changes.values() if entry.outcome is ChangeOutcome.APPLIED]
        moved = [plan for plan in plans if plan.shares_before and plan.shares_before != plan.shares_after]
        mine = [plan for plan in moved if scope.has_target(plan.target)]
        plan = mine[-1] if mine else None
        return Undoable(plan.id, plan.target, plan.shares_before, plan.shares_after) if plan is not None else None

    return found
