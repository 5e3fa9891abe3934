"""What `failoverctl plan` would show beside a simulated daemon, and what that daemon would do in the same moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from support.stage import Stage

from failoverd.config.drills import planner_of_all
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.state import PolicyState, Verdicts
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import KNOWN
from failoverd.core.records import Maintenance, Observed, Policy, Practice, Target
from failoverd.operations.planning import make_plans
from failoverd.operations.waiting import Waiting
from failoverd.ports import Clock, Provider, Urgency
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.override_book import Overrides
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.simulated_daemon import OWNER
from failoverd.simulation.virtual_time import now
from failoverd.simulation.zonefile import Zonefile


@dataclass(slots=True)
class Beside:
    """Where such plans are made: by what the daemon left in its journal and what files say (`planning.Lookout`).

    Health is the daemon's own: who probes the same endpoints sees the same, sooner or later.

    Attributes:
        stage: the daemon.
        journal: what it left there.
        zonefiles: what stands, by provider.
        work: what the inventory plans.
        drills: those that it plans.
    """

    stage: Stage
    journal: PaperJournal
    zonefiles: Mapping[str, Zonefile]
    work: Sequence[Maintenance]
    drills: Sequence[Practice]
    words: Overrides = field(init=False)
    kept: Mapping[str, PolicyState] = field(init=False)
    done: dict[Target, Outcome | str] = field(default_factory=dict)
    _seen: dict[Target, Observed] = field(default_factory=dict)

    by_turns = True
    """Nothing is read again: the moment in which all of it is looked at is one."""

    async def differences(self) -> list[tuple[Target, Outcome | str, Outcome | str]] | None:
        """Each target, with what is shown and what would be done. None: the daemon went to work meanwhile."""
        policies = [policy for policy in self.policies.values() if policy.name in self._known_before()]
        findings = await make_plans(self, policies, frozenset())
        if self.stage.busy or self.stage.engine.writer.lacks:
            return None
        shown = ((each.target, each.outcome or _reason(each.error)) for each in findings)
        return [(target, outcome, self.done[target]) for target, outcome in shown if target in self.done]

    def _known_before(self) -> set[str]:
        return {state.policy for state in self.journal.states.values() if isinstance(state, PolicyState)}

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self.stage.runner.policies

    @property
    def providers(self) -> Mapping[str, Provider]:
        return self.stage.providers

    @property
    def clock(self) -> Clock:
        return now

    @property
    def alive(self) -> Callable[[], bool]:
        return lambda: True

    @property
    def waits(self) -> Callable[[Waiting], None]:
        return lambda _: None

    def policy(self, name: str) -> Policy:
        return self.policies[name]

    def looked_at(self, policy: Policy) -> PolicyState:
        return self.kept[policy.name]

    def estate(self, target: Target, returning: Mapping[str, frozenset[str]]) -> Estate:  # noqa: ARG002 - nobody is brought back
        provider, engine = self.stage.providers[target.provider], self.stage.engine
        return Estate(OWNER, provider.normalise, engine.instance, tuple(engine.rules))

    async def read(self, target: Target, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - on paper
        self._seen[target] = found = self.zonefiles[target.provider].observe(target)
        return found

    async def verdicts(
        self,
        policies: Sequence[Policy],
        failed: tuple[str, ...],  # noqa: ARG002 - nobody waits here to be told
    ) -> Mapping[str, Verdicts | FailoverdError]:
        """From here on nothing else has a turn: the daemon is asked in the same moment."""
        self.kept = {state.policy: state for state in self.journal.states_kept()}
        self.words = Overrides(JournalWriter(PaperJournal(), lambda _: None, now), lambda _: None, now)
        self.words.follow(planner_of_all(self.policies, self.work, self.drills))
        self.words.load(self.journal.words_kept(now() - KNOWN))
        stage, found = self.stage, dict[str, Verdicts | FailoverdError]()
        for policy in policies:
            state = stage.states.seen(policy, stage.board)
            found[policy.name] = state.verdicts
            self.kept = {**self.kept, policy.name: replace(self.kept[policy.name], calm=state.calm)}
            self.done |= self._done(policy, state)
        return found

    def _done(self, policy: Policy, state: PolicyState) -> Iterator[tuple[Target, Outcome | str]]:
        for target in policy.targets:
            try:
                yield target, evaluate(policy, state, self._seen[target], self.estate(target, {}), now())
            except FailoverdError as error:
                yield target, _reason(error)

    async def recalled(self, policy: Policy, target: Target) -> PolicyState:  # noqa: ARG002 - all of it is kept together
        return replace(self.kept[policy.name], overrides=self.words.known(policy))


def _reason(error: FailoverdError | None) -> str:
    return error.reason if error is not None else ""
