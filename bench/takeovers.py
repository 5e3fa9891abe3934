"""What becomes of a leader, and how long after it another member leads.

Who leads is known by its own log: a member tells that it leads once it knows what the others knew, and may write.
"""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.installation import Seat
from bench.member_faults import SETTING, World, world
from bench.processes import failoverd_program

_MORE = 30.0
"""Seconds beyond the lease that a takeover may take before the experiment is called failed."""

_BACK_WITHIN = 60.0


class Fate(StrEnum):
    """What becomes of the leader."""

    TOLD = "told to stop (SIGTERM)"
    RESIGNED = "told by `failoverctl leader resign`"
    KILLED = "killed (SIGKILL)"
    FROZEN = "frozen (SIGSTOP)"
    WITH_REGION = "killed in the moment in which a region is killed"

    @property
    def silent(self) -> bool:
        """Whether it says nothing, so that the lease has to end."""
        return self not in {Fate.TOLD, Fate.RESIGNED}


@dataclass(frozen=True)
class Takeover:
    """One. Seconds until another member led; and until the answer had changed, where a region was killed with it."""

    fate: Fate
    lease: int
    after: float
    changed: float | None = None


def takeovers(leases: Sequence[int], times: int, seed: int, tell: Callable[[str], None]) -> list[Takeover]:
    """Each fate so many times, with each lease, in one installation for each."""
    found: list[Takeover] = []
    for lease in leases:
        with world(3, lease, random.Random(seed)) as here:  # noqa: S311 - a repeatable experiment, no secret
            leader = here.estate.await_leader()
            for fate in Fate:
                done = []
                for _ in range(times):
                    leader, taken = _take_over(here, leader, fate, lease)
                    done.append(taken)
                tell(f"lease {lease} s, {fate}: {', '.join(_words(each) for each in done)}")
                found += done
    return found


def _words(taken: Takeover) -> str:
    return f"{taken.after:.2f} s" + (f" (answer after {taken.changed:.2f} s)" if taken.changed is not None else "")


def _take_over(here: World, leader: Seat, fate: Fate, lease: int) -> tuple[Seat, Takeover]:
    """Who leads after it, with everybody there and calm again."""
    estate, others = here.estate, here.estate.others(leader)
    marks = estate.marks()
    began = time.monotonic()
    struck_at = here.strike() if fate is Fate.WITH_REGION else 0.0
    with _befalling(leader, fate):
        next_one, led_at = estate.await_turn(others, marks, lease + _MORE)
    changed = None
    if fate is Fate.WITH_REGION:
        changed = here.changed() - struck_at
        here.victim.heal()
    _bring_back(here, leader, fate, marks[leader.name])
    here.settle()
    return next_one, Takeover(fate, lease, led_at - began, changed)


@contextmanager
def _befalling(leader: Seat, fate: Fate) -> Iterator[None]:
    """It happens at the beginning; `failoverctl` ends within the context."""
    if fate is not Fate.RESIGNED:
        leader.signal(_SIGNALS[fate])
        yield
        return
    program = str(Path(failoverd_program()).with_name("failoverctl"))
    words = ["leader", "resign", "--for", "5s", "--reason", "bench", "--config", str(leader.config)]
    with subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        yield
        said, _ = process.communicate(timeout=_BACK_WITHIN)
    if process.returncode:
        raise RuntimeError(f"failoverctl {' '.join(words)} failed: {said.decode(errors='replace')}")


_SIGNALS = {
    Fate.TOLD: signal.SIGTERM,
    Fate.KILLED: signal.SIGKILL,
    Fate.FROZEN: signal.SIGSTOP,
    Fate.WITH_REGION: signal.SIGKILL,
}


def _bring_back(here: World, leader: Seat, fate: Fate, mark: int) -> None:
    """Until it follows who took over."""
    if fate is Fate.FROZEN:
        leader.signal(signal.SIGCONT)
    elif fate is not Fate.RESIGNED:
        leader.ended()
        leader.start()
        mark = 0
    here.estate.until(lambda: leader.told("leader.elected", mark, mine=False), "it follows", _BACK_WITHIN)
    if not mark:
        time.sleep(SETTING.rise * SETTING.interval)  # until it has verdicts of its own
