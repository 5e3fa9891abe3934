"""Names as people write them and as DNS holds them."""

import pytest

from failoverd.core.names import both_ways, in_dns, marker_name, quoted, starred
from failoverd.core.records import RecordKey, RecordType
from failoverd.settings import parse_name, parse_record_name


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM.", "api.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example.", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # the same letter, composed of two characters
        ("bücher。example", "xn--bcher-kva.example"),  # an ideographic full stop (UTS 46, 4)
        ("straße.example", "xn--strae-oqa.example"),  # not transitional: a letter of its own
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("_grpc._tcp.bücher.example", "_grpc._tcp.xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_a_name_is_kept_as_dns_holds_it(written: str, held: str) -> None:
    assert parse_name(written) == held
    assert parse_record_name(f"*.{written}") == f"*.{held}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("☕.example", "U\\+2615"),
        ("a\u200db.example", "Joiner U\\+200D not allowed"),
        ("bü cher.example", "is not a host name"),
        (f"{'ü' * 60}.example", "too long"),
        (f"{'ü.' * 200}example", "is not a host name"),
        ("-ü.example", "hyphen"),
    ],
)
def test_what_nobody_may_register_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_name(written)
    assert "is not a host name" in str(caught.value)


@pytest.mark.parametrize("written", ["*", "*.", "a.*.example", "*a.example", "a*.example", "*.*.example", "**.example"])
def test_an_asterisk_is_the_whole_first_label_or_nothing(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no wildcard|is not a host name"):
        parse_record_name(written)
    with pytest.raises(ValueError, match="is not a host name"):
        parse_name(written)


def test_the_marker_of_a_wildcard_holds_no_asterisk() -> None:
    """Few providers take one that is not the first label."""
    assert marker_name("*.example.com") == "_failoverd._wildcard.example.com"
    assert RecordKey("*.example.com", RecordType.A).marker_name == "_failoverd._wildcard.example.com"
    assert marker_name("example.com") == "_failoverd.example.com"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("api.example.com A is well", "api.example.com A is well"),
        ("xn--bcher-kva.example A", "bücher.example (xn--bcher-kva.example) A"),
        ("*.xn--bcher-kva.example: gone", "*.bücher.example (*.xn--bcher-kva.example): gone"),
        ("_sip._tcp.xn--bcher-kva.example:5060", "_sip._tcp.bücher.example (_sip._tcp.xn--bcher-kva.example):5060"),
        ("xn--zckzah, xn--r8jz45g.xn--zckzah", "テスト (xn--zckzah), 例え.テスト (xn--r8jz45g.xn--zckzah)"),
        ("xn--ls8h.example", "xn--ls8h.example"),  # an emoji, which is none of IDNA's letters
        ("xn--a-\u00fc", "xn--a-\u00fc"),
        ("run: failoverctl adopt shop xn--bcher-kva.example", "run: failoverctl adopt shop xn--bcher-kva.example"),
        ('failoverctl adopt shop "*.xn--bcher-kva.example"', 'failoverctl adopt shop "*.xn--bcher-kva.example"'),
    ],
)
def test_people_see_both_ways_and_never_twice(text: str, told: str) -> None:
    assert both_ways(text) == told
    assert both_ways(told) == told


def test_only_what_is_not_ascii_is_changed_for_dns() -> None:
    assert in_dns("_a-._tcp.EXAMPLE") == "_a-._tcp.EXAMPLE"


def test_a_wildcard_stands_in_quotes_in_a_command() -> None:
    assert (quoted("*.example.com"), quoted("api.example.com")) == ('"*.example.com"', "api.example.com")


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("[2001:db8::1]:80", "[2001:db8::1]:80", True),
        ("[2001:db8::1]:80", "[*]:80", True),
        ("2", "[2001:db8::1]", False),
        ("why?", "why?", True),
        ("whyx", "why?", False),
        ("a\nb", "a*b", True),
        ("!", "[!]", False),
        ("a" * 60, "*a" * 200 + "b", False),
    ],
)
def test_a_star_is_the_only_letter_that_stands_for_others(text: str, pattern: str, fits: bool) -> None:
    assert starred(text, pattern) is fits
