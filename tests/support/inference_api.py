"""A small OpenAI-compatible server on loopback, strict about what it is asked, with answers that a test chooses.

async with inference_api() as api:
    api.completion = streamed(delta("pong"), usage(6, 1))
    await prober("inference", "/v1", model="m").probe(api.endpoint)
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from support.targets import Connection, Target, response, serve

from failoverd.core.records import Endpoint

MODEL = "llama-3.3-70b"
KEY = "sk-0123456789-abcdefgh"
DONE = b"data: [DONE]\n\n"


def data(chunk: object) -> bytes:
    """One event of a stream."""
    return b"data: " + (chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()) + b"\n\n"


def delta(text: str, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text, **more}, "finish_reason": finish}
    return data({"object": "chat.completion.chunk", "model": MODEL, "choices": [choice]})


def usage(prompt: int, completion: int) -> bytes:
    """The last chunk, which only has the counts."""
    total = prompt + completion
    return data(
        {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}}
    )


def streamed(*parts: bytes, kind: str = "text/event-stream; charset=utf-8") -> tuple[bytes, ...]:
    """A stream that ends with the connection."""
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode(), *parts)


def listed(*models: dict[str, Any]) -> bytes:
    body = json.dumps({"object": "list", "data": [{"object": "model", **model} for model in models]}).encode()
    return response("200 OK", body, "Content-Type: application/json")


PONG = streamed(delta(""), delta("pong", "length"), usage(12, 1), DONE)


@dataclass
class Api:
    """What is answered to each rung, in parts, and which paths were asked. `key`: it asks for one."""

    live: tuple[bytes, ...] = (response("200 OK"),)
    models: tuple[bytes, ...] = (listed({"id": "other"}, {"id": MODEL, "owned_by": "vllm", "root": "/models/r7"}),)
    completion: tuple[bytes, ...] = PONG
    key: str | None = None
    max_tokens: int = 1
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    target: Target | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def endpoint(self) -> Endpoint:
        assert self.target is not None
        return self.target.endpoint

    def count(self, path: str) -> int:
        return self.asked.count(path)

    async def until_asked(self, path: str, times: int) -> None:
        while self.count(path) < times:
            self.news.clear()
            await self.news.wait()

    async def answer(self, connection: Connection) -> None:
        head = (await connection.reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest if each)}
        body = await connection.reader.readexactly(int(fields.get("content-length", 0)))
        method, path, version = line.split(" ")
        self.asked.append(path)
        self.news.set()
        if self.key is not None and fields.get("authorization") != f"Bearer {self.key}":
            await connection.send(response("401 Unauthorized", f"wrong key {fields.get('authorization')}".encode()))
            return
        assert version == "HTTP/1.1"
        assert fields["host"]
        await connection.send(*self._parts(method, path, fields, body))
        if self.hangs:
            await connection.hold()

    def _parts(self, method: str, path: str, fields: dict[str, str], body: bytes) -> tuple[bytes, ...]:
        match method, path:
            case "GET", "/health":
                return self.live
            case "GET", "/v1/models":
                return self.models
            case "POST", "/v1/chat/completions":
                return self.completion if self._is_right(fields, body) else (response("400 Bad Request"),)
        return (response("404 Not Found"),)

    def _is_right(self, fields: dict[str, str], body: bytes) -> bool:
        asked = json.loads(body)
        (message,) = asked.pop("messages")
        return (
            fields["content-type"] == "application/json"
            and set(message) == {"role", "content"}
            and message["role"] == "user"
            and asked
            == {
                "model": MODEL,
                "max_tokens": self.max_tokens,
                "temperature": 0,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )


@asynccontextmanager
async def inference_api(**said: Any) -> AsyncIterator[Api]:  # noqa: ANN401 - the fields of Api
    api = Api(**said)
    async with serve(api.answer) as target:
        api.target = target
        yield api
