"""What lasts: the troubles that people are told of, from the event that begins one until its end was told.

Pure: time comes in as an argument. What is held here goes into the journal as it is, and comes back from there after a
restart. Then everything that lasted is told again, under the key that it had; and what is not seen to stand any more
once the new process knows where things stand is told to be over.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from failoverd.core.events import Event, Level, PolicyRemoved, RecordOrphaned
from failoverd.core.status import Notice
from failoverd.telemetry.notifications.troubles import BY_KIND, EVERYTHING, TROUBLES, Sight, ended_by, named

Key = tuple[str, str, str]

MOST: Final = 1_000
"""Troubles that are told of at once: so many of any kind, and as many again that need a person."""

GRACE: Final = 60.0
"""Seconds after a restart before what lasted is said to be over: the new process gets to know its regions first."""

GIVE_UP: Final = 86_400.0
"""Seconds for which it is tried to tell somebody that a trouble is over."""


class TroubleLedger:
    """All troubles, by key. Methods return what is news: notices to be told, those that ended included."""

    def __init__(self) -> None:
        self.notices: dict[Key, Notice] = {}
        self.dropped = 0
        self._young: dict[Key, Notice] = {}
        self._resumed: set[Key] = set()
        self._since = 0.0

    def resume(self, notices: Iterable[Notice], now: float) -> list[Notice]:
        """Take up what an earlier process told of. All of it is to be told again."""
        before = {each.key: each for each in notices if each.kind in BY_KIND and each.key not in self.notices}
        self.notices |= before
        self._resumed = {key for key, notice in before.items() if notice.ended is None}
        self._since = now
        return list(before.values())

    def take(self, event: Event, runbook: str) -> list[Notice]:
        """What an event begins, changes or ends."""
        news = [self._ended(notice, event.at) for notice in self._concerned(event)]
        for trouble in named(event):
            news += [put for notice in trouble.notices(event, runbook) for put in self._put(notice)]
        return news

    def look(self, sight: Sight, runbook_of: Callable[[str], str], now: float) -> list[Notice]:
        """What began or ended without an event that was heard."""
        if self._resumed and now >= self._since + GRACE:
            news = [self._ended(notice, now) for notice in self._lasting() if self._went_with_its_process(notice)]
            self._resumed.clear()
        else:
            news = []
        news += [self._ended(notice, now) for notice in self._lasting() if self._is_over(notice, sight, now)]
        news += self._ripened(sight, now)
        for trouble in TROUBLES:
            for notice in trouble.seen(sight, runbook_of, now):
                known = self.notices.get(notice.key)
                if (known is None or known.ended is not None) and notice.key not in self._young:
                    news += self._put(notice)
        return news

    def forget(self, key: Key) -> None:
        """Everybody was told of its end."""
        self.notices.pop(key, None)

    def told(self, key: Key, place: str) -> bool:
        """An address was told that it is there; whether that is news."""
        notice = self.notices.get(key)
        if notice is None or place in notice.told:
            return False
        self.notices[key] = replace(notice, told=(*notice.told, place))
        return True

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _lasting(self) -> Iterator[Notice]:
        return (notice for notice in list(self.notices.values()) if notice.ended is None)

    def _concerned(self, event: Event) -> Iterator[Notice]:
        if isinstance(event, PolicyRemoved):
            yield from (each for each in self._lasting() if each.policy == event.policy and each.kind != _ORPHANED)
        for trouble, subjects in ended_by(event):
            if subjects == EVERYTHING:
                kind, policy = trouble.name, event.policy
                self._young = {key: each for key, each in self._young.items() if key[:2] != (kind, policy)}
                yield from (each for each in self._lasting() if (each.kind, each.policy) == (kind, policy))
            else:
                for subject in subjects:
                    self._young.pop((trouble.name, event.policy, subject), None)
                    notice = self.notices.get((trouble.name, event.policy, subject))
                    if notice is not None and notice.ended is None:
                        yield notice

    def _put(self, notice: Notice) -> list[Notice]:
        """Tell of it, unless that was done, or it may be over before anybody has to know."""
        key, known = notice.key, self.notices.get(notice.key)
        self._resumed.discard(key)
        if known is not None and known.ended is None:
            notice = replace(notice, told=known.told, since=known.since)
            if replace(known, at=notice.at) == notice:
                return []
        elif BY_KIND[notice.kind].patience and "wanted" not in notice.facts:
            self._young[key] = replace(notice, since=self._young[key].since if key in self._young else notice.since)
            return []
        return self._enter(notice)

    def _enter(self, notice: Notice) -> list[Notice]:
        self._young.pop(notice.key, None)
        room = MOST if notice.severity != Level.ERROR else 2 * MOST
        if notice.key not in self.notices and len(self.notices) >= room:
            self.dropped += 1
            return []
        self.notices[notice.key] = notice
        return [notice]

    def _ripened(self, sight: Sight, now: float) -> list[Notice]:
        """What lasted so long that somebody should know."""
        self._young = {
            key: notice for key, notice in self._young.items() if not BY_KIND[notice.kind].over(sight, notice)
        }
        ripe = [each for each in self._young.values() if now >= each.since + BY_KIND[each.kind].patience]
        return [put for notice in ripe for put in self._enter(notice)]

    def _ended(self, notice: Notice, at: float) -> Notice:
        self._resumed.discard(notice.key)
        ended = replace(notice, ended=at)
        self.notices[notice.key] = ended
        return ended

    def _is_over(self, notice: Notice, sight: Sight, now: float) -> bool:
        trouble = BY_KIND[notice.kind]
        if notice.key in self._resumed or now < notice.at + trouble.lasts:
            return False
        return trouble.over(sight, notice)

    def _went_with_its_process(self, notice: Notice) -> bool:
        return notice.key in self._resumed and not BY_KIND[notice.kind].outlives


_ORPHANED: Final = RecordOrphaned.name
