"""What the status of an HTTP answer means to a check."""

from collections.abc import Mapping
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding

_TOO_MANY_REQUESTS: Final = 429
_REDIRECTS: Final = range(300, 400)
_REFUSED: Final = frozenset({401, 403})
_MOST_KEPT: Final = 32


class StatusRules:
    """What statuses mean to a check. One for all of its probes: what is found often is made once.

    Args:
        passing: statuses that pass.
        secret: whether the request carries a credential; that it is refused says nothing about the endpoint.
    """

    def __init__(self, passing: frozenset[int], *, secret: bool = False) -> None:
        self.passing = passing
        self._secret = secret
        self._fine: dict[tuple[int, str], Finding] = {}

    def fine(self, status: int, reason: str) -> Finding:
        """A status that passes, in the words of the server."""
        found = self._fine.get((status, reason))
        if found is None:
            found = Finding(ProbeReason.OK, f"{status} {reason}".rstrip())
            if len(self._fine) < _MOST_KEPT:  # the words are the server's: it might have new ones each time
                self._fine[status, reason] = found
        return found

    def wrong(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding:
        """A status that does not pass."""
        words = f"{status} {reason}".rstrip()
        if status == _TOO_MANY_REQUESTS:
            return Finding(ProbeReason.OVERLOADED, words)
        if self._secret and status in _REFUSED:
            return Finding(ProbeReason.CREDENTIAL_REFUSED, f"{words}: it does not accept the credential of the check")
        if status in _REDIRECTS:
            place = headers.get("location")
            words = f"{words} to {place!r}, where it is not followed" if place else f"{words}, and no place to go to"
        return Finding(ProbeReason.STATUS_UNEXPECTED, words)
