"""When planned work begins again and again: five fields and a time zone, as APScheduler 3's CronTrigger reads them.

It differs from the cron of Unix in two things. Days of the week are counted from Monday there, so that a number would
mean another day than people expect: they are written by name. And where a day of the month and a day of the week are
both said, both have to fit.

A clock that is set forward has no such time on that day: the window begins when it would have been, by the time of
before (02:30 is 03:30 then). An hour that comes twice counts once, the first time.
"""

import re
from collections.abc import Iterator
from copy import copy
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from failoverd.config.diagnostics import shown, suggestion

_FIELDS: Final = ("minute", "hour", "day", "month", "day_of_week")
_NUMBERED: Final = re.compile(r"[0-9]")


def parse_timezone(name: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = suggestion(name, sorted(available_timezones())) if len(name) > 1 else ""
        close = f"; {hint}" if hint.startswith("did you mean") else ""
        raise ValueError(f"{shown(name)} is no time zone that this machine knows{close}") from None
    return name


def parse_cron(text: str) -> str:
    """Five fields that mean something. Whether they ever fit a day is for who looks for the next one."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"cron has five fields (minute, hour, day of the month, month, day of the week), and this {len(fields)}"
        )
    if _NUMBERED.search(fields[-1]):
        raise ValueError(
            "days of the week are written by their names, such as TUE or MON-FRI: numbers differ by program"
        )
    try:
        _trigger(" ".join(fields))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"cron: {error}") from None
    return " ".join(fields)


ROTATE: Final = "rotate"
"""Each region in its turn."""

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def schedule_of(text: str) -> tuple[str, str]:
    """When something begins again and again, and in which time zone: `TUE 10:00 UTC`, or cron and a time zone.

    Days are written as cron does, or DAILY; the time zone is UTC unless it is said.
    """
    words = text.split()
    time = _TIME.fullmatch(words[1]) if len(words) in {2, 3} else None
    if time is not None:
        days = "*" if words[0].upper() == "DAILY" else words[0]
        cron, zone = f"{int(time[2])} {int(time[1])} * * {days}", "".join(words[2:]) or "UTC"
    elif len(words) in {5, 6}:
        cron, zone = " ".join(words[:5]), "".join(words[5:]) or "UTC"
    else:
        raise ValueError(
            "write days, a time and a time zone, such as TUE 10:00 UTC, or the five fields of cron and a time zone"
        )
    return parse_cron(cron), parse_timezone(zone)


def parse_schedule(text: str) -> str:
    """The same, as it is written."""
    schedule_of(text)
    return text


def parse_date(text: str) -> str:
    """A day of the calendar, as `2026-12-24`."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{shown(text)} is no day of the calendar: write one as 2026-12-24") from None


def zone_of(name: str) -> tzinfo:
    return _zone(name)


def begins(cron: str, timezone: str, since: float, until: float) -> Iterator[float]:
    """The moments at which it begins, from `since` on and before `until`, in order."""
    for day in range(int(since // _DAY), ceil(until / _DAY)):
        yield from (moment for moment in _of_day(cron, timezone, day) if since <= moment < until)


_DAY: Final = 86_400


def clock_set(timezone: str, start: float, lasts: float) -> bool:
    """Whether the clock is set within that time, or its beginning had been one that the clock skips."""
    zone = _zone(timezone)
    moments = (start - 3_600.0, start, start + lasts)
    return len({datetime.fromtimestamp(at, zone).utcoffset() for at in moments}) > 1


def by_clock(timezone: str, start: float, lasts: float) -> str:
    """When it begins and ends as the clock of the time zone shows it: `2027-03-28 01:30 to 03:30`."""
    first, last = (datetime.fromtimestamp(at, _zone(timezone)) for at in (start, start + lasts))
    return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M}"


@lru_cache(maxsize=16_384)
def _of_day(cron: str, timezone: str, day: int) -> tuple[float, ...]:
    """Those of one day, counted in UTC: looked for once, and no further, for some fields fit no day at all.

    A time that the clock skips is that of before, and of one that comes twice the first is meant (PEP 495: fold 0).
    So two times may be one moment, or change places, and the moment of a time may be of another day than it.
    """
    zone = _zone(timezone)
    moments = {
        written.replace(tzinfo=zone).timestamp()
        for near in (day - 1, day, day + 1)
        for written in _written_times(cron, near)
    }
    return tuple(sorted(moment for moment in moments if day * _DAY <= moment < (day + 1) * _DAY))


@lru_cache(maxsize=1_024)
def _written_times(cron: str, day: int) -> tuple[datetime, ...]:
    """The times of one day of the calendar, as a clock shows them that is never set."""
    trigger, before = copy(_trigger(cron)), None
    now = datetime.fromtimestamp(day * _DAY, UTC)
    trigger.end_date = datetime.fromtimestamp((day + 1) * _DAY - 1, UTC)
    found = []
    while (time := trigger.get_next_fire_time(before, now)) is not None:
        found.append(time)
        before = now = time
    return tuple(found)


@lru_cache(maxsize=1_024)
def _trigger(cron: str) -> Any:  # noqa: ANN401 - APScheduler 3 ships no types
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - for files that plan work alone

    return CronTrigger(**dict(zip(_FIELDS, cron.split(), strict=True)), timezone=UTC)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
