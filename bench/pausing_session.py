"""The benchmark of urgent words inside its network namespace: `bench/pausing.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.pausing import WORDS, options
from bench.pausing_report import PausingRun, as_json, goals, part, tables
from bench.pausing_run import VERBS, measure
from bench.sessions import Findings, hold, tell

_AUTHOR = "bench/pausing.py"


def main() -> None:
    chosen = options(sys.argv[1:])

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        found = measure(chosen.policies, [VERBS[name] for name in chosen.only or WORDS], chosen.rounds, tell)
        at = Circumstances.of([_AUTHOR, *sys.argv[1:]], ("nginx",), began=began, load=load)
        result = PausingRun(found, at)
        return Findings(tables(result), part(result), as_json(result), goals(result))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
