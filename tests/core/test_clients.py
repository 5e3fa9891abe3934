"""How many clients still use the answer from before a change."""

import pytest

from failoverd.core.clients import lost, still_old


@pytest.mark.parametrize(("after", "part"), [(0, 1.0), (10, 0.70), (30, 0.106), (60, 0.10), (300, 0.063), (900, 0.02)])
def test_with_a_ttl_of_30_seconds(after: float, part: float) -> None:
    assert still_old(after, 30) == pytest.approx(part, abs=0.005)


def test_it_is_what_was_measured_with_a_ttl_of_20_seconds() -> None:
    assert 1 - still_old(60, 20) == pytest.approx(0.90, abs=0.005)
    assert still_old(900, 20) == pytest.approx(0.02, abs=0.001)


def test_a_lower_ttl_does_not_shorten_the_tail() -> None:
    assert still_old(30, 5) < still_old(30, 60)
    assert still_old(300, 1) == still_old(300, 60) == still_old(300, 0)


def test_it_never_grows_and_never_leaves_its_range() -> None:
    parts = [still_old(after, 30) for after in range(-5, 4_000)]
    assert parts == sorted(parts, reverse=True)
    assert all(0 <= part <= 1 for part in parts)


@pytest.mark.parametrize(("after", "ttl"), [(0.0, 30.0), (12.0, 30.0), (30.0, 30.0), (900.0, 30.0), (60.0, 0.0)])
def test_what_is_lost_is_the_sum_of_who_is_left(after: float, ttl: float) -> None:
    steps = 10_000
    summed = sum(still_old((step + 0.5) * after / steps, ttl) for step in range(steps)) * after / steps
    assert lost(after, ttl) == pytest.approx(summed, abs=0.01)
    assert lost(-5.0, ttl) == 0.0
