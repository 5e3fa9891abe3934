"""A provider's local stand-in, as the experiment needs it: how to configure it, what it was asked, where it stands."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from support.servers import ZONE

from bench.least import Content, Least


class Purpose(StrEnum):
    """What a call is for."""

    READ = "read"
    WRITE = "write"
    PROOF = "proof"


@dataclass(frozen=True)
class Made:
    """One call as the other side saw it. `at` is in monotonic seconds; `refused`: throttled, or turned down."""

    purpose: Purpose
    at: float
    refused: bool


PER_POLICY = 32
"""Records that one policy may hold."""


@dataclass(frozen=True)
class Zoneful:
    """The records of the experiment: so many names in a zone, in policies that hold as many as a policy can."""

    records: int
    zone: str = ZONE

    @property
    def names(self) -> list[str]:
        return [f"r{number:04d}.{self.zone}" for number in range(self.records)]

    @property
    def policies(self) -> dict[str, list[str]]:
        """Names by policy."""
        starts = range(0, self.records, PER_POLICY)
        return {f"p{start // PER_POLICY:02d}": self.names[start : start + PER_POLICY] for start in starts}


class Stand(ABC):
    """One provider under test, its names in `zone`. It may take `most` records only, and says why in `remark`."""

    kind: str
    zone: str = ZONE
    most: int = sys.maxsize
    remark: str = ""

    def prepare(self, zoneful: Zoneful) -> None:  # noqa: B027 - most need nothing
        """Make what has to be there before the daemon starts."""

    @abstractmethod
    def block(self) -> Mapping[str, object]:
        """The provider's entry in the daemon's configuration."""

    def environment(self) -> Mapping[str, str]:
        """What the daemon's environment has on top."""
        return {}

    @abstractmethod
    def calls(self) -> Sequence[Made]:
        """Everything that it was asked, in order."""

    @abstractmethod
    def holding(self, zoneful: Zoneful, address: str) -> int:
        """How many of the records answer with this address alone."""

    @abstractmethod
    def least(self, records: int, content: Content) -> Least:
        """The fewest calls for changing all of them."""
