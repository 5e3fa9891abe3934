"""What an operator's verbs do: they ask the daemon, and show what it answers.

Each is one request. The daemon judges it by what it would do, so that what is refused has changed nothing.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from failoverd.api.asked import LONGEST_MARK, MARK, ReleaseAsked, ScopeAsked, UndoAsked, WordAsked
from failoverd.api.client import ApiError, Client, DaemonUnreachableError, OnHost
from failoverd.api.shapes import (
    AnswerBody,
    EffectTold,
    GivenTold,
    ReleasedTold,
    ReloadedTold,
    ResignedTold,
    StatusTold,
    WordAnswer,
    WordTold,
)
from failoverd.cli.failing import OutputConsole, note, print_json, told, unknown, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import say
from failoverd.cli.views.practised import to_come
from failoverd.cli.words import saying
from failoverd.cli.words.following import begun, clients, followed, moved, progress
from failoverd.cli.words.naming import Known, scope_of
from failoverd.cli.words.showing import record, show_effects, title, when
from failoverd.config.locating import socket_of
from failoverd.core.clients import still_old
from failoverd.core.overrides import APPROVAL, Scope, Verb, verb_of
from failoverd.core.records import WHOLE, few
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)


Work = Callable[[Client], Awaitable[Exit]]


@dataclass(frozen=True, slots=True)
class Line:
    """How a verb was asked for, besides what it is about, as it was written.

    Attributes:
        reason: why; `lasts` for how long.
        rules: names of rules that it may break.
        dry_run: only show what it would do.
        wait: until the authoritative servers answer with it.
    """

    config: Path
    output: Output
    reason: str | None = None
    lasts: str | None = None
    rules: Sequence[str] | None = None
    dry_run: bool = False
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """What it is about: names, and names with the kind of thing that they are of."""

    names: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.policies or self.records or self.regions or self.clouds or self.endpoints)

    def scope(self, known: Known, kinds: Sequence[str]) -> Scope:
        options: dict[str, Sequence[str]] = {
            "policy": self.policies,
            "record": self.records,
            "region": self.regions,
            "cloud": self.clouds,
            "endpoint": self.endpoints,
        }
        return scope_of(known, self.names, kinds, options)


def _asked_about(scope: Scope) -> ScopeAsked:
    return ScopeAsked(**asdict(scope))


# -- giving ------------------------------------------------------------------------------------------------------------

_REGIONS: Final = ("region", "endpoint")
_SERVICES: Final = ("policy", "record")


_FOR_AN_HOUR: Final = "--reason TEXT --for 1h"
"""What each of these verbs asks for besides, so that an example can be pasted."""


def drain(line: Line, what: Selected, over: str | None, *, now: bool) -> Exit:
    if not (what.names or what.clouds or what.endpoints):
        raise usage("say what is to be drained: a region, a glob such as 'azure-*', --cloud azure, or an endpoint")
    steps = saying.lasting(over) if over is not None else 0.0
    return _give(line, Verb.DRAIN, lambda known: what.scope(known, _REGIONS), over_seconds=steps, now=now)


def shed(line: Line, what: Selected, *, now: bool) -> Exit:
    if not what.names or not (what.names[1:] or what.clouds):
        raise usage(f"say what is to be shed, and how much of it: failoverctl shed azure-eastus 25% {_FOR_AN_HOUR}")
    *names, part = what.names
    named = Selected(tuple(names), what.policies, what.records, clouds=what.clouds)
    points = saying.percent(part)
    return _give(line, Verb.SHED, lambda known: named.scope(known, ("region",)), part_bp=points, now=now)


def pin(line: Line, what: Selected, *, now: bool) -> Exit:
    if not what.names or not (what.names[1:] or what.policies or what.records):
        example = f"failoverctl pin shop azure-eastus=60,oci-ashburn=40 {_FOR_AN_HOUR}"
        raise usage(f"say what is pinned, and to which shares: {example}")
    *names, shares = what.names
    named = Selected(tuple(names), what.policies, what.records)
    points = saying.shares([shares])

    def scope(known: Known) -> Scope:
        found = named.scope(known, _SERVICES)
        regions = {name for policy in found.policies for name in known.regions_of.get(policy, ())}
        for region in points:
            if regions and region not in regions:
                raise unknown(f"region in policy {' or '.join(found.policies)}", region, sorted(regions))
        return found

    return _give(line, Verb.PIN, scope, shares_bp=points, now=now)


def hold(line: Line, what: Selected) -> Exit:
    if not what:
        every = f"failoverctl pause --all {_FOR_AN_HOUR}"
        raise usage(f"say what is to be left as it is: failoverctl hold POLICY {_FOR_AN_HOUR}; all of it: {every}")
    return _give(line, Verb.HOLD, lambda known: what.scope(known, _SERVICES))


def pause(line: Line, what: Selected, *, everything: bool, key: str) -> Exit:
    """`key` names the command if it was sent before: then this asks what came of it."""
    if everything is bool(what):
        raise usage(f"say what is to be paused, a policy or --all: failoverctl pause POLICY {_FOR_AN_HOUR}")
    if everything:
        return _give(line, Verb.PAUSE, Scope(), key=key)
    return _give(line, Verb.PAUSE, lambda known: what.scope(known, _SERVICES))


def verdict(line: Line, verb: str, what: Selected) -> Exit:
    if not what:
        raise usage(f"say which endpoint is {verb}: its address, or region/address")
    return _give(line, Verb(verb), lambda known: what.scope(known, ("endpoint",)))


def practise(line: Line, what: Selected) -> Exit:
    if len(what.names) != 1:
        example = "failoverctl practice start azure-eastus --for 30m --reason TEXT"
        raise usage(f"say which region is to be practised, one at a time: {example}")
    return _give(line, Verb.PRACTICE, lambda known: what.scope(known, ("region",)))


def stop_practice(line: Line, what: Selected) -> Exit:
    comment = saying.comment(line.reason)

    async def work(admin: Client) -> Exit:
        names = Known.of(await admin.names()) if what else None
        scope = what.scope(names, ("region",)) if names is not None else Scope()
        asked = ReleaseAsked(scope=_asked_about(scope), verb=Verb.PRACTICE, comment=comment)
        try:
            ended = await admin.release_matching(asked)
        except ApiError as error:
            if error.reason != "override_unknown":
                raise
            coming = _coming(await admin.status(healthy=False))
            raise ApiError(
                error.detail, reason=error.reason, remedy=f"{coming}. {error.remedy}", status=error.status
            ) from error
        return await _ended(admin, line, ended)

    return _asked(line, work)


def _coming(status: StatusTold) -> str:
    for work in to_come(status):
        return f"the next one begins at {phrases.moment(work.since)}: {work.about}, by {work.actor}"
    return "no file plans one"


def approve(line: Line, digest: str) -> Exit:
    return _give(line, Verb.APPROVE, Scope(), digest=_mark(digest, "the digest of a plan"))


def switch(line: Line, name: str, *, off: bool) -> Exit:
    mark = _mark(name, "the name of a switch")
    if not off:
        return _give(line, Verb.SWITCH, Scope(), name=mark)
    comment = saying.comment(line.reason)

    async def work(admin: Client) -> Exit:
        found = [each for each in (await admin.words()).overrides if each.verb == Verb.SWITCH]
        on = [each.id for each in found if each.name == mark]
        if not on:
            raise unknown("switch that is on", mark, [each.name for each in found])
        return await _released(admin, line, on, comment)

    return _asked(line, work)


def undo(line: Line, change: str | None, what: Selected, *, now: bool) -> Exit:
    comment, seconds = saying.reason(line.reason), saying.lasting(line.lasts)
    mark = _mark(change, "a change") if change is not None else None

    async def work(admin: Client) -> Exit:
        scope = what.scope(Known.of(await admin.names()), _SERVICES) if what else Scope()
        asked = UndoAsked(
            scope=_asked_about(scope),
            change_id=mark,
            reason=comment,
            for_seconds=seconds,
            now=now,
            dry_run=line.dry_run,
        )
        return await _shown(admin, line, await admin.undo(asked))

    return _asked(line, work)


def _give(
    line: Line,
    verb: Verb,
    scope: Scope | Callable[[Known], Scope],
    *,
    key: str = "",
    **more: Any,  # noqa: ANN401 - of a word
) -> Exit:
    """What is wrong with how it was asked is said before anybody is asked. Without names, nobody has to know any."""
    comment = saying.reason(line.reason)
    seconds = APPROVAL if verb is Verb.APPROVE else saying.lasting(line.lasts)
    rules = tuple(_mark(rule, "the name of a rule") for rule in line.rules or ())

    async def work(admin: Client) -> Exit:
        about = scope if isinstance(scope, Scope) else scope(Known.of(await admin.names()))
        asked = WordAsked(
            verb=verb,
            scope=_asked_about(about),
            reason=comment,
            for_seconds=seconds,
            breaks=rules,
            dry_run=line.dry_run,
            **more,
        )
        return await _shown(admin, line, await admin.give(asked, key=key))

    return _asked(line, work)


def _mark(text: str, what: str) -> str:
    if re.fullmatch(MARK, text) is None:
        these = f"these have up to {LONGEST_MARK} letters, digits, '.', '_', ':' and '-'"
        raise usage(f"{text[:40]!r} is not {what}: {these}")
    return text


# -- words that are there ----------------------------------------------------------------------------------------------


def extend(line: Line, override_id: str) -> Exit:
    comment, seconds = saying.comment(line.reason), saying.lasting(line.lasts)
    name = _mark(override_id, "an override's id")

    async def work(admin: Client) -> Exit:
        return await _shown(admin, line, await admin.extend(name, seconds, comment))

    return _asked(line, work)


def agree(line: Line, override_id: str) -> Exit:
    comment, name = saying.comment(line.reason), _mark(override_id, "an override's id")

    async def work(admin: Client) -> Exit:
        return await _shown(admin, line, await admin.agree(name, comment))

    return _asked(line, work)


def release(
    line: Line, what: Selected, verb: Verb | None, *, lost: bool, rival: bool, everything: bool, now: bool
) -> Exit:
    if not (what or lost or rival or everything or verb is not None):
        raise usage(
            "say what is to be released: an id, as failoverctl overrides lists them, what it is about, or --all"
        )
    comment = saying.comment(line.reason)

    async def work(admin: Client) -> Exit:
        known = (await admin.words()).overrides
        ids = [name for name in what.names if _is_id(name, known)]
        rest = Selected(
            tuple(name for name in what.names if name not in ids),
            what.policies, what.records, what.regions, what.clouds, what.endpoints,
        )  # fmt: skip
        if ids and (rest or lost or rival or everything):
            raise usage(f"{ids[0]} is one override: release it by itself")
        if ids:
            return await _released(admin, line, ids, comment, now=now)
        names = Known.of(await admin.names()).with_words(known)
        scope = _asked_about(rest.scope(names, ("region", "endpoint", "policy", "record", "cloud")))
        asked = ReleaseAsked(scope=scope, verb=verb, lost=lost, rival=rival, comment=comment, now=now)
        return await _ended(admin, line, await admin.release_matching(asked))

    return _asked(line, work)


def verb(text: str | None) -> Verb | None:
    """A kind of word, by its name."""
    if text is None or text in set(Verb):
        return Verb(text) if text is not None else None
    raise unknown("kind of override", text, [each.value for each in Verb])


def _is_id(name: str, known: Sequence[WordTold]) -> bool:
    shaped = verb_of(name) is not None and name.rpartition("-")[2].isalnum() and len(name.rpartition("-")[2]) == _DIGITS
    return shaped or any(word.id == name for word in known)


_DIGITS: Final = 8


async def _released(admin: Client, line: Line, ids: Sequence[str], comment: str, *, now: bool = False) -> Exit:
    done = [await admin.release(name, comment, now=now) for name in ids]
    kept, words = all(each.kept for each in done), tuple(each.override for each in done)
    notes = tuple(dict.fromkeys(note for each in done for note in each.notes))
    return await _ended(admin, line, ReleasedTold(released=words, lost=(), kept=kept, notes=notes))


async def _ended(admin: Client, line: Line, done: ReleasedTold) -> Exit:
    """What was released; and how what it kept away came back, where that is waited for."""
    if line.output is Output.TEXT:
        for word in done.released:
            say(console, "released: ", (word.id, "bold"), f"  {title(word)}")
        for name in done.lost:
            say(console, "released: ", (name, "bold"), "  which only markers knew of")
        for name in done.rivals:
            say(console, "written as before, for no rival does: ", (name, "bold"))
        for words in done.notes:
            say(console, f"  note: {words}")
        _warn(kept=done.kept)
        if not line.wait and not done.rivals:
            words = "what it kept away comes back by the limits of returning; failoverctl status shows how far that is"
            say(console, words)
    after = [await _followed(word, admin) for word in done.released] if line.wait else []
    if line.output is Output.JSON:
        _print(done)
    for found in after if line.output is Output.TEXT else ():
        _show_done(found)
        show_effects(console, found.effects)
    return Exit.FINE


# -- files -------------------------------------------------------------------------------------------------------------


def reload(line: Line) -> Exit:
    async def work(admin: Client) -> Exit:
        done = await admin.reload()
        if line.output is Output.JSON:
            _print(done)
        else:
            _show_reloaded(done)
        return Exit.FAILED if done.refused_files else Exit.FINE

    return _asked(line, work)


def resign(line: Line, lasts: str, *, anyway: bool) -> Exit:
    comment, seconds = saying.reason(line.reason), saying.lasting(lasts)

    async def work(admin: Client) -> Exit:
        done = await admin.resign(comment, seconds, anyway=anyway)
        if line.output is Output.JSON:
            _print(done)
            return Exit.FINE
        say(
            console,
            (done.member, "bold"),
            f" leads no more; until {phrases.moment(done.stands_again_at)} it stands again only if nobody else leads",
        )
        say(console, await _next_leader(admin, done))
        return Exit.FINE

    return _asked(line, work)


async def _next_leader(admin: Client, done: ResignedTold) -> str:
    """Who leads instead, once it does: most often within a second."""
    end = time.monotonic() + _HANDED_OVER
    while time.monotonic() < end:
        roster = (await admin.members()).roster
        if roster is not None and roster.leader not in {"", done.member}:
            return f"{roster.leader} leads in epoch {roster.epoch}"
        await asyncio.sleep(_LOOK_AGAIN)
    when = "one stands" if done.told else "the lease is over, for the coordinator does not answer"
    return f"nobody leads yet: another member does once {when}; failoverctl members says who"


_HANDED_OVER: Final = 5.0
_LOOK_AGAIN: Final = 0.3


def _show_reloaded(done: ReloadedTold) -> None:
    for each in done.refused_files:
        say(console, "not loaded: ", (each.place or each.file, "bold"), f": {each.error}")
    for each in done.warned_files:
        say(console, "at work, but: ", (each.file, "bold"), f": {each.error}")
    if done.refused_files:
        say(console, "what ran before goes on; failoverctl check says what is wrong with the files, and where")
    elif not done.deferred:
        say(console, "every file was read again, and is at work")
    else:
        say(console, "every file was read again, and the policies are at work")
    if done.deferred:
        settings = ", ".join(done.deferred)
        say(console, f"takes effect at the next restart, which moves no traffic: {settings} of the daemon's own file")


# -- what is shown -----------------------------------------------------------------------------------------------------


async def _shown(admin: Client, line: Line, given: GivenTold) -> Exit:
    """What it does, or would do; and how that went, where that is waited for."""
    if line.output is Output.TEXT:
        _show_given(given)
    if not line.wait or given.dry_run:
        if line.output is Output.JSON:
            _print(given)
        return Exit.FINE
    done = await _followed(given.override, admin)
    over = done.override.state == "over"
    if line.output is Output.JSON:
        begin, now = begun(done.override), time.time()
        _print(done, clients=[_clients(each, now) for each in done.effects if moved(each, begin)])
    elif over:
        say(console, f"{done.override.id} is {when(done.override, time.time())}")
    else:
        _show_done(done)
    return Exit.FAILED if over else Exit.FINE


_NAMED: Final = 3
"""Records that a line has room for."""


def _show_done(done: WordAnswer) -> None:
    since = begun(done.override)
    unheard = [record(each.target) for each in done.effects if each.unconfirmed and moved(each, since)]
    proof = f"; confirmed by nobody: {few(unheard, _NAMED)}" if unheard else ", and verified"
    say(console, f"done: {phrases.counted(len(done.effects), 'record')} as wanted now{proof}")
    for words in clients(done.effects, since, time.time()):
        say(console, f"  {words}")
    for effect in done.effects:
        for words in effect.left:
            say(console, f"  still to come at {record(effect.target)}: {words}")


def _show_given(given: GivenTold) -> None:
    word = given.override
    begin = "would be given: " if given.dry_run else ""
    say(console, begin, (title(word), "bold"), f", {when(word, time.time())}")
    show_effects(console, given.effects)
    for words in given.notes:
        say(console, f"  note: {words}")
    if given.dry_run:
        say(console, "nothing was changed (--dry-run)")
    else:
        say(console, f"take it back: failoverctl release {word.id}")
        _warn(kept=given.kept)


def _warn(*, kept: bool) -> None:
    if not kept:
        note(
            "it is heeded, but the journal does not work: a restart of the daemon would not know of it, unless other "
            "members do"
        )


async def _followed(word: WordTold, admin: Client) -> WordAnswer:
    with progress(Console(stderr=True, highlight=False)) as tell:
        return await followed(admin, word, tell, asyncio.sleep)


def _clients(effect: EffectTold, now: float) -> dict[str, Any]:
    """How many clients still use the old answer, for programs."""
    since = max(0.0, now - (effect.changed_at if effect.changed_at is not None else now))
    part = round(still_old(since, effect.ttl_seconds) * WHOLE)
    return {"target": effect.target.model_dump(mode="json"), "since_seconds": round(since, 3), "still_old_bp": part}


def _print(answer: AnswerBody, **more: object) -> None:
    print_json({**json.loads(answer.to_json()), **more})


# -- asking ------------------------------------------------------------------------------------------------------------


def _asked(line: Line, work: Work) -> Exit:
    with told():
        return asyncio.run(_worked(line.config, work))


async def _worked(config: Path, work: Work) -> Exit:
    try:
        return await work(Client(OnHost(socket_of(config)), silent=_waits))
    except DaemonUnreachableError as error:
        remedy = f"{error.remedy}. {_WITHOUT}"
        raise DaemonUnreachableError(error.detail, reason=error.reason, remedy=remedy) from error


def _waits(more: float) -> None:
    note(
        "the daemon has not answered yet: it is stopped, or very busy. While it stands still it heeds nothing, and "
        f"records stay as they are. It is waited for {more:.0f}s more; then this command fails, and what it asked for "
        "is not done unless it had begun (failoverctl overrides shows it). Look meanwhile: systemctl status failoverd"
    )


_WITHOUT: Final = (
    "Without it, failoverctl plan --out FILE and failoverctl apply FILE move what the policies say, and the commands "
    "that failoverctl plan prints do it by hand"
)
"""The way that works without a daemon."""
