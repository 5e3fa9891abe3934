"""Writes of one zone: as many changes in one PATCH as it may hold operations."""

from collections.abc import Callable, Sequence

from failoverd.core.errors import Permanent
from failoverd.ports import Urgency
from failoverd.providers.oci_dns.change import Change, Operation, fitting
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket
from failoverd.providers.shared.refusals import EVERYBODY


class Writing:
    """The writes of one zone.

    Args:
        account: where requests are made.
        send: does all of these operations or none; blocks.
        most: operations in one request.
    """

    def __init__(self, account: Account, send: Callable[[Sequence[Operation]], None], most: int) -> None:
        self._account = account
        self._request = send
        self._batches: Batcher[Change, None] = Batcher(
            account.writes, self._send, lambda changes: fitting(changes, most)
        )

    async def __call__(self, change: Change, urgency: Urgency) -> None:
        """Make this change, with whatever else goes into its request.

        Raises:
            ProviderError: as this change alone came to. Whoever is at fault for a rejected request fails alone.
        """
        await self._batches(change, urgency)

    async def _send(self, changes: Sequence[Change], ticket: Ticket) -> Sequence[Permanent | None]:
        operations = [operation for change in changes for operation in change.operations]
        try:
            await self._account.write(ticket, lambda: self._request(operations))
        except Permanent as error:
            if error.reason not in EVERYBODY:
                raise
            return [error for _ in changes]
        return [None for _ in changes]
