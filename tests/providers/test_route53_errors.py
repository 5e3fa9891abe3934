"""What the SDK raises, and what it means. Most of it happens on the wire, in the other tests; here is the rest."""

from collections.abc import Mapping

import pytest
from botocore import exceptions as sdk  # type: ignore[import-untyped] # botocore ships no types

from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.providers.route53.errors import Call, edge

READ, WRITE = Call("dns-main", "read"), Call("dns-main", "change", writes=True)


def answer(code: str, text: str = "", status: int = 400, headers: Mapping[str, str] | None = None) -> Exception:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    error: Exception = sdk.ClientError({"Error": {"Code": code, "Message": text}, "ResponseMetadata": meta}, "Change")
    return error


def meaning(error: Exception, call: Call = READ) -> ProviderError:
    with pytest.raises(ProviderError) as caught, edge(call):
        raise error
    assert "dns-main" in caught.value.detail
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("Tried to delete resource record set [name='_failoverd.a.'] but it was not found", Fenced, "stale_generation"),
        ("[name='a.', type='A'] but the values provided do not match the current values", Fenced, "record_changed"),
        ("Tried to create resource record set [name='a.'] but it already exists", Fenced, "record_changed"),
        ("RRSet with DNS name a. cannot be created as other RRSets exist with it", Fenced, "record_changed"),
        ("The resource record set [name='a.', type='A'] is protected: mail team", Permanent, "record_protected"),
        ("cannot be created as there are more than 100 weighted sets", Permanent, "too_many_answers"),
        ("Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address", Permanent, "unsayable"),
    ],
)
def test_a_rejected_batch(text: str, kind: type[ProviderError], reason: str) -> None:
    error = meaning(answer("InvalidChangeBatch", text), WRITE)
    assert (type(error), error.reason) == (kind, reason)


def test_a_wrong_signature_never_shows_what_was_signed() -> None:
    """AWS sends the canonical request along, and the session token is a header of it."""
    text = "The request signature does not match. The Canonical String for this request: x-amz-security-token:F0o"
    found = meaning(answer("SignatureDoesNotMatch", text, status=403))
    assert found.reason == "credentials_invalid"
    assert "F0o" not in str(found)


@pytest.mark.parametrize(
    ("code", "headers", "reason", "retry_after"),
    [
        ("Throttling", {}, "throttled", None),
        ("Throttling", {"retry-after": "2.5"}, "throttled", 2.5),
        ("Throttling", {"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, "throttled", None),
        ("PriorRequestNotComplete", {}, "prior_request_not_complete", 1.0),
        ("PriorRequestNotComplete", {"retry-after": "7"}, "prior_request_not_complete", 7.0),
    ],
)
def test_a_request_to_slow_down(code: str, headers: dict[str, str], reason: str, retry_after: float | None) -> None:
    error = meaning(answer(code, headers=headers), WRITE)
    assert isinstance(error, RateLimited)
    assert (error.reason, error.retry_after) == (reason, retry_after)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (answer("ExpiredTokenException"), Permanent, "token_expired"),
        (answer("InvalidInput", "no such thing"), Permanent, "request_invalid"),
        (answer("NoSuchChange"), Permanent, "change_unknown"),
        (answer("MissingAuthenticationToken", status=403), Permanent, "credentials_missing"),
        (answer("ServiceUnavailable", status=503), Transient, "server_error"),
        (sdk.NoCredentialsError(), Permanent, "credentials_missing"),
        (sdk.CredentialRetrievalError(provider="sso", error_msg="it is closed"), Permanent, "credentials_missing"),
        (sdk.ParamValidationError(report="too long"), Permanent, "request_invalid"),
        (sdk.ConnectTimeoutError(endpoint_url="https://x"), Transient, "connect_failed"),
        (sdk.SSLError(endpoint_url="https://x", error="CERTIFICATE_VERIFY_FAILED"), Permanent, "certificate_untrusted"),
        (sdk.SSLError(endpoint_url="https://x", error="EOF"), Transient, "connect_failed"),
        (KeyError("ChangeInfo"), Transient, "answer_invalid"),
    ],
)
def test_what_else_may_happen_to_a_read(error: Exception, kind: type[ProviderError], reason: str) -> None:
    found = meaning(error)
    assert (type(found), found.reason) == (kind, reason)


@pytest.mark.parametrize(
    "error",
    [
        sdk.ReadTimeoutError(endpoint_url="https://x"),
        sdk.ConnectionClosedError(endpoint_url="https://x"),
        sdk.SSLError(endpoint_url="https://x", error="EOF"),
        KeyError("ChangeInfo"),
    ],
)
def test_a_write_that_may_have_arrived(error: Exception) -> None:
    found = meaning(error, WRITE)
    assert (type(found), found.reason) == (Transient, "outcome_unknown")
