"""Rules of the inventory: what they become, and what is wrong with them, by themselves and for a policy."""

import pytest
from support.files import INVENTORY, KINDS, POLICY, Folder, policy, told

from failoverd.config.loader import load_paths
from failoverd.core.reasons import Cause
from failoverd.core.rules import Assertion, Gate, Rule

BOTH = "  - {name: both, assert: {at_least: 2, of: [east, west]}}\n"
EITHER = "  - {name: either, assert: {at_least: 1, of: [east, west]}}\n"


def ruling(folder: Folder, *rules: str) -> None:
    folder.write("regions.yaml", INVENTORY + "rules:\n" + "".join(rules))


def test_rules_are_read_with_their_place(folder: Folder) -> None:
    said = (
        '  - {name: two, assert: {at_least: 1, of: ["*east", west], share: 12.5%}, policies: ["ap*"], '
        "else_after: 2m, people: 2}\n"
        "  - {name: freeze, gate: {switch: release, on: [tuning]}}\n"
    )
    ruling(folder, said)
    folder.write("policy.yaml", POLICY)
    place = folder.config.inventory
    assert folder.load().rules == (
        Rule("two", Assertion(1, ("*east", "west"), 1_250), ("ap*",), 120.0, 2, f"{place}:7"),
        Rule("freeze", Gate("release", frozenset({Cause.TUNING})), at=f"{place}:8"),
    )


def test_a_gate_holds_what_returns_and_what_tunes_unless_said_otherwise(folder: Folder) -> None:
    ruling(folder, "  - {name: freeze, gate: {switch: release}}\n")
    folder.write("policy.yaml", POLICY)
    (rule,) = folder.load().rules or ()
    assert isinstance(rule.says, Gate)
    assert rule.says.on == {Cause.TUNING, Cause.RETURNING}


@pytest.mark.parametrize(
    ("rule", "place", "code"),
    [
        ("{name: x, gate: {switch: s, on: [failing_out]}}", "7:38", "FD205"),
        ("{name: x, gate: {switch: s, on: [rebuilding]}}", "7:38", "FD205"),
        ("{name: x, gate: {switch: s}, assert: {at_least: 1, of: [east]}}", "7:5", "FD204"),
        ("{name: x, gate: {switch: s}, else_after: 1m}", "7:5", "FD204"),
        ("{name: x}", "7:5", "FD204"),
        ("{name: x, assert: {at_least: 1, of: [south-*]}}", "7:42", "FD301"),
        ("{name: x, assert: {at_least: 3, of: [east, west]}}", "7:34", "FD324"),
        ("{name: x, assert: {at_least: 2, of: [east, west], share: 51%}}", "7:62", "FD324"),
        ("{name: x, assert: {at_least: 1, of: [east], share: 0%}}", "7:56", "FD204"),
        ("{name: x, assrt: {at_least: 1, of: [east]}}", "7:15", "FD201"),
        ("{name: x, assert: {at_least: 1, of: [east]}, people: 0}", "7:58", "FD204"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_at_its_place(folder: Folder, rule: str, place: str, code: str) -> None:
    ruling(folder, f"  - {rule}\n")
    assert (place, code) in told(folder.only(POLICY))
    assert folder.running == {}


def test_a_misspelt_key_is_told_by_the_word_of_the_file(folder: Folder) -> None:
    ruling(folder, "  - {name: x, asert: {at_least: 1, of: [east]}}\n")
    assert 'did you mean "assert"?' in {found.hint for found in folder.only(POLICY)}


def test_two_rules_of_one_name(folder: Folder) -> None:
    ruling(folder, EITHER, EITHER)
    assert told(folder.only(POLICY)) == [("8:12", "FD204")]


def test_a_rule_that_does_not_load_leaves_what_runs_and_the_rules_of_before(folder: Folder) -> None:
    folder.only(POLICY)
    ruling(folder, "  - {name: x}\n")
    found = folder.load()
    assert (sorted(folder.running), found.rules) == (["api"], None)


def test_a_loss_that_a_rule_would_hold_is_told_with_how_long(folder: Folder) -> None:
    ruling(folder, BOTH)
    (found,) = folder.only(POLICY)
    assert (str(found.severity), found.code.value, found.line) == ("warning", "FD410", 7)
    assert found.message == (
        "losing east, or west breaks rule both for policy api (1 of its groups would be left, of at least 2): "
        "what is down stays in the answer for 10m, unless a person approves the plan before"
    )


@pytest.mark.parametrize("rule", [EITHER, BOTH.replace("}}", "}, else_after: 0s}")])
def test_a_rule_that_holds_no_loss_has_nothing_to_say(folder: Folder, rule: str) -> None:
    ruling(folder, rule)
    assert folder.only(POLICY) == []


def test_a_whole_cloud_is_lost_in_play_as_well(folder: Folder) -> None:
    inventory = "version: 1\nregions:\n  a1: {cloud: azure}\n  a2: {cloud: azure}\n  o1: {cloud: oci}\nrules:\n"
    folder.write("regions.yaml", inventory + '  - {name: clouds, assert: {at_least: 2, of: ["a*", "o*"]}}\n')
    regions = "".join(f"  {name}: {{endpoints: [192.0.2.{n}]}}\n" for n, name in enumerate(("a1", "a2", "o1"), 1))
    head, _, tail = POLICY.partition("regions:\n")
    (found,) = folder.only(head + "regions:\n" + regions + tail[tail.index("checks:") :])
    assert found.message.startswith("losing o1, or a1 and a2 breaks rule clouds")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            "{name: x, assert: {at_least: 2, of: [east, north]}}",
            "its regions can answer api.example.net A for 1 of the groups, and the rule asks for 2",
        ),
        (
            "{name: x, assert: {at_least: 2, of: [east, west], share: 40%}}",
            "api.example.net A is answered by 1 of the groups when all is well, and the rule asks for 2",
        ),
    ],
)
def test_a_rule_that_a_policy_breaks_when_all_is_well_is_an_error_of_that_policy(
    folder: Folder, rule: str, why: str
) -> None:
    ruling(folder, f"  - {rule}\n")
    folder.write(
        "other.yaml", policy("other", "other.example.net").replace("share: 70", "share: 60").replace("30,", "40,")
    )
    (found,) = [each for each in folder.only(POLICY) if "policy api " in each.message]
    assert (found.is_error, found.code.value, found.line) == (True, "FD324", 7)
    assert found.message == f"policy api can never be within rule x: {why}"
    assert "api" not in folder.running


def test_a_rule_of_other_policies_holds_nothing_and_one_of_none_is_told(folder: Folder) -> None:
    ruling(folder, BOTH.replace("}}", "}, policies: [apii, web-*]}"))
    (found,) = folder.only(POLICY)
    assert (str(found.severity), found.code.value, found.line) == ("warning", "FD412", 7)
    assert found.message == "rule both binds no policy: none is called apii or web-*"
    assert found.hint == 'did you mean "api"?'
    policies = folder.config.policies
    assert [each.code.value for each in load_paths([policies], KINDS).diagnostics] == ["FD412"]
    assert load_paths([policies / "policy.yaml"], KINDS).diagnostics == ()
    folder.write("web.yaml", policy("web-1", "web.example.net"))
    assert [each.code.value for each in folder.load().diagnostics] == ["FD410"]
