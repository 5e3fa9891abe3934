"""A time that is over, by another file: what would have been answered instead, and what that comes to."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from support.approving import limits
from support.replaying import one_evening, through_the_journal
from support.stage import API, AT, AZURE, NORMAL, OCI, normal, playing, policy, regions
from support.virtual import until

from failoverd.core.control.inputs import Decided
from failoverd.core.records import Check, Policy, RampRules, RecordSet
from failoverd.simulation.hindsight import Hindsight, lived_again
from failoverd.simulation.virtual_time import elapse, run

MINUTE = 60.0
OUT, BACK = {"oci": 10_000}, {"azure": 7_000, "oci": 3_000}


def played(scenario: Callable[[], Coroutine[Any, Any, list[Decided]]]) -> list[Decided]:
    return through_the_journal(run(scenario()))


def seen(policy: Policy, decisions: list[Decided], *, since: float = 0.0, more: float = 600.0) -> Hindsight:
    return lived_again(policy, AT, decisions, since, decisions[-1].inputs.now + more)


@pytest.fixture(scope="module")
def evening() -> list[Decided]:
    return played(one_evening)


async def _twice() -> list[Decided]:
    """A region falls for a minute, twice; somebody edits the record in between."""
    async with playing(API) as stage:
        await normal(stage)
        for _ in range(2):
            stage.fails(AZURE)
            await elapse(MINUTE)
            stage.heals(AZURE)
            await until(stage.steers(API, **NORMAL))
            await elapse(2 * MINUTE)
            stage.zonefile.records["example.com", AT.key] = RecordSet.of(AT.key, 30, {OCI: 1})
            await elapse(MINUTE)
        await stage.stop()
        return stage.journal.decisions


def test_the_same_file_does_the_same(evening: list[Decided]) -> None:
    found = seen(API, evening)
    assert (found.apart_at, found.turns, found.inexact) == (None, (), ())
    assert found.then == found.instead
    assert found.then.changes == 3  # made, left, and back
    assert found.decisions == len(evening)


def test_the_same_file_does_the_same_whatever_part_of_the_time_is_looked_at() -> None:
    decisions = played(_twice)
    assert seen(API, decisions).apart_at is None
    for number in range(1, len(decisions)):
        since = decisions[number].inputs.now
        found = seen(API, decisions[max(0, number - 1) :], since=since + 1e-6)
        assert found.apart_at is None, f"from {since} on"
        assert found.then == found.instead, f"from {since} on"


def test_a_longer_hold_comes_back_later(evening: list[Decided]) -> None:
    patient = replace(API, failback_after=300.0)
    found = seen(patient, evening)
    apart, together = found.turns
    assert found.apart_at == apart.at
    assert (apart.then, apart.instead) == (BACK, OUT)
    assert together.alike
    assert together.at - apart.at == pytest.approx(240.0, abs=6.0)
    assert (found.then.changes, found.instead.changes) == (3, 3)


def test_a_shorter_hold_comes_back_sooner_in_between_two_decisions(evening: list[Decided]) -> None:
    found = seen(replace(API, failback_after=10.0), evening)
    apart, together = found.turns
    assert (apart.then, apart.instead, together.alike) == (OUT, BACK, True)
    assert together.at - apart.at == pytest.approx(50.0, abs=6.0)


def test_a_ramp_that_was_not_there_is_climbed(evening: list[Decided]) -> None:
    steps = RampRules(steps=(1_000, 5_000, 10_000), judge=10.0)
    found = seen(replace(API, ramp=steps), evening)
    assert [each.instead.get("azure", 0) for each in found.turns] == [700, 3_500, 7_000]
    assert found.instead.changes == found.then.changes + 2


def test_a_region_that_may_not_be_left_costs_the_clients_that_stay_there(evening: list[Decided]) -> None:
    stays = replace(API, limits=limits(max_changes=50, min_regions=2))
    found = seen(stays, evening)
    assert (found.then.changes, found.instead.changes) == (3, 1)
    assert found.then.dead_minutes < 0.1
    assert found.instead.dead_minutes > found.then.dead_minutes + 0.3
    assert 0.5 < found.instead.dead_client_minutes / found.instead.dead_minutes < 0.7, "of all clients, 70% come there"
    assert found.turns[0].by_file.limits


def test_who_was_well_again_within_minutes_was_left_by_a_false_move() -> None:
    found = seen(API, played(_twice))
    assert found.then.false_moves == 2
    slow = seen(replace(API, failback_after=None), played(_twice))
    assert slow.instead.false_moves == 1, "it stays out until a person brings it back"


def test_what_cannot_be_known_is_said(evening: list[Decided]) -> None:
    strange = replace(
        API,
        regions=regions(azure=(70, AZURE), oci=(30, f"{OCI} 198.51.100.99")),
        checks=(Check("live", "https", 1.0, 1.0),),
    )
    said = " ".join(seen(strange, evening).inexact)
    assert "verdicts are those of then" in said
    assert "198.51.100.99" in said


def test_who_shares_regions_gets_what_others_leave_to_the_other_file() -> None:
    """Two of a kind want 600 each of a region that carries 1,000; one of them would have been more important."""

    def of(name: str, address: str, spill: str) -> Policy:
        shared = regions(azure=(100, address), aws=(0, spill))
        specs = tuple(replace(each, capacity=1_000.0, headroom=10_000) for each in shared)
        return policy(name, regions=specs, demand=600.0)

    one, two = of("one", "192.0.2.20", "203.0.113.20"), of("two", "192.0.2.21", "203.0.113.21")

    async def evening() -> list[Decided]:
        async with playing(one, two) as stage:
            await elapse(2 * MINUTE)
            await stage.stop()
            return stage.journal.decisions

    decisions = played(evening)
    mine, others = ([each for each in decisions if each.policy.name == name] for name in ("one", "two"))
    assert mine[-1].came.after == {"azure": 8_333, "aws": 1_667}
    target, ends = one.targets[0], mine[-1].inputs.now + MINUTE
    same = lived_again(one, target, mine, 0.0, ends, lambda: others)
    assert same.apart_at is None
    first = lived_again(replace(one, tier=100), target, mine, 0.0, ends, lambda: others)
    assert first.turns[-1].instead == {"azure": 10_000}
    assert "other policies keep to what they decided then" in first.inexact[0]


def test_a_record_that_the_file_does_not_have_cannot_be_lived_through(evening: list[Decided]) -> None:
    with pytest.raises(LookupError):
        lived_again(replace(API, records=()), AT, evening, 0.0, 1e9)
