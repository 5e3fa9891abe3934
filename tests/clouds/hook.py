"""A webhook of one's own: takes JSON behind a bearer token, or answers what a test wants it to."""

import json
import threading
from collections.abc import Callable
from typing import Any

from clouds.serving import Request, Response

TOKEN = "hook-9f8e7d6c5b4a39281706f5e4d3c2b1a0"  # noqa: S105 - of this stand-in alone


class Hook:
    """A `Cloud`. `got` is what it took; `answers`, while it is set, is what it says instead."""

    def __init__(self, token: str | None = None) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: Response | None = None
        self._token = token
        self._news = threading.Condition()

    def answer(self, request: Request) -> Response:
        if self.answers is not None:
            return self.answers
        if self._token is not None and request.headers.get("authorization") != f"Bearer {self._token}":
            return Response(401, b"who are you?")
        with self._news:
            self.got.append(json.loads(request.body))
            self._news.notify_all()
        return Response(204)

    def wait(self, fits: Callable[[list[dict[str, Any]]], object], within: float = 20.0) -> None:
        """Return once what it took fits; not for the event loop of a test."""
        with self._news:
            assert self._news.wait_for(lambda: fits(self.got), within), self.got

    def throttled(self, retry_after: float | None) -> Response:
        return Response(429, b"", {} if retry_after is None else {"retry-after": f"{retry_after:g}"})
