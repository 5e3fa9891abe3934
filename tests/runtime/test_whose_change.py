"""What is told of a change that moves by an operator's word: whose word it was."""

import pytest
from support.stage import API, AZURE, Stage, normal, playing
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied
from failoverd.core.overrides import Scope, Verb
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.simulation.virtual_time import elapse, now

ALICE = "alice@console"
OF_AZURE = Scope(regions=("azure",))
OF_API = Scope(policies=("api",))


def desk_of(stage: Stage) -> Desk:
    return Desk(stage.engine, now, lambda *_: None)


WORDS: dict[str, WordRequest] = {
    "drain": WordRequest(Verb.DRAIN, OF_AZURE, "maintenance", 3_600.0),
    "drain of an endpoint": WordRequest(Verb.DRAIN, Scope(endpoints=(AZURE,)), "maintenance", 3_600.0),
    "shed": WordRequest(Verb.SHED, OF_AZURE, "too hot", 3_600.0, part=2_500),
    "pin": WordRequest(Verb.PIN, OF_API, "half and half", 3_600.0, shares={"azure": 5_000, "oci": 5_000}),
    "down": WordRequest(Verb.DOWN, Scope(endpoints=(AZURE,)), "it lies", 3_600.0),
    "hold": WordRequest(Verb.HOLD, OF_API, "looking", 3_600.0),
}


@pytest.mark.parametrize("name", WORDS)
@virtually
async def test_a_change_names_the_word_by_which_it_moves_and_who_gave_it(name: str) -> None:
    async with playing(API) as stage:
        await normal(stage)
        given = await desk_of(stage).give(WORDS[name], ALICE)
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        applied = stage.told(ChangeApplied)[-1]
        assert applied.overrides == (given.word.id,)
        assert applied.actor == f"failoverd for {ALICE} ({given.word.id})"
        moved = applied.answers_from != applied.answers_to
        assert applied.undo == (f"failoverctl release {given.word.id}" if moved else "")


@virtually
async def test_an_endpoint_that_is_drained_says_why_it_gets_nothing() -> None:
    async with playing(API) as stage:
        await normal(stage)
        given = await desk_of(stage).give(WORDS["drain of an endpoint"], ALICE)
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        details = [reason.detail for reason in stage.told(ChangeApplied)[-1].reasons]
        assert f"{given.word.id} by {ALICE}: maintenance" in details


@virtually
async def test_a_change_beside_a_word_is_nobodys_but_the_policys() -> None:
    async with playing(API) as stage:
        await normal(stage)
        await desk_of(stage).give(WordRequest(Verb.SHED, OF_AZURE, "too hot", 3_600.0, part=2_500), ALICE)
        await until(lambda: len(stage.told(ChangeApplied)) == 2)
        await elapse(120.0)
        told = len(stage.told(ChangeApplied))
        stage.fails("198.51.100.10")
        await until(lambda: len(stage.told(ChangeApplied)) > told)
        assert (stage.told(ChangeApplied)[-1].actor, stage.told(ChangeApplied)[-1].overrides) == ("failoverd", ())
