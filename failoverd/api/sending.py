"""The daemon of this machine is asked something by as little as that takes. See `client` for who wants an answer."""

import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from failoverd.api.sockets import reachable

REACHING: Final = 5.0
"""Seconds to reach it."""

KEY: Final = "Idempotency-Key"
BEHIND: Final = "Failoverd-User"
"""The header in which root names who is behind sudo."""


def connected(path: Path) -> socket.socket:
    """Waits for a place in the line of a daemon that is busy: a socket that does not block gets EAGAIN and no word."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(REACHING), 0))
        with reachable(path) as name:
            connection.connect(name)
        connection.setblocking(False)
    except BaseException:
        connection.close()
        raise
    return connection


def headers(key: str) -> list[tuple[str, str]]:
    """What is said of a request besides itself; `key` names a command, and is empty for what only reads."""
    found = [("Host", "failoverd"), ("User-Agent", "failoverctl"), ("Connection", "close")]
    if key:
        found += [("Content-Type", "application/json"), (KEY, key)]
    behind = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""  # the environment is believed only of root
    return [*found, (BEHIND, behind)] if behind else found


def new_key() -> str:
    """A name for a command that no other one has."""
    return os.urandom(16).hex()


def sent(path: Path, target: str, body: Mapping[str, object]) -> tuple[str, socket.socket]:
    """Send a command, and wait for nothing. Returns its key, and the connection, which is to be kept.

    Raises:
        OSError: it was not sent.
    """
    key, content = new_key(), json.dumps(body).encode()
    said = [*headers(key), ("Content-Length", str(len(content)))]
    head = "".join(f"{name}: {value}\r\n" for name, value in said)
    connection = connected(path)
    connection.sendall(f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + content)
    return key, connection
