"""Ids of decisions and changes: made of what they name, so that equal inputs give equal ids and a replay finds them."""

from datetime import UTC, datetime
from hashlib import blake2s


def identity(prefix: str, at: float, *named: object) -> str:
    """An id that sorts by time and can be read over the phone: `chg-20261122t031205-9f3a1c`."""
    digest = blake2s(repr((prefix, at, *named)).encode(), digest_size=3).hexdigest()
    return f"{prefix}-{datetime.fromtimestamp(at, UTC):%Y%m%dt%H%M%S}-{digest}"
