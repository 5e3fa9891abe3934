"""Values that say nearly the same as before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.codec import delta, packed, patched, unpacked

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "a", "@", "=", "~"]),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["a", "b", "+", "-", "="]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_a_delta_makes_what_came_after_of_what_was_before(before: object, after: object) -> None:
    assert patched(before, delta(before, after)) == after


def test_what_is_said_of_a_change_is_the_change_alone() -> None:
    before = {"score": 10_000, "serving": ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "gone": 1}
    after = {"score": 6_667, "serving": ["192.0.2.1", "192.0.2.3"], "new": None}
    assert delta(before, after) == {
        "+": {"new": None},
        "-": ["gone"],
        "~": {"score": {"=": 6_667}, "serving": {"@": [1, 1, []]}},
    }


@given(JSON, st.binary(max_size=20))
def test_what_is_packed_is_unpacked_with_the_same_dictionary(value: object, dictionary: bytes) -> None:
    assert unpacked(packed(value, dictionary), dictionary) == value


def test_packing_leaves_alone_what_it_would_make_longer() -> None:
    assert packed({}) == b"{}"
    assert len(packed(["192.0.2.1"] * 100)) < 40


@pytest.mark.parametrize(
    "damaged", [b"", b"\xff\xfe", b"{", packed(["192.0.2.1"] * 100)[:-3], packed([9] * 99)[:5] + b"!!"]
)
def test_damage_is_a_value_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expect|decode|unpacked|missing"):
        unpacked(damaged)
