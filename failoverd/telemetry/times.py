"""Times as everybody outside reads them."""

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """UTC with milliseconds (RFC 3339, section 5.6)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
