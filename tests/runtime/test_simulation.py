"""Whole clusters on a virtual clock: seeded bad luck of every kind, and the rules that never bend after each stroke.

A seed that fails is played again with ever fewer strokes of its luck, until none of them can be spared. What is told
then ends with the command that plays these. `support.seeds` says how to play others, and more of them.
"""

import pytest
from support import cluster
from support.cluster import LUCK, Cluster, strokes_of
from support.laws import SHOWN_BY, Broken, Law
from support.seeds import Game
from support.shrinking import shrunk

from failoverd.simulation.virtual_time import now, run

GAME = Game("tests/runtime/test_simulation.py", 30, strokes_of, cluster.play)
SEEDS = 50
"""So many are played: about a second of a processor each."""

QUIET = 10
"""Writes of which a seed has more, unless strokes of it were taken away."""


@pytest.mark.parametrize("seed", GAME.seeds(SEEDS))
def test_whatever_happens_the_rules_hold_and_calm_brings_everything_back(seed: int) -> None:
    assert not (wrong := GAME.wrong(seed)), wrong


def test_the_same_seed_plays_the_same_story() -> None:
    def told() -> list[str]:
        played = run(cluster.play(7, strokes_of(7, 20)))
        assert played.at_end.written > QUIET, "the scenario is too quiet to prove anything"
        assert played.at_end.shown, "what is shown was hardly ever held against what is done"
        assert played.at_end.judged, "what stands was hardly ever held against what was said"
        zones = played.at_end.zonefiles.values()
        return [*played.story, *(f"{write.at} {write.records}" for zone in zones for write in zone.writes)]

    assert told() == told()


def test_each_rule_that_never_bends_is_held_somewhere() -> None:
    assert SHOWN_BY.keys() == set(Law)


def test_each_stroke_of_luck_comes_in_seeds_that_are_played() -> None:
    assert {stroke.name for seed in range(SEEDS) for stroke in strokes_of(seed, GAME.steps)} == LUCK.keys()


# -- what is told of a seed that fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "of"), [((3, 17), 30), ((0,), 30), ((29,), 30), ((0, 1, 2), 3), ((), 30), ((4, 9, 10, 28), 200)]
)
def test_what_can_be_spared_is_taken_away(needed: tuple[int, ...], of: int) -> None:
    least, tries = shrunk(range(of), lambda some: set(needed) <= set(some))
    assert tuple(least) == needed
    assert tries <= 300


def test_after_so_many_tries_it_is_left_at_that() -> None:
    least, tries = shrunk(range(64), lambda some: 63 in some, most=3)
    assert (len(least), tries) == (8, 3)


def test_a_seed_that_fails_is_told_with_the_strokes_that_it_takes_and_the_command_that_plays_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planted fault: nobody may restart a daemon after an operator spoke."""

    class Planted(Cluster):
        async def look(self) -> None:
            names = [stroke.name for stroke in self.played]
            if "restart" in names and "operator" in names[: names.index("restart")]:
                self.broken.append(Broken(Law.WORDS, now(), "planted"))

    seed = next(each for each in range(100) if _has(each, "operator", "restart"))
    monkeypatch.setattr(cluster, "Cluster", Planted)
    wrong = GAME.wrong(seed)
    command = wrong.splitlines()[-1]
    numbers = command.split("FAILOVERD_STROKES=")[1].split()[0].split(",")
    assert f"FAILOVERD_SEED={seed} " in command
    assert command.endswith(".venv/bin/pytest -n 0 tests/runtime/test_simulation.py -k whatever")
    assert [strokes_of(seed, GAME.steps)[int(each)].name for each in numbers] == ["operator", "restart"]
    assert "planted" in wrong
    monkeypatch.setenv("FAILOVERD_STROKES", ",".join(numbers))
    assert "of whose 2 strokes 2 are needed" in GAME.wrong(seed)


def _has(seed: int, first: str, later: str) -> bool:
    names = [stroke.name for stroke in strokes_of(seed, GAME.steps)]
    return first in names and later in names[names.index(first) :]
