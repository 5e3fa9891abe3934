"""The benchmark of the estate inside its network namespace: `bench/estate.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.estate import SIZES, USUAL, options
from bench.estate_report import EstateRun, as_json, goals, part, tables
from bench.estate_run import Estate, measure
from bench.sessions import Findings, hold, tell

_AUTHOR = "bench/estate.py"


def main() -> None:
    chosen = options(sys.argv[1:])
    estates = [Estate(policies, every) for name, (policies, every) in SIZES.items() if name in (chosen.only or USUAL)]

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        found = [measure(estate, chosen.settle, chosen.edits, tell) for estate in estates]
        at = Circumstances.of([_AUTHOR, *sys.argv[1:]], ("nginx",), began=began, load=load)
        result = EstateRun(found, at)
        return Findings(tables(result), part(result), as_json(result), goals(result))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
