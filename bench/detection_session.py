"""The benchmark of the detection inside its network namespace: `bench/detection.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.detection import options
from bench.detection_report import DetectionRun, as_json, goals, part, tables
from bench.experiment import conduct
from bench.rehearsal import days, rehearse
from bench.sessions import Findings, hold, tell

_AUTHOR = "bench/detection.py"


def main() -> None:
    chosen = options(sys.argv[1:])

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        experiment = conduct(chosen.faults, chosen.span, chosen.patience, chosen.seed, tell)
        rehearsed = rehearse(chosen.rehearsed, chosen.seed, tell)
        lossy = days(chosen.hours, chosen.seed, tell)
        at = Circumstances.of([_AUTHOR, *sys.argv[1:]], ("HAProxy", "gdnsd"), began=began, load=load)
        found = DetectionRun(experiment, rehearsed, lossy, chosen.span, at)
        return Findings(tables(found), part(found), as_json(found), goals(found))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
