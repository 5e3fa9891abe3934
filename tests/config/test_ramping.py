"""What `check` says of ramps, and of standbys that are kept tested."""

import pytest
from support.files import POLICY, Folder, policy, told

from failoverd.core.records import WHOLE, Policy, RampRules

RAMP = "failback: {after: 5m, ramp: [10%, 25%, 50%, 100%], step: auto, judge: 1m, retries: 2}\n"
STANDBY = POLICY.replace("share: 70", "share: 0").replace("share: 30", "share: 100")


def read(folder: Folder, text: str) -> Policy:
    folder.write("api.yaml", text)
    return folder.load().policies["api"]


@pytest.mark.parametrize(
    ("said", "ramp"),
    [
        (RAMP, RampRules((1_000, 2_500, 5_000, WHOLE), None, 60.0, 2)),
        ("failback: {after: 5m, step: 45s, judge: 30s}\n", RampRules(step=45.0, judge=30.0)),
        ("failback: {after: 5m, retries: 5}\n", RampRules(retries=5)),
        ("failback: {after: 5m, ramp: [100%]}\n", RampRules((WHOLE,))),
    ],
)
def test_a_ramp_is_read_as_it_is_written(folder: Folder, said: str, ramp: RampRules) -> None:
    assert folder.only(POLICY + said) == []
    assert read(folder, POLICY + said).ramp == ramp


@pytest.mark.parametrize("said", ["", "failback: {after: 5m}\n", "failback: manual\n"])
def test_who_says_nothing_of_a_ramp_has_none(folder: Folder, said: str) -> None:
    assert read(folder, POLICY + said).ramp is None


@pytest.mark.parametrize("ramp", ["[]", "[50%, 25%, 100%]", "[0%, 100%]", "[10%, 50%]", "[10%, 10%, 100%]", "100%"])
def test_a_ramp_rises_to_all_of_the_share(folder: Folder, ramp: str) -> None:
    (found,) = folder.only(POLICY + f"failback: {{after: 5m, ramp: {ramp}}}\n")
    assert found.code != "FD116", "a defect of ours"


@pytest.mark.parametrize("said", ["retries: 0", "judge: 2d", "step: 0s", "step: soon", "retries: many"])
def test_numbers_that_a_ramp_cannot_have_are_told(folder: Folder, said: str) -> None:
    assert [each.is_error for each in folder.only(POLICY + f"failback: {{after: 5m, {said}}}\n")] == [True]


@pytest.mark.parametrize("said", ["after: null, ramp: [100%]", "ramp: [100%]"])
def test_a_ramp_needs_to_know_when_it_begins(folder: Folder, said: str) -> None:
    assert folder.only(POLICY + f"failback: {{{said}}}\n")[0].is_error


def test_where_no_part_can_be_said_a_ramp_has_no_effect(folder: Folder) -> None:
    found = folder.only(policy(record="api.example.com", weights="membership").replace("[cloud]", "[bind]") + RAMP)
    assert [(each.code, each.is_error) for each in found] == [("FD435", False)]
    assert "any share above zero means in the answer" in found[0].message


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("step: 10s, judge: 5s", "the next is taken before the traffic of the last is there"),
        ("step: 40s", "so long is waited for the next in any case"),
    ],
)
def test_a_step_that_is_over_before_it_can_be_judged_is_told(folder: Folder, said: str, why: str) -> None:
    found = folder.only(POLICY + f"failback: {{after: 5m, {said}}}\n")
    assert [(each.code, each.is_error) for each in found] == [("FD436", False)]
    assert why in found[0].message


def test_a_limit_that_has_the_ramp_stand_still_is_told(folder: Folder) -> None:
    found = folder.only(POLICY + RAMP + "limits: {max_changes: 3 per 1h}\n")
    assert [(each.code, each.is_error) for each in found] == [("FD437", False)]
    assert found[0].hint == "write limits: {returning: {max_changes: 4 per 1h}} or more"
    assert folder.only(POLICY + RAMP + "limits: {max_changes: 4 per 1h}\n") == []


def test_a_standby_is_kept_tested_by_a_part_of_the_traffic(folder: Folder) -> None:
    assert folder.only(STANDBY + "standby: {trickle: 1%}\n") == []
    assert read(folder, STANDBY + "standby: {trickle: 1%}\n").trickle == 100


def test_a_trickle_that_cannot_be_said_is_an_error(folder: Folder) -> None:
    text = policy(record="api.example.com", weights="membership").replace("[cloud]", "[bind]")
    found = [each for each in folder.only(text + "standby: {trickle: 1%}\n") if each.code == "FD340"]
    assert [each.is_error for each in found] == [True]


def test_a_trickle_that_nobody_gets_is_told(folder: Folder) -> None:
    found = folder.only(POLICY + "standby: {trickle: 1%}\n")
    assert [(each.code, each.is_error) for each in found] == [("FD438", False)]
    assert told(found)[0][0].endswith(":20")
