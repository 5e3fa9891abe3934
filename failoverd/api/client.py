"""How programs ask a daemon: over its socket, or over TLS. What comes back is typed; what goes wrong says what to do.

It imports little, for an operator waits for it: a command that stops everything must not spend its time on loading.
"""

import asyncio
import grp
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import h11
from pydantic import BaseModel, Field, ValidationError

from failoverd.api.asked import (
    ApplyAsked,
    AskedModel,
    AuditQuery,
    CommentAsked,
    ExtendAsked,
    GlanceQuery,
    HistoryQuery,
    PlanAsked,
    Query,
    ReleaseAsked,
    ReloadAsked,
    ResignAsked,
    StatusQuery,
    UndoAsked,
    WhyQuery,
    WordAsked,
)
from failoverd.api.bounds import PLANNING
from failoverd.api.routes import EXPECTED, ROUTES, Route
from failoverd.api.sending import REACHING, connected, headers, new_key
from failoverd.api.shapes import (
    SCHEMA,
    AnswerBody,
    AppliedTold,
    AuditTold,
    GivenTold,
    GlanceTold,
    HistoryTold,
    InventoryTold,
    MembersTold,
    NamesTold,
    PlanTold,
    Problem,
    ReleasedTold,
    ReloadedTold,
    ResignedTold,
    StatusTold,
    WhyTold,
    WordAnswer,
    WordsTold,
)
from failoverd.core.errors import FailoverdError

A = TypeVar("A", bound=AnswerBody)
S = TypeVar("S", bound=AskedModel)

PATIENCE: Final = 35.0
"""Seconds for one answer: a little more than the daemon takes for it."""

_GRACE: Final = 5.0

SILENCE: Final = 3.0
"""Seconds without an answer after which somebody who waits wants to be told so."""

_TRIES: Final = 3
_NAP: Final = 0.2
_LARGEST: Final = 64 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_ROUTES: Final = {route.name: route for route in ROUTES}


class ApiError(FailoverdError):
    """What was asked was not done, or nobody knows. `status` is that of the daemon's answer, 0 without one."""

    def __init__(self, detail: str, *, reason: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.status = status


class DaemonUnreachableError(ApiError):
    """There is no daemon, or none that this user can reach. `absent`: it is certain that none is there."""

    def __init__(self, detail: str, *, reason: str, remedy: str = "", absent: bool = False) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.absent = absent


class _Lost(Exception):  # noqa: N818 - it is caught here
    """The connection ended before the answer did: asked again with the same key, it is answered."""


@dataclass(frozen=True, slots=True)
class OnHost:
    """The daemon of this machine, by its socket."""

    socket: Path

    def __str__(self) -> str:
        return str(self.socket)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The daemon of another machine. `tls` may hold a client certificate; None is for a port of this machine alone."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    token: str = ""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Client:
    """One daemon. Each question is a connection of its own.

    Every method raises ApiError: with the daemon's own reason where it refuses; `daemon_unreachable`,
    `socket_forbidden`, `daemon_slow`, `schema_unknown`, `answer_garbled` or `certificate_untrusted` where it is not
    heard. `silent` is told once, after SILENCE without an answer, for how many seconds more one is waited for.
    """

    def __init__(
        self,
        way: OnHost | Elsewhere,
        *,
        patience: float = PATIENCE,
        silent: Callable[[float], None] | None = None,
    ) -> None:
        self._way = way
        self._patience = patience
        self._silent = silent

    # -- reading -------------------------------------------------------------------------------------------------------

    async def status(self, *, healthy: bool = True) -> StatusTold:
        return await self._ask("status", StatusTold, query=StatusQuery(healthy="true" if healthy else "false"))

    async def glance(self, query: GlanceQuery) -> GlanceTold:
        return await self._ask("glance", GlanceTold, query=query)

    async def inventory(self) -> InventoryTold:
        return await self._ask("inventory", InventoryTold)

    async def members(self) -> MembersTold:
        return await self._ask("members", MembersTold)

    async def names(self) -> NamesTold:
        return await self._ask("names", NamesTold)

    async def history(self, query: HistoryQuery) -> HistoryTold:
        return await self._ask("history", HistoryTold, query=query)

    async def why(self, query: WhyQuery) -> WhyTold:
        return await self._ask("why", WhyTold, query=query)

    async def words(self) -> WordsTold:
        return await self._ask("words", WordsTold)

    async def word(self, word_id: str) -> WordAnswer:
        return await self._ask("word", WordAnswer, word_id=word_id)

    async def audit(self, query: AuditQuery) -> AuditTold:
        return await self._ask("audit", AuditTold, query=query)

    async def plan(self, policies: Iterable[str], returning: Iterable[str], **supposed: Iterable[str]) -> PlanTold:
        """What would be changed now, or if something were so (`PlanAsked`: `if_down` and the others).

        It may take minutes: see `answers` for whether anybody is there meanwhile.
        """
        named = {key: tuple(names) for key, names in supposed.items()}
        asked = _made(PlanAsked, policies=tuple(policies), returning=tuple(returning), **named)
        return await self._ask("plan", PlanTold, asked=asked, patience=PLANNING + _GRACE, tries=1)

    async def answers(self) -> None:
        """Whether a daemon answers at all, whatever it says. Raises ApiError when none does."""
        with suppress(_Lost):
            await self._within("GET", "/v1/enter", headers(""), b"", self._patience)

    # -- writing: `key` names the command, and is made up without one; `expected` is the version it rests on -----------

    async def give(self, asked: WordAsked, *, key: str = "", expected: str = "") -> GivenTold:
        return await self._ask("give", GivenTold, asked=asked, key=key, expected=expected)

    async def undo(self, asked: UndoAsked, *, key: str = "", expected: str = "") -> GivenTold:
        return await self._ask("undo", GivenTold, asked=asked, key=key, expected=expected)

    async def release(
        self, word_id: str, comment: str, *, now: bool = False, key: str = "", expected: str = ""
    ) -> GivenTold:
        asked = _made(CommentAsked, comment=comment, now=now)
        return await self._ask("release", GivenTold, asked=asked, word_id=word_id, key=key, expected=expected)

    async def extend(
        self, word_id: str, seconds: float, comment: str, *, key: str = "", expected: str = ""
    ) -> GivenTold:
        asked = _made(ExtendAsked, for_seconds=seconds, comment=comment)
        return await self._ask("extend", GivenTold, asked=asked, word_id=word_id, key=key, expected=expected)

    async def agree(self, word_id: str, comment: str, *, key: str = "", expected: str = "") -> GivenTold:
        asked = _made(CommentAsked, comment=comment)
        return await self._ask("agree", GivenTold, asked=asked, word_id=word_id, key=key, expected=expected)

    async def release_matching(self, asked: ReleaseAsked, *, key: str = "", expected: str = "") -> ReleasedTold:
        return await self._ask("release_matching", ReleasedTold, asked=asked, key=key, expected=expected)

    async def apply(self, changes: Iterable[Mapping[str, Any]], *, key: str = "") -> AppliedTold:
        """Changes as `plan` told them. It may take minutes, and goes on when nobody waits for it any more."""
        asked = _made(ApplyAsked, changes=tuple(map(dict, changes)))
        return await self._ask("apply", AppliedTold, asked=asked, key=key, patience=PLANNING + _GRACE)

    async def resign(self, comment: str, seconds: float, *, anyway: bool = False, key: str = "") -> ResignedTold:
        asked = _made(ResignAsked, comment=comment, for_seconds=seconds, anyway=anyway)
        return await self._ask("resign", ResignedTold, asked=asked, key=key)

    async def reload(self, *, key: str = "") -> ReloadedTold:
        return await self._ask("reload", ReloadedTold, asked=ReloadAsked(), key=key)

    # -- one question --------------------------------------------------------------------------------------------------

    async def _ask(  # noqa: PLR0913 - each is a part of a question
        self,
        name: str,
        kind: type[A],
        *,
        asked: AskedModel | None = None,
        query: Query | None = None,
        word_id: str = "",
        key: str = "",
        expected: str = "",
        patience: float | None = None,
        tries: int = _TRIES,
    ) -> A:
        route = _ROUTES[name]
        target = route.path.replace("{id}", quote(word_id, safe="") or "-") + _searched(query)
        said = self._headers(route, key or new_key(), expected)
        body = asked.model_dump_json(exclude_defaults=True).encode() if asked is not None else b""
        for left in reversed(range(tries)):
            try:
                status, answer = await self._within(route.method, target, said, body, patience or self._patience)
            except _Lost as lost:
                if not left:
                    words = f"the daemon at {self._way} hung up before it answered"
                    raise ApiError(words, reason="daemon_slow", remedy=_LOOK) from lost
            else:
                if status != 503 or not left:  # noqa: PLR2004 - what is not yet done is asked for again
                    return _read(kind, status, answer, str(self._way))
            await asyncio.sleep(_NAP)
        raise AssertionError("the last try ends it")

    def _headers(self, route: Route, key: str, expected: str) -> list[tuple[str, str]]:
        found = headers(key if route.writes else "")
        if route.asked is not None and not route.writes:
            found.append(("Content-Type", "application/json"))
        if expected:
            found.append((EXPECTED, f'"{expected}"'))
        if isinstance(self._way, Elsewhere) and self._way.token:
            found.append(("Authorization", f"Bearer {self._way.token}"))
        return found

    async def _within(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes, patience: float
    ) -> tuple[int, bytes]:
        telling = asyncio.get_running_loop().call_later(SILENCE, self._tell_silence, patience)
        try:
            async with asyncio.timeout(patience):
                reader, writer = await self._reached()
                try:
                    return await _exchange(reader, writer, method, target, headers, body)
                finally:
                    writer.transport.abort()
        except TimeoutError as error:
            words = f"the daemon at {self._way} did not answer within {patience:g}s"
            raise ApiError(words, reason="daemon_slow", remedy=_LOOK) from error
        finally:
            telling.cancel()

    def _tell_silence(self, patience: float) -> None:
        tell, self._silent = self._silent, None
        if tell is not None:
            tell(max(0.0, patience - SILENCE))

    async def _reached(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        way = self._way
        try:
            async with asyncio.timeout(REACHING):
                if isinstance(way, OnHost):
                    return await asyncio.open_unix_connection(sock=await asyncio.to_thread(connected, way.socket))
                return await asyncio.open_connection(way.host, way.port, ssl=way.tls)
        except PermissionError as error:
            raise _forbidden(way) from error
        except ssl.SSLCertVerificationError as error:
            words = f"the daemon at {way} shows a certificate that is not trusted: {error.verify_message}"
            raise ApiError(words, reason="certificate_untrusted", remedy="name the authority that signed it") from error
        except OSError as error:  # a time-out is one, too
            if isinstance(way, OnHost) and isinstance(error, TimeoutError | BlockingIOError):  # it is there
                words = f"the daemon at {way} took no connection within {REACHING:g}s"
                raise ApiError(words, reason="daemon_slow", remedy=_LOOK) from error
            why = _why_not(error) if isinstance(way, OnHost) else error.strerror
            words = f"no daemon is heard at {way}: {why or 'nobody answers'}"
            absent = isinstance(error, FileNotFoundError | NotADirectoryError | ConnectionRefusedError)
            raise DaemonUnreachableError(words, reason="daemon_unreachable", remedy=_START, absent=absent) from error


_LOOK: Final = "look whether it is busy (systemctl status failoverd); what was asked may have been done all the same"
_START: Final = (
    "start it (systemctl start failoverd), or name the configuration whose daemon is meant (--config); records stay as "
    "they are meanwhile"
)

_ENDED: Final = (OSError, h11.RemoteProtocolError)


class _Version(BaseModel):
    version: int = Field(validation_alias="schema")


def _made(kind: type[S], **said: object) -> S:
    """What is asked. Raises ApiError as the daemon would, for what nobody can ask."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ApiError(words, reason="body_invalid", status=422) from error


def _searched(query: Query | None) -> str:
    said = query.model_dump(mode="json", exclude_none=True, exclude_defaults=True) if query is not None else {}
    return f"?{urlencode(said)}" if said else ""


def _why_not(error: OSError) -> str:
    """Of a socket."""
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if isinstance(error, ConnectionRefusedError):
        return "the daemon that made this socket is dead"
    return error.strerror or ""


def _forbidden(way: OnHost | Elsewhere) -> ApiError:
    """Who may, by the socket, or by the first folder on the way that keeps this user out."""
    if not isinstance(way, OnHost):
        return DaemonUnreachableError(f"this user may not connect to {way}", reason="daemon_unreachable", remedy=_START)
    shut = next((each for each in reversed(way.socket.absolute().parents) if not os.access(each, os.X_OK)), way.socket)
    gid: int | None = None
    try:
        gid = shut.stat().st_gid
        group = _group_name(gid)
    except OSError:
        group = "that its daemon names in api.group"
    words = f"this user may not use {shut}: members of group {group} may, and root"
    remedy = f"ask to be made a member (usermod -aG {group} USER, then log in again), or ask with sudo"
    if gid == 0:  # whoever joins root's own group may do far more than ask
        remedy = "ask with sudo; api.group names a group of operators"
    return ApiError(words, reason="socket_forbidden", remedy=remedy)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> tuple[int, bytes]:
    """Raises _Lost when it ends early: nothing is known then of what was done."""
    http, status, answer = h11.Connection(h11.CLIENT), 0, bytearray()
    lengths = [("Content-Length", str(len(body)))] if body or method == "POST" else []
    request = h11.Request(method=method, target=target, headers=[*headers, *lengths])
    parts = (http.send(request), http.send(h11.Data(body)) if body else b"", http.send(h11.EndOfMessage()))
    try:
        writer.write(b"".join(part or b"" for part in parts))
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                answer += event.data
                if len(answer) > _LARGEST:
                    raise ApiError("the answer has no end", reason="answer_garbled")
            elif isinstance(event, h11.EndOfMessage):
                return status, bytes(answer)
            elif isinstance(event, h11.ConnectionClosed):
                raise _Lost
    except _ENDED as error:
        raise _Lost from error


def _read(kind: type[A], status: int, answer: bytes, where: str) -> A:
    """Raises ApiError for a problem, and for what cannot be understood."""
    try:
        said = _Version.model_validate_json(answer)
        if said.version != SCHEMA:
            words = f"the daemon at {where} speaks version {said.version} of the API, this failoverctl version {SCHEMA}"
            raise ApiError(words, reason="schema_unknown", remedy="use the failoverctl that was installed with it")
        if status == 200:  # noqa: PLR2004 - of HTTP
            return kind.model_validate_json(answer)
        problem = Problem.model_validate_json(answer)
    except ValueError as error:
        words = f"what answers at {where} is no daemon that this failoverctl understands (status {status})"
        raise ApiError(words, reason="answer_garbled", remedy="look at what is heard there") from error
    raise ApiError(problem.detail, reason=problem.reason, remedy=problem.remedy, status=status)
