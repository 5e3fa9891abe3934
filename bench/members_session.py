"""The benchmark of several members inside its network namespace: `bench/members.py` starts this, nobody else does."""

import os
import sys
import time

from bench.circumstances import Circumstances
from bench.member_cost import Load
from bench.member_cost import measure as cost_of
from bench.member_faults import beside
from bench.members import LEASES, PARTS, options
from bench.members_report import MembersRun, as_json, goals, part, tables
from bench.sessions import Findings, hold, tell
from bench.takeovers import takeovers

_AUTHOR = "bench/members.py"


def main() -> None:
    chosen = options(sys.argv[1:])
    parts = chosen.only or PARTS

    def run() -> Findings:
        began, load = time.time(), os.getloadavg()[0]
        moved = beside(chosen.rounds, chosen.faults, chosen.seed, tell) if "beside" in parts else []
        taken = takeovers(LEASES, chosen.times, chosen.seed, tell) if "takeover" in parts else []
        weight = Load(chosen.policies, chosen.every, chosen.seconds)
        costs = cost_of(weight, tell) if "cost" in parts else []
        at = Circumstances.of([_AUTHOR, *sys.argv[1:]], ("BIND", "etcd", "nginx"), began=began, load=load)
        result = MembersRun(moved, taken, weight, costs, at)
        return Findings(tables(result), part(result), as_json(result), goals(result))

    hold(_AUTHOR, chosen, run, within=60.0 * chosen.within)


if __name__ == "__main__":
    main()
