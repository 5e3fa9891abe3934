"""Sentences for people: every code has words, and the numbers in them are those of the reason."""

from collections import defaultdict
from dataclasses import replace

import pytest
from support.scenes import NOW, TARGET

from failoverd.core.control import news
from failoverd.core.control.propagation import Nameserver, Propagation
from failoverd.core.events import ChangeApplied, FailoverHeld, PlanHeld, TargetDelayed
from failoverd.core.reasons import Cause, Limit, LimitCheck, LimitNote, Reason, ReasonCode
from failoverd.telemetry import phrases, prose, reasoning

WHERE = news.names(TARGET, "", NOW)


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_words_of_one_line(code: ReasonCode) -> None:
    numbers: dict[str, float] = defaultdict(lambda: 1.0)
    words = reasoning.words(Reason(code, region="azure", regions=("azure",), numbers=numbers, detail="alice adopts it"))
    assert words
    assert "\n" not in words


@pytest.mark.parametrize("limit", Limit)
@pytest.mark.parametrize("note", LimitNote)
@pytest.mark.parametrize("cause", [None, *Cause])
def test_every_limit_and_every_note_has_words(limit: Limit, note: LimitNote, cause: Cause | None) -> None:
    words = reasoning.limit(LimitCheck(limit, passed=True, found=1, allowed=2, window=300.0, cause=cause, note=note))
    assert words.startswith(limit)
    assert words.endswith(")") == bool(note)


def test_what_an_earlier_version_told_stays_as_it_was_told() -> None:
    assert reasoning.words(Reason(ReasonCode.REGION, text="azure is down (score 0%)")) == "azure is down (score 0%)"


def test_reasons_say_their_numbers() -> None:
    hold = Reason(ReasonCode.FAILBACK_HOLD, region="azure", numbers={"well": 120.0, "hold": 300.0})
    assert reasoning.words(hold) == "azure has been well for 120s of the 300s before it gets traffic"
    deadband = Reason(ReasonCode.DEADBAND, numbers={"step": 360.0, "min_step": 500.0})
    assert reasoning.words(deadband) == "the largest step would be 3.6%, and less than 5% is not worth a change"
    overload = Reason(ReasonCode.OVERLOAD, numbers={"rest": 2_500.0}, shares={"oci": 7_500.0})
    assert reasoning.words(overload).startswith("25% fits nowhere: it is split by what each region can carry (oci 75%)")


SHIFTED = LimitCheck(Limit.MAX_SHIFT, passed=False, found=5_000, allowed=2_000, window=300.0, cause=Cause.TUNING)
NARROW = LimitCheck(Limit.MIN_REGIONS, passed=False, found=1, allowed=2)


def test_a_limit_says_what_was_found_and_what_is_allowed() -> None:
    assert reasoning.limit(SHIFTED) == "max_shift of tuning: 50%, not within 20% per 300s"
    assert reasoning.limit(NARROW) == "min_regions: 1 regions, not within at least 2 regions"
    counted = LimitCheck(Limit.MAX_CHANGES, passed=True, found=3, allowed=6, window=3_600.0)
    assert reasoning.limit(counted) == "max_changes: change 3, within 6 per 3600s"


def test_a_limit_that_lets_pass_what_its_numbers_do_not_says_why_and_no_wrong_number() -> None:
    smaller = replace(SHIFTED, passed=True, note=LimitNote.SMALLER)
    assert reasoning.limit(smaller) == "max_shift of tuning: 50%, not within 20% per 300s (so the step is made smaller)"
    before = LimitCheck(Limit.MAX_SHIFT, True, 1_000, 2_000, 300.0, note=LimitNote.BEFORE_EDIT)
    assert reasoning.limit(before) == "max_shift: 10%, within 20% per 300s (counted from before somebody else's edit)"


def test_what_is_tried_again_at_once_is_not_said_to_wait_for_no_seconds() -> None:
    said = {"reason": "timeout", "detail": "no answer", "remedy": ""}
    delayed = TargetDelayed(**WHERE, **said, retry_in=0.2, attempts=1, wanted={})
    assert prose.say(delayed) == "api.example.com A at dns-main is tried again at once: no answer (timeout)"
    assert "waits 4s: " in prose.say(replace(delayed, retry_in=4.0))


def test_a_held_plan_names_what_is_wanted_the_limit_and_its_line() -> None:
    wanted = {"oci": 10_000}
    event = PlanHeld(**WHERE, wanted=wanted, cause=Cause.TUNING, limits=(SHIFTED,), rule_at="api.yaml:24")
    assert prose.say(event) == (
        "api.example.com A at dns-main should be oci 100% but a limit holds it (api.yaml:24): "
        "max_shift of tuning: 50%, not within 20% per 300s"
    )
    assert dict(prose.facts(event))["limits"] == ("max_shift of tuning: 50%, not within 20% per 300s",)
    dead = FailoverHeld(**WHERE, wanted=wanted, cause=Cause.FAILING_OUT, limits=(NARROW,), rule_at="api.yaml:20")
    assert "min_regions: 1 regions, not within at least 2 regions" in prose.say(dead)


def test_a_plan_that_a_rule_holds_says_its_name_who_lets_it_through_and_when_it_goes_by_itself() -> None:
    check = LimitCheck(Limit.ASSERTION, passed=False, found=1, allowed=2, rule="two-clouds", rule_at="regions.yaml:9")
    event = FailoverHeld(
        **WHERE,
        wanted={"oci": 10_000},
        cause=Cause.FAILING_OUT,
        limits=(check,),
        rule_at="regions.yaml:9",
        until=NOW + 600,
        digest="0123456789ab",
    )
    assert prose.say(event) == (
        "api.example.com A at dns-main should be oci 100% but a limit holds it (regions.yaml:9): "
        "assertion two-clouds: 1 of its groups, not within at least 2. "
        f"To let it through: failoverctl approve 0123456789ab --reason TEXT, or it goes at {phrases.moment(NOW + 600)}"
    )


def test_what_is_not_proved_yet_names_who_is_in_the_way() -> None:
    server = Nameserver("127.0.0.1", 5300, "ns1.example.com")
    assert prose.unproved(Propagation()) == "nobody was heard yet"
    found = Propagation(unasked=(server,), silent=(server,))
    named = "ns1.example.com (127.0.0.1:5300)"
    assert prose.unproved(found) == f"{named} is silent; {named} cannot be asked from here"


def change(shares_to: dict[str, int], evidence: tuple[Reason, ...] = ()) -> ChangeApplied:
    return ChangeApplied(
        **WHERE, change_id="chg-1", kind="change", generation=3, shares_from={"azure": 7_000, "oci": 3_000},
        shares_to=shares_to, answers_from={}, answers_to={"192.0.2.1": 7_000, "198.51.100.1": 3_000}, ttl=30,
        cause=Cause.FAILING_OUT, reasons=evidence, evidence=evidence, limits=(), rule_at="api.yaml:9", revision="r1",
        actor="failoverd", undo="", took=0.25,
    )  # fmt: skip


def test_a_change_says_from_where_to_where_and_why() -> None:
    down = Reason(ReasonCode.REGION_DOWN, region="azure", numbers={"score": 0.0}, detail="192.0.2.1 refuses")
    assert prose.say(change({"oci": 10_000}, (down,))) == (
        "api.example.com A at dns-main moved from azure 70%, oci 30% to oci 100% (generation 3). "
        "Why: azure is down (score 0%): 192.0.2.1 refuses"
    )


def test_a_change_that_moves_no_traffic_between_regions_says_what_it_changes() -> None:
    assert prose.say(change({"azure": 7_000, "oci": 3_000})) == (
        "api.example.com A at dns-main keeps azure 70%, oci 30% and changes what it answers "
        "(change: 192.0.2.1, 198.51.100.1 with ttl 30s, generation 3)."
    )
