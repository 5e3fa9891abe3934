"""The benchmark inside its network namespace: `bench/failover.py` starts this, nobody else does."""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

from bench.failover import options
from bench.figures import Run, as_json, goals
from bench.report import page, tables
from bench.trial import measure

_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP = 0x1  # linux/if.h


def main() -> int:
    chosen = options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so that everything that was started ends
    _bring_loopback_up()
    began, load = time.time(), os.getloadavg()[0]
    samples = measure(chosen.faults, chosen.seed, _tell)
    run = Run.of(samples, command=["bench/failover.py", *sys.argv[1:]], began=began, load=load)
    print(json.dumps(as_json(run), indent=2) if chosen.output == "json" else tables(run))
    if chosen.write is not None:
        chosen.write.write_text(page(run))
        _tell(f"wrote {chosen.write}")
    missed = [goal.text for goal in goals(run) if not goal.reached]
    for text in missed:
        _tell(f"goal missed: {text}")
    return 1 if missed else 0


def _bring_loopback_up() -> None:
    """A new network namespace has a loopback device that is down (netdevice(7): SIOCSIFFLAGS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


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
