"""The benchmark inside its network namespace: `bench/failover.py` starts this, nobody else does."""

import json
import os
import signal
import subprocess
import sys
import time

from bench.failover import options
from bench.figures import Run, as_json, goals
from bench.isolation import bring_loopback_up
from bench.pages import replace
from bench.report import page, tables
from bench.trial import measure


def main() -> int:
    chosen = options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so that everything that was started ends
    bring_loopback_up()
    began, load = time.time(), os.getloadavg()[0]
    samples = measure(chosen.faults, chosen.seed, _tell)
    run = Run.of(samples, command=["bench/failover.py", *sys.argv[1:]], began=began, load=load)
    print(json.dumps(as_json(run), indent=2) if chosen.output == "json" else tables(run))
    if chosen.write is not None:
        replace(chosen.write, "bench/failover.py", page(run))
        _tell(f"wrote {chosen.write}")
    missed = [goal.text for goal in goals(run) if not goal.reached]
    for text in missed:
        _tell(f"goal missed: {text}")
    return 1 if missed else 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; everything that was started has ended")
    except FileNotFoundError as error:
        sys.exit(f"the benchmark failed: {error}; make bench installs what it needs")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(f"the benchmark failed: {error}")
