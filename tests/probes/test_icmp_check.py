"""Echo requests in a network of their own, where ping sockets are allowed and packets can be lost."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError
from support.private_network import probes

from failoverd.probes.icmp_check import IcmpSettings

found = cache(probes)

Probed = Callable[[str], dict[str, Any]]
"""What was found in a scenario."""


@pytest.fixture(params=["asyncio", "uvloop"])
def probe(request: pytest.FixtureRequest) -> Probed:
    return lambda scenario: found(request.param)[scenario]


@pytest.mark.parametrize("scenario", ["ipv4", "ipv6", "by name", "large"])
def test_an_endpoint_that_answers_passes_after_one_request(probe: Probed, scenario: str) -> None:
    result = probe(scenario)
    assert (result["outcome"], result["reason"]) == ("pass", "ok")
    assert result["detail"].startswith("1 of 1 echo requests were answered, in ")
    assert result["measures"]["loss_percent"] == 0.0
    assert 0.0 < result["measures"]["round_trip_seconds"] < 10.0
    assert result["timings"]["first_byte"] <= result["timings"]["total"]
    assert (result["timings"]["resolve"] is not None) == (scenario == "by name")


def test_as_many_requests_go_out_as_answers_are_wanted(probe: Probed) -> None:
    assert probe("several")["detail"].startswith("3 of 3 echo requests were answered, in ")


def test_a_lost_request_costs_another_one(probe: Probed) -> None:
    result = probe("one lost")
    assert (result["outcome"], result["reason"]) == ("pass", "ok")
    assert result["measures"]["loss_percent"] == 50.0
    assert 0.3 < result["timings"]["total"] < 2.0


def test_a_lost_request_fails_where_all_have_to_be_answered(probe: Probed) -> None:
    result = probe("one lost, all wanted")
    assert (result["outcome"], result["reason"]) == ("fail", "response_timeout")
    assert result["detail"] == "1 of 2 echo requests were answered; 2 have to be"


def test_silence_fails_within_the_time_out(probe: Probed) -> None:
    result = probe("silent")
    assert (result["outcome"], result["reason"]) == ("fail", "response_timeout")
    assert result["detail"] == "0 of 2 echo requests were answered"
    assert result["measures"] == {"loss_percent": 100.0}


@pytest.mark.parametrize(
    ("scenario", "words"),
    [("refused", "host administratively prohibited"), ("refused ipv6", "communication administratively prohibited")],
)
def test_what_a_router_says_is_told_in_words(probe: Probed, scenario: str, words: str) -> None:
    result = probe(scenario)
    assert (result["outcome"], result["reason"], result["detail"]) == ("fail", "icmp_unreachable", words)


@pytest.mark.parametrize("scenario", ["no route", "no route ipv6", "filtered here"])
def test_a_request_that_this_host_does_not_let_out_says_nothing_about_the_endpoint(
    probe: Probed, scenario: str
) -> None:
    result = probe(scenario)
    assert (result["outcome"], result["reason"]) == ("blind", "no_route")


def test_a_host_that_forbids_ping_sockets_is_blind_and_says_what_to_do(probe: Probed) -> None:
    result = probe("forbidden")
    assert (result["outcome"], result["reason"]) == ("blind", "not_permitted")
    assert "net.ipv4.ping_group_range" in result["detail"]


@pytest.mark.parametrize(
    "wrong",
    [{"icmp": 0}, {"icmp": 11}, {"icmp": True}, {"icmp": 2, "answers": 3}, {"icmp": 1, "size": 15}, {"icmp": "1"}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IcmpSettings.model_validate(wrong)
