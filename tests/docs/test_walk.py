"""docs/tutorial.md keeps its word: a newcomer who types what it says has a zone that fails over, in the end.

`tests/packages/test_deb.py` follows the same page on an empty Debian, with the package of failoverd.
"""

import sys
from pathlib import Path

import pytest
from support.servers import PLACES
from support.walking import PAGE, here, ports, steps, unkept, walked

pytestmark = pytest.mark.server


def test_a_newcomer_follows_the_tutorial_to_a_zone_that_fails_over(tmp_path: Path) -> None:
    places = {"PATH": f"{sys.prefix}/bin:{PLACES}", "HOME": str(tmp_path)}
    went = walked(PAGE, here({**places, **ports()}, tmp_path))
    assert unkept(went) == []
    broken = next(each for each in went if each.heading == "7. Break a region")
    assert "127.0.1.1" not in broken.printed


def test_every_command_of_the_tutorial_is_one_of_its_steps() -> None:
    assert sum(line == "```sh" for line in PAGE.splitlines()) == len(list(steps(PAGE)))
    assert all(each.typed.strip() for each in steps(PAGE))
