"""What nobody needs any more goes out of the members' common memory: after a day, by the leader, and for good."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from support.coordinating import LEADER, REFUSED, PaperQuorum
from support.stage import API
from support.trio import LEASE, NAMES, drain, settled, trio
from support.virtual import until, virtually

from failoverd import codec
from failoverd.core.control.state import TargetMemory, key_of
from failoverd.core.overrides import KNOWN, Override
from failoverd.runtime.members.leading import Leading
from failoverd.runtime.members.tidying import EVERY, UNNEEDED, Needs, Tidying
from failoverd.simulation.virtual_time import elapse, now


@dataclass
class Tidied:
    """A common memory, who leads, and which policies members have."""

    quorum: PaperQuorum = field(default_factory=lambda: PaperQuorum(LEASE))
    had: set[str] | None = field(default_factory=set)
    targets: dict[str, set[str]] = field(default_factory=dict)
    members: set[str] = field(default_factory=lambda: {"azure-1", "oci-1"})
    leads: bool = True

    def __post_init__(self) -> None:
        self.way = self.quorum.member("azure-1")
        self.quorum.put(LEADER, b"azure-1")
        self.tidying = Tidying(self.way, self, self.versions, self.needs, now)

    def versions(self) -> dict[str, int]:
        return {key: each.changed for key, each in self.quorum.kept.items() if key != LEADER}

    def needs(self) -> Needs:
        return Needs(self.had, self.members, self.targets)

    @property
    def epoch_in_coordinator(self) -> int:
        return self.quorum.epoch

    def remember(self, key: str, body: str = "{}") -> None:
        self.quorum.put(f"shared/{key}", f'{{"v":1,"body":{body}}}'.encode())

    def say(self, word: Override) -> None:
        self.remember(f"words/{word.id}", codec.dump(word))

    @property
    def stands(self) -> set[str]:
        return {key.removeprefix("shared/") for key in self.quorum.kept} - {LEADER}

    async def pass_by(self, seconds: float) -> None:
        """A look each `EVERY` seconds, for so long."""
        until = now() + seconds
        while now() < until:
            await elapse(EVERY)
            await self.tidying.look()


STATES = {"states/api/", "states/api/dns-main example.com api.example.com A", "states/web/"}


def remembering(*, had: Iterable[str] | None = (), leads: bool = True) -> Tidied:
    """With the states of two policies."""
    found = Tidied(had=set(had) if had is not None else None, leads=leads)
    for key in STATES:
        found.remember(key)
    return found


@virtually
async def test_the_state_of_a_policy_goes_once_no_member_has_had_it_for_a_day() -> None:
    found = remembering(had={"api", "web"})
    await found.pass_by(2 * UNNEEDED)
    assert found.stands == STATES
    found.had = {"web"}
    await found.pass_by(UNNEEDED - EVERY)
    assert found.stands == STATES
    await found.pass_by(3 * EVERY)
    assert found.stands == {"states/web/"}


@virtually
async def test_who_has_it_again_meanwhile_keeps_it() -> None:
    """A member was started with older files, or it was renamed back."""
    found = remembering(had={"web"})
    await found.pass_by(UNNEEDED / 2)
    found.had = {"web", "api"}
    await found.pass_by(EVERY)
    found.had = {"web"}
    await found.pass_by(UNNEEDED - EVERY)
    assert found.stands == STATES


@virtually
async def test_while_a_file_says_no_policy_nothing_goes() -> None:
    found = remembering(had=None)
    await found.pass_by(2 * UNNEEDED)
    assert found.stands == STATES


@virtually
async def test_a_follower_knows_since_when_and_takes_nothing_away_before_it_leads() -> None:
    found = remembering(leads=False)
    await found.pass_by(2 * UNNEEDED)
    assert found.stands == STATES
    found.leads = True
    await found.pass_by(EVERY)
    assert not found.stands


@virtually
async def test_who_does_not_lead_any_more_and_does_not_know_takes_nothing_away() -> None:
    found = Tidied()
    for key in STATES:
        found.remember(key)
    tidied = Tidying(found.way, Stale(), found.versions, found.needs, now)  # in an epoch that is over
    for _ in range(30):
        await elapse(EVERY)
        await tidied.look()
    assert found.stands == STATES


@dataclass
class Stale:
    leads: bool = True
    epoch_in_coordinator: int = 1


@virtually
async def test_the_state_of_a_target_goes_a_day_after_it_went_out_of_the_file_of_its_policy() -> None:
    """Of a policy that only another member has nobody knows here which targets it has."""
    found = Tidied(had={"api", "web"}, targets={"api": {"dns-main example.com api.example.com A"}})
    kept = {*STATES, "states/web/dns-main example.com www.example.com A"}
    for key in (*kept, "states/api/dns-main example.com old.example.com A"):
        found.remember(key)
    await found.pass_by(UNNEEDED - EVERY)
    assert found.stands > kept
    await found.pass_by(3 * EVERY)
    assert found.stands == kept


@virtually
async def test_what_a_member_told_goes_once_it_has_been_none_for_a_day() -> None:
    found = Tidied(members={"azure-1", "oci-1", "aws-1"})
    of_all = {"installation-wide/thing", "notices/leader"}
    told = {f"{each}/{name}" for name in found.members for each in ("heard", "notices/handed", "notices/own")}
    told |= {f"events/{name}/{number}" for name in found.members for number in (0, 255)}
    for key in of_all | told:
        found.remember(key)
    await found.pass_by(2 * UNNEEDED)
    assert found.stands == of_all | told
    found.members.remove("aws-1")
    await found.pass_by(UNNEEDED + 2 * EVERY)
    assert found.stands == of_all | {key for key in told if "aws-1" not in key}


@virtually
async def test_a_target_that_was_taken_away_is_told_again_by_nobody() -> None:
    async with trio() as found:
        await settled(found)
        (target,) = API.targets
        gone = replace(target, key=replace(target.key, name="old.example.com"))
        for stage in found.stages.values():
            stage.states.put(stage.states.of("api").with_target(TargetMemory(gone)))
        await found.leader.states.keep("api")
        key = f"shared/states/api/{key_of(gone)}"
        assert key in found.quorum.kept
        await elapse(5.0)
        written = found.states_written()
        found.quorum.delete(key)  # as the leader does after a day
        await elapse(3 * LEASE)
        assert found.states_written() == {name: each for name, each in written.items() if name != key}
        await found.leader.kill()
        await until(lambda: found.leaders)
        await elapse(3 * LEASE)
        assert key not in found.quorum.kept


@virtually
async def test_a_word_goes_a_day_after_no_marker_can_name_it() -> None:
    found = Tidied()
    word = drain("azure")
    found.say(word)
    found.say(replace(word, id="drain-2", until=word.until + 2 * UNNEEDED))
    await elapse(word.until - now() + KNOWN + UNNEEDED - EVERY)
    await found.tidying.look()
    assert found.stands == {"words/drain-1", "words/drain-2"}
    await found.pass_by(2 * EVERY)
    assert found.stands == {"words/drain-2"}


@virtually
async def test_what_cannot_be_read_stays() -> None:
    found = Tidied()
    found.remember("words/drain-1", '{"id":"drain-1"}')
    found.quorum.put("shared/words/drain-2", b'{"v":2,"said":"otherwise"}')
    await found.pass_by(2 * UNNEEDED)
    assert found.stands == {"words/drain-1", "words/drain-2"}


@virtually
async def test_a_coordinator_that_does_not_answer_ends_nothing() -> None:
    found = Tidied()
    found.remember("states/api/")
    await found.pass_by(UNNEEDED / 2)
    found.way.cut(REFUSED)
    running = asyncio.create_task(found.tidying.run())
    await elapse(4 * EVERY)
    assert not running.done()
    found.way.mend()
    await elapse(UNNEEDED)
    assert not found.stands
    running.cancel()


@virtually
async def test_what_the_leader_takes_away_is_told_again_by_nobody() -> None:
    async with trio() as found:
        await settled(found)
        word = drain("azure")
        old = replace(word, id="drain-0", since=now() - 2 * KNOWN, until=now() - KNOWN - UNNEEDED - 60.0)
        for stage in found.stages.values():
            stage.engine.overrides.heed(old)  # as of a journal that was away for long
        found.quorum.put("shared/words/drain-0", f'{{"v":1,"body":{codec.dump(old)}}}'.encode())
        state = codec.dump(found.leader.states.of("api")).replace('"policy":"api"', '"policy":"gone"')
        found.quorum.put("shared/states/gone/", f'{{"v":1,"body":{state}}}'.encode())
        await elapse(5.0)
        (name,), stood = found.leaders, set(found.quorum.kept)
        leading = found.leader.engine.member.lead
        assert isinstance(leading, Leading)
        await Tidying(found.ways[name], leading, dict, lambda: Needs({"api"}, NAMES), now).look()
        assert "shared/words/drain-0" not in found.quorum.kept
        found.quorum.delete("shared/states/gone/")  # as the leader does after a day
        await elapse(3 * LEASE)
        assert found.quorum.kept.keys() == stood - {"shared/words/drain-0", "shared/states/gone/"}
