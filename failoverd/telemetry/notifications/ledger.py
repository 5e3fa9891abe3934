"""What lasts: the troubles that people are told of, from the event that begins one until its end was told.

Pure: time comes in as an argument. What is held here goes into the journal as it is, and comes back from there after a
restart. Then everything that lasted is told again, under the key that it had; and what is not seen to stand any more
once the new process knows where things stand is told to be over.

Of several members one speaks for all. It holds every trouble; the others hold their own, which they tell themselves,
and what each of them sees, in silence: so whoever speaks next knows it. What the one before it told comes to it as
from an earlier process.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from failoverd.core.events import Event, LeaderLost, Level, PolicyRemoved, RecordOrphaned
from failoverd.core.status import Notice
from failoverd.telemetry.notifications.troubles import (
    BY_KIND,
    EVERYTHING,
    LEADER,
    TROUBLES,
    Sight,
    Trouble,
    Whose,
    ended_by,
    named,
)

Key = tuple[str, str, str, str]
"""Kind, policy, subject, and the member that it is a trouble of, if it is one's own."""

MOST: Final = 1_000
"""Troubles that are told of at once: so many of any kind, and as many again that need a person."""

GRACE: Final = 60.0
"""Seconds after a restart before what lasted is said to be over: the new process gets to know its regions first."""

GIVE_UP: Final = 86_400.0
"""Seconds for which it is tried to tell somebody that a trouble is over."""


class TroubleLedger:
    """All troubles, by key. Methods return what is news: notices to be told, those that ended included.

    Attributes:
        speaks: whether this member tells what is of the whole installation. One that is alone does.
    """

    def __init__(self, member: str = "") -> None:
        self.notices: dict[Key, Notice] = {}
        self.dropped = 0
        self.speaks = True
        self._member = member
        self._over: dict[Key, float] = {}
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
        for trouble in filter(self._minds, named(event)):
            news += [put for notice in trouble.notices(event, runbook, self._member) for put in self._put(notice)]
        return self._aloud(news)

    def look(self, sight: Sight, runbook_of: Callable[[str], str], now: float) -> list[Notice]:
        """What began or ended without an event that was heard."""
        if self._resumed and now >= self._since + GRACE:
            news = [self._ended(notice, now) for notice in self._lasting() if self._went_with_its_process(notice)]
            self._resumed.clear()
        else:
            news = []
        news += [self._ended(notice, now) for notice in self._lasting() if self._is_over(notice, sight, now)]
        news += self._ripened(sight, now)
        for trouble in filter(self._minds, TROUBLES):
            for notice in trouble.seen(sight, runbook_of, now):
                known = self.notices.get(notice.key)
                if (known is None or known.ended is not None) and notice.key not in self._young:
                    news += self._put(notice)
        return self._aloud(news)

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

    # -- one of several members ----------------------------------------------------------------------------------------

    def end(self, told: Iterable[Notice], now: float) -> list[Notice]:
        """What one told of itself that is none of the members any more: it is no trouble of anybody's."""
        return [self._ended(notice, now) for notice in told if notice.kind in BY_KIND and is_own(notice)]

    @property
    def own(self) -> tuple[Notice, ...]:
        """What this member tells of, whoever leads."""
        return tuple(each for each in self.notices.values() if is_own(each))

    @property
    def common(self) -> tuple[Notice, ...]:
        """What this member tells of because it speaks for all."""
        return tuple(each for each in self.notices.values() if not is_own(each)) if self.speaks else ()

    def begin(self, told: Iterable[Notice], now: float) -> list[Notice]:
        """Speak for all, from now on: take over what another member told. All of it is to be told again."""
        self.speaks = True
        before = {each.key: each for each in told if not is_own(each)}
        seen = {each.key: _joined(each, before.get(each.key)) for each in self.notices.values() if not is_own(each)}
        self.notices |= seen
        young = self._resumed
        news = [*seen.values(), *self.resume(before.values(), now)]
        self._resumed |= young
        return news

    def lead(self, now: float) -> Notice:
        """That nobody leads is over. Who told it may not hear that for long; so whoever leads tells it in any case."""
        return self._ended(self.notices.get(_LEADERLESS) or _leaderless(now), now)

    def join(self, told: Iterable[Notice]) -> list[Notice]:
        """Take up what another member told while it could not know who speaks. Nothing that was told is told again."""
        found = []
        for notice in told:
            known = self.notices.get(notice.key)
            if is_own(notice) or notice.kind not in BY_KIND or self._over.get(notice.key, 0.0) >= notice.at:
                continue
            if known is None or (known.ended is not None and notice.ended is None):
                if notice.ended is None:
                    self._resumed.add(notice.key)
                else:
                    self._over[notice.key] = notice.ended
                found.append(notice)
            else:
                found.append(_joined(known, notice))
            self.notices[notice.key] = found[-1]
        return found

    def hush(self) -> tuple[tuple[Notice, ...], list[Key]]:
        """Another member speaks for all. What is to be handed over to it, and what is not to be told here any more."""
        handed, self.speaks = self.common, False
        kept = [replace(each, told=()) for each in handed if each.ended is None and _by_each(each)]
        for notice in handed:
            del self.notices[notice.key]
            self._over.pop(notice.key, None)  # its end is for another one to tell
        self.notices |= {each.key: each for each in kept}
        self._resumed &= self.notices.keys()
        self._young = {key: each for key, each in self._young.items() if self._minds(BY_KIND[each.kind])}
        return handed, [each.key for each in handed]

    def _minds(self, trouble: Trouble) -> bool:
        """Whether it is for this member to know of that."""
        return self.speaks or trouble.whose is not Whose.LEADER

    def _aloud(self, news: list[Notice]) -> list[Notice]:
        """What of it is to be told: whoever is silent knows it, until it is over."""
        if self.speaks:
            return news
        for notice in news:
            if notice.ended is not None and not is_own(notice):
                self.notices.pop(notice.key, None)
        return [notice for notice in news if is_own(notice)]

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _lasting(self) -> Iterator[Notice]:
        return (notice for notice in list(self.notices.values()) if notice.ended is None)

    def _concerned(self, event: Event) -> Iterator[Notice]:
        if isinstance(event, PolicyRemoved):
            yield from (each for each in self._lasting() if each.policy == event.policy and each.kind != _ORPHANED)
        for trouble, subjects in ended_by(event):
            kind, policy, member = trouble.name, event.policy, trouble.of(self._member)
            if subjects == EVERYTHING:
                self._young = {key: each for key, each in self._young.items() if key[:2] != (kind, policy)}
                yield from (each for each in self._lasting() if (each.kind, each.policy) == (kind, policy))
            else:
                for subject in subjects:
                    self._young.pop((kind, policy, subject, member), None)
                    notice = self.notices.get((kind, policy, subject, member))
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
        self._over.pop(notice.key, None)
        self._over[notice.key] = at
        if len(self._over) > MOST:
            del self._over[next(iter(self._over))]
        return ended

    def _is_over(self, notice: Notice, sight: Sight, now: float) -> bool:
        trouble = BY_KIND[notice.kind]
        if notice.key in self._resumed or now < notice.at + trouble.lasts:
            return False
        return trouble.over(sight, notice)

    def _went_with_its_process(self, notice: Notice) -> bool:
        return notice.key in self._resumed and not BY_KIND[notice.kind].outlives


def is_own(notice: Notice) -> bool:
    """Whether it is this member that tells of it, whoever leads."""
    trouble = BY_KIND.get(notice.kind)
    return trouble is not None and trouble.whose in {Whose.MEMBER, Whose.FINDER}


def _by_each(notice: Notice) -> bool:
    return BY_KIND[notice.kind].whose is Whose.EACH


def _joined(mine: Notice, other: Notice | None) -> Notice:
    """One trouble, of which two members told, or know."""
    if other is None or (other.ended is not None and mine.ended is None):
        return mine
    told = tuple(dict.fromkeys((*mine.told, *other.told)))
    return replace(mine, told=told, since=min(mine.since, other.since))


def _leaderless(now: float) -> Notice:
    said = "a member leads, and writes"
    return Notice(LeaderLost.name, "", LEADER, BY_KIND[LeaderLost.name].severity or LeaderLost.level, said, now, now)


_LEADERLESS: Final[Key] = (LeaderLost.name, "", LEADER, "")
_ORPHANED: Final = RecordOrphaned.name
