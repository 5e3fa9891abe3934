"""What every resource of the OCI API shares: errors, bodies, conditional requests, pages.

Sources: the "API Errors" reference for statuses and codes, RFC 9110 section 13 for conditions, and the DNS API
reference (20180115) for the headers of each operation.
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

Json = dict[str, Any]
Item = TypeVar("Item")

PAGE = 50  # items in a page when the client does not say
MAX_PAGE = 100  # a larger limit is quietly lowered: who does not follow opc-next-page loses records


class OciError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def invalid(message: str) -> OciError:
    return OciError(400, "InvalidParameter", message)


def missing(name: str) -> OciError:
    return OciError(400, "MissingParameter", f"{name} is required")


def not_found() -> OciError:
    """Said of what is not there and of what the caller may not see, in the same words."""
    return OciError(404, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found.")


def related_not_found() -> OciError:
    """Said of something that a body refers to."""
    return OciError(
        400, "RelatedResourceNotAuthorizedOrNotFound", "Authorization failed or related resource not found."
    )


def conflict(message: str) -> OciError:
    return OciError(409, "Conflict", message)


@dataclass(frozen=True)
class Ask:
    """A request whose signature was right, taken apart. `operation` is its name in the API reference."""

    operation: str
    names: tuple[str, ...]  # what stands in the variable parts of the path
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now: float

    def details(self, allowed: Collection[str]) -> Json:
        """The body, an object with no other fields than these."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            raise OciError(400, "CannotParseRequest", "The body is not JSON.") from None
        return only(parsed, allowed)


@dataclass(frozen=True)
class Reply:
    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


def only(value: object, allowed: Collection[str]) -> Json:
    """The value, an object with no other fields than these; a field that is null is as good as absent."""
    if not isinstance(value, dict):
        raise OciError(400, "CannotParseRequest", "An object was expected.")
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise OciError(400, "CannotParseRequest", f"Unrecognized field: {', '.join(unknown)}")
    return {name: item for name, item in value.items() if item is not None}


def items(details: Json, name: str = "items") -> list[object]:
    found = details.get(name)
    if found is None:
        raise missing(name)
    if not isinstance(found, list):
        raise invalid(f"{name} must be a list")
    return found


def know(query: Mapping[str, str], allowed: Collection[str]) -> None:
    unknown = sorted(set(query) - set(allowed))
    if unknown:
        raise invalid(f"unknown query parameter: {', '.join(unknown)}")


def timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_conditions(ask: Ask, etag: str | None, changed: float) -> None:
    """Refuse a write whose If-Match or If-Unmodified-Since no longer holds; `etag` is None when nothing is there."""
    wanted = ask.headers.get("if-match")
    if wanted is not None and not _listed(wanted, etag):
        raise OciError(412, "NoEtagMatch", "The ETag of the request does not match the ETag of the resource.")
    since = ask.headers.get("if-unmodified-since")
    if wanted is None and since is not None and int(changed) > _date(since):
        raise OciError(412, "NoEtagMatch", "The resource was modified since the given date.")


def unchanged(ask: Ask, etag: str | None, changed: float) -> bool:
    """Whether a read may be answered by 304."""
    known = ask.headers.get("if-none-match")
    if known is not None:
        return _listed(known, etag)
    since = ask.headers.get("if-modified-since")
    return since is not None and int(changed) <= _date(since)


def _listed(field_value: str, etag: str | None) -> bool:
    if etag is None:
        return False
    return field_value.strip() == "*" or etag in {one.strip() for one in field_value.split(",")}


def _date(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        raise invalid(f"{text!r} is no HTTP date") from None


def page(found: Sequence[Item], query: Mapping[str, str]) -> tuple[list[Item], dict[str, str]]:
    """One page of what was found, with the headers that lead to the next one."""
    size = _size(query.get("limit"))
    start = _start(query.get("page"), len(found))
    headers = {"opc-total-items": str(len(found))}
    if start + size < len(found):
        headers["opc-next-page"] = base64.urlsafe_b64encode(f"at {start + size}".encode()).decode()
    return list(found[start : start + size]), headers


def _size(limit: str | None) -> int:
    if limit is None:
        return PAGE
    if not limit.isdigit() or int(limit) < 1:
        raise invalid(f"limit must be a positive number, not {limit!r}")
    return min(int(limit), MAX_PAGE)


def _start(token: str | None, total: int) -> int:
    if token is None:
        return 0
    try:
        word, _, place = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
    except (binascii.Error, ValueError):
        raise invalid("page is no token of this API") from None
    if word != "at" or not place.isdigit() or int(place) > total:
        raise invalid("page is no token of this API")
    return int(place)
