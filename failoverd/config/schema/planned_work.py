"""What the files say of planned work and of drills."""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from failoverd.config.cron import ROTATE, parse_cron, parse_date, parse_schedule, parse_timezone
from failoverd.config.values import (
    Moment,
    Name,
    Text,
    within,
)
from failoverd.settings import Duration, Settings

_MAX_CHECKS = 16
_MAX_WINDOWS = 64


class MaintenanceEntry(Settings):
    """A region, or a cloud, gets no traffic for a while, as if somebody drained it."""

    region: Name | None = Field(default=None, description="which region is worked on; or a cloud")
    cloud: Name | None = Field(default=None, description="whose regions are worked on; or a region")
    from_: Moment | None = Field(default=None, alias="from", description="when it begins, with an offset; or cron")
    cron: Annotated[str, AfterValidator(parse_cron)] | None = Field(
        default=None,
        max_length=200,
        description="when it begins, again and again: minute, hour, day of the month, month, day of the week by name",
    )
    timezone: Annotated[str, AfterValidator(parse_timezone)] = Field(
        default="UTC", max_length=64, description="time zone of cron, such as Europe/Berlin"
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "72h"))] = Field(
        alias="for", description="how long it lasts: 72h at most"
    )
    reason: Text = Field(description="what is done; status and history tell it")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.region is None) == (self.cloud is None):
            raise ValueError("planned work is about either a region or a cloud")
        if (self.from_ is None) == (self.cron is None):
            raise ValueError("planned work begins either at a moment (from) or again and again (cron)")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise ValueError("timezone belongs to cron: from says its own offset")
        return self


class BlockEntry(Settings):
    """A window in which no drill is wanted."""

    from_: Moment | None = Field(default=None, alias="from", description="when it begins, with an offset; or cron")
    cron: Annotated[str, AfterValidator(parse_cron)] | None = Field(
        default=None, max_length=200, description="when it begins, again and again, in the time zone of at"
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "60d"))] = Field(alias="for", description="how long it lasts")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.from_ is None) == (self.cron is None):
            raise ValueError("a window begins either at a moment (from) or again and again (cron)")
        return self


class PracticeEntry(Settings):
    """Drills: one region after the other gets no traffic for a while, on a good day, to see that the others bear it."""

    at: Annotated[str, AfterValidator(parse_schedule)] = Field(
        max_length=200,
        description="when they begin: days, a time and a time zone (TUE 10:00 UTC), or five fields of cron and a zone",
    )
    for_: Annotated[Duration, AfterValidator(within("1m", "24h"))] = Field(
        alias="for", description="how long one lasts: 24h at most"
    )
    away: Name = Field(default=ROTATE, description="which region gets no traffic; rotate: each in its turn")
    succeed: tuple[Name, ...] = Field(
        default=(),
        max_length=_MAX_CHECKS,
        strict=False,
        description="checks of the others that a drill fails by; the others only interrupt it",
    )
    block: tuple[BlockEntry, ...] = Field(
        default=(), max_length=_MAX_WINDOWS, strict=False, description="windows into which no drill may reach"
    )
    skip: tuple[Annotated[str, AfterValidator(parse_date)], ...] = Field(
        default=(), max_length=366, strict=False, description="days on which none begins, such as 2026-12-24"
    )


Planned = Annotated[
    tuple[MaintenanceEntry, ...],
    Field(max_length=_MAX_WINDOWS, strict=False),
]
