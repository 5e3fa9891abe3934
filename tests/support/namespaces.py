"""A network and what is mounted in it: the process that keeps both, and how another process enters them.

    python -S -m support.namespaces DESCRIPTOR

Keeps the one that it is started in, and makes sockets in it for who asks at that descriptor, until nobody is there to.
"""

import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000


def enter(keeper: int) -> None:
    """This process, of one thread, is in a keeper's network from now on, and sees what is mounted there.

    It is in the root folder then.
    """
    if os.geteuid() != 0:
        _set_namespace(f"/proc/{keeper}/ns/user", _CLONE_NEWUSER)
    _set_namespace(f"/proc/{keeper}/ns/net", _CLONE_NEWNET)
    _set_namespace(f"/proc/{keeper}/ns/mnt", _CLONE_NEWNS)


def _set_namespace(path: str, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(path).open("rb") as there:
        if libc.setns(there.fileno(), kind) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)


def _keep(door: socket.socket) -> None:
    door.send(b"!")
    while asked := door.recv(16):
        with socket.socket(socket.AF_INET, json.loads(asked)) as made:
            socket.send_fds(door, [b"!"], [made.fileno()])


if __name__ == "__main__":
    _keep(socket.socket(fileno=int(sys.argv[1])))
