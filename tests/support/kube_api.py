"""A Kubernetes API server over TLS on loopback, as strict as the real one is by its documents, and what befalls it.

It knows namespaces, ConfigMaps and Leases, and of these what the API rules say: optimistic concurrency by
resourceVersion and 409, preconditions of a deletion, unconditional updates of ConfigMaps and none of Leases, an update
that says nothing new and changes nothing, selection by labels, lists in pages that are of one moment, watches with
bookmarks that end after the time that was asked for, 410 for what was compacted. Who asks is known by a token (401),
and may do what a Role of its namespace says (403).
"""

import asyncio
import json
import re
import socket
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, Protocol
from uuid import uuid4

import trustme
from aiohttp import web
from support.tls_servers import tls_server

NAMESPACE: Final = "failoverd"
USER: Final = f"system:serviceaccount:{NAMESPACE}:failoverd"

Json = dict[str, Any]

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MICRO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[-+]\d\d:\d\d)")
_MOST_DATA: Final = 1_048_576
_MOST_BODY: Final = 3_145_728

_KINDS: Final = {"configmaps": ("v1", "ConfigMap"), "leases": ("coordination.k8s.io/v1", "Lease")}
_REASONS: Final = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    413: "RequestEntityTooLarge", 422: "Invalid", 429: "TooManyRequests",
}  # fmt: skip


class Rule(NamedTuple):
    """What a Role allows. Without a name: any."""

    verb: str
    resource: str
    name: str = ""


LEAST: Final = frozenset(
    {Rule("create", "leases"), Rule("get", "leases", "failoverd-prod"), Rule("update", "leases", "failoverd-prod")}
    | {Rule(verb, "configmaps") for verb in ("list", "watch", "create", "update", "delete")}
)
"""Those of kubernetes/overlays/members, for the owner `prod`; a test compares the two."""


class Asked(NamedTuple):
    verb: str
    resource: str
    name: str
    status: int


class Happened(NamedTuple):
    """`before`: what stood there; None: nothing did."""

    version: int
    kind: str
    resource: str
    found: Json
    before: Json | None


class _No(Exception):  # noqa: N818 - an answer
    def __init__(self, code: int, message: str, *, reason: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after
        self.reason = reason or _REASONS[code]

    @property
    def said(self) -> Json:
        meta: Json = {}
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": meta, "status": "Failure", "message": self.message,
            "reason": self.reason, "code": self.code,
        }  # fmt: skip


class KubeServer(Protocol):
    """This one or a real one, which can be told the same.

    Attributes:
        folder: what the kubelet mounts into a pod: token, ca.crt, namespace.
        rules: what its service account may do.
    """

    folder: Path
    rules: frozenset[Rule]

    @property
    def address(self) -> str: ...

    def frozen(self) -> AbstractContextManager[None]:
        """It takes connections and requests, and answers nothing; what was asked may be done when it thaws."""

    def rotate(self) -> None:
        """The kubelet brings a new token, and the old ones are accepted no more."""

    def revoke_tokens(self) -> None:
        """They are accepted no more, and nobody has brought another yet."""

    def forbid(self, verb: str, resource: str) -> None: ...

    def compact(self) -> None:
        """What happened until now is forgotten."""

    def restart(self) -> None: ...

    def back_up(self) -> None: ...

    def put_back(self) -> None: ...

    def found(self, resource: str, name: str) -> Json | None: ...

    def all(self, resource: str) -> list[Json]: ...

    def create(self, resource: str, body: Json) -> None: ...

    def edit(self, resource: str, name: str, change: Callable[[Json], object]) -> None:
        """`kubectl edit`."""

    def delete(self, resource: str, name: str) -> None: ...


@dataclass
class KubeApi:
    """The server.

    Attributes:
        folder: what the kubelet mounts into a pod: token, ca.crt, namespace.
        rules: what its service account may do.
        namespace: in which it may do that.
        tokens: that are accepted, and whose they are.
        asked: everything that was, and how it was answered.
        revision: of the store; grows with each change.
        window: seconds before the end of a watch at which its bookmark comes.
        longest_watch: seconds after which it ends any.
        repeats: it says no in words that repeat the request, token and all.
        waiting: requests that are held up.
        garbage: what it answers to everything, in place of what it should.
    """

    folder: Path
    rules: frozenset[Rule] = LEAST
    tokens: dict[str, str] = field(default_factory=dict)
    namespace: str = NAMESPACE
    namespaces: set[str] = field(default_factory=lambda: {"default"})
    asked: list[Asked] = field(default_factory=list)
    revision: int = 1000
    address: str = ""
    window: float = 2.0
    longest_watch: float = 3600.0
    repeats: bool = False
    garbage: bytes | None = None
    _objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    _happened: list[Happened] = field(default_factory=list)
    _compacted: int = 0
    _pages: dict[str, tuple[int, list[Json]]] = field(default_factory=dict)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    _throttled: int = 0
    _held: str = ""
    _room: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _retry_after: int | None = 1
    _unanswered: list[str] = field(default_factory=list)
    _before: dict[str, Callable[[], object]] = field(default_factory=dict)
    _connections: set[asyncio.Transport] = field(default_factory=set)
    _backup: tuple[dict[tuple[str, str, str], Json], int] | None = None

    def __post_init__(self) -> None:
        self._thawed.set()
        self.namespaces.add(self.namespace)
        self.rotate()

    # -- what befalls it -----------------------------------------------------------------------------------------------

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._thawed.clear()
        try:
            yield
        finally:
            self._thawed.set()

    def rotate(self) -> None:
        self.tokens.clear()
        token = f"eyJhbGciOi.{uuid4().hex}"
        self.tokens[token] = USER
        (self.folder / "token").write_text(token)

    def revoke_tokens(self) -> None:
        self.tokens.clear()

    def forbid(self, verb: str, resource: str) -> None:
        self.rules = frozenset(each for each in self.rules if (each.verb, each.resource) != (verb, resource))

    def throttle(self, times: int, retry_after: int | None = 1) -> None:
        """The next requests are too many."""
        self._throttled, self._retry_after = times, retry_after

    @contextmanager
    def slow(self, resource: str, after: int = 0) -> Iterator[None]:
        """After so many more requests for it, those for this resource are held up; all others are answered."""
        self._held, self._room = resource, after
        self._open.clear()
        try:
            yield
        finally:
            self._held = ""
            self._open.set()

    async def _let_through(self, resource: str) -> None:
        if resource != self._held:
            return
        self._room -= 1
        if self._room >= 0:
            return
        self.waiting += 1
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    def lose_answer(self, verb: str) -> None:
        """The next request of this kind is done, and its answer lost."""
        self._unanswered.append(verb)

    def before(self, verb: str, done: Callable[[], object]) -> None:
        """Something happens just before the next request of this kind is done."""
        self._before[verb] = done

    def compact(self) -> None:
        """What happened until now is forgotten, and pages that were begun with it."""
        self._compacted = self.revision
        self._happened.clear()
        self._pages.clear()

    def restart(self) -> None:
        for each in tuple(self._connections):
            if not each.is_closing():  # of one over TLS that is, Python 3.11.2 knows no end any more
                each.abort()

    def back_up(self) -> None:
        self._backup = deepcopy(self._objects), self.revision

    def put_back(self) -> None:
        assert self._backup is not None
        kept, self.revision = self._backup
        self._objects = deepcopy(kept)
        self.compact()
        self.restart()

    # -- what a person does beside it ----------------------------------------------------------------------------------

    def found(self, resource: str, name: str) -> Json | None:
        found = self._objects.get((resource, self.namespace, name))
        return deepcopy(found) if found is not None else None

    def all(self, resource: str) -> list[Json]:
        return [deepcopy(each) for (kind, *_), each in sorted(self._objects.items()) if kind == resource]

    def create(self, resource: str, body: Json) -> None:
        self._create(resource, self.namespace, body)

    def edit(self, resource: str, name: str, change: Callable[[Json], object]) -> None:
        found = self.found(resource, name)
        assert found is not None
        change(found)
        self._update(resource, self.namespace, name, found)

    def delete(self, resource: str, name: str) -> None:
        self._delete(resource, self.namespace, name, {})

    # -- the server ----------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._connections.add(request.transport)
        verb, resource, namespace, name = _meant(request)
        try:
            body = await request.read()
            await self._thawed.wait()
            await self._let_through(resource)
            if (action := self._before.pop(verb, None)) is not None:
                action()
            self._admit(request, verb, resource, namespace, name)
            if self.garbage is not None:
                return web.Response(body=self.garbage, content_type="application/json")
            if len(body) > _MOST_BODY:
                raise _No(413, f"the request is too large: {len(body)} bytes")  # noqa: TRY301 - as all others
            if verb == "watch":
                self.asked.append(Asked(verb, resource, name, 200))
                answer = web.StreamResponse(headers={"Content-Type": "application/json"})
                with suppress(ConnectionError):  # who listened is gone
                    await self._watch(request, answer, resource, namespace)
                return answer
            code, said = self._done(request, verb, resource, namespace, name, body)
        except _No as no:
            code, said = no.code, no.said
            headers = {"Retry-After": str(no.retry_after)} if no.retry_after is not None else {}
            self.asked.append(Asked(verb, resource, name, code))
            return web.json_response(said, status=code, headers=headers)
        self.asked.append(Asked(verb, resource, name, code))
        if verb in self._unanswered:
            self._unanswered.remove(verb)
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(said, status=code)

    def _admit(self, request: web.Request, verb: str, resource: str, namespace: str, name: str) -> None:
        """Too many, who is it, may it: in the order of the real one's filters."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self.tokens.get(token) if kind == "Bearer" else None
        if user is None:
            raise _No(401, "Unauthorized")
        if self._throttled:
            self._throttled -= 1
            words = "too many requests, please try again later"
            raise _No(429, words, retry_after=self._retry_after)
        wanted = {Rule(verb, resource), Rule(verb, resource, name)}
        if namespace != self.namespace or not wanted & self.rules:
            group = "coordination.k8s.io" if resource == "leases" else ""
            raise _No(
                403,
                f'{resource}.{group} "{name}" is forbidden: User "{user}" cannot {verb} resource "{resource}" '
                f'in API group "{group}" in the namespace "{namespace}"' + (f" by {token}" if self.repeats else ""),
            )
        if namespace not in self.namespaces:
            raise _No(404, f'namespaces "{namespace}" not found')

    def _done(
        self, request: web.Request, verb: str, resource: str, namespace: str, name: str, body: bytes
    ) -> tuple[int, Json]:
        match verb:
            case "get":
                return 200, self._stands(resource, namespace, name)
            case "list":
                return 200, self._list(request.query, resource, namespace)
            case "create":
                return 201, self._create(resource, namespace, _json(body))
            case "update":
                return 200, self._update(resource, namespace, name, _json(body))
            case "delete":
                return 200, self._delete(resource, namespace, name, _json(body) if body else {})
        raise _No(400, f"nobody asks for {verb} here")

    # -- objects -------------------------------------------------------------------------------------------------------

    def _stands(self, resource: str, namespace: str, name: str) -> Json:
        found = self._objects.get((resource, namespace, name))
        if found is None:
            raise _No(404, f'{resource} "{name}" not found')
        return found

    def _create(self, resource: str, namespace: str, body: Json) -> Json:
        meta = _checked(resource, namespace, body)
        if meta.get("resourceVersion"):
            raise _No(400, "resourceVersion should not be set on objects to be created")
        if (resource, namespace, meta["name"]) in self._objects:
            raise _No(409, f'{resource} "{meta["name"]}" already exists', reason="AlreadyExists")
        made = deepcopy(body)
        made["metadata"] |= {"namespace": namespace, "uid": str(uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
        return self._put("ADDED", resource, namespace, made, None)

    def _update(self, resource: str, namespace: str, name: str, body: Json) -> Json:
        meta = _checked(resource, namespace, body)
        if meta["name"] != name:
            raise _No(400, f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
        wanted = meta.get("resourceVersion", "")
        stands = self._objects.get((resource, namespace, name))
        if stands is None:
            if meta.get("uid"):
                raise _No(409, f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: ")
            raise _No(404, f'{resource} "{name}" not found')
        if resource == "leases" and not wanted:
            raise _No(422, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")
        if wanted not in {"", stands["metadata"]["resourceVersion"]}:
            raise _No(
                409,
                f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply '
                "your changes to the latest version and try again",
            )
        made = deepcopy(body)
        made["metadata"] |= {key: stands["metadata"][key] for key in ("namespace", "uid", "creationTimestamp")}
        made["metadata"]["resourceVersion"] = stands["metadata"]["resourceVersion"]
        if made == stands:
            return stands
        return self._put("MODIFIED", resource, namespace, made, stands)

    def _delete(self, resource: str, namespace: str, name: str, options: Json) -> Json:
        stands = self._stands(resource, namespace, name)
        for key, wanted in (options.get("preconditions") or {}).items():
            if stands["metadata"].get(key) != wanted:
                raise _No(409, f"Precondition failed: {key}: {wanted}, in object meta: {stands['metadata'].get(key)}")
        del self._objects[resource, namespace, name]
        gone = deepcopy(stands)
        self._happen("DELETED", resource, gone, stands)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _put(self, kind: str, resource: str, namespace: str, made: Json, before: Json | None) -> Json:
        version, what = _KINDS[resource]
        made = {"apiVersion": version, "kind": what, **made}
        self._happen(kind, resource, made, before)
        self._objects[resource, namespace, made["metadata"]["name"]] = made
        return made

    def _happen(self, kind: str, resource: str, found: Json, before: Json | None) -> None:
        self.revision += 1
        found["metadata"]["resourceVersion"] = str(self.revision)
        self._happened.append(Happened(self.revision, kind, resource, found, before))
        self._stir()

    def _stir(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    # -- lists and watches ---------------------------------------------------------------------------------------------

    def _list(self, query: Mapping[str, str], resource: str, namespace: str) -> Json:
        if query.get("resourceVersion"):
            raise _No(400, "no list of a version is served here")
        limit = int(query.get("limit", "0")) or 10**9
        if token := query.get("continue"):
            if token not in self._pages:
                raise _No(410, "The provided continue parameter is too old", reason="Expired")
            revision, items = self._pages.pop(token)
        else:
            selects = _selector(query.get("labelSelector", ""))
            revision = self.revision
            items = [
                deepcopy(each)
                for (kind, where, _), each in sorted(self._objects.items())
                if (kind, where) == (resource, namespace) and selects(each)
            ]
        page, rest = items[:limit], items[limit:]
        meta: Json = {"resourceVersion": str(revision)}
        if rest:
            meta["continue"] = uuid4().hex
            self._pages[meta["continue"]] = revision, rest
        version, kind = _KINDS[resource]
        for each in page:
            del each["apiVersion"], each["kind"]  # as the real one leaves them out
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": meta, "items": page}

    async def _watch(self, request: web.Request, answer: web.StreamResponse, resource: str, namespace: str) -> None:
        query, loop = request.query, asyncio.get_running_loop()
        selects, after = _selector(query.get("labelSelector", "")), int(query.get("resourceVersion", "0"))
        ends = loop.time() + min(float(query.get("timeoutSeconds", "1800")), self.longest_watch)
        bookmark_at = ends - self.window if query.get("allowWatchBookmarks") else ends + 1.0
        await answer.prepare(request)
        while loop.time() < ends:
            moved = self._moved
            await self._thawed.wait()
            if after < self._compacted:
                error = _No(410, f"too old resource version: {after} ({self._compacted})").said
                await answer.write(_line("ERROR", error))
                return
            for each in tuple(self._happened):
                if each.version > after and (each.resource, _space(each.found)) == (resource, namespace):
                    for line in _told(each, selects):
                        await answer.write(line)
            after = max(after, self.revision)
            if loop.time() >= bookmark_at:
                bookmark_at = ends + 1.0
                version, kind = _KINDS[resource]
                meta = {"resourceVersion": str(after), "creationTimestamp": None}
                await answer.write(_line("BOOKMARK", {"kind": kind, "apiVersion": version, "metadata": meta}))
            try:
                async with asyncio.timeout_at(min(bookmark_at, ends)):
                    if moved is self._moved:
                        await moved.wait()
            except TimeoutError:
                continue


@asynccontextmanager
async def kube_api(
    folder: Path, listening: socket.socket | None = None, namespace: str = NAMESPACE
) -> AsyncIterator[KubeApi]:
    """One that listens, and the files that the kubelet brings into a pod. At that socket, or on loopback."""
    at = listening or socket.create_server(("127.0.0.1", 0))
    host, port = at.getsockname()[:2]
    authority = trustme.CA()
    (folder / "ca.crt").write_bytes(authority.cert_pem.bytes())
    (folder / "namespace").write_text(NAMESPACE)
    api = KubeApi(folder, namespace=namespace)
    app = web.Application(client_max_size=2 * _MOST_BODY)
    app.router.add_route("*", "/{path:.*}", api._serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, at, ssl_context=tls_server(authority, host)).start()
    api.address = f"https://{host}:{port}"
    try:
        yield api
    finally:
        api._thawed.set()
        api.restart()
        await runner.cleanup()


# -- what a request says -----------------------------------------------------------------------------------------------


def _meant(request: web.Request) -> tuple[str, str, str, str]:
    """Verb, resource, namespace, name."""
    found = re.fullmatch(
        r"/(?:api/v1|apis/coordination\.k8s\.io/v1)/namespaces/([^/]+)/(configmaps|leases)(?:/([^/]+))?", request.path
    )
    assert found, request.path
    assert ("coordination" in request.path) == (found[2] == "leases"), request.path
    namespace, resource, name = found[1], found[2], found[3] or ""
    if request.method == "GET" and not name:
        return ("watch" if request.query.get("watch") in {"1", "true"} else "list"), resource, namespace, name
    verb = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}[request.method]
    assert (verb == "create") == (not name), "a POST goes to the collection, everything else to an object"
    return verb, resource, namespace, name


def _json(body: bytes) -> Json:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _No(400, "the object provided is unrecognized")
    return said


def _space(found: Json) -> str:
    return str(found["metadata"]["namespace"])


def _selector(text: str) -> Callable[[Json], bool]:
    """Of equality, and of presence."""
    wanted: list[tuple[str, str | None]] = []
    for each in filter(None, text.split(",")):
        key, equals, value = each.partition("=")
        if not _QUALIFIED.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise _No(400, f"unable to parse requirement: {each}")
        wanted.append((key, value if equals else None))

    def selects(found: Json) -> bool:
        labels = found["metadata"].get("labels") or {}
        return all(key in labels and value in {None, labels[key]} for key, value in wanted)

    return selects


def _told(each: Happened, selects: Callable[[Json], bool]) -> Iterator[bytes]:
    """What a watch hears: whatever leaves its selection is deleted for it."""
    was = each.before is not None and selects(each.before)
    now = each.kind != "DELETED" and selects(each.found)
    if now or was:
        yield _line(("MODIFIED" if was else "ADDED") if now else "DELETED", each.found)


def _line(kind: str, found: Json) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def _checked(resource: str, namespace: str, body: Json) -> Json:
    """The metadata of an object that may be written."""
    version, kind = _KINDS[resource]
    if (body.get("apiVersion", version), body.get("kind", kind)) != (version, kind):
        raise _No(400, f"the object provided is no {kind}")
    meta: Json = body.get("metadata") or {}
    if meta.get("namespace", namespace) != namespace:
        raise _No(400, "the namespace of the provided object does not match the namespace sent on the request")
    name = meta.get("name", "")
    if not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        _invalid(kind, name, "metadata.name: a lowercase RFC 1123 subdomain must consist of lower case characters")
    for key, value in (meta.get("labels") or {}).items():
        if not _QUALIFIED.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            _invalid(kind, name, f"metadata.labels: {key}: {value}")
    for key in meta.get("annotations") or {}:
        if not _QUALIFIED.fullmatch(key):
            _invalid(kind, name, f"metadata.annotations: {key}")
    (_check_lease if resource == "leases" else _check_config_map)(name, body)
    return meta


def _check_config_map(name: str, body: Json) -> None:
    data: Json = body.get("binaryData") or {}
    if not all(_DATA_KEY.fullmatch(each) for each in data):
        _invalid("ConfigMap", name, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'")
    for each in data.values():
        try:
            b64decode(each, validate=True)
        except ValueError:
            raise _No(400, "illegal base64 data at input byte 0") from None
    if sum(len(each) * 3 // 4 for each in data.values()) > _MOST_DATA:
        _invalid("ConfigMap", name, f"Too long: must have at most {_MOST_DATA} bytes")


def _check_lease(name: str, body: Json) -> None:
    spec: Json = body.get("spec") or {}
    if not isinstance(spec.get("leaseDurationSeconds", 1), int) or spec.get("leaseDurationSeconds", 1) <= 0:
        _invalid("Lease", name, "spec.leaseDurationSeconds: must be greater than 0")
    if spec.get("leaseTransitions", 0) >= 2**31:
        raise _No(
            400, "json: cannot unmarshal number into Go struct field LeaseSpec.spec.leaseTransitions of type int32"
        )
    if spec.get("leaseTransitions", 0) < 0:
        _invalid("Lease", name, "spec.leaseTransitions: must be greater than or equal to 0")
    for key in ("acquireTime", "renewTime"):
        if spec.get(key) is not None and not _MICRO_TIME.fullmatch(spec[key]):
            raise _No(400, f'parsing time "{spec[key]}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse')


def _invalid(kind: str, name: str, why: str) -> NoReturn:
    raise _No(422, f'{kind} "{name}" is invalid: {why}')
