"""Requests to a cloud that nobody answered. A write among them may have taken effect, and is never sent again."""

from typing import Final, Protocol

from failoverd.core.errors import Permanent, Transient

_INVALID: Final = "answer_invalid"

NONSENSE: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What is raised over an answer that makes no sense: other words than were to be expected, or nested without end."""


class Call(Protocol):
    """One request, as far as its failure has to tell about it: `cannot read zone example.com at dns-main`."""

    @property
    def writes(self) -> bool: ...

    def __str__(self) -> str: ...


def unanswered(call: Call, why: str, reason: str) -> Transient:
    """It was sent, and `why` no answer came. `reason` is for a read; of a write the outcome is not known."""
    if not call.writes:
        return Transient(f"{call}: {why}", reason=reason, remedy="nothing to do: it is tried again")
    return Transient(
        f"{call}: the request was sent, and {why}: it may or may not have taken effect",
        reason="outcome_unknown",
        remedy="nothing to do: the record is read again before anything else is written",
    )


def not_the_cloud(call: Call, status: int) -> Transient:
    """Whoever answered did not speak as the cloud does: a proxy's page, an empty body, JSON without an error code.

    So its status says nothing of the request: a proxy may have passed on a write before it gave up.
    """
    found = unanswered(call, f"what answered {status} is not the cloud: no error code of its own is in it", _INVALID)
    remedy = "see which proxy, gateway or firewall answers in its place, and let this host through"
    return Transient(found.detail, reason=found.reason, remedy=remedy)


def untrusted(call: Call) -> Permanent:
    """The certificate of whoever answered is not to be trusted, so nothing was sent."""
    return Permanent(
        f"{call}: its certificate is not trusted",
        reason="certificate_untrusted",
        remedy="check `endpoint` and `ca_file`, and whether a proxy opens TLS on the way",
    )
