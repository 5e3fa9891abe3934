"""A server that sends back what it was asked, as a careless proxy or a debugging page does, or half of an answer."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs

from clouds.serving import Cloud, Request, Response

ESCAPE = "\x1b[2J\x9b1m\u202e"
"""What a terminal would obey."""


def repeated(request: Request) -> str:
    """The request in plain text, with its credentials."""
    head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return f"{ESCAPE}{request.method} {request.target}\n{head}\n\n{request.body.decode('utf-8', 'replace')}"


def page(request: Request) -> Response:
    return Response(200, f"<html>{repeated(request)}</html>".encode(), {"content-type": "text/html"})


def broken_page(request: Request) -> Response:
    return Response(400, f"<html>{repeated(request)}</html>".encode(), {"content-type": "text/html"})


def bad_gateway(request: Request) -> Response:
    return Response(502, repeated(request).encode(), {"content-type": "text/plain"})


def json_error(request: Request) -> Response:
    """Under every key in which a cloud has its words."""
    text = repeated(request)
    said = dict.fromkeys(("code", "message", "error", "error_description", "Code", "Message", "errors"), text)
    return Response(400, json.dumps(said).encode(), {"content-type": "application/json"})


def nested_error(request: Request) -> Response:
    said = {"error": {"code": "BadRequest", "message": repeated(request)}}
    return Response(400, json.dumps(said).encode(), {"content-type": "application/json"})


def forbidden(request: Request) -> Response:
    said = {"code": "NotAuthorized", "message": repeated(request)}
    return Response(401, json.dumps(said).encode(), {"content-type": "application/json"})


MIRRORS: dict[str, Callable[[Request], Response]] = {
    mirror.__name__: mirror for mirror in (page, broken_page, bad_gateway, json_error, nested_error, forbidden)
}


class Mirror:
    """Stands where a cloud was. `asked` is what arrived: the credentials are looked for in it."""

    def __init__(self, cloud: Cloud, answer: Callable[[Request], Response]) -> None:
        self._cloud = cloud
        self._answer = answer
        self.asked: list[Request] = []

    def answer(self, request: Request) -> Response:
        """What is asked without a credential is answered as it should be."""
        if not credentials(request):
            return self._cloud.answer(request)
        self.asked.append(request)
        return self._answer(request)

    def throttled(self, retry_after: float | None) -> Response:
        return self._cloud.throttled(retry_after)


class Half:
    """Its cloud's answers, cut off in the middle."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def answer(self, request: Request) -> Response:
        whole = self._cloud.answer(request)
        return Response(whole.status, whole.body[: len(whole.body) // 2], whole.headers)

    def throttled(self, retry_after: float | None) -> Response:
        return self._cloud.throttled(retry_after)


def credentials(request: Request) -> list[str]:
    """What of a request nobody may see: tokens, secrets and signatures, from its header fields and from a form."""
    head, form = request.headers, parse_qs(request.body.decode("utf-8", "replace"))
    found = [head.get("x-api-key", ""), head.get("x-amz-security-token", "")]
    found += [value for name in ("client_secret", "client_assertion") for value in form.get(name, [])]
    authorization = head.get("authorization", "")
    found += re.findall(r'(?i:signature)="?([^",]+)', authorization)
    found += [authorization.partition(" ")[2]] if authorization.startswith("Bearer ") else []
    return [value for value in found if value]
