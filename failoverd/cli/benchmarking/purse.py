"""What completions of one benchmark cost: a ledger in memory, within the check's own daily limit."""

from collections import defaultdict

from failoverd.app import NoAllowance
from failoverd.ports import Ledger


class Purse:
    """`ports.Ledger` for the length of a benchmark. What the daemon spends stands in the journal, apart from this."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], int] = defaultdict(int)

    async def reserve(self, account: str, day: str, amount: int, limit: int) -> bool:
        if self._spent[account, day] + amount > limit:
            return False
        self._spent[account, day] += amount
        return True

    async def refund(self, account: str, day: str, amount: int) -> None:
        self._spent[account, day] -= amount


class Counting:
    """A region's view of the ledger that all regions share: it also knows what the region itself took."""

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


def ledger_of(*, spend: bool) -> Ledger:
    return Purse() if spend else NoAllowance()
