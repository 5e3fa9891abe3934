"""Every way in which the DNS service of OCI and its SDK fail, turned into one of the four kinds of provider error.

A write that was sent and not answered may have taken effect, so it ends as `outcome_unknown` and is resolved by
reading. An answer with an error code says that nothing was changed, except a server error, which says nothing.

Two answers leave open what they mean: that something was not found, and that a write was refused. They get a code that
no provider lets out (`refusals.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import oci  # type: ignore[import-untyped] # the OCI SDK ships no types
import urllib3.exceptions as http

from failoverd.core.errors import Permanent, ProviderError, RateLimited, Transient
from failoverd.foreign import error_code, quoted
from failoverd.providers.oci_cloud.refusals import CONFLICT, NOT_FOUND, REJECTED, permission_denied, protected
from failoverd.providers.shared.refusals import clock_skewed, stale
from failoverd.providers.shared.throttling import THROTTLED
from failoverd.providers.shared.unanswered import NONSENSE, not_the_cloud, senseless, unanswered, untrusted

_BUSY_SECONDS: Final = 1.0
"""How long a resource is left alone that is in the middle of another change, when the answer does not say."""

_TOO_MANY_REQUESTS, _PRECONDITION_FAILED, _CONFLICT, _LOCKED, _SERVER_ERROR = 429, 412, 409, 423, 500
_REFUSALS = frozenset({400, _CONFLICT, 413, 422})
_MAX_TEXT = 400


@dataclass(frozen=True)
class Call:
    """One request, as far as its failure has to tell about it.

    `writes`: it changes something. `expiring`: it was signed with a token that somebody has to renew.
    """

    provider: str
    what: str
    writes: bool = False
    expiring: bool = False

    def __str__(self) -> str:
        return f"provider {self.provider} cannot {self.what} at OCI"


@contextmanager
def edge(call: Call) -> Iterator[None]:
    """Turns what the SDK raises into one of the four kinds."""
    try:
        yield
    except oci.exceptions.ServiceError as error:
        raise _answered(call, error) from error
    except oci.exceptions.ConnectTimeout as error:
        raise _unsent(call, "it takes no connection in time") from error
    except oci.exceptions.RequestException as error:
        raise _broken(call, error) from error
    except NONSENSE as error:
        raise senseless(call, error) from error
    except OSError as error:
        raise _ca_file(call, error) from error


# -- what never arrived, or was never answered -------------------------------------------------------------------------


def _broken(call: Call, error: Exception) -> ProviderError:
    causes = list(_causes(error))
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        return untrusted(call)
    if any(isinstance(cause, (http.NewConnectionError, http.ConnectTimeoutError)) for cause in causes):
        return _unsent(call, "it takes no connection")
    if any(isinstance(cause, http.ReadTimeoutError) for cause in causes):
        return unanswered(call, "it did not answer in time", "timed_out")
    return unanswered(call, "the connection broke before the answer came", "connection_lost")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it: SDK, requests and urllib3 each raise their own while they handle the other's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        reason = getattr(cause, "reason", None)
        if isinstance(reason, Exception):
            yield reason
        cause = cause.__cause__ or cause.__context__


def _unsent(call: Call, why: str) -> Transient:
    return Transient(
        f"{call}: {why}",
        reason="connect_failed",
        remedy="check the route, the resolver and the proxy of this host, and `region` or `endpoint`",
    )


def _ca_file(call: Call, error: OSError) -> Permanent:
    return Permanent(
        f"{call}: a file that it needs cannot be used: {error.strerror or error}",
        reason="ca_file_missing",
        remedy="correct `ca_file`, or let the user that failoverd runs as read it",
    )


# -- what was answered -------------------------------------------------------------------------------------------------


def _answered(call: Call, error: Any) -> ProviderError:  # noqa: ANN401 - the SDK has no types
    status, code, text = int(error.status), error_code(str(error.code or "")), str(error.message or "")[:_MAX_TEXT]
    said = f"{call}: {status} {code}: {quoted(text)}"
    if status == _TOO_MANY_REQUESTS:
        return _throttled(call, error.headers)
    if status >= _SERVER_ERROR:
        return _failed(call, status, code)
    if not code and status != _PRECONDITION_FAILED:  # each error of OCI has one
        return not_the_cloud(call, status)
    if code in _BUSY:
        return _busy(said, error.headers)
    if code == "NotAuthenticated":
        return _not_authenticated(call, said, text)
    meaning = _MEANINGS.get(code) or _by_status(call, status, text)
    return meaning(said)


def _by_status(call: Call, status: int, text: str) -> Callable[[str], ProviderError]:
    """What an answer means whose code says little."""
    if status == _PRECONDITION_FAILED:
        return stale
    if status == _LOCKED or "protected" in text:
        return protected
    if call.writes and status in _REFUSALS:
        return _conflict if status == _CONFLICT else _rejected
    return _request_invalid


def _throttled(call: Call, headers: Mapping[str, str]) -> RateLimited:
    return RateLimited(
        f"{call}: it asks for fewer requests",
        reason=THROTTLED,
        remedy="nothing to do: it is tried again; lower `requests_per_second` if other tools use the tenancy",
        retry_after=_seconds(headers),
    )


def _busy(said: str, headers: Mapping[str, str]) -> RateLimited:
    asked = _seconds(headers)
    return RateLimited(
        said,
        reason="resource_busy",
        remedy="nothing to do: it is tried again; OCI is in the middle of another change of the same resource",
        retry_after=_BUSY_SECONDS if asked is None else asked,
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("retry-after")
    return float(asked) if asked is not None and asked.isdigit() else None


def _failed(call: Call, status: int, code: str) -> Transient:
    return Transient(
        f"{call}: it failed with {status} {code}" + ("; the change may have taken effect" if call.writes else ""),
        reason="server_error",
        remedy="nothing to do: it is read and tried again; see the OCI status page if it stays",
    )


def _not_authenticated(call: Call, said: str, text: str) -> Permanent:
    if "clock skew" in text:
        return clock_skewed(said, ": OCI allows 5 minutes")
    if call.expiring:
        return Permanent(
            said,
            reason="token_expired",
            remedy="renew the session, or see why whatever renews it has stopped; no restart is needed",
        )
    return Permanent(
        said,
        reason="credentials_invalid",
        remedy="give failoverd an API key that is active for its user; key files are read anew, without a restart",
    )


def _account_disabled(said: str) -> Permanent:
    return Permanent(
        said,
        reason="account_disabled",
        remedy="see the tenancy's status and mail: it is suspended, or not signed up for the service",
    )


def _limit_exceeded(said: str) -> Permanent:
    return Permanent(
        said,
        reason="limit_exceeded",
        remedy="ask Oracle for a higher service limit or quota, or remove what is not needed any more",
    )


def _not_found(said: str) -> Permanent:
    return Permanent(said, reason=NOT_FOUND)


def _rejected(said: str) -> Permanent:
    return Permanent(said, reason=REJECTED)


def _conflict(said: str) -> Permanent:
    return Permanent(said, reason=CONFLICT)


def _request_invalid(said: str) -> Permanent:
    return Permanent(said, reason="request_invalid", remedy="please report it: failoverd should not have sent this")


_BUSY = frozenset({"IncorrectState", "ExternalServerIncorrectState"})
_MEANINGS: Mapping[str, Callable[[str], Permanent]] = {
    "SignUpRequired": _account_disabled,
    "NotAuthorized": permission_denied,
    "NotAllowed": permission_denied,
    "NotAuthorizedOrNotFound": _not_found,
    "RelatedResourceNotAuthorizedOrNotFound": _not_found,
    "LimitExceeded": _limit_exceeded,
    "QuotaExceeded": _limit_exceeded,
    "LockConflict": protected,
    "ResourceLocked": protected,
}
