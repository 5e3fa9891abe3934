"""What a test says, held against what is seen: how exactly, and in which words a difference is told."""

from pathlib import Path

import pytest
from support.playing import POLICY, apart, folder, loaded, played

from failoverd.config.schema.test_file import GivenEntry, NeverEntry, parse_said_share
from failoverd.core.records import Marker, Observed, RecordSet, RecordType
from failoverd.simulation.expectations import holds, never_so, say_moment, say_shares
from failoverd.simulation.rehearsal import NOON, before, rehearsing
from failoverd.simulation.trial import site_of
from failoverd.simulation.virtual_time import run
from failoverd.simulation.zonefile import Write


@pytest.mark.parametrize(
    ("written", "basis_points", "so"),
    [
        (33, 3333, True),
        (33, 3350, True),
        (33, 3351, False),
        (33.3, 3333, True),
        (33.3, 3338, False),
        (33.0, 3333, False),
        (33.33, 3333, True),
        (33.33, 3334, False),
        (0, 0, True),
        (0, 1, False),
        (100, 10_000, True),
    ],
)
def test_a_share_is_as_exact_as_it_is_written(written: float, basis_points: int, so: bool) -> None:
    assert parse_said_share(written).is_so(basis_points) is so


FOUND = "capacity, failback_waived, pull, region_down, region_healthy, share, spill"


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (
            "{shares: {azure-weu: 70, oci-fra: 30}}",
            "shares: azure-weu 70, oci-fra 30 / azure-weu 0, oci-fra 75, aws-use1 25",
        ),
        ("{shares: {oci-fra: 75}}", "shares: oci-fra 75 / oci-fra 75, aws-use1 25"),
        ("{shares: {}}", "shares: nothing / oci-fra 75, aws-use1 25"),
        (
            "{reasons: [capacity, ramp]}",
            "reasons: ramp / capacity, failback_waived, pull, region_down, region_healthy, share, spill",
        ),
        ("{cause: tuning}", "cause: tuning / failing_out"),
        ("{changes: 2}", "changes: 2 / 1"),
        ("{holds: [max_shift]}", "holds: max_shift / none"),
        ("{state: drifted}", "state: drifted / in_sync"),
        ("{regions: {azure-weu: healthy}}", "regions.azure-weu: healthy / down"),
        ("{until: 5m}", "until: 5m / never by itself"),
    ],
)
def test_a_difference_says_what_was_expected_and_what_was_found(tmp_path: Path, expected: str, told: str) -> None:
    verdict = played(tmp_path, f'series: {{azure-weu/*: "P x10 F"}}\nat: {{25s: {expected}}}')
    assert apart(verdict) == [told]
    assert verdict.differences[0].at == 25.0


def test_nothing_moved_is_no_cause(tmp_path: Path) -> None:
    assert apart(played(tmp_path, "at: {5s: {cause: tuning}}")) == ["cause: tuning / nothing moved"]


def test_a_limit_that_holds_something_back_is_seen_and_so_is_none(tmp_path: Path) -> None:
    slowly = POLICY + "limits: {max_shift: 2% per 5m}\n"
    said = "given: {demand: '800 x10 1400'}\nat: {1m: {holds: [max_shift]}}"
    assert apart(played(tmp_path, said, policy=slowly)) == []
    assert apart(played(tmp_path, said.replace("[max_shift]", "[]"), policy=slowly)) == ["holds: none / max_shift"]


def test_what_is_said_of_another_policy_is_looked_up_there(tmp_path: Path) -> None:
    other = POLICY.replace("shop", "desk").replace("10]", "11]")
    verdict = played(tmp_path, "at: {5s: {policies: {desk: {changes: 1}}}}", desk=other)
    assert [(each.policy, each.key) for each in verdict.differences] == [("desk", "changes")]


def test_what_no_daemon_writes_is_seen_all_the_same(tmp_path: Path) -> None:
    """An answer outside of the residency, and an empty one: as if there were a defect."""
    fenced = POLICY + "residency: {allow: [EU]}\n"
    site = site_of(loaded(folder(tmp_path, "version: 1\ntests: []\n", policy=fenced)).estates[0].found)
    target = site.policies["shop"].targets[0]

    async def scenario() -> list[str]:
        async with rehearsing(site, GivenEntry(), "shop") as rehearsal:
            zonefile, marker = rehearsal.zonefiles["dns"], Marker("prod", "shop", 99, (RecordType.A,))
            for weights in ({"203.0.113.10": 100}, dict[str, int]()):
                records = RecordSet.of(target.key, 30, weights)
                zonefile.wrote(Write(rehearsal.began, target, records, marker, Observed(target, None)))
            never = NeverEntry(empty=True, leaves_residency=True)
            return [f"{each.key}: {each.found}" for each in never_so(never, rehearsal, "shop", ())]

    assert run(scenario(), before(site, NOON)) == ["never.leaves_residency: 203.0.113.10", "never.empty: none"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(25, "25s"), (0, "0s"), (14.623, "14.6s"), (14.96, "15s"), (353.624, "5m53.6s"), (60.04, "1m"), (0.25, "0.2s")],
)
def test_times_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert say_moment(seconds) == words


def test_shares_are_told_in_one_order_so_that_the_eye_finds_the_difference() -> None:
    assert say_shares({"a": 2500, "b": 7500, "c": 0}) == "b 75, a 25"
    assert say_shares({"a": 2500, "b": 7500}, ["c", "a"]) == "c 0, a 25, b 75"
    assert say_shares({}) == "nothing"


@pytest.mark.parametrize(
    ("comparison", "number", "so"), [("> 40", 40, False), (">= 40", 40, True), ("<10.5", 10, True), ("<= 9", 10, False)]
)
def test_comparisons_mean_what_they_say(comparison: str, number: float, so: bool) -> None:
    assert holds(comparison, number) is so
