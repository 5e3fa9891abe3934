"""`check` over all policies: a capacity review before the night on which it is needed."""

from pathlib import Path

import pytest
from support.manual import POLICIES, REAL_KINDS

from failoverd.config.diagnostics import Code, Diagnostic
from failoverd.config.loader import load_paths


def found(folder: Path) -> list[Diagnostic]:
    return list(load_paths([folder], REAL_KINDS).diagnostics)


@pytest.fixture
def tiers(tmp_path: Path) -> Path:
    for path in (POLICIES / "tiers").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


def edited(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def without_data(tiers: Path) -> None:
    """Where no link bounds anything, capacity alone counts."""
    for name in ("prod", "pilot"):
        edited(tiers / f"llm-{name}.yaml", "data_in: {region: azure-weu, per_request: 200kB}\n", "")


def test_each_loss_that_leaves_somebody_short_is_told_at_the_region_with_who_pays_for_it(tiers: Path) -> None:
    told = found(tiers)
    assert [each.code for each in told] == [Code.LOSS_SHORT, Code.LOSS_SHORT]
    assert told[0].message == (
        "losing azure-weu leaves too little for all policies together: tier dev is short of 200 (llm-dev 200 on top of "
        "aws-euc1)"
    )
    assert told[0].line == 9
    assert "shed_to" in told[0].hint
    assert not any(each.is_error for each in told)


def test_what_does_not_fit_on_a_normal_day_is_told_once_and_by_tier(tiers: Path) -> None:
    edited(tiers / "regions.yaml", "capacity: 900", "capacity: 300")
    (told,) = [each for each in found(tiers) if each.code is not Code.LINKS_NARROW]
    assert told.code is Code.ESTATE_SHORT
    assert "tier pilot is short of 262.5 (llm-pilot 262.5" in told.message
    assert "tier dev is short of 400" in told.message, "what is too much for pilot's link is in oci-fra all the same"


def test_a_policy_without_a_demand_among_those_that_have_one_is_not_counted(tiers: Path) -> None:
    edited(tiers / "llm-dev.yaml", "demand: 400", "# demand: 400")
    (told,) = [each for each in found(tiers) if each.code is Code.UNCOUNTED]
    assert told.message.startswith("llm-dev has no demand: its traffic is not counted in the load of azure-weu, and")


def test_enough_for_every_loss_is_nothing_to_say(tiers: Path) -> None:
    edited(tiers / "llm-dev.yaml", "demand: 400", "demand: 200")
    assert found(tiers) == []


def test_many_losses_are_told_in_a_few_lines(tiers: Path) -> None:
    places = [f"  r{index}: {{cloud: lab, capacity: 10, jurisdiction: EU}}" for index in range(40)]
    (tiers / "regions.yaml").write_text("version: 1\nregions:\n" + "\n".join(places) + "\n")
    entries = "\n".join(f"  r{index}: {{endpoints: [192.0.2.{index + 1}]}}" for index in range(40))
    for name in ("prod", "pilot", "dev"):
        path = tiers / f"llm-{name}.yaml"
        head, _, rest = path.read_text().partition("regions:\n")
        checks = next(line for line in rest.splitlines() if line.startswith("  live:"))
        path.write_text(f"{head}regions:\n{entries}\n\nchecks:\n{checks}\n\ndemand: 133\n")
    told = found(tiers)
    assert len(told) == 21
    assert told[-1].code is told[0].code is Code.LOSS_SHORT


def test_policies_that_count_a_region_in_different_units_are_told(tiers: Path) -> None:
    edited(tiers / "llm-dev.yaml", "demand: 400", "demand: 200\nunit: tokens")
    edited(tiers / "llm-prod.yaml", "demand: 800", "demand: 800\nunit: rps")
    (told,) = found(tiers)
    assert (told.code, told.is_error) == (Code.UNIT_UNSAID, False)
    assert told.message == (
        "llm-dev in tokens and llm-prod in rps count what goes to aws-euc1, which says no unit, nor do 2 more: they "
        "are added up all the same"
    )


WEEKLY = "practice: {at: TUE 10:00 UTC, for: 30m, away: azure-weu}\n"


def drills(folder: Path) -> list[Diagnostic]:
    return [each for each in found(folder) if each.code is Code.PRACTICE_UNBEARABLE]


def test_a_drill_that_all_policies_together_cannot_bear_is_told_before_it_is_tried(tiers: Path) -> None:
    without_data(tiers)
    edited(tiers / "regions.yaml", "version: 1", f"version: 1\n{WEEKLY}")
    (told,) = drills(tiers)
    assert not told.is_error
    assert told.message == (
        "drills of azure-weu that the inventory plans would not begin: without azure-weu the others carry 1500 of "
        "1870, which is 1.1 times the demand; short: llm-dev 370"
    )
    edited(tiers / "llm-dev.yaml", "demand: 400", "demand: 60")
    assert drills(tiers) == []


def test_a_drill_of_one_policy_has_to_be_borne_by_the_others_as_well(tiers: Path) -> None:
    edited(tiers / "llm-prod.yaml", "tier: prod", f"tier: prod\n{WEEKLY}")
    assert drills(tiers) == []
    edited(tiers / "llm-dev.yaml", "demand: 400", "demand: 900")
    (told,) = drills(tiers)
    assert told.message.startswith("drills of azure-weu that policy llm-prod plans would not begin")


def test_the_margin_of_a_drill_is_asked_of_a_policy_alone_as_well(tiers: Path) -> None:
    without_data(tiers)
    for name in ("pilot", "dev"):
        (tiers / f"llm-{name}.yaml").unlink()
    edited(tiers / "llm-prod.yaml", "demand: 800", f"demand: 1400\n{WEEKLY}")
    (told,) = drills(tiers)
    assert "the others carry 1500 of 1540" in told.message
