"""When intervals are stretched, by how much, and when they are as written again."""

import pytest

from failoverd.runtime.shedding import CALM, LEAST_SAVED, LONGEST_CALM, MOST, PATIENCE, TOO_LATE, WINDOW, Lags, Shedding

LATE, CALM_LAG = 2 * TOO_LATE, 0.002
FIRST_STEP = int(WINDOW + PATIENCE)


class Seconds:
    """A second a step."""

    def __init__(self) -> None:
        self.shedding = Shedding()
        self.now = 0.0

    def go(self, seconds: float, lag: float, *, full: bool = False, rate: float = 1_000.0) -> list[tuple[float, int]]:
        """Returns when the factor changed, and to what."""
        changes = []
        for _ in range(int(seconds)):
            self.now += 1.0
            if self.shedding.review(self.now, lag, rate / self.shedding.factor, full=full):
                changes.append((self.now, self.shedding.factor))
        return changes


@pytest.mark.parametrize("full", [False, True])
def test_trouble_that_stays_stretches_the_intervals_step_by_step_up_to_the_most(full: bool) -> None:
    scene = Seconds()
    changes = scene.go(300, 0.0 if full else LATE, full=full)
    assert changes == [(1 + step * FIRST_STEP, 2**step) for step in (1, 2, 3)]
    assert scene.shedding.factor == MOST
    assert scene.shedding.stretching


def test_one_stall_that_is_over_sheds_nothing() -> None:
    scene = Seconds()
    assert scene.go(WINDOW + 1, LATE) == []
    assert scene.go(300, CALM_LAG) == []


def test_what_would_save_next_to_nothing_is_not_shed() -> None:
    """A host under pressure from elsewhere is not helped by three endpoints that are probed less often."""
    assert Seconds().go(300, LATE, rate=0.3) == []
    assert Seconds().go(300, LATE, rate=4 * LEAST_SAVED - 1) == [(1 + FIRST_STEP, 2)], "one step, for two save no more"


def test_whoever_has_no_room_sheds_however_few_probes_that_are() -> None:
    assert Seconds().go(FIRST_STEP + 1, 0.0, full=True, rate=0.3) == [(1 + FIRST_STEP, 2)]


def test_it_goes_back_one_step_after_each_calm_time() -> None:
    scene = Seconds()
    scene.go(2 * FIRST_STEP + 1, LATE)
    assert scene.shedding.factor == 4
    begun = scene.now
    assert scene.go(300, CALM_LAG) == [(begun + 1 + CALM, 2), (begun + 1 + 2 * CALM, 1)]
    assert not scene.shedding.stretching


def test_what_is_neither_trouble_nor_calm_changes_nothing() -> None:
    scene = Seconds()
    scene.go(FIRST_STEP + 1, LATE)
    assert scene.go(1_000, TOO_LATE * 0.9) == []
    assert scene.shedding.factor == 2


def test_each_relapse_doubles_the_calm_that_the_next_step_back_needs() -> None:
    scene, calms = Seconds(), []
    for _ in range(9):
        scene.go(FIRST_STEP + 1, LATE)
        assert scene.shedding.factor == 2
        begun = scene.now
        while scene.shedding.factor == 2:
            scene.go(1, CALM_LAG)
        calms.append(scene.now - begun - 1)
    assert calms[:4] == [CALM, 2 * CALM, 4 * CALM, 8 * CALM]
    assert max(calms) == LONGEST_CALM


def test_lag_and_rate_are_those_of_the_last_seconds() -> None:
    lags = Lags()
    lags.tick(0.0)
    assert (lags.rate, lags.late) == (0.0, 0.0)
    for second in range(1, 4):
        for _ in range(100):
            lags.add(0.6)
        lags.tick(second)
    assert (lags.rate, lags.late) == (100.0, 0.6)  # the bucket ends at 1, but nothing was later than this
    for second in range(4, 4 + WINDOW):
        for _ in range(50):
            lags.add(0.003)
        lags.tick(second)
    assert (lags.rate, lags.late) == (50.0, 0.005)
    lags.add(3_600.0)
    for _ in range(9):
        lags.add(0.0)
    for second in range(20, 20 + WINDOW + 1):
        lags.tick(second)
    assert (lags.rate, lags.late) == (0.0, 0.0)


def test_a_lag_beyond_all_buckets_is_trouble() -> None:
    lags = Lags()
    lags.tick(0.0)
    lags.add(3_600.0)
    lags.tick(1.0)
    assert lags.late > TOO_LATE


def test_the_worst_is_forgotten_after_a_minute_or_two() -> None:
    lags = Lags()
    lags.tick(0.0)
    lags.add(2.5)
    lags.tick(61.0)
    assert lags.worst == 2.5
    lags.tick(121.0)
    assert lags.worst == 0.0
