"""What traffic costs: the sums of the manual, and the links to the data as bounds of what a region gets."""

from dataclasses import replace

import pytest
from support.scenes import PAIR, policy, region, wanted
from support.sums import found, redone, said_shares, told

from failoverd.core.control.allocation import all_well, levels
from failoverd.core.control.claiming import usual_claim
from failoverd.core.control.cost import forecast, monthly_gb, price, through_link
from failoverd.core.control.sharing import share_out
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import WHOLE, DataIn, Link, ListPrices, Policy, RegionSpec, Traffic

GBPS = 1e9
KB = 1_000.0
AZURE = replace(region("azure", 70, "192.0.2.10", capacity=900), prices=ListPrices(0.087))
OCI = replace(region("oci", 30, "198.51.100.10", capacity=600), prices=ListPrices(0.0085))
SERVICE = policy(AZURE, OCI, base=replace(PAIR, demand=800.0, traffic=Traffic(50 * KB)))


def linked(bandwidth: float = GBPS, per_gb: float = 0.0, of: Policy = SERVICE) -> Policy:
    """The data is in azure; whoever else serves has a link there."""
    link = Link(bandwidth, per_gb, name="azure - oci")
    regions = (spec if spec.name == "azure" else replace(spec, link=link) for spec in of.regions)
    return replace(of, regions=tuple(regions), data_in=DataIn("azure", 200 * KB, 0.087))


def of_name(of: Policy, name: str) -> RegionSpec:
    return next(spec for spec in of.regions if spec.name == name)


# -- sums --------------------------------------------------------------------------------------------------------------


def test_eight_hundred_requests_a_second_of_fifty_kilobytes_are_a_hundred_terabytes_a_month() -> None:
    assert monthly_gb(800, 50 * KB) == pytest.approx(103_680)


def test_seventy_to_thirty_at_the_list_prices_of_both() -> None:
    bill = forecast(SERVICE, {"azure": 7_000, "oci": 3_000})
    assert bill is not None
    assert round(bill.per_month) == 6_578
    assert bill.per_hour * 720 == pytest.approx(bill.per_month)
    assert bill.egress_gb == pytest.approx(103_680)
    assert bill.unpriced == ()


def test_a_gigabit_used_to_seven_tenths_carries_the_data_of_437_requests_a_second() -> None:
    of = linked()
    assert through_link(of, of_name(of, "oci")) == pytest.approx(437.5)
    assert through_link(of, of_name(of, "azure")) is None


def test_who_is_filled_to_its_link_costs_4569_a_month() -> None:
    bill = forecast(linked(), {"azure": 362.5 / 800 * WHOLE, "oci": 437.5 / 800 * WHOLE})  # type: ignore[dict-item]
    assert bill is not None
    assert round(bill.per_month) == 4_569
    assert bill.data_gb == pytest.approx(monthly_gb(437.5, 200 * KB))


def test_a_request_costs_its_response_its_tokens_and_its_data() -> None:
    of = linked(per_gb=0.02, of=replace(SERVICE, traffic=Traffic(50 * KB, 800)))
    oci = replace(of_name(of, "oci"), prices=ListPrices(0.0085, 0.6))
    assert price(of, oci) == pytest.approx(50e3 / 1e9 * 0.0085 + 800 / 1e6 * 0.6 + 200e3 / 1e9 * 0.02)


def test_data_without_a_link_leaves_at_the_price_of_the_region_in_which_it_is() -> None:
    of = replace(SERVICE, data_in=DataIn("azure", 200 * KB, 0.087))
    oci = of_name(of, "oci")
    assert price(of, oci) == pytest.approx(50e3 / 1e9 * 0.0085 + 200e3 / 1e9 * 0.087)
    assert through_link(of, oci) is None


def test_a_price_that_is_missing_is_told_and_not_guessed() -> None:
    of = replace(SERVICE, regions=(AZURE, replace(OCI, prices=ListPrices())))
    bill = forecast(of, {"azure": 7_000, "oci": 3_000})
    assert bill is not None
    assert bill.unpriced == ("oci",)
    assert price(of, of.regions[1]) is None
    decision = wanted(of, {}, {"azure": 70, "oci": 30})
    assert found(decision, ReasonCode.COST) == []


@pytest.mark.parametrize("of", [replace(SERVICE, demand=None), replace(SERVICE, traffic=None)])
def test_without_demand_or_traffic_nothing_is_forecast(of: Policy) -> None:
    assert forecast(of, {"azure": WHOLE}) is None


def test_answers_of_nobody_have_no_price() -> None:
    bill = forecast(SERVICE, {"azure": 5_000, "elsewhere": 5_000})
    assert bill is not None
    assert bill.unpriced == ("elsewhere",)


# -- a failover --------------------------------------------------------------------------------------------------------


def test_a_decision_says_what_a_failover_costs_an_hour() -> None:
    decision = wanted(replace(SERVICE, demand=500.0), {"oci": "U"}, {"azure": 70, "oci": 30})
    [cost] = found(decision, ReasonCode.COST)
    normal = 500 * 50e3 / 1e9 * 3_600 * (0.7 * 0.087 + 0.3 * 0.0085)
    assert cost.numbers["normal"] == pytest.approx(normal, abs=0.01)
    assert cost.numbers["hour"] == pytest.approx(500 * 50e3 / 1e9 * 3_600 * 0.087, abs=0.01)
    assert told(decision, ReasonCode.COST) == [
        (
            "these shares cost about $7.83 an hour, $2.12 more than on a normal day; $5,638 a month (estimate, "
            "by list prices)"
        )
    ]


# -- links -------------------------------------------------------------------------------------------------------------


def test_who_takes_over_gets_no_more_than_its_link_lets_through() -> None:
    three = replace(linked(), regions=(*linked().regions, region("aws", 0, "203.0.113.10", capacity=900)))
    decision = wanted(three, {"azure": "U"}, {"azure": 70, "oci": 30})
    assert decision.shares == {"aws": 4_531, "oci": 5_469}
    assert said_shares(decision) == pytest.approx(redone(decision), abs=0.02)
    assert told(decision, ReasonCode.LINK) == [
        "oci would get 100%, and the link to its data carries 54.69% (1 Gbps x 70% / 200000 bytes / demand 800)"
    ]


def test_overloaded_beats_shut_for_a_link_as_well() -> None:
    decision = wanted(linked(), {"azure": "U"}, {"azure": 70, "oci": 30})
    assert decision.shares == {"oci": WHOLE}
    assert found(decision, ReasonCode.OVERLOAD)
    assert said_shares(decision) == pytest.approx(redone(decision), abs=0.02)


def test_a_link_that_is_wide_enough_says_nothing() -> None:
    decision = wanted(linked(10 * GBPS), {"azure": "U"}, {"azure": 70, "oci": 30})
    assert found(decision, ReasonCode.LINK) == []
    assert found(decision, ReasonCode.CAPACITY)


def test_the_estate_knows_the_same_bound() -> None:
    of = linked()
    record = of.records[0]
    [level] = levels(of, record, all_well(of.regions), of.regions)
    assert [(draw.region, draw.room, draw.most) for draw in level] == [("azure", 900, 800), ("oci", 600, 437.5)]
    heavy = replace(of, regions=(replace(of_name(of, "azure"), share=1_000), replace(of_name(of, "oci"), share=9_000)))
    claim = usual_claim(heavy)
    assert claim is not None
    assert share_out([claim])[of.name].loads == pytest.approx({"oci": 437.5, "azure": 362.5})
