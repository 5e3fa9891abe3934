"""What a request says: who sends it from where, what it asks, and what is wrong with that. Nothing is judged here."""

import asyncio
import json
import re
from contextlib import suppress
from typing import Final
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from failoverd.api.actors import RefusedError
from failoverd.api.asked import AskedModel, Query
from failoverd.api.bounds import LARGEST_BODY, LARGEST_PLAN
from failoverd.api.routes import EXPECTED, EXPECTED_PATTERN, Route

_WRONG_SHOWN: Final = 8


def origin(request: web.Request) -> str:
    """An address. Of the socket it is known better: see `actors`."""
    found = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(found[0]) if isinstance(found, tuple) and found else "this host"


def new_key() -> str:
    """One that no request has: who sends it gives it none."""
    return f"failoverd-{uuid4()}"


def query_of(route: Route, request: web.Request) -> Query:
    """What is asked behind the path. Raises RefusedError where the route knows no such thing."""
    said: dict[str, str] = {}
    for name, value in request.query.items():
        if name in said:
            raise RefusedError(422, "query_invalid", f"{name[:80]!r} is said twice")
        said[name] = value
    try:
        return route.query.model_validate(said)
    except ValidationError as error:
        raise RefusedError(422, "query_invalid", _wrong(error), "GET /v1/openapi.json says what there is") from error


def understood(route: Route, raw: bytes) -> AskedModel:
    """What a body asks. Raises RefusedError, which names each value that is wrong and repeats none."""
    if route.asked is None:
        raise TypeError(f"{route.name} only reads")
    with suppress(ValueError, RecursionError):  # what is no JSON is told below
        json.loads(raw, object_pairs_hook=_each_once)
    try:
        return route.asked.model_validate_json(raw)
    except ValidationError as error:
        status = 400 if any(each["type"] == "json_invalid" for each in error.errors(include_input=False)) else 422
        raise RefusedError(status, "body_invalid", _wrong(error), "GET /v1/openapi.json says what there is") from error


def _each_once(pairs: list[tuple[str, object]]) -> None:
    """Of a key that is written twice, nobody can say which one is meant (RFC 8259, section 4)."""
    said = set[str]()
    for name, _ in pairs:
        if name in said:
            raise RefusedError(422, "body_invalid", f"{name[:80]!r} is said twice", "write each key once")
        said.add(name)


def _wrong(error: ValidationError) -> str:
    """What is wrong with each value, without repeating it."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    words = (
        f"{'.'.join(map(str, each['loc']))[:80]}: {each['msg']}".removeprefix(": ") for each in found[:_WRONG_SHOWN]
    )
    more = f"; {len(found) - _WRONG_SHOWN} more" if len(found) > _WRONG_SHOWN else ""
    return "; ".join(words) + more


def expected_of(route: Route, request: web.Request) -> str | None:
    said = request.headers.get(EXPECTED) if route.rests else None
    if said is not None and not re.fullmatch(EXPECTED_PATTERN, said):
        words = f"{EXPECTED} names no version of the overrides"
        raise RefusedError(400, "version_invalid", words, "GET /v1/overrides has it in its ETag, quotes and all")
    return said.strip('"') if said is not None else None


async def _require_heard(request: web.Request) -> None:
    """Whoever hung up before it began has given it up, and did something else since: nothing is done late.

    A daemon that stood still (a machine that swaps, or was paused) finds the requests of all that time at once, in no
    order. The end of a connection is seen by the loop one turn after what came before it.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if request.transport is None or request.transport.is_closing():
        raise RefusedError(400, "hung_up", "whoever asked hung up before it was begun: it is not done", "ask again")


def require_json(request: web.Request) -> None:
    if request.content_type != "application/json":
        raise RefusedError(415, "body_unknown", "the body is no application/json", "say so in Content-Type")


async def body_of(route: Route, request: web.Request) -> bytes:
    """The body, of who is still there when all of it has come."""
    require_json(request)
    raw = await _body(request, LARGEST_PLAN if route.name == "apply" else LARGEST_BODY)
    await _require_heard(request)
    return raw


async def _body(request: web.Request, most: int) -> bytes:
    """Refused by what is announced, and by what comes, whatever was announced."""
    raw = bytearray()
    if (request.content_length or 0) <= most:
        async for part in request.content.iter_any():
            raw += part
            if len(raw) > most:
                break
        else:
            return bytes(raw)
    raise RefusedError(413, "body_too_large", f"the body has more than {most // 1024} KiB", "say less")
