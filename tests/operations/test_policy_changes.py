"""What a change of files says otherwise, by the keys of the files, and what of it a reviewer has to see."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from support.playing import POLICY, REGIONS, folder, loaded

from failoverd.core.records import HealthRules, Policy
from failoverd.core.rules import Rule
from failoverd.operations.policy_changes import PolicyFiles, alarming, alike, settings_changed

EU = POLICY + "residency: {allow: [EU]}\n"
THREE = POLICY.replace("share: 70", "share: 40").replace("share: 0", "share: 30")
RULES = REGIONS + (
    "rules:\n"
    '  - {name: two-clouds, assert: {at_least: 2, of: ["azure-*", "oci-*", "aws-*"]}, else_after: 10m}\n'
    "  - {name: freeze, gate: {switch: frozen, on: [tuning, returning]}}\n"
)


def read(path: Path, policy: str = POLICY, regions: str = REGIONS, **others: str) -> PolicyFiles:
    path.mkdir()
    (estate,) = loaded(folder(path, "version: 1\ntests: []\n", policy=policy, regions=regions, **others)).estates
    found = estate.found
    assert not found.rejected, [each.render() for each in found.diagnostics]
    return PolicyFiles(found.policies, found.rules or (), found.maintenance or (), found.practices or ())


@pytest.fixture
def before(tmp_path: Path) -> PolicyFiles:
    return read(tmp_path / "before")


def settings(old: PolicyFiles, new: PolicyFiles) -> list[tuple[str, str, str, str]]:
    return [(each.policy, each.key, each.before, each.after) for each in settings_changed(old, new)]


def alarms(old: PolicyFiles, new: PolicyFiles) -> list[str]:
    return [f"{each.kind} {each.policy}: {each.said}" for each in alarming(old, new)]


# -- settings ----------------------------------------------------------------------------------------------------------


def test_other_words_for_the_same_are_no_change(before: PolicyFiles, tmp_path: Path) -> None:
    said = f"# a comment\n\n{POLICY}when_all_down: keep\nlimits: {{min_regions: 1}}\n"
    again = read(tmp_path / "again", said.replace("5m", "300s"))
    assert settings(before, again) == []
    assert alike(before.policies["shop"], again.policies["shop"])


def test_a_path_to_ask_for_is_none_of_this_machine(tmp_path: Path) -> None:
    said = POLICY.replace("/health", f"{tmp_path}/new/health")
    assert settings(read(tmp_path / "old", said), read(tmp_path / "new", said)) == []


@pytest.mark.parametrize(
    ("said", "instead", "key", "was", "now"),
    [
        ("share: 70", "share: 60", "regions.azure-weu.share", "70%", "60%"),
        ("{after: 5m}", "manual", "failback.after", "5m", "manual"),
        ("tier: prod", "tier: pilot", "tier", "prod", "pilot"),
        ("demand: 800", "demand: 900.5", "demand", "800", "900.5"),
        ("every: 5s", "every: 90s", "checks.live.every", "5s", "90s"),
        ("/health", "/ready", "checks.live.http", "/health", "/ready"),
        ("ttl: 30s", "ttl: 60s", "records.shop.example.com A.ttl", "30s", "1m"),
        ("[192.0.2.10]", "[192.0.2.9]", "regions.azure-weu.endpoints", "192.0.2.10", "192.0.2.9"),
        ("demand: 800", "demand: 800\nlimits: {max_changes: 9 per 1h}", "limits.max_changes", "6 per 1h", "9 per 1h"),
        (
            "demand: 800",
            "demand: 800\nlimits: {tuning: {max_shift: 20% per 10m}}",
            "limits.tuning.max_shift",
            "100% per 5m",
            "20% per 10m",
        ),
        ("demand: 800", "demand: 800\nhealth: {flap: {half_life: 20m}}", "health.flap.half_life", "10m", "20m"),
        ("demand: 800", "demand: 800\nresidency: {allow: [EU, US]}", "residency", "nothing", "EU, US"),
    ],
)  # fmt: skip
def test_a_setting_is_told_by_its_key_and_in_the_units_of_the_file(
    before: PolicyFiles, tmp_path: Path, said: str, instead: str, key: str, was: str, now: str
) -> None:
    assert said in POLICY
    after = read(tmp_path / "after", POLICY.replace(said, instead, 1))
    assert ("shop", key, was, now) in settings(before, after)


def test_a_region_that_is_new_is_one_line(before: PolicyFiles, tmp_path: Path) -> None:
    without = POLICY.replace("  aws-use1: {share: 0, endpoints: [203.0.113.10]}\n", "")
    found = settings(read(tmp_path / "without", without), before)
    assert found == [("shop", "regions.aws-use1", "nothing", "share 0%, endpoints 203.0.113.10, priority 1")]


def test_parts_of_a_setting_are_told_each(before: PolicyFiles, tmp_path: Path) -> None:
    said = POLICY.replace("{after: 5m}", "{after: 5m, ramp: [10%, 50%, 100%], judge: 90s}")
    said = said.replace("timeout: 2s}", "timeout: 2s, headers: {X-Tier: prod}}")
    said = said.replace("share: 70,", "share: 70, depends_on: [db],")
    said += "dependencies:\n  db: {tcp: 5432, address: 192.0.2.50, every: 5s}\n"
    found = settings(before, read(tmp_path / "after", said))
    assert ("shop", "failback.ramp.steps", "nothing", "10%, 50%, 100%") in found
    assert ("shop", "failback.ramp.judge", "nothing", "90s") in found
    assert ("shop", "checks.live.headers.1", "nothing", "X-Tier, prod") in found
    assert ("shop", "regions.azure-weu.depends_on", "nothing", "db") in found
    (database,) = [each for each in found if each[1] == "dependencies.db"]
    assert "endpoint 192.0.2.50" in database[3]
    assert not [each for each in found if each[2] == each[3]]


def test_what_the_inventory_says_of_a_region_is_told_once(tmp_path: Path) -> None:
    other = POLICY.replace("shop", "other").replace("192.0.2.", "192.0.3.")
    more = REGIONS.replace("capacity: 600", "capacity: 700")
    old, new = (read(tmp_path / name, regions=text, other=other) for name, text in (("a", REGIONS), ("b", more)))
    assert settings(old, new) == [("", "regions.oci-fra.capacity", "600", "700")]


def test_every_field_of_a_policy_is_compared(before: PolicyFiles) -> None:
    """A field that is added is told without more, whatever it is called."""
    policy = before.policies["shop"]
    for name in {each.name for each in fields(Policy)} - {"name", "source"}:
        assert not alike(policy, other(policy, name, ("another", "value"))), name
    for each in fields(HealthRules):
        assert not alike(policy, replace(policy, health=other(policy.health, each.name, 77))), each.name


def other(values: Any, name: str, value: object) -> Any:  # noqa: ANN401 - any dataclass
    return replace(values, **{name: value})


# -- what a reviewer has to see ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (EU, POLICY, "residency_opened shop: may answer from anywhere, and might from EU"),
        (EU, EU.replace("[EU]", "[EU, US]"), "residency_opened shop: may answer from EU, US, and might from EU"),
        (
            THREE + "limits: {min_regions: 2}\n",
            THREE,
            "min_regions_lowered shop: limits.min_regions is 1, and was 2",
        ),
        (
            POLICY,
            POLICY + "limits: {max_changes: 6 per 30m}\n",
            "limit_relaxed shop: limits.max_changes is 6 per 30m, and was 6 per 1h",
        ),
        (
            POLICY + "limits: {max_shift: 20% per 5m}\n",
            POLICY,
            "limit_relaxed shop: limits.max_shift is 100% per 5m, and was 20% per 5m",
        ),
        (
            POLICY,
            POLICY + "when_all_down: normal\n",
            "when_all_down shop: when every region is down it answers: normal; it was: keep",
        ),
        (POLICY, POLICY.replace("prod", "dev"),
         "tier_lowered shop: is served after more others: tier dev, and was prod"),
        (POLICY, POLICY.replace("team-shop", "team-x"), "owner shop: its owner is team-x, and was team-shop"),
        (
            POLICY,
            POLICY.replace("shop.example.com, type", "www.example.com, type"),
            "record_left shop: shop.example.com A at dns is steered by no policy any more: it stays as it stands",
        ),
        (POLICY, POLICY.replace("policy: shop", "policy: store"),
         "record_moved store: shop.example.com A at dns moves from shop to store"),
    ],
)  # fmt: skip
def test_what_is_no_longer_promised_is_seen(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert alarms(read(tmp_path / "old", old), read(tmp_path / "new", new)) == [said]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (POLICY, EU),
        (POLICY, POLICY + "limits: {max_changes: 2 per 2h}\n"),
        (THREE, THREE + "limits: {min_regions: 2}\n"),
        (POLICY.replace("prod", "dev"), POLICY),
        (POLICY, POLICY.replace("share: 70", "share: 60")),
    ],
)
def test_what_is_promised_more_is_no_alarm(tmp_path: Path, old: str, new: str) -> None:
    assert alarms(read(tmp_path / "old", old), read(tmp_path / "new", new)) == []


def test_a_policy_that_is_gone_is_told_once(before: PolicyFiles) -> None:
    assert alarms(before, PolicyFiles({})) == [
        "policy_removed shop: is gone: 1 record stays as it stands, and nothing steers them"
    ]


def test_a_region_that_is_called_by_another_law_is_seen(tmp_path: Path) -> None:
    moved = REGIONS.replace("capacity: 900, jurisdiction: US", "capacity: 900, jurisdiction: EU")
    old, new = (read(tmp_path / name, EU, text) for name, text in (("a", REGIONS), ("b", moved)))
    assert alarms(old, new) == ["jurisdiction shop: aws-use1 is said to be under EU, and was under US: it may answer"]


@pytest.mark.parametrize(
    ("said", "instead", "alarm"),
    [
        ("at_least: 2", "at_least: 1", "rule two-clouds asks for less: at_least 1, and was 2"),
        ("else_after: 10m", "else_after: 5m", "rule two-clouds asks for less: else_after 5m, and was 10m"),
        ("[tuning, returning]", "[tuning]", "rule freeze asks for less: no gate for returning any more"),
        ("name: freeze", "name: freeze, policies: [shop]", "rule freeze asks for less: binds shop, and bound all"),
        ("  - {name: freeze, gate: {switch: frozen, on: [tuning, returning]}}\n", "", "rule freeze is gone"),
    ],
)
def test_a_rule_that_asks_for_less_is_seen(tmp_path: Path, said: str, instead: str, alarm: str) -> None:
    old, new = (
        read(tmp_path / name, regions=text) for name, text in (("a", RULES), ("b", RULES.replace(said, instead)))
    )
    assert [each.partition(": ")[2] for each in alarms(old, new)] == [alarm]
    assert alarms(new, old) == []
    assert all(isinstance(rule, Rule) for rule in old.rules)
