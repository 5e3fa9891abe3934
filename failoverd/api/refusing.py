"""How it is said that something was not done, and with which status."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from failoverd.api.actors import RefusedError
from failoverd.api.shapes import problem
from failoverd.api.trail import TrailReply
from failoverd.core.errors import CoordinationError, FailoverdError, JournalError, ProviderError, classified

_STATUS: Final = {
    "too_many_plans": 429,
    "not_leader": 409,
    "nobody_else": 409,
    "override_conflict": 409,
    "override_over": 409,
    "override_unknown": 404,
    "change_unknown": 404,
    "policy_unknown": 404,
    "member_unknown": 404,
    "incident_unknown": 404,
    "record_unknown": 404,
    "no_change": 404,
}
"""By reason of an error; whatever else stands against a request is 422, and what does not work now is 503."""


def status_of(error: FailoverdError) -> int:
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, CoordinationError | JournalError | ProviderError) or error.reason == "still_working":
        return 503
    return _STATUS.get(error.reason, 422)


def told_defect(defect: Exception) -> FailoverdError:
    """A defect of ours, in the log as well."""
    told = {"message": "a request could not be answered", "exception": defect}
    asyncio.get_running_loop().call_exception_handler(told)
    return classified(defect)


def problem_reply(error: FailoverdError, status: int) -> TrailReply:
    """As it is kept for who asks again with the same key, unless it may pass by itself."""
    body = problem(status, error.reason, error.detail, error.remedy).to_json()
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    return TrailReply(status, body, final=not passing)


def refusal(error: FailoverdError, status: int) -> web.Response:
    headers = {"Content-Type": "application/problem+json"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="failoverd"'
    if isinstance(error, RefusedError):
        headers |= error.headers
    return web.Response(status=status, body=problem_reply(error, status).body, headers=headers)
