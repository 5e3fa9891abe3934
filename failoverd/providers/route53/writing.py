"""Writes of one hosted zone, gathered: as many changes in one batch as the limits allow."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from failoverd.core.errors import Permanent
from failoverd.ports import Urgency
from failoverd.providers.account import Account
from failoverd.providers.gathering import Gathering
from failoverd.providers.route53.calls import own
from failoverd.providers.route53.change import Change, fitting

Send = Callable[[Sequence[Mapping[str, Any]]], str]
"""Does all of these actions or none, and returns the id of the change; blocks."""

_EVERYBODY: Final = frozenset(
    {
        "zone_missing",
        "credentials_missing",
        "credentials_invalid",
        "token_expired",
        "clock_skewed",
        "account_disabled",
        "ca_file_missing",
        "certificate_untrusted",
    }
)
"""Refusals that have nothing to do with what is in a batch, so that its halves would be refused as well.

A missing permission is not one of them: a policy may allow some names of a zone and not others.
"""


class Writing:
    """The writes of one hosted zone."""

    def __init__(self, account: Account, send: Send) -> None:
        self._account = account
        self._request = send
        self._gathering: Gathering[Change, str | Permanent] = Gathering(account.writes, self._send, fitting)

    async def __call__(self, change: Change, urgency: Urgency) -> str:
        """Make this change, with whatever else goes into its batch. Returns the id of the batch's change.

        Raises:
            ProviderError: as this change alone came to. Whoever is at fault for a rejected batch fails alone.
        """
        result = await self._gathering(change, urgency)
        if isinstance(result, Permanent):
            raise own(result)
        return result

    async def _send(self, changes: Sequence[Change], _urgency: Urgency) -> Sequence[str | Permanent]:
        actions = [action for change in changes for action in change.actions]
        try:
            change_id = await self._account.call(self._account.writes, lambda: self._request(actions))
        except Permanent as error:
            if error.reason not in _EVERYBODY:
                raise
            return [error for _ in changes]
        return [change_id for _ in changes]
