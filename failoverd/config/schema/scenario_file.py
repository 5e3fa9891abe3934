"""What a scenario can say: something that goes wrong, to be watched for a day or a week."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from failoverd.config.schema.test_file import Fault, PlayedEntry
from failoverd.config.values import Text, Version, within
from failoverd.settings import Duration, Settings

LONGEST: Final = "7d"
"""How long a scenario may go on: a week."""


class OverloadEntry(Settings):
    """What becomes of a region that clients send more than it can carry."""

    above: float = Field(default=1.0, gt=0, le=10, description="times its capacity: more is too much")
    does: Fault = Field(default=503, description="what its endpoints do until it is sent less: one of the faults")


class ScenarioFile(PlayedEntry):
    """Something that happens to policies, in a file whose name ends in .scenario.yaml."""

    version: Version
    shows: Text | None = Field(default=None, description="what is to be seen in it, in a line")
    overload: OverloadEntry | None = Field(
        default=None, description="what becomes of a region that is sent more than it can carry; else it serves"
    )
    seed: int = Field(default=1, ge=0, le=2**31, description="of what is left to chance: the same for the same number")
    for_: Annotated[Duration, AfterValidator(within("1s", LONGEST))] = Field(
        default=86_400.0, alias="for", description=f"how long it goes on: {LONGEST} at most"
    )

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.for_ < max(self.happens, default=0.0):
            raise ValueError("for ends before the last moment that it speaks of")
        return self
