"""What metrics are told of a target: since when a failed region keeps its share, whatever is in the way."""

import pytest
from support.stage import API, AT, AZURE, Stage, normal, playing
from support.virtual import until, virtually

from failoverd.core.control.figures import TargetFigures
from failoverd.core.errors import Transient
from failoverd.core.events import ChangeApplied
from failoverd.core.reasons import Cause
from failoverd.core.status import RegionStatus, TargetStatus
from failoverd.simulation.virtual_time import elapse, now


def figures(stage: Stage) -> TargetFigures:
    (found,) = stage.runner.figures()
    return found


def unmoved(stage: Stage) -> dict[str, float]:
    """As the page of metrics has it."""
    statuses = stage.runner.statuses()
    regions = [each for each in statuses if isinstance(each, RegionStatus)]
    status = next((each for each in statuses if isinstance(each, TargetStatus)), None)
    return dict(figures(stage).unmoved(status, regions, now()))


@virtually
async def test_a_region_that_fails_and_is_left_at_once_was_unmoved_for_seconds() -> None:
    async with playing(API) as stage:
        await normal(stage)
        assert unmoved(stage) == {}
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        assert unmoved(stage) == {}
        applied = stage.told(ChangeApplied)[-1]
        assert figures(stage).memory.changed_at == pytest.approx(applied.at, abs=1.0)
        assert figures(stage).left(now())[Cause.TUNING].changes == API.limits.tuning.max_changes


@virtually
async def test_a_provider_that_is_away_keeps_the_share_and_the_seconds_count_on_over_a_restart() -> None:
    first = Stage()
    first.start(API)
    await normal(first)
    first.dns.down = Transient("nobody is there", reason="connect_refused")
    first.fails(AZURE)
    await until(lambda: unmoved(first))
    fell = now()
    await elapse(600.0)
    assert unmoved(first) == {"azure": pytest.approx(600.0, abs=1.0)}
    await first.kill()

    second = Stage(zonefile=first.zonefile, journal=first.journal, world=first.world)
    second.dns.down = first.dns.down
    second.start(API)
    await second.booted()
    assert unmoved(second) == {}, "nothing has a verdict yet"
    await until(lambda: unmoved(second))
    assert unmoved(second) == {"azure": pytest.approx(now() - fell, abs=1.0)}
    await elapse(60.0)
    assert unmoved(second) == {"azure": pytest.approx(now() - fell, abs=1.0)}

    second.heals(AZURE)
    await until(lambda: not unmoved(second))
    await elapse(600.0)
    second.fails(AZURE)
    await until(lambda: unmoved(second))
    assert unmoved(second)["azure"] < 10.0, "it was well in between"
    await second.kill()


@virtually
async def test_a_policy_that_is_removed_is_told_of_no_more() -> None:
    async with playing(API) as stage:
        await normal(stage)
        assert figures(stage).target == AT
        await stage.runner.remove(API.name)
        assert stage.runner.figures() == ()
