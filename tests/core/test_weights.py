"""Shares as weights within a provider's range."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.weights import filled, fitted


def off(parts: tuple[int, ...], weights: tuple[int, ...]) -> Fraction:
    """The greatest factor by which two weights stand in another proportion than their parts."""
    found = [Fraction(weight, part) for part, weight in zip(parts, weights, strict=True) if part]
    return max(found) / min(found)


@pytest.mark.parametrize(
    ("shares", "most", "weights"),
    [
        ((100, 9_900), 255, (1, 99)),
        ((50, 4_975, 4_975), 255, (2, 199, 199)),
        ((7_000, 3_000), 255, (7, 3)),
        ((2_334, 2_333, 2_333, 1_500, 1_500), 255, (14, 14, 14, 9, 9)),  # rounded to basis points before
        ((3_333, 6_667), 255, (1, 2)),
        ((1, 9_999), 255, (1, 255)),
        ((1, 9_999), 1_000, (1, 1_000)),
        ((10, 9_990), 1_000, (1, 999)),
        ((7_000, 0, 3_000), 255, (7, 0, 3)),
        ((10_000,), 255, (1,)),
        ((), 255, ()),
        ((0, 0), 255, (0, 0)),
        ((5, 3), 1, (1, 1)),
    ],
)
def test_a_split_is_said_by_the_best_fraction_that_the_range_holds(
    shares: tuple[int, ...], most: int, weights: tuple[int, ...]
) -> None:
    assert fitted(shares, most) == weights


@pytest.mark.parametrize(("count", "most"), [(2, 12), (3, 7), (4, 5)])
@given(st.data())
def test_no_other_weights_in_the_range_are_less_far_off(count: int, most: int, data: st.DataObject) -> None:
    parts = tuple(data.draw(st.lists(st.integers(1, 300), min_size=count, max_size=count)))
    best = min(off(parts, weights) for weights in product(range(1, most + 1), repeat=count))
    assert off(parts, fitted(parts, most)) == best


shares_of_any_size = st.lists(st.integers(0, 10_000), max_size=12).map(tuple)


@given(shares_of_any_size, st.sampled_from([1, 255, 1_000, 65_535]))
def test_every_share_keeps_a_weight_within_the_range_and_equal_shares_have_equal_ones(
    shares: tuple[int, ...], most: int
) -> None:
    weights = fitted(shares, most)
    assert all(1 <= weight <= most if share else weight == 0 for share, weight in zip(shares, weights, strict=True))
    assert len(set(zip(shares, weights, strict=True))) == len(set(shares))


@given(shares_of_any_size)
def test_no_share_is_further_off_than_two_weights_are_from_each_other(shares: tuple[int, ...]) -> None:
    """So what `check` says of shares is bounded by what is made as small as it can be."""
    weights = fitted(shares, 255)
    for share, weight in zip(shares, weights, strict=True):
        if share:
            factor = Fraction(weight * sum(shares), share * sum(weights))
            assert 1 / off(shares, weights) <= factor <= off(shares, weights)


def test_proportions_fill_the_range_where_scales_have_to_agree() -> None:
    assert filled((7, 3), 1_000) == (994, 426)
    assert filled((1,), 1_000) == (1_000,)
    assert filled((999, 1), 1_000) == (999, 1)
