"""What files say of traffic, data, links and prices: what it becomes, and what is wrong with it."""

import pytest
from support.files import POLICY, Folder, told

from failoverd.config.values import parse_bandwidth, parse_size, say_bandwidth, say_size
from failoverd.core.control.cost import through_link
from failoverd.core.records import CostRules, DataIn, Link, ListPrices, Policy, Traffic

REGIONS = """\
version: 1
regions:
  east: {cloud: azure, capacity: 900, egress_cost_per_gb: 0.087, price_per_million_tokens: 0.6}
  west: {cloud: oci, capacity: 600, egress_cost_per_gb: 0.0085, price_per_million_tokens: 0.5}
  north: {cloud: aws, capacity: 900, egress_cost_per_gb: 0.09}
"""
LINKS = "links:\n  - {between: [east, west], bandwidth: 1Gbps, price_per_gb: 0}\n"
NEEDS = "demand: 800\ntraffic: {response: 50kB, tokens: 800}\n"
DATA = "data_in: {region: east, per_request: 200kB}\n"
DATABASE = "dependencies:\n  data: {address: 192.0.2.9, look: /health}\n"
CHEAPEST = "cost: {prefer: cheapest}\n"
LINKED = POLICY + NEEDS + DATA + DATABASE


def depending(text: str) -> str:
    return text.replace("endpoints: [198.51.100.1]", "endpoints: [198.51.100.1], depends_on: [data]")


def loaded(folder: Folder, text: str, inventory: str = REGIONS + LINKS) -> Policy:
    folder.write("regions.yaml", inventory)
    assert {each.code.value for each in folder.only(text)} <= {"FD442"}
    return folder.running["api"]


def found(folder: Folder, text: str, inventory: str = REGIONS + LINKS) -> list[tuple[str, str]]:
    """Place and code of what is wrong with the policy or the inventory."""
    folder.write("regions.yaml", inventory)
    diagnostics = folder.only(text)
    for each in diagnostics:
        assert each.hint, each
        assert each.excerpt, each
    return [(code, each.message) for (_, code), each in zip(told(diagnostics), diagnostics, strict=True)]


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("50kB", 50e3), ("64KiB", 65_536), ("1.5 MB", 1.5e6), ("1GiB", 2**30), ("200B", 200)]
)
def test_sizes_say_their_unit(text: str, size: float) -> None:
    assert parse_size(text) == size
    assert parse_size(say_size(size)) == size


@pytest.mark.parametrize(("text", "bits"), [("10Gbps", 1e10), ("500Mbps", 5e8), ("1.5Gbps", 1.5e9), ("64kbps", 64e3)])
def test_bandwidths_are_bits_a_second(text: str, bits: float) -> None:
    assert parse_bandwidth(text) == bits
    assert say_bandwidth(bits) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (50_000, "a size is a number with its unit"),
        ("50", "a size is a number with its unit"),
        ("50KB", "write 50kB"),
        ("50Gb", "write 50GB"),
        ("50 bytes", "use one of B, kB"),
        ("-5kB", "more than nothing"),
        ("0kB", "more than nothing"),
        ("999999GB", "too much"),
        ("nankB", "a number with its unit"),
    ],
)
def test_a_size_that_cannot_be_is_told_with_what_to_write(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [("10", "10Gbps"), ("10gbps", "write 10Gbps"), ("10GB/s", "use one of kbps"), ("0Gbps", "nothing")],
)
def test_a_bandwidth_that_cannot_be_is_told_with_what_to_write(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_bandwidth(text)


# -- what it becomes ---------------------------------------------------------------------------------------------------


def test_a_policy_knows_its_prices_and_the_links_to_its_data(folder: Folder) -> None:
    of = loaded(folder, depending(LINKED) + "cost: {prefer: cheapest, save: 20%, at_least: 500, every: 12h}\n")
    east, west = of.regions
    assert of.traffic == Traffic(50e3, 800)
    assert of.data_in == DataIn("east", 200e3, 0.087)
    assert of.cost == CostRules(2_000, 500, 43_200)
    assert (east.prices, east.link) == (ListPrices(0.087, 0.6), None)
    assert west.link == Link(1e9, 0.0, 7_000, "east - west")
    assert through_link(of, west) == pytest.approx(437.5)


def test_a_link_of_regions_says_more_than_one_of_clouds(folder: Folder) -> None:
    clouds = "  - {between: [oci, azure], bandwidth: 10Gbps, headroom: 50%}\n"
    text = depending(LINKED)
    assert loaded(folder, text, REGIONS + "links:\n" + clouds).regions[1].link == Link(1e10, 0.0, 5_000, "oci - azure")
    assert loaded(folder, text, REGIONS + "links:\n" + clouds + LINKS[7:]).regions[1].link == Link(
        1e9, 0.0, 7_000, "east - west"
    )


def test_another_bandwidth_is_another_revision_of_who_needs_the_link(folder: Folder) -> None:
    before = loaded(folder, depending(LINKED)).source.revision
    wider = LINKS.replace("1Gbps", "2Gbps")
    assert loaded(folder, depending(LINKED), REGIONS + wider).source.revision != before
    alone = loaded(folder, POLICY).source.revision
    assert loaded(folder, POLICY, REGIONS + wider).source.revision == loaded(folder, POLICY, REGIONS).source.revision
    assert alone == loaded(folder, POLICY, REGIONS).source.revision


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "code", "says"),
    [
        ("{between: [east, wset], bandwidth: 1Gbps}", "FD371", "neither a region nor a cloud"),
        ("{between: [east, east], bandwidth: 1Gbps}", "FD371", "to itself"),
        ("{between: [west, east], bandwidth: 1Gbps}", "FD372", "on line 7"),
        ("{between: [east], bandwidth: 1Gbps}", "FD204", "two ends, not 1"),
        ("{between: [east, north], bandwidth: 0Gbps}", "FD204", "more than nothing"),
        ("{between: [east, north], bandwidth: 1Gbps, price_per_gb: -1}", "FD204", ""),
        ("{between: [east, north], bandwidth: 1Gbps, headroom: 0%}", "FD204", "could"),
    ],
)
def test_a_link_that_cannot_be_is_told(folder: Folder, link: str, code: str, says: str) -> None:
    folder.write("regions.yaml", REGIONS + LINKS + f"  - {link}\n")
    [problem] = [each for each in folder.only(POLICY) if each.file.endswith("regions.yaml")]
    assert (problem.code, says in problem.message) == (code, True)


def test_a_link_may_join_the_regions_of_one_cloud(folder: Folder) -> None:
    loaded(folder, POLICY, REGIONS + "links:\n  - {between: [azure, azure], bandwidth: 1Gbps}\n")


# -- policies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ("traffic: {response: 0B}\n", "FD204", "more than nothing"),
        ("traffic: {tokens: -1}\n", "FD204", ""),
        ("traffic: {}\n", "FD204", "say what one request weighs"),
        ("demand: 8\ncost: {prefer: cheapest, save: 0%}\ntraffic: {response: 1kB}\n", "FD204", "for a cent"),
        ("demand: 8\ncost: {prefer: dearest}\ntraffic: {response: 1kB}\n", "FD205", ""),
        (
            "demand: 8\ncost: {prefer: cheapest, every: 1s}\ntraffic: {response: 1kB}\n",
            "FD204",
            "not within 1h and 30d",
        ),
    ],
)
def test_a_value_that_cannot_be_is_told(folder: Folder, lines: str, code: str, says: str) -> None:
    folder.write("regions.yaml", REGIONS)
    [problem] = folder.only(POLICY + lines)
    assert (problem.code, says in problem.message + problem.hint) == (code, True)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (POLICY + CHEAPEST, "FD370", "the policy states no demand"),
        (POLICY + CHEAPEST + "demand: 800\n", "FD370", "nothing says what one request is"),
        (POLICY + "traffic: {response: 50kB}\n", "FD440", "the policy states no demand"),
        (POLICY + NEEDS + CHEAPEST + "weights: membership\n", "FD373", "membership"),
        (POLICY + NEEDS + CHEAPEST + "steering: failover\n", "FD373", "failover"),
        (POLICY.replace("share: 30", "share: 0") + NEEDS + CHEAPEST, "FD444", "nothing to choose"),
        (POLICY + DATA, "FD375", "nobody says how many"),
        (POLICY + NEEDS + DATA.replace("east", "esat"), "FD301", "esat"),
        (POLICY + NEEDS + DATA, "FD443", "nothing shows whether it is there"),
        (depending(LINKED).replace("region: east", "region: north"), "FD441", "no link"),
    ],
)
def test_what_cannot_be_reckoned_is_told_with_its_remedy(folder: Folder, text: str, code: str, says: str) -> None:
    problems = found(folder, text)
    assert code in [each for each, _ in problems], problems
    assert any(says in message for each, message in problems if each == code), problems


def test_a_price_that_is_missing_is_told(folder: Folder) -> None:
    free = REGIONS.replace(", egress_cost_per_gb: 0.0085", "")
    [(code, message)] = found(folder, POLICY + NEEDS + CHEAPEST, free)
    assert (code, message.rpartition(": ")[2]) == ("FD370", "west has no egress_cost_per_gb")
    [(code, message)] = found(folder, POLICY + NEEDS, free)
    assert (code, message.rpartition(": ")[2]) == ("FD440", "west has no egress_cost_per_gb")


def test_a_region_without_capacity_would_get_everything(folder: Folder) -> None:
    free = REGIONS.replace("capacity: 600, ", "")
    assert "FD374" in [code for code, _ in found(folder, POLICY + NEEDS + CHEAPEST, free)]


def test_links_that_are_too_narrow_are_told_with_the_sum(folder: Folder) -> None:
    [(code, message)] = found(folder, depending(LINKED))
    assert (code, message) == (
        "FD442",
        "without east the others can serve 437.5 of 800: 1Gbps to west is the data of 437.5 requests a second",
    )


def test_a_link_that_several_regions_use_carries_no_more_for_that(folder: Folder) -> None:
    three = depending(LINKED).replace("checks:", "  north: {share: 0, endpoints: [203.0.113.1]}\nchecks:", 1)
    regions = REGIONS.replace("cloud: aws", "cloud: oci").replace("0.09}", "0.09, price_per_million_tokens: 1}")
    wide, narrow = (
        f"{regions}links:\n  - {{between: [azure, oci], bandwidth: {width}}}\n" for width in ("10Gbps", "1Gbps")
    )
    assert found(folder, three, wide) == []
    [(code, message)] = found(folder, three, narrow)
    assert (code, message.partition(":")[0]) == ("FD442", "without east the others can serve 437.5 of 800")
