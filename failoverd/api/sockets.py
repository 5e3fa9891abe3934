"""Paths of sockets: the system has room for few characters, and folders of people and of tests are deep."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LONGEST: Final = 100
"""Bytes of a path that `sockaddr_un` has room for, and a little less (unix(7))."""


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough, while the context lasts: by its folder's descriptor, if need be."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
