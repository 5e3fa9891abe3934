"""Somebody who measures, on paper: says what a test lets him say, or nothing, or fails."""

from collections.abc import Mapping, Sequence

from failoverd.core.errors import FailoverdError
from failoverd.ports import SeriesValue

NOT_A_NUMBER = FailoverdError("it answers NaN", reason="not_finite")
"""What a source makes of the answer NaN."""


Said = float | Mapping[str, float] | FailoverdError
"""One value, several by region, or an error."""


class Gauges:
    """A source. `says` is by query; nothing is known of others."""

    def __init__(self, says: Mapping[str, Said], every: float) -> None:
        self.says: dict[str, Said] = dict(says)
        self.every = every

    async def ask(self, query: str) -> Sequence[SeriesValue]:
        if query not in self.says:
            return ()
        said = self.says[query]
        if isinstance(said, FailoverdError):
            raise said
        if isinstance(said, Mapping):
            return [SeriesValue({"region": name}, value) for name, value in said.items()]
        return [SeriesValue({}, said)]
