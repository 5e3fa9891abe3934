"""Scenario files: where they are, which policies they are about, and what is said of one that is wrong."""

from pathlib import Path

import pytest
from support.manual import POLICIES, REAL_KINDS, scenarios
from support.playing import POLICY
from support.simulated import read, scenario

from failoverd.config.jsonschema import scenario_schema
from failoverd.config.scenario_files import MOST_PROBES, load_scenario, scenarios_in, wrong_scenarios


def wrong(path: Path, said: str) -> list[str]:
    found = read(path, said)
    assert (found.scenario is None) is any(each.is_error for each in found.diagnostics)
    return [f"{each.line}: {each.code.value} {each.message}; {each.hint}" for each in found.diagnostics]


def test_a_scenario_is_about_the_only_policy_there_is(tmp_path: Path) -> None:
    found = read(tmp_path, "for: 1h")
    assert found.scenario is not None
    assert (found.scenario.policy, found.scenario.entry.for_) == ("shop", 3_600)


def test_a_scenario_may_lie_in_a_folder_below_the_policies(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    below = scenario(tmp_path, "for: 1h").rename(tmp_path / "scenarios" / "it.scenario.yaml")
    found = load_scenario(below, REAL_KINDS)
    assert found.scenario is not None, found.diagnostics
    assert list(found.scenario.found.policies) == ["shop"]


def test_and_the_working_directory_may_be_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scenarios").mkdir()
    scenario(tmp_path, "for: 1h").rename(tmp_path / "scenarios" / "it.scenario.yaml")
    monkeypatch.chdir(tmp_path / "scenarios")
    assert load_scenario(Path("it.scenario.yaml"), REAL_KINDS).scenario is not None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("policy: shpo", '3: FD601 there is no policy "shpo" in this folder; did you mean "shop"?'),
        ("happens: {1m: {endpoints: {azure-we: drop}}}", '3: FD601 there is no endpoint "azure-we"; did you mean'),
        ("happens: {1m: {providers: {dsn: down}}}", '3: FD601 there is no provider "dsn"; did you mean "dns"?'),
        ("happens: {1m: {operator: {drain: oci}}}", '3: FD601 there is no region "oci"; did you mean'),
        ("series: {oracle/*: F}", '3: FD601 there is no endpoint "oracle/*"; '),
        ("happens: {1m: {endpoints: {azure-weu: dorp}}}", "refuse, drop, slow, 503, 429, packet-loss, brown-out, flap"),
        ("happens: {1m: {endpoints: {azure-weu: {does: drop, part: 3%}}}}", "3: FD204 "),
        ("for: 8d", "3: FD204 for: 8d is not within 1s and 7d; how long it goes on: 7d at most"),
        ("for: 1m\nhappens: {2m: {empty: true}}", "FD204"),
        ("hapens: {2m: {empty: true}}", '3: FD201 unknown key "hapens"; did you mean "happens"?'),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(tmp_path: Path, said: str, told: str) -> None:
    (found,) = wrong(tmp_path, said)
    assert told in found


def test_a_scenario_that_does_not_say_which_of_several_policies_it_is_about_is_told(tmp_path: Path) -> None:
    other = POLICY.replace("shop", "other").replace(".10]", ".20]")
    found = read(tmp_path, "for: 1h", other=other)
    assert [each.message for each in found.diagnostics if each.is_error] == ["it does not say which policy it is about"]


def test_a_scenario_that_would_take_hours_says_how_long_it_may_be(tmp_path: Path) -> None:
    many = ", ".join(f"192.0.2.{number}" for number in range(10, 250))
    policy = POLICY.replace("[192.0.2.10]", f"[{many}]").replace("every: 5s, timeout: 2s", "every: 1s, timeout: 500ms")
    found = read(tmp_path, "for: 7d", policy=policy)
    (error,) = (each for each in found.diagnostics if each.is_error)
    assert error.code.value == "FD604"
    assert f"{242 * 7 * 86_400:,} probes, more than {MOST_PROBES:,}" in error.message
    assert error.hint.startswith("write for: 22h")


def test_no_scenario_is_taken_for_a_policy(tmp_path: Path) -> None:
    found = read(tmp_path, "for: 1h")
    assert [each.file for each in found.diagnostics] == []


def test_what_is_wrong_with_scenarios_is_told_of_a_folder(tmp_path: Path) -> None:
    file = scenario(tmp_path, "policy: shpo")
    assert [each.file for each in wrong_scenarios([tmp_path], REAL_KINDS)] == [str(file)]
    assert wrong_scenarios([tmp_path / "shop.yaml"], REAL_KINDS) == ()


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: str(path.name))
def test_those_that_ship_are_right_and_say_what_they_show(path: Path) -> None:
    found = load_scenario(path, REAL_KINDS)
    assert [each for each in found.diagnostics if each.file == str(path)] == []
    assert found.scenario is not None
    assert found.scenario.entry.shows
    assert path.read_text().startswith("# yaml-language-server: $schema=../scenario.schema.json\n")


def test_scenarios_of_a_folder_are_listed_with_what_they_show(tmp_path: Path) -> None:
    assert [file for file, _ in scenarios_in(POLICIES / "scenarios")] == scenarios()
    scenario(tmp_path, "shows: that it holds")
    assert scenarios_in(tmp_path) == [(tmp_path / "it.scenario.yaml", "that it holds")]


def test_faults_are_in_the_schema_by_name_and_whole() -> None:
    schema = scenario_schema()
    (fault,) = schema["$defs"]["HappeningEntry"]["properties"]["endpoints"]["patternProperties"].values()
    assert {"$ref": "#/$defs/FaultEntry"} in fault["anyOf"]
    assert 503 in next(each["enum"] for each in fault["anyOf"] if "enum" in each)
