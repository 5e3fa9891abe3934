"""The benchmark of the sizes inside its network namespace: `bench/scale.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.scale import SIZES, options
from bench.scale_report import ScaleRun, as_json, goals, part, tables
from bench.scale_run import Size, measure
from bench.sessions import Findings, hold, tell

_AUTHOR = "bench/scale.py"
_LONGEST = next(iter(SIZES))
"""The size that is watched for longer than the others."""


def main() -> None:
    chosen = options(sys.argv[1:])
    sizes = [
        Size(name, endpoints, every, chosen.seconds if name == _LONGEST else chosen.others)
        for name, (endpoints, every) in SIZES.items()
        if not chosen.only or name in chosen.only
    ]

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        scaled = [measure(size, chosen.settle, tell) for size in sizes]
        at = Circumstances.of([_AUTHOR, *sys.argv[1:]], ("nginx",), began=began, load=load)
        found = ScaleRun(scaled, chosen.settle, at)
        return Findings(tables(found), part(found), as_json(found), goals(found))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
