"""A residency is broken by its name, by two people, for four hours at most; then the guest is gone at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.stage import AZURE, OCI, Stage, normal, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.events import ChangeApplied, OverrideEnded, OverrideEnding
from failoverd.core.overrides import GUEST, WARNING, Scope, Verb
from failoverd.core.records import Limits, Ration, Source
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.judging import OverrideError, people_for
from failoverd.simulation.virtual_time import now

ALICE, BOB = "alice@bastion", "bob@laptop"
HOUR = 3_600.0
SPECS = regions(azure=(70, AZURE), oci=(30, OCI), aws=(0, "203.0.113.10"))
LAWS = {"azure": "EU", "oci": "EU", "aws": "US"}
EU = policy(regions=tuple(replace(spec, jurisdiction=LAWS[spec.name]) for spec in SPECS), residency=("EU",))
OPEN = policy("open")
RULE = "residency:api"
GUESTS = {"azure": 5_000, "aws": 5_000}


@asynccontextmanager
async def open_desk(*policies: object) -> AsyncIterator[tuple[Stage, Desk]]:
    async with playing(*(policies or (EU,))) as stage:  # type: ignore[arg-type]
        await normal(stage)
        yield stage, Desk(stage.engine, now, lambda _scope, _id: None, lambda names: people_for((), names))


def pin(seconds: float = GUEST, verb: Verb = Verb.PIN, about: str = "api", *rules: str) -> WordRequest:
    scope = Scope(policies=(about,)) if verb is Verb.PIN else Scope(regions=("aws",))
    return WordRequest(verb, scope, "the EU is out of GPUs", seconds, shares=GUESTS, breaks=rules or (RULE,))


async def refused(asking: object) -> OverrideError:
    with pytest.raises(OverrideError) as caught:
        await asking  # type: ignore[misc]
    return caught.value


@virtually
async def test_a_pin_to_a_region_outside_is_refused_by_the_name_of_the_residency() -> None:
    async with open_desk() as (_, spoken):
        error = await refused(spoken.give(replace(pin(), breaks=()), ALICE))
        assert error.reason == "rule_broken"
        assert f"--approve-with {RULE}" in error.remedy
        assert "aws (US) is outside of the residency" in str(error)


@virtually
async def test_a_guest_comes_by_two_people_is_told_at_half_time_and_leaves_at_once() -> None:
    async with open_desk() as (stage, spoken):
        given = await spoken.give(pin(HOUR), ALICE)
        assert given.word.needed == 2
        await asyncio.sleep(60.0)
        assert stage.shares(EU) == {"azure": 70, "oci": 30}
        await spoken.agree(given.word.id, "so am I", BOB)
        begins = now()
        ends = spoken.word(given.word.id).ends
        await until(stage.steers(EU, azure=50, aws=50))
        await until(lambda: bool(stage.told(OverrideEnding)), within=GUEST)
        assert now() == pytest.approx((begins + ends) / 2, abs=1)
        await until(lambda: len(stage.told(OverrideEnding)) == 2, within=GUEST)
        assert now() == pytest.approx(ends - WARNING, abs=1)
        await until(lambda: bool(stage.told(OverrideEnded)), within=GUEST)
        await until(lambda: "aws" not in stage.shares(EU))
        assert now() <= ends + 1
        await until(lambda: stage.told(ChangeApplied)[-1].cause == "evicted")


@virtually
async def test_at_its_end_no_rate_keeps_the_guest() -> None:
    slow = Limits(tuning=Ration(max_shift=10_000, max_changes=2), returning=Ration(max_shift=0, max_changes=0))
    async with open_desk(replace(EU, limits=slow)) as (stage, spoken):
        given = await spoken.give(pin(HOUR), ALICE)
        await spoken.agree(given.word.id, "so am I", BOB)
        await until(stage.steers(EU, azure=50, aws=50))
        await spoken.release(given.word.id, "enough", BOB)
        await until(lambda: "aws" not in stage.shares(EU))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (pin(GUEST + 1), "for 4h at most"),
        (pin(HOUR, Verb.DRAIN), "a pin does"),
        (pin(HOUR, Verb.PIN, "api", "residency:open"), "is about api"),
        (pin(HOUR, Verb.PIN, "open", "residency:open"), "has no residency"),
        (pin(HOUR, Verb.PIN, "api", "two-clouds"), "there is no rule"),
    ],
    ids=["too long", "no pin", "another policy's", "no residency", "a rule that is not there"],
)
@virtually
async def test_what_breaks_no_residency_is_refused(asked: WordRequest, why: str) -> None:
    async with open_desk(EU, OPEN) as (_, spoken):
        error = await refused(spoken.give(asked, ALICE))
        assert why in str(error)
        assert error.reason == "override_invalid"


@virtually
async def test_it_is_not_extended_beyond_four_hours() -> None:
    async with open_desk() as (_, spoken):
        given = await spoken.give(pin(HOUR), ALICE)
        await spoken.agree(given.word.id, "so am I", BOB)
        await asyncio.sleep(HOUR / 2)
        error = await refused(spoken.extend(given.word.id, GUEST, "longer", ALICE))
        assert "4h at most" in str(error)
        await spoken.extend(given.word.id, 2 * HOUR, "longer", ALICE)


@virtually
async def test_a_hold_keeps_no_region_that_moved_out_of_the_residency() -> None:
    both = replace(EU, regions=tuple(replace(spec, jurisdiction="EU") for spec in EU.regions))
    async with open_desk(both) as (stage, spoken):
        await spoken.give(WordRequest(Verb.HOLD, Scope(policies=("api",)), "nobody touches it", HOUR), ALICE)
        moved = {**LAWS, "oci": "US"}
        after = replace(
            both,
            regions=tuple(replace(spec, jurisdiction=moved[spec.name]) for spec in both.regions),
            source=Source("policies/api.yaml", "r2"),
        )
        await stage.take_up(after)
        await until(lambda: stage.shares(EU) == {"azure": 100})
