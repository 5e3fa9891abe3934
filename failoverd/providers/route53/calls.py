"""What every gathering of this provider needs: a patient first call, and an error of one's own for each who waits."""

from collections.abc import Callable
from typing import TypeVar

from failoverd.core.errors import ProviderError, Transient
from failoverd.ports import Urgency
from failoverd.providers.account import Account

T = TypeVar("T")
E = TypeVar("E", bound=ProviderError)


async def asked(account: Account, urgency: Urgency, call: Callable[[], T]) -> T:
    """A reading call whose turn has come. When it fails in passing, it lines up again, as every read does."""
    try:
        return await account.call(account.reads, call)
    except Transient:
        return await account.read(urgency, call)


def own(error: E) -> E:
    """A copy to raise: one object raised in many tasks would mix their tracebacks."""
    copy = type(error)(error.detail, reason=error.reason, remedy=error.remedy)
    copy.__cause__ = error
    return copy
