"""docs/tutorial.md keeps its word: a newcomer who types what it says has a zone that fails over, in the end.

In this checkout. `tests/packages/test_deb.py` does the same in a Debian of its own, of which the pages alone are known.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.servers import PLACES, free_port
from support.walking import TUTORIAL, kept_its_word, steps, walked

pytestmark = pytest.mark.server


def test_a_newcomer_follows_the_tutorial_from_nothing_to_a_zone_that_fails_over(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    variables = {
        "PATH": f"{sys.prefix}/bin:{PLACES}",
        "HOME": str(tmp_path),
        "LAB": str(tmp_path / "lab"),
        "DNS_PORT": str(free_port()),
        "HTTP_PORT": str(free_port()),
    }
    record_property("seconds", kept_its_word(walked(TUTORIAL, variables, tmp_path)))


def test_every_command_of_the_tutorial_is_one_of_its_steps() -> None:
    assert sum(line == "```sh" for line in TUTORIAL.splitlines()) == len(list(steps(TUTORIAL)))
    assert all(each.typed.strip() for each in steps(TUTORIAL))
