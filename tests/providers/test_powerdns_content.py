"""Weights as Lua and back, without a server."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failoverd.core.errors import Permanent
from failoverd.core.records import Answer, RecordKey, RecordSet, RecordType
from failoverd.providers.powerdns.content import MAX_WEIGHT, Lua, decode, encode, normalise

A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=63)
hosts = st.lists(labels, min_size=1, max_size=8).map(".".join).filter(lambda host: len(host) <= 253)
values = {
    A: st.ip_addresses(v=4).map(str),
    AAAA: st.ip_addresses(v=6).map(str),
    CNAME: hosts,
}


@st.composite
def desires(draw: st.DrawFn) -> RecordSet:
    kind = draw(st.sampled_from(sorted(values)))
    weights = draw(st.dictionaries(values[kind], st.integers(1, 10**7), min_size=1, max_size=100))
    return RecordSet.of(RecordKey("api.example.test", kind), 30, weights)


def codes(kind: RecordType, *found: str) -> RecordSet:
    return decode(RecordKey("api.example.test", kind), 30, [Lua.of(kind.value, [code]) for code in found])


@settings(deadline=None)
@given(desires())
def test_what_is_written_is_what_is_read_whichever_way_it_travels(desired: RecordSet) -> None:
    said = normalise(desired)
    assert normalise(said) == said
    assert max(answer.weight for answer in said.answers) <= MAX_WEIGHT
    (lua,) = encode(said)
    assert Lua.from_rdata(lua.rdata()) == lua
    assert Lua.from_content(lua.content) == lua
    assert decode(desired.key, desired.ttl, [lua]) == said


def test_the_code_is_what_a_person_would_write() -> None:
    (lua,) = encode(RecordSet.of(RecordKey("api.example.test", A), 30, {"192.0.2.1": 70, "198.51.100.1": 30}))
    assert lua.content == "A \"pickwrandom({{70,'192.0.2.1'},{30,'198.51.100.1'}})\""


@pytest.mark.parametrize(
    "code",
    [
        "pickwrandom({{70,'192.0.2.1'},{30,'198.51.100.1'}})",
        " pickwrandom ( { { 70 , '192.0.2.1' } , { 30 , '198.51.100.1' } , } ) ",
        "; return pickwrandom({{30,'198.51.100.1'},{70,'192.0.2.1'}});",
    ],
)
def test_the_same_weights_in_other_words_are_the_same_weights(code: str) -> None:
    assert codes(A, code).answers == (Answer("192.0.2.1", 70), Answer("198.51.100.1", 30))


@pytest.mark.parametrize(
    "code",
    [
        "ifurlup('http://x/', {'192.0.2.1'})",
        "pickwrandom({{70,'192.0.2.1'},{30,'192.0.2.1'}})",
        "pickwrandom({{70,'2001:db8::1'}})",
        "pickwrandom({{70,'192.0.2.1'}},{selector='all'})",
        "pickwrandom({})",
        "",
        '"quoted" \\ and \x07',
    ],
)
def test_other_code_is_kept_word_for_word_and_can_be_put_back(code: str) -> None:
    kept = codes(A, code)
    assert [answer.value.startswith("lua ") for answer in kept.answers] == [True]
    assert encode(kept) == (Lua.of("A", [code]),)


def test_several_records_answer_together_which_no_weights_say() -> None:
    one, other = "pickwrandom({{1,'192.0.2.1'}})", "pickwrandom({{9,'192.0.2.9'}})"
    kept = codes(A, one, other)
    assert [answer.value for answer in kept.answers] == [f'lua "{one}"', f'lua "{other}"']
    assert encode(kept) == (Lua.of("A", [one]), Lua.of("A", [other]))


@pytest.mark.parametrize(
    ("kind", "value"),
    [(A, "2001:db8::1"), (AAAA, "192.0.2.1"), (A, "'})os.exit()--"), (CNAME, "a'b"), (CNAME, "a b"), (CNAME, "a" * 64)],
)
def test_only_a_value_of_the_type_becomes_code(kind: RecordType, value: str) -> None:
    with pytest.raises(Permanent) as caught:
        encode(RecordSet.of(RecordKey("api.example.test", kind), 30, {value: 1}))
    assert caught.value.reason == "unsayable"


def test_nothing_that_serves_is_never_code() -> None:
    for weights in ({}, {"192.0.2.1": 0}):
        with pytest.raises(Permanent) as caught:
            encode(RecordSet.of(RecordKey("api.example.test", A), 30, weights))
        assert caught.value.reason == "empty_answer"
