"""An operator's session: the same files, providers, state and rules that the daemon has."""

import os
import pwd
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.config.loader import Config
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState, Verdicts
from failoverd.core.errors import FailoverdError
from failoverd.core.events import ChangeVerified, Event
from failoverd.core.records import Check, Observed, Policy, Target
from failoverd.core.rules import Rule
from failoverd.operations.planning import back
from failoverd.operations.slips import unknown
from failoverd.operations.verdicts import probed
from failoverd.operations.waiting import Stage, Waiting
from failoverd.ports import Clock, Prober, Provider, Urgency
from failoverd.runtime.applying import Applier
from failoverd.runtime.estate import Shared
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.orphans import Claims, Orphans
from failoverd.runtime.proving import Prover
from failoverd.runtime.states import States
from failoverd.telemetry import prose

PROOF_PATIENCE: Final = 5.0
"""Seconds that an operator waits for the authoritative servers to agree, for all changes of one command together."""


@dataclass(slots=True)
class Patience:
    """Seconds that are left to wait for proofs."""

    left: float = PROOF_PATIENCE


@dataclass(slots=True)
class Beside:
    """What is known of all policies, for who shares regions with others: verdicts of those that were probed."""

    verdicts: dict[str, Verdicts] = field(default_factory=dict)
    shared: Shared | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that operations need.

    Attributes:
        config: the daemon's configuration.
        policies: the sound ones, by name.
        unsound: of each file or directory that does not load, the first thing that is wrong with it.
        providers: by name; opened for reading only, or for writing as well.
        states: what is known of each policy from before, as the daemon left it in the journal.
        journal: where it is kept.
        prover: asks the authoritative servers.
        equip: probers for some checks of a policy (or of the sentinels), by the name of the check. Raises ConfigError.
        clock: the time.
        events: what was told in this session.
        orphans: records of ours that no policy names any more.
        claims: what the policy files name.
        alive: whether a daemon works with this journal now. Then what it said of the regions' past is believed, and
            what it knows is its own to keep.
        remember: takes up in `states` what the journal holds by now.
        rules: those of the inventory.
        waits: is told how far it is.
        instance: of the daemon that the journal belongs to: what a person writes here is written beside that daemon and
            in its books, and is no rival of it. Empty where the journal does not say.
    """

    config: Config
    policies: Mapping[str, Policy]
    unsound: tuple[str, ...]
    providers: Mapping[str, Provider]
    states: States
    journal: JournalWriter
    prover: Prover
    equip: Callable[[str, Sequence[Check]], Mapping[str, Prober]]
    clock: Clock
    events: list[Event]
    orphans: Orphans
    claims: Claims
    alive: Callable[[], bool]
    remember: Callable[[], Awaitable[None]]
    rules: tuple[Rule, ...] = ()
    waits: Callable[[Waiting], None] = lambda _: None
    instance: str = ""
    patience: Patience = field(default_factory=Patience)
    beside: Beside = field(default_factory=Beside)

    @property
    def owner(self) -> str:
        return self.config.owner

    @property
    def by_turns(self) -> bool:
        """Nobody else in this process writes."""
        return False

    def policy(self, name: str) -> Policy:
        """Raises ConfigError when there is no sound policy of that name."""
        if name not in self.policies:
            remedy = "failoverctl check lists what is wrong with the files"
            raise unknown("sound policy", name, sorted(self.policies), "policy_unknown", remedy)
        return self.policies[name]

    def estate(self, target: Target, returning: Mapping[str, frozenset[str]]) -> Estate:
        """Policies that were not probed are taken to carry what they publish."""
        shared = self.beside.shared
        if shared is None:
            shared = self.beside.shared = Shared(self.looked_at, lambda _: None)
            for policy in self.policies.values():
                shared.put(policy)
        policy = self.policies[target.policy]
        state, shared = back(self.looked_at(policy), returning), shared.bringing_back(returning)
        grant, usual = shared.grants(policy, state, self.clock())
        normalise = self.providers[target.provider].normalise
        entry = self.config.providers.get(target.provider)
        fenced = entry is None or entry.fenced
        return Estate(self.config.owner, normalise, self.instance, self.rules, grant, usual, fenced=fenced)

    def looked_at(self, policy: Policy) -> PolicyState:
        return replace(self.states.told(policy), verdicts=self.beside.verdicts.get(policy.name, {}))

    async def read(self, target: Target, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        return await self.providers[target.provider].read(target, urgency=urgency)

    async def verdicts(
        self, policies: Sequence[Policy], failed: tuple[str, ...]
    ) -> Mapping[str, Verdicts | FailoverdError]:
        found = await probed(self, policies, failed)
        self.beside.verdicts |= {name: each for name, each in found.items() if not isinstance(each, FailoverdError)}
        self.beside.shared = None
        return found

    def turn(self, target: Target) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - it is always its turn
        return nullcontext()

    async def recalled(self, policy: Policy, target: Target) -> PolicyState:
        """The policy's state, with what the journal knows of a target."""
        await self.states.recall(target, self.clock() - policy.limits.longest_window)
        return self.states.told(policy)

    async def apply(self, policy: Policy, outcome: Outcome) -> Plan:
        """Carry a write out in the name of who is at the keyboard. Whether it arrived is for `proof` to say.

        A daemon at work learns of it from the journal, and goes on with what it knows itself. What this session read of
        that at its start may be old by now: it is kept only where no daemon does so.

        Raises:
            ProviderError: as the provider said.
        """
        if outcome.approved is None:
            raise ValueError("there is nothing to apply")
        applier = Applier(self.states, self.journal, self.prover, self.events.append, self.clock, actor())
        plan = outcome.approved.plan
        provider = self.providers[plan.target.provider]
        await applier.take_up(provider, outcome, policy)
        await applier.apply(provider, outcome, policy)
        if not self.alive():
            await self.states.keep(policy.name)
        return plan

    async def proof(self, plan: Plan) -> str:
        """What the authoritative servers say of a change, once they agree or patience ends.

        The proof ends with the command. The change stands either way, and a daemon would find it in place.
        """
        self.waits(Waiting(Stage.PROVING, 0, 1, self.patience.left))
        return await proof_of(plan, self.prover, self.events, self.patience, self.clock)


async def proof_of(plan: Plan, prover: Prover, told: Sequence[Event], patience: Patience, clock: Clock) -> str:
    """What the authoritative servers say of a change; `told` grows by what the prover tells meanwhile."""
    began = clock()
    await prover.settle(plan.target, patience.left)
    patience.left = max(0.0, patience.left - (clock() - began))
    for event in told:
        if isinstance(event, ChangeVerified) and event.change_id == plan.id:
            return prose.witnesses(event)
    found = prover.propagation(plan)
    return f"not proved within {PROOF_PATIENCE:g}s: {prose.unproved(found)}" if found is not None else ""


def actor() -> str:
    """Who is at the keyboard, for the record: `alice@host`, with the person behind sudo.

    The system says who runs this. The environment, which anybody can set, is believed only of root: sudo made it.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = f"uid:{uid}"  # a container often runs as a user that its passwd does not list
    if uid == 0:
        user = os.environ.get("SUDO_USER") or user
    return f"{user}@{socket.gethostname()}"
