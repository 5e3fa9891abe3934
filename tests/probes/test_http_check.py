import asyncio
import gzip
import random
import re
from time import perf_counter

import pytest
from support.probers import AwaitedProber, counting_clock, prober
from support.targets import (
    OK,
    Behaviour,
    Connection,
    answers,
    answers_and_holds,
    chunked,
    closes,
    floods,
    greets,
    not_accepting,
    refusing,
    resets,
    resets_after,
    response,
    serve,
    silent,
    trickles,
)

from failoverd import __version__
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint
from failoverd.ports import Cancel, Tripping

SHORT = "150ms"


async def judged(behave: Behaviour, **settings: object) -> tuple[ProbeOutcome, ProbeReason]:
    async with serve(behave) as target:
        result = await prober("http", "/health", **settings).probe(target.endpoint)
    return result.outcome, result.reason


# -- the right answer --------------------------------------------------------------------------------------------------


async def test_a_200_passes_and_says_so() -> None:
    async with serve(answers(OK)) as target:
        result = await prober("http", "/health").probe(target.endpoint)
    assert (result.outcome, result.reason, result.detail) == (ProbeOutcome.PASS, ProbeReason.OK, "200 OK")
    assert (result.endpoint, result.check) == (target.endpoint, "live")


async def test_the_verdict_is_out_at_the_headers_while_the_body_is_still_missing() -> None:
    promised = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    assert await judged(answers_and_holds(promised)) == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_the_phases_are_timed_and_the_result_is_dated_at_its_end() -> None:
    began = perf_counter()
    async with serve(answers(OK)) as target:
        result = await prober("http", "/health", counting_clock(1_700)).probe(target.endpoint)
    timings = result.timings
    assert timings.resolve is None
    assert timings.tls is None
    assert timings.connect is not None
    assert timings.first_byte is not None
    assert 0 < timings.connect + timings.first_byte <= timings.total <= perf_counter() - began
    assert result.at == 1_700.0


@pytest.mark.parametrize(
    ("status", "sent"), [(204, "204 No Content"), ("200-299", "206 Partial Content"), ([200, "300-308"], "302 Found")]
)
async def test_other_statuses_pass_when_the_check_lists_them(status: object, sent: str) -> None:
    assert await judged(answers(response(sent)), status=status) == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_a_few_interim_responses_before_the_answer_are_passed_over() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 10
    assert await judged(answers(interim, OK)) == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_a_status_line_that_arrives_in_pieces_is_put_together() -> None:
    assert await judged(trickles(OK[:-3], pause=0.0)) == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_an_ipv6_endpoint_is_reached() -> None:
    async with serve(answers(OK), host="::1") as target:
        result = await prober("http", "/health").probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    assert f"Host: [::1]:{target.port}\r\n" in target.requests[0]


# -- the request -------------------------------------------------------------------------------------------------------


async def test_the_request_is_one_that_any_server_understands() -> None:
    async with serve(answers(OK)) as target:
        await prober("http", "/health?deep=1").probe(target.endpoint)
    assert target.requests[0].split("\r\n") == [
        "GET /health?deep=1 HTTP/1.1",
        f"Host: 127.0.0.1:{target.port}",
        f"User-Agent: failoverd/{__version__}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
        "",
        "",
    ]


async def test_the_host_header_is_what_the_check_says() -> None:
    async with serve(answers(OK)) as target:
        await prober("http", "/", host="API.example.com").probe(target.endpoint)
    assert "Host: api.example.com\r\n" in target.requests[0]


async def test_every_probe_makes_a_connection_of_its_own() -> None:
    async with serve(answers(OK)) as target:
        live = prober("http", "/")
        for _ in range(3):
            await live.probe(target.endpoint)
    assert (target.connections, len(target.requests)) == (3, 3)


async def test_head_asks_for_no_body_and_waits_for_none() -> None:
    async with serve(answers_and_holds(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as target:
        result = await prober("http", "/", method="HEAD").probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    assert target.requests[0].startswith("HEAD / HTTP/1.1\r\n")


async def test_a_body_is_posted_with_its_length_and_the_headers_of_the_check() -> None:
    got: list[bytes] = []

    async def behave(connection: Connection) -> None:
        await connection.request()
        got.append(await connection.reader.readexactly(len("grün ist gut".encode())))
        await connection.send(OK)

    headers = {"Content-Type": "text/plain", "user-agent": "ours", "X-Empty": ""}
    async with serve(behave) as target:
        result = await prober("http", "/", method="POST", body="grün ist gut", headers=headers).probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    assert got == ["grün ist gut".encode()]
    lines = target.requests[0].split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    assert {"Content-Type: text/plain", "user-agent: ours", "X-Empty: ", "Content-Length: 13"} <= set(lines)
    assert not any(line.startswith("User-Agent") for line in lines)


@pytest.mark.parametrize(("method", "length"), [("PUT", "Content-Length: 0"), ("POST", "Content-Length: 0")])
async def test_a_request_that_could_have_a_body_says_that_it_has_none(method: str, length: str) -> None:
    async with serve(answers(OK)) as target:
        assert (await prober("http", "/", method=method).probe(target.endpoint)).reason is ProbeReason.OK
    assert length in target.requests[0].split("\r\n")


async def test_options_asks_what_may_be_asked() -> None:
    async with serve(answers(response("204 No Content"))) as target:
        result = await prober("http", "/", method="OPTIONS", status=204).probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    assert target.requests[0].startswith("OPTIONS / HTTP/1.1\r\n")


async def test_the_port_of_the_check_is_used_when_the_endpoint_has_none() -> None:
    async with serve(answers(OK)) as target:
        result = await prober("http", "/", port=target.port).probe(Endpoint("region-1", "127.0.0.1"))
    assert result.reason is ProbeReason.OK


# -- the trip wire -----------------------------------------------------------------------------------------------------


async def test_a_trip_wire_is_kept_when_the_check_asks_for_one() -> None:
    connected = asyncio.Event()

    async def behave(connection: Connection) -> None:
        connected.set()
        await connection.hold()

    async with serve(behave) as target:
        assert wired(prober("http", "/"), target.endpoint) is None
        wire = wired(prober("http", "/", trip_wire=True), target.endpoint)
        assert wire is not None
        async with asyncio.timeout(5):
            await connected.wait()
        wire()
    assert target.connections == 1


def wired(live: AwaitedProber, endpoint: Endpoint) -> Cancel | None:
    assert isinstance(live.prober, Tripping)
    return live.prober.wire(endpoint, lambda: None)


# -- the wrong answer --------------------------------------------------------------------------------------------------


async def test_another_status_fails_with_the_words_of_the_server() -> None:
    async with serve(answers(response("503 Service Unavailable"))) as target:
        result = await prober("http", "/health").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
    assert result.detail == "503 Service Unavailable"


async def test_a_redirect_is_not_followed_and_the_detail_says_where_it_points() -> None:
    async with serve(answers(response("302 Found", b"", "Location: http://127.0.0.1:1/other"))) as target:
        result = await prober("http", "/health").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
    assert result.detail == "302 Found to 'http://127.0.0.1:1/other', where it is not followed"
    assert target.connections == 1


async def test_a_429_is_alive_and_full() -> None:
    sent = answers(response("429 Too Many Requests"))
    assert await judged(sent) == (ProbeOutcome.DEGRADED, ProbeReason.OVERLOADED)


async def test_a_429_passes_when_the_check_lists_it() -> None:
    sent = answers(response("429 Too Many Requests"))
    assert await judged(sent, status=[200, 429]) == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_a_right_answer_that_comes_late_is_degraded() -> None:
    assert await judged(answers(OK), slow="0.001ms") == (ProbeOutcome.DEGRADED, ProbeReason.SLOW)


async def test_a_wrong_answer_that_comes_late_is_wrong() -> None:
    sent = answers(response("500 Oops"))
    assert await judged(sent, slow="0.001ms") == (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)


# -- the body ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        answers(response("200 OK", b'{"status": "serving"}')),
        answers(chunked(b'{"sta', b"tus", b'": "ser', b"v", b'ing"}')),
        answers(b"HTTP/1.0 200 OK\r\n\r\n", b'{"status": "ser', b'ving"}'),
        trickles(response("200 OK", b'{"status": "serving"}'), pause=0.0),
    ],
    ids=["content-length", "split over chunks", "until close", "byte by byte"],
)
async def test_a_text_in_the_body_is_found_however_the_body_is_cut(sent: Behaviour) -> None:
    assert await judged(sent, contains='"status": "serving"') == (ProbeOutcome.PASS, ProbeReason.OK)


async def test_a_text_that_is_found_is_not_enough_when_the_rest_never_comes() -> None:
    sent = answers_and_holds(chunked(b'{"status": "serving"}')[:-5])
    failed = (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)
    assert await judged(sent, contains='"status": "serving"', timeout="300ms") == failed


async def test_a_body_without_the_text_fails_and_shows_its_beginning() -> None:
    async with serve(answers(response("200 OK", b"\x1b[2Jmaintenance\r\n" + b"x" * 500))) as target:
        result = await prober("http", "/", contains="serving").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.BODY_MISMATCH)
    assert result.detail.startswith(
        'the body (517 bytes) does not contain "serving"; it begins with "\\x1b[2Jmaintenance\\r\\nxxx'
    )
    assert len(result.detail) <= 200


async def test_an_empty_body_contains_nothing() -> None:
    assert await judged(answers(response("200 OK")), contains="x") == (ProbeOutcome.FAIL, ProbeReason.BODY_MISMATCH)


async def test_a_body_without_end_is_read_no_further_than_256_kib() -> None:
    endless = floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000)
    async with serve(endless) as target:
        result = await prober("http", "/", contains="serving").probe(target.endpoint)
    assert result.reason is ProbeReason.BODY_MISMATCH
    assert result.detail.startswith("the first 262144 bytes of the body do not")


@pytest.mark.parametrize(("before", "reason"), [(262_140, ProbeReason.OK), (262_141, ProbeReason.BODY_MISMATCH)])
async def test_the_text_counts_only_within_the_first_256_kib(before: int, reason: ProbeReason) -> None:
    sent = answers_and_holds(response("200 OK", b"x" * before + b"here" + b"x" * 1_000))
    assert (await judged(sent, contains="here"))[1] is reason


async def test_the_text_is_looked_for_only_behind_the_right_status() -> None:
    sent = answers(response("500 Oops", b"serving"))
    assert await judged(sent, contains="serving") == (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)


async def test_a_body_that_contains_what_it_should_not_fails() -> None:
    async with serve(answers(response("200 OK", b"all is well, but: DEGRADED"))) as target:
        result = await prober("http", "/", contains="well", not_contains="DEGRADED").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.BODY_MISMATCH)
    assert result.detail == 'the body contains "DEGRADED"'


async def test_a_json_body_is_judged_by_its_values() -> None:
    sent = answers(chunked(b'{"status": "ok", "que', b'ue": {"depth": 3}}'))
    wanted = {"$.status": "ok", "$.queue.depth": "< 5"}
    async with serve(sent) as target:
        result = await prober("http", "/", json_path=wanted).probe(target.endpoint)
    assert (result.reason, result.detail) == (ProbeReason.OK, "200 OK; the body is as it should be")
    async with serve(sent) as target:
        result = await prober("http", "/", json_path={"$.queue.depth": "< 3"}).probe(target.endpoint)
    assert (result.reason, result.detail) == (ProbeReason.BODY_MISMATCH, "$.queue.depth is 3, not < 3")


async def test_a_body_that_matches_a_pattern_passes() -> None:
    sent = answers(response("200 OK", b"uptime 1234s\n"))
    assert await judged(sent, matches=r"uptime \d+s") == (ProbeOutcome.PASS, ProbeReason.OK)
    assert await judged(sent, matches=r"^up$") == (ProbeOutcome.FAIL, ProbeReason.BODY_MISMATCH)


async def test_a_body_that_takes_long_to_judge_is_judged_in_a_thread_and_nobody_waits() -> None:
    hard = random.Random(1).choices(b"ab", k=200_000)  # noqa: S311 - no secret is made of it
    async with serve(answers(response("200 OK", bytes(hard)))) as target:
        slow = asyncio.create_task(
            prober("http", "/", matches="[ab]*a[ab]{200}c", timeout="10s").probe(target.endpoint)
        )
        turns, latest = 0, 0.0
        while not slow.done():
            before = perf_counter()
            await asyncio.sleep(0)
            turns, latest = turns + 1, max(latest, perf_counter() - before)
    assert (await slow).reason is ProbeReason.BODY_MISMATCH
    assert turns > 100
    assert latest < 0.5 * (await slow).timings.total


async def test_an_answer_that_there_was_no_time_to_judge_is_not_held_against_the_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def busy(*_: object, **__: object) -> None:
        await asyncio.Future()

    monkeypatch.setattr(asyncio, "to_thread", busy)
    sent = answers(response("200 OK", b"x" * 200_000))
    assert await judged(sent, matches="[ab]{100}", timeout="300ms") == (ProbeOutcome.BLIND, ProbeReason.PROBER_ERROR)


async def test_a_compressed_body_is_never_unpacked_and_only_matters_to_who_looks_into_it() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    sent = answers(response("200 OK", bomb, "Content-Encoding: gzip"))
    assert await judged(sent) == (ProbeOutcome.PASS, ProbeReason.OK)
    for wanted in ({"contains": "x"}, {"matches": "x"}, {"json_path": {"$.a": 1}}, {"not_contains": "x"}):
        assert await judged(sent, **wanted) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_ENCODED)


# -- no answer ---------------------------------------------------------------------------------------------------------


async def test_a_port_on_which_nobody_listens_refuses() -> None:
    with refusing() as target:
        result = await prober("http", "/").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)
    assert result.detail == "Connection refused"


async def test_an_unanswered_connection_request_ends_at_the_deadline() -> None:
    with not_accepting() as target:
        result = await prober("http", "/", timeout=SHORT).probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
    assert result.detail == "no answer to the connection request after 0.15s"
    assert 0.14 < result.timings.total < 1.0
    assert result.timings.connect is None


async def test_a_server_that_never_answers_ends_at_the_deadline() -> None:
    async with serve(silent) as target:
        result = await prober("http", "/", timeout=SHORT).probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)
    assert result.detail == "not a byte of an answer after 0.15s"
    assert result.timings.connect is not None
    assert result.timings.first_byte is None
    assert 0.14 < result.timings.total < 1.0


async def test_a_trickle_of_bytes_does_not_stretch_the_deadline() -> None:
    async with serve(trickles(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"o" * 10_000)) as target:
        result = await prober("http", "/", timeout=SHORT).probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)
    assert result.detail == "the answer began and is not finished after 0.15s"
    assert result.timings.total < 1.0


async def test_a_body_that_stops_coming_ends_at_the_deadline() -> None:
    sent = answers_and_holds(chunked(b"almost")[:-5])
    assert await judged(sent, contains="serving", timeout=SHORT) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)


async def test_a_reset_instead_of_an_answer() -> None:
    assert await judged(resets) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_RESET)


async def test_a_reset_after_the_request() -> None:
    assert await judged(resets_after()) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_RESET)


async def test_a_close_instead_of_an_answer() -> None:
    async with serve(closes) as target:
        result = await prober("http", "/").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_CLOSED)
    assert result.detail == "the connection was closed without an answer"


@pytest.mark.parametrize(
    "sent",
    [
        b"HTT",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_a_close_in_the_midst_of_an_answer(sent: bytes) -> None:
    async with serve(answers(sent)) as target:
        result = await prober("http", "/", contains="serving").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_CLOSED)
    assert result.detail == "the connection was closed in the midst of the answer"


async def test_a_reset_in_the_midst_of_an_answer() -> None:
    sent = resets_after(b"HTTP/1.1 200 OK\r\n")
    assert await judged(sent) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_CLOSED)


# -- not HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", r'this is not HTTP: "SSH-2.0-OpenSSH_9.6\\r\\n"'),
        (b"\x15\x03\x03\x00\x02\x02\x46", r'this is not HTTP: "\\x15\\x03\\x03\\x00\\x02\\x02F"'),
        (b"HTTP/2 200 OK\r\n\r\n", 'this is no status line: "HTTP/2 200 OK"'),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 'this is no header field: "no colon"'),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 'its Content-Length is no number: "many"'),
    ],
)
async def test_what_is_not_http_is_called_so_at_once(sent: bytes, words: str) -> None:
    async with serve(answers_and_holds(sent)) as target:
        result = await prober("http", "/").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)
    assert re.match(words, result.detail), result.detail


async def test_a_switch_to_another_protocol_that_nobody_asked_for_is_a_wrong_status() -> None:
    async with serve(answers_and_holds(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")) as target:
        result = await prober("http", "/").probe(target.endpoint)
    assert (result.reason, result.detail) == (ProbeReason.STATUS_UNEXPECTED, "101 Switching Protocols")


async def test_a_server_that_talks_first_is_not_http() -> None:
    assert await judged(greets(b"220 mail.example.com ESMTP\r\n")) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)


async def test_a_chunk_that_is_none_is_not_http() -> None:
    sent = answers_and_holds(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nserving")
    assert await judged(sent, contains="serving") == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)


async def test_interim_responses_without_end_are_not_http() -> None:
    interim = floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    assert await judged(interim) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_INVALID)


@pytest.mark.parametrize("forever", [b"X-More: and more\r\n", b"a" * 1_000], ids=["many headers", "one long header"])
async def test_headers_without_end_are_too_large(forever: bytes) -> None:
    sent = floods(b"HTTP/1.1 200 OK\r\nX: ", forever)
    assert await judged(sent) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TOO_LARGE)


async def test_what_a_server_says_cannot_reach_the_terminal_nor_fill_the_log() -> None:
    rude = f"503 \u202e{'z' * 1_000}".encode()
    async with serve(answers(b"HTTP/1.1 " + rude + b"\r\n\r\n")) as target:
        result = await prober("http", "/").probe(target.endpoint)
    assert result.reason is ProbeReason.STATUS_UNEXPECTED
    assert len(result.detail) == 200
    assert result.detail.isprintable()
