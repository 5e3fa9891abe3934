"""What receivers share: addresses in their settings, secrets in files, and notices as JSON."""

import json
from collections.abc import Mapping
from typing import Any, Final

from failoverd.core.events import Level
from failoverd.core.status import Notice
from failoverd.outgoing import Url, bearer, parse_url, place_of, read_secret, require_tls

__all__ = [
    "SEVERITIES",
    "Url",
    "bearer",
    "encoded",
    "key_of",
    "parse_url",
    "place_of",
    "read_secret",
    "require_tls",
]

SEVERITIES: Final[Mapping[str, str]] = {Level.ERROR: "critical", Level.WARNING: "warning"}
"""As PagerDuty calls them, and most who write rules for Alertmanager."""


def encoded(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can say
    return json.dumps(value).encode()


def key_of(notice: Notice, owner: str) -> str:
    """The key of a trouble as other systems know it: the same for as long as it lasts."""
    return "/".join((owner, notice.kind, *filter(None, (notice.policy, notice.subject, notice.member))))
