"""The benchmark of the providers inside its network namespace: `bench/providers.py` starts this, nobody else does."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.footprint import footprint
from bench.isolation import bring_loopback_up
from bench.outage import Outage, measure
from bench.pages import replace
from bench.provider_report import ProviderRun, as_json, goals, part, tables
from bench.providers import KINDS, options
from bench.stands_by_kind import OPENERS


def main() -> int:
    chosen = options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so that everything that was started ends
    bring_loopback_up()
    began, load = time.time(), os.getloadavg()[0]
    outages, failed = _outages(chosen.only or KINDS, chosen.records)
    with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as folder:
        found = footprint(Path(folder))
    run = ProviderRun.of(outages, failed, found, command=["bench/providers.py", *sys.argv[1:]], began=began, load=load)
    print(json.dumps(as_json(run), indent=2) if chosen.output == "json" else tables(run))
    if chosen.write is not None:
        replace(chosen.write, "bench/providers.py", part(run))
        _tell(f"wrote {chosen.write}")
    missed = [goal.text for goal in goals(run) if not goal.reached]
    for text in missed:
        _tell(f"goal missed: {text}")
    return 1 if missed or failed else 0


def _outages(kinds: Sequence[str], records: int) -> tuple[list[Outage], dict[str, str]]:
    """Every provider that could be measured, and what kept the others from it. Each runs by itself."""
    outages, failed = [], {}
    for kind in kinds:
        try:
            with tempfile.TemporaryDirectory(prefix="failoverd-bench-") as path:
                folder = Path(path)
                with OPENERS[kind](folder) as stand:
                    outages.append(measure(stand, min(records, stand.most), folder, _tell))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            failed[kind] = str(error)
            _tell(f"{kind}: failed: {error}")
        else:
            _tell(f"{kind}: {outages[-1].in_words()}")
    return outages, failed


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; everything that was started has ended")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(f"the benchmark failed: {error}")
