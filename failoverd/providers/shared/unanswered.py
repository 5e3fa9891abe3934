"""Requests to a cloud that nobody answered, or nobody in a way that makes sense.

A write among them may have taken effect, and is never sent again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import dns.exception

from failoverd.core.errors import Permanent, Transient

NONSENSE: Final = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    dns.exception.DNSException,
)
"""What reading an answer raises that is not what its API says it is: whoever sent it, it is no defect of failoverd."""

_INVALID: Final = "answer_invalid"
_IN_ITS_PLACE: Final = "see which proxy, gateway or firewall answers in its place, and let this host through"


class Call(Protocol):
    """One request, as far as its failure has to tell about it: `cannot read zone example.com at dns-main`."""

    @property
    def writes(self) -> bool: ...

    def __str__(self) -> str: ...


def unanswered(call: Call, why: str, reason: str) -> Transient:
    """It was sent, and `why` no answer came. `reason` is for a read; of a write the outcome is not known."""
    if not call.writes:
        return Transient(f"{call}: {why}", reason=reason, remedy="nothing to do: it is tried again")
    return in_doubt(f"{call}: the request was sent", why)


def in_doubt(sent: str, why: str) -> Transient:
    """A write of which the outcome is not known: `sent` says that it was, and `why` how it is that nobody knows."""
    return Transient(
        f"{sent}, and {why}: it may or may not have taken effect",
        reason="outcome_unknown",
        remedy="nothing to do: the record is read again before anything else is written",
    )


def not_the_cloud(call: Call, status: int) -> Transient:
    """Whoever answered did not speak as the cloud does: a proxy's page, an empty body, JSON without an error code.

    So its status says nothing of the request: a proxy may have passed on a write before it gave up.
    """
    found = unanswered(call, f"what answered {status} is not the cloud: no error code of its own is in it", _INVALID)
    return Transient(found.detail, reason=found.reason, remedy=_IN_ITS_PLACE)


def senseless(call: Call, error: Exception) -> Transient:
    """It answered a success, and what came cannot be read."""
    found = unanswered(call, f"its answer makes no sense ({type(error).__name__})", _INVALID)
    return Transient(found.detail, reason=found.reason, remedy=f"{found.remedy}; if it stays, {_IN_ITS_PLACE}")


@contextmanager
def sensible(call: Call) -> Iterator[None]:
    """Wherever an answer is read, whatever it holds: also what is made of it after it was taken apart."""
    try:
        yield
    except NONSENSE as error:
        raise senseless(call, error) from error


def untrusted(call: Call) -> Permanent:
    """The certificate of whoever answered is not to be trusted, so nothing was sent."""
    return Permanent(
        f"{call}: its certificate is not trusted",
        reason="certificate_untrusted",
        remedy="check `endpoint` and `ca_file`, and whether a proxy opens TLS on the way",
    )
