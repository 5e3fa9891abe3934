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
from datetime import UTC, datetime, tzinfo
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


def begins(cron: str, timezone: str, since: float, until: float) -> Iterator[float]:
    """The moments at which it begins, from `since` on and before `until`, in order."""
    for day in range(int(since // _DAY), ceil(until / _DAY)):
        yield from (moment for moment in _of_day(cron, timezone, day) if since <= moment < until)


_DAY: Final = 86_400


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
