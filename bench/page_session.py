"""The benchmark of the page inside its network namespace: `bench/page.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.page import options
from bench.page_report import PageRun, as_json, goals, part, tables
from bench.page_run import measure
from bench.sessions import Findings, hold, tell

_AUTHOR = "bench/page.py"


def main() -> None:
    chosen = options(sys.argv[1:])

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        found = measure(chosen.policies, chosen.listeners, chosen.rounds, tell)
        result = PageRun(found, Circumstances.of([_AUTHOR, *sys.argv[1:]], ("nginx",), began=began, load=load))
        return Findings(tables(result), part(result), as_json(result), goals(result))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
