"""Whatever comes over the wire, it ends as one of the four kinds of error, or as a verified answer."""

from contextlib import suppress

import dns.message
import dns.rcode
import dns.tsig
import dns.update
import pytest
from dns.rcode import Rcode
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.errors import Fenced, Permanent, ProviderError, Transient
from failoverd.providers.dnsupdate.errors import Call, edge, refusal, verified

KEY = dns.tsig.Key("failoverd", b"0123456789abcdef0123456789abcdef", "hmac-sha256")
OTHER_KEY = dns.tsig.Key("failoverd", b"another secret of the same length", "hmac-sha256")
READ = Call("192.0.2.53:53", "example.com", "failoverd")
UPDATE = Call("192.0.2.53:53", "example.com", "failoverd", update=True, sent=True)


def signed_request() -> dns.message.Message:
    request = dns.message.make_query("api.example.com", "A", use_edns=0)
    request.use_tsig(KEY)
    request.to_wire()
    return request


def answer_to(
    request: dns.message.Message, rcode: Rcode = Rcode.NOERROR, key: dns.tsig.Key | None = KEY, tsig_error: int = 0
) -> bytes:
    answer = dns.message.make_response(request)
    answer.set_rcode(rcode)
    answer.tsig = None
    if key is not None:
        answer.use_tsig(key, tsig_error=tsig_error)
        answer.request_mac = request.mac or b""
    return answer.to_wire()


def test_an_answer_signed_with_our_key_is_verified() -> None:
    request = signed_request()
    assert verified(answer_to(request), request, READ).rcode() == Rcode.NOERROR


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rcode.BADKEY, "tsig_bad_key"),
        (Rcode.BADSIG, "tsig_bad_signature"),
        (Rcode.BADTIME, "clock_skewed"),
        (Rcode.BADTRUNC, "tsig_bad_signature"),
        (Rcode.BADMODE, "tsig_rejected"),
    ],
)
def test_each_refusal_of_a_signature_has_its_reason(error: Rcode, reason: str) -> None:
    request = signed_request()
    with pytest.raises(Permanent) as caught:
        verified(answer_to(request, Rcode.NOTAUTH, tsig_error=error), request, READ)
    assert caught.value.reason == reason
    assert caught.value.remedy


def test_an_answer_signed_with_another_secret_proves_nothing() -> None:
    request = signed_request()
    for call in (READ, UPDATE):
        with pytest.raises(Permanent) as caught:
            verified(answer_to(request, key=OTHER_KEY), request, call)
        assert caught.value.reason == "answer_unverified"
    assert "may or may not have taken effect" in caught.value.detail


def test_an_answer_to_another_question_is_no_answer() -> None:
    request, other = signed_request(), dns.message.make_query("www.example.com", "A", use_edns=0)
    other.id = request.id
    answer = dns.message.make_response(other)
    answer.use_tsig(KEY)
    answer.request_mac = request.mac or b""
    with pytest.raises(Transient) as caught:
        verified(answer.to_wire(), request, READ)
    assert caught.value.reason == "answer_invalid"


@pytest.mark.parametrize("rcode", list(Rcode))
def test_each_response_code_means_one_thing(rcode: Rcode) -> None:
    answer = dns.message.make_response(dns.message.make_query("api.example.com", "A", use_edns=0))
    answer.set_rcode(rcode)
    for call in (READ, UPDATE):
        error = refusal(answer, call)
        if rcode == Rcode.NOERROR or (rcode == Rcode.NXDOMAIN and call is READ):
            assert error is None
            continue
        assert isinstance(error, ProviderError)
        assert error.reason
        assert error.remedy
        assert "example.com" in error.detail
        fenced = call is UPDATE and rcode in {Rcode.NXDOMAIN, Rcode.YXDOMAIN, Rcode.YXRRSET, Rcode.NXRRSET}
        assert isinstance(error, Fenced) == fenced


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timed_out"),
        (ConnectionRefusedError(111, "Connection refused"), "connect_refused"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection_lost"),
        (OSError(101, "Network is unreachable"), "unreachable"),
        (OSError(113, "No route to host"), "unreachable"),
        (OSError(24, "Too many open files"), "network_error"),
    ],
)
def test_each_network_failure_has_its_reason_and_after_sending_an_update_only_one(error: OSError, reason: str) -> None:
    for call, expected in ((READ, reason), (UPDATE, "outcome_unknown")):
        with pytest.raises(Transient) as caught, edge(call):
            raise error
        assert caught.value.reason == expected
        assert caught.value.remedy


@given(st.binary(max_size=200))
def test_random_octets_end_as_a_provider_error(wire: bytes) -> None:
    request = signed_request()
    for call in (READ, UPDATE):
        with pytest.raises(ProviderError) as caught:
            verified(wire, request, call)
        assert caught.value.reason


@given(st.data())
def test_a_real_answer_with_octets_changed_is_a_provider_error_or_still_the_answer(data: st.DataObject) -> None:
    request = signed_request()
    wire = bytearray(answer_to(request))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    with suppress(ProviderError):
        assert verified(cut, request, READ).rcode() == Rcode.NOERROR
