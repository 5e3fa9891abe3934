import errno
import os
import socket
import ssl

import pytest

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.findings import Phase, excerpt, printable
from failoverd.probes.transport import error_mapping
from failoverd.probes.transport.error_mapping import explain, timed_out


@pytest.mark.parametrize(
    ("code", "phase", "reason"),
    [
        (errno.ECONNREFUSED, Phase.CONNECT, ProbeReason.CONNECT_REFUSED),
        (errno.ECONNRESET, Phase.CONNECT, ProbeReason.CONNECT_RESET),
        (errno.ECONNRESET, Phase.TLS, ProbeReason.TLS_FAILED),
        (errno.ECONNRESET, Phase.FIRST_BYTE, ProbeReason.CONNECT_RESET),
        (errno.ECONNRESET, Phase.ANSWER, ProbeReason.RESPONSE_CLOSED),
        (errno.ECONNABORTED, Phase.ANSWER, ProbeReason.RESPONSE_CLOSED),
        (errno.EPIPE, Phase.FIRST_BYTE, ProbeReason.SEND_FAILED),
        (errno.EPIPE, Phase.TLS, ProbeReason.TLS_FAILED),
        (errno.ETIMEDOUT, Phase.CONNECT, ProbeReason.CONNECT_TIMEOUT),
        (errno.ETIMEDOUT, Phase.TLS, ProbeReason.TLS_TIMEOUT),
        (errno.ETIMEDOUT, Phase.ANSWER, ProbeReason.RESPONSE_TIMEOUT),
        (errno.EMFILE, Phase.CONNECT, ProbeReason.NO_DESCRIPTORS),
        (errno.ENFILE, Phase.CONNECT, ProbeReason.NO_DESCRIPTORS),
        (errno.EADDRNOTAVAIL, Phase.CONNECT, ProbeReason.NO_ROUTE),
        (errno.EAFNOSUPPORT, Phase.CONNECT, ProbeReason.NO_ROUTE),
        (errno.EPERM, Phase.CONNECT, ProbeReason.NO_ROUTE),
        (errno.EHOSTUNREACH, Phase.ANSWER, ProbeReason.CONNECT_UNREACHABLE),
        (errno.ENOBUFS, Phase.CONNECT, ProbeReason.PROBER_ERROR),
    ],
)
def test_what_the_system_says_has_one_meaning_in_each_phase(code: int, phase: Phase, reason: ProbeReason) -> None:
    found = explain(OSError(code, "in another language"), phase)
    assert found.reason is reason
    assert os.strerror(code) in found.detail or found.reason is ProbeReason.PROBER_ERROR


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_unreachable_from_a_network_that_we_have_a_route_to_is_said_by_a_router(address: str) -> None:
    error = OSError(errno.ENETUNREACH, "Network is unreachable")
    assert explain(error, Phase.CONNECT, address).reason is ProbeReason.CONNECT_UNREACHABLE
    assert explain(error, Phase.CONNECT, "255.255.255.255").reason is ProbeReason.NO_ROUTE


def test_a_lost_connection_without_a_number_still_has_a_meaning() -> None:
    assert explain(ConnectionResetError(), Phase.TLS).detail == "connection lost during the handshake"
    assert explain(ConnectionAbortedError("gone"), Phase.FIRST_BYTE).reason is ProbeReason.CONNECT_RESET


def test_a_tls_error_speaks_in_words() -> None:
    error = ssl.SSLError(1, "[SSL] internal")
    assert explain(error, Phase.TLS).reason is ProbeReason.TLS_FAILED
    assert explain(error, Phase.ANSWER).reason is ProbeReason.TLS_FAILED


def test_a_resolver_error_outside_of_resolving_is_a_defect() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert explain(error, Phase.CONNECT).reason is ProbeReason.PROBER_ERROR


def test_what_nobody_thought_of_is_ours() -> None:
    found = explain(ZeroDivisionError("division by zero"), Phase.ANSWER)
    assert (found.reason, found.detail) == (ProbeReason.PROBER_ERROR, "ZeroDivisionError: division by zero")


def test_every_reason_has_an_outcome_and_only_the_prober_s_own_troubles_blind() -> None:
    by_outcome = {outcome: {it for it in ProbeReason if it.outcome is outcome} for outcome in ProbeOutcome}
    assert by_outcome[ProbeOutcome.PASS] == {ProbeReason.OK}
    assert by_outcome[ProbeOutcome.DEGRADED] == {
        ProbeReason.OVERLOADED,
        ProbeReason.SLOW,
        ProbeReason.CERTIFICATE_EXPIRING,
        ProbeReason.PLUGIN_WARNING,
        ProbeReason.THRESHOLD_WARNING,
        ProbeReason.FIRST_TOKEN_SLOW,
        ProbeReason.THROUGHPUT_LOW,
    }
    assert by_outcome[ProbeOutcome.BLIND] == {
        ProbeReason.NO_ROUTE,
        ProbeReason.NO_DESCRIPTORS,
        ProbeReason.RESOLVER_FAILED,
        ProbeReason.PROBER_ERROR,
        ProbeReason.PLUGIN_UNKNOWN,
        ProbeReason.PLUGIN_UNUSABLE,
        ProbeReason.METRIC_MISSING,
        ProbeReason.CREDENTIAL_REFUSED,
        ProbeReason.CREDENTIAL_MISSING,
        ProbeReason.NOT_PERMITTED,
        ProbeReason.VANTAGE_ISOLATED,
    }


def test_a_time_out_is_named_after_its_phase() -> None:
    assert [timed_out(phase, 2.0).reason for phase in Phase] == [
        ProbeReason.RESOLVER_FAILED,
        ProbeReason.CONNECT_TIMEOUT,
        ProbeReason.TLS_TIMEOUT,
        ProbeReason.RESPONSE_TIMEOUT,
        ProbeReason.RESPONSE_TIMEOUT,
    ]
    assert timed_out(Phase.CONNECT, 2.0).detail == "no answer to the connection request after 2s"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("503 Service Unavailable", "503 Service Unavailable"),
        ("a\x1b[31mred\r\n", r"a\x1b[31mred\r\n"),
        ("right\u202eleft", r"right\u202eleft"),
        ("größe", "größe"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["x" * 201, "\x00" * 100, "x" * 199 + "\x00", "x" * 100_000])
def test_a_long_detail_is_cut_and_shows_that_it_was(text: str) -> None:
    shown = printable(text)
    assert len(shown) == 200
    assert shown.endswith("…")


def test_an_excerpt_of_bytes_is_short_and_quoted() -> None:
    assert excerpt(b"\xff\x00SSH") == r'"\\xff\x00SSH"'.replace(r"\\xff", r"\xff")
    assert excerpt(b"x" * 100) == '"' + "x" * 39 + '…"'


def test_a_resolver_without_descriptors_may_say_what_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = OSError(errno.EBUSY, "Device or resource busy")
    assert explain(busy, Phase.RESOLVE).reason is ProbeReason.RESOLVER_FAILED
    monkeypatch.setattr(error_mapping, "_descriptors_left", lambda: False)
    assert explain(busy, Phase.RESOLVE).reason is ProbeReason.NO_DESCRIPTORS
