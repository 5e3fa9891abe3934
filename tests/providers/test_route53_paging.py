"""The order of a hosted zone's listing, and what one page of it says."""

from typing import Any

from failoverd.providers.route53.names import orders
from failoverd.providers.route53.paging import Page, Standing, Start

IN_ORDER = [
    "example.com.",
    "api-2.example.com.",
    "api.example.com.",
    r"\052.api.example.com.",
    "_failoverd.api.example.com.",
    "deep.api.example.com.",
    "api2.example.com.",
]


def page(*names: str, start: str = "a.example.com.", following: str | None = None) -> Page:
    answer: dict[str, Any] = {
        "ResourceRecordSets": [{"Name": name, "Type": "A"} for name in names],
        "IsTruncated": following is not None,
    }
    if following is not None:
        answer |= {"NextRecordName": following, "NextRecordType": "A"}
    return Page.of(Start(start), answer)


def test_names_are_ordered_by_their_labels_from_the_right() -> None:
    assert [orders(name) for name in IN_ORDER] == sorted(orders(name) for name in IN_ORDER)
    assert set(orders("_failoverd.api.example.com")) == {"com.example.api._failoverd."}


def test_where_a_wildcard_is_listed_is_not_sure_so_a_page_says_of_it_only_what_it_must() -> None:
    r"""Behind letters, as `\052` in its place would be, or before digits, as `*` itself."""
    assert page(start="-x.example.com.", following="z.example.com.").standing("*.example.com") is None
    assert not page(following="1.example.com.").passed("*.example.com")
    assert page(following="a.example.com.").passed("*.example.com")
    whole = page(r"\052.example.com.", "_failoverd._wildcard.example.com.", start=r"\052.example.com.")
    assert whole.standing("*.example.com") == Standing(
        ({"Name": r"\052.example.com.", "Type": "A"},),
        ({"Name": "_failoverd._wildcard.example.com.", "Type": "A"},),
    )


def test_a_last_page_says_everything_after_its_start() -> None:
    last = page("b.example.com.", "_failoverd.b.example.com.")
    assert last.standing("b.example.com") == Standing(
        ({"Name": "b.example.com.", "Type": "A"},), ({"Name": "_failoverd.b.example.com.", "Type": "A"},)
    )
    assert last.standing("z.example.com") == Standing((), ())


def test_a_page_says_nothing_of_what_is_before_it() -> None:
    assert page("b.example.com.", start="b.example.com.").standing("a.example.com") is None
    assert page("b.example.com.", start="_failoverd.b.example.com.").standing("b.example.com") is None


def test_a_page_that_ends_before_the_marker_does_not_say_it_all() -> None:
    assert page("a.example.com.", following="1.a.example.com.").standing("a.example.com") is None
    assert page("a.example.com.", following="_failoverd.a.example.com.").standing("a.example.com") is None
    assert page("a.example.com.", following="b.example.com.").standing("a.example.com") is not None


def test_a_name_is_passed_when_the_next_page_starts_behind_it() -> None:
    assert not page("a.example.com.", following="a.example.com.").passed("a.example.com")
    assert page("a.example.com.", following="1.a.example.com.").passed("a.example.com")


def test_two_pages_in_a_row_are_one() -> None:
    whole = page("a.example.com.", following="a.example.com.").and_then(
        page("a.example.com.", following="b.example.com.")
    )
    standing = whole.standing("a.example.com")
    assert standing is not None
    assert len(standing.at_name) == 2
