"""Words of others: what of them may be shown."""

from hashlib import sha256

import pytest

from failoverd import foreign
from failoverd.foreign import error_code, keep_secret, quoted, shown

SECRET = "Xk8~qLw0.pretend-this-was-issued"  # noqa: S105 - nobody issued it


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """These alone: what other tests have kept is none of theirs."""
    monkeypatch.setattr(foreign, "_secrets", {})
    keep_secret(SECRET)
    keep_secret("pw-12")
    keep_secret("ab")


@pytest.mark.parametrize(
    "text",
    [
        f"bad request: {SECRET}",
        f"bad request: ...{SECRET[3:14]}...",
        "the pass phrase is pw-12",
        "GET / HTTP/1.1 Authorization: Bearer abcdefghijkl",
        '{"Authorization": "anything"}',
        "grant_type=client_credentials&client_secret=anything",
        "X-Amz-Security-Token: anything",
        "the token eyJhbGciOiJSUzI1NiJ9.e30.c2ln is wrong",
        "The Canonical String for this request should have been",
        f"{'x' * 390} {SECRET}",
    ],
)
def test_what_repeats_a_secret_or_a_request_is_not_shown(text: str) -> None:
    assert quoted(text) == "its words are not shown, for they may repeat a secret of the request"


@pytest.mark.parametrize(
    "text",
    [
        "The client 'app' does not have authorization to perform action 'Microsoft.Network/dnszones/A/write'",
        "Tried to create resource record set [name='api.example.com.', type='A'] but it already exists",
        "Rate exceeded; about 5 requests a second",
    ],
)
def test_what_helps_is_shown(text: str) -> None:
    assert quoted(text) == text


def test_it_is_one_line_that_no_terminal_obeys() -> None:
    assert quoted("a\r\n\x1b[2J\x9b\u202eb") == r"a \x1b[2J\x9b\u202eb"
    assert shown("a\nb\x00", lines=True) == "a\nb\\x00"
    assert len(quoted("a" * 10_000, 200)) == 200


def test_a_code_looks_like_one() -> None:
    assert error_code("ScopeLocked") == "ScopeLocked"
    assert error_code("AADSTS7000215") == "AADSTS7000215"
    for text in ("", "two words", "x\x1b", "<html>", "a" * 100, SECRET[:10]):
        assert error_code(text) == ""


def test_only_the_newest_secrets_are_kept() -> None:
    first, *others = (sha256(str(number).encode()).hexdigest() for number in range(1_000))
    keep_secret(first)
    assert first not in quoted(first)
    for other in others:
        keep_secret(other)
    assert quoted(first) == first
    keep_secret(SECRET)
    assert SECRET not in quoted(SECRET)
