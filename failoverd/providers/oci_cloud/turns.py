"""The requests that one gathered read is made of, and their failure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from failoverd.core.errors import ProviderError, Transient
from failoverd.ports import Urgency
from failoverd.providers.account import Account

T = TypeVar("T")


class Turns:
    """Reading requests, one after the other. The turn of the first has come: whoever gathered waited for it."""

    def __init__(self, account: Account, urgency: Urgency) -> None:
        self._account = account
        self._urgency = urgency
        self._first = True

    async def call(self, call: Callable[[], T]) -> T:
        """Make this request in a thread, and again when it fails in passing. Raises ProviderError."""
        if not self._first:
            return await self._account.read(self._urgency, call)
        self._first = False
        try:
            return await self._account.call(self._account.reads, call)
        except Transient:
            return await self._account.read(self._urgency, call)


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure, for everybody who waits: asking in halves would only take longer."""

    error: ProviderError

    def copy(self) -> ProviderError:
        """An error of one's own: raising one object in many tasks would mix their tracebacks."""
        copy = type(self.error)(self.error.detail, reason=self.error.reason, remedy=self.error.remedy)
        copy.__cause__ = self.error
        return copy
