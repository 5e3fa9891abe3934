"""Every way in which Azure Resource Manager and its SDK fail, turned into one of the four kinds of provider error.

A write that was sent and not answered may have taken effect: it ends as `outcome_unknown` and is resolved by reading.
An answer of 400 to 499 says that nothing was changed.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from azure.core import exceptions as sdk

from failoverd.core.errors import Permanent, ProviderError, RateLimited, Transient
from failoverd.foreign import error_code, quoted
from failoverd.providers.shared.refusals import clock_skewed, stale
from failoverd.providers.shared.throttling import THROTTLED
from failoverd.providers.shared.unanswered import NONSENSE, not_the_cloud, senseless, unanswered

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _CONFLICT = 401, 403, 404, 408, 409
_PRECONDITION_FAILED, _TOO_MANY, _SERVER_ERROR = 412, 429, 500

ABSENT: Final = "NotFound"
"""The code of Azure DNS for a record set that is not there, while its zone is."""

_DISABLED = frozenset({"ReadOnlyDisabledSubscription", "DisabledSubscription"})
_PROTECTED = frozenset({"ScopeLocked", "RequestDisallowedByPolicy", "DenyAssignmentAuthorizationFailed"})
_BUSY = ("nother operation is pending", "AnotherOperationInProgress", "RetryableError", "is locked by record set")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as its failure has to tell about it.

    Attributes:
        what: what was attempted, as in `read zone example.com in resource group dns`.
        permissions: the document that lists what it needs.
        writes: it changes something.
    """

    what: str
    permissions: str
    writes: bool = False

    def __str__(self) -> str:
        return f"Azure: cannot {self.what}"


@contextmanager
def edge(call: Call, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the SDK raises into one of the four kinds, `but` for errors that the caller turns by itself."""
    try:
        yield
    except but:
        raise
    except (sdk.DecodeError, sdk.DeserializationError) as error:
        raise senseless(call, error) from error
    except sdk.HttpResponseError as error:
        raise _answered(call, error) from error
    except sdk.ServiceRequestError as error:
        raise _unsent(call, error) from error
    except sdk.ServiceResponseTimeoutError as error:
        raise unanswered(call, "it did not answer in time", "timed_out") from error
    except sdk.ServiceResponseError as error:
        raise unanswered(call, "the connection broke before the answer came", "connection_lost") from error
    except OSError as error:
        raise _local(call, error) from error
    except NONSENSE as error:
        raise senseless(call, error) from error


def code_of(error: sdk.HttpResponseError) -> str:
    """Azure's own code for the failure, such as `ScopeLocked`; empty when it gave none."""
    return _said(error)[0]


# -- what never arrived, or was never answered -------------------------------------------------------------------------

_NEVER_LEFT = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError"})


def _unsent(call: Call, error: sdk.ServiceRequestError) -> ProviderError:
    """The SDK calls everything so that is no HTTP; only what broke before there was a connection is sure."""
    found = list(causes(error))
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in found):
        return Permanent(
            f"{call}: its certificate is not trusted",
            reason="certificate_untrusted",
            remedy="check `endpoint`, `authority` and `ca_file`, and whether a proxy opens TLS on the way",
        )
    if isinstance(error, sdk.ServiceRequestTimeoutError) or any(type(cause).__name__ in _NEVER_LEFT for cause in found):
        return Transient(
            f"{call}: no connection ({type(found[-1]).__name__})",
            reason="connect_failed",
            remedy="check the route, the resolver and the proxy of this host, and `endpoint`",
        )
    return unanswered(call, "the connection broke", "connection_lost")


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and whatever it came from, what the SDK and urllib3 carry along included."""
    seen: list[BaseException] = [error]
    for found in seen:
        yield found
        carried = (getattr(found, name, None) for name in ("inner_exception", "reason"))
        reasons = (found.__cause__, found.__context__, *carried, *found.args)
        seen += [reason for reason in reasons if isinstance(reason, BaseException) and reason not in seen]


def _local(call: Call, error: OSError) -> Permanent:
    """Found before anything was sent: the HTTP client looks for the file first."""
    return Permanent(
        f"{call}: {quoted(str(error))}",
        reason="ca_unreadable",
        remedy="correct `ca_file`, or let the user that failoverd runs as read it",
    )


# -- what was answered -------------------------------------------------------------------------------------------------


def _answered(call: Call, error: sdk.HttpResponseError) -> ProviderError:
    status = error.status_code
    if error.response is None or status is None:
        return unanswered(call, "its answer broke off", "answer_invalid")
    code, text = _said(error)
    said = f"{call}: {status} {code}: {text}".rstrip(": ")
    if status == _TOO_MANY:
        return RateLimited(
            f"{said}, more requests than the subscription allows",
            reason=THROTTLED,
            remedy="nothing to do: it is tried again when Azure says so",
            retry_after=_retry_after(getattr(error.response, "headers", {})),
        )
    if status >= _SERVER_ERROR or status == _TIMEOUT:
        return Transient(
            f"{said}{'; the change may have taken effect' if call.writes else ''}",
            reason="server_error",
            remedy="nothing to do: it is read and tried again; see Azure's status page if it stays",
        )
    if status == _PRECONDITION_FAILED:
        return stale(f"{said}: it is no longer what was read; nothing was changed")
    if not code and status != _UNAUTHORIZED:  # each error of Azure has one; a 401 may be an empty challenge
        return not_the_cloud(call, status)
    return _refused(call, status, code, said)


def _refused(call: Call, status: int, code: str, said: str) -> ProviderError:
    """Nothing was changed, and a person has to act, but for what another request is the reason of."""
    if status == _CONFLICT and any(words in said for words in _BUSY):
        return Transient(said, reason="server_error", remedy="nothing to do: it is tried again")
    if status == _CONFLICT and code == "Conflict":
        return stale(f"{said}: another record came to stand at the name; nothing was changed", "record_changed")
    if code in _DISABLED:
        return Permanent(
            said,
            reason="account_disabled",
            remedy="see the subscription's state in the Azure portal: it takes no changes before it is enabled again",
        )
    if code in _PROTECTED:
        return Permanent(
            said,
            reason="record_protected",
            remedy="let whoever set the lock or the Azure Policy remove it, or take the name out of the policy",
        )
    return _BY_STATUS.get(status, _invalid)(call, said)


def _unauthorized(_: Call, said: str) -> Permanent:
    if "xpired" in said:
        return Permanent(
            said,
            reason="token_expired",
            remedy="see why no new token was issued, and whether this host's clock is right; no restart is needed",
        )
    if "not yet valid" in said or "nbf" in said:
        return clock_skewed(said)
    return credentials_invalid(said)


def credentials_invalid(said: str) -> Permanent:
    return Permanent(
        said,
        reason="credentials_invalid",
        remedy="give failoverd a credential that is valid for this tenant; files are read anew, without a restart",
    )


def _forbidden(call: Call, said: str) -> Permanent:
    return Permanent(
        said,
        reason="permission_denied",
        remedy=f"assign a role that holds what docs/permissions/{call.permissions}.json lists, at the resource group",
    )


def _missing(_: Call, said: str) -> Permanent:
    return Permanent(
        said,
        reason="zone_missing",
        remedy="correct `zones`, `resource_group` or `subscription`, or create the zone there",
    )


def _invalid(_: Call, said: str) -> Permanent:
    return Permanent(
        said,
        reason="request_invalid",
        remedy="correct the settings or the endpoints if Azure's words name them; otherwise please report it",
    )


_BY_STATUS: Mapping[int, Callable[[Call, str], Permanent]] = {
    _UNAUTHORIZED: _unauthorized,
    _FORBIDDEN: _forbidden,
    _NOT_FOUND: _missing,
}


def _said(error: sdk.HttpResponseError) -> tuple[str, str]:
    """Azure's code and words. Resource Manager wraps them in `error`, Azure DNS does not always."""
    try:
        body: Any = json.loads(error.response.text()) if error.response is not None else {}
    except NONSENSE:
        return "", quoted(str(error.reason or ""))
    inner = body.get("error", body) if isinstance(body, dict) else {}
    if not isinstance(inner, dict):
        return "", quoted(str(error.reason or ""))
    return error_code(str(inner.get("code", ""))), quoted(str(inner.get("message", "")))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, as Azure asks for them: whole ones, or milliseconds under a name of its own."""
    seconds, milliseconds = headers.get("Retry-After", ""), headers.get("x-ms-retry-after-ms", "")
    if re.fullmatch(r"\d+(\.\d+)?", seconds):
        return float(seconds)
    return float(milliseconds) / 1000 if re.fullmatch(r"\d+", milliseconds) else None
