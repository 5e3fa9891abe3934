"""What the parts of the local Azure share: a request taken apart, an answer, an error, conditions and pages.

Azure Resource Manager says errors as `{"error": {"code", "message"}}`. Azure DNS, behind it, says `{"code", "message"}`
without the envelope; clients meet both, so both are kept (`ArmError.bare`).
"""

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

Json = dict[str, Any]

NAMESPACE = "Microsoft.Network"


class ArmError(Exception):
    """A refusal. `bare`: said without the envelope of the resource manager."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None, *, bare: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.bare = bare

    @property
    def body(self) -> bytes:
        said = {"code": self.code, "message": self.message}
        return json.dumps(said if self.bare else {"error": said}).encode()


@dataclass(frozen=True)
class Reply:
    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """A request for resources of `Microsoft.Network`.

    Attributes:
        types: the resource types of the path, lower-case: `("dnszones", "a")`.
        names: the names between them, as given: `("example.test", "api")`. One less than types: a list is asked for.
        base: scheme, host and port that the client used; links to further pages begin with it.
        path: the path as sent.
    """

    method: str
    subscription: str
    group: str | None
    types: tuple[str, ...]
    names: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str
    path: str

    @property
    def kind(self) -> tuple[str, int, int]:
        """What dispatch goes by: the method, how many types, how many names."""
        return self.method, len(self.types), len(self.names)

    @property
    def content(self) -> Json:
        """The body; raises 400 when it is no JSON object."""
        try:
            content = json.loads(self.body)
        except ValueError as error:
            raise ArmError(400, "InvalidRequestContent", f"The request content was invalid: {error}.") from error
        if not isinstance(content, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: an object was expected.")
        return content


def new_etag() -> str:
    """An ETag, as Azure makes them: a UUID, new with every write."""
    return str(uuid.uuid4())


def check_conditions(ask: Ask, current: str | None) -> None:
    """Raise 412 unless If-Match and If-None-Match hold; `current` is the ETag, None when the resource is absent.

    If-Match asks for an existing resource, also with `*`; of If-None-Match only `*` means something. (Azure DNS, etags)
    """
    wanted = ask.headers.get("if-match", "").strip().strip('"')
    if wanted and (current is None or wanted not in {"*", current}):
        raise _unmet(f"If-Match asks for {wanted!r}, and the current ETag is {current!r}")
    if ask.headers.get("if-none-match", "").strip() == "*" and current is not None:
        raise _unmet("If-None-Match forbids a resource that exists")


def _unmet(message: str) -> ArmError:
    return ArmError(412, "PreconditionFailed", f"The condition was not met: {message}.", bare=True)


def page(ask: Ask, items: Sequence[Json], most: int) -> Reply:
    """One page of a list, at most `$top` and never more than `most`, with the link to the next."""
    size = min(_count(ask.query.get("$top"), most), most)
    start = _count(ask.query.get("$skipToken"), 0)
    body: Json = {"value": list(items[start : start + size])}
    if start + size < len(items):
        further = {**ask.query, "$skipToken": str(start + size)}
        body["nextLink"] = f"{ask.base}{quote(ask.path)}?{urlencode(further)}"
    return Reply(200, body)


def _count(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal():
        raise ArmError(400, "BadRequest", f"A count was expected instead of {text!r}.", bare=True)
    return int(text) or default


def seconds(wait: float) -> str:
    """A Retry-After: whole seconds, at least one."""
    return str(max(1, math.ceil(wait)))


def whole(value: object, low: int, high: int) -> int | None:
    """The value, if it is a whole number in this range (both ends belong to it)."""
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def strings(value: object) -> dict[str, str] | None:
    """The value, if it maps strings to strings: tags, metadata."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        return None
    return dict(value)
