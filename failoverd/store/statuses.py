"""Where everything stands, as the journal says it to other processes: beside a running daemon or after it died.

Nothing here writes to the journal, or needs anything of what history is made of: an answer has to be there at once.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from failoverd import codec
from failoverd.core.overrides import Override
from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
    MembersStatus,
    NotificationsStatus,
    OrphanedRecord,
    OrphansStatus,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    ProbingStatus,
    RefusedFile,
    RegionStatus,
    Status,
    TargetStatus,
    VantageStatus,
)
from failoverd.files import require_regular
from failoverd.store.access import copied, require_readable
from failoverd.store.failures import failure, journal_errors, reason_of
from failoverd.store.migrations import MIGRATIONS, check
from failoverd.store.sieve import Sieve, extract, lenient

T = TypeVar("T")

Key = tuple[str, str, str]
"""Kind, key and policy of a status: what it replaces, and with which policy it goes."""

BUSY_SECONDS: Final = 2.0
"""How long a read or a write waits for another process."""


def status_key(status: Status) -> Key:
    match status:
        case TargetStatus(target=target):
            words = (target.policy, target.key.name, target.key.type.value, target.provider, target.zone)
            return "target", " ".join(words), target.policy
        case RegionStatus(policy=policy, record_type=record_type, region=region):
            return "region", f"{policy} {record_type} {region}", policy
        case EndpointStatus(policy=policy, region=region, endpoint=endpoint):
            return "endpoint", f"{policy} {region} {endpoint}", policy
        case PolicyStatus(policy=policy):
            return "policy", policy, policy
        case Heartbeat() | VantageStatus() | ProbingStatus() | OrphansStatus() | FilesStatus():
            return _OF_THE_DAEMON[type(status)], "daemon", ""
        case NotificationsStatus() | PlannedStatus() | MembersStatus():
            return _OF_THE_DAEMON[type(status)], "daemon", ""


_OF_THE_DAEMON: Final = {
    Heartbeat: "heartbeat",
    VantageStatus: "vantage",
    ProbingStatus: "probing",
    OrphansStatus: "orphans",
    FilesStatus: "files",
    NotificationsStatus: "notifications",
    PlannedStatus: "planned",
    MembersStatus: "members",
}


class Written:
    """What the journal is known to hold, so that only news is written. Belongs to the thread that writes."""

    def __init__(self) -> None:
        self._connection: object = None
        self._known: dict[str, dict[Key, Status]] = {}

    def news(self, connection: object, statuses: Iterable[Status]) -> dict[Key, Status]:
        """Those that say something else than what stands there. A connection that is new may be to another file."""
        if connection is not self._connection:
            self._connection, self._known = connection, {}
        return {key: status for status in statuses if self._is_news(key := status_key(status), status)}

    def keep(self, news: Mapping[Key, Status]) -> None:
        for key, status in news.items():
            self._known.setdefault(key[2], {})[key] = status

    def forget(self, policy: str) -> None:
        self._known.pop(policy, None)

    def doubt(self) -> None:
        """Whatever was written last may not be there."""
        self._known.clear()

    def _is_news(self, key: Key, status: Status) -> bool:
        known = self._known.get(key[2], {}).get(key)
        if known is status:
            return False
        return known is None or not key[2] or _dated_as(known, status) != status


def _dated_as(known: Status, status: Status) -> Status:
    """With the moments of the newer one: that it was looked at again is no news."""
    if isinstance(known, RegionStatus) and isinstance(status, RegionStatus):
        return replace(known, at=status.at, seen=status.seen)
    return replace(known, at=status.at)


class StatusReading:
    """Open it as a context manager. Raises JournalError when there is no journal, or none that can be read.

    A journal in a directory that the caller may not write (a dead daemon leaves a write-ahead log that SQLite would
    have to recover) is read from a private copy.

    A row that cannot be read is left out: `skipped` says how many were.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sieve = Sieve()
        with journal_errors(path), ExitStack() as stack:
            self._connection = self._opened(stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def skipped(self) -> int:
        return len(self._sieve.left_out)

    def heartbeat(self) -> Heartbeat | None:
        """When the daemon was last alive; None when it never was."""
        return next(iter(self._statuses("heartbeat", Heartbeat)), None)

    def vantage(self) -> VantageStatus | None:
        """What the daemon thought of its own network; None when an older version wrote the journal."""
        return next(iter(self._statuses("vantage", VantageStatus)), None)

    def probing(self) -> ProbingStatus | None:
        """How probing kept up; None when an older version wrote the journal."""
        return next(iter(self._statuses("probing", ProbingStatus)), None)

    def policies(self) -> tuple[PolicyStatus, ...]:
        return self._statuses("policy", PolicyStatus)

    def targets(self) -> tuple[TargetStatus, ...]:
        return self._statuses("target", TargetStatus)

    def regions(self, policy: str | None = None) -> tuple[RegionStatus, ...]:
        """Of one policy, or of all."""
        if policy is None:
            return self._statuses("region", RegionStatus)
        return self._statuses("region", RegionStatus, "AND policy = ?", policy)

    def endpoints(self, *, healthy: bool = True) -> tuple[EndpointStatus, ...]:
        """Those that are `healthy` are many, and may be left out."""
        return self._statuses("endpoint", EndpointStatus, "" if healthy else _NOT_HEALTHY)

    def orphans(self) -> tuple[OrphanedRecord, ...]:
        """Records that no policy file names any more."""
        return tuple(record for status in self._statuses("orphans", OrphansStatus) for record in status.records)

    def refused_files(self) -> tuple[RefusedFile, ...]:
        """What could not be taken up, where no policy that runs tells of it."""
        return tuple(file for status in self._statuses("files", FilesStatus) for file in status.refused)

    def warned_files(self) -> tuple[RefusedFile, ...]:
        """What is at work, and does not do what it is for."""
        return tuple(file for status in self._statuses("files", FilesStatus) for file in status.warned)

    def deferred(self) -> tuple[str, ...]:
        """Settings of the daemon's own file that wait for a restart."""
        return tuple(name for status in self._statuses("files", FilesStatus) for name in status.deferred)

    def notifications(self) -> NotificationsStatus | None:
        """Who is told of troubles, and of which; None when nobody is, or an older version wrote the journal."""
        return next(iter(self._statuses("notifications", NotificationsStatus)), None)

    def planned(self) -> tuple[PlannedWork, ...]:
        """Work that files plan for now or soon, as the daemon last told."""
        return tuple(work for status in self._statuses("planned", PlannedStatus) for work in status.work)

    def members(self) -> MembersStatus | None:
        """Who of several members writes, as the daemon last knew; None where it is alone."""
        return next((status for status in self._statuses("members", MembersStatus) if status.member), None)

    def overrides(self, since: float = 0.0) -> tuple[Override, ...]:
        """Every operator's word that held, or is to hold, at or after that moment, the oldest first."""
        rows = self._rows("SELECT id, body FROM overrides WHERE until >= ?", [since])
        words = self._each("overrides", rows, lambda row: (row["id"], partial(codec.load, Override, row["body"])))
        return tuple(sorted((word for word in words if word.ends >= since), key=lambda word: (word.since, word.id)))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _opened(self, stack: ExitStack) -> sqlite3.Connection:
        require_readable(self._path)
        require_regular(self._path)
        try:
            return self._connect(f"file:{_quoted(self._path.absolute())}?mode=ro", stack)
        except sqlite3.OperationalError as error:
            if reason_of(error) != "journal_unwritable":
                raise
            return self._connect(f"file:{_quoted(copied(self._path, stack))}", stack)

    def _connect(self, uri: str, stack: ExitStack) -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        stack.callback(connection.close)
        connection.row_factory = sqlite3.Row
        lenient(connection)
        connection.execute("PRAGMA query_only = ON")
        version = check(connection, self._path)
        if version < len(MIGRATIONS):
            words = "an older failoverd wrote it" if version else "nothing was ever written to it"
            raise failure(self._path, "journal_older", words)
        return connection

    def _rows(self, query: str, parameters: Any) -> list[sqlite3.Row]:  # noqa: ANN401 - what sqlite3 binds
        with journal_errors(self._path):
            return self._connection.execute(query, parameters).fetchall()

    def _statuses(self, kind: str, shape: type[T], which: str = "", *of: str) -> tuple[T, ...]:
        """Decoded together: one at a time costs more than the decoding, and is done where one of them is damaged."""
        rows = self._rows(f"SELECT key, body FROM statuses WHERE kind = ? {which} ORDER BY key", [kind, *of])  # noqa: S608 - constants
        try:
            text = f"[{','.join(row['body'] for row in rows)}]"
            return codec.load(tuple[shape, ...], text)  # type: ignore[valid-type]  # a type that is made here
        except (ValueError, TypeError):
            return self._each("statuses", rows, lambda row: (row["key"], partial(codec.load, shape, row["body"])))

    def _each(
        self, table: str, rows: Iterable[sqlite3.Row], how: Callable[[sqlite3.Row], tuple[object, Callable[[], T]]]
    ) -> tuple[T, ...]:
        """What each row says; `how` has its key, and how to decode it."""
        found = (self._sieve.believed(table, *how(row)) for row in rows)
        return tuple(one for one in found if one is not None)


_NOT_HEALTHY: Final = f"AND {extract('body', '$.state')} IS NOT 'healthy'"


def _quoted(path: Path) -> str:
    """For a URI: the bytes of its name, which need not be text in the locale of whoever asks."""
    return quote(os.fsencode(path))
