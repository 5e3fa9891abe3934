"""The world on paper: a provider, a journal and endpoints in memory, which do exactly what the script says.

Each await point of the provider and the journal calls `Script.step`, so that a scenario can count them, and end the
process at any one of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from failoverd import codec
from failoverd.core.control.limits import Approved, PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.propagation import Hearing, Nameserver, Nameservers, Question, Statement
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.errors import FailoverdError, Fenced, JournalError, Permanent, Transient
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.overrides import Announced, Override
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, Marker, Observed, ProbeResult, RecordKey, RecordSet, Target, Timings
from failoverd.core.status import Status
from failoverd.ports import AuditEntry, Cancel, ChangeOutcome, Clock, Emit, Tell, Urgency
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States

T = TypeVar("T")


class Script:
    """Counts the await points, and kills whoever comes to number `kill_at` (the first one is 1)."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.steps = 0
        self.kill_at = kill_at
        self.killed = asyncio.Event()

    async def step(self) -> None:
        """An await point. The killed one never gets beyond it: the scenario ends the tasks of that process."""
        self.steps += 1
        if self.steps == self.kill_at:
            self.killed.set()
        if self.kill_at is not None and self.steps >= self.kill_at:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


# -- the provider ------------------------------------------------------------------------------------------------------


class Moment(StrEnum):
    """When a fault strikes, seen from the effect of the call."""

    BEFORE = "before"
    AFTER = "after"
    INSTEAD = "instead"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong once. Without an error, INSTEAD is a lie: yes without any effect.

    `hold` makes the call wait for that event first; one that is never set hangs it.
    """

    moment: Moment = Moment.BEFORE
    error: BaseException | None = None
    hold: asyncio.Event | None = None


def lie() -> Fault:
    return Fault(Moment.INSTEAD)


def hang(moment: Moment = Moment.BEFORE) -> Fault:
    return Fault(moment, hold=asyncio.Event())


def lost_answer() -> Fault:
    return Fault(Moment.AFTER, refused("the answer was lost", reason="timeout"))


def refused(detail: str = "connection refused", *, reason: str = "connect_refused") -> Transient:
    return Transient(detail, reason=reason, remedy="start the server")


@dataclass(frozen=True)
class Write:
    """One write that took effect."""

    at: float
    target: Target
    records: RecordSet
    marker: Marker
    before: Observed


@dataclass
class Zonefile:
    """What stands in DNS: shared by every provider that serves it, and by people who edit it."""

    records: dict[tuple[str, RecordKey], RecordSet] = field(default_factory=dict)
    markers: dict[tuple[str, str], str] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)

    def observe(self, target: Target) -> Observed:
        text = self.markers.get((target.zone, target.key.name))
        marker = Marker.parse(text) if text is not None else None
        return Observed(target, self.records.get((target.zone, target.key)), marker, text)

    def put(self, target: Target, weights: Mapping[str, int] | None, *, ttl: int = 30) -> None:
        """A person edits the record, past failoverd. None removes it."""
        self.records.pop((target.zone, target.key), None)
        if weights is not None:
            self.records[target.zone, target.key] = RecordSet.of(target.key, ttl, weights)

    def mark(self, target: Target, text: str | None) -> None:
        """A person edits the marker. None removes it."""
        self.markers.pop((target.zone, target.key.name), None)
        if text is not None:
            self.markers[target.zone, target.key.name] = text

    def shares(self, target: Target, region_of: Mapping[str, str]) -> dict[str, int]:
        found = self.records.get((target.zone, target.key))
        return found.shares(region_of) if found is not None else {}

    def generation(self, target: Target) -> int:
        marker = self.observe(target).marker
        return marker.generation if marker is not None else 0


class PaperProvider:
    """`ports.Provider` with an atomic compare-and-swap, as RFC 2136 has it.

    Attributes:
        down: raised by every call while it is set.
        on_read, on_apply: faults, one for each coming call.
        audit: told of each write before it takes effect, with what stands there.
        readonly: raised by every write while it is set.
        looks: reads by itself after each write, and says what it found.
        keeps: what it makes of the records that are written.
        sent: when each plan was to be written last, by its id.
        most_at_name, most_abreast: the most calls that were ever under way at once, by name and in all.
    """

    def __init__(self, zonefile: Zonefile, clock: Clock, *, name: str = "dns-main", latency: float = 0.001) -> None:
        self.zonefile = zonefile
        self.name = name
        self.latency = latency
        self.script: Script | None = None
        self.audit: Callable[[Approved, Observed], None] = lambda approved, found: None  # noqa: ARG005 - what it is called with
        self.down: BaseException | None = None
        self.readonly: BaseException | None = None
        self.looks = False
        self.keeps: Callable[[RecordSet], RecordSet] = lambda written: written
        self.on_read: deque[Fault] = deque()
        self.on_apply: deque[Fault] = deque()
        self.reads: list[float] = []
        self.applies: list[float] = []
        self.sent: dict[str, float] = {}
        self.at_name: dict[str, int] = {}
        self.most_at_name: dict[str, int] = {}
        self.most_abreast = 0
        self._clock = clock

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        self.reads.append(self._clock())
        zonefile, nothing = self.zonefile, Observed(target, None)
        return await self._call(target, self.on_read, lambda: zonefile.observe(target), lambda: nothing)

    def normalise(self, desired: RecordSet) -> RecordSet:
        if not desired.serving:
            raise Permanent(f"{desired.key} would be empty", reason="empty")
        return replace(desired, answers=desired.serving)

    async def apply(self, approved: Approved) -> Observed | None:
        self.applies.append(self._clock())
        if self.readonly is not None:
            raise self.readonly
        plan = approved.plan
        self.sent[plan.id] = self._clock()
        await self._call(plan.target, self.on_apply, lambda: self._swap(approved), lambda: None)
        return self.zonefile.observe(plan.target) if self.looks else None

    def manual(self, plan: Plan) -> str:
        answers = ",".join(f"{answer.value}={answer.weight}" for answer in plan.after.answers)
        return f"paper put {plan.target.key.name} {answers} gen={plan.generation}"

    def _swap(self, approved: Approved) -> None:
        plan = approved.plan
        found = self.zonefile.observe(plan.target)
        if (found.records, found.marker_text) != (plan.before.records, plan.before.marker_text):
            raise Fenced(f"{plan.target} is not what the plan was made from", reason="prerequisite_failed")
        self.audit(approved, found)
        zone, key = plan.target.zone, plan.target.key
        self.zonefile.records[zone, key] = self.keeps(plan.after)
        self.zonefile.markers.pop((zone, key.name), None)
        if plan.marker_text is not None:
            self.zonefile.markers[zone, key.name] = plan.marker_text
        self.zonefile.writes.append(Write(self._clock(), plan.target, plan.after, plan.marker, found))

    async def _call(self, target: Target, faults: deque[Fault], effect: Callable[[], T], nothing: Callable[[], T]) -> T:
        fault = faults.popleft() if faults else Fault()
        self._count(target, 1)
        try:
            await self._pass_time()
            if self.down is not None:
                raise self.down
            if fault.moment is not Moment.AFTER:
                await _strike(fault)
            answer = nothing() if fault.moment is Moment.INSTEAD else effect()
            await self._pass_time()
            if fault.moment is Moment.AFTER:
                await _strike(fault)
            return answer
        finally:
            self._count(target, -1)

    async def _pass_time(self) -> None:
        if self.script is not None:
            await self.script.step()
        await asyncio.sleep(self.latency / 2)

    def _count(self, target: Target, change: int) -> None:
        name = target.key.name
        self.at_name[name] = self.at_name.get(name, 0) + change
        self.most_abreast = max(self.most_abreast, sum(self.at_name.values()))
        self.most_at_name[name] = max(self.most_at_name.get(name, 0), self.at_name[name])


async def _strike(fault: Fault) -> None:
    if fault.hold is not None:
        await fault.hold.wait()
    if fault.error is not None:
        raise fault.error


# -- the authoritative servers -----------------------------------------------------------------------------------------


NS1, NS2 = Nameserver("192.0.2.53", 53, "ns1.example.com"), Nameserver("198.51.100.53", 53, "ns2.example.com")


class PaperAuthorities:
    """`ports.Authorities` that read out what stands in DNS, drawing one answer at a time.

    Attributes:
        servers: who answers; nobody is to be asked when it is empty.
        marked, whole: as in `Nameservers`.
        behind: servers that still have an older zone file.
        silent, unreachable: servers that do not answer, which takes four seconds, or to which there is no way.
        unknown: raised instead of saying who answers.
        asked: who was asked, and when.
        most_abreast: the most servers that were ever being asked at once.
    """

    def __init__(self, zonefile: Zonefile, others: Mapping[str, Zonefile] | None = None) -> None:
        self.zonefile = zonefile
        self.servers: tuple[Nameserver, ...] = (NS1, NS2)
        self.marked = True
        self.whole = False
        self.behind: dict[Nameserver, Zonefile] = {}
        self.silent: set[Nameserver] = set()
        self.unreachable: set[Nameserver] = set()
        self.unknown: FailoverdError | None = None
        self.asked: list[tuple[float, Nameserver]] = []
        self.most_abreast = 0
        self._others = dict(others or {})
        self._abreast = 0

    async def of(self, target: Target) -> Nameservers:
        if self.unknown is not None:
            raise self.unknown
        other = self._others.get(target.provider, self.zonefile)
        if other is self.zonefile:
            return Nameservers(self.servers, self.marked, self.whole)
        server = Nameserver("203.0.113.53", 53, f"ns.{target.provider}")
        self.behind[server] = other
        return Nameservers((server,), self.marked, self.whole)

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        self.asked.append((asyncio.get_running_loop().time(), server))
        self._abreast += 1
        self.most_abreast = max(self.most_abreast, self._abreast)
        try:
            await asyncio.sleep(0.001)
        finally:
            self._abreast -= 1
        if server in self.silent:
            await asyncio.sleep(4.0)
            return Statement(server, Hearing.SILENT, trouble="it does not answer")
        if server in self.unreachable:
            return Statement(server, Hearing.UNREACHABLE, trouble="Network is unreachable")
        return self._read_out(server, question)

    def _read_out(self, server: Nameserver, question: Question) -> Statement:
        zonefile = self.behind.get(server, self.zonefile)
        zone = next((zone for zone, key in zonefile.records if key == question.key), "")
        found = zonefile.observe(Target("", question.key, "", zone))
        values = [answer.value for answer in found.records.serving] if found.records is not None else []
        draws = [{values[number % len(values)]} if values else set[str]() for number in range(question.times)]
        answers = [set(values)] * question.times if self.whole else draws
        marker = found.marker if question.marked else None
        return Statement(server, Hearing.ANSWERED, tuple(map(frozenset, answers)), marker)


# -- the journal -------------------------------------------------------------------------------------------------------


@dataclass
class _Entry:
    plan: Plan
    intended_at: float
    outcome: ChangeOutcome | None = None
    detail: str = ""
    settled_at: float | None = None


@dataclass
class PaperJournal:
    """`ports.Journal` on paper. What it holds survives the process, like a file.

    Attributes:
        broken: raised by every call while it is set; `full` only by those that write.
        stuck: makes every call wait for it.
        tries: how often events were to be recorded.
        heard: told of each plan that is to be written, in the moment of its decision.
    """

    events: list[Event] = field(default_factory=list)
    changes: dict[str, _Entry] = field(default_factory=dict)
    answers: dict[Target, LastGood] = field(default_factory=dict)
    statuses: dict[object, Status] = field(default_factory=dict)
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    belongs: str = ""
    trail: list[AuditEntry] = field(default_factory=list)
    broken: JournalError | None = None
    full: JournalError | None = None
    stuck: asyncio.Event | None = None
    script: Script | None = None
    tries: int = 0
    heard: Callable[[Plan], None] = lambda plan: None  # noqa: ARG005 - what it is called with

    async def record(self, events: Sequence[Event]) -> None:
        self.tries += 1
        await self._turn(writes=True, counted=False)
        self.events.extend(events)

    async def intend(self, plan: Plan, at: float) -> None:
        self.heard(plan)
        await self._turn(writes=True)
        self.changes[plan.id] = _Entry(plan, at)
        await self._turn(writes=True)

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        await self._turn(writes=True)
        entry = self.changes.setdefault(plan.id, _Entry(plan, at))
        entry.outcome, entry.detail, entry.settled_at = outcome, detail, at
        old = self.answers.get(plan.target)
        if outcome is ChangeOutcome.APPLIED and (old is None or old.generation <= plan.generation):
            self.answers[plan.target] = plan.verified(at)
        await self._turn(writes=True)

    async def confirm(self, target: Target, good: LastGood) -> None:
        await self._turn(writes=True)
        old = self.answers.get(target)
        if old is None or old.generation <= good.generation:
            self.answers[target] = good

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        await self._turn()
        happened = {ChangeOutcome.APPLIED, ChangeOutcome.INTERRUPTED}
        changes = tuple(
            PastChange(
                entry.plan.id,
                entry.settled_at,
                entry.plan.start,
                entry.plan.shares_after,
                entry.plan.shifts,
                entry.plan.generation,
            )
            for entry in self.changes.values()
            if entry.plan.target == target
            and entry.outcome in happened
            and entry.settled_at is not None
            and entry.settled_at > since
        )
        return self.answers.get(target), changes

    async def last_answers(self) -> tuple[tuple[Target, LastGood], ...]:
        await self._turn()
        return tuple(self.answers.items())

    async def keep(self, state: PolicyState) -> None:
        await self._turn(writes=True)
        self.states[state.policy, ""] = codec.dump(replace(state, targets={}, overrides=()))
        self.states |= {(state.policy, key): codec.dump(memory) for key, memory in state.targets.items()}

    def states_kept(self) -> list[PolicyState]:
        """What an earlier process left, after the way through the file."""
        heads = {policy: codec.load(PolicyState, text) for (policy, key), text in self.states.items() if not key}
        memories = [codec.load(TargetMemory, text) for (_, key), text in self.states.items() if key]
        for memory in memories:
            heads[memory.target.policy] = heads[memory.target.policy].with_target(memory)
        return list(heads.values())

    async def say(self, override: Override) -> None:
        await self._turn(writes=True)
        self.words[override.id] = codec.dump(override)

    async def overrides(self, until: float) -> tuple[Override, ...]:
        await self._turn()
        return self.words_kept(until)

    def words_kept(self, until: float) -> tuple[Override, ...]:
        """The same, for who begins after an earlier process."""
        return tuple(word for word in self.spoken() if word.until > until or word.told is not Announced.ENDED)

    def spoken(self) -> list[Override]:
        """Every operator's word that it holds, after the way through the file."""
        return [codec.load(Override, text) for text in self.words.values()]

    async def instance(self) -> str:
        await self._turn()
        return self.belongs

    async def belong(self, instance: str) -> None:
        await self._turn(writes=True)
        self.belongs = instance

    async def audit(self, asked: AuditEntry) -> None:
        await self._turn(writes=True)
        self.trail.append(asked)

    async def asked(self, actor: str, key: str) -> AuditEntry | None:
        await self._turn()
        return next((each for each in self.trail if (each.actor, each.key) == (actor, key) and key), None)

    async def update_status(self, statuses: Sequence[Status]) -> None:
        await self._turn(writes=True)
        for status in statuses:
            self.statuses[getattr(status, "target", status)] = status

    async def dismiss(self, policy: str) -> None:
        await self._turn(writes=True)
        for key in [key for key in self.statuses if getattr(key, "policy", None) == policy]:
            del self.statuses[key]

    def interrupted(self, at: float) -> list[Plan]:
        """What an earlier process began and did not end."""
        found = [entry for entry in self.changes.values() if entry.outcome is None]
        for entry in found:
            entry.outcome, entry.settled_at = ChangeOutcome.INTERRUPTED, at
        return [entry.plan for entry in found]

    def proofs_kept(self) -> list[tuple[Plan, bool | None]]:
        """The changes that were applied, and whether each was proved; None: not yet."""
        proved = {event.change_id: not event.unconfirmed for event in self.events if isinstance(event, ChangeVerified)}
        applied = [entry.plan for entry in self.changes.values() if entry.outcome is ChangeOutcome.APPLIED]
        return [(plan, proved.get(plan.id)) for plan in applied]

    def outcomes(self) -> list[ChangeOutcome | None]:
        return [entry.outcome for entry in self.changes.values()]

    async def _turn(self, *, writes: bool = False, counted: bool = True) -> None:
        if self.script is not None and counted:
            await self.script.step()
        if self.stuck is not None:
            await self.stuck.wait()
        if self.broken is not None:
            raise self.broken
        if writes and self.full is not None:
            raise self.full


# -- endpoints ---------------------------------------------------------------------------------------------------------


class Does(StrEnum):
    """What an endpoint does when somebody probes it."""

    ANSWER = "answer"
    REFUSE = "refuse"  # fails at once
    DROP = "drop"  # fails after the whole time-out
    OVERLOAD = "overload"
    BLIND = "blind"  # the prober cannot look
    CRASH = "crash"  # the prober has a defect
    ERROR = "error"  # an answer that is none of the good ones
    STUBBORN = "stubborn"  # the prober does not let itself be cancelled


@dataclass(frozen=True)
class Look:
    """One probe: who was looked at, when it began, and how many were under way there then, itself included."""

    endpoint: Endpoint
    check: str
    at: float
    abreast: int


class World:
    """All endpoints, and what they do; by address. Everything answers after `latency` unless it is told otherwise."""

    def __init__(self, clock: Clock, *, latency: float = 0.001) -> None:
        self.latency = latency
        self.looks: list[Look] = []
        self._clock = clock
        self._does: dict[str, Does] = {}
        self._slow: dict[str, float] = {}
        self._abreast: dict[tuple[Endpoint, str], int] = {}

    def let(self, does: Does, *addresses: str) -> None:
        """From now on these endpoints do that. What is under way ends as it began."""
        self._does.update(dict.fromkeys(addresses, does))

    def does(self, endpoint: Endpoint) -> Does:
        return self._does.get(endpoint.address, Does.ANSWER)

    def does_at(self, address: str) -> Does:
        return self._does.get(address, Does.ANSWER)

    def slow(self, address: str, latency: float) -> None:
        self._slow[address] = latency

    def prober(self, check: Check) -> "PaperProber":
        return PaperProber(self, check)

    def at(self, address: str) -> list[float]:
        """When this endpoint was looked at."""
        return [look.at for look in self.looks if look.endpoint.address == address]

    async def look(self, endpoint: Endpoint, check: Check) -> ProbeResult:
        began, key = self._clock(), (endpoint, check.name)
        self._abreast[key] = self._abreast.get(key, 0) + 1
        self.looks.append(Look(endpoint, check.name, began, self._abreast[key]))
        try:
            outcome, reason = await self._answer(endpoint, check)
        finally:
            self._abreast[key] -= 1
        now = self._clock()
        return ProbeResult(endpoint, check.name, outcome, reason, Timings(now - began), now)

    async def _answer(self, endpoint: Endpoint, check: Check) -> tuple[ProbeOutcome, ProbeReason]:
        match self.does(endpoint):
            case Does.REFUSE:
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED
            case Does.DROP:
                await asyncio.sleep(check.timeout)
                return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT
            case Does.BLIND:
                return ProbeOutcome.BLIND, ProbeReason.NO_ROUTE
            case Does.OVERLOAD | Does.ERROR as does:
                await asyncio.sleep(self.latency)
                overload = ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED
                return overload if does is Does.OVERLOAD else (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
            case Does.STUBBORN:
                return await self._hold_out(check)
            case _:
                await asyncio.sleep(self._slow.get(endpoint.address, self.latency))
                return ProbeOutcome.PASS, ProbeReason.OK

    async def _hold_out(self, check: Check) -> tuple[ProbeOutcome, ProbeReason]:
        try:
            await asyncio.sleep(check.timeout)
        except asyncio.CancelledError:
            return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT
        return ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT


@dataclass(frozen=True)
class PaperProber:
    """`ports.Prober` that looks into the world on paper."""

    world: World
    check: Check

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        if self.world.does(endpoint) is Does.CRASH:
            raise RuntimeError("a defect in the prober")
        task = asyncio.get_running_loop().create_task(self.world.look(endpoint, self.check))

        def report(done: asyncio.Task[ProbeResult]) -> None:
            if not done.cancelled():
                tell(done.result())

        def abandon() -> None:
            task.remove_done_callback(report)
            task.cancel()

        task.add_done_callback(report)
        return abandon


def paper_incidents(emit: Emit, clock: Clock) -> Incidents:
    """Incidents with nothing behind them, for who only opens some."""
    writer = JournalWriter(PaperJournal(), emit, clock)
    return Incidents(States(writer, emit, Overrides(writer, emit, clock)), clock)
