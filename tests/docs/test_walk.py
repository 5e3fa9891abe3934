"""docs/tutorial.md keeps its word: a newcomer who types what it says has a zone that fails over, in the end."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.servers import PLACES, free_port
from support.walking import steps, walked

pytestmark = pytest.mark.server

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
WITHIN_SECONDS = 600
"""Ten minutes is what a person should need; the machine of the tests is busy, and types faster."""


def test_a_newcomer_follows_the_tutorial_from_nothing_to_a_zone_that_fails_over(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lab = tmp_path / "lab"
    variables = {
        "PATH": f"{sys.prefix}/bin:{PLACES}",
        "HOME": str(tmp_path),
        "LAB": str(lab),
        "DNS_PORT": str(free_port()),
        "HTTP_PORT": str(free_port()),
    }
    went = walked(PAGE, variables, tmp_path)
    assert [each for each in went if each.broken] == []
    seconds = {f"{each.heading} ({number})": round(each.seconds, 1) for number, each in enumerate(went)}
    record_property("seconds", seconds)
    sys.stdout.write(f"the walk took {sum(seconds.values()):.1f} s: {seconds}\n")
    assert sum(seconds.values()) < WITHIN_SECONDS
    assert "127.0.1.1" not in next(each for each in went if each.heading == "7. Break a region").printed


def test_every_command_of_the_tutorial_is_one_of_its_steps() -> None:
    assert sum(line == "```sh" for line in PAGE.splitlines()) == len(list(steps(PAGE)))
    assert all(each.typed.strip() for each in steps(PAGE))
