"""A whole cluster on a virtual clock, and strokes of bad luck of every kind that befall it.

What runs is what the daemon runs (`runtime.engine`), with the world on paper around it. A seed gives a list of strokes,
each with a luck of its own: without one of them the others stay what they are, as far as the story lets them. After
each stroke the rules that never bend are held against what was done (`support.laws` says which one where).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from support.approving import limits
from support.beside import Beside
from support.laws import Broken, Law
from support.operating import CRON, Decided, Files, Operators, killed_at
from support.replaying import unlike_then
from support.scenes import GATED
from support.stage import AWS, AZURE, OCI, Stage, policy, record, regions
from support.strokes import Played, Stroke, dealt, luck, play_out
from support.watching import Is, Scene, Sight, unlike

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.errors import NO_EFFECT, JournalError, Permanent, RateLimited
from failoverd.core.events import ChangeApplied, FailoverHeld, PlanHeld, TargetDelayed, TaskCrashed
from failoverd.core.health.region import RegionState
from failoverd.core.overrides import Scope, Verb
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import (
    WHOLE,
    Check,
    Endpoint,
    HealthRules,
    Maintenance,
    Observed,
    OnDrift,
    Policy,
    Practice,
    RampRules,
    RecordKey,
    RecordSet,
    RecordType,
    Target,
)
from failoverd.core.rules import Assertion, Gate, Rule
from failoverd.core.status import TargetState, TargetStatus
from failoverd.ports import Urgency
from failoverd.simulation.faults import Fault, Moment, Script, hang, lie, lost_answer, overtaken, refused
from failoverd.simulation.paper_authorities import NS1, NS2
from failoverd.simulation.paper_journal import PaperJournal
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import START, elapse, now
from failoverd.simulation.world import Does, World
from failoverd.simulation.zonefile import Write, Zonefile
from failoverd.telemetry import prose

TICK = 10.0
"""Seconds between two looks at everything: half of the cost of a seed is in these."""

RULES = HealthRules(fall=3, rise=2, recheck=0.5, flap_half_life=60.0)
V6 = ("2001:db8::10", "2001:db8:1::10")
API = policy(
    health=RULES,
    failback_after=30.0,
    records=(record("api", "api.example.com", "bind", "knot"),),
    regions=regions(azure=(70, f"{AZURE} 192.0.2.11"), oci=(30, OCI), aws=(0, AWS)),
    limits=limits(max_changes=6, changes_window=240.0),
    ramp=RampRules((2_500, WHOLE), step=10.0, judge=5.0, retries=1_000),
)
WEB = policy(
    "web",
    health=RULES,
    failback_after=10.0,
    records=tuple(
        record("web", "www.example.com", "bind", record_type=kind) for kind in (RecordType.A, RecordType.AAAA)
    ),
    regions=regions(azure=(50, f"192.0.2.20 {V6[0]}"), oci=(50, f"198.51.100.20 {V6[1]}")),
    limits=limits(max_changes=1_000),
    ramp=RampRules(step=7.0, judge=3.0, retries=1_000),
)
BATCH = policy(
    "batch",
    health=RULES,
    failback_after=5.0,
    records=(record("batch", "batch.example.net", "knot", zone="example.net"),),
    regions=regions(azure=(60, "192.0.2.30"), oci=(40, "198.51.100.30")),
    limits=limits(max_changes=1_000, max_shift=5_000, shift_window=20.0),
)
POLICIES = tuple(
    replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions))
    for found in (API, WEB, BATCH)
)
TARGETS = [(found, at) for found in POLICIES for spec in found.records for at in spec.targets]
ADDRESSES = [end.address for found in POLICIES for spec in found.regions for end in spec.endpoints]

RULES_OF_ALL = (
    Rule("two-clouds", Assertion(2, ("azure*", "oci*", "aws*"), 1_000), else_after=40.0, people=2, at="inventory:3"),
    Rule("quiet", Gate("freeze", frozenset({Cause.TUNING, Cause.RETURNING})), ("api", "web"), at="inventory:5"),
    Rule("still", Gate("freeze", GATED), ("batch",), at="inventory:7"),
)

DRILLS = Practice("17,19,21,24,40 0 * * *", "UTC", 45.0, ("azure", "oci"), at="inventory:19")
"""Early in the day another region has no traffic for a while, if the day is good."""

SENTINELS = tuple(
    (Endpoint("sentinels", address), Check(f"sentinel-{number}", "tcp", every=5.0, timeout=1.0))
    for number, address in enumerate(("203.0.113.201", "203.0.113.202", "203.0.113.203"))
)
SETTLED = 5.0
"""Seconds after which it is known whether who is to get more fell together with who is down."""

FOUND_OUT = 60.0
"""Seconds within which a region that refuses is found out and left: an interval, and what a verdict takes."""

TOLD = 15.0
"""Seconds within which a provider that refused, and is back, has been told what fell meanwhile."""

TIMEOUT = 20.0
"""Seconds after which a provider gives up a call that is not answered."""

GIVEN_UP = TIMEOUT + TOLD
"""The same as `TOLD` where nothing that was sent there was answered."""

RISEN = 14.0
"""Seconds for which those who fell together are waited for, once the first one is back.

An interval, a time-out, and what a verdict takes by `RULES`: when everything failed at once, the prober is doubted. So
whatever word holds meanwhile (everybody but a drained one is down, or all is paused), without it nothing would move.
"""

NEAR = [endpoint.address for endpoint, _ in SENTINELS]
"""What should always be reachable, whatever becomes of the service."""

STRANGER = Target("", RecordKey("mail.example.com", RecordType.A), "bind", "example.com")
"""A record in the same zone that nobody asked failoverd to look after."""


class Cluster:
    """Two name servers, the endpoints, one daemon, and now and then a rival of it with a journal of its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = luck(seed)
        self.zonefiles = {"bind": Zonefile(), "knot": Zonefile()}
        self.world = World(now)
        self.journal = PaperJournal()
        self.files = tuple(self._with_work(found) for found in POLICIES)
        self.policies = list(self.files)
        self.rules = self._some_rules()
        self.practices = (DRILLS,) if self.random.random() < 0.4 else ()
        self.shown = self.judged = 0
        self.decided: dict[str, Decided] = {}
        self.published: dict[Target, str] = {}
        self.in_order_at: dict[Target, float] = {}
        self.accepted: dict[Target, tuple[RecordSet, float]] = {}
        self.senders: dict[tuple[Target, int, RecordSet], tuple[Stage, str]] = {}
        self.struck = 0.0
        self.broken: list[Broken] = []
        self.played: list[Stroke] = []
        self.edits: list[tuple[Target, float]] = []  # by somebody's hand, and when
        self.cut_at: float | None = None  # since when the prober is cut off
        self.stopping_at: float | None = None
        self.started_at = self.looked_at = now()
        self.calls = 0
        self.story: list[str] = []
        for zonefile in self.zonefiles.values():
            zonefile.put(STRANGER, {"203.0.113.99": 1})
        self.operators = Operators(luck(seed), POLICIES, self._tell, files=self._inventory())
        self.operators.files.follow(self.policies)
        self.journal_worked = True
        self.daemon = self._daemon(self.journal, "00000000")
        self.rival: Stage | None = None
        self.gone: list[Stage] = []
        self.rivals_gone: list[Stage] = []
        self.journal_since = 0  # how many processes there were before it

    def _daemon(self, journal: PaperJournal, instance: str) -> Stage:
        providers = {name: PaperProvider(zone, now, name=name) for name, zone in self.zonefiles.items()}
        stage = Stage(
            journal=journal,
            world=self.world,
            providers=providers,
            sentinels=SENTINELS,
            chance=luck(self.random.randrange(1 << 30)),
            instance=instance,
            tick=TICK,
        )
        for provider in providers.values():
            provider.audit = partial(self._audit, stage, provider)
        journal.heard = partial(self._decide, stage)
        self._heed_files(stage)
        stage.start(*self.policies)
        self.started_at = now()
        return stage

    # -- the files -----------------------------------------------------------------------------------------------------

    def _inventory(self) -> Files:
        """Planned work on a cloud, now and then, and perhaps once more at a moment of its own."""
        again = Maintenance("patches", self.random.choice([60.0, 150.0]), cloud="oci", cron=CRON, at="inventory:11")
        once = replace(self._work(), at="inventory:15", region="azure")
        return Files(tuple(entry for entry in (again, once) if self.random.random() < 0.5))

    def _with_work(self, found: Policy) -> Policy:
        if self.random.random() < 0.5:
            return found
        spec = self.random.choice(found.regions)
        return replace(found, maintenance=(replace(self._work(), region=spec.name),))

    def _work(self) -> Maintenance:
        begins, lasts = (
            START + self.random.uniform(0.0, 400.0),
            self.random.choice([30.0, 30.0, 90.0, 120.0, 150.0, 950.0 if self.random.random() < 0.2 else 60.0]),
        )
        return Maintenance("new switches", lasts, begins=begins, at="policies:20")

    def _some_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in RULES_OF_ALL if self.random.random() < 0.6)

    def _heed_files(self, stage: Stage) -> None:
        stage.heed_files(self.policies, self.operators.files.of_all, self.rules, self.practices)

    # -- the rules that never bend -------------------------------------------------------------------------------------

    def _decide(self, stage: Stage, plan: Plan) -> None:
        """Somebody is about to write: what is known in that moment."""
        found = stage.runner.policies.get(plan.target.policy)
        if found is None:
            self._must(Law.OWNED, False, f"{plan.target} is to be written, and no file names it any more")
            return
        health = stage.board.regions(found.name, plan.target.key.type)
        self.decided[plan.id] = Decided(now(), found, health, tuple(stage.engine.rules))

    def _audit(self, stage: Stage, provider: PaperProvider, approved: Approved, found: Observed) -> None:
        plan = approved.plan
        self.senders[plan.target, plan.generation, plan.after] = stage, plan.id
        generation = found.marker.generation if found.marker is not None else 0
        by_word = any(word.verb in {Verb.UP, Verb.DOWN, Verb.DRAIN} for word in stage.engine.overrides.in_force())
        by_word |= found.marker is not None and bool(found.marker.overrides)  # lost, and who is out stays out
        unseen = [
            region.name for region in stage.board.regions(plan.target.policy, plan.target.key.type).values()
            if not region.seen and not region.given_up(now())
        ]  # fmt: skip
        ill = self._fallen_onto(plan)
        known = plan.decision.kind is DecisionKind.RESTORE_LAST_GOOD or plan.kind is PlanKind.MARK
        self._must(Law.DEAD, not ill, f"{plan.target} moves traffic onto {ill}, which are down")
        self._must(Law.EMPTY, bool(plan.after.serving), f"{plan.target} would be empty")
        self._must(Law.STALE, plan.generation > generation, f"{plan.target}: {plan.generation} over {generation}")
        self._must(Law.OWNED, plan.target in {at for _, at in TARGETS}, f"{plan.target} is not ours")
        self._must(Law.UNSEEN, not unseen or by_word or known, f"{plan.target} is written before {unseen} is seen")
        if plan.id not in self.decided:
            return
        late = stage is self.daemon and self.stopping_at is not None and self.decided[plan.id].at > self.stopping_at
        self._must(Law.STATIC, not late, f"{plan.target} is written by who was told to stop")
        doubtful = self._doubtful(plan)
        self._must(Law.DOUBT, not doubtful, f"{plan.target} leaves {doubtful}, which fell when the prober was cut off")
        if self.rival is None or stage is not self.rival:
            self._hold_against_words(provider, approved, found)
        if plan.kind is not PlanKind.MARK:
            self.published[plan.target] = plan.revision if plan.whole is None else ""
            self.accepted.pop(plan.target, None)
        if plan.kind is PlanKind.ADOPT:
            self.accepted[plan.target] = plan.after, now()

    def _hold_against_words(self, provider: PaperProvider, approved: Approved, found: Observed) -> None:
        plan = approved.plan
        sent = provider.sent[plan.id]
        scene = self.operators.scene(plan.target, self.decided[plan.id], sent)
        scene = replace(scene, named_since=self._named_since(plan), published=self.published.get(plan.target, ""))
        sight = Sight(scene, plan, found, frozenset(check.note for check in approved.checks))
        for wrong in self.operators.against(self._stages, sight, sent):
            self._must(Law.WORDS, False, wrong)

    def _doubtful(self, plan: Plan) -> list[str]:
        """Regions that leave for a fall that the prober's own network made."""
        if self.cut_at is None:
            return []
        since, health = self.cut_at, self.decided[plan.id].health
        leaving = [name for name, share in plan.start.items() if share and not plan.shares_after.get(name)]
        fell = (name for name in leaving if name in health and health[name].state is RegionState.DOWN)
        return [name for name in fell if health[name].failing_since and (health[name].failing_since or 0.0) >= since]

    @property
    def _stages(self) -> list[Stage]:
        """Every process that there was, without rivals: what these tell is said by another journal."""
        return [*self.gone, self.daemon]

    def _held(self, target: Target, since: float) -> list[PlanHeld]:
        """What was told since then of why a record stays as it is."""
        told = (event for stage in self._stages for event in stage.told(PlanHeld) if event.at > since)
        return [each for each in told if (each.record, each.provider) == (str(target.key), target.provider)]

    def _named_since(self, plan: Plan) -> dict[str, float]:
        held = self._held(plan.target, self.in_order_at.get(plan.target, 0.0))
        found: dict[str, float] = {}
        for event in (event for event in held if isinstance(event, FailoverHeld)):
            for check in (check for check in event.limits if check.rule):
                found[check.rule] = min(event.at, found.get(check.rule, event.at))
        return found

    @staticmethod
    def _fallen_onto(plan: Plan) -> list[str]:
        """Regions that get more than they had, although they were known to be down when it was decided."""
        if plan.decision.kind in {DecisionKind.RESTORE_LAST_GOOD, DecisionKind.ALL_DOWN_NORMAL}:
            return []
        down = [reason.region for reason in plan.decision.reasons if reason.code is ReasonCode.REGION_DOWN]
        return [name for name in down if plan.shares_after.get(name, 0) > plan.start.get(name, 0)]

    async def shown_is_done(self) -> None:
        """What plan shows, told from the journal, is what the daemon would do, told from its own state."""
        stage, journal = self.daemon, self.journal
        if journal.broken or journal.full or journal.stuck or stage.busy:
            return  # what could not be written yet cannot be shown
        if stage.engine.writer.lacks:
            return
        beside = Beside(stage, journal, self.zonefiles, self.operators.files.of_all, self.practices)
        for at, shown, done in await beside.differences() or ():
            self.shown += 1
            one, other = _essence(shown), _essence(done)
            self._must(Law.SHOWN, one == other, f"{at}: shown {one}, done {other}")

    def what_stands_is_as_was_said(self) -> None:
        """After a round at rest: nothing is called done that is not as operators say, and no hold is silent."""
        stage = self.daemon
        for name, running in stage.reconcilers.items():
            found = stage.runner.policies[name]
            statuses = {status.target: status for status in running.statuses()}
            for at in (at for at in found.targets if at in statuses and not running.busy):
                health = stage.board.regions(name, at.key.type)
                decided = Decided(statuses[at].at, found, health, tuple(stage.engine.rules))
                scene = self.operators.scene(at, decided, now())
                changed = max(self.struck, *(each.since for each in health.values()))
                changed = max(changed, *(word.since for word in scene.allowing), 0.0)
                if changed < statuses[at].at and self.rival is None:
                    wait = RISEN if statuses[at].state is TargetState.HOLDING else SETTLED
                    self._judge(scene, statuses[at], settled=changed + wait < statuses[at].at)

    def _judge(self, scene: Scene, status: TargetStatus, *, settled: bool) -> None:
        at, records = scene.target, self.zonefiles[scene.target.provider].observe(scene.target).records
        self.judged += 1
        edit, accepted_at = self.accepted.get(at, (None, 0.0))
        scene = replace(scene, accepted_at=accepted_at) if edit == records else scene
        kept = status.kind is DecisionKind.RESTORE_LAST_GOOD
        kept |= any(
            reason.code is ReasonCode.OVERRIDES_LOST for reason in status.reasons
        )  # they count beside the others
        if status.state is TargetState.IN_SYNC and scene.words == scene.allowing and not kept:
            for wrong in unlike(scene, records):
                self._must(Law.WORDS, False, f"{at} is in sync, and {wrong}")
        shares = scene.shares(records)
        dead = [spec.name for spec in scene.policy.regions if shares.get(spec.name) and scene.is_(spec) is Is.DEAD]
        well = [spec.name for spec in scene.policy.regions if scene.is_(spec, drains=False) is Is.WELL]
        if status.state is TargetState.IN_SYNC and shares.keys() <= set(well):
            self.in_order_at[at] = now()
        if (
            settled
            and dead
            and well
            and status.state in {TargetState.IN_SYNC, TargetState.HOLDING, TargetState.LIMITED, TargetState.DRIFTED}
        ):
            told = [event for event in self._held(at, self.in_order_at.get(at, 0.0)) if isinstance(event, FailoverHeld)]
            doubted = status.kind in {DecisionKind.HOLD_NO_VERDICT, DecisionKind.HOLD_COMMON_FALL}
            doubted |= any(not each.seen and not each.given_up(now()) for each in scene.health.values())
            self._must(
                Law.DEAD, bool(told) or doubted, f"{at} keeps {dead}, which are down, and nobody is told: {status}"
            )

    def _must(self, law: Law, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken.append(Broken(law, now(), otherwise))

    def not_too_often(self) -> None:
        """No provider is asked without a pause, whatever becomes of it."""
        calls = sum(len(each.reads) + len(each.applies) for stage in self._alive for each in papers(stage))
        grown, lasted = calls - self.calls, now() - self.looked_at
        most = len(TARGETS) * len(self._alive) * (40 + 4 * lasted)
        self._must(Law.RETRIES, grown <= most, f"providers were asked {grown} times in {lasted:.1f}s")
        self.calls, self.looked_at = max(calls, 0), now()

    def stands(self) -> None:
        """No name of ours is without an answer, but where somebody emptied it; and each marker is one of ours."""
        for zonefile in self.zonefiles.values():
            for write in zonefile.writes[-len(TARGETS) :]:
                marker = zonefile.observe(write.target).marker
                self._must(Law.STALE, marker is not None, f"the marker of {write.target} is gone")
                if marker is not None:
                    newest = newest_generations(zonefile)[write.target.zone, write.target.key.name]
                    self._must(
                        Law.STALE, marker.generation == newest, f"{write.target}: {marker.generation} after {newest}"
                    )

    # -- bad luck ------------------------------------------------------------------------------------------------------

    async def strike(self, stroke: Stroke) -> None:
        """One thing goes wrong, or right again."""
        self.played.append(stroke)
        self.random = self.operators.random = luck(stroke.luck)
        await getattr(self, f"_{stroke.name}")()
        self.struck = now()
        await elapse(stroke.pause)

    async def _endpoint(self) -> None:
        address = self.random.choice(ADDRESSES)
        does = self.random.choice([Does.REFUSE, Does.REFUSE, Does.DROP, Does.OVERLOAD, Does.BLIND, Does.CRASH])
        self.world.let(does, address)
        self._tell(f"{address} does {does}")

    async def _region(self) -> None:
        """A whole region of one policy."""
        found = self.random.choice(POLICIES)
        spec = self.random.choice(found.regions)
        does = self.random.choice([Does.REFUSE, Does.DROP, Does.ERROR, Does.OVERLOAD])
        self.world.let(does, *(end.address for end in spec.endpoints))
        self._tell(f"{spec.name} of {found.name} does {does}")

    async def _common_fall(self) -> None:
        """Everything that a policy has answers with an error from one moment on: a database, a bad release."""
        found = self.random.choice(POLICIES)
        self.world.let(Does.ERROR, *(end.address for spec in found.regions for end in spec.endpoints))
        self._tell(f"everything of {found.name} answers with an error")

    async def _cut_off(self) -> None:
        """The prober's own network is away for a while: nothing answers, the sentinels neither."""
        before = {address: self.world.does_at(address) for address in [*ADDRESSES, *NEAR]}
        self.world.let(Does.DROP, *before)
        self._tell("the prober is cut off")
        self.cut_at = now()
        await elapse(self.random.choice([1.0, 8.0, 40.0]))
        self.cut_at = None
        for address, does in before.items():
            self.world.let(does, address)
        self._tell("the prober is back")

    async def _reload(self) -> None:
        """Somebody merges another share or another limit; or takes it back."""
        number = self.random.randrange(len(POLICIES))
        found = self.files[number]
        if self.policies[number] is found:
            rationed = limits(max_shift=4_000, shift_window=60.0, max_changes=6, changes_window=240.0)
            soon = replace(self._work(), begins=now() + 5.0, region=found.regions[0].name)
            edits: list[Policy] = [
                replace(found, limits=rationed),
                replace(found, on_drift=OnDrift.ADOPT),
                replace(found, regions=tuple(replace(spec, share=WHOLE // 2) for spec in found.regions)),
                replace(found, maintenance=() if found.maintenance else (soon,)),
            ]
            found = self.random.choice(edits)
            found = replace(found, source=replace(found.source, revision=f"r{self.random.randrange(1_000)}"))
        self._tell(f"{found.name} is edited: revision {found.source.revision}")
        await self._edited(number, found)

    async def _bad_file(self) -> None:
        """Somebody merges a file that does not load. What runs goes on, and says so."""
        found = self.random.choice(self.policies)
        await self.daemon.booted()
        writes = self.written
        before = self.daemon.runner.policies.get(found.name)
        self.daemon.runner.reject(found.name, "policies/x.yaml:7:3: no such key")
        self._tell(f"the file of {found.name} does not load")
        await elapse(0.0)
        after = self.daemon.runner.policies.get(found.name)
        told = [each.rejected for each in self.daemon.runner.overview() if each.policy == found.name]
        grown = self.written - writes
        self._must(Law.BAD_FILE, after is before, f"{found.name} runs {after} after a file that does not load")
        self._must(Law.BAD_FILE, not before or all(told), f"nobody is told that a file of {found.name} does not load")
        self._must(Law.BAD_FILE, not grown or self.daemon.busy, f"a file that does not load wrote {grown} records")
        if self.random.random() < 0.5:
            self.daemon.runner.reject(found.name, "")

    async def _removed(self) -> None:
        """A file is removed: its records stay as they are. A while later somebody puts it back."""
        number = self.random.randrange(len(POLICIES))
        found = self.policies[number]
        await self.daemon.booted()
        if found.name not in self.daemon.runner.policies:
            return
        await self.daemon.runner.remove(found.name)
        self._tell(f"the file of {found.name} is removed")
        stood = {at: self.zonefiles[at.provider].observe(at).records for at in found.targets}
        since = len(self.zonefiles["bind"].writes), len(self.zonefiles["knot"].writes)
        if self.random.random() < 0.5:  # who takes it over works by hand from now on
            self._edit_one(found, self.random.choice(found.targets))
        await elapse(self.random.choice([0.0, 4.0, 30.0]))
        for zonefile, begun in zip(self.zonefiles.values(), since, strict=True):
            wrote = [write for write in zonefile.writes[begun:] if write.target in stood and self._by_daemon(write)]
            self._must(Law.OWNED, not wrote, f"{wrote} is written though no file names it any more")
        self._tell(f"the file of {found.name} is put back")
        await self.daemon.take_up(found)
        self._read_again()

    def _by_daemon(self, write: Write) -> bool:
        return write.marker.instance == self.daemon.engine.instance

    async def _edited(self, number: int, found: Policy) -> None:
        self.policies[number] = found
        await self.daemon.booted()  # files are read one after the other: the first reading is over
        await self.daemon.take_up(found)
        self._read_again()

    async def _inventory_edited(self) -> None:
        """Somebody merges another set of rules."""
        self.rules = self._some_rules()
        self._tell(f"the rules are {[rule.name for rule in self.rules]}")
        self._read_again()

    def _read_again(self) -> None:
        self._heed_files(self.daemon)
        self.operators.files.follow(self.policies)

    async def _heal(self) -> None:
        addresses = self.random.sample(ADDRESSES, 3)
        self.world.let(Does.ANSWER, *addresses)
        self._tell(f"{addresses} heal")

    async def _cloud(self) -> None:
        """A whole region, of everybody who has endpoints there."""
        name, does = self.random.choice(["azure", "oci", "aws"]), self.random.choice([Does.DROP, Does.ERROR])
        there = (spec for found in POLICIES for spec in found.regions if spec.name == name)
        self.world.let(does, *(end.address for spec in there for end in spec.endpoints))
        self._tell(f"{name} does {does} for everybody")

    async def _fault(self) -> None:
        provider = self.random.choice(self._providers())
        throttled = RateLimited("slow down", reason="throttled", retry_after=7.0)
        fault = self.random.choice(
            [
                lie(),
                lost_answer(),
                hang(),
                hang(Moment.AFTER),
                overtaken(self.random.choice([2.0, 40.0, 400.0])),
                Fault(error=refused()),
                Fault(error=throttled),
                Fault(Moment.AFTER, Permanent("it says no and does it", reason="odd")),
            ]
        )
        self.random.choice([provider.on_apply, provider.on_apply, provider.on_read]).append(fault)
        self._tell(f"{provider.name} gets a fault: {fault.moment}")

    async def _server(self) -> None:
        provider = self.random.choice(self._providers())
        provider.down = None if provider.down is not None else refused()
        self._tell(f"{provider.name} is {'down' if provider.down else 'up'}")

    async def _throttling(self) -> None:
        """An account has spent what it may ask for: a dozen calls are told so."""
        provider = self.random.choice(self._providers())
        throttled = RateLimited("slow down", reason="throttled", retry_after=self.random.choice([7.0, 60.0, None]))
        for calls in (provider.on_read, provider.on_apply):
            calls.extend([Fault(error=throttled)] * self.random.choice([2, 12]))
        self._tell(f"{provider.name} throttles")

    async def _dark(self) -> None:
        """The way to a provider is lost: nothing that is sent there is ever answered, or until it is back."""
        provider = self.random.choice(self._providers())
        provider.script = None if provider.script is not None else Dark()
        self._tell(f"the way to {provider.name} is {'lost' if provider.script is not None else 'back'}")

    async def _authority(self) -> None:
        """Authoritative servers of a zone are silent, not to be reached, or unknown; or all is well with them."""
        known = self.daemon.authorities
        known.silent, known.unreachable, known.unknown = set(), set(), None
        state = self.random.choice(["well", "silent", "unreachable", "unknown"])
        if state == "unknown":
            known.unknown = refused("the zone's parent does not answer")
        elif state != "well":
            servers = {NS1, NS2, *known.behind}
            (known.silent if state == "silent" else known.unreachable).update(sorted(servers)[:2])
        self._tell(f"authoritative servers are {state}")

    async def _edit(self) -> None:
        self._edit_one(*self.random.choice(TARGETS))

    def _edit_one(self, found: Policy, at: Target) -> None:
        values = self.random.sample(sorted(found.region_of(at.key.type)), 1)
        weights = self.random.choice([None, dict.fromkeys([*values, "203.0.113.66"], 5), dict.fromkeys(values, 1)])
        marker = self.zonefiles[at.provider].observe(at).marker
        if marker is not None and at.key.type in marker.types:
            self.zonefiles[at.provider].put(at, weights)
            self.edits.append((at, now()))
            self._tell(f"somebody writes {weights} to {at}")

    async def _disk(self) -> None:
        state = self.random.choice(["works", "works", "broken", "full", "stuck"])
        self.journal.broken = JournalError("gone", reason="journal_io") if state == "broken" else None
        self.journal.full = JournalError("full", reason="journal_full") if state == "full" else None
        self._unstick()
        if state == "stuck":
            self.journal.stuck = asyncio.Event()
        self.journal_worked &= state == "works"
        if state == "works":
            await self.daemon.engine.remind()
        self._tell(f"the journal is {state}")

    async def _restart(self) -> None:
        self._tell("the daemon is killed and started again")
        await self._again(self.daemon.kill)

    async def _stopped(self) -> None:
        """It is told to stop, and is started again: an upgrade."""
        if self.random.random() < 0.5:  # there is work for it in that moment
            await self._edit()
            for running in self.daemon.reconcilers.values():
                running.wake(Urgency.ROUTINE)
        self._tell("the daemon is stopped and started again")
        self.stopping_at = now()
        await self._again(self.daemon.stop)
        self.stopping_at = None

    async def _killed_at_work(self) -> None:
        """It dies at one of the awaits of what it does when a region fails, or heals, or somebody edits a record."""
        self._mend_journal()
        self.journal_worked = False  # nobody knows what of it was kept
        script = self.journal.script = Script(self.random.randrange(1, 30))
        for provider in papers(self.daemon):
            provider.script = script
        cause = self.random.choice([self._region, self._heal, self._edit])
        await cause()
        for _ in range(60):
            if script.killed.is_set():
                break
            await elapse(0.5)
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        self.journal.script = None
        self._tell(f"the daemon is killed at await {script.kill_at}")
        await self._again(self.daemon.kill)

    async def _again(self, end: Callable[[], Awaitable[None]]) -> None:
        self.journal_worked &= end != self.daemon.stop or self.journal.stuck is None
        await end()
        ended_at = now()
        self.operators.restarted(self.journal)
        await elapse(self.random.choice([0.0, 0.0, 50.0]))
        self.operators.absences.append((ended_at, now()))
        self.gone.append(self.daemon)
        self.daemon = self._daemon(self.journal, self.daemon.engine.instance)

    async def _operator(self) -> None:
        await self.operators.speak(self.daemon)

    async def _killed_at_the_desk(self) -> None:
        self._tell("an operator is at the desk when the daemon is killed")
        self._mend_journal()
        self.journal_worked = False  # nobody knows what of it was kept
        await killed_at(lambda: self.operators.speak(self.daemon), self.journal, self.random.randrange(12))
        await self._restart()

    async def _store_lost(self) -> None:
        self._tell("the journal is lost")
        await self.daemon.kill()
        self._mend_journal()
        self.operators.store_lost()
        self.gone.append(self.daemon)
        self.journal_since = len(self.gone)
        self.journal = PaperJournal()
        self.daemon = self._daemon(self.journal, f"{self.random.randrange(1 << 32):08x}")

    async def _rivalry(self) -> None:
        self._tell("a rival goes" if self.rival else "a rival comes")
        if self.rival is None:
            self.rival = self._daemon(PaperJournal(), f"{len(self._all_gone) + 1:08x}")
        else:
            await self.rival.kill()
            self.rivals_gone.append(self.rival)
            self.rival = None

    @property
    def _alive(self) -> list[Stage]:
        return [stage for stage in (self.daemon, self.rival) if stage is not None]

    def _providers(self) -> list[PaperProvider]:
        return [found for stage in self._alive for found in papers(stage)]

    def _mend_journal(self) -> None:
        self.journal.broken = self.journal.full = None
        self._unstick()

    def _unstick(self) -> None:
        if self.journal.stuck is not None:
            self.journal.stuck.set()
            self.journal.stuck = None

    def _tell(self, what: str) -> None:
        self.story.append(f"{now():10.3f} {what}")

    # -- the end -------------------------------------------------------------------------------------------------------

    async def calm(self) -> None:
        """All bad luck ends."""
        self.random = self.operators.random = luck(self.seed)
        self._tell("calm")
        self.world.let(Does.ANSWER, *ADDRESSES, *NEAR)
        if self.random.random() < 0.2:  # planned work ends by its time, and otherwise because no file says it any more
            await elapse(max(0.0, self.operators.files.last_end() - now()))
        self.operators.files.of_all = self.practices = ()
        for number, found in enumerate(POLICIES):
            if self.policies[number] is not found:
                await self._edited(number, found)
        self._read_again()
        if self.rival is not None:
            await self._rivalry()
        await self.daemon.engine.settle_rivals(Scope(), "alice@desk", "it is gone")
        for provider in self._providers():
            provider.down = provider.script = None
            provider.on_read.clear()
            provider.on_apply.clear()
        self._mend_journal()
        known = self.daemon.authorities
        known.silent, known.unreachable, known.unknown = set(), set(), None
        for found in self.policies:
            self.daemon.runner.reject(found.name, "")
        await self.daemon.engine.remind()
        if self.random.random() < 0.7:
            await self.operators.go_home(self.daemon)
        await elapse(max(0.0, self.operators.last_end() - now()))
        markers = [self.zonefiles[at.provider].observe(at).marker for _, at in TARGETS]
        await elapse(max([0.0, *(marker.until - now() for marker in markers if marker is not None)]))

    def abnormal(self) -> list[str]:
        """What is not as the files say for a day on which nothing is wrong."""
        wrong = [
            f"{found.name} has an open incident" for found in POLICIES if self.daemon.incidents.current(found.name)
        ]
        for found, at in TARGETS:
            shares = self.zonefiles[at.provider].shares(at, found.region_of(at.key.type))
            named = {spec.name: spec.share for spec in found.regions if spec.share}
            if shares.keys() != named.keys() or any(abs(shares[name] - named[name]) > 1 for name in named):
                wrong.append(f"{at} answers {shares}")
            marker = self.zonefiles[at.provider].observe(at).marker
            if marker is not None and marker.overrides:
                wrong.append(f"the marker of {at} names {marker.overrides}")
        return wrong

    async def still_wrong(self) -> list[str]:
        """What is abnormal an hour after the calm began; nothing, as soon as nothing is."""
        for _ in range(720):
            if not self.abnormal():
                break
            await elapse(5.0)
        await elapse(30.0)
        return self.abnormal()

    async def look(self) -> None:
        """After a stroke."""
        await self.shown_is_done()
        self.what_stands_is_as_was_said()
        self.not_too_often()
        self.stands()

    async def come_to_rest(self) -> None:
        """Calm, and whether it brings everything back; then the last stroke."""
        await self.calm()
        while any(running.busy for running in self.daemon.reconcilers.values()):
            await elapse(1.0)  # a call that hangs has its round given up
        if wrong := await self.still_wrong():
            statuses = [found for running in self.daemon.reconcilers.values() for found in running.statuses()]
            refused = [str(found.target) for found in statuses if found.state is TargetState.LIMITED]
            self._must(Law.REBUILT, False, "; ".join([*wrong, *map(str, statuses)]))
            self._must(Law.DEAD, not refused, f"a limit refuses {refused} for ever")
            return
        await self.look()  # however the luck was (a rival all along, or no disk), each seed is held against something
        await self.last_stroke()

    async def last_stroke(self) -> None:
        """A region fails for everybody while a provider is away: what stands elsewhere leaves it, and the rest later.

        No rule of the installation is in force, so nothing but the failure itself has a say.
        """
        self.rules = ()
        self._read_again()
        away, region = self.random.choice(["bind", "knot"]), self.random.choice(["azure", "oci"])
        dark = self.random.random() < 0.2
        lost = [provider for provider in self._providers() if provider.name == away]
        for provider in lost:
            provider.script, provider.down = (Dark(), None) if dark else (None, refused())
        await elapse(self.random.choice([0.0, 60.0]))
        there = (spec for found in POLICIES for spec in found.regions if spec.name == region)
        self.world.let(Does.REFUSE, *(end.address for spec in there for end in spec.endpoints))
        self._tell(f"the last stroke: {region} fails, and {away} is {'dark' if dark else 'down'}")
        await elapse(FOUND_OUT)
        self._left(region, Law.ALONE, lambda at: at.provider != away)
        for provider in lost:
            provider.script = provider.down = None
        self._tell(f"{away} is back")
        await elapse(GIVEN_UP if dark else TOLD)
        self._left(region, Law.NEWS, lambda at: at.provider == away)

    def _left(self, region: str, law: Law, which: Callable[[Target], bool]) -> None:
        for found, at in TARGETS:
            if which(at):
                shares = self.zonefiles[at.provider].shares(at, found.region_of(at.key.type))
                self._must(law, not shares.get(region), f"{at} answers {shares} long after {region} failed")

    async def end(self) -> None:
        self._unstick()
        if self.rival is not None:
            await self._rivalry()
        await self.daemon.kill()
        self.gone.append(self.daemon)

    @property
    def written(self) -> int:
        return sum(len(zonefile.writes) for zonefile in self.zonefiles.values())

    @property
    def _all_gone(self) -> list[Stage]:
        return [*self.gone, *self.rivals_gone]

    def defects(self) -> Iterable[Broken]:
        """What shows in what was told, at the end."""
        for stage in self._all_gone:
            for event in stage.told(TaskCrashed):
                yield Broken(Law.ALONE, event.at, prose.say(event))
            for late in stage.told(TargetDelayed):
                if late.reason == "internal_error":
                    yield Broken(Law.ALONE, late.at, prose.say(late))
        told = self.operators.told_wrong(self.gone[self.journal_since :], journal_worked=self.journal_worked)
        yield from (Broken(Law.WORDS, self.struck, wrong) for wrong in (*self.operators.defects, *told))
        again = unlike_then(self.journal.decisions)
        yield from (Broken(Law.SHOWN, self.struck, f"decided again: {unlike}") for unlike in again)
        for zonefile in self.zonefiles.values():
            if not generations_grow(zonefile):
                yield Broken(Law.STALE, self.struck, "generations do not grow")
            found = zonefile.observe(STRANGER).records
            if found is None or [answer.value for answer in found.answers] != ["203.0.113.99"]:
                yield Broken(Law.OWNED, self.struck, f"{STRANGER} answers {found}")
        yield from self.explained()

    def explained(self) -> Iterable[Broken]:
        """Each change of answers by the last process: told, with its reasons and where they are written."""
        told = {(each.record, each.provider, each.generation): each for each in self.gone[-1].told(ChangeApplied)}
        for name, zonefile in self.zonefiles.items():
            for number, write in enumerate(zonefile.writes):
                if write.at < self.started_at or not self._by_daemon(write) or write.records == write.before.records:
                    continue
                event = told.get((str(write.target.key), name, write.marker.generation))
                if event is None and self._nobody_can_tell(write, zonefile.writes[number + 1 :]):
                    continue
                if event is None or not (event.reasons and event.rule_at):
                    said = f"{write.target}, {write.marker.generation}: told is {event and event.reasons}"
                    yield Broken(Law.EXPLAINED, write.at, said)

    def _nobody_can_tell(self, write: Write, later: Sequence[Write]) -> bool:
        """Whether a write leaves no trace that it was this one.

        It was edited right before it was read back, so it is told as what was written in vain, or looks as if it had
        not been written; or a rival had replaced it before; or its generation was given out to another answer as well,
        and somebody edited it; or it came late, of a process that was killed and could not write into the journal.
        """
        at = write.target
        sender, plan_id = self.senders[at, write.marker.generation, write.records]
        if sender is not self.gone[-1] and plan_id not in self.journal.changes:
            return True
        edited = [when for target, when in self.edits if target == at and when >= write.at]
        vain = (each for each in self.gone[-1].told(TargetDelayed) if each.reason == NO_EFFECT)
        if edited and any((each.record, each.provider) == (str(at.key), at.provider) for each in vain):
            return True
        again = next((each for each in later if each.target == at), None)
        if edited and again is not None and again.before.records == write.before.records:
            return True
        name = at.zone, at.key.name
        following = next((each for each in later if (each.target.zone, each.target.key.name) == name), None)
        if following is not None and not self._by_daemon(following):
            return True
        plans = (entry.plan for entry in self.journal.changes.values() if entry.plan.target == at)
        return bool(edited) and sum(plan.generation == write.marker.generation for plan in plans) > 1


def _essence(outcome: Outcome | str) -> tuple[object, ...]:
    """Kind, shares, reasons, cause and until: what somebody is shown. Or why there is nothing to be shown."""
    if isinstance(outcome, str):
        return (outcome,)
    told = tuple((reason.code, reason.region, reason.regions) for reason in outcome.reasons)
    return outcome.kind, dict(outcome.shares), told, outcome.cause, outcome.until


class Dark(Script):
    """A way on which everything is lost: a call ends with its time-out."""

    async def step(self) -> None:
        await elapse(TIMEOUT)
        raise refused("no answer", reason="timeout")


def papers(stage: Stage) -> list[PaperProvider]:
    return [found for found in stage.providers.values() if isinstance(found, PaperProvider)]


def newest_generations(zonefile: Zonefile) -> dict[tuple[str, str], int]:
    return {(write.target.zone, write.target.key.name): write.marker.generation for write in zonefile.writes}


def generations_grow(zonefile: Zonefile) -> bool:
    """No older generation ever came over a newer one, name by name."""
    newest: dict[tuple[str, str], int] = {}
    for write in zonefile.writes:
        name = (write.target.zone, write.target.key.name)
        if write.marker.generation <= newest.get(name, 0):
            return False
        newest[name] = write.marker.generation
    return True


LUCK: Final[Mapping[str, int]] = {
    "endpoint": 8, "region": 6, "cloud": 2, "common_fall": 3, "cut_off": 3, "heal": 7,
    "fault": 8, "throttling": 2, "server": 4, "dark": 2, "authority": 1, "edit": 4, "disk": 2,
    "restart": 1, "stopped": 1, "killed_at_work": 3, "killed_at_the_desk": 2, "store_lost": 1, "rivalry": 2,
    "operator": 14, "reload": 3, "bad_file": 1, "removed": 1, "inventory_edited": 1,
}  # fmt: skip
"""What may happen, and how often beside the rest."""


PAUSES: Final = (0.05, 0.6, 3.0, 11.0, 30.0)


def strokes_of(seed: int, steps: int) -> tuple[Stroke, ...]:
    """The strokes that a seed deals."""
    return dealt(seed, steps, LUCK, PAUSES)


async def play(seed: int, strokes: Sequence[Stroke]) -> Played[Cluster]:
    return await play_out(Cluster(seed), strokes)
