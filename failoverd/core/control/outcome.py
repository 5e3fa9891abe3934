"""What is to be done about a target: data that `evaluate` makes and a driver carries out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from failoverd.core.control.decision import Decision
from failoverd.core.control.drift import DriftResponse
from failoverd.core.control.limits import Approved, Held
from failoverd.core.control.plan import LastGood, Plan, Refused
from failoverd.core.control.sharing import Grant
from failoverd.core.control.state import PolicyState
from failoverd.core.events import Event
from failoverd.core.overrides import Override
from failoverd.core.reasons import Cause, Reason
from failoverd.core.records import RecordSet
from failoverd.core.rules import Rule


class OutcomeKind(StrEnum):
    HOLD = "hold"  # it is left exactly as it is
    IN_SYNC = "in_sync"
    REFUSE = "refuse"  # the name is not ours to touch
    DRIFT = "drift"  # somebody's edit stands, for now or for good
    LIMITED = "limited"
    WRITE = "write"


class Action(StrEnum):
    """What a driver does to carry a write out."""

    JOURNAL_INTENT = "journal_intent"
    SEND = "send"
    READ_BACK = "read_back"
    TELL = "tell"
    PROVE = "prove"
    JOURNAL_OUTCOME = "journal_outcome"


WRITE_ORDER: Final = (
    Action.JOURNAL_INTENT,  # before anything is sent: a process that dies leaves word of what it may have done
    Action.SEND,
    Action.READ_BACK,  # what the provider answered proves nothing
    Action.TELL,  # before it is settled: a process that dies here tells it twice, and not never
    Action.PROVE,
    Action.JOURNAL_OUTCOME,
)


@dataclass(frozen=True, slots=True)
class Estate:
    """What a decision looks at besides its own policy.

    Attributes:
        owner: the name under which this installation marks what it owns.
        normalise: a record set in the terms of the target's provider, as it will be read back. Pure. Raises Permanent
            when the provider cannot say it.
        instance: which process of it this is, the same after a restart.
        rules: those of the inventory.
        grant: what the other policies leave this one of the regions that they share; None where it shares none.
        usual: the same for a day on which nothing is wrong.
        spare: how much it may take of each region without anybody having less, if it follows the price; None where no
            price is looked at, for nobody would remember what was chosen.
        lone: whether nobody can lead, and each of several members takes off what is down, and nothing else.
        fenced: whether the target's provider refuses a write that is older than what stands there.
    """

    owner: str
    normalise: Callable[[RecordSet], RecordSet]
    instance: str = ""
    rules: tuple[Rule, ...] = ()
    grant: Grant | None = None
    usual: Grant | None = None
    spare: Mapping[str, float] | None = None
    lone: bool = False
    fenced: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be done about one target, and why.

    Attributes:
        kind: what.
        decision: what the policy wants, with the sum.
        state: what is known afterwards; for a write, before it is sent.
        events: what is to be told, in order.
        plan: what would be written: by a write, or if nothing were in its way.
        approved: the seal of a write; providers take nothing else.
        held: which limit blocks, also where the marker is written meanwhile.
        refused: why the name is not touched.
        drift: what becomes of somebody's edit.
        found: a plan of earlier, of which nobody knew how it went, and which turned out to be in place.
        by_hand: a change that a person made with a command of ours, and that was not known: to be told.
        words: operators' words that it comes to: to be kept before anything is written.
        verified: what stands there is right although no plan of ours wrote it: to be remembered.
        outranked: the epoch of the newer leader who wrote what stands there, for whom it is left; None without one.
        until: the first moment at which time alone would change it; now, where what it rests on is over by it.
        order: the actions of a write.
    """

    kind: OutcomeKind
    decision: Decision
    state: PolicyState
    events: tuple[Event, ...] = ()
    plan: Plan | None = None
    approved: Approved | None = None
    held: Held | None = None
    refused: Refused | None = None
    drift: DriftResponse | None = None
    found: Plan | None = None
    by_hand: Plan | None = None
    words: tuple[Override, ...] = ()
    verified: LastGood | None = None
    outranked: int | None = None
    until: float | None = None
    order: tuple[Action, ...] = ()

    @property
    def cause(self) -> Cause | None:
        """The most pressing of what is done, or would be."""
        return self.plan.cause if self.plan is not None else None

    @property
    def shares(self) -> Mapping[str, int]:
        """What is published afterwards, or would be without what is in its way."""
        return self.plan.shares_after if self.plan is not None else self.decision.shares

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.decision.reasons
