"""One policy at work: a worker for each of its targets."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from failoverd.core.control.outcome import Outcome
from failoverd.core.overrides import Override
from failoverd.core.records import Policy, Target
from failoverd.core.status import Status, TargetState, TargetStatus
from failoverd.ports import Provider, Urgency
from failoverd.runtime.supervising import supervise
from failoverd.runtime.target_worker import Rounds, TargetWorker, Tools


class Reconciler:
    """Keeps the records of one policy as the policy wants them. `run` is endless."""

    def __init__(
        self,
        policy: Policy,
        providers: Mapping[str, Provider],
        tools: Tools,
        statuses: Callable[[], Sequence[Status]],
    ) -> None:
        self._policy = policy
        self._tools = tools
        self._rounds = Rounds(statuses)
        targets = policy.targets if tools.states.lead.candidate else ()  # a vantage has nothing to do with providers
        self._workers = [
            TargetWorker(policy, target, providers[target.provider], tools, self._rounds) for target in targets
        ]

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return self._rounds.busy

    def wake(self, urgency: Urgency = Urgency.ROUTINE, *, more: bool = False) -> None:
        """Something may have changed: work on every target soon. `more`: other news is about to come."""
        for worker in self._workers:
            worker.wake(urgency, more=more)

    def turned(self) -> None:
        """This member writes from now on, or does no more: work on every target now, what is down first."""
        for worker in self._workers:
            worker.turned()

    def retry(self) -> None:
        """Somebody may have mended what targets wait for: try these again now, whatever patience was asked for."""
        for worker in self._workers:
            if worker.status is not None and worker.status.state is TargetState.DELAYED:
                worker.agenda.call(Urgency.CHANGE)

    def previews(self) -> list[tuple[Target, Callable[[tuple[Override, ...]], Outcome]]]:
        """For each target: what would be done if operators said something else."""
        return [(worker.target, worker.preview) for worker in self._workers]

    def statuses(self) -> list[TargetStatus]:
        """Where each target stood after its last round."""
        return [worker.status for worker in self._workers if worker.status is not None]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                name = f"worker of {worker.target}"
                tools, policy = self._tools, self._policy.name
                work = supervise(name, worker.run, tools.emit, tools.clock, policy=policy, chance=tools.chance)
                group.create_task(work)
            if not self._workers:
                await asyncio.Event().wait()

    async def finish(self, patience: float) -> None:
        """Begin nothing more, and wait up to `patience` seconds for what is under way."""
        await self._rounds.finish(patience)
