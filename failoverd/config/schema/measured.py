"""What the files say of a figure, which is a number or what measures it."""

from typing import Annotated

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
)

from failoverd.config.values import (
    Name,
)
from failoverd.settings import Settings

_LEAST_UNITS, MOST_UNITS = 1e-6, 1e12


MEASURED = "a number, or what measures it"


def _number_or_measure(value: object) -> object:
    """A figure may be said, or measured: what is wrong is told of the one that was meant."""
    if isinstance(value, dict) or value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST_UNITS <= value <= MOST_UNITS:
        raise ValueError(
            "write a number above 0, 1e-6 at least, or what measures it: {query: ..., from: ..., declared: ...}"
        )
    return float(value)


Query = Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"^[^\x00]+$")]
Unit = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]


class MeasureEntry(Settings):
    """A figure that is measured, by a source of the daemon's configuration."""

    query: Query = Field(description="an instant query (PromQL) for one value; $region is the name of the region")
    from_: Name = Field(alias="from", description="which source of prometheus is asked")
    declared: float = Field(
        ge=_LEAST_UNITS,
        le=MOST_UNITS,
        description="what counts while nothing is measured that is believed, after ten minutes",
    )
    min: float | None = Field(
        default=None,
        ge=_LEAST_UNITS,
        le=MOST_UNITS,
        description="the least that counts; without it, 0 is not believed",
    )


Figure = Annotated[
    Annotated[float, Field(ge=_LEAST_UNITS, le=MOST_UNITS), Tag("number")] | Annotated[MeasureEntry, Tag("measure")],
    Discriminator(lambda value: "measure" if isinstance(value, dict | MeasureEntry) else "number"),
    BeforeValidator(_number_or_measure),
]
