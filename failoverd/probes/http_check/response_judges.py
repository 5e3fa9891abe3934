"""What an answer means: by its status alone, by a text in its body, or as a whole."""

from collections.abc import Mapping
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, excerpt
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.body_expectations import lacking
from failoverd.probes.http_check.redirects import FOLLOWED

_EXCERPT: Final = 60


class StatusJudge:
    """Has heard enough when it knows the status. Keeps nothing of an answer, so one of it judges all of them."""

    __slots__ = ("_passing", "_statuses")

    def __init__(self, statuses: StatusRules) -> None:
        self._statuses = statuses
        self._passing = statuses.passing

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding:
        if status in self._passing:
            return self._statuses.fine(status, reason)
        return self._statuses.wrong(status, reason, headers)

    def body(self, data: bytes) -> None:
        """The head has ended it."""

    def cut(self) -> None:
        """The head has ended it."""

    def end(self) -> Finding:
        raise AssertionError("the head has ended it")


class TextJudge:
    """Looks for a text in the body, of which it keeps no more than it must.

    The answer is heard to its end all the same: one that is cut off is none, whatever it says before that.
    """

    __slots__ = ("_cut", "_found", "_size", "_start", "_statuses", "_tail", "_wanted")

    def __init__(self, statuses: StatusRules, wanted: bytes) -> None:
        self._statuses = statuses
        self._wanted = wanted
        self._found = False
        self._start = b""
        self._tail = b""
        self._size = 0
        self._cut = False

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        if status in self._statuses.passing:
            return None
        return self._statuses.wrong(status, reason, headers)

    def body(self, data: bytes) -> None:
        """The text may begin in one part of the body and end in another."""
        if self._found:
            return
        self._size += len(data)
        self._start += data[: _EXCERPT - len(self._start)]
        window = self._tail + data
        self._tail = window[max(0, len(window) - len(self._wanted) + 1) :]
        self._found = self._wanted in window

    def cut(self) -> None:
        self._cut = True

    def end(self) -> Finding:
        if self._found:
            return _CONTAINED
        what = f"contain {excerpt(self._wanted)}"
        return Finding(ProbeReason.BODY_MISMATCH, lacking(what, self._size, self._start, cut=self._cut))


_CONTAINED: Final = Finding(ProbeReason.OK, "the body contains what it should")


class Collector:
    """Keeps an answer that is judged once it is complete, or notes where a redirect points to.

    Attributes:
        status: the status of the answer.
        location: where it points to, when it is a redirect that is followed; then there is no body.
        content: the body, or the beginning of it, when `whole` is asked for.
        is_cut: whether there is more of it.
        is_complete: whether there is a body to be judged.
    """

    def __init__(self, statuses: StatusRules, *, whole: bool, follow: bool) -> None:
        self._statuses = statuses
        self._whole = whole
        self._follow = follow
        self._parts: list[bytes] = []
        self._fine = Finding(ProbeReason.OK)
        self.status = 0
        self.location: str | None = None
        self.is_cut = False
        self.is_complete = False

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        self.status = status
        if status in self._statuses.passing:
            self._fine = self._statuses.fine(status, reason)
            return None if self._whole else self._fine
        if self._follow and status in FOLLOWED and headers.get("location"):
            self.location = headers["location"]
            return Finding(ProbeReason.OK, f"{status} {reason}".rstrip())
        return self._statuses.wrong(status, reason, headers)

    def body(self, data: bytes) -> None:
        self._parts.append(data)

    def cut(self) -> None:
        self.is_cut = True

    def end(self) -> Finding:
        self.is_complete = True
        return self._fine
