"""Planned work: when its windows begin, the words that they are, and what `check` says of work that cannot be borne."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest
from support.files import INVENTORY, POLICY, Folder, told

from failoverd.config.cron import begins
from failoverd.config.maintenance import planned, windows
from failoverd.core.overrides import AHEAD, Scope, Verb
from failoverd.core.records import Maintenance

HOUR = 3_600.0
FAR = "2999-12-01T22:00Z"
EAST = f"{{region: east, from: {FAR}, for: 4h, reason: new switches}}"


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def said(moments: list[float]) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, UTC):%m-%d %H:%M}" for moment in moments]


def again(cron: str, since: str, count: int, timezone: str = "Europe/Berlin") -> list[str]:
    return said(list(islice(begins(cron, timezone, at(since), at(since) + 90 * 86_400), count)))


def working(*entries: str) -> str:
    return "maintenance:\n" + "".join(f"  - {entry}\n" for entry in entries)


def sized(folder: Folder, east: int, west: int) -> None:
    folder.write(
        "regions.yaml", INVENTORY.replace("azure, capacity: 100", f"azure, capacity: {east}").replace("100", f"{west}")
    )


# -- when windows begin ------------------------------------------------------------------------------------------------


def test_cron_is_read_in_its_time_zone() -> None:
    assert again("0 22 * * TUE", "2026-11-30T00:00Z", 2) == ["12-01 21:00", "12-08 21:00"]
    assert again("0 22 * * TUE", "2027-07-01T00:00Z", 1) == ["07-06 20:00"]
    assert again("0 22 * * TUE", "2026-11-30T00:00Z", 1, "UTC") == ["12-01 22:00"]


def test_a_time_zone_is_known_where_the_system_has_none() -> None:
    """As in a slim container, where a file that is sound on every desk would not load."""
    program = (
        "from failoverd.config.cron import begins, parse_timezone; "
        "print(parse_timezone('Europe/Berlin'), *begins('0 22 * * *', 'Europe/Berlin', 1796083200.0, 1796169600.0))"
    )
    bare = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=bare, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Europe/Berlin 1796158800.0\n", "")  # 21:00 UTC, for it is winter


def test_a_time_that_the_clock_skips_is_that_of_before() -> None:
    """02:30 of 28 March 2027 is not there in Berlin: it would have been 01:30 UTC, and is 03:30 by the new time."""
    assert again("30 2 * * *", "2027-03-27T00:00Z", 3) == ["03-27 01:30", "03-28 01:30", "03-29 00:30"]


@pytest.mark.parametrize(
    ("timezone", "cron", "begun"),
    [
        ("America/Santiago", "0 0 1-7 9 SUN", "2027-09-05 04:00"),
        ("Africa/Cairo", "0 0 24-30 4 FRI", "2027-04-29 22:00"),
        ("Asia/Beirut", "0 0 25-31 3 SUN", "2027-03-27 22:00"),
        ("Atlantic/Azores", "30 0 25-31 3 SUN", "2027-03-28 01:30"),
        ("America/Nuuk", "30 23 25-31 3 SAT", "2027-03-28 01:30"),
    ],
)
def test_midnight_is_skipped_in_some_places_and_its_work_is_done_all_the_same(
    timezone: str, cron: str, begun: str
) -> None:
    assert again(cron, f"{begun[:8]}01T00:00Z", 1, timezone) == [begun[5:]]


@pytest.mark.parametrize(
    ("cron", "timezone", "begun"),
    [
        ("0 2,3 * * *", "Europe/Berlin", ["03-28 01:00", "03-29 00:00", "03-29 01:00"]),
        ("0,30 2 * * *", "Europe/Berlin", ["03-28 01:00", "03-28 01:30", "03-29 00:00"]),
        ("*/30 2-3 * * *", "Europe/Berlin", ["03-28 01:00", "03-28 01:30", "03-29 00:00"]),
        ("0,30 0,23 * * *", "America/Nuuk", ["03-28 01:00", "03-28 01:30", "03-29 00:00"]),
    ],
)
def test_times_that_become_one_begin_once_and_none_is_lost_beside_another(
    cron: str, timezone: str, begun: list[str]
) -> None:
    """What is skipped is moved to after the change, where something else may begin, before it or in the same moment."""
    assert again(cron, "2027-03-28T00:30Z", 3, timezone) == begun


def test_an_hour_that_comes_twice_counts_once() -> None:
    """02:30 of 31 October 2027 is there at 00:30 UTC, and again at 01:30."""
    assert again("30 2 * * *", "2027-10-30T00:00Z", 3) == ["10-30 00:30", "10-31 00:30", "11-01 01:30"]


def test_a_window_across_the_change_of_the_clock_is_as_long_as_it_says() -> None:
    entry = Maintenance("x", 4 * HOUR, region="east", cron="0 0 * * SUN", timezone="Europe/Berlin")
    (word,) = (
        each for each in planned([("api", entry)], at("2027-03-27T23:30Z")) if each.in_force(at("2027-03-28T02:59Z"))
    )
    assert (word.since, word.until) == (at("2027-03-27T23:00Z"), at("2027-03-28T03:00Z"))


def test_both_days_have_to_fit() -> None:
    assert again("0 6 1-7 * MON", "2026-12-01T00:00Z", 2, "UTC") == ["12-07 06:00", "01-04 06:00"]


def test_a_window_counts_until_it_is_over() -> None:
    once = Maintenance("x", HOUR, region="east", begins=10_000.0)
    looks = (10_000.0 - 60, 10_000.0, 10_000.0 + HOUR - 1, 10_000.0 + HOUR)
    assert [list(windows(once, now, now + 100)) for now in looks] == [[10_000.0], [10_000.0], [10_000.0], []]
    weekly = Maintenance("x", 2 * HOUR, region="east", cron="0 22 * * TUE")
    assert said(list(windows(weekly, at("2026-12-01T23:59Z"), at("2026-12-09T00:00Z")))) == [
        "12-01 22:00",
        "12-08 22:00",
    ]


# -- the words that they are -------------------------------------------------------------------------------------------


def test_a_window_is_a_drain_in_the_name_of_the_line_that_says_it() -> None:
    entry = Maintenance("new switches", HOUR, region="east", begins=10_000.0, at="policies/api.yaml:12")
    (word,) = planned([("api", entry)], 9_000.0)
    assert (word.verb, word.scope) == (Verb.DRAIN, Scope(policies=("api",), regions=("east",)))
    assert (word.actor, word.reason, word.since, word.until) == (entry.at, entry.reason, 10_000.0, 10_000.0 + HOUR)
    (of_all,) = planned([("", replace(entry, region="", cloud="azure"))], 9_000.0)
    assert of_all.scope == Scope(clouds=("azure",))
    assert planned([("api", entry)], 10_000.0 - AHEAD - 1) == ()


def test_its_id_is_of_this_window_wherever_the_file_lies_and_however_it_grows() -> None:
    entry = Maintenance("new switches", HOUR, region="east", begins=10_000.0, at="policies/api.yaml:12")

    def name(policy: str = "api", **other: object) -> str:
        (word,) = planned([(policy, replace(entry, **other))], 9_000.0)  # type: ignore[arg-type]
        return word.id

    assert name().startswith("drain-")
    assert len(name()) == len("drain-01234567")
    assert name() == name(at="/etc/api.yaml:30") == name(reason="other") == name(lasts=60.0)
    assert len({name(), name("other"), name(region="west"), name(region="", cloud="east"), name(begins=9_999.0)}) == 5


# -- how it is written -------------------------------------------------------------------------------------------------


def test_work_of_a_policy_and_of_the_inventory_is_read_with_its_place(folder: Folder) -> None:
    weekly = '{cloud: oci, cron: "0  22 * * TUE", timezone: Europe/Berlin, for: 90m, reason: patches}'
    folder.write("regions.yaml", INVENTORY + working(weekly))
    assert folder.only(POLICY + working(EAST)) == []
    place, policy = folder.config.inventory, folder.config.policies / "policy.yaml"
    assert folder.running["api"].maintenance == (
        Maintenance("new switches", 4 * HOUR, region="east", begins=at(FAR), at=f"{policy}:11"),
    )
    assert folder.load().maintenance == (
        Maintenance("patches", 5_400, cloud="oci", cron="0 22 * * TUE", timezone="Europe/Berlin", at=f"{place}:7"),
    )


def test_a_moment_may_be_quoted_or_not(folder: Folder) -> None:
    for moment in ("2999-12-01T22:00Z", '"2999-12-01T22:00Z"', "2999-12-01T22:00:00+00:00", "2999-12-02T00:00+02:00"):
        assert folder.only(POLICY + working(EAST.replace(FAR, moment))) == []
        assert folder.running["api"].maintenance[0].begins == at(FAR)


@pytest.mark.parametrize(
    ("old", "new", "place", "code"),
    [
        (FAR, "2999-12-01T22:00", "11:26", "FD204"),  # which time is meant is not said
        (FAR, "2999-12-01", "11:26", "FD204"),
        (FAR, "2999-13-01T22:00Z", "11:26", "FD204"),
        ("4h", "73h", "11:50", "FD204"),
        ("4h", "30s", "11:50", "FD204"),
        (f"from: {FAR}", "cron: '0 22 * * 2'", "11:26", "FD204"),
        (f"from: {FAR}", "cron: '0 22 * *'", "11:26", "FD204"),
        (f"from: {FAR}", "cron: '0 25 * * *'", "11:26", "FD204"),
        (f"from: {FAR}", "cron: 0 22 * * TUE, timezone: Europe/Berlim", "11:50", "FD204"),
        (f"from: {FAR}", f"from: {FAR}, cron: 0 22 * * TUE", "11:5", "FD204"),
        (f"from: {FAR}", f"from: {FAR}, timezone: UTC", "11:5", "FD204"),
        (f"from: {FAR}, ", "", "11:5", "FD204"),
        ("region: east, ", "", "11:5", "FD204"),
        ("region: east", "region: east, cloud: azure", "11:5", "FD204"),
        ("region: east", "region: north", "11:14", "FD301"),  # in the inventory, and not in the policy
        ("region: east", "region: eats", "11:14", "FD301"),
        ("region: east", "cloud: oci", "11:13", "FD301"),
        ("for: 4h, ", "", "11:5", "FD202"),
        ("reason: new switches", "raeson: x", "11:54", "FD201"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_at_its_place(
    folder: Folder, old: str, new: str, place: str, code: str
) -> None:
    found = folder.only(POLICY + working(EAST.replace(old, new)))
    assert told(found) == [(place, code)]
    assert all(each.is_error for each in found)


@pytest.mark.parametrize(("old", "new"), [("region: east", "region: south"), ("region: east", "cloud: gcp")])
def test_nor_does_the_inventory_name_what_it_does_not_have(folder: Folder, old: str, new: str) -> None:
    folder.write("regions.yaml", INVENTORY + working(EAST.replace(old, new)))
    assert [code for _, code in told(folder.only(POLICY))] == ["FD301"]


# -- whether it can be borne -------------------------------------------------------------------------------------------


def test_work_that_the_others_can_carry_has_nothing_to_say(folder: Folder) -> None:
    assert folder.only(POLICY + "demand: 100\n" + working(EAST)) == []


def test_work_that_the_others_cannot_carry_is_refused_with_the_sum(folder: Folder) -> None:
    (found,) = folder.only(POLICY + "demand: 150\n" + working(EAST))
    assert (found.is_error, found.code.value, found.line) == (True, "FD325", 12)
    assert found.message == (
        "policy api cannot bear this work: "
        "without east the other regions cannot carry 33.33% of the demand on api.example.net A"
    )


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        ("20% per 10m", "only 30m after its beginning: 70% has to, and max_shift lets 20% move per 10m"),
        ("10% per 1h", "not before its end: 70% has to, and max_shift lets 10% move per 1h"),
    ],
)
def test_work_that_begins_before_a_rate_has_let_the_traffic_go_is_warned_of(
    folder: Folder, rate: str, says: str
) -> None:
    (found,) = folder.only(POLICY + f"limits: {{max_shift: {rate}}}\n" + working(EAST))
    assert (found.is_error, found.code.value, found.line) == (False, "FD414", 12)
    assert found.message == f"policy api leaves what is worked on {says}"
    assert "failoverctl drain REGION --now --reason TEXT --for" in found.hint
    assert folder.only(POLICY + f"weights: membership\nlimits: {{max_shift: {rate}}}\n" + working(EAST)) == []


def test_work_of_the_inventory_is_refused_for_the_policy_that_cannot_bear_it(folder: Folder) -> None:
    folder.write("regions.yaml", INVENTORY + working("{cloud: azure, cron: 0 22 * * TUE, for: 4h, reason: patches}"))
    folder.write(
        "small.yaml", POLICY.replace("policy: api", "policy: small").replace("api.", "small.") + "demand: 50\n"
    )
    (found,) = folder.only(POLICY + "demand: 150\n")
    assert (found.file, found.line, found.code.value) == (str(folder.config.inventory), 7, "FD325")
    assert sorted(folder.running) == ["small"]


def test_work_on_the_only_region_would_empty_the_answer(folder: Folder) -> None:
    text = POLICY.replace("  west: {share: 30, endpoints: [198.51.100.1]}\n", "")
    (found,) = folder.only(text + working(EAST))
    assert found.message.endswith("without east nobody is left to answer api.example.net A")


def test_windows_that_together_leave_nobody_are_refused_and_apart_they_are_not(folder: Folder) -> None:
    west = EAST.replace("east", "west")
    assert folder.only(POLICY + working(EAST, west.replace("12-01", "12-02"))) == []
    (found,) = folder.only(POLICY + working(EAST, west.replace("22:00", "23:00")))
    assert (found.line, found.code.value) == (12, "FD325")
    assert "cannot bear this work together with that at" in found.message
    assert found.message.endswith("without east and west nobody is left to answer api.example.net A")


def test_a_window_of_the_policy_may_meet_one_of_the_inventory(folder: Folder) -> None:
    daily = "{region: west, cron: 0 21 * * *, for: 2h, reason: backups}"
    folder.write("regions.yaml", INVENTORY + working(daily))
    assert folder.only(POLICY) == []
    found = folder.only(POLICY + working("{region: east, cron: 30 22 * * SUN, for: 1h, reason: patches}"))
    assert [each.code.value for each in found] == ["FD325"]


@pytest.mark.parametrize(
    "rest",
    ["limits: {min_regions: 2}\n", "limits: {min_regions: 2, max_shift: 5% per 1h}\n"],
    ids=["whole", "in steps"],
)
def test_work_that_a_limit_would_hold_is_refused(folder: Folder, rest: str) -> None:
    three = POLICY.replace("checks:", "  north: {share: 0, endpoints: [192.0.2.3]}\nchecks:").replace(
        "share: 70", "share: 60"
    )
    three = three.replace("share: 30", "share: 30").replace("share: 0", "share: 10")
    both = working(EAST, EAST.replace("east", "west"))
    (found,) = (each for each in folder.only(three + rest + both) if each.code.value == "FD325")
    assert found.message.endswith("api.example.net A would be held: min_regions finds 1, and asks for 2")


def test_work_that_breaks_a_rule_is_refused(folder: Folder) -> None:
    rule = "rules:\n  - {name: both, assert: {at_least: 2, of: [east, west]}, else_after: 0s}\n"
    folder.write("regions.yaml", INVENTORY + rule)
    (found,) = folder.only(POLICY + working(EAST))
    assert found.message.endswith("would be held: assertion both finds 1, and asks for 2")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{region: east, from: 2001-01-01T00:00Z, for: 1h, reason: x}", "this work was over"),
        ("{region: east, cron: 0 0 31 feb *, for: 1h, reason: x}", 'cron "0 0 31 feb *" begins on no day of a year'),
    ],
)
def test_what_is_over_is_a_warning_for_time_makes_no_file_wrong(folder: Folder, entry: str, words: str) -> None:
    (found,) = folder.only(POLICY + working(entry))
    assert (str(found.severity), found.code.value) == ("warning", "FD411")
    assert found.message.startswith(words)
    assert "api" in folder.running


def test_windows_that_the_clock_moves_into_one_have_their_pause(folder: Folder) -> None:
    night = "{region: east, cron: '0 2,3 * * *', timezone: Europe/Berlin, for: 30m, reason: x}"
    assert [each.code.value for each in folder.only(POLICY + working(night))] == ["FD417"]


@pytest.mark.parametrize(
    ("cron", "clock"),
    [("30 1 * * SUN", "01:30 to 03:30"), ("15 2 * * SUN", "03:15 to 04:15")],
    ids=["during", "skipped"],
)
def test_work_during_which_the_clock_is_set_says_how_that_looks(folder: Folder, cron: str, clock: str) -> None:
    (found,) = folder.only(
        POLICY + working(f"{{region: east, cron: {cron}, timezone: Europe/Berlin, for: 1h, reason: x}}")
    )
    assert (str(found.severity), found.code.value, found.line) == ("warning", "FD417", 11)
    assert found.message.startswith("the clock of Europe/Berlin is set during this work, or on its way to it: ")
    assert found.message.endswith(clock) or "-10-" in found.message
    assert "timezone: UTC" in found.hint
    assert "api" in folder.running


def test_work_of_a_day_or_by_a_moment_or_by_utc_has_no_hour_that_a_clock_could_move(folder: Folder) -> None:
    for entry in (
        "{region: east, cron: 30 1 * * SUN, timezone: Europe/Berlin, for: 24h, reason: x}",
        "{region: east, cron: 30 1 * * SUN, for: 1h, reason: x}",
        "{region: east, from: 2999-03-29T01:30+01:00, for: 1h, reason: x}",
    ):
        assert folder.only(POLICY + working(entry)) == []


def test_windows_without_a_pause_would_never_end(folder: Folder) -> None:
    (found,) = folder.only(POLICY + working("{region: east, cron: 0 0 * * *, for: 24h, reason: x}"))
    assert (found.is_error, found.code.value) == (True, "FD326")
    assert folder.only(POLICY + working("{region: east, cron: 0 0 * * *, for: 23h, reason: x}")) == []
