"""Two or three members of one installation that agree by a coordinator, and whatever befalls them, it, and their ways.

What runs on each machine is what the daemon runs. `support.members` has the machines; what holds besides, because they
agree, is held against each write and after each stroke here: one of them writes, its epoch never falls, what an
operator said at any of them holds whoever leads, and a dead region is left while they can agree on somebody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from support.cluster import FOUND_OUT, papers
from support.coordinating import LEADER, REFUSED, UNANSWERED, Backup, Mishap, PaperCoordinator, PaperQuorum, overtaken
from support.laws import Broken, Law
from support.members import ADDRESSES, PAUSES, POLICIES, TARGETS, Member, Members
from support.operating import undoable_of
from support.stage import Stage
from support.strokes import Played, Stroke, dealt, luck, play_out

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.errors import CoordinationError
from failoverd.core.events import RivalDetected
from failoverd.core.members import Member as Named
from failoverd.core.members import Membership, Uncoordinated
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.records import Observed, Policy, Target
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.judging import OverrideError
from failoverd.runtime.target_worker import DEADLINE
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does

LEASE: Final = 20.0

QUIET: Final = 100.0
FEW: Final = 3
"""Writes at a provider in `QUIET` seconds once all is as the files say, at most.

One of bad days may come late, where no other was made meanwhile, and is put right.
"""

TAKEN_OVER: Final = LEASE + FOUND_OUT
"""Seconds within which a dead region is left, though whoever led went with it."""

BLOWS: Final[Mapping[str, int]] = {
    # what may befall any machine
    "endpoint": 3, "region": 6, "heal": 6, "sees_nothing": 2, "sees_no_cloud": 2, "sees_again": 3,
    "loses_providers": 2, "reaches_providers": 3, "frozen": 3, "woken": 4, "fault": 5, "edit": 2, "disk": 1,
    "killed": 3, "stopped": 2, "restored": 1, "clock_set": 1, "rolled_out": 2, "looks": 2,
    # its way to the coordinator
    "cut": 4, "cut_one_way": 2, "way_mended": 6, "call_lost": 3, "slow": 1,
    # the coordinator
    "quorum_lost": 2, "quorum_back": 4, "compacted": 2, "watches_broken": 2, "revoked": 2, "lease_deleted": 1,
    "backed_up": 2, "put_back": 1,
    # people
    "told": 6, "released": 3,
    # whoever leads
    "leader_killed": 3, "leader_frozen": 2, "leader_cut": 3, "leader_lost_in_a_failure": 2,
}  # fmt: skip
"""What may befall them, and how often beside the rest."""


def blows_of(seed: int, steps: int) -> tuple[Stroke, ...]:
    return dealt(seed, steps, BLOWS, PAUSES)


class Sending(PaperProvider):
    """Says who sends a write, before it is on its way."""

    sends: Callable[[Plan], None]

    async def apply(self, approved: Approved) -> Observed | None:
        self.sends(approved.plan)
        return await super().apply(approved)


class Machine(Member):
    """It looks at everything half as often: most of the cost of a seed is in these looks."""

    opens, tick = Sending, 20.0


@dataclass(frozen=True)
class Said:
    """A word that somebody gave at a member, and was told that it holds. `alone`: without the others, for the time."""

    word: Override
    at: float
    by: str
    alone: bool


class Fleet(Members):
    """Several machines, two name servers, the world between, and the coordinator."""

    def __init__(self, seed: int) -> None:
        self.quorum = PaperQuorum(LEASE)
        self.uncertain_until = 0.0  # somebody took a lease away from who may not know it yet
        self.kept: Backup | None = None
        self.said: dict[str, Said] = {}
        self.out_of_reach: dict[str, Mishap] = {}
        super().__init__(seed)

    def _machines(self) -> list[Member]:
        names = "abc"[: self.random.choice([2, 3, 3])]
        how = self.random.choice(list(Uncoordinated))
        named = tuple(Named(name, f"net-{name}") for name in names)
        self._tell(f"{len(names)} members, which {how} without a coordinator")
        return [Machine(me.name, self.truth, self.zonefiles, Membership(me, named, how)) for me in named]

    def _way(self, member: Member) -> PaperCoordinator:
        """A process that starts is another one to the coordinator. What cut off the one before cuts it off."""
        way = self.quorum.member(member.name)
        way.way = self.out_of_reach.get(member.name)
        return way

    def _start(self, member: Member) -> None:
        super()._start(member)
        for provider in papers(_stage(member)):
            assert isinstance(provider, Sending)
            provider.sends = partial(self._sends, member)

    # -- the rules that never bend -------------------------------------------------------------------------------------

    @property
    def leaders(self) -> list[Member]:
        """Whoever takes itself for the leader."""
        return [each for each in self.members if each.stage is not None and each.stage.engine.lead.leads]

    @property
    def certain(self) -> bool:
        """Whether nobody took a lease away from who may not know it yet."""
        return now() > self.uncertain_until

    def _sends(self, member: Member, plan: Plan) -> None:
        lead = _stage(member).engine.lead
        alone = lead.lone and plan.cause.urgent
        self._must(
            Law.STALE, lead.leads or alone, f"{member.name} writes {plan.target} ({plan.cause}) and leads nobody"
        )
        if lead.leads and self.certain:
            leads = self.quorum.leader
            self._must(
                Law.STALE, leads == member.name, f"{member.name} writes {plan.target} as leader, and {leads} leads"
            )
        self._hold_against_words(member, plan)

    def _hold_against_words(self, member: Member, plan: Plan) -> None:
        """No word that was said is acted against, once whoever leads can know it."""
        if any(each.clock.off for each in self.members):
            return  # its end is another moment to each of them
        policy, lone = next(found for found, at in TARGETS if at == plan.target), _stage(member).engine.lead.lone
        for said in self.said.values():
            known = member.name == said.by or (now() > said.at + LEASE and not said.alone)
            if known and said.word.in_force(now()) and said.word.scope.has_target(plan.target):
                unheard = lone and said.word.id not in {word.id for word in _stage(member).engine.overrides.in_force()}
                against = _against(said.word, policy, plan, unheard=unheard)
                self._must(Law.WORDS, not against, f"{member.name} {against}, though {said.by} heard {said.word.id}")

    def _audit(self, member: Member, approved: Approved, found: Observed) -> None:
        super()._audit(member, approved, found)
        stood, new = found.marker.epoch if found.marker is not None else 0, approved.plan.marker.epoch
        self._must(Law.STALE, new >= stood, f"{member.name} writes {approved.plan.target} in {new}, after {stood}")

    async def look(self) -> None:
        await super().look()
        names = [each.name for each in self.leaders]
        self._must(Law.STALE, len(names) <= 1 or not self.certain, f"{names} lead at once")

    # -- bad luck ------------------------------------------------------------------------------------------------------

    @property
    def _leader(self) -> Member | None:
        return next((each for each in self.members if each.name == self.quorum.leader), None)

    def _cut_off(self, member: Member, how: Mishap) -> None:
        self.out_of_reach[member.name] = how
        if member.way is not None:
            member.way.cut(how)
        self._tell(f"{member.name} does not reach the coordinator: {how}")

    def _reconnect(self, member: Member) -> None:
        self.out_of_reach.pop(member.name, None)
        if member.way is not None:
            member.way.mend()
            member.way.mishaps.clear()
            member.way.delay = 0.0

    async def _cut(self, member: Member) -> None:
        self._cut_off(member, self.random.choice([Mishap(), REFUSED]))

    async def _cut_one_way(self, member: Member) -> None:
        self._cut_off(member, UNANSWERED)

    async def _way_mended(self, member: Member) -> None:
        self._reconnect(member)
        self._tell(f"{member.name} reaches the coordinator")

    async def _call_lost(self, member: Member) -> None:
        how = self.random.choice([Mishap(), UNANSWERED, overtaken(self.random.choice([0.5, 5.0, 25.0, 90.0]))])
        if member.way is not None:
            member.way.mishaps.extend([how] * self.random.choice([1, 1, 4]))
        self._tell(f"{member.name} loses calls to the coordinator: {how}")

    async def _slow(self, member: Member) -> None:
        if member.way is not None:
            member.way.delay = self.random.choice([0.3, 1.5, 3.0])
            self._tell(f"the coordinator is {member.way.delay:g}s away from {member.name}")

    async def _quorum_lost(self, _: Member) -> None:
        self.quorum.lose_quorum()
        self._tell("the coordinator has no majority")

    async def _quorum_back(self, _: Member) -> None:
        if not self.quorum.whole:
            self.quorum.regain_quorum()
        self._tell("the coordinator has a majority")

    async def _compacted(self, _: Member) -> None:
        self.quorum.compact()
        self._tell("the coordinator is compacted")

    async def _watches_broken(self, _: Member) -> None:
        self.quorum.break_watches()
        self._tell("a server of the coordinator is restarted")

    async def _revoked(self, member: Member) -> None:
        self._unsure()
        self.quorum.revoke(member.name)
        self._tell(f"the lease of {member.name} is revoked")

    async def _lease_deleted(self, _: Member) -> None:
        self._unsure()
        self.quorum.delete(LEADER)
        self._tell("the leader's key is deleted")

    async def _backed_up(self, _: Member) -> None:
        self.kept = self.quorum.backup()
        self._tell("the coordinator is backed up")

    async def _put_back(self, _: Member) -> None:
        if self.kept is not None:
            self._unsure()
            self.quorum.restore(self.kept)
            self._tell(f"the coordinator is put back: revision {self.quorum.revision}")

    def _unsure(self) -> None:
        """Somebody takes a lease away from who may not know it yet: until it has asked, or given up."""
        self.uncertain_until = now() + LEASE

    async def _restored(self, member: Member) -> None:
        await super()._restored(member)
        self.said = {name: each for name, each in self.said.items() if not each.alone or each.by != member.name}

    async def _stopped(self, member: Member) -> None:
        """It is told to stop, and is started again: an upgrade."""
        if member.stage is None:
            return
        member.wake()
        member.reach()
        member.journal.broken = member.journal.full = None
        self._tell(f"{member.name} is stopped and started again")
        await member.stage.stop()
        member.gone.append(member.stage)
        member.stage = None
        self._start(member)

    async def _told(self, member: Member) -> None:
        """An operator drains a region, or holds a policy, at any of them."""
        if member.stage is None or member.frozen:
            return
        found, lasts = self.random.choice(POLICIES), self.random.choice([60.0, 300.0, 900.0])
        regions = self.random.sample(["azure", "oci"], 2)
        drains = [(Verb.DRAIN, Scope((found.name,), regions=(region,))) for region in regions]
        words = [(Verb.HOLD, Scope((found.name,))), *drains] if self.random.random() < 0.3 else drains
        for verb, scope in words:  # the first that is not refused
            alone = member.stage.engine.lead.lone
            try:
                given = await _desk(member).give(WordRequest(verb, scope, "it is night", lasts), "alice@desk")
            except (OverrideError, CoordinationError) as error:
                self._tell(f"{member.name} does not {verb} {scope.text()}: {error}")
                continue
            kept = given.kept or given.word.id not in member.stage.engine.unshared
            if kept:  # else whoever spoke was told that it lasts as long as this process, and is known to no other
                self.said[given.word.id] = Said(given.word, now(), member.name, alone)
            self._tell(
                f"{member.name} is told {given.word.id}: {scope.text()} for {lasts:g}s{'' if kept else ', unkept'}"
            )
            return

    async def _released(self, member: Member) -> None:
        if member.stage is None or member.frozen or not self.said:
            return
        name = self.random.choice(sorted(self.said))
        del self.said[name]
        try:
            await _desk(member).release(name, "enough", "bob@desk")
        except (OverrideError, CoordinationError) as error:
            self._tell(f"{member.name} does not release {name}: {error}")
            return
        self._tell(f"{member.name} is told to release {name}")

    async def _leader_killed(self, _: Member) -> None:
        if self._leader is not None:
            await self._killed(self._leader)

    async def _leader_frozen(self, _: Member) -> None:
        """For longer than its lease lasts; then it wakes, in the middle of what it did."""
        leader = self._leader
        if leader is not None and leader.stage is not None and not leader.frozen:
            await self._frozen(leader)
            await elapse(30.0)
            await self._woken(leader)

    async def _leader_cut(self, _: Member) -> None:
        if self._leader is not None:
            self._cut_off(self._leader, self.random.choice([Mishap(), REFUSED, UNANSWERED]))

    async def _leader_lost_in_a_failure(self, _: Member) -> None:
        """On an ordinary day a region dies, and whoever leads goes with it. The others leave that region."""
        await self._well()
        leader = self._leader
        named = self.quorum.leader
        self._must(Law.NEWS, leader is not None, f"{TAKEN_OVER:g}s after all was well, {named or 'nobody'} leads")
        if leader is None:
            return
        region = self.random.choice(["azure", "oci"])
        how = self.random.choice(["frozen", "cut off", "killed", "blind", "kept from its providers", "well"])
        self._tell(f"{region} dies, and {leader.name}, which leads, is {how}")
        self._let(Does.REFUSE, *_addresses(region))
        match how:
            case "frozen":
                leader.freeze()
            case "blind":
                leader.see_nothing()
            case "kept from its providers":
                leader.lose()
            case "cut off":
                self._cut_off(leader, self.random.choice([Mishap(), REFUSED, UNANSWERED]))
            case "killed":
                await leader.kill()
        await elapse(TAKEN_OVER)
        for found, at in TARGETS:
            if not self._spoken_of(at):
                shares = self.zonefiles[at.provider].shares(at, found.region_of(at.key.type))
                self._must(Law.DEAD, not shares.get(region), f"{at} answers {shares}, {TAKEN_OVER:g}s after it died")
        if leader.stage is None:
            self._start(leader)
        await self._woken(leader)

    def _spoken_of(self, at: Target) -> bool:
        """Whether anybody knows of a word about it."""
        marker = self.zonefiles[at.provider].observe(at).marker
        known = [
            word for each in self.members if each.stage is not None for word in each.stage.engine.overrides.in_force()
        ]
        return bool(marker is not None and marker.overrides) or any(word.scope.has_target(at) for word in known)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def _well(self) -> None:
        """Nothing is wrong with anything any more, for as long as it takes to agree and to see it."""
        self.truth.let(Does.ANSWER, *ADDRESSES)
        await self._quorum_back(self.members[0])
        for member in self.members:
            self._reconnect(member)
            if member.stage is None:
                self._start(member)
            await self._calmed(member)
        await elapse(TAKEN_OVER)
        for _ in range(round(DEADLINE)):  # a call that hangs has its round given up
            if not any(running.busy for member in self.members for running in _stage(member).reconcilers.values()):
                break
            await elapse(1.0)

    async def come_to_rest(self) -> None:
        """All bad luck ends. One leads, all know the same, and who leads can go."""
        self.random = luck(self.seed)
        self._tell("calm")
        await self._well()
        await self.look()
        self._all_know_the_same()
        await self._words_end()
        await self._normal("all is well")
        written = [len(zonefile.writes) for zonefile in self.zonefiles.values()]
        await elapse(QUIET)
        for (name, zonefile), before in zip(self.zonefiles.items(), written, strict=True):
            grown = len(zonefile.writes) - before
            self._must(Law.RETRIES, grown <= FEW, f"{grown} writes at {name} in {QUIET:g}s of calm: they fight")
        await self._left_by_the_leader()

    def _all_know_the_same(self) -> None:
        names = [each.name for each in self.leaders]
        self._must(Law.NEWS, names == [self.quorum.leader], f"{names} lead in calm, and {self.quorum.leader} is to")
        if any(each.clock.off for each in self.members):
            return
        for said in (each for each in self.said.values() if each.word.in_force(now() + 1.0)):
            for member in self.members:
                held = {word.id for word in _stage(member).engine.overrides.in_force()}
                self._must(Law.WORDS, said.word.id in held, f"{member.name} does not know {said.word.id} by {said.by}")

    async def _words_end(self) -> None:
        """Whoever spoke goes home."""
        leader = self._leader
        if leader is None:
            return
        desk = _desk(leader)
        self.said.clear()
        with suppress(OverrideError):  # there are none
            await desk.release_matching(None, Scope(), "enough", "alice@desk")
        with suppress(OverrideError):
            await desk.release_lost(Scope(), "nobody needs it", "alice@desk")

    async def _normal(self, when: str) -> None:
        """Everything is as the files say, in the end."""
        for _ in range(60):
            if not self.abnormal():
                return
            await elapse(10.0)
        stands = [str(each) for member in self.leaders for running in _stage(member).reconcilers.values()
                  for each in running.statuses()]  # fmt: skip
        self._must(Law.REBUILT, False, f"{when}: " + "; ".join([*self.abnormal(), *stands]))

    async def _left_by_the_leader(self) -> None:
        """Whoever leads dies for good. The others see what fails, and what is back, without a person."""
        leader = self._leader
        if leader is None:
            return
        self._tell(f"{leader.name} leads, and is switched off; azure dies")
        await leader.kill()
        self._let(Does.REFUSE, *_addresses("azure"))
        await elapse(TAKEN_OVER)
        for found, at in TARGETS:
            if self._spoken_of(at):
                continue  # to a clock that is an hour behind, a word holds that is over
            shares = self.zonefiles[at.provider].shares(at, found.region_of(at.key.type))
            self._must(Law.DEAD, not shares.get("azure"), f"{at} answers {shares}, {TAKEN_OVER:g}s after azure died")
        self._let(Does.ANSWER, *ADDRESSES)
        await self._words_end()
        await self._normal("azure is back")

    def defects(self) -> Iterable[Broken]:
        yield from super().defects()
        for member in self.members:
            for rival in (event for stage in member.gone for event in stage.told(RivalDetected)):
                yield Broken(Law.STALE, rival.at, f"{member.name} takes another member for a rival: {rival}")


def _against(word: Override, policy: Policy, plan: Plan, *, unheard: bool) -> str:
    """What a write does that a word does not want. No word keeps a record without an answer.

    Who acts alone, and knows of it by the marker only, gives nothing to a region that is empty by now.
    """
    if plan.decision.kind is DecisionKind.RESTORE_LAST_GOOD:
        return ""
    if word.verb is Verb.HOLD:
        return "" if plan.kind is PlanKind.MARK else f"writes {plan.target}"
    drained = [spec.name for spec in policy.regions if word.scope.has_region(spec)]
    more = [name for name in drained if plan.shares_after.get(name, 0) > plan.start.get(name, 0)]
    more = [name for name in more if not (unheard and plan.start.get(name))]
    return f"gives {more} more of {plan.target}" if more else ""


def _stage(member: Member) -> Stage:
    assert member.stage is not None
    return member.stage


def _desk(member: Member) -> Desk:
    return Desk(_stage(member).engine, member.clock, undoable_of(member.journal))


def _addresses(region: str) -> list[str]:
    return [
        end.address for found in POLICIES for spec in found.regions if spec.name == region for end in spec.endpoints
    ]


async def join(seed: int, blows: Sequence[Stroke]) -> Played[Fleet]:
    return await play_out(Fleet(seed), blows)
