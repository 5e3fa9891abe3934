"""The API server of a Kubernetes cluster: one namespace of it, asked as a service account.

What it says of too many requests is obeyed by all that ask here: while it wants quiet, nobody sends anything.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final, NamedTuple

import aiohttp

from failoverd.coordination.kubernetes.service_account import ServiceAccount
from failoverd.core.errors import Compacted, CoordinationError, FailoverdError
from failoverd.foreign import quoted
from failoverd.http_client import CaFiles, read_bounded, read_lines, unreached
from failoverd.outgoing import place_of

MOST_BYTES: Final = 33_554_432
"""Of one answer, and of one message of a watch. A ConfigMap holds 1 MiB at most."""

WATCH: Final = 30
"""Seconds after which a watch ends, and is begun anew where it ended. Shortly before, the API server says in a bookmark
how far it has come; a connection that is dead is known as soon."""

_LONGEST_QUIET: Final = 60.0
"""Seconds. The API server asks for one, or a few: more than this is nobody's word but a proxy's."""

_MOST_LISTED: Final = 40_000
MOST_LISTED_BYTES: Final = 268_435_456
"""Of all that is listed together: a stranger's objects must not fill the memory."""

TOO_LARGE: Final = "too_large"
_TRIES: Final = 3
"""To list what has more pages than the API server remembers the moment of."""

Json = dict[str, Any]


_TOO_MANY: Final = (
    "see who asks the API server so much; a FlowSchema can give failoverd's service account its own share"
)
_TOO_LARGE: Final = "a ConfigMap holds 1 MiB at most"


class ApiVerb(StrEnum):
    """As a Role names them."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


_METHODS: Final[Mapping[ApiVerb, str]] = {ApiVerb.CREATE: "POST", ApiVerb.UPDATE: "PUT", ApiVerb.DELETE: "DELETE"}


class Resource(NamedTuple):
    """A kind of object, as URLs and Roles name it."""

    group: str
    plural: str


LEASES: Final = Resource("apis/coordination.k8s.io/v1", "leases")
CONFIG_MAPS: Final = Resource("api/v1", "configmaps")


class ApiRefusal(CoordinationError):  # noqa: N818 - the answer was no
    """The API server answered with this status of HTTP, and changed nothing.

    `overtaken`: something else stands there than was expected, for it was changed, made or taken away meanwhile.
    """

    def __init__(self, detail: str, *, status: int, remedy: str = "", overtaken: bool = False) -> None:
        super().__init__(detail, reason=f"http_{status}", remedy=remedy)
        self.status = status
        self.overtaken = overtaken


class ApiRequest(NamedTuple):
    """What is asked of it."""

    verb: ApiVerb
    resource: Resource
    name: str = ""
    query: Mapping[str, str] = {}
    body: Json | None = None


@dataclass(slots=True)
class _Page:
    """What is asked of a list next: of how many objects, where it goes on, and how many bytes there is room for."""

    labels: str
    limit: int
    room: int
    following: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        begun = {"continue": self.following} if self.following else {}
        return {"labelSelector": self.labels, "limit": str(self.limit), **begun}


@dataclass(slots=True)
class ApiServer:
    """A way to ask.

    Attributes:
        session: connections.
        account: who asks, and where.
        namespace: where all of it is.
        patience: seconds that one request may take, and be waited with.
        page: how many objects are listed by one request.
    """

    session: aiohttp.ClientSession
    account: ServiceAccount
    namespace: str
    patience: float
    page: int = 200
    _quiet_until: float = 0.0
    _ca_files: CaFiles = field(default_factory=CaFiles)

    async def ask(self, request: ApiRequest) -> Json:
        """What it answers.

        Raises:
            ApiRefusal: it says no.
            CoordinationError: it does not answer, or nobody knows whether it did what was asked.
        """
        with self._in_our_words():
            async with asyncio.timeout(self.patience), await self._answered(request) as answer:
                return self._parsed(await read_bounded(answer.content, MOST_BYTES))

    async def listed(self, resource: Resource, labels: str) -> tuple[list[Json], int]:
        """Everything with these labels as it stands in one moment, and the version that this moment has."""
        for left in reversed(range(_TRIES)):
            try:
                return await self._pages(resource, labels)
            except Compacted:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _pages(self, resource: Resource, labels: str) -> tuple[list[Json], int]:
        found: list[Json] = []
        page = _Page(labels, self.page, MOST_LISTED_BYTES)
        while len(found) < _MOST_LISTED and page.room > 0:
            try:
                said = await self._page(resource, page)
            except CoordinationError as error:
                if error.reason != TOO_LARGE or page.limit == 1:
                    raise
                page.limit //= 2
                continue
            items = self._objects(said.get("items") or [])
            found += items
            if not (following := said.get("metadata", {}).get("continue")):
                return found, version(said)
            if not items or not isinstance(following, str):
                raise self._not_kubernetes()
            page.following = following
        most = f"{_MOST_LISTED:,} {resource.plural}, or {MOST_LISTED_BYTES:,} bytes of them,"
        words = f"there are more than {most} in the namespace {self.namespace}"
        raise CoordinationError(words, reason="too_many", remedy="delete those that nobody needs any more")

    async def _page(self, resource: Resource, page: _Page) -> Json:
        """The next of a list."""
        with self._in_our_words():
            asked = ApiRequest(ApiVerb.LIST, resource, query=page.query)
            async with asyncio.timeout(self.patience), await self._answered(asked) as answer:
                body = await read_bounded(answer.content, MOST_BYTES)
            page.room -= len(body or b"")
            return self._parsed(body)

    async def watched(self, resource: Resource, labels: str, after: int) -> AsyncIterator[tuple[str, Json]]:
        """Each change after that version as it happens, as its kind and the object, in order. Ends by an error only.

        Raises:
            Compacted: some of them are forgotten, or that version never was.
            CoordinationError: it tells no more: begin again after the last version.
        """
        while True:
            query = {
                "labelSelector": labels,
                "watch": "1",
                "allowWatchBookmarks": "true",
                "resourceVersion": str(after),
                "timeoutSeconds": str(WATCH),
            }
            await self._require(resource, labels, after)
            with self._in_our_words():
                async with asyncio.timeout(self.patience):
                    answer = await self._answered(ApiRequest(ApiVerb.WATCH, resource, query=query))
                async with answer:
                    async for line in read_lines(answer.content, MOST_BYTES):
                        kind, found = self._change(line)
                        after = max(after, version(found))
                        if kind != "BOOKMARK":
                            (changed,) = self._objects([found])
                            yield kind, changed

    async def _require(self, resource: Resource, labels: str, reached: int) -> None:
        """That it has reached this version. To a watch that begins beyond that it would say nothing until it has."""
        page = await self.ask(ApiRequest(ApiVerb.LIST, resource, query={"labelSelector": labels, "limit": "1"}))
        if version(page) < reached:
            raise Compacted(f"{self._who} was put back to an older state", reason="restored")

    async def _answered(self, request: ApiRequest) -> aiohttp.ClientResponse:
        """The answer to a request that it takes, unread."""
        await self._wait_for_quiet()
        token = await self.account.token()
        try:
            return await self._sent(request, token)
        except ApiRefusal as refusal:
            if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
                await self._wait_for_quiet()
            elif refusal.status != HTTPStatus.UNAUTHORIZED or token == (token := await self.account.token()):
                raise
        return await self._sent(request, token)

    async def _wait_for_quiet(self) -> None:
        """Until it may be asked. Raises ApiRefusal where that is longer than anybody waits here."""
        wait = self._quiet_until - _now()
        if wait > self.patience / 2:
            words = f"{self._who} wants to be asked nothing for {wait:.0f} s more"
            raise ApiRefusal(words, status=HTTPStatus.TOO_MANY_REQUESTS, remedy=_TOO_MANY)
        if wait > 0:
            await asyncio.sleep(wait)

    async def _sent(self, request: ApiRequest, token: str) -> aiohttp.ClientResponse:
        """One exchange. Redirects are not followed, for the token would go along."""
        trust = await self._ca_files.trusted(self.account.ca_file)
        parts = (request.resource.group, "namespaces", self.namespace, request.resource.plural, request.name)
        answer = await self.session.request(
            _METHODS.get(request.verb, "GET"),
            f"{self.account.address}/{'/'.join(filter(None, parts))}",
            params=dict(request.query),
            data=BytesIO(json.dumps(request.body).encode()) if request.body is not None else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.patience, sock_read=WATCH + self.patience),
            ssl=trust,
            allow_redirects=False,
        )
        if answer.status in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            return answer
        async with answer:
            raise self._refused(request, answer, await read_bounded(answer.content, MOST_BYTES))

    def _refused(self, request: ApiRequest, answer: aiohttp.ClientResponse, body: bytes | None) -> CoordinationError:
        said, status = _message(body), answer.status
        if status == HTTPStatus.GONE:
            return Compacted(f"{self._who} has forgotten what happened: {said}", reason="http_410")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._quiet_until = _now() + _quiet(answer)
        what = f"{request.verb} {request.resource.plural} in the namespace {self.namespace}"
        overtaken = status == HTTPStatus.CONFLICT or (status == HTTPStatus.NOT_FOUND and bool(request.name))
        remedy = self._remedy(status, what)
        return ApiRefusal(
            f"{self._who} answers {status} to {what}: {said}", status=status, remedy=remedy, overtaken=overtaken
        )

    def _remedy(self, status: int, what: str) -> str:
        remedies: Mapping[int, str] = {
            HTTPStatus.UNAUTHORIZED: f"see that the pod's service account is there, and {self.account.folder} its own",
            HTTPStatus.FORBIDDEN: f"let the pod's service account {what}: a Role as in kubernetes/overlays/members",
            HTTPStatus.NOT_FOUND: f"make the namespace {self.namespace}, or name another one in `coordination`",
            HTTPStatus.TOO_MANY_REQUESTS: _TOO_MANY,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY: _TOO_LARGE,
        }
        return remedies.get(status, "")

    def _change(self, line: bytes) -> tuple[str, Json]:
        """One message of a watch."""
        said = self._parsed(line)
        kind, found = str(said.get("type")), said.get("object")
        if not isinstance(found, dict):
            raise self._not_kubernetes()
        if kind != "ERROR":
            return kind, found
        words = f"{self._who} ended the watch: {quoted(str(found.get('message')), 200)}"
        if found.get("code") == HTTPStatus.GONE:
            raise Compacted(words, reason="http_410")
        raise CoordinationError(words, reason="watch_ended")

    def _parsed(self, body: bytes | None) -> Json:
        if body is None:
            words = f"{self._who} answers with more than {MOST_BYTES // 1_048_576} MiB"
            raise CoordinationError(words, reason=TOO_LARGE)
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("metadata", {}), dict):
            raise self._not_kubernetes()
        return said

    def _objects(self, found: object) -> list[Json]:
        """These, where each is an object as far as anybody here looks at it."""
        if not isinstance(found, list) or not all(map(_is_object, found)):
            raise self._not_kubernetes()
        return found

    def _not_kubernetes(self) -> CoordinationError:
        words = f"{self._who} answers with what is no answer of Kubernetes"
        return CoordinationError(words, reason="not_kubernetes", remedy="see where KUBERNETES_SERVICE_HOST points")

    @property
    def _who(self) -> str:
        return f"the Kubernetes API at {place_of(self.account.address)}"

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Whatever a library raises, and what is wrong with a file, as CoordinationError."""
        try:
            yield
        except CoordinationError:
            raise
        except TimeoutError:
            raise CoordinationError(f"{self._who} does not answer", reason="timeout") from None
        except FailoverdError as error:
            raise CoordinationError.of(error) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CoordinationError.of(unreached(self._who, error)) from None


def version(found: Json) -> int:
    """The resourceVersion of an object, of a list or of a bookmark.

    Kubernetes calls it opaque. It is a revision of the store below, which is etcd's and a number, and from release 1.35
    on that is promised: two of one kind may be compared (KEP-5504).
    """
    try:
        return int(found["metadata"]["resourceVersion"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise CoordinationError("an answer of Kubernetes has no version", reason="not_kubernetes") from None


def _is_object(found: object) -> bool:
    meta = found.get("metadata") if isinstance(found, dict) else None
    return (
        isinstance(meta, dict)
        and isinstance(meta.get("name"), str)
        and all(isinstance(meta.get(each) or {}, dict) for each in ("labels", "annotations"))
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _quiet(answer: aiohttp.ClientResponse) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(max(float(said), 1.0), _LONGEST_QUIET) if said.isascii() and said.isdigit() else 1.0


def _message(body: bytes | None) -> str:
    """What a Status says."""
    try:
        message = json.loads(body or b"").get("message")
    except (ValueError, AttributeError, RecursionError):
        message = None
    return quoted(str(message or "no reason given"), 300)
