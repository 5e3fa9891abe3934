"""Taking a record over, and giving it back, while somebody else writes: what counts is whose it is in the end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from support.sessions import AZURE6, OCI6, QUICK, Desk, both_types
from support.stage import AZURE, OCI, policy, target

from failoverd.cli.plan_views import owned
from failoverd.core.control.outcome import Outcome
from failoverd.core.control.ownership import disowned
from failoverd.core.control.plan import InSync, Plan, Signature
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import FailoverdError, Fenced
from failoverd.core.records import Policy
from failoverd.operations.owning import Owned, adopt_record, disown_record
from failoverd.simulation.faults import Fault, Moment

ONE, BOTH = policy(health=QUICK), both_types()
AT = target(ONE)
NAME = AT.key.name


def found(of: Policy = ONE) -> Desk:
    """A record that somebody made by hand."""
    desk = Desk(of)
    desk.zonefile.put(AT, {AZURE: 1, OCI: 1})
    return desk


async def adopt(desk: Desk) -> list[Owned]:
    return await adopt_record(desk.session(), desk.policies["api"], NAME)


async def disown(desk: Desk) -> list[Owned]:
    return await disown_record(desk.session(), "api", NAME)


async def test_a_daemon_that_steers_the_record_as_soon_as_it_is_adopted_is_no_failure() -> None:
    desk = found()
    written, gate = asyncio.Event(), asyncio.Event()
    desk.dns.on_apply.append(Fault(Moment.AFTER, hold=gate))
    desk.dns.audit = lambda _, __: written.set()
    adopting = asyncio.create_task(adopt(desk))
    await written.wait()
    daemon = Desk(ONE, journal=desk.journal, zonefile=desk.zonefile)
    await daemon.settled()
    gate.set()
    (done,) = await adopting
    assert isinstance(done.result, Plan)
    assert owned(done).startswith("adopted, generation 1; ")
    assert owned(done).endswith("generation 2 of prod/api had replaced it when it was read back")


async def test_who_adopts_second_finds_it_owned() -> None:
    desk = found()
    done = [each for (each,) in await asyncio.gather(adopt(desk), adopt(desk))]
    assert sorted(isinstance(each.result, InSync) for each in done) == [False, True]
    assert desk.generation() == 1


async def test_an_edit_between_reading_and_adopting_is_read_again() -> None:
    desk = found()
    desk.dns.on_apply.append(Fault(error=Fenced("somebody edited it", reason="prerequisite_failed")))
    (done,) = await adopt(desk)
    assert owned(done).startswith("adopted, generation 1; ")


async def test_a_provider_that_fences_for_ever_is_not_asked_for_ever() -> None:
    desk = found()
    desk.dns.readonly = Fenced("it says so", reason="prerequisite_failed")
    (done,) = await adopt(desk)
    assert owned(done).startswith("failed: it says so (prerequisite_failed)")


async def test_who_gives_it_back_second_finds_it_given_back() -> None:
    desk = found()
    await adopt(desk)
    done = [each for (each,) in await asyncio.gather(disown(desk), disown(desk))]
    assert sorted(isinstance(each.result, InSync) for each in done) == [False, True]
    (again,) = await disown(desk)
    assert owned(again) == "was given back already: no marker speaks of it"
    assert desk.generation() == 0


async def test_a_type_of_a_name_that_was_given_back_is_given_back_although_the_other_has_a_marker() -> None:
    desk = found(BOTH)
    desk.zonefile.put(target(BOTH, 1), {AZURE6: 1, OCI6: 1})
    await adopt(desk)
    assert [each.result.__class__ for each in await adopt(desk)] == [InSync, InSync]
    assert [each.result.__class__ for each in await disown(desk)] == [Plan, Plan]


@pytest.mark.parametrize("verb", [adopt, disown])
async def test_what_belongs_to_somebody_else_is_still_refused(verb: Callable[[Desk], Awaitable[list[Owned]]]) -> None:
    desk = found()
    desk.zonefile.mark(AT, "v=1 owner=staging policy=api gen=3 types=A")
    (done,) = await verb(desk)
    assert isinstance(done.result, FailoverdError)
    assert done.result.reason == "other_owner"


@pytest.mark.parametrize("verb", [adopt, disown])
async def test_what_a_newer_leader_wrote_is_that_ones_to_move(
    verb: Callable[[Desk], Awaitable[list[Owned]]],
) -> None:
    desk = found()
    desk.zonefile.mark(AT, "v=1 owner=prod policy=another gen=3 epoch=8 types=A")
    (done,) = await verb(desk)
    assert isinstance(done.result, FailoverdError)
    assert done.result.reason == "newer_leader"
    assert "this daemon knows of no leader" in done.result.remedy


async def test_what_a_person_writes_is_written_in_the_name_of_the_daemon_whose_journal_it_is() -> None:
    """So it is no rival of that daemon, however the two take turns."""
    desk = found()
    desk.journal.belongs = "0000aaaa"
    await adopt(desk)
    marker = desk.zonefile.observe(AT).marker
    assert marker is not None
    assert marker.instance == "0000aaaa"
    (change,) = await desk.planned()
    await desk.apply(change)
    marker = desk.zonefile.observe(AT).marker
    assert marker is not None
    assert (marker.instance, marker.generation) == ("0000aaaa", 2)


async def test_what_a_marker_says_of_operators_words_outlives_who_takes_a_type_and_gives_it_back() -> None:
    desk = Desk(BOTH)
    for number, answers in enumerate(({AZURE: 1, OCI: 1}, {AZURE6: 1, OCI6: 1})):
        desk.zonefile.put(target(BOTH, number), answers)
    await adopt_record(desk.session(), BOTH, NAME)
    seen = desk.zonefile.observe(target(BOTH)).marker
    assert seen is not None
    said = replace(seen, overrides=("drain-12345678",), until=2_000_000_000)
    signed = Signature("prod", "0000aaaa")
    observed = replace(desk.zonefile.observe(target(BOTH)), marker=said, marker_text=said.to_text())
    given = disowned(BOTH, PolicyState("api"), observed, signed, "alice@desk", 1.0)
    assert isinstance(given, Outcome)
    assert given.plan is not None
    assert given.plan.marker.overrides == ("drain-12345678",)
    assert given.plan.marker.instance == "0000aaaa"
