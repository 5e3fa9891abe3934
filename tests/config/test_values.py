from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.config.values import (
    Allowance,
    HostPort,
    parse_changes,
    parse_endpoint,
    parse_percent,
    parse_share,
    parse_shift,
    say_duration,
    within,
)
from failoverd.settings import parse_duration


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.10", "192.0.2.10", None),
        ("192.0.2.10:8443", "192.0.2.10", 8443),
        ("2001:DB8:0:0::1", "2001:db8::1", None),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("API.eu.example.net.", "api.eu.example.net", None),
        ("api.example.net:443", "api.example.net", 443),
        ("localhost:1", "localhost", 1),
    ],
)
def test_an_endpoint_is_read_into_its_canonical_form(text: str, host: str, port: int | None) -> None:
    assert parse_endpoint(text) == HostPort(host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":80", "192.0.2.300", "192.0.2", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "a..b"),
        *("[2001:db8::1", "[192.0.2.1]:80", "[2001:db8::1]x", "[]:80", "2001:db8::g", "fe80::1%eth0", "0.0.0.0", "::"),
        *("224.0.0.1", "https://api.example.net", "api.example.net/health", "-a.example.net", "a b", "x" * 300),
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|address|port"):
        parse_endpoint(text)


@given(st.text(max_size=60))
def test_an_endpoint_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        host, port, *_ = parse_endpoint(text)
    except ValueError:
        return
    written = f"[{host}]" if ":" in host else host
    assert parse_endpoint(written if port is None else f"{written}:{port}") == HostPort(host, port)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "no address of anybody"),
        ("0.1.2.3", "no address of anybody"),
        ("::", "no address of anybody"),
        ("255.255.255.255:80", "the broadcast address"),
        ("240.0.0.1", "a reserved address"),
        ("fe80::1", "a link-local address, which needs the zone of an interface"),
        ("fe80::1%eth0", "one with the zone of an interface"),
        ("::ffff:224.0.0.1", "a way to write 224.0.0.1, which is a multicast address"),
        ("[::ffff:e000:1]:443", "a way to write 224.0.0.1, which is a multicast address"),
        ("::ffff:127.0.0.1", "a way to write 127.0.0.1, which is an address of this host alone"),
        ("::224.0.0.1", "a way to write 224.0.0.1, which is a multicast address"),
        ("::0.0.0.5", "a way to write 0.0.0.5, which is no address of anybody"),
        ("64:ff9b::224.0.0.1", "a way to write 224.0.0.1, which is a multicast address"),
        ("64:ff9b::", "a way to write 0.0.0.0, which is no address of anybody"),
        ("2002:e000:1::1", "a way to write 224.0.0.1, which is a multicast address"),
        ("2001:0:e000:1::1", "a way to write 224.0.0.1, which is a multicast address"),
        ("2001:0:c000:201::1fff:fffe", "a way to write 224.0.0.1, which is a multicast address"),
        ("::ffff:192.0.2.1", "another way to write 192.0.2.1, which no packet carries (RFC 6890): write 192.0.2.1"),
        ("::192.0.2.1", "another way to write 192.0.2.1, which no packet carries (RFC 6890): write 192.0.2.1"),
    ],
)
def test_an_address_at_which_nobody_can_be_reached_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="is no address that clients could connect to: it is ") as caught:
        parse_endpoint(text)
    assert str(caught.value).endswith(f": it is {why}")


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "::1", "10.0.0.1", "169.254.1.1", "fd00::1", "64:ff9b::192.0.2.1", "2002:c000:201::1", "2001:db8::1"],
)
def test_loopback_private_and_translated_addresses_are_somebodys(text: str) -> None:
    assert parse_endpoint(text) == HostPort(ip_address(text).compressed, None)


@pytest.mark.parametrize(("text", "points"), [("75%", 7500), ("0%", 0), ("100 %", 10_000), ("33.34%", 3334)])
def test_a_percentage_is_basis_points(text: str, points: int) -> None:
    assert parse_percent(text) == points


@pytest.mark.parametrize("value", ["75", "101%", "-1%", "1.234%", "%", 75, None, True])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="percentage"):
        parse_percent(value)


@pytest.mark.parametrize(("value", "points"), [(70, 7000), (33.34, 3334), (0, 0), (100, 10_000), (0.01, 1)])
def test_a_share_is_a_plain_number(value: object, points: int) -> None:
    assert parse_share(value) == points


@pytest.mark.parametrize("value", [-1, 100.01, 33.333, "70", "70%", True, None])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="share"):
        parse_share(value)


def test_rates_are_an_amount_within_a_window() -> None:
    assert parse_shift("70% per 5m") == Allowance(7000, 300.0)
    assert parse_changes("4 per 1h") == Allowance(4, 3600.0)


@pytest.mark.parametrize("value", ["70%", "70 per 5m", "0% per 5m", "70% per 5", "70% per 0s", "70% per 8d", 7, None])
def test_what_is_no_rate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_shift(value)


@pytest.mark.parametrize("value", ["many per 1h", "0 per 1h", "-1 per 1h", "1.5 per 1h"])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_changes(value)


@pytest.mark.parametrize("text", ["500ms", "1s", "1m30s", "2h", "7d", "1d1h1m1s"])
def test_durations_are_said_as_they_are_written(text: str) -> None:
    assert say_duration(parse_duration(text)) == text


def test_a_duration_without_end_is_told_as_it_was_written() -> None:
    with pytest.raises(ValueError, match=r"^'9{40}' is longer than anything"):
        parse_duration("9" * 400 + "s")


def test_a_duration_out_of_bounds_says_the_bounds() -> None:
    with pytest.raises(ValueError, match="2h is not within 1s and 1h"):
        within("1s", "1h")(7200.0)
    with pytest.raises(ValueError, match="is not within"):
        within("1s", "1h")(float("inf"))


def test_a_load_balancer_is_an_alias_in_its_hosted_zone() -> None:
    alias = {"alias": "LB-1.eu-west-1.elb.amazonaws.com:443", "hosted_zone": "Z32O12XQLNTSW2"}
    assert parse_endpoint(alias) == HostPort("lb-1.eu-west-1.elb.amazonaws.com", 443, "Z32O12XQLNTSW2")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"alias": "lb.example.net"},
        {"alias": "lb.example.net", "hosted_zone": "nothing/else"},
        {"alias": "192.0.2.1", "hosted_zone": "Z1"},
        {"alias": "2001:db8::1", "hosted_zone": "Z1"},
        {"alias": ["lb.example.net"], "hosted_zone": "Z1"},
        {"alias": "lb.example.net", "hosted_zone": "Z1", "weight": 1},
    ],
)
def test_what_is_no_alias_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"alias|zone|endpoint"):
        parse_endpoint(value)
