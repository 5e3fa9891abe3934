"""What each answer of OCI means, and what is said about it."""

from dataclasses import replace

import oci  # type: ignore[import-untyped, unused-ignore]
import pytest
from support.contract import target

from failoverd.core.errors import Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.core.records import Marker, Observed, RecordSet, RecordType
from failoverd.providers.oci_cloud.errors import Call, edge
from failoverd.providers.oci_cloud.refusals import CONFLICT, REJECTED, explained

AT = target("api.example.test")
READ = Call("dns-main", "read records")
WRITE = Call("dns-main", "change records", writes=True)
SESSION = Call("dns-main", "read records", expiring=True)


def told(call: Call, status: int, code: str, message: str = "said", **headers: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught, edge(call):
        raise oci.exceptions.ServiceError(status, code, headers, message)
    assert str(call) in caught.value.detail
    return caught.value


@pytest.mark.parametrize(
    ("call", "status", "code", "kind", "reason"),
    [
        (WRITE, 412, "NoEtagMatch", Fenced, "stale_generation"),
        (WRITE, 412, "PreconditionFailed", Fenced, "stale_generation"),
        (WRITE, 400, "InvalidParameter", Permanent, "rejected"),
        (WRITE, 409, "Conflict", Permanent, "conflict"),
        (WRITE, 413, "RequestEntityTooLarge", Permanent, "rejected"),
        (READ, 400, "InvalidParameter", Permanent, "request_invalid"),
        (WRITE, 400, "LimitExceeded", Permanent, "limit_exceeded"),
        (WRITE, 400, "QuotaExceeded", Permanent, "limit_exceeded"),
        (WRITE, 400, "RelatedResourceNotAuthorizedOrNotFound", Permanent, "not_found"),
        (READ, 401, "NotAuthenticated", Permanent, "credentials_invalid"),
        (SESSION, 401, "NotAuthenticated", Permanent, "token_expired"),
        (READ, 402, "SignUpRequired", Permanent, "account_disabled"),
        (READ, 403, "SignUpRequired", Permanent, "account_disabled"),
        (WRITE, 403, "NotAuthorized", Permanent, "permission_denied"),
        (WRITE, 403, "NotAllowed", Permanent, "permission_denied"),
        (READ, 404, "NotAuthorizedOrNotFound", Permanent, "not_found"),
        (READ, 404, "NotFound", Permanent, "request_invalid"),
        (WRITE, 409, "IncorrectState", RateLimited, "resource_busy"),
        (WRITE, 409, "LockConflict", Permanent, "record_protected"),
        (WRITE, 423, "Locked", Permanent, "record_protected"),
        (READ, 429, "TooManyRequests", RateLimited, "throttled"),
        (WRITE, 500, "InternalServerError", Transient, "server_error"),
        (READ, 503, "ServiceUnavailable", Transient, "server_error"),
    ],
)
def test_an_answer_and_its_meaning(call: Call, status: int, code: str, kind: type[ProviderError], reason: str) -> None:
    error = told(call, status, code)
    assert (type(error), error.reason) == (kind, reason)
    assert code in error.detail or reason == "throttled"


def test_a_clock_that_is_off_is_told_from_a_wrong_key() -> None:
    error = told(READ, 401, "NotAuthenticated", "Date is not within allowed clock skew.")
    assert error.reason == "clock_skewed"


def test_a_protected_record_is_told_by_the_words_of_the_refusal() -> None:
    assert told(WRITE, 400, "InvalidParameter", "a protected record cannot be removed").reason == "record_protected"


@pytest.mark.parametrize(("said", "pause"), [("7", 7.0), ("soon", None), ("", None)])
def test_throttling_is_obeyed_as_long_as_it_says(said: str, pause: float | None) -> None:
    error = told(READ, 429, "TooManyRequests", **{"retry-after": said})
    assert isinstance(error, RateLimited)
    assert error.retry_after == pause


def test_a_busy_resource_is_left_alone_for_a_moment() -> None:
    error = told(WRITE, 409, "IncorrectState")
    assert isinstance(error, RateLimited)
    assert error.retry_after == 1.0


def test_an_answer_that_makes_no_sense_leaves_a_write_open() -> None:
    for call, reason in ((READ, "answer_invalid"), (WRITE, "outcome_unknown")):
        for nonsense in (KeyError("items"), RecursionError("nested without end")):
            with pytest.raises(Transient) as caught, edge(call):
                raise nonsense
            assert caught.value.reason == reason


MARKER = Marker("prod", "inference-api", 3, (RecordType.A,))
RECORDS = RecordSet.of(AT.key, 30, {"192.0.2.1": 1})
BEFORE = Observed(AT, RECORDS, MARKER, MARKER.to_text())


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        (Observed(AT, RECORDS), Fenced, "stale_generation"),
        (Observed(AT, None, MARKER, MARKER.to_text()), Fenced, "record_changed"),
        (Observed(AT, RECORDS, MARKER, MARKER.to_text(), ("CNAME",)), Fenced, "record_changed"),
        (Observed(AT, RECORDS, MARKER, MARKER.to_text(), (), "another token"), Permanent, "unsayable"),
    ],
)
def test_a_rejected_write_is_explained_by_what_is_found(
    found: Observed, kind: type[ProviderError], reason: str
) -> None:
    error = explained(BEFORE, found, Permanent("OCI said no", reason=REJECTED))
    assert (type(error), error.reason) == (kind, reason)


def test_a_conflict_with_something_else_than_the_record_is_tried_again() -> None:
    error = explained(BEFORE, replace(BEFORE, token=""), Permanent("OCI said no", reason=CONFLICT))
    assert isinstance(error, Transient)
    assert error.reason == "conflict"
