"""Operators' words as they are told: which there are, what they are about, until when, and who said what of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from failoverd.core.overrides import AHEAD, LOST, MEANINGS, OF_NO_RECORD, Override, Scope, Verb, by, verb_of
from failoverd.core.reasons import ReasonCode
from failoverd.core.records import Endpoint, RegionSpec, Target
from failoverd.telemetry import phrases

if TYPE_CHECKING:
    from failoverd.core.status import EndpointStatus, Overview, RegionStatus

_DAY: Final = 86_400.0


class WordStanding(StrEnum):
    """Where a word stands."""

    IN_FORCE = "in_force"
    PENDING = "pending"  # more people have to agree
    UPCOMING = "upcoming"
    OVER = "over"


def standing(word: Override, now: float) -> WordStanding:
    if word.over_by(now):
        return WordStanding.OVER
    if word.pending:
        return WordStanding.PENDING
    return WordStanding.IN_FORCE if word.since <= now else WordStanding.UPCOMING


def title(word: Override) -> str:
    """What it does to what: `shed of region azure-eastus (by 25%)`, and a switch or a plan by its name alone."""
    if word.verb in OF_NO_RECORD:
        return f"{word.verb} of {phrases.detail(word)}"
    detail = phrases.detail(word)
    return f"{word.verb} of {word.scope.text()}{f' ({detail})' if detail else ''}"


def until(at: float, now: float) -> str:
    """An end that is near by its time of day alone: `04:10Z`."""
    shape = "%H:%MZ" if abs(at - now) < _DAY else "%Y-%m-%d %H:%MZ"
    return datetime.fromtimestamp(at, UTC).strftime(shape)


def when(word: Override, now: float) -> str:
    """How long it holds, in words: `until 04:10Z (in 35m)`, `waits for 1 more to agree`."""
    state = standing(word, now)
    end = f"until {until(word.ends, now)}"
    match state:
        case WordStanding.OVER:
            how = f"released {by(word.ended_by)}" if word.ended_by else "its time had passed"
            return f"over since {until(word.ends, now)} ({how})"
        case WordStanding.PENDING:
            missing = word.needed - len({word.actor, *word.agreed})
            return f"waits for {missing} more to agree (failoverctl agree {word.id}), {end}"
        case WordStanding.UPCOMING:
            return f"from {until(word.since, now)} {end}"
        case WordStanding.IN_FORCE:
            return f"{end} ({left(word.ends - now)} left)"


def left(seconds: float) -> str:
    """How long that is, as people say it: `35m`, `2h 5m`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f}s"
    hours, minutes = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "") if part)


def brief(words: Iterable[Override], now: float) -> str:
    """For a headline: `2 overrides: drain of region azure-eastus by alice until 04:10Z, 1 more`; "" without any.

    A drill is told as what it is, and not as something that a person had to say. What files plan for later is told by
    `coming`.
    """
    found = [word for word in words if not word.over_by(now) and not to_come(word, now)]
    drills = [word for word in found if word.verb is Verb.PRACTICE and word.in_force(now)]
    said = sorted((word for word in found if word.verb is not Verb.PRACTICE), key=lambda word: _weight(word, now))
    return "; ".join([*([_said(said, now)] if said else []), *(drill(word, now) for word in drills)])


def drill(word: Override, now: float) -> str:
    """One that is on: `practice: region azure-eastus away until 10:30Z`."""
    return f"{word.verb}: {word.scope.text()} away until {until(word.ends, now)}"


def to_come(word: Override, now: float) -> bool:
    """Whether it is planned for later: nobody said it, and nothing rests on it yet."""
    return word.planned and standing(word, now) is WordStanding.UPCOMING


def coming(found: "Overview", now: float) -> str:
    """For a headline: what files plan for the next day, `next practice: region azure-eastus from 10:00Z to 10:30Z`."""
    begins = {word.id: (word.since, word.ends, word.scope.text()) for word in found.overrides if to_come(word, now)}
    begins |= {each.override: (each.since, each.until, each.about) for each in near(found.planned, now)}
    planned = sorted((times, name) for name, times in begins.items() if times[0] > now)
    if not planned:
        return ""
    (since, end, about), name = planned[0]
    verb = verb_of(name)
    what = f"next {verb}: {about}" if verb is Verb.PRACTICE else f"planned: {verb} of {about}"
    rest = f", {len(planned) - 1} more" if len(planned) > 1 else ""
    return f"{what} from {until(since, now)} to {until(end, now)}{rest}"


class _Window(Protocol):
    @property
    def since(self) -> float: ...
    @property
    def until(self) -> float: ...


W = TypeVar("W", bound=_Window)


def near(planned: Iterable[W], now: float) -> tuple[W, ...]:
    """Windows that are open, or begin within a day: what comes later is for who asks for it."""
    return tuple(each for each in planned if each.until > now and each.since < now + AHEAD)


def _said(found: Sequence[Override], now: float) -> str:
    first = found[0]
    match standing(first, now):
        case WordStanding.UPCOMING:
            how = f"from {until(first.since, now)}"
        case WordStanding.PENDING:
            how = "waits for somebody to agree"
        case _:
            how = f"until {until(first.ends, now)}"
    what = phrases.detail(first) if first.verb in OF_NO_RECORD else first.scope.text()
    said = f"{first.verb} of {what} {by(first.actor.partition('@')[0])} {how}"
    rest = f", {len(found) - 1} more" if len(found) > 1 else ""
    return f"{phrases.counted(len(found), 'override')}: {said}{rest}"


def _weight(word: Override, now: float) -> tuple[bool, int, float]:
    """What is in force before what is not, what stops most first, the newest first."""
    return standing(word, now) is not WordStanding.IN_FORCE, list(MEANINGS).index(word.verb), -word.since


# -- what they concern -------------------------------------------------------------------------------------------------


def concerned(word: Override, found: "Overview") -> tuple[Target, ...]:
    """The records that a word is about, of those that have a status."""
    if word.verb in OF_NO_RECORD:
        return ()
    targets = [each.target for each in found.targets if word.scope.has_target(each.target)]
    if not word.scope.of_some_regions:
        return tuple(targets)
    policies = _by_endpoint(word.scope, found.endpoints) if word.scope.endpoints else _by_region(word.scope, found)
    return tuple(target for target in targets if target.policy in policies)


def overruled(word: Override, found: "Overview") -> tuple[Target, ...]:
    """The records at which a later word counts instead, as they were decided on last."""
    return tuple(
        each.target
        for each in found.targets
        if any(reason.code is ReasonCode.OVERRULED and word.id in reason.named for reason in each.reasons)
    )


def _by_region(scope: Scope, found: "Overview") -> frozenset[str]:
    return frozenset(each.policy for each in found.regions if scope.has_region(_spec(each)))


def _by_endpoint(scope: Scope, endpoints: "Iterable[EndpointStatus]") -> frozenset[str]:
    return frozenset(each.policy for each in endpoints if scope.has_endpoint(_endpoint(each)))


def _endpoint(status: "EndpointStatus") -> Endpoint:
    """From its text, which is all that a status keeps: `192.0.2.10`, `192.0.2.10:443`, `[2001:db8::1]:443`."""
    host, colon, port = status.endpoint.rpartition(":")
    if colon and port.isdecimal() and (host.startswith("[") or ":" not in host):
        return Endpoint(status.region, host.strip("[]"), int(port))
    return Endpoint(status.region, status.endpoint)


def _spec(region: "RegionStatus") -> RegionSpec:
    return RegionSpec(region.region, 0, (), cloud=region.cloud)


# -- what became of them -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of a word (its id), or that it ended. `what`: given, extended, agreed, released, ended."""

    at: float
    what: str
    word: str
    verb: str
    about: str
    by: str
    text: str
    until: float


def told(words: Iterable[Override], now: float, since: float = 0.0) -> tuple[Said, ...]:
    """Everything that was said of these words at or after that moment, the oldest first."""
    found = (said for word in words for said in _told(word, now))
    return tuple(sorted((said for said in found if said.at >= since), key=lambda said: (said.at, said.word)))


def _told(word: Override, now: float) -> list[Said]:
    def said(at: float, what: str, by: str, text: str) -> Said:
        return Said(at, what, word.id, word.verb, word.scope.text(), by, text, word.until)

    found = [said(each.at, _what(word, number), each.actor, each.text) for number, each in enumerate(word.comments)]
    if word.ended_at is None and now >= word.until:
        found.append(said(word.until, "ended", "", "its time had passed"))
    return found


def _what(word: Override, number: int) -> str:
    comment = word.comments[number]
    if number == 0 and word.actor != LOST:
        return "given"
    if word.ended_at is not None and number == len(word.comments) - 1:
        return "released"
    return "agreed" if comment.actor in word.agreed else "extended"
