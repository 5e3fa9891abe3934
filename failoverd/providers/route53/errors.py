"""Every way in which Route 53 and its SDK fail, turned into one of the four kinds of provider error.

A change that was sent and not answered may have taken effect, so it ends as `outcome_unknown` and is resolved by
reading. An answer with an error code says that nothing was changed, except a server error, which says nothing.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as sdk  # type: ignore[import-untyped] # botocore ships no types
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from failoverd.core.errors import Permanent, ProviderError, RateLimited, Transient
from failoverd.foreign import error_code, quoted
from failoverd.providers.shared.refusals import clock_skewed, stale
from failoverd.providers.shared.throttling import THROTTLED
from failoverd.providers.shared.unanswered import NONSENSE, not_the_cloud, senseless, unanswered, untrusted

_REFUSED, _TOO_MANY, _SERVER_ERROR = 400, 429, 500
_BUSY_SECONDS = 1.0
"""How long a zone is left alone that is still busy with an earlier change, when the answer does not say."""


@dataclass(frozen=True)
class Call:
    """One request, as far as its failure has to tell about it. `writes`: it changes something."""

    provider: str
    what: str
    writes: bool = False

    def __str__(self) -> str:
        return f"provider {self.provider} cannot {self.what} at Route 53"


@contextmanager
def edge(call: Call) -> Iterator[None]:
    """Turns what the SDK raises into one of the four kinds."""
    try:
        yield
    except sdk.ClientError as error:
        raise _answered(call, error.response) from error
    except _UNSENT as error:
        raise _unsent(call, error) from error
    except sdk.ReadTimeoutError as error:
        raise unanswered(call, "it did not answer in time", "timed_out") from error
    except sdk.HTTPClientError as error:
        raise unanswered(call, "the connection broke before the answer came", "connection_lost") from error
    except (ResponseParserError, *NONSENSE) as error:
        raise senseless(call, error) from error
    except sdk.BotoCoreError as error:
        raise _local(call, error) from error


# -- what never arrived, or was never answered -------------------------------------------------------------------------

_UNSENT = (sdk.ConnectTimeoutError, sdk.EndpointConnectionError, sdk.ProxyConnectionError, sdk.SSLError)


def _unsent(call: Call, error: Exception) -> ProviderError:
    if isinstance(error, sdk.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted(call)
    if isinstance(error, sdk.SSLError) and call.writes:
        return unanswered(call, "the TLS connection broke", "connection_lost")
    return Transient(
        f"{call}: no connection ({type(error).__name__})",
        reason="connect_failed",
        remedy="check the route, the resolver and the proxy of this host, and `endpoint`",
    )


def _local(call: Call, error: Exception) -> Permanent:
    """The SDK gave up before it sent anything. Its texts name files and profiles, or what a program of them printed."""
    if isinstance(error, _CREDENTIALS):
        return Permanent(
            f"{call}: there are no usable AWS credentials ({quoted(str(error))})",
            reason="credentials_missing",
            remedy="give the host or the service account a role, or name `profile` or `credentials_file`",
        )
    return Permanent(
        f"{call}: the AWS SDK refused to send it ({type(error).__name__}: {quoted(str(error))})",
        reason="request_invalid",
        remedy="check the provider's settings, and please report it if they are right",
    )


_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.ProfileNotFound,
    sdk.ConfigParseError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
)


# -- what was answered -------------------------------------------------------------------------------------------------

_ROOT = re.compile(rb"<(?P<code>[A-Z][a-z]\w*)[\s/>]")
_MESSAGE = re.compile(rb"<Message>(?P<text>[^<]*)</Message>")


def name_error(response_dict: Mapping[str, Any] | None, parsed_response: dict[str, Any] | None, **_: object) -> None:
    """Give an error its code and messages whose document has the code as its root, and no `<Error>`.

    The reference of ChangeResourceRecordSets shows `<InvalidChangeBatch><Messages>` so; real answers mostly wrap it.
    The SDK finds no code in it, and loses the messages when there are several. For its event `response-received`.
    """
    if response_dict is None or parsed_response is None or response_dict["status_code"] < _REFUSED:
        return
    error, body = parsed_response.setdefault("Error", {}), bytes(response_dict["body"])
    root = _ROOT.search(body)
    if error.get("Code") or root is None:
        return
    messages = (match["text"].decode(errors="replace").strip() for match in _MESSAGE.finditer(body))
    error |= {"Code": root["code"].decode(), "Message": "; ".join(html.unescape(text) for text in messages)}


def _answered(call: Call, response: Mapping[str, Any]) -> ProviderError:
    meta = response.get("ResponseMetadata", {})
    status, headers = int(meta.get("HTTPStatusCode", 0)), meta.get("HTTPHeaders", {})
    error = response["Error"]
    code, raw = error_code(str(error.get("Code", ""))), _harmless(str(error.get("Message", "")))
    text = quoted(raw)
    if code in _THROTTLED or status == _TOO_MANY:
        return _rate_limited(call, code, headers.get("retry-after"))
    if code in _MEANINGS:
        return _MEANINGS[code](f"{call}: {code}: {text}")
    if code == "InvalidChangeBatch":
        return rejected(call, "; ".join([raw, *map(str, response.get("messages", ()))]))
    if code == "SignatureDoesNotMatch":
        said = f"{call}: {code}: {text}"
        return clock_skewed(said) if "expired" in raw or "not yet current" in raw else _credentials_invalid(said)
    if code in {"", str(status)} and status < _SERVER_ERROR:  # which is what the SDK says for want of a code
        return not_the_cloud(call, status)
    return _undefined(call, status, code, text)


def _undefined(call: Call, status: int, code: str, text: str) -> ProviderError:
    """What an answer means whose code says no more than its status."""
    if status >= _SERVER_ERROR:
        return Transient(
            f"{call}: it failed with {status} {code}" + ("; the change may have taken effect" if call.writes else ""),
            reason="server_error",
            remedy="nothing to do: it is read and tried again; see the AWS health dashboard if it stays",
        )
    return Permanent(
        f"{call}: it answered {status} {code}: {text}",
        reason="request_invalid",
        remedy="please report it: failoverd should not have sent this",
    )


def _harmless(text: str) -> str:
    """AWS explains a wrong signature with the request that it signed itself, of which the session token is a part."""
    return text.partition("The Canonical String")[0].strip()


def rejected(call: Call, text: str) -> ProviderError:
    """Why a batch was not made. Nothing of it was changed. With several plans in it, they are to be tried apart."""
    said = quoted(text)
    if "is protected" in text:
        return Permanent(
            f"{call}: {said}",
            reason="record_protected",
            remedy="let whoever protected the record remove that, or take it out of the policy",
        )
    if any(words in text for words in ("more than 100 weighted", "MAX_RRSETS_BY_ZONE", "limit of")):
        return Permanent(
            f"{call}: {said}",
            reason="too_many_answers",
            remedy="remove record sets, or have the quota of the zone raised by AWS",
        )
    if not text or any(words in text for words in _CHANGED):  # without a word the batch is refused all the same
        what, reason = ("marker", "stale_generation") if "_failoverd." in text else ("record", "record_changed")
        return stale(f"{call}, for the {what} is no longer what was read: {said}", reason)
    return Permanent(
        f"{call}: {said}",
        reason="unsayable",
        remedy="correct the endpoints in the policy so that they are what Route 53 takes",
    )


_CHANGED = (
    "but it was not found",
    "do not match the current",
    "already exist",
    "other RRSets exist",
    "set exists with",
    "conflict",
    "same TTL",
)
"""What Route 53 says of a DELETE that misses, and of a CREATE that finds something in its place."""


def _rate_limited(call: Call, code: str, retry_after: str | None) -> RateLimited:
    asked = float(retry_after) if retry_after and re.fullmatch(r"\d+(\.\d+)?", retry_after) else None
    if code == "PriorRequestNotComplete":
        return RateLimited(
            f"{call}: it still works on an earlier change of the zone",
            reason="prior_request_not_complete",
            remedy="nothing to do: it is tried again",
            retry_after=_BUSY_SECONDS if asked is None else asked,
        )
    return RateLimited(
        f"{call}: the account sends more than five requests a second ({code})",
        reason=THROTTLED,
        remedy="nothing to do: it is tried again; lower `requests_per_second` if other tools use the account",
        retry_after=asked,
    )


def _credentials_invalid(said: str) -> Permanent:
    return Permanent(
        said,
        reason="credentials_invalid",
        remedy="give failoverd a key that is active; credentials files are read anew, without a restart",
    )


def _token_expired(said: str) -> Permanent:
    return Permanent(
        said,
        reason="token_expired",
        remedy="renew the session, or see why whatever renews it has stopped; no restart is needed",
    )


def _permission_denied(said: str) -> Permanent:
    return Permanent(
        said,
        reason="permission_denied",
        remedy="grant what docs/permissions/route53.json lists, for this zone and these names",
    )


def _zone_missing(said: str) -> Permanent:
    return Permanent(
        said,
        reason="zone_missing",
        remedy="correct `hosted_zones`, or the account: `profile` decides which one it is",
    )


def _account_disabled(said: str) -> Permanent:
    return Permanent(
        said,
        reason="account_disabled",
        remedy="see the AWS account's status and mail: it is suspended, or not signed up for Route 53",
    )


def _credentials_missing(said: str) -> Permanent:
    return Permanent(
        said,
        reason="credentials_missing",
        remedy="give the host or the service account a role, or name `profile` or `credentials_file`",
    )


def _change_unknown(said: str) -> Permanent:
    return Permanent(
        said,
        reason="change_unknown",
        remedy="nothing to do: the authoritative servers are asked all the same",
    )


_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
    }
)
_MEANINGS: Mapping[str, Callable[[str], Permanent]] = {
    "NoSuchHostedZone": _zone_missing,
    "AccessDenied": _permission_denied,
    "AccessDeniedException": _permission_denied,
    "UnauthorizedOperation": _permission_denied,
    "NotAuthorized": _permission_denied,
    "InvalidClientTokenId": _credentials_invalid,
    "UnrecognizedClientException": _credentials_invalid,
    "InvalidAccessKeyId": _credentials_invalid,
    "IncompleteSignature": _credentials_invalid,
    "ExpiredToken": _token_expired,
    "ExpiredTokenException": _token_expired,
    "RequestExpired": clock_skewed,
    "RequestTimeTooSkewed": clock_skewed,
    "MissingAuthenticationToken": _credentials_missing,
    "OptInRequired": _account_disabled,
    "SubscriptionRequiredException": _account_disabled,
    "AccountSuspended": _account_disabled,
    "PendingVerification": _account_disabled,
    "NoSuchChange": _change_unknown,
}
