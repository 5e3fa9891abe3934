"""Entries for journald, by its native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.

Written here, for it is a few lines and no library fits: those that wrap libsystemd (`systemd-python`, `cysystemd`) take
an entry for sent while journald is gone, and bring compiled code; `logging-journald`, in Python, is untyped, bounds
neither names nor values, and waits for a stalled journald for ever.
"""

import re
import socket
import struct
from collections.abc import Iterable
from typing import Final
from uuid import UUID, uuid5

SOCKET: Final = "/run/systemd/journal/socket"

IDENTIFIER: Final = "failoverd"

PREFIX: Final = "FAILOVERD_"

PRIORITIES: Final = {"info": 6, "warning": 4, "error": 3}
"""syslog(3), by the level of an event."""

_DAEMON: Final = 3
"""The facility, which a service's standard error has, too."""

_PATIENCE: Final = struct.pack("ll", 1, 0)
"""A second (struct timeval) for a journald whose queue is full. Once it is over, nothing waits until it takes again."""

_LONGEST_NAME: Final = 64
"""Characters: journald drops fields with a longer name."""

_MESSAGE_IDS: Final = UUID("c1f2a9f6-7a57-4a0e-9f0f-6e3c1b8de0a4")
"""The namespace (RFC 9562, section 5.5) of the ids of events. Never changed: catalogues and alerts hold these ids."""

Field = tuple[str, str]


def message_id(event: str) -> str:
    """The MESSAGE_ID of an event, the same for ever: by it journald finds the explanation in a message catalogue."""
    return uuid5(_MESSAGE_IDS, event).hex


def field_name(fact: str) -> str:
    """`shares_to` is the field FAILOVERD_SHARES_TO: at most 64 of A to Z, 0 to 9 and _."""
    return (PREFIX + re.sub(r"[^A-Z0-9_]", "_", fact.upper()))[:_LONGEST_NAME]


def heading(event: str, level: str, message: str) -> list[Field]:
    """The fields that every program's entries have."""
    return [
        ("MESSAGE", message),
        ("PRIORITY", str(PRIORITIES[level])),
        ("SYSLOG_IDENTIFIER", IDENTIFIER),
        ("SYSLOG_FACILITY", str(_DAEMON)),
        ("MESSAGE_ID", message_id(event)),
    ]


def entry(fields: Iterable[Field]) -> bytes:
    """One datagram. A name may stand there several times; a value may hold anything."""
    return b"".join(_serialised(name, value.encode("utf-8", "backslashreplace")) for name, value in fields)


def _serialised(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return b"%s=%s\n" % (name.encode(), value)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value)


class Journald:
    """The socket of journald. It is opened anew for each entry, so that one which was made anew is found."""

    def __init__(self, address: str = SOCKET) -> None:
        self._address = address
        self._stalled = False

    def take(self, entry: bytes) -> None:
        """Hand over an entry. Raises OSError when nobody takes it: at once, or after a second of a full queue."""
        flags = socket.MSG_NOSIGNAL | (socket.MSG_DONTWAIT if self._stalled else 0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
            try:
                sender.sendmsg([entry], [], flags, self._address)
            except BlockingIOError:
                self._stalled = True
                raise
        self._stalled = False
