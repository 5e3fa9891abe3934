"""Writes of one hosted zone: as many changes in one batch as the limits allow."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from failoverd.core.errors import Permanent
from failoverd.ports import Urgency
from failoverd.providers.route53.change import Change, fitting
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket
from failoverd.providers.shared.refusals import EVERYBODY

Send = Callable[[Sequence[Mapping[str, Any]]], str]
"""Does all of these actions or none, and returns the id of the change; blocks."""


class Writing:
    """The writes of one hosted zone."""

    def __init__(self, account: Account, send: Send) -> None:
        self._account = account
        self._request = send
        self._batches: Batcher[Change, str] = Batcher(account.writes, self._send, fitting)

    async def __call__(self, change: Change, urgency: Urgency) -> str:
        """Make this change, with whatever else goes into its batch. Returns the id of the batch's change.

        Raises:
            ProviderError: as this change alone came to. Whoever is at fault for a rejected batch fails alone.
        """
        return await self._batches(change, urgency)

    async def _send(self, changes: Sequence[Change], ticket: Ticket) -> Sequence[str | Permanent]:
        actions = [action for change in changes for action in change.actions]
        try:
            change_id = await self._account.write(ticket, lambda: self._request(actions))
        except Permanent as error:
            if error.reason not in EVERYBODY:
                raise
            return [error for _ in changes]
        return [change_id for _ in changes]
