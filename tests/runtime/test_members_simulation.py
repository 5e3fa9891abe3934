"""Two whole controllers of one owner at the same names, with seeded bad luck: the provider's fence alone holds.

Each of them probes, decides and remembers by itself. `support.seeds` says how a seed is played again.
"""

import pytest
from support.members import BLOWS, blows_of, fight
from support.seeds import Game

from failoverd.simulation.virtual_time import run

GAME = Game("tests/runtime/test_members_simulation.py", 30, blows_of, fight, start=1_000_000.0)


@pytest.mark.parametrize("seed", GAME.seeds(15))
def test_whatever_happens_to_two_members_no_older_answer_comes_over_a_newer_one(seed: int) -> None:
    assert not (wrong := GAME.wrong(seed)), wrong


def test_two_members_write_and_are_fenced() -> None:
    """Without this nothing above would show anything."""
    members = run(fight(1, blows_of(1, GAME.steps)), GAME.start).at_end
    markers = {write.marker.instance for zone in members.zonefiles.values() for write in zone.writes}
    assert len(markers) > 1
    told = {event.name for member in members.members for stage in member.gone for event in stage.events}
    assert told >= {"rival.detected", "change.applied"}


def test_each_stroke_of_luck_befalls_members_of_seeds_that_are_played() -> None:
    assert {blow.name for seed in range(20) for blow in blows_of(seed, GAME.steps)} == BLOWS.keys()
