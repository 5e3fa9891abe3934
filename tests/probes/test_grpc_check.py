"""The `grpc` check, against grpcio's own health service, and against servers that bend HTTP/2."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.exchanges import Silence
from support.probers import prober
from support.targets import (
    OK,
    Behaviour,
    Connection,
    closes,
    floods,
    greets,
    refusing,
    resets,
    serve,
    silent,
)
from support.tls_servers import NAME, chain, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes.findings import Finding
from failoverd.probes.grpc_check.grpc_prober import GrpcSettings
from failoverd.probes.grpc_check.health_call import MOST_BYTES, MOST_FRAMES, HealthCall, Method
from failoverd.probes.grpc_check.health_messages import health_request, read_status

SERVICE = "inference.v1.Models"


# -- the real thing ----------------------------------------------------------------------------------------------------


@dataclass
class Noting(grpc.ServerInterceptor):  # type: ignore[misc]  # grpcio has no types
    """Notes the metadata of each call."""

    heard: list[dict[str, str]] = field(default_factory=list)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:  # noqa: ANN401 - see above
        self.heard.append(dict(details.invocation_metadata))
        return continuation(details)


@dataclass
class Server:
    port: int
    health: health.HealthServicer
    noting: Noting

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("region-1", "127.0.0.1", self.port)


@contextmanager
def running(
    credentials: grpc.ServerCredentials | None = None, *, servicer: health_pb2_grpc.HealthServicer | None = None
) -> Iterator[Server]:
    noting = Noting()
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[noting])
    known = health.HealthServicer(experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(2))
    known.set("", health_pb2.HealthCheckResponse.SERVING)
    known.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    known.set("drained", health_pb2.HealthCheckResponse.NOT_SERVING)
    known.set("starting", health_pb2.HealthCheckResponse.UNKNOWN)
    health_pb2_grpc.add_HealthServicer_to_server(servicer or known, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield Server(port, known, noting)
    finally:
        server.stop(None).wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


async def probe(server: Server, service: str, **asked: object) -> ProbeResult:
    return await prober("grpc", service, **{"timeout": "5s", **asked}).probe(server.endpoint)


@pytest.mark.parametrize("watch", [False, True], ids=["Check", "Watch"])
@pytest.mark.parametrize(
    ("service", "outcome", "reason"),
    [
        ("", ProbeOutcome.PASS, ProbeReason.OK),
        (SERVICE, ProbeOutcome.PASS, ProbeReason.OK),
        ("drained", ProbeOutcome.FAIL, ProbeReason.NOT_SERVING),
        ("starting", ProbeOutcome.FAIL, ProbeReason.NOT_SERVING),
        ("nobody.knows.It", ProbeOutcome.FAIL, ProbeReason.SERVICE_UNKNOWN),
    ],
)
async def test_what_a_server_says_of_its_health_counts(
    server: Server, service: str, outcome: ProbeOutcome, reason: ProbeReason, *, watch: bool
) -> None:
    result = await probe(server, service, watch=watch)
    assert (result.outcome, result.reason) == (outcome, reason)
    assert result.timings.connect is not None
    assert result.timings.first_byte is not None


async def test_a_server_that_drains_fails_and_comes_back(server: Server) -> None:
    server.health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert (await probe(server, SERVICE)).detail == "NOT_SERVING"
    server.health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    assert (await probe(server, SERVICE)).detail == "SERVING"


async def test_the_call_carries_its_deadline_and_its_metadata(server: Server) -> None:
    await probe(server, SERVICE, metadata={"X-Tenant": "probe"}, host=NAME)
    assert server.noting.heard[-1]["x-tenant"] == "probe"
    assert server.noting.heard[-1]["user-agent"].startswith("failoverd")


async def test_a_hundred_calls_at_once_all_come_back(server: Server) -> None:
    live = prober("grpc", SERVICE, timeout="20s")
    results = await asyncio.gather(*(live.probe(server.endpoint) for _ in range(100)))
    assert {result.reason for result in results} == {ProbeReason.OK}


@pytest.mark.parametrize("watch", [False, True], ids=["Check", "Watch"])
async def test_a_server_without_a_health_service_says_what_to_do(*, watch: bool) -> None:
    with running(servicer=health_pb2_grpc.HealthServicer()) as bare:
        result = await probe(bare, "", watch=watch)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.GRPC_STATUS)
    assert result.detail.startswith("the server has no health service: add grpc.health.v1.Health to it")
    assert "UNIMPLEMENTED" in result.detail


class Refusing(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated code has no types
    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        self._code, self._words = code, words

    def Check(self, request: object, context: grpc.ServicerContext) -> None:  # noqa: ARG002, N802 - the interface's
        context.abort(self._code, self._words)


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED),
        (grpc.StatusCode.UNAVAILABLE, ProbeOutcome.FAIL, ProbeReason.GRPC_STATUS),
        (grpc.StatusCode.UNAUTHENTICATED, ProbeOutcome.FAIL, ProbeReason.GRPC_STATUS),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ProbeOutcome.FAIL, ProbeReason.GRPC_STATUS),
    ],
)
async def test_a_call_that_is_refused_says_how(
    code: grpc.StatusCode, outcome: ProbeOutcome, reason: ProbeReason
) -> None:
    with running(servicer=Refusing(code, "füll\nstop")) as refuses:
        result = await probe(refuses, "")
    assert (result.outcome, result.reason, result.detail) == (outcome, reason, f"{code.name}: füll\\nstop")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("very-secret-token\n")
    return path


async def test_a_refused_key_is_about_the_key_and_is_not_repeated(key: Path) -> None:
    with running(servicer=Refusing(grpc.StatusCode.UNAUTHENTICATED, "no: very-secret-token")) as refuses:
        live = prober("grpc", "", timeout="5s", authorization_file=str(key))
        result = await live.probe(refuses.endpoint)
        assert refuses.noting.heard[-1]["authorization"] == "Bearer very-secret-token"
        key.unlink()  # noqa: ASYNC240 - a file of a few bytes
        gone = await live.probe(refuses.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_REFUSED)
    assert "secret" not in result.detail.replace("repeat a secret", "")
    assert (gone.outcome, gone.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_MISSING)


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def secured(authority: trustme.CA) -> Iterator[Server]:
    issued = authority.issue_cert(NAME)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    with running(grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])) as started:
        yield started


async def test_over_tls_the_server_proves_itself(secured: Server, ca_file: str) -> None:
    for watch in (False, True):
        result = await probe(secured, SERVICE, tls=True, host=NAME, ca_file=ca_file, watch=watch)
        assert (result.outcome, result.detail) == (ProbeOutcome.PASS, "SERVING")
        assert result.timings.tls is not None


async def test_a_certificate_for_another_name_fails(secured: Server, ca_file: str) -> None:
    result = await probe(secured, SERVICE, tls=True, host="other.example.test", ca_file=ca_file)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.TLS_CERTIFICATE)


async def test_a_server_that_asks_for_a_certificate_gets_ours(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    issued, ours = authority.issue_cert(NAME), authority.issue_cert("prober.example.test")
    both = tmp_path / "both.pem"
    ours.private_key_and_cert_chain_pem.write_to_path(both)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    pairs = [(issued.private_key_pem.bytes(), chain)]
    demands = grpc.ssl_server_credentials(pairs, authority.cert_pem.bytes(), require_client_auth=True)
    trusted = {"tls": True, "host": NAME, "ca_file": ca_file}
    shown = {"certificate_file": str(both), "key_file": str(both)}
    with running(demands) as started:
        assert (await probe(started, "", **trusted, client_certificate=shown)).reason is ProbeReason.OK
        assert (await probe(started, "", **trusted)).outcome is ProbeOutcome.FAIL


@pytest.mark.parametrize(("days", "outcome"), [(2, ProbeOutcome.DEGRADED), (300, ProbeOutcome.PASS)])
async def test_an_intermediate_certificate_that_expires_soon_is_noticed(
    days: int, outcome: ProbeOutcome, tmp_path: Path
) -> None:
    shown = chain(intermediate=timedelta(days=days))
    (tmp_path / "root.pem").write_bytes(shown.root)
    trusted = {"tls": True, "host": NAME, "ca_file": str(tmp_path / "root.pem"), "certificate_expires_within": "7d"}
    with running(grpc.ssl_server_credentials([(shown.key, shown.shown)])) as started:
        result = await prober("grpc", "", time.time, timeout="5s", **trusted).probe(started.endpoint)
    assert result.outcome is outcome, result.detail


async def test_without_an_agreement_on_h2_there_is_no_call(authority: trustme.CA, ca_file: str) -> None:
    context = tls_server(authority, NAME)
    async with serve(silent, tls=context) as target:
        result = await prober("grpc", "", tls=True, host=NAME, ca_file=ca_file).probe(target.endpoint)
    assert (result.reason, result.detail) == (
        ProbeReason.TLS_FAILED,
        "the server agrees on no protocol; gRPC needs h2",
    )


# -- bad luck, byte by byte --------------------------------------------------------------------------------------------


def calling(method: Method = Method.CHECK, *, authorized: bool = False) -> HealthCall:
    call = HealthCall(SERVICE, method, authority="127.0.0.1:50051", secured=False, timeout=1.5, authorized=authorized)
    assert call.opened(Silence()) is None
    return call


def said(*frames: Frame | bytes) -> bytes:
    return b"".join(each if isinstance(each, bytes) else each.serialize() for each in frames)


def heard(data: bytes, method: Method = Method.CHECK) -> Finding:
    """What the call comes to, whether the bytes come at once or one by one."""
    at_once = calling(method)
    found = (at_once.received(data) if data else None) or at_once.ended()
    by_byte = calling(method)
    found_by_byte = next((each for byte in data if (each := by_byte.received(bytes([byte])))), None)
    assert (found_by_byte or by_byte.ended()).reason is found.reason
    return found


def head(*fields: tuple[str, str], end: bool = False, stream: int = 1) -> HeadersFrame:
    flags = ["END_HEADERS", "END_STREAM"] if end else ["END_HEADERS"]
    return HeadersFrame(stream, Encoder().encode(list(fields), huffman=False), flags=flags)


def message(data: bytes, flag: int = 0) -> DataFrame:
    return DataFrame(1, bytes([flag]) + len(data).to_bytes(4, "big") + data)


SETTINGS = SettingsFrame(0)
GRPC = ((":status", "200"), ("content-type", "application/grpc"))
FINE = head(("grpc-status", "0"), end=True)
SERVES = message(b"\x08\x01")
WHOLE = said(SETTINGS, head(*GRPC), SERVES, FINE)


def test_a_whole_answer_passes() -> None:
    assert heard(WHOLE) == Finding(ProbeReason.OK, "SERVING")


def test_check_waits_for_the_status_of_the_call_and_watch_does_not() -> None:
    begun = said(SETTINGS, head(*GRPC), SERVES)
    assert heard(begun).reason is ProbeReason.RESPONSE_CLOSED
    assert heard(begun, Method.WATCH) == Finding(ProbeReason.OK, "SERVING")
    failed = said(begun, head(("grpc-status", "13"), end=True))
    assert heard(failed) == Finding(ProbeReason.GRPC_STATUS, "INTERNAL")


def test_a_watch_is_called_off_in_good_order() -> None:
    line = Silence()
    call = HealthCall("", Method.WATCH, authority="a", secured=False, timeout=1.0)
    call.opened(line)
    call.received(said(SETTINGS, head(*GRPC), SERVES))
    assert line.sent.endswith(RstStreamFrame(1, 8).serialize())


def test_a_farewell_in_good_order_lets_the_call_go_on() -> None:
    for last in (1, 2**31 - 1):
        data = said(SETTINGS, GoAwayFrame(0, last), head(*GRPC), GoAwayFrame(0, last), SERVES, FINE)
        assert heard(data).reason is ProbeReason.OK


OVERLOADED, INVALID = ProbeReason.OVERLOADED, ProbeReason.RESPONSE_INVALID
CLOSED, TOO_LARGE = ProbeReason.RESPONSE_CLOSED, ProbeReason.RESPONSE_TOO_LARGE
STATUS, ENCODED = ProbeReason.STATUS_UNEXPECTED, ProbeReason.RESPONSE_ENCODED


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", CLOSED, "without an answer"),
        (said(SETTINGS), CLOSED, "before the call was over"),
        (OK, INVALID, "the server speaks HTTP/1, not HTTP/2"),
        (b"SSH-2.0-OpenSSH\r\n", INVALID, "does not speak HTTP/2"),
        (b"\0", INVALID, "does not speak HTTP/2"),
        (said(SETTINGS, GoAwayFrame(0, 0)), CLOSED, "the server ends the connection: NO_ERROR"),
        (said(SETTINGS, GoAwayFrame(0, 1, 2)), CLOSED, "INTERNAL_ERROR"),
        (said(SETTINGS, GoAwayFrame(0, 0, 11)), OVERLOADED, "ENHANCE_YOUR_CALM"),
        (said(SETTINGS, GoAwayFrame(0, 0, 9_999)), CLOSED, "error 9999"),
        (said(SETTINGS, b"\0\0\4\7\0\0\0\0\0abcd"), INVALID, "too short"),
        (said(SETTINGS, RstStreamFrame(1, 7)), CLOSED, "the call was reset: REFUSED_STREAM"),
        (said(SETTINGS, RstStreamFrame(1, 11)), OVERLOADED, "ENHANCE_YOUR_CALM"),
        (said(SETTINGS, head((":status", "503"), end=True)), STATUS, "HTTP status 503"),
        (said(SETTINGS, head((":status", "429"), end=True)), OVERLOADED, "HTTP status 429"),
        (said(SETTINGS, head((":status", "401"), end=True)), STATUS, "HTTP status 401"),
        (said(SETTINGS, head((":status", "302"), ("location", "/login"))), STATUS, "HTTP status 302 to '/login'"),
        (said(SETTINGS, head((":status", "ok"))), INVALID, "without a status"),
        (said(SETTINGS, head((":status", "200"), ("content-type", "text/html"))), INVALID, "text/html"),
        (said(SETTINGS, head((":status", "200"), ("content-type", "application/grpc-web"))), INVALID, "grpc-web"),
        (said(SETTINGS, head((":status", "200"))), INVALID, "no type"),
        (said(SETTINGS, head(*GRPC, ("grpc-status", "5"), end=True)), ProbeReason.SERVICE_UNKNOWN, "NOT_FOUND"),
        (said(SETTINGS, head(*GRPC, ("grpc-status", "99"), end=True)), ProbeReason.GRPC_STATUS, "status 99"),
        (said(SETTINGS, head(*GRPC, ("grpc-status", "0"), end=True)), INVALID, "without a message"),
        (said(SETTINGS, head(*GRPC, ("grpc-status", "x"), end=True)), INVALID, "without a grpc-status"),
        (said(SETTINGS, head(*GRPC, end=True)), INVALID, "without a grpc-status"),
        (said(SETTINGS, head(*GRPC), FINE), INVALID, "without a message"),
        (said(SETTINGS, head(*GRPC), SERVES, SERVES, FINE), INVALID, "more than the one message"),
        (said(SETTINGS, head(*GRPC), DataFrame(1, b"\0\0\0\0\2\x08\x01more"), FINE), INVALID, "more than the one"),
        (said(SETTINGS, head(*GRPC), message(b"", 1)), ENCODED, "compressed"),
        (said(SETTINGS, head(*GRPC), message(b"\x08")), INVALID, "not a HealthCheckResponse"),
        (said(SETTINGS, head(*GRPC), message(b"\x08\x07"), FINE), ProbeReason.NOT_SERVING, "status 7"),
        (said(SETTINGS, head(*GRPC), message(b""), FINE), ProbeReason.NOT_SERVING, "UNKNOWN"),
        (said(SETTINGS, head(*GRPC), DataFrame(1, b"\0\xff\xff\xff\xff")), TOO_LARGE, "4294967295 bytes"),
        (said(SETTINGS, DataFrame(1, b"early")), INVALID, "not HTTP/2"),
        (said(SETTINGS, head(*GRPC, stream=3)), INVALID, "not HTTP/2"),
        (said(SETTINGS, b"\0\xff\xff\0\0\0\0\0\1"), INVALID, "a frame of 65535 bytes"),
        (said(SETTINGS, HeadersFrame(1, b"\xff\xff\xff\xff", flags=["END_HEADERS"])), INVALID, "not HTTP/2"),
        (said(SETTINGS, PushPromiseFrame(1, 2, flags=["END_HEADERS"])), INVALID, "not HTTP/2"),
        (said(SETTINGS, WindowUpdateFrame(0, 2**31 - 1)), INVALID, "not HTTP/2"),
    ],
)
def test_each_trouble_has_its_reason(data: bytes, reason: ProbeReason, words: str) -> None:
    found = heard(data)
    assert found.reason is reason
    assert words in found.detail


@pytest.mark.parametrize("kind", ["application/grpc+proto", "application/grpc;charset=utf-8"])
def test_a_type_may_say_how_its_messages_are_encoded(kind: str) -> None:
    typed = head((":status", "200"), ("content-type", kind))
    assert heard(said(SETTINGS, typed, SERVES, FINE)) == Finding(ProbeReason.OK, "SERVING")


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_key_that_a_gateway_refuses_is_about_the_key_as_one_that_the_server_refuses(status: str) -> None:
    """A gateway that speaks HTTP alone says by its status what a server says by that of the call."""
    gateway = said(SETTINGS, head((":status", status), ("content-type", "text/html"), end=True))
    found = calling(authorized=True).received(gateway)
    assert found is not None
    assert (found.reason, found.reason.outcome) == (ProbeReason.CREDENTIAL_REFUSED, ProbeOutcome.BLIND)
    assert f"HTTP status {status}: it does not accept the credential" in found.detail


def test_what_comes_over_flow_control_ends_the_call() -> None:
    call = calling()
    flood = said(SETTINGS, head(*GRPC), DataFrame(1, b"\0\0\0\xff\xff"), *[DataFrame(1, b"x" * 16_000)] * 5)
    found = call.received(flood)
    assert found is not None
    assert (found.reason, found.detail.partition(":")[0]) == (ProbeReason.RESPONSE_INVALID, "not HTTP/2")


BLOCK = Encoder().encode([*GRPC, ("x", "y" * 60)], huffman=False)


@pytest.mark.parametrize(
    "forever",
    [SettingsFrame(0, {1: 4096}), SettingsFrame(0, flags=["ACK"]), PingFrame(0, b"12345678"), head((":status", "103"))],
    ids=["settings", "acknowledgements", "pings", "interim answers"],
)
def test_a_flood_of_frames_is_not_heard_for_long(forever: Frame) -> None:
    call, frames = calling(), 0
    finding = call.received(said(SETTINGS))
    while finding is None:
        frames += 1
        finding = call.received(said(forever))
    assert finding.reason in {ProbeReason.RESPONSE_TOO_LARGE, ProbeReason.RESPONSE_INVALID}
    assert frames <= MOST_FRAMES


@pytest.mark.parametrize("part", [b"", b"a" * 1_000, b"\x40\x01x\x01y" * 200, b"\x82" * 16_000])
def test_headers_without_end_are_not_heard_for_long(part: bytes) -> None:
    call = calling()
    finding = call.received(said(SETTINGS, HeadersFrame(1, BLOCK)))
    size = 0
    while finding is None:
        size += len(part) + 9
        finding = call.received(said(ContinuationFrame(1, part)))
    assert finding.reason in {ProbeReason.RESPONSE_TOO_LARGE, ProbeReason.RESPONSE_INVALID}
    assert size <= MOST_BYTES + len(part) + 9


def test_small_headers_that_unpack_to_many_are_refused() -> None:
    """One field of 4,000 bytes in the table, and then a byte for each time that it is meant again."""
    bomb = Encoder().encode([*GRPC, ("x", "y" * 3_900)], huffman=False) + b"\xbe" * 10_000
    found = heard(said(SETTINGS, HeadersFrame(1, bomb, flags=["END_HEADERS"])))
    assert found.reason is ProbeReason.RESPONSE_INVALID


# -- over sockets ------------------------------------------------------------------------------------------------------


def h2_server(*parts: bytes) -> Behaviour:
    async def behave(connection: Connection) -> None:
        await connection.reader.readexactly(24)  # the preface of a client
        await connection.send(*parts)
        await connection.hold()

    return behave


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (h2_server(WHOLE), ProbeReason.OK),
        (h2_server(*(bytes([byte]) for byte in WHOLE)), ProbeReason.OK),
        (h2_server(said(SETTINGS)), ProbeReason.RESPONSE_TIMEOUT),
        (greets(b"220 mail.example.com ESMTP\r\n"), ProbeReason.RESPONSE_INVALID),
        (greets(OK), ProbeReason.RESPONSE_INVALID),
        (floods(said(SETTINGS), said(PingFrame(0, b"12345678")) * 50), ProbeReason.RESPONSE_TOO_LARGE),
        (silent, ProbeReason.RESPONSE_TIMEOUT),
        (closes, ProbeReason.RESPONSE_CLOSED),
        (resets, ProbeReason.CONNECT_RESET),
    ],
)
async def test_a_server_on_a_socket_behaves_so_or_so(behave: Behaviour, reason: ProbeReason) -> None:
    async with serve(behave) as target:
        timeout = "500ms" if reason is ProbeReason.RESPONSE_TIMEOUT else "20s"
        result = await prober("grpc", "", timeout=timeout).probe(target.endpoint)
    assert result.reason in {reason, *([CLOSED] if reason is ProbeReason.CONNECT_RESET else [])}


async def test_a_port_that_nobody_listens_at_is_refused() -> None:
    with refusing() as target:
        assert (await prober("grpc", "").probe(target.endpoint)).reason is ProbeReason.CONNECT_REFUSED


# -- whatever comes ----------------------------------------------------------------------------------------------------


def ends_without_raising(data: bytes) -> None:
    call = calling()
    found = call.received(data) if data else None
    assert (found or call.ended()).reason is not ProbeReason.PROBER_ERROR


@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_a_finding(data: bytes) -> None:
    ends_without_raising(data)


FRAMES = st.builds(
    lambda kind, flags, stream, data: len(data).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, stream]) + data,
    st.integers(0, 12),
    st.integers(0, 255),
    st.integers(0, 4),
    st.binary(max_size=60),
)


@given(st.lists(FRAMES, max_size=8))
def test_any_frames_at_all_are_a_finding(frames: list[bytes]) -> None:
    ends_without_raising(said(SETTINGS, *frames))


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_an_answer_with_bytes_changed_is_a_finding(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    ends_without_raising(bytes(data))


# -- messages ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=300))
@example("s" * 255)
@example("s" * 1_000)
def test_a_request_is_what_protobuf_makes(service: str) -> None:
    made = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    assert health_request(service) == b"\0" + len(made).to_bytes(4, "big") + made


@pytest.mark.parametrize("status", health_pb2.HealthCheckResponse.ServingStatus.values())
def test_a_response_is_read_as_protobuf_made_it(status: int) -> None:
    made = health_pb2.HealthCheckResponse(status=status).SerializeToString()
    unknown = b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x28\xff\x01"
    assert read_status(made) == status
    assert read_status(unknown + made + unknown) == status


@given(st.binary(max_size=60))
def test_any_message_is_read_or_refused(data: bytes) -> None:
    try:
        assert 0 <= read_status(data) < 2**70
    except ValueError as error:
        assert str(error)  # noqa: PT017 - refusing is right, too


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"grpc": 50_051},
        {"grpc": "two words"},
        {"ca_file": "/etc/ca.pem"},
        {"certificate_expires_within": "7d"},
        {"metadata": {"grpc-timeout": "1S"}},
        {"metadata": {"trace-bin": "AA"}},
        {"metadata": {"authorization": "Bearer x"}},
        {"metadata": {"te": "x"}},
        {"watch": "yes"},
        {"port": 0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GrpcSettings.model_validate({"grpc": "", **wrong})
