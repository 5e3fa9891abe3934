"""A cloud's API on a loopback port: real sockets, real TLS, one lock around its state, and bad luck to order.

A cloud is written as a class that answers one request at a time (`Cloud.answer`). What goes wrong on the way to it and
back is the same for every cloud, so it lives here: connections that end before or after the effect, answers that never
come, throttling, and an API that says yes and does nothing.
"""

import copy
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs, unquote, urlsplit

MAX_BODY = 8 * 1024 * 1024


@dataclass
class WallClock:
    """The real time, in Unix seconds, plus what a test adds to `ahead`: the server's clock, where it is to jump."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Request:
    """One request. `target` is the raw request target, as signatures cover it; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in found.items()}

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD"}


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


NOT_THE_CLOUD: Mapping[str, Response] = {
    "a page that blocks": Response(403, b"<html><body>blocked by policy</body></html>", {"content-type": "text/html"}),
    "a page that wants a sign-in": Response(
        407, b"<!DOCTYPE html><title>sign in</title>", {"content-type": "text/html"}
    ),
    "a redirect to a portal": Response(302, b"", {"location": "https://portal.example.net/"}),
    "an empty refusal": Response(400),
    "an empty not found": Response(404),
    "JSON without a code": Response(404, b'{"detail": "no such route"}', {"content-type": "application/json"}),
    "JSON that is no object": Response(400, b'["no"]', {"content-type": "application/json"}),
}
"""What somebody in between answers in place of a cloud: none of it is in the form of any cloud's errors."""


class Cloud(Protocol):
    """What a cloud's API is made of. Its state is plain data: a copy of it answers when the API is to lie."""

    def answer(self, request: Request) -> Response:
        """Check the signature, keep the rules, change the state. Never called twice at the same time."""

    def throttled(self, retry_after: float | None) -> Response:
        """How this cloud says "too many requests"."""


@runtime_checkable
class Failing(Protocol):
    """A cloud that has words of its own for an internal error; for the others it is said in JSON."""

    def failed(self) -> Response:
        """How this cloud says "an internal error occurred"."""


class Luck(StrEnum):
    """What happens to a request, instead of an answer."""

    DROP_BEFORE = "the connection ends before the effect"
    DROP_AFTER = "the connection ends after the effect"
    HANG_BEFORE = "no effect and no answer"
    HANG_AFTER = "an effect and no answer"
    LIE = "the answer of a success, and no effect"
    THROTTLE = "too many requests"
    ERROR = "an internal error without effect"

    def timeout(self, short: str) -> str:
        """The time-out of a provider that meets this: a short one only where nothing but a time-out would end it."""
        return short if self in {Luck.HANG_BEFORE, Luck.HANG_AFTER} else "20s"


@dataclass(frozen=True)
class Call:
    """One request that arrived, and what was answered (status 0: nothing was)."""

    method: str
    path: str
    status: int
    at: float


@dataclass
class _Omen:
    """Bad luck that waits for its request."""

    luck: Luck
    concerns: Callable[[Request], bool]
    times: int
    retry_after: float | None


class Endpoint:
    """A running cloud. `url` is where it listens; `calls` is what arrived, in order."""

    def __init__(self, cloud: Cloud, url: str) -> None:
        self.cloud = cloud
        self.url = url
        self.calls: deque[Call] = deque(maxlen=100_000)
        self.released = threading.Event()  # set when the server goes: who hangs, ends
        self._lock = threading.Lock()
        self._omens: list[_Omen] = []
        self._writes_left: int | None = None  # below zero: nothing gets through any more
        self._last_takes_effect = False

    def die_after(self, writes: int, *, effect: bool) -> None:
        """Let so many more writes through, and then nothing at all, as if the client were killed at its next write.

        `effect`: that next write still takes effect, and nobody hears of it.
        """
        self._writes_left, self._last_takes_effect = writes, effect

    def expect(
        self,
        luck: Luck,
        *,
        method: str = ".*",
        path: str = ".*",
        times: int = 1,
        retry_after: float | None = None,
    ) -> None:
        """Order bad luck for the next `times` requests whose method and path match these expressions."""

        def concerns(request: Request) -> bool:
            return bool(re.fullmatch(method, request.method) and re.search(path, request.path))

        self._omens.append(_Omen(luck, concerns, times, retry_after))

    def relent(self) -> None:
        """No more bad luck."""
        self._omens.clear()
        self._writes_left = None

    def count(self, method: str = ".*", path: str = ".*") -> int:
        """How many requests of that kind arrived."""
        return sum(1 for call in list(self.calls) if re.fullmatch(method, call.method) and re.search(path, call.path))

    def respond(self, request: Request) -> Response | None:
        """The answer, or None when the connection is to end without one."""
        with self._lock:
            omen, response = None, None
            if not self._dead(request):
                omen = self._fate(request)
                response = self._suffer(omen, request) if omen is not None else self.cloud.answer(request)
            status = response.status if response is not None else 0
            self.calls.append(Call(request.method, request.path, status, time.monotonic()))
        if omen is not None and omen.luck in {Luck.HANG_BEFORE, Luck.HANG_AFTER}:
            self.released.wait()
        return response

    def _dead(self, request: Request) -> bool:
        """Whether the client is dead by now."""
        if self._writes_left is None or self._writes_left < 0 or not request.writes:
            return self._writes_left is not None and self._writes_left < 0
        self._writes_left -= 1
        if self._writes_left < 0 and self._last_takes_effect:
            self.cloud.answer(request)
        return self._writes_left < 0

    def _fate(self, request: Request) -> _Omen | None:
        for omen in self._omens:
            if omen.times > 0 and omen.concerns(request):
                omen.times -= 1
                return omen
        return None

    def _suffer(self, omen: _Omen, request: Request) -> Response | None:
        match omen.luck:
            case Luck.DROP_AFTER | Luck.HANG_AFTER:
                self.cloud.answer(request)
                return None
            case Luck.LIE:
                return copy.deepcopy(self.cloud).answer(request)  # the effect is the copy's
            case Luck.THROTTLE:
                return self.cloud.throttled(omen.retry_after)
            case Luck.ERROR if isinstance(self.cloud, Failing):
                return self.cloud.failed()
            case Luck.ERROR:
                return Response(500, b'{"code":"InternalError","message":"an internal error occurred"}',
                                {"content-type": "application/json"})  # fmt: skip
            case Luck.DROP_BEFORE | Luck.HANG_BEFORE:
                return None


@contextmanager
def serving(cloud: Cloud, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Endpoint]:
    """Serve the cloud on a free port, from threads of its own, until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        disable_nagle_algorithm = True  # head and body are two writes: without it each answer waits 40 ms for an ACK

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (OSError, ValueError):  # the client went away in the middle
                self.close_connection = True

        def respond(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), MAX_BODY)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(size))
            response = endpoint.respond(request)
            if response is None:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = respond  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
            """Nothing: `Endpoint.calls` is the log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that breaks its connection or its handshake is a scenario, no news."""

    server = Server((host, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "https" if tls is not None else "http"
    endpoint = Endpoint(cloud, f"{scheme}://{host}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Bucket:
    """A token bucket, as clouds ration requests: `rate` a second, `burst` at once. None of either: no limit."""

    def __init__(self, rate: float | None, burst: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def take(self) -> bool:
        """Whether one more request is allowed now."""
        if self._rate is None:
            return True
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @property
    def left(self) -> float:
        """What was left at the last request."""
        return self._tokens
