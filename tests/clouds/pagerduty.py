"""PagerDuty's Events API v2, as its public documentation has it, at its strictest.

One event is one POST to `/v2/enqueue`. What the documentation calls required is required, what it does not know is
refused, its limits of length are kept. Alerts are open by `dedup_key`; a trigger of one that is open is added to it.
"""

import json
import re
from typing import Any

from clouds.serving import Bucket, Request, Response

ROUTING_KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
_ACTIONS = {"trigger", "acknowledge", "resolve"}
_SEVERITIES = {"critical", "error", "warning", "info"}
_KEYS = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


class PagerDuty:
    """A `Cloud`. `open` are the alerts that are not resolved, `log` every event that was taken."""

    def __init__(self, rate: float | None = None) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, str]] = []
        self._bucket = Bucket(rate, 1.0)

    def answer(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return Response(404)
        if not self._bucket.take():
            return self.throttled(None)
        if len(request.body) > 512 * 1024:
            return Response(413)
        wrong = self._complaints(request)
        if wrong:
            return _said(400, {"status": "invalid event", "message": "Event object is invalid", "errors": wrong})
        event = json.loads(request.body)
        action, key = event["event_action"], event["dedup_key"]
        self.log.append((action, key))
        if action == "trigger":
            self.open[key] = event
        elif action == "resolve":
            self.open.pop(key, None)
        return _said(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def throttled(self, retry_after: float | None) -> Response:
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return Response(429, b"", headers)

    def _complaints(self, request: Request) -> list[str]:
        try:
            event = json.loads(request.body)
        except ValueError:
            return ["not JSON"]
        if not request.headers.get("content-type", "").startswith("application/json") or not isinstance(event, dict):
            return ["not a JSON object"]
        wrong = [f"{key} is not known" for key in event.keys() - _KEYS]
        if event.get("routing_key") != ROUTING_KEY:
            wrong.append("routing_key is not that of an integration")
        if event.get("event_action") not in _ACTIONS:
            wrong.append("event_action is not valid")
        key = event.get("dedup_key")
        if not isinstance(key, str) or not 0 < len(key) <= 255:
            wrong.append("dedup_key must have 1 to 255 characters")
        return wrong + (_of_payload(event.get("payload")) if event.get("event_action") == "trigger" else [])


def _of_payload(payload: Any) -> list[str]:  # noqa: ANN401 - whatever was sent
    if not isinstance(payload, dict):
        return ["payload is required"]
    wrong = [f"payload.{key} is not known" for key in payload.keys() - _PAYLOAD]
    wrong += [f"payload.{key} is required" for key in ("summary", "source", "severity") if not payload.get(key)]
    if len(str(payload.get("summary"))) > 1024:
        wrong.append("payload.summary is longer than 1024 characters")
    if payload.get("severity") not in _SEVERITIES:
        wrong.append("payload.severity is not valid")
    if "timestamp" in payload and not _TIME.fullmatch(str(payload["timestamp"])):
        wrong.append("payload.timestamp is not ISO 8601")
    return wrong


def _said(status: int, body: dict[str, Any]) -> Response:
    return Response(status, json.dumps(body).encode(), {"content-type": "application/json"})
