"""What a change of files does: played on paper, a good day and each loss, and what of it harms somebody."""

from pathlib import Path

import pytest
from support.playing import POLICY, REGIONS, folder, loaded

from failoverd.core.control import residency
from failoverd.operations.policy_changes import PolicyFiles
from failoverd.simulation.comparison import Comparison, compare_files
from failoverd.simulation.outlook import losses_of

NARROW = POLICY.replace("  aws-use1: {share: 0, endpoints: [203.0.113.10]}\n", "")
OTHER = POLICY.replace("shop", "other").replace("192.0.2.", "192.0.3.").replace("demand: 800", "demand: 10")


def read(path: Path, policy: str = POLICY, regions: str = REGIONS, **others: str) -> PolicyFiles:
    path.mkdir()
    (estate,) = loaded(folder(path, "version: 1\ntests: []\n", policy=policy, regions=regions, **others)).estates
    found = estate.found
    assert not found.rejected, [each.render() for each in found.diagnostics]
    return PolicyFiles(found.policies, found.rules or (), found.maintenance or (), found.practices or ())


def rows(found: Comparison) -> list[tuple[str, str, dict[str, int] | None, dict[str, int] | None]]:
    sides = ((each, each.before, each.after) for each in found.shares)
    return [
        (each.lost, each.policy, dict(old.shares) if old else None, dict(new.shares) if new else None)
        for each, old, new in sides
    ]


def alarms(found: Comparison) -> list[str]:
    return [f"{each.kind}: {each.said}" for each in found.alarms]


def test_where_nothing_changes_nothing_is_played(tmp_path: Path) -> None:
    played = list[int]()
    old, new = read(tmp_path / "old", other=OTHER), read(tmp_path / "new", other=OTHER)
    found = compare_files(old, new, lambda done, _: played.append(done))
    assert (found.differs, found.same, played) == (False, 2, [])


def test_each_loss_that_comes_to_something_else_is_told_and_what_is_alike_is_counted(tmp_path: Path) -> None:
    found = compare_files(read(tmp_path / "old"), read(tmp_path / "new", POLICY.replace("demand: 800", "demand: 600")))
    assert rows(found) == [
        ("azure-weu", "shop", {"oci-fra": 7500, "aws-use1": 2500}, {"oci-fra": 10000}),
    ]
    assert found.alike == 3  # a good day, and two losses


def test_a_loss_that_overloads_now_is_seen_first(tmp_path: Path) -> None:
    relaxed = NARROW + "limits: {max_changes: 9 per 1h}\n"
    found = compare_files(read(tmp_path / "old"), read(tmp_path / "new", relaxed))
    assert alarms(found) == [
        "overloads: without azure-weu, oci-fra is sent 800 and can carry 600",
        "limit_relaxed: limits.max_changes is 9 per 1h, and was 6 per 1h",
    ]


def test_one_that_overloaded_before_is_no_news_unless_it_is_worse(tmp_path: Path) -> None:
    old = read(tmp_path / "old", NARROW)
    calmer = read(tmp_path / "calmer", NARROW.replace("after: 5m", "after: 6m"))
    worse = read(tmp_path / "worse", NARROW.replace("demand: 800", "demand: 850"))
    assert alarms(compare_files(old, calmer)) == []
    assert alarms(compare_files(old, worse)) == [
        "overloads: without azure-weu, oci-fra is sent 850 and can carry 600; it was 800 before"
    ]


def test_overload_is_counted_over_all_policies_that_share_a_region(tmp_path: Path) -> None:
    """Alone, each of them fits; and what has too much on a good day is told of that day, where a loss adds nothing."""
    more, most = (OTHER.replace("demand: 10", f"demand: {number}") for number in (1500, 1900))
    old = read(tmp_path / "old", other=OTHER)
    found = alarms(compare_files(old, read(tmp_path / "more", other=more)))
    assert {each.partition(",")[0] for each in found} == {
        f"overloads: without {name}" for name in ("aws-use1", "azure-weu", "oci-fra")
    }
    found = alarms(compare_files(old, read(tmp_path / "most", other=most)))
    assert len([each for each in found if each.startswith("overloads: on a good day")]) == 3


def test_a_loss_that_leaves_nobody_is_seen(tmp_path: Path) -> None:
    """Both regions are of one cloud now."""
    one_cloud = REGIONS.replace("cloud: oci", "cloud: azure")
    old, new = (read(tmp_path / name, NARROW, text) for name, text in (("old", REGIONS), ("new", one_cloud)))
    assert alarms(compare_files(old, new)) == ["nobody_serves: without cloud azure, nobody is left who serves"]


def test_what_a_rule_keeps_in_the_answer_is_seen(tmp_path: Path) -> None:
    rule = 'rules: [{name: two, assert: {at_least: 2, of: ["azure-*", "oci-*"]}, else_after: 20m}]\n'
    old, new = (read(tmp_path / name, NARROW, text) for name, text in (("old", REGIONS), ("new", REGIONS + rule)))
    found = compare_files(old, new)
    assert found.changed == ()
    assert "sent_to_lost: without oci-fra, 30% still goes there, and 0% before" in alarms(found)


def test_a_loss_that_does_nothing_more_than_a_good_day_is_not_told_again(tmp_path: Path) -> None:
    """Nobody is at aws-use1, so that its loss moves nothing."""
    other = POLICY.replace("share: 70", "share: 60").replace("share: 30", "share: 40")
    found = compare_files(read(tmp_path / "old"), read(tmp_path / "new", other))
    assert [lost for lost, *_ in rows(found)] == [""]
    assert found.alike == 3


def test_a_policy_that_is_new_is_told_with_each_loss(tmp_path: Path) -> None:
    found = compare_files(PolicyFiles({}), read(tmp_path / "new"))
    assert (found.added, found.removed, found.changed) == (("shop",), (), ())
    assert {lost for lost, _, before, _ in rows(found) if before is None} == {"", "azure-weu", "oci-fra"}


def test_one_that_is_gone_is_told_by_a_good_day(tmp_path: Path) -> None:
    found = compare_files(read(tmp_path / "old"), PolicyFiles({}))
    assert (found.removed, rows(found)) == (("shop",), [("", "shop", {"azure-weu": 7000, "oci-fra": 3000}, None)])
    assert [each.kind for each in found.alarms] == ["policy_removed"]


def test_neighbours_that_say_the_same_are_played_where_they_share_what_changes(tmp_path: Path) -> None:
    """The tier above needs more, so that who says nothing new is sent elsewhere."""
    other = OTHER.replace("tier: prod", "tier: dev").replace("demand: 10", "demand: 500")
    more = POLICY.replace("demand: 800", "demand: 1000")
    found = compare_files(read(tmp_path / "old", other=other), read(tmp_path / "new", more, other=other))
    assert found.changed == ("shop",)
    assert "other" in {policy for _, policy, _, _ in rows(found)}


def test_what_an_hour_costs_is_told(tmp_path: Path) -> None:
    prices = REGIONS.replace("capacity", "egress_cost_per_gb: 0.1, capacity", 1)
    prices = prices.replace("{cloud: oci, ", "{cloud: oci, egress_cost_per_gb: 0.01, ")
    priced = NARROW + "traffic: {response: 50kB}\n"
    cheaper = priced.replace("share: 70", "share: 30").replace(
        "share: 30, endpoints: [198", "share: 70, endpoints: [198"
    )
    found = compare_files(read(tmp_path / "old", priced, prices), read(tmp_path / "new", cheaper, prices))
    # 800 requests a second x 50 kB x 3600 s = 144 GB an hour, by 70 % and 30 % of $0.1 and $0.01 a GB
    assert found.cost == (10.51, 5.33)


def test_a_promise_that_is_no_longer_kept_is_the_worst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody is within the residency, aws-use1 is let in; who has no standby there keeps its word."""
    monkeypatch.setattr(residency, "within", lambda _policy, _law: True)
    home = "residency: {allow: [EU]}\n"
    old, new = read(tmp_path / "old", NARROW + home), read(tmp_path / "new", POLICY + home)
    found = compare_files(old, new)
    (said,) = found.broken
    assert said.startswith("shop does not keep that residency is never left: without azure-weu, aws-use1 answers")
    assert found.alarms[0].kind == "promise_broken"
    assert compare_files(new, new).broken == ()
    again = read(tmp_path / "again", (POLICY + home).replace("after: 5m", "after: 6m"))
    assert compare_files(new, again).broken == ()


def test_each_region_and_each_cloud_of_several_may_be_lost(tmp_path: Path) -> None:
    regions = REGIONS.replace("cloud: oci", "cloud: azure")
    found = losses_of(read(tmp_path / "here", regions=regions).policies.values())
    assert list(found) == ["aws-use1", "azure-weu", "oci-fra", "cloud azure"]
    assert found["cloud azure"] == {"azure-weu", "oci-fra"}
