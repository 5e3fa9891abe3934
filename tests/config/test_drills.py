"""Drills as files plan them: when they begin, whose turn it is, and what `check` says of drills that cannot be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from support.files import INVENTORY, POLICY, Folder, told

from failoverd.config.cron import schedule_of
from failoverd.config.drills import drills, planned_drills, planner_of_all
from failoverd.core.overrides import Scope, Verb
from failoverd.core.records import Maintenance, Practice

HALF = 1_800.0
WEEKLY = "{at: TUE 10:00 UTC, for: 30m}"


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def practice(said: str = "TUE 10:00 UTC", *regions: str, **more: Any) -> Practice:  # noqa: ANN401 - of its fields
    return Practice(*schedule_of(said), HALF, regions or ("east", "west"), **{"at": "api.yaml:12", **more})


def begun(of: Practice, since: str, until: str) -> list[str]:
    found = drills(of, at(since), at(until))
    return [f"{datetime.fromtimestamp(start, UTC):%m-%d %H:%M} {region}" for start, region in found]


def said(entry: str) -> str:
    return f"practice: {entry}\n"


# -- when, and whose turn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cron", "timezone"),
    [
        ("TUE 10:00 UTC", "0 10 * * TUE", "UTC"),
        ("MON-FRI 9:30 Europe/Berlin", "30 9 * * MON-FRI", "Europe/Berlin"),
        ("daily 03:05", "5 3 * * *", "UTC"),
        ("0 10 1 * * America/New_York", "0 10 1 * *", "America/New_York"),
        ("0 10 1 * *", "0 10 1 * *", "UTC"),
    ],
)
def test_a_schedule_is_days_and_a_time_or_cron_and_a_time_zone(text: str, cron: str, timezone: str) -> None:
    assert schedule_of(text) == (cron, timezone)


def test_regions_take_turns_whatever_restarts_and_across_the_year() -> None:
    assert begun(practice(), "2026-12-14T00:00Z", "2027-01-16T00:00Z") == [
        "12-15 10:00 west",
        "12-22 10:00 east",
        "12-29 10:00 west",
        "01-05 10:00 east",
        "01-12 10:00 west",
    ]
    assert begun(practice(), "2027-01-05T10:10Z", "2027-01-06T00:00Z") == ["01-05 10:00 east"]
    monthly = practice("0 10 1 * * UTC", "a", "b", "c")
    assert [each[-1] for each in begun(monthly, "2027-01-01T00:00Z", "2027-07-01T11:00Z")] == list("abcabca")


def test_what_is_skipped_or_blocked_is_left_out() -> None:
    freeze = Maintenance("", 5 * 86_400.0, begins=at("2026-12-27T00:00Z"))
    mornings = Maintenance("", 3_600.0, cron="15 10 * * *")
    left_out = practice(skip=frozenset({"2026-12-15"}), block=(freeze,))
    assert begun(left_out, "2026-12-14T00:00Z", "2027-01-06T00:00Z") == ["12-22 10:00 east", "01-05 10:00 east"]
    assert begun(practice(block=(mornings,)), "2026-12-14T00:00Z", "2027-01-06T00:00Z") == []


def test_a_drill_is_a_word_that_is_not_cleared() -> None:
    word, _ = planned_drills([("api", practice(succeed=("live",)))], at("2026-12-15T00:00Z"))
    assert (word.verb, word.scope, word.actor) == (Verb.PRACTICE, Scope(("api",), regions=("west",)), "api.yaml:12")
    assert word.id.startswith("practice-")
    assert (word.since, word.until) == (at("2026-12-15T10:00Z"), at("2026-12-15T10:30Z"))
    assert (word.planned, word.cleared, word.succeed) == (True, False, ("live",))
    assert not word.in_force(word.since)
    assert planner_of_all({}, (), [practice()])(at("2026-12-15T00:00Z"))[0].scope == Scope(regions=("west",))


def test_the_next_one_is_planned_however_far_it_is() -> None:
    def coming(said: str, now: str) -> list[str]:
        found = planned_drills([("api", practice(said))], at(now))
        return [f"{datetime.fromtimestamp(word.since, UTC):%m-%d %H:%M}" for word in found]

    assert coming("TUE 10:00 UTC", "2026-12-16T00:00Z") == ["12-22 10:00"]
    assert coming("TUE 10:00 UTC", "2026-12-15T10:10Z") == ["12-15 10:00", "12-22 10:00"]
    assert coming("DAILY 10:00", "2026-12-15T00:00Z") == ["12-15 10:00", "12-16 10:00"]
    assert coming("0 10 30 2 * UTC", "2026-12-15T00:00Z") == []


def test_of_those_of_later_the_next_are_told_and_of_those_of_a_day_all() -> None:
    weekly = [(f"api-{number}", practice("TUE 10:00 UTC")) for number in range(300)]
    later = planned_drills([("first", practice("MON 10:00 UTC")), *weekly], at("2026-12-12T00:00Z"))
    assert (later[0].scope.policies, len(later)) == (("first",), 100)
    assert len(planned_drills(weekly, at("2026-12-15T00:00Z"))) == 400


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_policy_and_the_inventory_say_it(folder: Folder) -> None:
    folder.write("regions.yaml", INVENTORY.replace("  north: {cloud: oci}\n", "") + said(WEEKLY))
    own = "{at: SAT 02:00 Europe/Berlin, for: 1h, away: west, succeed: [live], skip: [2999-06-01]}"
    assert folder.only(POLICY + said(own)) == []
    found = folder.load()
    (of_policy,) = (policy.practice for policy in found.policies.values())
    assert of_policy is not None
    assert (of_policy.cron, of_policy.timezone, of_policy.lasts) == ("0 2 * * SAT", "Europe/Berlin", 3_600.0)
    assert (of_policy.regions, of_policy.succeed) == (("west",), ("live",))
    assert found.practices is not None
    assert [each.regions for each in found.practices] == [("east", "west")]


STANDBY = POLICY.replace("  west: {share: 30", "  north: {share: 0, endpoints: [203.0.113.1]}\n  west: {share: 30")


def test_a_standby_has_no_turn(folder: Folder) -> None:
    assert folder.only(STANDBY.replace("70", "50").replace("share: 30", "share: 50") + said(WEEKLY)) == []
    (found,) = folder.load().policies.values()
    assert found.practice is not None
    assert found.practice.regions == ("east", "west")


ENTRIES: Mapping[str, tuple[str, str, str]] = {
    "a region that no policy has": (
        "{at: TUE 10:00 UTC, for: 30m, away: esat}",
        "FD380",
        'region "esat" is not in policy api',
    ),
    "a cron that never fires": ("{at: 0 10 30 2 * UTC, for: 30m}", "FD381", "is no time of any day"),
    "a drill longer than the time between": (
        "{at: DAILY 10:00, for: 24h}",
        "FD382",
        "a drill of 1d is not over when the next begins",
    ),
    "all of them blocked": (
        "{at: TUE 10:00, for: 30m, block: [{cron: 0 9 * * *, for: 2h}]}",
        "FD381",
        "block and skip leave no drill",
    ),
    "a check that is not there": ("{at: TUE 10:00, for: 30m, succeed: [lvie]}", "FD383", 'has no check "lvie"'),
    "a day that is over": ("{at: TUE 10:00, for: 30m, skip: [2020-12-22]}", "FD451", "2020-12-22 is over"),
    "a day without a drill": (
        "{at: TUE 10:00, for: 30m, skip: [2999-12-25]}",
        "FD451",
        "no drill begins on 2999-12-25 (Wednesday)",
    ),
    "a clock that is set meanwhile": (
        "{at: SUN 02:30 Europe/Berlin, for: 1h}",
        "FD452",
        "the clock of Europe/Berlin is set during the drill of",
    ),
    "a clock that is set while it blocks": (
        "{at: TUE 10:00 Europe/Berlin, for: 30m, block: [{cron: 30 1 * * SUN, for: 2h}]}",
        "FD452",
        "the clock of Europe/Berlin is set while this blocks, or on its way to it: ",
    ),
    "days by numbers": ("{at: 2 10:00 UTC, for: 30m}", "FD204", "days of the week are written by their names"),
    "no time": ("{at: often, for: 30m}", "FD204", "write days, a time and a time zone"),
    "an unknown time zone": ("{at: TUE 10:00 Europe/Brelin, for: 30m}", "FD204", "is no time zone"),
    "no day": ("{at: TUE 10:00, for: 30m, skip: [2026-02-30]}", "FD204", "is no day of the calendar"),
    "too long": ("{at: TUE 10:00, for: 2d}", "FD204", "is not within 1m and 24h"),
    "a window of both kinds": (
        "{at: TUE 10:00, for: 30m, block: [{cron: 0 9 * * *, from: 2999-01-01T00:00Z, for: 2h}]}",
        "FD204",
        "a window begins either",
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_what_cannot_be_meant_is_told_with_its_place_and_a_remedy(folder: Folder, name: str) -> None:
    entry, code, words = ENTRIES[name]
    found = folder.only(POLICY + said(entry))
    (told_of,) = found
    assert (told_of.code.value, told_of.line) == (code, 10)
    assert words in told_of.message
    assert told_of.hint or code == "FD204"


def test_a_policy_with_one_region_has_nothing_to_practise(folder: Folder) -> None:
    alone = POLICY.replace("  west: {share: 30, endpoints: [198.51.100.1]}\n", "").replace("70", "100")
    assert [code for _, code in told(folder.only(alone + said(WEEKLY)))] == ["FD380"]


def test_what_the_others_cannot_carry_is_told_before_it_is_tried(folder: Folder) -> None:
    (found,) = folder.only(POLICY + "demand: 120\n" + said(WEEKLY))
    assert (found.code.value, str(found.severity)) == ("FD450", "warning")
    assert "without east the other regions cannot carry" in found.message


def test_drills_of_the_inventory_are_about_regions_that_policies_have(folder: Folder) -> None:
    folder.write("regions.yaml", INVENTORY + said(WEEKLY))
    (idle,) = folder.only(POLICY)
    assert (idle.code.value, idle.line) == ("FD453", 6)
    assert 'no policy has region "north"' in idle.message
    folder.write("regions.yaml", INVENTORY + said("{at: TUE 10:00, for: 30m, away: south}"))
    assert ("6:43", "FD380") in told(folder.only(POLICY))
