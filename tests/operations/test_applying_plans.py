"""`apply` does what `plan` showed if it still is what would be done, whatever became of the world or of the file."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from types import NoneType

import pytest
from support.approving import limits
from support.sessions import AZURE6, QUICK, Desk, both_types
from support.stage import AZURE, OCI, policy, record, target

from failoverd.api.planned import attempt_told
from failoverd.cli.options import Exit
from failoverd.cli.plan_views import exit_code
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.incident import Incident
from failoverd.core.control.limits import Held
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.control.plan import InSync, PlanKind
from failoverd.core.control.state import key_of
from failoverd.core.errors import FailoverdError, Permanent
from failoverd.core.events import IncidentClosed
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.overrides import HAND
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import Answer, Maintenance, Marker, Policy, RampRules, RecordType
from failoverd.core.rules import Assertion, Rule
from failoverd.operations.planning import Attempt, PlannedChange
from failoverd.ports import ChangeOutcome
from failoverd.simulation.faults import Fault, Moment

BOTH = both_types()
ONE = policy(health=QUICK)
AT = target(ONE)
NORMAL = {"azure": 70.0, "oci": 30.0}


async def published(*policies: Policy) -> Desk:
    desk = Desk(*policies)
    await desk.settled()
    return desk


def reasons(attempts: list[Attempt]) -> list[str | None]:
    return [each.result.reason if isinstance(each.result, FailoverdError) else None for each in attempts]


def writes(desk: Desk) -> int:
    return len(desk.zonefile.writes)


# -- the types of one name ---------------------------------------------------------------------------------------------


async def test_both_types_of_a_name_leave_a_dead_region_with_one_plan() -> None:
    desk = await published(BOTH)
    assert (desk.shares(number=0), desk.shares(number=1), desk.generation()) == (NORMAL, NORMAL, 2)
    desk.fails(AZURE, AZURE6)
    attempts = await desk.apply(*await desk.planned())
    assert reasons(attempts) == [None, None]
    assert [attempt.plan.generation for attempt in attempts] == [3, 4]
    assert desk.shares(number=0) == desk.shares(number=1) == {"oci": 100.0}


async def test_of_a_name_nothing_is_written_when_one_of_its_types_is_refused() -> None:
    desk = await published(BOTH)
    desk.fails(AZURE, AZURE6)
    four, six = await desk.planned()
    desk.heals(AZURE6)
    written = writes(desk)
    attempts = await desk.apply(four, six)
    assert (reasons(attempts), writes(desk)) == (["name_refused", "plan_outdated"], written)
    assert all(attempt_told(attempt).summary.startswith("refused, nothing was changed: ") for attempt in attempts)


async def test_the_next_type_of_a_name_is_left_when_the_one_before_cannot_be_written() -> None:
    desk = await published(BOTH)
    desk.fails(AZURE, AZURE6)
    changes = await desk.planned()
    desk.dns.on_apply.append(Fault(error=Permanent("not allowed", reason="refused")))
    attempts = await desk.apply(*changes)
    assert reasons(attempts) == ["refused", "name_refused"]
    assert [attempt.sent for attempt in attempts] == [True, False]
    assert desk.shares(number=1) == NORMAL


async def test_a_limit_that_holds_one_type_of_a_name_does_not_keep_the_other_from_being_applied() -> None:
    """The plan that was agreed to said so."""
    desk = await published(both_types(limits=limits(max_changes=1)))

    def edit(ttl: int) -> None:
        desk.edit("api", records=tuple(replace(each, ttl=ttl) for each in BOTH.records))

    edit(60)
    four, _ = await desk.planned()
    assert reasons(await desk.apply(four)) == [None]
    edit(90)
    attempts = await desk.apply(*await desk.planned())
    assert [type(attempt.result) for attempt in attempts] == [Held, NoneType]
    assert exit_code([*map(attempt_told, attempts)]) is Exit.LIMITED


async def test_another_name_is_applied_whatever_becomes_of_the_first() -> None:
    web = policy("web", health=QUICK)
    desk = await published(ONE, web)
    desk.edit("api", records=(replace(ONE.records[0], ttl=60),))
    desk.edit("web", records=(replace(web.records[0], ttl=60),))
    first, second = await desk.planned()
    attempts = await desk.apply(replace(first, plan=replace(first.plan, revision="r0")), second)
    assert reasons(attempts) == ["policy_changed", None]


async def test_a_type_that_the_daemon_wrote_meanwhile_does_not_keep_the_other_from_being_applied() -> None:
    desk = await published(BOTH)
    desk.fails(AZURE, AZURE6)
    four, six = await desk.planned()
    assert reasons(await desk.apply(four)) == [None]
    attempts = await desk.apply(four, six)
    assert isinstance(attempts[0].result, InSync)
    assert attempts[1].result is None
    assert desk.shares(number=1) == {"oci": 100.0}


async def test_a_change_of_one_type_stands_although_the_other_was_written_before_it_was_read_back() -> None:
    desk = await published(BOTH)
    desk.fails(AZURE, AZURE6)
    four, _ = await desk.planned()
    sent, gate = asyncio.Event(), asyncio.Event()
    desk.dns.on_apply.append(Fault(Moment.AFTER, hold=gate))
    desk.dns.audit = lambda _, __: sent.set()
    applying = asyncio.create_task(desk.apply(four))
    await sent.wait()
    other = Desk(BOTH, journal=desk.journal, zonefile=desk.zonefile)
    other.fails(AZURE, AZURE6)
    assert reasons(await other.apply(*await other.planned())) == [None]
    gate.set()
    assert reasons(await applying) == [None]
    assert desk.generation() == 4


# -- a plan that grew old, or was edited -------------------------------------------------------------------------------


async def test_a_plan_to_a_region_that_died_since_is_refused_and_says_what_would_be_done_now() -> None:
    desk = await published(ONE)
    desk.edit("api", regions=tuple(replace(each, share=5_000) for each in ONE.regions))
    (change,) = await desk.planned()
    desk.fails(AZURE)
    written = writes(desk)
    (attempt,) = await desk.apply(change)
    assert (reasons([attempt]), writes(desk)) == (["plan_outdated"], written)
    told = attempt_told(attempt).summary
    assert "is no longer what would be done now" in told
    assert f"after would be {OCI}" in told
    assert "make the plan again" in told
    assert exit_code([attempt_told(attempt)]) is Exit.FAILED


def with_the_dead(change: PlannedChange) -> PlannedChange:
    """Everything in the file agrees with it."""
    answers = (Answer(AZURE, 7_000), Answer(OCI, 3_000))
    after = replace(change.plan.after, answers=answers)
    shares = {"azure": 7_000, "oci": 3_000}
    decision = replace(change.plan.decision, shares=shares, records=after)
    return replace(change, plan=replace(change.plan, after=after, shares_after=shares, decision=decision))


EDITS: dict[str, Callable[[PlannedChange], PlannedChange]] = {
    "the dead region added, with consistent shares": with_the_dead,
    "a region to be brought back that is down": lambda change: replace(change, returning=frozenset({"azure"})),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_whatever_was_written_into_a_plan_a_dead_region_gets_no_traffic(edit: str) -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    await desk.apply(EDITS[edit](change))
    assert desk.shares() in (NORMAL, {"oci": 100.0})
    if desk.shares() == NORMAL:
        assert reasons(await desk.apply(EDITS[edit](change))) == ["plan_outdated"]


async def test_reasons_are_made_anew_and_nothing_of_the_file_is_kept() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    decision = replace(change.plan.decision, reasons=(), at=0.0, id="dec-of-somebody")
    forged = replace(change, plan=replace(change.plan, id="chg-of-somebody", decision=decision))
    (attempt,) = await desk.apply(forged)
    assert attempt.result is None
    assert attempt.plan.id != "chg-of-somebody"
    assert {reason.code for reason in attempt.plan.decision.reasons} == {
        reason.code for reason in change.plan.decision.reasons
    }
    assert "chg-of-somebody" not in desk.journal.changes


async def test_a_region_that_no_policy_has_is_not_brought_back() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    assert reasons(await desk.apply(replace(change, returning=frozenset({"mars"})))) == ["region_unknown"]


async def test_a_plan_that_a_prober_who_sees_nothing_cannot_make_again_is_refused() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    desk.fails(OCI)
    (attempt,) = await desk.apply(change)
    assert reasons([attempt]) == ["plan_outdated"]
    assert "hold_all_down" in attempt_told(attempt).summary


async def test_a_plan_made_before_a_failback_hold_ended_is_refused_and_not_done_differently() -> None:
    desk = await published(policy(health=QUICK, failback_after=3_600.0))
    desk.fails(AZURE)
    await desk.settled()
    desk.heals(AZURE)
    desk.zonefile.put(AT, {"203.0.113.9": 1})
    (change,) = await desk.planned()
    assert change.plan.shares_after == {"oci": 10_000}
    desk.daemon = True
    state = desk.kept()
    long_well = RegionHealth("azure", RegionState.HEALTHY, 10_000, 0.0, 0.0, (AZURE,))
    await desk.journal.keep(replace(state, verdicts={RecordType.A: {"azure": long_well}}))
    assert reasons(await desk.apply(change)) == ["plan_outdated"]
    desk.daemon = False
    assert reasons(await desk.apply(change)) == [None]


# -- somebody was faster -----------------------------------------------------------------------------------------------


async def test_a_plan_that_stands_already_is_a_success_and_is_said_to_be_that() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    await desk.apply(change)
    probed, written = len(desk.world.looks), writes(desk)
    (attempt,) = await desk.apply(change)
    assert (attempt.result, exit_code([attempt_told(attempt)])) == (InSync(change.plan.target, 2), Exit.FINE)
    assert attempt_told(attempt).summary == (
        "stands there already, generation 2: another was faster, nothing was written"
    )
    assert (len(desk.world.looks), writes(desk)) == (probed, written)


async def test_who_loses_the_race_for_the_same_plan_is_told_that_it_stands() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    attempts = [found for (found,) in await asyncio.gather(desk.apply(change), desk.apply(change))]
    assert sorted(isinstance(attempt.result, InSync) for attempt in attempts) == [False, True]
    assert exit_code([*map(attempt_told, attempts)]) is Exit.FINE
    assert desk.generation() == 2


async def test_a_record_that_answers_the_same_for_another_owner_is_no_success() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    target = change.plan.target
    desk.zonefile.put(target, {OCI: 3_000})
    desk.zonefile.mark(target, "v=1 owner=staging policy=api gen=9 types=A")
    assert reasons(await desk.apply(change)) == ["record_changed"]


# -- what is asked first -----------------------------------------------------------------------------------------------


async def test_what_needs_no_verdict_is_told_without_probing() -> None:
    desk = await published(ONE)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    probed = len(desk.world.looks)
    desk.dns.down = Permanent("the key cannot be read", reason="key_unreadable")
    assert reasons(await desk.apply(change)) == ["key_unreadable"]
    (found,) = await desk.plan()
    assert (found.error is not None, len(desk.world.looks)) == (True, probed)


async def test_a_record_that_cannot_be_read_keeps_no_other_from_being_planned() -> None:
    web = policy("web", records=(record("web", "web.example.com", "dns-gone"),), health=QUICK)
    desk = await published(ONE)
    desk.policies["web"] = web
    found = {each.target.policy: each for each in await desk.plan()}
    assert found["web"].error is not None
    assert found["api"].error is None
    assert {look.endpoint.address for look in desk.world.looks} == {AZURE, OCI}


# -- what is known from before -----------------------------------------------------------------------------------------


async def test_what_a_daemon_learned_meanwhile_is_not_overwritten_by_what_was_read_before() -> None:
    desk = await published(ONE)
    desk.daemon = True
    desk.fails(AZURE)
    (change,) = await desk.planned()
    newer = replace(desk.kept().of(AT), common_fall={"azure": False})
    desk.dns.audit = lambda _, __: desk.journal.states.update({("api", key_of(AT)): newer})
    assert reasons(await desk.apply(change)) == [None]
    assert desk.kept().of(AT).common_fall == {"azure": False}


async def test_without_a_daemon_the_next_session_knows_which_revision_was_published() -> None:
    desk = await published(ONE)
    assert desk.kept().of(AT).revision == ONE.source.revision


CLIMBING = policy(health=QUICK, failback_after=300.0, limits=limits(), ramp=RampRules(judge=60.0))


async def brought_back(*, daemon: bool = False) -> Desk:
    """azure fell and is well again, and a person gave it the first step of its way back."""
    desk = await published(CLIMBING)
    desk.fails(AZURE)
    await desk.settled()
    desk.heals(AZURE)
    desk.daemon = daemon
    await desk.apply(*await desk.planned("azure"))
    assert desk.shares() == {"azure": 7.0, "oci": 93.0}
    return desk


async def passed(desk: Desk, seconds: float) -> None:
    """So much later: what was kept is as much older."""
    state = desk.kept()
    memory = state.of(AT)
    ramps = {
        name: replace(each, since=each.since - seconds if each.since is not None else None)
        for name, each in memory.ramps.items()
    }
    await desk.journal.keep(state.with_target(replace(memory, ramps=ramps)))


async def test_without_a_daemon_a_ramp_goes_on_from_where_the_last_plan_left_it() -> None:
    """Whoever plans judges the region by how it is now: nobody has watched it."""
    desk = await brought_back()
    assert await desk.planned() == []
    for has in (17.5, 35.0, 70.0):
        await passed(desk, 80.0)
        assert await desk.planned() == [], "a step lasts for 90 s"
        await passed(desk, 20.0)
        await desk.apply(*await desk.planned())
        assert desk.shares()["azure"] == has


async def test_without_a_daemon_no_step_is_planned_for_a_region_that_is_not_well() -> None:
    desk = await brought_back()
    await passed(desk, 3_600.0)
    desk.fails(AZURE)
    (change,) = await desk.planned()
    assert change.plan.shares_after == {"oci": 10_000}


async def test_what_is_said_to_be_next_without_a_daemon_stays_when_it_is_asked_again() -> None:
    desk = await brought_back()
    said = []
    for _ in range(2):
        (found,) = await desk.plan()
        assert found.outcome is not None
        (step,) = [each for each in found.outcome.reasons if each.code is ReasonCode.RAMP]
        said.append((step.numbers["step"], step.numbers["next"]))
        await asyncio.sleep(0)
    since = desk.kept().of(AT).ramps["azure"].since
    assert since is not None
    assert said == [(1.0, since + 90.0)] * 2


async def test_a_step_that_was_given_beside_a_daemon_is_gone_on_from() -> None:
    """The daemon remembers no ramp, and would have given the rest of it at once."""
    desk = await brought_back(daemon=True)
    assert desk.kept().of(AT).ramps == {}
    (found,) = await desk.plan()
    assert found.outcome is not None
    assert found.outcome.kind is OutcomeKind.IN_SYNC
    ramp = found.outcome.state.of(AT).ramps["azure"]
    assert (ramp.step, ramp.since is not None) == (1, True)


async def test_an_incident_is_not_ended_by_who_did_not_see_that_all_is_well() -> None:
    desk = await published(ONE)
    state = desk.kept()
    await desk.journal.keep(
        replace(
            state.with_target(replace(state.of(AT), kind=DecisionKind.NORMAL)),
            incident=Incident("inc-1", 0.0),
            calm=True,
        )
    )
    desk.edit("api", records=(replace(ONE.records[0], ttl=60),))
    assert reasons(await desk.apply(*await desk.planned())) == [None]
    assert not any(isinstance(event, IncidentClosed) for event in desk.events)
    assert desk.kept().incident is not None


# -- what a person did by hand -----------------------------------------------------------------------------------------


def changed_by_hand(desk: Desk) -> Marker:
    """A person ran a printed command: half of the traffic is in each region."""
    marker = desk.zonefile.observe(AT).marker
    assert marker is not None
    marker = replace(marker, generation=marker.generation + 1, by_hand=True)
    desk.zonefile.put(AT, {AZURE: 1, OCI: 1})
    desk.zonefile.mark(AT, marker.to_text())
    return marker


async def test_plan_shows_what_was_done_by_hand_as_pinned_and_nothing_to_do() -> None:
    desk = await published(ONE)
    changed_by_hand(desk)
    (found,) = await desk.plan()
    assert found.outcome is not None
    assert (found.outcome.kind, found.change) == (OutcomeKind.IN_SYNC, None)
    (reason,) = [reason for reason in found.outcome.reasons if reason.code is ReasonCode.PINNED]
    assert reason.shares == {"azure": 5000.0, "oci": 5000.0}
    assert " by hand: generation 2 was written with a command that failoverd printed" in reason.detail


async def test_apply_without_a_daemon_keeps_the_word_before_it_writes_and_a_daemon_finds_it() -> None:
    desk = await published(ONE)
    changed_by_hand(desk)
    desk.fails(AZURE)
    attempts = await desk.apply(*await desk.planned())
    assert reasons(attempts) == [None]
    assert desk.shares() == {"oci": 100.0}
    (word,) = desk.journal.spoken()
    assert (word.actor, dict(word.shares)) == (HAND, {"azure": 5000, "oci": 5000})
    marker = desk.zonefile.observe(AT).marker
    assert marker is not None
    assert (marker.by_hand, marker.overrides) == (False, (word.id,))
    told = [(entry.plan.kind, entry.outcome) for entry in desk.journal.changes.values()]
    assert (PlanKind.BY_HAND, ChangeOutcome.APPLIED) in told


async def test_apply_beside_a_daemon_that_has_not_heard_of_it_yet_leaves_it_to_the_daemon() -> None:
    desk = await published(ONE)
    changed_by_hand(desk)
    desk.fails(AZURE)
    changes = await desk.planned()
    desk.daemon = True
    written = writes(desk)
    attempts = await desk.apply(*changes)
    assert (reasons(attempts), writes(desk)) == (["by_hand_unheard"], written)
    assert attempt_told(attempts[0]).summary.startswith("refused, nothing was changed: ")
    assert desk.journal.spoken() == []


# -- what binds the daemon binds whoever is at the keyboard ------------------------------------------------------------


async def test_a_plan_that_breaks_a_rule_is_shown_as_held_and_not_applied() -> None:
    desk = await published(ONE)
    desk.rules = (Rule("both", Assertion(2, ("azure", "oci"))),)
    desk.fails(AZURE)
    (found,) = await desk.plan()
    assert found.outcome is not None
    assert found.outcome.held is not None
    assert [check.rule for check in found.outcome.held.blocking] == ["both"]
    assert found.change is not None
    (attempt,) = await desk.apply(found.change)
    assert isinstance(attempt.result, Held)
    assert desk.shares() == NORMAL


async def test_a_window_of_planned_work_that_is_open_is_planned_for_without_a_daemon() -> None:
    desk = await published(ONE)
    desk.edit("api", maintenance=(Maintenance("switches", 3_600.0, region="azure", begins=time.time() - 60),))
    assert reasons(await desk.apply(*await desk.planned())) == [None]
    assert desk.shares() == {"oci": 100.0}
