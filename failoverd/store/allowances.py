"""What was spent of daily allowances, in the journal's table `spending`. Amounts are of whatever is rationed: tokens.

Nothing may be spent that is not written down first, so a kill between the two wastes an allowance and never exceeds it.
The file may be lost while the daemon runs: what this process spent is remembered beside it, and the larger sum counts.
"""

import sqlite3
from collections import Counter
from typing import Final

KEPT: Final = "-400 days"
"""How long sums of past days stay, in SQLite's words: a clock that is wrong for a while finds them again."""


class Spending:
    """The sums, for one process. Used within the journal's transactions and from its thread only."""

    def __init__(self) -> None:
        self._own: Counter[tuple[str, str]] = Counter()

    def reserve(self, connection: sqlite3.Connection, account: str, day: str, amount: int, limit: int) -> bool:
        """Whether the amount fits into what is left of the day; then it is written down. `day` is YYYY-MM-DD."""
        spent = self._spent(connection, account, day) + amount
        if spent > limit:
            return False
        self._write(connection, account, day, spent)
        self._note(account, day, amount)
        connection.execute("DELETE FROM spending WHERE day < date(?, ?)", (day, KEPT))
        return True

    def refund(self, connection: sqlite3.Connection, account: str, day: str, amount: int) -> None:
        """Never below nothing."""
        left = max(0, self._spent(connection, account, day) - amount)
        self._note(account, day, -amount)
        self._write(connection, account, day, left)

    def _note(self, account: str, day: str, amount: int) -> None:
        """Before the commit: should that fail, more is held to be spent than was, never less."""
        for past in [key for key in self._own if key[1] < day]:
            del self._own[past]
        self._own[account, day] = max(0, self._own[account, day] + amount)

    def _spent(self, connection: sqlite3.Connection, account: str, day: str) -> int:
        query = "SELECT amount FROM spending WHERE account = ? AND day = ?"
        row = connection.execute(query, (account, day)).fetchone()
        return max(int(row[0]) if row else 0, self._own[account, day])

    def _write(self, connection: sqlite3.Connection, account: str, day: str, amount: int) -> None:
        connection.execute("INSERT OR REPLACE INTO spending VALUES (?, ?, ?)", (account, day, amount))
