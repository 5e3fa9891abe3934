"""Which parts of a policy its tests have shown at work, and which they have not."""

from pathlib import Path

from support.playing import POLICY, REGIONS, folder, loaded

from failoverd.simulation.coverage import Coverage, coverage
from failoverd.simulation.trial import play, site_of

LOST = """
version: 1
tests:
  - name: azure is lost and back
    policy: shop
    series: {azure-weu/*: "P x10 F x30 P"}
    at: {10m: {changes: 2}}
"""


def covered(path: Path, tests: str, *, policy: str = POLICY, regions: str = REGIONS) -> Coverage:
    (estate,) = loaded(folder(path, tests, policy=policy, regions=regions)).estates
    verdicts = [play(test, site_of(estate.found)) for test in estate.tests]
    names = frozenset(name for verdict in verdicts for of, found in verdict.shown if of == "shop" for name in found)
    return coverage(estate.found.policies["shop"], estate.found.rules or (), names)


def names(found: Coverage) -> tuple[set[str], set[str]]:
    return {part.name for part in found.shown}, {part.name for part in found.missing}


def test_a_region_is_lost_and_comes_back(tmp_path: Path) -> None:
    shown, missing = names(covered(tmp_path, LOST))
    assert shown == {"azure-weu is lost", "azure-weu comes back", "demand is heeded"}
    assert missing >= {"oci-fra is lost", "everything is down"}


def test_a_limit_that_held_something_back_was_at_work(tmp_path: Path) -> None:
    tests = LOST.replace('series: {azure-weu/*: "P x10 F x30 P"}', 'given: {demand: "800 x10 1400"}')
    limited = POLICY + "limits: {max_shift: 2% per 5m, max_changes: 6 per 1h}\n"
    shown, missing = names(covered(tmp_path, tests, policy=limited))
    assert "limits.max_shift holds something back" in shown
    assert "limits.max_changes holds something back" in missing


def test_everything_is_down(tmp_path: Path) -> None:
    shown, _ = names(covered(tmp_path, LOST.replace("azure-weu/*", '"*"').replace("F x30 P", "E")))
    assert "everything is down" in shown


def test_residency_is_heeded_where_the_policy_has_one(tmp_path: Path) -> None:
    fenced = POLICY + "residency: {allow: [EU]}\n"
    shown, _ = names(covered(tmp_path, LOST, policy=fenced))
    assert "residency is heeded" in shown
    _, missing = names(covered(tmp_path, LOST))
    assert "residency is heeded" not in missing


def test_a_rule_of_the_inventory_is_a_part_of_every_policy_that_it_binds(tmp_path: Path) -> None:
    rules = "rules:\n  - {name: two-of-three, assert: {at_least: 2, of: [azure-*, oci-*, aws-*]}}\n"
    lost = LOST.replace('series: {azure-weu/*: "P x10 F x30 P"}', 'series: {"*-[uf]*": "P x10 F"}')
    found = covered(tmp_path, lost, regions=REGIONS + rules)
    assert {"rule two-of-three holds something back"} <= {part.name for part in (*found.shown, *found.missing)}


def test_each_part_has_its_place_in_the_files(tmp_path: Path) -> None:
    found = covered(tmp_path, LOST)
    places = {part.name: part.place.removeprefix(f"{tmp_path}/") for part in (*found.shown, *found.missing)}
    assert places["azure-weu is lost"] == "shop.yaml:9"
    assert places["everything is down"] == "shop.yaml, default of when_all_down"


def test_percent_are_of_all_parts() -> None:
    assert Coverage("shop", (), ()).percent == 100.0
