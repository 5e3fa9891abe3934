"""docs/tutorial.md is a walk, every command of it a step; `tests/packages/test_deb.py` takes it, in a new Debian."""

from support.walking import TUTORIAL, steps


def test_every_command_of_the_tutorial_is_one_of_its_steps() -> None:
    assert sum(line == "```sh" for line in TUTORIAL.splitlines()) == len(list(steps(TUTORIAL)))
    assert all(each.typed.strip() for each in steps(TUTORIAL))
