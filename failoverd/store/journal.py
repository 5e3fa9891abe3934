"""The journal that the daemon and `failoverctl apply` write. Implements `ports.Journal` and `ports.Ledger`.

All SQL runs in one thread of its own, so a slow disk never stalls the event loop. Every operation is one transaction,
so a kill at any moment leaves a journal that says what was intended, without an outcome (`interrupted` finds those).
"""

import asyncio
import json
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar

from failoverd import codec
from failoverd.core.control.inputs import Decided
from failoverd.core.control.limits import PastChange
from failoverd.core.control.plan import LastGood, Plan, PlanKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import JournalError
from failoverd.core.events import Event, IncidentClosed, IncidentOpened
from failoverd.core.overrides import Announced, Override
from failoverd.core.records import Target
from failoverd.core.status import OrphanedRecord, Status
from failoverd.ports import AuditEntry, ChangeOutcome, Settled, Telling, Words
from failoverd.state_parts import override_of, parts_of, state_head, target_memory
from failoverd.store.allowances import Spending
from failoverd.store.database import Database, Kind, Notify
from failoverd.store.decisions import (
    MOST_BYTES,
    PRUNING,
    TIDYING,
    DecisionLog,
    DecisionRow,
    revisions_in,
    rows_in,
    shrink,
    size_of,
    targets_in,
)
from failoverd.store.failures import failure
from failoverd.store.lock import IN_USE
from failoverd.store.rows import (
    audit_row,
    change_row,
    event_row,
    last_answer,
    open_incident,
    orphaned_record,
    past_change,
    plain_words,
    target_row,
)
from failoverd.store.sieve import Sieve, extract
from failoverd.store.statuses import Written

T = TypeVar("T")

_PRUNED_AT_ONCE: Final = 1_000
"""Rows deleted per transaction, so that a change that has to be journalled waits for a few milliseconds at most."""

_HAPPENED: Final = (ChangeOutcome.APPLIED, ChangeOutcome.INTERRUPTED)
"""What counts towards the limits. An interrupted change may have moved traffic: in doubt it is taken to have."""

_CAME_TO_NOTHING: Final = (ChangeOutcome.FAILED, ChangeOutcome.FENCED, ChangeOutcome.UNVERIFIED)
"""What is tried again for as long as it is wanted: days, at a server that refuses."""

_TARGET: Final = "policy = ? AND name = ? AND type = ? AND provider = ? AND zone = ?"


def new_instance() -> str:
    """An id for a daemon: enough to tell a handful apart, and short in a marker."""
    return secrets.token_hex(4)


_HEARD: Final = "heard"
"""With the name of another member: up to which number what that one told is here."""

_INSTANCE: Final = "instance"
_AN_INSTANCE: Final = re.compile(r"[0-9a-f]{8}")
"""What a damaged row says stands in no marker."""


def _instance(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_INSTANCE,)).fetchone()
    said = str(row[0]) if row is not None else ""
    return said if _AN_INSTANCE.fullmatch(said) else ""


def _given_back(connection: sqlite3.Connection, place: Sequence[object]) -> bool:
    """Whether the last change at a name was that its marker was removed, on behalf of whichever policy."""
    row = connection.execute(
        "SELECT kind FROM changes WHERE name = ? AND type = ? AND provider = ? AND zone = ? AND outcome = 'applied'"
        " ORDER BY settled_at DESC, rowid DESC LIMIT 1",
        tuple(place),
    ).fetchone()
    return row is not None and row[0] == PlanKind.DISOWN.value


@asynccontextmanager
async def open_journal(
    path: Path, notify: Notify = lambda _: None, words: Words = plain_words, *, sole: bool = False
) -> AsyncIterator["SqliteJournal"]:
    """The journal at `path`, made if it is missing.

    Never raises for a file that cannot be used, because traffic must be steered all the same: each call on the journal
    raises JournalError until the file can be used, and tries again. `notify` gets, on the event loop, what was
    survived: a corrupt file (kept beside as `NAME.corrupt-TIME`) or a deleted one, and why opening failed. `words` is
    how events are told in the history. `sole` is for the daemon, of which there is one to a journal.

    Raises:
        JournalError: `journal_in_use`, to the second daemon alone.
    """
    journal = SqliteJournal(path, notify, words, sole=sole)
    try:
        try:
            await journal.touch()
        except JournalError as error:
            if error.reason == IN_USE:
                raise
            notify(error)
        yield journal
    finally:
        await journal.close()


class SqliteJournal:
    """Make it with `open_journal`. `most_decisions` are bytes of them beyond which the oldest go."""

    most_decisions = MOST_BYTES

    def __init__(self, path: Path, notify: Notify, words: Words, *, sole: bool = False) -> None:
        self._path = path
        self._words = words
        self._notify = notify
        self._notices: list[JournalError] = []
        self._sieve = Sieve()
        self._told: set[tuple[str, str]] = set()
        self._database = Database(path, self._notices.append, sole=sole)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._spending = Spending()
        self._written = Written()
        self._decisions = DecisionLog()

    # -- the port ------------------------------------------------------------------------------------------------------

    async def record(self, events: Sequence[Event]) -> None:
        """Append events to the history; opened and closed incidents are kept track of on the way."""
        await self._write(lambda connection: self._append(connection, events))

    def _append(self, connection: sqlite3.Connection, events: Sequence[Event]) -> None:
        connection.executemany(
            "INSERT INTO events (at, name, level, message, policy, incident_id, decision_id, change_id, record,"
            " provider, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [self._row(event) for event in events],
        )
        for event in events:
            _follow_incident(connection, event)

    async def hear(self, member: str, number: int, told: Sequence[Telling]) -> None:
        """See `ports.Journal`. A change that another member made is one to put back, as if this one had made it."""
        place = f"{_HEARD} {member}"

        def work(connection: sqlite3.Connection) -> None:
            if number <= _number(connection, place):
                return
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (place, str(number)))
            self._append(connection, [each for each in told if isinstance(each, Event)])
            for each in told:
                if isinstance(each, Settled):
                    _settle(connection, each, attempts=_take_back(connection, each.plan) + 1)

        await self._write(work)

    async def intend(self, plan: Plan, at: float) -> None:
        """Say that this plan is about to be applied. A plan that was applied stays applied.

        A retry of what did not come about replaces the row of the try before, and counts.
        """

        def work(connection: sqlite3.Connection) -> None:
            attempts = _take_back(connection, plan) + 1
            connection.execute(
                f"{_INSERT_CHANGE} ON CONFLICT (change_id) DO UPDATE SET intended_at = excluded.intended_at,"
                " settled_at = NULL, outcome = NULL, detail = '', attempts = attempts + 1"
                " WHERE outcome IS NOT 'applied'",
                (*change_row(plan, at), None, None, "", attempts),
            )

        await self._write(work)

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        """Say how it went. An older generation never replaces a newer last known good answer."""
        change = Settled(plan, outcome, detail, at)
        await self._write(lambda connection: _settle(connection, change, attempts=1))

    async def confirm(self, target: Target, good: LastGood) -> None:
        await self._write(lambda connection: _keep(connection, target, good))

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        def work(connection: sqlite3.Connection) -> tuple[LastGood | None, tuple[PastChange, ...]]:
            found = connection.execute(f"SELECT body FROM answers WHERE {_TARGET}", target_row(target)).fetchone()  # noqa: S608 - a constant
            good = self._believed("answers", target, lambda: codec.load(LastGood, found[0])) if found else None
            rows = connection.execute(
                "SELECT change_id, settled_at, shares_before, shares_after,"  # noqa: S608 - a constant
                f" {extract('plan', '$.shifts')}, generation FROM changes"
                f" WHERE {_TARGET} AND settled_at > ? AND outcome IN (?, ?) ORDER BY settled_at",
                (*target_row(target), since, *_HAPPENED),
            ).fetchall()
            changes = (self._believed("changes", row[0], partial(past_change, row)) for row in rows)
            return good, tuple(change for change in changes if change is not None)

        return await self._read(work)

    async def last_answers(self) -> tuple[tuple[Target, LastGood], ...]:
        def work(connection: sqlite3.Connection) -> tuple[tuple[Target, LastGood], ...]:
            rows = connection.execute("SELECT policy, name, type, provider, zone, body FROM answers").fetchall()
            found = (self._believed("answers", " ".join(map(str, row[:5])), partial(last_answer, row)) for row in rows)
            return tuple(answer for answer in found if answer is not None)

        return await self._read(work)

    async def keep(self, state: PolicyState) -> None:
        rows = [(state.policy, key, body) for key, body in parts_of(state).items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", rows)

        await self._write(work)

    async def decided(self, decisions: Sequence[Decided]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for target, error in self._decisions.write(connection, decisions):
                self._tell_unkept(target, error)

        await self._write(work)

    async def say(self, override: Override) -> None:
        row = (override.id, override.until, codec.dump(override))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?)", row)

        await self._write(work)

    async def overrides(self, until: float) -> tuple[Override, ...]:
        """Those that hold beyond that moment, and those of which nobody told that they are over."""

        def work(connection: sqlite3.Connection) -> tuple[Override, ...]:
            rows = connection.execute(
                f"SELECT id, body FROM overrides WHERE until > ? OR {extract('body', '$.told')} <> ? ORDER BY id",  # noqa: S608 - a constant
                (until, Announced.ENDED.value),
            ).fetchall()
            words = (self._believed("overrides", name, partial(override_of, name, body)) for name, body in rows)
            return tuple(word for word in words if word is not None)

        return await self._read(work)

    async def instance(self) -> str:
        """Made where it has none; a journal that can only be read is not asked for more than that."""

        def make(connection: sqlite3.Connection) -> str:
            found = _instance(connection) or new_instance()  # another process may have been first
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_INSTANCE, found))
            return found

        return await self._read(_instance) or await self._write(make)

    async def belong(self, instance: str) -> None:
        row = (_INSTANCE, instance)
        await self._write(lambda connection: connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row))

    async def audit(self, asked: AuditEntry) -> None:
        row = audit_row(asked)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO audit (at, actor, origin, request, key, body, status, answer)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

        await self._write(work)

    async def asked(self, actor: str, key: str) -> AuditEntry | None:
        def work(connection: sqlite3.Connection) -> AuditEntry | None:
            row = connection.execute(
                "SELECT at, actor, origin, request, key, body, status, answer FROM audit"
                " WHERE key = ? AND key <> '' AND actor = ? ORDER BY seq LIMIT 1",
                (key, actor),
            ).fetchone()
            return AuditEntry(*row) if row is not None else None

        return await self._read(work)

    async def update_status(self, statuses: Sequence[Status]) -> None:
        """Only what is not written already: most of what is told says what was told before."""

        def work(connection: sqlite3.Connection) -> None:
            news = self._written.news(connection, statuses)
            rows = [(*key, status.at, codec.dump(status)) for key, status in news.items()]
            connection.executemany("INSERT OR REPLACE INTO statuses VALUES (?, ?, ?, ?, ?)", rows)
            self._written.keep(news)

        await self._write(work)

    async def dismiss(self, policy: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM statuses WHERE policy = ?", (policy,))
            self._written.forget(policy)

        await self._write(work)

    # -- the ledger ----------------------------------------------------------------------------------------------------

    async def reserve(self, account: str, day: str, amount: int, limit: int) -> bool:
        """See `ports.Ledger`. Why the journal cannot be written is told by what else is written to it."""
        spending = self._spending
        try:
            return await self._write(lambda connection: spending.reserve(connection, account, day, amount, limit))
        except JournalError:
            return False

    async def refund(self, account: str, day: str, amount: int) -> None:
        """See `ports.Ledger`. What cannot be given back counts as spent."""
        spending = self._spending
        with suppress(JournalError):
            await self._write(lambda connection: spending.refund(connection, account, day, amount))

    # -- beyond the port: start-up and retention -----------------------------------------------------------------------

    async def touch(self) -> None:
        """Open the file if that is still to be done. Raises JournalError when it cannot be used."""
        await self._write(lambda _: None)

    async def proofs(self, since: float) -> tuple[tuple[Plan, bool | None], ...]:
        """Changes that were applied since then, the oldest first, each with whether it was proved; None: not yet."""
        unconfirmed = extract("facts", "$.unconfirmed")
        query = (
            f"SELECT change_id, plan, (SELECT max(NOT ifnull({unconfirmed}, 0)) FROM events"  # noqa: S608 - constants
            " WHERE events.change_id = changes.change_id AND events.change_id <> ''"
            " AND events.name = 'change.verified') FROM changes"
            " WHERE outcome = 'applied' AND settled_at >= ? ORDER BY settled_at, rowid"
        )

        def work(connection: sqlite3.Connection) -> tuple[tuple[Plan, bool | None], ...]:
            rows = connection.execute(query, (since,)).fetchall()
            found = (
                (self._believed("changes", name, partial(codec.load, Plan, text)), done) for name, text, done in rows
            )
            return tuple((plan, None if done is None else bool(done)) for plan, done in found if plan is not None)

        return await self._read(work)

    async def interrupted(self, at: float) -> tuple[Plan, ...]:
        """At start-up: settle what was intended and has no outcome as INTERRUPTED, and return it, oldest first.

        Nobody knows whether these were written; the next reconciliation reads the record and finds out. A change that
        another process is applying right now is settled over by that process when it is done. A plan that another
        version wrote cannot be read and is left out: if it was written, its generation tells, as with any writer.
        """

        def work(connection: sqlite3.Connection) -> tuple[Plan, ...]:
            query = "SELECT change_id, plan FROM changes WHERE outcome IS NULL ORDER BY intended_at"
            rows = connection.execute(query).fetchall()
            connection.execute(
                "UPDATE changes SET outcome = ?, settled_at = ?, detail = ? WHERE outcome IS NULL",
                (ChangeOutcome.INTERRUPTED.value, at, "the process ended before the outcome was known"),
            )
            plans = (self._believed("changes", name, partial(codec.load, Plan, text)) for name, text in rows)
            return tuple(plan for plan in plans if plan is not None)

        return await self._write(work)

    async def states(self) -> tuple[PolicyState, ...]:
        """At start-up: the state of each policy, as an earlier process left it. What cannot be read is left out.

        Without it, only what the other tables hold is known: answers and changes.
        """

        def work(connection: sqlite3.Connection) -> tuple[PolicyState, ...]:
            found: dict[str, PolicyState] = {}
            for policy, target, body in connection.execute("SELECT policy, target, body FROM states ORDER BY 1, 2"):
                where = f"{policy} {target}".rstrip()
                if not target:
                    head = self._believed("states", where, partial(state_head, policy, body))
                    found |= {policy: head} if head is not None else {}
                else:
                    memory = self._believed("states", where, partial(target_memory, policy, target, body))
                    state = found.get(policy) or PolicyState(policy)
                    found |= {policy: state.with_target(memory)} if memory is not None else {}
            for row in connection.execute(_OPEN_INCIDENTS_TOLD):  # an incident that was told goes on until it ends
                told = self._believed("incidents", row[1], partial(open_incident, row))
                if told is not None:
                    state = found.get(told[0]) or PolicyState(told[0])
                    found[told[0]] = replace(state, incident=state.incident or told[1])
            return tuple(found.values())

        return await self._read(work)

    async def orphaned(
        self, published: Collection[Target], unsure: Collection[str], gone: Collection[str] = ()
    ) -> tuple[OrphanedRecord, ...]:
        """Records that failoverd owns and nobody publishes: those with an answer that was verified, and not given back.

        Args:
            published: every target that a policy names.
            unsure: policies of which nobody can say what they name, because their file does not load.
            gone: providers that forgot all answers since, with which an orphan ended.
        """
        names = {target_row(target)[1:] for target in published}

        def work(connection: sqlite3.Connection) -> tuple[OrphanedRecord, ...]:
            rows = connection.execute("SELECT policy, name, type, provider, zone, body FROM answers").fetchall()
            left = [row for row in rows if tuple(row[1:5]) not in names and row[0] not in unsure]
            ended = [row for row in left if row[3] in gone or _given_back(connection, row[1:5])]
            connection.executemany(f"DELETE FROM answers WHERE {_TARGET}", [row[:5] for row in ended])  # noqa: S608 - a constant
            found = (
                self._believed("answers", " ".join(map(str, row[:5])), partial(orphaned_record, row))
                for row in left
                if row not in ended
            )
            return tuple(record for record in found if record is not None)

        return await self._write(work)

    async def give_up(self, target: Target) -> None:
        """Forget the answer of a target that is not ours any more."""
        query = f"DELETE FROM answers WHERE {_TARGET}"  # noqa: S608 - a constant
        await self._write(lambda connection: connection.execute(query, target_row(target)))

    async def retain(self, policies: Collection[str], at: float) -> None:
        """At start-up: forget where things stood with policies that do not run any more, and close their incidents.

        Nobody would ever end those, and what belongs to an open incident is never pruned.
        """
        kept = json.dumps(sorted({*policies, ""}))
        gone = "policy NOT IN (SELECT value FROM json_each(?))"

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM statuses WHERE {gone}", (kept,))  # noqa: S608 - a constant
            connection.execute(f"DELETE FROM states WHERE {gone}", (kept,))  # noqa: S608 - a constant
            self._written.doubt()
            query = f"UPDATE incidents SET closed_at = ? WHERE closed_at IS NULL AND {gone}"  # noqa: S608 - a constant
            connection.execute(query, (at, kept))

        await self._write(work)

    async def prune(self, before: float) -> int:
        """Delete history older than `before` (seconds since the epoch); returns how many rows.

        Kept whatever their age: the last known good answers, and every event of an incident that is still open.
        """
        deleted = 0
        for query in _PRUNING:
            while count := await self._delete(query, before):
                deleted += count
        if decisions := await self._prune_decisions(before):
            deleted += decisions
            await self._write(self._tidy)
        return deleted

    async def _prune_decisions(self, before: float) -> int:
        """By age, and then by size: what one policy writes must not fill the disk."""
        deleted = 0
        while count := await self._delete(PRUNING, before):
            deleted += count
        size, after = 0, 0
        while (part := await self._read(partial(size_of, after=after)))[1] > after:
            size, after = size + part[0], part[1]
        while size > self.most_decisions and (gone := await self._write(shrink)):
            size, deleted = size - sum(gone), deleted + len(gone)
        return deleted

    def _tidy(self, connection: sqlite3.Connection) -> None:
        for query in TIDYING:
            connection.execute(query)
        self._decisions.doubt()  # the numbers that it knows may be gone

    async def decided_targets(self) -> tuple[tuple[int, Target], ...]:
        """Each target of which decisions are kept, and its number."""
        return tuple(await self._read(targets_in))

    async def decision_rows(
        self, target: int, since: float, after: DecisionRow | None, most: int
    ) -> tuple[DecisionRow, ...]:
        """See `decisions.rows_in`."""
        return tuple(await self._read(lambda connection: rows_in(connection, target, since, after, most)))

    async def revision_bodies(self, numbers: Collection[int]) -> Mapping[int, bytes]:
        """Policies that decisions were made by, by their number."""
        return await self._read(lambda connection: revisions_in(connection, numbers))

    async def close(self) -> None:
        """Let what was begun end, then close. An unfinished journal is no failure: the file is always readable."""
        try:
            await asyncio.wrap_future(self._thread.submit(self._database.close))
        except JournalError as error:
            self._notify(error)
        finally:
            self._thread.shutdown(wait=False)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _delete(self, query: str, before: float) -> int:
        return await self._write(lambda connection: connection.execute(query, (before, _PRUNED_AT_ONCE)).rowcount)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the journal's thread, in one transaction."""
        return await self._transact(work, "IMMEDIATE")

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The same without waiting for another process that writes."""
        return await self._transact(work, "DEFERRED")

    async def _transact(self, work: Callable[[sqlite3.Connection], T], kind: Kind) -> T:
        """A caller that is cancelled does not take its write back: it still happens, before the journal closes."""

        def transact() -> T:
            try:
                with self._database.transaction(kind) as connection:
                    return work(connection)
            except BaseException:
                self._written.doubt()
                self._decisions.doubt()
                raise

        try:
            running = asyncio.wrap_future(self._thread.submit(transact))
            running.add_done_callback(_note)
        except RuntimeError as error:  # the executor was shut down
            raise failure(self._path, "journal_closed", "the journal is closed") from error
        try:
            return await asyncio.shield(running)
        finally:
            self._tell()

    def _row(self, event: Event) -> tuple[object, ...]:
        """An event that cannot be told is kept with its name: it must not keep the others out of the history."""
        try:
            return event_row(event, *self._words(event))
        except Exception as error:  # noqa: BLE001 - whatever the defect is
            return event_row(event, f"this event cannot be put into words: {error!r}", {})

    def _believed(self, table: str, key: object, decode: Callable[[], T]) -> T | None:
        return self._sieve.believed(table, key, decode)

    def _tell_left_out(self) -> None:
        """One word for each table, and each row once: what is read each round would be told each round."""
        found, self._sieve.left_out = self._sieve.left_out, []
        for table, keys in groupby(dict.fromkeys(found), key=itemgetter(0)):
            news = [key for _, key in keys if (table, key) not in self._told]
            self._told.update((table, key) for key in news)
            if news:
                rows = "1 row" if len(news) == 1 else f"{len(news)} rows"
                words = f"{rows} of {table} cannot be read and left out, {news[0]} first"
                self._notices.append(failure(self._path, "journal_row_unreadable", words))

    def _tell_unkept(self, target: Target, error: str) -> None:
        """Once for each policy: a defect that shows in one decision shows in all of them."""
        once = ("decisions", target.policy)
        if once not in self._told:
            self._told.add(once)
            words = f"a decision of {target} cannot be kept for `failoverctl replay` and is left out: {error}"
            self._notices.append(failure(self._path, "journal_decision_unwritable", words))

    def _tell(self) -> None:
        self._tell_left_out()
        notices, self._notices[:] = list(self._notices), []
        for notice in notices:
            self._notify(notice)


_INSERT_CHANGE: Final = (
    "INSERT INTO changes (policy, name, type, provider, zone, change_id, generation, kind, shares_before,"
    " shares_after, plan, intended_at, settled_at, outcome, detail, attempts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_OPEN_INCIDENTS: Final = "(SELECT incident_id FROM incidents WHERE closed_at IS NULL)"

_OPEN_INCIDENTS_TOLD: Final = (
    "SELECT policy, incident_id, opened_at, (SELECT count(*) FROM events WHERE"
    " events.incident_id = incidents.incident_id AND events.name = 'change.applied')"
    " FROM incidents WHERE closed_at IS NULL ORDER BY opened_at"
)

_CHANGED_AT: Final = "coalesce(settled_at, intended_at)"

_PRUNING: Final = tuple(
    f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {old} LIMIT ?)"  # noqa: S608 - constants
    for table, old in (
        ("events", f"at < ? AND incident_id NOT IN {_OPEN_INCIDENTS}"),
        ("changes", f"{_CHANGED_AT} < ?"),
        ("incidents", "closed_at < ?"),
    )
)


def _note(done: "asyncio.Future[T]") -> None:
    """Perhaps nobody waits for it any more; that is no mistake which asyncio has to tell."""
    if not done.cancelled():
        done.exception()


def _number(connection: sqlite3.Connection, key: str) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else 0


def _settle(connection: sqlite3.Connection, change: Settled, attempts: int) -> None:
    plan, at = change.plan, change.at
    connection.execute(
        f"{_INSERT_CHANGE} ON CONFLICT (change_id) DO UPDATE SET settled_at = excluded.settled_at,"
        " outcome = excluded.outcome, detail = excluded.detail WHERE outcome IS NOT 'applied'",
        (*change_row(plan, at), at, change.outcome.value, change.detail, attempts),
    )
    if change.outcome is ChangeOutcome.APPLIED:
        _keep(connection, plan.target, plan.verified(at))


def _keep(connection: sqlite3.Connection, target: Target, good: LastGood) -> None:
    connection.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " generation = excluded.generation, body = excluded.body WHERE excluded.generation >= generation",
        (*target_row(target), good.generation, codec.dump(good)),
    )


def _take_back(connection: sqlite3.Connection, plan: Plan) -> int:
    """Remove the row of the try before, if this plan is the same again; returns how many tries it stood for."""
    newest = connection.execute(
        "SELECT change_id, attempts, generation, outcome,"  # noqa: S608 - constants
        f" {extract('plan', '$.after')} = json_extract(?, '$.after')"
        f" FROM changes WHERE {_TARGET} ORDER BY settled_at DESC, rowid DESC LIMIT 1",
        (codec.dump(plan), *target_row(plan.target)),
    ).fetchone()
    if newest is None:
        return 0
    change_id, attempts, generation, outcome, same = newest
    if change_id == plan.id or outcome not in _CAME_TO_NOTHING or generation != plan.generation or not same:
        return 0
    connection.execute("DELETE FROM changes WHERE change_id = ?", (change_id,))
    return int(attempts)


def _follow_incident(connection: sqlite3.Connection, event: Event) -> None:
    match event:
        case IncidentOpened():
            connection.execute(
                "INSERT OR IGNORE INTO incidents VALUES (?, ?, ?, NULL, ?)",
                (event.incident_id, event.policy, event.at, event.cause),
            )
        case IncidentClosed():  # its opening may have been lost together with an earlier journal
            connection.execute(
                "INSERT INTO incidents VALUES (?, ?, ?, ?, '')"
                " ON CONFLICT DO UPDATE SET closed_at = excluded.closed_at",
                (event.incident_id, event.policy, event.at - event.lasted, event.at),
            )
        case _:
            pass
