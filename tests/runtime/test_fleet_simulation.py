"""Two and three members that agree by a coordinator, with seeded bad luck: one of them writes, and any can go.

Each of them probes, decides and remembers by itself. `support.seeds` says how a seed is played again.
"""

import pytest
from support.fleet import BLOWS, blows_of, join
from support.seeds import Game

from failoverd.simulation.virtual_time import run

GAME = Game("tests/runtime/test_fleet_simulation.py", 30, blows_of, join, start=1_000_000.0)


@pytest.mark.parametrize("seed", GAME.seeds(30))
def test_whatever_happens_to_members_and_what_they_agree_by_one_of_them_writes(seed: int) -> None:
    assert not (wrong := GAME.wrong(seed)), wrong


def test_members_lead_one_after_the_other_and_take_over_what_was_remembered() -> None:
    """Without this nothing above would show anything."""
    fleets = [run(join(seed, blows_of(seed, GAME.steps)), GAME.start).at_end for seed in range(3)]
    assert max(len(fleet.quorum.elected) for fleet in fleets) > 3
    told = {
        event.name for fleet in fleets for member in fleet.members for stage in member.gone for event in stage.events
    }
    assert told >= {"leader.elected", "leader.lost", "coordinator.lost", "coordinator.regained", "change.applied"}


def test_each_stroke_of_luck_befalls_members_of_seeds_that_are_played() -> None:
    assert {blow.name for seed in range(30) for blow in blows_of(seed, GAME.steps)} == BLOWS.keys()
