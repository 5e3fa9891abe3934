"""The benchmark inside its network namespace: `bench/failover.py` starts this, nobody else does."""

import os
import sys
import time

from bench.failover import options
from bench.figures import Run, as_json, goals
from bench.report import page, tables
from bench.sessions import Findings, hold, tell
from bench.trial import measure

_AUTHOR = "bench/failover.py"


def main() -> None:
    chosen = options(sys.argv[1:])

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        samples = measure(chosen.faults, chosen.seed, tell)
        found = Run.of(samples, command=[_AUTHOR, *sys.argv[1:]], began=began, load=load)
        return Findings(tables(found), page(found), as_json(found), goals(found))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
