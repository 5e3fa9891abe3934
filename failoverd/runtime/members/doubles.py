"""Two daemons that say that they are one member: a machine that was copied, a name that stands in two files.

Nothing wrong is written by that: they are one candidate each, with a lease of their own, and the provider's fence
stands behind. But what they see would be counted as one vote, now that of the one and now that of the other. So the
one that began later steps back: it says nothing and does not stand, for as long as it hears the other. Both know which
of them that is, whatever their clocks say, for both compare the same two numbers.
"""

from dataclasses import dataclass

from failoverd.core.events import TwinDetected, TwinGone
from failoverd.ports import Clock, Emit
from failoverd.runtime.members.ballots import MemberBeat, MemberRun


@dataclass(slots=True)
class _Twin:
    """Another process that says it.

    `since`: when it was alive for the first time; None: it may have ended, and what it said is still there.
    """

    run: MemberRun
    number: int
    heard_at: float
    since: float | None


class Doubles:
    """Whether another daemon says that it is this member.

    Args:
        member: which one that is.
        run: this process; None: nobody looks for others.
        lease: seconds of silence after which the other one is gone.
        emit: is told of it.
        clock: the time; steady.
    """

    def __init__(self, member: str, run: MemberRun | None, lease: float, emit: Emit, clock: Clock) -> None:
        self._member = member
        self._run = run
        self._lease = lease
        self._emit = emit
        self._clock = clock
        self._twin: _Twin | None = None
        self._told: MemberRun | None = None

    @property
    def elsewhere(self) -> str:
        """Where the other one is, while this one steps back for it; empty without one."""
        twin = self._twin
        if twin is None or twin.since is None or self._run is None or twin.run > self._run or self._over(twin):
            return ""
        return twin.run.host or "another machine"

    def heard(self, said: MemberBeat) -> None:
        """Somebody says that it is this member."""
        run, before, now = said.run, self._twin, self._clock()
        if run is None or self._run is None or run == self._run:
            return
        if before is not None and before.run < run and not self._over(before):
            return  # of several, the one that began first counts
        same = before is not None and before.run == run
        if before is not None and same and before.number == said.number:
            return  # read again
        since = before.since if before is not None and same else None
        later = run > self._run and run.journal != self._run.journal  # not what this one was before a restart
        if since is None and (same or later):
            since = now
        self._twin = _Twin(run, said.number, now, since)
        self._tell()

    def look(self) -> None:
        """It may be silent for so long that it is gone."""
        twin = self._twin
        if twin is None or not self._over(twin):
            return
        self._twin = None
        if self._told == twin.run and twin.since is not None:
            self._told = None
            self._emit(TwinGone(at=self._clock(), member=self._member, lasted=self._clock() - twin.since))

    def _over(self, twin: _Twin) -> bool:
        return self._clock() - twin.heard_at > self._lease

    def _tell(self) -> None:
        twin = self._twin
        if twin is None or twin.since is None or self._told == twin.run:
            return
        self._told = twin.run
        back = bool(self.elsewhere)
        self._emit(TwinDetected(at=twin.since, member=self._member, host=twin.run.host, steps_back=back))
