"""What the admin API answers. Everything is judged elsewhere: the desk judges words, `operations` has the views.

A request goes through, in this order: who asks, how often, what they may do, how much they say, what they say. Nothing
of a body is read before somebody is known to be allowed to send it.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from failoverd.api.actors import Actor, RefusedError, Role
from failoverd.api.asked import (
    AlertAsked,
    AlertsAsked,
    ApplyAsked,
    AskedModel,
    AuditQuery,
    CommentAsked,
    ExtendAsked,
    GlanceQuery,
    HistoryQuery,
    InventoryQuery,
    MembersQuery,
    PageQuery,
    PlanAsked,
    Query,
    ReleaseAsked,
    ReloadAsked,
    ResignAsked,
    StatusQuery,
    TimelineQuery,
    UndoAsked,
    WhyQuery,
    WordAsked,
)
from failoverd.api.bounds import ANSWERING, LARGEST_ANSWER, PLANNING, SENDING, Rates
from failoverd.api.browsers import HEADERS, require_own_page
from failoverd.api.listening import Listeners, Telling, telling
from failoverd.api.page import page
from failoverd.api.planned import applied_told, plan_told, supposition
from failoverd.api.refusing import problem_reply, refusal, status_of, told_defect
from failoverd.api.requests import body_of, expected_of, new_key, origin, query_of, require_json, understood
from failoverd.api.routes import KEY_PATTERN, ROUTES, Route, document
from failoverd.api.sending import KEY
from failoverd.api.shapes import (
    AnswerBody,
    EnteredTold,
    GivenTold,
    HistoryTold,
    ReleasedTold,
    WhyTold,
)
from failoverd.api.telling import (
    alerts_told,
    audit_told,
    board_told,
    given_told,
    glance_told,
    history_told,
    inventory_told,
    members_told,
    names_told,
    reloaded_told,
    resigned_told,
    status_told,
    timeline_told,
    version_of,
    why_told,
    word_answer,
    word_told,
    words_told,
)
from failoverd.api.trail import Keeper, Trail, TrailReply
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import STOPPING, Override
from failoverd.core.status import FilesStatus, Heartbeat, Overview
from failoverd.guests import Guest
from failoverd.operations.alerting import Alert
from failoverd.operations.board import board
from failoverd.operations.commanding import Desk, Given, WordRequest
from failoverd.operations.concerns import FEW
from failoverd.operations.glance import asked_for
from failoverd.operations.handing_over import HandOver
from failoverd.operations.history import past
from failoverd.operations.plan_desk import PlanDesk
from failoverd.operations.planning import Planned
from failoverd.operations.reviewing import practised_at, review
from failoverd.operations.slips import require_member, require_policy
from failoverd.operations.timeline import timeline
from failoverd.operations.why import Present, explained
from failoverd.ports import Clock, Emit
from failoverd.store.reading import HistoryReading

_READS: Final = (60.0, 0.2)
_WRITES: Final = (50.0, 0.5)
_STRANGERS: Final = (20.0, 1.0)
"""At once, and seconds for each one more: of one actor who reads, who changes something, and of one address that fails
to say who it is."""

_REST: Final = 9.0
"""Seconds for each second in which records were evaluated for who only looks."""

_FRESH: Final = 1.0

_RECENT: Final = 6 * 3_600.0
"""Seconds that a timeline goes back, unless it is asked for more."""

_LISTENING: Final = 1.0
"""Seconds between two looks whether who asked for a plan is still there."""

_MAY_NOT: Final = {
    True: "change nothing",
    False: "not have plans made, for which every record is asked for at its provider, at the account's expense",
}
"""What somebody may not who only reads, by whether it is a command."""

_REQUEST_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class ServiceSurroundings:
    """What the API is put into: the daemon, as far as it is asked about.

    Attributes:
        desk: where words are judged.
        plans: where plans are made and applied.
        overview: where everything stands now.
        heartbeat: who the daemon is.
        reload: reads every file again; says what was refused.
        hand_over: lets another member lead.
        journal: where history is read.
        keeper: writes the audit trail.
    """

    desk: Desk
    plans: PlanDesk
    overview: Callable[[], Awaitable[Overview]]
    heartbeat: Callable[[], Heartbeat]
    reload: Callable[[], Awaitable[FilesStatus]]
    hand_over: HandOver
    journal: Path
    keeper: Keeper
    emit: Emit
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that is understood."""

    actor: Actor
    text: str
    id: str
    expected: str | None


Known = Callable[[web.Request], Awaitable[Actor]]
"""Who sends a request. Raises RefusedError for whom nobody knows, and for what is not to be asked at that way in."""

LetIn = Callable[[web.Request, Actor], Mapping[str, str]]
"""The fields of an answer by which a browser keeps being known. Raises RefusedError for a token that is not for one."""


def nobody_let_in(_: web.Request, __: Actor) -> Mapping[str, str]:
    """Where the system says who asks, there is nothing to keep."""
    return {}


class Service:
    """The answers. Made inside a running loop."""

    def __init__(self, around: ServiceSurroundings) -> None:
        self._around = around
        self._turn = asyncio.Lock()
        self._looking, self._making = asyncio.Lock(), asyncio.Lock()
        self._looks_at = 0.0
        self._seen: dict[str, AnswerBody] = {}
        self._made: dict[str, tuple[float, bytes]] = {}
        self._planning: set[asyncio.Task[Planned]] = set()
        self._trail = Trail(around.keeper, around.emit, around.clock)
        clock = asyncio.get_running_loop().time
        self._reads, self._writes = Rates(*_READS, clock), Rates(*_WRITES, clock)
        self._strangers = Rates(*_STRANGERS, clock)
        self._threads = ThreadPoolExecutor(2, "api")
        self._listeners = Listeners(self._telling)
        self._routes = {(route.method, route.path): route for route in ROUTES}

    def site(self, known: Known, let_in: LetIn = nobody_let_in) -> web.Application:
        """For one way in, at which `known` says who asks, and `let_in` how a browser keeps being known."""

        @web.middleware
        async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: ARG001 - aiohttp's
            answer = await self._answer(known, let_in, request)
            if not answer.prepared:
                answer.force_close()  # one request a connection, whatever comes of it
                answer.headers["Server"] = "failoverd"  # and not which libraries, of which versions
                answer.headers.update(HEADERS)
            return answer

        site = web.Application(middlewares=[answered])
        for route in ROUTES:
            site.router.add_route(route.method, route.path, _never)
        site.router.add_route("GET", SHELL, _never)
        return site

    async def close(self) -> None:
        """Let commands end that were begun; plans are given up, and so is who listens."""
        await self._listeners.close()
        for task in self._planning:
            task.cancel()
        await self._trail.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- one request ---------------------------------------------------------------------------------------------------

    async def _answer(self, known: Known, let_in: LetIn, request: web.Request) -> web.StreamResponse:
        text = f"{request.method} {request.rel_url.raw_path}"[:_REQUEST_SHOWN]
        actor = Actor("", Role.NONE, origin(request))
        try:
            asks_shell = request.method == "GET" and request.rel_url.raw_path == SHELL
            require_own_page(request.method, request.scheme, request.headers, shell=asks_shell)
            if asks_shell:
                return shell(request)
            self._require_pace(self._strangers, actor.origin, taking=False)
            actor = await known(request)
            return await self._admitted(request, actor, text, known, let_in)
        except RefusedError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._strangers.take(actor.origin)
            if error.status not in _NO_NEWS:
                await self._trail.refused(actor, text, error)
            return refusal(error, error.status)
        except FailoverdError as error:
            return refusal(error, status_of(error))
        except Exception as defect:  # noqa: BLE001 - whatever it is, it is a defect of ours, and told as one
            return refusal(told_defect(defect), 500)

    async def _admitted(
        self, request: web.Request, actor: Actor, text: str, known: Known, let_in: LetIn
    ) -> web.StreamResponse:
        self._require_pace(self._reads if request.method == "GET" else self._writes, actor.name)
        _require_role(actor)
        route = self._route(request)
        query = query_of(route, request)
        if route.streams:
            return await self._listeners.listen(request, partial(_require_listener, known, request))
        if route.name == "enter":
            return _plain(EnteredTold(actor=actor.name).to_json(), let_in(request, actor))
        if not route.operates:
            self._worth(request)
            async with _patience("ask again in a moment"):
                return await self._read(route, query, request.match_info.get("id", ""))
        if actor.role is not Role.OPERATE:
            raise RefusedError(403, "forbidden", f"{actor.name} may read, and {_MAY_NOT[route.writes]}", actor.remedy)
        return await (self._write(route, request, actor, text) if route.writes else self._plan(route, request))

    def _route(self, request: web.Request) -> Route:
        missing = request.match_info.http_exception
        if isinstance(missing, web.HTTPMethodNotAllowed):
            allowed = ", ".join(sorted(missing.allowed_methods))
            words = f"{request.method[:20]} is not for this path; {allowed} is"
            raise RefusedError(405, "method_unknown", words, headers={"Allow": allowed})
        resource = request.match_info.route.resource
        if missing is not None or resource is None:
            raise RefusedError(
                404, "path_unknown", "there is nothing at this path", "GET /v1/openapi.json says what there is"
            )
        return self._routes[request.method, resource.canonical]

    @staticmethod
    def _require_pace(rates: Rates, name: str, *, taking: bool = True) -> None:
        wait = rates.take(name) if taking else rates.wait(name)
        if wait:
            words, headers = f"too many requests: the next one in {wait:.1f}s", {"Retry-After": str(ceil(wait))}
            raise RefusedError(429, "too_many_requests", words, "ask less often", headers=headers)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _read(self, route: Route, query: Query, word_id: str) -> web.Response:
        around = self._around
        if route.name == "document":
            return _plain(await asyncio.get_running_loop().run_in_executor(self._threads, _described))
        if route.name == "words":
            seen = replace(await around.overview(), overrides=around.desk.words())
            body = await self._thread(partial(words_told, seen, around.clock()))
            return _plain(body, {"ETag": f'"{version_of(seen.overrides)}"'})
        if route.name == "names":
            return _plain(await self._thread(partial(names_told, around.desk.policies)))
        if route.name == "word":
            return _plain((await self._word(word_id)).to_json())
        if route.name in _UNASKED:
            query = _UNASKED[route.name]  # nothing is asked with it; made at most once a second, as the others are
        if isinstance(query, _Shared):
            body = await self._made_lately(query)
        elif isinstance(query, WhyQuery):
            body = await self._thread(partial(self._why, query, await self._seen_now()))
        else:
            body = await self._thread(self._view(query))
        return _plain(_bounded(body, "ask for less: see the parameters"))

    async def _word(self, word_id: str) -> AnswerBody:
        """Each record is evaluated for that, in the loop that decides: it gets a tenth of the time, and no more."""
        desk, time = self._around.desk, asyncio.get_running_loop().time
        async with self._looking:
            if time() < self._looks_at and word_id in self._seen:
                return self._seen[word_id]
            await asyncio.sleep(self._looks_at - time())
            began = time()
            effects = await desk.effects(word_id)
            told = word_answer(desk.word(word_id), effects, self._around.clock())
            self._looks_at = time() + _REST * (time() - began)
            self._seen = {word_id: told}
        return told

    async def _telling(self) -> Telling:
        body = await self._made_lately(PageQuery())
        return await asyncio.get_running_loop().run_in_executor(self._threads, telling, body)

    async def _made_lately(self, query: Query) -> bytes:
        """Made at most once a second, however many ask for it, and anew after each command."""
        asked = f"{type(query).__name__} {query.model_dump_json()}"
        async with self._making:
            now = asyncio.get_running_loop().time()
            at, body = self._made.get(asked, (-_FRESH, b""))
            if not body or now - at > _FRESH:
                body = await self._thread(await self._seen_by(query))
                self._made = {key: made for key, made in self._made.items() if now - made[0] <= _FRESH}
                self._made[asked] = (now, body)
            return body

    async def _seen_by(self, query: Query) -> Callable[[], AnswerBody]:
        if isinstance(query, StatusQuery | GlanceQuery | PageQuery | InventoryQuery | MembersQuery):
            return await self._standing(query)
        return self._view(query)

    def _view(self, query: Query) -> Callable[[], AnswerBody]:
        match query:
            case HistoryQuery():
                return partial(self._history, query)
            case AuditQuery():
                return partial(self._audit, query)
            case TimelineQuery():
                return partial(self._timeline, query)
            case _:
                raise TypeError(f"nobody knows what to answer to {type(query).__name__}")

    async def _standing(
        self, query: StatusQuery | GlanceQuery | PageQuery | InventoryQuery | MembersQuery
    ) -> Callable[[], AnswerBody]:
        around, found = self._around, await self._seen_now()
        if isinstance(query, PageQuery):
            return partial(_board, found, around.clock(), query.policy or "*")
        if isinstance(query, MembersQuery):
            return partial(members_told, found, around.clock(), by_daemon=True)
        if isinstance(query, InventoryQuery):
            policies = tuple(around.desk.policies)
            return lambda: inventory_told(
                review(policies, found.targets, around.clock(), practised=practised_at(found.policies))
            )
        if isinstance(query, GlanceQuery):
            problems = query.problems == "true" or (query.problems == "auto" and len(found.policies) > FEW)
            return partial(_glance, found, around.clock(), query.policies, problems=problems)
        healthy = query.healthy == "true"
        return partial(status_told, found, around.clock(), by_daemon=True, healthy=healthy)

    async def _seen_now(self) -> Overview:
        """What stands is taken at once, in the loop that changes it; put into words in a thread."""
        around = self._around
        return replace(await around.overview(), heartbeat=around.heartbeat(), overrides=around.desk.words())

    def _history(self, query: HistoryQuery) -> HistoryTold:
        with HistoryReading(self._around.journal) as reading:
            require_policy(reading, query.policy)
            require_member(reading, query.member)
            since = query.since if query.since is not None else 0.0
            return history_told(
                past(
                    reading,
                    self._around.clock(),
                    policy=query.policy,
                    since=since,
                    limit=query.limit,
                    member=query.member,
                )
            )

    def _why(self, query: WhyQuery, seen: Overview) -> WhyTold:
        now = self._around.clock()
        with HistoryReading(self._around.journal) as reading:
            return why_told(explained(reading, now, Present(seen, now), **dict(query)))

    def _audit(self, query: AuditQuery) -> AnswerBody:
        with HistoryReading(self._around.journal) as reading:
            return audit_told(reading.audit(actor=query.actor, before=query.before, limit=query.limit))

    def _timeline(self, query: TimelineQuery) -> AnswerBody:
        now = self._around.clock()
        runs = {policy.name for policy in self._around.desk.policies}
        with HistoryReading(self._around.journal) as reading:
            if query.policy not in runs:
                require_policy(reading, query.policy)
            since = query.since if query.since is not None else now - _RECENT
            return timeline_told(timeline(reading, now, policy=query.policy, since=since))

    async def _thread(self, work: Callable[[], AnswerBody]) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work().to_json())

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _plan(self, route: Route, request: web.Request) -> web.Response:
        """Nothing is changed, so nothing is kept of it; and whoever gives up waiting ends it."""
        asked = understood(route, await body_of(route, request))
        if not isinstance(asked, PlanAsked):
            raise TypeError(f"nobody knows what to find out about {type(asked).__name__}")
        self._worth(request, PLANNING)
        async with _patience("ask again, for fewer policies at a time", PLANNING):
            work = self._around.plans.plan(asked.policies, asked.returning, supposition(asked))
            found = await self._while_heard(request, work)
            body = await self._thread(partial(plan_told, found, self._around.clock()))
        return _plain(_bounded(body, "name fewer policies at a time"))

    async def _while_heard(self, request: web.Request, work: Coroutine[None, None, Planned]) -> Planned:
        """What comes of it, for as long as somebody waits for that."""
        task = asyncio.create_task(work)
        self._planning.add(task)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_LISTENING)
                if not task.done() and (request.transport is None or request.transport.is_closing()):
                    raise RefusedError(400, "hung_up", "whoever asked hung up", "ask again")
            return task.result()
        finally:
            self._planning.discard(task)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _write(self, route: Route, request: web.Request, actor: Actor, text: str) -> web.Response:
        require_json(request)
        key = request.headers.get(KEY, "") if route.keyed else new_key()
        if not re.fullmatch(KEY_PATTERN, key):
            words = f"the request has no {KEY}, or none of 1 to 128 letters, digits, dots, colons, hyphens, underscores"
            raise RefusedError(
                400, "key_missing", words, "give each command a key of its own, and repeat it with the same"
            )
        expected = expected_of(route, request)
        raw = await body_of(route, request)
        patience = PLANNING if route.name == "apply" else ANSWERING
        self._worth(request, patience)
        try:
            asked = understood(route, raw)
        except RefusedError as error:
            await self._trail.invalid(actor, text, raw.decode(errors="replace"), problem_reply(error, error.status))
            return refusal(error, error.status)
        said = _Request(actor, text, request.match_info.get("id", ""), expected)
        body = asked.gist() + (f" if {said.expected}" if said.expected is not None else "")
        async with _patience("it goes on: ask again with the same key", patience):
            reply = await self._trail.once(actor, text, key, body, partial(self._done, route, asked, said))
        kind = "application/json" if reply.status < HTTPStatus.BAD_REQUEST else "application/problem+json"
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": kind})

    @staticmethod
    def _worth(request: web.Request, patience: float = ANSWERING) -> None:
        """What is going to be answered keeps its place meanwhile."""
        if isinstance(request.protocol, Guest):
            request.protocol.answer(patience + SENDING)

    async def _done(self, route: Route, asked: AskedModel, said: _Request) -> TrailReply:
        try:
            if (of_daemon := await self._of_daemon(asked, said)) is not None:
                self._made.clear()
                return TrailReply(200, of_daemon.to_json())
            urgent = isinstance(asked, WordAsked) and asked.verb in STOPPING  # it is said in one step, and never waits
            async with nullcontext() if urgent else self._turn:  # what was expected still holds when it is done
                self._require_expected(said)
                told = await self._command(route, asked, said)
                self._made.clear()
                self._seen.clear()
                return TrailReply(200, told.to_json())
        except FailoverdError as error:
            return problem_reply(error, status_of(error))
        except Exception as defect:  # noqa: BLE001 - whatever it is, it is a defect of ours, and told as one
            return problem_reply(told_defect(defect), 500)

    async def _of_daemon(self, asked: AskedModel, said: _Request) -> AnswerBody | None:
        """What is about no word, so that none has to wait for it: it may take minutes. None: it is about one."""
        around, actor = self._around, said.actor.name
        match asked:
            case ReloadAsked():
                return reloaded_told(await around.reload())
            case ResignAsked():
                return resigned_told(await around.hand_over(asked.for_seconds, actor, asked.comment, asked.anyway))
            case ApplyAsked():
                return applied_told(await around.plans.apply(asked.changes, actor))
            case _:
                return None

    async def _command(self, route: Route, asked: AskedModel, said: _Request) -> AnswerBody:
        desk, actor = self._around.desk, said.actor.name
        match asked:
            case WordAsked():
                return self._given(await desk.give(_ask(asked), actor, dry_run=asked.dry_run))
            case UndoAsked():
                where, change = asked.scope.scope(), asked.change_id or ""
                given = await desk.undo(
                    change, where, asked.reason, asked.for_seconds, actor, now=asked.now, dry_run=asked.dry_run
                )
                return self._given(given)
            case ExtendAsked():
                return self._given(await desk.extend(said.id, asked.for_seconds, asked.comment, actor))
            case AlertsAsked():
                return alerts_told(await desk.alert(map(_alert, asked.alerts), actor))
            case ReleaseAsked():
                return await self._release_matching(asked, actor)
            case CommentAsked():
                agrees = route.name == "agree"
                release = desk.release(said.id, asked.comment, actor, at_once=asked.now) if not agrees else None
                return self._given(await (release or desk.agree(said.id, asked.comment, actor)))
            case _:
                raise TypeError(f"nobody knows what to do about {type(asked).__name__}")

    async def _release_matching(self, asked: ReleaseAsked, actor: str) -> ReleasedTold:
        desk, where = self._around.desk, asked.scope.scope()
        if asked.lost:
            lost = await desk.release_lost(where, asked.comment, actor)
            return ReleasedTold(released=(), lost=lost, kept=True)
        if asked.rival:
            rivals = await desk.release_rivals(where, asked.comment, actor)
            return ReleasedTold(released=(), lost=(), rivals=rivals, kept=True)
        given = await desk.release_matching(asked.verb, where, asked.comment, actor, at_once=asked.now)
        now = self._around.clock()
        words = tuple(word_told(each.word, now) for each in given)
        notes = tuple(dict.fromkeys(note for each in given for note in each.notes))
        return ReleasedTold(released=words, lost=(), kept=all(each.kept for each in given), notes=notes)

    def _given(self, given: Given) -> GivenTold:
        return given_told(given, self._around.clock())

    def _require_expected(self, said: _Request) -> None:
        """The first operator's word is named to the second, who did not know of it."""
        words = self._around.desk.words()
        if said.expected is None or said.expected == version_of(words):
            return
        newest = max(words, key=_touched, default=None)
        what = "an override that was in force is over"
        if newest is not None:
            last = newest.comments[-1] if newest.comments else None
            who = last.actor if last is not None else newest.actor
            what = f"the last one is {newest.id} of {newest.scope.text()}, by {who}"
            what += f": {last.text}" if last is not None else ""
        words_changed = f"overrides changed since you looked: {what}"
        raise FailoverdError(words_changed, reason="override_conflict", remedy="look again, and decide again")


# -- parts -------------------------------------------------------------------------------------------------------------

_NO_NEWS: Final = frozenset({400, 404, 405, 415})
"""Slips, which nobody has to hear of."""


SHELL: Final = "/"
"""The page itself. It holds nothing of the installation, so that nobody has to be known who reads it."""

_UNASKED: Final[Mapping[str, Query]] = {"inventory": InventoryQuery(), "members": MembersQuery()}
"""What is asked of a route that takes no question, and is shared all the same."""

_Shared: Final = StatusQuery | GlanceQuery | InventoryQuery | MembersQuery | PageQuery | TimelineQuery
"""What is made for one is made for all who ask the same within a second."""


def _require_role(actor: Actor) -> None:
    if actor.role is Role.NONE:
        raise RefusedError(403, "forbidden", f"{actor.name} may not ask anything here", actor.remedy)


async def _require_listener(known: Known, request: web.Request) -> None:
    """Raises RefusedError for whom an answer that lasts is not for any more."""
    _require_role(await known(request))


def shell(request: web.Request) -> web.Response:
    body, squeezed = page(), "gzip" in request.headers.get("Accept-Encoding", "")
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": body.policy,
        "Vary": "Accept-Encoding",
    }
    if squeezed:
        return web.Response(body=body.squeezed, headers=headers | {"Content-Encoding": "gzip"})
    return web.Response(body=body.plain, headers=headers)


async def _never(request: web.Request) -> web.StreamResponse:
    """Routes are answered by the middleware, which knows who asks."""
    raise web.HTTPInternalServerError(text=request.path)


def _board(found: Overview, now: float, name: str) -> AnswerBody:
    return board_told(board(found, now, name))


def _glance(found: Overview, now: float, policies: list[str], *, problems: bool) -> AnswerBody:
    return glance_told(asked_for(found, now, policies, problems=problems, by_daemon=True))


def _bounded(body: bytes, remedy: str) -> bytes:
    if len(body) > LARGEST_ANSWER:
        raise RefusedError(422, "answer_too_large", "the answer would be too large", remedy)
    return body


def _touched(word: Override) -> float:
    return max((word.since, *(comment.at for comment in word.comments)))


def _alert(asked: AlertAsked) -> Alert:
    return Alert(
        fingerprint=asked.fingerprint,
        labels=asked.labels,
        firing=asked.status == "firing",
        ends=asked.endsAt,
        summary=asked.annotations.get("summary", ""),
    )


def _ask(asked: WordAsked) -> WordRequest:
    return WordRequest(
        verb=asked.verb,
        scope=asked.scope.scope(),
        reason=asked.reason,
        seconds=asked.for_seconds,
        shares=dict(asked.shares_bp),
        part=asked.part_bp,
        over=asked.over_seconds,
        now=asked.now,
        digest=asked.digest or "",
        name=asked.name or "",
        breaks=asked.breaks,
    )


@asynccontextmanager
async def _patience(remedy: str, seconds: float = ANSWERING) -> AsyncIterator[None]:
    """Time for an answer. Raises FailoverdError at its end, with the remedy."""
    try:
        async with asyncio.timeout(seconds) as deadline:
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        words = f"there was no answer within {seconds:g}s"
        raise FailoverdError(words, reason="still_working", remedy=remedy) from None


@cache
def _described() -> bytes:
    """Made when somebody asks for it: it takes longer than all else that a start waits for, loading left out."""
    return json.dumps(document()).encode()


def _plain(body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": "application/json", **(headers or {})})
