"""Tokens that a probe by hand may spend: out of the allowance that the daemon spends from, so it holds for both."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import floor
from pathlib import Path
from typing import Final

from failoverd.cli.screen import shown
from failoverd.core.errors import FailoverdError, JournalError
from failoverd.ports import Ledger
from failoverd.store.journal import open_journal

SHARED: Final = "out of the allowance that the daemon spends from, too (tokens_per_day)"

_DAY: Final = 86_400.0
_REMEDY: Final = "run this as the daemon's user, on its machine, or leave --spend out"


class Counting:
    """A ledger that also knows what was taken out through it, whoever else takes out of the same allowance."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.tokens = 0

    async def reserve(self, account: str, day: str, amount: int, limit: int) -> bool:
        taken = await self._ledger.reserve(account, day, amount, limit)
        self.tokens += amount if taken else 0
        return taken

    async def refund(self, account: str, day: str, amount: int) -> None:
        self.tokens -= amount
        await self._ledger.refund(account, day, amount)


@asynccontextmanager
async def allowance(journal: Path | None) -> AsyncIterator[Ledger | None]:
    """The ledger in the daemon's journal; None, for whoever spends nothing, without a path.

    What had to be survived, such as a journal that was found corrupt and begun anew, is told on standard error.

    Raises:
        FailoverdError: the journal cannot be written, so nobody can tell what may be spent.
    """
    if journal is None:
        yield None
        return
    survived: list[JournalError] = []
    async with open_journal(journal, survived.append) as opened:
        try:
            await opened.touch()
        except JournalError as error:
            words = f"nothing is spent or sent, as what was spent today cannot be told: {error.detail}"
            raise FailoverdError(words, reason=error.reason, remedy=_REMEDY) from error
        _tell(survived)
        yield opened
    _tell(survived)


def _tell(survived: list[JournalError]) -> None:
    sys.stderr.writelines(shown(f"{each.detail} ({each.reason})") + "\n" for each in survived)
    survived.clear()


def days_touched(now: float, seconds: float) -> int:
    """How many days of UTC, each with an allowance of its own, so many seconds from `now` (since the epoch) touch."""
    return 1 + floor((now % _DAY + seconds) / _DAY)
