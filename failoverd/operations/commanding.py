"""What operators tell a daemon at work: give a word, extend it, agree to it, take it back.

Each is judged first, by what it would do: every record that it concerns is evaluated with it and without it. One that
would empty an answer, break a rule, or stand against another word is refused, and told what stands against it. Rates
refuse nothing: they make a move slower, which is told.

A word that only stops things (a pause, a hold) can do nothing of that: it is heeded first, and what it means for each
record is looked at afterwards. Records are evaluated in the loop that steers traffic, which has its turn after each.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2s
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol

from failoverd.core.control.clearance import Objection
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.overriding import drained_regions
from failoverd.core.errors import FailoverdError
from failoverd.core.events import Event, OverrideChanged, OverrideEvent, OverrideGiven
from failoverd.core.overrides import (
    APPROVAL,
    GUEST,
    GUEST_PEOPLE,
    LONGEST,
    LOST,
    STOPPING,
    Announced,
    Comment,
    Override,
    Scope,
    Verb,
    begins,
    by,
    residency_rule,
    verb_of,
)
from failoverd.core.practices import PracticeOutcome
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Policy, RecordKey, RecordType, Target, Weights, few, percentages
from failoverd.core.rules import Gate, Rule
from failoverd.operations.alerting import Alert, AlertHeard, heard
from failoverd.operations.effects import Concerned, Effect, Preview, effect_of, in_turn, outcome_of
from failoverd.operations.judging import OverrideError, nonsense, require_allowed
from failoverd.ports import ChangeOutcome, Clock
from failoverd.runtime.override_book import ended, names
from failoverd.store.reading import ChangeRow, EventRow, HistoryReading
from failoverd.telemetry import phrases

MOST_WORDS: Final = 500
"""Words in force or to come that one installation keeps: a script that gives them in a loop is stopped by this."""

LONGEST_TEXT: Final = 500
"""Characters of a reason or a comment."""

MOST_TOLD: Final = 20
"""Records of which a word that stops things is told what it does there: of the others there is their number.

So few are looked at in one go: whoever stops everything hears at once that it is so.
"""

_UNKNOWN: Final = "failoverctl overrides lists them; what only markers know is ended by failoverctl release --lost"
_NO_DRILL: Final = "failoverctl practice says when each region was practised last, and what comes next"

_NAMED: Final = 20
"""Names of policies that an event tells."""


@dataclass(frozen=True, slots=True)
class WordRequest:
    """What an operator asks for. What the fields mean is said by `Override`; `seconds` is how long it is to hold."""

    verb: Verb
    scope: Scope
    reason: str
    seconds: float
    shares: Mapping[str, int] = field(default_factory=dict)
    part: int = 0
    over: float = 0.0
    now: bool = False
    digest: str = ""
    name: str = ""
    breaks: tuple[str, ...] = ()
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A word that was accepted, or would be (`dry_run`), and what it does. `kept`: the journal has it.

    `notes` is what whoever gave it should know: what stands in its way, how many writes were under way.
    """

    word: Override
    effects: tuple[Effect, ...]
    kept: bool = True
    dry_run: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undoable:
    """A change of the past, as far as it takes to take it back. Shares in basis points by region."""

    change_id: str
    target: Target
    before: Mapping[str, int]
    after: Mapping[str, int]


MOST_IGNORED: Final = 1_000
"""Alerts of which is remembered that they were told to be ignored."""


class Crew(Protocol):
    """Who does the work: the daemon's engine."""

    @property
    def policies(self) -> Mapping[str, Policy]: ...

    def words(self) -> tuple[Override, ...]: ...

    def previews(self, policy: str) -> Sequence[tuple[Target, Preview]]: ...

    def proof_heard(self, target: Target) -> tuple[int, bool]: ...

    @property
    def rules(self) -> Sequence[Rule]: ...

    @property
    def sending(self) -> int: ...

    @property
    def unshared(self) -> Collection[str]: ...

    def objection(self, word: Override) -> Objection | None: ...

    async def say(self, word: Override, event: OverrideEvent | None) -> bool: ...

    def emit(self, event: Event) -> None: ...

    async def settle_rivals(self, scope: Scope, by: str, comment: str) -> tuple[str, ...]: ...


Past = Callable[[Scope, str], Undoable | None]
"""The change of that id, or the last one of the scope; None when there is none."""


def past_of(journal: Path) -> Past:
    """The changes that a journal knows, those that another one of several members told of included."""

    def found(scope: Scope, change_id: str) -> Undoable | None:
        with HistoryReading(journal) as reading:
            if change_id:
                row = reading.change(change_id)
                if row is not None:
                    return _undoable(row) if row.outcome == ChangeOutcome.APPLIED else None
                return next(map(_told_of, reading.elsewhere(change_id=change_id)), None)
            own = reading.changes(outcome=ChangeOutcome.APPLIED, limit=None)
            others = reading.elsewhere(limit=None)
        dated = [(row.settled_at or row.intended_at, _undoable(row)) for row in own]
        dated += [(row.at, _told_of(row)) for row in others]
        newest = (each for _, each in sorted(dated, key=itemgetter(0), reverse=True))
        return next((each for each in newest if each.before != each.after and scope.has_target(each.target)), None)

    return found


def _undoable(row: ChangeRow) -> Undoable:
    return Undoable(row.change_id, row.target, row.shares_before, row.shares_after)


def _told_of(row: EventRow) -> Undoable:
    """A change that another member made, by its `change.applied`."""
    name, _, kind = row.record.rpartition(" ")
    target = Target(row.policy, RecordKey(name, RecordType(kind)), row.provider, str(row.facts["zone"]))
    return Undoable(row.change_id, target, row.facts["shares_from"], row.facts["shares_to"])


People = Callable[[Iterable[str]], int]
"""How many people have to agree to breaking these rules. Raises OverrideError for one that is not there."""


class Desk:
    """Where operators are heard. One at a time: two words that stand against each other are never both accepted."""

    def __init__(self, crew: Crew, clock: Clock, past: Past, people: People = lambda _: 1) -> None:
        self._crew = crew
        self._clock = clock
        self._past = past
        self._people = people
        self._turn = asyncio.Lock()
        self._ignored: dict[str, str] = {}  # alerts that were told of, by fingerprint, and why

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Those that run."""
        return tuple(self._crew.policies.values())

    def words(self) -> tuple[Override, ...]:
        """Those that are in force, wait for more people, or are still to come."""
        now = self._clock()
        return tuple(word for word in self._crew.words() if not word.over_by(now))

    def word(self, override_id: str) -> Override:
        """One word, over or not. Raises OverrideError when nobody gave it."""
        found = next((word for word in self._crew.words() if word.id == override_id), None)
        if found is None:
            words = f"there is no override {override_id[:80]!r}"
            raise OverrideError(words, reason="override_unknown", remedy=_UNKNOWN)
        return found

    async def effects(self, override_id: str) -> tuple[Effect, ...]:
        """Where each record stands that the word concerns."""
        word = self.word(override_id)
        concerned = self._concerned(word)
        return tuple([self._effect(word, each, self._words_of(each.policy)) async for each in in_turn(concerned)])

    # -- giving --------------------------------------------------------------------------------------------------------

    async def give(self, ask: WordRequest, actor: str, *, dry_run: bool = False) -> Given:
        """Heed a word from now on, if nothing stands against it.

        Raises:
            OverrideError: `override_invalid`, `override_conflict`, `override_refused`, `rule_broken`.
        """
        if ask.verb in STOPPING:
            return await self._stop(*self._sensible(ask, actor), dry_run=dry_run)
        async with self._turn:
            word, concerned = self._sensible(await self._approving(ask), actor)
            self._require_good_day(word)
            judged = [self._judged(word, each) async for each in in_turn(concerned)]
            notes = self._notes(word, concerned, judged, dry_run=dry_run)
            if dry_run:
                return Given(word, tuple(judged), dry_run=True, notes=notes)
            kept = await self._crew.say(word, self._given(word))
            return Given(word, tuple(judged), kept, notes=(*notes, *self._unshared(word)))

    async def _stop(self, word: Override, concerned: Sequence[Concerned], *, dry_run: bool) -> Given:
        """Nothing that it does can be refused: it waits for nobody's turn, and is heeded before anything is judged."""
        kept = dry_run or await self._crew.say(word, self._given(word))
        notes = () if dry_run else (*self._on_their_way(), *self._unshared(word))
        shown, more = concerned[:MOST_TOLD], len(concerned) - MOST_TOLD
        effects = [self._effect(word, each, self._with(word, each.policy)) for each in shown]
        if more > 0:
            notes = (*notes, f"it is about {phrases.counted(more, 'record')} more, which are not listed")
        notes = (*self._notes(word, concerned, effects, dry_run=dry_run), *notes)
        return Given(word, tuple(effects), kept, dry_run=dry_run, notes=notes)

    async def undo(
        self,
        change_id: str,
        scope: Scope,
        reason: str,
        seconds: float,
        actor: str,
        *,
        now: bool = False,
        dry_run: bool = False,
    ) -> Given:
        """Take a change back: a pin to the shares of before. Without an id, the last change of the scope."""
        found = await asyncio.to_thread(self._past, scope, change_id)
        if found is None:
            what = f"change {change_id[:80]!r}" if change_id else f"change of {scope.text()}"
            words = f"the journal knows no {what} that was applied"
            raise OverrideError(words, reason="change_unknown", remedy="failoverctl history lists the changes")
        policy = self._crew.policies.get(found.target.policy)
        known = {region.name for region in policy.regions} if policy is not None else set()
        shares = {name: share for name, share in found.before.items() if name in known}
        if not shares:
            words = (
                f"{found.change_id} cannot be taken back: what {found.target} answered before "
                f"({percentages(found.before) or 'nothing'}) is in no region that policy {found.target.policy} has now"
            )
            raise OverrideError(words, reason="override_refused", remedy="pin the shares that you want instead")
        where = Scope(policies=(found.target.policy,), records=(found.target.key.name,))
        ask = WordRequest(Verb.PIN, where, reason, seconds, shares=shares, undoes=found.change_id, now=now)
        return await self.give(ask, actor, dry_run=dry_run)

    async def extend(self, override_id: str, seconds: float, comment: str, actor: str) -> Given:
        """Have a word hold for `seconds` from now on, whatever its end was."""
        async with self._turn:
            word = self._open(override_id)
            self._require_text(comment)
            self._require_seconds(seconds)
            now = self._clock()
            if now + seconds <= word.since:
                words = f"{word.id} begins at {phrases.moment(word.since)}, and would be over before that"
                raise OverrideError(
                    words, reason="override_invalid", remedy=f"call it off: failoverctl release {word.id}"
                )
            if word.of_residency and now + seconds > word.since + GUEST:
                words = f"{word.id} breaks a residency, and may for {GUEST / 3600:g}h at most, from its beginning on"
                raise OverrideError(
                    words, reason="override_invalid", remedy="let it end; then two people may give it anew"
                )
            said = replace(word, until=now + seconds, comments=(*word.comments, Comment(now, actor, comment)))
            told = Announced.UPCOMING if word.since > now else Announced.GIVEN
            return await self._changed(replace(said, told=told), actor, comment)

    async def agree(self, override_id: str, comment: str, actor: str) -> Given:
        """Agree to a word that waits for more people. The same person counts once."""
        async with self._turn:
            word = self._open(override_id)
            self._require_text(comment)
            if not word.pending:
                words = f"{word.id} waits for nobody: it is in force"
                raise OverrideError(words, reason="override_invalid")
            if person(actor) in {person(word.actor), *map(person, word.agreed)}:
                words = f"{actor} gave or agreed to {word.id} already, and it takes {word.needed} people"
                raise OverrideError(words, reason="override_refused", remedy="somebody else has to agree")
            now = self._clock()
            said = replace(word, agreed=(*word.agreed, actor), comments=(*word.comments, Comment(now, actor, comment)))
            if not said.pending:  # it begins now: what it says of time, such as the steps of a drain, counts from here
                said = replace(said, since=now)
            return await self._changed(said, actor, comment)

    async def alert(self, alerts: Iterable[Alert], actor: str) -> tuple[AlertHeard, ...]:
        """Heed the alerts of a notification, each by itself. None can take the last region away that serves."""
        async with self._turn:
            found = []
            for each in alerts:
                became = heard(each, self._crew.words(), self._crew.policies, actor, self._clock())
                if became.word is not None:
                    await self._crew.say(became.word, became.event)
                self._tell_ignored(became)
                found.append(became)
            return tuple(found)

    def _tell_ignored(self, heard_of: AlertHeard) -> None:
        """Once while it fires. The oldest are forgotten: a rule without bounds does not fill the memory."""
        about, event = heard_of.fingerprint, heard_of.ignored
        if event is None:
            self._ignored.pop(about, None)
        elif self._ignored.get(about) != event.why:
            self._ignored[about] = event.why
            self._crew.emit(event)
            if len(self._ignored) > MOST_IGNORED:
                del self._ignored[next(iter(self._ignored))]

    # -- taking back ---------------------------------------------------------------------------------------------------

    async def release(self, override_id: str, comment: str, actor: str, *, at_once: bool = False) -> Given:
        """End a word now. What it kept away comes back by its ramp, or `at_once`, and by the limits of `returning`."""
        async with self._turn:
            given = await self._release(self._open(override_id), comment, actor, at_once=at_once)
            return replace(given, effects=await self.effects(override_id))

    async def release_matching(
        self, verb: Verb | None, scope: Scope, comment: str, actor: str, *, at_once: bool = False
    ) -> tuple[Given, ...]:
        """End every word of a scope: those whose own scope is the same, or that concern nothing outside of it.

        What that does is not looked at: there may be many of them.
        """
        async with self._turn:
            now = self._clock()
            found = [
                word
                for word in self._crew.words()
                if not word.over_by(now)
                and verb in {None, word.verb}
                and self._within(word, scope)
                and not (word.planned and word.since > now)  # what is to come is called off by its id
            ]
            if not found and verb is Verb.PRACTICE:
                words = "no drill is on" if scope.everything else f"no drill of {scope.text()} is on"
                raise OverrideError(words, reason="override_unknown", remedy=_NO_DRILL)
            if not found:
                what = f"{verb} of {scope.text()}" if verb is not None else f"override about {scope.text()}"
                words = f"there is no {what} to release"
                raise OverrideError(words, reason="override_unknown", remedy=_UNKNOWN)
            return tuple([await self._release(word, comment, actor, at_once=at_once) for word in found])

    async def release_lost(self, scope: Scope, comment: str, actor: str) -> tuple[str, ...]:
        """End the words that markers name and this journal does not know, in the policies of the scope."""
        async with self._turn:
            self._require_text(comment)
            now, lost = self._clock(), dict[str, tuple[frozenset[str], float]]()
            async for each in in_turn(self._concerned(Override("", Verb.HOLD, scope, "", now, now))):
                for reason in _reasons(each.preview, self._words_of(each.policy)):
                    if reason.code is ReasonCode.OVERRIDES_LOST:
                        for name in reason.named:
                            others, until = lost.get(name, (frozenset[str](), 0.0))
                            lost[name] = others | {each.policy.name}, max(until, reason.numbers["until"])
            for name, (policies, until) in lost.items():
                where = Scope(policies=tuple(sorted(policies)))
                word = Override(name, verb_of(name) or Verb.HOLD, where, LOST, now, until)
                word = replace(word.released(actor, comment, now), told=Announced.ENDED)
                await self._crew.say(word, ended(word, now))
            if not lost:
                words = f"no marker of {scope.text()} names an override that this journal does not know"
                raise OverrideError(words, reason="override_unknown")
            return tuple(sorted(lost))

    async def release_rivals(self, scope: Scope, comment: str, actor: str) -> tuple[str, ...]:
        """Write the names of the scope as before, for whoever else wrote them is gone. Returns them."""
        async with self._turn:
            self._require_text(comment)
            found = await self._crew.settle_rivals(scope, actor, comment)
            if not found:
                words = f"no other instance writes the names of {scope.text()}"
                raise OverrideError(words, reason="override_unknown", remedy="failoverctl status names those it writes")
            return found

    # -- parts: what is said -------------------------------------------------------------------------------------------

    def _sensible(self, ask: WordRequest, actor: str) -> tuple[Override, list[Concerned]]:
        """The word, and what it is about: all that is said of it without judging what it does."""
        word = self._made(ask, actor)
        concerned = self._concerned(word)
        self._require_sense(word, concerned)
        self._require_room(word, concerned)
        return word, concerned

    def _made(self, ask: WordRequest, actor: str) -> Override:
        self._require_text(ask.reason)
        seconds = APPROVAL if ask.verb is Verb.APPROVE else ask.seconds
        self._require_seconds(seconds)
        now = self._clock()
        return Override(
            id=self._id(ask, actor, now),
            verb=ask.verb,
            scope=ask.scope,
            actor=actor,
            since=now,
            until=now + seconds,
            comments=(Comment(now, actor, ask.reason),),
            shares=dict(ask.shares),
            part=ask.part,
            over=ask.over,
            now=ask.now,
            digest=ask.digest,
            name=ask.name,
            undoes=ask.undoes,
            breaks=ask.breaks,
            needed=max(self._people(_of_inventory(ask)), GUEST_PEOPLE if _of_residency(ask) else 1),
        )

    def _id(self, ask: WordRequest, actor: str, now: float) -> str:
        """One that no word has that is known."""
        named = (ask.reason, actor, now, tuple(sorted(ask.shares.items())), ask.digest, ask.name)
        known, begin, salt = {word.id for word in self._crew.words()}, begins(ask.verb, ask.scope), 0
        while True:
            found = begin + blake2s(repr((*named, salt)).encode(), digest_size=2).hexdigest()
            if found not in known:
                return found
            salt += 1

    async def _approving(self, ask: WordRequest) -> WordRequest:
        """An approval is about the record whose plan it names, and about the rules that hold it."""
        if ask.verb is not Verb.APPROVE:
            return ask
        held = dict[str, tuple[Target, Held]]()
        async for each in in_turn(self._records(self._crew.policies.values())):
            found = outcome_of(each.preview, self._words_of(each.policy))
            if isinstance(found, Outcome) and found.held is not None:
                held[found.held.plan.digest] = (each.target, found.held)
        if ask.digest not in held:
            known = ", ".join(f"{digest} ({target})" for digest, (target, _) in sorted(held.items()))
            words = f"no plan {ask.digest[:80]!r} is held now; held are: {few([known], 1) if known else 'none'}"
            raise OverrideError(words, reason="override_refused", remedy="failoverctl status shows what is held")
        target, found_held = held[ask.digest]
        breaks = tuple(dict.fromkeys(check.rule for check in found_held.blocking if check.rule))
        return replace(ask, scope=Scope(policies=(target.policy,), records=(target.key.name,)), breaks=breaks)

    def _require_sense(self, word: Override, concerned: Sequence[object]) -> None:
        """The verb fits its scope, its numbers can be met, and it concerns something."""
        wrong = nonsense(word)
        if wrong:
            raise OverrideError(wrong, reason="override_invalid")
        self._require_guests(word)
        scope, verb = word.scope, word.verb
        whole = verb is Verb.SWITCH or (verb is Verb.PAUSE and scope.everything)
        if not concerned and not whole:
            policies = few(sorted(self._crew.policies), _NAMED)
            words = f"{scope.text()} is nothing that runs here; the policies are: {policies or 'none'}"
            raise OverrideError(words, reason="override_invalid", remedy="failoverctl status lists what there is")
        if verb is Verb.PIN:
            self._require_known(word)
            self._require_served(word)

    def _require_guests(self, word: Override) -> None:
        """Who breaks a residency names its policy, pins the guests by name, and for no longer than that may be."""
        if not word.of_residency:
            return
        about = [policy.name for policy in self._policies(word)]
        remedy = (
            f"failoverctl pin POLICY REGION=SHARE,... --approve-with {residency_rule('POLICY')} --for 4h --reason TEXT"
        )
        words = ""
        if word.verb is not Verb.PIN:
            words = f"{word.verb} breaks no residency: a pin does, which names the guests and their shares"
        elif about != list(word.of_residency):
            words = f"it would break the residency of {', '.join(word.of_residency)}, and is about {few(about, 3)}"
        elif not self._crew.policies[about[0]].residency:
            words = f"policy {about[0]} has no residency to break"
        elif word.until - word.since > GUEST:
            words = f"a residency is broken for {GUEST / 3600:g}h at most"
        if words:
            raise OverrideError(words, reason="override_invalid", remedy=remedy)

    def _require_known(self, pin: Override) -> None:
        for policy in self._policies(pin):
            unknown = pin.shares.keys() - {region.name for region in policy.regions}
            if unknown:
                known = ", ".join(region.name for region in policy.regions)
                words = f"policy {policy.name} has no region {', '.join(sorted(unknown))}; it has: {known}"
                raise OverrideError(words, reason="override_invalid")

    def _require_room(self, word: Override, concerned: Sequence[Concerned]) -> None:
        """It stands against no other word, and there are not too many of them. Files may plan what they want."""
        words = [word for word in self.words() if not word.planned]
        if len(words) >= MOST_WORDS:
            said = f"{len(words)} overrides are in force or to come, and there is room for {MOST_WORDS}"
            raise OverrideError(said, reason="override_refused", remedy="release those that nobody needs any more")
        targets = {each.target for each in concerned}
        for other in words:
            same = other.verb is word.verb and other.scope == word.scope and other.name == word.name
            pins = word.verb is Verb.PIN is other.verb and any(map(other.scope.has_target, targets))
            opposite = {word.verb, other.verb} == {Verb.UP, Verb.DOWN} and other.scope == word.scope
            if word.verb is not Verb.APPROVE and (same or pins or opposite):
                raise _conflict(word, other)

    def _require_good_day(self, word: Override) -> None:
        """A drill begins on a good day alone, and with room to spare."""
        objection = self._crew.objection(word) if word.verb is Verb.PRACTICE else None
        if objection is not None:
            words = f"{word.verb} of {word.scope.text()} cannot begin now: {objection.why}"
            remedy = "practise another region, or when there is less traffic"
            if objection.outcome is PracticeOutcome.BLOCKED:
                remedy = "wait until that is over"
            raise OverrideError(words, reason="override_refused", remedy=remedy)

    def _require_served(self, pin: Override) -> None:
        """No word keeps out a region that it pins traffic to: it would say that it is done, and nothing would move."""
        now = self._clock()
        for policy in self._policies(pin):
            for word in self._words_of(policy):
                gone = drained_regions(policy, [word], now) & {name for name, share in pin.shares.items() if share}
                if gone and any(word.scope.has_target(each.target) for each in self._concerned(pin)):
                    words = (
                        f"{word.id} keeps traffic away from {', '.join(sorted(gone))}, {by(word.actor)}: {word.reason}"
                    )
                    remedy = f"failoverctl release {word.id} brings it back; or pin shares without it"
                    raise OverrideError(words, reason="override_conflict", remedy=remedy)

    @staticmethod
    def _require_text(text: str) -> None:
        if not text.strip() or len(text) > LONGEST_TEXT or not text.isprintable():
            words = f"say why, in 1 to {LONGEST_TEXT} printable characters"
            raise OverrideError(words, reason="override_invalid", remedy="--reason TEXT")

    @staticmethod
    def _require_seconds(seconds: float) -> None:
        if not 1 <= seconds <= LONGEST:
            words = f"an override holds for 1s to {LONGEST / 3600:g}h, and {seconds:g}s were asked for"
            raise OverrideError(words, reason="override_invalid", remedy="--for TIME; it can be extended later")

    # -- parts: what it does -------------------------------------------------------------------------------------------

    def _policies(self, word: Override) -> list[Policy]:
        return [policy for policy in self._crew.policies.values() if word.scope.has_policy(policy)]

    def _words_of(self, policy: Policy) -> tuple[Override, ...]:
        return tuple(word for word in self._crew.words() if word.scope.may_have_had(policy))

    def _with(self, word: Override, policy: Policy) -> tuple[Override, ...]:
        """The words of a policy once everybody has agreed to this one who has to."""
        return (*(each for each in self._words_of(policy) if each.id != word.id), _agreed(word))

    def _records(self, policies: Iterable[Policy]) -> list[Concerned]:
        return [
            Concerned(policy, target, preview)
            for policy in policies
            for target, preview in self._crew.previews(policy.name)
        ]

    def _concerned(self, word: Override) -> list[Concerned]:
        """The records of a word. A switch is about what rules say of it, so it is judged at no record."""
        if word.verb is Verb.SWITCH:
            return []
        return [each for each in self._records(self._policies(word)) if word.scope.has_target(each.target)]

    def _judged(self, word: Override, each: Concerned) -> Effect:
        """What the word does at a record. Raises OverrideError where it would do what nobody may."""
        others = tuple(other for other in self._words_of(each.policy) if other.id != word.id)
        before, after = outcome_of(each.preview, others), outcome_of(each.preview, self._with(word, each.policy))
        effect = self._told(word, each, after)
        if isinstance(before, Outcome) and isinstance(after, Outcome):
            require_allowed(word, each.target, before, after)
        return effect

    def _effect(self, word: Override, each: Concerned, words: tuple[Override, ...]) -> Effect:
        return self._told(word, each, outcome_of(each.preview, words))

    def _told(self, word: Override, each: Concerned, found: Outcome | FailoverdError) -> Effect:
        return effect_of(word, each, found, self._crew.proof_heard(each.target), over=word.over_by(self._clock()))

    # -- parts: what is told -------------------------------------------------------------------------------------------

    def _given(self, word: Override) -> OverrideGiven:
        policies = tuple(sorted(policy.name for policy in self._policies(word)))
        return OverrideGiven(
            **names(word, word.since),
            policies=policies[:_NAMED],
            detail=phrases.detail(word),
            needed=word.needed,
        )

    def _notes(
        self, word: Override, concerned: Sequence[Concerned], judged: Sequence[Effect], *, dry_run: bool
    ) -> tuple[str, ...]:
        """What whoever gives it should know."""
        notes = []
        if word.pending:
            notes.append(f"it takes {word.needed} people: somebody else has to run failoverctl agree {word.id}")
        now = self._clock()
        for other in self._crew.words():
            stands = other.in_force(now) and other.verb in STOPPING and word.verb not in STOPPING
            if stands and any(other.scope.has_target(each.target) for each in concerned):
                notes.append(f"nothing moves for it before {other.id} {by(other.actor)} ends: {other.reason}")
        switches = {rule.says.switch for rule in self._crew.rules if isinstance(rule.says, Gate)}
        if word.verb is Verb.SWITCH and word.name not in switches:
            known = few(sorted(switches), _NAMED) or "none"
            notes.append(
                f"no rule of the inventory names the switch {word.name}, so it holds nothing: there are {known}"
            )
        alike = [each.name for each in self._policies(word) if each.weights is Weights.MEMBERSHIP]
        if word.verb is Verb.SHED and alike:
            words = f"it moves nothing of {few(alike, 3)}, whose answers know no shares (weights: membership)"
            notes.append(f"{words}: a drain takes a region out")
        if any(each.rated for each in judged) and not word.now:
            first = "" if dry_run else f"failoverctl release {word.id}; then "
            notes.append(f"rates make it slower; it goes on by itself. To move at once: {first}the same with --now")
        if unread := [str(each.target) for each in judged if each.error]:
            notes.append(f"nobody can say what it does at {few(unread, 3)}, which cannot be read now")
        return tuple(notes)

    def _on_their_way(self) -> tuple[str, ...]:
        """Writes that were sent before a word that stops them: what they change is changed."""
        count = self._crew.sending
        return (f"{phrases.counted(count, 'write')} had been sent before, and may still take effect",) if count else ()

    def _unshared(self, word: Override) -> tuple[str, ...]:
        """Whoever has to lead before the coordinator takes it does not know of it."""
        if word.id not in self._crew.unshared:
            return ()
        return (
            "the other members do not know it yet: the coordinator did not take it. It is told again until it does",
        )

    # -- parts: words that are known -----------------------------------------------------------------------------------

    def _open(self, override_id: str) -> Override:
        word, now = self.word(override_id), self._clock()
        if word.over_by(now):
            how = f"was released by {word.ended_by}" if word.ended_by else "ended by its time"
            words = f"{word.id} is over: it {how}"
            raise OverrideError(words, reason="override_over", remedy="give it again")
        return word

    async def _changed(self, word: Override, actor: str, comment: str) -> Given:
        event = OverrideChanged(
            **names(word, self._clock()),
            by=actor,
            comment=comment,
        )
        kept = await self._crew.say(word, event)
        return Given(word, await self.effects(word.id), kept, notes=self._unshared(word))

    async def _release(self, word: Override, comment: str, actor: str, *, at_once: bool = False) -> Given:
        self._require_text(comment)
        now = self._clock()
        over = replace(word.released(actor, comment, now), told=Announced.ENDED, back_at_once=at_once)
        kept = await self._crew.say(over, ended(over, now))
        return Given(over, (), kept, notes=self._unshared(over))

    def _within(self, word: Override, scope: Scope) -> bool:
        if scope.everything or word.scope == scope:
            return True
        if scope.of_some_regions and (word.scope.regions, word.scope.clouds, word.scope.endpoints) != (
            scope.regions,
            scope.clouds,
            scope.endpoints,
        ):
            return False
        targets = [each.target for each in self._concerned(word)]
        if not targets:  # it is about nothing any more, and is found by what it says
            parts = ((scope.policies, word.scope.policies), (scope.records, word.scope.records))
            return scope.of_some_regions and all(asked in {(), said} for asked, said in parts)
        return all(map(scope.has_target, targets))


def _of_inventory(ask: WordRequest) -> tuple[str, ...]:
    """The rules of the inventory that it may break; that of a residency stands in its policy."""
    return tuple(rule for rule in ask.breaks if rule not in _of_residency(ask))


def _of_residency(ask: WordRequest) -> tuple[str, ...]:
    return tuple(rule for rule in ask.breaks if rule.startswith(residency_rule("")))


def _reasons(preview: Preview, overrides: tuple[Override, ...]) -> tuple[Reason, ...]:
    found = outcome_of(preview, overrides)
    return found.reasons if isinstance(found, Outcome) else ()


def _conflict(word: Override, other: Override) -> OverrideError:
    state = "waits for more people" if other.pending else f"holds until {phrases.moment(other.ends)}"
    words = (
        f"{word.verb} of {word.scope.text()} stands against {other.id} of {other.scope.text()}, which was given "
        f"{by(other.actor)} ({other.reason}) and {state}"
    )
    remedy = f"failoverctl extend {other.id} --for 1h, or failoverctl release {other.id} first"
    return OverrideError(words, reason="override_conflict", remedy=remedy)


def person(actor: str) -> str:
    """Who it is, from whichever machine: two people are two names."""
    return actor.partition("@")[0]


def _agreed(word: Override) -> Override:
    """The word once everybody has agreed who has to."""
    return replace(word, needed=1, agreed=tuple(f"person {number}" for number in range(1, word.needed)))
