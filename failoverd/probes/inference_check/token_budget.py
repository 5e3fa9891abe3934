"""The tokens that completions may cost in a day. They are reserved before they are spent, and never overspent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from failoverd.ports import Clock, Ledger

_WITHOUT_LIMIT: Final = 2**62
_SPENT: Final = "no tokens are left to spend today"
_UNASKED: Final = "probe and benchmark spend no tokens without --spend"


@dataclass(frozen=True, slots=True)
class TokenReservation:
    """Tokens that were taken out of the allowance of a day."""

    day: str
    tokens: int


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """What one check may spend.

    Attributes:
        account: everything with the same account spends together.
        limit: tokens a day.
        ledger: keeps the sums; None where nothing may be spent.
        clock: seconds since the epoch; a day begins at 00:00 UTC.
    """

    account: str
    limit: int
    ledger: Ledger | None
    clock: Clock

    async def reserve(self, tokens: int) -> TokenReservation | None:
        """None when the day's allowance does not hold so much, or nobody can tell."""
        if self.ledger is None:
            return None
        day = self._now().date().isoformat()
        taken = await self.ledger.reserve(self.account, day, tokens, self.limit)
        return TokenReservation(day, tokens) if taken else None

    async def settle(self, reserved: TokenReservation, spent: int) -> None:
        """Give back what was not spent. What was spent beyond it is booked as well, limit or not: it is gone."""
        if self.ledger is None:
            return
        if spent < reserved.tokens:
            await self.ledger.refund(self.account, reserved.day, reserved.tokens - spent)
        elif spent > reserved.tokens:
            await self.ledger.reserve(self.account, reserved.day, spent - reserved.tokens, _WITHOUT_LIMIT)

    @property
    def refusal(self) -> str:
        """Why a reservation is refused, in words."""
        return _UNASKED if self.ledger is None else _SPENT

    def renewed_in(self) -> float:
        """Seconds until the next day begins."""
        now = self._now()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        return (midnight - now).total_seconds()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)
