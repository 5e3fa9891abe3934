"""Members that tell each other what they see: what a majority does, and what no single one can."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from support.coordinating import PaperCoordinator, PaperQuorum
from support.members import Skewed
from support.stage import API, AT, AZURE, NORMAL, OCI, Stage, playing
from support.virtual import until, virtually

from failoverd.core.errors import CoordinationError
from failoverd.core.events import (
    ChangeApplied,
    EndpointFailed,
    EndpointRecovered,
    Event,
    MemberFound,
    MemberLost,
    QuorumLost,
    QuorumRegained,
    ReachabilityRestored,
    ReachabilitySplit,
    TaskCrashed,
    TwinDetected,
    TwinGone,
    VantageIsolated,
    VoteRefused,
)
from failoverd.core.health.endpoint import Health
from failoverd.core.members import Member, Membership, Uncoordinated
from failoverd.core.records import Policy, Source
from failoverd.core.status import MembersStatus, MemberStanding
from failoverd.runtime.members.ballots import MOST_BYTES
from failoverd.runtime.members.leading import Leading
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does, ProberSight, World
from failoverd.simulation.zonefile import Zonefile
from failoverd.telemetry.prose import say

LEASE = 20.0
NAMES = ("azure-1", "oci-1", "aws-1")


class DeafToBallots(PaperCoordinator):
    """The way on which ballots are lost, and heartbeats are not."""

    deaf = False
    told: float | None = None
    """Seconds, where its file says another lease than the others'."""

    @property
    def lease(self) -> float:
        return self.told if self.told is not None else super().lease

    async def publish(self, values: Mapping[str, bytes]) -> None:
        if self.deaf and any(key.startswith("vantages/votes/") for key in values):
            raise CoordinationError("it is lost", reason="timeout")
        await super().publish(values)


@dataclass
class Places:
    """Members that each see a world of their own."""

    factor: int | None = None
    policy: Policy = API
    quorum: PaperQuorum = field(default_factory=lambda: PaperQuorum(LEASE))
    zonefile: Zonefile = field(default_factory=Zonefile)
    stages: dict[str, Stage] = field(default_factory=dict)
    ways: dict[str, DeafToBallots] = field(default_factory=dict)
    uncoordinated: Uncoordinated = Uncoordinated.HOLD
    leases: dict[str, float] = field(default_factory=dict)
    machines: dict[str, Skewed] = field(default_factory=dict)
    """The clocks of their machines; a daemon goes by what that of its own said when it began."""

    def made(self, name: str, names: tuple[str, ...], instance: str = "", network: str = "") -> Stage:
        members = tuple(Member(each, network or each.partition("-")[0]) for each in names)
        me = next(each for each in members if each.name == name)
        way = self.ways[name] = DeafToBallots(self.quorum, name)
        way.told = self.leases.get(name)
        self.quorum.members.append(way)
        machine = self.machines.setdefault(name, Skewed())
        self.stages[name] = Stage(
            clock=Skewed(machine.off),
            wall_clock=machine,
            zonefile=self.zonefile,
            world=World(now),
            instance=instance or name * 2,
            coordinator=way,
            membership=Membership(me, members, self.uncoordinated, self.factor),
        )
        return self.stages[name]

    @property
    def leaders(self) -> list[str]:
        return [name for name, stage in self.stages.items() if stage.engine.lead.leads]

    @property
    def leader(self) -> Stage:
        (name,) = self.leaders
        return self.stages[name]

    def fails(self, address: str, *names: str) -> None:
        for name in names or self.stages:
            self.stages[name].world.let(Does.REFUSE, address)

    def heals(self, address: str) -> None:
        for stage in self.stages.values():
            stage.world.let(Does.ANSWER, address)

    def told(self, name: str, kind: type[Event]) -> list[Event]:
        return list(self.stages[name].told(kind))

    def held(self, address: str) -> set[Health]:
        """What the members hold of an endpoint."""
        return {
            found.state
            for stage in self.stages.values()
            for endpoint, found in stage.board.table.verdicts("api").items()
            if endpoint.address == address
        }

    def ballot(self, name: str) -> dict[str, object]:
        found = json.loads(self.quorum.kept[f"vantages/votes/{name}/api"].value)
        assert isinstance(found, dict)
        return found

    def say(self, key: str, value: bytes) -> None:
        """Somebody puts something there by hand."""
        self.quorum.put(key, value)


@asynccontextmanager
async def places(*names: str, of: Places | None = None) -> AsyncIterator[Places]:
    """All of them, settled; and nothing that they do crashes."""
    found = of or Places()
    async with AsyncExitStack() as stack:
        for name in names or NAMES:
            await stack.enter_async_context(playing(found.policy, stage=found.made(name, names or NAMES)))
        await until(lambda: any(stage.engine.lead.leads for stage in found.stages.values()))
        await until(found.leader.steers(API, **NORMAL))
        await elapse(40.0)
        yield found
    assert not [event for stage in found.stages.values() for event in stage.told(TaskCrashed)]


# -- a majority, and one alone -----------------------------------------------------------------------------------------


@virtually
async def test_a_region_that_the_majority_sees_fail_is_left_within_the_bound_and_the_evidence_names_them() -> None:
    async with places() as found:
        first, *others = [name for name, stage in found.stages.items() if stage is not found.leader]
        leader = next(name for name, stage in found.stages.items() if stage is found.leader)
        seen_by = sorted((first, others[0]))
        found.fails(AZURE, *seen_by)  # the leader itself can reach it
        began = now()
        await until(found.leader.steers(API, oci=100.0))
        rules, check = API.health, API.checks[0]
        assert now() - began <= check.every + rules.fall * rules.recheck + 1.0
        (failed,) = found.leader.told(EndpointFailed)
        assert failed.evidence.startswith(f"2 of 3 vantages see it fail ({', '.join(seen_by)}): live connect_refused")
        assert say(failed).startswith(f"{AZURE} in azure is down: 2 of 3 vantages see it fail")
        assert not found.told(leader, ReachabilitySplit)


@virtually
async def test_one_blind_vantage_moves_nothing_and_that_it_cannot_reach_it_is_told_once() -> None:
    async with places() as found:
        writes = len(found.zonefile.writes)
        name = next(name for name, stage in found.stages.items() if stage is found.leader)
        found.fails(AZURE, name)
        await elapse(120.0)
        assert len(found.zonefile.writes) == writes
        assert found.held(AZURE) == {Health.HEALTHY}
        for each in NAMES:
            (split,) = found.told(each, ReachabilitySplit)
            assert isinstance(split, ReachabilitySplit)
            assert split.unreachable_from == (name.partition("-")[0],)
            assert len(split.reachable_from) == 2
        found.heals(AZURE)
        await elapse(60.0)
        assert all(len(found.told(each, ReachabilityRestored)) == 1 for each in NAMES)


@virtually
async def test_a_vantage_that_lost_its_network_says_so_at_once_and_has_no_vote() -> None:
    clouds = replace(API, regions=tuple(replace(spec, cloud=spec.name) for spec in API.regions))
    async with places(of=Places(policy=clouds)) as found:
        name = next(name for name, stage in found.stages.items() if stage is not found.leader)
        stage = found.stages[name]
        stage.world.sight = ProberSight.CUT_OFF
        await until(lambda: stage.told(VantageIsolated))
        await elapse(0.2)
        assert json.loads(found.quorum.kept[f"vantages/members/{name}"].value)["isolated"] == ["IPv4"]
        each = next(each for each in found.leader.engine.members().members if each.name == name)
        assert (each.isolated, each.uncounted) == (("IPv4",), "isolated (IPv4)")
        writes = len(found.zonefile.writes)
        await elapse(120.0)
        assert len(found.zonefile.writes) == writes
        assert found.held(AZURE) == found.held(OCI) == {Health.HEALTHY}
        found.fails(AZURE)
        await until(found.leader.steers(API, oci=100.0))  # by the two others


# -- too few -----------------------------------------------------------------------------------------------------------


@virtually
async def test_with_two_of_three_gone_nothing_is_acted_on_and_that_is_said_once_until_they_are_back() -> None:
    async with places() as found:
        gone = [name for name, stage in found.stages.items() if stage is not found.leader]
        leader = found.leader
        for name in gone:
            found.ways[name].cut()
        writes = len(found.zonefile.writes)
        await elapse(LEASE + 5.0)
        found.fails(AZURE)
        await elapse(120.0)
        assert len(found.zonefile.writes) == writes
        (lost,) = leader.told(QuorumLost)
        assert sorted(lost.unheard) == sorted(gone)
        assert sorted(event.member for event in leader.told(MemberLost)) == sorted(gone)
        found.ways[gone[0]].mend()
        await until(leader.steers(API, oci=100.0))
        assert len(leader.told(QuorumRegained)) == 1
        assert [event.member for event in leader.told(MemberFound)] == [gone[0]]
        assert len(leader.told(QuorumLost)) == 1


@virtually
async def test_uncoordinated_what_it_sees_itself_holds_where_it_may_fail_out_alone() -> None:
    async with places(of=Places(uncoordinated=Uncoordinated.FAILING_OUT)) as found:
        found.quorum.lose_quorum()
        await elapse(60.0)
        found.fails(AZURE, "azure-1")
        await until(found.stages["azure-1"].steers(API, oci=100.0))
        found.heals(AZURE)
        found.quorum.regain_quorum()
        await until(found.stages["azure-1"].steers(API, **NORMAL))
        found.fails(OCI, "azure-1")  # and alone it decides nothing again
        await elapse(60.0)
        assert found.stages["azure-1"].shares(API) == NORMAL


# -- what is not counted -----------------------------------------------------------------------------------------------


@virtually
async def test_votes_on_another_revision_are_not_counted_and_that_is_told_once_after_a_while() -> None:
    async with places() as found:
        others = [name for name, stage in found.stages.items() if stage is not found.leader]
        leader = found.leader
        newer = replace(API, source=Source(API.source.file, "r2", API.source.lines))
        for name in others:
            await found.stages[name].take_up(newer)
        found.fails(AZURE, *others)
        await elapse(LEASE)
        assert not leader.told(VoteRefused)
        await elapse(3 * LEASE)
        assert leader.shares(API) == NORMAL
        refused = leader.told(VoteRefused)
        assert sorted((each.member, each.policy, each.reason) for each in refused) == sorted(
            (name, "api", "other_revision") for name in others
        )
        assert "it runs revision r2 of it, and this member r1" in say(refused[0])
        await leader.take_up(newer)
        await until(leader.steers(API, oci=100.0))
        assert len(leader.told(VoteRefused)) == 2


@virtually
async def test_files_that_reach_the_members_one_after_the_other_are_told_of_by_nobody() -> None:
    async with places() as found:
        newer = replace(API, source=Source(API.source.file, "r2", API.source.lines))
        for stage in found.stages.values():
            await stage.take_up(newer)
            await elapse(3.0)
        await elapse(60.0)
        assert not [event for name in NAMES for event in found.told(name, VoteRefused)]
        assert found.held(AZURE) == {Health.HEALTHY}


@virtually
async def test_members_that_were_never_given_a_policy_are_named_though_they_say_nothing_of_it() -> None:
    web = replace(API, name="web")
    async with places() as found:
        leader, (mine,) = found.leader, found.leaders
        others = [name for name in NAMES if name != mine]
        await leader.take_up(web)
        await elapse(LEASE / 2)
        assert not [each for each in leader.engine.members().members if each.differing]
        await elapse(2 * LEASE)
        refused = leader.told(VoteRefused)
        assert sorted((each.member, each.policy, each.reason) for each in refused) == sorted(
            (name, "web", "other_revision") for name in others
        )
        assert "it runs no revision of it" in say(refused[0])
        assert {each.name: each.differing for each in leader.engine.members().members} == {
            mine: (), **dict.fromkeys(others, ("web",))
        }  # fmt: skip
        await found.stages[others[0]].stop()
        await elapse(2 * LEASE)
        assert [each.name for each in leader.engine.members().members if each.differing] == others[1:]
        again = found.made(others[0], NAMES)
        async with playing(API, stage=again):
            await elapse(LEASE / 2)
            assert [each.name for each in leader.engine.members().members if each.differing] == others[1:]
            await again.take_up(web)
            await elapse(2 * LEASE)
            assert [each.name for each in leader.engine.members().members if each.differing] == others[1:]
            assert len(leader.told(VoteRefused)) == 2


@virtually
async def test_a_stranger_is_refused_and_told_once() -> None:
    async with places() as found:
        for number in range(5):
            found.say("vantages/members/mallory", json.dumps({"v": 1, "number": number, "at": now()}).encode())
            found.say("vantages/votes/mallory/api", b'{"v":1,"revision":"r1","rest":"unknown"}')
            await elapse(2.0)
        (refused,) = found.leader.told(VoteRefused)
        assert (refused.member, refused.reason) == ("mallory", "unknown_member")
        assert "mallory" not in {each.name for each in found.leader.engine.members().members}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"v":1,"revision":"r1","rest":"fine"}', "unreadable"),
        (b'{"v":1,"revision":"r1","rest":"healthy","seen":[{"health":"ill","endpoints":{}}]}', "unreadable"),
        (b'{"v":1,"revision":"r1","rest":"healthy"' + b" " * MOST_BYTES + b"}", "unreadable"),
        (b'{"v":2,"revision":"r1"}', "later_version"),
    ],
)
def test_what_cannot_be_read_hurts_nobody_and_is_told_once(value: bytes, reason: str) -> None:
    @virtually
    async def play() -> None:
        async with places() as found:
            liar, leader = next(name for name, stage in found.stages.items() if stage is not found.leader), found.leader
            await found.stages[liar].kill()  # else it would say what it meant
            for _ in range(3):
                found.say(f"vantages/votes/{liar}/api", value)
                await elapse(1.0)
            (refused,) = leader.told(VoteRefused)
            assert (refused.member, refused.policy, refused.reason) == (liar, "api", reason)
            found.fails(AZURE)
            await until(leader.steers(API, oci=100.0))  # by the two others

    play()


@virtually
async def test_who_says_that_everything_fails_moves_nothing() -> None:
    async with places() as found:
        liar, writes = (
            next(name for name, stage in found.stages.items() if stage is not found.leader),
            len(found.zonefile.writes),
        )
        seen = [{"health": "unhealthy", "endpoints": {"azure": [AZURE], "oci": [OCI], "mars": ["192.0.2.99"]}}]
        lie = json.dumps({"v": 1, "revision": "r1", "rest": "healthy", "seen": seen}).encode()
        for number in range(100):
            found.say(f"vantages/votes/{liar}/api", lie if number % 2 else b'{"v":1,"revision":"r1","rest":"healthy"}')
            await elapse(0.5)
        assert len(found.zonefile.writes) == writes
        assert found.held(AZURE) == found.held(OCI) == {Health.HEALTHY}


# -- what is said ------------------------------------------------------------------------------------------------------


@virtually
async def test_on_a_good_day_a_ballot_says_nearly_nothing() -> None:
    async with places() as found:
        assert found.ballot("oci-1") == {"v": 1, "revision": "r1", "rest": "healthy"}
        said = found.quorum.kept["vantages/votes/oci-1/api"].changed
        await elapse(300.0)
        assert found.quorum.kept["vantages/votes/oci-1/api"].changed == said


@virtually
async def test_a_heartbeat_is_only_sent_when_all_ballots_are_out() -> None:
    async with places() as found:
        found.ways["oci-1"].deaf = True
        found.fails(AZURE, "oci-1")
        await elapse(15.0)
        silent = found.quorum.kept["vantages/members/oci-1"].changed
        await elapse(15.0)
        assert found.quorum.kept["vantages/members/oci-1"].changed == silent
        found.ways["oci-1"].deaf = False
        await elapse(5.0)
        assert (
            found.quorum.kept["vantages/members/oci-1"].changed > found.quorum.kept["vantages/votes/oci-1/api"].changed
        )
        assert "seen" in found.ballot("oci-1")


@virtually
async def test_a_lease_that_was_taken_away_or_a_coordinator_that_was_put_back_is_told_everything_again() -> None:
    async with places() as found:
        found.fails(AZURE, "oci-1")
        await elapse(30.0)
        said, backup = found.ballot("oci-1"), found.quorum.backup()
        found.quorum.revoke("oci-1")
        await elapse(5.0)
        assert found.ballot("oci-1") == said
        for name in NAMES:
            found.quorum.delete(f"vantages/votes/{name}/api")
        await elapse(5.0)
        assert found.ballot("oci-1") == said
        found.heals(AZURE)
        await elapse(60.0)
        found.quorum.restore(backup)
        await elapse(30.0)
        assert "seen" not in found.ballot("oci-1")


@virtually
async def test_who_resigns_is_missed_by_nobody_and_who_stops_is_missed_after_a_lease() -> None:
    async with places() as found:
        await elapse(10 * LEASE)
        name = next(name for name, stage in found.stages.items() if stage is found.leader)
        other = next(each for each in NAMES if each != name)
        assert isinstance(found.leader.engine.lead, Leading)
        assert await found.leader.engine.lead.resign(abstain=LEASE)
        await elapse(2 * LEASE)
        assert not found.told(other, MemberLost)
        await found.stages[name].stop()
        await elapse(2 * LEASE)
        (lost,) = found.told(other, MemberLost)
        assert isinstance(lost, MemberLost)
        assert lost.member == name
        assert lost.silent_for == pytest.approx(LEASE, abs=LEASE / 5)


@virtually
async def test_members_are_told_of_with_their_clocks_and_why_their_votes_do_not_count() -> None:
    async with places() as found:
        gone = next(name for name, stage in found.stages.items() if stage is not found.leader)
        told = found.leader.engine.members()
        assert [each.uncounted for each in told.members] == ["", "", ""]
        assert all(each.offset is not None and abs(each.offset) < 1.0 for each in told.members)
        found.ways[gone].cut()
        await elapse(LEASE + 5.0)
        each = next(each for each in found.leader.engine.members().members if each.name == gone)
        assert (each.standing, each.uncounted) == (MemberStanding.SILENT, "silent")


@virtually
async def test_a_clock_that_is_set_while_a_daemon_runs_is_told_of_and_so_is_one_that_was_wrong_when_it_began() -> None:
    async with places(of=Places(machines={"aws-1": Skewed(3_600.0)})) as found:

        async def offsets(name: str) -> dict[str, int]:
            await elapse(LEASE)
            members = found.stages[name].engine.members().members
            return {each.name: round(each.offset or 0.0) for each in members}

        assert await offsets("oci-1") == {"azure-1": 0, "oci-1": 0, "aws-1": 3_600}
        assert await offsets("aws-1") == {"azure-1": -3_600, "oci-1": -3_600, "aws-1": 0}
        found.machines["aws-1"].off = 0.0  # NTP sets it, and the daemon goes by what it began with
        assert await offsets("oci-1") == {"azure-1": 0, "oci-1": 0, "aws-1": 3_600}
        found.machines["azure-1"].off = -3_600.0
        assert await offsets("oci-1") == {"azure-1": -3_600, "oci-1": 0, "aws-1": 3_600}
        writes = len(found.zonefile.writes)
        await elapse(60.0)
        assert len(found.zonefile.writes) == writes


# -- endpoints that some probe for all ---------------------------------------------------------------------------------


@virtually
async def test_each_endpoint_is_probed_by_so_many_and_by_others_when_one_of_these_is_gone() -> None:
    async with places(of=Places(factor=2)) as found:
        await elapse(60.0)

        async def probing(*names: str) -> list[int]:
            began = now()
            await elapse(60.0)
            looks = [
                {look.endpoint.address for look in found.stages[name].world.looks if look.at >= began}
                for name in names or NAMES
            ]
            return [sum(address in each for each in looks) for address in (AZURE, OCI)]

        assert await probing() == [2, 2]
        gone = next(name for name, stage in found.stages.items() if stage is not found.leader)
        left = tuple(name for name in NAMES if name != gone)
        found.ways[gone].cut()
        await elapse(2 * LEASE)
        assert await probing(*left) == [2, 2]
        assert found.held(AZURE) == {Health.HEALTHY}
        found.ways[gone].mend()
        await elapse(6 * LEASE)
        assert await probing() == [2, 2]


@virtually
async def test_a_region_that_others_probe_is_left_as_soon_as_one_of_them_sees_it_fail() -> None:
    async with places(of=Places(factor=2)) as found:
        await elapse(120.0)
        found.fails(AZURE)
        began = now()
        await until(found.leader.steers(API, oci=100.0))
        rules, check = API.health, API.checks[0]
        assert now() - began <= check.every + rules.fall * rules.recheck + 1.0
        assert len(found.leader.told(ChangeApplied)) <= 2
        found.heals(AZURE)
        await until(found.leader.steers(API, **NORMAL))


@virtually
async def test_a_leader_that_lost_its_own_sight_acts_on_what_the_others_see() -> None:
    clouds = replace(API, regions=tuple(replace(spec, cloud=spec.name) for spec in API.regions))
    async with places(of=Places(policy=clouds)) as found:
        found.leader.world.sight = ProberSight.CUT_OFF
        await until(lambda: found.leader.told(VantageIsolated))
        await elapse(120.0)
        assert found.leader.shares(API) == NORMAL
        found.fails(AZURE)
        began = now()
        await until(found.leader.steers(API, oci=100.0))
        assert now() - began <= 20.0


# -- two daemons of one name -------------------------------------------------------------------------------------------


@asynccontextmanager
async def twin_of(found: Places, name: str) -> AsyncIterator[Stage]:
    """Another daemon that says that it is that member; it has a journal of its own, and sees a world of its own."""
    first = found.stages[name]
    second = found.made(name, NAMES, "another journal")
    found.stages = {**found.stages, name: first, f"{name} again": second}
    async with playing(found.policy, stage=second):
        yield second


def roll(stage: Stage) -> MembersStatus:
    return stage.engine.members()


@virtually
async def test_a_second_daemon_of_one_name_steps_back_and_both_say_so() -> None:
    async with places() as found:
        first, standing = found.stages["oci-1"], found.zonefile.generation(AT)
        async with twin_of(found, "oci-1") as second:
            await elapse(3 * LEASE)
            assert [event.steps_back for event in second.told(TwinDetected)] == [True]
            assert [event.steps_back for event in first.told(TwinDetected)] == [False]
            assert (roll(first).twin, bool(roll(second).twin)) == ("", True)
            (mine,) = (each for each in roll(second).members if each.name == "oci-1")
            assert mine.uncounted == "a twin"
            second.fails(AZURE, OCI)
            await elapse(3 * LEASE)
            assert found.ballot("oci-1").get("seen") is None  # what the twin sees is nobody's vote
            assert found.zonefile.generation(AT) == standing
        await elapse(2 * LEASE)
        assert len(first.told(TwinGone)) == 1
        assert not second.told(TwinGone)


@virtually
async def test_a_leader_with_a_twin_goes_on_leading() -> None:
    async with places() as found:
        first = found.leader
        (name,) = (each for each, stage in found.stages.items() if stage is first)
        async with twin_of(found, name) as second:
            await elapse(3 * LEASE)
            assert first.engine.lead.leads
            assert not second.engine.lead.leads
            assert second.told(TwinDetected)


@virtually
async def test_the_second_daemon_takes_the_name_once_the_first_is_gone() -> None:
    found = Places()
    async with AsyncExitStack() as rest:
        for name in ("azure-1", "aws-1"):
            await rest.enter_async_context(playing(found.policy, stage=found.made(name, NAMES)))
        async with playing(found.policy, stage=found.made("oci-1", NAMES)):
            await elapse(LEASE)
            second = await rest.enter_async_context(twin_of(found, "oci-1"))
            await elapse(2 * LEASE)
            assert second.told(TwinDetected)
        await elapse(2 * LEASE)
        assert len(second.told(TwinGone)) == 1
        assert roll(second).twin == ""
        assert all(not each.uncounted for each in roll(found.stages["azure-1"]).members)


@virtually
async def test_who_is_started_again_is_no_second_daemon() -> None:
    async with places() as found:
        again = found.stages["oci-1"]
        await again.kill()
        again.start(API)
        await again.booted()
        await elapse(2 * LEASE)
        assert not [event for stage in found.stages.values() for event in stage.told(TwinDetected)]


# -- members that were told different things ---------------------------------------------------------------------------


@virtually
async def test_a_member_that_was_told_another_network_is_named() -> None:
    found = Places()
    async with AsyncExitStack() as rest:
        for name in NAMES:
            stage = found.made(name, NAMES, network="azure" if name == "aws-1" else "")
            await rest.enter_async_context(playing(found.policy, stage=stage))
        await elapse(2 * LEASE)
        told = {each.name: each.otherwise for each in roll(found.stages["azure-1"]).members}
        assert told == {"azure-1": False, "oci-1": False, "aws-1": True}
        whole = {each.name: each.otherwise for each in roll(found.stages["aws-1"]).members}
        assert whole == {"azure-1": True, "oci-1": True, "aws-1": False}


@virtually
async def test_members_that_were_told_another_lease_are_named_and_neither_goes_nor_comes() -> None:
    """One takes the others for gone after less time than lies between what they would say."""
    found = Places(quorum=PaperQuorum(60.0), leases={"aws-1": 5.0})
    async with AsyncExitStack() as rest:
        for name in NAMES:
            stage = found.made(name, NAMES)
            await rest.enter_async_context(playing(found.policy, stage=stage))
            await elapse(7.0)
        for _ in range(60):
            await elapse(5.0)
            told = {each.name: each.otherwise for each in roll(found.stages["azure-1"]).members}
            assert told == {"azure-1": False, "oci-1": False, "aws-1": True}
        for name in NAMES:
            for kind in (MemberLost, MemberFound, QuorumLost):
                assert not [each for each in found.told(name, kind) if each.at > now() - 290.0], name
        beats = found.quorum.revision
        await found.stages["aws-1"].kill()
        await elapse(120.0)
        assert found.told("azure-1", MemberLost)
        assert found.quorum.revision > beats


@virtually
async def test_nobody_speaks_faster_than_for_the_shortest_lease_that_a_file_may_say() -> None:
    async with places() as found:
        beat = json.loads(found.quorum.kept["vantages/members/oci-1"].value)
        for number in range(5):
            found.say("vantages/members/oci-1", json.dumps({**beat, "number": -number, "lease": 1e-6}).encode())
        before = json.loads(found.quorum.kept["vantages/members/azure-1"].value)["number"]
        await elapse(LEASE / 4)
        assert json.loads(found.quorum.kept["vantages/members/azure-1"].value)["number"] - before <= 12


@virtually
async def test_who_hears_the_others_again_counts_no_heartbeat_before_the_ballots_that_it_follows() -> None:
    async with places(of=Places(uncoordinated=Uncoordinated.FAILING_OUT)) as found:
        found.quorum.lose_quorum()
        await elapse(60.0)
        found.fails(AZURE)
        await until(found.stages["oci-1"].steers(API, oci=100.0))
        for number in range(6):
            found.quorum.regain_quorum()
            await elapse(40.0 + number)
            assert found.held(AZURE) == {Health.UNHEALTHY}
            found.quorum.lose_quorum()
            await elapse(40.0)
        assert not [event for stage in found.stages.values() for event in stage.told(EndpointRecovered)]
