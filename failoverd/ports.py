"""The few interfaces that the shell is written against. Adapters implement them; tests put fakes behind them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from failoverd.core.control.inputs import Decided
from failoverd.core.control.limits import Approved, PastChange
from failoverd.core.control.plan import LastGood, Plan
from failoverd.core.control.propagation import Nameserver, Nameservers, Question, Statement
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event
from failoverd.core.overrides import Override
from failoverd.core.records import Capabilities, Check, Endpoint, Observed, ProbeResult, RecordSet, Target
from failoverd.core.status import Notice, Status
from failoverd.settings import CheckSettings, Needed, ProviderSettings, ReceiverSettings

Emit = Callable[[Event], None]
"""Takes one domain event. Never blocks, never raises."""

Words = Callable[[Event], tuple[str, Mapping[str, object]]]
"""An event as people read it: one sentence, and its facts with reasons and limits in words."""

Clock = Callable[[], float]
"""Seconds since the epoch, steady: anchored once, then monotonic, so that a clock jump moves no deadline."""

WallClock = Callable[[], float]
"""Seconds since the epoch as the machine has them now: what is told to others who look at a clock of their own. It
jumps when somebody sets it, so nothing is measured by it."""

Cancel = Callable[[], None]
"""Takes a job off the timetable. Harmless when it is off already."""


class Timetable(Protocol):
    """Regular work. Jobs are few: a job starts a batch, never one endpoint."""

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[None]], *, phase: float = 0.0) -> Cancel:
        """Run `work` every `seconds`, for the first time after `phase` seconds. A job of the same name is replaced."""


class Access(StrEnum):
    """What the client behind a provider is able to do. READ is how a dry run is enforced: it has no way to write."""

    READ = "read"
    WRITE = "write"


class Haste(IntEnum):
    """What a request is for. The smaller, the more urgent."""

    FAIL_OUT = 0  # traffic is on its way to a region that cannot serve it
    CHANGE = 1  # any other change, and the proof of one
    ROUTINE = 2  # looking whether everything is as it was left


@dataclass(frozen=True, slots=True, order=True)
class Urgency:
    """Who goes first when an account allows fewer requests than are wanted. The smaller, the more urgent.

    Attributes:
        haste: what the request is for.
        tier: of the policy that wants it: of what is as urgent, the most important goes first. 0 is of no policy.
    """

    haste: Haste
    tier: int = 0

    FAIL_OUT: ClassVar["Urgency"]
    CHANGE: ClassVar["Urgency"]
    ROUTINE: ClassVar["Urgency"]

    @classmethod
    def of(cls, plan: Plan) -> "Urgency":
        return cls(Haste.FAIL_OUT if plan.cause.urgent else Haste.CHANGE, plan.tier)

    def of_tier(self, tier: int) -> "Urgency":
        return Urgency(self.haste, tier)

    @property
    def fails_out(self) -> bool:
        return self.haste is Haste.FAIL_OUT

    @property
    def is_routine(self) -> bool:
        return self.haste is Haste.ROUTINE


Urgency.FAIL_OUT, Urgency.CHANGE, Urgency.ROUTINE = map(Urgency, Haste)


class Provider(Protocol):
    """One account or server that answers for zones.

    Every failure is raised as Transient, RateLimited, Permanent or Fenced (`core/errors.py`); nothing else leaves.
    """

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        """What stands at the target now: the record set, the marker, and whatever else a write is conditional on."""

    def normalise(self, desired: RecordSet) -> RecordSet:
        """The set as this provider will read it back after writing it: weights scaled, rounded, or flattened to 1.

        Raises Permanent when the provider cannot say it at all.
        """

    async def apply(self, approved: Approved) -> Observed | None:
        """Replace `plan.before` by `plan.after`, and the marker by `plan.marker_text`, in one conditional write.

        Without a `marker_text` the marker is removed.

        Raises Fenced, having changed nothing, when `plan.before` is no longer what stands there. Returning means that
        the provider said yes, which proves nothing yet: the caller reads back, unless what is returned was read after
        the last write.
        """

    def manual(self, plan: Plan) -> str:
        """The exact command with which a person can do the same without failoverd, for bash. Holds no secret.

        It writes `plan.marker_text`, as `apply` does, which says that a person did it: so it is called by
        `runtime/manual_command.py` alone.
        """


@runtime_checkable
class Propagating(Protocol):
    """A provider that says by itself when all of its servers have a change."""

    async def propagated(self, target: Target) -> bool:
        """Return once the provider says that all of its servers answer with what was last applied to the target.

        At once, and False, where it cannot say so of that change: its answer was lost, or another process had it.
        """


class SeriesValue(NamedTuple):
    """One value that somebody measured, with the labels that tell it from the others."""

    labels: Mapping[str, str]
    value: float


class MetricsSource(Protocol):
    """Somebody who measures."""

    @property
    def every(self) -> float:
        """Seconds between two questions."""

    async def ask(self, query: str) -> Sequence[SeriesValue]:
        """What the query gives now: finite numbers. Raises FailoverdError for anything else, within seconds."""


class Authorities(Protocol):
    """The authoritative servers of every zone, asked directly."""

    async def of(self, target: Target) -> Nameservers:
        """Who answers for a target.

        Raises:
            Transient: nobody can tell now: the delegation cannot be looked up.
        """

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        """Ask one server. Ends within seconds, never raises for what the server or the network does."""


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """What `providers/<kind>/` exports as `KIND`: enough to check a policy without opening a connection.

    `open` gives a provider for as long as the context lasts; an SDK is imported inside it, not before. `in_daemon` says
    that it lives in the daemon's own memory, so that other processes can only read it. `needs` is what a first
    configuration asks about it. `sdk` names the modules that it imports when it opens, and `extra` the extra of
    failoverd's installation that brings them.
    """

    name: str
    settings: type[ProviderSettings]
    capabilities: Capabilities
    open: Callable[[str, Any, Access], AbstractAsyncContextManager[Provider]]
    in_daemon: bool = False
    needs: tuple[Needed, ...] = ()
    sdk: tuple[str, ...] = ()
    extra: str = ""

    @property
    def brought_by(self) -> str:
        """What to do where the SDK is not installed, whichever way failoverd was."""
        return (
            f"install failoverd with its extra: pip install 'failoverd[{self.extra}]' "
            f"(Debian: apt install failoverd-{self.extra}; container image: built with EXTRAS={self.extra})"
        )


Tell = Callable[[ProbeResult], None]
"""Takes what a probe came to."""


class Prober(Protocol):
    """One check, ready to probe any endpoint."""

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """Begin one probe; a thousand of them cost a thousand calls, and no task each.

        `tell` is called once, from the event loop and never from within `start`, within the check's time-out. What the
        target does is data: nothing is raised for it. Calling what is returned abandons the probe: then `tell` is
        not called any more. Harmless when it is over.
        """


@runtime_checkable
class Tripping(Protocol):
    """A prober that can also keep one idle connection to an endpoint, a trip wire."""

    def wire(self, endpoint: Endpoint, tripped: Callable[[], None]) -> Cancel | None:
        """Keep a connection until it is cancelled; `tripped` is called each time that it is reset, closed or refused.

        That proves nothing by itself: it is a reason to probe now. None when the check asks for no trip wire.
        """


class Ledger(Protocol):
    """What was spent of daily allowances. It survives restarts, so that an allowance is never exceeded."""

    async def reserve(self, account: str, day: str, amount: int, limit: int) -> bool:
        """Take `amount` out of the account's allowance of that day; False, taking nothing, when it would not fit.

        False, too, when the ledger cannot be written: what is not known to be allowed is not spent.
        """

    async def refund(self, account: str, day: str, amount: int) -> None:
        """Give back what was reserved and not spent."""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a prober has besides its check: whose policy it probes for, the time, and what it may spend.

    Without a ledger it may spend nothing: probes by hand cost nothing unless a person says so.
    """

    policy: str
    clock: Clock
    ledger: Ledger | None


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """What a `probes/…_check` exports in `KINDS` for each check kind that it implements.

    `name` is also the key that selects the kind in a policy's check (`https: /health`). `uses_network` is false where a
    good answer says nothing about our network: a plugin may look at anything. `connects` is true where each probe
    opens a TCP connection, so that its `connect` is a round trip to the endpoint.
    """

    name: str
    settings: type[CheckSettings]
    open: Callable[[Check, ProbeContext], Prober]
    uses_network: bool = True
    connects: bool = True


class ChangeOutcome(StrEnum):
    APPLIED = "applied"
    FENCED = "fenced"
    FAILED = "failed"
    UNVERIFIED = "unverified"  # the provider said yes, the read-back said otherwise
    INTERRUPTED = "interrupted"  # the process died between the intent and the outcome


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A request that would change something, as it is kept for ever.

    Attributes:
        at: when it was answered.
        actor: who asked; empty where nobody knows.
        origin: from where: a process of this machine, or an address.
        request: method and path.
        key: what names this one request, by the choice of who asked; empty where it is not to be answered again.
        body: what was asked, in JSON; empty where it was not even read.
        status: of the answer, as HTTP has it.
        answer: the answer, in JSON.
    """

    at: float
    actor: str
    origin: str
    request: str
    key: str
    body: str
    status: int
    answer: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How a change ended, and when, as one of several members tells the others."""

    plan: Plan
    outcome: ChangeOutcome
    detail: str
    at: float


Telling = Event | Settled
"""What a member tells the others for their history."""


class Journal(Protocol):
    """What happened, on disk. Losing it loses history, never traffic: callers go on when it raises JournalError."""

    async def record(self, events: Sequence[Event]) -> None:
        """Append events to the history."""

    async def intend(self, plan: Plan, at: float) -> None:
        """Say that this plan is about to be applied."""

    async def settle(self, plan: Plan, outcome: ChangeOutcome, detail: str, at: float) -> None:
        """Say how it went. APPLIED also makes `plan.after` the last known good answer of the target."""

    async def hear(self, member: str, number: int, told: Sequence[Telling]) -> None:
        """Add what another member told, unless what it told under that number, or a later one, is there already."""

    async def confirm(self, target: Target, good: LastGood) -> None:
        """Say that the target was found at this answer, which is right, although no plan of ours wrote it."""

    async def recall(self, target: Target, since: float) -> tuple[LastGood | None, tuple[PastChange, ...]]:
        """The last known good answer, and the changes applied to the target after `since`."""

    async def last_answers(self) -> tuple[tuple[Target, LastGood], ...]:
        """The last known good answer of every target that has one."""

    async def keep(self, state: PolicyState) -> None:
        """Replace the state of a policy, and of those of its targets that it names: what a restart takes up."""

    async def decided(self, decisions: Sequence[Decided]) -> None:
        """Append what decisions looked at and came to."""

    async def say(self, override: Override) -> None:
        """Keep an operator's word as it is now."""

    async def overrides(self, until: float) -> tuple[Override, ...]:
        """The words that were to hold beyond that moment, those included that ended before their time."""

    async def instance(self) -> str:
        """The id of the daemon that it belongs to."""

    async def belong(self, instance: str) -> None:
        """Belong to that daemon, now and after its restart."""

    async def audit(self, asked: AuditEntry) -> None:
        """Add a request to the audit trail."""

    async def asked(self, actor: str, key: str) -> AuditEntry | None:
        """The request that this actor gave that key to, the first one if there are several."""

    async def update_status(self, statuses: Sequence[Status]) -> None:
        """Replace what is said about where things stand, each under its own key."""

    async def dismiss(self, policy: str) -> None:
        """Forget where things stood with a policy that is no longer managed. Its history stays."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """Who leads. `epoch` grows with each new leader; without one, the name is empty. `mine`: it is who asked.

    `leader` is as it stands there: somebody else may have written it.
    """

    leader: str
    epoch: int
    mine: bool


@dataclass(frozen=True, slots=True)
class SharedValue:
    """One value of the members' common memory; None: it was taken away. `version` grows with each change."""

    value: bytes | None
    version: int


class Replacement(NamedTuple):
    """A value, and the version of what it replaces; 0: nothing stands there."""

    value: bytes
    after: int


class Coordinator(Protocol):
    """Where members agree: one lease, and values that all of them see.

    Every failure is raised as CoordinationError; nothing else leaves. After one, nobody knows whether it was done.
    """

    @property
    def lease(self) -> float:
        """Seconds for which what a member holds stays when it is silent, from the moment that it last campaigned."""

    async def campaign(self, *, stands: bool = True) -> Leadership:
        """Stay, or become if nobody is, the leader. To be called several times within `lease`.

        Who leads may do so until `lease` seconds after the call began, by its own clock. A process that is started
        again is another one: what it held before is followed after the lease, as if it were of anybody else. Who does
        not stand (a vantage, or who has just resigned) keeps what it published alive, and hears who leads.
        """

    async def resign(self) -> None:
        """Give up leading, and what was published. Somebody else can lead at once. Harmless for who holds nothing."""

    async def replace(self, key: str, value: bytes, *, after: int, epoch: int | None = None) -> int | None:
        """Replace what stands under a key at version `after` (0: nothing does); gives the new version.

        None, having changed nothing, if something else stands there by now, or (`epoch`) somebody else leads or nobody.
        What is replaced stays, whatever becomes of who did it.
        """

    async def replace_all(self, values: Mapping[str, Replacement], *, epoch: int | None = None) -> Mapping[str, int]:
        """The same of many: the new version of each that was replaced. One that was not keeps no other from it.

        Many of them take few calls, where the coordinator can do that. After an error nobody knows which were replaced.
        """

    async def remove(self, key: str, *, after: int, epoch: int | None = None) -> bool:
        """Take away what stands under a key at version `after`. Whether this did; False as `replace` gives None."""

    async def publish(self, values: Mapping[str, bytes]) -> None:
        """Say something for as long as this member lives: it is gone `lease` seconds after it last campaigned.

        Or at once, when a person takes away its lease, or it resigns. Who said it hears that in `changes` like
        everybody, and may say it again. Values by key: many of them take few calls, where the coordinator can do that.
        After an error nobody knows which of them were said.
        """

    async def entries(self, below_key: str) -> tuple[Mapping[str, SharedValue], int]:
        """Everything whose key begins so, and up to which version that is known."""

    def changes(self, below_key: str, after: int) -> AsyncIterator[tuple[str, SharedValue]]:
        """Every change of these after that version, in order, as it happens. Never ends but by a CoordinationError.

        Several keys may change with one version. Who begins again after the last version that was heard misses
        nothing, unless it is told so.

        Raises:
            Compacted: these changes are not known any more, or the coordinator was put back to an older state: begin
                with `entries` again.
        """


def time_to_answer(coordinator: Coordinator) -> float:
    """Seconds that a call gets: two of them fit into what is left of a lease when its leader begins nothing more."""
    return coordinator.lease / 4


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to a receiver. `ca_file` holds whom to trust instead of the system's certificates."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None


class Outlet(Protocol):
    """One address of a receiver.

    Attributes:
        place: which one it is, without anything secret.
        batch: how many notices one delivery may carry.
        every: seconds after which a trouble that lasts is told again; None: once is enough.
        pause: seconds between two deliveries.
        keyed: whether it knows a trouble by its key, so that one that is told twice is told once.
    """

    @property
    def place(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def every(self) -> float | None: ...
    @property
    def pause(self) -> float: ...
    @property
    def keyed(self) -> bool: ...

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:
        """What to send. Reads the secret's file; raises FailoverdError when there is none that can be sent."""


@dataclass(frozen=True, slots=True)
class ReceiverKind:
    """What a module of `telemetry/notifications/` exports as `KIND`.

    `name` is also the key that selects the kind in the configuration (`webhook: https://…`). `open` takes the settings
    and the owner of this installation, and gives an outlet for each address; it touches nothing.
    """

    name: str
    settings: type[ReceiverSettings]
    open: Callable[[Any, str], Sequence[Outlet]]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Everything that configuration may name, handed to the loader by the composition root."""

    providers: Mapping[str, ProviderKind]
    probes: Mapping[str, ProbeKind]
    receivers: Mapping[str, ReceiverKind] = field(default_factory=dict)
