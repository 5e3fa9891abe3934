"""What the service manager is told, by the protocol of sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET.

Without that variable nothing is sent. Nothing here raises or waits: a daemon that cannot talk to its manager steers
traffic. Where the manager's queue is full, what it must not miss (READY=1 above all, for which it waits) is sent again
before whatever is sent next; a sign of life or a status is only left out.
"""

import os
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Final

from failoverd.foreign import shown

_MOST_OWED: Final = 4
"""Messages that wait for room in the manager's queue: a reload's two, and those of one before or after it."""

_LONGEST_STATUS: Final = 200


class Notifier:
    """Speaks to the service manager. Each method says whether the datagram was sent."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._owed: list[bytes] = []
        self.watchdog_interval = _watchdog_interval(environ)
        """Seconds within which `watchdog` has to be called, or None when nobody watches. Call it twice as often."""

    @property
    def enabled(self) -> bool:
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Starting or reloading is done."""
        return self._announce("READY=1", *_status(status))

    def reloading(self) -> bool:
        """Reloading begins; `ready` ends it. The time lets `Type=notify-reload` tell its own reload from others."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        return self._announce("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> bool:
        return self._announce("STOPPING=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(*(_status(text) or ["STATUS="]))

    def watchdog(self) -> bool:
        """Still alive. Call it from the loop that does the work, so that a stuck loop is noticed."""
        return self._send("WATCHDOG=1")

    def _announce(self, *assignments: str) -> bool:
        """Send what must not be missed: now, or with the next message."""
        self._owed.append(_encoded(assignments))
        del self._owed[:-_MOST_OWED]
        return self._send()

    def _send(self, *assignments: str) -> bool:
        """First what is owed, in its order, then this."""
        if self._address is None:
            self._owed.clear()
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(self._address)
                while self._owed:
                    sender.send(self._owed[0])
                    del self._owed[0]
                if assignments:
                    sender.send(_encoded(assignments))
        except BlockingIOError:  # its queue is full
            return False
        except (OSError, ValueError):  # the manager is gone, or the address cannot be one
            self._owed.clear()
            return False
        return True


def _encoded(assignments: Iterable[str]) -> bytes:
    return "\n".join(assignments).encode("utf-8", "replace")


def _address(text: str) -> str | None:
    """The socket's address: a path, or a name in the abstract namespace, written with `@` for its first, null byte."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """As sd_watchdog_enabled(3) reads it: microseconds, meant for the process in $WATCHDOG_PID if that is set."""
    interval, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    if not (interval.isascii() and interval.isdigit()) or int(interval) == 0:
        return None
    return int(interval) / 1_000_000


def _status(text: str) -> list[str]:
    """One assignment per line is the protocol, so a status has no line breaks."""
    line = shown(" ".join(text.split()))[:_LONGEST_STATUS]
    return [f"STATUS={line}"] if line else []
