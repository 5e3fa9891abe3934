"""What other members say and is not counted here: told once for each reason, until it is counted again."""

from typing import Final

from failoverd.core.events import VoteRefused
from failoverd.foreign import quoted, shown_name
from failoverd.ports import Clock, Emit
from failoverd.runtime.members.versioned import LaterVersionError

MOST: Final = 100
"""Who makes up names is told of so often."""


class Refusals:
    """Tells of them."""

    def __init__(self, emit: Emit, clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        self._told: set[tuple[str, str, str]] = set()

    def stranger(self, member: str) -> None:
        detail = "it is none of this installation's members: see coordination.members in the configuration"
        self._tell(member, "", "unknown_member", detail)

    def unread(self, member: str, policy: str, error: ValueError) -> None:
        reason = "later_version" if isinstance(error, LaterVersionError) else "unreadable"
        self._tell(member, policy, reason, quoted(str(error).partition("\n")[0]))

    def other_revision(self, member: str, policy: str, theirs: str, ours: str) -> None:
        said = f"revision {theirs}" if theirs else "no revision"
        self._tell(member, policy, "other_revision", f"it runs {said} of it, and this member {ours}")

    def over(self, member: str, policy: str = "") -> None:
        """What it says of that is counted again, or it says nothing any more."""
        if self._told:
            of = shown_name(member), shown_name(policy)
            self._told = {each for each in self._told if each[:2] != of}

    def _tell(self, member: str, policy: str, reason: str, detail: str) -> None:
        key = shown_name(member), shown_name(policy), reason
        if key in self._told or len(self._told) >= MOST:
            return
        self._told.add(key)
        self._emit(VoteRefused(at=self._clock(), policy=key[1], member=key[0], reason=reason, detail=detail))
