"""What plain threshold probing needs: a probe every interval, `FALL` failures in a row, and no hurry in between."""

import random
from collections.abc import Sequence

from bench.troubles import ERRORS, FALL, INTERVAL, SIZE, TIMEOUT, Trouble

_WHOLE = 100


def threshold(trouble: Trouble, samples: int, seed: int) -> Sequence[float]:
    """Seconds until more than half of a region is down, for so many faults at random phases. A sum, no experiment."""
    chance = random.Random(f"{seed} {trouble}")  # noqa: S311 - repeatable, no secret
    return [sorted(_endpoint(trouble, chance) for _ in range(SIZE))[SIZE // 2] for _ in range(samples)]


def _endpoint(trouble: Trouble, chance: random.Random) -> float:
    silent = trouble in {Trouble.DROPPED, Trouble.SLOW}
    failures, at = 0, chance.uniform(0, INTERVAL)
    while True:
        failed = trouble is not Trouble.ERRORS or chance.randrange(_WHOLE) < ERRORS
        failures = failures + 1 if failed else 0
        if failures == FALL:
            return at + (TIMEOUT if silent else 0)
        at += INTERVAL
