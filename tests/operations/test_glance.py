"""What is seen at a glance: who is needed, what moved, what comes next, and how old that is."""

from dataclasses import replace

import pytest
from support.journals import OTHER, TARGET
from support.leaders import but, members

from failoverd.core.control.decision import DecisionKind
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.core.status import (
    PATIENCE,
    Bill,
    FilesStatus,
    Heartbeat,
    MemberStanding,
    Overview,
    PolicyStatus,
    RefusedFile,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.concerns import Condition
from failoverd.operations.glance import Glance, glance, headline, part, unheard_of
from failoverd.telemetry import phrases

NOW = 1_000.0
NORMAL = {"azure-eastus": 7_000, "oci-ashburn": 3_000}
LEFT = {"oci-ashburn": 10_000}
DOWN = Reason(ReasonCode.REGION_DOWN, "health", "azure-eastus", detail="HTTP 503", numbers={"score": 0})
STAYS = LimitCheck(Limit.MIN_REGIONS, False, 1, 2)
SLOWER = LimitCheck(Limit.MAX_SHIFT, False, 7_000, 3_000, 300.0, Cause.TUNING)


def policy(name: str, **changes: object) -> PolicyStatus:
    return replace(PolicyStatus(name, NOW, f"{name}.yaml", "1", failback_after=300.0), **changes)  # type: ignore[arg-type]  # any field


def target(name: str, state: TargetState = TargetState.IN_SYNC, **changes: object) -> TargetStatus:
    found = TargetStatus(replace(TARGET, policy=name), NOW, state, DecisionKind.NORMAL, published=NORMAL, normal=NORMAL)
    return replace(found, **changes)  # type: ignore[arg-type]  # any field


def moved(name: str, **changes: object) -> TargetStatus:
    """It left the region that is down, four minutes ago."""
    found = target(name, kind=DecisionKind.FAILOVER, published=LEFT, reasons=(DOWN,), answered_since=NOW - 240.0)
    return replace(found, **changes)  # type: ignore[arg-type]  # any field


def drained(*, since: float = NOW - 60.0) -> Override:
    why = (Comment(NOW - 60.0, "alice@ops1", "rack work"),)
    return Override("drain-1a2b3c4d", Verb.DRAIN, Scope(policies=("api",)), "alice@ops1", since, NOW + 3_600.0, why)


def seen(*statuses: Status, overrides: tuple[Override, ...] = (), by_daemon: bool = True) -> Glance:
    return glance(replace(Overview.of(statuses), overrides=overrides), NOW, by_daemon=by_daemon)


def line(*statuses: Status, now: float | None = None) -> str:
    return headline(Overview.of(statuses), now if now is not None else NOW, by_daemon=now is None)


# -- the headline ------------------------------------------------------------------------------------------------------


def test_all_is_well_when_everything_was_seen_and_is() -> None:
    whole = seen(policy("api"), policy("shop"), target("api"), target("shop"))
    assert (whole.headline, whole.level, whole.concerns) == ("all well: 2 policies", Condition.WELL, ())


def test_what_moved_says_where_from_and_how_long_ago() -> None:
    whole = seen(policy("api"), policy("shop"), moved("api"), target("shop"))
    assert (whole.headline, whole.level) == ("1 of 2 moved: api left azure-eastus 4 min ago", Condition.MOVED)


def test_who_needs_a_person_is_said_before_what_moved() -> None:
    kept = target("shop", TargetState.LIMITED, cause=Cause.FAILING_OUT, checks=(STAYS,), remedy="lower it")
    whole = seen(policy("api"), policy("shop"), moved("api"), kept)
    assert whole.headline == (
        "1 of 2 needs a person: shop (api.example.com A at bind-main) is kept on what is down by min_regions; "
        "1 of 2 moved: api left azure-eastus 4 min ago"
    )
    assert (whole.level, whole.concerns[0].remedy) == (Condition.PERSON, "lower it")


def test_nothing_is_well_that_nobody_has_seen() -> None:
    assert line(policy("api")) == "without a verdict: api"
    waits = target("api", TargetState.HOLDING, kind=DecisionKind.HOLD_NO_VERDICT, published={}, normal={})
    assert (seen(policy("api"), waits).headline, seen(policy("api"), waits).level) == (
        "without a verdict: api",
        Condition.UNKNOWN,
    )


def test_a_policy_is_named_once_and_of_many_only_a_few() -> None:
    names = [f"api-{number}" for number in range(9)]
    both = [moved(name, target=replace(of, policy=name)) for name in names for of in (TARGET, OTHER)]
    assert line(*map(policy, names), *both) == (
        "9 of 9 moved: api-0 left azure-eastus 4 min ago; also api-1, api-2, api-3 and 5 more"
    )


DRILL = Override(
    "practice-1a2b3c4d",
    Verb.PRACTICE,
    Scope(regions=("azure-eastus",)),
    "api.yaml:12",
    NOW - 240.0,
    NOW + 1_560.0,
    (Comment(NOW - 240.0, "api.yaml:12", "practice"),),
    planned=True,
)
PRACTISED = Reason(ReasonCode.PRACTISED, "overrides", "azure-eastus", numbers={"until": NOW + 1_560.0})


def test_what_a_drill_moves_is_told_as_a_drill() -> None:
    practised = moved("api", kind=DecisionKind.OPERATOR, reasons=(PRACTISED,))
    whole = seen(policy("api"), policy("shop"), practised, target("shop"), overrides=(DRILL,))
    assert (whole.headline, whole.level) == ("practice: region azure-eastus away until 00:42Z", Condition.MOVED)


def test_what_else_moved_on_the_day_of_a_drill_is_told_before_it() -> None:
    practised = moved("api", kind=DecisionKind.OPERATOR, reasons=(PRACTISED,))
    other = moved("shop", published={"azure-eastus": 10_000})
    whole = seen(policy("api"), policy("shop"), practised, other, overrides=(DRILL,))
    assert whole.headline == (
        "1 of 2 moved: shop left oci-ashburn 4 min ago; practice: region azure-eastus away until 00:42Z"
    )


def test_a_region_that_is_still_away_after_its_drill_has_moved() -> None:
    practised = moved("api", kind=DecisionKind.OPERATOR, reasons=(PRACTISED,))
    over = replace(DRILL, until=NOW - 1.0)
    assert seen(policy("api"), practised, overrides=(over,)).headline == (
        "1 of 1 moved: api left azure-eastus 4 min ago"
    )


def test_nobody_steers_where_there_is_no_policy() -> None:
    assert line() == "no policies: nothing is steered"


@pytest.mark.parametrize(
    ("beat", "says"),
    [
        (Heartbeat(NOW - 60, 1, 0.0, "1", "running"), "not known: the daemon is silent, last seen 1 min ago"),
        (Heartbeat(NOW - 60, 1, 0.0, "1", "stopped"), "not known: the daemon is stopped, last seen 1 min ago"),
        (None, "not known: the daemon never ran with this journal"),
    ],
)
def test_nothing_is_well_that_nobody_looks_after(beat: Heartbeat | None, says: str) -> None:
    statuses: list[Status] = [policy("api"), target("api"), *([beat] if beat is not None else [])]
    whole = seen(*statuses, by_daemon=False)
    assert (whole.headline, whole.level, whole.stale) == (says, Condition.UNKNOWN, True)
    assert whole.seen == (beat.at if beat is not None else None)


def test_a_daemon_at_work_is_no_news() -> None:
    alive = Heartbeat(NOW - 5, 1, 0.0, "1", "running")
    whole = seen(policy("api"), target("api"), alive, by_daemon=False)
    assert (whole.headline, whole.stale, whole.seen) == ("all well: 1 policy", False, NOW - 5)


# -- who is needed, and who is not -------------------------------------------------------------------------------------


GIVEN_UP = Reason(ReasonCode.FAILBACK_GIVEN_UP, "failback.retries", "azure-eastus", numbers={"aborts": 3.0})


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (target("api", TargetState.REFUSED, detail="it has no marker"), Condition.PERSON),
        (target("api", TargetState.DRIFTED), Condition.PERSON),
        (target("api", TargetState.DRIFTED, until=NOW + 60), Condition.MOVED),
        (target("api", TargetState.LIMITED, checks=(SLOWER,), until=NOW + 60), Condition.MOVED),
        (target("api", TargetState.LIMITED, checks=(SLOWER,)), Condition.PERSON),
        (target("api", TargetState.DELAYED, since=NOW - PATIENCE), Condition.MOVED),
        (target("api", TargetState.DELAYED, since=NOW - PATIENCE - 1), Condition.PERSON),
        (target("api", TargetState.DELAYED, since=NOW, cause=Cause.FAILING_OUT), Condition.PERSON),
        (target("api", TargetState.HOLDING, kind=DecisionKind.HOLD_ALL_DOWN), Condition.PERSON),
        (moved("api", reasons=(Reason(ReasonCode.FAILBACK_MANUAL, "failback", "azure-eastus"),)), Condition.PERSON),
        (moved("api", reasons=(GIVEN_UP,)), Condition.PERSON),
        (moved("api"), Condition.MOVED),
    ],
)
def test_a_person_is_needed_where_neither_time_nor_failoverd_ends_it(status: TargetStatus, level: Condition) -> None:
    whole = seen(policy("api"), status)
    assert (whole.level, whole.records[0].level) == (level, level)


def test_files_and_the_prober_are_matters_of_the_whole_installation() -> None:
    new = FilesStatus(NOW, (RefusedFile("/etc/failoverd/policies/new.yaml", "FD201"),))
    blind = VantageStatus(NOW, ("IPv4",), NOW - 5, "no sentinel answers")
    whole = seen(policy("api"), target("api"), new, blind)
    assert whole.headline == ("the prober abstains on IPv4: no sentinel answers; new.yaml is not taken up")
    assert [each.policy for each in part(whole, ["shop"]).concerns] == ["", ""]


def test_a_rounding_of_the_provider_moves_nothing() -> None:
    rounded = {"azure-eastus": 7_010, "oci-ashburn": 2_990}
    assert seen(policy("api"), target("api", published=rounded)).level is Condition.WELL
    assert seen(policy("api"), target("api", published={"azure-eastus": 6_800, "oci-ashburn": 3_200})).level is (
        Condition.MOVED
    )


def test_of_what_was_never_read_nobody_says_that_it_moved() -> None:
    unread = target("api", TargetState.DELAYED, published={}, detail="connection refused (unreachable)")
    assert seen(policy("api"), unread).headline == (
        "1 of 1 is degraded: api (api.example.com A at bind-main) cannot be read or written: "
        "connection refused (unreachable)"
    )
    assert line(policy("api"), target("api", published={})) == "1 of 1 moved: api has no answer"


def test_while_it_cannot_be_written_what_traffic_is_lost_on_is_said_first() -> None:
    stuck = target("api", TargetState.DELAYED, cause=Cause.FAILING_OUT, wanted=LEFT, detail="no answer (timeout)")
    whole = seen(policy("api"), stuck)
    says = "sends traffic to azure-eastus, which is down, and cannot be read or written: no answer (timeout)"
    assert whole.records[0].why == says
    assert whole.concerns[0].text == f"api (api.example.com A at bind-main) {says}"


# -- a line for each record --------------------------------------------------------------------------------------------


def test_a_line_says_why_since_when_what_next_and_how_to_stop_it() -> None:
    (found,) = seen(policy("api"), moved("api")).records
    assert (found.why, found.since) == ("azure-eastus is down (score 0%): HTTP 503", NOW - 240.0)
    assert (found.next, found.next_at) == ("azure-eastus comes back once well for 5 min", None)
    assert (found.stop, found.overrides) == ("failoverctl hold api --reason TEXT --for 1h", ())


def test_a_line_says_what_it_costs_and_how_much_more_than_on_a_normal_day() -> None:
    (found,) = seen(policy("api"), moved("api", bill=Bill(7.83, 5.71, 5_638.0))).records
    assert found.bill == Bill(7.83, 5.71, 5_638.0)
    assert found.costs == (
        "about $7.83 an hour, $2.12 more than on a normal day; $5,638 a month (estimate, by list prices)"
    )
    (unknown,) = seen(policy("api"), moved("api")).records
    assert (unknown.bill, unknown.costs) == (None, "")


def test_who_waits_for_its_hold_says_until_when() -> None:
    numbers = {"well": 60.0, "hold": 300.0}
    waits = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", "azure-eastus", numbers=numbers)
    (found,) = seen(policy("api"), moved("api", reasons=(waits,), until=NOW + 240.0)).records
    assert (found.next, found.next_at) == ("azure-eastus comes back if it stays well", NOW + 240.0)


def test_who_comes_back_by_a_ramp_says_at_which_step_it_is_and_when_the_next_is() -> None:
    numbers = {"step": 2, "steps": 4, "part": 2_500, "of": 7_000, "next": NOW + 90.0, "wanted": 7_000, "room": 1_750}
    step = Reason(ReasonCode.RAMP, "failback.ramp", "azure-eastus", numbers=numbers)
    shares = {"azure-eastus": 1_750, "oci-ashburn": 8_250}
    (found,) = seen(policy("api"), moved("api", reasons=(step,), published=shares, until=NOW + 90.0)).records
    assert found.why.startswith("azure-eastus is returning: step 2 of 4, 25% of 70%; next at ")
    assert (found.next, found.next_at) == ("azure-eastus takes step 3 of 4 of its way back", NOW + 90.0)


def test_a_step_that_is_due_later_than_something_else_is_looked_at_is_told_by_its_own_moment() -> None:
    """A figure is measured each 15 seconds, and so there is always something that comes before."""
    numbers = {"step": 2, "steps": 4, "part": 2_500, "of": 7_000, "next": NOW + 90.0, "wanted": 7_000, "room": 1_750}
    step = Reason(ReasonCode.RAMP, "failback.ramp", "azure-eastus", numbers=numbers)
    shares = {"azure-eastus": 1_750, "oci-ashburn": 8_250}
    (found,) = seen(policy("api"), moved("api", reasons=(step,), published=shares, until=NOW + 45.0)).records
    assert (found.next, found.next_at) == ("azure-eastus takes step 3 of 4 of its way back", NOW + 90.0)


def test_a_step_that_waits_for_the_last_one_has_no_moment() -> None:
    numbers = {"step": 2, "steps": 4, "part": 2_500, "of": 7_000, "wanted": 7_000, "room": 1_750}
    step = Reason(ReasonCode.RAMP, "failback.ramp", "azure-eastus", numbers=numbers)
    shares = {"azure-eastus": 1_750, "oci-ashburn": 8_250}
    for until in (NOW + 45.0, None):
        (found,) = seen(policy("api"), moved("api", reasons=(step,), published=shares, until=until)).records
        assert (found.next, found.next_at) == (
            "azure-eastus takes step 3 of 4 of its way back once the last one stands and it is well",
            None,
        )


def test_a_hold_that_ends_later_than_something_else_is_looked_at_is_told_by_its_own_moment() -> None:
    numbers = {"well": 60.0, "hold": 300.0}
    waits = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", "azure-eastus", numbers=numbers)
    status = moved("api", reasons=(waits,), until=NOW + 45.0, at=NOW)
    (found,) = seen(policy("api"), status).records
    assert (found.next, found.next_at) == ("azure-eastus comes back if it stays well", NOW + 240.0)


def by_word(code: ReasonCode, word: str, region: str = "", **numbers: float) -> Reason:
    return Reason(
        code,
        "overrides",
        region,
        numbers={"until": NOW + 3_600.0, **numbers},
        named=(word,),
        detail=f"{word} by alice: x",
    )


def said(word: str, verb: Verb, since: float = NOW - 30.0) -> Override:
    return replace(drained(since=since), id=word, verb=verb)


def test_nothing_follows_by_itself_where_a_person_has_to_act_first() -> None:
    refused = moved("api", state=TargetState.REFUSED, published={}, foreign=("A (with a health check)",), until=NOW + 9)
    (line,) = seen(policy("api"), refused).records
    assert (line.now, line.foreign, line.next, line.next_at) == ({}, ("A (with a health check)",), "", None)


def test_between_two_steps_of_a_return_the_limit_is_named_and_no_word_that_nobody_gave() -> None:
    smaller = LimitCheck(Limit.MAX_SHIFT, True, 5_000, 2_000, 600.0, Cause.RETURNING, LimitNote.SMALLER)
    halfway = moved("api", state=TargetState.LIMITED, reasons=(), checks=(smaller,), until=NOW + 600.0)
    whole = seen(policy("api"), halfway)
    assert whole.concerns[0].text == "api (api.example.com A at bind-main) is held by max_shift"
    (found,) = whole.records
    assert found.why == "max_shift of returning: 50%, not within 20% per 600s (so the step is made smaller)"
    assert (found.next, found.next_at) == ("max_shift lets more pass", NOW + 600.0)


def test_what_a_word_does_is_ended_by_its_release() -> None:
    status = moved("api", reasons=(by_word(ReasonCode.DRAINED, "drain-1a2b3c4d", "azure-eastus"),))
    (found,) = seen(policy("api"), status, overrides=(drained(),)).records
    assert (found.stop, found.overrides) == ("failoverctl release drain-1a2b3c4d", ("drain-1a2b3c4d",))


def test_the_word_to_end_is_the_one_that_is_why_and_not_the_newest() -> None:
    shed = by_word(ReasonCode.SHED, "shed-2", "oci-ashburn", part=5_000, wanted=3_000, room=1_500)
    status = target("api", TargetState.HOLDING, reasons=(shed, by_word(ReasonCode.PAUSED, "pause-1")))
    words = said("pause-1", Verb.PAUSE, NOW - 60.0), said("shed-2", Verb.SHED)
    (found,) = seen(policy("api"), status, overrides=words).records
    assert found.why.startswith("paused until")
    assert (found.stop, found.overrides) == ("failoverctl release pause-1", ("pause-1", "shed-2"))


def test_a_drain_of_a_standby_moves_nothing_and_is_neither_why_nor_to_be_ended() -> None:
    standby = by_word(ReasonCode.DRAINED, "drain-1a2b3c4d", "aws-use1")
    status = moved("api", reasons=(standby, DOWN), until=NOW + 3_600.0)
    (found,) = seen(policy("api"), status, overrides=(drained(),)).records
    assert found.why == "azure-eastus is down (score 0%): HTTP 503"
    assert found.next == "azure-eastus comes back once well for 5 min"
    assert found.stop == "failoverctl hold api --reason TEXT --for 1h"


def test_a_word_that_nobody_has_looked_at_yet_can_be_taken_back() -> None:
    (found,) = seen(policy("api"), target("api"), overrides=(drained(since=NOW),)).records
    assert found.stop == "failoverctl release drain-1a2b3c4d"


def test_what_comes_by_itself_is_told_rather_than_that_it_is_looked_at_again() -> None:
    """A window of planned work that begins in an hour has it decided on again then."""
    (found,) = seen(policy("api"), moved("api", until=NOW + 3_180.0)).records
    assert (found.next, found.next_at) == ("azure-eastus comes back once well for 5 min", None)
    (well,) = seen(policy("api"), target("api", until=NOW + 3_180.0)).records
    assert (well.next, well.next_at) == ("it is looked at again", NOW + 3_180.0)


def test_why_tells_what_is_wrong_with_a_region_now() -> None:
    """It refused when it was decided on, and hangs by now: that is no news for a decision, and for who reads this."""
    now = replace(region("A"), evidence="response_timeout")
    (found,) = seen(policy("api"), moved("api"), now).records
    assert found.why == "azure-eastus is down (score 0%): response_timeout"


def test_a_file_that_does_not_load_is_a_part_of_why() -> None:
    (found,) = seen(policy("api", rejected="FD201", file="api.yaml"), target("api")).records
    assert found.why == "an older revision runs, for its newer file does not load"


# -- kept out although it passes ---------------------------------------------------------------------------------------

FLAPPED = Reason(
    ReasonCode.FLAPPED,
    "health.flap",
    "azure-eastus",
    numbers={"until": NOW + 600.0},
    named=("azure-eastus/192.0.2.10",),
)
PUT_UP = "failoverctl up azure-eastus/192.0.2.10 --policy api --reason TEXT --for 1h"


def test_a_region_that_flapped_is_told_with_its_end_and_with_what_uses_it_now() -> None:
    whole = seen(policy("api"), moved("api", reasons=(DOWN, FLAPPED), until=NOW + 600.0))
    (found,), (concern,) = whole.records, whole.concerns
    until = "1970-01-01 00:26:40Z"
    assert found.why == (
        f"azure-eastus passes again, and is kept out until {until}, because it flapped (to use it now: {PUT_UP})"
    )
    assert (found.next, found.next_at) == ("azure-eastus may be used again if it still passes", NOW + 600.0)
    assert (concern.level, concern.remedy) == (Condition.MOVED, PUT_UP)
    assert f"keeps azure-eastus until {until} out, which flapped" in concern.text


def test_what_flapped_is_no_region_that_comes_back_once_well() -> None:
    """Something else comes sooner, or nothing by time at all: well it is already."""
    (sooner,) = seen(policy("api"), moved("api", reasons=(DOWN, FLAPPED), until=NOW + 60.0)).records
    assert (sooner.next, sooner.next_at) == ("azure-eastus may be used again if it still passes", NOW + 600.0)


def test_where_no_region_is_up_the_one_that_flapped_is_the_way_out() -> None:
    nobody = Reason(ReasonCode.ALL_DOWN, "when_all_down")
    held = target(
        "api",
        TargetState.HOLDING,
        kind=DecisionKind.HOLD_ALL_DOWN,
        reasons=(DOWN, FLAPPED, nobody),
        until=NOW + 600.0,
    )
    whole = seen(policy("api"), held)
    (concern,), (found,) = whole.concerns, whole.records
    assert (concern.level, concern.remedy) == (Condition.PERSON, PUT_UP)
    assert found.why.startswith("every region is down: nothing moves; azure-eastus passes again")
    assert (found.next, found.next_at) == ("azure-eastus may be used again if it still passes", NOW + 600.0)


def test_a_region_says_from_when_on_it_may_be_used_again() -> None:
    (found,) = seen(policy("api"), target("api"), replace(region("A"), flapping_until=NOW + 600.0)).regions
    assert found.why == "HTTP 503; it may be used again from 00:26Z on"


# -- nothing hides what needs a person ---------------------------------------------------------------------------------


def test_a_provider_that_is_away_for_a_moment_does_not_hide_that_no_region_is_up() -> None:
    nobody = Reason(ReasonCode.ALL_DOWN, "when_all_down")
    away = target(
        "api",
        TargetState.DELAYED,
        kind=DecisionKind.HOLD_ALL_DOWN,
        reasons=(nobody,),
        detail="no answer (timeout)",
        remedy="start it",
        since=NOW - 5,
    )
    whole = seen(policy("api"), away)
    assert [(each.level, each.remedy, each.since) for each in whole.concerns] == [
        (Condition.PERSON, phrases.ALL_DOWN_REMEDY, None),
        (Condition.MOVED, "start it", NOW - 5),
    ]
    assert "has no region that is up" in whole.headline
    assert (whole.level, whole.records[0].level) == (Condition.PERSON, Condition.PERSON)
    assert whole.records[0].why == "every region is down: nothing moves; no answer (timeout)"


def test_a_limit_that_time_ends_does_not_hide_that_a_person_is_waited_for() -> None:
    manual = Reason(ReasonCode.FAILBACK_MANUAL, "failback", "azure-eastus")
    limited = target("api", TargetState.LIMITED, checks=(SLOWER,), until=NOW + 60, reasons=(manual,))
    assert [each.level for each in seen(policy("api"), limited).concerns] == [Condition.PERSON, Condition.MOVED]


def test_what_is_kept_dead_is_told_once() -> None:
    kept = target("shop", TargetState.LIMITED, cause=Cause.FAILING_OUT, checks=(STAYS,))
    assert len(seen(policy("shop"), kept).concerns) == 1


# -- nobody at work ----------------------------------------------------------------------------------------------------


def test_without_a_daemon_nothing_is_promised_that_only_a_daemon_does() -> None:
    sees = VantageStatus(NOW, (), NOW, sentinels=3)
    dead = Heartbeat(NOW - 60, 1, 0.0, "1", "running")
    whole = seen(policy("api"), moved("api"), sees, dead, by_daemon=False)
    (found,) = whole.records
    assert found.next == (
        "nothing, for no daemon is at work; to move it: failoverctl plan api --out FILE, failoverctl apply FILE"
    )
    assert (found.next_at, found.stop) == (None, "")
    assert whole.concerns[0].remedy == (
        "systemctl start failoverd; what moves traffic until then: failoverctl plan --out FILE, then failoverctl "
        "apply FILE"
    )
    assert whole.prober == "trusts its network: 3 of 3 sentinels answer (as it was seen last)"
    assert whole.headline.startswith("not known: the daemon is silent, last seen 1 min ago")


def test_beside_a_pin_is_said_who_of_it_is_down_and_the_word_that_is_why_is_the_one_to_release() -> None:
    pin = replace(drained(), id="pin-1a2b3c4d", verb=Verb.PIN, shares=NORMAL)
    up = replace(drained(), id="up-1a2b3c4d", verb=Verb.UP, scope=Scope(policies=("api",)))
    shares = {name: float(share) for name, share in NORMAL.items()}
    pinned = Reason(
        ReasonCode.PINNED,
        "overrides",
        numbers={"until": NOW},
        shares=shares,
        named=("pin-1a2b3c4d",),
        detail="by alice",
    )
    (found,) = seen(policy("api"), moved("api", reasons=(pinned, DOWN)), overrides=(pin, up)).records
    assert found.why.startswith("pinned to azure-eastus 70%, oci-ashburn 30%")
    assert found.why.endswith("; azure-eastus is down (score 0%): HTTP 503")
    assert (found.stop, found.ends) == ("failoverctl release pin-1a2b3c4d", "pin-1a2b3c4d")
    (alone,) = seen(policy("api"), moved("api", reasons=(DOWN,))).records
    assert (alone.stop.split()[1], alone.ends) == ("hold", ""), "who ends nothing lets nothing go"


def test_a_word_in_force_is_not_all_well_and_one_to_come_is() -> None:
    assert seen(policy("api"), target("api"), overrides=(drained(),)).level is Condition.MOVED
    assert seen(policy("api"), target("api"), overrides=(drained(since=NOW + 60.0),)).level is Condition.WELL


def test_a_standby_that_is_ill_is_not_why() -> None:
    ill = Reason(ReasonCode.REGION_DOWN, "health", "aws-use1", detail="refused", numbers={"score": 0})
    (found,) = seen(policy("api"), target("api", reasons=(ill,))).records
    assert found.why == ""


# -- regions -----------------------------------------------------------------------------------------------------------


def region(kind: str, state: str = "down", seen_at: float | None = NOW - 4) -> RegionStatus:
    return RegionStatus("api", kind, "azure-eastus", NOW, state, 0, NOW - 240, None, "HTTP 503", "azure", seen_at)


def test_types_that_see_a_region_alike_share_its_line_with_the_older_of_their_evidence() -> None:
    (found,) = seen(policy("api"), region("A"), region("AAAA", seen_at=NOW - 9)).regions
    assert (found.types, found.seen) == (("A", "AAAA"), NOW - 9)
    assert len(seen(policy("api"), region("A"), region("AAAA", "healthy")).regions) == 2


BURNS = Reason(
    ReasonCode.BURNING, "signals.errors", "azure-eastus",
    numbers={"burn": 40.0, "short": 50.0, "others": 1.0, "requests": 9_000.0, "most": 14.4}, detail="degraded",
)  # fmt: skip
TAKEN = Reason(ReasonCode.REGION_DEGRADED, "signals", "azure-eastus", numbers={"score": 5_000})


def test_a_region_that_a_signal_calls_ill_says_what_it_is_taken_for_and_why_beside_what_probes_find() -> None:
    found = seen(policy("api"), target("api", reasons=(TAKEN, BURNS)), region("A", "healthy"))
    (of_it,) = found.regions
    assert (of_it.state, of_it.taken_for) == ("healthy", "degraded")
    assert of_it.taken_why.endswith("it is taken to be degraded")
    assert part(found, ["*"], problems=True).regions == (of_it,), "it is no region that is well"
    (down,) = seen(policy("api"), target("api", reasons=(TAKEN, BURNS)), region("A", "degraded")).regions
    assert (down.taken_for, down.taken_why) == ("", ""), "probes say the same"


def test_the_cause_is_told_before_what_a_region_is_taken_for() -> None:
    since = replace(
        BURNS,
        numbers={**BURNS.numbers, "since": 0.0},
        named=("main", "sum by (region) (rate(errors[5m]))"),
        detail="down",
    )
    taken = Reason(ReasonCode.REGION_DOWN, "signals", "azure-eastus", numbers={"score": 0})
    (left,) = seen(policy("api"), moved("api", reasons=(taken, since))).records
    assert left.why == (
        "azure-eastus makes errors 40 times as fast as its service level allows, 50 lately (9000 requests; 14.4 are "
        "too many), and the others 1: it is taken to be down since 1970-01-01 00:00:00Z (signals.errors, which asks "
        "main: sum by (region) (rate(errors[5m]))); azure-eastus is down (score 0%)"
    )
    (probed,) = seen(policy("api"), moved("api", reasons=(DOWN, since))).records
    assert probed.why == "azure-eastus is down (score 0%): HTTP 503", "probes find it down by themselves"


FULL = Reason(
    ReasonCode.LOADED,
    "signals.room",
    "azure-eastus",
    numbers={"load": 50.0, "low": 10.0, "high": 50.0, "room": 0.0, "since": 0.0},
    named=("main", "queue"),
)


def test_a_region_that_is_full_is_told_with_its_query_where_that_bounds_it() -> None:
    bound = Reason(
        ReasonCode.CAPACITY, "demand", "azure-eastus", numbers={"wanted": 7_000, "room": 0, "score": 10_000, "left": 0}
    )
    (left,) = seen(policy("api"), moved("api", reasons=(bound, FULL))).records
    assert left.why == (
        "azure-eastus has 0% of its room, at a load of 50 (full above 10, nothing left at 50), since "
        "1970-01-01 00:00:00Z (signals.room, which asks main: queue)"
    )
    (roomy,) = seen(policy("api"), moved("api", reasons=(DOWN, FULL))).records
    assert roomy.why == "azure-eastus is down (score 0%): HTTP 503"


def test_load_and_who_is_short_are_of_all_policies_at_a_region() -> None:
    excess = Reason(
        ReasonCode.EXCESS, "tier", "azure-eastus", numbers={"rest": 2_500.0, "demand": 400.0, "taken": 900.0}
    )
    room = {"azure-eastus": 900.0}
    calm = target("api", demand=1_000.0, capacities=room, seen=NOW)
    other = replace(calm, target=replace(OTHER, policy="api"))
    short = target("dev", demand=400.0, capacities=room, reasons=(excess,), published={"azure-eastus": 10_000})
    (found,) = seen(policy("api"), policy("dev"), calm, other, short, region("A", "healthy")).regions
    assert (found.load, found.capacity, found.short) == (1_100.0, 900.0, ("dev is short of 100",))
    (unknown,) = seen(policy("api"), target("api"), region("A", "healthy")).regions
    assert (unknown.load, unknown.capacity, unknown.short) == (None, None, ())


def test_what_is_wanted_at_a_region_and_what_a_normal_day_wants_stand_beside_its_load() -> None:
    """It failed out, of a region that can carry half of its 900 as it is."""
    room = {"azure-eastus": 900.0}
    left = moved("api", demand=1_000.0, capacities=room, seen=NOW, wanted={"azure-eastus": 2_000, "oci-ashburn": 8_000})
    half = replace(region("A", "degraded"), score=5_000)
    (found,) = seen(policy("api"), left, half).regions
    assert (found.load, found.target, found.demand, found.room) == (0.0, 200.0, 700.0, 450.0)


def test_who_overloads_its_regions_alone_is_named_at_each_of_them() -> None:
    over = Reason(
        ReasonCode.OVERLOAD, "demand", shares={"azure-eastus": 9_000, "oci-ashburn": 3_000}, numbers={"rest": 2_000.0}
    )
    full = target("api", demand=1_000.0, capacities={"azure-eastus": 600.0}, reasons=(over,), seen=NOW)
    (found,) = seen(policy("api"), full, region("A", "healthy")).regions
    assert found.short == ("api is short of 150",)


def test_a_guest_of_a_residency_is_a_concern_that_says_until_when() -> None:
    guest = Reason(ReasonCode.GUEST, "residency", "aws-use1", numbers={"until": NOW + 3_600}, detail="pin-1 by alice")
    found = seen(policy("api"), target("api", reasons=(guest,)))
    (concern,) = found.concerns
    assert (found.level, concern.level) == (Condition.MOVED, Condition.MOVED)
    ends = phrases.moment(NOW + 3_600)
    assert concern.text == (
        f"api (api.example.com A at bind-main) may be answered by aws-use1 until {ends}, outside of its residency: "
        "then that leaves at once"
    )


def test_a_part_leaves_out_what_is_well_and_who_was_not_asked_about() -> None:
    whole = seen(policy("api"), policy("shop"), moved("api"), target("shop"), region("A"), region("AAAA", "healthy"))
    bad = part(whole, ["*"], problems=True)
    assert ([each.policy for each in bad.records], [each.state for each in bad.regions]) == (["api"], ["down"])
    assert [each.policy for each in part(whole, ["sh*"]).records] == ["shop"]
    assert (bad.headline, bad.policies) == (whole.headline, 2)


# -- what people said, and who sees it ---------------------------------------------------------------------------------


def test_a_part_has_the_words_about_it_and_counts_what_is_well_though_it_is_left_out() -> None:
    whole = seen(policy("api"), policy("shop"), moved("api"), target("shop"), overrides=(drained(),))
    assert whole.overrides[0].records == 1
    assert [each.id for each in part(whole, ["api"]).overrides] == ["drain-1a2b3c4d"]
    assert part(whole, ["shop"]).overrides == ()
    assert (whole.well, part(whole, ["shop"], problems=True).well, part(whole, ["api"]).well) == (1, 1, 0)
    upcoming = seen(policy("api"), target("api"), overrides=(drained(since=NOW + 60.0),))
    assert [each.state for each in part(upcoming, ["shop"]).overrides] == ["upcoming"]


def test_a_policy_that_nobody_knows_is_found_out() -> None:
    found = Overview.of((policy("api"), target("shop")))
    assert unheard_of(found, ["api", "sh*"]) is None
    assert unheard_of(found, ["api", "web*", "nope"]) == "web*"


@pytest.mark.parametrize(
    ("vantage", "says"),
    [
        (VantageStatus(NOW, (), NOW), "trusts its network, without sentinels to check that by"),
        (VantageStatus(NOW, (), NOW, sentinels=3, silent=("a",)), "trusts its network: 2 of 3 sentinels answer"),
        (VantageStatus(NOW, ("IPv4",), NOW, "nobody answers"), "abstains on IPv4: nobody answers"),
    ],
)
def test_the_prober_says_what_it_thinks_of_its_own_network(vantage: VantageStatus, says: str) -> None:
    assert seen(policy("api"), target("api"), vantage).prober == says


def test_a_setting_that_waits_for_a_restart_is_told_until_that() -> None:
    files = FilesStatus(NOW, deferred=("check_files", "tick"))
    found = Overview.of([Heartbeat(NOW, 1, NOW, "1", "running"), policy("shop"), target("shop"), files])
    (concern,) = glance(found, NOW, by_daemon=True).concerns
    assert concern.text == "a restart is pending: check_files, tick of the daemon's own file takes effect then"
    assert (concern.level, concern.command) == (Condition.MOVED, "systemctl restart failoverd")


# -- who serves and is left out ----------------------------------------------------------------------------------------

LEFT_OUT = Reason(ReasonCode.DEGRADED_OUT, "degraded", "azure-eastus", numbers={"score": 5_000})
FAR_AWAY = Reason(
    ReasonCode.TOO_FAR, "latency.leave", "azure-eastus", numbers={"latency": 0.12, "nearest": 0.01, "bound": 0.03}
)


@pytest.mark.parametrize(("hold", "then"), [(300.0, " for 5 min"), (None, "")])
def test_a_degraded_region_that_left_comes_back_without_a_person(hold: float | None, then: str) -> None:
    (found,) = seen(policy("api", failback_after=hold), moved("api", reasons=(LEFT_OUT,))).records
    assert found.next == f"azure-eastus comes back once healthy{then}"
    assert (
        found.why == "azure-eastus is left out while it is degraded (score 50%): the others have room for what it has"
    )


def test_a_region_that_is_too_far_away_on_a_good_day_is_no_trouble() -> None:
    near = target("api", published=LEFT, normal=LEFT, reasons=(FAR_AWAY,))
    whole = seen(policy("api"), near)
    assert whole.level is Condition.WELL
    (found,) = whole.records
    assert found.why == "azure-eastus is too far away: connecting takes 120 ms, the nearest 10 ms + 30 ms"


# -- several members ---------------------------------------------------------------------------------------------------


def test_who_of_several_members_speaks_is_said_and_nothing_where_a_daemon_is_alone() -> None:
    leads = seen(policy("api"), target("api"), members(NOW))
    assert leads.speaker == "azure-1 leads in epoch 7; 3 of 3 members vote"
    assert leads.level is Condition.WELL
    follows = seen(policy("api"), target("api"), members(NOW, member="oci-1", leads=False))
    assert follows.speaker == "oci-1 follows azure-1, which leads in epoch 7; 3 of 3 members vote"
    waits = seen(policy("api"), target("api"), members(NOW, leads=False))
    assert waits.speaker.startswith("azure-1 holds the lease of epoch 7, and does not write now")
    assert seen(policy("api"), target("api")).speaker == ""
    old = seen(policy("api"), target("api"), members(NOW), by_daemon=False)
    assert old.speaker.endswith("(as it was last)")


def test_a_member_that_does_not_reach_the_coordinator_needs_a_person() -> None:
    alone = members(NOW, leads=False, coordinated=False, heard_at=NOW - 600, trouble="etcd does not answer")
    found = seen(policy("api"), target("api"), alone)
    assert found.level is Condition.PERSON
    assert found.headline == "the coordinator does not answer azure-1, which writes nothing until it does"
    (concern,) = found.concerns
    assert (concern.since, concern.subject) == (NOW - 600, "coordinator")
    assert concern.remedy.startswith("etcd does not answer; it is asked again")


def test_who_is_not_heard_is_no_concern_before_there_was_time_to_hear_it() -> None:
    gone = but(members(NOW), "oci-1", standing=MemberStanding.UNHEARD, heard_at=None, uncounted="not heard of")
    assert seen(policy("api"), target("api"), replace(gone, listens_since=NOW - 5)).concerns == ()
    (concern,) = seen(policy("api"), target("api"), gone).concerns
    assert (concern.level, concern.text) == (Condition.MOVED, "oci-1 (oci) was not heard of yet")
