"""What came of a file, kept for as long as the file is what it was: a thousand policies are not read for one edit."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Generic, TypeVar

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.documents import bytes_of
from failoverd.config.listing import settled, stamp
from failoverd.config.settling import Watch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What came of a file, and how to tell that it is still the same: None while it cannot be told.

    `whole`: it ends where a line ends, as half a file does rarely.
    """

    stamp: Hashable | None
    digest: bytes | None
    whole: bool
    result: T


def reread(
    path: Path,
    before: Read[T] | None,
    watch: Watch | None,
    judge: Callable[[bytes | Diagnostic], T],
    sound: Callable[[T], bool],
) -> Read[T] | None:
    """What came of the file before, or, if it changed or was not sound, what comes of it now.

    None while somebody writes it: then what came of it before stands.
    """
    now, found = time(), stamp(path)
    if before is not None and before.stamp is not None and before.stamp == found:
        return before
    if watch is not None and not watch.rests(path, found):
        return None
    raw = bytes_of(path)
    if watch is not None and stamp(path) != found:
        return None
    still = found if settled(path, now) else None
    digest = sha256(raw).digest() if isinstance(raw, bytes) else None
    if before is not None and digest is not None and before.digest == digest:
        return replace(before, stamp=still)
    result = judge(raw)
    whole = isinstance(raw, bytes) and raw.endswith((b"\n", b"\r"))
    return Read(still, digest, whole, result) if sound(result) else Read(None, None, whole, result)
