"""How long a certificate is still valid."""

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.tls.certificate_validity import Validity, not_after

OK = Finding(ProbeReason.OK, "200 OK")
DAY = 86_400.0


@pytest.fixture(scope="module")
def issued(authority: trustme.CA) -> bytes:
    return certificate(authority, datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))


def certificate(authority: trustme.CA, until: datetime) -> bytes:
    pem = authority.issue_cert("web.example.test", not_after=until).cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "until",
    [
        datetime(2030, 2, 28, 12, 30, 59, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),  # written with four digits from here on
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_the_end_of_a_certificate_is_read_as_it_was_written(authority: trustme.CA, until: datetime) -> None:
    assert not_after(certificate(authority, until)) == until.timestamp()


@given(data=st.data())
def test_what_is_no_certificate_is_refused_and_nothing_else_happens(data: st.DataObject, issued: bytes) -> None:
    cut = data.draw(st.integers(0, 200))
    noise = data.draw(st.binary(max_size=20))
    try:
        found = not_after(issued[:cut] + noise + issued[cut + len(noise) :])
    except ValueError:
        return
    assert found > -1e11


@pytest.mark.parametrize(
    "wrong", [b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01\x00", b"\x30\x03abc"]
)
def test_bytes_that_are_no_certificate_are_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        not_after(wrong)


def test_the_days_that_are_left_are_measured_whatever_was_found(issued: bytes) -> None:
    now = not_after(issued) - 10.25 * DAY
    found = Validity(now).judge([issued], Finding(ProbeReason.STATUS_UNEXPECTED, "500", (("other", 1.0),)))
    assert found == Finding(ProbeReason.STATUS_UNEXPECTED, "500", (("other", 1.0), ("certificate_days", 10.25)))


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (7 * DAY + 1, ProbeReason.OK),
        (7 * DAY - 1, ProbeReason.CERTIFICATE_EXPIRING),
        (-1, ProbeReason.CERTIFICATE_EXPIRING),
    ],
)
def test_too_few_days_spoil_a_right_answer(issued: bytes, left: float, reason: ProbeReason) -> None:
    assert Validity(not_after(issued) - left, 7 * DAY).judge([issued], OK).reason is reason


def test_too_few_days_do_not_excuse_a_wrong_answer(issued: bytes) -> None:
    wrong = Finding(ProbeReason.STATUS_UNEXPECTED, "500")
    found = Validity(not_after(issued) - timedelta(days=1).total_seconds(), 7 * DAY).judge([issued], wrong)
    assert found.reason is ProbeReason.STATUS_UNEXPECTED


def test_a_certificate_that_we_cannot_read_changes_nothing() -> None:
    assert Validity(0.0, 7 * DAY).judge([b"not DER"], OK) == OK
