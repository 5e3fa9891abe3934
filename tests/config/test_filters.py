"""Whether what narrows down who gets traffic can do what it says."""

from dataclasses import replace

import pytest
from support.files import KINDS, POLICY, Folder, policy, told

from failoverd.config.values import HostPort, parse_weighed
from failoverd.core.records import LatencyBand, RecordType, WhenDegraded

TWO_CHECKS = POLICY.replace("  live: {look: /health}\n", "  live: {look: /health}\n  port: {knock: 443}\n")
WEIGHED = POLICY.replace("endpoints: [192.0.2.1]", "endpoints: [192.0.2.1, {address: 192.0.2.2, weight: 3}]")


# -- checks that have to be well ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "needed"), [("all", 0), ("any", 1), ("{at_least: 1}", 1), ("{at_least: 2}", 2)], ids=str
)
def test_a_policy_says_how_many_of_its_checks_have_to_be_well(folder: Folder, said: str, needed: int) -> None:
    assert told(folder.only(TWO_CHECKS + f"health: {{checks: {said}}}\n")) == []
    assert folder.running["api"].health.checks == needed


def test_without_a_word_all_of_them_have_to(folder: Folder) -> None:
    assert told(folder.only(TWO_CHECKS)) == []
    assert folder.running["api"].health.needed(2) == 2


def test_more_checks_than_there_are_could_never_be_well(folder: Folder) -> None:
    (wrong,) = folder.only(TWO_CHECKS + "health: {checks: {at_least: 3}}\n")
    assert (wrong.code, wrong.is_error) == ("FD360", True)
    assert "asks for 3 checks to be well, and the policy has 2" in wrong.message


@pytest.mark.parametrize("said", ["some", "2", "{at_least: 0}", "{at_most: 1}", "[]"])
def test_what_says_no_number_of_checks_is_an_error(folder: Folder, said: str) -> None:
    found = folder.only(TWO_CHECKS + f"health: {{checks: {said}}}\n")
    assert found
    assert all(wrong.is_error for wrong in found)


# -- weights of endpoints ----------------------------------------------------------------------------------------------


def test_an_endpoint_has_the_weight_that_is_written(folder: Folder) -> None:
    assert told(folder.only(WEIGHED)) == []
    east = folder.running["api"].regions[0]
    assert east.answers(RecordType.A) == {"192.0.2.1": 1, "192.0.2.2": 3}


def test_endpoints_that_weigh_the_same_have_no_weights(folder: Folder) -> None:
    alike = POLICY.replace("[192.0.2.1]", "[{address: 192.0.2.1, weight: 7}, {address: 192.0.2.2, weight: 7}]")
    assert told(folder.only(alike)) == []
    assert folder.running["api"].regions[0].weights == ()


def test_a_load_balancer_has_a_weight_as_well() -> None:
    alias = {"alias": "lb.example.net", "hosted_zone": "Z32O12XQLNTSW2", "weight": 3}
    assert parse_weighed(alias) == HostPort("lb.example.net", None, "Z32O12XQLNTSW2", 3)


@pytest.mark.parametrize(
    "written",
    [
        {"address": "192.0.2.1", "weight": 0},
        {"address": "192.0.2.1", "weight": 1_001},
        {"address": "192.0.2.1", "weight": True},
        {"address": "192.0.2.1", "weight": "3"},
        {"weight": 3},
        {"address": {"address": "192.0.2.1"}, "weight": 3},
        {"address": "192.0.2.1", "weight": 3, "alias": "lb.example.net"},
    ],
    ids=str,
)
def test_a_weight_is_a_whole_number_beside_one_address(written: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="weight"):
        parse_weighed(written)


def test_a_weight_says_nothing_where_an_address_is_in_or_out(folder: Folder) -> None:
    (wrong,) = folder.only(
        WEIGHED.replace("api.example.net", "api.example.com").replace("[cloud]", "[bind]") + "weights: membership\n"
    )
    assert (wrong.code, wrong.is_error) == ("FD430", False)
    assert "it counts in the score of east alone" in wrong.message


def test_a_weight_that_no_whole_number_says_is_told(folder: Folder) -> None:
    """1 to 1,000 in 70 % of the traffic: the small one would be a thousandth of the other, of 255 at most."""
    (wrong,) = folder.only(WEIGHED.replace("weight: 3", "weight: 1000"))
    assert (wrong.code, wrong.is_error) == ("FD409", False)
    assert wrong.message.startswith("192.0.2.1 of east is to get 0.07% ")
    assert wrong.hint.startswith("give its endpoints weights that are nearer to each other")


# -- latency -----------------------------------------------------------------------------------------------------------


def test_the_band_of_latency_has_the_numbers_of_the_manual(folder: Folder) -> None:
    assert told(folder.only(policy(demand="100", latency="{}"))) == []
    assert folder.running["api"].latency == LatencyBand(slack=0.02, leave=0.03, window=600.0)


def test_a_region_cannot_leave_before_it_may_enter(folder: Folder) -> None:
    (wrong,) = folder.only(policy(demand="100", latency="{slack: 20ms, leave: 10ms}"))
    assert (wrong.code, wrong.is_error) == ("FD361", True)
    assert wrong.hint == "write leave: 30ms"


def test_somebody_has_to_measure(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {name: replace(kind, connects=False) for name, kind in KINDS.probes.items()}
    monkeypatch.setattr("support.files.KINDS", replace(KINDS, probes=silent))
    (wrong,) = folder.only(policy(demand="100", latency="{}"))
    assert (wrong.code, wrong.is_error) == ("FD361", True)
    assert "add a check that does" in wrong.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (policy(latency="{}"), "the policy has no demand"),
        (policy(demand="100", latency="{}").replace("west:", "north:"), "north has no capacity"),
        (policy(demand="100", latency="{window: 3m}"), "east is probed 16 times within latency.window"),
    ],
)
def test_latency_that_can_move_nothing_is_worth_a_look(folder: Folder, text: str, why: str) -> None:
    found = [wrong for wrong in folder.only(text) if wrong.code == "FD431"]
    assert [(why in wrong.message, wrong.is_error) for wrong in found] == [(True, False)]


# -- degraded ----------------------------------------------------------------------------------------------------------


def test_a_policy_says_what_becomes_of_a_degraded_region(folder: Folder) -> None:
    assert told(folder.only(policy(degraded="out"))) == []
    assert folder.running["api"].degraded is WhenDegraded.OUT
