"""What a scenario can say: something that goes wrong, to be watched for a day or a week."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from failoverd.config.schema.test_file import PlayedEntry
from failoverd.config.values import Text, Version, within
from failoverd.settings import Duration

LONGEST: Final = "7d"
"""How long a scenario may go on: a week."""


class ScenarioFile(PlayedEntry):
    """Something that happens to policies, in a file whose name ends in .scenario.yaml."""

    version: Version
    shows: Text | None = Field(default=None, description="what is to be seen in it, in a line")
    seed: int = Field(default=1, ge=0, le=2**31, description="of what is left to chance: the same for the same number")
    for_: Annotated[Duration, AfterValidator(within("1s", LONGEST))] = Field(
        default=86_400.0, alias="for", description=f"how long it goes on: {LONGEST} at most"
    )

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.for_ < max(self.happens, default=0.0):
            raise ValueError("for ends before the last moment that it speaks of")
        return self
