"""How people say times."""

import pytest

from failoverd.operations.moments import moment

NOW = 1_795_400_000.0  # 2026-11-23T02:13:20Z


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("02:12", NOW - 20.001),  # the whole of that minute: until 02:12:59.999
        ("02:12:30", NOW - 49.001),
        ("03:12", NOW - 86_400 + 3_579.999),  # that is later than now, so it was yesterday
        ("2026-11-23T02:12", NOW - 20.001),
        ("2026-11-23T02:12:30", NOW - 49.001),
        ("2026-11-23T02:12:30.500", NOW - 49.5),
        ("2026-11-23T03:12:30+01:00", NOW - 49.001),
        ("2026-11-23T02:12+00:00", NOW - 20.001),
        ("2026-11-23T02:12Z", NOW - 20.001),
        ("2026-11-23 02:12", NOW - 20.001),
        ("2026-11-22T18:12-08:00", NOW - 20.001),
        ("02:12Z", NOW - 20.001),
        ("03:12+01:00", NOW - 20.001),
        ("18:12-08:00", NOW - 20.001),
        ("18:14-08:00", NOW - 86_400 + 99.999),
        ("02:13:30", NOW - 86_400 + 10.999),
    ],
)
def test_a_moment_is_understood_the_way_people_say_it(text: str, at: float) -> None:
    assert moment(text, NOW) == pytest.approx(at)


@pytest.mark.parametrize("text", ["noon", "25:00", "", "3", "2026-13-01", "2026-13-01T03:12", "03:12+"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moment(text, NOW)
