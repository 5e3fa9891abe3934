"""The benchmark of the probes inside its network namespace: `bench/probes.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.probe_cost import Setting, measure
from bench.probe_report import ProbeRun, as_json, goals, part, tables
from bench.probes import options
from bench.sessions import Findings, hold, tell
from bench.watchers import Kind

_AUTHOR = "bench/probes.py"


def main() -> None:
    chosen = options(sys.argv[1:])
    kinds = tuple(kind for kind in Kind if not chosen.only or kind.name in chosen.only)
    setting = Setting(chosen.endpoints, chosen.every, chosen.seconds, chosen.settle, chosen.windows, kinds)

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        costs = measure(setting, tell)
        programs = ("nginx", "HAProxy", "gdnsd", "blackbox_exporter")
        command = [_AUTHOR, *sys.argv[1:]]
        found = ProbeRun(setting, costs, Circumstances.of(command, programs, began=began, load=load))
        return Findings(tables(found), part(found), as_json(found), goals(found))

    hold(_AUTHOR, chosen, run)


if __name__ == "__main__":
    main()
