"""How many file descriptors the daemon gets, and how many of them are for probes."""

import resource
import subprocess
import sys

import pytest

from failoverd.runtime.descriptors import RESERVE, budget

RAISE = """\
import resource, sys
from failoverd.runtime.descriptors import raise_limit
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(64, 200), (200, 200), (100, 1_000)])
def test_the_soft_limit_is_raised_to_the_hard_one(soft: int, hard: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    told = subprocess.run([sys.executable, "-c", RAISE, str(soft), str(hard)], check=True, capture_output=True)
    assert told.stdout.decode().split() == [str(hard)] * 3


@pytest.mark.parametrize(("limit", "probes"), [(65_536, 65_536 - RESERVE), (600, 344), (512, 256), (200, 100)])
def test_some_are_left_for_everything_else(limit: int, probes: int) -> None:
    assert budget(limit) == probes
