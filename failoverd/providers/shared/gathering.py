"""How long a read may wait for others, so that one request reads them all, while many records are being changed.

It may where nobody loses by it:

- While more writes are in line than the account allows at once, even the most urgent newcomer would have to wait for
  its turn to write. So whoever reads in order to write may as well wait with the reading.
- Once a change is made, traffic has moved, and what is left is to prove it. The proof waits for those of the other
  changes that are under way, but not for long: until it is there the name cannot be changed again.

Both end by themselves when nothing is being changed any more, and a name that is changed alone waits for nobody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from failoverd.core.records import Target
from failoverd.providers.shared.bucket import Bucket

LONGEST_BEHIND: Final = 5.0
"""Seconds that a read waits at most while writes are in line."""

LONGEST_PROOF: Final = 2.0
"""Seconds that a proof waits at most for other changes, when a new write would not have to wait."""


class Changes:
    """The changes of one account: how many are under way, and which are to be proved.

    Args:
        writes: where their turn is waited for.
    """

    def __init__(self, writes: Bucket) -> None:
        self._writes = writes
        self._under_way = 0
        self._unproved: set[Target] = set()

    @contextmanager
    def under_way(self, target: Target) -> Iterator[None]:
        """For as long as a target is being changed. If nothing goes wrong, its next read is the proof of that."""
        self._unproved.discard(target)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
        self._unproved.add(target)

    def proves(self, target: Target) -> bool:
        """Whether a read that begins now is the proof of a change."""
        proves = target in self._unproved
        self._unproved.discard(target)
        return proves

    def patience(self, *, proofs: bool) -> float:
        """Seconds that a read may wait in all, as things are now. `proofs`: whoever wants it has written already."""
        behind = min(self._writes.backlog, LONGEST_BEHIND)
        return max(behind, LONGEST_PROOF) if proofs and self._under_way else behind
