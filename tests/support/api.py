"""The admin API without a daemon: a desk on paper, a real journal, real sockets.

async with heard(tmp_path) as here:
    await here.client.words()
"""

import asyncio
import json
import os
import pwd
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.journals import OTHER, TARGET, plan
from support.leaders import PaperLeader, members
from support.scenes import AZURE, OCI, policy

from failoverd.api.client import Client, OnHost
from failoverd.api.service import ServiceSurroundings
from failoverd.api.serving import Api, api_of
from failoverd.config.schema.config_file import ApiEntry, ApiTcpEntry
from failoverd.core.control.outcome import Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import ConfigError, FailoverdError, Transient
from failoverd.core.events import Event
from failoverd.core.overrides import Announced, Comment, Override, Scope, Verb
from failoverd.core.records import Policy
from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
    Notice,
    NotificationsStatus,
    OrphanedRecord,
    OrphansStatus,
    Overview,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    ProbingStatus,
    ReceiverStatus,
    RefusedFile,
    RegionStatus,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.ahead import Following
from failoverd.operations.alerting import Alert, AlertHeard
from failoverd.operations.alerting import heard as heard_of
from failoverd.operations.commanding import Desk, Given, WordRequest
from failoverd.operations.effects import Effect
from failoverd.operations.judging import OverrideError
from failoverd.operations.plan_desk import PlanDesk
from failoverd.operations.planning import Applied, Attempt, PlanFinding, Planned
from failoverd.operations.supposing import NOTHING, Supposition
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.settings import ServerAddress
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.telemetry import prose

NOW = 1_764_558_720.0
"""2025-12-01T03:12:00Z"""

LOADED = PolicyStatus(TARGET.policy, NOW, "a.yaml", "1")
ILL = EndpointStatus("inference-api", "azure-eastus", "192.0.2.11:443", NOW, "unhealthy", NOW, "3 times 503")
NOTICE = Notice("incident", TARGET.policy, "inc-1", "warning", "it burns", NOW, NOW, facts={"why": "503"})
STANDING = Overview.of(
    (
        VantageStatus(NOW, (), NOW),
        ProbingStatus(NOW, 1.0, 0.0, 0.0),
        LOADED,
        RegionStatus(TARGET.policy, "A", "azure-eastus", NOW, "down", 2_500, NOW),
        ILL,
        replace(ILL, endpoint="192.0.2.10:443", state="healthy", evidence=""),
        TargetStatus(TARGET, NOW, TargetState.IN_SYNC, generation=7, published={"oci-ashburn": 10_000}, until=NOW + 9),
        OrphansStatus(NOW, (OrphanedRecord(OTHER, 7, NOW, {"oci-ashburn": 10_000}),)),
        FilesStatus(NOW, (RefusedFile("new.yaml", "FD201"),)),
        PlannedStatus(NOW, (PlannedWork("drain-1", "region oci", "a.yaml:1", "patching", NOW, NOW + 60),)),
        NotificationsStatus(NOW, (ReceiverStatus("oncall", "pagerduty", "here"),), (NOTICE,)),
        members(NOW),
    )
)

EFFECTS = (
    Effect(TARGET, OutcomeKind.WRITE, {"azure-eastus": 10_000}, {"oci-ashburn": 10_000}, 30, ("why",)),
    Effect(OTHER, None, error="it was not read yet"),
)

ME = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
"""Who runs the tests, as the daemon sees it."""

NOWHERE = "nowhere"
"""A region that no word may be about."""

DEFECT = "defect"
"""A policy that brings a defect to light."""


@dataclass
class PaperDesk(Desk):
    """`operations.commanding.Desk` that believes every word, but one about `NOWHERE`, and two pins of one scope.

    Attributes:
        given: how often a word was given, changed or taken back.
        stuck: makes every word wait for it.
        asked: somebody gave a word, and perhaps it waits.
        kept: what it says of its journal.
    """

    said: dict[str, Override] = field(default_factory=dict)
    given: int = 0
    stuck: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    kept: bool = True

    @property
    def policies(self) -> tuple[Policy, ...]:
        return (policy(AZURE, OCI),)

    def words(self) -> tuple[Override, ...]:
        return tuple(word for word in self.said.values() if not word.over_by(NOW))

    def word(self, override_id: str) -> Override:
        if override_id not in self.said:
            raise OverrideError(f"there is no override {override_id[:80]!r}", reason="override_unknown")
        return self.said[override_id]

    async def effects(self, override_id: str) -> tuple[Effect, ...]:
        self.word(override_id)
        return EFFECTS

    async def give(self, ask: WordRequest, actor: str, *, dry_run: bool = False) -> Given:
        await self._wait()
        if NOWHERE in ask.scope.regions:
            words = f"{ask.verb} of region {NOWHERE} would leave nothing"
            raise OverrideError(words, reason="override_refused", remedy="drain another one")
        if DEFECT in ask.scope.policies:
            raise RuntimeError("a defect of ours")
        twin = next((word for word in self.words() if word.verb is ask.verb and word.scope == ask.scope), None)
        if ask.verb is Verb.PIN and twin is not None:
            words = f"pin of {ask.scope.text()} stands against {twin.id}, which {twin.actor} gave"
            raise OverrideError(words, reason="override_conflict")
        word = Override(
            f"{ask.verb}-{len(self.said):08x}",
            ask.verb,
            ask.scope,
            actor,
            NOW,
            NOW + ask.seconds,
            (Comment(NOW, actor, ask.reason),),
            ask.shares,
            ask.part,
            ask.over,
            ask.now,
            ask.digest,
            ask.name,
            ask.undoes,
            ask.breaks,
        )
        if dry_run:
            return Given(word, EFFECTS, dry_run=True)
        return await self._say(word, notes=("1 write was on its way",))

    async def undo(
        self,
        change_id: str,
        scope: Scope,
        reason: str,
        seconds: float,
        actor: str,
        *,
        now: bool = False,
        dry_run: bool = False,
    ) -> Given:
        if change_id != "chg-1":
            raise OverrideError(f"the journal knows no change {change_id!r}", reason="change_unknown")
        shares = {"oci-ashburn": 10_000}
        ask = WordRequest(Verb.PIN, scope, reason, seconds, shares=shares, now=now, undoes=change_id)
        return await self.give(ask, actor, dry_run=dry_run)

    async def extend(self, override_id: str, seconds: float, comment: str, actor: str) -> Given:
        word = replace(self._open(override_id), until=NOW + seconds)
        return await self._say(replace(word, comments=(*word.comments, Comment(NOW + 1, actor, comment))))

    async def agree(self, override_id: str, comment: str, actor: str) -> Given:  # noqa: ARG002 - as the desk has it
        word = self._open(override_id)
        return await self._say(replace(word, agreed=(*word.agreed, actor)))

    async def alert(self, alerts: Iterable[Alert], actor: str) -> tuple[AlertHeard, ...]:
        found = []
        for each in alerts:
            policies = {of.name: of for of in self.policies}
            became = heard_of(each, tuple(self.said.values()), policies, actor, NOW)
            if became.word is not None:
                self.given += 1
                self.said[became.word.id] = became.word
            found.append(became)
        return tuple(found)

    async def release(self, override_id: str, comment: str, actor: str, *, at_once: bool = False) -> Given:
        over = self._open(override_id).released(actor, comment, NOW)
        return await self._say(replace(over, told=Announced.ENDED, back_at_once=at_once))

    async def release_matching(
        self, verb: Verb | None, scope: Scope, comment: str, actor: str, *, at_once: bool = False
    ) -> tuple[Given, ...]:
        found = [word for word in self.words() if verb in {None, word.verb} and scope in {Scope(), word.scope}]
        if not found:
            raise OverrideError("there is no word to release", reason="override_unknown")
        return tuple([await self.release(word.id, comment, actor, at_once=at_once) for word in found])

    async def release_rivals(self, scope: Scope, comment: str, actor: str) -> tuple[str, ...]:  # noqa: ARG002 - as above
        return ("api.example.com",)

    async def release_lost(self, scope: Scope, comment: str, actor: str) -> tuple[str, ...]:  # noqa: ARG002 - as above
        if scope != Scope():
            raise OverrideError("no marker names a word", reason="override_unknown")
        return ("drain-0badcafe",)

    def _open(self, override_id: str) -> Override:
        word = self.word(override_id)
        if word.over_by(NOW):
            raise OverrideError(f"{word.id} is over", reason="override_over", remedy="give it again")
        return word

    async def _say(self, word: Override, notes: tuple[str, ...] = ()) -> Given:
        self.given += 1
        self.said[word.id] = word
        return Given(word, await self.effects(word.id), self.kept, notes=notes)

    async def _wait(self) -> None:
        self.asked.set()
        if self.stuck is not None:
            await self.stuck.wait()


SOON = 1_800_000_000.0
"""When the next step of what is supposed would come."""


@dataclass
class PaperPlans(PlanDesk):
    """`operations.plan_desk.PlanDesk` that would change one record, cannot read another, and applies whatever comes.

    Attributes:
        asked: for which policies, and which regions are to be brought back, in order.
        supposed: what was taken to be so, each time.
        applied: changes, and who asked for them.
        begun: somebody asked.
        stuck: makes everybody wait for it.
        given_up: a question was given up while it waited.
        crowded: makes everybody one too many.
    """

    asked: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    supposed: list[Supposition] = field(default_factory=list)
    applied: list[tuple[Sequence[Mapping[str, object]], str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    stuck: asyncio.Event | None = None
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    crowded: bool = False

    async def plan(self, names: Collection[str], returning: Collection[str], said: Supposition = NOTHING) -> Planned:
        self.asked.append((tuple(names), tuple(returning)))
        self.supposed.append(said)
        await self._wait()
        if NOWHERE in names:
            raise ConfigError(f"there is no running policy {NOWHERE!r}", reason="policy_unknown")
        made = plan()
        outcome = Outcome(OutcomeKind.WRITE, made.decision, PolicyState(TARGET.policy), plan=made)
        supposed = said != NOTHING
        then = Following(SOON, made) if supposed else None
        pending = PlanFinding(TARGET, outcome, supposed=supposed, following=then)
        failed = PlanFinding(OTHER, None, Transient("no route", reason="unreachable"))
        return Planned((pending, failed), (LOADED,), said.text())

    async def apply(self, changes: Sequence[Mapping[str, object]], actor: str) -> Applied:
        await self._wait()
        self.applied.append((changes, actor))
        return Applied(tuple(Attempt(plan(), None, sent=True) for _ in changes), (LOADED,))

    async def _wait(self) -> None:
        self.begun.set()
        if self.crowded:
            raise FailoverdError("2 others wait", reason="too_many_plans", remedy="ask again when they are done")
        try:
            if self.stuck is not None:
                await self.stuck.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise


@dataclass
class House:
    """The API at its places, and what it is put into."""

    socket: Path
    desk: PaperDesk
    journal: SqliteJournal
    path: Path
    events: list[Event]
    api: Api
    reloads: list[float]
    looks: list[float]
    plans: PaperPlans
    standing: list[Overview]

    def stands(self, found: Overview) -> None:
        """From now on things stand so, operators' words included."""
        self.standing[:] = [found]
        self.desk.said = {word.id: word for word in found.overrides}

    @property
    def client(self) -> Client:
        return Client(OnHost(self.socket))

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """A status, and the answer; `body` as it is if it is bytes. Underscores in names of headers are hyphens."""
        status, _, answer = await self.answer(method, path, body, **headers)
        return status, answer

    async def answer(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {"Content-Type": "application/json", **named} if method == "POST" else named
        lines = [f"{method} {path} HTTP/1.1", "Host: here", f"Content-Length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in said.items()]
        found = await exchanged(self.socket, "\r\n".join([*lines, "", ""]).encode() + raw)
        return parted(found)


def parted(found: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """An answer as HTTP has it: its status, its header, its JSON."""
    head, _, answer = found.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in rest)
    return int(first.split()[1]), fields, json.loads(answer) if answer else {}


async def exchanged(place: Path, asked: bytes) -> bytes:
    """Everything that comes back to these bytes."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_unix_connection(str(place))
        try:
            writer.write(asked)
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.transport.abort()


def elsewhere(**said: object) -> ApiTcpEntry:
    """What a file says of the way in for other machines, at a port that the system chooses."""
    entry = ApiTcpEntry.model_validate({"listen": "127.0.0.1:1", **said})
    return entry.model_copy(update={"listen": ServerAddress("127.0.0.1", 0)})


@asynccontextmanager
async def heard(folder: Path, said: ApiEntry | None = None, desk: PaperDesk | None = None) -> AsyncIterator[House]:
    """The API for as long as the context lasts. Its journal outlives it, in that folder."""
    path, events, reloads, looks = folder / "journal.db", list[Event](), list[float](), list[float]()
    standing = [STANDING]
    desk, plans = desk or PaperDesk(), PaperPlans()

    async def reload() -> FilesStatus:
        reloads.append(NOW)
        return FilesStatus(NOW, (RefusedFile("new.yaml", "FD201"),))

    async def overview() -> Overview:
        looks.append(NOW)
        return standing[0]

    async with open_journal(path, words=prose.told) as journal:
        around = ServiceSurroundings(
            desk=desk,
            plans=plans,
            overview=overview,
            heartbeat=lambda: Heartbeat(NOW, 42, NOW - 60, "1.2.3", "running"),
            reload=reload,
            hand_over=PaperLeader(lambda: NOW, members(NOW)).hand_over,
            journal=path,
            keeper=JournalWriter(journal, events.append, lambda: NOW),
            emit=events.append,
            clock=lambda: NOW,
        )
        place = folder / "api.sock"
        async with api_of(around, folder / "failoverd.yaml", place, said or ApiEntry()) as api:
            yield House(place, desk, journal, path, events, api, reloads, looks, plans, standing)
