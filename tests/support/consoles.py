"""A daemon that operators speak to, without probes and DNS: a real desk at a real socket, over one policy on paper.

async with console(tmp_path) as here:
    told = await here.failoverctl("drain", "azure", "--reason", "racks", "--for", "1h")
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.api import PaperPlans
from support.commands import Ended, answered, written
from support.leaders import PaperLeader
from support.scenes import AWS, AZURE, OCI, TARGET, policy
from support.stories import Story

from failoverd.api.service import ServiceSurroundings
from failoverd.api.serving import api_of
from failoverd.config.schema.config_file import ApiEntry
from failoverd.core.control.outcome import Outcome
from failoverd.core.events import Event, OverrideEvent
from failoverd.core.overrides import Override, Scope
from failoverd.core.practices import PastPractice
from failoverd.core.records import Policy, Target
from failoverd.core.rules import Rule
from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
    MembersStatus,
    Overview,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    RefusedFile,
    RegionStatus,
    TargetState,
    TargetStatus,
)
from failoverd.operations.commanding import Desk, People, Undoable
from failoverd.operations.handing_over import Resigned
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.store.journal import open_journal
from failoverd.telemetry import prose

TRIO = policy(*(replace(region, cloud=f"cloud-{region.name}") for region in (AZURE, OCI, AWS)))
"""Azure 70, oci 30, aws as the standby; each in a cloud of its own."""


@dataclass
class Crew:
    """Who does the work: what is decided is written at once, unless its hands are `tied`, and then is proved.

    Attributes:
        story: the policy, and what its record answers.
        kept: whether the journal works.
        words_said: in order.
        practices: drills that are over.
        leader: which of several members it is; none, unless a test says so.
    """

    story: Story
    tied: bool = False
    kept: bool = True
    confirmed: bool = True
    words_said: dict[str, Override] = field(default_factory=dict)
    practices: tuple[PastPractice, ...] = ()
    planned: tuple[PlannedWork, ...] = ()
    leader: PaperLeader = field(default_factory=lambda: PaperLeader(time.time, MembersStatus(0.0)))

    @property
    def policies(self) -> Mapping[str, Policy]:
        return {self.story.policy.name: self.story.policy}

    @property
    def rules(self) -> tuple[Rule, ...]:
        return ()

    @property
    def sending(self) -> int:
        return 0

    @property
    def unshared(self) -> frozenset[str]:
        return frozenset()

    def words(self) -> tuple[Override, ...]:
        return tuple(self.words_said.values())

    def previews(self, policy: str) -> Sequence[tuple[Target, Callable[[tuple[Override, ...]], Outcome]]]:
        return [(TARGET, self._preview)] if policy in self.policies else []

    def _preview(self, overrides: tuple[Override, ...]) -> Outcome:
        self.story.now = time.time()
        return self.story.asked(replace(self.story.seen(), overrides=overrides))

    def proof_heard(self, target: Target) -> tuple[int, bool]:
        good = self.story.state.of(target).last_good
        return good.generation if good is not None else 0, self.confirmed

    def objection(self, word: Override) -> None:
        """Nothing stands against a drill."""

    async def say(self, word: Override, event: OverrideEvent | None) -> bool:
        self.words_said[word.id] = word
        self.story.events += [event] if event is not None else []
        self.work()
        return self.kept

    def emit(self, event: Event) -> None:
        self.story.events.append(event)

    async def settle_rivals(self, scope: Scope, by: str, comment: str) -> tuple[str, ...]:  # noqa: ARG002 - no rivals
        return ()

    def work(self) -> None:
        """Rounds, until there is nothing to write."""
        while not self.tied:
            outcome = self._preview(self.words())
            self.story.state = outcome.state
            if outcome.approved is None:
                return
            self.story.write(outcome.approved.plan)

    async def overview(self) -> Overview:
        now, of = time.time(), self.story.policy
        published = {name: round(share * 100) for name, share in self.story.published.items()}
        regions = of.regions
        ends = [end for region in regions for end in region.endpoints]
        return Overview.of(
            (
                PolicyStatus(of.name, now, f"{of.name}.yaml", "1", practices=self.practices),
                *(
                    RegionStatus(of.name, "A", on.name, now, "healthy", 10_000, now, cloud=on.cloud)
                    for on in of.regions
                ),
                *(EndpointStatus(of.name, end.region, end.text, now, "healthy", now) for end in ends),
                TargetStatus(TARGET, now, TargetState.IN_SYNC, published=published),
                PlannedStatus(now, self.planned),
                self.leader.told,
            )
        )


@dataclass
class Console:
    """The daemon as an operator sees it: `config` is what to name, `crew` does the work."""

    config: Path
    crew: Crew
    events: list[Event]
    refused: list[RefusedFile] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    warned: list[RefusedFile] = field(default_factory=list)
    """What a reload finds that does not load."""

    @property
    def story(self) -> Story:
        return self.crew.story

    async def failoverctl(self, *words: str | os.PathLike[str]) -> Ended:
        return await answered(*words, "--config", self.config)

    async def said(self, *words: str) -> Ended:
        """The same with a reason and an hour, where each is none of what the test is about."""
        return await self.failoverctl(*words, "--reason", "racks", "--for", "1h")


@asynccontextmanager
async def console(
    folder: Path, of: Policy = TRIO, *, change: Undoable | None = None, people: People = lambda _: 1
) -> AsyncIterator[Console]:
    """A daemon whose policy answers as its file says."""
    config, events, refused, deferred = written(folder), list[Event](), list[RefusedFile](), list[str]()
    warned = list[RefusedFile]()
    crew = Crew(Story(of, now=time.time()))
    crew.work()

    def past(scope: Scope, change_id: str) -> Undoable | None:  # noqa: ARG001 - one change is all that there is
        return change if change is not None and change_id in {"", change.change_id} else None

    async def hand_over(seconds: float, actor: str, reason: str, anyway: bool) -> Resigned:
        return await crew.leader.hand_over(seconds, actor, reason, anyway)

    async def reload() -> FilesStatus:
        return FilesStatus(time.time(), tuple(refused), tuple(deferred), tuple(warned))

    journal = folder / "journal.db"
    async with open_journal(journal, words=prose.told) as opened:
        around = ServiceSurroundings(
            desk=Desk(crew, time.time, past, people),
            plans=PaperPlans(),
            overview=crew.overview,
            heartbeat=lambda: Heartbeat(time.time(), 42, time.time() - 60, "1.2.3", "running"),
            reload=reload,
            hand_over=hand_over,
            journal=journal,
            keeper=JournalWriter(opened, events.append, time.time),
            emit=events.append,
            clock=time.time,
        )
        async with api_of(around, config, folder / "api.sock", ApiEntry()):
            yield Console(config, crew, events, refused, deferred, warned)
