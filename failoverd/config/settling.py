"""Which files have come to rest: what is read while somebody writes it may be half of what was meant.

A file counts as changed when two looks in a row see the same. What takes something away (a region, a record, the whole
file) is what half a file looks like, so that waits for one look more. A file that is swapped in as a whole was written
before, and waits for none: behind another link, as the kubelet and git-sync do it, or in another directory.

All times are those of the file system; how long a look lasts is for the caller to say.
"""

import os
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ORDINARY: Final = 2
"""Looks that have to agree."""

DOUBTFUL: Final = 3
"""The same, where less stands in a file than before."""

RESTLESS: Final = 30
"""Looks after which a file that never comes to rest is taken as it is: a change must not wait for ever."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a file, by how many looks in a row, and for how many looks it has differed from what runs."""

    stamp: Hashable | None
    looks: int
    since: int

    def rests(self, looks: int) -> bool:
        return self.looks >= looks or self.since >= RESTLESS


@dataclass(frozen=True, slots=True)
class _Way:
    """How a file was reached: through which links, and in which directory."""

    real: str
    directory: int


class Watch:
    """Looks at files, and remembers what was taken up of them.

    Args:
        stamps: what tells one content of each file from the next; a file that is not there is left out.
    """

    def __init__(self, stamps: Callable[[], Mapping[Path, Hashable]]) -> None:
        self._stamps = stamps
        self._taken: Mapping[Path, Hashable] = {}
        self._ways: dict[Path, _Way] = {}
        self._seen: Mapping[Path, _Seen] = {}
        self._doubted: Mapping[Path, Hashable | None] = {}

    def accept(self) -> None:
        """Whatever stands there now is going to be read, at rest or not."""
        self._seen, self._doubted = {}, {}
        self._take(self._stamps())

    def look(self) -> bool:
        """Look at every file. Whether there is something to take up: give it to `took` afterwards."""
        now = self._stamps()
        self._seen = {
            path: self._again(path, now.get(path))
            for path in {*now, *self._taken}
            if now.get(path) != self._taken.get(path)
        }
        return any(self._is_due(path, seen) for path, seen in self._seen.items())

    def rests(self, path: Path, stamp: Hashable | None, looks: int = ORDINARY) -> bool:
        """Whether that stamp of the file, or None for its absence, is what ran before or has come to rest."""
        if stamp == self._taken.get(path):
            return True
        seen = self._seen.get(path)
        return seen is not None and seen.stamp == stamp and seen.rests(looks)

    def took(self, doubted: Collection[Path]) -> None:
        """What had come to rest was taken up, but for files that are doubted: these are to be looked at once more."""
        self._doubted = {path: seen.stamp for path, seen in self._seen.items() if path in doubted}
        rested = {path: seen.stamp for path, seen in self._seen.items() if self._is_due(path, seen)}
        self._take({path: stamp for path, stamp in {**self._taken, **rested}.items() if stamp is not None})
        self._seen = {path: seen for path, seen in self._seen.items() if path not in rested}

    def _is_due(self, path: Path, seen: _Seen) -> bool:
        doubted = path in self._doubted and self._doubted[path] == seen.stamp
        return seen.rests(DOUBTFUL if doubted else ORDINARY)

    def _again(self, path: Path, stamp: Hashable | None) -> _Seen:
        before = self._seen.get(path)
        since = before.since + 1 if before is not None else 1
        if before is not None and before.stamp == stamp:
            return _Seen(stamp, before.looks + 1, since)
        return _Seen(stamp, DOUBTFUL if stamp is not None and self._swapped_in(path) else 1, since)

    def _take(self, stamps: Mapping[Path, Hashable]) -> None:
        for path in [path for path, stamp in stamps.items() if self._taken.get(path) != stamp]:
            self._ways[path] = _way(path)
        self._taken = stamps

    def _swapped_in(self, path: Path) -> bool:
        """A directory that was renamed into its place changed after everything in it had been written."""
        before, now = self._ways.get(path), _way(path)
        if before is None or before == now:
            return False
        try:
            return before.real != now.real or path.stat().st_ctime_ns < path.parent.stat().st_ctime_ns
        except OSError:
            return False


def _way(path: Path) -> _Way:
    try:
        return _Way(os.path.realpath(path), path.parent.stat().st_ino)
    except OSError:
        return _Way(str(path), 0)
