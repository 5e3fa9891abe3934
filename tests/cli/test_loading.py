"""How a process loads itself: without a search for garbage, and with one again once it runs."""

import subprocess
import sys


def printed(code: str) -> list[str]:
    """In a process of its own, for it is the whole process that is changed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_what_a_daemon_loads_is_never_looked_through_and_what_it_makes_later_is() -> None:
    code = """
import gc
from failoverd.cli.loading import loading
with loading():
    print(gc.isenabled())
print(gc.isenabled(), gc.get_freeze_count() > 1000, gc.get_threshold()[0] < 1000)
"""
    assert printed(code) == ["False", "True", "True", "True"]


def test_a_daemon_that_cannot_be_loaded_does_not_stay_without_a_search() -> None:
    code = """
import gc
from failoverd.cli.loading import loading
try:
    with loading():
        import failoverd.nowhere
except ImportError:
    print(gc.isenabled())
"""
    assert printed(code) == ["True"]


def test_a_command_that_goes_on_still_looks_for_garbage_now_and_then() -> None:
    code = """
import gc
from failoverd.cli.loading import seldom_search
seldom_search()
before = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(200_000)]
print(gc.isenabled(), 0 < gc.get_stats()[0]["collections"] - before < 10)
"""
    assert printed(code) == ["True", "True"]
