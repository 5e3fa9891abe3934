"""What stands at a name: saying it as text and back, and what cannot be said in DNS."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.embedded_dns import NAME, marker, target

from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, Marker, RecordKey, RecordSet, RecordType
from failoverd.providers.embedded.place import Place, rdata

VALUES = {
    RecordType.A: st.ip_addresses(v=4).map(str),
    RecordType.AAAA: st.ip_addresses(v=6).map(lambda address: address.compressed),
    RecordType.CNAME: st.from_regex(r"[a-z]{1,8}(-[0-9]{1,3})?\.example\.net", fullmatch=True),
    RecordType.SRV: st.from_regex(r"[a-z]{1,8}\.example\.net:[1-9][0-9]{0,3}", fullmatch=True),
}


@st.composite
def places(draw: st.DrawFn) -> Place:
    kinds = draw(st.lists(st.sampled_from(RecordType), unique=True))
    sets = {
        kind: RecordSet.of(
            RecordKey(NAME, kind),
            draw(st.integers(1, 86_400)),
            draw(st.dictionaries(VALUES[kind], st.integers(0, 65_535), min_size=1, max_size=5)),
        )
        for kind in kinds
    }
    return Place(NAME, draw(st.none() | st.text(max_size=300)), sets)


@settings(deadline=None)
@given(places())
def test_a_place_said_as_text_is_understood_again(place: Place) -> None:
    assert Place.from_texts(NAME, place.texts()) == place


@pytest.mark.parametrize("text", ["", "v=spf1 -all", "A", "A thirty 192.0.2.1=1", "A 30 192.0.2.1", "MX 30 mail=1"])
def test_a_text_that_is_no_fact_of_a_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Place.from_texts(NAME, [text])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (RecordType.A, "2001:db8::1"),
        (RecordType.A, "192.0.2.1 ; and a comment"),
        (RecordType.A, ""),
        (RecordType.AAAA, "192.0.2.1"),
        (RecordType.AAAA, "2001:DB8::1"),
        (RecordType.AAAA, "fe80::1%eth0"),
        (RecordType.CNAME, "East.example.net"),
        (RecordType.CNAME, "east.example.net."),
        (RecordType.CNAME, "east..example.net"),
        (RecordType.CNAME, "x" * 64 + ".example.net"),
        (RecordType.SRV, "east.example.net"),
        (RecordType.SRV, "east.example.net:0"),
        (RecordType.SRV, "east.example.net:65536"),
        (RecordType.SRV, "east.example.net:http"),
    ],
)
def test_a_value_that_is_no_answer_of_the_type_is_refused(kind: RecordType, value: str) -> None:
    with pytest.raises(Permanent) as caught:
        rdata(RecordKey(NAME, kind), Answer(value, 1))

    assert caught.value.reason == "unsayable"


def test_a_weight_that_srv_cannot_hold_is_refused() -> None:
    with pytest.raises(Permanent, match="unsayable"):
        rdata(RecordKey(NAME, RecordType.SRV), Answer("east.example.net:443", 65_536))


def test_more_answers_than_one_message_holds_are_refused() -> None:
    key = RecordKey(NAME, RecordType.A)
    many = RecordSet.of(key, 30, {f"10.0.{index // 250}.{index % 250}": 1 for index in range(2_500)})

    with pytest.raises(Permanent) as caught:
        Place(NAME, marker(1).to_text(), {RecordType.A: many}).check()

    assert caught.value.reason == "too_large"


def test_an_empty_place_is_observed_as_nothing() -> None:
    observed = Place(NAME).observed(target())

    assert (observed.records, observed.marker, observed.marker_text, observed.foreign) == (None, None, None, ())


def test_a_cname_excludes_the_other_types_and_they_exclude_it() -> None:
    alias, address = target(RecordType.CNAME), target(RecordType.A)
    with_alias = Place(NAME, None, {RecordType.CNAME: RecordSet.of(alias.key, 30, {"east.example.net": 1})})
    with_address = Place(NAME, None, {RecordType.A: RecordSet.of(address.key, 30, {"192.0.2.1": 1})})

    assert with_alias.observed(address).foreign == ("CNAME",)
    assert with_address.observed(alias).foreign == ("A",)
    assert with_alias.observed(alias).foreign == ()


def test_the_apex_has_no_room_for_a_cname() -> None:
    assert Place("example.com").observed(target(RecordType.CNAME, "example.com")).foreign == ("NS", "SOA")


def test_a_marker_that_is_not_ours_is_kept_as_it_stands() -> None:
    observed = Place(NAME, "heritage=somebody-else").observed(target())

    assert (observed.marker, observed.marker_text) == (None, "heritage=somebody-else")


def test_our_marker_is_understood() -> None:
    assert Place(NAME, marker(7).to_text()).observed(target()).marker == Marker(
        "prod", "inference-api", 7, (RecordType.A,)
    )
