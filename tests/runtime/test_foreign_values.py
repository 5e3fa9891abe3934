"""What others wrote below the prefix of an installation: whatever it is, somebody leads and does what is to be done."""

import json
from dataclasses import replace

import pytest
from support.coordinating import LEADER
from support.stage import API, AZURE
from support.trio import LEASE, NAMES, drain, settled, trio
from support.virtual import until, virtually

from failoverd import codec, foreign
from failoverd.core.events import (
    CoordinatorLost,
    DecisionCrashed,
    LeaderElected,
    MemoryRead,
    MemoryUnread,
    TaskCrashed,
    VoteRefused,
)
from failoverd.core.overrides import Override, Scope
from failoverd.foreign import MOST_NAME, keep_secret
from failoverd.operations.concerns import Condition, of_members
from failoverd.runtime.members.memory import MOST_UNREAD
from failoverd.runtime.members.refusals import MOST as MOST_REFUSALS
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.world import Does

LARGE = b"1" + b"0" * 400
"""A number that JSON can say, and no float is."""

VALUES = {
    "a large number": b'{"v":1,"number":%b,"at":%b,"body":{"number":%b,"told":[]}}' % (LARGE, LARGE, LARGE),
    "a process that began then": b'{"v":1,"number":1,"at":1,"run":{"began":%b,"journal":"j"}}' % LARGE,
    "an endless number": b'{"v":1,"number":1,"at":1e999,"body":{"number":1e999,"told":[]}}',
    "what is nested deeply": b"[" * 200_000,
    "bytes": b"\xff\xfe",
    "nothing": b"",
}
KEYS = (
    "members/oci-1",
    "members/stranger",
    "votes/oci-1/api",
    "shared/states/api/",
    "shared/words/drain-2",
    "shared/events/oci-1/3",
    "shared/events/stranger/3",
    "shared/notices/leader",
    "shared/unknown",
)


@pytest.mark.parametrize("value", VALUES)
@virtually
async def test_whatever_stands_there_somebody_leads_and_the_dead_region_is_left(value: str) -> None:
    async with trio() as found:
        await settled(found)
        for key in KEYS:
            found.quorum.put(key, VALUES[value])
        await elapse(10.0)
        (first,) = found.leaders
        await found.leader.kill()
        killed = found.stages.pop(first)
        await until(lambda: found.leaders, within=2 * LEASE)
        killed.fails(AZURE)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0), within=2 * LEASE)
        assert not [crashed for stage in found.stages.values() for crashed in stage.told(TaskCrashed)]


INSTALLATIONS = {
    "an endless floor": b'{"v":1,"instance":"i","floor":1e999}',
    "a floor below which no epoch fits into a marker": b'{"v":1,"instance":"i","floor":%d}' % 10**30,
    "a negative floor": b'{"v":1,"instance":"i","floor":-1}',
    "an instance of two words": b'{"v":1,"instance":"i owner=somebody","floor":0}',
    "an instance too long for a marker": b'{"v":1,"instance":"%b","floor":0}' % (b"i" * 1_000),
    "an instance that is a number": b'{"v":1,"instance":7,"floor":0}',
    "no version": b'{"instance":"i","floor":0}',
    "what is nested deeply": b"[" * 200_000,
    "a number": b"7",
}


@pytest.mark.parametrize("value", INSTALLATIONS.values(), ids=INSTALLATIONS)
@virtually
async def test_an_installation_that_cannot_be_read_is_named_with_what_to_do(value: bytes) -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("installation", value)
        (first,) = found.leaders
        await found.leader.kill()
        del found.stages[first]
        await elapse(2 * LEASE)
        assert not found.leaders
        assert not [crashed for stage in found.stages.values() for crashed in stage.told(TaskCrashed)]
        for stage in found.stages.values():
            assert "is not failoverd's (not_ours)" in stage.told(CoordinatorLost)[-1].error
            assert "or delete that key" in stage.told(CoordinatorLost)[-1].error
        found.quorum.delete("installation")
        await until(lambda: found.leaders, within=LEASE)


@virtually
async def test_who_cannot_read_an_installation_of_a_later_version_says_so_and_leaves_the_lease_to_who_can() -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.put("installation", b'{"v":2,"instance":"i","floor":0,"more":"what is not known here"}')
        (first,) = found.leaders
        await found.leader.kill()
        del found.stages[first]
        await elapse(3 * LEASE)
        for stage in found.stages.values():
            assert "a later version of failoverd wrote it" in stage.told(CoordinatorLost)[-1].error
        assert not found.quorum.leader


WORDS = {
    "ends never": {"until": float("inf")},
    "ends at no time": {"until": float("nan")},
    "ends beyond all calendars": {"until": 1e300},
    "ends in a hundred years": {"until": 3.2e9},
    "takes a time that is none": {"over": float("nan")},
    "gives less than nothing": {"verb": "pin", "shares": {"azure": -5}},
}


@pytest.mark.parametrize("word", WORDS)
@virtually
async def test_a_word_that_nobody_can_have_said_is_heeded_by_nobody_and_told_once(word: str) -> None:
    async with trio() as found:
        await settled(found)
        said = codec.plain(drain("oci")) | WORDS[word]
        for _ in range(3):
            found.quorum.put("shared/words/drain-1", json.dumps({"v": 1, "body": said}).encode())
        await elapse(5.0)
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        for stage in found.stages.values():
            assert not stage.engine.words()
            assert [each.key for each in stage.told(MemoryUnread)] == ["shared/words/drain-1"]
            assert not stage.told(DecisionCrashed)


@virtually
async def test_a_prefix_that_somebody_filled_is_told_of_a_few_times_and_not_for_each_key() -> None:
    async with trio() as found:
        await settled(found)
        keys = [f"shared/words/\x1b[2J{number}{'x' * 2_000}" for number in range(1_000)]
        for key in keys:
            found.quorum.put(key, b'{"v":1,"body":{}}')
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        for stage in found.stages.values():
            told = stage.told(MemoryUnread)
            assert len(told) == MOST_UNREAD
            assert all(each.key.isprintable() and len(each.key) <= MOST_NAME for each in told)
        for key in keys:
            found.quorum.delete(key)
        await elapse(5.0)
        assert all(len(stage.told(MemoryRead)) == 1 for stage in found.stages.values())


@pytest.mark.parametrize("name", ["mallory", "\x1b[2J<script>\nazure-1" * 1_000])
@virtually
async def test_a_leader_that_is_none_of_the_members_is_told_and_shown_as_plain_text(name: str) -> None:
    async with trio() as found:
        await settled(found)
        found.quorum.revoke(found.leaders[0])
        found.quorum.put(LEADER, name.encode())
        await elapse(3 * LEASE)
        for stage in found.stages.values():
            told = stage.engine.members()
            assert not told.led
            assert told.leader.isprintable()
            assert len(told.leader) <= MOST_NAME
            (concern,) = (each for each in of_members(told, now()) if each.subject == "leader")
            assert concern.level is Condition.PERSON
            assert "is none of the members: no member writes" in concern.text
            assert {each.leader for each in stage.told(LeaderElected)[-1:]} == {told.leader}
        found.quorum.delete(LEADER)
        await until(lambda: found.leaders, within=LEASE)
        await elapse(5.0)
        assert all(stage.engine.members().led for stage in found.stages.values())


@virtually
async def test_who_is_said_to_lead_by_somebody_else_says_that_it_does_not() -> None:
    async with trio() as found:
        await settled(found)
        (name,) = found.leaders
        found.quorum.revoke(name)
        found.quorum.put(LEADER, name.encode())
        await elapse(3 * LEASE)
        told = found.stages[name].engine.members()
        assert not told.led
        assert "is said to lead, and does not write" in " ".join(each.text for each in of_members(told, now()))


@virtually
async def test_a_password_that_is_part_of_a_members_name_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_secrets", {})
    for name in NAMES:
        keep_secret(name.partition("-")[0])
    async with trio() as found:
        await settled(found)
        assert all(stage.engine.members().led for stage in found.stages.values())
        assert {stage.engine.members().leader for stage in found.stages.values()} == set(found.leaders)


@virtually
async def test_members_that_somebody_makes_up_are_told_of_a_few_times_and_fill_nothing() -> None:
    async with trio() as found:
        await settled(found)
        for number in range(1_000):
            found.quorum.put(f"vantages/members/{number}", b"{}")
            found.quorum.put(f"vantages/votes/azure-1/{number}", b"1" * 1_000)
            found.quorum.put(f"shared/notices/handed/{number}", b'{"v":1,"body":[]}')
        found.world.let(Does.REFUSE, AZURE)
        await until(found.leader.steers(API, oci=100.0))
        assert all(len(stage.told(VoteRefused)) <= MOST_REFUSALS for stage in found.stages.values())


@virtually
async def test_many_words_are_heard_without_putting_all_in_order_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 of them took three members 16 seconds."""
    compared: list[str] = []

    def age(word: Override) -> tuple[float, str]:
        compared.append(word.id)
        return word.since, word.id

    monkeypatch.setattr("failoverd.runtime.override_book._age", age)
    many = 400
    async with trio() as found:
        await settled(found)
        for number in range(many):
            said = codec.plain(replace(drain("oci"), id=f"drain-{number}", scope=Scope(policies=("other",))))
            found.quorum.put(f"shared/words/drain-{number}", json.dumps({"v": 1, "body": said}).encode())
        await until(lambda: all(len(stage.engine.words()) == many for stage in found.stages.values()))
        assert len(compared) <= 10 * many
