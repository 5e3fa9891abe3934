"""A network of one's own: a benchmark goes on in a new network namespace, in which there is only loopback."""

import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_ROOT = Path(__file__).resolve().parent.parent
_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP = 0x1  # linux/if.h


def isolated(module: str, arguments: Sequence[str]) -> NoReturn:
    """Become `python -m module`, in a network namespace of its own. Without root that takes a user namespace, too."""
    namespace = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
    session = [sys.executable, "-m", module, *arguments]
    try:
        os.execvpe("unshare", ["unshare", *namespace, *session], {**os.environ, "PYTHONPATH": path})  # noqa: S606 - on purpose: signals reach the session itself
    except FileNotFoundError:
        sys.exit("the benchmark needs unshare(1), which util-linux brings")


def bring_loopback_up() -> None:
    """A new network namespace has a loopback device that is down (netdevice(7): SIOCSIFFLAGS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))
