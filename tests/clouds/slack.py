"""A Slack channel with an incoming webhook, as its public documentation has it: a POST of one JSON object, `ok` back.

Errors are words in plain text: `no_service` for a webhook that is not there, `invalid_payload`, `no_text`.
"""

import json
from typing import Any

from clouds.serving import Bucket, Request, Response

PATH = "/services/T00000000/B00000000/Xa2kR8vQ1mZs7LpD4wNcE6tY"


class Slack:
    """A `Cloud`. `messages` is what stands in the channel."""

    def __init__(self, rate: float | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self._bucket = Bucket(rate, 1.0)

    def answer(self, request: Request) -> Response:
        if request.method != "POST" or request.path != PATH:
            return _said(404, "no_service")
        if not self._bucket.take():
            return self.throttled(1)
        try:
            message = json.loads(request.body)
        except ValueError:
            message = None
        wrong = _complaint(message)
        if wrong:
            return _said(400, wrong)
        self.messages.append(message)
        return _said(200, "ok")

    def throttled(self, retry_after: float | None) -> Response:
        return Response(429, b"rate_limited", {"retry-after": f"{retry_after or 1:g}"})


def _complaint(message: Any) -> str:  # noqa: ANN401 - whatever was sent
    if not isinstance(message, dict) or message.keys() - {"text", "blocks"}:
        return "invalid_payload"
    if not isinstance(message.get("text"), str) or not message["text"]:
        return "no_text"
    blocks = message.get("blocks", [])
    return "" if len(blocks) <= 50 and all(map(_is_block, blocks)) else "invalid_blocks"


def _is_block(block: Any) -> bool:  # noqa: ANN401 - whatever was sent
    if not isinstance(block, dict) or set(block) != {"type", "text"} or block["type"] != "section":
        return False
    text = block["text"]
    return set(text) == {"type", "text"} and text["type"] == "mrkdwn" and 0 < len(text["text"]) <= 3000


def _said(status: int, words: str) -> Response:
    return Response(status, words.encode(), {"content-type": "text/plain"})
