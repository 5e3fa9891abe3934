"""What the inventory of regions can say: regions, rules that bind all policies, planned work, interconnects."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from failoverd.config.schema.measured import MEASURED, Figure, Unit
from failoverd.config.schema.planned_work import Planned, PracticeEntry
from failoverd.config.values import (
    Bandwidth,
    Glob,
    Name,
    Percent,
    Text,
    Version,
    within,
)
from failoverd.core.records import (
    ELSEWHERE,
    WHOLE,
    Link,
)
from failoverd.core.rules import ELSE_AFTER
from failoverd.settings import Duration, Settings

INVENTORY = "regions.yaml"
"""The inventory's name, unless the daemon's configuration says another."""

_MAX_RULES = 32
_MAX_GLOBS = 64
_MAX_MODELS = 64
_MAX_LINKS = 256


def _not_reserved(name: str) -> str:
    if name == ELSEWHERE:
        raise ValueError(f'"{ELSEWHERE}" means answers that belong to no region: choose another name')
    return name


def _some_headroom(points: int) -> int:
    if points == 0:
        raise ValueError("with 0% no region could carry anything")
    return points


class ModelEntry(Settings):
    """A model, and in which revision."""

    name: Text = Field(description="name of the model")
    revision: Text | None = Field(default=None, description="its revision, as text; without it, any")


class Region(Settings):
    """A named place in one cloud."""

    cloud: Name = Field(description="whose cloud it is: aws, azure, oci, or your own name")
    capacity: Figure | None = Field(
        default=None, description=f"what it can carry, in the unit of the policies' demand: {MEASURED}"
    )
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] | None = Field(
        default=None, description="how much of its capacity is planned with; the inventory's headroom unless said"
    )
    unit: Unit | None = Field(default=None, description="what capacity counts, such as rps")
    jurisdiction: Text | None = Field(default=None, description="whose law applies, such as US or EU")
    egress_cost_per_gb: float | None = Field(default=None, ge=0, le=1e6, description="list price in USD")
    models: tuple[ModelEntry, ...] = Field(
        default=(), max_length=_MAX_MODELS, strict=False, description="the models that it serves"
    )
    price_per_million_tokens: float | None = Field(
        default=None, ge=0, le=1e6, description="list price in USD of a million tokens of the models that it serves"
    )


def _some(points: int) -> int:
    if points == 0:
        raise ValueError("0% is always so")
    return points


class AssertEntry(Settings):
    """So many of some groups of regions are in each answer."""

    at_least: int = Field(ge=1, le=_MAX_GLOBS, description="how many of the groups have to be in the answer")
    of: tuple[Glob, ...] = Field(
        min_length=1, max_length=_MAX_GLOBS, strict=False, description="groups, each a glob of names of regions"
    )
    share: Annotated[Percent, AfterValidator(_some)] | None = Field(
        default=None, description="what a group has to have to count, all its regions together; without it, anything"
    )


class GateEntry(Settings):
    """While a switch is on, nothing moves for some causes."""

    switch: Name = Field(description="name of the switch: failoverctl switch turns it on for a while")
    on: tuple[Literal["operator", "tuning", "returning"], ...] = Field(
        default=("returning", "tuning"),
        min_length=1,
        max_length=3,
        strict=False,
        description="causes that wait meanwhile; what fails out waits for no switch",
    )


class RuleEntry(Settings):
    """What has to hold of the answers of several policies, or which of their changes wait."""

    name: Name = Field(description="name of the rule, by which people break it")
    assert_: AssertEntry | None = Field(default=None, alias="assert", description="what has to be in each answer")
    gate: GateEntry | None = Field(default=None, description="a switch, and what waits while it is on")
    policies: tuple[Glob, ...] = Field(
        default=(), max_length=_MAX_GLOBS, strict=False, description="globs of policies that it binds; all without any"
    )
    else_after: Annotated[Duration, AfterValidator(within("0s", "1d"))] | None = Field(
        default=None,
        description=f"how long an assertion keeps what is down in the answer at most: {ELSE_AFTER / 60:g}m unless said",
    )
    people: int = Field(default=1, ge=1, le=9, description="how many people have to agree to break it")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.assert_ is None) == (self.gate is None):
            raise ValueError("a rule says either assert or gate")
        if self.gate is not None and self.else_after is not None:
            raise ValueError("else_after belongs to an assertion: no gate keeps what is down in the answer")
        return self


def _two_ends(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) != 2:  # noqa: PLR2004 - a link has two
        raise ValueError(f"a link has two ends, not {len(names)}: between: [azure-weu, oci-fra]")
    return names


class LinkEntry(Settings):
    """An interconnect between two regions, or between all regions of two clouds."""

    between: Annotated[tuple[Name, ...], AfterValidator(_two_ends)] = Field(
        strict=False,
        description="its two ends, each a region of the inventory or a cloud",
        json_schema_extra={"minItems": 2, "maxItems": 2},
    )
    bandwidth: Bandwidth = Field(description="how wide it is: 10Gbps, 500Mbps")
    price_per_gb: float = Field(default=0.0, ge=0, le=1e6, description="list price in USD of what is moved over it")
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] = Field(
        default=Link(0.0).headroom, description="how much of its bandwidth is planned with"
    )


class InventoryFile(Settings):
    """The regions that policies may name, and the rules that bind all of them."""

    version: Version
    regions: dict[Annotated[Name, AfterValidator(_not_reserved)], Region] = Field(
        min_length=1, description="regions by name"
    )
    headroom: Annotated[Percent, AfterValidator(_some_headroom)] = Field(
        default=WHOLE, description="how much of each region's capacity is planned with"
    )
    rules: tuple[RuleEntry, ...] = Field(
        default=(),
        max_length=_MAX_RULES,
        strict=False,
        description="what has to hold of the answers of all policies, and which changes wait",
    )
    maintenance: Planned = Field(default=(), description="planned work: who gets no traffic of any policy, and when")
    practice: PracticeEntry | None = Field(
        default=None, description="drills: which region gets no traffic of any policy, and when, to see that it may"
    )
    links: tuple[LinkEntry, ...] = Field(
        default=(), max_length=_MAX_LINKS, strict=False, description="interconnects between regions, or between clouds"
    )
