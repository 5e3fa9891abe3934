import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from support.exchanges import heard, in_pieces
from support.probers import prober
from support.targets import Connection, response, serve

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.http1.http1_exchange import MAX_BODY, Http1Exchange
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.body_expectations import BodyExpectations, parse_expectations
from failoverd.probes.http_check.response_judges import Collector, StatusJudge, TextJudge

fragments = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\n",
        b"HTTP/1.1 999 ?\r\n",
        b"HTTP/1.1 000 ?\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: keep-alive\r\n",
        b"\r\n",
        b"\n",
        b" folded\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffffffff\r\n",
        b"hello",
        b"\x00",
        b"\xff\xfe",
    ]
)
nearly_http = st.lists(st.one_of(fragments, st.binary(max_size=8)), max_size=12).map(b"".join)


async def outcome_of(sent: bytes, cut: int, **settings: object) -> tuple[ProbeOutcome, ProbeReason]:
    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(sent[:cut], sent[cut:])

    async with serve(behave) as target:
        result = await prober("http", "/", **settings).probe(target.endpoint)
    assert result.detail.isprintable()
    assert len(result.detail) <= 200
    return result.outcome, result.reason


@given(sent=st.binary(max_size=200), cut=st.integers(0, 200))
async def test_bytes_that_are_not_http_never_pass_and_never_blind(sent: bytes, cut: int) -> None:
    outcome, reason = await outcome_of(sent, cut)
    assert outcome is ProbeOutcome.FAIL
    assert reason in {ProbeReason.RESPONSE_INVALID, ProbeReason.RESPONSE_CLOSED}


@given(sent=nearly_http, cut=st.integers(0, 60))
async def test_what_resembles_http_is_judged_and_never_raises(sent: bytes, cut: int) -> None:
    outcome, _ = await outcome_of(sent, cut, contains="hello")
    assert outcome is not ProbeOutcome.BLIND
    if outcome is ProbeOutcome.PASS:
        assert sent.startswith(b"HTTP/1.")
        assert b"hello" in sent


@given(status=st.integers(200, 599), listed=st.frozensets(st.integers(200, 599), min_size=1, max_size=5))
async def test_a_status_passes_exactly_when_it_is_listed(status: int, listed: frozenset[int]) -> None:
    outcome, _ = await outcome_of(response(f"{status} Whatever"), 9, status=sorted(listed))
    expected = ProbeOutcome.DEGRADED if status == 429 else ProbeOutcome.FAIL
    assert outcome is (ProbeOutcome.PASS if status in listed else expected)


@given(
    parts=st.lists(st.text("ab", max_size=6).map(str.encode), max_size=12),
    wanted=st.text("ab", min_size=1, max_size=5).map(str.encode),
)
def test_a_text_is_found_exactly_when_the_whole_body_contains_it(parts: list[bytes], wanted: bytes) -> None:
    judge = TextJudge(StatusRules(frozenset({200})), wanted)
    for part in parts:
        judge.body(part)
    assert (judge.end().reason is ProbeReason.OK) == (wanted in b"".join(parts))


def test_looking_for_a_text_keeps_no_more_than_it_needs() -> None:
    judge = TextJudge(StatusRules(frozenset({200})), b"serving")
    for _ in range(MAX_BODY // 1_000):
        judge.body(b"x" * 1_000)
    assert (len(judge._tail), len(judge._start)) == (6, 60)
    judge.body(b"serving")
    assert judge.end().reason is ProbeReason.OK


# -- bytes alone -------------------------------------------------------------------------------------------------------


def by_status() -> StatusJudge:
    return StatusJudge(StatusRules(frozenset({200})))


def by_text() -> TextJudge:
    return TextJudge(StatusRules(frozenset({200})), b"hello")


def as_a_whole() -> Collector:
    return Collector(StatusRules(frozenset({200})), whole=True, follow=True)


judges = st.sampled_from([by_status, by_text, as_a_whole])


@given(
    sent=st.one_of(nearly_http, st.binary(max_size=200)), cuts=st.lists(st.integers(0, 1_000), max_size=6), judge=judges
)
def test_the_verdict_is_the_same_however_the_answer_is_cut(
    sent: bytes, cuts: list[int], judge: Callable[[], StatusJudge | TextJudge | Collector]
) -> None:
    at_once = heard(Http1Exchange(b"asked", judge()), [sent])
    assert heard(Http1Exchange(b"asked", judge()), in_pieces(sent, cuts)).reason is at_once.reason
    assert heard(Http1Exchange(b"asked", judge()), [bytes([byte]) for byte in sent]).reason is at_once.reason
    assert at_once.reason is not ProbeReason.PROBER_ERROR


@given(
    body=st.one_of(st.binary(max_size=300), st.text('{}[]",:0123456789eE+-.truefalsn \\u', max_size=60).map(str.encode))
)
def test_no_body_makes_a_judge_raise(body: bytes) -> None:
    values = parse_expectations({"$.a[0].b": "< 5", "$[*]": "ok", "$[?@.a == 1].b": "!= null"})
    wanted = BodyExpectations(contains=b"a", lacks=b"zzz", pattern="[ab]+c?", values=values)
    for cut in (False, True):
        found = wanted.weigh(body, cut=cut)
        assert found.reason in {ProbeReason.OK, ProbeReason.BODY_MISMATCH}


async def test_a_late_end_of_the_connection_changes_no_verdict() -> None:
    async with serve(lambda connection: connection.send(b"SSH-2.0\r\n")) as target:
        result = await prober("http", "/").probe(target.endpoint)
    for _ in range(5):
        await asyncio.sleep(0)
    assert result.reason is ProbeReason.RESPONSE_INVALID
