"""The difference between what is published and what is wanted, and every reason to keep the hands off."""

import re
from dataclasses import replace

import pytest
from support.scenes import (
    KEY,
    NOW,
    OWNER,
    PAIR,
    TARGET,
    compared,
    decision,
    observed,
    past,
    plan_between,
    published,
    records,
    wanted,
)

from failoverd.codec import dump, load
from failoverd.core.control.decision import Decision
from failoverd.core.control.limits import PastChange
from failoverd.core.control.ownership import adopt, disown
from failoverd.core.control.plan import (
    InSync,
    LastGood,
    Plan,
    PlanKind,
    RefusalReason,
    Refused,
    Signature,
    drifted,
    refusal,
)
from failoverd.core.records import ELSEWHERE, WHOLE, Marker, Observed, RecordSet, RecordType

NORMAL = published(PAIR, {"azure": 70, "oci": 30})
MOVED = published(PAIR, {"oci": 100})
STRANGER = records({"203.0.113.99": 1})


def verified(found: RecordSet = NORMAL, generation: int = 7) -> LastGood:
    return LastGood(found, generation, found.shares(PAIR.region_of(KEY.type)), NOW - 60)


def changed(seen: Observed, desired: RecordSet = MOVED, last_good: LastGood | None = None) -> Plan:
    plan = compared(PAIR, seen, desired, last_good=last_good)
    assert isinstance(plan, Plan)
    return plan


def taken_over(seen: Observed, last_good: LastGood | None = None, *, epoch: int = 0) -> Plan | InSync | Refused:
    region_of, signed = PAIR.region_of(KEY.type), Signature(OWNER, epoch=epoch)
    found = decision({}, seen.records)
    return adopt(seen, found, plan_id="chg-1", signed=signed, region_of=region_of, revision="r1", last_good=last_good)


# -- the three answers -------------------------------------------------------------------------------------------------


def test_equal_is_in_sync() -> None:
    assert compared(PAIR, observed(NORMAL), NORMAL) == InSync(TARGET, 7)


def test_a_difference_is_a_plan_with_the_next_generation() -> None:
    plan = changed(observed(NORMAL))
    assert plan.kind is PlanKind.CHANGE
    assert (plan.before, plan.after) == (observed(NORMAL), MOVED)
    assert plan.marker == Marker(OWNER, TARGET.policy, 8, (RecordType.A,))
    assert plan.generation == 8
    assert plan.shares_before == {"azure": 7_000, "oci": 3_000}
    assert plan.shares_after == {"oci": WHOLE}
    assert plan.revision == "r1"
    assert re.fullmatch(r"chg-\d{8}t\d{6}-[0-9a-f]{6}", plan.id)


def test_another_ttl_is_a_difference_too() -> None:
    other = RecordSet(KEY, 60, NORMAL.answers)
    assert changed(observed(NORMAL), other).shares_after == {"azure": 7_000, "oci": 3_000}


REFUSALS = [
    (observed(NORMAL, generation=None), RefusalReason.NO_MARKER, "failoverctl adopt inference-api api.example.com"),
    (
        observed(NORMAL, types=(RecordType.AAAA,)),
        RefusalReason.NO_MARKER,
        "failoverctl adopt inference-api api.example.com",
    ),
    (observed(NORMAL, owner="staging"), RefusalReason.OTHER_OWNER, "let that owner give the name up first"),
    (observed(None, owner="staging"), RefusalReason.OTHER_OWNER, "correct `owner`"),
    (observed(NORMAL, by="old-name"), RefusalReason.OTHER_POLICY, "failoverctl adopt inference-api api.example.com"),
    (observed(NORMAL, generation=None, text="heritage=x"), RefusalReason.FOREIGN_MARKER, "find out who wrote it"),
    (observed(None, generation=None, text=""), RefusalReason.FOREIGN_MARKER, "find out who wrote it"),
    (observed(NORMAL, foreign=("CNAME",)), RefusalReason.FOREIGN_TYPE, "remove the other record"),
    (observed(None, generation=None, foreign=("CNAME",)), RefusalReason.FOREIGN_TYPE, "remove the other record"),
]


@pytest.mark.parametrize(("seen", "reason", "remedy"), REFUSALS)
def test_what_is_not_ours_is_refused_with_a_remedy(seen: Observed, reason: RefusalReason, remedy: str) -> None:
    refused = compared(PAIR, seen, MOVED)
    assert isinstance(refused, Refused)
    assert refused == refusal(seen, OWNER)
    assert refused.reason is reason
    assert remedy in refused.remedy
    assert KEY.name in refused.detail


def test_a_refusal_wins_over_being_in_sync() -> None:
    assert isinstance(compared(PAIR, observed(NORMAL, generation=None), NORMAL), Refused)


def test_what_answers_in_a_way_of_its_own_is_told_as_such_with_the_remedy_of_its_provider() -> None:
    seen = replace(observed(None, foreign=("A (with a health check)",)), cure="take the health check off it")
    refused = refusal(seen, OWNER)
    assert refused is not None
    assert "answers with A (with a health check)" in refused.detail
    assert "stand beside" not in refused.detail
    assert refused.remedy == "take the health check off it"


def test_a_foreign_marker_is_quoted_and_cut_short() -> None:
    refused = refusal(observed(None, generation=None, text="x" * 5_000), OWNER)
    assert refused is not None
    assert len(refused.detail) < 300


# -- generations -------------------------------------------------------------------------------------------------------


def test_a_deleted_marker_does_not_turn_time_back() -> None:
    plan = changed(observed(None, generation=None), NORMAL, verified(generation=41))
    assert plan.generation == 42


def test_a_marker_older_than_what_was_verified_is_refused_as_stale() -> None:
    for desired in (NORMAL, MOVED):
        refused = compared(PAIR, observed(NORMAL, generation=6), desired, last_good=verified(generation=7))
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.STALE_MARKER
        assert "generation 6" in refused.detail
        assert "generation 7" in refused.detail


def test_a_newer_marker_than_what_was_verified_is_taken_as_it_is() -> None:
    assert changed(observed(NORMAL, generation=9), MOVED, verified(generation=7)).generation == 10


def test_the_other_type_of_the_name_stays_owned() -> None:
    plan = changed(observed(NORMAL, types=(RecordType.AAAA, RecordType.A)))
    assert plan.marker.types == (RecordType.A, RecordType.AAAA)


# -- kinds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "last_good", "kind"),
    [
        (observed(None, generation=None), None, PlanKind.CREATE),
        (observed(None, types=(RecordType.AAAA,)), None, PlanKind.CREATE),  # only the other type exists so far
        (observed(None, generation=None), verified(), PlanKind.RESTORE),
        (observed(None), None, PlanKind.RESTORE),
        (observed(None), verified(), PlanKind.RESTORE),
        (observed(STRANGER), verified(), PlanKind.RESTORE),
        (observed(NORMAL), verified(), PlanKind.CHANGE),
        (observed(NORMAL), None, PlanKind.CHANGE),
        (observed(STRANGER, generation=8), verified(), PlanKind.CHANGE),  # another writer of ours was here
    ],
)
def test_a_plan_says_what_kind_of_change_it_is(seen: Observed, last_good: LastGood | None, kind: PlanKind) -> None:
    assert changed(seen, MOVED, last_good).kind is kind


def test_somebody_elses_edit_is_drift_and_a_newer_writer_of_ours_is_not() -> None:
    assert drifted(observed(STRANGER), verified())
    assert drifted(observed(None), verified())
    assert not drifted(observed(NORMAL), verified())
    assert not drifted(observed(STRANGER, generation=8), verified())
    assert not drifted(observed(STRANGER, generation=None), verified())
    assert not drifted(observed(STRANGER), None)


def test_a_record_that_is_gone_is_drift_whatever_became_of_its_marker() -> None:
    for seen in (
        observed(None, generation=None),
        observed(None, generation=8),
        observed(None, types=(RecordType.AAAA,)),
    ):
        assert drifted(seen, verified())
        assert changed(seen, MOVED, verified()).baseline == {"azure": 7_000, "oci": 3_000}
    assert not drifted(observed(None, generation=None), None)


def test_a_plan_over_drift_remembers_what_failoverd_had_published() -> None:
    plan = changed(observed(STRANGER), MOVED, verified())
    assert plan.shares_before == {ELSEWHERE: WHOLE}
    assert plan.baseline == {"azure": 7_000, "oci": 3_000}
    assert changed(observed(NORMAL), MOVED, verified()).baseline is None


# -- adoption ----------------------------------------------------------------------------------------------------------


def test_adoption_takes_the_name_over_and_leaves_the_answers() -> None:
    plan = taken_over(observed(STRANGER, generation=None))
    assert isinstance(plan, Plan)
    assert plan.kind is PlanKind.ADOPT
    assert plan.after == STRANGER
    assert plan.marker == Marker(OWNER, TARGET.policy, 1, (RecordType.A,))
    assert plan.shares_before == plan.shares_after == {ELSEWHERE: WHOLE}


def test_a_renamed_policy_takes_its_records_along() -> None:
    plan = taken_over(observed(NORMAL, by="old-name"))
    assert isinstance(plan, Plan)
    assert (plan.marker.policy, plan.generation) == (TARGET.policy, 8)


def test_what_is_owned_already_needs_no_adoption() -> None:
    assert taken_over(observed(NORMAL)) == InSync(TARGET, 7)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (observed(NORMAL, owner="staging"), RefusalReason.OTHER_OWNER),
        (observed(NORMAL, generation=None, text="x"), RefusalReason.FOREIGN_MARKER),
        (observed(NORMAL, foreign=("CNAME",)), RefusalReason.FOREIGN_TYPE),
        (observed(None, generation=None), RefusalReason.NO_MARKER),
    ],
)
def test_adoption_takes_nothing_from_others_and_nothing_out_of_thin_air(seen: Observed, reason: RefusalReason) -> None:
    refused = taken_over(seen)
    assert isinstance(refused, Refused)
    assert refused.reason is reason


def test_a_zone_restored_on_purpose_is_adopted_above_the_verified_generation() -> None:
    stale, good = observed(NORMAL, generation=3), verified(generation=7)
    refused = compared(PAIR, stale, NORMAL, last_good=good)
    assert isinstance(refused, Refused)
    assert refused.remedy.endswith(f"run: {refused.command}")
    plan = taken_over(stale, good)
    assert isinstance(plan, Plan)
    assert (plan.kind, plan.generation, plan.after) == (PlanKind.ADOPT, 8, NORMAL)


# -- undo --------------------------------------------------------------------------------------------------------------


def test_undo_puts_the_earlier_answers_back_with_a_newer_generation() -> None:
    plan = plan_between(PAIR, {"azure": 70, "oci": 30}, {"oci": 100})
    undo = plan.undone()
    assert undo is not None
    assert undo.id == f"undo-{plan.id}"
    assert undo.after == plan.before.records
    assert undo.generation == plan.generation + 1
    assert (undo.shares_before, undo.shares_after) == (plan.shares_after, plan.shares_before)
    assert undo.before.records == plan.after
    assert undo.before.marker == plan.marker
    assert undo.before.marker_text == plan.marker.to_text()
    again = undo.undone()
    assert again is not None
    assert (again.after, again.generation) == (plan.after, plan.generation + 2)


def test_there_is_nothing_to_undo_where_nothing_was_answered() -> None:
    assert changed(observed(None, generation=None), NORMAL).undone() is None
    assert changed(observed(records({})), NORMAL).undone() is None
    assert changed(observed(records({"192.0.2.10": 0})), NORMAL).undone() is None


# -- inert data --------------------------------------------------------------------------------------------------------


def test_a_plan_survives_json() -> None:
    reasoned = wanted(PAIR, {"azure": "U"}, {"azure": 70, "oci": 30})
    assert isinstance(reasoned.records, RecordSet)
    for seen, good in (
        (observed(NORMAL), None),
        (observed(None, generation=None), None),
        (observed(STRANGER), verified()),
    ):
        plan = changed(seen, reasoned.records, good)
        assert load(Plan, dump(plan)) == plan
        assert load(Plan, dump(plan, indent=2)) == plan


def test_so_do_its_parts() -> None:
    for value in (
        InSync(TARGET, 7),
        refusal(observed(NORMAL, generation=None), OWNER),
        verified(),
        past(NOW, {"azure": 70}, {"oci": 30}),
        wanted(PAIR, {"azure": "U"}),
    ):
        assert isinstance(value, InSync | Refused | LastGood | PastChange | Decision)
        assert load(type(value), dump(value)) == value


def test_a_plan_that_was_tampered_with_in_its_types_does_not_load() -> None:
    text = dump(changed(observed(NORMAL))).replace('"change"', '"nonsense"')
    with pytest.raises(ValueError, match="kind"):
        load(Plan, text)


# -- beside other types of the name ------------------------------------------------------------------------------------


def marked(generation: int, *types: RecordType, owner: str = OWNER, policy: str = TARGET.policy) -> Observed:
    marker = Marker(owner, policy, generation, types)
    return Observed(TARGET, MOVED, marker, marker.to_text())


@pytest.mark.parametrize(
    ("seen", "stands"),
    [
        (marked(8, RecordType.A), True),
        (marked(9, RecordType.A, RecordType.AAAA), True),
        (marked(7, RecordType.A), False),
        (marked(9, RecordType.AAAA), False),
        (marked(9, RecordType.A, owner="rival"), False),
        (marked(9, RecordType.A, policy="web"), False),
        (replace(marked(9, RecordType.A), records=NORMAL), False),
        (Observed(TARGET, MOVED), False),
    ],
    ids=["as written", "and another type", "older", "given up", "a rival", "another policy", "replaced", "no marker"],
)
def test_what_was_written_stands_until_it_is_replaced_or_given_up(seen: Observed, stands: bool) -> None:
    assert changed(observed(NORMAL)).stands_in(seen) is stands


# -- giving a name back ------------------------------------------------------------------------------------------------


def given_back(seen: Observed, *, epoch: int = 0) -> Plan | InSync | Refused:
    region_of, signed = PAIR.region_of(KEY.type), Signature(OWNER, epoch=epoch)
    found = decision({}, seen.records)
    return disown(seen, found, plan_id="chg-1", signed=signed, region_of=region_of, revision="r1")


def test_giving_back_removes_the_marker_and_leaves_the_answers() -> None:
    plan = given_back(observed(NORMAL))
    assert isinstance(plan, Plan)
    assert (plan.kind, plan.after, plan.marker_text) == (PlanKind.DISOWN, NORMAL, None)
    assert plan.generation == 8
    assert plan.shares_before == plan.shares_after
    assert plan.undone() is None


def test_giving_one_type_back_leaves_the_marker_to_the_other() -> None:
    both = observed(NORMAL)
    assert both.marker is not None
    marker = replace(both.marker, types=(RecordType.A, RecordType.AAAA))
    plan = given_back(replace(both, marker=marker, marker_text=marker.to_text()))
    assert isinstance(plan, Plan)
    assert plan.marker == Marker(OWNER, TARGET.policy, 8, (RecordType.AAAA,))


@pytest.mark.parametrize("seen", [observed(NORMAL, generation=None), observed(NORMAL, types=(RecordType.AAAA,))])
def test_what_no_marker_of_ours_speaks_of_was_given_back_already(seen: Observed) -> None:
    assert given_back(seen) == InSync(TARGET, 0)


@pytest.mark.parametrize("seen", [observed(None), observed(NORMAL, owner="rival")])
def test_what_is_not_ours_cannot_be_given_back(seen: Observed) -> None:
    assert isinstance(given_back(seen), Refused)


def test_what_was_given_back_is_not_touched_again() -> None:
    left = compared(PAIR, observed(NORMAL, generation=None), MOVED, last_good=verified())
    assert isinstance(left, Refused)
    assert left.reason is RefusalReason.MARKER_LOST


# -- who leads ---------------------------------------------------------------------------------------------------------


def test_a_plan_says_under_which_leader_it_is_written_and_the_epoch_never_falls() -> None:
    for stands, ours, after in ((0, 0, 0), (0, 7, 7), (6, 7, 7), (7, 7, 7), (7, 0, 7)):
        plan = compared(PAIR, observed(NORMAL, epoch=stands), MOVED, epoch=ours)
        assert isinstance(plan, Plan)
        assert plan.marker.epoch == after
        undone = plan.undone()
        assert undone is not None
        assert undone.marker.epoch == after


def test_a_new_leader_is_no_reason_to_write_a_marker() -> None:
    """It takes over ten thousand names at once, and moves none of them."""
    assert isinstance(compared(PAIR, observed(NORMAL, epoch=6), NORMAL, epoch=7), InSync)


def test_a_person_who_writes_by_hand_keeps_the_epoch_that_stands() -> None:
    plan = compared(PAIR, observed(NORMAL, epoch=6), MOVED, epoch=7)
    assert isinstance(plan, Plan)
    assert plan.by_person.marker.epoch == 6
    created = compared(PAIR, observed(None, generation=None), MOVED, epoch=7)
    assert isinstance(created, Plan)
    assert created.by_person.marker.epoch == 0


@pytest.mark.parametrize("by", [TARGET.policy, "another"])
def test_what_a_newer_leader_wrote_is_not_taken_over_for_an_older_one(by: str) -> None:
    refused = taken_over(observed(NORMAL, epoch=8, by=by), epoch=7)
    assert isinstance(refused, Refused)
    assert (refused.reason, "leader of epoch 8" in refused.detail) == (RefusalReason.NEWER_LEADER, True)
    taken = taken_over(observed(NORMAL, epoch=7, by="another"), epoch=7)
    assert isinstance(taken, Plan)
    assert taken.marker.epoch == 7


def test_nor_is_it_given_back() -> None:
    refused = given_back(observed(NORMAL, epoch=8), epoch=7)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NEWER_LEADER
    assert "failoverctl release --rival" in refused.command
    both = observed(NORMAL, epoch=7, types=(RecordType.A, RecordType.AAAA))
    back = given_back(both, epoch=9)
    assert isinstance(back, Plan)
    assert back.marker.epoch == 9
